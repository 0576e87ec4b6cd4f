//! CloseService.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use closemark_data::date;
use closemark_data::publication::{self, PublishError, date_folder, read, run_folder};
use closemark_pricing::Price;
use closemark_pricing::series::Date;
use closemark_proto::v1;
use closemark_proto::v1::close_service_server::CloseService;
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Response, Status};

use super::messages;
use super::progress::Step;
use crate::serve::clock;
use crate::serve::errors;
use crate::serve::ledger::{
    Change, CloseFilter, CloseRecord, CloseRequest, CloseState, LedgerError, OverrideAnswer, OverrideProposal, close_id,
};
use crate::serve::names::{self, CloseName};
use crate::serve::paging::Page;
use crate::serve::security::Caller;
use crate::serve::state::Service;

/// Underlyings that one request may name.
const ONLY_MAX: usize = 10_000;
/// Roots with a snapshot of their own.
const ROOTS_MAX: usize = 1_000;
/// Longest settings text, bytes.
const SETTINGS_BYTES_MAX: usize = 1 << 16;
/// Longest symbol, bytes.
const SYMBOL_BYTES_MAX: usize = 64;
/// After this time a date that is being published may be free.
const RETRY: Duration = Duration::from_secs(2);

/// See [`CloseService`].
pub(crate) struct Closes(pub(crate) Arc<Service>);

/// Starts a close, or finds the one that this request started before.
pub(super) async fn start(
    service: &Arc<Service>,
    request_id: String,
    request: CloseRequest,
    by: &str,
) -> Result<CloseRecord, Status> {
    let by = by.to_owned();
    let room = service.runner.room();
    let (record, room) = blocking(service, move |service| {
        let known = service.ledger.close_by_id(&close_id(&request_id)).map_err(refused)?;
        // A repeated request needs no room; a new one is entered only where there is some.
        let room = match (room, known) {
            (Ok(room), _) => Some(room),
            (Err(_), Some(_)) => None,
            (Err(full), None) => return Err(full),
        };
        let started = service.ledger.start_close(&request_id, &request, &by, clock::now());
        let (record, new) = started.map_err(refused)?;
        Ok((record, room.filter(|_| new)))
    })
    .await?;
    if let Some(room) = room {
        service.runner.put(room, record.clone());
    }
    Ok(record)
}

/// Runs what waits for the ledger or the disk off the threads that serve others.
async fn blocking<T: Send + 'static>(
    service: &Arc<Service>,
    run: impl FnOnce(&Service) -> Result<T, Status> + Send + 'static,
) -> Result<T, Status> {
    let service = Arc::clone(service);
    let done = tokio::task::spawn_blocking(move || run(&service)).await;
    done.map_err(|error| errors::internal("waiting for the disk", &error))?
}

fn refused(error: LedgerError) -> Status {
    match error {
        LedgerError::Sqlite(error) => {
            tracing::error!(%error, "the ledger is in trouble");
            let full = matches!(error.sqlite_error_code(), Some(rusqlite::ErrorCode::DiskFull));
            if full {
                errors::exhausted("storage", "the ledger's disk is full; nothing was changed", RETRY)
            } else {
                errors::unavailable("LEDGER_UNAVAILABLE", "the ledger cannot be written; nothing was changed", RETRY)
            }
        }
        LedgerError::RequestReused { .. } => {
            errors::error(Code::AlreadyExists, "REQUEST_ID_REUSED", error.to_string(), &[])
        }
        LedgerError::NotFound { kind, name } => errors::not_found(kind, &name),
        LedgerError::State { reason, detail } => errors::precondition(reason, "override", detail),
    }
}

