//! Which facts follow from what happened to a loan.
//!
//! Where the books and the contract differ:
//! - What is kept back from a payout for fees is handed on to the pool as soon as the borrower has the rest.
//! - A payment that is booked late or taken back may move what was paid from one part to another. The chain is told sums only, so
//!   a part is told again once the books have more of it than the chain.
//! - Principal that was waived, less than can be paid as a rule, is handed on by the operator when the loan is closed: the lenders bear a loss only with
//!   a loan that is given up.
//! - Other terms ([restructuring](braid_microloans_ledger::loans::restructure)) and what comes in after a loan was given up are not told.

use alloy_primitives::{Address, B256, FixedBytes, keccak256};
use braid_microloans_arithmetic::{Component, Currency, Line, Loan, Minor, Parts};
use braid_microloans_chain::{
    Fact, Offer, Schedule,
    contracts::{Instalment, Parts as Units, state_number},
};
use braid_microloans_ledger::{
    LedgerError, Write,
    chain::Linked,
    loans::{self, LoanEvent, LoanRecord},
    payments::{self, LegKind},
    vault::Vault,
};

use super::day_number;
use crate::limits;

/// What facts are made of besides the books.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) vault: Vault,
    /// The pool whose money it is.
    pub(super) pool: Address,
    /// What a minor unit is in the pool's token.
    pub(super) unit: u128,
    /// Who pays the borrower and is reimbursed.
    pub(super) payee: Address,
    /// The time, in seconds since 1970.
    pub(super) now: i64,
}

/// A fact with its name in the books.
type Named = (&'static str, Fact);

/// The facts that follow from an event.
pub(super) async fn of_event(
    write: &mut Write,
    context: &Context,
    loan: &LoanRecord,
    linked: &mut Linked,
    event: &LoanEvent,
) -> Result<Vec<Named>, LedgerError> {
    let facts = match event.kind.as_str() {
        "OfferMade" => vec![("offered", Fact::Offered(Box::new(offer(context, loan, linked)?)))],
        "KfsAccepted" => vec![("accepted", accepted(context, loan, event)?)],
        "FundsCommitted" => vec![("funded", Fact::Funded)],
        "DisbursementRequested" => vec![("disbursing", Fact::Disbursing)],
        "DisbursementConfirmed" => disbursed(write, context, loan).await?,
        "PaymentAllocated" => {
            let target = allocated(write, loan, event.seq).await?;
            repaid(write, context, loan, linked, &target).await?
        }
        "Held" => vec![("held", Fact::Held { is_held: true, reason: reason(event) })],
        "Released" => vec![("released", Fact::Held { is_held: false, reason: reason(event) })],
        "ChargedOff" => vec![("charged_off", Fact::ChargedOff { reason: B256::ZERO })],
        _ => step(write, context, loan, linked, event).await?,
    };
    Ok(facts)
}

/// Steps of the table that move no money.
async fn step(
    write: &mut Write,
    context: &Context,
    loan: &LoanRecord,
    linked: &mut Linked,
    event: &LoanEvent,
) -> Result<Vec<Named>, LedgerError> {
    const PLAIN: [&str; 10] = [
        "offer_expired",
        "declined",
        "disbursing",
        "disbursement_unknown",
        "disbursement_failed",
        "funded",
        "closed",
        "overpaid",
        "refund_pending",
        "written_off_closed",
    ];
    let Some(to) = event.to_state.as_deref().filter(|to| PLAIN.contains(to)) else { return Ok(Vec::new()) };
    let Some(number) = state_number(to) else { return Ok(Vec::new()) };
    let mut facts = Vec::new();
    if matches!(to, "closed" | "overpaid") {
        let all = Parts { principal: loan.principal, ..linked.paid };
        facts = repaid(write, context, loan, linked, &all).await?;
    }
    facts.push(("stepped", Fact::Stepped { to: number, reason: B256::ZERO }));
    Ok(facts)
}

fn offer(context: &Context, loan: &LoanRecord, linked: &Linked) -> Result<Offer, LedgerError> {
    let missing = || LedgerError::Corrupt(format!("loan {} without what was offered", loan.id));
    let terms = loan.terms.as_ref().ok_or_else(missing)?;
    let offered_on = loan.offered_on.ok_or_else(missing)?;
    let until = loan.offer_until.ok_or_else(missing)?.as_second().max(context.now) + limits::CHAIN_OFFER_SECONDS;
    let lines = Loan::new(terms.terms(offered_on)?)?.schedule().lines;
    let instalments = (0..).zip(&lines).map(|(number, line)| instalment(context, number, line));
    let schedule = Schedule::new(&instalments.collect::<Result<Vec<_>, _>>()?).ok_or_else(missing)?;
    Ok(Offer {
        borrower: super::word(&linked.borrower)?,
        product: keccak256(serde_json::to_string(terms)?),
        schedule: schedule.root(),
        key_facts: key_facts(loan.key_facts_hash.as_deref().unwrap_or_default())?,
        pair: B256::ZERO,
        pool: context.pool,
        currency: FixedBytes::<8>::right_padding_from(loan.currency.code().as_bytes()).0,
        account: Address::ZERO,
        until: u64::try_from(until).map_err(|_| missing())?,
        payee: context.payee,
        principal: context.units(loan.principal)?,
    })
}

fn instalment(context: &Context, number: u16, line: &Line) -> Result<Instalment, LedgerError> {
    Ok(Instalment {
        number,
        due: day_number(line.due)?,
        principal: context.units(line.parts.principal)?,
        interest: context.units(line.parts.interest)?,
        fees: context.units(line.parts.fees)?,
    })
}

fn key_facts(hash: &str) -> Result<B256, LedgerError> {
    hash.parse().map_err(|_| LedgerError::Corrupt("a hash of key facts".to_owned()))
}

fn text<'a>(event: &'a LoanEvent, name: &str) -> &'a str {
    event.data.get(name).and_then(|value| value.as_str()).unwrap_or_default()
}

