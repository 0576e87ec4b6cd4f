//! ReferenceService: what quotes alone do not say, versioned in the same log.

use std::sync::Arc;

use closemark_data::input::{CorporateActionRow, DividendRow, RateRow, SeriesRow, UnderlyingRow};
use closemark_data::log::{LogLimits, ReferenceUpdate};
use closemark_pricing::Price;
use closemark_pricing::series::{Date, Instant};
use closemark_pricing::vocabulary as words;
use closemark_proto::v1;
use closemark_proto::v1::reference_service_server::ReferenceService;
use tonic::{Request, Response, Status};

use super::{refusals, window};
use crate::serve::clock;
use crate::serve::errors;
use crate::serve::names;
use crate::serve::state::Service;

/// See [`ReferenceService`].
pub(crate) struct Reference(pub(crate) Arc<Service>);

#[tonic::async_trait]
impl ReferenceService for Reference {
    async fn put_reference(
        &self,
        request: Request<v1::PutReferenceRequest>,
    ) -> Result<Response<v1::PutReferenceResponse>, Status> {
        let request = request.into_inner();
        let records = count(&request);
        let limit = self.0.config.limits.reference_records_max as usize;
        if records > limit {
            let message = format!("{records} records; allowed are {limit}");
            return Err(errors::too_large("limits.reference_records_max", message));
        }
        // Large updates take a while to check; the threads that serve others do not wait for that.
        let now = clock::now();
        let market_date = window::market_date(&self.0.config.limits, &request.market_date, now)?;
        let encoded = tokio::task::spawn_blocking(move || {
            update(request, market_date, now)?.encode(&LogLimits::default()).map_err(|error| refusals::encode(&error))
        })
        .await
        .map_err(|error| errors::internal("reading the records", &error))??;
        if let Some(fault) = encoded.faults.first() {
            let what = fault.osi_symbol.as_deref().or(fault.underlying.as_deref()).unwrap_or_default();
            let field = fault.field.as_deref().unwrap_or("record");
            let value = format!("{what} {}", fault.before.as_deref().unwrap_or_default());
            return Err(errors::bad_field(field, value.trim(), &format!("no record that is {}", fault.reason)));
        }
        let version = self.0.log.put_reference(encoded).await?;
        Ok(Response::new(v1::PutReferenceResponse { version }))
    }
}

fn count(request: &v1::PutReferenceRequest) -> usize {
    request.underlyings.as_ref().map_or(0, |list| list.underlyings.len())
        + request.series.as_ref().map_or(0, |list| list.series.len())
        + request.dividends.as_ref().map_or(0, |list| list.dividends.len())
        + request.rates.as_ref().map_or(0, |list| list.rates.len())
        + request.corporate_actions.as_ref().map_or(0, |list| list.corporate_actions.len())
}

fn update(request: v1::PutReferenceRequest, market_date: Date, now: Instant) -> Result<ReferenceUpdate, Status> {
    names::request_id(&request.request_id)?;
    Ok(ReferenceUpdate {
        market_date,
        received_unix_nanos: now.0,
        underlyings: list(request.underlyings, |l| l.underlyings, underlying)?,
        series: list(request.series, |l| l.series, series)?,
        dividends: list(request.dividends, |l| l.dividends, dividend)?,
        rates: list(request.rates, |l| l.rates, rate)?,
        corporate_actions: list(request.corporate_actions, |l| l.corporate_actions, corporate_action)?,
        request_id: request.request_id,
    })
}

/// A list's rows; the place of the first row that is refused is named.
fn list<L, M, R>(
    given: Option<L>,
    items: impl FnOnce(L) -> Vec<M>,
    row: impl Fn(M, &dyn Fn(&str) -> String) -> Result<R, Status>,
) -> Result<Option<Vec<R>>, Status> {
    let Some(given) = given else { return Ok(None) };
    let mut rows = Vec::new();
    for (place, item) in items(given).into_iter().enumerate() {
        rows.push(row(item, &|field: &str| format!("{field}[{place}]"))?);
    }
    Ok(Some(rows))
}

type Field<'a> = &'a dyn Fn(&str) -> String;

/// A price within what any input may carry.
fn price(name: &str, given: Option<v1::Decimal>) -> Result<Option<Price>, Status> {
    let Some(given) = given else { return Ok(None) };
    let price = Price::from_micros(given.micros);
    if (Price::ZERO..=Price::INPUT_MAX).contains(&price) {
        return Ok(Some(price));
    }
    Err(errors::bad_field(name, &price.to_string(), "a price from 0 to 10,000,000"))
}

fn number(name: &str, given: Option<f64>) -> Result<Option<f64>, Status> {
    match given {
        Some(value) if !value.is_finite() => Err(errors::bad_field(name, &value.to_string(), "a finite number")),
        other => Ok(other),
    }
}

