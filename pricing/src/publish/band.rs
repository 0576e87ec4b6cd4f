//! A positive definite band matrix of weights and rows, and its Cholesky factor.

use super::interior::Terms;

/// `W + A' diag(ratio) A` and its Cholesky factor: row `i` holds columns `i - width ..= i`.
pub(super) struct Band {
    width: usize,
    size: usize,
    cells: Vec<f64>,
    /// What each row of `A` adds to which cell, row by row; a row's entries end at its place in `ends`.
    entries: Vec<(usize, f64)>,
    ends: Vec<usize>,
}

impl Band {
    /// For rows over places below `size`.
    pub(super) fn new(rows: &[Terms], size: usize) -> Self {
        let width = rows.iter().map(Terms::span).max().unwrap_or(0);
        let mut out = Self {
            width,
            size,
            cells: vec![0.0; size * (width + 1)],
            entries: Vec::new(),
            ends: Vec::with_capacity(rows.len()),
        };
        for row in rows {
            for (i, a) in row.known() {
                for (j, b) in row.known().filter(|&(j, _)| j <= i) {
                    out.entries.push((i * (width + 1) + width + j - i, a * b));
                }
            }
            out.ends.push(out.entries.len());
        }
        out
    }

    /// Builds and factors the matrix; `None` where it is not positive definite in floating point.
    pub(super) fn factor(&mut self, inverse_weights: &[f64], ratio: &[f64]) -> Option<()> {
        let (width, stride) = (self.width, self.width + 1);
        self.cells.fill(0.0);
        for (row, v) in self.cells.chunks_exact_mut(stride).zip(inverse_weights) {
            row[width] += 1.0 / v;
        }
        let mut start = 0;
        for (&end, ratio) in self.ends.iter().zip(ratio) {
            for (cell, product) in &self.entries[start..end] {
                self.cells[*cell] += product * ratio;
            }
            start = end;
        }
        for i in 0..self.size {
            let first = i.saturating_sub(width);
            let (above, rest) = self.cells.split_at_mut(i * stride);
            let own = &mut rest[width + first - i..=width];
            for j in first..i {
                let known = j - first;
                let other = &above[j * stride + width - known..=j * stride + width];
                let mut sum = own[known];
                for (a, b) in own[..known].iter().zip(other) {
                    sum -= a * b;
                }
                let value = sum / other[known];
                if !value.is_finite() {
                    return None;
                }
                own[known] = value;
            }
            let (diagonal, before) = own.split_last_mut()?;
            let root = before.iter().fold(*diagonal, |sum, a| sum - a * a).sqrt();
            if !root.is_finite() || root <= 0.0 {
                return None;
            }
            *diagonal = root;
        }
        Some(())
    }

    /// Solves in place with the factor.
    pub(super) fn solve(&self, b: &mut [f64]) {
        let (width, stride) = (self.width, self.width + 1);
        let row = |i: usize| {
            let first = i.saturating_sub(width);
            (first, &self.cells[i * stride + width + first - i..=i * stride + width])
        };
        for i in 0..self.size {
            let (first, cells) = row(i);
            let mut sum = 0.0;
            for (l, x) in cells[..i - first].iter().zip(&b[first..i]) {
                sum += l * x;
            }
            b[i] = (b[i] - sum) / cells[i - first];
        }
        for i in (0..self.size).rev() {
            let (first, cells) = row(i);
            b[i] /= cells[i - first];
            let x = b[i];
            for (l, y) in cells[..i - first].iter().zip(&mut b[first..i]) {
                *y -= l * x;
            }
        }
    }
}
