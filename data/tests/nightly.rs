//! A published close read back: risk arrays, their verification, margin, and the nightly files.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use closemark_data::date;
use closemark_data::export::{ExportFormat, ExportRequest, PRICE_COLUMNS, RISK_COLUMNS, export};
use closemark_data::margin::{CloseData, MarginError, built_in_groups, margin, read_positions};
use closemark_data::publication::read::{MarkRow, OpenRun, RiskArrayRow, open_current, read_marks, read_risk_arrays};
use closemark_data::publication::{PublicationRequest, publish};
use closemark_data::verify::{Kind, VerifyReport, verify};
use closemark_pricing::mark::UnderlyingMarks;
use closemark_pricing::price::Price;
use support::{close, publish_close, request};

fn published(out: &Path) -> (OpenRun, Vec<MarkRow>, Vec<RiskArrayRow>) {
    let (day, marks) = close();
    publish_close(out, &day, &marks);
    let run = open_current(out, None).unwrap();
    let marks = read_marks(&run.folder, None).unwrap();
    let arrays = read_risk_arrays(&run.folder, None).unwrap();
    (run, marks, arrays)
}

#[test]
fn every_marked_series_has_its_array() {
    let out = tempfile::tempdir().unwrap();
    let (run, marks, arrays) = published(out.path());
    assert_eq!(run.manifest.totals.risk_arrays, arrays.len() as u64);
    let mut symbols: Vec<&str> = marks.iter().filter(|m| m.mark.is_some()).map(|m| m.osi_symbol.as_str()).collect();
    symbols.sort_unstable();
    assert_eq!(symbols, arrays.iter().map(|a| a.osi_symbol.as_str()).collect::<Vec<_>>());
    let report = verify(&run.folder).unwrap();
    assert!(report.holds(), "{:#?}", report.violations);
    // The stock at 100.25 falls to 85.2125: a put of strike 100 expiring now is then worth 14.7875.
    let put = arrays.iter().find(|a| a.osi_symbol == "ABC   261120P00100000").unwrap();
    assert_eq!((put.points[0].to_string().as_str(), put.mark), ("1478.750000", Price::ZERO));
    assert_eq!(put.minimum_charge.to_string(), "37.500000");
}

/// A close published with arrays that `plant` has changed.
fn planted(plant: impl FnOnce(&mut Vec<UnderlyingMarks>), settings: &str) -> VerifyReport {
    let out = tempfile::tempdir().unwrap();
    let (day, mut marks) = close();
    plant(&mut marks);
    let request = PublicationRequest { settings_text: settings, ..request(&day, &marks) };
    verify(&publish(&request, out.path()).unwrap().folder).unwrap()
}

#[test]
fn what_does_not_fit_is_found() {
    let nudge = |series: usize, point: usize, by: i64| {
        planted(
            |marks| {
                let array = marks[0].risk_arrays[series].as_mut().unwrap();
                array.points[point] = Price::from_micros(array.points[point].micros() + by);
            },
            support::SETTINGS,
        )
    };
    assert!(nudge(30, 3, 0).holds());
    // A point no whole number of millionths per share; one below exercise; one out of order.
    assert_eq!(nudge(30, 3, 1).count(Kind::Arithmetic), 1);
    assert_eq!(nudge(18, 9, -100).count(Kind::Intrinsic), 1);
    assert!(nudge(18, 9, -2_000_000_000).count(Kind::Vertical) >= 1);
    let missing = planted(|marks| marks[0].risk_arrays[5] = None, support::SETTINGS);
    assert_eq!(missing.count(Kind::Slice), 1, "{:?}", missing.violations);
    let held = planted(|marks| marks[0].risk_arrays[30].as_mut().unwrap().volatility = Some(0.3), support::SETTINGS);
    assert_eq!(held.count(Kind::Slice), 1);
    // Ranges and charges are those of the settings.
    let settings = |equity: &str, charge: &str| {
        format!("[risk]\narrays = true\nequity_range = {equity}\nminimum_charge = {charge}\n")
    };
    assert!(planted(|_| {}, &settings("0.15", "0.375")).holds());
    assert!(planted(|_| {}, &settings("0.2", "0.375")).count(Kind::Bounds) > 0);
    assert!(planted(|_| {}, &settings("0.15", "0.5")).count(Kind::Bounds) > 0);
    assert_eq!(planted(|_| {}, "[risk]\narrays = false\n").count(Kind::Manifest), 1);
}

