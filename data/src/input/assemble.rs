//! From rows to a day: series in canonical order, the quotes that count, dividends, curve, digest.
//!
//! Nothing in here knows a file, so that whoever holds the same rows makes the same day.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use closemark_pricing::curve::DiscountCurve;
use closemark_pricing::day::{CashDividend, DividendKnowledge, UnderlyingDay};
use closemark_pricing::mark::ExceptionRow;
use closemark_pricing::price::Price;
use closemark_pricing::quote::VenueQuote;
use closemark_pricing::series::Series;
use closemark_pricing::vocabulary::MarginGroup;

use super::ReadOptions;
use super::contradictions::contradictions;
use super::error::InputError;
use super::exceptions::{
    self, CONTRADICTING_TERMS, DUPLICATE_ROW, EXPIRED_SERIES, MALFORMED_SYMBOL, NO_UNDERLYING_PRICE, UNKNOWN_ROOT,
};
use super::header::Header;
use super::previous::Previous;
use super::quotes::QuoteRows;
use super::records;
use super::reference_files::ReferenceRows;
use super::rows::{DividendRow, RateRow, SeriesRow, UnderlyingRow};
use super::select::{Groups, Selection};
use super::symbols::Symbols;
use super::terms::{Listed, Terms, canonical};
use crate::day::Day;
use crate::digest::{InputDigest, Record};
use crate::reference::{RootTable, VenueTable};
use crate::{osi, time};

/// Everything a day is made of.
pub(crate) struct DayRows {
    pub(crate) header: Header,
    pub(crate) venues: VenueTable,
    pub(crate) reference: ReferenceRows,
    pub(crate) quotes: QuoteRows,
    pub(crate) previous: Option<Previous>,
    /// Faults of the reference rows.
    pub(crate) faults: Vec<ExceptionRow>,
}

/// Makes the day.
pub(crate) fn assemble(rows: DayRows, options: &ReadOptions) -> Result<Day, InputError> {
    let DayRows { header, venues, reference, mut quotes, previous, mut faults } = rows;
    let roots = RootTable::new()?;
    let underlyings = unique_underlyings(&reference.underlyings)?;
    let curve = day_curve(&reference.rates, options)?;
    let mut universe = Universe::new(&header, &roots, &reference.series, &underlyings, options, &mut faults);
    universe.take(&quotes);
    let (listed, place) = universe.in_order();
    let Universe { group_of_canonical, canonical_of_raw, expected, faults: series_faults, rows_dropped, .. } = universe;
    let group_of_symbol: Vec<Option<u32>> = canonical_of_raw
        .iter()
        .map(|number| {
            let group = group_of_canonical.get(*number as usize).copied().flatten()?;
            place.get(group as usize).copied().flatten()
        })
        .collect();
    let groups = Groups::new(&quotes.rows, &group_of_symbol, listed.len());

    let mut digest = InputDigest::default();
    let mut selection = Selection::new(&venues);
    let mut dividends = by_underlying(&reference.dividends, &mut faults);
    let placeholder = Arc::new(DiscountCurve::flat(0.0).map_err(|error| InputError::curve("rates.csv", error))?);
    let shared_curve = curve.clone().unwrap_or(placeholder);
    let mics: Arc<[String]> = venues.venues().iter().map(|venue| venue.mic.clone()).collect();
    let mut days: Vec<UnderlyingDay> = Vec::new();
    let mut record = Record::default();
    for (group, one) in listed.into_iter().enumerate() {
        if days.last().is_none_or(|day| day.underlying != one.underlying) {
            let row = underlyings.get(one.underlying.as_str()).copied();
            let own = dividends.remove(&one.underlying).unwrap_or_default();
            let mut day =
                underlying_day(&one.underlying, row, &own, &header, &roots, shared_curve.clone(), mics.clone());
            if let Some(previous) = &previous {
                day.previous = previous.adjusted(&one.underlying, &reference.corporate_actions, header.market_date);
            }
            days.push(day);
        }
        let Some(day) = days.last_mut() else { continue };
        let first = day.quotes.len();
        let own_rows = if day.price.is_some() { groups.rows_of(group) } else { &[] };
        selection.choose(&one.underlying, &one.series, &quotes.rows, own_rows, &mut day.quotes);
        let chosen = day.quotes.get(first..).unwrap_or_default();
        digest.add("series", 1, records::series(&mut record, &one));
        if !chosen.is_empty() {
            let count = chosen.len() as u64;
            digest.add("quotes", count, records::quotes(&mut record, &one.series.osi_symbol, chosen, &venues));
        }
        day.series.push(one.series);
        day.quote_offsets.push(u32::try_from(day.quotes.len()).unwrap_or(u32::MAX));
    }

    let Selection { faults: duplicate_faults, rows_dropped: duplicates, .. } = selection;
    // Rows that others superseded are no content: neither they nor their number may reach a published byte.
    let counted: u64 = days.iter().map(|day| day.quotes.len() as u64).sum();
    let rows_dropped_in_all = quotes.rows_dropped + rows_dropped + duplicates;
    faults.append(&mut quotes.faults);
    faults.extend(series_faults);
    faults.extend(duplicate_faults);
    exceptions::canonical_order(&mut faults);
    records::reference(&mut digest, &header, &reference, previous.as_ref(), &faults);
    Ok(Day {
        market_date: header.market_date,
        snapshot: header.snapshot,
        snapshot_text: time::to_new_york_text(header.snapshot),
        curve,
        underlyings: days,
        exceptions: faults,
        rows_read: counted + rows_dropped_in_all,
        rows_dropped: rows_dropped_in_all,
        expected,
        settings: header.settings,
        venues: mics.to_vec(),
        input_digest: digest.hex(),
        previous_run: previous.map(|previous| previous.run_id),
        record_counts: digest.counts(),
    })
}

