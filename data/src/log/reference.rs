//! What quotes alone do not say, in the log's form: each kind as the text that an input folder's file would have.
//!
//! Keeping the text makes one judge of both: what reads `series.csv` from a folder reads it from here, and a row that it
//! cannot use becomes the same row of `exceptions`.

use bytes::Bytes;
use closemark_pricing::mark::ExceptionRow;
use closemark_pricing::series::Date;

use super::batch::check_id;
use super::error::EncodeError;
use super::limits::{FRAME_BYTES_MAX, ID_BYTES_MAX, LogLimits};
use super::varint::{Reader, put, put_signed};
use crate::date;
use crate::input::{
    CorporateActionRow, DividendRow, Embedded, RateRow, SeriesRow, UnderlyingRow, WriteError, check_reference,
    reference_text,
};

/// The kinds, in the order of their bits.
const FILES: [&str; 5] = ["underlyings.csv", "series.csv", "dividends.csv", "rates.csv", "corporate_actions.csv"];

/// Records of a market date. A kind that is `None` keeps what it has; an empty list clears it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReferenceUpdate {
    /// The client's own id: 1 to [`ID_BYTES_MAX`] visible ASCII characters. The same request sent twice is one.
    pub request_id: String,
    /// The day that the records belong to.
    pub market_date: Date,
    /// When it came in, nanoseconds since 1970-01-01T00:00:00Z; kept for people, read by no close.
    pub received_unix_nanos: i64,
    /// Prices and groups.
    pub underlyings: Option<Vec<UnderlyingRow>>,
    /// Terms that symbol and root table do not say.
    pub series: Option<Vec<SeriesRow>>,
    /// Cash dividends.
    pub dividends: Option<Vec<DividendRow>>,
    /// Zero rates.
    pub rates: Option<Vec<RateRow>>,
    /// Splits, spin-offs, special dividends.
    pub corporate_actions: Option<Vec<CorporateActionRow>>,
}

/// An update ready to be appended.
#[derive(Clone, Debug)]
pub struct EncodedReference {
    pub(super) request_id: String,
    pub(super) market_date: Date,
    pub(super) payload: Vec<u8>,
    /// Where the content begins that makes two requests of one id the same.
    pub(super) content: usize,
    /// Rows that no close will use; each will be a row of `exceptions`. A caller that would rather refuse the update
    /// looks here before appending it.
    pub faults: Vec<ExceptionRow>,
}

impl ReferenceUpdate {
    /// Puts the update into the log's form.
    ///
    /// # Errors
    /// [`EncodeError`] for an id or a date of a wrong form, for an update beyond `limits`, and for what would stop a
    /// whole day: an underlying that stands twice, a rate that is none, two rates of one tenor.
    pub fn encode(&self, limits: &LogLimits) -> Result<EncodedReference, EncodeError> {
        let tables = [
            self.underlyings.as_deref().map(reference_text::underlyings),
            self.series.as_deref().map(reference_text::series),
            self.dividends.as_deref().map(reference_text::dividends),
            self.rates.as_deref().map(reference_text::rates),
            self.corporate_actions.as_deref().map(reference_text::corporate_actions),
        ];
        let mut texts: [Option<Vec<u8>>; 5] = Default::default();
        for (text, table) in texts.iter_mut().zip(tables) {
            *text = table.transpose().map_err(|error: WriteError| {
                EncodeError::Reference(crate::input::InputError::file("the update", error))
            })?;
        }
        self.encode_texts(texts, limits)
    }

