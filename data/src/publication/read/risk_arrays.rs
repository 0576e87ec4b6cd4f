//! Rows of `risk_arrays.parquet`.

use std::collections::BTreeSet;
use std::path::Path;

use closemark_pricing::Price;
use closemark_pricing::risk::POINTS;
use closemark_pricing::vocabulary::MarginGroup;

use super::columns::{Columns, DecimalColumn, number};
use super::{ReadError, reader};
use crate::publication::schema::RISK_ARRAYS;

/// The points' columns.
pub(crate) const POINT_COLUMNS: [&str; POINTS] =
    ["point_1", "point_2", "point_3", "point_4", "point_5", "point_6", "point_7", "point_8", "point_9", "point_10"];

/// One row of `risk_arrays.parquet`; every field is the column of its name.
#[derive(Clone, Debug, PartialEq)]
pub struct RiskArrayRow {
    /// The series.
    pub osi_symbol: String,
    /// Portfolio-margin group of the underlying.
    pub margin_group: MarginGroup,
    /// The lowest valuation point as a share of the underlying's price, in 10^-12; negative.
    pub range_down: i64,
    /// The highest, in 10^-12.
    pub range_up: i64,
    /// Gain of one long contract at each point, ascending in the underlying's price; currency per contract.
    pub points: [Price; POINTS],
    /// Least margin of one contract; currency per contract.
    pub minimum_charge: Price,
    /// The mark; currency per share.
    pub mark: Price,
    /// The volatility held; per square root of year.
    pub implied_volatility: Option<f64>,
}

/// The arrays of a run in published order: all, or those of `symbols`.
///
/// # Errors
/// [`ReadError`] where the file is missing (a close may be made without arrays), damaged, or not of the published
/// schema.
pub fn read_risk_arrays(run_folder: &Path, symbols: Option<&BTreeSet<String>>) -> Result<Vec<RiskArrayRow>, ReadError> {
    let path = run_folder.join(RISK_ARRAYS.file);
    if !path.is_file() {
        return Err(ReadError::Nothing { path, detail: "this close was made without risk arrays".to_owned() });
    }
    let mut rows = Vec::new();
    for batch in reader(&path, None)? {
        let batch = batch.map_err(|error| ReadError::File { path: path.clone(), detail: error.to_string() })?;
        let columns = Columns::new(RISK_ARRAYS.file, &batch);
        let unknown = |column: &str| ReadError::Column { file: RISK_ARRAYS.file, column: column.to_owned() };
        let (symbol, group) = (columns.text("osi_symbol")?, columns.text("margin_group")?);
        let (down, up) = (columns.decimals("range_down")?, columns.decimals("range_up")?);
        let points: Vec<DecimalColumn<'_>> =
            POINT_COLUMNS.iter().map(|name| columns.decimals(name)).collect::<Result<_, _>>()?;
        let (charge, mark) = (columns.decimals("minimum_charge")?, columns.decimals("mark")?);
        let volatility = columns.numbers("implied_volatility")?;
        for row in 0..batch.num_rows() {
            let name = symbol.or_empty(row);
            if symbols.is_some_and(|wanted| !wanted.contains(name)) {
                continue;
            }
            let mut gains = [Price::ZERO; POINTS];
            for (gain, column) in gains.iter_mut().zip(&points) {
                *gain = Price::from_micros(column.get(row).unwrap_or_default());
            }
            rows.push(RiskArrayRow {
                osi_symbol: name.to_owned(),
                margin_group: MarginGroup::parse(group.or_empty(row)).ok_or_else(|| unknown("margin_group"))?,
                range_down: down.get(row).unwrap_or_default(),
                range_up: up.get(row).unwrap_or_default(),
                points: gains,
                minimum_charge: Price::from_micros(charge.get(row).unwrap_or_default()),
                mark: Price::from_micros(mark.get(row).unwrap_or_default()),
                implied_volatility: number(volatility, row),
            });
        }
    }
    Ok(rows)
}
