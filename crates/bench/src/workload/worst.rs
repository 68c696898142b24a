//! What a parallel executor likes least.

use alloy_primitives::{Address, B256, Bytes, TxKind, U256, hex};
use alloy_sol_types::sol;
use braid_types::RecoveredTx;

use super::{Workload, users};
use crate::{
    artifacts::{MORTAL, OZ_TOKEN, WORST_CASES},
    world::{Action, SetUpError, World},
};

sol! {
    function multiply();
    function increment();
    function begin(uint256 value);
    function extend(uint256 index);
    function refuse();
    function createAndDestroy(bytes32 salt);
    function destroy(address heir);
    function precompiled(address target, bytes input);
}

const TRANSACTIONS: usize = 10_000;

/// Creations and self-destructs cost more than most.
const FEWER_TRANSACTIONS: usize = 2_000;

/// Transactions that spend their time in precompiled contracts.
const PRECOMPILE_TRANSACTIONS: usize = 500;

/// Gas limit of a call that changes a word or two.
const GAS_LIMIT: u64 = 100_000;

/// Gas limit of what does more.
const LARGE_GAS_LIMIT: u64 = 1_000_000;

pub(super) const WORKLOADS: &[Workload] = &[
    Workload::new("worst-one-slot", "every transaction multiplies one word", TRANSACTIONS, |world, transactions| {
        calls(world, transactions, |_, contract| Action::call(contract, &multiplyCall {}, GAS_LIMIT))
    }),
    Workload::new("worst-counter", "every transaction adds one to one word", TRANSACTIONS, |world, transactions| {
        calls(world, transactions, |_, contract| Action::call(contract, &incrementCall {}, GAS_LIMIT))
    }),
    Workload::new("worst-chain", "each transaction reads what the one before wrote", TRANSACTIONS, chain),
    Workload::with_access_list(
        "worst-chain-with-access-list",
        "the same from a block that carries its access list",
        TRANSACTIONS,
        chain,
    ),
    Workload::failing(
        "worst-reverts",
        "every transaction writes one word and reverts",
        TRANSACTIONS,
        |world, transactions| {
            calls(world, transactions, |_, contract| Action::call(contract, &refuseCall {}, GAS_LIMIT))
        },
    ),
    Workload::new(
        "worst-self-destructs",
        "self-destructs of old contracts and of such as were created a moment before",
        FEWER_TRANSACTIONS,
        self_destructs,
    ),
    Workload::new("worst-creations", "every transaction creates a token", FEWER_TRANSACTIONS, creations),
    Workload::new(
        "worst-precompiles",
        "calls of precompiled contracts: ecrecover, sha256, modexp, pairing",
        PRECOMPILE_TRANSACTIONS,
        |world, transactions| calls(world, transactions, precompile),
    ),
];

/// As many calls of one contract, each by a sender of its own.
fn calls(
    world: &mut World,
    transactions: usize,
    call: impl Fn(usize, Address) -> Action,
) -> Result<Vec<RecoveredTx>, SetUpError> {
    let contract = world.deploy(&WORST_CASES, &[])?;
    world.seal()?;
    let senders = users(world, "sender", transactions);
    let call = |(number, sender)| world.transaction(sender, call(number, contract));
    Ok(senders.into_iter().enumerate().map(call).collect())
}

fn chain(world: &mut World, transactions: usize) -> Result<Vec<RecoveredTx>, SetUpError> {
    let contract = world.deploy(&WORST_CASES, &[])?;
    world.seal()?;
    let senders = users(world, "sender", transactions);
    let owner = world.user("owner", 0);
    world.call(owner, contract, &beginCall { value: U256::from(1) })?;
    for index in 0..transactions {
        world.call(owner, contract, &extendCall { index: U256::from(index) })?;
    }
    // Another beginning, so that the block changes every element.
    world.call(owner, contract, &beginCall { value: U256::from(2) })?;
    world.seal()?;
    let extend = |(index, sender)| {
        world.transaction(sender, Action::call(contract, &extendCall { index: U256::from(index) }, GAS_LIMIT))
    };
    Ok(senders.into_iter().enumerate().map(extend).collect())
}

