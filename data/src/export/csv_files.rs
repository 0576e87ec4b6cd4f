//! The nightly files as CSV.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use super::cells::{decimal, inert, number, share};
use super::{Stamp, Trouble, cfi};
use crate::date;
use crate::publication::read::{NightlyRow, RiskArrayRow, scan_marks};

/// Columns of the price file.
pub const PRICE_COLUMNS: [&str; 14] = [
    "market_date",
    "osi_symbol",
    "symbol",
    "underlying",
    "type",
    "style",
    "classification",
    "expiration",
    "strike",
    "mark",
    "underlying_price",
    "delta",
    "multiplier",
    "currency",
];

/// Columns of the array file.
pub const RISK_COLUMNS: [&str; 26] = [
    "market_date",
    "osi_symbol",
    "symbol",
    "underlying",
    "type",
    "style",
    "classification",
    "expiration",
    "strike",
    "multiplier",
    "currency",
    "margin_group",
    "range_down",
    "range_up",
    "minimum_charge",
    "mark",
    "point_1",
    "point_2",
    "point_3",
    "point_4",
    "point_5",
    "point_6",
    "point_7",
    "point_8",
    "point_9",
    "point_10",
];

/// The array file's last column.
const VOLATILITY: &str = "implied_volatility";

pub(super) fn prices(folder: &Path, stamp: &Stamp, out: &mut dyn Write) -> Result<u64, Trouble> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(PRICE_COLUMNS).map_err(io::Error::from)?;
    let mut rows = 0;
    scan_marks(folder, |row| {
        let Some(mark) = row.mark else { return Ok(()) };
        let mut record = terms(row, stamp);
        record.extend([
            decimal(mark),
            row.underlying_price.map_or(String::new(), decimal),
            number(row.delta),
            row.multiplier.to_string(),
            inert(row.currency).into_owned(),
        ]);
        writer.write_record(&record).map_err(io::Error::from)?;
        rows += 1;
        Ok::<(), Trouble>(())
    })?;
    writer.flush()?;
    Ok(rows)
}

pub(super) fn risk_arrays(
    folder: &Path,
    stamp: &Stamp,
    arrays: &BTreeMap<&str, &RiskArrayRow>,
    out: &mut dyn Write,
) -> Result<u64, Trouble> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(RISK_COLUMNS.iter().chain([&VOLATILITY])).map_err(io::Error::from)?;
    let mut rows = 0;
    scan_marks(folder, |row| {
        let Some(array) = arrays.get(row.osi_symbol) else { return Ok(()) };
        let mut record = terms(row, stamp);
        record.extend([
            row.multiplier.to_string(),
            inert(row.currency).into_owned(),
            array.margin_group.as_str().to_owned(),
            share(array.range_down),
            share(array.range_up),
            decimal(array.minimum_charge),
            decimal(array.mark),
        ]);
        record.extend(array.points.map(decimal));
        record.push(number(array.implied_volatility));
        writer.write_record(&record).map_err(io::Error::from)?;
        rows += 1;
        Ok::<(), Trouble>(())
    })?;
    writer.flush()?;
    Ok(rows)
}

/// What both files say of a series.
fn terms(row: &NightlyRow<'_>, stamp: &Stamp) -> Vec<String> {
    vec![
        stamp.market_date.clone(),
        inert(row.osi_symbol).into_owned(),
        inert(row.root).into_owned(),
        inert(row.underlying).into_owned(),
        row.option_type.as_str().to_owned(),
        row.exercise_style.as_str().to_owned(),
        cfi::code(row),
        date::to_text(row.expiration),
        decimal(row.strike),
    ]
}
