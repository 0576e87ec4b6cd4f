//! The store of published closes against the plain readers of the same files, and against publication underneath it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{AsArray, RecordBatch};
use arrow::ipc::reader::StreamReader;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use closemark_data::day::Day;
use closemark_data::publication::read::{MarkRow, read_marks, read_slices};
use closemark_data::publication::{PublicationRequest, Published, publish};
use closemark_data::report::figures;
use closemark_data::store::{Changes, Close, RunId, Store, StoreError, StoredTable, mark, slice};
use closemark_pricing::Price;
use closemark_pricing::mark::UnderlyingMarks;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use support::{MARKET_DATE, close, nudge, place, publish_close, request};

const ROOMY: u64 = 1 << 30;

/// Publishes under other settings: another run of the same date.
fn publish_as(out: &Path, day: &Day, marks: &[UnderlyingMarks], settings: &str) -> Published {
    publish(&PublicationRequest { settings_text: settings, ..request(day, marks) }, out).unwrap()
}

fn run(published: &Published) -> RunId {
    RunId::parse(&published.run_id).unwrap()
}

/// A close with a slice of 18,000 series: many parts of the marks.
fn large() -> (Day, Vec<UnderlyingMarks>) {
    let (mut day, mut marks) = close();
    let shape = support::Shape { root: "WIDE", strikes: (1, 9_000, 1), ..support::european()[1] };
    let (wide, wide_marks) = support::underlying("WIDE", &[shape]);
    day.underlyings.insert(1, wide);
    marks.insert(1, wide_marks);
    (day, marks)
}

fn same(row: &MarkRow, close: &Close) {
    let view = close.find(&row.osi_symbol).unwrap();
    let money = |price: Option<Price>| price.map(Price::micros);
    assert_eq!(view.text(mark::OSI_SYMBOL), row.osi_symbol);
    assert_eq!(view.text(mark::UNDERLYING), row.underlying);
    assert_eq!(view.text(mark::ROOT), row.root);
    assert_eq!(view.date(mark::EXPIRATION), Some(row.expiration));
    assert_eq!(view.decimal(mark::STRIKE), Some(row.strike.micros()));
    assert_eq!(view.text(mark::OPTION_TYPE), row.option_type.as_str());
    assert_eq!(view.text(mark::EXERCISE_STYLE), row.exercise_style.as_str());
    assert_eq!(view.text(mark::SETTLEMENT), row.settlement.as_str());
    assert_eq!(view.count(mark::MULTIPLIER), Some(row.multiplier));
    assert_eq!(view.text(mark::CURRENCY), row.currency);
    assert_eq!(view.text(mark::DELIVERABLE), row.deliverable);
    assert_eq!(view.decimal(mark::BID), money(row.bid));
    assert_eq!(view.decimal(mark::ASK), money(row.ask));
    assert_eq!(view.count(mark::BID_SIZE), row.bid_size);
    assert_eq!(view.count(mark::ASK_SIZE), row.ask_size);
    assert_eq!(view.text(mark::QUOTE_STATUS), row.quote_status.as_str());
    assert_eq!(view.words(mark::QUOTE_FLAGS).collect::<Vec<_>>(), row.quote_flags);
    assert_eq!(view.flag(mark::ACCEPTED), row.accepted);
    assert_eq!(view.decimal(mark::MARK), money(row.mark));
    assert_eq!(view.text(mark::MARK_SOURCE), row.mark_source.as_str());
    assert_eq!(view.words(mark::REASONS).collect::<Vec<_>>(), row.reasons);
    assert_eq!(view.number(mark::IMPLIED_VOLATILITY), row.implied_volatility);
    assert_eq!(view.number(mark::DELTA), row.delta);
    assert_eq!(view.decimal(mark::DISCOUNT_FACTOR), row.discount_factor);
    assert_eq!(view.number(mark::LOG_MONEYNESS), row.log_moneyness);
    assert_eq!(view.text(mark::RUN_ID), row.run_id);
}

