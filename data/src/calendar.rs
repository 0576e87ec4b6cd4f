//! Which days an exchange is open, when it closes, and when a series settles.

use std::collections::BTreeMap;

use closemark_pricing::series::{Date, Instant};
use closemark_pricing::vocabulary::Settlement;

use crate::date::{self, Weekday};
use crate::reference::{self, ReferenceError};
use crate::time;

/// Which calendar a day follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CalendarKind {
    /// US options exchanges: weekends, holidays, half days to 13:00.
    Us,
    /// Every day is open, to 16:00 New York.
    Always,
}

impl CalendarKind {
    /// The word that `day.toml` uses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Us => "us",
            Self::Always => "always",
        }
    }

    /// The kind of a word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Us, Self::Always].into_iter().find(|kind| kind.as_str() == word)
    }
}

/// A calendar, with its exceptions from the project's data file `us_market_days.csv` (1998 to 2040).
#[derive(Clone, Debug)]
pub struct Calendar {
    kind: CalendarKind,
    /// Exceptions from "weekdays to 16:00": `None` closed, else hour and minute of the close.
    exceptions: BTreeMap<Date, Option<(u32, u32)>>,
}

impl Calendar {
    /// The calendar of a kind.
    ///
    /// # Errors
    /// [`ReferenceError`] where the project's own data file is damaged.
    pub fn new(kind: CalendarKind) -> Result<Self, ReferenceError> {
        let exceptions = match kind {
            CalendarKind::Us => reference::market_days()?,
            CalendarKind::Always => BTreeMap::new(),
        };
        Ok(Self { kind, exceptions })
    }

    /// The calendar's kind.
    pub fn kind(&self) -> CalendarKind {
        self.kind
    }

    /// Whether the exchange trades on a day.
    pub fn is_open(&self, on: Date) -> bool {
        self.close_clock(on).is_some()
    }

    /// Hour and minute of the close in New York; `None` on a closed day.
    pub fn close_clock(&self, on: Date) -> Option<(u32, u32)> {
        if self.kind == CalendarKind::Us && date::weekday(on) >= Weekday::Saturday {
            return None;
        }
        self.exceptions.get(&on).copied().unwrap_or(Some((16, 0)))
    }

    /// The instant of a day's close; `None` on a closed day.
    pub fn close(&self, on: Date) -> Option<Instant> {
        let (hour, minute) = self.close_clock(on)?;
        time::new_york(on, hour, minute)
    }

    /// The day itself where it is open, else the last open day before it.
    pub fn trading_day_on_or_before(&self, on: Date) -> Date {
        // The longest closure on record is the week of 2001-09-11; a month bounds the search.
        (0..31).filter_map(|back| on.0.checked_sub(back).map(Date)).find(|day| self.is_open(*day)).unwrap_or(on)
    }

    /// The first open day after a day.
    pub fn next_trading_day(&self, on: Date) -> Date {
        (1..31).filter_map(|ahead| on.0.checked_add(ahead).map(Date)).find(|day| self.is_open(*day)).unwrap_or(on)
    }

    /// The settlement event of an expiration: 09:30 (AM) or the close (PM) in New York of the expiration's
    /// trading day, which for an expiration on a closed day is the trading day before.
    pub fn settlement_instant(&self, expiration: Date, settlement: Settlement) -> Option<Instant> {
        let day = self.trading_day_on_or_before(expiration);
        match settlement {
            Settlement::Am => time::new_york(day, 9, 30),
            Settlement::Pm => self.close(day),
        }
    }

    /// When an option stops carrying a dividend: 17:30 New York of the trading day before the ex-date, the last instant
    /// at which it can be exercised for shares that receive it. Nothing can be exercised overnight, so a drop at the
    /// opening of the ex-date would price a choice that no holder has.
    pub fn last_exercise_before(&self, ex_date: Date) -> Option<Instant> {
        let before = Date(ex_date.0.checked_sub(1)?);
        time::new_york(self.trading_day_on_or_before(before), 17, 30)
    }
}

#[cfg(test)]
mod tests {
    use super::{Calendar, CalendarKind};
    use crate::date;
    use crate::time;
    use closemark_pricing::vocabulary::Settlement;

    #[test]
    fn a_monday_ex_date_is_decided_on_friday_evening() {
        let calendar = Calendar::new(CalendarKind::Us).unwrap();
        let ex_date = date::parse("2023-09-18").unwrap();
        let decided = calendar.last_exercise_before(ex_date).unwrap();
        assert_eq!(time::to_new_york_text(decided), "2023-09-15T17:30:00-04:00");
    }

    #[test]
    fn us_days_of_public_record() {
        let calendar = Calendar::new(CalendarKind::Us).unwrap();
        let close = |text: &str| calendar.close_clock(date::parse(text).unwrap());
        assert_eq!(close("2026-11-20"), Some((16, 0)));
        assert_eq!(close("2015-12-24"), Some((13, 0)));
        assert_eq!(close("2026-11-27"), Some((13, 0)));
        for closed in ["2026-11-21", "2026-11-26", "2012-10-30", "2018-12-05", "2025-01-09", "2021-12-24", "2001-09-13"]
        {
            assert_eq!(close(closed), None, "{closed}");
        }
        // New Year's Day 2022 fell on a Saturday and moved nothing.
        assert_eq!(close("2021-12-31"), Some((16, 0)));
    }

    #[test]
    fn a_saturday_expiration_settles_on_the_friday_before() {
        let calendar = Calendar::new(CalendarKind::Us).unwrap();
        let saturday = date::parse("2014-06-21").unwrap();
        let pm = calendar.settlement_instant(saturday, Settlement::Pm).unwrap();
        let am = calendar.settlement_instant(saturday, Settlement::Am).unwrap();
        assert_eq!(time::to_new_york_text(pm), "2014-06-20T16:00:00-04:00");
        assert_eq!(time::to_new_york_text(am), "2014-06-20T09:30:00-04:00");
        // Good Friday 2014-04-18: the April monthly settled on Thursday.
        let april = calendar.settlement_instant(date::parse("2014-04-19").unwrap(), Settlement::Pm).unwrap();
        assert_eq!(time::to_new_york_text(april), "2014-04-17T16:00:00-04:00");
        let half_day = calendar.settlement_instant(date::parse("2015-12-24").unwrap(), Settlement::Pm).unwrap();
        assert_eq!(time::to_new_york_text(half_day), "2015-12-24T13:00:00-05:00");
    }

    #[test]
    fn always_is_open_on_a_sunday() {
        let calendar = Calendar::new(CalendarKind::Always).unwrap();
        let sunday = date::parse("2026-07-05").unwrap();
        assert!(calendar.is_open(sunday));
        assert_eq!(calendar.trading_day_on_or_before(sunday), sunday);
    }
}
