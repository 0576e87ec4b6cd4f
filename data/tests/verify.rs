//! One violation of each kind, planted and found; what is just allowed, allowed.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, RecordBatch, StringArray};
use arrow::compute::{cast, concat_batches, take_record_batch};
use arrow::datatypes::{DataType, Schema};
use closemark_data::day::Day;
use closemark_data::publication::read::{read_marks, read_slices};
use closemark_data::verify::{Kind, VerifyReport, Violation, verify};
use closemark_pricing::mark::{Greeks, SeriesMark, UnderlyingMarks};
use closemark_pricing::price::Price;
use closemark_pricing::vocabulary::{MarkSource, QuoteStatus, Reason, Reasons, VolatilityStatus};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use support::{close, nudge, place, publish_close, reseal};

type Marks = Vec<UnderlyingMarks>;

/// Publishes a close that `plant` has changed, and verifies it.
fn with(plant: impl FnOnce(&Day, &mut Marks)) -> VerifyReport {
    let out = tempfile::tempdir().unwrap();
    let (day, mut marks) = close();
    plant(&day, &mut marks);
    let published = publish_close(out.path(), &day, &marks);
    verify(&published.folder).unwrap()
}

/// (underlying, slice) of the made close.
const AMERICAN_EXPIRING: (usize, usize) = (0, 0);
const AMERICAN: (usize, usize) = (0, 1);
const AMERICAN_LATER: (usize, usize) = (0, 2);
const EUROPEAN: (usize, usize) = (1, 0);
const EUROPEAN_LATER: (usize, usize) = (1, 2);

fn row<'a>(day: &Day, marks: &'a mut Marks, slice: (usize, usize), strike: i64, call: bool) -> &'a mut SeriesMark {
    let place = place(day, marks, slice, strike, call);
    &mut marks[slice.0].series[place]
}

fn price(day: &Day, marks: &mut Marks, slice: (usize, usize), strike: i64, call: bool) -> i64 {
    row(day, marks, slice, strike, call).mark.unwrap().micros()
}

/// Sets a mark, its edit with it.
fn set(day: &Day, marks: &mut Marks, slice: (usize, usize), strike: i64, call: bool, micros: i64) {
    let by = micros - price(day, marks, slice, strike, call);
    nudge(row(day, marks, slice, strike, call), by);
}

/// A value that still holds, and the next one that does not.
fn edge(kind: Kind, plant: impl Fn(&Day, &mut Marks, i64)) {
    let good = with(|day, marks| plant(day, marks, 0));
    assert_eq!(good.count(kind), 0, "{:#?}", good.violations);
    let bad = with(|day, marks| plant(day, marks, 1));
    assert!(bad.count(kind) > 0, "{kind:?} was not found among {:#?}", bad.violations);
}

#[test]
fn a_clean_close_holds() {
    let report = with(|_, _| {});
    assert!(report.holds(), "{:#?}", report.violations);
}

#[test]
fn butterflies_to_the_millionth() {
    for (slice, call) in [(AMERICAN, true), (AMERICAN, false)] {
        edge(Kind::Butterfly, |day, marks, by| {
            let wings = price(day, marks, slice, 95, call) + price(day, marks, slice, 105, call);
            set(day, marks, slice, 100, call, wings.div_euclid(2) + by);
        });
    }
    edge(Kind::Butterfly, |day, marks, by| {
        let wings = price(day, marks, EUROPEAN, 4450, false) + price(day, marks, EUROPEAN, 4550, false);
        set(day, marks, EUROPEAN, 4500, false, wings.div_euclid(2) + by);
    });
}

