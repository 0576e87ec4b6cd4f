//! The quote log keeps what it acknowledged, and a day that came through it is the folder's day.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are tests")]

mod damage;
mod day;
mod disk;
mod power;
mod producers;
mod support;
