//! The rules that each row of `marks.parquet` keeps by itself.

use arrow::array::RecordBatch;
use closemark_pricing::price::Price;
use closemark_pricing::vocabulary::{
    ExerciseStyle, MarkSource, OptionType, QuoteFlag, QuoteStatus, Reason, Settlement, VolatilityStatus,
};

use super::report::{Kind, Violation};
use super::slices::unknown_words;
use crate::publication::read::ReadError;
use crate::publication::read::columns::{Columns, DecimalColumn, TextColumn, count, flag, number, words};
use crate::publication::schema::MARKS;

type Numbers<'a> = &'a arrow::array::Float64Array;

/// The columns that the rules look at.
struct View<'a> {
    symbol: TextColumn<'a>,
    status: TextColumn<'a>,
    source: TextColumn<'a>,
    volatility_status: TextColumn<'a>,
    bid: DecimalColumn<'a>,
    ask: DecimalColumn<'a>,
    mid: DecimalColumn<'a>,
    mark: DecimalColumn<'a>,
    edit: DecimalColumn<'a>,
    strike: DecimalColumn<'a>,
    time: Numbers<'a>,
    implied: Numbers<'a>,
    smoothed: Numbers<'a>,
    confidence: Numbers<'a>,
    edits: [(&'static str, Numbers<'a>); 2],
    greeks: [(&'static str, Numbers<'a>); 5],
    reasons: &'a arrow::array::ListArray,
    accepted: &'a arrow::array::BooleanArray,
    multiplier: &'a arrow::array::Int64Array,
    venues: &'a arrow::array::Int64Array,
}

/// Checks the rows of one batch.
pub(super) fn check(batch: &RecordBatch, run_id: &str, market_date: i32) -> Result<Vec<Violation>, ReadError> {
    let columns = Columns::new(MARKS.file, batch);
    let mut found = Vec::new();
    vocabularies(&columns, run_id, &mut found)?;
    let dates = columns.dates("market_date")?;
    if let Some(other) = dates.iter().flatten().find(|d| *d != market_date) {
        let detail = format!("{}, the manifest says {}", super::date_label(other), super::date_label(market_date));
        found.push(Violation::new(MARKS.file, Kind::Manifest, "market_date", detail));
    }
    let view = View {
        symbol: columns.text("osi_symbol")?,
        status: columns.text("quote_status")?,
        source: columns.text("mark_source")?,
        volatility_status: columns.text("volatility_status")?,
        bid: columns.decimals("bid")?,
        ask: columns.decimals("ask")?,
        mid: columns.decimals("mid")?,
        mark: columns.decimals("mark")?,
        edit: columns.decimals("edit")?,
        strike: columns.decimals("strike")?,
        time: columns.numbers("time_to_expiry")?,
        implied: columns.numbers("implied_volatility")?,
        smoothed: columns.numbers("smoothed_volatility")?,
        confidence: columns.numbers("confidence")?,
        edits: [
            ("edit_half_spreads", columns.numbers("edit_half_spreads")?),
            ("edit_volatility", columns.numbers("edit_volatility")?),
        ],
        greeks: [
            ("delta", columns.numbers("delta")?),
            ("gamma", columns.numbers("gamma")?),
            ("vega", columns.numbers("vega")?),
            ("theta", columns.numbers("theta")?),
            ("rho", columns.numbers("rho")?),
        ],
        reasons: columns.lists("reasons")?,
        accepted: columns.flags("accepted")?,
        multiplier: columns.counts("multiplier")?,
        venues: columns.counts("venue_count")?,
    };
    for row in 0..batch.num_rows() {
        let symbol = view.symbol.or_empty(row);
        view.check(row, &mut |kind, detail| found.push(Violation::new(MARKS.file, kind, symbol, detail)));
    }
    Ok(found)
}

/// Whether a word belongs to its vocabulary.
type Known = fn(&str) -> bool;

