//! The input folder: what is written is read, and every fault of DESIGN section 2 does what its table says.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are tests")]

use std::fs;
use std::path::Path;

use bytes::Bytes;
use closemark_data::date;
use closemark_data::day::Day;
use closemark_data::input::{
    CorporateActionRow, DayFiles, DividendRow, Embedded, Folder, InputError, QuoteRow, QuoteWriter, RateRow,
    ReadOptions, SeriesRow, UnderlyingRow, read_day, write_day,
};
use closemark_data::time;
use closemark_pricing::day::DividendKnowledge;
use closemark_pricing::price::Price;
use closemark_pricing::series::Instant;
use closemark_pricing::vocabulary::{ExerciseStyle, OptionType, Settlement};
use proptest::prelude::*;

const CALL: &str = "XYZ   261218C00100000";
const PUT: &str = "XYZ   261218P00100000";
const INDEX: &str = "SPXW  261218C06000000";

fn at(text: &str) -> Option<Instant> {
    Some(time::parse(text).unwrap())
}

fn price(units: f64) -> Option<Price> {
    Price::nearest(units)
}

fn quote(symbol: &str, venue: &str, bid: f64, ask: f64, time: &str) -> QuoteRow {
    QuoteRow {
        osi_symbol: symbol.to_owned(),
        venue: venue.to_owned(),
        bid: price(bid),
        bid_size: Some(10),
        ask: price(ask),
        ask_size: None,
        quote_time: at(time),
        sequence: None,
    }
}

fn small_day() -> DayFiles {
    let underlying = |name: &str, units: f64| UnderlyingRow {
        underlying: name.to_owned(),
        price: price(units),
        ..UnderlyingRow::default()
    };
    DayFiles {
        market_date: date::parse("2026-11-20").unwrap(),
        snapshot: "2026-11-20T16:00:00-05:00".to_owned(),
        snapshots: vec![("SPXW".to_owned(), "2026-11-20T16:15:00-05:00".to_owned())],
        quotes: vec![
            quote(CALL, "XCBO", 1.0, 1.2, "2026-11-20T20:00:00Z"),
            quote(CALL, "XCBO", 1.05, 1.15, "2026-11-20T20:59:59.999999999Z"),
            quote(CALL, "XCBO", 9.0, 9.1, "2026-11-20T21:00:00.000000001Z"),
            quote(CALL, "A", 1.0, 1.1, "2026-11-20T20:59:00Z"),
            quote("XYZ261218P00100000", "XPHL", 0.0, 0.3, "2026-11-20T20:59:00Z"),
            quote(INDEX, "XCBO", 50.0, 51.0, "2026-11-20T21:14:59Z"),
        ],
        underlyings: vec![underlying("XYZ", 99.5), underlying("SPX", 5990.25)],
        rates: vec![RateRow { tenor_days: 365.0, zero_rate: 0.04 }, RateRow { tenor_days: 30.0, zero_rate: 0.05 }],
        ..DayFiles::default()
    }
}

fn read(dir: &Path) -> Result<Day, InputError> {
    read_day(&Folder(dir.to_owned()), &ReadOptions::default())
}

fn round_trip(files: &DayFiles) -> Day {
    let dir = tempfile::tempdir().unwrap();
    write_day(dir.path(), files).unwrap();
    read(dir.path()).unwrap()
}

fn reasons(day: &Day) -> Vec<&str> {
    day.exceptions.iter().map(|row| row.reason).collect()
}

