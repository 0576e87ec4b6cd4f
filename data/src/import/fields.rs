//! Fields that several importers share.

use std::path::Path;

use closemark_pricing::price::Price;
use closemark_pricing::series::Date;
use closemark_pricing::vocabulary::OptionType;

use super::error::ImportError;
use super::frame::Frame;
use crate::calendar::{Calendar, CalendarKind};
use crate::date;
use crate::input::number::{plain_number, price_from_text};
use crate::input::{CorporateActionRow, DayFiles, DividendRow, QuoteRow};
use crate::osi;
use crate::reference::NBBO;

/// A consolidated quote of a series, without times.
pub(crate) fn consolidated(symbol: String, bid: Option<Price>, ask: Option<Price>) -> QuoteRow {
    QuoteRow { osi_symbol: symbol, venue: NBBO.to_owned(), bid, ask, ..QuoteRow::default() }
}

/// A price that may be absent; `None` for text that is none.
pub(crate) fn price(text: &str) -> Option<Option<Price>> {
    let text = text.trim();
    if text.is_empty() || text == "NaN" || text == "nan" {
        return Some(None);
    }
    price_from_text(text).map(Some)
}

/// The symbol of a series whose root may carry signs that OSI symbols drop, `BRK-B`.
pub(crate) fn symbol(root: &str, expiration: Date, option_type: OptionType, strike: Price) -> Option<String> {
    osi::encode(&plain_root(root), expiration, option_type, strike)
}

/// A name as OSI roots write it: capital letters and digits only.
pub(crate) fn plain_root(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect()
}

/// A distribution above this share of the price is a spin-off's value, not cash.
const CASH_SHARE_MAX: f64 = 0.025;
/// How many days before the market date a dividend still says that the name pays.
const DAYS_BACK: i32 = 400;

/// Reads dividends into a day: the project's own form, or Lean's factor files, whose `last_cum_date` is the trading
/// day before the ex-date.
///
/// What the factor files know of days after the market date was not declared then: it is `projected`. They list a
/// spin-off's value as if it were cash; above 2.5 % of the price it becomes a corporate action.
pub(crate) fn dividends(path: &Path, day: &mut DayFiles) -> Result<(), ImportError> {
    let text = std::fs::read_to_string(path).map_err(|error| ImportError::file(path, error))?;
    let header = text.lines().next().unwrap_or_default().to_owned();
    if header.contains("ex_date") {
        return own_dividends(path, day);
    }
    let calendar = Calendar::new(CalendarKind::Us)?;
    let frame = Frame::read(path, &["symbol", "last_cum_date", "close_raw", "dividend"])?;
    for row in 0..frame.len() {
        let name = frame.get("symbol", row);
        if !day.underlyings.iter().any(|own| own.underlying == name) {
            continue;
        }
        let fault = |column: &str| {
            let value = frame.get(column, row);
            ImportError::file(path, format!("row {}, column `{column}`: `{value}` is not allowed", row + 1))
        };
        let last_cum = date::parse(frame.get("last_cum_date", row)).ok_or_else(|| fault("last_cum_date"))?;
        let close = plain_number(frame.get("close_raw", row)).ok_or_else(|| fault("close_raw"))?;
        let amount = plain_number(frame.get("dividend", row)).ok_or_else(|| fault("dividend"))?;
        let ex_date = calendar.next_trading_day(last_cum);
        if ex_date.0 < day.market_date.0 - DAYS_BACK || amount <= 0.0 {
            continue;
        }
        if amount > CASH_SHARE_MAX * close {
            day.corporate_actions.push(CorporateActionRow {
                underlying: name.to_owned(),
                effective_date: ex_date,
                kind: "spin_off".to_owned(),
                ratio: None,
                amount: Some(amount),
            });
            continue;
        }
        let status = if ex_date > day.market_date { "projected" } else { "declared" };
        day.dividends.push(DividendRow {
            underlying: name.to_owned(),
            ex_date: Some(ex_date),
            amount: Some(amount),
            status: status.to_owned(),
        });
    }
    Ok(())
}

fn own_dividends(path: &Path, day: &mut DayFiles) -> Result<(), ImportError> {
    let frame = Frame::read(path, &["underlying", "ex_date", "amount", "status"])?;
    for row in 0..frame.len() {
        let name = frame.get("underlying", row);
        if day.underlyings.iter().any(|own| own.underlying == name) {
            day.dividends.push(DividendRow {
                underlying: name.to_owned(),
                ex_date: date::parse(frame.get("ex_date", row)),
                amount: plain_number(frame.get("amount", row)),
                status: frame.get("status", row).to_owned(),
            });
        }
    }
    Ok(())
}
