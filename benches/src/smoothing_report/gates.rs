//! The left-out rows of METHOD's table of gates, and what the issue asks beside them.

use super::method::Method;
use super::republish::Stability;
use super::score::Score;
use super::truth::TruthRow;
use crate::chains::ChainClass;
use crate::gates::GateRow;

/// Left-out gates of one chain, ours against the limits and against both baselines.
pub fn of_scores(chain: &str, class: ChainClass, scores: &super::chain::Scores) -> Vec<GateRow> {
    let Some(ours) = scores.get(&Method::Ours) else { return Vec::new() };
    let row = |figure, value, limit, at_least| GateRow { chain: chain.to_owned(), figure, value, limit, at_least };
    let bp = ours.left_out_median_bp();
    let half_spreads = ours.left_out_median_half_spreads();
    let inside = ours.left_out_percent();
    let mut rows = match class {
        ChainClass::Index => vec![row("left inside", inside, 99.0, true), row("left median bp", bp, 1.0, false)],
        ChainClass::Index2011 => vec![row("left inside", inside, 97.9, true), row("left median bp", bp, 10.0, false)],
        ChainClass::LiquidUs => {
            vec![row("left inside", inside, 97.5, true), row("left median hs", half_spreads, 0.25, false)]
        }
        // METHOD names no left-out limit for Deribit and samples: the widest column's.
        ChainClass::AllUs | ChainClass::Official | ChainClass::Sample => {
            vec![row("left inside", inside, 95.0, true), row("left median hs", half_spreads, 0.35, false)]
        }
    };
    if ours.left_out == 0 {
        rows.clear();
    }
    let total = |score: &Score| f64::from(score.violations.total());
    rows.push(row("curve violations", total(ours), 0.0, false));
    for (method, figure) in [(Method::Svi, "inside over SVI"), (Method::Fengler, "over Fengler")] {
        if let Some(theirs) = scores.get(&method).filter(|s| s.left_out > 0) {
            rows.push(row(figure, inside - theirs.left_out_percent(), 0.0, true));
        }
    }
    rows
}

/// Standing still.
pub fn of_stability(chain: &str, stability: &Stability) -> Vec<GateRow> {
    let row = |figure, value, limit| GateRow { chain: chain.to_owned(), figure, value, limit, at_least: false };
    let mut rows = vec![row("moves republished", stability.republished_moves as f64, 0.0)];
    if !stability.reclosed.is_empty() {
        rows.push(row("reclosed median hs", stability.reclosed_quantile(0.5), 0.05));
    }
    rows
}

/// Known truth: error against raw mids and both baselines, share inside against the truth's own.
pub fn of_truth(rows: &[TruthRow]) -> Vec<GateRow> {
    let mut out = Vec::new();
    for ours in rows.iter().filter(|row| row.method == Method::Ours) {
        let chain = format!("truth: {}", ours.shape);
        let row = |figure, value, limit, at_least| GateRow { chain: chain.clone(), figure, value, limit, at_least };
        out.push(row("rmse over raw", ours.ratio.median, 0.45, false));
        out.push(row("inside", ours.inside, ours.truth_inside - 0.5, true));
        for (method, figure) in [(Method::Svi, "rmse, SVI's"), (Method::Fengler, "rmse, Fengler's")] {
            let theirs = rows.iter().find(|row| row.method == method && row.shape == ours.shape);
            out.push(row(figure, ours.rmse_bp.median, theirs.map_or(f64::NAN, |row| row.rmse_bp.median), false));
        }
    }
    out
}
