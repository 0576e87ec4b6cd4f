//! `underlyings.csv`, `series.csv`, `dividends.csv`, `rates.csv`, `corporate_actions.csv`, as rows.

use closemark_pricing::mark::ExceptionRow;
use closemark_pricing::price::Price;
use closemark_pricing::vocabulary::{ExerciseStyle, MarginGroup, OptionType, Settlement};

use super::columns;
use super::error::InputError;
use super::rows::{CorporateActionRow, DividendRow, RateRow, SeriesRow, UnderlyingRow};
use super::source::InputSource;
use super::table::{Row, Table};

/// Everything a folder says beside its quotes.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReferenceRows {
    pub(crate) underlyings: Vec<UnderlyingRow>,
    pub(crate) series: Vec<SeriesRow>,
    pub(crate) dividends: Vec<DividendRow>,
    pub(crate) rates: Vec<RateRow>,
    pub(crate) corporate_actions: Vec<CorporateActionRow>,
}

impl ReferenceRows {
    /// Reads the files; rows that cannot be used go into `faults`.
    pub(crate) fn read(source: &dyn InputSource, faults: &mut Vec<ExceptionRow>) -> Result<Self, InputError> {
        Ok(Self {
            underlyings: underlyings(source, faults)?,
            series: series(source, faults)?,
            dividends: dividends(source, faults)?,
            rates: rates(source)?,
            corporate_actions: corporate_actions(source, faults)?,
        })
    }
}

fn underlyings(source: &dyn InputSource, faults: &mut Vec<ExceptionRow>) -> Result<Vec<UnderlyingRow>, InputError> {
    const FILE: &str = "underlyings.csv";
    let table = Table::open(source, FILE, columns::UNDERLYINGS, 2)?
        .ok_or_else(|| InputError::file(FILE, "is missing; every input folder has one"))?;
    table.collect(faults, |row| {
        Ok(UnderlyingRow {
            underlying: row.required(0)?.to_owned(),
            price: row.price(1)?.filter(|price| *price > Price::ZERO),
            price_time: row.instant(2)?,
            halted: row.flag(3)?,
            margin_group: row.parsed(4, MarginGroup::parse)?,
            leverage: row.number(5)?,
            settlement_price: row.price(6)?,
        })
    })
}

fn series(source: &dyn InputSource, faults: &mut Vec<ExceptionRow>) -> Result<Vec<SeriesRow>, InputError> {
    let Some(table) = Table::open(source, "series.csv", columns::SERIES, 1)? else { return Ok(Vec::new()) };
    table.collect(faults, |row: &Row| {
        let currency =
            |text: &str| (text.len() == 3 && text.bytes().all(|b| b.is_ascii_uppercase())).then(|| text.to_owned());
        Ok(SeriesRow {
            osi_symbol: row.required(0)?.to_owned(),
            underlying: row.text(1).map(str::to_owned),
            expiration: row.date(2)?,
            expiration_time: row.instant(3)?,
            strike: row.price(4)?,
            option_type: row.parsed(5, OptionType::parse)?,
            exercise_style: row.parsed(6, ExerciseStyle::parse)?,
            settlement: row.parsed(7, Settlement::parse)?,
            multiplier: row.parsed(8, |text| text.parse().ok().filter(|m: &u32| (1..=1_000_000).contains(m)))?,
            currency: row.parsed(9, currency)?,
            deliverable: row.text(10).map(str::to_owned),
            expected: row.flag(11)?,
        })
    })
}

fn dividends(source: &dyn InputSource, faults: &mut Vec<ExceptionRow>) -> Result<Vec<DividendRow>, InputError> {
    let Some(table) = Table::open(source, "dividends.csv", columns::DIVIDENDS, 4)? else { return Ok(Vec::new()) };
    table.collect(faults, |row| {
        let status = match row.required(3)? {
            known @ ("declared" | "projected" | "none") => known.to_owned(),
            _ => return Err(row.refuse(3)),
        };
        let dividend = DividendRow {
            underlying: row.required(0)?.to_owned(),
            ex_date: row.date(1)?,
            amount: row.parsed(2, |text| {
                super::number::plain_number(text).filter(|amount| (0.0..=10_000_000.0).contains(amount))
            })?,
            status,
        };
        match (dividend.status.as_str(), dividend.ex_date, dividend.amount) {
            ("none", ..) | (_, Some(_), Some(_)) => Ok(dividend),
            (_, None, _) => Err(row.refuse(1)),
            (_, _, None) => Err(row.refuse(2)),
        }
    })
}

/// A row of the curve that cannot be read is fatal: every price of the day hangs on it.
fn rates(source: &dyn InputSource) -> Result<Vec<RateRow>, InputError> {
    const FILE: &str = "rates.csv";
    let Some(mut table) = Table::open(source, FILE, columns::RATES, 2)? else { return Ok(Vec::new()) };
    let mut rates = Vec::new();
    let mut number = 0;
    while let Some(row) = table.next_row()? {
        number += 1;
        let field = |place: usize, low: f64, high: f64, allowed: &str| {
            row.number(place).ok().flatten().filter(|value| (low..=high).contains(value)).ok_or_else(|| {
                let column = columns::RATES.get(place).copied().unwrap_or("*");
                let value = row.text(place).unwrap_or_default();
                InputError::file(FILE, allowed).at_row(number).at_column(column).with_value(value)
            })
        };
        rates.push(RateRow {
            tenor_days: field(0, 1e-3, 36_500.0, "days above zero, at most 36,500")?,
            zero_rate: field(1, -1.0, 1.0, "a fraction between -1 and 1, continuously compounded")?,
        });
    }
    if rates.is_empty() {
        return Err(InputError::file(FILE, "has no row; leave the file out where no rates are known"));
    }
    rates.sort_by(|a, b| a.tenor_days.total_cmp(&b.tenor_days));
    if let Some([_, second]) = rates.array_windows::<2>().find(|[a, b]| a.tenor_days == b.tenor_days) {
        return Err(InputError::file(FILE, "each tenor once").at_column("tenor_days").with_value(second.tenor_days));
    }
    Ok(rates)
}

fn corporate_actions(
    source: &dyn InputSource,
    faults: &mut Vec<ExceptionRow>,
) -> Result<Vec<CorporateActionRow>, InputError> {
    let Some(table) = Table::open(source, "corporate_actions.csv", columns::CORPORATE_ACTIONS, 3)? else {
        return Ok(Vec::new());
    };
    table.collect(faults, |row| {
        let kind = match row.required(2)? {
            known @ ("split" | "spin_off" | "special_dividend") => known.to_owned(),
            _ => return Err(row.refuse(2)),
        };
        let positive = |text: &str| super::number::plain_number(text).filter(|v| (1e-6..=1e6).contains(v));
        let action = CorporateActionRow {
            underlying: row.required(0)?.to_owned(),
            effective_date: row.date(1)?.ok_or_else(|| row.refuse(1))?,
            kind,
            ratio: row.parsed(3, positive)?,
            amount: row.parsed(4, positive)?,
        };
        match (action.kind.as_str(), action.ratio, action.amount) {
            ("split", None, _) => Err(row.refuse(3)),
            ("special_dividend", _, None) => Err(row.refuse(4)),
            _ => Ok(action),
        }
    })
}
