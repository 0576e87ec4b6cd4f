//! Risk points as rows that another program can price again: every input of the model beside the published prices.

use std::io::Write;

use anyhow::Result;
use closemark_data::day::Day;
use closemark_pricing::day::{DividendKnowledge, UnderlyingDay};
use closemark_pricing::mark::{SeriesMark, UnderlyingMarks};
use closemark_pricing::math::ln;
use closemark_pricing::risk::{POINTS, Range};
use closemark_pricing::series::Series;
use closemark_pricing::vocabulary::{ExerciseStyle, OptionType};

/// Ten minutes: snapshots, settlements and ex-dates are whole numbers of them.
const UNIT_NANOS: f64 = 600e9;
const UNITS_PER_YEAR: f64 = 365.0 * 144.0;

/// The header of the rows; the prices of another program follow under `other_1..other_10`.
pub const HEADER: &str = "style,type,strike,units,sigma,rate,borrow,dividends,s1,s2,s3,s4,s5,s6,s7,s8,s9,s10,\
                          p1,p2,p3,p4,p5,p6,p7,p8,p9,p10";

/// One series with the price of its underlying and its own price at every point.
#[derive(Clone, Debug)]
pub struct RiskRow {
    /// Call or put.
    pub option_type: OptionType,
    /// When it may be exercised.
    pub exercise_style: ExerciseStyle,
    /// Per share.
    pub strike: f64,
    /// Time to expiry in tens of minutes.
    pub units: f64,
    /// The volatility held.
    pub sigma: f64,
    /// Zero rate to expiry.
    pub rate: f64,
    /// Borrow or carry rate.
    pub borrow: f64,
    /// Time of each dividend in tens of minutes, and its cash.
    pub dividends: Vec<(f64, f64)>,
    /// Prices of the underlying.
    pub spots: [f64; POINTS],
    /// Published prices per share: the mark and the gain.
    pub prices: [f64; POINTS],
}

/// Every plain series of a close whose array has a volatility, in published order.
pub fn rows(day: &Day, marks: &[UnderlyingMarks]) -> Vec<RiskRow> {
    day.underlyings.iter().zip(marks).flat_map(|(u, m)| of_underlying(u, m, day)).collect()
}

fn of_underlying(day: &UnderlyingDay, marks: &UnderlyingMarks, whole: &Day) -> Vec<RiskRow> {
    let range = Range::of(day.margin_group, day.leverage, &whole.settings.risk);
    let series = day.series.iter().zip(&marks.series).zip(&marks.risk_arrays);
    series
        .filter_map(|((series, mark), array)| {
            let array = (*array)?;
            if !series.deliverable.standard || mark.time_to_expiry <= 0.0 {
                return None;
            }
            let base = mark.mark?.to_f64();
            let multiplier = f64::from(series.multiplier);
            let prices = array.points.map(|gain| base + gain.to_f64() / multiplier);
            let spots = range.prices(mark.underlying_price?).map(|p| p.to_f64());
            row(day, series, mark, array.volatility?, spots, prices)
        })
        .collect()
}

fn row(
    day: &UnderlyingDay,
    series: &Series,
    mark: &SeriesMark,
    sigma: f64,
    spots: [f64; POINTS],
    prices: [f64; POINTS],
) -> Option<RiskRow> {
    let t = mark.time_to_expiry;
    let since = |time: closemark_pricing::series::Instant| (time.0 - series.snapshot.0) as f64 / UNIT_NANOS;
    let paid =
        day.dividend_knowledge == DividendKnowledge::Scheduled && series.exercise_style == ExerciseStyle::American;
    let dividends =
        day.dividends.iter().filter(|d| paid && d.time > series.snapshot && d.time <= series.settlement_time);
    Some(RiskRow {
        option_type: series.option_type,
        exercise_style: series.exercise_style,
        strike: series.strike.to_f64(),
        units: t * UNITS_PER_YEAR,
        sigma,
        rate: -ln(mark.discount_factor?) / t,
        borrow: mark.borrow_rate.or(mark.carry_rate)?,
        dividends: dividends.map(|d| (since(d.time), d.amount)).collect(),
        spots,
        prices,
    })
}

/// About `count` rows at equal distances, so that every expiry and both types are among them.
pub fn spread(rows: &[RiskRow], count: usize) -> Vec<RiskRow> {
    let step = (rows.len() as f64 / count.max(1) as f64).max(1.0);
    (0..count.min(rows.len())).filter_map(|i| rows.get((i as f64 * step) as usize).cloned()).collect()
}

/// Writes rows under [`HEADER`].
///
/// # Errors
/// What the writer says.
pub fn write(rows: &[RiskRow], out: &mut dyn Write) -> Result<()> {
    writeln!(out, "{HEADER}")?;
    for row in rows {
        let dividends: Vec<String> = row.dividends.iter().map(|(t, d)| format!("{t:.0}:{d}")).collect();
        write!(
            out,
            "{},{},{},{:.0},{:?},{:?},{:?},{}",
            row.exercise_style.as_str(),
            row.option_type.as_str(),
            row.strike,
            row.units,
            row.sigma,
            row.rate,
            row.borrow,
            dividends.join(";"),
        )?;
        for number in row.spots.iter().chain(&row.prices) {
            write!(out, ",{number:.6}")?;
        }
        writeln!(out)?;
    }
    Ok(())
}
