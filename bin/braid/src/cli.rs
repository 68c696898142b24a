//! The command line: subcommands and their arguments.
//!
//! `braid` without a subcommand, or with flags alone, is `braid dev`.

use std::ffi::OsString;

use clap::{CommandFactory, Error, FromArgMatches, Parser, Subcommand, error::ErrorKind};

use crate::{
    config::{
        DevSettings,
        layers::{self, Resolved, Settings},
        node::NodeSettings,
    },
    conformance::ConformanceCommand,
    db::DbCommand,
    keys::KeysCommand,
    load::LoadArgs,
    localnet::LocalnetArgs,
    microloans::MicroloansArgs,
    mobile_money_sim::SimulatorArgs,
    proof::{ProofCommand, VerifyArgs},
    snapshot::SnapshotCommand,
    suite::{deploy::DeployArgs, list::ContractsArgs},
    top::TopArgs,
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
    /// Run a validator of a network, or a follower of it
    Node(Box<NodeSettings>),
    /// Start a network of validators on this machine
    Localnet(LocalnetArgs),
    /// Make and read encrypted key files
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Look into a data directory
    #[command(subcommand)]
    Db(DbCommand),
    /// Keep the state of a chain in a file, and make a data directory from it
    #[command(subcommand)]
    Snapshot(SnapshotCommand),
    /// Send transactions to a node and measure how fast they are included
    Load(Box<LoadArgs>),
    /// Show where a running node's time goes, stage by stage
    Top(TopArgs),
    /// Collect proofs for light clients
    #[command(subcommand)]
    Proof(ProofCommand),
    /// Check a proof from the genesis, or a group key, alone
    VerifyProof(VerifyArgs),
    /// Put the DeFi contracts on a chain
    Deploy(DeployArgs),
    /// List the DeFi contracts: name, address, what each is, interface
    Contracts(ContractsArgs),
    /// Calculate micro-loans, or keep their books and serve them
    Microloans(MicroloansArgs),
    /// Simulate mobile money: the interfaces of M-PESA and MTN, and telephones with wallets
    MobileMoneySim(SimulatorArgs),
    #[command(flatten)]
    Conformance(ConformanceCommand),
    #[command(flatten)]
    Transfer(TransferCommand),
}

/// What to do.
#[derive(Debug)]
pub(crate) enum Action {
    /// Start a development node.
    Dev(Box<Resolved<DevSettings>>),
    /// Print its settings as TOML.
    PrintConfig(String),
    /// Run a node of a network.
    Node(Box<Resolved<NodeSettings>>),
    /// Run a network on this machine.
    Localnet(LocalnetArgs),
    /// Make and read key files.
    Keys(KeysCommand),
    /// Look into a data directory.
    Db(DbCommand),
    /// Write or restore a snapshot.
    Snapshot(SnapshotCommand),
    /// Load a node.
    Load(Box<LoadArgs>),
    /// Watch a node's stages.
    Top(TopArgs),
    /// Collect a proof.
    Proof(ProofCommand),
    /// Check a proof.
    VerifyProof(VerifyArgs),
    /// Put the contracts on a chain.
    Deploy(DeployArgs),
    /// List the contracts.
    Contracts(ContractsArgs),
    /// Calculate micro-loans, or serve them.
    Microloans(MicroloansArgs),
    /// Simulate mobile money.
    MobileMoneySim(SimulatorArgs),
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
    // What a node cannot do without may stand in its configuration file.
    let lenient =
        command.clone().mut_subcommand(NodeSettings::COMMAND, |node| node.mut_args(|arg| arg.required(false)));
    let matches = lenient.try_get_matches_from(&args)?;
    if matches.subcommand_name() == Some(NodeSettings::COMMAND) {
        let resolved = layers::resolve(&command, &args)?;
        return Ok(print_config(&command, &resolved)?.unwrap_or_else(|| Action::Node(Box::new(resolved))));
    }
    let cli = Cli::from_arg_matches(&matches)?;
    match cli.command {
        Command::Dev(_) => {
            let resolved = layers::resolve(&command, &args)?;
            Ok(print_config(&command, &resolved)?.unwrap_or_else(|| Action::Dev(Box::new(resolved))))
        }
        Command::Transfer(command) => Ok(Action::Transfer(command)),
        Command::Node(_) => Err(command.clone().error(ErrorKind::InvalidSubcommand, "a node has settings of its own")),
        Command::Localnet(args) => Ok(Action::Localnet(args)),
        Command::Keys(command) => Ok(Action::Keys(command)),
        Command::Db(command) => Ok(Action::Db(command)),
        Command::Snapshot(command) => Ok(Action::Snapshot(command)),
        Command::Load(args) => Ok(Action::Load(args)),
        Command::Top(args) => Ok(Action::Top(args)),
        Command::Proof(command) => Ok(Action::Proof(command)),
        Command::VerifyProof(args) => Ok(Action::VerifyProof(args)),
        Command::Deploy(args) => Ok(Action::Deploy(args)),
        Command::Contracts(args) => Ok(Action::Contracts(args)),
        Command::Microloans(args) => Ok(Action::Microloans(args)),
        Command::MobileMoneySim(args) => Ok(Action::MobileMoneySim(args)),
        Command::Conformance(command) => Ok(Action::Conformance(command)),
    }
}

/// Prints the settings if that is what they ask for.
fn print_config<S: Settings>(command: &clap::Command, resolved: &Resolved<S>) -> Result<Option<Action>, Error> {
    if !resolved.settings.origin().print_config {
        return Ok(None);
    }
    let values = resolved.table(command)?;
    Ok(Some(Action::PrintConfig(crate::config::print::print(resolved, &values))))
}

/// Puts `dev` in front of flags that have no command, other than those for help and version. Nothing at all starts everything.
fn with_command(mut args: Vec<OsString>) -> Vec<OsString> {
    if args.len() <= 1 {
        args.extend(["dev".into(), "--microloans".into()]);
        return args;
    }
    let first = args.get(1).map(|arg| arg.to_string_lossy().into_owned());
    let is_dev = match first.as_deref() {
        None => false,
        Some("-h" | "--help" | "-V" | "--version") => false,
        Some(other) => other.starts_with('-'),
    };
    if is_dev {
        args.insert(args.len().min(1), "dev".into());
    }
    args
}