#[test]
fn a_close_without_arrays_has_no_file_and_holds() {
    let out = tempfile::tempdir().unwrap();
    let (mut day, marks) = close();
    day.settings.risk.arrays = false;
    let text = "[risk]\narrays = false\n";
    let published = publish(&PublicationRequest { settings_text: text, ..request(&day, &marks) }, out.path()).unwrap();
    assert!(!published.folder.join("risk_arrays.parquet").exists());
    assert!(verify(&published.folder).unwrap().holds());
    let error = read_risk_arrays(&published.folder, None).unwrap_err().to_string();
    assert!(error.contains("without risk arrays"), "{error}");
    // Said to be there and not there.
    let text = "[risk]\narrays = true\n";
    let out = tempfile::tempdir().unwrap();
    let published = publish(&PublicationRequest { settings_text: text, ..request(&day, &marks) }, out.path()).unwrap();
    assert!(!verify(&published.folder).unwrap().holds());
}

#[test]
fn margin_reads_the_published_close() {
    let out = tempfile::tempdir().unwrap();
    let (run, _, arrays) = published(out.path());
    let text = "account,osi_symbol,underlying,quantity\n\
                A,ABC261220P00100000,,-2\nA,,ABC,100\nB,ABC   261120C00095000,,1\n";
    let positions = read_positions(text.as_bytes()).unwrap();
    let data = CloseData::read(&run.folder, &positions, "2026-11-20").unwrap();
    let report = margin(&positions, &data, &built_in_groups().unwrap());
    let put = arrays.iter().find(|a| a.osi_symbol == "ABC   261220P00100000").unwrap();
    // 100 shares lose 15.0375 each at the lowest point; two short puts lose what the array says.
    let worst = 1503.75 + 2.0 * put.points[0].to_f64();
    let of = |account: usize| report.accounts[account].requirement["USD"] as f64 / 1e6;
    assert!((of(0) - worst).abs() < 1e-9, "{} {worst}", of(0));
    // The call expiring now is worth 5.25, which is all it can lose.
    assert!((of(1) - 525.0).abs() < 1e-9);
    let bad = read_positions(b"account,osi_symbol,underlying,quantity\nA,NO,,1\nA,,NOT,1\n").unwrap();
    let Err(MarginError::Positions(faults)) = CloseData::read(&run.folder, &bad, "2026-11-20") else { panic!("read") };
    let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(lines[0], "row 2, column osi_symbol: \"NO\"; allowed is a series of the close of 2026-11-20");
    assert!(lines[1].starts_with("row 3, column underlying: \"NOT\"; allowed is an underlying with marked series"));
}

fn exported(run: &OpenRun, format: ExportFormat) -> Vec<(String, String)> {
    let to = tempfile::tempdir().unwrap();
    let files = export(&ExportRequest { run, format, to: to.path() }).unwrap();
    assert_eq!(fs::read_dir(to.path()).unwrap().count(), files.len());
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    files.iter().map(|f| (name(&f.path), fs::read_to_string(&f.path).unwrap())).collect()
}

