//! What a contract delivers, from text such as `100 XYZ + 12.5 USD`.

use closemark_pricing::series::Deliverable;

use super::number::plain_number;

/// The deliverable of a standard contract.
pub(crate) fn standard(multiplier: u32, underlying: &str) -> Deliverable {
    Deliverable {
        text: format!("{multiplier} {underlying}"),
        shares: f64::from(multiplier),
        cash: 0.0,
        standard: true,
        priceable: true,
    }
}

/// The deliverable of an adjusted contract that nothing describes.
pub(crate) fn unknown() -> Deliverable {
    Deliverable { text: "UNKNOWN".to_owned(), shares: 0.0, cash: 0.0, standard: false, priceable: false }
}

/// Reads a deliverable: parts joined by `+`, each an amount and what is delivered. `None` where it is no such text.
///
/// Goods other than the underlying and the contract's currency are kept in the text, but such a contract has no
/// model price. The canonical text names the underlying, then the cash, then other goods by name.
pub(crate) fn parse(text: &str, underlying: &str, currency: &str, multiplier: u32) -> Option<Deliverable> {
    let (mut shares, mut cash) = (0.0, 0.0);
    let mut others: Vec<(String, f64)> = Vec::new();
    for part in text.split('+') {
        let mut words = part.split_whitespace();
        let (amount, what) = (plain_number(words.next()?)?, words.next()?);
        let sane = (0.0..=1e9).contains(&amount) && what.len() <= 32 && words.next().is_none();
        if !sane {
            return None;
        }
        if what == underlying {
            shares += amount;
        } else if what == currency {
            cash += amount;
        } else {
            others.push((what.to_owned(), amount));
        }
    }
    if shares + cash <= 0.0 && others.is_empty() {
        return None;
    }
    others.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let mut parts = Vec::new();
    if shares > 0.0 {
        parts.push(format!("{shares} {underlying}"));
    }
    if cash > 0.0 {
        parts.push(format!("{cash} {currency}"));
    }
    parts.extend(others.iter().map(|(what, amount)| format!("{amount} {what}")));
    let plain = others.is_empty();
    Some(Deliverable {
        text: parts.join(" + "),
        shares,
        cash,
        standard: plain && cash == 0.0 && shares == f64::from(multiplier),
        priceable: plain && shares > 0.0,
    })
}

#[cfg(test)]
mod tests {
    use super::{parse, standard};

    #[test]
    fn parts_in_any_order_have_one_text() {
        let a = parse("100 XYZ + 12.5 USD", "XYZ", "USD", 100).unwrap();
        assert_eq!(Some(&a), parse(" 12.50 USD+100 XYZ ", "XYZ", "USD", 100).as_ref());
        assert_eq!((a.text.as_str(), a.shares, a.cash), ("100 XYZ + 12.5 USD", 100.0, 12.5));
        assert!(!a.standard && a.priceable);
        assert_eq!(parse("100 XYZ", "XYZ", "USD", 100), Some(standard(100, "XYZ")));
        let basket = parse("50 ABC + 100 XYZ", "XYZ", "USD", 100).unwrap();
        assert!(!basket.priceable && basket.text == "100 XYZ + 50 ABC");
        assert!(!parse("5 XYZ", "XYZ", "USD", 100).unwrap().standard);
        for text in ["", "XYZ", "100", "x XYZ", "-1 XYZ", "1 XYZ ABC", "0 USD"] {
            assert_eq!(parse(text, "XYZ", "USD", 100), None, "{text}");
        }
    }
}