#[test]
fn strike_zero_is_a_node() {
    edge(Kind::Butterfly, |day, marks, by| {
        let chord = (i128::from(price(day, marks, AMERICAN, 85, false)) * 80).div_euclid(85) as i64;
        set(day, marks, AMERICAN, 80, false, chord + by);
    });
    edge(Kind::Butterfly, |day, marks, by| {
        let chord = (100_250_000 * 5 + i128::from(price(day, marks, AMERICAN, 85, true)) * 80).div_euclid(85) as i64;
        set(day, marks, AMERICAN, 80, true, chord + by);
    });
}

#[test]
fn slopes_at_both_ends() {
    edge(Kind::Vertical, |day, marks, by| {
        let before = price(day, marks, AMERICAN, 115, true);
        set(day, marks, AMERICAN, 120, true, before + by);
    });
    edge(Kind::Vertical, |day, marks, by| {
        let before = price(day, marks, AMERICAN, 115, false);
        set(day, marks, AMERICAN, 120, false, before + 5_000_000 + by);
    });
    // European: no steeper than D, 0.9968 here.
    edge(Kind::Vertical, |day, marks, by| {
        let before = price(day, marks, EUROPEAN, 4950, false);
        set(day, marks, EUROPEAN, 5000, false, before + 49_840_000 + by);
    });
}

#[test]
fn bounds_and_exercise_values() {
    edge(Kind::Bounds, |day, marks, by| set(day, marks, AMERICAN, 80, true, 100_250_000 + by));
    edge(Kind::Bounds, |day, marks, by| set(day, marks, AMERICAN, 80, false, 80_000_000 + by));
    edge(Kind::Bounds, |day, marks, by| set(day, marks, EUROPEAN, 4000, true, 4_495_000_000 + by));
    edge(Kind::Bounds, |day, marks, by| set(day, marks, EUROPEAN, 4000, false, 3_987_200_000 + by));
    edge(Kind::Bounds, |day, marks, by| set(day, marks, AMERICAN, 80, false, -by));
    edge(Kind::Intrinsic, |day, marks, by| set(day, marks, AMERICAN, 80, true, 20_250_000 - by));
    edge(Kind::Intrinsic, |day, marks, by| set(day, marks, AMERICAN, 120, false, 19_750_000 - by));
    edge(Kind::Intrinsic, |day, marks, by| set(day, marks, EUROPEAN, 4000, true, 507_800_000 - by));
    edge(Kind::Intrinsic, |day, marks, by| set(day, marks, EUROPEAN, 5000, false, 489_000_000 - by));
    edge(Kind::Intrinsic, |day, marks, by| nudge(row(day, marks, AMERICAN_EXPIRING, 90, true), by));
    edge(Kind::Intrinsic, |day, marks, by| nudge(row(day, marks, AMERICAN_EXPIRING, 90, false), by));
}

#[test]
fn parity_in_both_styles() {
    // Call less put is at its lower bound K Dmax - L, and 1.00 below its upper one, U - K Dmin.
    edge(Kind::Parity, |day, marks, by| nudge(row(day, marks, AMERICAN, 100, true), -by));
    edge(Kind::Parity, |day, marks, by| nudge(row(day, marks, AMERICAN, 100, true), 1_000_000 + by));
    edge(Kind::Parity, |day, marks, by| nudge(row(day, marks, EUROPEAN, 4500, true), by));
    edge(Kind::Parity, |day, marks, by| nudge(row(day, marks, EUROPEAN, 4500, true), -by));
}

#[test]
fn parity_to_half_a_millionth_only_where_the_slice_says_so() {
    // D K is then 0.45 to 0.5 millionths more than whole at every strike.
    let fine = |marks: &mut Marks, reasons: Reasons| {
        let slice = &mut marks[1].slices[0];
        slice.discount_factor = Some(0.9968 + 1e-10);
        slice.reasons = reasons;
        for mark in marks[1].series.iter_mut().filter(|m| m.slice == 0) {
            mark.discount_factor = Some(0.9968 + 1e-10);
        }
    };
    let stated = with(|_, marks| fine(marks, Reasons::EMPTY.with(Reason::ParityRounded)));
    assert_eq!(stated.count(Kind::Parity), 0, "{:#?}", stated.violations);
    assert!(with(|_, marks| fine(marks, Reasons::EMPTY)).count(Kind::Parity) > 0);
}

