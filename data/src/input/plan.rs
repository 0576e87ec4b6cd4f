//! A day's rows before they are underlyings: which symbols belong to which, and everything they share.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use closemark_pricing::curve::DiscountCurve;
use closemark_pricing::day::UnderlyingDay;
use closemark_pricing::mark::ExceptionRow;

use super::ReadOptions;
use super::assemble::{Assembled, assemble, by_underlying, day_curve, underlying_day, unique_underlyings};
use super::error::InputError;
use super::exceptions::{self, DUPLICATE_ROW, MALFORMED_SYMBOL};
use super::gather::{Gathered, spilling};
use super::header::Header;
use super::previous::Previous;
use super::reference_files::ReferenceRows;
use super::rows::{DividendRow, SeriesRow, UnderlyingRow};
use super::spill::Parts;
use super::symbols::RawQuote;
use super::terms::{Terms, canonical};
use crate::reference::{RootTable, VenueTable};

/// Everything a day is made of.
pub(crate) struct DayRows {
    pub(crate) header: Header,
    pub(crate) venues: VenueTable,
    pub(crate) reference: ReferenceRows,
    pub(crate) gathered: Gathered,
    pub(crate) previous: Option<Previous>,
    /// Faults of the reference rows.
    pub(crate) faults: Vec<ExceptionRow>,
}

/// The symbols of one underlying.
#[derive(Debug, Default)]
struct Bucket {
    /// Numbers of canonical symbols, ascending.
    symbols: Vec<u32>,
    /// Numbers of symbols in another form, and of their canonical ones.
    aliases: Vec<(u32, u32)>,
}

/// What underlyings are made of, one at a time and in any order.
pub(crate) struct Plan {
    pub(crate) header: Header,
    pub(crate) venues: VenueTable,
    pub(crate) reference: ReferenceRows,
    pub(crate) previous: Option<Previous>,
    /// The only underlyings to be closed.
    pub(crate) only: Option<BTreeSet<String>>,
    /// Faults of the reference rows and of quote rows.
    pub(crate) faults: Vec<ExceptionRow>,
    /// The curve that the input or the options give.
    pub(crate) curve: Option<Arc<DiscountCurve>>,
    pub(crate) mics: Arc<[String]>,
    roots: RootTable,
    described: BTreeMap<String, SeriesRow>,
    underlying_rows: BTreeMap<String, usize>,
    dividends: BTreeMap<String, Vec<DividendRow>>,
    placeholder: Arc<DiscountCurve>,
    gathered: Gathered,
    /// Symbols that came in another form than the canonical one, and that one's number; ascending.
    aliases: Vec<(u32, u32)>,
    /// By underlying, ascending; the first is of the symbols that have none.
    buckets: Vec<Bucket>,
    /// The bucket of each canonical symbol.
    bucket_of_symbol: Vec<u32>,
    /// Parts that were read last.
    recent: Mutex<Vec<(u16, Arc<PartRows>)>>,
}

/// A part's rows by bucket.
struct PartRows {
    /// Ascending bucket, then in reading order.
    rows: Vec<RawQuote>,
    /// Buckets that have rows, ascending, with the place of their first.
    starts: Vec<(u32, usize)>,
}

/// Parts kept in memory after they were read.
const RECENT_PARTS: usize = 3;

/// Parts of a day's rows by the names in `underlyings.csv`.
pub(crate) fn parts_of(reference: &ReferenceRows) -> Parts {
    let names: BTreeSet<&str> = reference.underlyings.iter().map(|row| row.underlying.as_str()).collect();
    Parts::of(names.into_iter().collect::<Vec<_>>().into_iter())
}

impl Plan {
    pub(crate) fn new(rows: DayRows, options: &ReadOptions) -> Result<Self, InputError> {
        let DayRows { header, venues, mut reference, mut gathered, previous, mut faults } = rows;
        let roots = RootTable::new()?;
        unique_underlyings(&reference.underlyings)?;
        let curve = day_curve(&reference.rates, options)?;
        let described = described(std::mem::take(&mut reference.series), &mut gathered, &mut faults);
        let aliases = aliases(&mut gathered)?;
        let names = reference.underlyings.iter().enumerate().map(|(at, row)| (row.underlying.clone(), at));
        let dividends = by_underlying(&reference.dividends, &mut faults);
        faults.append(&mut gathered.faults);
        let placeholder = DiscountCurve::flat(0.0).map_err(|error| InputError::curve("rates.csv", error))?;
        let mut plan = Self {
            underlying_rows: names.collect(),
            mics: venues.venues().iter().map(|venue| venue.mic.clone()).collect(),
            only: options.only.as_ref().map(|names| names.iter().cloned().collect()),
            header,
            venues,
            reference,
            previous,
            faults,
            curve,
            roots,
            described,
            dividends,
            placeholder: Arc::new(placeholder),
            gathered,
            aliases,
            buckets: Vec::new(),
            bucket_of_symbol: Vec::new(),
            recent: Mutex::new(Vec::new()),
        };
        plan.fill_buckets();
        Ok(plan)
    }

