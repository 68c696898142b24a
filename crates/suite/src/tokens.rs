//! Money of five currencies, wrapped ether, and the registry of policies that money asks.

use alloy_primitives::{Address, B256, U256, keccak256, uint};
use alloy_sol_types::{SolValue, sol};

use crate::{
    artefact::{ArtefactError, POLICY_REGISTRY, STABLECOIN, WRAPPED_ETHER},
    plan::{Condition, Step, Suite},
};

sol! {
    function allowance(address owner, address spender) returns (uint256);
    function approve(address spender, uint256 amount) returns (bool);
    function balanceOf(address account) returns (uint256);
    function configureMinter(address minter, uint256 allowance);
    function deposit();
    function hasRole(bytes32 role, address account) returns (bool);
    function mint(address to, uint256 amount) returns (bool);
}

/// The policy that admits everybody.
pub(crate) const ADMITS_ALL: u64 = 1;

/// What a currency's supply may be, in its millionths: a million million units.
const SUPPLY_CAP: U256 = uint!(1_000_000_000_000_000_000_U256);

/// What the owner may mint of each, in millionths.
const OWNERS_ALLOWANCE: U256 = SUPPLY_CAP;

/// Dollars' worth that everybody is given of each currency.
const HANDED_OUT_USD: u64 = 100_000;

/// A currency.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Currency {
    /// ISO 4217.
    pub(crate) code: &'static str,
    name: &'static str,
    /// Units for a US dollar, rounded; for trying out, and nobody's promise.
    pub(crate) per_usd: u64,
}

/// Dollars for an ether; for trying out, and nobody's promise.
pub(crate) const USD_PER_ETHER: u64 = 3_000;

/// The currencies, the US dollar first.
pub(crate) const CURRENCIES: [Currency; 5] = [
    Currency { code: "USD", name: "US Dollar", per_usd: 1 },
    Currency { code: "KES", name: "Kenyan Shilling", per_usd: 130 },
    Currency { code: "NGN", name: "Nigerian Naira", per_usd: 1_500 },
    Currency { code: "GHS", name: "Ghanaian Cedi", per_usd: 12 },
    Currency { code: "INR", name: "Indian Rupee", per_usd: 90 },
];

/// Addresses of the tokens.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    pub(crate) money: [Address; CURRENCIES.len()],
    /// A dollar of another issuer, for a pool of two that should be worth the same.
    pub(crate) other_usd: Address,
    pub(crate) weth: Address,
    /// The registry of policies that they ask.
    pub(crate) registry: Address,
}

pub(crate) fn add(suite: &mut Suite) -> Result<Tokens, ArtefactError> {
    let registry = suite.contract("PolicyRegistry", "lists of accounts that tokens ask", POLICY_REGISTRY, &[])?;
    let weth = suite.contract("WETH", "ether as a token", WRAPPED_ETHER, &[])?;
    let mut money = [Address::ZERO; CURRENCIES.len()];
    for (Currency { code, name, .. }, address) in CURRENCIES.into_iter().zip(&mut money) {
        *address = stablecoin(suite, registry, &format!("Braid {name}"), &format!("b{code}"), code)?;
    }
    let other_usd = stablecoin(suite, registry, "Other US Dollar", "xUSD", "USD")?;
    suite.currencies = money.to_vec();
    Ok(Tokens { money, other_usd, weth, registry })
}

/// Money that the owner mints.
fn stablecoin(
    suite: &mut Suite,
    registry: Address,
    name: &str,
    symbol: &str,
    code: &str,
) -> Result<Address, ArtefactError> {
    let owner = suite.owner;
    let arguments = (name, symbol, code, registry, ADMITS_ALL, owner, SUPPLY_CAP).abi_encode_params();
    let token = suite.contract(symbol, format!("stablecoin, {name}"), STABLECOIN, &arguments)?;
    let role: B256 = keccak256("MINTER_ROLE");
    let done = Condition::not_zero(token, &hasRoleCall { role, account: owner });
    let call = configureMinterCall { minter: owner, allowance: OWNERS_ALLOWANCE };
    suite.steps.push(Step::call(format!("minter of {symbol}"), token, &call, done).wiring());
    Ok(token)
}

/// So many units of a currency, in millionths.
fn units(number: u64) -> U256 {
    U256::from(number) * uint!(1_000_000_U256)
}

/// So much of a token that the owner can have by asking: money, which it mints, or wrapped ether.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sum {
    pub(crate) token: Address,
    pub(crate) amount: U256,
    is_ether: bool,
}

impl Sum {
    /// So many units of a currency.
    pub(crate) fn money(token: Address, number: u64) -> Self {
        Self { token, amount: units(number), is_ether: false }
    }

    /// So many ether, wrapped.
    pub(crate) fn ether(weth: Address, number: u64) -> Self {
        Self { token: weth, amount: U256::from(number) * uint!(1_000_000_000_000_000_000_U256), is_ether: true }
    }

    /// So many times as much.
    pub(crate) fn times(self, number: u64) -> Self {
        Self { amount: self.amount * U256::from(number), ..self }
    }

    /// `owner` has it.
    pub(crate) fn had_by(self, owner: Address) -> Step {
        let Self { token, amount, is_ether } = self;
        let done = Condition::at_least(token, &balanceOfCall { account: owner }, amount);
        if is_ether {
            return Step::call("wrapped ether", token, &depositCall {}, done).with_value(amount);
        }
        Step::call("money", token, &mintCall { to: owner, amount }, done)
    }

    /// `spender` may take it from `owner`.
    pub(crate) fn allowed(self, owner: Address, spender: Address) -> Step {
        let Self { token, amount, .. } = self;
        let done = Condition::at_least(token, &allowanceCall { owner, spender }, amount);
        Step::call("approval", token, &approveCall { spender, amount }, done)
    }
}

/// A hundred thousand dollars' worth of every currency for `account`.
pub(crate) fn hand_out(currencies: &[Address], account: Address) -> Vec<Step> {
    let numbers = CURRENCIES.iter().map(|currency| HANDED_OUT_USD * currency.per_usd);
    currencies.iter().zip(numbers).map(|(&token, number)| Sum::money(token, number).had_by(account)).collect()
}
