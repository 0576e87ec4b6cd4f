//! Quotes into bytes.

use closemark_pricing::price::Price;
use closemark_pricing::series::Date;

use super::form::{
    ASK, ASK_IN_CENTS, ASK_SIZE, BID, BID_IN_CENTS, BID_SIZE, CENT, CURRENCY_BYTES_MAX, NUMBERED_BYTES_MAX,
    SAME_SYMBOL, SEQUENCE, TIME, UNITS,
};
use super::{BatchHead, EncodedBatch, IncomingQuote, REFUSED_LISTED_MAX, RefusedRow, content_digest};
use crate::date;
use crate::input::exceptions::{BAD_PRICE, MALFORMED_ROW, MALFORMED_SYMBOL, UNKNOWN_VENUE};
use crate::input::symbols::{RawQuote, SYMBOL_BYTES_MAX, Symbols};
use crate::log::error::EncodeError;
use crate::log::limits::{BATCH_QUOTES_MAX, ID_BYTES_MAX, TEXT_CHARACTERS_MAX};
use crate::log::varint::{put, put_signed};
use crate::reference::VenueTable;

/// Encodes batches, keeping its tables between them. One for each connection or thread; no lock inside.
#[derive(Clone, Debug, Default)]
pub struct BatchEncoder {
    symbols: Symbols,
    venues: Vec<KnownVenue>,
    table: Option<(Date, VenueTable)>,
    rows: Vec<u8>,
}

/// A venue text of the batch.
#[derive(Clone, Debug)]
struct KnownVenue {
    text: String,
    trades: bool,
}

/// What a quote's fields are told apart from.
struct Last<'a> {
    symbol: &'a str,
    symbol_code: u64,
    venue: &'a str,
    venue_place: usize,
    time: i64,
    sequence: u64,
    currency: &'a str,
    multiplier: Option<u32>,
}

