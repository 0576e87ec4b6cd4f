//! Prices of lone American options: nothing is shared between them, each brings its own rates, time and volatility.

use anyhow::Result;
use closemark_pricing::models::Accuracy;

use super::Sitting;
use super::draw::Draw;
use super::figures::Figures;
use super::option::{Claim, Market, ordinary};
use super::peers::Engine;
use super::timing::Rounds;

/// Options drawn.
const COUNT: usize = 500;

/// A way to a price.
type Solver = fn(&Market, &Claim) -> Option<f64>;

/// Our price of a lone option, model and all.
pub fn price(market: &Market, claim: &Claim) -> Option<f64> {
    market.model().priced_alone(claim.option_type, claim.strike, claim.sigma, Accuracy::Standard).price
}

/// Our price at the fine setting.
pub fn fine_price(market: &Market, claim: &Claim) -> Option<f64> {
    market.model().priced_alone(claim.option_type, claim.strike, claim.sigma, Accuracy::Fine).price
}

/// Root mean square and largest of errors; an absent price counts as infinitely wrong.
pub fn errors(found: &[Option<f64>], truth: &[Option<f64>]) -> (f64, f64) {
    let (mut sum, mut worst, mut count) = (0.0, 0.0_f64, 0.0);
    for (found, truth) in found.iter().zip(truth) {
        let Some(truth) = truth else { continue };
        let error = found.map_or(f64::INFINITY, |price| (price - truth).abs());
        sum += error * error;
        worst = worst.max(error);
        count += 1.0;
    }
    ((sum / count).sqrt(), worst)
}

/// Errors against QuantLib's `QdFpAmericanEngine` highPrecision, speed against its fast and accurate schemes.
///
/// # Errors
/// Where the peers do not answer.
pub fn run(sitting: &mut Sitting, figures: &mut Figures) -> Result<()> {
    let drawn = ordinary(&mut Draw::new(sitting.seed, "american"), sitting.count(COUNT));
    let options: Vec<(&Market, &Claim)> = drawn.iter().map(|(market, claim)| (market, claim)).collect();
    let count = options.len();
    let oracle = sitting.peers.prices(Engine::Boundary("high"), &options, None)?.prices;
    let unanswered = oracle.iter().filter(|p| p.is_none()).count();
    println!("\nAmerican prices: {count} lone options, oracle QdFp highPrecision ({unanswered} unanswered)");
    println!("{:<22} {:>10} {:>10} {:>12} {:>9} {:>15}", "", "rmse", "max", "ns/price", "ratio", "of one round");

    let solvers: [(&str, Solver, &str); 2] =
        [("closemark", price, "fast"), ("closemark, fine", fine_price, "accurate")];
    let mut found = Vec::new();
    for (name, solver, scheme) in solvers {
        let own: Vec<Option<f64>> = options.iter().map(|(market, claim)| solver(market, claim)).collect();
        let (rmse, worst) = errors(&own, &oracle);
        let peer = sitting.peers.prices(Engine::Boundary(scheme), &options, None)?.prices;
        let (peer_rmse, peer_worst) = errors(&peer, &oracle);
        sitting.peers.prepare_prices(scheme, Engine::Boundary(scheme), &options)?;
        let rounds = Rounds::against(&mut sitting.peers, scheme, count, || {
            options.iter().filter_map(|(market, claim)| solver(market, claim)).sum()
        })?;
        let (low, high) = rounds.spread();
        println!(
            "{name:<22} {rmse:>10.2e} {worst:>10.2e} {:>12.0} {:>9.2} {low:>7.2}-{high:<7.2}",
            rounds.own(),
            rounds.speedup()
        );
        let peer_name = format!("QdFp {scheme}");
        println!("{peer_name:<22} {peer_rmse:>10.2e} {peer_worst:>10.2e} {:>12.0}", rounds.peer());
        println!("{:<22} {:>10} {:>10} {:>12.0}", "  empty call, taken off", "", "", rounds.nothing_ns);
        found.push((rmse, worst, rounds.speedup()));
    }
    if let [standard, fine] = found.as_slice() {
        figures.set("american_rmse", standard.0);
        figures.set("american_max", standard.1);
        figures.set("american_speedup", standard.2);
        figures.set("american_fine_rmse", fine.0);
        figures.set("american_fine_speedup", fine.2);
    }
    Ok(())
}
