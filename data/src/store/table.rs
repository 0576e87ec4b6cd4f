//! One published table in memory: ready to be sent, ready to be looked into.

use std::fs::File;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, AsArray, DictionaryArray, RecordBatch, StringArray, new_empty_array};
use arrow::datatypes::{Int32Type, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamDecoder;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use rayon::prelude::*;

use super::dictionaries::{Dictionaries, find, places, words};
use super::message::{Encoder, Message};
use super::view::RowView;
use crate::publication::schema::Table;

/// Rows of one message: about 2 MiB of marks, below the 4 MiB that many gRPC clients accept by default.
pub(crate) const PART_ROWS: usize = 4096;

/// A table of a run. Its messages and its batches are the same bytes.
pub struct StoredTable {
    schema: SchemaRef,
    head: Vec<Message>,
    parts: Vec<Part>,
    groups: Vec<Group>,
    underlyings: Option<Arc<StringArray>>,
    rows: u32,
    bytes: u64,
}

struct Part {
    first_row: u32,
    message: Message,
    batch: RecordBatch,
}

/// The rows of one underlying.
struct Group {
    word: i32,
    rows: Range<u32>,
}

impl StoredTable {
    /// Reads a Parquet file of the published form.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub(crate) fn load(path: &Path, table: &Table) -> Result<Self, String> {
        let file = File::open(path).map_err(|error| error.to_string())?;
        let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).map_err(|e| e.to_string())?;
        let schema = table.arrow_schema();
        same_columns(metadata.schema(), &schema)?;
        let dictionaries = read_dictionaries(path, &metadata, &schema)?;
        let empty = empty_batch(&schema, &dictionaries).map_err(|e| e.to_string())?;
        let head = head(&empty).map_err(|e| e.to_string())?;
        let groups: Vec<Vec<(Message, RecordBatch)>> = (0..metadata.metadata().num_row_groups())
            .into_par_iter()
            .map(|group| read_group(path, &metadata, group, &dictionaries, &empty))
            .collect::<Result<_, String>>()?;
        let mut parts = Vec::with_capacity(groups.iter().map(Vec::len).sum());
        let mut rows: u32 = 0;
        for (message, batch) in groups.into_iter().flatten() {
            let count = u32::try_from(batch.num_rows()).map_err(|e| e.to_string())?;
            parts.push(Part { first_row: rows, message, batch });
            rows = rows.checked_add(count).ok_or("more rows than can be counted")?;
        }
        let bytes = head.iter().chain(parts.iter().map(|part| &part.message)).map(Message::size).sum();
        let place = schema.index_of("underlying").ok();
        let underlyings = place.and_then(|place| dictionaries.of(place)).cloned();
        let groups = match place {
            Some(place) => group_rows(&parts, place)?,
            None => Vec::new(),
        };
        Ok(Self { schema, head, parts, groups, underlyings, rows, bytes })
    }

    /// The Arrow schema.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Rows.
    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// Bytes held.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether rows can be chosen by underlying.
    pub fn has_underlyings(&self) -> bool {
        self.underlyings.is_some()
    }

    /// One row.
    pub fn row(&self, row: u32) -> Option<RowView<'_>> {
        let at = self.parts.partition_point(|part| part.first_row <= row).checked_sub(1)?;
        let part = self.parts.get(at)?;
        RowView::new(&part.batch, (row - part.first_row) as usize)
    }

    /// The rows of an underlying; `None` where it has none.
    pub fn rows_of(&self, underlying: &str) -> Option<Range<u32>> {
        let word = find(self.underlyings.as_ref()?, underlying)?;
        let at = self.groups.binary_search_by(|group| group.word.cmp(&word)).ok()?;
        self.groups.get(at).map(|group| group.rows.clone())
    }

    /// Every underlying with its rows, in order.
    pub fn underlyings(&self) -> impl Iterator<Item = (&str, Range<u32>)> {
        let words = self.underlyings.as_deref();
        self.groups.iter().filter_map(move |group| {
            let at = usize::try_from(group.word).ok()?;
            words.filter(|words| at < words.len()).map(|words| (words.value(at), group.rows.clone()))
        })
    }

    /// The first row of a range that does not come before; rows of the range are sorted by `before`.
    pub(crate) fn partition(&self, rows: Range<u32>, mut before: impl FnMut(RowView<'_>) -> bool) -> u32 {
        let (mut low, mut high) = (rows.start, rows.end.min(self.rows));
        while low < high {
            let middle = low + (high - low) / 2;
            if self.row(middle).is_some_and(&mut before) { low = middle + 1 } else { high = middle }
        }
        low
    }

    /// The schema and the dictionaries, which come before every batch.
    pub fn head(&self) -> &[Message] {
        &self.head
    }

    /// The number of ready batches.
    pub fn batches(&self) -> usize {
        self.parts.len()
    }

    /// A ready batch.
    pub fn batch(&self, at: usize) -> Option<&Message> {
        self.parts.get(at).map(|part| &part.message)
    }

    /// The rows of `range` that stand in batch `at`, as a message: the ready one where it is the whole batch.
    ///
    /// # Errors
    /// What Arrow says.
    pub fn batch_within(&self, at: usize, range: &Range<u32>) -> Result<Option<Message>, ArrowError> {
        let Some(part) = self.parts.get(at) else { return Ok(None) };
        let rows = part.batch.num_rows();
        let start = (range.start.saturating_sub(part.first_row) as usize).min(rows);
        let end = (range.end.saturating_sub(part.first_row) as usize).min(rows);
        if start >= end {
            return Ok(None);
        }
        if start == 0 && end == rows {
            return Ok(Some(part.message.clone()));
        }
        let mut encoder = Encoder::new(&part.batch)?;
        encoder.encode(&part.batch.slice(start, end - start)).map(|(_, message)| Some(message))
    }

    /// The batches in which rows of `range` stand.
    pub fn batches_of(&self, range: &Range<u32>) -> Range<usize> {
        let first = self.parts.partition_point(|part| part.first_row <= range.start).saturating_sub(1);
        let end = self.parts.partition_point(|part| part.first_row < range.end);
        first..end
    }
}

