//! Exact publication: the greatest integer surface below the rounded prices that satisfies every condition.

use super::class::{Class, unchanged};
use crate::vocabulary::{ExerciseStyle, Reasons};

pub use super::discount::quantise_discount_factor;

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
    /// Smallest possible largest move over the class, by bisection, millionths; `None` where marks are infeasible or a
    /// slice's descent was cut off.
    pub smallest_possible_move: Option<i64>,
    /// Updates made.
    pub updates: u64,
    /// Which kind of condition moved each call by more than 5 millionths.
    pub call_reasons: Vec<Vec<Reasons>>,
    /// The same for puts.
    pub put_reasons: Vec<Vec<Reasons>>,
    /// False where overrides contradict the conditions (nothing was changed then).
    pub feasible: bool,
    /// Slices whose descent was cut off and that stand at their exercise values: only where strikes lie closer
    /// together than a thousandth.
    pub exhausted: u32,
}

/// The greatest integer surface not above the given one that satisfies every condition, for the slices of one class
/// (ascending time, T > 0, one exercise style).
///
/// # Method
/// Given marks are first brought between exercise value and model-free upper bound. Then single prices are lowered,
/// `p <- min(p, floor(bound))`, until every condition holds: convex in strike with a node at strike zero, monotone with
/// slopes at most 1 (American) or `D` (European), American parity, and calendars. The calendar row is the strongest
/// there is: a price lies not above the lower convex hull of its slice's other points and of all points of all later
/// slices, in strike (American) or forward moneyness with prices over `A` (European). European classes are settled in
/// puts; a call is `put + A - D K`, exactly where `exact_parity` and else to half a millionth.
///
/// A fixed mark above what its neighbours allow lifts them by a wedge through it, as flat as the conditions permit.
///
/// # Errors
/// `feasible` is false, and nothing is changed, where fixed marks contradict the conditions (decided exactly), where
/// two slices tied by calendars differ in spot or style, or where an input lies outside its domain: strikes
/// ascending in (0, 2^44), marks between -2^44 and 2^44, spot and `A` in [0, 2^44), discount factors in (0, 2^42),
/// `parity_lower <= spot <= parity_upper`, `discount_factor_min <= 10^12 <= discount_factor_max`.
pub fn publish_integers(slices: &mut [IntegerSlice]) -> IntegerReport {
    let Some(class) = Class::new(slices) else { return unchanged(slices) };
    let Some((works, effort)) = class.published() else { return unchanged(slices) };
    let least = (effort.exhausted == 0).then(|| class.smallest_move(&works));
    IntegerReport { smallest_possible_move: least, ..class.write(slices, &works, effort) }
}
