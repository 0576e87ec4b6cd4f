//! The project's reference tables: venues, option roots, market days. They are data files, not code, so that a
//! new exchange or index root needs no release of the method.

mod roots;
mod venues;

use std::collections::BTreeMap;

use closemark_pricing::series::Date;

pub use roots::{Root, RootTable};
pub use venues::{NBBO, Venue, VenueTable};

use crate::date;

/// A reference table that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}: row {row}, column `{column}`: `{value}` is not allowed; {allowed}")]
pub struct ReferenceError {
    /// The table's file.
    pub file: &'static str,
    /// Line of the file, the header being 1.
    pub row: u64,
    /// The column.
    pub column: &'static str,
    /// What stands there.
    pub value: String,
    /// What may stand there.
    pub allowed: &'static str,
}

/// The rows of one table as text, with their line numbers.
pub(crate) fn rows(
    file: &'static str,
    text: &'static str,
) -> impl Iterator<Item = Result<(u64, csv::StringRecord), ReferenceError>> {
    let reader = csv::ReaderBuilder::new().from_reader(text.as_bytes());
    reader.into_records().enumerate().map(move |(index, record)| {
        let row = index as u64 + 2;
        record.map(|record| (row, record)).map_err(|error| ReferenceError {
            file,
            row,
            column: "*",
            value: error.to_string(),
            allowed: "as many fields as the header has",
        })
    })
}

const MARKET_DAYS: &str = include_str!("../../reference/us_market_days.csv");

/// Exceptions from "weekdays to 16:00 New York": `None` for a closed day, else hour and minute of the close.
pub(crate) fn market_days() -> Result<BTreeMap<Date, Option<(u32, u32)>>, ReferenceError> {
    let file = "us_market_days.csv";
    let mut days = BTreeMap::new();
    for item in rows(file, MARKET_DAYS) {
        let (row, record) = item?;
        let field = |place: usize| record.get(place).unwrap_or_default();
        let fault =
            |column, value: &str, allowed| ReferenceError { file, row, column, value: value.to_owned(), allowed };
        let day = date::parse(field(0)).ok_or_else(|| fault("date", field(0), "YYYY-MM-DD"))?;
        let close = match field(1) {
            "closed" => None,
            clock => {
                let [hour, minute, ..] = crate::time::parse_clock(clock)
                    .ok_or_else(|| fault("close", clock, "`closed` or the hour and minute of the close"))?;
                Some((hour, minute))
            }
        };
        days.insert(day, close);
    }
    Ok(days)
}
