//! The generated day: the same bytes again, quotes as calibrated, truth inside them, and every fault where the ledger says.

#![allow(clippy::unwrap_used, reason = "helpers of tests may unwrap as tests do")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Decimal128Type, Float64Type};
use closemark_data::date;
use closemark_data::generate::calibration::Tier;
use closemark_data::generate::cast::Size;
use closemark_data::generate::{GenerateRequest, generate};
use closemark_data::input::{ReadOptions, read_day};
use closemark_data::sample;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

fn read(path: &Path) -> Vec<RecordBatch> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap().build().unwrap();
    reader.map(Result::unwrap).collect()
}

fn text(batch: &RecordBatch, column: &str, row: usize) -> String {
    batch.column_by_name(column).unwrap().as_string::<i32>().value(row).to_owned()
}

fn price(batch: &RecordBatch, column: &str, row: usize) -> Option<i128> {
    let array = batch.column_by_name(column).unwrap().as_primitive::<Decimal128Type>();
    (!array.is_null(row)).then(|| array.value(row))
}

fn number(batch: &RecordBatch, column: &str, row: usize) -> Option<f64> {
    let array = batch.column_by_name(column).unwrap().as_primitive::<Float64Type>();
    (!array.is_null(row)).then(|| array.value(row))
}

/// Best bid and ask in millionths by symbol, over rows as they stand.
fn best_quotes(dir: &Path) -> BTreeMap<String, (i128, i128)> {
    let mut best = BTreeMap::new();
    for batch in read(&dir.join("quotes.parquet")) {
        for row in 0..batch.num_rows() {
            let slot = best.entry(text(&batch, "osi_symbol", row)).or_insert((0, i128::MAX));
            slot.0 = slot.0.max(price(&batch, "bid", row).unwrap_or(0));
            slot.1 = slot.1.min(price(&batch, "ask", row).unwrap_or(i128::MAX));
        }
    }
    best
}

fn ledger(dir: &Path) -> Vec<[String; 3]> {
    let mut reader = csv::Reader::from_path(dir.join("faults.csv")).unwrap();
    reader.records().map(Result::unwrap).map(|r| [r[0].to_owned(), r[1].to_owned(), r[2].to_owned()]).collect()
}

fn small(seed: u64, underlyings: usize, out: &Path) -> GenerateRequest {
    GenerateRequest { size: Size::Sample, ..GenerateRequest::new(seed, underlyings, out) }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b, c) = (dir.path().join("a"), dir.path().join("b"), dir.path().join("c"));
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let summary = one.install(|| generate(&small(5, 14, &a))).unwrap();
    assert_eq!(generate(&small(5, 14, &b)).unwrap(), summary);
    generate(&small(6, 14, &c)).unwrap();
    for file in fs::read_dir(&a).unwrap().map(|e| e.unwrap().file_name()) {
        assert_eq!(fs::read(a.join(&file)).unwrap(), fs::read(b.join(&file)).unwrap(), "{file:?}");
    }
    assert_ne!(fs::read(a.join("quotes.parquet")).unwrap(), fs::read(c.join("quotes.parquet")).unwrap());
}

#[test]
fn every_fault_of_the_ledger_stands_in_the_day() {
    let dir = tempfile::tempdir().unwrap();
    generate(&small(5, 20, dir.path())).unwrap();
    let mut rows: BTreeMap<(String, String), usize> = BTreeMap::new();
    for batch in read(&dir.path().join("quotes.parquet")) {
        for row in 0..batch.num_rows() {
            let symbol = text(&batch, "osi_symbol", row);
            *rows.entry((symbol.clone(), String::new())).or_default() += 1;
            *rows.entry((symbol, text(&batch, "venue", row))).or_default() += 1;
        }
    }
    let underlyings = fs::read_to_string(dir.path().join("underlyings.csv")).unwrap();
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for [target, venue, kind] in ledger(dir.path()) {
        *kinds.entry(kind.clone()).or_default() += 1;
        let named = underlyings.lines().any(|line| line.starts_with(&format!("{target},")));
        match kind.as_str() {
            "NO_UNDERLYING_PRICE" => assert!(!named, "{target}"),
            "AFTER_HOURS_PRICE" | "HALTED" => assert!(named, "{target}"),
            "DUPLICATE" | "OUT_OF_ORDER" | "LATE" => assert!(rows[&(target, venue)] >= 2, "{kind}"),
            _ => assert!(rows.contains_key(&(target.clone(), venue.clone())), "{kind} {target} {venue}"),
        }
    }
    assert!(kinds.len() >= 18, "{kinds:?}");
}

