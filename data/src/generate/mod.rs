//! `closemark generate`: a seeded synthetic day in the input form, with the truth and a ledger of faults beside it.
//!
//! A name is drawn ([`cast`]) from the seed and its number alone; it lists expirations and strikes ([`listing`]) as
//! measured names do ([`calibration`]); an arbitrage-free law ([`surface`]) gives each series its true price under
//! the series' own model ([`truth`]); venues quote around it ([`quoting`]); some quotes are spoilt and written down
//! ([`faults`]). Names are made a batch at a time, in any order and written in their own, so that the whole market
//! needs no more memory than one batch.

pub mod calibration;
pub mod cast;
pub mod faults;
pub mod files;
pub mod listing;
pub mod quoting;
pub mod random;
pub mod surface;
pub mod truth;

use std::path::{Path, PathBuf};

use closemark_pricing::curve::{CurveError, DiscountCurve};
use closemark_pricing::price::Price;
use closemark_pricing::series::{Date, Instant};
use rayon::prelude::*;

use self::cast::{Profile, Role, Size};
use self::faults::{Corrupter, Fault, FaultKind};
use self::files::{LedgerWriter, TruthRow, TruthWriter};
use self::quoting::Quoter;
use self::random::Random;
use self::truth::Market;
use crate::calendar::{Calendar, CalendarKind};
use crate::date;
use crate::input::{
    DayFiles, DividendRow, QuoteRow, QuoteWriter, RateRow, SeriesRow, UnderlyingRow, WriteError,
    write_day_without_quotes,
};
use crate::reference::ReferenceError;
use crate::time;

/// Names of a universe-sized day.
pub const UNIVERSE_UNDERLYINGS: usize = 6_000;

/// The seed of the bundled sample day.
pub const SAMPLE_SEED: u64 = 20_261_120;

/// Names of the bundled sample day.
pub const SAMPLE_UNDERLYINGS: usize = 40;

/// Names made at a time.
const BATCH: usize = 48;

/// Quote rows of a part of a universe-sized day.
const PART_ROWS: u64 = 2_000_000;

/// The day's zero curve: days and continuously compounded rates.
const ZERO_RATES: [(f64, f64); 9] = [
    (1.0, 0.0389),
    (30.0, 0.0386),
    (91.0, 0.0379),
    (182.0, 0.0368),
    (365.0, 0.0355),
    (730.0, 0.0346),
    (1_095.0, 0.0347),
    (1_825.0, 0.0357),
    (3_650.0, 0.0389),
];

/// What to generate.
#[derive(Clone, Debug, PartialEq)]
pub struct GenerateRequest {
    /// The seed.
    pub seed: u64,
    /// How many names.
    pub underlyings: usize,
    /// How many series they have.
    pub size: Size,
    /// The folder.
    pub out: PathBuf,
    /// A trading day; on a half day the snapshot is 13:00.
    pub market_date: Date,
    /// How much of it, from 1 to 100: the index classes keep this share of their series, and of the other names every
    /// so many are there, each as in the whole.
    pub percent: u8,
}

impl GenerateRequest {
    /// A day of `underlyings` names with as many series as measured names have, on 2026-11-20.
    pub fn new(seed: u64, underlyings: usize, out: &Path) -> Self {
        Self { seed, underlyings, size: Size::Full, out: out.to_owned(), market_date: default_date(), percent: 100 }
    }

    /// The whole market.
    pub fn universe(seed: u64, out: &Path) -> Self {
        Self { size: Size::Universe, ..Self::new(seed, UNIVERSE_UNDERLYINGS, out) }
    }

    /// Whether a name is there: an index class always, others evenly.
    fn includes(&self, place: usize) -> bool {
        let upto = |place: usize| place * usize::from(self.percent) / 100;
        cast::is_index(place, self.size) || upto(place + 1) > upto(place)
    }

