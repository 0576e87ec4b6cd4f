//! Numbers of rows as JSON: as many digits as say something, null for what is not there.

use closemark_data::date;
use closemark_data::store::RowView;
use serde_json::{Map, Value};

/// A price with its six decimals at most.
pub(super) fn micros(micros: i64) -> Value {
    // A double holds every price below nine thousand million to the millionth.
    Value::from(micros as f64 / 1e6)
}

/// A price of a row.
pub(super) fn money(view: RowView<'_>, place: usize) -> Value {
    view.decimal(place).map_or(Value::Null, micros)
}

/// A number rounded to `decimals`; null where it is absent or not finite.
pub(super) fn number(value: Option<f64>, decimals: i32) -> Value {
    let Some(value) = value.filter(|value| value.is_finite()) else { return Value::Null };
    let mut scale = 1.0;
    for _ in 0..decimals {
        scale *= 10.0;
    }
    let rounded = (value * scale).round() / scale;
    // Adding zero turns -0 into 0.
    Value::from(if rounded.is_finite() { rounded + 0.0 } else { value })
}

/// A number of a row.
pub(super) fn real(view: RowView<'_>, place: usize, decimals: i32) -> Value {
    number(view.number(place), decimals)
}

/// A count of a row.
pub(super) fn count(view: RowView<'_>, place: usize) -> Value {
    view.count(place).map_or(Value::Null, Value::from)
}

/// A date of a row.
pub(super) fn day(view: RowView<'_>, place: usize) -> Value {
    view.date(place).map_or(Value::Null, |date| Value::from(date::to_text(date)))
}

/// The words of a row's list.
pub(super) fn words(view: RowView<'_>, place: usize) -> Value {
    Value::from(view.words(place).collect::<Vec<_>>())
}

/// A discount factor.
pub(super) fn factor(view: RowView<'_>, place: usize) -> Value {
    view.decimal(place).map_or(Value::Null, |pico| Value::from(pico as f64 / 1e12))
}

/// An object of many fields, in their order.
pub(super) fn object<const N: usize>(fields: [(&str, Value); N]) -> Map<String, Value> {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
