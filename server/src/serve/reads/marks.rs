//! `MarkService`: marks by series, batch, page and stream; what changed between two runs.

use std::pin::Pin;
use std::sync::Arc;

use closemark_data::store::{Changes, Close, Cursor, Purpose, RowView, RunId, mark};
use closemark_pricing::series::Date;
use closemark_proto::v1::{
    BatchGetMarksRequest, GetMarkRequest, ListMarkChangesRequest, ListMarkChangesResponse, ListMarksRequest,
    MarkChange, StreamMarksRequest,
};
use tokio_stream::Stream;
use tonic::{Request, Response, Status};

use super::answer::{Answer, Page, measure};
use super::messages::{count, mark_prefix, money, words};
use super::wire::{TOKEN_FIELD, put_element, put_row};
use super::{Reads, RunName, page_size, refusals};
use crate::serve::{errors, names};

/// Symbols of one batch.
const BATCH_MAX: usize = 1_000;
/// Marks or changes of one page, and where the caller does not say.
const PAGE_MAX: usize = 10_000;
const PAGE_DEFAULT: usize = 1_000;
/// Bytes after which a page ends early: most gRPC clients take 4 MiB at a time.
const PAGE_BYTES: usize = 3 << 20;
/// Marks of one message of a stream: about 50 KiB, so that a thousand streams that nobody reads are no memory to speak of.
const STREAM_ROWS: u32 = 64;

/// The field `missing` of a batch.
const MISSING_FIELD: u32 = 2;

/// The service.
pub(crate) struct Marks {
    reads: Arc<Reads>,
}

impl Marks {
    pub(crate) fn new(reads: Arc<Reads>) -> Self {
        Self { reads }
    }

    /// Where a list or stream begins: with the close named now, or where its token says.
    async fn resume(
        &self,
        purpose: Purpose,
        (field, token): (&str, &str),
        name: RunName,
        request: &[&str],
    ) -> Result<(Arc<Close>, Cursor), Status> {
        if token.is_empty() {
            let close = self.reads.snapshot(name).await?;
            let cursor = Cursor { purpose, date: close.date(), run: close.run(), next: 0, next_in_base: 0 };
            return Ok((close, cursor));
        }
        let cursor = self.reads.tokens.open(token, purpose, request).ok_or_else(|| refusals::forged(field, token))?;
        Ok((self.reads.close(cursor.date, cursor.run).await?, cursor))
    }
}

fn parent(text: &str) -> Result<RunName, Status> {
    RunName::parse(text)
        .ok_or_else(|| errors::bad_field("parent", text, "dates/YYYY-MM-DD/runs/RUN, or current as RUN"))
}

fn expiration(text: &str) -> Result<Option<Date>, Status> {
    if text.is_empty() { Ok(None) } else { names::date("expiration", text).map(Some) }
}

/// The stream of `StreamMarks`.
pub(super) type MarksStream = Pin<Box<dyn Stream<Item = Result<Answer, Status>> + Send>>;

impl Marks {
    pub(super) async fn get_mark(&self, request: Request<GetMarkRequest>) -> Result<Response<Answer>, Status> {
        let name = &request.get_ref().name;
        let (run, symbol) = RunName::parse_mark(name)
            .ok_or_else(|| errors::bad_field("name", name, "dates/YYYY-MM-DD/runs/RUN/marks/SYMBOL"))?;
        let close = self.reads.snapshot(run).await?;
        let row = close.find_row(symbol).ok_or_else(|| errors::not_found("closemark.v1.Mark", name))?;
        let prefix = mark_prefix(&close);
        Ok(Response::new(Answer::Mark { close, row, prefix }))
    }

    pub(super) async fn batch_get_marks(
        &self,
        request: Request<BatchGetMarksRequest>,
    ) -> Result<Response<Answer>, Status> {
        let request = request.into_inner();
        let run = parent(&request.parent)?;
        if request.osi_symbols.len() > BATCH_MAX {
            let found = format!("{} symbols", request.osi_symbols.len());
            return Err(errors::bad_field("osi_symbols", &found, &format!("at most {BATCH_MAX}")));
        }
        let close = self.reads.snapshot(run).await?;
        let prefix = mark_prefix(&close);
        let (mut answer, mut scratch, mut missing) = (Vec::new(), Vec::new(), Vec::new());
        for symbol in &request.osi_symbols {
            match close.find_row(symbol) {
                Some(row) => put_row(&close, row, &prefix, &mut scratch, &mut answer),
                None => missing.push(symbol),
            }
        }
        missing.into_iter().for_each(|symbol| put_element(MISSING_FIELD, symbol.as_bytes(), &mut answer));
        Ok(Response::new(Answer::Bytes(answer)))
    }

