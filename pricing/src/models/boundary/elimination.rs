//! Gauss's elimination for the few unknowns of a boundary.

use super::rules::BOUNDARY_NODES_MAX;
use super::solver::NodeValues;

/// A square matrix, and its factors once they are made.
#[derive(Clone, Debug)]
pub(super) struct Matrix {
    /// Row by row; below the diagonal the multiples of earlier rows that were taken off.
    pub(super) rows: Vec<f64>,
    /// The row that each step exchanged its own with.
    exchanged: [usize; BOUNDARY_NODES_MAX],
    size: usize,
}

impl Matrix {
    /// Of nothing but zeros; of at most [`BOUNDARY_NODES_MAX`] rows.
    pub(super) fn new(size: usize) -> Self {
        let size = size.min(BOUNDARY_NODES_MAX);
        Self { rows: vec![0.0; size * size], exchanged: [0; BOUNDARY_NODES_MAX], size }
    }

    /// Puts the factors in the place of the matrix, with the largest pivot of each column.
    pub(super) fn factor(&mut self) {
        let n = self.size;
        for (p, exchanged) in self.exchanged.iter_mut().enumerate().take(n) {
            let best = largest(&self.rows, n, p);
            *exchanged = best;
            if best > p {
                let (above, below) = self.rows.split_at_mut(best * n);
                above.iter_mut().skip(p * n).zip(below).take(n).for_each(|(a, b)| std::mem::swap(a, b));
            }
            let (above, below) = self.rows.split_at_mut((p + 1) * n);
            let Some((lead, pivot)) = above.get(p * n + p..).and_then(<[f64]>::split_first) else { return };
            let inverse = 1.0 / lead;
            for row in below.chunks_exact_mut(n) {
                let Some((lead, row)) = row.get_mut(p..).and_then(<[f64]>::split_first_mut) else { return };
                *lead *= inverse;
                row.iter_mut().zip(pivot).for_each(|(a, b)| *a -= *lead * b);
            }
        }
    }

    /// The solution of the equations of a matrix that was factored; not finite where there is none.
    pub(super) fn solve(&self, mut right: NodeValues) -> NodeValues {
        let n = self.size;
        for (p, best) in self.exchanged.iter().enumerate().take(n) {
            right.swap(p, *best);
        }
        for (p, row) in self.rows.chunks_exact(n).enumerate() {
            let (before, rest) = right.split_at_mut(p);
            if let Some(own) = rest.first_mut() {
                *own -= row.iter().zip(before).map(|(a, x)| *a * *x).sum::<f64>();
            }
        }
        for (p, row) in self.rows.chunks_exact(n).enumerate().rev() {
            let (Some([lead, row @ ..]), Some([own, after @ ..])) = (row.get(p..), right.get_mut(p..)) else { break };
            *own = (*own - row.iter().zip(after).map(|(a, x)| *a * *x).sum::<f64>()) / lead;
        }
        right
    }
}

/// The row from `p` on with the largest number in column `p`.
fn largest(rows: &[f64], n: usize, p: usize) -> usize {
    let sizes = rows.iter().skip(p * n + p).step_by(n).map(|x| x.abs());
    let (best, _) = sizes.zip(p..).fold((p, 0.0), |best, (size, at)| if size > best.1 { (at, size) } else { best });
    best
}

#[cfg(test)]
mod tests {
    use super::Matrix;

    #[test]
    fn solves_what_needs_its_rows_exchanged() {
        let rows = [[0.0, 2.0, -1.0], [3.0, 1e-9, 4.0], [1.0, 1.0, 1.0]];
        let mut matrix = Matrix::new(3);
        matrix.rows.copy_from_slice(rows.as_flattened());
        matrix.factor();
        for wanted in [[1.5, -2.0, 0.25], [0.0, 1e3, -7.0]] {
            let mut right = [0.0; 20];
            for (right, row) in right.iter_mut().zip(&rows) {
                *right = row.iter().zip(&wanted).map(|(a, x)| a * x).sum();
            }
            for (found, wanted) in matrix.solve(right).iter().zip(wanted) {
                assert!((found - wanted).abs() < 1e-12, "{found} {wanted}");
            }
        }
        let mut none = Matrix::new(3);
        none.rows.fill(1.0);
        none.factor();
        assert!(none.solve([1.0; 20]).iter().take(3).any(|x| !x.is_finite()));
    }
}
