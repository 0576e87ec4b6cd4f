//! A day whose rows come from the quote log instead of a folder's files.
//!
//! Everything that judges a row is the folder's: [`QuoteRows`] for quotes, [`ReferenceRows`] for reference texts, and
//! [`Plan`] for the day. What a log's quote can say beyond a folder's row, its currency and multiplier, is compared
//! with the series' here.

use std::collections::BTreeMap;

use closemark_pricing::mark::ExceptionRow;
use closemark_pricing::series::Date;

use super::assemble::{day_curve, unique_underlyings};
use super::error::InputError;
use super::exceptions::{self, WRONG_CURRENCY, WRONG_MULTIPLIER};
use super::gather::Gathered;
use super::header::Header;
use super::plan::{DayRows, Plan, parts_of};
use super::previous::Previous;
use super::quotes::{Field, QuoteRows, ReadRow, SymbolRef, sequence_from_i128, size_from_i128, time_from_i128};
use super::reference_files::ReferenceRows;
use super::rows::SeriesRow;
use super::source::{Embedded, InputSource};
use super::spill::Resources;
use super::stream::whole;
use super::symbols::RawQuote;
use super::terms::{Terms, canonical};
use super::{ReadOptions, source::SourceFile};
use crate::day::Day;
use crate::log::LoggedQuote;
use crate::reference::{RootTable, VenueTable};

/// What a producer says its prices are in, where it says so; empty currency and no multiplier say nothing special.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Units {
    currency: String,
    multiplier: Option<u32>,
}

/// A day's quotes, as they come from the log.
pub(crate) struct LoggedDay {
    header: Header,
    venues: VenueTable,
    quotes: QuoteRows,
    /// Numbers in this day of a batch's symbols and venues.
    batch_symbols: Vec<Option<u32>>,
    batch_venues: Vec<Option<Field<u16>>>,
    units: BTreeMap<Units, u32>,
    last_units: (Units, u32),
    /// Rows with units, and the units' number.
    with_units: Vec<(u32, u32)>,
}

impl LoggedDay {
    /// A day without quotes, under a header of the form of `day.toml`.
    pub(crate) fn new(day_toml: &str) -> Result<Self, InputError> {
        let header = Header::parse(day_toml)?;
        let venues = VenueTable::on(header.market_date)?;
        Ok(Self {
            header,
            venues,
            quotes: QuoteRows::new(),
            batch_symbols: Vec::new(),
            batch_venues: Vec::new(),
            units: BTreeMap::from([(Units::default(), 0)]),
            last_units: (Units::default(), 0),
            with_units: Vec::new(),
        })
    }

    pub(crate) fn market_date(&self) -> Date {
        self.header.market_date
    }

    /// Symbols and venues are numbered anew.
    pub(crate) fn begin_batch(&mut self) {
        self.batch_symbols.clear();
        self.batch_venues.clear();
    }

    /// Takes one quote in, or its fault.
    pub(crate) fn push(&mut self, quote: &LoggedQuote<'_>) {
        let number = quote.symbol_number.and_then(|number| self.symbol(number, quote.osi_symbol));
        let venue = self.venue(quote);
        let rows = self.quotes.rows.len();
        let size = |size: Option<u32>| size.map_or(Ok(RawQuote::NO_SIZE), |size| size_from_i128(size.into()));
        self.quotes.push(ReadRow {
            symbol: number.map_or(SymbolRef::Text(quote.osi_symbol.as_bytes()), SymbolRef::Number),
            venue,
            bid: Ok(quote.bid.unwrap_or(RawQuote::NO_PRICE)),
            bid_size: size(quote.bid_size),
            ask: Ok(quote.ask.unwrap_or(RawQuote::NO_PRICE)),
            ask_size: size(quote.ask_size),
            time: quote.quote_time_unix_nanos.map_or(Ok(RawQuote::NO_TIME), |time| time_from_i128(time.into())),
            sequence: quote.sequence.map_or(Ok(0), |sequence| sequence_from_i128(sequence.into())),
        });
        if self.quotes.rows.len() > rows {
            let units = self.units(quote);
            if let Some(row) = u32::try_from(rows).ok().filter(|_| units > 0) {
                self.with_units.push((row, units));
            }
        }
    }

    fn symbol(&mut self, number: u32, text: &str) -> Option<u32> {
        if let Some(Some(known)) = self.batch_symbols.get(number as usize) {
            return Some(*known);
        }
        let interned = self.quotes.symbols.intern(text.as_bytes());
        if self.batch_symbols.len() <= number as usize {
            self.batch_symbols.resize(number as usize + 1, None);
        }
        if let Some(slot) = self.batch_symbols.get_mut(number as usize) {
            *slot = interned;
        }
        interned
    }

    fn venue(&mut self, quote: &LoggedQuote<'_>) -> Field<u16> {
        let find = || self.venues.find(quote.venue).ok_or_else(|| quote.venue.to_owned());
        let Some(number) = quote.venue_number.map(|number| number as usize) else { return find() };
        if let Some(Some(known)) = self.batch_venues.get(number) {
            return known.clone();
        }
        let found = find();
        if self.batch_venues.len() <= number {
            self.batch_venues.resize(number + 1, None);
        }
        if let Some(slot) = self.batch_venues.get_mut(number) {
            *slot = Some(found.clone());
        }
        found
    }

