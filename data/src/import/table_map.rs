//! The column map of any table: a small TOML file.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::error::ImportError;

/// How the columns of a table become quotes; see `data/reference/maps` for worked examples.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableMap {
    /// The day, as text or from a column (its first ten characters).
    pub(crate) market_date: Source,
    /// The snapshot: RFC 3339, `close`, or a column of times with the zone they are in.
    pub(crate) snapshot: Source,
    /// `us` (default) or `always`.
    #[serde(default)]
    pub(crate) calendar: String,
    /// One zero rate for all times, where the prices ask for it.
    pub(crate) flat_rate: Option<f64>,
    /// Which column is which.
    #[serde(default)]
    pub(crate) columns: Columns,
    /// Other words for C and P.
    #[serde(default)]
    pub(crate) option_types: BTreeMap<String, String>,
    /// A factor of bid and ask.
    pub(crate) multiply_prices: Option<Multiply>,
    /// Terms that symbols and roots do not tell; with it every series is described in `series.csv`.
    pub(crate) series: Option<SeriesTerms>,
    /// A head of free text before the rows; only with `sides`.
    pub(crate) preamble: Option<Preamble>,
    /// Calls and puts side by side on one row, by the places of their columns.
    #[serde(default)]
    pub(crate) sides: Vec<Side>,
    /// Rows to keep: column and value, or its beginning with `*`.
    #[serde(default)]
    pub(crate) filters: BTreeMap<String, String>,
}

/// Text itself, or a column that holds it.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Source {
    Text(String),
    Column { column: String, zone: Option<String> },
}

/// Names of the columns that matter.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Columns {
    /// A symbol of its own, opaque or OSI; made from root, expiration, type and strike where absent.
    pub(crate) symbol: Option<String>,
    pub(crate) underlying: Option<String>,
    pub(crate) underlying_price: Option<String>,
    pub(crate) expiration: Option<String>,
    pub(crate) strike: Option<String>,
    pub(crate) option_type: Option<String>,
    pub(crate) bid: Option<String>,
    pub(crate) bid_size: Option<String>,
    pub(crate) ask: Option<String>,
    pub(crate) ask_size: Option<String>,
}

/// Multiplies prices by the median of a column over an expiration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Multiply {
    pub(crate) by: String,
}

/// Terms of every series of the table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SeriesTerms {
    pub(crate) exercise_style: String,
    pub(crate) settlement: String,
    /// Clock of the settlement event on the expiration date, `08:00`.
    pub(crate) expiration_time: Option<String>,
    pub(crate) expiration_zone: Option<String>,
    pub(crate) multiplier: Option<u32>,
    pub(crate) currency: Option<String>,
}

/// What stands before the rows.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Preamble {
    pub(crate) lines: usize,
    pub(crate) underlying: String,
    /// Line and field of the underlying's price, from nought.
    pub(crate) underlying_price: [usize; 2],
}

/// Places of one side's fields in a row, from nought.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Side {
    pub(crate) symbol: usize,
    pub(crate) bid: usize,
    pub(crate) ask: usize,
}

impl TableMap {
    /// Reads a map.
    ///
    /// # Errors
    /// [`ImportError`] where the text is no TOML or holds unknown keys; `name` stands in its message.
    pub fn parse(name: &str, text: &str) -> Result<Self, ImportError> {
        toml::from_str(text).map_err(|error| ImportError::of(name, error.message()))
    }
}

/// A worked example by its name: `us_equity_chains`, `crypto_marks`, `spx_2011`.
///
/// # Errors
/// [`ImportError`] for another name.
pub fn built_in_map(name: &str) -> Result<TableMap, ImportError> {
    let text = match name {
        "us_equity_chains" => include_str!("../../reference/maps/us_equity_chains.toml"),
        "crypto_marks" => include_str!("../../reference/maps/crypto_marks.toml"),
        "spx_2011" => include_str!("../../reference/maps/spx_2011.toml"),
        _ => {
            let allowed = "allowed are us_equity_chains, crypto_marks, spx_2011 and files";
            return Err(ImportError::of(format!("map {name}"), allowed));
        }
    };
    TableMap::parse(name, text)
}
