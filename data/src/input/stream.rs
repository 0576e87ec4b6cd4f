//! A day of which underlyings are made when they are asked for, so that nothing holds the whole of it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use closemark_pricing::day::UnderlyingDay;
use closemark_pricing::mark::ExceptionRow;
use closemark_pricing::series::Series;
use closemark_pricing::vocabulary::ExerciseStyle;

use super::assemble::Assembled;
use super::error::InputError;
use super::plan::{DayRows, Plan, parts_of};
use super::spill::Resources;
use super::{InputSource, ReadOptions, header, previous, records, reference_files, scan};
use crate::day::Day;
use crate::digest::InputDigest;
use crate::reference::VenueTable;
use crate::time;

/// One underlying of a day, before it is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedUnderlying {
    /// Its symbol.
    pub underlying: String,
    /// Its series.
    pub series: u64,
    /// The least symbol of its series, in the order of bytes.
    pub least_symbol: String,
    /// Its place among the groups of symbols.
    pub(crate) bucket: usize,
}

impl PlannedUnderlying {
    /// What is planned where the underlying is there already.
    pub fn of(day: &UnderlyingDay) -> Self {
        Self::named(&day.underlying, &day.series)
    }

    /// What is planned where the series are known.
    pub fn named(underlying: &str, series: &[Series]) -> Self {
        Self {
            underlying: underlying.to_owned(),
            series: series.len() as u64,
            least_symbol: series.iter().map(|one| one.osi_symbol.as_str()).min().unwrap_or_default().to_owned(),
            bucket: 0,
        }
    }
}

/// A day as read, digested and counted, whose underlyings are made one at a time and in any order.
pub struct DayStream {
    plan: Plan,
    /// The day without underlyings.
    head: Day,
    underlyings: Vec<PlannedUnderlying>,
    /// Underlyings with European series, where the curve has to be implied from them.
    european: Vec<UnderlyingDay>,
}

impl DayStream {
    /// Reads every file of an input folder, checks and digests its content.
    ///
    /// # Errors
    /// As [`read_day`](super::read_day).
    pub fn open(source: &dyn InputSource, options: &ReadOptions, resources: &Resources) -> Result<Self, InputError> {
        let plan = read_plan(source, options, resources)?;
        let implied = plan.curve.is_none();
        let european =
            |day: &UnderlyingDay| implied && day.series.iter().any(|one| one.exercise_style == ExerciseStyle::European);
        let (head, underlyings, european) = digest(&plan, resources.threads, &european)?;
        Ok(Self { plan, head, underlyings, european })
    }

    /// Everything of the day but its underlyings.
    pub fn head(&self) -> &Day {
        &self.head
    }

    /// The same, to settle its curve and settings.
    pub fn head_mut(&mut self) -> &mut Day {
        &mut self.head
    }

    /// Underlyings with European series, ascending, where neither input nor options give a curve; they are forgotten.
    pub fn take_european(&mut self) -> Vec<UnderlyingDay> {
        std::mem::take(&mut self.european)
    }

    /// The underlyings, ascending.
    pub fn underlyings(&self) -> &[PlannedUnderlying] {
        &self.underlyings
    }

    /// Makes the underlying at a place, under the head's curve.
    ///
    /// # Errors
    /// Where the temporary file of quotes cannot be read.
    pub fn underlying(&self, place: usize) -> Result<UnderlyingDay, InputError> {
        let missing = || InputError::file("(the day)", "it has no such underlying");
        let planned = self.underlyings.get(place).ok_or_else(missing)?;
        let mut day = self.plan.make(planned.bucket, false)?.day.ok_or_else(missing)?;
        if let Some(curve) = &self.head.curve {
            day.curve = curve.clone();
        }
        Ok(day)
    }
}

/// Reads a folder's rows.
pub(super) fn read_plan(
    source: &dyn InputSource,
    options: &ReadOptions,
    resources: &Resources,
) -> Result<Plan, InputError> {
    let header = header::Header::read(source)?;
    let venues = VenueTable::on(header.market_date)?;
    let mut faults = Vec::new();
    let reference = reference_files::ReferenceRows::read(source, &mut faults)?;
    let previous = previous::Previous::read(source)?;
    let gathered = scan::scan(source, &venues, parts_of(&reference), resources)?;
    Plan::new(DayRows { header, venues, reference, gathered, previous, faults }, options)
}

