//! Random blocks: few accounts, few contracts, and many transactions that meet there.
//!
//! While a block is written, its transactions are run one after the other, so that nonces are mostly right and balances
//! are spent to the last wei now and then.

use std::sync::Arc;

use alloy_consensus::{
    SignableTransaction, TxEip1559, TxEip2930, TxEip4844, TxEip7702, TxLegacy, transaction::Recovered,
};
use alloy_eips::{
    eip2930::{AccessList, AccessListItem},
    eip4895::Withdrawal,
    eip7702::{Authorization, SignedAuthorization},
};
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256, keccak256};
use braid_exec::{BlockContext, Config, Ommer, OnInvalid, new_evm, transaction_env};
use braid_types::{Fork, RecoveredTx, Transaction, block::impersonation_signature, fork::FORKS};
use revm::{Database, ExecuteCommitEvm, MainnetEvm, database::CacheDB, handler::MainnetContext};
use secp256k1::{Message, Secp256k1, SecretKey};

use crate::{
    program::{Parts, program, random_creation},
    random::Random,
    setup::{CHAIN_ID, block_at, with_system_contracts},
    world::{Base, Read, World},
};

/// A block, and the state it begins with.
#[derive(Debug)]
pub struct Case {
    pub block: BlockContext,
    pub base: Base,
    pub transactions: Vec<RecoveredTx>,
    pub config: Config,
}

/// An account whose key is known.
#[derive(Clone, Debug)]
pub struct Key {
    pub address: Address,
    secret: SecretKey,
}

impl Key {
    pub fn new(number: u8) -> Self {
        let secret = SecretKey::from_byte_array([number + 1; 32]).unwrap();
        let public = secret.public_key(&Secp256k1::new()).serialize_uncompressed();
        Self { address: Address::from_raw_public_key(&public[1..]), secret }
    }

    pub fn authorize(&self, chain_id: u64, address: Address, nonce: u64) -> SignedAuthorization {
        let authorization = Authorization { chain_id: U256::from(chain_id), address, nonce };
        let digest = Message::from_digest(authorization.signature_hash().0);
        let (recovery, bytes) = Secp256k1::new().sign_ecdsa_recoverable(digest, &self.secret).serialize_compact();
        authorization.into_signed(Signature::from_bytes_and_parity(&bytes, i32::from(recovery) == 1))
    }
}

/// A transaction of `sender`; nobody checks its signature.
pub fn from<T>(transaction: T, sender: Address) -> RecoveredTx
where
    T: SignableTransaction<Signature>,
    Transaction: From<alloy_consensus::Signed<T>>,
{
    let signed = Transaction::from(transaction.into_signed(impersonation_signature(sender)));
    Arc::new(Recovered::new_unchecked(signed, sender))
}

/// The block of a seed.
pub fn case(seed: u64) -> Case {
    let mut random = Random(seed);
    let fork = if random.chance(50) { random.pick(&FORKS) } else { random.pick(&FORKS[7..]) };
    let cast = Cast::new(&mut random, fork);
    let block = random_block(&mut random, fork, &cast);
    let mut base = Base::new(random_world(&mut random, fork, &cast));
    base.is_slow = random.chance(60);
    base.has_inline_code = random.chance(50);
    let on_invalid = if random.chance(60) { OnInvalid::Skip } else { OnInvalid::Fail };
    let config = Config { on_invalid, allow_contract_senders: random.chance(10), ..Config::default() };
    let transactions = Author::new(&mut random, &block, &base, &cast, &config).transactions();
    if random.chance(12) {
        add_faults(&mut random, &mut base, &cast);
    }
    Case { block, base, transactions, config }
}

/// Who plays in a block.
#[derive(Debug)]
struct Cast {
    keys: Vec<Key>,
    contracts: Vec<Address>,
    parts: Parts,
}

impl Cast {
    fn new(random: &mut Random, fork: Fork) -> Self {
        let keys: Vec<Key> = (0..2 + u8::try_from(random.below(7)).unwrap()).map(Key::new).collect();
        let contracts: Vec<_> = (0..1 + random.below(5))
            .map(|number| Address::with_last_byte(0xc0 + u8::try_from(number).unwrap()))
            .collect();
        let mut addresses: Vec<_> = keys.iter().map(|key| key.address).chain(contracts.clone()).collect();
        addresses.extend([PASSIVE, EMPTY, RICH, RECIPIENT]);
        addresses.push(Address::with_last_byte(1 + u8::try_from(random.below(9)).unwrap()));
        let mut parts = Parts { fork, addresses, creations: Vec::new() };
        let creations: Vec<_> = (0..random.below(4)).map(|_| random_creation(random, &parts)).collect();
        for contract in &contracts {
            parts.addresses.extend(
                creations
                    .iter()
                    .flat_map(|code| [0, 1].map(|salt| contract.create2(B256::with_last_byte(salt), keccak256(code)))),
            );
            parts.addresses.push(contract.create(1));
        }
        parts.creations = creations;
        Self { keys, contracts, parts }
    }
}

