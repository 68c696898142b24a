//! Web3 Secret Storage, version 3: a secret under a password, as geth, MetaMask and cast keep private keys.
//!
//! A key derivation function (scrypt, or PBKDF2 in files made elsewhere) makes 32 bytes of the password. The first 16
//! encrypt the secret with AES-128 in counter mode; the last 16, hashed with the ciphertext by Keccak-256, are the check by
//! which a wrong password is told from a right one. The secret may have any length: validators keep more than a private
//! key in the same form. Source: <https://ethereum.org/developers/docs/data-structures-and-encoding/web3-secret-storage>.

use aes::cipher::{KeyIvInit, StreamCipher};
use alloy_primitives::{B128, B256, hex, keccak256};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use zeroize::Zeroizing;

/// The only cipher the format has.
const CIPHER: &str = "aes-128-ctr";

/// The only pseudo-random function that files with PBKDF2 have.
const PRF: &str = "hmac-sha256";

/// Bytes derived from the password.
const DERIVED_BYTES: usize = 32;

/// Longest ciphertext that is read.
const MAX_CIPHERTEXT_BYTES: usize = 1 << 20;

/// Most memory that a file may make scrypt use: four times what the standard cost needs.
const MAX_SCRYPT_BYTES: u64 = 1 << 30;

/// Most work that a file may ask of scrypt, in blocks of 128 bytes: a few seconds.
const MAX_SCRYPT_WORK: u64 = 1 << 25;

/// Most rounds that a file may ask of PBKDF2; geth's files have 262,144.
const MAX_PBKDF2_ROUNDS: u32 = 10_000_000;

/// How hard it is to try passwords.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cost {
    /// A second and 256 MiB a try, as geth has it.
    Standard,
    /// A few milliseconds, for keys that guard nothing.
    Light,
}

impl Cost {
    /// scrypt's parameters `(log2 n, p)` with r = 8: geth's `StandardScryptN` and `LightScryptN`.
    const fn parameters(self) -> (u8, u32) {
        match self {
            Self::Standard => (18, 1),
            Self::Light => (12, 6),
        }
    }
}

/// Failed to read a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeystoreError {
    /// The check does not fit.
    #[error("the password is wrong")]
    WrongPassword,
    /// A cipher or function that the format does not have.
    #[error("{0} is not supported")]
    Unsupported(String),
    /// Parameters that would cost too much, or none that the functions take.
    #[error("the parameters of {0} are out of range")]
    Parameters(&'static str),
}

/// An encrypted secret: the `crypto` object of the format.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Sealed {
    cipher: String,
    cipherparams: CipherParams,
    ciphertext: Hex,
    #[serde(flatten)]
    kdf: Kdf,
    mac: Hex,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct CipherParams {
    iv: Hex,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kdf", content = "kdfparams", rename_all = "lowercase")]
enum Kdf {
    Scrypt { dklen: usize, n: u64, p: u32, r: u32, salt: Hex },
    Pbkdf2 { c: u32, dklen: usize, prf: String, salt: Hex },
}

/// Bytes as hexadecimal without prefix; read with or without.
#[derive(Clone, Debug)]
struct Hex(Vec<u8>);

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        hex::decode(&text).map(Self).map_err(D::Error::custom)
    }
}

impl Sealed {
    /// Encrypts a secret under a password.
    ///
    /// # Errors
    /// Never with the costs there are.
    pub(crate) fn new(secret: &[u8], password: &str, cost: Cost) -> Result<Self, KeystoreError> {
        let (log_n, p) = cost.parameters();
        let salt = Hex(B256::random().to_vec());
        let kdf = Kdf::Scrypt { dklen: DERIVED_BYTES, n: 1 << log_n, p, r: 8, salt };
        let derived = kdf.derive(password)?;
        let iv = B128::random();
        let mut ciphertext = secret.to_vec();
        apply_keystream(&derived, iv, &mut ciphertext);
        Ok(Self {
            cipher: CIPHER.to_owned(),
            cipherparams: CipherParams { iv: Hex(iv.to_vec()) },
            mac: Hex(mac(&derived, &ciphertext).to_vec()),
            ciphertext: Hex(ciphertext),
            kdf,
        })
    }

