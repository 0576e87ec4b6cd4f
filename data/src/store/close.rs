//! One run of one date, whole.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use closemark_pricing::series::Date;
use closemark_pricing::vocabulary::Settlement;

use super::RunId;
use super::board::{BoardEntry, board};
use super::columns::{mark, slice};
use super::index::Index;
use super::table::StoredTable;
use super::view::RowView;
use crate::publication::schema::{MARKS, SLICES, TABLES, Table};
use crate::publication::{Manifest, TIMINGS, integrity};
use crate::{date, osi};

/// A published run in memory. Everything it gives is of this run alone.
pub struct Close {
    date: Date,
    run: RunId,
    folder: PathBuf,
    manifest: Manifest,
    marks: Arc<StoredTable>,
    slices: Arc<StoredTable>,
    symbols: Index,
    others: Mutex<BTreeMap<&'static str, Arc<StoredTable>>>,
    board: OnceLock<Vec<BoardEntry>>,
}

/// What tells a slice of an underlying from the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SliceId {
    /// Option root.
    pub root: String,
    /// Expiration as listed.
    pub expiration: Date,
    /// AM or PM.
    pub settlement: Settlement,
    /// 1, or the place among slices that differ in the deliverable alone.
    pub place: u32,
}

impl SliceId {
    /// Reads `SPXW-2026-12-18-PM`, or `SPXW-2026-12-18-PM-2`.
    pub fn parse(text: &str) -> Option<Self> {
        let (head, settlement, place) = match text.rsplit_once('-') {
            Some((head, word)) if Settlement::parse(word).is_some() => (head, Settlement::parse(word)?, 1),
            Some((head, number)) if number.len() <= 4 && number.bytes().all(|b| b.is_ascii_digit()) => {
                let (head, word) = head.rsplit_once('-')?;
                (head, Settlement::parse(word)?, number.parse().ok().filter(|place| *place > 1)?)
            }
            _ => return None,
        };
        let at = head.len().checked_sub("-2026-12-18".len())?;
        let (root, day) = head.split_at_checked(at)?;
        let expiration = date::parse_dashed(day.strip_prefix('-')?)?;
        Some(Self { root: root.to_owned(), expiration, settlement, place })
    }
}

impl std::fmt::Display for SliceId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}-{}", self.root, date::to_text(self.expiration), self.settlement)?;
        if self.place > 1 { write!(f, "-{}", self.place) } else { Ok(()) }
    }
}

impl Close {
    /// What a close takes, before it is read: generous, so that the budget holds while it is.
    pub(crate) fn estimate(manifest: &Manifest) -> u64 {
        manifest.totals.series * 560 + manifest.totals.slices * 2_000 + (4 << 20)
    }

    /// Reads a run whose files are what its manifest says.
    pub(crate) fn read(folder: PathBuf, date: Date, run: RunId) -> Result<Self, String> {
        let manifest = integrity::check(&folder)?;
        if date::parse_dashed(&manifest.market_date) != Some(date) {
            return Err(format!("the manifest is of {}", manifest.market_date));
        }
        let marks = load(&folder, &MARKS, manifest.totals.series)?;
        let slices = load(&folder, &SLICES, manifest.totals.slices)?;
        let name = run.to_string();
        for (table, place) in [(&marks, mark::RUN_ID), (&slices, slice::RUN_ID)] {
            if (0..table.rows()).any(|row| table.row(row).is_none_or(|view| view.text(place) != name)) {
                return Err("a row is of another run".to_owned());
            }
        }
        let symbols = Index::build(&marks, mark::OSI_SYMBOL)?;
        Ok(Self {
            date,
            run,
            folder,
            manifest,
            marks: Arc::new(marks),
            slices: Arc::new(slices),
            symbols,
            others: Mutex::default(),
            board: OnceLock::new(),
        })
    }

    /// The day that was closed.
    pub fn date(&self) -> Date {
        self.date
    }

    /// The run.
    pub fn run(&self) -> RunId {
        self.run
    }

    /// Its manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// `marks`.
    pub fn marks(&self) -> &Arc<StoredTable> {
        &self.marks
    }

    /// `slices`.
    pub fn slices(&self) -> &Arc<StoredTable> {
        &self.slices
    }

    /// Bytes held.
    pub fn bytes(&self) -> u64 {
        let others: u64 = self.others().values().map(|table| table.bytes()).sum();
        self.marks.bytes() + self.slices.bytes() + self.symbols.bytes() + others
    }

