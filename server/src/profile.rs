//! Where the time goes. Times are taken here only, and reach no published file but `timings.json`.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use closemark_pricing::mark::MarkStage;

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

    /// The time since the start or the last lap.
    pub(crate) fn lap(&mut self) -> Duration {
        let elapsed = self.0.elapsed();
        self.0 += elapsed;
        elapsed
    }
}

/// What one underlying took on its thread.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spent {
    underlying: String,
    series: u64,
    /// Making it from its rows.
    pub(crate) make: Duration,
    /// By [`MarkStage::ALL`].
    stages: [Duration; MarkStage::ALL.len()],
}

impl Spent {
    pub(crate) fn new(underlying: &str, series: u64) -> Self {
        Self { underlying: underlying.to_owned(), series, ..Self::default() }
    }

    /// Adds time to a stage; what came before the first one is the first one's.
    pub(crate) fn add(&mut self, stage: Option<MarkStage>, time: Duration) {
        let stage = stage.unwrap_or(MarkStage::Nbbo);
        if let Some(place) = MarkStage::ALL.iter().position(|one| *one == stage)
            && let Some(sum) = self.stages.get_mut(place)
        {
            *sum += time;
        }
    }

    fn all(&self) -> Duration {
        self.make + self.stages.iter().sum::<Duration>()
    }
}

/// The time of one step of the close.
#[derive(Clone, Copy, Debug)]
struct Step {
    name: &'static str,
    wall: Duration,
    /// Of all threads, where the system says.
    processor: Option<Duration>,
}

/// The steps of one close with their times, and each underlying's own time by stage.
#[derive(Clone, Debug, Default)]
pub(crate) struct Profile {
    steps: Vec<Step>,
    underlyings: Vec<Spent>,
    write: Duration,
    threads: usize,
}

impl Profile {
    /// Runs a step and notes its time.
    pub(crate) fn stage<T>(&mut self, name: &'static str, run: impl FnOnce() -> T) -> T {
        let (watch, before) = (Watch::start(), processor_time());
        let done = run();
        let processor = before.zip(processor_time()).map(|(before, after)| after.saturating_sub(before));
        self.steps.push(Step { name, wall: watch.elapsed(), processor });
        done
    }

    /// Notes how the marking of each underlying went, and how long writing took beside it.
    pub(crate) fn underlyings(&mut self, threads: usize, spent: Vec<Spent>, write: Duration) {
        self.threads = threads;
        self.underlyings = spent;
        self.write = write;
    }

    /// Core time by stage: making underlyings, each stage of marking, writing.
    fn stages(&self) -> Vec<(&'static str, Duration)> {
        let mut all = vec![("underlyings", self.underlyings.iter().map(|one| one.make).sum())];
        for (place, stage) in MarkStage::ALL.iter().enumerate() {
            let sum = self.underlyings.iter().filter_map(|one| one.stages.get(place)).sum();
            all.push((stage.as_str(), sum));
        }
        all.push(("write", self.write));
        all
    }

    /// Text of `timings.json`: seconds by step, by stage summed over threads, and by underlying.
    pub(crate) fn to_json(&self) -> String {
        let seconds = |time: Duration| serde_json::Value::from(time.as_secs_f64());
        type Map = serde_json::Map<String, serde_json::Value>;
        let steps: Map = self.steps.iter().map(|step| (step.name.to_owned(), seconds(step.wall))).collect();
        let stages: Map = self.stages().into_iter().map(|(name, time)| (name.to_owned(), seconds(time))).collect();
        let underlyings: Map =
            self.underlyings.iter().map(|one| (one.underlying.clone(), seconds(one.all()))).collect();
        let document = serde_json::json!({
            "unit": "seconds",
            "threads": self.threads,
            "stages": steps,
            "core_seconds": stages,
            "underlyings": underlyings,
        });
        format!("{document:#}\n")
    }

