//! Micro-loans: the book of loans with a pool of lenders' money for every currency, donations, and what borrowers without a coin need.
//!
//! The owner, and a teller where there is one, tells what happens to loans; the owner stops what is new; giving a loan up waits for a day. Which pools and agents there are, and all else
//! that is set, is the timelock's.

use alloy_primitives::{Address, FixedBytes, U256};
use alloy_sol_types::{SolCall, SolValue, sol};

use crate::{
    artefact::{
        ATTESTATIONS, ArtefactError, CIRCLE, DONATION_FUND, ESCROW, FIRST_LOSS, FX_HUB, JOURNAL_ANCHOR, LENDER_POOL,
        LOAN_BOOK, LOAN_SCHEDULES, PASSKEY_ACCOUNT, PASSKEY_ACCOUNTS, ROLE_GATE, SPONSORED_FORWARDER, TRANCHE, VOUCH,
    },
    plan::{Condition, Step, Suite},
    tokens::{CURRENCIES, Currency, Sum, Tokens},
};

sol! {
    struct Conditions {
        address token;
        bytes8 currency;
        uint8 minorDecimals;
        uint256 seniorRate;
        uint256 feeBasis;
        uint256 minJuniorBasis;
        uint256 cap;
        uint256 epoch;
        uint256 firstLossBasis;
        address sponsor;
    }

    struct Parts {
        uint128 principal;
        uint128 interest;
        uint128 fees;
        uint128 penalties;
    }

    struct Terms {
        bytes32 borrower;
        bytes32 product;
        bytes32 schedule;
        bytes32 keyFacts;
        bytes32 pair;
        address pool;
        bytes8 currency;
        address account;
        uint64 offerUntil;
        address payee;
        uint128 principal;
    }

    function allocate(bytes32 loan, uint64 sequence, address payer, Parts parts, uint16 next);
    function anchor(uint32 day, bytes32 root, uint64 firstEntry, uint64 lastEntry);
    function cancel(bytes32 loan, uint64 sequence, uint128 interest);
    function capital() returns (uint256);
    function chargeOff(bytes32 loan, uint64 sequence, bytes32 reason);
    function confirm(bytes32 loan, uint64 sequence, bytes32 evidence);
    function contribute(uint256 amount);
    function deposit(uint256 assets, address receiver) returns (uint256);
    function disburse(bytes32 loan, uint64 sequence);
    function forgive(bytes32 loan, uint64 sequence);
    function fund(bytes32 loan, uint64 sequence);
    function getTargetFunctionRole(address target, bytes4 selector) returns (uint64);
    function grantRole(uint64 roleId, address account, uint32 executionDelay);
    function hasRole(uint64 roleId, address account) returns (bool isMember, uint32 executionDelay);
    function isAgent(address agent) returns (bool);
    function isOpen() returns (bool);
    function isPool(address pool) returns (bool);
    function issue(bytes32 schema, bytes32 subject, bytes32 commitment, uint64 expires);
    function issue(bytes32 donation, bytes32 lock, bytes32 beneficiary, address merchant, uint256 amount, uint64 until);
    function offer(bytes32 loan, uint64 sequence, Terms terms);
    function open(uint256 amount);
    function recordAcceptance(bytes32 loan, uint64 sequence, bytes32 keyFacts, bytes2 language, uint8 channel, bytes32 evidence);
    function recordConsent(bytes32 loan, uint64 sequence, bytes32 keyFacts, uint8 channel, bytes32 evidence);
    function refreshLimits();
    function refund(bytes32 loan, uint64 sequence, address payer, uint256 amount);
    function renounceRole(uint64 roleId, address callerConfirmation);
    function repay(bytes32 loan, uint64 sequence, Parts parts, uint16 next);
    function restructure(bytes32 loan, uint64 sequence, bytes32 schedule, bytes32 keyFacts);
    function seniorLimit() returns (uint256);
    function setAgent(address agent, bool isListed);
    function setHold(bytes32 loan, uint64 sequence, bool isHeld, bytes32 reason);
    function setMerchant(address merchant, bool isListed);
    function setPool(address pool, bool isKnown);
    function setStopped(bytes32 pair, bool stop);
    function setTargetFunctionRole(address target, bytes4[] selectors, uint64 roleId);
    function step(bytes32 loan, uint64 sequence, uint8 to, bytes32 reason);
    function take(bytes32 purpose, bytes32 nullifier);
    function worth() returns (uint256);
}

