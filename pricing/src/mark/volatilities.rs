//! From a best bid and offer to volatilities: the model's own, and the equivalent Black ones that smoothing sees.

use crate::mark::premiums::{at, side};
use crate::mark::slices::Slice;
use crate::mark::terms::SliceWork;
use crate::math::normal_cdf;
use crate::models::{Implied, PricedOption, black, holds_exercise};
use crate::nbbo::Nbbo;
use crate::settings::Settings;
use crate::smoothing::VolatilityQuote;
use crate::vocabulary::{ExerciseStyle, OptionType, QuoteStatus, VolatilityStatus};

/// The volatilities of one series' quote.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QuoteVolatility {
    pub(crate) status: VolatilityStatus,
    /// The model's volatility of the mid, and of bid and ask by local expansion.
    pub(crate) mid: Option<f64>,
    pub(crate) bid: Option<f64>,
    pub(crate) ask: Option<f64>,
    /// What smoothing sees; `None` where the quote says nothing about the curve.
    pub(crate) seen: Option<VolatilityQuote>,
}

impl QuoteVolatility {
    pub(crate) fn none(status: VolatilityStatus) -> Self {
        Self { status, mid: None, bid: None, ask: None, seen: None }
    }
}

/// Model volatilities of one slice's quotes by strike, `[call, put]`.
pub(crate) type SliceImplied = [Vec<Option<Implied>>; 2];

/// The price of a quote whose volatility is wanted, and its half-spread: the mid, or the offer where nothing is bid.
fn wanted(nbbo: &Nbbo, settings: &Settings) -> Option<(f64, f64)> {
    match (nbbo.status, nbbo.mid(), nbbo.half_spread(settings.nbbo.half_tick)) {
        (QuoteStatus::TwoSided | QuoteStatus::Locked, Some(mid), Some(half)) => Some((mid.to_f64(), half)),
        (QuoteStatus::ZeroBid, ..) => nbbo.ask.map(|ask| (ask.to_f64(), 0.5 * ask.to_f64())),
        _ => None,
    }
}

/// Inverts all quotes of one slice, each type in one batch.
pub(crate) fn implied_of(work: &SliceWork, slice: &Slice, nbbos: &[Nbbo], settings: &Settings) -> SliceImplied {
    [OptionType::Call, OptionType::Put].map(|kind| {
        let strikes = work.strikes.iter().zip(&slice.strikes).enumerate();
        let (places, quotes): (Vec<usize>, Vec<PricedOption>) = strikes
            .filter_map(|(place, (&strike, listed))| {
                let (price, half_spread) = wanted(nbbos.get(listed.series(kind)?)?, settings)?;
                Some((place, PricedOption { strike, price, half_spread }))
            })
            .unzip();
        let mut implied = vec![None; work.strikes.len()];
        for (place, one) in places.into_iter().zip(work.model.implied_volatilities(kind, &quotes)) {
            if let Some(slot) = implied.get_mut(place) {
                *slot = Some(one);
            }
        }
        implied
    })
}

/// What one series' quote, inverted under its slice's model, says.
///
/// The mid is inverted with the slice's exercise style; bid and ask keep the mid's early-exercise premium and are
/// inverted as European prices, which is the solver's local expansion in the coordinate where it is nearly linear.
pub(crate) fn quote_volatility(
    work: &SliceWork,
    place: usize,
    option_type: OptionType,
    nbbo: &Nbbo,
    implied: &SliceImplied,
    settings: &Settings,
) -> QuoteVolatility {
    let nothing = QuoteVolatility::none(VolatilityStatus::NoPrice);
    let Some(&strike) = work.strikes.get(place) else { return nothing };
    let Some((price, half)) = wanted(nbbo, settings) else { return nothing };
    let Some(implied) = implied.get(side(option_type)).and_then(|implied| at(implied, place)) else { return nothing };
    if nbbo.status == QuoteStatus::ZeroBid {
        return QuoteVolatility {
            seen: zero_bid(work, place, strike, option_type, price, implied, settings),
            ..nothing
        };
    }
    let silent = work.exercise_style == ExerciseStyle::American
        && is_out_of_the_money(work, strike, option_type)
        && holds_exercise(option_type, work.model.input().spot, strike, price, half);
    if silent {
        // As calls of hard-to-borrow names are between forward and price: the mid's volatility is a matter of its spread,
        // and far above the curve. The strike's other type, which exercise does not touch, speaks for it.
        return QuoteVolatility { mid: implied.volatility, ..QuoteVolatility::none(implied.status) };
    }
    two_sided(work, place, strike, option_type, half, implied, settings)
}

