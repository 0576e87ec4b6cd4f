//! Reading segments: what they hold, where they end, and whether an end is a torn tail or damage.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;

use closemark_pricing::series::Date;

use super::batch::BatchReader;
use super::day_log::Request;
use super::error::LogError;
use super::frame::{Decoder, Fault, Frame, FrameKind};
use super::producer::Place;
use super::reference::LoggedReference;
use super::segment::{self, Digest, Head, Nonce, Seal, is_commit, later_commit};
use crate::files::{Files, NewFile};

/// What files that are not finished begin with.
pub(super) const TEMPORARY: &str = ".tmp-";
const PIECE: usize = 1 << 20;

/// What a date's folder holds.
#[derive(Debug, Default)]
pub(super) struct Replayed {
    pub(super) producers: BTreeMap<String, Place>,
    pub(super) requests: BTreeMap<String, Request>,
    /// Valid bytes of each segment, from number 1.
    pub(super) segments: Vec<u64>,
    /// Digest of the last sealed segment.
    pub(super) chain: Digest,
    /// The last segment where it is not sealed.
    pub(super) tail: Option<Tail>,
}

/// The valid part of a segment that is not sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tail {
    pub(super) bytes: u64,
    pub(super) frames: u64,
    pub(super) nonce: Option<Nonce>,
}

/// Reads a date's folder; changes nothing.
pub(super) fn replay(files: &dyn Files, folder: &Path, date: Date) -> Result<Replayed, LogError> {
    let names = match files.list(folder) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Replayed::default()),
        Err(error) => return Err(LogError::io("list", folder)(error)),
    };
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| segment::number(name)).collect();
    numbers.sort_unstable();
    let mut replayed = Replayed::default();
    for (place, number) in numbers.iter().enumerate() {
        let expected = place as u64 + 1;
        if *number != expected {
            let missing = folder.join(segment::name(expected));
            return Err(LogError::damaged(&missing, 0, "the segment is missing, and later ones are there"));
        }
        let path = folder.join(segment::name(*number));
        let head = Head { date, number: *number, previous: replayed.chain };
        let last = expected == numbers.len() as u64;
        let mut end = read_segment(files, &path, head, None, &mut |frame| replayed.take(&path, frame))?;
        if let Some(fault) = end.fault.take() {
            judge(files, &path, &fault, last && end.seal.is_none(), end.nonce.as_ref())?;
        }
        match (end.seal, last) {
            (Some(digest), _) => replayed.chain = digest,
            (None, true) => replayed.tail = Some(Tail { bytes: end.bytes, frames: end.frames, nonce: end.nonce }),
            (None, false) => {
                return Err(LogError::damaged(&path, end.bytes, "the segment is not sealed, and later ones are there"));
            }
        }
        replayed.segments.push(end.bytes);
    }
    Ok(replayed)
}

/// Passes over a fault that is a torn tail; refuses any other.
///
/// A group begins with a commit, which is written only after everything before it is durable. So a fault with a valid
/// commit somewhere behind it lies in what was durable once; one without lies in the last group, of which nothing that
/// does not hold can have been acknowledged.
fn judge(
    files: &dyn Files,
    path: &Path,
    fault: &Fault,
    may_be_torn: bool,
    nonce: Option<&Nonce>,
) -> Result<(), LogError> {
    if !may_be_torn || fault.position == 0 {
        return Err(LogError::damaged(path, fault.position, fault.what));
    }
    let mut rest = Vec::new();
    let mut file = files.open(path).map_err(LogError::io("open", path))?;
    io::copy(&mut file.by_ref().take(fault.position), &mut io::sink()).map_err(LogError::io("read", path))?;
    file.read_to_end(&mut rest).map_err(LogError::io("read", path))?;
    match later_commit(&rest, fault.position, nonce) {
        Some(later) => {
            let detail = format!("{}, and what follows at byte {later} was written after it", fault.what);
            Err(LogError::damaged(path, fault.position, detail))
        }
        None => Ok(()),
    }
}

