//! The iteration over all slices of a class.

use super::calendar::{VarianceCurve, isotonic};
use super::ceilings;
use super::event;
use super::executable::{self, Synthetic};
use super::few_quotes;
use super::frame::Frame;
use super::robust::{Fit, Observation, Robust, observations};
use super::smile::Target;
use super::tier2::{Aim, Band, Solution, Tier2, density_floor};
use super::wings;
use super::{QuoteOutcome, SliceInput, SmoothedSlice, VolatilityQuote, black};
use crate::settings::SmoothingSettings;
use crate::vocabulary::{MarkSource, OptionType, Reason, Reasons, SolverStatus};

/// Below this price over the scale a volatility is the target's: the price cannot tell it.
const PRICE_TELLS: f64 = 1e-10;
/// Least unit of tier 2's variables, over the scale.
const UNIT_MIN: f64 = 1e-12;
/// Rounds in which a rejected quote may come back; later the set of rejected quotes only grows.
const RETURN_ROUNDS: u32 = 3;

/// One slice in work.
struct Slice<'a> {
    input: &'a SliceInput,
    frame: Frame,
    usable: Vec<bool>,
    observed: Vec<Observation>,
    executable: Vec<bool>,
    stdev: f64,
    fit: Option<Fit>,
    dirty: bool,
    /// Target by strike after wings and caps, what decided it, and its error in volatility.
    target: Vec<f64>,
    source: Vec<MarkSource>,
    error: Vec<f64>,
    curvature: Vec<f64>,
    beyond_hard_limit: bool,
    compromised: Vec<bool>,
    aim: Aim,
    bands: Vec<Band>,
    solution: Option<Solution>,
    volatility: Vec<f64>,
}

impl<'a> Slice<'a> {
    fn new(input: &'a SliceInput, settings: &SmoothingSettings) -> Self {
        let frame = Frame::new(input);
        let usable: Vec<bool> = input.quotes.iter().map(|quote| frame.valid && is_usable(quote, &frame)).collect();
        let stdev = money_volatility(&frame, &input.quotes, &usable).unwrap_or(0.2) * frame.root_time;
        let observed = observations(&frame, &input.quotes, &usable, stdev, settings);
        Self {
            input,
            frame,
            executable: vec![false; usable.len()],
            usable,
            observed,
            stdev,
            fit: None,
            dirty: true,
            target: Vec::new(),
            source: Vec::new(),
            error: Vec::new(),
            curvature: Vec::new(),
            beyond_hard_limit: false,
            compromised: Vec::new(),
            aim: Aim::default(),
            bands: Vec::new(),
            solution: None,
            volatility: Vec::new(),
        }
    }

    fn quotes(&self) -> impl Iterator<Item = (&VolatilityQuote, &Observation)> {
        self.input.quotes.iter().zip(&self.observed)
    }

    fn out_of_the_money(&self, quote: &VolatilityQuote) -> bool {
        let strike = self.input.strikes.get(quote.strike).copied().unwrap_or(f64::NAN);
        quote.is_out_of_the_money(strike, self.frame.forward)
    }
}

/// Whether a quote's numbers make sense.
fn is_usable(quote: &VolatilityQuote, frame: &Frame) -> bool {
    let sane = |sigma: f64| sigma.is_finite() && sigma > 0.0 && sigma < 1e3;
    let sides = quote.bid.is_none_or(sane) && quote.ask.is_none_or(sane);
    let ordered = quote.bid.zip(quote.ask).is_none_or(|(bid, ask)| bid <= ask);
    quote.strike < frame.m.len()
        && sides
        && ordered
        && (sane(quote.mid) || !quote.two_sided)
        && (quote.two_sided || quote.ask.is_some())
        && quote.half_spread > 1e-9
        && quote.half_spread < 1e3
        && quote.weight >= 0.0
        && quote.weight < 1e6
}

/// Median volatility of the five weighted quotes nearest the money.
fn money_volatility(frame: &Frame, quotes: &[VolatilityQuote], usable: &[bool]) -> Option<f64> {
    let mut near: Vec<(f64, f64)> = quotes
        .iter()
        .zip(usable)
        .filter(|(quote, usable)| **usable && quote.two_sided && quote.weight > 0.0)
        .filter_map(|(quote, _)| frame.log_moneyness.get(quote.strike).map(|k| (k.abs(), quote.mid)))
        .collect();
    near.sort_by(|a, b| a.0.total_cmp(&b.0));
    near.truncate(5);
    near.sort_by(|a, b| a.1.total_cmp(&b.1));
    near.get(near.len() / 2).map(|point| point.1.clamp(1e-4, 50.0))
}

/// Smooths all slices of one class.
pub(super) fn smooth(inputs: &[SliceInput], settings: &SmoothingSettings) -> Vec<SmoothedSlice> {
    let mut slices: Vec<Slice> = inputs.iter().map(|input| Slice::new(input, settings)).collect();
    for slice in slices.iter_mut().filter(|slice| slice.frame.valid) {
        drop_beyond_belief(slice);
    }
    let (mut robust, mut tier2) = (Robust::default(), Tier2::default());
    let mut targets: Vec<Option<Target>> = vec![None; slices.len()];
    let rounds = settings.rounds_max.clamp(1, 50);
    let (mut iterations, mut settled) = (0, false);
    for round in 1..=rounds {
        iterations = round;
        for slice in slices.iter_mut().filter(|slice| slice.dirty && slice.frame.valid) {
            fit(slice, &mut robust, settings);
        }
        retarget(inputs, &mut slices, &mut targets, settings);
        compromise(&mut slices);
        let moved = solve(&mut slices, &mut tier2, settings);
        let changed = detect(&mut slices, round);
        if !changed && (round == 1 || moved <= settings.mark_tolerance || !slices.iter().any(|s| s.dirty)) {
            settled = true;
            break;
        }
    }
    slices.iter().zip(&targets).map(|(slice, target)| finish(slice, target.as_ref(), iterations, settled)).collect()
}

