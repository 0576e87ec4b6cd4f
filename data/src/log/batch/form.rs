//! The form of a batch: what each bit of a quote's two flag bytes says.
//!
//! A batch is the producer's id (length, bytes), its sequence, the time of receipt, the number of quotes (u32), and the
//! quotes. A quote is two flag bytes and the fields that they announce, in the order of the flags. Symbols and venues
//! are numbered in the order of their first appearance in the batch: 0 announces a new text, n the n-th one.

/// The symbol is the last quote's.
pub(super) const SAME_SYMBOL: u8 = 1 << 0;
/// A bid follows.
pub(super) const BID: u8 = 1 << 1;
/// It is a whole number of cents, without sign.
pub(super) const BID_IN_CENTS: u8 = 1 << 2;
/// A bid size follows.
pub(super) const BID_SIZE: u8 = 1 << 3;
/// An offer follows.
pub(super) const ASK: u8 = 1 << 4;
/// It is a whole number of cents, without sign.
pub(super) const ASK_IN_CENTS: u8 = 1 << 5;
/// An offer's size follows.
pub(super) const ASK_SIZE: u8 = 1 << 6;
/// A time follows, as the difference from the last one given.
pub(super) const TIME: u8 = 1 << 7;

/// A sequence follows, as the difference from the last one given.
pub(super) const SEQUENCE: u8 = 1 << 0;
/// The currency and multiplier change, for this quote and those after it.
pub(super) const UNITS: u8 = 1 << 1;

/// Millionths in a cent.
pub(super) const CENT: i64 = 10_000;
/// A symbol or venue longer than this is not numbered: each appearance carries its text.
pub(super) const NUMBERED_BYTES_MAX: usize = 64;
/// Longest currency that is kept, bytes; a longer one is cut, and is no currency either way.
pub(super) const CURRENCY_BYTES_MAX: usize = 16;
