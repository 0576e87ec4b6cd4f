//! Connections to calls: hyper reads requests, and each call of HTTP/2 begins in the task of its connection.
//!
//! A call that is answered at once, as a lookup is, needs no task of its own: the calls that one read of the socket
//! brought are answered one after the other, and leave with one write. A call that has to wait goes on in a task of its
//! own, as every call does in a usual server. See [`own_task`] for work that is long.

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tonic::body::Body;
use tower::Service;

use super::config::Limits;
use super::drain::Drain;
use super::transport::Socket;

/// Streams that a client opened and reset, and that were not looked at yet.
const RESET_MAX: usize = 64;
/// Streams of one connection, over all its life, that this side had to reset. Who breaks the rules that often is told to
/// connect anew.
const BROKEN_MAX: usize = 1024;
/// Calls that wait to be begun; any more have a task of their own at once.
const BEGUN_MAX: usize = 64;
/// Times that a connection is read and answered before others have their turn.
const PASSES: u32 = 4;

/// Serves connections until the service drains and the last of them has ended. Dropped earlier, it cuts them.
pub(crate) async fn serve<S>(mut sockets: mpsc::Receiver<Socket>, service: S, limits: &Limits, drain: Drain)
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    let mut connections = JoinSet::new();
    let mut draining = drain.clone();
    loop {
        tokio::select! {
            // Who still shakes hands then is not waited for.
            () = draining.begun() => break,
            socket = sockets.recv() => match socket {
                Some(socket) => {
                    let calls = Calls::default();
                    let http = http(limits, calls.executor());
                    connections.spawn(serve_one(socket, http, calls, service.clone(), drain.clone()));
                }
                None => break,
            },
            Some(ended) = connections.join_next() => look_at(ended),
        }
    }
    drop(sockets);
    while let Some(ended) = connections.join_next().await {
        look_at(ended);
    }
}

fn look_at(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a connection met a fault of the service");
    }
}

/// HTTP under the configured limits.
fn http(limits: &Limits, executor: Begin) -> auto::Builder<Begin> {
    let keepalive = Duration::from_secs(u64::from(limits.keepalive_seconds));
    let mut http = auto::Builder::new(executor);
    http.http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams_per_connection_max)
        .max_header_list_size(limits.header_bytes_max)
        .max_pending_accept_reset_streams(RESET_MAX)
        .max_local_error_reset_streams(BROKEN_MAX)
        .keep_alive_interval(keepalive)
        .keep_alive_timeout(keepalive);
    // Without a timer HTTP/1 would wait for the rest of a request's head for ever.
    http.http1().timer(TokioTimer::new());
    http
}