/// The close of a name, as it is now.
fn find(service: &Service, name: CloseName<'_>) -> Result<v1::Close, Status> {
    let out = service.config.out_folder();
    let ledger = &service.ledger;
    match name {
        CloseName::Started(day, id) => {
            let found = ledger.close_by_id(id).map_err(refused)?;
            let market_date = date::to_text(day);
            let record = found
                .filter(|record| record.market_date == market_date)
                .ok_or_else(|| errors::not_found("close", &format!("dates/{market_date}/closes/{id}")))?;
            message(service, &record)
        }
        CloseName::Run(day, run_id) => {
            let record = ledger.close_of_run(&date::to_text(day), run_id).map_err(refused)?;
            messages::published(&out, day, run_id, record.as_ref())
        }
        CloseName::Current(day) => {
            let run_id = messages::current_run(&out, day)?;
            let record = ledger.close_of_run(&date::to_text(day), &run_id).map_err(refused)?;
            messages::published(&out, day, &run_id, record.as_ref())
        }
    }
}

fn message(service: &Service, record: &CloseRecord) -> Result<v1::Close, Status> {
    match (record.state, &record.run_id, date::parse(&record.market_date)) {
        (CloseState::Published, Some(run_id), Some(day)) => {
            messages::published(&service.config.out_folder(), day, run_id, Some(record))
        }
        _ => Ok(messages::unpublished(record)),
    }
}

/// The day and run of a name that must stand for a published run.
fn run_of(service: &Service, field: &str, name: &str) -> Result<(Date, String), Status> {
    match names::close(field, name)? {
        CloseName::Run(day, run_id) => Ok((day, run_id.to_owned())),
        CloseName::Current(day) => Ok((day, messages::current_run(&service.config.out_folder(), day)?)),
        CloseName::Started(day, id) => {
            let close = find(service, CloseName::Started(day, id))?;
            if close.run_id.is_empty() {
                let message = format!("{} is {}; nothing is published", close.name, close.state);
                return Err(errors::precondition("CLOSE_NOT_PUBLISHED", &close.name, message));
            }
            Ok((day, close.run_id))
        }
    }
}

#[tonic::async_trait]
impl CloseService for Closes {
    type WatchCloseStream = Pin<Box<dyn Stream<Item = Result<v1::CloseProgress, Status>> + Send>>;

    async fn start_close(&self, request: Request<v1::StartCloseRequest>) -> Result<Response<v1::Close>, Status> {
        let caller = Caller::of(&request)?;
        let (request_id, request) = read_request(request.into_inner())?;
        if !request.base_run.is_empty() {
            let day = names::date("market_date", &request.market_date)?;
            published_folder(&self.0, day, &request.base_run)?;
        }
        let record = start(&self.0, request_id, request, &caller.name).await?;
        blocking(&self.0, move |service| message(service, &record)).await.map(Response::new)
    }

