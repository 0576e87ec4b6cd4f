//! A fatal fault of the input: one line that names file, row, column, value and what is allowed.

use std::fmt;

use closemark_pricing::curve::CurveError;

use crate::reference::ReferenceError;

/// Why a day cannot be closed at all. Trouble with single rows and series is not here; it is in
/// [`Day::exceptions`](crate::day::Day::exceptions).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputError {
    /// The file, relative to the input folder.
    pub file: String,
    /// Row of a table, the first one after the header being 1.
    pub row: Option<u64>,
    /// Column or key.
    pub column: Option<String>,
    /// What stands there.
    pub value: Option<String>,
    /// What may stand there, or what is the matter.
    pub allowed: String,
}

impl InputError {
    /// A fault of a whole file.
    pub fn file(file: &str, allowed: impl fmt::Display) -> Self {
        Self { file: file.to_owned(), row: None, column: None, value: None, allowed: allowed.to_string() }
    }

    /// The same fault, in a row.
    #[must_use]
    pub fn at_row(mut self, row: u64) -> Self {
        self.row = Some(row);
        self
    }

    /// The same fault, in a column.
    #[must_use]
    pub fn at_column(mut self, column: &str) -> Self {
        self.column = Some(column.to_owned());
        self
    }

    /// The same fault, with the value that is not allowed.
    #[must_use]
    pub fn with_value(mut self, value: impl fmt::Display) -> Self {
        self.value = Some(value.to_string());
        self
    }

    pub(crate) fn curve(file: &str, error: CurveError) -> Self {
        Self::file(file, error)
    }
}

/// Longest piece of a value that is shown.
const SHOWN_CHARACTERS: usize = 80;

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some(row) = self.row {
            write!(f, ": row {row}")?;
        }
        if let Some(column) = &self.column {
            write!(f, ": column `{}`", shown(column))?;
        }
        if let Some(value) = &self.value {
            write!(f, ": `{}` is not allowed", shown(value))?;
        }
        write!(f, ": {}", self.allowed.replace(['\n', '\r'], " "))
    }
}

impl std::error::Error for InputError {}

impl From<ReferenceError> for InputError {
    fn from(error: ReferenceError) -> Self {
        Self::file(error.file, error.allowed).at_row(error.row).at_column(error.column).with_value(error.value)
    }
}

/// A value as it may stand in one line: control characters escaped, long text cut.
pub(crate) fn shown(value: &str) -> String {
    let mut text: String = value.chars().take(SHOWN_CHARACTERS).flat_map(char::escape_debug).collect();
    if value.chars().nth(SHOWN_CHARACTERS).is_some() {
        text.push_str("...");
    }
    text
}
