//! The command line: subcommands and their arguments.
//!
//! `braid` without a subcommand, or with flags alone, is `braid dev`.

use std::ffi::OsString;

use clap::{CommandFactory, Error, FromArgMatches, Parser, Subcommand};

use crate::{
    config::{
        DevSettings,
        layers::{self, Resolved},
    },
    conformance::ConformanceCommand,
    db::DbCommand,
    load::LoadArgs,
    transfer::TransferCommand,
};

/// An Ethereum-compatible chain.
///
/// Without a command it starts a development node, as `braid dev` does.
#[derive(Debug, Parser)]
#[command(name = "braid", version, arg_required_else_help = false)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start a development node with funded accounts (the default command)
    Dev(Box<DevSettings>),
    /// Look into a data directory
    #[command(subcommand)]
    Db(DbCommand),
    /// Send transactions to a node and measure how fast they are included
    Load(LoadArgs),
    #[command(flatten)]
    Conformance(ConformanceCommand),
    #[command(flatten)]
    Transfer(TransferCommand),
}

/// What to do.
#[derive(Debug)]
pub(crate) enum Action {
    /// Start a development node.
    Dev(Box<Resolved>),
    /// Print its settings as TOML.
    PrintConfig(String),
    /// Look into a data directory.
    Db(DbCommand),
    /// Load a node.
    Load(LoadArgs),
    /// Run a conformance suite.
    Conformance(ConformanceCommand),
    /// Move a chain in or out of a data directory.
    Transfer(TransferCommand),
}

/// Reads the command line, the environment and the configuration file.
///
/// # Errors
/// What clap says, to be printed with [`Error::exit`].
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Action, Error> {
    let args = with_command(args.into_iter().collect());
    let command = Cli::command();
    let cli = Cli::from_arg_matches(&command.clone().try_get_matches_from(&args)?)?;
    match cli.command {
        Command::Dev(_) => {
            let resolved = layers::resolve(&command, &args)?;
            if resolved.settings.print_config {
                let values = resolved.table(&command)?;
                return Ok(Action::PrintConfig(crate::config::print::print(&resolved, &values)));
            }
            Ok(Action::Dev(Box::new(resolved)))
        }
        Command::Transfer(command) => Ok(Action::Transfer(command)),
        Command::Db(command) => Ok(Action::Db(command)),
        Command::Load(args) => Ok(Action::Load(args)),
        Command::Conformance(command) => Ok(Action::Conformance(command)),
    }
}

/// Puts `dev` in front of flags that have no command, other than those for help and version.
fn with_command(mut args: Vec<OsString>) -> Vec<OsString> {
    let first = args.get(1).map(|arg| arg.to_string_lossy().into_owned());
    let is_dev = match first.as_deref() {
        None => true,
        Some("-h" | "--help" | "-V" | "--version") => false,
        Some(other) => other.starts_with('-'),
    };
    if is_dev {
        args.insert(args.len().min(1), "dev".into());
    }
    args
}
