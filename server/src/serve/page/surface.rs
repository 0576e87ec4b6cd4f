//! `.../underlyings/U` and `.../underlyings/U/slices/S`: the slices of an underlying, and one with its series.

use closemark_data::date;
use closemark_data::store::{Close, RowView, SliceId, mark, slice};
use closemark_pricing::vocabulary::{MarkSource, QuoteFlag, Reason, VolatilityStatus};
use serde_json::{Map, Value, json};

use super::values::{count, day, factor, money, number, object, real, words};

/// Half-width of the heat map, and of one of its columns, in standard deviations at the money.
const REACH: i32 = 8;
const STEP: f64 = 0.5;

/// One underlying: every slice with its figures and its curve, and the heat map's residuals.
pub(super) fn underlying(close: &Close, name: &str) -> Option<Value> {
    let all = close.slices_of(name);
    if all.is_empty() {
        return None;
    }
    let price = close.mark_rows(Some(name), None).into_iter().flatten().find_map(|row| {
        let view = close.marks().row(row)?;
        view.decimal(mark::UNDERLYING_PRICE)
    });
    let slices: Vec<Value> = all
        .iter()
        .map(|(id, view)| {
            let mut figures = figures(name, id, *view);
            figures.insert("residuals".to_owned(), residuals(close, name, id, *view));
            Value::Object(figures)
        })
        .collect();
    Some(json!({
        "date": date::to_text(close.date()),
        "run": close.run().to_string(),
        "underlying": name,
        "price": price.map(super::values::micros),
        "columns": (-REACH..=REACH).map(|at| f64::from(at) * STEP).collect::<Vec<_>>(),
        "slices": slices,
    }))
}

/// What `slices.parquet` says, and the names that a page shows.
fn figures(underlying: &str, id: &SliceId, view: RowView<'_>) -> Map<String, Value> {
    let european = view.text(slice::EXERCISE_STYLE) == "european";
    let dividends = view.number(slice::DIVIDEND_PRESENT_VALUE).unwrap_or(0.0);
    object([
        ("slice", json!(id.to_string())),
        ("label", json!(format!("{} {} {}", id.root, date::to_text(id.expiration), id.settlement))),
        ("chip", json!(chip(underlying, id))),
        ("root", json!(id.root)),
        ("expiration", json!(date::to_text(id.expiration))),
        ("settlement", json!(id.settlement.as_str())),
        ("deliverable", json!(view.text(slice::DELIVERABLE))),
        ("exercise_style", json!(view.text(slice::EXERCISE_STYLE))),
        ("calendar", json!(view.flag(slice::CALENDAR))),
        ("series", count(view, slice::SERIES_COUNT)),
        ("quoted", count(view, slice::QUOTED_COUNT)),
        ("time", real(view, slice::TIME_TO_EXPIRY, 8)),
        ("forward", real(view, slice::FORWARD, 6)),
        ("discount_factor", factor(view, slice::DISCOUNT_FACTOR)),
        ("carry_rate", real(view, slice::CARRY_RATE, 8)),
        ("borrow_rate", real(view, slice::BORROW_RATE, 8)),
        ("dividend_present_value", real(view, slice::DIVIDEND_PRESENT_VALUE, 6)),
        ("forward_pairs", count(view, slice::FORWARD_PAIRS)),
        ("forward_uncertainty", real(view, slice::FORWARD_UNCERTAINTY, 6)),
        ("parity_residual", real(view, slice::PARITY_RESIDUAL, 4)),
        ("atm", real(view, slice::ATM_VOLATILITY, 6)),
        ("chi", real(view, slice::CHI, 4)),
        ("inside", real(view, slice::SHARE_INSIDE, 6)),
        ("accepted_share", real(view, slice::SHARE_ACCEPTED, 6)),
        ("left_out_error", real(view, slice::LEFT_OUT_ERROR, 6)),
        ("degrees_of_freedom", real(view, slice::DEGREES_OF_FREEDOM, 3)),
        (
            "before",
            kinds(
                view,
                [slice::BEFORE_VERTICAL, slice::BEFORE_BUTTERFLY, slice::BEFORE_CALENDAR, slice::BEFORE_PARITY],
            ),
        ),
        (
            "after",
            kinds(view, [slice::AFTER_VERTICAL, slice::AFTER_BUTTERFLY, slice::AFTER_CALENDAR, slice::AFTER_PARITY]),
        ),
        ("iterations", count(view, slice::ITERATIONS)),
        ("solver_status", json!(view.text(slice::SOLVER_STATUS))),
        ("largest_move", money(view, slice::LARGEST_MOVE)),
        ("smallest_possible_move", money(view, slice::SMALLEST_POSSIBLE_MOVE)),
        ("confidence", real(view, slice::CONFIDENCE, 4)),
        ("slice_reasons", words(view, slice::REASONS)),
        // With cash dividends the curve's coordinate is not the model volatility that the quotes are drawn in.
        ("curve_is_model", json!(european || dividends == 0.0)),
        (
            "curve_k",
            json!(view.numbers(slice::CURVE_LOG_MONEYNESS).iter().map(|k| number(Some(*k), 7)).collect::<Vec<_>>()),
        ),
        (
            "curve_w",
            json!(view.numbers(slice::CURVE_TOTAL_VARIANCE).iter().map(|w| number(Some(*w), 10)).collect::<Vec<_>>()),
        ),
    ])
}

