//! A file system in memory that loses power, fills up and fails when it is told to.
//!
//! What survives a power cut follows POSIX at its least generous: bytes of a file up to its last completed sync, names of
//! a folder up to its own last completed sync. A failed sync drops what it should have written, though reads still show
//! it (as Linux does): a later sync does not bring it back.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, Cursor, Read};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Files, Held, NewFile};

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// [`Files::create_folder`].
    CreateFolder,
    /// [`Files::create`].
    Create,
    /// [`NewFile::append`].
    Append,
    /// [`NewFile::sync`].
    Sync,
    /// [`Files::rename`].
    Rename,
    /// [`Files::remove`].
    Remove,
    /// [`Files::sync_folder`].
    SyncFolder,
}

/// A point of time at which trouble can come: before or after one operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The operation.
    pub operation: Operation,
    /// On what.
    pub path: PathBuf,
    /// Whether the operation is done at this point.
    pub after: bool,
}

/// What happens at a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The operation fails with this kind of error. Before it nothing is done; after it all is done and the error is
    /// reported all the same. A sync that fails before it is done drops what it should have written.
    Error(io::ErrorKind),
    /// The power goes. Every operation fails until [`Simulated::restart`].
    PowerCut,
}

/// What a power cut leaves of that which no sync had completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forget {
    /// Nothing.
    Everything,
    /// By this seed: of each file some first part of its unsynced bytes, perhaps with a sector of zeros in it; of each
    /// folder some first part of its unsynced changes.
    Part(u64),
}

const SECTOR: usize = 512;
const ROOT: u64 = 0;

/// The file system. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Simulated {
    shared: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    nodes: BTreeMap<u64, Node>,
    next: u64,
    steps: Vec<Step>,
    trouble: Option<(usize, Trouble)>,
    off: bool,
    generation: u64,
    room: Option<u64>,
    read_only: bool,
    locks: BTreeMap<PathBuf, u64>,
}

#[derive(Debug)]
enum Node {
    Folder(Folder),
    File(Content),
}

#[derive(Debug, Default)]
struct Folder {
    live: BTreeMap<String, u64>,
    durable: BTreeMap<String, u64>,
    pending: Vec<Change>,
}

/// One change of a folder's names, whole or not at all.
#[derive(Clone, Debug)]
struct Change {
    removed: Option<String>,
    added: Option<(String, u64)>,
}

impl Change {
    fn apply(&self, names: &mut BTreeMap<String, u64>) {
        if let Some(name) = &self.removed {
            names.remove(name);
        }
        if let Some((name, node)) = &self.added {
            names.insert(name.clone(), *node);
        }
    }
}

#[derive(Debug, Default)]
struct Content {
    live: Vec<u8>,
    durable: Vec<u8>,
    /// Bytes that a failed sync dropped.
    holes: Vec<(usize, usize)>,
}

impl Content {
    fn sync(&mut self) {
        let from = self.durable.len();
        self.durable.extend_from_slice(self.live.get(from..).unwrap_or_default());
        for (start, end) in self.holes.drain(..) {
            if let Some(hole) = self.durable.get_mut(start..end) {
                hole.fill(0);
            }
        }
    }

    fn drop_unsynced(&mut self) {
        self.holes.push((self.durable.len(), self.live.len()));
    }
}

impl Default for State {
    fn default() -> Self {
        Self {
            nodes: BTreeMap::from([(ROOT, Node::Folder(Folder::default()))]),
            next: ROOT + 1,
            steps: Vec::new(),
            trouble: None,
            off: false,
            generation: 0,
            room: None,
            read_only: false,
            locks: BTreeMap::new(),
        }
    }
}

impl Simulated {
    /// Every step so far, in order.
    pub fn steps(&self) -> Vec<Step> {
        self.state().steps.clone()
    }

    /// Plans trouble for the step of this number, counted from the first of [`Self::steps`].
    pub fn trouble_at(&self, step: usize, trouble: Trouble) {
        self.state().trouble = Some((step, trouble));
    }

    /// How many more bytes fit; `None` for no limit. An append that does not fit leaves what does.
    pub fn set_room(&self, bytes: Option<u64>) {
        self.state().room = bytes;
    }

