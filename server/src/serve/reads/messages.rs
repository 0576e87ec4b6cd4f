//! Published rows as wire messages.

use closemark_data::date;
use closemark_data::store::{Close, RowView, SliceId, mark, slice};
use closemark_proto::v1::{Decimal, ExerciseStyle, Mark, OptionType, Settlement, Slice, ViolationCounts};

use super::names;

/// One mark; `prefix` is `dates/*/runs/*/marks/`.
pub(crate) fn mark_message(prefix: &str, view: RowView<'_>) -> Mark {
    let text = |place: usize| view.text(place).to_owned();
    let symbol = view.text(mark::OSI_SYMBOL);
    let mut name = String::with_capacity(prefix.len() + symbol.len());
    name.push_str(prefix);
    name.push_str(symbol);
    Mark {
        name,
        osi_symbol: symbol.to_owned(),
        underlying: text(mark::UNDERLYING),
        root: text(mark::ROOT),
        expiration: day(view, mark::EXPIRATION),
        strike: money(view, mark::STRIKE),
        option_type: option_type(view.text(mark::OPTION_TYPE)) as i32,
        exercise_style: exercise_style(view.text(mark::EXERCISE_STYLE)) as i32,
        settlement: settlement(view.text(mark::SETTLEMENT)) as i32,
        multiplier: count(view, mark::MULTIPLIER),
        currency: text(mark::CURRENCY),
        deliverable: text(mark::DELIVERABLE),
        bid: money(view, mark::BID),
        ask: money(view, mark::ASK),
        bid_size: size(view, mark::BID_SIZE),
        ask_size: size(view, mark::ASK_SIZE),
        venue_count: count(view, mark::VENUE_COUNT),
        quote_status: text(mark::QUOTE_STATUS),
        quote_flags: words(view, mark::QUOTE_FLAGS),
        accepted: view.flag(mark::ACCEPTED),
        mid: money(view, mark::MID),
        mark: money(view, mark::MARK),
        mark_source: text(mark::MARK_SOURCE),
        reasons: words(view, mark::REASONS),
        implied_volatility: view.number(mark::IMPLIED_VOLATILITY),
        bid_implied_volatility: view.number(mark::BID_IMPLIED_VOLATILITY),
        ask_implied_volatility: view.number(mark::ASK_IMPLIED_VOLATILITY),
        volatility_status: text(mark::VOLATILITY_STATUS),
        smoothed_volatility: view.number(mark::SMOOTHED_VOLATILITY),
        edit: money(view, mark::EDIT),
        edit_half_spreads: view.number(mark::EDIT_HALF_SPREADS),
        edit_volatility: view.number(mark::EDIT_VOLATILITY),
        delta: view.number(mark::DELTA),
        gamma: view.number(mark::GAMMA),
        vega: view.number(mark::VEGA),
        theta: view.number(mark::THETA),
        rho: view.number(mark::RHO),
        underlying_price: money(view, mark::UNDERLYING_PRICE),
        forward: view.number(mark::FORWARD),
        forward_present_value: money(view, mark::FORWARD_PRESENT_VALUE),
        discount_factor_pico: view.decimal(mark::DISCOUNT_FACTOR),
        carry_rate: view.number(mark::CARRY_RATE),
        borrow_rate: view.number(mark::BORROW_RATE),
        dividend_present_value: view.number(mark::DIVIDEND_PRESENT_VALUE),
        time_to_expiry: view.number(mark::TIME_TO_EXPIRY).unwrap_or_default(),
        log_moneyness: view.number(mark::LOG_MONEYNESS),
        total_variance: view.number(mark::TOTAL_VARIANCE),
        confidence: view.number(mark::CONFIDENCE),
        run_id: text(mark::RUN_ID),
    }
}

/// What every name of a close's marks begins with.
pub(crate) fn mark_prefix(close: &Close) -> String {
    let mut prefix = names::run(close.date(), close.run());
    prefix.push_str("/marks/");
    prefix
}

