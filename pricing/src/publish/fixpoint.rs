//! The greatest integer solution of one slice's conditions below given prices, later slices being final.
//!
//! Every condition bounds the earlier expiration by the later ones, never the other way. So a class is settled from
//! its last expiration to its first, and all that the later ones ask is that each price stay below the lower convex
//! hull of their points: that hull holds every pair of expirations, every mixed chord, and chords over three
//! expirations as well. Within a slice the prices are lowered one at a time, `p <- min(p, floor(bound))`, until
//! nothing changes. The bounds never fall when a price rises, so that the end does not depend on the order.

use std::collections::VecDeque;

use super::hull::{Arithmetic, Origin, Point, lower_hull};

/// Slopes. Which kinds of rows lowered a price is kept as bits.
pub(crate) const VERTICAL: u8 = 1;
/// Convexity; see [`VERTICAL`].
pub(crate) const BUTTERFLY: u8 = 2;
/// Time, or a chord with a later point; see [`VERTICAL`].
pub(crate) const CALENDAR: u8 = 4;
/// American parity; see [`VERTICAL`].
pub(crate) const PARITY: u8 = 8;

/// The calls or the puts of one slice.
#[derive(Clone, Debug)]
pub(crate) struct Curve {
    /// Ascending in `m`, all with one `a > 0`.
    pub(crate) nodes: Vec<Point>,
    /// The node at strike zero.
    pub(crate) zero: Point,
    /// The slope limit on the left, where strike zero does not imply it.
    pub(crate) left: Option<Point>,
    /// The slope limit on the right.
    pub(crate) right: Point,
    /// Prices that may not move.
    pub(crate) fixed: Vec<bool>,
    /// Exercise values: an exact solution below every other (but see `IntegerSlice::exact_parity`).
    pub(crate) floor: Vec<i64>,
    /// Kinds of rows that lowered each price.
    pub(crate) kinds: Vec<u8>,
}

/// `C <= P + above` and `P <= C + below` at one strike, by places in the two curves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ParityRow {
    pub(crate) call: usize,
    pub(crate) put: usize,
    pub(crate) above: i64,
    pub(crate) below: i64,
}

/// One slice: its puts alone (European), or its calls and puts tied by parity.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    /// European: puts. American: calls, puts.
    pub(crate) curves: Vec<Curve>,
    /// Ascending in both places.
    pub(crate) parity: Vec<ParityRow>,
    /// Whether later slices bound this one and it bounds earlier ones.
    pub(crate) calendar: bool,
}

/// A fixed price lies above what the conditions allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FixedTooHigh;

/// What settling did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Effort {
    /// Prices lowered.
    pub(crate) updates: u64,
    /// Slices whose updates reached the cap and that were put at the exercise values instead.
    pub(crate) exhausted: u32,
}

/// Settles a class, slices ascending in time.
pub(crate) fn settle(works: &mut [Work], arithmetic: Arithmetic) -> Result<Effort, FixedTooHigh> {
    let mut effort = Effort::default();
    let mut later: Vec<Vec<Point>> = Vec::new();
    for work in works.iter_mut().rev() {
        later.resize(work.curves.len().max(later.len()), Vec::new());
        let mut slice = Settling::new(work, if work.calendar { &later } else { &[] }, arithmetic);
        slice.run(&mut effort)?;
        if work.calendar {
            for (curve, hull) in work.curves.iter().zip(&mut later) {
                *hull = joined_hull(curve, hull, arithmetic);
            }
        }
    }
    Ok(effort)
}

/// The hull of a settled curve and the later ones: its finite vertices.
fn joined_hull(curve: &Curve, later: &[Point], arithmetic: Arithmetic) -> Vec<Point> {
    let mut points = Vec::new();
    merge(curve, later, arithmetic, &mut points);
    let mut chain = Vec::with_capacity(points.len());
    lower_hull(&points, arithmetic, &mut chain);
    chain.iter().filter_map(|&place| points.get(place)).filter(|(p, _)| p.a > 0).map(|(p, _)| *p).collect()
}

/// All points of one picture in order of `x`, own points before later ones of the same `x`.
fn merge(curve: &Curve, later: &[Point], arithmetic: Arithmetic, out: &mut Vec<(Point, Origin)>) {
    out.clear();
    out.extend(curve.left.map(|p| (p, Origin::Slope)));
    let mut rest = later;
    let own = std::iter::once((curve.zero, Origin::Zero))
        .chain(curve.nodes.iter().enumerate().map(|(i, p)| (*p, Origin::Own(i))));
    for (point, origin) in own {
        while let Some((first, tail)) = rest.split_first()
            && arithmetic.is_left(first, &point)
        {
            out.push((*first, Origin::Later));
            rest = tail;
        }
        out.push((point, origin));
    }
    out.extend(rest.iter().map(|p| (*p, Origin::Later)));
    out.push((curve.right, Origin::Slope));
}

