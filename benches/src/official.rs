//! Marks against those that an exchange publishes itself: Deribit's.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result};
use closemark_data::report::figures::is_two_sided_out_of_the_money;

use crate::columns::Columns;
use crate::figures::{is_inside, quantile};
use crate::whole_close::Closed;

/// The exchange's marks of all snapshots in one file.
pub struct OfficialMarks {
    snapshots: Vec<String>,
    coins: Vec<String>,
    instruments: Vec<String>,
    expiries: Vec<String>,
    marks: Vec<Option<f64>>,
    forwards: Vec<Option<f64>>,
}

/// How far our marks lie from the exchange's, over two-sided out-of-the-money quotes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Distances {
    /// |ours - theirs| in half-spreads.
    pub half_spreads: Vec<f64>,
    /// Our marks within the quote.
    pub ours_inside: u64,
    /// Theirs.
    pub theirs_inside: u64,
}

impl OfficialMarks {
    /// Reads the file.
    ///
    /// # Errors
    /// Where it is not readable or lacks a column.
    pub fn read(path: &Path) -> Result<Self> {
        let file = File::open(path).with_context(|| path.display().to_string())?;
        let columns = Columns::read(file)?;
        Ok(Self {
            snapshots: columns.text("snapshot_utc")?,
            coins: columns.text("underlying")?,
            instruments: columns.text("instrument")?,
            expiries: columns.text("expiry")?,
            marks: columns.numbers("mark_price")?,
            forwards: columns.numbers("underlying_price")?,
        })
    }

    /// `count` days spread evenly over those of the file, first and last among them.
    pub fn days(&self, count: usize) -> Vec<String> {
        let mut days: Vec<&str> = self.snapshots.iter().filter_map(|text| text.get(..10)).collect();
        days.sort_unstable();
        days.dedup();
        let last = days.len().saturating_sub(1);
        let steps = count.saturating_sub(1).max(1);
        let mut chosen: Vec<&str> = (0..count).filter_map(|i| days.get(i * last / steps).copied()).collect();
        chosen.dedup();
        chosen.into_iter().map(str::to_owned).collect()
    }

    /// The exchange's marks of one coin and day in dollars: coins times the median forward of their expiry.
    pub fn dollars(&self, coin: &str, day: &str) -> BTreeMap<String, f64> {
        let rows: Vec<usize> = (0..self.snapshots.len())
            .filter(|&i| self.coins.get(i).is_some_and(|own| own == coin))
            .filter(|&i| self.snapshots.get(i).is_some_and(|own| own.starts_with(day)))
            .collect();
        let mut forwards: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        for &row in &rows {
            if let (Some(expiry), Some(Some(forward))) = (self.expiries.get(row), self.forwards.get(row)) {
                forwards.entry(expiry).or_default().push(*forward);
            }
        }
        let medians: BTreeMap<&str, f64> =
            forwards.into_iter().filter_map(|(expiry, values)| Some((expiry, median(values)?))).collect();
        let dollars = |&row: &usize| {
            let forward = medians.get(self.expiries.get(row)?.as_str())?;
            Some((self.instruments.get(row)?.clone(), (*self.marks.get(row)?)? * forward))
        };
        rows.iter().filter_map(dollars).collect()
    }
}

impl Distances {
    /// Adds a closed chain.
    pub fn add(&mut self, closed: &Closed, official: &BTreeMap<String, f64>) {
        for (underlying, marks) in closed.day.underlyings.iter().zip(&closed.marks) {
            for (series, mark) in underlying.series.iter().zip(&marks.series) {
                let (Some(ours), Some(bid), Some(ask)) = (mark.mark, mark.bid, mark.ask) else { continue };
                let Some(theirs) = official.get(&series.osi_symbol) else { continue };
                if !is_two_sided_out_of_the_money(series, mark) {
                    continue;
                }
                let (bid, ask) = (bid.to_f64(), ask.to_f64());
                self.half_spreads.push((ours.to_f64() - theirs).abs() / (0.5 * (ask - bid)));
                self.ours_inside += u64::from(is_inside(mark));
                // Their marks carry the rounding of a coin's fourth to sixth decimal.
                self.theirs_inside += u64::from(bid <= theirs + 1e-6 && theirs - 1e-6 <= ask);
            }
        }
    }

    /// Adds another chain's distances.
    pub fn join(&mut self, other: &Self) {
        self.half_spreads.extend(&other.half_spreads);
        self.ours_inside += other.ours_inside;
        self.theirs_inside += other.theirs_inside;
    }

    /// The distance below which a share of the quotes lies.
    pub fn quantile(&self, share: f64) -> f64 {
        quantile(&mut self.half_spreads.clone(), share).unwrap_or(f64::NAN)
    }
}

/// The middle value, the mean of the two middle ones where their number is even.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    values.get(values.len() / 2 - 1).map(|lower| 0.5 * (lower + upper))
}

#[cfg(test)]
mod tests {
    use super::OfficialMarks;

    #[test]
    fn dollars_are_coins_times_the_median_forward_of_the_expiry() {
        let rows = 4;
        let text = |value: &str| vec![value.to_owned(); rows];
        let official = OfficialMarks {
            snapshots: ["2026-07-01 12:00", "2026-07-01 12:00", "2026-07-01 12:00", "2026-07-02 12:00"]
                .map(str::to_owned)
                .to_vec(),
            coins: text("BTC"),
            instruments: ["A", "B", "C", "A"].map(str::to_owned).to_vec(),
            expiries: ["x", "x", "y", "x"].map(str::to_owned).to_vec(),
            marks: vec![Some(0.1), Some(0.2), None, Some(0.3)],
            forwards: vec![Some(100.0), Some(300.0), Some(500.0), Some(900.0)],
        };
        let dollars = official.dollars("BTC", "2026-07-01");
        assert_eq!(dollars.into_iter().collect::<Vec<_>>(), [("A".to_owned(), 20.0), ("B".to_owned(), 40.0)]);
        assert_eq!(official.days(5), ["2026-07-01", "2026-07-02"]);
        assert!(official.dollars("ETH", "2026-07-01").is_empty());
    }
}
