//! `closemark import`: other people's files into an input folder.

use std::fmt::Write as _;

use anyhow::Context;
use closemark_data::date;
use closemark_data::import::{self, ImportRequest, TableMap, built_in_map};

use crate::cli::ImportArguments;
use crate::exit::Exit;
use crate::output;
use crate::text::{counted, grouped};

pub(crate) fn run(arguments: &ImportArguments) -> anyhow::Result<Exit> {
    let request = ImportRequest {
        format: arguments.format,
        inputs: arguments.files.clone(),
        out: arguments.out.clone(),
        prices: arguments.price.clone(),
        dividends: arguments.dividends.clone(),
        rates: arguments.rates.clone(),
        flat_rate: arguments.flat_rate,
        map: arguments.map.as_deref().map(map).transpose()?,
        filters: arguments.filter.clone(),
    };
    let summary = import::run(&request)?;
    let mut text = format!(
        "{}: {} series of {}, {}, {}, {}\n",
        date::to_text(summary.market_date),
        grouped(summary.series),
        counted(summary.underlyings, "underlying"),
        counted(summary.quotes, "quote"),
        counted(summary.dividends, "dividend"),
        counted(summary.rates, "rate"),
    );
    if summary.rows_skipped > 0 {
        let _ = writeln!(
            text,
            "{} skipped; the first: {}",
            counted(summary.rows_skipped, "row"),
            summary.first_skipped.as_deref().unwrap_or("no reason known")
        );
    }
    let _ = writeln!(text, "closemark close --input {}", arguments.out.display());
    output::print(&text)?;
    Ok(Exit::Done)
}

/// A column map: the name of one that the project brings, or a TOML file.
fn map(name: &str) -> anyhow::Result<TableMap> {
    if let Ok(map) = built_in_map(name) {
        return Ok(map);
    }
    let text = std::fs::read_to_string(name)
        .with_context(|| format!("{name}: neither a column map of the project nor a file that can be read"))?;
    Ok(TableMap::parse(name, &text)?)
}
