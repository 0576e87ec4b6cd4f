//! `SurfaceService`: the slices of an underlying, and one slice with its quotes, fit and marks.

use std::sync::Arc;

use closemark_data::store::{Close, Cursor, Purpose};
use closemark_proto::v1::surface_service_server::SurfaceService;
use closemark_proto::v1::{GetSliceRequest, GetSliceResponse, ListSlicesRequest, ListSlicesResponse};
use tonic::{Request, Response, Status};

use super::messages::{mark_message, mark_prefix, slice_message};
use super::{Reads, RunName, page_size, refusals};
use crate::serve::errors;

/// Slices of one page, and where the caller does not say.
const PAGE_MAX: usize = 1_000;
const PAGE_DEFAULT: usize = 100;

/// The service.
pub(crate) struct Surfaces {
    reads: Arc<Reads>,
}

impl Surfaces {
    pub(crate) fn new(reads: Arc<Reads>) -> Self {
        Self { reads }
    }

    async fn resume(&self, name: RunName, request: &ListSlicesRequest) -> Result<(Arc<Close>, Cursor), Status> {
        if request.page_token.is_empty() {
            let close = self.reads.snapshot(name).await?;
            let cursor =
                Cursor { purpose: Purpose::Slices, date: close.date(), run: close.run(), next: 0, next_in_base: 0 };
            return Ok((close, cursor));
        }
        let opened = self.reads.tokens.open(&request.page_token, Purpose::Slices, &[&request.parent]);
        let cursor = opened.ok_or_else(|| refusals::forged("page_token", &request.page_token))?;
        Ok((self.reads.close(cursor.date, cursor.run).await?, cursor))
    }
}

#[tonic::async_trait]
impl SurfaceService for Surfaces {
    async fn list_slices(&self, request: Request<ListSlicesRequest>) -> Result<Response<ListSlicesResponse>, Status> {
        let request = request.into_inner();
        let form = "dates/YYYY-MM-DD/runs/RUN/underlyings/UNDERLYING";
        let (run, underlying) = RunName::parse_underlying(&request.parent)
            .ok_or_else(|| errors::bad_field("parent", &request.parent, form))?;
        let size = page_size("page_size", request.page_size, PAGE_DEFAULT, PAGE_MAX)?;
        let (close, cursor) = self.resume(run, &request).await?;
        let all = close.slices_of(underlying);
        if all.is_empty() {
            return Err(errors::not_found("closemark.v1.Underlying", &request.parent));
        }
        let start = cursor.next as usize;
        let slices = all.iter().skip(start).take(size).map(|(id, view)| {
            let first = close.marks_of(underlying, id, *view).first().copied();
            slice_message(&close, underlying, id, *view, first, false)
        });
        let slices: Vec<_> = slices.collect();
        let end = start + slices.len();
        let next = u32::try_from(end).ok().filter(|_| end < all.len());
        let token = next.map(|next| self.reads.tokens.seal(&Cursor { next, ..cursor }, &[&request.parent]));
        Ok(Response::new(ListSlicesResponse { slices, next_page_token: token.unwrap_or_default() }))
    }

    async fn get_slice(&self, request: Request<GetSliceRequest>) -> Result<Response<GetSliceResponse>, Status> {
        let name = &request.get_ref().name;
        let form = "dates/YYYY-MM-DD/runs/RUN/underlyings/UNDERLYING/slices/ROOT-YYYY-MM-DD-PM";
        let (run, underlying, wanted) =
            RunName::parse_slice(name).ok_or_else(|| errors::bad_field("name", name, form))?;
        let close = self.reads.snapshot(run).await?;
        let all = close.slices_of(underlying);
        let found = all.iter().find(|(id, _)| *id == wanted);
        let (id, view) = found.ok_or_else(|| errors::not_found("closemark.v1.Slice", name))?;
        let rows = close.marks_of(underlying, id, *view);
        let prefix = mark_prefix(&close);
        Ok(Response::new(GetSliceResponse {
            slice: Some(slice_message(&close, underlying, id, *view, rows.first().copied(), true)),
            marks: rows.into_iter().map(|row| mark_message(&prefix, row)).collect(),
        }))
    }
}
