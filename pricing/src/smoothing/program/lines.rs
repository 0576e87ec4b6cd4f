//! The program's rows by columns, and passes over all of them that vectorise.
//!
//! Where no row stands a slack is one, a multiplier zero and with it the weight, so that no sum and no step hears of it.

use crate::smoothing::row::Row;

/// One number for each place and kind; a hard row's violation is zero and stays so.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines {
    pub bound: Vec<f64>,
    /// `1 / (1 + |bound|)`.
    pub scale: Vec<f64>,
    /// The largest number where a row is hard.
    pub penalty: Vec<f64>,
    /// One where a row is elastic, else zero.
    pub elastic: Vec<f64>,
    pub slack: Vec<f64>,
    pub multiplier: Vec<f64>,
    pub violation: Vec<f64>,
    /// The violation's multiplier, `penalty - multiplier`.
    pub room: Vec<f64>,
    pub primal: Vec<f64>,
    pub weight: Vec<f64>,
    /// Reciprocals of slack, multiplier, violation and room; of the last two zero where a row is hard, all where none is.
    pub inverse_slack: Vec<f64>,
    pub inverse_multiplier: Vec<f64>,
    pub inverse_violation: Vec<f64>,
    pub inverse_room: Vec<f64>,
    pub center_slack: Vec<f64>,
    pub center_violation: Vec<f64>,
    pub step_slack: Vec<f64>,
    /// Before a direction is solved for, what the row asks of it.
    pub step_multiplier: Vec<f64>,
    pub step_violation: Vec<f64>,
    /// What a pass has of each row: products with a vector, or terms of a sum.
    pub terms: Vec<f64>,
}

impl Lines {
    /// No rows on so many places.
    pub(super) fn reset(&mut self, count: usize) {
        for column in [
            &mut self.bound,
            &mut self.scale,
            &mut self.penalty,
            &mut self.elastic,
            &mut self.slack,
            &mut self.multiplier,
            &mut self.violation,
            &mut self.room,
            &mut self.primal,
            &mut self.weight,
            &mut self.inverse_slack,
            &mut self.inverse_multiplier,
            &mut self.inverse_violation,
            &mut self.inverse_room,
            &mut self.center_slack,
            &mut self.center_violation,
            &mut self.step_slack,
            &mut self.step_multiplier,
            &mut self.step_violation,
            &mut self.terms,
        ] {
            column.clear();
            column.resize(count, 0.0);
        }
        self.slack.fill(1.0);
        // What no row asks for, none lacks.
        self.bound.fill(-1.0);
    }
}

/// Columns cut to one length, which the compiler then knows of all.
#[inline(always)]
pub(super) fn cut<const K: usize>(columns: [&Vec<f64>; K], count: usize) -> [&[f64]; K] {
    columns.map(|column| &column[..count])
}

/// Eight sums side by side, in one fixed order.
#[inline(always)]
pub(super) fn sum(values: &[f64]) -> f64 {
    let (blocks, rest) = values.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for block in blocks {
        for (sum, value) in sums.iter_mut().zip(block) {
            *sum += value;
        }
    }
    let [a, b, c, d, e, f, g, h] = sums;
    (((a + e) + (c + g)) + ((b + f) + (d + h))) + rest.iter().sum::<f64>()
}

/// The largest number, at least `least`; what is no number is passed over.
#[inline(always)]
pub(super) fn largest(values: &[f64], least: f64) -> f64 {
    let (blocks, rest) = values.as_chunks::<8>();
    let more = |a: f64, b: f64| if b > a { b } else { a };
    let mut most = [least; 8];
    for block in blocks {
        for (most, value) in most.iter_mut().zip(block) {
            *most = more(*most, *value);
        }
    }
    most.iter().chain(rest).fold(least, |a, b| more(a, *b))
}

/// Where each row stands: in layers, each of which has at most one row beginning at each variable, so that products with
/// vectors need no indices; what would leave a layer mostly empty stands loose behind them.
#[derive(Clone, Debug, Default)]
pub(super) struct Layout {
    /// Variables.
    count: usize,
    /// Of each layer whether a row of it spans more than one variable.
    wide: Vec<bool>,
    /// Coefficients by place; zeros where no row stands.
    coefficients: [Vec<f64>; 3],
    /// First variables of the loose rows.
    loose: Vec<u32>,
    /// Each row's place.
    pub places: Vec<u32>,
    /// Scratch: rows by their first variable and by layer, then bands.
    taken: Vec<u32>,
    filled: Vec<usize>,
    bands: [Vec<f64>; 3],
}

/// A layer is filled to one part in so many at least.
const LAYER_SHARE: usize = 4;

