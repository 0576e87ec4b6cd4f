//! Tests of the commit thread.

use std::sync::Arc;
use std::time::Duration;

use closemark_data::date;
use closemark_data::files::{Forget, Simulated};
use closemark_data::log::{BatchEncoder, BatchHead, EncodedBatch, IncomingQuote, LogLimits, Record};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::{Log, LogSettings};

fn log(files: &Simulated) -> Log {
    log_with(files, Duration::ZERO)
}

fn log_with(files: &Simulated, reopen_after: Duration) -> Log {
    let settings = LogSettings {
        files: Arc::new(files.clone()),
        folder: "/log".into(),
        limits: LogLimits::default(),
        pending: 4,
        reopen_after,
    };
    Log::start(settings).unwrap()
}

fn batch(sequence: u64) -> EncodedBatch {
    batch_on("2026-11-20", sequence)
}

fn batch_on(day: &str, sequence: u64) -> EncodedBatch {
    let market_date = date::parse(day).unwrap();
    let head = BatchHead { producer_id: "feed", sequence, market_date, received_unix_nanos: 0 };
    let quote = IncomingQuote {
        osi_symbol: "XYZ   261218C00100000",
        venue: "XCBO",
        ask: Some(1_250_000),
        ..IncomingQuote::default()
    };
    BatchEncoder::default().encode(&head, [quote; 50]).unwrap()
}

async fn append(log: &Log, sequence: u64) -> Result<u64, Status> {
    log.append(batch(sequence)).await?.await.unwrap()
}

async fn batches(log: &Log) -> u64 {
    let snapshot = log.snapshot(date::parse("2026-11-20").unwrap()).await.unwrap();
    let mut count = 0;
    if let Some(snapshot) = snapshot {
        let counted = |record: Record<'_>| count += u64::from(matches!(record, Record::Batch(_)));
        snapshot.for_each(counted).unwrap();
    }
    count
}

#[tokio::test]
async fn a_full_disk_refuses_loses_nothing_and_goes_on_once_there_is_room() {
    let files = Simulated::default();
    let log = log(&files);
    assert_eq!(append(&log, 1).await.unwrap(), 1);
    files.set_room(Some(10));
    let status = append(&log, 2).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    assert!(status.get_error_details().retry_info().unwrap().retry_delay.is_some());
    assert!(append(&log, 2).await.is_err());
    assert_eq!(batches(&log).await, 1);
    files.set_room(None);
    assert_eq!(append(&log, 2).await.unwrap(), 2);
    assert_eq!(append(&log, 1).await.unwrap(), 2);
    assert_eq!(batches(&log).await, 2);
}

#[tokio::test]
async fn a_read_only_disk_refuses_and_can_still_be_read() {
    let files = Simulated::default();
    let log = log(&files);
    assert_eq!(append(&log, 1).await.unwrap(), 1);
    files.set_read_only(true);
    let status = append(&log, 2).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert_eq!(status.get_error_details().error_info().unwrap().reason, "STORAGE_READ_ONLY");
    let mut taking = log.taking();
    taking.wait_for(|taking| !*taking).await.unwrap();
    files.set_read_only(false);
    log.probe().await;
    taking.wait_for(|taking| *taking).await.unwrap();
    assert_eq!(append(&log, 2).await.unwrap(), 2);
    assert_eq!(batches(&log).await, 2);
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_power_cut() {
    let files = Simulated::default();
    let first = log(&files);
    for sequence in 1..=5 {
        assert_eq!(append(&first, sequence).await.unwrap(), sequence);
    }
    files.restart(Forget::Everything);
    let second = log(&files);
    assert_eq!(batches(&second).await, 5);
    assert_eq!(append(&second, 6).await.unwrap(), 6);
    let gap = append(&second, 8).await.unwrap_err();
    assert_eq!(gap.get_error_details().error_info().unwrap().metadata["expected_sequence"], "7");
}

#[tokio::test]
async fn a_log_that_could_not_write_is_left_alone_for_a_while() {
    let files = Simulated::default();
    let log = log_with(&files, Duration::from_secs(1 << 20));
    assert_eq!(append(&log, 1).await.unwrap(), 1);
    files.set_room(Some(10));
    assert_eq!(append(&log, 2).await.unwrap_err().code(), Code::ResourceExhausted);
    files.set_room(None);
    // Nobody has opened it again, and whoever wants to read may.
    assert_eq!(append(&log, 2).await.unwrap_err().code(), Code::ResourceExhausted);
    assert_eq!(batches(&log).await, 1);
    log.probe().await;
    assert_eq!(append(&log, 2).await.unwrap(), 2);
}

#[tokio::test]
async fn a_damaged_date_stops_nobody_else() {
    let files = Simulated::default();
    let first = log(&files);
    for day in ["2026-11-19", "2026-11-20"] {
        first.append(batch_on(day, 1)).await.unwrap().await.unwrap().unwrap();
    }
    files.restart(Forget::Everything);
    let path = std::path::Path::new("/log/date=2026-11-19/segment-0000000001.log");
    let mut bytes = files.bytes(path).unwrap();
    bytes[20] ^= 1;
    files.damage(path, bytes).unwrap();
    let log = log(&files);
    // The one waits for its commit while the other is refused.
    let waits = log.append(batch(2)).await.unwrap();
    let refused = log.append(batch_on("2026-11-19", 2)).await.unwrap().await.unwrap().unwrap_err();
    assert_eq!(refused.get_error_details().error_info().unwrap().reason, "LOG_DAMAGED");
    assert_eq!(waits.await.unwrap().unwrap(), 2);
    assert_eq!(append(&log, 3).await.unwrap(), 3);
    assert!(*log.taking().borrow());
}

#[tokio::test]
async fn a_day_that_is_not_open_is_read_all_the_same() {
    let files = Simulated::default();
    let first = log(&files);
    for day in ["2026-11-20", "2026-11-23"] {
        first.append(batch_on(day, 1)).await.unwrap().await.unwrap().unwrap();
    }
    files.restart(Forget::Everything);
    // Only the last date is open after a start.
    let log = log(&files);
    assert_eq!(batches(&log).await, 1);
    assert_eq!(append(&log, 2).await.unwrap(), 2);
    assert_eq!(batches(&log).await, 2);
    assert!(log.snapshot(date::parse("2026-11-24").unwrap()).await.unwrap().is_none());
}