impl BatchEncoder {
    /// Puts a batch into the log's form.
    ///
    /// # Errors
    /// [`EncodeError`] for a batch that cannot be written down: an id of a wrong form, a sequence of zero, too many
    /// quotes, a date that no folder can be named by. A quote that is no good is no error.
    pub fn encode<'a>(
        &mut self,
        head: &BatchHead<'_>,
        quotes: impl IntoIterator<Item = IncomingQuote<'a>>,
    ) -> Result<EncodedBatch, EncodeError> {
        check_id("producer_id", head.producer_id)?;
        if head.sequence == 0 {
            return Err(EncodeError::Sequence);
        }
        self.begin(head.market_date)?;
        let (mut refused, mut refused_count, mut count) = (Vec::new(), 0u32, 0u32);
        let mut refused_by_reason: Vec<(&'static str, u32)> = Vec::new();
        let mut last = Last {
            symbol: "",
            symbol_code: 0,
            venue: "",
            venue_place: usize::MAX,
            time: 0,
            sequence: 0,
            currency: "",
            multiplier: None,
        };
        for quote in quotes {
            if count as usize >= BATCH_QUOTES_MAX {
                return Err(EncodeError::Quotes { limit: BATCH_QUOTES_MAX });
            }
            if let Some(reason) = self.push(&quote, &mut last) {
                if refused.len() < REFUSED_LISTED_MAX {
                    refused.push(RefusedRow { index: count, reason });
                }
                refused_count += 1;
                match refused_by_reason.iter_mut().find(|(known, _)| *known == reason) {
                    Some((_, count)) => *count += 1,
                    None => refused_by_reason.push((reason, 1)),
                }
            }
            count += 1;
        }
        let mut payload = Vec::with_capacity(self.rows.len() + head.producer_id.len() + 32);
        put(&mut payload, head.producer_id.len() as u64);
        payload.extend_from_slice(head.producer_id.as_bytes());
        put(&mut payload, head.sequence);
        put_signed(&mut payload, head.received_unix_nanos);
        let content = payload.len();
        payload.extend_from_slice(&count.to_le_bytes());
        payload.extend_from_slice(&self.rows);
        let digest = content_digest(payload.get(content..).unwrap_or_default());
        Ok(EncodedBatch {
            producer_id: head.producer_id.to_owned(),
            sequence: head.sequence,
            market_date: head.market_date,
            quotes: count,
            payload,
            digest,
            refused,
            refused_count,
            refused_by_reason,
        })
    }

    fn begin(&mut self, day: Date) -> Result<(), EncodeError> {
        if self.table.as_ref().is_none_or(|(known, _)| *known != day) {
            date::to_text_within(day).ok_or(EncodeError::Date { days: day.0 })?;
            let table = VenueTable::on(day).map_err(|error| EncodeError::Reference(error.into()))?;
            self.table = Some((day, table));
        }
        self.symbols.clear();
        self.venues.clear();
        self.rows.clear();
        Ok(())
    }

    /// Writes one quote, and says why no close will use it where none will.
    fn push<'a>(&mut self, quote: &IncomingQuote<'a>, last: &mut Last<'a>) -> Option<&'static str> {
        let place = self.rows.len();
        self.rows.extend_from_slice(&[0, 0]);
        let (mut first, mut second) = (0u8, 0u8);

        if quote.osi_symbol == last.symbol && last.symbol_code != 0 {
            first |= SAME_SYMBOL;
        } else {
            last.symbol_code = self.put_symbol(quote.osi_symbol.trim());
            last.symbol = quote.osi_symbol;
        }
        // A venue's own feed names it in every quote.
        if quote.venue == last.venue && last.venue_place != usize::MAX {
            put(&mut self.rows, last.venue_place as u64 + 1);
        } else {
            last.venue_place = self.put_venue(quote.venue.trim());
            last.venue = quote.venue;
        }
        first |= self.put_price(quote.bid, BID, BID_IN_CENTS);
        if let Some(size) = quote.bid_size {
            first |= BID_SIZE;
            put(&mut self.rows, size.into());
        }
        first |= self.put_price(quote.ask, ASK, ASK_IN_CENTS);
        if let Some(size) = quote.ask_size {
            first |= ASK_SIZE;
            put(&mut self.rows, size.into());
        }
        if let Some(time) = quote.quote_time_unix_nanos {
            first |= TIME;
            put_signed(&mut self.rows, time.wrapping_sub(last.time));
            last.time = time;
        }
        if let Some(sequence) = quote.sequence {
            second |= SEQUENCE;
            put_signed(&mut self.rows, sequence.wrapping_sub(last.sequence) as i64);
            last.sequence = sequence;
        }
        if quote.currency != last.currency || quote.multiplier != last.multiplier {
            second |= UNITS;
            self.put_units(quote);
            last.currency = quote.currency;
            last.multiplier = quote.multiplier;
        }
        if let Some(flags) = self.rows.get_mut(place..place + 2) {
            flags.copy_from_slice(&[first, second]);
        }
        self.judge(quote, last)
    }

    /// What reading the quote back will say, in the same order of fields.
    fn judge(&self, quote: &IncomingQuote<'_>, last: &Last<'_>) -> Option<&'static str> {
        let bad = |price: Option<i64>| price.is_some_and(|p| !(0..=Price::INPUT_MAX.micros()).contains(&p));
        let trades = self.venues.get(last.venue_place).is_some_and(|venue| venue.trades);
        if last.symbol_code == 0 && quote.osi_symbol.trim().len() > SYMBOL_BYTES_MAX {
            Some(MALFORMED_SYMBOL)
        } else if !trades {
            Some(UNKNOWN_VENUE)
        } else if bad(quote.bid) || bad(quote.ask) {
            Some(BAD_PRICE)
        } else if quote.bid_size == Some(RawQuote::NO_SIZE)
            || quote.ask_size == Some(RawQuote::NO_SIZE)
            || quote.quote_time_unix_nanos == Some(RawQuote::NO_TIME)
            || quote.sequence == Some(u64::MAX)
        {
            Some(MALFORMED_ROW)
        } else if quote.osi_symbol.trim().is_empty() {
            Some(MALFORMED_SYMBOL)
        } else {
            None
        }
    }

    /// Writes a symbol and gives its number from 1; 0 where it is too long to have one.
    fn put_symbol(&mut self, symbol: &str) -> u64 {
        let known = self.symbols.len();
        match self.symbols.intern(symbol.as_bytes()).filter(|_| symbol.len() <= NUMBERED_BYTES_MAX) {
            Some(number) => {
                let new = number as usize == known;
                put(&mut self.rows, if new { 0 } else { u64::from(number) + 1 });
                if new {
                    self.put_text(symbol);
                }
                u64::from(number) + 1
            }
            None => {
                put(&mut self.rows, 0);
                self.put_text(cut(symbol));
                0
            }
        }
    }

    /// Writes a venue and gives its place in the table; `usize::MAX` where it is too long to have one.
    fn put_venue(&mut self, venue: &str) -> usize {
        if let Some(place) = self.venues.iter().position(|known| known.text == venue) {
            put(&mut self.rows, place as u64 + 1);
            return place;
        }
        put(&mut self.rows, 0);
        if venue.len() > NUMBERED_BYTES_MAX {
            self.put_text(cut(venue));
            return usize::MAX;
        }
        self.put_text(venue);
        let trades = self.table.as_ref().is_some_and(|(_, table)| table.find(venue).is_some());
        self.venues.push(KnownVenue { text: venue.to_owned(), trades });
        self.venues.len() - 1
    }

    fn put_text(&mut self, text: &str) {
        put(&mut self.rows, text.len() as u64);
        self.rows.extend_from_slice(text.as_bytes());
    }

    #[inline]
    fn put_price(&mut self, price: Option<i64>, there: u8, in_cents: u8) -> u8 {
        match price {
            None => 0,
            Some(micros) if micros >= 0 && micros % CENT == 0 => {
                put(&mut self.rows, (micros / CENT) as u64);
                there | in_cents
            }
            Some(micros) => {
                put_signed(&mut self.rows, micros);
                there
            }
        }
    }

    fn put_units(&mut self, quote: &IncomingQuote<'_>) {
        put(&mut self.rows, quote.multiplier.map_or(0, |multiplier| u64::from(multiplier) + 1));
        let mut end = quote.currency.len().min(CURRENCY_BYTES_MAX);
        while !quote.currency.is_char_boundary(end) {
            end -= 1;
        }
        self.put_text(quote.currency.get(..end).unwrap_or_default());
    }
}

/// As much of a text as the exceptions need to show it.
fn cut(text: &str) -> &str {
    let end = text.char_indices().nth(TEXT_CHARACTERS_MAX).map_or(text.len(), |(end, _)| end);
    text.get(..end).unwrap_or_default()
}

/// Refuses an id of a wrong form.
pub(in crate::log) fn check_id(what: &'static str, id: &str) -> Result<(), EncodeError> {
    if (1..=ID_BYTES_MAX).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(());
    }
    Err(EncodeError::Id { what, given: crate::input::shown(id), limit: ID_BYTES_MAX })
}
