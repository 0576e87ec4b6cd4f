//! Violations in fitted curves, counted alike for every method: puts at equal `(K - R)/(F - R)`, over `F - R`.

use closemark_pricing::mark::ViolationCounts;
use closemark_pricing::smoothing::SliceInput;

use super::points::{Curve, points};

/// Counts vertical, butterfly and calendar violations of more than `tolerance` (currency per share).
///
/// `quoted` looks at strikes with an out-of-the-money quote only: what lies between raw mids nobody quoted.
pub(super) fn violations(inputs: &[SliceInput], curves: &[Curve], tolerance: f64, quoted: bool) -> ViolationCounts {
    let mut counts = ViolationCounts::default();
    let all: Vec<Vec<(f64, f64)>> =
        inputs.iter().zip(curves).map(|(input, curve)| puts(input, curve, quoted)).collect();
    for (t, (input, own)) in inputs.iter().zip(&all).enumerate() {
        let slack = tolerance / (input.discount_factor * (input.forward - input.dividend_shift));
        for pair in own.windows(2) {
            let (rise, run) = (pair[1].1 - pair[0].1, pair[1].0 - pair[0].0);
            counts.vertical += u32::from(rise < -slack || rise > run + slack);
        }
        for three in own.windows(3) {
            counts.butterfly += u32::from(three[1].1 > chord(three[0], three[2], three[1].0) + slack);
        }
        if !input.calendar {
            continue;
        }
        let later = || inputs.iter().zip(&all).skip(t + 1).filter(|(input, _)| input.calendar).map(|(_, puts)| puts);
        for (m, put) in own.iter().skip(1) {
            let above = later().find_map(|puts| {
                let right = puts.partition_point(|p| p.0 < *m);
                // The chord from strike zero says nothing where strike zero lies elsewhere.
                let same_zero = right > 1 || puts.first().map(|p| p.0) == own.first().map(|p| p.0);
                let (a, b) = (puts.get(right.checked_sub(1)?)?, puts.get(right)?);
                same_zero.then(|| chord(*a, *b, *m))
            });
            counts.calendar += u32::from(above.is_some_and(|above| *put > above + slack));
        }
    }
    counts
}

fn chord(a: (f64, f64), b: (f64, f64), x: f64) -> f64 {
    a.1 + (b.1 - a.1) * (x - a.0) / (b.0 - a.0)
}

/// The node at strike zero, then each strike with a price.
fn puts(input: &SliceInput, curve: &Curve, quoted: bool) -> Vec<(f64, f64)> {
    let scale = input.forward - input.dividend_shift;
    let nodes: Vec<usize> = points(input).iter().map(|p| p.node).collect();
    let mut out = vec![(-input.dividend_shift / scale, 0.0)];
    for (node, (strike, price)) in input.strikes.iter().zip(&curve.price).enumerate() {
        let Some(price) = price.filter(|_| !quoted || nodes.binary_search(&node).is_ok()) else { continue };
        let put = price * input.forward + (strike - input.forward).max(0.0);
        out.push(((strike - input.dividend_shift) / scale, put / scale));
    }
    out
}
