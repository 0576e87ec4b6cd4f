//! Whatever happens to a segment's bytes, what is read is an exact first part of what was written, or an error.

use std::path::{Path, PathBuf};

use closemark_data::files::Simulated;
use closemark_data::log::frame::{Decoder, FrameKind};
use closemark_data::log::{BatchReader, LogError, LogLimits};
use proptest::prelude::*;

use crate::support::{batch, open, records, simulated, update};

const GROUPS: u64 = 6;

/// A log with one segment, its path, its bytes and its records.
fn written() -> (Simulated, PathBuf, Vec<u8>, Vec<(String, u64)>) {
    let files = simulated();
    let mut log = open(&files, LogLimits::default()).unwrap();
    for sequence in 1..=GROUPS {
        log.append(&batch("a", sequence)).unwrap();
        log.append(&batch("b", sequence)).unwrap();
        if sequence == 2 {
            log.put_reference(&update("request").encode(&LogLimits::default()).unwrap()).unwrap();
        }
        log.commit().unwrap();
    }
    let all = records(&mut log).unwrap();
    drop(log);
    let path = Path::new("/data/log/date=2026-11-20/segment-0000000001.log").to_owned();
    let bytes = files.bytes(&path).unwrap();
    (files, path, bytes, all)
}

/// The frames that the decoder finds, fed in pieces of a size, and whether it found a fault.
fn frames(bytes: &[u8], piece: usize) -> (Vec<(u64, FrameKind, Vec<u8>)>, bool) {
    let mut decoder = Decoder::default();
    let mut found = Vec::new();
    for part in bytes.chunks(piece) {
        decoder.feed(part);
        loop {
            match decoder.next_frame() {
                Ok(Some(frame)) => found.push((frame.position, frame.kind, frame.payload.to_vec())),
                Ok(None) => break,
                Err(fault) => {
                    assert_eq!(decoder.next_frame().unwrap_err().position, fault.position, "a fault stays");
                    return (found, true);
                }
            }
        }
    }
    let fault = decoder.finish().is_err();
    (found, fault)
}

/// A log to be damaged, and what it held.
struct Subject {
    files: Simulated,
    path: PathBuf,
    bytes: Vec<u8>,
    all: Vec<(String, u64)>,
}

impl Subject {
    fn new() -> Self {
        let (files, path, bytes, all) = written();
        Self { files, path, bytes, all }
    }

    /// Opens the log with other bytes in its segment; how many records it shows, or where it says the damage is.
    fn reopened(&self, bytes: Vec<u8>) -> Result<usize, u64> {
        self.files.damage(&self.path, bytes).unwrap();
        let found = open(&self.files, LogLimits::default()).and_then(|mut log| records(&mut log));
        match found {
            Ok(found) => {
                assert_eq!(found, self.all[..found.len()], "no exact first part");
                Ok(found.len())
            }
            Err(LogError::Damaged { path, offset, .. }) => {
                assert_eq!(path, self.path);
                Err(offset)
            }
            Err(other) => panic!("{other}"),
        }
    }
}

#[test]
fn every_prefix_is_a_first_part_of_the_records() {
    let subject = Subject::new();
    let Subject { bytes, all, .. } = &subject;
    let (whole, fault) = frames(bytes, bytes.len());
    assert!(!fault);
    let mut last = 0;
    for end in 0..=bytes.len() {
        let (found, _) = frames(&bytes[..end], 97);
        assert_eq!(found, whole[..found.len()]);
        // A segment gets its name with its head in it, so a shorter one was damaged.
        match subject.reopened(bytes[..end].to_vec()) {
            Ok(count) => {
                assert!(count >= last, "more bytes, fewer records");
                last = count;
            }
            Err(offset) => assert!(offset == 0 && end < 92, "{end}: {offset}"),
        }
    }
    assert_eq!(last, all.len());
}

