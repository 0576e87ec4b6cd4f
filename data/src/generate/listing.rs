//! Which expirations and strikes a name lists.

use closemark_pricing::price::Price;
use closemark_pricing::series::Date;

use super::calibration::{self, Tier};
use crate::calendar::Calendar;
use crate::date::{self, Weekday};

/// How often a class gets new expirations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// Third Fridays only.
    Monthly,
    /// Every Friday of the coming weeks as well.
    Weekly,
    /// Mondays and Wednesdays as well.
    Daily,
    /// Third Fridays, AM-settled, over three years.
    IndexAm,
    /// Every trading day of five weeks, Fridays, month ends and the third Fridays again, PM-settled.
    IndexPm,
}

/// Up to `count` expirations after `today` in ascending order, those first that a class would list first.
pub fn expirations(calendar: &Calendar, today: Date, program: Program, count: usize) -> Vec<Date> {
    let months = third_fridays(calendar, today);
    let fridays = |weeks: std::ops::Range<i32>| {
        weeks.filter_map(move |week| {
            let days_ahead = (Weekday::Friday as i32 - date::weekday(today) as i32).rem_euclid(7) + 7 * week;
            Some(calendar.trading_day_on_or_before(Date(today.0.checked_add(days_ahead)?)))
        })
    };
    let nth_months = |places: &[usize]| places.iter().filter_map(|&i| months.get(i).copied()).collect::<Vec<_>>();
    let januaries = months.iter().copied().filter(|&d| date::to_ymd(d).1 == 1 && d.0 - today.0 > 120);
    let mut wanted = Vec::new();
    match program {
        Program::Monthly | Program::Weekly | Program::Daily => {
            wanted.extend(nth_months(&[0, 1, 4]));
            if program == Program::Monthly {
                wanted.extend(nth_months(&[7]));
                wanted.extend(januaries);
                wanted.extend(nth_months(&[2, 3, 5, 6, 8, 10]));
            } else {
                wanted.extend(januaries.clone().take(1));
                wanted.extend(fridays(0..4));
                wanted.extend(nth_months(&[2, 7]));
                wanted.extend(januaries);
                wanted.extend(fridays(4..6));
                wanted.extend(nth_months(&[3, 9, 5, 6]));
            }
            if program == Program::Daily {
                wanted.extend((1..14).map(|n| Date(today.0 + n)).filter(|&d| {
                    calendar.is_open(d) && matches!(date::weekday(d), Weekday::Monday | Weekday::Wednesday)
                }));
            }
            wanted.extend(nth_months(&[8, 10, 11, 12, 13]));
        }
        Program::IndexAm => {
            wanted.extend(nth_months(&[0, 1, 2, 3, 4, 6, 9, 12]));
            wanted.extend(months.iter().copied().filter(|&d| matches!(date::to_ymd(d).1, 6 | 12)));
            wanted.extend(months.iter().copied().take(13));
        }
        Program::IndexPm => {
            wanted.extend(nth_months(&[0, 1]));
            wanted.extend((1..36).map(|n| Date(today.0 + n)).filter(|&d| calendar.is_open(d)).step_by(2));
            wanted.extend(month_ends(calendar, today, 12));
            wanted.extend(nth_months(&[2, 3, 4, 7]));
            wanted.extend(fridays(0..12));
            wanted.extend((1..36).map(|n| Date(today.0 + n)).filter(|&d| calendar.is_open(d)));
            wanted.extend(months.iter().copied().take(24));
        }
    }
    let mut chosen: Vec<Date> = Vec::new();
    for day in wanted {
        if chosen.len() < count && day > today && !chosen.contains(&day) {
            chosen.push(day);
        }
    }
    chosen.sort();
    chosen
}

/// Whether a class with weekly or monthly expirations has one today.
pub fn expires_on(calendar: &Calendar, today: Date, program: Program) -> bool {
    let (year, month, _) = date::to_ymd(today);
    let monthly = third_friday(year, month).is_some_and(|d| calendar.trading_day_on_or_before(d) == today);
    match program {
        Program::Monthly => monthly,
        Program::IndexAm => false,
        _ => monthly || date::weekday(today) == Weekday::Friday,
    }
}

fn third_friday(year: i32, month: u32) -> Option<Date> {
    let first = date::from_ymd(year, month, 1)?;
    let to_friday = (Weekday::Friday as i32 - date::weekday(first) as i32).rem_euclid(7);
    Some(Date(first.0 + to_friday + 14))
}

/// Third Fridays (the trading day before where closed) of the next three years, after `today`.
fn third_fridays(calendar: &Calendar, today: Date) -> Vec<Date> {
    let (year, month, _) = date::to_ymd(today);
    (0..38)
        .filter_map(|i| {
            let place = month as i32 - 1 + i;
            third_friday(year + place / 12, (place % 12) as u32 + 1)
        })
        .map(|d| calendar.trading_day_on_or_before(d))
        .filter(|&d| d > today)
        .collect()
}

