//! American and European options under discrete cash dividends in the spot (piecewise-lognormal) model.

pub(crate) mod kink;
mod plan;
pub(crate) mod schedule;
mod sweep;
