//! Whether `risk_arrays.parquet` fits the marks: one row per marked series, in order, at least the exercise value at
//! every point, monotone, the charge and ranges that the settings name.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use closemark_pricing::price::Price;
use closemark_pricing::vocabulary::{ExerciseStyle, MarginGroup, MarkSource, OptionType};

use super::error::VerifyError;
use super::layout;
use super::report::{Kind, VerifyReport, Violation};
use super::risk_points::{self, Terms};
use crate::publication::Manifest;
use crate::publication::read::ReadError;
use crate::publication::read::columns::{Columns, count, number};
use crate::publication::read::risk_arrays::POINT_COLUMNS;
use crate::publication::schema::{MARKS, RISK_ARRAYS};

/// A marked series, as far as its array depends on it.
#[derive(Debug)]
pub(super) struct Marked {
    symbol: Box<str>,
    underlying: Arc<str>,
    multiplier: i64,
    smoothed_volatility: Option<f64>,
    fixed: bool,
    terms: Terms,
}

/// What the settings of the run say about arrays; `None` where they do not say.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) arrays: Option<bool>,
    minimum_charge: Option<f64>,
    /// Down and up by group.
    ranges: BTreeMap<&'static str, (f64, f64)>,
}

impl Asked {
    pub(super) fn of(manifest: &Manifest) -> Self {
        let Ok(table) = manifest.settings.parse::<toml::Table>() else { return Self::default() };
        let Some(risk) = table.get("risk").and_then(toml::Value::as_table) else { return Self::default() };
        let real = |key: &str| risk.get(key).and_then(toml::Value::as_float);
        let mut ranges = BTreeMap::new();
        for (group, down, up) in [
            (MarginGroup::Equity, "equity_range", "equity_range"),
            (MarginGroup::NarrowIndex, "narrow_index_range", "narrow_index_range"),
            (MarginGroup::BroadIndex, "broad_index_range", "broad_index_range"),
            (MarginGroup::HighCapIndex, "high_cap_index_down", "high_cap_index_up"),
        ] {
            if let (Some(down), Some(up)) = (real(down), real(up)) {
                ranges.insert(group.as_str(), (-down, up));
            }
        }
        let arrays = risk.get("arrays").and_then(toml::Value::as_bool);
        Self { arrays, minimum_charge: real("minimum_charge"), ranges }
    }

    /// Whether the run has a file that must be read.
    pub(super) fn expected(&self, manifest: &Manifest) -> bool {
        self.arrays.unwrap_or_else(|| manifest.provenance.files.contains_key(RISK_ARRAYS.file))
    }
}

/// The marked series of one batch of marks.
pub(super) fn marked(batch: &RecordBatch) -> Result<Vec<Marked>, ReadError> {
    let columns = Columns::new(MARKS.file, batch);
    let (symbol, underlying) = (columns.text("osi_symbol")?, columns.text("underlying")?);
    let (kind, style) = (columns.text("option_type")?, columns.text("exercise_style")?);
    let (strike, mark) = (columns.decimals("strike")?, columns.decimals("mark")?);
    let (price, forward) = (columns.decimals("underlying_price")?, columns.decimals("forward_present_value")?);
    let (discount, deliverable) = (columns.decimals("discount_factor")?, columns.text("deliverable")?);
    let (multiplier, time) = (columns.counts("multiplier")?, columns.numbers("time_to_expiry")?);
    let (smoothed, source) = (columns.numbers("smoothed_volatility")?, columns.text("mark_source")?);
    let mut rows = Vec::new();
    let mut name: Arc<str> = Arc::from("");
    for row in 0..batch.num_rows() {
        let Some(mark) = mark.get(row) else { continue };
        if *name != *underlying.or_empty(row) {
            name = Arc::from(underlying.or_empty(row));
        }
        let multiplier = count(multiplier, row).unwrap_or_default();
        rows.push(Marked {
            symbol: Box::from(symbol.or_empty(row)),
            underlying: Arc::clone(&name),
            multiplier,
            smoothed_volatility: number(smoothed, row),
            fixed: source.or_empty(row) == MarkSource::Override.as_str(),
            terms: Terms {
                call: kind.or_empty(row) == OptionType::Call.as_str(),
                american: style.or_empty(row) == ExerciseStyle::American.as_str(),
                expired: number(time, row) == Some(0.0),
                standard: deliverable.or_empty(row) == format!("{multiplier} {name}"),
                strike: strike.get(row).unwrap_or_default(),
                mark,
                underlying_price: price.get(row),
                forward_present_value: forward.get(row),
                discount_factor: discount.get(row),
            },
        });
    }
    Ok(rows)
}

