//! The report's tables.

use serde_json::{Map, Value, json};

use super::process::{Consolidation, Cost};
use super::worth::Worth;
use crate::print::worth::{ALL_TIERS, errors, faults};

/// Missed faults that are named.
const MISSED_SHOWN: usize = 20;

/// One close of the matrix.
#[derive(Clone, Debug)]
pub struct Row {
    /// How much of the universe, in percent; 0 for a day that was given.
    pub percent: u8,
    /// What was run.
    pub name: String,
    /// Series published.
    pub series: u64,
    /// What it took.
    pub cost: Cost,
    /// Its run.
    pub run_id: String,
    /// Wall seconds of each step, and core seconds of each stage of marking, from `timings.json`.
    pub timings: Value,
}

impl Row {
    /// Core microseconds per series.
    pub fn core_microseconds(&self) -> f64 {
        1e6 * self.cost.processor_seconds / self.series.max(1) as f64
    }

    /// Wall seconds per million series.
    pub fn seconds_per_million(&self) -> f64 {
        1e6 * self.cost.seconds / self.series.max(1) as f64
    }
}

/// The closes, each beside the peer's consolidation of the same files.
pub fn closes(rows: &[Row], peers: &[(u8, Consolidation)], json: &mut Map<String, Value>) {
    println!(
        "\n{:<6} {:<34} {:>9} {:>9} {:>9} {:>10} {:>11} {:>8} {:>10}",
        "share", "close", "series", "wall s", "core s", "us/series", "s/1M series", "MiB", "x DuckDB"
    );
    for row in rows {
        let peer = peers.iter().find(|(percent, _)| *percent == row.percent).map(|(_, peer)| peer.seconds);
        let times = peer.map_or("-".to_owned(), |peer| format!("{:.1}", row.cost.seconds / peer.max(1e-9)));
        println!(
            "{:<6} {:<34} {:>9} {:>9.2} {:>9.2} {:>10.1} {:>11.1} {:>8.0} {:>10}",
            format!("{} %", row.percent),
            row.name,
            row.series,
            row.cost.seconds,
            row.cost.processor_seconds,
            row.core_microseconds(),
            row.seconds_per_million(),
            row.cost.peak_mib,
            times
        );
    }
    let list: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!({
                "percent": row.percent,
                "close": row.name,
                "series": row.series,
                "seconds": row.cost.seconds,
                "core_seconds": row.cost.processor_seconds,
                "peak_mib": row.cost.peak_mib,
                "run_id": row.run_id,
            })
        })
        .collect();
    json.insert("closes".to_owned(), Value::Array(list));
    for (percent, peer) in peers {
        println!(
            "DuckDB {}, {percent} %: {:.3} s for {} quotes of {} symbols, 2 threads, median of 3",
            peer.version, peer.seconds, peer.quotes, peer.series
        );
        json.insert(format!("duckdb_seconds_{percent}"), json!(peer.seconds));
        json.insert(format!("quotes_{percent}"), json!(peer.quotes));
    }
}

/// Where the time of one close goes.
pub fn stages(row: &Row) {
    println!("\nWhere the time goes: {} %, {}", row.percent, row.name);
    println!("{:<24} {:>10} {:>10}", "step", "wall s", "");
    for (name, seconds) in row.timings["stages"].as_object().into_iter().flatten() {
        println!("{name:<24} {:>10.3}", seconds.as_f64().unwrap_or_default());
    }
    println!("{:<24} {:>10} {:>10}", "stage of marking", "core s", "us/series");
    for (name, seconds) in row.timings["core_seconds"].as_object().into_iter().flatten() {
        let seconds = seconds.as_f64().unwrap_or_default();
        println!("{name:<24} {seconds:>10.3} {:>10.2}", 1e6 * seconds / row.series.max(1) as f64);
    }
}

/// Errors to the truth by tier, and the faults.
pub fn worth(worth: &Worth, json: &mut Map<String, Value>) {
    println!("\nAgainst the truth: two-sided out-of-the-money quotes with a model price");
    errors(&worth.tiers);
    if let Some(all) = worth.tiers.get(ALL_TIERS) {
        let ((mark_vol, mid_vol), (mark_price, mid_price)) = (all.volatility_rmse_bp(), all.price_rmse());
        json.insert("volatility_ratio".to_owned(), json!(mark_vol / mid_vol));
        json.insert("price_ratio".to_owned(), json!(mark_price / mid_price));
        let share = |part: u64| part as f64 / all.series.max(1) as f64;
        json.insert("inside".to_owned(), json!(share(all.mark_inside)));
        json.insert("truth_inside".to_owned(), json!(share(all.truth_inside)));
    }
    let (injected, missed) = faults(&worth.faults, MISSED_SHOWN);
    json.insert("faults".to_owned(), json!(injected));
    json.insert("faults_missed".to_owned(), json!(missed));
}
