//! The last mile: real prices made free of arbitrage in premium space, then exact integers.

pub mod integers;
pub mod projection;
