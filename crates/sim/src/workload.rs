//! What clients send: payments in ether and tokens, calls that all touch one slot, contract creations, and things that go wrong.
//!
//! A client numbers its transactions and expects each number to be used. Like a wallet it sends again what it does not find in
//! the chain, to whichever validator it reaches. *Rich* clients can pay for everything; what they send must be in the chain in the
//! end. *Poor* clients send more than they can pay for, to several validators, so that blocks are ordered with transactions that are
//! invalid when their turn comes.

use std::collections::BTreeMap;

use alloy_consensus::{SignableTransaction, TxEip1559, transaction::Recovered};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, keccak256};
use alloy_signer::SignerSync;
use alloy_signer_local::PrivateKeySigner;
use braid_types::{RecoveredTx, Transaction};

use crate::{
    random::Random,
    world::{CHAIN_ID, CLIENTS, COUNTER, RICH_CLIENTS, TOKEN, key},
};

/// Highest price of gas that clients offer, in wei: the base fee at first is a tenth of it and falls.
pub const MAX_FEE: u64 = 10_000_000_000;

/// Unused numbers of a client before it waits for earlier ones.
const MAX_AHEAD: u64 = 24;

/// Gas of calls and creations.
const CALL_GAS: u64 = 90_000;

/// Creates a contract whose code is the single byte 0.
const CREATION_CODE: [u8; 4] = [0x60, 0x01, 0x5f, 0xf3];

/// `transfer(address,uint256)`.
const TRANSFER_SELECTOR: [u8; 4] = [0xa9, 0x05, 0x9c, 0xbb];

/// A transaction on its way to one or more validators.
#[derive(Clone, Debug)]
pub struct Submission {
    /// The transaction.
    pub transaction: RecoveredTx,
    /// What a validator must answer.
    pub expected: Expected,
}

/// Whether a validator may take a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// It may, or may know a reason not to (it stands in the chain already, another is in its place).
    Anything,
    /// It must refuse: the transaction is wrong in itself.
    Refusal,
}

/// The clients of one simulation.
#[derive(Debug)]
pub struct Workload {
    random: Random,
    clients: Vec<Client>,
}

#[derive(Debug)]
struct Client {
    signer: PrivateKeySigner,
    /// Next number to use.
    next: u64,
    /// What was sent under each number that is not in the chain yet.
    open: BTreeMap<u64, Vec<RecoveredTx>>,
}

impl Workload {
    /// The clients of a simulation.
    pub fn new(random: Random) -> Self {
        let client = |index| Client { signer: key(index), next: 0, open: BTreeMap::new() };
        Self { random, clients: (0..CLIENTS).map(client).collect() }
    }

    /// What clients send in a step: at most `most` actions, some of which are several transactions.
    pub fn step(&mut self, most: u64) -> Vec<Submission> {
        let count = self.random.within(0..=most);
        (0..count).flat_map(|_| self.act()).collect()
    }

    /// What rich clients have sent and not found in the chain.
    pub fn again(&self) -> Vec<Submission> {
        let rich = self.clients.iter().take(RICH_CLIENTS);
        rich.flat_map(|client| client.open.values().flatten()).map(anything).collect()
    }

    /// Clients look at the chain: `nonce_of` tells how many transactions of an account it has.
    pub fn look(&mut self, nonce_of: impl Fn(Address) -> u64) {
        for client in &mut self.clients {
            let used = nonce_of(client.signer.address());
            client.open = client.open.split_off(&used);
            client.next = client.next.max(used);
        }
    }

    /// Accounts of rich clients, and how many transactions of each must be in the chain in the end.
    pub fn expected_nonces(&self) -> BTreeMap<Address, u64> {
        self.clients.iter().take(RICH_CLIENTS).map(|client| (client.signer.address(), client.next)).collect()
    }

    fn act(&mut self) -> Vec<Submission> {
        match self.random.within(0..=99) {
            0..=29 => self.rich(Self::payment),
            30..=59 => self.rich(Self::token_payment),
            60..=69 => self.rich(|_| (TxKind::Call(COUNTER), U256::from(3), Bytes::new(), CALL_GAS)),
            70..=73 => self.rich(|_| (TxKind::Create, U256::ZERO, Bytes::from_static(&CREATION_CODE), CALL_GAS)),
            74..=77 => self.rich(Self::overdraft),
            78..=85 => self.conflict(),
            86..=93 => self.poor(),
            _ => self.wrong(),
        }
    }

    /// One transaction of a rich client that does not wait for too many others.
    fn rich(&mut self, call: impl Fn(&mut Self) -> Call) -> Vec<Submission> {
        let index = self.random.index(RICH_CLIENTS);
        if self.clients[index].open.len() as u64 >= MAX_AHEAD {
            return Vec::new();
        }
        let call = call(self);
        let client = &mut self.clients[index];
        let transaction = client.sign(client.next, call);
        client.open.insert(client.next, vec![transaction.clone()]);
        client.next += 1;
        vec![anything(&transaction)]
    }