/// Never in the state that a block begins with.
const PASSIVE: Address = Address::repeat_byte(0xd1);
/// Mostly in it, and empty.
const EMPTY: Address = Address::repeat_byte(0xd2);
/// As rich as can be.
const RICH: Address = Address::repeat_byte(0xd3);
/// The usual fee recipient.
const RECIPIENT: Address = Address::repeat_byte(0xd4);

fn random_block(random: &mut Random, fork: Fork, cast: &Cast) -> BlockContext {
    let mut block = block_at(fork);
    block.beneficiary = match random.below(10) {
        0..=4 => RECIPIENT,
        5 => EMPTY,
        6 => random.pick(&cast.keys).address,
        _ => random.pick(&cast.parts.addresses),
    };
    block.gas_limit = if random.chance(15) { 300_000 + random.below(3_000_000) } else { 30_000_000 };
    if fork >= Fork::London {
        block.base_fee = random.pick(&[0, 1, 7, 100]);
    }
    if fork >= Fork::Shanghai {
        block.withdrawals = (0..random.below(4))
            .map(|index| Withdrawal {
                index,
                validator_index: index,
                address: random.pick(&cast.parts.addresses),
                amount: random.pick(&[0, 1, 1_000_000_000]),
            })
            .collect();
    }
    if fork < Fork::Paris && random.chance(30) {
        block.ommers = vec![Ommer { height: block.height - 1, beneficiary: random.pick(&cast.parts.addresses) }];
    }
    block.is_dao_fork = fork == Fork::Homestead && random.chance(10);
    block
}

fn random_world(random: &mut Random, fork: Fork, cast: &Cast) -> World {
    let mut world = if random.chance(97) { with_system_contracts(fork) } else { World::default() };
    for key in &cast.keys {
        let balance = match random.below(10) {
            0 => continue,
            1..=2 => U256::from(1 + random.below(3_000_000)),
            3 => U256::from(1 + random.below(100_000_000)),
            4 if random.chance(20) => U256::MAX - U256::from(random.below(1_000_000)),
            _ => U256::from(10u64.pow(18)),
        };
        let nonce = if random.chance(70) { 0 } else { random.below(3) };
        world.put(key.address, balance, nonce);
    }
    // Since Spurious Dragon no empty accounts come into being, and next to none is left.
    let has_empty = random.chance(if fork < Fork::SpuriousDragon { 60 } else { 4 });
    if has_empty {
        world.put(EMPTY, U256::ZERO, 0);
    }
    world.put(RICH, U256::MAX - U256::from(random.below(3)), 0);
    if random.chance(50) {
        world.put(RECIPIENT, U256::from(1 + random.below(3)), 0);
    }
    for &contract in &cast.contracts {
        let most = random.pick(&[3, 3, 12]);
        let statements = 1 + random.below(most);
        world.deploy(contract, &program(random, &cast.parts, statements));
        if random.chance(50) {
            world.set_balance(contract, U256::from(random.below(20)));
        }
        for slot in 0..12 {
            let value = random.word();
            if random.chance(40) && !value.is_zero() {
                world.set(contract, slot, value);
            }
        }
    }
    if random.chance(4) {
        let address = random.pick(&cast.parts.addresses);
        world.set(address, 1, U256::from(1));
    }
    world
}

/// Makes a few reads fail.
fn add_faults(random: &mut Random, base: &mut Base, cast: &Cast) {
    for _ in 0..=random.below(3) {
        let fault = match random.below(5) {
            0 => Read::Account(random.pick(&cast.parts.addresses)),
            _ => Read::Slot(random.pick(&cast.contracts), U256::from(random.below(16))),
        };
        base.faults.insert(fault);
    }
}

/// Writes a block's transactions.
struct Author<'a> {
    random: &'a mut Random,
    block: &'a BlockContext,
    cast: &'a Cast,
    /// What is there so far.
    evm: MainnetEvm<MainnetContext<CacheDB<&'a Base>>>,
    /// Whether transactions that are known to be invalid are left out.
    is_careful: bool,
    style: Style,
}

/// What most transactions of a block do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Transfers,
    OneContract(Address),
    Mixed,
}

/// A transaction before it has a form.
struct Draft {
    sender: Key,
    nonce: u64,
    gas_limit: u64,
    gas_price: u128,
    to: TxKind,
    value: U256,
    input: Vec<u8>,
}

