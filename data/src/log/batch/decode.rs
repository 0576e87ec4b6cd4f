//! Bytes into quotes. No I/O, and no trust in the bytes.

use super::content_digest;
use super::form::{
    ASK, ASK_IN_CENTS, ASK_SIZE, BID, BID_IN_CENTS, BID_SIZE, CENT, CURRENCY_BYTES_MAX, NUMBERED_BYTES_MAX,
    SAME_SYMBOL, SEQUENCE, TIME, UNITS,
};
use crate::log::limits::{BATCH_QUOTES_MAX, ID_BYTES_MAX, TEXT_CHARACTERS_MAX};
use crate::log::varint::Reader;

/// Longest text in a batch, bytes: a character has at most four.
const TEXT_BYTES_MAX: usize = TEXT_CHARACTERS_MAX * 4;

/// A payload that cannot be read though its checksum holds: written by something else, or damaged with its checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} cannot be read at byte {place} of the payload")]
pub struct PayloadFault {
    /// What cannot be read.
    pub what: &'static str,
    /// How far reading came, bytes.
    pub place: usize,
}

/// One quote as it stands in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoggedQuote<'a> {
    /// The symbol's number in this batch, from 0, for those of at most 64 bytes.
    pub symbol_number: Option<u32>,
    /// The symbol, trimmed.
    pub osi_symbol: &'a str,
    /// The venue's number in this batch, from 0, for those of at most 64 bytes.
    pub venue_number: Option<u32>,
    /// The venue, trimmed.
    pub venue: &'a str,
    /// Bid, millionths.
    pub bid: Option<i64>,
    /// Contracts bid for.
    pub bid_size: Option<u32>,
    /// Offer, millionths.
    pub ask: Option<i64>,
    /// Contracts offered.
    pub ask_size: Option<u32>,
    /// Nanoseconds since 1970-01-01T00:00:00Z.
    pub quote_time_unix_nanos: Option<i64>,
    /// The venue's own order.
    pub sequence: Option<u64>,
    /// Currency; empty means USD.
    pub currency: &'a str,
    /// The multiplier that the producer believes in.
    pub multiplier: Option<u32>,
}

/// Reads a batch's payload quote by quote.
#[derive(Clone, Debug)]
pub struct BatchReader<'a> {
    reader: Reader<'a>,
    content: &'a [u8],
    whole: usize,
    /// The producer.
    pub producer_id: &'a str,
    /// The batch's sequence.
    pub sequence: u64,
    /// When it came in, nanoseconds since 1970-01-01T00:00:00Z.
    pub received_unix_nanos: i64,
    /// Number of quotes in the batch.
    pub quotes: u32,
    left: u32,
    symbols: Vec<&'a str>,
    venues: Vec<&'a str>,
    last_symbol: Option<u32>,
    last_time: i64,
    last_sequence: u64,
    currency: &'a str,
    multiplier: Option<u32>,
}

impl<'a> BatchReader<'a> {
    /// Reads the batch's head.
    ///
    /// # Errors
    /// [`PayloadFault`] where the payload is no batch.
    pub fn new(payload: &'a [u8]) -> Result<Self, PayloadFault> {
        let mut reader = Reader(payload);
        let head = Self::head(&mut reader);
        let place = payload.len() - reader.0.len();
        let (producer_id, sequence, received_unix_nanos, quotes) = head.map_err(|what| PayloadFault { what, place })?;
        // The number of quotes is the first four bytes of the content.
        let content = payload.get(place.saturating_sub(4)..).unwrap_or_default();
        Ok(Self {
            reader,
            content,
            whole: payload.len(),
            producer_id,
            sequence,
            received_unix_nanos,
            quotes,
            left: quotes,
            symbols: Vec::new(),
            venues: Vec::new(),
            last_symbol: None,
            last_time: 0,
            last_sequence: 0,
            currency: "",
            multiplier: None,
        })
    }

    /// The digest of the content, as the encoder makes it.
    pub(in crate::log) fn digest(&self) -> u64 {
        content_digest(self.content)
    }