    /// Quote rows that were dropped while they were read.
    pub(crate) fn rows_dropped(&self) -> u64 {
        self.gathered.rows_dropped
    }

    /// How many groups of symbols there are: one of those without an underlying, then one for each underlying, ascending.
    pub(crate) fn buckets(&self) -> usize {
        self.buckets.len()
    }

    /// The text of a numbered symbol.
    pub(crate) fn symbol(&self, number: u32) -> &[u8] {
        self.gathered.symbols.get(number)
    }

    /// Terms of series by this day's header, the root table and `series.csv`.
    pub(crate) fn terms(&self) -> Terms<'_> {
        Terms::new(&self.header, &self.roots, &self.described)
    }

    /// The row of `underlyings.csv`.
    pub(crate) fn underlying_row(&self, name: &str) -> Option<&UnderlyingRow> {
        self.reference.underlyings.get(*self.underlying_rows.get(name)?)
    }

    /// An underlying without series.
    pub(crate) fn underlying_day(&self, name: &str) -> UnderlyingDay {
        let own = self.dividends.get(name).map(Vec::as_slice).unwrap_or_default();
        let curve = self.curve.as_ref().unwrap_or(&self.placeholder).clone();
        let row = self.underlying_row(name);
        let mut day = underlying_day(name, row, own, &self.header, &self.roots, curve, self.mics.clone());
        if let Some(previous) = &self.previous {
            day.previous = previous.adjusted(name, &self.reference.corporate_actions, self.header.market_date);
        }
        day
    }

    /// Makes the underlying of one group of symbols, with the digest of its series and quotes where that is asked for.
    pub(crate) fn make(&self, bucket: usize, digested: bool) -> Result<Assembled, InputError> {
        let Some(own) = self.buckets.get(bucket) else { return Ok(Assembled::default()) };
        let mut parts = BTreeSet::new();
        let mut rows_of: Vec<(u32, u64)> = own.symbols.iter().map(|number| (*number, 0)).collect();
        let mut note = |symbol: u32, number: u32| {
            let rows = self.gathered.rows_of_symbol.get(symbol as usize).copied().unwrap_or(0);
            if rows > 0 {
                parts.extend(self.gathered.part_of_symbol.get(symbol as usize));
                if let Ok(at) = rows_of.binary_search_by_key(&number, |(number, _)| *number)
                    && let Some((_, all)) = rows_of.get_mut(at)
                {
                    *all += u64::from(rows);
                }
            }
        };
        own.symbols.iter().for_each(|number| note(*number, *number));
        own.aliases.iter().for_each(|(symbol, number)| note(*symbol, *number));
        let mut rows = Vec::new();
        for part in parts {
            let read = self.part(part)?;
            rows.extend_from_slice(read.of(bucket as u32));
        }
        assemble(self, &rows_of, &rows, |symbol| self.number_of(symbol), digested)
    }

    /// The number of a symbol's canonical form.
    fn number_of(&self, symbol: u32) -> u32 {
        match self.aliases.binary_search_by_key(&symbol, |(symbol, _)| *symbol) {
            Ok(at) => self.aliases.get(at).map_or(symbol, |(_, number)| *number),
            Err(_) => symbol,
        }
    }

    /// A part's rows; those read last are still there.
    fn part(&self, part: u16) -> Result<Arc<PartRows>, InputError> {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = recent.iter().position(|(number, _)| *number == part) {
            let found = recent.remove(at);
            let rows = Arc::clone(&found.1);
            recent.push(found);
            return Ok(rows);
        }
        if recent.len() >= RECENT_PARTS {
            recent.remove(0);
        }
        let mut rows = self.gathered.store.rows(part).map_err(|error| spilling(&error))?;
        let bucket_of = |row: &RawQuote| self.bucket_of_symbol.get(self.number_of(row.symbol) as usize).copied();
        if !rows.is_sorted_by_key(bucket_of) {
            rows.sort_by_cached_key(bucket_of);
        }
        let mut starts: Vec<(u32, usize)> = Vec::new();
        for (place, row) in rows.iter().enumerate() {
            let bucket = bucket_of(row).unwrap_or_default();
            if starts.last().is_none_or(|(last, _)| *last != bucket) {
                starts.push((bucket, place));
            }
        }
        let read = Arc::new(PartRows { rows, starts });
        recent.push((part, Arc::clone(&read)));
        Ok(read)
    }

    /// Groups the canonical symbols by underlying.
    fn fill_buckets(&mut self) {
        let mut by_name: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        let mut lost = Bucket::default();
        let mut terms = Terms::new(&self.header, &self.roots, &self.described);
        let mut last: Option<(Vec<u8>, Option<String>)> = None;
        for number in 0..self.gathered.symbols.len() as u32 {
            if self.number_of(number) != number {
                continue;
            }
            let symbol = self.gathered.symbols.get(number);
            // Where no file describes series, symbols of one root have one underlying.
            let root = symbol.get(..6).filter(|_| symbol.len() == 21 && self.described.is_empty());
            let underlying = match &last {
                Some((known, underlying)) if root == Some(known.as_slice()) && osi_form(symbol) => underlying.clone(),
                _ => {
                    let found = terms.underlying(&String::from_utf8_lossy(symbol));
                    last = root.filter(|_| osi_form(symbol)).map(|root| (root.to_vec(), found.clone()));
                    found
                }
            };
            match underlying {
                Some(name) => match by_name.get_mut(&name) {
                    Some(own) => own.push(number),
                    None => {
                        by_name.insert(name, vec![number]);
                    }
                },
                None => lost.symbols.push(number),
            }
        }
        drop(terms);
        self.buckets = vec![lost];
        self.buckets.extend(by_name.into_values().map(|symbols| Bucket { symbols, aliases: Vec::new() }));
        self.bucket_of_symbol = vec![0; self.gathered.symbols.len()];
        for (bucket, own) in self.buckets.iter().enumerate() {
            for number in &own.symbols {
                if let Some(slot) = self.bucket_of_symbol.get_mut(*number as usize) {
                    *slot = bucket as u32;
                }
            }
        }
        for alias in &self.aliases {
            let bucket = self.bucket_of_symbol.get(alias.1 as usize).copied().unwrap_or_default();
            if let Some(own) = self.buckets.get_mut(bucket as usize) {
                own.aliases.push(*alias);
            }
        }
    }
}

