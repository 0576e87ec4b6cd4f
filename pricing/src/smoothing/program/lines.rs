//! The program's rows by columns, and passes over all of them that vectorise.

use crate::smoothing::row::Row;

/// One number for each row and kind; a hard row's violation is zero and stays so.
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
    /// Reciprocals of the four above; of violation and room zero where a row is hard.
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
    /// All zeros for so many rows.
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

/// For each place of a vector the rows that bear on it: sums over rows without writing to one place again and again.
#[derive(Clone, Debug, Default)]
pub(super) struct Incidence {
    /// Where each place's entries end; they begin where those of the place before do.
    ends: Vec<u32>,
    entries: Vec<(u32, f64)>,
}

impl Incidence {
    /// From the place, the row and the factor of each entry; places are below `count`, order within a place is kept.
    pub(super) fn build(&mut self, count: usize, of: impl Fn(&mut dyn FnMut(usize, usize, f64))) {
        self.ends.clear();
        self.ends.resize(count, 0);
        let ends = &mut self.ends;
        of(&mut |place, _, _| {
            if let Some(end) = ends.get_mut(place) {
                *end += 1;
            }
        });
        let mut total = 0;
        for end in &mut self.ends {
            (*end, total) = (total, total + *end);
        }
        self.entries.clear();
        self.entries.resize(total as usize, (0, 0.0));
        let (ends, entries) = (&mut self.ends, &mut self.entries);
        of(&mut |place, row, factor| {
            if let Some(end) = ends.get_mut(place)
                && let Some(entry) = entries.get_mut(*end as usize)
            {
                *entry = (row as u32, factor);
                *end += 1;
            }
        });
    }

    /// Hands on the entries of each place, first place first.
    #[inline(always)]
    pub(super) fn places(&self) -> impl Iterator<Item = &[(u32, f64)]> {
        let mut begin = 0;
        self.ends.iter().map(move |end| {
            let entries = self.entries.get(begin..*end as usize).unwrap_or_default();
            begin = *end as usize;
            entries
        })
    }
}

/// `sum_r factor_r values_r` over one place's entries.
#[inline(always)]
pub(super) fn weighed(entries: &[(u32, f64)], values: &[f64]) -> f64 {
    let mut sums = [0.0; 2];
    let (pairs, rest) = entries.as_chunks::<2>();
    for [(r, f), (s, g)] in pairs {
        sums[0] += f * values[*r as usize];
        sums[1] += g * values[*s as usize];
    }
    for (r, f) in rest {
        sums[0] += f * values[*r as usize];
    }
    sums[0] + sums[1]
}

/// Each row's product with a vector behind which two zeros stand.
#[inline(always)]
pub(super) fn products(shapes: &[(u32, [f64; 3])], x: &[f64], out: &mut [f64]) {
    for ((first, [a, b, c]), out) in shapes.iter().zip(out) {
        let first = *first as usize;
        let [x0, x1, x2] = x[first..first + 3] else { continue };
        *out = a * x0 + b * x1 + c * x2;
    }
}

/// Where each row begins, and its coefficients.
pub(super) fn shapes(rows: &[Row], out: &mut Vec<(u32, [f64; 3])>) {
    out.clear();
    out.extend(rows.iter().map(|row| (row.first as u32, row.coefficients)));
}
