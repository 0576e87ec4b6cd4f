//! All slices of an underlying together: which spot serves everything, and each slice's forward and borrow.

use crate::parity::forward::{ForwardEstimate, Pair, SliceTerms, estimate_forward, estimate_forward_near};
use crate::price::Price;
use crate::settings::ParitySettings;
use crate::vocabulary::ExerciseStyle;

/// Standard deviation of the borrow's change between expiries whose times are in the ratio e, per year.
const BORROW_DRIFT: f64 = 0.01;
/// Standard deviation of a name's borrow before its quotes have spoken, per year.
const BORROW_PRIOR: f64 = 0.1;
/// Share of the spot by which quotes of one moment may disagree about it.
const SPOT_DRIFT: f64 = 0.001;
/// A borrow known to better than this may speak for other expiries, per year.
const BORROW_KNOWN: f64 = 0.1;
/// Slices from this time on say what the borrow of the nearest ones should be, in years.
const LONG_YEARS: f64 = 30.0 / 365.0;

/// One slice's forward and borrow.
#[derive(Clone, Debug, PartialEq)]
pub struct SliceParity {
    /// Forward.
    pub forward: f64,
    /// Borrow (American) or carry (European) rate.
    pub borrow: f64,
    /// What its own pairs said; `None` where the forward comes from spot and neighbours.
    pub estimate: Option<ForwardEstimate>,
    /// Whether call and put volatilities at the money disagree by more than a half-spread, or the borrow hit its limit.
    pub suspect: bool,
}

/// The outcome for one underlying and deliverable.
#[derive(Clone, Debug, PartialEq)]
pub struct ParityResult {
    /// The price of the deliverable's share that serves everything, a whole number of millionths.
    pub spot: f64,
    /// Whether it is the options' own and not the print.
    pub replaced: bool,
    /// One per slice.
    pub slices: Vec<SliceParity>,
}

/// Solves parity for slices ascending in time to expiry.
///
/// `print` is the price that the underlying printed (already carried to the deliverable). With `hold_print` it is kept
/// whatever the options say (adjusted deliverables take the spot that the standard ones decided).
/// `carried` are the previous close's borrow rates by today's times, used only where no slice has a pair.
pub fn solve_parity(
    print: f64,
    hold_print: bool,
    slices: &[(SliceTerms, Vec<Pair>)],
    carried: &[(f64, f64)],
    settings: &ParitySettings,
) -> ParityResult {
    let estimates = |spot: f64| -> Vec<Option<ForwardEstimate>> {
        slices.iter().map(|(terms, pairs)| estimate_forward(terms, spot, pairs, settings)).collect()
    };
    let mut spot = print;
    let mut found = estimates(print);
    let mut replaced = false;
    if !hold_print
        && let Some(implied) = implied_spot(print, slices, &found, settings)
        && implied != print
    {
        spot = implied;
        replaced = true;
        found = estimates(spot);
    }
    mend_suspects(spot, slices, &mut found, settings);
    ParityResult { spot, replaced, slices: settle_borrow(spot, slices, found, carried, settings) }
}