impl<'a> Author<'a> {
    fn new(random: &'a mut Random, block: &'a BlockContext, base: &'a Base, cast: &'a Cast, config: &Config) -> Self {
        let mut evm = new_evm(block, CacheDB::new(base));
        evm.ctx.cfg.disable_eip3607 = config.allow_contract_senders;
        let style = match random.below(4) {
            0 => Style::Transfers,
            1 => Style::OneContract(random.pick(&cast.contracts)),
            _ => Style::Mixed,
        };
        let is_careful = config.on_invalid == OnInvalid::Fail || random.chance(50);
        Self { random, block, cast, evm, is_careful, style }
    }

    fn transactions(mut self) -> Vec<RecoveredTx> {
        let wanted = match self.random.below(10) {
            0..=3 => 2 + self.random.below(10),
            4..=8 => 10 + self.random.below(40),
            _ => 40 + self.random.below(110),
        };
        let mut transactions = Vec::new();
        let mut gas_left = self.block.gas_limit;
        for _ in 0..wanted {
            let transaction = self.transaction();
            let env = transaction_env(&transaction);
            let has_room = env.gas_limit <= gas_left;
            let gas_used =
                if has_room { self.evm.transact_commit(env).ok().map(|result| result.tx_gas_used()) } else { None };
            gas_left -= gas_used.unwrap_or_default();
            let is_kept = gas_used.is_some() || self.random.chance(if self.is_careful { 2 } else { 70 });
            if is_kept {
                transactions.push(transaction);
            }
        }
        transactions
    }

    fn account(&mut self, address: Address) -> (U256, u64) {
        let database = &mut self.evm.ctx.journaled_state.database;
        let info = Database::basic(database, address).unwrap().unwrap_or_default();
        (info.balance, info.nonce)
    }

    fn transaction(&mut self) -> RecoveredTx {
        let sender = self.random.pick(&self.cast.keys);
        let (balance, nonce) = self.account(sender.address);
        let nonce = match self.random.below(100) {
            0 => nonce + 1 + self.random.below(3),
            1 => nonce.saturating_sub(1),
            _ => nonce,
        };
        let base_fee = u128::from(self.block.base_fee);
        let tip = self.random.pick(&[0, 0, 1, 5, 10]);
        let gas_price = if self.random.chance(2) { base_fee.saturating_sub(1) } else { base_fee + tip };
        let mut draft =
            Draft { sender, nonce, gas_limit: 21_000, gas_price, to: TxKind::Create, value: U256::ZERO, input: vec![] };
        self.aim(&mut draft);
        draft.value = self.value(&draft, balance);
        self.dress(draft)
    }

    /// Decides what a transaction does, and with how much gas.
    fn aim(&mut self, draft: &mut Draft) {
        let what = self.random.below(100);
        let (transfers, calls) = match self.style {
            Style::Transfers => (85, 98),
            Style::OneContract(_) => (8, 99),
            Style::Mixed => (35, 92),
        };
        if what < transfers {
            draft.to = TxKind::Call(self.random.pick(&self.cast.parts.addresses));
            draft.gas_limit = self.random.pick(&[21_000, 21_000, 60_000, 100_000]);
        } else if what < calls {
            let address = match self.style {
                Style::OneContract(address) if self.random.chance(90) => address,
                _ if self.random.chance(70) => self.random.pick(&self.cast.contracts),
                _ => self.random.pick(&self.cast.parts.addresses),
            };
            draft.to = TxKind::Call(address);
            draft.input = self.arguments();
            draft.gas_limit = self.random.pick(&[30_000, 60_000, 150_000, 300_000, 300_000, 600_000]);
        } else {
            draft.input = match self.random.below(3) {
                0 if !self.cast.parts.creations.is_empty() => self.random.pick(&self.cast.parts.creations),
                _ => random_creation(self.random, &self.cast.parts),
            };
            draft.gas_limit = self.random.pick(&[60_000, 200_000, 400_000]);
        }
        if self.random.chance(2) {
            draft.gas_limit = self.random.pick(&[20_000, 25_000, self.block.gas_limit, self.block.gas_limit + 1]);
        }
    }

    fn arguments(&mut self) -> Vec<u8> {
        let words = self.random.below(5);
        let mut input = Vec::new();
        for _ in 0..words {
            let word = match self.random.below(10) {
                0..=5 => U256::from(self.random.below(8)),
                6..=8 => U256::from_be_slice(self.random.pick(&self.cast.parts.addresses).as_slice()),
                _ => self.random.word(),
            };
            input.extend(word.to_be_bytes::<32>());
        }
        input
    }

    fn value(&mut self, draft: &Draft, balance: U256) -> U256 {
        let fee = U256::from(draft.gas_limit) * U256::from(draft.gas_price);
        let rest = balance.saturating_sub(fee);
        match self.random.below(40) {
            0..=11 => U256::ZERO,
            12 => rest,
            13 => rest.saturating_add(U256::from(1)),
            14..=16 => rest / U256::from(2),
            17 => rest.saturating_sub(U256::from(self.random.below(30_000))),
            _ => U256::from(1 + self.random.below(10)),
        }
    }

