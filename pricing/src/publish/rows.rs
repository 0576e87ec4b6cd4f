//! The model-free conditions on American premiums as sparse rows over all premiums of a class.

use std::ops::Range;

use super::projection::PremiumSlice;
use crate::vocabulary::Reason;

/// What a row says; in the order of [`crate::mark::ViolationCounts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Slopes and bounds.
    Vertical,
    /// Convexity.
    Butterfly,
    /// Time.
    Calendar,
    /// Call and put of one strike.
    Parity,
}

impl Kind {
    /// The reason that a move by such a row carries.
    pub(crate) fn reason(self) -> Reason {
        match self {
            Self::Vertical => Reason::VerticalEdit,
            Self::Butterfly => Reason::ButterflyEdit,
            Self::Calendar => Reason::CalendarEdit,
            Self::Parity => Reason::ParityEdit,
        }
    }
}

/// A premium, by its place in the class's vector.
pub(crate) type Node = usize;

/// `sum of coefficient x <= bound`, over at most three premiums.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) nodes: [Node; 3],
    /// Zero where there is no such premium.
    pub(crate) coefficients: [f64; 3],
    pub(crate) bound: f64,
    pub(crate) kind: Kind,
}

/// A point of a curve: a premium that may move, or a known value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value {
    Free(Node),
    Known(f64),
}

impl Row {
    /// `middle <= weight_left left + weight_right right + constant`.
    pub(crate) fn below(middle: Node, left: (f64, Value), right: (f64, Value), constant: f64, kind: Kind) -> Self {
        let mut row = Self { nodes: [middle; 3], coefficients: [1.0, 0.0, 0.0], bound: constant, kind };
        for (place, (weight, value)) in [(1, left), (2, right)] {
            match value {
                Value::Known(known) => row.bound += weight * known,
                Value::Free(node) => {
                    row.nodes[place] = node;
                    row.coefficients[place] = -weight;
                }
            }
        }
        row
    }

    fn above(node: Node, least: f64) -> Self {
        Self { nodes: [node; 3], coefficients: [-1.0, 0.0, 0.0], bound: -least, kind: Kind::Vertical }
    }

    /// By how much the row is broken; negative where it is slack.
    pub(crate) fn excess(&self, x: &[f64]) -> f64 {
        self.product(x) - self.bound
    }

    /// The row times a vector.
    pub(crate) fn product(&self, x: &[f64]) -> f64 {
        self.terms().map(|(node, c)| c * x.get(node).copied().unwrap_or(0.0)).sum()
    }

    /// The row in one slice's own places (`order` of `nodes`), later premiums being known.
    pub(crate) fn localised(&self, nodes: &Range<Node>, order: &[usize], x: &[f64]) -> Self {
        let mut out = *self;
        for (node, coefficient) in out.nodes.iter_mut().zip(&mut out.coefficients) {
            if nodes.contains(node) {
                *node = order.get(*node - nodes.start).copied().unwrap_or(0);
            } else {
                out.bound -= *coefficient * x.get(*node).copied().unwrap_or(0.0);
                *coefficient = 0.0;
            }
        }
        out
    }

    /// Premiums with their coefficients.
    pub(crate) fn terms(&self) -> impl Iterator<Item = (Node, f64)> {
        self.nodes.into_iter().zip(self.coefficients).filter(|&(_, c)| c != 0.0)
    }
}

/// The calls or puts of one slice: strikes ascending with their premiums' places.
#[derive(Clone, Debug, Default)]
pub(crate) struct Side {
    strikes: Vec<f64>,
    first: Node,
    /// The value at strike zero.
    zero: f64,
    /// The slope limits on the left and on the right.
    slopes: (f64, f64),
    calendar: bool,
}

impl Side {
    fn new(slice: &PremiumSlice, call: bool, first: Node) -> Self {
        let marks = if call { &slice.call } else { &slice.put };
        let strikes = slice.strikes.iter().zip(marks).filter(|(_, p)| p.is_some()).map(|(&k, _)| k).collect();
        let (zero, slopes) = if call { (slice.parity_upper, (-1.0, 0.0)) } else { (0.0, (0.0, 1.0)) };
        Self { strikes, first, zero, slopes, calendar: slice.calendar }
    }

