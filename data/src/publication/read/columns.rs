//! Typed views of a record batch by column name.

use arrow::array::{
    Array, AsArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float64Array, Int64Array, ListArray,
    RecordBatch, StringArray,
};
use arrow::datatypes::Int32Type;

use super::ReadError;

/// The columns of a batch of one file.
pub(crate) struct Columns<'a> {
    file: &'static str,
    batch: &'a RecordBatch,
}

impl<'a> Columns<'a> {
    pub(crate) fn new(file: &'static str, batch: &'a RecordBatch) -> Self {
        Self { file, batch }
    }

    fn view<T>(&self, name: &str, cast: impl FnOnce(&'a dyn Array) -> Option<T>) -> Result<T, ReadError> {
        let column = self.batch.column_by_name(name).and_then(|c| cast(c.as_ref()));
        column.ok_or_else(|| ReadError::Column { file: self.file, column: name.to_owned() })
    }

    pub(crate) fn text(&self, name: &str) -> Result<TextColumn<'a>, ReadError> {
        self.view(name, |c| match c.as_string_opt::<i32>() {
            Some(plain) => Some(TextColumn::Plain(plain)),
            None => {
                let words = c.as_dictionary_opt::<Int32Type>()?;
                Some(TextColumn::Words(words, words.values().as_string_opt::<i32>()?))
            }
        })
    }

    pub(crate) fn dates(&self, name: &str) -> Result<&'a Date32Array, ReadError> {
        self.view(name, |c| c.as_any().downcast_ref())
    }

    pub(crate) fn decimals(&self, name: &str) -> Result<DecimalColumn<'a>, ReadError> {
        self.view(name, |c| c.as_any().downcast_ref()).map(DecimalColumn)
    }

    pub(crate) fn counts(&self, name: &str) -> Result<&'a Int64Array, ReadError> {
        self.view(name, |c| c.as_any().downcast_ref())
    }

    pub(crate) fn numbers(&self, name: &str) -> Result<&'a Float64Array, ReadError> {
        self.view(name, |c| c.as_any().downcast_ref())
    }

    pub(crate) fn flags(&self, name: &str) -> Result<&'a BooleanArray, ReadError> {
        self.view(name, |c| c.as_any().downcast_ref())
    }

    pub(crate) fn lists(&self, name: &str) -> Result<&'a ListArray, ReadError> {
        self.view(name, |c| c.as_list_opt())
    }
}

/// Text, plain or of a dictionary.
#[derive(Clone, Copy)]
pub(crate) enum TextColumn<'a> {
    Plain(&'a StringArray),
    Words(&'a DictionaryArray<Int32Type>, &'a StringArray),
}

impl<'a> TextColumn<'a> {
    pub(crate) fn get(&self, row: usize) -> Option<&'a str> {
        match self {
            Self::Plain(values) => (row < values.len() && values.is_valid(row)).then(|| values.value(row)),
            Self::Words(keys, values) => {
                let key = (row < keys.len()).then(|| keys.key(row)).flatten()?;
                (key < values.len() && values.is_valid(key)).then(|| values.value(key))
            }
        }
    }

    /// The text, empty where null.
    pub(crate) fn or_empty(&self, row: usize) -> &'a str {
        self.get(row).unwrap_or_default()
    }

    /// The distinct words that rows use; a dictionary may hold more.
    pub(crate) fn words(&self) -> Vec<&'a str> {
        match self {
            Self::Plain(values) => {
                let mut words: Vec<&str> = values.iter().flatten().collect();
                words.sort_unstable();
                words.dedup();
                words
            }
            Self::Words(keys, values) => {
                let mut used = vec![false; values.len()];
                for key in keys.keys().iter().flatten() {
                    if let Some(used) = usize::try_from(key).ok().and_then(|k| used.get_mut(k)) {
                        *used = true;
                    }
                }
                values.iter().zip(used).filter(|(_, used)| *used).filter_map(|(word, _)| word).collect()
            }
        }
    }
}

/// Decimals of at most 18 digits, as whole units of their last digit.
#[derive(Clone, Copy)]
pub(crate) struct DecimalColumn<'a>(&'a Decimal128Array);

impl DecimalColumn<'_> {
    pub(crate) fn get(&self, row: usize) -> Option<i64> {
        if row < self.0.len() && self.0.is_valid(row) { i64::try_from(self.0.value(row)).ok() } else { None }
    }
}

/// A number, or `None` where null.
pub(crate) fn number(column: &Float64Array, row: usize) -> Option<f64> {
    (row < column.len() && column.is_valid(row)).then(|| column.value(row))
}

/// A count, or `None` where null.
pub(crate) fn count(column: &Int64Array, row: usize) -> Option<i64> {
    (row < column.len() && column.is_valid(row)).then(|| column.value(row))
}

/// A flag, or `None` where null.
pub(crate) fn flag(column: &BooleanArray, row: usize) -> Option<bool> {
    (row < column.len() && column.is_valid(row)).then(|| column.value(row))
}

/// The words of a list.
pub(crate) fn words(column: &ListArray, row: usize) -> Vec<String> {
    if row >= column.len() || column.is_null(row) {
        return Vec::new();
    }
    let values = column.value(row);
    values.as_string_opt::<i32>().map(|w| w.iter().flatten().map(ToOwned::to_owned).collect()).unwrap_or_default()
}

/// The numbers of a list.
pub(crate) fn list_numbers(column: &ListArray, row: usize) -> Vec<f64> {
    if row >= column.len() || column.is_null(row) {
        return Vec::new();
    }
    let values = column.value(row);
    let numbers = values.as_any().downcast_ref::<Float64Array>();
    numbers.map(|n| n.iter().flatten().collect()).unwrap_or_default()
}
