//! Several options side by side: one number per lane, the same operations in every lane.
//!
//! A lane's result depends on that lane alone: whole batches, their padding and a single option give the same bits.

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
