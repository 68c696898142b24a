//! Random cases that this crate and the contracts both compute: `contracts/test/derivatives/Risk.t.sol` draws the same ones from the
//! same hashes and compares what comes out, a digest for every [`CHUNK`] cases.
//!
//! The digests are in `contracts/test/derivatives/RiskVectors.sol`. With `BRAID_WRITE_VECTORS=1` they are written; else the file has to be
//! what would be written.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use std::{fmt::Write as _, fs, path::Path};

use alloy_primitives::{B256, I256, U256, keccak256};
use braid_risk::{
    Error,
    black::{BlackOption, Side},
    fixed::{WAD, exp_wad, ln_wad, signed, sqrt},
    normal::{cumulative, density},
    perpetual::{
        BASIS, RAY, closed_cost, deleverage_rank, fill_price, funding_growth, liquidation_price, liquidation_size,
        rank_needed, settle_down, share_up, worth,
    },
    portfolio::{Grid, Leg, Portfolio},
};

/// Cases of each group.
const CASES: u64 = 4096;
/// Cases of a digest.
const CHUNK: u64 = 256;
/// What a group computes for a case.
type Group = fn(&Case) -> Result<Vec<U256>, Error>;
/// In the order of their numbers.
const GROUPS: [(&str, Group); 9] = [
    ("fills", fills),
    ("funding", funding),
    ("positions", positions),
    ("margins", margins),
    ("functions", functions),
    ("normal", normal),
    ("options", options),
    ("ranks", ranks),
    ("portfolios", portfolios),
];

/// Where random words come from: a hash of the group, the case and the field.
struct Case {
    group: u64,
    number: u64,
}

impl Case {
    fn word(&self, field: u64) -> U256 {
        let mut preimage = [0; 96];
        for (place, number) in [self.group, self.number, field].into_iter().enumerate() {
            preimage[place * 32..][..32].copy_from_slice(&U256::from(number).to_be_bytes::<32>());
        }
        keccak256(preimage).into()
    }

    /// A number of at most `bits` bits: of any length, one time in eight the highest, and one time in eight one.
    fn number(&self, field: u64, bits: usize) -> U256 {
        let word = self.word(field);
        match (word >> 16_usize).to_be_bytes::<32>()[31] % 8 {
            0 => (U256::ONE << bits) - U256::ONE,
            1 => U256::ONE,
            _ => word >> (256 - bits) >> (usize::from(word.to_be_bytes::<32>()[31]) % bits),
        }
    }

    fn positive(&self, field: u64, bits: usize) -> U256 {
        self.number(field, bits).max(U256::ONE)
    }

    /// The same with a sign.
    fn either(&self, field: u64, bits: usize) -> I256 {
        let value = signed(self.number(field, bits)).unwrap();
        if self.word(field).bit(8) { -value } else { value }
    }

    fn nonzero(&self, field: u64, bits: usize) -> I256 {
        let value = self.either(field, bits);
        if value.is_zero() { I256::ONE } else { value }
    }

    /// From zero to below `end`.
    fn below(&self, field: u64, end: U256) -> U256 {
        self.word(field) % end
    }
}

fn fills(case: &Case) -> Result<Vec<U256>, Error> {
    let (price, scale) = (case.positive(0, 136), case.positive(3, 112));
    let (skew, delta) = (case.either(1, 104), case.nonzero(2, 104));
    Ok(vec![fill_price(price, skew, delta, scale, case.below(4, U256::from(1001)))?])
}

fn funding(case: &Case) -> Result<Vec<U256>, Error> {
    let (price, skew, scale) = (case.positive(0, 136), case.either(1, 104), case.positive(2, 112));
    let most = U256::from(10) * RAY / U256::from(31_536_000);
    let growth = funding_growth(price, skew, scale, case.below(3, most + U256::ONE), case.number(4, 32))?;
    Ok(vec![growth.into_raw()])
}

fn positions(case: &Case) -> Result<Vec<U256>, Error> {
    let size = case.nonzero(0, 104);
    let cost = worth(size, case.positive(1, 136), case.either(2, 146))?;
    let part = signed(case.below(3, size.unsigned_abs()) + U256::ONE)?;
    let closed = if size.is_negative() { -part } else { part };
    let gone = closed_cost(cost, closed, size)?;
    let gain = settle_down(worth(closed, case.positive(4, 136), case.either(5, 146))? - gone)?;
    Ok(vec![cost.into_raw(), gone.into_raw(), gain.into_raw()])
}

fn margins(case: &Case) -> Result<Vec<U256>, Error> {
    let (size, price) = (case.nonzero(0, 104), case.positive(1, 136));
    let initial_basis = case.below(2, U256::from(9999)) + U256::from(2);
    let maintenance_basis = case.below(3, initial_basis - U256::ONE) + U256::ONE;
    let penalty_basis = case.below(4, maintenance_basis);
    let initial = share_up(size, price, initial_basis)? + case.number(5, 96);
    let maintenance = share_up(size, price, maintenance_basis)?;
    let amount = signed(case.below(6, initial + U256::ONE))?;
    let equity = if case.word(6).bit(255) { -amount } else { amount };
    let closed = liquidation_size(size, price, equity, initial, initial_basis, penalty_basis)?;
    let at = liquidation_price(size, price, equity - signed(maintenance)?, maintenance_basis)?;
    Ok(vec![initial, maintenance, closed, at])
}

