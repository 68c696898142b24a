//! `braid statetest`: Ethereum's GeneralStateTests. One transaction on a given state, once for each fork and each
//! combination of the fixture's data, gas limits and values; the state root and the hash of the logs must match.
//!
//! As the suite defines it, the transaction runs without the rest of a block: no system calls, withdrawals or
//! rewards; but the fee recipient is touched.
//!
//! Several threads need a block: until Cancun, whose blocks need no contracts that fixtures lack, they are given the
//! transaction with others around it, which must make no difference (see [`company`](super::company)).

use std::{collections::BTreeMap, process::ExitCode, sync::Arc};

use alloy_consensus::{
    SignableTransaction, TxEip1559, TxEip2930, TxEip4844, TxEip7702, TxLegacy, transaction::Recovered,
};
use alloy_eips::{eip2930::AccessList, eip7702::SignedAuthorization};
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256, keccak256};
use braid_exec::{BlockContext, Config, ExecError, execute_alone};
use braid_state::State;
use braid_types::{AccountChange, ChainSpec, Fork, RecoveredTx, StateChanges, Transaction, changes::AccountState};
use clap::Args;
use secp256k1::{PublicKey, Secp256k1, SecretKey};
use serde::Deserialize;

use super::{
    company::execute_in_company,
    fixture::{self, Accounts, Quantity},
    network,
    report::{Case, Verdict},
    suite::{self, SuiteArgs, ThreadArgs, guarded},
};

/// Arguments of `braid statetest`.
#[derive(Args, Clone, Debug)]
pub(crate) struct StatetestArgs {
    #[command(flatten)]
    suite: SuiteArgs,
    /// Run the cases of this fork alone, by the suite's name (for example Cancun)
    #[arg(long)]
    fork: Option<String>,
    #[command(flatten)]
    threads: ThreadArgs,
}

/// Runs the command.
///
/// # Errors
/// If threads cannot be started or the report cannot be printed.
pub(crate) fn run(args: &StatetestArgs) -> eyre::Result<ExitCode> {
    let config = args.threads.config();
    suite::run(&args.suite, ".json", args.threads.files(), |_, content| {
        fixture::judge_cases(content, |name, fixture| judge(name, fixture, args.fork.as_deref(), &config))
    })
}

