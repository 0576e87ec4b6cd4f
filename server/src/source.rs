//! The underlyings of a close, one at a time: made from the input when they are asked for, held, or as a base run
//! published them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::Context;
use closemark_data::date;
use closemark_data::day::Day;
use closemark_data::input::{DayStream, PlannedUnderlying};
use closemark_data::publication::read::{RestoredUnderlying, open_run, restore};
use closemark_data::publication::{OverrideRecord, date_folder, run_folder};
use closemark_pricing::UnderlyingDay;
use closemark_pricing::mark::UnderlyingMarks;

/// Where an underlying comes from.
enum Origin {
    /// It is held.
    Held(Box<UnderlyingDay>),
    /// It is made by the stream, at this place.
    Streamed(usize),
    /// A run published it; what the day knows of it stands beside.
    Published { rows: Box<RestoredUnderlying>, known: Option<Box<Origin>> },
    /// It was asked for already.
    Gone,
}

/// A day whose underlyings are asked for once each.
pub(crate) struct DaySource {
    /// The day without its underlyings.
    head: Day,
    plan: Vec<PlannedUnderlying>,
    origins: Vec<Mutex<Origin>>,
    stream: Option<DayStream>,
    /// Marks that people fixed among the rows that a base run published.
    base_overrides: Vec<OverrideRecord>,
}

impl DaySource {
    /// A day that is held.
    pub(crate) fn of(mut day: Day) -> Self {
        let mut underlyings = std::mem::take(&mut day.underlyings);
        underlyings.sort_by(|a, b| a.underlying.cmp(&b.underlying));
        let plan = underlyings.iter().map(PlannedUnderlying::of).collect();
        let origins = underlyings.into_iter().map(|one| Mutex::new(Origin::Held(Box::new(one)))).collect();
        Self { head: day, plan, origins, stream: None, base_overrides: Vec::new() }
    }

    /// A day whose underlyings are made when they are asked for.
    pub(crate) fn streamed(mut stream: DayStream) -> Self {
        let plan = stream.underlyings().to_vec();
        let origins = (0..plan.len()).map(|place| Mutex::new(Origin::Streamed(place))).collect();
        let exceptions = std::mem::take(&mut stream.head_mut().exceptions);
        let head = Day { exceptions, ..stream.head().clone() };
        Self { head, plan, origins, stream: Some(stream), base_overrides: Vec::new() }
    }

    /// The day without its underlyings.
    pub(crate) fn head(&self) -> &Day {
        &self.head
    }

    /// The underlyings, ascending.
    pub(crate) fn plan(&self) -> &[PlannedUnderlying] {
        &self.plan
    }

    /// How many series there are.
    pub(crate) fn series(&self) -> u64 {
        self.plan.iter().map(|one| one.series).sum()
    }

    /// Keeps the underlyings of some places alone.
    pub(crate) fn keep(&mut self, places: std::ops::Range<usize>) {
        self.plan.truncate(places.end);
        self.origins.truncate(places.end);
        let start = places.start.min(self.plan.len());
        self.plan.drain(..start);
        self.origins.drain(..start);
    }

    /// The underlying at a place, with its marks where they are there already; once.
    ///
    /// # Errors
    /// Where the input cannot be read again.
    pub(crate) fn take(&self, place: usize) -> anyhow::Result<(UnderlyingDay, Option<UnderlyingMarks>)> {
        let origin = self.origins.get(place).context("the day has no such underlying")?;
        let origin = std::mem::replace(&mut *origin.lock().unwrap_or_else(PoisonError::into_inner), Origin::Gone);
        match origin {
            Origin::Published { rows, known } => {
                let mut day = match known {
                    Some(known) => self.make(*known)?,
                    None => anyhow::bail!("nothing is known of {}", rows.marks.underlying),
                };
                day.underlying.clone_from(&rows.marks.underlying);
                day.quote_offsets = vec![0; rows.series.len() + 1];
                day.quotes = Vec::new();
                day.series = rows.series;
                Ok((day, Some(rows.marks)))
            }
            own => Ok((self.make(own)?, None)),
        }
    }

    /// Marks that people fixed among the rows that are taken from a base run.
    pub(crate) fn base_overrides(&self) -> &[OverrideRecord] {
        &self.base_overrides
    }