pub(super) fn unique_underlyings(rows: &[UnderlyingRow]) -> Result<BTreeMap<&str, &UnderlyingRow>, InputError> {
    let mut all = BTreeMap::new();
    for (index, row) in rows.iter().enumerate() {
        if all.insert(row.underlying.as_str(), row).is_some() {
            return Err(InputError::file("underlyings.csv", "each underlying once")
                .at_row(index as u64 + 1)
                .at_column("underlying")
                .with_value(&row.underlying));
        }
    }
    Ok(all)
}

pub(super) fn day_curve(rates: &[RateRow], options: &ReadOptions) -> Result<Option<Arc<DiscountCurve>>, InputError> {
    if let Some(rate) = options.flat_rate {
        let curve = DiscountCurve::flat(rate).map_err(|error| InputError::curve("--flat-rate", error))?;
        return Ok(Some(Arc::new(curve)));
    }
    if rates.is_empty() {
        return Ok(None);
    }
    let pairs: Vec<(f64, f64)> = rates.iter().map(|row| (row.tenor_days / 365.0, row.zero_rate)).collect();
    let curve = DiscountCurve::from_zero_rates(&pairs).map_err(|error| InputError::curve("rates.csv", error))?;
    Ok(Some(Arc::new(curve)))
}

/// Dividend rows by underlying, without rows that stand there twice.
fn by_underlying(rows: &[DividendRow], faults: &mut Vec<ExceptionRow>) -> BTreeMap<String, Vec<DividendRow>> {
    let mut all: BTreeMap<String, Vec<DividendRow>> = BTreeMap::new();
    for row in rows {
        let own = all.entry(row.underlying.clone()).or_default();
        if own.contains(row) {
            let mut fault = exceptions::row(DUPLICATE_ROW, None, "dividends.csv", &row.status);
            fault.underlying = Some(row.underlying.clone());
            fault.expiration = row.ex_date;
            faults.push(fault);
        } else {
            own.push(row.clone());
        }
    }
    all
}

fn underlying_day(
    name: &str,
    row: Option<&UnderlyingRow>,
    dividends: &[DividendRow],
    header: &Header,
    roots: &RootTable,
    curve: Arc<DiscountCurve>,
    venues: Arc<[String]>,
) -> UnderlyingDay {
    let mut schedule: Vec<CashDividend> = dividends
        .iter()
        .filter(|dividend| dividend.status != "none")
        .filter_map(|dividend| {
            let time = header.calendar.last_exercise_before(dividend.ex_date?)?;
            let amount = dividend.amount.filter(|amount| *amount > 0.0)?;
            Some(CashDividend { time, amount, declared: dividend.status == "declared" })
        })
        .filter(|dividend| dividend.time > header.snapshot)
        .collect();
    schedule.sort_by(|a, b| a.time.cmp(&b.time).then(a.amount.total_cmp(&b.amount)));
    let dividend_knowledge = if dividends.iter().any(|dividend| dividend.status != "none") {
        DividendKnowledge::Scheduled
    } else if dividends.is_empty() {
        DividendKnowledge::Unknown
    } else {
        DividendKnowledge::PaysNone
    };
    UnderlyingDay {
        underlying: name.to_owned(),
        market_date: header.market_date,
        snapshot: header.snapshot,
        price: row.and_then(|r| r.price),
        price_time: row.and_then(|r| r.price_time),
        halted: row.is_some_and(|r| r.halted),
        settlement_price: row.and_then(|r| r.settlement_price).filter(|price| *price > Price::ZERO),
        margin_group: row.and_then(|r| r.margin_group).or(roots.margin_group(name)).unwrap_or(MarginGroup::Equity),
        leverage: row.and_then(|r| r.leverage).unwrap_or(1.0),
        dividend_knowledge,
        dividends: schedule,
        curve,
        series: Vec::new(),
        quotes: Vec::<VenueQuote>::new(),
        quote_offsets: vec![0],
        venues,
        previous: Vec::new(),
    }
}

