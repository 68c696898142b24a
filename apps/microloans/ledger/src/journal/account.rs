//! The accounts. A name says whose it is; the same name exists once for each currency.

use std::fmt;

use braid_microloans_arithmetic::{Component, Minor};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    LedgerError, LoanId,
    store::{Columns as _, Source, Write},
};

/// An account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Account {
    /// Money that stands with a provider of mobile money.
    Float(String),
    /// Money that the provider was asked to pay out, as long as it is not known to have arrived.
    InTransit(String),
    /// Money that came in and belongs to no loan that is known.
    Suspense(String),
    /// Money that left although the provider had said that it did not.
    Contradicted(String),
    /// What lenders have given and nobody has borrowed.
    CapitalAvailable,
    /// What is set aside for loans that were accepted.
    CapitalCommitted,
    /// What borrowers have.
    CapitalLent,
    /// What borrowers had and was given up.
    CapitalLost,
    /// What a borrower owes.
    Owed(LoanId, Component),
    /// What a borrower has paid and does not owe.
    Received(LoanId),
    /// What was earned.
    Income(Component),
    /// What was charged and then waived.
    Waived,
    /// What was charged and then given up.
    Losses,
    /// What came in of it afterwards.
    Recovered,
    /// What providers of mobile money charged.
    Charges,
}

/// What an account is, in a balance sheet or an income statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Ours; grows with debits.
    Asset,
    /// Somebody else's; grows with credits.
    Liability,
    /// Earned; grows with credits.
    Income,
    /// Spent or lost; grows with debits.
    Expense,
}

impl Account {
    /// What it is.
    #[must_use]
    pub const fn class(&self) -> Class {
        match self {
            Self::Float(_) | Self::InTransit(_) | Self::Contradicted(_) | Self::Owed(..) => Class::Asset,
            Self::Suspense(_)
            | Self::CapitalAvailable
            | Self::CapitalCommitted
            | Self::CapitalLent
            | Self::CapitalLost
            | Self::Received(_) => Class::Liability,
            Self::Income(_) | Self::Recovered => Class::Income,
            Self::Waived | Self::Losses | Self::Charges => Class::Expense,
        }
    }

    /// The loan it belongs to.
    #[must_use]
    pub const fn loan(&self) -> Option<&LoanId> {
        match self {
            Self::Owed(loan, _) | Self::Received(loan) => Some(loan),
            _ => None,
        }
    }
}

/// The name of a component.
#[must_use]
pub const fn component_name(component: Component) -> &'static str {
    match component {
        Component::Principal => "principal",
        Component::Interest => "interest",
        Component::Fees => "fees",
        Component::Penalties => "penalties",
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Float(rail) => write!(f, "rail/{rail}/float"),
            Self::InTransit(rail) => write!(f, "rail/{rail}/in-transit"),
            Self::Suspense(rail) => write!(f, "rail/{rail}/suspense"),
            Self::Contradicted(rail) => write!(f, "rail/{rail}/contradicted"),
            Self::CapitalAvailable => f.write_str("capital/available"),
            Self::CapitalCommitted => f.write_str("capital/committed"),
            Self::CapitalLent => f.write_str("capital/lent"),
            Self::CapitalLost => f.write_str("capital/lost"),
            Self::Owed(loan, component) => write!(f, "loan/{loan}/{}", component_name(*component)),
            Self::Received(loan) => write!(f, "loan/{loan}/received"),
            Self::Income(component) => write!(f, "income/{}", component_name(*component)),
            Self::Waived => f.write_str("expense/waived"),
            Self::Losses => f.write_str("expense/losses"),
            Self::Recovered => f.write_str("income/recovered"),
            Self::Charges => f.write_str("expense/charges"),
        }
    }
}

/// Adds to the sums of an account, and makes it if it is new.
pub(super) async fn add(
    write: &mut Write,
    account: &Account,
    currency: &str,
    debits: i64,
    credits: i64,
) -> Result<(), LedgerError> {
    sqlx::query(
        "INSERT INTO account (name, currency, loan, debits, credits) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (name, currency) DO UPDATE
         SET debits = account.debits + excluded.debits, credits = account.credits + excluded.credits",
    )
    .bind(account.to_string())
    .bind(currency)
    .bind(account.loan().map(|loan| loan.as_str().to_owned()))
    .bind(debits)
    .bind(credits)
    .execute(&mut *write.tx)
    .await?;
    Ok(())
}

/// Debits less credits.
///
/// # Errors
/// If the database fails.
pub async fn debit_balance(source: &mut impl Source, account: &Account, currency: &str) -> Result<Minor, LedgerError> {
    let query = sqlx::query("SELECT debits, credits FROM account WHERE name = $1 AND currency = $2");
    let row = query.bind(account.to_string()).bind(currency).fetch_optional(source.rows()).await?;
    row.map_or(Ok(0), |row| Ok(Minor::from(row.number("debits")?) - Minor::from(row.number("credits")?)))
}

/// What an account holds, in the direction in which its class grows.
///
/// # Errors
/// If the database fails.
pub async fn balance(source: &mut impl Source, account: &Account, currency: &str) -> Result<Minor, LedgerError> {
    let debit = debit_balance(source, account, currency).await?;
    Ok(match account.class() {
        Class::Asset | Class::Expense => debit,
        Class::Liability | Class::Income => -debit,
    })
}

/// A line of a trial balance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Line {
    /// The account; those of all loans together have the loan left out.
    pub account: String,
    /// The currency.
    pub currency: String,
    /// In minor units.
    pub debits: i64,
    /// In minor units.
    pub credits: i64,
}

/// All accounts; those of single loans summed up by what they are.
///
/// # Errors
/// If the database fails.
pub async fn trial_balance(source: &mut impl Source) -> Result<Vec<Line>, LedgerError> {
    // `loan/` and a UUID are 41 characters; what follows is the kind of account.
    let rows = sqlx::query(
        "SELECT name, currency, CAST(SUM(debits) AS BIGINT) AS debits, CAST(SUM(credits) AS BIGINT) AS credits FROM (
             SELECT CASE WHEN loan IS NULL THEN name ELSE 'loans' || substr(name, 42) END AS name, currency, debits, credits
             FROM account) AS summed
         GROUP BY name, currency ORDER BY name, currency",
    )
    .fetch_all(source.rows())
    .await?;
    let line = |row: &sqlx::any::AnyRow| {
        Ok(Line {
            account: row.text("name")?,
            currency: row.text("currency")?,
            debits: row.number("debits")?,
            credits: row.number("credits")?,
        })
    };
    rows.iter().map(line).collect()
}