    /// The secret.
    ///
    /// # Errors
    /// If the password is wrong, or the file asks for what cannot be done.
    pub(crate) fn open(&self, password: &str) -> Result<Zeroizing<Vec<u8>>, KeystoreError> {
        if self.cipher != CIPHER {
            return Err(KeystoreError::Unsupported(self.cipher.clone()));
        }
        let iv = B128::try_from(self.cipherparams.iv.0.as_slice()).map_err(|_| KeystoreError::Parameters(CIPHER))?;
        if self.ciphertext.0.len() > MAX_CIPHERTEXT_BYTES {
            return Err(KeystoreError::Parameters(CIPHER));
        }
        let derived = self.kdf.derive(password)?;
        if mac(&derived, &self.ciphertext.0) != self.mac.0.as_slice() {
            return Err(KeystoreError::WrongPassword);
        }
        let mut secret = Zeroizing::new(self.ciphertext.0.clone());
        apply_keystream(&derived, iv, &mut secret);
        Ok(secret)
    }
}

impl Kdf {
    fn derive(&self, password: &str) -> Result<Zeroizing<[u8; DERIVED_BYTES]>, KeystoreError> {
        let mut derived = Zeroizing::new([0; DERIVED_BYTES]);
        match self {
            Self::Scrypt { dklen: DERIVED_BYTES, n, p, r, salt } => {
                let params = scrypt_params(*n, *r, *p).ok_or(KeystoreError::Parameters("scrypt"))?;
                scrypt::scrypt(password.as_bytes(), &salt.0, &params, derived.as_mut_slice())
                    .map_err(|_| KeystoreError::Parameters("scrypt"))?;
            }
            Self::Pbkdf2 { c: rounds @ 1..=MAX_PBKDF2_ROUNDS, dklen: DERIVED_BYTES, prf, salt } => {
                if prf != PRF {
                    return Err(KeystoreError::Unsupported(prf.clone()));
                }
                pbkdf2::pbkdf2_hmac::<pbkdf2::sha2::Sha256>(
                    password.as_bytes(),
                    &salt.0,
                    *rounds,
                    derived.as_mut_slice(),
                );
            }
            Self::Scrypt { .. } => return Err(KeystoreError::Parameters("scrypt")),
            Self::Pbkdf2 { .. } => return Err(KeystoreError::Parameters("pbkdf2")),
        }
        Ok(derived)
    }
}

/// scrypt's parameters, if `n` is a power of two and the cost is bearable.
fn scrypt_params(n: u64, r: u32, p: u32) -> Option<scrypt::Params> {
    let memory_bytes = n.checked_mul(u64::from(r))?.checked_mul(128)?;
    let work = n.checked_mul(u64::from(r))?.checked_mul(u64::from(p))?;
    if !n.is_power_of_two() || memory_bytes > MAX_SCRYPT_BYTES || work > MAX_SCRYPT_WORK {
        return None;
    }
    scrypt::Params::new(u8::try_from(n.ilog2()).ok()?, r, p).ok()
}

fn apply_keystream(derived: &[u8; DERIVED_BYTES], iv: B128, data: &mut [u8]) {
    let mut key = Zeroizing::new([0; 16]);
    key.copy_from_slice(&derived[..16]);
    ctr::Ctr128BE::<aes::Aes128>::new((&*key).into(), (&iv.0).into()).apply_keystream(data);
}

fn mac(derived: &[u8; DERIVED_BYTES], ciphertext: &[u8]) -> B256 {
    keccak256([&derived[16..], ciphertext].concat())
}

#[cfg(test)]
mod tests {
    use alloy_primitives::b256;

    use super::*;

