//! Many branches at once, in every order.

use alloy_primitives::map::HashMap;
use braid_types::limits::MAX_SPECULATIVE_BLOCKS;
use proptest::prelude::*;

use super::*;

/// Makes a contract whose code is `HASH_KEEPER_CODE`: copies it from the end of the init code, and returns it.
fn creation() -> Vec<u8> {
    [&hex!("6008600c60003960086000f3"), HASH_KEEPER_CODE].concat()
}

#[test]
fn a_commit_forgets_other_branches_and_keeps_its_own() {
    let (_directory, ledger) = ledger();
    let ours = block_on(GENESIS, 0, vec![transfer(1, 0, 1)]);
    let theirs = block_on(GENESIS, 0, vec![transfer(1, 0, 2)]);
    let on_ours = block_on(place(&ours), 0, vec![transfer(1, 1, 1)]);
    let on_theirs = block_on(place(&theirs), 0, vec![transfer(1, 1, 2)]);
    for block in [&ours, &theirs, &on_theirs, &on_ours] {
        ledger.execute(block).unwrap();
    }
    ledger.commit(&ours).unwrap();
    assert!(ledger.executed(2, on_ours.digest).unwrap().is_some());
    for gone in [&theirs, &on_theirs] {
        assert_eq!(ledger.executed(gone.height, gone.digest).unwrap(), None);
    }
    assert!(matches!(ledger.execute(&on_theirs), Err(LedgerError::UnknownParent { .. })));
    ledger.commit(&on_ours).unwrap();
    assert_eq!(ledger.statistics(), LedgerStatistics { executed: 4, adopted: 2, speculative: 0 });
    assert_eq!(balance(ledger.chain(), RECIPIENT), 2);
}

#[test]
fn blockhash_sees_the_speculative_chain_and_the_durable_one_below() {
    let (_directory, ledger) = ledger();
    let mut blocks: Vec<Arc<OrderedBlock>> = Vec::new();
    for height in 1..=6 {
        let keep = call(1, height - 1, TxKind::Call(HASH_KEEPER), &[]);
        let block = block_on(blocks.last().map_or(GENESIS, |block| place(block)), 0, vec![keep]);
        ledger.execute(&block).unwrap();
        blocks.push(block);
        if height == 2 {
            ledger.commit(&blocks[0]).unwrap();
        }
    }
    for block in &blocks {
        ledger.commit(block).unwrap();
    }
    for height in 1..=6u64 {
        let kept = ledger.chain().head().state.storage(HASH_KEEPER, U256::from(height));
        assert_eq!(Some(B256::from(kept)), ledger.chain().store().hash(height - 1).unwrap());
    }
    assert_eq!(ledger.statistics().executed, 6);
}

#[test]
fn code_of_a_speculative_block_is_known_to_its_children_only() {
    let (_directory, ledger) = ledger();
    let create = block_on(GENESIS, 0, vec![call(1, 0, TxKind::Create, &creation())]);
    let made = signer(1).address().create(0);
    let uses = block_on(place(&create), 0, vec![call(2, 0, TxKind::Call(made), &[])]);
    let rival = block_on(GENESIS, 0, vec![]);
    let misses = block_on(place(&rival), 0, vec![call(2, 0, TxKind::Call(made), &[])]);
    for block in [&create, &uses, &rival, &misses] {
        ledger.execute(block).unwrap();
    }
    let first = ledger.execute(&create).unwrap();
    ledger.commit(&create).unwrap();
    ledger.commit(&uses).unwrap();
    assert_eq!(B256::from(ledger.chain().head().state.storage(made, U256::from(2))), first.hash);
}

#[test]
fn a_chain_that_is_always_ahead_remembers_no_more_than_it_is_ahead() {
    let (_directory, ledger) = ledger();
    let mut ahead = vec![block_on(GENESIS, 0, vec![])];
    ledger.execute(&ahead[0]).unwrap();
    for _ in 0..20 {
        let next = block_on(place(&ahead[ahead.len() - 1]), 0, vec![]);
        ledger.execute(&next).unwrap();
        let speculation = ledger.tree.lock().get(next.height, next.digest).unwrap();
        ahead.push(next);
        assert!(speculation.path.len() <= 2);
        if ahead.len() > 2 {
            ledger.commit(&ahead.remove(0)).unwrap();
        }
    }
    assert_eq!(ledger.statistics(), LedgerStatistics { executed: 21, adopted: 19, speculative: 2 });
}

