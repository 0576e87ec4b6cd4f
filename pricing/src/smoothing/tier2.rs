//! Tier 2 of one slice: the rows of its quadratic program, its solution, and the repair that always holds.

use super::black;
use super::calendar::{self, ChordRow};
use super::frame::Frame;
use super::program::{Outcome, Program, Row, RowKind};
use crate::settings::SmoothingSettings;
use crate::vocabulary::SolverStatus;

/// Price of half a half-spread's violation of an accepted quote, against half a half-spread's distance from the target.
const BAND_PENALTY: f64 = 60.0;
/// Rounds of adding calendar rows that the last solution broke.
const CUT_ROUNDS: u32 = 6;
/// Least ratio of the units of neighbours.
const UNIT_RATIO_MIN: f64 = 0.1;
/// A bid or ask so many units from the aim is left out.
const FAR: f64 = 1e3;
/// Largest contradiction between aim and convexity, in units, that is given to the program.
const BOUND_MAX: f64 = 20.0;
/// Least unit (currency per share) and least ratio of the units of neighbours, of each further attempt.
const WIDE_UNITS: [(f64, f64); 2] = [(1e-5, 0.3), (1e-3, 0.6)];
/// Share of the lognormal curve in a start inside the rows.
const INNER_SHARE: f64 = 0.02;
/// What is no violation; of the forward.
const SLACK: f64 = 1e-14;

/// What tier 2 aims at, one entry per listed strike. Prices are out of the money, over the frame's scale.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Aim {
    pub price: Vec<f64>,
    /// One half-spread: the unit of the program's variables.
    pub unit: Vec<f64>,
    pub curvature: Vec<f64>,
    /// Least second difference, as a price.
    pub floor: Vec<f64>,
}

/// The bid and ask of an accepted quote, or the ask of a zero bid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Band {
    pub node: usize,
    pub bid: Option<f64>,
    pub ask: Option<f64>,
    /// 1 for an out-of-the-money quote of full weight.
    pub weight: f64,
    /// Whether it stands for what later expiries' asks leave to this one.
    pub later: bool,
}

/// What moved a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Edits {
    pub bid: bool,
    pub ask: bool,
    pub convex: bool,
    pub slope: bool,
    pub calendar: bool,
}

/// The solution of one slice.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Solution {
    /// Out-of-the-money prices over the frame's scale.
    pub price: Vec<f64>,
    /// Distance from the target in units.
    pub e: Vec<f64>,
    pub edits: Vec<Edits>,
    pub status: SolverStatus,
    pub residual: f64,
    /// Places of the zero node and of all strikes, and puts there: what later expiries see.
    pub places: Vec<f64>,
    pub puts: Vec<f64>,
}

impl Solution {
    fn of_prices(price: Vec<f64>) -> Self {
        Self {
            price,
            e: Vec::new(),
            edits: Vec::new(),
            status: SolverStatus::NotRun,
            residual: 0.0,
            places: Vec::new(),
            puts: Vec::new(),
        }
    }
}

/// Exercise value of the call, what turns an out-of-the-money price into a put: `put = x + max(m - 1, 0)`... and back.
pub(super) fn offset(m: f64) -> f64 {
    (m - 1.0).max(0.0)
}

/// Least second differences: a share of the lognormal density at the node's own volatility, and where prices are
/// large enough two millionths of currency, so that rounding cannot undo convexity.
pub(super) fn density_floor(frame: &Frame, volatility: &[f64], settings: &SmoothingSettings) -> Vec<f64> {
    let n = frame.m.len();
    let absolute = 2e-6 / frame.currency();
    (0..n)
        .map(|i| {
            let Some(right) = frame.m.get(i + 1) else { return 0.0 };
            let left = if i > 0 { frame.m[i - 1] } else { frame.zero };
            let (h0, h1) = (frame.m[i] - left, right - frame.m[i]);
            let density = black::density(frame.ratio[i], volatility[i] * frame.root_time);
            let jump = (density * 0.5 * (h0 + h1)).min(1.0 / n as f64).min(0.25);
            let lognormal = jump * h0 * h1 / (h0 + h1);
            (settings.density_floor * lognormal).max(absolute.min(0.05 * lognormal))
        })
        .collect()
}