    async fn watch_close(
        &self,
        request: Request<v1::WatchCloseRequest>,
    ) -> Result<Response<Self::WatchCloseStream>, Status> {
        let name = request.into_inner().name;
        let seat = Arc::clone(&self.0.watchers).try_acquire_owned().map_err(|_| {
            errors::exhausted("limits.watchers_max", "as many streams watch closes as may", Duration::from_secs(1))
        })?;
        let close = {
            let name = name.clone();
            blocking(&self.0, move |service| find(service, names::close("name", &name)?)).await?
        };
        let id = close.operation.rsplit('/').next().unwrap_or_default();
        let steps = self.0.progress.watch(id);
        let (sender, receiver) = mpsc::channel(1);
        let service = Arc::clone(&self.0);
        tokio::spawn(async move {
            let _seat = seat;
            let mut drain = service.drain.clone();
            if let Some(mut steps) = steps {
                loop {
                    let step = *steps.borrow_and_update();
                    if step.stage == Step::ENDED {
                        break;
                    }
                    let progress = v1::CloseProgress {
                        stage: step.stage.to_owned(),
                        series_done: step.done,
                        series_count: step.series,
                        close: None,
                    };
                    if sender.send(Ok(progress)).await.is_err() {
                        return;
                    }
                    tokio::select! {
                        changed = steps.changed() => if changed.is_err() { break },
                        () = sender.closed() => return,
                        () = drain.begun() => {
                            let ending = errors::unavailable("DRAINING", "the service is ending; watch again", RETRY);
                            drop(sender.send(Err(ending)).await);
                            return;
                        }
                    }
                }
            }
            let last = blocking(&service, move |service| find(service, names::close("name", &name)?)).await;
            let last = last.map(|close| v1::CloseProgress {
                stage: Step::ENDED.to_owned(),
                series_done: close.series_count,
                series_count: close.series_count,
                close: Some(close),
            });
            drop(sender.send(last).await);
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn get_close(&self, request: Request<v1::GetCloseRequest>) -> Result<Response<v1::Close>, Status> {
        let name = request.into_inner().name;
        blocking(&self.0, move |service| find(service, names::close("name", &name)?)).await.map(Response::new)
    }

    async fn list_closes(
        &self,
        request: Request<v1::ListClosesRequest>,
    ) -> Result<Response<v1::ListClosesResponse>, Status> {
        let request = request.into_inner();
        let market_date = match request.market_date.as_str() {
            "" => None,
            text => Some(date::to_text(names::date("market_date", text)?)),
        };
        let scope = market_date.clone().unwrap_or_default();
        let page = Page::read(&self.0.page_key, "closes", &scope, request.page_size, &request.page_token)?;
        blocking(&self.0, move |service| {
            let after = match &page.after {
                None => None,
                Some(after) => {
                    let found = service.ledger.close_by_id(after).map_err(refused)?;
                    found.map(|record| (record.started_at.0, record.close_id))
                }
            };
            let filter = CloseFilter { market_date, after, limit: page.size + 1 };
            let mut records = service.ledger.closes(&filter).map_err(refused)?;
            let more = records.len() > page.size as usize;
            records.truncate(page.size as usize);
            let last = records.last().filter(|_| more).map(|record| record.close_id.clone());
            let closes: Result<Vec<_>, _> = records.iter().map(|record| message(service, record)).collect();
            let next_page_token = last.map_or_else(String::new, |id| page.token(&service.page_key, &id));
            Ok(Response::new(v1::ListClosesResponse { closes: closes?, next_page_token }))
        })
        .await
    }

    async fn finalize_close(&self, request: Request<v1::FinalizeCloseRequest>) -> Result<Response<v1::Close>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let request_id = names::request_id(&request.request_id)?.to_owned();
        let reason = names::reason(&request.reason)?.to_owned();
        blocking(&self.0, move |service| {
            let (day, run_id) = run_of(service, "name", &request.name)?;
            let name = names::run(day, &run_id);
            let text = serde_json::json!({ "run": name, "by": *caller.name, "reason": reason }).to_string();
            if service.ledger.was_done("FinalizeClose", &request_id, &text).map_err(refused)? {
                return find(service, CloseName::Run(day, &run_id));
            }
            let out = service.config.out_folder();
            messages::published(&out, day, &run_id, None)?;
            publication::finalize(&out, day, &run_id, &caller.name, &reason)
                .map_err(|error| unpublishable(&name, error))?;
            let change = Change {
                at: clock::now(),
                actor: &caller.name,
                action: "close.finalized",
                subject: &name,
                detail: &text,
            };
            service.ledger.done("FinalizeClose", &request_id, &text, &change).map_err(refused)?;
            find(service, CloseName::Run(day, &run_id))
        })
        .await
        .map(Response::new)
    }

    async fn override_mark(&self, request: Request<v1::OverrideMarkRequest>) -> Result<Response<v1::Override>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        names::request_id(&request.request_id)?;
        names::reason(&request.reason)?;
        let mark = request.mark.map(|mark| Price::from_micros(mark.micros));
        let mark = mark.filter(|mark| (Price::ZERO..=Price::INPUT_MAX).contains(mark)).ok_or_else(|| {
            let given = mark.map_or_else(String::new, |mark| mark.to_string());
            errors::bad_field("mark", &given, "a price from 0 to 10,000,000")
        })?;
        blocking(&self.0, move |service| {
            let (day, run_id) = run_of(service, "parent", &request.parent)?;
            check_series(service, day, &run_id, &request)?;
            let proposal = OverrideProposal {
                request_id: &request.request_id,
                market_date: &date::to_text(day),
                run_id: &run_id,
                osi_symbol: &request.osi_symbol,
                mark_micros: mark.micros(),
                multiplier: request.multiplier,
                currency: &request.currency,
                author: &caller.name,
                reason: &request.reason,
            };
            service.ledger.propose(&proposal, clock::now()).map(messages::override_message).map_err(refused)
        })
        .await
        .map(Response::new)
    }

    async fn approve_override(
        &self,
        request: Request<v1::ApproveOverrideRequest>,
    ) -> Result<Response<v1::Override>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        names::request_id(&request.request_id)?;
        names::reason(&request.reason)?;
        blocking(&self.0, move |service| {
            let (day, id) = names::override_id(&request.name)?;
            let answer = OverrideAnswer {
                request_id: &request.request_id,
                market_date: &date::to_text(day),
                override_id: id,
                approve: request.approve,
                approver: &caller.name,
                answer: &request.reason,
            };
            service.ledger.answer(&answer, clock::now()).map(messages::override_message).map_err(refused)
        })
        .await
        .map(Response::new)
    }

