//! Where a producer is: how far it has come, and what its last batches were.

use std::collections::VecDeque;

/// Batches of a producer whose content is remembered: more than any client has on the way at once. It takes 512 bytes.
const REMEMBERED: usize = 64;

/// What a producer has sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// Highest sequence on stable storage.
    pub(super) durable: u64,
    /// Highest sequence appended.
    pub(super) appended: u64,
    /// Digests of the last batches; the last one is that of `appended`.
    recent: VecDeque<u64>,
}

impl Place {
    /// The next batch is appended.
    pub(super) fn take(&mut self, digest: u64) {
        self.appended += 1;
        if self.recent.len() >= REMEMBERED {
            self.recent.pop_front();
        }
        self.recent.push_back(digest);
    }

    /// What was appended is durable.
    pub(super) fn commit(&mut self) {
        self.durable = self.appended;
    }

    /// Whether a batch that was appended before is remembered with another content than this.
    pub(super) fn differs(&self, sequence: u64, digest: u64) -> bool {
        let back = self.appended.checked_sub(sequence).and_then(|back| usize::try_from(back).ok());
        let known = back.and_then(|back| self.recent.iter().rev().nth(back));
        known.is_some_and(|known| *known != digest)
    }
}

#[cfg(test)]
mod tests {
    use super::{Place, REMEMBERED};

    #[test]
    fn the_last_batches_are_remembered_and_no_more() {
        let mut place = Place::default();
        for sequence in 1..=1000 {
            place.take(sequence * 10);
        }
        let first = 1000 - REMEMBERED as u64 + 1;
        for sequence in 1..=1001 {
            assert!(!place.differs(sequence, sequence * 10));
            assert_eq!(place.differs(sequence, 5), (first..=1000).contains(&sequence), "{sequence}");
        }
        assert_eq!(place.recent.len(), REMEMBERED);
    }
}