fn kinds(view: RowView<'_>, places: [usize; 4]) -> Value {
    let [vertical, butterfly, calendar, parity] = places.map(|place| count(view, place));
    json!({"vertical": vertical, "butterfly": butterfly, "calendar": calendar, "parity": parity})
}

/// `18 Dec 26`, with what else tells slices of one date apart.
fn chip(underlying: &str, id: &SliceId) -> String {
    let (year, month, day) = date::to_ymd(id.expiration);
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let name = usize::try_from(month).ok().and_then(|m| months.get(m.checked_sub(1)?)).copied().unwrap_or("?");
    let root = if id.root == underlying { String::new() } else { format!(" {}", id.root) };
    let morning = if id.settlement.as_str() == "AM" { " AM" } else { "" };
    let twin = if id.place > 1 { format!(" ({})", id.place) } else { String::new() };
    format!("{day} {name} {:02}{root}{morning}{twin}", year.rem_euclid(100))
}

/// Mean and largest |mark - mid| in half-spreads by column of the heat map, over out-of-the-money quotes.
fn residuals(close: &Close, underlying: &str, id: &SliceId, view: RowView<'_>) -> Value {
    let spread = match (view.number(slice::ATM_VOLATILITY), view.number(slice::TIME_TO_EXPIRY)) {
        (Some(atm), Some(time)) if atm > 0.0 && time > 0.0 => atm * time.sqrt(),
        _ => return Value::Null,
    };
    let width = (2 * REACH + 1) as usize;
    let (mut sums, mut counts, mut worst) = (vec![0.0; width], vec![0_u32; width], vec![0.0_f64; width]);
    for row in close.marks_of(underlying, id, view) {
        let (Some(k), Some(edit)) = (row.number(mark::LOG_MONEYNESS), row.number(mark::EDIT_HALF_SPREADS)) else {
            continue;
        };
        let call = row.text(mark::OPTION_TYPE) == "C";
        let column = (k / spread / STEP).round() + f64::from(REACH);
        if call != (k >= 0.0) || !(0.0..width as f64).contains(&column) {
            continue;
        }
        let column = column as usize;
        if let (Some(sum), Some(count), Some(most)) =
            (sums.get_mut(column), counts.get_mut(column), worst.get_mut(column))
        {
            *sum += edit;
            *count += 1;
            if edit.abs() > most.abs() {
                *most = edit;
            }
        }
    }
    let mean = sums.iter().zip(&counts).map(|(sum, n)| number((*n > 0).then(|| sum / f64::from(*n)), 4));
    let most = worst.iter().zip(&counts).map(|(most, n)| number((*n > 0).then_some(*most), 4));
    json!({"mean": mean.collect::<Vec<_>>(), "worst": most.collect::<Vec<_>>(), "quotes": counts})
}

