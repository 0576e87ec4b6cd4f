//! The one clock of the service. No published byte depends on it: it dates audit entries, expires tokens, starts
//! scheduled closes and measures what the metrics show.

use closemark_pricing::series::Instant;

/// Now, as nanoseconds since 1970-01-01T00:00:00Z.
pub(crate) fn now() -> Instant {
    i64::try_from(jiff::Timestamp::now().as_nanosecond()).map_or(Instant(i64::MAX), Instant)
}

/// Measures how long something takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watch(std::time::Instant);

impl Watch {
    #[allow(clippy::disallowed_methods, reason = "metrics only; no published byte")]
    pub(crate) fn start() -> Self {
        Self(std::time::Instant::now())
    }

    pub(crate) fn seconds(self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
}
