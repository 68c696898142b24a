//! `braid keys generate-group`: the validators of a chain to come make its BLS12-381 key together, each with a share that nobody else
//! ever has.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use alloy_genesis::Genesis;
use alloy_primitives::Bytes;
use braid_consensus::generate::{GenerateOptions, Generated, generate};
use braid_types::ordered::{CONSENSUS_KEY, CertificateScheme, ConsensusConfig};
use clap::Args;
use eyre::{Context, OptionExt, ensure, eyre};

use super::{
    file,
    password::{self, PasswordArgs},
    validator,
};

/// Taking part in the making of a group key.
#[derive(Args, Clone, Debug)]
pub(crate) struct GenerateArgs {
    /// Genesis with the validators, and with scheme bls12381-threshold, that has no groupPolynomial yet.
    #[arg(long, value_name = "FILE")]
    genesis: PathBuf,
    /// Identity of this validator, made by braid keys validator new.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Share to write, with the identity's password; it must not be there yet.
    #[arg(long, value_name = "FILE")]
    share: PathBuf,
    /// Genesis to write, the same with the groupPolynomial; it must not be there yet.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// Where to listen for the others, who dial the address in the genesis.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// Which attempt this is. All validators give the same; after a failed one, all give the next.
    #[arg(long, value_name = "N", default_value_t = 0)]
    attempt: u64,
    /// Seconds to wait for the others.
    #[arg(long, value_name = "S", default_value_t = 600)]
    patience: u64,
    #[command(flatten)]
    password: PasswordArgs,
    /// Make the share's password quick to check, and to guess: for keys that guard nothing.
    #[arg(long)]
    light: bool,
}

/// Takes part, and writes the share and the genesis.
///
/// # Errors
/// What stands in the way, or who of the others.
pub(crate) fn run(args: &GenerateArgs) -> eyre::Result<()> {
    let mut genesis: Genesis = file::read_json(&args.genesis, "a genesis")?;
    let consensus = consensus(&genesis).wrap_err_with(|| args.genesis.display().to_string())?;
    let identity = validator::read_identity(&args.key)?;
    let password = password::existing(args.password.password_file.as_deref(), &args.key)?;
    for path in [&args.share, &args.output] {
        ensure!(!path.exists(), "{} is there already and is not overwritten", path.display());
    }
    let options = GenerateOptions {
        chain_id: genesis.config.chain_id,
        validators: consensus.validators.clone(),
        identity: identity.open(&password, &args.key)?,
        listen: args.listen,
        attempt: args.attempt,
        patience: Duration::from_secs(args.patience),
    };
    let members = consensus.validators.len();
    println!("attempt {}: {members} validators have to take part; this one listens on {}", args.attempt, args.listen);
    let (path, cost) = (args.share.clone(), validator::cost(args.light));
    let keep = move |made: &Generated| {
        let share = validator::ShareFile::seal(identity.public_key, made, &password, cost);
        let written = share.and_then(|share| file::create_json(&path, &share));
        written.map_err(|error| format!("{error:#}"))
    };
    let made = generate(options, keep).map_err(|error| failed(&error.into(), &args.share))?;
    insert(&mut genesis, consensus, made.polynomial.clone())?;
    file::create_json(&args.output, &genesis)?;
    println!("{members} validators have the same key and their shares of it.");
    println!("share        {}", args.share.display());
    println!("genesis      {}", args.output.display());
    println!("polynomial   {}", made.polynomial);
    Ok(())
}

/// What the genesis says of the validators.
fn consensus(genesis: &Genesis) -> eyre::Result<ConsensusConfig> {
    let consensus = genesis.config.extra_fields.get_deserialized::<ConsensusConfig>(CONSENSUS_KEY);
    let consensus = consensus.ok_or_eyre("config.braid is missing: it says who the validators are")??;
    ensure!(consensus.scheme == CertificateScheme::Bls12381Threshold, "its scheme is not bls12381-threshold");
    ensure!(consensus.group_polynomial.is_none(), "it has a groupPolynomial already");
    Ok(consensus)
}

fn insert(genesis: &mut Genesis, consensus: ConsensusConfig, polynomial: Bytes) -> eyre::Result<()> {
    let consensus = ConsensusConfig { group_polynomial: Some(polynomial), ..consensus };
    genesis.config.extra_fields.insert(CONSENSUS_KEY.to_owned(), serde_json::to_value(consensus)?);
    Ok(())
}

fn failed(error: &eyre::Report, share: &Path) -> eyre::Report {
    if share.exists() {
        return eyre!(
            "failed to make a group key: {error:#}\n{} is of the attempt that failed: remove it, unless another validator's \
             attempt ended well and its genesis has the same polynomial",
            share.display()
        );
    }
    eyre!("failed to make a group key: {error:#}")
}
