//! From prices to volatilities: one search per quote, all advancing together so that sweeps run full.

mod search;

use super::lanes::Point;
use super::market::Market;
use super::octave::{OCTAVE_MAX, OCTAVE_MIN, lower_end};
use super::plan::Level;
use crate::math::exp;
use crate::models::{Implied, PricedOption, black};
use crate::vocabulary::{OptionType, PricingMethod, VolatilityStatus};
use search::{EVALUATIONS_MAX, Goal, Search};

/// Prices closer than this share of the strike are the same price.
const SAME_PRICE: f64 = 2e-8;
/// Uncertainty in volatility above which an inversion is LOW_VEGA.
const LOW_VEGA_UNCERTAINTY: f64 = 1.0;
/// Rounds of all searches together: drafts, then best prices, each of which may be followed by a corrected one, so that every
/// search has all its evaluations. Usually there are three to five.
const ROUNDS_MAX: u32 = 3 * EVALUATIONS_MAX + 1;
/// Steps of Newton's method from an equivalent Black volatility.
const NEWTON_MAX: u32 = 60;
/// Points per period at which exercise on the deterministic path is tried.
const PATH_POINTS: u32 = 8;

fn ended(status: VolatilityStatus, method: PricingMethod) -> Implied {
    Implied { volatility: None, status, method, iterations: 0, vega: 0.0, critical_volatility: None }
}

/// Volatilities of many quotes of one type; each result depends on its own quote alone.
pub(crate) fn implied(market: Option<&Market>, option_type: OptionType, quotes: &[PricedOption]) -> Vec<Implied> {
    let Some(market) = market else {
        let nothing = ended(VolatilityStatus::NotConverged, PricingMethod::CashDividends);
        return vec![nothing; quotes.len()];
    };
    let floor = Path::new(market);
    let mut results = Vec::with_capacity(quotes.len());
    let mut searches: Vec<(usize, Search)> = Vec::new();
    for (index, quote) in quotes.iter().enumerate() {
        let (result, search) = begin(market, &floor, option_type, quote);
        results.push(result);
        searches.extend(search.map(|search| (index, search)));
    }
    run(market, option_type, &mut searches);
    for (index, search) in &searches {
        if let (Some(result), Some(quote)) = (results.get_mut(*index), quotes.get(*index)) {
            finish(search, quote, result);
        }
    }
    results
}

fn begin(market: &Market, floor: &Path, option_type: OptionType, quote: &PricedOption) -> (Implied, Option<Search>) {
    let method = market.method(option_type);
    let PricedOption { strike, price, .. } = *quote;
    if !(strike > 0.0 && strike.is_finite() && price.is_finite()) {
        return (ended(VolatilityStatus::NotConverged, method), None);
    }
    let least = floor.least_price(option_type, strike).max(market.exercise(option_type, strike));
    let tolerance = SAME_PRICE * strike;
    if price < least - tolerance {
        return (ended(VolatilityStatus::BelowIntrinsic, method), None);
    }
    if price >= upper_bound(market, option_type, strike) {
        return (ended(VolatilityStatus::AboveBound, method), None);
    }
    let exact = method != PricingMethod::CashDividends;
    let goal = if price <= least + tolerance { Goal::Critical(least + tolerance) } else { Goal::Price(price) };
    (ended(VolatilityStatus::NotConverged, method), Some(Search::new(market, option_type, strike, goal, exact)))
}

