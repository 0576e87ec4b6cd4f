//! Chains as the Cboe delayed-quotes page exports them: name and last, stamp, column names, then call, strike and
//! put on one row.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use closemark_pricing::price::Price;
use closemark_pricing::series::Date;

use super::error::ImportError;
use super::fields::{consolidated, price};
use super::{Skipped, closing_snapshots, underlying};
use crate::input::DayFiles;
use crate::input::number::{plain_number, price_from_text};
use crate::reference::RootTable;
use crate::{date, osi};

/// What the head of a file says.
struct Head {
    last: Option<Price>,
    bid: Option<Price>,
    ask: Option<Price>,
    market_date: Date,
}

/// Reads files of one day into a folder's rows.
pub(crate) fn convert(inputs: &[PathBuf], skipped: &mut Skipped) -> Result<DayFiles, ImportError> {
    let table = RootTable::new()?;
    let mut day = DayFiles::default();
    let mut roots: BTreeMap<String, String> = BTreeMap::new();
    for (number, path) in inputs.iter().enumerate() {
        let head = read_file(path, &table, &mut day, &mut roots, skipped)?;
        if number > 0 && head.market_date != day.market_date {
            return Err(ImportError::file(path, "is of another day than the file before"));
        }
        day.market_date = head.market_date;
    }
    if day.quotes.is_empty() {
        return Err(ImportError::of("--format cboe-quotedata", "the files hold no series"));
    }
    closing_snapshots(&mut day, &roots, &table)?;
    Ok(day)
}

fn read_file(
    path: &Path,
    table: &RootTable,
    day: &mut DayFiles,
    roots: &mut BTreeMap<String, String>,
    skipped: &mut Skipped,
) -> Result<Head, ImportError> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_path(path)
        .map_err(|error| ImportError::file(path, error))?;
    let mut head_fields: Vec<String> = Vec::new();
    let mut sides: Option<[[usize; 3]; 2]> = None;
    let mut names: BTreeMap<String, ()> = BTreeMap::new();
    for (index, record) in reader.byte_records().enumerate() {
        let record = record.map_err(|error| ImportError::file(path, error))?;
        let field = |place: usize| String::from_utf8_lossy(record.get(place).unwrap_or_default()).trim().to_owned();
        let Some(columns) = sides else {
            if field(0) == "Expiration Date" {
                let header: Vec<String> = (0..record.len()).map(field).collect();
                sides = Some(
                    columns(&header)
                        .ok_or_else(|| ImportError::file(path, "the header lacks Calls, Puts or their Bid and Ask"))?,
                );
            } else {
                head_fields.extend((0..record.len()).map(field));
            }
            continue;
        };
        for [symbol, bid, ask] in columns {
            let written = field(symbol);
            let (Ok(series), Some(bid), Some(ask)) =
                (osi::decode(written.as_bytes()), price(&field(bid)), price(&field(ask)))
            else {
                skipped.note(|| format!("{}: line {}: `{written}`", path.display(), index + 1));
                continue;
            };
            let Some(root) = table.find(series.root) else {
                skipped.note(|| format!("{}: line {}: unknown root {}", path.display(), index + 1, series.root));
                continue;
            };
            roots.entry(series.root.to_owned()).or_insert_with(|| root.underlying.clone());
            names.entry(root.underlying).or_default();
            day.quotes.extend(series.canonical().map(|symbol| consolidated(symbol, bid, ask)));
        }
    }
    let head = head(&head_fields).ok_or_else(|| {
        ImportError::file(path, "the head lacks `Last: ...` or `Date: September 14, 2023 at 4:31 PM EDT`")
    })?;
    for name in names.keys() {
        if day.underlyings.iter().any(|row| row.underlying == *name) {
            continue;
        }
        // An index is computed, not quoted: what stands as its bid and ask is no market.
        let index = table.is_index(name);
        let mid = head.bid.zip(head.ask).filter(|(bid, ask)| *bid > Price::ZERO && ask >= bid);
        let mid = mid.map(|(bid, ask)| Price::from_micros((bid.micros() + ask.micros()) / 2));
        let mut row = underlying(name, if index { head.last } else { mid.or(head.last) });
        row.settlement_price = if index { head.last } else { None };
        day.underlyings.push(row);
    }
    Ok(head)
}

/// Places of symbol, bid and ask of the calls and of the puts.
fn columns(header: &[String]) -> Option<[[usize; 3]; 2]> {
    let side = |name: &str| {
        let symbol = header.iter().position(|column| column == name)?;
        let after = |wanted: &str| {
            header.iter().enumerate().skip(symbol).find(|(_, column)| *column == wanted).map(|(place, _)| place)
        };
        Some([symbol, after("Bid")?, after("Ask")?])
    };
    Some([side("Calls")?, side("Puts")?])
}

fn head(fields: &[String]) -> Option<Head> {
    let after = |label: &str| fields.iter().find_map(|field| field.strip_prefix(label)).map(str::trim);
    let number = |label: &str| after(label).and_then(price_from_text).filter(|price| *price > Price::ZERO);
    Some(Head {
        last: number("Last:"),
        bid: number("Bid:"),
        ask: number("Ask:"),
        market_date: stamp_date(after("Date:")?)?,
    })
}

/// The date of `September 14, 2023 at 4:31 PM EDT`.
fn stamp_date(stamp: &str) -> Option<Date> {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    let mut words = stamp.split_whitespace();
    let (month, day, year) = (words.next()?, words.next()?.trim_end_matches(','), words.next()?);
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    let whole = |text: &str| plain_number(text).filter(|v| (1.0..=9999.0).contains(v) && v.trunc() == *v);
    date::from_ymd(whole(year)? as i32, month as u32, whole(day)? as u32)
}

#[cfg(test)]
mod tests {
    use super::{columns, stamp_date};
    use crate::date;

    #[test]
    fn stamp_and_columns() {
        assert_eq!(stamp_date("September 14, 2023 at 4:31 PM EDT"), date::parse("2023-09-14"));
        assert_eq!(stamp_date("Sept 14, 2023"), None);
        let header = ["Expiration Date", "Calls", "Bid", "Ask", "Strike", "Puts", "Bid", "Ask"].map(str::to_owned);
        assert_eq!(columns(&header), Some([[1, 2, 3], [5, 6, 7]]));
        assert_eq!(columns(&header[..5]), None);
    }
}
