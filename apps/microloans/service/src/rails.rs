//! The rails that a configuration names. Secrets are read from files, so that the configuration can be shown.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use braid_microloans_arithmetic::Currency;
use braid_microloans_rails::{
    Daraja, DarajaConfig, MobileMoney, MtnMomo, MtnMomoConfig, SetupError, SimSwaps, StatementSource,
    daraja::credential, momo,
};
use secrecy::SecretString;
use serde::Deserialize;

use crate::{
    Clock,
    app::{Rails, SimCheck},
    config::{ConfigError, SimConfig},
};

/// Largest file with a secret: a line.
const MAX_SECRET_BYTES: usize = 4_096;

/// A rail.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum RailConfig {
    /// Safaricom M-PESA, through Daraja.
    Daraja {
        /// `https://api.safaricom.co.ke`, or a simulator on this machine.
        base_url: String,
        /// The file with the application's key.
        consumer_key_file: PathBuf,
        /// The file with the application's secret.
        consumer_secret_file: PathBuf,
        /// The pay bill that customers pay to.
        collection_code: String,
        /// The file with its key for prompts.
        passkey_file: PathBuf,
        /// The short code that payouts are made from.
        payout_code: String,
        /// Who makes payouts there.
        initiator: String,
        /// The file with the initiator's password as the provider's portal encrypts it. Instead of it, the two that follow.
        security_credential_file: Option<PathBuf>,
        /// The file with the initiator's password in clear.
        initiator_password_file: Option<PathBuf>,
        /// The file with the provider's certificate (PEM), for which that password is encrypted.
        certificate_file: Option<PathBuf>,
        /// Where statements are.
        statement: Option<StatementConfig>,
        /// Seconds for which an answer is waited for.
        #[serde(default = "thirty")]
        timeout_seconds: u32,
    },
    /// MTN Mobile Money.
    MtnMomo {
        /// Scheme and host of the country's API, or a simulator on this machine.
        base_url: String,
        /// `mtnghana`, `sandbox` and so on.
        target_environment: String,
        /// The country's currency.
        currency: String,
        /// The most of one payment, in units of the currency.
        largest: String,
        /// For requests to pay.
        collection: MomoProduct,
        /// For transfers.
        disbursement: MomoProduct,
        /// Where statements are.
        statement: Option<StatementConfig>,
        /// Seconds for which an answer is waited for.
        #[serde(default = "thirty")]
        timeout_seconds: u32,
    },
}

const fn thirty() -> u32 {
    30
}

/// The credentials of one product of MTN.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MomoProduct {
    /// The file with the subscription key.
    pub subscription_key_file: PathBuf,
    /// The API user, a UUID.
    pub user: String,
    /// The file with its key.
    pub key_file: PathBuf,
}

/// Where statements are downloaded.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatementConfig {
    /// Scheme and host.
    pub base_url: String,
    /// The path.
    pub path: String,
    /// The file with the bearer token.
    pub token_file: PathBuf,
}

/// Makes every rail of a configuration.
///
/// # Errors
/// If a file cannot be read, or a setting cannot be followed.
pub fn build(configured: &BTreeMap<String, RailConfig>, clock: &Clock) -> Result<Rails, ConfigError> {
    let mut rails = Rails::new();
    for (name, config) in configured {
        rails.insert(name.clone(), build_one(config, clock)?);
    }
    Ok(rails)
}

/// Makes every operator of a configuration who tells of SIMs.
///
/// # Errors
/// If a file cannot be read, or an address is none.
pub(crate) fn sims(configured: &BTreeMap<String, SimConfig>) -> Result<BTreeMap<String, SimCheck>, ConfigError> {
    let check = |config: &SimConfig| -> Result<SimCheck, ConfigError> {
        let timeout = Duration::from_secs(config.timeout_seconds.into());
        let operator = SimSwaps::new(&config.base_url, secret(&config.token_file)?, timeout).map_err(wrong)?;
        Ok(SimCheck { operator, days: config.days })
    };
    configured.iter().map(|(rail, config)| Ok((rail.clone(), check(config)?))).collect()
}

fn wrong(error: SetupError) -> ConfigError {
    ConfigError::Value(error.to_string())
}

fn build_one(config: &RailConfig, clock: &Clock) -> Result<Arc<dyn MobileMoney>, ConfigError> {
    let clock = clock.of_rails();
    match config {
        RailConfig::Daraja {
            base_url,
            consumer_key_file,
            consumer_secret_file,
            collection_code,
            passkey_file,
            payout_code,
            initiator,
            security_credential_file,
            initiator_password_file,
            certificate_file,
            statement,
            timeout_seconds,
        } => {
            let config = DarajaConfig {
                base_url: base_url.clone(),
                consumer_key: secret(consumer_key_file)?,
                consumer_secret: secret(consumer_secret_file)?,
                collection_code: collection_code.clone(),
                passkey: secret(passkey_file)?,
                payout_code: payout_code.clone(),
                initiator: initiator.clone(),
                security_credential: match (security_credential_file, initiator_password_file, certificate_file) {
                    (Some(sealed), None, None) => secret(sealed)?,
                    (None, Some(password), Some(certificate)) => sealed(password, certificate)?,
                    _ => {
                        let text = "security_credential_file, or initiator_password_file with certificate_file";
                        return Err(ConfigError::Value(format!("a rail of kind daraja has {text}")));
                    }
                },
                statement: statement.as_ref().map(source).transpose()?,
                timeout: Duration::from_secs((*timeout_seconds).into()),
            };
            Ok(Arc::new(Daraja::new(config, clock).map_err(wrong)?))
        }
        RailConfig::MtnMomo {
            base_url,
            target_environment,
            currency,
            largest,
            collection,
            disbursement,
            statement,
            timeout_seconds,
        } => {
            let currency: Currency = currency.parse().map_err(braid_microloans_ledger::LedgerError::from)?;
            let config = MtnMomoConfig {
                base_url: base_url.clone(),
                target_environment: target_environment.clone(),
                currency,
                largest: currency.parse(largest).map_err(braid_microloans_ledger::LedgerError::from)?,
                collection: product(collection)?,
                disbursement: product(disbursement)?,
                statement: statement.as_ref().map(source).transpose()?,
                timeout: Duration::from_secs((*timeout_seconds).into()),
            };
            Ok(Arc::new(MtnMomo::new(config, clock).map_err(wrong)?))
        }
    }
}

/// A password, encrypted for a certificate.
fn sealed(password: &Path, certificate: &Path) -> Result<SecretString, ConfigError> {
    let text =
        std::fs::read_to_string(certificate).map_err(|error| ConfigError::File(certificate.to_owned(), error))?;
    credential::seal(&secret(password)?, &text).map_err(wrong)
}

fn product(config: &MomoProduct) -> Result<momo::Product, ConfigError> {
    let subscription_key = secret(&config.subscription_key_file)?;
    Ok(momo::Product { subscription_key, user: config.user.clone(), key: secret(&config.key_file)? })
}

fn source(config: &StatementConfig) -> Result<StatementSource, ConfigError> {
    let token = secret(&config.token_file)?;
    Ok(StatementSource { base_url: config.base_url.clone(), path: config.path.clone(), token })
}

/// A secret from a file, without the line's end.
pub(crate) fn secret(path: &Path) -> Result<SecretString, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|error| ConfigError::File(path.to_owned(), error))?;
    let secret = text.trim_end();
    if secret.is_empty() || secret.len() > MAX_SECRET_BYTES {
        return Err(ConfigError::Value(format!("{} holds no secret of one line", path.display())));
    }
    Ok(SecretString::from(secret))
}