#[test]
fn the_truth_lies_inside_most_untouched_quotes() {
    let dir = tempfile::tempdir().unwrap();
    generate(&small(8, 30, dir.path())).unwrap();
    let touched: Vec<String> = ledger(dir.path()).into_iter().map(|[target, _, _]| target).collect();
    let best = best_quotes(dir.path());
    let (mut inside, mut all) = (0.0, 0.0);
    for batch in read(&dir.path().join("truth.parquet")) {
        for row in 0..batch.num_rows() {
            let symbol = text(&batch, "osi_symbol", row);
            let Some(truth) = number(&batch, "true_price", row) else { continue };
            let Some(&(bid, ask)) = best.get(&symbol) else { continue };
            if bid == 0 || ask == i128::MAX || touched.contains(&symbol) {
                continue;
            }
            all += 1.0;
            inside += f64::from(u8::from(truth * 1e6 >= bid as f64 - 1.0 && truth * 1e6 <= ask as f64 + 1.0));
        }
    }
    let share: f64 = inside / all;
    assert!((0.93..=0.98).contains(&share), "{share} of {all}");
}

#[test]
fn spreads_zero_bids_and_sizes_are_those_measured() {
    let dir = tempfile::tempdir().unwrap();
    generate(&GenerateRequest::new(3, 70, dir.path())).unwrap();
    let touched: Vec<String> = ledger(dir.path()).into_iter().map(|[target, _, _]| target).collect();
    let best = best_quotes(dir.path());
    let mut spreads: BTreeMap<(String, usize), Vec<f64>> = BTreeMap::new();
    let mut zero_bids: BTreeMap<String, (f64, f64)> = BTreeMap::new();
    let mut series: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    let bounds = [2.0, 5.0, 10.0, 20.0, 50.0];
    for batch in read(&dir.path().join("truth.parquet")) {
        for row in 0..batch.num_rows() {
            let (symbol, tier) = (text(&batch, "osi_symbol", row), text(&batch, "tier", row));
            *series.entry(tier.clone()).or_default().entry(symbol[..6].to_owned()).or_default() += 1;
            let Some(&(bid, ask)) = best.get(&symbol).filter(|_| !touched.contains(&symbol)) else { continue };
            let share = zero_bids.entry(tier.clone()).or_default();
            share.0 += f64::from(u8::from(bid == 0));
            share.1 += 1.0;
            let (bid, ask) = (bid as f64 / 1e6, ask as f64 / 1e6);
            let bucket = bounds.iter().filter(|&&b| 0.5 * (bid + ask) > b).count();
            if bid > 0.0 && (1..bounds.len()).contains(&bucket) {
                spreads.entry((tier, bucket)).or_default().push(ask - bid);
            }
        }
    }
    // The medians and shares of the measured names, read off their tables by hand.
    let medians = [(Tier::B, [1.0, 1.55, 2.25, 3.4]), (Tier::C, [1.3, 2.0, 2.7, 3.5]), (Tier::D, [2.4, 3.0, 3.5, 3.9])];
    let mut together = 1.0;
    for (tier, expected) in medians {
        for (i, expected) in expected.into_iter().enumerate() {
            let all = spreads.get_mut(&(tier.as_str().to_owned(), i + 1)).unwrap();
            all.sort_by(f64::total_cmp);
            let median = all[all.len() / 2];
            // A name's spreads move together, so two dozen names say little of one cell and more of all.
            assert!((0.55..1.8).contains(&(median / expected)), "{tier:?} {i}: {median} for {expected}");
            together *= median / expected;
        }
    }
    // Twelve cells: each within a third of its median, on the whole.
    assert!((0.032..31.0).contains(&together), "{together}");
    for (tier, expected) in [("B", 0.123), ("C", 0.160), ("D", 0.182)] {
        let (without, all) = zero_bids[tier];
        assert!((without / all - expected).abs() < 0.07, "{tier}: {} for {expected}", without / all);
    }
    for (tier, expected) in [("C", 667.0), ("D", 123.0)] {
        let mut counts: Vec<usize> = series[tier].values().copied().collect();
        counts.sort_unstable();
        let median = counts[counts.len() / 2] as f64;
        assert!((0.6..1.7).contains(&(median / expected)), "{tier}: {median} for {expected}");
    }
}

