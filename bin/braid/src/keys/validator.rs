//! `braid keys validator` and `braid keys deal`: identities of nodes, and shares of a group's key.
//!
//! Both stand in files of their own kind: what is public in the clear, the secret encrypted as in a Web3 keystore.

use std::path::{Path, PathBuf};

use alloy_primitives::{B256, Bytes};
use braid_consensus::{deal, generate::Generated, keys};
use clap::{Args, Subcommand};
use eyre::{Context, ensure};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{
    file,
    keystore::{Cost, Sealed},
    password::{self, PasswordArgs},
};

/// Version of both formats.
const VERSION: u8 = 1;

/// What to do with identities.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ValidatorCommand {
    /// Make an identity and keep it in a file
    New {
        /// File to write; it must not be there yet.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        password: PasswordArgs,
        /// Make the password quick to check, and to guess: for keys that guard nothing.
        #[arg(long)]
        light: bool,
    },
    /// Print what a file holds after checking it against the key
    Show {
        /// File made by braid keys validator new or braid keys deal.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Print the public key of an identity; needs no password
    ExportPublic {
        /// File made by braid keys validator new.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

/// Identities and shares for a committee.
#[derive(Args, Clone, Debug)]
pub(crate) struct DealArgs {
    /// Number of validators.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=128))]
    validators: u16,
    /// Folder to write to: group.json, and validator-I.json and share-I.json for each.
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    #[command(flatten)]
    password: PasswordArgs,
    /// Make the password quick to check, and to guess: for keys that guard nothing.
    #[arg(long)]
    light: bool,
}

/// A node's identity in a file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct IdentityFile {
    kind: IdentityKind,
    version: u8,
    /// The ed25519 public key.
    pub(crate) public_key: B256,
    crypto: Sealed,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum IdentityKind {
    #[serde(rename = "braid-validator")]
    Validator,
}

/// A validator's share of a group's key in a file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ShareFile {
    kind: ShareKind,
    version: u8,
    /// The identity of the validator that it belongs to.
    pub(crate) public_key: B256,
    /// The group's polynomial, as the genesis has it.
    pub(crate) group_polynomial: Bytes,
    crypto: Sealed,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum ShareKind {
    #[serde(rename = "braid-share")]
    Share,
}

/// What everybody may know of a group: `group.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct GroupFile {
    group_polynomial: Bytes,
    validators: Vec<B256>,
}

/// Runs one of the commands.
///
/// # Errors
/// What stands in the way.
pub(crate) fn run(command: &ValidatorCommand) -> eyre::Result<()> {
    match command {
        ValidatorCommand::New { file, password, light } => {
            let password = password::new(password.password_file.as_deref())?;
            println!("{}", create_identity(file, &password, cost(*light))?);
        }
        ValidatorCommand::Show { file, password } => show(file, password.password_file.as_deref())?,
        ValidatorCommand::ExportPublic { file } => println!("{}", read_identity(file)?.public_key),
    }
    Ok(())
}

/// Plays the trusted dealer.
///
/// # Errors
/// If a file is there already or cannot be written.
pub(crate) fn deal(args: &DealArgs) -> eyre::Result<()> {
    let password = password::new(args.password.password_file.as_deref())?;
    let name = |kind: &str, index: u16| args.dir.join(format!("{kind}-{index}.json"));
    let identities =
        (0..args.validators).map(|index| create_identity(&name("validator", index), &password, cost(args.light)));
    let validators: Vec<B256> = identities.collect::<eyre::Result<_>>()?;
    let paths: Vec<_> = (0..args.validators).map(|index| name("share", index)).collect();
    let group_polynomial = create_shares(&validators, &paths, &password, cost(args.light))?;
    let path = args.dir.join("group.json");
    file::create_json(&path, &GroupFile { group_polynomial, validators })?;
    println!("{} validators, {}", args.validators, path.display());
    println!("Who has seen these files can sign for all: use them for tests and networks of your own only.");
    Ok(())
}

/// Makes an identity and writes it; its public key.
///
/// # Errors
/// If the file is there already or cannot be written.
pub(crate) fn create_identity(path: &Path, password: &str, cost: Cost) -> eyre::Result<B256> {
    let secret = Zeroizing::new(B256::random().0);
    let public_key = keys::public_key(secret.as_slice())?;
    let crypto = Sealed::new(secret.as_slice(), password, cost)?;
    let identity = IdentityFile { kind: IdentityKind::Validator, version: VERSION, public_key, crypto };
    file::create_json(path, &identity)?;
    Ok(public_key)
}

/// Deals a group key to `validators` and writes each one's share to the path in its place; the group's polynomial.
///
/// # Errors
/// If a file is there already or cannot be written.
pub(crate) fn create_shares(validators: &[B256], paths: &[PathBuf], password: &str, cost: Cost) -> eyre::Result<Bytes> {
    let seed = Zeroizing::new(B256::random().0);
    let dealt = deal::deal(validators, &seed)?;
    for (&public_key, path) in validators.iter().zip(paths) {
        let share = dealt.shares.iter().find(|(key, _)| *key == public_key);
        let secret = Zeroizing::new(share.map(|(_, secret)| secret.clone()).unwrap_or_default());
        let crypto = Sealed::new(&secret, password, cost)?;
        let group_polynomial = dealt.polynomial.clone();
        let share = ShareFile { kind: ShareKind::Share, version: VERSION, public_key, group_polynomial, crypto };
        file::create_json(path, &share)?;
    }
    Ok(dealt.polynomial)
}

/// Reads an identity without its secret.
///
/// # Errors
/// If it cannot be read or is something else.
pub(crate) fn read_identity(path: &Path) -> eyre::Result<IdentityFile> {
    let identity: IdentityFile = file::read_json(path, "the identity of a node")?;
    ensure!(identity.version == VERSION, "{} has version {}, not {VERSION}", path.display(), identity.version);
    Ok(identity)
}

/// Reads a share without its secret.
///
/// # Errors
/// If it cannot be read or is something else.
pub(crate) fn read_share(path: &Path) -> eyre::Result<ShareFile> {
    let share: ShareFile = file::read_json(path, "a share of a group's key")?;
    ensure!(share.version == VERSION, "{} has version {}, not {VERSION}", path.display(), share.version);
    Ok(share)
}

impl IdentityFile {
    /// The secret, checked against the public key.
    ///
    /// # Errors
    /// If the password is wrong or the two do not belong together.
    pub(crate) fn open(&self, password: &str, path: &Path) -> eyre::Result<Zeroizing<Vec<u8>>> {
        let secret = self.crypto.open(password).wrap_err_with(|| path.display().to_string())?;
        let actual = keys::public_key(&secret).wrap_err_with(|| path.display().to_string())?;
        ensure!(
            actual == self.public_key,
            "{} names {}, but its key is that of {actual}",
            path.display(),
            self.public_key
        );
        Ok(secret)
    }
}

impl ShareFile {
    /// The share of a key that was made together.
    ///
    /// # Errors
    /// If it cannot be encrypted.
    pub(crate) fn seal(public_key: B256, made: &Generated, password: &str, cost: Cost) -> eyre::Result<Self> {
        let (crypto, group_polynomial) = (Sealed::new(&made.share, password, cost)?, made.polynomial.clone());
        Ok(Self { kind: ShareKind::Share, version: VERSION, public_key, group_polynomial, crypto })
    }

    /// The secret, checked against the group's polynomial.
    ///
    /// # Errors
    /// If the password is wrong or the two do not belong together.
    pub(crate) fn open(&self, password: &str, path: &Path) -> eyre::Result<Zeroizing<Vec<u8>>> {
        let secret = self.crypto.open(password).wrap_err_with(|| path.display().to_string())?;
        deal::check(&secret, &self.group_polynomial).wrap_err_with(|| path.display().to_string())?;
        Ok(secret)
    }
}

fn show(path: &Path, password_file: Option<&Path>) -> eyre::Result<()> {
    let identity = read_identity(path);
    match identity {
        Ok(identity) => {
            identity.open(&password::existing(password_file, path)?, path)?;
            println!("identity    {}", identity.public_key);
        }
        Err(error) => {
            let Ok(share) = read_share(path) else { return Err(error) };
            share.open(&password::existing(password_file, path)?, path)?;
            println!("share of    {}", share.public_key);
            println!("polynomial  {}", share.group_polynomial);
        }
    }
    Ok(())
}

/// How hard a password is to guess.
pub(crate) const fn cost(light: bool) -> Cost {
    if light { Cost::Light } else { Cost::Standard }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_and_share_come_back_and_know_their_own() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let keys = [0, 1].map(|i| create_identity(&path(&format!("key-{i}")), "secret", Cost::Light).unwrap());
        let shares = [path("share-0"), path("share-1")];
        let polynomial = create_shares(&keys, &shares, "secret", Cost::Light).unwrap();
        for (i, key) in keys.into_iter().enumerate() {
            let identity = read_identity(&path(&format!("key-{i}"))).unwrap();
            assert_eq!(identity.public_key, key);
            identity.open("secret", &path("key")).unwrap();
            let error = format!("{:#}", identity.open("other", &path("key")).unwrap_err());
            assert!(error.contains("the password is wrong"), "{error}");
            let share = read_share(&shares[i]).unwrap();
            assert_eq!((share.public_key, &share.group_polynomial), (key, &polynomial));
            share.open("secret", &shares[i]).unwrap();
        }
        let other = IdentityFile { public_key: keys[1], ..read_identity(&path("key-0")).unwrap() };
        assert!(other.open("secret", &path("key-0")).unwrap_err().to_string().contains("names"));
        assert!(read_share(&path("key-0")).unwrap_err().to_string().contains("is not a share"));
        assert!(read_identity(&shares[0]).unwrap_err().to_string().contains("is not the identity"));
    }

    #[test]
    fn a_share_of_another_group_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let keys = [create_identity(&dir.path().join("key"), "secret", Cost::Light).unwrap()];
        let [one, two] = ["one", "two"].map(|name| {
            let path = dir.path().join(name);
            create_shares(&keys, std::slice::from_ref(&path), "secret", Cost::Light).unwrap();
            read_share(&path).unwrap()
        });
        let mixed = ShareFile { group_polynomial: two.group_polynomial, ..one };
        let error = format!("{:#}", mixed.open("secret", dir.path()).unwrap_err());
        assert!(error.contains("does not belong"), "{error}");
    }
}
