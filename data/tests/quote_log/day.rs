//! A day taken in through the log is the folder's day: same digest, same exceptions, same published bytes.

use std::path::Path;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Decimal128Type, TimestampNanosecondType, UInt32Type, UInt64Type};
use bytes::Bytes;
use closemark_data::date;
use closemark_data::day::Day;
use closemark_data::input::{Embedded, InputSource, ReadOptions, read_day};
use closemark_data::log::{BatchEncoder, BatchHead, IncomingQuote, LogLimits, QuoteLog, ReferenceUpdate};
use closemark_data::publication::{PublicationRequest, publish};
use closemark_data::sample;
use closemark_data::settings::{RunChoices, run_text};
use closemark_pricing::mark_underlying;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use proptest::prelude::*;

use crate::support::{market_date, open, simulated};

/// One quote with texts of its own.
#[derive(Clone, Debug, Default, PartialEq)]
struct Row {
    symbol: String,
    venue: String,
    bid: Option<i64>,
    bid_size: Option<u32>,
    ask: Option<i64>,
    ask_size: Option<u32>,
    time: Option<i64>,
    sequence: Option<u64>,
    currency: &'static str,
    multiplier: Option<u32>,
}

impl Row {
    fn incoming(&self) -> IncomingQuote<'_> {
        IncomingQuote {
            osi_symbol: &self.symbol,
            venue: &self.venue,
            bid: self.bid,
            bid_size: self.bid_size,
            ask: self.ask,
            ask_size: self.ask_size,
            quote_time_unix_nanos: self.time,
            sequence: self.sequence,
            currency: self.currency,
            multiplier: self.multiplier,
        }
    }

    /// The row of `quotes.csv` that says the same.
    fn csv(&self) -> Vec<String> {
        let price = |micros: Option<i64>| {
            micros.map_or(String::new(), |m| {
                let sign = if m < 0 { "-" } else { "" };
                format!("{sign}{}.{:06}", m.unsigned_abs() / 1_000_000, m.unsigned_abs() % 1_000_000)
            })
        };
        let text = |value: Option<String>| value.unwrap_or_default();
        vec![
            self.symbol.clone(),
            self.venue.clone(),
            price(self.bid),
            text(self.bid_size.map(|size| size.to_string())),
            price(self.ask),
            text(self.ask_size.map(|size| size.to_string())),
            text(self.time.map(|time| time.to_string())),
            text(self.sequence.map(|sequence| sequence.to_string())),
        ]
    }
}

fn take_in(log: &mut QuoteLog, producer: &str, rows: &[Row], batch: usize) {
    let mut encoder = BatchEncoder::default();
    for (place, part) in rows.chunks(batch).enumerate() {
        let sequence = place as u64 + 1;
        let head = BatchHead { producer_id: producer, sequence, market_date: market_date(), received_unix_nanos: 1 };
        log.append(&encoder.encode(&head, part.iter().map(Row::incoming)).unwrap()).unwrap();
        if place.is_multiple_of(3) {
            log.commit().unwrap();
        }
    }
    log.commit().unwrap();
}

fn put_reference(log: &mut QuoteLog, source: &dyn InputSource) {
    let update = ReferenceUpdate { request_id: "r".to_owned(), market_date: market_date(), ..Default::default() };
    log.put_reference(&update.encode_folder(source, &LogLimits::default()).unwrap()).unwrap();
    log.commit().unwrap();
}

fn assert_same(folder: &Day, logged: &Day) {
    assert_eq!(folder.exceptions, logged.exceptions);
    assert_eq!(folder.input_digest, logged.input_digest);
    assert_eq!((folder.rows_read, folder.rows_dropped), (logged.rows_read, logged.rows_dropped));
    assert_eq!(folder.record_counts, logged.record_counts);
    assert!(format!("{folder:?}") == format!("{logged:?}"), "the days differ");
}

