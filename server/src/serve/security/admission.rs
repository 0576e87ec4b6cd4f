//! How many calls run at once, so that memory is bounded and a greedy caller cannot keep others out.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tonic::Status;

use crate::serve::config::Limits;
use crate::serve::errors;

/// After this time a refused call may be tried again.
const RETRY: Duration = Duration::from_millis(250);

/// One connection has at most this part of the calls that need no credentials.
const OPEN_SHARE: u32 = 4;

/// One accepted connection.
#[derive(Debug)]
pub(crate) struct Connection {
    /// Where it comes from.
    pub(crate) peer: SocketAddr,
    /// SHA-256 of the client's certificate, where one was shown and believed.
    pub(crate) certificate: Option<[u8; 32]>,
    running: AtomicU32,
    /// Calls among them that need no credentials.
    open: AtomicU32,
    /// Calls that ever came.
    calls: AtomicU64,
}

impl Connection {
    pub(crate) fn new(peer: SocketAddr, certificate: Option<[u8; 32]>) -> Self {
        Self { peer, certificate, running: 0.into(), open: 0.into(), calls: 0.into() }
    }

    /// How many calls ever came, and whether any of them runs.
    pub(crate) fn calls(&self) -> (u64, bool) {
        let running = self.running.load(Ordering::Acquire) > 0 || self.open.load(Ordering::Acquire) > 0;
        (self.calls.load(Ordering::Acquire), running)
    }
}

/// Admits calls.
#[derive(Debug)]
pub(crate) struct Admission {
    calls_max: u32,
    calls_per_connection_max: u32,
    open_calls_max: u32,
    running: AtomicU32,
    open: AtomicU32,
}

/// A call that was admitted, until it is dropped.
#[derive(Debug)]
pub(crate) struct Admitted {
    admission: Arc<Admission>,
    connection: Arc<Connection>,
    open: bool,
}

impl Admission {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            calls_max: limits.calls_max,
            calls_per_connection_max: limits.calls_per_connection_max,
            open_calls_max: limits.open_calls_max,
            running: 0.into(),
            open: 0.into(),
        }
    }

    /// Admits a call. A connection always has its first call: connections are bounded themselves, so that calls in all
    /// are at most `calls_max` and one for each connection.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED with a time to retry after.
    pub(crate) fn admit(self: &Arc<Self>, connection: &Arc<Connection>) -> Result<Admitted, Status> {
        connection.calls.fetch_add(1, Ordering::AcqRel);
        let own = connection.running.fetch_add(1, Ordering::AcqRel);
        let all = self.running.fetch_add(1, Ordering::AcqRel);
        let admitted = Admitted { admission: Arc::clone(self), connection: Arc::clone(connection), open: false };
        if own >= self.calls_per_connection_max {
            let message = format!("this connection has {} calls already", self.calls_per_connection_max);
            return Err(errors::exhausted("limits.calls_per_connection_max", message, RETRY));
        }
        if own > 0 && all >= self.calls_max {
            let message = "the service has as many calls as it takes at once";
            return Err(errors::exhausted("limits.calls_max", message, RETRY));
        }
        Ok(admitted)
    }

    /// Admits a call that needs no credentials. Such calls have a small number of their own, so that nobody without a
    /// name can take the place of those who have one.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED with a time to retry after.
    pub(crate) fn admit_open(self: &Arc<Self>, connection: &Arc<Connection>) -> Result<Admitted, Status> {
        connection.calls.fetch_add(1, Ordering::AcqRel);
        let own = connection.open.fetch_add(1, Ordering::AcqRel);
        let all = self.open.fetch_add(1, Ordering::AcqRel);
        let admitted = Admitted { admission: Arc::clone(self), connection: Arc::clone(connection), open: true };
        if own >= self.open_calls_max.div_ceil(OPEN_SHARE) || all >= self.open_calls_max {
            let message = "as many calls run as may of those that need no credentials";
            return Err(errors::exhausted("limits.open_calls_max", message, RETRY));
        }
        Ok(admitted)
    }
}

impl Admitted {
    /// Whether the call needs no credentials.
    pub(crate) fn is_open(&self) -> bool {
        self.open
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let (own, all) = if self.open {
            (&self.connection.open, &self.admission.open)
        } else {
            (&self.connection.running, &self.admission.running)
        };
        own.fetch_sub(1, Ordering::AcqRel);
        all.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Admission, Connection};

    fn admission() -> Arc<Admission> {
        Arc::new(Admission {
            calls_max: 4,
            calls_per_connection_max: 3,
            open_calls_max: 16,
            running: 0.into(),
            open: 0.into(),
        })
    }

    #[test]
    fn calls_without_credentials_take_nobody_elses_place() {
        let admission = admission();
        let connection = || Arc::new(Connection::new("127.0.0.1:1".parse().unwrap(), None));
        let (greedy, second) = (connection(), connection());
        let mut held: Vec<_> = (0..4).map(|_| admission.admit_open(&greedy).unwrap()).collect();
        assert!(admission.admit_open(&greedy).is_err(), "a quarter is one connection's");
        for other in [connection(), connection(), connection()] {
            held.extend((0..4).map(|_| admission.admit_open(&other).unwrap()));
        }
        let refused = admission.admit_open(&second).unwrap_err();
        assert_eq!(refused.code(), tonic::Code::ResourceExhausted);
        // Whoever shows credentials finds everything free, on the same connection too.
        let named: Vec<_> = (0..3).map(|_| admission.admit(&greedy).unwrap()).collect();
        assert_eq!(greedy.calls(), (8, true));
        drop((held, named));
        assert_eq!(greedy.calls(), (8, false));
        assert!(admission.admit_open(&second).is_ok());
    }

    #[test]
    fn a_greedy_connection_is_held_and_a_quiet_one_is_served() {
        let admission = admission();
        let connection = || Arc::new(Connection::new("127.0.0.1:1".parse().unwrap(), None));
        let (greedy, second, quiet) = (connection(), connection(), connection());
        let mut held: Vec<_> = (0..3).map(|_| admission.admit(&greedy).unwrap()).collect();
        let refused = admission.admit(&greedy).unwrap_err();
        assert_eq!(refused.code(), tonic::Code::ResourceExhausted);
        held.push(admission.admit(&second).unwrap());
        assert!(admission.admit(&second).is_err());
        held.push(admission.admit(&quiet).unwrap());
        held.clear();
        assert_eq!(admission.running.load(std::sync::atomic::Ordering::Acquire), 0);
        assert!(admission.admit(&second).is_ok());
    }
}
