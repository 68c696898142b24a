//! A second opinion on what blocks do: accounts kept from transactions, receipts and logs alone.
//!
//! The rules of the simulated chain are simple enough to be written down twice: contracts never send ether, nobody destroys any
//! but the base fee, tokens move as their logs say. So the books of all accounts, kept from what a block holds and what its
//! receipts say, must be those of the state that execution left, account by account.

use std::collections::BTreeMap;

use alloy_consensus::Transaction as _;
use alloy_genesis::Genesis;
use alloy_primitives::{Address, B256, Log, U256, keccak256};
use braid_chain::state::State;
use braid_types::{ExecutedBlock, RecoveredTx};

use crate::world::{COUNTER, TOKEN, TRANSFER_TOPIC};

/// Books and state, or a block and its receipts, disagree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum BookError {
    #[error("{receipts} receipts for {transactions} transactions")]
    Receipts { transactions: usize, receipts: usize },
    #[error("transaction {hash} has number {found}, its sender's next is {expected}")]
    Nonce { hash: B256, found: u64, expected: u64 },
    #[error("gas of the receipts adds up to {receipts}, the header has {header}")]
    Gas { receipts: u64, header: u64 },
    #[error("{account} cannot have paid {amount} wei or tokens")]
    Overdrawn { account: Address, amount: U256 },
    #[error("transaction {hash} pays less than the base fee")]
    Price { hash: B256 },
    #[error("account {key} has balance {state} in the state, {books} in the books")]
    Balance { key: B256, state: U256, books: U256 },
    #[error("account {key} has sent {state} transactions by the state, {books} by the books")]
    Sent { key: B256, state: u64, books: u64 },
    #[error("all accounts have {state} wei, they should have {books}")]
    Supply { state: U256, books: U256 },
    #[error("token slot {key} has {state}, the books have {books}")]
    Token { key: B256, state: U256, books: U256 },
    #[error("all token balances are {state}, they should be {books}")]
    TokenSupply { state: U256, books: U256 },
    #[error("the counter is at {state}, the books are at {books}")]
    Counter { state: U256, books: U256 },
}

/// See the [module](self).
#[derive(Clone, Debug)]
pub struct Books {
    wei: BTreeMap<Address, U256>,
    sent: BTreeMap<Address, u64>,
    tokens: BTreeMap<Address, U256>,
    counter: U256,
    /// Wei of all accounts at genesis, less what base fees have burnt.
    supply: U256,
}

impl Books {
    /// The books at genesis.
    pub fn new(genesis: &Genesis) -> Self {
        let wei: BTreeMap<_, _> = genesis.alloc.iter().map(|(address, account)| (*address, account.balance)).collect();
        let sent = genesis.alloc.iter().map(|(address, account)| (*address, account.nonce.unwrap_or_default()));
        let token = genesis.alloc.get(&TOKEN).and_then(|account| account.storage.clone()).unwrap_or_default();
        let tokens = token.into_iter().map(|(slot, value)| (Address::from_word(slot), value.into()));
        let supply = wei.values().sum();
        Self { sent: sent.collect(), tokens: tokens.collect(), counter: U256::ZERO, supply, wei }
    }

    /// Enters a block, and compares with the state after it.
    ///
    /// # Errors
    /// The first thing that does not add up.
    pub fn enter(&mut self, block: &ExecutedBlock, state: &State) -> Result<(), BookError> {
        let transactions = &block.block.transactions;
        if transactions.len() != block.receipts.len() {
            return Err(BookError::Receipts { transactions: transactions.len(), receipts: block.receipts.len() });
        }
        let mut gas = 0;
        for (transaction, receipt) in transactions.iter().zip(&block.receipts) {
            let used = receipt.cumulative_gas_used() - gas;
            gas = receipt.cumulative_gas_used();
            self.enter_transaction(block, transaction, used, receipt.status())?;
            for log in receipt.logs() {
                self.enter_log(log)?;
            }
        }
        if gas != block.block.header.gas_used {
            return Err(BookError::Gas { receipts: gas, header: block.block.header.gas_used });
        }
        self.compare(state)
    }

