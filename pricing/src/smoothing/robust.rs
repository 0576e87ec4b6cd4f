//! Tier 1 of one slice: fit, robust scale, weights, rejections, until the set of rejected quotes stands still.

mod lambda;
mod start;

use super::VolatilityQuote;
use super::frame::{Frame, compress};
use super::prior::Prior;
use super::smile::Smile;
use super::spline::{NaturalCubic, SmoothingSpline};
use super::wings::Wing;
use crate::math::normal_cdf;
use crate::settings::SmoothingSettings;
use crate::vocabulary::OptionType;

/// Least share of a residual's noise that a quote's leverage leaves.
const LEAVE_MIN: f64 = 0.0025;

/// What the robust rounds know of one quote.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Observation {
    pub y: f64,
    pub strike: usize,
    pub two_sided: bool,
    /// Volatility of the mid; of the ask where not two-sided.
    pub value: f64,
    pub half_spread: f64,
    /// Capped weight before robustness.
    pub weight: f64,
    /// Whether it speaks for the slice's scale of errors.
    pub leading: bool,
    /// Excluded by an earlier stage of the iteration.
    pub excluded: bool,
    /// Kept whatever its residual.
    pub protected: bool,
    /// Rejected by the last round.
    pub rejected: bool,
    /// Robust weight of the last round.
    pub robust_weight: f64,
    /// Studentised residual of the last fit in half-spreads.
    pub residual: f64,
    /// Share of its noise's deviation that its leverage left in the residual of the last fit.
    pub noise_left: f64,
    /// Half-spreads from the final curve beyond which it is rejected.
    pub limit: f64,
}

impl Observation {
    pub(super) fn accepted(&self) -> bool {
        self.two_sided && !self.excluded && !self.rejected && self.weight > 0.0
    }
}

/// A fitted slice.
#[derive(Clone, Debug)]
pub(super) struct Fit {
    pub smile: Smile,
    pub lambda: Option<f64>,
    pub degrees_of_freedom: f64,
    pub left_out_error: f64,
    /// Robust scale of the residuals in half-spreads.
    pub scale: f64,
}

/// Knots with pooled quotes.
#[derive(Default)]
struct Knots {
    y: Vec<f64>,
    value: Vec<f64>,
    weight: Vec<f64>,
    /// Knot of each observation, or none.
    of: Vec<Option<usize>>,
}

/// Scratch space of tier 1.
#[derive(Default)]
pub(super) struct Robust {
    spline: SmoothingSpline,
    knots: Knots,
    residuals: Vec<f64>,
    to_order: Vec<f64>,
}

/// The observations of a slice: usable quotes with capped weights, ascending in strike.
pub(super) fn observations(
    frame: &Frame,
    quotes: &[VolatilityQuote],
    usable: &[bool],
    stdev: f64,
    settings: &SmoothingSettings,
) -> Vec<Observation> {
    let raw = |quote: &VolatilityQuote| {
        let deep = frame.log_moneyness.get(quote.strike).is_some_and(|k| is_deep(quote, *k, stdev, settings));
        if deep { 0.0 } else { quote.weight / (quote.half_spread * quote.half_spread) }
    };
    let mut weights: Vec<f64> =
        quotes.iter().zip(usable).filter(|(q, u)| **u && q.two_sided).map(|(q, _)| raw(q)).collect();
    weights.retain(|weight| *weight > 0.0);
    weights.sort_by(f64::total_cmp);
    let cap = percentile(&weights, settings.weight_cap_percentile);
    quotes
        .iter()
        .zip(usable)
        .map(|(quote, usable)| {
            let value = if quote.two_sided { quote.mid } else { quote.ask.unwrap_or(f64::INFINITY) };
            Observation {
                y: frame.log_moneyness.get(quote.strike).map_or(0.0, |k| compress(*k, stdev)),
                strike: quote.strike,
                two_sided: quote.two_sided,
                value,
                half_spread: quote.half_spread,
                weight: if *usable { raw(quote).min(cap) } else { 0.0 },
                leading: quote.weight >= 0.5,
                excluded: !usable,
                robust_weight: if *usable { 1.0 } else { 0.0 },
                limit: settings.reject_half_spreads,
                ..Observation::default()
            }
        })
        .collect()
}

/// Whether a quote lies so deep in the money, by the slice's volatility at the money and not by its own, that it speaks of
/// parity and not of volatility.
fn is_deep(quote: &VolatilityQuote, log_moneyness: f64, stdev: f64, settings: &SmoothingSettings) -> bool {
    let d1 = 0.5 * stdev - log_moneyness / stdev;
    let (in_the_money, delta) = match quote.option_type {
        OptionType::Call => (log_moneyness < 0.0, normal_cdf(d1)),
        OptionType::Put => (log_moneyness > 0.0, normal_cdf(-d1)),
    };
    in_the_money && delta > settings.deep_delta
}