    /// The table that `--profile` prints.
    pub(crate) fn to_table(&self, series: u64) -> String {
        let mut out = String::from("\nTime by step                    wall      processor\n");
        let all: Duration = self.steps.iter().map(|step| step.wall).sum();
        for step in &self.steps {
            let processor = step.processor.map_or(String::new(), |time| format!("{:>12.2} s", time.as_secs_f64()));
            let _ = writeln!(out, "  {:<22} {:>10.3} s {processor}", step.name, step.wall.as_secs_f64());
        }
        let _ = writeln!(out, "  {:<22} {:>10.3} s", "together", all.as_secs_f64());
        if let Some(kib) = peak_memory_kib() {
            let _ = writeln!(out, "  peak memory: {:.0} MiB", kib as f64 / 1024.0);
        }
        if self.underlyings.is_empty() {
            return out;
        }
        let each = |time: Duration, series: u64| time.as_secs_f64() * 1e6 / series.max(1) as f64;
        let stages = self.stages();
        let working: Duration = stages.iter().map(|(_, time)| *time).sum();
        let _ = writeln!(out, "\nStages of the step mark, on {} threads together", self.threads);
        for (name, time) in &stages {
            let share = 100.0 * time.as_secs_f64() / working.as_secs_f64().max(1e-9);
            let seconds = time.as_secs_f64();
            let _ =
                writeln!(out, "  {name:<22} {seconds:>10.3} s {share:>6.1} % {:>9.2} us/series", each(*time, series));
        }
        let seconds = working.as_secs_f64();
        let _ =
            writeln!(out, "  {:<22} {seconds:>10.3} s          {:>9.2} us/series", "together", each(working, series));
        out.push_str("\nSlowest     series        time   a series  most of it\n");
        let mut slowest: Vec<&Spent> = self.underlyings.iter().collect();
        slowest.sort_by(|a, b| b.all().cmp(&a.all()).then_with(|| a.underlying.cmp(&b.underlying)));
        for one in slowest.into_iter().take(10) {
            let _ = writeln!(
                out,
                "  {:<8} {:>7} {:>9.3} s {:>9.1} us  {}",
                one.underlying,
                one.series,
                one.all().as_secs_f64(),
                each(one.all(), one.series),
                most(one)
            );
        }
        out
    }
}

/// Columns that are left for the stages of one of the slowest, of a terminal's hundred.
const STAGES_WIDTH: usize = 54;

/// The stages in which an underlying was longest: three of them, or as many as fit.
fn most(one: &Spent) -> String {
    let mut stages: Vec<(Duration, &str)> =
        one.stages.iter().zip(MarkStage::ALL).map(|(time, stage)| (*time, stage.as_str())).collect();
    stages.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    let all = one.all().as_secs_f64().max(1e-9);
    let mut shown = String::new();
    for (time, name) in stages.iter().take(3) {
        let comma = if shown.is_empty() { "" } else { ", " };
        let next = format!("{comma}{name} {:.0} %", 100.0 * time.as_secs_f64() / all);
        if shown.len() + next.len() > STAGES_WIDTH {
            break;
        }
        shown.push_str(&next);
    }
    shown
}

/// The processor time of all threads of this process, where the system says; in hundredths of a second.
fn processor_time() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is the program's name in brackets, which may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(Duration::from_millis(10 * (user + system)))
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

    use closemark_pricing::mark::MarkStage;

    use super::{Profile, Spent};

    #[test]
    fn json_and_table_carry_what_was_noted() {
        let mut profile = Profile::default();
        assert_eq!(profile.stage("read", || 7), 7);
        let mut spent = Spent::new("A\"B", 10);
        spent.add(None, Duration::from_millis(500));
        spent.add(Some(MarkStage::Smoothing), Duration::from_millis(1000));
        profile.underlyings(2, vec![spent], Duration::from_millis(250));
        let json: serde_json::Value = serde_json::from_str(&profile.to_json()).unwrap();
        assert_eq!(json["underlyings"]["A\"B"], 1.5);
        assert_eq!(json["core_seconds"]["smoothing"], 1.0);
        assert_eq!(json["core_seconds"]["write"], 0.25);
        assert!(json["stages"]["read"].is_number());
        let table = profile.to_table(10);
        assert!(table.contains("A\"B") && table.contains("smoothing 67 %, NBBO 33 %"), "{table}");
    }

    #[test]
    fn the_slowest_fit_a_terminal() {
        let mut profile = Profile::default();
        let mut spent = Spent::new("ABCDEFGH", 1_000_000);
        for stage in [MarkStage::ImpliedVolatility, MarkStage::ModelPrices, MarkStage::RiskArrays] {
            spent.add(Some(stage), Duration::from_secs(9_999));
        }
        profile.underlyings(2, vec![spent], Duration::ZERO);
        let table = profile.to_table(1_000_000);
        assert!(table.lines().all(|line| line.chars().count() <= 100), "{table}");
        assert!(table.contains("implied volatility 33 %, model prices 33 %"), "{table}");
    }
}
