//! Smoothing compared: raw mids, quasi-explicit SVI, Fengler's quadratic program and ours on the same slices.
//!
//! The first three are plain baselines, written here as their authors describe them and used nowhere else. All see the
//! same forwards and the same volatilities (European-equivalent ones for American names), so that only the smoothing
//! differs.

mod arbitrage;
mod banded;
pub mod chain;
mod consecutive;
mod fengler;
pub mod gates;
mod left_out;
mod method;
mod points;
pub mod print;
mod random;
mod raw;
mod republish;
pub mod score;
mod speed;
mod svi;
mod truth;

pub use consecutive::{DayMove, day_move};
pub use method::Method;
pub use republish::{Stability, stability};
pub use speed::{Speed, speed};
pub use truth::{TruthRow, truth_rows};