    /// The tables of this run: the names of its Parquet files without their ending.
    pub fn tables(&self) -> impl Iterator<Item = &'static str> {
        tables_of(&self.manifest).filter_map(|table| table.file.strip_suffix(".parquet"))
    }

    /// A table by name that is in memory. Marks and slices always are, the others once they were asked for.
    pub fn held_table(&self, name: &str) -> Option<Arc<StoredTable>> {
        match published(name)?.file {
            file if file == MARKS.file => Some(self.marks.clone()),
            file if file == SLICES.file => Some(self.slices.clone()),
            file => self.others().get(file).cloned(),
        }
    }

    /// What a table that is not in memory takes there, about; `None` where the run has no such table.
    pub(crate) fn estimate_table(&self, name: &str) -> Option<u64> {
        let digest = self.manifest.provenance.files.get(published(name)?.file)?;
        Some(digest.size.saturating_mul(8) + (1 << 20))
    }

    /// Reads a further table.
    pub(crate) fn read_table(&self, name: &str) -> Result<Arc<StoredTable>, String> {
        let table = published(name).ok_or("no such table")?;
        let mut others = self.others();
        if let Some(table) = others.get(table.file) {
            return Ok(table.clone());
        }
        let read =
            StoredTable::load(&self.folder.join(table.file), table).map_err(|e| format!("{}: {e}", table.file))?;
        let read = Arc::new(read);
        others.insert(table.file, read.clone());
        Ok(read)
    }

    fn others(&self) -> MutexGuard<'_, BTreeMap<&'static str, Arc<StoredTable>>> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The mark of a series. Both forms of an option symbol are understood.
    pub fn find(&self, symbol: &str) -> Option<RowView<'_>> {
        self.marks.row(self.find_row(symbol)?)
    }

    /// The row of a series in the marks. Both forms of an option symbol are understood.
    pub fn find_row(&self, symbol: &str) -> Option<u32> {
        self.symbols.find(&self.marks, symbol).or_else(|| {
            let canonical = osi::decode(symbol.as_bytes()).ok()?.canonical()?;
            self.symbols.find(&self.marks, &canonical)
        })
    }

    /// The rows of marks that belong to an underlying or an expiration or both, in published order.
    pub fn mark_rows(&self, underlying: Option<&str>, expiration: Option<Date>) -> Vec<Range<u32>> {
        let groups: Vec<Range<u32>> = match underlying {
            Some(underlying) => self.marks.rows_of(underlying).into_iter().collect(),
            None if expiration.is_none() => std::iter::once(0..self.marks.rows()).collect(),
            None => self.marks.underlyings().map(|(_, rows)| rows).collect(),
        };
        let Some(expiration) = expiration else { return groups };
        let within = |rows: Range<u32>| {
            let before = |view: RowView<'_>| view.date(mark::EXPIRATION) < Some(expiration);
            let start = self.marks.partition(rows.clone(), before);
            let not_after = |view: RowView<'_>| view.date(mark::EXPIRATION) <= Some(expiration);
            start..self.marks.partition(rows, not_after)
        };
        groups.into_iter().map(within).filter(|rows| !rows.is_empty()).collect()
    }

    /// The slices of an underlying with their names, in published order; empty where it has none.
    pub fn slices_of(&self, underlying: &str) -> Vec<(SliceId, RowView<'_>)> {
        let mut found: Vec<(SliceId, RowView<'_>)> = Vec::new();
        for row in self.slices.rows_of(underlying).unwrap_or(0..0) {
            let Some(view) = self.slices.row(row) else { continue };
            let Some(settlement) = Settlement::parse(view.text(slice::SETTLEMENT)) else { continue };
            let Some(expiration) = view.date(slice::EXPIRATION) else { continue };
            let root = view.text(slice::ROOT).to_owned();
            let twin = |id: &SliceId| id.root == root && id.expiration == expiration && id.settlement == settlement;
            // Only the deliverable tells twins apart, and it is the last of the sort keys.
            let place = found.last().filter(|(id, _)| twin(id)).map_or(1, |(id, _)| id.place + 1);
            found.push((SliceId { root, expiration, settlement, place }, view));
        }
        found
    }

    /// The slice that a row of marks belongs to.
    pub fn slice_of(&self, row: RowView<'_>) -> Option<(SliceId, RowView<'_>)> {
        self.slices_of(row.text(mark::UNDERLYING)).into_iter().find(|(id, view)| {
            id.root == row.text(mark::ROOT)
                && Some(id.expiration) == row.date(mark::EXPIRATION)
                && id.settlement.as_str() == row.text(mark::SETTLEMENT)
                && view.text(slice::DELIVERABLE) == row.text(mark::DELIVERABLE)
        })
    }

    /// The marks of a slice, ascending strike, call before put.
    pub fn marks_of(&self, underlying: &str, id: &SliceId, slice: RowView<'_>) -> Vec<RowView<'_>> {
        let deliverable = slice.text(slice::DELIVERABLE);
        let rows = self.mark_rows(Some(underlying), Some(id.expiration)).into_iter().flatten();
        rows.filter_map(|row| self.marks.row(row))
            .filter(|view| {
                view.text(mark::ROOT) == id.root
                    && view.text(mark::SETTLEMENT) == id.settlement.as_str()
                    && view.text(mark::DELIVERABLE) == deliverable
            })
            .collect()
    }

    /// The underlyings with their figures, least believable first; counted once.
    pub fn board(&self) -> &[BoardEntry] {
        self.board.get_or_init(|| board(self))
    }

    /// Text of `timings.json`, which stands outside every digest; `None` where there is none of a sane size.
    pub fn timings(&self) -> Option<String> {
        let path = self.folder.join(TIMINGS);
        let small = std::fs::metadata(&path).ok()?.len() <= 4 << 20;
        if small { std::fs::read_to_string(path).ok() } else { None }
    }
}

/// The published tables that a run has.
pub(crate) fn tables_of(manifest: &Manifest) -> impl Iterator<Item = &'static Table> {
    TABLES.iter().copied().filter(|table| manifest.provenance.files.contains_key(table.file))
}

fn published(name: &str) -> Option<&'static Table> {
    TABLES.iter().copied().find(|table| table.file.strip_suffix(".parquet") == Some(name))
}

fn load(folder: &std::path::Path, table: &'static Table, rows: u64) -> Result<StoredTable, String> {
    let read = StoredTable::load(&folder.join(table.file), table).map_err(|e| format!("{}: {e}", table.file))?;
    if u64::from(read.rows()) == rows {
        Ok(read)
    } else {
        Err(format!("{}: {} rows, the manifest counts {rows}", table.file, read.rows()))
    }
}
