//! A small JSON-RPC client: one connection, single calls and batches.

use std::time::Duration;

use alloy_primitives::{Address, B256, Bytes, U64, U256, hex};
use eyre::{Context, bail, eyre};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::stages::{self, Sample};

/// Code of a method the node does not have.
const METHOD_NOT_FOUND: i64 = -32_601;

/// Selector of `balanceOf(address)`.
const BALANCE_OF_SELECTOR: [u8; 4] = hex!("70a08231");

/// Calls in one batch of reads; nodes limit batches to about a thousand.
const READ_BATCH: usize = 200;

/// A connection to a node.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    url: String,
}

/// The answer to one call.
#[derive(Debug, Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
pub(super) struct Answer<T> {
    /// Number of the call in its batch. Nodes answer `null` to what they cannot parse.
    #[serde(default)]
    pub(super) id: Option<u64>,
    result: Option<T>,
    #[serde(default)]
    error: Option<CallError>,
}

/// What a node answers instead of a result.
#[derive(Clone, Debug, Deserialize, thiserror::Error)]
#[error("{message} (code {code})")]
pub(crate) struct CallError {
    code: i64,
    pub(super) message: String,
}

impl CallError {
    pub(super) const fn is_method_not_found(&self) -> bool {
        self.code == METHOD_NOT_FOUND
    }
}

/// A receipt, as far as the load needs it.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Receipt {
    pub(super) transaction_hash: B256,
    status: U64,
    gas_used: U256,
    effective_gas_price: U256,
}

impl Receipt {
    pub(super) fn succeeded(&self) -> bool {
        self.status == U64::from(1)
    }

    /// What the sender paid beside the value, in wei.
    pub(super) fn fee(&self) -> U256 {
        self.gas_used.saturating_mul(self.effective_gas_price)
    }
}

/// A block, as far as the load needs it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Block {
    #[serde(default)]
    pub(crate) base_fee_per_gas: Option<U64>,
    pub(super) transactions: Vec<B256>,
}

impl<T> Answer<T> {
    /// The result, `None` where the node answers `null`.
    pub(super) fn into_result(self) -> Result<Option<T>, CallError> {
        self.error.map_or(Ok(self.result), Err)
    }
}

impl Client {
    /// A client that keeps one connection alive. Connects with the first call.
    pub(crate) fn new(url: &str, timeout: Duration) -> eyre::Result<Self> {
        let builder = reqwest::Client::builder().http1_only().tcp_nodelay(true).pool_max_idle_per_host(1);
        let http = builder.timeout(timeout).build().wrap_err("failed to make an HTTP client")?;
        if !url.starts_with("http://") {
            bail!("--rpc {url}: only http:// addresses are supported");
        }
        Ok(Self { http, url: url.to_owned() })
    }

    /// What the node has done so far, if it is one that tells.
    pub(super) async fn sample(&self) -> eyre::Result<Sample> {
        stages::sample(&self.http, &self.url).await
    }

    /// Posts a request body and returns the answer's.
    pub(super) async fn post(&self, body: impl Into<reqwest::Body>) -> eyre::Result<reqwest::Response> {
        let request = self.http.post(&self.url).header("content-type", "application/json").body(body);
        let response = request.send().await.wrap_err_with(|| format!("failed to reach a node at {}", self.url))?;
        if !response.status().is_success() {
            let status = response.status();
            let text = response.text().await.unwrap_or_default();
            bail!("{} answered {status}: {}", self.url, excerpt(text.as_bytes()));
        }
        Ok(response)
    }

    async fn exchange<T: DeserializeOwned>(&self, request: &Value) -> eyre::Result<T> {
        let body = self.post(request.to_string()).await?.bytes().await;
        let body = body.wrap_err_with(|| format!("failed to read an answer of {}", self.url))?;
        serde_json::from_slice(&body)
            .wrap_err_with(|| format!("{} does not answer as a JSON-RPC node does: {}", self.url, excerpt(&body)))
    }

