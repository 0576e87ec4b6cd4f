//! The places of the published columns, found in the schema when this is compiled.

use crate::publication::schema::{EXCEPTIONS, MARKS, RISK_ARRAYS, SLICES, Table};

const fn place(table: &Table, name: &str) -> usize {
    let mut at = 0;
    while at < table.columns.len() {
        if same(table.columns[at].name.as_bytes(), name.as_bytes()) {
            return at;
        }
        at += 1;
    }
    // Reached while compiling only.
    assert!(at < table.columns.len(), "no such column");
    at
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    let mut at = 0;
    while at < a.len() && at < b.len() {
        if a[at] != b[at] {
            return false;
        }
        at += 1;
    }
    a.len() == b.len()
}

macro_rules! places {
    ($table:ident: $($name:ident = $column:literal),* $(,)?) => {
        $(
            #[doc = concat!("The place of `", $column, "`.")]
            pub const $name: usize = super::place(&super::$table, $column);
        )*
    };
}

/// Places in `marks.parquet`.
pub mod mark {
    places! { MARKS:
        OSI_SYMBOL = "osi_symbol", UNDERLYING = "underlying", ROOT = "root", EXPIRATION = "expiration",
        STRIKE = "strike", OPTION_TYPE = "option_type", EXERCISE_STYLE = "exercise_style", SETTLEMENT = "settlement",
        MULTIPLIER = "multiplier", CURRENCY = "currency", DELIVERABLE = "deliverable", BID = "bid", ASK = "ask",
        BID_SIZE = "bid_size", ASK_SIZE = "ask_size", VENUE_COUNT = "venue_count", QUOTE_STATUS = "quote_status",
        QUOTE_FLAGS = "quote_flags", ACCEPTED = "accepted", MID = "mid", MARK = "mark", MARK_SOURCE = "mark_source",
        REASONS = "reasons", IMPLIED_VOLATILITY = "implied_volatility",
        BID_IMPLIED_VOLATILITY = "bid_implied_volatility", ASK_IMPLIED_VOLATILITY = "ask_implied_volatility",
        VOLATILITY_STATUS = "volatility_status", SMOOTHED_VOLATILITY = "smoothed_volatility", EDIT = "edit",
        EDIT_HALF_SPREADS = "edit_half_spreads", EDIT_VOLATILITY = "edit_volatility", DELTA = "delta", GAMMA = "gamma",
        VEGA = "vega", THETA = "theta", RHO = "rho", UNDERLYING_PRICE = "underlying_price", FORWARD = "forward",
        FORWARD_PRESENT_VALUE = "forward_present_value", DISCOUNT_FACTOR = "discount_factor",
        CARRY_RATE = "carry_rate", BORROW_RATE = "borrow_rate", DIVIDEND_PRESENT_VALUE = "dividend_present_value",
        TIME_TO_EXPIRY = "time_to_expiry", LOG_MONEYNESS = "log_moneyness", TOTAL_VARIANCE = "total_variance",
        CONFIDENCE = "confidence", RUN_ID = "run_id",
    }
}

/// Places in `risk_arrays.parquet`; the ten points follow [`risk_array::POINT_1`].
pub mod risk_array {
    places! { RISK_ARRAYS:
        OSI_SYMBOL = "osi_symbol", MARGIN_GROUP = "margin_group", RANGE_DOWN = "range_down", RANGE_UP = "range_up",
        POINT_1 = "point_1", MINIMUM_CHARGE = "minimum_charge", MARK = "mark",
        IMPLIED_VOLATILITY = "implied_volatility",
    }
}

/// Places in `slices.parquet`.
pub mod slice {
    places! { SLICES:
        UNDERLYING = "underlying", ROOT = "root", DELIVERABLE = "deliverable", EXPIRATION = "expiration",
        SETTLEMENT = "settlement", EXERCISE_STYLE = "exercise_style", CALENDAR = "calendar",
        SERIES_COUNT = "series_count", QUOTED_COUNT = "quoted_count", TIME_TO_EXPIRY = "time_to_expiry",
        FORWARD = "forward", FORWARD_PRESENT_VALUE = "forward_present_value", DISCOUNT_FACTOR = "discount_factor",
        CARRY_RATE = "carry_rate", BORROW_RATE = "borrow_rate", DIVIDEND_PRESENT_VALUE = "dividend_present_value",
        FORWARD_PAIRS = "forward_pairs", FORWARD_UNCERTAINTY = "forward_uncertainty",
        PARITY_RESIDUAL = "parity_residual", ATM_VOLATILITY = "atm_volatility", LAMBDA = "lambda",
        DEGREES_OF_FREEDOM = "degrees_of_freedom", CHI = "chi", ATM_ERROR = "atm_error", SHARE_INSIDE = "share_inside",
        SHARE_ACCEPTED = "share_accepted", LEFT_OUT_ERROR = "left_out_error", USED_CALLS = "used_calls",
        USED_PUTS = "used_puts", REJECTED_CALLS = "rejected_calls", REJECTED_PUTS = "rejected_puts",
        BEFORE_VERTICAL = "violations_before_vertical", BEFORE_BUTTERFLY = "violations_before_butterfly",
        BEFORE_CALENDAR = "violations_before_calendar", BEFORE_PARITY = "violations_before_parity",
        AFTER_VERTICAL = "violations_after_vertical", AFTER_BUTTERFLY = "violations_after_butterfly",
        AFTER_CALENDAR = "violations_after_calendar", AFTER_PARITY = "violations_after_parity",
        ITERATIONS = "iterations", SOLVER_STATUS = "solver_status", SOLVER_RESIDUAL = "solver_residual",
        LARGEST_MOVE = "largest_move", SMALLEST_POSSIBLE_MOVE = "smallest_possible_move", CONFIDENCE = "confidence",
        REASONS = "reasons",
        CURVE_LOG_MONEYNESS = "curve_log_moneyness", CURVE_TOTAL_VARIANCE = "curve_total_variance", RUN_ID = "run_id",
    }
}

/// Places in `exceptions.parquet`.
pub mod exception {
    places! { EXCEPTIONS:
        SCOPE = "scope", UNDERLYING = "underlying", ROOT = "root", EXPIRATION = "expiration",
        SETTLEMENT = "settlement", OSI_SYMBOL = "osi_symbol", STAGE = "stage", REASON = "reason", FIELD = "field",
        BEFORE = "before", AFTER = "after", AUTHOR = "author",
    }
}