    /// Whether everything that changes something is refused.
    pub fn set_read_only(&self, read_only: bool) {
        self.state().read_only = read_only;
    }

    /// Power comes back; what no sync had completed is forgotten, open files and locks are gone.
    pub fn restart(&self, forget: Forget) {
        let mut state = self.state();
        state.off = false;
        state.trouble = None;
        state.generation += 1;
        state.locks.clear();
        let mut chance = match forget {
            Forget::Everything => None,
            Forget::Part(seed) => Some(Chance(seed)),
        };
        for node in state.nodes.values_mut() {
            match node {
                Node::Folder(folder) => folder.forget(chance.as_mut()),
                Node::File(content) => content.forget(chance.as_mut()),
            }
        }
    }

    /// The bytes of a file as reads see them.
    pub fn bytes(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.state();
        match state.nodes.get(&state.find(path).ok()?)? {
            Node::File(content) => Some(content.live.clone()),
            Node::Folder(_) => None,
        }
    }

    /// Replaces a file's bytes durably, as damage at rest does.
    ///
    /// # Errors
    /// `NotFound` where there is no such file.
    pub fn damage(&self, path: &Path, bytes: Vec<u8>) -> io::Result<()> {
        let mut state = self.state();
        let node = state.find(path)?;
        match state.nodes.get_mut(&node) {
            Some(Node::File(content)) => {
                *content = Content { live: bytes.clone(), durable: bytes, holes: Vec::new() };
                Ok(())
            }
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Writes everything below a folder, as reads see it, under a folder of the real disk.
    ///
    /// # Errors
    /// What the real file system says.
    pub fn copy_to(&self, folder: &Path, to: &Path) -> io::Result<()> {
        std::fs::create_dir_all(to)?;
        for name in self.list(folder)? {
            let (from, to) = (folder.join(&name), to.join(&name));
            match self.bytes(&from) {
                Some(bytes) => std::fs::write(&to, bytes)?,
                None => self.copy_to(&from, &to)?,
            }
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs one operation between its two steps.
    fn change<T>(
        &self,
        operation: Operation,
        path: &Path,
        act: impl FnOnce(&mut State) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut state = self.state();
        state.step(operation, path, false)?;
        if state.read_only {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        let done = act(&mut state)?;
        state.step(operation, path, true)?;
        Ok(done)
    }
}

impl State {
    fn power(&self) -> io::Result<()> {
        if self.off { Err(io::Error::other("the power is off")) } else { Ok(()) }
    }

    fn step(&mut self, operation: Operation, path: &Path, after: bool) -> io::Result<()> {
        self.power()?;
        let number = self.steps.len();
        self.steps.push(Step { operation, path: path.to_owned(), after });
        match self.trouble {
            Some((at, trouble)) if at == number => {
                self.trouble = None;
                match trouble {
                    Trouble::PowerCut => {
                        self.off = true;
                        self.power()
                    }
                    Trouble::Error(kind) => Err(kind.into()),
                }
            }
            _ => Ok(()),
        }
    }

    fn find(&self, path: &Path) -> io::Result<u64> {
        let mut node = ROOT;
        for name in names(path)? {
            node = match self.nodes.get(&node) {
                Some(Node::Folder(folder)) => *folder.live.get(name).ok_or(io::ErrorKind::NotFound)?,
                _ => return Err(io::ErrorKind::NotFound.into()),
            };
        }
        Ok(node)
    }

    fn folder(&mut self, path: &Path) -> io::Result<&mut Folder> {
        let node = self.find(path)?;
        match self.nodes.get_mut(&node) {
            Some(Node::Folder(folder)) => Ok(folder),
            _ => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    fn rename_in(&mut self, folder: &Path, change: Change) -> io::Result<()> {
        let folder = self.folder(folder)?;
        change.apply(&mut folder.live);
        folder.pending.push(change);
        Ok(())
    }

    fn add(&mut self, path: &Path, node: Node) -> io::Result<u64> {
        let (folder, name) = split(path)?;
        let number = self.next;
        self.rename_in(&folder, Change { removed: None, added: Some((name, number)) })?;
        self.next += 1;
        self.nodes.insert(number, node);
        Ok(number)
    }
}

impl Folder {
    fn forget(&mut self, chance: Option<&mut Chance>) {
        let kept = chance.map_or(0, |chance| chance.below(self.pending.len() + 1));
        for change in self.pending.drain(..).take(kept) {
            change.apply(&mut self.durable);
        }
        self.live = self.durable.clone();
    }
}

impl Content {
    fn forget(&mut self, chance: Option<&mut Chance>) {
        if let Some(chance) = chance {
            let synced = self.durable.len();
            let kept = chance.below(self.live.len().saturating_sub(synced) + 1);
            self.live.truncate(synced + kept);
            self.sync();
            let sectors = kept / SECTOR;
            if sectors > 0 && chance.below(2) == 0 {
                let start = synced + chance.below(sectors) * SECTOR;
                if let Some(sector) = self.durable.get_mut(start..start + SECTOR) {
                    sector.fill(0);
                }
            }
        }
        self.holes.clear();
        self.live = self.durable.clone();
    }
}

/// Sebastiano Vigna's splitmix64: seeded, small, no other use here than to choose.
#[derive(Debug)]
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % limit.max(1) as u64) as usize
    }
}

fn names(path: &Path) -> io::Result<Vec<&str>> {
    path.components()
        .filter(|part| !matches!(part, Component::RootDir | Component::CurDir))
        .map(|part| match part {
            Component::Normal(name) => name.to_str().ok_or_else(|| io::ErrorKind::InvalidInput.into()),
            _ => Err(io::ErrorKind::InvalidInput.into()),
        })
        .collect()
}

fn split(path: &Path) -> io::Result<(PathBuf, String)> {
    let name = path.file_name().and_then(OsStr::to_str).ok_or(io::ErrorKind::InvalidInput)?;
    Ok((path.parent().unwrap_or(Path::new("")).to_owned(), name.to_owned()))
}

impl Files for Simulated {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        if names(path)?.is_empty() || self.state().find(path).is_ok() {
            return self.state().power();
        }
        self.change(Operation::CreateFolder, path, |state| state.add(path, Node::Folder(Folder::default())).map(|_| ()))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let mut state = self.state();
        state.power()?;
        Ok(state.folder(folder)?.live.keys().cloned().collect())
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn NewFile>> {
        let node = self.change(Operation::Create, path, |state| state.add(path, Node::File(Content::default())))?;
        let generation = self.state().generation;
        Ok(Box::new(SimulatedFile { files: self.clone(), path: path.to_owned(), node, generation }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        self.state().power()?;
        let bytes = self.bytes(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(Cursor::new(bytes)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change(Operation::Rename, to, |state| {
            let node = state.find(from)?;
            let ((old_folder, old), (new_folder, new)) = (split(from)?, split(to)?);
            if old_folder != new_folder {
                return Err(io::ErrorKind::CrossesDevices.into());
            }
            state.rename_in(&old_folder, Change { removed: Some(old), added: Some((new, node)) })
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.change(Operation::Remove, path, |state| {
            state.find(path)?;
            let (folder, name) = split(path)?;
            state.rename_in(&folder, Change { removed: Some(name), added: None })
        })
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.change(Operation::SyncFolder, folder, |state| {
            let folder = state.folder(folder)?;
            folder.durable = folder.live.clone();
            folder.pending.clear();
            Ok(())
        })
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Held>> {
        let mut state = self.state();
        state.power()?;
        if state.locks.contains_key(path) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let generation = state.generation;
        state.locks.insert(path.to_owned(), generation);
        Ok(Box::new(SimulatedLock { files: self.clone(), path: path.to_owned(), generation }))
    }
}

#[derive(Debug)]
struct SimulatedFile {
    files: Simulated,
    path: PathBuf,
    node: u64,
    generation: u64,
}

impl SimulatedFile {
    fn content<'a>(&self, state: &'a mut State) -> io::Result<&'a mut Content> {
        if state.generation != self.generation {
            return Err(io::Error::other("opened before the power cut"));
        }
        match state.nodes.get_mut(&self.node) {
            Some(Node::File(content)) => Ok(content),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

impl NewFile for SimulatedFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.files.change(Operation::Append, &self.path, |state| {
            let fits =
                state.room.map_or(bytes.len(), |room| bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX)));
            state.room = state.room.map(|room| room - fits as u64);
            self.content(state)?.live.extend_from_slice(bytes.get(..fits).unwrap_or_default());
            if fits < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
        })
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut done = false;
        let synced = self.files.change(Operation::Sync, &self.path, |state| {
            self.content(state)?.sync();
            done = true;
            Ok(())
        });
        if synced.is_err() && !done {
            let mut state = self.files.state();
            if state.power().is_ok()
                && let Ok(content) = self.content(&mut state)
            {
                content.drop_unsynced();
            }
        }
        synced
    }
}

#[derive(Debug)]
struct SimulatedLock {
    files: Simulated,
    path: PathBuf,
    generation: u64,
}

impl Held for SimulatedLock {}

impl Drop for SimulatedLock {
    fn drop(&mut self) {
        let mut state = self.files.state();
        if state.locks.get(&self.path) == Some(&self.generation) {
            state.locks.remove(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(files: &Simulated, path: &Path, bytes: &[u8], sync: bool) {
        let mut file = files.create(path).unwrap();
        file.append(bytes).unwrap();
        if sync {
            file.sync().unwrap();
        }
    }

    #[test]
    fn what_no_sync_completed_is_forgotten() {
        let files = Simulated::default();
        let (a, b, c) = (Path::new("/d/a"), Path::new("/d/b"), Path::new("/d/c"));
        files.create_folder(Path::new("/d")).unwrap();
        files.sync_folder(Path::new("/")).unwrap();
        write(&files, a, b"one", true);
        files.sync_folder(Path::new("/d")).unwrap();
        write(&files, b, b"two", true);
        files.rename(a, c).unwrap();
        files.restart(Forget::Everything);
        assert_eq!(files.bytes(a).as_deref(), Some(&b"one"[..]));
        assert_eq!((files.bytes(b), files.bytes(c)), (None, None));
        files.rename(a, c).unwrap();
        files.sync_folder(Path::new("/d")).unwrap();
        files.restart(Forget::Everything);
        assert_eq!((files.bytes(a), files.bytes(c).as_deref()), (None, Some(&b"one"[..])));
    }

    #[test]
    fn a_failed_sync_loses_its_bytes_although_reads_show_them() {
        let files = Simulated::default();
        let path = Path::new("/a");
        let mut file = files.create(path).unwrap();
        files.sync_folder(Path::new("/")).unwrap();
        file.append(b"lost").unwrap();
        files.trouble_at(files.steps().len(), Trouble::Error(io::ErrorKind::Other));
        assert!(file.sync().is_err());
        file.append(b"kept").unwrap();
        file.sync().unwrap();
        assert_eq!(files.bytes(path).as_deref(), Some(&b"lostkept"[..]));
        files.restart(Forget::Everything);
        assert_eq!(files.bytes(path).as_deref(), Some(&b"\0\0\0\0kept"[..]));
    }

    #[test]
    fn a_part_survives_by_its_seed() {
        let files = |seed| {
            let files = Simulated::default();
            write(&files, Path::new("/a"), &[7; 5000], false);
            files.sync_folder(Path::new("/")).unwrap();
            files.restart(Forget::Part(seed));
            files.bytes(Path::new("/a")).unwrap().len()
        };
        let lengths: Vec<usize> = (0..50).map(files).collect();
        assert!(lengths.iter().any(|length| *length < 1000) && lengths.iter().any(|length| *length > 4000));
        assert_eq!(lengths, (0..50).map(files).collect::<Vec<_>>());
    }

    #[test]
    fn no_room_and_no_writing() {
        let files = Simulated::default();
        let mut file = files.create(Path::new("/a")).unwrap();
        files.set_room(Some(3));
        assert_eq!(file.append(b"12345").unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(files.bytes(Path::new("/a")).unwrap(), b"123");
        files.set_read_only(true);
        assert_eq!(file.sync().unwrap_err().kind(), io::ErrorKind::ReadOnlyFilesystem);
        assert!(files.lock(Path::new("/l")).is_ok());
    }
}