#[test]
fn every_series_is_found_and_reads_as_the_file_does() {
    let out = tempfile::tempdir().unwrap();
    let (day, marks) = large();
    let published = publish_close(out.path(), &day, &marks);
    let store = Store::new(out.path(), ROOMY);
    let close = store.close(MARKET_DATE, store.current(MARKET_DATE).unwrap()).unwrap();
    let rows = read_marks(&published.folder, None).unwrap();
    assert!(rows.len() > 18_000 && close.marks().batches() > 4);
    assert_eq!(rows.len(), close.marks().rows() as usize);
    rows.iter().for_each(|row| same(row, &close));
    let first = &rows[0].osi_symbol;
    let unpadded = first.replace(' ', "");
    assert_ne!(*first, unpadded);
    assert_eq!(close.find(&unpadded).unwrap().text(mark::OSI_SYMBOL), first);
    for symbol in ["", "ABC", "../../etc/passwd", "ABC   261220C99999999", &format!("{first} ")] {
        assert!(close.find(symbol).is_none(), "{symbol:?}");
    }
}

#[test]
fn ranges_are_those_of_the_file_in_its_order() {
    let out = tempfile::tempdir().unwrap();
    let (day, marks) = large();
    let published = publish_close(out.path(), &day, &marks);
    let store = Store::new(out.path(), ROOMY);
    let close = store.close(MARKET_DATE, run(&published)).unwrap();
    let rows = read_marks(&published.folder, None).unwrap();
    let mut expirations: Vec<_> = rows.iter().map(|row| row.expiration).collect();
    expirations.sort_unstable();
    expirations.dedup();
    for underlying in [None, Some("ABC"), Some("WIDE"), Some("XYX"), Some("NONE")] {
        for expiration in std::iter::once(None).chain(expirations.iter().copied().map(Some)) {
            let found = close.mark_rows(underlying, expiration).into_iter().flatten();
            let found: Vec<&str> = found.map(|row| close.marks().row(row).unwrap().text(mark::OSI_SYMBOL)).collect();
            let wanted = rows.iter().filter(|row| {
                underlying.is_none_or(|u| row.underlying == u) && expiration.is_none_or(|e| row.expiration == e)
            });
            assert_eq!(found, wanted.map(|row| row.osi_symbol.as_str()).collect::<Vec<_>>());
        }
    }
    for underlying in ["ABC", "WIDE", "XYX"] {
        let slices = close.slices_of(underlying);
        let wanted = read_slices(&published.folder, Some(underlying)).unwrap();
        assert_eq!(slices.len(), wanted.len());
        for ((id, view), row) in slices.iter().zip(&wanted) {
            assert_eq!((&id.root, id.expiration, id.settlement), (&row.root, row.expiration, row.settlement));
            assert_eq!(view.numbers(slice::CURVE_TOTAL_VARIANCE), row.curve_total_variance);
            assert_eq!(view.number(slice::FORWARD), row.forward);
            assert_eq!(close.marks_of(underlying, id, *view).len() as i64, row.series_count);
        }
    }
    assert!(close.slices_of("NONE").is_empty());
}

/// The rows of batches as text, dictionaries resolved: what a reader sees whatever the encoding.
fn texts(batches: &[RecordBatch]) -> Vec<Vec<String>> {
    let options = FormatOptions::default().with_null("null");
    let mut rows = Vec::new();
    for batch in batches {
        let columns: Vec<_> = batch.columns().iter().map(|c| ArrayFormatter::try_new(c, &options).unwrap()).collect();
        rows.extend(
            (0..batch.num_rows()).map(|row| columns.iter().map(|c| c.value(row).to_string()).collect::<Vec<_>>()),
        );
    }
    rows
}

fn decode(bytes: &[u8]) -> Vec<RecordBatch> {
    StreamReader::try_new(bytes, None).unwrap().map(|batch| batch.unwrap()).collect()
}

