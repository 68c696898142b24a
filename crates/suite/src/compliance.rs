//! Regulated assets. Of a share, who may hold it is registered; of a bond, who is registered and whose identity holds what a trusted issuer claims of it.
//! How much of either is held in a country is limited, and whoever takes it from somebody has to go through the timelock.

use alloy_primitives::{Address, B256, Bytes, Signature, U256, eip191_hash_message, keccak256, uint};
use alloy_sol_types::{SolValue, sol};

use crate::{
    artefact::{
        ArtefactError, CLAIM_ISSUER, CLAIM_TOPICS_REGISTRY, CLAIMED_IDENTITY_REGISTRY, COUNTRY_LIMITS, IDENTITY,
        IDENTITY_REGISTRY, REGULATED_TOKEN, TRUSTED_ISSUERS_REGISTRY,
    },
    plan::{Condition, Registry, Step, Suite},
    tokens::{ADMITS_ALL, Tokens},
};

sol! {
    function addClaim(uint256 topic, uint256 scheme, address issuer, bytes signature, bytes data, string uri)
        returns (bytes32 claimId);
    function addClaimTopic(uint256 topic);
    function addKey(bytes32 key, uint256 purpose, uint256 keyType) returns (bool);
    function addTrustedIssuer(address issuer, uint256[] topics);
    function bindToken(address token);
    function contains(address investor) returns (bool);
    function getClaim(bytes32 claimId);
    function getClaimTopics() returns (uint256[]);
    function isTrustedIssuer(address issuer) returns (bool);
    function keyHasPurpose(bytes32 key, uint256 purpose) returns (bool);
    function limits(uint16 country) returns (bool set, uint128 amount, uint64 holders);
    function mint(address to, uint256 amount);
    function registerIdentity(address investor, address identity, uint16 country);
    function setLimit(uint16 country, uint128 amount, uint64 holders);
    function token() returns (address);
    function totalSupply() returns (uint256);
}

/// Where accounts for trying out are registered: Kenya, by ISO 3166.
const COUNTRY: u16 = 404;

/// One share, or one bond.
const SHARE: u128 = 1_000_000_000_000_000_000;

/// What may be held there.
const COUNTRY_CAP: u128 = 1_000_000 * SHARE;

/// How many accounts may hold it there: more than a development chain has.
const COUNTRY_HOLDERS: u64 = 10_000;

/// What the owner has of it.
const ISSUED: U256 = uint!(100_000_000_000_000_000_000_000_U256);

/// What has to be claimed of who holds the bond: that it is known who it is.
const KNOWN: U256 = U256::ONE;

/// Purpose of a key that signs claims (ERC-734).
const SIGNS_CLAIMS: U256 = U256::from_limbs([3, 0, 0, 0]);

/// Kind of a key, and of a signature: ECDSA.
const ECDSA: U256 = U256::ONE;

pub(crate) fn add(suite: &mut Suite, tokens: &Tokens, timelock: Address) -> Result<(), ArtefactError> {
    let owner = suite.owner;
    let about = "who is known, and from where";
    let identities = suite.contract("IdentityRegistry", about, IDENTITY_REGISTRY, &owner.abi_encode())?;
    let registry = Registry { address: identities, identity: None };
    suite.steps.push(registry.registered(owner));
    let asset = Asset { symbol: "bSHARE", name: "Braid Share", limits: "CountryLimits", registry, timelock };
    asset.add(suite, tokens, "regulated asset: investors of the registry hold it")?;

    let registry = claims(suite)?;
    let asset = Asset { symbol: "bBOND", name: "Braid Bond", limits: "CountryLimits-bBOND", registry, timelock };
    asset.add(suite, tokens, "regulated asset: investors with a claim of a trusted issuer hold it")
}

/// A regulated token.
#[derive(Clone, Copy, Debug)]
struct Asset {
    symbol: &'static str,
    name: &'static str,
    /// What its compliance contract is called.
    limits: &'static str,
    registry: Registry,
    timelock: Address,
}

impl Asset {
    /// Adds it with its limits. The owner, who has been registered, has some of it.
    fn add(self, suite: &mut Suite, tokens: &Tokens, about: &str) -> Result<(), ArtefactError> {
        let Self { symbol, name, limits, registry, timelock } = self;
        let (owner, identities) = (suite.owner, registry.address);
        let arguments = (identities, owner).abi_encode_params();
        let limits = suite.contract(limits, "amounts and holders by country", COUNTRY_LIMITS, &arguments)?;
        let arguments =
            (name.to_owned(), symbol.to_owned(), tokens.registry, ADMITS_ALL, owner, timelock, identities, limits);
        let token = suite.contract(symbol, about, REGULATED_TOKEN, &arguments.abi_encode_params())?;
        let done = Condition::not_zero(limits, &tokenCall {});
        suite.steps.push(Step::call(format!("limits of {symbol}"), limits, &bindTokenCall { token }, done).wiring());

        let done = Condition::not_zero(limits, &limitsCall { country: COUNTRY });
        let limit = setLimitCall { country: COUNTRY, amount: COUNTRY_CAP, holders: COUNTRY_HOLDERS };
        suite.steps.push(Step::call(format!("a country's limit of {symbol}"), limits, &limit, done));
        let done = Condition::not_zero(token, &totalSupplyCall {});
        let mint = mintCall { to: owner, amount: ISSUED };
        suite.steps.push(Step::call(format!("issue of {symbol}"), token, &mint, done));
        suite.registries.push(registry);
        Ok(())
    }
}

