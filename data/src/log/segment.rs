//! Segments: their names, and what their head, commit and seal say.
//!
//! What vouches for durability, a commit or a seal, carries a mark that follows from its place and from a number that
//! the segment's head drew by chance. Producers do not see the log, so that no content of theirs, torn or not, can read
//! as such a frame. Segments of the first form have no number and no marks; they are read, and their last one written
//! on, as they are.

use std::hash::{BuildHasher, RandomState};

use closemark_pricing::series::Date;

use super::frame::{FrameKind, HEADER_BYTES, payload_of, put_frame};
use super::varint::Reader;

const MAGIC: &[u8; 16] = b"closemark log 2\n";
/// The first form, without marks.
const MAGIC_1: &[u8; 16] = b"closemark log 1\n";
const COMMIT: &[u8; 16] = b"closemark commit";
/// A digest of a segment.
pub(super) type Digest = [u8; 32];
/// The number that a segment's head drew.
pub(super) type Nonce = [u8; 16];

/// A number that nobody can foresee.
pub(super) fn fresh_nonce() -> Nonce {
    // The standard library seeds its hash tables from the operating system.
    let draw = || RandomState::new().hash_one(0_u8).to_le_bytes();
    let mut nonce = Nonce::default();
    for half in nonce.chunks_exact_mut(8) {
        half.copy_from_slice(&draw());
    }
    nonce
}

/// The mark of a frame at a place: nothing in segments of the first form.
///
/// # Formula
/// The first 16 bytes of blake3 of kind and place under a key derived from the segment's number.
fn mark(nonce: Option<&Nonce>, kind: FrameKind, place: u64) -> Vec<u8> {
    let Some(nonce) = nonce else { return Vec::new() };
    let key = blake3::derive_key("closemark 2026 commits and seals of a log's segment", nonce);
    let mut hasher = blake3::Hasher::new_keyed(&key);
    hasher.update(if kind == FrameKind::Seal { b"seal" } else { b"commit" });
    hasher.update(&place.to_le_bytes());
    hasher.finalize().as_bytes().iter().copied().take(16).collect()
}

/// The file name of a segment, numbered from 1.
pub(super) fn name(number: u64) -> String {
    format!("segment-{number:010}.log")
}

/// The number in a segment's file name; `None` for any other name.
pub(super) fn number(file_name: &str) -> Option<u64> {
    let digits = file_name.strip_prefix("segment-")?.strip_suffix(".log")?;
    let number = digits.parse().ok().filter(|_| digits.bytes().all(|b| b.is_ascii_digit()))?;
    (name(number) == file_name).then_some(number)
}

/// What a segment's first frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) date: Date,
    pub(super) number: u64,
    /// Digest of the segment before; zeros before the first.
    pub(super) previous: Digest,
}

impl Head {
    pub(super) fn put(&self, out: &mut Vec<u8>, nonce: &Nonce) {
        let (date, number) = (self.date.0.to_le_bytes(), self.number.to_le_bytes());
        put_frame(out, 0, FrameKind::Head, &[MAGIC, &date, &number, &self.previous, nonce]);
    }

    /// The head, and the segment's number; none in one of the first form.
    pub(super) fn read(payload: &[u8]) -> Option<(Self, Option<Nonce>)> {
        let mut reader = Reader(payload);
        let magic = reader.array::<16>()?;
        let date = Date(i32::from_le_bytes(reader.array()?));
        let number = u64::from_le_bytes(reader.array()?);
        let previous = reader.array()?;
        let nonce = match &magic {
            MAGIC => Some(reader.array()?),
            MAGIC_1 => None,
            _ => return None,
        };
        reader.is_empty().then_some((Self { date, number, previous }, nonce))
    }
}

/// Appends the frame that opens a group at `origin`: everything before it is durable.
pub(super) fn put_commit(out: &mut Vec<u8>, origin: u64, nonce: Option<&Nonce>) {
    let mark = mark(nonce, FrameKind::Commit, origin);
    put_frame(out, origin, FrameKind::Commit, &[COMMIT, &origin.to_le_bytes(), &mark]);
}

/// Whether a commit's payload is that of a group at `position`.
pub(super) fn is_commit(payload: &[u8], position: u64, nonce: Option<&Nonce>) -> bool {
    let rest = payload.strip_prefix(COMMIT.as_slice());
    let rest = rest.and_then(|rest| rest.strip_prefix(&position.to_le_bytes()));
    rest.is_some_and(|rest| rest == mark(nonce, FrameKind::Commit, position))
}

