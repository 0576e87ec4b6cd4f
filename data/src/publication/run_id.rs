//! The name of a run: what went in decides it.

use closemark_pricing::price::Price;
use serde::{Deserialize, Serialize};

/// A mark that a person fixed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverrideRecord {
    /// The series.
    pub osi_symbol: String,
    /// The price, millionths.
    pub mark_micros: i64,
    /// Who asked for it.
    pub author: String,
    /// Why.
    pub reason: String,
}

impl OverrideRecord {
    /// The price.
    pub fn mark(&self) -> Price {
        Price::from_micros(self.mark_micros)
    }
}

/// What a run id is made from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RunInputs<'a> {
    /// Digest of the canonical inputs.
    pub input_digest: &'a str,
    /// Canonical text of the settings, with every flag that changes a published byte.
    pub settings_text: &'a str,
    /// Version of the method.
    pub method_version: &'a str,
    /// The run this one is built on, where there is one.
    pub base_run: Option<&'a str>,
    /// Marks that people fixed; their order does not matter.
    pub overrides: &'a [OverrideRecord],
}

/// The first 16 hex digits of blake3 over the inputs.
///
/// # Formula
/// blake3 of the fields `closemark run`, input digest, settings, method version, base run (empty without one) and,
/// sorted, each override's symbol, price in millionths, author and reason; each field preceded by its length in bytes
/// as 8 little-endian bytes, so that no two lists of fields read alike.
pub fn run_id(inputs: &RunInputs<'_>) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut field = |text: &str| {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    };
    field("closemark run");
    field(inputs.input_digest);
    field(inputs.settings_text);
    field(inputs.method_version);
    field(inputs.base_run.unwrap_or_default());
    let mut overrides: Vec<_> = inputs
        .overrides
        .iter()
        .map(|o| (o.osi_symbol.as_str(), o.mark_micros, o.author.as_str(), o.reason.as_str()))
        .collect();
    overrides.sort_unstable();
    for (symbol, micros, author, reason) in overrides {
        field(symbol);
        field(&micros.to_string());
        field(author);
        field(reason);
    }
    hasher.finalize().to_hex().chars().take(16).collect()
}

/// Whether a text has the form of a run id; anything else never becomes a path.
pub fn is_run_id(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> RunInputs<'static> {
        RunInputs { input_digest: "ab", settings_text: "x = 1", method_version: "1", base_run: None, overrides: &[] }
    }

    #[test]
    fn every_input_moves_the_id_and_the_order_of_overrides_does_not() {
        let record = |symbol: &str| OverrideRecord {
            osi_symbol: symbol.to_owned(),
            mark_micros: 1,
            author: "a".to_owned(),
            reason: "r".to_owned(),
        };
        let (ab, ba) = ([record("A"), record("B")], [record("B"), record("A")]);
        let ids = [
            run_id(&base()),
            run_id(&RunInputs { input_digest: "abx", settings_text: " = 1", ..base() }),
            run_id(&RunInputs { settings_text: "x = 2", ..base() }),
            run_id(&RunInputs { method_version: "2", ..base() }),
            run_id(&RunInputs { base_run: Some("0123456789abcdef"), ..base() }),
            run_id(&RunInputs { overrides: &ab, ..base() }),
        ];
        for (i, id) in ids.iter().enumerate() {
            assert!(is_run_id(id), "{id}");
            assert!(!ids[..i].contains(id));
        }
        assert_eq!(ids[5], run_id(&RunInputs { overrides: &ba, ..base() }));
    }

    #[test]
    fn nothing_but_sixteen_hex_digits_is_a_run_id() {
        for text in ["", "../../etc/passwd", "0123456789abcdeF", "0123456789abcdef0", "0123456789abcde/"] {
            assert!(!is_run_id(text));
        }
    }
}
