//! The ladder for slices without enough quotes of their own for a fit.

use super::frame::Frame;
use super::prior::Prior;
use super::robust::Observation;
use super::smile::{Smile, Target, usable};
use super::spline::NaturalCubic;
use super::wings::Wing;
use super::{Curve, SliceInput};
use crate::settings::SmoothingSettings;

/// Ridge on the skew's shift: one quote two standard deviations out decides a third of it.
const SKEW_RIDGE: f64 = 2.0;

/// Fills the targets that are missing.
pub(super) fn complete(
    frames: &[Frame],
    inputs: &[SliceInput],
    observed: &[Vec<Observation>],
    targets: &mut [Option<Target>],
    settings: &SmoothingSettings,
) {
    let fitted: Vec<usize> = (0..targets.len()).filter(|i| targets[*i].is_some()).collect();
    let mut shifted = Vec::new();
    for i in 0..targets.len() {
        if targets[i].is_none() && frames[i].valid && observed[i].iter().any(Observation::accepted) {
            let base = nearest(frames, &fitted, i).and_then(|j| match &targets[j] {
                Some(Target::Own(smile)) => Some(smile.clone()),
                _ => None,
            });
            shifted.push((i, shift(&frames[i], &observed[i], base, inputs[i].previous.as_ref(), settings)));
        }
    }
    for (i, target) in shifted {
        targets[i] = target;
    }
    let known: Vec<usize> = (0..targets.len()).filter(|i| targets[*i].is_some()).collect();
    let mut filled = Vec::new();
    for i in 0..targets.len() {
        if targets[i].is_none() && frames[i].valid {
            filled.push((i, interpolate(frames, inputs, targets, &known, i)));
        }
    }
    for (i, target) in filled {
        targets[i] = target;
    }
}

/// The fitted slice nearest in the logarithm of time; the earlier of two as near.
fn nearest(frames: &[Frame], fitted: &[usize], i: usize) -> Option<usize> {
    let distance = |j: usize| {
        let ratio = frames[j].time / frames[i].time;
        ratio.max(1.0 / ratio)
    };
    fitted.iter().copied().min_by(|a, b| distance(*a).total_cmp(&distance(*b)))
}

/// One to three quotes: the neighbour's smile at equal standardised moneyness, moved in level and, with a second
/// quote, in skew; without a neighbour the previous curve moved, or a level.
fn shift(
    frame: &Frame,
    observed: &[Observation],
    base: Option<Smile>,
    previous: Option<&Curve>,
    settings: &SmoothingSettings,
) -> Option<Target> {
    let base = base.or_else(|| previous.filter(|curve| usable(curve)).map(|curve| of_curve(frame, curve)));
    let accepted: Vec<&Observation> = observed.iter().filter(|o| o.accepted()).collect();
    let first = accepted.first()?;
    let base = base.unwrap_or_else(|| flat(frame, first.value));
    let mut stdev = base.stdev / base.time.sqrt() * frame.root_time;
    let (mut level, mut skew) = (0.0, 0.0);
    let mut edges = [0.0, 0.0];
    for _ in 0..4 {
        let points: Vec<(f64, f64, f64)> = accepted
            .iter()
            .filter_map(|o| {
                let k = *frame.log_moneyness.get(o.strike)?;
                let (volatility, _) = base.volatility(k / stdev * base.stdev, settings);
                let relative = o.half_spread / o.value;
                (volatility > 0.0).then(|| {
                    (super::frame::compress(k, stdev), libm::log(o.value / volatility), 1.0 / (relative * relative))
                })
            })
            .collect();
        let total: f64 = points.iter().fold(0.0, |sum, p| sum + p.2);
        if total.is_nan() || total <= 0.0 {
            break;
        }
        let mean = |of: &dyn Fn(&(f64, f64, f64)) -> f64| points.iter().fold(0.0, |sum, p| sum + p.2 * of(p)) / total;
        let (center, height) = (mean(&|p| p.0), mean(&|p| p.1));
        let spread = mean(&|p| (p.0 - center) * (p.0 - center));
        let lean = mean(&|p| (p.0 - center) * (p.1 - height));
        skew = (lean / (spread + SKEW_RIDGE)).clamp(-0.3, 0.3);
        level = (height - skew * center).clamp(-5.0, 5.0);
        edges = points.iter().fold([f64::INFINITY, f64::NEG_INFINITY], |[a, b], p| [a.min(p.0), b.max(p.0)]);
        stdev = base.stdev / base.time.sqrt() * frame.root_time * libm::exp(level);
    }
    Some(Target::Shifted { base, stdev, level, skew, edges })
}

/// A smile of one volatility.
fn flat(frame: &Frame, volatility: f64) -> Smile {
    Smile {
        stdev: volatility * frame.root_time,
        time: frame.time,
        prior: Prior([volatility, 0.0, 0.0]),
        spline: NaturalCubic::default(),
        low: Wing::none(f64::NEG_INFINITY),
        high: Wing::none(f64::INFINITY),
        range: [volatility, volatility],
    }
}

/// A curve from elsewhere as a smile: its level and a straight spline through its nodes.
fn of_curve(frame: &Frame, curve: &Curve) -> Smile {
    let at_money = Target::Carried(curve.clone()).volatility(0.0, &SmoothingSettings::default()).0;
    let mut smile = flat(frame, at_money);
    smile.prior = Prior::default();
    let knots: Vec<f64> = curve.log_moneyness.iter().map(|k| super::frame::compress(*k, smile.stdev)).collect();
    smile.range = curve.volatility.iter().fold([f64::INFINITY, 0.0], |[a, b], s| [a.min(*s), b.max(*s)]);
    smile.spline = NaturalCubic { second: vec![0.0; knots.len()], values: curve.volatility.clone(), knots };
    smile
}

/// No quotes: total variance between the neighbours in time; of one neighbour its smile at equal standardised
/// moneyness; of none the previous curve.
fn interpolate(
    frames: &[Frame],
    inputs: &[SliceInput],
    targets: &[Option<Target>],
    known: &[usize],
    i: usize,
) -> Option<Target> {
    let tied = |j: &usize| frames[i].calendar && frames[*j].calendar;
    let earlier = known.iter().copied().filter(|j| *j < i).rfind(tied);
    let later = known.iter().copied().filter(|j| *j > i).find(tied);
    let neighbour = |j: usize| targets[j].clone().map(Box::new);
    let previous = || inputs[i].previous.clone().filter(usable).map(Target::Carried);
    match (earlier.and_then(neighbour).zip(earlier), later.and_then(neighbour).zip(later)) {
        (Some((first, a)), Some((second, b))) => Some(Target::Between {
            earlier: first,
            later: second,
            times: [frames[a].time, frames[b].time],
            time: frames[i].time,
        }),
        (Some((base, j)), None) | (None, Some((base, j))) => {
            Some(Target::Alike { base, factor: frames[j].root_time / frames[i].root_time })
        }
        (None, None) => previous(),
    }
}
