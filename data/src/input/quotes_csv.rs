//! Quotes in CSV.

use closemark_pricing::price::Price;

use super::error::InputError;
use super::exceptions::{self, MALFORMED_ROW};
use super::number::{plain_number, price_from_text};
use super::quotes::{COLUMNS, Field, QuoteRows, REQUIRED, ReadRow, SymbolRef};
use super::quotes::{sequence_from_i128, size_from_f64, size_from_i128, time_from_i128};
use super::source::SourceFile;
use super::symbols::RawQuote;
use super::table::{missing_column, place};
use crate::reference::VenueTable;
use crate::time;

/// Rows after which `full` is asked to take them.
const PIECE_ROWS: usize = 1 << 18;

/// Reads one file into `all`, which `full` empties now and then; false from it stops the reading.
pub(crate) fn read(
    name: &str,
    file: SourceFile,
    venues: &VenueTable,
    all: &mut QuoteRows,
    full: &mut dyn FnMut(&mut QuoteRows) -> bool,
) -> Result<(), InputError> {
    let unreadable = |error: csv::Error| InputError::file(name, format!("cannot be read: {error}"));
    let mut reader = csv::ReaderBuilder::new().flexible(true).buffer_capacity(1 << 18).from_reader(file.into_read());
    let header = reader.byte_headers().map_err(unreadable)?.clone();
    let places = COLUMNS.map(|column| place(&header, column));
    for (column, found) in COLUMNS.iter().zip(&places).take(REQUIRED) {
        if found.is_none() {
            return Err(missing_column(name, column, &header));
        }
    }
    let mut record = csv::ByteRecord::new();
    while reader.read_byte_record(&mut record).map_err(unreadable)? {
        if all.rows.len() >= PIECE_ROWS && !full(all) {
            return Ok(());
        }
        let field = |column: usize| {
            let at = places.get(column).copied().flatten();
            at.and_then(|at| record.get(at)).unwrap_or_default().trim_ascii()
        };
        if record.len() != header.len() {
            all.rows_read += 1;
            let fields = format!("{} fields instead of {}", record.len(), header.len());
            let symbol = String::from_utf8_lossy(field(0)).into_owned();
            all.refuse(exceptions::row(MALFORMED_ROW, Some(&symbol), "*", &fields));
            continue;
        }
        // The blanks inside a padded symbol are part of it; those around it are not.
        let venue = field(1);
        all.push(ReadRow {
            symbol: SymbolRef::Text(field(0)),
            venue: text(venue).and_then(|text| venues.find(text)).ok_or_else(|| lossy(venue)),
            bid: price(field(2)),
            bid_size: size(field(3)),
            ask: price(field(4)),
            ask_size: size(field(5)),
            time: instant(field(6)),
            sequence: sequence(field(7)),
        });
    }
    Ok(())
}

fn text(bytes: &[u8]) -> Option<&str> {
    str::from_utf8(bytes).ok()
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn price(bytes: &[u8]) -> Field<i64> {
    if bytes.is_empty() {
        return Ok(RawQuote::NO_PRICE);
    }
    text(bytes).and_then(price_from_text).map(Price::micros).ok_or_else(|| lossy(bytes))
}

fn size(bytes: &[u8]) -> Field<u32> {
    if bytes.is_empty() {
        return Ok(RawQuote::NO_SIZE);
    }
    match (text(bytes).and_then(|t| t.parse::<i128>().ok()), text(bytes).and_then(plain_number)) {
        (Some(whole), _) => size_from_i128(whole),
        (None, Some(real)) => size_from_f64(real),
        (None, None) => Err(lossy(bytes)),
    }
}

fn sequence(bytes: &[u8]) -> Field<u64> {
    if bytes.is_empty() {
        return Ok(0);
    }
    text(bytes).and_then(|t| t.parse::<i128>().ok()).map_or_else(|| Err(lossy(bytes)), sequence_from_i128)
}

/// A time as RFC 3339 with its offset, or as whole nanoseconds since 1970 in UTC.
fn instant(bytes: &[u8]) -> Field<i64> {
    if bytes.is_empty() {
        return Ok(RawQuote::NO_TIME);
    }
    let Some(text) = text(bytes) else { return Err(lossy(bytes)) };
    match text.parse::<i128>() {
        Ok(nanoseconds) => time_from_i128(nanoseconds),
        Err(_) => time::parse(text).map(|t| t.0).ok_or_else(|| text.to_owned()),
    }
}
