//! What must be true of a network, checked over what its honest members report. Pure: no clock, no I/O.
//!
//! | rule | checked when |
//! |---|---|
//! | *Agreement*: at each height one ordered block, one Ethereum block, one state root | a member commits |
//! | *Chain*: a block names its parent by hash, and the ordered blocks behind both | a member commits |
//! | *Order*: a member commits every height once, in order | a member commits |
//! | *Durability*: what a member has committed is there after it lost power, but not its disk | a member starts |
//! | *Books*: every balance, the supply, nonces, tokens, receipts; see [`crate::books`] | a height is first committed |
//! | *Origin*: transactions in blocks are ones that clients signed and sent | a height is first committed |
//! | *Ordered blocks*: height, parent, time, commitment and body are as the protocol demands, and the Ethereum block is what is left of the body | its ordered block is seen |
//! | *Proof*: everybody can prove the newest blocks final to somebody who knows the committee alone | the end |
//! | *Trust*: no honest member has cut off another, or accuses it, one without its votes of before included | every step |
//! | *Progress*: after everything healed all members go on from the same chain, and all that can be paid for is in it | the end |

use std::collections::{BTreeMap, BTreeSet};

use alloy_eips::eip2718::Encodable2718;
use alloy_genesis::Genesis;
use alloy_primitives::{Address, B256, Bytes, keccak256};
use braid_chain::{consensus::order::digest_of, state::State};
use braid_types::{BlockRef, ExecutedBlock, Height};

use crate::books::{BookError, Books};

/// How far a leader's clock may be ahead of the true time when its block is voted for, and the true time ahead of the check.
const MAX_AHEAD_MS: u64 = 5_000;

/// A rule that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum Violation {
    #[error("height {height}: member {member} has block {found}, others have {expected}")]
    Agreement { height: Height, member: usize, found: B256, expected: B256 },
    #[error("height {height}: the block of member {member} does not stand on the one before it ({field})")]
    Chain { height: Height, member: usize, field: &'static str },
    #[error("member {member} committed height {found} after {before}")]
    Order { member: usize, found: Height, before: Height },
    #[error("member {member} had committed height {committed}, and came back with {found}")]
    Lost { member: usize, committed: Height, found: Height },
    #[error("height {height}: {error}")]
    Books {
        height: Height,
        #[source]
        error: BookError,
    },
    #[error("height {height} holds transaction {hash}, which no client sent")]
    Origin { height: Height, hash: B256 },
    #[error("height {height}: the ordered block is wrong: {reason}")]
    Ordered { height: Height, reason: String },
    #[error("honest member {from} has blocked honest member {to}")]
    Blocked { from: usize, to: usize },
    #[error("honest member {reporter} accuses honest member {accused:?}: {fault}")]
    Accused { reporter: usize, accused: Option<usize>, fault: String },
    #[error("member {member} took a transaction that is wrong in itself")]
    Admission { member: usize },
    #[error("member {member} does not start: {reason}")]
    Start { member: usize, reason: String },
    #[error("member {member} cannot prove height {height} final")]
    Unproved { member: usize, height: Height },
    #[error("nobody shows the ordered block at height {height}, which is committed")]
    NotShown { height: Height },
    #[error("{waited_ms} ms after everything healed member {member} is at height {found}, not at {expected}")]
    Progress { member: usize, waited_ms: u64, found: Height, expected: Height },
    #[error("{waited_ms} ms after everything healed {sender} has {found} transactions in the chain, not {expected}")]
    Starved { sender: Address, waited_ms: u64, found: u64, expected: u64 },
    #[error("{0}")]
    Broken(String),
}

/// An ordered block as a member shows it, in plain data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderedView {
    /// Its height.
    pub height: Height,
    /// Its digest.
    pub digest: B256,
    /// Its parent's digest; at height 1 whatever names the genesis.
    pub parent: B256,
    /// Its time stamp.
    pub timestamp_ms: u64,
    /// Who gets the fees.
    pub beneficiary: Address,
    /// The Ethereum block it commits to.
    pub execution: BlockRef,
    /// Its transactions, encoded.
    pub transactions: Vec<Bytes>,
}

/// A height that somebody has committed.
#[derive(Clone, Debug)]
struct Final {
    hash: B256,
    ordered: B256,
    beneficiary: Address,
    transactions: Vec<Bytes>,
    /// True time when it was first committed.
    at_ms: u64,
    /// Time stamp of the ordered block, once that was seen.
    timestamp_ms: Option<u64>,
}

/// See the [module](self).
#[derive(Debug)]
pub struct Auditor {
    /// By height, from genesis.
    chain: Vec<Final>,
    books: Books,
    /// Hashes of what clients have sent.
    sent: BTreeSet<B256>,
    /// Heights of the transactions in blocks, by their encoding.
    executed: BTreeMap<Bytes, Height>,
    /// Newest height that each member has committed.
    committed: BTreeMap<usize, Height>,
    execution_lag: u64,
    /// Who gets the fees of members' blocks, and whether the member is honest.
    beneficiaries: BTreeMap<Address, bool>,
}

