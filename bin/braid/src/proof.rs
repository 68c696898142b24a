//! Proofs for light clients: collected from a node, and checked without one.

mod block;
mod collect;
mod report;
mod trust;

use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use alloy_primitives::{Address, B256, U256};
use braid_light::{Bundle, LightClient};
use clap::{Args, Subcommand};
use eyre::{WrapErr as _, bail};

/// Bytes of a file with a proof: a receipt may hold some megabytes of logs, and is written in hexadecimal.
const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;

/// Collect proofs for light clients
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ProofCommand {
    /// Collect the proof of an account and its storage
    Account(AccountArgs),
    /// Collect the proof of a transaction and its receipt
    Receipt(ReceiptArgs),
    /// Print what a light client of a chain has to trust
    Client(trust::GenesisArgs),
}

#[derive(Clone, Debug, Args)]
pub(crate) struct AccountArgs {
    /// Whose account
    address: Address,
    /// Storage slots to prove, with commas in between
    #[arg(long, value_name = "SLOT", value_delimiter = ',')]
    slots: Vec<U256>,
    /// Height of the block after which the account is asked for; the newest that is proved final by default
    #[arg(long, value_name = "HEIGHT")]
    block: Option<u64>,
    #[command(flatten)]
    source: Source,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ReceiptArgs {
    /// The transaction's hash
    transaction: B256,
    #[command(flatten)]
    source: Source,
}

/// Where a proof comes from and goes to.
#[derive(Clone, Debug, Args)]
struct Source {
    /// Address of a node's JSON-RPC server
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8545")]
    rpc: String,
    /// File for the proof, instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Seconds to wait for the certificate of a new block
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    wait: u64,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct VerifyArgs {
    /// File with a proof
    file: PathBuf,
    #[command(flatten)]
    trust: trust::TrustArgs,
    /// Write what the client has to trust after this proof to a file, for `--client` of the next
    #[arg(long, value_name = "FILE")]
    save_client: Option<PathBuf>,
}

/// Runs `braid proof`.
///
/// # Errors
/// If the node cannot be asked, has no proof, or the file cannot be written.
pub(crate) fn run(command: &ProofCommand) -> eyre::Result<()> {
    match command {
        ProofCommand::Account(args) => {
            let AccountArgs { address, slots, block, source } = args;
            let bundle = collect::run(source, |node| collect::account(node, *address, slots, *block))?;
            write_json(source.out.as_deref(), &bundle)
        }
        ProofCommand::Receipt(ReceiptArgs { transaction, source }) => {
            let bundle = collect::run(source, |node| collect::receipt(node, *transaction))?;
            write_json(source.out.as_deref(), &bundle)
        }
        ProofCommand::Client(args) => write_json(None, &args.client()?),
    }
}

/// Runs `braid verify-proof`.
///
/// # Errors
/// The first step of the proof that fails.
pub(crate) fn verify(args: &VerifyArgs) -> eyre::Result<()> {
    let client = args.trust.client()?;
    let bundle: Bundle = read_json(&args.file)?;
    let proved = bundle.verify(&client)?;
    print!("{}", report::text(&proved));
    args.save_client.as_deref().map_or(Ok(()), |file| write_json(Some(file), &proved.client))
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> eyre::Result<T> {
    let read = || format!("failed to read {}", path.display());
    let mut text = Vec::new();
    File::open(path).wrap_err_with(read)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut text).wrap_err_with(read)?;
    if text.len() as u64 > MAX_FILE_BYTES {
        bail!("{} is larger than {MAX_FILE_BYTES} bytes", path.display());
    }
    serde_json::from_slice(&text).wrap_err_with(read)
}

/// Writes to a file, or to standard output without one.
fn write_json(path: Option<&Path>, value: &impl serde::Serialize) -> eyre::Result<()> {
    let mut text = serde_json::to_string_pretty(value).wrap_err("failed to write JSON")?;
    text.push('\n');
    match path {
        Some(path) => fs::write(path, text).wrap_err_with(|| format!("failed to write {}", path.display())),
        None => std::io::stdout().write_all(text.as_bytes()).wrap_err("failed to write to standard output"),
    }
}

impl Source {
    const fn wait(&self) -> Duration {
        Duration::from_secs(self.wait)
    }
}

/// A client as it is written to a file.
fn read_client(path: &Path) -> eyre::Result<LightClient> {
    read_json(path)
}
