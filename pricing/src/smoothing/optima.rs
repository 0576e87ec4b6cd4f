//! Optima of earlier rounds: where neither aim nor rows of a slice have changed, its program need not run again.

use super::aim::Aim;
use super::row::Row;
use super::tier2::Solution;

/// The optima of one slice's last solution, in the order in which calendar rows were added.
#[derive(Clone, Debug, Default)]
pub(super) struct Optima {
    found: Vec<Optimum>,
    next: usize,
}

#[derive(Clone, Debug)]
struct Optimum {
    aim: Aim,
    rows: Vec<Row>,
    solution: Solution,
}

impl Optima {
    /// Begins with the first again.
    pub(super) fn rewind(&mut self) {
        self.next = 0;
    }

    /// The optimum at this place of the order, if it was one of the same aim under the same rows, bit for bit.
    pub(super) fn recall(&mut self, aim: &Aim, rows: &[Row]) -> Option<Solution> {
        let known = self.found.get(self.next).filter(|known| known.rows == rows && known.aim == *aim)?;
        self.next += 1;
        Some(known.solution.clone())
    }

    /// Keeps an optimum at this place, and forgets those that came after it.
    pub(super) fn keep(&mut self, aim: &Aim, rows: &[Row], solution: &Solution) {
        self.found.truncate(self.next);
        self.found.push(Optimum { aim: aim.clone(), rows: rows.to_vec(), solution: solution.clone() });
        self.next = self.found.len();
    }

    /// Nothing is known from this place on.
    pub(super) fn forget(&mut self) {
        self.found.truncate(self.next);
    }
}
