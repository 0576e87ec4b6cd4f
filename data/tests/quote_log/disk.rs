//! The real file system, a full one, and one that may only be read.

use std::io::ErrorKind;
use std::sync::Arc;

use closemark_data::files::{Disk, Forget, Operation, Trouble};
use closemark_data::log::{AppendError, Appended, LogError, LogLimits, QuoteLog};

use crate::support::{batch, open, records, simulated, small_segments};

#[test]
fn segments_are_sealed_and_chained_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("log");
    let mut log = QuoteLog::open(Arc::new(Disk), &root, small_segments()).unwrap();
    for sequence in 1..=30 {
        log.append(&batch("a", sequence)).unwrap();
        log.commit().unwrap();
    }
    assert!(matches!(QuoteLog::open(Arc::new(Disk), &root, small_segments()), Err(LogError::Locked { .. })));
    drop(log);
    let mut log = QuoteLog::open(Arc::new(Disk), &root, small_segments()).unwrap();
    assert_eq!(records(&mut log).unwrap().len(), 30);
    drop(log);
    let folder = root.join("date=2026-11-20");
    let mut names: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert!(names.len() > 4, "{names:?}");
    // A segment taken from the middle, or exchanged for another, is missed.
    let (second, third) = (folder.join(&names[1]), folder.join(&names[2]));
    let bytes = std::fs::read(&second).unwrap();
    std::fs::remove_file(&second).unwrap();
    let error = QuoteLog::open(Arc::new(Disk), &root, small_segments()).unwrap_err();
    assert!(error.to_string().contains("segment-0000000002.log: damaged at byte 0"), "{error}");
    std::fs::write(&second, std::fs::read(&third).unwrap()).unwrap();
    assert!(matches!(QuoteLog::open(Arc::new(Disk), &root, small_segments()), Err(LogError::Damaged { .. })));
    std::fs::write(&second, bytes).unwrap();
    assert!(QuoteLog::open(Arc::new(Disk), &root, small_segments()).is_ok());
}

#[test]
fn a_full_disk_loses_nothing_and_stops_the_log_until_it_is_opened_again() {
    let files = simulated();
    let mut log = open(&files, LogLimits::default()).unwrap();
    log.append(&batch("a", 1)).unwrap();
    log.commit().unwrap();
    files.set_room(Some(40));
    log.append(&batch("a", 2)).unwrap();
    match log.commit().unwrap_err() {
        LogError::Io { action: "write", source, .. } => assert_eq!(source.kind(), ErrorKind::StorageFull),
        other => panic!("{other}"),
    }
    files.set_room(None);
    assert!(matches!(log.append(&batch("a", 3)), Err(AppendError::Log(LogError::Refusing { .. }))));
    assert!(matches!(log.commit(), Err(LogError::Refusing { .. })));
    assert!(log.refusing().is_some());
    assert_eq!(records(&mut log).unwrap().len(), 1, "it can still be read");
    drop(log);
    let mut log = open(&files, LogLimits::default()).unwrap();
    assert_eq!(records(&mut log).unwrap(), [("a".to_owned(), 1)]);
    assert!(matches!(log.append(&batch("a", 2)).unwrap(), Appended::Waiting(_)));
    log.commit().unwrap();
    assert_eq!(records(&mut log).unwrap().len(), 2);
}

#[test]
fn a_disk_that_may_only_be_read_is_an_error_and_its_log_can_be_read() {
    let files = simulated();
    let mut log = open(&files, LogLimits::default()).unwrap();
    log.append(&batch("a", 1)).unwrap();
    log.commit().unwrap();
    files.set_read_only(true);
    log.append(&batch("a", 2)).unwrap();
    match log.commit().unwrap_err() {
        LogError::Io { source, .. } => assert_eq!(source.kind(), ErrorKind::ReadOnlyFilesystem),
        other => panic!("{other}"),
    }
    assert_eq!(records(&mut log).unwrap().len(), 1);
}

#[test]
fn after_a_failed_sync_what_reads_show_is_not_believed() {
    let files = simulated();
    let mut log = open(&files, LogLimits::default()).unwrap();
    log.append(&batch("a", 1)).unwrap();
    log.commit().unwrap();
    log.append(&batch("a", 2)).unwrap();
    // The write is two steps, then comes the sync.
    files.trouble_at(files.steps().len() + 2, Trouble::Error(ErrorKind::Other));
    assert!(matches!(log.commit(), Err(LogError::Io { action: "sync", .. })));
    assert_eq!(files.steps().last().unwrap().operation, Operation::Sync);
    drop(log);
    let mut log = open(&files, LogLimits::default()).unwrap();
    // Reads still show the second batch, so its retry is a retry, but only because it is durable by now.
    assert_eq!(log.append(&batch("a", 2)).unwrap(), Appended::Durable { acknowledged_sequence: 2 });
    drop(log);
    files.restart(Forget::Everything);
    let mut log = open(&files, LogLimits::default()).unwrap();
    assert_eq!(records(&mut log).unwrap().len(), 2);
}
