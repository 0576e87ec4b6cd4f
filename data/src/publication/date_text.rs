//! Dates as folder names.

use closemark_pricing::series::Date;
use jiff::civil;

/// `YYYY-MM-DD`; `None` outside the years 0 to 9999.
pub(crate) fn date_text(date: Date) -> Option<String> {
    let span = jiff::Span::new().try_days(date.0).ok()?;
    let day = civil::date(1970, 1, 1).checked_add(span).ok()?;
    (day.year() >= 0).then(|| day.to_string())
}

/// The date of a `YYYY-MM-DD`; `None` for any other form.
pub(crate) fn parse_date(text: &str) -> Option<Date> {
    let day: civil::Date = text.parse().ok()?;
    let days = civil::date(1970, 1, 1).until(day).ok()?.get_days();
    let date = Date(days);
    (date_text(date).as_deref() == Some(text)).then_some(date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_read_back_and_nothing_else_is_one() {
        for (days, text) in [(0, "1970-01-01"), (20_777, "2026-11-20"), (-1, "1969-12-31"), (11_016, "2000-02-29")] {
            assert_eq!(date_text(Date(days)).as_deref(), Some(text));
            assert_eq!(parse_date(text), Some(Date(days)));
        }
        for text in ["2026-13-01", "2026-1-1", "..", "20261120", "2026-11-20/.."] {
            assert_eq!(parse_date(text), None);
        }
        assert_eq!(date_text(Date(i32::MAX)), None);
    }
}
