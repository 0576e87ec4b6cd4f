//! Points on integer curves and the chords between them, decided exactly.

use super::wide::product_at_most;

/// A price at a strike, in integers of whatever scale both of its curve share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) x: i128,
    pub(super) y: i128,
}

/// Whether a point lies on or below the chord of two others; `None` where no exact answer is possible.
///
/// # Formula
/// `y (x_b - x_a) <= y_a (x_b - x) + y_b (x - x_a)`, for `x_a <= x <= x_b`.
pub(super) fn below_chord(point: Point, a: Point, b: Point) -> Option<bool> {
    let width = b.x.checked_sub(a.x)?;
    let (right, left) = (b.x.checked_sub(point.x)?, point.x.checked_sub(a.x)?);
    product_at_most((point.y, width), [(a.y, right), (b.y, left)])
}

/// Prices of one type and expiry, ascending strikes, and the known value at strike zero.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Curve {
    pub(super) zero: Option<Point>,
    pub(super) points: Vec<Point>,
}

/// What a comparison found at one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// The node lies above the chord of the two points (above the point, where they are one).
    Above(Point, Point),
    /// The numbers are too large.
    Undecided,
}

impl Curve {
    /// The point before a node: strike zero before the first.
    pub(super) fn before(&self, node: usize) -> Option<Point> {
        match node.checked_sub(1) {
            Some(previous) => self.points.get(previous).copied(),
            None => self.zero,
        }
    }

    /// Whether it has a node at a strike.
    pub(super) fn lists(&self, x: i128) -> bool {
        self.points.binary_search_by(|p| p.x.cmp(&x)).is_ok()
    }

    /// Compares node `node` with every calendar condition against a later curve in the same scale: its own value
    /// there or its chord around, and the mixed chords of an own neighbour and a later node in between.
    /// Returns how many conditions there were.
    pub(super) fn compare(&self, node: usize, later: &Curve, found: &mut impl FnMut(Finding)) -> u64 {
        let Some(&point) = self.points.get(node) else { return 0 };
        let mut conditions = 0;
        let mut check = |a: Point, b: Point| {
            conditions += 1;
            match below_chord(point, a, b) {
                Some(true) => {}
                Some(false) => found(Finding::Above(a, b)),
                None => found(Finding::Undecided),
            }
        };
        let place = later.points.partition_point(|p| p.x < point.x);
        match later.points.get(place) {
            Some(&same) if same.x == point.x => {
                check(Point { x: point.x - 1, ..same }, Point { x: point.x + 1, ..same })
            }
            Some(&right) => {
                if let Some(left) = later.before(place) {
                    check(left, right);
                }
            }
            None => {}
        }
        let (left, right) = (self.before(node), self.points.get(node + 1).copied());
        let from = match node.checked_sub(1).and_then(|previous| self.points.get(previous)) {
            Some(own) => later.points.partition_point(|p| p.x <= own.x),
            None => 0,
        };
        if let Some(right) = right {
            for &between in later.points.get(from..place).unwrap_or_default() {
                check(between, right);
            }
        }
        if let Some(left) = left {
            let above = later.points.iter().skip(place).filter(|p| p.x > point.x);
            for &between in above.take_while(|p| right.is_none_or(|r| p.x < r.x)) {
                check(left, between);
            }
        }
        conditions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(zero: i128, points: &[(i128, i128)]) -> Curve {
        let points = points.iter().map(|&(x, y)| Point { x, y }).collect();
        Curve { zero: Some(Point { x: 0, y: zero }), points }
    }

    fn broken(near: &Curve, later: &Curve) -> Vec<usize> {
        let mut nodes = Vec::new();
        for node in 0..near.points.len() {
            near.compare(node, later, &mut |_| nodes.push(node));
        }
        nodes
    }

    #[test]
    fn equal_strikes_chords_and_mixed_chords() {
        let later = curve(0, &[(10, 1), (30, 9)]);
        assert!(broken(&curve(0, &[(10, 1), (30, 9)]), &later).is_empty());
        assert_eq!(broken(&curve(0, &[(10, 2)]), &later), [0]);
        // 20 lies between two later nodes: the chord there is 5.
        assert!(broken(&curve(0, &[(20, 5)]), &later).is_empty());
        assert_eq!(broken(&curve(0, &[(20, 6)]), &later), [0]);
        // Above 6, the mixed chord from strike zero to the later 30 is broken too.
        assert_eq!(broken(&curve(0, &[(20, 7)]), &later), [0, 0]);
        // Below the first later node the chord starts at strike zero, the later's and the own.
        assert_eq!(broken(&curve(0, &[(5, 1)]), &curve(0, &[(10, 1)])), [0, 0]);
        // Past the last later node only the mixed chord from the own neighbour speaks: none to the right.
        assert!(broken(&curve(0, &[(40, 25)]), &later).is_empty());
    }

    #[test]
    fn a_mixed_chord_sees_what_no_common_strike_shows() {
        // Own nodes 10 and 30, a later node at 20 that is cheaper than their chord allows.
        let near = curve(0, &[(10, 5), (30, 25)]);
        let later = curve(0, &[(20, 8)]);
        assert!(!broken(&near, &later).is_empty());
        let later = curve(0, &[(20, 15)]);
        assert!(broken(&near, &later).is_empty());
    }
}
