//! The one thread that runs closes, in the order in which they were asked for.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use closemark_data::date;
use closemark_data::publication::Published;
use closemark_data::store::{RunId, Store};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};
use tonic::Status;

use super::progress::{Progress, Teller};
use super::{day, overrides};
use crate::pipeline::{self, CloseWork};
use crate::profile::Profile;
use crate::serve::clock::{self, Watch};
use crate::serve::config::ServeConfig;
use crate::serve::drain::Drain;
use crate::serve::errors;
use crate::serve::ingest::Log;
use crate::serve::ledger::{CloseRecord, CloseRequest, CloseState, Ledger};
use crate::source::DaySource;

/// After this time there may be room for another close.
const RETRY: Duration = Duration::from_secs(30);

/// What the runner works with.
#[derive(Clone)]
pub(crate) struct RunnerParts {
    pub(crate) config: ServeConfig,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) log: Log,
    pub(crate) store: Arc<Store>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) drain: Drain,
}

/// Asks the runner.
#[derive(Clone)]
pub(crate) struct Runner {
    jobs: mpsc::Sender<CloseRecord>,
    progress: Arc<Progress>,
    running: watch::Receiver<bool>,
}

impl Runner {
    /// Starts the thread, and again whatever ran when the service last ended: a close is the same close after a restart.
    ///
    /// # Errors
    /// Where the ledger cannot be read or the thread cannot start.
    pub(crate) fn start(parts: RunnerParts) -> anyhow::Result<Self> {
        Self::start_with(parts, close)
    }

    /// The same, with what makes a run of a close.
    fn start_with(parts: RunnerParts, close: MakeRun) -> anyhow::Result<Self> {
        let unfinished = parts.ledger.unfinished()?;
        let pending = parts.config.limits.closes_pending_max as usize + unfinished.len();
        let (jobs, mut receiver) = mpsc::channel::<CloseRecord>(pending);
        let progress = Arc::clone(&parts.progress);
        let (busy, running) = watch::channel(false);
        std::thread::Builder::new().name("closes".to_owned()).spawn(move || {
            while let Some(job) = receiver.blocking_recv() {
                busy.send_replace(true);
                // What has not begun when the service ends starts again with it.
                if !parts.drain.has_begun() {
                    run(&parts, &job, close);
                }
                busy.send_replace(false);
            }
        })?;
        let runner = Self { jobs, progress, running };
        for record in unfinished {
            tracing::info!(close = record.close_id, "starting again");
            let permit = runner.room().map_err(|status| anyhow::anyhow!("{}", status.message()))?;
            runner.put(permit, record);
        }
        Ok(runner)
    }

    /// Room for another close.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED with a time to retry after; UNAVAILABLE where the thread is gone.
    pub(crate) fn room(&self) -> Result<mpsc::OwnedPermit<CloseRecord>, Status> {
        self.jobs.clone().try_reserve_owned().map_err(|refused| match refused {
            TrySendError::Full(_) => {
                errors::exhausted("limits.closes_pending_max", "as many closes wait as may", RETRY)
            }
            TrySendError::Closed(_) => errors::unavailable("CLOSES_ENDED", "nothing runs closes any more", RETRY),
        })
    }

    /// Waits until no close runs.
    pub(crate) async fn idle(&self) {
        // A thread that is gone runs nothing.
        let _ = self.running.clone().wait_for(|running| !*running).await;
    }

    /// Puts a close in line, unless it is there.
    pub(crate) fn put(&self, room: mpsc::OwnedPermit<CloseRecord>, record: CloseRecord) {
        if self.progress.enter(&record.close_id) {
            room.send(record);
        }
    }
}

/// Makes a run of a close.
type MakeRun = fn(&RunnerParts, &CloseRecord, &Teller) -> anyhow::Result<Published>;

fn run(parts: &RunnerParts, record: &CloseRecord, close: MakeRun) {
    let teller = parts.progress.begin(&record.close_id);
    // Whoever put it in line may have read the ledger just before another life of it ended.
    let known = parts.ledger.close_by_id(&record.close_id);
    if matches!(known, Ok(Some(known)) if known.state != CloseState::Running) {
        parts.progress.end(&record.close_id);
        return;
    }
    // A fault of the program ends this close, not those that wait behind it, and not again after a restart.
    let done = catch_unwind(AssertUnwindSafe(|| close(parts, record, &teller)));
    let done = done.unwrap_or_else(|fault| {
        let said = fault.downcast_ref::<String>().map(String::as_str);
        let said = said.or_else(|| fault.downcast_ref::<&str>().copied()).unwrap_or("no message");
        Err(anyhow::anyhow!("a fault of the program: {said}"))
    });
    let now = clock::now();
    let entered = match &done {
        Ok(published) => {
            measure(published);
            load(parts, record, published);
            let (run, state) = (published.run_id.as_str(), published.state.as_str());
            tracing::info!(close = record.close_id, date = record.market_date, run, state, "published");
            parts.ledger.end_close(&record.close_id, Ok((run, state)), now)
        }
        Err(error) => {
            metrics::counter!("closemark_closes_total", "state" => "FAILED").increment(1);
            tracing::error!(close = record.close_id, date = record.market_date, %error, "close failed");
            parts.ledger.end_close(&record.close_id, Err(&one_line(&format!("{error:#}"))), now)
        }
    };
    if let Err(error) = entered {
        // Nothing is lost: the close starts again with the service, and finds its run published.
        tracing::error!(close = record.close_id, %error, "the end of a close could not be entered");
    }
    parts.progress.end(&record.close_id);
}

