//! The exact conditions within one slice: bounds, exercise value, strikes, parity.

use closemark_pricing::price::Price;

use super::curve::{Curve, Point, below_chord};
use super::report::{Kind, Violation};
use super::slices::Slice;
use crate::publication::schema::MARKS;

/// Discount factors are in 10^-12.
const UNIT: i128 = 1_000_000_000_000;

/// Collects what is found in one slice, and counts what was asked.
pub(super) struct Findings<'a> {
    pub(super) label: &'a str,
    pub(super) conditions: u64,
    pub(super) found: Vec<Violation>,
}

impl Findings<'_> {
    fn ask(&mut self, holds: bool, kind: Kind, subject: impl FnOnce() -> String, detail: impl FnOnce() -> String) {
        self.conditions += 1;
        if !holds {
            self.found.push(Violation::new(MARKS.file, kind, format!("{} {}", self.label, subject()), detail()));
        }
    }

    /// An answer that may be missing for numbers that are too large.
    fn ask_exact(&mut self, holds: Option<bool>, kind: Kind, subject: impl FnOnce() -> String, detail: &str) {
        match holds {
            Some(holds) => self.ask(holds, kind, subject, || detail.to_owned()),
            None => self.ask(false, Kind::Arithmetic, subject, || "too large to be checked exactly".to_owned()),
        }
    }
}

fn named(call: bool, strike: i64, mark: i64) -> String {
    format!("{} {} at {}", if call { "C" } else { "P" }, Price::from_micros(strike), Price::from_micros(mark))
}

/// Checks one slice with time left.
pub(super) fn check(slice: &Slice, f: &mut Findings<'_>) {
    if slice.american { american(slice, f) } else { european(slice, f) }
}

fn american(slice: &Slice, f: &mut Findings<'_>) {
    let spot = slice.underlying_price.filter(|_| !slice.adjusted);
    for &(strike, mark) in &slice.calls {
        let subject = || named(true, strike, mark);
        if let Some(upper) = slice.parity_upper {
            f.ask(mark <= upper, Kind::Bounds, subject, || format!("above {}", Price::from_micros(upper)));
        }
        if let Some(spot) = spot {
            let value = i128::from(spot) - i128::from(strike);
            f.ask(i128::from(mark) >= value, Kind::Intrinsic, subject, || below_exercise(value));
        }
    }
    for &(strike, mark) in &slice.puts {
        let subject = || named(false, strike, mark);
        f.ask(mark <= strike, Kind::Bounds, subject, || "above its strike".to_owned());
        if let Some(spot) = spot {
            let value = i128::from(strike) - i128::from(spot);
            f.ask(i128::from(mark) >= value, Kind::Intrinsic, subject, || below_exercise(value));
        }
    }
    strikes(true, &american_calls(slice), UNIT, f);
    strikes(false, &american_puts(slice), UNIT, f);
    american_parity(slice, f);
}

fn below_exercise(value: i128) -> String {
    format!("below its exercise value of {value} millionths")
}

/// The American calls of a slice with `S max(1, e^-bT)` at strike zero.
pub(super) fn american_calls(slice: &Slice) -> Curve {
    Curve { zero: slice.parity_upper.map(|u| Point { x: 0, y: u.into() }), points: points(&slice.calls) }
}

/// The American puts of a slice with nothing at strike zero.
pub(super) fn american_puts(slice: &Slice) -> Curve {
    Curve { zero: Some(Point { x: 0, y: 0 }), points: points(&slice.puts) }
}

fn points(legs: &[(i64, i64)]) -> Vec<Point> {
    legs.iter().map(|&(x, y)| Point { x: x.into(), y: y.into() }).collect()
}

/// Monotone, no steeper than the slope limit (10^-12), convex.
fn strikes(call: bool, curve: &Curve, slope: i128, f: &mut Findings<'_>) {
    let subject = |p: Point| move || named(call, p.x as i64, p.y as i64);
    for pair in curve.points.windows(2) {
        let [a, b] = pair else { continue };
        let rise = if call { a.y - b.y } else { b.y - a.y };
        f.ask(rise >= 0, Kind::Vertical, subject(*b), || {
            format!("not monotone from {} at {}", Price::from_micros(a.y as i64), Price::from_micros(a.x as i64))
        });
        let steep = rise.checked_mul(UNIT).zip(slope.checked_mul(b.x - a.x)).map(|(rise, limit)| rise <= limit);
        f.ask_exact(steep, Kind::Vertical, subject(*b), "steeper than the discounted strikes");
    }
    for (node, &point) in curve.points.iter().enumerate() {
        if let (Some(left), Some(&right)) = (curve.before(node), curve.points.get(node + 1)) {
            f.ask_exact(
                below_chord(point, left, right),
                Kind::Butterfly,
                subject(point),
                "above its neighbours' chord",
            );
        }
    }
}