fn self_destructs(world: &mut World, transactions: usize) -> Result<Vec<RecoveredTx>, SetUpError> {
    let contract = world.deploy(&WORST_CASES, &[])?;
    let owner = world.user("owner", 0);
    let mut mortals = Vec::new();
    for _ in 0..transactions / 2 {
        let mortal = world.deploy(&MORTAL, &[])?;
        mortals.push(mortal);
    }
    world.seal()?;
    for &mortal in &mortals {
        let action = Action { gas_limit: GAS_LIMIT, ..Action::transfer(mortal, U256::from(1_000)) };
        world.send(owner, action)?;
    }
    world.seal()?;
    let senders = users(world, "sender", transactions);
    let action = |number: usize, heir| match mortals.get(number / 2).filter(|_| number % 2 == 1) {
        Some(&mortal) => Action::call(mortal, &destroyCall { heir }, GAS_LIMIT),
        None => {
            let salt = B256::from(U256::from(number));
            Action::call(contract, &createAndDestroyCall { salt }, LARGE_GAS_LIMIT)
        }
    };
    let destroy = |(number, sender)| world.transaction(sender, action(number, sender));
    Ok(senders.into_iter().enumerate().map(destroy).collect())
}

fn creations(world: &mut World, transactions: usize) -> Result<Vec<RecoveredTx>, SetUpError> {
    let input = OZ_TOKEN.code()?;
    let senders = users(world, "sender", transactions);
    let create = |sender| {
        let action = Action { to: TxKind::Create, value: U256::ZERO, input: input.clone(), gas_limit: LARGE_GAS_LIMIT };
        world.transaction(sender, action)
    };
    Ok(senders.into_iter().map(create).collect())
}

fn precompile(number: usize, contract: Address) -> Action {
    let (address, input) = match number % 4 {
        0 => (1, recovery(number)),
        1 => (2, number.to_be_bytes().repeat(512)),
        2 => (5, power(number)),
        _ => (8, PAIRING.to_vec()),
    };
    let call = precompiledCall { target: Address::with_last_byte(address), input: Bytes::from(input) };
    Action::call(contract, &call, LARGE_GAS_LIMIT)
}

/// Input of ecrecover: a hash and a signature whose `r` is the generator's, so that it names some key.
fn recovery(number: usize) -> Vec<u8> {
    let r = hex!("79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798");
    let words = [U256::from(number), U256::from(27), U256::from_be_bytes(r), U256::from(number + 1)];
    words.iter().flat_map(U256::to_be_bytes::<32>).collect()
}

/// Input of modexp: 1,024-bit base and modulus, 256-bit exponent.
fn power(number: usize) -> Vec<u8> {
    let lengths = [128, 32, 128].map(|length| U256::from(length).to_be_bytes::<32>());
    let base = number.to_be_bytes().repeat(16);
    [lengths.concat(), base, vec![0xfb; 32], vec![0xfd; 128]].concat()
}

/// Input of the pairing check on alt_bn128 (EIP-197) that holds: e(P, Q) · e(−P, Q) = 1 for the generators P and Q.
const PAIRING: [u8; 384] = hex!(
    "0000000000000000000000000000000000000000000000000000000000000001"
    "0000000000000000000000000000000000000000000000000000000000000002"
    "198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c2"
    "1800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed"
    "090689d0585ff075ec9e99ad690c3395bc4b313370b38ef355acdadcd122975b"
    "12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166fa7daa"
    "0000000000000000000000000000000000000000000000000000000000000001"
    "30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd45"
    "198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c2"
    "1800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed"
    "090689d0585ff075ec9e99ad690c3395bc4b313370b38ef355acdadcd122975b"
    "12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166fa7daa"
);