fn same_columns(found: &SchemaRef, expected: &SchemaRef) -> Result<(), String> {
    if found.fields().len() != expected.fields().len() {
        return Err(format!("has {} columns, should have {}", found.fields().len(), expected.fields().len()));
    }
    for (found, expected) in found.fields().iter().zip(expected.fields()) {
        let same = found.name() == expected.name()
            && found.data_type() == expected.data_type()
            && found.is_nullable() == expected.is_nullable();
        if !same {
            return Err(format!("column {} is not the published {}", found.name(), expected.name()));
        }
    }
    Ok(())
}

fn reader(
    path: &Path,
    metadata: &ArrowReaderMetadata,
    group: usize,
    columns: Option<ProjectionMask>,
) -> Result<ParquetRecordBatchReader, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata.clone())
        .with_row_groups(vec![group])
        .with_batch_size(PART_ROWS);
    if let Some(columns) = columns {
        builder = builder.with_projection(columns);
    }
    builder.build().map_err(|error| error.to_string())
}

/// The words of every dictionary column, over all row groups.
fn read_dictionaries(path: &Path, metadata: &ArrowReaderMetadata, schema: &SchemaRef) -> Result<Dictionaries, String> {
    let places = places(schema);
    let groups: Vec<Vec<Vec<String>>> = (0..metadata.metadata().num_row_groups())
        .into_par_iter()
        .map(|group| {
            // Every published column is one root of the file.
            let columns = ProjectionMask::roots(metadata.metadata().file_metadata().schema_descr(), places.clone());
            let mut found = vec![Vec::new(); places.len()];
            for batch in reader(path, metadata, group, Some(columns))? {
                let batch = batch.map_err(|error| error.to_string())?;
                for (found, column) in found.iter_mut().zip(batch.columns()) {
                    found.extend(words(column));
                    found.sort_unstable();
                    found.dedup();
                }
            }
            Ok(found)
        })
        .collect::<Result<_, String>>()?;
    let merged = places.iter().enumerate().map(|(at, &place)| {
        let mut all: Vec<String> = groups.iter().filter_map(|group| group.get(at)).flatten().cloned().collect();
        all.sort_unstable();
        all.dedup();
        (place, all)
    });
    Ok(Dictionaries::new(schema, merged))
}

