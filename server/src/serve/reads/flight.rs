//! Arrow Flight: whole tables as they lie in memory.
//!
//! A ticket is JSON: `{"dataset": "marks", "date": "2026-11-20"}`, optionally with `run` (else the one that counts when
//! the stream begins) and `underlying` (its rows alone).

use std::pin::Pin;
use std::sync::Arc;

use arrow_flight::flight_descriptor::DescriptorType;
use arrow_flight::flight_service_server::FlightService;
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightEndpoint, FlightInfo, HandshakeRequest,
    HandshakeResponse, PollInfo, PutResult, SchemaResult, Ticket,
};
use bytes::Bytes;
use closemark_data::date;
use closemark_data::store::{Close, Message, RunId, StoredTable};
use closemark_pricing::series::Date;
use serde::{Deserialize, Serialize};
use tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming};

use super::{Reads, RunName, refusals};
use crate::serve::{errors, names};

/// Bytes of a ticket or descriptor; real ones are below a hundred.
const TICKET_MAX: usize = 1024;
/// Dates that a listing goes back.
const DATES_MAX: usize = 1_000;

/// The service.
pub(crate) struct Tables {
    reads: Arc<Reads>,
}

/// What a ticket says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TableTicket {
    dataset: String,
    date: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    underlying: Option<String>,
}

impl TableTicket {
    fn parse(bytes: &[u8]) -> Result<Self, Status> {
        if bytes.len() > TICKET_MAX {
            let found = format!("{} bytes", bytes.len());
            return Err(errors::bad_field("ticket", &found, &format!("at most {TICKET_MAX} bytes")));
        }
        let form = "{\"dataset\": \"marks\", \"date\": \"2026-11-20\"}, perhaps with run and underlying";
        serde_json::from_slice(bytes).map_err(|_| errors::bad_field("ticket", &String::from_utf8_lossy(bytes), form))
    }

    /// A descriptor holds the same JSON as its command, or dataset, date and perhaps run as its path.
    fn of(descriptor: &FlightDescriptor) -> Result<Self, Status> {
        if descriptor.r#type == DescriptorType::Path as i32 {
            let mut parts = descriptor.path.iter().cloned();
            return match (parts.next(), parts.next(), parts.next(), parts.next()) {
                (Some(dataset), Some(date), run, None) => Ok(Self { dataset, date, run, underlying: None }),
                _ => {
                    let found = descriptor.path.join("/");
                    Err(errors::bad_field("descriptor.path", &found, "dataset, date and perhaps run"))
                }
            };
        }
        Self::parse(&descriptor.cmd)
    }

    fn run(&self) -> Result<RunName, Status> {
        let date = names::date("date", &self.date)?;
        let run = match self.run.as_deref() {
            None | Some("current") => None,
            Some(run) => Some(RunId::parse(run).ok_or_else(|| errors::bad_field("run", run, "16 hex digits"))?),
        };
        Ok(RunName { date, run })
    }

    fn encode(&self) -> Bytes {
        // Only texts: cannot fail.
        Bytes::from(serde_json::to_vec(self).unwrap_or_default())
    }
}

impl Tables {
    pub(crate) fn new(reads: Arc<Reads>) -> Self {
        Self { reads }
    }

    /// The close and the table that a ticket means.
    async fn open(&self, ticket: &TableTicket) -> Result<(Arc<Close>, Arc<StoredTable>), Status> {
        let close = self.reads.snapshot(ticket.run()?).await?;
        let found = close.tables().find(|name| *name == ticket.dataset);
        let known = || close.tables().collect::<Vec<_>>().join(", ");
        let name = found.ok_or_else(|| errors::bad_field("dataset", &ticket.dataset, &known()))?;
        let table = self.reads.table(&close, name).await?;
        match &ticket.underlying {
            Some(underlying) if !table.has_underlyings() => {
                let allowed = format!("none: {} has no column of this name", ticket.dataset);
                Err(errors::bad_field("underlying", underlying, &allowed))
            }
            _ => Ok((close, table)),
        }
    }
}

fn data(message: &Message) -> FlightData {
    FlightData { data_header: message.header(), data_body: message.body(), ..FlightData::default() }
}

/// Every message of a table, or of one underlying's rows of it.
fn messages(
    table: Arc<StoredTable>,
    underlying: Option<&str>,
) -> impl Iterator<Item = Result<FlightData, Status>> + Send + use<> {
    let range = underlying.map_or(0..table.rows(), |underlying| table.rows_of(underlying).unwrap_or(0..0));
    let head: Vec<Message> = table.head().to_vec();
    let batches = if range.is_empty() { 0..0 } else { table.batches_of(&range) };
    let body = batches.filter_map(move |at| match table.batch_within(at, &range) {
        Ok(message) => message.map(|message| Ok(data(&message))),
        Err(error) => Some(Err(errors::internal("cutting a batch", &error))),
    });
    head.into_iter().map(|message| Ok(data(&message))).chain(body)
}

