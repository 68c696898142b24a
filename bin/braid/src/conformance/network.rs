//! The rules that Ethereum's test suites call by a network's name.

use alloy_primitives::U256;
use braid_types::{ChainSpec, Fork};

/// Chain id of the suites' networks.
pub(crate) const CHAIN_ID: u64 = 1;

/// The fork a suite calls by `name`; `None` if this version does not know it.
pub(crate) fn fork_named(name: &str) -> Option<Fork> {
    Some(match name {
        "Frontier" => Fork::Frontier,
        "Homestead" => Fork::Homestead,
        "EIP150" | "TangerineWhistle" => Fork::Tangerine,
        "EIP158" | "SpuriousDragon" => Fork::SpuriousDragon,
        "Byzantium" => Fork::Byzantium,
        "Constantinople" => Fork::Constantinople,
        "ConstantinopleFix" | "Petersburg" => Fork::Petersburg,
        "Istanbul" => Fork::Istanbul,
        "MuirGlacier" => Fork::MuirGlacier,
        "Berlin" => Fork::Berlin,
        "London" => Fork::London,
        "ArrowGlacier" => Fork::ArrowGlacier,
        "GrayGlacier" => Fork::GrayGlacier,
        "Merge" | "Paris" => Fork::Paris,
        "Shanghai" => Fork::Shanghai,
        "Cancun" => Fork::Cancun,
        "Prague" => Fork::Prague,
        "Osaka" => Fork::Osaka,
        _ => return None,
    })
}

/// The rules of a network: a fork's name, or `AToBAtN` with a height, `Time15k` or `DiffC0000`.
pub(crate) fn spec_named(name: &str) -> Option<ChainSpec> {
    if let Some(fork) = fork_named(name) {
        return Some(ChainSpec::at_fork(CHAIN_ID, fork));
    }
    let (forks, at) = name.rsplit_once("At")?;
    let (from, to) = forks.split_once("To")?;
    let mut config = ChainSpec::at_fork(CHAIN_ID, fork_named(from)?).config;
    if to == "Dao" {
        config.dao_fork_support = true;
    }
    let at = parse_at(at)?;
    match (to, at) {
        ("Dao", At::Height(height)) => config.dao_fork_block = Some(height),
        ("Homestead", At::Height(height)) => config.homestead_block = Some(height),
        ("EIP150", At::Height(height)) => config.eip150_block = Some(height),
        ("Byzantium", At::Height(height)) => config.byzantium_block = Some(height),
        ("Constantinople", At::Height(height)) => {
            config.constantinople_block = Some(height);
            config.petersburg_block = Some(u64::MAX);
        }
        ("ConstantinopleFix", At::Height(height)) => {
            config.constantinople_block = Some(height);
            config.petersburg_block = Some(height);
        }
        ("Berlin", At::Height(height)) => config.berlin_block = Some(height),
        ("London", At::Height(height)) => config.london_block = Some(height),
        ("Paris", At::TotalDifficulty(difficulty)) => config.terminal_total_difficulty = Some(difficulty),
        ("Shanghai", At::Time(time)) => config.shanghai_time = Some(time),
        ("Cancun", At::Time(time)) => config.cancun_time = Some(time),
        ("Prague", At::Time(time)) => config.prague_time = Some(time),
        ("Osaka", At::Time(time)) => config.osaka_time = Some(time),
        _ => return None,
    }
    config.blob_schedule = ChainSpec::at_fork(CHAIN_ID, Fork::LATEST).config.blob_schedule;
    ChainSpec::from_config(&config).ok()
}

enum At {
    Height(u64),
    Time(u64),
    TotalDifficulty(U256),
}

fn parse_at(text: &str) -> Option<At> {
    if let Some(difficulty) = text.strip_prefix("Diff") {
        return U256::from_str_radix(difficulty, 16).ok().map(At::TotalDifficulty);
    }
    if let Some(thousands) = text.strip_prefix("Time").and_then(|time| time.strip_suffix('k')) {
        return thousands.parse::<u64>().ok()?.checked_mul(1_000).map(At::Time);
    }
    text.parse().ok().map(At::Height)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fork_at(network: &str, height: u64, time: u64, difficulty: u64) -> Fork {
        spec_named(network).unwrap().fork_at(height, time, U256::from(difficulty))
    }

    #[test]
    fn a_fork_rules_from_genesis() {
        for (name, fork) in [("Frontier", Fork::Frontier), ("EIP158", Fork::SpuriousDragon), ("Cancun", Fork::Cancun)] {
            assert_eq!(fork_at(name, 0, 0, 0), fork, "{name}");
            assert_eq!(fork_at(name, 1_000_000, 1_000_000, 1_000_000), fork, "{name}");
        }
    }

    #[test]
    fn transitions_happen_at_height_time_or_difficulty() {
        assert_eq!(fork_at("BerlinToLondonAt5", 4, 0, 0), Fork::Berlin);
        assert_eq!(fork_at("BerlinToLondonAt5", 5, 0, 0), Fork::London);
        assert_eq!(fork_at("ByzantiumToConstantinopleFixAt5", 4, 0, 0), Fork::Byzantium);
        assert_eq!(fork_at("ByzantiumToConstantinopleFixAt5", 5, 0, 0), Fork::Petersburg);
        assert_eq!(fork_at("ShanghaiToCancunAtTime15k", 9, 14_999, 0), Fork::Shanghai);
        assert_eq!(fork_at("ShanghaiToCancunAtTime15k", 9, 15_000, 0), Fork::Cancun);
        assert_eq!(fork_at("ArrowGlacierToParisAtDiffC0000", 9, 0, 0xbffff), Fork::ArrowGlacier);
        assert_eq!(fork_at("ArrowGlacierToParisAtDiffC0000", 9, 0, 0xc0000), Fork::Paris);
    }

    #[test]
    fn the_dao_fork_keeps_the_rules() {
        let spec = spec_named("HomesteadToDaoAt5").unwrap();
        assert_eq!(spec.dao_fork_height(), Some(5));
        assert_eq!(spec.fork_at(9, 0, U256::ZERO), Fork::Homestead);
    }

    #[test]
    fn unknown_networks_are_not_guessed() {
        for name in ["Amsterdam", "BerlinToLondonAtNoon", "LondonAt5", "CancunToAmsterdamAtTime15k", ""] {
            assert!(spec_named(name).is_none(), "{name}");
        }
    }
}
