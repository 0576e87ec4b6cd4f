//! Points of price curves in homogeneous coordinates, and their lower convex hull in exact arithmetic.
//!
//! A listed option is the point `x = m/a`, `y = p/a`. American classes have `m = K`, `a = 1`. European classes have
//! `m = D K`, `a = A`, so that `x` is forward moneyness and every expiration shares one picture. A point with
//! `a = 0` is a direction: the slope limits of monotonicity are chords to such points. "Not above the chord of two
//! others" is then one determinant for convexity, slope limits, calendars and every mixture of them.

use super::wide::Wide;

/// A point of a price curve, `a >= 0` and `p >= 0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Point {
    /// Strike coordinate.
    pub(crate) m: i128,
    /// Price, millionths.
    pub(crate) p: i64,
    /// Weight; 0 for a direction.
    pub(crate) a: i64,
}

/// Where a point of a merged picture comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A node of the slice at hand, by its place.
    Own(usize),
    /// A node at strike zero of the slice at hand.
    Zero,
    /// A slope limit.
    Slope,
    /// A later slice.
    Later,
}

/// Exact comparisons of points; `wide` where 128 bits are not proven to be enough.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arithmetic {
    wide: bool,
}

fn magnitude(x: i128) -> u128 {
    // Strike coordinates are negative only for the call's slope limit, which the narrow path alone meets.
    u128::try_from(x).unwrap_or(0)
}

fn price(p: i64) -> u128 {
    u128::try_from(p).unwrap_or(0)
}

impl Arithmetic {
    /// Arithmetic for points with `|m| <= m_max`, `a <= a_max`, `p <= p_max`.
    pub(crate) fn for_bounds(m_max: u128, a_max: u128, p_max: u128) -> Self {
        // A determinant has terms of twice m a p on either side.
        let fits = m_max
            .checked_mul(a_max)
            .and_then(|x| x.checked_mul(p_max.max(1)))
            .and_then(|x| x.checked_mul(4))
            .is_some_and(|x| x < i128::MAX as u128);
        Self { wide: !fits }
    }

    /// Whether `left` lies strictly left of `right`.
    pub(crate) fn is_left(self, left: &Point, right: &Point) -> bool {
        if self.wide {
            Wide::product(magnitude(left.m), price(right.a)) < Wide::product(magnitude(right.m), price(left.a))
        } else {
            left.m * i128::from(right.a) < right.m * i128::from(left.a)
        }
    }

    /// Whether `low` lies strictly below `high`, two points of one `x`.
    pub(crate) fn is_lower(low: &Point, high: &Point) -> bool {
        i128::from(low.p) * i128::from(high.a) < i128::from(high.p) * i128::from(low.a)
    }

    /// Whether `point` lies strictly above the chord of `left` and `right`, which enclose it.
    pub(crate) fn is_above(self, left: &Point, point: &Point, right: &Point) -> bool {
        if self.wide {
            return match Self::wide_terms(left, point, right) {
                Some((q, rhs)) => q.times(price(point.p)).is_none_or(|lhs| lhs > rhs),
                None => false,
            };
        }
        let (q, rhs) = Self::narrow_terms(left, point, right);
        q > 0 && q * i128::from(point.p) > rhs
    }

    /// The greatest price not above the chord, for a point that lies above it.
    pub(crate) fn floor(self, left: &Point, point: &Point, right: &Point) -> i64 {
        if self.wide {
            return Self::wide_floor(left, point, right);
        }
        let (q, rhs) = Self::narrow_terms(left, point, right);
        if q <= 0 {
            return point.p;
        }
        i64::try_from(rhs.div_euclid(q)).unwrap_or(point.p)
    }

    /// `q` and `rhs` of the row `q p <= rhs`.
    fn narrow_terms(left: &Point, point: &Point, right: &Point) -> (i128, i128) {
        let (la, pa, ra) = (i128::from(left.a), i128::from(point.a), i128::from(right.a));
        let q = right.m * la - left.m * ra;
        let rhs =
            i128::from(left.p) * (right.m * pa - point.m * ra) + i128::from(right.p) * (point.m * la - left.m * pa);
        (q, rhs)
    }

    /// The same beyond 128 bits; `None` where the points do not enclose one another.
    fn wide_terms(left: &Point, point: &Point, right: &Point) -> Option<(Wide, Wide)> {
        let cross = |m: &Point, a: &Point| Wide::product(magnitude(m.m), price(a.a));
        let q = cross(right, left).minus(cross(left, right))?;
        let from_left = cross(right, point).minus(cross(point, right))?.times(price(left.p))?;
        let from_right = cross(point, left).minus(cross(left, point))?.times(price(right.p))?;
        Some((q, from_left.plus(from_right)?))
    }

    /// By bisection: rare, so that a 256-bit division is not worth its code.
    fn wide_floor(left: &Point, point: &Point, right: &Point) -> i64 {
        let Some((q, rhs)) = Self::wide_terms(left, point, right) else { return point.p };
        let (mut low, mut high) = (0_i64, point.p.max(0));
        while low < high {
            let middle = low + (high - low + 1) / 2;
            if q.times(price(middle)).is_some_and(|lhs| lhs <= rhs) {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        low
    }
}

/// The strict lower convex hull of points in order of `x`: places of its vertices, ascending. Of points with one
/// `x` the lowest counts. A direction may stand first and last.
pub(crate) fn lower_hull(points: &[(Point, Origin)], arithmetic: Arithmetic, chain: &mut Vec<usize>) {
    chain.clear();
    for (place, (point, _)) in points.iter().enumerate() {
        if let Some((top, _)) = chain.last().and_then(|&last| points.get(last))
            && !arithmetic.is_left(top, point)
        {
            if !Arithmetic::is_lower(point, top) {
                continue;
            }
            chain.pop();
        }
        while let [.., first, second] = chain.as_slice()
            && let (Some((left, _)), Some((middle, _))) = (points.get(*first), points.get(*second))
            && !is_strictly_below(left, middle, point, arithmetic)
        {
            chain.pop();
        }
        chain.push(place);
    }
}

/// Whether `middle` lies strictly below the chord of `left` and `right`: only then is it a vertex.
fn is_strictly_below(left: &Point, middle: &Point, right: &Point, arithmetic: Arithmetic) -> bool {
    if arithmetic.wide {
        return match Arithmetic::wide_terms(left, middle, right) {
            Some((q, rhs)) => q.times(price(middle.p)).is_some_and(|lhs| lhs < rhs),
            None => true,
        };
    }
    let (q, rhs) = Arithmetic::narrow_terms(left, middle, right);
    // Between two directions there is no chord: everything is below it.
    q <= 0 || q * i128::from(middle.p) < rhs
}