/// One slice on its way to the fixpoint.
struct Settling<'a> {
    work: &'a mut Work,
    later: &'a [Vec<Point>],
    arithmetic: Arithmetic,
    /// Per curve and node: the later vertices strictly between the node before and this one, and at the end those
    /// beyond the last.
    gaps: Vec<Vec<(usize, usize)>>,
    /// Per curve and node: its row of `work.parity`.
    twins: Vec<Vec<Option<usize>>>,
    queue: VecDeque<(usize, usize)>,
    queued: Vec<Vec<bool>>,
}

impl<'a> Settling<'a> {
    fn new(work: &'a mut Work, later: &'a [Vec<Point>], arithmetic: Arithmetic) -> Self {
        let gaps = work
            .curves
            .iter()
            .enumerate()
            .map(|(c, curve)| gaps(&curve.nodes, later.get(c).map_or(&[], Vec::as_slice), arithmetic))
            .collect();
        let mut twins: Vec<Vec<Option<usize>>> = work.curves.iter().map(|c| vec![None; c.nodes.len()]).collect();
        for (row, parity) in work.parity.iter().enumerate() {
            for (curve, node) in [(0, parity.call), (1, parity.put)] {
                if let Some(twin) = twins.get_mut(curve).and_then(|t| t.get_mut(node)) {
                    *twin = Some(row);
                }
            }
        }
        let queued = work.curves.iter().map(|c| vec![false; c.nodes.len()]).collect();
        Self { work, later, arithmetic, gaps, twins, queue: VecDeque::new(), queued }
    }

    fn run(&mut self, effort: &mut Effort) -> Result<(), FixedTooHigh> {
        self.descend_to_hulls(effort)?;
        let node_count: usize = self.work.curves.iter().map(|c| c.nodes.len()).sum();
        // Listed strikes lie at least a thousandth apart, which bounds the descent by some thousands a node. Only
        // strikes finer than that reach the cap.
        let mut left = 100_000 + 5_000 * node_count as u64;
        for curve in 0..self.work.curves.len() {
            for node in 0..self.node_count(curve) {
                self.push(curve, node);
            }
        }
        while let Some((curve, node)) = self.queue.pop_front() {
            if let Some(queued) = self.queued.get_mut(curve).and_then(|q| q.get_mut(node)) {
                *queued = false;
            }
            if self.lower(curve, node)? {
                effort.updates += 1;
                left -= 1;
                if left == 0 {
                    effort.exhausted += 1;
                    return self.give_up();
                }
                self.push_neighbours(curve, node);
            }
        }
        Ok(())
    }

    fn node_count(&self, curve: usize) -> usize {
        self.work.curves.get(curve).map_or(0, |c| c.nodes.len())
    }

    fn push(&mut self, curve: usize, node: usize) {
        if let Some(queued) = self.queued.get_mut(curve).and_then(|q| q.get_mut(node))
            && !*queued
        {
            *queued = true;
            self.queue.push_back((curve, node));
        }
    }

    fn push_neighbours(&mut self, curve: usize, node: usize) {
        if let Some(before) = node.checked_sub(1) {
            self.push(curve, before);
        }
        self.push(curve, node + 1);
        if let Some(row) = self.parity_row(curve, node) {
            let (other, twin) = if curve == 0 { (1, row.put) } else { (0, row.call) };
            self.push(other, twin);
        }
    }

    fn parity_row(&self, curve: usize, node: usize) -> Option<ParityRow> {
        let row = (*self.twins.get(curve)?.get(node)?)?;
        self.work.parity.get(row).copied()
    }

    /// The exercise values solve everything, but tell nothing: the way out of a descent without end.
    fn give_up(&mut self) -> Result<(), FixedTooHigh> {
        for curve in &mut self.work.curves {
            if curve.fixed.iter().any(|&f| f) {
                return Err(FixedTooHigh);
            }
            for (node, floor) in curve.nodes.iter_mut().zip(&curve.floor) {
                node.p = node.p.min(*floor);
            }
        }
        Ok(())
    }

    /// Lowers every price to the floor of its curve's hull and to parity's bounds: where single steps would crawl.
    fn descend_to_hulls(&mut self, effort: &mut Effort) -> Result<(), FixedTooHigh> {
        const ROUNDS_MAX: u32 = 8;
        let (mut points, mut chain) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS_MAX {
            for (c, curve) in self.work.curves.iter_mut().enumerate() {
                let later = self.later.get(c).map_or(&[][..], Vec::as_slice);
                merge(curve, later, self.arithmetic, &mut points);
                lower_hull(&points, self.arithmetic, &mut chain);
                effort.updates += floor_to_hull(curve, &points, &chain, self.arithmetic)?;
            }
            let mut changed = false;
            for row in 0..self.work.parity.len() {
                if let Some(&ParityRow { call, put, .. }) = self.work.parity.get(row) {
                    changed |= self.lower_to_parity(0, call)?;
                    changed |= self.lower_to_parity(1, put)?;
                }
            }
            if !changed {
                break;
            }
        }
        Ok(())
    }

