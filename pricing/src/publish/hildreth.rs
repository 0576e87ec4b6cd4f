//! Weighted least squares under sparse inequalities, by Hildreth's method on the rows that matter.
//!
//! # Source
//! Hildreth (1957), "A quadratic programming procedure"; the over-relaxed form is projected successive
//! over-relaxation on the dual (Cryer 1971).

use super::rows::Row;

/// The nearest point and how it was reached.
pub(crate) struct Solution {
    /// Sweeps over the rows at hand.
    pub(crate) sweeps: u32,
    /// Largest violation left.
    pub(crate) residual: f64,
    /// One multiplier per row: the row moved each of its premiums by multiplier, coefficient and inverse weight.
    pub(crate) multipliers: Vec<f64>,
}

/// Visits per row after which what is left is wide, and left to a method that suits it.
const VISITS_PER_ROW: usize = 1;
/// Small classes may take this many in any case.
const VISITS_MIN: usize = 10_000;
/// Plain steps settle isolated violations at once; wide ones profit from over-relaxation.
const PLAIN_SWEEPS: u32 = 24;
const RELAXATION: f64 = 1.85;

/// Moves `x` to the point nearest in `sum (dx)^2 / inverse_weight` that satisfies all rows to `tolerance`.
///
/// A row is visited only while it is violated, or pushes without need; visiting touches the rows of its premiums.
pub(crate) fn project(
    rows: &[Row],
    inverse_weights: &[f64],
    x: &mut [f64],
    tolerance: f64,
    sweeps_max: u32,
) -> Solution {
    let mut multipliers = vec![0.0; rows.len()];
    let mut current: Vec<usize> = (0..rows.len()).filter(|&r| excess(rows, r, x) > tolerance).collect();
    if current.is_empty() {
        return Solution { sweeps: 0, residual: largest_excess(rows, x), multipliers };
    }
    let touching = Touching::new(rows, x.len());
    let mut queued = vec![false; rows.len()];
    let mut next = Vec::new();
    let mut sweeps = 0;
    let mut visits_left = VISITS_MIN + VISITS_PER_ROW * rows.len();
    while !current.is_empty() && sweeps < sweeps_max && visits_left > 0 {
        sweeps += 1;
        visits_left = visits_left.saturating_sub(current.len());
        let relaxation = if sweeps <= PLAIN_SWEEPS { 1.0 } else { RELAXATION };
        for &r in &current {
            let (Some(row), Some(multiplier)) = (rows.get(r), multipliers.get_mut(r)) else { continue };
            let curvature: f64 = row.terms().map(|(n, c)| c * c * inverse_weights.get(n).copied().unwrap_or(0.0)).sum();
            let step = (relaxation * row.excess(x) / curvature).max(-*multiplier);
            if !step.is_finite() || step == 0.0 {
                continue;
            }
            *multiplier += step;
            for (n, c) in row.terms() {
                if let (Some(value), Some(v)) = (x.get_mut(n), inverse_weights.get(n)) {
                    *value -= v * c * step;
                }
            }
            for (n, _) in row.terms() {
                for &other in touching.rows_of(n) {
                    if let Some(flag) = queued.get_mut(other)
                        && !*flag
                    {
                        *flag = true;
                        next.push(other);
                    }
                }
            }
        }
        for &r in &next {
            if let Some(flag) = queued.get_mut(r) {
                *flag = false;
            }
        }
        current.clear();
        current.extend(next.drain(..).filter(|&r| {
            let e = excess(rows, r, x);
            e > tolerance || (e < -tolerance && multipliers.get(r).is_some_and(|&m| m > 0.0))
        }));
        current.sort_unstable();
    }
    Solution { sweeps, residual: largest_excess(rows, x), multipliers }
}

fn excess(rows: &[Row], r: usize, x: &[f64]) -> f64 {
    rows.get(r).map_or(0.0, |row| row.excess(x))
}

pub(crate) fn largest_excess(rows: &[Row], x: &[f64]) -> f64 {
    rows.iter().map(|row| row.excess(x)).fold(0.0, f64::max)
}

/// For each premium the rows it stands in.
struct Touching {
    starts: Vec<usize>,
    rows: Vec<usize>,
}

impl Touching {
    fn new(rows: &[Row], node_count: usize) -> Self {
        let mut starts = vec![0; node_count + 1];
        for (n, _) in rows.iter().flat_map(Row::terms) {
            if let Some(count) = starts.get_mut(n + 1) {
                *count += 1;
            }
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        let mut place = starts.clone();
        let mut list = vec![0; sum];
        for (r, row) in rows.iter().enumerate() {
            for (n, _) in row.terms() {
                if let Some(at) = place.get_mut(n) {
                    if let Some(slot) = list.get_mut(*at) {
                        *slot = r;
                    }
                    *at += 1;
                }
            }
        }
        Self { starts, rows: list }
    }

    fn rows_of(&self, node: usize) -> &[usize] {
        match (self.starts.get(node), self.starts.get(node + 1)) {
            (Some(&start), Some(&end)) => self.rows.get(start..end).unwrap_or(&[]),
            _ => &[],
        }
    }
}
