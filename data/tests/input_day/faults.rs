//! What input faults do: a row goes to the exceptions, a folder that cannot be trusted is refused in one line.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use closemark_data::input::{Embedded, ReadOptions, read_day, write_day};
use proptest::prelude::*;

use crate::small::{CALL, PUT, at, read, reasons, small_day};

#[test]
fn faulty_rows_become_exceptions_and_the_day_goes_on() {
    let good = "2026-11-20T20:59:00Z";
    let cases: Vec<(&str, String)> = vec![
        ("MALFORMED_SYMBOL", format!("NOT A SYMBOL,C,1,1,2,1,{good}")),
        ("MALFORMED_SYMBOL", format!("XYZ   261318C00100000,C,1,1,2,1,{good}")),
        ("MALFORMED_SYMBOL", format!("{},C,1,1,2,1,{good}", "X".repeat(70))),
        ("MALFORMED_ROW", format!("{PUT},C,1,1,2,1")),
        ("MALFORMED_ROW", format!("{PUT},C,1,-1,2,1,{good}")),
        ("MALFORMED_ROW", format!("{PUT},C,1,1,2,1,noon")),
        ("UNKNOWN_VENUE", format!("{PUT},XZZZ,1,1,2,1,{good}")),
        ("UNKNOWN_ROOT", format!("ABCDEF261218C00100000,C,1,1,2,1,{good}")),
        ("BAD_PRICE", format!("{PUT},C,NaN,1,2,1,{good}")),
        ("BAD_PRICE", format!("{PUT},C,-1,1,2,1,{good}")),
        ("BAD_PRICE", format!("{PUT},C,1,1,10000000.000001,1,{good}")),
        ("BAD_PRICE", format!("{PUT},C,1,1,one,1,{good}")),
        ("EXPIRED_SERIES", format!("XYZ   261113C00100000,C,1,1,2,1,{good}")),
        ("NO_UNDERLYING_PRICE", format!("QQQ   261218C00100000,C,1,1,2,1,{good}")),
        ("DUPLICATE_QUOTE", format!("{CALL},C,1,1,2,1,{good}")),
    ];
    for (reason, line) in cases {
        let dir = tempfile::tempdir().unwrap();
        write_day(dir.path(), &small_day()).unwrap();
        fs::remove_file(dir.path().join("quotes.parquet")).unwrap();
        let header = "osi_symbol,venue,bid,bid_size,ask,ask_size,quote_time\n";
        let healthy = format!("{CALL},C,1,1,2,1,{good}\n");
        fs::write(dir.path().join("quotes.csv"), format!("{header}{healthy}{line}\n")).unwrap();
        let day = read(dir.path()).unwrap();
        assert_eq!(reasons(&day), [reason], "{line}");
        assert_eq!((day.rows_read, day.rows_dropped), (2, 1), "{line}");
        assert_eq!(day.exceptions[0].stage, "input");
        let stock = day.underlyings.iter().find(|u| u.underlying == "XYZ").unwrap();
        assert_eq!(stock.quotes_of(0).len(), 1, "{line}");
    }
}

#[test]
fn a_symbol_that_is_no_text_is_refused_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    write_day(dir.path(), &small_day()).unwrap();
    fs::remove_file(dir.path().join("quotes.parquet")).unwrap();
    let mut text = b"osi_symbol,venue,bid,bid_size,ask,ask_size,quote_time\n".to_vec();
    // 30 bytes that each become three when they are shown: longer than any symbol may be.
    text.extend([0xff; 30]);
    text.extend(b",C,1,1,2,1,2026-11-20T20:59:00Z\n");
    text.extend(format!("{CALL},C,1,1,2,1,2026-11-20T20:59:00Z\n").as_bytes());
    fs::write(dir.path().join("quotes.csv"), text).unwrap();
    let day = read(dir.path()).unwrap();
    assert_eq!(reasons(&day), ["MALFORMED_SYMBOL"]);
    assert_eq!((day.rows_read, day.rows_dropped), (2, 1));
}

