//! Implied volatility of American prices, by bracketed steps on a nearly linear scale: from slopes where the solver gives
//! them, by secants where not.

use crate::models::american::{American, NormalForm, Valued, certain};
use crate::models::boundary::{BoundaryModel, VOLATILITY_MAX, VOLATILITY_MIN};
use crate::models::{Implied, ModelInput, black};
use crate::vocabulary::{OptionType, PricingMethod, VolatilityStatus};

const ITERATIONS_MAX: u32 = 60;
/// A step below this share of the volatility ends the search.
const STEP_TOLERANCE: f64 = 1e-7;
/// So does one below this share from the parabola through three points, where the product of it and the step before is below
/// the second share: what it leaves is smaller still by the step before that.
const STEP_MAX: f64 = 1e-3;
const PREDICTED: f64 = 3e-9;
/// The longest last step, as a share, where slopes are known.
const HERMITE_STEP_MAX: f64 = 0.02;
/// The share of the volatility below which the cubic's last term must be.
const HERMITE_TERM_MAX: f64 = 1e-9;
/// The two points are not farther apart then, or a small last term may be an accident.
const HERMITE_APART_MAX: f64 = 0.25;
/// Nor does the scale itself resolve more than this share of its value.
const GAP_TOLERANCE: f64 = 1e-13;
/// Exercise value and price are one where they differ by less than this share of the strike.
const INTRINSIC_TOLERANCE: f64 = 1e-9;

/// Below this share of the strike a price is nothing: its digits fade out.
const VALUE_MIN: f64 = 1e-280;

/// The scale on which American prices are nearly linear in volatility: the total deviation that Black's formula needs
/// for the same price. Where European exercise is worth less than immediate one it is Black's on the spot without
/// discounting, which starts at the exercise value as the American price does; otherwise Black's on the forward.
#[derive(Clone, Copy, Debug)]
struct Scale {
    forward: f64,
    discount_factor: f64,
}

impl Scale {
    fn new(form: &NormalForm, model: &BoundaryModel, price: f64) -> Self {
        let forward = form.spot * model.growth();
        let on_forward = Self { forward, discount_factor: model.discount() };
        // The larger exercise value leaves the smaller time value, so that more of its digits are true.
        let tighter = on_forward.discount_factor * (1.0 - forward).max(0.0) >= (1.0 - form.spot).max(0.0);
        let below_bound = price < 0.98 * on_forward.discount_factor;
        if tighter && below_bound && on_forward.time_value(price) > 0.0 {
            on_forward
        } else {
            Self { forward: form.spot, discount_factor: 1.0 }
        }
    }

    fn time_value(&self, price: f64) -> f64 {
        price / self.discount_factor - (1.0 - self.forward).max(0.0)
    }

    /// 0 at and below the exercise value, infinite at and above the bound.
    fn deviation(&self, price: f64) -> f64 {
        let time_value = self.time_value(price);
        match black::implied_stdev_otm(self.forward, 1.0, time_value) {
            Some(s) => s,
            None if time_value > 0.0 => f64::INFINITY,
            None => 0.0,
        }
    }

    fn slope(&self, deviation: f64) -> f64 {
        black::vega(self.forward, 1.0, 1.0, deviation, self.discount_factor)
    }
}

