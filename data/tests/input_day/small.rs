//! A small day and short ways to write and read it.

use std::path::Path;

use closemark_data::day::Day;
use closemark_data::input::{
    DayFiles, Folder, InputError, QuoteRow, RateRow, ReadOptions, UnderlyingRow, read_day, write_day,
};
use closemark_data::{date, time};
use closemark_pricing::price::Price;
use closemark_pricing::series::Instant;

pub(crate) const CALL: &str = "XYZ   261218C00100000";
pub(crate) const PUT: &str = "XYZ   261218P00100000";
pub(crate) const INDEX: &str = "SPXW  261218C06000000";

pub(crate) fn at(text: &str) -> Option<Instant> {
    Some(time::parse(text).unwrap())
}

pub(crate) fn price(units: f64) -> Option<Price> {
    Price::nearest(units)
}

pub(crate) fn quote(symbol: &str, venue: &str, bid: f64, ask: f64, time: &str) -> QuoteRow {
    QuoteRow {
        osi_symbol: symbol.to_owned(),
        venue: venue.to_owned(),
        bid: price(bid),
        bid_size: Some(10),
        ask: price(ask),
        ask_size: None,
        quote_time: at(time),
        sequence: None,
    }
}

pub(crate) fn small_day() -> DayFiles {
    let underlying = |name: &str, units: f64| UnderlyingRow {
        underlying: name.to_owned(),
        price: price(units),
        ..UnderlyingRow::default()
    };
    DayFiles {
        market_date: date::parse("2026-11-20").unwrap(),
        snapshot: "2026-11-20T16:00:00-05:00".to_owned(),
        snapshots: vec![("SPXW".to_owned(), "2026-11-20T16:15:00-05:00".to_owned())],
        quotes: vec![
            quote(CALL, "XCBO", 1.0, 1.2, "2026-11-20T20:00:00Z"),
            quote(CALL, "XCBO", 1.05, 1.15, "2026-11-20T20:59:59.999999999Z"),
            quote(CALL, "XCBO", 9.0, 9.1, "2026-11-20T21:00:00.000000001Z"),
            quote(CALL, "A", 1.0, 1.1, "2026-11-20T20:59:00Z"),
            quote("XYZ261218P00100000", "XPHL", 0.0, 0.3, "2026-11-20T20:59:00Z"),
            quote(INDEX, "XCBO", 50.0, 51.0, "2026-11-20T21:14:59Z"),
        ],
        underlyings: vec![underlying("XYZ", 99.5), underlying("SPX", 5990.25)],
        rates: vec![RateRow { tenor_days: 365.0, zero_rate: 0.04 }, RateRow { tenor_days: 30.0, zero_rate: 0.05 }],
        ..DayFiles::default()
    }
}

pub(crate) fn read(dir: &Path) -> Result<Day, InputError> {
    read_day(&Folder(dir.to_owned()), &ReadOptions::default())
}

pub(crate) fn round_trip(files: &DayFiles) -> Day {
    let dir = tempfile::tempdir().unwrap();
    write_day(dir.path(), files).unwrap();
    read(dir.path()).unwrap()
}

pub(crate) fn reasons(day: &Day) -> Vec<&str> {
    day.exceptions.iter().map(|row| row.reason).collect()
}