fn stream(table: &StoredTable) -> Vec<u8> {
    let mut bytes = Vec::new();
    table.head().iter().for_each(|message| bytes.extend_from_slice(&message.encapsulated()));
    (0..table.batches()).for_each(|at| bytes.extend_from_slice(&table.batch(at).unwrap().encapsulated()));
    bytes
}

fn from_parquet(path: &Path) -> Vec<RecordBatch> {
    let file = std::fs::File::open(path).unwrap();
    ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap().map(|batch| batch.unwrap()).collect()
}

#[test]
fn the_messages_are_an_arrow_stream_of_the_same_rows() {
    let out = tempfile::tempdir().unwrap();
    let (day, marks) = close();
    let published = publish_close(out.path(), &day, &marks);
    let store = Store::new(out.path(), ROOMY);
    let close = store.close(MARKET_DATE, run(&published)).unwrap();
    for name in ["marks", "slices", "exceptions", "risk_arrays"] {
        let table = store.table(&close, name).unwrap();
        let read = decode(&stream(&table));
        let wanted = from_parquet(&published.folder.join(format!("{name}.parquet")));
        assert!(!wanted.is_empty());
        let columns = |batch: &RecordBatch| -> Vec<String> {
            let fields = batch.schema();
            fields.fields().iter().map(|f| format!("{} {} {}", f.name(), f.data_type(), f.is_nullable())).collect()
        };
        assert_eq!(columns(&read[0]), columns(&wanted[0]));
        assert_eq!(texts(&read), texts(&wanted), "{name}");
    }
    assert_eq!(
        store.table(&close, "secrets").err(),
        Some(StoreError::NoTable { run: close.run(), table: "secrets".into() })
    );
}

#[test]
fn part_of_a_table_is_cut_at_the_right_rows() {
    let out = tempfile::tempdir().unwrap();
    let (day, marks) = large();
    let published = publish_close(out.path(), &day, &marks);
    let store = Store::new(out.path(), ROOMY);
    let close = store.close(MARKET_DATE, run(&published)).unwrap();
    let table = close.marks();
    let all = read_marks(&published.folder, None).unwrap();
    for underlying in ["ABC", "WIDE", "XYX"] {
        let range = table.rows_of(underlying).unwrap();
        let mut bytes = Vec::new();
        table.head().iter().for_each(|message| bytes.extend_from_slice(&message.encapsulated()));
        for at in table.batches_of(&range) {
            let message = table.batch_within(at, &range).unwrap().unwrap();
            bytes.extend_from_slice(&message.encapsulated());
        }
        let read = decode(&bytes);
        let symbols: Vec<&str> = read.iter().flat_map(|b| b.column(1).as_string::<i32>().iter().flatten()).collect();
        let wanted = all.iter().filter(|row| row.underlying == underlying);
        assert_eq!(symbols, wanted.map(|row| row.osi_symbol.as_str()).collect::<Vec<_>>());
    }
}

#[test]
fn a_reader_keeps_its_run_while_the_pointer_moves() {
    let out = tempfile::tempdir().unwrap();
    let (day, marks) = close();
    let first = publish_close(out.path(), &day, &marks);
    let store = Store::new(out.path(), ROOMY);
    let held = store.close(MARKET_DATE, store.current(MARKET_DATE).unwrap()).unwrap();
    let mut moved = marks.clone();
    nudge(&mut moved[0].series[0], 1_000_000);
    let second = publish_as(out.path(), &day, &moved, "other = 1\n");
    assert_ne!(first.run_id, second.run_id);
    assert_eq!(store.current(MARKET_DATE), Ok(run(&second)));
    let now = store.close(MARKET_DATE, run(&second)).unwrap();
    let symbol = &day.underlyings[0].series[0].osi_symbol;
    let price = |close: &Close| close.find(symbol).unwrap().decimal(mark::MARK).unwrap();
    assert_eq!(price(&now) - price(&held), 1_000_000);
    assert_eq!(held.find(symbol).unwrap().text(mark::RUN_ID), first.run_id);
    let runs: Vec<String> = store.runs(MARKET_DATE).unwrap().into_iter().map(|entry| entry.run_id).collect();
    assert_eq!(runs, [first.run_id, second.run_id]);
    assert_eq!(store.latest(), Ok(Some((MARKET_DATE, now.run()))));
    assert_eq!(store.dates(), Ok(vec![MARKET_DATE]));
}

