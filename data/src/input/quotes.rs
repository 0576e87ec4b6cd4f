//! Quote rows from any of their forms into one compact list; rows that cannot be used into exceptions.

use closemark_pricing::mark::ExceptionRow;
use closemark_pricing::price::Price;

use super::error::InputError;
use super::exceptions::{self, BAD_PRICE, MALFORMED_ROW, MALFORMED_SYMBOL, UNKNOWN_VENUE};
use super::source::InputSource;
use super::symbols::{RawQuote, Symbols};

/// The columns of `quotes`; the last may be absent.
pub(crate) const COLUMNS: [&str; 8] =
    ["osi_symbol", "venue", "bid", "bid_size", "ask", "ask_size", "quote_time", "sequence"];
/// Those of them that must be there.
pub(crate) const REQUIRED: usize = 7;

/// Quote rows: a day's, or a piece of them.
#[derive(Debug)]
pub(crate) struct QuoteRows {
    pub(crate) symbols: Symbols,
    pub(crate) rows: Vec<RawQuote>,
    pub(crate) faults: Vec<ExceptionRow>,
    pub(crate) rows_read: u64,
    pub(crate) rows_dropped: u64,
}

/// A field of a row, read or refused with the text that stood there.
pub(crate) type Field<T> = Result<T, String>;

/// One row as its form gives it. A price is in millionths, zero where there is none.
pub(crate) struct ReadRow<'a> {
    /// A number that an earlier row of the same symbol had, or the symbol's bytes.
    pub(crate) symbol: SymbolRef<'a>,
    /// The venue's number, or its text where the table does not know it.
    pub(crate) venue: Field<u16>,
    pub(crate) bid: Field<i64>,
    pub(crate) bid_size: Field<u32>,
    pub(crate) ask: Field<i64>,
    pub(crate) ask_size: Field<u32>,
    pub(crate) time: Field<i64>,
    pub(crate) sequence: Field<u64>,
}

/// A symbol by number or by text.
#[derive(Clone, Copy)]
pub(crate) enum SymbolRef<'a> {
    Number(u32),
    Text(&'a [u8]),
}

impl QuoteRows {
    pub(crate) fn new() -> Self {
        Self { symbols: Symbols::default(), rows: Vec::new(), faults: Vec::new(), rows_read: 0, rows_dropped: 0 }
    }

    /// Takes one row in, or its fault.
    pub(crate) fn push(&mut self, row: ReadRow<'_>) {
        self.rows_read += 1;
        let symbol = match row.symbol {
            SymbolRef::Number(number) => Some(number),
            // Bytes that are no text would grow when they are shown, and be lost behind the limit on a symbol's length.
            SymbolRef::Text(text) => {
                std::str::from_utf8(text).ok().and_then(|text| self.symbols.intern(text.as_bytes()))
            }
        };
        let Some(symbol) = symbol else {
            let text = match row.symbol {
                SymbolRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
                SymbolRef::Number(_) => String::new(),
            };
            self.refuse(exceptions::row(MALFORMED_SYMBOL, Some(&text), "osi_symbol", &text));
            return;
        };
        match Self::checked(row, symbol) {
            Ok(quote) => self.rows.push(quote),
            Err((reason, field, value)) => {
                let text = String::from_utf8_lossy(self.symbols.get(symbol)).into_owned();
                self.refuse(exceptions::row(reason, Some(&text), field, &value));
            }
        }
    }

    /// Drops a row with its exception.
    pub(crate) fn refuse(&mut self, fault: ExceptionRow) {
        self.rows_dropped += 1;
        self.faults.push(fault);
    }

    fn checked(row: ReadRow<'_>, symbol: u32) -> Result<RawQuote, (&'static str, &'static str, String)> {
        let price = |field: Field<i64>, name: &'static str| match field {
            Ok(micros) if (0..=Price::INPUT_MAX.micros()).contains(&micros) => Ok(micros),
            Ok(micros) => Err((BAD_PRICE, name, Price::from_micros(micros).to_string())),
            Err(value) => Err((BAD_PRICE, name, value)),
        };
        let malformed = |name: &'static str| move |value: String| (MALFORMED_ROW, name, value);
        Ok(RawQuote {
            symbol,
            venue: row.venue.map_err(|value| (UNKNOWN_VENUE, "venue", value))?,
            bid: price(row.bid, "bid")?,
            bid_size: row.bid_size.map_err(malformed("bid_size"))?,
            ask: price(row.ask, "ask")?,
            ask_size: row.ask_size.map_err(malformed("ask_size"))?,
            time: row.time.map_err(malformed("quote_time"))?,
            sequence: row.sequence.map_err(malformed("sequence"))?,
        })
    }
}

/// The quote files of a source, in the order in which ties are broken.
pub(crate) fn file_names(source: &dyn InputSource) -> Result<Vec<String>, InputError> {
    let names = source
        .names()
        .map_err(|error| InputError::file("quotes.parquet", format!("the folder cannot be read: {error}")))?;
    let single: Vec<String> =
        names.iter().filter(|name| matches!(name.as_str(), "quotes.parquet" | "quotes.csv")).cloned().collect();
    let part = |name: &str| name.starts_with("quotes-") && (name.ends_with(".parquet") || name.ends_with(".csv"));
    let mut parts: Vec<String> = names.into_iter().filter(|name| part(name)).collect();
    parts.sort();
    let allowed = "one of quotes.parquet, quotes.csv and the parts quotes-*.parquet or quotes-*.csv";
    match (single.as_slice(), parts.is_empty()) {
        ([], true) => Err(InputError::file("quotes.parquet", format!("is missing; a folder has {allowed}"))),
        ([], false) => Ok(parts),
        ([_], true) => Ok(single),
        _ => {
            Err(InputError::file("quotes.parquet", format!("stands beside other quote files; a folder has {allowed}")))
        }
    }
}

/// A size from a number that may be fractional in form only.
pub(crate) fn size_from_f64(value: f64) -> Field<u32> {
    let whole = (0.0..f64::from(RawQuote::NO_SIZE)).contains(&value) && value.trunc() == value;
    if whole { Ok(value as u32) } else { Err(value.to_string()) }
}

/// A size from a whole number.
pub(crate) fn size_from_i128(value: i128) -> Field<u32> {
    u32::try_from(value).ok().filter(|size| *size != RawQuote::NO_SIZE).ok_or_else(|| value.to_string())
}

/// A sequence as it is kept: plus one, zero being unknown.
pub(crate) fn sequence_from_i128(value: i128) -> Field<u64> {
    u64::try_from(value).ok().and_then(|n| n.checked_add(1)).ok_or_else(|| value.to_string())
}

/// A time as it is kept.
pub(crate) fn time_from_i128(value: i128) -> Field<i64> {
    i64::try_from(value).ok().filter(|t| *t != RawQuote::NO_TIME).ok_or_else(|| value.to_string())
}