    /// The test vectors of the format's description.
    const SCRYPT: &str = r#"{"cipher":"aes-128-ctr","cipherparams":{"iv":"83dbcc02d8ccb40e466191a123791e0e"},
        "ciphertext":"d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c","kdf":"scrypt",
        "kdfparams":{"dklen":32,"n":262144,"r":1,"p":8,"salt":"ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19"},
        "mac":"2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097"}"#;
    const PBKDF2: &str = r#"{"cipher":"aes-128-ctr","cipherparams":{"iv":"6087dab2f9fdbbfaddc31a909735c1e6"},
        "ciphertext":"5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46","kdf":"pbkdf2",
        "kdfparams":{"c":262144,"dklen":32,"prf":"hmac-sha256","salt":"ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd"},
        "mac":"517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2"}"#;

    fn changed(text: &str, from: &str, to: &str) -> Sealed {
        assert!(text.contains(from));
        serde_json::from_str(&text.replace(from, to)).unwrap()
    }

    #[test]
    fn the_published_vectors_are_read() {
        let key = b256!("7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d");
        for text in [SCRYPT, PBKDF2] {
            let sealed: Sealed = serde_json::from_str(text).unwrap();
            assert_eq!(sealed.open("testpassword").unwrap().as_slice(), key.as_slice());
        }
        let sealed: Sealed = serde_json::from_str(PBKDF2).unwrap();
        assert_eq!(sealed.open("Testpassword").unwrap_err(), KeystoreError::WrongPassword);
    }

    #[test]
    fn a_secret_of_any_length_comes_back_and_stands_nowhere_in_the_file() {
        for length in [0, 1, 32, 1_000] {
            let secret = vec![0xa5; length];
            let text = serde_json::to_string(&Sealed::new(&secret, "päss wörd", Cost::Light).unwrap()).unwrap();
            assert!(length < 32 || !text.contains(&hex::encode(&secret)));
            let sealed: Sealed = serde_json::from_str(&text).unwrap();
            assert_eq!(sealed.open("päss wörd").unwrap().as_slice(), secret);
            assert_eq!(sealed.open("").unwrap_err(), KeystoreError::WrongPassword);
        }
    }

    #[test]
    fn two_files_of_one_secret_have_nothing_in_common() {
        let [one, two] = [(); 2].map(|()| Sealed::new(&[7; 32], "same", Cost::Light).unwrap());
        assert_ne!(one.ciphertext.0, two.ciphertext.0);
        assert_ne!(one.mac.0, two.mac.0);
    }

    #[test]
    fn a_changed_file_is_refused() {
        let open = |sealed: Sealed| sealed.open("testpassword").unwrap_err();
        assert_eq!(open(changed(PBKDF2, "5318b4d5", "5318b4d6")), KeystoreError::WrongPassword);
        assert_eq!(open(changed(PBKDF2, "hmac-sha256", "md5")), KeystoreError::Unsupported("md5".to_owned()));
        assert_eq!(open(changed(PBKDF2, "aes-128-ctr", "rot13")), KeystoreError::Unsupported("rot13".to_owned()));
        for (from, to) in [("\"c\":262144", "\"c\":0"), ("262144", "4000000000"), ("\"dklen\":32", "\"dklen\":16")] {
            assert_eq!(open(changed(PBKDF2, from, to)), KeystoreError::Parameters("pbkdf2"), "{to}");
        }
        for (from, to) in [
            ("262144", "262145"),
            ("262144", "0"),
            ("262144", "9223372036854775808"),
            ("\"r\":1", "\"r\":0"),
            ("\"p\":8", "\"p\":4000000000"),
            ("\"dklen\":32", "\"dklen\":0"),
        ] {
            assert_eq!(open(changed(SCRYPT, from, to)), KeystoreError::Parameters("scrypt"), "{to}");
        }
        assert_eq!(open(changed(PBKDF2, "6087dab2f9", "6087")), KeystoreError::Parameters(CIPHER));
    }
}
