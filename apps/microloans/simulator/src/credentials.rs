//! Who may speak to the simulated providers. None of this is a secret: it opens nothing but a simulator, and is the same for everybody,
//! so that whoever is to talk to it can be configured beforehand.

use std::collections::BTreeMap;

use aws_lc_rs::rsa::{Pkcs1PrivateDecryptingKey, PrivateDecryptingKey};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::chance::Chance;

/// Daraja's application.
pub const CONSUMER_KEY: &str = "simulated-consumer-key";
/// Its secret.
pub const CONSUMER_SECRET: &str = "simulated-consumer-secret";
/// The organisation's short code, for payments in both directions.
pub const SHORT_CODE: &str = "600638";
/// Its key for prompts.
pub const PASSKEY: &str = "simulated-passkey";
/// Who makes payouts.
pub const INITIATOR: &str = "braid";
/// The initiator's password, which requests carry encrypted for [`CERTIFICATE_PEM`].
pub const INITIATOR_PASSWORD: &str = "simulated-initiator-password";
/// MTN's subscription key of both products.
pub const SUBSCRIPTION_KEY: &str = "simulated-subscription-key";
/// MTN's API user of both products.
pub const API_USER: &str = "7d0f6b1c-2b0a-4c7e-9c1d-5a4f3e2d1c0b";
/// Its key.
pub const API_KEY: &str = "simulated-api-key";
/// The token of statements.
pub const STATEMENT_TOKEN: &str = "simulated-statement-token";
/// The bearer token of questions about SIMs.
pub const SIM_TOKEN: &str = "simulated-sim-token";
/// The certificate whose key the simulator has.
pub const CERTIFICATE_PEM: &str = include_str!("../keys/initiator.cert.pem");
const KEY_PEM: &str = include_str!("../keys/initiator.key.pem");

/// How long a token is good, in seconds, as the providers say it.
pub(crate) const TOKEN_SECONDS: i64 = 3599;
/// How many tokens are kept; those that end first go first.
const MAX_TOKENS: usize = 1000;

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Scope {
    Daraja,
    Collection,
    Disbursement,
}

/// The tokens that were given out, and the key of credentials.
#[derive(Debug)]
pub(crate) struct Credentials {
    tokens: BTreeMap<String, (Scope, i64)>,
    issued: u64,
    seed: u64,
    key: Option<Pkcs1PrivateDecryptingKey>,
}

impl Credentials {
    pub(crate) fn new(seed: u64) -> Self {
        let der = KEY_PEM.lines().filter(|line| !line.starts_with('-')).collect::<String>();
        let key = STANDARD
            .decode(der)
            .ok()
            .and_then(|der| PrivateDecryptingKey::from_pkcs8(&der).ok())
            .and_then(|key| Pkcs1PrivateDecryptingKey::new(key).ok());
        Self { tokens: BTreeMap::new(), issued: 0, seed, key }
    }

    /// A new token.
    pub(crate) fn issue(&mut self, scope: Scope, now_ms: i64) -> String {
        self.issued += 1;
        let mut chance = Chance::new(self.seed, &["token", &self.issued.to_string()]);
        let token = format!("{:016x}{:016x}", chance.next(), chance.next());
        self.tokens.insert(token.clone(), (scope, now_ms + TOKEN_SECONDS * 1000));
        while self.tokens.len() > MAX_TOKENS {
            let Some(oldest) = self.tokens.iter().min_by_key(|(_, (_, until))| *until).map(|(token, _)| token.clone())
            else {
                break;
            };
            self.tokens.remove(&oldest);
        }
        token
    }

    /// Forgets all tokens, as providers do when they are restarted.
    pub(crate) fn forget_tokens(&mut self) {
        self.tokens.clear();
    }

    /// Whether a header `Authorization` carries a token for this.
    pub(crate) fn is_bearer(&self, header: Option<&str>, scope: Scope, now_ms: i64) -> bool {
        let token = header.and_then(|header| header.strip_prefix("Bearer "));
        token.and_then(|token| self.tokens.get(token)).is_some_and(|(of, until)| *of == scope && now_ms < *until)
    }

    /// Whether a security credential is the initiator's password, encrypted.
    pub(crate) fn is_initiator(&self, name: &str, credential: &str) -> bool {
        let Some(key) = &self.key else { return false };
        let Ok(sealed) = STANDARD.decode(credential) else { return false };
        let mut opened = vec![0; key.min_output_size()];
        let password = key.decrypt(&sealed, &mut opened);
        name == INITIATOR && password.is_ok_and(|password| *password == *INITIATOR_PASSWORD.as_bytes())
    }
}

/// Whether a header `Authorization` carries this user and password.
pub(crate) fn is_basic(header: Option<&str>, user: &str, password: &str) -> bool {
    header == Some(format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))).as_str())
}
