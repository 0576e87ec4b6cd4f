//! The figures that the report ends with, and what each is to be.

use serde_json::{Map, Value, json};

/// What a figure is to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    /// At most.
    AtMost(f64),
    /// At least.
    AtLeast(f64),
}

/// The keys of the last line, in its order: what they say, and what is to be reached.
pub const FIGURES: [(&str, &str, Limit); 15] = [
    ("american_rmse", "lone American prices, S = 100: root mean square error", Limit::AtMost(5e-5)),
    ("american_max", "the largest", Limit::AtMost(1e-3)),
    ("american_speedup", "times the speed of QdFp fast", Limit::AtLeast(5.0)),
    ("american_fine_rmse", "the fine setting: root mean square error", Limit::AtMost(5e-6)),
    ("american_fine_speedup", "times the speed of QdFp accurate", Limit::AtLeast(10.0)),
    ("stress_max", "stress: largest error per 100 of strike", Limit::AtMost(1e-3)),
    ("american_iv_within_1e4", "American volatilities: share within 1e-4", Limit::AtLeast(0.998)),
    ("american_iv_max", "the largest error", Limit::AtMost(1e-3)),
    ("american_iv_speedup", "times the speed of Brent over QdFp fast", Limit::AtLeast(60.0)),
    ("dividend_iv_within_1e4", "with cash dividends: share within 1e-4", Limit::AtLeast(0.98)),
    ("dividend_iv_within_1e3", "share within 1e-3", Limit::AtLeast(0.997)),
    ("dividend_iv_speedup", "times the speed of one FD 100x200 price", Limit::AtLeast(60.0)),
    ("european_iv_max", "European volatilities: the largest error", Limit::AtMost(1e-10)),
    ("european_iv_speedup", "times the speed of implied-vol, scalar", Limit::AtLeast(3.0)),
    ("european_iv_batch_ns", "ns per volatility in batch", Limit::AtMost(60.0)),
];

/// Figures found so far.
#[derive(Clone, Debug, Default)]
pub struct Figures(Vec<(&'static str, f64)>);

impl Figures {
    /// Notes a figure.
    pub fn set(&mut self, key: &'static str, value: f64) {
        self.0.push((key, value));
    }

    /// A figure; `None` where its part did not run.
    pub fn get(&self, key: &str) -> Option<f64> {
        self.0.iter().rev().find(|(k, _)| *k == key).map(|(_, value)| *value)
    }

    /// The table, one row per figure that was found.
    pub fn table(&self) -> String {
        let mut text = format!("{:<24} {:>10}  {:<10} {:<7} what\n", "figure", "found", "target", "");
        for (key, what, limit) in FIGURES {
            let Some(value) = self.get(key) else { continue };
            let (target, met) = match limit {
                Limit::AtMost(most) => (format!("<= {}", short(most)), value <= most),
                Limit::AtLeast(least) => (format!(">= {}", short(least)), value >= least),
            };
            let verdict = if met { "met" } else { "MISSED" };
            text.push_str(&format!("{key:<24} {:>10}  {target:<10} {verdict:<7} {what}\n", short(value)));
        }
        text
    }

    /// The last line: one object with every key, null where the part did not run.
    pub fn json(&self) -> Value {
        let mut map = Map::new();
        for (key, ..) in FIGURES {
            map.insert(key.to_owned(), self.get(key).map_or(Value::Null, |value| json!(value)));
        }
        Value::Object(map)
    }
}

fn short(value: f64) -> String {
    if value != 0.0 && value.abs() < 1e-2 { format!("{value:.2e}") } else { format!("{value:.4}") }
}

#[cfg(test)]
mod tests {
    use super::Figures;

    #[test]
    fn the_last_line_has_every_key_and_the_table_only_what_was_found() {
        let mut figures = Figures::default();
        figures.set("american_rmse", 4e-5);
        figures.set("european_iv_batch_ns", 61.0);
        let json = figures.json();
        assert_eq!(json.as_object().unwrap().len(), 15);
        assert_eq!(json["american_rmse"], 4e-5);
        assert!(json["stress_max"].is_null());
        let table = figures.table();
        assert_eq!(table.lines().count(), 3);
        assert_eq!(table.matches("MISSED").count(), 1);
    }
}
