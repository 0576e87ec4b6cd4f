//! From rows of `marks.parquet` to the strikes of each slice, with the order of rows and what rows and slices share.

use arrow::array::{Array, RecordBatch};
use closemark_pricing::vocabulary::OptionType;

use super::report::{Kind, Violation};
use super::slices::{Slice, SliceKey};
use crate::publication::read::ReadError;
use crate::publication::read::columns::{Columns, DecimalColumn, TextColumn, count, number};
use crate::publication::schema::MARKS;

/// One published mark (or a series without one).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Leg {
    slice: u32,
    call: bool,
    strike: i64,
    mark: Option<i64>,
    underlying_price: Option<i64>,
    /// One unit delivers something else than one share of the underlying.
    adjusted: bool,
}

/// What a run of rows came to.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) legs: Vec<Leg>,
    pub(super) found: Vec<Violation>,
    /// The first and the last row's place in the order.
    pub(super) ends: Option<(RowKey, RowKey)>,
}

/// What rows are sorted by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RowKey {
    underlying: String,
    expiration: i32,
    settlement: String,
    root: String,
    strike: i64,
    option_type: String,
    pub(super) osi_symbol: String,
}

struct Keys<'a> {
    underlying: TextColumn<'a>,
    expiration: &'a arrow::array::Date32Array,
    settlement: TextColumn<'a>,
    root: TextColumn<'a>,
    strike: DecimalColumn<'a>,
    option_type: TextColumn<'a>,
    osi_symbol: TextColumn<'a>,
}

type BorrowedKey<'a> = (&'a str, i32, &'a str, &'a str, i64, &'a str, &'a str);

impl<'a> Keys<'a> {
    fn get(&self, row: usize) -> BorrowedKey<'a> {
        (
            self.underlying.or_empty(row),
            if self.expiration.is_valid(row) { self.expiration.value(row) } else { 0 },
            self.settlement.or_empty(row),
            self.root.or_empty(row),
            self.strike.get(row).unwrap_or_default(),
            self.option_type.or_empty(row),
            self.osi_symbol.or_empty(row),
        )
    }

    fn owned(&self, row: usize) -> RowKey {
        let (underlying, expiration, settlement, root, strike, option_type, osi_symbol) = self.get(row);
        RowKey {
            underlying: underlying.to_owned(),
            expiration,
            settlement: settlement.to_owned(),
            root: root.to_owned(),
            strike,
            option_type: option_type.to_owned(),
            osi_symbol: osi_symbol.to_owned(),
        }
    }
}

/// Reads the rows of one batch; `slices` are in published order.
pub(super) fn read(batch: &RecordBatch, slices: &[Slice]) -> Result<Part, ReadError> {
    let columns = Columns::new(MARKS.file, batch);
    let keys = Keys {
        underlying: columns.text("underlying")?,
        expiration: columns.dates("expiration")?,
        settlement: columns.text("settlement")?,
        root: columns.text("root")?,
        strike: columns.decimals("strike")?,
        option_type: columns.text("option_type")?,
        osi_symbol: columns.text("osi_symbol")?,
    };
    let deliverable = columns.text("deliverable")?;
    let style = columns.text("exercise_style")?;
    let (mark, price) = (columns.decimals("mark")?, columns.decimals("underlying_price")?);
    let (forward, discount) = (columns.decimals("forward_present_value")?, columns.decimals("discount_factor")?);
    let (time, multiplier) = (columns.numbers("time_to_expiry")?, columns.counts("multiplier")?);
    let mut part = Part { legs: Vec::with_capacity(batch.num_rows()), ..Part::default() };
    let mut previous: Option<BorrowedKey<'_>> = None;
    let mut known: Option<(&str, usize)> = None;
    for row in 0..batch.num_rows() {
        let key = keys.get(row);
        let mut wrong = |kind, detail: String| part.found.push(Violation::new(MARKS.file, kind, key.6, detail));
        let same_slice = previous.is_some_and(|p| (p.0, p.1, p.2, p.3) == (key.0, key.1, key.2, key.3));
        if let Some(previous) = previous.filter(|p| *p >= key) {
            wrong(Kind::Order, format!("stands after {}", previous.6));
        }
        previous = Some(key);
        let deliverable = deliverable.or_empty(row);
        let place = match known.filter(|(text, _)| same_slice && *text == deliverable) {
            Some((_, place)) => Some(place),
            None => find(slices, &key, deliverable),
        };
        let Some((place, slice)) = place.and_then(|p| Some((p, slices.get(p)?))) else {
            known = None;
            wrong(Kind::Slice, "has no slice".to_owned());
            continue;
        };
        known = Some((deliverable, place));
        if forward.get(row) != slice.forward_present_value || discount.get(row) != slice.discount_factor {
            wrong(Kind::Slice, "forward_present_value or discount_factor is not the slice's".to_owned());
        }
        if (style.or_empty(row) == "american") != slice.american {
            wrong(Kind::Slice, format!("exercise_style {} is not the slice's", style.or_empty(row)));
        }
        if number(time, row) != Some(slice.time_to_expiry) {
            wrong(Kind::Slice, format!("time_to_expiry is not the slice's {}", slice.time_to_expiry));
        }
        let standard = format!("{} {}", count(multiplier, row).unwrap_or_default(), key.0);
        part.legs.push(Leg {
            slice: u32::try_from(place).unwrap_or(u32::MAX),
            call: key.5 == OptionType::Call.as_str(),
            strike: key.4,
            mark: mark.get(row),
            underlying_price: price.get(row),
            adjusted: deliverable != standard,
        });
    }
    if let Some(last) = batch.num_rows().checked_sub(1) {
        part.ends = Some((keys.owned(0), keys.owned(last)));
    }
    Ok(part)
}

fn find(slices: &[Slice], key: &BorrowedKey<'_>, deliverable: &str) -> Option<usize> {
    let wanted = (key.0, key.1, key.2, key.3, deliverable);
    let of = |k: &SliceKey| {
        (k.underlying.as_str(), k.expiration, k.settlement.as_str(), k.root.as_str(), k.deliverable.as_str())
            .cmp(&wanted)
    };
    slices.binary_search_by(|s| of(&s.key)).ok()
}

/// Hands the legs to their slices; what one slice's rows must agree on is checked here.
pub(super) fn distribute(legs: &[Leg], slices: &mut [Slice]) -> Vec<Violation> {
    let mut found = Vec::new();
    for leg in legs {
        let Some(slice) = slices.get_mut(leg.slice as usize) else { continue };
        if slice.series > 0 && slice.underlying_price != leg.underlying_price {
            let detail = "rows differ in underlying_price".to_owned();
            found.push(Violation::new(MARKS.file, Kind::Slice, slice.key.label(), detail));
        }
        slice.series += 1;
        slice.underlying_price = leg.underlying_price;
        slice.adjusted |= leg.adjusted;
        if let Some(mark) = leg.mark {
            let side = if leg.call { &mut slice.calls } else { &mut slice.puts };
            side.push((leg.strike, mark));
        }
    }
    found
}
