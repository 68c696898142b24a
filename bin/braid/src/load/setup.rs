//! What must be on the chain before the load: money for the senders and, for the token workloads, a token.
//!
//! The token is `ERC20PresetFixedSupply` of OpenZeppelin Contracts 4.9.6, byte for byte as its authors compiled and
//! published it; see `assets/README.md`.

use std::{cell::Cell, time::Duration};

use alloy_consensus::TxEip1559;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, hex};
use alloy_sol_types::SolValue;
use eyre::{Context, OptionExt, bail, ensure};
use serde_json::{Value, json};

use super::{
    LoadArgs,
    keys::{Key, SignedTransaction, Signer},
    now,
    rpc::{Client, Receipt},
    workload::Workload,
};
use crate::dev::accounts;

/// The published artefact of the token.
const TOKEN_ARTEFACT: &str = include_str!("../../assets/erc20.json");

/// Tip in wei per gas; some nodes refuse less than one gwei.
const TIP: u128 = 1_000_000_000;

/// How far the base fee may rise before the load stalls: 33 full blocks at 12.5 %.
const BASE_FEE_FACTOR: u128 = 50;

/// Gas for the token's creation, which uses 760,000.
const DEPLOY_GAS: u64 = 2_000_000;

/// Gas for a token transfer: 52,000 when the recipient had none.
const TOKEN_TRANSFER_GAS: u64 = 65_000;

/// Gas for an Ether transfer.
const TRANSFER_GAS: u64 = 21_000;

/// Tokens each sender begins with; every transfer moves one.
const TOKENS_EACH: u64 = 1_000_000_000;

/// Set-up transactions under way at once.
const WAVE: usize = 2_000;

/// Time for one wave of the set-up.
const WAVE_TIMEOUT: Duration = Duration::from_secs(60);

/// Selector of `transfer(address,uint256)`.
const TRANSFER_SELECTOR: [u8; 4] = hex!("a9059cbb");

/// What the load is built on.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) signer: Signer,
    pub(super) chain_id: u64,
    /// What the node calls itself.
    pub(super) node: String,
    pub(super) senders: Vec<Key>,
    /// Next nonce of each sender.
    pub(super) nonces: Vec<u64>,
    /// Address of the token; `None` for Ether transfers.
    pub(super) token: Option<Address>,
    pub(super) max_fee: u128,
}

impl Stage {
    /// A transaction without nonce and recipient.
    fn transaction(&self, nonce: u64, gas_limit: u64) -> TxEip1559 {
        TxEip1559 {
            chain_id: self.chain_id,
            nonce,
            gas_limit,
            max_fee_per_gas: self.max_fee,
            max_priority_fee_per_gas: TIP,
            ..TxEip1559::default()
        }
    }

    /// One unit of the workload's currency to `recipient`.
    pub(super) fn payment(&self, nonce: u64, recipient: Address) -> TxEip1559 {
        match self.token {
            Some(token) => self.token_transfer(token, nonce, recipient, U256::ONE),
            None => self.transfer(nonce, recipient, U256::ONE),
        }
    }

    fn transfer(&self, nonce: u64, to: Address, value: U256) -> TxEip1559 {
        TxEip1559 { to: TxKind::Call(to), value, ..self.transaction(nonce, TRANSFER_GAS) }
    }

    fn token_transfer(&self, token: Address, nonce: u64, to: Address, amount: U256) -> TxEip1559 {
        let input = [&TRANSFER_SELECTOR[..], &(to, amount).abi_encode_params()].concat().into();
        TxEip1559 { to: TxKind::Call(token), input, ..self.transaction(nonce, TOKEN_TRANSFER_GAS) }
    }
}

/// Funds the senders of the workload and gives them tokens.
///
/// # Errors
/// If the node cannot be reached, account 0 of the mnemonic cannot pay, or a transaction of the set-up fails.
pub(super) async fn prepare(client: &Client, args: &LoadArgs) -> eyre::Result<Stage> {
    let chain_id = client.chain_id().await?;
    let node: String = client.call("web3_clientVersion", json!([])).await?;
    let signer = Signer::new();
    let bank = accounts::derive(&args.mnemonic, 1)?.pop().ok_or_eyre("the mnemonic gives no account")?;
    let bank = signer.key(bank.to_bytes())?;
    let senders = signer.senders(args.seed, args.accounts.get())?;
    let latest = client.block("latest").await?;
    let base_fee = latest.base_fee_per_gas.ok_or_eyre("the chain has no base fee; London is needed")?;
    let max_fee = base_fee.to::<u128>().saturating_mul(BASE_FEE_FACTOR).saturating_add(TIP);
    let addresses: Vec<_> = senders.iter().map(|key| key.address).collect();
    let nonces = client.nonces(&addresses).await?;
    let mut stage = Stage { signer, chain_id, node, senders, nonces, token: None, max_fee };

    let nonce = client.nonces(&[bank.address]).await?.pop().ok_or_eyre("no nonce")?;
    check_funds(client, &stage, bank.address, args).await?;
    let transactions = plan(&mut stage, &bank, nonce, args)?;
    for wave in transactions.chunks(WAVE) {
        send_wave(client, wave, args.batch.get()).await?;
    }
    Ok(stage)
}

