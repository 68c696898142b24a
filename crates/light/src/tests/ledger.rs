//! A block of the Ethereum chain with accounts, transactions of every type and their receipts, and proofs of them.

use std::collections::BTreeMap;

use alloy_consensus::{
    Eip658Value, Header, Receipt, ReceiptEnvelope, SignableTransaction, TxEip1559, TxEip2930, TxEip4844, TxEip7702,
    TxEnvelope, TxLegacy,
};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, B256, Bytes, Log, Signature, U64, U256, keccak256};
use alloy_trie::{HashBuilder, Nibbles, proof::ProofRetainer};

use crate::{
    ethereum::{Account, EMPTY_CODE},
    proof::{AccountClaim, ReceiptClaim, SlotClaim},
    trie::EMPTY_ROOT,
};

/// A trie that proves.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trie(pub(crate) BTreeMap<Vec<u8>, Vec<u8>>);

impl Trie {
    fn build(&self, targets: Vec<Nibbles>) -> HashBuilder {
        let mut builder = HashBuilder::default().with_proof_retainer(ProofRetainer::new(targets));
        self.0.iter().for_each(|(key, value)| builder.add_leaf(Nibbles::unpack(key), value));
        builder
    }

    pub(crate) fn root(&self) -> B256 {
        self.build(Vec::new()).root()
    }

    pub(crate) fn prove(&self, key: &[u8]) -> Vec<Bytes> {
        let key = Nibbles::unpack(key);
        let mut builder = self.build(vec![key]);
        builder.root();
        let nodes = builder.take_proof_nodes().matching_nodes_sorted(&key);
        // Nodes inside others are listed as well; nobody needs them twice.
        let is_own = |(path, node): &(Nibbles, Bytes)| path.is_empty() || node.len() >= 32;
        nodes.into_iter().filter(is_own).map(|(_, node)| node).collect()
    }
}

pub(crate) const RICH: Address = Address::repeat_byte(0x11);
pub(crate) const CONTRACT: Address = Address::repeat_byte(0x22);
pub(crate) const EMPTY: Address = Address::repeat_byte(0x33);
pub(crate) const NOBODY: Address = Address::repeat_byte(0x44);

/// A block and all that it commits to.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    pub(crate) header: Header,
    accounts: BTreeMap<Address, Account>,
    state: Trie,
    storage: Trie,
    pub(crate) slots: BTreeMap<U256, U256>,
    pub(crate) transactions: Vec<TxEnvelope>,
    pub(crate) receipts: Vec<ReceiptEnvelope>,
}

fn transactions() -> Vec<TxEnvelope> {
    let signature = Signature::test_signature();
    let input = Bytes::from(vec![0x5a; 100]);
    let to = Address::repeat_byte(0x99);
    vec![
        TxLegacy { input: input.clone(), ..Default::default() }.into_signed(signature).into(),
        TxEip2930 { input: input.clone(), ..Default::default() }.into_signed(signature).into(),
        TxEip1559 { input: input.clone(), ..Default::default() }.into_signed(signature).into(),
        TxEip4844 { to, input: input.clone(), ..Default::default() }.into_signed(signature).into(),
        TxEip7702 { to, input, ..Default::default() }.into_signed(signature).into(),
    ]
}

fn receipt(transaction: &TxEnvelope, index: usize) -> ReceiptEnvelope {
    let log = |count: u8| {
        Log::new(Address::repeat_byte(count), vec![B256::repeat_byte(count); count.into()], vec![count; 70].into())
    };
    let receipt = Receipt {
        status: Eip658Value::Eip658(!index.is_multiple_of(3)),
        cumulative_gas_used: 21_000 * (index as u64 + 1),
        logs: (0..u8::try_from(index % 5).unwrap()).map(|count| log(count).unwrap()).collect(),
    };
    ReceiptEnvelope::from_typed(transaction.tx_type(), receipt)
}

