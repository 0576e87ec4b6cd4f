//! Sockets to connections: bounded in number, shaken hands with in bounded time, closed where they are idle, each with
//! what the guard must know.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep};
use tokio_rustls::server::TlsStream;

use super::config::Limits;
use super::drain::Drain;
use super::security::Connection;
use super::security::tls::{Tls, fingerprint};

/// Connections that are ready and wait to be taken.
const READY_MAX: usize = 64;
/// After an accept that failed for want of a resource.
const PAUSE: Duration = Duration::from_millis(50);

/// Accepts sockets until the service drains; what is ready comes out of the receiver.
pub(crate) fn accept(
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    limits: &Limits,
    mut drain: Drain,
) -> mpsc::Receiver<Socket> {
    let (sender, receiver) = mpsc::channel(READY_MAX);
    let slots = Arc::new(Slots::new(limits));
    let handshake = Duration::from_secs(u64::from(limits.handshake_seconds_max));
    let idle = Duration::from_secs(u64::from(limits.idle_seconds_max));
    tokio::spawn(async move {
        loop {
            let accepted = tokio::select! {
                () = drain.begun() => break,
                accepted = listener.accept() => accepted,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            let Some(slot) = slots.take(peer.ip().to_canonical()) else {
                metrics::counter!("closemark_connections_refused_total").increment(1);
                tracing::warn!(%peer, "closed: too many connections");
                continue;
            };
            let (sender, tls) = (sender.clone(), tls.clone());
            tokio::spawn(async move {
                match tokio::time::timeout(handshake, ready(stream, peer, tls)).await {
                    Ok(Ok((io, connection))) => {
                        let idle = Idle::new(handshake, idle);
                        // A receiver that is gone means that the service drains.
                        drop(sender.send(Socket { io, connection, idle, _slot: slot }).await);
                    }
                    Ok(Err(error)) => tracing::debug!(%peer, %error, "no handshake"),
                    Err(_) => tracing::debug!(%peer, "the handshake took too long"),
                }
            });
        }
    });
    receiver
}

async fn ready(stream: TcpStream, peer: SocketAddr, tls: Option<Arc<Tls>>) -> io::Result<(Io, Arc<Connection>)> {
    stream.set_nodelay(true)?;
    let Some(tls) = tls else {
        return Ok((Io::Plain(stream), Arc::new(Connection::new(peer, None))));
    };
    let acceptor = tls.acceptor().ok_or_else(|| io::Error::other("no certificates"))?;
    let stream = acceptor.accept(stream).await?;
    let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first()).and_then(fingerprint);
    Ok((Io::Tls(Box::new(stream)), Arc::new(Connection::new(peer, shown))))
}

/// How long a connection may be silent, or without a call.
struct Idle {
    limit: Duration,
    sleep: Pin<Box<Sleep>>,
    /// Whether anything was ever read.
    heard: bool,
    /// Calls when it was last looked.
    calls: u64,
}

impl Idle {
    fn new(first: Duration, limit: Duration) -> Self {
        Self { limit, sleep: Box::pin(tokio::time::sleep(first)), heard: false, calls: 0 }
    }

    /// Whether the connection is to be closed; asked whenever there is nothing to read.
    fn is_over(&mut self, context: &mut Context<'_>, connection: &Connection) -> bool {
        while self.sleep.as_mut().poll(context).is_ready() {
            let (calls, running) = connection.calls();
            if !self.heard || (!running && calls == self.calls) {
                return true;
            }
            self.calls = calls;
            self.sleep.as_mut().reset(Instant::now() + self.limit);
        }
        false
    }

    /// The first bytes have come: from now on it is calls that count.
    fn heard(&mut self) {
        if !self.heard {
            self.heard = true;
            self.sleep.as_mut().reset(Instant::now() + self.limit);
        }
    }
}

/// A connection that may be served.
pub(crate) struct Socket {
    io: Io,
    connection: Arc<Connection>,
    idle: Idle,
    _slot: Slot,
}

enum Io {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Socket {
    /// What the guard must know of it.
    pub(crate) fn connection(&self) -> Arc<Connection> {
        Arc::clone(&self.connection)
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let own = &mut *self;
        let before = buf.filled().len();
        let read = match &mut own.io {
            Io::Plain(stream) => Pin::new(stream).poll_read(context, buf),
            Io::Tls(stream) => Pin::new(stream).poll_read(context, buf),
        };
        match read {
            Poll::Pending if own.idle.is_over(context, &own.connection) => {
                metrics::counter!("closemark_connections_idle_total").increment(1);
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "no call for too long")))
            }
            other => {
                if buf.filled().len() > before {
                    own.idle.heard();
                }
                other
            }
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.io {
            Io::Plain(stream) => Pin::new(stream).poll_write(context, buf),
            Io::Tls(stream) => Pin::new(stream).poll_write(context, buf),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.io {
            Io::Plain(stream) => Pin::new(stream).poll_write_vectored(context, bufs),
            Io::Tls(stream) => Pin::new(stream).poll_write_vectored(context, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.io {
            Io::Plain(stream) => stream.is_write_vectored(),
            Io::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Plain(stream) => Pin::new(stream).poll_flush(context),
            Io::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Io::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

/// How many connections there may be.
struct Slots {
    all_max: u32,
    per_address_max: u32,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    all: u32,
    by_address: BTreeMap<IpAddr, u32>,
}

impl Slots {
    fn new(limits: &Limits) -> Self {
        Self {
            all_max: limits.connections_max,
            per_address_max: limits.connections_per_address_max,
            taken: Mutex::new(Taken::default()),
        }
    }

    fn take(self: &Arc<Self>, address: IpAddr) -> Option<Slot> {
        let mut taken = self.taken.lock().ok()?;
        let own = taken.by_address.get(&address).copied().unwrap_or(0);
        if taken.all >= self.all_max || own >= self.per_address_max {
            return None;
        }
        taken.all += 1;
        taken.by_address.insert(address, own + 1);
        metrics::gauge!("closemark_connections").set(f64::from(taken.all));
        Some(Slot { slots: Arc::clone(self), address })
    }
}

/// The right to one connection, until it is dropped.
struct Slot {
    slots: Arc<Slots>,
    address: IpAddr,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let Ok(mut taken) = self.slots.taken.lock() else { return };
        taken.all = taken.all.saturating_sub(1);
        metrics::gauge!("closemark_connections").set(f64::from(taken.all));
        match taken.by_address.get_mut(&self.address) {
            Some(own) if *own > 1 => *own -= 1,
            _ => {
                taken.by_address.remove(&self.address);
            }
        }
    }
}
