//! A row of marks straight to its bytes on the wire.
//!
//! A [`closemark_proto::v1::Mark`] of its own would be some twenty small texts made, measured, copied and freed again for
//! each answer; that was half of what a lookup cost. A test compares these bytes with what prost writes.

use bytes::BufMut;
use closemark_data::date;
use closemark_data::store::{Close, RowView, mark};
use closemark_pricing::series::Date;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len};

use super::messages::{count, exercise_style, option_type, settlement, size};

/// The field `marks` of the answers that have several.
pub(super) const MARKS_FIELD: u32 = 1;
/// The token after them.
pub(super) const TOKEN_FIELD: u32 = 2;

/// Writes fields; like prost it leaves out what has its default, unless the field is optional and set.
struct Fields<'a, B>(&'a mut B);

impl<B: BufMut> Fields<'_, B> {
    fn text(&mut self, field: u32, text: &str) {
        if !text.is_empty() {
            self.element(field, text);
        }
    }

    /// One of a repeated field, which may be empty.
    fn element(&mut self, field: u32, text: &str) {
        encode_key(field, WireType::LengthDelimited, self.0);
        encode_varint(text.len() as u64, self.0);
        self.0.put_slice(text.as_bytes());
    }

    fn whole(&mut self, field: u32, value: Option<u64>) {
        if let Some(value) = value {
            encode_key(field, WireType::Varint, self.0);
            encode_varint(value, self.0);
        }
    }

    fn number(&mut self, field: u32, value: Option<f64>) {
        if let Some(value) = value {
            encode_key(field, WireType::SixtyFourBit, self.0);
            self.0.put_f64_le(value);
        }
    }

    fn money(&mut self, field: u32, micros: Option<i64>) {
        let Some(micros) = micros else { return };
        encode_key(field, WireType::LengthDelimited, self.0);
        if micros == 0 {
            return encode_varint(0, self.0);
        }
        // As protobuf has it, a negative int64 is the varint of its 64 bits.
        let micros = micros as u64;
        encode_varint((key_len(1) + encoded_len_varint(micros)) as u64, self.0);
        self.whole(1, Some(micros));
    }

    fn day(&mut self, field: u32, day: Option<Date>) {
        if let Some(day) = day {
            self.text(field, &date::to_text(day));
        }
    }
}

/// Some value that is not the default.
fn set(value: impl Into<u64>) -> Option<u64> {
    Some(value.into()).filter(|value| *value != 0)
}

/// An enum's number; none is negative.
fn chosen(value: impl Into<i32>) -> Option<u64> {
    u64::try_from(value.into()).ok().filter(|value| *value != 0)
}

/// Writes the fields of one mark; `prefix` is `dates/*/runs/*/marks/`.
pub(super) fn put_mark(prefix: &str, view: RowView<'_>, out: &mut impl BufMut) {
    let symbol = view.text(mark::OSI_SYMBOL);
    encode_key(1, WireType::LengthDelimited, out);
    encode_varint((prefix.len() + symbol.len()) as u64, out);
    out.put_slice(prefix.as_bytes());
    out.put_slice(symbol.as_bytes());
    let mut fields = Fields(out);
    fields.text(2, symbol);
    fields.text(3, view.text(mark::UNDERLYING));
    fields.text(4, view.text(mark::ROOT));
    fields.day(5, view.date(mark::EXPIRATION));
    fields.money(6, view.decimal(mark::STRIKE));
    fields.whole(7, chosen(option_type(view.text(mark::OPTION_TYPE))));
    fields.whole(8, chosen(exercise_style(view.text(mark::EXERCISE_STYLE))));
    fields.whole(9, chosen(settlement(view.text(mark::SETTLEMENT))));
    fields.whole(10, set(count(view, mark::MULTIPLIER)));
    fields.text(11, view.text(mark::CURRENCY));
    fields.text(12, view.text(mark::DELIVERABLE));
    fields.money(13, view.decimal(mark::BID));
    fields.money(14, view.decimal(mark::ASK));
    fields.whole(15, size(view, mark::BID_SIZE));
    fields.whole(16, size(view, mark::ASK_SIZE));
    fields.whole(17, set(count(view, mark::VENUE_COUNT)));
    fields.text(18, view.text(mark::QUOTE_STATUS));
    view.words(mark::QUOTE_FLAGS).for_each(|word| fields.element(19, word));
    fields.whole(20, view.flag(mark::ACCEPTED).map(u64::from));
    fields.money(21, view.decimal(mark::MID));
    fields.money(22, view.decimal(mark::MARK));
    fields.text(23, view.text(mark::MARK_SOURCE));
    view.words(mark::REASONS).for_each(|word| fields.element(24, word));
    fields.number(25, view.number(mark::IMPLIED_VOLATILITY));
    fields.number(26, view.number(mark::BID_IMPLIED_VOLATILITY));
    fields.number(27, view.number(mark::ASK_IMPLIED_VOLATILITY));
    fields.text(28, view.text(mark::VOLATILITY_STATUS));
    fields.number(29, view.number(mark::SMOOTHED_VOLATILITY));
    fields.money(30, view.decimal(mark::EDIT));
    for (field, place) in [
        (31, mark::EDIT_HALF_SPREADS),
        (32, mark::EDIT_VOLATILITY),
        (33, mark::DELTA),
        (34, mark::GAMMA),
        (35, mark::VEGA),
        (36, mark::THETA),
        (37, mark::RHO),
    ] {
        fields.number(field, view.number(place));
    }
    fields.money(38, view.decimal(mark::UNDERLYING_PRICE));
    fields.number(39, view.number(mark::FORWARD));
    fields.money(40, view.decimal(mark::FORWARD_PRESENT_VALUE));
    fields.whole(41, view.decimal(mark::DISCOUNT_FACTOR).map(|pico| pico as u64));
    fields.number(42, view.number(mark::CARRY_RATE));
    fields.number(43, view.number(mark::BORROW_RATE));
    fields.number(44, view.number(mark::DIVIDEND_PRESENT_VALUE));
    fields.number(45, view.number(mark::TIME_TO_EXPIRY).filter(|years| *years != 0.0));
    fields.number(46, view.number(mark::LOG_MONEYNESS));
    fields.number(47, view.number(mark::TOTAL_VARIANCE));
    fields.number(48, view.number(mark::CONFIDENCE));
    fields.text(49, view.text(mark::RUN_ID));
}