impl Ledger {
    /// A block at `height` with `rounds` times one transaction of each type.
    pub(crate) fn new(height: u64, rounds: usize) -> Self {
        let slots: BTreeMap<U256, U256> =
            (1..=40).map(|slot| (U256::from(slot), U256::MAX / U256::from(slot))).collect();
        let storage = Trie(
            slots
                .iter()
                .map(|(slot, value)| (keccak256(slot.to_be_bytes::<32>()).to_vec(), alloy_rlp::encode(value)))
                .collect(),
        );
        let accounts = accounts(storage.root());
        let state =
            Trie(accounts.iter().map(|(who, account)| (keccak256(who).to_vec(), alloy_rlp::encode(account))).collect());
        let transactions: Vec<_> = (0..rounds).flat_map(|_| transactions()).collect();
        let receipts: Vec<_> =
            transactions.iter().enumerate().map(|(index, transaction)| receipt(transaction, index)).collect();
        let mut ledger = Self { header: Header::default(), accounts, state, storage, slots, transactions, receipts };
        ledger.header = Header {
            number: height,
            parent_hash: B256::repeat_byte(0x0f),
            timestamp: 1_763_850_000,
            state_root: ledger.state.root(),
            transactions_root: ordered(&ledger.transactions).root(),
            receipts_root: ordered(&ledger.receipts).root(),
            extra_data: vec![7; 32].into(),
            base_fee_per_gas: Some(7),
            ..Header::default()
        };
        ledger
    }

    pub(crate) fn account(&self, address: Address, slots: &[U256]) -> AccountClaim {
        let account = self.accounts.get(&address).cloned().unwrap_or(Account::EMPTY);
        AccountClaim {
            address,
            balance: account.balance,
            code_hash: account.code_hash,
            nonce: U64::from(account.nonce),
            storage_hash: account.storage_root,
            account_proof: self.state.prove(keccak256(address).as_slice()),
            storage_proof: slots.iter().map(|slot| self.slot(account.storage_root, *slot)).collect(),
        }
    }

    fn slot(&self, root: B256, key: U256) -> SlotClaim {
        if root == EMPTY_ROOT {
            return SlotClaim { key, value: U256::ZERO, proof: Vec::new() };
        }
        let proof = self.storage.prove(keccak256(key.to_be_bytes::<32>()).as_slice());
        SlotClaim { key, value: self.slots.get(&key).copied().unwrap_or_default(), proof }
    }

    pub(crate) fn receipt(&self, index: usize) -> ReceiptClaim {
        let key = alloy_rlp::encode(index);
        ReceiptClaim {
            transaction_hash: *self.transactions[index].tx_hash(),
            transaction_index: U64::from(index),
            transaction: self.transactions[index].encoded_2718().into(),
            transaction_proof: ordered(&self.transactions).prove(&key),
            receipt: self.receipts[index].encoded_2718().into(),
            receipt_proof: ordered(&self.receipts).prove(&key),
        }
    }
}

fn ordered(items: &[impl Encodable2718]) -> Trie {
    Trie(items.iter().enumerate().map(|(index, item)| (alloy_rlp::encode(index), item.encoded_2718())).collect())
}

/// Many accounts, so that the trie has several levels; one with storage, and one that is there and empty.
fn accounts(storage_root: B256) -> BTreeMap<Address, Account> {
    let account = |nonce, balance| Account { nonce, balance: U256::from(balance), ..Account::EMPTY };
    let mut accounts: BTreeMap<_, _> = (0..200_u64)
        .map(|index| (Address::from_word(keccak256(index.to_be_bytes())), account(index, 5 * index + 1)))
        .collect();
    accounts.insert(RICH, account(7, u64::MAX));
    accounts.insert(CONTRACT, Account { storage_root, code_hash: keccak256(b"code"), ..account(1, 0) });
    accounts.insert(EMPTY, Account { code_hash: EMPTY_CODE, ..account(0, 0) });
    accounts
}
