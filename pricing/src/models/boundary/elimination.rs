//! Gauss's elimination for the few unknowns of a boundary.

/// Solves equations with the largest pivot of each column, and spoils the matrix; not finite where there is no solution.
#[inline(always)]
pub(super) fn solve<const N: usize>(rows: &mut [[f64; N]; N], mut right: [f64; N]) -> [f64; N] {
    for p in 0..N {
        let mut best = p;
        for r in p + 1..N {
            if rows[r][p].abs() > rows[best][p].abs() {
                best = r;
            }
        }
        rows.swap(p, best);
        right.swap(p, best);
        let pivot = rows[p];
        let inverse = 1.0 / pivot[p];
        for r in p + 1..N {
            let factor = rows[r][p] * inverse;
            // The whole row: what stands left of the pivot is not looked at again.
            for (a, b) in rows[r].iter_mut().zip(&pivot) {
                *a -= factor * b;
            }
            right[r] -= factor * right[p];
        }
    }
    for p in (0..N).rev() {
        right[p] /= rows[p][p];
        for r in 0..p {
            right[r] -= rows[r][p] * right[p];
        }
    }
    right
}

#[cfg(test)]
mod tests {
    use super::solve;

    #[test]
    fn solves_what_needs_its_rows_exchanged() {
        let rows = [[0.0, 2.0, -1.0], [3.0, 1e-9, 4.0], [1.0, 1.0, 1.0]];
        for wanted in [[1.5, -2.0, 0.25], [0.0, 1e3, -7.0]] {
            let right = rows.map(|row| row.iter().zip(&wanted).map(|(a, x)| a * x).sum());
            for (found, wanted) in solve(&mut rows.clone(), right).iter().zip(wanted) {
                assert!((found - wanted).abs() < 1e-12, "{found} {wanted}");
            }
        }
        assert!(solve(&mut [[1.0; 3]; 3], [1.0; 3]).iter().any(|x| !x.is_finite()));
    }
}
