//! `RiskService`: risk arrays by series and batch.

use std::sync::Arc;

use closemark_data::store::{Close, RowView, StoredTable, find_array, mark, risk_array};
use closemark_pricing::risk::{POINTS, RANGE_UNITS};
use closemark_proto::v1::risk_service_server::RiskService;
use closemark_proto::v1::{
    BatchGetRiskArraysRequest, BatchGetRiskArraysResponse, Decimal, GetRiskArrayRequest, RiskArray,
};
use tonic::{Request, Response, Status};

use super::messages::{count, money};
use super::{Reads, RunName, names};
use crate::serve::errors;

/// The table.
const ARRAYS: &str = "risk_arrays";
/// Symbols of one batch.
const BATCH_MAX: usize = 1_000;

/// The service.
pub(crate) struct RiskArrays {
    reads: Arc<Reads>,
}

impl RiskArrays {
    pub(crate) fn new(reads: Arc<Reads>) -> Self {
        Self { reads }
    }

    /// The close that is meant, and its arrays; NOT_FOUND where it was made without them.
    async fn open(&self, run: RunName) -> Result<(Arc<Close>, Arc<StoredTable>), Status> {
        let close = self.reads.snapshot(run).await?;
        let arrays = self.reads.table(&close, ARRAYS).await?;
        Ok((close, arrays))
    }
}

/// One array; `prefix` is `dates/*/runs/*/riskArrays/`.
fn message(prefix: &str, view: RowView<'_>, close: &Close) -> RiskArray {
    let symbol = view.text(risk_array::OSI_SYMBOL);
    let series = close.find(symbol);
    let text = |place: usize| series.map(|row| row.text(place).to_owned()).unwrap_or_default();
    let share = |place: usize| view.decimal(place).unwrap_or_default() as f64 / RANGE_UNITS as f64;
    let points = (0..POINTS).map(|point| money(view, risk_array::POINT_1 + point).unwrap_or(Decimal { micros: 0 }));
    RiskArray {
        name: format!("{prefix}{symbol}"),
        osi_symbol: symbol.to_owned(),
        margin_group: view.text(risk_array::MARGIN_GROUP).to_owned(),
        range_down: share(risk_array::RANGE_DOWN),
        range_up: share(risk_array::RANGE_UP),
        points: points.collect(),
        minimum_charge: money(view, risk_array::MINIMUM_CHARGE),
        mark: money(view, risk_array::MARK),
        implied_volatility: view.number(risk_array::IMPLIED_VOLATILITY),
        multiplier: series.map(|row| count(row, mark::MULTIPLIER)).unwrap_or_default(),
        currency: text(mark::CURRENCY),
        underlying: text(mark::UNDERLYING),
    }
}

fn prefix(close: &Close) -> String {
    format!("{}/riskArrays/", names::run(close.date(), close.run()))
}

#[tonic::async_trait]
impl RiskService for RiskArrays {
    async fn get_risk_array(&self, request: Request<GetRiskArrayRequest>) -> Result<Response<RiskArray>, Status> {
        let name = &request.get_ref().name;
        let (run, symbol) = RunName::parse_risk_array(name)
            .ok_or_else(|| errors::bad_field("name", name, "dates/YYYY-MM-DD/runs/RUN/riskArrays/SYMBOL"))?;
        let (close, arrays) = self.open(run).await?;
        let view = find_array(&arrays, symbol).ok_or_else(|| errors::not_found("closemark.v1.RiskArray", name))?;
        Ok(Response::new(message(&prefix(&close), view, &close)))
    }

    async fn batch_get_risk_arrays(
        &self,
        request: Request<BatchGetRiskArraysRequest>,
    ) -> Result<Response<BatchGetRiskArraysResponse>, Status> {
        let request = request.into_inner();
        let run = RunName::parse(&request.parent).ok_or_else(|| {
            errors::bad_field("parent", &request.parent, "dates/YYYY-MM-DD/runs/RUN, or current as RUN")
        })?;
        if request.osi_symbols.len() > BATCH_MAX {
            let found = format!("{} symbols", request.osi_symbols.len());
            return Err(errors::bad_field("osi_symbols", &found, &format!("at most {BATCH_MAX}")));
        }
        let (close, arrays) = self.open(run).await?;
        let prefix = prefix(&close);
        let mut response = BatchGetRiskArraysResponse::default();
        for symbol in request.osi_symbols {
            match find_array(&arrays, &symbol) {
                Some(view) => response.risk_arrays.push(message(&prefix, view, &close)),
                None => response.missing.push(symbol),
            }
        }
        Ok(Response::new(response))
    }
}
