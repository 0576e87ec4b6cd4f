//! The end of the service, told to everything that would otherwise run on.

use tokio::sync::watch;

/// Begins the end; once and for all.
#[derive(Debug)]
pub(crate) struct DrainSwitch(watch::Sender<bool>);

/// Learns of the end.
#[derive(Clone, Debug)]
pub(crate) struct Drain(watch::Receiver<bool>);

impl DrainSwitch {
    pub(crate) fn new() -> (Self, Drain) {
        let (sender, receiver) = watch::channel(false);
        (Self(sender), Drain(receiver))
    }

    /// Tells everybody.
    pub(crate) fn begin(&self) {
        self.0.send_replace(true);
    }
}

impl Drain {
    /// Waits for the end; returns at once where it has begun.
    pub(crate) async fn begun(&mut self) {
        // A switch that is gone is an end as well.
        let _ = self.0.wait_for(|begun| *begun).await;
    }

    /// Whether the end has begun.
    pub(crate) fn has_begun(&self) -> bool {
        *self.0.borrow()
    }
}