    async fn list_overrides(
        &self,
        request: Request<v1::ListOverridesRequest>,
    ) -> Result<Response<v1::ListOverridesResponse>, Status> {
        let request = request.into_inner();
        let day = request.parent.strip_prefix("dates/").unwrap_or_default();
        let day = names::date("parent", day).map_err(|_| errors::bad_field("parent", &request.parent, "dates/*"))?;
        let market_date = date::to_text(day);
        let page = Page::read(&self.0.page_key, "overrides", &market_date, request.page_size, &request.page_token)?;
        blocking(&self.0, move |service| {
            let after = page.after.as_deref().unwrap_or_default();
            let mut rows = service.ledger.overrides(&market_date, after, page.size + 1).map_err(refused)?;
            let more = rows.len() > page.size as usize;
            rows.truncate(page.size as usize);
            let last = rows.last().filter(|_| more).map(|row| row.override_id.clone());
            let next_page_token = last.map_or_else(String::new, |id| page.token(&service.page_key, &id));
            let overrides = rows.into_iter().map(messages::override_message).collect();
            Ok(Response::new(v1::ListOverridesResponse { overrides, next_page_token }))
        })
        .await
    }
}

/// Publication's refusals of a finalization.
fn unpublishable(name: &str, error: PublishError) -> Status {
    match error {
        PublishError::Locked { .. } => {
            errors::unavailable("DATE_LOCKED", "another close of the day is being published", RETRY)
        }
        PublishError::State { detail, .. } => errors::precondition("NOT_FINALIZABLE", name, detail),
        PublishError::Damaged { detail, .. } => {
            tracing::error!(name, detail, "a published run is damaged");
            errors::error(Code::DataLoss, "RUN_DAMAGED", "the run's files are not what was published", &[])
        }
        other => errors::internal("finalizing", &other),
    }
}

/// The folder of a run that is there.
fn published_folder(service: &Service, day: Date, run_id: &str) -> Result<PathBuf, Status> {
    let folder = date_folder(&service.config.out_folder(), day).ok().and_then(|folder| run_folder(&folder, run_id));
    let there = folder.filter(|folder| folder.is_dir());
    there.ok_or_else(|| errors::not_found("close", &names::run(day, run_id)))
}