/// Dictionaries are checked word by word, not row by row.
fn vocabularies(columns: &Columns<'_>, run_id: &str, found: &mut Vec<Violation>) -> Result<(), ReadError> {
    let closed: [(&str, Known); 6] = [
        ("option_type", |w| OptionType::parse(w).is_some()),
        ("exercise_style", |w| ExerciseStyle::parse(w).is_some()),
        ("settlement", |w| Settlement::parse(w).is_some()),
        ("quote_status", |w| QuoteStatus::parse(w).is_some()),
        ("mark_source", |w| MarkSource::parse(w).is_some()),
        ("volatility_status", |w| VolatilityStatus::parse(w).is_some()),
    ];
    for (column, known) in closed {
        for word in columns.text(column)?.words().into_iter().filter(|w| !known(w)) {
            found.push(Violation::new(MARKS.file, Kind::Vocabulary, column, format!("{word:?}")));
        }
    }
    let lists: [(&str, Known); 2] =
        [("reasons", |w| Reason::parse(w).is_some()), ("quote_flags", |w| QuoteFlag::parse(w).is_some())];
    for (column, known) in lists {
        for word in unknown_words(columns.lists(column)?, known) {
            found.push(Violation::new(MARKS.file, Kind::Vocabulary, column, format!("{word:?}")));
        }
    }
    for word in columns.text("run_id")?.words().into_iter().filter(|w| *w != run_id) {
        let detail = format!("{word:?}, the manifest names {run_id}");
        found.push(Violation::new(MARKS.file, Kind::Manifest, "run_id", detail));
    }
    Ok(())
}