#[test]
fn readers_at_full_speed_never_see_two_runs_mixed() {
    let out = tempfile::tempdir().unwrap();
    let (day, marks) = close();
    publish_as(out.path(), &day, &marks, "version = 0\n");
    // Room for a few of them: most are let go, some while readers hold them.
    let store = Arc::new(Store::new(out.path(), 8 << 20));
    let done = Arc::new(AtomicBool::new(false));
    let symbols: Vec<String> = day.underlyings.iter().flat_map(|u| &u.series).map(|s| s.osi_symbol.clone()).collect();
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let (store, done, symbols) = (store.clone(), done.clone(), symbols.clone());
            std::thread::spawn(move || {
                let mut seen: BTreeMap<String, i64> = BTreeMap::new();
                while !done.load(Ordering::Acquire) {
                    let close = store.close(MARKET_DATE, store.current(MARKET_DATE).unwrap()).unwrap();
                    let base = close.find(&symbols[0]).unwrap().decimal(mark::MARK).unwrap();
                    for symbol in &symbols {
                        let row = close.find(symbol).unwrap();
                        assert_eq!(row.text(mark::RUN_ID), close.run().to_string());
                    }
                    // One run, one price: whatever else is published meanwhile.
                    assert_eq!(*seen.entry(close.run().to_string()).or_insert(base), base);
                }
                seen.len()
            })
        })
        .collect();
    for version in 1..12 {
        let mut moved = marks.clone();
        nudge(&mut moved[0].series[0], version);
        publish_as(out.path(), &day, &moved, &format!("version = {version}\n"));
    }
    done.store(true, Ordering::Release);
    for reader in readers {
        assert!(reader.join().unwrap() >= 1);
    }
}

#[test]
fn damage_is_noticed_and_absence_is_told() {
    let out = tempfile::tempdir().unwrap();
    let (day, marks) = close();
    let store = Store::new(out.path().join("none"), ROOMY);
    assert_eq!(store.current(MARKET_DATE), Err(StoreError::NoClose { date: MARKET_DATE }));
    assert_eq!((store.dates(), store.latest()), (Ok(vec![]), Ok(None)));
    let published = publish_close(out.path(), &day, &marks);
    let store = Store::new(out.path(), ROOMY);
    let absent = RunId::parse("0000000000000000").unwrap();
    assert_eq!(store.close(MARKET_DATE, absent).err(), Some(StoreError::NoRun { date: MARKET_DATE, run: absent }));
    let path = published.folder.join("marks.parquet");
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let error = store.close(MARKET_DATE, run(&published)).err().unwrap();
    assert!(matches!(&error, StoreError::Damaged { detail, .. } if detail.contains("marks.parquet")), "{error}");
}

