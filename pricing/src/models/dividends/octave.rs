//! Interpolation in volatility: fixed nodes in each octave, so that few sweeps serve every volatility of the octave
//! and no result depends on which was asked for first.

use crate::math::{exp, ln};

const LN_2: f64 = std::f64::consts::LN_2;
/// The lowest octave begins at `2^-11`, 0.05 % of volatility.
pub(crate) const OCTAVE_MIN: i32 = -11;
/// The highest octave ends at 16, 1,600 % of volatility.
pub(crate) const OCTAVE_MAX: i32 = 3;

/// Volatilities per octave.
pub(crate) const NODES: usize = 4;

/// `cos(pi k / 3)`: the extremal Chebyshev nodes, and the transform between values there and coefficients.
const COSINES: [f64; NODES] = [1.0, 0.5, -0.5, -1.0];

/// A place on the volatility axis.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) octave: i32,
    /// Between -1 and 1 inside the octave, linear in `ln sigma`.
    x: f64,
    /// `dx/dsigma`.
    slope: f64,
}

/// Where a volatility lies; below the lowest octave its lower end, above the highest `None`.
pub(crate) fn place(sigma: f64) -> Option<Place> {
    if !(sigma > 0.0 && sigma.is_finite()) {
        return None;
    }
    let position = (ln(sigma) / LN_2).max(f64::from(OCTAVE_MIN));
    if position > f64::from(OCTAVE_MAX + 1) {
        return None;
    }
    let octave = (position.floor() as i32).clamp(OCTAVE_MIN, OCTAVE_MAX);
    Some(Place { octave, x: 2.0 * (position - f64::from(octave)) - 1.0, slope: 2.0 / (LN_2 * sigma) })
}

/// An end of an octave, in that octave's own coordinate.
pub(crate) fn end(octave: i32, sigma: f64, upper: bool) -> Place {
    Place { octave, x: if upper { 1.0 } else { -1.0 }, slope: 2.0 / (LN_2 * sigma) }
}

/// `2^octave`, the octave's lower end.
pub(crate) fn lower_end(octave: i32) -> f64 {
    libm::ldexp(1.0, octave)
}

/// The octave's nodes, descending, both ends among them.
pub(crate) fn nodes(octave: i32) -> [f64; NODES] {
    let mut sigmas = [0.0; NODES];
    for (sigma, x) in sigmas.iter_mut().zip(COSINES) {
        *sigma = lower_end(octave) * exp(0.5 * (x + 1.0) * LN_2);
    }
    sigmas
}

/// A function of volatility on one octave, by its Chebyshev coefficients in `ln sigma`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Interpolant([f64; NODES]);

impl Interpolant {
    /// Through the values at [`nodes`].
    pub(crate) fn through(values: &[f64; NODES]) -> Self {
        const LAST: usize = NODES - 1;
        let mut coefficients = [0.0; NODES];
        for (k, target) in coefficients.iter_mut().enumerate() {
            let mut sum = 0.0;
            for (i, value) in values.iter().enumerate() {
                // cos(pi i k / 3) has period 6 in i k, and is even.
                let m = (i * k) % (2 * LAST);
                let cosine = COSINES[m.min(2 * LAST - m)];
                sum += if i == 0 || i == LAST { 0.5 } else { 1.0 } * value * cosine;
            }
            let ends = if k == 0 || k == LAST { 1.0 } else { 2.0 };
            *target = ends * sum / LAST as f64;
        }
        Self(coefficients)
    }

    /// Value and derivative in volatility.
    pub(crate) fn at(&self, place: Place) -> (f64, f64) {
        let x = place.x;
        // T_k and U_{k-1} by their recurrences: T_k' = k U_{k-1}.
        let (mut t0, mut t1, mut u0, mut u1) = (1.0, x, 0.0, 1.0);
        let [first, rest @ ..] = &self.0;
        let (mut value, mut derivative) = (*first, 0.0);
        for (k, c) in rest.iter().enumerate() {
            value += c * t1;
            derivative += c * (k + 1) as f64 * u1;
            (t0, t1) = (t1, 2.0 * x * t1 - t0);
            (u0, u1) = (u1, 2.0 * x * u1 - u0);
        }
        (value, derivative * place.slope)
    }
}

#[cfg(test)]
mod tests {
    use super::{Interpolant, nodes, place};

    #[test]
    fn a_smooth_function_and_its_derivative_come_back() {
        let values = nodes(-3).map(|sigma| (1.0 + sigma * sigma).sqrt());
        let interpolant = Interpolant::through(&values);
        for sigma in [0.125, 0.14, 0.2, 0.2499] {
            let (value, derivative) = interpolant.at(place(sigma).unwrap());
            let exact = (1.0 + sigma * sigma).sqrt();
            assert!((value - exact).abs() < 2e-5 && (derivative - sigma / exact).abs() < 5e-3, "{sigma}");
        }
    }

    #[test]
    fn odd_volatilities_have_no_place() {
        assert!(place(f64::NAN).is_none() && place(0.0).is_none() && place(1e3).is_none());
        assert_eq!(place(1e-6).unwrap().octave, -11);
        assert_eq!(place(16.0).unwrap().octave, 3);
    }
}