/// Roles, by their numbers in `RoleGate`; administering is the first.
mod role {
    pub(super) const ADMIN: u64 = 0;
    pub(super) const ORIGINATOR: u64 = 1;
    pub(super) const GATEWAY: u64 = 2;
    pub(super) const TREASURER: u64 = 3;
    pub(super) const SERVICER: u64 = 4;
    pub(super) const CREDIT: u64 = 5;
    pub(super) const ANCHOR: u64 = 6;
    pub(super) const GUARDIAN: u64 = 7;
    pub(super) const PARAMETERS: u64 = 8;
    pub(super) const ISSUER: u64 = 9;
    pub(super) const PROGRAMME: u64 = 10;
}

/// Seconds between announcing and doing what gives a loan up.
const CREDIT_DELAY: u32 = 86_400;

/// What the owner does, and after which delay in seconds.
const OWNERS: [(u64, u32); 10] = [
    (role::ORIGINATOR, 0),
    (role::GATEWAY, 0),
    (role::TREASURER, 0),
    (role::SERVICER, 0),
    (role::CREDIT, CREDIT_DELAY),
    (role::ANCHOR, 0),
    (role::GUARDIAN, 0),
    (role::PARAMETERS, 0),
    (role::ISSUER, 0),
    (role::PROGRAMME, 0),
];

/// What somebody needs who tells what happens to loans, and when it has happened.
const TELLERS: [(u64, u32); 6] = [
    (role::ORIGINATOR, 0),
    (role::GATEWAY, 0),
    (role::TREASURER, 0),
    (role::SERVICER, 0),
    (role::CREDIT, CREDIT_DELAY),
    (role::ANCHOR, 0),
];

/// Decimals of all the currencies.
const MINOR_DECIMALS: u8 = 2;

/// What senior lenders are promised in a year: 8 %, in millionths of a percent.
const SENIOR_RATE: u64 = 8_000_000;

/// What the operator keeps of interest: a tenth, in basis points.
const FEE_BASIS: u64 = 1_000;

/// Least part of junior in what lenders have: a fifth.
const MIN_JUNIOR_BASIS: u64 = 2_000;

/// What first-loss capital has to be of what is lent: a twentieth.
const FIRST_LOSS_BASIS: u64 = 500;

/// Between redemptions, in seconds: a week.
const EPOCH: u64 = 604_800;

/// What lenders may have in a pool, in dollars' worth.
const CAP_USD: u64 = 10_000_000;

/// Dollars' worth that the owner lends, senior and junior.
const SENIOR_USD: u64 = 60_000;
const JUNIOR_USD: u64 = 20_000;

/// Dollars' worth that bears losses first.
const FIRST_LOSS_USD: u64 = 5_000;

/// What many contracts ask.
#[derive(Clone, Copy, Debug)]
struct Core {
    gate: Address,
    book: Address,
}

