//! Numbers as people read them in a terminal.

use closemark_pricing::Price;

/// Digits in groups of three.
pub(crate) fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A fraction in percent; a dash where there is none.
pub(crate) fn percent(value: Option<f64>, decimals: usize) -> String {
    value.filter(|v| v.is_finite()).map_or("-".to_owned(), |v| format!("{:.decimals$} %", 100.0 * v))
}

/// A number; a dash where there is none.
pub(crate) fn number(value: Option<f64>, decimals: usize) -> String {
    value.filter(|v| v.is_finite()).map_or("-".to_owned(), |v| format!("{v:.decimals$}"))
}

/// A quoted price with what it carries, at least two decimals.
pub(crate) fn money(price: Option<Price>) -> String {
    let Some(price) = price else { return "-".to_owned() };
    let text = price.to_string();
    let short = text.trim_end_matches('0');
    match short.rsplit_once('.') {
        Some((_, decimals)) if decimals.len() >= 2 => short.to_owned(),
        _ => format!("{:.2}", price.to_f64()),
    }
}

/// `count thing` or `count things`.
pub(crate) fn counted(count: u64, thing: &str) -> String {
    format!("{} {thing}{}", grouped(count), if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::{counted, grouped, money, percent};
    use closemark_pricing::Price;

    #[test]
    fn numbers_read_as_written_by_hand() {
        assert_eq!([grouped(0), grouped(999), grouped(1_750_000)], ["0", "999", "1,750,000"].map(str::to_owned));
        assert_eq!(percent(Some(0.99754), 2), "99.75 %");
        assert_eq!(money(Some(Price::from_micros(1_500_000))), "1.50");
        assert_eq!(money(Some(Price::from_micros(1_502_500))), "1.5025");
        assert_eq!(money(Some(Price::from_micros(645_000_000))), "645.00");
        assert_eq!(counted(1, "slice"), "1 slice");
    }
}
