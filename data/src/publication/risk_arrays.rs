//! `risk_arrays.parquet` of a run, sorted by symbol.

use std::path::Path;

use closemark_pricing::day::UnderlyingDay;
use closemark_pricing::mark::UnderlyingMarks;
use closemark_pricing::price::Price;
use closemark_pricing::risk::{Range, RiskArray, minimum_charge};
use closemark_pricing::series::Series;
use closemark_pricing::settings::RiskSettings;
use closemark_pricing::vocabulary::MarginGroup;
use rayon::prelude::*;

use super::error::PublishError;
use super::parquet_file::ParquetFile;
use super::schema::RISK_ARRAYS;
use super::table::Cell;

/// One row before it is written.
struct Row<'a> {
    series: &'a Series,
    group: MarginGroup,
    range: Range,
    mark: Price,
    array: &'a RiskArray,
}

/// Writes the arrays of every marked series.
pub(super) fn write(
    folder: &Path,
    pairs: &[(&UnderlyingDay, &UnderlyingMarks)],
    settings: &RiskSettings,
) -> Result<ParquetFile, PublishError> {
    let mut rows: Vec<Row<'_>> = Vec::new();
    for (day, marks) in pairs {
        let (group, range) = (day.margin_group, Range::of(day.margin_group, day.leverage, settings));
        for ((series, mark), array) in day.series.iter().zip(&marks.series).zip(&marks.risk_arrays) {
            if let (Some(mark), Some(array)) = (mark.mark, array) {
                rows.push(Row { series, group, range, mark, array });
            }
        }
    }
    rows.par_sort_unstable_by(|a, b| a.series.osi_symbol.cmp(&b.series.osi_symbol));
    let mut file = ParquetFile::create(folder, &RISK_ARRAYS)?;
    for row in &rows {
        push(&mut file, row, settings)?;
    }
    Ok(file)
}

fn push(file: &mut ParquetFile, row: &Row<'_>, settings: &RiskSettings) -> Result<(), PublishError> {
    let [p1, p2, p3, p4, p5, p6, p7, p8, p9, p10] = row.array.points.map(|p| Cell::money(Some(p)));
    file.push(&[
        Cell::Text(&row.series.osi_symbol),
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
        Cell::money(Some(minimum_charge(settings.minimum_charge, row.series.multiplier))),
        Cell::money(Some(row.mark)),
        Cell::number(row.array.volatility),
    ])
}