    /// The page is an extension of the answer, see [`super::route`].
    pub(super) async fn list_marks(&self, request: Request<ListMarksRequest>) -> Result<Response<Answer>, Status> {
        let request = request.into_inner();
        let run = parent(&request.parent)?;
        let size = page_size("page_size", request.page_size, PAGE_DEFAULT, PAGE_MAX)?;
        let expiring = expiration(&request.expiration)?;
        let identity = [request.parent.as_str(), &request.underlying, &request.expiration];
        let token = ("page_token", request.page_token.as_str());
        let (close, cursor) = self.resume(Purpose::Marks, token, run, &identity).await?;
        let underlying = Some(request.underlying.as_str()).filter(|underlying| !underlying.is_empty());
        let (ranges, prefix) = (close.mark_rows(underlying, expiring), mark_prefix(&close));
        let measured = measure(&close, &prefix, ranges, cursor.next, (size, PAGE_BYTES)).await;
        let token = measured.next.map(|next| self.reads.tokens.seal(&Cursor { next, ..cursor }, &identity));
        let page = Page::new(close, prefix, measured, token.unwrap_or_default())
            .map_err(|error| errors::internal("making a page", &error))?;
        let mut response = Response::new(Answer::Bytes(Vec::new()));
        response.extensions_mut().insert(page);
        Ok(response)
    }

    pub(super) async fn stream_marks(
        &self,
        request: Request<StreamMarksRequest>,
    ) -> Result<Response<MarksStream>, Status> {
        let request = request.into_inner();
        let run = parent(&request.parent)?;
        let token = ("resume_token", request.resume_token.as_str());
        let (close, mut cursor) = self.resume(Purpose::Stream, token, run, &[&request.parent]).await?;
        let reads = self.reads.clone();
        let prefix = mark_prefix(&close);
        // Drawn as fast as the client reads: a message is made when the transport asks for it.
        let messages = std::iter::from_fn(move || {
            let end = cursor.next.saturating_add(STREAM_ROWS).min(close.marks().rows());
            if cursor.next >= end {
                return None;
            }
            let (mut answer, mut scratch) = (Vec::new(), Vec::new());
            (cursor.next..end).for_each(|row| put_row(&close, row, &prefix, &mut scratch, &mut answer));
            cursor.next = end;
            let token = reads.tokens.seal(&cursor, &[&request.parent]);
            put_element(TOKEN_FIELD, token.as_bytes(), &mut answer);
            Some(Ok(Answer::Bytes(answer)))
        });
        Ok(Response::new(Box::pin(tokio_stream::iter(messages)) as MarksStream))
    }

    pub(super) async fn list_mark_changes(
        &self,
        request: Request<ListMarkChangesRequest>,
    ) -> Result<Response<ListMarkChangesResponse>, Status> {
        let request = request.into_inner();
        let run = parent(&request.parent)?;
        let base = RunId::parse(&request.base_run)
            .ok_or_else(|| errors::bad_field("base_run", &request.base_run, "16 hex digits"))?;
        let size = page_size("page_size", request.page_size, PAGE_DEFAULT, PAGE_MAX)?;
        let identity = [request.parent.as_str(), &request.base_run];
        let token = ("page_token", request.page_token.as_str());
        let (newer, cursor) = self.resume(Purpose::Changes, token, run, &identity).await?;
        let older = self.reads.close(newer.date(), base).await?;
        // Two whole closes may have to be walked through before the first difference.
        let walk = tokio::task::spawn_blocking(move || {
            let mut changes = Changes::from(&older, &newer, (cursor.next_in_base, cursor.next));
            let found: Vec<MarkChange> =
                changes.by_ref().take(size).map(|change| change_message(change.before, change.after)).collect();
            let (next_in_base, next) = changes.at();
            let more = changes.next().is_some();
            (found, more.then_some(Cursor { next, next_in_base, ..cursor }))
        });
        let (changes, next) = walk.await.map_err(|error| errors::internal("comparing two runs", &error))?;
        let token = next.map(|cursor| self.reads.tokens.seal(&cursor, &identity)).unwrap_or_default();
        Ok(Response::new(ListMarkChangesResponse { changes, next_page_token: token }))
    }
}

fn change_message(before: Option<RowView<'_>>, after: Option<RowView<'_>>) -> MarkChange {
    let either = after.or(before);
    MarkChange {
        osi_symbol: either.map(|row| row.text(mark::OSI_SYMBOL).to_owned()).unwrap_or_default(),
        before: before.and_then(|row| money(row, mark::MARK)),
        after: after.and_then(|row| money(row, mark::MARK)),
        multiplier: either.map(|row| count(row, mark::MULTIPLIER)).unwrap_or_default(),
        currency: either.map(|row| row.text(mark::CURRENCY).to_owned()).unwrap_or_default(),
        reasons: after.map(|row| words(row, mark::REASONS)).unwrap_or_default(),
    }
}
