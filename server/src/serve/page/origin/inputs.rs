//! The inputs of a published run, found again: in the service's own log, among configured folders, or in the sample day
//! that the binary carries. What is found is believed only where its digest is the one in the run's manifest.

use std::path::{Path, PathBuf};

use closemark_data::date;
use closemark_data::day::Day;
use closemark_data::input::{Folder, InputSource, ReadOptions, SourceFile, read_day};
use closemark_data::publication::Manifest;
use closemark_data::sample;
use closemark_data::settings::merge_settings;
use closemark_pricing::Settings;
use closemark_pricing::series::Date;
use toml::Table;

use crate::pipeline;
use crate::profile::Profile;
use crate::serve::closes;
use crate::serve::ledger::CloseRequest;
use crate::serve::state::Service;

/// Folders that one configured folder may hold days in.
const FOLDERS_MAX: usize = 4_096;
/// Longest `day.toml` that is looked at.
const HEADER_BYTES_MAX: u64 = 1 << 20;
/// Bytes that a quote and a series take while a day is read.
const QUOTE_BYTES: u64 = 200;
const SERIES_BYTES: u64 = 700;

/// Where a run's inputs were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// In the quote log of this service.
    Log,
    /// In a folder of `storage.inputs`.
    Folder,
    /// In the binary: the bundled sample day.
    Sample,
}

impl Found {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Folder => "folder",
            Self::Sample => "sample",
        }
    }
}

/// The settings of a run and what it was asked for beside them, from its manifest.
pub(super) struct RunSettings {
    pub(super) settings: Settings,
    flat_rate: Option<f64>,
    /// The only underlyings that were closed anew; empty is all.
    pub(super) only: Vec<String>,
}

impl RunSettings {
    /// Reads the canonical text; `None` where this version does not know it.
    pub(super) fn read(manifest: &Manifest) -> Option<Self> {
        let mut table: Table = manifest.settings.parse().ok()?;
        let run = table.remove("run").and_then(|run| run.try_into::<Table>().ok()).unwrap_or_default();
        let mut settings = Settings::default();
        merge_settings(&mut settings, &table).ok()?;
        let names = run.get("only").and_then(toml::Value::as_array).into_iter().flatten();
        let only = names.filter_map(|name| name.as_str().map(ToOwned::to_owned)).collect();
        Some(Self { settings, flat_rate: run.get("flat_rate").and_then(toml::Value::as_float), only })
    }
}

/// The day that a run was made from, with its curve; a reason in words where it is not to be had.
pub(super) fn find(service: &Service, manifest: &Manifest, run: &RunSettings) -> Result<(Day, Found), String> {
    let market_date = date::parse(&manifest.market_date).ok_or("the manifest has no date")?;
    let records = |kind: &str| manifest.input_records.get(kind).copied().unwrap_or(0);
    let needed = records("quotes").saturating_mul(QUOTE_BYTES) + records("series").saturating_mul(SERIES_BYTES);
    let allowed = u64::from(service.config.limits.inputs_memory_mebibytes) << 20;
    if needed > allowed {
        return Err(format!(
            "reading the inputs again would take about {} MiB; limits.inputs_memory_mebibytes allows {}",
            needed >> 20,
            allowed >> 20
        ));
    }
    let only = (!run.only.is_empty() && manifest.base_run.is_none()).then(|| run.only.clone());
    let options = ReadOptions { flat_rate: run.flat_rate, only };
    let same = |day: &Day| day.input_digest == manifest.input_digest;
    let mut found = from_log(service, manifest, market_date).filter(same).map(|day| (day, Found::Log));
    if found.is_none() && header_date(&sample::source()) == Some(market_date) {
        let day = read_day(&sample::source(), &options).ok();
        found = day.filter(same).map(|day| (day, Found::Sample));
    }
    for folder in if found.is_none() { folders(&service.config.storage.inputs) } else { Vec::new() } {
        let source = Folder(folder);
        if header_date(&source) != Some(market_date) {
            continue;
        }
        match read_day(&source, &options) {
            Ok(day) if same(&day) => {
                found = Some((day, Found::Folder));
                break;
            }
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "a folder of storage.inputs makes no day"),
        }
    }
    let (mut day, place) = found.ok_or(
        "the inputs of this run are not kept here: neither the service's log, nor storage.inputs, nor the bundled \
         sample has inputs of this digest",
    )?;
    pipeline::settle(&mut day, &mut Profile::default()).map_err(|error| format!("{error:#}"))?;
    Ok((day, place))
}

/// What the service's own log makes of the request that published the run.
fn from_log(service: &Service, manifest: &Manifest, market_date: Date) -> Option<Day> {
    let record = service.ledger.close_of_run(&manifest.market_date, &manifest.run_id).ok()??;
    let request: CloseRequest = serde_json::from_str(&record.request).ok()?;
    let snapshot = service.log.snapshot_blocking(market_date).ok()??;
    let read = closes::read_day(&service.config.close, &service.config.out_folder(), &snapshot, &request);
    read.inspect_err(|error| tracing::debug!(%error, "the log makes no day")).ok()
}

/// The folders that may be days: each configured one, and those directly in it.
fn folders(configured: &[PathBuf]) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for folder in configured {
        if is_day(folder) {
            all.push(folder.clone());
            continue;
        }
        let Ok(entries) = std::fs::read_dir(folder) else {
            tracing::warn!("a folder of storage.inputs cannot be listed");
            continue;
        };
        let mut own: Vec<PathBuf> = entries.take(FOLDERS_MAX).filter_map(|entry| Some(entry.ok()?.path())).collect();
        own.retain(|path| is_day(path));
        own.sort();
        all.extend(own);
    }
    all
}

fn is_day(folder: &Path) -> bool {
    folder.join("day.toml").is_file()
}

/// The date that a source says it is of, without reading its quotes.
fn header_date(source: &dyn InputSource) -> Option<Date> {
    use std::io::Read;
    let file: SourceFile = source.open("day.toml").ok()??;
    let mut text = String::new();
    file.into_read().take(HEADER_BYTES_MAX).read_to_string(&mut text).ok()?;
    let table: Table = text.parse().ok()?;
    date::parse(table.get("market_date")?.as_str()?)
}
