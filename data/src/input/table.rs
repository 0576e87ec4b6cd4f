//! Small reference tables in CSV: named columns, typed fields, faults that say where.

use std::io::Read;

use closemark_pricing::mark::ExceptionRow;
use closemark_pricing::price::Price;
use closemark_pricing::series::{Date, Instant};

use super::error::InputError;
use super::exceptions::{self, BAD_PRICE, MALFORMED_ROW};
use super::number::{plain_number, price_from_text};
use super::source::InputSource;
use crate::{date, time};

/// A CSV file with the places of its known columns.
pub(crate) struct Table {
    file: &'static str,
    columns: &'static [&'static str],
    places: Vec<Option<usize>>,
    width: usize,
    records: csv::ByteRecordsIntoIter<Box<dyn Read>>,
}

impl Table {
    /// Opens a table; `None` where there is no such file. The first `required` of the columns must be there,
    /// others may; columns of other names are ignored.
    pub(crate) fn open(
        source: &dyn InputSource,
        file: &'static str,
        columns: &'static [&'static str],
        required: usize,
    ) -> Result<Option<Self>, InputError> {
        let opened = source.open(file).map_err(|error| InputError::file(file, format!("cannot be read: {error}")))?;
        let Some(opened) = opened else { return Ok(None) };
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(opened.into_read());
        let header =
            reader.byte_headers().map_err(|error| InputError::file(file, format!("cannot be read: {error}")))?.clone();
        let places: Vec<Option<usize>> = columns.iter().map(|name| place(&header, name)).collect();
        for (name, found) in columns.iter().zip(&places).take(required) {
            if found.is_none() {
                return Err(missing_column(file, name, &header));
            }
        }
        Ok(Some(Self { file, columns, places, width: header.len(), records: reader.into_byte_records() }))
    }

    /// The next row; `None` at the end.
    pub(crate) fn next_row(&mut self) -> Result<Option<Row>, InputError> {
        let Some(record) = self.records.next() else { return Ok(None) };
        let record = record.map_err(|error| InputError::file(self.file, format!("cannot be read: {error}")))?;
        let whole = record.len() == self.width;
        let fields = self
            .places
            .iter()
            .map(|found| {
                let bytes = found.and_then(|at| record.get(at)).unwrap_or_default();
                String::from_utf8_lossy(bytes).trim().to_owned()
            })
            .collect();
        Ok(Some(Row { columns: self.columns, fields, whole }))
    }

    /// Reads all rows through `parse`. A row that it refuses, or that has too few or too many fields, goes into
    /// `faults`.
    pub(crate) fn collect<T>(
        mut self,
        faults: &mut Vec<ExceptionRow>,
        parse: impl Fn(&Row) -> Result<T, Refusal>,
    ) -> Result<Vec<T>, InputError> {
        let mut rows = Vec::new();
        while let Some(row) = self.next_row()? {
            let parsed = if row.whole { parse(&row) } else { Err(Refusal::row(&row)) };
            match parsed {
                Ok(value) => rows.push(value),
                Err(refusal) => faults.push(refusal.exception(self.file, &row)),
            }
        }
        Ok(rows)
    }
}

/// Finds a column, whatever byte-order mark and blanks stand around its name.
pub(crate) fn place(header: &csv::ByteRecord, name: &str) -> Option<usize> {
    header.iter().position(|field| {
        let field = field.strip_prefix(b"\xef\xbb\xbf").unwrap_or(field);
        field.trim_ascii() == name.as_bytes()
    })
}

pub(crate) fn missing_column(file: &str, name: &str, header: &csv::ByteRecord) -> InputError {
    let there: Vec<String> = header.iter().map(|field| String::from_utf8_lossy(field).into_owned()).collect();
    let there = super::error::shown(&there.join(", "));
    InputError::file(file, format!("is missing; the file has {there}")).at_column(name)
}

/// One row's fields, in the order of the table's column names; empty where a column is absent.
pub(crate) struct Row {
    columns: &'static [&'static str],
    fields: Vec<String>,
    whole: bool,
}

/// Why a row is refused: which column, and whether it is a price.
pub(crate) struct Refusal {
    column: &'static str,
    value: String,
    reason: &'static str,
}

impl Refusal {
    fn row(row: &Row) -> Self {
        Self { column: "*", value: row.fields.join(","), reason: MALFORMED_ROW }
    }

    fn exception(self, file: &str, row: &Row) -> ExceptionRow {
        let mut exception = exceptions::row(self.reason, None, &format!("{file}: {}", self.column), &self.value);
        let named = |name: &str| {
            let at = row.columns.iter().position(|column| *column == name)?;
            row.fields.get(at).filter(|text| !text.is_empty()).map(|text| super::error::shown(text))
        };
        exception.underlying = named("underlying");
        exception.osi_symbol = named("osi_symbol");
        exception
    }
}

impl Row {
    fn at(&self, place: usize) -> &str {
        self.fields.get(place).map_or("", String::as_str)
    }

    /// A refusal of the field at a place.
    pub(crate) fn refuse(&self, place: usize) -> Refusal {
        Refusal {
            column: self.columns.get(place).copied().unwrap_or("*"),
            value: self.at(place).to_owned(),
            reason: MALFORMED_ROW,
        }
    }

    /// The text of a field; `None` where it is empty.
    pub(crate) fn text(&self, place: usize) -> Option<&str> {
        Some(self.at(place)).filter(|text| !text.is_empty())
    }

    /// The text of a field that must not be empty.
    pub(crate) fn required(&self, place: usize) -> Result<&str, Refusal> {
        self.text(place).ok_or_else(|| self.refuse(place))
    }

    /// A field through a parser; `None` where it is empty, refused where the parser says nothing.
    pub(crate) fn parsed<T>(&self, place: usize, parse: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Refusal> {
        self.text(place).map(|text| parse(text).ok_or_else(|| self.refuse(place))).transpose()
    }

    /// A price between zero and the largest that input may carry.
    pub(crate) fn price(&self, place: usize) -> Result<Option<Price>, Refusal> {
        let price =
            self.parsed(place, |text| price_from_text(text).filter(|p| (Price::ZERO..=Price::INPUT_MAX).contains(p)));
        price.map_err(|refusal| Refusal { reason: BAD_PRICE, ..refusal })
    }

    /// A finite number.
    pub(crate) fn number(&self, place: usize) -> Result<Option<f64>, Refusal> {
        self.parsed(place, plain_number)
    }

    /// A date.
    pub(crate) fn date(&self, place: usize) -> Result<Option<Date>, Refusal> {
        self.parsed(place, date::parse)
    }

    /// A time with its offset.
    pub(crate) fn instant(&self, place: usize) -> Result<Option<Instant>, Refusal> {
        self.parsed(place, time::parse)
    }

    /// `true` or `false`, also `1`, `0`, `yes`, `no`; false where it is empty.
    pub(crate) fn flag(&self, place: usize) -> Result<bool, Refusal> {
        let flag = self.parsed(place, |text| match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" => Some(true),
            "false" | "0" | "no" => Some(false),
            _ => None,
        })?;
        Ok(flag.unwrap_or(false))
    }
}
