//! A batch of quotes in the log's form: encoded on any thread, appended by the one that owns the log.
//!
//! Nothing that can be written down is refused: a quote with a bad price, an unknown venue or a malformed symbol is kept
//! as it came, because the close publishes it as a row of `exceptions`, exactly as it does for a folder's row. The
//! producer is told all the same ([`EncodedBatch::refused`]).

mod decode;
mod encode;
mod form;

use closemark_pricing::series::Date;

pub use decode::{BatchReader, LoggedQuote, PayloadFault};
pub use encode::BatchEncoder;
pub(super) use encode::check_id;

/// Who sends a batch, and which one it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHead<'a> {
    /// The producer: 1 to [`ID_BYTES_MAX`](super::ID_BYTES_MAX) visible ASCII characters.
    pub producer_id: &'a str,
    /// Ascending by one from 1 for each producer and market date.
    pub sequence: u64,
    /// The day that the quotes belong to.
    pub market_date: Date,
    /// When it came in, nanoseconds since 1970-01-01T00:00:00Z; kept for people, read by no close.
    pub received_unix_nanos: i64,
}

/// One quote as a producer gives it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IncomingQuote<'a> {
    /// OSI symbol, or an opaque one that reference records describe.
    pub osi_symbol: &'a str,
    /// MIC, OPRA letter, name, or `NBBO`.
    pub venue: &'a str,
    /// Bid per share, millionths; none or zero is no interest.
    pub bid: Option<i64>,
    /// Contracts bid for; none = unknown.
    pub bid_size: Option<u32>,
    /// Offer per share, millionths.
    pub ask: Option<i64>,
    /// Contracts offered.
    pub ask_size: Option<u32>,
    /// When the venue said so, nanoseconds since 1970-01-01T00:00:00Z; none = unknown.
    pub quote_time_unix_nanos: Option<i64>,
    /// The venue's own order of quotes of one time.
    pub sequence: Option<u64>,
    /// Currency of the prices; empty means USD. A close drops a quote in another currency than its series'.
    pub currency: &'a str,
    /// The multiplier that the producer believes in; a close drops the quote where its series has another.
    pub multiplier: Option<u32>,
}

/// A quote that no close will use, by its own content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefusedRow {
    /// Place in its batch, from 0.
    pub index: u32,
    /// The word that its row of `exceptions` will carry: MALFORMED_SYMBOL, UNKNOWN_VENUE, BAD_PRICE or MALFORMED_ROW.
    pub reason: &'static str,
}

/// Most refused rows that an [`EncodedBatch`] lists.
pub const REFUSED_LISTED_MAX: usize = 100;

/// A batch ready to be appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedBatch {
    pub(super) producer_id: String,
    pub(super) sequence: u64,
    pub(super) market_date: Date,
    pub(super) quotes: u32,
    pub(super) payload: Vec<u8>,
    /// Of the content: the same for the same quotes, whenever they came.
    pub(super) digest: u64,
    /// The first rows that no close will use, at most [`REFUSED_LISTED_MAX`].
    pub refused: Vec<RefusedRow>,
    /// How many there are in all.
    pub refused_count: u32,
    /// How many of them for each reason, in the order in which the reasons came up.
    pub refused_by_reason: Vec<(&'static str, u32)>,
}

/// The digest of a batch's content: the first 8 bytes of blake3 of what stands behind the time of receipt. It tells a
/// retry from a mistake; it is no protection from somebody who looks for two contents of one digest.
pub(super) fn content_digest(content: &[u8]) -> u64 {
    blake3::hash(content).as_bytes().first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

impl EncodedBatch {
    /// Number of quotes, refused ones included.
    pub fn quotes(&self) -> u32 {
        self.quotes
    }

    /// Size in the log, bytes.
    pub fn bytes(&self) -> usize {
        self.payload.len() + super::frame::HEADER_BYTES
    }

    /// The day that the quotes belong to.
    pub fn market_date(&self) -> Date {
        self.market_date
    }

    /// The batch's sequence.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The producer.
    pub fn producer_id(&self) -> &str {
        &self.producer_id
    }
}
