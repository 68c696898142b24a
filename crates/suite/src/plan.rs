//! What a suite is made of: contracts, and steps that know whether they are done.

use alloy_primitives::{Address, Bytes, U256};
use alloy_sol_types::SolCall;

use crate::{
    artefact::{Artefact, ArtefactError},
    compliance, derivatives, exchange, governance, lending, microloans, oracles, proxy, staking, tokens,
};

/// The contracts of one owner, and how they are put on a chain.
#[derive(Clone, Debug)]
pub struct Suite {
    /// Who administers what has an administrator, and sends every transaction.
    pub owner: Address,
    /// The contracts, each after those that its constructor asks.
    pub contracts: Vec<Contract>,
    /// What happens when they are there, in this order.
    pub steps: Vec<Step>,
    /// Money of the suite: tokens that the owner can mint.
    pub currencies: Vec<Address>,
    /// Where the holders of regulated assets are registered, by the owner.
    pub registries: Vec<Registry>,
}

/// Where holders of a regulated asset are registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registry {
    /// The registry's contract.
    pub address: Address,
    /// The identity that accounts for trying out share; `None` where each is its own.
    pub identity: Option<Address>,
}

/// A contract of the suite.
#[derive(Clone, Debug)]
pub struct Contract {
    /// What it is called: letters, digits and dashes, different from all others.
    pub name: String,
    /// What it is, in a few words.
    pub about: String,
    /// What it was compiled to.
    pub artefact: Artefact,
    /// Where it is.
    pub address: Address,
    /// What creates it, with the constructor's arguments; `None` if a step does.
    pub init_code: Option<Bytes>,
}

/// A transaction of the owner's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Transaction {
    /// Whom it calls.
    pub to: Address,
    /// Wei it brings.
    pub value: U256,
    /// Call data.
    pub input: Bytes,
}

/// A question to a contract, and what a word of the answer has to be.
#[derive(Clone, Debug)]
pub struct Condition {
    /// Who is asked.
    pub to: Address,
    /// The question.
    pub input: Bytes,
    /// Which word of the answer is meant; the first is 0.
    pub word: usize,
    /// What it has to be.
    pub expected: Expected,
}

/// What a word has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// So much or more.
    AtLeast(U256),
    /// Anything else.
    OtherThan(U256),
    /// Zero, or no.
    Zero,
}

/// Something to do, unless it is done.
#[derive(Clone, Debug)]
pub struct Step {
    /// What it is for.
    pub about: String,
    /// Why it is there.
    pub purpose: Purpose,
    /// Holds once it is done. A step within another need not hold for ever: it is not asked once the outer one is done.
    pub done: Condition,
    /// How it is done.
    pub act: Act,
}

/// Why a step is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The suite needs it.
    Wiring,
    /// It fills markets, for a chain on which the money is for trying out.
    Seed,
}

/// How a step is done.
#[derive(Clone, Debug)]
pub enum Act {
    /// By a transaction.
    Send(Transaction),
    /// One after the other.
    All(Vec<Step>),
}

impl Suite {
    /// The suite of `owner`.
    ///
    /// # Errors
    /// If an artefact is malformed.
    pub fn new(owner: Address) -> Result<Self, ArtefactError> {
        Self::with_teller(owner, owner)
    }

    /// The suite of `owner`, in which `teller` too tells what happens to micro-loans.
    ///
    /// # Errors
    /// If an artefact is malformed.
    pub fn with_teller(owner: Address, teller: Address) -> Result<Self, ArtefactError> {
        let (contracts, steps, currencies, registries) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut suite = Self { owner, contracts, steps, currencies, registries };
        let tokens = tokens::add(&mut suite)?;
        let timelock = governance::add(&mut suite, &tokens)?;
        compliance::add(&mut suite, &tokens, timelock)?;
        let ether_pool = exchange::add(&mut suite, &tokens)?;
        let ether_price = lending::add(&mut suite, &tokens, timelock)?;
        oracles::add(&mut suite, &tokens, ether_pool, ether_price)?;
        staking::add(&mut suite, &tokens, timelock)?;
        derivatives::add(&mut suite, &tokens, ether_price, timelock)?;
        microloans::add(&mut suite, &tokens, timelock, teller)?;
        Ok(suite)
    }

    /// Adds a contract with ABI-encoded constructor arguments; returns its address.
    ///
    /// # Errors
    /// If the artefact is malformed.
    pub(crate) fn contract(
        &mut self,
        name: impl Into<String>,
        about: impl Into<String>,
        artefact: Artefact,
        arguments: &[u8],
    ) -> Result<Address, ArtefactError> {
        let init_code = Bytes::from([&artefact.code()?[..], arguments].concat());
        let address = proxy::address_of(&init_code);
        let (name, about) = (name.into(), about.into());
        self.contracts.push(Contract { name, about, artefact, address, init_code: Some(init_code) });
        Ok(address)
    }

    /// Adds a contract whose constructor asks what steps have made, with ABI-encoded arguments; `done` holds once it is there.
    ///
    /// # Errors
    /// If the artefact is malformed.
    pub(crate) fn contract_afterwards(
        &mut self,
        name: &str,
        about: &str,
        artefact: Artefact,
        arguments: &[u8],
        done: impl FnOnce(Address) -> Condition,
    ) -> Result<Address, ArtefactError> {
        let address = self.contract(name, about, artefact, arguments)?;
        if let Some(contract) = self.contracts.last_mut()
            && let Some(transaction) = contract.deployment()
        {
            contract.init_code = None;
            let (about, purpose, act) = (name.to_owned(), Purpose::Wiring, Act::Send(transaction));
            self.steps.push(Step { about, purpose, done: done(address), act });
        }
        Ok(address)
    }

