//! A seeded synthetic day with known truth.
pub mod calibration;
pub mod random;
pub mod surface;
