//! Chebyshev interpolation on [-1, 1].

use std::f64::consts::PI;

/// The `count` extremal Chebyshev nodes `cos(pi i / (count - 1))`, from 1 down to -1; empty for `count < 2`.
pub fn chebyshev_nodes(count: usize) -> Vec<f64> {
    if count < 2 {
        return Vec::new();
    }
    let last = (count - 1) as f64;
    (0..count).map(|i| libm::cos(PI * i as f64 / last)).collect()
}

/// Coefficients of the interpolant through `values` at [`chebyshev_nodes`].
///
/// # Formula
/// `c_k = (2/n) sum'' v_i cos(pi i k / n)`, `n = count - 1`, with first and last terms (and `c_0`, `c_n`) halved.
pub fn chebyshev_coefficients(values: &[f64]) -> Vec<f64> {
    let count = values.len();
    if count < 2 {
        return values.to_vec();
    }
    let n = count - 1;
    (0..count)
        .map(|k| {
            let mut sum = 0.0;
            for (i, &v) in values.iter().enumerate() {
                let half = if i == 0 || i == n { 0.5 } else { 1.0 };
                sum += half * v * libm::cos(PI * ((i * k) % (2 * n)) as f64 / n as f64);
            }
            let half = if k == 0 || k == n { 0.5 } else { 1.0 };
            sum * 2.0 * half / n as f64
        })
        .collect()
}

/// The interpolant at `x` by Clenshaw's recurrence.
///
/// ```
/// use closemark_pricing::math::{chebyshev_coefficients, chebyshev_nodes, chebyshev_value};
/// let values: Vec<f64> = chebyshev_nodes(4).iter().map(|x| x * x * x).collect();
/// assert!((chebyshev_value(&chebyshev_coefficients(&values), 0.3) - 0.027).abs() < 1e-15);
/// ```
pub fn chebyshev_value(coefficients: &[f64], x: f64) -> f64 {
    let (mut b1, mut b2) = (0.0, 0.0);
    for &c in coefficients.iter().skip(1).rev() {
        let b0 = 2.0 * x * b1 - b2 + c;
        b2 = b1;
        b1 = b0;
    }
    coefficients.first().map_or(0.0, |c| x * b1 - b2 + c)
}

#[cfg(test)]
mod tests {
    use super::{chebyshev_coefficients, chebyshev_nodes, chebyshev_value};

    #[test]
    fn converges_on_an_entire_function() {
        let values: Vec<f64> = chebyshev_nodes(16).iter().map(|&x| libm::exp(x)).collect();
        let coefficients = chebyshev_coefficients(&values);
        for i in 0..=200 {
            let x = f64::from(i) / 100.0 - 1.0;
            assert!((chebyshev_value(&coefficients, x) - libm::exp(x)).abs() < 4e-15);
        }
    }

    #[test]
    fn degenerate_counts() {
        assert!(chebyshev_nodes(1).is_empty());
        assert_eq!(chebyshev_value(&[], 0.5), 0.0);
        assert_eq!(chebyshev_value(&chebyshev_coefficients(&[3.0]), 0.5), 3.0);
    }
}
