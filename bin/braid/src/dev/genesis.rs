//! The genesis of a development node: one fork from the start, funded accounts, and the contracts that clients expect.
//!
//! The system contracts of EIP-4788, EIP-2935, EIP-7002 and EIP-7251 stand where mainnet has them, from the fork on that
//! calls them. The deterministic deployment proxy, which most tool chains deploy through, is there as well.

use std::collections::BTreeMap;

use alloy_genesis::{Genesis, GenesisAccount};
use alloy_primitives::{Address, U256};
use braid_chain::genesis::system_contracts;
use braid_suite::proxy;
use braid_types::{ChainSpec, Fork};

/// Base fee of the genesis block, in wei per gas.
const BASE_FEE: u128 = 1_000_000_000;

/// Difficulty of the genesis block before Paris: Ethereum's minimum (yellow paper, equation 46).
const DIFFICULTY: u64 = 131_072;

/// What a development chain begins with.
#[derive(Clone, Debug)]
pub(crate) struct DevGenesis {
    /// EIP-155 chain id.
    pub(crate) chain_id: u64,
    /// The fork that rules from the start.
    pub(crate) fork: Fork,
    /// Seconds since the Unix epoch.
    pub(crate) timestamp: u64,
    /// Gas limit of the genesis block.
    pub(crate) gas_limit: u64,
    /// Balance of each funded account, in wei.
    pub(crate) balance: U256,
}

impl DevGenesis {
    /// The genesis with `funded` accounts.
    pub(crate) fn build(&self, funded: &[Address]) -> Genesis {
        let account = || GenesisAccount { balance: self.balance, ..GenesisAccount::default() };
        let mut alloc = predeploys(self.fork);
        alloc.extend(funded.iter().map(|&address| (address, account())));
        Genesis {
            config: ChainSpec::at_fork(self.chain_id, self.fork).config,
            timestamp: self.timestamp,
            gas_limit: self.gas_limit,
            difficulty: if self.fork < Fork::Paris { U256::from(DIFFICULTY) } else { U256::ZERO },
            base_fee_per_gas: (self.fork >= Fork::London).then_some(BASE_FEE),
            alloc,
            ..Genesis::default()
        }
    }
}

/// Contracts that are there from the start under `fork`.
fn predeploys(fork: Fork) -> BTreeMap<Address, GenesisAccount> {
    let mut contracts = system_contracts(fork);
    // CREATE2 came with Constantinople.
    if fork >= Fork::Constantinople {
        // A contract begins with nonce 1 (EIP-161).
        let code = Some(proxy::CODE.clone());
        contracts.insert(proxy::ADDRESS, GenesisAccount { nonce: Some(1), code, ..GenesisAccount::default() });
    }
    contracts
}

#[cfg(test)]
mod tests {
    use braid_types::fork::FORKS;

    use super::*;

    fn genesis(fork: Fork) -> Genesis {
        let dev = DevGenesis {
            chain_id: 31_337,
            fork,
            timestamp: 1_700_000_000,
            gas_limit: 30_000_000,
            balance: U256::from(7),
        };
        dev.build(&[Address::repeat_byte(0xaa)])
    }

    #[test]
    fn contracts_appear_with_the_fork_that_calls_them() {
        let count = |fork| genesis(fork).alloc.len() - 1;
        assert_eq!(count(Fork::Byzantium), 0);
        assert_eq!(count(Fork::London), 1);
        assert_eq!(count(Fork::Cancun), 2);
        assert_eq!(count(Fork::LATEST), 5);
    }

    #[test]
    fn every_fork_rules_from_genesis_on() {
        for fork in FORKS {
            let genesis = genesis(fork);
            let spec = ChainSpec::from_config(&genesis.config).unwrap();
            assert_eq!(spec.fork_at(0, genesis.timestamp, U256::ZERO), fork);
            assert_eq!(genesis.base_fee_per_gas.is_some(), fork >= Fork::London);
        }
    }

    #[test]
    fn osaka_has_the_newest_blob_parameters() {
        let genesis = genesis(Fork::Osaka);
        let spec = ChainSpec::from_config(&genesis.config).unwrap();
        let params = spec.blob_params(Fork::Osaka, genesis.timestamp).unwrap();
        assert_eq!((params.target_blob_count, params.max_blob_count), (14, 21));
    }

    #[test]
    fn the_file_format_keeps_the_rules() {
        for fork in FORKS {
            let genesis = genesis(fork);
            let read: Genesis = serde_json::from_str(&serde_json::to_string(&genesis).unwrap()).unwrap();
            assert_eq!(read.alloc, genesis.alloc);
            let [before, after] = [&genesis, &read].map(|genesis| ChainSpec::from_config(&genesis.config).unwrap());
            assert_eq!(before.activations(), after.activations());
            assert_eq!(before.blob_params(fork, genesis.timestamp), after.blob_params(fork, genesis.timestamp));
        }
    }
}