/// Builds a row about prices as one about units of distance from the aim, scaled to a largest coefficient of 1.
fn row(aim: &Aim, first: usize, prices: &[f64], bound: f64, kind: RowKind, node: usize) -> Row {
    let mut coefficients = [0.0; 3];
    let (mut at_aim, mut largest) = (0.0, 0.0_f64);
    for (i, (coefficient, price)) in coefficients.iter_mut().zip(prices).enumerate() {
        *coefficient = price * aim.unit[first + i];
        at_aim += price * aim.price[first + i];
        largest = largest.max(coefficient.abs());
    }
    let largest = largest.max(1e-300);
    for coefficient in &mut coefficients {
        *coefficient /= largest;
    }
    Row { first, coefficients, bound: (bound - at_aim) / largest, penalty: f64::INFINITY, kind, node }
}

/// Rows that hold within one expiry.
fn own_rows(frame: &Frame, aim: &Aim, bands: &[Band], rows: &mut Vec<Row>) {
    let m = &frame.m;
    let n = m.len();
    for i in 0..n.saturating_sub(1) {
        let left = if i > 0 { m[i - 1] } else { frame.zero };
        let (a, b, kink) = curvature_weights(left, m[i], m[i + 1]);
        let bound = aim.floor[i] - kink;
        rows.push(if i > 0 {
            row(aim, i - 1, &[a, -1.0, b], bound, RowKind::Convex, i)
        } else {
            row(aim, 0, &[-1.0, b], bound, RowKind::Convex, 0)
        });
    }
    let last = n - 1;
    let (h, put_offset) = if last > 0 {
        (m[last] - m[last - 1], offset(m[last]) - offset(m[last - 1]))
    } else {
        (m[last] - frame.zero, offset(m[last]))
    };
    let bound = (put_offset - h).min(0.0);
    rows.push(if last > 0 {
        row(aim, last - 1, &[1.0, -1.0], bound, RowKind::Slope, last)
    } else {
        row(aim, last, &[-1.0], bound, RowKind::Slope, last)
    });
    rows.push(row(aim, 0, &[1.0], 0.0, RowKind::Slope, 0));
    if last > 0 {
        rows.push(row(aim, last, &[1.0], 0.0, RowKind::Slope, last));
    }
    for band in bands {
        let penalty = BAND_PENALTY * band.weight;
        if let Some(bid) = band.bid {
            let row = row(aim, band.node, &[1.0], bid, RowKind::Bid, band.node);
            if row.bound > -FAR {
                rows.push(Row { penalty, ..row });
            }
        }
        if let Some(ask) = band.ask {
            let kind = if band.later { RowKind::Calendar } else { RowKind::Ask };
            let row = row(aim, band.node, &[-1.0], -ask, kind, band.node);
            if row.bound > -FAR {
                rows.push(Row { penalty, ..row });
            }
        }
    }
}

/// Widens units until no two neighbours are further apart than a ratio.
fn even_out(unit: &mut [f64], ratio_min: f64) {
    for i in 1..unit.len() {
        unit[i] = unit[i].max(ratio_min * unit[i - 1]);
    }
    for i in (1..unit.len()).rev() {
        unit[i - 1] = unit[i - 1].max(ratio_min * unit[i]);
    }
}

/// Widens the units where the aim breaks convexity by many of them, so that all bounds are of the order of one.
fn relax(frame: &Frame, aim: &mut Aim) {
    even_out(&mut aim.unit, UNIT_RATIO_MIN);
    for _ in 0..2 {
        for i in 0..frame.m.len().saturating_sub(1) {
            let (left, x_left) = if i > 0 { (frame.m[i - 1], aim.price[i - 1]) } else { (frame.zero, 0.0) };
            let (a, b, kink) = curvature_weights(left, frame.m[i], frame.m[i + 1]);
            let deficit = aim.floor[i] - kink - (a * x_left - aim.price[i] + b * aim.price[i + 1]);
            let left_unit = if i > 0 { a * aim.unit[i - 1] } else { 0.0 };
            let largest = left_unit.max(aim.unit[i]).max(b * aim.unit[i + 1]);
            let factor = deficit / (BOUND_MAX * largest);
            if factor > 1.0 {
                aim.unit[i] *= factor;
                aim.unit[i + 1] = aim.unit[i + 1].max(aim.unit[i]);
                if i > 0 {
                    aim.unit[i - 1] = aim.unit[i - 1].max(aim.unit[i]);
                }
            }
        }
    }
}

