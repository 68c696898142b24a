//! Moving the lenders' money: setting it aside, paying it out, giving back what was too much, and what lenders give up.

use braid_microloans_arithmetic::{Component, Minor};
use serde_json::json;
use sqlx::Row as _;

use super::{LoanRecord, book, event, loan, step};
use crate::{
    LedgerError, LegId, LoanId, LoanState, chain,
    journal::{self, Account, Entry, Kind, account},
    payments::{LegKind, create_leg},
    states::Machine as _,
    store::{Source, Write, stored},
};

/// Sets lenders' money aside for a loan that was accepted.
///
/// # Errors
/// If it was not accepted, there is not enough, or the database fails.
pub async fn fund(write: &mut Write, id: &LoanId) -> Result<LoanRecord, LedgerError> {
    let mut loan = loan(write, id).await?;
    step(write, &mut loan, LoanState::Funding, "FundingStarted", json!({})).await?;
    let available = account::balance(write, &Account::CapitalAvailable, loan.currency.code()).await?;
    if available < loan.principal {
        return Err(LedgerError::conflict("the lenders have not enough money that is not lent"));
    }
    let entry = Entry::new(Kind::Committed, id.as_str(), loan.local_date(write.at)?).transfer(
        Account::CapitalAvailable,
        Account::CapitalCommitted,
        loan.currency,
        loan.principal,
    );
    journal::post(write, &entry).await?;
    step(write, &mut loan, LoanState::Funded, "FundsCommitted", json!({})).await?;
    Ok(loan)
}

/// Orders the payout of a loan: the leg, what is to be sent and the entry are written together.
///
/// # Errors
/// If the loan is not funded or is held, the chain that is told of it has not heard so, the rail has not enough money, or the database fails.
pub async fn disburse(write: &mut Write, id: &LoanId, rail: &str) -> Result<LegId, LedgerError> {
    let mut loan = loan(write, id).await?;
    loan.state.to(LoanState::Disbursing)?;
    refuse_if_held(write, id).await?;
    if write.tells_chain && !chain::is_told(write, id, "funded").await? {
        return Err(LedgerError::conflict("the chain does not know yet that the key facts were accepted"));
    }
    let terms = loan.offered_terms()?;
    let offered_on = loan.offered_on.ok_or_else(|| LedgerError::conflict("nothing has been offered yet"))?;
    let received = loan.principal - terms.terms(offered_on)?.fees_on_disbursement();
    let leg = order(write, &loan, LegKind::Payout, rail, received).await?;
    let data = json!({"leg": leg.as_str(), "rail": rail});
    step(write, &mut loan, LoanState::Disbursing, "DisbursementRequested", data).await?;
    Ok(leg)
}

/// Orders that what was paid too much is given back, as far as it can be paid.
///
/// # Errors
/// If nothing was, the loan is held, the rail has not enough money, or the database fails.
pub async fn refund(write: &mut Write, id: &LoanId, rail: &str) -> Result<LegId, LedgerError> {
    let mut loan = loan(write, id).await?;
    loan.state.to(LoanState::RefundPending)?;
    refuse_if_held(write, id).await?;
    let extra = account::balance(write, &Account::Received(id.clone()), loan.currency.code()).await?;
    let amount = extra - extra % loan.payment_multiple()?;
    let leg = order(write, &loan, LegKind::Refund, rail, amount).await?;
    let data = json!({"leg": leg.as_str(), "amount": loan.currency.format(amount)});
    step(write, &mut loan, LoanState::RefundPending, "RefundRequested", data).await?;
    Ok(leg)
}

/// Takes money of a rail aside for a payment and writes down that it is to be sent.
async fn order(
    write: &mut Write,
    loan: &LoanRecord,
    kind: LegKind,
    rail: &str,
    amount: Minor,
) -> Result<LegId, LedgerError> {
    let float = Account::Float(rail.to_owned());
    if account::balance(write, &float, loan.currency.code()).await? < amount {
        return Err(LedgerError::conflict(format!("there is not enough money with {rail}")));
    }
    let leg = create_leg(write, kind, loan, rail, amount).await?;
    let posted = if kind == LegKind::Refund { Kind::RefundRequested } else { Kind::PayoutRequested };
    let entry = Entry::new(posted, leg.as_str(), loan.local_date(write.at)?);
    let entry = entry.transfer(Account::InTransit(rail.to_owned()), float, loan.currency, amount);
    journal::post(write, &entry).await?;
    Ok(leg)
}

/// Whether money must not go out: the loan is frozen or disputed.
///
/// # Errors
/// If the database fails.
pub async fn is_held(source: &mut impl Source, id: &LoanId) -> Result<bool, LedgerError> {
    let query = sqlx::query("SELECT COUNT(*) FROM hold WHERE loan = $1 AND lifted_at IS NULL").bind(id.as_str());
    Ok(query.fetch_one(source.rows()).await?.try_get::<i64, _>(0)? > 0)
}

/// Whether a hold of a loan was lifted after a moment, in milliseconds since 1970: two people have looked at it since.
///
/// # Errors
/// If the database fails.
pub async fn is_released_since(source: &mut impl Source, id: &LoanId, moment: i64) -> Result<bool, LedgerError> {
    let query =
        sqlx::query("SELECT COUNT(*) FROM hold WHERE loan = $1 AND lifted_at > $2").bind(id.as_str()).bind(moment);
    Ok(query.fetch_one(source.rows()).await?.try_get::<i64, _>(0)? > 0)
}

async fn refuse_if_held(write: &mut Write, id: &LoanId) -> Result<(), LedgerError> {
    if is_held(write, id).await? { Err(LedgerError::conflict("the loan is frozen or disputed")) } else { Ok(()) }
}