/// One slice with its series as columns of equal length, ascending strike, call before put.
pub(super) fn slice(close: &Close, name: &str, wanted: &SliceId) -> Option<Value> {
    let all = close.slices_of(name);
    let (id, view) = all.iter().find(|(id, _)| id == wanted)?;
    let rows = close.marks_of(name, id, *view);
    let mut found = figures(name, id, *view);
    let column =
        |read: &dyn Fn(RowView<'_>) -> Value| Value::from(rows.iter().map(|row| read(*row)).collect::<Vec<_>>());
    let letters =
        |read: &dyn Fn(RowView<'_>) -> char| Value::from(rows.iter().map(|row| read(*row)).collect::<String>());
    let mut put = |key: &str, value: Value| {
        found.insert(key.to_owned(), value);
    };
    put("date", Value::from(date::to_text(close.date())));
    put("run", Value::from(close.run().to_string()));
    put("underlying", Value::from(name));
    put("symbol", column(&|row| Value::from(row.text(mark::OSI_SYMBOL))));
    put("strike", column(&|row| money(row, mark::STRIKE)));
    put("type", letters(&|row| if row.text(mark::OPTION_TYPE) == "P" { 'P' } else { 'C' }));
    put(
        "accepted",
        letters(&|row| match row.flag(mark::ACCEPTED) {
            Some(true) => '1',
            Some(false) => '0',
            None => '-',
        }),
    );
    put("bid", column(&|row| money(row, mark::BID)));
    put("ask", column(&|row| money(row, mark::ASK)));
    put("mid", column(&|row| money(row, mark::MID)));
    put("mark", column(&|row| money(row, mark::MARK)));
    put("bid_volatility", column(&|row| real(row, mark::BID_IMPLIED_VOLATILITY, 6)));
    put("mid_volatility", column(&|row| real(row, mark::IMPLIED_VOLATILITY, 6)));
    put("ask_volatility", column(&|row| real(row, mark::ASK_IMPLIED_VOLATILITY, 6)));
    put("volatility", column(&|row| real(row, mark::SMOOTHED_VOLATILITY, 6)));
    put("residual", column(&|row| real(row, mark::EDIT_HALF_SPREADS, 4)));
    put("delta", column(&|row| real(row, mark::DELTA, 5)));
    put("vega", column(&|row| real(row, mark::VEGA, 5)));
    put("quote_status", column(&|row| Value::from(row.text(mark::QUOTE_STATUS))));
    put("confidence_of_series", column(&|row| real(row, mark::CONFIDENCE, 4)));
    let place = |row: RowView<'_>| {
        let source = MarkSource::parse(row.text(mark::MARK_SOURCE));
        source.map_or(Value::Null, |source| Value::from(source as u32))
    };
    put("source", column(&place));
    let bits = |row: RowView<'_>| {
        let reasons = row.words(mark::REASONS).filter_map(Reason::parse);
        Value::from(reasons.fold(0_u64, |bits, word| bits | 1 << (word as u64)))
    };
    put("reasons", column(&bits));
    put(
        "words",
        json!({
            "sources": MarkSource::ALL.iter().map(|word| word.as_str()).collect::<Vec<_>>(),
            "reasons": Reason::ALL.iter().map(|word| word.as_str()).collect::<Vec<_>>(),
        }),
    );
    let first = rows.first();
    put("multiplier", first.map_or(Value::Null, |row| count(*row, mark::MULTIPLIER)));
    put("currency", first.map_or(Value::Null, |row| Value::from(row.text(mark::CURRENCY))));
    Some(Value::Object(found))
}

/// What the words of a row mean.
fn meanings(row: RowView<'_>) -> Map<String, Value> {
    let mut found = Map::new();
    let mut put = |word: &str, meaning: Option<&'static str>| {
        if let Some(meaning) = meaning {
            found.insert(word.to_owned(), Value::from(meaning));
        }
    };
    let source = row.text(mark::MARK_SOURCE);
    put(source, MarkSource::parse(source).map(MarkSource::meaning));
    for word in row.words(mark::REASONS) {
        put(word, Reason::parse(word).map(Reason::meaning));
    }
    for word in row.words(mark::QUOTE_FLAGS) {
        put(word, QuoteFlag::parse(word).map(QuoteFlag::meaning));
    }
    let status = row.text(mark::VOLATILITY_STATUS);
    put(status, VolatilityStatus::parse(status).map(VolatilityStatus::meaning));
    found
}

