//! `exceptions.parquet`: every exclusion, cap, fallback and override.

use super::ColumnType::{Date, Text, Word};
use super::{Column, Table, optional, required};

const COLUMNS: &[Column] = &[
    required("scope", Word, "-", "`series`, `slice`, `underlying`, `venue_quote` or `row`"),
    optional("underlying", Word, "-", "The underlying, where known"),
    optional("root", Word, "-", "The root, where known"),
    optional("expiration", Date, "-", "The expiration, where known"),
    optional("settlement", Word, "-", "The settlement, where known"),
    optional("osi_symbol", Text, "-", "The series, where known"),
    required("stage", Word, "-", "The stage that recorded it"),
    required("reason", Word, "-", "The reason's word"),
    optional("field", Word, "-", "What was changed or refused"),
    optional("before", Text, "-", "Its value before"),
    optional("after", Text, "-", "Its value after"),
    optional("author", Word, "-", "Who: null for the method, a name for a person"),
];

/// `exceptions.parquet`.
pub const EXCEPTIONS: Table = Table {
    file: "exceptions.parquet",
    columns: COLUMNS,
    sorted_by: &[
        "underlying",
        "expiration",
        "settlement",
        "root",
        "osi_symbol",
        "scope",
        "stage",
        "reason",
        "field",
        "before",
        "after",
        "author",
    ],
    bloom_filters: &[],
};
