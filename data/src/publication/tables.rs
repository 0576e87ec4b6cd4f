//! The tables of a run while they are written: underlying by underlying, in published order, so that nothing holds them.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::path::Path;
use std::vec;

use closemark_pricing::day::UnderlyingDay;
use closemark_pricing::mark::{ExceptionRow, UnderlyingMarks};
use closemark_pricing::series::Date;
use closemark_pricing::settings::RiskSettings;

use super::digest::FileDigest;
use super::error::PublishError;
use super::parquet_file::ParquetFile;
use super::risk_arrays::RiskTable;
use super::rows::{RunStamp, push_exception, push_mark, push_slice};
use super::schema::{EXCEPTIONS, MARKS, RISK_ARRAYS, SLICES};
use super::totals::Totals;
use crate::day::Day;
use crate::files::Files;
use crate::input::PlannedUnderlying;

/// The open tables.
pub(crate) struct Tables {
    market_date: Date,
    run_id: String,
    plan: Vec<PlannedUnderlying>,
    /// Underlyings taken so far.
    taken: usize,
    marks: ParquetFile,
    slices: ParquetFile,
    exceptions: ParquetFile,
    /// What the input left behind, in published order.
    input: Peekable<vec::IntoIter<ExceptionRow>>,
    risk_arrays: Option<RiskTable>,
    totals: Totals,
    /// Symbols that coverage counts, ascending; empty where all do.
    expected: Vec<String>,
}

impl Tables {
    /// Creates the files. `plan` says which underlyings come, ascending.
    pub(crate) fn create(
        files: &dyn Files,
        folder: &Path,
        run_id: &str,
        head: &Day,
        plan: Vec<PlannedUnderlying>,
    ) -> Result<Self, PublishError> {
        let settings: &RiskSettings = &head.settings.risk;
        let mut expected = head.expected.clone();
        expected.sort_unstable();
        expected.dedup();
        let mut input = head.exceptions.clone();
        input.sort_by(published_order);
        let risk_arrays = match settings.arrays {
            true => Some(RiskTable::create(files, folder, settings, &plan)?),
            false => None,
        };
        Ok(Self {
            market_date: head.market_date,
            run_id: run_id.to_owned(),
            taken: 0,
            marks: ParquetFile::create(files, folder, &MARKS)?,
            slices: ParquetFile::create(files, folder, &SLICES)?,
            exceptions: ParquetFile::create(files, folder, &EXCEPTIONS)?,
            input: input.into_iter().peekable(),
            risk_arrays,
            totals: Totals {
                rows_read: head.rows_read,
                rows_dropped: head.rows_dropped,
                series_expected: expected.len() as u64,
                ..Totals::default()
            },
            expected,
            plan,
        })
    }

    /// Takes the rows of the next underlying of the plan.
    pub(crate) fn push(&mut self, day: &UnderlyingDay, marks: &UnderlyingMarks) -> Result<(), PublishError> {
        let shape = |expected, found| {
            if expected == found {
                return Ok(());
            }
            Err(PublishError::Shape { underlying: day.underlying.clone(), expected, found })
        };
        shape(day.series.len(), marks.series.len())?;
        let planned = self.plan.get(self.taken);
        let in_turn = planned.is_some_and(|planned| planned.underlying == day.underlying);
        shape(self.plan.len(), if in_turn { self.plan.len() } else { self.taken })?;
        shape(planned.map_or(0, |planned| planned.series) as usize, day.series.len())?;
        self.taken += 1;
        self.push_marks(day, marks)?;
        self.push_slices(day, marks)?;
        self.push_exceptions(&day.underlying, &marks.exceptions)?;
        if let Some(arrays) = &mut self.risk_arrays {
            arrays.push(day, marks)?;
        }
        self.totals.add(day, marks, &self.expected);
        Ok(())
    }

