//! A day: the same content as an input folder and as messages.

use std::path::Path;
use std::process::Command;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Int64Type};
use closemark_proto::v1;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// The market date of generated days.
pub(crate) const DAY: &str = "2026-11-20";

/// Generates a small day as an input folder.
pub(crate) fn generate(folder: &Path) {
    let made = Command::new(env!("CARGO_BIN_EXE_closemark"))
        .args(["generate", "--seed", "5", "--underlyings", "3", "--date", DAY, "--out"])
        .arg(folder)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// The folder's quotes, in its order.
pub(crate) fn quotes(folder: &Path) -> Vec<v1::Quote> {
    let file = std::fs::File::open(folder.join("quotes.parquet")).unwrap();
    let mut all = Vec::new();
    for batch in ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap() {
        let batch = batch.unwrap();
        let column = |name: &str, to: DataType| {
            batch.column_by_name(name).map(|column| arrow::compute::cast(column, &to).unwrap())
        };
        let text = |name: &str| column(name, DataType::Utf8).unwrap();
        let price = |name: &str| column(name, DataType::Decimal128(18, 6)).unwrap();
        let whole = |name: &str| column(name, DataType::Int64);
        let (symbol, venue, bid, ask) = (text("osi_symbol"), text("venue"), price("bid"), price("ask"));
        let (bid_size, ask_size, sequence) = (whole("bid_size"), whole("ask_size"), whole("sequence"));
        let nanos = DataType::Timestamp(arrow::datatypes::TimeUnit::Nanosecond, Some("UTC".into()));
        let time = arrow::compute::cast(&column("quote_time", nanos).unwrap(), &DataType::Int64).unwrap();
        let number = |array: &Option<arrow::array::ArrayRef>, row: usize| {
            let array = array.as_ref()?.as_primitive::<Int64Type>();
            array.is_valid(row).then(|| array.value(row))
        };
        for row in 0..batch.num_rows() {
            let decimal = |array: &arrow::array::ArrayRef| {
                let array = array.as_primitive::<arrow::datatypes::Decimal128Type>();
                let micros = array.is_valid(row).then(|| i64::try_from(array.value(row)).unwrap());
                micros.map(|micros| v1::Decimal { micros })
            };
            all.push(v1::Quote {
                osi_symbol: symbol.as_string::<i32>().value(row).to_owned(),
                venue: venue.as_string::<i32>().value(row).to_owned(),
                bid: decimal(&bid),
                bid_size: number(&bid_size, row).map(|size| u32::try_from(size).unwrap()),
                ask: decimal(&ask),
                ask_size: number(&ask_size, row).map(|size| u32::try_from(size).unwrap()),
                quote_time_unix_nanos: number(&Some(time.clone()), row),
                venue_sequence: number(&sequence, row).map(|sequence| u64::try_from(sequence).unwrap()),
                ..v1::Quote::default()
            });
        }
    }
    all
}

/// Rows of a CSV file by column name; empty where there is no file. The generator quotes no field.
fn rows(folder: &Path, name: &str) -> Vec<Vec<(String, String)>> {
    let Ok(text) = std::fs::read_to_string(folder.join(name)) else { return Vec::new() };
    let mut lines = text.lines();
    let header: Vec<String> = lines.next().unwrap().split(',').map(ToOwned::to_owned).collect();
    lines.map(|line| header.iter().cloned().zip(line.split(',').map(ToOwned::to_owned)).collect()).collect()
}

fn get(row: &[(String, String)], column: &str) -> String {
    row.iter().find(|(name, _)| name == column).map(|(_, value)| value.clone()).unwrap_or_default()
}

fn decimal(text: &str) -> Option<v1::Decimal> {
    let number: f64 = text.parse().ok()?;
    Some(v1::Decimal { micros: (number * 1e6).round() as i64 })
}

/// The folder's reference records as one request.
pub(crate) fn reference(folder: &Path, request_id: &str) -> v1::PutReferenceRequest {
    let underlyings = rows(folder, "underlyings.csv").into_iter().map(|row| v1::Underlying {
        underlying: get(&row, "underlying"),
        price: decimal(&get(&row, "price")),
        price_time_unix_nanos: closemark_data::time::parse(&get(&row, "price_time")).map(|at| at.0),
        halted: get(&row, "halted") == "true",
        margin_group: get(&row, "margin_group"),
        leverage: get(&row, "leverage").parse().ok(),
        settlement_price: decimal(&get(&row, "settlement_price")),
        currency: "USD".to_owned(),
    });
    let series = rows(folder, "series.csv").into_iter().map(|row| v1::SeriesTerms {
        osi_symbol: get(&row, "osi_symbol"),
        underlying: get(&row, "underlying"),
        multiplier: get(&row, "multiplier").parse().unwrap_or(0),
        deliverable: get(&row, "deliverable"),
        expected: get(&row, "expected") == "true",
        ..v1::SeriesTerms::default()
    });
    let dividends = rows(folder, "dividends.csv").into_iter().map(|row| v1::Dividend {
        underlying: get(&row, "underlying"),
        ex_date: get(&row, "ex_date"),
        amount: decimal(&get(&row, "amount")),
        status: get(&row, "status"),
        currency: "USD".to_owned(),
    });
    let rates = rows(folder, "rates.csv").into_iter().map(|row| v1::Rate {
        tenor_days: get(&row, "tenor_days").parse().unwrap(),
        zero_rate: get(&row, "zero_rate").parse().unwrap(),
    });
    v1::PutReferenceRequest {
        request_id: request_id.to_owned(),
        market_date: DAY.to_owned(),
        underlyings: Some(v1::UnderlyingList { underlyings: underlyings.collect() }),
        series: Some(v1::SeriesList { series: series.collect() }),
        dividends: Some(v1::DividendList { dividends: dividends.collect() }),
        rates: Some(v1::RateList { rates: rates.collect() }),
        corporate_actions: None,
    }
}

/// One plain quote.
pub(crate) fn quote(strike: u32) -> v1::Quote {
    v1::Quote {
        osi_symbol: format!("XYZ   261218C{:08}", strike * 1000),
        venue: "XCBO".to_owned(),
        bid: Some(v1::Decimal { micros: 1_000_000 }),
        bid_size: Some(10),
        ask: Some(v1::Decimal { micros: 1_100_000 }),
        ask_size: Some(10),
        quote_time_unix_nanos: Some(1_795_208_399_000_000_000),
        ..v1::Quote::default()
    }
}

/// A batch of the quotes.
pub(crate) fn batch(producer: &str, sequence: u64, quotes: Vec<v1::Quote>) -> v1::IngestQuotesRequest {
    v1::IngestQuotesRequest { producer_id: producer.to_owned(), sequence, market_date: DAY.to_owned(), quotes }
}
