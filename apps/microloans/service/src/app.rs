//! What every part of the service has at hand.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::AtomicU64},
};

use braid_microloans_ledger::{Actor, Ledger, LedgerError, Write, product::Catalogue, store::Read};
use braid_microloans_rails::{MobileMoney, SimSwaps};

use crate::{
    Clock,
    auth::Callers,
    chain::ChainLink,
    config::{UssdConfig, WorkerConfig},
    hashing::Hashing,
    messages::Post,
    worker::Watch,
};

/// The rails by their names.
pub type Rails = BTreeMap<String, Arc<dyn MobileMoney>>;

/// An operator who tells when a number was given another SIM.
#[derive(Debug)]
pub struct SimCheck {
    /// Who is asked.
    pub operator: SimSwaps,
    /// Nothing is paid out for so many days after another SIM, until two people have decided.
    pub days: u32,
}

/// What every part of the service has at hand.
#[derive(Clone, Debug)]
pub struct App {
    /// The books.
    pub ledger: Ledger,
    /// What is offered.
    pub catalogue: Arc<Catalogue>,
    /// Mobile money.
    pub rails: Arc<Rails>,
    /// Operators who tell of SIMs, by the rails whose numbers are theirs.
    pub sims: Arc<BTreeMap<String, SimCheck>>,
    /// Text messages to borrowers, if they are sent.
    pub post: Option<Arc<Post>>,
    /// Who may ask.
    pub callers: Arc<Callers>,
    /// The time.
    pub clock: Clock,
    /// Where providers reach this service.
    pub callback_base: Arc<str>,
    /// The menus of any telephone, if they are served.
    pub ussd: Option<UssdConfig>,
    /// How the worker works.
    pub worker: WorkerConfig,
    /// Whether accepted loans are paid out without a command.
    pub straight_through: bool,
    /// Where PINs and passwords are hashed.
    pub hashing: Hashing,
    /// Who is told of every step of the worker.
    pub watch: Watch,
    /// What happened since the start, for the metrics.
    pub counts: Arc<Counts>,
    /// The chain that is told what happens to loans, if one is.
    pub chain: Option<Arc<ChainLink>>,
}

/// What happened since the start.
#[derive(Debug, Default)]
pub struct Counts {
    /// Requests that were answered.
    pub requests: AtomicU64,
    /// Callbacks that were read.
    pub callbacks: AtomicU64,
    /// Callbacks that were refused.
    pub callbacks_refused: AtomicU64,
    /// Rounds of the worker that failed.
    pub failures: AtomicU64,
}

impl App {
    /// Begins a write now.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn write(&self, by: Actor) -> Result<Write, LedgerError> {
        // The time is taken once the lock is held, so that it does not run backwards from one write to the next.
        let mut write = self.ledger.write(self.clock.now(), by).await?;
        write.at = self.clock.now();
        Ok(write)
    }

    /// Begins to read.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn read(&self) -> Result<Read, LedgerError> {
        self.ledger.read().await
    }

    /// A rail.
    ///
    /// # Errors
    /// If there is none of this name.
    pub fn rail(&self, name: &str) -> Result<&Arc<dyn MobileMoney>, LedgerError> {
        let shortened = || name.chars().take(40).collect();
        self.rails.get(name).ok_or_else(|| LedgerError::NotFound("rail", shortened()))
    }
}
