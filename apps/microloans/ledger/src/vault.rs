//! Persons' data at rest. Each person has a random key; it is stored only wrapped with the master key, which the database never sees. Destroying the
//! wrapped key makes the person's data unreadable in this database and in every copy of it that lacks the wrapped key.
//!
//! Sealing is XChaCha20-Poly1305 with a random nonce of 24 bytes; the associated data names the person and the field, so that a
//! sealed value cannot be moved to another place. To find a person by telephone number there is a keyed hash (HMAC-SHA-256): ten
//! digits without a key would be found by trying them all. The keys for wrapping, for hashing and for callbacks are derived from the master key with labels.

use std::fmt;

use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::{Zeroize as _, Zeroizing};

use crate::{
    LedgerError, PersonId, Pii,
    store::{Columns as _, Source, Write},
};

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;

/// A field of a person's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// The full name.
    Name,
    /// The telephone number, in the international form.
    Phone,
    /// The number of an identity document.
    NationalId,
}

impl Field {
    const ALL: [Self; 3] = [Self::Name, Self::Phone, Self::NationalId];

    const fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Phone => "phone",
            Self::NationalId => "national_id",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Name => "the name",
            Self::Phone => "the phone number",
            Self::NationalId => "the number of the identity document",
        }
    }
}

/// What is known about a person.
#[derive(Clone, Debug)]
pub struct Record {
    /// The full name.
    pub name: Pii<String>,
    /// The telephone number: `+` and digits.
    pub phone: Pii<String>,
    /// The number of an identity document.
    pub national_id: Pii<String>,
}

/// The keys.
#[derive(Clone)]
pub struct Vault {
    wrapping: Zeroizing<[u8; KEY_BYTES]>,
    blinding: Zeroizing<[u8; KEY_BYTES]>,
    tokens: Zeroizing<[u8; KEY_BYTES]>,
    pepper: Zeroizing<[u8; KEY_BYTES]>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault(…)")
    }
}

impl Vault {
    /// Derives the keys from the master key.
    #[must_use]
    pub fn new(master: &[u8; KEY_BYTES]) -> Self {
        let derive = |label: &str| Zeroizing::new(mac(master, &[label.as_bytes()]));
        Self {
            wrapping: derive("braid microloans: wrapping of persons' keys"),
            blinding: derive("braid microloans: index of persons"),
            tokens: derive("braid microloans: callback tokens"),
            pepper: derive("braid microloans: PINs"),
        }
    }

    /// A keyed hash by which equal values are found again, and which says nothing without the key.
    #[must_use]
    pub fn blind(&self, kind: &str, value: &[u8]) -> String {
        const_hex::encode(mac(&self.blinding, &[kind.as_bytes(), value]))
    }

    /// The secret without which PINs cannot be tried against their hashes.
    pub(crate) fn pepper(&self) -> &[u8; KEY_BYTES] {
        &self.pepper
    }

    /// The part of a callback address that nobody can guess, of a payment leg or a rail.
    #[must_use]
    pub fn callback_token(&self, subject: &str) -> String {
        const_hex::encode(&mac(&self.tokens, &[subject.as_bytes()])[..16])
    }

    fn new_wrapped_key(&self, person: &PersonId) -> Result<(Zeroizing<[u8; KEY_BYTES]>, String), LedgerError> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        getrandom::fill(key.as_mut())?;
        let wrapped = seal(&self.wrapping, person.as_str(), "key", key.as_ref())?;
        Ok((key, wrapped))
    }

    fn unwrap_key(&self, person: &PersonId, wrapped: &str) -> Result<Zeroizing<[u8; KEY_BYTES]>, LedgerError> {
        let mut opened = open(&self.wrapping, person.as_str(), "key", wrapped)?;
        let key = <[u8; KEY_BYTES]>::try_from(opened.as_slice()).map_err(|_| LedgerError::DoesNotOpen);
        opened.zeroize();
        key.map(Zeroizing::new)
    }
}

