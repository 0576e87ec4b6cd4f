//! American call with exactly one ex-date before expiry: exercised just before it, or held to expiry.

use std::sync::LazyLock;

use crate::math::{GaussLegendre, exp, gauss_legendre, ln, normal_cdf, normal_cdf_each, normal_pdf};
use crate::models::ModelInput;
use crate::models::dividends::schedule::Schedule;

/// Nodes of the quadrature over prices at the ex-date.
const NODES: usize = 24;
/// Nodes where the price alone is wanted.
const PRICE_NODES: usize = 32;

/// The rule, made once: it depends on nothing.
static RULE: LazyLock<GaussLegendre> = LazyLock::new(|| gauss_legendre(NODES));
static PRICE_RULE: LazyLock<GaussLegendre> = LazyLock::new(|| gauss_legendre(PRICE_NODES));
const NEWTON_STEPS_MAX: u32 = 60;
/// Deviations within which the later option's value is neither nothing nor a forward.
const RELEVANT_DEVIATIONS: f64 = 7.0;
/// Deviations of the price at the ex-date beyond which nothing weighs.
const TAIL_DEVIATIONS: f64 = 8.5;

/// Value and sensitivities at the snapshot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SingleDividendCall {
    /// American price per share.
    pub american: f64,
    /// European price of the same call.
    pub european: f64,
    /// First derivative of the American price in the price of the underlying.
    pub delta: f64,
    /// Second derivative.
    pub gamma: f64,
    /// Price of the underlying just before the ex-date above which the call is exercised; infinite where never.
    pub critical_price: f64,
}

/// American and European call with exactly one ex-date before expiry, `r >= 0` and `b <= 0`.
///
/// # Formula
/// `C = e^{-r t} E[max(S_t - K, c(max(S_t - d, 0), T - t))]`, `c` the dividend-free European call. The critical price
/// solves `S* - K = c(S* - d)` by Newton from above; beyond it, and where `c` is a forward to all digits, the
/// expectation is closed; the rest is Gauss-Legendre over the range where `c` curves.
///
/// # Units
/// Prices per share, `sigma` per square root of year.
///
/// # Domain
/// `None` outside the stated regime or where an input is not a positive finite number.
///
/// # Source
/// Roll 1977, Geske 1979, Whaley 1981 in the spot model of Haug, Haug and Lewis 2003.
pub fn price(input: &ModelInput, strike: f64, sigma: f64) -> Option<SingleDividendCall> {
    at(&Schedule::new(input)?, strike, sigma)
}

/// Whether a call of this slice is exercised only just before its one ex-date.
pub(crate) fn applies(schedule: &Schedule) -> bool {
    let one = schedule.periods.len() == 2 && schedule.periods.last().is_some_and(|p| p.dividend == 0.0);
    one && schedule.rate >= 0.0 && schedule.borrow <= 0.0
}

/// [`price`] on a schedule.
pub(crate) fn at(schedule: &Schedule, strike: f64, sigma: f64) -> Option<SingleDividendCall> {
    Call::new(schedule, strike)?.value(sigma, &RULE)
}

/// The American price of [`price`] alone, at a fifth of the cost: searches ask for many.
pub(crate) fn american(schedule: &Schedule, strike: f64, sigma: f64) -> Option<f64> {
    Call::new(schedule, strike)?.american(sigma)
}

/// The call's terms, with what time does to cash and shares before and after the ex-date.
struct Call {
    spot: f64,
    strike: f64,
    dividend: f64,
    /// Years to the ex-date and from it to expiry.
    before: f64,
    after: f64,
    carry: f64,
    discount_before: f64,
    discount_after: f64,
    /// Worth at the ex-date of a share delivered at expiry.
    share_after: f64,
}

/// Value and derivatives of the later call, or sums of them.
#[derive(Clone, Copy, Default)]
struct Parts {
    value: f64,
    delta: f64,
    gamma: f64,
}