#[test]
fn terms_that_contradict_their_slice_become_exceptions() {
    // What the series of one expiry say of themselves, and which of them are left out for it.
    let same = ",american,PM,100,USD";
    type Case<'a> = ([&'a str; 3], &'a [(usize, &'a str, &'a str)]);
    let cases: [Case<'_>; 5] = [
        ([same, same, same], &[]),
        ([same, same, ",european,PM,100,USD"], &[(2, "exercise_style", "european")]),
        ([",american,PM,10,USD", same, same], &[(0, "multiplier", "10")]),
        ([same, ",american,PM,100,EUR", same], &[(1, "currency", "EUR")]),
        // All three differ: the first in canonical order speaks for the slice.
        (
            [same, ",european,PM,100,USD", "2026-12-18T20:00:00Z,american,PM,100,USD"],
            &[(1, "exercise_style", "european"), (2, "expiration_time", "2026-12-18T20:00:00Z")],
        ),
    ];
    let symbols = ["XYZ   261218C00090000", "XYZ   261218C00100000", "XYZ   261218P00100000"];
    for (terms, left_out) in cases {
        let dir = tempfile::tempdir().unwrap();
        write_day(dir.path(), &small_day()).unwrap();
        fs::remove_file(dir.path().join("quotes.parquet")).unwrap();
        let mut series =
            String::from("osi_symbol,expiration_time,exercise_style,settlement,multiplier,currency,deliverable\n");
        let mut quotes = String::from("osi_symbol,venue,bid,bid_size,ask,ask_size,quote_time\n");
        for (symbol, terms) in symbols.iter().zip(terms) {
            series += &format!("{symbol},{terms},100 XYZ\n");
            quotes += &format!("{symbol},C,1,1,2,1,2026-11-20T20:59:00Z\n");
        }
        fs::write(dir.path().join("series.csv"), series).unwrap();
        fs::write(dir.path().join("quotes.csv"), quotes).unwrap();
        let day = read(dir.path()).unwrap();
        let found: Vec<(&str, &str, &str, &str)> = day
            .exceptions
            .iter()
            .map(|e| {
                let text = |field: &Option<String>| field.as_deref().unwrap_or_default().to_owned();
                assert_eq!(e.reason, "CONTRADICTING_TERMS", "{}", text(&e.before));
                (e.reason, e.osi_symbol.as_deref().unwrap(), e.field.as_deref().unwrap(), e.before.as_deref().unwrap())
            })
            .collect();
        let expected: Vec<(&str, &str, &str, &str)> = left_out
            .iter()
            .map(|(place, field, value)| ("CONTRADICTING_TERMS", symbols[*place], *field, *value))
            .collect();
        assert_eq!(found, expected, "{terms:?}");
        assert_eq!(day.rows_dropped, left_out.len() as u64);
        let kept: usize = day.underlyings.iter().map(|u| u.series.len()).sum();
        assert_eq!(kept, 3 - left_out.len());
        for (index, series) in day.underlyings.iter().flat_map(|u| u.series.iter().enumerate()) {
            assert_eq!(day.underlyings[0].quotes_of(index).len(), 1, "{}", series.osi_symbol);
        }
    }
}

#[test]
fn a_described_symbol_longer_than_any_may_be_is_an_exception() {
    let dir = tempfile::tempdir().unwrap();
    write_day(dir.path(), &small_day()).unwrap();
    let symbol = "X".repeat(65);
    fs::write(dir.path().join("series.csv"), format!("osi_symbol,underlying\n{symbol},XYZ\n")).unwrap();
    let day = read(dir.path()).unwrap();
    assert_eq!(reasons(&day), ["MALFORMED_SYMBOL"]);
    assert_eq!(day.exceptions[0].osi_symbol.as_deref().map(|s| &s[..40]), Some(&symbol[..40]));
}

