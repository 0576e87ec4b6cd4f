//! Frames, and the state machine that finds them in bytes. No I/O: it is fed, and says what it has understood.
//!
//! A frame is a header of 12 bytes (payload length, u32; kind, u8; three zeros; CRC-32C, u32; all little-endian) and its
//! payload. The checksum covers the frame's position in its segment, the header's first 8 bytes and the payload, so that
//! a frame is valid only where it was written. A segment is one `Head`, then groups (one `Commit` and the frames that
//! were made durable together), then one `Seal`, after which nothing may come.

use super::limits::FRAME_BYTES_MAX;

/// Bytes before a payload.
pub(super) const HEADER_BYTES: usize = 12;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// Which segment this is, and the digest of the one before.
    Head,
    /// Everything before it was durable when it was written.
    Commit,
    /// A batch of quotes.
    Quotes,
    /// A reference update.
    Reference,
    /// The segment's end and digest.
    Seal,
}

impl FrameKind {
    fn byte(self) -> u8 {
        match self {
            Self::Head => 1,
            Self::Commit => 2,
            Self::Quotes => 3,
            Self::Reference => 4,
            Self::Seal => 5,
        }
    }

    fn of(byte: u8) -> Option<Self> {
        [Self::Head, Self::Commit, Self::Quotes, Self::Reference, Self::Seal].into_iter().find(|k| k.byte() == byte)
    }
}

/// One whole frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Its first byte's place in the segment.
    pub position: u64,
    /// What it is.
    pub kind: FrameKind,
    /// What it carries.
    pub payload: &'a [u8],
    /// Its bytes, header and payload.
    pub bytes: &'a [u8],
}

/// Bytes that are no frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where the frame that does not hold begins.
    pub position: u64,
    /// What is wrong.
    pub what: FaultKind,
}

/// What is wrong with bytes that are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultKind {
    /// The bytes end inside a frame.
    #[error("the bytes end inside a frame")]
    Incomplete,
    /// The length is beyond every limit.
    #[error("a frame longer than any may be")]
    Length,
    /// A kind that is none, or bytes that must be zero and are not.
    #[error("no kind of frame")]
    Kind,
    /// The checksum does not hold.
    #[error("the checksum does not hold")]
    Checksum,
    /// A frame that may not come here.
    #[error("a frame out of its order")]
    Order,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    Head,
    /// A commit or the seal; nothing else opens a group.
    Group,
    /// Anything but a head.
    Body,
    Nothing,
    /// After a fault there is no more.
    Faulty,
}

/// Finds the frames of one segment in bytes that come in pieces of any size.
///
/// Whatever the bytes, it yields the frames up to the first that does not hold, and then a [`Fault`]; it never panics,
/// and it keeps no more than one frame and one piece.
#[derive(Debug)]
pub struct Decoder {
    buffer: Vec<u8>,
    /// Bytes of the buffer that are done with.
    done: usize,
    /// Place in the segment of the first byte that is not.
    position: u64,
    expect: Expect,
}

impl Default for Decoder {
    fn default() -> Self {
        Self { buffer: Vec::new(), done: 0, position: 0, expect: Expect::Head }
    }
}

impl Decoder {
    /// Takes the segment's next bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.done > 0 {
            self.buffer.drain(..self.done);
            self.done = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Place in the segment behind the last frame that was understood.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Whether the segment is sealed.
    pub fn is_sealed(&self) -> bool {
        self.expect == Expect::Nothing
    }