impl Call {
    fn new(schedule: &Schedule, strike: f64) -> Option<Self> {
        if !(applies(schedule) && strike > 0.0 && strike.is_finite()) {
            return None;
        }
        let [first, second] = schedule.periods.as_slice() else { return None };
        let (before, after) = (first.length(), second.length());
        Some(Self {
            spot: schedule.spot,
            strike,
            dividend: first.dividend,
            before,
            after,
            carry: schedule.rate - schedule.borrow,
            discount_before: exp(-schedule.rate * before),
            discount_after: exp(-schedule.rate * after),
            share_after: exp(-schedule.borrow * after),
        })
    }

    /// The later call at a price just after the ex-date.
    fn later(&self, price: f64, sigma: f64) -> Parts {
        let s = sigma * self.after.sqrt();
        if !(price > 0.0 && s > 0.0) {
            return Parts::default();
        }
        let d1 = (ln(price * self.share_after / (self.strike * self.discount_after))) / s + 0.5 * s;
        let shares = self.share_after * normal_cdf(d1);
        Parts {
            value: (price * shares - self.strike * self.discount_after * normal_cdf(d1 - s)).max(0.0),
            delta: shares,
            gamma: self.share_after * normal_pdf(d1) / (price * s),
        }
    }

    /// Between which prices just before the ex-date the call is exercised; `None` where nowhere.
    ///
    /// The gain of exercise over holding is concave in the price. Without borrow it rises to a limit; with `b < 0` a
    /// share delivered later is worth more than one, and far in the money holding wins again.
    fn exercise_range(&self, sigma: f64) -> Option<(f64, f64)> {
        let peak = if self.share_after > 1.0 { self.peak(sigma) } else { f64::INFINITY };
        let mut inside = self.strike + self.dividend;
        if peak.is_finite() {
            inside = peak;
        } else {
            if self.dividend <= self.strike * (1.0 - self.discount_after) {
                return None;
            }
            for _ in 0..200 {
                if self.gain(inside, sigma).0 > 0.0 {
                    break;
                }
                inside *= 1.5;
            }
        }
        if !(inside.is_finite() && self.gain(inside, sigma).0 > 0.0) {
            return None;
        }
        let low = self.root(sigma, self.strike.min(inside), inside);
        if !peak.is_finite() {
            return Some((low, f64::INFINITY));
        }
        let mut outside = 2.0 * inside;
        for _ in 0..200 {
            if self.gain(outside, sigma).0 < 0.0 {
                break;
            }
            outside *= 2.0;
        }
        if !(outside.is_finite() && self.gain(outside, sigma).0 < 0.0) {
            return Some((low, f64::INFINITY));
        }
        Some((low, self.root(sigma, outside, inside)))
    }

    /// Exercise less holding just before the ex-date, and its slope.
    fn gain(&self, price: f64, sigma: f64) -> (f64, f64) {
        let later = self.later(price - self.dividend, sigma);
        (price - self.strike - later.value, 1.0 - later.delta)
    }