#[test]
fn fatal_faults_are_one_line_with_file_row_column_value_and_what_is_allowed() {
    type Damage = Box<dyn Fn(&Path)>;
    let write = |name: &'static str, text: &'static str| -> Damage {
        Box::new(move |dir: &Path| fs::write(dir.join(name), text).unwrap())
    };
    let remove =
        |name: &'static str| -> Damage { Box::new(move |dir: &Path| fs::remove_file(dir.join(name)).unwrap()) };
    let cases: Vec<(Damage, &[&str])> = vec![
        (remove("day.toml"), &["day.toml", "is missing"]),
        (remove("quotes.parquet"), &["quotes.parquet", "is missing", "quotes.csv"]),
        (remove("underlyings.csv"), &["underlyings.csv", "is missing"]),
        (write("quotes.parquet", "PAR1 no parquet PAR1"), &["quotes.parquet", "no readable Parquet"]),
        (write("quotes.csv", "osi_symbol\n"), &["quotes.parquet", "stands beside"]),
        (write("underlyings.csv", "underlying\nXYZ\n"), &["underlyings.csv", "column `price`", "is missing"]),
        (
            write("underlyings.csv", "underlying,price\nXYZ,1\nABC,2\nXYZ,3\n"),
            &["underlyings.csv: row 3: column `underlying`: `XYZ` is not allowed: each underlying once"],
        ),
        (
            write("rates.csv", "tenor_days,zero_rate\n30,0.05\n60,five\n"),
            &["rates.csv: row 2: column `zero_rate`: `five` is not allowed: a fraction"],
        ),
        (write("rates.csv", "tenor_days,zero_rate\n30,0.05\n30,0.06\n"), &["rates.csv", "each tenor once"]),
        (
            write("day.toml", "market_date = \"2026-11-21\"\nsnapshot = \"2026-11-21T16:00:00-05:00\"\n"),
            &["day.toml", "`2026-11-21T16:00:00-05:00` is not allowed", "the market is closed"],
        ),
        (write("day.toml", "market_date = 7\n"), &["day.toml: column `market_date`: `7` is not allowed: a date"]),
        (write("day.toml", "market_date = = 2026\nsnapshot\n"), &["day.toml: no TOML"]),
        (write("day.toml", "market_date = \"2026-11-20\"\n"), &["day.toml: column `snapshot`"]),
        (
            write(
                "day.toml",
                "market_date = \"2026-11-20\"\nsnapshot = \"2026-11-20T16:00:00-05:00\"\ncalender = \"us\"\n",
            ),
            &["day.toml: column `calender`", "calendar"],
        ),
        (
            write(
                "day.toml",
                "market_date = \"2026-11-20\"\nsnapshot = \"2026-11-20T16:00:00-05:00\"\ncalendar = \"mars\"\n",
            ),
            &["day.toml: column `calendar`: `", "mars"],
        ),
        (
            write(
                "day.toml",
                "market_date = \"2026-11-20\"\nsnapshot = \"2026-11-20T16:00:00-05:00\"\n[settings.smoothing]\nlambda = 3\n",
            ),
            &["day.toml: column `settings`", "smoothing.lambda"],
        ),
        (
            write("day.toml", "market_date = \"2026-11-26\"\nsnapshot = \"2026-11-26T16:00:00-05:00\"\n"),
            &["day.toml", "`2026-11-26T16:00:00-05:00` is not allowed", "the market is closed"],
        ),
        (
            write("day.toml", "market_date = \"2026-11-20\"\nsnapshot = \"2026-11-19T16:00:00-05:00\"\n"),
            &["day.toml: column `snapshot`: `2026-11-19T16:00:00-05:00` is not allowed"],
        ),
        (write("quotes.parquet", ""), &["quotes.parquet", "no readable Parquet"]),
        (write("series.csv", "underlying\nXYZ\n"), &["series.csv", "column `osi_symbol`", "is missing"]),
        (write("dividends.csv", "underlying,ex_date\n"), &["dividends.csv", "column `amount`", "is missing"]),
        (write("rates.csv", "tenor_days\n30\n"), &["rates.csv", "column `zero_rate`", "is missing"]),
        (write("rates.csv", "tenor_days,zero_rate\n"), &["rates.csv", "has no row"]),
        (write("corporate_actions.csv", "underlying\n"), &["corporate_actions.csv", "is missing"]),
        (
            Box::new(|dir: &Path| {
                fs::remove_file(dir.join("quotes.parquet")).unwrap();
                fs::write(dir.join("quotes.csv"), "osi_symbol,venue,bid\n").unwrap();
            }),
            &["quotes.csv: column `bid_size`", "is missing"],
        ),
        (
            // What a path names may be no file at all.
            Box::new(|dir: &Path| {
                fs::remove_file(dir.join("underlyings.csv")).unwrap();
                fs::create_dir(dir.join("underlyings.csv")).unwrap();
            }),
            &["underlyings.csv"],
        ),
    ];
    for (damage, said) in cases {
        let dir = tempfile::tempdir().unwrap();
        write_day(dir.path(), &small_day()).unwrap();
        damage(dir.path());
        let error = read(dir.path()).unwrap_err().to_string();
        assert!(said.iter().all(|part| error.contains(part)), "{error} lacks {said:?}");
        assert!(!error.contains('\n'), "{error}");
    }
}

