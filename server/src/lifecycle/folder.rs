//! Decisions on a bare folder of published closes.

use anyhow::Context;
use closemark_data::date;
use closemark_data::publication::read::read_mark;
use closemark_data::publication::{OverrideRecord, current, date_folder, finalize as finalize_run, run_folder};

use crate::cli::{CloseArguments, FinalizeArguments, OverrideArguments};
use crate::close::{self, Correction};
use crate::exit::Exit;

pub(super) fn finalize(arguments: &FinalizeArguments, operator: &str) -> anyhow::Result<String> {
    let run = arguments.run.as_str();
    let state = finalize_run(&arguments.out, arguments.date, run, operator, &arguments.reason)?;
    Ok(format!("Run {run} of {} is {}, by {operator}\n", date::to_text(arguments.date), state.as_str()))
}

/// Closes the input again with the marks fixed: a new run, built on the one that counts.
pub(super) fn override_mark(arguments: &OverrideArguments, operator: &str) -> anyhow::Result<Exit> {
    anyhow::ensure!(
        arguments.approve.is_empty() && arguments.reject.is_empty(),
        "--approve and --reject answer a proposal of the service; a bare folder has none"
    );
    let input = arguments.input.as_ref().context("on a bare folder --input DIR is needed: the day is closed again")?;
    let folder = date_folder(&arguments.out, arguments.date)?;
    let base = match &arguments.run {
        Some(run) => Some(run.clone()),
        None => current(&folder)?,
    };
    let base =
        base.with_context(|| format!("no close of {} counts; name one with --run", date::to_text(arguments.date)))?;
    let run = run_folder(&folder, &base).filter(|run| run.is_dir());
    let run = run.with_context(|| format!("there is no run {base:?}"))?;
    let mut overrides = Vec::new();
    for (symbol, mark) in &arguments.marks {
        read_mark(&run, symbol)?.with_context(|| format!("run {base} has no series {symbol:?}"))?;
        overrides.push(OverrideRecord {
            osi_symbol: symbol.clone(),
            mark_micros: mark.micros(),
            author: operator.to_owned(),
            reason: arguments.reason.clone(),
        });
    }
    anyhow::ensure!(!overrides.is_empty(), "no mark is given; allowed is SYMBOL=MARK");
    let close = CloseArguments::of_folder(input.clone(), arguments.out.clone());
    close::run_corrected(&close, &Correction { base_run: Some(&base), overrides: &overrides })
}
