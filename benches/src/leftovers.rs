//! Names whose chain holds rows that no market stands behind: before a split, say, that a vendor never deleted.
//!
//! They are found without any of our marks: a quote that could be exchanged for the underlying itself at a sure profit
//! of more than a tenth of its price is no quote.

use std::collections::BTreeSet;

use closemark_data::day::Day;
use closemark_pricing::day::UnderlyingDay;
use closemark_pricing::price::Price;
use closemark_pricing::vocabulary::OptionType;

/// The sure profit, as a share of the underlying's price, from which a quote is dead.
const DEAD_PROFIT: f64 = 0.1;

/// The share of dead among two-sided quotes from which the rest of a name's chain is not believed either.
const DEAD_SHARE: f64 = 0.05;

/// The names with leftovers.
pub fn names(day: &Day) -> BTreeSet<String> {
    day.underlyings.iter().filter(|own| has_leftovers(own)).map(|own| own.underlying.clone()).collect()
}

fn has_leftovers(day: &UnderlyingDay) -> bool {
    let Some(spot) = day.price.map(Price::to_f64) else { return false };
    let (mut dead, mut all) = (0_u32, 0_u32);
    for (i, series) in day.series.iter().enumerate() {
        for quote in day.quotes_of(i) {
            let (Some(bid), Some(ask)) = (quote.bid, quote.ask) else { continue };
            all += 1;
            dead += u32::from(sure_profit(series.option_type, series.strike, spot, bid, ask) > DEAD_PROFIT * spot);
        }
    }
    f64::from(dead) > DEAD_SHARE * f64::from(all)
}

/// What exercising a bought option, or covering a sold one, gains at once.
fn sure_profit(option_type: OptionType, strike: Price, spot: f64, bid: Price, ask: Price) -> f64 {
    let (strike, bid, ask) = (strike.to_f64(), bid.to_f64(), ask.to_f64());
    match option_type {
        OptionType::Call => (spot - strike - ask).max(bid - spot),
        OptionType::Put => (strike - spot - ask).max(bid - strike),
    }
}

#[cfg(test)]
mod tests {
    use closemark_pricing::price::Price;
    use closemark_pricing::vocabulary::OptionType;

    use super::sure_profit;

    #[test]
    fn profits_by_hand() {
        let profit = |kind, strike: f64, bid: f64, ask: f64| {
            let price = |units: f64| Price::nearest(units).unwrap();
            sure_profit(kind, price(strike), 80.0, price(bid), price(ask))
        };
        // Bought at 59 and exercised at 155 against 80; a call above the stock; a put above its strike.
        assert_eq!(profit(OptionType::Put, 155.0, 54.0, 59.0), 16.0);
        assert_eq!(profit(OptionType::Call, 200.0, 95.0, 99.0), 15.0);
        assert_eq!(profit(OptionType::Put, 50.0, 51.0, 53.0), 1.0);
        assert!(profit(OptionType::Call, 75.0, 5.5, 6.0) < 0.0);
    }
}