/// Weights of the outer two of three places in the second difference as a price, and the kink of the forward in it.
fn curvature_weights(left: f64, middle: f64, right: f64) -> (f64, f64, f64) {
    let (h0, h1) = (middle - left, right - middle);
    let (a, b) = (h1 / (h0 + h1), h0 / (h0 + h1));
    let kink =
        if left < 1.0 && right > 1.0 { (a * offset(left) - offset(middle) + b * offset(right)).max(0.0) } else { 0.0 };
    (a, b, kink)
}

fn chord_row(frame: &Frame, aim: &Aim, chord: &ChordRow) -> Row {
    match chord.right.checked_sub(1) {
        Some(left) => {
            let share = chord.share;
            let known = (1.0 - share) * offset(frame.m[left]) + share * offset(frame.m[chord.right]);
            row(aim, left, &[1.0 - share, share], chord.put - known, RowKind::Calendar, chord.right)
        }
        None => {
            let known = chord.share * offset(frame.m[0]);
            row(aim, 0, &[chord.share], chord.put - known, RowKind::Calendar, 0)
        }
    }
}

/// Scratch space of tier 2.
#[derive(Default)]
pub(super) struct Tier2 {
    program: Program,
    rows: Vec<Row>,
    floors: Vec<f64>,
    chords: Vec<ChordRow>,
    lifted: Aim,
}

impl Tier2 {
    /// Solves one slice above all `earlier` solutions (empty where no calendar ties it).
    pub(super) fn solve(
        &mut self,
        frame: &Frame,
        aim: &Aim,
        bands: &[Band],
        earlier: &[&Solution],
        settings: &SmoothingSettings,
    ) -> Solution {
        let mut lifted = std::mem::take(&mut self.lifted);
        lifted.clone_from(aim);
        calendar::node_floors(&frame.m, earlier, &mut self.floors);
        self.lift(frame, &mut lifted, earlier);
        relax(frame, &mut lifted);
        self.rows.clear();
        own_rows(frame, &lifted, bands, &mut self.rows);
        let mut known = vec![false; frame.m.len()];
        for i in 0..known.len() {
            self.add_floor(frame, &lifted, i, lifted.price[i] - 2.0 * lifted.unit[i], &mut known);
        }
        let mut solution = self.optimum(frame, &lifted, earlier, settings);
        let mut holds = false;
        for _ in 0..CUT_ROUNDS {
            let mut broken = false;
            for i in 0..known.len() {
                broken |= self.add_floor(frame, &lifted, i, solution.price[i] + SLACK, &mut known);
            }
            calendar::broken_chords(frame, &solution, earlier, SLACK, &mut self.chords);
            for chord in &self.chords {
                let row = chord_row(frame, &lifted, chord);
                if !self.rows.contains(&row) {
                    self.rows.push(row);
                    broken = true;
                }
            }
            if !broken {
                holds = true;
                break;
            }
            solution = self.optimum(frame, &lifted, earlier, settings);
        }
        let sound = holds && solution.status == SolverStatus::Converged && self.sound(frame, &solution);
        if !sound {
            // A poor iterate is no better start than the aim itself.
            if solution.residual > 1e-3 || solution.price.iter().any(|price| !price.is_finite()) {
                solution.price.clone_from(&lifted.price);
            }
            repair(frame, &mut solution, earlier);
        }
        for (((e, price), aim), unit) in solution.e.iter_mut().zip(&solution.price).zip(&aim.price).zip(&aim.unit) {
            *e = (price - aim) / unit;
        }
        self.lifted = lifted;
        solution
    }

    /// Adds the calendar row of a node where its floor is above `level`; true where that was news.
    fn add_floor(&mut self, frame: &Frame, aim: &Aim, node: usize, level: f64, known: &mut [bool]) -> bool {
        let floor = self.floors[node] - offset(frame.m[node]);
        if known[node] || floor <= level.max(0.0) {
            return false;
        }
        known[node] = true;
        self.rows.push(row(aim, node, &[1.0], floor, RowKind::Calendar, node));
        true
    }