impl Auditor {
    /// An auditor of a chain that begins with `genesis`, whose hash is `hash`.
    pub fn new(genesis: &Genesis, hash: B256, execution_lag: u64, beneficiaries: BTreeMap<Address, bool>) -> Self {
        let first = Final {
            hash,
            ordered: B256::ZERO,
            beneficiary: Address::ZERO,
            transactions: Vec::new(),
            at_ms: 0,
            timestamp_ms: Some(0),
        };
        Self {
            chain: vec![first],
            books: Books::new(genesis),
            sent: BTreeSet::new(),
            executed: BTreeMap::new(),
            committed: BTreeMap::new(),
            execution_lag,
            beneficiaries,
        }
    }

    /// A client sends a transaction.
    pub fn on_sent(&mut self, hash: B256) {
        self.sent.insert(hash);
    }

    /// A member has made a block durable and says so; `state` is the state after it, `now_ms` the true time.
    ///
    /// # Errors
    /// The rule that does not hold.
    pub fn on_commit(
        &mut self,
        member: usize,
        block: &ExecutedBlock,
        state: &State,
        now_ms: u64,
    ) -> Result<(), Violation> {
        let (height, before) = (block.height(), self.committed.get(&member).copied().unwrap_or_default());
        if height != before + 1 {
            return Err(Violation::Order { member, found: height, before });
        }
        self.see(member, block, state, now_ms)?;
        self.committed.insert(member, height);
        Ok(())
    }

    /// A member lost power while it made a block durable. Nobody was told, so the block may be lost; but it must be the right one.
    ///
    /// # Errors
    /// The rule that does not hold.
    pub fn on_interrupted(
        &mut self,
        member: usize,
        block: &ExecutedBlock,
        state: &State,
        now_ms: u64,
    ) -> Result<(), Violation> {
        self.see(member, block, state, now_ms)
    }

    /// A member starts on what its disk holds: `newest` is its newest durable block.
    ///
    /// # Errors
    /// If it has forgotten a block, or holds one that others do not.
    pub fn on_start(&mut self, member: usize, newest: BlockRef) -> Result<(), Violation> {
        let BlockRef { height, hash } = newest;
        let committed = self.committed.get(&member).copied().unwrap_or_default();
        if height < committed {
            return Err(Violation::Lost { member, committed, found: height });
        }
        let expected = self.at(height).map(|block| block.hash);
        if expected != Some(hash) {
            let expected = expected.unwrap_or_default();
            return Err(Violation::Agreement { height, member, found: hash, expected });
        }
        self.committed.insert(member, height);
        Ok(())
    }

    /// A member has lost its disk: it begins with the genesis.
    pub fn on_loss(&mut self, member: usize) {
        self.committed.remove(&member);
    }

    /// A member shows the ordered block at a height that is committed.
    ///
    /// # Errors
    /// The rule that does not hold.
    pub fn on_ordered(&mut self, ordered: &OrderedView) -> Result<(), Violation> {
        let height = ordered.height;
        let wrong = |reason: String| Violation::Ordered { height, reason };
        let Some(at) = self.at(height) else { return Err(wrong("nobody has committed this height".to_owned())) };
        let before = height.checked_sub(1).and_then(|height| self.at(height));
        let before = before.ok_or_else(|| wrong("genesis is not ordered".to_owned()))?;
        let committed = self.at(height.saturating_sub(self.execution_lag)).map(|block| block.hash);
        let expected = BlockRef {
            height: height.saturating_sub(self.execution_lag),
            hash: committed.ok_or_else(|| wrong("nothing is known of the height it commits to".to_owned()))?,
        };
        let rules = [
            ("digest", ordered.digest == at.ordered),
            ("parent", height == 1 || ordered.parent == before.ordered),
            ("execution commitment", ordered.execution == expected),
            ("beneficiary", ordered.beneficiary == at.beneficiary && self.beneficiaries.contains_key(&at.beneficiary)),
            ("time stamp before the parent's", before.timestamp_ms.is_none_or(|before| ordered.timestamp_ms >= before)),
            ("time stamp in the future", ordered.timestamp_ms <= at.at_ms + MAX_AHEAD_MS),
        ];
        if let Some((field, _)) = rules.into_iter().find(|(_, holds)| !holds) {
            return Err(wrong(format!("{field} ({ordered:?}, expected {expected:?})")));
        }
        check_body(ordered, &at.transactions).map_err(wrong)?;
        let is_old = |transaction: &Bytes| self.executed.get(transaction).is_some_and(|executed| *executed < height);
        if self.beneficiaries.get(&at.beneficiary) == Some(&true) && ordered.transactions.iter().any(is_old) {
            return Err(wrong("an honest leader proposed a transaction that stands in an earlier block".to_owned()));
        }
        let timestamp_ms = ordered.timestamp_ms;
        if let Some(at) = self.at_mut(height) {
            at.timestamp_ms = Some(timestamp_ms);
        }
        Ok(())
    }

