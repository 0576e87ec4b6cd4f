//! True surfaces that are free of arbitrage by construction.
//!
//! The price relative to its forward is a martingale `X` of mean one: a scenario is drawn once (constant weights);
//! within it `X` is a diffusion of deterministic, time-dependent variance times compensated Poisson jumps
//! (Merton 1976) times an independent mean-one factor on each earnings date. The first of those factors may have two
//! well separated modes, which gives the W-shaped smile before an announcement. A mixture of martingales over a
//! constant choice of scenario is a martingale, so its marginals increase in convex order: neither butterflies nor
//! calendars can be wrong. At each expiry `X` is a finite mixture of lognormals.

use super::random::normal_cdf;

/// A part of the mixture at one expiry: with probability `weight`, `X` is lognormal of this mean and log variance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Component {
    /// Probability.
    pub weight: f64,
    /// Mean of `X` given this part.
    pub mean: f64,
    /// Variance of `ln X` given this part.
    pub variance: f64,
}

/// One constant choice of dynamics.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scenario {
    /// Probability.
    pub weight: f64,
    /// Diffusive volatility now.
    pub volatility_now: f64,
    /// Diffusive volatility in the long run.
    pub volatility_long: f64,
    /// Speed of the passage from now to the long run, per year.
    pub speed: f64,
    /// Jumps per year.
    pub jump_rate: f64,
    /// Mean of a jump's logarithm.
    pub jump_mean: f64,
    /// Standard deviation of a jump's logarithm.
    pub jump_deviation: f64,
}

/// An announcement on a known date.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Event {
    /// Years from the snapshot.
    pub time: f64,
    /// Probability of the upper mode.
    pub up_weight: f64,
    /// Mean of the factor in the upper mode, at least 1; the lower mode's follows, so that the factor has mean one.
    pub up_mean: f64,
    /// Standard deviation of the logarithm within each mode.
    pub deviation: f64,
}

/// The law of one underlying relative to its forward.
#[derive(Clone, Debug, PartialEq)]
pub struct TrueSurface {
    /// Weights sum to one.
    pub scenarios: Vec<Scenario>,
    /// The next announcement.
    pub event: Option<Event>,
    /// Log variance that each later announcement adds, and years between announcements.
    pub later_events: Option<(f64, f64)>,
}

impl Scenario {
    /// `int_0^t s(u)^2 du` with `s^2(u) = long^2 + (now^2 - long^2) e^{-speed u}`: increasing in `t`.
    fn diffusive_variance(&self, t: f64) -> f64 {
        let long = self.volatility_long * self.volatility_long;
        let now = self.volatility_now * self.volatility_now;
        long * t + (now - long) * (-libm::expm1(-self.speed * t)) / self.speed
    }
}

impl TrueSurface {
    /// The mixture at `t` years; empty at `t <= 0`, where nothing is uncertain.
    pub fn components(&self, t: f64) -> Vec<Component> {
        let mut parts = Vec::new();
        if t <= 0.0 {
            return parts;
        }
        let modes = self.event_modes(t);
        let later = self.later_variance(t);
        for scenario in &self.scenarios {
            let variance = scenario.diffusive_variance(t) + later;
            let jump_variance = scenario.jump_deviation * scenario.jump_deviation;
            let excess = libm::expm1(scenario.jump_mean + 0.5 * jump_variance);
            let expected = scenario.jump_rate * t;
            let mut probability = libm::exp(-expected);
            let mut mean = libm::exp(-expected * excess);
            let mut left = 1.0;
            // Forty jumps are beyond anything that five a year can bring within three years.
            for jumps in 0..40 {
                for (weight, factor, deviation_squared) in &modes {
                    parts.push(Component {
                        weight: scenario.weight * probability * weight,
                        mean: mean * factor,
                        variance: variance + f64::from(jumps) * jump_variance + deviation_squared,
                    });
                }
                left -= probability;
                if left < 1e-15 {
                    break;
                }
                probability *= expected / f64::from(jumps + 1);
                mean *= 1.0 + excess;
            }
        }
        parts
    }

