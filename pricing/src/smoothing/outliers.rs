//! Which quotes do not count: those that a sure profit or the curve itself speaks against.

use super::executable::{self, Synthetic};
use super::robust::Observation;
use super::slice::Slice;
use super::tier2::Band;
use crate::vocabulary::OptionType;

/// Rounds in which a rejected quote may come back; later the set of rejected quotes only grows.
const RETURN_ROUNDS: u32 = 3;

/// The accepted out-of-the-money quotes, one a strike: their places and bands.
fn out_of_the_money_bands(slice: &Slice) -> (Vec<usize>, Vec<Band>) {
    let mut places = Vec::new();
    let mut bands = Vec::new();
    for (q, (quote, observation)) in slice.quotes().enumerate() {
        let counts = slice.out_of_the_money(quote) && (observation.accepted() || !observation.two_sided);
        if counts && !observation.excluded {
            let fresh = bands.last().is_none_or(|band: &Band| band.node < quote.strike);
            if fresh {
                places.push(q);
                bands.push(slice.band(q, quote.weight));
            }
        }
    }
    (places, bands)
}

/// Drops what the quotes nearer the money make impossible, before it can lead a fit.
pub(super) fn drop_beyond_belief(slice: &mut Slice) {
    let (places, bands) = out_of_the_money_bands(slice);
    let doubted: Vec<usize> = executable::beyond_belief(&slice.frame, &bands)
        .into_iter()
        .filter_map(|place| places.get(place).copied())
        .collect();
    let believed = |(q, o): (usize, &Observation)| o.accepted() && o.leading && doubted.binary_search(&q).is_err();
    // Against all that the slice has, the forward is in doubt and not the quotes.
    if !slice.observed.iter().enumerate().any(believed) {
        return;
    }
    for q in doubted {
        slice.observed[q].excluded = true;
        slice.executable[q] = true;
    }
}

/// Drops the worst leg of each executable spread among accepted out-of-the-money quotes: the stale one, else the one
/// farthest from the robust curve in its own half-spreads; true where a refit is needed.
pub(super) fn drop_executable(slice: &mut Slice) -> bool {
    let mut dropped = false;
    loop {
        let (places, bands) = out_of_the_money_bands(slice);
        let Some(spread) = executable::worst(&slice.frame, &bands) else { break };
        let legs = [spread.sold, spread.bought[0], spread.bought[1]];
        let badness = |leg: usize| -> Option<(bool, f64, usize)> {
            let q = *places.get(leg)?;
            let (quote, observation) = (slice.input.quotes.get(q)?, slice.observed.get(q)?);
            Some((quote.old, observation.residual.abs(), q))
        };
        let worst = legs.iter().filter_map(|leg| badness(*leg)).reduce(|a, b| {
            let b_worse = if a.0 == b.0 { b.1 > a.1 } else { b.0 };
            if b_worse { b } else { a }
        });
        let Some((_, _, q)) = worst else { break };
        slice.observed[q].excluded = true;
        slice.executable[q] = true;
        dropped = true;
    }
    dropped
}

/// Drops the worst leg of each executable box of a European slice, by the same rule.
pub(super) fn drop_boxes(slice: &mut Slice) -> bool {
    let mut dropped = false;
    while !slice.input.american {
        let (mut legs, mut synthetics) = (Vec::new(), Vec::new());
        for q in 1..slice.observed.len() {
            let (Some(call), Some(put)) = (slice.input.quotes.get(q - 1), slice.input.quotes.get(q)) else { break };
            let accepted = slice.observed[q - 1].accepted() && slice.observed[q].accepted();
            if call.strike == put.strike && call.option_type == OptionType::Call && accepted {
                let gap = |a: Option<f64>, b: Option<f64>| {
                    Some(slice.frame.price(call.strike, a?) - slice.frame.price(call.strike, b?))
                };
                legs.push(q);
                synthetics.push(Synthetic { sold: gap(call.bid, put.ask), bought: gap(call.ask, put.bid) });
            }
        }
        let Some((sold, bought)) = executable::worst_box(&slice.frame, &synthetics) else { break };
        let legs = [legs[sold] - 1, legs[sold], legs[bought] - 1, legs[bought]];
        let badness = |q: &usize| (slice.input.quotes[*q].old, slice.observed[*q].residual.abs());
        let worst = legs.into_iter().reduce(|a, b| {
            let (own, other) = (badness(&a), badness(&b));
            if (other.0 && !own.0) || (other.0 == own.0 && other.1 > own.1) { b } else { a }
        });
        let Some(q) = worst else { break };
        slice.observed[q].excluded = true;
        slice.executable[q] = true;
        dropped = true;
    }
    dropped
}

/// Rejects accepted quotes that the final curve leaves too far behind, takes back rejected ones that contain it;
/// true where the set changed.
pub(super) fn detect(slices: &mut [Slice], round: u32) -> bool {
    let mut changed = false;
    for slice in slices {
        slice.dirty = false;
        for (quote, observation) in slice.input.quotes.iter().zip(slice.observed.iter_mut()) {
            if observation.excluded || !observation.two_sided || slice.volatility.is_empty() {
                continue;
            }
            let Some(sigma) = slice.volatility.get(quote.strike) else { continue };
            let distance = (quote.mid - sigma).abs() / quote.half_spread;
            if observation.accepted() && observation.weight > 0.0 && distance > observation.limit {
                observation.excluded = true;
                observation.protected = false;
                slice.dirty = true;
            } else if observation.rejected && distance <= 1.0 && round <= RETURN_ROUNDS {
                observation.protected = true;
                slice.dirty = true;
            }
        }
        changed |= slice.dirty;
    }
    changed
}
