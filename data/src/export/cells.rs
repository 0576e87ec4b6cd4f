//! Numbers and texts as the files write them.

use std::borrow::Cow;

use closemark_pricing::Price;

/// A decimal without trailing zeros: 12.5, 100, -0.000001.
pub(super) fn decimal(price: Price) -> String {
    let text = price.to_string();
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A share in 10^-12 as a decimal fraction.
pub(super) fn share(units: i64) -> String {
    let sign = if units < 0 { "-" } else { "" };
    let text =
        format!("{sign}{}.{:012}", units.unsigned_abs() / 1_000_000_000_000, units.unsigned_abs() % 1_000_000_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A number with eight decimals; empty where there is none.
pub(super) fn number(value: Option<f64>) -> String {
    // Adding zero turns -0 into 0.
    value.filter(|v| v.is_finite()).map_or(String::new(), |v| format!("{:.8}", v + 0.0))
}

/// Text of a caller's in a CSV: what a spreadsheet would take for a formula has an apostrophe before it.
pub(super) fn inert(text: &str) -> Cow<'_, str> {
    let first = text.trim_start_matches(' ').chars().next();
    match first {
        Some('=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '|' | '%') => Cow::Owned(format!("'{text}")),
        _ => Cow::Borrowed(text),
    }
}

/// Text of a caller's in an attribute of an XML document. What XML 1.0 cannot carry becomes a question mark.
pub(super) fn attribute(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\t' | '\n' | '\r' => out.push_str(&format!("&#{};", c as u32)),
            c if c < ' ' || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('?'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{attribute, decimal, inert, number, share};
    use closemark_pricing::Price;

    #[test]
    fn numbers_are_plain_decimals() {
        assert_eq!(decimal(Price::from_micros(12_500_000)), "12.5");
        assert_eq!(decimal(Price::from_micros(100_000_000)), "100");
        assert_eq!(decimal(Price::from_micros(-1)), "-0.000001");
        assert_eq!((share(-150_000_000_000).as_str(), share(1_000_000_000_000).as_str()), ("-0.15", "1"));
        assert_eq!(
            (number(Some(-0.0)), number(None), number(Some(f64::NAN))),
            ("0.00000000".to_owned(), String::new(), String::new())
        );
    }

    #[test]
    fn no_text_is_a_formula_and_none_breaks_an_attribute() {
        for bad in ["=1+1", "+A1", "-2", "@SUM(A1)", "\t=1", "  =1", "\r=1", "|cmd", "%x"] {
            assert!(inert(bad).starts_with('\''), "{bad:?}");
        }
        assert_eq!(inert("AAPL  261218C00100000"), "AAPL  261218C00100000");
        assert_eq!(attribute("a<b>&\"'\n\u{1}"), "a&lt;b&gt;&amp;&quot;&apos;&#10;?");
    }
}