/// HMAC-SHA-256 over parts, each with its length before it.
fn mac(key: &[u8; KEY_BYTES], parts: &[&[u8]]) -> [u8; 32] {
    // A key that is shorter than the hash's block of 64 bytes is filled up with zeros (RFC 2104, section 2).
    let mut block = Zeroizing::new([0; 64]);
    block[..KEY_BYTES].copy_from_slice(key);
    let mut mac = Hmac::<Sha256>::new(&(*block).into());
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

fn associated(person: &str, field: &str) -> Vec<u8> {
    format!("{person}/{field}").into_bytes()
}

fn seal(key: &[u8; KEY_BYTES], person: &str, field: &str, value: &[u8]) -> Result<String, LedgerError> {
    let mut nonce = [0; NONCE_BYTES];
    getrandom::fill(&mut nonce)?;
    let payload = Payload { msg: value, aad: &associated(person, field) };
    let cipher = XChaCha20Poly1305::new(&(*key).into());
    let sealed = cipher.encrypt(&XNonce::from(nonce), payload).map_err(|_| LedgerError::DoesNotOpen)?;
    Ok(const_hex::encode(nonce) + &const_hex::encode(sealed))
}

fn open(key: &[u8; KEY_BYTES], person: &str, field: &str, sealed: &str) -> Result<Vec<u8>, LedgerError> {
    let bytes = const_hex::decode(sealed).map_err(|_| LedgerError::DoesNotOpen)?;
    let (nonce, sealed) = bytes.split_at_checked(NONCE_BYTES).ok_or(LedgerError::DoesNotOpen)?;
    let nonce = <[u8; NONCE_BYTES]>::try_from(nonce).map_err(|_| LedgerError::DoesNotOpen)?;
    let payload = Payload { msg: sealed, aad: &associated(person, field) };
    XChaCha20Poly1305::new(&(*key).into()).decrypt(&XNonce::from(nonce), payload).map_err(|_| LedgerError::DoesNotOpen)
}

/// A telephone number in the international form (E.164): `+`, then seven to fifteen digits.
fn check_phone(phone: &str) -> Result<(), LedgerError> {
    let digits = phone.strip_prefix('+').unwrap_or("");
    let is_number = (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_number {
        Ok(())
    } else {
        Err(LedgerError::invalid("a phone number is written + and seven to fifteen digits"))
    }
}

/// Registers a person. The same phone number again is refused.
///
/// # Errors
/// If a field is empty or too long, the number is no number or somebody has it, or the database fails.
pub async fn register(
    write: &mut Write,
    country: &str,
    language: &str,
    record: &Record,
) -> Result<PersonId, LedgerError> {
    let id = begin(write, country, language, &record.phone).await?;
    set_field(write, &id, Field::Name, &record.name).await?;
    set_field(write, &id, Field::NationalId, &record.national_id).await?;
    Ok(id)
}

/// Registers a person of whom nothing but the telephone number is known yet. The same number again is refused.
///
/// # Errors
/// If the number is no number or somebody has it, the language is none, or the database fails.
pub async fn begin(
    write: &mut Write,
    country: &str,
    language: &str,
    phone: &Pii<String>,
) -> Result<PersonId, LedgerError> {
    check_phone(phone.expose())?;
    check_language(language)?;
    if find(write, phone.expose()).await?.is_some() {
        return Err(LedgerError::conflict("somebody with this phone number is registered"));
    }
    let person = PersonId::random()?;
    let (_, wrapped) = write.vault.new_wrapped_key(&person)?;
    sqlx::query("INSERT INTO person (id, country, language, wrapped_key, created_at) VALUES ($1, $2, $3, $4, $5)")
        .bind(person.as_str())
        .bind(country)
        .bind(language)
        .bind(wrapped)
        .bind(write.millis())
        .execute(&mut *write.tx)
        .await?;
    set_field(write, &person, Field::Phone, phone).await?;
    let blind = write.vault.blind(Field::Phone.name(), phone.expose().as_bytes());
    sqlx::query("INSERT INTO person_index (kind, blind, person) VALUES ($1, $2, $3)")
        .bind(Field::Phone.name())
        .bind(blind)
        .bind(person.as_str())
        .execute(&mut *write.tx)
        .await?;
    crate::audit::record(write, "person.register", person.as_str(), "").await?;
    Ok(person)
}

/// Seals a field of a person's record, once: what is there stays.
///
/// # Errors
/// If it is empty or too long, there is no such person, the data has been erased, or the database fails.
pub async fn set_field(
    write: &mut Write,
    person: &PersonId,
    field: Field,
    value: &Pii<String>,
) -> Result<(), LedgerError> {
    LedgerError::check_text(field.words(), value.expose())?;
    let wrapped = person_row(write, person).await?.optional("wrapped_key")?.ok_or(LedgerError::Erased)?;
    let key = write.vault.unwrap_key(person, &wrapped)?;
    let sealed = seal(&key, person.as_str(), field.name(), value.expose().as_bytes())?;
    let query = sqlx::query(
        "INSERT INTO person_field (person, field, sealed) VALUES ($1, $2, $3) ON CONFLICT (person, field) DO NOTHING",
    );
    query.bind(person.as_str()).bind(field.name()).bind(sealed).execute(&mut *write.tx).await?;
    Ok(())
}

/// Writes down that a person agreed to their data being kept.
///
/// # Errors
/// If there is no such person, or the database fails.
pub async fn consent(write: &mut Write, person: &PersonId, language: &str) -> Result<(), LedgerError> {
    person_row(write, person).await?;
    let query = sqlx::query("UPDATE person SET consented_at = $2 WHERE id = $1 AND consented_at IS NULL");
    query.bind(person.as_str()).bind(write.millis()).execute(&mut *write.tx).await?;
    crate::audit::record(write, "person.consent", person.as_str(), language).await
}

/// Changes the language that a person is spoken to in.
///
/// # Errors
/// If the language is none, there is no such person, or the database fails.
pub async fn set_language(write: &mut Write, person: &PersonId, language: &str) -> Result<(), LedgerError> {
    check_language(language)?;
    let query = sqlx::query("UPDATE person SET language = $2 WHERE id = $1").bind(person.as_str()).bind(language);
    query.execute(&mut *write.tx).await?;
    Ok(())
}

/// How far a person's registration has come; nothing of their data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Who.
    pub id: PersonId,
    /// In which country.
    pub country: String,
    /// The language they are spoken to in.
    pub language: String,
    /// Whether they have agreed to their data being kept.
    pub has_consented: bool,
    /// Whether there is the number of an identity document.
    pub has_identity: bool,
    /// Whether they have a PIN.
    pub has_pin: bool,
}

/// How far the registration of the person with a telephone number has come.
///
/// # Errors
/// If the database fails.
pub async fn standing(source: &mut impl Source, vault: &Vault, phone: &str) -> Result<Option<Standing>, LedgerError> {
    let row = sqlx::query(
        "SELECT person.id, person.country, person.language, person.consented_at,
             (SELECT COUNT(*) FROM person_field WHERE person = person_index.person AND field = $3) AS ids,
             (SELECT COUNT(*) FROM pin WHERE person = person_index.person) AS pins
         FROM person_index JOIN person ON person.id = person_index.person WHERE kind = $1 AND blind = $2",
    );
    let row = row.bind(Field::Phone.name()).bind(vault.blind(Field::Phone.name(), phone.as_bytes()));
    let row = row.bind(Field::NationalId.name()).fetch_optional(source.rows()).await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Standing {
        id: row.parsed("id")?,
        country: row.text("country")?,
        language: row.text("language")?,
        has_consented: row.optional_number("consented_at")?.is_some(),
        has_identity: row.number("ids")? > 0,
        has_pin: row.number("pins")? > 0,
    }))
}