async fn serve_one<S>(socket: Socket, http: auto::Builder<Begin>, calls: Calls, service: S, mut drain: Drain)
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    let from = socket.connection();
    let call = service_fn(move |request: Request<Incoming>| {
        // Nothing is tunnelled.
        let answered = (request.method() != Method::CONNECT).then(|| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(Arc::clone(&from));
            // Every service here is always ready: what may not run is refused with a status.
            service.clone().call(request)
        });
        async move {
            match answered {
                Some(answered) => answered.await,
                None => {
                    let mut refused = Response::new(Body::empty());
                    *refused.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
                    Ok(refused)
                }
            }
        }
    });
    let mut connection = pin!(http.serve_connection(TokioIo::new(socket), call));
    let mut ending = pin!(drain.begun());
    let mut told = false;
    let served = std::future::poll_fn(|context| {
        if !told && ending.as_mut().poll(context).is_ready() {
            connection.as_mut().graceful_shutdown();
            told = true;
        }
        for _ in 0..PASSES {
            if let Poll::Ready(served) = connection.as_mut().poll(context) {
                // Calls that came with the connection's end begin all the same: quotes may be among them.
                calls.begin();
                return Poll::Ready(served);
            }
            // Answers are queued now; the next poll of the connection writes them.
            if !calls.begin() {
                return Poll::Pending;
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    });
    if let Err(error) = served.await {
        let mut causes = error.to_string();
        let mut cause = error.source();
        while let Some(deeper) = cause {
            causes = format!("{causes}: {deeper}");
            cause = deeper.source();
        }
        tracing::debug!(error = causes, "a connection ended badly");
    }
}

/// Lets a call go on in a task of its own. Before anything that keeps a processor for long, so that the other calls of
/// the connection need not wait for it; where there is such a task already, or none as in HTTP/1, it only gives others
/// their turn.
pub(crate) async fn own_task() {
    tokio::task::yield_now().await;
}

type Stream = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The calls that a connection brought and that were not looked at yet.
#[derive(Default)]
struct Calls(Arc<Mutex<Vec<Stream>>>);

impl Calls {
    /// What hyper hands calls to. Each of them holds one of these, so that it must not keep alive what holds it.
    fn executor(&self) -> Begin {
        Begin(Arc::downgrade(&self.0))
    }

    /// Runs each call as far as it comes, and gives those that wait a task. Whether there was one.
    fn begin(&self) -> bool {
        let streams = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let any = !streams.is_empty();
        // Nobody is woken: a task polls what it is given once more.
        let mut context = Context::from_waker(Waker::noop());
        for mut stream in streams {
            // A call that meets a fault of the service ends, and takes none of its connection's other calls with it.
            match catch_unwind(AssertUnwindSafe(|| stream.as_mut().poll(&mut context))) {
                Ok(Poll::Ready(())) => {}
                Ok(Poll::Pending) => drop(tokio::spawn(stream)),
                Err(_) => tracing::error!("a call met a fault of the service"),
            }
        }
        any
    }
}

/// Takes calls as hyper makes them.
#[derive(Clone)]
struct Begin(Weak<Mutex<Vec<Stream>>>);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Begin {
    fn execute(&self, stream: F) {
        // A connection that is gone has no more calls.
        let Some(calls) = self.0.upgrade() else { return };
        let mut calls = calls.lock().unwrap_or_else(PoisonError::into_inner);
        if calls.len() < BEGUN_MAX {
            calls.push(Box::pin(stream));
        } else {
            drop(tokio::spawn(stream));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::time::Duration;

    use http::{Request, Response};
    use tokio::net::TcpListener;
    use tokio::sync::mpsc;
    use tonic::body::Body;
    use tonic::transport::{Channel, Endpoint};
    use tower::{Service, ServiceExt, service_fn};

    use super::super::config::ServeConfig;
    use super::super::drain::{Drain, DrainSwitch};
    use super::super::security::Connection;
    use super::super::transport;
    use super::{own_task, serve};

    /// Answers with the address that its connection comes from, at once, late, or never.
    async fn answer(request: Request<Body>) -> Result<Response<Body>, Infallible> {
        match request.uri().path() {
            "/panic" => panic!("as asked"),
            "/late" => tokio::time::sleep(Duration::from_millis(5)).await,
            "/own" => own_task().await,
            "/never" => std::future::pending().await,
            _ => {}
        }
        let peer = request.extensions().get::<std::sync::Arc<Connection>>().unwrap().peer.to_string();
        Ok(Response::builder().header("peer", peer).body(Body::empty()).unwrap())
    }

    async fn served(drain: Drain) -> (Channel, tokio::task::JoinHandle<()>) {
        let (config, _) = ServeConfig::read(None).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let sockets = transport::accept(listener, None, &config.limits, drain.clone());
        let serving = tokio::spawn(async move { serve(sockets, service_fn(answer), &config.limits, drain).await });
        (Endpoint::from_shared(address).unwrap().connect().await.unwrap(), serving)
    }

    async fn call(channel: &Channel, path: &str) -> Result<String, tonic::transport::Error> {
        let request = Request::post(path).body(Body::empty()).unwrap();
        let response = channel.clone().ready().await?.call(request).await?;
        Ok(response.headers()["peer"].to_str().unwrap().to_owned())
    }

    /// A call in a task of its own.
    fn calling(
        channel: &Channel,
        path: &'static str,
    ) -> tokio::task::JoinHandle<Result<String, tonic::transport::Error>> {
        let channel = channel.clone();
        tokio::spawn(async move { call(&channel, path).await })
    }

    #[tokio::test]
    async fn calls_that_wait_are_woken_and_one_that_panics_ends_alone() {
        let (_switch, drain) = DrainSwitch::new();
        let (channel, _serving) = served(drain).await;
        let peer = call(&channel, "/now").await.unwrap();
        let paths = ["/late", "/now", "/own", "/panic"].into_iter().cycle().take(200);
        let many: Vec<_> = paths.map(|path| (path, calling(&channel, path))).collect();
        for (path, answered) in many {
            match (path, answered.await.unwrap()) {
                ("/panic", answered) => assert!(answered.is_err()),
                (path, answered) => assert_eq!(answered.unwrap(), peer, "{path}: the same connection"),
            }
        }
        assert_eq!(call(&channel, "/now").await.unwrap(), peer);
    }

    #[tokio::test]
    async fn a_drain_lets_calls_end_and_waits_for_no_handshake() {
        let (switch, drain) = DrainSwitch::new();
        let (channel, serving) = served(drain).await;
        let late = calling(&channel, "/late");
        call(&channel, "/now").await.unwrap();
        switch.begin();
        assert!(late.await.unwrap().is_ok());
        serving.await.unwrap();

        // A sender stands for somebody who still shakes hands.
        let (switch, drain) = DrainSwitch::new();
        let (_sender, sockets) = mpsc::channel(1);
        switch.begin();
        serve(sockets, service_fn(answer), &ServeConfig::read(None).unwrap().0.limits, drain).await;
    }

    #[tokio::test]
    async fn a_service_that_is_dropped_cuts_its_connections() {
        let (_switch, drain) = DrainSwitch::new();
        let (channel, serving) = served(drain).await;
        let never = calling(&channel, "/never");
        call(&channel, "/now").await.unwrap();
        serving.abort();
        assert!(never.await.unwrap().is_err());
    }
}
