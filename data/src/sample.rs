//! The bundled sample day, embedded in the binary: what `close` runs on without `--input`.
//!
//! Made by `generate` with [`crate::generate::GenerateRequest::sample`]; a test keeps the two equal.

use crate::input::Embedded;

/// The input folder's files by name.
pub const FILES: &[(&str, &[u8])] = &[
    ("day.toml", include_bytes!("../sample/day.toml")),
    ("dividends.csv", include_bytes!("../sample/dividends.csv")),
    ("quotes.parquet", include_bytes!("../sample/quotes.parquet")),
    ("rates.csv", include_bytes!("../sample/rates.csv")),
    ("series.csv", include_bytes!("../sample/series.csv")),
    ("underlyings.csv", include_bytes!("../sample/underlyings.csv")),
];

/// The sample day as a source of input.
pub fn source() -> Embedded {
    Embedded::from_static(FILES)
}

/// The truth of every series, which no close may read: reports compare with it.
pub const TRUTH: &[u8] = include_bytes!("../sample/truth.parquet");

/// The ledger of injected faults.
pub const FAULTS: &[u8] = include_bytes!("../sample/faults.csv");
