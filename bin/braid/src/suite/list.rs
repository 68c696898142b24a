//! `braid contracts`: what the suite consists of, and where it is.

use std::io::{self, Write};

use alloy_primitives::{Address, address};
use braid_suite::{Contract, Suite};
use clap::Args;
use eyre::OptionExt;
use serde::Serialize;
use serde_json::value::RawValue;

/// Account 0 of the mnemonic that development nodes share.
const DEVELOPMENT_OWNER: Address = address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266");

/// Arguments of `braid contracts`.
#[derive(Args, Clone, Debug)]
pub(crate) struct ContractsArgs {
    /// Whose suite: account 0 of a development chain's mnemonic, or whose key `braid deploy` was given
    #[arg(long, value_name = "ADDRESS", default_value_t = DEVELOPMENT_OWNER)]
    owner: Address,
    /// Print a JSON list instead of text, with interfaces
    #[arg(long)]
    json: bool,
    /// Print the interface of one contract as JSON
    #[arg(long, value_name = "NAME")]
    abi: Option<String>,
}

/// A contract as JSON.
#[derive(Debug, Serialize)]
struct Listed<'a> {
    name: &'a str,
    address: Address,
    about: &'a str,
    contract: &'a str,
    source: String,
    abi: &'a RawValue,
}

/// Runs the command.
///
/// # Errors
/// If no contract is called what `--abi` says.
pub(crate) fn run(args: &ContractsArgs) -> eyre::Result<()> {
    match print(args, &mut std::io::stdout().lock()) {
        // A reader that has seen enough closes the pipe.
        Err(error)
            if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) =>
        {
            Ok(())
        }
        other => other,
    }
}

fn print(args: &ContractsArgs, out: &mut impl Write) -> eyre::Result<()> {
    let suite = Suite::new(args.owner)?;
    if let Some(name) = &args.abi {
        let contract =
            suite.find(name).ok_or_eyre(format!("no contract is called {name}; braid contracts lists them"))?;
        writeln!(out, "{}", contract.artefact.abi()?)?;
    } else if args.json {
        let listed = suite.contracts.iter().map(listed).collect::<eyre::Result<Vec<_>>>()?;
        writeln!(out, "{}", serde_json::to_string(&listed)?)?;
    } else {
        let width = suite.contracts.iter().map(|contract| contract.name.len()).max().unwrap_or_default();
        for Contract { name, about, address, .. } in &suite.contracts {
            writeln!(out, "{name:width$}  {address}  {about}")?;
        }
    }
    Ok(())
}

fn listed(contract: &Contract) -> eyre::Result<Listed<'_>> {
    let artefact = contract.artefact;
    Ok(Listed {
        name: &contract.name,
        address: contract.address,
        about: &contract.about,
        contract: artefact.name,
        source: format!("contracts/{}", artefact.source()?),
        abi: artefact.abi()?,
    })
}