/// Adds the contracts, and seeds for every pool.
pub(crate) fn add(suite: &mut Suite, tokens: &Tokens, timelock: Address, teller: Address) -> Result<(), ArtefactError> {
    let owner = suite.owner;
    let about = "roles in micro-loans, and the switch that stops what is new";
    let gate = suite.contract("Loan-Roles", about, ROLE_GATE, &owner.abi_encode())?;
    let about = "exchange at signed quotes, within bounds";
    let rates = suite.contract("Loan-Exchange", about, FX_HUB, &gate.abi_encode())?;
    let about = "calls that a sponsor pays for (ERC-2771)";
    let forwarder = suite.contract("Loan-Sponsor", about, SPONSORED_FORWARDER, &gate.abi_encode())?;
    let about = "facts of micro-loans, and the money that follows them";
    let arguments = (gate, forwarder, rates).abi_encode_params();
    let book = suite.contract("Loan-Book", about, LOAN_BOOK, &arguments)?;
    let escrow = book.create(1);
    suite.made("Loan-Escrow", "money between lenders and borrowers", ESCROW, escrow);
    let core = Core { gate, book };
    let about = "daily roots of the journal";
    let journal = suite.contract("Loan-Journal", about, JOURNAL_ANCHOR, &gate.abi_encode())?;
    let about = "donated money: purpose, voucher, merchant";
    let donations = suite.contract("Donations", about, DONATION_FUND, &gate.abi_encode())?;
    let about = "what issuers say about somebody, as commitments";
    let attestations = suite.contract("Attestations", about, ATTESTATIONS, &gate.abi_encode())?;
    suite.contract("Vouching", "stakes behind somebody else's loan", VOUCH, &book.abi_encode())?;
    suite.contract("Circles", "people who save together", CIRCLE, &[])?;
    let about = "accounts whose keys are passkeys (P-256)";
    let passkeys = suite.contract("Passkey-Accounts", about, PASSKEY_ACCOUNTS, &[])?;
    suite.made("Passkey-Account", "the code that they share", PASSKEY_ACCOUNT, passkeys.create(1));
    suite.contract("Loan-Schedules", "schedules to the last minor unit", LOAN_SCHEDULES, &[])?;

    suite.steps.extend(functions(core, rates, [journal, donations, attestations]));
    suite.steps.extend(OWNERS.map(|(role, delay)| granted(gate, role, owner, delay)));
    suite.steps.push(agent("the owner pays loans out", escrow, owner));
    if teller != owner {
        suite.steps.extend(TELLERS.map(|(role, delay)| granted(gate, role, teller, delay)));
        suite.steps.push(agent("the teller pays loans out", escrow, teller));
    }
    let mut seeds = Vec::new();
    for (currency, token) in CURRENCIES.into_iter().zip(tokens.money) {
        seeds.extend(pool(suite, core, currency, token)?);
    }
    suite.steps.extend(handed_over(gate, owner, timelock));
    suite.steps.extend(seeds);
    Ok(())
}

/// Which role a function belongs to. What is left out is the administrator's.
fn functions(core: Core, rates: Address, [journal, donations, attestations]: [Address; 3]) -> Vec<Step> {
    let told_by_servicer = [
        repayCall::SELECTOR,
        allocateCall::SELECTOR,
        refundCall::SELECTOR,
        stepCall::SELECTOR,
        cancelCall::SELECTOR,
        setHoldCall::SELECTOR,
    ];
    let parts: [(Address, u64, &[[u8; 4]]); 10] = [
        (core.book, role::ORIGINATOR, &[offerCall::SELECTOR]),
        (core.book, role::GATEWAY, &[recordAcceptanceCall::SELECTOR, recordConsentCall::SELECTOR]),
        (core.book, role::TREASURER, &[fundCall::SELECTOR, disburseCall::SELECTOR, confirmCall::SELECTOR]),
        (core.book, role::SERVICER, &told_by_servicer),
        (core.book, role::CREDIT, &[restructureCall::SELECTOR, chargeOffCall::SELECTOR, forgiveCall::SELECTOR]),
        (journal, role::ANCHOR, &[anchorCall::SELECTOR]),
        (rates, role::GUARDIAN, &[setStoppedCall::SELECTOR]),
        (donations, role::PROGRAMME, &[issue_1Call::SELECTOR]),
        (donations, role::PARAMETERS, &[setMerchantCall::SELECTOR]),
        (attestations, role::ISSUER, &[issue_0Call::SELECTOR, takeCall::SELECTOR]),
    ];
    parts.map(|(target, role, selectors)| belonging(core.gate, target, role, selectors)).into()
}

fn belonging(gate: Address, target: Address, role: u64, selectors: &[[u8; 4]]) -> Step {
    let selectors: Vec<FixedBytes<4>> = selectors.iter().copied().map(FixedBytes).collect();
    let first = selectors.first().copied().unwrap_or_default();
    let question = getTargetFunctionRoleCall { target, selector: first };
    let done = Condition::at_least(gate, &question, U256::from(role));
    let call = setTargetFunctionRoleCall { target, selectors, roleId: role };
    Step::call(format!("functions of role {role}"), gate, &call, done).wiring()
}

fn granted(gate: Address, role: u64, account: Address, delay: u32) -> Step {
    let done = Condition::not_zero(gate, &hasRoleCall { roleId: role, account });
    let call = grantRoleCall { roleId: role, account, executionDelay: delay };
    Step::call(format!("role {role} in micro-loans"), gate, &call, done).wiring()
}

fn agent(about: &str, escrow: Address, agent: Address) -> Step {
    let done = Condition::not_zero(escrow, &isAgentCall { agent });
    Step::call(about, escrow, &setAgentCall { agent, isListed: true }, done).wiring()
}

