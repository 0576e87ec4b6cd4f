//! Closes at their time: some minutes after the exchange's close, half days too.
//!
//! A day whose time has come is closed once quotes are there, however late they are. Days that were missed, because the
//! service did not run, are made up for, some trading days back, unless somebody closed them meanwhile.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use closemark_data::calendar::{Calendar, CalendarKind};
use closemark_data::{date, time};
use closemark_pricing::series::{Date, Instant};
use tonic::Status;

use super::messages;
use super::service::start;
use crate::serve::clock;
use crate::serve::ledger::CloseRequest;
use crate::serve::state::Service;

/// What the request ids of the calendar's closes begin with.
pub(super) const SCHEDULED: &str = "scheduled-";
/// Nanoseconds of a minute.
const MINUTE: i64 = 60_000_000_000;
/// How often the clock is looked at: a clock that jumps is followed within this time.
const LOOK: Duration = Duration::from_secs(5);
/// Trading days that are looked at: the last one whose time has come, and those before it.
const DAYS: usize = 5;

/// The last trading days whose close is due at an instant, ascending.
fn due(calendar: &Calendar, minutes: i32, now: Instant) -> Vec<Date> {
    let Some(today) = time::new_york_date(now) else { return Vec::new() };
    let mut days = Vec::new();
    let mut day = calendar.trading_day_on_or_before(today);
    while days.len() < DAYS {
        let Some(close) = calendar.close(day) else { break };
        if now.0 >= close.0 + i64::from(minutes) * MINUTE {
            days.push(day);
        }
        day = calendar.trading_day_on_or_before(Date(day.0 - 1));
    }
    days.reverse();
    days
}

/// Starts the close of each day whose time comes. Its request id follows from the date, so that a restart starts
/// nothing twice.
pub(crate) async fn run(service: Arc<Service>) {
    let section = &service.config.close;
    let Ok(calendar) = Calendar::new(CalendarKind::parse(&section.calendar).unwrap_or(CalendarKind::Us)) else {
        tracing::error!("no calendar: nothing is closed by itself");
        return;
    };
    if section.minutes_after_close < 0 {
        return;
    }
    let mut drain = service.drain.clone();
    let mut seen = BTreeSet::new();
    while !drain.has_begun() {
        look(&service, &calendar, clock::now(), &mut seen).await;
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = drain.begun() => {}
        }
    }
}

/// Starts what is due and was not seen to yet. A day without quotes is looked at again.
async fn look(service: &Arc<Service>, calendar: &Calendar, now: Instant, seen: &mut BTreeSet<Date>) {
    let days = due(calendar, service.config.close.minutes_after_close, now);
    // A clock that is set back makes nothing due twice: the request ids are known.
    seen.retain(|day| days.first().is_none_or(|first| day >= first));
    for day in &days {
        if seen.contains(day) {
            continue;
        }
        match close(service, *day, days.last() == Some(day)).await {
            Ok(true) => drop(seen.insert(*day)),
            Ok(false) => {}
            Err(status) => tracing::error!(date = date::to_text(*day), message = status.message(), "not started"),
        }
    }
}