impl Replayed {
    /// Notes what a frame says about producers and requests.
    fn take(&mut self, path: &Path, frame: &Frame<'_>) -> Result<(), LogError> {
        match frame.kind {
            FrameKind::Quotes => {
                let batch =
                    BatchReader::new(frame.payload).map_err(|fault| LogError::damaged(path, frame.position, fault))?;
                let place = self.producers.entry(batch.producer_id.to_owned()).or_default();
                if batch.sequence != place.appended + 1 {
                    let (producer, given, before) = (batch.producer_id, batch.sequence, place.appended);
                    let detail = format!("producer {producer}: sequence {given} after {before}");
                    return Err(LogError::damaged(path, frame.position, detail));
                }
                place.take(batch.digest());
                place.commit();
            }
            FrameKind::Reference => {
                let update = LoggedReference::read(frame.payload)
                    .ok_or_else(|| LogError::damaged(path, frame.position, "no reference update"))?;
                let version = self.requests.len() as u64 + 1;
                let request = Request { version, digest: update.digest, durable: true };
                if self.requests.insert(update.request_id.to_owned(), request).is_some() {
                    let detail = format!("request {} for the second time", update.request_id);
                    return Err(LogError::damaged(path, frame.position, detail));
                }
            }
            FrameKind::Head | FrameKind::Commit | FrameKind::Seal => {}
        }
        Ok(())
    }
}

/// How a segment ends.
#[derive(Debug)]
pub(super) struct SegmentEnd {
    /// Bytes of its valid frames.
    pub(super) bytes: u64,
    /// Their number, without the seal.
    pub(super) frames: u64,
    /// The number that its head drew.
    pub(super) nonce: Option<Nonce>,
    /// Its digest, where it is sealed.
    pub(super) seal: Option<Digest>,
    /// The first bytes that are no frame.
    pub(super) fault: Option<Fault>,
}

/// Reads a segment, or its first `limit` bytes, checks head, commits and seal, and shows every frame.
pub(super) fn read_segment(
    files: &dyn Files,
    path: &Path,
    head: Head,
    limit: Option<u64>,
    show: &mut dyn FnMut(&Frame<'_>) -> Result<(), LogError>,
) -> Result<SegmentEnd, LogError> {
    let file = files.open(path).map_err(LogError::io("open", path))?;
    let mut file = file.take(limit.unwrap_or(u64::MAX));
    let mut piece = vec![0u8; PIECE];
    let mut decoder = Decoder::default();
    let mut hasher = blake3::Hasher::new();
    let mut end = SegmentEnd { bytes: 0, frames: 0, nonce: None, seal: None, fault: None };
    loop {
        let read = match file.read(&mut piece) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(LogError::io("read", path)(error)),
        };
        let Some(bytes) = piece.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
        decoder.feed(bytes);
        loop {
            match decoder.next_frame() {
                Ok(None) => break,
                Ok(Some(frame)) => {
                    check_frame(path, &frame, &head, &hasher, &mut end)?;
                    hasher.update(frame.bytes);
                    show(&frame)?;
                    end.bytes = frame.position + frame.bytes.len() as u64;
                }
                Err(fault) => {
                    end.fault = Some(fault);
                    return Ok(end);
                }
            }
        }
    }
    end.fault = decoder.finish().err();
    Ok(end)
}

fn check_frame(
    path: &Path,
    frame: &Frame<'_>,
    head: &Head,
    hasher: &blake3::Hasher,
    end: &mut SegmentEnd,
) -> Result<(), LogError> {
    match frame.kind {
        FrameKind::Head => match Head::read(frame.payload) {
            Some((found, nonce)) if found == *head => end.nonce = nonce,
            _ => {
                let detail = "it is not the segment of this date and number, or does not follow the one before";
                return Err(LogError::damaged(path, frame.position, detail));
            }
        },
        FrameKind::Commit if !is_commit(frame.payload, frame.position, end.nonce.as_ref()) => {
            return Err(LogError::damaged(path, frame.position, "a commit of another place"));
        }
        FrameKind::Seal => {
            let digest = *hasher.finalize().as_bytes();
            let read = Seal::read(frame.payload, frame.position, end.nonce.as_ref());
            if read != Some(Seal { digest, frames: end.frames }) {
                return Err(LogError::damaged(path, frame.position, "the segment is not what was sealed"));
            }
            end.seal = Some(digest);
            return Ok(());
        }
        _ => {}
    }
    end.frames += 1;
    Ok(())
}

