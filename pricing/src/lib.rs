//! All numerics of closemark, from venue quotes to marks, as pure functions of plain values.
//!
//! A quote walks one way through this crate, and the modules read in that order:
//! [`series`], [`quote`] -> [`nbbo`] -> [`parity`] -> [`models`] -> [`smoothing`] -> [`publish`] -> [`mark`] -> [`risk`].
//! There is no file, clock, environment, randomness, thread or Arrow type in here.
//!
//! # Notation
//!
//! | letter | meaning | unit |
//! |---|---|---|
//! | `S` | price of the underlying at the snapshot | currency per share |
//! | `F` | forward price for one expiry | currency per share |
//! | `D` | discount factor from the settlement instant to the snapshot | 1 |
//! | `A` | present value of the forward, `D F` | currency per share |
//! | `K`, `k` | strike; log-moneyness `ln(K/F)` | currency per share; 1 |
//! | `T`, `t` | time to expiry, ACT/365 in seconds | years |
//! | `sigma`, `w` | volatility; total variance `sigma^2 T` | per square root of year; 1 |
//! | `r`, `b` | continuously compounded zero rate; borrow (or carry) rate | per year |

pub mod arbitrage;
pub mod curve;
pub mod day;
pub mod mark;
pub mod math;
pub mod models;
pub mod nbbo;
pub mod parity;
pub mod price;
pub mod publish;
pub mod quote;
pub mod risk;
pub mod series;
pub mod settings;
pub mod smoothing;
pub mod vocabulary;

pub use day::UnderlyingDay;
pub use mark::{UnderlyingMarks, mark_underlying, mark_underlying_fixed, mark_underlying_watched};
pub use price::Price;
pub use settings::Settings;

/// The version of the numerical method; part of every run id, raised whenever a published byte may move.
pub const METHOD_VERSION: &str = "2";
