//! What the service holds while it runs; every handler has it behind an `Arc`.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use tokio::sync::Semaphore;

use super::closes::{Progress, Runner, RunnerParts};
use super::config::ServeConfig;
use super::drain::Drain;
use super::ingest::{Log, LogSettings};
use super::ledger::Ledger;
use super::security::Access;

/// The file with the key that seals page tokens.
const PAGE_KEY: &str = "page.key";

/// The running service.
pub(crate) struct Service {
    /// The configuration in force.
    pub(crate) config: ServeConfig,
    /// Who callers are.
    pub(crate) access: Arc<Access>,
    /// The quote log.
    pub(crate) log: Log,
    /// Closes, requests, overrides, audit.
    pub(crate) ledger: Arc<Ledger>,
    /// Runs closes.
    pub(crate) runner: Runner,
    /// How far they are.
    pub(crate) progress: Arc<Progress>,
    /// Seats of streams that watch closes.
    pub(crate) watchers: Arc<Semaphore>,
    /// Seals page and resume tokens; the same after a restart.
    pub(crate) page_key: [u8; 32],
    /// The end, for streams that would otherwise run on.
    pub(crate) drain: Drain,
}

impl Service {
    /// Opens everything that lasts: the log is replayed, the audit's chain followed, unfinished closes start again.
    ///
    /// # Errors
    /// One line where something cannot be opened; nothing listens then.
    pub(crate) fn open(config: ServeConfig, drain: Drain) -> anyhow::Result<Arc<Self>> {
        let folder = &config.storage.folder;
        fs::create_dir_all(folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
        let access = Arc::new(Access::new(&config)?);
        let page_key = page_key(&folder.join(PAGE_KEY)).context("the key of page tokens")?;
        let ledger = Arc::new(Ledger::open(&folder.join("ledger.sqlite"))?);
        let log = Log::start(LogSettings::new(folder, &config.limits))?;
        let progress = Arc::new(Progress::default());
        let parts = RunnerParts {
            config: config.clone(),
            ledger: Arc::clone(&ledger),
            log: log.clone(),
            progress: Arc::clone(&progress),
            drain: drain.clone(),
        };
        let runner = Runner::start(parts)?;
        let watchers = Arc::new(Semaphore::new(config.limits.watchers_max as usize));
        Ok(Arc::new(Self { config, access, log, ledger, runner, progress, watchers, page_key, drain }))
    }
}

/// Reads the key, or makes one from the operating system's random bytes.
fn page_key(path: &Path) -> anyhow::Result<[u8; 32]> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut key = [0_u8; 32];
    match File::open(path) {
        Ok(mut file) => file.read_exact(&mut key)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            File::open("/dev/urandom")?.read_exact(&mut key)?;
            let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
            file.write_all(&key)?;
            file.sync_all()?;
        }
        Err(error) => return Err(error.into()),
    }
    Ok(key)
}
