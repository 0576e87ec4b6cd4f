//! The log of one market date: its producers, its requests, and the segment that is being written.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use closemark_pricing::series::Date;

use super::batch::EncodedBatch;
use super::error::{AppendError, LogError};
use super::frame::{FrameKind, put_frame};
use super::limits::LogLimits;
use super::producer::Place;
use super::reference::EncodedReference;
use super::replay::{Replayed, TEMPORARY, Tail, copy_frames, replay};
use super::segment::{self, Digest, Head, Nonce, Seal, fresh_nonce, put_commit};
use crate::files::{Files, NewFile};

/// What a reference request made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) version: u64,
    pub(super) digest: Digest,
    pub(super) durable: bool,
}

/// Whether something was appended now, waits already, or is durable already.
pub(super) enum Taken {
    Durable(u64),
    Waiting(u64),
}

/// The segment that is being written.
#[derive(Debug)]
struct Active {
    file: Box<dyn NewFile>,
    path: PathBuf,
    /// Durable bytes.
    position: u64,
    hasher: blake3::Hasher,
    frames: u64,
    nonce: Option<Nonce>,
}

/// The log of one market date.
#[derive(Debug)]
pub(super) struct DayLog {
    files: Arc<dyn Files>,
    root: PathBuf,
    folder: PathBuf,
    date: Date,
    pub(super) producers: BTreeMap<String, Place>,
    requests: BTreeMap<String, Request>,
    /// Durable bytes of each segment, from number 1.
    segments: Vec<u64>,
    /// Digest of the last sealed segment.
    chain: Digest,
    /// The last segment as replay found it, until it is written anew.
    tail: Option<Tail>,
    active: Option<Active>,
    pending: Vec<u8>,
    pending_frames: u64,
    pending_quotes: u64,
    /// Number of the last use, for choosing what to close.
    pub(super) used: u64,
}

impl DayLog {
    /// Reads what a date's folder holds; a folder that is missing is an empty log. Changes nothing.
    pub(super) fn open(files: Arc<dyn Files>, root: &Path, date: Date, folder: PathBuf) -> Result<Self, LogError> {
        let Replayed { producers, requests, segments, chain, tail } = replay(files.as_ref(), &folder, date)?;
        Ok(Self {
            files,
            root: root.to_owned(),
            folder,
            date,
            producers,
            requests,
            segments,
            chain,
            tail,
            active: None,
            pending: Vec::new(),
            pending_frames: 0,
            pending_quotes: 0,
            used: 0,
        })
    }

