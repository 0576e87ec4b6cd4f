//! A whole day as read: what the close maps over.

use std::sync::Arc;

use closemark_pricing::curve::DiscountCurve;
use closemark_pricing::day::UnderlyingDay;
use closemark_pricing::mark::ExceptionRow;
use closemark_pricing::series::{Date, Instant};
use closemark_pricing::settings::Settings;

/// A day's input, parsed, normalised and digested.
#[derive(Clone, Debug)]
pub struct Day {
    /// The day being closed.
    pub market_date: Date,
    /// The default snapshot.
    pub snapshot: Instant,
    /// Text of the snapshot as `day.toml` gives it (for display).
    pub snapshot_text: String,
    /// The zero curve; `None` until implied from European index classes (or set by `--flat-rate`).
    pub curve: Option<Arc<DiscountCurve>>,
    /// Ascending underlying symbol. Each carries `curve` once it is known.
    pub underlyings: Vec<UnderlyingDay>,
    /// What input faults left behind, in a canonical order.
    pub exceptions: Vec<ExceptionRow>,
    /// Quote rows that count and rows dropped with an exception, together: what the share of dropped rows is of.
    pub rows_read: u64,
    /// Quote rows dropped.
    pub rows_dropped: u64,
    /// Symbols that `series.csv` expects (`expected = true`); coverage is measured against them where present.
    pub expected: Vec<String>,
    /// Settings after `day.toml`'s `[settings]`.
    pub settings: Settings,
    /// Venue MICs by [`closemark_pricing::quote::Venue`] number.
    pub venues: Vec<String>,
    /// 256-bit digest of the canonical inputs, hex.
    pub input_digest: String,
    /// The previous close's run id, where `previous/` is given.
    pub previous_run: Option<String>,
    /// `quotes`, `underlyings`, ...: count of canonical records by kind, for the manifest.
    pub record_counts: Vec<(String, u64)>,
}
