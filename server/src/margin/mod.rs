//! `closemark margin`: what accounts must hold, from a published close.

mod json;
mod print;

use std::fs;
use std::path::Path;

use anyhow::Context;
use closemark_data::date;
use closemark_data::margin::{
    CloseData, MarginError, PositionFault, ProductGroups, built_in_groups, margin, read_positions,
};

use crate::cli::MarginArguments;
use crate::exit::Exit;
use crate::output;
use crate::published;

/// Faults listed one by one.
const FAULTS_SHOWN: usize = 20;

pub(crate) fn run(arguments: &MarginArguments) -> anyhow::Result<Exit> {
    let run = published::open(&arguments.out, arguments.date, arguments.run.as_deref())?;
    let groups = groups(arguments.groups.as_deref())?;
    let path = &arguments.positions;
    let bytes = fs::read(path).with_context(|| format!("{}: cannot be read", path.display()))?;
    let positions = match read_positions(&bytes) {
        Ok(positions) => positions,
        Err(faults) => return Ok(refused(path, &faults)),
    };
    let market_date = date::to_text(run.market_date);
    let close = match CloseData::read(&run.folder, &positions, &market_date) {
        Ok(close) => close,
        Err(MarginError::Positions(faults)) => return Ok(refused(path, &faults)),
        Err(error) => return Err(error.into()),
    };
    let report = margin(&positions, &close, &groups);
    let head = print::Head { market_date: &market_date, run_id: &run.run_id, positions: positions.len() as u64 };
    output::print(&if arguments.json { json::report(&head, &report) } else { print::report(&head, &report) })?;
    Ok(Exit::Done)
}

fn groups(file: Option<&Path>) -> anyhow::Result<ProductGroups> {
    let Some(file) = file else { return Ok(built_in_groups()?) };
    let text = fs::read_to_string(file).with_context(|| format!("{}: cannot be read", file.display()))?;
    ProductGroups::parse(&text).with_context(|| file.display().to_string())
}

/// One line a fault on standard error; nothing is computed from half of an account.
fn refused(path: &Path, faults: &[PositionFault]) -> Exit {
    for fault in faults.iter().take(FAULTS_SHOWN) {
        eprintln!("closemark: {}: {fault}", path.display());
    }
    if faults.len() > FAULTS_SHOWN {
        eprintln!("closemark: {}: {} more rows are wrong", path.display(), faults.len() - FAULTS_SHOWN);
    }
    Exit::Failed
}