fn sample_rows() -> Vec<Row> {
    let bytes = sample::FILES.iter().find(|(name, _)| *name == "quotes.parquet").unwrap().1;
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from_static(bytes)).unwrap().build().unwrap();
    let mut rows = Vec::new();
    for batch in reader {
        let batch = batch.unwrap();
        let column = |name: &str| batch.column_by_name(name).unwrap();
        let (symbols, venues) = (column("osi_symbol").as_string::<i32>(), column("venue").as_string::<i32>());
        let price = |name: &str, i: usize| {
            let array = column(name).as_primitive::<Decimal128Type>();
            array.is_valid(i).then(|| i64::try_from(array.value(i)).unwrap())
        };
        let size = |name: &str, i: usize| {
            let array = column(name).as_primitive::<UInt32Type>();
            array.is_valid(i).then(|| array.value(i))
        };
        let times = column("quote_time").as_primitive::<TimestampNanosecondType>();
        let sequences = column("sequence").as_primitive::<UInt64Type>();
        for i in 0..batch.num_rows() {
            rows.push(Row {
                symbol: symbols.value(i).to_owned(),
                venue: venues.value(i).to_owned(),
                bid: price("bid", i),
                bid_size: size("bid_size", i),
                ask: price("ask", i),
                ask_size: size("ask_size", i),
                time: times.is_valid(i).then(|| times.value(i)),
                sequence: sequences.is_valid(i).then(|| sequences.value(i)),
                currency: "",
                multiplier: None,
            });
        }
    }
    rows
}

fn sample_toml() -> &'static str {
    std::str::from_utf8(sample::FILES.iter().find(|(name, _)| *name == "day.toml").unwrap().1).unwrap()
}

fn published(day: &Day, out: &Path) -> std::path::PathBuf {
    let marks: Vec<_> = day.underlyings.iter().map(|one| mark_underlying(one, &day.settings)).collect();
    let settings_text = run_text(&day.settings, &RunChoices { flat_rate: None, only: Vec::new() });
    let request = PublicationRequest {
        partial: false,
        day,
        marks: &marks,
        settings_text: &settings_text,
        base_run: None,
        overrides: &[],
        extra_files: &[],
        timings_json: None,
        audit_head: None,
    };
    publish(&request, out).unwrap().folder
}

#[test]
fn the_sample_day_through_the_log_publishes_the_folders_bytes() {
    let options = ReadOptions::default();
    let folder = read_day(&sample::source(), &options).unwrap();
    let rows = sample_rows();
    assert!(rows.len() > 30_000 && folder.rows_dropped > 0, "{} {}", rows.len(), folder.rows_dropped);
    let files = simulated();
    let mut log = open(&files, LogLimits { segment_bytes: 100_000, ..LogLimits::default() }).unwrap();
    take_in(&mut log, "feed", &rows, 997);
    put_reference(&mut log, &sample::source());
    let snapshot = log.snapshot(market_date()).unwrap().unwrap();
    assert!(snapshot.bytes() < rows.len() as u64 * 30, "{} bytes for {} quotes", snapshot.bytes(), rows.len());
    let logged = snapshot.read_day(sample_toml(), None, &options).unwrap();
    assert_same(&folder, &logged);

    // Three venues' feeds, one after another and in other batches: the same quotes count.
    let mut parted = open(&simulated(), LogLimits::default()).unwrap();
    put_reference(&mut parted, &sample::source());
    for (producer, part) in [("x", 0), ("y", 1), ("z", 2)] {
        let own = |row: &&Row| row.venue.bytes().map(usize::from).sum::<usize>() % 3 == part;
        take_in(&mut parted, producer, &rows.iter().filter(own).cloned().collect::<Vec<_>>(), 10_000);
    }
    let parted = parted.snapshot(market_date()).unwrap().unwrap().read_day(sample_toml(), None, &options).unwrap();
    assert_eq!(parted.input_digest, folder.input_digest);

    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (first, second) = (published(&folder, one.path()), published(&logged, two.path()));
    assert_eq!(first.file_name(), second.file_name());
    for file in ["marks.parquet", "slices.parquet", "exceptions.parquet", "manifest.json"] {
        let bytes = |folder: &Path| std::fs::read(folder.join(file)).unwrap();
        assert!(bytes(&first) == bytes(&second), "{file} differs");
    }
}

const CALL: &str = "XYZ   261218C00100000";
const TIME: i64 = 1_795_208_340_000_000_000;
const TOML: &str = "market_date = \"2026-11-20\"\nsnapshot = \"2026-11-20T16:00:00-05:00\"\n";

fn row(symbol: &str, venue: &str) -> Row {
    Row {
        symbol: symbol.to_owned(),
        venue: venue.to_owned(),
        bid: Some(1_000_000),
        bid_size: Some(5),
        ask: Some(1_250_000),
        ask_size: Some(6),
        time: Some(TIME),
        ..Row::default()
    }
}

