//! Chains normalised from Lean's samples: `quote_date, underlying, expiry, strike, cp, bid, bid_size, ask, ask_size,
//! ms_or_date`. The column `underlying` is the option root, and the last one tells milliseconds since midnight in New
//! York, or the day of a daily bar.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use closemark_pricing::price::Price;
use closemark_pricing::series::{Date, Instant};
use closemark_pricing::vocabulary::OptionType;

use super::error::ImportError;
use super::fields::{consolidated, price, symbol};
use super::frame::Frame;
use super::{Skipped, closing_snapshots, underlying};
use crate::input::number::price_from_text;
use crate::input::{DayFiles, QuoteRow};
use crate::reference::RootTable;
use crate::{date, time};

const COLUMNS: [&str; 10] =
    ["quote_date", "underlying", "expiry", "strike", "cp", "bid", "bid_size", "ask", "ask_size", "ms_or_date"];

/// Reads files of one day into a folder's rows.
pub(crate) fn convert(inputs: &[PathBuf], skipped: &mut Skipped) -> Result<DayFiles, ImportError> {
    let table = RootTable::new()?;
    let mut day = DayFiles::default();
    let mut market_date: Option<Date> = None;
    let mut roots: BTreeMap<String, String> = BTreeMap::new();
    for path in inputs {
        let frame = Frame::read(path, &COLUMNS)?;
        for row in 0..frame.len() {
            let Some((quoted, root, quote)) = read_row(&frame, row) else {
                skipped.note(|| format!("{}: row {}", path.display(), row + 1));
                continue;
            };
            if market_date.is_some_and(|day| day != quoted) {
                return Err(other_day(path, row, quoted));
            }
            market_date = Some(quoted);
            let Some(found) = table.find(&root) else {
                skipped.note(|| format!("{}: row {}: unknown root {root}", path.display(), row + 1));
                continue;
            };
            roots.entry(root).or_insert(found.underlying);
            day.quotes.push(quote);
        }
    }
    day.market_date = market_date.ok_or_else(|| ImportError::of("--format lean", "the files hold no series"))?;
    let mut names: Vec<&String> = roots.values().collect();
    names.sort();
    names.dedup();
    day.underlyings = names.into_iter().map(|name| underlying(name, None)).collect();
    closing_snapshots(&mut day, &roots, &table)?;
    Ok(day)
}

fn other_day(path: &Path, row: usize, quoted: Date) -> ImportError {
    let text = date::to_text(quoted);
    ImportError::file(path, format!("row {}, column `quote_date`: `{text}` is another day than before", row + 1))
}

fn read_row(frame: &Frame, row: usize) -> Option<(Date, String, QuoteRow)> {
    let field = |name: &str| frame.get(name, row);
    let quoted = date::parse(field("quote_date"))?;
    let root = field("underlying").to_owned();
    let strike = price_from_text(field("strike")).filter(|strike| *strike > Price::ZERO)?;
    let osi = symbol(&root, date::parse(field("expiry"))?, OptionType::parse(field("cp"))?, strike)?;
    let size = |text: &str| if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) };
    let mut quote = consolidated(osi, price(field("bid"))?, price(field("ask"))?);
    quote.bid_size = size(field("bid_size"))?;
    quote.ask_size = size(field("ask_size"))?;
    quote.quote_time = milliseconds(quoted, field("ms_or_date"));
    Some((quoted, root, quote))
}

/// The instant of milliseconds since midnight in New York; `None` for a daily bar, which has no time.
fn milliseconds(on: Date, text: &str) -> Option<Instant> {
    let total: u32 = text.parse().ok().filter(|ms| *ms < 86_400_000)?;
    let seconds = total / 1000;
    let nanoseconds = total % 1000 * 1_000_000;
    time::local("America/New_York", on, seconds / 3600, seconds / 60 % 60, seconds % 60, nanoseconds)
}
