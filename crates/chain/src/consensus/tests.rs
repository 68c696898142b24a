//! Blocks that `build` makes are valid under every fork; with one thing changed they break the rule it belongs to.

use std::sync::Arc;

use alloy_consensus::{
    Eip658Value, Header, SignableTransaction, TxEip1559, TxEip2930, TxEip4844, TxEip7702, TxLegacy, TxReceipt,
    proofs::calculate_ommers_root, transaction::Recovered,
};
use alloy_eips::{eip2718::Typed2718, eip4895::Withdrawal};
use alloy_genesis::{Genesis, GenesisAccount};
use alloy_primitives::{Address, B64, B256, Bytes, Signature, TxKind, U256};
use braid_exec::Config;
use braid_state::StoreError;
use braid_types::{
    Block, ChainSpec, Fork, Height, RecoveredTx, Transaction, TxIndex, block::impersonation_signature, fork::FORKS,
};
use revm::context::result::InvalidTransaction;

use super::{
    BlockError,
    body::{MAX_BLOCK_SIZE_BYTES, block_size, check_transaction, transactions_root},
    validate_before_execution,
};
use crate::{Ancestors, Attributes, Built, Parent, build, genesis::system_contracts, genesis_block, process};

const CHAIN_ID: u64 = 7;
const SENDER: Address = Address::repeat_byte(0x11);
const GAS_LIMIT: u64 = 10_000_000;
const GENESIS_TIME: u64 = 1_000;

/// Blocks that stand on one another, as rules ask for them.
#[derive(Clone, Default)]
struct Line(Vec<Block>);

impl Ancestors for Line {
    fn hash(&self, height: Height) -> Result<Option<B256>, StoreError> {
        Ok(self.block(height).map(|(header, _)| header.hash_slow()))
    }

    fn block(&self, height: Height) -> Option<(Header, Vec<Header>)> {
        let block = self.0.iter().find(|block| block.header.number == height)?;
        Some((block.header.clone(), block.ommers.clone()))
    }
}

/// A chain under test: its newest block and all before.
#[derive(Clone)]
struct Chain {
    spec: ChainSpec,
    parent: Parent,
    line: Line,
}

impl Chain {
    fn new(spec: ChainSpec) -> Self {
        let mut alloc = system_contracts(Fork::LATEST);
        let balance = U256::from(10).pow(U256::from(24));
        alloc.insert(SENDER, GenesisAccount { balance, ..GenesisAccount::default() });
        let genesis = Genesis {
            config: spec.config.clone(),
            gas_limit: GAS_LIMIT,
            difficulty: U256::from(1_000_000),
            timestamp: GENESIS_TIME,
            alloc,
            ..Genesis::default()
        };
        let (block, _, state) = genesis_block(&genesis, &spec).unwrap();
        let hash = block.header.hash_slow();
        let parent = Parent { total_difficulty: block.header.difficulty, hash, state, header: block.header.clone() };
        Self { spec, parent, line: Line(vec![block]) }
    }

    fn at(fork: Fork) -> Self {
        Self::new(ChainSpec::at_fork(CHAIN_ID, fork))
    }

    fn ancestors(&self) -> Arc<dyn Ancestors> {
        Arc::new(self.line.clone())
    }

    fn attributes(&self) -> Attributes {
        let timestamp = self.parent.header.timestamp + 12;
        Attributes { timestamp, gas_limit: self.parent.header.gas_limit, ..Attributes::default() }
    }

    fn build(&self, attributes: &Attributes, candidates: &[RecoveredTx]) -> Built {
        build(&self.parent, attributes, candidates, &self.spec, &self.ancestors(), &Config::default()).unwrap()
    }

    fn next(&self) -> Block {
        self.build(&self.attributes(), &[]).processed.executed.block.clone()
    }

    fn process(&self, block: Block) -> Result<crate::Processed, BlockError> {
        process(&self.parent, block, &self.spec, &self.ancestors(), &Config::default())
    }

    fn validate(&self, block: &Block) -> Result<Fork, BlockError> {
        validate_before_execution(&self.parent, block, &self.spec, &self.line)
    }

    fn push(&mut self, block: Block) {
        let processed = self.process(block.clone()).unwrap();
        self.parent = Parent {
            header: block.header.clone(),
            hash: processed.executed.hash,
            total_difficulty: processed.executed.total_difficulty,
            state: processed.state,
        };
        self.line.0.push(block);
    }
}