/// Copies the first `bytes` of a segment, which replay has found valid; the digest of what was copied.
pub(super) fn copy_frames(
    files: &dyn Files,
    from: &Path,
    bytes: u64,
    to: &mut dyn NewFile,
    to_path: &Path,
) -> Result<blake3::Hasher, LogError> {
    let mut file = files.open(from).map_err(LogError::io("open", from))?.take(bytes);
    let mut hasher = blake3::Hasher::new();
    let mut decoder = Decoder::default();
    let mut piece = vec![0u8; PIECE];
    loop {
        let read = file.read(&mut piece).map_err(LogError::io("read", from))?;
        let Some(part) = piece.get(..read).filter(|part| !part.is_empty()) else { break };
        decoder.feed(part);
        let changed = |fault: Fault| LogError::damaged(from, fault.position, "it changed since it was replayed");
        while decoder.next_frame().map_err(changed)?.is_some() {}
        hasher.update(part);
        to.append(part).map_err(LogError::io("write", to_path))?;
    }
    if decoder.finish().is_err() || decoder.position() != bytes {
        return Err(LogError::damaged(from, decoder.position(), "it changed since it was replayed"));
    }
    Ok(hasher)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::super::frame::put_frame;
    use super::super::segment::{put_commit, put_first_form};
    use super::super::{Appended, BatchEncoder, BatchHead, EncodedBatch, IncomingQuote, LogLimits, QuoteLog};
    use super::*;
    use crate::files::Simulated;

    fn batch(date: Date, sequence: u64) -> EncodedBatch {
        let head = BatchHead { producer_id: "feed", sequence, market_date: date, received_unix_nanos: 5 };
        let quote = IncomingQuote { osi_symbol: "XYZ", venue: "XCBO", ask: Some(7), ..IncomingQuote::default() };
        BatchEncoder::default().encode(&head, [quote]).unwrap()
    }

    #[test]
    fn a_log_of_the_first_form_is_read_and_written_on() {
        let (files, root) = (Simulated::default(), Path::new("/log"));
        let date = crate::date::parse("2026-11-20").unwrap();
        let folder = root.join("date=2026-11-20");
        files.create_folder(root).unwrap();
        files.create_folder(&folder).unwrap();
        let (mut bytes, mut group) = (Vec::new(), Vec::new());
        put_first_form(Head { date, number: 1, previous: [0; 32] }, &mut bytes);
        let origin = bytes.len() as u64;
        put_commit(&mut group, origin, None);
        put_frame(&mut group, origin, FrameKind::Quotes, &[&batch(date, 1).payload]);
        bytes.extend_from_slice(&group);
        let mut file = files.create(&folder.join(segment::name(1))).unwrap();
        file.append(&bytes).unwrap();
        file.sync().unwrap();
        drop(file);

        let limits = LogLimits { segment_bytes: bytes.len() as u64 + 1, ..LogLimits::default() };
        let open = || QuoteLog::open(Arc::new(files.clone()), root, limits).unwrap();
        let mut log = open();
        assert_eq!(log.append(&batch(date, 1)).unwrap(), Appended::Durable { acknowledged_sequence: 1 });
        // One more in the old segment, then it is sealed, and the next one has the new form.
        for sequence in 2..=4 {
            assert!(matches!(log.append(&batch(date, sequence)).unwrap(), Appended::Waiting(_)));
            log.commit().unwrap();
        }
        drop(log);
        let mut log = open();
        assert_eq!(log.expected_sequence(date, "feed").unwrap(), 5);
        let first = files.bytes(&folder.join(segment::name(1))).unwrap();
        assert_eq!(first.get(..bytes.len()), Some(bytes.as_slice()));
        let second = files.bytes(&folder.join(segment::name(2))).unwrap();
        assert!(second.windows(16).any(|window| window == b"closemark log 2\n"));
    }
}
