//! A day whose underlyings are made one at a time is the day that is held, whatever is spilled and whatever the order.

use std::fs::File;
use std::path::Path;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use bytes::Bytes;
use closemark_data::input::{DayStream, Embedded, Folder, InputSource, ReadOptions, Resources, read_day};
use closemark_data::sample;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

fn assert_same(source: &dyn InputSource, resources: &Resources) {
    let held = read_day(&sample::source(), &ReadOptions::default()).unwrap();
    let stream = DayStream::open(source, &ReadOptions::default(), resources).unwrap();
    let head = stream.head();
    assert_eq!(head.input_digest, held.input_digest);
    assert_eq!(head.exceptions, held.exceptions);
    assert_eq!((head.rows_read, head.rows_dropped), (held.rows_read, held.rows_dropped));
    assert_eq!((&head.record_counts, &head.expected), (&held.record_counts, &held.expected));
    assert_eq!(stream.underlyings().len(), held.underlyings.len());
    // From the last to the first: the order of asking does not matter.
    for (place, own) in held.underlyings.iter().enumerate().rev() {
        let made = stream.underlying(place).unwrap();
        assert_eq!(made.underlying, own.underlying);
        assert!(made.series == own.series && made.quotes == own.quotes && made.quote_offsets == own.quote_offsets);
        assert_eq!((made.price, &made.dividends, made.margin_group), (own.price, &own.dividends, own.margin_group));
        let planned = &stream.underlyings()[place];
        assert_eq!((&planned.underlying, planned.series), (&own.underlying, own.series.len() as u64));
        assert_eq!(Some(&planned.least_symbol), own.series.iter().map(|one| &one.osi_symbol).min());
    }
}

#[test]
fn rows_that_are_spilled_make_the_same_day_on_any_number_of_threads() {
    let sample = sample::source();
    assert_same(&sample, &Resources::default());
    for threads in [1, 3] {
        assert_same(&sample, &Resources { threads, rows_held_max: 5_000, spill_folder: None });
    }
}

#[test]
fn quotes_in_no_order_and_in_parts_make_the_same_day() {
    let dir = tempfile::tempdir().unwrap();
    for name in sample::source().names().unwrap() {
        if !name.starts_with("quotes") {
            let file = sample::source().open(&name).unwrap().unwrap();
            let mut content = Vec::new();
            std::io::Read::read_to_end(&mut file.into_read(), &mut content).unwrap();
            std::fs::write(dir.path().join(name), content).unwrap();
        }
    }
    let all = quotes(&sample::source());
    // A stride that shares no factor with the number of rows visits each once; groups of rows are small.
    let rows = all.num_rows() as u64;
    let stride = (rows / 2 + 1..).find(|stride| gcd(*stride, rows) == 1).unwrap();
    let order: Vec<u32> = (0..rows).map(|i| (i * stride % rows) as u32).collect();
    for (part, piece) in order.chunks(order.len() / 5).enumerate() {
        let batch = take_record_batch(&all, &UInt32Array::from(piece.to_vec())).unwrap();
        write(&dir.path().join(format!("quotes-{part:04}.parquet")), &batch);
    }
    assert_same(&Folder(dir.path().to_owned()), &Resources { threads: 3, rows_held_max: 20_000, spill_folder: None });
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn quotes(source: &Embedded) -> RecordBatch {
    let (_, bytes): &(String, Bytes) = source.0.iter().find(|(name, _)| name == "quotes.parquet").unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes.clone()).unwrap().build().unwrap();
    let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
    concat_batches(&batches[0].schema(), &batches).unwrap()
}

fn write(path: &Path, batch: &RecordBatch) {
    let properties = parquet::file::properties::WriterProperties::builder().set_max_row_group_row_count(Some(7_000));
    let mut writer =
        ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), Some(properties.build())).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
}
