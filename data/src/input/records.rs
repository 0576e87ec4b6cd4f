//! The canonical records that the input digest is taken over.

use closemark_pricing::mark::ExceptionRow;
use closemark_pricing::price::Price;
use closemark_pricing::quote::VenueQuote;

use super::header::Header;
use super::previous::Previous;
use super::reference_files::ReferenceRows;
use super::terms::Listed;
use crate::digest::{InputDigest, Record};
use crate::reference::VenueTable;

/// A series with its resolved terms: what the root table said counts as much as what a file did.
pub(crate) fn series<'r>(record: &'r mut Record, one: &Listed) -> &'r Record {
    let series = &one.series;
    record.clear().text(&series.osi_symbol).text(&one.underlying).text(&series.root);
    record.whole(series.expiration.0.into()).whole(series.settlement_time.0).whole(series.snapshot.0);
    record.whole(series.strike.micros()).text(series.option_type.as_str()).text(series.exercise_style.as_str());
    record.text(series.settlement.as_str()).whole(series.multiplier.into()).text(&series.currency);
    record.text(&series.deliverable.text).whole(series.calendar.into()).whole(one.expected.into())
}

/// The quotes of one series that count, ascending MIC.
pub(crate) fn quotes<'r>(
    record: &'r mut Record,
    symbol: &str,
    quotes: &[VenueQuote],
    venues: &VenueTable,
) -> &'r Record {
    record.clear().text(symbol);
    for quote in quotes {
        let mic = venues.venues().get(usize::from(quote.venue.0)).map_or("", |venue| venue.mic.as_str());
        record.text(mic).maybe(quote.bid.map(Price::micros)).maybe(quote.bid_size.map(i64::from));
        record.maybe(quote.ask.map(Price::micros)).maybe(quote.ask_size.map(i64::from));
        record.maybe(quote.time.map(|time| time.0));
    }
    record
}

/// Everything else: the header, the reference rows, the previous run, and what was dropped, because the
/// exceptions are published.
pub(crate) fn reference(
    digest: &mut InputDigest,
    header: &Header,
    rows: &ReferenceRows,
    previous: Option<&Previous>,
    faults: &[ExceptionRow],
) {
    let mut record = Record::default();
    record.whole(header.market_date.0.into()).whole(header.snapshot.0).text(header.calendar.kind().as_str());
    for (root, at) in &header.snapshots {
        record.text(root).whole(at.0);
    }
    digest.add("day", 1, &record);
    for row in &rows.underlyings {
        record.clear().text(&row.underlying).maybe(row.price.map(Price::micros)).maybe(row.price_time.map(|t| t.0));
        record.whole(row.halted.into()).text(row.margin_group.map_or("", |group| group.as_str()));
        record.real(row.leverage.unwrap_or(1.0)).maybe(row.settlement_price.map(Price::micros));
        digest.add("underlyings", 1, &record);
    }
    for row in &rows.dividends {
        record.clear().text(&row.underlying).maybe(row.ex_date.map(|day| day.0.into()));
        record.real(row.amount.unwrap_or(0.0)).text(&row.status);
        digest.add("dividends", 1, &record);
    }
    for row in &rows.rates {
        record.clear().real(row.tenor_days).real(row.zero_rate);
        digest.add("rates", 1, &record);
    }
    for row in &rows.corporate_actions {
        record.clear().text(&row.underlying).whole(row.effective_date.0.into()).text(&row.kind);
        record.real(row.ratio.unwrap_or(0.0)).real(row.amount.unwrap_or(0.0));
        digest.add("corporate_actions", 1, &record);
    }
    if let Some(previous) = previous {
        record.clear().text(&previous.run_id);
        digest.add("previous", 1, &record);
    }
    for row in faults {
        record.clear().text(row.scope).text(row.reason);
        for field in [&row.underlying, &row.osi_symbol, &row.field, &row.before, &row.after] {
            record.text(field.as_deref().unwrap_or(""));
        }
        digest.add("dropped", 1, &record);
    }
}
