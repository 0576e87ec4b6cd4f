//! Whether calls and puts contradict the forward that is published.
//!
//! Borrow is smoothed over expiries, so that a slice's published forward is not the one its own pairs ask for: what is
//! judged is what is published.

use crate::smoothing::{SliceInput, VolatilityQuote};
use crate::vocabulary::OptionType;

/// Pairs nearest the money that are asked.
const PAIRS: usize = 5;
/// Fewer pairs say nothing.
const PAIRS_MIN: usize = 3;
/// Pairs farther from the money than this many standard deviations are not asked: early exercise blurs them.
const DEVIATIONS_MAX: f64 = 0.5;

/// Median of |sigma_call - sigma_put| over the mean half-spread in volatility, over the five pairs nearest the money;
/// `None` with fewer than three.
pub(super) fn disagreement(input: &SliceInput) -> Option<f64> {
    let mut pairs: Vec<(f64, f64)> = Vec::new();
    for window in input.quotes.windows(2) {
        let [call, put] = window else { continue };
        if let Some(pair) = pair(input, call, put) {
            pairs.push(pair);
        }
    }
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    pairs.truncate(PAIRS);
    if pairs.len() < PAIRS_MIN {
        return None;
    }
    let mut gaps: Vec<f64> = pairs.iter().map(|(_, gap)| *gap).collect();
    gaps.sort_by(f64::total_cmp);
    match (gaps.get((gaps.len() - 1) / 2), gaps.get(gaps.len() / 2)) {
        (Some(a), Some(b)) => Some(0.5 * (a + b)),
        _ => None,
    }
}

/// Distance from the money in standard deviations, and the gap in mean half-spreads.
fn pair(input: &SliceInput, call: &VolatilityQuote, put: &VolatilityQuote) -> Option<(f64, f64)> {
    let strike = *input.strikes.get(call.strike)?;
    let types = (call.option_type, put.option_type) == (OptionType::Call, OptionType::Put);
    // A quote without weight is so deep in the money that early exercise blurs it.
    let told = |quote: &VolatilityQuote| quote.two_sided && quote.weight > 0.0;
    if call.strike != put.strike || !types || !told(call) || !told(put) {
        return None;
    }
    let stdev = 0.5 * (call.mid + put.mid) * input.time_to_expiry.sqrt();
    let distance = (libm::log(strike / input.forward) / stdev).abs();
    let gap = (call.mid - put.mid).abs() / (0.5 * (call.half_spread + put.half_spread));
    (distance <= DEVIATIONS_MAX && gap.is_finite()).then_some((distance, gap))
}

#[cfg(test)]
mod tests {
    use super::disagreement;
    use crate::smoothing::{SliceInput, VolatilityQuote};
    use crate::vocabulary::OptionType;

    fn slice(gap: f64) -> SliceInput {
        let strikes: Vec<f64> = (0..7).map(|i| 97.0 + f64::from(i)).collect();
        let quote = |strike, option_type, mid: f64| VolatilityQuote {
            strike,
            option_type,
            mid,
            bid: Some(mid - 0.01),
            ask: Some(mid + 0.01),
            half_spread: 0.01,
            weight: 1.0,
            two_sided: true,
            half_spread_price: 0.1,
            old: false,
        };
        let quotes =
            (0..7).flat_map(|k| [quote(k, OptionType::Call, 0.2 + gap), quote(k, OptionType::Put, 0.2)]).collect();
        SliceInput {
            forward: 100.0,
            discount_factor: 1.0,
            time_to_expiry: 0.1,
            dividend_shift: 0.0,
            calendar: true,
            american: true,
            strikes,
            quotes,
            previous: None,
        }
    }

    #[test]
    fn the_gap_counts_in_half_spreads() {
        assert!((disagreement(&slice(0.015)).unwrap() - 1.5).abs() < 1e-9);
        assert!(disagreement(&slice(0.0)).unwrap() < 1e-12);
        let mut few = slice(0.015);
        few.quotes.truncate(4);
        assert_eq!(disagreement(&few), None);
    }
}