    /// Lifts the aim to what earlier expiries force, and its unit with it: in a far wing the floor may be thousands of
    /// the aim's own half-spreads away, and no measure is left in them.
    fn lift(&mut self, frame: &Frame, aim: &mut Aim, earlier: &[&Solution]) {
        for (i, floor) in self.floors.iter().enumerate() {
            let lift = floor - offset(frame.m[i]) - aim.price[i];
            if lift > 0.0 {
                aim.price[i] += lift;
                aim.unit[i] = aim.unit[i].max(0.1 * lift);
            }
        }
        for _ in 0..2 {
            let mut trial = Solution::of_prices(aim.price.clone());
            publish_puts(frame, &mut trial);
            calendar::broken_chords(frame, &trial, earlier, SLACK, &mut self.chords);
            for chord in &self.chords {
                let left = chord.right.checked_sub(1);
                let known = left.map_or(0.0, |left| (1.0 - chord.share) * trial.puts[left + 1]);
                let deficit = chord.put - known - chord.share * trial.puts[chord.right + 1];
                let lift = deficit / if left.is_some() { 1.0 } else { chord.share };
                for node in left.into_iter().chain([chord.right]) {
                    aim.price[node] = aim.price[node].max(trial.price[node] + lift);
                    aim.unit[node] = aim.unit[node].max(0.1 * lift);
                }
            }
        }
    }

    fn optimum(&mut self, frame: &Frame, aim: &Aim, earlier: &[&Solution], settings: &SmoothingSettings) -> Solution {
        let n = frame.m.len();
        let mut edits = vec![Edits::default(); n];
        let (mut e, mut status, mut residual) = (vec![0.0; n], SolverStatus::Converged, 0.0);
        if self.rows.iter().any(|row| row.bound > 0.0) {
            let most = settings.program_iterations_max;
            let mut outcome = self.program.solve(&aim.curvature, &self.rows, most);
            if outcome.status != SolverStatus::Converged {
                outcome = self.in_wider_units(frame, aim, earlier, settings);
            }
            (status, residual) = (outcome.status, outcome.residual);
            e.copy_from_slice(&self.program.e);
            for (row, multiplier) in self.rows.iter().zip(&self.program.multipliers) {
                let (true, Some(edit)) = (*multiplier > 1e-2, edits.get_mut(row.node)) else { continue };
                match row.kind {
                    RowKind::Bid => edit.bid = true,
                    RowKind::Ask => edit.ask = true,
                    RowKind::Convex => edit.convex = true,
                    RowKind::Slope => edit.slope = true,
                    RowKind::Calendar => edit.calendar = true,
                }
            }
        }
        let price: Vec<f64> =
            aim.price.iter().zip(&aim.unit).zip(&e).map(|((t, unit), e)| (t + unit * e).max(0.0)).collect();
        let mut solution = Solution { e, edits, status, residual, ..Solution::of_prices(price) };
        publish_puts(frame, &mut solution);
        solution
    }

    /// More attempts, in units no smaller than prices are published in and no neighbours' far apart: from nothing, then
    /// from a point inside the rows.
    fn in_wider_units(
        &mut self,
        frame: &Frame,
        aim: &Aim,
        earlier: &[&Solution],
        settings: &SmoothingSettings,
    ) -> Outcome {
        let most = settings.program_iterations_max;
        let mut outcome = Outcome { status: SolverStatus::MaxIterations, iterations: 0, residual: f64::INFINITY };
        for (least, ratio_min) in WIDE_UNITS {
            let mut unit: Vec<f64> = aim.unit.iter().map(|unit| unit.max(least / frame.currency())).collect();
            even_out(&mut unit, ratio_min);
            let ratio: Vec<f64> = unit.iter().zip(&aim.unit).map(|(wide, own)| wide / own).collect();
            let rows = Program::rescaled(&self.rows, &ratio);
            outcome = self.program.solve(&aim.curvature, &rows, most);
            if outcome.status != SolverStatus::Converged {
                let start: Vec<f64> =
                    inner_start(frame, aim, earlier).iter().zip(&ratio).map(|(e, ratio)| e / ratio).collect();
                outcome = self.program.solve_from(&start, &aim.curvature, &rows, 3 * most);
            }
            for (e, ratio) in self.program.e.iter_mut().zip(&ratio) {
                *e *= ratio;
            }
            if outcome.status == SolverStatus::Converged {
                break;
            }
        }
        outcome
    }

    /// Whether every hard row holds to rounding.
    fn sound(&self, frame: &Frame, solution: &Solution) -> bool {
        let finite = solution.price.iter().all(|price| price.is_finite());
        let floors = self.floors.iter().zip(&solution.puts[1..]).all(|(floor, put)| *put >= floor - 10.0 * SLACK);
        finite && floors && worst_second_difference(frame, &solution.price) > -10.0 * SLACK
    }
}

