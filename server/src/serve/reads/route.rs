//! The route of `MarkService`: as tonic generates it, but that rows go to the wire without a message between.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use closemark_proto::v1::mark_service_server::SERVICE_NAME;
use closemark_proto::v1::{
    BatchGetMarksRequest, GetMarkRequest, ListMarkChangesRequest, ListMarksRequest, StreamMarksRequest,
};
use tonic::body::Body;
use tonic::codec::Codec;
use tonic::server::Grpc;
use tonic::service::Routes;
use tonic::{Request, Status};
use tonic_prost::ProstCodec;
use tower::{Service, service_fn};

use super::answer::{AnswerCodec, Page};
use super::marks::Marks;
use crate::serve::connections::own_task;

/// Every service, and before their router `MarkService`: what is asked for most needs no search and no boxes on its way.
#[derive(Clone)]
pub(crate) struct Services {
    marks: MarkRoute,
    routes: Routes,
}

impl Services {
    pub(super) fn new(marks: MarkRoute, routes: Routes) -> Self {
        Self { marks, routes: routes.prepare() }
    }
}

impl Service<http::Request<Body>> for Services {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<http::Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<http::Request<Body>>::poll_ready(&mut self.routes, context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let method = method_of(request.uri().path());
        if method == Some("GetMark") {
            return self.marks.call(request);
        }
        // Any other may read or make a great deal.
        let (of_marks, mut own) = (method.is_some(), self.clone());
        Box::pin(async move {
            own_task().await;
            if of_marks { own.marks.call(request).await } else { own.routes.call(request).await }
        })
    }
}

/// What a path names behind `MarkService`'s own name.
fn method_of(path: &str) -> Option<&str> {
    path.strip_prefix('/')?.strip_prefix(SERVICE_NAME)?.strip_prefix('/')
}

/// `MarkService` as a tower service.
#[derive(Clone)]
pub(super) struct MarkRoute {
    marks: Arc<Marks>,
    message_bytes_max: usize,
}

impl MarkRoute {
    pub(super) fn new(marks: Marks, message_bytes_max: usize) -> Self {
        Self { marks: Arc::new(marks), message_bytes_max }
    }
}

fn grpc<C: Codec>(codec: C, bytes_max: usize) -> Grpc<C> {
    Grpc::new(codec).apply_max_message_size_config(Some(bytes_max), None)
}

impl Service<http::Request<Body>> for MarkRoute {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<http::Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let (marks, bytes) = (Arc::clone(&self.marks), self.message_bytes_max);
        match method_of(request.uri().path()) {
            Some("GetMark") => Box::pin(async move {
                let method = service_fn(|request: Request<GetMarkRequest>| marks.get_mark(request));
                Ok(grpc(AnswerCodec::default(), bytes).unary(method, request).await)
            }),
            Some("BatchGetMarks") => Box::pin(async move {
                let method = service_fn(|request: Request<BatchGetMarksRequest>| marks.batch_get_marks(request));
                Ok(grpc(AnswerCodec::default(), bytes).unary(method, request).await)
            }),
            Some("ListMarks") => Box::pin(async move {
                let method = service_fn(|request: Request<ListMarksRequest>| marks.list_marks(request));
                let mut response = grpc(AnswerCodec::default(), bytes).unary(method, request).await;
                // The page comes beside an empty message, because tonic would make all of its bytes at once.
                Ok(match response.extensions_mut().remove::<Page>() {
                    Some(page) => response.map(|_| Body::new(page)),
                    None => response,
                })
            }),
            Some("StreamMarks") => Box::pin(async move {
                let method = service_fn(|request: Request<StreamMarksRequest>| marks.stream_marks(request));
                Ok(grpc(AnswerCodec::default(), bytes).server_streaming(method, request).await)
            }),
            Some("ListMarkChanges") => Box::pin(async move {
                let method = service_fn(|request: Request<ListMarkChangesRequest>| marks.list_mark_changes(request));
                Ok(grpc(ProstCodec::default(), bytes).unary(method, request).await)
            }),
            _ => {
                let status = Status::unimplemented("MarkService has no such method");
                Box::pin(std::future::ready(Ok(status.into_http())))
            }
        }
    }
}
