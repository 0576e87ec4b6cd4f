//! Every quote file of a day, decoded by several threads a group of rows at a time.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::error::InputError;
use super::gather::{Gathered, InOrder, Stopped};
use super::quotes::{QuoteRows, file_names};
use super::quotes_csv;
use super::quotes_parquet::Opened;
use super::source::{InputSource, SourceFile};
use super::spill::{Parts, Resources};
use crate::reference::VenueTable;

/// What one thread decodes at a time: a CSV file, or a group of rows of a Parquet file.
struct Unit<'a> {
    file: &'a QuoteFile,
    group: usize,
}

struct QuoteFile {
    name: String,
    /// `None` for CSV.
    parquet: Option<Opened>,
}

/// Reads every quote file of a source.
pub(crate) fn scan(
    source: &dyn InputSource,
    venues: &VenueTable,
    parts: Parts,
    resources: &Resources,
) -> Result<Gathered, InputError> {
    let mut files = Vec::new();
    for name in file_names(source)? {
        let Some(opened) = open(source, &name)? else { continue };
        let parquet = if name.ends_with(".parquet") { Some(Opened::new(&name, &opened)?) } else { None };
        files.push(QuoteFile { name, parquet });
    }
    let units: Vec<Unit<'_>> = files
        .iter()
        .flat_map(|file| {
            let groups = file.parquet.as_ref().map_or(1, Opened::groups);
            (0..groups).map(move |group| Unit { file, group })
        })
        .collect();
    let gathering = InOrder::new(Gathered::new(parts, resources));
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some((number, unit)) = {
            let number = next.fetch_add(1, Ordering::Relaxed);
            units.get(number).filter(|_| !gathering.has_failed()).map(|unit| (number, unit))
        } {
            if let Err(error) = decode(source, unit, number, venues, &gathering) {
                gathering.fail(number, error);
            }
        }
    };
    let threads = resources.threads.clamp(1, units.len().max(1));
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    gathering.finish()
}

fn open(source: &dyn InputSource, name: &str) -> Result<Option<SourceFile>, InputError> {
    source.open(name).map_err(|error| InputError::file(name, format!("cannot be read: {error}")))
}

fn decode(
    source: &dyn InputSource,
    unit: &Unit<'_>,
    number: usize,
    venues: &VenueTable,
    gathering: &InOrder,
) -> Result<(), InputError> {
    let name = &unit.file.name;
    let mut rows = QuoteRows::new();
    let mut stopped = false;
    if let Some(file) = open(source, name)? {
        let mut full = |rows: &mut QuoteRows| {
            stopped = matches!(gathering.give(number, rows, false), Err(Stopped));
            !stopped
        };
        match &unit.file.parquet {
            Some(opened) => opened.read_group(name, file, unit.group, venues, &mut rows, &mut full)?,
            None => quotes_csv::read(name, file, venues, &mut rows, &mut full)?,
        }
    }
    if !stopped {
        // Where an earlier unit failed, nothing more is wanted.
        let _ = gathering.give(number, &mut rows, true);
    }
    Ok(())
}
