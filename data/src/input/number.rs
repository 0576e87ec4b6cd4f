//! Decimal text and binary numbers to whole millionths.

use closemark_pricing::price::Price;

/// Reads a number as a price without going through binary fractions: `12.345678`, sign and exponent allowed.
/// Digits beyond the sixth round to the nearest, ties to even. `None` for what is no number.
pub(crate) fn price_from_text(text: &str) -> Option<Price> {
    let text = text.trim();
    let (negative, digits) = match text.as_bytes() {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let mut micros: i64 = 0;
    let mut fraction: Option<u32> = None;
    let mut any = false;
    for byte in digits {
        match byte {
            b'0'..=b'9' if fraction.is_none_or(|places| places < 6) => {
                micros = micros.checked_mul(10)?.checked_add(i64::from(byte - b'0'))?;
                fraction = fraction.map(|places| places + 1);
                any = true;
            }
            b'.' if fraction.is_none() => fraction = Some(0),
            // Longer fractions and exponents are rare enough for the general parser.
            _ => return Price::nearest(plain_number(text)?),
        }
    }
    if !any {
        return None;
    }
    for _ in fraction.unwrap_or(0)..6 {
        micros = micros.checked_mul(10)?;
    }
    Some(Price::from_micros(if negative { -micros } else { micros }))
}

/// Reads a finite number; words such as `inf` and `nan` are none.
pub(crate) fn plain_number(text: &str) -> Option<f64> {
    let text = text.trim();
    let plain = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+' | b'e' | b'E'));
    text.parse().ok().filter(|value: &f64| plain && value.is_finite())
}

/// Rescales a decimal of `scale` places to millionths, ties to even; `None` where it does not fit.
pub(crate) fn micros_from_decimal(value: i128, scale: i8) -> Option<i64> {
    let shift = i32::from(scale) - 6;
    if shift <= 0 {
        let factor = 10i128.checked_pow(shift.unsigned_abs())?;
        return i64::try_from(value.checked_mul(factor)?).ok();
    }
    let unit = 10i128.checked_pow(shift.unsigned_abs())?;
    let (quotient, rest) = (value.div_euclid(unit), value.rem_euclid(unit));
    let half = unit / 2;
    let up = rest > half || (rest == half && quotient % 2 != 0);
    i64::try_from(quotient + i128::from(up)).ok()
}

#[cfg(test)]
mod tests {
    use super::{micros_from_decimal, price_from_text};
    use proptest::prelude::*;

    #[test]
    fn text_to_millionths() {
        for (text, micros) in [
            ("1.5", Some(1_500_000)),
            ("0.000001", Some(1)),
            ("-2", Some(-2_000_000)),
            (".5", Some(500_000)),
            ("1e2", Some(100_000_000)),
            ("1.00000049", Some(1_000_000)),
            ("", None),
            (".", None),
            ("NaN", None),
            ("inf", None),
            ("1.2.3", None),
            ("0x10", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(price_from_text(text).map(|p| p.micros()), micros, "{text}");
        }
    }

    #[test]
    fn decimals_of_any_scale() {
        assert_eq!(micros_from_decimal(12_345, 2), Some(123_450_000));
        assert_eq!(micros_from_decimal(1_234_565, 7), Some(123_456));
        assert_eq!(micros_from_decimal(1_234_575, 7), Some(123_458));
        assert_eq!(micros_from_decimal(-15, 7), Some(-2));
        assert_eq!(micros_from_decimal(i128::MAX, 0), None);
        assert_eq!(micros_from_decimal(i128::MAX, i8::MAX), None);
        assert_eq!(micros_from_decimal(5, -3), Some(5_000_000_000));
    }

    proptest! {
        #[test]
        fn agrees_with_binary_parsing(text in "-?[0-9]{1,9}(\\.[0-9]{0,6})?") {
            let value: f64 = text.parse().unwrap();
            prop_assert_eq!(price_from_text(&text).unwrap().micros(), (value * 1e6).round() as i64);
        }

        #[test]
        fn any_text_is_survived(text in ".{0,30}") {
            let _ = price_from_text(&text);
        }
    }
}
