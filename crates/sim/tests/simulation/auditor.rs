//! The auditor: what it must notice, and what it must not.

use std::{num::NonZeroUsize, sync::Arc};

use braid_chain::{Chain, ChainOptions, Ledger};
use braid_pool::PoolConfig;
use braid_types::{BlockRef, ExecutedBlock, OrderedBlock, RecoveredTx};
use tempfile::TempDir;

use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{B256, Bytes, U256};
use braid_chain::state::State;
use braid_sim::{
    auditor::{Auditor, OrderedView, Violation},
    books::BookError,
    disk::store_options,
    plan::Plan,
    random::Random,
    workload::{Expected, Workload},
    world::{EXECUTION_LAG, Keys, fee_recipient, genesis},
};

/// A member's chain, and an auditor that has heard of nothing yet.
struct Chains {
    ledger: Ledger,
    auditor: Auditor,
    genesis: B256,
    _directory: TempDir,
}

fn chains() -> Chains {
    let directory = TempDir::new().unwrap();
    let genesis = genesis(&Keys::of(&Plan::new(1, 1)).consensus_config());
    let options = ChainOptions {
        genesis: genesis.clone(),
        directory: directory.path().to_owned(),
        store: store_options(),
        pool: PoolConfig::default(),
        threads: NonZeroUsize::MIN,
        is_dev: false,
    };
    let ledger = Ledger::new(Arc::new(Chain::open(options).unwrap())).unwrap();
    let beneficiaries = (0..4).map(|member| (fee_recipient(member), true)).collect();
    let auditor = Auditor::new(&genesis, ledger.durable().hash, EXECUTION_LAG, beneficiaries);
    Chains { genesis: ledger.durable().hash, ledger, auditor, _directory: directory }
}

/// What clients send that is right in itself.
fn transactions(seed: u64) -> Vec<RecoveredTx> {
    let mut workload = Workload::new(Random::new(seed));
    let sent = (0..4).flat_map(|_| workload.step(10)).collect::<Vec<_>>().into_iter();
    sent.filter(|submission| submission.expected == Expected::Anything).map(|it| it.transaction).collect()
}

fn digest(height: u64) -> B256 {
    B256::from(U256::from(0x0dd0_0000 + height))
}

impl Chains {
    /// Commits the next ordered block.
    fn next(&self, transactions: Vec<RecoveredTx>) -> (Arc<ExecutedBlock>, State) {
        let durable = self.ledger.durable();
        let height = durable.height + 1;
        let ordered = OrderedBlock {
            height,
            digest: digest(height),
            parent: durable.digest,
            timestamp_ms: height,
            beneficiary: fee_recipient(1),
            transactions,
        };
        let block = self.ledger.commit(&ordered).unwrap();
        (block, self.ledger.chain().head().state.clone())
    }

    fn commit(&mut self, member: usize, transactions: &[RecoveredTx]) -> Result<(), Violation> {
        transactions.iter().for_each(|transaction| self.auditor.on_sent(*transaction.tx_hash()));
        let (block, state) = self.next(transactions.to_vec());
        self.auditor.on_commit(member, &block, &state, 1_000)
    }

    /// The ordered block at height 1, as a member would show it.
    fn view(&self, transactions: &[RecoveredTx]) -> OrderedView {
        OrderedView {
            height: 1,
            digest: digest(1),
            parent: B256::ZERO,
            timestamp_ms: 1,
            beneficiary: fee_recipient(1),
            execution: BlockRef { height: 0, hash: self.genesis },
            transactions: transactions.iter().map(|it| it.encoded_2718().into()).collect(),
        }
    }
}

#[test]
fn books_and_states_of_busy_blocks_agree() {
    let mut chains = chains();
    let sent = transactions(5);
    assert!(sent.len() > 20);
    for part in sent.chunks(7) {
        chains.commit(0, part).unwrap();
    }
    chains.commit(0, &[]).unwrap();
    assert!(chains.auditor.transactions() > 15);
    assert!(chains.auditor.transactions() < sent.len() as u64, "conflicts and poor clients leave something out");
}

#[test]
fn a_receipt_that_is_wrong_is_noticed() {
    let mut chains = chains();
    let sent = transactions(5);
    sent.iter().for_each(|transaction| chains.auditor.on_sent(*transaction.tx_hash()));
    let (block, state) = chains.next(sent);
    let mut fewer = ExecutedBlock::clone(&block);
    fewer.receipts.pop();
    let error = chains.auditor.on_commit(0, &fewer, &state, 0).unwrap_err();
    assert!(matches!(error, Violation::Books { height: 1, error: BookError::Receipts { .. } }), "{error}");
}

