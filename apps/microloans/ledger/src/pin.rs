//! PINs: four digits that stand for a person on the telephone and the web pages.
//!
//! Ten thousand PINs are tried in seconds by whoever has a hash and all that goes into it. So a hash is Argon2id with a secret that is derived from the master
//! key and never stored; without it the database tells nothing about a PIN, and its cost only slows down who has both. Guessing at the front is ended by counting:
//! after [`TRIES`] tries without a right one the PIN is locked, each time for longer.
//!
//! A try is counted before it is checked ([`begin`]), in a transaction of its own, so that guesses at the same moment are counted one by one, and checking, which
//! takes milliseconds of a processor, does not keep writers waiting.

use argon2::{Algorithm, Argon2, Params, Version};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::{
    LedgerError, PersonId, Pii,
    store::{Columns as _, Source, Write},
    vault::Vault,
};

/// Tries without a right one before a PIN is locked.
pub const TRIES: u8 = 3;

/// For how many minutes it is locked the first time, the second, and so on; the last one for ever after.
const LOCK_MINUTES: [i64; 4] = [15, 60, 6 * 60, 24 * 60];

/// Kibibytes that one hash fills, and how often: some milliseconds. The secret, not the cost, is what keeps four digits safe.
const MEMORY_KIB: u32 = 4 * 1024;
const PASSES: u32 = 2;

const HASH_BYTES: usize = 32;

/// What became of a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Try {
    /// The PIN is locked; nothing was tried.
    Locked,
    /// To be compared with this hash; so many tries are left if it is wrong.
    Counted {
        /// The hash.
        hash: String,
        /// What is left; at 0 the PIN is locked.
        left: u8,
    },
}

/// The hash of a person's PIN. Takes milliseconds: not to be called on a thread that others wait for.
///
/// # Errors
/// If there is no memory for it.
pub fn hash(vault: &Vault, person: &PersonId, pin: &Pii<String>) -> Result<String, LedgerError> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, Some(HASH_BYTES)).map_err(|_| LedgerError::PinHash)?;
    let argon = Argon2::new_with_secret(vault.pepper(), Algorithm::Argon2id, Version::V0x13, params);
    let argon = argon.map_err(|_| LedgerError::PinHash)?;
    // A salt has to be of one person only, not secret and not random.
    let salt = Sha256::digest(person.as_str());
    let mut hash = Zeroizing::new([0; HASH_BYTES]);
    argon.hash_password_into(pin.expose().as_bytes(), &salt, hash.as_mut()).map_err(|_| LedgerError::PinHash)?;
    Ok(const_hex::encode(hash.as_ref()))
}

/// Sets a PIN by its hash, where there is none.
///
/// # Errors
/// If there is one, or the database fails.
pub async fn set(write: &mut Write, person: &PersonId, hash: &str) -> Result<(), LedgerError> {
    let query =
        sqlx::query("INSERT INTO pin (person, hash, set_at) VALUES ($1, $2, $3) ON CONFLICT (person) DO NOTHING");
    let written = query.bind(person.as_str()).bind(hash).bind(write.millis()).execute(&mut *write.tx).await?;
    if written.rows_affected() == 0 {
        return Err(LedgerError::conflict("this person has a PIN"));
    }
    crate::audit::record(write, "pin.set", person.as_str(), "").await
}

/// Takes a PIN away, so that a new one can be set. To be called with a second person's approval only.
///
/// # Errors
/// If the database fails.
pub(crate) async fn forget(write: &mut Write, person: &PersonId) -> Result<(), LedgerError> {
    sqlx::query("DELETE FROM pin WHERE person = $1").bind(person.as_str()).execute(&mut *write.tx).await?;
    crate::audit::record(write, "pin.forget", person.as_str(), "").await
}

/// Counts a try. If it is the last one, the PIN is locked until it is found to be right.
///
/// # Errors
/// If the person has no PIN, or the database fails.
pub async fn begin(write: &mut Write, person: &PersonId) -> Result<Try, LedgerError> {
    let query = sqlx::query("SELECT hash, tries, locks, locked_until FROM pin WHERE person = $1").bind(person.as_str());
    let row = query.fetch_optional(&mut *write.tx).await?;
    let row = row.ok_or_else(|| LedgerError::conflict("this person has no PIN"))?;
    let locked_until = row.optional_number("locked_until")?;
    if locked_until.is_some_and(|until| write.millis() < until) {
        return Ok(Try::Locked);
    }
    let before = if locked_until.is_some() { 0 } else { row.number("tries")? };
    let (tries, locks) = (before + 1, row.number("locks")?);
    let left = i64::from(TRIES) - tries;
    let is_last = left <= 0;
    let until = is_last.then(|| write.millis() + lock_minutes(locks) * 60_000);
    sqlx::query("UPDATE pin SET tries = $2, locks = $3, locked_until = $4 WHERE person = $1")
        .bind(person.as_str())
        .bind(tries)
        .bind(locks + i64::from(is_last))
        .bind(until)
        .execute(&mut *write.tx)
        .await?;
    if is_last {
        crate::audit::record(write, "pin.locked", person.as_str(), "").await?;
    }
    Ok(Try::Counted { hash: row.text("hash")?, left: u8::try_from(left.max(0)).unwrap_or(0) })
}

fn lock_minutes(locks: i64) -> i64 {
    let at = usize::try_from(locks).unwrap_or(usize::MAX).min(LOCK_MINUTES.len() - 1);
    LOCK_MINUTES[at]
}

/// Says that a try was right: what was counted before it is forgotten.
///
/// # Errors
/// If the database fails.
pub async fn right(write: &mut Write, person: &PersonId) -> Result<(), LedgerError> {
    let query = sqlx::query("UPDATE pin SET tries = 0, locks = 0, locked_until = NULL WHERE person = $1");
    query.bind(person.as_str()).execute(&mut *write.tx).await?;
    Ok(())
}

/// Whether a person has a PIN.
///
/// # Errors
/// If the database fails.
pub async fn is_set(source: &mut impl Source, person: &PersonId) -> Result<bool, LedgerError> {
    let query = sqlx::query("SELECT person FROM pin WHERE person = $1").bind(person.as_str());
    Ok(query.fetch_optional(source.rows()).await?.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_depends_on_person_pin_and_secret() {
        let vaults = [[1; 32], [2; 32]].map(|master| Vault::new(&master));
        let people = [PersonId::random().unwrap(), PersonId::random().unwrap()];
        let hash =
            |vault: &Vault, person: &PersonId, pin: &str| hash(vault, person, &Pii::new(pin.to_owned())).unwrap();
        let first = hash(&vaults[0], &people[0], "4711");
        assert_eq!(hash(&vaults[0], &people[0], "4711"), first);
        assert_ne!(hash(&vaults[0], &people[0], "4712"), first);
        assert_ne!(hash(&vaults[0], &people[1], "4711"), first);
        assert_ne!(hash(&vaults[1], &people[0], "4711"), first);
    }

    #[test]
    fn locks_grow_to_a_day() {
        assert_eq!([0, 1, 2, 3, 4, 1_000].map(lock_minutes), [15, 60, 360, 1_440, 1_440, 1_440]);
    }
}