#[test]
fn the_last_quote_at_or_before_the_snapshot_counts() {
    let day = round_trip(&small_day());
    let names: Vec<&str> = day.underlyings.iter().map(|u| u.underlying.as_str()).collect();
    assert_eq!(names, ["SPX", "XYZ"]);
    let stock = &day.underlyings[1];
    let symbols: Vec<&str> = stock.series.iter().map(|s| s.osi_symbol.as_str()).collect();
    assert_eq!(symbols, [CALL, PUT]);
    let call = stock.quotes_of(0);
    let mics: Vec<&str> = call.iter().map(|q| day.venues[usize::from(q.venue.0)].as_str()).collect();
    assert_eq!(mics, ["AMXO", "XCBO"]);
    assert_eq!((call[1].bid, call[1].ask), (price(1.05), price(1.15)));
    assert_eq!((call[1].bid_size, call[1].ask_size), (Some(10), None));
    assert_eq!(call[1].time, at("2026-11-20T20:59:59.999999999Z"));
    // A bid of zero is no bid.
    assert_eq!(stock.quotes_of(1)[0].bid, None);
    // The index class has its own snapshot, and 21:14:59Z is before it.
    let index = &day.underlyings[0];
    assert_eq!(index.quotes_of(0).len(), 1);
    let series = &index.series[0];
    assert_eq!((series.exercise_style, series.settlement), (ExerciseStyle::European, Settlement::Pm));
    assert_eq!(series.settlement_time, at("2026-12-18T16:00:00-05:00").unwrap());
    assert_eq!((day.rows_read, day.rows_dropped), (6, 0));
    assert!(day.exceptions.is_empty());
    // Linear in -ln D: 30 days at 5 %, a year at 4 %.
    let curve = day.curve.unwrap();
    assert!((curve.zero_rate(1.0) - 0.04).abs() < 1e-12 && (curve.zero_rate(0.01) - 0.05).abs() < 1e-12);
}

#[test]
fn the_digest_knows_content_only() {
    let files = small_day();
    let day = round_trip(&files);
    let mut shuffled = files.clone();
    shuffled.quotes.reverse();
    shuffled.underlyings.reverse();
    shuffled.rates.reverse();
    // What does not count does not enter: an earlier quote of a venue that spoke again.
    shuffled.quotes.retain(|q| q.bid != price(1.0) || q.venue == "A");
    // MIC or letter, padded or not, New York or UTC.
    for row in &mut shuffled.quotes {
        row.venue = row.venue.replace("XCBO", "C");
        row.osi_symbol = row.osi_symbol.replace(' ', "");
    }
    shuffled.snapshot = "2026-11-20T21:00:00Z".to_owned();
    let other = round_trip(&shuffled);
    assert_eq!(day.input_digest, other.input_digest);
    assert_eq!(day.snapshot_text, other.snapshot_text);

    // CSV in two parts.
    let dir = tempfile::tempdir().unwrap();
    write_day(dir.path(), &files).unwrap();
    fs::remove_file(dir.path().join("quotes.parquet")).unwrap();
    let header = "sequence,osi_symbol,venue,bid,bid_size,ask,ask_size,quote_time,comment\n";
    let line = |q: &QuoteRow| {
        let show = |p: Option<Price>| p.map(|p| p.to_string()).unwrap_or_default();
        let nanoseconds = q.quote_time.unwrap().0;
        format!(",{},{},{},10,{},,{nanoseconds},x\n", q.osi_symbol, q.venue, show(q.bid), show(q.ask))
    };
    let (a, b) = files.quotes.split_at(3);
    fs::write(dir.path().join("quotes-1.csv"), header.to_owned() + &a.iter().map(line).collect::<String>()).unwrap();
    let mut writer = QuoteWriter::create(&dir.path().join("quotes-2.parquet")).unwrap();
    writer.write(b).unwrap();
    writer.finish().unwrap();
    let parts = read(dir.path()).unwrap();
    assert_eq!(parts.input_digest, day.input_digest);
    assert_eq!(format!("{:?}", parts.underlyings), format!("{:?}", day.underlyings));

    // And each thing that counts does enter.
    let changed = |change: &dyn Fn(&mut DayFiles)| {
        let mut files = files.clone();
        change(&mut files);
        let digest = round_trip(&files).input_digest;
        assert_ne!(digest, day.input_digest);
    };
    changed(&|f| f.quotes[1].bid_size = Some(11));
    changed(&|f| f.quotes[1].ask = price(1.16));
    changed(&|f| f.underlyings[0].price = price(99.51));
    changed(&|f| f.rates[0].zero_rate = 0.041);
    changed(&|f| f.snapshots.clear());
    changed(&|f| f.dividends.push(dividend("XYZ", Some("2026-12-01"), Some(0.5), "declared")));
    changed(&|f| f.series.push(SeriesRow { osi_symbol: CALL.to_owned(), expected: true, ..SeriesRow::default() }));
    changed(&|f| f.quotes.push(quote("garbage", "C", 1.0, 2.0, "2026-11-20T20:00:00Z")));
}

