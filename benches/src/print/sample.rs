//! The sample's tables: errors against the truth, and what became of the faults.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use closemark_data::report::figures::is_two_sided_out_of_the_money;
use closemark_pricing::vocabulary::QuoteStatus;

use super::{Report, worth};
use crate::faults;
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
                add(worth::ALL_TIERS.to_owned());
                if !spoilt.contains(series.osi_symbol.as_str()) {
                    add("3 all tiers, no fault injected".to_owned());
                }
            }
        }
        println!("\nThe sample against its truth: two-sided out-of-the-money quotes with a model price, unless said");
        worth::errors(&rows);
        if let Some(all) = rows.get(worth::ALL_TIERS) {
            let ((mark_vol, mid_vol), (mark_price, mid_price)) = (all.volatility_rmse_bp(), all.price_rmse());
            self.key("sample_volatility_ratio", mark_vol / mid_vol);
            self.key("sample_price_ratio", mark_price / mid_price);
        }
        let (injected, missed) = worth::faults(&faults::judge(closed, &truth, &ledger), usize::MAX);
        self.key("sample_faults", injected);
        self.key("sample_faults_missed", missed);
        println!();
        Ok(())
    }
}
