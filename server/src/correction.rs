//! A correction: some underlyings closed anew, the others' rows taken from a base run.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Context;
use closemark_data::date;
use closemark_data::day::Day;
use closemark_data::publication::read::{Restored, open_run, restore};
use closemark_data::publication::{OverrideRecord, date_folder, run_folder};
use closemark_pricing::UnderlyingDay;
use closemark_pricing::mark::UnderlyingMarks;

/// A correction between its beginning and its end: the day holds the chosen underlyings alone meanwhile.
pub(crate) struct Correction {
    base: Restored,
    others: Vec<UnderlyingDay>,
    template: UnderlyingDay,
    /// The base's own fixed marks.
    overrides: Vec<OverrideRecord>,
}

impl Correction {
    /// Reads the base, and takes the other underlyings out of the day.
    ///
    /// # Errors
    /// Where the base cannot be read, or the day has not every underlying that is to be closed anew.
    pub(crate) fn begin(day: &mut Day, only: &[String], base_run: &str, out: &Path) -> anyhow::Result<Self> {
        let folder = date_folder(out, day.market_date)?;
        let run = run_folder(&folder, base_run).filter(|run| run.is_dir());
        let run = run.with_context(|| format!("{} has no run {base_run:?}", date::to_text(day.market_date)))?;
        let base = restore(&run, only)?;
        let overrides = open_run(&folder, base_run, day.market_date)?.manifest.overrides;
        let all = std::mem::take(&mut day.underlyings);
        let (chosen, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|own| only.contains(&own.underlying));
        if let Some(missing) = only.iter().find(|name| !chosen.iter().any(|own| own.underlying == **name)) {
            anyhow::bail!("the day has no underlying {missing:?} to close anew");
        }
        let template = chosen.first().cloned().context("no underlying is to be closed anew")?;
        day.underlyings = chosen;
        day.exceptions.retain(|row| row.underlying.as_ref().is_none_or(|own| only.contains(own)));
        Ok(Self { base, others, template, overrides })
    }

    /// The marks that people fixed among the rows that are taken from the base.
    pub(crate) fn overrides(&self) -> Vec<OverrideRecord> {
        let rows = self.base.underlyings.iter().flat_map(|own| &own.series);
        let symbols: BTreeSet<&str> = rows.map(|series| series.osi_symbol.as_str()).collect();
        self.overrides.iter().filter(|one| symbols.contains(one.osi_symbol.as_str())).cloned().collect()
    }

    /// Puts the base's rows beside those made anew, in the order of their underlyings.
    pub(crate) fn finish(self, day: &mut Day, made: Vec<UnderlyingMarks>) -> Vec<UnderlyingMarks> {
        let mut all: Vec<(UnderlyingDay, UnderlyingMarks)> =
            std::mem::take(&mut day.underlyings).into_iter().zip(made).collect();
        for restored in self.base.underlyings {
            let name = &restored.marks.underlying;
            let known = self.others.iter().find(|own| own.underlying == *name).cloned();
            let mut own = known.unwrap_or_else(|| bare(&self.template, name));
            own.quote_offsets = vec![0; restored.series.len() + 1];
            own.quotes = Vec::new();
            own.series = restored.series;
            all.push((own, restored.marks));
        }
        all.sort_by(|a, b| a.0.underlying.cmp(&b.0.underlying));
        day.exceptions.extend(self.base.exceptions);
        let marks;
        (day.underlyings, marks) = all.into_iter().unzip();
        marks
    }
}

/// An underlying that only the base knows.
fn bare(template: &UnderlyingDay, name: &str) -> UnderlyingDay {
    UnderlyingDay {
        underlying: name.to_owned(),
        price: None,
        price_time: None,
        settlement_price: None,
        dividends: Vec::new(),
        series: Vec::new(),
        quotes: Vec::new(),
        previous: Vec::new(),
        ..template.clone()
    }
}