#[test]
fn the_bundled_sample_is_what_the_generator_makes() {
    let dir = tempfile::tempdir().unwrap();
    generate(&GenerateRequest::sample(dir.path())).unwrap();
    let mut bytes = sample::TRUTH.len() + sample::FAULTS.len();
    for (name, file) in sample::FILES {
        bytes += file.len();
        if !name.ends_with("parquet") {
            assert_eq!(fs::read(dir.path().join(name)).unwrap(), *file, "{name}");
        }
    }
    assert!(bytes < 3_000_000, "{bytes}");
    // The last digits of an American price may move with its solver, and one quote in a thousand with them.
    let kept = dir.path().join("kept");
    fs::create_dir(&kept).unwrap();
    let quotes = sample::FILES.iter().find(|(name, _)| *name == "quotes.parquet").unwrap().1;
    fs::write(kept.join("quotes.parquet"), quotes).unwrap();
    fs::write(kept.join("truth.parquet"), sample::TRUTH).unwrap();
    let (made, bundled) = (best_quotes(dir.path()), best_quotes(&kept));
    let same = made.iter().filter(|(symbol, best)| bundled.get(*symbol) == Some(best)).count();
    assert_eq!(made.len(), bundled.len());
    assert!(same as f64 >= 0.995 * made.len() as f64, "{same} of {}", made.len());
    let truth = |dir: &Path| -> Vec<f64> {
        let all = read(&dir.join("truth.parquet"));
        all.iter().flat_map(|b| (0..b.num_rows()).map(|row| number(b, "true_price", row).unwrap())).collect()
    };
    // The bundled truth is of a solver that was half a cent off where a call's last ex-date is days before expiry.
    for (a, b) in truth(dir.path()).iter().zip(truth(&kept)) {
        assert!((a - b).abs() <= 1e-3 * (1.0 + b.abs()).min(10.0), "{a} {b}");
    }
}

#[test]
fn the_reader_takes_the_sample_and_drops_only_what_the_ledger_names() {
    let day = read_day(&sample::source(), &ReadOptions::default()).unwrap();
    // All but the name without a price.
    assert!(day.underlyings.len() >= 39);
    assert!(day.curve.is_some());
    assert!(
        day.rows_dropped > 0 && day.rows_dropped * 100 < day.rows_read,
        "{} of {}",
        day.rows_dropped,
        day.rows_read
    );
    let reasons: Vec<&str> = day.exceptions.iter().map(|row| row.reason).collect();
    for kind in ["BAD_PRICE", "MALFORMED_SYMBOL", "UNKNOWN_VENUE", "DUPLICATE_QUOTE", "EXPIRED_SERIES"] {
        assert!(reasons.contains(&kind), "{kind}");
    }
}

#[test]
fn a_half_day_closes_at_one() {
    let dir = tempfile::tempdir().unwrap();
    let market_date = date::parse("2026-11-27").unwrap();
    generate(&GenerateRequest { market_date, ..small(5, 2, dir.path()) }).unwrap();
    let day = fs::read_to_string(dir.path().join("day.toml")).unwrap();
    assert!(day.contains("2026-11-27T13:00:00-05:00") && day.contains("2026-11-27T13:15:00-05:00"), "{day}");
    let closed = GenerateRequest { market_date: date::parse("2026-11-26").unwrap(), ..small(5, 2, dir.path()) };
    assert!(generate(&closed).unwrap_err().to_string().contains("2026-11-26"));
}

#[test]
fn a_universe_comes_in_parts() {
    let dir = tempfile::tempdir().unwrap();
    let request = GenerateRequest { underlyings: 3, ..GenerateRequest::universe(1, dir.path()) };
    // The two names after the first index class keep this small enough for a test.
    let summary = generate(&request).unwrap();
    assert!(summary.series > 20_000 && summary.parts >= 1, "{summary:?}");
    assert!(dir.path().join("quotes-0001.parquet").exists() && !dir.path().join("quotes.parquet").exists());
}

#[test]
fn a_share_of_the_universe_has_every_index_class_and_an_even_choice_of_the_other_names() {
    let dir = tempfile::tempdir().unwrap();
    let request = GenerateRequest { underlyings: 60, percent: 4, ..GenerateRequest::universe(1, dir.path()) };
    let summary = generate(&request).unwrap();
    // Five index classes, and two of the sixty; of 100,000 series of the classes 4 %.
    assert_eq!(summary.underlyings, 7);
    assert!((3_000..8_000).contains(&summary.series), "{summary:?}");
    assert!(generate(&GenerateRequest { percent: 0, ..request }).is_err());
}
