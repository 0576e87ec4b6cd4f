//! Quotes in Parquet, whatever numeric types their producer chose.

use std::sync::Arc;

use arrow::array::{Array, AsArray, DictionaryArray, RecordBatch};
use arrow::datatypes::{
    DataType, Decimal128Type, Field as ArrowField, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type, Schema,
    TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
    UInt16Type, UInt32Type, UInt64Type,
};
use closemark_pricing::price::Price;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::file::reader::ChunkReader;

use super::error::InputError;
use super::number::micros_from_decimal;
use super::quotes::{COLUMNS, Field, QuoteRows, REQUIRED, ReadRow, SymbolRef};
use super::quotes::{sequence_from_i128, size_from_f64, size_from_i128, time_from_i128};
use super::source::SourceFile;
use super::symbols::RawQuote;
use crate::decoder;
use crate::reference::VenueTable;

const BATCH_ROWS: usize = 65_536;

/// Rows after which `full` is asked to take them.
const PIECE_ROWS: usize = 1 << 18;

/// A file whose columns can be read, and what its groups of rows need to be.
pub(crate) struct Opened {
    metadata: ArrowReaderMetadata,
}

impl Opened {
    /// Reads the file's description and checks its columns.
    pub(crate) fn new(name: &str, file: &SourceFile) -> Result<Self, InputError> {
        let outcome = decoder::caught(|| match file {
            SourceFile::File(file) => Self::of(name, file),
            SourceFile::Bytes(bytes) => Self::of(name, bytes),
        });
        outcome.unwrap_or_else(|| Err(InputError::file(name, decoder::GAVE_UP)))
    }

    fn of<T: ChunkReader>(name: &str, file: &T) -> Result<Self, InputError> {
        // Types as Parquet knows them; what its producer noted beside them (large strings, views) does not matter.
        let plain = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let metadata = ArrowReaderMetadata::load(file, plain.clone()).map_err(|error| unreadable(name, &error))?;
        let schema = typed_schema(name, metadata.schema())?;
        let options = plain.with_schema(Arc::new(schema));
        let metadata = ArrowReaderMetadata::try_new(metadata.metadata().clone(), options);
        Ok(Self { metadata: metadata.map_err(|error| unreadable(name, &error))? })
    }

    /// How many groups of rows the file has.
    pub(crate) fn groups(&self) -> usize {
        self.metadata.metadata().num_row_groups()
    }

    /// Reads one group of rows into `all`, which `full` empties now and then; false from it stops the reading.
    pub(crate) fn read_group(
        &self,
        name: &str,
        file: SourceFile,
        group: usize,
        venues: &VenueTable,
        all: &mut QuoteRows,
        full: &mut dyn FnMut(&mut QuoteRows) -> bool,
    ) -> Result<(), InputError> {
        let outcome = decoder::caught(|| match file {
            SourceFile::File(file) => self.read_rows(name, file, group, venues, all, full),
            SourceFile::Bytes(bytes) => self.read_rows(name, bytes, group, venues, all, full),
        });
        outcome.unwrap_or_else(|| Err(InputError::file(name, decoder::GAVE_UP)))
    }

    fn read_rows<T: ChunkReader + 'static>(
        &self,
        name: &str,
        file: T,
        group: usize,
        venues: &VenueTable,
        all: &mut QuoteRows,
        full: &mut dyn FnMut(&mut QuoteRows) -> bool,
    ) -> Result<(), InputError> {
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone());
        let mask = ProjectionMask::columns(builder.parquet_schema(), COLUMNS);
        let reader = builder.with_projection(mask).with_batch_size(BATCH_ROWS).with_row_groups(vec![group]);
        for batch in reader.build().map_err(|error| unreadable(name, &error))? {
            push_batch(name, &batch.map_err(|error| unreadable(name, &error))?, venues, all)?;
            if all.rows.len() >= PIECE_ROWS && !full(all) {
                return Ok(());
            }
        }
        Ok(())
    }
}

fn unreadable(name: &str, error: &dyn std::fmt::Display) -> InputError {
    InputError::file(name, format!("is no readable Parquet: {error}"))
}

