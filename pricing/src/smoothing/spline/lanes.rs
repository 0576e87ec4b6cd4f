//! Fits with several lambdas side by side: recurrences wait for each other's divisions, lanes do not.

use multiversion::multiversion;

use super::{SmoothingSpline, SplineFit};

/// Lambdas fitted side by side.
pub(in crate::smoothing) const LANES: usize = 16;

type Lane = [f64; LANES];

const ZERO: Lane = [0.0; LANES];

/// Scratch space of [`SmoothingSpline::figures`].
#[derive(Clone, Debug, Default)]
pub(super) struct Lanes {
    factors: Vec<[Lane; 3]>,
    gamma: Vec<Lane>,
    inverse: Vec<[Lane; 3]>,
}

/// Which lanes are positive definite, and the figures of each.
///
/// The host chooses the width of the instructions; every lane's operations, and with them the bits, are the same.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
fn fitted(spline: &SmoothingSpline, space: &mut Lanes, weights: &[f64], lambda: Lane) -> ([bool; LANES], Lane, Lane) {
    let sound = spline.factor(space, lambda);
    spline.invert(space);
    let (residual, freedom) = spline.sums(space, weights, lambda);
    (sound, residual, freedom)
}

#[inline(always)]
fn lanes(of: impl Fn(usize) -> f64) -> Lane {
    let mut out = ZERO;
    for (l, value) in out.iter_mut().enumerate() {
        *value = of(l);
    }
    out
}

impl SmoothingSpline {
    /// The figures of [`SmoothingSpline::fit`] for each lambda, bit for bit; the curves are not kept.
    pub(in crate::smoothing) fn figures(&mut self, weights: &[f64], lambda: Lane) -> [Option<SplineFit>; LANES] {
        let mut space = std::mem::take(&mut self.lanes);
        let (sound, residual, freedom) = fitted(self, &mut space, weights, lambda);
        self.lanes = space;
        std::array::from_fn(|l| {
            let fit = SplineFit { residual: residual[l], degrees_of_freedom: freedom[l] };
            (sound[l] && residual[l].is_finite() && freedom[l].is_finite()).then_some(fit)
        })
    }

    /// `L D L^T` of each lane's matrix with the first half of the solution, behind two zeros; says which lanes are
    /// positive definite.
    #[inline(always)]
    fn factor(&self, space: &mut Lanes, lambda: Lane) -> [bool; LANES] {
        let inner = self.rough.len();
        space.factors.clear();
        space.gamma.clear();
        space.gamma.extend([ZERO; 2]);
        // Negative where a pivot was none.
        let mut least = [1.0; LANES];
        let (mut before, mut last) = ([ZERO; 3], [ZERO; 3]);
        let (mut beside_last, mut beside_before) = ([ZERO; 2], ZERO);
        let (mut x_before, mut x_last) = (ZERO, ZERO);
        for (j, ((rough, target), gaps)) in self.rough.iter().zip(&self.target).zip(self.gaps.windows(2)).enumerate() {
            let (base, beside) = ((gaps[0] + gaps[1]) / 3.0, gaps[1] / 6.0);
            let is_last = j + 1 == inner;
            let pivot = lanes(|l| {
                let settled = base + lambda[l] * rough[0] - beside_before[l] * beside_before[l] * before[0][l];
                settled - beside_last[0][l] * beside_last[0][l] * last[0][l]
            });
            let first = lanes(|l| {
                let band = if is_last { 0.0 } else { beside + lambda[l] * rough[1] };
                band - beside_last[0][l] * beside_last[1][l] * last[0][l]
            });
            let second = lanes(|l| lambda[l] * rough[2]);
            let inverse = lanes(|l| 1.0 / pivot[l]);
            let x = lanes(|l| (target - before[2][l] * x_before[l]) - last[1][l] * x_last[l]);
            least = lanes(|l| if (pivot[l] > 0.0) & (pivot[l] <= f64::MAX) { least[l] } else { -1.0 });
            before = last;
            last = [inverse, lanes(|l| first[l] * inverse[l]), lanes(|l| second[l] * inverse[l])];
            (beside_before, beside_last) = (beside_last[1], [first, second]);
            (x_before, x_last) = (x_last, x);
            space.factors.push(last);
            space.gamma.push(x);
        }
        least.map(|least| least > 0.0)
    }

    /// The second half of the solution, and the central bands of the inverse; both between two zeros at either end.
    #[inline(always)]
    fn invert(&self, space: &mut Lanes) {
        let inner = space.factors.len();
        space.inverse.clear();
        space.inverse.resize(inner + 4, [ZERO; 3]);
        let (mut next, mut after) = ([ZERO; 3], [ZERO; 3]);
        let (mut x_next, mut x_after) = (ZERO, ZERO);
        let inverse = space.inverse.get_mut(2..inner + 2).unwrap_or(&mut []);
        let gamma = space.gamma.get_mut(2..).unwrap_or(&mut []);
        for ((x, factors), out) in gamma.iter_mut().zip(&space.factors).zip(inverse).rev() {
            *x = lanes(|l| (x[l] * factors[0][l] - factors[2][l] * x_after[l]) - factors[1][l] * x_next[l]);
            let second = lanes(|l| -factors[1][l] * next[1][l] - factors[2][l] * after[0][l]);
            let first = lanes(|l| -factors[1][l] * next[0][l] - factors[2][l] * next[1][l]);
            let diagonal = lanes(|l| factors[0][l] - factors[1][l] * first[l] - factors[2][l] * second[l]);
            *out = [diagonal, first, second];
            (next, after) = (*out, next);
            (x_next, x_after) = (*x, x_next);
        }
        space.gamma.extend([ZERO; 2]);
    }

    /// Weighted sum of squared residuals and trace of the hat matrix.
    #[inline(always)]
    fn sums(&self, space: &Lanes, weights: &[f64], lambda: Lane) -> (Lane, Lane) {
        let inner = self.rough.len();
        let (mut residual, mut freedom) = (ZERO, ZERO);
        let windows = space.gamma.windows(3).zip(space.inverse.windows(3));
        for (i, ((gamma, inverse), weight)) in windows.zip(weights).enumerate() {
            let inverse_weight = 1.0 / weight;
            let before = if i >= 2 { 1.0 / self.gaps[i - 1] } else { 0.0 };
            let middle = if i >= 1 && i <= inner { -1.0 / self.gaps[i - 1] - 1.0 / self.gaps[i] } else { 0.0 };
            let after = if i < inner { 1.0 / self.gaps[i] } else { 0.0 };
            let [of_before, of_middle, of_after] = inverse else { continue };
            for l in 0..LANES {
                let bend = before * gamma[0][l] + middle * gamma[1][l] + after * gamma[2][l];
                let form = before * before * of_before[0][l]
                    + 2.0 * before * (middle * of_before[1][l] + after * of_before[2][l])
                    + (middle * middle * of_middle[0][l] + 2.0 * middle * after * of_middle[1][l])
                    + after * after * of_after[0][l];
                let miss = lambda[l] * bend * inverse_weight;
                let leave = (lambda[l] * form * inverse_weight).clamp(1e-9, 1.0);
                residual[l] += weight * miss * miss;
                freedom[l] += 1.0 - leave;
            }
        }
        (residual, freedom)
    }
}
