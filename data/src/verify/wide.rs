//! Products and sums of integers that 128 bits may not hold.

use std::cmp::Ordering;

/// A signed integer of up to 256 bits, as sign and size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Wide {
    negative: bool,
    /// Least significant limb first.
    limbs: [u64; 4],
}

impl Wide {
    /// `a b`; 128 by 128 bits always fit.
    fn product(a: i128, b: i128) -> Self {
        let (x, y) = (a.unsigned_abs(), b.unsigned_abs());
        let (x0, x1) = (x as u64, (x >> 64) as u64);
        let (y0, y1) = (y as u64, (y >> 64) as u64);
        let mut limbs = [0_u64; 4];
        for (at, p, q) in [(0, x0, y0), (1, x0, y1), (1, x1, y0), (2, x1, y1)] {
            let part = u128::from(p) * u128::from(q);
            let mut carry = false;
            for (limb, add) in limbs.iter_mut().skip(at).zip([part as u64, (part >> 64) as u64, 0, 0]) {
                let (sum, over) = limb.overflowing_add(add);
                let (sum, again) = sum.overflowing_add(u64::from(carry));
                *limb = sum;
                carry = over || again;
            }
        }
        Self { negative: (a < 0) != (b < 0) && limbs != [0; 4], limbs }
    }

    /// `self + other`; `None` where 256 bits do not hold it.
    fn plus(self, other: Self) -> Option<Self> {
        if self.negative == other.negative {
            let (limbs, carry) = ripple(self.limbs, other.limbs, u64::overflowing_add);
            return (!carry).then_some(Self { negative: self.negative, limbs });
        }
        let (large, small) = if self.size_order(&other).is_lt() { (other, self) } else { (self, other) };
        let (limbs, _) = ripple(large.limbs, small.limbs, u64::overflowing_sub);
        Some(Self { negative: large.negative && limbs != [0; 4], limbs })
    }

    fn size_order(&self, other: &Self) -> Ordering {
        self.limbs.iter().rev().cmp(other.limbs.iter().rev())
    }

    fn order(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => self.size_order(other),
            (true, true) => other.size_order(self),
        }
    }
}

/// Limb by limb with what is carried (or borrowed) from the one before.
fn ripple(a: [u64; 4], b: [u64; 4], step: fn(u64, u64) -> (u64, bool)) -> ([u64; 4], bool) {
    let mut limbs = [0_u64; 4];
    let mut carry = false;
    for ((limb, x), y) in limbs.iter_mut().zip(a).zip(b) {
        let (first, over) = step(x, y);
        let (second, again) = step(first, u64::from(carry));
        *limb = second;
        carry = over || again;
    }
    (limbs, carry)
}

/// Whether `a b <= c d + e f`, exactly; `None` where even 256 bits do not hold the sum.
pub(super) fn product_at_most(left: (i128, i128), right: [(i128, i128); 2]) -> Option<bool> {
    let [(c, d), (e, f)] = right;
    let narrow = || {
        let sum = c.checked_mul(d)?.checked_add(e.checked_mul(f)?)?;
        Some(left.0.checked_mul(left.1)? <= sum)
    };
    if let Some(answer) = narrow() {
        return Some(answer);
    }
    let sum = Wide::product(c, d).plus(Wide::product(e, f))?;
    Some(Wide::product(left.0, left.1).order(&sum).is_le())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn products_that_do_not_fit_128_bits() {
        let m = i128::MAX;
        assert_eq!(product_at_most((m, m), [(m, m), (0, 0)]), Some(true));
        assert_eq!(product_at_most((m, m), [(m, m), (-1, 1)]), Some(false));
        assert_eq!(product_at_most((-m, m), [(m, -m), (1, -1)]), Some(false));
        assert_eq!(product_at_most((m, m), [(m, m - 1), (m, 1)]), Some(true));
        assert_eq!(product_at_most((m, m), [(m, m - 1), (m - 1, 1)]), Some(false));
        assert_eq!(product_at_most((i128::MIN, 1), [(i128::MIN, 1), (0, 0)]), Some(true));
    }

    proptest! {
        /// Scaling all three terms by one factor that leaves 128 bits must not change the answer.
        #[test]
        fn scaling_keeps_the_answer(
            a in -1_000_000_i128..1_000_000, b in -1_000_000_i128..1_000_000,
            c in -1_000_000_i128..1_000_000, d in -1_000_000_i128..1_000_000,
            e in -1_000_000_i128..1_000_000, f in -1_000_000_i128..1_000_000,
        ) {
            let s = 1_i128 << 62;
            let wide = product_at_most((a * s, b * s), [(c * s, d * s), (e * s, f * s)]);
            prop_assert_eq!(wide, Some(a * b <= c * d + e * f));
        }
    }
}
