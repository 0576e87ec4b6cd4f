//! Faults of an input folder as a scheduler meets them: the exit code, one line on standard error, what is published.

#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use closemark_data::date;
use closemark_data::input::{DayFiles, QuoteRow, RateRow, UnderlyingRow, write_day};
use closemark_data::time;
use closemark_pricing::price::Price;

/// A stock at 100 with calls and puts around it, worth their exercise value and a little more.
fn stock_day() -> DayFiles {
    let quote = |strike: u32, letter: char| {
        let worth = f64::from(if letter == 'C' { 100_u32.saturating_sub(strike) } else { strike.saturating_sub(100) });
        QuoteRow {
            osi_symbol: format!("XYZ   261218{letter}{:08}", strike * 1000),
            venue: "XCBO".to_owned(),
            bid: Price::nearest(worth + 1.9),
            bid_size: Some(10),
            ask: Price::nearest(worth + 2.1),
            ask_size: Some(10),
            quote_time: time::parse("2026-11-20T20:59:00Z"),
            sequence: None,
        }
    };
    DayFiles {
        market_date: date::parse("2026-11-20").unwrap(),
        snapshot: "2026-11-20T16:00:00-05:00".to_owned(),
        quotes: [98, 99, 100, 101, 102].into_iter().flat_map(|k| [quote(k, 'C'), quote(k, 'P')]).collect(),
        underlyings: vec![UnderlyingRow {
            underlying: "XYZ".to_owned(),
            price: Price::nearest(100.0),
            ..UnderlyingRow::default()
        }],
        rates: vec![RateRow { tenor_days: 30.0, zero_rate: 0.04 }],
        ..DayFiles::default()
    }
}

fn close(input: &Path, out: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_closemark"))
        .args(["close", "--threads", "1", "--input"])
        .arg(input)
        .arg("--out")
        .arg(out)
        .output()
        .unwrap()
}

#[test]
fn fatal_faults_exit_1_with_one_line_and_publish_nothing() {
    type Damage = fn(&Path);
    let cases: &[(&str, Damage)] = &[
        ("day.toml: is missing", |dir| fs::remove_file(dir.join("day.toml")).unwrap()),
        ("day.toml: no TOML", |dir| fs::write(dir.join("day.toml"), "market_date = =\n[\n").unwrap()),
        ("the market is closed", |dir| {
            let text = "market_date = \"2026-11-22\"\nsnapshot = \"2026-11-22T16:00:00-05:00\"\n";
            fs::write(dir.join("day.toml"), text).unwrap();
        }),
        ("quotes.parquet: is missing", |dir| fs::remove_file(dir.join("quotes.parquet")).unwrap()),
        ("quotes.parquet", |dir| fs::write(dir.join("quotes.parquet"), [0xff_u8; 300]).unwrap()),
        ("underlyings.csv: is missing", |dir| fs::remove_file(dir.join("underlyings.csv")).unwrap()),
        ("column `price`", |dir| fs::write(dir.join("underlyings.csv"), "underlying\nXYZ\n").unwrap()),
        ("each underlying once", |dir| {
            fs::write(dir.join("underlyings.csv"), "underlying,price\nXYZ,100\nXYZ,101\n").unwrap();
        }),
        ("row 1: column `zero_rate`: `4 %`", |dir| {
            fs::write(dir.join("rates.csv"), "tenor_days,zero_rate\n30,4 %\n").unwrap();
        }),
        // An American name says nothing about rates, and nothing else does.
        ("rates.csv is absent", |dir| fs::remove_file(dir.join("rates.csv")).unwrap()),
    ];
    for (says, damage) in cases {
        let folder = tempfile::tempdir().unwrap();
        let (input, out) = (folder.path().join("in"), folder.path().join("out"));
        write_day(&input, &stock_day()).unwrap();
        damage(&input);
        let done = close(&input, &out);
        let said = String::from_utf8(done.stderr).unwrap();
        assert_eq!(done.status.code(), Some(1), "{says}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.contains(says), "{said} lacks {says}");
        assert!(!out.exists(), "{says}");
    }
}

/// The runs of the only date under `out`, and whether one of them counts.
fn published(out: &Path) -> (usize, bool) {
    let date = out.join("date=2026-11-20");
    let runs = fs::read_dir(&date).unwrap().filter(|e| {
        let name = e.as_ref().unwrap().file_name();
        name.to_string_lossy().starts_with("run=")
    });
    (runs.count(), date.join("CURRENT").exists())
}

#[test]
fn faulty_rows_are_dropped_and_too_many_of_them_hold_the_close() {
    let folder = tempfile::tempdir().unwrap();
    for (bad_rows, held) in [(0, false), (1, true)] {
        let (input, out) = (folder.path().join(format!("in{bad_rows}")), folder.path().join(format!("out{bad_rows}")));
        let mut day = stock_day();
        // A day this small is judged by the share of its rows dropped alone.
        day.settings_toml = Some(
            "[settings.gates]\ncoverage_min = 0.0\nnon_converged_max = 1.0\ninside_min = 0.0\ndropped_rows_max = 0.05\n"
                .to_owned(),
        );
        for _ in 0..bad_rows {
            let row = QuoteRow { osi_symbol: "NO SYMBOL AT ALL".to_owned(), ..day.quotes[0].clone() };
            day.quotes.push(row);
        }
        write_day(&input, &day).unwrap();
        let done = close(&input, &out);
        let said = String::from_utf8_lossy(&done.stderr).into_owned() + &String::from_utf8_lossy(&done.stdout);
        assert_eq!(done.status.code(), Some(if held { 2 } else { 0 }), "{said}");
        assert_eq!(published(&out), (1, !held), "{said}");
    }
}
