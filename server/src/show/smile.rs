//! The smile of a slice in braille: bid-ask bars, excluded mids, the smoothed curve.

use std::fmt::Write as _;

use closemark_data::publication::read::{MarkRow, SliceRow};
use closemark_pricing::vocabulary::OptionType;

use super::canvas::{Canvas, Ink};

const COLUMNS: usize = 88;
const ROWS: usize = 18;

/// One series in the picture.
struct Point {
    strike: f64,
    bid: Option<f64>,
    mid: Option<f64>,
    ask: Option<f64>,
    mark: Option<f64>,
    excluded: bool,
    ink: Ink,
}

/// Draws the slice; only out-of-the-money series unless `all`.
pub(super) fn draw(slice: &SliceRow, rows: &[&MarkRow], all: bool, colour: bool) -> String {
    let points = points(slice.forward, rows, all);
    let Some((x_low, x_high)) = strike_range(&points) else {
        return "  no volatility is known in this slice\n".to_owned();
    };
    let Some((y_low, y_high)) = volatility_range(&points, x_low, x_high) else {
        return "  no volatility is known in this slice\n".to_owned();
    };
    let mut canvas = Canvas::new(COLUMNS, ROWS);
    let (width, height) = (canvas.width(), canvas.height());
    let across = |strike: f64| place((strike - x_low) / (x_high - x_low), width);
    let down = |volatility: f64| place((y_high - volatility) / (y_high - y_low), height);

    if let Some(x) = slice.forward.and_then(across) {
        (0..height).step_by(4).for_each(|y| canvas.dot(x, y, Ink::Plain));
    }
    for point in &points {
        let Some(x) = across(point.strike) else { continue };
        let Some(ask) = point.ask else { continue };
        // A bar without a bid reaches the floor: any lower volatility is as good.
        let (top, bottom) = (
            bounded((y_high - ask) / (y_high - y_low), height),
            match point.bid {
                Some(bid) => bounded((y_high - bid) / (y_high - y_low), height),
                None => height - 1,
            },
        );
        if ask >= y_low && point.bid.is_none_or(|bid| bid <= y_high) {
            (top..=bottom).for_each(|y| canvas.dot(x, y, point.ink));
        }
    }
    // Through the out-of-the-money marks: the coordinate that the quotes are drawn in.
    let curve: Vec<(f64, f64)> = points
        .iter()
        .filter(|point| out_of_the_money(point.ink, point.strike, slice.forward))
        .filter_map(|point| Some((point.strike, point.mark?)))
        .collect();
    for pair in curve.windows(2) {
        let [(k0, v0), (k1, v1)] = pair else { continue };
        let (Some(from), Some(to)) = (across(*k0), across(*k1)) else { continue };
        for x in from..=to {
            let share = if to > from { (x - from) as f64 / (to - from) as f64 } else { 0.0 };
            if let Some(y) = down(v0 + share * (v1 - v0)) {
                canvas.dot(x, y, Ink::Curve);
            }
        }
    }
    for point in points.iter().filter(|point| point.excluded) {
        if let (Some(x), Some(mid)) = (across(point.strike), point.mid) {
            canvas.lay(x, bounded((y_high - mid) / (y_high - y_low), height), '○', point.ink);
        }
    }
    frame(&canvas, (x_low, x_high), (y_low, y_high), slice.forward, colour)
}

fn points(forward: Option<f64>, rows: &[&MarkRow], all: bool) -> Vec<Point> {
    let mut points: Vec<Point> = rows
        .iter()
        .map(|row| Point {
            strike: row.strike.to_f64(),
            bid: row.bid_implied_volatility,
            mid: row.implied_volatility,
            ask: row.ask_implied_volatility,
            mark: row.smoothed_volatility,
            excluded: row.accepted == Some(false),
            ink: match row.option_type {
                OptionType::Call => Ink::Call,
                OptionType::Put => Ink::Put,
            },
        })
        .filter(|point| all || out_of_the_money(point.ink, point.strike, forward))
        .collect();
    points.sort_by(|a, b| a.strike.total_cmp(&b.strike));
    points
}

fn out_of_the_money(ink: Ink, strike: f64, forward: Option<f64>) -> bool {
    forward.is_none_or(|forward| if ink == Ink::Put { strike <= forward } else { strike >= forward })
}