    /// The next whole frame; `None` where more bytes are needed.
    ///
    /// # Errors
    /// [`Fault`] at the first bytes that are no frame; and again at every later call.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, Fault> {
        match self.understand() {
            Ok(None) => Ok(None),
            Ok(Some((kind, length))) => {
                let (position, start) = (self.position, self.done);
                self.done += length;
                self.position += length as u64;
                let bytes = self.buffer.get(start..start + length).unwrap_or_default();
                Ok(Some(Frame { position, kind, payload: bytes.get(HEADER_BYTES..).unwrap_or_default(), bytes }))
            }
            Err(what) => {
                self.expect = Expect::Faulty;
                Err(Fault { position: self.position, what })
            }
        }
    }

    /// Says that there are no more bytes.
    ///
    /// # Errors
    /// [`Fault`] where they end inside a frame, or before the head.
    pub fn finish(&self) -> Result<(), Fault> {
        let left = self.buffer.len() > self.done;
        if left || self.expect == Expect::Head {
            return Err(Fault { position: self.position, what: FaultKind::Incomplete });
        }
        Ok(())
    }

    /// Kind and whole length of the frame at the front.
    fn understand(&mut self) -> Result<Option<(FrameKind, usize)>, FaultKind> {
        let rest = self.buffer.get(self.done..).unwrap_or_default();
        if rest.is_empty() && self.expect != Expect::Faulty {
            return Ok(None);
        }
        let Some((length, kind)) = header(rest)? else { return Ok(None) };
        let order = match (self.expect, kind) {
            (Expect::Head, FrameKind::Head) => Expect::Group,
            (Expect::Group | Expect::Body, FrameKind::Seal) => Expect::Nothing,
            (Expect::Group | Expect::Body, FrameKind::Commit) => Expect::Body,
            (Expect::Body, FrameKind::Quotes | FrameKind::Reference) => Expect::Body,
            _ => return Err(FaultKind::Order),
        };
        let Some(frame) = rest.get(..HEADER_BYTES + length) else { return Ok(None) };
        if stored_checksum(frame) != Some(checksum(self.position, frame)) {
            return Err(FaultKind::Checksum);
        }
        self.expect = order;
        Ok(Some((kind, frame.len())))
    }
}

/// Payload length and kind; `None` where fewer bytes than a header are there.
fn header(bytes: &[u8]) -> Result<Option<(usize, FrameKind)>, FaultKind> {
    let [a, b, c, d, kind, zeros @ ..] = bytes else { return Ok(None) };
    let Some(zeros) = zeros.get(..3) else { return Ok(None) };
    if bytes.len() < HEADER_BYTES {
        return Ok(None);
    }
    let length = u32::from_le_bytes([*a, *b, *c, *d]) as usize;
    if length > FRAME_BYTES_MAX {
        return Err(FaultKind::Length);
    }
    let kind = FrameKind::of(*kind).filter(|_| zeros == [0; 3]).ok_or(FaultKind::Kind)?;
    Ok(Some((length, kind)))
}

fn stored_checksum(frame: &[u8]) -> Option<u32> {
    frame.get(8..HEADER_BYTES)?.try_into().ok().map(u32::from_le_bytes)
}

fn checksum(position: u64, frame: &[u8]) -> u32 {
    let sum = crc32c::crc32c(&position.to_le_bytes());
    let sum = crc32c::crc32c_append(sum, frame.get(..8).unwrap_or_default());
    crc32c::crc32c_append(sum, frame.get(HEADER_BYTES..).unwrap_or_default())
}

/// Appends a frame to `out`, whose first byte stands at `origin` of the segment.
pub(super) fn put_frame(out: &mut Vec<u8>, origin: u64, kind: FrameKind, payload: &[&[u8]]) {
    let start = out.len();
    let length: usize = payload.iter().map(|part| part.len()).sum();
    out.reserve(HEADER_BYTES + length);
    out.extend_from_slice(&(length as u32).to_le_bytes());
    out.extend_from_slice(&[kind.byte(), 0, 0, 0]);
    out.extend_from_slice(&[0; 4]);
    for part in payload {
        out.extend_from_slice(part);
    }
    let sum = checksum(origin + start as u64, out.get(start..).unwrap_or_default());
    if let Some(place) = out.get_mut(start + 8..start + HEADER_BYTES) {
        place.copy_from_slice(&sum.to_le_bytes());
    }
}

/// The payload of the valid frame of a kind at a position that these bytes begin with, if they do.
pub(super) fn payload_of(bytes: &[u8], position: u64, kind: FrameKind) -> Option<&[u8]> {
    let (length, found) = header(bytes).ok()??;
    let frame = bytes.get(..HEADER_BYTES + length)?;
    let holds = found == kind && stored_checksum(frame) == Some(checksum(position, frame));
    if holds { frame.get(HEADER_BYTES..) } else { None }
}