    /// One call; the outer error is the connection's, the inner the node's.
    pub(crate) async fn try_call<T: DeserializeOwned>(
        &self,
        method: &str,
        params: Value,
    ) -> eyre::Result<Result<Option<T>, CallError>> {
        let request = json!({"jsonrpc": "2.0", "id": 0, "method": method, "params": params});
        Ok(self.exchange::<Answer<T>>(&request).await?.into_result())
    }

    /// One call that must have a result.
    pub(crate) async fn call<T: DeserializeOwned>(&self, method: &str, params: Value) -> eyre::Result<T> {
        let result = self.try_call(method, params).await?.wrap_err_with(|| format!("{method} failed"))?;
        result.ok_or_else(|| eyre!("{method} answered null"))
    }

    /// The same method for each of `params`, in batches; results in the same order.
    pub(crate) async fn call_all<T: DeserializeOwned>(
        &self,
        method: &str,
        params: &[Value],
    ) -> eyre::Result<Vec<Result<Option<T>, CallError>>> {
        let mut results = Vec::with_capacity(params.len());
        for chunk in params.chunks(READ_BATCH) {
            let request = chunk
                .iter()
                .enumerate()
                .map(|(id, params)| json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
            let mut answers: Vec<Answer<T>> = self.exchange(&request.collect()).await?;
            answers.sort_by_key(|answer| answer.id);
            if answers.len() != chunk.len() {
                bail!("{method}: {} answers to a batch of {}", answers.len(), chunk.len());
            }
            results.extend(answers.into_iter().map(Answer::into_result));
        }
        Ok(results)
    }

    pub(crate) async fn block_number(&self) -> eyre::Result<u64> {
        Ok(self.call::<U64>("eth_blockNumber", json!([])).await?.to())
    }

    pub(crate) async fn chain_id(&self) -> eyre::Result<u64> {
        Ok(self.call::<U64>("eth_chainId", json!([])).await?.to())
    }

    pub(crate) async fn balance(&self, address: Address) -> eyre::Result<U256> {
        self.call("eth_getBalance", json!([address, "latest"])).await
    }

    /// Balances at the head.
    pub(super) async fn balances(&self, addresses: &[Address]) -> eyre::Result<Vec<U256>> {
        let params: Vec<_> = addresses.iter().map(|address| json!([address, "latest"])).collect();
        self.all("eth_getBalance", &params).await
    }

    /// Balances of an ERC-20 token at the head.
    pub(super) async fn token_balances(&self, token: Address, addresses: &[Address]) -> eyre::Result<Vec<U256>> {
        let call = |address: &Address| {
            let input = Bytes::from([&BALANCE_OF_SELECTOR[..], address.into_word().as_slice()].concat());
            json!([{"to": token, "input": input}, "latest"])
        };
        let params: Vec<_> = addresses.iter().map(call).collect();
        let words: Vec<B256> = self.all("eth_call", &params).await?;
        Ok(words.into_iter().map(Into::into).collect())
    }

    /// The same method for each of `params`, all of which must have a result.
    async fn all<T: DeserializeOwned>(&self, method: &str, params: &[Value]) -> eyre::Result<Vec<T>> {
        let answers = self.call_all::<T>(method, params).await?.into_iter();
        let result = |answer: Result<Option<T>, CallError>| {
            answer.wrap_err_with(|| format!("{method} failed"))?.ok_or_else(|| eyre!("{method} answered null"))
        };
        answers.map(result).collect()
    }

    /// Next nonces by the state at the head.
    pub(super) async fn nonces(&self, addresses: &[Address]) -> eyre::Result<Vec<u64>> {
        let params: Vec<_> = addresses.iter().map(|address| json!([address, "latest"])).collect();
        let answers = self.call_all::<U64>("eth_getTransactionCount", &params).await?;
        let nonce = |answer: Result<Option<U64>, CallError>| answer.map(|nonce| nonce.unwrap_or_default().to());
        answers.into_iter().map(nonce).collect::<Result<_, _>>().wrap_err("eth_getTransactionCount failed")
    }

    pub(crate) async fn block(&self, block: &str) -> eyre::Result<Block> {
        self.call("eth_getBlockByNumber", json!([block, false])).await
    }
}

/// The beginning of a text that may be long.
fn excerpt(text: &[u8]) -> String {
    String::from_utf8_lossy(text).chars().take(200).collect()
}
