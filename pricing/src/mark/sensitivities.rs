//! Volatility and sensitivities of every mark of a slice, each type in one batch.

use crate::mark::premiums::{SlicePrices, at, side};
use crate::mark::rows::Greeks;
use crate::mark::slices::Slice;
use crate::mark::terms::SliceWork;
use crate::models::PricedOption;
use crate::settings::Settings;
use crate::vocabulary::OptionType;

/// A price that the projection moved by less keeps its volatility.
const SAME_PRICE: f64 = 1e-6;

/// By strike, `[call, put]`.
#[derive(Clone, Debug)]
pub(super) struct Sensitivities {
    volatility: [Vec<Option<f64>>; 2],
    greeks: [Vec<Option<Greeks>>; 2],
}

impl Sensitivities {
    /// Of the series that have a mark from the curve.
    pub(super) fn of(work: &SliceWork, slice: &Slice, prices: &SlicePrices, settings: &Settings) -> Self {
        let kinds = [OptionType::Call, OptionType::Put];
        let volatility = kinds.map(|kind| volatilities(work, slice, prices, settings, kind));
        let [call, put] = &volatility;
        let greeks = [greeks(work, OptionType::Call, call), greeks(work, OptionType::Put, put)];
        Self { volatility, greeks }
    }

    /// One series' volatility and sensitivities.
    pub(super) fn at(&self, kind: OptionType, place: usize) -> (Option<f64>, Option<Greeks>) {
        let volatility = self.volatility.get(side(kind)).and_then(|values| at(values, place));
        (volatility, self.greeks.get(side(kind)).and_then(|values| at(values, place)))
    }
}

/// The curve's model volatility, solved again where the projection moved the price.
fn volatilities(
    work: &SliceWork,
    slice: &Slice,
    prices: &SlicePrices,
    settings: &Settings,
    kind: OptionType,
) -> Vec<Option<f64>> {
    let which = side(kind);
    let mut volatility = vec![None; work.strikes.len()];
    let (mut places, mut moved) = (Vec::new(), Vec::new());
    for (place, ((&strike, listed), slot)) in
        work.strikes.iter().zip(&slice.strikes).zip(volatility.iter_mut()).enumerate()
    {
        let marked = prices.published.get(which).and_then(|p| at(p, place)).is_some();
        let from_mid = prices.from_mid.get(place).copied().unwrap_or(false);
        if listed.series(kind).is_none() || !marked || from_mid {
            continue;
        }
        *slot = at(&prices.sigma, place);
        let model = prices.model.get(which).and_then(|p| at(p, place));
        let unrounded = prices.unrounded.get(which).and_then(|p| at(p, place));
        if let (Some(_), Some(model), Some(price)) = (*slot, model, unrounded)
            && (price - model).abs() > SAME_PRICE
        {
            places.push(place);
            moved.push(PricedOption { strike, price, half_spread: settings.nbbo.half_tick });
        }
    }
    for (place, solved) in places.into_iter().zip(work.model.implied_volatilities(kind, &moved)) {
        if let (Some(slot), Some(sigma)) = (volatility.get_mut(place), solved.volatility) {
            *slot = Some(sigma);
        }
    }
    volatility
}

fn greeks(work: &SliceWork, kind: OptionType, volatility: &[Option<f64>]) -> Vec<Option<Greeks>> {
    let all = work.strikes.iter().zip(volatility).enumerate();
    let asked: Vec<(usize, f64, f64)> =
        all.filter_map(|(place, (&strike, &sigma))| sigma.map(|sigma| (place, strike, sigma))).collect();
    let strikes: Vec<f64> = asked.iter().map(|(_, strike, _)| *strike).collect();
    let sigmas: Vec<f64> = asked.iter().map(|(.., sigma)| *sigma).collect();
    let mut greeks = vec![None; volatility.len()];
    for ((place, ..), found) in asked.into_iter().zip(work.model.greeks_many(kind, &strikes, &sigmas)) {
        if let Some(slot) = greeks.get_mut(place) {
            *slot = found;
        }
    }
    greeks
}
