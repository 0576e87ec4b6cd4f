//! What the service holds while it runs; every handler has it behind an `Arc`.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use closemark_data::store::Store;
use tokio::sync::Semaphore;

use super::closes::{FinalizeParts, Progress, Runner, RunnerParts, complete_finalizations};
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
    /// Published closes in memory.
    pub(crate) store: Arc<Store>,
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
        let page_key = page_key(folder).context("the key of page tokens")?;
        let ledger = Arc::new(Ledger::open(&folder.join("ledger.sqlite"))?);
        let log = Log::start(LogSettings::new(folder, &config.limits))?;
        let budget = u64::from(config.limits.closes_memory_mebibytes) << 20;
        let store = Arc::new(Store::new(config.out_folder(), budget));
        // Before any close runs that may publish the same date.
        let parts = FinalizeParts { ledger: &ledger, store: &store, out: config.out_folder() };
        complete_finalizations(&parts).context("finalizations that were begun")?;
        let progress = Arc::new(Progress::default());
        let parts = RunnerParts {
            config: config.clone(),
            ledger: Arc::clone(&ledger),
            log: log.clone(),
            store: Arc::clone(&store),
            progress: Arc::clone(&progress),
            drain: drain.clone(),
        };
        let runner = Runner::start(parts)?;
        let watchers = Arc::new(Semaphore::new(config.limits.watchers_max as usize));
        Ok(Arc::new(Self { config, access, log, store, ledger, runner, progress, watchers, page_key, drain }))
    }
}

/// Reads the key, or makes one from the operating system's random bytes. It has its name only once it is whole and
/// durable; a file without a byte, which a crash of an earlier version may have left, counts as none.
fn page_key(folder: &Path) -> anyhow::Result<[u8; 32]> {
    use std::os::unix::fs::OpenOptionsExt;
    let path = folder.join(PAGE_KEY);
    let mut key = [0_u8; 32];
    match File::open(&path) {
        Ok(mut file) if file.metadata()?.len() > 0 => {
            file.read_exact(&mut key).context("the file is damaged")?;
            return Ok(key);
        }
        Ok(_) => tracing::warn!("the key of page tokens was empty; tokens given before count no more"),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error.into()),
    }
    File::open("/dev/urandom")?.read_exact(&mut key)?;
    let temporary = folder.join(format!(".tmp-{PAGE_KEY}"));
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all(&key)?;
    file.sync_all()?;
    fs::rename(&temporary, &path)?;
    File::open(folder)?.sync_all()?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::{PAGE_KEY, page_key};

    #[test]
    fn a_key_is_made_once_and_a_crash_while_it_is_made_stops_no_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(PAGE_KEY);
        // A crash before the rename, and one of a version that wrote under the name itself.
        std::fs::write(folder.path().join(format!(".tmp-{PAGE_KEY}")), [1; 7]).unwrap();
        std::fs::write(&path, []).unwrap();
        let key = page_key(folder.path()).unwrap();
        assert_ne!(key, [0; 32]);
        assert_eq!(page_key(folder.path()).unwrap(), key);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        // Bytes that are no key are not thrown away.
        std::fs::write(&path, [1; 7]).unwrap();
        assert!(page_key(folder.path()).is_err());
    }
}