    /// The number of a quote's units; 0 for US dollars and no multiplier given.
    fn units(&mut self, quote: &LoggedQuote<'_>) -> u32 {
        let currency = if quote.currency == "USD" { "" } else { quote.currency };
        let (last, number) = &self.last_units;
        if last.currency == currency && last.multiplier == quote.multiplier {
            return *number;
        }
        let units = Units { currency: currency.to_owned(), multiplier: quote.multiplier };
        let next = self.units.len() as u32;
        let number = *self.units.entry(units.clone()).or_insert(next);
        self.last_units = (units, number);
        number
    }

    /// Drops the quotes whose producers mean other units than the series has.
    fn drop_wrong_units(&mut self, series: &[SeriesRow]) -> Result<(), InputError> {
        let foreign = |row: &SeriesRow| row.currency.as_ref().is_some_and(|currency| currency != "USD");
        if self.with_units.is_empty() && !series.iter().any(foreign) {
            return Ok(());
        }
        let roots = RootTable::new()?;
        let mut described: BTreeMap<String, SeriesRow> = BTreeMap::new();
        for row in series {
            described.entry(canonical(row.osi_symbol.as_bytes()).into_owned()).or_insert_with(|| row.clone());
        }
        let mut terms = Terms::new(&self.header, &roots, &described);
        let units: Vec<&Units> = by_number(&self.units);
        let mut judged: BTreeMap<(u32, u32), Option<ExceptionRow>> = BTreeMap::new();
        let mut with_units = self.with_units.iter().peekable();
        let mut kept = Vec::with_capacity(self.quotes.rows.len());
        let mut faults = Vec::new();
        for (index, quote) in self.quotes.rows.iter().enumerate() {
            let number = with_units.next_if(|(row, _)| *row as usize == index).map_or(0, |(_, number)| *number);
            let fault = judged.entry((quote.symbol, number)).or_insert_with(|| {
                let text = String::from_utf8_lossy(self.quotes.symbols.get(quote.symbol)).into_owned();
                let listed = terms.series(&canonical(text.as_bytes())).ok()?;
                let given = units.get(number as usize)?;
                let currency = if given.currency.is_empty() { "USD" } else { &given.currency };
                let series = &listed.series;
                let (reason, field, before, after) = if currency != series.currency {
                    (WRONG_CURRENCY, "currency", currency.to_owned(), series.currency.clone())
                } else {
                    let multiplier = given.multiplier.filter(|multiplier| *multiplier != series.multiplier)?;
                    (WRONG_MULTIPLIER, "multiplier", multiplier.to_string(), series.multiplier.to_string())
                };
                let mut fault = exceptions::row(reason, Some(&text), field, &before);
                fault.after = Some(after);
                Some(fault)
            });
            match fault {
                Some(fault) => faults.push(fault.clone()),
                None => kept.push(*quote),
            }
        }
        self.quotes.rows = kept;
        for fault in faults {
            self.quotes.refuse(fault);
        }
        Ok(())
    }
}

fn by_number(units: &BTreeMap<Units, u32>) -> Vec<&Units> {
    let mut all: Vec<(&Units, u32)> = units.iter().map(|(units, number)| (units, *number)).collect();
    all.sort_by_key(|(_, number)| *number);
    all.into_iter().map(|(units, _)| units).collect()
}

/// Makes the day of logged quotes and reference texts.
pub(crate) fn assemble_logged(
    mut day: LoggedDay,
    reference: &Embedded,
    previous: Option<&dyn InputSource>,
    options: &ReadOptions,
) -> Result<Day, InputError> {
    let mut faults = Vec::new();
    let reference = ReferenceRows::read(reference, &mut faults)?;
    let previous = match previous {
        Some(source) => Previous::read(source)?,
        None => None,
    };
    day.drop_wrong_units(&reference.series)?;
    let LoggedDay { header, venues, mut quotes, .. } = day;
    let resources = Resources { rows_held_max: usize::MAX, ..Resources::default() };
    let mut gathered = Gathered::new(parts_of(&reference), &resources);
    gathered.take(&mut quotes)?;
    let rows = DayRows { header, venues, reference, gathered, previous, faults };
    whole(Plan::new(rows, options)?, &resources)
}

/// Whether reference texts could be a day's; the rows that would be dropped.
///
/// # Errors
/// What would stop the whole day. Underlyings may be absent, because they may have come earlier.
pub(crate) fn check_reference(texts: &Embedded) -> Result<Vec<ExceptionRow>, InputError> {
    struct WithUnderlyings<'a>(&'a Embedded);
    impl InputSource for WithUnderlyings<'_> {
        fn names(&self) -> std::io::Result<Vec<String>> {
            self.0.names()
        }

        fn open(&self, name: &str) -> std::io::Result<Option<SourceFile>> {
            let file = self.0.open(name)?;
            let empty = || SourceFile::Bytes(bytes::Bytes::from_static(b"underlying,price\n"));
            Ok(if name == "underlyings.csv" { Some(file.unwrap_or_else(empty)) } else { file })
        }
    }
    let mut faults = Vec::new();
    let rows = ReferenceRows::read(&WithUnderlyings(texts), &mut faults)?;
    unique_underlyings(&rows.underlyings)?;
    day_curve(&rows.rates, &ReadOptions::default())?;
    Ok(faults)
}
