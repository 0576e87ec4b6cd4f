//! One row of a stored table, read in place.

use arrow::array::{
    Array, AsArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray,
};
use arrow::datatypes::Int32Type;
use closemark_pricing::series::Date;

/// One row; columns are named by the places of [`super::mark`] and [`super::slice`].
#[derive(Clone, Copy)]
pub struct RowView<'a> {
    batch: &'a RecordBatch,
    row: usize,
}

impl<'a> RowView<'a> {
    /// `None` beyond the batch.
    pub(crate) fn new(batch: &'a RecordBatch, row: usize) -> Option<Self> {
        (row < batch.num_rows()).then_some(Self { batch, row })
    }

    fn column<T: 'static>(&self, place: usize) -> Option<&'a T> {
        self.batch.columns().get(place)?.as_any().downcast_ref()
    }

    fn valid<T: Array + 'static>(&self, place: usize) -> Option<&'a T> {
        self.column::<T>(place).filter(|column| column.is_valid(self.row))
    }

    /// Text of either kind, empty where null.
    pub fn text(&self, place: usize) -> &'a str {
        let Some(column) = self.batch.columns().get(place) else { return "" };
        if let Some(words) = column.as_dictionary_opt::<Int32Type>() {
            let values = words.values().as_string_opt::<i32>();
            let key = words.keys().is_valid(self.row).then(|| words.keys().value(self.row));
            let at = key.and_then(|key| usize::try_from(key).ok());
            return match (values, at) {
                (Some(values), Some(at)) if at < values.len() => values.value(at),
                _ => "",
            };
        }
        column.as_string_opt::<i32>().filter(|c| c.is_valid(self.row)).map_or("", |c| c.value(self.row))
    }

    /// A decimal in units of its last digit: millionths for money, 10^-12 for factors.
    pub fn decimal(&self, place: usize) -> Option<i64> {
        i64::try_from(self.valid::<Decimal128Array>(place)?.value(self.row)).ok()
    }

    /// A number.
    pub fn number(&self, place: usize) -> Option<f64> {
        Some(self.valid::<Float64Array>(place)?.value(self.row))
    }

    /// A count.
    pub fn count(&self, place: usize) -> Option<i64> {
        Some(self.valid::<Int64Array>(place)?.value(self.row))
    }

    /// A flag.
    pub fn flag(&self, place: usize) -> Option<bool> {
        Some(self.valid::<BooleanArray>(place)?.value(self.row))
    }

    /// A date.
    pub fn date(&self, place: usize) -> Option<Date> {
        Some(Date(self.valid::<Date32Array>(place)?.value(self.row)))
    }

    /// The words of a list.
    pub fn words(&self, place: usize) -> Words<'a> {
        let list = self.batch.columns().get(place).and_then(|c| c.as_list_opt::<i32>());
        let values = list.and_then(|list| list.values().as_string_opt::<i32>());
        let (next, end) = list.map_or((0, 0), |list| self.bounds(list.value_offsets()));
        Words { values, next, end }
    }

    /// The numbers of a list.
    pub fn numbers(&self, place: usize) -> &'a [f64] {
        let Some(list) = self.batch.columns().get(place).and_then(|c| c.as_list_opt::<i32>()) else { return &[] };
        let Some(values) = list.values().as_any().downcast_ref::<Float64Array>() else { return &[] };
        let (start, end) = self.bounds(list.value_offsets());
        values.values().get(start..end).unwrap_or_default()
    }

    fn bounds(&self, offsets: &[i32]) -> (usize, usize) {
        let at = |row: usize| offsets.get(row).and_then(|offset| usize::try_from(*offset).ok()).unwrap_or(0);
        (at(self.row), at(self.row + 1))
    }
}

/// The words of one row's list.
#[derive(Clone)]
pub struct Words<'a> {
    values: Option<&'a StringArray>,
    next: usize,
    end: usize,
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let values = self.values.filter(|values| self.next < self.end && self.next < values.len())?;
        let word = values.value(self.next);
        self.next += 1;
        Some(word)
    }
}
