//! Several options side by side: one number per lane, the same operations in every lane.
//!
//! A lane's result depends on that lane alone: whole batches, their padding and a single option give the same bits.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

use crate::math;

/// One number per option.
pub(crate) type Lane<const N: usize> = [f64; N];

/// Options per full batch: two vectors of the widest instructions, whose chains of operations run beside each other.
pub(crate) const LANES: usize = 16;

/// A strike and a volatility to price it at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point {
    pub(crate) strike: f64,
    pub(crate) sigma: f64,
}

/// Strikes and volatilities of a chunk, its last point repeated in the lanes that are over.
pub(crate) fn load<const N: usize>(points: &[Point]) -> (Lane<N>, Lane<N>) {
    let mut last = points.first().copied().unwrap_or(Point { strike: 1.0, sigma: 1.0 });
    let (mut strikes, mut sigmas) = ([0.0; N], [0.0; N]);
    let mut rest = points.iter();
    for (strike, sigma) in strikes.iter_mut().zip(sigmas.iter_mut()) {
        last = rest.next().copied().unwrap_or(last);
        (*strike, *sigma) = (last.strike, last.sigma);
    }
    (strikes, sigmas)
}

/// The larger of two numbers; no number where the first is none.
#[inline(always)]
pub(super) fn larger(x: f64, bound: f64) -> f64 {
    if bound > x { bound } else { x }
}

/// `x y + z`, rounded once.
///
/// On every host: without the instruction the same bits come from the compiler's library, slowly. So they do in whatever is not
/// compiled into [`super::sweep::sweep`].
#[inline(always)]
#[expect(clippy::disallowed_methods, reason = "fused in every path, so that bits are the same")]
pub(super) fn fused(x: f64, y: f64, z: f64) -> f64 {
    x.mul_add(y, z)
}

/// Whether any lane's sign is minus.
#[inline(always)]
pub(super) fn any_minus<const N: usize>(x: &Lane<N>) -> bool {
    x.iter().fold(0, |bits, x| bits | x.to_bits()) >> 63 != 0
}

/// The natural logarithm of each lane, with the bits of [`math::ln`].
#[inline(always)]
pub(super) fn ln<const N: usize>(x: &Lane<N>) -> Lane<N> {
    let (mut logs, mut usual) = ([0.0; N], true);
    for l in 0..N {
        usual &= (x[l] >= f64::MIN_POSITIVE) & (x[l] <= f64::MAX);
        logs[l] = math::ln_normal(x[l]);
    }
    if usual { logs } else { x.map(math::ln) }
}

/// The exponential function of each lane, with the bits of [`math::exp`].
#[inline(always)]
pub(super) fn exp<const N: usize>(x: &Lane<N>) -> Lane<N> {
    let (mut powers, mut usual) = ([0.0; N], true);
    for l in 0..N {
        usual &= x[l].abs() <= 700.0;
        powers[l] = math::exp_normal(x[l]);
    }
    if usual { powers } else { x.map(math::exp) }
}

/// Bytes that a processor fetches at once; a vector across two such lines is read twice.
const CACHE_LINE: usize = 64;

/// Buffers that a thread keeps for its next sweep; a sweep uses five.
const KEPT: usize = 5;

thread_local! {
    static BUFFERS: RefCell<Vec<Vec<f64>>> = const { RefCell::new(Vec::new()) };
}

/// A row of lanes per node, the first at the beginning of a cache line. The thread keeps its memory for the next ones.
#[derive(Debug)]
pub(super) struct Rows<const N: usize> {
    numbers: Vec<f64>,
    start: usize,
    end: usize,
}

impl<const N: usize> Rows<N> {
    /// So many rows of whatever is there.
    pub(super) fn set_count(&mut self, count: usize) {
        let numbers = count * N;
        if self.end - self.start == numbers {
            return;
        }
        let needed = numbers + CACHE_LINE / size_of::<f64>();
        if self.numbers.len() < needed {
            self.numbers.resize(needed, 0.0);
        }
        self.start = self.numbers.as_ptr().align_offset(CACHE_LINE).min(CACHE_LINE / size_of::<f64>());
        self.end = self.start + numbers;
    }
}

impl<const N: usize> Default for Rows<N> {
    fn default() -> Self {
        let kept = BUFFERS.try_with(|buffers| buffers.try_borrow_mut().ok().and_then(|mut buffers| buffers.pop()));
        Self { numbers: kept.ok().flatten().unwrap_or_default(), start: 0, end: 0 }
    }
}

impl<const N: usize> Drop for Rows<N> {
    fn drop(&mut self) {
        let numbers = std::mem::take(&mut self.numbers);
        // Where the thread is ending the memory is simply freed.
        let _ = BUFFERS.try_with(|buffers| match buffers.try_borrow_mut() {
            Ok(mut buffers) if buffers.len() < KEPT => buffers.push(numbers),
            _ => drop(numbers),
        });
    }
}

impl<const N: usize> Deref for Rows<N> {
    type Target = [Lane<N>];

    #[inline(always)]
    fn deref(&self) -> &[Lane<N>] {
        self.numbers.get(self.start..self.end).unwrap_or_default().as_chunks().0
    }
}

impl<const N: usize> DerefMut for Rows<N> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [Lane<N>] {
        self.numbers.get_mut(self.start..self.end).unwrap_or_default().as_chunks_mut().0
    }
}

#[cfg(test)]
mod tests {
    use super::{any_minus, fused};

    /// `(1 + e)^2 - (1 + 2 e) = e^2`, which a rounded product has lost.
    #[test]
    fn a_product_and_a_sum_are_rounded_once() {
        let e = libm::ldexp(1.0, -30);
        let product = std::hint::black_box(1.0 + e);
        assert_eq!(fused(product, product, -(1.0 + 2.0 * e)), e * e);
        assert_eq!(product * product - (1.0 + 2.0 * e), 0.0);
    }

    #[test]
    fn a_minus_in_any_lane_is_seen() {
        assert!(!any_minus(&[0.0, 1.0, f64::INFINITY]));
        assert!(any_minus(&[0.0, -1e-300, 1.0]) && any_minus(&[1.0, -0.0]) && any_minus(&[f64::NEG_INFINITY]));
    }
}
