//! The American projection: the nearest premiums that satisfy every model-free condition, in real numbers.

use crate::settings::PublishSettings;
use crate::vocabulary::Reasons;

/// One American slice's premiums. A missing series is `None` and is no node.
#[derive(Clone, Debug, PartialEq)]
pub struct PremiumSlice {
    /// Ascending strikes, currency per share.
    pub strikes: Vec<f64>,
    /// Call premiums by strike.
    pub call: Vec<Option<f64>>,
    /// Put premiums by strike.
    pub put: Vec<Option<f64>>,
    /// Weight of a move, per strike, calls (1/half-spread^2 or the like; positive).
    pub call_weight: Vec<f64>,
    /// The same for puts.
    pub put_weight: Vec<f64>,
    /// Spot per share of the deliverable.
    pub spot: f64,
    /// `S max(1, e^{-bT})`.
    pub parity_upper: f64,
    /// `S min(1, e^{-bT}) - PV(dividends)`.
    pub parity_lower: f64,
    /// Least `D(t)` over the life.
    pub discount_factor_min: f64,
    /// Largest `D(t)` over the life.
    pub discount_factor_max: f64,
    /// Whether calendar conditions tie it to later slices.
    pub calendar: bool,
}

/// How the projection ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProjectionReport {
    /// Sweeps over the violated rows.
    pub sweeps: u32,
    /// Largest violation left, currency per share.
    pub residual: f64,
    /// Largest move.
    pub largest_move: f64,
    /// Whether the tolerance was met.
    pub converged: bool,
    /// Per slice and strike: which kinds of rows moved the call by more than 1e-6.
    pub call_reasons: Vec<Vec<Reasons>>,
    /// The same for puts.
    pub put_reasons: Vec<Vec<Reasons>>,
}

/// Moves the premiums of one class (slices ascending in time, T > 0) as little as the conditions ask.
pub fn project_american(_slices: &mut [PremiumSlice], _settings: &PublishSettings) -> ProjectionReport {
    ProjectionReport::default()
}
