//! The importers on the real files beside the project: counts and facts that `data/README.md` states.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are tests")]

use std::io::Write as _;
use std::path::{Path, PathBuf};

use closemark_data::day::Day;
use closemark_data::import::{ImportFormat, ImportRequest, ImportSummary, built_in_map, run};
use closemark_data::input::{Folder, ReadOptions, read_day};
use closemark_data::{date, time};
use closemark_pricing::day::DividendKnowledge;
use closemark_pricing::price::Price;
use closemark_pricing::vocabulary::{ExerciseStyle, OptionType, Settlement};

/// The folder of real data; where it is absent the test passes over itself, but not on the build server.
fn real_data() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let folder = std::env::var_os("CLOSEMARK_REAL_DATA").map_or_else(beside, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    // Past the harness, which keeps what passing tests print to itself.
    let _ = writeln!(std::io::stderr(), "passed over: no real data in {}", folder.display());
    assert!(std::env::var("CI").as_deref() != Ok("true"), "real data is missing under CI=true");
    None
}

fn request(format: ImportFormat, inputs: Vec<PathBuf>) -> ImportRequest {
    ImportRequest {
        format,
        inputs,
        out: PathBuf::new(),
        prices: Vec::new(),
        dividends: None,
        rates: Vec::new(),
        flat_rate: None,
        map: None,
        filters: Vec::new(),
    }
}

fn import(mut request: ImportRequest) -> (ImportSummary, Day) {
    let dir = tempfile::tempdir().unwrap();
    request.out = dir.path().join("day");
    let summary = run(&request).unwrap();
    let day = read_day(&Folder(request.out), &ReadOptions::default()).unwrap();
    assert_eq!(
        day.exceptions.len(),
        day.exceptions.iter().filter(|e| e.reason == "DUPLICATE_QUOTE").count(),
        "{:?}",
        day.exceptions.first()
    );
    (summary, day)
}

fn series_count(day: &Day) -> usize {
    day.underlyings.iter().map(|u| u.series.len()).sum()
}

fn price(units: f64) -> Option<Price> {
    Price::nearest(units)
}

#[test]
fn cboe_chains_of_2023_09_14() {
    let Some(data) = real_data() else { return };
    for (file, name, style, print) in [
        ("20230914_spx_quotedata.csv", "SPX", ExerciseStyle::European, 4505.1001),
        ("20230914_xsp_quotedata.csv", "XSP", ExerciseStyle::European, 450.51),
        ("20230914_spy_quotedata.csv", "SPY", ExerciseStyle::American, 450.82),
    ] {
        let path = data.join("cboe_quotedata").join(file);
        // Independent of the importer: every row below the header has a call and a put.
        let text = std::fs::read_to_string(&path).unwrap();
        let rows = text.lines().skip_while(|l| !l.starts_with("Expiration")).skip(1).filter(|l| !l.is_empty()).count();
        let (summary, day) = import(request(ImportFormat::CboeQuotedata, vec![path]));
        assert_eq!((summary.quotes as usize, summary.rows_skipped), (2 * rows, 0), "{file}");
        assert_eq!(series_count(&day), 2 * rows, "{file}");
        let [own] = day.underlyings.as_slice() else { panic!("{file}: one underlying") };
        assert_eq!((own.underlying.as_str(), own.price), (name, price(print)));
        assert!(own.series.iter().all(|s| s.exercise_style == style));
        let clock = if style == ExerciseStyle::European { "16:15:00" } else { "16:00:00" };
        assert_eq!(day.snapshot_text, format!("2023-09-14T{clock}-04:00"));
        println!("{file}: {} series, {} expirations", series_count(&day), {
            let mut days: Vec<_> = own.series.iter().map(|s| (s.expiration, s.settlement)).collect();
            days.dedup();
            days.len()
        });
        if name == "SPX" {
            let settled = |root: &str| own.series.iter().find(|s| s.root == root).map(|s| s.settlement);
            assert_eq!((settled("SPX"), settled("SPXW")), (Some(Settlement::Am), Some(Settlement::Pm)));
            assert_eq!(own.settlement_price, price(4505.1001));
        }
    }
}

