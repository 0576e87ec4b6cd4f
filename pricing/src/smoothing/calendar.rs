//! Conditions between expiries, in puts at equal `(K - R)/(F - R)`.

use super::frame::Frame;
use super::tier2::Solution;

/// The put of an earlier expiry that a chord of this slice must not pass below.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ChordRow {
    /// The chord ends at this node and begins at the one before it (the zero node where this is 0).
    pub right: usize,
    /// Place on the chord, 0 to 1.
    pub share: f64,
    pub put: f64,
}

impl ChordRow {
    /// By how much a solution's chord passes below the put.
    pub(super) fn deficit(&self, solution: &Solution) -> f64 {
        match solution.puts.get(self.right..).unwrap_or(&[]) {
            [left, right, ..] => self.put - (left + self.share * (right - left)),
            _ => 0.0,
        }
    }
}

/// The highest put that all earlier curves force at each place: the curve itself at its own nodes, and between them
/// what convexity of it forces, the extensions of the chords beside.
pub(super) fn node_floors(m: &[f64], earlier: &[&Solution], floors: &mut Vec<f64>) {
    floors.clear();
    floors.resize(m.len(), 0.0);
    for curve in earlier {
        let (places, puts) = (&curve.places, &curve.puts);
        let n = places.len();
        let slope = |j: usize| (puts[j] - puts[j - 1]) / (places[j] - places[j - 1]);
        let mut j = 0;
        for (m, floor) in m.iter().zip(floors.iter_mut()) {
            while j < n && places[j] < *m {
                j += 1;
            }
            if j == 0 {
                continue;
            }
            let mut forced = 0.0_f64;
            if j < n && places[j] - m <= 1e-13 {
                forced = puts[j];
            } else {
                if j >= 2 {
                    forced = forced.max(puts[j - 1] + slope(j - 1) * (m - places[j - 1]));
                }
                if j + 1 < n {
                    forced = forced.max(puts[j] - slope(j + 1) * (places[j] - m));
                } else if j < n {
                    forced = forced.max(puts[j] - (places[j] - m));
                }
            }
            *floor = floor.max(forced);
        }
    }
}

/// The straight interpolation of an earlier curve, extended upward by its steepest chord: of a convex curve that is the
/// last, but between strikes a millionth apart a slope is rounding.
pub(super) fn chord_value(curve: &Solution, m: f64) -> f64 {
    let (places, puts) = (&curve.places, &curve.puts);
    let n = places.len();
    if n < 2 || m <= places[0] {
        return 0.0;
    }
    if m > places[n - 1] {
        let slopes = places.windows(2).zip(puts.windows(2)).map(|(m, put)| (put[1] - put[0]) / (m[1] - m[0]));
        let put = puts[n - 1] + slopes.fold(0.0, f64::max).min(1.0) * (m - places[n - 1]);
        return put.max(super::tier2::offset(m)).max(0.0);
    }
    let j = places.partition_point(|place| *place < m).clamp(1, n - 1);
    let share = (m - places[j - 1]) / (places[j] - places[j - 1]);
    let put = puts[j - 1] + share * (puts[j] - puts[j - 1]);
    put.max(super::tier2::offset(m)).max(0.0)
}

/// The slope from each place to the next.
fn chord_slopes(places: &[f64], values: &[f64]) -> Vec<f64> {
    let pairs = places.iter().zip(places.iter().skip(1)).zip(values.iter().zip(values.iter().skip(1)));
    pairs.map(|((left, right), (low, high))| (high - low) / (right - left)).collect()
}

/// Nodes of earlier curves strictly between this slice's nodes where its chord passes below them: the worst of each
/// interval, ascending.
pub(super) fn broken_chords(
    frame: &Frame,
    solution: &Solution,
    earlier: &[&Solution],
    slack: f64,
    broken: &mut Vec<ChordRow>,
) {
    broken.clear();
    let (places, puts) = (&solution.places, &solution.puts);
    let slopes = chord_slopes(places, puts);
    let mut worst: Vec<Option<(f64, ChordRow)>> = Vec::new();
    for curve in earlier {
        let mut right = 1;
        for (place, put) in curve.places.iter().zip(&curve.puts).skip(1) {
            while right < places.len() && places[right] <= *place {
                right += 1;
            }
            if right >= places.len() {
                break;
            }
            // Strike 0 lies at different places where dividends differ: no chord from it says anything then.
            if right == 1 && places[0] != curve.places[0] {
                continue;
            }
            let beyond = place - places[right - 1];
            let deficit = put - (puts[right - 1] + slopes[right - 1] * beyond);
            if deficit <= slack {
                continue;
            }
            let share = beyond / (places[right] - places[right - 1]);
            if !(share > 1e-12 && share < 1.0) {
                continue;
            }
            worst.resize(frame.m.len(), None);
            if let Some(entry) = worst.get_mut(right - 1)
                && entry.is_none_or(|(largest, _)| deficit > largest)
            {
                *entry = Some((deficit, ChordRow { right: right - 1, share, put: *put }));
            }
        }
    }
    broken.extend(worst.into_iter().flatten().map(|(_, row)| row));
}