/// Reads the file and holds it against the marked series.
pub(super) fn check(
    folder: &Path,
    manifest: &Manifest,
    asked: &Asked,
    mut marked: Vec<Marked>,
    report: &mut VerifyReport,
) -> Result<(), VerifyError> {
    let (file, found) = layout::open(folder, &RISK_ARRAYS)?;
    report.add(found);
    if !file.readable {
        return Ok(());
    }
    marked.sort_unstable_by(|a, b| a.symbol.cmp(&b.symbol));
    let unreadable = |e: ReadError| VerifyError::Unreadable { path: folder.to_owned(), detail: e.to_string() };
    let parts = file.map(|batch| check_batch(batch, asked, &marked).map_err(unreadable))?;
    let mut groups: BTreeMap<Arc<str>, Group> = BTreeMap::new();
    let mut last: Option<Box<str>> = None;
    let (mut rows, mut fixed_rows) = (0, 0);
    for part in parts {
        rows += part.rows;
        fixed_rows += part.fixed_rows;
        report.conditions += part.conditions;
        report.add(part.found);
        if let (Some(last), Some((first, _))) = (&last, &part.ends)
            && last >= first
        {
            report.add(vec![violation(Kind::Order, first, "stands after a later row".to_owned())]);
        }
        last = part.ends.map(|(_, end)| end).or(last);
        for (underlying, group) in part.groups {
            let known = groups.entry(Arc::clone(&underlying)).or_insert_with(|| group.clone());
            if *known != group {
                report.add(vec![violation(Kind::Slice, &underlying, "rows differ in group or range".to_owned())]);
            }
        }
    }
    // Every row found its mark and rows ascend strictly, so that counting finds what is missing. A mark that a person
    // fixed where no model prices the series has no array.
    let fixed = marked.iter().filter(|series| series.fixed).count() as u64;
    if rows.saturating_sub(fixed_rows) != marked.len() as u64 - fixed {
        let detail = format!("{rows} rows for {} marked series, {fixed} of them fixed by a person", marked.len());
        report.add(vec![violation(Kind::Slice, "rows", detail)]);
    }
    report.add(super::counted(RISK_ARRAYS.file, rows, manifest.totals.risk_arrays));
    Ok(())
}

/// What an underlying's rows agree in: group, range down and up.
type Group = (String, i64, i64);

#[derive(Debug, Default)]
struct Part {
    rows: u64,
    fixed_rows: u64,
    conditions: u64,
    found: Vec<Violation>,
    ends: Option<(Box<str>, Box<str>)>,
    groups: BTreeMap<Arc<str>, Group>,
}

fn violation(kind: Kind, subject: &str, detail: String) -> Violation {
    Violation::new(RISK_ARRAYS.file, kind, subject, detail)
}

