//! Rows of the report, and the line of JSON that repeats them.

use serde_json::{Map, Value};

/// One measured figure.
#[derive(Clone, Debug)]
pub struct Row {
    /// Key in the JSON.
    pub key: &'static str,
    /// What it is.
    pub what: String,
    /// The figure.
    pub value: Value,
    /// The target in words; empty where the figure only explains another.
    pub target: &'static str,
    /// Whether the target is met; `None` where there is none.
    pub met: Option<bool>,
}

/// All rows so far.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Row>,
}

impl Table {
    /// Adds a figure with its target, and prints it.
    pub fn target(
        &mut self,
        key: &'static str,
        what: impl Into<String>,
        value: impl Into<Value>,
        target: &'static str,
        met: bool,
    ) {
        self.push(Row { key, what: what.into(), value: value.into(), target, met: Some(met) });
    }

    /// Adds a figure that explains others, and prints it.
    pub fn note(&mut self, key: &'static str, what: impl Into<String>, value: impl Into<Value>) {
        self.push(Row { key, what: what.into(), value: value.into(), target: "", met: None });
    }

    fn push(&mut self, row: Row) {
        let verdict = match row.met {
            Some(true) => "met",
            Some(false) => "MISSED",
            None => "",
        };
        println!("{:<74} {:>14}  {:<34} {verdict}", row.what, shown(&row.value), row.target);
        self.rows.push(row);
    }

    /// Whether every target is met.
    pub fn all_met(&self) -> bool {
        self.rows.iter().all(|row| row.met != Some(false))
    }

    /// One line of JSON.
    pub fn json(&self) -> String {
        let mut all = Map::new();
        for row in &self.rows {
            all.insert(row.key.to_owned(), row.value.clone());
        }
        let missed: Vec<Value> = self.rows.iter().filter(|r| r.met == Some(false)).map(|r| r.key.into()).collect();
        all.insert("missed".to_owned(), missed.into());
        Value::Object(all).to_string()
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Number(number) if number.is_f64() => format!("{:.3}", number.as_f64().unwrap_or_default()),
        Value::Number(number) => number.as_u64().map_or_else(|| number.to_string(), closemark_data::text::grouped),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The value below which a share of the sorted samples lies.
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(place.clamp(1, sorted.len().max(1)) - 1).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_samples() {
        let sorted: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!((quantile(&sorted, 0.5), quantile(&sorted, 0.99), quantile(&sorted, 1.0)), (50.0, 99.0, 100.0));
        assert!(quantile(&[], 0.5).is_nan());
    }

    #[test]
    fn the_last_line_says_what_was_missed() {
        let mut table = Table::default();
        table.target("a", "A", 1.5, "> 2", false);
        table.note("b", "B", 7);
        assert_eq!(table.json(), r#"{"a":1.5,"b":7,"missed":["a"]}"#);
        assert!(!table.all_met());
    }
}