fn functions(case: &Case) -> Result<Vec<U256>, Error> {
    let exponent = signed(case.below(0, U256::from(177) * WAD))? - signed(U256::from(42) * WAD)?;
    let (argument, square) = (signed(case.positive(1, 255))?, case.word(2) >> case.below(3, U256::from(256)));
    Ok(vec![exp_wad(exponent)?.into_raw(), ln_wad(argument)?.into_raw(), sqrt(square)])
}

fn normal(case: &Case) -> Result<Vec<U256>, Error> {
    let x = signed(case.below(0, U256::from(10) * WAD))?;
    let x = if case.word(1).bit(0) { -x } else { x };
    Ok(vec![cumulative(x)?, density(x)?])
}

/// Three in four near the money; volatilities up to three, and now and then none or any.
fn options(case: &Case) -> Result<Vec<U256>, Error> {
    let strike = case.positive(0, 136);
    let near = strike * (case.below(1, U256::from(400)) + U256::from(25)) / U256::from(100);
    let highest = (U256::ONE << 136) - U256::ONE;
    let forward = if case.number.is_multiple_of(4) { case.positive(1, 136) } else { near.clamp(U256::ONE, highest) };
    let volatility_wad = match case.number % 16 {
        1 => U256::ZERO,
        2 => case.below(2, U256::from(100) * WAD + U256::ONE),
        _ => case.below(2, U256::from(3) * WAD),
    };
    let rate = signed(case.below(4, WAD + U256::ONE))?;
    let option = BlackOption {
        side: if case.word(5).bit(0) { Side::Call } else { Side::Put },
        forward,
        strike,
        volatility_wad,
        duration_s: case.number(3, 28),
        rate_wad: if case.word(5).bit(1) { -rate } else { rate },
    };
    let moves = option.greeks()?;
    assert_eq!(option.price()?, moves.price);
    let (delta, theta, rho) = (moves.delta.into_raw(), moves.theta.into_raw(), moves.rho.into_raw());
    Ok(vec![moves.price, delta, moves.gamma, moves.vega, theta, rho])
}

fn ranks(case: &Case) -> Result<Vec<U256>, Error> {
    let (size, price) = (case.nonzero(0, 104), case.positive(1, 136));
    let rank = deleverage_rank(size, price, case.positive(2, 131), case.either(3, 131))?;
    let elapsed_s = case.below(4, U256::from(400)).to::<u64>();
    Ok(vec![rank, rank_needed(elapsed_s)])
}

/// One in sixteen has options, for each is valued in every scenario.
fn portfolios(case: &Case) -> Result<Vec<U256>, Error> {
    let price = case.number(0, 133).max(BASIS);
    let count = if case.number.is_multiple_of(16) { case.below(1, U256::from(4)).to::<u64>() } else { 0 };
    let leg = |place: u64| {
        let field = 10 + 5 * place;
        let strike = price * (case.below(field, U256::from(400)) + U256::from(25)) / U256::from(100);
        Leg {
            side: if case.word(field + 1).bit(0) { Side::Call } else { Side::Put },
            strike: strike.max(U256::ONE),
            volatility_wad: case.below(field + 2, U256::from(3) * WAD),
            duration_s: case.number(field + 3, 28),
            amount: case.either(field + 4, 104),
        }
    };
    let portfolio = Portfolio {
        price,
        future: case.either(2, 104),
        rate_wad: signed(case.below(3, WAD / U256::from(5))).unwrap(),
        legs: (0..count).map(leg).collect(),
    };
    let grid = Grid {
        price_range: case.below(4, U256::from(4_901)),
        volatility_range: case.below(5, U256::from(10_001)),
        short_basis: case.below(6, U256::from(10_001)),
    };
    Ok(vec![portfolio.margin_up(&grid)?])
}

fn digests(group: usize) -> Vec<B256> {
    let (name, compute) = GROUPS[group];
    let group = u64::try_from(group).unwrap();
    let digest = |chunk: u64| {
        (chunk * CHUNK..(chunk + 1) * CHUNK).fold(B256::ZERO, |digest, number| {
            let found = compute(&Case { group, number }).unwrap_or_else(|error| panic!("{name} {number}: {error}"));
            let words = found.iter().flat_map(U256::to_be_bytes::<32>);
            keccak256(digest.into_iter().chain(words).collect::<Vec<u8>>())
        })
    };
    (0..CASES / CHUNK).map(digest).collect()
}

fn render() -> String {
    let mut text = format!(
        "// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

/// @dev Digests of what the Rust crate `braid-risk` makes of random cases. Its test `vectors` writes this file.
library RiskVectors {{
    uint256 internal constant CASES = {CASES};
    uint256 internal constant CHUNK = {CHUNK};

    bytes private constant DIGESTS = (
"
    );
    for (group, (name, _)) in GROUPS.iter().enumerate() {
        writeln!(text, "        // {name}").unwrap();
        for digest in digests(group) {
            writeln!(text, "        hex\"{}\"", hex(&digest)).unwrap();
        }
    }
    text.push_str(
        "    );

    /// @dev Of one chunk of cases of a group.
    function digest(uint256 group, uint256 chunk) internal pure returns (bytes32 found) {
        bytes memory all = DIGESTS;
        uint256 place = 32 * (group * (CASES / CHUNK) + chunk + 1);
        assembly (\"memory-safe\") {
            found := mload(add(all, place))
        }
    }
}
",
    );
    text
}

fn hex(digest: &B256) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_committed_digests_are_those_of_this_crate() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts/test/derivatives/RiskVectors.sol");
    let text = render();
    if std::env::var_os("BRAID_WRITE_VECTORS").is_some() {
        fs::write(&path, &text).unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), text, "BRAID_WRITE_VECTORS=1 writes {}", path.display());
}
