//! The suite in a genesis, as if it had been deployed before the first block.
//!
//! The plan is executed on the genesis, and what it leaves behind becomes part of it: code, storage, balances of contracts. Accounts
//! that the genesis has keep what they have, the owner's nonce and ether included. There are no blocks, receipts and logs of it.

use std::collections::BTreeMap;

use alloy_genesis::{Genesis, GenesisAccount};
use alloy_primitives::{Address, B256, Bytes};
use braid_suite::Suite;
use braid_types::{AccountChange, Fork};
use eyre::Context;

use super::simulate::simulate;

/// The fork that the contracts need: transient storage came with it.
pub(crate) const NEEDS: Fork = Fork::Cancun;

/// Adds the suite of `owner`, and money for `accounts`; `teller` tells what happens to micro-loans.
///
/// # Errors
/// If a step of the plan fails, which none does on a genesis for development.
pub(crate) fn add(genesis: &mut Genesis, owner: Address, teller: Address, accounts: &[Address]) -> eyre::Result<()> {
    let mut suite = Suite::with_teller(owner, teller)?;
    suite.hand_out(accounts);
    let simulated = simulate(genesis, &suite).wrap_err("failed to put the contracts into the genesis")?;
    let codes = simulated.changes.codes;
    for (address, change) in simulated.changes.accounts {
        if address == owner || genesis.alloc.contains_key(&address) {
            continue;
        }
        if let Some(account) = account(change, &codes) {
            genesis.alloc.insert(address, account);
        }
    }
    Ok(())
}

fn account(change: AccountChange, codes: &BTreeMap<B256, Bytes>) -> Option<GenesisAccount> {
    let account = change.account?;
    let storage = change.storage.into_iter().filter(|(_, value)| !value.is_zero());
    Some(GenesisAccount {
        nonce: Some(account.nonce),
        balance: account.balance,
        code: codes.get(&account.code_hash).cloned(),
        storage: Some(storage.map(|(slot, value)| (slot.into(), value.into())).collect()),
        private_key: None,
    })
}

#[cfg(test)]
mod tests {
    use alloy_primitives::U256;
    use braid_chain::genesis::genesis_block;
    use braid_suite::proxy;
    use braid_types::ChainSpec;

    use super::*;
    use crate::dev::genesis::DevGenesis;

    const OWNER: Address = Address::repeat_byte(0x11);
    const OTHER: Address = Address::repeat_byte(0x22);

    fn genesis(fork: Fork) -> (Genesis, Genesis) {
        let timestamp = 1_700_000_000;
        let dev = DevGenesis { chain_id: 31_337, fork, timestamp, gas_limit: 30_000_000, balance: U256::from(7) };
        let before = dev.build(&[OWNER, OTHER]);
        let mut after = before.clone();
        add(&mut after, OWNER, OWNER, &[OWNER, OTHER]).unwrap();
        (before, after)
    }

    #[test]
    fn every_contract_is_there_and_nothing_else_has_changed() {
        for fork in [NEEDS, Fork::LATEST] {
            let (before, after) = genesis(fork);
            let suite = Suite::new(OWNER).unwrap();
            for contract in &suite.contracts {
                let code = after.alloc.get(&contract.address).and_then(|account| account.code.as_ref());
                assert!(code.is_some_and(|code| !code.is_empty()), "{} is missing", contract.name);
            }
            for (address, account) in &before.alloc {
                assert_eq!(after.alloc.get(address), Some(account), "{address} has changed");
            }
            assert_eq!(after.alloc.len(), before.alloc.len() + suite.contracts.len(), "nobody else came");
        }
    }

    #[test]
    fn the_same_settings_give_the_same_chain() {
        let spec = ChainSpec::at_fork(31_337, Fork::LATEST);
        let [one, other] = [(), ()].map(|()| genesis_block(&genesis(Fork::LATEST).1, &spec).unwrap().0);
        assert_eq!(one.header.state_root, other.header.state_root);
    }

    #[test]
    fn a_step_that_is_done_says_so() {
        let (before, after) = genesis(Fork::LATEST);
        let mut suite = Suite::new(OWNER).unwrap();
        suite.hand_out(&[OWNER, OTHER]);
        for step in &suite.steps {
            let left = |genesis: &Genesis| {
                let ask = |condition: &&braid_suite::Condition| {
                    let answer = super::super::simulate::ask(genesis, condition.to, condition.input.clone()).unwrap();
                    condition.holds(&answer)
                };
                let mut answers = step.conditions().iter().map(ask).collect::<Vec<_>>().into_iter();
                step.outstanding(&mut || answers.next().unwrap()).len()
            };
            assert_eq!(left(&after), 0, "{}", step.about);
            assert!(left(&before) > 0, "{} before", step.about);
        }
    }

    #[test]
    fn the_timelock_rules_what_is_everybodys_and_nobody_else_rules_it() {
        let (_, after) = genesis(Fork::LATEST);
        let suite = Suite::new(OWNER).unwrap();
        let timelock = suite.find("Timelock").unwrap().address;
        let word = U256::from_be_bytes(timelock.into_word().0);
        let ask = |name: &str, question: &str, argument: &[u8]| {
            let to = suite.find(name).unwrap().address;
            let input = [&alloy_primitives::keccak256(question)[..4], argument].concat();
            U256::from_be_slice(&super::super::simulate::ask(&after, to, input.into()).unwrap())
        };
        for name in ["Treasury", "Perpetuals", "Stake-WETH", "Stake-bUSD", "Boost-WETH", "Savings-bUSD"] {
            assert_eq!(ask(name, "owner()", &[]), word, "{name}");
        }
        assert_eq!(ask("Lend-bUSD-WETH", "reserveOwner()", &[]), word);
        let admin = |account: Address| [[0; 32], account.into_word().0].concat();
        assert_eq!(ask("Timelock", "hasRole(bytes32,address)", &admin(OWNER)), U256::ZERO);
        assert_eq!(ask("Timelock", "hasRole(bytes32,address)", &admin(timelock)), U256::ONE);
    }

    #[test]
    fn there_is_money_for_as_many_accounts_as_a_chain_may_have() {
        let dev =
            DevGenesis { chain_id: 1, fork: Fork::LATEST, timestamp: 1, gas_limit: 30_000_000, balance: U256::ZERO };
        let mut before = dev.build(&[]);
        let accounts: Vec<_> =
            (1..=1_000_u64).map(|number| Address::left_padding_from(&(number << 16).to_be_bytes())).collect();
        add(&mut before, OWNER, OWNER, &accounts).unwrap();
    }

    #[test]
    fn without_the_proxy_it_fails() {
        let (mut before, _) = genesis(Fork::LATEST);
        before.alloc.remove(&proxy::ADDRESS);
        assert!(add(&mut before, OWNER, OWNER, &[]).is_err());
    }
}
