//! Quasi-explicit SVI, slice by slice.
//!
//! # Source
//! Gatheral (2004) for the form `w = a + d y + c sqrt(y^2 + 1)`, `y = (k - m)/s`; De Marco and Martini (2009),
//! "Quasi-explicit calibration of Gatheral's SVI model": for fixed `(m, s)` the best `(a, d, c)` of the admissible box
//! is a small convex problem, and only `(m, s)` is searched.

use closemark_pricing::math::{exp, ln};
use closemark_pricing::smoothing::SliceInput;

use super::points::{Curve, Point, points};

/// Fewer quotes determine no five parameters.
const POINTS_MIN: usize = 5;
/// Evaluations of the outer search from each start.
const EVALUATIONS_MAX: usize = 150;

/// Parameters `a, d, c, m, s`.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Svi {
    inner: [f64; 3],
    m: f64,
    s: f64,
}

impl Svi {
    fn variance(&self, k: f64) -> f64 {
        let y = (k - self.m) / self.s;
        let [a, d, c] = self.inner;
        a + d * y + c * (y * y + 1.0).sqrt()
    }
}

/// The fitted slice; one volatility where there are fewer than five quotes.
pub(super) fn fit(input: &SliceInput) -> Curve {
    let points = points(input);
    let time = input.time_to_expiry;
    if points.len() < POINTS_MIN {
        let level = points.iter().map(|p| p.volatility).sum::<f64>() / points.len() as f64;
        return Curve::of_volatility(input, |_| Some(level));
    }
    match calibrate(&points, time) {
        Some(svi) => Curve::of_volatility(input, |k| Some((svi.variance(k).max(1e-12) / time).sqrt())),
        None => Curve { price: vec![None; input.strikes.len()], volatility: vec![None; input.strikes.len()] },
    }
}

fn calibrate(points: &[Point], time: f64) -> Option<Svi> {
    let data: Vec<[f64; 3]> = points
        .iter()
        .map(|p| {
            let error = 2.0 * p.volatility * p.half_volatility * time;
            [p.k, p.volatility * p.volatility * time, 1.0 / (error * error)]
        })
        .collect();
    let least = data.iter().min_by(|a, b| a[1].total_cmp(&b[1]))?[0];
    let width = data.last()?[0] - data.first()?[0];
    let mut best: Option<(f64, Svi)> = None;
    for (m, s) in [(least, 0.3 * width), (0.0, 0.1 * width), (least, width)] {
        let (cost, svi) = search(&data, m, s.max(1e-4), 0.1 * width);
        if cost.is_finite() && best.is_none_or(|(lowest, _)| cost < lowest) {
            best = Some((cost, svi));
        }
    }
    best.map(|(_, svi)| svi)
}

/// Nelder and Mead's simplex over `(m, ln s)`.
fn search(data: &[[f64; 3]], m: f64, s: f64, step: f64) -> (f64, Svi) {
    let evaluate = |x: [f64; 2]| {
        let s = exp(x[1].clamp(-9.0, 3.0));
        let (cost, inner) = inner_problem(data, x[0], s);
        (cost, x, Svi { inner, m: x[0], s })
    };
    let mut simplex = [evaluate([m, ln(s)]), evaluate([m + step, ln(s)]), evaluate([m, ln(s) + 0.7])];
    let mut evaluations = 3;
    while evaluations < EVALUATIONS_MAX {
        simplex.sort_by(|a, b| a.0.total_cmp(&b.0));
        let [best, middle, worst] = simplex;
        if (worst.0 - best.0).abs() <= 1e-9 * best.0.abs() {
            break;
        }
        let centre = [0.5 * (best.1[0] + middle.1[0]), 0.5 * (best.1[1] + middle.1[1])];
        let along = |t: f64| [centre[0] + t * (centre[0] - worst.1[0]), centre[1] + t * (centre[1] - worst.1[1])];
        let reflected = evaluate(along(1.0));
        evaluations += 1;
        simplex[2] = if reflected.0 < best.0 {
            evaluations += 1;
            let expanded = evaluate(along(2.0));
            if expanded.0 < reflected.0 { expanded } else { reflected }
        } else if reflected.0 < middle.0 {
            reflected
        } else {
            evaluations += 1;
            let contracted = evaluate(along(if reflected.0 < worst.0 { 0.5 } else { -0.5 }));
            if contracted.0 < worst.0.min(reflected.0) {
                contracted
            } else {
                evaluations += 1;
                let toward = |x: [f64; 2]| [0.5 * (x[0] + best.1[0]), 0.5 * (x[1] + best.1[1])];
                simplex[1] = evaluate(toward(middle.1));
                evaluate(toward(worst.1))
            }
        };
    }
    simplex.sort_by(|a, b| a.0.total_cmp(&b.0));
    (simplex[0].0, simplex[0].2)
}

/// A row `n . x <= r`.
type Bound = ([f64; 3], f64);

