//! The web page, and the JSON that it draws. Role: read.
//!
//! | path | answer |
//! |---|---|
//! | `/` | the page; its whole state is the query |
//! | `/api/v1/dates` | dates with their runs, latest first |
//! | `/api/v1/dates/D/runs/R` | figures and gates of a run, one row for each underlying, least believable first |
//! | `.../underlyings/U` | the slices of an underlying with their figures and curves |
//! | `.../underlyings/U/slices/S` | a slice with its series as columns |
//! | `.../marks/SYMBOL` | a series: every column of `marks`, and its rows of `exceptions` |
//! | `.../changes?base=RUN` | marks that differ from an older run of the same date, largest first |
//! | `.../marks/SYMBOL/origin` | the venues' quotes, the rounds of smoothing at its strike, the last steps to the integer |
//! | `.../underlyings/U/slices/S/rounds` | the curve of a slice round by round, and its caps |
//! | `/api/v1/who` | the caller's name and roles |
//! | `/api/v1/dates/D/overrides` | overrides of a date: proposed, approved, rejected |
//! | `POST /api/v1/override/dates/D/runs/R/marks/SYMBOL` | proposes a mark (role override) |
//! | `POST /api/v1/override/dates/D/overrides/ID` | answers a proposal, as another person (role override) |
//!
//! `origin` and `rounds` are made again from the run's inputs; where these are not kept, they say `"kept": false` and why.
//!
//! `R` may be `current`. Prices are per share in the currency beside them, volatilities annualised fractions, null is
//! "not applicable". A refusal is `{"error": {"code", "status", "message"}}`.

mod assets;
mod board;
mod changes;
mod origin;
mod overrides;
mod surface;
mod values;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRef, Path, Query, State};
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use closemark_data::publication::RunEntry;
use closemark_data::store::{Close, RunId, SliceId, exception};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tonic::{Code, Status};

use super::errors;
use super::reads::{Reads, RunName, refusals};
use super::state::Service;
pub(crate) use assets::is_file;
use origin::{Origin, Origins};

/// Calls that may wait for the inputs of runs at once.
const SEATS_MAX: usize = 8;
/// Rows of `exceptions` on one card.
const EXCEPTIONS_MAX: usize = 200;

/// What the handlers share.
#[derive(Clone)]
struct Shared {
    reads: Arc<Reads>,
    origins: Arc<Origins>,
    boards: Arc<board::Rows>,
    /// Seats of those who may wait for inputs: their own, so that nobody waits for them who only reads closes.
    seats: Arc<Semaphore>,
}

impl FromRef<Shared> for Arc<Reads> {
    fn from_ref(shared: &Shared) -> Self {
        Self::clone(&shared.reads)
    }
}

impl FromRef<Shared> for Arc<Service> {
    fn from_ref(shared: &Shared) -> Self {
        Self::clone(shared.origins.service())
    }
}

/// The page and its JSON.
pub(crate) fn routes(reads: Arc<Reads>, service: Arc<Service>) -> Router {
    let shared = Shared {
        reads,
        origins: Arc::new(Origins::new(service)),
        boards: Arc::default(),
        seats: Arc::new(Semaphore::new(SEATS_MAX)),
    };
    assets::routes(Router::new())
        .route("/api/v1/dates", get(dates))
        .route("/api/v1/dates/{date}/runs/{run}", get(run))
        .route("/api/v1/dates/{date}/runs/{run}/underlyings/{underlying}", get(underlying))
        .route("/api/v1/dates/{date}/runs/{run}/underlyings/{underlying}/slices/{slice}", get(slice))
        .route("/api/v1/dates/{date}/runs/{run}/marks/{symbol}", get(series))
        .route("/api/v1/dates/{date}/runs/{run}/changes", get(changes))
        .route("/api/v1/dates/{date}/runs/{run}/marks/{symbol}/origin", get(series_origin))
        .route("/api/v1/dates/{date}/runs/{run}/underlyings/{underlying}/slices/{slice}/rounds", get(slice_rounds))
        .route("/api/{*path}", any(nothing))
        .merge(overrides::routes())
        .with_state(shared)
        .layer(axum::middleware::map_response(assets::guarded))
}

/// A refusal as JSON.
struct Refused(Status);