/// Starts a day's close; false where there are no quotes to close.
async fn close(service: &Arc<Service>, day: Date, last: bool) -> Result<bool, Status> {
    // A day that was missed, and that counts all the same, was closed by somebody.
    if !last && messages::current_run(&service.config.out_folder(), day).is_ok() {
        return Ok(true);
    }
    if !service.log.snapshot(day).await?.is_some_and(|snapshot| snapshot.has_quotes()) {
        return Ok(false);
    }
    let market_date = date::to_text(day);
    let request_id = format!("{SCHEDULED}{market_date}");
    let request = CloseRequest { market_date, ..CloseRequest::default() };
    start(service, request_id, request, "service").await.map(|_| true)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use closemark_data::calendar::{Calendar, CalendarKind};
    use closemark_data::log::{BatchEncoder, BatchHead, IncomingQuote};
    use closemark_data::{date, time};

    use super::{due, look};
    use crate::serve::config::ServeConfig;
    use crate::serve::drain::DrainSwitch;
    use crate::serve::ledger::{CloseFilter, close_id};
    use crate::serve::state::Service;

    #[test]
    fn days_are_due_after_their_own_close() {
        let calendar = Calendar::new(CalendarKind::Us).unwrap();
        for (now, minutes, day) in [
            ("2026-11-20T16:14:59-05:00", 15, None),
            ("2026-11-20T16:15:00-05:00", 15, Some("2026-11-20")),
            // A half day, the Friday after Thanksgiving.
            ("2026-11-27T13:29:59-05:00", 30, None),
            ("2026-11-27T13:30:00-05:00", 30, Some("2026-11-27")),
            // A holiday and a weekend belong to the trading day before.
            ("2026-11-26T12:00:00-05:00", 15, Some("2026-11-25")),
            ("2026-11-22T03:00:00-05:00", 0, Some("2026-11-20")),
            // When London has tomorrow already it is still the day in New York.
            ("2026-11-20T23:59:00-05:00", 15, Some("2026-11-20")),
        ] {
            let at = time::parse(now).unwrap();
            let latest = due(&calendar, minutes, at).last().copied();
            let today = calendar.trading_day_on_or_before(time::new_york_date(at).unwrap());
            assert_eq!(latest.filter(|latest| *latest == today), day.and_then(date::parse), "{now}");
        }
        // Some days back, over a weekend and a holiday.
        let at = time::parse("2026-11-30T16:15:00-05:00").unwrap();
        let days: Vec<String> = due(&calendar, 15, at).into_iter().map(date::to_text).collect();
        assert_eq!(days, ["2026-11-23", "2026-11-24", "2026-11-25", "2026-11-27", "2026-11-30"]);
    }

    #[tokio::test]
    async fn a_day_is_closed_once_its_quotes_are_there_and_missed_days_are_made_up_for() {
        let folder = tempfile::tempdir().unwrap();
        let (mut config, _) = ServeConfig::read(None).unwrap();
        config.storage.folder = folder.path().to_owned();
        config.close.minutes_after_close = 15;
        let (_switch, drain) = DrainSwitch::new();
        let service = Service::open(config, drain).unwrap();
        let calendar = Calendar::new(CalendarKind::Us).unwrap();
        let started = |day: &str| service.ledger.close_by_id(&close_id(&format!("scheduled-{day}"))).unwrap();
        let take_in = async |day: &str| {
            let market_date = date::parse(day).unwrap();
            let head = BatchHead { producer_id: "feed", sequence: 1, market_date, received_unix_nanos: 0 };
            let batch = BatchEncoder::default().encode(&head, [IncomingQuote::default()]).unwrap();
            service.log.append(batch).await.unwrap().await.unwrap().unwrap();
        };
        let mut seen = BTreeSet::new();
        let at = |text: &str| time::parse(text).unwrap();
        // The 19th was missed, the 12th too long ago; the 20th's quotes are late.
        take_in("2026-11-12").await;
        take_in("2026-11-19").await;
        look(&service, &calendar, at("2026-11-20T16:14:59-05:00"), &mut seen).await;
        assert_eq!(started("2026-11-19").map(|record| record.started_by), Some("service".to_owned()));
        look(&service, &calendar, at("2026-11-20T16:15:00-05:00"), &mut seen).await;
        assert!(started("2026-11-20").is_none() && started("2026-11-12").is_none());
        take_in("2026-11-20").await;
        look(&service, &calendar, at("2026-11-20T18:00:00-05:00"), &mut seen).await;
        assert!(started("2026-11-20").is_some());
        // Nothing is started twice, by this process or by another one.
        let rows = || service.ledger.closes(&CloseFilter { limit: 100, ..CloseFilter::default() }).unwrap().len();
        for mut seen in [seen, BTreeSet::new()] {
            look(&service, &calendar, at("2026-11-20T19:00:00-05:00"), &mut seen).await;
            assert_eq!(rows(), 2);
        }
    }
}