    fn event_modes(&self, t: f64) -> Vec<(f64, f64, f64)> {
        match self.event {
            Some(event) if event.time < t => {
                let down_mean = (1.0 - event.up_weight * event.up_mean) / (1.0 - event.up_weight);
                let variance = event.deviation * event.deviation;
                vec![(event.up_weight, event.up_mean, variance), (1.0 - event.up_weight, down_mean, variance)]
            }
            _ => vec![(1.0, 1.0, 0.0)],
        }
    }

    fn later_variance(&self, t: f64) -> f64 {
        let (Some((variance, gap)), Some(event)) = (self.later_events, self.event) else { return 0.0 };
        let passed = libm::floor((t - event.time) / gap);
        if passed > 0.0 { passed * variance } else { 0.0 }
    }

    /// The same law with every log move scaled: volatilities and jumps alike.
    #[must_use]
    pub fn scaled(&self, factor: f64) -> Self {
        let mut scaled = self.clone();
        for scenario in &mut scaled.scenarios {
            scenario.volatility_now *= factor;
            scenario.volatility_long *= factor;
            scenario.jump_mean *= factor;
            scenario.jump_deviation *= factor;
        }
        scaled
    }

    /// Scales the diffusion and the jumps so that the at-the-money Black volatility at `t`, announcements aside, is
    /// `volatility`.
    #[must_use]
    pub fn calibrated(&self, t: f64, volatility: f64) -> Self {
        let quiet = Self { event: None, later_events: None, ..self.clone() };
        let (mut low, mut high) = (1e-3, 1e2);
        for _ in 0..60 {
            let middle = libm::sqrt(low * high);
            let value = undiscounted_price(&quiet.scaled(middle).components(t), 1.0, 1.0, true);
            if value < black(1.0, 1.0, volatility * volatility * t, true) {
                low = middle;
            } else {
                high = middle;
            }
        }
        self.scaled(libm::sqrt(low * high))
    }
}

/// Undiscounted Black value from a log variance.
///
/// # Formula
/// `F N(d1) - K N(d2)` for a call, `K N(-d2) - F N(-d1)` for a put, `d1 = (ln(F/K) + w/2)/sqrt(w)`.
pub fn black(forward: f64, strike: f64, variance: f64, call: bool) -> f64 {
    let sign = if call { 1.0 } else { -1.0 };
    if strike <= 0.0 || variance <= 0.0 {
        return (sign * (forward - strike)).max(0.0);
    }
    let deviation = variance.sqrt();
    let d1 = libm::log(forward / strike) / deviation + 0.5 * deviation;
    let d2 = d1 - deviation;
    (sign * (forward * normal_cdf(sign * d1) - strike * normal_cdf(sign * d2))).max(0.0)
}

/// Undiscounted value of an option on `forward X`.
pub fn undiscounted_price(components: &[Component], forward: f64, strike: f64, call: bool) -> f64 {
    if components.is_empty() {
        return black(forward, strike, 0.0, call);
    }
    components.iter().map(|c| c.weight * black(forward * c.mean, strike, c.variance, call)).sum()
}

/// The Black volatility of an out-of-the-money value, by bisection and with nothing shared with the code that is tested
/// against the truth; `None` where the value is too small to say.
pub fn black_volatility(forward: f64, strike: f64, t: f64, value: f64) -> Option<f64> {
    let call = strike >= forward;
    let most = if call { forward } else { strike };
    if !(t > 0.0 && strike > 0.0 && value > 1e-12 * forward && value < most) {
        return None;
    }
    let (mut low, mut high) = (1e-4_f64, 20.0_f64);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if black(forward, strike, middle * middle * t, call) < value {
            low = middle;
        } else {
            high = middle;
        }
    }
    Some(0.5 * (low + high))
}

