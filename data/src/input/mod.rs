//! A day in: the input folder, read and written.

pub mod write;

pub use write::{
    CorporateActionRow, DayFiles, DividendRow, QuoteRow, QuoteWriter, RateRow, SeriesRow, UnderlyingRow, WriteError,
    write_day, write_day_without_quotes,
};
