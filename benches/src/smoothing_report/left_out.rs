//! A method's score on one class: as fitted, with strikes left out, and under renewed noise.

use closemark_pricing::smoothing::{SliceInput, VolatilityQuote};

use super::arbitrage::violations;
use super::method::Method;
use super::points::{Curve, Point, counts, points, price};
use super::random::Random;
use super::score::Score;
use crate::whole_close::now;

const FOLDS: usize = 5;
/// Half a tick, for violations in the mids; currency per share.
const HALF_TICK: f64 = 0.005;
/// What counts in a fitted curve; currency per share.
const CURVE_TOLERANCE: f64 = 1e-6;

/// Whether a volatility lies within a quote.
pub(super) fn is_inside(point: &Point, volatility: Option<f64>) -> bool {
    let Some(sigma) = volatility else { return false };
    let hair = 1e-9 * sigma;
    point.bid.is_none_or(|bid| sigma >= bid - hair) && point.ask.is_none_or(|ask| sigma <= ask + hair)
}

/// Scores one class.
pub(super) fn score(inputs: &[SliceInput], method: Method) -> Score {
    let start = now();
    let curves = method.fit(inputs);
    let mut score = Score { seconds: start.elapsed().as_secs_f64(), ..Score::default() };
    for (input, curve) in inputs.iter().zip(&curves) {
        let points = points(input);
        score.slices += u64::from(!points.is_empty());
        score.quotes += points.len() as u64;
        score.inside += points.iter().filter(|p| is_inside(p, curve.volatility_at(p.node))).count() as u64;
    }
    let raw = method == Method::RawMids;
    score.violations = violations(inputs, &curves, if raw { HALF_TICK } else { CURVE_TOLERANCE }, raw);
    for fold in 0..FOLDS {
        leave_out(inputs, method, fold, &mut score);
    }
    renew_noise(inputs, &curves, method, &mut score);
    score
}

/// Fits without the strikes of one fold (rank among the strikes quoted out of the money, edges kept) and scores them.
fn leave_out(inputs: &[SliceInput], method: Method, fold: usize, score: &mut Score) {
    let left: Vec<Vec<Point>> = inputs
        .iter()
        .map(|input| {
            let all = points(input);
            let last = all.len().saturating_sub(1);
            let chosen = all.iter().enumerate().filter(|(rank, _)| *rank > 0 && *rank < last && rank % FOLDS == fold);
            chosen.map(|(_, point)| *point).collect()
        })
        .collect();
    if left.iter().all(Vec::is_empty) {
        return;
    }
    let kept: Vec<SliceInput> = inputs
        .iter()
        .zip(&left)
        .map(|(input, left)| {
            // The twin in the money goes too: by parity it would tell.
            let is_kept = |quote: &&VolatilityQuote| left.binary_search_by_key(&quote.strike, |p| p.node).is_err();
            SliceInput { quotes: input.quotes.iter().filter(is_kept).copied().collect(), ..input.clone() }
        })
        .collect();
    let curves = method.fit(&kept);
    for ((input, curve), left) in inputs.iter().zip(&curves).zip(&left) {
        for point in left {
            add_left_out(input, curve, point, score);
        }
    }
}

fn add_left_out(input: &SliceInput, curve: &Curve, point: &Point, score: &mut Score) {
    let sigma = curve.volatility_at(point.node);
    score.left_out += 1;
    score.left_out_inside += u64::from(is_inside(point, sigma));
    let Some(sigma) = sigma else {
        score.left_out_volatility.push(f64::INFINITY);
        score.left_out_half_spreads.push(f64::INFINITY);
        return;
    };
    let ratio = input.strikes.get(point.node).map_or(1.0, |strike| strike / input.forward);
    let miss = sigma - point.volatility;
    score.left_out_volatility.push(miss.abs());
    let price = price(ratio, sigma, input.time_to_expiry);
    score.left_out_half_spreads.push((price - point.price).abs() / point.half_price);
    score.vega[0] += point.vega;
    score.vega[1] += point.vega * miss * miss;
}

/// Moves every quote by noise of half a half-spread and fits again.
fn renew_noise(inputs: &[SliceInput], before: &[Curve], method: Method, score: &mut Score) {
    let mut random = Random::new(7000);
    let moved: Vec<SliceInput> = inputs
        .iter()
        .map(|input| {
            let quotes = input.quotes.iter().map(|quote| {
                let noise = 0.5 * random.normal();
                shifted(quote, noise * quote.half_spread)
            });
            SliceInput { quotes: quotes.collect(), ..input.clone() }
        })
        .collect();
    let after = method.fit(&moved);
    for (((input, moved), before), after) in inputs.iter().zip(&moved).zip(before).zip(&after) {
        for (quote, other) in input.quotes.iter().zip(&moved.quotes).filter(|(quote, _)| counts(input, quote)) {
            let (Some(a), Some(b)) = (before.volatility_at(quote.strike), after.volatility_at(quote.strike)) else {
                continue;
            };
            let noise = (other.mid - quote.mid) / quote.half_spread;
            let change = (b - a) / quote.half_spread;
            score.noise[0] += noise * noise;
            score.noise[1] += change * change;
        }
    }
}

/// The quote with all its volatilities moved, unless one would not be positive.
fn shifted(quote: &VolatilityQuote, by: f64) -> VolatilityQuote {
    let least = quote.bid.unwrap_or(quote.mid).min(quote.mid);
    if !quote.two_sided || least + by <= 0.0 {
        return *quote;
    }
    VolatilityQuote { mid: quote.mid + by, bid: quote.bid.map(|b| b + by), ask: quote.ask.map(|a| a + by), ..*quote }
}
