//! An underlying's slices with their key figures, and the header of one slice.

use std::fmt::Write as _;

use closemark_data::date;
use closemark_data::publication::read::{MarkRow, OpenRun, SliceRow};
use closemark_pricing::vocabulary::ExerciseStyle;

use super::WIDTH;
use crate::text::{counted, money, number, percent};

/// The list of slices.
pub(super) fn slices(run: &OpenRun, symbol: &str, slices: &[SliceRow], marks: &[MarkRow]) -> String {
    let price = marks.iter().find_map(|mark| mark.underlying_price);
    let mut out = format!(
        "{symbol}  {}  close of {}, run {}{}\n{} in {}\n\n",
        money(price),
        date::to_text(run.market_date),
        run.run_id,
        run.state.map_or(String::new(), |state| format!(" ({state:?})").to_uppercase()),
        counted(marks.len() as u64, "row"),
        counted(slices.len() as u64, "slice"),
    );
    let common: Vec<&String> = slices
        .first()
        .map(|first| first.reasons.iter().filter(|word| slices.iter().all(|s| s.reasons.contains(word))).collect())
        .unwrap_or_default();
    if !common.is_empty() {
        let words: Vec<&str> = common.iter().map(|word| word.as_str()).collect();
        let _ = writeln!(out, "{}\n", cut(&format!("every slice: {}", words.join(", "))));
    }
    let row = |cells: [&str; 12]| {
        let [date, settlement, root, days, series, forward, rate, atm, inside, before, after, confidence] = cells;
        format!(
            "{date:<10} {settlement:<2} {root:<6} {days:>8} {series:>6} {forward:>12} {rate:>9} {atm:>9} {inside:>7} \
             {before:>6} {after:>5} {confidence:>5}"
        )
    };
    let names = [
        "expiration",
        "",
        "root",
        "days",
        "series",
        "forward",
        "borrow*",
        "at money",
        "inside",
        "before",
        "after",
        "conf",
    ];
    let _ = writeln!(out, "{}", row(names));
    for slice in slices {
        let line = row([
            &date::to_text(slice.expiration),
            slice.settlement.as_str(),
            &slice.root,
            &format!("{:.2}", slice.time_to_expiry * 365.0),
            &slice.series_count.to_string(),
            &number(slice.forward, 4),
            &percent(rate_of(slice), 2),
            &percent(slice.atm_volatility, 2),
            &percent(slice.share_inside, 0),
            &total(before_of(slice)).to_string(),
            &total(after_of(slice)).to_string(),
            &format!("{:.2}", slice.confidence),
        ]);
        let _ = writeln!(out, "{}", cut(&line));
        let own: Vec<&str> = slice.reasons.iter().filter(|word| !common.contains(word)).map(String::as_str).collect();
        if !own.is_empty() {
            let _ = writeln!(out, "{}", cut(&format!("              {}", own.join(", "))));
        }
    }
    out.push_str(
        "\n* carry for European classes; before and after: violations in the mids and in the published integers\n",
    );
    out
}

/// The header of one slice: everything that decided its marks, in a few lines.
pub(super) fn header(symbol: &str, slice: &SliceRow, rows: &[&MarkRow]) -> String {
    let price = rows.iter().find_map(|mark| mark.underlying_price);
    let (rate_name, rate) = match slice.exercise_style {
        ExerciseStyle::American => ("borrow", slice.borrow_rate),
        ExerciseStyle::European => ("carry", slice.carry_rate),
    };
    let discount = slice.discount_factor.map_or("-".to_owned(), |d| format!("{:.6}", d as f64 / 1e12));
    let mut out = format!(
        "{symbol} {} {} {} {}, {}, {} to expiry\n",
        slice.root,
        date::to_text(slice.expiration),
        slice.settlement,
        slice.deliverable,
        slice.exercise_style,
        days(slice.time_to_expiry)
    );
    let _ = writeln!(
        out,
        "underlying {}  forward {}  discount {discount}  {rate_name} {}  dividends {}",
        money(price),
        number(slice.forward, 4),
        percent(rate, 3),
        number(slice.dividend_present_value, 4)
    );
    let _ = writeln!(
        out,
        "at the money {}  inside {}  accepted {}\nviolations before: {}; after: {}",
        percent(slice.atm_volatility, 2),
        percent(slice.share_inside, 1),
        percent(slice.share_accepted, 1),
        violations(before_of(slice)),
        violations(after_of(slice))
    );
    let _ = writeln!(
        out,
        "confidence {:.2}  {} after {}  left-out error {}  degrees of freedom {}",
        slice.confidence,
        slice.solver_status,
        counted(slice.iterations.unsigned_abs(), "round"),
        percent(slice.left_out_error, 3),
        number(slice.degrees_of_freedom, 1)
    );
    if !slice.reasons.is_empty() {
        let _ = writeln!(out, "{}", cut(&format!("reasons: {}", slice.reasons.join(", "))));
    }
    out.push('\n');
    out
}

fn days(years: f64) -> String {
    let days = years * 365.0;
    if days < 2.0 { format!("{:.1} hours", days * 24.0) } else { format!("{days:.1} days") }
}

fn rate_of(slice: &SliceRow) -> Option<f64> {
    slice.borrow_rate.or(slice.carry_rate)
}

fn before_of(slice: &SliceRow) -> [i64; 4] {
    [
        slice.violations_before_vertical,
        slice.violations_before_butterfly,
        slice.violations_before_calendar,
        slice.violations_before_parity,
    ]
}

fn after_of(slice: &SliceRow) -> [i64; 4] {
    [
        slice.violations_after_vertical,
        slice.violations_after_butterfly,
        slice.violations_after_calendar,
        slice.violations_after_parity,
    ]
}

fn total(counts: [i64; 4]) -> i64 {
    counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
}

fn violations(counts: [i64; 4]) -> String {
    let named = ["vertical", "butterfly", "calendar", "parity"];
    let said: Vec<String> =
        counts.iter().zip(named).filter(|(n, _)| **n > 0).map(|(n, kind)| format!("{n} {kind}")).collect();
    if said.is_empty() { "none".to_owned() } else { said.join(", ") }
}

/// A line no wider than the screen we write for.
pub(super) fn cut(line: &str) -> String {
    let line = line.trim_end();
    if line.chars().count() <= WIDTH {
        return line.to_owned();
    }
    let mut short: String = line.chars().take(WIDTH - 1).collect();
    short.push('…');
    short
}
