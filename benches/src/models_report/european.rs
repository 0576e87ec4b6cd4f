//! Volatilities of European prices against the crate `implied-vol`, which also makes the prices.

use anyhow::Result;
use closemark_pricing::models::black;
use closemark_pricing::vocabulary::OptionType;
use implied_vol::{DefaultSpecialFn, ImpliedBlackVolatility, PriceBlackScholes};

use super::Sitting;
use super::draw::Draw;
use super::figures::Figures;
use super::option::{SPOT as FORWARD, either};
use super::timing::Rounds;

/// Quotes drawn of either kind.
const COUNT: usize = 20_000;
/// Least out-of-the-money value, as a share of the forward.
const VALUE_MIN: f64 = 1e-8;
/// A price stands for no volatility where its last bit is worth more than this.
const LAST_BIT_MAX: f64 = 1e-11;

/// A European quote, undiscounted.
struct Quote {
    option_type: OptionType,
    strike: f64,
    time: f64,
    sigma: f64,
    price: f64,
}

impl Quote {
    fn own(&self) -> Option<f64> {
        black::implied_volatility(self.option_type, FORWARD, self.strike, self.time, self.price, 1.0, 0.0).volatility
    }

    fn peer(&self) -> Option<f64> {
        ImpliedBlackVolatility::builder()
            .option_price(self.price)
            .forward(FORWARD)
            .strike(self.strike)
            .expiry(self.time)
            .is_call(self.option_type == OptionType::Call)
            .build()?
            .calculate::<DefaultSpecialFn>()
    }

    /// What half a unit in the last place of the price is worth in volatility.
    fn last_bit(&self) -> f64 {
        let vega = black::vega(FORWARD, self.strike, self.time, self.sigma, 1.0);
        self.price * f64::EPSILON * 0.5 / vega
    }
}

/// Out-of-the-money quotes priced by the peer; the second number counts those that stand for no volatility.
fn quotes(draw: &mut Draw, count: usize, mut terms: impl FnMut(&mut Draw) -> (f64, f64, f64)) -> (Vec<Quote>, usize) {
    let mut quotes = Vec::new();
    let mut undetermined = 0;
    while quotes.len() < count {
        let (strike, time, sigma) = terms(draw);
        let option_type = if strike == FORWARD {
            either(draw)
        } else if strike > FORWARD {
            OptionType::Call
        } else {
            OptionType::Put
        };
        let made = PriceBlackScholes::builder()
            .forward(FORWARD)
            .strike(strike)
            .volatility(sigma)
            .expiry(time)
            .is_call(option_type == OptionType::Call)
            .build()
            .map(|price| price.calculate::<DefaultSpecialFn>());
        let Some(price) = made.filter(|price| *price > VALUE_MIN * FORWARD) else { continue };
        let quote = Quote { option_type, strike, time, sigma, price };
        if quote.last_bit() > LAST_BIT_MAX {
            undetermined += 1;
        } else {
            quotes.push(quote);
        }
    }
    (quotes, undetermined)
}

fn worst(quotes: &[Quote], volatility: fn(&Quote) -> Option<f64>) -> f64 {
    let errors = quotes.iter().map(|q| volatility(q).map_or(f64::INFINITY, |v| (v - q.sigma).abs()));
    errors.fold(0.0, f64::max)
}

/// Errors over ordinary and over extreme quotes, speed over the ordinary ones, all of it in this process.
///
/// # Errors
/// Where the peers' process, which binds both to one core, does not answer.
pub fn run(sitting: &mut Sitting, figures: &mut Figures) -> Result<()> {
    let mut draw = Draw::new(sitting.seed, "european");
    let count = sitting.count(COUNT);
    let (ordinary, none) = quotes(&mut draw, count, |draw| {
        (draw.between(60.0, 150.0), f64::from(draw.whole(1, 1095)) / 365.0, draw.between(0.05, 1.5))
    });
    // A minute to 15 years, 1 % to 500 %, strikes to six deviations and a factor of 100 away.
    let (extreme, undetermined) = quotes(&mut draw, count, |draw| {
        let time = draw.log_between(1.9e-6, 15.0);
        let sigma = draw.log_between(0.01, 5.0);
        let place = draw.between(-6.0, 6.0) * sigma * time.sqrt();
        (FORWARD * libm::exp(place.clamp(-4.605, 4.605)), time, sigma)
    });
    println!("\nEuropean volatilities: out-of-the-money value above {VALUE_MIN:.0e} of the forward");
    println!("{:<12} {:>8} {:>14} {:>12} {:>12}", "", "quotes", "undetermined", "ours", "implied-vol");
    let mut largest = 0.0_f64;
    for (name, quotes, undetermined) in [("ordinary", &ordinary, none), ("extreme", &extreme, undetermined)] {
        let own = worst(quotes, Quote::own);
        largest = largest.max(own);
        println!(
            "{name:<12} {:>8} {undetermined:>14} {own:>12.1e} {:>12.1e}",
            quotes.len(),
            worst(quotes, Quote::peer)
        );
    }
    println!("(undetermined: the price's last bit is worth more than {LAST_BIT_MAX:.0e} of volatility)");

    let sum = |volatility: fn(&Quote) -> Option<f64>| ordinary.iter().filter_map(volatility).sum::<f64>();
    sitting.peers.pin()?;
    let rounds = Rounds::between(count, || sum(Quote::own), || sum(Quote::peer));
    let strikes: Vec<f64> = ordinary.iter().map(|quote| quote.strike).collect();
    let prices: Vec<f64> = ordinary.iter().map(|quote| quote.price).collect();
    let mut deviations = vec![None; count];
    let mut in_batch = || {
        black::implied_stdevs_otm(FORWARD, &strikes, &prices, &mut deviations);
        ordinary.iter().zip(&deviations).filter_map(|(quote, s)| Some((*s)? / quote.time.sqrt())).sum::<f64>()
    };
    let batch = Rounds::between(count, &mut in_batch, || sum(Quote::peer)).own();
    sitting.peers.unpin()?;
    let (low, high) = rounds.spread();
    println!(
        "scalar: ours {:.1} ns, implied-vol {:.1} ns, ratio {:.2} ({low:.2}-{high:.2}); in batch {batch:.1} ns",
        rounds.own(),
        rounds.peer(),
        rounds.speedup()
    );
    figures.set("european_iv_max", largest);
    figures.set("european_iv_speedup", rounds.speedup());
    figures.set("european_iv_batch_ns", batch);
    Ok(())
}
