//! The methods compared.

use closemark_pricing::settings::SmoothingSettings;
use closemark_pricing::smoothing::{SliceInput, SmoothedSlice, smooth_class};

use super::points::Curve;
use super::{fengler, raw, svi};

/// A way from quotes to curves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// The mids themselves.
    RawMids,
    /// Quasi-explicit SVI, slice by slice.
    Svi,
    /// Fengler's quadratic program.
    Fengler,
    /// Two tiers and an iteration.
    Ours,
}

impl Method {
    /// All, in the report's order.
    pub const ALL: [Self; 4] = [Self::RawMids, Self::Svi, Self::Fengler, Self::Ours];

    /// The row's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::RawMids => "raw mids",
            Self::Svi => "SVI",
            Self::Fengler => "Fengler",
            Self::Ours => "ours",
        }
    }

    /// The key in the JSON line.
    pub fn key(self) -> &'static str {
        match self {
            Self::RawMids => "raw_mids",
            Self::Svi => "svi",
            Self::Fengler => "fengler",
            Self::Ours => "ours",
        }
    }

    /// Curves of all slices of a class.
    pub(super) fn fit(self, inputs: &[SliceInput]) -> Vec<Curve> {
        match self {
            Self::RawMids => inputs.iter().map(raw::fit).collect(),
            Self::Svi => inputs.iter().map(svi::fit).collect(),
            Self::Fengler => fengler::fit(inputs),
            Self::Ours => {
                let smoothed = smooth_class(inputs, &SmoothingSettings::default());
                inputs.iter().zip(&smoothed).map(|(input, slice)| ours(input, slice)).collect()
            }
        }
    }
}

fn ours(input: &SliceInput, slice: &SmoothedSlice) -> Curve {
    let unit = input.discount_factor * input.forward;
    Curve {
        price: slice.price.iter().map(|price| price.map(|price| price / unit)).collect(),
        volatility: slice.volatility.clone(),
    }
}
