//! From symbols to series: the symbol itself, the root table and `series.csv`, in that rising order of authority.

use std::borrow::Cow;
use std::collections::BTreeMap;

use closemark_pricing::series::{Date, Instant, Series};
use closemark_pricing::vocabulary::{ExerciseStyle, Settlement};

use super::deliverable;
use super::exceptions::{MALFORMED_ROW, MALFORMED_SYMBOL, UNKNOWN_ROOT};
use super::header::Header;
use super::rows::SeriesRow;
use crate::osi;
use crate::reference::{Root, RootTable};

/// A series and what the day needs to know beside its terms.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) underlying: String,
    pub(crate) series: Series,
    /// Coverage counts it.
    pub(crate) expected: bool,
    /// `series.csv` names it.
    pub(crate) described: bool,
    /// Quote rows that name it.
    pub(crate) rows: u64,
}

/// Makes series, remembering what many of them share.
pub(crate) struct Terms<'a> {
    header: &'a Header,
    roots: &'a RootTable,
    rows: &'a BTreeMap<String, SeriesRow>,
    root_memo: BTreeMap<String, Option<Root>>,
    settlement_memo: BTreeMap<(Date, Settlement), Option<Instant>>,
    trading_day_memo: BTreeMap<Date, Date>,
}

impl<'a> Terms<'a> {
    /// Terms by a day's header, the root table and the rows of `series.csv` under their canonical symbols.
    pub(crate) fn new(header: &'a Header, roots: &'a RootTable, rows: &'a BTreeMap<String, SeriesRow>) -> Self {
        Self {
            header,
            roots,
            rows,
            root_memo: BTreeMap::new(),
            settlement_memo: BTreeMap::new(),
            trading_day_memo: BTreeMap::new(),
        }
    }

    /// The series of a canonical symbol, or the reason's word why there is none.
    pub(crate) fn series(&mut self, symbol: &str) -> Result<Listed, &'static str> {
        let osi = osi::decode(symbol.as_bytes()).ok();
        let row = self.rows.get(symbol);
        if osi.is_none() && row.is_none() {
            return Err(MALFORMED_SYMBOL);
        }
        let root_name = osi.map_or_else(|| opaque_root(symbol, row), |osi| osi.root.to_owned());
        let root = self.root(&root_name);
        let given = |place: fn(&SeriesRow) -> Option<&String>| row.and_then(place).cloned();
        let underlying = given(|r| r.underlying.as_ref())
            .or_else(|| osi.and(root.as_ref()).map(|r| r.underlying.clone()))
            .ok_or(if osi.is_some() { UNKNOWN_ROOT } else { MALFORMED_ROW })?;
        // An unknown root whose style and settlement nobody gave must not become American by accident.
        let style = row.and_then(|r| r.exercise_style).or(root.as_ref().map(|r| r.exercise_style));
        let settlement = row.and_then(|r| r.settlement).or(root.as_ref().map(|r| r.settlement));
        let (style, settlement) = match (style, settlement, osi) {
            (Some(style), Some(settlement), _) => (style, settlement),
            (_, _, Some(_)) => return Err(UNKNOWN_ROOT),
            (style, settlement, None) => {
                (style.unwrap_or(ExerciseStyle::European), settlement.unwrap_or(Settlement::Pm))
            }
        };
        let expiration = row.and_then(|r| r.expiration).or(osi.map(|o| o.expiration)).ok_or(MALFORMED_ROW)?;
        let strike = row.and_then(|r| r.strike).or(osi.map(|o| o.strike)).ok_or(MALFORMED_ROW)?;
        let option_type = row.and_then(|r| r.option_type).or(osi.map(|o| o.option_type)).ok_or(MALFORMED_ROW)?;
        if strike.micros() <= 0 {
            return Err(MALFORMED_ROW);
        }
        let settlement_time = match row.and_then(|r| r.expiration_time) {
            Some(given) => given,
            None => self.settlement_time(expiration, settlement).ok_or(MALFORMED_ROW)?,
        };
        let multiplier = row.and_then(|r| r.multiplier).unwrap_or(100);
        let currency = given(|r| r.currency.as_ref()).unwrap_or_else(|| "USD".to_owned());
        let deliverable = match row.and_then(|r| r.deliverable.as_deref()) {
            Some(text) => deliverable::parse(text, &underlying, &currency, multiplier).ok_or(MALFORMED_ROW)?,
            None if root.as_ref().is_some_and(|r| !r.standard) => deliverable::unknown(),
            None => deliverable::standard(multiplier, &underlying),
        };
        let series = Series {
            osi_symbol: symbol.to_owned(),
            snapshot: self.header.snapshot_of(&root_name),
            root: root_name,
            expiration,
            settlement_time,
            strike,
            option_type,
            exercise_style: style,
            settlement,
            multiplier,
            currency,
            deliverable,
            calendar: root.is_none_or(|r| r.calendar),
        };
        let expected = row.is_some_and(|r| r.expected);
        Ok(Listed { underlying, series, expected, described: row.is_some(), rows: 0 })
    }

    /// The underlying of a canonical symbol, as [`Self::series`] finds it; `None` where it finds none.
    pub(crate) fn underlying(&mut self, symbol: &str) -> Option<String> {
        let row = self.rows.get(symbol);
        if let Some(given) = row.and_then(|row| row.underlying.as_ref()) {
            return Some(given.clone());
        }
        let osi = osi::decode(symbol.as_bytes()).ok()?;
        self.root(osi.root).map(|root| root.underlying)
    }

    /// Whether `series.csv` has a row of a symbol.
    pub(crate) fn describes(&self, symbol: &str) -> bool {
        self.rows.contains_key(symbol)
    }

    /// Whether an expiration's trading day lies before the market date.
    pub(crate) fn is_expired(&mut self, expiration: Date) -> bool {
        let calendar = &self.header.calendar;
        let day = self.trading_day_memo.entry(expiration);
        *day.or_insert_with(|| calendar.trading_day_on_or_before(expiration)) < self.header.market_date
    }

    fn root(&mut self, name: &str) -> Option<Root> {
        if let Some(known) = self.root_memo.get(name) {
            return known.clone();
        }
        let found = self.roots.find(name);
        self.root_memo.insert(name.to_owned(), found.clone());
        found
    }

    fn settlement_time(&mut self, expiration: Date, settlement: Settlement) -> Option<Instant> {
        let calendar = &self.header.calendar;
        *self
            .settlement_memo
            .entry((expiration, settlement))
            .or_insert_with(|| calendar.settlement_instant(expiration, settlement))
    }
}

/// The root of an opaque symbol: its underlying's name, by which the root table may still know it, or what stands
/// before the first sign that is no capital letter or digit.
fn opaque_root(symbol: &str, row: Option<&SeriesRow>) -> String {
    let head: String = symbol.chars().take_while(|c| c.is_ascii_uppercase() || c.is_ascii_digit()).take(6).collect();
    match row.and_then(|r| r.underlying.clone()) {
        Some(underlying) => underlying,
        None => head,
    }
}

/// The canonical form of a symbol as it came: padded where it is an OSI symbol, itself otherwise.
pub(crate) fn canonical(symbol: &[u8]) -> Cow<'_, str> {
    match osi::decode(symbol) {
        // The form of 21 bytes is the canonical one.
        Ok(decoded) if symbol.len() < 21 => {
            decoded.canonical().map_or_else(|| String::from_utf8_lossy(symbol), Cow::Owned)
        }
        _ => String::from_utf8_lossy(symbol),
    }
}
