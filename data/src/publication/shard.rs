//! A run in shards: each process writes the rows of some underlyings beside the runs, and one assembles them.
//!
//! A shard is a contiguous piece of the day's underlyings, cut so that each has about as many series. Its folder,
//! `.shard-i-of-n`, holds the tables of a run with the rows of its underlyings, and `shard.json`, which names the run
//! and every file's digest. It appears whole or not at all, so that a shard that was killed is simply run again.
//! `prepared.json` beside it says which run the shards are of.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use closemark_pricing::day::UnderlyingDay;
use closemark_pricing::mark::UnderlyingMarks;
use serde::{Deserialize, Serialize};

use super::digest::FileDigest;
use super::error::PublishError;
use super::folder::date_folder;
use super::run_writer::RunHead;
use super::tables::Tables;
use crate::day::Day;
use crate::files::{Disk, Files};
use crate::input::PlannedUnderlying;

/// What the shards of a date are of.
pub const PREPARED: &str = "prepared.json";
/// What a shard is of.
const SHARD: &str = "shard.json";

/// One shard of several, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// Which.
    pub number: u32,
    /// Of how many.
    pub of: u32,
}

impl Shard {
    /// Which of the plan's underlyings are the shard's: those whose middle series lies in its share of all series.
    pub fn range(&self, plan: &[PlannedUnderlying]) -> std::ops::Range<usize> {
        let all: u64 = plan.iter().map(|one| one.series).sum();
        let bound = |number: u32| {
            let limit = u128::from(all) * 2 * u128::from(number);
            let mut before = 0u128;
            plan.iter()
                .position(|one| {
                    let middle = (2 * before + u128::from(one.series)) * u128::from(self.of);
                    before += u128::from(one.series);
                    middle >= limit
                })
                .unwrap_or(plan.len())
        };
        let start = if self.number <= 1 { 0 } else { bound(self.number - 1) };
        let end = if self.number >= self.of { plan.len() } else { bound(self.number) };
        start..end.max(start)
    }

    fn folder(&self, date_folder: &Path) -> PathBuf {
        date_folder.join(format!(".shard-{}-of-{}", self.number, self.of))
    }
}

/// The text of `prepared.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Prepared {
    run_id: String,
    input_digest: String,
    settings_digest: String,
    shards: u32,
}

/// The text of `shard.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct ShardManifest {
    run_id: String,
    shard: Shard,
    files: BTreeMap<String, FileDigest>,
}

/// A shard being written.
pub struct ShardWriter {
    shard: Shard,
    run_id: String,
    part: PathBuf,
    folder: PathBuf,
    tables: Tables,
}

impl ShardWriter {
    /// Begins a shard of a run; what an earlier process left of it goes. `plan` is of the shard's underlyings alone.
    ///
    /// # Errors
    /// What the file system says.
    pub fn begin(
        head: &RunHead<'_>,
        shard: Shard,
        plan: Vec<PlannedUnderlying>,
        out: &Path,
    ) -> Result<Self, PublishError> {
        let date_folder = date_folder(out, head.day.market_date)?;
        fs::create_dir_all(&date_folder).map_err(PublishError::io("create", &date_folder))?;
        let run_id = head.run_id();
        let prepared = Prepared {
            run_id: run_id.clone(),
            input_digest: head.day.input_digest.clone(),
            settings_digest: blake3::hash(head.settings_text.as_bytes()).to_hex().to_string(),
            shards: shard.of,
        };
        // Every shard of a run writes the same bytes, each through a file of its own.
        let beside = format!(".prepared-{}-of-{}", shard.number, shard.of);
        replace(&date_folder, PREPARED, &beside, &to_json(&date_folder.join(PREPARED), &prepared)?)?;
        let folder = shard.folder(&date_folder);
        let part = folder.with_extension("part");
        for old in [&folder, &part] {
            if old.exists() {
                fs::remove_dir_all(old).map_err(PublishError::io("remove", old))?;
            }
        }
        fs::create_dir(&part).map_err(PublishError::io("create", &part))?;
        // The input's own exceptions are the whole day's; whoever assembles has them.
        let day = Day { exceptions: Vec::new(), ..head.day.clone() };
        let tables = Tables::create(&Disk, &part, &run_id, &day, plan)?;
        Ok(Self { shard, run_id, part, folder, tables })
    }

    /// Takes the rows of the next underlying of the shard.
    ///
    /// # Errors
    /// As [`RunWriter::push`](super::RunWriter::push).
    pub fn push(&mut self, day: &UnderlyingDay, marks: &UnderlyingMarks) -> Result<(), PublishError> {
        self.tables.push(day, marks)
    }

    /// Makes the shard durable and gives it its name; its folder and the run it is of.
    ///
    /// # Errors
    /// What the file system says.
    pub fn finish(self) -> Result<(PathBuf, String), PublishError> {
        let (_, files) = self.tables.finish(&mut |_| Ok(()))?;
        let manifest = ShardManifest { run_id: self.run_id.clone(), shard: self.shard, files };
        let bytes = to_json(&self.part.join(SHARD), &manifest)?;
        replace(&self.part, SHARD, ".shard.json", &bytes)?;
        let disk = Disk;
        disk.rename(&self.part, &self.folder).map_err(PublishError::io("rename", &self.folder))?;
        if let Some(parent) = self.folder.parent() {
            disk.sync_folder(parent).map_err(PublishError::io("sync", parent))?;
        }
        Ok((self.folder, self.run_id))
    }
}

