//! The requirement of every account, with each step that leads to it.

use std::collections::BTreeMap;

use closemark_pricing::Price;
use closemark_pricing::risk::{POINTS, Range};
use closemark_pricing::vocabulary::MarginGroup;

use super::class::{holding, total, underlying_of};
use super::close::CloseData;
use super::groups::{ProductGroup, ProductGroups};
use super::positions::{Instrument, Position, Quantity};
use super::{Gains, worst};

/// One instrument of an account, all its rows together. Amounts are millionths of the currency.
#[derive(Clone, Debug, PartialEq)]
pub struct Holding {
    /// What.
    pub instrument: Instrument,
    /// Contracts or shares, short negative.
    pub quantity: Quantity,
    /// Mark of a series, price of an underlying; per share.
    pub price: Price,
    /// Of a series.
    pub multiplier: Option<i64>,
    /// Gain of one long contract (or share) at each point.
    pub unit_gains: [Price; POINTS],
    /// Gain of the holding at each point.
    pub gains: [i128; POINTS],
    /// Its minimum charges.
    pub minimum: i128,
}

/// Everything an account holds on one underlying.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassMargin {
    /// The underlying.
    pub underlying: String,
    /// ISO 4217 code of every amount.
    pub currency: String,
    /// Its price.
    pub price: Price,
    /// Its portfolio-margin group.
    pub group: MarginGroup,
    /// The farthest points.
    pub range: Range,
    /// Prices at the points.
    pub prices: [Price; POINTS],
    /// Ascending by instrument; never of quantity zero.
    pub holdings: Vec<Holding>,
    /// Gains at the points.
    pub gains: [i128; POINTS],
    /// Place of the largest loss.
    pub worst: Option<usize>,
    /// The largest loss.
    pub risk: i128,
    /// Minimum charges.
    pub minimum: i128,
}

/// Classes that offset one another, or one class by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupMargin {
    /// The product group; `None` for a class that is in none.
    pub product_group: Option<ProductGroup>,
    /// ISO 4217 code of every amount.
    pub currency: String,
    /// The classes.
    pub classes: Vec<ClassMargin>,
    /// Losses in full plus the group's share of gains, at the points.
    pub gains: [i128; POINTS],
    /// Place of the largest loss.
    pub worst: Option<usize>,
    /// The largest loss.
    pub risk: i128,
    /// Minimum charges.
    pub minimum: i128,
    /// The larger of the two.
    pub requirement: i128,
}

/// One account.
#[derive(Clone, Debug, PartialEq)]
pub struct AccountMargin {
    /// Its name.
    pub account: String,
    /// Its groups.
    pub groups: Vec<GroupMargin>,
    /// Requirement by currency.
    pub requirement: BTreeMap<String, i128>,
}

/// All accounts, by name.
#[derive(Clone, Debug, PartialEq)]
pub struct MarginReport {
    /// The accounts.
    pub accounts: Vec<AccountMargin>,
}

/// Portfolio margin of positions against a close that knows all of them.
///
/// # Formula
/// Class: `g_j = sum q_i p_ij` over its holdings at point `j`. Product group:
/// `G_j = sum min(g_j, 0) + offset sum max(g_j, 0)` over its classes of one range of valuation points: gains are set against
/// losses at the same move of the index only. Requirement: the larger of `max_j(-G_j, 0)` and the
/// sum of minimum charges, 0.375 per contract and unit of multiplier, for long contracts at most their market value.
///
/// # Source
/// FINRA Rule 4210(g)(7) and (8); 17 CFR 240.15c3-1a(b)(1).
pub fn margin(positions: &[Position], close: &CloseData, groups: &ProductGroups) -> MarginReport {
    let mut accounts: BTreeMap<&str, BTreeMap<&Instrument, Quantity>> = BTreeMap::new();
    for position in positions {
        let held = accounts.entry(&position.account).or_default().entry(&position.instrument).or_insert(Quantity(0));
        *held = Quantity(held.0.saturating_add(position.quantity.0));
    }
    let accounts = accounts.into_iter().map(|(account, held)| of_account(account, &held, close, groups)).collect();
    MarginReport { accounts }
}

