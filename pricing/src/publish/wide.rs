//! Unsigned 256-bit products, for the few classes whose calendar rows leave 128 bits.

use std::cmp::Ordering;

/// A number below 2^256 as two halves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Wide {
    high: u128,
    low: u128,
}

const HALF: u128 = u64::MAX as u128;

impl Wide {
    /// The product of two 128-bit numbers; it always fits.
    pub(crate) fn product(a: u128, b: u128) -> Self {
        let (a1, a0, b1, b0) = (a >> 64, a & HALF, b >> 64, b & HALF);
        let low = a0 * b0;
        // Each partial product is at most (2^64 - 1)^2, so two halves may be added to one without a carry.
        let cross = a1 * b0 + (low >> 64);
        let middle = a0 * b1 + (cross & HALF);
        Self { high: a1 * b1 + (cross >> 64) + (middle >> 64), low: (middle << 64) | (low & HALF) }
    }

    /// The sum, or `None` beyond 2^256.
    pub(crate) fn plus(self, other: Self) -> Option<Self> {
        let (low, carry) = self.low.overflowing_add(other.low);
        let high = self.high.checked_add(other.high)?.checked_add(u128::from(carry))?;
        Some(Self { high, low })
    }

    /// The difference, or `None` below zero.
    pub(crate) fn minus(self, other: Self) -> Option<Self> {
        let (low, borrow) = self.low.overflowing_sub(other.low);
        let high = self.high.checked_sub(other.high)?.checked_sub(u128::from(borrow))?;
        Some(Self { high, low })
    }

    /// The product with a 128-bit number, or `None` beyond 2^256.
    pub(crate) fn times(self, factor: u128) -> Option<Self> {
        let low = Self::product(self.low, factor);
        let high = Self::product(self.high, factor);
        match high.high.cmp(&0) {
            Ordering::Equal => low.plus(Self { high: high.low, low: 0 }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Wide;
    use proptest::prelude::*;

    /// Schoolbook product in base 2^32, digits ascending.
    fn digits(mut a: u128, mut b: u128) -> Vec<u32> {
        let split = |x: &mut u128| {
            let mut out = [0_u64; 4];
            for digit in &mut out {
                *digit = (*x & 0xffff_ffff) as u64;
                *x >>= 32;
            }
            out
        };
        let (x, y) = (split(&mut a), split(&mut b));
        let mut sums = [0_u128; 9];
        for (i, p) in x.iter().enumerate() {
            for (j, q) in y.iter().enumerate() {
                sums[i + j] += u128::from(p * q);
            }
        }
        let mut carry = 0;
        sums.iter()
            .map(|s| {
                let total = s + carry;
                carry = total >> 32;
                (total & 0xffff_ffff) as u32
            })
            .collect()
    }

    proptest! {
        #[test]
        fn product_is_the_schoolbook_product(a: u128, b: u128) {
            let wide = Wide::product(a, b);
            let expected = digits(a, b);
            for (k, digit) in expected.iter().take(8).enumerate() {
                let half = if k < 4 { wide.low } else { wide.high };
                prop_assert_eq!(((half >> (32 * (k % 4))) & 0xffff_ffff) as u32, *digit);
            }
        }

        #[test]
        fn ring_laws(a: u128, b: u128, c in 0..u128::from(u64::MAX)) {
            let (x, y) = (Wide::product(a, 7), Wide::product(b, 9));
            let sum = x.plus(y).unwrap();
            prop_assert_eq!(sum.minus(y), Some(x));
            prop_assert_eq!(
                sum.times(c).unwrap(),
                x.times(c).unwrap().plus(y.times(c).unwrap()).unwrap()
            );
            prop_assert_eq!(x.minus(x.plus(Wide::product(1, 1)).unwrap()), None);
        }
    }
}
