//! The published tables column by column: the contract with every reader, in one place.
//!
//! Writers build their Arrow schema from these descriptions, `verify` compares files with them, and the README's
//! reference is [`markdown`] of them.

mod exceptions;
mod marks;
mod risk_arrays;
mod slices;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

pub use exceptions::EXCEPTIONS;
pub use marks::MARKS;
pub use risk_arrays::RISK_ARRAYS;
pub use slices::{CURVE_COORDINATE, CURVE_INTERPOLATION, SLICES};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// Free text.
    Text,
    /// Text of few distinct values, dictionary-encoded.
    Word,
    /// A list of words of a closed vocabulary; empty, never null.
    Words,
    /// A list of numbers; empty, never null.
    Numbers,
    /// Days since 1970-01-01.
    Date,
    /// `DECIMAL(18,6)`.
    Money,
    /// `DECIMAL(18,12)`.
    Factor,
    /// A 64-bit count.
    Count,
    /// A double; never NaN and never infinite.
    Number,
    /// True or false.
    Flag,
}

impl ColumnType {
    /// The Arrow type.
    pub fn arrow(self) -> DataType {
        match self {
            Self::Text => DataType::Utf8,
            Self::Word => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
            Self::Words => DataType::List(element(DataType::Utf8)),
            Self::Numbers => DataType::List(element(DataType::Float64)),
            Self::Date => DataType::Date32,
            Self::Money => DataType::Decimal128(18, 6),
            Self::Factor => DataType::Decimal128(18, 12),
            Self::Count => DataType::Int64,
            Self::Number => DataType::Float64,
            Self::Flag => DataType::Boolean,
        }
    }

    /// The type as the reference names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Word => "text (dictionary)",
            Self::Words => "list of text",
            Self::Numbers => "list of double",
            Self::Date => "date32",
            Self::Money => "decimal(18,6)",
            Self::Factor => "decimal(18,12)",
            Self::Count => "int64",
            Self::Number => "double",
            Self::Flag => "boolean",
        }
    }
}

/// The field of a list's elements, named as the Parquet format names it.
pub(crate) fn element(data_type: DataType) -> Arc<Field> {
    Arc::new(Field::new("element", data_type, false))
}

/// One column of a published table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: ColumnType,
    /// Whether it may be null, which means "not applicable".
    pub nullable: bool,
    /// Its unit, `-` where it has none.
    pub unit: &'static str,
    /// What it is, in one line.
    pub meaning: &'static str,
}

/// A column that is always there.
const fn required(name: &'static str, kind: ColumnType, unit: &'static str, meaning: &'static str) -> Column {
    Column { name, kind, nullable: false, unit, meaning }
}

/// A column that is null where it does not apply.
const fn optional(name: &'static str, kind: ColumnType, unit: &'static str, meaning: &'static str) -> Column {
    Column { name, kind, nullable: true, unit, meaning }
}

/// A published table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table {
    /// The file's name.
    pub file: &'static str,
    /// Its columns, in order.
    pub columns: &'static [Column],
    /// The columns it is sorted by, ascending with nulls first; declared in the file.
    pub sorted_by: &'static [&'static str],
    /// Columns with a bloom filter.
    pub bloom_filters: &'static [&'static str],
}

impl Table {
    /// The Arrow schema of the file.
    pub fn arrow_schema(&self) -> SchemaRef {
        let fields = self.columns.iter().map(|c| Field::new(c.name, c.kind.arrow(), c.nullable));
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    /// The place of a column.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|c| c.name == name)
    }
}

/// Every Parquet table that a run holds; the last only where risk arrays were asked for.
pub const TABLES: [&Table; 4] = [&MARKS, &SLICES, &EXCEPTIONS, &RISK_ARRAYS];

/// The reference table of one file, as Markdown.
pub fn markdown(table: &Table) -> String {
    let mut text = String::from("| column | type | unit | null | meaning |\n|---|---|---|---|---|\n");
    for column in table.columns {
        let null = if column.nullable { "yes" } else { "no" };
        let line = format!(
            "| `{}` | {} | {} | {null} | {} |\n",
            column.name,
            column.kind.name(),
            column.unit,
            column.meaning.replace('|', "\\|")
        );
        text.push_str(&line);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// DESIGN's own list, copied from there and not from the table.
    const DESIGNED: &str = "market_date, osi_symbol, underlying, root, expiration, strike, option_type, exercise_style, settlement, multiplier, currency, deliverable, bid, ask, bid_size, ask_size, venue_count, quote_status, quote_flags, accepted, mid, mark, mark_source, reasons, implied_volatility, bid_implied_volatility, ask_implied_volatility, volatility_status, smoothed_volatility, edit, edit_half_spreads, edit_volatility, delta, gamma, vega, theta, rho, underlying_price, forward, forward_present_value, discount_factor, carry_rate, borrow_rate, dividend_present_value, time_to_expiry, log_moneyness, total_variance, confidence, run_id";

    #[test]
    fn marks_columns_are_the_designed_ones_in_order() {
        let names: Vec<&str> = MARKS.columns.iter().map(|c| c.name).collect();
        assert_eq!(names, DESIGNED.split(", ").collect::<Vec<_>>());
        let types = |name: &str| MARKS.arrow_schema().field_with_name(name).unwrap().data_type().clone();
        assert_eq!(types("strike"), DataType::Decimal128(18, 6));
        assert_eq!(types("forward_present_value"), DataType::Decimal128(18, 6));
        assert_eq!(types("discount_factor"), DataType::Decimal128(18, 12));
        assert_eq!(types("expiration"), DataType::Date32);
    }

    #[test]
    fn names_are_unique_and_keys_are_columns() {
        for table in TABLES {
            let mut names: Vec<&str> = table.columns.iter().map(|c| c.name).collect();
            for key in table.sorted_by.iter().chain(table.bloom_filters) {
                assert!(table.index_of(key).is_some(), "{} has no {key}", table.file);
            }
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), table.columns.len());
        }
    }

    #[test]
    fn the_reference_has_one_line_a_column() {
        let text = markdown(&MARKS);
        assert_eq!(text.lines().count(), MARKS.columns.len() + 2);
        assert!(text.contains("| `mark` | decimal(18,6) | currency per share | yes |"));
    }
}
