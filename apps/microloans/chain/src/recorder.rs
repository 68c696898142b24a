//! Tells facts and anchors, each once, however often it is asked to.
//!
//! Before sending, the contract is asked whether it knows the number already; then the call is tried, so that a refusal costs nothing and
//! has its reason. A transaction that an earlier run has sent and that waits for a block is overtaken by one with the next nonce: when
//! both come, the contract ignores the second.

use std::time::Duration;

use alloy_consensus::{SignableTransaction as _, TxEip1559, TxEnvelope};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, Uint, keccak256};
use alloy_signer::SignerSync as _;
use alloy_signer_local::PrivateKeySigner;
use alloy_sol_types::{SolCall as _, SolInterface as _};
use tokio::{
    sync::Mutex,
    time::{Instant, sleep},
};

use crate::{
    ChainError,
    contracts::{JournalAnchor, Loan, LoanBook, RoleGate},
    fact::{Fact, LoanId, Sequence},
    rpc::{Node, Outcome},
};

/// Longest that a transaction is waited for. After that it may still come; asking again finds it.
const PATIENCE: Duration = Duration::from_secs(90);

/// Between two looks for a receipt.
const MAX_PAUSE: Duration = Duration::from_millis(200);
/// The first of these pauses; each is twice the one before. A chain for development makes a block at once.
const MIN_PAUSE: Duration = Duration::from_millis(5);

/// Tip, in wei per gas.
const TIP: u128 = 1_000_000_000;

/// How far the base fee may rise while a transaction waits.
const BASE_FEE_FACTOR: u128 = 2;

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// This run has told it.
    Now {
        /// By which transaction.
        transaction: B256,
    },
    /// It had been told before, word for word.
    Before,
}

/// A day of the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// The day, in days since 1970.
    pub day: u32,
    /// The Merkle root over its entries.
    pub root: B256,
    /// Its first entry's number, from 1.
    pub first_entry: u64,
    /// Its last entry's number.
    pub last_entry: u64,
}

/// Tells a chain what happened, with one key. Its calls wait for each other.
#[derive(Debug)]
pub struct Recorder {
    node: Node,
    chain_id: u64,
    signer: PrivateKeySigner,
    book: Address,
    journal: Address,
    sending: Mutex<()>,
}

impl Recorder {
    /// A recorder for a loan book and a journal's anchors.
    ///
    /// # Errors
    /// If the node does not answer, or the key is none.
    pub async fn new(node: Node, key: B256, book: Address, journal: Address) -> Result<Self, ChainError> {
        let signer = PrivateKeySigner::from_bytes(&key).map_err(alloy_signer::Error::other);
        let signer = signer.map_err(ChainError::Signing)?;
        let chain_id = node.chain_id().await?;
        Ok(Self { node, chain_id, signer, book, journal, sending: Mutex::new(()) })
    }

    /// Who tells.
    #[must_use]
    pub fn address(&self) -> Address {
        self.signer.address()
    }

    /// Tells a fact, unless it has been told.
    ///
    /// # Errors
    /// If something else was told under its number, a number before it is missing, the contract refuses, or the node does not answer in
    /// time ([`ChainError::is_passing`]).
    pub async fn record(&self, loan: LoanId, sequence: Sequence, fact: &Fact) -> Result<Recorded, ChainError> {
        self.record_call(loan, sequence, &fact.call(loan, sequence)).await
    }

    /// The same of a fact that was written down as its call ([`Fact::call`]). What waits for a delay on the chain is announced there, and
    /// told when it has passed.
    ///
    /// # Errors
    /// As [`Self::record`]; [`ChainError::Announced`] while the delay runs.
    pub async fn record_call(&self, loan: LoanId, sequence: Sequence, call: &Bytes) -> Result<Recorded, ChainError> {
        let _turn = self.sending.lock().await;
        if self.is_told(loan, sequence, call).await? {
            return Ok(Recorded::Before);
        }
        match self.send(self.book, call, |reason| explain_book(loan, reason)).await {
            Ok(transaction) => Ok(Recorded::Now { transaction }),
            Err(ChainError::ToAnnounce) => self.announce(call).await,
            Err(error) => Err(error),
        }
    }

    /// Announces a call that its role makes only after a delay.
    async fn announce(&self, call: &Bytes) -> Result<Recorded, ChainError> {
        let gate = self.node.question(self.book, &LoanBook::authorityCall {}).await?;
        let schedule = RoleGate::scheduleCall { target: self.book, data: call.clone(), when: Uint::ZERO };
        let refused = |reason: &Bytes| ChainError::Refused(reason.to_string());
        self.send(gate, &schedule.abi_encode().into(), refused).await?;
        Err(ChainError::Announced)
    }

    /// Sends any other call, such as an allowance, and waits until it is in a block.
    ///
    /// # Errors
    /// If the contract refuses, or the node does not answer in time.
    pub async fn transact(&self, to: Address, call: &Bytes) -> Result<B256, ChainError> {
        let _turn = self.sending.lock().await;
        self.send(to, call, |reason| ChainError::Refused(reason.to_string())).await
    }

