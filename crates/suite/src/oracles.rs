//! Another price of ether: the average of the pool that trades at once, and the owner's price where that average confirms it.

use alloy_primitives::{Address, U256};
use alloy_sol_types::{SolValue, sol};

use crate::{
    artefact::{AVERAGE_PRICE, ArtefactError, CHECKED_PRICE},
    plan::{Condition, Suite},
    tokens::Tokens,
};

sol! {
    function window() returns (uint256);
}

/// Over how long the average is, in seconds.
const WINDOW: U256 = U256::from_limbs([1_800, 0, 0, 0]);

/// What the two prices may differ by, in basis points.
const MAX_DEVIATION: U256 = U256::from_limbs([500, 0, 0, 0]);

pub(crate) fn add(suite: &mut Suite, tokens: &Tokens, pool: Address, told: Address) -> Result<(), ArtefactError> {
    let arguments = (pool, tokens.weth, WINDOW).abi_encode_params();
    let about = "average price of WETH in bUSD over half an hour, once somebody has called poke";
    let done = |average| Condition::not_zero(average, &windowCall {});
    let average = suite.contract_afterwards("Average-WETH-bUSD", about, AVERAGE_PRICE, &arguments, done)?;
    let arguments = (told, average, MAX_DEVIATION).abi_encode_params();
    let about = "the owner's price of WETH in bUSD, while the average confirms it";
    suite.contract("Checked-WETH-bUSD", about, CHECKED_PRICE, &arguments)?;
    Ok(())
}
