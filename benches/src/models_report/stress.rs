//! American prices where volatilities are tiny or huge, against two oracles that share nothing.

use anyhow::Result;
use closemark_pricing::models::{black, fallback};
use rayon::prelude::*;

use super::Sitting;
use super::draw::Draw;
use super::figures::Figures;
use super::option::{Claim, Market, stressed};
use super::peers::Engine;

/// Options drawn.
const COUNT: usize = 16_000;
/// Grid of our finite differences, and of the finer one that decides where the oracles disagree.
const GRID: (usize, usize) = (600, 300);
const DECIDING_GRID: (usize, usize) = (1600, 1000);
/// The oracles disagree from here on, per 100 of strike.
const DISAGREEMENT: f64 = 4e-4;
/// Of the worst, so many are printed.
const LISTED: usize = 8;

/// Finite differences with the European value as control: what the grid does to it is taken off.
pub fn by_differences(market: &Market, claim: &Claim, grid: (usize, usize)) -> Option<f64> {
    let input = market.input();
    let result = fallback::price_on_grid(&input, claim.option_type, claim.strike, claim.sigma, grid.0, grid.1)?;
    let closed = black::price(
        claim.option_type,
        input.forward,
        claim.strike,
        input.time_to_expiry,
        claim.sigma,
        input.discount_factor,
    );
    Some((result.american - result.european + closed).max(claim.exercise()))
}

/// One option with all that is known of it.
struct Case<'a> {
    market: &'a Market,
    claim: &'a Claim,
    own: Option<f64>,
    quantlib: Option<f64>,
    differences: Option<f64>,
    decided: Option<f64>,
}

impl Case<'_> {
    fn scaled(&self, a: Option<f64>, b: Option<f64>) -> f64 {
        match (a, b) {
            (Some(a), Some(b)) => 100.0 * (a - b).abs() / self.claim.strike,
            _ => f64::INFINITY,
        }
    }

    fn oracles_disagree(&self) -> bool {
        self.scaled(self.quantlib, self.differences) > DISAGREEMENT
    }

    /// QuantLib's word where both agree, else the finer grid's.
    fn error(&self) -> f64 {
        self.scaled(self.own, if self.decided.is_some() { self.decided } else { self.quantlib })
    }

    fn row(&self) -> String {
        let (market, claim) = (self.market, self.claim);
        let price = |p: Option<f64>| p.map_or("none".to_owned(), |p| format!("{p:.6}"));
        format!(
            "{} K {:7.3} {:4} d vol {:.4} r {:+.4} q {:+.4}  ours {:>10} QuantLib {:>10} FD {:>10} finer {:>10}  {:.1e}",
            claim.option_type,
            claim.strike,
            market.days,
            claim.sigma,
            market.rate,
            market.dividend_yield,
            price(self.own),
            price(self.quantlib),
            price(self.differences),
            price(self.decided),
            self.error(),
        )
    }
}

/// Largest error over all options; cases where the oracles disagree are listed and decided on a finer grid.
///
/// # Errors
/// Where the peers do not answer.
pub fn run(sitting: &mut Sitting, figures: &mut Figures) -> Result<()> {
    let drawn = stressed(&mut Draw::new(sitting.seed, "stress"), sitting.count(COUNT));
    let options: Vec<(&Market, &Claim)> = drawn.iter().map(|(market, claim)| (market, claim)).collect();
    let (quantlib, differences) = std::thread::scope(|scope| {
        let ours = scope.spawn(|| {
            options.par_iter().map(|(market, claim)| by_differences(market, claim, GRID)).collect::<Vec<_>>()
        });
        let quantlib = sitting.peers.prices(Engine::Boundary("high"), &options, None);
        (quantlib, ours.join().unwrap_or_default())
    });
    let quantlib = quantlib?.prices;
    let mut cases: Vec<Case> = drawn
        .iter()
        .zip(quantlib.into_iter().zip(differences))
        .map(|((market, claim), (quantlib, differences))| {
            let own = super::american::price(market, claim);
            Case { market, claim, own, quantlib, differences, decided: None }
        })
        .collect();
    cases.par_iter_mut().filter(|case| case.oracles_disagree()).for_each(|case| {
        case.decided = by_differences(case.market, case.claim, DECIDING_GRID);
    });
    let disputed: Vec<&Case> = cases.iter().filter(|case| case.oracles_disagree()).collect();
    let rmse = (cases.iter().map(|case| case.error() * case.error()).sum::<f64>() / cases.len() as f64).sqrt();
    let worst = cases.iter().map(Case::error).fold(0.0, f64::max);
    println!("\nStress: {} options, errors per 100 of strike: rmse {rmse:.2e}, largest {worst:.2e}", cases.len());
    let above = |limit: f64| cases.iter().filter(|case| case.error() > limit).count();
    println!("above 1e-3: {}, above 3e-4: {}, above 1e-4: {}", above(1e-3), above(3e-4), above(1e-4));
    println!(
        "oracles disagree by more than {DISAGREEMENT:.0e} in {} cases, decided by FD {DECIDING_GRID:?}:",
        disputed.len()
    );
    for case in &disputed {
        println!("  {}", case.row());
    }
    cases.sort_by(|a, b| b.error().total_cmp(&a.error()));
    println!("worst of ours:");
    for case in cases.iter().take(LISTED) {
        println!("  {}", case.row());
    }
    figures.set("stress_max", worst);
    Ok(())
}
