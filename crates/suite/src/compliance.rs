//! A regulated asset: who may hold it is registered, how much of it is held in a country is limited, and whoever takes it from somebody
//! has to go through the timelock.

use alloy_primitives::{Address, U256, uint};
use alloy_sol_types::{SolValue, sol};

use crate::{
    artefact::{ArtefactError, COUNTRY_LIMITS, IDENTITY_REGISTRY, REGULATED_TOKEN},
    plan::{Condition, Step, Suite},
    tokens::{ADMITS_ALL, Tokens},
};

sol! {
    function bindToken(address token);
    function isVerified(address investor) returns (bool);
    function limits(uint16 country) returns (bool set, uint128 amount, uint64 holders);
    function mint(address to, uint256 amount);
    function registerIdentity(address investor, address identity, uint16 country);
    function setLimit(uint16 country, uint128 amount, uint64 holders);
    function token() returns (address);
    function totalSupply() returns (uint256);
}

/// Where accounts for trying out are registered: Kenya, by ISO 3166.
const COUNTRY: u16 = 404;

/// One share.
const SHARE: u128 = 1_000_000_000_000_000_000;

/// What may be held there.
const COUNTRY_CAP: u128 = 1_000_000 * SHARE;

/// How many accounts may hold it there: more than a development chain has.
const COUNTRY_HOLDERS: u64 = 10_000;

/// What the owner has of it.
const ISSUED: U256 = uint!(100_000_000_000_000_000_000_000_U256);

pub(crate) fn add(suite: &mut Suite, tokens: &Tokens, timelock: Address) -> Result<(), ArtefactError> {
    let owner = suite.owner;
    let about = "who is known, and from where";
    let identities = suite.contract("IdentityRegistry", about, IDENTITY_REGISTRY, &owner.abi_encode())?;
    let arguments = (identities, owner).abi_encode_params();
    let limits = suite.contract("CountryLimits", "amounts and holders by country", COUNTRY_LIMITS, &arguments)?;
    let (name, symbol) = ("Braid Share".to_owned(), "bSHARE".to_owned());
    let arguments = (name, symbol, tokens.registry, ADMITS_ALL, owner, timelock, identities, limits);
    let about = "regulated asset: investors of the registry hold it";
    let token = suite.contract("bSHARE", about, REGULATED_TOKEN, &arguments.abi_encode_params())?;
    let done = Condition::not_zero(limits, &tokenCall {});
    suite.steps.push(Step::call("limits of bSHARE", limits, &bindTokenCall { token }, done).wiring());

    let done = Condition::not_zero(limits, &limitsCall { country: COUNTRY });
    let limit = setLimitCall { country: COUNTRY, amount: COUNTRY_CAP, holders: COUNTRY_HOLDERS };
    suite.steps.push(Step::call("a country's limit of bSHARE", limits, &limit, done));
    suite.steps.push(registered(identities, owner));
    let done = Condition::not_zero(token, &totalSupplyCall {});
    suite.steps.push(Step::call("issue of bSHARE", token, &mintCall { to: owner, amount: ISSUED }, done));
    suite.identities = identities;
    Ok(())
}

/// An account is an investor's, who is known by it.
pub(crate) fn registered(identities: Address, account: Address) -> Step {
    let done = Condition::not_zero(identities, &isVerifiedCall { investor: account });
    let call = registerIdentityCall { investor: account, identity: account, country: COUNTRY };
    Step::call("registration of an investor", identities, &call, done)
}
