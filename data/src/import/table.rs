//! Any table with a column map.

use std::collections::{BTreeMap, BTreeSet};

use closemark_pricing::price::Price;
use closemark_pricing::series::{Date, Instant};
use closemark_pricing::vocabulary::{ExerciseStyle, OptionType, Settlement};

use super::error::ImportError;
use super::fields::{consolidated, plain_root, price, symbol};
use super::frame::Frame;
use super::table_map::{SeriesTerms, Source, TableMap};
use super::{ImportRequest, Skipped, closing_snapshots, side_by_side, underlying};
use crate::input::number::{plain_number, price_from_text};
use crate::input::{DayFiles, RateRow, SeriesRow};
use crate::reference::RootTable;
use crate::{date, osi, time};

/// Reads files through a map into a folder's rows.
pub(crate) fn convert(request: &ImportRequest, skipped: &mut Skipped) -> Result<DayFiles, ImportError> {
    let map = request.map.as_ref().ok_or_else(|| ImportError::of("--format table", "needs a column map"))?;
    let mut day = DayFiles { calendar: map.calendar.clone(), ..DayFiles::default() };
    if let Some(rate) = map.flat_rate {
        day.rates = vec![RateRow { tenor_days: 365.0, zero_rate: rate }];
    }
    if !map.sides.is_empty() {
        day.market_date = constant_date(&map.market_date)?;
        for path in &request.inputs {
            side_by_side::read(path, map, &mut day, skipped)?;
        }
    } else {
        let mut reader = Rows::new(map);
        for path in &request.inputs {
            let frame = Frame::read(path, &reader.wanted(&request.filters))?;
            let kept: Vec<usize> = (0..frame.len()).filter(|row| keeps(&frame, *row, map, &request.filters)).collect();
            reader.take(&path.display().to_string(), &frame, &kept, &mut day, skipped)?;
        }
        reader.finish(&mut day)?;
    }
    if day.quotes.is_empty() {
        return Err(ImportError::of("--format table", "no row of the files passes the filters and can be read"));
    }
    set_snapshot(map, &mut day)?;
    Ok(day)
}

fn constant_date(source: &Source) -> Result<Date, ImportError> {
    let text = match source {
        Source::Text(text) => text,
        Source::Column { column, .. } => column,
    };
    date::parse(text).ok_or_else(|| ImportError::of("map: market_date", format!("`{text}` is no date YYYY-MM-DD")))
}

fn keeps(frame: &Frame, row: usize, map: &TableMap, filters: &[(String, String)]) -> bool {
    let passes = |(column, value): (&String, &String)| {
        let text = frame.get(column, row);
        value.strip_suffix('*').map_or(text == value, |start| text.starts_with(start))
    };
    map.filters.iter().all(passes) && filters.iter().map(|(column, value)| (column, value)).all(passes)
}

fn set_snapshot(map: &TableMap, day: &mut DayFiles) -> Result<(), ImportError> {
    match &map.snapshot {
        Source::Text(word) if word == "close" => {
            let table = RootTable::new()?;
            let decoded = |symbol: &str| osi::decode(symbol.as_bytes()).ok().map(|osi| osi.root.to_owned());
            let names: BTreeSet<String> = day.quotes.iter().filter_map(|q| decoded(&q.osi_symbol)).collect();
            let known = |root: String| table.find(&root).map(|found| (root, found.underlying));
            let roots: BTreeMap<String, String> = names.into_iter().filter_map(known).collect();
            closing_snapshots(day, &roots, &table)
        }
        Source::Text(text) if time::parse(text).is_some() => {
            day.snapshot = text.clone();
            Ok(())
        }
        Source::Text(text) => {
            Err(ImportError::of("map: snapshot", format!("`{text}` is neither `close` nor RFC 3339")))
        }
        Source::Column { .. } => Ok(()),
    }
}

/// Reading of rows, and what is only known once all are read: the medians by expiration.
struct Rows<'a> {
    map: &'a TableMap,
    days: BTreeSet<String>,
    snapshots: BTreeSet<String>,
    /// Prices of underlying and expiration.
    prints: BTreeMap<(String, Date), Vec<f64>>,
    /// Factors of underlying and expiration.
    factors: BTreeMap<(String, Date), Vec<f64>>,
    /// Underlying and expiration of each quote, in the order of the day's quotes.
    keys: Vec<(String, Date)>,
}