fn dividend(name: &str, ex_date: Option<&str>, amount: Option<f64>, status: &str) -> DividendRow {
    DividendRow {
        underlying: name.to_owned(),
        ex_date: ex_date.map(|text| date::parse(text).unwrap()),
        amount,
        status: status.to_owned(),
    }
}

#[test]
fn ties_go_to_the_sequence_then_to_the_later_row_and_duplicates_are_named() {
    let mut files = small_day();
    let time = "2026-11-20T20:59:00Z";
    let sequenced = |bid: f64, sequence: Option<u64>| QuoteRow { sequence, ..quote(CALL, "XBOX", bid, 2.0, time) };
    files.quotes = vec![sequenced(1.3, Some(9)), sequenced(1.2, Some(10)), sequenced(1.1, None)];
    let day = round_trip(&files);
    assert_eq!(day.underlyings[0].quotes_of(0)[0].bid, price(1.2));
    assert!(day.exceptions.is_empty());

    // Same time, no sequence, other content: the later row, and nothing is at fault.
    files.quotes = vec![sequenced(1.3, None), sequenced(1.2, None)];
    let day = round_trip(&files);
    assert_eq!(day.underlyings[0].quotes_of(0)[0].bid, price(1.2));
    assert!(day.exceptions.is_empty());

    files.quotes = vec![
        sequenced(1.3, Some(4)),
        sequenced(1.2, Some(4)),
        quote(PUT, "XBOX", 1.0, 2.0, time),
        quote(PUT, "H", 1.0, 2.0, time),
        quote(PUT, "GMNI", 1.0, 2.0, time),
    ];
    let day = round_trip(&files);
    assert_eq!(reasons(&day), ["DUPLICATE_QUOTE", "DUPLICATE_QUOTE"]);
    assert_eq!(day.exceptions[0].scope, "venue_quote");
    assert_eq!(day.exceptions[0].field.as_deref(), Some("XBOX"));
    assert_eq!(day.exceptions[1].field.as_deref(), Some("GMNI"));
    assert_eq!(day.rows_dropped, 2);
    assert_eq!(day.underlyings[0].quotes_of(1).len(), 2);
}

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
        ("UNKNOWN_VENUE", format!("{PUT},XXXX,1,1,2,1,{good}")),
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