#[test]
fn every_flipped_bit_is_noticed() {
    let subject = Subject::new();
    let Subject { bytes, all, .. } = &subject;
    let (whole, _) = frames(bytes, bytes.len());
    let last_commit = whole.iter().rfind(|(_, kind, _)| *kind == FrameKind::Commit).unwrap().0;
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let (found, fault) = frames(&damaged, 64);
        assert!(fault && found.len() < whole.len(), "bit {bit} went unnoticed");
        assert_eq!(found, whole[..found.len()], "bit {bit}");
        let frame = whole.iter().rfind(|(position, ..)| *position <= bit as u64 / 8).unwrap().0;
        match subject.reopened(damaged) {
            // What a later commit vouches for is never given up in silence.
            Err(offset) => assert_eq!(offset, frame, "bit {bit}: the wrong place is named"),
            Ok(count) => {
                assert!(bit as u64 / 8 >= last_commit, "bit {bit}: durable records were given up in silence");
                assert!(count < all.len(), "bit {bit}");
            }
        }
    }
}

#[test]
fn a_flipped_bit_in_a_sealed_segment_is_refused() {
    let files = simulated();
    let limits = LogLimits { segment_bytes: 300, ..LogLimits::default() };
    let mut log = open(&files, limits).unwrap();
    for sequence in 1..=4 {
        log.append(&batch("a", sequence)).unwrap();
        log.commit().unwrap();
    }
    drop(log);
    let path = Path::new("/data/log/date=2026-11-20/segment-0000000001.log");
    let bytes = files.bytes(path).unwrap();
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        files.damage(path, damaged.clone()).unwrap();
        match open(&files, limits) {
            Err(LogError::Damaged { path: named, offset, .. }) => {
                assert!(named == path && offset as usize <= bit / 8, "bit {bit}: {offset}");
            }
            other => panic!("bit {bit}: {other:?}"),
        }
        assert_eq!(files.bytes(path).unwrap(), damaged, "a damaged file is left as it is");
    }
    for end in 0..bytes.len() {
        files.damage(path, bytes[..end].to_vec()).unwrap();
        assert!(matches!(open(&files, limits), Err(LogError::Damaged { .. })), "{end}");
    }
    files.damage(path, bytes).unwrap();
    assert_eq!(records(&mut open(&files, limits).unwrap()).unwrap().len(), 4);
}

#[test]
fn frames_that_were_moved_or_repeated_are_refused() {
    let subject = Subject::new();
    let bytes = &subject.bytes;
    let (whole, _) = frames(bytes, bytes.len());
    let starts: Vec<usize> = whole.iter().map(|frame| frame.0 as usize).collect();
    let (second, third) = (&bytes[starts[1]..starts[4]], &bytes[starts[4]..starts[7]]);
    let swapped = [&bytes[..starts[1]], third, second, &bytes[starts[7]..]].concat();
    assert_eq!(subject.reopened(swapped), Err(starts[1] as u64));
    let repeated = [&bytes[..starts[4]], &bytes[starts[1]..]].concat();
    assert_eq!(subject.reopened(repeated), Err(starts[4] as u64));
    let missing = [&bytes[..starts[1]], &bytes[starts[4]..]].concat();
    assert_eq!(subject.reopened(missing), Err(starts[1] as u64));
}

proptest! {
    #[test]
    fn any_bytes_are_survived(
        junk in prop::collection::vec(any::<u8>(), 0..2000),
        keep in 0.0..1.0f64,
        piece in 1usize..300,
    ) {
        let subject = Subject::new();
        let bytes = &subject.bytes;
        let (whole, _) = frames(bytes, bytes.len());
        let kept = (bytes.len() as f64 * keep) as usize;
        let mixed = [&bytes[..kept], &junk[..]].concat();
        let (found, _) = frames(&mixed, piece);
        let (again, _) = frames(&mixed, mixed.len().max(1));
        prop_assert_eq!(&found, &again, "the pieces' sizes do not matter");
        let same = found.iter().zip(&whole).take_while(|(a, b)| a == b).count();
        prop_assert!(same == found.len(), "a frame was made of junk");
        let _ = subject.reopened(mixed);
    }

    #[test]
    fn any_payload_is_survived(payload in prop::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(mut batch) = BatchReader::new(&payload) {
            while let Ok(Some(_)) = batch.next_quote() {}
        }
    }
}