impl<'a> Rows<'a> {
    fn new(map: &'a TableMap) -> Self {
        Self {
            map,
            days: BTreeSet::new(),
            snapshots: BTreeSet::new(),
            prints: BTreeMap::new(),
            factors: BTreeMap::new(),
            keys: Vec::new(),
        }
    }

    /// The columns that map and filters name.
    fn wanted<'n>(&self, filters: &'n [(String, String)]) -> Vec<&'n str>
    where
        'a: 'n,
    {
        let columns = &self.map.columns;
        let named = [
            &columns.symbol,
            &columns.underlying,
            &columns.underlying_price,
            &columns.expiration,
            &columns.strike,
            &columns.option_type,
            &columns.bid,
            &columns.bid_size,
            &columns.ask,
            &columns.ask_size,
        ];
        let mut all: Vec<&str> = named.into_iter().filter_map(Option::as_deref).collect();
        all.extend(self.map.multiply_prices.as_ref().map(|multiply| multiply.by.as_str()));
        for source in [&self.map.market_date, &self.map.snapshot] {
            if let Source::Column { column, .. } = source {
                all.push(column);
            }
        }
        all.extend(self.map.filters.keys().map(String::as_str));
        all.extend(filters.iter().map(|(column, _)| column.as_str()));
        all
    }

    fn take(
        &mut self,
        name: &str,
        frame: &Frame,
        kept: &[usize],
        day: &mut DayFiles,
        skipped: &mut Skipped,
    ) -> Result<(), ImportError> {
        let columns = &self.map.columns;
        for row in kept.iter().copied() {
            let field = |column: &Option<String>| column.as_deref().map_or("", |column| frame.get(column, row));
            if let Source::Column { column, .. } = &self.map.market_date {
                self.days.insert(frame.get(column, row).chars().take(10).collect());
            }
            if let Source::Column { column, .. } = &self.map.snapshot {
                self.snapshots.insert(frame.get(column, row).to_owned());
            }
            let name_of = field(&columns.underlying);
            let word = field(&columns.option_type);
            let kind = OptionType::parse(self.map.option_types.get(word).map_or(word, String::as_str));
            let strike = price_from_text(field(&columns.strike)).filter(|strike| *strike > Price::ZERO);
            let expiration: String = field(&columns.expiration).chars().take(10).collect();
            let terms =
                (date::parse(&expiration), kind, strike, price(field(&columns.bid)), price(field(&columns.ask)));
            let (Some(expiration), Some(kind), Some(strike), Some(bid), Some(ask)) = terms else {
                skipped.note(|| format!("{name}: row {}", row + 1));
                continue;
            };
            let symbol = match &columns.symbol {
                Some(column) => Some(frame.get(column, row).to_owned()).filter(|text| !text.is_empty()),
                None => symbol(name_of, expiration, kind, strike),
            };
            let Some(symbol) = symbol else {
                skipped.note(|| format!("{name}: row {}: no symbol can be made of it", row + 1));
                continue;
            };
            let own_name = if self.map.series.is_some() { name_of.to_owned() } else { plain_root(name_of) };
            let key = (own_name, expiration);
            let print = plain_number(field(&columns.underlying_price)).filter(|print| *print > 0.0);
            self.prints.entry(key.clone()).or_default().extend(print);
            if let Some(multiply) = &self.map.multiply_prices {
                self.factors.entry(key.clone()).or_default().extend(plain_number(frame.get(&multiply.by, row)));
            }
            if let Some(terms) = &self.map.series {
                day.series.push(series_row(terms, &symbol, &key.0, expiration, kind, strike)?);
            }
            let size = |column: &Option<String>| plain_number(field(column)).filter(|s| (0.0..4e9).contains(s));
            let mut quote = consolidated(symbol, bid, ask);
            quote.bid_size = size(&columns.bid_size).map(|size| size as u32);
            quote.ask_size = size(&columns.ask_size).map(|size| size as u32);
            day.quotes.push(quote);
            self.keys.push(key);
        }
        Ok(())
    }

    fn finish(self, day: &mut DayFiles) -> Result<(), ImportError> {
        day.market_date = match &self.map.market_date {
            Source::Text(_) => constant_date(&self.map.market_date)?,
            Source::Column { column, .. } => {
                let text = single(&self.days, column)?;
                date::parse(text)
                    .ok_or_else(|| ImportError::of(format!("column `{column}`"), format!("`{text}` is no date")))?
            }
        };
        if let Source::Column { column, zone } = &self.map.snapshot {
            let text = single(&self.snapshots, column)?;
            let at = column_time(text, zone.as_deref())
                .ok_or_else(|| ImportError::of(format!("column `{column}`"), format!("`{text}` is no time")))?;
            day.snapshot = time::to_utc_text(at);
        }
        if self.map.multiply_prices.is_some() {
            let factors: BTreeMap<&(String, Date), f64> =
                self.factors.iter().filter_map(|(key, values)| Some((key, median(values)?))).collect();
            for (quote, key) in day.quotes.iter_mut().zip(&self.keys) {
                let factor = factors.get(key).copied().unwrap_or(f64::NAN);
                let times = |price: Option<Price>| price.and_then(|price| Price::nearest(price.to_f64() * factor));
                (quote.bid, quote.ask) = (times(quote.bid), times(quote.ask));
            }
        }
        // A print an expiration (a forward) stands for the underlying where it is nearest to today.
        let mut prints: BTreeMap<&str, Option<f64>> = BTreeMap::new();
        for ((name, _), values) in &self.prints {
            let slot = prints.entry(name).or_default();
            *slot = slot.or(median(values));
        }
        day.underlyings =
            prints.into_iter().map(|(name, print)| underlying(name, print.and_then(Price::nearest))).collect();
        Ok(())
    }
}

