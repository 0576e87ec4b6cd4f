//! A batch read where it lies: the fields of an `IngestQuotesRequest` out of the message's bytes, without a copy of a text.
//!
//! The forms are those of the Protocol Buffers encoding: a later value of a field wins, parts of a message merge, fields
//! that nobody knows are passed over. Groups are refused: proto3 writes none.

use std::cell::Cell;

use closemark_data::log::IncomingQuote;

/// Bytes that are no `IngestQuotesRequest`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message is no IngestQuotesRequest: {0}")]
pub(crate) struct WireError(&'static str);

const CUT: WireError = WireError("it ends within a field");
const VARINT: WireError = WireError("a number has more than 64 bits");
const KIND: WireError = WireError("a field has the wrong wire type");
const KEY: WireError = WireError("a field has no number");
const TEXT: WireError = WireError("a text is no UTF-8");

/// One field as it lies: its number and its content.
enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    /// Four or eight bytes that no field here has.
    Fixed,
}

impl<'a> Field<'a> {
    fn number(self) -> Result<u64, WireError> {
        if let Self::Number(value) = self { Ok(value) } else { Err(KIND) }
    }

    fn bytes(self) -> Result<&'a [u8], WireError> {
        if let Self::Bytes(value) = self { Ok(value) } else { Err(KIND) }
    }

    fn text(self) -> Result<&'a str, WireError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| TEXT)
    }
}

/// What is left of a message.
#[derive(Clone, Copy)]
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    #[inline]
    fn varint(&mut self) -> Result<u64, WireError> {
        let mut value = 0_u64;
        for place in 0..10 {
            let (&byte, rest) = self.0.split_first().ok_or(CUT)?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << (7 * place);
            if byte < 0x80 {
                // The tenth byte holds one bit.
                return if place == 9 && byte > 1 { Err(VARINT) } else { Ok(value) };
            }
        }
        Err(VARINT)
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], WireError> {
        let length = usize::try_from(length).map_err(|_| CUT)?;
        let (taken, rest) = self.0.split_at_checked(length).ok_or(CUT)?;
        self.0 = rest;
        Ok(taken)
    }

    /// The next field, `None` at the end.
    #[inline]
    fn next(&mut self) -> Result<Option<(u32, Field<'a>)>, WireError> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let key = u32::try_from(self.varint()?).map_err(|_| KEY)?;
        let (number, kind) = (key >> 3, key & 7);
        if number == 0 {
            return Err(KEY);
        }
        let field = match kind {
            0 => Field::Number(self.varint()?),
            2 => {
                let length = self.varint()?;
                Field::Bytes(self.take(length)?)
            }
            1 => self.take(8).map(|_| Field::Fixed)?,
            5 => self.take(4).map(|_| Field::Fixed)?,
            _ => return Err(KIND),
        };
        Ok(Some((number, field)))
    }
}

/// A batch's head, and where its quotes lie.
#[derive(Clone, Copy)]
pub(crate) struct WireBatch<'a> {
    pub(crate) producer_id: &'a str,
    pub(crate) sequence: u64,
    pub(crate) market_date: &'a str,
    /// How many quotes there are.
    pub(crate) count: usize,
    message: Reader<'a>,
}

impl<'a> WireBatch<'a> {
    /// Reads the head; quotes are only counted.
    ///
    /// # Errors
    /// [`WireError`] where the bytes are no such message, as far as they are looked at.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, WireError> {
        let mut batch = Self { producer_id: "", sequence: 0, market_date: "", count: 0, message: Reader(bytes) };
        let mut reader = batch.message;
        while let Some((number, field)) = reader.next()? {
            match number {
                1 => batch.producer_id = field.text()?,
                2 => batch.sequence = field.number()?,
                3 => batch.market_date = field.text()?,
                4 => {
                    field.bytes()?;
                    batch.count += 1;
                }
                _ => {}
            }
        }
        Ok(batch)
    }

    /// The quotes in their order. Where one is no quote they end, and `failed` says why.
    pub(crate) fn quotes(self, failed: &'a Cell<Option<WireError>>) -> impl Iterator<Item = IncomingQuote<'a>> {
        let mut reader = self.message;
        std::iter::from_fn(move || {
            loop {
                let read = match reader.next() {
                    Ok(None) => return None,
                    Ok(Some((4, field))) => field.bytes().and_then(quote),
                    Ok(Some(_)) => continue,
                    Err(error) => Err(error),
                };
                match read {
                    Ok(quote) => return Some(quote),
                    Err(error) => {
                        failed.set(Some(error));
                        return None;
                    }
                }
            }
        })
    }
}