fn check_language(language: &str) -> Result<(), LedgerError> {
    if (2..=3).contains(&language.len()) && language.bytes().all(|byte| byte.is_ascii_lowercase()) {
        Ok(())
    } else {
        Err(LedgerError::invalid("a language is written as two or three small letters"))
    }
}

/// The person with a telephone number.
///
/// # Errors
/// If the database fails.
pub async fn find(write: &mut Write, phone: &str) -> Result<Option<PersonId>, LedgerError> {
    let blind = write.vault.blind(Field::Phone.name(), phone.as_bytes());
    let row = sqlx::query("SELECT person FROM person_index WHERE kind = $1 AND blind = $2")
        .bind(Field::Phone.name())
        .bind(blind)
        .fetch_optional(&mut *write.tx)
        .await?;
    row.map(|row| row.parsed("person")).transpose()
}

/// Opens a field of a person's record, for a reason that is written into the audit log.
///
/// # Errors
/// If there is no such person, the data has been erased or does not open, or the database fails.
pub async fn reveal(
    write: &mut Write,
    person: &PersonId,
    field: Field,
    reason: &str,
) -> Result<Pii<String>, LedgerError> {
    LedgerError::check_text("the reason", reason)?;
    let row = person_row(write, person).await?;
    let wrapped = row.optional("wrapped_key")?.ok_or(LedgerError::Erased)?;
    let key = write.vault.unwrap_key(person, &wrapped)?;
    let sealed = sqlx::query("SELECT sealed FROM person_field WHERE person = $1 AND field = $2")
        .bind(person.as_str())
        .bind(field.name())
        .fetch_optional(&mut *write.tx)
        .await?
        .ok_or(LedgerError::NotFound("field", field.name().to_owned()))?
        .text("sealed")?;
    let value = open(&key, person.as_str(), field.name(), &sealed)?;
    let value = String::from_utf8(value).map_err(|_| LedgerError::DoesNotOpen)?;
    crate::audit::record(write, "person.reveal", person.as_str(), &format!("{}: {reason}", field.name())).await?;
    Ok(Pii::new(value))
}

/// Opens the whole record, for a reason that is written into the audit log. What is not known yet is empty.
///
/// # Errors
/// As [`reveal`].
pub async fn reveal_all(write: &mut Write, person: &PersonId, reason: &str) -> Result<Record, LedgerError> {
    let [name, phone, national_id] = Field::ALL;
    Ok(Record {
        name: reveal_if_known(write, person, name, reason).await?,
        phone: reveal_if_known(write, person, phone, reason).await?,
        national_id: reveal_if_known(write, person, national_id, reason).await?,
    })
}

