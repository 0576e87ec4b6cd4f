//! Connections to calls: hyper reads requests, and each call begins in the task of its connection.
//!
//! A call that is answered at once, as a lookup is, costs no task and no waking of threads: the calls that one read of
//! the socket brought are answered one after the other and leave with one write. A call that has to wait goes on in a
//! task of its own, as every call does in a usual server. See [`own_task`] for work that is long.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tonic::body::Body;
use tower::Service;

use super::config::Limits;
use super::drain::Drain;
use super::transport::Socket;

/// Streams that a client opened and reset, and that were not looked at yet.
const RESET_MAX: usize = 64;

/// Serves connections until the service drains and the last of them has ended. Dropped earlier, it cuts them.
pub(crate) async fn serve<S>(mut sockets: mpsc::Receiver<Socket>, service: S, limits: &Limits, drain: Drain)
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            socket = sockets.recv() => match socket {
                Some(socket) => {
                    let begun = Begun::default();
                    let http = http(limits, begun.clone());
                    connections.spawn(serve_one(socket, http, begun, service.clone(), drain.clone()));
                }
                None => break,
            },
            Some(_) = connections.join_next() => {}
        }
    }
    while connections.join_next().await.is_some() {}
}

/// HTTP under the configured limits.
fn http(limits: &Limits, begun: Begun) -> auto::Builder<Begun> {
    let keepalive = Duration::from_secs(u64::from(limits.keepalive_seconds));
    let mut http = auto::Builder::new(begun);
    http.http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams_per_connection_max)
        .max_header_list_size(limits.header_bytes_max)
        .max_pending_accept_reset_streams(RESET_MAX)
        .keep_alive_interval(keepalive)
        .keep_alive_timeout(keepalive);
    // Without a timer HTTP/1 would wait for the rest of a request's head for ever.
    http.http1().timer(TokioTimer::new());
    http
}

async fn serve_one<S>(socket: Socket, http: auto::Builder<Begun>, begun: Begun, service: S, mut drain: Drain)
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    let from = socket.connection();
    let call = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Arc::clone(&from));
        // Every service here is always ready: what may not run is refused with a status.
        service.clone().call(request)
    });
    let mut connection = pin!(http.serve_connection(TokioIo::new(socket), call));
    let mut ending = pin!(drain.begun());
    let mut told = false;
    let served = std::future::poll_fn(|context| {
        if !told && ending.as_mut().poll(context).is_ready() {
            connection.as_mut().graceful_shutdown();
            told = true;
        }
        loop {
            if let Poll::Ready(served) = connection.as_mut().poll(context) {
                return Poll::Ready(served);
            }
            // Answers are queued now; the next poll of the connection writes them.
            if !begun.run() {
                return Poll::Pending;
            }
        }
    });
    if let Err(error) = served.await {
        tracing::debug!(%error, "a connection ended badly");
    }
}

/// Lets a call go on in a task of its own. Before anything that keeps a processor for long, so that the other calls of
/// the connection need not wait for it; in such a task it only gives others their turn.
pub(crate) async fn own_task() {
    tokio::task::yield_now().await;
}

type Stream = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The calls that a connection brought and that were not looked at yet.
#[derive(Clone, Default)]
struct Begun(Arc<Mutex<Vec<Stream>>>);

impl Begun {
    /// Runs each call as far as it comes, and gives those that wait a task. Whether there was one.
    fn run(&self) -> bool {
        let streams = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let any = !streams.is_empty();
        // Nobody is woken: a task polls what it is given once more.
        let mut context = Context::from_waker(Waker::noop());
        for mut stream in streams {
            if stream.as_mut().poll(&mut context).is_pending() {
                tokio::spawn(stream);
            }
        }
        any
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Begun {
    fn execute(&self, stream: F) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Box::pin(stream));
    }
}
