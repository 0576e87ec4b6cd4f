//! The sample's ledger of injected faults against what the close made of each.
//!
//! A fault is caught where something published says so: a status, a flag, a reason, a quote left out of the fit, a row
//! of `exceptions`. One that nothing says is harmless where the mark is as good as its unspoilt neighbours' marks, or
//! within their half-spread of the truth; otherwise it is missed.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use closemark_data::sample;
use closemark_pricing::day::UnderlyingDay;
use closemark_pricing::mark::{ExceptionRow, SeriesMark, UnderlyingMarks};
use closemark_pricing::vocabulary::{QuoteFlag, QuoteStatus, Reason};

use crate::truth::Truth;
use crate::whole_close::Closed;

/// One row of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The symbol as the quotes spell it, or the underlying.
    pub target: String,
    /// The venue; empty for all of them.
    pub venue: String,
    /// What was done.
    pub kind: String,
    /// How.
    pub detail: String,
}

/// What became of the faults of one kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KindCount {
    /// In the ledger.
    pub injected: u64,
    /// Something published says so.
    pub caught: u64,
    /// Caught, and yet the mark is farther from the truth than it would have to be for a harmless one.
    pub caught_but_off: u64,
    /// Nothing says so, and nothing needs to.
    pub harmless: u64,
    /// What each missed one is, with the mark and the truth.
    pub missed: Vec<String>,
}

/// The sample's ledger.
///
/// # Errors
/// Where the embedded file is no CSV of four columns.
pub fn ledger() -> Result<Vec<Fault>> {
    read(sample::FAULTS)
}

/// The ledger of a generated day.
///
/// # Errors
/// Where it is no CSV of four columns.
pub fn read(file: impl std::io::Read) -> Result<Vec<Fault>> {
    let mut rows = Vec::new();
    for record in csv::Reader::from_reader(file).records() {
        let record = record?;
        let field = |place: usize| record.get(place).unwrap_or_default().to_owned();
        rows.push(Fault { target: field(0), venue: field(1), kind: field(2), detail: field(3) });
    }
    Ok(rows)
}

/// Judges every fault, by kind.
pub fn judge(closed: &Closed, truth: &BTreeMap<String, Truth>, ledger: &[Fault]) -> BTreeMap<String, KindCount> {
    let rows: Vec<_> = closed.day.underlyings.iter().zip(&closed.marks).collect();
    let faults: Vec<&Fault> = ledger.iter().collect();
    judge_rows(&rows, &closed.day.exceptions, truth, &faults, &spoilt(ledger))
}

/// What the ledger spoils; an adjusted contract is quoted as well as any other.
pub fn spoilt(ledger: &[Fault]) -> BTreeSet<&str> {
    let spoilt = ledger.iter().filter(|fault| fault.kind != "ADJUSTED_DELIVERABLE");
    spoilt.map(|fault| fault.target.as_str()).collect()
}

/// Judges faults of some underlyings, by kind; `input` are rows of `exceptions` that do not stand among the marks' own.
pub fn judge_rows(
    rows: &[(&UnderlyingDay, &UnderlyingMarks)],
    input: &[ExceptionRow],
    truth: &BTreeMap<String, Truth>,
    faults: &[&Fault],
    spoilt: &BTreeSet<&str>,
) -> BTreeMap<String, KindCount> {
    let judge = Judge::new(rows, input, truth, spoilt);
    let mut kinds: BTreeMap<String, KindCount> = BTreeMap::new();
    for fault in faults {
        let count = kinds.entry(fault.kind.clone()).or_default();
        count.injected += 1;
        let off = judge.off(fault);
        if judge.is_caught(fault) {
            count.caught += 1;
            count.caught_but_off += u64::from(off.is_some());
        } else if let Some(off) = off {
            count.missed.push(format!("{} {} {}: {}: {off}", fault.kind, fault.target, fault.venue, fault.detail));
        } else {
            count.harmless += 1;
        }
    }
    kinds
}

struct Judge<'a> {
    rows: &'a [(&'a UnderlyingDay, &'a UnderlyingMarks)],
    truth: &'a BTreeMap<String, Truth>,
    /// Where each series stands.
    places: BTreeMap<&'a str, (&'a UnderlyingDay, &'a UnderlyingMarks, usize)>,
    exceptions: BTreeMap<&'a str, Vec<&'a ExceptionRow>>,
    spoilt: &'a BTreeSet<&'a str>,
}

impl<'a> Judge<'a> {
    fn new(
        rows: &'a [(&'a UnderlyingDay, &'a UnderlyingMarks)],
        input: &'a [ExceptionRow],
        truth: &'a BTreeMap<String, Truth>,
        spoilt: &'a BTreeSet<&'a str>,
    ) -> Self {
        let mut places = BTreeMap::new();
        let mut exceptions: BTreeMap<&str, Vec<&ExceptionRow>> = BTreeMap::new();
        for (day, marks) in rows {
            for (i, series) in day.series.iter().enumerate() {
                places.insert(series.osi_symbol.as_str(), (*day, *marks, i));
            }
        }
        for row in input.iter().chain(rows.iter().flat_map(|(_, marks)| &marks.exceptions)) {
            for key in [&row.osi_symbol, &row.underlying].into_iter().flatten() {
                exceptions.entry(key).or_default().push(row);
            }
        }
        Self { rows, truth, places, exceptions, spoilt }
    }

