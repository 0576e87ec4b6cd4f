//! Volatilities under cash dividends: 0.50 quarterly, first in 20 days, and 2.00 semi-annual.

use anyhow::Result;
use closemark_pricing::models::PricedOption;
use closemark_pricing::vocabulary::OptionType;

use super::Sitting;
use super::american_iv::Accuracy;
use super::draw::Draw;
use super::figures::Figures;
use super::option::{Claim, Market, SPOT, chain};
use super::peers::Engine;
use super::timing::Rounds;

/// Expiries drawn, half of them for each case.
const EXPIRIES: usize = 48;
/// Quotes with a truth, spread over all expiries.
const WITH_TRUTH: usize = 800;
/// The truth's grid: time steps, nodes.
const TRUTH: (u32, u32) = (2000, 2000);
/// The grid of the truth's vega, and of where our own prices fill the rest of a chain.
const VEGA_GRID: (u32, u32) = (200, 200);
const VEGA_SHIFT: f64 = 2e-3;
/// Our own finite differences, as a check of the truth.
const CHECK_GRID: (usize, usize) = (2000, 1000);
/// Prices of the peer's timer.
const TIMED: usize = 150;

/// One quote of a chain.
struct Quote {
    claim: Claim,
    price: f64,
    has_truth: bool,
}

/// An expiry, with the case that it belongs to.
struct Expiry {
    case: usize,
    market: Market,
    quotes: Vec<Quote>,
}

const CASES: [&str; 2] = ["0.50 quarterly", "2.00 semi-annual"];

fn expiry(draw: &mut Draw, case: usize) -> (Market, Vec<Claim>) {
    let (first, every, amount) = if case == 0 { (20, 91, 0.5) } else { (draw.whole(2, 182), 182, 2.0) };
    let days = draw.whole(first + 1, 1095);
    // What falls on expiry itself belongs to neither side's life of the option.
    let dividends = (first..days).step_by(every).map(|day| (day, amount)).collect();
    let rate = draw.between(-0.01, 0.06);
    let dividend_yield = if draw.coin() { 0.0 } else { draw.between(0.0, 0.08) };
    // At-the-money volatilities of US names: 12 % to 134 %.
    let level = draw.log_between(0.12, 1.34);
    let market = Market { days, rate, dividend_yield, dividends };
    let claims = chain(draw, &market, level);
    (market, claims)
}

/// Our price and vega, for the quotes that only time is taken of.
fn filled(market: &Market, claim: &Claim) -> Option<f64> {
    let model = market.model();
    let price = |sigma: f64| model.price(claim.option_type, claim.strike, sigma);
    let value = price(claim.sigma)?;
    let vega = (price(claim.sigma + VEGA_SHIFT)? - price(claim.sigma - VEGA_SHIFT)?) / (2.0 * VEGA_SHIFT);
    claim.is_defined(value, vega).then_some(value)
}

