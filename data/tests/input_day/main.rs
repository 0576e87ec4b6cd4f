//! The input folder: what is written is read, and every fault of the design's table does what its row says.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are tests")]

use std::fs;

use closemark_data::date;
use closemark_data::input::{
    CorporateActionRow, DayFiles, DividendRow, Folder, QuoteRow, QuoteWriter, ReadOptions, SeriesRow, UnderlyingRow,
    read_day, write_day,
};
use closemark_pricing::day::DividendKnowledge;
use closemark_pricing::price::Price;
use closemark_pricing::vocabulary::{ExerciseStyle, OptionType, Settlement};

use small::{CALL, PUT, at, price, quote, read, reasons, round_trip, small_day};

mod faults;
mod small;
mod streamed;

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
    assert_eq!((day.rows_read, day.rows_dropped), (4, 0));
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
    // The ex-date of the market date itself has gone by.
    assert_eq!(known("XYZ"), (DividendKnowledge::Scheduled, vec![(0.45, true), (0.5, false)]));
    assert_eq!(known("ABC"), (DividendKnowledge::PaysNone, vec![]));
    assert_eq!(known("DEF"), (DividendKnowledge::Unknown, vec![]));
    let xyz = day.underlyings.iter().find(|u| u.underlying == "XYZ").unwrap();
    // The evening before the ex-date is the last at which exercise still brings the dividend.
    assert_eq!(xyz.dividends[0].time, at("2026-12-09T17:30:00-05:00").unwrap());
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
        ("carry_rate", number(f64::NAN)),
        ("curve_log_moneyness", list([-0.1, 0.1])),
        ("curve_total_variance", list([0.01, 0.02])),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    fs::create_dir(dir.path().join("previous")).unwrap();
    let file = fs::File::create(dir.path().join("previous/slices.parquet")).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let content = fs::read(dir.path().join("previous/slices.parquet")).unwrap();
    let manifest = |digest: &str| {
        format!(
            "{{\"run_id\": \"0123456789abcdef\", \"market_date\": \"2026-11-19\", \"provenance\": {{\"files\": \
             {{\"slices.parquet\": {{\"blake3\": \"{digest}\"}}}}}}}}"
        )
    };
    // Curves that are not the named run's own are refused.
    fs::write(dir.path().join("previous/manifest.json"), manifest(&"00".repeat(32))).unwrap();
    assert!(read(dir.path()).unwrap_err().to_string().contains("previous/slices.parquet"));
    let own = manifest(blake3::hash(&content).to_hex().as_str());
    fs::write(dir.path().join("previous/manifest.json"), own).unwrap();
    let day = read(dir.path()).unwrap();
    assert_eq!(day.previous_run.as_deref(), Some("0123456789abcdef"));
    let slice = &day.underlyings[1].previous[0];
    assert_eq!((slice.forward, slice.borrow_rate), (100.0, Some(0.01)));
    assert_eq!(slice.log_moneyness, [-0.1, 0.1]);
    fs::write(dir.path().join("previous/manifest.json"), "{}").unwrap();
    assert!(read(dir.path()).unwrap_err().to_string().contains("previous/manifest.json"));
}