    pub(super) fn pending_bytes(&self) -> usize {
        self.pending.len()
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Durable bytes of each segment, from number 1.
    pub(super) fn segments(&self) -> &[u64] {
        &self.segments
    }

    /// Number of reference updates that are durable.
    pub(super) fn durable_version(&self) -> u64 {
        self.requests.values().filter(|request| request.durable).map(|request| request.version).max().unwrap_or(0)
    }

    /// Whether the date has nothing at all.
    pub(super) fn is_empty(&self) -> bool {
        self.segments.is_empty() && self.pending.is_empty()
    }

    /// Appends a batch to what waits. What is refused leaves no trace.
    pub(super) fn append(&mut self, batch: &EncodedBatch, limits: &LogLimits) -> Result<Taken, AppendError> {
        let known = self.producers.get(&batch.producer_id);
        let (durable, appended) = known.map_or((0, 0), |place| (place.durable, place.appended));
        if batch.sequence <= appended {
            if known.is_some_and(|place| place.differs(batch.sequence, batch.digest)) {
                let (producer_id, sequence) = (batch.producer_id.clone(), batch.sequence);
                return Err(AppendError::SequenceReused { producer_id, sequence });
            }
            // Before any answer: what replay has read may not be on the device yet.
            self.make_writable(limits)?;
            return Ok(if batch.sequence <= durable { Taken::Durable(durable) } else { Taken::Waiting(durable) });
        }
        let expected = appended + 1;
        if batch.sequence != expected {
            let (producer_id, given) = (batch.producer_id.clone(), batch.sequence);
            return Err(AppendError::Gap { producer_id, expected, given });
        }
        if known.is_none() && self.producers.len() >= limits.producers {
            return Err(AppendError::TooMany { what: "producers", limit: limits.producers });
        }
        self.make_writable(limits)?;
        self.put(FrameKind::Quotes, &batch.payload);
        self.pending_quotes += u64::from(batch.quotes);
        self.producers.entry(batch.producer_id.clone()).or_default().take(batch.digest);
        Ok(Taken::Waiting(durable))
    }

    /// Appends a reference update to what waits; the version that it makes, or made.
    pub(super) fn put_reference(
        &mut self,
        update: &EncodedReference,
        limits: &LogLimits,
    ) -> Result<Taken, AppendError> {
        let digest = *blake3::hash(update.payload.get(update.content..).unwrap_or_default()).as_bytes();
        if let Some(known) = self.requests.get(&update.request_id).copied() {
            if known.digest != digest {
                let (request_id, version) = (update.request_id.clone(), known.version);
                return Err(AppendError::RequestConflict { request_id, version });
            }
            self.make_writable(limits)?;
            return Ok(if known.durable { Taken::Durable(known.version) } else { Taken::Waiting(known.version) });
        }
        if self.requests.len() >= limits.reference_updates {
            return Err(AppendError::TooMany { what: "reference updates", limit: limits.reference_updates });
        }
        self.make_writable(limits)?;
        let version = self.requests.len() as u64 + 1;
        self.put(FrameKind::Reference, &update.payload);
        self.requests.insert(update.request_id.clone(), Request { version, digest, durable: false });
        Ok(Taken::Waiting(version))
    }

    fn put(&mut self, kind: FrameKind, payload: &[u8]) {
        let (origin, nonce) = self.active.as_ref().map_or((0, None), |active| (active.position, active.nonce));
        if self.pending.is_empty() {
            put_commit(&mut self.pending, origin, nonce.as_ref());
            self.pending_frames += 1;
        }
        put_frame(&mut self.pending, origin, kind, &[payload]);
        self.pending_frames += 1;
    }

    /// Writes what waits and makes it durable: bytes, frames other than the commit, quotes.
    pub(super) fn commit(&mut self) -> Result<(u64, u64, u64), LogError> {
        let Some(active) = self.active.as_mut().filter(|_| !self.pending.is_empty()) else { return Ok((0, 0, 0)) };
        active.file.append(&self.pending).map_err(LogError::io("write", &active.path))?;
        active.file.sync().map_err(LogError::io("sync", &active.path))?;
        active.hasher.update(&self.pending);
        active.position += self.pending.len() as u64;
        active.frames += self.pending_frames;
        if let Some(bytes) = self.segments.last_mut() {
            *bytes = active.position;
        }
        for place in self.producers.values_mut() {
            place.commit();
        }
        for request in self.requests.values_mut().filter(|request| !request.durable) {
            request.durable = true;
        }
        let done = (self.pending.len() as u64, self.pending_frames - 1, self.pending_quotes);
        self.pending.clear();
        self.pending_frames = 0;
        self.pending_quotes = 0;
        Ok(done)
    }

    /// Makes sure that there is a segment to append to, with room.
    fn make_writable(&mut self, limits: &LogLimits) -> Result<(), LogError> {
        match &self.active {
            None => self.begin_writing(),
            Some(active) if self.pending.is_empty() && active.position >= limits.segment_bytes => self.seal(),
            Some(_) => Ok(()),
        }
    }

    /// The first write since opening: the folder, and the last segment anew.
    ///
    /// The segment's bytes are copied, not appended to: a sync that failed in an earlier life may have left pages that
    /// reads show and the device does not have.
    fn begin_writing(&mut self) -> Result<(), LogError> {
        let files = self.files.clone();
        files.create_folder(&self.folder).map_err(LogError::io("create", &self.folder))?;
        files.sync_folder(&self.root).map_err(LogError::io("sync", &self.root))?;
        let names = files.list(&self.folder).map_err(LogError::io("list", &self.folder))?;
        for name in names.iter().filter(|name| name.starts_with(TEMPORARY)) {
            let path = self.folder.join(name);
            files.remove(&path).map_err(LogError::io("remove", &path))?;
        }
        // A seal, too, may be there for reads alone; segments begin only behind one that is on the device.
        let tail = self.tail.take();
        let last = tail.or_else(|| self.segments.last().map(|bytes| Tail { bytes: *bytes, frames: 0, nonce: None }));
        let Some(last) = last else { return self.next_segment() };
        let number = self.segments.len() as u64;
        let old = self.folder.join(segment::name(number));
        let copied = self.segment(number, |file, path| {
            copy_frames(files.as_ref(), &old, last.bytes, file, path).map(|hasher| (hasher, last))
        })?;
        if tail.is_none() {
            return self.next_segment();
        }
        self.active = Some(copied);
        Ok(())
    }

    /// Ends the active segment and begins the next.
    fn seal(&mut self) -> Result<(), LogError> {
        if let Some(mut active) = self.active.take() {
            let seal = Seal { digest: *active.hasher.finalize().as_bytes(), frames: active.frames };
            let mut bytes = Vec::new();
            seal.put(&mut bytes, active.position, active.nonce.as_ref());
            active.file.append(&bytes).map_err(LogError::io("write", &active.path))?;
            active.file.sync().map_err(LogError::io("sync", &active.path))?;
            if let Some(durable) = self.segments.last_mut() {
                *durable = active.position + bytes.len() as u64;
            }
            self.chain = seal.digest;
        }
        self.next_segment()
    }

    fn next_segment(&mut self) -> Result<(), LogError> {
        let number = self.segments.len() as u64 + 1;
        let mut head = Vec::new();
        let nonce = fresh_nonce();
        Head { date: self.date, number, previous: self.chain }.put(&mut head, &nonce);
        let active = self.segment(number, |file, path| {
            file.append(&head).map_err(LogError::io("write", path))?;
            let mut hasher = blake3::Hasher::new();
            hasher.update(&head);
            Ok((hasher, Tail { bytes: head.len() as u64, frames: 1, nonce: Some(nonce) }))
        })?;
        self.segments.push(active.position);
        self.active = Some(active);
        Ok(())
    }

    /// A segment file under its own name, durable, with what `fill` writes into it.
    fn segment(
        &self,
        number: u64,
        fill: impl FnOnce(&mut dyn NewFile, &Path) -> Result<(blake3::Hasher, Tail), LogError>,
    ) -> Result<Active, LogError> {
        let (temporary, path) =
            (self.folder.join(format!("{TEMPORARY}segment")), self.folder.join(segment::name(number)));
        let mut file = self.files.create(&temporary).map_err(LogError::io("create", &temporary))?;
        let (hasher, Tail { bytes, frames, nonce }) = fill(file.as_mut(), &temporary)?;
        file.sync().map_err(LogError::io("sync", &temporary))?;
        self.files.rename(&temporary, &path).map_err(LogError::io("rename", &path))?;
        self.files.sync_folder(&self.folder).map_err(LogError::io("sync", &self.folder))?;
        Ok(Active { file, path, position: bytes, hasher, frames, nonce })
    }
}