impl PartRows {
    fn of(&self, bucket: u32) -> &[RawQuote] {
        let Ok(at) = self.starts.binary_search_by_key(&bucket, |(bucket, _)| *bucket) else { return &[] };
        let start = self.starts.get(at).map_or(0, |(_, start)| *start);
        let end = self.starts.get(at + 1).map_or(self.rows.len(), |(_, start)| *start);
        self.rows.get(start..end).unwrap_or_default()
    }
}

/// Whether a symbol is an OSI symbol, so that its root alone decides its underlying.
fn osi_form(symbol: &[u8]) -> bool {
    crate::osi::decode(symbol).is_ok()
}

/// The rows of `series.csv` by canonical symbol; second ones and those without a possible symbol are faults.
fn described(
    rows: Vec<SeriesRow>,
    gathered: &mut Gathered,
    faults: &mut Vec<ExceptionRow>,
) -> BTreeMap<String, SeriesRow> {
    let mut all: BTreeMap<String, SeriesRow> = BTreeMap::new();
    for row in rows {
        let symbol = canonical(row.osi_symbol.as_bytes()).into_owned();
        if gathered.intern(symbol.as_bytes()).is_none() {
            faults.push(exceptions::row(MALFORMED_SYMBOL, Some(&symbol), "series.csv", &symbol));
            continue;
        }
        match all.entry(symbol) {
            Entry::Occupied(taken) => {
                faults.push(exceptions::row(DUPLICATE_ROW, Some(taken.key()), "series.csv", taken.key()));
            }
            Entry::Vacant(free) => {
                free.insert(row);
            }
        }
    }
    all
}

/// Symbols in another form than the canonical one with the canonical one's number, ascending.
fn aliases(gathered: &mut Gathered) -> Result<Vec<(u32, u32)>, InputError> {
    let mut all = Vec::new();
    for number in 0..gathered.symbols.len() as u32 {
        let symbol = gathered.symbols.get(number);
        // Longer ones are canonical or opaque.
        if symbol.len() >= 21 {
            continue;
        }
        let text = canonical(symbol).into_owned();
        if text.as_bytes() != symbol {
            let own = gathered.intern(text.as_bytes());
            all.push((number, own.ok_or_else(|| InputError::file("quotes.parquet", "too many distinct symbols"))?));
        }
    }
    Ok(all)
}
