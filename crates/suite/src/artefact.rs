//! What the sources in `contracts/src` compile to, as it is committed in `contracts/artefacts`.

use alloy_primitives::{Bytes, hex};
use serde::Deserialize;
use serde_json::value::RawValue;

/// A compiled contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Artefact {
    /// The contract's name in its source.
    pub name: &'static str,
    json: &'static str,
}

/// An artefact is not what `contracts/tools/artefacts.mjs` writes.
#[derive(Debug, thiserror::Error)]
#[error("the artefact of {name} is malformed: {reason}")]
pub struct ArtefactError {
    /// The contract.
    name: &'static str,
    /// What is wrong.
    reason: String,
}

/// The file, as far as it is read.
#[derive(Debug, Deserialize)]
struct File<'a> {
    source: &'a str,
    #[serde(borrow)]
    abi: &'a RawValue,
    bytecode: &'a str,
}

macro_rules! artefacts {
    ($($constant:ident = $name:literal;)*) => {
        $(
            #[doc = concat!("`", $name, "`.")]
            pub const $constant: Artefact = Artefact {
                name: $name,
                json: include_str!(concat!("../../../contracts/artefacts/", $name, ".json")),
            };
        )*

        /// All of them.
        pub const ALL: &[Artefact] = &[$($constant),*];
    };
}

artefacts! {
    ATTESTATIONS = "Attestations";
    AVERAGE_PRICE = "AveragePrice";
    BATCH_POOL = "BatchPool";
    BIN_FACTORY = "BinFactory";
    BOOSTED_STAKING = "BoostedStaking";
    CHECKED_PRICE = "CheckedPrice";
    CIRCLE = "Circle";
    CLAIM_ISSUER = "ClaimIssuer";
    CLAIM_TOPICS_REGISTRY = "ClaimTopicsRegistry";
    CLAIMED_IDENTITY_REGISTRY = "ClaimedIdentityRegistry";
    COMPOUNDING_VAULT = "CompoundingVault";
    CONCENTRATED_POOL = "ConcentratedPool";
    CONSTANT_PRODUCT_POOL = "ConstantProductPool";
    COUNTRY_LIMITS = "CountryLimits";
    CURATED_VAULT = "CuratedVault";
    CURVE_FACTORY = "CurveFactory";
    DAO_GOVERNOR = "DaoGovernor";
    DAO_TIMELOCK = "DaoTimelock";
    DONATION_FUND = "DonationFund";
    ESCROW = "Escrow";
    EUROPEAN_OPTIONS = "EuropeanOptions";
    FIRST_LOSS = "FirstLoss";
    FX_HUB = "FxHub";
    HOOK_FACTORY = "HookFactory";
    IDENTITY = "Identity";
    IDENTITY_REGISTRY = "IdentityRegistry";
    JOURNAL_ANCHOR = "JournalAnchor";
    KINKED_RATE = "KinkedRate";
    LENDER_POOL = "LenderPool";
    LENDING_MARKET = "LendingMarket";
    LOAN_BOOK = "LoanBook";
    LOAN_SCHEDULES = "LoanSchedules";
    ORDERS = "Orders";
    PASSKEY_ACCOUNT = "PasskeyAccount";
    PASSKEY_ACCOUNTS = "PasskeyAccounts";
    PERPETUAL_EXCHANGE = "PerpetualExchange";
    PERPETUAL_ORDERS = "PerpetualOrders";
    POLICY_REGISTRY = "PolicyRegistry";
    POOL_FACTORY = "PoolFactory";
    PORTFOLIO_MARGIN = "PortfolioMargin";
    PRICE_FEED = "PriceFeed";
    REGULATED_TOKEN = "RegulatedToken";
    ROLE_GATE = "RoleGate";
    ROUTER = "Router";
    SHARDED_POOL = "ShardedPool";
    SHARD_POOL = "ShardPool";
    SIGNATURE_TRANSFER = "SignatureTransfer";
    SIGNED_TRADES = "SignedTrades";
    SPONSORED_FORWARDER = "SponsoredForwarder";
    STABLECOIN = "Stablecoin";
    STABLE_POOL = "StablePool";
    STAKING_POOL = "StakingPool";
    TRANCHE = "Tranche";
    TREASURY = "Treasury";
    TRUSTED_ISSUERS_REGISTRY = "TrustedIssuersRegistry";
    VAULT = "Vault";
    VESTING = "Vesting";
    VOTING_STAKE = "VotingStake";
    VOUCH = "Vouch";
    WEIGHTED_FACTORY = "WeightedFactory";
    WEIGHTED_POOL = "WeightedPool";
    WIDE_ROUTER = "WideRouter";
    WRAPPED_ETHER = "WrappedEther";
}

impl Artefact {
    /// The creation code, without constructor arguments.
    ///
    /// # Errors
    /// If the artefact is malformed.
    pub fn code(self) -> Result<Bytes, ArtefactError> {
        let code = hex::decode(self.file()?.bytecode).map_err(|error| self.malformed(&error))?;
        Ok(code.into())
    }

    /// The interface: a JSON list in the form that every tool reads.
    ///
    /// # Errors
    /// If the artefact is malformed.
    pub fn abi(self) -> Result<&'static RawValue, ArtefactError> {
        Ok(self.file()?.abi)
    }

    /// The source file, below `contracts`.
    ///
    /// # Errors
    /// If the artefact is malformed.
    pub fn source(self) -> Result<&'static str, ArtefactError> {
        Ok(self.file()?.source)
    }

    fn file(self) -> Result<File<'static>, ArtefactError> {
        serde_json::from_str(self.json).map_err(|error| self.malformed(&error))
    }

    fn malformed(self, error: &dyn std::error::Error) -> ArtefactError {
        ArtefactError { name: self.name, reason: error.to_string() }
    }
}