    /// The bundled sample day.
    pub fn sample(out: &Path) -> Self {
        Self { size: Size::Sample, ..Self::new(SAMPLE_SEED, SAMPLE_UNDERLYINGS, out) }
    }
}

/// The third Friday of November 2026: an expiration day and a week before a half day.
pub fn default_date() -> Date {
    date::from_ymd(2026, 11, 20).unwrap_or_default()
}

/// What was generated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GenerateSummary {
    /// Names.
    pub underlyings: usize,
    /// Series with a truth.
    pub series: u64,
    /// Series whose truth no model could give; their `true_price` is null.
    pub unpriced: u64,
    /// Quote rows.
    pub quotes: u64,
    /// Rows of the ledger.
    pub faults: u64,
    /// Quote files.
    pub parts: usize,
}

/// Why nothing, or not everything, was generated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GenerateError {
    /// The market date is a weekend or a holiday.
    #[error("market date {date}: not a trading day")]
    ClosedDay {
        /// The date.
        date: String,
    },
    /// The number of names is out of range.
    #[error("underlyings {count}: from 1 to 10000 are possible")]
    Underlyings {
        /// The number asked for.
        count: usize,
    },
    /// The share is out of range.
    #[error("percent {percent}: from 1 to 100 are possible")]
    Percent {
        /// The share asked for.
        percent: u8,
    },
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The input folder could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A reference table of the project is damaged.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// The zero curve is damaged.
    #[error(transparent)]
    Curve(#[from] CurveError),
    /// Arrow refused the columns of the truth.
    #[error("truth: {0}")]
    Arrow(#[from] arrow::error::ArrowError),
    /// Parquet refused the columns of the truth.
    #[error("truth: {0}")]
    Parquet(#[from] parquet::errors::ParquetError),
    /// The ledger could not be written.
    #[error("faults: {0}")]
    Csv(#[from] csv::Error),
}

/// Generates a day; the same request gives the same bytes on every host and for any number of threads.
///
/// # Errors
/// See [`GenerateError`].
pub fn generate(request: &GenerateRequest) -> Result<GenerateSummary, GenerateError> {
    if !(1..=10_000).contains(&request.underlyings) {
        return Err(GenerateError::Underlyings { count: request.underlyings });
    }
    if !(1..=100).contains(&request.percent) {
        return Err(GenerateError::Percent { percent: request.percent });
    }
    let market = market(request.market_date)?;
    let out = &request.out;
    std::fs::create_dir_all(out).map_err(|source| GenerateError::Io { path: out.clone(), source })?;
    remove_old_quotes(out)?;
    let mut truth = TruthWriter::create(&out.join("truth.parquet"))?;
    let mut ledger = LedgerWriter::create(&out.join("faults.csv"))?;
    let mut quotes = QuoteParts::new(out, request.size == Size::Universe);
    let mut day = empty_day(&market);
    let places: Vec<usize> = (0..request.underlyings).filter(|&place| request.includes(place)).collect();
    let mut summary = GenerateSummary { underlyings: places.len(), ..GenerateSummary::default() };
    for batch in places.chunks(BATCH) {
        let names: Vec<Name> = batch.par_iter().map(|&place| make_name(&market, request, place)).collect();
        for name in names {
            summary.series += name.truth.len() as u64;
            summary.unpriced += name.truth.iter().filter(|row| row.true_price.is_none()).count() as u64;
            summary.quotes += name.quotes.len() as u64;
            summary.faults += name.faults.len() as u64;
            truth.write(&name.truth)?;
            ledger.write(&name.faults)?;
            quotes.write(&name.quotes)?;
            day.underlyings.extend(name.underlying);
            day.series.extend(name.series);
            day.dividends.extend(name.dividends);
            day.snapshots.extend(name.snapshots);
        }
    }
    truth.finish()?;
    ledger.finish()?;
    summary.parts = quotes.finish()?;
    write_day_without_quotes(out, &day)?;
    Ok(summary)
}

fn market(market_date: Date) -> Result<Market, GenerateError> {
    let calendar = Calendar::new(CalendarKind::Us)?;
    let snapshot =
        calendar.close(market_date).ok_or_else(|| GenerateError::ClosedDay { date: date::to_text(market_date) })?;
    let rates: Vec<(f64, f64)> = ZERO_RATES.iter().map(|&(days, rate)| (days / 365.0, rate)).collect();
    let curve = DiscountCurve::from_zero_rates(&rates)?;
    let index_snapshot = Instant(snapshot.0.saturating_add(15 * 60 * 1_000_000_000));
    Ok(Market { market_date, snapshot, index_snapshot, curve, calendar })
}

fn empty_day(market: &Market) -> DayFiles {
    DayFiles {
        market_date: market.market_date,
        snapshot: time::to_new_york_text(market.snapshot),
        calendar: "us".to_owned(),
        rates: ZERO_RATES.iter().map(|&(tenor_days, zero_rate)| RateRow { tenor_days, zero_rate }).collect(),
        ..DayFiles::default()
    }
}

/// A reader would take parts of an earlier day for this one's.
fn remove_old_quotes(out: &Path) -> Result<(), GenerateError> {
    let io = |source| GenerateError::Io { path: out.to_owned(), source };
    for entry in std::fs::read_dir(out).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        let quotes = name.starts_with("quotes") && (name.ends_with(".parquet") || name.ends_with(".csv"));
        if quotes || name == "day.toml" {
            std::fs::remove_file(&path).map_err(|source| GenerateError::Io { path: path.clone(), source })?;
        }
    }
    Ok(())
}

/// The quote files of a day: one, or parts of bounded size.
struct QuoteParts<'a> {
    out: &'a Path,
    in_parts: bool,
    parts: usize,
    rows: u64,
    writer: Option<QuoteWriter>,
}

impl<'a> QuoteParts<'a> {
    fn new(out: &'a Path, in_parts: bool) -> Self {
        Self { out, in_parts, parts: 0, rows: 0, writer: None }
    }

    fn write(&mut self, rows: &[QuoteRow]) -> Result<(), WriteError> {
        if self.in_parts
            && self.rows >= PART_ROWS
            && let Some(writer) = self.writer.take()
        {
            writer.finish()?;
            self.rows = 0;
        }
        let mut writer = match self.writer.take() {
            Some(writer) => writer,
            None => {
                self.parts += 1;
                let name = if self.in_parts {
                    format!("quotes-{:04}.parquet", self.parts)
                } else {
                    "quotes.parquet".to_owned()
                };
                QuoteWriter::create(&self.out.join(name))?
            }
        };
        for batch in rows.chunks(QuoteWriter::BATCH_ROWS) {
            writer.write(batch)?;
        }
        self.rows += rows.len() as u64;
        self.writer = Some(writer);
        Ok(())
    }

    fn finish(mut self) -> Result<usize, WriteError> {
        if let Some(writer) = self.writer.take() {
            writer.finish()?;
        }
        Ok(self.parts)
    }
}

/// Everything of one name.
struct Name {
    truth: Vec<TruthRow>,
    quotes: Vec<QuoteRow>,
    faults: Vec<Fault>,
    underlying: Option<UnderlyingRow>,
    series: Vec<SeriesRow>,
    dividends: Vec<DividendRow>,
    snapshots: Vec<(String, String)>,
}

fn make_name(market: &Market, request: &GenerateRequest, place: usize) -> Name {
    let mut profile = cast::profile(request.seed, place, request.size, market.market_date);
    if profile.index && request.percent < 100 {
        profile.classes.iter_mut().for_each(|class| class.series *= f64::from(request.percent) / 100.0);
    }
    // Streams of their own, so that a change in how profiles are drawn leaves the quotes' noise as it was.
    let mut random = Random::new(request.seed, place as u64 | 1 << 40);
    let name = truth::true_name(market, &profile, &mut random);
    let quoter = Quoter::new(&profile, name.slices.len(), &mut random);
    let mut corrupter = Corrupter::new(market, &profile);
    let underlying = underlying_row(market, &profile, &mut corrupter, &mut random);
    let mut quotes = Vec::new();
    let mut truth = Vec::with_capacity(name.series.len());
    let mut series_rows = Vec::new();
    for (i, series) in name.series.iter().enumerate() {
        let Some(slice) = name.slices.get(series.slice) else { continue };
        // A stream for each series: a truth that moves in its last digits changes no other series' draws.
        let mut random = Random::new(request.seed, 1 << 62 | (place as u64) << 24 | i as u64);
        let made = quoter.quotes(series, &mut random);
        quotes.extend(corrupter.rows(series, slice, made, &mut random));
        if let Some(deliverable) = &slice.deliverable {
            corrupter.note_adjusted(series, deliverable);
            series_rows.push(SeriesRow {
                osi_symbol: series.osi_symbol.clone(),
                underlying: Some(profile.symbol.clone()),
                multiplier: Some(100),
                deliverable: Some(deliverable.clone()),
                ..SeriesRow::default()
            });
        }
        truth.push(TruthRow {
            osi_symbol: series.osi_symbol.clone(),
            true_price: series.modelled.then_some(series.price),
            true_volatility: series.volatility,
            true_forward: slice.forward,
            spot: profile.spot,
            tier: profile.tier.as_str(),
        });
    }
    let snapshots = if profile.index {
        let at = time::to_new_york_text(market.index_snapshot);
        profile.classes.iter().map(|class| (class.root.clone(), at.clone())).collect()
    } else {
        Vec::new()
    };
    Name {
        truth,
        quotes,
        faults: corrupter.ledger,
        underlying,
        series: series_rows,
        dividends: dividend_rows(&profile),
        snapshots,
    }
}

fn underlying_row(
    market: &Market,
    profile: &Profile,
    corrupter: &mut Corrupter<'_>,
    random: &mut Random,
) -> Option<UnderlyingRow> {
    let mut price = profile.spot;
    let mut price_time = if profile.index { market.index_snapshot } else { market.snapshot };
    match profile.role {
        Role::NoPrice => return None,
        Role::AfterHours => {
            let away = if random.chance(0.5) { 1.006 } else { 0.994 };
            price = libm::round(100.0 * profile.spot * away) / 100.0;
            price_time = Instant(price_time.0 + 22 * 60 * 1_000_000_000);
            corrupter.note_name(
                FaultKind::AfterHoursPrice,
                format!("print {price:.2}, 22 minutes after a close at {:.2}", profile.spot),
            );
        }
        Role::Halted => price_time = Instant(price_time.0 - 62 * 60 * 1_000_000_000),
        _ => {}
    }
    Some(UnderlyingRow {
        underlying: profile.symbol.clone(),
        price: Price::nearest(price),
        price_time: Some(price_time),
        halted: profile.role == Role::Halted,
        margin_group: Some(profile.margin_group),
        leverage: (profile.leverage != 1.0).then_some(profile.leverage),
        settlement_price: Price::nearest(profile.spot).filter(|_| profile.expiring),
    })
}

fn dividend_rows(profile: &Profile) -> Vec<DividendRow> {
    if profile.index {
        return Vec::new();
    }
    let row = |ex_date, amount, status: &str| DividendRow {
        underlying: profile.symbol.clone(),
        ex_date,
        amount,
        status: status.to_owned(),
    };
    if profile.dividends.is_empty() {
        return vec![row(None, None, "none")];
    }
    profile
        .dividends
        .iter()
        .map(|d| row(Some(d.ex_date), Some(d.amount), if d.declared { "declared" } else { "projected" }))
        .collect()
}
