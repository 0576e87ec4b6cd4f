//! What a series is: the terms of one listed option, with its settlement event already fixed in time.

use crate::price::Price;
use crate::vocabulary::{ExerciseStyle, OptionType, Settlement};

/// A date, as days since 1970-01-01.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(pub i32);

/// An instant, as nanoseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(pub i64);

/// Seconds of an ACT/365 year.
pub const SECONDS_PER_YEAR: f64 = 365.0 * 86_400.0;

impl Instant {
    /// Time from `self` to `later` in ACT/365 years, counted in nanoseconds; negative where `later` is earlier.
    pub fn years_until(self, later: Self) -> f64 {
        later.0.saturating_sub(self.0) as f64 / (SECONDS_PER_YEAR * 1e9)
    }
}

/// What one contract delivers.
#[derive(Clone, Debug, PartialEq)]
pub struct Deliverable {
    /// Canonical text as published, `100 XYZ` or `100 XYZ + 12.5 USD`.
    pub text: String,
    /// Shares (or index units) of the underlying per contract.
    pub shares: f64,
    /// Cash per contract.
    pub cash: f64,
    /// False where the contract was adjusted (or carries something that shares and cash do not describe).
    pub standard: bool,
    /// False where the text names goods other than the underlying and cash: such series have no model price.
    pub priceable: bool,
}

/// The terms of one listed series.
///
/// Canonical order: underlying, expiration, settlement, root, strike, option type, symbol.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// The 21-character OSI symbol, or an opaque symbol where `series.csv` describes it.
    pub osi_symbol: String,
    /// Option root, `SPXW`.
    pub root: String,
    /// Expiration date as listed.
    pub expiration: Date,
    /// The settlement event: 16:00 (PM) or 09:30 (AM) New York of the expiration's trading day.
    pub settlement_time: Instant,
    /// The instant whose quotes count, for this series' root.
    pub snapshot: Instant,
    /// Strike per share.
    pub strike: Price,
    /// Call or put.
    pub option_type: OptionType,
    /// American or European.
    pub exercise_style: ExerciseStyle,
    /// AM or PM.
    pub settlement: Settlement,
    /// Currency units per contract and price unit, 100 for a standard equity option.
    pub multiplier: u32,
    /// ISO 4217 code.
    pub currency: String,
    /// What is delivered.
    pub deliverable: Deliverable,
    /// Whether calendar conditions tie this root's expirations (false for volatility indices).
    pub calendar: bool,
}

impl Series {
    /// Time to expiry in ACT/365 years; never negative.
    pub fn time_to_expiry(&self) -> f64 {
        self.snapshot.years_until(self.settlement_time).max(0.0)
    }
}