#[test]
fn beyond_the_limit_the_oldest_goes_and_is_executed_again_when_final() {
    let (_directory, ledger) = ledger();
    let mut blocks = Vec::new();
    let mut parent = GENESIS;
    let count = MAX_SPECULATIVE_BLOCKS + 5;
    let aside = block_on(GENESIS, 77, vec![]);
    for _ in 0..count {
        let block = block_on(parent, 0, vec![]);
        ledger.execute(&block).unwrap();
        if blocks.is_empty() {
            ledger.execute(&aside).unwrap();
        }
        parent = place(&block);
        blocks.push(block);
    }
    assert_eq!(ledger.executed(1, aside.digest).unwrap(), None, "what is not below the newest goes first");
    assert_eq!(ledger.executed(1, blocks[0].digest).unwrap(), None);
    assert_eq!(ledger.statistics().speculative, MAX_SPECULATIVE_BLOCKS as u64);
    let hashes: Vec<_> = blocks.iter().map(|block| ledger.commit(block).unwrap().hash).collect();
    let again = 5;
    assert_eq!(ledger.statistics().executed, 1 + count as u64 + again);
    let (_other_directory, other) = super::ledger();
    let in_order: Vec<_> = blocks.iter().map(|block| other.commit(block).unwrap().hash).collect();
    assert_eq!(hashes, in_order);
}

/// A tree of ordered blocks: each stands on an earlier one, chosen by a number, and sends what some senders can.
fn tree(shape: &[(usize, u64, u8)]) -> Vec<Arc<OrderedBlock>> {
    let mut blocks: Vec<Arc<OrderedBlock>> = Vec::new();
    for &(parent, timestamp_ms, senders) in shape {
        let parent = blocks.get(parent % (blocks.len() + 1)).map_or(GENESIS, |block| place(block));
        let from = |from: &u8| senders & (1 << from) != 0;
        let transfers = (1..=3).filter(from).map(|from| transfer(from, parent.0, u128::from(timestamp_ms % 7 + 1)));
        // Nonces repeat or run ahead on some branches: those transactions are left out.
        let keep = call(4, parent.0 / 2, TxKind::Call(HASH_KEEPER), &[]);
        let transactions = transfers.chain([keep]).collect();
        blocks.push(block_on(parent, 1_000_000 + timestamp_ms, transactions));
    }
    blocks
}

/// The way from the genesis to the block at `at`.
fn branch(blocks: &[Arc<OrderedBlock>], at: usize) -> Vec<Arc<OrderedBlock>> {
    let by_digest: HashMap<B256, &Arc<OrderedBlock>> = blocks.iter().map(|block| (block.digest, block)).collect();
    let mut branch = vec![Arc::clone(&blocks[at])];
    while let Some(below) = by_digest.get(&branch[branch.len() - 1].parent) {
        branch.push(Arc::clone(below));
    }
    branch.reverse();
    branch
}

/// Executes the tree in an order that `picks` choose, committing a block of `branch` after every third execution.
fn run(ledger: &Ledger, blocks: &[Arc<OrderedBlock>], branch: &[Arc<OrderedBlock>], picks: &[usize]) {
    let mut left: Vec<_> = blocks.to_vec();
    let mut commits = branch.iter();
    for (step, pick) in picks.iter().cycle().enumerate() {
        if left.is_empty() {
            break;
        }
        let block = left.remove(pick % left.len());
        match ledger.execute(&block) {
            Ok(_) | Err(LedgerError::Superseded { .. }) => {}
            // Its turn comes once its parent is known, unless that has become impossible.
            Err(LedgerError::UnknownParent { .. }) if step < 200 => left.push(block),
            Err(LedgerError::UnknownParent { .. }) => {}
            Err(error) => panic!("{error}"),
        }
        if step % 3 == 2
            && let Some(block) = commits.next()
        {
            ledger.commit(block).unwrap();
        }
    }
    commits.for_each(|block| drop(ledger.commit(block).unwrap()));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_executions_does_not_matter(
        shape in prop::collection::vec((any::<usize>(), 0..3_000_u64, any::<u8>()), 1..16),
        at in any::<prop::sample::Index>(),
        picks in prop::array::uniform2(prop::collection::vec(any::<usize>(), 1..9)),
    ) {
        let blocks = tree(&shape);
        let branch = branch(&blocks, at.index(blocks.len()));
        let (_in_order_directory, in_order) = ledger();
        let expected: Vec<_> = branch.iter().map(|block| in_order.commit(block).unwrap()).collect();
        for picks in &picks {
            let (_directory, ledger) = ledger();
            run(&ledger, &blocks, &branch, picks);
            prop_assert_eq!(ledger.durable(), in_order.durable());
            for block in &expected {
                prop_assert_eq!(&ledger.chain().store().block(block.height()).unwrap().unwrap(), block);
            }
            prop_assert_eq!(ledger.chain().head().state.root(), in_order.chain().head().state.root());
        }
    }

    #[test]
    fn the_number_of_threads_does_not_matter(
        shape in prop::collection::vec((any::<usize>(), 0..3_000_u64, any::<u8>()), 1..10),
    ) {
        let blocks = tree(&shape);
        let hashes = (1..=4).map(|threads| {
            let directory = tempfile::tempdir().unwrap();
            let threads = NonZeroUsize::new(threads).unwrap();
            let options = ChainOptions { threads, ..options(directory.path()) };
            let ledger = Ledger::new(Arc::new(Chain::open(options).unwrap())).unwrap();
            blocks.iter().map(|block| ledger.execute(block).unwrap()).collect::<Vec<_>>()
        });
        let hashes: Vec<_> = hashes.collect();
        prop_assert!(hashes.windows(2).all(|pair| pair[0] == pair[1]));
    }
}