fn check_batch(batch: &RecordBatch, asked: &Asked, marked: &[Marked]) -> Result<Part, ReadError> {
    let columns = Columns::new(RISK_ARRAYS.file, batch);
    let (symbol, group) = (columns.text("osi_symbol")?, columns.text("margin_group")?);
    let (down, up) = (columns.decimals("range_down")?, columns.decimals("range_up")?);
    let points: Vec<_> = POINT_COLUMNS.iter().map(|name| columns.decimals(name)).collect::<Result<_, _>>()?;
    let (charge, mark) = (columns.decimals("minimum_charge")?, columns.decimals("mark")?);
    let volatility = columns.numbers("implied_volatility")?;
    let mut part = Part { rows: batch.num_rows() as u64, ..Part::default() };
    let mut previous = "";
    for row in 0..batch.num_rows() {
        let name = symbol.or_empty(row);
        let mut wrong = |kind, detail: String| part.found.push(violation(kind, name, detail));
        if row > 0 && previous >= name {
            wrong(Kind::Order, format!("stands after {previous}"));
        }
        previous = name;
        let place = marked.binary_search_by(|m| (*m.symbol).cmp(name)).ok();
        let Some(series) = place.and_then(|p| marked.get(p)) else {
            wrong(Kind::Slice, "has no marked series".to_owned());
            continue;
        };
        part.fixed_rows += u64::from(series.fixed);
        if mark.get(row) != Some(series.terms.mark) {
            wrong(Kind::Slice, "mark is not that of marks".to_owned());
        }
        let held = number(volatility, row);
        if held.is_some_and(|v| !(v > 0.0 && v.is_finite())) {
            wrong(Kind::Bounds, format!("implied_volatility {held:?}"));
        }
        if series.smoothed_volatility.is_some_and(|v| v > 0.0 && held != Some(v)) {
            wrong(Kind::Slice, "implied_volatility is not smoothed_volatility of marks".to_owned());
        }
        let wanted = asked.minimum_charge.map(|c| (c * series.multiplier as f64 * 1e6).round_ties_even() as i64);
        if wanted.is_some() && charge.get(row) != wanted {
            wrong(Kind::Bounds, format!("minimum_charge is not {wanted:?} millionths"));
        }
        let (word, low, high) = (group.or_empty(row), down.get(row).unwrap_or(0), up.get(row).unwrap_or(0));
        if MarginGroup::parse(word).is_none() {
            wrong(Kind::Vocabulary, format!("margin_group {word:?}"));
        }
        if !(low < 0 && high > 0) {
            wrong(Kind::Bounds, format!("a range from {low} to {high}"));
        }
        if let Some(&(least, most)) = asked.ranges.get(word)
            && ((least * 1e12).round_ties_even() as i64, (most * 1e12).round_ties_even() as i64) != (low, high)
        {
            wrong(Kind::Bounds, format!("{word} ranges from {least} to {most}"));
        }
        let own = (word.to_owned(), low, high);
        let known = part.groups.entry(Arc::clone(&series.underlying)).or_insert_with(|| own.clone());
        if *known != own {
            wrong(Kind::Slice, "differs in group or range from its underlying".to_owned());
        }
        let gains: Vec<i64> = points.iter().filter_map(|column| column.get(row)).collect();
        match risk_points::prices(&gains, series.multiplier, series.terms.mark) {
            Some(prices) => {
                part.conditions += risk_points::check(&series.terms, (low, high), &prices, &mut wrong);
            }
            None => wrong(Kind::Arithmetic, "a point is no whole number of millionths per share".to_owned()),
        }
    }
    let ends = batch.num_rows().checked_sub(1).map(|end| (symbol.or_empty(0), symbol.or_empty(end)));
    part.ends = ends.map(|(first, last)| (Box::from(first), Box::from(last)));
    Ok(part)
}

/// A file that the settings say is not there.
pub(super) fn unasked(manifest: &Manifest, asked: &Asked) -> Vec<Violation> {
    if asked.arrays == Some(false) && manifest.provenance.files.contains_key(RISK_ARRAYS.file) {
        let detail = "the settings say that there are no arrays".to_owned();
        return vec![violation(Kind::Manifest, "file", detail)];
    }
    Vec::new()
}

/// How reports write a price.
pub(super) fn text(micros: i64) -> String {
    Price::from_micros(micros).to_string()
}