    fn push_marks(&mut self, day: &UnderlyingDay, marks: &UnderlyingMarks) -> Result<(), PublishError> {
        let stamp = RunStamp { market_date: self.market_date, run_id: &self.run_id };
        let mut rows: Vec<_> = day.series.iter().zip(&marks.series).collect();
        rows.sort_by(|(a, _), (b, _)| {
            (a.expiration, a.settlement, &a.root, a.strike, a.option_type, &a.osi_symbol).cmp(&(
                b.expiration,
                b.settlement,
                &b.root,
                b.strike,
                b.option_type,
                &b.osi_symbol,
            ))
        });
        for (series, mark) in rows {
            push_mark(&mut self.marks, stamp, &day.underlying, series, mark)?;
        }
        Ok(())
    }

    fn push_slices(&mut self, day: &UnderlyingDay, marks: &UnderlyingMarks) -> Result<(), PublishError> {
        let stamp = RunStamp { market_date: self.market_date, run_id: &self.run_id };
        let mut rows: Vec<_> = marks.slices.iter().collect();
        rows.sort_by(|a, b| {
            (a.expiration, a.settlement, &a.root, &a.deliverable).cmp(&(
                b.expiration,
                b.settlement,
                &b.root,
                &b.deliverable,
            ))
        });
        for slice in rows {
            push_slice(&mut self.slices, stamp, &day.underlying, slice)?;
        }
        Ok(())
    }

    /// The input's rows up to this underlying's, which stand among its own.
    fn push_exceptions(&mut self, underlying: &str, own: &[ExceptionRow]) -> Result<(), PublishError> {
        while let Some(row) = self.input.next_if(|row| row.underlying.as_deref() < Some(underlying)) {
            push_exception(&mut self.exceptions, &row)?;
        }
        let mut rows: Vec<ExceptionRow> = Vec::new();
        while let Some(row) = self.input.next_if(|row| row.underlying.as_deref() == Some(underlying)) {
            rows.push(row);
        }
        let mut rows: Vec<&ExceptionRow> = rows.iter().chain(own).collect();
        rows.sort_by(|a, b| published_order(a, b));
        for row in rows {
            push_exception(&mut self.exceptions, row)?;
        }
        Ok(())
    }

    /// Writes what is left and makes the files durable: the totals, and each file's digest.
    pub(crate) fn finish(
        mut self,
        observe: &mut dyn FnMut(&'static str) -> Result<(), PublishError>,
    ) -> Result<(Totals, BTreeMap<String, FileDigest>), PublishError> {
        if self.taken != self.plan.len() {
            let underlying = "the day's underlyings".to_owned();
            return Err(PublishError::Shape { underlying, expected: self.plan.len(), found: self.taken });
        }
        for row in self.input {
            push_exception(&mut self.exceptions, &row)?;
        }
        let mut digests = BTreeMap::new();
        let (digest, _) = self.marks.finish()?;
        digests.insert(MARKS.file.to_owned(), digest);
        observe("marks")?;
        let (digest, _) = self.slices.finish()?;
        digests.insert(SLICES.file.to_owned(), digest);
        observe("slices")?;
        let (digest, rows) = self.exceptions.finish()?;
        digests.insert(EXCEPTIONS.file.to_owned(), digest);
        self.totals.exceptions = rows;
        observe("exceptions")?;
        if let Some(arrays) = self.risk_arrays {
            let (digest, rows) = arrays.finish()?;
            digests.insert(RISK_ARRAYS.file.to_owned(), digest);
            self.totals.risk_arrays = rows;
        }
        observe("risk_arrays")?;
        Ok((self.totals, digests))
    }
}

/// A total order of exceptions, so that neither threads nor the order of the input's files show.
fn published_order(a: &ExceptionRow, b: &ExceptionRow) -> std::cmp::Ordering {
    fn key(r: &ExceptionRow) -> impl Ord + '_ {
        (
            (r.underlying.as_deref(), r.expiration, r.settlement, r.root.as_deref(), r.osi_symbol.as_deref()),
            (r.scope, r.stage, r.reason),
            (r.field.as_deref(), r.before.as_deref(), r.after.as_deref(), r.author.as_deref()),
        )
    }
    key(a).cmp(&key(b))
}