    fn encode_texts(&self, texts: [Option<Vec<u8>>; 5], limits: &LogLimits) -> Result<EncodedReference, EncodeError> {
        check_id("request_id", &self.request_id)?;
        date::to_text_within(self.market_date).ok_or(EncodeError::Date { days: self.market_date.0 })?;
        let bytes: usize = texts.iter().flatten().map(|text| text.len() + 10).sum::<usize>() + ID_BYTES_MAX + 20;
        let limit = limits.reference_bytes.min(FRAME_BYTES_MAX);
        if bytes > limit {
            return Err(EncodeError::Bytes { bytes, limit });
        }
        let mut given = ReferenceTexts::default();
        given.replace(texts.clone().map(|text| text.map(Bytes::from)));
        let faults = check_reference(&given.source()).map_err(EncodeError::Reference)?;

        let mut payload = Vec::with_capacity(bytes);
        put(&mut payload, self.request_id.len() as u64);
        payload.extend_from_slice(self.request_id.as_bytes());
        put_signed(&mut payload, self.received_unix_nanos);
        let content = payload.len();
        let mask = texts.iter().enumerate().fold(0u8, |mask, (bit, text)| mask | (u8::from(text.is_some()) << bit));
        payload.push(mask);
        for text in texts.iter().flatten() {
            put(&mut payload, text.len() as u64);
            payload.extend_from_slice(text);
        }
        let (request_id, market_date) = (self.request_id.clone(), self.market_date);
        Ok(EncodedReference { request_id, market_date, payload, content, faults })
    }

    /// An update that carries a folder's reference files as they are; a file that is missing clears its kind.
    ///
    /// # Errors
    /// As [`Self::encode`], and where a file cannot be read.
    pub fn encode_folder(
        &self,
        source: &dyn crate::input::InputSource,
        limits: &LogLimits,
    ) -> Result<EncodedReference, EncodeError> {
        let mut texts: [Option<Vec<u8>>; 5] = Default::default();
        for (text, file) in texts.iter_mut().zip(FILES) {
            let unreadable = |error: std::io::Error| {
                EncodeError::Reference(crate::input::InputError::file(file, format!("cannot be read: {error}")))
            };
            let mut content = Vec::new();
            if let Some(opened) = source.open(file).map_err(unreadable)? {
                let most = limits.reference_bytes as u64 + 1;
                std::io::Read::read_to_end(&mut std::io::Read::take(opened.into_read(), most), &mut content)
                    .map_err(unreadable)?;
            }
            *text = Some(content);
        }
        self.encode_texts(texts, limits)
    }
}

/// A reference frame's payload, read.
pub(super) struct LoggedReference<'a> {
    pub(super) request_id: &'a str,
    /// blake3 of the content.
    pub(super) digest: [u8; 32],
    pub(super) texts: [Option<&'a [u8]>; 5],
}

impl<'a> LoggedReference<'a> {
    /// `None` where the payload is no update.
    pub(super) fn read(payload: &'a [u8]) -> Option<Self> {
        let mut reader = Reader(payload);
        let length = usize::try_from(reader.number()?).ok().filter(|length| (1..=ID_BYTES_MAX).contains(length))?;
        let request_id = std::str::from_utf8(reader.bytes(length)?).ok()?;
        reader.signed()?;
        let digest = *blake3::hash(reader.0).as_bytes();
        let mask = reader.byte().filter(|mask| *mask < 1 << FILES.len())?;
        let mut texts = [None; 5];
        for (bit, text) in texts.iter_mut().enumerate() {
            if mask & (1 << bit) != 0 {
                let length = usize::try_from(reader.number()?).ok()?;
                *text = Some(reader.bytes(length)?);
            }
        }
        reader.is_empty().then_some(Self { request_id, digest, texts })
    }
}

/// The texts that count after every update so far.
#[derive(Clone, Debug, Default)]
pub(super) struct ReferenceTexts([Option<Bytes>; 5]);

impl ReferenceTexts {
    /// Replaces the kinds that are given.
    pub(super) fn replace(&mut self, texts: [Option<Bytes>; 5]) {
        for (own, new) in self.0.iter_mut().zip(texts) {
            if new.is_some() {
                *own = new;
            }
        }
    }

    /// The same as files. Underlyings that were cleared are a table without rows; other kinds without rows are no file.
    pub(super) fn source(&self) -> Embedded {
        let mut files = Vec::new();
        for (name, text) in FILES.iter().zip(&self.0) {
            match text {
                Some(text) if !text.is_empty() => files.push(((*name).to_owned(), text.clone())),
                Some(_) if *name == "underlyings.csv" => {
                    files.push(((*name).to_owned(), Bytes::from_static(b"underlying,price\n")));
                }
                _ => {}
            }
        }
        Embedded(files)
    }
}
