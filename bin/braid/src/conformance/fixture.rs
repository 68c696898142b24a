//! The JSON that Ethereum's test suites are written in: loose numbers, accounts, files of named cases.

use std::{borrow::Cow, collections::BTreeMap, fmt, sync::Arc};

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_trie::KECCAK_EMPTY;
use braid_chain::{Ancestors, BlockView};
use braid_state::{State, StateAt};
use braid_types::{AccountChange, Height, StateChanges, changes::AccountState};
use serde::{Deserialize, Deserializer, de};
use serde_json::value::RawValue;

use super::report::Case;

/// A number as the suites write it: hex with any number of leading zeros, an empty string for zero, decimal, a JSON
/// number, or the filler's `0x:bigint 0x…`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Quantity(pub(crate) U256);

impl Quantity {
    /// The number, unless it needs more than 64 bits.
    pub(crate) fn to_u64(self) -> Option<u64> {
        u64::try_from(self.0).ok()
    }

    /// The number, unless it needs more than 128 bits.
    pub(crate) fn to_u128(self) -> Option<u128> {
        u128::try_from(self.0).ok()
    }

    /// Reads a number.
    ///
    /// # Errors
    /// If it is not one, or does not fit 256 bits.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let digits = text.strip_prefix("0x:bigint ").unwrap_or(text);
        let parsed = match digits.strip_prefix("0x") {
            Some("") => Ok(U256::ZERO),
            Some(hex) => U256::from_str_radix(hex, 16),
            None if digits.is_empty() => Ok(U256::ZERO),
            None => U256::from_str_radix(digits, 10),
        };
        parsed.map(Self).map_err(|error| format!("{text:?} is not a 256-bit number: {error}"))
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Quantity;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Quantity, E> {
                Ok(Quantity(U256::from(value)))
            }

            fn visit_str<E: de::Error>(self, value: &str) -> Result<Quantity, E> {
                Quantity::parse(value).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// An account as fixtures write it. Whatever is absent is zero or empty.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Account {
    pub(crate) balance: Quantity,
    pub(crate) nonce: Quantity,
    pub(crate) code: Option<Bytes>,
    pub(crate) storage: BTreeMap<Quantity, Quantity>,
}

/// Accounts by address.
pub(crate) type Accounts = BTreeMap<Address, Account>;

impl Account {
    /// The code; empty if absent.
    pub(crate) fn code(&self) -> Bytes {
        self.code.clone().unwrap_or_default()
    }

    /// Nonce, balance and code hash.
    ///
    /// # Errors
    /// If the nonce needs more than 64 bits.
    pub(crate) fn state(&self) -> Result<AccountState, String> {
        let nonce = self.nonce.to_u64().ok_or("nonce of an account needs more than 64 bits")?;
        let code_hash = self.code.as_ref().map_or(KECCAK_EMPTY, keccak256);
        Ok(AccountState { nonce, balance: self.balance.0, code_hash })
    }
}

/// The state with exactly these accounts.
///
/// # Errors
/// If an account is not possible.
pub(crate) fn state_of(accounts: &Accounts) -> Result<State, String> {
    let mut changes = StateChanges::default();
    for (address, account) in accounts {
        let state = account.state()?;
        if state.code_hash != KECCAK_EMPTY {
            changes.codes.insert(state.code_hash, account.code());
        }
        let storage = account.storage.iter().map(|(slot, value)| (slot.0, value.0)).collect();
        let change = AccountChange { account: Some(state), storage_cleared: false, storage };
        changes.accounts.insert(*address, change);
    }
    Ok(State::empty().apply(&changes))
}

/// A state as the EVM reads it, with a function for BLOCKHASH.
pub(crate) fn view(state: State, hash: impl Fn(Height) -> Option<B256> + Send + Sync + 'static) -> BlockView {
    let ancestors: Arc<dyn Ancestors> = Arc::new(hash);
    BlockView { state: StateAt::Recent(state), ancestors }
}

/// Splits a file into its named cases and hands each to `judge`, so that a malformed case fails alone.
pub(crate) fn judge_cases<T: de::DeserializeOwned>(content: &[u8], judge: impl Fn(&str, &T) -> Vec<Case>) -> Vec<Case> {
    let cases: BTreeMap<Cow<'_, str>, &RawValue> = match serde_json::from_slice(content) {
        Ok(cases) => cases,
        Err(error) => return vec![Case::broken_file(format!("is not a JSON object of test cases: {error}"))],
    };
    if cases.is_empty() {
        return vec![Case::broken_file("holds no test case")];
    }
    let judged = cases.into_iter().map(|(name, raw)| match serde_json::from_str(raw.get()) {
        Ok(fixture) => judge(&name, &fixture),
        Err(error) => vec![Case::new(name, Err(format!("is malformed: {error}")))],
    });
    judged.flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_the_suites_write_them() {
        for (text, value) in [("0x0a", 10), ("0x", 0), ("", 0), ("12", 12), ("0x:bigint 0x10", 16), ("0x000000ff", 255)]
        {
            assert_eq!(Quantity::parse(text), Ok(Quantity(U256::from(value))), "{text}");
        }
        for text in ["0xzz", "1.5", &format!("0x1{}", "0".repeat(64))] {
            assert!(Quantity::parse(text).is_err(), "{text}");
        }
        assert_eq!(serde_json::from_str::<Quantity>("7").unwrap(), Quantity(U256::from(7)));
    }

    #[test]
    fn a_malformed_case_fails_alone() {
        let content = br#"{"bad": {"balance": "0xzz"}, "good": {"balance": "0x01"}}"#;
        let cases = judge_cases(content, |name, _: &Account| vec![Case::new(name, Ok(()))]);
        assert_eq!(cases.len(), 2);
        assert_ne!(cases[0].verdict, super::super::report::Verdict::Passed);
        assert_eq!(cases[1].verdict, super::super::report::Verdict::Passed);
    }

    #[test]
    fn a_file_that_is_not_json_is_a_failure() {
        for content in [&b"{"[..], b"[]", b"{}"] {
            let cases = judge_cases(content, |name, _: &Account| vec![Case::new(name, Ok(()))]);
            assert!(matches!(cases[0].verdict, super::super::report::Verdict::Failed(_)));
        }
    }
}