/// A point inside the hard rows, in units from the aim: the repaired aim, mixed with a lognormal curve above everything.
fn inner_start(frame: &Frame, aim: &Aim, earlier: &[&Solution]) -> Vec<f64> {
    let mut repaired = Solution::of_prices(aim.price.clone());
    repair(frame, &mut repaired, earlier);
    let widest = frame
        .ratio
        .iter()
        .zip(&repaired.price)
        .filter_map(|(ratio, price)| black::implied_stdev(*ratio, price * frame.scale / frame.forward))
        .fold(0.0, f64::max);
    let stdev = 1.25 * widest + 0.05;
    let mixed = repaired.price.iter().enumerate().map(|(i, price)| {
        let above = frame.price(i, stdev / frame.root_time);
        (1.0 - INNER_SHARE) * price + INNER_SHARE * above
    });
    mixed.zip(&aim.price).zip(&aim.unit).map(|((price, aim), unit)| (price - aim) / unit).collect()
}

/// The least second difference of the put curve, as a price; ends included.
fn worst_second_difference(frame: &Frame, price: &[f64]) -> f64 {
    let m = &frame.m;
    let n = m.len();
    let mut worst = price[n - 1].min(price[0]);
    for i in 0..n.saturating_sub(1) {
        let (left, x_left) = if i > 0 { (m[i - 1], price[i - 1]) } else { (frame.zero, 0.0) };
        let (h0, h1) = (m[i] - left, m[i + 1] - m[i]);
        let (a, b) = (h1 / (h0 + h1), h0 / (h0 + h1));
        let kink =
            if left < 1.0 && m[i + 1] > 1.0 { a * offset(left) - offset(m[i]) + b * offset(m[i + 1]) } else { 0.0 };
        worst = worst.min(a * x_left - price[i] + b * price[i + 1] + kink);
    }
    let (left, x_left) = if n > 1 { (m[n - 2], price[n - 2]) } else { (frame.zero, 0.0) };
    let call_drop = (x_left + offset(left)) - (price[n - 1] + offset(m[n - 1])) + m[n - 1] - left;
    worst.min(call_drop)
}

fn publish_puts(frame: &Frame, solution: &mut Solution) {
    solution.places.clear();
    solution.puts.clear();
    solution.places.push(frame.zero);
    solution.puts.push(0.0);
    for (m, price) in frame.m.iter().zip(&solution.price) {
        solution.places.push(*m);
        solution.puts.push(price + offset(*m));
    }
}

/// Replaces prices by the largest convex put curve below `max(price, earlier curves)`, slopes in [0, 1].
///
/// Earlier curves count with their straight chords: a maximum of convex functions, so the hull stays above all of
/// them and a result always exists.
pub(super) fn repair(frame: &Frame, solution: &mut Solution, earlier: &[&Solution]) {
    let n = frame.m.len();
    let mut points = Vec::with_capacity(n + 1);
    points.push((frame.zero, 0.0));
    for (m, price) in frame.m.iter().zip(&solution.price) {
        let price = if price.is_finite() { price.max(0.0) } else { 0.0 };
        let floor = earlier.iter().map(|curve| calendar::chord_value(curve, *m)).fold(0.0, f64::max);
        let put = (price + offset(*m)).min(m - frame.zero).max(floor).max(offset(*m));
        points.push((*m, put));
    }
    // Slopes at most 1 toward higher strikes: lower a put that rises faster than its strike.
    let mut hull: Vec<(f64, f64)> = Vec::with_capacity(n + 1);
    let mut limit = 0.0;
    for (i, (m, put)) in points.iter().enumerate() {
        let put = if i == 0 { *put } else { put.min(limit + (m - points[i - 1].0)) };
        limit = put;
        while hull.len() >= 2 {
            let (a, b) = (hull[hull.len() - 2], hull[hull.len() - 1]);
            if (b.1 - a.1) * (m - b.0) >= (put - b.1) * (b.0 - a.0) {
                hull.pop();
            } else {
                break;
            }
        }
        hull.push((*m, put));
    }
    let mut next = 1;
    for (m, price) in frame.m.iter().zip(&mut solution.price) {
        while next + 1 < hull.len() && hull[next].0 < *m {
            next += 1;
        }
        let (a, b) = (hull[next - 1], hull[next]);
        let put = if b.0 == *m { b.1 } else { a.1 + (b.1 - a.1) * (m - a.0) / (b.0 - a.0) };
        *price = (put - offset(*m)).max(0.0);
    }
    publish_puts(frame, solution);
}