/// No rows, but every dictionary.
fn empty_batch(schema: &SchemaRef, dictionaries: &Dictionaries) -> Result<RecordBatch, ArrowError> {
    let columns: Result<Vec<_>, ArrowError> = schema
        .fields()
        .iter()
        .enumerate()
        .map(|(place, field)| match dictionaries.of(place) {
            Some(words) => {
                let keys = new_empty_array(&arrow::datatypes::DataType::Int32);
                let keys = keys.as_primitive::<Int32Type>().clone();
                Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(keys, words.clone())?) as Arc<dyn Array>)
            }
            None => Ok(new_empty_array(field.data_type())),
        })
        .collect();
    RecordBatch::try_new(schema.clone(), columns?)
}

fn head(empty: &RecordBatch) -> Result<Vec<Message>, ArrowError> {
    let mut encoder = Encoder::new(empty)?;
    let (dictionaries, _) = encoder.encode(empty)?;
    Ok(std::iter::once(encoder.schema().clone()).chain(dictionaries).collect())
}

/// Decodes a row group, puts it on the table's dictionaries, encodes it and reads it back in place.
fn read_group(
    path: &Path,
    metadata: &ArrowReaderMetadata,
    group: usize,
    dictionaries: &Dictionaries,
    empty: &RecordBatch,
) -> Result<Vec<(Message, RecordBatch)>, String> {
    let failed = |error: ArrowError| error.to_string();
    let mut encoder = Encoder::new(empty).map_err(failed)?;
    let (words, _) = encoder.encode(empty).map_err(failed)?;
    let mut decoder = StreamDecoder::new();
    for message in std::iter::once(encoder.schema().clone()).chain(words) {
        decoder.decode(&mut message.buffer()).map_err(failed)?;
    }
    let mut parts = Vec::new();
    for batch in reader(path, metadata, group, None)? {
        let batch = dictionaries.apply(&batch.map_err(failed)?).map_err(failed)?;
        let (again, message) = encoder.encode(&batch).map_err(failed)?;
        if !again.is_empty() {
            return Err("a dictionary changed within the table".to_owned());
        }
        let read = decoder.decode(&mut message.buffer()).map_err(failed)?;
        parts.push((message, read.ok_or("a batch did not survive its encoding")?));
    }
    Ok(parts)
}

/// Where each underlying's rows begin and end; refuses rows out of order.
fn group_rows(parts: &[Part], place: usize) -> Result<Vec<Group>, String> {
    let mut groups: Vec<Group> = Vec::new();
    for part in parts {
        let column = part.batch.columns().get(place).and_then(|c| c.as_dictionary_opt::<Int32Type>());
        let keys = column.ok_or("the underlying is no dictionary")?.keys();
        for (row, key) in (part.first_row..).zip(keys) {
            // Rows without an underlying come first and belong to none.
            let Some(word) = key else {
                if groups.is_empty() { continue } else { return Err("the underlyings are not in order".to_owned()) }
            };
            match groups.last_mut() {
                Some(last) if last.word == word => last.rows.end = row + 1,
                Some(last) if last.word > word => return Err("the underlyings are not in order".to_owned()),
                _ => groups.push(Group { word, rows: row..row + 1 }),
            }
        }
    }
    Ok(groups)
}