/// The options' own spot, where the print lies outside the S-intervals of at least two of the four nearest usable
/// expiries; `None` where the print holds.
fn implied_spot(
    print: f64,
    slices: &[(SliceTerms, Vec<Pair>)],
    found: &[Option<ForwardEstimate>],
    settings: &ParitySettings,
) -> Option<f64> {
    let usable: Vec<(&SliceTerms, &ForwardEstimate)> =
        slices.iter().zip(found).filter_map(|((terms, _), e)| e.as_ref().map(|e| (terms, e))).collect();
    let borrow = long_borrow(print, &usable, settings)?;
    let mut implied: Vec<(f64, f64)> = Vec::new();
    let mut outside = 0;
    for (terms, e) in usable.iter().take(4) {
        let (low, high) = if e.low <= e.high { (e.low, e.high) } else { (e.forward, e.forward) };
        // What a borrow drifting from the longer expiries' does to the spot that this one implies.
        let drift = print * terms.time_to_expiry * BORROW_DRIFT;
        let margin = e.uncertainty.min(print) + drift;
        let (s_low, s_high) = (terms.spot(low - margin, borrow), terms.spot(high + margin, borrow));
        if print < s_low || print > s_high {
            outside += 1;
        }
        implied.push((terms.spot(e.forward, borrow), 0.5 * (high - low) + margin));
    }
    if outside < 2 {
        return None;
    }
    // The longer expiries' borrow took part of the print's error; from the spot found it is estimated anew, until the
    // spot stands still. Each round leaves the share T/T_long of the error.
    let mut spot = weighted_median(implied.iter().copied())?;
    for _ in 0..SPOT_ROUNDS_MAX {
        let borrow = long_borrow(spot, &usable, settings)?;
        let nearest = usable.iter().take(4).zip(&implied);
        let next = weighted_median(nearest.map(|((terms, e), (_, width))| (terms.spot(e.forward, borrow), *width)))?;
        let moved = (next - spot).abs();
        spot = next;
        if moved < 1e-7 {
            break;
        }
    }
    Price::nearest(spot).map(Price::to_f64).filter(|s| *s > 0.0)
}

/// Rounds in which spot and longer expiries' borrow settle on each other.
const SPOT_ROUNDS_MAX: u32 = 20;

/// The borrow that the longer expiries imply at a spot: the median of the nearest three that are far enough not to feel
/// the spot's error, and near enough to be the same borrow; `None` where it stands at the limit, which says that those
/// expiries' quotes are wrong, or the spot by more than they can tell.
fn long_borrow(spot: f64, usable: &[(&SliceTerms, &ForwardEstimate)], settings: &ParitySettings) -> Option<f64> {
    let borrow_of = |terms: &SliceTerms, e: &ForwardEstimate| terms.borrow(spot, e.forward, settings.borrow_max);
    let far = usable.iter().filter(|(t, _)| t.time_to_expiry >= LONG_YEARS);
    let mut long: Vec<f64> = far.take(3).map(|(t, e)| borrow_of(t, e)).collect();
    if long.is_empty() {
        long.extend(usable.last().map(|(t, e)| borrow_of(t, e)));
    }
    long.sort_by(f64::total_cmp);
    long.get(long.len() / 2).copied().filter(|borrow| borrow.abs() < settings.borrow_max)
}

/// The weighted median of `(value, width)`, weights 1/width^2.
fn weighted_median(values: impl Iterator<Item = (f64, f64)>) -> Option<f64> {
    let mut sorted: Vec<(f64, f64)> = values.collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let weight = |h: f64| 1.0 / (h * h).max(1e-12);
    let total: f64 = sorted.iter().map(|(_, h)| weight(*h)).sum();
    let mut below = 0.0;
    sorted.iter().find_map(|&(value, h)| {
        below += weight(h);
        (below >= 0.5 * total).then_some(value)
    })
}

/// Whether an estimate contradicts itself: its pairs disagree by more than their spreads, or only a borrow at the limit
/// explains it.
fn is_suspect(borrow: f64, e: &ForwardEstimate, settings: &ParitySettings) -> bool {
    borrow.abs() >= settings.borrow_max || e.left_out_residual.is_some_and(|residual| residual > 1.0)
}