/// The best `(a, d, c)` with `0 <= c <= 4s`, `|d| <= c`, `|d| <= 4s - c`, `0 <= a <= max w`, and its cost.
fn inner_problem(data: &[[f64; 3]], m: f64, s: f64) -> (f64, [f64; 3]) {
    let (mut h, mut g, mut square) = ([[0.0; 3]; 3], [0.0; 3], 0.0);
    let mut largest = 0.0_f64;
    for [k, w, weight] in data {
        let y = (k - m) / s;
        let row = [1.0, y, (y * y + 1.0).sqrt()];
        for i in 0..3 {
            for j in 0..3 {
                h[i][j] += weight * row[i] * row[j];
            }
            g[i] += weight * row[i] * w;
        }
        square += weight * w * w;
        largest = largest.max(*w);
    }
    for (i, row) in h.iter_mut().enumerate() {
        row[i] *= 1.0 + 1e-12;
    }
    let rows: [Bound; 8] = [
        ([0.0, 0.0, -1.0], 0.0),
        ([0.0, 0.0, 1.0], 4.0 * s),
        ([0.0, 1.0, -1.0], 0.0),
        ([0.0, -1.0, -1.0], 0.0),
        ([0.0, 1.0, 1.0], 4.0 * s),
        ([0.0, -1.0, 1.0], 4.0 * s),
        ([-1.0, 0.0, 0.0], 0.0),
        ([1.0, 0.0, 0.0], largest),
    ];
    let cost = |x: &[f64; 3]| {
        let mut value = square;
        for i in 0..3 {
            value -= 2.0 * g[i] * x[i];
            for j in 0..3 {
                value += h[i][j] * x[i] * x[j];
            }
        }
        value
    };
    let feasible = |x: &[f64; 3]| {
        rows.iter().all(|(n, r)| n.iter().zip(x).map(|(n, x)| n * x).sum::<f64>() <= r + 1e-9 * (1.0 + r.abs()))
    };
    // A feasible point of a face whose multipliers all push inward is the optimum; small faces first.
    let mut best = (f64::INFINITY, [0.0; 3]);
    let mut optimal = |face: &[Bound]| {
        let (x, inward) = on_face(&h, &g, face).filter(|(x, _)| feasible(x))?;
        let cost = cost(&x);
        if cost < best.0 {
            best = (cost, x);
        }
        inward.then_some((cost, x))
    };
    if let Some(found) = optimal(&[]) {
        return found;
    }
    for row in &rows {
        if let Some(found) = optimal(&[*row]) {
            return found;
        }
    }
    for (i, first) in rows.iter().enumerate() {
        for second in rows.iter().skip(i + 1) {
            if let Some(found) = optimal(&[*first, *second]) {
                return found;
            }
        }
    }
    for (i, first) in rows.iter().enumerate() {
        for (j, second) in rows.iter().enumerate().skip(i + 1) {
            for third in rows.iter().skip(j + 1) {
                if let Some(found) = optimal(&[*first, *second, *third]) {
                    return found;
                }
            }
        }
    }
    best
}

/// The least of `x'hx - 2g'x` where the rows of a face hold with equality, and whether all multipliers push inward:
/// one linear system.
fn on_face(h: &[[f64; 3]; 3], g: &[f64; 3], face: &[Bound]) -> Option<([f64; 3], bool)> {
    let n = 3 + face.len();
    let mut a = [[0.0; 7]; 6];
    for i in 0..3 {
        a[i][..3].copy_from_slice(&h[i]);
        a[i][n] = g[i];
    }
    for (r, (normal, bound)) in face.iter().enumerate() {
        for i in 0..3 {
            a[3 + r][i] = normal[i];
            a[i][3 + r] = normal[i];
        }
        a[3 + r][n] = *bound;
    }
    for column in 0..n {
        let pivot = (column..n).max_by(|x, y| a[*x][column].abs().total_cmp(&a[*y][column].abs()))?;
        if a[pivot][column].abs() < 1e-300 {
            return None;
        }
        a.swap(column, pivot);
        for row in column + 1..n {
            let factor = a[row][column] / a[column][column];
            let pivot = a[column];
            for (own, above) in a[row].iter_mut().zip(pivot).skip(column) {
                *own -= factor * above;
            }
        }
    }
    let mut x = [0.0; 6];
    for row in (0..n).rev() {
        let after: f64 = (row + 1..n).map(|j| a[row][j] * x[j]).sum();
        x[row] = (a[row][n] - after) / a[row][row];
    }
    let out = [x[0], x[1], x[2]];
    let inward = x.iter().skip(3).take(face.len()).all(|multiplier| *multiplier >= 0.0);
    out.iter().all(|x| x.is_finite()).then_some((out, inward))
}

#[cfg(test)]
mod tests {
    use super::{Svi, search};

    #[test]
    fn recovers_vogts_parameters() {
        // Gatheral and Jacquier (2014), section 5: Axel Vogt's smile: a = -0.0410, b = 0.1331, rho = 0.3060, m = 0.3586, sigma = 0.4153.
        // Its a is negative, so the admissible box needs a shifted copy: the same form with a = 0.0410.
        let (b, rho, m, s) = (0.1331, 0.3060, 0.3586, 0.4153);
        let truth = Svi { inner: [0.0410, rho * b * s, b * s], m, s };
        let data: Vec<[f64; 3]> = (-15..16).map(|i| f64::from(i) / 10.0).map(|k| [k, truth.variance(k), 1e6]).collect();
        let (cost, found) = search(&data, 0.0, 0.5, 0.1);
        assert!(cost.abs() < 1e-2, "{cost} {found:?}");
        for [k, w, _] in data {
            assert!((found.variance(k) - w).abs() < 1e-4);
        }
    }
}
