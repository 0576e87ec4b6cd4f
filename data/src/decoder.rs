//! Other people's decoders, kept from ending the process over a damaged file.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// What is said of a file whose decoder gave up.
pub(crate) const GAVE_UP: &str = "is damaged: the Parquet decoder gave up";

/// Runs a decoder; `None` where it panicked.
///
/// The Parquet decoder promises errors, not panics, for damaged files; this makes the promise ours. Whatever `decode`
/// was filling is half-filled then and must not be used.
pub(crate) fn caught<T>(decode: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(decode)).ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_decoder_that_panics_says_nothing() {
        let broken: &[u8] = b"PAR1";
        assert_eq!(super::caught(|| broken[..4].len()), Some(4));
        assert_eq!(super::caught(|| broken[..broken.len() + 1].len()), None);
    }
}
