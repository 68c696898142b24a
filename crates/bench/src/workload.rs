//! What is measured: each workload sets up a world and makes the transactions of one block.
//!
//! Every transaction is valid and succeeds (or fails, where a workload is about that); this is checked. Slots that many
//! transactions write are not zero before the block, as on a chain that has been in use.

mod auction;
mod erc20;
mod eth;
mod governor;
mod microloans;
mod mix;
mod public;
mod suite;
mod uniswap_v2;
mod uniswap_v3;
mod worst;

use std::sync::Arc;

use alloy_primitives::Address;
use braid_types::RecoveredTx;

use crate::{
    measure::Sample,
    world::{SetUpError, World},
};

/// A kind of block.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    /// What it is called on the command line and in reports.
    pub name: &'static str,
    /// What the transactions do.
    pub about: &'static str,
    /// Transactions of the block, unless another number is asked for.
    pub transactions: usize,
    /// Whether the transactions succeed.
    succeeds: bool,
    /// Whether the block carries its access list (EIP-7928).
    has_access_list: bool,
    build: Build,
}

/// Sets up a world and makes so many transactions.
type Build = fn(&mut World, usize) -> Result<Vec<RecoveredTx>, SetUpError>;

impl Workload {
    const fn new(name: &'static str, about: &'static str, transactions: usize, build: Build) -> Self {
        Self { name, about, transactions, succeeds: true, has_access_list: false, build }
    }

    const fn failing(name: &'static str, about: &'static str, transactions: usize, build: Build) -> Self {
        Self { succeeds: false, ..Self::new(name, about, transactions, build) }
    }

    const fn with_access_list(name: &'static str, about: &'static str, transactions: usize, build: Build) -> Self {
        Self { has_access_list: true, ..Self::new(name, about, transactions, build) }
    }

    /// Builds the block and the state it runs on.
    ///
    /// # Errors
    /// If the set-up fails, or the transactions do not end as they should.
    pub fn sample(&self, transactions: Option<usize>) -> Result<Sample, SetUpError> {
        let mut world = World::new();
        let transactions = (self.build)(&mut world, transactions.unwrap_or(self.transactions))?;
        let access_list = world.check(&transactions, self.succeeds)?.filter(|_| self.has_access_list);
        let (name, context, state) = (self.name.to_owned(), world.context(), world.into_state());
        Ok(Sample { name, context, transactions, state, access_list: access_list.map(Arc::new) })
    }
}

/// All workloads, in the order of reports.
pub fn all() -> impl Iterator<Item = &'static Workload> {
    let groups = [
        eth::WORKLOADS,
        erc20::WORKLOADS,
        uniswap_v2::WORKLOADS,
        uniswap_v3::WORKLOADS,
        governor::WORKLOADS,
        auction::WORKLOADS,
        suite::WORKLOADS,
        public::WORKLOADS,
        microloans::WORKLOADS,
        worst::WORKLOADS,
        mix::WORKLOADS,
    ];
    groups.into_iter().flatten()
}

/// The workload called `name`, or all whose name begins with it and a dash.
pub fn find(name: &str) -> Vec<&'static Workload> {
    if name == "all" {
        return all().collect();
    }
    let exact: Vec<_> = all().filter(|workload| workload.name == name).collect();
    if !exact.is_empty() {
        return exact;
    }
    let begins = |workload: &&Workload| workload.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('-'));
    all().filter(begins).collect()
}

/// So many users of one family.
fn users(world: &mut World, kind: &str, count: usize) -> Vec<Address> {
    (0..count).map(|number| world.user(kind, number)).collect()
}