    fn enter_transaction(
        &mut self,
        block: &ExecutedBlock,
        transaction: &RecoveredTx,
        gas_used: u64,
        succeeded: bool,
    ) -> Result<(), BookError> {
        let (hash, sender, nonce) = (*transaction.tx_hash(), transaction.signer(), transaction.nonce());
        let expected = self.sent.entry(sender).or_default();
        if *expected != nonce {
            return Err(BookError::Nonce { hash, found: nonce, expected: *expected });
        }
        *expected += 1;
        let base_fee = block.block.header.base_fee_per_gas.unwrap_or_default();
        let price = transaction.effective_gas_price(Some(base_fee));
        let tip = price.checked_sub(base_fee.into()).ok_or(BookError::Price { hash })?;
        let gas_used = U256::from(gas_used);
        self.pay(sender, gas_used * U256::from(price))?;
        *self.wei.entry(block.block.header.beneficiary).or_default() += gas_used * U256::from(tip);
        self.supply -= gas_used * U256::from(base_fee);
        let to = transaction.to().unwrap_or_else(|| sender.create(nonce));
        if succeeded {
            self.pay(sender, transaction.value())?;
            *self.wei.entry(to).or_default() += transaction.value();
            self.counter += U256::from(u8::from(to == COUNTER));
            if transaction.is_create() {
                self.sent.insert(to, 1);
            }
        }
        Ok(())
    }

    fn pay(&mut self, account: Address, amount: U256) -> Result<(), BookError> {
        take(&mut self.wei, account, amount)
    }

    fn enter_log(&mut self, log: &Log) -> Result<(), BookError> {
        let &[TRANSFER_TOPIC, from, to] = log.topics() else { return Ok(()) };
        if log.address == TOKEN {
            let amount = U256::from_be_slice(&log.data.data);
            take(&mut self.tokens, Address::from_word(from), amount)?;
            *self.tokens.entry(Address::from_word(to)).or_default() += amount;
        }
        Ok(())
    }

    /// Compares every account of the state, every balance of the token, and the sums.
    fn compare(&self, state: &State) -> Result<(), BookError> {
        let wei = by_hash(&self.wei, |address| keccak256(address));
        let sent = by_hash(&self.sent, |address| keccak256(address));
        let (mut supply, mut found) = (U256::ZERO, Ok(()));
        state.for_each(|key, account, _| {
            supply += account.balance;
            let books = wei.get(&key).copied().unwrap_or_default();
            if account.balance != books {
                found = Err(BookError::Balance { key, state: account.balance, books });
            }
            let books = sent.get(&key).copied().unwrap_or_default();
            if account.nonce != books {
                found = Err(BookError::Sent { key, state: account.nonce, books });
            }
        });
        found?;
        if supply != self.supply {
            return Err(BookError::Supply { state: supply, books: self.supply });
        }
        let counter = state.storage(COUNTER, U256::ZERO);
        if counter != self.counter {
            return Err(BookError::Counter { state: counter, books: self.counter });
        }
        self.compare_tokens(state)
    }

    fn compare_tokens(&self, state: &State) -> Result<(), BookError> {
        let tokens = by_hash(&self.tokens, |address| keccak256(address.into_word()));
        let token = keccak256(TOKEN);
        let (mut supply, mut found) = (U256::ZERO, Ok(()));
        state.for_each(|account, _, slots| {
            for (key, value) in slots.filter(|_| account == token) {
                supply += value;
                let books = tokens.get(&key).copied().unwrap_or_default();
                if value != books {
                    found = Err(BookError::Token { key, state: value, books });
                }
            }
        });
        found?;
        let books = self.tokens.values().sum();
        if supply == books { Ok(()) } else { Err(BookError::TokenSupply { state: supply, books }) }
    }
}

fn take(accounts: &mut BTreeMap<Address, U256>, account: Address, amount: U256) -> Result<(), BookError> {
    let balance = accounts.entry(account).or_default();
    *balance = balance.checked_sub(amount).ok_or(BookError::Overdrawn { account, amount })?;
    Ok(())
}

fn by_hash<T: Copy>(accounts: &BTreeMap<Address, T>, hash: impl Fn(&Address) -> B256) -> BTreeMap<B256, T> {
    accounts.iter().map(|(address, value)| (hash(address), *value)).collect()
}
