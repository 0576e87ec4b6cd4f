//! A symmetric positive definite system of five bands.

/// Solves `A x = b` in place of `b`, `A` by its diagonal and two upper bands; `None` where a pivot is not positive.
pub(super) fn solve(mut bands: Vec<[f64; 3]>, mut b: Vec<f64>) -> Option<Vec<f64>> {
    let n = bands.len();
    for i in 0..n {
        let [d, e, f] = *bands.get(i)?;
        if d.is_nan() || d <= 0.0 {
            return None;
        }
        let (l1, l2) = (e / d, f / d);
        let right = *b.get(i)?;
        if let Some(next) = bands.get_mut(i + 1) {
            next[0] -= l1 * e;
            next[1] -= l1 * f;
        }
        if let Some(next) = bands.get_mut(i + 2) {
            next[0] -= l2 * f;
        }
        for (step, l) in [(1, l1), (2, l2)] {
            if let Some(b) = b.get_mut(i + step) {
                *b -= l * right;
            }
        }
    }
    for i in (0..n).rev() {
        let [d, e, f] = *bands.get(i)?;
        let after = e * b.get(i + 1).unwrap_or(&0.0) + f * b.get(i + 2).unwrap_or(&0.0);
        let b = b.get_mut(i)?;
        *b = (*b - after) / d;
    }
    Some(b)
}

#[cfg(test)]
mod tests {
    use super::solve;

    #[test]
    fn the_product_gives_the_right_side_back() {
        let bands = vec![[4.0, 1.0, 0.5], [5.0, -1.0, 0.25], [6.0, 0.5, 0.0], [3.0, 0.0, 0.0]];
        let b = vec![1.0, -2.0, 3.0, 0.5];
        let x = solve(bands.clone(), b.clone()).unwrap();
        for (i, right) in b.iter().enumerate() {
            let entry = |i: usize, j: usize| if j >= i && j - i < 3 { bands[i][j - i] } else { 0.0 };
            let sum: f64 = (0..4).map(|j| entry(i.min(j), i.max(j)) * x[j]).sum();
            assert!((sum - right).abs() < 1e-14);
        }
    }
}