impl Layout {
    /// Lays the rows out; returns the number of places.
    pub(super) fn arrange(&mut self, count: usize, rows: &[Row]) -> usize {
        self.count = count;
        self.taken.clear();
        self.taken.resize(count, 0);
        self.places.clear();
        let filled = &mut self.filled;
        filled.clear();
        for row in rows {
            let layer = self.taken.get_mut(row.first).map_or(0, |taken| {
                *taken += 1;
                *taken as usize - 1
            });
            filled.resize(filled.len().max(layer + 1), 0);
            filled[layer] += 1;
            self.places.push(layer as u32);
        }
        // Later layers are never fuller than earlier ones.
        let layers = filled.iter().take_while(|filled| **filled * LAYER_SHARE >= count).count();
        let loose = rows.len() - filled.iter().take(layers).sum::<usize>();
        let total = layers * count + loose;
        for column in &mut self.coefficients {
            column.clear();
            column.resize(total, 0.0);
        }
        self.wide.clear();
        self.wide.resize(layers, false);
        self.loose.clear();
        for (row, place) in rows.iter().zip(&mut self.places) {
            let layer = *place as usize;
            if let Some(wide) = self.wide.get_mut(layer) {
                *wide |= row.coefficients[1] != 0.0 || row.coefficients[2] != 0.0;
                *place = (layer * count + row.first) as u32;
            } else {
                *place = (layers * count + self.loose.len()) as u32;
                self.loose.push(row.first as u32);
            }
            for (column, coefficient) in self.coefficients.iter_mut().zip(row.coefficients) {
                column[*place as usize] = coefficient;
            }
        }
        total
    }

    /// Whether each layer is wide, and the range of its places.
    #[inline(always)]
    fn layers(&self) -> impl Iterator<Item = (bool, std::ops::Range<usize>)> {
        self.wide.iter().enumerate().map(|(layer, wide)| (*wide, layer * self.count..(layer + 1) * self.count))
    }

    /// Each loose row's place and first variable.
    #[inline(always)]
    fn loose(&self) -> impl Iterator<Item = (usize, usize)> {
        let places = self.wide.len() * self.count..;
        places.zip(self.loose.iter().map(|first| *first as usize))
    }

    /// Each row's product with a vector behind which two zeros stand.
    #[inline(always)]
    pub(super) fn products(&self, x: &[f64], out: &mut [f64]) {
        let [a, b, c] = &self.coefficients;
        let n = self.count;
        for (wide, places) in self.layers() {
            let (a, b, c) = (&a[places.clone()][..n], &b[places.clone()][..n], &c[places.clone()][..n]);
            let (x0, x1, x2) = (&x[..n], &x[1..][..n], &x[2..][..n]);
            let out = &mut out[places][..n];
            if wide {
                for i in 0..n {
                    out[i] = a[i] * x0[i] + b[i] * x1[i] + c[i] * x2[i];
                }
            } else {
                for i in 0..n {
                    out[i] = a[i] * x0[i];
                }
            }
        }
        for (place, first) in self.loose() {
            out[place] = a[place] * x[first] + b[place] * x[first + 1] + c[place] * x[first + 2];
        }
    }

    /// Adds all rows, each times its factor, to a vector with two places behind it.
    #[inline(always)]
    pub(super) fn gather(&self, factors: &[f64], out: &mut [f64]) {
        let [a, b, c] = &self.coefficients;
        for (wide, places) in self.layers() {
            let factors = &factors[places.clone()];
            add_products(&a[places.clone()], factors, out);
            if wide {
                add_products(&b[places.clone()], factors, &mut out[1..]);
                add_products(&c[places], factors, &mut out[2..]);
            }
        }
        for (place, first) in self.loose() {
            out[first] += a[place] * factors[place];
            out[first + 1] += b[place] * factors[place];
            out[first + 2] += c[place] * factors[place];
        }
    }

    /// The diagonal and the two bands above it of a diagonal matrix plus all rows' squares, each times its weight.
    #[inline(always)]
    pub(super) fn squares(&mut self, diagonal: &[f64], weights: &[f64], out: &mut [[f64; 3]]) {
        let mut bands = std::mem::take(&mut self.bands);
        for band in &mut bands {
            band.clear();
            band.resize(self.count + 2, 0.0);
        }
        let [own, next, after] = &mut bands;
        let [a, b, c] = &self.coefficients;
        own[..self.count].copy_from_slice(&diagonal[..self.count]);
        for (wide, places) in self.layers() {
            let weights = &weights[places.clone()];
            let (a, b, c) = (&a[places.clone()], &b[places.clone()], &c[places]);
            add_weighed(a, a, weights, own);
            if wide {
                add_weighed(b, b, weights, &mut own[1..]);
                add_weighed(c, c, weights, &mut own[2..]);
                add_weighed(a, b, weights, next);
                add_weighed(b, c, weights, &mut next[1..]);
                add_weighed(a, c, weights, after);
            }
        }
        for (place, first) in self.loose() {
            let (a, b, c, weight) = (a[place], b[place], c[place], weights[place]);
            own[first] += weight * (a * a);
            own[first + 1] += weight * (b * b);
            own[first + 2] += weight * (c * c);
            next[first] += weight * (a * b);
            next[first + 1] += weight * (b * c);
            after[first] += weight * (a * c);
        }
        for (out, ((own, next), after)) in out.iter_mut().zip(own.iter().zip(&*next).zip(&*after)) {
            *out = [*own, *next, *after];
        }
        self.bands = bands;
    }
}

#[inline(always)]
fn add_products(a: &[f64], b: &[f64], out: &mut [f64]) {
    for ((out, a), b) in out.iter_mut().zip(a).zip(b) {
        *out += a * b;
    }
}

#[inline(always)]
fn add_weighed(a: &[f64], b: &[f64], weights: &[f64], out: &mut [f64]) {
    for (((out, a), b), weight) in out.iter_mut().zip(a).zip(b).zip(weights) {
        *out += weight * (a * b);
    }
}
