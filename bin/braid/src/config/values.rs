//! Values of settings that have a notation of their own: amounts of ether, seconds with decimals, forks, mnemonics.
//!
//! Each reads what it prints, so that `--print-config` gives a file that reads back the same.

use std::{fmt, str::FromStr, time::Duration};

use alloy_primitives::{
    U256,
    utils::{format_ether, parse_ether},
};
use alloy_signer_local::coins_bip39::{English, Mnemonic};
use braid_types::{Fork, fork::FORKS};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde::{Serialize, Serializer};
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

/// An amount, written in ether with up to 18 decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ether(pub(crate) U256);

impl FromStr for Ether {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_decimal = text.starts_with(|c: char| c.is_ascii_digit())
            && text.chars().all(|c| c.is_ascii_digit() || c == '.')
            && text.matches('.').count() <= 1;
        if !is_decimal {
            return Err("expected an amount of ether such as 10000 or 0.5".to_owned());
        }
        parse_ether(text).map(Self).map_err(|error| error.to_string())
    }
}

impl fmt::Display for Ether {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format_ether(self.0);
        let short = text.trim_end_matches('0').trim_end_matches('.');
        f.write_str(if short.is_empty() { "0" } else { short })
    }
}

impl Serialize for Ether {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A length of time, written in seconds with up to three decimals; at least a millisecond, at most a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seconds(pub(crate) Duration);

impl FromStr for Seconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        let seconds: f64 = text.parse().map_err(|_| "expected seconds such as 2 or 0.25".to_owned())?;
        let duration = Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())?;
        if duration < Duration::from_millis(1) || duration > DAY {
            return Err("must be between 0.001 and 86400 seconds".to_owned());
        }
        Ok(Self(duration))
    }
}

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0.as_secs_f64())
    }
}

/// A fork by its name in lower case, such as `cancun`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ForkName(pub(crate) Fork);

impl ForkName {
    /// Accepts the name of every fork that Braid executes.
    pub(crate) fn parser() -> impl TypedValueParser<Value = Self> {
        let names = FORKS.map(|fork| Self(fork).to_string());
        PossibleValuesParser::new(names).try_map(|name| name.parse())
    }
}

impl FromStr for ForkName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = FORKS.into_iter().map(Self).find(|fork| fork.to_string() == text);
        found.ok_or_else(|| format!("unknown fork {text}"))
    }
}

impl fmt::Display for ForkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format!("{:?}", self.0).to_lowercase())
    }
}

impl Serialize for ForkName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Reads a BIP-39 phrase and checks its words and checksum.
pub(crate) fn mnemonic(text: &str) -> Result<String, String> {
    match Mnemonic::<English>::new_from_phrase(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(format!("not a BIP-39 phrase in English: {error}")),
    }
}

/// Reads directives for [`EnvFilter`], such as `info` or `warn,braid_chain=debug`. Each must name its level, for the filter
/// would take a misspelt level for the name of a module.
pub(crate) fn log_filter(text: &str) -> Result<String, String> {
    for directive in text.split(',') {
        let level = directive.rsplit_once('=').map_or(directive, |(_, level)| level).trim();
        if level.is_empty() || level.parse::<LevelFilter>().is_err() {
            return Err(format!("{level:?} is not a level (off, error, warn, info, debug, trace)"));
        }
    }
    match EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