    async fn is_told(&self, loan: LoanId, sequence: Sequence, call: &Bytes) -> Result<bool, ChainError> {
        let told = self.node.question(self.book, &LoanBook::factOfCall { loan, sequence }).await?;
        if told == keccak256(call) {
            return Ok(true);
        }
        if !told.is_zero() {
            return Err(ChainError::Contradiction { loan, sequence });
        }
        let last = self.loan(loan).await?.sequence;
        if last.checked_add(1) != Some(sequence) {
            return Err(ChainError::Gap { loan, last, given: sequence });
        }
        Ok(false)
    }

    /// What the chain knows of a loan.
    ///
    /// # Errors
    /// If the node does not answer.
    pub async fn loan(&self, loan: LoanId) -> Result<Loan, ChainError> {
        self.node.question(self.book, &LoanBook::loanOfCall { loan }).await
    }

    /// Anchors a day, unless it is anchored.
    ///
    /// # Errors
    /// If it is anchored with other contents, the contract refuses, or the node does not answer in time.
    pub async fn anchor(&self, anchor: Anchor) -> Result<Recorded, ChainError> {
        let Anchor { day, root, first_entry, last_entry } = anchor;
        let _turn = self.sending.lock().await;
        let told = self.node.question(self.journal, &JournalAnchor::sealOfCall { day }).await?;
        if (told.root, told.firstEntry, told.lastEntry) == (root, first_entry, last_entry) {
            return Ok(Recorded::Before);
        }
        if !told.root.is_zero() {
            return Err(ChainError::AnchoredOtherwise(day));
        }
        let call = JournalAnchor::anchorCall { day, root, firstEntry: first_entry, lastEntry: last_entry };
        let transaction = self.send(self.journal, &call.abi_encode().into(), explain_journal).await?;
        Ok(Recorded::Now { transaction })
    }

    /// Tries a call, sends it, and waits until it is in a block.
    async fn send(
        &self,
        to: Address,
        data: &Bytes,
        explain: impl Fn(&Bytes) -> ChainError,
    ) -> Result<B256, ChainError> {
        let from = self.address();
        if let Outcome::Reverted(reason) = self.node.try_call(Some(from), to, data).await? {
            return Err(explain(&reason));
        }
        let used = self.node.gas(from, Some(to), data).await?;
        let transaction = TxEip1559 {
            chain_id: self.chain_id,
            nonce: self.node.nonce(from).await?,
            // Half as much again: what others do meanwhile may make it dearer.
            gas_limit: used + used / 2,
            max_fee_per_gas: self.node.base_fee().await? * BASE_FEE_FACTOR + TIP,
            max_priority_fee_per_gas: TIP,
            to: TxKind::Call(to),
            value: U256::ZERO,
            access_list: Default::default(),
            input: data.clone(),
        };
        let hash = self.node.send(&self.sign(transaction)?).await?;
        match self.included(hash).await? {
            true => Ok(hash),
            // Something came between: say what, if it still is so.
            false => match self.node.try_call(Some(from), to, data).await? {
                Outcome::Reverted(reason) => Err(explain(&reason)),
                Outcome::Returned(_) => Err(ChainError::Pending(hash)),
            },
        }
    }

    fn sign(&self, transaction: TxEip1559) -> Result<Bytes, ChainError> {
        let signature = self.signer.sign_hash_sync(&transaction.signature_hash()).map_err(ChainError::Signing)?;
        Ok(TxEnvelope::from(transaction.into_signed(signature)).encoded_2718().into())
    }

    /// Whether it succeeded, once it is in a block.
    async fn included(&self, hash: B256) -> Result<bool, ChainError> {
        let (deadline, mut pause) = (Instant::now() + PATIENCE, MIN_PAUSE);
        while Instant::now() < deadline {
            if let Some(succeeded) = self.node.succeeded(hash).await? {
                return Ok(succeeded);
            }
            sleep(pause).await;
            pause = (pause * 2).min(MAX_PAUSE);
        }
        Err(ChainError::Pending(hash))
    }
}

fn explain_book(loan: LoanId, reason: &Bytes) -> ChainError {
    use LoanBook::LoanBookErrors as Reason;
    match Reason::abi_decode(reason) {
        Ok(Reason::Contradiction(told)) => ChainError::Contradiction { loan, sequence: told.sequence },
        Ok(Reason::AccessManagerNotScheduled(_) | Reason::AccessManagerExpired(_)) => ChainError::ToAnnounce,
        Ok(Reason::AccessManagerNotReady(_)) => ChainError::Announced,
        Ok(Reason::SequenceGap(gap)) => ChainError::Gap { loan, last: gap.last, given: gap.given },
        Ok(other) => ChainError::Refused(format!("{other:?}")),
        Err(_) => ChainError::Refused(reason.to_string()),
    }
}

fn explain_journal(reason: &Bytes) -> ChainError {
    let known = JournalAnchor::JournalAnchorErrors::abi_decode(reason);
    ChainError::Refused(known.map_or_else(|_| reason.to_string(), |error| format!("{error:?}")))
}