/// The series must be one of the run, in the multiplier and currency that the person believes in.
fn check_series(service: &Service, day: Date, run_id: &str, request: &v1::OverrideMarkRequest) -> Result<(), Status> {
    let symbol = request.osi_symbol.as_str();
    if symbol.is_empty() || symbol.len() > SYMBOL_BYTES_MAX {
        return Err(errors::bad_field("osi_symbol", symbol, "a series of the run"));
    }
    let folder = published_folder(service, day, run_id)?;
    let found = read::read_mark(&folder, symbol).map_err(|error| errors::internal("reading the run", &error))?;
    let found = found.ok_or_else(|| errors::not_found("series", symbol))?;
    if i64::from(request.multiplier) != found.multiplier {
        let allowed = format!("the series' own, {}", found.multiplier);
        return Err(errors::bad_field("multiplier", &request.multiplier.to_string(), &allowed));
    }
    if request.currency != found.currency {
        return Err(errors::bad_field("currency", &request.currency, &format!("the series' own, {}", found.currency)));
    }
    Ok(())
}

fn read_request(given: v1::StartCloseRequest) -> Result<(String, CloseRequest), Status> {
    names::request_id(&given.request_id)?;
    let day = names::date("market_date", &given.market_date)?;
    let only = given.only;
    let plain =
        |text: &String| !text.is_empty() && text.len() <= SYMBOL_BYTES_MAX && !text.chars().any(char::is_control);
    if let Some(odd) = only.iter().find(|text| !plain(text)) {
        return Err(errors::bad_field("only", odd, "symbols of underlyings"));
    }
    for (field, count, limit) in
        [("only", only.len(), ONLY_MAX), ("root_snapshots", given.root_snapshots.len(), ROOTS_MAX)]
    {
        if count > limit {
            return Err(errors::bad_field(field, &count.to_string(), &format!("at most {limit} entries")));
        }
    }
    if !given.base_run.is_empty() {
        names::run_id("base_run", &given.base_run)?;
    }
    if given.settings_toml.len() > SETTINGS_BYTES_MAX {
        let allowed = format!("at most {SETTINGS_BYTES_MAX} bytes");
        return Err(errors::bad_field("settings_toml", &given.settings_toml, &allowed));
    }
    let mut settings = closemark_pricing::Settings::default();
    closemark_data::settings::merge_settings_text(&mut settings, &given.settings_toml)
        .map_err(|error| errors::bad_field("settings_toml", &error.to_string(), "settings of the method"))?;
    let instant = |field: &str, text: &str| match closemark_data::time::parse(text) {
        Some(_) => Ok(()),
        None => Err(errors::bad_field(field, text, "a time with its offset, 2026-11-20T16:00:00-05:00")),
    };
    if !given.snapshot.is_empty() {
        instant("snapshot", &given.snapshot)?;
    } else if !given.root_snapshots.is_empty() {
        return Err(errors::bad_field("root_snapshots", "", "only beside snapshot"));
    }
    let mut root_snapshots = Vec::new();
    for one in given.root_snapshots {
        instant("root_snapshots.snapshot", &one.snapshot)?;
        if !plain(&one.root) {
            return Err(errors::bad_field("root_snapshots.root", &one.root, "an option root"));
        }
        root_snapshots.push((one.root, one.snapshot));
    }
    root_snapshots.sort();
    if let Some([(root, _), _]) = root_snapshots.array_windows::<2>().find(|[a, b]| a.0 == b.0) {
        return Err(errors::bad_field("root_snapshots.root", root, "each root once"));
    }
    if !["", "us", "always"].contains(&given.calendar.as_str()) {
        return Err(errors::bad_field("calendar", &given.calendar, "us or always"));
    }
    if let Some(rate) = given.flat_rate.filter(|rate| !(-1.0..=1.0).contains(rate)) {
        return Err(errors::bad_field("flat_rate", &rate.to_string(), "a fraction from -1 to 1"));
    }
    let mut only = only;
    only.sort();
    only.dedup();
    let request = CloseRequest {
        market_date: date::to_text(day),
        only,
        base_run: given.base_run,
        settings_toml: given.settings_toml,
        snapshot: given.snapshot,
        root_snapshots,
        calendar: given.calendar,
        flat_rate: given.flat_rate,
        without_previous: given.without_previous,
    };
    Ok((given.request_id, request))
}
