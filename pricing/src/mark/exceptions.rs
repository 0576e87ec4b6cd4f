//! The rows of `exceptions`: every exclusion, cap, fallback, and edits beyond one half-spread.

use crate::day::UnderlyingDay;
use crate::mark::ClassResult;
use crate::mark::rows::{ExceptionRow, SeriesMark, UnderlyingMarks};
use crate::mark::slices::Slice;
use crate::nbbo::{DropKind, Nbbo};
use crate::price::Price;
use crate::series::Series;
use crate::settings::Settings;
use crate::vocabulary::{MarkSource, Reason, Stage};

/// Venue quotes left out of the best bid and offer.
pub(super) fn dropped_quotes(day: &UnderlyingDay, nbbos: &[Nbbo]) -> Vec<ExceptionRow> {
    let text = |p: Option<Price>| p.map_or_else(|| "-".to_owned(), |p| p.to_string());
    day.series
        .iter()
        .zip(nbbos)
        .flat_map(|(series, nbbo)| nbbo.dropped.iter().map(move |d| (series, d)))
        .map(|(series, dropped)| ExceptionRow {
            scope: "venue_quote",
            field: Some(day.venues.get(usize::from(dropped.venue.0)).cloned().unwrap_or_default()),
            before: Some(format!("{} x {}", text(dropped.bid), text(dropped.ask))),
            ..ExceptionRow::series(
                series,
                &day.underlying,
                Stage::Nbbo,
                match dropped.kind {
                    DropKind::CrossedInItself => Reason::Unusable,
                    DropKind::Uncrossed => Reason::Uncrossed,
                },
            )
        })
        .collect()
}

/// The print that gave way to the options' own price.
pub(super) fn replaced_spot(day: &UnderlyingDay, print: Price, spot: Price) -> ExceptionRow {
    ExceptionRow {
        scope: "underlying",
        underlying: Some(day.underlying.clone()),
        stage: Stage::Parity.as_str(),
        reason: Reason::AfterHoursUnderlying.as_str(),
        field: Some("price".to_owned()),
        before: Some(print.to_string()),
        after: Some(spot.to_string()),
        ..ExceptionRow::default()
    }
}

/// Slices with a fallback or without convergence, series excluded, capped, or moved far.
pub(super) fn class_rows(
    marks: &mut UnderlyingMarks,
    day: &UnderlyingDay,
    slices: &[Slice],
    result: &ClassResult,
    settings: &Settings,
) {
    let mut rows = Vec::new();
    for work in &result.works {
        let (Some(slice), Some(mark)) = (slices.get(work.slice), marks.slices.get(work.slice)) else { continue };
        for reason in [
            Reason::ForwardFromModel,
            Reason::BorrowSuspect,
            Reason::NonConverged,
            Reason::FewQuotes,
            Reason::CarriedSurface,
            Reason::LargeMove,
        ] {
            if mark.reasons.contains(reason) {
                rows.push(slice_row(day, slice, reason));
            }
        }
        for index in slice.members() {
            let (Some(series), Some(row)) = (day.series.get(index), marks.series.get(index)) else { continue };
            let text = |p: Option<Price>| p.map(|p| p.to_string());
            let moved = row.edit_half_spreads.is_some_and(|e| e.abs() > settings.publish.edit_exception_half_spreads);
            for reason in [Reason::Outlier, Reason::ExecutableArbitrage, Reason::Stale, Reason::Unusable] {
                if row.reasons.contains(reason) {
                    rows.push(ExceptionRow {
                        field: Some("mid".to_owned()),
                        before: text(row.mid),
                        after: text(row.mark),
                        ..ExceptionRow::series(series, &day.underlying, Stage::Smoothing, reason)
                    });
                }
            }
            if matches!(row.mark_source, MarkSource::CapHigh | MarkSource::CapLow) {
                rows.push(ExceptionRow {
                    field: Some("smoothed_volatility".to_owned()),
                    before: row.implied_volatility.map(|v| format!("{v:.6}")),
                    after: row.smoothed_volatility.map(|v| format!("{v:.6}")),
                    ..ExceptionRow::series(series, &day.underlying, Stage::Smoothing, Reason::VolatilityCap)
                });
            }
            if moved {
                rows.extend(large_edit(day, series, row));
            }
        }
    }
    marks.exceptions.extend(rows);
}

/// The row of an edit beyond the limit, unless the row's own exclusion already stands there.
fn large_edit(day: &UnderlyingDay, series: &Series, row: &SeriesMark) -> Option<ExceptionRow> {
    let edits = [Reason::VerticalEdit, Reason::ButterflyEdit, Reason::CalendarEdit, Reason::ParityEdit];
    let reason = edits.into_iter().find(|r| row.reasons.contains(*r));
    if reason.is_none() && row.reasons.contains(Reason::Outlier) {
        return None;
    }
    Some(ExceptionRow {
        field: Some("mark".to_owned()),
        before: row.mid.map(|p| p.to_string()),
        after: row.mark.map(|p| p.to_string()),
        ..ExceptionRow::series(series, &day.underlying, Stage::Publish, reason.unwrap_or(Reason::LargeEdit))
    })
}

/// Large edits of series that expire now, whose marks are intrinsic whatever their quotes say.
pub(super) fn intrinsic_rows(marks: &mut UnderlyingMarks, day: &UnderlyingDay, settings: &Settings) {
    let rows: Vec<ExceptionRow> = day
        .series
        .iter()
        .zip(&marks.series)
        .filter(|(_, row)| row.mark_source == MarkSource::Intrinsic)
        .filter(|(_, row)| {
            row.edit_half_spreads.is_some_and(|e| e.abs() > settings.publish.edit_exception_half_spreads)
        })
        .filter_map(|(series, row)| large_edit(day, series, row))
        .collect();
    marks.exceptions.extend(rows);
}

fn slice_row(day: &UnderlyingDay, slice: &Slice, reason: Reason) -> ExceptionRow {
    let stage = match reason {
        Reason::ForwardFromModel | Reason::BorrowSuspect => Stage::Parity,
        Reason::LargeMove => Stage::Publish,
        _ => Stage::Smoothing,
    };
    ExceptionRow {
        scope: "slice",
        underlying: Some(day.underlying.clone()),
        root: Some(slice.root.clone()),
        expiration: Some(slice.expiration),
        settlement: Some(slice.settlement),
        stage: stage.as_str(),
        reason: reason.as_str(),
        ..ExceptionRow::default()
    }
}
