//! Deciding: the lender reviews and offers, the borrower reads the key facts and accepts or does not.
//!
//! An offer fixes the terms and the day of the first instalment. What the borrower accepts is the hash of the key facts
//! (SHA-256 of [`KeyFacts::canonical`]), so that nobody can say later that other terms were meant.

use braid_microloans_arithmetic::{Date, Rate, key_facts::KeyFacts};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{LoanRecord, event, in_state, loan, step};
use crate::{
    LedgerError, LoanId, LoanState, limits, product::Catalogue, rules, states::Machine as _, store::Write, time,
};

/// Takes an application up.
///
/// # Errors
/// If the loan is not waiting for it, or the database fails.
pub async fn review(write: &mut Write, id: &LoanId) -> Result<LoanRecord, LedgerError> {
    let mut loan = loan(write, id).await?;
    step(write, &mut loan, LoanState::UnderReview, "ReviewStarted", json!({})).await?;
    Ok(loan)
}

/// Refuses an application, with a reason that the borrower is told.
///
/// # Errors
/// If the loan is not under review, the reason is no text, or the database fails.
pub async fn reject(write: &mut Write, id: &LoanId, reason: &str) -> Result<LoanRecord, LedgerError> {
    LedgerError::check_text("the reason", reason)?;
    let mut loan = loan(write, id).await?;
    step(write, &mut loan, LoanState::Rejected, "Rejected", json!({"reason": reason})).await?;
    Ok(loan)
}

/// Takes an application back.
///
/// # Errors
/// If it is too late for that, or the database fails.
pub async fn withdraw(write: &mut Write, id: &LoanId) -> Result<LoanRecord, LedgerError> {
    let mut loan = loan(write, id).await?;
    step(write, &mut loan, LoanState::Withdrawn, "Withdrawn", json!({})).await?;
    Ok(loan)
}

/// Offers a loan: fixes its terms and shows their key facts.
///
/// # Errors
/// If the loan is not under review, its terms cost more than the product promises, or the database fails.
pub async fn offer(write: &mut Write, catalogue: &Catalogue, id: &LoanId) -> Result<LoanRecord, LedgerError> {
    let mut loan = loan(write, id).await?;
    loan.state.to(LoanState::Offered)?;
    let today = loan.local_date(write.at)?;
    let rules = rules::in_force(&loan.country, today)?;
    let product = catalogue.product(&loan.product)?;
    let terms = product.terms_of(&rules, loan.principal, loan.instalments, today)?;
    let facts = KeyFacts::of(&terms.terms(today)?)?;
    check_cost(&facts, &product.apr_percent_max)?;
    let hash = hash_of(&facts);
    let until = time::end_of_working_day(
        today,
        facts.offer_working_days,
        &catalogue.calendar(&rules),
        rules.utc_offset_minutes,
    )?;
    sqlx::query("UPDATE loan SET terms = $2, key_facts_hash = $3, offered_on = $4, offer_until = $5 WHERE id = $1")
        .bind(id.as_str())
        .bind(serde_json::to_string(&terms)?)
        .bind(&hash)
        .bind(today.to_string())
        .bind(until.as_millisecond())
        .execute(&mut *write.tx)
        .await?;
    let data = json!({"key_facts_hash": hash, "apr_percent": facts.apr.format(2), "until": until.to_string()});
    step(write, &mut loan, LoanState::Offered, "OfferMade", data).await?;
    super::loan(write, id).await
}

/// Whether an offer costs no more than the product promises.
fn check_cost(facts: &KeyFacts, apr_percent_max: &str) -> Result<(), LedgerError> {
    let max: Rate = apr_percent_max.parse()?;
    let apr: Rate = facts.apr.format(2).parse()?;
    if apr > max {
        let text = format!("the annual percentage rate would be {apr}, above {max} of this product");
        return Err(LedgerError::Conflict(text));
    }
    Ok(())
}

fn hash_of(facts: &KeyFacts) -> String {
    const_hex::encode(Sha256::digest(facts.canonical()))
}

