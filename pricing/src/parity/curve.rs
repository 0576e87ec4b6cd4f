//! The zero curve that European classes imply, for days that bring none.

use std::collections::BTreeMap;

use crate::curve::DiscountCurve;
use crate::day::UnderlyingDay;
use crate::nbbo::consolidate;
use crate::settings::Settings;
use crate::vocabulary::{ExerciseStyle, OptionType};

/// Expiries nearer than this say nothing about rates, in years.
const SHORTEST_YEARS: f64 = 21.0 / 365.0;
/// Rates whose standard error is larger are not used, per year.
const RATE_ERROR_MAX: f64 = 0.004;
/// Ends of the maturity buckets in years; one tenor each.
const BUCKETS: [f64; 8] = [0.12, 0.2, 0.33, 0.6, 1.1, 2.2, 4.0, 20.0];

/// The zero curve implied by calls less puts of the day's European index classes; `None` where there are none to tell.
///
/// # Formula
/// In one expiry `C - P = A - D K` is a line in `K`; weighted least squares (weights 1/(half-spreads)^2, twice
/// reweighted against outliers) gives `D` and its standard error, hence `z = -ln D / T` and its error. Zero rates are
/// pooled by maturity bucket with weights 1/error^2, because a single short expiry's rate is mostly noise.
pub fn implied_curve(days: &[UnderlyingDay], settings: &Settings) -> Option<DiscountCurve> {
    // Per bucket: sums of weight, weight * t and weight * z t.
    let mut sums = [(0.0_f64, 0.0_f64, 0.0_f64); BUCKETS.len()];
    for day in days {
        for (t, rate, error) in implied_rates(day, settings) {
            let bucket = BUCKETS.iter().position(|end| t <= *end);
            if let Some(sum) = bucket.and_then(|b| sums.get_mut(b)) {
                let weight = 1.0 / (error * error).max(1e-10);
                sum.0 += weight;
                sum.1 += weight * t;
                sum.2 += weight * rate;
            }
        }
    }
    let tenors: Vec<(f64, f64)> = sums.iter().filter(|s| s.0 > 0.0).map(|&(w, wt, wz)| (wt / w, wz / w)).collect();
    DiscountCurve::from_zero_rates(&tenors).ok()
}

/// Settlement instant, root and strike of a call and its put, whose mids and half-widths stand beside it in that order.
type PairKey<'a> = (i64, &'a str, i64);
/// Strike, call mid less put mid, half-width.
type Point = (f64, f64, f64);

/// `(T, zero rate, standard error)` of each European expiry that determines one.
fn implied_rates(day: &UnderlyingDay, settings: &Settings) -> Vec<(f64, f64, f64)> {
    let mut pairs: BTreeMap<PairKey<'_>, [Option<(f64, f64)>; 2]> = BTreeMap::new();
    for (index, series) in day.series.iter().enumerate() {
        if series.exercise_style != ExerciseStyle::European || series.time_to_expiry() < SHORTEST_YEARS {
            continue;
        }
        let nbbo = consolidate(day.quotes_of(index));
        if let (Some(mid), Some(half)) = (nbbo.mid(), nbbo.half_spread(settings.nbbo.half_tick)) {
            let slot = pairs.entry((series.settlement_time.0, &series.root, series.strike.micros())).or_default();
            let side = usize::from(series.option_type == OptionType::Put);
            if let Some(value) = slot.get_mut(side) {
                *value = Some((mid.to_f64(), half));
            }
        }
    }
    let mut slices: BTreeMap<(i64, &str), Vec<Point>> = BTreeMap::new();
    for ((time, root, strike), sides) in pairs {
        if let [Some((call, call_half)), Some((put, put_half))] = sides {
            slices.entry((time, root)).or_default().push((strike as f64 * 1e-6, call - put, call_half + put_half));
        }
    }
    slices
        .into_iter()
        .filter_map(|((time, root), points)| {
            let series = day.series.iter().find(|s| s.settlement_time.0 == time && s.root == root)?;
            let t = series.time_to_expiry();
            let (discount, error) = fit_line(&points)?;
            let rate = -libm::log(discount) / t;
            let rate_error = error / (discount * t);
            (rate_error < RATE_ERROR_MAX && rate.abs() < 0.5).then_some((t, rate, rate_error))
        })
        .collect()
}

/// `-slope` of the weighted line through `(K, C - P, half-width)` and its standard error.
fn fit_line(points: &[Point]) -> Option<(f64, f64)> {
    if points.len() < 8 {
        return None;
    }
    let mut line = (0.0, 0.0, f64::INFINITY);
    for round in 0..3 {
        let (mut w0, mut wx, mut wy, mut wxx, mut wxy) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for &(x, y, h) in points {
            let residual = if round == 0 { 0.0 } else { (y - line.0 - line.1 * x).abs() / h };
            let w = if residual > 1.0 { 0.0 } else { 1.0 / (h * h) };
            w0 += w;
            wx += w * x;
            wy += w * y;
            wxx += w * x * x;
            wxy += w * x * y;
        }
        let determinant = w0 * wxx - wx * wx;
        if !(w0 > 0.0 && determinant > 0.0) {
            return None;
        }
        let slope = (w0 * wxy - wx * wy) / determinant;
        // A mid is uniform within its spread at best: variance h^2/3.
        line = ((wy - slope * wx) / w0, slope, (w0 / determinant / 3.0).sqrt());
    }
    let discount = -line.1;
    (discount > 0.0 && discount < 2.0).then_some((discount, line.2))
}

#[cfg(test)]
mod tests {
    use super::fit_line;

    #[test]
    fn the_slope_is_the_discount_factor_whatever_one_bad_pair_says() {
        let mut points: Vec<(f64, f64, f64)> =
            (0..40).map(|i| 3000.0 + 50.0 * i as f64).map(|k| (k, 0.97 * (4000.0 - k), 0.4)).collect();
        points[3].1 += 25.0;
        let (discount, error) = fit_line(&points).unwrap();
        assert!((discount - 0.97).abs() < 1e-9 && error < 1e-3, "{discount} {error}");
        assert_eq!(fit_line(&points[..5]), None);
    }
}
