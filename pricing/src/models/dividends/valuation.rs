//! An option's value as grids give it, and what two grids say together.

use crate::vocabulary::OptionType;

/// An option's value and its derivatives in the price of the underlying; not finite where there is none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Valuation {
    pub(crate) american: f64,
    pub(crate) delta: f64,
    pub(crate) gamma: f64,
    /// Whether exercise wins and would not one node farther: see [`super::sweep::Outcome::edge`].
    pub(crate) edge: bool,
}

/// An American value on the first two levels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FirstLevels {
    pub(crate) rough: f64,
    pub(crate) coarse: f64,
}

impl FirstLevels {
    /// Another's value less this one: both extrapolated by `w`, or both the finer level's alone where exercise decides one of them,
    /// so that no level comes and goes between the two.
    pub(crate) fn difference(&self, other: &Self, w: f64, exercise: f64) -> f64 {
        let held = [self.rough, self.coarse, other.rough, other.coarse].iter().all(|value| *value > exercise);
        let w = if held { w } else { 0.0 };
        let of = |levels: &Self| levels.coarse + w * (levels.coarse - levels.rough);
        of(other) - of(self)
    }
}

/// No number.
pub(crate) const NOTHING: Valuation = Valuation { american: f64::NAN, delta: f64::NAN, gamma: f64::NAN, edge: false };

impl Valuation {
    /// What this level and a coarser one say together; this one alone where either is exercised.
    pub(crate) fn beyond(&self, coarser: &Self, w: f64, exercise: f64) -> Self {
        if !(self.american > exercise && coarser.american > exercise) {
            return *self;
        }
        let value = self.towards(coarser, -w);
        Self { american: value.american.max(exercise), ..value }
    }

    /// On the line from this to another, which is at one.
    pub(crate) fn towards(&self, other: &Self, share: f64) -> Self {
        let between = |a: f64, b: f64| a + share * (b - a);
        Self {
            american: between(self.american, other.american),
            delta: between(self.delta, other.delta),
            gamma: between(self.gamma, other.gamma),
            edge: false,
        }
    }

    /// The delta within what a convex price allows, beyond which extrapolation may lead; `shares_left` is what a share at expiry
    /// is worth now, as a share.
    pub(crate) fn with_bounded_delta(self, option_type: OptionType, shares_left: f64) -> Self {
        let (low, high) = match option_type {
            OptionType::Call => (0.0, shares_left.max(1.0)),
            OptionType::Put => (-1.0, 0.0),
        };
        let delta = if self.delta < low { low } else { self.delta };
        Self { delta: if delta > high { high } else { delta }, ..self }
    }
}
