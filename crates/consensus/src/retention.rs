//! How long ordered blocks and their certificates are kept.
//!
//! The blocks of the Ethereum chain are the chain's own and are not touched by this. What is kept here serves peers that catch up and
//! light clients. Never removed is what a restart needs: blocks that may be delivered again, and the last block of the epoch before
//! theirs, which carries the committee and on which the epoch's engine begins.

use crate::{engine::MAX_PENDING_BLOCKS, rules::Rules};

/// Heights by which the oldest block that is kept goes up at a time.
const STEP: u64 = 256;

/// The lowest height that is kept when `durable` is the newest block here and `keep` blocks behind it are wanted; if it goes up now.
pub(crate) fn floor(rules: &Rules, durable: u64, keep: u64) -> Option<u64> {
    durable.is_multiple_of(STEP).then(|| oldest(rules, durable, keep)).filter(|oldest| *oldest > 0)
}

/// The lowest height that is kept after `durable`.
fn oldest(rules: &Rules, durable: u64, keep: u64) -> u64 {
    let redelivered = rules.epoch_of(durable.saturating_sub(2 * MAX_PENDING_BLOCKS.get() as u64));
    let needed = redelivered.previous().map_or(0, |before| rules.last_of(before));
    durable.saturating_sub(keep).min(needed)
}

/// The lowest height that a node with such a setting has certainly not kept at `durable`, if there is any: all below are gone too.
pub(crate) fn pruned_below(rules: &Rules, durable: u64, keep: u64) -> u64 {
    oldest(rules, durable - durable % STEP, keep)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use alloy_primitives::{Address, B256};
    use braid_types::{BlockRef, ordered::Dissemination};

    use super::*;
    use crate::{
        committee::{Committee, Validator},
        keys,
        scheme::Signatures,
    };

    fn rules(epoch_length: u64) -> Rules {
        let public_key = keys::from_bytes(keys::public_key(&[1; 32]).unwrap()).unwrap();
        let validator = Validator { public_key, fee_recipient: Address::ZERO, address: "a:1".to_owned() };
        Rules {
            namespace: Vec::new(),
            execution_lag: 3,
            epoch_length: NonZeroU64::new(epoch_length).unwrap(),
            dissemination: Dissemination::Whole,
            signatures: Signatures::Ed25519,
            committee: Committee::new(vec![validator]).unwrap(),
            genesis: BlockRef { height: 0, hash: B256::ZERO },
        }
    }

    #[test]
    fn as_many_are_kept_as_are_wanted_and_what_a_restart_needs() {
        let short = rules(100);
        assert_eq!(floor(&short, 2_560, 1_000), Some(1_560));
        assert_eq!(floor(&short, 2_561, 1_000), None, "now and then is enough");
        // Epoch 25 begins at 2,500 on block 2,499.
        assert_eq!(floor(&short, 2_560, 10), Some(2_499));
        // Blocks of epoch 22 may come again at 2,304.
        assert_eq!(floor(&short, 2_304, 10), Some(2_199));
        assert_eq!(floor(&short, 256, 1_000), None);
        assert_eq!(floor(&rules(100_000), 25_600, 10), None, "the first epoch needs genesis");
    }

    #[test]
    fn what_is_gone_is_known() {
        let short = rules(100);
        assert_eq!(pruned_below(&short, 2_700, 1_000), 1_560);
        assert_eq!(pruned_below(&short, 100, 10), 0);
    }
}