fn reference() -> Embedded {
    let files = [
        ("underlyings.csv", "underlying,price,halted\nXYZ,99.5,\nSPX,5990.25,maybe\nEUX,50,\n"),
        (
            "series.csv",
            "osi_symbol,underlying,expiration,strike,option_type,currency,multiplier\nODD-1,EUX,2026-12-18,50,C,EUR,10\n",
        ),
        ("rates.csv", "tenor_days,zero_rate\n30,0.04\n"),
        ("dividends.csv", "underlying,ex_date,amount,status\nXYZ,2026-12-01,0.5,rumoured\n"),
    ];
    Embedded(files.map(|(name, text)| (name.to_owned(), Bytes::from_static(text.as_bytes()))).to_vec())
}

fn both(rows: &[Row]) -> (Day, Day) {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer
        .write_record(["osi_symbol", "venue", "bid", "bid_size", "ask", "ask_size", "quote_time", "sequence"])
        .unwrap();
    for row in rows {
        writer.write_record(row.csv()).unwrap();
    }
    let Embedded(mut files) = reference();
    files.push(("day.toml".to_owned(), Bytes::from_static(TOML.as_bytes())));
    files.push(("quotes.csv".to_owned(), writer.into_inner().unwrap().into()));
    let folder = read_day(&Embedded(files), &ReadOptions::default()).unwrap();
    let mut log = open(&simulated(), LogLimits::default()).unwrap();
    put_reference(&mut log, &reference());
    take_in(&mut log, "feed", rows, 3);
    let snapshot = log.snapshot(market_date()).unwrap().unwrap();
    (folder, snapshot.read_day(TOML, None, &ReadOptions::default()).unwrap())
}

#[test]
fn malformed_rows_end_in_the_same_exceptions() {
    let long = "\u{3b1}".repeat(200);
    let rows = [
        row(CALL, "C"),
        row(CALL, "C"),
        Row { sequence: Some(4), ..row(CALL, "XCBO") },
        row("NOT A SYMBOL", "C"),
        row("NOT A SYMBOL", "A"),
        row("", "C"),
        row(&"X".repeat(64), "C"),
        row(&"X".repeat(65), "C"),
        row(&"X".repeat(80), "C"),
        row(&"X".repeat(81), "C"),
        row(&"X".repeat(82), "C"),
        row(&long, "C"),
        row(CALL, &long),
        row(CALL, &"V".repeat(80)),
        row(CALL, &"V".repeat(70)),
        row(CALL, "XZZZ"),
        row(CALL, ""),
        row("<b>\u{7}", "=1+1"),
        row("QQQ   261218C00100000", "C"),
        row("ABCDEF261218C00100000", "C"),
        row("XYZ   261113C00100000", "C"),
        Row { bid: Some(-1), ..row(CALL, "A") },
        Row { ask: Some(10_000_000_000_001), ..row(CALL, "A") },
        Row { bid: Some(0), ask: Some(10_000_000_000_000), ..row(CALL, "A") },
        Row { bid: Some(123_457), ..row(CALL, "B") },
        Row { bid_size: Some(u32::MAX), ..row(CALL, "B") },
        Row { ask_size: Some(u32::MAX), ..row(CALL, "B") },
        Row { time: Some(i64::MIN), ..row(CALL, "B") },
        Row { time: Some(i64::MAX), ..row(CALL, "B") },
        Row { sequence: Some(u64::MAX), ..row(CALL, "B") },
        Row { sequence: Some(u64::MAX - 1), ..row(CALL, "B") },
        Row { bid: None, bid_size: None, ask: None, ask_size: None, time: None, ..row(CALL, "N") },
    ];
    let (folder, logged) = both(&rows);
    assert!(folder.exceptions.len() > 20, "{:#?}", folder.exceptions);
    assert_same(&folder, &logged);
}