/// Which series there are, found out symbol by symbol.
struct Universe<'a> {
    terms: Terms<'a>,
    underlyings: &'a BTreeMap<&'a str, &'a UnderlyingRow>,
    only: Option<BTreeSet<&'a str>>,
    canonical: Symbols,
    canonical_of_raw: Vec<u32>,
    group_of_canonical: Vec<Option<u32>>,
    listed: Vec<Listed>,
    /// Symbols that coverage counts, in the listed order.
    expected: Vec<String>,
    faults: Vec<ExceptionRow>,
    rows_dropped: u64,
}

impl<'a> Universe<'a> {
    fn new(
        header: &'a Header,
        roots: &'a RootTable,
        series_rows: &'a [SeriesRow],
        underlyings: &'a BTreeMap<&'a str, &'a UnderlyingRow>,
        options: &'a ReadOptions,
        faults: &mut Vec<ExceptionRow>,
    ) -> Self {
        let mut described: BTreeMap<String, &SeriesRow> = BTreeMap::new();
        let mut canonical_symbols = Symbols::default();
        for row in series_rows {
            let symbol = canonical(row.osi_symbol.as_bytes()).into_owned();
            if canonical_symbols.intern(symbol.as_bytes()).is_none() {
                faults.push(exceptions::row(MALFORMED_SYMBOL, Some(&symbol), "series.csv", &symbol));
                continue;
            }
            match described.entry(symbol) {
                Entry::Occupied(taken) => {
                    faults.push(exceptions::row(DUPLICATE_ROW, Some(taken.key()), "series.csv", taken.key()));
                }
                Entry::Vacant(free) => {
                    free.insert(row);
                }
            }
        }
        Self {
            terms: Terms::new(header, roots, described),
            underlyings,
            only: options.only.as_ref().map(|names| names.iter().map(String::as_str).collect()),
            canonical: canonical_symbols,
            canonical_of_raw: Vec::new(),
            group_of_canonical: Vec::new(),
            listed: Vec::new(),
            expected: Vec::new(),
            faults: Vec::new(),
            rows_dropped: 0,
        }
    }

    fn take(&mut self, quotes: &QuoteRows) {
        let mut rows_of_raw = vec![0u64; quotes.symbols.len()];
        for quote in &quotes.rows {
            if let Some(count) = rows_of_raw.get_mut(quote.symbol as usize) {
                *count += 1;
            }
        }
        for raw in 0..quotes.symbols.len() as u32 {
            let symbol = canonical(quotes.symbols.get(raw));
            self.canonical_of_raw.push(self.canonical.intern(symbol.as_bytes()).unwrap_or(u32::MAX));
        }
        let mut rows = vec![0u64; self.canonical.len()];
        for (raw, count) in self.canonical_of_raw.iter().zip(rows_of_raw) {
            if let Some(total) = rows.get_mut(*raw as usize) {
                *total += count;
            }
        }
        for (number, rows) in rows.into_iter().enumerate() {
            let symbol = String::from_utf8_lossy(self.canonical.get(number as u32)).into_owned();
            let group = self.admit(&symbol, rows);
            self.group_of_canonical.push(group);
        }
    }

