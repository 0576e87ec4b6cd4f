//! Quote rows by parts of the alphabet: in memory while they are few, in one temporary file when they are many.
//!
//! A part holds the rows of the roots between two names of the day, in reading order, so that an underlying is found in
//! one or two parts whatever order the rows came in. The file has no name: it goes with the process.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use super::symbols::RawQuote;
use crate::osi;

/// Parts of a day's rows.
const PARTS_MAX: usize = 256;

/// Bytes of a row in the file.
const ROW_BYTES: usize = 48;

/// Rows of a part that are written or read at a time.
const PIECE_ROWS: usize = 16_384;

/// What a day may take while it is read. Neither field changes what is read.
#[derive(Clone, Debug)]
pub struct Resources {
    /// Threads that decode; at least one.
    pub threads: usize,
    /// Quote rows held in memory; beyond that they go to a temporary file.
    pub rows_held_max: usize,
    /// Folder of the temporary file; the system's where absent.
    pub spill_folder: Option<PathBuf>,
}

impl Resources {
    /// Rows held by default: 192 MiB of them.
    pub const ROWS_HELD: usize = 4 << 20;
}

impl Default for Resources {
    fn default() -> Self {
        Self { threads: rayon::current_num_threads(), rows_held_max: Self::ROWS_HELD, spill_folder: None }
    }
}

/// Where the parts of the alphabet begin.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parts(Vec<String>);

impl Parts {
    /// Parts with about as many of these names each. `names` is ascending.
    pub(crate) fn of<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> Self {
        let every = names.len().div_ceil(PARTS_MAX).max(1);
        Self(names.step_by(every).skip(1).map(str::to_owned).collect())
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len() + 1
    }

    /// The part of a symbol: by its root, so that every form of a symbol has the same part.
    pub(crate) fn of_symbol(&self, symbol: &[u8]) -> u16 {
        let root = match osi::decode(symbol) {
            Ok(decoded) => decoded.root.as_bytes(),
            Err(_) => symbol,
        };
        self.0.partition_point(|first| first.as_bytes() <= root) as u16
    }
}

/// Rows of a part that were written, in the order in which they were.
#[derive(Clone, Copy, Debug)]
struct Extent {
    offset: u64,
    rows: usize,
}

#[derive(Debug, Default)]
struct Part {
    written: Vec<Extent>,
    held: Vec<RawQuote>,
}

/// The rows of a day.
#[derive(Debug)]
pub(crate) struct RowStore {
    parts: Vec<Part>,
    held: usize,
    held_max: usize,
    folder: Option<PathBuf>,
    file: Option<Mutex<File>>,
    end: u64,
}

impl RowStore {
    pub(crate) fn new(parts: usize, resources: &Resources) -> Self {
        Self {
            parts: (0..parts).map(|_| Part::default()).collect(),
            held: 0,
            held_max: resources.rows_held_max,
            folder: resources.spill_folder.clone(),
            file: None,
            end: 0,
        }
    }

    /// Appends a row to its part.
    pub(crate) fn push(&mut self, part: u16, row: RawQuote) {
        if let Some(part) = self.parts.get_mut(usize::from(part)) {
            part.held.push(row);
            self.held += 1;
        }
    }

