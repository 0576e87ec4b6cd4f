//! `risk_arrays.parquet`: one row per marked series.

use super::ColumnType::{Factor, Money, Number, Text, Word};
use super::{Column, Table, optional, required};

const PER_CONTRACT: &str = "currency per contract";
const SHARE: &str = "share of the underlying's price";

const COLUMNS: &[Column] = &[
    required("osi_symbol", Text, "-", "The series, as in `marks`"),
    required(
        "margin_group",
        Word,
        "-",
        "`equity`, `narrow_index`, `broad_index`, `high_cap_index` or `leveraged_fund`",
    ),
    required("range_down", Factor, SHARE, "The lowest valuation point, negative; a leveraged fund's times its factor"),
    required("range_up", Factor, SHARE, "The highest valuation point"),
    required(
        "point_1",
        Money,
        PER_CONTRACT,
        "Gain of one long contract at `range_down`, its underlying not below zero",
    ),
    required("point_2", Money, PER_CONTRACT, "At 4/5 of `range_down`"),
    required("point_3", Money, PER_CONTRACT, "At 3/5 of `range_down`"),
    required("point_4", Money, PER_CONTRACT, "At 2/5 of `range_down`"),
    required("point_5", Money, PER_CONTRACT, "At 1/5 of `range_down`"),
    required("point_6", Money, PER_CONTRACT, "At 1/5 of `range_up`"),
    required("point_7", Money, PER_CONTRACT, "At 2/5 of `range_up`"),
    required("point_8", Money, PER_CONTRACT, "At 3/5 of `range_up`"),
    required("point_9", Money, PER_CONTRACT, "At 4/5 of `range_up`"),
    required("point_10", Money, PER_CONTRACT, "At `range_up`"),
    required("minimum_charge", Money, PER_CONTRACT, "Least margin of one contract: 0.375 times the multiplier"),
    required("mark", Money, "currency per share", "The mark that gains are counted from"),
    optional(
        "implied_volatility",
        Number,
        "per square root of year",
        "The volatility held at every point; null where nothing determines one, and the exercise value stands",
    ),
];

/// `risk_arrays.parquet`.
pub const RISK_ARRAYS: Table =
    Table { file: "risk_arrays.parquet", columns: COLUMNS, sorted_by: &["osi_symbol"], bloom_filters: &["osi_symbol"] };
