//! One underlying from its rows: series in canonical order, the quotes that count, dividends, digest.
//!
//! Nothing in here knows a file, so that whoever holds the same rows makes the same day.

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
use super::exceptions::{self, CONTRADICTING_TERMS, DUPLICATE_ROW, EXPIRED_SERIES, NO_UNDERLYING_PRICE, UNKNOWN_ROOT};
use super::header::Header;
use super::plan::Plan;
use super::records;
use super::rows::{DividendRow, RateRow, UnderlyingRow};
use super::select::{Groups, Selection};
use super::symbols::RawQuote;
use super::terms::{Listed, Terms};
use crate::digest::{InputDigest, Record};
use crate::osi;
use crate::reference::RootTable;

/// What the symbols of one underlying come to.
#[derive(Default)]
pub(crate) struct Assembled {
    /// The underlying, where any of them is a series.
    pub(crate) day: Option<UnderlyingDay>,
    /// Symbols that coverage counts, in canonical order.
    pub(crate) expected: Vec<String>,
    pub(crate) faults: Vec<ExceptionRow>,
    pub(crate) rows_dropped: u64,
    /// Of its series and quotes; empty where it was not asked for.
    pub(crate) digest: InputDigest,
}

/// Makes one underlying. `symbols` are the numbers of its canonical symbols with how many rows each has, ascending;
/// `rows` are theirs, in reading order; `number_of` gives a row's canonical symbol.
pub(crate) fn assemble(
    plan: &Plan,
    symbols: &[(u32, u64)],
    rows: &[RawQuote],
    number_of: impl Fn(u32) -> u32,
    digested: bool,
) -> Result<Assembled, InputError> {
    let mut admission = Admission::new(plan);
    let group_of_symbol: Vec<(u32, Option<u32>)> = symbols
        .iter()
        .map(|(number, rows)| {
            let symbol = String::from_utf8_lossy(plan.symbol(*number)).into_owned();
            (*number, admission.admit(&symbol, *rows))
        })
        .collect();
    let (listed, place) = admission.in_order();
    let Admission { expected, faults, rows_dropped, .. } = admission;
    let mut out = Assembled { expected, faults, rows_dropped, ..Assembled::default() };
    let Some(first) = listed.first() else { return Ok(out) };

    let group_of = |symbol: u32| {
        let number = number_of(symbol);
        let at = group_of_symbol.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        let group = group_of_symbol.get(at)?.1?;
        place.get(group as usize).copied().flatten()
    };
    let groups = Groups::new(rows, group_of, listed.len());
    let mut day = plan.underlying_day(&first.underlying);
    let mut selection = Selection::new(&plan.venues);
    let mut record = Record::default();
    day.series.reserve(listed.len());
    day.quote_offsets.reserve(listed.len());
    for (group, one) in listed.into_iter().enumerate() {
        let first = day.quotes.len();
        let own_rows = if day.price.is_some() { groups.rows_of(group) } else { &[] };
        selection.choose(&one.underlying, &one.series, rows, own_rows, &mut day.quotes);
        if digested {
            let chosen = day.quotes.get(first..).unwrap_or_default();
            out.digest.add("series", 1, records::series(&mut record, &one));
            if !chosen.is_empty() {
                let count = chosen.len() as u64;
                let quotes = records::quotes(&mut record, &one.series.osi_symbol, chosen, &plan.venues);
                out.digest.add("quotes", count, quotes);
            }
        }
        day.series.push(one.series);
        day.quote_offsets.push(u32::try_from(day.quotes.len()).unwrap_or(u32::MAX));
    }
    out.faults.append(&mut selection.faults);
    out.rows_dropped += selection.rows_dropped;
    out.day = Some(day);
    Ok(out)
}

/// Which of an underlying's symbols are series.
struct Admission<'a> {
    terms: Terms<'a>,
    plan: &'a Plan,
    listed: Vec<Listed>,
    /// Symbols that coverage counts, in the listed order.
    expected: Vec<String>,
    faults: Vec<ExceptionRow>,
    rows_dropped: u64,
}

impl<'a> Admission<'a> {
    fn new(plan: &'a Plan) -> Self {
        Self {
            terms: plan.terms(),
            plan,
            listed: Vec::new(),
            expected: Vec::new(),
            faults: Vec::new(),
            rows_dropped: 0,
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
        if self.plan.only.as_ref().is_some_and(|only| !only.contains(&listed.underlying)) {
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
        let row = self.plan.underlying_row(&listed.underlying);
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
pub(super) fn by_underlying(
    rows: &[DividendRow],
    faults: &mut Vec<ExceptionRow>,
) -> BTreeMap<String, Vec<DividendRow>> {
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

pub(super) fn underlying_day(
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
