//! The day's zero curve: from `rates.csv`, from `--flat-rate`, or implied from the European index classes.

use std::sync::Arc;

use closemark_data::day::Day;
use closemark_data::input::DayStream;
use closemark_pricing::UnderlyingDay;
use closemark_pricing::curve::DiscountCurve;
use closemark_pricing::parity::implied_curve;
use closemark_pricing::settings::Settings;

/// Gives every underlying of a day that is held the day's curve.
///
/// # Errors
/// One line where nothing says what money costs: neither rates, nor a European index class, nor `--flat-rate`.
pub(crate) fn settle_curve(day: &mut Day) -> anyhow::Result<()> {
    let curve = match day.curve.take() {
        Some(curve) => curve,
        None => implied(&day.underlyings, &day.settings)?,
    };
    for underlying in &mut day.underlyings {
        underlying.curve = Arc::clone(&curve);
    }
    day.curve = Some(curve);
    Ok(())
}

/// Gives a day whose underlyings are made later its curve.
///
/// # Errors
/// As [`settle_curve`].
pub(crate) fn settle_stream(stream: &mut DayStream) -> anyhow::Result<()> {
    if stream.head().curve.is_none() {
        let european = stream.take_european();
        let curve = implied(&european, &stream.head().settings)?;
        stream.head_mut().curve = Some(curve);
    }
    Ok(())
}

/// The one place where a curve is implied.
fn implied(underlyings: &[UnderlyingDay], settings: &Settings) -> anyhow::Result<Arc<DiscountCurve>> {
    let curve = implied_curve(underlyings, settings).ok_or_else(|| {
        anyhow::anyhow!(
            "rates.csv is absent and no European index class has the pairs to imply rates from; allowed is one of \
             them, or --flat-rate R"
        )
    })?;
    Ok(Arc::new(curve))
}