/// `C - P <= U - K Dmin` and `P - C <= K Dmax - L`, with the slice's own four integers.
fn american_parity(slice: &Slice, f: &mut Findings<'_>) {
    let (Some(upper), Some(lower), Some(least), Some(most)) =
        (slice.parity_upper, slice.parity_lower, slice.discount_factor_min, slice.discount_factor_max)
    else {
        return;
    };
    for (strike, call, put) in pairs(slice) {
        let difference = i128::from(call) - i128::from(put);
        let above = (difference - i128::from(upper)) * UNIT + i128::from(strike) * i128::from(least);
        let below = (i128::from(lower) - difference) * UNIT - i128::from(strike) * i128::from(most);
        let subject = || format!("{} with {}", named(true, strike, call), named(false, strike, put));
        f.ask(above <= 0, Kind::Parity, subject, || "call less put above parity's upper bound".to_owned());
        f.ask(below <= 0, Kind::Parity, subject, || "call less put below parity's lower bound".to_owned());
    }
}

/// Strikes with both a call and a put, ascending.
fn pairs(slice: &Slice) -> impl Iterator<Item = (i64, i64, i64)> {
    slice.calls.iter().filter_map(|&(strike, call)| {
        let place = slice.puts.binary_search_by_key(&strike, |p| p.0).ok()?;
        Some((strike, call, slice.puts.get(place)?.1))
    })
}

fn european(slice: &Slice, f: &mut Findings<'_>) {
    let (Some(a), Some(d)) = (slice.forward_present_value, slice.discount_factor) else {
        // Without a forward there is no parity: each type by itself, undiscounted.
        strikes(true, &Curve { zero: None, points: points(&slice.calls) }, UNIT, f);
        strikes(false, &american_puts(slice), UNIT, f);
        return;
    };
    let (a, d) = (i128::from(a), i128::from(d));
    // Half a millionth where strikes are too fine for D K to be whole; nothing otherwise.
    let slack = if slice.parity_rounded { UNIT / 2 } else { 0 };
    for &(strike, mark) in &slice.calls {
        let (price, value) = (i128::from(mark) * UNIT, a * UNIT - d * i128::from(strike));
        let subject = || named(true, strike, mark);
        f.ask(i128::from(mark) <= a, Kind::Bounds, subject, || "above the discounted forward".to_owned());
        f.ask(price >= value - slack, Kind::Intrinsic, subject, || "below the discounted exercise value".to_owned());
    }
    for &(strike, mark) in &slice.puts {
        let (price, value) = (i128::from(mark) * UNIT, d * i128::from(strike) - a * UNIT);
        let subject = || named(false, strike, mark);
        let limit = d * i128::from(strike);
        f.ask(price <= limit + slack, Kind::Bounds, subject, || "above the discounted strike".to_owned());
        f.ask(price >= value - slack, Kind::Intrinsic, subject, || "below the discounted exercise value".to_owned());
    }
    for (strike, call, put) in pairs(slice) {
        let gap = (i128::from(call) - i128::from(put) - a) * UNIT + d * i128::from(strike);
        let subject = || format!("{} with {}", named(true, strike, call), named(false, strike, put));
        f.ask(gap.abs() <= slack, Kind::Parity, subject, || format!("call less put is off by {gap} of 10^-18"));
    }
    if let Some(curve) = european_puts(slice) {
        strikes(false, &curve, d, f);
    }
}

/// The puts of a European slice, those that only the call is listed of by parity; `None` without a forward.
///
/// # Formula
/// `P = C - A + D K`, to the nearest millionth where `D K` is not whole.
pub(super) fn european_puts(slice: &Slice) -> Option<Curve> {
    let (a, d) = (i128::from(slice.forward_present_value?), i128::from(slice.discount_factor?));
    let mut points = points(&slice.puts);
    for &(strike, call) in &slice.calls {
        if slice.puts.binary_search_by_key(&strike, |p| p.0).is_err() {
            let y = i128::from(call) - a + (d * i128::from(strike) + UNIT / 2).div_euclid(UNIT);
            points.push(Point { x: strike.into(), y });
        }
    }
    points.sort_by_key(|p| p.x);
    Some(Curve { zero: Some(Point { x: 0, y: 0 }), points })
}

/// Checks a slice that expires now: every mark is the exercise value on one price of the underlying.
pub(super) fn expired(slice: &Slice, f: &mut Findings<'_>) {
    let implied = slice.calls.iter().find(|(_, mark)| *mark > 0).map(|(k, mark)| i128::from(*k) + i128::from(*mark));
    let implied =
        implied.or_else(|| slice.puts.iter().find(|(_, mark)| *mark > 0).map(|(k, m)| i128::from(*k) - i128::from(*m)));
    // Nothing is in the money: the price lies between the highest put strike and the lowest call strike.
    let lowest_call = slice.calls.first().map(|c| i128::from(c.0));
    let Some(price) = implied.or(slice.puts.last().map(|p| i128::from(p.0))).or(lowest_call) else { return };
    let legs = slice.calls.iter().map(|l| (true, *l)).chain(slice.puts.iter().map(|l| (false, *l)));
    for (call, (strike, mark)) in legs {
        let value = if call { price - i128::from(strike) } else { i128::from(strike) - price };
        f.ask(
            i128::from(mark) == value.max(0),
            Kind::Intrinsic,
            || named(call, strike, mark),
            || format!("expires now and is not worth {} millionths on {price}", value.max(0)),
        );
    }
}
