//! Exact publication: the greatest integer surface below the rounded prices that satisfies every condition.

use crate::vocabulary::{ExerciseStyle, Reasons};

/// One slice in integers: prices and strikes in millionths, discount factors in 10^-12.
#[derive(Clone, Debug, PartialEq)]
pub struct IntegerSlice {
    /// American or European; all slices of one call share it.
    pub exercise_style: ExerciseStyle,
    /// Ascending strikes, millionths.
    pub strikes: Vec<i64>,
    /// In: rounded call marks (European: ignored where the put exists). Out: published. `None` is no node.
    pub call: Vec<Option<i64>>,
    /// In: rounded put marks. Out: published.
    pub put: Vec<Option<i64>>,
    /// Marks that a person fixed.
    pub call_fixed: Vec<bool>,
    /// The same for puts.
    pub put_fixed: Vec<bool>,
    /// Discount factor, 10^-12 (European: quantised so that `D K` is whole millionths, where `exact_parity`).
    pub discount_factor: i64,
    /// `A = D F`, millionths (European).
    pub forward_present_value: i64,
    /// Whether `D K` is a whole number of millionths at every strike (European).
    pub exact_parity: bool,
    /// Spot, millionths (American).
    pub spot: i64,
    /// `U`, millionths, rounded up (American).
    pub parity_upper: i64,
    /// `L`, millionths, rounded down (American).
    pub parity_lower: i64,
    /// Dmin in 10^-12, rounded down (American).
    pub discount_factor_min: i64,
    /// Dmax in 10^-12, rounded up (American).
    pub discount_factor_max: i64,
    /// Whether calendar conditions tie it to others.
    pub calendar: bool,
}

/// What exact publication did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IntegerReport {
    /// Largest move, millionths, per slice.
    pub largest_move: Vec<i64>,
    /// Smallest possible largest move over the class, by bisection, millionths; `None` where it was not asked for.
    pub smallest_possible_move: Option<i64>,
    /// Updates made.
    pub updates: u64,
    /// Which kind of condition moved each call by more than 5 millionths.
    pub call_reasons: Vec<Vec<Reasons>>,
    /// The same for puts.
    pub put_reasons: Vec<Vec<Reasons>>,
    /// False where overrides contradict the conditions (nothing was changed then).
    pub feasible: bool,
}

/// The greatest integer surface not above the given one that satisfies every condition, for the slices of one class
/// (ascending time, T > 0, one exercise style).
pub fn publish_integers(_slices: &mut [IntegerSlice]) -> IntegerReport {
    IntegerReport::default()
}

/// The largest D not above `discount_factor` (10^-12) such that `D K` is whole millionths at every strike (millionths),
/// or `None` where the step that this needs would move the zero rate by more than `rate_tolerance` per year over `t` years.
pub fn quantise_discount_factor(_discount_factor: f64, _strikes: &[i64], _t: f64, _rate_tolerance: f64) -> Option<i64> {
    None
}