/// Bytes of a message that stands as a field of [`MARKS_FIELD`] or [`TOKEN_FIELD`].
pub(super) fn element_bytes(message: usize) -> usize {
    key_len(MARKS_FIELD) + encoded_len_varint(message as u64) + message
}

/// Writes a text, or bytes of a message, as one of a field's values.
pub(super) fn put_element(field: u32, bytes: &[u8], out: &mut impl BufMut) {
    encode_key(field, WireType::LengthDelimited, out);
    encode_varint(bytes.len() as u64, out);
    out.put_slice(bytes);
}

/// Writes a row as one of an answer's marks; `scratch` is there to be used again for the next.
pub(super) fn put_row(close: &Close, row: u32, prefix: &str, scratch: &mut Vec<u8>, out: &mut impl BufMut) {
    let Some(view) = close.marks().row(row) else { return };
    scratch.clear();
    put_mark(prefix, view, scratch);
    put_element(MARKS_FIELD, scratch, out);
}

#[cfg(test)]
mod tests {
    use closemark_data::date;
    use closemark_data::input::read_day;
    use closemark_data::sample;
    use closemark_data::settings::RunChoices;
    use closemark_data::store::{RunId, Store};
    use prost::Message as _;

    use super::put_mark;
    use crate::pipeline::{self, CloseWork};
    use crate::profile::Profile;
    use crate::serve::reads::messages::{mark_message, mark_prefix};
    use crate::source::DaySource;

    struct Nobody;

    impl crate::marking::Watcher for Nobody {
        fn done(&self, _: &str, _: u64) {}
    }

    #[test]
    fn every_mark_of_the_sample_is_the_bytes_that_prost_writes() {
        let out = tempfile::tempdir().unwrap();
        let choices = RunChoices { flat_rate: Some(0.04), only: Vec::new() };
        let mut day = read_day(&sample::source(), &pipeline::read_options(&choices, None)).unwrap();
        let mut profile = Profile::default();
        pipeline::settle(&mut day, &mut profile).unwrap();
        let work = CloseWork {
            choices: &choices,
            threads: None,
            base_run: None,
            overrides: &[],
            audit_head: None,
            watcher: &Nobody,
        };
        let closed = pipeline::close_day(DaySource::of(day), &work, out.path(), &mut profile).unwrap();
        let store = Store::new(out.path(), 1 << 30);
        let run = RunId::parse(&closed.published.run_id).unwrap();
        let close = store.close(date::parse("2026-11-20").unwrap(), run).unwrap();
        let prefix = mark_prefix(&close);
        assert_eq!(prefix, format!("dates/2026-11-20/runs/{run}/marks/"));
        assert!(close.marks().rows() > 1000);
        for row in 0..close.marks().rows() {
            let view = close.marks().row(row).unwrap();
            let mut bytes = Vec::new();
            put_mark(&prefix, view, &mut bytes);
            assert_eq!(bytes, mark_message(&prefix, view).encode_to_vec(), "{row}");
        }
    }
}