/// Estimates suspect American slices anew from the pairs that agree with the trustworthy expiries' borrow; where none
/// does the slice has no estimate. Without two trustworthy expiries nothing says who is wrong.
fn mend_suspects(
    spot: f64,
    slices: &[(SliceTerms, Vec<Pair>)],
    found: &mut [Option<ForwardEstimate>],
    settings: &ParitySettings,
) {
    let borrow_of = |terms: &SliceTerms, e: &ForwardEstimate| terms.borrow(spot, e.forward, settings.borrow_max);
    let trusted: Vec<(f64, f64)> = slices
        .iter()
        .zip(found.iter())
        .filter_map(|((terms, _), e)| {
            let e = e.as_ref()?;
            let borrow = borrow_of(terms, e);
            let error = e.uncertainty / (e.forward * terms.time_to_expiry);
            (!is_suspect(borrow, e, settings) && error < BORROW_KNOWN).then_some((terms.time_to_expiry, borrow))
        })
        .collect();
    if trusted.len() < 2 {
        drop_limited(spot, slices, found, settings);
        return;
    }
    for ((terms, pairs), estimate) in slices.iter().zip(found.iter_mut()) {
        let Some(e) = estimate.as_ref().filter(|_| terms.exercise_style == ExerciseStyle::American) else { continue };
        if !is_suspect(borrow_of(terms, e), e, settings) {
            continue;
        }
        let reference = terms.forward(spot, interpolate(&trusted, terms.time_to_expiry));
        let margin = reference * (SPOT_DRIFT + BORROW_DRIFT * terms.time_to_expiry);
        // An estimate that its neighbours confirm stands, noisy as its pairs are.
        if (e.forward - reference).abs() > margin.min(e.uncertainty) {
            *estimate = estimate_forward_near(terms, spot, pairs, (reference, margin), settings);
        }
    }
}

/// Drops American estimates that only a borrow at the limit explains, where another expiry has a better one.
fn drop_limited(
    spot: f64,
    slices: &[(SliceTerms, Vec<Pair>)],
    found: &mut [Option<ForwardEstimate>],
    settings: &ParitySettings,
) {
    let limited = |terms: &SliceTerms, e: &ForwardEstimate| {
        terms.exercise_style == ExerciseStyle::American
            && terms.borrow(spot, e.forward, settings.borrow_max).abs() >= settings.borrow_max
    };
    let better = slices.iter().zip(found.iter()).any(|((t, _), e)| e.as_ref().is_some_and(|e| !limited(t, e)));
    if better {
        for ((terms, _), estimate) in slices.iter().zip(found.iter_mut()) {
            if estimate.as_ref().is_some_and(|e| limited(terms, e)) {
                *estimate = None;
            }
        }
    }
}

/// Each slice's borrow: what its own quotes say, smoothed over expiries by how well each says it (American), within what
/// bids and asks allow; interpolated where there is no pair.
fn settle_borrow(
    spot: f64,
    slices: &[(SliceTerms, Vec<Pair>)],
    found: Vec<Option<ForwardEstimate>>,
    carried: &[(f64, f64)],
    settings: &ParitySettings,
) -> Vec<SliceParity> {
    let own: Vec<Option<f64>> = slices
        .iter()
        .zip(&found)
        .map(|((terms, _), e)| e.as_ref().map(|e| terms.borrow(spot, e.forward, settings.borrow_max)))
        .collect();
    let sightings: Vec<(f64, f64, f64)> = slices
        .iter()
        .zip(&found)
        .zip(&own)
        .filter_map(|(((terms, _), e), own)| {
            let (e, own) = (e.as_ref()?, (*own)?);
            let error = e.uncertainty / (e.forward * terms.time_to_expiry);
            Some((terms.time_to_expiry, own, if error.is_finite() { error } else { BORROW_PRIOR }))
        })
        .collect();
    let mut smooth = smooth_borrow(&sightings).into_iter();
    let settled: Vec<Option<SliceParity>> = slices
        .iter()
        .zip(found)
        .zip(own)
        .map(|(((terms, _), estimate), own)| {
            let (e, own) = (estimate?, own?);
            let drawn = smooth.next().unwrap_or(own);
            let suspect = is_suspect(own, &e, settings);
            let (forward, borrow) = if terms.exercise_style == ExerciseStyle::American {
                let borrow = held_in_interval(terms, spot, &e, drawn, settings);
                (terms.forward(spot, borrow), borrow)
            } else {
                (e.forward, own)
            };
            Some(SliceParity { forward, borrow, estimate: Some(e), suspect })
        })
        .collect();
    let known: Vec<(f64, f64)> = slices
        .iter()
        .zip(&settled)
        .filter_map(|((terms, _), p)| p.as_ref().map(|p| (terms.time_to_expiry, p.borrow)))
        .collect();
    slices
        .iter()
        .zip(settled)
        .map(|((terms, _), parity)| {
            parity.unwrap_or_else(|| {
                let borrow = interpolate(if known.is_empty() { carried } else { &known }, terms.time_to_expiry);
                SliceParity { forward: terms.forward(spot, borrow), borrow, estimate: None, suspect: false }
            })
        })
        .collect()
}

