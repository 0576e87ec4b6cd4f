//! Symmetric positive definite systems with two bands beside the diagonal, in O(n) and without allocation once sized.

/// A pentadiagonal matrix, its factors `L D L^T` and the central bands of its inverse.
///
/// # Source
/// Bands of the inverse: Hutchinson and de Hoog (1985), Smoothing noisy data with spline functions.
#[derive(Clone, Debug, Default)]
pub(super) struct Pentadiagonal {
    /// Diagonal and the two bands above it: entries (i, i), (i, i+1), (i, i+2).
    pub bands: Vec<[f64; 3]>,
    /// The pivot's inverse and the two entries of L below it, column by column.
    factors: Vec<[f64; 3]>,
}

impl Pentadiagonal {
    /// Makes the matrix zero with `n` rows.
    pub(super) fn reset(&mut self, n: usize) {
        self.bands.clear();
        self.bands.resize(n, [0.0; 3]);
        self.factors.clear();
        self.factors.resize(n, [0.0; 3]);
    }

    /// Factors the matrix; false where a pivot is not positive or not finite.
    pub(super) fn factor(&mut self) -> bool {
        self.factor_above(0.0)
    }

    /// Factors the matrix with pivots no smaller than a share of the diagonal: what cancels to less is rounding.
    pub(super) fn factor_above(&mut self, share: f64) -> bool {
        // Entries of L times the pivot, of the last column and of the one before.
        let (mut last, mut before) = ([0.0_f64; 2], [0.0_f64; 2]);
        let (mut inverse_last, mut inverse_before) = (0.0, 0.0);
        for (bands, factors) in self.bands.iter().zip(&mut self.factors) {
            // The longest chain from pivot to pivot is a division, a product and a difference.
            let settled = bands[0] - before[1] * before[1] * inverse_before;
            let pivot = settled - last[0] * last[0] * inverse_last;
            let pivot = if share > 0.0 { pivot.max(share * bands[0]) } else { pivot };
            if !(pivot > 0.0 && pivot.is_finite()) {
                return false;
            }
            let beside = bands[1] - last[0] * last[1] * inverse_last;
            let inverse = 1.0 / pivot;
            *factors = [inverse, beside * inverse, bands[2] * inverse];
            (before, last) = (last, [beside, bands[2]]);
            (inverse_before, inverse_last) = (inverse_last, inverse);
        }
        true
    }

    /// Solves in place with the factors.
    pub(super) fn solve(&self, x: &mut [f64]) {
        let (mut before, mut last) = ([0.0_f64; 3], [0.0_f64; 3]);
        let (mut x_before, mut x_last) = (0.0, 0.0);
        for (value, factors) in x.iter_mut().zip(&self.factors) {
            *value = (*value - before[2] * x_before) - last[1] * x_last;
            (x_before, x_last) = (x_last, *value);
            (before, last) = (last, *factors);
        }
        let (mut x_next, mut x_after) = (0.0, 0.0);
        for (value, factors) in x.iter_mut().zip(&self.factors).rev() {
            *value = (*value * factors[0] - factors[2] * x_after) - factors[1] * x_next;
            (x_next, x_after) = (*value, x_next);
        }
    }

    /// The entries (i, i), (i, i+1), (i, i+2) of the inverse.
    pub(super) fn inverse_bands(&self, inverse: &mut Vec<[f64; 3]>) {
        inverse.clear();
        inverse.resize(self.factors.len(), [0.0; 3]);
        let (mut next, mut after) = ([0.0_f64; 3], [0.0_f64; 3]);
        for (out, factors) in inverse.iter_mut().zip(&self.factors).rev() {
            let second = -factors[1] * next[1] - factors[2] * after[0];
            let first = -factors[1] * next[0] - factors[2] * next[1];
            *out = [factors[0] - factors[1] * first - factors[2] * second, first, second];
            (next, after) = (*out, next);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Pentadiagonal;

    #[test]
    fn solution_and_inverse_agree_with_multiplication() {
        let n = 9;
        let mut matrix = Pentadiagonal::default();
        matrix.reset(n);
        for (i, bands) in matrix.bands.iter_mut().enumerate() {
            *bands = [6.0 + i as f64, -2.0 + 0.1 * i as f64, 0.5];
        }
        let entry = |i: usize, j: usize| {
            let (low, gap) = (i.min(j), i.abs_diff(j));
            if gap < 3 { matrix.bands[low][gap] } else { 0.0 }
        };
        let mut factored = matrix.clone();
        assert!(factored.factor());
        let mut inverse = Vec::new();
        factored.inverse_bands(&mut inverse);
        for column in 0..n {
            let mut x = vec![0.0; n];
            x[column] = 1.0;
            factored.solve(&mut x);
            for i in 0..n {
                let product: f64 = (0..n).map(|j| entry(i, j) * x[j]).sum();
                assert!((product - f64::from(u8::from(i == column))).abs() < 1e-13);
            }
            for gap in 0..3.min(n - column) {
                assert!((inverse[column][gap] - x[column + gap]).abs() < 1e-14);
            }
        }
    }

    #[test]
    fn a_matrix_that_is_not_positive_is_refused() {
        let mut matrix = Pentadiagonal::default();
        matrix.reset(2);
        matrix.bands[0] = [1.0, 2.0, 0.0];
        matrix.bands[1] = [1.0, 0.0, 0.0];
        assert!(!matrix.factor());
    }
}
