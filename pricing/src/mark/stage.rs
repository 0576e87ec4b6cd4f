//! The stages of marking one underlying, for whoever measures where the time goes.

use std::fmt;

/// A stage of marking. Nothing here knows a clock: whoever wants times is told when a stage begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MarkStage {
    /// Best bid and offer of each series, and slices.
    Nbbo,
    /// Discounting, forward, borrow, the one spot.
    Parity,
    /// Bid, mid and ask volatilities in the coordinate of smoothing.
    ImpliedVolatility,
    /// The curves.
    Smoothing,
    /// Model prices of the curves.
    ModelPrices,
    /// Prices made consistent in real numbers.
    Projection,
    /// Published integers.
    Integers,
    /// Sensitivities, figures and rows.
    Rows,
    /// Risk arrays.
    RiskArrays,
}

impl MarkStage {
    /// Every stage, in the order in which a class goes through them.
    pub const ALL: [Self; 9] = [
        Self::Nbbo,
        Self::Parity,
        Self::ImpliedVolatility,
        Self::Smoothing,
        Self::ModelPrices,
        Self::Projection,
        Self::Integers,
        Self::Rows,
        Self::RiskArrays,
    ];

    /// The stage's name, as profiles print it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nbbo => "NBBO",
            Self::Parity => "parity",
            Self::ImpliedVolatility => "implied volatility",
            Self::Smoothing => "smoothing",
            Self::ModelPrices => "model prices",
            Self::Projection => "projection",
            Self::Integers => "integers",
            Self::Rows => "rows",
            Self::RiskArrays => "risk arrays",
        }
    }
}

impl fmt::Display for MarkStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
