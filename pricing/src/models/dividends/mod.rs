//! American and European options under discrete cash dividends in the spot (piecewise-lognormal) model.

pub(crate) mod kink;
pub(crate) mod schedule;
