//! Prices of a slice's series at other prices of the underlying, everything else held.
//!
//! What one series has solved serves all of them: a European forward moves with the price; an exercise boundary is a
//! ratio to the strike, so that moving `S` at fixed `K` is moving `K` at fixed `S`; under cash dividends one backward
//! sweep at the series' volatility holds the values at every price of the underlying.

mod plan;
mod sweep;

use super::dividends::schedule::Schedule;
use super::{Kind, ModelInput, SliceModel, american, black};
use crate::math::exp;
use crate::models::boundary::VOLATILITY_MIN;
use crate::vocabulary::OptionType;
use plan::{Plan, refinement};
use sweep::LANES;

/// A forward below this share of the price is one that dividends have eaten up: only the fallback is trusted there.
const FORWARD_SHARE_MIN: f64 = 0.2;
/// Volatilities that sweeps are used for; outside, each price is a model of its own.
const SWEPT: std::ops::RangeInclusive<f64> = 0.0005..=16.0;

impl SliceModel {
    /// Prices of series `(strike, sigma)` of one type at each price of the underlying in `spots`; row by row, one row a
    /// series.
    ///
    /// # Formula
    /// [`SliceModel::price`] of a model whose spot is `spots[j]`, with rate, borrow and cash dividends held:
    /// `F' = F + (S' - S) e^{(r-b)T}`; European slices scale the forward they were given, `F' = F S'/S`.
    ///
    /// # Domain
    /// A spot of zero gives the limit: nothing for a call; for a put the strike, discounted where it cannot be had
    /// (or is not wanted) before expiry. `None` where no number can be given.
    ///
    /// No result depends on which other series or spots are asked for.
    pub fn prices_at_spots(
        &self,
        option_type: OptionType,
        strikes: &[f64],
        sigmas: &[f64],
        spots: &[f64],
    ) -> Vec<Option<f64>> {
        let count = strikes.len().min(sigmas.len());
        let mut out = vec![None; count * spots.len()];
        if spots.is_empty() {
            return out;
        }
        if let Some(schedule) = self.swept(option_type) {
            let option = (option_type, &schedule);
            sweep_all(option, strikes, sigmas, spots, &mut out);
        }
        for ((row, &strike), &sigma) in out.chunks_mut(spots.len()).zip(strikes).zip(sigmas) {
            if strike > 0.0 && strike.is_finite() && sigma >= 0.0 && sigma.is_finite() {
                self.fill(option_type, strike, sigma, spots, row);
            }
        }
        out
    }

    /// The schedule, where cash dividends are swept: one exercise boundary, and a forward worth the name.
    fn swept(&self, option_type: OptionType) -> Option<Schedule> {
        let Kind::CashDividends(_) = &self.kind else { return None };
        let schedule = Schedule::new(&self.input)?;
        let regular = self.input.forward >= FORWARD_SHARE_MIN * self.input.spot;
        (regular && !schedule.double_boundary(option_type == OptionType::Call)).then_some(schedule)
    }

    /// Fills what is still empty of one series' row.
    fn fill(&self, option_type: OptionType, strike: f64, sigma: f64, spots: &[f64], row: &mut [Option<f64>]) {
        let input = &self.input;
        let boundary = match &self.kind {
            Kind::American(american) if sigma >= VOLATILITY_MIN => american.boundary(option_type).at(sigma),
            _ => None,
        };
        for (place, &spot) in row.iter_mut().zip(spots) {
            if place.is_some() || !(spot >= 0.0 && spot.is_finite()) {
                continue;
            }
            let moved = || moved(input, spot);
            let price = match &self.kind {
                Kind::Unusable => None,
                _ if spot == 0.0 => self.at_zero(option_type, strike),
                Kind::European => {
                    let forward = input.forward * (spot / input.spot);
                    Some(black::price(option_type, forward, strike, input.time_to_expiry, sigma, input.discount_factor))
                }
                Kind::American(american) if american.boundary(option_type).is_european() => {
                    SliceModel::new(moved()).price(option_type, strike, sigma)
                }
                Kind::American(american) => {
                    let form = american::American::normal_form(american, &moved(), option_type, strike);
                    match boundary.as_ref().and_then(|b| b.put(form.spot)).filter(|p| p.is_finite()) {
                        Some(put) => Some(put * form.scale),
                        None => american.value(&moved(), option_type, strike, sigma).map(|v| v.price * form.scale),
                    }
                }
                Kind::CashDividends(_) => SliceModel::new(moved()).price(option_type, strike, sigma),
            };
            *place = price.filter(|p| p.is_finite());
        }
    }

    /// The limit at a worthless underlying.
    fn at_zero(&self, option_type: OptionType, strike: f64) -> Option<f64> {
        let discounted = strike * self.input.discount_factor;
        Some(match (option_type, &self.kind) {
            (OptionType::Call, _) => 0.0,
            (OptionType::Put, Kind::European) => discounted,
            (OptionType::Put, _) => discounted.max(strike),
        })
    }
}

/// The input at another price of the underlying.
fn moved(input: &ModelInput, spot: f64) -> ModelInput {
    // e^{(r-b)T} with D = e^{-rT}.
    let carry = exp(-input.borrow * input.time_to_expiry) / input.discount_factor;
    ModelInput { spot, forward: input.forward + (spot - input.spot) * carry, ..input.clone() }
}

/// Sweeps eight series at a time, those with like numbers of time steps together.
fn sweep_all(
    (option_type, schedule): (OptionType, &Schedule),
    strikes: &[f64],
    sigmas: &[f64],
    spots: &[f64],
    out: &mut [Option<f64>],
) {
    let series: Vec<(usize, f64, f64)> = strikes
        .iter()
        .zip(sigmas)
        .enumerate()
        .filter(|(_, (strike, sigma))| **strike > 0.0 && strike.is_finite() && SWEPT.contains(*sigma))
        .map(|(place, (strike, sigma))| (place, *strike, *sigma))
        .collect();
    let mut by_steps = series;
    by_steps.sort_by_key(|(place, _, sigma)| (refinement(*sigma, schedule.expiry), *place));
    for group in by_steps.chunk_by(|a, b| refinement(a.2, schedule.expiry) == refinement(b.2, schedule.expiry)) {
        let Some(first) = group.first() else { continue };
        let any_time = schedule.exercised_any_time(option_type == OptionType::Call);
        let plan = Plan::new(schedule, refinement(first.2, schedule.expiry), any_time);
        for lanes in group.chunks(LANES) {
            // Idle lanes repeat the first series.
            let Some(&(_, strike, sigma)) = lanes.first() else { continue };
            let (mut lane_strikes, mut lane_sigmas) = ([strike; LANES], [sigma; LANES]);
            for ((k, s), (_, strike, sigma)) in lane_strikes.iter_mut().zip(&mut lane_sigmas).zip(lanes) {
                (*k, *s) = (*strike, *sigma);
            }
            let grid = sweep::sweep(schedule, &plan, option_type, &lane_strikes, &lane_sigmas);
            for (lane, (place, ..)) in lanes.iter().enumerate() {
                let row = out.chunks_mut(spots.len()).nth(*place).into_iter().flatten();
                for (slot, &spot) in row.zip(spots).filter(|(_, spot)| **spot > 0.0 && spot.is_finite()) {
                    *slot = grid.price(lane, spot);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
