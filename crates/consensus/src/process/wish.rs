//! What operators say in their settings: who follows, and which change of the committee is asked for.

use std::{fmt, net::SocketAddr, str::FromStr};

use alloy_primitives::{Address, B256};

use super::ProcessError;
use crate::{
    committee::{Change, Committee, Validator},
    keys,
    rules::RulesError,
};

/// A node that follows, and where it is; written `publicKey@ip:port`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Follower {
    /// Its ed25519 public key.
    pub public_key: B256,
    /// Where it listens.
    pub address: SocketAddr,
}

impl FromStr for Follower {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, address) = text.split_once('@').ok_or("expected publicKey@ip:port")?;
        let public_key = key.parse().map_err(|_| "the public key is not 32 bytes in hexadecimal")?;
        let address = address.parse().map_err(|_| "the address is not ip:port")?;
        Ok(Self { public_key, address })
    }
}

impl fmt::Display for Follower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.public_key, self.address)
    }
}

/// A change of the committee, in bytes; see [`Change`]. Written `add:publicKey:feeRecipient@host:port` or `remove:publicKey`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Vote {
    /// Takes a validator in, or changes its entry.
    Add {
        /// Its ed25519 public key.
        public_key: B256,
        /// Who gets the fees of its blocks.
        fee_recipient: Address,
        /// Where it listens, `host:port`.
        address: String,
    },
    /// Leaves a validator out.
    Remove {
        /// Its ed25519 public key.
        public_key: B256,
    },
}

impl Vote {
    pub(super) fn change(&self) -> Result<Change, ProcessError> {
        Ok(match self {
            Self::Remove { public_key } => Change::Remove(keys::from_bytes(*public_key)?),
            Self::Add { public_key, fee_recipient, address } => {
                let public_key = keys::from_bytes(*public_key)?;
                let validator = Validator { public_key, fee_recipient: *fee_recipient, address: address.clone() };
                // What makes no committee could not be encoded in a block.
                Committee::new(vec![validator.clone()]).map_err(RulesError::from)?;
                Change::Add(validator)
            }
        })
    }
}

impl FromStr for Vote {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const EXPECTED: &str = "expected add:publicKey:feeRecipient@host:port or remove:publicKey";
        let key = |text: &str| text.parse().map_err(|_| "the public key is not 32 bytes in hexadecimal".to_owned());
        let (what, rest) = text.split_once(':').ok_or(EXPECTED)?;
        match what {
            "remove" => Ok(Self::Remove { public_key: key(rest)? }),
            "add" => {
                let (keys, address) = rest.split_once('@').ok_or(EXPECTED)?;
                let (public_key, fee_recipient) = keys.split_once(':').ok_or(EXPECTED)?;
                let fee_recipient = fee_recipient.parse().map_err(|_| "the fee recipient is not an address")?;
                Ok(Self::Add { public_key: key(public_key)?, fee_recipient, address: address.to_owned() })
            }
            _ => Err(EXPECTED.to_owned()),
        }
    }
}

impl fmt::Display for Vote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Add { public_key, fee_recipient, address } => write!(f, "add:{public_key}:{fee_recipient}@{address}"),
            Self::Remove { public_key } => write!(f, "remove:{public_key}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn followers_and_votes_read_what_they_print() {
        let key = "11".repeat(32);
        let follower = format!("0x{key}@127.0.0.1:30303");
        assert_eq!(follower.parse::<Follower>().unwrap().to_string(), follower);
        for text in [format!("remove:0x{key}"), format!("add:0x{key}:0x{}@node.example.org:30303", "22".repeat(20))] {
            assert_eq!(text.parse::<Vote>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_neither_is_refused() {
        for text in ["", "@127.0.0.1:1", "0x11@127.0.0.1:1", &format!("{}@localhost", "11".repeat(32))] {
            assert!(text.parse::<Follower>().is_err(), "{text}");
        }
        let key = "11".repeat(32);
        for text in
            ["", "remove", "remove:0x11", &format!("add:{key}"), &format!("add:{key}:0x22@a:1"), &format!("drop:{key}")]
        {
            assert!(text.parse::<Vote>().is_err(), "{text}");
        }
    }
}