    fn payment(&mut self) -> Call {
        let value = U256::from(self.random.within(0..=1_000_000));
        (TxKind::Call(self.receiver()), value, Bytes::new(), 21_000)
    }

    fn token_payment(&mut self) -> Call {
        let amount = self.random.within(0..=100);
        (TxKind::Call(TOKEN), U256::ZERO, transfer(self.receiver(), U256::from(amount)), CALL_GAS)
    }

    /// More tokens than there are: reverts, and is in the chain all the same.
    fn overdraft(&mut self) -> Call {
        (TxKind::Call(TOKEN), U256::ZERO, transfer(self.receiver(), U256::MAX), CALL_GAS)
    }

    /// A client, an account that has something already, or one that nobody has heard of.
    fn receiver(&mut self) -> Address {
        match self.random.within(0..=9) {
            0..=5 => self.clients[self.random.index(CLIENTS)].signer.address(),
            6..=8 => Address::with_last_byte(u8::try_from(self.random.within(0x20..=0x30)).unwrap_or(0x20)),
            _ => Address::from_word(keccak256(self.random.next().to_be_bytes())),
        }
    }

    /// Two transactions under one number, of which at most one can be in the chain.
    fn conflict(&mut self) -> Vec<Submission> {
        let index = self.random.index(RICH_CLIENTS);
        let calls = [self.payment(), self.token_payment()];
        let client = &mut self.clients[index];
        if client.open.len() as u64 >= MAX_AHEAD {
            return Vec::new();
        }
        let both: Vec<RecoveredTx> = calls.into_iter().map(|call| client.sign(client.next, call)).collect();
        client.open.insert(client.next, both.clone());
        client.next += 1;
        both.iter().map(anything).collect()
    }

    /// Three payments that a poor client cannot all pay for, the later ones valid only after the earlier.
    fn poor(&mut self) -> Vec<Submission> {
        let index = RICH_CLIENTS + self.random.index(CLIENTS - RICH_CLIENTS);
        let calls: Vec<Call> = (0..3).map(|_| self.payment()).collect();
        let client = &self.clients[index];
        let numbered = (client.next..).zip(calls);
        numbered.map(|(nonce, call)| anything(&client.sign(nonce, call))).collect()
    }

    /// A transaction that no validator may take.
    fn wrong(&mut self) -> Vec<Submission> {
        let kind = self.random.within(0..=3);
        let call = self.payment();
        let client = &self.clients[self.random.index(RICH_CLIENTS)];
        let mut transaction = client.unsigned(client.next, call);
        match kind {
            0 => transaction.chain_id += 1,
            1 => transaction.gas_limit = 20_999,
            2 => transaction.gas_limit = crate::world::GAS_LIMIT + 1,
            _ => transaction.max_priority_fee_per_gas = transaction.max_fee_per_gas + 1,
        }
        vec![Submission { transaction: client.seal(transaction), expected: Expected::Refusal }]
    }
}

/// To whom, how much, with what data and gas.
type Call = (TxKind, U256, Bytes, u64);

impl Client {
    fn unsigned(&self, nonce: u64, (to, value, input, gas_limit): Call) -> TxEip1559 {
        TxEip1559 {
            chain_id: CHAIN_ID,
            nonce,
            gas_limit,
            max_fee_per_gas: MAX_FEE.into(),
            max_priority_fee_per_gas: 1_000_000,
            to,
            value,
            access_list: alloy_eips::eip2930::AccessList::default(),
            input,
        }
    }

    fn sign(&self, nonce: u64, call: Call) -> RecoveredTx {
        self.seal(self.unsigned(nonce, call))
    }

    /// # Panics
    /// Never: signing with a key in memory cannot fail.
    fn seal(&self, transaction: TxEip1559) -> RecoveredTx {
        let hash: B256 = transaction.signature_hash();
        #[expect(clippy::expect_used, reason = "the key is in memory")]
        let signature = self.signer.sign_hash_sync(&hash).expect("a key in memory signs");
        let signed = Transaction::Eip1559(transaction.into_signed(signature));
        Recovered::new_unchecked(signed, self.signer.address()).into()
    }
}

fn transfer(to: Address, amount: U256) -> Bytes {
    [TRANSFER_SELECTOR.as_slice(), to.into_word().as_slice(), &amount.to_be_bytes::<32>()].concat().into()
}

fn anything(transaction: &RecoveredTx) -> Submission {
    Submission { transaction: RecoveredTx::clone(transaction), expected: Expected::Anything }
}
