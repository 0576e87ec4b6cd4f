//! The sample's tables: errors against the truth, and what became of the faults.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use closemark_data::report::figures::is_two_sided_out_of_the_money;
use closemark_pricing::vocabulary::QuoteStatus;

use super::Report;
use crate::faults;
use crate::figures::DayFigures;
use crate::truth::{self, TruthErrors};
use crate::whole_close::Closed;

impl Report {
    /// The sample against its truth and its ledger.
    ///
    /// # Errors
    /// Where the embedded truth or ledger is not readable.
    pub fn sample(&mut self, closed: &Closed) -> Result<()> {
        let truth = truth::of_sample()?;
        let ledger = faults::ledger()?;
        let spoilt: BTreeSet<&str> = ledger.iter().map(|fault| fault.target.as_str()).collect();
        let mut rows: BTreeMap<String, TruthErrors> = BTreeMap::new();
        for (underlying, marks) in closed.day.underlyings.iter().zip(&closed.marks) {
            for (series, mark) in underlying.series.iter().zip(&marks.series) {
                let Some(exact) = truth.get(&series.osi_symbol) else { continue };
                let mut add = |name: String| rows.entry(name).or_default().add(mark, exact);
                if mark.quote_status == QuoteStatus::TwoSided {
                    add("4 all two-sided, either side of the money".to_owned());
                }
                if !is_two_sided_out_of_the_money(series, mark) {
                    continue;
                }
                add(format!("1 {}", exact.tier));
                add("2 all tiers".to_owned());
                if !spoilt.contains(series.osi_symbol.as_str()) {
                    add("3 all tiers, no fault injected".to_owned());
                }
            }
        }
        println!("\nThe sample against its truth: two-sided out-of-the-money quotes with a model price, unless said");
        println!(
            "{:<42} {:>6} {:>20} {:>6} {:>20} {:>6} {:>7} {:>7}",
            "", "quotes", "vol bp mark / mid", "ratio", "price mark / mid", "ratio", "truth %", "mark %"
        );
        for (name, errors) in &rows {
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
            if name.starts_with('2') {
                self.key("sample_volatility_ratio", mark_vol / mid_vol);
                self.key("sample_price_ratio", mark_price / mid_price);
            }
        }
        self.faults(closed, &truth, &ledger);
        Ok(())
    }

    fn faults(&mut self, closed: &Closed, truth: &BTreeMap<String, truth::Truth>, ledger: &[faults::Fault]) {
        println!("\nInjected faults");
        println!(
            "{:<22} {:>8} {:>8} {:>12} {:>9} {:>7}",
            "kind", "injected", "caught", "yet mark off", "harmless", "MISSED"
        );
        let kinds = faults::judge(closed, truth, ledger);
        for (kind, count) in &kinds {
            println!(
                "{kind:<22} {:>8} {:>8} {:>12} {:>9} {:>7}",
                count.injected,
                count.caught,
                count.caught_but_off,
                count.harmless,
                count.missed.len()
            );
        }
        for missed in kinds.values().flat_map(|count| &count.missed) {
            println!("  missed: {missed}");
        }
        let missed: usize = kinds.values().map(|count| count.missed.len()).sum();
        self.key("sample_faults", kinds.values().map(|count| count.injected).sum::<u64>());
        self.key("sample_faults_missed", missed as u64);
        println!();
    }
}
