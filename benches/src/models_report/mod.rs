//! What `models-report` is made of: options drawn from a seed, the peers' side in Python, one file per claim.

pub mod american;
pub mod american_iv;
pub mod dividends;
pub mod draw;
pub mod european;
pub mod figures;
pub mod option;
pub mod peers;
pub mod stress;
pub mod timing;

use peers::Peers;

/// What every part is given.
pub struct Sitting {
    /// The peers' process.
    pub peers: Peers,
    /// The seed on the command line.
    pub seed: u64,
    /// Divides every number of options; 1 but for development.
    pub thinning: usize,
}

impl Sitting {
    /// So many of `full`, at least 20.
    pub fn count(&self, full: usize) -> usize {
        (full / self.thinning).max(20)
    }
}