/// Advances all searches round by round: rough prices until none is wanted, then the best of all that are near, so that batches
/// are full.
fn run(market: &Market, option_type: OptionType, searches: &mut [(usize, Search)]) {
    for _ in 0..ROUNDS_MAX {
        let wanted = |level: Level| {
            let each = searches.iter().enumerate();
            let (places, points): (Vec<usize>, Vec<Point>) =
                each.filter_map(|(place, (_, search))| Some((place, search.wants(level)?))).unzip();
            (!points.is_empty()).then_some((places, points))
        };
        if let Some((places, points)) = wanted(Level::Rough) {
            for (place, price) in places.into_iter().zip(market.values(option_type, &points, Level::Rough)) {
                if let Some((_, search)) = searches.get_mut(place) {
                    search.feed(price);
                }
            }
        } else if let Some((places, points)) = wanted(Level::Fine) {
            let known: Vec<_> = places.iter().map(|&place| searches.get(place)?.1.rough()).collect();
            for (place, best) in places.into_iter().zip(market.best(option_type, &points, &known)) {
                if let Some((_, search)) = searches.get_mut(place) {
                    search.feed_best(best);
                }
            }
        } else {
            return;
        }
    }
}

fn finish(search: &Search, quote: &PricedOption, result: &mut Implied) {
    result.iterations = search.evaluations();
    if let Some(critical) = search.critical() {
        result.status = VolatilityStatus::AtIntrinsic;
        result.critical_volatility = Some(critical);
    } else if let Some((volatility, vega)) = search.solution() {
        result.volatility = Some(volatility);
        result.vega = vega;
        let low = quote.half_spread > LOW_VEGA_UNCERTAINTY * vega;
        result.status = if low { VolatilityStatus::LowVega } else { VolatilityStatus::Ok };
    }
}

/// The deterministic path of the price: present values of a share and of cash at the instants at which exercise is tried.
struct Path {
    instants: Vec<(f64, f64)>,
}

impl Path {
    fn new(market: &Market) -> Self {
        let schedule = &market.schedule;
        let mut s = schedule.spot;
        let mut instants = vec![(s, 1.0)];
        for period in &schedule.periods {
            let step = period.length() / f64::from(PATH_POINTS);
            let growth = exp((schedule.rate - schedule.borrow) * step);
            for k in 1..=PATH_POINTS {
                s *= growth;
                instants.push((s, exp(-schedule.rate * (period.start + step * f64::from(k)))));
            }
            s = (s - period.dividend).max(0.0);
            instants.push((s, exp(-schedule.rate * period.end)));
        }
        Self { instants }
    }

    /// The price as volatility vanishes: the best exercise along the path, no path doing worse than now.
    fn least_price(&self, option_type: OptionType, strike: f64) -> f64 {
        self.instants.iter().map(|(s, cash)| cash * black::intrinsic(option_type, *s, strike)).fold(0.0, f64::max)
    }
}

/// What no volatility exceeds.
fn upper_bound(market: &Market, option_type: OptionType, strike: f64) -> f64 {
    let schedule = &market.schedule;
    match option_type {
        OptionType::Call => schedule.spot * exp(-schedule.borrow * schedule.expiry).max(1.0),
        OptionType::Put => strike * schedule.discount_factor.max(1.0),
    }
}

/// See [`super::CashDividendModel::model_from_black`].
pub(crate) fn model_from_black(market: &Market, strike: f64, target: f64) -> Option<f64> {
    if !(target > 0.0 && target.is_finite()) {
        return None;
    }
    // The two differ by a slowly varying factor: Newton from that factor at the target itself.
    let mut sigma = target.clamp(lower_end(OCTAVE_MIN), lower_end(OCTAVE_MAX + 1));
    for _ in 0..NEWTON_MAX {
        let (black, slope) = market.black(strike, sigma)?;
        let newton = sigma - (black - target) / slope;
        let next = if newton > 0.5 * sigma && newton < 2.0 * sigma { newton } else { sigma * target / black };
        if !(next.is_finite() && next > 0.0) {
            return None;
        }
        if (next - sigma).abs() <= 1e-13 * sigma {
            return Some(next);
        }
        sigma = next;
    }
    // At the border of two octaves, which meet but for the grids' error, the search may alternate.
    let (black, _) = market.black(strike, sigma)?;
    ((black - target).abs() <= 1e-4 * target).then_some(sigma)
}
