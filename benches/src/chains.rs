//! The real chains: which files they are, with which price, dividends and rates they become an input folder.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use closemark_data::import::{ImportFormat, ImportRequest, built_in_map};
use closemark_pricing::price::Price;

/// Which column of METHOD's table of gates a chain is held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainClass {
    /// A generated day: its own targets.
    Sample,
    /// Index classes.
    Index,
    /// The wide, clean index chain of 2011, which has targets of its own.
    Index2011,
    /// Names of the top fifth by series quoted.
    LiquidUs,
    /// All US names.
    AllUs,
    /// Chains whose exchange publishes marks of its own.
    Official,
}

/// One row of the report.
#[derive(Clone, Debug)]
pub struct Chain {
    /// The row's name.
    pub name: String,
    /// What it is held to.
    pub class: ChainClass,
    /// How it becomes a folder; `out` is set when it is closed.
    pub request: ImportRequest,
}

impl Chain {
    fn new(name: &str, class: ChainClass, format: ImportFormat, input: PathBuf) -> Self {
        let request = ImportRequest {
            format,
            inputs: vec![input],
            out: PathBuf::new(),
            prices: Vec::new(),
            dividends: None,
            rates: Vec::new(),
            flat_rate: None,
            map: None,
            filters: Vec::new(),
        };
        Self { name: name.to_owned(), class, request }
    }
}

/// Lean's chains: file, row's name, underlying, price at the snapshot, class.
const LEAN: [(&str, &str, &str, f64, ChainClass); 8] = [
    ("aapl_20140606.csv", "AAPL 2014-06-06", "AAPL", 645.57, ChainClass::LiquidUs),
    ("aapl_20140609.csv", "AAPL 2014-06-09", "AAPL", 93.70, ChainClass::LiquidUs),
    ("goog_20151223.csv", "GOOG 2015-12-23", "GOOG", 750.31, ChainClass::LiquidUs),
    ("goog_20151224_1300.csv", "GOOG 2015-12-24", "GOOG", 748.40, ChainClass::LiquidUs),
    ("twx_20140605_1600.csv", "TWX 2014-06-05", "TWX", 70.88, ChainClass::AllUs),
    ("twx_20140606_1600.csv", "TWX 2014-06-06", "TWX", 71.08, ChainClass::AllUs),
    ("nwsa_20130628_1600.csv", "NWSA 2013-06-28", "NWSA", 32.6, ChainClass::AllUs),
    ("foxa_20130702_1600.csv", "FOXA 2013-07-02", "FOXA", 29.25, ChainClass::AllUs),
];

/// What the market knew of two names' dividends; later payments of SPY are left to its borrow.
const KNOWN_DIVIDENDS: [(&str, &str); 2] =
    [("GOOG", "GOOG,,,none\n"), ("SPY", "SPY,2023-09-15,1.583,declared\nSPY,2023-12-15,1.906,projected\n")];

/// Every chain of single files that the folder holds, in the report's order. `scratch` takes small files of dividends.
///
/// # Errors
/// Where a file of dividends cannot be written.
pub fn single_files(data: &Path, scratch: &Path) -> Result<Vec<Chain>> {
    let mut chains = lean(data, scratch)?;
    chains.extend(cboe(data, scratch)?);
    let mut spx = Chain::new(
        "SPX 2011-01-24",
        ChainClass::Index2011,
        ImportFormat::Table,
        data.join("spx_2011/SPX-Options-24jan2011.csv"),
    );
    spx.request.map = Some(built_in_map("spx_2011")?);
    chains.push(spx);
    chains.retain(|chain| chain.request.inputs.iter().all(|path| path.is_file()));
    Ok(chains)
}

/// All 334 US names of one close; `None` where the folder does not hold them.
///
/// # Errors
/// Where the column map does not parse.
pub fn us_names(data: &Path) -> Result<Option<Chain>> {
    let input = data.join("us_equity_chains/eod_2026-08-19.parquet");
    if !input.is_file() {
        return Ok(None);
    }
    let mut chain = Chain::new("US names 2026-08-19", ChainClass::AllUs, ImportFormat::Table, input);
    chain.request.map = Some(built_in_map("us_equity_chains")?);
    chain.request.rates = vec![data.join("rates/ust_curve_2025_20260821.json")];
    Ok(Some(chain))
}

/// One coin of Deribit on one day.
///
/// # Errors
/// Where the column map does not parse.
pub fn coin(file: &Path, coin: &str, day: &str) -> Result<Chain> {
    let mut chain = Chain::new(&format!("{coin} {day}"), ChainClass::Official, ImportFormat::Table, file.to_owned());
    chain.request.map = Some(built_in_map("crypto_marks")?);
    chain.request.filters =
        vec![("underlying".to_owned(), coin.to_owned()), ("snapshot_utc".to_owned(), format!("{day}*"))];
    Ok(chain)
}

fn lean(data: &Path, scratch: &Path) -> Result<Vec<Chain>> {
    let folder = data.join("lean");
    let fred = ["1MO", "3MO", "6MO", "1", "2", "5", "10", "30"]
        .map(|tenor| data.join("rates").join(format!("DGS{tenor}.csv")));
    let mut chains = Vec::new();
    for (file, name, underlying, price, class) in LEAN {
        let mut chain = Chain::new(name, class, ImportFormat::Lean, folder.join(file));
        chain.request.prices = Price::nearest(price).map(|price| (String::new(), price)).into_iter().collect();
        chain.request.rates = fred.to_vec();
        chain.request.dividends = match known_dividends(underlying, scratch)? {
            Some(known) => Some(known),
            None => Some(folder.join("dividends_from_factor_files.csv")),
        };
        chains.push(chain);
    }
    Ok(chains)
}

fn cboe(data: &Path, scratch: &Path) -> Result<Vec<Chain>> {
    let mut chains = Vec::new();
    for (symbol, class) in [("SPX", ChainClass::Index), ("XSP", ChainClass::Index), ("SPY", ChainClass::LiquidUs)] {
        let file = format!("cboe_quotedata/20230914_{}_quotedata.csv", symbol.to_lowercase());
        let mut chain =
            Chain::new(&format!("{symbol} 2023-09-14"), class, ImportFormat::CboeQuotedata, data.join(file));
        chain.request.rates = vec![data.join("rates/ust_par_2021_20250711.csv")];
        chain.request.dividends = known_dividends(symbol, scratch)?;
        chains.push(chain);
    }
    Ok(chains)
}

fn known_dividends(underlying: &str, scratch: &Path) -> Result<Option<PathBuf>> {
    let Some((_, rows)) = KNOWN_DIVIDENDS.iter().find(|(name, _)| *name == underlying) else { return Ok(None) };
    let path = scratch.join(format!("dividends-{underlying}.csv"));
    fs::write(&path, format!("underlying,ex_date,amount,status\n{rows}"))
        .with_context(|| path.display().to_string())?;
    Ok(Some(path))
}