fn single<'s>(values: &'s BTreeSet<String>, column: &str) -> Result<&'s str, ImportError> {
    match (values.len(), values.first(), values.last()) {
        (1, Some(value), _) => Ok(value),
        (0, ..) => Err(ImportError::of(format!("column `{column}`"), "no row passes the filters")),
        (count, Some(first), Some(last)) => Err(ImportError::of(
            format!("column `{column}`"),
            format!("{count} values from `{first}` to `{last}`; one folder is one snapshot, narrow with --filter"),
        )),
        _ => Ok(""),
    }
}

fn column_time(text: &str, zone: Option<&str>) -> Option<Instant> {
    if let Some(at) = time::parse(text) {
        return Some(at);
    }
    let (day, clock) = text.split_at_checked(10)?;
    let [hour, minute, second, nanosecond] = time::parse_clock(clock.trim_start_matches(['T', ' ']))?;
    time::local(zone?, date::parse(day)?, hour, minute, second, nanosecond)
}

/// The middle value, the mean of the two middle ones where their number is even.
fn median(values: &[f64]) -> Option<f64> {
    let mut sorted: Vec<f64> = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    sorted.get(sorted.len() / 2 - 1).map(|lower| (lower + upper) / 2.0)
}

fn series_row(
    terms: &SeriesTerms,
    symbol: &str,
    name: &str,
    expiration: Date,
    option_type: OptionType,
    strike: Price,
) -> Result<SeriesRow, ImportError> {
    let fault =
        |key: &str, value: &str| ImportError::of(format!("map: series.{key}"), format!("`{value}` is not allowed"));
    let expiration_time = match &terms.expiration_time {
        None => None,
        Some(clock) => {
            let zone = terms.expiration_zone.as_deref().unwrap_or("America/New_York");
            let [hour, minute, second, nanosecond] =
                time::parse_clock(clock).ok_or_else(|| fault("expiration_time", clock))?;
            let at = time::local(zone, expiration, hour, minute, second, nanosecond);
            Some(at.ok_or_else(|| fault("expiration_zone", zone))?)
        }
    };
    Ok(SeriesRow {
        osi_symbol: symbol.to_owned(),
        underlying: Some(name.to_owned()),
        expiration: Some(expiration),
        expiration_time,
        strike: Some(strike),
        option_type: Some(option_type),
        exercise_style: Some(
            ExerciseStyle::parse(&terms.exercise_style)
                .ok_or_else(|| fault("exercise_style", &terms.exercise_style))?,
        ),
        settlement: Some(Settlement::parse(&terms.settlement).ok_or_else(|| fault("settlement", &terms.settlement))?),
        multiplier: terms.multiplier,
        currency: terms.currency.clone(),
        deliverable: None,
        expected: false,
    })
}
