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

/// In whose shares a list of dividends counts, while it is read in the order of its days.
///
/// The list counts in the shares of each dividend's own day. A split after the market date is seen where both the
/// dividend and the price fall by the same whole factor; what follows is then paid on that many shares.
#[derive(Default)]
struct ShareTerms {
    name: String,
    /// Dividend and price of the row before.
    before: Option<(f64, f64)>,
    factor: f64,
}

impl ShareTerms {
    /// The amount in shares of the market date. `print` is the price of that day, given for later rows only.
    fn amount(&mut self, name: &str, print: Option<f64>, close: f64, amount: f64) -> f64 {
        if self.name != name {
            *self = Self { name: name.to_owned(), before: None, factor: 1.0 };
        }
        if let (Some((dividend, row_close)), Some(print)) = (self.before, print) {
            // Until a split is seen, the market date's own price tells in whose shares it counts.
            let price = if self.factor == 1.0 { print } else { row_close };
            let factor = (dividend / amount).round();
            if factor >= 2.0 && (0.75..1.35).contains(&(price / close / factor)) {
                self.factor *= factor;
            }
        }
        self.before = Some((amount, close));
        amount * self.factor
    }
}

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
    let mut terms = ShareTerms::default();
    for row in 0..frame.len() {
        let name = frame.get("symbol", row);
        let Some(own) = day.underlyings.iter().find(|own| own.underlying == name) else { continue };
        let print = own.price.map(Price::to_f64);
        let fault = |column: &str| {
            let value = frame.get(column, row);
            ImportError::file(path, format!("row {}, column `{column}`: `{value}` is not allowed", row + 1))
        };
        let last_cum = date::parse(frame.get("last_cum_date", row)).ok_or_else(|| fault("last_cum_date"))?;
        let close = plain_number(frame.get("close_raw", row)).ok_or_else(|| fault("close_raw"))?;
        let amount = plain_number(frame.get("dividend", row)).ok_or_else(|| fault("dividend"))?;
        let ex_date = calendar.next_trading_day(last_cum);
        let future = ex_date > day.market_date;
        let amount = terms.amount(name, print.filter(|_| future), close, amount);
        if ex_date.0 < day.market_date.0 - DAYS_BACK || amount <= 0.0 {
            continue;
        }
        if amount > CASH_SHARE_MAX * close * terms.factor {
            day.corporate_actions.push(CorporateActionRow {
                underlying: name.to_owned(),
                effective_date: ex_date,
                kind: "spin_off".to_owned(),
                ratio: None,
                amount: Some(amount),
            });
            continue;
        }
        let status = if future { "projected" } else { "declared" };
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