/// Checks that every column is there with a type that can be read, and asks for the two texts as dictionaries.
fn typed_schema(name: &str, schema: &Schema) -> Result<Schema, InputError> {
    for column in COLUMNS.iter().take(REQUIRED) {
        if schema.column_with_name(column).is_none() {
            let there: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
            let there = super::error::shown(&there.join(", "));
            return Err(InputError::file(name, format!("is missing; the file has {there}")).at_column(column));
        }
    }
    let mut fields: Vec<Arc<ArrowField>> = Vec::new();
    for field in schema.fields() {
        let Some(place) = COLUMNS.iter().position(|column| column == field.name()) else {
            fields.push(field.clone());
            continue;
        };
        let (fits, allowed) = match place {
            0 | 1 => (matches!(field.data_type(), DataType::Utf8), "text"),
            2 | 4 => (is_number(field.data_type()), "a decimal, floating or whole number"),
            3 | 5 => (is_number(field.data_type()), "a whole number"),
            6 => (matches!(field.data_type(), DataType::Timestamp(..) | DataType::Int64), "a timestamp"),
            _ => (is_whole(field.data_type()), "a whole number"),
        };
        if !fits {
            let given = field.data_type();
            return Err(InputError::file(name, allowed).at_column(field.name()).with_value(given));
        }
        fields.push(if place < 2 {
            let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
            Arc::new(ArrowField::new(field.name(), dictionary, field.is_nullable()))
        } else {
            field.clone()
        });
    }
    Ok(Schema::new(fields))
}

fn is_whole(kind: &DataType) -> bool {
    use DataType::{Int16, Int32, Int64, UInt16, UInt32, UInt64};
    matches!(kind, Int16 | Int32 | Int64 | UInt16 | UInt32 | UInt64)
}

fn is_number(kind: &DataType) -> bool {
    is_whole(kind) || matches!(kind, DataType::Float32 | DataType::Float64 | DataType::Decimal128(..))
}

/// A number as it stood in the file.
enum Number {
    None,
    Whole(i128),
    Real(f64),
    /// Unscaled value and places.
    Decimal(i128, i8),
}

type Reading<'a> = Box<dyn Fn(usize) -> Number + 'a>;

fn reading<'a>(name: &str, batch: &'a RecordBatch, column: &str) -> Result<Reading<'a>, InputError> {
    let Some(array) = batch.column_by_name(column) else { return Ok(Box::new(|_| Number::None)) };
    macro_rules! whole {
        ($kind:ty) => {{
            let values = array.as_primitive_opt::<$kind>();
            values.map(|v| -> Reading<'a> {
                Box::new(|i| if v.is_null(i) { Number::None } else { Number::Whole(v.value(i).into()) })
            })
        }};
    }
    macro_rules! real {
        ($kind:ty) => {{
            let values = array.as_primitive_opt::<$kind>();
            values.map(|v| -> Reading<'a> {
                Box::new(|i| if v.is_null(i) { Number::None } else { Number::Real(v.value(i).into()) })
            })
        }};
    }
    macro_rules! time {
        ($kind:ty, $factor:expr) => {{
            let values = array.as_primitive_opt::<$kind>();
            values.map(|v| -> Reading<'a> {
                Box::new(|i| if v.is_null(i) { Number::None } else { Number::Whole(i128::from(v.value(i)) * $factor) })
            })
        }};
    }
    let reading = match array.data_type() {
        DataType::Int16 => whole!(Int16Type),
        DataType::Int32 => whole!(Int32Type),
        DataType::Int64 => whole!(Int64Type),
        DataType::UInt16 => whole!(UInt16Type),
        DataType::UInt32 => whole!(UInt32Type),
        DataType::UInt64 => whole!(UInt64Type),
        DataType::Float32 => real!(Float32Type),
        DataType::Float64 => real!(Float64Type),
        DataType::Timestamp(TimeUnit::Second, _) => time!(TimestampSecondType, 1_000_000_000),
        DataType::Timestamp(TimeUnit::Millisecond, _) => time!(TimestampMillisecondType, 1_000_000),
        DataType::Timestamp(TimeUnit::Microsecond, _) => time!(TimestampMicrosecondType, 1_000),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => time!(TimestampNanosecondType, 1),
        DataType::Decimal128(_, scale) => {
            let scale = *scale;
            array.as_primitive_opt::<Decimal128Type>().map(|v| -> Reading<'a> {
                Box::new(move |i| if v.is_null(i) { Number::None } else { Number::Decimal(v.value(i), scale) })
            })
        }
        _ => None,
    };
    reading.ok_or_else(|| InputError::file(name, "a number").at_column(column).with_value(array.data_type()))
}