fn info(ticket: &TableTicket, schema: Bytes, records: i64, bytes: i64) -> FlightInfo {
    let endpoint = FlightEndpoint { ticket: Some(Ticket { ticket: ticket.encode() }), ..FlightEndpoint::default() };
    FlightInfo {
        schema,
        flight_descriptor: Some(FlightDescriptor {
            r#type: DescriptorType::Cmd as i32,
            cmd: ticket.encode(),
            path: Vec::new(),
        }),
        endpoint: vec![endpoint],
        total_records: records,
        total_bytes: bytes,
        ordered: true,
        app_metadata: Bytes::new(),
    }
}

fn schema_of(table: &StoredTable) -> Bytes {
    table.head().first().map(Message::encapsulated).unwrap_or_default()
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send + 'static>>;

#[tonic::async_trait]
impl FlightService for Tables {
    type HandshakeStream = Answers<HandshakeResponse>;
    type ListFlightsStream = Answers<FlightInfo>;
    type DoGetStream = Answers<FlightData>;
    type DoPutStream = Answers<PutResult>;
    type DoActionStream = Answers<arrow_flight::Result>;
    type ListActionsStream = Answers<ActionType>;
    type DoExchangeStream = Answers<FlightData>;

    async fn do_get(&self, request: Request<Ticket>) -> Result<Response<Self::DoGetStream>, Status> {
        let ticket = TableTicket::parse(&request.get_ref().ticket)?;
        let (_, table) = self.open(&ticket).await?;
        let messages = messages(table, ticket.underlying.as_deref());
        Ok(Response::new(Box::pin(tokio_stream::iter(messages))))
    }

    async fn get_flight_info(&self, request: Request<FlightDescriptor>) -> Result<Response<FlightInfo>, Status> {
        let mut ticket = TableTicket::of(request.get_ref())?;
        let (close, table) = self.open(&ticket).await?;
        // The ticket names the run that was found: what is got later is what was described now.
        ticket.run = Some(close.run().to_string());
        let whole = i64::from(table.rows());
        let records = match ticket.underlying.as_deref() {
            Some(underlying) => table.rows_of(underlying).map_or(0, |rows| rows.len() as i64),
            None => whole,
        };
        let bytes = if records == whole { i64::try_from(table.bytes()).unwrap_or(-1) } else { -1 };
        Ok(Response::new(info(&ticket, schema_of(&table), records, bytes)))
    }

    async fn get_schema(&self, request: Request<FlightDescriptor>) -> Result<Response<SchemaResult>, Status> {
        let (_, table) = self.open(&TableTicket::of(request.get_ref())?).await?;
        Ok(Response::new(SchemaResult { schema: schema_of(&table) }))
    }

    async fn list_flights(&self, request: Request<Criteria>) -> Result<Response<Self::ListFlightsStream>, Status> {
        let only = match request.get_ref().expression.as_ref() {
            [] => None,
            text => Some(date_of(text)?),
        };
        let store = self.reads.store().clone();
        let listed = tokio::task::spawn_blocking(move || {
            let dates = store.dates().map_err(|error| refusals::store(&error))?;
            let wanted = dates.into_iter().rev().filter(|date| only.is_none_or(|only| only == *date)).take(DATES_MAX);
            Ok::<_, Status>(wanted.filter_map(|date| store.listing(date)).collect::<Vec<_>>())
        });
        let listed = listed.await.map_err(|error| errors::internal("listing the closes", &error))??;
        let flights = listed.into_iter().flat_map(|listing| {
            let (date, run) = (date::to_text(listing.date), listing.run.to_string());
            listing.tables.into_iter().map(move |(dataset, schema, rows)| {
                let ticket = TableTicket { dataset, date: date.clone(), run: Some(run.clone()), underlying: None };
                Ok::<_, Status>(info(&ticket, schema, rows.map_or(-1, |rows| i64::try_from(rows).unwrap_or(-1)), -1))
            })
        });
        Ok(Response::new(Box::pin(tokio_stream::iter(flights.collect::<Vec<_>>()))))
    }

    async fn list_actions(&self, _request: Request<Empty>) -> Result<Response<Self::ListActionsStream>, Status> {
        Ok(Response::new(Box::pin(tokio_stream::empty::<Result<ActionType, Status>>())))
    }

    async fn handshake(
        &self,
        _request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        Err(Status::unimplemented("callers are known by their certificate or bearer token; there is no handshake"))
    }

    async fn poll_flight_info(&self, _request: Request<FlightDescriptor>) -> Result<Response<PollInfo>, Status> {
        Err(Status::unimplemented("a published table is ready at once: use GetFlightInfo"))
    }

    async fn do_put(&self, _request: Request<Streaming<FlightData>>) -> Result<Response<Self::DoPutStream>, Status> {
        Err(Status::unimplemented("tables are read here; quotes come in by QuoteService"))
    }

    async fn do_action(&self, _request: Request<Action>) -> Result<Response<Self::DoActionStream>, Status> {
        Err(Status::unimplemented("there are no actions"))
    }

    async fn do_exchange(
        &self,
        _request: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoExchangeStream>, Status> {
        Err(Status::unimplemented("tables are read with DoGet"))
    }
}

/// What a listing may be narrowed to.
fn date_of(text: &[u8]) -> Result<Date, Status> {
    names::date("expression", &String::from_utf8_lossy(text))
}
