//! The same computation for programs.

use closemark_data::margin::{AccountMargin, ClassMargin, GroupMargin, Holding, Instrument, MarginReport};
use closemark_pricing::Price;
use serde_json::{Value, json};

use super::print::Head;

/// One JSON document; amounts are numbers in the currency, exact to a millionth up to nine billion.
pub(super) fn report(head: &Head<'_>, report: &MarginReport) -> String {
    let document = json!({
        "market_date": head.market_date,
        "run_id": head.run_id,
        "accounts": report.accounts.iter().map(account).collect::<Vec<Value>>(),
    });
    format!("{document:#}\n")
}

fn amount(micros: i128) -> Value {
    Value::from(micros as f64 / 1e6)
}

fn amounts(gains: &[i128]) -> Vec<Value> {
    gains.iter().map(|gain| amount(*gain)).collect()
}

fn price(price: Price) -> Value {
    amount(price.micros().into())
}

/// Points are counted from one.
fn point(place: Option<usize>) -> Option<usize> {
    place.map(|place| place + 1)
}

fn account(account: &AccountMargin) -> Value {
    let requirement: serde_json::Map<String, Value> =
        account.requirement.iter().map(|(currency, sum)| (currency.clone(), amount(*sum))).collect();
    json!({
        "account": account.account,
        "requirement": requirement,
        "groups": account.groups.iter().map(group).collect::<Vec<Value>>(),
    })
}

fn group(group: &GroupMargin) -> Value {
    json!({
        "product_group": group.product_group.as_ref().map(|g| &g.name),
        "offset": group.product_group.as_ref().map(|g| g.offset),
        "currency": group.currency,
        "gains": amounts(&group.gains),
        "worst_point": point(group.worst),
        "largest_loss": amount(group.risk),
        "minimum": amount(group.minimum),
        "requirement": amount(group.requirement),
        "classes": group.classes.iter().map(class).collect::<Vec<Value>>(),
    })
}

fn class(class: &ClassMargin) -> Value {
    json!({
        "underlying": class.underlying,
        "margin_group": class.group.as_str(),
        "currency": class.currency,
        "price": price(class.price),
        "range_down": class.range.down as f64 / 1e12,
        "range_up": class.range.up as f64 / 1e12,
        "prices": class.prices.map(price),
        "gains": amounts(&class.gains),
        "worst_point": point(class.worst),
        "largest_loss": amount(class.risk),
        "minimum": amount(class.minimum),
        "holdings": class.holdings.iter().map(holding).collect::<Vec<Value>>(),
    })
}

fn holding(holding: &Holding) -> Value {
    let (series, underlying) = match &holding.instrument {
        Instrument::Series(symbol) => (Some(symbol), None),
        Instrument::Underlying(symbol) => (None, Some(symbol)),
    };
    json!({
        "osi_symbol": series,
        "underlying": underlying,
        "quantity": amount(holding.quantity.0.into()),
        "price": price(holding.price),
        "multiplier": holding.multiplier,
        "unit_gains": holding.unit_gains.map(price),
        "gains": amounts(&holding.gains),
        "minimum": amount(holding.minimum),
    })
}
