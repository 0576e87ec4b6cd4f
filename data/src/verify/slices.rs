//! What the checks need of `slices.parquet`, with the rules of its rows.

use arrow::array::{Array, AsArray, RecordBatch};
use closemark_pricing::vocabulary::{ExerciseStyle, Reason, Settlement, SolverStatus};

use super::report::{Kind, Violation};
use crate::publication::read::ReadError;
use crate::publication::read::columns::{Columns, flag, list_numbers, number, words};
use crate::publication::schema::{CURVE_COORDINATE, CURVE_INTERPOLATION, SLICES};

/// What names a slice; ordered as its rows are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SliceKey {
    pub(super) underlying: String,
    pub(super) expiration: i32,
    pub(super) settlement: String,
    pub(super) root: String,
    pub(super) deliverable: String,
}

impl SliceKey {
    /// How reports name it.
    pub(super) fn label(&self) -> String {
        format!("{} {} {} {}", self.underlying, super::date_label(self.expiration), self.settlement, self.root)
    }
}

/// One slice as the integer conditions see it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Slice {
    pub(super) key: SliceKey,
    pub(super) american: bool,
    pub(super) calendar: bool,
    pub(super) time_to_expiry: f64,
    /// `A`, millionths.
    pub(super) forward_present_value: Option<i64>,
    /// `D`, 10^-12.
    pub(super) discount_factor: Option<i64>,
    pub(super) parity_upper: Option<i64>,
    pub(super) parity_lower: Option<i64>,
    pub(super) discount_factor_min: Option<i64>,
    pub(super) discount_factor_max: Option<i64>,
    /// Strikes too fine for exact parity: it holds to half a millionth.
    pub(super) parity_rounded: bool,
    pub(super) has_dividends: bool,
    /// Millionths: the one price of the underlying, taken from the slice's rows.
    pub(super) underlying_price: Option<i64>,
    /// One unit delivers something else than one share of the underlying.
    pub(super) adjusted: bool,
    /// (strike, mark) in millionths, ascending strikes; published marks only.
    pub(super) calls: Vec<(i64, i64)>,
    pub(super) puts: Vec<(i64, i64)>,
    /// Rows of `marks` that belong to it.
    pub(super) series: u64,
}

/// Reads the slices and checks their rows.
pub(super) fn read(batches: &[RecordBatch], run_id: &str) -> Result<(Vec<Slice>, Vec<Violation>), ReadError> {
    let (mut slices, mut found) = (Vec::new(), Vec::new());
    for batch in batches {
        append(batch, run_id, &mut slices, &mut found)?;
    }
    for pair in slices.windows(2) {
        if let [a, b] = pair
            && a.key >= b.key
        {
            let detail = format!("stands at or after {}", b.key.label());
            found.push(Violation::new(SLICES.file, Kind::Order, a.key.label(), detail));
        }
    }
    Ok((slices, found))
}