/// One slice. Multiplier and currency stand on its marks, `first` is any of them.
pub(crate) fn slice_message(
    close: &Close,
    underlying: &str,
    id: &SliceId,
    view: RowView<'_>,
    first: Option<RowView<'_>>,
    with_curve: bool,
) -> Slice {
    let curve = |place: usize| if with_curve { view.numbers(place).to_vec() } else { Vec::new() };
    Slice {
        name: format!("{}/underlyings/{underlying}/slices/{id}", names::run(close.date(), close.run())),
        underlying: underlying.to_owned(),
        root: view.text(slice::ROOT).to_owned(),
        deliverable: view.text(slice::DELIVERABLE).to_owned(),
        expiration: day(view, slice::EXPIRATION),
        settlement: settlement(view.text(slice::SETTLEMENT)) as i32,
        exercise_style: exercise_style(view.text(slice::EXERCISE_STYLE)) as i32,
        multiplier: first.map_or(0, |row| count(row, mark::MULTIPLIER)),
        currency: first.map(|row| row.text(mark::CURRENCY).to_owned()).unwrap_or_default(),
        series_count: count(view, slice::SERIES_COUNT),
        quoted_count: count(view, slice::QUOTED_COUNT),
        time_to_expiry: view.number(slice::TIME_TO_EXPIRY).unwrap_or_default(),
        forward: view.number(slice::FORWARD),
        discount_factor_pico: view.decimal(slice::DISCOUNT_FACTOR),
        carry_rate: view.number(slice::CARRY_RATE),
        borrow_rate: view.number(slice::BORROW_RATE),
        dividend_present_value: view.number(slice::DIVIDEND_PRESENT_VALUE),
        parity_residual: view.number(slice::PARITY_RESIDUAL),
        atm_volatility: view.number(slice::ATM_VOLATILITY),
        chi: view.number(slice::CHI),
        share_inside: view.number(slice::SHARE_INSIDE),
        share_accepted: view.number(slice::SHARE_ACCEPTED),
        left_out_error: view.number(slice::LEFT_OUT_ERROR),
        degrees_of_freedom: view.number(slice::DEGREES_OF_FREEDOM),
        violations_before: Some(ViolationCounts {
            vertical: count(view, slice::BEFORE_VERTICAL),
            butterfly: count(view, slice::BEFORE_BUTTERFLY),
            calendar: count(view, slice::BEFORE_CALENDAR),
            parity: count(view, slice::BEFORE_PARITY),
        }),
        violations_after: Some(ViolationCounts {
            vertical: count(view, slice::AFTER_VERTICAL),
            butterfly: count(view, slice::AFTER_BUTTERFLY),
            calendar: count(view, slice::AFTER_CALENDAR),
            parity: count(view, slice::AFTER_PARITY),
        }),
        iterations: count(view, slice::ITERATIONS),
        solver_status: view.text(slice::SOLVER_STATUS).to_owned(),
        confidence: view.number(slice::CONFIDENCE).unwrap_or_default(),
        reasons: words(view, slice::REASONS),
        curve_log_moneyness: curve(slice::CURVE_LOG_MONEYNESS),
        curve_total_variance: curve(slice::CURVE_TOTAL_VARIANCE),
    }
}

/// A price of a row.
pub(crate) fn money(view: RowView<'_>, place: usize) -> Option<Decimal> {
    view.decimal(place).map(|micros| Decimal { micros })
}

/// A count of a row, which the table never leaves null.
pub(crate) fn count(view: RowView<'_>, place: usize) -> u32 {
    view.count(place).and_then(|n| u32::try_from(n).ok()).unwrap_or_default()
}

pub(super) fn size(view: RowView<'_>, place: usize) -> Option<u64> {
    view.count(place).and_then(|n| u64::try_from(n).ok())
}

fn day(view: RowView<'_>, place: usize) -> String {
    view.date(place).map(date::to_text).unwrap_or_default()
}

/// The words of a list.
pub(crate) fn words(view: RowView<'_>, place: usize) -> Vec<String> {
    view.words(place).map(ToOwned::to_owned).collect()
}

pub(super) fn option_type(word: &str) -> OptionType {
    match word {
        "C" => OptionType::Call,
        "P" => OptionType::Put,
        _ => OptionType::Unspecified,
    }
}

pub(super) fn exercise_style(word: &str) -> ExerciseStyle {
    match word {
        "american" => ExerciseStyle::American,
        "european" => ExerciseStyle::European,
        _ => ExerciseStyle::Unspecified,
    }
}

pub(super) fn settlement(word: &str) -> Settlement {
    match word {
        "AM" => Settlement::Am,
        "PM" => Settlement::Pm,
        _ => Settlement::Unspecified,
    }
}
