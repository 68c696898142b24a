//! The chain that is simulated: its genesis, the clients' keys, and two contracts.
//!
//! The contracts are written out in byte code, so that what they do is known to the last instruction:
//!
//! - *Token* has ERC-20's `transfer(address,uint256)`, its event, and `balanceOf(address)`. The balance of an account is kept
//!   in the slot whose number is its address.
//! - *Counter* adds one to slot 0 and keeps the ether it is sent: everybody who calls it touches the same slot.

use alloy_genesis::{Genesis, GenesisAccount};
use alloy_primitives::{Address, B256, Bytes, U256, address, hex, keccak256};
use alloy_signer_local::PrivateKeySigner;
use braid_chain::genesis::system_contracts;
use braid_consensus::{deal::deal, keys::to_bytes};
use braid_types::{
    ChainSpec, ConsensusConfig, Fork,
    ordered::{CONSENSUS_KEY, CertificateScheme, GenesisValidator},
};
use commonware_cryptography::{Signer as _, ed25519::PrivateKey};

use crate::plan::Plan;

/// EIP-155 id of the simulated chain.
pub const CHAIN_ID: u64 = 4_242;

/// Gas limit of a block: some 35 transfers, so that blocks are full in busy scenarios.
pub const GAS_LIMIT: u64 = 800_000;

/// When the simulated time begins: noon of a day in 2027, in seconds.
pub const START_TIME_S: u64 = 1_800_014_400;

/// Heights between an ordered block and the one whose execution it commits to.
pub const EXECUTION_LAG: u64 = 3;

/// Where the token is.
pub const TOKEN: Address = address!("0x00000000000000000000000000000000000070ce");

/// Where the counter is.
pub const COUNTER: Address = address!("0x000000000000000000000000000000000000c0de");

/// Clients with more ether than they can spend.
pub const RICH_CLIENTS: usize = 8;

/// Clients that can pay for one or two transfers.
pub const POOR_CLIENTS: usize = 3;

/// All clients.
pub const CLIENTS: usize = RICH_CLIENTS + POOR_CLIENTS;

/// Ether of a poor client, in wei: gas at the highest price it offers for two transfers, and something to send.
pub const POOR_BALANCE: u64 = 3 * 21_000 * crate::workload::MAX_FEE;

const RICH_BALANCE: u128 = 1_000_000_000_000_000_000_000;

/// Tokens of each client at first.
const TOKENS: u64 = 1_000_000;

/// First topic of the token's event.
pub const TRANSFER_TOPIC: B256 = B256::new(hex!("ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"));

/// The token. Jumps go to `transfer` (0x20), `balanceOf` (0x6b) and a revert (0x76).
const TOKEN_CODE: [u8; 122] = hex!(
    // selector: calldataload(0) >> 224
    "5f3560e01c"
    // == transfer(address,uint256) -> 0x20; == balanceOf(address) -> 0x6b; else revert
    "8063a9059cbb14602057"
    "6370a0823114606b57"
    "5f5ffd"
    // padding up to 0x20
    "0000000000"
    // transfer: balance of the caller, amount; amount > balance -> 0x76
    "5b3354602435818111607657"
    // sstore(caller, balance - amount)
    "8091033355"
    // sstore(to, sload(to) + amount)
    "60043580548201815590"
    // log3(amount; Transfer, caller, to)
    "5f5233" "7fddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef" "60205fa3"
    // return true
    "60015f5260205ff3"
    // balanceOf
    "5b600435545f5260205ff3"
    // revert
    "5b5f5ffd"
);

/// The counter: sstore(0, sload(0) + 1).
const COUNTER_CODE: [u8; 8] = hex!("5f546001015f5500");

/// The key of a client.
///
/// # Panics
/// Never: the hash of a short text is below the order of the curve with all but no chance, and the texts are fixed.
pub fn key(client: usize) -> PrivateKeySigner {
    let secret = keccak256(format!("client {client}"));
    #[expect(clippy::expect_used, reason = "the secrets are constants")]
    PrivateKeySigner::from_bytes(&secret).expect("a hash is a key")
}

/// The validators' keys.
#[derive(Clone, Debug)]
pub struct Keys {
    /// Identities, by member.
    pub identities: Vec<PrivateKey>,
    /// Shares of the group's key, by member; threshold signatures only.
    pub shares: Vec<Vec<u8>>,
    config: ConsensusConfig,
}

impl Keys {
    /// The keys of a scenario's committee.
    ///
    /// # Panics
    /// Never: the keys are distinct and of the curve.
    #[expect(clippy::expect_used, reason = "the secrets are constants")]
    pub fn of(plan: &Plan) -> Self {
        let identities: Vec<PrivateKey> = (1..).map(PrivateKey::from_seed).take(plan.validators).collect();
        let public: Vec<B256> = identities.iter().map(|key| to_bytes(&key.public_key())).collect();
        let deal = (plan.scheme == CertificateScheme::Bls12381Threshold)
            .then(|| deal(&public, &keccak256(plan.seed.to_be_bytes())).expect("keys are distinct"));
        let share = |key: &B256| {
            let shares = deal.iter().flat_map(|deal| &deal.shares);
            shares.filter(|(holder, _)| holder == key).map(|(_, share)| share.clone()).next()
        };
        let validators = public.iter().enumerate().map(|(member, public_key)| GenesisValidator {
            public_key: *public_key,
            fee_recipient: fee_recipient(member),
            address: format!("validator-{member}:1"),
        });
        let config = ConsensusConfig {
            execution_lag: EXECUTION_LAG,
            epoch_length: plan.epoch_length,
            scheme: plan.scheme,
            dissemination: plan.dissemination,
            validators: validators.collect(),
            group_polynomial: deal.as_ref().map(|deal| deal.polynomial.clone()),
        };
        Self { shares: public.iter().filter_map(share).collect(), identities, config }
    }

    /// What the genesis says about the committee.
    pub fn consensus_config(&self) -> ConsensusConfig {
        self.config.clone()
    }
}

/// Who gets the fees of a member's blocks.
pub fn fee_recipient(member: usize) -> Address {
    Address::with_last_byte(u8::try_from(member).unwrap_or(u8::MAX).saturating_add(0x80))
}

/// The genesis of a network with these validators.
pub fn genesis(consensus: &ConsensusConfig) -> Genesis {
    let mut config = ChainSpec::at_fork(CHAIN_ID, Fork::Osaka).config;
    config.extra_fields.insert(CONSENSUS_KEY.to_owned(), serde_json::json!(consensus));
    let mut alloc = system_contracts(Fork::Osaka);
    let clients: Vec<Address> = (0..CLIENTS).map(|client| key(client).address()).collect();
    for (client, address) in clients.iter().enumerate() {
        let balance = if client < RICH_CLIENTS { U256::from(RICH_BALANCE) } else { U256::from(POOR_BALANCE) };
        alloc.insert(*address, GenesisAccount { balance, ..GenesisAccount::default() });
    }
    let balances = clients.iter().map(|address| (address.into_word(), U256::from(TOKENS).into()));
    alloc.insert(TOKEN, GenesisAccount { storage: Some(balances.collect()), ..contract(&TOKEN_CODE) });
    alloc.insert(COUNTER, contract(&COUNTER_CODE));
    Genesis { config, alloc, gas_limit: GAS_LIMIT, timestamp: START_TIME_S, ..Genesis::default() }
}

fn contract(code: &[u8]) -> GenesisAccount {
    GenesisAccount { nonce: Some(1), code: Some(Bytes::copy_from_slice(code)), ..GenesisAccount::default() }
}
