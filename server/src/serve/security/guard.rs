//! The guard that every request passes: admission, caller, role; and what became of the call.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body::Frame;
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Layer, Service};

use super::admission::{Admission, Admitted, Connection};
use super::caller::{Access, Caller, unauthenticated};
use super::role;
use crate::serve::clock::Watch;
use crate::serve::errors;
use crate::serve::metrics::CallMetrics;

/// How tonic says that a message was above its limit, before and after decompression, percent-encoded as it stands in a
/// header.
const TOO_LARGE: [&str; 2] =
    ["Error,%20decoded%20message%20length%20too%20large", "Error%20decompressing:%20size%20limit"];

/// Puts the guard before every service.
#[derive(Clone)]
pub(crate) struct GuardLayer {
    pub(crate) access: Arc<Access>,
    pub(crate) admission: Arc<Admission>,
    pub(crate) metrics: Arc<CallMetrics>,
    /// How long a call may take to begin its answer.
    pub(crate) call_max: Duration,
}

impl<S> Layer<S> for GuardLayer {
    type Service = Guard<S>;

    fn layer(&self, inner: S) -> Guard<S> {
        Guard { inner, own: self.clone() }
    }
}

/// See [`GuardLayer`].
#[derive(Clone)]
pub(crate) struct Guard<S> {
    inner: S,
    own: GuardLayer,
}

impl GuardLayer {
    fn check(&self, request: &Request<Body>) -> Result<(Admitted, Caller), Status> {
        let connection = request
            .extensions()
            .get::<Arc<Connection>>()
            .ok_or_else(|| errors::internal("finding the connection", &"no connection info"))?;
        let admitted = self.admission.admit(connection)?;
        let authorization = match request.headers().get(header::AUTHORIZATION) {
            None => None,
            Some(value) => Some(value.to_str().map_err(|_| unauthenticated("UNKNOWN_SCHEME", "no bearer token"))?),
        };
        let caller = self.access.caller(connection.peer, connection.certificate, authorization)?;
        let needed = role::needed(request.uri().path());
        // Somebody without a name or a right is asked for a name; everybody else is told which role is missing.
        if caller.is_anonymous() && caller.roles == role::Roles::default() && !needed.is_empty() {
            return Err(unauthenticated("CREDENTIALS_MISSING", "this call needs a token or a client certificate"));
        }
        caller.require_one_of(needed)?;
        Ok((admitted, caller))
    }
}

impl<S> Service<Request<Body>> for Guard<S>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let watch = Watch::start();
        let call = self.own.metrics.begin(request.uri().path());
        let grpc = is_grpc(request.headers());
        let (admitted, caller) = match self.own.check(&request) {
            Ok(admitted) => admitted,
            Err(status) => {
                tracing::debug!(path = request.uri().path(), code = ?status.code(), "refused");
                call.ended(status.code(), watch.seconds());
                return Box::pin(std::future::ready(Ok(answer(&status, grpc))));
            }
        };
        request.extensions_mut().insert(caller);
        // The clone that was ready is the one that is called.
        let fresh = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, fresh);
        let call_max = self.own.call_max;
        Box::pin(async move {
            let Ok(answered) = tokio::time::timeout(call_max, inner.call(request)).await else {
                let status = errors::overdue(call_max);
                call.ended(status.code(), watch.seconds());
                return Ok(answer(&status, grpc));
            };
            let mut response = answered?;
            if let Some(status) = too_large(response.headers()) {
                response = answer(&status, grpc);
            }
            call.ended(code_of(response.headers()), watch.seconds());
            Ok(response.map(|body| Body::new(GuardedBody { body, _admitted: admitted })))
        })
    }
}

fn is_grpc(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

/// A refusal, as a gRPC status or as plain HTTP, by what was asked.
fn answer(status: &Status, grpc: bool) -> Response<Body> {
    if grpc {
        return status.clone().into_http();
    }
    let code = match status.code() {
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let mut response = Response::new(Body::new(format!("{}\n", status.message())));
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/plain; charset=utf-8"));
    if code == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
    } else if code == StatusCode::TOO_MANY_REQUESTS {
        headers.insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
    }
    response
}

/// tonic says OUT_OF_RANGE to a message above its limit, and no details; it is a limit like the others.
fn too_large(headers: &HeaderMap) -> Option<Status> {
    let message = headers.get(Status::GRPC_MESSAGE)?;
    TOO_LARGE.iter().any(|said| message.as_bytes().starts_with(said.as_bytes())).then(|| {
        errors::too_large("limits.message_bytes_max", "the message is larger than limits.message_bytes_max allows")
    })
}

/// The status that stands in the headers: that of a call which ended there. Others end in trailers, and count as begun well.
fn code_of(headers: &HeaderMap) -> Code {
    headers.get(Status::GRPC_STATUS).map_or(Code::Ok, |value| Code::from_bytes(value.as_bytes()))
}

/// A body that keeps its call admitted until it ends.
struct GuardedBody {
    body: Body,
    _admitted: Admitted,
}

impl http_body::Body for GuardedBody {
    type Data = bytes::Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Arc;
    use std::time::Duration;

    use http::{Request, Response};
    use tonic::body::Body;
    use tonic::{Code, Status};
    use tonic_types::StatusExt;
    use tower::{Layer, Service, service_fn};

    use super::{Access, Admission, CallMetrics, Connection, GuardLayer};
    use crate::serve::config::ServeConfig;

    #[tokio::test]
    async fn a_call_that_never_answers_ends_with_its_limit_named() {
        let (config, _) = ServeConfig::read(None).unwrap();
        let layer = GuardLayer {
            access: Arc::new(Access::new(&config).unwrap()),
            admission: Arc::new(Admission::new(&config.limits)),
            metrics: Arc::new(CallMetrics::new(std::iter::empty())),
            call_max: Duration::from_millis(5),
        };
        let silent =
            service_fn(|_: Request<Body>| async { std::future::pending::<Result<Response<Body>, Infallible>>().await });
        let mut guard = layer.layer(silent);
        for (content, http) in [("application/grpc", 200), ("application/json", 504)] {
            let mut request = Request::builder().uri("/grpc.health.v1.Health/Check").header("content-type", content);
            let connection = Connection::new("127.0.0.1:1".parse().unwrap(), None);
            request.extensions_mut().unwrap().insert(Arc::new(connection));
            let response = guard.call(request.body(Body::empty()).unwrap()).await.unwrap();
            assert_eq!(response.status().as_u16(), http);
            let Some(status) = Status::from_header_map(response.headers()) else { continue };
            assert_eq!(status.code(), Code::DeadlineExceeded);
            let details = status.get_error_details();
            assert_eq!(details.error_info().unwrap().metadata["limit"], "limits.call_seconds_max");
            assert!(details.retry_info().is_some());
        }
    }
}