#[test]
fn lean_chains() {
    let Some(data) = real_data() else { return };
    let cases = [
        ("aapl_20140606.csv", "AAPL", 2352, 13, 645.57, "2014-06-06T16:00:00-04:00"),
        ("aapl_20140609.csv", "AAPL", 2180, 12, 93.70, "2014-06-09T16:00:00-04:00"),
        ("goog_20151223.csv", "GOOG", 2058, 11, 750.31, "2015-12-23T16:00:00-05:00"),
        ("goog_20151224_1300.csv", "GOOG", 2192, 12, 748.40, "2015-12-24T13:00:00-05:00"),
        ("twx_20140606_1600.csv", "TWX", 184, 5, 71.08, "2014-06-06T16:00:00-04:00"),
        ("nwsa_20130628_1600.csv", "NWSA", 260, 5, 32.6, "2013-06-28T16:00:00-04:00"),
        ("foxa_20130702_1600.csv", "FOXA", 186, 5, 29.25, "2013-07-02T16:00:00-04:00"),
    ];
    for (file, name, series, expirations, print, snapshot) in cases {
        let lean = data.join("lean");
        let mut request = request(ImportFormat::Lean, vec![lean.join(file)]);
        request.prices = vec![(String::new(), price(print).unwrap())];
        request.dividends = Some(lean.join("dividends_from_factor_files.csv"));
        request.rates = ["1MO", "3MO", "6MO", "1", "2", "5", "10", "30"]
            .map(|tenor| data.join("rates").join(format!("DGS{tenor}.csv")))
            .to_vec();
        let (summary, day) = import(request);
        assert_eq!(summary.rows_skipped, 0, "{file}: {:?}", summary.first_skipped);
        assert_eq!(series_count(&day), series, "{file}");
        assert_eq!(day.snapshot_text, snapshot);
        assert_eq!(summary.rates, 8);
        let own = &day.underlyings[0];
        let mut days: Vec<_> = own.series.iter().map(|s| s.expiration).collect();
        days.dedup();
        assert_eq!((own.underlying.as_str(), days.len()), (name, expirations), "{file}");
        assert!(day.curve.as_ref().is_some_and(|c| (0.0..0.05).contains(&c.zero_rate(1.0))));
        match name {
            "AAPL" => {
                assert_eq!(own.dividend_knowledge, DividendKnowledge::Scheduled);
                let next = own.dividends.first().unwrap();
                assert!(
                    !next.declared && (next.amount - if print > 600.0 { 3.29 } else { 0.47 }).abs() < 0.01,
                    "{next:?}"
                );
            }
            // The spin-off of the same evening is no cash.
            "TWX" => assert!(own.dividends.iter().all(|d| d.amount < 0.5), "{:?}", own.dividends),
            _ => {}
        }
        if file == "aapl_20140606.csv" {
            let today = date::parse("2014-06-06").unwrap();
            let expiring: Vec<_> = own.series.iter().filter(|s| s.expiration == today).collect();
            let mut strikes: Vec<_> = expiring.iter().map(|s| s.strike).collect();
            strikes.dedup();
            println!("{file}: {} series at {} strikes expire today", expiring.len(), strikes.len());
            assert!(expiring.iter().all(|s| s.time_to_expiry() == 0.0));
        }
    }
}

#[test]
fn half_day_times_are_new_york_milliseconds() {
    let Some(data) = real_data() else { return };
    let mut request = request(ImportFormat::Lean, vec![data.join("lean/goog_20151224_1300.csv")]);
    request.prices = vec![("GOOG".to_owned(), price(748.40).unwrap())];
    let (_, day) = import(request);
    let call = day.underlyings[0].series.iter().position(|s| s.osi_symbol == "GOOG  151224C00590000").unwrap();
    let quote = day.underlyings[0].quotes_of(call)[0];
    assert_eq!((quote.bid, quote.ask, quote.bid_size), (price(156.4), price(160.5), Some(1)));
    assert_eq!(quote.time, time::parse("2015-12-24T12:59:00-05:00"));
}

