//! Where the time goes. Times are taken here only, and reach no published file but `timings.json`.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// A running watch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watch(Instant);

impl Watch {
    #[allow(clippy::disallowed_methods, reason = "timings are outside every digest")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// The stages of one close with their wall times, and each underlying's own time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Profile {
    stages: Vec<(&'static str, Duration)>,
    underlyings: Vec<(String, u64, Duration)>,
    threads: usize,
}

impl Profile {
    /// Runs a stage and notes its time.
    pub(crate) fn stage<T>(&mut self, name: &'static str, run: impl FnOnce() -> T) -> T {
        let watch = Watch::start();
        let done = run();
        self.stages.push((name, watch.elapsed()));
        done
    }

    /// Notes how the marking of each underlying went: symbol, series, time on its thread.
    pub(crate) fn underlyings(&mut self, threads: usize, times: Vec<(String, u64, Duration)>) {
        self.threads = threads;
        self.underlyings = times;
    }

    /// Text of `timings.json`: seconds by stage, and by underlying.
    pub(crate) fn to_json(&self) -> String {
        let seconds = |time: &Duration| serde_json::Value::from(time.as_secs_f64());
        let stages: serde_json::Map<String, serde_json::Value> =
            self.stages.iter().map(|(name, time)| ((*name).to_owned(), seconds(time))).collect();
        let underlyings: serde_json::Map<String, serde_json::Value> =
            self.underlyings.iter().map(|(name, _, time)| (name.clone(), seconds(time))).collect();
        let document = serde_json::json!({
            "unit": "seconds",
            "threads": self.threads,
            "stages": stages,
            "underlyings": underlyings,
        });
        format!("{document:#}\n")
    }

    /// The table that `--profile` prints.
    pub(crate) fn to_table(&self, series: u64) -> String {
        let mut out = String::from("\nTime by stage\n");
        let all: Duration = self.stages.iter().map(|(_, time)| *time).sum();
        for (name, time) in &self.stages {
            let share = 100.0 * time.as_secs_f64() / all.as_secs_f64().max(1e-9);
            let _ = writeln!(out, "  {name:<22} {:>10.3} s {share:>6.1} %", time.as_secs_f64());
        }
        let _ = writeln!(out, "  {:<22} {:>10.3} s", "together", all.as_secs_f64());
        let working: Duration = self.underlyings.iter().map(|(_, _, time)| *time).sum();
        if series > 0 {
            let each = working.as_secs_f64() * 1e6 / series as f64;
            let _ = writeln!(
                out,
                "  marking: {:.3} core-seconds on {} threads, {each:.1} us per series",
                working.as_secs_f64(),
                self.threads
            );
        }
        if let Some(kib) = peak_memory_kib() {
            let _ = writeln!(out, "  peak memory: {:.0} MiB", kib as f64 / 1024.0);
        }
        let mut slowest: Vec<&(String, u64, Duration)> = self.underlyings.iter().collect();
        slowest.sort_by(|a, b| b.2.cmp(&a.2).then_with(|| a.0.cmp(&b.0)));
        if !slowest.is_empty() {
            out.push_str("\nSlowest underlyings\n");
        }
        for (name, count, time) in slowest.into_iter().take(10) {
            let each = time.as_secs_f64() * 1e6 / (*count).max(1) as f64;
            let _ = writeln!(out, "  {name:<12} {count:>8} series {:>9.3} s {each:>9.1} us/series", time.as_secs_f64());
        }
        out
    }
}

/// The largest resident memory of this process, where the system says.
fn peak_memory_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Profile;

    #[test]
    fn json_and_table_carry_what_was_noted() {
        let mut profile = Profile::default();
        assert_eq!(profile.stage("read", || 7), 7);
        profile.underlyings(2, vec![("A\"B".to_owned(), 10, Duration::from_millis(1500))]);
        let json: serde_json::Value = serde_json::from_str(&profile.to_json()).unwrap();
        assert_eq!(json["underlyings"]["A\"B"], 1.5);
        assert!(json["stages"]["read"].is_number());
        assert!(profile.to_table(10).contains("A\"B"));
    }
}
