//! One class: everything an account holds on one underlying.

use closemark_pricing::Price;
use closemark_pricing::risk::POINTS;

use super::close::{CloseData, SeriesData, UnderlyingData};
use super::positions::{Instrument, Quantity};
use super::report::Holding;
use super::{Gains, add};

const MICROS: i128 = 1_000_000;

/// The underlying that an instrument belongs to.
pub(super) fn underlying_of<'a>(instrument: &'a Instrument, close: &'a CloseData) -> Option<&'a str> {
    match instrument {
        Instrument::Series(symbol) => close.series.get(symbol).map(|s| s.underlying.as_str()),
        Instrument::Underlying(symbol) => Some(symbol),
    }
}

/// What holding `quantity` of an instrument gains at each point, and the least it is charged.
pub(super) fn holding(
    instrument: &Instrument,
    quantity: Quantity,
    close: &CloseData,
    underlying: &UnderlyingData,
) -> Option<Holding> {
    match instrument {
        Instrument::Series(symbol) => {
            let series = close.series.get(symbol)?;
            Some(Holding {
                instrument: instrument.clone(),
                quantity,
                price: series.mark,
                multiplier: Some(series.multiplier),
                unit_gains: series.points,
                gains: series.points.map(|point| times(point, quantity)),
                minimum: minimum(series, quantity),
            })
        }
        Instrument::Underlying(_) => {
            let moves = underlying.range.prices(underlying.price);
            let unit_gains = moves.map(|at| Price::from_micros(at.micros().saturating_sub(underlying.price.micros())));
            Some(Holding {
                instrument: instrument.clone(),
                quantity,
                price: underlying.price,
                multiplier: None,
                unit_gains,
                gains: unit_gains.map(|gain| times(gain, quantity)),
                minimum: 0,
            })
        }
    }
}

/// Amount times quantity; a rest below a millionth is a loss.
fn times(amount: Price, quantity: Quantity) -> i128 {
    (i128::from(amount.micros()) * i128::from(quantity.0)).div_euclid(MICROS)
}

/// The minimum charge of an option position: per contract, long contracts not beyond their market value.
fn minimum(series: &SeriesData, quantity: Quantity) -> i128 {
    let charge = i128::from(series.minimum_charge.micros());
    let value = i128::from(series.mark.micros()) * i128::from(series.multiplier);
    let each = if quantity.0 > 0 { charge.min(value) } else { charge };
    each * i128::from(quantity.size()) / MICROS
}

/// Gains of all holdings together.
pub(super) fn total(holdings: &[Holding]) -> Gains {
    let mut sum = [0; POINTS];
    for holding in holdings {
        add(&mut sum, &holding.gains);
    }
    sum
}
