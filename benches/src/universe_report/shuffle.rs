//! A day with its quotes in no order: the same rows, spread over parts and within them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

/// Parts of the shuffled day.
const PARTS: usize = 16;

/// Writes the day of `from` into `to` with its quotes shuffled.
///
/// # Errors
/// What the file system or Parquet says.
pub fn shuffle(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    let mut quotes: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        if name.starts_with("quotes") && name.ends_with(".parquet") {
            quotes.push(path);
        } else if path.is_file() && !matches!(name.as_str(), "truth.parquet" | "faults.csv") {
            fs::copy(&path, to.join(name))?;
        }
    }
    quotes.sort();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let spread = |part: usize| to.join(format!(".spread-{part}.parquet"));
    let mut parts: Vec<ArrowWriter<File>> = Vec::new();
    for file in &quotes {
        for batch in reader(file)? {
            let batch = batch?;
            if parts.is_empty() {
                for part in 0..PARTS {
                    parts.push(writer(&spread(part), batch.schema(), Compression::SNAPPY)?);
                }
            }
            let mut rows: Vec<Vec<u32>> = vec![Vec::new(); PARTS];
            for row in 0..batch.num_rows() as u32 {
                if let Some(own) = rows.get_mut(random.below(PARTS)) {
                    own.push(row);
                }
            }
            for (part, rows) in parts.iter_mut().zip(rows) {
                part.write(&take_record_batch(&batch, &UInt32Array::from(rows))?)?;
            }
        }
    }
    for part in parts {
        part.close()?;
    }
    for part in 0..PARTS {
        let path = spread(part);
        let batches: Vec<RecordBatch> = reader(&path)?.collect::<Result<_, _>>()?;
        let schema = batches.first().context("a day without quotes")?.schema();
        let all = concat_batches(&schema, &batches)?;
        let mut order: Vec<u32> = (0..all.num_rows() as u32).collect();
        for last in (1..order.len()).rev() {
            order.swap(last, random.below(last + 1));
        }
        let zstd = Compression::ZSTD(ZstdLevel::try_new(1)?);
        let mut out = writer(&to.join(format!("quotes-{part:04}.parquet")), schema, zstd)?;
        for piece in order.chunks(1 << 16) {
            out.write(&take_record_batch(&all, &UInt32Array::from(piece.to_vec()))?)?;
        }
        out.close()?;
        fs::remove_file(&path)?;
    }
    Ok(())
}

fn reader(path: &Path) -> Result<parquet::arrow::arrow_reader::ParquetRecordBatchReader> {
    let file = File::open(path).with_context(|| path.display().to_string())?;
    Ok(ParquetRecordBatchReaderBuilder::try_new(file)?.with_batch_size(1 << 16).build()?)
}

fn writer(path: &Path, schema: SchemaRef, compression: Compression) -> Result<ArrowWriter<File>> {
    let properties = WriterProperties::builder().set_compression(compression).build();
    Ok(ArrowWriter::try_new(File::create(path)?, schema, Some(properties))?)
}

/// Xorshift: any spread will do.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((u128::from(self.0) * limit as u128) >> 64) as usize
    }
}