    /// The strike and value before place `i`: strike zero before the first.
    fn before(&self, i: usize) -> (f64, Value) {
        match i.checked_sub(1).and_then(|j| Some((j, *self.strikes.get(j)?))) {
            Some((j, k)) => (k, Value::Free(self.first + j)),
            None => (0.0, Value::Known(self.zero)),
        }
    }

    fn after(&self, i: usize) -> Option<(f64, Value)> {
        self.strikes.get(i + 1).map(|&k| (k, Value::Free(self.first + i + 1)))
    }

    fn at(&self, place: usize) -> Option<(f64, Value)> {
        self.strikes.get(place).map(|&k| (k, Value::Free(self.first + place)))
    }

    /// Convexity and slopes.
    fn own_rows(&self, out: &mut Vec<Row>) {
        for (i, &k) in self.strikes.iter().enumerate() {
            let kind = if i + 1 < self.strikes.len() { Kind::Butterfly } else { Kind::Vertical };
            out.push(self.chord(self.first + i, k, Some(self.before(i)), self.after(i), kind));
        }
        if let [k, next, ..] = self.strikes.as_slice() {
            out.push(self.chord(self.first, *k, None, Some((*next, Value::Free(self.first + 1))), Kind::Vertical));
        }
    }

    /// The chord of two points, or of one point and a slope limit.
    fn chord(&self, node: Node, k: f64, left: Option<(f64, Value)>, right: Option<(f64, Value)>, kind: Kind) -> Row {
        let nothing = (0.0, Value::Known(0.0));
        match (left, right) {
            (Some((l, left)), Some((r, right))) => {
                let share = (k - l) / (r - l);
                Row::below(node, (1.0 - share, left), (share, right), 0.0, kind)
            }
            (Some((l, left)), None) => Row::below(node, (1.0, left), nothing, self.slopes.1 * (k - l), kind),
            (None, Some((r, right))) => Row::below(node, nothing, (1.0, right), -self.slopes.0 * (r - k), kind),
            (None, None) => Row::below(node, nothing, nothing, f64::MAX, kind),
        }
    }

    /// Calendar rows against later slices: up to and including the first that lists the strike.
    fn calendar_rows(&self, later: &[Self], out: &mut Vec<Row>) {
        for (i, &k) in self.strikes.iter().enumerate() {
            for other in later.iter().filter(|s| s.calendar) {
                let place = other.strikes.partition_point(|&x| x < k);
                let node = self.first + i;
                match other.at(place) {
                    Some((strike, value)) if strike == k => {
                        out.push(Row::below(node, (1.0, value), (0.0, Value::Known(0.0)), 0.0, Kind::Calendar));
                        break;
                    }
                    Some(right) => {
                        out.push(self.chord(node, k, Some(other.before(place)), Some(right), Kind::Calendar));
                    }
                    None if other.strikes.is_empty() => {}
                    None => out.push(self.chord(node, k, Some(other.before(place)), None, Kind::Calendar)),
                }
            }
        }
        self.mixed_rows(later, out);
    }

    /// Chords of an own neighbour and a later point between own strikes; of each strike the first later slice that
    /// lists it says most.
    fn mixed_rows(&self, later: &[Self], out: &mut Vec<Row>) {
        let mut seen: Vec<f64> = Vec::new();
        for other in later.iter().filter(|s| s.calendar) {
            let mut fresh = Vec::new();
            for (j, &strike) in other.strikes.iter().enumerate() {
                let place = self.strikes.partition_point(|&x| x < strike);
                let listed = self.strikes.get(place) == Some(&strike);
                if listed || seen.binary_search_by(|x| x.total_cmp(&strike)).is_ok() {
                    continue;
                }
                fresh.push(strike);
                let point = Some((strike, Value::Free(other.first + j)));
                if let Some(&k) = self.strikes.get(place) {
                    out.push(self.chord(self.first + place, k, point, self.after(place), Kind::Calendar));
                }
                if let Some((i, &k)) = place.checked_sub(1).and_then(|i| Some((i, self.strikes.get(i)?))) {
                    out.push(self.chord(self.first + i, k, Some(self.before(i)), point, Kind::Calendar));
                    if i == 0 {
                        out.push(self.chord(self.first, k, None, point, Kind::Calendar));
                    }
                }
            }
            seen.extend(fresh);
            seen.sort_unstable_by(f64::total_cmp);
        }
    }
}

