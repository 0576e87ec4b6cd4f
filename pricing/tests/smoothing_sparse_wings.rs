//! What the few quotes of a sparse wing, and those deep in the money, may and may not say.

use closemark_pricing::models::black;
use closemark_pricing::settings::SmoothingSettings;
use closemark_pricing::smoothing::{SliceInput, VolatilityQuote, smooth_class};
use closemark_pricing::vocabulary::OptionType;

/// A slice of given strikes around a forward of 450 under a smile, quoted to the cent around the truth.
fn slice(time: f64, strikes: &[f64], smile: impl Fn(f64) -> f64) -> SliceInput {
    let forward = 450.0;
    let mut input = SliceInput {
        forward,
        discount_factor: 1.0,
        time_to_expiry: time,
        dividend_shift: 0.0,
        calendar: true,
        american: false,
        strikes: strikes.to_vec(),
        quotes: Vec::new(),
        previous: None,
    };
    for (place, &strike) in strikes.iter().enumerate() {
        let truth = black::out_of_the_money_price(forward, strike, smile(strike) * time.sqrt());
        let bid = (100.0 * truth).floor() / 100.0;
        let volatility = |price: f64| black::implied_stdev_otm(forward, strike, price).map(|stdev| stdev / time.sqrt());
        let Some(mid) = volatility(bid + 0.005) else { continue };
        input.quotes.push(VolatilityQuote {
            strike: place,
            option_type: if strike < forward { OptionType::Put } else { OptionType::Call },
            mid,
            bid: volatility(bid).filter(|_| bid > 0.0),
            ask: volatility(bid + 0.01),
            half_spread: 0.005 / black::vega(forward, strike, time, mid, 1.0),
            weight: 1.0,
            two_sided: bid > 0.0,
            half_spread_price: 0.005,
            old: false,
        });
    }
    input
}

/// A smile that is steep below the forward and turns above it.
fn smile(strike: f64) -> f64 {
    let x = (strike - 456.0) / 12.0;
    0.06 + 0.028 * (1.0 + x * x).sqrt() - 0.011 * x
}

#[test]
fn quotes_far_from_their_neighbours_are_believed() {
    let mut strikes = vec![400.0, 410.0, 420.0, 430.0];
    strikes.extend((437..=457).map(f64::from));
    strikes.extend([460.0, 470.0]);
    let input = slice(0.036, &strikes, smile);
    let out = smooth_class(std::slice::from_ref(&input), &SmoothingSettings::default()).remove(0);
    for (quote, outcome) in input.quotes.iter().zip(&out.outcomes).filter(|(quote, _)| quote.two_sided) {
        let strike = input.strikes[quote.strike];
        let sigma = out.volatility[quote.strike].unwrap();
        assert!(outcome.accepted, "{strike}");
        assert!((sigma - quote.mid).abs() <= quote.half_spread, "{strike}: {sigma} against {}", quote.mid);
    }
}

#[test]
fn what_is_deep_in_the_money_does_not_lead_a_wing() {
    // Puts far in the money whose mids are off parity by a few cents would imply volatilities without measure.
    let strikes: Vec<f64> = (0..31).map(|i| 420.0 + 2.0 * f64::from(i)).chain([520.0, 560.0, 600.0]).collect();
    let alone = slice(0.01, &strikes, smile);
    let mut joined = alone.clone();
    joined.quotes.retain(|quote| quote.two_sided);
    let alone = joined.clone();
    for (place, strike) in strikes.iter().enumerate().skip(31) {
        let stdev = black::implied_stdev_otm(450.0, *strike, 0.4).unwrap();
        joined.quotes.push(VolatilityQuote {
            strike: place,
            option_type: OptionType::Put,
            mid: stdev / 0.1,
            bid: None,
            ask: Some(1.2 * stdev / 0.1),
            half_spread: 0.2 * stdev / 0.1,
            weight: 0.1,
            two_sided: true,
            half_spread_price: 0.4,
            old: false,
        });
    }
    let curve = |input: &SliceInput| {
        smooth_class(std::slice::from_ref(input), &SmoothingSettings::default()).remove(0).volatility
    };
    // More rounds may follow, but no wing does.
    for (with, without) in curve(&joined).into_iter().zip(curve(&alone)) {
        let (with, without) = (with.unwrap(), without.unwrap());
        assert!((with - without).abs() < 1e-3 * without, "{with} against {without}");
    }
}