/// The borrow whose forward lies within the interval of the slice's bids and asks, nearest to the one given.
fn held_in_interval(terms: &SliceTerms, spot: f64, e: &ForwardEstimate, borrow: f64, settings: &ParitySettings) -> f64 {
    let forward = terms.forward(spot, borrow);
    if e.low > e.high || (e.low <= forward && forward <= e.high) {
        return borrow;
    }
    terms.borrow(spot, forward.max(e.low).min(e.high), settings.borrow_max)
}

/// Borrow by expiry, as the posterior mean of a random walk in `ln T` seen with each expiry's own error.
///
/// # Formula
/// `b_1 ~ N(0, 0.1^2)`, `b_{i+1} = b_i + N(0, 0.01^2 ln(T_{i+1}/T_i))`, seen as `own_i ~ N(b_i, error_i^2)`; the Kalman
/// filter forwards and the Rauch-Tung-Striebel pass back.
///
/// # Source
/// Rauch, Tung and Striebel, 1965, Maximum likelihood estimates of linear dynamic systems.
fn smooth_borrow(sightings: &[(f64, f64, f64)]) -> Vec<f64> {
    // Filtered mean and variance, and the variance predicted for the next step.
    let mut filtered: Vec<(f64, f64)> = Vec::with_capacity(sightings.len());
    let mut steps: Vec<f64> = Vec::with_capacity(sightings.len());
    let mut before: Option<(f64, f64, f64)> = None;
    for &(t, own, error) in sightings {
        let (mean, variance) = match before {
            None => (0.0, BORROW_PRIOR * BORROW_PRIOR),
            Some((t0, mean, variance)) => {
                let step = BORROW_DRIFT * BORROW_DRIFT * libm::log((t / t0).max(1.0));
                steps.push(step);
                (mean, variance + step)
            }
        };
        let gain = variance / (variance + (error * error).max(1e-16));
        let next = (mean + gain * (own - mean), (variance * (1.0 - gain)).max(1e-18));
        filtered.push(next);
        before = Some((t, next.0, next.1));
    }
    let mut smoothed: Vec<f64> = filtered.iter().map(|f| f.0).collect();
    for i in (0..steps.len()).rev() {
        let (Some(&(mean, variance)), Some(&step), Some(&later)) = (filtered.get(i), steps.get(i), smoothed.get(i + 1))
        else {
            continue;
        };
        if let Some(value) = smoothed.get_mut(i) {
            *value = mean + variance / (variance + step) * (later - mean);
        }
    }
    smoothed
}