    fn has_exception(&self, target: &str, wanted: impl Fn(&ExceptionRow) -> bool) -> bool {
        self.exceptions.get(target).is_some_and(|rows| rows.iter().any(|row| wanted(row)))
    }

    fn is_caught(&self, fault: &Fault) -> bool {
        let target = fault.target.as_str();
        let refused = |reason: &str| self.has_exception(target, |row| row.reason == reason);
        match fault.kind.as_str() {
            "DUPLICATE" => return refused("DUPLICATE_QUOTE"),
            "MALFORMED_SYMBOL" | "UNKNOWN_VENUE" | "EXPIRED_SERIES" | "BAD_PRICE" | "NO_UNDERLYING_PRICE" => {
                return refused(&fault.kind);
            }
            "AFTER_HOURS_PRICE" => return refused(Reason::AfterHoursUnderlying.as_str()),
            "HALTED" => {
                let rows = self.rows.iter().filter(|(_, marks)| marks.underlying == target);
                return rows
                    .flat_map(|(_, marks)| &marks.series)
                    .all(|row| row.quote_flags.contains(QuoteFlag::Halted));
            }
            _ => {}
        }
        let Some(&(day, marks, i)) = self.places.get(target) else { return false };
        let Some(row) = marks.series.get(i) else { return false };
        match fault.kind.as_str() {
            "ADJUSTED_DELIVERABLE" => row.reasons.contains(Reason::Adjusted),
            "WIDE" => row.quote_flags.contains(QuoteFlag::Wide) || is_doubted(row),
            "LATE" | "OUT_OF_ORDER" => is_replaced(day, i, row, &fault.venue),
            "SIZE_ZERO" => is_without_size(day, i, row, &fault.venue),
            _ => is_doubted(row) || self.has_exception(target, |_| true),
        }
    }

    /// How far off the mark is, where it is farther off than its unspoilt neighbours and than their half-spread.
    fn off(&self, fault: &Fault) -> Option<String> {
        let &(day, marks, i) = self.places.get(fault.target.as_str())?;
        let (row, series) = (marks.series.get(i)?, day.series.get(i)?);
        let (mark, exact) = (row.mark?.to_f64(), self.truth.get(&series.osi_symbol)?.price?);
        let mut neighbours: Vec<(i64, f64, f64)> = Vec::new();
        for (other, own) in day.series.iter().zip(&marks.series) {
            let same = own.slice == row.slice && other.option_type == series.option_type;
            if !same || self.spoilt.contains(other.osi_symbol.as_str()) {
                continue;
            }
            let (Some(own_mark), Some(own_truth)) = (own.mark, self.truth.get(&other.osi_symbol)) else { continue };
            let (Some(own_truth), Some(bid), Some(ask)) = (own_truth.price, own.bid, own.ask) else { continue };
            let away = (other.strike.micros() - series.strike.micros()).abs();
            neighbours.push((away, (own_mark.to_f64() - own_truth).abs(), 0.5 * (ask.to_f64() - bid.to_f64())));
        }
        neighbours.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        neighbours.truncate(4);
        let shown = neighbours.iter().map(|n| n.1).fold(0.0, f64::max);
        let half_spread = neighbours.iter().map(|n| n.2).fold(0.0, f64::max);
        let error = (mark - exact).abs();
        (error > shown.max(half_spread).max(0.005)).then(|| {
            let text = |price: Option<closemark_pricing::price::Price>| {
                price.map_or_else(|| "-".to_owned(), |price| price.to_f64().to_string())
            };
            let (bid, ask) = (text(row.bid), text(row.ask));
            format!("{bid} x {ask}, mark {mark:.4}, truth {exact:.4}, neighbours' half-spread {half_spread:.4}")
        })
    }
}

/// Whether the published row itself says that its quote was not simply believed.
fn is_doubted(row: &SeriesMark) -> bool {
    let reasons = [Reason::Outlier, Reason::ExecutableArbitrage, Reason::Unusable, Reason::Stale, Reason::Uncrossed];
    row.mark.is_none()
        || row.accepted == Some(false)
        || row.quote_status != QuoteStatus::TwoSided
        || [QuoteFlag::Stale, QuoteFlag::Uncrossed].into_iter().any(|flag| row.quote_flags.contains(flag))
        || reasons.into_iter().any(|reason| row.reasons.contains(reason))
}

/// The venue's row that counts is not the one that came late or out of order: those bid half as much again.
fn is_replaced(day: &UnderlyingDay, i: usize, row: &SeriesMark, venue: &str) -> bool {
    let snapshot = day.series.get(i).map(|series| series.snapshot);
    day.quotes_of(i).iter().filter(|quote| is_venue(day, quote.venue.0, venue)).all(|quote| {
        let in_time = quote.time.zip(snapshot).is_some_and(|(time, snapshot)| time <= snapshot);
        in_time && quote.bid.zip(row.ask).is_some_and(|(bid, ask)| bid <= ask)
    })
}

/// The venue's bid for no contracts is above the best bid, so it does not count.
fn is_without_size(day: &UnderlyingDay, i: usize, row: &SeriesMark, venue: &str) -> bool {
    let own = |quote: &&closemark_pricing::quote::VenueQuote| is_venue(day, quote.venue.0, venue);
    day.quotes_of(i).iter().filter(own).any(|quote| quote.bid_size == Some(0) && quote.bid > row.bid)
}

fn is_venue(day: &UnderlyingDay, number: u16, venue: &str) -> bool {
    day.venues.get(usize::from(number)).is_some_and(|own| own == venue)
}