fn recovered(transaction: impl Into<Transaction>) -> RecoveredTx {
    Arc::new(Recovered::new_unchecked(transaction.into(), SENDER))
}

fn signature() -> Signature {
    impersonation_signature(SENDER)
}

fn transfer(nonce: u64) -> RecoveredTx {
    legacy(TxLegacy {
        nonce,
        gas_price: 10_000_000_000,
        gas_limit: 100_000,
        to: TxKind::Call(Address::repeat_byte(0x22)),
        value: U256::from(1),
        ..TxLegacy::default()
    })
}

fn legacy(transaction: TxLegacy) -> RecoveredTx {
    recovered(transaction.into_signed(signature()))
}

#[test]
fn what_is_built_is_valid_under_every_fork() {
    for fork in FORKS {
        let mut chain = Chain::at(fork);
        for number in 1..=3 {
            let withdrawals =
                vec![Withdrawal { index: number, validator_index: 0, address: Address::repeat_byte(5), amount: 3 }];
            let attributes = Attributes { withdrawals, ..chain.attributes() };
            let transactions = [transfer(2 * (number - 1)), transfer(2 * number - 1)];
            let built = chain.build(&attributes, &transactions);
            assert!(built.skipped.is_empty(), "{fork:?}: {:?}", built.skipped);
            let block = built.processed.executed.block.clone();
            assert_eq!(block.header.number, number);
            assert_eq!(block.header.difficulty.is_zero(), fork >= Fork::Paris, "{fork:?}");
            let processed = chain.process(block.clone()).unwrap_or_else(|error| panic!("{fork:?}: {error}"));
            assert_eq!(processed.executed, built.processed.executed, "{fork:?}");
            assert_eq!(processed.state.root(), block.header.state_root);
            chain.push(block);
        }
    }
}

#[test]
fn receipts_before_byzantium_hold_the_root_after_their_transaction() {
    let chain = Chain::at(Fork::SpuriousDragon);
    let built = chain.build(&chain.attributes(), &[transfer(0), transfer(1)]);
    let roots: Vec<_> = built.processed.executed.receipts.iter().map(TxReceipt::status_or_post_state).collect();
    let [Eip658Value::PostState(first), Eip658Value::PostState(second)] = roots[..] else { panic!("{roots:?}") };
    assert_ne!(first, second);
    // Without the miner's reward, which comes after the transactions, the second root would be the block's.
    assert_ne!(second, built.processed.executed.block.header.state_root);
    let alone = chain.build(&chain.attributes(), &[transfer(0)]);
    let only = alone.processed.executed.receipts[0].status_or_post_state();
    assert_eq!(only, Eip658Value::PostState(first), "it does not depend on what follows");
}