#[cfg(test)]
mod tests {
    use super::{Event, Scenario, TrueSurface, black, black_volatility, undiscounted_price};

    fn surface() -> TrueSurface {
        let quiet = Scenario {
            weight: 0.7,
            volatility_now: 0.3,
            volatility_long: 0.2,
            speed: 2.0,
            jump_rate: 1.5,
            jump_mean: -0.08,
            jump_deviation: 0.1,
        };
        let loud = Scenario { weight: 0.3, volatility_now: 0.5, volatility_long: 0.6, ..quiet };
        TrueSurface {
            scenarios: vec![quiet, loud],
            event: Some(Event { time: 0.02, up_weight: 0.45, up_mean: 1.09, deviation: 0.015 }),
            later_events: Some((0.003, 0.25)),
        }
    }

    #[test]
    fn every_expiry_has_mean_one() {
        for t in [0.001, 0.019, 0.021, 0.3, 1.0, 3.0] {
            let parts = surface().components(t);
            let weight: f64 = parts.iter().map(|c| c.weight).sum();
            let mean: f64 = parts.iter().map(|c| c.weight * c.mean).sum();
            assert!((weight - 1.0).abs() < 1e-13, "{t}: {weight}");
            assert!((mean - 1.0).abs() < 1e-13, "{t}: {mean}");
        }
    }

    #[test]
    fn calls_fall_convexly_in_strike_and_rise_in_time() {
        let times = [0.003, 0.019, 0.0201, 0.1, 0.27, 0.28, 1.0, 2.5];
        let price = |t: f64, strike: f64| undiscounted_price(&surface().components(t), 1.0, strike, true);
        let strikes: Vec<f64> = (1..=60).map(|i| f64::from(i) * 0.05).collect();
        for (i, &t) in times.iter().enumerate() {
            let calls: Vec<f64> = strikes.iter().map(|&k| price(t, k)).collect();
            for w in calls.windows(3) {
                assert!(w[0] - w[1] >= w[1] - w[2] - 1e-14, "butterfly at {t}");
                assert!(w[0] - w[1] <= 0.05 + 1e-14 && w[1] <= w[0] + 1e-15, "vertical at {t}");
            }
            if let Some(&later) = times.get(i + 1) {
                for (&k, &c) in strikes.iter().zip(&calls) {
                    assert!(price(later, k) >= c - 1e-13, "calendar at {t}, {k}");
                }
            }
        }
    }

    #[test]
    fn an_announcement_with_two_modes_bends_the_smile_down_at_the_money() {
        let t = 0.025;
        let parts = surface().components(t);
        let volatility = |k: f64| black_volatility(1.0, k, t, undiscounted_price(&parts, 1.0, k, k >= 1.0)).unwrap();
        assert!(volatility(1.0) > 0.5 * (volatility(0.93) + volatility(1.07)));
    }

    #[test]
    fn volatility_inverts_black_and_calibration_hits_its_target() {
        for k in [0.6, 1.0, 1.7] {
            let value = black(1.0, k, 0.35 * 0.35 * 0.5, k >= 1.0);
            assert!((black_volatility(1.0, k, 0.5, value).unwrap() - 0.35).abs() < 1e-9);
        }
        // Haug (2007), the Black-76 example: F = 19, K = 19, T = 0.75, sigma = 28 %, undiscounted.
        assert!((black(19.0, 19.0, 0.28 * 0.28 * 0.75, true) * libm::exp(-0.075) - 1.7011).abs() < 1e-4);
        let target = surface().calibrated(0.1, 0.45);
        let quiet = TrueSurface { event: None, later_events: None, ..target };
        let value = undiscounted_price(&quiet.components(0.1), 1.0, 1.0, true);
        assert!((black_volatility(1.0, 1.0, 0.1, value).unwrap() - 0.45).abs() < 1e-9);
    }
}