#[test]
fn american_calendars_at_strikes_chords_and_mixed_chords() {
    // A common strike.
    edge(Kind::Calendar, |day, marks, by| {
        let later = price(day, marks, AMERICAN_LATER, 95, true);
        set(day, marks, AMERICAN, 95, true, later + by);
    });
    // A strike that the later expiration only brackets.
    edge(Kind::Calendar, |day, marks, by| {
        let chord = price(day, marks, AMERICAN_LATER, 85, false) + price(day, marks, AMERICAN_LATER, 95, false);
        set(day, marks, AMERICAN, 90, false, chord.div_euclid(2) + by);
    });
    // Mixed chords past the first and the last strike: later nodes 75 and 125.
    edge(Kind::Calendar, |day, marks, by| {
        let (p80, p85) = (price(day, marks, AMERICAN, 80, false), price(day, marks, AMERICAN, 85, false));
        set(day, marks, AMERICAN_LATER, 75, false, 2 * p80 - p85 - by);
    });
    edge(Kind::Calendar, |day, marks, by| {
        let (p115, p120) = (price(day, marks, AMERICAN, 115, false), price(day, marks, AMERICAN, 120, false));
        set(day, marks, AMERICAN_LATER, 125, false, 2 * p120 - p115 - by);
    });
}

#[test]
fn european_calendars_in_forward_moneyness() {
    let lower = |day: &Day, marks: &mut Marks, by: i64| {
        for call in [true, false] {
            nudge(row(day, marks, EUROPEAN_LATER, 4500, call), -by);
        }
    };
    assert!(with(|day, marks| lower(day, marks, 1)).holds());
    let report = with(|day, marks| lower(day, marks, 110_000_000));
    assert!(report.count(Kind::Calendar) > 0);
    assert_eq!(report.count(Kind::Parity), 0);
    // AM and PM of neighbouring dates are two expirations.
    let report = with(|day, marks| {
        for call in [true, false] {
            nudge(row(day, marks, EUROPEAN, 4500, call), 10_000_000);
        }
    });
    let between = |v: &Violation| v.kind == Kind::Calendar && v.subject.contains(" AM ");
    assert!(report.violations.iter().any(between), "{:#?}", report.violations);
}

#[test]
fn calendars_tie_only_what_may_be_tied() {
    let broken = |day: &Day, marks: &mut Marks| {
        let later = price(day, marks, AMERICAN_LATER, 95, false);
        set(day, marks, AMERICAN, 95, false, later + 1);
    };
    assert!(with(broken).count(Kind::Calendar) > 0);
    let untied = with(|day, marks| {
        broken(day, marks);
        marks[0].slices[2].calendar = false;
    });
    assert_eq!(untied.count(Kind::Calendar), 0);
    let out = tempfile::tempdir().unwrap();
    let (mut day, mut marks) = close();
    broken(&day, &mut marks);
    let other = "100 ABC + 12.5 USD";
    marks[0].slices[2].deliverable = other.to_owned();
    for (series, mark) in day.underlyings[0].series.iter_mut().zip(&marks[0].series) {
        if mark.slice == 2 {
            series.deliverable.text = other.to_owned();
        }
    }
    let published = publish_close(out.path(), &day, &marks);
    assert_eq!(verify(&published.folder).unwrap().count(Kind::Calendar), 0);
}