    /// Greatest height that anybody has committed.
    pub fn height(&self) -> Height {
        self.chain.len() as u64 - 1
    }

    /// Greatest height that a member has committed.
    pub fn height_of(&self, member: usize) -> Height {
        self.committed.get(&member).copied().unwrap_or_default()
    }

    /// Digest of the ordered block at a height that is committed.
    pub fn ordered_digest(&self, height: Height) -> Option<B256> {
        self.at(height).map(|block| block.ordered)
    }

    /// Transactions in all blocks.
    pub fn transactions(&self) -> u64 {
        self.executed.len() as u64
    }

    /// One hash over everything that was agreed on.
    pub fn digest(&self) -> B256 {
        let words: Vec<u8> = self.chain.iter().flat_map(|block| [block.ordered, block.hash]).flatten().collect();
        keccak256(words)
    }

    /// A block that a member has: checked in itself if the height is new, else compared with what others have.
    fn see(&mut self, member: usize, block: &ExecutedBlock, state: &State, now_ms: u64) -> Result<(), Violation> {
        let height = block.height();
        if let Some(known) = self.at(height) {
            return if known.hash == block.hash {
                Ok(())
            } else {
                Err(Violation::Agreement { height, member, found: block.hash, expected: known.hash })
            };
        }
        let header = &block.block.header;
        let ordered = digest_of(header).ok_or(Violation::Chain { height, member, field: "extraData" })?;
        let rules = match self.chain.last() {
            Some(parent) => [
                ("parentHash", header.parent_hash == parent.hash),
                ("parentBeaconBlockRoot", header.parent_beacon_block_root == Some(parent.ordered) || height == 1),
                ("number", height == self.chain.len() as u64),
                ("stateRoot", header.state_root == state.root()),
            ],
            None => [("genesis", false); 4],
        };
        if let Some((field, _)) = rules.into_iter().find(|(_, holds)| !holds) {
            return Err(Violation::Chain { height, member, field });
        }
        self.books.enter(block, state).map_err(|error| Violation::Books { height, error })?;
        let hashes = block.block.transactions.iter().map(|transaction| *transaction.tx_hash());
        if let Some(hash) = hashes.into_iter().find(|hash| !self.sent.contains(hash)) {
            return Err(Violation::Origin { height, hash });
        }
        let encoded = block.block.transactions.iter().map(|transaction| Bytes::from(transaction.encoded_2718()));
        let transactions: Vec<Bytes> = encoded.collect();
        self.executed.extend(transactions.iter().map(|transaction| (transaction.clone(), height)));
        self.chain.push(Final {
            hash: block.hash,
            ordered,
            beneficiary: header.beneficiary,
            transactions,
            at_ms: now_ms,
            timestamp_ms: None,
        });
        Ok(())
    }

    fn at(&self, height: Height) -> Option<&Final> {
        self.chain.get(usize::try_from(height).ok()?)
    }

    fn at_mut(&mut self, height: Height) -> Option<&mut Final> {
        self.chain.get_mut(usize::try_from(height).ok()?)
    }
}

/// Checks that what was executed is a part of what was ordered, in its order, and that what was ordered is something honest members
/// vote for: every transaction decodes, is signed, and stands there once.
fn check_body(ordered: &OrderedView, executed: &[Bytes]) -> Result<(), String> {
    let mut rest = ordered.transactions.iter();
    if let Some(missing) = executed.iter().find(|transaction| !rest.any(|candidate| candidate == *transaction)) {
        return Err(format!("transaction {} was executed in another order than agreed on", keccak256(missing)));
    }
    let mut seen = BTreeSet::new();
    for (index, encoded) in ordered.transactions.iter().enumerate() {
        check_transaction(encoded).map_err(|reason| format!("transaction {index} {reason}"))?;
        if !seen.insert(encoded) {
            return Err(format!("transaction {index} is there twice"));
        }
    }
    Ok(())
}

fn check_transaction(encoded: &[u8]) -> Result<(), String> {
    use alloy_consensus::{Transaction as _, transaction::SignerRecoverable};
    use alloy_eips::eip2718::Decodable2718;
    let transaction =
        braid_types::Transaction::decode_2718_exact(encoded).map_err(|error| format!("is malformed: {error}"))?;
    transaction.recover_signer().map_err(|error| format!("is not signed: {error}"))?;
    match transaction.chain_id() {
        Some(crate::world::CHAIN_ID) => Ok(()),
        other => Err(format!("is for chain {other:?}")),
    }
}