/// A fixture as the suite writes it.
#[derive(Clone, Debug, Deserialize)]
struct Fixture {
    env: Environment,
    pre: Accounts,
    post: BTreeMap<String, Vec<Expected>>,
    transaction: Template,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Environment {
    current_coinbase: Address,
    current_difficulty: Option<Quantity>,
    current_gas_limit: Quantity,
    current_number: Quantity,
    current_timestamp: Quantity,
    current_base_fee: Option<Quantity>,
    current_random: Option<Quantity>,
    current_excess_blob_gas: Option<Quantity>,
}

/// Transactions that differ in data (with its access list), gas limit and value.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Template {
    data: Vec<Bytes>,
    gas_limit: Vec<Quantity>,
    /// As text, for some exceed 256 bits on purpose.
    value: Vec<String>,
    nonce: String,
    to: Option<String>,
    secret_key: Option<B256>,
    sender: Option<Address>,
    gas_price: Option<Quantity>,
    max_fee_per_gas: Option<Quantity>,
    max_priority_fee_per_gas: Option<Quantity>,
    access_lists: Option<Vec<Option<AccessList>>>,
    max_fee_per_blob_gas: Option<Quantity>,
    blob_versioned_hashes: Option<Vec<B256>>,
    authorization_list: Option<Vec<Authorization>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Authorization {
    chain_id: Quantity,
    address: Address,
    nonce: Quantity,
    #[serde(alias = "yParity")]
    v: Quantity,
    r: Quantity,
    s: Quantity,
}

/// What a fork makes of one of the transactions.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Expected {
    hash: B256,
    logs: B256,
    indexes: Indexes,
    expect_exception: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct Indexes {
    data: usize,
    gas: usize,
    value: usize,
}

fn judge(name: &str, fixture: &Fixture, only: Option<&str>, config: &Config) -> Vec<Case> {
    let mut cases = Vec::new();
    let wanted = fixture.post.iter().filter(|(fork, _)| only.is_none_or(|only| only.eq_ignore_ascii_case(fork)));
    // One pre-state serves every case: applying changes shares what stays the same.
    let pre = fixture::state_of(&fixture.pre);
    for (fork_name, expectations) in wanted {
        for expected in expectations {
            let Indexes { data, gas, value } = expected.indexes;
            let name = format!("{name}/{fork_name}/d{data}g{gas}v{value}");
            let Some(fork) = network::fork_named(fork_name) else {
                cases.push(Case::new(name, Verdict::Skipped(format!("fork {fork_name} is not supported"))));
                continue;
            };
            let verdict = guarded(|| check(fixture, pre.as_ref().map_err(Clone::clone)?, fork, expected, config));
            cases.push(Case::new(name, verdict));
        }
    }
    cases
}

/// What a transaction left behind.
struct Outcome {
    root: B256,
    logs: B256,
    /// Why the transaction could not be included, if so.
    invalid: Option<String>,
}

fn check(fixture: &Fixture, pre: &State, fork: Fork, expected: &Expected, config: &Config) -> Result<(), String> {
    let block = fixture.env.block(fork)?;
    let outcome = match fixture.transaction.at(expected.indexes)? {
        Ok(transaction) => execute(&block, &transaction, pre, config)?,
        Err(reason) => refused(&block, pre, reason),
    };
    match (&expected.expect_exception, &outcome.invalid) {
        (Some(exception), None) => return Err(format!("the transaction was included; expected {exception}")),
        (None, Some(reason)) => return Err(format!("the transaction was refused: {reason}")),
        _ => {}
    }
    if outcome.root != expected.hash {
        return Err(format!("state root is {}, expected {}", outcome.root, expected.hash));
    }
    if outcome.logs != expected.logs {
        return Err(format!("hash of the logs is {}, expected {}", outcome.logs, expected.logs));
    }
    Ok(())
}

fn execute(block: &BlockContext, transaction: &RecoveredTx, pre: &State, config: &Config) -> Result<Outcome, String> {
    // The suite's BLOCKHASH: no chain stands behind these blocks.
    let view = fixture::view(pre.clone(), |height| Some(keccak256(height.to_string())));
    let done = if config.threads.get() > 1 && block.fork < Fork::Prague {
        let nonce = pre.account(transaction.signer()).unwrap_or_default().nonce;
        execute_in_company(block, transaction, nonce, &view, config)
    } else {
        execute_alone(block, transaction, &view)
    };
    match done {
        Ok((receipt, changes)) => {
            let logs = keccak256(alloy_rlp::encode(receipt.logs().to_vec()));
            Ok(Outcome { root: pre.apply(&changes).root(), logs, invalid: None })
        }
        Err(ExecError::InvalidTransaction { reason, .. }) => Ok(refused(block, pre, reason.to_string())),
        Err(error) => Err(format!("execution failed: {error}")),
    }
}

/// An invalid transaction changes nothing; but as in every case of the suite the fee recipient is touched, which
/// before Spurious Dragon brings it into existence and since then removes it if it is empty.
fn refused(block: &BlockContext, pre: &State, reason: String) -> Outcome {
    let recipient = pre.account(block.beneficiary);
    let touched = match recipient {
        None if block.fork < Fork::SpuriousDragon => Some(AccountState::default()),
        Some(account) if block.fork >= Fork::SpuriousDragon && account == AccountState::default() => None,
        other => other,
    };
    let mut changes = StateChanges::default();
    if touched != recipient {
        changes.accounts.insert(block.beneficiary, AccountChange { account: touched, ..AccountChange::default() });
    }
    let no_logs: Vec<alloy_primitives::Log> = Vec::new();
    let logs = keccak256(alloy_rlp::encode(no_logs));
    Outcome { root: pre.apply(&changes).root(), logs, invalid: Some(reason) }
}

impl Environment {
    fn block(&self, fork: Fork) -> Result<BlockContext, String> {
        let u64_of = |value: Quantity, name: &str| value.to_u64().ok_or(format!("{name} needs more than 64 bits"));
        let spec = ChainSpec::at_fork(network::CHAIN_ID, fork);
        let timestamp = u64_of(self.current_timestamp, "currentTimestamp")?;
        let base_fee = self.current_base_fee.filter(|_| fork >= Fork::London).unwrap_or_default();
        let excess_blob_gas = self.current_excess_blob_gas.unwrap_or_default();
        Ok(BlockContext {
            chain_id: spec.chain_id,
            fork,
            height: u64_of(self.current_number, "currentNumber")?,
            timestamp,
            beneficiary: self.current_coinbase,
            gas_limit: u64_of(self.current_gas_limit, "currentGasLimit")?,
            base_fee: u64_of(base_fee, "currentBaseFee")?,
            difficulty: self.current_difficulty.filter(|_| fork < Fork::Paris).unwrap_or_default().0,
            prevrandao: self.current_random.unwrap_or_default().0.into(),
            blob_params: spec.blob_params(fork, timestamp),
            excess_blob_gas: if fork >= Fork::Cancun {
                Some(u64_of(excess_blob_gas, "currentExcessBlobGas")?)
            } else {
                None
            },
            parent_hash: B256::ZERO,
            parent_beacon_block_root: None,
            withdrawals: Vec::new(),
            ommers: Vec::new(),
            is_dao_fork: false,
            deposit_contract: spec.deposit_contract,
        })
    }
}

impl Template {
    /// The transaction at the indexes; the inner error says why no transaction can be written like that, which the
    /// suite counts as an invalid transaction. The outer one says what is wrong with the fixture.
    fn at(&self, indexes: Indexes) -> Result<Result<RecoveredTx, String>, String> {
        let missing = |what: &str| format!("the transaction has no {what} at its index");
        let data = self.data.get(indexes.data).ok_or_else(|| missing("data"))?.clone();
        let gas_limit = *self.gas_limit.get(indexes.gas).ok_or_else(|| missing("gas limit"))?;
        let value = self.value.get(indexes.value).ok_or_else(|| missing("value"))?;
        let access_list = match &self.access_lists {
            Some(lists) => lists.get(indexes.data).ok_or_else(|| missing("access list"))?.clone(),
            None => None,
        };
        let sender = self.sender()?;
        let to = match self.to.as_deref() {
            None | Some("") => TxKind::Create,
            Some(to) => TxKind::Call(to.parse().map_err(|error| format!("recipient {to:?}: {error}"))?),
        };
        Ok(self
            .envelope(to, data, gas_limit, value, access_list)
            .map(|transaction| Arc::new(Recovered::new_unchecked(transaction, sender))))
    }