/// What a sender can be charged over the whole load.
fn cost_of_sender(stage: &Stage, args: &LoadArgs) -> U256 {
    let gas = if args.workload == Workload::Transfer { TRANSFER_GAS } else { TOKEN_TRANSFER_GAS };
    let each = U256::from(gas) * U256::from(stage.max_fee) + U256::ONE;
    each * U256::from(args.txs.get().div_ceil(args.accounts.get()))
}

async fn check_funds(client: &Client, stage: &Stage, bank: Address, args: &LoadArgs) -> eyre::Result<()> {
    let setup_gas = U256::from(TRANSFER_GAS + TOKEN_TRANSFER_GAS) * U256::from(args.accounts.get());
    let setup = (setup_gas + U256::from(DEPLOY_GAS)) * U256::from(stage.max_fee);
    let needed = setup + cost_of_sender(stage, args) * U256::from(args.accounts.get());
    let balance = client.balance(bank).await?;
    ensure!(
        balance >= needed,
        "account 0 of the mnemonic, {bank}, holds {balance} wei on chain {} and the load may take {needed}: \
         is this a development node with that mnemonic?",
        stage.chain_id
    );
    Ok(())
}

/// All transactions of the set-up, in order of nonces; sets the token's address.
fn plan(stage: &mut Stage, bank: &Key, first: u64, args: &LoadArgs) -> eyre::Result<Vec<SignedTransaction>> {
    let next = Cell::new(first);
    let nonce = || next.replace(next.get() + 1);
    let mut transactions = Vec::new();
    if args.workload != Workload::Transfer {
        let at = nonce();
        stage.token = Some(bank.address.create(at));
        transactions.push(deployment(stage, bank, at)?);
    }
    let funds = cost_of_sender(stage, args);
    for sender in &stage.senders {
        transactions.push(stage.transfer(nonce(), sender.address, funds));
        if let Some(token) = stage.token {
            transactions.push(stage.token_transfer(token, nonce(), sender.address, U256::from(TOKENS_EACH)));
        }
    }
    Ok(transactions.into_iter().map(|transaction| stage.signer.sign(bank, transaction)).collect())
}

fn deployment(stage: &Stage, owner: &Key, nonce: u64) -> eyre::Result<TxEip1559> {
    // Name, symbol, supply and its owner.
    let arguments = ("Load", "LOAD", U256::from(u128::MAX), owner.address).abi_encode_params();
    let input = [&token_code()?[..], &arguments].concat().into();
    Ok(TxEip1559 { to: TxKind::Create, input, ..stage.transaction(nonce, DEPLOY_GAS) })
}

/// Creation code of the token.
pub(super) fn token_code() -> eyre::Result<Bytes> {
    let artefact: Value = serde_json::from_str(TOKEN_ARTEFACT).wrap_err("assets/erc20.json is no JSON")?;
    let code = artefact["bytecode"].as_str().ok_or_eyre("assets/erc20.json has no byte code")?;
    Ok(hex::decode(code).wrap_err("assets/erc20.json has byte code that is not hexadecimal")?.into())
}

/// Sends transactions in order and waits until all are included.
async fn send_wave(client: &Client, wave: &[SignedTransaction], batch: usize) -> eyre::Result<()> {
    for chunk in wave.chunks(batch) {
        let params: Vec<_> = chunk.iter().map(|transaction| json!([transaction.raw])).collect();
        for answer in client.call_all::<B256>("eth_sendRawTransaction", &params).await? {
            answer.wrap_err("a transaction of the set-up was refused")?;
        }
    }
    let mut waiting: Vec<_> = wave.iter().map(|transaction| json!([transaction.hash])).collect();
    let deadline = now() + WAVE_TIMEOUT;
    while !waiting.is_empty() {
        let receipts = client.call_all::<Receipt>("eth_getTransactionReceipt", &waiting).await?;
        let mut missing = Vec::new();
        for (receipt, params) in receipts.into_iter().zip(waiting) {
            match receipt.wrap_err("eth_getTransactionReceipt failed")? {
                None => missing.push(params),
                Some(receipt) if receipt.succeeded() => {}
                Some(receipt) => bail!("transaction {} of the set-up failed", receipt.transaction_hash),
            }
        }
        waiting = missing;
        ensure!(now() < deadline, "{} transactions of the set-up were not included in time", waiting.len());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}
