//! Chain pages with calls and puts on one row under the symbols of 2008 to 2010s pages:
//! `11 Mar 825.00 (SPXPM1131C825-E)`, root, year, day, month letter, strike, venue.

use std::path::Path;

use closemark_pricing::price::Price;
use closemark_pricing::series::Date;
use closemark_pricing::vocabulary::OptionType;

use super::Skipped;
use super::error::ImportError;
use super::fields::{consolidated, price};
use super::table_map::TableMap;
use super::underlying;
use crate::date;
use crate::input::DayFiles;
use crate::input::number::price_from_text;
use crate::osi;

/// Reads one page into a day that has its date already.
pub(crate) fn read(path: &Path, map: &TableMap, day: &mut DayFiles, skipped: &mut Skipped) -> Result<(), ImportError> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_path(path)
        .map_err(|error| ImportError::file(path, error))?;
    let preamble = map.preamble.as_ref().ok_or_else(|| ImportError::of("map", "`sides` need a `preamble`"))?;
    let mut print = None;
    for (line, record) in reader.byte_records().enumerate() {
        let record = record.map_err(|error| ImportError::file(path, error))?;
        let field = |place: usize| String::from_utf8_lossy(record.get(place).unwrap_or_default()).trim().to_owned();
        let [price_line, price_field] = preamble.underlying_price;
        if line == price_line {
            print = price_from_text(&field(price_field));
        }
        // The line after the preamble names the columns.
        if line <= preamble.lines {
            continue;
        }
        for side in &map.sides {
            let written = field(side.symbol);
            let symbol = symbol(&written)
                .and_then(|(root, expiration, option_type, strike)| osi::encode(root, expiration, option_type, strike));
            match (symbol, price(&field(side.bid)), price(&field(side.ask))) {
                (Some(symbol), Some(bid), Some(ask)) => day.quotes.push(consolidated(symbol, bid, ask)),
                _ => skipped.note(|| format!("{}: line {}: `{written}`", path.display(), line + 1)),
            }
        }
    }
    day.underlyings.push(underlying(&preamble.underlying, print.filter(|price| *price > Price::ZERO)));
    Ok(())
}

/// Root, expiration, type and strike of `... (SPXPM1131C825-E)`. Months are A to L for calls, M to X for puts.
fn symbol(text: &str) -> Option<(&str, Date, OptionType, Price)> {
    let inside = text.rsplit_once('(')?.1.strip_suffix(')')?;
    let inside = inside.rsplit_once('-').map_or(inside, |(symbol, _venue)| symbol);
    let strike_at = inside.rfind(|c: char| c.is_ascii_uppercase())?;
    let (head, tail) = (inside.get(..strike_at)?, inside.get(strike_at..)?);
    let letter = tail.bytes().next()?.checked_sub(b'A').filter(|place| *place < 24)?;
    let strike = price_from_text(tail.get(1..)?)?;
    let (root, digits) = head.split_at_checked(head.len().checked_sub(4)?)?;
    let [y1, y2, d1, d2] = digits.as_bytes() else { return None };
    let (year, day) = (date::number(&[*y1, *y2])?, date::number(&[*d1, *d2])?);
    let expiration = date::from_ymd(2000 + year as i32, u32::from(letter % 12) + 1, day)?;
    let option_type = if letter < 12 { OptionType::Call } else { OptionType::Put };
    Some((root, expiration, option_type, strike))
}

#[cfg(test)]
mod tests {
    use super::symbol;
    use crate::date;
    use closemark_pricing::price::Price;
    use closemark_pricing::vocabulary::OptionType;

    #[test]
    fn symbols_of_the_time() {
        let (root, expiration, option_type, strike) = symbol("11 Mar 825.50 (SPXPM1131O825.5-E)").unwrap();
        assert_eq!((root, expiration, option_type), ("SPXPM", date::parse("2011-03-31").unwrap(), OptionType::Put));
        assert_eq!(strike, Price::from_micros(825_500_000));
        for text in ["", "()", "(-)", "(A)", "11 Mar (SPX1131Z825-E)", "(SPX1332C825)", "(C1)"] {
            assert_eq!(symbol(text), None, "{text}");
        }
    }
}