    /// The symbols of every series that is marked anew.
    ///
    /// # Errors
    /// Where the input cannot be read again.
    pub(crate) fn symbols_made(&self) -> anyhow::Result<BTreeSet<String>> {
        let mut symbols = BTreeSet::new();
        let mut add = |day: &UnderlyingDay| symbols.extend(day.series.iter().map(|one| one.osi_symbol.clone()));
        for origin in &self.origins {
            match &*origin.lock().unwrap_or_else(PoisonError::into_inner) {
                Origin::Held(day) => add(day),
                Origin::Streamed(place) => add(&self.make(Origin::Streamed(*place))?),
                Origin::Published { .. } | Origin::Gone => {}
            }
        }
        Ok(symbols)
    }

    fn make(&self, origin: Origin) -> anyhow::Result<UnderlyingDay> {
        match origin {
            Origin::Held(day) => Ok(*day),
            Origin::Streamed(place) => {
                let stream = self.stream.as_ref().context("the day is held")?;
                Ok(stream.underlying(place)?)
            }
            Origin::Published { .. } | Origin::Gone => anyhow::bail!("an underlying is asked for twice"),
        }
    }

    /// Leaves the underlyings of `keep` as they are, and takes the others' rows from a base run of the day.
    ///
    /// # Errors
    /// Where the base cannot be read, or the day has not every underlying that is to be closed anew.
    pub(crate) fn correct(&mut self, only: &[String], base_run: &str, out: &Path) -> anyhow::Result<()> {
        let folder = date_folder(out, self.head.market_date)?;
        let run = run_folder(&folder, base_run).filter(|run| run.is_dir());
        let run = run.with_context(|| format!("{} has no run {base_run:?}", date::to_text(self.head.market_date)))?;
        let base = restore(&run, only)?;
        let rows = base.underlyings.iter().flat_map(|own| &own.series);
        let symbols: BTreeSet<&str> = rows.map(|series| series.osi_symbol.as_str()).collect();
        let fixed = open_run(&folder, base_run, self.head.market_date)?.manifest.overrides;
        self.base_overrides = fixed.into_iter().filter(|one| symbols.contains(one.osi_symbol.as_str())).collect();
        let plan = std::mem::take(&mut self.plan);
        let origins = std::mem::take(&mut self.origins).into_iter();
        let origins = origins.map(|one| one.into_inner().unwrap_or_else(PoisonError::into_inner));
        let mut all: Vec<(PlannedUnderlying, Origin)> = Vec::new();
        let mut others: BTreeMap<String, Origin> = BTreeMap::new();
        for (planned, origin) in plan.into_iter().zip(origins) {
            if only.contains(&planned.underlying) {
                all.push((planned, origin));
            } else {
                others.insert(planned.underlying, origin);
            }
        }
        if let Some(missing) = only.iter().find(|name| !all.iter().any(|(own, _)| own.underlying == **name)) {
            anyhow::bail!("the day has no underlying {missing:?} to close anew");
        }
        let mut template: Option<UnderlyingDay> = None;
        for rows in base.underlyings {
            let name = &rows.marks.underlying;
            let known = match others.remove(name) {
                Some(known) => known,
                None => {
                    // An underlying that only the base knows.
                    if template.is_none() {
                        template = Some(bare(&self.first(&mut all)?));
                    }
                    Origin::Held(Box::new(template.clone().context("no underlying is to be closed anew")?))
                }
            };
            let planned = PlannedUnderlying::named(name, &rows.series);
            all.push((planned, Origin::Published { rows: Box::new(rows), known: Some(Box::new(known)) }));
        }
        all.sort_by(|a, b| a.0.underlying.cmp(&b.0.underlying));
        for (planned, origin) in all {
            self.plan.push(planned);
            self.origins.push(Mutex::new(origin));
        }
        self.head.exceptions.retain(|row| row.underlying.as_ref().is_none_or(|own| only.contains(own)));
        self.head.exceptions.extend(base.exceptions);
        Ok(())
    }

    /// The first underlying that is closed anew.
    fn first(&self, all: &mut [(PlannedUnderlying, Origin)]) -> anyhow::Result<UnderlyingDay> {
        match all.first() {
            Some((_, Origin::Held(day))) => Ok(day.as_ref().clone()),
            Some((_, Origin::Streamed(place))) => self.make(Origin::Streamed(*place)),
            _ => anyhow::bail!("no underlying is to be closed anew"),
        }
    }
}

/// What underlyings of one day share.
fn bare(template: &UnderlyingDay) -> UnderlyingDay {
    UnderlyingDay {
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
