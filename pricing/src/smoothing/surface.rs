//! The iteration over all slices of a class.

use super::aim::density_floor;
use super::compromise::compromise;
use super::outcome::finish;
use super::outliers::{detect, drop_beyond_belief, drop_boxes, drop_executable};
use super::robust::Robust;
use super::slice::Slice;
use super::smile::Target;
use super::targets::{PRICE_TELLS, retarget};
use super::tier2::{Solution, Tier2};
use super::{Round, SliceInput, SmoothedSlice};
use crate::settings::SmoothingSettings;

/// Smooths all slices of one class; where `rounds_of` is given, each slice's curve after each round is put there.
pub(super) fn smooth(
    inputs: &[SliceInput],
    settings: &SmoothingSettings,
    mut rounds_of: Option<&mut [Vec<Round>]>,
) -> Vec<SmoothedSlice> {
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
        for (own, (slice, target)) in
            rounds_of.iter_mut().flat_map(|all| all.iter_mut()).zip(slices.iter().zip(&targets))
        {
            own.push(snapshot(slice, target.as_ref(), settings));
        }
        let changed = detect(&mut slices, round);
        if !changed && (round == 1 || moved <= settings.mark_tolerance || !slices.iter().any(|s| s.dirty)) {
            settled = true;
            break;
        }
    }
    slices.iter().zip(&targets).map(|(slice, target)| finish(slice, target.as_ref(), iterations, settled)).collect()
}

/// A slice as a round left it.
fn snapshot(slice: &Slice, target: Option<&Target>, settings: &SmoothingSettings) -> Round {
    let caps = |k: &f64| target.and_then(|target| target.caps(*k, settings));
    Round {
        target: slice.target.clone(),
        volatility: if target.is_some() { slice.volatility.clone() } else { Vec::new() },
        caps: slice.frame.log_moneyness.iter().map(caps).collect(),
        used: slice
            .observed
            .iter()
            .zip(&slice.usable)
            .map(|(o, usable)| *usable && !o.excluded && !o.rejected)
            .collect(),
    }
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
        let solution = tier2.solve(&slice.frame, &slice.aim, &slice.bands, &earlier, &mut slice.optima, settings);
        if let Some(old) = &slice.solution {
            for (old, new) in old.price.iter().zip(&solution.price) {
                largest = largest.max((old - new).abs() * slice.frame.currency());
            }
        } else {
            largest = f64::INFINITY;
        }
        if slice.moved || slice.solution.as_ref().is_none_or(|old| old.price != solution.price) {
            slice.volatility.clear();
            for ((i, price), (aimed, target)) in
                solution.price.iter().enumerate().zip(slice.price.iter().zip(&slice.target))
            {
                let told =
                    if price == aimed || *price < PRICE_TELLS { None } else { slice.frame.volatility(i, *price) };
                slice.volatility.push(told.filter(|sigma| sigma.is_finite()).unwrap_or(*target));
            }
        }
        slice.solution = Some(solution);
    }
    largest
}
