//! `braid deploy`: puts the suite on any EVM chain.
//!
//! Everything that is sent is decided by what the chain answers: a contract is created if its address has no code, and a step is
//! taken if its question says that it is not done. So the command can be repeated, and goes on where it was interrupted.
//!
//! First everything is asked, then what is left is sent in order, with as many transactions under way as a pool keeps. Since an
//! account's transactions are included in order, at most one step can be half done, the first that is not done: its inner steps are
//! asked too, and those of later steps, which may share what they ask about, are all taken.

use std::time::Duration;

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use braid_suite::{Act, Condition, Contract, Purpose, Step, Suite, Transaction, proxy};
use braid_types::Fork;
use clap::Args;
use eyre::{Context, OptionExt, bail, ensure};
use serde::Serialize;
use serde_json::json;

use super::{send::Sender, simulate::simulate};
use crate::{
    config::values::Ether,
    dev::genesis::DevGenesis,
    keys::sender::{self, SenderArgs},
    load::rpc::Client,
};

/// How long the node may take for one answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// PUSH0 TLOAD PUSH0 MSTORE PUSH1 32 PUSH0 RETURN: answers a word where there is transient storage.
const TRANSIENT_STORAGE_PROBE: &str = "0x5f5c5f5260205ff3";

/// Where to put the suite, and whose it is.
#[derive(Args, Clone, Debug)]
pub(crate) struct DeployArgs {
    /// A node of the chain (http only)
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8545")]
    rpc: String,
    #[command(flatten)]
    sender: SenderArgs,
    /// Refuse any chain but this
    #[arg(long, value_name = "ID")]
    chain_id: Option<u64>,
    /// Mint money of the suite to the owner and fill its markets too, with 190 ether; for chains on which that is worth nothing
    #[arg(long)]
    seed: bool,
    /// Give up after so many seconds; the same command goes on from there
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    timeout: u64,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// What was done.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    chain_id: u64,
    owner: Address,
    /// Transactions that were sent.
    transactions: usize,
    gas_used: u64,
    contracts: Vec<Placed>,
    steps: Vec<Taken>,
}

/// A contract, and whether it was there before.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Placed {
    name: String,
    address: Address,
    was_there: bool,
}

/// A step, and how many transactions it took.
#[derive(Debug, Serialize)]
struct Taken {
    about: String,
    transactions: usize,
}

/// Runs the command.
///
/// # Errors
/// What stands in the way: the node, the chain, the key, its funds, or a transaction that fails.
pub(crate) fn run(args: &DeployArgs) -> eyre::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().wrap_err("failed to start")?;
    let report = runtime.block_on(deploy(args))?;
    if args.json {
        println!("{}", serde_json::to_string(&report)?);
        return Ok(());
    }
    for Placed { name, address, was_there } in &report.contracts {
        println!("{address}  {name}{}", if *was_there { "  (was there)" } else { "" });
    }
    println!("\nowner {} on chain {}", report.owner, report.chain_id);
    println!("{} transactions, {} gas", report.transactions, report.gas_used);
    Ok(())
}

async fn deploy(args: &DeployArgs) -> eyre::Result<Report> {
    let client = Client::new(&args.rpc, ANSWER_TIMEOUT)?;
    let chain_id = check_chain(&client, args).await?;
    let key = sender::open(&args.sender, chain_id)?;
    let mut suite = Suite::new(key.address())?;
    suite.steps.retain(|step| args.seed || step.purpose == Purpose::Wiring);
    let gas = simulate(&scratch(chain_id, suite.owner), &suite)?.gas;
    let timeout = Duration::from_secs(args.timeout);
    let mut sender = Sender::new(client, key.to_bytes(), chain_id, gas, timeout).await?;

    let there = have_code(&sender.client, suite.contracts.iter().map(|contract| contract.address)).await?;
    let missing = missing(&suite, &there);
    let mut left: Vec<_> = missing.iter().map(|(name, transaction)| (name.clone(), transaction)).collect();
    let (taken, transactions) = outstanding(&sender.client, &suite.steps).await?;
    left.extend(transactions);
    let has_proxy = have_code(&sender.client, [proxy::ADDRESS]).await? == [true];
    sender.check_funds(&left, if has_proxy { U256::ZERO } else { proxy::COST }).await?;
    if !has_proxy {
        deploy_proxy(&mut sender).await?;
    }
    sender.send(&left).await?;
    check_code(&sender, &suite).await?;
    let placed = |(contract, was_there): (&Contract, bool)| Placed {
        name: contract.name.clone(),
        address: contract.address,
        was_there,
    };
    let contracts = suite.contracts.iter().zip(there).map(placed).collect();
    let (owner, transactions, gas_used) = (sender.address(), sender.sent, sender.gas_used);
    Ok(Report { chain_id, owner, transactions, gas_used, contracts, steps: taken })
}

/// The chain's id, if it is one on which the suite can be.
async fn check_chain(client: &Client, args: &DeployArgs) -> eyre::Result<u64> {
    let chain_id = client.chain_id().await?;
    if let Some(wanted) = args.chain_id.filter(|wanted| *wanted != chain_id) {
        bail!("{} is a node of chain {chain_id}, not {wanted}", args.rpc);
    }
    let probe = json!([{ "input": TRANSIENT_STORAGE_PROBE }, "latest"]);
    let answer = client.try_call::<Bytes>("eth_call", probe).await?;
    ensure!(
        answer.is_ok_and(|answer| answer.is_some_and(|word| word.len() == 32)),
        "chain {chain_id} has no transient storage: it is older than Cancun, which the contracts need"
    );
    Ok(chain_id)
}

