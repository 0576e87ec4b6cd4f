//! What a close prints at its end, at most 100 columns wide.

use std::fmt::Write as _;

use closemark_data::date;
use closemark_data::day::Day;
use closemark_data::publication::{Bound, Gate, Published, RunState};
use closemark_data::report::figures::{Board, largest_edits};
use closemark_pricing::mark::ViolationCounts;
use closemark_pricing::price::Price;
use closemark_pricing::vocabulary::Reason;

use crate::source::DaySource;
use crate::text::{counted, grouped, money, percent};

/// Rows of the table of largest edits.
const EDITS: usize = 5;

/// What `--check` found in the input.
pub(crate) fn checked(source: &DaySource) -> String {
    let (day, series) = (source.head(), source.series());
    let mut out = format!(
        "Input of {}, snapshot {}: {} series of {}, {} read, {} dropped, {}\n",
        date::to_text(day.market_date),
        day.snapshot_text,
        grouped(series),
        counted(source.plan().len() as u64, "underlying"),
        counted(day.rows_read, "quote row"),
        grouped(day.rows_dropped),
        counted(day.exceptions.len() as u64, "exception"),
    );
    let mut reasons = std::collections::BTreeMap::<&str, u64>::new();
    for row in &day.exceptions {
        *reasons.entry(row.reason).or_default() += 1;
    }
    for (reason, count) in reasons {
        let _ = writeln!(out, "  {reason:<28} {:>10}", grouped(count));
    }
    out
}

/// The table after a close.
pub(crate) fn closed(day: &Day, board: &Board<'_>, published: &Published) -> String {
    let mut out = String::new();
    let total = &board.total;
    let _ = writeln!(
        out,
        "Close of {} (snapshot {}): {} series, {}, {}",
        date::to_text(day.market_date),
        day.snapshot_text,
        grouped(total.series),
        counted(board.rows.len() as u64, "underlying"),
        counted(total.slices, "slice"),
    );

    out.push_str("\nMarks by source\n");
    let mut sources: Vec<_> = total.sources.iter().collect();
    sources.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    for (source, count) in sources {
        let share = *count as f64 / total.series.max(1) as f64;
        let bar = "█".repeat((40.0 * share).ceil().max(0.0) as usize);
        let _ =
            writeln!(out, "  {:<18} {:>10} {:>8}  {bar}", source.as_str(), grouped(*count), percent(Some(share), 2));
    }

    out.push_str("\nQuotes, two-sided and out of the money\n");
    for (name, share) in [("inside the quote", total.inside), ("accepted", total.accepted)] {
        let _ = writeln!(
            out,
            "  {name:<18} {:>10} {:>8}  of {}",
            grouped(share.part),
            percent(share.fraction(), 2),
            grouped(share.whole)
        );
    }

    out.push_str("\nViolations            vertical  butterfly   calendar     parity\n");
    for (name, counts) in [("in the mids", total.before), ("published", total.after)] {
        let _ = writeln!(out, "  {name:<18} {}", kinds(counts));
    }
    let _ = writeln!(out, "\nSlices not converged  {} of {}", grouped(total.non_converged), grouped(total.slices));
    let [made, possible] =
        [published.totals.largest_move_micros, published.totals.smallest_possible_move_micros].map(Price::from_micros);
    let _ = writeln!(out, "Largest move to exact integers {made}, {possible} at best");

    let unmarked = total.series - total.marked;
    let _ = writeln!(out, "Series without a mark {}", grouped(unmarked));
    for (reason, count) in &total.null_reasons {
        let _ = writeln!(out, "  {:<28} {:>10}", reason.as_str(), grouped(*count));
    }

    let edits = largest_edits(board, EDITS);
    if !edits.is_empty() {
        out.push_str("\nLargest edits                   bid        ask           mark  half-spreads  why\n");
    }
    for edit in edits {
        let reasons: Vec<&str> = edit.mark.reasons.iter().map(Reason::as_str).collect();
        let why = if reasons.is_empty() { edit.mark.mark_source.to_string() } else { reasons.join(", ") };
        let line = format!(
            "  {:<21} {:>10} {:>10} {:>14} {:>13.2}  {why}",
            edit.series.osi_symbol,
            money(edit.mark.bid),
            money(edit.mark.ask),
            edit.mark.mark.map_or("none".to_owned(), |mark| mark.to_string()),
            edit.half_spreads
        );
        let _ = writeln!(out, "{}", cut(&line, 100));
    }

    ending(&mut out, published);
    out
}

/// What is said of a run that had been published before: its counts, and that it holds.
pub(crate) fn published_before(day: &Day, published: &Published) -> String {
    let totals = &published.totals;
    let mut out = format!(
        "Close of {} (snapshot {}): {} series, {}, {}\n",
        date::to_text(day.market_date),
        day.snapshot_text,
        grouped(totals.series),
        counted(totals.underlyings, "underlying"),
        counted(totals.slices, "slice"),
    );
    ending(&mut out, published);
    out
}

/// Gates, the run, its folder.
fn ending(out: &mut String, published: &Published) {
    out.push_str("\nGates                      value       limit\n");
    for gate in &published.gates {
        let _ = writeln!(out, "  {}", gate_line(gate));
    }
    let _ = writeln!(
        out,
        "\nRun {} is {}{}\n{}",
        published.run_id,
        match published.state {
            RunState::Final => "FINAL: CURRENT points to it",
            RunState::Preliminary => "PRELIMINARY, held by a gate: CURRENT is unmoved",
            RunState::Corrected => "CORRECTED",
        },
        if published.already_published { " (it was published before, and holds)" } else { "" },
        published.folder.display()
    );
}

fn kinds(counts: ViolationCounts) -> String {
    [counts.vertical, counts.butterfly, counts.calendar, counts.parity]
        .map(|count| format!("{:>10}", grouped(u64::from(count))))
        .join(" ")
}

fn gate_line(gate: &Gate) -> String {
    let whole = gate.name == "violations";
    let value = if whole { grouped(gate.count) } else { percent(gate.value, 2) };
    let limit = if whole { grouped(gate.limit.max(0.0) as u64) } else { percent(Some(gate.limit), 2) };
    let side = match gate.bound {
        Bound::AtLeast => ">=",
        Bound::AtMost => "<=",
    };
    let result = if gate.pass { "passed" } else { "HELD" };
    let counts = if whole || gate.of == 0 {
        String::new()
    } else {
        format!("  {} of {}", grouped(gate.count), grouped(gate.of))
    };
    format!("{:<18} {value:>11} {:>11}  {result:<6}{counts}", gate.name.replace('_', " "), format!("{side} {limit}"))
}

fn cut(line: &str, width: usize) -> String {
    if line.chars().count() <= width {
        return line.to_owned();
    }
    let mut short: String = line.chars().take(width.saturating_sub(1)).collect();
    short.push('…');
    short
}
