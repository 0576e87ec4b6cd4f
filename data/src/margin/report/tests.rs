//! Requirements counted by hand: series worth their exercise value at every point.

use std::collections::BTreeMap;

use closemark_pricing::Price;
use closemark_pricing::risk::{Range, RiskArray};
use closemark_pricing::settings::RiskSettings;
use closemark_pricing::vocabulary::MarginGroup;

use super::super::{
    CloseData, Instrument, Position, ProductGroups, Quantity, SeriesData, UnderlyingData, built_in_groups,
};
use super::{AccountMargin, margin};

fn money(units: f64) -> Price {
    Price::nearest(units).unwrap()
}

fn close() -> CloseData {
    let mut data = CloseData::default();
    for (symbol, price, group, leverage) in [
        ("ABC", 100.0, MarginGroup::Equity, 1.0),
        ("BULL", 50.0, MarginGroup::LeveragedFund, 3.0),
        ("SPX", 5000.0, MarginGroup::HighCapIndex, 1.0),
        ("XSP", 500.0, MarginGroup::HighCapIndex, 1.0),
        ("SPY", 500.0, MarginGroup::Equity, 1.0),
    ] {
        let range = Range::of(group, leverage, &RiskSettings::default());
        let entry = UnderlyingData { currency: "USD".to_owned(), price: money(price), group, range };
        data.underlyings.insert(symbol.to_owned(), entry);
    }
    for (name, underlying, call, strike, mark) in [
        ("call", "ABC", true, 100.0, 2.0),
        ("high call", "ABC", true, 105.0, 1.0),
        ("low put", "ABC", false, 95.0, 1.0),
        ("put", "ABC", false, 100.0, 3.0),
        ("dear call", "ABC", true, 100.0, 3.02),
        ("penny call", "ABC", true, 200.0, 0.1),
        ("index put", "SPX", false, 5000.0, 100.0),
        ("small put", "XSP", false, 500.0, 10.0),
        ("fund put", "SPY", false, 500.0, 10.0),
    ] {
        let of = &data.underlyings[underlying];
        let exercise = |s: f64| if call { s - strike } else { strike - s };
        let prices = of.range.prices(of.price).map(|s| money(exercise(s.to_f64()).max(0.0)).micros());
        let entry = SeriesData {
            underlying: underlying.to_owned(),
            currency: "USD".to_owned(),
            multiplier: 100,
            mark: money(mark),
            points: RiskArray::new(&prices, money(mark), 100, None).points,
            minimum_charge: money(37.5),
        };
        data.series.insert(name.to_owned(), entry);
    }
    data
}

fn account(held: &[(&str, i64)]) -> AccountMargin {
    let data = close();
    let positions: Vec<Position> = held
        .iter()
        .map(|&(name, quantity)| Position {
            row: 2,
            account: "A".to_owned(),
            instrument: if data.series.contains_key(name) {
                Instrument::Series(name.to_owned())
            } else {
                Instrument::Underlying(name.to_owned())
            },
            quantity: Quantity(quantity * 1_000_000),
        })
        .collect();
    margin(&positions, &data, &built_in_groups().unwrap()).accounts.remove(0)
}

fn required(held: &[(&str, i64)]) -> f64 {
    account(held).requirement.get("USD").map_or(0.0, |r| *r as f64 / 1e6)
}

#[test]
fn a_long_call_loses_its_price() {
    let held = account(&[("call", 1)]);
    let gains: Vec<i128> = held.groups[0].gains.iter().map(|g| g / 1_000_000).collect();
    assert_eq!(gains, [-200, -200, -200, -200, -200, 100, 400, 700, 1000, 1300]);
    assert_eq!((held.groups[0].worst, held.requirement["USD"]), (Some(0), 200_000_000));
}

#[test]
fn a_short_strangle_loses_on_either_side() {
    // At 85: put 10 - 1 lost, call 1 won; at 115 the same with the sides exchanged.
    let held = account(&[("high call", -1), ("low put", -1)]);
    let gains: Vec<i128> = held.groups[0].gains.iter().map(|g| g / 1_000_000).collect();
    assert_eq!(gains, [-800, -500, -200, 100, 200, 200, 100, -200, -500, -800]);
    assert_eq!(required(&[("high call", -1), ("low put", -1)]), 800.0);
}

#[test]
fn a_conversion_nets_to_nearly_nothing_and_pays_the_minimum() {
    let held = account(&[("ABC", 100), ("put", 1), ("dear call", -1)]);
    assert_eq!(held.groups[0].gains, [2_000_000; 10]);
    assert_eq!((held.groups[0].risk, held.groups[0].minimum), (0, 75_000_000));
    assert_eq!(required(&[("ABC", 100), ("put", 1), ("dear call", -1)]), 75.0);
}

#[test]
fn a_leveraged_fund_moves_by_its_factor() {
    // 45 % of 50 on ten shares.
    assert_eq!(required(&[("BULL", -10)]), 225.0);
    assert_eq!(required(&[("BULL", 10)]), 225.0);
}

#[test]
fn a_high_capitalisation_index_falls_by_eight_and_rises_by_six() {
    // 400 points less the mark of 100, a hundred times; the stock itself up 6 % of 5,000.
    assert_eq!(required(&[("index put", -1)]), 30_000.0);
    assert_eq!(required(&[("SPX", -1)]), 300.0);
    assert_eq!(required(&[("SPX", 1)]), 400.0);
}

#[test]
fn classes_of_another_range_stand_alone() {
    // Here the fund's points reach 15 %, the index's 8 % down: a gain at one is no gain at the other. 30,000 stay, and the
    // ten puts may lose their 10,000.
    let held = account(&[("index put", -1), ("fund put", 10)]);
    assert_eq!(held.groups.len(), 2);
    assert_eq!(required(&[("index put", -1), ("fund put", 10)]), 40_000.0);
}

#[test]
fn classes_of_a_group_offset_by_ninety_percent() {
    // At the lowest point 30,000 lost and 30,000 won, of which 27,000 count; at the highest 10,000 lost and 9,000 won.
    let held = account(&[("index put", -1), ("small put", 10)]);
    assert_eq!(held.groups.len(), 1);
    assert_eq!(held.groups[0].gains[0], -3_000_000_000);
    assert_eq!(held.groups[0].gains[9], -1_000_000_000);
    assert_eq!(required(&[("index put", -1), ("small put", 10)]), 3_000.0);
    // Without a table every class stands alone: 30,000 and the 10,000 that the long puts cost.
    let positions: Vec<Position> = [("index put", -1), ("small put", 10)]
        .map(|(name, q)| Position {
            row: 2,
            account: "A".to_owned(),
            instrument: Instrument::Series(name.to_owned()),
            quantity: Quantity(q * 1_000_000),
        })
        .to_vec();
    let alone = margin(&positions, &close(), &ProductGroups::default());
    assert_eq!(alone.accounts[0].requirement, BTreeMap::from([("USD".to_owned(), 40_000_000_000)]));
}

#[test]
fn minimum_charges_of_long_contracts_end_at_their_value() {
    // Short: 37.50 a contract. Long: 0.10 a share is 10 a contract, which is also all that can be lost.
    assert_eq!(required(&[("penny call", -2)]), 75.0);
    assert_eq!(required(&[("penny call", 2)]), 20.0);
}

#[test]
fn rows_of_one_series_net_and_nothing_needs_nothing() {
    assert_eq!(required(&[("call", 5), ("call", -4)]), 200.0);
    assert_eq!(account(&[("call", 5), ("call", -5)]).groups, []);
}
