//! Decisions on a bare folder of published closes.

use anyhow::Context;
use closemark_data::date;
use closemark_data::publication::read::{open_run, read_mark};
use closemark_data::publication::{OverrideRecord, current, date_folder, finalize as finalize_run};
use closemark_data::settings::read_run_text;

use crate::cli::{CloseArguments, FinalizeArguments, OverrideArguments};
use crate::close::{self, Again, Correction};
use crate::exit::Exit;

pub(super) fn finalize(arguments: &FinalizeArguments, operator: &str) -> anyhow::Result<String> {
    let run = arguments.run.as_str();
    let state = finalize_run(&arguments.out, arguments.date, run, operator, &arguments.reason)?;
    Ok(format!("Run {run} of {} is {}, by {operator}\n", date::to_text(arguments.date), state.as_str()))
}

/// Closes the input again with the marks fixed: a new run, built on the one that counts.
pub(super) fn override_mark(arguments: &OverrideArguments, operator: &str) -> anyhow::Result<Exit> {
    anyhow::ensure!(
        arguments.approve.is_empty() && arguments.reject.is_empty() && arguments.withdraw.is_empty(),
        "--approve, --reject and --withdraw answer a proposal of the service; a bare folder has none"
    );
    let input = arguments.input.as_ref().context("on a bare folder --input DIR is needed: the day is closed again")?;
    let folder = date_folder(&arguments.out, arguments.date)?;
    let base = match &arguments.run {
        Some(run) => Some(run.clone()),
        None => current(&folder)?,
    };
    let base =
        base.with_context(|| format!("no close of {} counts; name one with --run", date::to_text(arguments.date)))?;
    let run = open_run(&folder, &base, arguments.date)?;
    let (settings, choices) = read_run_text(&run.manifest.settings).context("the run's settings")?;
    anyhow::ensure!(
        choices.only.is_empty() || run.manifest.base_run.is_some(),
        "run {base} holds only some underlyings; a mark is fixed in a run of the whole day"
    );
    anyhow::ensure!(!arguments.marks.is_empty(), "no mark is given; allowed is SYMBOL=MARK");
    // Marks that were fixed before stay fixed, but for those that are fixed anew.
    let mut overrides = run.manifest.overrides.clone();
    overrides.retain(|one| arguments.marks.iter().all(|(symbol, _)| *symbol != one.osi_symbol));
    for (symbol, mark) in &arguments.marks {
        let row = read_mark(&run.folder, symbol)?.with_context(|| format!("run {base} has no series {symbol:?}"))?;
        anyhow::ensure!(
            (row.multiplier, row.currency.as_str()) == (i64::from(arguments.multiplier), arguments.currency.as_str()),
            "{symbol}: the mark is said in {} times {}, the series is in {} times {}; --multiplier and --currency say it",
            arguments.currency,
            arguments.multiplier,
            row.currency,
            row.multiplier
        );
        overrides.push(OverrideRecord {
            osi_symbol: symbol.clone(),
            mark_micros: mark.micros(),
            author: operator.to_owned(),
            reason: arguments.reason.clone(),
        });
    }
    let mut close = CloseArguments::of_folder(input.clone(), arguments.out.clone());
    close.flat_rate = choices.flat_rate;
    let again = Again { settings: &settings, input_digest: &run.manifest.input_digest };
    close::run_corrected(&close, &Correction { base_run: Some(&base), overrides: &overrides, again: Some(again) })
}
