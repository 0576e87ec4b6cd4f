//! Reading from disk, once for all who wait for the same thing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, watch};
use tonic::Status;

use super::refusals;
use crate::serve::errors;

/// What is being read, by what it is; whoever asks for one of them waits for the reading that runs.
pub(super) struct Loads<K, T> {
    running: Arc<Running<K, T>>,
}

type Running<K, T> = Mutex<BTreeMap<K, watch::Receiver<Outcome<T>>>>;

/// `None` until it is there.
type Outcome<T> = Option<Result<T, Status>>;

impl<K, T> Default for Loads<K, T> {
    fn default() -> Self {
        Self { running: Arc::default() }
    }
}

fn locked<K, T>(running: &Running<K, T>) -> MutexGuard<'_, BTreeMap<K, watch::Receiver<Outcome<T>>>> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<K, T> Loads<K, T>
where
    K: Ord + Clone + Send + Sync + 'static,
    T: Clone + Send + Sync + 'static,
{
    /// The thing of a key: what `held` says is in memory, what another call is reading already, or what `read` brings.
    /// A caller who leaves ends no reading that others wait for.
    ///
    /// # Errors
    /// What `read` says; RESOURCE_EXHAUSTED where as many different things are being read as may.
    pub(super) async fn get(
        &self,
        key: K,
        seats: &Arc<Semaphore>,
        held: impl Fn() -> Option<T>,
        read: impl FnOnce() -> Result<T, Status> + Send + 'static,
    ) -> Result<T, Status> {
        let mut outcome = {
            let mut running = locked(&self.running);
            // A reading that ended since the caller looked is in memory now.
            if let Some(found) = held() {
                return Ok(found);
            }
            match running.get(&key) {
                Some(outcome) => outcome.clone(),
                None => {
                    let seat = seats.clone().try_acquire_owned();
                    let seat = seat.map_err(|_| refusals::busy("closes are being read from disk"))?;
                    let (sender, receiver) = watch::channel(None);
                    running.insert(key.clone(), receiver.clone());
                    let entry = Entry { running: Arc::clone(&self.running), key };
                    tokio::task::spawn_blocking(move || {
                        // Also where reading meets a fault of the program, so that the next caller begins anew.
                        let _entry = entry;
                        let _seat = seat;
                        sender.send_replace(Some(read()));
                    });
                    receiver
                }
            }
        };
        let ended = outcome.wait_for(Option::is_some).await;
        let found = ended.ok().and_then(|found| found.clone());
        found.unwrap_or_else(|| Err(errors::internal("reading a close", &"the reading ended without an outcome")))
    }
}

/// A reading that runs, until it is dropped.
struct Entry<K: Ord, T> {
    running: Arc<Running<K, T>>,
    key: K,
}

impl<K: Ord, T> Drop for Entry<K, T> {
    fn drop(&mut self) {
        locked(&self.running).remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::mpsc;

    use tokio::sync::Semaphore;
    use tonic::Code;

    use super::Loads;

    #[tokio::test]
    async fn one_reading_serves_all_who_wait_and_seats_bound_different_ones() {
        let loads: Arc<Loads<u32, u32>> = Arc::default();
        let seats = Arc::new(Semaphore::new(1));
        let readings = Arc::new(AtomicU32::new(0));
        let (go, wait) = mpsc::channel::<()>();
        let mut wait = Some(wait);
        let mut waiting = Vec::new();
        for _ in 0..100 {
            let (loads, seats, readings) = (loads.clone(), seats.clone(), readings.clone());
            // Only the first who asks reads; the others' receivers are never touched.
            let wait = wait.take();
            let read = move || {
                readings.fetch_add(1, Ordering::Relaxed);
                wait.unwrap().recv().unwrap();
                Ok(7)
            };
            waiting.push(tokio::spawn(async move { loads.get(1, &seats, || None, read).await }));
            tokio::task::yield_now().await;
        }
        let other = loads.get(2, &seats, || None, || Ok(8)).await.unwrap_err();
        assert_eq!(other.code(), Code::ResourceExhausted);
        go.send(()).unwrap();
        for one in waiting {
            assert_eq!(one.await.unwrap().unwrap(), 7);
        }
        assert_eq!(readings.load(Ordering::Relaxed), 1);
        // Nothing stays behind, and a reading that panics leaves room for the next.
        let fault = loads.get(1, &seats, || None, || panic!("a fault")).await.unwrap_err();
        assert_eq!(fault.code(), Code::Internal);
        while seats.available_permits() == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(loads.get(1, &seats, || None, || Ok(9)).await.unwrap(), 9);
        assert_eq!(loads.get(1, &seats, || Some(10), || Ok(9)).await.unwrap(), 10);
    }
}
