//! A line in the price, per lane: what a claim is beyond a grid.

use super::lanes::Lane;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<const N: usize> {
    pub(super) slope: Lane<N>,
    pub(super) level: Lane<N>,
}

impl<const N: usize> Line<N> {
    /// The value at a price in one lane.
    #[inline(always)]
    pub(super) fn at(&self, l: usize, price: f64) -> f64 {
        self.slope[l] * price + self.level[l]
    }
}