#[test]
fn nulls_where_they_belong() {
    let plants: [fn(&mut SeriesMark); 9] = [
        |m| m.mid = None,
        |m| m.implied_volatility = None,
        |m| m.mark = None,
        |m| m.mark_source = MarkSource::None,
        |m| m.volatility_status = VolatilityStatus::NoPrice,
        |m| m.volatility_status = VolatilityStatus::AtIntrinsic,
        |m| m.volatility_status = VolatilityStatus::Expired,
        |m| m.quote_status = QuoteStatus::ZeroBid,
        |m| {
            m.mark = None;
            m.mark_source = MarkSource::None;
        },
    ];
    for (i, plant) in plants.into_iter().enumerate() {
        let report = with(|day, marks| plant(row(day, marks, AMERICAN, 100, true)));
        assert!(report.count(Kind::Null) > 0, "plant {i}: {:#?}", report.violations);
    }
    let expired = with(|day, marks| row(day, marks, AMERICAN_EXPIRING, 100, true).greeks = Some(Greeks::default()));
    assert_eq!(expired.count(Kind::Null), 5);
    let zero_bid: [fn(&mut SeriesMark); 4] = [
        |m| m.mid = m.ask,
        |m| m.implied_volatility = Some(0.2),
        |m| m.accepted = Some(true),
        |m| m.edit_half_spreads = Some(0.1),
    ];
    for (i, plant) in zero_bid.into_iter().enumerate() {
        let report = with(|_, marks| plant(zero_bid_row(marks)));
        assert!(report.count(Kind::Null) > 0, "zero-bid plant {i}: {:#?}", report.violations);
    }
}

fn zero_bid_row(marks: &mut Marks) -> &mut SeriesMark {
    marks[0].series.iter_mut().find(|m| m.quote_status == QuoteStatus::ZeroBid).unwrap()
}

#[test]
fn quotes_edits_and_zero_bids() {
    let quotes: [fn(&mut SeriesMark); 5] = [
        |m| m.quote_status = QuoteStatus::Locked,
        |m| m.bid = m.ask,
        |m| m.bid = None,
        |m| m.mid = m.ask,
        |m| m.venue_count = 0,
    ];
    for (i, plant) in quotes.into_iter().enumerate() {
        let report = with(|day, marks| plant(row(day, marks, AMERICAN, 100, true)));
        assert!(report.count(Kind::Quote) > 0, "plant {i}: {:#?}", report.violations);
    }
    let edits: [fn(&mut SeriesMark); 2] = [|m| m.edit = None, |m| m.edit = Some(Price::from_micros(8))];
    for plant in edits {
        assert_eq!(with(|day, marks| plant(row(day, marks, AMERICAN, 100, true))).count(Kind::Edit), 1);
    }
    let below = |m: &mut SeriesMark| m.ask = m.mark.map(|p| Price::from_micros(p.micros() - 1));
    let report = with(|_, marks| {
        let row = zero_bid_row(marks);
        row.mark = Some(Price::from_micros(row.mark.unwrap().micros().max(2)));
        below(row);
    });
    assert_eq!(report.count(Kind::ZeroBid), 1, "{:#?}", report.violations);
    let explained = with(|_, marks| {
        let row = zero_bid_row(marks);
        row.mark = Some(Price::from_micros(row.mark.unwrap().micros().max(2)));
        below(row);
        row.reasons = Reasons::EMPTY.with(Reason::ButterflyEdit);
    });
    assert_eq!(explained.count(Kind::ZeroBid), 0);
}

#[test]
fn rows_and_slices_agree() {
    let other = |day: &Day, marks: &mut Marks| {
        row(day, marks, EUROPEAN, 4500, true).forward_present_value = Some(Price::from_micros(1));
    };
    assert_eq!(with(other).count(Kind::Slice), 1);
    let orphaned = with(|_, marks| {
        marks[1].slices.remove(1);
    });
    assert_eq!(orphaned.count(Kind::Slice), 42);
    let two_prices = with(|day, marks| row(day, marks, AMERICAN, 100, true).underlying_price = Some(Price::ZERO));
    assert!(two_prices.count(Kind::Slice) > 0);
}

