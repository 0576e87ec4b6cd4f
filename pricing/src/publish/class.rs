//! From slices as they are published to curves of points, and back.

use super::discount::DISCOUNT_UNIT;
use super::fixpoint::{BUTTERFLY, CALENDAR, Curve, Effort, PARITY, ParityRow, VERTICAL, Work, settle};
use super::hull::{Arithmetic, Point};
use super::integers::{IntegerReport, IntegerSlice};
use super::overrides;
use crate::vocabulary::{ExerciseStyle, Reason, Reasons};

/// Strikes, prices, spot and `A` lie below this.
const AMOUNT_MAX: i64 = 1 << 44;
/// Discount factors lie below this.
const DISCOUNT_MAX: i64 = 1 << 42;
/// Moves up to this are rounding and carry no reason; millionths.
const MOVE_WITHOUT_REASON: i64 = 5;

/// A class ready to be settled.
pub(crate) struct Class {
    /// Curves at the given marks, brought within bounds; fixed marks at their values.
    pub(crate) works: Vec<Work>,
    /// The largest price each node may have, per slice, curve and node; fixed marks at their values.
    pub(crate) ceilings: Vec<Vec<Vec<i64>>>,
    pub(crate) arithmetic: Arithmetic,
    /// Per slice and strike: the node of the call (American) and of the put (European: of the strike).
    places: Vec<Vec<[Option<usize>; 2]>>,
}

impl Class {
    /// `None` where the input lies outside its domain, or a fixed mark outside its bounds.
    pub(crate) fn new(slices: &[IntegerSlice]) -> Option<Self> {
        if !slices.iter().all(is_in_domain) || !are_of_one_class(slices) {
            return None;
        }
        let scale = if slices.iter().all(has_exact_parity) { 1 } else { i128::from(DISCOUNT_UNIT) };
        let mut class = Self {
            works: Vec::with_capacity(slices.len()),
            ceilings: Vec::with_capacity(slices.len()),
            arithmetic: Arithmetic::for_bounds(0, 0, 0),
            places: Vec::with_capacity(slices.len()),
        };
        for slice in slices {
            let built = match slice.exercise_style {
                ExerciseStyle::American => american(slice)?,
                ExerciseStyle::European => european(slice, scale)?,
            };
            class.works.push(built.work);
            class.ceilings.push(built.ceilings);
            class.places.push(built.places);
        }
        let (mut m_max, mut a_max, mut p_max) = (scale.unsigned_abs(), 1_u128, 1_u128);
        let curves = class.works.iter().flat_map(|w| &w.curves).zip(class.ceilings.iter().flatten());
        for (curve, ceilings) in curves {
            for point in curve.nodes.iter().chain([&curve.zero]) {
                m_max = m_max.max(point.m.unsigned_abs());
                a_max = a_max.max(u128::from(point.a.unsigned_abs()));
                p_max = p_max.max(u128::from(point.p.unsigned_abs()));
            }
            for ceiling in ceilings {
                p_max = p_max.max(u128::from(ceiling.unsigned_abs()));
            }
        }
        class.arithmetic = Arithmetic::for_bounds(m_max, a_max, p_max);
        Some(class)
    }

    /// The published surface, or `None` where fixed marks make one impossible.
    pub(crate) fn published(&self) -> Option<(Vec<Work>, Effort)> {
        let mut works = self.works.clone();
        match settle(&mut works, self.arithmetic) {
            Ok(effort) => Some((works, effort)),
            Err(_) => overrides::lifted(self),
        }
    }