fn accepted(context: &Context, loan: &LoanRecord, event: &LoanEvent) -> Result<Fact, LedgerError> {
    let language = text(event, "language").as_bytes();
    let channel = match text(event, "channel") {
        "ussd" => 1,
        "web" => 2,
        "agent" => 3,
        _ => 9,
    };
    let evidence = format!("{} {} {}", loan.id, event.at, event.actor);
    Ok(Fact::Accepted {
        key_facts: key_facts(text(event, "key_facts_hash"))?,
        language: [0, 1].map(|at| language.get(at).copied().unwrap_or_default()),
        channel,
        evidence: context.keyed("consent on the chain", &evidence)?,
    })
}

async fn disbursed(write: &mut Write, context: &Context, loan: &LoanRecord) -> Result<Vec<Named>, LedgerError> {
    let legs = payments::legs_of(write, &loan.id).await?;
    let receipt = legs.iter().rev().find(|leg| leg.kind == LegKind::Payout).and_then(|leg| leg.receipt.clone());
    let evidence = context.keyed("payout on the chain", &format!("{} {}", loan.id, receipt.unwrap_or_default()))?;
    let mut facts = vec![("disbursed", Fact::Disbursed { evidence })];
    let (Some(terms), Some(day)) = (&loan.terms, loan.disbursed_on.or(loan.offered_on)) else { return Ok(facts) };
    let fees = context.units(terms.terms(day)?.fees_on_disbursement())?;
    if fees > 0 {
        let parts = Units { principal: 0, interest: 0, fees, penalties: 0 };
        facts.push(("fee", Fact::Repaid { parts, next_instalment: 0 }));
    }
    Ok(facts)
}

/// What the books say was paid, up to an event.
async fn allocated(write: &mut Write, loan: &LoanRecord, until: i64) -> Result<Parts, LedgerError> {
    let mut sum = Parts::default();
    for event in loans::events(write, &loan.id).await? {
        if event.kind != "PaymentAllocated" || event.seq > until {
            continue;
        }
        let names = [
            (Component::Principal, "principal"),
            (Component::Interest, "interest"),
            (Component::Fees, "fees"),
            (Component::Penalties, "penalties"),
        ];
        for (component, name) in names {
            *sum.get_mut(component) += signed(loan.currency, text(&event, name))?;
        }
    }
    Ok(sum)
}

