//! A node, by JSON-RPC over HTTP.

use std::time::Duration;

use alloy_primitives::{Address, B256, Bytes, U64, U128};
use alloy_sol_types::SolCall;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::ChainError;

/// Longest that a node may take for an answer.
const TIMEOUT: Duration = Duration::from_secs(20);

/// JSON-RPC code of a call that was reverted, with what it was reverted by.
const REVERTED: i64 = 3;

/// A node.
#[derive(Clone, Debug)]
pub struct Node {
    http: reqwest::Client,
    url: String,
}

/// What a call without a transaction came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The answer.
    Returned(Bytes),
    /// The contract's error.
    Reverted(Bytes),
}

#[derive(Debug, Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
struct Answer<T> {
    result: Option<T>,
    error: Option<Failure>,
}

#[derive(Debug, Deserialize)]
struct Failure {
    code: i64,
    message: String,
    data: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct Receipt {
    status: U64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Block {
    base_fee_per_gas: Option<U128>,
}

impl Node {
    /// The node at an address. Connects with the first question.
    ///
    /// # Errors
    /// If no HTTP client can be made.
    pub fn new(url: impl Into<String>) -> Result<Self, ChainError> {
        let http = reqwest::Client::builder().timeout(TIMEOUT).build().map_err(ChainError::Unreachable)?;
        Ok(Self { http, url: url.into() })
    }

    async fn ask<T: DeserializeOwned>(&self, method: &'static str, params: Value) -> Result<Answer<T>, ChainError> {
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let sent = self.http.post(&self.url).json(&request).send().await.map_err(ChainError::Unreachable)?;
        sent.json().await.map_err(ChainError::Unreachable)
    }

    /// Asks what has an answer; `None` where it is null.
    ///
    /// # Errors
    /// If the node cannot be reached or refuses.
    pub async fn call<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: Value,
    ) -> Result<Option<T>, ChainError> {
        let answer = self.ask(method, params).await?;
        match answer.error {
            Some(Failure { code, message, .. }) => Err(ChainError::Node { method, code, message }),
            None => Ok(answer.result),
        }
    }

    async fn must<T: DeserializeOwned>(&self, method: &'static str, params: Value) -> Result<T, ChainError> {
        self.call(method, params).await?.ok_or(ChainError::Malformed(method))
    }

    /// The chain's id.
    ///
    /// # Errors
    /// If the node cannot be reached or refuses.
    pub async fn chain_id(&self) -> Result<u64, ChainError> {
        Ok(self.must::<U64>("eth_chainId", json!([])).await?.to())
    }

    /// The sender's next nonce, with what waits for a block.
    ///
    /// # Errors
    /// If the node cannot be reached or refuses.
    pub async fn nonce(&self, of: Address) -> Result<u64, ChainError> {
        Ok(self.must::<U64>("eth_getTransactionCount", json!([of, "pending"])).await?.to())
    }

    /// The head's base fee in wei; zero on a chain without one.
    ///
    /// # Errors
    /// If the node cannot be reached or refuses.
    pub async fn base_fee(&self) -> Result<u128, ChainError> {
        let head: Block = self.must("eth_getBlockByNumber", json!(["latest", false])).await?;
        Ok(head.base_fee_per_gas.map_or(0, |fee| fee.to()))
    }

    /// Tries a call on the head.
    ///
    /// # Errors
    /// If the node cannot be reached or refuses for another reason than the contract's.
    pub async fn try_call(&self, from: Option<Address>, to: Address, data: &Bytes) -> Result<Outcome, ChainError> {
        let mut request = json!({"to": to, "data": data});
        if let Some(from) = from {
            request["from"] = json!(from);
        }
        let method = "eth_call";
        let answer: Answer<Bytes> = self.ask(method, json!([request, "latest"])).await?;
        match (answer.result, answer.error) {
            (Some(returned), _) => Ok(Outcome::Returned(returned)),
            (None, Some(failure)) if failure.is_revert() => Ok(Outcome::Reverted(failure.reason())),
            (None, Some(Failure { code, message, .. })) => Err(ChainError::Node { method, code, message }),
            (None, None) => Err(ChainError::Malformed(method)),
        }
    }

    /// Asks a contract on the head.
    ///
    /// # Errors
    /// If the node cannot be reached, the contract refuses, or the answer is of another shape.
    pub async fn question<C: SolCall>(&self, to: Address, call: &C) -> Result<C::Return, ChainError> {
        match self.try_call(None, to, &call.abi_encode().into()).await? {
            Outcome::Returned(answer) => {
                C::abi_decode_returns(&answer).map_err(|_| ChainError::Malformed(C::SIGNATURE))
            }
            Outcome::Reverted(reason) => Err(ChainError::Refused(reason.to_string())),
        }
    }

    /// Gas that a call would use.
    ///
    /// # Errors
    /// If the node cannot be reached or refuses.
    pub async fn gas(&self, from: Address, to: Option<Address>, data: &Bytes) -> Result<u64, ChainError> {
        let request = json!({"from": from, "to": to, "data": data});
        Ok(self.must::<U64>("eth_estimateGas", json!([request])).await?.to())
    }

    /// Sends a signed transaction.
    ///
    /// # Errors
    /// If the node cannot be reached or refuses.
    pub async fn send(&self, raw: &Bytes) -> Result<B256, ChainError> {
        self.must("eth_sendRawTransaction", json!([raw])).await
    }

    /// Whether a transaction succeeded; `None` if it is in no block.
    ///
    /// # Errors
    /// If the node cannot be reached or refuses.
    pub async fn succeeded(&self, transaction: B256) -> Result<Option<bool>, ChainError> {
        let receipt: Option<Receipt> = self.call("eth_getTransactionReceipt", json!([transaction])).await?;
        Ok(receipt.map(|receipt| receipt.status == U64::from(1)))
    }
}

/// An entry of a contract's log.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Log {
    /// What it is about.
    pub topics: Vec<B256>,
    /// The rest.
    pub data: Bytes,
}

impl Node {
    /// A contract's log entries with these topics, from the first block on; `None` stands for any.
    ///
    /// # Errors
    /// If the node cannot be reached, or refuses so many blocks or entries.
    pub async fn logs(&self, of: Address, topics: &[Option<B256>]) -> Result<Vec<Log>, ChainError> {
        let filter = json!({"address": of, "topics": topics, "fromBlock": "earliest", "toBlock": "latest"});
        self.must("eth_getLogs", json!([filter])).await
    }
}

impl Failure {
    fn is_revert(&self) -> bool {
        self.code == REVERTED || self.message.contains("revert")
    }

    /// What the contract reverted with; some nodes wrap it.
    fn reason(&self) -> Bytes {
        let data = self.data.as_ref().and_then(|data| data.as_str().or_else(|| data.get("data")?.as_str()));
        data.and_then(|text| text.parse().ok()).unwrap_or_default()
    }
}