    /// Gives a transaction one of the forms that the fork knows; rarely one that it does not.
    fn dress(&mut self, draft: Draft) -> RecoveredTx {
        let fork = if self.random.chance(1) { Fork::LATEST } else { self.block.fork };
        let kinds = match fork {
            fork if fork >= Fork::Prague => 7,
            fork if fork >= Fork::Cancun => 5,
            fork if fork >= Fork::London => 4,
            fork if fork >= Fork::Berlin => 2,
            _ => 1,
        };
        let Draft { sender, nonce, gas_limit, gas_price, to, value, input } = draft;
        let (input, chain_id) = (Bytes::from(input), CHAIN_ID);
        let tip = self.random.pick(&[0, 1, gas_price]).min(gas_price);
        let kind = self.random.below(kinds);
        let access_list = if kind == 0 { AccessList::default() } else { self.access_list() };
        let (max_fee_per_gas, max_priority_fee_per_gas) = (gas_price, tip);
        match (kind, to) {
            (1, to) => {
                from(TxEip2930 { chain_id, nonce, gas_price, gas_limit, to, value, access_list, input }, sender.address)
            }
            (4, TxKind::Call(to)) => {
                let blob_versioned_hashes = self.blobs();
                let max_fee_per_blob_gas = self.random.pick(&[1, 1, 1, 3, 0]);
                let transaction = TxEip4844 {
                    chain_id,
                    nonce,
                    gas_limit,
                    max_fee_per_gas,
                    max_priority_fee_per_gas,
                    to,
                    value,
                    access_list,
                    blob_versioned_hashes,
                    max_fee_per_blob_gas,
                    input,
                };
                from(transaction, sender.address)
            }
            (5 | 6, TxKind::Call(to)) => {
                let authorization_list = self.authorizations(&sender);
                let gas_limit = gas_limit + 25_000 * authorization_list.len() as u64;
                let transaction = TxEip7702 {
                    chain_id,
                    nonce,
                    gas_limit,
                    max_fee_per_gas,
                    max_priority_fee_per_gas,
                    to,
                    value,
                    access_list,
                    authorization_list,
                    input,
                };
                from(transaction, sender.address)
            }
            (2 | 3, to) => {
                let transaction = TxEip1559 {
                    chain_id,
                    nonce,
                    gas_limit,
                    max_fee_per_gas,
                    max_priority_fee_per_gas,
                    to,
                    value,
                    access_list,
                    input,
                };
                from(transaction, sender.address)
            }
            (_, to) => {
                let chain_id = (self.block.fork >= Fork::SpuriousDragon && self.random.chance(50)).then_some(chain_id);
                from(TxLegacy { chain_id, nonce, gas_price, gas_limit, to, value, input }, sender.address)
            }
        }
    }

    fn access_list(&mut self) -> AccessList {
        let length = if self.random.chance(60) { 0 } else { self.random.below(3) };
        let item = |random: &mut Random, cast: &Cast| AccessListItem {
            address: random.pick(&cast.parts.addresses),
            storage_keys: (0..random.below(3)).map(|slot| B256::from(U256::from(slot))).collect(),
        };
        AccessList((0..length).map(|_| item(self.random, self.cast)).collect())
    }

    fn blobs(&mut self) -> Vec<B256> {
        let version = if self.random.chance(97) { 1 } else { 2 };
        let count = if self.random.chance(97) { 1 + self.random.below(2) } else { self.random.pick(&[0, 30]) };
        let hash = |number: u64| {
            let mut hash = B256::from(U256::from(number));
            hash[0] = version;
            hash
        };
        (0..count).map(hash).collect()
    }

    fn authorizations(&mut self, sender: &Key) -> Vec<SignedAuthorization> {
        (0..self.random.below(4)).map(|_| self.authorization(sender)).collect()
    }

    fn authorization(&mut self, sender: &Key) -> SignedAuthorization {
        let authority = self.random.pick(&self.cast.keys);
        let (_, nonce) = self.account(authority.address);
        let is_own = authority.address == sender.address;
        let nonce = if self.random.chance(10) { nonce + 1 } else { nonce + u64::from(is_own) };
        let target = match self.random.below(10) {
            0..=1 => Address::ZERO,
            2 => self.random.pick(&self.cast.parts.addresses),
            _ => self.random.pick(&self.cast.contracts),
        };
        let chain_id = self.random.pick(&[0, CHAIN_ID, CHAIN_ID, CHAIN_ID, 7]);
        authority.authorize(chain_id, target, nonce)
    }
}