/// The currency that prices of this kind must have, as far as this version takes it: USD, or nothing said.
fn dollars(name: &str, currency: &str) -> Result<(), Status> {
    match currency {
        "" | "USD" => Ok(()),
        other => Err(errors::bad_field(name, other, "USD")),
    }
}

fn underlying(given: v1::Underlying, field: Field<'_>) -> Result<UnderlyingRow, Status> {
    let group = given.margin_group.as_str();
    let margin_group = if group.is_empty() { None } else { Some(words::MarginGroup::parse(group)) };
    let margin_group = match margin_group {
        Some(None) => {
            let allowed: Vec<&str> = words::MarginGroup::ALL.iter().map(|word| word.as_str()).collect();
            return Err(errors::bad_field(&field("underlyings.margin_group"), group, &allowed.join(", ")));
        }
        other => other.flatten(),
    };
    dollars(&field("underlyings.currency"), &given.currency)?;
    Ok(UnderlyingRow {
        price: price(&field("underlyings.price"), given.price)?,
        price_time: given.price_time_unix_nanos.map(Instant),
        halted: given.halted,
        margin_group,
        leverage: number(&field("underlyings.leverage"), given.leverage)?,
        settlement_price: price(&field("underlyings.settlement_price"), given.settlement_price)?,
        underlying: given.underlying,
    })
}

fn series(given: v1::SeriesTerms, field: Field<'_>) -> Result<SeriesRow, Status> {
    let some = |text: String| if text.is_empty() { None } else { Some(text) };
    let expiration = match given.expiration.as_str() {
        "" => None,
        text => Some(names::date(&field("series.expiration"), text)?),
    };
    Ok(SeriesRow {
        expiration,
        expiration_time: given.expiration_time_unix_nanos.map(Instant),
        strike: price(&field("series.strike"), given.strike)?,
        option_type: match v1::OptionType::try_from(given.option_type) {
            Ok(v1::OptionType::Call) => Some(words::OptionType::Call),
            Ok(v1::OptionType::Put) => Some(words::OptionType::Put),
            _ => None,
        },
        exercise_style: match v1::ExerciseStyle::try_from(given.exercise_style) {
            Ok(v1::ExerciseStyle::American) => Some(words::ExerciseStyle::American),
            Ok(v1::ExerciseStyle::European) => Some(words::ExerciseStyle::European),
            _ => None,
        },
        settlement: match v1::Settlement::try_from(given.settlement) {
            Ok(v1::Settlement::Am) => Some(words::Settlement::Am),
            Ok(v1::Settlement::Pm) => Some(words::Settlement::Pm),
            _ => None,
        },
        multiplier: (given.multiplier > 0).then_some(given.multiplier),
        currency: some(given.currency),
        deliverable: some(given.deliverable),
        underlying: some(given.underlying),
        expected: given.expected,
        osi_symbol: given.osi_symbol,
    })
}

fn dividend(given: v1::Dividend, field: Field<'_>) -> Result<DividendRow, Status> {
    if !["declared", "projected", "none"].contains(&given.status.as_str()) {
        let allowed = "declared, projected or none";
        return Err(errors::bad_field(&field("dividends.status"), &given.status, allowed));
    }
    dollars(&field("dividends.currency"), &given.currency)?;
    let ex_date = match given.ex_date.as_str() {
        "" => None,
        text => Some(names::date(&field("dividends.ex_date"), text)?),
    };
    let amount = price(&field("dividends.amount"), given.amount)?.map(Price::to_f64);
    Ok(DividendRow { underlying: given.underlying, ex_date, amount, status: given.status })
}

fn rate(given: v1::Rate, field: Field<'_>) -> Result<RateRow, Status> {
    let zero_rate = number(&field("rates.zero_rate"), Some(given.zero_rate))?.unwrap_or_default();
    Ok(RateRow { tenor_days: f64::from(given.tenor_days), zero_rate })
}

fn corporate_action(given: v1::CorporateAction, field: Field<'_>) -> Result<CorporateActionRow, Status> {
    if !["split", "spin_off", "special_dividend"].contains(&given.kind.as_str()) {
        let allowed = "split, spin_off or special_dividend";
        return Err(errors::bad_field(&field("corporate_actions.kind"), &given.kind, allowed));
    }
    dollars(&field("corporate_actions.currency"), &given.currency)?;
    Ok(CorporateActionRow {
        effective_date: names::date(&field("corporate_actions.effective_date"), &given.effective_date)?,
        ratio: number(&field("corporate_actions.ratio"), given.ratio)?,
        amount: price(&field("corporate_actions.amount"), given.amount)?.map(Price::to_f64),
        underlying: given.underlying,
        kind: given.kind,
    })
}
