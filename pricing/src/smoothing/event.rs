//! Event days: a smile that bulges at the money, because the market expects a jump of known date and unknown sign.

/// The top of a bulge lies within this many standard deviations of the forward.
const TOP_MAX: f64 = 1.0;
/// Only so far out is a smile asked for its minima.
const FOOT_MAX: f64 = 2.5;
/// A bulge is at least this share of the volatility at its top.
const RISE_MIN: f64 = 0.02;

/// Whether volatility rises by more than the quotes' error from minima on both sides to a maximum near the money.
///
/// Takes nodes between the first and last accepted quote: log-moneyness over the standard deviation, volatility and its
/// error (about a half-spread). Ordinary smiles and skews have one minimum and no inner maximum. A lognormal mixture of
/// two jumps is shaped like a W; where its wings are not quoted, like a frown.
pub(super) fn is_visible(z: &[f64], volatility: &[f64], error: &[f64]) -> bool {
    let nodes: Vec<(f64, f64, f64)> = z
        .iter()
        .zip(volatility)
        .zip(error)
        .map(|((z, sigma), error)| (*z, *sigma, *error))
        .filter(|(z, ..)| z.abs() <= FOOT_MAX)
        .collect();
    let mut right_least = vec![f64::INFINITY; nodes.len() + 1];
    for (i, (_, sigma, _)) in nodes.iter().enumerate().rev() {
        right_least[i] = right_least[i + 1].min(*sigma);
    }
    let mut left_least = f64::INFINITY;
    for ((z, sigma, error), right) in nodes.iter().zip(right_least.iter().skip(1)) {
        let rise = sigma - left_least.max(*right);
        if z.abs() <= TOP_MAX && rise > error.max(RISE_MIN * sigma) {
            return true;
        }
        left_least = left_least.min(*sigma);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::is_visible;

    fn nodes(smile: impl Fn(f64) -> f64) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
        let z: Vec<f64> = (-20..21).map(|i| 0.1 * f64::from(i)).collect();
        let volatility = z.iter().map(|z| smile(*z)).collect();
        let error = vec![0.01; z.len()];
        (z, volatility, error)
    }

    #[test]
    fn a_bulge_is_an_event_and_a_smile_is_none() {
        let (z, w, error) = nodes(|z| 0.5 - 0.1 * z * z + 0.03 * z * z * z * z);
        assert!(is_visible(&z, &w, &error));
        for smile in
            [(|z| 0.3 + 0.05 * z * z) as fn(f64) -> f64, |z| 0.3 - 0.05 * z, |z| 0.2 + 0.02 * (z - 1.0) * (z - 1.0)]
        {
            let (z, sigma, error) = nodes(smile);
            assert!(!is_visible(&z, &sigma, &error));
        }
        // A bulge no larger than the quotes' error is none.
        let (z, w, _) = nodes(|z| 0.5 - 0.1 * z * z + 0.03 * z * z * z * z);
        assert!(!is_visible(&z, &w, &vec![0.2; z.len()]));
    }
}
