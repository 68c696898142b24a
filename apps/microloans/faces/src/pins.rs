//! PINs: the same four digits as in the telephone's menus, checked and counted where those are.

use std::sync::Arc;

use async_trait::async_trait;
use braid_microloans_rails::Msisdn;
use braid_microloans_ussd::{
    Loans,
    loans::{PinCheck, Unavailable},
};
use secrecy::SecretString;

/// Who knows the PINs of borrowers, counts wrong ones, and locks.
#[async_trait]
pub trait Pins: Send + Sync + std::fmt::Debug {
    /// Checks a PIN. The same key counts once. A number that nobody has is answered like a wrong PIN.
    async fn check(&self, who: &Msisdn, pin: &SecretString, key: &str) -> Result<PinCheck, Unavailable>;
}

/// The PINs of the telephone's menus.
#[derive(Clone, Debug)]
pub struct PinsOfMenus(pub Arc<dyn Loans>);

#[async_trait]
impl Pins for PinsOfMenus {
    async fn check(&self, who: &Msisdn, pin: &SecretString, key: &str) -> Result<PinCheck, Unavailable> {
        self.0.check_pin(who, pin, key).await
    }
}
