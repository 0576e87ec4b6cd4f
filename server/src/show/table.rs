//! The series of a slice: calls on the left, puts on the right, and under it why a mark is not the plain curve.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use closemark_data::publication::read::MarkRow;
use closemark_pricing::Price;
use closemark_pricing::vocabulary::{MarkSource, OptionType};

use super::canvas::Ink;
use super::list::cut;
use crate::text::{money, number};

/// Strikes shown on either side of the forward unless everything is asked for.
const SIDE: usize = 25;

/// The table; around the forward only, unless `all`.
pub(super) fn series(rows: &[&MarkRow], forward: Option<f64>, all: bool, colour: bool) -> String {
    let mut strikes: BTreeMap<Price, (Option<&MarkRow>, Option<&MarkRow>)> = BTreeMap::new();
    for &row in rows {
        let sides = strikes.entry(row.strike).or_default();
        match row.option_type {
            OptionType::Call => sides.0 = Some(row),
            OptionType::Put => sides.1 = Some(row),
        }
    }
    let listed: Vec<_> = strikes.into_iter().collect();
    let below = forward.map_or(listed.len() / 2, |f| listed.partition_point(|(strike, _)| strike.to_f64() < f));
    let (from, to) = if all { (0, listed.len()) } else { (below.saturating_sub(SIDE), listed.len().min(below + SIDE)) };
    let shown = listed.get(from..to).unwrap_or(&[]);

    let heads = |end: &str| format!("{:>8} {:>8} {:>12} {:>6}{end}", "bid", "ask", "mark", "vol %");
    let mut out = format!("{:<54}puts\n{} {:>11} {}\n", "calls", heads("    "), "strike", heads(""));
    for (strike, (call, put)) in shown {
        let _ = writeln!(
            out,
            "{} {:>11} {}",
            Ink::Call.paint(&side(*call), colour),
            money(Some(*strike)),
            Ink::Put.paint(side(*put).trim_end(), colour)
        );
    }
    if shown.len() < listed.len() {
        let _ = writeln!(out, "{} of {} strikes; --all shows every one", shown.len(), listed.len());
    }
    out.push_str(&legend(shown.iter().flat_map(|(_, (call, put))| [*call, *put]).flatten()));
    out.push_str(&whys(shown.iter().flat_map(|(_, (call, put))| [*call, *put]).flatten()));
    out
}

/// One side of a row: the code says what decided the mark, `!` that the quote was excluded.
fn side(row: Option<&MarkRow>) -> String {
    let Some(row) = row else { return " ".repeat(41) };
    let mark = row.mark.map_or("none".to_owned(), |mark| mark.to_string());
    let volatility = number(row.smoothed_volatility.map(|v| 100.0 * v), 2);
    let excluded = if row.accepted == Some(false) { "!" } else { " " };
    format!(
        "{:>8} {:>8} {mark:>12} {volatility:>6} {}{excluded}",
        money(row.bid),
        money(row.ask),
        code(row.mark_source)
    )
}

fn code(source: MarkSource) -> &'static str {
    match source {
        MarkSource::None => "--",
        MarkSource::Override => "ov",
        MarkSource::Intrinsic => "in",
        MarkSource::Carried => "ca",
        MarkSource::TermInterpolated => "ti",
        MarkSource::NbboMid => "mi",
        MarkSource::ItmParity => "pa",
        MarkSource::CapHigh => "ch",
        MarkSource::CapLow => "cl",
        MarkSource::Extrapolated => "ex",
        MarkSource::BoundBid => "bb",
        MarkSource::BoundAsk => "ba",
        MarkSource::Smoothed => "  ",
    }
}

/// The codes that occur, in the vocabulary's order.
fn legend<'a>(rows: impl Iterator<Item = &'a MarkRow>) -> String {
    let mut seen: Vec<MarkSource> = rows.map(|row| row.mark_source).collect();
    seen.sort_unstable();
    seen.dedup();
    let words: Vec<String> = seen
        .into_iter()
        .filter(|source| *source != MarkSource::Smoothed)
        .map(|source| format!("{} {source}", code(source)))
        .collect();
    let mut out = String::from("\n");
    let mut line = String::from("no code: SMOOTHED   !: excluded from the fit");
    for word in words {
        if line.chars().count() + word.len() + 3 > super::WIDTH {
            let _ = writeln!(out, "{line}");
            line.clear();
        } else {
            line.push_str("   ");
        }
        line.push_str(&word);
    }
    let _ = writeln!(out, "{line}");
    out
}

/// Every shown series with a reason, or whose mark left its quote.
fn whys<'a>(rows: impl Iterator<Item = &'a MarkRow>) -> String {
    let mut out = String::new();
    for row in rows {
        let moved = row.edit_half_spreads.filter(|edit| edit.abs() > 1.0);
        if row.reasons.is_empty() && moved.is_none() && row.quote_flags.is_empty() {
            continue;
        }
        if out.is_empty() {
            out.push_str("\nwhy\n");
        }
        let mut said: Vec<String> = row.reasons.clone();
        said.extend(row.quote_flags.iter().filter(|flag| !row.reasons.contains(flag)).cloned());
        let edit = row.edit_half_spreads.map_or(String::new(), |edit| format!("edit {edit:+.2} half-spreads"));
        let line = format!(
            "  {} {:>11} {:<17} {edit:<24} {}",
            row.option_type,
            money(Some(row.strike)),
            row.mark_source.as_str(),
            said.join(", ")
        );
        let _ = writeln!(out, "{}", cut(&line));
    }
    out
}