/// Volatilities against those that made QuantLib's prices on a grid of 2000 x 2000; speed against one of its prices
/// on 100 x 200.
///
/// # Errors
/// Where the peers do not answer.
pub fn run(sitting: &mut Sitting, figures: &mut Figures) -> Result<()> {
    let mut draw = Draw::new(sitting.seed, "dividends");
    let drawn: Vec<(usize, Market, Vec<Claim>)> = (0..sitting.count(EXPIRIES))
        .map(|i| {
            let (market, claims) = expiry(&mut draw, i % 2);
            (i % 2, market, claims)
        })
        .collect();
    let listed: usize = drawn.iter().map(|(.., claims)| claims.len()).sum();
    let share = sitting.count(WITH_TRUTH) as f64 / listed as f64;

    // Which quotes have a truth: the oracle's vega decides what is defined, on a coarser grid than the truth's.
    let mut expiries = Vec::new();
    for (case, market, claims) in &drawn {
        let chosen: Vec<&Claim> = claims.iter().filter(|_| draw.between(0.0, 1.0) < 1.3 * share).collect();
        let options: Vec<(&Market, &Claim)> = chosen.iter().map(|claim| (market, *claim)).collect();
        let rough = sitting.peers.prices(Engine::Differences(VEGA_GRID.0, VEGA_GRID.1), &options, Some(VEGA_SHIFT))?;
        let mut quotes = Vec::new();
        for ((claim, price), vega) in chosen.iter().zip(&rough.prices).zip(&rough.vegas) {
            if let (Some(price), Some(vega)) = (price, vega)
                && claim.is_defined(*price, *vega)
            {
                quotes.push(Quote { claim: **claim, price: *price, has_truth: true });
            }
        }
        let rest = claims.iter().filter(|claim| !chosen.iter().any(|c| std::ptr::eq(*c, *claim)));
        quotes.extend(
            rest.filter_map(|claim| {
                filled(market, claim).map(|price| Quote { claim: *claim, price, has_truth: false })
            }),
        );
        expiries.push(Expiry { case: *case, market: market.clone(), quotes });
    }

    let options: Vec<(&Market, &Claim)> =
        expiries.iter().flat_map(|e| e.quotes.iter().filter(|q| q.has_truth).map(|q| (&e.market, &q.claim))).collect();
    let (truth, check) = std::thread::scope(|scope| {
        let check =
            scope.spawn(|| options.iter().map(|(market, claim)| by_differences(market, claim)).collect::<Vec<_>>());
        let truth = sitting.peers.prices(Engine::Differences(TRUTH.0, TRUTH.1), &options, None);
        (truth, check.join().unwrap_or_default())
    });
    let truth = truth?.prices;
    let oracles_apart = truth.iter().zip(&check).filter_map(|(a, b)| Some(((*a)? - (*b)?).abs())).fold(0.0, f64::max);
    sitting.peers.prepare_prices(
        "fd",
        Engine::Differences(100, 200),
        options.get(..TIMED.min(options.len())).unwrap_or(&[]),
    )?;
    for (quote, truth) in expiries.iter_mut().flat_map(|e| &mut e.quotes).filter(|q| q.has_truth).zip(&truth) {
        match truth {
            Some(price) => quote.price = *price,
            None => quote.has_truth = false,
        }
    }

    let mut all = Accuracy::default();
    let mut worst: Vec<(f64, String)> = Vec::new();
    println!("\nVolatilities under cash dividends: {} expiries, {listed} options", expiries.len());
    println!("{:<18} {:>7} {:>9} {:>9} {:>9} {:>9}", "", "quotes", "in 1e-4", "in 1e-3", "largest", "method");
    for (case, name) in CASES.iter().enumerate() {
        let mut accuracy = Accuracy::default();
        for expiry in expiries.iter().filter(|e| e.case == case) {
            let model = expiry.market.model();
            for quote in expiry.quotes.iter().filter(|q| q.has_truth) {
                let claim = &quote.claim;
                let implied = model.implied_volatility(claim.option_type, claim.strike, quote.price, 0.0);
                accuracy.note(implied.volatility, claim.sigma);
                all.note(implied.volatility, claim.sigma);
                let error = implied.volatility.map_or(f64::INFINITY, |v| (v - claim.sigma).abs());
                if error > 1e-4 {
                    worst.push((
                        error,
                        format!("{error:.1e} {claim:?} {:?} {:?} {:?}", implied.method, implied.status, expiry.market),
                    ));
                }
            }
        }
        println!(
            "{name:<18} {:>7} {:>9.4} {:>9.4} {:>9.1e}",
            accuracy.count(),
            accuracy.within(1e-4),
            accuracy.within(1e-3),
            accuracy.worst()
        );
    }
    println!("QuantLib 2000x2000 and our finite differences {CHECK_GRID:?} are at most {oracles_apart:.1e} apart");
    worst.sort_by(|a, b| b.0.total_cmp(&a.0));
    for (_, row) in worst.iter().take(12) {
        println!("  {row}");
    }

    let count: usize = expiries.iter().map(|e| e.quotes.len()).sum();
    let rounds = Rounds::against(&mut sitting.peers, "fd", count, || {
        let mut sum = 0.0;
        for expiry in &expiries {
            let model = expiry.market.model();
            for option_type in [OptionType::Call, OptionType::Put] {
                let quotes: Vec<PricedOption> = expiry
                    .quotes
                    .iter()
                    .filter(|quote| quote.claim.option_type == option_type)
                    .map(|q| PricedOption { strike: q.claim.strike, price: q.price, half_spread: 0.0 })
                    .collect();
                let implied = model.implied_volatilities(option_type, &quotes);
                sum += implied.iter().filter_map(|implied| implied.volatility).sum::<f64>();
            }
        }
        sum
    })?;
    let (low, high) = rounds.spread();
    println!(
        "ours {:.0} ns per volatility ({count} quotes), one QuantLib price on 100 x 200 {:.0} ns, ratio {:.1} ({low:.1}-{high:.1})",
        rounds.own(),
        rounds.peer(),
        rounds.speedup()
    );
    figures.set("dividend_iv_within_1e4", all.within(1e-4));
    figures.set("dividend_iv_within_1e3", all.within(1e-3));
    figures.set("dividend_iv_speedup", rounds.speedup());
    Ok(())
}

fn by_differences(market: &Market, claim: &Claim) -> Option<f64> {
    use closemark_pricing::models::fallback::price_on_grid;
    let (space, time) = CHECK_GRID;
    let result = price_on_grid(&market.input(), claim.option_type, claim.strike, claim.sigma, space, time)?;
    debug_assert!(claim.strike < 1e3 * SPOT);
    Some(result.american)
}