    fn lower_to_parity(&mut self, curve: usize, node: usize) -> Result<bool, FixedTooHigh> {
        let Some(row) = self.parity_row(curve, node) else { return Ok(false) };
        let twin = |curve: usize, node: usize| Some(self.work.curves.get(curve)?.nodes.get(node)?.p);
        let bound = if curve == 0 {
            twin(1, row.put).map(|p| p.saturating_add(row.above))
        } else {
            twin(0, row.call).map(|p| p.saturating_add(row.below))
        };
        match (bound, self.work.curves.get_mut(curve)) {
            (Some(bound), Some(curve)) => curve.lower_to(node, bound, PARITY),
            _ => Ok(false),
        }
    }

    /// Lowers one price to the least of its bounds.
    fn lower(&mut self, c: usize, node: usize) -> Result<bool, FixedTooHigh> {
        let mut changed = self.lower_to_parity(c, node)?;
        let Some(curve) = self.work.curves.get_mut(c) else { return Ok(false) };
        let later = self.later.get(c).map_or(&[][..], Vec::as_slice);
        let between = |gap: usize| {
            let range = self.gaps.get(c).and_then(|g| g.get(gap)).copied().unwrap_or_default();
            later.get(range.0..range.1).unwrap_or(&[])
        };
        let Some(&point) = curve.nodes.get(node) else { return Ok(false) };
        let before = node.checked_sub(1).and_then(|i| curve.nodes.get(i)).copied();
        let after = curve.nodes.get(node + 1).copied();
        let (left, left_slope) = (before.unwrap_or(curve.zero), if before.is_none() { curve.left } else { None });
        let right = after.unwrap_or(curve.right);
        let own_kind = if after.is_none() { VERTICAL } else { BUTTERFLY };

        let mut point = point;
        let mut lower = |left: &Point, right: &Point, kind: u8| -> Result<(), FixedTooHigh> {
            if self.arithmetic.is_above(left, &point, right) {
                let bound = self.arithmetic.floor(left, &point, right);
                changed |= curve.lower_to(node, bound, kind)?;
                point.p = point.p.min(bound);
            }
            Ok(())
        };
        lower(&left, &right, own_kind)?;
        if let Some(slope) = left_slope {
            lower(&slope, &right, VERTICAL)?;
        }
        for vertex in between(node + 1) {
            lower(&left, vertex, CALENDAR)?;
            if let Some(slope) = left_slope {
                lower(&slope, vertex, CALENDAR)?;
            }
        }
        for vertex in between(node) {
            lower(vertex, &right, CALENDAR)?;
        }
        Ok(changed)
    }
}

impl Curve {
    /// Lowers one price, unless it is fixed.
    fn lower_to(&mut self, node: usize, bound: i64, kind: u8) -> Result<bool, FixedTooHigh> {
        let (Some(point), Some(&fixed), Some(kinds)) =
            (self.nodes.get_mut(node), self.fixed.get(node), self.kinds.get_mut(node))
        else {
            return Ok(false);
        };
        if point.p <= bound {
            return Ok(false);
        }
        if fixed {
            return Err(FixedTooHigh);
        }
        point.p = bound;
        *kinds |= kind;
        Ok(true)
    }
}

/// Lowers each node of a curve to the floor of a hull of its own and later points.
fn floor_to_hull(
    curve: &mut Curve,
    points: &[(Point, Origin)],
    chain: &[usize],
    arithmetic: Arithmetic,
) -> Result<u64, FixedTooHigh> {
    let mut updates = 0;
    for edge in chain.windows(2) {
        let &[first, second] = edge else { continue };
        let (Some((left, left_origin)), Some((right, right_origin))) = (points.get(first), points.get(second)) else {
            continue;
        };
        let kind = match (left_origin, right_origin) {
            (Origin::Later, _) | (_, Origin::Later) => CALENDAR,
            (Origin::Slope, _) | (_, Origin::Slope) => VERTICAL,
            _ => BUTTERFLY,
        };
        for (point, origin) in points.get(first + 1..second).unwrap_or(&[]) {
            if let Origin::Own(node) = *origin
                && arithmetic.is_above(left, point, right)
            {
                updates += u64::from(curve.lower_to(node, arithmetic.floor(left, point, right), kind)?);
            }
        }
    }
    Ok(updates)
}

/// For each node the later vertices strictly between the node before and itself; at the end those beyond the last.
fn gaps(nodes: &[Point], later: &[Point], arithmetic: Arithmetic) -> Vec<(usize, usize)> {
    let mut out = Vec::with_capacity(nodes.len() + 1);
    let mut start = 0;
    for node in nodes {
        let mut end = start;
        while later.get(end).is_some_and(|vertex| arithmetic.is_left(vertex, node)) {
            end += 1;
        }
        out.push((start, end));
        start = end;
        while later.get(start).is_some_and(|vertex| !arithmetic.is_left(node, vertex)) {
            start += 1;
        }
    }
    out.push((start, later.len()));
    out
}
