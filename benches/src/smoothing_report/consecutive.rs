//! Two days in a row: how far volatilities move where nothing trades, against what they move where most does.

use std::collections::BTreeMap;

use closemark_pricing::mark::UnderlyingMarks;
use closemark_pricing::series::{Date, Series};
use closemark_pricing::vocabulary::OptionType;

use crate::figures::quantile;
use crate::whole_close::Closed;

/// Beyond so many standard deviations a series is far out of the money.
const FAR: f64 = 1.5;

/// Median moves from one day to the next, volatility points as fractions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DayMove {
    /// Expirations on both days.
    pub expirations: usize,
    /// Far out-of-the-money series on both days.
    pub series: usize,
    /// Median of the absolute moves at the money, over expirations.
    pub at_the_money: f64,
    /// Median of the absolute moves of far out-of-the-money series.
    pub far: f64,
    /// Median of the absolute moves of far out-of-the-money series less their expiration's own move at the money.
    pub relative: f64,
}

/// Moves of one underlying; strikes of the first day count divided by `split`.
pub fn day_move(before: &Closed, after: &Closed, split: f64) -> Option<DayMove> {
    let (first, second) = (before.day.underlyings.first()?, after.day.underlyings.first()?);
    let (old, new) = (before.marks.first()?, after.marks.first()?);
    let money = |marks: &UnderlyingMarks| -> BTreeMap<Date, f64> {
        marks.slices.iter().filter_map(|slice| Some((slice.expiration, slice.atm_volatility?))).collect()
    };
    let (money_before, money_after) = (money(old), money(new));
    let shifts: BTreeMap<Date, f64> =
        money_after.iter().filter_map(|(date, sigma)| Some((*date, sigma - money_before.get(date)?))).collect();
    // A new strike is the old one divided and rounded to a cent.
    let key = |series: &Series, split: f64| {
        let cents = (series.strike.to_f64() / split * 100.0).round() as i64;
        (series.expiration, cents, series.option_type == OptionType::Call)
    };
    let known: BTreeMap<(Date, i64, bool), f64> = first
        .series
        .iter()
        .zip(&old.series)
        .filter_map(|(series, row)| Some((key(series, split), row.smoothed_volatility?)))
        .collect();
    let (mut far, mut relative) = (Vec::new(), Vec::new());
    for (series, row) in second.series.iter().zip(&new.series) {
        let (Some(sigma), Some(k), Some(at_money)) =
            (row.smoothed_volatility, row.log_moneyness, money_after.get(&series.expiration))
        else {
            continue;
        };
        let out = (series.option_type == OptionType::Call) == (k > 0.0);
        let quoted = row.mid.is_some();
        let (Some(was), Some(shift)) = (known.get(&key(series, 1.0)), shifts.get(&series.expiration)) else { continue };
        if out && quoted && k.abs() > FAR * at_money * row.time_to_expiry.sqrt() {
            far.push((sigma - was).abs());
            relative.push((sigma - was - shift).abs());
        }
    }
    let mut at_the_money: Vec<f64> = shifts.values().map(|shift| shift.abs()).collect();
    Some(DayMove {
        expirations: shifts.len(),
        series: far.len(),
        at_the_money: quantile(&mut at_the_money, 0.5)?,
        far: quantile(&mut far, 0.5)?,
        relative: quantile(&mut relative, 0.5)?,
    })
}