    /// The smallest largest move, in millionths, with which any surface that satisfies every condition can be reached
    /// from the given marks, of which `published` is one.
    ///
    /// # Method
    /// A surface within `m` exists exactly if the greatest one below `marks + m` does not sink below `marks - m`; the
    /// least such `m` by bisection between 0 and what publication itself moves, which is a few settlings more.
    pub(crate) fn smallest_move(&self, published: &[Work]) -> i64 {
        let (mut low, mut high) = (0, largest_distance(&self.works, published));
        while low < high {
            let middle = low + (high - low) / 2;
            if self.reaches(middle) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        low
    }

    /// Whether a surface exists within `distance` of the given marks.
    fn reaches(&self, distance: i64) -> bool {
        let mut works = self.works.clone();
        for (work, ceilings) in works.iter_mut().zip(&self.ceilings) {
            for (curve, ceilings) in work.curves.iter_mut().zip(ceilings) {
                for (node, ceiling) in curve.nodes.iter_mut().zip(ceilings) {
                    node.p = node.p.saturating_add(distance).min(*ceiling);
                }
            }
        }
        settle(&mut works, self.arithmetic).is_ok() && lowest_below(&self.works, &works) <= distance
    }

    /// Writes a settled surface into the slices.
    pub(crate) fn write(&self, slices: &mut [IntegerSlice], works: &[Work], effort: Effort) -> IntegerReport {
        let mut report = IntegerReport {
            feasible: true,
            updates: effort.updates,
            exhausted: effort.exhausted,
            ..Default::default()
        };
        for ((slice, work), places) in slices.iter_mut().zip(works).zip(&self.places) {
            let mut largest = 0;
            let mut reasons = [Vec::with_capacity(places.len()), Vec::with_capacity(places.len())];
            for (strike, nodes) in places.iter().enumerate() {
                let (call, put) = prices_at(slice, strike, work, nodes);
                let put_listed = slice.put.get(strike).copied().flatten().is_some();
                for (side, (new, marks)) in [(call, &mut slice.call), (put, &mut slice.put)].into_iter().enumerate() {
                    let mut why = Reasons::EMPTY;
                    if let Some(mark) = marks.get_mut(strike)
                        && let (Some(old), Some((new, kinds))) = (*mark, new)
                    {
                        // A European call beside a put is not an input: it follows.
                        let follows = side == 0 && slice.exercise_style == ExerciseStyle::European && put_listed;
                        let moved = (new - old).abs();
                        if !follows {
                            largest = largest.max(moved);
                        }
                        if moved > MOVE_WITHOUT_REASON {
                            why = reasons_of(kinds);
                        }
                        *mark = Some(new);
                    }
                    if let Some(list) = reasons.get_mut(side) {
                        list.push(why);
                    }
                }
            }
            let [calls, puts] = reasons;
            report.largest_move.push(largest);
            report.call_reasons.push(calls);
            report.put_reasons.push(puts);
        }
        report
    }
}

/// A report that says that nothing was done.
pub(crate) fn unchanged(slices: &[IntegerSlice]) -> IntegerReport {
    let none = |marks: &Vec<Option<i64>>| vec![Reasons::EMPTY; marks.len()];
    IntegerReport {
        largest_move: vec![0; slices.len()],
        call_reasons: slices.iter().map(|s| none(&s.call)).collect(),
        put_reasons: slices.iter().map(|s| none(&s.put)).collect(),
        ..Default::default()
    }
}

/// The largest distance between two states of one class.
fn largest_distance(one: &[Work], other: &[Work]) -> i64 {
    pairs(one, other).map(|(a, b)| (a - b).abs()).max().unwrap_or(0)
}

/// How far the second state sinks below the first.
fn lowest_below(one: &[Work], other: &[Work]) -> i64 {
    pairs(one, other).map(|(a, b)| a - b).max().unwrap_or(0)
}

fn pairs<'a>(one: &'a [Work], other: &'a [Work]) -> impl Iterator<Item = (i64, i64)> + 'a {
    let nodes = |works: &'a [Work]| works.iter().flat_map(|w| &w.curves).flat_map(|c| &c.nodes).map(|n| n.p);
    nodes(one).zip(nodes(other))
}

fn reasons_of(kinds: u8) -> Reasons {
    let mut reasons = Reasons::EMPTY;
    for (bit, reason) in [
        (VERTICAL, Reason::VerticalEdit),
        (BUTTERFLY, Reason::ButterflyEdit),
        (CALENDAR, Reason::CalendarEdit),
        (PARITY, Reason::ParityEdit),
    ] {
        if kinds & bit != 0 {
            reasons.insert(reason);
        }
    }
    reasons
}

/// A price of the published surface and the kinds of rows that lowered it.
type Published = Option<(i64, u8)>;

fn prices_at(slice: &IntegerSlice, strike: usize, work: &Work, nodes: &[Option<usize>; 2]) -> (Published, Published) {
    let at = |curve: usize, node: Option<usize>| {
        let (curve, node) = (work.curves.get(curve)?, node?);
        Some((curve.nodes.get(node)?.p, *curve.kinds.get(node)?))
    };
    match slice.exercise_style {
        ExerciseStyle::American => (at(0, nodes[0]), at(1, nodes[1])),
        ExerciseStyle::European => {
            let put = at(0, nodes[1]);
            let k = slice.strikes.get(strike).copied().unwrap_or(0);
            let call =
                put.map(|(p, kinds)| ((p + slice.forward_present_value - present_value(slice, k)).max(0), kinds));
            (call, put)
        }
    }
}

/// `D K` in millionths, to the nearest.
fn present_value(slice: &IntegerSlice, strike: i64) -> i64 {
    let unit = i128::from(DISCOUNT_UNIT);
    let product = i128::from(slice.discount_factor) * i128::from(strike);
    i64::try_from((product + unit / 2).div_euclid(unit)).unwrap_or(i64::MAX)
}

fn has_exact_parity(slice: &IntegerSlice) -> bool {
    slice.exercise_style == ExerciseStyle::American
        || (slice.exact_parity
            && slice
                .strikes
                .iter()
                .all(|&k| i128::from(slice.discount_factor) * i128::from(k) % i128::from(DISCOUNT_UNIT) == 0))
}

fn is_in_domain(slice: &IntegerSlice) -> bool {
    let n = slice.strikes.len();
    let lengths = [slice.call.len(), slice.put.len(), slice.call_fixed.len(), slice.put_fixed.len()];
    let amount = |x: i64| (0..AMOUNT_MAX).contains(&x);
    let marks = slice.call.iter().chain(&slice.put).flatten();
    lengths.iter().all(|&l| l == n)
        && slice.strikes.first().is_none_or(|&k| k > 0)
        && slice.strikes.is_sorted_by(|a, b| a < b)
        && slice.strikes.last().is_none_or(|&k| k < AMOUNT_MAX)
        && marks.into_iter().all(|&p| (-AMOUNT_MAX..AMOUNT_MAX).contains(&p))
        && match slice.exercise_style {
            ExerciseStyle::American => {
                amount(slice.spot)
                    && amount(slice.parity_upper)
                    && slice.parity_upper >= slice.spot
                    && (-AMOUNT_MAX..=slice.spot).contains(&slice.parity_lower)
                    && (1..=DISCOUNT_UNIT).contains(&slice.discount_factor_min)
                    && (DISCOUNT_UNIT..DISCOUNT_MAX).contains(&slice.discount_factor_max)
            }
            ExerciseStyle::European => {
                (1..DISCOUNT_MAX).contains(&slice.discount_factor)
                    && (1..AMOUNT_MAX).contains(&slice.forward_present_value)
            }
        }
}

/// Calendars compare on one spot, and one style.
fn are_of_one_class(slices: &[IntegerSlice]) -> bool {
    let Some(first) = slices.first() else { return true };
    let mut tied = slices.iter().filter(|s| s.calendar && s.exercise_style == ExerciseStyle::American);
    let spot = tied.next().map(|s| s.spot);
    slices.iter().all(|s| s.exercise_style == first.exercise_style) && tied.all(|s| Some(s.spot) == spot)
}

/// One slice as curves.
struct Built {
    work: Work,
    ceilings: Vec<Vec<i64>>,
    places: Vec<[Option<usize>; 2]>,
}

/// A curve under construction.
struct Builder {
    curve: Curve,
    ceilings: Vec<i64>,
}

impl Builder {
    fn new(zero: Point, left: Option<Point>, right: Point) -> Self {
        let curve =
            Curve { nodes: Vec::new(), zero, left, right, fixed: Vec::new(), floor: Vec::new(), kinds: Vec::new() };
        Self { curve, ceilings: Vec::new() }
    }