/// All rows of a class, slice by slice: a row stands with the slice whose premium it bounds and speaks of no earlier
/// one. Premiums are numbered slice by slice, calls before puts, ascending strikes.
pub(crate) fn american_rows(slices: &[PremiumSlice]) -> Vec<Row> {
    let mut first = 0;
    let mut sides = [Vec::with_capacity(slices.len()), Vec::with_capacity(slices.len())];
    for slice in slices {
        for (call, list) in [true, false].into_iter().zip(&mut sides) {
            let side = Side::new(slice, call, first);
            first += side.strikes.len();
            list.push(side);
        }
    }
    // A later strike-zero node bounds earlier slices like any later point.
    let [mut calls, puts] = sides;
    let mut zero = f64::INFINITY;
    for side in calls.iter_mut().rev().filter(|s| s.calendar) {
        zero = zero.min(side.zero);
        side.zero = zero;
    }
    let mut rows = Vec::new();
    for (t, slice) in slices.iter().enumerate() {
        for (list, call) in [(&calls, true), (&puts, false)] {
            let Some((side, later)) = list.get(t..).and_then(<[Side]>::split_first) else { continue };
            bound_rows(slice, side, call, &mut rows);
            side.own_rows(&mut rows);
            if side.calendar {
                side.calendar_rows(later, &mut rows);
            }
        }
        if let (Some(calls), Some(puts)) = (calls.get(t), puts.get(t)) {
            parity_rows(slice, calls, puts, &mut rows);
        }
    }
    rows
}

/// The rows of each European slice by itself, in puts; calendars come as the chords that a solution breaks.
pub(crate) fn european_rows(slices: &[PremiumSlice]) -> Vec<Row> {
    let mut first = 0;
    let mut rows = Vec::new();
    for slice in slices {
        let side = Side::new(slice, false, first);
        first += side.strikes.len();
        bound_rows(slice, &side, false, &mut rows);
        side.own_rows(&mut rows);
    }
    rows
}

fn bound_rows(slice: &PremiumSlice, side: &Side, call: bool, out: &mut Vec<Row>) {
    let nothing = (0.0, Value::Known(0.0));
    for (i, &k) in side.strikes.iter().enumerate() {
        let (least, most) = if call { (slice.spot - k, slice.parity_upper) } else { (k - slice.spot, k) };
        out.push(Row::above(side.first + i, least.max(0.0)));
        out.push(Row::below(side.first + i, nothing, nothing, most, Kind::Vertical));
    }
}

fn parity_rows(slice: &PremiumSlice, calls: &Side, puts: &Side, out: &mut Vec<Row>) {
    let nothing = (0.0, Value::Known(0.0));
    let (mut call, mut put) = (calls.first, puts.first);
    for (&k, (c, p)) in slice.strikes.iter().zip(slice.call.iter().zip(&slice.put)) {
        if c.is_some() && p.is_some() {
            let above = slice.parity_upper - k * slice.discount_factor_min;
            let below = k * slice.discount_factor_max - slice.parity_lower;
            out.push(Row::below(call, (1.0, Value::Free(put)), nothing, above, Kind::Parity));
            out.push(Row::below(put, (1.0, Value::Free(call)), nothing, below, Kind::Parity));
        }
        call += usize::from(c.is_some());
        put += usize::from(p.is_some());
    }
}