#[test]
fn floating_prices_and_other_producers_types_are_read() {
    use arrow::array::{ArrayRef, Float64Array, Int64Array, LargeStringArray, RecordBatch, TimestampMicrosecondArray};
    use std::sync::Arc;
    let dir = tempfile::tempdir().unwrap();
    let mut files = small_day();
    files.quotes = vec![quote(CALL, "C", 1.05, 1.15, "2026-11-20T20:59:00Z")];
    files.quotes[0].ask_size = Some(3);
    write_day(dir.path(), &files).unwrap();
    let day = read(dir.path()).unwrap();
    let micros = at("2026-11-20T20:59:00Z").unwrap().0 / 1000;
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("ask_size", Arc::new(Float64Array::from(vec![3.0]))),
        ("osi_symbol", Arc::new(LargeStringArray::from(vec![CALL]))),
        ("venue", Arc::new(LargeStringArray::from(vec!["XCBO"]))),
        ("bid", Arc::new(Float64Array::from(vec![1.05]))),
        ("bid_size", Arc::new(Int64Array::from(vec![10]))),
        ("ask", Arc::new(Float64Array::from(vec![1.15]))),
        ("quote_time", Arc::new(TimestampMicrosecondArray::from(vec![micros]))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let file = fs::File::create(dir.path().join("quotes.parquet")).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let other = read(dir.path()).unwrap();
    assert_eq!(format!("{:?}", other.underlyings), format!("{:?}", day.underlyings));
    assert_eq!(other.input_digest, day.input_digest);
}

#[test]
fn dividends_by_what_is_known() {
    let mut files = small_day();
    files.quotes.push(quote("ABC   261218C00100000", "C", 1.0, 2.0, "2026-11-20T20:00:00Z"));
    files.quotes.push(quote("DEF   261218C00100000", "C", 1.0, 2.0, "2026-11-20T20:00:00Z"));
    for name in ["ABC", "DEF"] {
        let row = UnderlyingRow { underlying: name.to_owned(), price: price(100.0), ..UnderlyingRow::default() };
        files.underlyings.push(row);
    }
    files.dividends = vec![
        dividend("XYZ", Some("2027-02-10"), Some(0.5), "projected"),
        dividend("XYZ", Some("2026-11-20"), Some(0.4), "declared"),
        dividend("XYZ", Some("2026-12-10"), Some(0.45), "declared"),
        dividend("ABC", None, None, "none"),
    ];
    let day = round_trip(&files);
    let known = |name: &str| {
        let own = day.underlyings.iter().find(|u| u.underlying == name).unwrap();
        (own.dividend_knowledge, own.dividends.iter().map(|d| (d.amount, d.declared)).collect::<Vec<_>>())
    };
    // The ex-date of the market date itself went by at 09:30.
    assert_eq!(known("XYZ"), (DividendKnowledge::Scheduled, vec![(0.45, true), (0.5, false)]));
    assert_eq!(known("ABC"), (DividendKnowledge::PaysNone, vec![]));
    assert_eq!(known("DEF"), (DividendKnowledge::Unknown, vec![]));
    let xyz = day.underlyings.iter().find(|u| u.underlying == "XYZ").unwrap();
    assert_eq!(xyz.dividends[0].time, at("2026-12-10T09:30:00-05:00").unwrap());
}

#[test]
fn series_rows_describe_override_and_expect() {
    let mut files = small_day();
    let opaque = "XYZ-18DEC26-100-C";
    files.quotes.push(quote(opaque, "NBBO", 3.0, 4.0, "2026-11-20T20:00:00Z"));
    files.quotes.push(quote("XYZ1  261218C00100000", "C", 3.0, 4.0, "2026-11-20T20:00:00Z"));
    files.quotes.push(quote("XYZ2  261218C00100000", "C", 3.0, 4.0, "2026-11-20T20:00:00Z"));
    files.series = vec![
        SeriesRow {
            osi_symbol: opaque.to_owned(),
            underlying: Some("XYZ".to_owned()),
            expiration: date::parse("2026-12-18"),
            expiration_time: at("2026-12-18T08:00:00Z"),
            strike: price(100.5),
            option_type: Some(OptionType::Call),
            exercise_style: Some(ExerciseStyle::European),
            settlement: Some(Settlement::Pm),
            multiplier: Some(1),
            ..SeriesRow::default()
        },
        SeriesRow {
            osi_symbol: "XYZ1261218C00100000".to_owned(),
            deliverable: Some("100 XYZ + 12.5 USD".to_owned()),
            ..SeriesRow::default()
        },
        SeriesRow { osi_symbol: "XYZ   270115C00100000".to_owned(), expected: true, ..SeriesRow::default() },
        SeriesRow { osi_symbol: "XYZ   261016C00100000".to_owned(), ..SeriesRow::default() },
        SeriesRow { osi_symbol: "nothing".to_owned(), ..SeriesRow::default() },
    ];
    let day = round_trip(&files);
    let xyz = day.underlyings.iter().find(|u| u.underlying == "XYZ").unwrap();
    let find = |symbol: &str| xyz.series.iter().find(|s| s.osi_symbol == symbol).unwrap();
    let own = find(opaque);
    assert_eq!((own.multiplier, own.strike, own.exercise_style), (1, price(100.5).unwrap(), ExerciseStyle::European));
    assert_eq!(own.settlement_time, at("2026-12-18T08:00:00Z").unwrap());
    let adjusted = find("XYZ1  261218C00100000");
    assert_eq!((adjusted.deliverable.text.as_str(), adjusted.deliverable.standard), ("100 XYZ + 12.5 USD", false));
    let unknown = find("XYZ2  261218C00100000");
    assert!(!unknown.deliverable.standard && !unknown.deliverable.priceable);
    // Expected without a quote: a series all the same.
    let expected = xyz.series.iter().position(|s| s.osi_symbol == "XYZ   270115C00100000").unwrap();
    assert!(xyz.quotes_of(expected).is_empty());
    assert_eq!(day.expected, ["XYZ   270115C00100000"]);
    // Of the month before, nobody asks; of nothing, nothing is known.
    assert_eq!(reasons(&day), ["MALFORMED_ROW"]);
}

#[test]
fn options_narrow_the_day_and_fix_the_rate() {
    let dir = tempfile::tempdir().unwrap();
    let mut files = small_day();
    files.rates.clear();
    write_day(dir.path(), &files).unwrap();
    assert!(read(dir.path()).unwrap().curve.is_none());
    let options = ReadOptions { flat_rate: Some(0.03), only: Some(vec!["XYZ".to_owned()]) };
    let day = read_day(&Folder(dir.path().to_owned()), &options).unwrap();
    assert_eq!(day.underlyings.len(), 1);
    assert!((day.underlyings[0].curve.zero_rate(0.5) - 0.03).abs() < 1e-12);
    let options = ReadOptions { flat_rate: Some(f64::NAN), only: None };
    assert!(read_day(&Folder(dir.path().to_owned()), &options).unwrap_err().to_string().contains("--flat-rate"));
}

#[test]
fn the_previous_close_is_carried_over_a_split() {
    use arrow::array::{ArrayRef, Date32Array, Float64Array, ListArray, RecordBatch, StringArray};
    use arrow::datatypes::Float64Type;
    use std::sync::Arc;
    let dir = tempfile::tempdir().unwrap();
    let mut files = small_day();
    files.corporate_actions = vec![CorporateActionRow {
        underlying: "XYZ".to_owned(),
        effective_date: date::parse("2026-11-20").unwrap(),
        kind: "split".to_owned(),
        ratio: Some(7.0),
        amount: None,
    }];
    write_day(dir.path(), &files).unwrap();
    let text = |word: &str| -> ArrayRef { Arc::new(StringArray::from(vec![word])) };
    let number = |value: f64| -> ArrayRef { Arc::new(Float64Array::from(vec![value])) };
    let list = |values: [f64; 2]| -> ArrayRef {
        Arc::new(ListArray::from_iter_primitive::<Float64Type, _, _>([Some(values.map(Some))]))
    };
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("underlying", text("XYZ")),
        ("root", text("XYZ")),
        ("deliverable", text("100 XYZ")),
        ("expiration", Arc::new(Date32Array::from(vec![date::parse("2026-12-18").unwrap().0]))),
        ("settlement", text("PM")),
        ("time_to_expiry", number(0.08)),
        ("forward", number(700.0)),
        ("borrow_rate", number(0.01)),
        ("curve_log_moneyness", list([-0.1, 0.1])),
        ("curve_total_variance", list([0.01, 0.02])),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    fs::create_dir(dir.path().join("previous")).unwrap();
    let file = fs::File::create(dir.path().join("previous/slices.parquet")).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let manifest = "{\"run_id\": \"0123456789abcdef\", \"market_date\": \"2026-11-19\"}";
    fs::write(dir.path().join("previous/manifest.json"), manifest).unwrap();
    let day = read(dir.path()).unwrap();
    assert_eq!(day.previous_run.as_deref(), Some("0123456789abcdef"));
    let slice = &day.underlyings[1].previous[0];
    assert_eq!((slice.forward, slice.borrow_rate), (100.0, Some(0.01)));
    assert_eq!(slice.log_moneyness, [-0.1, 0.1]);
    fs::write(dir.path().join("previous/manifest.json"), "{}").unwrap();
    assert!(read(dir.path()).unwrap_err().to_string().contains("previous/manifest.json"));
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
