//! Discount factors on a lattice where `D K` is a whole number of millionths.

/// `10^12`, the unit of published discount factors.
pub(crate) const DISCOUNT_UNIT: i64 = 1_000_000_000_000;

/// The greatest common divisor; that of zero and `x` is `|x|`.
pub(crate) fn gcd(a: i64, b: i64) -> u64 {
    let (mut a, mut b) = (a.unsigned_abs(), b.unsigned_abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// The discount factor nearest to `discount_factor`, in 10^-12, such that `D K` is whole millionths at every strike
/// (millionths), or `None` where the lattice is so coarse that the zero rate would move by more than
/// `rate_tolerance` per year over `t` years.
///
/// # Formula
/// With `g = gcd(strikes)`, `D = n s 10^-12` with the step `s = 10^12 / gcd(g, 10^12)`, and
/// `|ln(D / D_0)| / t <= rate_tolerance`. Steps are 2e-7 for 5-dollar strikes, 1e-6 for 1, 2e-6 for 0.50.
///
/// # Domain
/// `0 < discount_factor <= 4`, `t > 0`, positive strikes; `None` outside.
pub fn quantise_discount_factor(discount_factor: f64, strikes: &[i64], t: f64, rate_tolerance: f64) -> Option<i64> {
    if !(discount_factor > 0.0 && discount_factor <= 4.0 && t > 0.0) || strikes.iter().any(|&k| k <= 0) {
        return None;
    }
    let common = strikes.iter().fold(DISCOUNT_UNIT, |g, &k| i64::try_from(gcd(g, k)).unwrap_or(1));
    let step = DISCOUNT_UNIT / common.max(1);
    let steps = (discount_factor * DISCOUNT_UNIT as f64 / step as f64).round_ties_even();
    let quantised = (steps as i64).checked_mul(step)?;
    if quantised <= 0 {
        return None;
    }
    let change = libm::log(quantised as f64 / DISCOUNT_UNIT as f64 / discount_factor) / t;
    (change.abs() <= rate_tolerance).then_some(quantised)
}

#[cfg(test)]
mod tests {
    use super::{DISCOUNT_UNIT, quantise_discount_factor};

    #[test]
    fn steps_are_those_of_the_strikes() {
        for (strikes, step) in [
            (&[4_500_000_000, 4_505_000_000][..], 200_000),
            (&[100_000_000, 101_000_000], 1_000_000),
            (&[27_500_000, 28_000_000], 2_000_000),
            (&[4_512_500_000, 4_515_000_000], 400_000),
        ] {
            let d = quantise_discount_factor(0.961_734_567_891, strikes, 0.7, 1e-3).unwrap();
            assert_eq!(d % step, 0);
            assert!((d - 961_734_567_891).abs() * 2 <= step);
            for k in strikes {
                assert_eq!(i128::from(d) * i128::from(*k) % i128::from(DISCOUNT_UNIT), 0);
            }
        }
    }

    #[test]
    fn strikes_in_thousandths_are_too_fine() {
        assert_eq!(quantise_discount_factor(0.9617, &[27_857_000, 30_000_000], 0.7, 1e-4), None);
        assert_eq!(quantise_discount_factor(f64::NAN, &[1_000_000], 0.7, 1e-4), None);
        assert_eq!(quantise_discount_factor(0.9, &[0], 0.7, 1e-4), None);
        assert_eq!(quantise_discount_factor(0.9, &[1_000_000], 0.0, 1e-4), None);
    }
}
