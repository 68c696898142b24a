//! What the service tells about a loan. Amounts are in the smallest units of the pool's token.
//!
//! Hashes of documents are told, and of evidence only keyed ones: a plain hash of something that few values are possible of, such as a
//! telephone number, can be turned back.

use alloy_primitives::{Address, B256, Bytes, FixedBytes, U256};
use alloy_sol_types::SolCall as _;

use crate::contracts::{LoanBook, Parts, Terms};

/// A loan on chain: 256 random bits, which say nothing.
pub type LoanId = B256;

/// The number of a fact of one loan, from 1 on.
pub type Sequence = u64;

/// What an offer fixes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// A random word for the borrower, another one for every loan.
    pub borrower: B256,
    /// Hash of the product's terms.
    pub product: B256,
    /// Root over the instalments ([`crate::Schedule`]).
    pub schedule: B256,
    /// Hash of the key facts.
    pub key_facts: B256,
    /// Exchange rate that the loan depends on; zero for none.
    pub pair: B256,
    /// Whose money it is.
    pub pool: Address,
    /// Code of the currency, in ASCII, padded with zeros.
    pub currency: [u8; 8],
    /// The borrower's wallet; zero for who has none.
    pub account: Address,
    /// Last second in which it can be accepted, since 1970.
    pub until: u64,
    /// Who gets the money: the wallet, or the account that pays it out.
    pub payee: Address,
    /// What is lent.
    pub principal: u128,
}

/// Something that has happened to a loan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// It was offered.
    Offered(Box<Offer>),
    /// A borrower without a wallet has accepted the key facts.
    Accepted {
        /// Their hash.
        key_facts: B256,
        /// Language in which they were shown, ISO 639-1.
        language: [u8; 2],
        /// How, as the service numbers it; not 0.
        channel: u8,
        /// Keyed hash of what the service has to show for it.
        evidence: B256,
    },
    /// A borrower without a wallet has agreed to other key facts.
    Consented {
        /// Their hash.
        key_facts: B256,
        /// How.
        channel: u8,
        /// Keyed hash of what the service has to show for it.
        evidence: B256,
    },
    /// Lenders' money is to be set aside.
    Funded,
    /// The payout begins.
    Disbursing,
    /// The borrower has the money.
    Disbursed {
        /// Keyed hash of the provider's receipt.
        evidence: B256,
    },
    /// The borrower has paid; the sender hands the money on.
    Repaid {
        /// What it was for.
        parts: Parts,
        /// The first instalment that is not paid now, from 0.
        next_instalment: u16,
    },
    /// Money that was paid in on chain was for this.
    Allocated {
        /// Who paid it in.
        payer: Address,
        /// What it was for.
        parts: Parts,
        /// The first instalment that is not paid now, from 0.
        next_instalment: u16,
    },
    /// Money that was paid in on chain goes back.
    Refunded {
        /// Who paid it in.
        payer: Address,
        /// How much.
        amount: U256,
    },
    /// A step that moves no money.
    Stepped {
        /// The state's number ([`crate::contracts::state_number`]).
        to: u8,
        /// A word in ASCII.
        reason: B256,
    },
    /// Everything was given back within the days for that; the sender hands it on.
    Cancelled {
        /// Interest for those days.
        interest: u128,
    },
    /// Other terms hold.
    Restructured {
        /// Root over the new instalments.
        schedule: B256,
        /// Hash of the new key facts.
        key_facts: B256,
    },
    /// It was given up.
    ChargedOff {
        /// A word in ASCII.
        reason: B256,
    },
    /// A donor, the sender, pays the rest of the principal.
    Forgiven,
    /// It is frozen, or no more.
    Held {
        /// Whether.
        is_held: bool,
        /// A word in ASCII.
        reason: B256,
    },
}

impl Fact {
    /// The call that tells it.
    #[must_use]
    pub fn call(&self, loan: LoanId, sequence: Sequence) -> Bytes {
        let data = match self.clone() {
            Self::Offered(offer) => LoanBook::offerCall { loan, sequence, terms: (*offer).into() }.abi_encode(),
            Self::Accepted { key_facts, language, channel, evidence } => LoanBook::recordAcceptanceCall {
                loan,
                sequence,
                keyFacts: key_facts,
                language: FixedBytes(language),
                channel,
                evidence,
            }
            .abi_encode(),
            Self::Consented { key_facts, channel, evidence } => {
                LoanBook::recordConsentCall { loan, sequence, keyFacts: key_facts, channel, evidence }.abi_encode()
            }
            Self::Funded => LoanBook::fundCall { loan, sequence }.abi_encode(),
            Self::Disbursing => LoanBook::disburseCall { loan, sequence }.abi_encode(),
            Self::Disbursed { evidence } => LoanBook::confirmCall { loan, sequence, evidence }.abi_encode(),
            Self::Repaid { parts, next_instalment: next } => {
                LoanBook::repayCall { loan, sequence, parts, next }.abi_encode()
            }
            Self::Allocated { payer, parts, next_instalment: next } => {
                LoanBook::allocateCall { loan, sequence, payer, parts, next }.abi_encode()
            }
            Self::Refunded { payer, amount } => LoanBook::refundCall { loan, sequence, payer, amount }.abi_encode(),
            Self::Stepped { to, reason } => LoanBook::stepCall { loan, sequence, to, reason }.abi_encode(),
            Self::Cancelled { interest } => LoanBook::cancelCall { loan, sequence, interest }.abi_encode(),
            Self::Restructured { schedule, key_facts } => {
                LoanBook::restructureCall { loan, sequence, schedule, keyFacts: key_facts }.abi_encode()
            }
            Self::ChargedOff { reason } => LoanBook::chargeOffCall { loan, sequence, reason }.abi_encode(),
            Self::Forgiven => LoanBook::forgiveCall { loan, sequence }.abi_encode(),
            Self::Held { is_held, reason } => {
                LoanBook::setHoldCall { loan, sequence, isHeld: is_held, reason }.abi_encode()
            }
        };
        data.into()
    }
}

impl From<Offer> for Terms {
    fn from(offer: Offer) -> Self {
        Self {
            borrower: offer.borrower,
            product: offer.product,
            schedule: offer.schedule,
            keyFacts: offer.key_facts,
            pair: offer.pair,
            pool: offer.pool,
            currency: FixedBytes(offer.currency),
            account: offer.account,
            offerUntil: offer.until,
            payee: offer.payee,
            principal: offer.principal,
        }
    }
}
