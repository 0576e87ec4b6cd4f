//! Closes at their time: some minutes after the exchange's close, half days too.

use std::sync::Arc;
use std::time::Duration;

use closemark_data::calendar::{Calendar, CalendarKind};
use closemark_data::{date, time};
use closemark_pricing::series::{Date, Instant};
use tonic::Status;

use super::service::start;
use crate::serve::clock;
use crate::serve::ledger::CloseRequest;
use crate::serve::state::Service;

/// Nanoseconds of a minute.
const MINUTE: i64 = 60_000_000_000;
/// How often the clock is looked at: a clock that jumps is followed within this time.
const LOOK: Duration = Duration::from_secs(5);

/// The day whose close is due at an instant: today's trading day, or the last one, once its time has come.
fn due(calendar: &Calendar, minutes: i32, now: Instant) -> Option<Date> {
    let day = calendar.trading_day_on_or_before(time::new_york_date(now)?);
    let at = calendar.close(day)?.0 + i64::from(minutes) * MINUTE;
    (now.0 >= at).then_some(day)
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
    let mut seen = None;
    while !drain.has_begun() {
        if let Some(day) = due(&calendar, section.minutes_after_close, clock::now())
            && seen != Some(day)
        {
            match close(&service, day).await {
                Ok(()) => seen = Some(day),
                Err(status) => tracing::error!(date = date::to_text(day), message = status.message(), "not started"),
            }
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = drain.begun() => {}
        }
    }
}

async fn close(service: &Arc<Service>, day: Date) -> Result<(), Status> {
    // A day without quotes, such as one before the service was installed, is nobody's close.
    if service.log.snapshot(day).await?.is_none() {
        return Ok(());
    }
    let market_date = date::to_text(day);
    let request_id = format!("scheduled-{market_date}");
    let request = CloseRequest { market_date, ..CloseRequest::default() };
    start(service, request_id, request, "service").await.map(drop)
}

#[cfg(test)]
mod tests {
    use closemark_data::calendar::{Calendar, CalendarKind};
    use closemark_data::{date, time};

    use super::due;

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
            assert_eq!(due(&calendar, minutes, at), day.and_then(date::parse), "{now}");
        }
    }
}
