//! How many transactions may be on their way into the pool at a time.
//!
//! Checking a transaction costs a node far more than sending it costs a client. Who sends more than can be checked in about a
//! second is told so at once (JSON-RPC), or read no further (binary ingest): memory stays bounded, and an answer stays quick.

use std::sync::Arc;

use braid_chain::Queue;
use braid_types::limits::MAX_ADMISSION_TRANSACTIONS;
use parking_lot::{Condvar, Mutex};

use crate::error::{LIMIT_EXCEEDED, RpcError};

/// The way into the pool.
#[derive(Debug, Default)]
pub struct Admission {
    within: Mutex<usize>,
    left: Condvar,
}

/// Transactions on their way in, until it is dropped.
#[derive(Debug)]
pub struct Place {
    admission: Arc<Admission>,
    count: usize,
}

impl Admission {
    /// Lets `count` transactions in.
    ///
    /// # Errors
    /// If so many are on their way already that they have to come again later.
    pub fn try_enter(self: &Arc<Self>, count: usize) -> Result<Place, RpcError> {
        let mut within = self.within.lock();
        if !has_room(*within, count) {
            let message = format!(
                "node is busy: {within} transactions are being checked, at most {MAX_ADMISSION_TRANSACTIONS} may; send it again"
            );
            return Err(RpcError::new(LIMIT_EXCEEDED, message));
        }
        *within += count;
        Ok(Place { admission: Arc::clone(self), count })
    }

    /// Lets `count` transactions in as soon as there is room. Blocks.
    pub fn enter(self: &Arc<Self>, count: usize) -> Place {
        let mut within = self.within.lock();
        self.left.wait_while(&mut within, |within| !has_room(*within, count));
        *within += count;
        Place { admission: Arc::clone(self), count }
    }

    /// Transactions on their way in, and how many may be.
    pub fn queue(&self) -> Queue {
        Queue { depth: *self.within.lock() as u64, limit: MAX_ADMISSION_TRANSACTIONS as u64 }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        *self.admission.within.lock() -= self.count;
        self.admission.left.notify_all();
    }
}

/// What comes alone is let in however large it is, else it never would be.
const fn has_room(within: usize, count: usize) -> bool {
    within == 0 || within.saturating_add(count) <= MAX_ADMISSION_TRANSACTIONS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_until_others_have_left() {
        let admission = Arc::new(Admission::default());
        let first = admission.try_enter(MAX_ADMISSION_TRANSACTIONS - 1).unwrap();
        let second = admission.try_enter(1).unwrap();
        let refused = admission.try_enter(1).unwrap_err();
        assert_eq!(refused.code, LIMIT_EXCEEDED);
        assert!(refused.message.contains("node is busy"), "{refused}");
        drop(first);
        assert_eq!(admission.queue().depth, 1);
        admission.try_enter(1).unwrap();
        drop(second);
        assert_eq!(admission.queue().depth, 0);
    }

    #[test]
    fn a_batch_beyond_the_limit_enters_alone() {
        let admission = Arc::new(Admission::default());
        let large = admission.try_enter(2 * MAX_ADMISSION_TRANSACTIONS).unwrap();
        admission.try_enter(1).unwrap_err();
        drop(large);
    }

    #[test]
    fn who_waits_enters_when_there_is_room() {
        let admission = Arc::new(Admission::default());
        let first = admission.enter(MAX_ADMISSION_TRANSACTIONS);
        let waiting = Arc::clone(&admission);
        let thread = std::thread::spawn(move || drop(waiting.enter(5)));
        drop(first);
        thread.join().unwrap();
        assert_eq!(admission.queue().depth, 0);
    }
}