/// The volatility of an American price without cash dividends.
pub(super) fn implied(
    american: &American,
    input: &ModelInput,
    option_type: OptionType,
    strike: f64,
    price: f64,
    half_spread: f64,
) -> Implied {
    let ended = |status, critical_volatility| Implied {
        volatility: None,
        status,
        method: PricingMethod::Boundary,
        iterations: 0,
        vega: 0.0,
        critical_volatility,
    };
    let form = american.normal_form(input, option_type, strike);
    let time = input.time_to_expiry;
    if !(price.is_finite() && form.spot > 0.0 && form.spot.is_finite()) {
        return ended(VolatilityStatus::NotConverged, None);
    }
    let p = price / form.scale;
    let exercise = (1.0 - form.spot).max(0.0);
    let tolerance = if exercise > 0.0 { INTRINSIC_TOLERANCE * strike / form.scale } else { VALUE_MIN };
    if p < exercise - tolerance {
        return ended(VolatilityStatus::BelowIntrinsic, None);
    }
    let model = american.boundary(option_type);
    if p >= model.discount().max(1.0) {
        return ended(VolatilityStatus::AboveBound, None);
    }
    if p <= exercise + tolerance {
        // Without volatility, waiting may already be worth more: then no volatility gives so low a price.
        return if certain(&form, time) > p + tolerance {
            ended(VolatilityStatus::BelowIntrinsic, None)
        } else {
            let critical = model.critical_volatility(form.spot);
            ended(VolatilityStatus::AtIntrinsic, Some(critical.unwrap_or(0.0)))
        };
    }
    // Waiting for the best moment is worth at least as much under any volatility: nothing to search for.
    let least = certain(&form, time);
    let nearly = least - p <= INTRINSIC_TOLERANCE * strike / form.scale;
    let below = if nearly {
        ended(VolatilityStatus::AtIntrinsic, Some(VOLATILITY_MIN))
    } else {
        ended(VolatilityStatus::BelowIntrinsic, None)
    };
    if p < least && !nearly {
        return below;
    }
    let evaluate = |sigma: f64| american.value_with_vega(input, option_type, strike, sigma);
    let Some(found) = search(&evaluate, &Scale::new(&form, model, p), time.sqrt(), p) else {
        return ended(VolatilityStatus::NotConverged, None);
    };
    match found.outcome {
        Outcome::Solved => {
            let vega = found.vega * form.scale;
            let low = half_spread > black::LOW_VEGA_UNCERTAINTY * vega;
            Implied {
                volatility: Some(found.sigma),
                status: if low { VolatilityStatus::LowVega } else { VolatilityStatus::Ok },
                method: found.method,
                iterations: found.iterations,
                vega,
                critical_volatility: None,
            }
        }
        Outcome::Below => Implied { iterations: found.iterations, ..below },
        Outcome::Above => Implied { iterations: found.iterations, ..ended(VolatilityStatus::AboveBound, None) },
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Outcome {
    Solved,
    /// The price lies below that of the least volatility.
    Below,
    /// Above that of the largest.
    Above,
}

struct Found {
    outcome: Outcome,
    sigma: f64,
    vega: f64,
    method: PricingMethod,
    iterations: u32,
}

fn search(
    evaluate: &impl Fn(f64) -> Option<(Valued, Option<f64>)>,
    scale: &Scale,
    root_time: f64,
    price: f64,
) -> Option<Found> {
    let target = scale.deviation(price);
    let (mut low, mut high) = (VOLATILITY_MIN, VOLATILITY_MAX);
    let mut sigma = (target / root_time).clamp(1.02 * low, 0.98 * high);
    let mut slope = root_time;
    let mut curve = Curve::default();
    let mut method = PricingMethod::Boundary;
    for iterations in 1..=ITERATIONS_MAX {
        let (valued, vega) = evaluate(sigma)?;
        if valued.method == PricingMethod::Fallback || iterations == 1 {
            method = valued.method;
        }
        let deviation = scale.deviation(valued.price);
        let gap = deviation - target;
        if valued.price < price {
            low = sigma;
        } else {
            high = sigma;
        }
        curve.add(Point { sigma, gap, slope: vega.and_then(|vega| rising(vega / scale.slope(deviation))) });
        slope = curve.slope().unwrap_or(slope);
        let mut next = sigma - gap / slope;
        let root = curve.root();
        if let Some(root) = root {
            next = root.sigma;
        } else if let Some(bent) = curve.bent(next) {
            next = sigma - gap / bent;
        }
        let inside = next > low && next < high;
        // Every fourth late step halves the bracket, so that no shape of the curve is slow.
        let halved = !inside || (iterations > 8 && iterations % 4 == 0);
        if halved {
            next = if gap.abs() <= GAP_TOLERANCE * target {
                sigma
            } else if gap > 0.0 {
                (low * high).sqrt().max(0.6 * sigma)
            } else {
                (low * high).sqrt().min(1.6 * sigma)
            };
        }
        let root = root.filter(|_| !halved);
        let step = (next - sigma).abs();
        let predicted = match root {
            Some(root) => root.is_believed(step, sigma),
            None => !halved && step <= STEP_MAX * sigma && curve.predicts(step, sigma),
        };
        if step <= STEP_TOLERANCE * sigma || valued.price == price || predicted {
            let outcome = if next <= 1.001 * VOLATILITY_MIN && valued.price > price {
                Outcome::Below
            } else if next >= 0.999 * VOLATILITY_MAX && valued.price < price {
                Outcome::Above
            } else {
                Outcome::Solved
            };
            let tangent = root.map(|root| root.slope).or_else(|| curve.tangent(next)).unwrap_or(slope);
            let vega = tangent * scale.slope(target);
            return Some(Found { outcome, sigma: next, vega, method, iterations });
        }
        sigma = next;
    }
    None
}

/// What a search knows at one volatility.
#[derive(Clone, Copy)]
struct Point {
    sigma: f64,
    gap: f64,
    /// The gap's derivative, where the solver has one.
    slope: Option<f64>,
}

/// Where the cubic that volatility is of the gap meets zero.
#[derive(Clone, Copy)]
struct Root {
    sigma: f64,
    /// The gap's derivative there.
    slope: f64,
    /// Size of the cubic's last term: the next is smaller still.
    last_term: f64,
    /// Between the two points.
    apart: f64,
}

impl Root {
    /// Whether a last step to it leaves nothing.
    fn is_believed(&self, step: f64, sigma: f64) -> bool {
        let short = step <= HERMITE_STEP_MAX * sigma && self.apart <= HERMITE_APART_MAX * sigma;
        short && self.last_term <= HERMITE_TERM_MAX * sigma
    }
}

/// The last three points of a search, the newest first.
#[derive(Clone, Copy, Default)]
struct Curve {
    points: [Option<Point>; 3],
}

impl Curve {
    fn add(&mut self, point: Point) {
        let [newest, middle, _] = self.points;
        // Two points that are nearly one tell no slope.
        let apart = newest.is_none_or(|p| (p.sigma - point.sigma).abs() > 1e-6 * point.sigma);
        self.points = if apart { [Some(point), newest, middle] } else { [Some(point), middle, None] };
    }

    /// The newest point's own, or through the last two.
    fn slope(&self) -> Option<f64> {
        let [Some(newest), ..] = self.points else { return None };
        newest.slope.or_else(|| self.chord())
    }

    /// Through the last two, where it rises.
    fn chord(&self) -> Option<f64> {
        let [Some(a), Some(b), _] = self.points else { return None };
        rising((a.gap - b.gap) / (a.sigma - b.sigma))
    }

    /// Hermite's cubic of volatility in the gap, from two points with their slopes.
    fn root(&self) -> Option<Root> {
        let [
            Some(Point { sigma: s1, gap: g1, slope: Some(t1) }),
            Some(Point { sigma: s0, gap: g0, slope: Some(t0) }),
            _,
        ] = self.points
        else {
            return None;
        };
        let (f11, f10, f00) = (1.0 / t1, (s1 - s0) / (g1 - g0), 1.0 / t0);
        let a = (f10 - f11) / (g0 - g1);
        let b = (f00 - f10) / (g0 - g1);
        let c = (b - a) / (g0 - g1);
        let last = g1 * g1 * g0 * c;
        let slope = rising(1.0 / (f11 - 2.0 * g1 * a + g1 * (2.0 * g0 + g1) * c))?;
        let sigma = s1 - g1 * f11 + g1 * g1 * a - last;
        sigma.is_finite().then_some(Root { sigma, slope, last_term: last.abs(), apart: (s1 - s0).abs() })
    }

    /// Second divided difference.
    fn bend(&self) -> Option<f64> {
        let [Some(a), Some(b), Some(c)] = self.points else { return None };
        let chord = |p: Point, q: Point| (p.gap - q.gap) / (p.sigma - q.sigma);
        let bend = (chord(a, b) - chord(b, c)) / (a.sigma - c.sigma);
        bend.is_finite().then_some(bend)
    }

    /// From the newest point to where the parabola meets a volatility near its root.
    fn bent(&self, near: f64) -> Option<f64> {
        let [Some(_), Some(b), _] = self.points else { return None };
        let chord = self.chord()?;
        rising(chord + self.bend()? * (near - b.sigma)).filter(|bent| *bent > 0.5 * chord)
    }

    /// The parabola's derivative.
    fn tangent(&self, at: f64) -> Option<f64> {
        let [Some(a), Some(b), _] = self.points else { return None };
        rising(self.chord()? + self.bend()? * ((at - a.sigma) + (at - b.sigma)))
    }

    fn predicts(&self, step: f64, sigma: f64) -> bool {
        let [Some(a), Some(b), Some(_)] = self.points else { return false };
        step * (a.sigma - b.sigma).abs() <= PREDICTED * sigma * sigma
    }
}

fn rising(slope: f64) -> Option<f64> {
    (slope.is_finite() && slope > 0.0).then_some(slope)
}
