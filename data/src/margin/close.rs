//! What positions need of a published close.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use closemark_pricing::Price;
use closemark_pricing::risk::{POINTS, Range};
use closemark_pricing::vocabulary::MarginGroup;

use super::positions::{Instrument, Position, PositionFault};
use crate::publication::read::{ReadError, RiskArrayRow, read_risk_arrays, scan_marks};

/// Why margin cannot be computed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MarginError {
    /// The close cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Positions that the close does not know.
    #[error("{} positions are not in the close", .0.len())]
    Positions(Vec<PositionFault>),
}

/// A series' terms and array.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesData {
    /// Its underlying.
    pub underlying: String,
    /// ISO 4217 code.
    pub currency: String,
    /// Currency units per contract and price unit.
    pub multiplier: i64,
    /// Currency per share.
    pub mark: Price,
    /// Gain of one long contract at each point.
    pub points: [Price; POINTS],
    /// Least charge of one contract.
    pub minimum_charge: Price,
}

/// An underlying's price, group and points.
#[derive(Clone, Debug, PartialEq)]
pub struct UnderlyingData {
    /// ISO 4217 code.
    pub currency: String,
    /// The price that served the close.
    pub price: Price,
    /// Portfolio-margin group.
    pub group: MarginGroup,
    /// The farthest points.
    pub range: Range,
}

/// What a set of positions needs of one close.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CloseData {
    /// By symbol.
    pub series: BTreeMap<String, SeriesData>,
    /// By symbol.
    pub underlyings: BTreeMap<String, UnderlyingData>,
}

/// What `marks` says of a wanted series.
struct Listed {
    underlying: String,
    currency: String,
    multiplier: i64,
    mark: Option<Price>,
}

/// What `marks` says of an underlying, and a marked series that carries its range.
#[derive(Default)]
struct Found {
    currency: String,
    price: Option<Price>,
    marked: Option<String>,
}

impl CloseData {
    /// Reads what `positions` need from a run's folder.
    ///
    /// # Errors
    /// [`MarginError::Positions`] with every position that the close has no mark or no price for.
    pub fn read(run_folder: &Path, positions: &[Position], market_date: &str) -> Result<Self, MarginError> {
        let (mut series, mut underlyings) = (BTreeSet::new(), BTreeSet::new());
        for position in positions {
            match &position.instrument {
                Instrument::Series(symbol) => series.insert(symbol.as_str()),
                Instrument::Underlying(symbol) => underlyings.insert(symbol.as_str()),
            };
        }
        let mut listed: BTreeMap<String, Listed> = BTreeMap::new();
        let mut found: BTreeMap<String, Found> = BTreeMap::new();
        scan_marks(run_folder, |row| {
            let wanted = series.contains(row.osi_symbol);
            if wanted {
                let entry = Listed {
                    underlying: row.underlying.to_owned(),
                    currency: row.currency.to_owned(),
                    multiplier: row.multiplier,
                    mark: row.mark,
                };
                listed.insert(row.osi_symbol.to_owned(), entry);
            }
            if wanted || underlyings.contains(row.underlying) {
                let entry = found.entry(row.underlying.to_owned()).or_default();
                entry.price = entry.price.or(row.underlying_price);
                if entry.marked.is_none() && row.mark.is_some() {
                    entry.marked = Some(row.osi_symbol.to_owned());
                    row.currency.clone_into(&mut entry.currency);
                }
            }
            Ok::<(), ReadError>(())
        })?;
        let wanted: BTreeSet<String> =
            listed.keys().cloned().chain(found.values().filter_map(|f| f.marked.clone())).collect();
        let arrays = read_risk_arrays(run_folder, Some(&wanted))?;
        let arrays: BTreeMap<&str, &RiskArrayRow> = arrays.iter().map(|a| (a.osi_symbol.as_str(), a)).collect();
        let mut data = Self::default();
        for (symbol, listed) in &listed {
            if let (Some(mark), Some(array)) = (listed.mark, arrays.get(symbol.as_str())) {
                data.series.insert(
                    symbol.clone(),
                    SeriesData {
                        underlying: listed.underlying.clone(),
                        currency: listed.currency.clone(),
                        multiplier: listed.multiplier,
                        mark,
                        points: array.points,
                        minimum_charge: array.minimum_charge,
                    },
                );
            }
        }
        for (symbol, found) in found {
            let array = found.marked.and_then(|m| arrays.get(m.as_str()).copied());
            if let (Some(price), Some(array)) = (found.price, array) {
                let range = Range { down: array.range_down, up: array.range_up };
                let entry = UnderlyingData { currency: found.currency, price, group: array.margin_group, range };
                data.underlyings.insert(symbol, entry);
            }
        }
        let faults = data.faults(positions, &listed, market_date);
        if faults.is_empty() { Ok(data) } else { Err(MarginError::Positions(faults)) }
    }

    fn faults(
        &self,
        positions: &[Position],
        listed: &BTreeMap<String, Listed>,
        market_date: &str,
    ) -> Vec<PositionFault> {
        let mut faults = Vec::new();
        for position in positions {
            let (column, value, allowed) = match &position.instrument {
                Instrument::Series(symbol) => {
                    let known = self.series.get(symbol).is_some_and(|s| self.underlyings.contains_key(&s.underlying));
                    if known {
                        continue;
                    }
                    let allowed = if listed.contains_key(symbol) {
                        format!("a series with a mark; in the close of {market_date} this one has none")
                    } else {
                        format!("a series of the close of {market_date}")
                    };
                    ("osi_symbol", symbol, allowed)
                }
                Instrument::Underlying(symbol) if !self.underlyings.contains_key(symbol) => {
                    ("underlying", symbol, format!("an underlying with marked series in the close of {market_date}"))
                }
                Instrument::Underlying(_) => continue,
            };
            faults.push(PositionFault { row: position.row, column, value: value.clone(), allowed });
        }
        faults
    }
}
