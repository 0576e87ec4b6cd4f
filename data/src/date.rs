//! Calendar dates as text, as year-month-day and as a day of the week, for the plain day counts of `pricing`.

use closemark_pricing::series::Date;

/// The day of the week, Monday first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are the documentation")]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

const WEEK: [Weekday; 7] = [
    Weekday::Monday,
    Weekday::Tuesday,
    Weekday::Wednesday,
    Weekday::Thursday,
    Weekday::Friday,
    Weekday::Saturday,
    Weekday::Sunday,
];

/// First year that input may name.
pub const YEAR_MIN: i32 = 1900;
/// Last year that input may name; nanoseconds since 1970 still fit 63 bits in it.
pub const YEAR_MAX: i32 = 2199;

/// The date of a proleptic Gregorian year, month and day; `None` where there is no such day between
/// [`YEAR_MIN`] and [`YEAR_MAX`].
///
/// # Source
/// The era arithmetic follows H. Hinnant, *chrono-compatible low-level date algorithms* (2013).
pub fn from_ymd(year: i32, month: u32, day: u32) -> Option<Date> {
    if !(YEAR_MIN..=YEAR_MAX).contains(&year) || !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) {
        return None;
    }
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let month_from_march = (month as i32 + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day as i32 - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(Date(era * 146_097 + day_of_era - 719_468))
}

/// Year, month and day of a date.
pub fn to_ymd(date: Date) -> (i32, u32, u32) {
    let days = i64::from(date.0) + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year as i32, month as u32, day as u32)
}

/// The day of the week.
pub fn weekday(date: Date) -> Weekday {
    // 1970-01-01 was a Thursday, three days after a Monday.
    let place = (i64::from(date.0) + 3).rem_euclid(7) as usize;
    WEEK.get(place).copied().unwrap_or(Weekday::Monday)
}

/// Reads `YYYY-MM-DD` or `YYYYMMDD`.
pub fn parse(text: &str) -> Option<Date> {
    let digits: &[u8] = text.as_bytes();
    let (year, month, day) = match digits {
        [y @ .., b'-', m1, m2, b'-', d1, d2] if y.len() == 4 => (y, [*m1, *m2], [*d1, *d2]),
        [y @ .., m1, m2, d1, d2] if y.len() == 4 => (y, [*m1, *m2], [*d1, *d2]),
        _ => return None,
    };
    from_ymd(number(year)? as i32, number(&month)?, number(&day)?)
}

/// Reads `YYYY-MM-DD` alone, the only form that published files and folders write.
pub(crate) fn parse_dashed(text: &str) -> Option<Date> {
    parse(text).filter(|date| to_text(*date) == text)
}

/// Writes `YYYY-MM-DD`, for a date between [`YEAR_MIN`] and [`YEAR_MAX`]; `None` for one that [`parse`] would refuse.
pub(crate) fn to_text_within(date: Date) -> Option<String> {
    (YEAR_MIN..=YEAR_MAX).contains(&to_ymd(date).0).then(|| to_text(date))
}

/// Writes `YYYY-MM-DD`.
pub fn to_text(date: Date) -> String {
    let (year, month, day) = to_ymd(date);
    let Ok(all @ 0..=9999) = u32::try_from(year) else { return format!("{year:04}-{month:02}-{day:02}") };
    // Every lookup writes a date or two; the formatter takes ten times as long.
    let mut text = String::with_capacity(10);
    let digits = |value: u32| [value / 10 % 10, value % 10].map(|digit| char::from(b'0' + digit as u8));
    text.extend(digits(all / 100).into_iter().chain(digits(all)));
    for value in [month, day] {
        text.push('-');
        text.extend(digits(value));
    }
    text
}

/// A short run of decimal digits as a number; `None` for anything else.
pub(crate) fn number(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || digits.len() > 9 {
        return None;
    }
    digits.iter().try_fold(0u32, |sum, digit| {
        let value = digit.checked_sub(b'0').filter(|v| *v <= 9)?;
        Some(sum * 10 + u32::from(value))
    })
}

fn days_in(year: i32, month: u32) -> u32 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::{Weekday, from_ymd, parse, parse_dashed, to_text, to_text_within, to_ymd, weekday};
    use closemark_pricing::series::Date;

    #[test]
    fn agrees_with_another_calendar_on_every_day() {
        let mut day = jiff::civil::date(1900, 1, 1);
        let mut count = jiff::civil::date(1970, 1, 1).until(day).unwrap().get_days();
        while day.year() < 2200 {
            let date = from_ymd(day.year().into(), day.month() as u32, day.day() as u32).unwrap();
            assert_eq!(date, Date(count));
            assert_eq!(to_ymd(date), (day.year().into(), day.month() as u32, day.day() as u32));
            assert_eq!(weekday(date) as i8, day.weekday().to_monday_zero_offset());
            assert_eq!(parse(&to_text(date)), Some(date));
            day = day.tomorrow().unwrap();
            count += 1;
        }
    }

    #[test]
    fn published_dates_have_one_form() {
        for (days, text) in [(0, "1970-01-01"), (20_777, "2026-11-20"), (-1, "1969-12-31"), (11_016, "2000-02-29")] {
            assert_eq!(to_text_within(Date(days)).as_deref(), Some(text));
            assert_eq!(parse_dashed(text), Some(Date(days)));
        }
        for text in ["2026-13-01", "2026-1-1", "..", "20261120", "2026-11-20/.."] {
            assert_eq!(parse_dashed(text), None);
        }
        for days in [i32::MIN, i32::MAX, -25_568, 84_006] {
            assert_eq!(to_text_within(Date(days)), None);
        }
    }

    #[test]
    fn refuses_what_is_no_day() {
        for text in ["2026-02-29", "2026-13-01", "2026-00-10", "2026-1-01", "20260230", "", "2026-11-2x", "12026-11-20"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse("20240229").map(to_text).as_deref(), Some("2024-02-29"));
        assert_eq!(weekday(parse("2026-11-20").unwrap()), Weekday::Friday);
    }
}
