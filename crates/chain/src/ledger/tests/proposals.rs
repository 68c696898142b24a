//! What goes from the pool into blocks, and what leaves it.

use alloy_consensus::Transaction as _;
use alloy_eips::eip2718::Encodable2718;

use super::*;

fn names(transactions: &[RecoveredTx]) -> Vec<(Address, u64)> {
    transactions.iter().map(|transaction| (transaction.signer(), transaction.nonce())).collect()
}

fn propose(ledger: &Ledger, pending: &[Arc<OrderedBlock>]) -> Vec<RecoveredTx> {
    ledger.propose(pending, ProposalLimits::default())
}

#[test]
fn what_is_ordered_is_not_proposed_again_before_it_is_durable_nor_after() {
    let (_directory, ledger) = ledger();
    for nonce in 0..4 {
        insert(ledger.chain(), transfer(1, nonce, 1));
    }
    let limits = ProposalLimits { gas: 42_000, ..ProposalLimits::default() };
    let first = block_on(GENESIS, 0, ledger.propose(&[], limits));
    assert_eq!(names(&first.transactions), [(signer(1).address(), 0), (signer(1).address(), 1)]);
    let second = block_on(place(&first), 0, ledger.propose(&[Arc::clone(&first)], limits));
    assert_eq!(names(&second.transactions), [(signer(1).address(), 2), (signer(1).address(), 3)]);
    assert!(ledger.propose(&[Arc::clone(&first), Arc::clone(&second)], limits).is_empty());
    ledger.commit(&first).unwrap();
    assert!(ledger.propose(&[Arc::clone(&second)], limits).is_empty());
    assert_eq!(ledger.propose(&[], limits), second.transactions, "a second block that is lost is proposed again");
    ledger.commit(&second).unwrap();
    assert!(propose(&ledger, &[]).is_empty());
    assert_eq!(ledger.chain().pool().lock().status().pending, 0);
}

#[test]
fn proposals_pass_their_own_check() {
    let (_directory, ledger) = ledger();
    for from in 1..=5 {
        for nonce in 0..8 {
            insert(ledger.chain(), transfer_with_gas(from, nonce, 1, 1_000_000));
        }
    }
    let proposed = propose(&ledger, &[]);
    assert_eq!(proposed.len(), 30, "the block's gas limit is the bound");
    let raw: Vec<Bytes> = proposed.iter().map(|transaction| transaction.inner().encoded_2718().into()).collect();
    assert_eq!(ledger.check(&raw, &[]).unwrap(), proposed);
    let size_bytes = raw.iter().take(3).map(|bytes| bytes.len()).sum();
    assert_eq!(ledger.propose(&[], ProposalLimits { size_bytes, ..ProposalLimits::default() }).len(), 3);
    assert_eq!(ledger.propose(&[], ProposalLimits { transactions: 2, ..ProposalLimits::default() }).len(), 2);
}

#[test]
fn what_can_never_be_included_leaves_the_pool_and_the_rest_stays() {
    let (_directory, ledger) = ledger();
    let rich = transfer(1, 0, 60 * crate::tests::ETHER);
    let other = transfer(1, 0, 99 * crate::tests::ETHER);
    let later = transfer(1, 1, 60 * crate::tests::ETHER);
    let gap = transfer(2, 0, 1);
    insert(ledger.chain(), Arc::clone(&gap));
    // The pool has one that the ordered block makes stale, and one that it makes unpayable.
    insert(ledger.chain(), rich);
    let block = block_on(GENESIS, 0, vec![other, later.clone(), transfer(2, 3, 1)]);
    ledger.commit(&block).unwrap();
    assert_eq!(ledger.chain().head().block.receipts.len(), 1);
    let pool = ledger.chain().pool().lock();
    assert!(pool.get(*gap.tx_hash()).is_some());
    assert!(pool.get(*later.tx_hash()).is_none());
    assert_eq!((pool.status().pending, pool.status().queued), (1, 0));
}

#[test]
fn one_left_out_for_good_is_dropped_and_one_that_waits_is_not() {
    let (_directory, ledger) = ledger();
    // In the pool both look fine: each alone can be paid.
    let spends = transfer(1, 0, 99 * crate::tests::ETHER);
    let unpayable = transfer(1, 1, 99 * crate::tests::ETHER);
    let early = transfer(2, 1, 1);
    insert(ledger.chain(), Arc::clone(&spends));
    insert(ledger.chain(), Arc::clone(&unpayable));
    insert(ledger.chain(), Arc::clone(&early));
    ledger.commit(&block_on(GENESIS, 0, vec![spends, Arc::clone(&unpayable), Arc::clone(&early)])).unwrap();
    let pool = ledger.chain().pool().lock();
    assert!(pool.get(*unpayable.tx_hash()).is_none());
    assert!(pool.get(*early.tx_hash()).is_some());
}

#[test]
fn the_base_fee_of_the_newest_execution_decides_what_is_proposed() {
    let (_directory, ledger) = ledger();
    // An empty block lets the base fee of 1 gwei fall by an eighth.
    let cheap = {
        let signer = signer(3);
        let mut transaction = TxEip1559 {
            chain_id: CHAIN_ID,
            gas_limit: 21_000,
            max_fee_per_gas: 800_000_000,
            to: TxKind::Call(RECIPIENT),
            ..TxEip1559::default()
        };
        let signature = signer.sign_transaction_sync(&mut transaction).unwrap();
        Arc::new(Recovered::new_unchecked(Transaction::from(transaction.into_signed(signature)), signer.address()))
    };
    insert(ledger.chain(), Arc::clone(&cheap));
    let first = block_on(GENESIS, 0, vec![]);
    let pending = [Arc::clone(&first)];
    assert!(propose(&ledger, &pending).is_empty(), "875 million is the fee after the genesis");
    ledger.execute(&first).unwrap();
    assert_eq!(propose(&ledger, &pending), [cheap], "766 million after one more");
}