/// An amount that may be less than nothing.
fn signed(currency: Currency, text: &str) -> Result<Minor, LedgerError> {
    Ok(match text.strip_prefix('-') {
        Some(amount) => -currency.parse(amount)?,
        None => currency.parse(text)?,
    })
}

/// Tells how much more was paid than the chain knows.
async fn repaid(
    write: &mut Write,
    context: &Context,
    loan: &LoanRecord,
    linked: &mut Linked,
    target: &Parts,
) -> Result<Vec<Named>, LedgerError> {
    let more = more_than(&linked.paid, target);
    if more == Parts::default() {
        return Ok(Vec::new());
    }
    linked.paid = linked.paid.plus(&more);
    let parts = Units {
        principal: context.units(more.principal)?,
        interest: context.units(more.interest)?,
        fees: context.units(more.fees)?,
        penalties: context.units(more.penalties)?,
    };
    let next_instalment = paid_instalments(write, loan).await?;
    Ok(vec![("repaid", Fact::Repaid { parts, next_instalment })])
}

/// What is to be told so that the sum is right and no part is more than the books say: where the chain has too much of a part, less is told of the others.
fn more_than(told: &Parts, target: &Parts) -> Parts {
    let mut more = Parts::default();
    let mut ahead = 0;
    for component in Component::ALL {
        let difference = target.get(component) - told.get(component);
        *more.get_mut(component) = difference.max(0);
        ahead += (-difference).max(0);
    }
    for component in Component::ALL.into_iter().rev() {
        let part = more.get_mut(component);
        let less = ahead.min(*part);
        *part -= less;
        ahead -= less;
    }
    more
}

/// How many instalments are paid, from the first on.
async fn paid_instalments(write: &mut Write, loan: &LoanRecord) -> Result<u16, LedgerError> {
    let today = loan.local_date(write.at)?;
    let replayed = loans::replay(write, loan, today).await?;
    let paid = replayed.instalments().iter().take_while(|instalment| instalment.unpaid().total() == 0).count();
    Ok(u16::try_from(paid).unwrap_or(u16::MAX))
}

/// A word in ASCII, as far as it fits.
fn reason(event: &LoanEvent) -> B256 {
    let word: Vec<u8> = text(event, "kind").bytes().take(32).collect();
    B256::right_padding_from(&word)
}

impl Context {
    /// Minor units as the pool's token counts them.
    fn units(&self, minor: Minor) -> Result<u128, LedgerError> {
        let units = u128::try_from(minor).ok().and_then(|minor| minor.checked_mul(self.unit));
        units.ok_or_else(|| LedgerError::Corrupt(format!("{minor} minor units for the chain")))
    }

    /// A hash that says nothing without the key.
    fn keyed(&self, kind: &str, value: &str) -> Result<B256, LedgerError> {
        let hash = self.vault.blind(kind, value.as_bytes());
        hash.parse().map_err(|_| LedgerError::Corrupt("a keyed hash".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(principal: Minor, interest: Minor, fees: Minor, penalties: Minor) -> Parts {
        Parts { principal, interest, fees, penalties }
    }

    #[test]
    fn what_is_told_sums_up_to_what_was_paid() {
        let told = parts(100, 10, 5, 0);
        assert_eq!(more_than(&told, &parts(150, 15, 5, 2)), parts(50, 5, 0, 2));
        // Three of interest turned out to be principal: the chain keeps what it has, and is told the rest.
        assert_eq!(more_than(&told, &parts(120, 7, 5, 0)), parts(17, 0, 0, 0));
        assert_eq!(more_than(&told, &parts(90, 10, 5, 0)), parts(0, 0, 0, 0), "a payment was taken back");
        for target in [parts(120, 7, 5, 0), parts(100, 30, 0, 1), parts(300, 0, 0, 0)] {
            let sum = told.plus(&more_than(&told, &target)).total();
            assert_eq!(sum, target.total().max(told.total()));
        }
    }
}
