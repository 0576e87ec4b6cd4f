//! What expiries leave to each other, before tier 2 goes forward in time.

use super::aim::Aim;
use super::black;
use super::calendar::{VarianceCurve, isotonic};
use super::ceilings;
use super::slice::Slice;
use super::targets::PRICE_TELLS;
use super::tier2::Band;

/// Least unit of tier 2's variables, over the scale.
const UNIT_MIN: f64 = 1e-12;

/// The compromise between expiries, then what tier 2 aims at.
pub(super) fn compromise(slices: &mut [Slice]) {
    let ready = |slice: &Slice| slice.frame.valid && slice.target.len() == slice.frame.m.len();
    let tied: Vec<usize> = (0..slices.len()).filter(|s| slices[*s].frame.calendar && ready(&slices[*s])).collect();
    let mut prices: Vec<Vec<f64>> = slices.iter().map(|slice| slice.price.clone()).collect();
    for slice in slices.iter_mut() {
        slice.compromised = vec![false; slice.target.len()];
    }
    if tied.len() > 1 {
        let curves: Vec<(VarianceCurve, Vec<usize>)> =
            tied.iter().map(|s| variance_curve(&slices[*s], &prices[*s])).collect();
        let (curves, nodes): (Vec<VarianceCurve>, Vec<Vec<usize>>) = curves.into_iter().unzip();
        for (((s, moved), curve), nodes) in tied.iter().zip(isotonic(&curves)).zip(&curves).zip(&nodes) {
            let Some(moved) = moved else { continue };
            let slice = &mut slices[*s];
            for (((node, m), before), after) in nodes.iter().zip(&curve.m).zip(&curve.variance).zip(moved) {
                if after != *before {
                    prices[*s][*node] = if slice.frame.plain {
                        slice.frame.price(*node, (after / slice.frame.time).sqrt())
                    } else {
                        black::price(*m, after.sqrt())
                    };
                    let shift = (after.sqrt() - before.sqrt()).abs() / slice.frame.root_time;
                    slice.compromised[*node] |= shift > 0.01 * slice.error[*node];
                }
            }
        }
    }
    for (slice, price) in slices.iter_mut().zip(prices) {
        if !ready(slice) {
            continue;
        }
        let unit = slice
            .vega
            .iter()
            .zip(&slice.error)
            .zip(&price)
            .map(|((vega, error), price)| (vega * error).min(*price).max(UNIT_MIN))
            .collect();
        slice.aim = Aim { price, unit, curvature: slice.curvature.clone(), floor: Vec::new() };
        slice.bands = bands(slice);
    }
    leave_room(slices);
}

/// Tells each slice what the accepted asks of later ones leave to it.
fn leave_room(slices: &mut [Slice]) {
    let mut later = ceilings::AskHull::default();
    for slice in slices.iter_mut().rev().filter(|slice| slice.frame.calendar && !slice.bands.is_empty()) {
        let own = slice.bands.clone();
        later.bound(&slice.frame, &slice.aim, &mut slice.bands);
        later.merge(&slice.frame, &own);
    }
}

/// The slice's total variance by place, and the strike of each entry.
fn variance_curve(slice: &Slice, price: &[f64]) -> (VarianceCurve, Vec<usize>) {
    let mut curve = VarianceCurve::default();
    let mut nodes = Vec::new();
    let frame = &slice.frame;
    for (i, m) in frame.m.iter().enumerate() {
        if *m <= 0.0 {
            continue;
        }
        let variance = if frame.plain {
            Some(slice.target[i] * slice.target[i] * frame.time)
        } else if price[i] > PRICE_TELLS {
            black::implied_stdev(*m, price[i]).map(|stdev| stdev * stdev)
        } else {
            None
        };
        if let Some(variance) = variance.filter(|w| w.is_finite() && *w > 0.0) {
            curve.m.push(*m);
            curve.variance.push(variance);
            curve.error.push(2.0 * variance.sqrt() * slice.error[i] * frame.root_time);
            nodes.push(i);
        }
    }
    (curve, nodes)
}

/// Bids and asks that tier 2 must respect.
fn bands(slice: &Slice) -> Vec<Band> {
    let mut bands = Vec::new();
    for (q, (quote, observation)) in slice.quotes().enumerate() {
        let counts = if observation.two_sided { observation.accepted() } else { !observation.excluded };
        if counts {
            let weight = if slice.out_of_the_money(quote) { 1.0 } else { 0.03 };
            bands.push(slice.band(q, weight));
        }
    }
    bands
}
