//! The stretches of time that one sweep walks through, from expiry back to the snapshot.
//!
//! Near an ex-date close to expiry a value bends over a small range of prices, a year before expiry over a large one.
//! So the life between two ex-dates is cut again wherever the time to expiry has grown fourfold, each stretch with a
//! grid of its own width: the number of nodes per deviation then hardly varies, at a price for which few steps do.

use crate::models::dividends::schedule::Schedule;

/// Growth of the time to expiry within one stretch.
const STRETCH: f64 = 4.0;
/// Stretches of one period at most: the first of them begins at `4^-8` of its time to expiry.
const STRETCHES_MAX: usize = 8;
/// Steps of the last period, graded by the square so that the payoff's kink is damped at once.
const LAST_STEPS: usize = 32;
/// Growth of the time to expiry in one step elsewhere.
const STEP_GROWTH: f64 = 1.09;
/// How many times as many steps serve where exercise is possible at any time: it is seen at the steps alone.
const ANY_TIME: usize = 2;
const STEPS_MIN: usize = 4;
/// Parts, graded by the square, of the first step before an ex-date, which damp the kink that exercise leaves there.
const DAMPING: usize = 4;
/// Variance of one step up to which the steps above are fine enough.
const STEP_VARIANCE: f64 = 0.25;
const REFINEMENT_MAX: usize = 32;

/// One stretch of time without dividends.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Segment {
    /// Years to expiry at its beginning, the earliest instant of it.
    pub(super) remaining: f64,
    /// Years.
    pub(super) length: f64,
    /// Cash that drops at its end; zero between two stretches of one period.
    pub(super) dividend: f64,
    /// Lengths of the steps, from its end backward.
    pub(super) steps: Vec<f64>,
}

/// All stretches, from expiry backward.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plan {
    pub(super) segments: Vec<Segment>,
}

/// By which power of two the steps of a volatility are finer than usual.
pub(super) fn refinement(sigma: f64, expiry: f64) -> usize {
    let variance = sigma * sigma * expiry;
    // The longest step is about two of LAST_STEPS parts of the life.
    let wanted = variance * 2.0 / (LAST_STEPS as f64 * STEP_VARIANCE);
    let mut finer = 1;
    while (finer as f64) < wanted && finer < REFINEMENT_MAX {
        finer *= 2;
    }
    finer
}

impl Plan {
    pub(super) fn new(schedule: &Schedule, finer: usize, any_time: bool) -> Self {
        let finer = if any_time { finer * ANY_TIME } else { finer };
        let mut segments = Vec::new();
        for (index, period) in schedule.periods.iter().rev().enumerate() {
            let (from, to) = (schedule.expiry - period.end, schedule.expiry - period.start);
            if index == 0 {
                let steps = graded(period.length(), LAST_STEPS * finer);
                segments.push(Segment { remaining: to, length: period.length(), dividend: period.dividend, steps });
            } else {
                stretches(from, to, period.dividend, finer, &mut segments);
            }
        }
        Self { segments }
    }
}

/// Cuts the time to expiry from `from` to `to` into stretches.
fn stretches(from: f64, to: f64, dividend: f64, finer: usize, segments: &mut Vec<Segment>) {
    let floor = to / libm::pow(STRETCH, STRETCHES_MAX as f64);
    let base = from.max(floor);
    let mut count = 1;
    let mut reach = base * STRETCH;
    while reach < to && count < STRETCHES_MAX {
        reach *= STRETCH;
        count += 1;
    }
    let ratio = libm::pow(to / base, 1.0 / count as f64);
    let (mut at, mut cash, mut scale) = (from, dividend, base);
    for stretch in 1..=count {
        scale *= ratio;
        let end = if stretch == count { to } else { scale };
        let length = end - at;
        if length <= 0.0 {
            continue;
        }
        let growth = libm::log(end / at.max(floor)) / libm::log(STEP_GROWTH);
        let steps = (growth as usize + 1).max(STEPS_MIN) * finer;
        let mut steps = geometric(at, end, floor, steps);
        if cash > 0.0
            && let Some((first, rest)) = steps.split_first()
        {
            steps = graded(*first, DAMPING).into_iter().chain(rest.iter().copied()).collect();
        }
        segments.push(Segment { remaining: end, length, dividend: cash, steps });
        (at, cash) = (end, 0.0);
    }
    if cash > 0.0
        && let Some(last) = segments.last_mut()
    {
        // Two ex-dates at one instant: the schedule merges them, so this is a period without length.
        last.dividend += cash;
    }
}

fn graded(length: f64, count: usize) -> Vec<f64> {
    let unit = length / (count * count) as f64;
    (1..=count).map(|k| (2 * k - 1) as f64 * unit).collect()
}

/// Steps over each of which the time to expiry (at least `floor`) grows by the same factor.
fn geometric(from: f64, to: f64, floor: f64, count: usize) -> Vec<f64> {
    let begin = from.max(floor.min(to));
    let ratio = libm::pow(to / begin, 1.0 / count as f64);
    if ratio <= 1.0 {
        return vec![(to - from) / count as f64; count];
    }
    let shift = begin - from;
    let scale = (to - from) / (to - begin);
    let mut steps = Vec::with_capacity(count);
    let mut at = begin;
    for _ in 0..count {
        steps.push(at * (ratio - 1.0) * if shift > 0.0 { scale } else { 1.0 });
        at *= ratio;
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::{Plan, refinement};
    use crate::models::dividends::schedule::Schedule;
    use crate::models::{ModelDividend, ModelInput};
    use crate::vocabulary::ExerciseStyle;

    #[test]
    fn segments_cover_the_life_and_pay_every_dividend_once() {
        for times in [vec![0.3], vec![1.999], vec![0.0001, 1.0, 1.9999999], vec![0.5, 2.0]] {
            let input = ModelInput {
                exercise_style: ExerciseStyle::American,
                spot: 100.0,
                time_to_expiry: 2.0,
                discount_factor: 0.9,
                borrow: 0.0,
                forward: 100.0,
                dividends: times.iter().map(|&time| ModelDividend { time, amount: 1.0 }).collect(),
            };
            let schedule = Schedule::new(&input).unwrap();
            let plan = Plan::new(&schedule, 1, false);
            let length: f64 = plan.segments.iter().map(|s| s.length).sum();
            let cash: f64 = plan.segments.iter().map(|s| s.dividend).sum();
            assert!((length - 2.0).abs() < 1e-12 && cash == times.len() as f64, "{times:?}: {length} {cash}");
            let mut left = 2.0;
            for segment in plan.segments.iter().rev() {
                assert!((segment.remaining - left).abs() < 1e-9, "{times:?}");
                let steps: f64 = segment.steps.iter().sum();
                assert!((steps - segment.length).abs() < 1e-9 && segment.steps.iter().all(|s| *s > 0.0));
                left -= segment.length;
            }
        }
    }

    #[test]
    fn high_variance_has_finer_steps_up_to_a_limit() {
        assert_eq!((refinement(0.3, 1.0), refinement(5.0, 2.0), refinement(16.0, 10.0)), (1, 16, 32));
    }
}
