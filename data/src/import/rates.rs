//! Zero rates from what people have: the project's own `rates.csv`, Treasury par-yield tables, FRED series.

use std::path::{Path, PathBuf};

use closemark_pricing::series::Date;

use super::error::ImportError;
use super::frame::Frame;
use crate::date;
use crate::input::RateRow;
use crate::input::number::plain_number;

/// A yield table older than this many days before the market date is of no use.
const DAYS_OLD_MAX: i32 = 10;

/// Reads the curve of the last day at or before the market date.
pub(crate) fn read(paths: &[PathBuf], market_date: Date) -> Result<Vec<RateRow>, ImportError> {
    let mut par = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(path).map_err(|error| ImportError::file(path, error))?;
        let header = text.lines().next().unwrap_or_default().trim_start_matches('\u{feff}').to_owned();
        if header.contains("tenor_days") {
            return own(path);
        }
        let found = if text.trim_start().starts_with('{') {
            from_json(path, &text, market_date)?
        } else {
            from_table(path, &header, market_date)?
        };
        par.extend(found);
    }
    par.sort_by(|a: &(f64, f64), b| a.0.total_cmp(&b.0));
    par.dedup_by(|a, b| a.0 == b.0);
    let zeros = zero_rates_from_par_yields(&par);
    if zeros.is_empty() {
        let day = date::to_text(market_date);
        return Err(ImportError::of("--rates", format!("no yields of {day} or the {DAYS_OLD_MAX} days before it")));
    }
    Ok(zeros)
}

fn own(path: &Path) -> Result<Vec<RateRow>, ImportError> {
    let frame = Frame::read(path, &["tenor_days", "zero_rate"])?;
    let number = |column: &str, row: usize| {
        let text = frame.get(column, row);
        plain_number(text).ok_or_else(|| {
            ImportError::file(path, format!("row {}, column `{column}`: `{text}` is no number", row + 1))
        })
    };
    (0..frame.len())
        .map(|row| Ok(RateRow { tenor_days: number("tenor_days", row)?, zero_rate: number("zero_rate", row)? }))
        .collect()
}

/// Years of a column's name: `1 Mo`, `1.5 Mo`, `10 Yr`, `DGS3MO`, `DGS10`, `y3m`, `y30`.
fn tenor_years(name: &str) -> Option<f64> {
    let name = name.trim();
    if let Some(months) = name.strip_suffix(" Mo") {
        return plain_number(months).map(|m| m / 12.0);
    }
    if let Some(years) = name.strip_suffix(" Yr") {
        return plain_number(years);
    }
    let rest = name.strip_prefix("DGS").or_else(|| name.strip_prefix('y'))?;
    match rest.strip_suffix("MO").or_else(|| rest.strip_suffix('m')) {
        Some(months) => plain_number(months).map(|m| m / 12.0),
        None => plain_number(rest),
    }
}

fn usable(day: Option<Date>, market_date: Date) -> Option<Date> {
    day.filter(|day| *day <= market_date && day.0 > market_date.0 - DAYS_OLD_MAX)
}

fn yield_point(name: &str, percent: Option<f64>) -> Option<(f64, f64)> {
    let (years, percent) = (tenor_years(name)?, percent?);
    ((0.01..=30.0).contains(&years) && (-20.0..=100.0).contains(&percent)).then_some((years, percent / 100.0))
}

/// The latest usable row with a yield. A FRED series has holes on holidays, so rows without a yield do not count.
fn from_table(path: &Path, header: &str, market_date: Date) -> Result<Vec<(f64, f64)>, ImportError> {
    let names: Vec<&str> = header.split(',').map(|name| name.trim_matches('"').trim()).collect();
    let frame = Frame::read(path, &names)?;
    let key = names.first().copied().unwrap_or_default();
    let points = |row: usize| -> Vec<(f64, f64)> {
        names.iter().filter_map(|name| yield_point(name, plain_number(frame.get(name, row)))).collect()
    };
    let day = |row: usize| usable(date::parse(frame.get(key, row)), market_date);
    let mut best: Option<(Date, Vec<(f64, f64)>)> = None;
    for row in 0..frame.len() {
        let Some(day) = day(row).filter(|day| best.as_ref().is_none_or(|(known, _)| known < day)) else { continue };
        let points = points(row);
        if !points.is_empty() {
            best = Some((day, points));
        }
    }
    Ok(best.map(|(_, points)| points).unwrap_or_default())
}

fn from_json(path: &Path, text: &str, market_date: Date) -> Result<Vec<(f64, f64)>, ImportError> {
    let value: serde_json::Value = serde_json::from_str(text).map_err(|error| ImportError::file(path, error))?;
    let rows = value
        .pointer("/families/nominal/rows")
        .and_then(serde_json::Value::as_array)
        .ok_or_else(|| ImportError::file(path, "has no /families/nominal/rows"))?;
    let day = |row: &serde_json::Value| {
        usable(row.get("date").and_then(serde_json::Value::as_str).and_then(date::parse), market_date)
    };
    let best = rows.iter().filter_map(|row| day(row).map(|day| (day, row))).max_by_key(|(day, _)| *day);
    let fields = best.and_then(|(_, row)| row.as_object());
    let points = fields.into_iter().flatten().filter_map(|(name, value)| yield_point(name, value.as_f64()));
    Ok(points.collect())
}