#[test]
fn the_budget_holds() {
    let out = tempfile::tempdir().unwrap();
    let (day, marks) = close();
    let runs: Vec<RunId> = (0..3).map(|n| run(&publish_as(out.path(), &day, &marks, &format!("n = {n}\n")))).collect();
    let small = Store::new(out.path(), 1000);
    let Err(StoreError::TooLarge { needed, .. }) = small.close(MARKET_DATE, runs[0]) else { panic!("read anyway") };
    let roomy = Store::new(out.path(), ROOMY);
    let first = roomy.close(MARKET_DATE, runs[0]).unwrap();
    assert!(first.bytes() > 10_000 && first.bytes() < needed, "{} of {needed}", first.bytes());
    assert_eq!(roomy.held(), first.bytes());
    // Room for one and a half: the first goes when the second comes.
    let store = Store::new(out.path(), needed + first.bytes() / 2);
    for run in &runs {
        store.close(MARKET_DATE, *run).unwrap();
        assert!(store.held() < 2 * first.bytes());
    }
    // Who still holds one leaves no room for another, and is not robbed of it.
    let tight = Store::new(out.path(), needed);
    let mut kept = vec![tight.close(MARKET_DATE, runs[0]).unwrap()];
    assert!(matches!(tight.close(MARKET_DATE, runs[1]), Err(StoreError::Busy { .. })));
    assert!(kept[0].find(&day.underlyings[0].series[0].osi_symbol).is_some());
    kept.clear();
    assert!(tight.close(MARKET_DATE, runs[2]).is_ok());
}

#[test]
fn changes_are_those_that_were_made() {
    let out = tempfile::tempdir().unwrap();
    let (day, marks) = close();
    let older = publish_as(out.path(), &day, &marks, "n = 1\n");
    let (mut newer_day, mut newer_marks) = (day.clone(), marks.clone());
    let moved = place(&day, &marks, (0, 1), 100, true);
    nudge(&mut newer_marks[0].series[moved], 12);
    let gone = newer_day.underlyings[1].series.remove(5);
    newer_marks[1].series.remove(5);
    newer_marks[1].risk_arrays.remove(5);
    newer_marks[1].slices[0].series_count -= 1;
    let newer = publish_as(out.path(), &newer_day, &newer_marks, "n = 2\n");
    let store = Store::new(out.path(), ROOMY);
    let (old, new) = (store.close(MARKET_DATE, run(&older)).unwrap(), store.close(MARKET_DATE, run(&newer)).unwrap());
    let list = |base: &Close, newer: &Close| -> Vec<(String, Option<i64>, Option<i64>)> {
        Changes::from(base, newer, (0, 0))
            .map(|change| {
                let price = |row: Option<closemark_data::store::RowView<'_>>| row.and_then(|r| r.decimal(mark::MARK));
                let symbol = change.after.or(change.before).unwrap().text(mark::OSI_SYMBOL).to_owned();
                (symbol, price(change.before), price(change.after))
            })
            .collect()
    };
    let symbol = &day.underlyings[0].series[moved].osi_symbol;
    let before = marks[0].series[moved].mark.unwrap().micros();
    let lost = marks[1].series[5].mark.unwrap().micros();
    let expected = [(symbol.clone(), Some(before), Some(before + 12)), (gone.osi_symbol.clone(), Some(lost), None)];
    assert_eq!(list(&old, &new), expected);
    let reversed = [(symbol.clone(), Some(before + 12), Some(before)), (gone.osi_symbol, None, Some(lost))];
    assert_eq!(list(&new, &old), reversed);
    assert!(list(&old, &old).is_empty());
    // In two steps, from where the first stopped.
    let mut first = Changes::from(&old, &new, (0, 0));
    first.next().unwrap();
    assert_eq!(Changes::from(&old, &new, first.at()).count(), 1);
}

#[test]
fn the_board_counts_what_the_report_counted() {
    let out = tempfile::tempdir().unwrap();
    let (day, marks) = large();
    let published = publish_close(out.path(), &day, &marks);
    let store = Store::new(out.path(), ROOMY);
    let close = store.close(MARKET_DATE, run(&published)).unwrap();
    let report = figures::board(&day, &marks);
    assert_eq!(close.board().len(), 3);
    for (mine, theirs) in close.board().iter().zip(&report.rows) {
        assert_eq!(mine.underlying, theirs.day.underlying);
        assert_eq!(mine.figures, theirs.figures);
        assert_eq!((mine.confidence, mine.doubt), (theirs.confidence, theirs.doubt));
    }
}