fn month_ends(calendar: &Calendar, today: Date, count: i32) -> Vec<Date> {
    let (year, month, _) = date::to_ymd(today);
    (0..count)
        .filter_map(|i| {
            let place = month as i32 + i;
            let first = date::from_ymd(year + place / 12, (place % 12) as u32 + 1, 1)?;
            Some(calendar.trading_day_on_or_before(Date(first.0 - 1)))
        })
        .collect()
}

/// About `count` strikes of one expiration, ascending: fine near the spot, coarse in the wings.
pub fn strikes(tier: Tier, spot: f64, volatility: f64, days: i32, count: usize) -> Vec<Price> {
    const STEPS: [f64; 9] = [0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 25.0, 50.0, 100.0];
    let count = count.max(3);
    // Wider names list wider; a year and more of 20 % volatility still deserves most of the range.
    let stretch = if tier == Tier::Index { 1.0 } else { (volatility / 0.4).clamp(0.55, 1.8) };
    let (low, high) = calibration::strike_range(tier, days);
    let (low, high) = (spot * libm::pow(low, stretch), spot * libm::pow(high, stretch));
    let usual = calibration::strike_step(spot, days);
    let in_range = |step: f64| {
        let first = libm::ceil(low / step).max(1.0);
        let last = libm::floor(high / step);
        (first as i64, last.max(first) as i64)
    };
    let fits = |step: f64| {
        let (first, last) = in_range(step);
        (last - first + 1) as f64 >= 0.8 * count as f64
    };
    let smallest = match tier {
        Tier::Index if spot < 1_000.0 => 1.0,
        Tier::Index => 5.0,
        _ => 0.5,
    };
    let step =
        STEPS.iter().rev().copied().filter(|&s| s >= smallest && s <= usual).find(|&s| fits(s)).unwrap_or(smallest);
    let (first, last) = in_range(step);
    let mut places: Vec<i64> = (first..=last).collect();
    let centre = spot / step;
    for coarse in [2, 4, 8] {
        if places.len() <= count + count / 6 {
            break;
        }
        // The finest strikes keep to the middle half of the count.
        let core = count as f64 * 0.3 * f64::from(coarse) / 2.0;
        places.retain(|&i| (i as f64 - centre).abs() <= core || i % i64::from(coarse) == 0);
    }
    if places.len() > count {
        places.sort_by(|a, b| (*a as f64 - centre).abs().total_cmp(&(*b as f64 - centre).abs()));
        places.truncate(count);
        places.sort_unstable();
    }
    places.iter().filter_map(|&i| Price::nearest(i as f64 * step)).collect()
}

#[cfg(test)]
mod tests {
    use super::{Program, Tier, expirations, expires_on, strikes};
    use crate::calendar::{Calendar, CalendarKind};
    use crate::date;

    fn listed(program: Program, count: usize) -> Vec<String> {
        let calendar = Calendar::new(CalendarKind::Us).unwrap();
        let today = date::parse("2026-11-20").unwrap();
        expirations(&calendar, today, program, count).into_iter().map(date::to_text).collect()
    }

    #[test]
    fn monthlies_are_third_fridays_or_the_day_before_a_holiday() {
        let days = listed(Program::Monthly, 12);
        assert_eq!(days[0], "2026-12-18");
        assert_eq!(days[1], "2027-01-15");
        // Juneteenth 2027 falls on a Saturday and is kept on the third Friday.
        assert!(days.contains(&"2027-06-17".to_owned()), "{days:?}");
        assert!(days.contains(&"2029-01-19".to_owned()), "{days:?}");
    }

    #[test]
    fn weeklies_of_a_holiday_week_move_to_the_thursday() {
        let days = listed(Program::Daily, 30);
        for day in ["2026-11-23", "2026-11-25", "2026-11-27", "2026-12-24"] {
            assert!(days.contains(&day.to_owned()), "{day}: {days:?}");
        }
        let calendar = Calendar::new(CalendarKind::Us).unwrap();
        assert!(expires_on(&calendar, date::parse("2026-11-20").unwrap(), Program::Monthly));
        assert!(!expires_on(&calendar, date::parse("2026-11-27").unwrap(), Program::Monthly));
        assert!(expires_on(&calendar, date::parse("2026-11-27").unwrap(), Program::Weekly));
    }

    #[test]
    fn index_settlements_share_third_fridays() {
        let am = listed(Program::IndexAm, 12);
        let pm = listed(Program::IndexPm, 30);
        assert!(am.iter().filter(|d| pm.contains(d)).count() >= 2);
    }

    #[test]
    fn strikes_come_in_about_the_wanted_number_around_the_spot() {
        for (tier, spot, count) in
            [(Tier::A, 258.0, 78), (Tier::D, 90.7, 23), (Tier::C, 24.0, 37), (Tier::Index, 6_640.0, 240)]
        {
            let k = strikes(tier, spot, 0.4, 40, count);
            assert!(k.len() * 2 > count && k.len() <= count + count / 6, "{} of {count}", k.len());
            assert!(k.windows(2).all(|w| w[0] < w[1]));
            assert!(k[0].to_f64() < spot && k[k.len() - 1].to_f64() > spot);
        }
    }
}
