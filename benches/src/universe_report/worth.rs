//! A published run against the truth and the ledger of its day, underlying by underlying.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result};
use closemark_data::input::{DayStream, Folder, ReadOptions, Resources};
use closemark_data::publication::read::restore_each;
use closemark_data::report::figures::is_two_sided_out_of_the_money;
use closemark_pricing::mark::ExceptionRow;

use crate::columns::Columns;
use crate::faults::{self, Fault, KindCount};
use crate::print::worth::ALL_TIERS;
use crate::truth::{self, TruthErrors};

/// What a run is worth.
#[derive(Debug, Default)]
pub struct Worth {
    /// Errors by liquidity tier, over two-sided out-of-the-money quotes; then all of them, and those without a fault.
    pub tiers: BTreeMap<String, TruthErrors>,
    /// What became of the injected faults.
    pub faults: BTreeMap<String, KindCount>,
}

/// Reads a run and judges it.
///
/// # Errors
/// Where the day, its truth or the run cannot be read.
pub fn judge(day: &Path, run_folder: &Path) -> Result<Worth> {
    let truth = truth::of_columns(&Columns::read(File::open(day.join("truth.parquet"))?)?)?;
    let ledger = faults::read(File::open(day.join("faults.csv"))?)?;
    let spoilt = faults::spoilt(&ledger);
    let mut by_target: BTreeMap<&str, Vec<&Fault>> = BTreeMap::new();
    for fault in &ledger {
        by_target.entry(fault.target.as_str()).or_default().push(fault);
    }
    let resources = Resources { spill_folder: Some(run_folder.to_owned()), ..Resources::default() };
    let stream = DayStream::open(&Folder(day.to_owned()), &ReadOptions::default(), &resources)?;
    // What reading the day refused does not stand among the marks' own exceptions.
    let mut refused: BTreeMap<&str, Vec<&ExceptionRow>> = BTreeMap::new();
    for row in &stream.head().exceptions {
        for key in [&row.osi_symbol, &row.underlying].into_iter().flatten() {
            refused.entry(key.as_str()).or_default().push(row);
        }
    }
    let mut places = 0..stream.underlyings().len();
    let mut worth = Worth::default();
    restore_each(run_folder, |own| -> Result<()> {
        for (series, mark) in own.series.iter().zip(&own.marks.series) {
            let Some(exact) = truth.get(&series.osi_symbol) else { continue };
            if is_two_sided_out_of_the_money(series, mark) {
                let mut add = |name: &str| worth.tiers.entry(name.to_owned()).or_default().add(mark, exact);
                add(&format!("1 {}", exact.tier));
                add(ALL_TIERS);
                if !spoilt.contains(series.osi_symbol.as_str()) {
                    add("3 all tiers, no fault injected");
                }
            }
        }
        let place = places.next().context("the run has more underlyings than the day")?;
        let name = own.marks.underlying.as_str();
        let targets = own.series.iter().map(|series| series.osi_symbol.as_str()).chain([name]);
        let faults: Vec<&Fault> = targets.filter_map(|target| by_target.remove(target)).flatten().collect();
        if !faults.is_empty() {
            let day = stream.underlying(place)?;
            let rows = faults.iter().filter_map(|fault| refused.get(fault.target.as_str())).flatten();
            let input: Vec<ExceptionRow> = rows.map(|row| (*row).clone()).collect();
            worth.add(faults::judge_rows(&[(&day, &own.marks)], &input, &truth, &faults, &spoilt));
        }
        Ok(())
    })?;
    let rest: Vec<&Fault> = by_target.into_values().flatten().collect();
    worth.add(faults::judge_rows(&[], &stream.head().exceptions, &truth, &rest, &spoilt));
    Ok(worth)
}

impl Worth {
    fn add(&mut self, kinds: BTreeMap<String, KindCount>) {
        for (kind, count) in kinds {
            let own = self.faults.entry(kind).or_default();
            own.injected += count.injected;
            own.caught += count.caught;
            own.caught_but_off += count.caught_but_off;
            own.harmless += count.harmless;
            own.missed.extend(count.missed);
        }
    }
}
