//! The power goes before and after every operation of a publication: readers meet a whole close or the one before.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use closemark_data::files::{Disk, Files, Forget, Held, NewFile, Operation, Simulated, Trouble};
use closemark_data::publication::{PublishError, current, date_folder, publish, publish_on};
use closemark_data::verify::verify;
use support::{MARKET_DATE, close, request};

/// Does everything in memory, where the power goes, and then on the disk, where publication reads.
#[derive(Clone, Debug)]
struct Both(Simulated);

#[derive(Debug)]
struct BothFile(Box<dyn NewFile>, Box<dyn NewFile>);

impl NewFile for BothFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.append(bytes)?;
        self.1.append(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync()
    }
}

impl Files for Both {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.0.create_folder(path)?;
        Disk.create_folder(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        Disk.list(folder)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn NewFile>> {
        Ok(Box::new(BothFile(self.0.create(path)?, Disk.create(path)?)))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        Disk.open(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.rename(from, to)?;
        Disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.remove(path)?;
        Disk.remove(path)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.0.sync_folder(folder)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Held>> {
        Disk.lock(path)
    }
}

/// A simulated disk that has the same folders, durably.
fn simulated(out: &Path) -> Simulated {
    let files = Simulated::default();
    let mut folders: Vec<&Path> = out.ancestors().collect();
    folders.reverse();
    for folder in folders {
        files.create_folder(folder).unwrap();
        if let Some(parent) = folder.parent() {
            files.sync_folder(parent).unwrap();
        }
    }
    files
}

/// Publishes two closes of one date, the second of which corrects the first; how far it came.
fn publish_both(files: &Simulated, out: &Path) -> (Vec<String>, Option<PublishError>) {
    let (day, marks) = close();
    let mut other = day.clone();
    other.input_digest = "c0".repeat(32);
    let mut done = Vec::new();
    for day in [&day, &other] {
        match publish_on(Arc::new(Both(files.clone())), &request(day, &marks), out, &mut |_| Ok(())) {
            Ok(published) => done.push(published.run_id),
            Err(error) => return (done, Some(error)),
        }
    }
    (done, None)
}

#[test]
fn readers_meet_a_whole_close_or_the_one_before() {
    let out = tempfile::tempdir().unwrap();
    let quiet = simulated(out.path());
    let first = quiet.steps().len();
    let (runs, error) = publish_both(&quiet, out.path());
    assert!(error.is_none(), "{error:?}");
    assert_eq!(runs.len(), 2);
    let steps = quiet.steps();
    let kinds: BTreeSet<String> = steps[first..].iter().map(|step| format!("{:?}", step.operation)).collect();
    assert!(kinds.len() >= 6 && kinds.contains(&format!("{:?}", Operation::Rename)), "{kinds:?}");

    let mut met = BTreeSet::new();
    for (step, point) in steps.iter().enumerate().skip(first) {
        for forget in [Forget::Everything, Forget::Part(step as u64)] {
            let out = tempfile::tempdir().unwrap();
            let files = simulated(out.path());
            files.trouble_at(step, Trouble::PowerCut);
            let (done, error) = publish_both(&files, out.path());
            assert!(error.is_some(), "step {step}: nothing noticed it");
            files.restart(forget);

            let after = tempfile::tempdir().unwrap();
            files.copy_to(out.path(), after.path()).unwrap();
            let folder = date_folder(after.path(), MARKET_DATE).unwrap();
            let counts = if folder.exists() { current(&folder).unwrap() } else { None };
            // What publication said is published counts, or its correction does.
            let context = format!("{point:?}, {forget:?}");
            if let Some(last) = done.last() {
                let position = runs.iter().position(|run| Some(run) == counts.as_ref());
                assert!(position >= runs.iter().position(|run| run == last), "{context}: {last} was lost");
            }
            if counts.is_some() {
                let report = verify(&folder).unwrap_or_else(|error| panic!("{context}: {error}"));
                assert!(report.holds(), "{context}: {:?}", report.violations);
            }
            met.insert(counts.clone());
            // Publishing again settles what was left.
            let (day, marks) = close();
            let mut other = day.clone();
            other.input_digest = "c0".repeat(32);
            for day in [&day, &other] {
                publish(&request(day, &marks), after.path()).unwrap_or_else(|error| panic!("{context}: {error}"));
            }
            assert_eq!(current(&folder).unwrap().as_ref(), runs.last(), "{context}");
        }
    }
    let expected: BTreeSet<Option<String>> = std::iter::once(None).chain(runs.into_iter().map(Some)).collect();
    assert_eq!(met, expected, "no close, the first, and the second were each met");
}
