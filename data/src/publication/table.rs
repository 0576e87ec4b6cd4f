//! Rows to columns: a builder that knows one published table and refuses a cell of another kind.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Date32Builder, Decimal128Builder, Float64Builder, Int64Builder, ListBuilder, RecordBatch,
    StringBuilder, StringDictionaryBuilder,
};
use arrow::datatypes::{DataType, Int32Type, SchemaRef};
use closemark_pricing::Price;
use closemark_pricing::series::Date;
use closemark_pricing::vocabulary::{QuoteFlags, Reasons};

use super::error::PublishError;
use super::schema::{Column, ColumnType, Table, element};

/// One value of a row. What a column cannot hold (not finite, out of a decimal's range) becomes null where the
/// column may be null.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cell<'a> {
    Null,
    Text(&'a str),
    Reasons(Reasons),
    Flags(QuoteFlags),
    Numbers(&'a [f64]),
    Date(Date),
    /// Millionths for money, 10^-12 for factors.
    Decimal(i64),
    Count(i64),
    Number(f64),
    Flag(bool),
}

impl<'a> Cell<'a> {
    pub(crate) fn text(value: Option<&'a str>) -> Self {
        value.map_or(Self::Null, Self::Text)
    }

    pub(crate) fn date(value: Option<Date>) -> Self {
        value.map_or(Self::Null, Self::Date)
    }

    pub(crate) fn money(value: Option<Price>) -> Self {
        value.map_or(Self::Null, |p| Self::Decimal(p.micros()))
    }

    pub(crate) fn number(value: Option<f64>) -> Self {
        value.map_or(Self::Null, Self::Number)
    }

    pub(crate) fn count(value: u32) -> Self {
        Self::Count(i64::from(value))
    }

    pub(crate) fn size(value: Option<u64>) -> Self {
        value.and_then(|v| i64::try_from(v).ok()).map_or(Self::Null, Self::Count)
    }

    pub(crate) fn flag(value: Option<bool>) -> Self {
        value.map_or(Self::Null, Self::Flag)
    }

    /// A discount factor as the nearest 10^-12.
    pub(crate) fn factor(value: Option<f64>) -> Self {
        match value.map(|d| (d * 1e12).round_ties_even()) {
            Some(d) if d.abs() < DECIMAL_LIMIT as f64 => Self::Decimal(d as i64),
            _ => Self::Null,
        }
    }

    /// A discount factor already in 10^-12.
    pub(crate) fn units(value: Option<i64>) -> Self {
        value.map_or(Self::Null, Self::Decimal)
    }
}

/// 18 decimal digits.
const DECIMAL_LIMIT: i64 = 1_000_000_000_000_000_000;

enum Builder {
    Text(StringBuilder),
    Word(StringDictionaryBuilder<Int32Type>),
    Words(ListBuilder<StringBuilder>),
    Numbers(ListBuilder<Float64Builder>),
    Date(Date32Builder),
    Decimal(Decimal128Builder),
    Count(Int64Builder),
    Number(Float64Builder),
    Flag(BooleanBuilder),
}

impl Builder {
    fn new(kind: ColumnType) -> Self {
        match kind {
            ColumnType::Text => Self::Text(StringBuilder::new()),
            ColumnType::Word => Self::Word(StringDictionaryBuilder::new()),
            ColumnType::Words => {
                Self::Words(ListBuilder::new(StringBuilder::new()).with_field(element(DataType::Utf8)))
            }
            ColumnType::Numbers => {
                Self::Numbers(ListBuilder::new(Float64Builder::new()).with_field(element(DataType::Float64)))
            }
            ColumnType::Date => Self::Date(Date32Builder::new()),
            ColumnType::Money | ColumnType::Factor => {
                Self::Decimal(Decimal128Builder::new().with_data_type(kind.arrow()))
            }
            ColumnType::Count => Self::Count(Int64Builder::new()),
            ColumnType::Number => Self::Number(Float64Builder::new()),
            ColumnType::Flag => Self::Flag(BooleanBuilder::new()),
        }
    }

    /// Appends a cell; false where it is of another kind than the column.
    fn push(&mut self, cell: &Cell<'_>) -> bool {
        match (self, cell) {
            (Self::Text(b), Cell::Text(v)) => b.append_value(v),
            (Self::Text(b), Cell::Null) => b.append_null(),
            (Self::Word(b), Cell::Text(v)) => return b.append(v).is_ok(),
            (Self::Word(b), Cell::Null) => b.append_null(),
            (Self::Words(b), Cell::Reasons(v)) => {
                v.iter().for_each(|w| b.values().append_value(w.as_str()));
                b.append(true);
            }
            (Self::Words(b), Cell::Flags(v)) => {
                v.iter().for_each(|w| b.values().append_value(w.as_str()));
                b.append(true);
            }
            (Self::Numbers(b), Cell::Numbers(v)) => {
                v.iter().for_each(|x| b.values().append_value(*x));
                b.append(true);
            }
            (Self::Date(b), Cell::Date(v)) => b.append_value(v.0),
            (Self::Date(b), Cell::Null) => b.append_null(),
            (Self::Decimal(b), Cell::Decimal(v)) if v.unsigned_abs() < DECIMAL_LIMIT.unsigned_abs() => {
                b.append_value(i128::from(*v));
            }
            (Self::Decimal(b), Cell::Decimal(_) | Cell::Null) => b.append_null(),
            (Self::Count(b), Cell::Count(v)) => b.append_value(*v),
            (Self::Count(b), Cell::Null) => b.append_null(),
            // Adding zero turns -0 into 0: one value, one form on disk.
            (Self::Number(b), Cell::Number(v)) if v.is_finite() => b.append_value(*v + 0.0),
            (Self::Number(b), Cell::Number(_) | Cell::Null) => b.append_null(),
            (Self::Flag(b), Cell::Flag(v)) => b.append_value(*v),
            (Self::Flag(b), Cell::Null) => b.append_null(),
            _ => return false,
        }
        true
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Text(b) => Arc::new(b.finish()),
            Self::Word(b) => Arc::new(b.finish()),
            Self::Words(b) => Arc::new(b.finish()),
            Self::Numbers(b) => Arc::new(b.finish()),
            Self::Date(b) => Arc::new(b.finish()),
            Self::Decimal(b) => Arc::new(b.finish()),
            Self::Count(b) => Arc::new(b.finish()),
            Self::Number(b) => Arc::new(b.finish()),
            Self::Flag(b) => Arc::new(b.finish()),
        }
    }
}