/// Freezes or unfreezes a loan. Money may come in all the same.
///
/// # Errors
/// If there is no such loan, the kind is neither `frozen` nor `disputed`, or the database fails.
pub async fn hold(write: &mut Write, id: &LoanId, kind: &str, holds: Hold) -> Result<(), LedgerError> {
    if !matches!(kind, "frozen" | "disputed") {
        return Err(LedgerError::invalid("a loan is held as frozen or as disputed"));
    }
    loan(write, id).await?;
    let query = match holds {
        Hold::Begins => {
            let sql = "INSERT INTO hold (loan, kind, since, actor) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
            sqlx::query(sql).bind(id.as_str()).bind(kind).bind(write.millis()).bind(&write.by.name)
        }
        Hold::Ends => {
            let sql = "UPDATE hold SET lifted_at = $3 WHERE loan = $1 AND kind = $2 AND lifted_at IS NULL";
            sqlx::query(sql).bind(id.as_str()).bind(kind).bind(write.millis())
        }
    };
    query.execute(&mut *write.tx).await?;
    let name = if holds == Hold::Begins { "Held" } else { "Released" };
    event(write, id, name, json!({"kind": kind})).await
}

/// Whether a hold begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Nothing goes out from now on.
    Begins,
    /// It may again.
    Ends,
}

/// Waives what has fallen due of a component.
///
/// # Errors
/// If less is due, the loan is not being repaid, or the database fails.
pub async fn waive(write: &mut Write, id: &LoanId, component: Component, amount: Minor) -> Result<(), LedgerError> {
    let loan = loan(write, id).await?;
    if !matches!(loan.state, LoanState::Active | LoanState::Restructured) {
        return Err(LedgerError::conflict("only of a loan that is being repaid something is waived"));
    }
    let today = loan.local_date(write.at)?;
    let mut machine = super::replay(write, &loan, today).await?;
    machine.waive(component, amount)?;
    let name = account::component_name(component);
    adjust(write, id, "waive", Some((name, stored(amount)?)), &today.to_string()).await?;
    let data = json!({"component": name, "amount": loan.currency.format(amount)});
    event(write, id, "PenaltyWaived", data).await?;
    book(write, id, today).await
}

/// Other terms for a loan that is being repaid.
#[derive(Clone, Debug)]
pub struct NewTerms {
    /// How many instalments from now on.
    pub instalments: u32,
    /// At which rate; none for the one before.
    pub annual_rate_percent: Option<String>,
}

/// Lets a loan go on with other terms: what is outstanding is repaid in instalments that begin one interval from today, and what has fallen due otherwise
/// falls due with the first of them. The old terms stay where they are.
///
/// # Errors
/// If the loan is not being repaid or was restructured before, the terms cannot be calculated, or the database fails.
pub async fn restructure(write: &mut Write, id: &LoanId, new: &NewTerms) -> Result<(), LedgerError> {
    let mut loan = loan(write, id).await?;
    let today = loan.local_date(write.at)?;
    let mut terms = loan.offered_terms()?.clone();
    terms.instalments = new.instalments;
    terms.first_due = terms.due_after(today)?.to_string();
    terms.principal = stored(super::replay(write, &loan, today).await?.outstanding())?;
    if let Some(rate) = &new.annual_rate_percent {
        terms.product.annual_rate_percent.clone_from(rate);
    }
    // What is asked for once was asked for when the loan began.
    terms.product.fees.retain(|fee| fee.when == "every_instalment");
    (terms.product.grace_principal, terms.product.grace_interest) = (0, 0);
    terms.terms(today)?;
    let data = json!({"instalments": terms.instalments, "annual_rate_percent": terms.product.annual_rate_percent, "first_due": terms.first_due});
    step(write, &mut loan, LoanState::Restructured, "Restructured", data).await?;
    let terms = serde_json::to_string(&terms)?;
    sqlx::query(
        "INSERT INTO adjustment (loan, seq, kind, terms, dated)
         VALUES ($1, (SELECT COALESCE(MAX(seq), 0) + 1 FROM adjustment WHERE loan = $1), 'restructure', $2, $3)",
    )
    .bind(id.as_str())
    .bind(terms)
    .bind(today.to_string())
    .execute(&mut *write.tx)
    .await?;
    book(write, id, today).await
}

/// Gives a loan up as lost. What comes in afterwards is a recovery.
///
/// # Errors
/// If the loan is not being repaid, or the database fails.
pub async fn write_off(write: &mut Write, id: &LoanId) -> Result<(), LedgerError> {
    let mut loan = loan(write, id).await?;
    let today = loan.local_date(write.at)?;
    step(write, &mut loan, LoanState::ChargedOff, "ChargedOff", json!({})).await?;
    adjust(write, id, "write_off", None, &today.to_string()).await?;
    book(write, id, today).await
}

pub(super) async fn adjust(
    write: &mut Write,
    id: &LoanId,
    kind: &str,
    part: Option<(&str, i64)>,
    dated: &str,
) -> Result<(), LedgerError> {
    sqlx::query(
        "INSERT INTO adjustment (loan, seq, kind, component, amount, dated)
         VALUES ($1, (SELECT COALESCE(MAX(seq), 0) + 1 FROM adjustment WHERE loan = $1), $2, $3, $4, $5)",
    )
    .bind(id.as_str())
    .bind(kind)
    .bind(part.map(|(name, _)| name.to_owned()))
    .bind(part.map(|(_, amount)| amount))
    .bind(dated)
    .execute(&mut *write.tx)
    .await?;
    Ok(())
}