/// Where behind a fault at `origin`, the front of `bytes`, a valid frame says that the fault's place was durable once: a
/// commit of a later place, wherever it stands now, or a seal. A frame's length says nothing where it is damaged, so
/// every place is tried.
pub(super) fn later_commit(bytes: &[u8], origin: u64, nonce: Option<&Nonce>) -> Option<u64> {
    (1..bytes.len()).find_map(|place| {
        let rest = bytes.get(place..)?;
        // Length below 256, kind, zeros: the cheap look before the checksum.
        let [_, 0, 0, 0, 2 | 5, 0, 0, 0, ..] = rest else { return None };
        let here = origin + place as u64;
        let vouched = |stated: u64| {
            let commit = payload_of(rest, stated, FrameKind::Commit).filter(|_| stated > origin);
            commit.is_some_and(|payload| is_commit(payload, stated, nonce))
        };
        let commit = rest.get(HEADER_BYTES..).and_then(stated_place).is_some_and(vouched);
        let seal = || payload_of(rest, here, FrameKind::Seal).and_then(|payload| Seal::read(payload, here, nonce));
        (commit || seal().is_some()).then_some(here)
    })
}

/// The place that a commit's payload, and whatever follows it, states.
fn stated_place(payload: &[u8]) -> Option<u64> {
    payload.strip_prefix(COMMIT.as_slice())?.first_chunk().map(|place| u64::from_le_bytes(*place))
}

/// What a segment's last frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seal {
    /// blake3 of everything before this frame.
    pub(super) digest: Digest,
    /// Frames before this one.
    pub(super) frames: u64,
}

impl Seal {
    pub(super) fn put(&self, out: &mut Vec<u8>, origin: u64, nonce: Option<&Nonce>) {
        let mark = mark(nonce, FrameKind::Seal, origin);
        put_frame(out, origin, FrameKind::Seal, &[&self.digest, &self.frames.to_le_bytes(), &mark]);
    }

    /// Reads the seal at a position.
    pub(super) fn read(payload: &[u8], position: u64, nonce: Option<&Nonce>) -> Option<Self> {
        let mut reader = Reader(payload);
        let digest = reader.array()?;
        let frames = u64::from_le_bytes(reader.array()?);
        (reader.0 == mark(nonce, FrameKind::Seal, position)).then_some(Self { digest, frames })
    }
}

/// The first frame of a segment of the first form.
#[cfg(test)]
pub(super) fn put_first_form(head: Head, out: &mut Vec<u8>) {
    let (date, number) = (head.date.0.to_le_bytes(), head.number.to_le_bytes());
    put_frame(out, 0, FrameKind::Head, &[MAGIC_1, &date, &number, &head.previous]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        assert_eq!(name(7), "segment-0000000007.log");
        assert_eq!(number("segment-0000000007.log"), Some(7));
        for other in ["segment-7.log", "segment-0000000007.log.tmp", ".tmp-segment", "segment-+000000007.log", ""] {
            assert_eq!(number(other), None, "{other}");
        }
    }

    #[test]
    fn a_commit_is_found_behind_damage() {
        for nonce in [None, Some([7; 16])] {
            let nonce = nonce.as_ref();
            let behind = |commit_of: u64| {
                let mut commit = Vec::new();
                put_commit(&mut commit, commit_of, nonce);
                [vec![9; 100], commit].concat()
            };
            assert_eq!(later_commit(&behind(1100), 1000, nonce), Some(1100));
            assert_eq!(later_commit(&behind(1200), 1000, nonce), Some(1100), "moved, but written later");
            assert_eq!(later_commit(&behind(1000), 1000, nonce), None, "it vouches for what is before 1000 only");
            let mut torn = behind(1100);
            torn.pop();
            assert_eq!(later_commit(&torn, 1000, nonce), None);
        }
    }

    #[test]
    fn content_that_reads_as_a_commit_or_a_seal_vouches_for_nothing() {
        let own = fresh_nonce();
        assert_ne!(own, fresh_nonce());
        // Whatever a producer writes, it is a frame of the first form at best, or one of another segment's number.
        for guess in [None, Some(&[0; 16]), Some(&fresh_nonce())] {
            let (mut commit, mut seal) = (vec![9; 100], vec![9; 100]);
            let mut frame = Vec::new();
            put_commit(&mut frame, 1100, guess);
            commit.extend_from_slice(&frame);
            frame.clear();
            Seal { digest: [1; 32], frames: 3 }.put(&mut frame, 1100, guess);
            seal.extend_from_slice(&frame);
            assert_eq!(later_commit(&commit, 1000, guess), Some(1100));
            assert_eq!(later_commit(&commit, 1000, Some(&own)), None);
            assert_eq!(later_commit(&seal, 1000, guess), Some(1100));
            assert_eq!(later_commit(&seal, 1000, Some(&own)), None);
        }
    }
}