/// A change to a valid block, and whether an error is the one it must cause.
type Case = (&'static str, fn(&mut Block), fn(&BlockError) -> bool);

fn assert_each_breaks_its_rule(fork: Fork, cases: &[Case]) {
    let chain = Chain::at(fork);
    let valid = chain.build(&chain.attributes(), &[transfer(0)]).processed.executed.block.clone();
    chain.process(valid.clone()).unwrap();
    for (name, change, is_expected) in cases {
        let mut block = valid.clone();
        change(&mut block);
        let error = chain.process(block).expect_err(name);
        assert!(is_expected(&error), "{fork:?}, {name}: {error}");
    }
}

#[test]
fn header_rules_of_every_fork() {
    let cases: [Case; 15] = [
        ("parent", |b| b.header.parent_hash = B256::ZERO, |e| matches!(e, BlockError::UnknownParent(_))),
        ("height", |b| b.header.number = 2, |e| matches!(e, BlockError::Height { found: 2, expected: 1 })),
        ("time", |b| b.header.timestamp = GENESIS_TIME, |e| matches!(e, BlockError::Timestamp { .. })),
        ("extra", |b| b.header.extra_data = vec![0; 33].into(), |e| matches!(e, BlockError::ExtraDataSize(33))),
        ("limit up", |b| b.header.gas_limit += GAS_LIMIT / 1024, |e| matches!(e, BlockError::GasLimit { .. })),
        ("limit down", |b| b.header.gas_limit -= GAS_LIMIT / 1024, |e| matches!(e, BlockError::GasLimit { .. })),
        ("used", |b| b.header.gas_used = GAS_LIMIT + 1, |e| matches!(e, BlockError::GasUsedAboveLimit { .. })),
        ("difficulty", |b| b.header.difficulty += U256::from(1), |e| matches!(e, BlockError::Difficulty { .. })),
        ("transactions", |b| b.transactions.clear(), |e| matches!(e, BlockError::TransactionsRoot { .. })),
        ("ommers", |b| b.ommers.push(Header::default()), |e| matches!(e, BlockError::OmmersHash { .. })),
        ("gas", |b| b.header.gas_used += 1, |e| matches!(e, BlockError::GasUsed { expected: 21_000, .. })),
        ("receipts", |b| b.header.receipts_root = B256::ZERO, |e| matches!(e, BlockError::ReceiptsRoot { .. })),
        ("bloom", |b| b.header.logs_bloom.0[0] = 1, |e| matches!(e, BlockError::LogsBloom { .. })),
        ("state", |b| b.header.state_root = B256::ZERO, |e| matches!(e, BlockError::StateRoot { .. })),
        (
            "field of the future",
            |b| b.header.slot_number = Some(1),
            |e| matches!(e, BlockError::FieldPresence { field: "slotNumber", must_exist: false }),
        ),
    ];
    for fork in FORKS {
        assert_each_breaks_its_rule(fork, &cases);
    }
}

#[test]
fn a_gas_limit_just_within_bounds_is_valid() {
    let chain = Chain::at(Fork::London);
    for gas_limit in [GAS_LIMIT + GAS_LIMIT / 1024 - 1, GAS_LIMIT - GAS_LIMIT / 1024 + 1] {
        let built = chain.build(&Attributes { gas_limit, ..chain.attributes() }, &[]);
        chain.process(built.processed.executed.block.clone()).unwrap();
    }
}

#[test]
fn header_rules_since_london_paris_shanghai() {
    assert_each_breaks_its_rule(
        Fork::London,
        &[
            ("none", |b| b.header.base_fee_per_gas = None, |e| matches!(e, BlockError::FieldPresence { .. })),
            ("other", |b| b.header.base_fee_per_gas = Some(1), |e| matches!(e, BlockError::BaseFee { .. })),
            (
                "early withdrawals",
                |b| b.header.withdrawals_root = Some(B256::ZERO),
                |e| matches!(e, BlockError::FieldPresence { field: "withdrawalsRoot", must_exist: false }),
            ),
        ],
    );
    assert_each_breaks_its_rule(
        Fork::Paris,
        &[
            ("nonce", |b| b.header.nonce = B64::with_last_byte(1), |e| matches!(e, BlockError::Nonce)),
            ("ommers", |b| b.header.ommers_hash = B256::ZERO, |e| matches!(e, BlockError::OmmersHash { .. })),
        ],
    );
    assert_each_breaks_its_rule(
        Fork::Shanghai,
        &[
            (
                "none",
                |b| b.header.withdrawals_root = None,
                |e| matches!(e, BlockError::FieldPresence { field: "withdrawalsRoot", must_exist: true }),
            ),
            ("body without", |b| b.withdrawals = None, |e| matches!(e, BlockError::WithdrawalsRoot { .. })),
            (
                "body with another",
                |b| b.withdrawals = Some(vec![Withdrawal::default()]),
                |e| matches!(e, BlockError::WithdrawalsRoot { .. }),
            ),
        ],
    );
}

#[test]
fn header_rules_since_cancun_and_prague() {
    const BLOB: u64 = alloy_eips::eip4844::DATA_GAS_PER_BLOB;
    assert_each_breaks_its_rule(
        Fork::Cancun,
        &[
            ("no use", |b| b.header.blob_gas_used = None, |e| matches!(e, BlockError::FieldPresence { .. })),
            ("no excess", |b| b.header.excess_blob_gas = None, |e| matches!(e, BlockError::FieldPresence { .. })),
            (
                "no root",
                |b| b.header.parent_beacon_block_root = None,
                |e| matches!(e, BlockError::FieldPresence { .. }),
            ),
            ("half a blob", |b| b.header.blob_gas_used = Some(1), |e| matches!(e, BlockError::BlobGasUsed { .. })),
            ("blob", |b| b.header.blob_gas_used = Some(BLOB), |e| matches!(e, BlockError::BlobGasUsed { .. })),
            (
                "blobs",
                |b| b.header.blob_gas_used = Some(7 * BLOB),
                |e| matches!(e, BlockError::BlobGasAboveLimit { .. }),
            ),
            ("excess", |b| b.header.excess_blob_gas = Some(1), |e| matches!(e, BlockError::ExcessBlobGas { .. })),
            (
                "beacon root",
                |b| b.header.parent_beacon_block_root = Some(B256::repeat_byte(1)),
                |e| matches!(e, BlockError::StateRoot { .. }),
            ),
        ],
    );
    assert_each_breaks_its_rule(
        Fork::Prague,
        &[
            ("no hash", |b| b.header.requests_hash = None, |e| matches!(e, BlockError::FieldPresence { .. })),
            (
                "another hash",
                |b| b.header.requests_hash = Some(B256::ZERO),
                |e| matches!(e, BlockError::RequestsHash { .. }),
            ),
        ],
    );
}

/// London at height 2 on a chain that is at Berlin.
fn berlin_to_london() -> ChainSpec {
    let mut config = ChainSpec::at_fork(CHAIN_ID, Fork::Berlin).config;
    config.london_block = Some(2);
    ChainSpec::from_config(&config).unwrap()
}

#[test]
fn the_first_london_block_doubles_the_gas_limit() {
    let mut chain = Chain::new(berlin_to_london());
    chain.push(chain.next());
    let same = chain.next();
    let error = chain.validate(&same).unwrap_err();
    assert!(matches!(error, BlockError::GasLimit { parent, .. } if parent == 2 * GAS_LIMIT), "{error}");
    let doubled = chain.build(&Attributes { gas_limit: 2 * GAS_LIMIT, ..chain.attributes() }, &[]);
    let block = doubled.processed.executed.block.clone();
    assert_eq!(block.header.base_fee_per_gas, Some(1_000_000_000));
    chain.push(block);
    assert_eq!(chain.next().header.base_fee_per_gas, Some(875_000_000), "the one before was empty");
}

#[test]
fn paris_begins_after_the_block_that_reaches_the_total_difficulty() {
    let mut config = ChainSpec::at_fork(CHAIN_ID, Fork::GrayGlacier).config;
    config.terminal_total_difficulty = Some(U256::from(1_000_001));
    let mut chain = Chain::new(ChainSpec::from_config(&config).unwrap());
    let last_mined = chain.next();
    assert!(!last_mined.header.difficulty.is_zero(), "the genesis alone falls short by one");
    chain.push(last_mined);
    let first_staked = chain.next();
    assert!(first_staked.header.difficulty.is_zero());
    chain.push(first_staked);
    assert_eq!(chain.validate(&chain.next()).unwrap(), Fork::Paris);
}

#[test]
fn the_dao_fork_marks_ten_blocks() {
    let mut config = ChainSpec::at_fork(CHAIN_ID, Fork::Homestead).config;
    (config.dao_fork_block, config.dao_fork_support) = (Some(1), true);
    let mut pro = Chain::new(ChainSpec::from_config(&config).unwrap());
    let unmarked = {
        let mut block = pro.next();
        block.header.extra_data = Bytes::new();
        block
    };
    assert!(matches!(pro.validate(&unmarked), Err(BlockError::DaoExtraData { .. })));
    config.dao_fork_support = false;
    let contra = Chain::new(ChainSpec::from_config(&config).unwrap());
    assert!(matches!(contra.validate(&pro.next()), Err(BlockError::DaoExtraData { .. })));
    for _ in 0..10 {
        let block = pro.next();
        assert_eq!(block.header.extra_data.as_ref(), super::header::DAO_EXTRA_DATA);
        pro.push(block);
    }
    assert!(pro.next().header.extra_data.is_empty());
}

/// A block with `transaction` that is right in every way that does not need execution, but for the transaction.
fn holding(chain: &Chain, transaction: &RecoveredTx) -> Block {
    let mut block = chain.next();
    block.transactions = vec![Arc::clone(transaction)];
    block.header.transactions_root = transactions_root(&block.transactions);
    block
}

#[test]
fn transaction_types_come_with_their_forks() {
    let transactions = [
        (Fork::Frontier, legacy(TxLegacy::default())),
        (Fork::Berlin, recovered(TxEip2930::default().into_signed(signature()))),
        (Fork::London, recovered(TxEip1559::default().into_signed(signature()))),
        (Fork::Cancun, recovered(TxEip4844::default().into_signed(signature()))),
        (Fork::Prague, recovered(TxEip7702::default().into_signed(signature()))),
    ];
    for (since, transaction) in &transactions {
        for fork in FORKS {
            let result = check_transaction(transaction, fork, TxIndex(3));
            let is_refused = matches!(result, Err(BlockError::TransactionType { index: TxIndex(3), kind }) if kind == transaction.ty());
            assert_eq!(is_refused, fork < *since, "type {} under {fork:?}", transaction.ty());
        }
    }
    let chain = Chain::at(Fork::Istanbul);
    let error = chain.validate(&holding(&chain, &transactions[1].1)).unwrap_err();
    assert!(matches!(error, BlockError::TransactionType { index: TxIndex(0), kind: 1 }), "{error}");
}

#[test]
fn replay_protection_comes_with_spurious_dragon() {
    let protected = legacy(TxLegacy { chain_id: Some(CHAIN_ID), ..TxLegacy::default() });
    let chain = Chain::at(Fork::Tangerine);
    let error = chain.validate(&holding(&chain, &protected)).unwrap_err();
    assert!(matches!(error, BlockError::ReplayProtection { .. }), "{error}");
    let chain = Chain::at(Fork::SpuriousDragon);
    chain.validate(&holding(&chain, &protected)).unwrap();
}

#[test]
fn high_s_goes_with_homestead() {
    let high = Signature::new(U256::from(1), super::body::HALF_CURVE_ORDER + U256::from(1), false);
    let transaction = recovered(TxLegacy::default().into_signed(high));
    let chain = Chain::at(Fork::Frontier);
    chain.validate(&holding(&chain, &transaction)).unwrap();
    let chain = Chain::at(Fork::Homestead);
    let error = chain.validate(&holding(&chain, &transaction)).unwrap_err();
    assert!(matches!(error, BlockError::HighS { .. }), "{error}");
}

#[test]
fn osaka_limits_a_blocks_bytes() {
    let large = legacy(TxLegacy { input: vec![1; MAX_BLOCK_SIZE_BYTES].into(), ..TxLegacy::default() });
    let chain = Chain::at(Fork::Prague);
    chain.validate(&holding(&chain, &large)).unwrap();
    let chain = Chain::at(Fork::Osaka);
    let block = holding(&chain, &large);
    let encoded = alloy_rlp::encode(alloy_consensus::Block {
        header: block.header.clone(),
        body: alloy_consensus::BlockBody {
            transactions: vec![large.inner().clone()],
            ommers: block.ommers.clone(),
            withdrawals: block.withdrawals.clone().map(Into::into),
        },
    });
    assert_eq!(block_size(&block), encoded.len());
    let error = chain.validate(&block).unwrap_err();
    assert!(matches!(error, BlockError::BlockSize { .. }), "{error}");
    let built = chain.build(&chain.attributes(), &[large, transfer(0)]);
    assert_eq!(built.skipped, [(TxIndex(0), InvalidTransaction::CallerGasLimitMoreThanBlock)]);
    assert_eq!(built.processed.executed.receipts.len(), 1);
}

#[test]
fn what_cannot_be_included_is_named_by_its_place_among_the_candidates() {
    let chain = Chain::at(Fork::Shanghai);
    let blob = recovered(TxEip4844::default().into_signed(signature()));
    let candidates = [blob, transfer(0), transfer(5), transfer(1), transfer(0)];
    let built = chain.build(&chain.attributes(), &candidates);
    let skipped: Vec<u32> = built.skipped.iter().map(|(index, _)| index.0).collect();
    assert_eq!(skipped, [0, 2, 4]);
    assert_eq!(built.skipped[1].1, InvalidTransaction::NonceTooHigh { tx: 5, state: 1 });
    assert_eq!(built.processed.executed.block.transactions, [Arc::clone(&candidates[1]), Arc::clone(&candidates[3])]);
    chain.process(built.processed.executed.block.clone()).unwrap();
}

#[test]
fn building_needs_a_later_time_and_short_extra_data() {
    let chain = Chain::at(Fork::Osaka);
    let refused = |attributes: Attributes| {
        build(&chain.parent, &attributes, &[], &chain.spec, &chain.ancestors(), &Config::default()).unwrap_err()
    };
    let error = refused(Attributes { timestamp: GENESIS_TIME, ..chain.attributes() });
    assert!(matches!(error, BlockError::Timestamp { .. }), "{error}");
    let error = refused(Attributes { extra_data: vec![0; 33].into(), ..chain.attributes() });
    assert!(matches!(error, BlockError::ExtraDataSize(33)), "{error}");
}

/// A valid block on the newest with `ommers`, executed or not.
fn with_ommers(chain: &Chain, ommers: Vec<Header>) -> Block {
    let mut block = chain.next();
    block.header.ommers_hash = calculate_ommers_root(&ommers);
    block.ommers = ommers;
    block
}

/// A valid header on the newest block that differs from [`Chain::next`]'s.
fn sibling(chain: &Chain, extra: u8) -> Header {
    let attributes = Attributes { extra_data: vec![extra].into(), ..chain.attributes() };
    chain.build(&attributes, &[]).processed.executed.block.header.clone()
}

#[test]
fn ommers_are_valid_relatives_that_nobody_named_before() {
    let mut chain = Chain::at(Fork::Berlin);
    let genesis = chain.parent.header.clone();
    let old: Vec<Header> = (1..=3).map(|extra| sibling(&chain, extra)).collect();
    chain.push(chain.next());
    chain.validate(&with_ommers(&chain, old[..2].to_vec())).unwrap();
    let refused = |chain: &Chain, ommers: Vec<Header>| chain.validate(&with_ommers(chain, ommers)).unwrap_err();

    let error = refused(&chain, old.clone());
    assert!(matches!(error, BlockError::TooManyOmmers(3)), "{error}");
    let error = refused(&chain, vec![old[0].clone(), old[0].clone()]);
    assert!(matches!(error, BlockError::DuplicateOmmer(_)), "{error}");
    let error = refused(&chain, vec![chain.parent.header.clone()]);
    assert!(matches!(error, BlockError::OmmerIsAncestor(_)), "{error}");
    let error = refused(&chain, vec![genesis]);
    assert!(matches!(error, BlockError::OmmerIsAncestor(_)), "{error}");
    let error = refused(&chain, vec![sibling(&chain, 9)]);
    assert!(matches!(error, BlockError::DanglingOmmer(_)), "a sibling of the block itself: {error}");
    let error = refused(&chain, vec![Header { difficulty: U256::from(1), ..old[0].clone() }]);
    assert!(matches!(error, BlockError::InvalidOmmer { .. }), "{error}");

    // Named once, it is used up; six generations later it is too old.
    let mut named = chain.clone();
    let block = with_ommers(&named, vec![old[0].clone()]);
    named.line.0.push(block.clone());
    named.parent = Parent { hash: block.header.hash_slow(), header: block.header, ..named.parent };
    let error = refused(&named, vec![old[0].clone()]);
    assert!(matches!(error, BlockError::DuplicateOmmer(_)), "{error}");
    for _ in 0..5 {
        chain.push(chain.next());
    }
    chain.validate(&with_ommers(&chain, vec![old[0].clone()])).unwrap();
    chain.push(chain.next());
    let error = refused(&chain, vec![old[0].clone()]);
    assert!(matches!(error, BlockError::DanglingOmmer(_)), "{error}");
    chain.line = Line::default();
    let error = refused(&chain, vec![old[0].clone()]);
    assert!(matches!(error, BlockError::UnknownAncestor(_)), "{error}");
}

#[test]
fn a_genesis_header_has_the_fields_of_its_fork() {
    for fork in FORKS {
        let header = Chain::at(fork).parent.header;
        assert_eq!(header.base_fee_per_gas.is_some(), fork >= Fork::London);
        assert_eq!(header.withdrawals_root.is_some(), fork >= Fork::Shanghai);
        assert_eq!(header.blob_gas_used.is_some(), fork >= Fork::Cancun);
        assert_eq!(header.requests_hash.is_some(), fork >= Fork::Prague);
    }
}