/// Makes every underlying of a plan: the day as a whole.
pub(super) fn whole(plan: Plan, resources: &Resources) -> Result<Day, InputError> {
    let (mut day, _, underlyings) = digest(&plan, resources.threads, &|_| true)?;
    day.underlyings = underlyings;
    Ok(day)
}

/// What one group of symbols left behind.
struct Counted {
    pub(crate) bucket: usize,
    planned: Option<PlannedUnderlying>,
    quotes: u64,
    expected: Vec<String>,
    faults: Vec<ExceptionRow>,
    rows_dropped: u64,
    kept: Option<UnderlyingDay>,
}

/// Makes every underlying once for its digest, and keeps those that `keep` wants.
fn digest(
    plan: &Plan,
    threads: usize,
    keep: &(dyn Fn(&UnderlyingDay) -> bool + Sync),
) -> Result<(Day, Vec<PlannedUnderlying>, Vec<UnderlyingDay>), InputError> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new((Vec::new(), InputDigest::default()));
    let work = || -> Result<(), InputError> {
        let (mut counted, mut sums) = (Vec::new(), InputDigest::default());
        loop {
            let bucket = next.fetch_add(1, Ordering::Relaxed);
            if bucket >= plan.buckets() {
                break;
            }
            let Assembled { day, expected, faults, rows_dropped, digest } = plan.make(bucket, true)?;
            sums.merge(&digest);
            let planned = day.as_ref().map(|day| PlannedUnderlying { bucket, ..PlannedUnderlying::of(day) });
            let quotes = day.as_ref().map_or(0, |day| day.quotes.len() as u64);
            let kept = day.filter(|day| keep(day));
            counted.push(Counted { bucket, planned, quotes, expected, faults, rows_dropped, kept });
        }
        let mut done = done.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        done.0.append(&mut counted);
        done.1.merge(&sums);
        Ok(())
    };
    let outcomes: Vec<Result<(), InputError>> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads.max(1)).map(|_| scope.spawn(work)).collect();
        let mut outcomes = vec![work()];
        let broken = || Err(InputError::file("(the day)", "a thread ended before its work"));
        outcomes.extend(others.into_iter().map(|thread| thread.join().unwrap_or_else(|_| broken())));
        outcomes
    });
    outcomes.into_iter().collect::<Result<Vec<()>, _>>()?;
    let (mut counted, mut digest) = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    counted.sort_by_key(|one| one.bucket);

    let (mut underlyings, mut kept, mut expected) = (Vec::new(), Vec::new(), Vec::new());
    let mut faults = plan.faults.clone();
    let (mut quotes, mut rows_dropped) = (0, plan.rows_dropped());
    for one in counted {
        underlyings.extend(one.planned);
        kept.extend(one.kept);
        expected.extend(one.expected);
        faults.extend(one.faults);
        quotes += one.quotes;
        rows_dropped += one.rows_dropped;
    }
    super::exceptions::canonical_order(&mut faults);
    records::reference(&mut digest, &plan.header, &plan.reference, plan.previous.as_ref(), &faults);
    let header = &plan.header;
    let head = Day {
        market_date: header.market_date,
        snapshot: header.snapshot,
        snapshot_text: time::to_new_york_text(header.snapshot),
        curve: plan.curve.clone(),
        underlyings: Vec::new(),
        exceptions: faults,
        // Rows that others superseded are no content: neither they nor their number may reach a published byte.
        rows_read: quotes + rows_dropped,
        rows_dropped,
        expected,
        settings: header.settings.clone(),
        venues: plan.mics.to_vec(),
        input_digest: digest.hex(),
        previous_run: plan.previous.as_ref().map(|previous| previous.run_id.clone()),
        record_counts: digest.counts(),
    };
    Ok((head, underlyings, kept))
}
