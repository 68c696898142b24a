//! Questions to the books that must all be answered with yes: what an auditor asks, and a test after every disaster.
//!
//! The journal is verified first ([`journal::verify`](fn@crate::journal::verify)). Then: what borrowers have is what lenders lent; what is in transit is
//! what open payouts say; no loan was paid out twice; money in suspense is the suspended payments; what each loan owes by the
//! journal is what its terms and payments say.

use std::collections::BTreeMap;

use braid_microloans_arithmetic::{Component, Date};
use serde::Serialize;
use sqlx::{Row as _, any::AnyRow};
use utoipa::ToSchema;

use crate::{
    LedgerError, LoanState,
    journal::{self, Account, Verification, account},
    limits, loans, payments,
    store::{Columns as _, Source},
};

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Inspection {
    /// The journal by itself.
    pub journal: Verification,
    /// Loans that were replayed.
    pub loans: usize,
    /// What does not hold; empty if everything does.
    pub failures: Vec<String>,
}

impl Inspection {
    /// Whether everything holds.
    #[must_use]
    pub const fn holds(&self) -> bool {
        self.failures.is_empty() && self.journal.failures.is_empty()
    }
}

/// What two sides must agree on: a name, and a statement that lists `key` and `difference`, which is to be zero.
const AGREEMENTS: [(&str, &str); 5] = [
    (
        "what borrowers owe of the principal is not what lenders lent",
        "SELECT currency AS key, CAST(SUM(CASE WHEN name = 'capital/lent' THEN debits - credits
             WHEN loan IS NOT NULL AND name LIKE '%/principal' THEN debits - credits ELSE 0 END) AS BIGINT) AS difference
         FROM account GROUP BY currency",
    ),
    (
        "what is in transit is not what open payouts say",
        "SELECT account.name AS key, CAST(debits - credits - COALESCE((SELECT SUM(amount) FROM leg
             WHERE 'rail/' || leg.rail || '/in-transit' = account.name AND leg.currency = account.currency
             AND kind IN ('payout', 'refund') AND state IN ('created', 'sent', 'acked', 'unknown', 'manual')), 0) AS BIGINT) AS difference
         FROM account WHERE account.name LIKE 'rail/%/in-transit'",
    ),
    (
        "money in suspense is not the suspended payments",
        "SELECT account.name AS key, CAST(credits - debits - COALESCE((SELECT SUM(amount) FROM payment
             WHERE 'rail/' || payment.rail || '/suspense' = account.name AND payment.currency = account.currency
             AND state = 'suspended'), 0) AS BIGINT) AS difference
         FROM account WHERE account.name LIKE 'rail/%/suspense'",
    ),
    (
        "a loan was paid out more than once, or more than was approved",
        "SELECT loan.id AS key, CAST(CASE WHEN COUNT(*) > 1 OR SUM(leg.amount) > MAX(loan.principal) THEN 1 ELSE 0 END AS BIGINT)
             AS difference
         FROM loan JOIN leg ON leg.loan = loan.id AND leg.kind = 'payout' AND leg.state = 'succeeded' GROUP BY loan.id",
    ),
    (
        "what was set aside is not what accepted loans ask for",
        "SELECT account.currency AS key, CAST(credits - debits - COALESCE((SELECT SUM(principal) FROM loan
             WHERE loan.currency = account.currency
             AND state IN ('funded', 'disbursing', 'disbursement_unknown', 'disbursement_failed')), 0) AS BIGINT) AS difference
         FROM account WHERE account.name = 'capital/committed'",
    ),
];

/// Asks everything, of one moment.
///
/// # Errors
/// If the database fails. What does not hold is part of the answer.
pub async fn inspect(source: &mut impl Source) -> Result<Inspection, LedgerError> {
    let journal = journal::verify(source).await?;
    let mut found = Inspection { journal, loans: 0, failures: Vec::new() };
    for (what, statement) in AGREEMENTS {
        let rows: Vec<AnyRow> = sqlx::query(statement).fetch_all(source.rows()).await?;
        for row in rows {
            let difference: i64 = row.try_get("difference")?;
            if difference != 0 {
                found.failures.push(format!("{what}: {} differs by {difference}", row.text("key")?));
            }
        }
    }
    for state in LoanState::ALL.iter().filter(|state| state.takes_payments()) {
        inspect_state(source, &mut found, *state).await?;
    }
    Ok(found)
}

async fn inspect_state(source: &mut impl Source, found: &mut Inspection, state: LoanState) -> Result<(), LedgerError> {
    let mut after = String::new();
    loop {
        let records = loans::in_state(source, state, &after, limits::MAX_ROWS).await?;
        let Some(last) = records.last() else { return Ok(()) };
        after = last.id.to_string();
        for record in &records {
            inspect_loan(source, found, record).await?;
        }
    }
}

/// What a loan owes by the journal is what its terms and payments say, on the day up to which it has been booked.
async fn inspect_loan(
    source: &mut impl Source,
    found: &mut Inspection,
    record: &loans::LoanRecord,
) -> Result<(), LedgerError> {
    let query = sqlx::query("SELECT booked_on FROM loan WHERE id = $1").bind(record.id.as_str());
    let Some(day) = query.fetch_one(source.rows()).await?.optional("booked_on")? else {
        found.failures.push(format!("loan {} is {} and was never booked", record.id, record.state));
        return Ok(());
    };
    let day: Date = day.parse()?;
    let loan = loans::replay_all(source, record, day).await?;
    let totals = loan.totals();
    found.loans += 1;
    for component in Component::ALL {
        let paid = totals.paid.get(component) + totals.waived.get(component) + totals.written_off.get(component);
        let is_principal = component == Component::Principal;
        let charged = if is_principal { loan.lent() } else { totals.charged.get(component) };
        let owed = Account::Owed(record.id.clone(), component);
        let booked = account::balance(source, &owed, record.currency.code()).await?;
        if booked != charged - paid {
            let name = account::component_name(component);
            found.failures.push(format!("loan {} owes {booked} of {name}, not {}", record.id, charged - paid));
        }
    }
    Ok(())
}

/// Everything that the books say, without what is random or depends on when something was done: two histories with the same outcome
/// have the same digest.
///
/// # Errors
/// If the database fails.
pub async fn digest(source: &mut impl Source) -> Result<BTreeMap<String, String>, LedgerError> {
    let mut digest = BTreeMap::new();
    for line in account::trial_balance(source).await? {
        let key = format!("account {} {}", line.account, line.currency);
        // Debits and credits by themselves depend on how often a payout was tried.
        digest.insert(key, (line.debits - line.credits).to_string());
    }
    digest.retain(|_, balance| balance != "0");
    for (state, count) in loans::count_by_state(source).await? {
        digest.insert(format!("loans {state}"), count.to_string());
    }
    for (kind, state, count) in payments::count_by_state(source).await? {
        digest.insert(format!("legs {kind} {state}"), count.to_string());
    }
    Ok(digest)
}