/// A registry that checks claims, an issuer that it trusts, and the identity of everybody for trying out, of whom the issuer claims that he is known.
fn claims(suite: &mut Suite) -> Result<Registry, ArtefactError> {
    let owner = suite.owner;
    let arguments = owner.abi_encode();
    let topics = suite.contract("ClaimTopics", "what has to be claimed", CLAIM_TOPICS_REGISTRY, &arguments)?;
    let issuers = suite.contract("TrustedIssuers", "whose claims count", TRUSTED_ISSUERS_REGISTRY, &arguments)?;
    let issuer = suite.contract("ClaimIssuer", "makes claims of identities", CLAIM_ISSUER, &arguments)?;
    let identity =
        suite.contract("Identity", "of accounts for trying out, and what is claimed of them", IDENTITY, &arguments)?;
    let arguments = (owner, topics, issuers).abi_encode_params();
    let about = "who is known, from where, and whose claims stand";
    let address = suite.contract("ClaimedIdentityRegistry", about, CLAIMED_IDENTITY_REGISTRY, &arguments)?;

    let done = Condition::not_zero(topics, &getClaimTopicsCall {}).of_word(1);
    suite.steps.push(Step::call("topic of claims", topics, &addClaimTopicCall { topic: KNOWN }, done).wiring());
    let done = Condition::not_zero(issuers, &isTrustedIssuerCall { issuer });
    let trust = addTrustedIssuerCall { issuer, topics: vec![KNOWN] };
    suite.steps.push(Step::call("trusted issuer of claims", issuers, &trust, done).wiring());
    suite.steps.push(claimed(issuer, identity));
    let registry = Registry { address, identity: Some(identity) };
    suite.steps.push(registry.registered(owner));
    Ok(registry)
}

/// The issuer claims of the identity that it is known.
fn claimed(issuer: Address, identity: Address) -> Step {
    let data = Bytes::from(keccak256("whoever tries things out").0);
    let (signature, signer) = signed_by_nobody(&(identity, KNOWN, data.clone()).abi_encode_params());
    let key = keccak256(signer.abi_encode());
    let done = Condition::not_zero(issuer, &keyHasPurposeCall { key, purpose: SIGNS_CLAIMS });
    let key = Step::call("key", issuer, &addKeyCall { key, purpose: SIGNS_CLAIMS, keyType: ECDSA }, done);
    let claim_id = keccak256((issuer, KNOWN).abi_encode());
    // The third word of a claim is its issuer.
    let done = Condition::not_zero(identity, &getClaimCall { claimId: claim_id }).of_word(2);
    let call = addClaimCall { topic: KNOWN, scheme: ECDSA, issuer, signature, data, uri: String::new() };
    let claim = Step::call("claim", identity, &call, done.clone());
    Step::all("claim that accounts for trying out are known", done, vec![key, claim])
}

/// A signature of a claim, and the account whose key would have made it. It is drawn rather than made: nobody has the key, so it signs
/// this claim and no other, and no secret has to be in a plan that everybody reads.
fn signed_by_nobody(claim: &[u8]) -> (Bytes, Address) {
    let hash = eip191_hash_message(keccak256(claim));
    // Not every number is a point's of the curve, but every second one.
    let mut number = B256::ZERO;
    loop {
        number = keccak256(number);
        // Shifted, `s` is in the lower half of its range, where alone it counts.
        let signature = Signature::new(number.into(), U256::from_be_bytes(keccak256(number.0).0) >> 2, false);
        if let Ok(signer) = signature.recover_address_from_prehash(&hash) {
            return (signature.as_bytes().into(), signer);
        }
    }
}

impl Registry {
    /// An account is an investor's, who is known by it or has the registry's identity.
    pub(crate) fn registered(self, account: Address) -> Step {
        let Self { address, identity } = self;
        let done = Condition::not_zero(address, &containsCall { investor: account });
        let identity = identity.unwrap_or(account);
        let call = registerIdentityCall { investor: account, identity, country: COUNTRY };
        Step::call("registration of an investor", address, &call, done)
    }
}
