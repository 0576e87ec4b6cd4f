//! Volatilities of American prices, by whole expiries as a close inverts them: both types at every strike.

use anyhow::Result;
use closemark_pricing::models::{Implied, PricedOption};
use closemark_pricing::vocabulary::OptionType;

use super::Sitting;
use super::draw::Draw;
use super::figures::Figures;
use super::option::{Claim, Market, chain, market};
use super::peers::Engine;
use super::timing::Rounds;

/// Expiries drawn; 44 strikes each on average.
const EXPIRIES: usize = 36;
/// Central differences of the oracle's vega, in volatility.
const VEGA_SHIFT: f64 = 1e-3;
/// Quotes of the peers' solver, spread over all.
const SOLVED: usize = 400;

/// Quotes of one expiry whose volatility the oracle's price defines.
struct Quotes<'a> {
    market: &'a Market,
    claims: Vec<Claim>,
    prices: Vec<f64>,
}

impl Quotes<'_> {
    /// Every quote of the expiry by one model, made for it.
    fn invert(&self, mut each: impl FnMut(&Claim, Implied)) {
        let model = self.market.model();
        for option_type in [OptionType::Call, OptionType::Put] {
            let claims = self.claims.iter().zip(&self.prices).filter(|(claim, _)| claim.option_type == option_type);
            let (claims, quotes): (Vec<&Claim>, Vec<PricedOption>) = claims
                .map(|(claim, &price)| (claim, PricedOption { strike: claim.strike, price, half_spread: 0.0 }))
                .unzip();
            for (claim, implied) in claims.into_iter().zip(model.implied_volatilities(option_type, &quotes)) {
                each(claim, implied);
            }
        }
    }
}

/// How far volatilities are from those that made the prices.
#[derive(Debug, Default)]
pub struct Accuracy {
    errors: Vec<f64>,
}

impl Accuracy {
    /// Notes one; an absent volatility counts as infinitely wrong.
    pub fn note(&mut self, found: Option<f64>, sigma: f64) {
        self.errors.push(found.map_or(f64::INFINITY, |v| (v - sigma).abs()));
    }

    /// Quotes.
    pub fn count(&self) -> usize {
        self.errors.len()
    }

    /// Share of quotes within `limit`.
    pub fn within(&self, limit: f64) -> f64 {
        self.errors.iter().filter(|e| **e <= limit).count() as f64 / self.errors.len() as f64
    }

    /// The largest error.
    pub fn worst(&self) -> f64 {
        self.errors.iter().copied().fold(0.0, f64::max)
    }
}

/// Volatilities against those that made QuantLib's highPrecision prices; speed against Brent over its fast scheme.
///
/// # Errors
/// Where the peers do not answer.
pub fn run(sitting: &mut Sitting, figures: &mut Figures) -> Result<()> {
    let mut draw = Draw::new(sitting.seed, "american_iv");
    let drawn: Vec<(Market, Vec<Claim>)> = (0..sitting.count(EXPIRIES))
        .map(|_| {
            let market = market(&mut draw, (-0.01, 0.06), (0.0, 0.08));
            let level = draw.between(0.05, 1.5);
            let claims = chain(&mut draw, &market, level);
            (market, claims)
        })
        .collect();
    let mut expiries = Vec::new();
    let mut listed = 0;
    for (market, claims) in &drawn {
        let options: Vec<(&Market, &Claim)> = claims.iter().map(|claim| (market, claim)).collect();
        let rough = sitting.peers.prices(Engine::Boundary("accurate"), &options, Some(VEGA_SHIFT))?;
        listed += claims.len();
        let defined: Vec<(&Market, &Claim)> = options
            .iter()
            .zip(rough.prices.iter().zip(&rough.vegas))
            .filter(|((_, claim), (price, vega))| price.zip(**vega).is_some_and(|(p, v)| claim.is_defined(p, v)))
            .map(|(option, _)| *option)
            .collect();
        let truth = sitting.peers.prices(Engine::Boundary("high"), &defined, None)?.prices;
        let (claims, prices) =
            defined.iter().zip(truth).filter_map(|((_, claim), price)| Some((**claim, price?))).unzip();
        expiries.push(Quotes { market, claims, prices });
    }
    let count: usize = expiries.iter().map(|quotes| quotes.claims.len()).sum();

    let mut accuracy = Accuracy::default();
    let mut worst: Vec<(f64, String)> = Vec::new();
    for quotes in &expiries {
        quotes.invert(|claim, implied| {
            accuracy.note(implied.volatility, claim.sigma);
            let error = implied.volatility.map_or(f64::INFINITY, |v| (v - claim.sigma).abs());
            if error > 1e-4 {
                worst.push((error, format!("{claim:?} {:?} {:?} {error:.1e}", quotes.market, implied.status)));
            }
        });
    }
    println!("\nAmerican volatilities: {} expiries, {listed} options, {count} defined", expiries.len());
    println!(
        "within 1e-4: {:.4}, within 1e-3: {:.4}, largest error {:.2e}",
        accuracy.within(1e-4),
        accuracy.within(1e-3),
        accuracy.worst()
    );
    worst.sort_by(|a, b| b.0.total_cmp(&a.0));
    for (_, row) in worst.iter().take(5) {
        println!("  {row}");
    }

    let all: Vec<(&Market, &Claim, f64)> = expiries
        .iter()
        .flat_map(|quotes| {
            quotes.claims.iter().zip(&quotes.prices).map(|(claim, &price)| (quotes.market, claim, price))
        })
        .collect();
    let step = (all.len() / SOLVED).max(1);
    let some: Vec<_> = all.iter().step_by(step).collect();
    let options: Vec<(&Market, &Claim)> = some.iter().map(|(market, claim, _)| (*market, *claim)).collect();
    let targets: Vec<f64> = some.iter().map(|(.., price)| *price).collect();
    let solved = sitting.peers.prepare_solver("brent", Engine::Boundary("fast"), &options, &targets)?;
    let mut peer = Accuracy::default();
    for (found, (_, claim)) in solved.iter().zip(&options) {
        peer.note(*found, claim.sigma);
    }
    let rounds = Rounds::against(&mut sitting.peers, "brent", count, || {
        let mut sum = 0.0;
        for quotes in &expiries {
            quotes.invert(|_, implied| sum += implied.volatility.unwrap_or(0.0));
        }
        sum
    })?;
    let (low, high) = rounds.spread();
    println!(
        "ours {:.0} ns per quote, Brent over QdFp fast {:.0} ns ({:.1} prices each; {:.4} within 1e-4), ratio {:.1} ({low:.1}-{high:.1})",
        rounds.own(),
        rounds.peer(),
        rounds.peer_steps,
        peer.within(1e-4),
        rounds.speedup()
    );
    figures.set("american_iv_within_1e4", accuracy.within(1e-4));
    figures.set("american_iv_max", accuracy.worst());
    figures.set("american_iv_speedup", rounds.speedup());
    Ok(())
}
