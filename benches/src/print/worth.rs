//! What marks are worth against a known truth: errors by tier, and what became of injected faults.

use std::collections::BTreeMap;

use crate::faults::KindCount;
use crate::figures::DayFigures;
use crate::truth::TruthErrors;

/// The row of every two-sided out-of-the-money quote.
pub const ALL_TIERS: &str = "2 all tiers";

/// The rows of errors, each named behind two characters that order it.
pub fn errors(rows: &BTreeMap<String, TruthErrors>) {
    println!(
        "{:<42} {:>6} {:>20} {:>6} {:>20} {:>6} {:>7} {:>7}",
        "", "quotes", "vol bp mark / mid", "ratio", "price mark / mid", "ratio", "truth %", "mark %"
    );
    for (name, errors) in rows {
        let ((mark_vol, mid_vol), (mark_price, mid_price)) = (errors.volatility_rmse_bp(), errors.price_rmse());
        println!(
            "{:<42} {:>6} {:>9.1} / {:>8.1} {:>6.3} {:>9.4} / {:>8.4} {:>6.3} {:>7} {:>7}",
            name.get(2..).unwrap_or_default(),
            errors.series,
            mark_vol,
            mid_vol,
            mark_vol / mid_vol,
            mark_price,
            mid_price,
            mark_price / mid_price,
            DayFigures::percent(errors.truth_inside, errors.series),
            DayFigures::percent(errors.mark_inside, errors.series),
        );
    }
}

/// The faults by kind, and the first missed ones; how many were injected, and how many missed.
pub fn faults(kinds: &BTreeMap<String, KindCount>, shown: usize) -> (u64, u64) {
    println!("\nInjected faults");
    println!(
        "{:<22} {:>8} {:>8} {:>12} {:>9} {:>7}",
        "kind", "injected", "caught", "yet mark off", "harmless", "MISSED"
    );
    for (kind, count) in kinds {
        println!(
            "{kind:<22} {:>8} {:>8} {:>12} {:>9} {:>7}",
            count.injected,
            count.caught,
            count.caught_but_off,
            count.harmless,
            count.missed.len()
        );
    }
    for missed in kinds.values().flat_map(|count| &count.missed).take(shown) {
        println!("  missed: {missed}");
    }
    let missed: usize = kinds.values().map(|count| count.missed.len()).sum();
    (kinds.values().map(|count| count.injected).sum(), missed as u64)
}
