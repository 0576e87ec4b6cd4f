//! Other people's files into an input folder.
//!
//! Importers write nothing that the files do not say: a consolidated quote becomes a row of the venue `NBBO`, and an
//! exchange's own marks or a vendor's volatilities stay where they are.

mod cboe;
mod error;
mod fields;
mod frame;
mod lean;
mod rates;
mod side_by_side;
mod table;
mod table_map;

use std::collections::BTreeMap;
use std::path::PathBuf;

use closemark_pricing::price::Price;
use closemark_pricing::series::Date;

pub use error::ImportError;
pub use rates::zero_rates_from_par_yields;
pub use table_map::{TableMap, built_in_map};

use crate::calendar::{Calendar, CalendarKind};
use crate::input::{DayFiles, UnderlyingRow, write_day};
use crate::reference::RootTable;
use crate::time;

/// Which form the files have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportFormat {
    /// Chains as the Cboe delayed-quotes page exports them.
    CboeQuotedata,
    /// Chains normalised from the samples of QuantConnect's Lean.
    Lean,
    /// Any CSV or Parquet with a column map.
    Table,
}

impl ImportFormat {
    /// The word of the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CboeQuotedata => "cboe-quotedata",
            Self::Lean => "lean",
            Self::Table => "table",
        }
    }

    /// The format of a word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::CboeQuotedata, Self::Lean, Self::Table].into_iter().find(|format| format.as_str() == word)
    }
}

/// What to import.
#[derive(Clone, Debug)]
pub struct ImportRequest {
    /// The files' form.
    pub format: ImportFormat,
    /// The files.
    pub inputs: Vec<PathBuf>,
    /// The folder to write.
    pub out: PathBuf,
    /// Prices of underlyings, by symbol; the empty symbol stands for the only underlying.
    pub prices: Vec<(String, Price)>,
    /// Dividends: the project's `dividends.csv`, or `symbol, last_cum_date, close_raw, dividend`.
    pub dividends: Option<PathBuf>,
    /// Rates: the project's `rates.csv`, a Treasury par-yield table (CSV or JSON), or one FRED series a file.
    pub rates: Vec<PathBuf>,
    /// One zero rate for all times, written as `rates.csv`; continuously compounded, fraction per year.
    pub flat_rate: Option<f64>,
    /// The column map of [`ImportFormat::Table`].
    pub map: Option<TableMap>,
    /// Rows to keep: column and value; a value that ends in `*` is a beginning.
    pub filters: Vec<(String, String)>,
}

/// What an import amounts to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportSummary {
    /// The day of the folder.
    pub market_date: Date,
    /// Distinct series written.
    pub series: u64,
    /// Quote rows written.
    pub quotes: u64,
    /// Underlyings written.
    pub underlyings: u64,
    /// Rows of the source that could not be used, with the reason of the first.
    pub rows_skipped: u64,
    /// Why the first of them was skipped.
    pub first_skipped: Option<String>,
    /// Dividends and rates written.
    pub dividends: u64,
    /// Tenors of the curve written.
    pub rates: u64,
}

/// Reads the files of a request and writes the folder.
///
/// # Errors
/// [`ImportError`] where a file cannot be read or is not of its form, where files are of different days, or where an
/// underlying's price is in none of them and was not given.
pub fn run(request: &ImportRequest) -> Result<ImportSummary, ImportError> {
    let (day, skipped) = convert(request)?;
    let mut symbols: Vec<&str> = day.quotes.iter().map(|quote| quote.osi_symbol.as_str()).collect();
    symbols.sort_unstable();
    symbols.dedup();
    let summary = ImportSummary {
        market_date: day.market_date,
        series: symbols.len() as u64,
        quotes: day.quotes.len() as u64,
        underlyings: day.underlyings.len() as u64,
        rows_skipped: skipped.count,
        first_skipped: skipped.first,
        dividends: day.dividends.len() as u64,
        rates: day.rates.len() as u64,
    };
    write_day(&request.out, &day)?;
    Ok(summary)
}

/// Rows of the source that could not be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// How many.
    pub count: u64,
    /// What was the matter with the first.
    pub first: Option<String>,
}

impl Skipped {
    pub(crate) fn note(&mut self, what: impl FnOnce() -> String) {
        self.count += 1;
        self.first.get_or_insert_with(what);
    }
}

/// Reads the files of a request into the rows of a folder, without writing it.
///
/// # Errors
/// As [`run`].
pub fn convert(request: &ImportRequest) -> Result<(DayFiles, Skipped), ImportError> {
    let mut skipped = Skipped::default();
    let mut day = match request.format {
        ImportFormat::CboeQuotedata => cboe::convert(&request.inputs, &mut skipped)?,
        ImportFormat::Lean => lean::convert(&request.inputs, &mut skipped)?,
        ImportFormat::Table => table::convert(request, &mut skipped)?,
    };
    set_prices(&mut day, &request.prices)?;
    if let Some(path) = &request.dividends {
        fields::dividends(path, &mut day)?;
    }
    if let Some(rate) = request.flat_rate {
        day.rates = vec![crate::input::RateRow { tenor_days: 365.0, zero_rate: rate }];
    } else if !request.rates.is_empty() {
        day.rates = rates::read(&request.rates, day.market_date)?;
    }
    Ok((day, skipped))
}

fn set_prices(day: &mut DayFiles, prices: &[(String, Price)]) -> Result<(), ImportError> {
    let single = day.underlyings.len() == 1;
    for row in &mut day.underlyings {
        let given = prices.iter().find(|(name, _)| *name == row.underlying || (name.is_empty() && single));
        if let Some((_, price)) = given {
            row.price = Some(*price);
        }
        if row.price.is_none() {
            return Err(ImportError::of("--price", format!("the files give no price of {}", row.underlying)));
        }
    }
    let known = |name: &String| name.is_empty() || day.underlyings.iter().any(|row| row.underlying == *name);
    match prices.iter().find(|(name, _)| !known(name)) {
        Some((name, _)) => Err(ImportError::of("--price", format!("the files have no underlying {name}"))),
        None => Ok(()),
    }
}

/// Fixes a US day's snapshots: the close, and a quarter of an hour later for index roots.
pub(crate) fn closing_snapshots(
    day: &mut DayFiles,
    roots: &BTreeMap<String, String>,
    table: &RootTable,
) -> Result<(), ImportError> {
    let calendar = Calendar::new(CalendarKind::Us)?;
    let Some((hour, minute)) = calendar.close_clock(day.market_date) else {
        let text = crate::date::to_text(day.market_date);
        return Err(ImportError::of("market date", format!("the market is closed on {text}")));
    };
    let text =
        |minute: u32| time::new_york(day.market_date, hour, minute).map(time::to_new_york_text).unwrap_or_default();
    let (close, later) = (text(minute), text(minute + 15));
    let index: Vec<&String> =
        roots.iter().filter(|(_, underlying)| table.is_index(underlying)).map(|(root, _)| root).collect();
    if index.len() == roots.len() && !roots.is_empty() {
        day.snapshot = later;
    } else {
        day.snapshot = close;
        day.snapshots = index.into_iter().map(|root| (root.clone(), later.clone())).collect();
    }
    Ok(())
}

/// An underlying of a name, its price still to come.
pub(crate) fn underlying(name: &str, price: Option<Price>) -> UnderlyingRow {
    UnderlyingRow { underlying: name.to_owned(), price, ..UnderlyingRow::default() }
}
