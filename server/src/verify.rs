//! `closemark verify`: whether published files hold, from the files alone.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use closemark_data::verify::{VerifyReport, verify};

use crate::cli::VerifyArguments;
use crate::exit::Exit;
use crate::output;
use crate::text::{counted, grouped};

/// Violations printed; `--all` is for the rest.
const SHOWN: usize = 20;

pub(crate) fn run(arguments: &VerifyArguments) -> anyhow::Result<Exit> {
    let report = verify(&arguments.folder)?;
    output::print(&said(&report, if arguments.all { usize::MAX } else { SHOWN }))?;
    Ok(if report.holds() { Exit::Done } else { Exit::Failed })
}

fn said(report: &VerifyReport, shown: usize) -> String {
    let mut out = format!(
        "Close of {}, run {}: {} in {}, {} checked\n",
        report.market_date,
        report.run_id,
        counted(report.marks, "mark"),
        counted(report.slices, "slice"),
        counted(report.conditions, "condition"),
    );
    if report.holds() {
        out.push_str("Everything holds.\n");
        return out;
    }
    let _ = writeln!(
        out,
        "{} not hold:",
        if report.violation_count == 1 {
            "1 does".to_owned()
        } else {
            format!("{} do", grouped(report.violation_count))
        }
    );
    let mut kinds = BTreeMap::<&str, u64>::new();
    for violation in &report.violations {
        *kinds.entry(violation.kind.as_str()).or_default() += 1;
    }
    for (kind, count) in kinds {
        let _ = writeln!(out, "  {kind:<12} {:>10}", grouped(count));
    }
    for violation in report.violations.iter().take(shown) {
        let line: String = violation.to_string().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let _ = writeln!(out, "{line}");
    }
    let rest = report.violation_count.saturating_sub(report.violations.len().min(shown) as u64);
    if rest > 0 {
        let _ = writeln!(
            out,
            "... and {} more; --all lists up to {}",
            grouped(rest),
            grouped(VerifyReport::VIOLATIONS_MAX as u64)
        );
    }
    out
}