/// Reads the run into memory where it counts now, so that it is not readers who wait for it.
fn load(parts: &RunnerParts, record: &CloseRecord, published: &Published) {
    let (Some(day), Some(run)) = (date::parse(&record.market_date), RunId::parse(&published.run_id)) else { return };
    if parts.store.current(day).is_ok_and(|current| current == run)
        && let Err(error) = parts.store.close(day, run)
    {
        tracing::warn!(close = record.close_id, %error, "the close that counts now is not in memory");
    }
}

fn measure(published: &Published) {
    metrics::counter!("closemark_closes_total", "state" => published.state.as_str()).increment(1);
    for gate in &published.gates {
        let value = gate.value.unwrap_or(f64::NAN);
        metrics::gauge!("closemark_close_gate", "gate" => gate.name.clone()).set(value);
        let passed = f64::from(u8::from(gate.pass));
        metrics::gauge!("closemark_close_gate_passed", "gate" => gate.name.clone()).set(passed);
    }
}

fn close(parts: &RunnerParts, record: &CloseRecord, teller: &Teller) -> anyhow::Result<Published> {
    let request: CloseRequest = serde_json::from_str(&record.request).context("the ledger's request")?;
    let section = &parts.config.close;
    let out = parts.config.out_folder();
    let mut profile = Profile::default();
    let mut day = stage(teller, "read", || {
        let market_date = date::parse(&record.market_date).context("the ledger's date")?;
        let found = parts.log.snapshot_blocking(market_date);
        let found = found.map_err(|status| anyhow::anyhow!("{}", status.message()))?;
        let snapshot = found.with_context(|| format!("nothing was taken in for {}", record.market_date))?;
        day::read(section, &out, &snapshot, &request)
    })?;
    stage(teller, "curve", || pipeline::settle(&mut day, &mut profile))?;
    let fixed = overrides::in_effect(&parts.ledger, &record.market_date)?;
    let audit_head = parts.ledger.audit_head()?;
    let choices = request.choices();
    let work = CloseWork {
        choices: &choices,
        threads: (section.threads > 0).then_some(section.threads),
        base_run: (!request.base_run.is_empty()).then_some(request.base_run.as_str()),
        overrides: &fixed,
        audit_head: Some(&audit_head),
        watcher: teller,
    };
    teller.series(day.underlyings.iter().map(|underlying| underlying.series.len() as u64).sum());
    Ok(stage(teller, "mark", || pipeline::close_day(DaySource::of(day), &work, &out, &mut profile))?.published)
}

/// Runs a stage, telling whoever watches and the metrics.
fn stage<T>(teller: &Teller, name: &'static str, run: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    teller.stage(name);
    let watch = Watch::start();
    let done = run();
    metrics::histogram!("closemark_close_stage_seconds", "stage" => name).record(watch.seconds());
    done
}

/// An error as callers may see it: one line, without the host's paths.
fn one_line(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let shown = |word: &str| {
        let path = Path::new(word.trim_end_matches(':'));
        if path.is_absolute() {
            path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned())
        } else {
            word.to_owned()
        }
    };
    line.split(' ').map(shown).collect::<Vec<_>>().join(" ").chars().take(1000).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use closemark_pricing::series::Instant;

    use super::{Runner, RunnerParts, Store};
    use crate::serve::closes::progress::Progress;
    use crate::serve::config::ServeConfig;
    use crate::serve::drain::DrainSwitch;
    use crate::serve::ingest::{Log, LogSettings};
    use crate::serve::ledger::{CloseRequest, CloseState, Ledger};

    #[tokio::test]
    async fn a_fault_in_one_close_ends_that_close_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (config, _) = ServeConfig::read(None).unwrap();
        let (_switch, drain) = DrainSwitch::new();
        let ledger = Arc::new(Ledger::open(&folder.path().join("ledger.sqlite")).unwrap());
        let log = Log::start(LogSettings::new(folder.path(), &config.limits)).unwrap();
        let progress = Arc::new(Progress::default());
        let store = Arc::new(Store::new(config.out_folder(), 1 << 24));
        let (known, told) = (Arc::clone(&ledger), Arc::clone(&progress));
        let parts = RunnerParts { config, ledger: known, log, store, progress: told, drain };
        let runner = Runner::start_with(parts, |_, record, _| {
            assert!(record.market_date != "2026-11-20", "a fault of this day");
            anyhow::bail!("nothing to close")
        })
        .unwrap();
        for (market_date, said) in [("2026-11-20", "fault of this day"), ("2026-11-23", "nothing to close")] {
            let request = CloseRequest { market_date: market_date.to_owned(), ..CloseRequest::default() };
            let (record, _) = ledger.start_close(market_date, &request, "otto", Instant(1)).unwrap();
            runner.put(runner.room().unwrap(), record.clone());
            while progress.watch(&record.close_id).is_some() {
                tokio::task::yield_now().await;
            }
            let ended = ledger.close_by_id(&record.close_id).unwrap().unwrap();
            assert_eq!(ended.state, CloseState::Failed);
            assert!(ended.error.as_deref().is_some_and(|error| error.contains(said)), "{ended:?}");
        }
        assert!(ledger.unfinished().unwrap().is_empty());
    }

    #[test]
    fn errors_do_not_show_where_things_lie() {
        assert_eq!(super::one_line("rename /srv/x/run=1: no\nspace"), "rename run=1 no space");
    }
}
