//! `braid rpctest`: the JSON-RPC conformance suite of ethereum/execution-apis.
//!
//! The suite's chain is imported into a temporary data directory and served on a port of 127.0.0.1 by the same server as
//! the node's, which makes no blocks by itself; or a node that runs already is asked (`--url`). Scripts run one after
//! the other in the order of their names, as the suite means them to: those that send transactions come before those
//! that look at the pool.

mod compare;
mod node;
mod script;

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::Args;
use eyre::{WrapErr as _, eyre};
use serde_json::Value;
use tokio::runtime::Runtime;

use self::{node::Node, script::Script};
use super::{
    report::{Case, Verdict},
    suite::{self, SuiteArgs},
};

/// How long one answer may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Methods that are not asked for, with the reason. A script that asks for one is skipped, but what else it sends is sent
/// and compared, for later scripts build on it.
const EXCEPTIONS: [(&str, &str); 1] = [(
    "testing_buildBlockV1",
    "testing_buildBlockV1 is not served: it asks for blocks on behalf of a consensus client, which Braid does without",
)];

/// Arguments of `braid rpctest`.
#[derive(Args, Clone, Debug)]
pub(crate) struct RpctestArgs {
    #[command(flatten)]
    suite: SuiteArgs,
    /// Folder with the suite's chain [default: the first path, or the nearest folder above it with one]
    #[arg(long, value_name = "DIR")]
    chain: Option<PathBuf>,
    /// Ask this node, which must serve the suite's chain, instead of starting one
    #[arg(long)]
    url: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// If the suite's chain cannot be found, imported or served, or the report cannot be printed.
pub(crate) fn run(args: &RpctestArgs) -> eyre::Result<ExitCode> {
    let runtime = Runtime::new().wrap_err("failed to start the runtime")?;
    let node;
    let url = match &args.url {
        Some(url) => url.clone(),
        None => {
            let root = args.chain.clone().map_or_else(|| suite_root(&args.suite.paths), Ok)?;
            node = Node::start(&runtime, &root)?;
            node.url()
        }
    };
    let http = reqwest::Client::builder().timeout(TIMEOUT).build().wrap_err("failed to set up HTTP")?;
    let client = Client { runtime: &runtime, http, url };
    suite::run(&args.suite, ".io", NonZeroUsize::MIN, |_, content| vec![Case::new("", judge(&client, content))])
}

/// The folder with the suite's chain: the first path, or the nearest folder above it.
fn suite_root(paths: &[PathBuf]) -> eyre::Result<PathBuf> {
    let first = paths.first().ok_or_else(|| eyre!("no path is given"))?;
    let path = first.canonicalize().wrap_err_with(|| format!("{} cannot be read", first.display()))?;
    let is_root = |folder: &&Path| folder.join(node::CHAIN).is_file() && folder.join(node::GENESIS).is_file();
    let root = path.ancestors().find(is_root);
    let missing =
        || eyre!("neither {} nor a folder above it holds {} and {}", first.display(), node::CHAIN, node::GENESIS);
    root.map(Path::to_owned).ok_or_else(missing)
}

fn judge(client: &Client<'_>, content: &[u8]) -> Verdict {
    match check(client, content) {
        Ok(None) => Verdict::Passed,
        Ok(Some(reason)) => Verdict::Skipped(reason.to_owned()),
        Err(reason) => Verdict::Failed(reason),
    }
}

/// Runs a script; returns why it counts as skipped, if it does.
fn check(client: &Client<'_>, content: &[u8]) -> Result<Option<&'static str>, String> {
    let text = std::str::from_utf8(content).map_err(|error| error.to_string())?;
    let script = Script::parse(text)?;
    let mut skipped = None;
    for (index, exchange) in script.exchanges.iter().enumerate() {
        if let Some(reason) = exception(&exchange.request) {
            skipped = Some(reason);
            continue;
        }
        let found = client.ask(&exchange.request)?;
        let differences = compare::differences(script.strictness, &exchange.expected, &found);
        if !differences.is_empty() {
            return Err(format!("response {} differs\n{}", index + 1, differences.join("\n")));
        }
    }
    Ok(skipped)
}

/// Why a request is not sent, if it is not.
fn exception(request: &str) -> Option<&'static str> {
    let request: Value = serde_json::from_str(request).ok()?;
    let method = request.get("method")?.as_str()?;
    EXCEPTIONS.iter().find(|(name, _)| *name == method).map(|(_, reason)| *reason)
}

/// How the node is asked.
struct Client<'a> {
    runtime: &'a Runtime,
    http: reqwest::Client,
    url: String,
}

impl Client<'_> {
    fn ask(&self, request: &str) -> Result<Value, String> {
        let answer = async {
            let request = self.http.post(&self.url).header("content-type", "application/json").body(request.to_owned());
            request.send().await?.bytes().await
        };
        let body =
            self.runtime.block_on(answer).map_err(|error| format!("no answer: {:#}", eyre::Report::new(error)))?;
        serde_json::from_slice(&body).map_err(|error| format!("the answer is not JSON: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_are_found_by_method() {
        assert!(exception(r#"{"method":"testing_buildBlockV1"}"#).is_some());
        assert!(exception(r#"{"method":"eth_call"}"#).is_none());
        assert!(exception("{").is_none(), "a malformed request is sent as it is");
    }
}