    /// Adds a node, within its bounds unless fixed; `None` for a fixed mark outside them.
    fn push(&mut self, point: Point, bounds: (i64, i64), fixed: bool) -> Option<usize> {
        let (low, high) = bounds;
        if fixed && !(low..=high).contains(&point.p) {
            return None;
        }
        let p = point.p.min(high).max(low);
        self.curve.nodes.push(Point { p, ..point });
        self.curve.fixed.push(fixed);
        self.curve.floor.push(low);
        self.curve.kinds.push(0);
        self.ceilings.push(if fixed { p } else { high.max(low) });
        Some(self.curve.nodes.len() - 1)
    }
}

fn american(slice: &IntegerSlice) -> Option<Built> {
    let unit = i128::from(DISCOUNT_UNIT);
    let mut calls = Builder::new(
        Point { m: 0, p: slice.parity_upper, a: 1 },
        Some(Point { m: -1, p: 1, a: 0 }),
        Point { m: 1, p: 0, a: 0 },
    );
    let mut puts = Builder::new(Point { m: 0, p: 0, a: 1 }, None, Point { m: 1, p: 1, a: 0 });
    let mut parity = Vec::new();
    let mut places = Vec::with_capacity(slice.strikes.len());
    let sides = slice.call.iter().zip(&slice.put).zip(slice.call_fixed.iter().zip(&slice.put_fixed));
    for (&k, ((call, put), (&call_fixed, &put_fixed))) in slice.strikes.iter().zip(sides) {
        let point = |p: i64| Point { m: i128::from(k), p, a: 1 };
        let mut place = [None; 2];
        if let Some(p) = *call {
            let bounds = ((slice.spot - k).max(0), slice.parity_upper);
            place[0] = Some(calls.push(point(p), bounds, call_fixed)?);
        }
        if let Some(p) = *put {
            place[1] = Some(puts.push(point(p), ((k - slice.spot).max(0), k), put_fixed)?);
        }
        if let [Some(call), Some(put)] = place {
            let above = i128::from(slice.parity_upper) * unit - i128::from(k) * i128::from(slice.discount_factor_min);
            let below = i128::from(k) * i128::from(slice.discount_factor_max) - i128::from(slice.parity_lower) * unit;
            parity.push(ParityRow {
                call,
                put,
                above: i64::try_from(above.div_euclid(unit)).ok()?,
                below: i64::try_from(below.div_euclid(unit)).ok()?,
            });
        }
        places.push(place);
    }
    let work = Work { curves: vec![calls.curve, puts.curve], parity, calendar: slice.calendar };
    Some(Built { work, ceilings: vec![calls.ceilings, puts.ceilings], places })
}

fn european(slice: &IntegerSlice, scale: i128) -> Option<Built> {
    let unit = i128::from(DISCOUNT_UNIT);
    let a = slice.forward_present_value;
    let mut puts = Builder::new(Point { m: 0, p: 0, a }, None, Point { m: scale, p: 1, a: 0 });
    let mut places = Vec::with_capacity(slice.strikes.len());
    let sides = slice.call.iter().zip(&slice.put).zip(slice.call_fixed.iter().zip(&slice.put_fixed));
    for (&k, ((call, put), (&call_fixed, &put_fixed))) in slice.strikes.iter().zip(sides) {
        let product = i128::from(slice.discount_factor) * i128::from(k);
        let from_call = |call: i64| call - a + present_value(slice, k);
        // A fixed side decides; two fixed sides must agree.
        let (call_fixed, put_fixed) = (call_fixed && call.is_some(), put_fixed && put.is_some());
        let p = match (*call, *put) {
            (Some(call), Some(put)) if call_fixed && put_fixed && from_call(call) != put => return None,
            (Some(call), Some(_)) if call_fixed && !put_fixed => Some(from_call(call)),
            (_, Some(put)) => Some(put),
            (Some(call), None) => Some(from_call(call)),
            (None, None) => None,
        };
        let node = match p {
            None => None,
            Some(p) => {
                let m = product * scale / unit;
                let low = product - i128::from(a) * unit;
                let low = i64::try_from(-(-low).div_euclid(unit)).ok()?.max(0);
                let high = i64::try_from(product.div_euclid(unit)).ok()?;
                Some(puts.push(Point { m, p, a }, (low, high), call_fixed || put_fixed)?)
            }
        };
        places.push([None, node]);
    }
    let work = Work { curves: vec![puts.curve], parity: Vec::new(), calendar: slice.calendar };
    Some(Built { work, ceilings: vec![puts.ceilings], places })
}