/// Publishes a clean close, lets `damage` change its folder, and verifies it.
fn damaged(damage: impl FnOnce(&Path)) -> VerifyReport {
    let out = tempfile::tempdir().unwrap();
    let (day, marks) = close();
    let published = publish_close(out.path(), &day, &marks);
    damage(&published.folder);
    verify(&published.folder).unwrap()
}

#[test]
fn files_that_were_changed_lost_or_added() {
    for name in ["marks.parquet", "slices.parquet", "exceptions.parquet"] {
        let report = damaged(|run| rewrite(run, name, false, |batch| batch));
        assert_eq!(report.count(Kind::Digest), 1, "{:#?}", report.violations);
    }
    assert_eq!(damaged(|run| std::fs::write(run.join("more.txt"), b"x").unwrap()).count(Kind::Digest), 1);
    assert!(damaged(|run| std::fs::remove_file(run.join("timings.json")).unwrap()).holds());
    let edit = |run: &Path, from: &str, to: &str| {
        let path = run.join("manifest.json");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{from}");
        std::fs::write(path, text.replace(from, to)).unwrap();
    };
    for (from, to) in [
        ("coverage_min = 0.95", "coverage_min = 0.90"),
        ("\"market_date\": \"2026-11-20\"", "\"market_date\": \"2026-11-21\""),
        ("\"vocabulary_version\": 1", "\"vocabulary_version\": 2"),
        ("\"series\": 166", "\"series\": 165"),
        ("00ff00ff", "00ff00fe"),
    ] {
        let report = damaged(|run| edit(run, from, to));
        assert!(report.count(Kind::Manifest) > 0, "{from}: {:#?}", report.violations);
    }
    let out = tempfile::tempdir().unwrap();
    assert!(verify(out.path()).is_err());
}

#[test]
fn files_that_cannot_be_read_are_violations_too() {
    let damages: [fn(Vec<u8>) -> Vec<u8>; 4] = [
        |_| Vec::new(),
        |_| b"PAR1 and nothing else".to_vec(),
        |bytes| bytes[..bytes.len() / 2].to_vec(),
        |mut bytes| {
            let end = bytes.len() - 40;
            bytes[100..end].reverse();
            bytes
        },
    ];
    for name in ["marks.parquet", "slices.parquet", "exceptions.parquet"] {
        for damage in damages {
            let report = damaged(|run| {
                let bytes = std::fs::read(run.join(name)).unwrap();
                std::fs::write(run.join(name), damage(bytes)).unwrap();
            });
            assert!(report.count(Kind::Digest) == 1 && report.count(Kind::Schema) > 0, "{:#?}", report.violations);
        }
        let lost = damaged(|run| std::fs::remove_file(run.join(name)).unwrap());
        assert!(lost.count(Kind::Digest) == 1 && !lost.holds());
    }
}

/// Rewrites a table with other rows, without its promises of form; `sealed`: the manifest is made to agree.
fn rewrite(run: &Path, name: &str, sealed: bool, change: impl FnOnce(RecordBatch) -> RecordBatch) {
    let path = run.join(name);
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&path).unwrap()).unwrap().build().unwrap();
    let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
    let batch = change(concat_batches(&batches[0].schema(), &batches).unwrap());
    let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    if sealed {
        reseal(run, name);
    }
}

