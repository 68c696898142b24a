//! `braid keys account`: private keys of accounts in Web3 keystores, which geth, MetaMask and cast read as well.

use std::{
    fs,
    path::{Path, PathBuf},
};

use alloy_primitives::{Address, B128, B256, hex};
use alloy_signer_local::PrivateKeySigner;
use clap::{Args, Subcommand};
use eyre::{Context, bail, ensure, eyre};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{
    file,
    keystore::{Cost, Sealed},
    password::{self, PasswordArgs},
};

/// Version of the format.
const VERSION: u8 = 3;

/// What to do with accounts.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum AccountCommand {
    /// Make a private key and keep it in a keystore file named after its address
    New(NewArgs),
    /// Keep a private key that you have in a keystore file
    Import(ImportArgs),
    /// List the addresses of the keystore files in a folder
    List {
        /// Folder of keystore files.
        #[arg(long, env = "BRAID_KEYSTORE", value_name = "DIR", default_value = "keystore")]
        keystore: PathBuf,
    },
    /// Print the address of a keystore file after checking it against the key
    Address(FileArgs),
    /// Print the private key of a keystore file
    Export(FileArgs),
}

/// Where to put a key.
#[derive(Args, Clone, Debug)]
pub(crate) struct NewArgs {
    /// Folder of keystore files, created if needed.
    #[arg(long, env = "BRAID_KEYSTORE", value_name = "DIR", default_value = "keystore")]
    keystore: PathBuf,
    #[command(flatten)]
    password: PasswordArgs,
    /// Make the password quick to check, and to guess: for keys that guard nothing.
    #[arg(long)]
    light: bool,
}

/// What to import, and where to put it.
#[derive(Args, Clone, Debug)]
pub(crate) struct ImportArgs {
    /// File whose first line is the private key in hexadecimal; without it a prompt.
    #[arg(long, value_name = "FILE")]
    private_key_file: Option<PathBuf>,
    #[command(flatten)]
    new: NewArgs,
}

/// A keystore file.
#[derive(Args, Clone, Debug)]
pub(crate) struct FileArgs {
    /// Keystore file.
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) password: PasswordArgs,
}

/// A keystore file, as far as Braid needs it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Keystore {
    /// Missing in some wallets' files.
    #[serde(default)]
    address: Option<String>,
    /// Some old wallets write it with a capital letter.
    #[serde(alias = "Crypto")]
    crypto: Sealed,
    id: String,
    version: u8,
}

/// Runs one of the commands.
///
/// # Errors
/// What stands in the way.
pub(crate) fn run(command: &AccountCommand) -> eyre::Result<()> {
    match command {
        AccountCommand::New(args) => keep(&PrivateKeySigner::random(), args),
        AccountCommand::Import(args) => keep(&imported(args.private_key_file.as_deref())?, &args.new),
        AccountCommand::List { keystore } => list(keystore),
        AccountCommand::Address(args) => {
            println!("{}", open(args)?.address());
            Ok(())
        }
        AccountCommand::Export(args) => {
            println!("{}", Zeroizing::new(hex::encode_prefixed(open(args)?.to_bytes())).as_str());
            Ok(())
        }
    }
}

fn keep(signer: &PrivateKeySigner, args: &NewArgs) -> eyre::Result<()> {
    let password = password::new(args.password.password_file.as_deref())?;
    let cost = if args.light { Cost::Light } else { Cost::Standard };
    let secret = Zeroizing::new(signer.to_bytes().0);
    let address = hex::encode(signer.address());
    let path = args.keystore.join(format!("{address}.json"));
    let crypto = Sealed::new(secret.as_slice(), &password, cost)?;
    file::create_json(&path, &Keystore { address: Some(address), crypto, id: random_uuid(), version: VERSION })?;
    println!("{}  {}", signer.address(), path.display());
    Ok(())
}

pub(super) fn imported(path: Option<&Path>) -> eyre::Result<PrivateKeySigner> {
    let text = match path {
        Some(path) => fs::read_to_string(path).wrap_err_with(|| format!("failed to read {}", path.display()))?,
        None => rpassword::prompt_password("Private key: ").wrap_err("failed to read the private key")?,
    };
    let text = Zeroizing::new(text);
    let line = text.lines().next().unwrap_or_default().trim();
    // What is wrong with it would show parts of it.
    let bytes = line.parse::<B256>().map_err(|_| eyre!("the private key is not 32 bytes in hexadecimal"))?;
    PrivateKeySigner::from_bytes(&bytes).map_err(|_| eyre!("the private key is zero or beyond the curve's order"))
}

