//! Medians of repeated timings, both sides in turn.

use std::hint::black_box;
use std::time::Instant;

use anyhow::Result;

use super::peers::Peers;

/// Rounds in which both sides are timed, one after the other.
pub const ROUNDS: usize = 9;
/// A side repeats its pass within a round until it has run so long, seconds, as the peers' script does: what else wants the
/// processor when it changes hands weighs little then.
const ROUND_SECONDS: f64 = 0.15;

/// What the rounds measured, nanoseconds per option.
#[derive(Clone, Debug, Default)]
pub struct Rounds {
    own: Vec<f64>,
    peer: Vec<f64>,
    /// The Python call that does nothing, already taken off the peer's.
    pub nothing_ns: f64,
    /// What the peer says of itself: steps per solve.
    pub peer_steps: f64,
}

impl Rounds {
    /// Times `work`, a pass over `count` options, against the peers' timer of this name.
    ///
    /// # Errors
    /// Where the peers do not answer.
    pub fn against(peers: &mut Peers, name: &str, count: usize, mut work: impl FnMut() -> f64) -> Result<Self> {
        let mut rounds = Self::default();
        peers.pin()?;
        own_ns(count, &mut work);
        for _ in 0..ROUNDS {
            rounds.own.push(own_ns(count, &mut work));
            let answer = peers.time(name)?;
            rounds.peer.push(answer.ns);
            rounds.nothing_ns = answer.nothing_ns;
            rounds.peer_steps = answer.steps;
        }
        peers.unpin()?;
        Ok(rounds)
    }

    /// Times two passes of this process in turn; the second stands for the peer.
    pub fn between(count: usize, mut own: impl FnMut() -> f64, mut peer: impl FnMut() -> f64) -> Self {
        let mut rounds = Self::default();
        own_ns(count, &mut own);
        own_ns(count, &mut peer);
        for _ in 0..ROUNDS {
            rounds.own.push(own_ns(count, &mut own));
            rounds.peer.push(own_ns(count, &mut peer));
        }
        rounds
    }

    /// Our median.
    pub fn own(&self) -> f64 {
        median(&self.own)
    }

    /// The peer's median.
    pub fn peer(&self) -> f64 {
        median(&self.peer)
    }

    /// How many times the peer's median is ours.
    pub fn speedup(&self) -> f64 {
        self.peer() / self.own()
    }

    /// Least and largest ratio of one round.
    pub fn spread(&self) -> (f64, f64) {
        let ratios = self.own.iter().zip(&self.peer).map(|(own, peer)| peer / own);
        ratios.fold((f64::INFINITY, 0.0), |(low, high), r| (low.min(r), high.max(r)))
    }
}

/// Nanoseconds per option of one pass.
#[allow(clippy::disallowed_methods, reason = "a benchmark times")]
pub fn own_ns(count: usize, work: &mut impl FnMut() -> f64) -> f64 {
    let start = Instant::now();
    let mut passes = 0_u32;
    loop {
        black_box(work());
        passes += 1;
        let seconds = start.elapsed().as_secs_f64();
        if seconds >= ROUND_SECONDS {
            return 1e9 * seconds / (f64::from(passes) * count as f64);
        }
    }
}

/// The median; NaN of nothing.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match (sorted.get(middle), sorted.get(middle.wrapping_sub(1))) {
        (Some(&upper), Some(&lower)) if sorted.len().is_multiple_of(2) => 0.5 * (lower + upper),
        (Some(&upper), _) => upper,
        _ => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn medians() {
        assert_eq!(super::median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(super::median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(super::median(&[]).is_nan());
    }
}
