//! The whole market: what its close takes, beside the bare consolidation of the same quotes, and what it is worth.

pub mod print;
pub mod process;
pub mod shuffle;
pub mod worth;
