//! Applying: a person asks for an amount of a product.

use serde_json::json;

use super::{LoanRecord, loan, open_loans, step};
use crate::{
    LedgerError, LoanId, LoanState, PersonId,
    code::LoanCode,
    limits::{CODE_DRAWS, MAX_OPEN_LOANS},
    product::Catalogue,
    rules,
    states::Machine as _,
    store::{Write, stored},
    time, vault,
};

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Application {
    /// By whom.
    pub person: PersonId,
    /// Of which product.
    pub product: String,
    /// How much, in units of the currency.
    pub principal: String,
    /// In how many instalments.
    pub instalments: u32,
    /// What for, in the borrower's words; no names, no numbers.
    pub purpose: String,
}

/// Asks for a loan.
///
/// # Errors
/// If the product does not allow it, the person has a loan, or the database fails.
pub async fn apply(
    write: &mut Write,
    catalogue: &Catalogue,
    application: &Application,
) -> Result<LoanRecord, LedgerError> {
    LedgerError::check_text("the purpose", &application.purpose)?;
    let product = catalogue.product(&application.product)?;
    let rules = rules::of_country(&product.country)?;
    let rules = rules::in_force(&product.country, time::local_date(write.at, rules.utc_offset_minutes)?)?;
    let principal = rules.currency.parse(&application.principal)?;
    product.check_request(&rules, principal, application.instalments)?;
    if vault::country(write, &application.person).await? != product.country {
        return Err(LedgerError::invalid("this product is offered in another country"));
    }
    if open_loans(write, &application.person).await? >= MAX_OPEN_LOANS {
        return Err(LedgerError::conflict("this person has a loan that is not over"));
    }
    let (id, code) = (LoanId::random()?, unused_code(write).await?);
    sqlx::query(
        "INSERT INTO loan (id, code, person, country, currency, product, principal, instalments, purpose, state, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(id.as_str())
    .bind(code.as_str())
    .bind(application.person.as_str())
    .bind(&product.country)
    .bind(rules.currency.code())
    .bind(&product.id)
    .bind(stored(principal)?)
    .bind(i64::from(application.instalments))
    .bind(&application.purpose)
    .bind(LoanState::Draft.name())
    .bind(write.millis())
    .execute(&mut *write.tx)
    .await?;
    let mut loan = loan(write, &id).await?;
    let data = json!({"principal": application.principal, "instalments": application.instalments});
    step(write, &mut loan, LoanState::Submitted, "ApplicationSubmitted", data).await?;
    Ok(loan)
}

async fn unused_code(write: &mut Write) -> Result<LoanCode, LedgerError> {
    for _ in 0..CODE_DRAWS {
        let code = LoanCode::random()?;
        if super::by_code(write, &code).await?.is_none() {
            return Ok(code);
        }
    }
    Err(LedgerError::Limit { what: "the number of loans", limit: 31_u64.pow(7) })
}