/// From the first to the last strike with a quoted volatility; of all where none is quoted.
fn strike_range(points: &[Point]) -> Option<(f64, f64)> {
    let quoted = |point: &&Point| point.mid.is_some();
    let range = |strikes: &mut dyn Iterator<Item = f64>| {
        strikes.fold(None, |range: Option<(f64, f64)>, k| {
            Some(range.map_or((k, k), |(low, high)| (low.min(k), high.max(k))))
        })
    };
    let (low, high) = range(&mut points.iter().filter(quoted).map(|point| point.strike))
        .or_else(|| range(&mut points.iter().filter(|point| point.mark.is_some()).map(|point| point.strike)))?;
    Some(if high > low { (low, high) } else { (low * 0.98, low * 1.02 + 1e-9) })
}

/// Wide enough for the curve and the accepted mids; what lies outside is drawn at the edge.
fn volatility_range(points: &[Point], x_low: f64, x_high: f64) -> Option<(f64, f64)> {
    let seen = points.iter().filter(|point| point.strike >= x_low && point.strike <= x_high);
    let values = seen.flat_map(|point| [point.mark, point.mid.filter(|_| !point.excluded)]).flatten();
    let (low, high) = values.filter(|v| v.is_finite()).fold(None, |range: Option<(f64, f64)>, v| {
        Some(range.map_or((v, v), |(low, high)| (low.min(v), high.max(v))))
    })?;
    let margin = (0.1 * (high - low)).max(0.005);
    Some(((low - margin).max(0.0), high + margin))
}

/// The dot of a share of the length; `None` outside.
fn place(share: f64, length: usize) -> Option<usize> {
    (share.is_finite() && (0.0..=1.0).contains(&share)).then(|| bounded(share, length))
}

fn bounded(share: f64, length: usize) -> usize {
    let last = length.saturating_sub(1);
    ((share.clamp(0.0, 1.0) * last as f64).round() as usize).min(last)
}

fn frame(canvas: &Canvas, x: (f64, f64), y: (f64, f64), forward: Option<f64>, colour: bool) -> String {
    let mut out = String::new();
    for (index, row) in canvas.rows(colour).into_iter().enumerate() {
        let label = if index % 4 == 0 || index + 1 == ROWS {
            let share = (index as f64 + 0.5) / ROWS as f64;
            format!("{:>6.2} % ┤", 100.0 * (y.1 - share * (y.1 - y.0)))
        } else {
            "         │".to_owned()
        };
        let _ = writeln!(out, "{label}{}", row.trim_end());
    }
    let mut axis = vec!['─'; COLUMNS];
    let mut labels = vec![' '; COLUMNS + 10];
    for tick in 0..=4 {
        let share = f64::from(tick) / 4.0;
        let column = bounded(share, COLUMNS);
        if let Some(mark) = axis.get_mut(column) {
            *mark = '┴';
        }
        let text = short_strike(x.0 + share * (x.1 - x.0));
        let start = column.saturating_sub(text.len() / 2);
        for (offset, c) in text.chars().enumerate() {
            if let Some(slot) = labels.get_mut(start + offset) {
                *slot = c;
            }
        }
    }
    let axis: String = axis.into_iter().collect();
    let labels: String = labels.into_iter().collect();
    let _ = writeln!(out, "         └{axis}\n          {}", labels.trim_end());
    let forward = forward.map_or(String::new(), |f| format!("  dotted: forward {f:.2}"));
    let _ = writeln!(
        out,
        "          {} calls  {} puts, bid to ask  {} through the marks  ○ excluded{forward}\n",
        Ink::Call.paint("⡇", colour),
        Ink::Put.paint("⡇", colour),
        Ink::Curve.paint("⠤⠤", colour)
    );
    out
}

fn short_strike(strike: f64) -> String {
    if strike.abs() >= 1000.0 { format!("{strike:.0}") } else { format!("{strike:.2}") }
}

#[cfg(test)]
mod tests {
    use super::{bounded, place};

    #[test]
    fn places_stay_inside() {
        assert_eq!([bounded(-3.0, 10), bounded(f64::NAN, 10), bounded(1.0, 10), bounded(0.5, 0)], [0, 0, 9, 0]);
        assert_eq!((place(1.01, 10), place(f64::NAN, 10), place(0.0, 10)), (None, None, Some(0)));
    }
}