#[test]
fn csv_files_say_what_the_close_says() {
    let out = tempfile::tempdir().unwrap();
    let (run, marks, arrays) = published(out.path());
    let files = exported(&run, ExportFormat::Csv);
    assert_eq!(files[0].0, "closemark-2026-11-20-prices.csv");
    assert_eq!(files[1].0, "closemark-2026-11-20-risk-arrays.csv");
    let mut reader = csv::Reader::from_reader(files[0].1.as_bytes());
    assert_eq!(reader.headers().unwrap().iter().collect::<Vec<_>>(), PRICE_COLUMNS);
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), marks.len());
    for (row, mark) in rows.iter().zip(&marks) {
        assert_eq!((&row[0], &row[1], &row[3]), ("2026-11-20", mark.osi_symbol.as_str(), mark.underlying.as_str()));
        assert_eq!(row[7], date::to_text(mark.expiration));
        assert_eq!(row[9].parse::<f64>().unwrap(), mark.mark.unwrap().to_f64());
        let american = mark.exercise_style.as_str() == "american";
        let kind = mark.option_type.as_str();
        assert_eq!(row[6], if american { format!("O{kind}ASPS") } else { format!("O{kind}EICS") });
    }
    let by_symbol: BTreeMap<&str, &RiskArrayRow> = arrays.iter().map(|a| (a.osi_symbol.as_str(), a)).collect();
    let mut reader = csv::Reader::from_reader(files[1].1.as_bytes());
    assert_eq!(reader.headers().unwrap().len(), RISK_COLUMNS.len() + 1);
    let mut count = 0;
    for row in reader.records() {
        let row = row.unwrap();
        let array = by_symbol[&row[1]];
        for (place, point) in array.points.iter().enumerate() {
            assert_eq!(row[16 + place].parse::<f64>().unwrap(), point.to_f64());
        }
        assert_eq!((&row[12], &row[13], &row[14]), ("-0.15", "0.15", "37.5"));
        count += 1;
    }
    assert_eq!(count, arrays.len());
    // The same close gives the same bytes.
    assert_eq!(files, exported(&run, ExportFormat::Csv));
}

#[test]
fn fixml_files_are_xml_and_say_the_same() {
    let out = tempfile::tempdir().unwrap();
    let (run, marks, arrays) = published(out.path());
    let files = exported(&run, ExportFormat::Fixml);
    let prices = roxmltree::Document::parse(&files[0].1).unwrap();
    let root = prices.root_element();
    assert_eq!((root.tag_name().name(), root.attribute("v")), ("FIXML", Some("5.0 SP2")));
    let messages: Vec<_> = prices
        .descendants()
        .filter(|n| n.has_tag_name((root.tag_name().namespace().unwrap(), "MktDataFull")))
        .collect();
    assert_eq!(messages.len(), marks.len());
    for (message, mark) in messages.iter().zip(&marks) {
        let child = |name: &str| message.children().find(|n| n.tag_name().name() == name).unwrap();
        let instrument = child("Instrmt");
        assert_eq!(instrument.attribute("ID"), Some(mark.osi_symbol.as_str()));
        assert_eq!(instrument.attribute("PutCall"), Some(if mark.option_type.as_str() == "C" { "1" } else { "0" }));
        assert_eq!(instrument.attribute("StrkPx").unwrap().parse::<f64>().unwrap(), mark.strike.to_f64());
        let full = child("Full");
        assert_eq!(full.attribute("Typ"), Some("6"));
        assert_eq!(full.attribute("Px").unwrap().parse::<f64>().unwrap(), mark.mark.unwrap().to_f64());
        assert_eq!(child("Undly").attribute("Sym"), Some(mark.underlying.as_str()));
    }
    let risk = roxmltree::Document::parse(&files[1].1).unwrap();
    let attributes: Vec<&str> = risk.descendants().filter_map(|n| n.attribute("Val")).collect();
    let points = attributes.iter().filter(|v| v.starts_with("point_")).count();
    assert_eq!(points, 10 * arrays.len());
}

#[test]
fn names_from_callers_are_inert_in_every_file() {
    let out = tempfile::tempdir().unwrap();
    let (mut day, marks) = close();
    day.underlyings[0].series[0].osi_symbol = "=HYPERLINK(\"x\")<&>".to_owned();
    day.underlyings[0].series.iter_mut().for_each(|s| s.root = "@A".to_owned());
    publish_close(out.path(), &day, &marks);
    let run = open_current(out.path(), None).unwrap();
    for (_, text) in exported(&run, ExportFormat::Csv) {
        for row in csv::Reader::from_reader(text.as_bytes()).records() {
            let row = row.unwrap();
            assert!(!row[1].starts_with('=') && !row[2].starts_with('@'), "{row:?}");
        }
    }
    for (_, text) in exported(&run, ExportFormat::Fixml) {
        let document = roxmltree::Document::parse(&text).unwrap();
        assert!(document.descendants().any(|n| n.attribute("ID") == Some("=HYPERLINK(\"x\")<&>")));
    }
}