/// The timelock administers, and nobody else.
fn handed_over(gate: Address, owner: Address, timelock: Address) -> [Step; 2] {
    let done = Condition::zero(gate, &hasRoleCall { roleId: role::ADMIN, account: owner });
    let call = renounceRoleCall { roleId: role::ADMIN, callerConfirmation: owner };
    let renounce = Step::call("end of the owner's rule over micro-loans", gate, &call, done).wiring();
    [granted(gate, role::ADMIN, timelock, 0), renounce]
}

/// A pool, which the book knows; returns what fills it.
fn pool(suite: &mut Suite, core: Core, currency: Currency, token: Address) -> Result<Vec<Step>, ArtefactError> {
    let (owner, code) = (suite.owner, currency.code);
    let worth = |usd: u64| Sum::money(token, usd).times(currency.per_usd);
    let conditions = Conditions {
        token,
        currency: FixedBytes::right_padding_from(code.as_bytes()),
        minorDecimals: MINOR_DECIMALS,
        seniorRate: U256::from(SENIOR_RATE),
        feeBasis: U256::from(FEE_BASIS),
        minJuniorBasis: U256::from(MIN_JUNIOR_BASIS),
        cap: worth(CAP_USD).amount,
        epoch: U256::from(EPOCH),
        firstLossBasis: U256::from(FIRST_LOSS_BASIS),
        sponsor: owner,
    };
    let name = format!("Loans-{code}");
    let arguments = (core.gate, core.book, conditions, format!("Loans {code}")).abi_encode_params();
    let pool = suite.contract(&name, format!("lenders' {code}, lent to borrowers"), LENDER_POOL, &arguments)?;
    let [senior, junior, first_loss] = [1, 2, 3].map(|nonce| pool.create(nonce));
    suite.made(format!("{name}-senior"), "shares that lose last (ERC-4626, ERC-7540)", TRANCHE, senior);
    suite.made(format!("{name}-junior"), "shares that lose before senior", TRANCHE, junior);
    suite.made(format!("{name}-first"), "capital that loses first", FIRST_LOSS, first_loss);
    let done = Condition::not_zero(core.book, &isPoolCall { pool });
    let call = setPoolCall { pool, isKnown: true };
    suite.steps.push(Step::call(format!("the book knows {name}"), core.book, &call, done).wiring());

    let done = Condition::not_zero(pool, &isOpenCall {});
    let one = worth(1);
    let open = Step::call("open", pool, &openCall { amount: one.amount }, done.clone());
    let opened = Step::all(format!("opening of {name}"), done, vec![one.had_by(owner), one.allowed(owner, pool), open]);
    let sum = worth(SENIOR_USD);
    // Within one block senior's limit does not see junior's deposit by itself.
    let limit = Condition::at_least(pool, &seniorLimitCall {}, sum.amount);
    let limits = Step::call("limits", pool, &refreshLimitsCall {}, limit);
    let lent = |tranche, sum: Sum, first| {
        let about = format!("money of {}", if tranche == senior { "senior" } else { "junior" });
        lent(&format!("{about} in {name}"), owner, tranche, sum, first)
    };
    Ok(vec![
        opened,
        lent(junior, worth(JUNIOR_USD), None),
        lent(senior, sum, Some(limits)),
        contributed(&format!("first loss of {name}"), owner, first_loss, worth(FIRST_LOSS_USD)),
    ])
}

fn lent(about: &str, owner: Address, tranche: Address, sum: Sum, first: Option<Step>) -> Step {
    let done = Condition::not_zero(tranche, &worthCall {});
    let call = depositCall { assets: sum.amount, receiver: owner };
    let deposit = Step::call("deposit", tranche, &call, done.clone());
    let rest = [sum.had_by(owner), sum.allowed(owner, tranche), deposit];
    Step::all(about, done, first.into_iter().chain(rest).collect())
}

fn contributed(about: &str, owner: Address, first_loss: Address, sum: Sum) -> Step {
    let done = Condition::not_zero(first_loss, &capitalCall {});
    let contribute = Step::call("contribute", first_loss, &contributeCall { amount: sum.amount }, done.clone());
    Step::all(about, done, vec![sum.had_by(owner), sum.allowed(owner, first_loss), contribute])
}
