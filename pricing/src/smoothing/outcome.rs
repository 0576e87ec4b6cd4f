//! What is published of one slice: its curve, what became of its quotes, and how it was reached.

use super::event;
use super::robust::Observation;
use super::slice::Slice;
use super::smile::Target;
use super::{QuoteOutcome, SmoothedSlice, VolatilityQuote};
use crate::vocabulary::{MarkSource, Reason, Reasons, SolverStatus};

/// What is published of one slice.
pub(super) fn finish(slice: &Slice, target: Option<&Target>, iterations: u32, settled: bool) -> SmoothedSlice {
    let n = slice.input.strikes.len();
    let mut reasons = Reasons::EMPTY;
    let outcomes = slice
        .quotes()
        .zip(&slice.usable)
        .zip(&slice.executable)
        .map(|(((quote, o), usable), executable)| outcome(slice, quote, o, *usable, *executable))
        .collect();
    let Some(solution) = slice.solution.as_ref().filter(|_| target.is_some()) else {
        reasons.insert(Reason::NoCurve);
        return SmoothedSlice {
            volatility: vec![None; n],
            price: vec![None; n],
            target_volatility: vec![None; n],
            source: vec![MarkSource::None; n],
            strike_reasons: vec![Reasons::EMPTY.with(Reason::NoCurve); n],
            outcomes,
            reasons,
            lambda: None,
            degrees_of_freedom: None,
            left_out_error: None,
            atm_volatility: None,
            iterations,
            solver_status: SolverStatus::NotRun,
            solver_residual: None,
        };
    };
    let accepted = slice.observed.iter().filter(|o| o.accepted()).count();
    if accepted < 8 {
        reasons.insert(Reason::FewQuotes);
    }
    if !settled || solution.status != SolverStatus::Converged {
        reasons.insert(Reason::NonConverged);
    }
    if matches!(target, Some(Target::Carried(_))) {
        reasons.insert(Reason::CarriedSurface);
    }
    if slice.beyond_hard_limit {
        reasons.insert(Reason::BeyondHardLimit);
    }
    if bulges(slice) {
        reasons.insert(Reason::Event);
    }
    let mut source = slice.source.clone();
    let mut strike_reasons = vec![Reasons::EMPTY; n];
    for i in 0..n {
        let edits = solution.edits[i];
        let moved = solution.e[i].abs() > 0.01;
        let words = &mut strike_reasons[i];
        if matches!(source[i], MarkSource::CapHigh | MarkSource::CapLow) {
            words.insert(Reason::VolatilityCap);
        }
        if edits.convex && moved {
            words.insert(Reason::ButterflyEdit);
        }
        if edits.slope && moved {
            words.insert(Reason::VerticalEdit);
        }
        if (edits.calendar && moved) || slice.compromised[i] {
            words.insert(Reason::CalendarEdit);
        }
        // The vocabulary's order: what stands before BOUND_BID keeps its word.
        if source[i] == MarkSource::Smoothed {
            if edits.bid {
                source[i] = MarkSource::BoundBid;
            } else if edits.ask {
                source[i] = MarkSource::BoundAsk;
            }
        }
    }
    let currency = slice.frame.currency();
    SmoothedSlice {
        volatility: slice.volatility.iter().copied().map(Some).collect(),
        price: solution.price.iter().map(|price| Some(price * currency)).collect(),
        target_volatility: slice.target.iter().copied().map(Some).collect(),
        source,
        strike_reasons,
        outcomes,
        reasons,
        lambda: slice.fit.as_ref().and_then(|fit| fit.lambda),
        degrees_of_freedom: slice.fit.as_ref().map(|fit| fit.degrees_of_freedom),
        left_out_error: slice.fit.as_ref().map(|fit| fit.left_out_error),
        atm_volatility: at_the_money(slice),
        iterations,
        solver_status: solution.status,
        solver_residual: Some(solution.residual).filter(|residual| residual.is_finite()),
    }
}

/// Whether the final curve of a slice with a fit of its own shows an event.
fn bulges(slice: &Slice) -> bool {
    let (Some(_), Some((first, last))) = (&slice.fit, slice.accepted_range()) else { return false };
    let stdev = slice.stdev.max(1e-9);
    let z: Vec<f64> = slice.frame.log_moneyness.iter().map(|k| k / stdev).collect();
    let of = |values: &'_ [f64]| values.get(first..=last).map(<[f64]>::to_vec).unwrap_or_default();
    event::is_visible(&of(&z), &of(&slice.volatility), &of(&slice.error))
}

fn outcome(slice: &Slice, quote: &VolatilityQuote, o: &Observation, usable: bool, executable: bool) -> QuoteOutcome {
    let mut reasons = Reasons::EMPTY;
    let mut accepted = usable && !o.excluded && !o.rejected;
    if !usable {
        reasons.insert(Reason::Unusable);
    } else if executable {
        reasons.insert(Reason::ExecutableArbitrage);
    } else if o.excluded || o.rejected {
        reasons.insert(Reason::Outlier);
    } else if !o.two_sided || o.weight <= 0.0 {
        // A mere bound, or a quote without weight: used as far as the curve agrees with it.
        let curve = slice.volatility.get(quote.strike).copied();
        let beyond = curve.is_some_and(|sigma| {
            let above = quote.ask.is_some_and(|ask| sigma > ask + 2.0 * quote.half_spread);
            let below = quote.bid.is_some_and(|bid| sigma < bid - 2.0 * quote.half_spread);
            above || below
        });
        if beyond {
            accepted = false;
            reasons.insert(Reason::Outlier);
        }
    }
    QuoteOutcome { accepted, reasons, robust_weight: if accepted { o.robust_weight } else { 0.0 } }
}

/// Volatility at the forward: total variance straight between the strikes beside it.
fn at_the_money(slice: &Slice) -> Option<f64> {
    let k = &slice.frame.log_moneyness;
    let right = k.partition_point(|k| *k < 0.0);
    let node = |i: usize| k.get(i).copied().zip(slice.volatility.get(i).copied());
    match (right.checked_sub(1).and_then(node), node(right)) {
        (Some((k0, s0)), Some((k1, s1))) => {
            let share = -k0 / (k1 - k0);
            Some((s0 * s0 + share * (s1 * s1 - s0 * s0)).max(0.0).sqrt())
        }
        (Some((_, sigma)), None) | (None, Some((_, sigma))) => Some(sigma),
        (None, None) => None,
    }
}
