//! Option symbols of the Options Symbology Initiative, decoded from bytes and encoded into text.
//!
//! `SPXW  230914C04500000`: the root padded to six, yymmdd, C or P, the strike in thousandths on eight digits.
//! The form without padding, `SPXW230914C04500000`, is accepted.

use closemark_pricing::price::Price;
use closemark_pricing::series::Date;
use closemark_pricing::vocabulary::OptionType;

use crate::date;

/// The largest strike that eight digits of thousandths hold, in millionths.
const STRIKE_MAX_MICROS: i64 = 99_999_999 * 1_000;

/// A decoded symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OsiSymbol<'a> {
    /// One to six capital letters and digits.
    pub root: &'a str,
    /// Expiration date, in this century.
    pub expiration: Date,
    /// Call or put.
    pub option_type: OptionType,
    /// Strike per share, above zero.
    pub strike: Price,
}

/// Why bytes are no option symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OsiError {
    /// Neither 21 bytes nor a root of one to six followed by fifteen.
    #[error("{length} bytes; an option symbol has 21, or 16 to 21 without padding")]
    Length {
        /// Bytes given.
        length: usize,
    },
    /// The root is empty or holds something other than capital letters and digits.
    #[error("the root is not one to six capital letters and digits")]
    Root,
    /// The six digits after the root are no date.
    #[error("the expiration is not a date yymmdd")]
    Expiration,
    /// Neither C nor P.
    #[error("the type is neither C nor P")]
    OptionType,
    /// The strike is not eight digits above zero.
    #[error("the strike is not eight digits of thousandths above zero")]
    Strike,
}

/// Decodes a symbol; blanks are allowed only as the root's padding.
///
/// # Errors
/// See [`OsiError`]; whatever the bytes, nothing panics.
pub fn decode(symbol: &[u8]) -> Result<OsiSymbol<'_>, OsiError> {
    let length = symbol.len();
    let (root, terms) =
        length.checked_sub(15).and_then(|at| symbol.split_at_checked(at)).ok_or(OsiError::Length { length })?;
    if !(1..=6).contains(&root.len()) {
        return Err(OsiError::Length { length });
    }
    let padding = if root.len() == 6 { root.iter().rev().take_while(|byte| **byte == b' ').count() } else { 0 };
    let root = root.get(..root.len() - padding).unwrap_or(root);
    if root.is_empty() || !root.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()) {
        return Err(OsiError::Root);
    }
    let root = str::from_utf8(root).map_err(|_| OsiError::Root)?;
    let [y1, y2, m1, m2, d1, d2, kind, strike @ ..] = terms else {
        return Err(OsiError::Length { length });
    };
    let digits = |pair: [u8; 2]| date::number(&pair).ok_or(OsiError::Expiration);
    let (year, month, day) = (digits([*y1, *y2])?, digits([*m1, *m2])?, digits([*d1, *d2])?);
    let expiration = date::from_ymd(2000 + year as i32, month, day).ok_or(OsiError::Expiration)?;
    let option_type = match kind {
        b'C' => OptionType::Call,
        b'P' => OptionType::Put,
        _ => return Err(OsiError::OptionType),
    };
    let thousandths = date::number(strike).filter(|value| *value > 0).ok_or(OsiError::Strike)?;
    Ok(OsiSymbol { root, expiration, option_type, strike: Price::from_micros(i64::from(thousandths) * 1_000) })
}

/// Encodes the 21-character symbol; `None` where root, year or strike do not fit the form.
pub fn encode(root: &str, expiration: Date, option_type: OptionType, strike: Price) -> Option<String> {
    let fits = (1..=6).contains(&root.len()) && root.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    let (year, month, day) = date::to_ymd(expiration);
    let micros = strike.micros();
    let strike_fits = micros > 0 && micros <= STRIKE_MAX_MICROS && micros % 1_000 == 0;
    if !fits || !(2000..=2099).contains(&year) || !strike_fits {
        return None;
    }
    Some(format!("{root:<6}{:02}{month:02}{day:02}{option_type}{:08}", year - 2000, micros / 1_000))
}

impl OsiSymbol<'_> {
    /// The 21-character form of this symbol.
    pub fn canonical(&self) -> Option<String> {
        encode(self.root, self.expiration, self.option_type, self.strike)
    }
}

#[cfg(test)]
mod tests {
    use super::{OsiError, decode, encode};
    use crate::date;
    use closemark_pricing::price::Price;
    use closemark_pricing::vocabulary::OptionType;
    use proptest::prelude::*;

    #[test]
    fn reads_both_forms_of_a_symbol_from_the_standard() {
        let padded = decode(b"SPXW  230914C04500500").unwrap();
        assert_eq!(padded, decode(b"SPXW230914C04500500").unwrap());
        assert_eq!((padded.root, date::to_text(padded.expiration).as_str()), ("SPXW", "2023-09-14"));
        assert_eq!((padded.option_type, padded.strike), (OptionType::Call, Price::from_micros(4_500_500_000)));
    }

    #[test]
    fn names_what_is_wrong() {
        for (symbol, error) in [
            (&b"SPXW230914C0450000"[..], OsiError::Expiration),
            (b"", OsiError::Length { length: 0 }),
            (b"SPXW  230914C045000000", OsiError::Length { length: 22 }),
            (b"      230914C04500000", OsiError::Root),
            (b"spxw  230914C04500000", OsiError::Root),
            (b"SP XW 230914C04500000", OsiError::Root),
            (b"SPXW  230931C04500000", OsiError::Expiration),
            (b"SPXW  230914X04500000", OsiError::OptionType),
            (b"SPXW  230914C00000000", OsiError::Strike),
            (b"SPXW  230914C0450000x", OsiError::Strike),
        ] {
            assert_eq!(decode(symbol), Err(error), "{}", String::from_utf8_lossy(symbol));
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = decode(&bytes);
        }

        #[test]
        fn what_was_encoded_decodes(root in "[A-Z][A-Z0-9]{0,5}", days in 10_957i32..47_000, thousandths in 1i64..100_000_000, put: bool) {
            let option_type = if put { OptionType::Put } else { OptionType::Call };
            let strike = Price::from_micros(thousandths * 1_000);
            let expiration = closemark_pricing::series::Date(days);
            let text = encode(&root, expiration, option_type, strike).unwrap();
            prop_assert_eq!(text.len(), 21);
            let symbol = decode(text.as_bytes()).unwrap();
            prop_assert_eq!((symbol.root, symbol.expiration, symbol.option_type, symbol.strike), (root.as_str(), expiration, option_type, strike));
            let unpadded = text.replace(' ', "");
            prop_assert_eq!(decode(unpadded.as_bytes()).unwrap(), symbol);
            prop_assert_eq!(symbol.canonical().unwrap(), text);
        }
    }
}