fn append(
    batch: &RecordBatch,
    run_id: &str,
    slices: &mut Vec<Slice>,
    found: &mut Vec<Violation>,
) -> Result<(), ReadError> {
    let columns = Columns::new(SLICES.file, batch);
    let (underlying, root) = (columns.text("underlying")?, columns.text("root")?);
    let (deliverable, settlement) = (columns.text("deliverable")?, columns.text("settlement")?);
    let (expiration, style) = (columns.dates("expiration")?, columns.text("exercise_style")?);
    let (calendar, time) = (columns.flags("calendar")?, columns.numbers("time_to_expiry")?);
    let (forward, discount) = (columns.decimals("forward_present_value")?, columns.decimals("discount_factor")?);
    let (upper, lower) = (columns.decimals("parity_upper")?, columns.decimals("parity_lower")?);
    let (least, most) = (columns.decimals("discount_factor_min")?, columns.decimals("discount_factor_max")?);
    let dividends = columns.numbers("dividend_present_value")?;
    let (reasons, confidence) = (columns.lists("reasons")?, columns.numbers("confidence")?);
    let (status, run) = (columns.text("solver_status")?, columns.text("run_id")?);
    let (coordinate, interpolation) = (columns.text("curve_coordinate")?, columns.text("curve_interpolation")?);
    let (nodes, variances) = (columns.lists("curve_log_moneyness")?, columns.lists("curve_total_variance")?);
    for row in 0..batch.num_rows() {
        let key = SliceKey {
            underlying: underlying.or_empty(row).to_owned(),
            expiration: if expiration.is_valid(row) { expiration.value(row) } else { 0 },
            settlement: settlement.or_empty(row).to_owned(),
            root: root.or_empty(row).to_owned(),
            deliverable: deliverable.or_empty(row).to_owned(),
        };
        let label = key.label();
        let mut wrong = |kind, detail: String| found.push(Violation::new(SLICES.file, kind, label.clone(), detail));
        let reasons = words(reasons, row);
        if run.get(row) != Some(run_id) {
            wrong(Kind::Manifest, format!("run_id {:?}, the manifest names {run_id}", run.or_empty(row)));
        }
        for (column, word, known) in [
            ("settlement", settlement.or_empty(row), Settlement::parse(settlement.or_empty(row)).is_some()),
            ("exercise_style", style.or_empty(row), ExerciseStyle::parse(style.or_empty(row)).is_some()),
            ("solver_status", status.or_empty(row), SolverStatus::parse(status.or_empty(row)).is_some()),
            ("curve_coordinate", coordinate.or_empty(row), coordinate.or_empty(row) == CURVE_COORDINATE),
            ("curve_interpolation", interpolation.or_empty(row), interpolation.or_empty(row) == CURVE_INTERPOLATION),
        ] {
            if !known {
                wrong(Kind::Vocabulary, format!("{column} {word:?}"));
            }
        }
        for word in reasons.iter().filter(|w| Reason::parse(w).is_none()) {
            wrong(Kind::Vocabulary, format!("reasons {word:?}"));
        }
        let t = number(time, row).unwrap_or(f64::NAN);
        if !(t >= 0.0 && t.is_finite()) {
            wrong(Kind::Bounds, format!("time_to_expiry {t}"));
        }
        if !number(confidence, row).is_some_and(|c| (0.0..=1.0).contains(&c)) {
            wrong(Kind::Bounds, "confidence is not between 0 and 1".to_owned());
        }
        let (k, w) = (list_numbers(nodes, row), list_numbers(variances, row));
        let ascending = k.iter().zip(k.iter().skip(1)).all(|(a, b)| a < b);
        if k.len() != w.len() || !ascending || w.iter().any(|w| w.is_nan() || *w < 0.0) {
            wrong(Kind::Bounds, "the curve's nodes are not ascending with variances that are not negative".to_owned());
        }
        slices.push(Slice {
            american: style.get(row) == Some(ExerciseStyle::American.as_str()),
            calendar: flag(calendar, row) == Some(true),
            time_to_expiry: t,
            forward_present_value: forward.get(row),
            discount_factor: discount.get(row),
            parity_upper: upper.get(row),
            parity_lower: lower.get(row),
            discount_factor_min: least.get(row),
            discount_factor_max: most.get(row),
            parity_rounded: reasons.iter().any(|r| r == Reason::ParityRounded.as_str()),
            has_dividends: number(dividends, row).is_some_and(|d| d != 0.0),
            underlying_price: None,
            adjusted: false,
            calls: Vec::new(),
            puts: Vec::new(),
            series: 0,
            key,
        });
    }
    Ok(())
}

/// Every word of a list column that is not known, once.
pub(super) fn unknown_words(list: &arrow::array::ListArray, known: impl Fn(&str) -> bool) -> Vec<String> {
    let Some(values) = list.values().as_string_opt::<i32>() else { return Vec::new() };
    let mut unknown: Vec<String> = values.iter().flatten().filter(|w| !known(w)).map(ToOwned::to_owned).collect();
    unknown.sort_unstable();
    unknown.dedup();
    unknown
}