#[test]
fn all_334_us_names() {
    let Some(data) = real_data() else { return };
    let mut request = request(ImportFormat::Table, vec![data.join("us_equity_chains/eod_2026-08-19.parquet")]);
    request.map = Some(built_in_map("us_equity_chains").unwrap());
    request.rates = vec![data.join("rates/ust_curve_2025_20260821.json")];
    let (summary, day) = import(request);
    assert_eq!((summary.quotes, summary.underlyings, summary.rows_skipped), (290_037, 334, 0));
    assert_eq!(summary.rates, 5);
    assert_eq!((series_count(&day), day.underlyings.len()), (290_037, 334));
    assert_eq!(day.snapshot_text, "2026-08-19T16:00:00-04:00");
    let apple = day.underlyings.iter().find(|u| u.underlying == "AAPL").unwrap();
    assert_eq!(apple.price, price(316.829987));
    assert_eq!(apple.dividend_knowledge, DividendKnowledge::Unknown);
    let two_sided =
        day.underlyings.iter().flat_map(|u| &u.quotes).filter(|q| q.bid.is_some() && q.ask.is_some()).count();
    let zero_bid =
        day.underlyings.iter().flat_map(|u| &u.quotes).filter(|q| q.bid.is_none() && q.ask.is_some()).count();
    // Counted in the file itself by another reader.
    assert_eq!((two_sided, zero_bid), (232_854, 42_809));
}

#[test]
fn crypto_marks_in_undiscounted_dollars() {
    let Some(data) = real_data() else { return };
    let mut request = request(ImportFormat::Table, vec![data.join("crypto_marks/deribit_daily_2026-07.parquet")]);
    request.map = Some(built_in_map("crypto_marks").unwrap());
    request.out = std::env::temp_dir();
    let error = closemark_data::import::convert(&request).unwrap_err().to_string();
    assert!(error.contains("--filter"), "{error}");
    request.filters =
        vec![("underlying".to_owned(), "BTC".to_owned()), ("snapshot_utc".to_owned(), "2026-07-04*".to_owned())];
    let (summary, day) = import(request);
    assert_eq!(summary.rows_skipped, 0);
    assert_eq!(day.snapshot, time::parse("2026-07-04T12:24:07Z").unwrap());
    let [own] = day.underlyings.as_slice() else { panic!("one coin") };
    assert_eq!(summary.series as usize, own.series.len());
    let place = own.series.iter().position(|s| s.osi_symbol == "BTC-28AUG26-105000-C").unwrap();
    let series = &own.series[place];
    assert_eq!(
        (series.exercise_style, series.multiplier, series.option_type),
        (ExerciseStyle::European, 1, OptionType::Call)
    );
    assert_eq!(series.settlement_time, time::parse("2026-08-28T08:00:00Z").unwrap());
    // The README's rule by hand: 0.0002 coin at the median forward of that expiration, about 62,800.
    let bid = own.quotes_of(place)[0].bid.unwrap().to_f64();
    assert!((bid - 0.0002 * 62_800.0).abs() < 0.05, "{bid}");
    assert!(own.price.is_some_and(|p| (60_000.0..65_000.0).contains(&p.to_f64())));
    assert_eq!(day.curve.unwrap().discount_factor(1.0), 1.0);
}

#[test]
fn spx_of_2011() {
    let Some(data) = real_data() else { return };
    let mut request = request(ImportFormat::Table, vec![data.join("spx_2011/SPX-Options-24jan2011.csv")]);
    request.map = Some(built_in_map("spx_2011").unwrap());
    let (summary, day) = import(request);
    assert_eq!((summary.series, summary.rows_skipped), (2 * 960, 0), "{summary:?}");
    let own = &day.underlyings[0];
    assert_eq!((own.underlying.as_str(), own.price), ("SPX", price(1290.59)));
    // The README's rule: two-sided, out of the money, time-value ask at most 5 bid + 1.00.
    let spot = 1290.59;
    let mut count = 0;
    let mut expirations = std::collections::BTreeSet::new();
    for (place, series) in own.series.iter().enumerate() {
        let strike = series.strike.to_f64();
        let out = if series.option_type == OptionType::Call { strike >= spot } else { strike <= spot };
        let Some(quote) = own.quotes_of(place).first() else { continue };
        let (Some(bid), Some(ask)) = (quote.bid, quote.ask) else { continue };
        if out && ask.to_f64() <= 5.0 * bid.to_f64() + 1.0 + 1e-9 {
            count += 1;
            expirations.insert((series.expiration, series.settlement));
        }
    }
    println!("spx_2011: {count} quotes over {} expirations", expirations.len());
    assert_eq!((count, expirations.len()), (803, 15));
}