fn any_row() -> impl Strategy<Value = Row> {
    let symbol = prop_oneof![
        Just(CALL.to_owned()),
        Just("XYZ261218P00100000".to_owned()),
        Just("SPXW  261218C06000000".to_owned()),
        Just("XYZ   261218C00100000 ".to_owned()),
        ".{0,5}",
        "[A-Z]{60,90}",
    ];
    let venue = prop_oneof![Just("C".to_owned()), Just("XPHL".to_owned()), Just("NBBO".to_owned()), ".{0,4}"];
    let price = || prop_oneof![Just(None), (-2i64..400).prop_map(|c| Some(c * 10_000)), any::<i64>().prop_map(Some)];
    let size = || prop_oneof![Just(None), (0u32..3).prop_map(Some), any::<u32>().prop_map(Some)];
    let time =
        prop_oneof![Just(None), (0i64..4).prop_map(|s| Some(TIME + s * 30_000_000_000)), any::<i64>().prop_map(Some)];
    let sequence = prop_oneof![Just(None), (0u64..3).prop_map(Some), any::<u64>().prop_map(Some)];
    (symbol, venue, price(), size(), price(), size(), time, sequence).prop_map(
        |(symbol, venue, bid, bid_size, ask, ask_size, time, sequence)| Row {
            // The folder's reader takes blanks and line ends around a field for none of it, and so must the producer.
            symbol: symbol.trim().to_owned(),
            venue: venue.trim().to_owned(),
            bid,
            bid_size,
            ask,
            ask_size,
            time,
            sequence,
            ..Row::default()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn any_rows_make_the_same_day(rows in prop::collection::vec(any_row(), 1..40)) {
        let (folder, logged) = both(&rows);
        assert_same(&folder, &logged);
    }
}

#[test]
fn a_quote_in_other_units_than_its_series_is_dropped_and_says_so() {
    let euro = Row { currency: "EUR", multiplier: Some(10), ..row("ODD-1", "C") };
    let mut log = open(&simulated(), LogLimits::default()).unwrap();
    put_reference(&mut log, &reference());
    let rows = [
        euro.clone(),
        Row { venue: "A".to_owned(), multiplier: None, ..euro.clone() },
        Row { venue: "B".to_owned(), multiplier: Some(100), ..euro },
        row("ODD-1", "X"),
        Row { multiplier: Some(100), currency: "USD", ..row(CALL, "C") },
        Row { multiplier: Some(10), ..row(CALL, "A") },
        Row { currency: "dollars and cents", ..row(CALL, "B") },
        row(CALL, "X"),
    ];
    take_in(&mut log, "feed", &rows, 3);
    let snapshot = log.snapshot(market_date()).unwrap().unwrap();
    let day = snapshot.read_day(TOML, None, &ReadOptions::default()).unwrap();
    let dropped: Vec<_> = day
        .exceptions
        .iter()
        .filter(|row| row.reason.starts_with("WRONG_"))
        .map(|row| {
            (
                row.osi_symbol.as_deref().unwrap(),
                row.reason,
                row.before.as_deref().unwrap(),
                row.after.as_deref().unwrap(),
            )
        })
        .collect();
    let expected = [
        ("ODD-1", "WRONG_CURRENCY", "USD", "EUR"),
        ("ODD-1", "WRONG_MULTIPLIER", "100", "10"),
        (CALL, "WRONG_CURRENCY", "dollars and cent", "USD"),
        (CALL, "WRONG_MULTIPLIER", "10", "100"),
    ];
    assert_eq!(dropped, expected);
    let counts: Vec<(&str, usize)> =
        day.underlyings.iter().map(|one| (one.underlying.as_str(), one.quotes.len())).collect();
    assert_eq!(counts, [("EUX", 2), ("XYZ", 2)]);
}

#[test]
fn later_reference_records_replace_their_kind_and_the_header_must_be_the_dates() {
    let mut log = open(&simulated(), LogLimits::default()).unwrap();
    put_reference(&mut log, &reference());
    let clear = ReferenceUpdate {
        request_id: "second".to_owned(),
        market_date: market_date(),
        series: Some(Vec::new()),
        dividends: Some(Vec::new()),
        ..Default::default()
    };
    log.put_reference(&clear.encode(&LogLimits::default()).unwrap()).unwrap();
    log.commit().unwrap();
    take_in(&mut log, "feed", &[row("ODD-1", "C"), row(CALL, "C")], 9);
    let snapshot = log.snapshot(market_date()).unwrap().unwrap();
    let day = snapshot.read_day(TOML, None, &ReadOptions::default()).unwrap();
    assert_eq!(day.underlyings.len(), 1);
    assert!(day.curve.is_some(), "rates stay");
    let reasons: Vec<&str> = day.exceptions.iter().map(|row| row.reason).collect();
    assert_eq!(reasons, ["MALFORMED_SYMBOL", "MALFORMED_ROW"]);
    let other = TOML.replace("11-20", "11-19");
    let error = snapshot.read_day(&other, None, &ReadOptions::default()).unwrap_err().to_string();
    assert!(error.contains("the log's date is 2026-11-20"), "{error}");
    assert_eq!(date::to_text(snapshot.market_date()), "2026-11-20");
}