/// The key of a keystore file, if it is that of the address the file names.
pub(super) fn open(args: &FileArgs) -> eyre::Result<PrivateKeySigner> {
    let path = &args.file;
    let keystore: Keystore = read(path)?;
    let password = password::existing(args.password.password_file.as_deref(), path)?;
    let secret = keystore.crypto.open(&password).wrap_err_with(|| path.display().to_string())?;
    let signer = PrivateKeySigner::from_slice(&secret)
        .map_err(|_| eyre!("{} holds no private key of an account", path.display()))?;
    if let Some(claimed) = keystore.address.as_deref().map(address_of).transpose()? {
        ensure!(
            claimed == signer.address(),
            "{} names {claimed}, but its key is that of {}",
            path.display(),
            signer.address()
        );
    }
    Ok(signer)
}

fn read(path: &Path) -> eyre::Result<Keystore> {
    let keystore: Keystore = file::read_json(path, "a Web3 keystore")?;
    if keystore.version != VERSION {
        bail!("{} is a keystore of version {}, not {VERSION}", path.display(), keystore.version);
    }
    Ok(keystore)
}

fn address_of(text: &str) -> eyre::Result<Address> {
    text.parse().map_err(|_| eyre!("{text:?} is not an address"))
}

/// The files that are keystores; others in the folder are none of ours.
fn list(folder: &Path) -> eyre::Result<()> {
    let entries = fs::read_dir(folder).wrap_err_with(|| format!("failed to read {}", folder.display()))?;
    let mut paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
    paths.sort();
    for path in paths {
        let address = read(&path).ok().and_then(|keystore| keystore.address);
        if let Some(Ok(address)) = address.as_deref().map(address_of) {
            println!("{address}  {}", path.display());
        }
    }
    Ok(())
}

/// A random UUID (RFC 9562, version 4), which the format wants as a name of the file's own.
fn random_uuid() -> String {
    let mut bytes = B128::random().0;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits = hex::encode(bytes);
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_has_its_version_and_variant() {
        let id = random_uuid();
        assert_eq!(id.len(), 36);
        assert_eq!(id.as_bytes()[14], b'4');
        assert!(b"89ab".contains(&id.as_bytes()[19]));
        assert_ne!(id, random_uuid());
    }

    #[test]
    fn a_key_comes_back_from_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let password = dir.path().join("password");
        fs::write(&password, "secret").unwrap();
        let password = PasswordArgs { password_file: Some(password) };
        let args = NewArgs { keystore: dir.path().join("keystore"), password: password.clone(), light: true };
        let signer = PrivateKeySigner::random();
        keep(&signer, &args).unwrap();
        let file = args.keystore.join(format!("{}.json", hex::encode(signer.address())));
        assert_eq!(open(&FileArgs { file: file.clone(), password: password.clone() }).unwrap(), signer);
        assert!(keep(&signer, &args).unwrap_err().to_string().contains("not overwritten"));

        let text = fs::read_to_string(&file).unwrap();
        let other = file.with_file_name("other.json");
        fs::write(&other, text.replace(&hex::encode(signer.address()), &"11".repeat(20))).unwrap();
        let error = open(&FileArgs { file: other.clone(), password: password.clone() }).unwrap_err();
        assert!(error.to_string().contains("names 0x1111"), "{error}");
        fs::write(&other, text.replace("\"version\": 3", "\"version\": 1")).unwrap();
        assert!(open(&FileArgs { file: other, password }).unwrap_err().to_string().contains("version 1"));
    }

    #[test]
    fn a_private_key_that_is_none_is_refused_without_being_shown() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        for text in ["", "0x12", &"ff".repeat(32), &"00".repeat(32)] {
            fs::write(&path, text).unwrap();
            let error = format!("{:#}", imported(Some(&path)).unwrap_err());
            assert!(text.is_empty() || !error.contains(text), "{error}");
        }
    }
}