/// Total variance by place, with the error of each, as the compromise between expiries sees one slice.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct VarianceCurve {
    /// Ascending.
    pub m: Vec<f64>,
    pub variance: Vec<f64>,
    pub error: Vec<f64>,
}

impl VarianceCurve {
    /// Variance at `m`, with a running place and the slopes between nodes; `None` outside the nodes.
    fn variance_at(&self, slopes: &[f64], m: f64, place: &mut usize) -> Option<f64> {
        while self.m.get(*place).is_some_and(|node| *node < m) {
            *place += 1;
        }
        let right = *place;
        if *self.m.get(right)? == m {
            return self.variance.get(right).copied();
        }
        let left = right.checked_sub(1)?;
        Some(self.variance[left] + slopes[left] * (m - self.m[left]))
    }

    /// The error at `m`, where [`Self::variance_at`] has left its place.
    fn error_at(&self, m: f64, right: usize) -> Option<f64> {
        let node = *self.m.get(right)?;
        if node == m {
            return self.error.get(right).copied();
        }
        let left = right.checked_sub(1)?;
        let share = (m - self.m[left]) / (node - self.m[left]);
        Some(self.error[left] + share * (self.error[right] - self.error[left]))
    }
}

/// The compromise between expiries: isotonic regression of total variance in time at each node, each expiry weighing
/// 1/error^2, so that where two contradict each other the one with the larger error in its own half-spreads moves more.
///
/// Returns the changed variances of each curve; `None` where nothing changes.
///
/// # Source
/// Pool adjacent violators: Barlow, Bartholomew, Bremner and Brunk (1972).
pub(super) fn isotonic(curves: &[VarianceCurve]) -> Vec<Option<Vec<f64>>> {
    let mut changed = Vec::with_capacity(curves.len());
    let slopes: Vec<Vec<f64>> = curves.iter().map(|curve| chord_slopes(&curve.m, &curve.variance)).collect();
    let mut column: Vec<(f64, f64)> = Vec::with_capacity(curves.len());
    let mut places = vec![0_usize; curves.len()];
    for (s, own) in curves.iter().enumerate() {
        places.fill(0);
        let mut moved: Option<Vec<f64>> = None;
        for (i, m) in own.m.iter().enumerate() {
            let value = own.variance[i];
            let mut ordered = true;
            for (t, ((other, slopes), place)) in curves.iter().zip(&slopes).zip(&mut places).enumerate() {
                if let Some(variance) = other.variance_at(slopes, *m, place) {
                    ordered &= if t < s { variance <= value } else { value <= variance };
                }
            }
            if ordered {
                continue;
            }
            column.clear();
            let mut mine = 0;
            for (t, ((other, slopes), place)) in curves.iter().zip(&slopes).zip(&mut places).enumerate() {
                if t == s {
                    mine = column.len();
                }
                let variance = other.variance_at(slopes, *m, place);
                column.extend(variance.zip(other.error_at(*m, *place)));
            }
            let pooled = pool(&column, mine);
            if pooled.is_finite() && pooled > 0.0 {
                moved.get_or_insert_with(|| own.variance.clone())[i] = pooled;
            }
        }
        changed.push(moved);
    }
    changed
}

/// The isotonic fit at one place of a column of (value, error).
fn pool(column: &[(f64, f64)], mine: usize) -> f64 {
    // Blocks of (weighted mean, weight, end).
    let mut blocks: Vec<(f64, f64, usize)> = Vec::with_capacity(column.len());
    for (end, (value, error)) in column.iter().enumerate() {
        let mut block = (*value, 1.0 / (error * error).max(1e-300), end + 1);
        while let Some(last) = blocks.last() {
            if last.0 <= block.0 {
                break;
            }
            let weight = last.1 + block.1;
            block = (last.0 + (block.0 - last.0) * block.1 / weight, weight, block.2);
            blocks.pop();
        }
        blocks.push(block);
    }
    blocks.iter().find(|block| mine < block.2).map_or(f64::NAN, |block| block.0)
}

#[cfg(test)]
mod tests {
    use super::{VarianceCurve, isotonic};

    #[test]
    fn the_less_certain_expiry_moves_more() {
        let curve = |variance: f64, error: f64| VarianceCurve {
            m: vec![0.9, 1.0, 1.1],
            variance: vec![variance; 3],
            error: vec![error; 3],
        };
        let moved = isotonic(&[curve(0.010, 0.0001), curve(0.008, 0.0003), curve(0.02, 0.0001)]);
        let pooled = (0.010 * 9.0 + 0.008) / 10.0;
        assert!((moved[0].as_ref().unwrap()[1] - pooled).abs() < 1e-15);
        assert!((moved[1].as_ref().unwrap()[1] - pooled).abs() < 1e-15);
        assert_eq!(moved[2], None);
    }
}
