//! The chain of the configuration: where its contracts are, and the account that tells them.

use std::{collections::BTreeMap, time::Duration};

use alloy_primitives::{Address, B256, U256, keccak256};
use alloy_sol_types::SolCall;
use braid_microloans_arithmetic::Date;
use braid_microloans_chain::{
    ChainError, Recorder,
    contracts::{JournalAnchor, LenderPool, Token},
    rpc::{Log, Node},
};
use braid_microloans_ledger::{LedgerError, product::Catalogue};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::OnceCell;

use super::day_number;
use crate::{
    config::{ChainConfig, ConfigError},
    rails,
};

/// Longest that a page waits for the chain.
const PATIENCE: Duration = Duration::from_secs(3);

/// A pool of lenders' money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// The contract.
    pub address: Address,
}

/// A chain that is told what happens to loans.
#[derive(Debug)]
pub struct ChainLink {
    node: Node,
    key: SecretString,
    book: Address,
    journal: Address,
    donations: Option<Address>,
    purposes: Vec<String>,
    pools: BTreeMap<String, Pool>,
    ready: OnceCell<Ready>,
}

/// What is known once the chain has answered.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) recorder: Recorder,
    units: BTreeMap<String, u128>,
}

impl Ready {
    /// What a minor unit of a currency is in its pool's token.
    pub(super) fn unit(&self, currency: &str) -> Result<u128, LedgerError> {
        self.units.get(currency).copied().ok_or_else(|| LedgerError::NotFound("pool", currency.to_owned()))
    }
}

/// What the chain has of a day of the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealOnChain {
    /// The root.
    pub root: B256,
    /// The day's first entry.
    pub first_entry: u64,
    /// The day's last entry.
    pub last_entry: u64,
    /// When it was anchored, in seconds since 1970.
    pub anchored_at: u64,
}

impl ChainLink {
    /// The chain of a configuration. It is asked nothing yet.
    ///
    /// # Errors
    /// If there is no key, or no pool for the currency of a product.
    pub fn new(config: &ChainConfig, catalogue: &Catalogue) -> Result<Self, ConfigError> {
        for product in catalogue.products() {
            let (currency, ..) = product.bounds()?;
            if !config.pools.contains_key(currency.code()) {
                let text =
                    format!("product {} is lent in {currency}, for which [chain.pools] names no pool", product.id);
                return Err(ConfigError::Value(text));
            }
        }
        let key = rails::secret(&config.key_file)?;
        if key_of(&key).is_none() {
            let text = format!("{} holds no key of 64 hexadecimal digits", config.key_file.display());
            return Err(ConfigError::Value(text));
        }
        let node = Node::new(config.rpc.as_str()).map_err(|error| ConfigError::Value(error.to_string()))?;
        let pools = config.pools.iter().map(|(code, &address)| (code.clone(), Pool { address })).collect();
        Ok(Self {
            node,
            key,
            book: config.book,
            journal: config.journal,
            donations: config.donations,
            purposes: config.purposes.clone(),
            pools,
            ready: OnceCell::new(),
        })
    }

    /// The node.
    #[must_use]
    pub const fn node(&self) -> &Node {
        &self.node
    }

    /// The contract with the facts of loans.
    #[must_use]
    pub const fn book(&self) -> Address {
        self.book
    }

    /// The contract with donated money, if there is one.
    #[must_use]
    pub const fn donations(&self) -> Option<Address> {
        self.donations
    }

    /// What can be donated for: the hash by which the contract knows it, and its description.
    pub fn purposes(&self) -> impl Iterator<Item = (B256, &str)> {
        self.purposes.iter().map(|purpose| (keccak256(purpose), purpose.as_str()))
    }

    /// The pools by currency.
    #[must_use]
    pub const fn pools(&self) -> &BTreeMap<String, Pool> {
        &self.pools
    }

    pub(super) fn pool(&self, currency: &str) -> Result<Pool, LedgerError> {
        self.pools.get(currency).copied().ok_or_else(|| LedgerError::NotFound("pool", currency.to_owned()))
    }

    /// The account, once the chain has answered what has to be known first; the pools may take from it what borrowers pay back.
    pub(crate) async fn ready(&self) -> Result<&Ready, ChainError> {
        self.ready.get_or_try_init(|| self.connect()).await
    }

    async fn connect(&self) -> Result<Ready, ChainError> {
        let key = key_of(&self.key).ok_or(ChainError::Malformed("key"))?;
        let recorder = Recorder::new(self.node.clone(), key, self.book, self.journal).await?;
        let mut units = BTreeMap::new();
        for (code, pool) in &self.pools {
            let unit = self.node.question(pool.address, &LenderPool::minorUnitCall {}).await?;
            units.insert(code.clone(), u128::try_from(unit).map_err(|_| ChainError::Malformed("minorUnit"))?);
            self.allow(&recorder, pool.address).await?;
        }
        Ok(Ready { recorder, units })
    }

    async fn allow(&self, recorder: &Recorder, pool: Address) -> Result<(), ChainError> {
        let token = self.node.question(pool, &LenderPool::tokenCall {}).await?;
        let question = Token::allowanceCall { owner: recorder.address(), spender: pool };
        if self.node.question(token, &question).await? >= U256::MAX >> 1 {
            return Ok(());
        }
        let call = Token::approveCall { spender: pool, amount: U256::MAX };
        recorder.transact(token, &call.abi_encode().into()).await.map(drop)
    }

    /// What the chain has of a day of the journal; `None` if it has nothing.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn seal_of(&self, day: Date) -> Result<Option<SealOnChain>, ChainError> {
        let day = day_number(day).map_err(|_| ChainError::Malformed("day"))?;
        let seal = self.ask(self.journal, &JournalAnchor::sealOfCall { day }).await?;
        Ok((!seal.root.is_zero()).then_some(SealOnChain {
            root: seal.root,
            first_entry: seal.firstEntry,
            last_entry: seal.lastEntry,
            anchored_at: seal.anchoredAt,
        }))
    }

    /// Whether the chain finds that an entry of the journal is in the anchor of its day.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn is_anchored(&self, day: Date, entry: u64, hash: B256, path: Vec<B256>) -> Result<bool, ChainError> {
        let day = day_number(day).map_err(|_| ChainError::Malformed("day"))?;
        self.ask(self.journal, &JournalAnchor::isAnchoredCall { day, entry, hash, path }).await
    }

    /// Entries of a contract's log, for a page.
    ///
    /// # Errors
    /// If the chain does not answer in time, or refuses to look at so many blocks.
    pub async fn logs(&self, of: Address, topics: &[Option<B256>]) -> Result<Vec<Log>, ChainError> {
        let asked = tokio::time::timeout(PATIENCE, self.node.logs(of, topics)).await;
        asked.unwrap_or(Err(ChainError::Late))
    }

    /// The chain's id, for a page.
    ///
    /// # Errors
    /// If it does not answer in time.
    pub async fn id(&self) -> Result<u64, ChainError> {
        tokio::time::timeout(PATIENCE, self.node.chain_id()).await.unwrap_or(Err(ChainError::Late))
    }

    /// Asks a contract for a page, which does not wait for long.
    ///
    /// # Errors
    /// If it does not answer in time.
    pub async fn ask<C: SolCall>(&self, to: Address, call: &C) -> Result<C::Return, ChainError> {
        let asked = tokio::time::timeout(PATIENCE, self.node.question(to, call)).await;
        asked.unwrap_or(Err(ChainError::Late))
    }
}

fn key_of(secret: &SecretString) -> Option<B256> {
    secret.expose_secret().trim().parse().ok()
}