    fn sender(&self) -> Result<Address, String> {
        if let Some(sender) = self.sender {
            return Ok(sender);
        }
        let secret_key = self.secret_key.ok_or("the transaction has neither sender nor secret key")?;
        let secret_key = SecretKey::from_byte_array(secret_key.0).map_err(|error| format!("secret key: {error}"))?;
        let public_key = PublicKey::from_secret_key(&Secp256k1::signing_only(), &secret_key);
        Ok(Address::from_raw_public_key(&public_key.serialize_uncompressed()[1..]))
    }

    /// The transaction of the newest type whose fields are there. Its signature is a placeholder: the sender is known.
    fn envelope(
        &self,
        to: TxKind,
        input: Bytes,
        gas_limit: Quantity,
        value: &str,
        access_list: Option<AccessList>,
    ) -> Result<Transaction, String> {
        let signature = Signature::new(U256::ONE, U256::ONE, false);
        let chain_id = network::CHAIN_ID;
        let u128_of = |value: Option<Quantity>, name: &str| {
            value.unwrap_or_default().to_u128().ok_or(format!("{name} needs more than 128 bits"))
        };
        let nonce = Quantity::parse(&self.nonce)?.to_u64().ok_or("nonce needs more than 64 bits")?;
        let gas_limit = gas_limit.to_u64().ok_or("gas limit needs more than 64 bits")?;
        let value = Quantity::parse(value)?.0;
        let gas_price = u128_of(self.gas_price, "gasPrice")?;
        let max_fee_per_gas = u128_of(self.max_fee_per_gas, "maxFeePerGas")?;
        let max_priority_fee_per_gas = u128_of(self.max_priority_fee_per_gas, "maxPriorityFeePerGas")?;
        let callee = || to.into_to().ok_or("a transaction of this type cannot create a contract");
        if let Some(authorizations) = &self.authorization_list {
            let authorization_list = authorizations.iter().map(Authorization::signed).collect::<Result<_, _>>()?;
            let (to, access_list) = (callee()?, access_list.unwrap_or_default());
            let transaction = TxEip7702 {
                chain_id,
                nonce,
                gas_limit,
                max_fee_per_gas,
                max_priority_fee_per_gas,
                to,
                value,
                access_list,
                authorization_list,
                input,
            };
            return Ok(transaction.into_signed(signature).into());
        }
        if self.blob_versioned_hashes.is_some() || self.max_fee_per_blob_gas.is_some() {
            let (to, access_list) = (callee()?, access_list.unwrap_or_default());
            let transaction = TxEip4844 {
                chain_id,
                nonce,
                gas_limit,
                max_fee_per_gas,
                max_priority_fee_per_gas,
                to,
                value,
                access_list,
                blob_versioned_hashes: self.blob_versioned_hashes.clone().unwrap_or_default(),
                max_fee_per_blob_gas: u128_of(self.max_fee_per_blob_gas, "maxFeePerBlobGas")?,
                input,
            };
            return Ok(transaction.into_signed(signature).into());
        }
        if self.max_fee_per_gas.is_some() {
            let access_list = access_list.unwrap_or_default();
            let transaction = TxEip1559 {
                chain_id,
                nonce,
                gas_limit,
                max_fee_per_gas,
                max_priority_fee_per_gas,
                to,
                value,
                access_list,
                input,
            };
            return Ok(transaction.into_signed(signature).into());
        }
        if let Some(access_list) = access_list {
            let transaction = TxEip2930 { chain_id, nonce, gas_price, gas_limit, to, value, access_list, input };
            return Ok(transaction.into_signed(signature).into());
        }
        let transaction = TxLegacy { chain_id: None, nonce, gas_price, gas_limit, to, value, input };
        Ok(transaction.into_signed(signature).into())
    }
}

impl Authorization {
    fn signed(&self) -> Result<SignedAuthorization, String> {
        let parity = self.v.to_u64().and_then(|v| u8::try_from(v).ok());
        let inner = alloy_eips::eip7702::Authorization {
            chain_id: self.chain_id.0,
            address: self.address,
            nonce: self.nonce.to_u64().ok_or("nonce of an authorization needs more than 64 bits")?,
        };
        let parity = parity.ok_or("parity of an authorization needs more than 8 bits")?;
        Ok(SignedAuthorization::new_unchecked(inner, parity, self.r.0, self.s.0))
    }
}