#[test]
fn a_mistyped_parquet_column_is_named_with_its_type() {
    use arrow::array::{ArrayRef, RecordBatch, StringArray};
    use std::sync::Arc;
    let dir = tempfile::tempdir().unwrap();
    write_day(dir.path(), &small_day()).unwrap();
    let text: ArrayRef = Arc::new(StringArray::from(vec!["1"]));
    let names = ["osi_symbol", "venue", "bid", "bid_size", "ask", "ask_size", "quote_time"];
    let batch = RecordBatch::try_from_iter(names.map(|name| (name, text.clone()))).unwrap();
    let file = fs::File::create(dir.path().join("quotes.parquet")).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let error = read(dir.path()).unwrap_err().to_string();
    assert!(error.contains("quotes.parquet: column `bid`: `Utf8` is not allowed: a decimal"), "{error}");
}

/// Floating prices of other producers take a road of their own, to the same reasons as text.
#[test]
fn faulty_prices_in_parquet_become_exceptions() {
    use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampNanosecondArray};
    use std::sync::Arc;
    let bids = [f64::NAN, f64::INFINITY, -0.01, 10_000_000.01, 1.0];
    let times = vec![at("2026-11-20T20:59:00Z").unwrap().0; bids.len()];
    let rows = |value: f64| -> ArrayRef { Arc::new(Float64Array::from(vec![value; bids.len()])) };
    let venues: ArrayRef = Arc::new(StringArray::from(vec!["A", "C", "H", "N", "Q"]));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("osi_symbol", Arc::new(StringArray::from(vec![CALL; bids.len()]))),
        ("venue", venues),
        ("bid", Arc::new(Float64Array::from(bids.to_vec()))),
        ("bid_size", rows(1.0)),
        ("ask", rows(2.0)),
        ("ask_size", rows(1.0)),
        ("quote_time", Arc::new(TimestampNanosecondArray::from(times))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let dir = tempfile::tempdir().unwrap();
    write_day(dir.path(), &small_day()).unwrap();
    let file = fs::File::create(dir.path().join("quotes.parquet")).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let day = read(dir.path()).unwrap();
    assert_eq!(reasons(&day), ["BAD_PRICE"; 4]);
    assert_eq!((day.rows_read, day.rows_dropped), (5, 4));
    let stock = day.underlyings.iter().find(|u| u.underlying == "XYZ").unwrap();
    assert_eq!(stock.quotes_of(0).len(), 1);
}