impl From<Status> for Refused {
    fn from(status: Status) -> Self {
        Self(status)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let code = match self.0.code() {
            Code::InvalidArgument | Code::OutOfRange => StatusCode::BAD_REQUEST,
            Code::NotFound => StatusCode::NOT_FOUND,
            Code::Unauthenticated => StatusCode::UNAUTHORIZED,
            Code::PermissionDenied => StatusCode::FORBIDDEN,
            Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
            Code::AlreadyExists | Code::FailedPrecondition => StatusCode::CONFLICT,
            Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let body = json!({
            "error": {"code": code.as_u16(), "status": format!("{:?}", self.0.code()), "message": self.0.message()},
        });
        (code, answer(&body, false)).into_response()
    }
}

/// JSON; what is asked by a run's own name never changes.
fn answer(body: &Value, fixed: bool) -> Response {
    text(body.to_string(), fixed)
}

fn text(body: String, fixed: bool) -> Response {
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let cache = if fixed { "private, max-age=86400, immutable" } else { "no-cache" };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    response
}

type Answer = Result<Response, Refused>;

/// The run that a path names.
fn named(date: &str, run: &str) -> Result<RunName, Status> {
    RunName::parse(&format!("dates/{date}/runs/{run}")).ok_or_else(|| {
        errors::bad_field("path", &format!("dates/{date}/runs/{run}"), "dates/YYYY-MM-DD/runs/RUN, or current as RUN")
    })
}

/// Work on rows, off the threads that serve.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Status> {
    tokio::task::spawn_blocking(work).await.map_err(|error| errors::internal("reading a close", &error))
}

async fn nothing(uri: Uri) -> Refused {
    Refused(errors::not_found("path", uri.path()))
}

async fn dates(State(reads): State<Arc<Reads>>) -> Answer {
    let store = reads.store().clone();
    let found = apart(move || board::dates(&store)).await?.map_err(|error| refusals::store(&error))?;
    Ok(answer(&found, false))
}

async fn run(State(shared): State<Shared>, Path((date, run)): Path<(String, String)>) -> Answer {
    let close = shared.reads.snapshot(named(&date, &run)?).await?;
    let store = shared.reads.store().clone();
    let found = apart(move || {
        let current = store.current(close.date()).ok() == Some(close.run());
        let name = close.run().to_string();
        let state = |runs: Vec<RunEntry>| runs.into_iter().find(|entry| entry.run_id == name).map(|entry| entry.state);
        let state = store.runs(close.date()).ok().and_then(state);
        board::board(&close, state.map(|state| state.as_str()), current, &shared.boards)
    });
    Ok(text(found.await?, false))
}

async fn underlying(
    State(reads): State<Arc<Reads>>,
    Path((date, run, name)): Path<(String, String, String)>,
) -> Answer {
    let wanted = named(&date, &run)?;
    let close = reads.snapshot(wanted).await?;
    let asked = name.clone();
    let found = apart(move || surface::underlying(&close, &asked)).await?;
    let found = found.ok_or_else(|| errors::not_found("closemark.v1.Underlying", &name))?;
    Ok(answer(&found, wanted.run.is_some()))
}

async fn slice(
    State(reads): State<Arc<Reads>>,
    Path((date, run, name, slice)): Path<(String, String, String, String)>,
) -> Answer {
    let wanted = named(&date, &run)?;
    let id = SliceId::parse(&slice).ok_or_else(|| errors::bad_field("slice", &slice, "ROOT-YYYY-MM-DD-PM"))?;
    let close = reads.snapshot(wanted).await?;
    let asked = name.clone();
    let found = apart(move || surface::slice(&close, &asked, &id)).await?;
    let found = found.ok_or_else(|| errors::not_found("closemark.v1.Slice", &slice))?;
    Ok(answer(&found, wanted.run.is_some()))
}

