//! `braid keys`: private keys of accounts, identities of validators, and shares of a group's key, in encrypted files.

pub(crate) mod account;
pub(crate) mod file;
pub(crate) mod group;
pub(crate) mod keystore;
pub(crate) mod password;
pub(crate) mod sender;
pub(crate) mod validator;

use clap::Subcommand;

use self::{
    account::AccountCommand,
    group::GenerateArgs,
    validator::{DealArgs, ValidatorCommand},
};

/// What to do with keys.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Private keys of accounts, as Web3 keystores
    #[command(subcommand)]
    Account(AccountCommand),
    /// Identities of validators and followers
    #[command(subcommand)]
    Validator(ValidatorCommand),
    /// Identities and shares of a BLS12-381 key for a committee, from one hand: for tests and networks of your own
    Deal(DealArgs),
    /// Make a chain's BLS12-381 key together with its other validators, before it begins
    GenerateGroup(GenerateArgs),
}

/// Runs one of the commands.
///
/// # Errors
/// What stands in the way.
pub(crate) fn run(command: &KeysCommand) -> eyre::Result<()> {
    match command {
        KeysCommand::Account(command) => account::run(command),
        KeysCommand::Validator(command) => validator::run(command),
        KeysCommand::Deal(args) => validator::deal(args),
        KeysCommand::GenerateGroup(args) => group::run(args),
    }
}