fn replace(batch: &RecordBatch, column: &str, array: ArrayRef) -> RecordBatch {
    let at = batch.schema().index_of(column).unwrap();
    let mut fields: Vec<_> = batch.schema().fields().iter().cloned().collect();
    fields[at] = Arc::new(fields[at].as_ref().clone().with_data_type(array.data_type().clone()));
    let mut columns = batch.columns().to_vec();
    columns[at] = array;
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

#[test]
fn schemas_of_another_form() {
    let same = damaged(|run| rewrite(run, "marks.parquet", true, |b| b));
    assert!(same.count(Kind::Schema) > 0 && same.count(Kind::Digest) == 0, "order, index and compression are gone");
    let changes: [fn(RecordBatch) -> RecordBatch; 3] = [
        |mut batch| {
            batch.remove_column(7);
            batch
        },
        |batch| {
            let text = cast(batch.column_by_name("mark").unwrap(), &DataType::Float64).unwrap();
            replace(&batch, "mark", text)
        },
        |batch| {
            let mut order: Vec<usize> = (0..batch.num_columns()).collect();
            order.swap(3, 4);
            batch.project(&order).unwrap()
        },
    ];
    for (i, change) in changes.into_iter().enumerate() {
        let report = damaged(|run| rewrite(run, "marks.parquet", true, change));
        let named = |v: &Violation| v.kind == Kind::Schema && v.subject == ["exercise_style", "mark", "root"][i];
        assert!(report.violations.iter().any(named), "change {i}: {:#?}", report.violations);
    }
}

#[test]
fn rows_out_of_order() {
    for name in ["marks.parquet", "slices.parquet", "exceptions.parquet"] {
        let report = damaged(|run| {
            rewrite(run, name, true, |batch| {
                let rows = batch.num_rows() as i32;
                take_record_batch(&batch, &Int32Array::from_iter_values((0..rows).rev())).unwrap()
            });
        });
        assert!(report.count(Kind::Order) > 0, "{name}: {:#?}", report.violations);
    }
    let twice = damaged(|run| {
        rewrite(run, "marks.parquet", true, |batch| {
            let rows = batch.num_rows() as i32;
            take_record_batch(&batch, &Int32Array::from_iter_values((0..rows).chain([rows - 1]))).unwrap()
        });
    });
    assert_eq!(twice.count(Kind::Order), 1);
}

#[test]
fn words_that_nobody_knows() {
    for (name, column) in [
        ("marks.parquet", "quote_status"),
        ("marks.parquet", "mark_source"),
        ("marks.parquet", "volatility_status"),
        ("marks.parquet", "option_type"),
        ("slices.parquet", "solver_status"),
        ("slices.parquet", "curve_interpolation"),
        ("exceptions.parquet", "stage"),
        ("exceptions.parquet", "scope"),
    ] {
        let report = damaged(|run| {
            rewrite(run, name, true, |batch| {
                let plain = StringArray::from_iter_values((0..batch.num_rows()).map(|_| "SURPRISE"));
                let kind = batch.schema().field_with_name(column).unwrap().data_type().clone();
                replace(&batch, column, cast(&plain, &kind).unwrap())
            });
        });
        let named = |v: &Violation| v.kind == Kind::Vocabulary && v.to_string().contains(column) && v.file == name;
        assert!(report.violations.iter().any(named), "{column}: {:#?}", report.violations);
    }
}

#[test]
fn damaged_files_end_in_a_report_and_never_in_a_panic() {
    let out = tempfile::tempdir().unwrap();
    let (day, marks) = close();
    let run = publish_close(out.path(), &day, &marks).folder;
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    for file in ["marks.parquet", "slices.parquet", "exceptions.parquet"] {
        let whole = std::fs::read(run.join(file)).unwrap();
        for _ in 0..150 {
            // An xorshift of period 2^64 - 1: positions all over the file, metadata included.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let mut damaged = whole.clone();
            let at = (state >> 16) as usize % damaged.len();
            damaged[at] ^= 1 << (state & 7);
            std::fs::write(run.join(file), &damaged).unwrap();
            assert!(!verify(&run).unwrap().holds(), "{file}: the digest alone must show byte {at}");
            // Even where the digest agrees, as a forger's would, the decoder's end is a finding and not ours.
            reseal(&run, file);
            verify(&run).unwrap();
            let _either = (read_marks(&run, None), read_slices(&run, None));
        }
        std::fs::write(run.join(file), &whole).unwrap();
        reseal(&run, file);
    }
    assert!(verify(&run).unwrap().holds());
}
