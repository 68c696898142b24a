//! The security credential: the initiator's password, encrypted with RSA (PKCS#1 v1.5) for the key in Safaricom's certificate, in base64.

use aws_lc_rs::rsa::{Pkcs1PublicEncryptingKey, PublicEncryptingKey};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustls::{
    pki_types::{CertificateDer, pem::PemObject as _},
    server::ParsedCertificate,
};
use secrecy::{ExposeSecret as _, SecretString};

use crate::http::SetupError;

/// Encrypts the initiator's password for whoever holds the key of a certificate (X.509, PEM).
///
/// # Errors
/// If the certificate cannot be read or holds no RSA key of a usual size, or the password is longer than it can carry.
pub fn seal(password: &SecretString, certificate_pem: &str) -> Result<SecretString, SetupError> {
    let certificate = CertificateDer::from_pem_slice(certificate_pem.as_bytes())
        .map_err(|_| SetupError::Certificate("it is not a certificate in PEM"))?;
    let parsed = ParsedCertificate::try_from(&certificate)
        .map_err(|_| SetupError::Certificate("it is not an X.509 certificate of version 3"))?;
    let key = PublicEncryptingKey::from_der(parsed.subject_public_key_info().as_ref())
        .and_then(|key| Ok(Pkcs1PublicEncryptingKey::new(key)?))
        .map_err(|_| SetupError::Certificate("it holds no RSA key of a usual size"))?;
    let mut sealed = vec![0; key.ciphertext_size()];
    let sealed = key.encrypt(password.expose_secret().as_bytes(), &mut sealed).map_err(|_| SetupError::Encryption)?;
    Ok(STANDARD.encode(sealed).into())
}
