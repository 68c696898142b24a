//! A person's data in memory: a value that cannot be printed, formatted or written as JSON by accident.
//!
//! ```compile_fail
//! let phone = braid_microloans_ledger::Pii::new("+254700000000".to_owned());
//! println!("{phone}");
//! ```
//! ```compile_fail
//! let phone = braid_microloans_ledger::Pii::new("+254700000000".to_owned());
//! let _ = serde_json::to_string(&phone);
//! ```

use std::fmt;

use serde::{Deserialize, Deserializer};
use zeroize::Zeroize;

/// A value about a person. It is read with [`Pii::expose`], whose uses can be searched for, and overwritten when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Pii<T: Zeroize>(T);

impl<T: Zeroize> Pii<T> {
    /// Wraps a value.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, for those who have a reason.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> fmt::Debug for Pii<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pii(…)")
    }
}

impl<T: Zeroize> Drop for Pii<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<'de, T: Zeroize + Deserialize<'de>> Deserialize<'de> for Pii<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_hides_the_value() {
        let phone = Pii::new("+254700000001".to_owned());
        assert_eq!(format!("{:?}", Some(&phone)), "Some(Pii(…))");
        assert_eq!(phone.expose(), "+254700000001");
    }
}