/// Shards of a run that are all there.
#[derive(Clone, Debug)]
pub struct Shards {
    date_folder: PathBuf,
    of: u32,
}

impl Shards {
    /// Finds the shards of a run and checks every file against its digest.
    ///
    /// # Errors
    /// [`PublishError::State`] where the shards are of another run, or one is missing or damaged.
    pub fn open(head: &RunHead<'_>, out: &Path) -> Result<Self, PublishError> {
        let date_folder = date_folder(out, head.day.market_date)?;
        let path = date_folder.join(PREPARED);
        let run_id = head.run_id();
        let prepared: Prepared = from_json(&path)?;
        if prepared.run_id != run_id {
            let detail = format!("the shards are of run {}, input and settings make run {run_id}", prepared.run_id);
            return Err(PublishError::State { path, detail });
        }
        let shards = Self { date_folder, of: prepared.shards };
        for shard in shards.all() {
            shards.check(shard, &run_id)?;
        }
        Ok(shards)
    }

    /// Every shard.
    pub fn all(&self) -> impl Iterator<Item = Shard> + use<> {
        let of = self.of;
        (1..=of).map(move |number| Shard { number, of })
    }

    /// The folder of a shard, which has the tables of a run.
    pub fn folder(&self, shard: Shard) -> PathBuf {
        shard.folder(&self.date_folder)
    }

    fn check(&self, shard: Shard, run_id: &str) -> Result<(), PublishError> {
        let folder = self.folder(shard);
        let again = format!("run closemark close --shard {}/{} again", shard.number, shard.of);
        let fault = |what: String| PublishError::State { path: folder.clone(), detail: format!("{what}: {again}") };
        if !folder.is_dir() {
            return Err(fault("the shard is missing".to_owned()));
        }
        let manifest: ShardManifest = from_json(&folder.join(SHARD))?;
        if manifest.run_id != run_id || manifest.shard != shard {
            return Err(fault(format!("it is a shard of run {}", manifest.run_id)));
        }
        for (name, digest) in &manifest.files {
            let path = folder.join(name);
            let found = FileDigest::of_file(&path).map_err(PublishError::io("read", &path))?;
            if found != *digest {
                return Err(fault(format!("{name} is not what was written")));
            }
        }
        Ok(())
    }

    /// Removes the shards and what says of which run they are; what cannot be removed stays, and does no harm.
    pub fn remove(self) {
        let _ = fs::remove_file(self.date_folder.join(PREPARED));
        for shard in self.all() {
            let _ = fs::remove_dir_all(self.folder(shard));
        }
    }
}

fn to_json(path: &Path, value: &impl Serialize) -> Result<Vec<u8>, PublishError> {
    let mut bytes = serde_json::to_vec_pretty(value)
        .map_err(|error| PublishError::State { path: path.to_owned(), detail: error.to_string() })?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn from_json<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<T, PublishError> {
    let bytes = fs::read(path).map_err(PublishError::io("read", path))?;
    serde_json::from_slice(&bytes)
        .map_err(|error| PublishError::State { path: path.to_owned(), detail: error.to_string() })
}

/// Replaces a small file durably through one beside it.
fn replace(folder: &Path, name: &str, beside: &str, bytes: &[u8]) -> Result<(), PublishError> {
    let files: Arc<dyn Files> = Arc::new(Disk);
    let (path, beside) = (folder.join(name), folder.join(beside));
    let mut file = files.create(&beside).map_err(PublishError::io("create", &beside))?;
    file.append(bytes).map_err(PublishError::io("write", &beside))?;
    file.sync().map_err(PublishError::io("sync", &beside))?;
    files.rename(&beside, &path).map_err(PublishError::io("rename", &path))?;
    files.sync_folder(folder).map_err(PublishError::io("sync", folder))
}

#[cfg(test)]
mod tests {
    use super::Shard;
    use crate::input::PlannedUnderlying;

    #[test]
    fn shards_are_the_whole_day_once_and_about_equal() {
        for count in [0, 1, 2, 7, 100] {
            let plan: Vec<PlannedUnderlying> = (0..count)
                .map(|i| PlannedUnderlying { series: (i * 37 % 11) as u64, ..PlannedUnderlying::named("A", &[]) })
                .collect();
            let all: u64 = plan.iter().map(|one| one.series).sum();
            for of in [1, 2, 3, 8] {
                let ranges: Vec<_> = (1..=of).map(|number| Shard { number, of }.range(&plan)).collect();
                assert_eq!(ranges[0].start, 0);
                assert_eq!(ranges[of as usize - 1].end, plan.len());
                assert!(ranges.windows(2).all(|pair| pair[0].end == pair[1].start));
                for range in ranges {
                    let own: u64 = plan[range].iter().map(|one| one.series).sum();
                    assert!(own.abs_diff(all / u64::from(of)) <= 12, "{own} of {all} in {of}");
                }
            }
        }
    }
}