    /// Adds a contract that a step makes at a known address.
    pub(crate) fn made(
        &mut self,
        name: impl Into<String>,
        about: impl Into<String>,
        artefact: Artefact,
        address: Address,
    ) {
        let (name, about) = (name.into(), about.into());
        self.contracts.push(Contract { name, about, artefact, address, init_code: None });
    }

    /// The contract called so.
    pub fn find(&self, name: &str) -> Option<&Contract> {
        self.contracts.iter().find(|contract| contract.name.eq_ignore_ascii_case(name))
    }

    /// What creates the contracts, in order.
    pub fn deployments(&self) -> impl Iterator<Item = (&Contract, Transaction)> {
        self.contracts.iter().filter_map(|contract| Some((contract, contract.deployment()?)))
    }

    /// Every transaction that puts the suite where nothing of it is, in order.
    pub fn transactions(&self) -> Vec<Transaction> {
        let mut transactions: Vec<_> = self.deployments().map(|(_, transaction)| transaction).collect();
        for step in &self.steps {
            step.collect(&mut transactions);
        }
        transactions
    }

    /// Adds a step that registers every one of `accounts` as an investor, and gives it some of every currency.
    pub fn hand_out(&mut self, accounts: &[Address]) {
        let mut steps = Vec::new();
        for &account in accounts {
            // The owner is one from the beginning.
            if account != self.owner {
                steps.extend(self.registries.iter().map(|registry| registry.registered(account)));
            }
            steps.extend(tokens::hand_out(&self.currencies, account));
        }
        if let Some(last) = steps.last() {
            let done = last.done.clone();
            self.steps.push(Step::all("money for the accounts", done, steps));
        }
    }
}

impl Contract {
    /// What creates it; `None` if a step does.
    pub fn deployment(&self) -> Option<Transaction> {
        let init_code = self.init_code.as_ref()?;
        let input = Bytes::from([proxy::SALT.as_slice(), init_code].concat());
        Some(Transaction { to: proxy::ADDRESS, value: U256::ZERO, input })
    }
}

impl Step {
    /// A call of a function, done when `done` holds.
    pub(crate) fn call(about: impl Into<String>, to: Address, call: &impl SolCall, done: Condition) -> Self {
        let act = Act::Send(Transaction { to, value: U256::ZERO, input: call.abi_encode().into() });
        Self { about: about.into(), purpose: Purpose::Seed, done, act }
    }

    /// Several steps as one, which is done when `done` holds.
    pub(crate) fn all(about: impl Into<String>, done: Condition, steps: Vec<Self>) -> Self {
        Self { about: about.into(), purpose: Purpose::Seed, done, act: Act::All(steps) }
    }

    /// The same, for a suite without seeds too.
    pub(crate) fn wiring(self) -> Self {
        Self { purpose: Purpose::Wiring, ..self }
    }

    /// The same with wei.
    pub(crate) fn with_value(mut self, wei: U256) -> Self {
        if let Act::Send(transaction) = &mut self.act {
            transaction.value = wei;
        }
        self
    }

    fn collect(&self, transactions: &mut Vec<Transaction>) {
        match &self.act {
            Act::Send(transaction) => transactions.push(transaction.clone()),
            Act::All(steps) => steps.iter().for_each(|step| step.collect(transactions)),
        }
    }

    /// The questions of this step and those within it, outer ones first.
    pub fn conditions(&self) -> Vec<&Condition> {
        let mut conditions = vec![&self.done];
        if let Act::All(steps) = &self.act {
            conditions.extend(steps.iter().flat_map(Self::conditions));
        }
        conditions
    }

    /// What is to be sent, in order. `holds` is asked for conditions in the order of [`Self::conditions`], each once, and answers
    /// whether they hold.
    pub fn outstanding(&self, holds: &mut impl FnMut() -> bool) -> Vec<(&Self, &Transaction)> {
        let is_done = holds();
        let mut left = match &self.act {
            Act::Send(transaction) => vec![(self, transaction)],
            Act::All(steps) => steps.iter().flat_map(|step| step.outstanding(holds)).collect(),
        };
        if is_done {
            left.clear();
        }
        left
    }
}

impl Condition {
    fn new(to: Address, call: &impl SolCall, expected: Expected) -> Self {
        Self { to, input: call.abi_encode().into(), word: 0, expected }
    }

    /// `to` answers `call` with `least` or more.
    pub(crate) fn at_least(to: Address, call: &impl SolCall, least: U256) -> Self {
        Self::new(to, call, Expected::AtLeast(least))
    }

    /// `to` answers `call` with anything but zero, or with yes.
    pub(crate) fn not_zero(to: Address, call: &impl SolCall) -> Self {
        Self::at_least(to, call, U256::ONE)
    }

    /// `to` answers `call` with zero, or with no.
    pub(crate) fn zero(to: Address, call: &impl SolCall) -> Self {
        Self::new(to, call, Expected::Zero)
    }

    /// `to` answers `call` with another address than this.
    pub(crate) fn not_address(to: Address, call: &impl SolCall, address: Address) -> Self {
        Self::new(to, call, Expected::OtherThan(address.into_word().into()))
    }

    /// The same of another word of the answer.
    pub(crate) fn of_word(self, word: usize) -> Self {
        Self { word, ..self }
    }

    /// Whether the answer is as expected. None at all is not: there is no contract.
    pub fn holds(&self, answer: &[u8]) -> bool {
        let Some(word) = answer.chunks_exact(32).nth(self.word).map(U256::from_be_slice) else {
            return false;
        };
        match self.expected {
            Expected::AtLeast(least) => word >= least,
            Expected::OtherThan(other) => word != other,
            Expected::Zero => word.is_zero(),
        }
    }
}
