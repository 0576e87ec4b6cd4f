//! Fixed marks that lie above what the surface around them allows.
//!
//! Solutions are closed under the pointwise maximum, so that there is a greatest one of all, below every price's own
//! ceiling: fixed marks are possible exactly if they stand in that one. A surface near the given marks is then found
//! by lifting them to a tangent through each fixed mark, some millionths above it everywhere else so that rounding
//! does not pull the fixed mark down; the margin is doubled until the fixed marks hold, at the latest in the greatest.

use super::class::Class;
use super::fixpoint::{Curve, Effort, FixedTooHigh, ParityRow, Work, settle};
use super::hull::Point;

/// A price that the surface must reach.
struct Demand {
    slice: usize,
    curve: usize,
    node: usize,
    price: i64,
}

/// The surface with its fixed marks, lifted around those that ask for it; `None` where no surface holds them.
pub(crate) fn lifted(class: &Class) -> Option<(Vec<Work>, Effort)> {
    let mut greatest = class.works.clone();
    set_prices(&mut greatest, class, |_, ceiling| ceiling);
    let greatest_effort = settle(&mut greatest, class.arithmetic).ok()?;

    let mut free = class.works.clone();
    for curve in free.iter_mut().flat_map(|w| &mut w.curves) {
        curve.fixed.fill(false);
    }
    settle(&mut free, class.arithmetic).ok()?;
    let demands = demands(class, &free);
    let mut margin = 0_i64;
    while margin < 1 << 44 {
        let mut works = class.works.clone();
        for demand in &demands {
            lift(&mut works, &free, demand, margin);
        }
        for work in &mut works {
            lift_twins(work);
        }
        set_prices(&mut works, class, i64::min);
        match settle(&mut works, class.arithmetic) {
            Ok(effort) => return Some((works, effort)),
            Err(FixedTooHigh) => margin = (2 * margin).max(1),
        }
    }
    Some((greatest, greatest_effort))
}

/// Sets each free price from itself and its ceiling, and each fixed one to its value.
fn set_prices(works: &mut [Work], class: &Class, price: impl Fn(i64, i64) -> i64) {
    for (work, ceilings) in works.iter_mut().zip(&class.ceilings) {
        for (curve, ceilings) in work.curves.iter_mut().zip(ceilings) {
            for ((node, ceiling), fixed) in curve.nodes.iter_mut().zip(ceilings).zip(&curve.fixed) {
                // A fixed price is its own ceiling.
                node.p = if *fixed { *ceiling } else { price(node.p, *ceiling) };
            }
        }
    }
}

/// The fixed marks that would sink, and what parity asks of their twins.
fn demands(class: &Class, free: &[Work]) -> Vec<Demand> {
    let mut out = Vec::new();
    for (slice, (work, settled)) in class.works.iter().zip(free).enumerate() {
        for (curve, (wanted, reached)) in work.curves.iter().zip(&settled.curves).enumerate() {
            let nodes = wanted.nodes.iter().zip(&reached.nodes).zip(&wanted.fixed).enumerate();
            for (node, ((wanted, _), _)) in nodes.filter(|(_, ((w, r), fixed))| **fixed && r.p < w.p) {
                out.push(Demand { slice, curve, node, price: wanted.p });
                for row in &work.parity {
                    let (own, twin, slack) =
                        if curve == 0 { (row.call, row.put, row.above) } else { (row.put, row.call, row.below) };
                    if own == node {
                        out.push(Demand { slice, curve: 1 - curve, node: twin, price: wanted.p - slack });
                    }
                }
            }
        }
    }
    out
}

/// Raises the slice's curve and those of all later slices to the tangent of `demand`, with a margin beside it.
fn lift(works: &mut [Work], free: &[Work], demand: &Demand, margin: i64) {
    let Some((shape, calendar)) =
        free.get(demand.slice).and_then(|w| Some((w.curves.get(demand.curve)?, w.calendar)))
    else {
        return;
    };
    let Some(tangent) = Tangent::new(shape, demand) else { return };
    for (t, work) in works.iter_mut().enumerate().skip(demand.slice) {
        if t > demand.slice && !(calendar && work.calendar) {
            continue;
        }
        let Some(curve) = work.curves.get_mut(demand.curve) else { continue };
        for (n, node) in curve.nodes.iter_mut().enumerate() {
            let beside = if t == demand.slice && n == demand.node { 0 } else { margin };
            // Beyond 128 bits the ceiling decides.
            let least = tangent.at(node).and_then(|p| i64::try_from(p).ok()).map_or(i64::MAX, |p| p.saturating_add(beside));
            node.p = node.p.max(least);
        }
    }
}

/// Parity pulls twins of lifted prices along.
fn lift_twins(work: &mut Work) {
    let [calls, puts] = work.curves.as_mut_slice() else { return };
    for &ParityRow { call, put, above, below } in &work.parity {
        if let (Some(call), Some(put)) = (calls.nodes.get_mut(call), puts.nodes.get_mut(put)) {
            put.p = put.p.max(call.p.saturating_sub(above));
            call.p = call.p.max(put.p.saturating_sub(below));
        }
    }
}

/// A line through a demanded price, with the slope of the free surface there.
struct Tangent {
    through: Point,
    rise: i128,
    run: i128,
}

impl Tangent {
    fn new(curve: &Curve, demand: &Demand) -> Option<Self> {
        let here = curve.nodes.get(demand.node)?;
        let left = demand.node.checked_sub(1).and_then(|i| curve.nodes.get(i)).unwrap_or(&curve.zero);
        let right = curve.nodes.get(demand.node + 1).unwrap_or(here);
        let through = Point { p: demand.price, ..*here };
        Some(Self { through, rise: i128::from(right.p) - i128::from(left.p), run: right.m - left.m })
    }

    /// The line's price at a point of any slice, rounded up; `None` beyond 128 bits.
    fn at(&self, point: &Point) -> Option<i128> {
        let (a, own) = (i128::from(point.a), i128::from(self.through.a));
        let level = i128::from(self.through.p).checked_mul(a)?.checked_mul(self.run)?;
        let distance = point.m.checked_mul(own)?.checked_sub(self.through.m.checked_mul(a)?)?;
        let numerator = level.checked_add(self.rise.checked_mul(distance)?)?;
        let denominator = own.checked_mul(self.run)?;
        (denominator > 0).then(|| -(-numerator).div_euclid(denominator))
    }
}
