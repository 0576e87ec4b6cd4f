//! The guard that every request passes: admission, caller, role; and what became of the call.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, Version, header};
use http_body::Frame;
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Layer, Service};

use super::admission::{Admission, Admitted, Connection};
use super::caller::{Access, Caller, unauthenticated};
use super::patience::Patience;
use super::pieces::Pieces;
use super::{origin, role};
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
    /// How long a call that needs no credentials may last.
    pub(crate) open_call_max: Duration,
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
    fn check(&self, request: &Request<Body>, grpc: bool) -> Result<(Admitted, Caller), Status> {
        let connection = request
            .extensions()
            .get::<Arc<Connection>>()
            .ok_or_else(|| errors::internal("finding the connection", &"no connection info"))?;
        let needed = role::needed(request.uri().path());
        let admitted = if needed.is_empty() {
            self.admission.admit_open(connection)?
        } else {
            self.admission.admit(connection)?
        };
        let authorization = match request.headers().get(header::AUTHORIZATION) {
            None => None,
            Some(value) => Some(value.to_str().map_err(|_| unauthenticated("UNKNOWN_SCHEME", "no bearer token"))?),
        };
        let caller = self.access.caller(connection.peer, connection.certificate, authorization)?;
        if caller.is_anonymous()
            && caller.roles != role::Roles::default()
            && !needed.is_empty()
            && let Some(doubt) = origin::doubt(request, grpc)
        {
            let message = format!("{doubt}: an address on loopback is no name then, and this call needs one");
            return Err(unauthenticated("NOT_LOCAL", &message));
        }
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
        if grpc && request.version() < Version::HTTP_2 {
            let status = errors::error(Code::Unimplemented, "HTTP_2_NEEDED", "gRPC is spoken over HTTP/2 alone", &[]);
            call.ended(status.code(), watch.seconds());
            return Box::pin(std::future::ready(Ok(answer(&status, false))));
        }
        let (admitted, caller) = match self.own.check(&request, grpc) {
            Ok(admitted) => admitted,
            Err(status) => {
                tracing::debug!(path = request.uri().path(), code = ?status.code(), "refused");
                call.ended(status.code(), watch.seconds());
                return Box::pin(std::future::ready(Ok(answer(&status, grpc))));
            }
        };
        request.extensions_mut().insert(caller);
        let mut inner = self.inner.clone();
        let patience = Patience::of(request.headers(), self.own.call_max);
        let page = (!grpc).then(|| request.uri().path().to_owned());
        let body_max = admitted.is_open().then_some(self.own.open_call_max);
        Box::pin(async move {
            let Ok(answered) = tokio::time::timeout(patience.length, inner.call(request)).await else {
                let status = patience.over();
                call.ended(status.code(), watch.seconds());
                return Ok(answer(&status, grpc));
            };
            let mut response = answered?;
            let mut code = code_of(response.headers());
            let replaced = match too_large(response.headers()) {
                Some(status) => Some(status),
                // What no route takes reaches gRPC, whose answer a browser would take for an empty page.
                None => page.filter(|_| code == Code::Unimplemented).map(|page| errors::not_found("page", &page)),
            };
            if let Some(status) = replaced {
                code = status.code();
                response = answer(&status, grpc);
            }
            call.ended(code, watch.seconds());
            let over = body_max.map(|limit| (limit, Box::pin(tokio::time::sleep(limit))));
            Ok(response.map(|body| Body::new(GuardedBody { body: Pieces::new(body), over, _admitted: admitted })))
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
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        Code::Unimplemented => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
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

/// A body that keeps its call admitted until it ends, or until it is over: then it ends with a status.
struct GuardedBody {
    body: Pieces,
    over: Option<(Duration, Pin<Box<tokio::time::Sleep>>)>,
    _admitted: Admitted,
}

impl http_body::Body for GuardedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        if let Some((limit, sleep)) = &mut self.over
            && sleep.as_mut().poll(context).is_ready()
        {
            let status = errors::open_overdue(*limit);
            let mut trailers = HeaderMap::new();
            let told = status.add_header(&mut trailers);
            // What the handler still has to say is dropped, and the handler with it.
            (self.over, self.body) = (None, Pieces::new(Body::empty()));
            return Poll::Ready(Some(told.map(|()| Frame::trailers(trailers))));
        }
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
    use std::pin::Pin;
    use std::sync::Arc;
    use std::task::{Context, Poll};
    use std::time::Duration;

    use http::{Request, Response};
    use http_body::Frame;
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
            open_call_max: Duration::from_millis(5),
        };
        let silent =
            service_fn(|_: Request<Body>| async { std::future::pending::<Result<Response<Body>, Infallible>>().await });
        let mut guard = layer.layer(silent);
        for (content, http) in [("application/grpc", 200), ("application/json", 504)] {
            let mut request = Request::builder().uri("/grpc.health.v1.Health/Check").header("content-type", content);
            request = request.version(http::Version::HTTP_2);
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

    /// A guard before something that answers and never ends.
    fn endless(open_call_max: Duration) -> impl Service<Request<Body>, Response = Response<Body>, Error = Infallible> {
        let (config, _) = ServeConfig::read(None).unwrap();
        let layer = GuardLayer {
            access: Arc::new(Access::new(&config).unwrap()),
            admission: Arc::new(Admission::new(&config.limits)),
            metrics: Arc::new(CallMetrics::new(std::iter::empty())),
            call_max: Duration::from_secs(60),
            open_call_max,
        };
        layer.layer(service_fn(|_: Request<Body>| async { Ok::<_, Infallible>(Response::new(Body::new(Endless))) }))
    }

    /// A body that never ends.
    struct Endless;

    impl http_body::Body for Endless {
        type Data = bytes::Bytes;
        type Error = Status;

        fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<bytes::Bytes>, Status>>> {
            Poll::Pending
        }
    }

    fn request(path: &str, version: http::Version, headers: &[(&str, &str)]) -> Request<Body> {
        let mut request = Request::builder().uri(path).version(version);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let connection = Connection::new("127.0.0.1:1".parse().unwrap(), None);
        request.extension(Arc::new(connection)).body(Body::empty()).unwrap()
    }

    #[tokio::test]
    async fn a_call_without_credentials_that_lasts_ends_with_its_limit_named() {
        let mut guard = endless(Duration::from_millis(5));
        let headers = [("content-type", "application/grpc")];
        let watch = request("/grpc.health.v1.Health/Watch", http::Version::HTTP_2, &headers);
        let response = guard.call(watch).await.unwrap();
        let mut body = response.into_body();
        let frame = std::future::poll_fn(|context| http_body::Body::poll_frame(Pin::new(&mut body), context)).await;
        let trailers = frame.unwrap().unwrap().into_trailers().unwrap();
        let status = Status::from_header_map(&trailers).unwrap();
        assert_eq!(status.code(), Code::DeadlineExceeded);
        assert_eq!(status.get_error_details().error_info().unwrap().metadata["limit"], "limits.open_call_seconds_max");
    }

    #[tokio::test]
    async fn an_address_is_no_name_behind_a_proxy_or_a_foreign_page_and_grpc_needs_http_2() {
        let mut guard = endless(Duration::from_secs(60));
        let (old, new) = (http::Version::HTTP_11, http::Version::HTTP_2);
        let path = "/closemark.v1.CloseService/ListCloses";
        for (path, version, headers, code) in [
            ("/api/v1/dates", old, &[("host", "127.0.0.1:50151")][..], 200),
            ("/api/v1/dates", old, &[("host", "evil.example")], 401),
            ("/api/v1/dates", old, &[("host", "localhost"), ("origin", "http://evil.example")], 401),
            ("/api/v1/dates", old, &[("host", "localhost"), ("x-forwarded-for", "192.0.2.7")], 401),
            (path, old, &[("host", "localhost"), ("content-type", "application/grpc")], 505),
            (path, new, &[("content-type", "application/grpc")], 200),
        ] {
            let response = guard.call(request(path, version, headers)).await.unwrap();
            assert_eq!(response.status().as_u16(), code, "{path} {headers:?}");
        }
        let headers = [("content-type", "application/grpc"), ("x-forwarded-for", "192.0.2.7")];
        let response = guard.call(request(path, new, &headers)).await.unwrap();
        let status = Status::from_header_map(response.headers()).unwrap();
        assert_eq!(status.get_error_details().error_info().unwrap().reason, "NOT_LOCAL");
        // Health stays open to whoever connects.
        let health = request("/grpc.health.v1.Health/Check", new, &headers);
        let response = guard.call(health).await.unwrap();
        assert!(Status::from_header_map(response.headers()).is_none());
    }
}