/// The key facts of an offer, as they were shown, with their hash.
///
/// # Errors
/// If nothing has been offered, or what is calculated now is not what was offered.
pub fn key_facts(loan: &LoanRecord) -> Result<(KeyFacts, String), LedgerError> {
    let (Some(terms), Some(day), Some(hash)) = (&loan.terms, loan.offered_on, &loan.key_facts_hash) else {
        return Err(LedgerError::conflict("nothing has been offered yet"));
    };
    let facts = KeyFacts::of(&terms.terms(day)?)?;
    let calculated = hash_of(&facts);
    if calculated != *hash {
        return Err(LedgerError::Corrupt(format!("loan {} with other key facts than were offered", loan.id)));
    }
    Ok((facts, calculated))
}

/// How a borrower agreed.
#[derive(Clone, Debug)]
pub struct Consent {
    /// The hash of the key facts that were shown.
    pub key_facts_hash: String,
    /// In which language.
    pub language: String,
    /// Through what: `ussd`, `web`, `agent`.
    pub channel: String,
}

/// Accepts an offer.
///
/// # Errors
/// If nothing is offered, the offer no longer stands, other key facts were accepted, or the database fails.
pub async fn accept(write: &mut Write, id: &LoanId, consent: &Consent) -> Result<LoanRecord, LedgerError> {
    LedgerError::check_text("the language", &consent.language)?;
    LedgerError::check_text("the channel", &consent.channel)?;
    let mut loan = loan(write, id).await?;
    loan.state.to(LoanState::Accepted)?;
    if loan.offer_until.is_none_or(|until| write.at >= until) {
        return Err(LedgerError::conflict("this offer no longer stands"));
    }
    let (_, hash) = key_facts(&loan)?;
    if hash != consent.key_facts_hash {
        return Err(LedgerError::conflict("these are not the key facts that were offered"));
    }
    let query = sqlx::query("UPDATE loan SET accepted_at = $2 WHERE id = $1").bind(id.as_str()).bind(write.millis());
    query.execute(&mut *write.tx).await?;
    let data = json!({"key_facts_hash": hash, "language": consent.language, "channel": consent.channel});
    step(write, &mut loan, LoanState::Accepted, "KfsAccepted", data).await?;
    Ok(loan)
}

/// Refuses an offer.
///
/// # Errors
/// If nothing is offered, or the database fails.
pub async fn decline(write: &mut Write, id: &LoanId) -> Result<LoanRecord, LedgerError> {
    let mut loan = loan(write, id).await?;
    step(write, &mut loan, LoanState::Declined, "OfferDeclined", json!({})).await?;
    Ok(loan)
}

/// Ends the offers that nobody accepted in time; returns how many.
///
/// # Errors
/// If the database fails.
pub async fn expire_offers(write: &mut Write) -> Result<usize, LedgerError> {
    let (mut after, mut expired) = (String::new(), 0);
    loop {
        let loans = in_state(write, LoanState::Offered, &after, limits::MAX_ROWS).await?;
        let Some(last) = loans.last() else { return Ok(expired) };
        after = last.id.to_string();
        for mut loan in loans {
            if loan.offer_until.is_some_and(|until| write.at >= until) {
                step(write, &mut loan, LoanState::OfferExpired, "OfferExpired", json!({})).await?;
                expired += 1;
            }
        }
    }
}

/// Fixes the schedule when the money has arrived. The first instalment falls due on the day that was offered; if the payout took longer than that,
/// one interval after it.
pub(crate) async fn fix_schedule(write: &mut Write, loan: &mut LoanRecord, disbursed: Date) -> Result<(), LedgerError> {
    let offered = loan.offered_terms()?;
    let promised: Date = offered.first_due.parse()?;
    let first_due = if promised > disbursed { promised } else { offered.due_after(disbursed)? };
    sqlx::query("UPDATE loan SET disbursed_on = $2, first_due = $3 WHERE id = $1")
        .bind(loan.id.as_str())
        .bind(disbursed.to_string())
        .bind(first_due.to_string())
        .execute(&mut *write.tx)
        .await?;
    (loan.disbursed_on, loan.first_due) = (Some(disbursed), Some(first_due));
    let data = json!({"disbursed": disbursed.to_string(), "first_due": first_due.to_string()});
    event(write, &loan.id, "ScheduleFixed", data).await
}