/// The value that a share of sorted values does not exceed; infinite without values.
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let place = (share * sorted.len() as f64) as usize;
    sorted.get(place.min(sorted.len().saturating_sub(1))).copied().unwrap_or(f64::INFINITY)
}

fn median(values: &mut [f64]) -> f64 {
    let n = values.len();
    if n == 0 {
        return 0.0;
    }
    let (below, middle, _) = values.select_nth_unstable_by(n / 2, f64::total_cmp);
    let before = if n % 2 == 1 { *middle } else { below.iter().copied().max_by(f64::total_cmp).unwrap_or(*middle) };
    0.5 * (before + *middle)
}

impl Robust {
    /// Fits one slice and marks what it rejects; `None` with fewer than `prior_quotes_min` accepted strikes.
    pub(super) fn fit(
        &mut self,
        frame: &Frame,
        observed: &mut [Observation],
        stdev: f64,
        settings: &SmoothingSettings,
    ) -> Option<Fit> {
        for observation in observed.iter_mut() {
            observation.rejected = false;
            observation.robust_weight = if observation.excluded { 0.0 } else { 1.0 };
        }
        self.start(observed, settings);
        let mut lambda = None;
        let mut fit = None;
        let rounds = settings.robust_rounds.clamp(1, 20);
        for round in 0..rounds + 5 {
            self.pool(observed, fit.as_ref());
            let n = self.knots.y.len();
            if n < settings.prior_quotes_min.max(2) as usize {
                return fit;
            }
            let ridge = if n < settings.spline_quotes_min as usize { [0.05, 0.2] } else { [1e-6, 1e-3] };
            let (y, value, weight) = (&self.knots.y, &self.knots.value, &self.knots.weight);
            let points = y.iter().zip(value).zip(weight).map(|((y, v), w)| (*y, *v, *w));
            let prior = Prior::fit(points, ridge)?;
            let search = round < rounds;
            let current = if n < settings.spline_quotes_min.max(4) as usize {
                self.prior_only(frame, prior, stdev)
            } else {
                self.splined(frame, prior, stdev, if search { None } else { lambda }, settings)?
            };
            lambda = current.lambda;
            fit = Some(current);
            let moved = self.judge(observed, fit.as_mut()?, round + 1 < rounds, settings);
            if round + 1 >= rounds && !moved {
                break;
            }
        }
        let mut fit = fit?;
        wings(frame, observed, &mut fit, settings);
        Some(fit)
    }

    /// Pools accepted quotes of (nearly) one strike into knots; zero bids enter where the last fit lies above their ask.
    fn pool(&mut self, observed: &[Observation], last: Option<&Fit>) {
        let knots = &mut self.knots;
        knots.y.clear();
        knots.value.clear();
        knots.weight.clear();
        knots.of.clear();
        let accepted = || observed.iter().filter(|o| o.accepted());
        let low = accepted().map(|o| o.y).fold(f64::INFINITY, f64::min);
        let high = accepted().map(|o| o.y).fold(f64::NEG_INFINITY, f64::max);
        let merge = 1e-5 * (high - low);
        for o in observed {
            let capped = !o.two_sided
                && !o.excluded
                && o.weight > 0.0
                && o.y > low
                && o.y < high
                && last.is_some_and(|fit| fit.smile.inside(o.y) > o.value);
            let weight = o.weight * o.robust_weight;
            if !(o.accepted() || capped) || weight.is_nan() || weight <= 0.0 {
                knots.of.push(None);
                continue;
            }
            match (knots.y.last(), knots.value.last_mut(), knots.weight.last_mut()) {
                (Some(y), Some(value), Some(total)) if o.y - y <= merge => {
                    *value += (o.value - *value) * weight / (*total + weight);
                    *total += weight;
                }
                _ => {
                    knots.y.push(o.y);
                    knots.value.push(o.value);
                    knots.weight.push(weight);
                }
            }
            knots.of.push(Some(knots.y.len() - 1));
        }
    }

    fn smile(&self, frame: &Frame, prior: Prior, spline: NaturalCubic, stdev: f64) -> Smile {
        let least = self.knots.value.iter().copied().fold(f64::INFINITY, f64::min);
        let largest = self.knots.value.iter().copied().fold(0.0, f64::max);
        Smile { stdev, time: frame.time, prior, spline, range: [0.25 * least, 4.0 * largest], ..Smile::default() }
    }

