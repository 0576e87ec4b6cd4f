//! The day's zero curve: from `rates.csv`, from `--flat-rate`, or implied from the European index classes.

use std::sync::Arc;

use closemark_data::day::Day;
use closemark_pricing::curve::DiscountCurve;
use closemark_pricing::parity::implied_curve;

/// Gives every underlying the day's curve.
///
/// # Errors
/// One line where nothing says what money costs: neither rates, nor a European index class, nor `--flat-rate`.
pub(crate) fn settle_curve(day: &mut Day) -> anyhow::Result<()> {
    let curve = match day.curve.take() {
        Some(curve) => curve,
        None => Arc::new(implied_from_european_classes(day).ok_or_else(|| {
            anyhow::anyhow!(
                "rates.csv is absent and no European index class has the pairs to imply rates from; allowed is one of \
                 them, or --flat-rate R"
            )
        })?),
    };
    for underlying in &mut day.underlyings {
        underlying.curve = Arc::clone(&curve);
    }
    day.curve = Some(curve);
    Ok(())
}

/// The one place where a curve is implied.
fn implied_from_european_classes(day: &Day) -> Option<DiscountCurve> {
    implied_curve(&day.underlyings, &day.settings)
}