fn interpolate(known: &[(f64, f64)], t: f64) -> f64 {
    let after = known.partition_point(|(x, _)| *x < t);
    match (after.checked_sub(1).and_then(|i| known.get(i)), known.get(after)) {
        (Some((t0, b0)), Some((t1, b1))) if t1 > t0 => b0 + (b1 - b0) * (t - t0) / (t1 - t0),
        (_, Some((_, b))) | (Some((_, b)), None) => *b,
        (None, None) => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// European pairs of a clean market with forward `S e^{(r-b)T}`.
    fn slice(spot: f64, borrow: f64, t: f64) -> (SliceTerms, Vec<Pair>) {
        let terms = SliceTerms {
            exercise_style: ExerciseStyle::European,
            time_to_expiry: t,
            discount_factor: libm::exp(-0.03 * t),
            dividends: Vec::new(),
        };
        let forward = terms.forward(spot, borrow);
        let pairs = (80..=120)
            .map(|k| {
                let gap = terms.discount_factor * (forward - k as f64);
                Pair {
                    strike: k as f64,
                    call: gap.max(0.0) + 1.0,
                    put: (-gap).max(0.0) + 1.0,
                    call_half_spread: 0.02,
                    put_half_spread: 0.02,
                }
            })
            .collect();
        (terms, pairs)
    }

    #[test]
    fn a_good_print_is_kept_and_a_late_one_is_replaced() {
        let slices: Vec<_> = [0.02, 0.04, 0.1, 0.3, 1.0].iter().map(|&t| slice(100.0, 0.01, t)).collect();
        let kept = solve_parity(100.01, false, &slices, &[], &ParitySettings::default());
        assert_eq!((kept.spot, kept.replaced), (100.01, false));
        let late = solve_parity(100.6, false, &slices, &[], &ParitySettings::default());
        assert!(late.replaced && (late.spot - 100.0).abs() < 0.05, "{}", late.spot);
        assert!(
            late.slices.iter().all(|s| (s.borrow - 0.01).abs() < 0.08),
            "{:?}",
            late.slices.iter().map(|s| s.borrow).collect::<Vec<_>>()
        );
        let held = solve_parity(100.6, true, &slices, &[], &ParitySettings::default());
        assert_eq!((held.spot, held.replaced), (100.6, false));
    }

    #[test]
    fn longer_expiries_that_contradict_any_borrow_replace_no_print() {
        // Two expiries, quoted as if the share cost four times as much.
        let slices: Vec<_> = [0.077, 0.153].iter().map(|&t| slice(100.0, 0.01, t)).collect();
        let kept = solve_parity(25.0, false, &slices, &[], &ParitySettings::default());
        assert_eq!((kept.spot, kept.replaced), (25.0, false));
    }

    #[test]
    fn a_borrow_hardly_seen_is_what_its_neighbours_say_and_one_well_seen_is_its_own() {
        let smooth = smooth_borrow(&[(0.02, 0.3, 0.5), (0.1, -0.05, 0.1), (0.5, 0.021, 0.002), (1.0, 0.05, 1e-5)]);
        assert!((smooth[0] - 0.021).abs() < 0.01 && (smooth[1] - 0.021).abs() < 0.01, "{smooth:?}");
        assert!((smooth[2] - 0.021).abs() < 0.002 && (smooth[3] - 0.05).abs() < 1e-6, "{smooth:?}");
        assert!(smooth_borrow(&[]).is_empty());
    }

    #[test]
    fn a_slice_without_pairs_takes_its_neighbours_borrow() {
        let mut slices: Vec<_> =
            [0.1, 0.3, 0.5].iter().zip([0.01, 0.0, 0.03]).map(|(&t, b)| slice(100.0, b, t)).collect();
        slices[1].1.clear();
        let result = solve_parity(100.0, false, &slices, &[], &ParitySettings::default());
        assert!((result.slices[1].borrow - 0.02).abs() < 1e-6);
        assert!(result.slices[1].estimate.is_none());
    }

    #[test]
    fn trustworthy_expiries_judge_one_that_contradicts_itself() {
        let american = |t: f64| {
            let (terms, pairs) = slice(100.0, 0.01, t);
            (SliceTerms { exercise_style: ExerciseStyle::American, ..terms }, pairs)
        };
        let mut slices: Vec<_> = [0.05, 0.1, 0.15, 0.2].map(american).into();
        // Most of one expiry's calls belong to another share: they cost forty more.
        for pair in slices[2].1.iter_mut().filter(|pair| pair.strike > 98.0) {
            pair.call += 40.0;
        }
        let result = solve_parity(100.0, true, &slices, &[], &ParitySettings::default());
        for ((terms, _), parity) in slices.iter().zip(&result.slices) {
            let truth = 100.0 * libm::exp((0.03 - 0.01) * terms.time_to_expiry);
            assert!((parity.forward - truth).abs() < 0.3, "{}: {}", terms.time_to_expiry, parity.forward);
        }
        // Nothing of it left: its neighbours speak alone.
        for pair in &mut slices[2].1 {
            pair.call += 40.0;
        }
        let result = solve_parity(100.0, true, &slices, &[], &ParitySettings::default());
        assert!((result.slices[2].borrow - 0.01).abs() < 0.02, "{:?}", result.slices[2]);
    }
}