/// Tier 1 of one slice, refitted while an executable spread names a quote to drop.
fn fit(slice: &mut Slice, robust: &mut Robust, settings: &SmoothingSettings) {
    for _ in 0..=slice.observed.len().min(50) {
        slice.fit = robust.fit(&slice.frame, &mut slice.observed, slice.stdev, settings);
        if !(drop_executable(slice) | drop_boxes(slice)) {
            break;
        }
    }
}

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
                bands.push(band(&slice.frame, quote, quote.weight));
            }
        }
    }
    (places, bands)
}

/// Drops what the quotes nearer the money make impossible, before it can lead a fit.
fn drop_beyond_belief(slice: &mut Slice) {
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
fn drop_executable(slice: &mut Slice) -> bool {
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
fn drop_boxes(slice: &mut Slice) -> bool {
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

fn band(frame: &Frame, quote: &VolatilityQuote, weight: f64) -> Band {
    let price = |sigma: f64| frame.price(quote.strike, sigma);
    let (mut bid, mut ask) = (quote.bid.map(price), quote.ask.map(price));
    // A hair inside, so that what follows (integers, other models) does not fall out.
    if let (Some(low), Some(high)) = (bid.as_mut(), ask.as_mut()) {
        let inset = 0.03 * (*high - *low);
        *low += inset;
        *high -= inset;
    }
    Band { node: quote.strike, bid, ask, weight, later: false }
}

/// Targets of all slices: own fits, then the ladder, then limits.
fn retarget(inputs: &[SliceInput], slices: &mut [Slice], targets: &mut [Option<Target>], settings: &SmoothingSettings) {
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
        slice.beyond_hard_limit = least < settings.volatility_min || largest > settings.volatility_max;
        slice.target.clear();
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
        if let Some(edges) = accepted_range(slice) {
            wings::decay(&slice.frame, &mut slice.target, edges, PRICE_TELLS);
        }
        node_errors(slice);
    }
}

/// The first and last strike with an accepted quote.
fn accepted_range(slice: &Slice) -> Option<(usize, usize)> {
    let accepted = || slice.observed.iter().filter(|o| o.accepted()).map(|o| o.strike);
    accepted().min().zip(accepted().max())
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

/// The compromise between expiries, then what tier 2 aims at.
fn compromise(slices: &mut [Slice]) {
    let ready = |slice: &Slice| slice.frame.valid && slice.target.len() == slice.frame.m.len();
    let tied: Vec<usize> = (0..slices.len()).filter(|s| slices[*s].frame.calendar && ready(&slices[*s])).collect();
    let mut prices: Vec<Vec<f64>> = slices
        .iter()
        .map(|slice| slice.target.iter().enumerate().map(|(i, sigma)| slice.frame.price(i, *sigma)).collect())
        .collect();
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
            .target
            .iter()
            .zip(&slice.error)
            .enumerate()
            .map(|(i, (sigma, error))| (slice.frame.vega(i, *sigma) * error).min(price[i]).max(UNIT_MIN))
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
    for (quote, observation) in slice.quotes() {
        let counts = if observation.two_sided { observation.accepted() } else { !observation.excluded };
        if counts {
            let weight = if slice.out_of_the_money(quote) { 1.0 } else { 0.03 };
            bands.push(band(&slice.frame, quote, weight));
        }
    }
    bands
}

/// Tier 2 forward in time; returns the largest move of a price since the last round, currency per share.
fn solve(slices: &mut [Slice], tier2: &mut Tier2, settings: &SmoothingSettings) -> f64 {
    let mut largest = 0.0_f64;
    for s in 0..slices.len() {
        let (before, rest) = slices.split_at_mut(s);
        let Some(slice) = rest.first_mut() else { break };
        if slice.target.is_empty() {
            continue;
        }
        let earlier: Vec<&Solution> = if slice.frame.calendar {
            before.iter().filter(|other| other.frame.calendar).filter_map(|other| other.solution.as_ref()).collect()
        } else {
            Vec::new()
        };
        slice.aim.floor = density_floor(&slice.frame, &slice.target, settings);
        let solution = tier2.solve(&slice.frame, &slice.aim, &slice.bands, &earlier, settings);
        if let Some(old) = &slice.solution {
            for (old, new) in old.price.iter().zip(&solution.price) {
                largest = largest.max((old - new).abs() * slice.frame.currency());
            }
        } else {
            largest = f64::INFINITY;
        }
        slice.volatility.clear();
        for (i, price) in solution.price.iter().enumerate() {
            let unmoved = *price == slice.frame.price(i, slice.target[i]);
            let told = if unmoved || *price < PRICE_TELLS { None } else { slice.frame.volatility(i, *price) };
            slice.volatility.push(told.filter(|sigma| sigma.is_finite()).unwrap_or(slice.target[i]));
        }
        slice.solution = Some(solution);
    }
    largest
}

/// Rejects accepted quotes that the final curve leaves too far behind, takes back rejected ones that contain it;
/// true where the set changed.
fn detect(slices: &mut [Slice], round: u32) -> bool {
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

/// What is published of one slice.
fn finish(slice: &Slice, target: Option<&Target>, iterations: u32, settled: bool) -> SmoothedSlice {
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
    let (Some(_), Some((first, last))) = (&slice.fit, accepted_range(slice)) else { return false };
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