/// One series: every column of its row, its slice, and what `exceptions` says about it.
pub(super) fn series(close: &Close, symbol: &str, exceptions: Vec<Value>) -> Option<Value> {
    let row = close.find(symbol)?;
    let underlying = row.text(mark::UNDERLYING);
    let slice = close.slice_of(row);
    let text = |place: usize| Value::from(row.text(place));
    let full = |place: usize| row.number(place).filter(|v| v.is_finite()).map_or(Value::Null, Value::from);
    Some(Value::Object(object([
        ("date", json!(date::to_text(close.date()))),
        ("run", json!(close.run().to_string())),
        ("slice", json!(slice.map(|(id, _)| id.to_string()))),
        ("osi_symbol", text(mark::OSI_SYMBOL)),
        ("underlying", json!(underlying)),
        ("root", text(mark::ROOT)),
        ("expiration", day(row, mark::EXPIRATION)),
        ("strike", money(row, mark::STRIKE)),
        ("option_type", text(mark::OPTION_TYPE)),
        ("exercise_style", text(mark::EXERCISE_STYLE)),
        ("settlement", text(mark::SETTLEMENT)),
        ("multiplier", count(row, mark::MULTIPLIER)),
        ("currency", text(mark::CURRENCY)),
        ("deliverable", text(mark::DELIVERABLE)),
        ("bid", money(row, mark::BID)),
        ("ask", money(row, mark::ASK)),
        ("bid_size", count(row, mark::BID_SIZE)),
        ("ask_size", count(row, mark::ASK_SIZE)),
        ("venue_count", count(row, mark::VENUE_COUNT)),
        ("quote_status", text(mark::QUOTE_STATUS)),
        ("quote_flags", words(row, mark::QUOTE_FLAGS)),
        ("accepted", json!(row.flag(mark::ACCEPTED))),
        ("mid", money(row, mark::MID)),
        ("mark", money(row, mark::MARK)),
        ("mark_source", text(mark::MARK_SOURCE)),
        ("reasons", words(row, mark::REASONS)),
        ("implied_volatility", full(mark::IMPLIED_VOLATILITY)),
        ("bid_implied_volatility", full(mark::BID_IMPLIED_VOLATILITY)),
        ("ask_implied_volatility", full(mark::ASK_IMPLIED_VOLATILITY)),
        ("volatility_status", text(mark::VOLATILITY_STATUS)),
        ("smoothed_volatility", full(mark::SMOOTHED_VOLATILITY)),
        ("edit", money(row, mark::EDIT)),
        ("edit_half_spreads", full(mark::EDIT_HALF_SPREADS)),
        ("edit_volatility", full(mark::EDIT_VOLATILITY)),
        ("delta", full(mark::DELTA)),
        ("gamma", full(mark::GAMMA)),
        ("vega", full(mark::VEGA)),
        ("theta", full(mark::THETA)),
        ("rho", full(mark::RHO)),
        ("underlying_price", money(row, mark::UNDERLYING_PRICE)),
        ("forward", full(mark::FORWARD)),
        ("forward_present_value", money(row, mark::FORWARD_PRESENT_VALUE)),
        ("discount_factor", factor(row, mark::DISCOUNT_FACTOR)),
        ("carry_rate", full(mark::CARRY_RATE)),
        ("borrow_rate", full(mark::BORROW_RATE)),
        ("dividend_present_value", full(mark::DIVIDEND_PRESENT_VALUE)),
        ("time_to_expiry", full(mark::TIME_TO_EXPIRY)),
        ("log_moneyness", full(mark::LOG_MONEYNESS)),
        ("total_variance", full(mark::TOTAL_VARIANCE)),
        ("confidence", full(mark::CONFIDENCE)),
        ("meanings", Value::Object(meanings(row))),
        ("exceptions", json!(exceptions)),
    ])))
}
