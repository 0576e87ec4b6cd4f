//! How far closes are, for whoever watches.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::marking::Watcher;

/// How far one close is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Step {
    /// The stage: `waiting`, `read`, `curve`, `mark` or `ended`.
    pub(crate) stage: &'static str,
    /// Series done.
    pub(crate) done: u64,
    /// Series in all; 0 until they are known.
    pub(crate) series: u64,
}

impl Step {
    /// The last stage of every close.
    pub(crate) const ENDED: &'static str = "ended";
}

/// One close's progress, as the runner tells it.
#[derive(Debug)]
pub(crate) struct Teller {
    sender: watch::Sender<Step>,
    done: AtomicU64,
    series: AtomicU64,
}

impl Teller {
    fn new() -> Self {
        let first = Step { stage: "waiting", ..Step::default() };
        Self { sender: watch::Sender::new(first), done: AtomicU64::new(0), series: AtomicU64::new(0) }
    }

    /// A stage begins.
    pub(crate) fn stage(&self, stage: &'static str) {
        let (done, series) = (self.done.load(Ordering::Relaxed), self.series.load(Ordering::Relaxed));
        self.sender.send_replace(Step { stage, done, series });
    }

    /// How many series there are.
    pub(crate) fn series(&self, series: u64) {
        self.series.store(series, Ordering::Relaxed);
    }
}

impl Watcher for Teller {
    fn done(&self, _underlying: &str, series: u64) {
        let done = self.done.fetch_add(series, Ordering::Relaxed) + series;
        self.sender.send_modify(|step| step.done = step.done.max(done));
    }
}

/// The progress of every close that waits or runs.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    running: Mutex<BTreeMap<String, Arc<Teller>>>,
}

impl Progress {
    /// A close comes in line; false where it waits or runs already.
    pub(crate) fn enter(&self, close_id: &str) -> bool {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let new = !running.contains_key(close_id);
        running.entry(close_id.to_owned()).or_insert_with(|| Arc::new(Teller::new()));
        new
    }

    /// A close waits or runs.
    pub(crate) fn begin(&self, close_id: &str) -> Arc<Teller> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(running.entry(close_id.to_owned()).or_insert_with(|| Arc::new(Teller::new())))
    }

    /// A close has ended; whoever watches it learns so.
    pub(crate) fn end(&self, close_id: &str) {
        let ended = self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(close_id);
        if let Some(teller) = ended {
            teller.stage(Step::ENDED);
        }
    }

    /// Watches a close; `None` where it neither waits nor runs.
    pub(crate) fn watch(&self, close_id: &str) -> Option<watch::Receiver<Step>> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.get(close_id).map(|teller| teller.sender.subscribe())
    }
}