    /// Writes everything held where it is too much.
    pub(crate) fn spill_if_full(&mut self) -> io::Result<()> {
        if self.held <= self.held_max {
            return Ok(());
        }
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(Mutex::new(match &self.folder {
                Some(folder) => {
                    std::fs::create_dir_all(folder)?;
                    tempfile::tempfile_in(folder)?
                }
                None => tempfile::tempfile()?,
            })),
        };
        let file = file.get_mut().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(self.end))?;
        let mut bytes = Vec::with_capacity(PIECE_ROWS * ROW_BYTES);
        for part in self.parts.iter_mut().filter(|part| !part.held.is_empty()) {
            let rows = part.held.len();
            for piece in part.held.chunks(PIECE_ROWS) {
                bytes.clear();
                piece.iter().for_each(|row| encode(row, &mut bytes));
                file.write_all(&bytes)?;
            }
            part.written.push(Extent { offset: self.end, rows });
            self.end += (rows * ROW_BYTES) as u64;
            // The next rows may belong to other parts: what this one took is given back.
            part.held = Vec::new();
        }
        self.held = 0;
        Ok(())
    }

    /// The rows of a part, in reading order.
    pub(crate) fn rows(&self, part: u16) -> io::Result<Vec<RawQuote>> {
        let Some(part) = self.parts.get(usize::from(part)) else { return Ok(Vec::new()) };
        let written: usize = part.written.iter().map(|extent| extent.rows).sum();
        let mut rows = Vec::with_capacity(written + part.held.len());
        if let Some(file) = &self.file {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            let mut bytes = vec![0; PIECE_ROWS * ROW_BYTES];
            for extent in &part.written {
                file.seek(SeekFrom::Start(extent.offset))?;
                let mut left = extent.rows;
                while left > 0 {
                    let count = left.min(PIECE_ROWS);
                    let Some(piece) = bytes.get_mut(..count * ROW_BYTES) else { break };
                    file.read_exact(piece)?;
                    rows.extend(piece.as_chunks::<ROW_BYTES>().0.iter().map(decode));
                    left -= count;
                }
            }
        }
        rows.extend_from_slice(&part.held);
        Ok(rows)
    }
}

fn encode(row: &RawQuote, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&row.time.to_le_bytes());
    bytes.extend_from_slice(&row.sequence.to_le_bytes());
    bytes.extend_from_slice(&row.bid.to_le_bytes());
    bytes.extend_from_slice(&row.ask.to_le_bytes());
    bytes.extend_from_slice(&row.bid_size.to_le_bytes());
    bytes.extend_from_slice(&row.ask_size.to_le_bytes());
    bytes.extend_from_slice(&row.symbol.to_le_bytes());
    bytes.extend_from_slice(&u32::from(row.venue).to_le_bytes());
}

fn decode(bytes: &[u8; ROW_BYTES]) -> RawQuote {
    let long = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| bytes.get(at + i).copied().unwrap_or_default()));
    let short = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| bytes.get(at + i).copied().unwrap_or_default()));
    RawQuote {
        time: long(0).cast_signed(),
        sequence: long(8),
        bid: long(16).cast_signed(),
        ask: long(24).cast_signed(),
        bid_size: short(32),
        ask_size: short(36),
        symbol: short(40),
        venue: short(44) as u16,
    }
}

#[cfg(test)]
mod tests {
    use super::{Parts, RawQuote, Resources, RowStore};

    fn row(number: u64) -> RawQuote {
        RawQuote {
            time: -(number as i64),
            sequence: number,
            bid: 7_000_000 + number as i64,
            ask: i64::MAX - number as i64,
            bid_size: RawQuote::NO_SIZE,
            ask_size: number as u32,
            symbol: 3 * number as u32,
            venue: (number % 19) as u16,
        }
    }

    #[test]
    fn rows_come_back_in_reading_order_whether_they_were_written_or_held() {
        let of = |held: usize| {
            let mut store = RowStore::new(3, &Resources { rows_held_max: held, ..Resources::default() });
            for number in 0..40_000 {
                store.push((number * number % 3) as u16, row(number));
                store.spill_if_full().unwrap();
            }
            [0, 1, 2].map(|part| store.rows(part).unwrap())
        };
        let held = of(usize::MAX);
        assert_eq!(held.iter().map(Vec::len).sum::<usize>(), 40_000);
        assert!(held.iter().all(|part| part.is_sorted_by_key(|row| row.sequence)));
        for max in [1000, 20_001] {
            assert_eq!(of(max), held);
        }
    }

    #[test]
    fn a_part_is_found_by_the_root() {
        let names: Vec<String> = (0..1000).map(|i| format!("N{i:03}")).collect();
        let parts = Parts::of(names.iter().map(String::as_str));
        assert!(parts.count() > 200 && parts.count() <= 256);
        assert_eq!(parts.of_symbol(b"A"), 0);
        assert_eq!(usize::from(parts.of_symbol(b"Z     261120C00001000")), parts.count() - 1);
        assert_eq!(parts.of_symbol(b"N500  261120C00001000"), parts.of_symbol(b"N500  261220P00001000"));
        assert_eq!(Parts::of(std::iter::empty::<&str>().collect::<Vec<_>>().into_iter()).count(), 1);
    }
}
