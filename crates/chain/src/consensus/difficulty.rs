//! The difficulty of proof-of-work blocks, as each fork computed it.
//!
//! Three formulas move the parent's difficulty by 1/2048 of it: Frontier up or down as the block comes within 13 seconds,
//! Homestead (EIP-2) in steps of ten seconds, Byzantium (EIP-100) in steps of nine, one step later where the parent has
//! ommers. To each the "bomb" is added, which doubles every 100,000 blocks; later forks delay it by pretending a lower
//! height (EIP-649, 1234, 2384, 3554, 4345, 5133). Paris ends it all: difficulty is zero (EIP-3675).

use alloy_consensus::{EMPTY_OMMER_ROOT_HASH, Header};
use alloy_primitives::U256;
use braid_types::Fork;

/// Difficulty never falls below this.
const MINIMUM: u64 = 131_072;
/// One step is the parent's difficulty divided by this.
const STEP_DIVISOR: u64 = 2_048;
/// Most steps down in one block.
const MAX_STEPS_DOWN: u64 = 99;
/// Blocks in which the bomb doubles.
const BOMB_PERIOD: u64 = 100_000;
/// Seconds within which a block of Frontier raises the difficulty.
const FRONTIER_TARGET_S: u64 = 13;

/// Difficulty that a block with `timestamp` on top of `parent` must have under `fork`; zero since Paris.
pub fn next_difficulty(parent: &Header, timestamp: u64, fork: Fork) -> U256 {
    if fork >= Fork::Paris {
        return U256::ZERO;
    }
    let elapsed = timestamp.saturating_sub(parent.timestamp);
    let (up, down) = steps(parent, elapsed, fork);
    let step = parent.difficulty / U256::from(STEP_DIVISOR);
    let raised = parent.difficulty.saturating_add(step * U256::from(up));
    let difficulty = raised.saturating_sub(step * U256::from(down)).max(U256::from(MINIMUM));
    difficulty.saturating_add(bomb(parent.number, fork))
}

/// Steps up and steps down.
fn steps(parent: &Header, elapsed: u64, fork: Fork) -> (u64, u64) {
    let (base, late) = if fork < Fork::Homestead {
        return if elapsed < FRONTIER_TARGET_S { (1, 0) } else { (0, 1) };
    } else if fork < Fork::Byzantium {
        (1, elapsed / 10)
    } else if parent.ommers_hash == EMPTY_OMMER_ROOT_HASH {
        (1, elapsed / 9)
    } else {
        (2, elapsed / 9)
    };
    (u64::saturating_sub(base, late), late.saturating_sub(base).min(MAX_STEPS_DOWN))
}

/// What the bomb adds to the block after height `parent`.
fn bomb(parent: u64, fork: Fork) -> U256 {
    let height = parent.saturating_add(1).saturating_sub(bomb_delay(fork));
    let periods = height / BOMB_PERIOD;
    if periods < 2 {
        return U256::ZERO;
    }
    let exponent = usize::try_from(periods - 2).unwrap_or(usize::MAX);
    U256::ONE.checked_shl(exponent).filter(|power| !power.is_zero()).unwrap_or(U256::MAX)
}

const fn bomb_delay(fork: Fork) -> u64 {
    match fork {
        Fork::Frontier | Fork::Homestead | Fork::Tangerine | Fork::SpuriousDragon => 0,
        Fork::Byzantium => 3_000_000,
        Fork::Constantinople | Fork::Petersburg | Fork::Istanbul => 5_000_000,
        Fork::MuirGlacier | Fork::Berlin => 9_000_000,
        Fork::London => 9_700_000,
        Fork::ArrowGlacier => 10_700_000,
        _ => 11_400_000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A parent at `number` with difficulty 2,048 × 1,000 and time stamp 1,000.
    fn parent(number: u64) -> Header {
        Header { number, difficulty: U256::from(2_048_000), timestamp: 1_000, ..Header::default() }
    }

    fn after(seconds: u64, fork: Fork) -> u64 {
        next_difficulty(&parent(10), 1_000 + seconds, fork).to()
    }

    #[test]
    fn frontier_goes_up_before_13_seconds_and_down_after() {
        assert_eq!(after(12, Fork::Frontier), 2_049_000);
        assert_eq!(after(13, Fork::Frontier), 2_047_000);
        assert_eq!(after(1_000_000, Fork::Frontier), 2_047_000);
    }

    #[test]
    fn homestead_moves_in_steps_of_ten_seconds() {
        assert_eq!(after(9, Fork::Homestead), 2_049_000);
        assert_eq!(after(10, Fork::Homestead), 2_048_000);
        assert_eq!(after(25, Fork::Homestead), 2_047_000);
        assert_eq!(after(1_000_000, Fork::Homestead), 1_949_000, "at most 99 steps");
    }

    #[test]
    fn byzantium_counts_the_parents_ommers() {
        assert_eq!(after(8, Fork::Byzantium), 2_049_000);
        assert_eq!(after(9, Fork::Byzantium), 2_048_000);
        let with_ommers = Header { ommers_hash: alloy_primitives::B256::repeat_byte(1), ..parent(10) };
        assert_eq!(next_difficulty(&with_ommers, 1_009, Fork::Byzantium), U256::from(2_049_000));
    }

    #[test]
    fn difficulty_has_a_floor() {
        let low = Header { difficulty: U256::from(MINIMUM), ..parent(10) };
        assert_eq!(next_difficulty(&low, 5_000, Fork::Homestead), U256::from(MINIMUM));
    }

    #[test]
    fn the_bomb_doubles_every_100_000_blocks_and_forks_delay_it() {
        let bomb_at = |height: u64, fork| bomb(height - 1, fork);
        assert_eq!(bomb_at(199_999, Fork::Homestead), U256::ZERO);
        assert_eq!(bomb_at(200_000, Fork::Homestead), U256::from(1));
        assert_eq!(bomb_at(499_999, Fork::Homestead), U256::from(4));
        assert_eq!(bomb_at(3_200_000, Fork::Byzantium), U256::from(1));
        assert_eq!(bomb_at(5_199_999, Fork::Petersburg), U256::ZERO);
        assert_eq!(bomb_at(13_000_000, Fork::London), U256::from(1u64 << 31));
        assert_eq!(bomb_at(15_000_000, Fork::GrayGlacier), U256::from(1u64 << 34));
        assert_eq!(bomb_at(u64::MAX, Fork::Frontier), U256::MAX, "no overflow");
    }

    #[test]
    fn paris_has_none() {
        assert_eq!(next_difficulty(&parent(10), 1_012, Fork::Paris), U256::ZERO);
    }
}
