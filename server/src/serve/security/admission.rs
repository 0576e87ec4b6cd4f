//! How many calls run at once, so that memory is bounded and a greedy caller cannot keep others out.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tonic::Status;

use crate::serve::config::Limits;
use crate::serve::errors;

/// After this time a refused call may be tried again.
const RETRY: Duration = Duration::from_millis(250);

/// One accepted connection.
#[derive(Debug)]
pub(crate) struct Connection {
    /// Where it comes from.
    pub(crate) peer: SocketAddr,
    /// SHA-256 of the client's certificate, where one was shown and believed.
    pub(crate) certificate: Option<[u8; 32]>,
    running: AtomicU32,
}

impl Connection {
    pub(crate) fn new(peer: SocketAddr, certificate: Option<[u8; 32]>) -> Self {
        Self { peer, certificate, running: AtomicU32::new(0) }
    }
}

/// Admits calls.
#[derive(Debug)]
pub(crate) struct Admission {
    calls_max: u32,
    calls_per_connection_max: u32,
    running: AtomicU32,
}

/// A call that was admitted, until it is dropped.
#[derive(Debug)]
pub(crate) struct Admitted {
    admission: Arc<Admission>,
    connection: Arc<Connection>,
}

impl Admission {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            calls_max: limits.calls_max,
            calls_per_connection_max: limits.calls_per_connection_max,
            running: AtomicU32::new(0),
        }
    }

    /// Admits a call. A connection always has its first call: connections are bounded themselves, so that calls in all
    /// are at most `calls_max` and one for each connection.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED with a time to retry after.
    pub(crate) fn admit(self: &Arc<Self>, connection: &Arc<Connection>) -> Result<Admitted, Status> {
        let own = connection.running.fetch_add(1, Ordering::AcqRel);
        let all = self.running.fetch_add(1, Ordering::AcqRel);
        let admitted = Admitted { admission: Arc::clone(self), connection: Arc::clone(connection) };
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
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.connection.running.fetch_sub(1, Ordering::AcqRel);
        self.admission.running.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Admission, Connection};

    #[test]
    fn a_greedy_connection_is_held_and_a_quiet_one_is_served() {
        let admission = Arc::new(Admission { calls_max: 4, calls_per_connection_max: 3, running: 0.into() });
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
