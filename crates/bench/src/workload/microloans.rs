//! Repayment day: every borrower of one lenders' pool pays an instalment in the same block. And many lenders who deposit in one.
//!
//! Loans go through what a loan goes through: an offer, the borrower's acceptance, lenders' money, a payout. Each has a wallet and a
//! schedule of two instalments, of which the block pays the first.

use alloy_primitives::{Address, B256, FixedBytes, U256, keccak256};
use alloy_sol_types::{SolValue, sol};
use braid_suite::artefact::{FX_HUB, LENDER_POOL, LOAN_BOOK, ROLE_GATE, SPONSORED_FORWARDER};
use braid_types::RecoveredTx;

use super::{Workload, users};
use crate::{
    artifacts::OZ_TOKEN,
    world::{Action, SetUpError, World},
};

sol! {
    struct Conditions {
        address token;
        bytes8 currency;
        uint8 minorDecimals;
        uint256 seniorRate;
        uint256 feeBasis;
        uint256 minJuniorBasis;
        uint256 cap;
        uint256 epoch;
        uint256 firstLossBasis;
        address sponsor;
    }

    struct Terms {
        bytes32 borrower;
        bytes32 product;
        bytes32 schedule;
        bytes32 keyFacts;
        bytes32 pair;
        address pool;
        bytes8 currency;
        address account;
        uint64 offerUntil;
        address payee;
        uint128 principal;
    }

    struct Instalment {
        uint16 number;
        uint32 due;
        uint128 principal;
        uint128 interest;
        uint128 fees;
    }

    function accept(bytes32 loan, bytes32 keyFacts, bytes2 language);
    function approve(address spender, uint256 amount) returns (bool);
    function deposit(uint256 assets, address receiver) returns (uint256);
    function disburse(bytes32 loan, uint64 sequence);
    function fund(bytes32 loan, uint64 sequence);
    function mint(address to, uint256 amount);
    function offer(bytes32 loan, uint64 sequence, Terms terms);
    function open(uint256 amount);
    function repayInstalment(bytes32 loan, Instalment instalment, bytes32[] proof);
    function setPool(address pool, bool isKnown);
}

/// Transactions of a block.
const TRANSACTIONS: usize = 2_000;

/// Gas limit, about what wallets add to an estimate.
const GAS_LIMIT: u64 = 300_000;

/// A cent of a token with eighteen decimals.
const CENT: u128 = 10_000_000_000_000_000;

/// Cents lent to each, and what the first instalment consists of.
const PRINCIPAL: u128 = 10_000 * CENT;
const INTEREST: u128 = 150 * CENT;
const FEES: u128 = 10 * CENT;

/// Most that the pool takes, far above what is lent.
const PLENTY: u128 = 1 << 100;

/// Seven days, in seconds.
const EPOCH_S: u64 = 604_800;

const KEY_FACTS: B256 = B256::repeat_byte(0x6b);

/// In ASCII.
const CURRENCY: FixedBytes<8> = FixedBytes(*b"USD\0\0\0\0\0");

/// The junior tranche is the second contract that a pool makes.
const JUNIOR: u64 = 2;

pub(super) const WORKLOADS: &[Workload] = &[
    Workload::new(
        "microloans-repayments",
        "repayment day: instalments of different micro-loans, into one lenders' pool",
        TRANSACTIONS,
        repayments,
    ),
    Workload::new(
        "microloans-deposits",
        "deposits of many lenders in one tranche of a lenders' pool",
        TRANSACTIONS,
        deposits,
    ),
];

/// A loan book and a pool that lends.
struct Lender {
    owner: Address,
    token: Address,
    book: Address,
    pool: Address,
    junior: Address,
}

fn repayments(world: &mut World, transactions: usize) -> Result<Vec<RecoveredTx>, SetUpError> {
    let lender = Lender::open(world)?;
    let first = world.user("first borrower", 0);
    let borrowers = users(world, "borrower", transactions);
    for &borrower in borrowers.iter().chain([&first]) {
        lender.lend(world, borrower)?;
    }
    world.seal()?;
    world.send(first, lender.repay(first))?;
    world.seal()?;
    Ok(borrowers.into_iter().map(|borrower| world.transaction(borrower, lender.repay(borrower))).collect())
}

fn deposits(world: &mut World, transactions: usize) -> Result<Vec<RecoveredTx>, SetUpError> {
    let lender = Lender::open(world)?;
    let first = world.user("first lender", 0);
    let lenders = users(world, "lender", transactions);
    for &user in lenders.iter().chain([&first]) {
        world.call(user, lender.token, &mintCall { to: user, amount: U256::from(PRINCIPAL) })?;
        world.call(user, lender.token, &approveCall { spender: lender.junior, amount: U256::MAX })?;
    }
    world.seal()?;
    world.send(first, lender.deposit(first))?;
    world.seal()?;
    Ok(lenders.into_iter().map(|user| world.transaction(user, lender.deposit(user))).collect())
}