#[test]
fn faulty_reference_rows_become_exceptions_and_the_day_goes_on() {
    let cases = [
        ("underlyings.csv", "underlying,price\nXYZ,99.5\nSPX,5990.25\nQQQ,NaN\n"),
        ("underlyings.csv", "underlying,price\nXYZ,99.5\nSPX,5990.25\nQQQ,-1\n"),
        ("underlyings.csv", "underlying,price\nXYZ,99.5\nSPX,5990.25\nQQQ,10000000.01\n"),
        ("underlyings.csv", "underlying,price\nXYZ,99.5\nSPX,5990.25\nQQQ\n"),
        ("dividends.csv", "underlying,ex_date,amount,status\nXYZ,2026-12-01,0.5,perhaps\n"),
        ("dividends.csv", "underlying,ex_date,amount,status\nXYZ,2026-12-32,0.5,declared\n"),
        ("dividends.csv", "underlying,ex_date,amount,status\nXYZ,2026-12-01,-0.5,declared\n"),
        ("corporate_actions.csv", "underlying,effective_date,kind,ratio,amount\nXYZ,2026-11-20,split,,\n"),
        ("series.csv", "osi_symbol,multiplier\nXYZ   261218C00100000,many\n"),
    ];
    for (file, text) in cases {
        let dir = tempfile::tempdir().unwrap();
        write_day(dir.path(), &small_day()).unwrap();
        fs::write(dir.path().join(file), text).unwrap();
        let day = read(dir.path()).unwrap();
        assert_eq!(day.exceptions.len(), 1, "{text}: {:?}", reasons(&day));
        assert_eq!(day.exceptions[0].stage, "input", "{text}");
        assert_eq!(day.underlyings.len(), 2, "{text}");
    }
}

fn embedded(files: &[(&str, Vec<u8>)]) -> Embedded {
    Embedded(files.iter().map(|(name, bytes)| ((*name).to_owned(), Bytes::from(bytes.clone()))).collect())
}

const HEAD: &[u8] = b"market_date = \"2026-11-20\"\nsnapshot = \"2026-11-20T16:00:00-05:00\"\n";

proptest! {
    #[test]
    fn any_csv_bytes_are_survived(
        underlyings in prop::collection::vec(any::<u8>(), 0..60),
        tail in "([\"\r\n,;.:a-zA-Z0-9 -]|XYZ|2026-11-20|XCBO){0,80}",
        quotes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let with = |head: &str, tail: &[u8]| [head.as_bytes(), tail].concat();
        let source = embedded(&[
            ("day.toml", HEAD.to_vec()),
            ("underlyings.csv", with("underlying,price\nXYZ,100\n", &underlyings)),
            ("series.csv", with("osi_symbol,underlying,expiration,strike,option_type,deliverable,expected\n", tail.as_bytes())),
            ("dividends.csv", with("underlying,ex_date,amount,status\n", tail.as_bytes())),
            ("quotes.csv", with("osi_symbol,venue,bid,bid_size,ask,ask_size,quote_time,sequence\nXYZ   261218C00100000,C,", &quotes)),
        ]);
        let _ = read_day(&source, &ReadOptions::default());
    }

    #[test]
    fn damaged_parquet_is_survived(places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12), cut: prop::sample::Index, truncate: bool) {
        static WHOLE: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| {
            let dir = tempfile::tempdir().unwrap();
            write_day(dir.path(), &small_day()).unwrap();
            fs::read(dir.path().join("quotes.parquet")).unwrap()
        });
        let mut bytes = WHOLE.clone();
        for (place, value) in &places {
            let at = place.index(bytes.len());
            bytes[at] = *value;
        }
        if truncate {
            bytes.truncate(cut.index(bytes.len()));
        }
        let source = embedded(&[
            ("day.toml", HEAD.to_vec()),
            ("underlyings.csv", b"underlying,price\nXYZ,100\nSPX,6000\n".to_vec()),
            ("quotes.parquet", bytes),
        ]);
        if let Err(error) = read_day(&source, &ReadOptions::default()) {
            prop_assert!(error.to_string().starts_with("quotes.parquet"), "{error}");
        }
    }
}