async fn reveal_if_known(
    write: &mut Write,
    person: &PersonId,
    field: Field,
    reason: &str,
) -> Result<Pii<String>, LedgerError> {
    match reveal(write, person, field, reason).await {
        Err(LedgerError::NotFound("field", _)) => Ok(Pii::new(String::new())),
        other => other,
    }
}

/// Destroys a person's key, and the data with it. The loans stay, without a person behind them.
///
/// # Errors
/// If there is no such person, a loan of theirs is not over, or the database fails.
pub async fn erase(write: &mut Write, person: &PersonId) -> Result<(), LedgerError> {
    person_row(write, person).await?;
    if crate::loans::open_loans(write, person).await? > 0 {
        return Err(LedgerError::conflict("a loan of this person is not over"));
    }
    for deletion in [
        "DELETE FROM person_index WHERE person = $1",
        "DELETE FROM person_field WHERE person = $1",
        "DELETE FROM pin WHERE person = $1",
    ] {
        sqlx::query(deletion).bind(person.as_str()).execute(&mut *write.tx).await?;
    }
    sqlx::query("UPDATE person SET wrapped_key = NULL, erased_at = $2 WHERE id = $1 AND erased_at IS NULL")
        .bind(person.as_str())
        .bind(write.millis())
        .execute(&mut *write.tx)
        .await?;
    crate::audit::record(write, "person.erase", person.as_str(), "").await
}

/// The language that a person has chosen, by its code.
///
/// # Errors
/// If there is no such person, or the database fails.
pub async fn language(source: &mut impl Source, person: &PersonId) -> Result<String, LedgerError> {
    person_row(source, person).await?.text("language")
}

/// The country a person is registered in.
///
/// # Errors
/// If there is no such person, or the database fails.
pub async fn country(source: &mut impl Source, person: &PersonId) -> Result<String, LedgerError> {
    person_row(source, person).await?.text("country")
}

async fn person_row(source: &mut impl Source, person: &PersonId) -> Result<sqlx::any::AnyRow, LedgerError> {
    sqlx::query("SELECT country, language, wrapped_key FROM person WHERE id = $1")
        .bind(person.as_str())
        .fetch_optional(source.rows())
        .await?
        .ok_or_else(|| LedgerError::NotFound("person", person.to_string()))
}

/// Reads a master key: 64 hexadecimal digits.
///
/// # Errors
/// If the text is anything else.
pub fn master_key(text: &str) -> Result<Zeroizing<[u8; KEY_BYTES]>, LedgerError> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    const_hex::decode_to_slice(text.trim(), key.as_mut())
        .map_err(|_| LedgerError::invalid("a master key is written as 64 hexadecimal digits"))?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_in_its_place_only() {
        let key = [7; KEY_BYTES];
        let sealed = seal(&key, "p1", "phone", b"+254700000000").unwrap();
        assert_eq!(open(&key, "p1", "phone", &sealed).unwrap(), b"+254700000000");
        assert!(open(&key, "p2", "phone", &sealed).is_err(), "another person");
        assert!(open(&key, "p1", "name", &sealed).is_err(), "another field");
        assert!(open(&[8; KEY_BYTES], "p1", "phone", &sealed).is_err(), "another key");
        assert!(open(&key, "p1", "phone", &sealed[..20]).is_err(), "too short");
        assert_ne!(seal(&key, "p1", "phone", b"+254700000000").unwrap(), sealed, "equal values look different");
    }

    #[test]
    fn phone_numbers_have_one_form() {
        assert!(check_phone("+254700000000").is_ok());
        for phone in ["254700000000", "+", "+12345", "+2547000 00000", "+٢٥٤٧٠٠٠٠٠٠٠٠", "+1234567890123456"]
        {
            assert!(check_phone(phone).is_err(), "{phone}");
        }
    }

    #[test]
    fn hashes_depend_on_key_and_kind() {
        let [one, two] = [[1; 32], [2; 32]].map(|master| Vault::new(&master));
        assert_eq!(one.blind("phone", b"x"), one.blind("phone", b"x"));
        assert_ne!(one.blind("phone", b"x"), two.blind("phone", b"x"));
        assert_ne!(one.blind("phone", b"x"), one.blind("phon", b"ex"));
        assert_eq!(format!("{one:?}"), "Vault(…)");
    }

    #[test]
    fn a_master_key_is_64_digits() {
        assert!(master_key(&"ab".repeat(32)).is_ok());
        assert!(master_key("ab").is_err());
        assert!(master_key(&"zz".repeat(32)).is_err());
    }
}
