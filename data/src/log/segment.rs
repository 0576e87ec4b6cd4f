//! Segments: their names, and what their head, commit and seal say.

use closemark_pricing::series::Date;

use super::frame::{FrameKind, HEADER_BYTES, is_frame, put_frame};
use super::varint::Reader;

const MAGIC: &[u8; 16] = b"closemark log 1\n";
const COMMIT: &[u8; 16] = b"closemark commit";
/// A digest of a segment.
pub(super) type Digest = [u8; 32];

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
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        let (date, number) = (self.date.0.to_le_bytes(), self.number.to_le_bytes());
        put_frame(out, 0, FrameKind::Head, &[MAGIC, &date, &number, &self.previous]);
    }

    pub(super) fn read(payload: &[u8]) -> Option<Self> {
        let mut reader = Reader(payload);
        if reader.array::<16>()? != *MAGIC {
            return None;
        }
        let date = Date(i32::from_le_bytes(reader.array()?));
        let number = u64::from_le_bytes(reader.array()?);
        let previous = reader.array()?;
        reader.is_empty().then_some(Self { date, number, previous })
    }
}

/// Appends the frame that opens a group at `origin`: everything before it is durable.
pub(super) fn put_commit(out: &mut Vec<u8>, origin: u64) {
    put_frame(out, origin, FrameKind::Commit, &[COMMIT, &origin.to_le_bytes()]);
}

/// Whether a commit's payload is that of a group at `position`.
pub(super) fn is_commit(payload: &[u8], position: u64) -> bool {
    payload.strip_prefix(COMMIT.as_slice()) == Some(&position.to_le_bytes())
}

/// Where behind a fault at `origin`, the front of `bytes`, a valid frame says that the fault's place was durable once: a
/// commit of a later place, wherever it stands now, or a seal. A frame's length says nothing where it is damaged, so
/// every place is tried.
pub(super) fn later_commit(bytes: &[u8], origin: u64) -> Option<u64> {
    (1..bytes.len()).find_map(|place| {
        let rest = bytes.get(place..)?;
        // Length below 256, kind, zeros: the cheap look before the checksum.
        let [_, 0, 0, 0, 2 | 5, 0, 0, 0, ..] = rest else { return None };
        let here = origin + place as u64;
        let vouched = |stated: u64| stated > origin && is_frame(rest, stated, FrameKind::Commit);
        let commit = rest.get(HEADER_BYTES..).and_then(stated_place).is_some_and(vouched);
        (commit || is_frame(rest, here, FrameKind::Seal)).then_some(here)
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
    pub(super) fn put(&self, out: &mut Vec<u8>, origin: u64) {
        put_frame(out, origin, FrameKind::Seal, &[&self.digest, &self.frames.to_le_bytes()]);
    }

    pub(super) fn read(payload: &[u8]) -> Option<Self> {
        let mut reader = Reader(payload);
        let digest = reader.array()?;
        let frames = u64::from_le_bytes(reader.array()?);
        reader.is_empty().then_some(Self { digest, frames })
    }
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
        let behind = |commit_of: u64| {
            let mut commit = Vec::new();
            put_frame(&mut commit, commit_of, FrameKind::Commit, &[COMMIT, &commit_of.to_le_bytes()]);
            [vec![9; 100], commit].concat()
        };
        assert_eq!(later_commit(&behind(1100), 1000), Some(1100));
        assert_eq!(later_commit(&behind(1200), 1000), Some(1100), "moved, but written later");
        assert_eq!(later_commit(&behind(1000), 1000), None, "it vouches for what is before 1000 only");
        let mut torn = behind(1100);
        torn.pop();
        assert_eq!(later_commit(&torn, 1000), None);
    }
}