    fn head(reader: &mut Reader<'a>) -> Result<(&'a str, u64, i64, u32), &'static str> {
        let producer_id = text(reader, ID_BYTES_MAX).filter(|id| !id.is_empty()).ok_or("the producer")?;
        let sequence = reader.number().filter(|sequence| *sequence > 0).ok_or("the sequence")?;
        let received = reader.signed().ok_or("the time of receipt")?;
        let quotes = reader.array().map(u32::from_le_bytes).ok_or("the number of quotes")?;
        if quotes as usize > BATCH_QUOTES_MAX {
            return Err("the number of quotes");
        }
        Ok((producer_id, sequence, received, quotes))
    }

    /// The next quote; `None` behind the last.
    ///
    /// # Errors
    /// [`PayloadFault`] where the bytes are no quote, or more follow the last.
    #[inline]
    pub fn next_quote(&mut self) -> Result<Option<LoggedQuote<'a>>, PayloadFault> {
        let read = if self.left > 0 {
            self.left -= 1;
            self.quote().map(Some)
        } else if self.reader.is_empty() {
            Ok(None)
        } else {
            Err("what stands behind the last quote")
        };
        read.map_err(|what| PayloadFault { what, place: self.whole - self.reader.0.len() })
    }

    #[inline]
    fn quote(&mut self) -> Result<LoggedQuote<'a>, &'static str> {
        let [first, second] = self.reader.array().ok_or("flags")?;
        if second & !(SEQUENCE | UNITS) != 0 {
            return Err("flags");
        }
        let (symbol_number, osi_symbol) = if first & SAME_SYMBOL != 0 {
            let number = self.last_symbol.ok_or("a symbol")?;
            (Some(number), *self.symbols.get(number as usize).ok_or("a symbol")?)
        } else {
            numbered(&mut self.reader, &mut self.symbols).ok_or("a symbol")?
        };
        self.last_symbol = symbol_number;
        let (venue_number, venue) = numbered(&mut self.reader, &mut self.venues).ok_or("a venue")?;
        let bid = self.price(first, BID, BID_IN_CENTS).ok_or("a bid")?;
        let bid_size = self.size(first & BID_SIZE != 0).ok_or("a bid size")?;
        let ask = self.price(first, ASK, ASK_IN_CENTS).ok_or("an offer")?;
        let ask_size = self.size(first & ASK_SIZE != 0).ok_or("an offer's size")?;
        let mut quote_time_unix_nanos = None;
        if first & TIME != 0 {
            self.last_time = self.last_time.wrapping_add(self.reader.signed().ok_or("a time")?);
            quote_time_unix_nanos = Some(self.last_time);
        }
        let mut sequence = None;
        if second & SEQUENCE != 0 {
            self.last_sequence = self.last_sequence.wrapping_add(self.reader.signed().ok_or("a sequence")? as u64);
            sequence = Some(self.last_sequence);
        }
        if second & UNITS != 0 {
            let multiplier = self.reader.number().ok_or("a multiplier")?;
            self.multiplier = match multiplier.checked_sub(1) {
                None => None,
                Some(multiplier) => Some(u32::try_from(multiplier).map_err(|_| "a multiplier")?),
            };
            self.currency = text(&mut self.reader, CURRENCY_BYTES_MAX).ok_or("a currency")?;
        }
        let (currency, multiplier) = (self.currency, self.multiplier);
        Ok(LoggedQuote {
            symbol_number,
            osi_symbol,
            venue_number,
            venue,
            bid,
            bid_size,
            ask,
            ask_size,
            quote_time_unix_nanos,
            sequence,
            currency,
            multiplier,
        })
    }

    #[inline]
    fn price(&mut self, flags: u8, there: u8, in_cents: u8) -> Option<Option<i64>> {
        match (flags & there != 0, flags & in_cents != 0) {
            (false, false) => Some(None),
            (false, true) => None,
            (true, false) => self.reader.signed().map(Some),
            (true, true) => i64::try_from(self.reader.number()?).ok()?.checked_mul(CENT).map(Some),
        }
    }

    #[inline]
    fn size(&mut self, there: bool) -> Option<Option<u32>> {
        if !there {
            return Some(None);
        }
        u32::try_from(self.reader.number()?).ok().map(Some)
    }
}

/// A text by its number, or a new one.
#[inline]
fn numbered<'a>(reader: &mut Reader<'a>, known: &mut Vec<&'a str>) -> Option<(Option<u32>, &'a str)> {
    let code = reader.number()?;
    match code.checked_sub(1) {
        Some(number) => {
            let number = u32::try_from(number).ok()?;
            Some((Some(number), *known.get(number as usize)?))
        }
        None => {
            let text = text(reader, TEXT_BYTES_MAX)?;
            if text.len() > NUMBERED_BYTES_MAX {
                return Some((None, text));
            }
            known.push(text);
            Some((Some(known.len() as u32 - 1), text))
        }
    }
}

fn text<'a>(reader: &mut Reader<'a>, longest: usize) -> Option<&'a str> {
    let length = usize::try_from(reader.number()?).ok().filter(|length| *length <= longest)?;
    std::str::from_utf8(reader.bytes(length)?).ok()
}