    fn prior_only(&mut self, frame: &Frame, prior: Prior, stdev: f64) -> Fit {
        let n = self.knots.y.len();
        self.spline.leave.clear();
        self.spline.leave.resize(n, 1.0 - 3.0_f64.min(n as f64) / (n as f64 + 1.0));
        self.spline.fitted.clear();
        self.spline.fitted.extend(self.knots.y.iter().zip(&self.knots.value).map(|(y, v)| v - (v - prior.value(*y))));
        let smile = self.smile(frame, prior, NaturalCubic::default(), stdev);
        Fit { smile, lambda: None, degrees_of_freedom: 3.0_f64.min(n as f64), left_out_error: 0.0, scale: 0.0 }
    }

    /// Residuals over what their leverage leaves of the noise, the robust scale, new weights and rejections; true where
    /// the set of rejected quotes changed.
    ///
    /// In early rounds only the worst of neighbours is rejected: what stands beside an outlier looks bad because of it.
    fn judge(
        &mut self,
        observed: &mut [Observation],
        fit: &mut Fit,
        early: bool,
        settings: &SmoothingSettings,
    ) -> bool {
        let (mut squares, mut count) = (0.0, 0.0);
        for (o, knot) in observed.iter_mut().zip(&self.knots.of) {
            let fitted = fit.smile.inside(o.y);
            let mut miss = o.value - fitted;
            o.noise_left = 1.0;
            if let Some(knot) = knot {
                let share = (o.weight * o.robust_weight / self.knots.weight[*knot]).min(1.0);
                let leverage = share * (1.0 - self.spline.leave[*knot]);
                let left = (1.0 - leverage).max(LEAVE_MIN);
                if o.two_sided && o.leading {
                    let alone = miss / left.max(0.05);
                    squares += alone * alone;
                    count += 1.0;
                }
                // Left out, a quote of great leverage misses by much whether it is wrong or nothing else tells. It is wrong
                // where it misses by so many half-spreads left out, and by more than the slice's noise explains.
                o.noise_left = left.sqrt();
                miss /= o.noise_left;
            }
            o.residual = miss / o.half_spread;
        }
        fit.left_out_error = if count > 0.0 { (squares / count).sqrt() } else { 0.0 };
        let voting = |o: &&Observation| o.two_sided && !o.excluded && o.weight > 0.0;
        self.to_order.clear();
        self.to_order.extend(observed.iter().filter(voting).filter(|o| o.leading).map(|o| o.residual.abs()));
        if self.to_order.len() < 5 {
            self.to_order.clear();
            self.to_order.extend(observed.iter().filter(voting).map(|o| o.residual.abs()));
        }
        let scale = (1.4826 * median(&mut self.to_order)).max(0.02);
        fit.scale = scale;
        let limit = (settings.reject_scales * scale).max(settings.reject_half_spreads);
        let mut moved = false;
        for i in 0..observed.len() {
            let o = observed[i];
            if o.excluded || !o.two_sided {
                continue;
            }
            let size = o.residual.abs();
            let noise = settings.reject_scales * scale;
            let left_out = size / o.noise_left;
            let mut rejected = size > noise && left_out > settings.reject_half_spreads && !o.protected;
            if rejected && early && !o.rejected {
                let low = i.saturating_sub(2);
                let worst =
                    observed.iter().skip(low).take(i + 3 - low).filter(|p| p.two_sided && !p.excluded && !p.rejected);
                rejected = worst.fold(0.0_f64, |worst, p| worst.max(p.residual.abs() / p.noise_left)) <= left_out;
            }
            moved |= rejected != o.rejected;
            observed[i].rejected = rejected;
            observed[i].limit = limit;
            observed[i].robust_weight =
                if rejected { 0.0 } else { (settings.huber_scales * scale / size.max(1e-300)).min(1.0) };
        }
        moved
    }
}

/// Builds both wings from the accepted range, below the asks of zero bids beyond it.
fn wings(frame: &Frame, observed: &[Observation], fit: &mut Fit, settings: &SmoothingSettings) {
    let accepted = || observed.iter().filter(|o| o.accepted());
    let low = accepted().map(|o| o.y).fold(f64::INFINITY, f64::min);
    let high = accepted().map(|o| o.y).fold(f64::NEG_INFINITY, f64::max);
    if low > high {
        return;
    }
    let scales = (fit.smile.stdev, frame.time);
    let body = fit.smile.clone();
    let curve = |y: f64| body.inside(y);
    fit.smile.low = Wing::new(curve, (low, -1.0, high - low), scales, settings);
    fit.smile.high = Wing::new(curve, (high, 1.0, high - low), scales, settings);
    for o in observed.iter().filter(|o| !o.two_sided && !o.excluded && o.value.is_finite()) {
        let Some(k) = frame.log_moneyness.get(o.strike) else { continue };
        if o.y < low {
            fit.smile.low.stay_below(*k, o.value, frame.time);
        } else if o.y > high {
            fit.smile.high.stay_below(*k, o.value, frame.time);
        }
    }
}
