//! The configuration: one TOML file. Secrets stand in files of their own, or, as hashes, cannot be used by who reads them.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    path::{Path, PathBuf},
};

use alloy_primitives::Address;
use braid_microloans_arithmetic::Date;
use braid_microloans_ledger::product::{Catalogue, Product};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer};

use crate::{auth::Callers, limits, rails::RailConfig};

/// The configuration file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// `sqlite://FILE` or `postgres://…`. May hold a password.
    #[serde(deserialize_with = "secret")]
    pub database: SecretString,
    /// The file with the master key: 64 hexadecimal digits.
    pub master_key_file: PathBuf,
    /// Where providers reach this service, without a slash at the end.
    pub callback_base: String,
    /// Who may ask for what.
    pub callers: Vec<CallerConfig>,
    /// What is offered.
    #[serde(default)]
    pub products: Vec<Product>,
    /// Mobile money, by the names that products use.
    #[serde(default)]
    pub rails: BTreeMap<String, RailConfig>,
    /// Operators who tell of a rail's numbers when they were given another SIM, by the rails' names.
    #[serde(default)]
    pub sims: BTreeMap<String, SimConfig>,
    /// Text messages to borrowers, if they are to be sent.
    pub messages: Option<MessagesConfig>,
    /// The menus of any telephone, if they are to be served.
    pub ussd: Option<UssdConfig>,
    /// The pages, if they are to be served: read by whoever serves them beside the interface.
    pub pages: Option<toml::Value>,
    /// Public holidays by country, on which no working day ends.
    #[serde(default)]
    pub holidays: BTreeMap<String, Vec<String>>,
    /// Whether accepted loans are funded and paid out without an officer's command.
    #[serde(default = "yes")]
    pub straight_through: bool,
    /// How the worker works.
    #[serde(default)]
    pub worker: WorkerConfig,
    /// The chain that is told what happens to loans, if one is.
    pub chain: Option<ChainConfig>,
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}

const fn yes() -> bool {
    true
}

/// The menus of any telephone (USSD).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UssdConfig {
    /// The number that borrowers are told to call.
    pub phone: String,
    /// The file with a part of the address that only the network's gateway knows: `/SECRET/ussd`. Without it the address is `/ussd`, which is for
    /// machines that nobody else reaches.
    pub secret_file: Option<PathBuf>,
    /// Whether there is a simulated handset, `/handset`, by which everybody can be every number.
    #[serde(default)]
    pub handset: bool,
}

/// A chain with the contracts of micro-loans. Its account has their roles, is an agent of their escrow, and holds what borrowers pay back.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChainConfig {
    /// A node (http or https).
    pub rpc: String,
    /// The file with the account's key: 64 hexadecimal digits.
    pub key_file: PathBuf,
    /// The contract `LoanBook`.
    pub book: Address,
    /// The contract `JournalAnchor`.
    pub journal: Address,
    /// The contract `DonationFund`, if there is a page for donors.
    pub donations: Option<Address>,
    /// What can be donated for, as its public description.
    #[serde(default)]
    pub purposes: Vec<String>,
    /// The contracts `LenderPool`, by currency.
    pub pools: BTreeMap<String, Address>,
}

/// A caller.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallerConfig {
    /// Its name in the audit log.
    pub name: String,
    /// `gateway`, `officer`, `approver`, `treasurer`, `auditor`, `operator`.
    pub role: String,
    /// SHA-256 of its token, in hexadecimal.
    pub token_sha256: String,
}

/// A gateway for text messages, in the manner of Africa's Talking.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MessagesConfig {
    /// Scheme and host.
    pub base_url: String,
    /// The application's name.
    pub username: String,
    /// The file with its key.
    pub api_key_file: PathBuf,
    /// The name that messages come from, if it has one.
    pub sender: Option<String>,
    /// The number that borrowers are told to call.
    pub phone: String,
    /// Seconds for which an answer is waited for.
    #[serde(default = "ten")]
    pub timeout_seconds: u32,
}

/// An operator who tells when a number was given another SIM.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimConfig {
    /// Scheme and host.
    pub base_url: String,
    /// The file with the bearer token.
    pub token_file: PathBuf,
    /// Nothing is paid out for so many days after another SIM, until two people have decided.
    #[serde(default = "week")]
    pub days: u32,
    /// Seconds for which an answer is waited for.
    #[serde(default = "ten")]
    pub timeout_seconds: u32,
}

const fn week() -> u32 {
    7
}

const fn ten() -> u32 {
    10
}

/// How the worker works.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WorkerConfig {
    /// Milliseconds between two looks into the outbox.
    pub pause_ms: u64,
    /// Seconds for which a row of the outbox is one worker's; longer than a provider may take to answer.
    pub lease_seconds: u32,
    /// Seconds between a payment's acknowledgement and the first question about it.
    pub inquire_after_seconds: u32,
    /// Seconds between two rounds of housekeeping.
    pub housekeeping_seconds: u32,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self { pause_ms: 200, lease_seconds: 120, inquire_after_seconds: 5, housekeeping_seconds: 10 }
    }
}

/// What is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file that cannot be read.
    #[error("failed to read {0}")]
    File(PathBuf, #[source] std::io::Error),
    /// A file that is not as it should be.
    #[error("failed to understand {0}")]
    Toml(PathBuf, #[source] Box<toml::de::Error>),
    /// A value that cannot be.
    #[error("{0}")]
    Value(String),
    /// Products or keys that cannot be.
    #[error(transparent)]
    Ledger(#[from] braid_microloans_ledger::LedgerError),
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read or understood.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError::File(path.to_owned(), error))?;
        toml::from_str(&text).map_err(|error| ConfigError::Toml(path.to_owned(), Box::new(error)))
    }

    /// What is offered, checked.
    ///
    /// # Errors
    /// If a product is against the rules, or a holiday is no day.
    pub fn catalogue(&self) -> Result<Catalogue, ConfigError> {
        let mut holidays = BTreeMap::new();
        for (country, days) in &self.holidays {
            let days = days.iter().map(|day| day.parse::<Date>()).collect::<Result<BTreeSet<_>, _>>();
            holidays.insert(country.clone(), days.map_err(|error| ConfigError::Value(error.to_string()))?);
        }
        Ok(Catalogue::new(self.products.clone(), holidays)?)
    }

    /// Who may ask for what, checked.
    ///
    /// # Errors
    /// If a role or hash is none, or two callers have one name or token.
    pub fn callers(&self) -> Result<Callers, ConfigError> {
        if self.callers.len() > limits::MAX_CALLERS {
            return Err(ConfigError::Value(format!("there are at most {} callers", limits::MAX_CALLERS)));
        }
        Callers::new(&self.callers).map_err(ConfigError::Value)
    }

    /// The keys of persons' data, from the file with the master key.
    ///
    /// # Errors
    /// If there is no such file or it holds no key.
    pub fn vault(&self) -> Result<braid_microloans_ledger::vault::Vault, ConfigError> {
        let path = &self.master_key_file;
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError::File(path.clone(), error))?;
        let key = braid_microloans_ledger::vault::master_key(&text)?;
        Ok(braid_microloans_ledger::vault::Vault::new(&key))
    }
}
