//! Accounts of staff: names and roles from the configuration, with passwords as Argon2id hashes.
//!
//! Wrong passwords are counted by account, in memory: after [`TRIES`] of them nothing is checked for [`PAUSE_SECONDS`]. A name that nobody has costs as much
//! time as a wrong password.

use std::collections::BTreeMap;

use argon2::{
    Argon2,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};
use braid_microloans_service::auth::Role;
use jiff::Timestamp;
use parking_lot::Mutex;
use serde::Deserialize;

use crate::faces::FacesError;

/// Wrong passwords before a pause.
const TRIES: u32 = 5;
/// The pause, in seconds.
const PAUSE_SECONDS: i64 = 15 * 60;
/// The longest password, in bytes.
pub(crate) const MAX_PASSWORD: usize = 256;
/// The shortest password, in characters.
const MIN_PASSWORD: usize = 12;
/// Accounts that a configuration may name.
const MAX_ACCOUNTS: usize = 1_000;
/// The longest name of an account.
pub(crate) const MAX_NAME: usize = 40;

/// An account.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountConfig {
    /// Its name, in the audit log too: small letters, digits and hyphens.
    pub name: String,
    /// `officer`, `approver`, `treasurer`, `auditor`, `operator`.
    pub role: String,
    /// The Argon2id hash of its password, as [`hash_password`] writes it.
    pub password: String,
}

/// The role of a name; the gateway's is no role of a person.
pub(crate) fn role(name: &str) -> Option<Role> {
    let roles = [Role::Officer, Role::Approver, Role::Treasurer, Role::Auditor, Role::Operator];
    roles.into_iter().find(|role| role.name() == name)
}

/// The Argon2id hash of a password, for the configuration.
///
/// # Errors
/// If the password is shorter than twelve characters or longer than 256 bytes, or the system has no random numbers.
pub fn hash_password(password: &str) -> Result<String, FacesError> {
    if password.chars().count() < MIN_PASSWORD || password.len() > MAX_PASSWORD {
        return Err(FacesError::Password);
    }
    let hash = Argon2::default().hash_password(password.as_bytes()).map_err(|_| FacesError::Password)?;
    Ok(hash.to_string())
}

/// What became of a sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignIn {
    Right(Role),
    Wrong,
    /// Too many tries.
    Paused,
}

/// Wrong passwords of an account.
#[derive(Clone, Copy, Debug, Default)]
struct Failures {
    count: u32,
    last_second: i64,
}

/// All accounts.
#[derive(Debug)]
pub(crate) struct Accounts {
    known: BTreeMap<String, (Role, String)>,
    /// Compared with when nobody has the name.
    nobody: String,
    failures: Mutex<BTreeMap<String, Failures>>,
}

impl Accounts {
    pub(crate) fn new(configured: &[AccountConfig]) -> Result<Self, FacesError> {
        let mut known = BTreeMap::new();
        let wrong = |account: &AccountConfig, what| FacesError::Account { name: account.name.clone(), what };
        for account in configured {
            let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            if account.name.is_empty() || account.name.len() > MAX_NAME || !account.name.bytes().all(is_name) {
                return Err(wrong(account, "a name of small letters, digits and hyphens"));
            }
            let role = role(&account.role).ok_or_else(|| wrong(account, "a role of a person"))?;
            if !account.password.starts_with("$argon2id$") || PasswordHash::new(&account.password).is_err() {
                return Err(wrong(account, "an Argon2id hash as password"));
            }
            if known.insert(account.name.clone(), (role, account.password.clone())).is_some() {
                return Err(wrong(account, "a name of its own"));
            }
        }
        if known.len() > MAX_ACCOUNTS {
            return Err(FacesError::TooManyAccounts(MAX_ACCOUNTS));
        }
        Ok(Self { known, nobody: hash_password("a password of nobody")?, failures: Mutex::default() })
    }

    /// The role of an account.
    pub(crate) fn role_of(&self, name: &str) -> Option<Role> {
        self.known.get(name).map(|(role, _)| *role)
    }

    /// Checks a password. Takes some tens of milliseconds and megabytes; not to be called where others wait.
    pub(crate) fn check(&self, name: &str, password: &str, now: Timestamp) -> SignIn {
        if self.is_paused(name, now) {
            return SignIn::Paused;
        }
        let found = self.known.get(name);
        let hash = found.map_or(&self.nobody, |(_, hash)| hash);
        let is_right = password.len() <= MAX_PASSWORD
            && PasswordHash::new(hash)
                .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok());
        match found.filter(|_| is_right) {
            Some((role, _)) => {
                self.failures.lock().remove(name);
                SignIn::Right(*role)
            }
            None => {
                // Only names that exist are counted, so that the list stays as short as the configuration.
                if found.is_some() {
                    let mut failures = self.failures.lock();
                    let failures = failures.entry(name.to_owned()).or_default();
                    (failures.count, failures.last_second) = (failures.count + 1, now.as_second());
                }
                SignIn::Wrong
            }
        }
    }

    fn is_paused(&self, name: &str, now: Timestamp) -> bool {
        let mut failures = self.failures.lock();
        let Some(counted) = failures.get(name) else { return false };
        if now.as_second() - counted.last_second >= PAUSE_SECONDS {
            failures.remove(name);
            return false;
        }
        counted.count >= TRIES
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn account(name: &str, role: &str, password: &str) -> AccountConfig {
        AccountConfig { name: name.to_owned(), role: role.to_owned(), password: password.to_owned() }
    }

    #[test]
    fn wrong_passwords_are_counted_and_paused() {
        let hash = hash_password("correct horse battery").unwrap();
        let accounts = Accounts::new(&[account("ada", "officer", &hash)]).unwrap();
        let now: Timestamp = "2026-11-23T08:00:00Z".parse().unwrap();
        assert_eq!(accounts.check("ada", "correct horse battery", now), SignIn::Right(Role::Officer));
        assert_eq!(accounts.check("bob", "correct horse battery", now), SignIn::Wrong);
        for _ in 0..TRIES {
            assert_eq!(accounts.check("ada", "something else", now), SignIn::Wrong);
        }
        assert_eq!(accounts.check("ada", "correct horse battery", now), SignIn::Paused);
        let later = now + SignedDuration::from_secs(PAUSE_SECONDS);
        assert_eq!(accounts.check("ada", "correct horse battery", later), SignIn::Right(Role::Officer));
    }

    #[test]
    fn accounts_that_cannot_be_are_refused() {
        let hash = hash_password("correct horse battery").unwrap();
        assert!(Accounts::new(&[account("Ada", "officer", &hash)]).is_err(), "a capital");
        assert!(Accounts::new(&[account("ada", "gateway", &hash)]).is_err(), "no role of a person");
        assert!(Accounts::new(&[account("ada", "officer", "secret")]).is_err(), "not a hash");
        assert!(Accounts::new(&[account("ada", "officer", &hash), account("ada", "auditor", &hash)]).is_err(), "twice");
        assert!(hash_password("short").is_err());
    }
}