impl Lender {
    fn open(world: &mut World) -> Result<Self, SetUpError> {
        let owner = world.user("owner", 0);
        let token = world.deploy(&OZ_TOKEN, &[])?;
        let gate = world.create(&ROLE_GATE.code()?, &owner.abi_encode())?;
        let rates = world.create(&FX_HUB.code()?, &gate.abi_encode())?;
        let forwarder = world.create(&SPONSORED_FORWARDER.code()?, &gate.abi_encode())?;
        let book = world.create(&LOAN_BOOK.code()?, &(gate, forwarder, rates).abi_encode_params())?;
        let arguments = (gate, book, conditions(token, owner), "Loans".to_owned()).abi_encode_params();
        let pool = world.create(&LENDER_POOL.code()?, &arguments)?;
        world.seal()?;
        // The owner administers the gate, and so may call what no role has been given.
        world.call(owner, book, &setPoolCall { pool, isKnown: true })?;
        let (junior, plenty) = (pool.create(JUNIOR), U256::from(PLENTY));
        world.call(owner, token, &mintCall { to: owner, amount: plenty })?;
        for spender in [pool, junior] {
            world.call(owner, token, &approveCall { spender, amount: U256::MAX })?;
        }
        world.call(owner, pool, &openCall { amount: U256::from(CENT) })?;
        world.seal()?;
        world.call(owner, junior, &depositCall { assets: plenty / U256::from(2), receiver: owner })?;
        Ok(Self { owner, token, book, pool, junior })
    }

    /// Lends to a borrower, who can then pay the first instalment.
    fn lend(&self, world: &mut World, borrower: Address) -> Result<(), SetUpError> {
        let &Self { owner, token, book, pool, .. } = self;
        let loan = loan_of(borrower);
        world.call(owner, book, &offerCall { loan, sequence: 1, terms: terms(pool, borrower) })?;
        world.call(borrower, book, &acceptCall { loan, keyFacts: KEY_FACTS, language: FixedBytes(*b"sw") })?;
        world.call(owner, book, &fundCall { loan, sequence: 2 })?;
        world.call(owner, book, &disburseCall { loan, sequence: 3 })?;
        world.call(owner, token, &mintCall { to: borrower, amount: U256::from(INTEREST + FEES) })?;
        world.call(borrower, token, &approveCall { spender: pool, amount: U256::MAX })
    }

    fn deposit(&self, receiver: Address) -> Action {
        Action::call(self.junior, &depositCall { assets: U256::from(PRINCIPAL), receiver }, GAS_LIMIT)
    }

    fn repay(&self, borrower: Address) -> Action {
        let [instalment, second] = instalments();
        let call = repayInstalmentCall { loan: loan_of(borrower), instalment, proof: vec![leaf(&second)] };
        Action::call(self.book, &call, GAS_LIMIT)
    }
}

fn conditions(token: Address, sponsor: Address) -> Conditions {
    Conditions {
        token,
        currency: CURRENCY,
        minorDecimals: 2,
        // Eight per cent, in millionths of one.
        seniorRate: U256::from(8_000_000),
        feeBasis: U256::from(1_000),
        minJuniorBasis: U256::from(2_000),
        cap: U256::from(PLENTY),
        epoch: U256::from(EPOCH_S),
        firstLossBasis: U256::from(1_000),
        sponsor,
    }
}

fn terms(pool: Address, borrower: Address) -> Terms {
    let [first, second] = instalments().map(|instalment| leaf(&instalment));
    let (low, high) = if first < second { (first, second) } else { (second, first) };
    Terms {
        borrower: keccak256(borrower),
        product: keccak256("product"),
        schedule: keccak256([low.0, high.0].concat()),
        keyFacts: KEY_FACTS,
        pair: B256::ZERO,
        pool,
        currency: CURRENCY,
        account: borrower,
        offerUntil: u64::MAX,
        payee: borrower,
        principal: PRINCIPAL,
    }
}

fn instalments() -> [Instalment; 2] {
    let half = PRINCIPAL / 2;
    [
        Instalment { number: 0, due: 20_000, principal: half, interest: INTEREST, fees: FEES },
        Instalment { number: 1, due: 20_030, principal: half, interest: INTEREST / 2, fees: 0 },
    ]
}

/// Hashed twice, as in the contract.
fn leaf(instalment: &Instalment) -> B256 {
    keccak256(keccak256(instalment.abi_encode()))
}

/// A word that nobody chose.
fn loan_of(borrower: Address) -> B256 {
    keccak256((borrower, "loan".to_owned()).abi_encode())
}