#[test]
fn a_state_that_is_not_what_the_block_does_is_noticed() {
    let mut chains = chains();
    let before = chains.ledger.chain().head().state.clone();
    let sent = transactions(5);
    sent.iter().for_each(|transaction| chains.auditor.on_sent(*transaction.tx_hash()));
    let (block, _) = chains.next(sent);
    let mut claims_nothing_changed = ExecutedBlock::clone(&block);
    claims_nothing_changed.block.header.state_root = before.root();
    let error = chains.auditor.on_commit(0, &claims_nothing_changed, &before, 0).unwrap_err();
    assert!(
        matches!(error, Violation::Books { error: BookError::Balance { .. } | BookError::Sent { .. }, .. }),
        "{error}"
    );
}

#[test]
fn members_must_have_the_same_blocks_in_order() {
    let (mut one, other) = (chains(), chains());
    one.commit(0, &[]).unwrap();
    let (same, state) = other.next(Vec::new());
    one.auditor.on_commit(1, &same, &state, 0).unwrap();
    let error = one.auditor.on_commit(1, &same, &state, 0).unwrap_err();
    assert_eq!(error, Violation::Order { member: 1, found: 1, before: 1 });

    one.commit(0, &[]).unwrap();
    let (different, state) = other.next(transactions(1));
    let error = one.auditor.on_commit(1, &different, &state, 0).unwrap_err();
    assert!(matches!(error, Violation::Agreement { height: 2, member: 1, .. }), "{error}");
    let (_, _) = other.next(Vec::new());
    let (ahead, state) = other.next(Vec::new());
    let error = one.auditor.on_commit(0, &ahead, &state, 0).unwrap_err();
    assert_eq!(error, Violation::Order { member: 0, found: 4, before: 2 });
}

#[test]
fn what_was_committed_must_be_there_after_a_start() {
    let mut chains = chains();
    chains.commit(0, &[]).unwrap();
    let first = chains.ledger.durable();
    chains.commit(0, &[]).unwrap();
    let lost = chains.auditor.on_start(0, BlockRef { height: 1, hash: first.hash }).unwrap_err();
    assert_eq!(lost, Violation::Lost { member: 0, committed: 2, found: 1 });
    let other = chains.auditor.on_start(0, BlockRef { height: 2, hash: first.hash }).unwrap_err();
    assert!(matches!(other, Violation::Agreement { height: 2, .. }), "{other}");
    let second = chains.ledger.durable();
    chains.auditor.on_start(0, BlockRef { height: 2, hash: second.hash }).unwrap();
}

#[test]
fn a_block_that_was_interrupted_may_be_lost_or_not() {
    let mut chains = chains();
    let genesis = chains.genesis;
    let (block, state) = chains.next(Vec::new());
    chains.auditor.on_interrupted(0, &block, &state, 0).unwrap();
    chains.auditor.on_start(0, BlockRef { height: 0, hash: genesis }).unwrap();
    chains.auditor.on_commit(0, &block, &state, 0).unwrap();
    chains.auditor.on_interrupted(1, &block, &state, 0).unwrap();
    chains.auditor.on_start(1, block.block_ref()).unwrap();
}

#[test]
fn transactions_come_from_clients() {
    let mut chains = chains();
    let (block, state) = chains.next(transactions(5));
    let error = chains.auditor.on_commit(0, &block, &state, 0).unwrap_err();
    assert!(matches!(error, Violation::Origin { height: 1, .. }), "{error}");
}

#[test]
fn honest_leaders_do_not_repeat_what_was_executed() {
    let mut chains = chains();
    let sent = transactions(5);
    chains.commit(0, &sent).unwrap();
    chains.commit(0, &sent).unwrap();
    let (first, genesis) = (chains.view(&sent), chains.genesis);
    chains.auditor.on_ordered(&first).unwrap();
    let execution = BlockRef { height: 0, hash: genesis };
    let again = OrderedView { height: 2, digest: digest(2), parent: digest(1), timestamp_ms: 2, execution, ..first };
    let error = chains.auditor.on_ordered(&again).unwrap_err();
    assert!(error.to_string().contains("earlier block"), "{error}");
}

#[test]
fn ordered_blocks_follow_the_protocol() {
    let mut chains = chains();
    let sent = transactions(5);
    chains.commit(0, &sent).unwrap();
    let right = chains.view(&sent);
    chains.auditor.on_ordered(&right).unwrap();
    let mut wrong = vec![right.clone(); 9];
    wrong[0].digest = B256::ZERO;
    wrong[1].execution.hash = B256::ZERO;
    wrong[2].execution.height = 1;
    wrong[3].beneficiary = fee_recipient(2);
    wrong[4].timestamp_ms = 1_000_000;
    wrong[5].transactions.remove(0);
    wrong[6].transactions.push(right.transactions[0].clone());
    wrong[7].transactions.push(Bytes::from_static(b"no transaction"));
    wrong[8].transactions.reverse();
    for (index, view) in wrong.iter().enumerate() {
        let error = chains.auditor.on_ordered(view).unwrap_err();
        assert!(matches!(error, Violation::Ordered { height: 1, .. }), "{index}: {error}");
    }
}