    /// The number of a symbol's series, or `None` with an exception where it has none.
    fn admit(&mut self, symbol: &str, rows: u64) -> Option<u32> {
        let mut listed = match self.terms.series(symbol) {
            Ok(listed) => listed,
            Err(reason) => {
                // Of a symbol whose every row was refused already, the rows have said why.
                if rows > 0 || self.terms.describes(symbol) {
                    let mut fault = exceptions::symbol(reason, symbol, rows);
                    if reason == UNKNOWN_ROOT {
                        fault.root = osi::decode(symbol.as_bytes()).ok().map(|osi| osi.root.to_owned());
                    }
                    self.drop_rows(fault, rows);
                }
                return None;
            }
        };
        if self.only.as_ref().is_some_and(|only| !only.contains(listed.underlying.as_str())) {
            return None;
        }
        if rows == 0 && !listed.described {
            return None;
        }
        if self.terms.is_expired(listed.series.expiration) {
            // A reference file may name series of other days; only what quotes or is expected is at fault.
            if rows > 0 || listed.expected {
                self.drop_rows(exceptions::series(EXPIRED_SERIES, &listed.underlying, &listed.series, rows), rows);
            }
            return None;
        }
        let row = self.underlyings.get(listed.underlying.as_str());
        if row.is_none_or(|row| row.price.is_none()) {
            let fault = exceptions::series(NO_UNDERLYING_PRICE, &listed.underlying, &listed.series, rows);
            self.drop_rows(fault, rows);
            // A series that some file vouches for stays, and gets a null mark with this reason.
            if row.is_none() && !listed.described {
                return None;
            }
        }
        listed.rows = rows;
        self.listed.push(listed);
        u32::try_from(self.listed.len() - 1).ok()
    }

    /// The series in canonical order without those that contradict their slice, and the new place of each old one.
    fn in_order(&mut self) -> (Vec<Listed>, Vec<Option<u32>>) {
        let (mut listed, order) = in_canonical_order(std::mem::take(&mut self.listed));
        self.expected = listed.iter().filter(|one| one.expected).map(|one| one.series.osi_symbol.clone()).collect();
        let fields = contradictions(&listed);
        let mut kept = 0;
        let mut place = Vec::with_capacity(listed.len());
        for (one, field) in listed.iter().zip(&fields) {
            place.push(field.is_none().then_some(kept));
            match field {
                None => kept += 1,
                Some(field) => {
                    let mut fault = exceptions::series(CONTRADICTING_TERMS, &one.underlying, &one.series, one.rows);
                    fault.field = Some(field.column.to_owned());
                    fault.before = Some(field.value.clone());
                    self.drop_rows(fault, one.rows);
                }
            }
        }
        if place.len() > kept as usize {
            let mut keeps = fields.iter().map(Option::is_none);
            listed.retain(|_| keeps.next().unwrap_or(true));
        }
        let place = order.into_iter().map(|sorted| place.get(sorted as usize).copied().flatten()).collect();
        (listed, place)
    }

    fn drop_rows(&mut self, fault: ExceptionRow, rows: u64) {
        self.faults.push(fault);
        self.rows_dropped += rows;
    }
}

/// Series by underlying, expiration, settlement, root, strike, type, symbol; and the new place of each old one.
fn in_canonical_order(listed: Vec<Listed>) -> (Vec<Listed>, Vec<u32>) {
    fn ranks<'a>(words: impl Iterator<Item = &'a str>) -> BTreeMap<&'a str, usize> {
        let distinct: BTreeSet<&str> = words.collect();
        distinct.into_iter().enumerate().map(|(rank, word)| (word, rank)).collect()
    }
    let order: Vec<usize> = {
        let underlyings = ranks(listed.iter().map(|one| one.underlying.as_str()));
        let roots = ranks(listed.iter().map(|one| one.series.root.as_str()));
        let key = |index: usize, one: &Listed| {
            let Series { root, expiration, settlement, strike, option_type, .. } = &one.series;
            let (underlying, root) = (underlyings.get(one.underlying.as_str()), roots.get(root.as_str()));
            ((underlying.copied(), *expiration, *settlement, root.copied(), *strike, *option_type), index)
        };
        let symbol = |index: usize| listed.get(index).map(|one| one.series.osi_symbol.as_str());
        let mut keys: Vec<_> = listed.iter().enumerate().map(|(index, one)| key(index, one)).collect();
        keys.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| symbol(a.1).cmp(&symbol(b.1))));
        keys.into_iter().map(|(_, index)| index).collect()
    };
    let mut place = vec![0u32; listed.len()];
    for (new, old) in order.iter().enumerate() {
        if let Some(slot) = place.get_mut(*old) {
            *slot = new as u32;
        }
    }
    let mut taken: Vec<Option<Listed>> = listed.into_iter().map(Some).collect();
    let sorted = order.iter().filter_map(|old| taken.get_mut(*old).and_then(Option::take)).collect();
    (sorted, place)
}
