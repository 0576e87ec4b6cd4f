//! The computation as a person follows it: holdings, ten points, the worst of them, offsets, minimum, requirement.

use std::fmt::Write as _;

use closemark_data::margin::{AccountMargin, ClassMargin, GroupMargin, Holding, Instrument, MarginReport};
use closemark_pricing::Price;
use closemark_pricing::risk::RANGE_UNITS;

use crate::text::counted;

/// What the computation was made from.
pub(crate) struct Head<'a> {
    pub(crate) market_date: &'a str,
    pub(crate) run_id: &'a str,
    pub(crate) positions: u64,
}

/// The whole report, 100 columns wide.
pub(crate) fn report(head: &Head<'_>, report: &MarginReport) -> String {
    let mut out = format!(
        "Portfolio margin, close of {}, run {}: {} in {}\n",
        head.market_date,
        head.run_id,
        counted(head.positions, "position"),
        counted(report.accounts.len() as u64, "account"),
    );
    for account in &report.accounts {
        of_account(&mut out, account);
    }
    if report.accounts.len() > 1 {
        out.push_str("\nRequirements\n");
        for account in &report.accounts {
            let _ = writeln!(out, "  {:<64} {:>30}", clean(&account.account), requirement(account));
        }
    }
    out
}

fn of_account(out: &mut String, account: &AccountMargin) {
    let _ = writeln!(out, "\nAccount {}", clean(&account.account));
    for group in &account.groups {
        if let (Some(product), true) = (&group.product_group, group.classes.len() > 1) {
            let _ = writeln!(out, "\n  Product group {}: {}", clean(&product.name), clean(&product.title));
        }
        for class in &group.classes {
            of_class(out, class);
        }
        of_group(out, group);
    }
    let _ = writeln!(out, "\n  Requirement: {}", requirement(account));
}

fn requirement(account: &AccountMargin) -> String {
    if account.requirement.is_empty() {
        return "0.00, nothing is held".to_owned();
    }
    let amounts = account.requirement.iter().map(|(currency, amount)| format!("{} {}", cents_up(*amount), currency));
    amounts.collect::<Vec<_>>().join(", ")
}

fn of_class(out: &mut String, class: &ClassMargin) {
    let percent = |units: i64| format!("{:+.1} %", 100.0 * units as f64 / RANGE_UNITS as f64);
    let _ = writeln!(
        out,
        "\n  Class {} ({}): price {}, points from {} to {}, amounts in {}",
        clean(&class.underlying),
        class.group,
        price(class.price),
        percent(class.range.down),
        percent(class.range.up),
        clean(&class.currency),
    );
    let place = class.worst;
    let heading = match place {
        Some(place) => format!("at point {}", place + 1),
        None => "at point 1".to_owned(),
    };
    let _ = writeln!(
        out,
        "    {:<24}{:>12} {:>12} {:>17} {:>17} {:>9}",
        "held", "quantity", "mark", "gain of one", heading, "minimum"
    );
    for holding in &class.holdings {
        of_holding(out, holding, place.unwrap_or(0));
    }
    let _ = writeln!(out, "    {:<24}{:>12} {:>12} {:>17}", "point", "move", "price", "gain");
    for (point, ((gain, at), share)) in class.gains.iter().zip(&class.prices).zip(moves(class)).enumerate() {
        let mark = if place == Some(point) { "  <- largest loss" } else { "" };
        let _ = writeln!(
            out,
            "    {:<24}{:>12} {:>12} {:>17}{mark}",
            point + 1,
            format!("{:+.1} %", 100.0 * share),
            price(*at),
            cents(*gain),
        );
    }
}

fn of_holding(out: &mut String, holding: &Holding, place: usize) {
    let name = match &holding.instrument {
        Instrument::Series(symbol) => clean(symbol),
        Instrument::Underlying(symbol) => format!("{} shares", clean(symbol)),
    };
    let unit = holding.unit_gains.get(place).copied().unwrap_or_default();
    let gain = holding.gains.get(place).copied().unwrap_or_default();
    let _ = writeln!(
        out,
        "    {name:<24}{:>12} {:>12} {:>17} {:>17} {:>9}",
        holding.quantity,
        holding.price.to_string(),
        cents(unit.micros().into()),
        cents(gain),
        cents(holding.minimum),
    );
}

fn of_group(out: &mut String, group: &GroupMargin) {
    let many = group.classes.len() > 1;
    if let (Some(product), true) = (&group.product_group, many) {
        let share = 100.0 * product.offset;
        let _ = writeln!(out, "\n  Offsets in {}: losses in full, {share:.0} % of gains", clean(&product.name));
        for (point, gain) in group.gains.iter().enumerate() {
            let parts: Vec<String> =
                group.classes.iter().take(2).map(|c| cents(c.gains.get(point).copied().unwrap_or(0))).collect();
            let more =
                if group.classes.len() > 2 { format!(" and {} more", group.classes.len() - 2) } else { String::new() };
            let mark = if group.worst == Some(point) { "  <- largest" } else { "" };
            let _ = writeln!(
                out,
                "    point {:<3} {:>16}  from {}{more}{mark}",
                point + 1,
                cents(*gain),
                parts.join(" and ")
            );
        }
    }
    let name = match (&group.product_group, many) {
        (Some(product), true) => format!("group {}", clean(&product.name)),
        _ => group.classes.first().map(|c| format!("class {}", clean(&c.underlying))).unwrap_or_default(),
    };
    let (risk, minimum) = (cents(group.risk), cents(group.minimum));
    let _ = writeln!(out, "  Largest loss {risk}, minimum charges {minimum}; the larger counts");
    let required = cents_up(group.requirement);
    let _ = writeln!(out, "  Requirement of {name}: {required} {}", clean(&group.currency));
}

/// Moves of the points as shares of the price.
fn moves(class: &ClassMargin) -> impl Iterator<Item = f64> {
    let (down, up) = (class.range.down as f64, class.range.up as f64);
    let unit = RANGE_UNITS as f64;
    (0..10).map(
        move |place| {
            if place < 5 { down / unit * (5 - place) as f64 / 5.0 } else { up / unit * (place - 4) as f64 / 5.0 }
        },
    )
}

fn price(price: Price) -> String {
    crate::text::money(Some(price))
}

/// An amount in whole hundredths, nearest, thousands grouped.
fn cents(micros: i128) -> String {
    hundredths((micros.abs() + 5_000) / 10_000, micros < 0)
}

/// A requirement in whole hundredths, rounded up.
fn cents_up(micros: i128) -> String {
    hundredths((micros.max(0) + 9_999) / 10_000, false)
}

fn hundredths(count: i128, negative: bool) -> String {
    let whole = u64::try_from(count / 100).unwrap_or(u64::MAX);
    let sign = if negative && count > 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", crate::text::grouped(whole), count % 100)
}

/// Names from files, without what a terminal would obey.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::{cents, cents_up};

    #[test]
    fn amounts_are_rounded_and_grouped() {
        assert_eq!(cents(-1_234_567_894_999), "-1,234,567.89");
        assert_eq!(cents(-4_999), "0.00");
        assert_eq!(cents_up(1), "0.01");
        assert_eq!(cents_up(30_000_000_000), "30,000.00");
    }
}