/// Zero rates from par yields of Treasury securities, at the yields' own tenors.
///
/// # Formula
/// Up to half a year a bill pays once: `D = 1 / (1 + y t)`. Beyond, a note pays `y/2` each half year and is worth par:
/// `1 = y/2 (D_1 + ... + D_n) + D_n`, with par yields linear between tenors and flat outside. The zero rate is
/// `-ln D / t`.
///
/// # Units
/// Yields are fractions with semi-annual compounding, tenors years; zero rates continuously compounded, ACT/365.
///
/// # Domain
/// Tenors ascending in (0, 30]; yields for which a discount factor would not be positive end the curve.
pub fn zero_rates_from_par_yields(par: &[(f64, f64)]) -> Vec<RateRow> {
    let yield_at = |t: f64| -> f64 {
        match par.iter().position(|(tenor, _)| *tenor >= t) {
            Some(0) => par.first().map_or(0.0, |p| p.1),
            None => par.last().map_or(0.0, |p| p.1),
            Some(after) => match par.get(after - 1).zip(par.get(after)) {
                Some(((t0, y0), (t1, y1))) => y0 + (y1 - y0) * ((t - t0) / (t1 - t0)),
                None => 0.0,
            },
        }
    };
    // Half-year discount factors up to thirty years.
    let mut annuity = 0.0;
    let mut halves: Vec<f64> = Vec::new();
    for n in 1..=60u32 {
        let half = yield_at(f64::from(n) / 2.0) / 2.0;
        let discount = (1.0 - half * annuity) / (1.0 + half);
        if discount <= 0.0 {
            break;
        }
        annuity += discount;
        halves.push(discount);
    }
    let minus_log = |t: f64| -> Option<f64> {
        if t <= 0.5 {
            return Some(1.0 + yield_at(t) * t).filter(|growth| *growth > 0.0).map(libm::log);
        }
        let place = 2.0 * t;
        let below = place.floor();
        let index = below as usize;
        let low = -libm::log(*halves.get(index.checked_sub(1)?)?);
        if place == below {
            return Some(low);
        }
        let high = -libm::log(*halves.get(index)?);
        Some(low + (high - low) * (place - below))
    };
    let rate = |(t, _): &(f64, f64)| {
        let zero_rate = minus_log(*t)? / t;
        Some(RateRow { tenor_days: (t * 365.0 * 1e4).round() / 1e4, zero_rate })
    };
    par.iter().filter_map(rate).collect()
}

#[cfg(test)]
mod tests {
    use super::{tenor_years, zero_rates_from_par_yields};

    #[test]
    fn a_flat_par_curve_is_a_flat_zero_curve() {
        let par = [(0.5, 0.05), (1.0, 0.05), (2.0, 0.05), (10.0, 0.05), (30.0, 0.05)];
        // Semi-annual 5 % is 2 ln 1.025 continuously, at every tenor.
        for row in zero_rates_from_par_yields(&par) {
            assert!((row.zero_rate - 2.0 * libm::log(1.025)).abs() < 1e-12, "{row:?}");
        }
    }

    #[test]
    fn notes_reprice_to_par() {
        let par = [(0.25, 0.053), (1.0, 0.05), (2.0, 0.045), (3.0, 0.043)];
        let zeros = zero_rates_from_par_yields(&par);
        assert_eq!(zeros.len(), 4);
        // The two-year note pays 2.25 at 0.5, 1, 1.5 and 102.25 at 2 years; yields at 0.5 and 1.5 by interpolation.
        let discount = |y: f64, before: f64| (1.0 - y / 2.0 * before) / (1.0 + y / 2.0);
        let d1 = discount(0.052, 0.0);
        let d2 = discount(0.05, d1);
        let d3 = discount(0.0475, d1 + d2);
        let d4 = libm::exp(-zeros[2].zero_rate * 2.0);
        assert!((0.0225 * (d1 + d2 + d3) + 1.0225 * d4 - 1.0).abs() < 1e-12);
        assert!((zeros[0].zero_rate - libm::log(1.0 + 0.053 / 4.0) * 4.0).abs() < 1e-12);
    }

    #[test]
    fn tenors_by_their_names() {
        for (name, years) in [
            ("1 Mo", 1.0 / 12.0),
            ("1.5 Mo", 0.125),
            ("30 Yr", 30.0),
            ("DGS3MO", 0.25),
            ("DGS10", 10.0),
            ("y3m", 0.25),
            ("y5", 5.0),
        ] {
            assert_eq!(tenor_years(name), Some(years), "{name}");
        }
        assert_eq!(tenor_years("Date"), None);
    }
}
