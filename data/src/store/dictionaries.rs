//! One dictionary per column for a whole table, so that it travels once and equal words have equal keys.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, Int32Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Int32Type, SchemaRef};
use arrow::error::ArrowError;

/// The sorted words of each dictionary column; `None` where a column has none.
#[derive(Clone, Debug)]
pub(crate) struct Dictionaries {
    columns: Vec<Option<Arc<StringArray>>>,
}

/// The places of a schema's dictionary columns.
pub(crate) fn places(schema: &SchemaRef) -> Vec<usize> {
    let is_dictionary = |place: &usize| matches!(schema.field(*place).data_type(), DataType::Dictionary(_, _));
    (0..schema.fields().len()).filter(is_dictionary).collect()
}

/// The words that a dictionary column of one batch uses, sorted and distinct.
pub(crate) fn words(column: &ArrayRef) -> Vec<String> {
    let Some(column) = column.as_dictionary_opt::<Int32Type>() else { return Vec::new() };
    let Some(values) = column.values().as_string_opt::<i32>() else { return Vec::new() };
    let mut used = vec![false; values.len()];
    for key in column.keys().iter().flatten() {
        if let Some(used) = usize::try_from(key).ok().and_then(|key| used.get_mut(key)) {
            *used = true;
        }
    }
    let used = values.iter().zip(used).filter(|(_, used)| *used);
    let mut words: Vec<String> = used.filter_map(|(word, _)| word.map(ToOwned::to_owned)).collect();
    words.sort_unstable();
    words.dedup();
    words
}

impl Dictionaries {
    /// From the sorted words of each place.
    pub(crate) fn new(schema: &SchemaRef, words: impl IntoIterator<Item = (usize, Vec<String>)>) -> Self {
        let mut columns = vec![None; schema.fields().len()];
        for (place, words) in words {
            if let Some(column) = columns.get_mut(place) {
                *column = Some(Arc::new(StringArray::from(words)));
            }
        }
        Self { columns }
    }

    /// The words of a column, sorted.
    pub(crate) fn of(&self, place: usize) -> Option<&Arc<StringArray>> {
        self.columns.get(place).and_then(Option::as_ref)
    }

    /// The batch with its dictionary columns on these dictionaries.
    pub(crate) fn apply(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let columns: Result<Vec<ArrayRef>, ArrowError> = batch
            .columns()
            .iter()
            .enumerate()
            .map(|(place, column)| match self.of(place) {
                Some(words) => remap(column, words),
                None => Ok(column.clone()),
            })
            .collect();
        RecordBatch::try_new(batch.schema(), columns?)
    }
}

fn remap(column: &ArrayRef, words: &Arc<StringArray>) -> Result<ArrayRef, ArrowError> {
    let not_words = || ArrowError::SchemaError("a dictionary column does not hold words".to_owned());
    let column = column.as_dictionary_opt::<Int32Type>().ok_or_else(not_words)?;
    let local = column.values().as_string_opt::<i32>().ok_or_else(not_words)?;
    let places: Vec<Option<i32>> = local.iter().map(|word| word.and_then(|word| find(words, word))).collect();
    let keys: Int32Array = column
        .keys()
        .iter()
        .map(|key| key.and_then(|key| places.get(usize::try_from(key).ok()?).copied().flatten()))
        .collect();
    Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(keys, words.clone())?))
}

/// The place of a word among sorted words.
pub(crate) fn find(words: &StringArray, word: &str) -> Option<i32> {
    let (mut low, mut high) = (0, words.len());
    while low < high {
        let middle = low + (high - low) / 2;
        match words.value(middle).cmp(word) {
            std::cmp::Ordering::Less => low = middle + 1,
            std::cmp::Ordering::Greater => high = middle,
            std::cmp::Ordering::Equal => return i32::try_from(middle).ok(),
        }
    }
    None
}