impl View<'_> {
    fn check(&self, row: usize, wrong: &mut dyn FnMut(Kind, String)) {
        self.quote(row, wrong);
        self.nulls(row, wrong);
        self.mark(row, wrong);
        if self.strike.get(row).is_none_or(|k| k <= 0) {
            wrong(Kind::Bounds, "strike is not positive".to_owned());
        }
        if count(self.multiplier, row).is_none_or(|m| m <= 0) {
            wrong(Kind::Bounds, "multiplier is not positive".to_owned());
        }
        for (name, value) in [("implied_volatility", self.implied), ("smoothed_volatility", self.smoothed)] {
            if number(value, row).is_some_and(|v| v < 0.0) {
                wrong(Kind::Bounds, format!("{name} is negative"));
            }
        }
        if number(self.confidence, row).is_some_and(|c| !(0.0..=1.0).contains(&c)) {
            wrong(Kind::Bounds, "confidence is not between 0 and 1".to_owned());
        }
    }

    /// Status, bid, ask and mid tell one story.
    fn quote(&self, row: usize, wrong: &mut dyn FnMut(Kind, String)) {
        let (bid, ask) = (self.bid.get(row), self.ask.get(row));
        if bid.is_some_and(|p| p < 0) || ask.is_some_and(|p| p < 0) {
            wrong(Kind::Quote, format!("a negative price: {}", pair(bid, ask)));
        }
        let live = |p: Option<i64>| p.filter(|p| *p > 0);
        let (bid, ask) = (live(bid), live(ask));
        let Some(status) = QuoteStatus::parse(self.status.or_empty(row)) else { return };
        let fits = match (status, bid, ask) {
            (QuoteStatus::None, None, None)
            | (QuoteStatus::NoAsk, Some(_), None)
            | (QuoteStatus::ZeroBid, None, Some(_)) => true,
            (QuoteStatus::Crossed, Some(b), Some(a)) => b > a,
            (QuoteStatus::Locked, Some(b), Some(a)) => b == a,
            (QuoteStatus::TwoSided, Some(b), Some(a)) => b < a,
            _ => false,
        };
        if !fits {
            wrong(Kind::Quote, format!("{status} with {}", pair(bid, ask)));
        }
        if status != QuoteStatus::None && count(self.venues, row).is_none_or(|n| n <= 0) {
            wrong(Kind::Quote, format!("{status} with no venue"));
        }
        if let (Some(mid), Some(b), Some(a)) = (self.mid.get(row), bid, ask) {
            // The midpoint of an odd spread lies between two millionths; either is right.
            if (2 * i128::from(mid) - i128::from(a) - i128::from(b)).abs() > 1 {
                wrong(Kind::Quote, format!("mid {} of {}", Price::from_micros(mid), pair(bid, ask)));
            }
        }
    }

    /// What may be there, and what must.
    fn nulls(&self, row: usize, wrong: &mut dyn FnMut(Kind, String)) {
        let status = self.status.or_empty(row);
        let has_mid = self.mid.get(row).is_some();
        let may_have_mid = [QuoteStatus::TwoSided, QuoteStatus::Locked].iter().any(|s| s.as_str() == status);
        if has_mid != may_have_mid {
            wrong(Kind::Null, format!("mid is {} at {status}", there(has_mid)));
        }
        let has_implied = number(self.implied, row).is_some();
        let volatility = VolatilityStatus::parse(self.volatility_status.or_empty(row));
        let fits = match volatility {
            Some(VolatilityStatus::Ok) => has_mid && has_implied,
            Some(VolatilityStatus::LowVega) => has_mid,
            Some(VolatilityStatus::NoPrice) => !has_mid && !has_implied,
            Some(_) => !has_implied,
            None => true,
        };
        if !fits {
            let word = self.volatility_status.or_empty(row);
            wrong(Kind::Null, format!("implied_volatility is {} at {word}, {status}", there(has_implied)));
        }
        if !has_mid && flag(self.accepted, row).is_some() {
            wrong(Kind::Null, format!("accepted is there at {status}"));
        }
        let has_mark = self.mark.get(row).is_some();
        for (name, column) in self.edits {
            if number(column, row).is_some() && !(has_mid && has_mark) {
                wrong(Kind::Null, format!("{name} is there without a mid and a mark"));
            }
        }
        let expired = number(self.time, row) == Some(0.0);
        let volatilities = [("implied_volatility", self.implied), ("smoothed_volatility", self.smoothed)];
        for (name, column) in volatilities.into_iter().chain(self.greeks) {
            if expired && number(column, row).is_some() {
                wrong(Kind::Null, format!("{name} is there at no time to expiry"));
            }
        }
        if expired != (volatility == Some(VolatilityStatus::Expired)) {
            let word = self.volatility_status.or_empty(row);
            wrong(Kind::Null, format!("volatility_status {word} at {:?} years", number(self.time, row)));
        }
        let greeks = self.greeks.iter().filter(|(_, column)| number(column, row).is_some()).count();
        if greeks != 0 && greeks != self.greeks.len() {
            wrong(Kind::Null, format!("{greeks} of {} greeks are there", self.greeks.len()));
        }
    }

    /// The mark, its source, its edit.
    fn mark(&self, row: usize, wrong: &mut dyn FnMut(Kind, String)) {
        let (mark, mid, edit) = (self.mark.get(row), self.mid.get(row), self.edit.get(row));
        let source = MarkSource::parse(self.source.or_empty(row));
        if mark.is_none() != (source == Some(MarkSource::None)) {
            wrong(Kind::Null, format!("mark is {} at {}", there(mark.is_some()), self.source.or_empty(row)));
        }
        if mark.is_none() && words(self.reasons, row).is_empty() {
            wrong(Kind::Null, "no mark and no reason".to_owned());
        }
        let expected = mark.zip(mid).and_then(|(mark, mid)| mark.checked_sub(mid));
        if edit != expected {
            let text = |p: Option<i64>| p.map_or("null".to_owned(), |p| Price::from_micros(p).to_string());
            wrong(Kind::Edit, format!("edit {}, mark {}, mid {}", text(edit), text(mark), text(mid)));
        }
        let Some(mark) = mark else { return };
        if mark < 0 {
            wrong(Kind::Bounds, format!("mark {}", Price::from_micros(mark)));
        }
        let (Some(ask), true) = (self.ask.get(row), self.status.or_empty(row) == QuoteStatus::ZeroBid.as_str()) else {
            return;
        };
        // A zero bid yields to the absence of arbitrage, and to people; the row then says so.
        let explained = source == Some(MarkSource::Override) || words(self.reasons, row).iter().any(|w| yields(w));
        if mark > ask && !explained && source != Some(MarkSource::Intrinsic) {
            let detail = format!("mark {} above ask {}", Price::from_micros(mark), Price::from_micros(ask));
            wrong(Kind::ZeroBid, detail);
        }
    }
}

/// Reasons for which a mark may leave a zero bid's range.
fn yields(word: &str) -> bool {
    matches!(
        Reason::parse(word),
        Some(
            Reason::Outlier
                | Reason::ExecutableArbitrage
                | Reason::VerticalEdit
                | Reason::ButterflyEdit
                | Reason::CalendarEdit
                | Reason::ParityEdit
                | Reason::Stale
                | Reason::Unusable
                | Reason::Halted
        )
    )
}

fn there(value: bool) -> &'static str {
    if value { "there" } else { "null" }
}

fn pair(bid: Option<i64>, ask: Option<i64>) -> String {
    let text = |p: Option<i64>| p.map_or("none".to_owned(), |p| Price::from_micros(p).to_string());
    format!("bid {} and ask {}", text(bid), text(ask))
}