/// Collects rows of one table into record batches.
pub(crate) struct TableBuilder {
    file: &'static str,
    columns: &'static [Column],
    schema: SchemaRef,
    builders: Vec<Builder>,
    rows: usize,
}

impl TableBuilder {
    pub(crate) fn new(table: &Table) -> Self {
        Self {
            file: table.file,
            columns: table.columns,
            schema: table.arrow_schema(),
            builders: table.columns.iter().map(|c| Builder::new(c.kind)).collect(),
            rows: 0,
        }
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Appends one row, its cells in the order of the table's columns.
    pub(crate) fn push(&mut self, cells: &[Cell<'_>]) -> Result<(), PublishError> {
        let refused = |column: &str| PublishError::Cell { file: self.file, column: column.to_owned() };
        if cells.len() != self.columns.len() {
            return Err(refused("(row length)"));
        }
        for ((builder, column), cell) in self.builders.iter_mut().zip(self.columns).zip(cells) {
            if !builder.push(cell) {
                return Err(refused(column.name));
            }
        }
        self.rows += 1;
        Ok(())
    }

    /// The rows so far, as one batch; the builder starts again.
    pub(crate) fn take(&mut self) -> Result<RecordBatch, PublishError> {
        self.rows = 0;
        let arrays = self.builders.iter_mut().map(Builder::finish).collect();
        RecordBatch::try_new(self.schema.clone(), arrays)
            .map_err(|source| PublishError::Arrow { file: self.file, source })
    }
}