/// A chain in memory on which the transactions are tried for their gas.
fn scratch(chain_id: u64, owner: Address) -> alloy_genesis::Genesis {
    let (timestamp, gas_limit) = (1, 30_000_000);
    let genesis = DevGenesis { chain_id, fork: Fork::LATEST, timestamp, gas_limit, balance: U256::ZERO };
    genesis.build(&[owner])
}

/// Whether there is code at each of the addresses.
async fn have_code(client: &Client, addresses: impl IntoIterator<Item = Address>) -> eyre::Result<Vec<bool>> {
    let params: Vec<_> = addresses.into_iter().map(|address| json!([address, "latest"])).collect();
    let answers = client.call_all::<Bytes>("eth_getCode", &params).await?;
    let has_code = |answer: Result<Option<Bytes>, _>| answer.map(|code| code.is_some_and(|code| !code.is_empty()));
    answers.into_iter().map(has_code).collect::<Result<_, _>>().wrap_err("eth_getCode failed")
}

/// What creates the contracts that are not there.
fn missing(suite: &Suite, there: &[bool]) -> Vec<(String, Transaction)> {
    let absent = suite.contracts.iter().zip(there).filter(|(_, is_there)| !**is_there);
    absent.filter_map(|(contract, _)| Some((contract.name.clone(), contract.deployment()?))).collect()
}

/// Puts the deployment proxy where it is on every chain.
async fn deploy_proxy(sender: &mut Sender) -> eyre::Result<()> {
    let head = sender.client.block("latest").await?;
    let base_fee = head.base_fee_per_gas.ok_or_eyre("the chain has no base fee: it is older than London")?;
    ensure!(
        base_fee.to::<u64>() <= proxy::GAS_PRICE,
        "the deployment proxy is missing, and the transaction that makes it pays {} wei for gas, while the base fee is {base_fee}",
        proxy::GAS_PRICE
    );
    let balance = sender.client.balance(proxy::DEPLOYER).await?;
    if balance < proxy::COST {
        let gift = Transaction { to: proxy::DEPLOYER, value: proxy::COST - balance, input: Bytes::new() };
        let name = format!("{} ether for the deployment proxy", Ether(gift.value));
        sender.send(&[(name, &gift)]).await?;
    }
    let sending = sender.client.call::<B256>("eth_sendRawTransaction", json!([proxy::TRANSACTION])).await;
    sending.wrap_err(
        "the deployment proxy is missing, and the node refused the transaction that makes it; \
         nodes may have to be told to take transactions without a chain id (geth: --rpc.allow-unprotected-txs)",
    )?;
    sender.wait("the deployment proxy", keccak256(&proxy::TRANSACTION)).await
}

/// What is left of the steps: how much of each, and the transactions with names.
async fn outstanding<'a>(
    client: &Client,
    steps: &'a [Step],
) -> eyre::Result<(Vec<Taken>, Vec<(String, &'a Transaction)>)> {
    let conditions: Vec<_> = steps.iter().flat_map(Step::conditions).collect();
    let question = |condition: &&Condition| json!([{ "to": condition.to, "input": condition.input }, "latest"]);
    let params: Vec<_> = conditions.iter().map(question).collect();
    let answers = client.call_all::<Bytes>("eth_call", &params).await?;
    let mut holding = Vec::with_capacity(answers.len());
    for (condition, answer) in conditions.iter().zip(answers) {
        let answer = answer.wrap_err_with(|| format!("{} does not answer how far it is", condition.to))?;
        holding.push(condition.holds(&answer.unwrap_or_default()));
    }
    let (mut taken, mut transactions) = (Vec::new(), Vec::new());
    let mut holding = holding.into_iter();
    let mut may_be_half_done = true;
    for step in steps {
        let answers: Vec<_> = holding.by_ref().take(step.conditions().len()).collect();
        let is_done = answers.first() == Some(&true);
        let mut answers = answers.into_iter().map(|holds| holds && (may_be_half_done || is_done));
        let left = step.outstanding(&mut || answers.next().unwrap_or_default());
        may_be_half_done &= left.is_empty() || matches!(step.act, Act::Send(_));
        taken.push(Taken { about: step.about.clone(), transactions: left.len() });
        transactions.extend(left.iter().map(|(inner, transaction)| (name(step, inner), *transaction)));
    }
    Ok((taken, transactions))
}

/// What a transaction of a step is called in messages.
fn name(step: &Step, inner: &Step) -> String {
    if step.about == inner.about { step.about.clone() } else { format!("{} ({})", inner.about, step.about) }
}

/// Checks that everything is where it should be.
async fn check_code(sender: &Sender, suite: &Suite) -> eyre::Result<()> {
    let there = have_code(&sender.client, suite.contracts.iter().map(|contract| contract.address)).await?;
    let absent = suite.contracts.iter().zip(there).find(|(_, is_there)| !is_there);
    match absent {
        Some((contract, _)) => bail!("{} is not at {} after all was done", contract.name, contract.address),
        None => Ok(()),
    }
}