/// The text values of a dictionary column and what was made of them, each at most once a batch.
struct Words<'a, T> {
    array: &'a DictionaryArray<Int32Type>,
    made: Vec<Option<T>>,
}

impl<'a, T: Clone> Words<'a, T> {
    fn new(name: &str, batch: &'a RecordBatch, column: &str) -> Result<Self, InputError> {
        let array = batch
            .column_by_name(column)
            .and_then(|array| array.as_dictionary_opt::<Int32Type>())
            .filter(|array| array.values().as_string_opt::<i32>().is_some())
            .ok_or_else(|| InputError::file(name, "text").at_column(column))?;
        Ok(Self { array, made: vec![None; array.values().len()] })
    }

    /// Row `i`'s text through `make`; an absent text is empty.
    fn get(&mut self, i: usize, make: impl FnOnce(&'a str) -> T) -> T {
        let texts = self.array.values().as_string_opt::<i32>();
        let (Some(key), Some(texts)) = (self.array.key(i), texts) else { return make("") };
        match self.made.get_mut(key) {
            Some(Some(value)) => value.clone(),
            Some(slot) if texts.is_valid(key) => slot.insert(make(texts.value(key))).clone(),
            _ => make(""),
        }
    }
}

fn push_batch(name: &str, batch: &RecordBatch, venues: &VenueTable, all: &mut QuoteRows) -> Result<(), InputError> {
    let mut symbols: Words<'_, Result<u32, String>> = Words::new(name, batch, "osi_symbol")?;
    let mut venue_words: Words<'_, Field<u16>> = Words::new(name, batch, "venue")?;
    let (bid, ask) = (reading(name, batch, "bid")?, reading(name, batch, "ask")?);
    let (bid_size, ask_size) = (reading(name, batch, "bid_size")?, reading(name, batch, "ask_size")?);
    let (time, sequence) = (reading(name, batch, "quote_time")?, reading(name, batch, "sequence")?);
    all.rows.reserve(batch.num_rows());
    for i in 0..batch.num_rows() {
        let number = symbols.get(i, |text| all.symbols.intern(text.trim().as_bytes()).ok_or_else(|| text.to_owned()));
        let symbol = match &number {
            Ok(number) => SymbolRef::Number(*number),
            Err(text) => SymbolRef::Text(text.as_bytes()),
        };
        all.push(ReadRow {
            symbol,
            venue: venue_words.get(i, |text| venues.find(text.trim()).ok_or_else(|| text.to_owned())),
            bid: price(bid(i)),
            bid_size: size(bid_size(i)),
            ask: price(ask(i)),
            ask_size: size(ask_size(i)),
            time: match time(i) {
                Number::Whole(value) => time_from_i128(value),
                _ => Ok(RawQuote::NO_TIME),
            },
            sequence: match sequence(i) {
                Number::Whole(value) => sequence_from_i128(value),
                _ => Ok(0),
            },
        });
    }
    Ok(())
}

fn price(number: Number) -> Field<i64> {
    match number {
        Number::None => Ok(RawQuote::NO_PRICE),
        Number::Real(value) => Price::nearest(value).map(Price::micros).ok_or_else(|| value.to_string()),
        Number::Whole(value) => micros_from_decimal(value, 0).ok_or_else(|| value.to_string()),
        Number::Decimal(value, scale) => {
            micros_from_decimal(value, scale).ok_or_else(|| format!("{value} times 10^-{scale}"))
        }
    }
}

fn size(number: Number) -> Field<u32> {
    match number {
        Number::None => Ok(RawQuote::NO_SIZE),
        Number::Real(value) => size_from_f64(value),
        Number::Whole(value) => size_from_i128(value),
        Number::Decimal(value, scale) => match micros_from_decimal(value, scale) {
            Some(micros) if micros % 1_000_000 == 0 => size_from_i128(i128::from(micros / 1_000_000)),
            _ => Err(format!("{value} times 10^-{scale}")),
        },
    }
}
