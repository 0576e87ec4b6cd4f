//! What each slice aims at: its own fit or the ladder's, within limits, and how well it is known at each strike.

use super::SliceInput;
use super::few_quotes;
use super::frame::Frame;
use super::robust::Observation;
use super::slice::Slice;
use super::smile::Target;
use super::wings;
use crate::settings::SmoothingSettings;
use crate::vocabulary::MarkSource;

/// Below this price over the scale a volatility is the target's: the price cannot tell it.
pub(super) const PRICE_TELLS: f64 = 1e-10;

/// Targets of all slices: own fits, then the ladder, then limits.
pub(super) fn retarget(
    inputs: &[SliceInput],
    slices: &mut [Slice],
    targets: &mut [Option<Target>],
    settings: &SmoothingSettings,
) {
    for (slice, target) in slices.iter().zip(targets.iter_mut()) {
        *target = slice.fit.as_ref().map(|fit| Target::Own(fit.smile.clone()));
    }
    if targets.iter().any(Option::is_none) {
        let frames: Vec<Frame> = slices.iter().map(|slice| slice.frame.clone()).collect();
        let observed: Vec<Vec<Observation>> = slices.iter().map(|slice| slice.observed.clone()).collect();
        few_quotes::complete(&frames, inputs, &observed, targets, settings);
    }
    for (slice, target) in slices.iter_mut().zip(targets.iter()) {
        let Some(target) = target else { continue };
        let accepted = || slice.observed.iter().filter(|o| o.accepted());
        let least = accepted().map(|o| o.value).fold(settings.volatility_min, f64::min);
        let largest = accepted().map(|o| o.value).fold(settings.volatility_max, f64::max);
        let before = std::mem::take(&mut slice.target);
        slice.beyond_hard_limit = least < settings.volatility_min || largest > settings.volatility_max;
        slice.source.clear();
        for k in &slice.frame.log_moneyness {
            let (sigma, source) = target.volatility(*k, settings);
            let limited = if sigma.is_finite() { sigma.clamp(least, largest) } else { largest };
            let source = if limited < sigma {
                MarkSource::CapHigh
            } else if limited > sigma {
                MarkSource::CapLow
            } else {
                source
            };
            slice.target.push(limited);
            slice.source.push(source);
        }
        if let Some(edges) = slice.accepted_range() {
            wings::decay(&slice.frame, &mut slice.target, edges, PRICE_TELLS);
        }
        slice.moved = slice.target != before;
        if slice.moved {
            slice.price = slice.frame.prices(&slice.target);
            slice.vega = slice.target.iter().enumerate().map(|(i, sigma)| slice.frame.vega(i, *sigma)).collect();
        }
        node_errors(slice);
    }
}

/// The error and the weight of the target at each strike: a quote's half-spread, and between quotes more than theirs.
fn node_errors(slice: &mut Slice) {
    let n = slice.frame.m.len();
    let mut own: Vec<Option<f64>> = vec![None; n];
    let mut curvature = vec![0.25; n];
    for (quote, observation) in slice.input.quotes.iter().zip(&slice.observed) {
        if !observation.accepted() {
            continue;
        }
        let relative = if observation.leading { 1.0 } else { 3.0 };
        let error = quote.half_spread * relative;
        if let (Some(entry), Some(curvature)) = (own.get_mut(quote.strike), curvature.get_mut(quote.strike)) {
            *entry = Some(entry.map_or(error, |known| known.min(error)));
            *curvature = f64::max(*curvature, observation.robust_weight);
        }
    }
    let quoted: Vec<usize> = (0..n).filter(|i| own[*i].is_some()).collect();
    let k = &slice.frame.log_moneyness;
    let error_at = |i: usize| own[i].unwrap_or(0.01);
    let mut error = Vec::with_capacity(n);
    let mut next = 0;
    for i in 0..n {
        while quoted.get(next).is_some_and(|q| *q < i) {
            next += 1;
        }
        let left = next.checked_sub(1).and_then(|p| quoted.get(p)).copied();
        let right = quoted.get(next).copied();
        let distance = |j: usize| (k[i] - k[j]).abs() / slice.stdev.max(1e-9);
        error.push(match (own[i], left, right) {
            (Some(own), _, _) => own,
            (None, Some(a), Some(b)) => {
                let share = (k[i] - k[a]) / (k[b] - k[a]);
                1.5 * (error_at(a) + share * (error_at(b) - error_at(a)))
            }
            (None, Some(j), None) | (None, None, Some(j)) => error_at(j) * (1.5 + 2.0 * distance(j).min(10.0)),
            (None, None, None) => 0.1 * slice.target[i],
        });
    }
    slice.error = error;
    slice.curvature = curvature;
}
