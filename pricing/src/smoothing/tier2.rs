//! Tier 2 of one slice: its quadratic program above all earlier expiries, and what holds where that fails.

use super::aim::{Aim, even_out, relax};
use super::calendar::{self, ChordRow};
use super::frame::Frame;
use super::optima::Optima;
use super::program::{Outcome, Program};
use super::repair::{inner_start, repair, worst_second_difference};
use super::row::{Row, RowKind, rescaled};
use super::rows::{chord_row, own_rows, row};
use crate::settings::SmoothingSettings;
use crate::vocabulary::SolverStatus;

/// Rounds of adding calendar rows that the last solution broke.
const CUT_ROUNDS: u32 = 6;
/// Least unit (currency per share) and least ratio of the units of neighbours, of each further attempt.
const WIDE_UNITS: [(f64, f64); 2] = [(1e-5, 0.3), (1e-3, 0.6)];
/// What a chord may pass below an earlier price, once its row is in the program; of the forward.
const CHORD_SLACK: f64 = 1e-10;
/// What is no violation; of the forward.
const SLACK: f64 = 1e-14;

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
    pub(super) fn of_prices(price: Vec<f64>) -> Self {
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

    /// What later expiries see.
    pub(super) fn publish_puts(&mut self, frame: &Frame) {
        self.places.clear();
        self.puts.clear();
        self.places.push(frame.zero);
        self.puts.push(0.0);
        for (m, price) in frame.m.iter().zip(&self.price) {
            self.places.push(*m);
            self.puts.push(price + offset(*m));
        }
    }
}

/// Exercise value of the call, what turns an out-of-the-money price into a put: `put = x + max(m - 1, 0)`... and back.
pub(super) fn offset(m: f64) -> f64 {
    (m - 1.0).max(0.0)
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
    /// Solves one slice above all `earlier` solutions (empty where no calendar ties it); `optima` are its own of the round
    /// before.
    pub(super) fn solve(
        &mut self,
        frame: &Frame,
        aim: &Aim,
        bands: &[Band],
        earlier: &[&Solution],
        optima: &mut Optima,
        settings: &SmoothingSettings,
    ) -> Solution {
        optima.rewind();
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
        let mut solution = self.optimum(frame, &lifted, earlier, optima, settings);
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
            solution = self.optimum(frame, &lifted, earlier, optima, settings);
        }
        // A chord's row may be there and yet be broken, by what the program left.
        holds &= self.chords.iter().all(|chord| chord.deficit(&solution) <= CHORD_SLACK);
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
            trial.publish_puts(frame);
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

    fn optimum(
        &mut self,
        frame: &Frame,
        aim: &Aim,
        earlier: &[&Solution],
        optima: &mut Optima,
        settings: &SmoothingSettings,
    ) -> Solution {
        if let Some(known) = optima.recall(aim, &self.rows) {
            return known;
        }
        let n = frame.m.len();
        let mut repeatable = true;
        let mut edits = vec![Edits::default(); n];
        let (mut e, mut status, mut residual) = (vec![0.0; n], SolverStatus::Converged, 0.0);
        if self.rows.iter().any(|row| row.bound > 0.0) {
            let most = settings.program_iterations_max;
            let mut outcome = self.program.solve(&aim.curvature, &self.rows, most);
            if outcome.status != SolverStatus::Converged {
                // The start inside the rows depends on more than aim and rows.
                repeatable = false;
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
        solution.publish_puts(frame);
        if repeatable {
            optima.keep(aim, &self.rows, &solution);
        } else {
            optima.forget();
        }
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
            let rows = rescaled(&self.rows, &ratio);
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