async fn series(State(reads): State<Arc<Reads>>, Path((date, run, symbol)): Path<(String, String, String)>) -> Answer {
    let wanted = named(&date, &run)?;
    let close = reads.snapshot(wanted).await?;
    let absent = || errors::not_found("closemark.v1.Mark", &symbol);
    let row = close.find(&symbol).ok_or_else(absent)?;
    let (underlying, listed) = (
        row.text(closemark_data::store::mark::UNDERLYING).to_owned(),
        row.text(closemark_data::store::mark::OSI_SYMBOL).to_owned(),
    );
    let recorded = reads.table(&close, "exceptions").await?;
    let rows = recorded.rows_of(&underlying).unwrap_or(0..0);
    let exceptions: Vec<Value> = rows
        .filter_map(|row| recorded.row(row))
        .filter(|view| view.text(exception::OSI_SYMBOL) == listed)
        .take(EXCEPTIONS_MAX)
        .map(|view| {
            let text = |place: usize| Some(view.text(place)).filter(|text| !text.is_empty());
            json!({
                "scope": text(exception::SCOPE), "stage": text(exception::STAGE), "reason": text(exception::REASON),
                "field": text(exception::FIELD), "before": text(exception::BEFORE), "after": text(exception::AFTER),
                "author": text(exception::AUTHOR),
            })
        })
        .collect();
    let found = surface::series(&close, &listed, exceptions).ok_or_else(absent)?;
    Ok(answer(&found, wanted.run.is_some()))
}

/// The way of an underlying's marks; a reason in words where its inputs are not to be had.
async fn way(shared: &Shared, close: &Arc<Close>, underlying: &str) -> Result<Result<Arc<Origin>, String>, Status> {
    let (origins, store) = (Arc::clone(&shared.origins), shared.reads.store().clone());
    let (close, underlying) = (Arc::clone(close), underlying.to_owned());
    let permit = Arc::clone(&shared.seats).try_acquire_owned();
    let permit = permit.map_err(|_| refusals::busy("as many wait for the inputs of runs as may"))?;
    apart(move || {
        let _permit = permit;
        origins.of(&close, &underlying, |date, run| store.close(date, run).ok())
    })
    .await
}

/// What is said where the inputs of a run are not to be had.
fn not_kept(close: &Close, why: &str) -> Value {
    json!({"date": closemark_data::date::to_text(close.date()), "run": close.run().to_string(), "kept": false, "why": why})
}

async fn series_origin(
    State(shared): State<Shared>,
    Path((date, run, symbol)): Path<(String, String, String)>,
) -> Answer {
    let close = shared.reads.snapshot(named(&date, &run)?).await?;
    let absent = || errors::not_found("closemark.v1.Mark", &symbol);
    let row = close.find(&symbol).ok_or_else(absent)?;
    let found = match way(&shared, &close, row.text(closemark_data::store::mark::UNDERLYING)).await? {
        Ok(way) => origin::card(&close, row, &way)
            .unwrap_or_else(|| not_kept(&close, "the inputs of this run do not have this series")),
        Err(why) => not_kept(&close, &why),
    };
    // Inputs may be found later, and lost.
    Ok(answer(&found, false))
}

async fn slice_rounds(
    State(shared): State<Shared>,
    Path((date, run, name, slice)): Path<(String, String, String, String)>,
) -> Answer {
    let id = SliceId::parse(&slice).ok_or_else(|| errors::bad_field("slice", &slice, "ROOT-YYYY-MM-DD-PM"))?;
    let close = shared.reads.snapshot(named(&date, &run)?).await?;
    if !close.slices_of(&name).iter().any(|(own, _)| *own == id) {
        return Err(errors::not_found("closemark.v1.Slice", &slice).into());
    }
    let found = match way(&shared, &close, &name).await? {
        Ok(way) => origin::rounds(&close, &name, &id, &way).unwrap_or_else(|| not_kept(&close, "no such slice")),
        Err(why) => not_kept(&close, &why),
    };
    Ok(answer(&found, false))
}

/// The query of `changes`.
#[derive(Deserialize)]
struct Base {
    base: String,
}

async fn changes(
    State(reads): State<Arc<Reads>>,
    Path((date, run)): Path<(String, String)>,
    Query(base): Query<Base>,
) -> Answer {
    let wanted = named(&date, &run)?;
    let base = RunId::parse(&base.base).ok_or_else(|| errors::bad_field("base", &base.base, "16 hex digits"))?;
    let newer: Arc<Close> = reads.snapshot(wanted).await?;
    let older = reads.close(newer.date(), base).await?;
    let found = apart(move || changes::changes(&older, &newer)).await?;
    Ok(answer(&found, wanted.run.is_some()))
}
