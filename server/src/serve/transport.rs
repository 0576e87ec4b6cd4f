//! Sockets to connections: bounded in number, shaken hands with in bounded time, each with what the guard must know.

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
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

use super::config::Limits;
use super::drain::Drain;
use super::security::Connection;
use super::security::tls::{Tls, fingerprint};

/// Connections that are ready and wait for tonic to take them.
const READY_MAX: usize = 64;
/// After an accept that failed for want of a resource.
const PAUSE: Duration = Duration::from_millis(50);

/// Accepts sockets until the service drains; what is ready comes out of the receiver.
pub(crate) fn accept(
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    limits: &Limits,
    mut drain: Drain,
) -> mpsc::Receiver<io::Result<Socket>> {
    let (sender, receiver) = mpsc::channel(READY_MAX);
    let slots = Arc::new(Slots::new(limits));
    let handshake = Duration::from_secs(u64::from(limits.handshake_seconds_max));
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
                match tokio::time::timeout(handshake, ready(stream, peer, tls, slot)).await {
                    // A receiver that is gone means that the service drains.
                    Ok(Ok(socket)) => drop(sender.send(Ok(socket)).await),
                    Ok(Err(error)) => tracing::debug!(%peer, %error, "no handshake"),
                    Err(_) => tracing::debug!(%peer, "the handshake took too long"),
                }
            });
        }
    });
    receiver
}

async fn ready(stream: TcpStream, peer: SocketAddr, tls: Option<Arc<Tls>>, slot: Slot) -> io::Result<Socket> {
    stream.set_nodelay(true)?;
    let Some(tls) = tls else {
        return Ok(Socket { io: Io::Plain(stream), connection: Arc::new(Connection::new(peer, None)), _slot: slot });
    };
    let acceptor = tls.acceptor().ok_or_else(|| io::Error::other("no certificates"))?;
    let stream = acceptor.accept(stream).await?;
    let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first()).and_then(fingerprint);
    let connection = Arc::new(Connection::new(peer, shown));
    Ok(Socket { io: Io::Tls(Box::new(stream)), connection, _slot: slot })
}

/// A connection that tonic may serve.
pub(crate) struct Socket {
    io: Io,
    connection: Arc<Connection>,
    _slot: Slot,
}

enum Io {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Connected for Socket {
    type ConnectInfo = Arc<Connection>;

    fn connect_info(&self) -> Arc<Connection> {
        Arc::clone(&self.connection)
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Plain(stream) => Pin::new(stream).poll_read(context, buf),
            Io::Tls(stream) => Pin::new(stream).poll_read(context, buf),
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