    /// Where the later call's delta passes one: the best place to exercise.
    fn peak(&self, sigma: f64) -> f64 {
        let (mut low, mut high) = (self.dividend, 2.0 * (self.strike + self.dividend));
        for _ in 0..200 {
            if self.gain(high, sigma).1 < 0.0 {
                break;
            }
            low = high;
            high *= 2.0;
        }
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if self.gain(middle, sigma).1 > 0.0 {
                low = middle;
            } else {
                high = middle;
            }
        }
        low
    }

    /// The zero of the gain between a price where it is not positive and one where it is: Newton, kept inside.
    fn root(&self, sigma: f64, outside: f64, inside: f64) -> f64 {
        let (mut outside, mut inside) = (outside, inside);
        let mut s = inside;
        for _ in 0..NEWTON_STEPS_MAX {
            let (value, slope) = self.gain(s, sigma);
            if value > 0.0 {
                inside = s;
            } else {
                outside = s;
            }
            let newton = s - value / slope;
            let (low, high) = (outside.min(inside), outside.max(inside));
            let next = if newton > low && newton < high { newton } else { 0.5 * (low + high) };
            if (next - s).abs() <= 1e-13 * s {
                return next;
            }
            s = next;
        }
        s
    }

    fn value(&self, sigma: f64, rule: &GaussLegendre) -> Option<SingleDividendCall> {
        let s = sigma * self.before.sqrt();
        if !(s > 0.0 && s.is_finite()) {
            return None;
        }
        let range = self.exercise_range(sigma);
        let critical_price = range.map_or(f64::INFINITY, |(low, _)| low);
        let mut american = self.expectation(sigma, s, 0.0, critical_price, rule);
        let mut held = american;
        if let Some((low, high)) = range {
            let above = self.expectation(sigma, s, low, f64::INFINITY, rule);
            held.value += above.value;
            if high.is_finite() {
                let beyond = self.expectation(sigma, s, high, f64::INFINITY, rule);
                american.value += beyond.value;
                american.delta += beyond.delta;
                american.gamma += beyond.gamma;
            }
            for (place, sign) in [(low, 1.0), (high, -1.0)] {
                if !place.is_finite() {
                    continue;
                }
                let z = self.deviate(place, s);
                american.value += sign * (self.share_above(z, s) - self.strike * self.cash_above(z));
                american.delta += sign * self.share_above(z, s) / self.spot;
                let bend = sign * self.gain(place, sigma).1;
                american.gamma += self.discount_before * bend * place * normal_pdf(z) / (s * self.spot * self.spot);
            }
        }
        let exercise = (self.spot - self.strike).max(0.0);
        let exercised = american.value <= exercise && exercise > 0.0;
        let result = SingleDividendCall {
            american: american.value.max(exercise).max(held.value),
            european: held.value.max(0.0),
            delta: if exercised { 1.0 } else { american.delta },
            gamma: if exercised { 0.0 } else { american.gamma.max(0.0) },
            critical_price,
        };
        [result.american, result.european, result.delta, result.gamma].iter().all(|x| x.is_finite()).then_some(result)
    }

    fn american(&self, sigma: f64) -> Option<f64> {
        let s = sigma * self.before.sqrt();
        if !(s > 0.0 && s.is_finite()) {
            return None;
        }
        let range = self.exercise_range(sigma);
        let mut value = self.held(sigma, s, 0.0, range.map_or(f64::INFINITY, |(low, _)| low));
        if let Some((low, high)) = range {
            let z = self.deviate(low, s);
            value += self.share_above(z, s) - self.strike * self.cash_above(z);
            if high.is_finite() {
                let z = self.deviate(high, s);
                value += self.held(sigma, s, high, f64::INFINITY);
                value -= self.share_above(z, s) - self.strike * self.cash_above(z);
            }
        }
        let exercise = (self.spot - self.strike).max(0.0);
        value.is_finite().then_some(value.max(exercise))
    }

    /// The value of [`Self::expectation`] on one panel, its elementary functions over whole arrays.
    fn held(&self, sigma: f64, s: f64, start: f64, end: f64) -> f64 {
        let later_s = sigma * self.after.sqrt();
        let centre = self.strike * self.discount_after / self.share_after;
        let reach = RELEVANT_DEVIATIONS * later_s + 0.5 * later_s * later_s;
        let curved_to = self.deviate(self.dividend + centre * exp(reach), s);
        let z_start = if start > 0.0 { self.deviate(start, s) } else { -TAIL_DEVIATIONS };
        let z_end = if end.is_finite() { self.deviate(end, s) } else { f64::INFINITY };
        let low = self.deviate(self.dividend + centre * exp(-reach), s).max(z_start).max(-TAIL_DEVIATIONS);
        let high = curved_to.min(z_end).min(TAIL_DEVIATIONS + s);
        let mut value = 0.0;
        if low < high {
            value += self.curved(s, later_s, low, high);
        }
        let from = curved_to.max(z_start);
        if from < z_end {
            let cash = self.cash_above(from) - self.cash_above(z_end);
            let shares = self.share_above(from, s) - self.share_above(z_end, s);
            value += self.share_after * shares
                - (self.dividend * self.share_after + self.strike * self.discount_after) * cash;
        }
        value
    }

    fn curved(&self, s: f64, later_s: f64, low: f64, high: f64) -> f64 {
        let rule = &*PRICE_RULE;
        let (middle, half) = (0.5 * (low + high), 0.5 * (high - low));
        let forward = self.spot * exp(self.carry * self.before);
        let log_centre = ln(self.share_after / (self.strike * self.discount_after));
        let mut weights = [0.0; PRICE_NODES];
        let mut prices = [0.0; PRICE_NODES];
        for (((price, weight), x), w) in prices.iter_mut().zip(&mut weights).zip(&rule.nodes).zip(&rule.weights) {
            let z = middle + half * x;
            *price = (forward * exp(s * (z - 0.5 * s)) - self.dividend).max(f64::MIN_POSITIVE);
            *weight = w * exp(-0.5 * z * z);
        }
        let mut chances = [0.0; 2 * PRICE_NODES];
        let (shares, cash) = chances.split_at_mut(PRICE_NODES);
        for ((price, share), cash) in prices.iter().zip(shares.iter_mut()).zip(cash.iter_mut()) {
            *share = (ln(*price) + log_centre) / later_s + 0.5 * later_s;
            *cash = *share - later_s;
        }
        normal_cdf_each(&mut chances);
        let (shares, cash) = chances.split_at(PRICE_NODES);
        let strike = self.strike * self.discount_after;
        let mut sum = 0.0;
        for (((price, weight), share), cash) in prices.iter().zip(&weights).zip(shares).zip(cash) {
            sum += weight * (price * self.share_after * share - strike * cash).max(0.0);
        }
        self.discount_before * half * crate::math::INV_SQRT_2PI * sum
    }

    /// The normal deviate of a price at the ex-date.
    fn deviate(&self, price: f64, s: f64) -> f64 {
        (ln(price / self.spot) - self.carry * self.before) / s + 0.5 * s
    }

    /// Present value of one unit of cash where the deviate exceeds `z`.
    fn cash_above(&self, z: f64) -> f64 {
        self.discount_before * normal_cdf(-z)
    }

    /// Present value of one share at the ex-date where the deviate exceeds `z`.
    fn share_above(&self, z: f64, s: f64) -> f64 {
        self.discount_before * self.spot * exp(self.carry * self.before) * normal_cdf(s - z)
    }

    /// Present value of holding where the price at the ex-date is between `start` and `end`.
    fn expectation(&self, sigma: f64, s: f64, start: f64, end: f64, rule: &GaussLegendre) -> Parts {
        let later_s = sigma * self.after.sqrt();
        // Where the later forward passes the strike, and the range around it in which the later call curves.
        let centre = self.strike * self.discount_after / self.share_after;
        let reach = RELEVANT_DEVIATIONS * later_s + 0.5 * later_s * later_s;
        let curved_from = self.deviate(self.dividend + centre * exp(-reach), s);
        let curved_to = self.deviate(self.dividend + centre * exp(reach), s);
        let z_start = if start > 0.0 { self.deviate(start, s) } else { -TAIL_DEVIATIONS };
        let z_end = if end.is_finite() { self.deviate(end, s) } else { f64::INFINITY };
        let low = curved_from.max(z_start).max(-TAIL_DEVIATIONS);
        let high = curved_to.min(z_end).min(TAIL_DEVIATIONS + s);
        let mut sum = Parts::default();
        // Two panels, because a late ex-date leaves the curve much narrower than the density, or the reverse.
        let middle = self.deviate(self.dividend + centre, s).min(high).max(low);
        for (a, b) in [(low, middle), (middle, high)] {
            self.panel(sigma, s, a, b, rule, &mut sum);
        }
        // From there to the end the later call is a forward.
        let from = curved_to.max(z_start);
        if from < z_end {
            let cash = self.cash_above(from) - self.cash_above(z_end);
            let shares = self.share_above(from, s) - self.share_above(z_end, s);
            let paid = self.dividend * self.share_after + self.strike * self.discount_after;
            sum.value += self.share_after * shares - paid * cash;
            sum.delta += self.share_after * shares / self.spot;
        }
        sum
    }

    fn panel(&self, sigma: f64, s: f64, a: f64, b: f64, rule: &GaussLegendre, sum: &mut Parts) {
        if b <= a {
            return;
        }
        let forward = self.spot * exp(self.carry * self.before);
        let (middle, half) = (0.5 * (a + b), 0.5 * (b - a));
        for (x, w) in rule.nodes.iter().zip(&rule.weights) {
            let z = middle + half * x;
            let growth = forward / self.spot * exp(s * (z - 0.5 * s));
            let later = self.later(self.spot * growth - self.dividend, sigma);
            let weight = self.discount_before * half * w * normal_pdf(z);
            sum.value += weight * later.value;
            sum.delta += weight * later.delta * growth;
            sum.gamma += weight * later.gamma * growth * growth;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::price;
    use crate::models::{ModelDividend, ModelInput, fallback};
    use crate::vocabulary::{ExerciseStyle, OptionType};

    fn input(t: f64, r: f64, ex_date: f64, amount: f64) -> ModelInput {
        ModelInput {
            exercise_style: ExerciseStyle::American,
            spot: 100.0,
            time_to_expiry: t,
            discount_factor: libm::exp(-r * t),
            borrow: 0.0,
            forward: 100.0,
            dividends: vec![ModelDividend { time: ex_date, amount }],
        }
    }

    const HAUG: [(i32, f64, f64, f64); 6] = [
        (1, 100.0, 10.58354, 10.58354),
        (1, 130.0, 3.09966, 3.09966),
        (182, 100.0, 11.10489, 11.65064),
        (182, 130.0, 3.43750, 3.45824),
        (364, 100.0, 11.58634, 14.69358),
        (364, 130.0, 3.72495, 4.90119),
    ];

    #[test]
    fn haug_haug_lewis_2003_one_dividend_of_seven() {
        // Their example, S = 100, r = 6 %, sigma = 30 %, T = 1, D = 7; values of the spot model by QuantLib 1.44,
        // FdBlackScholesVanillaEngine 2000 x 2000, ex-dates after 1, 182 and 364 days.
        for (day, strike, european, american) in HAUG {
            let value = price(&input(1.0, 0.06, f64::from(day) / 365.0, 7.0), strike, 0.3).unwrap();
            assert!((value.european - european).abs() < 6e-4, "{day} {strike} {value:?}");
            assert!((value.american - american).abs() < 6e-4, "{day} {strike} {value:?}");
        }
    }

    #[test]
    fn the_price_alone_is_the_price() {
        for (t, ex_date, amount, b) in
            [(0.5, 0.2, 0.5, 0.0), (1.0, 0.9, 3.0, -0.03), (0.1, 0.005, 1.0, 0.0), (2.0, 1.999, 2.0, 0.0)]
        {
            let terms = ModelInput { borrow: b, ..input(t, 0.03, ex_date, amount) };
            let schedule = super::Schedule::new(&terms).unwrap();
            for strike in [20.0, 80.0, 95.0, 100.0, 110.0, 300.0] {
                for sigma in [0.02, 0.1, 0.3, 1.5] {
                    let whole = price(&terms, strike, sigma).unwrap().american;
                    let alone = super::american(&schedule, strike, sigma).unwrap();
                    assert!((whole - alone).abs() < 2e-7 * strike, "{t} {strike} {sigma}: {whole} {alone}");
                }
            }
        }
    }

    #[test]
    fn agrees_with_fine_finite_differences() {
        for (t, r, ex_date, amount) in [(0.5, 0.05, 0.2, 0.5), (1.0, 0.03, 0.9, 3.0), (0.1, 0.0, 0.005, 1.0)] {
            for strike in [80.0, 95.0, 100.0, 110.0] {
                for sigma in [0.1, 0.3] {
                    let terms = input(t, r, ex_date, amount);
                    let value = price(&terms, strike, sigma).unwrap();
                    let fd = fallback::price_on_grid(&terms, OptionType::Call, strike, sigma, 1600, 1200).unwrap();
                    let text = format!("{t} {ex_date} {strike} {sigma}: {value:?} {fd:?}");
                    assert!((value.american - fd.american).abs() < 4e-4, "{text}");
                    assert!((value.european - fd.european).abs() < 4e-4, "{text}");
                    assert!((value.delta - fd.delta).abs() < 2e-4 && (value.gamma - fd.gamma).abs() < 2e-4, "{text}");
                }
            }
        }
    }
}