fn quote(bytes: &[u8]) -> Result<IncomingQuote<'_>, WireError> {
    let mut quote = IncomingQuote::default();
    let mut reader = Reader(bytes);
    while let Some((number, field)) = reader.next()? {
        match number {
            1 => quote.osi_symbol = field.text()?,
            2 => quote.venue = field.text()?,
            3 => quote.bid = Some(micros(field.bytes()?, quote.bid)?),
            // A number of 32 bits is the low half of what stands there.
            4 => quote.bid_size = Some(field.number()? as u32),
            5 => quote.ask = Some(micros(field.bytes()?, quote.ask)?),
            6 => quote.ask_size = Some(field.number()? as u32),
            7 => quote.quote_time_unix_nanos = Some(field.number()? as i64),
            8 => quote.sequence = Some(field.number()?),
            9 => quote.currency = field.text()?,
            10 => quote.multiplier = Some(field.number()? as u32),
            _ => {}
        }
    }
    Ok(quote)
}

/// A `Decimal`, merged into what stood in the field before.
fn micros(bytes: &[u8], before: Option<i64>) -> Result<i64, WireError> {
    let mut value = before.unwrap_or(0);
    let mut reader = Reader(bytes);
    while let Some((number, field)) = reader.next()? {
        if number == 1 {
            value = field.number()? as i64;
        }
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use closemark_proto::v1::{Decimal, IngestQuotesRequest, Quote};
    use prost::Message;

    use super::WireBatch;

    /// The message as this file reads it, in prost's types.
    fn read(bytes: &[u8]) -> Option<IngestQuotesRequest> {
        let batch = WireBatch::read(bytes).ok()?;
        let failed = Cell::new(None);
        let decimal = |micros: Option<i64>| micros.map(|micros| Decimal { micros });
        let quotes: Vec<Quote> = batch
            .quotes(&failed)
            .map(|quote| Quote {
                osi_symbol: quote.osi_symbol.to_owned(),
                venue: quote.venue.to_owned(),
                bid: decimal(quote.bid),
                bid_size: quote.bid_size,
                ask: decimal(quote.ask),
                ask_size: quote.ask_size,
                quote_time_unix_nanos: quote.quote_time_unix_nanos,
                venue_sequence: quote.sequence,
                currency: quote.currency.to_owned(),
                multiplier: quote.multiplier,
            })
            .collect();
        if failed.get().is_some() {
            return None;
        }
        assert_eq!(quotes.len(), batch.count);
        Some(IngestQuotesRequest {
            producer_id: batch.producer_id.to_owned(),
            sequence: batch.sequence,
            market_date: batch.market_date.to_owned(),
            quotes,
        })
    }

    /// Numbers from a seed (SplitMix64).
    fn next(state: &mut u64) -> u64 {
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn message(state: &mut u64) -> IngestQuotesRequest {
        let text =
            |state: &mut u64| ["", "XCBO", "XYZ   261218C00100000", "\u{20ac}"][next(state) as usize % 4].to_owned();
        let maybe = |state: &mut u64| (!next(state).is_multiple_of(3)).then(|| next(state) >> (next(state) % 64));
        let quotes = (0..next(state) % 4)
            .map(|_| Quote {
                osi_symbol: text(state),
                venue: text(state),
                bid: maybe(state).map(|micros| Decimal { micros: micros as i64 }),
                bid_size: maybe(state).map(|size| size as u32),
                ask: maybe(state).map(|micros| Decimal { micros: micros as i64 }),
                ask_size: maybe(state).map(|size| size as u32),
                quote_time_unix_nanos: maybe(state).map(|time| time as i64),
                venue_sequence: maybe(state),
                currency: text(state),
                multiplier: maybe(state).map(|size| size as u32),
            })
            .collect();
        IngestQuotesRequest { producer_id: text(state), sequence: next(state), market_date: text(state), quotes }
    }

    #[test]
    fn whole_damaged_and_joined_messages_are_read_as_prost_reads_them() {
        let mut state = 7;
        let (mut whole, mut refused) = (0, 0);
        for _ in 0..20_000 {
            let one = message(&mut state);
            let mut bytes = one.encode_to_vec();
            assert_eq!(read(&bytes).as_ref(), Some(&one));
            // A message behind another merges into it.
            bytes.extend(message(&mut state).encode_to_vec());
            for _ in 0..next(&mut state) % 3 {
                let place = next(&mut state) as usize % bytes.len().max(1);
                if let Some(byte) = bytes.get_mut(place) {
                    *byte ^= 1 << (next(&mut state) % 8);
                }
            }
            if next(&mut state).is_multiple_of(4) {
                bytes.truncate(next(&mut state) as usize % (bytes.len() + 1));
            }
            let theirs = IngestQuotesRequest::decode(bytes.as_slice()).ok();
            match read(&bytes) {
                // Groups, which prost passes over, are refused here; nothing else is.
                None => refused += u32::from(theirs.is_none()),
                ours => {
                    assert_eq!(ours, theirs, "{bytes:?}");
                    whole += 1;
                }
            }
        }
        assert!(whole > 5_000 && refused > 1_000, "{whole} {refused}");
    }
}