fn of_account(
    account: &str,
    held: &BTreeMap<&Instrument, Quantity>,
    close: &CloseData,
    groups: &ProductGroups,
) -> AccountMargin {
    let mut by_underlying: BTreeMap<&str, Vec<(&Instrument, Quantity)>> = BTreeMap::new();
    for (instrument, quantity) in held.iter().filter(|(_, q)| q.0 != 0) {
        if let Some(underlying) = underlying_of(instrument, close) {
            by_underlying.entry(underlying).or_default().push((*instrument, *quantity));
        }
    }
    // Groups in the order of their first class; a class without a group is one of its own.
    let mut parts: Vec<(Option<&ProductGroup>, Vec<ClassMargin>)> = Vec::new();
    for (underlying, held) in by_underlying {
        let Some(class) = of_class(underlying, &held, close) else { continue };
        let group = groups.of(underlying);
        let same = |part: &&mut (Option<&ProductGroup>, Vec<ClassMargin>)| {
            part.0.is_some()
                && part.0.map(|g| &g.name) == group.map(|g| &g.name)
                // Points of different moves of the index are no same point.
                && part.1.first().is_some_and(|c| c.currency == class.currency && c.range == class.range)
        };
        match parts.iter_mut().find(same) {
            Some((_, classes)) => classes.push(class),
            None => parts.push((group, vec![class])),
        }
    }
    let groups: Vec<GroupMargin> = parts.into_iter().map(|(group, classes)| of_group(group, classes)).collect();
    let mut requirement: BTreeMap<String, i128> = BTreeMap::new();
    for group in &groups {
        *requirement.entry(group.currency.clone()).or_default() += group.requirement;
    }
    AccountMargin { account: account.to_owned(), groups, requirement }
}

fn of_class(underlying: &str, held: &[(&Instrument, Quantity)], close: &CloseData) -> Option<ClassMargin> {
    let data = close.underlyings.get(underlying)?;
    let holdings: Vec<Holding> = held.iter().filter_map(|(i, q)| holding(i, *q, close, data)).collect();
    let gains = total(&holdings);
    Some(ClassMargin {
        underlying: underlying.to_owned(),
        currency: data.currency.clone(),
        price: data.price,
        group: data.group,
        range: data.range,
        prices: data.range.prices(data.price),
        minimum: holdings.iter().map(|h| h.minimum).sum(),
        holdings,
        worst: worst(&gains).map(|(place, _)| place),
        risk: worst(&gains).map_or(0, |(_, loss)| loss),
        gains,
    })
}

fn of_group(group: Option<&ProductGroup>, classes: Vec<ClassMargin>) -> GroupMargin {
    let offset = group.map_or(0.0, |g| g.offset);
    let gains = match classes.as_slice() {
        [only] => only.gains,
        many => offset_gains(many, offset),
    };
    let risk = worst(&gains).map_or(0, |(_, loss)| loss);
    let minimum = classes.iter().map(|c| c.minimum).sum();
    GroupMargin {
        product_group: group.cloned(),
        currency: classes.first().map(|c| c.currency.clone()).unwrap_or_default(),
        classes,
        worst: worst(&gains).map(|(place, _)| place),
        gains,
        risk,
        minimum,
        requirement: risk.max(minimum),
    }
}

/// Losses in full, of gains a share in whole millionths, rounded down.
fn offset_gains(classes: &[ClassMargin], offset: f64) -> Gains {
    // A share in 10^-6 is all that a table of percentages says.
    let share = (offset * 1e6).round_ties_even() as i128;
    let mut sums = [0; POINTS];
    for class in classes {
        for (sum, gain) in sums.iter_mut().zip(&class.gains) {
            *sum += if *gain < 0 { *gain } else { gain * share / 1_000_000 };
        }
    }
    sums
}

#[cfg(test)]
mod tests;