fn is_out_of_the_money(work: &SliceWork, strike: f64, option_type: OptionType) -> bool {
    match option_type {
        OptionType::Call => strike >= work.forward,
        OptionType::Put => strike <= work.forward,
    }
}

fn two_sided(
    work: &SliceWork,
    place: usize,
    strike: f64,
    option_type: OptionType,
    half: f64,
    implied: Implied,
    settings: &Settings,
) -> QuoteVolatility {
    let Some(sigma) = implied.volatility.filter(|s| *s > 0.0) else { return QuoteVolatility::none(implied.status) };
    let nothing = QuoteVolatility { mid: Some(sigma), ..QuoteVolatility::none(implied.status) };
    let Some(black_mid) = work.model.black_from_model(strike, sigma).filter(|u| *u > 0.0) else { return nothing };
    let price_mid =
        black::price(option_type, work.forward, strike, work.time_to_expiry, black_mid, work.discount_factor);
    let vega = black::vega(work.forward, strike, work.time_to_expiry, black_mid, work.discount_factor);
    let invert = |price: f64| work.black_volatility(option_type, strike, price);
    let (black_bid, black_ask) = (invert(price_mid - half), invert(price_mid + half));
    let half_volatility = match (black_bid, black_ask) {
        (Some(bid), Some(ask)) => 0.5 * (ask - bid),
        (None, Some(ask)) => (ask - black_mid).max(half / vega),
        _ => half / vega,
    };
    if !(half_volatility > 0.0 && half_volatility.is_finite()) {
        return nothing;
    }
    let model_of = |u: Option<f64>| u.map(|u| sigma * (u / black_mid));
    let seen = VolatilityQuote {
        strike: place,
        option_type,
        mid: black_mid,
        bid: black_bid,
        ask: black_ask,
        half_spread: half_volatility,
        weight: side_weight(work, strike, option_type, black_mid, settings),
        two_sided: true,
        half_spread_price: half,
        old: false,
    };
    QuoteVolatility {
        status: implied.status,
        mid: Some(sigma),
        bid: model_of(black_bid),
        ask: model_of(black_ask),
        seen: Some(seen),
    }
}

/// An offer without a bid bounds the volatility from above, where it is out of the money.
fn zero_bid(
    work: &SliceWork,
    place: usize,
    strike: f64,
    option_type: OptionType,
    ask: f64,
    implied: Implied,
    settings: &Settings,
) -> Option<VolatilityQuote> {
    let sigma = implied.volatility?;
    let black_ask = work.model.black_from_model(strike, sigma).filter(|u| *u > 0.0)?;
    // In the money the offer bounds the same curve as its twin's, whose own quote says more.
    if side_weight(work, strike, option_type, black_ask, settings) < 1.0 {
        return None;
    }
    Some(VolatilityQuote {
        strike: place,
        option_type,
        mid: black_ask,
        bid: None,
        ask: Some(black_ask),
        half_spread: black_ask,
        weight: 0.0,
        two_sided: false,
        half_spread_price: 0.5 * ask,
        old: false,
    })
}

/// 1 out of the money, 0.1 in the money, 0 for American quotes so deep that early exercise blurs them.
fn side_weight(work: &SliceWork, strike: f64, option_type: OptionType, sigma: f64, settings: &Settings) -> f64 {
    if is_out_of_the_money(work, strike, option_type) {
        return 1.0;
    }
    let american = work.exercise_style == ExerciseStyle::American;
    let size = exercise_weight(work, strike, option_type, sigma);
    if american && size > settings.smoothing.american_delta_max { 0.0 } else { settings.smoothing.in_the_money_weight }
}

/// |delta| on the forward: the lognormal weight `N(+-d1)` of ending in the money.
pub(crate) fn exercise_weight(work: &SliceWork, strike: f64, option_type: OptionType, sigma: f64) -> f64 {
    let stdev = sigma * work.time_to_expiry.sqrt();
    let d1 = libm::log(work.forward / strike) / stdev + 0.5 * stdev;
    normal_cdf(if option_type == OptionType::Call { d1 } else { -d1 })
}
