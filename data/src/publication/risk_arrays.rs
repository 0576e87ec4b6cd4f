//! `risk_arrays.parquet` of a run, sorted by symbol.
//!
//! Underlyings come in their own order, and symbols of one may stand between those of another (`SPXL` between `SPX` and
//! `SPXW`). A row is written as soon as no underlying to come has a lesser symbol.

use std::path::Path;

use closemark_pricing::day::UnderlyingDay;
use closemark_pricing::mark::UnderlyingMarks;
use closemark_pricing::price::Price;
use closemark_pricing::risk::{Range, RiskArray, minimum_charge};
use closemark_pricing::settings::RiskSettings;
use closemark_pricing::vocabulary::MarginGroup;

use super::digest::FileDigest;
use super::error::PublishError;
use super::parquet_file::ParquetFile;
use super::schema::RISK_ARRAYS;
use super::table::Cell;
use crate::files::Files;
use crate::input::PlannedUnderlying;

/// One row before it is written.
struct Row {
    osi_symbol: String,
    group: MarginGroup,
    range: Range,
    multiplier: u32,
    mark: Price,
    array: RiskArray,
}

/// Rows that wait before it is looked whether they can be written.
const WAITING_ROWS: usize = 1 << 15;

/// The table while it is written.
pub(super) struct RiskTable {
    file: ParquetFile,
    settings: RiskSettings,
    waiting: Vec<Row>,
    /// The least symbol of everything that comes after the underlying that is next.
    least_after: std::vec::IntoIter<Option<String>>,
}

impl RiskTable {
    pub(super) fn create(
        files: &dyn Files,
        folder: &Path,
        settings: &RiskSettings,
        plan: &[PlannedUnderlying],
    ) -> Result<Self, PublishError> {
        let mut least: Option<&str> = None;
        let mut after: Vec<Option<String>> = Vec::with_capacity(plan.len());
        for planned in plan.iter().rev() {
            after.push(least.map(ToOwned::to_owned));
            let own = planned.least_symbol.as_str();
            least = Some(least.map_or(own, |known| known.min(own)));
        }
        after.reverse();
        Ok(Self {
            file: ParquetFile::create(files, folder, &RISK_ARRAYS)?,
            settings: settings.clone(),
            waiting: Vec::new(),
            least_after: after.into_iter(),
        })
    }

    /// Takes the arrays of every marked series.
    pub(super) fn push(&mut self, day: &UnderlyingDay, marks: &UnderlyingMarks) -> Result<(), PublishError> {
        let (group, range) = (day.margin_group, Range::of(day.margin_group, day.leverage, &self.settings));
        for ((series, mark), array) in day.series.iter().zip(&marks.series).zip(&marks.risk_arrays) {
            if let (Some(mark), Some(array)) = (mark.mark, array) {
                self.waiting.push(Row {
                    osi_symbol: series.osi_symbol.clone(),
                    group,
                    range,
                    multiplier: series.multiplier,
                    mark,
                    array: *array,
                });
            }
        }
        let limit = self.least_after.next().flatten();
        match limit {
            Some(limit) if self.waiting.len() >= WAITING_ROWS => self.write_below(&limit),
            _ => Ok(()),
        }
    }

    fn write_below(&mut self, limit: &str) -> Result<(), PublishError> {
        self.waiting.sort_by(|a, b| a.osi_symbol.cmp(&b.osi_symbol));
        let count = self.waiting.partition_point(|row| row.osi_symbol.as_str() < limit);
        for row in self.waiting.drain(..count) {
            push(&mut self.file, &row, &self.settings)?;
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<(FileDigest, u64), PublishError> {
        self.waiting.sort_by(|a, b| a.osi_symbol.cmp(&b.osi_symbol));
        for row in &self.waiting {
            push(&mut self.file, row, &self.settings)?;
        }
        self.file.finish()
    }
}

fn push(file: &mut ParquetFile, row: &Row, settings: &RiskSettings) -> Result<(), PublishError> {
    let [p1, p2, p3, p4, p5, p6, p7, p8, p9, p10] = row.array.points.map(|p| Cell::money(Some(p)));
    file.push(&[
        Cell::Text(&row.osi_symbol),
        Cell::Text(row.group.as_str()),
        Cell::units(Some(row.range.down)),
        Cell::units(Some(row.range.up)),
        p1,
        p2,
        p3,
        p4,
        p5,
        p6,
        p7,
        p8,
        p9,
        p10,
        Cell::money(Some(minimum_charge(settings.minimum_charge, row.multiplier))),
        Cell::money(Some(row.mark)),
        Cell::number(row.array.volatility),
    ])
}
