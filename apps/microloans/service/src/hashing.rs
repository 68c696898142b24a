//! Where PINs and passwords are hashed: a queue of its own, with an end.
//!
//! Argon2id fills megabytes and a processor for milliseconds. Without a queue, many at once would take every processor from replies that need none of it; with
//! one that never ends, the last in it would wait longer than a telephone does. So half of the processors hash, [`limits::HASHES_WAITING`] more may wait, and who comes
//! after them is told at once that it does not work now.

use std::{num::NonZero, sync::Arc};

use braid_microloans_ledger::LedgerError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits;

/// The queue.
#[derive(Clone, Debug)]
pub struct Hashing {
    /// One permit for everybody in it, whether waiting or being served.
    places: Arc<Semaphore>,
    /// One for each hash that is being calculated.
    running: Arc<Semaphore>,
}

/// A place in the queue.
#[derive(Debug)]
pub struct Place {
    running: Arc<Semaphore>,
    _place: OwnedSemaphorePermit,
}

impl Default for Hashing {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self::new((processors / 2).max(1), limits::HASHES_WAITING)
    }
}

impl Hashing {
    /// A queue in which so many are served at the same time, and so many wait.
    #[must_use]
    pub fn new(running: usize, waiting: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(running + waiting)), running: Arc::new(Semaphore::new(running)) }
    }

    /// A place in the queue, to be taken before anything is counted that only the hash can answer.
    ///
    /// # Errors
    /// If the queue is full.
    pub fn place(&self) -> Result<Place, LedgerError> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| LedgerError::Busy)?;
        Ok(Place { running: Arc::clone(&self.running), _place: place })
    }
}

impl Place {
    /// Calculates, when it is its turn, on a thread that nobody else waits for.
    ///
    /// # Errors
    /// If the calculation was cut off.
    pub async fn run<T: Send + 'static>(self, hash: impl FnOnce() -> T + Send + 'static) -> Result<T, LedgerError> {
        let turn = Arc::clone(&self.running).acquire_owned().await.map_err(|_| LedgerError::PinHash)?;
        // The place and the turn last as long as the calculation, even if whoever asked for it has gone.
        let task = tokio::task::spawn_blocking(move || {
            let hashed = hash();
            drop((turn, self));
            hashed
        });
        task.await.map_err(|_| LedgerError::PinHash)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn the_queue_has_an_end_and_goes_on() {
        let hashing = Hashing::new(1, 1);
        let (release, held) = mpsc::channel::<()>();
        let first = tokio::spawn(hashing.place().unwrap().run(move || held.recv().is_ok()));
        let second = tokio::spawn(hashing.place().unwrap().run(|| 2));
        assert!(matches!(hashing.place(), Err(LedgerError::Busy)));
        assert!(!second.is_finished());
        release.send(()).unwrap();
        assert!(first.await.unwrap().unwrap());
        assert_eq!(second.await.unwrap().unwrap(), 2);
        assert_eq!(hashing.place().unwrap().run(|| 3).await.unwrap(), 3);
    }

    #[tokio::test]
    async fn who_leaves_does_not_make_room_before_the_work_is_done() {
        let hashing = Hashing::new(1, 0);
        let (release, held) = mpsc::channel::<()>();
        let (started, is_started) = mpsc::channel();
        let asked = tokio::spawn(hashing.place().unwrap().run(move || {
            started.send(()).unwrap();
            held.recv().is_ok()
        }));
        tokio::task::spawn_blocking(move || is_started.recv().unwrap()).await.unwrap();
        asked.abort();
        assert!(asked.await.is_err());
        assert!(matches!(hashing.place(), Err(LedgerError::Busy)));
        release.send(()).unwrap();
        while hashing.place().is_err() {
            tokio::task::yield_now().await;
        }
    }
}
