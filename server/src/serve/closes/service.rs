//! CloseService.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use closemark_data::date;
use closemark_data::publication::{date_folder, read, run_folder};
use closemark_pricing::Price;
use closemark_pricing::series::Date;
use closemark_proto::v1;
use closemark_proto::v1::close_service_server::CloseService;
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::finalize::{self, FinalizeParts, Intent, METHOD};
use super::messages;
use super::progress::Step;
use super::refusals::{RETRY, refused};
use super::requests::{SYMBOL_BYTES_MAX, read_request};
use crate::serve::clock;
use crate::serve::errors;
use crate::serve::ledger::{
    CloseFilter, CloseRecord, CloseRequest, CloseState, OverrideAnswer, OverrideProposal, OverrideWithdrawal, close_id,
};
use crate::serve::names::{self, CloseName};
use crate::serve::paging::Page;
use crate::serve::security::Caller;
use crate::serve::state::Service;

/// See [`CloseService`].
pub(crate) struct Closes(pub(crate) Arc<Service>);

/// Starts a close, or finds the one that this request started before. A close that the ledger says runs, and that
/// neither waits nor runs here, is put in line again.
pub(super) async fn start(
    service: &Arc<Service>,
    request_id: String,
    request: CloseRequest,
    by: &str,
) -> Result<CloseRecord, Status> {
    let by = by.to_owned();
    // The ledger's row and the place in line are one step: a caller who leaves in between cannot part them.
    blocking(service, move |service| {
        let known = service.ledger.close_by_id(&close_id(&request_id)).map_err(refused)?;
        // A repeated request needs no room; a new one is entered only where there is some.
        let in_line = |known: &CloseRecord| service.progress.watch(&known.close_id).is_some();
        let needs_room = known.is_none_or(|known| known.state == CloseState::Running && !in_line(&known));
        let room = if needs_room { Some(service.runner.room()?) } else { None };
        let started = service.ledger.start_close(&request_id, &request, &by, clock::now());
        let (record, _) = started.map_err(refused)?;
        if let Some(room) = room.filter(|_| record.state == CloseState::Running) {
            service.runner.put(room, record.clone());
        }
        Ok(record)
    })
    .await
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
            // One run that is missing or damaged hides no other close: the ledger tells of it what it knows.
            let one = |record: &CloseRecord| message(service, record).unwrap_or_else(|_| messages::unreadable(record));
            let closes = records.iter().map(one).collect();
            let next_page_token = last.map_or_else(String::new, |id| page.token(&service.page_key, &id));
            Ok(Response::new(v1::ListClosesResponse { closes, next_page_token }))
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
            let intent = Intent { run: names::run(day, &run_id), by: caller.name.to_string(), reason };
            let parts = FinalizeParts::of(service);
            if !parts.ledger.was_done(METHOD, &request_id, &intent.text()).map_err(refused)? {
                messages::published(&service.config.out_folder(), day, &run_id, None)?;
                finalize::finalize(&parts, &request_id, &intent)?;
            }
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

    async fn withdraw_override(
        &self,
        request: Request<v1::WithdrawOverrideRequest>,
    ) -> Result<Response<v1::Override>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        names::request_id(&request.request_id)?;
        names::reason(&request.reason)?;
        blocking(&self.0, move |service| {
            let (day, id) = names::override_id(&request.name)?;
            let withdrawal = OverrideWithdrawal {
                request_id: &request.request_id,
                market_date: &date::to_text(day),
                override_id: id,
                withdrawer: &caller.name,
                reason: &request.reason,
            };
            service.ledger.withdraw(&withdrawal, clock::now()).map(messages::override_message).map_err(refused)
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

#[cfg(test)]
mod tests;
