//! Loans: from the application to the last cent.
//!
//! A loan's row says where it stands; its events, which are only added, say how it came there. What it owes is never stored: it
//! follows from its terms and its payments by replaying them ([`book`]), and the journal is brought to what the replay says.

mod apply;
mod book;
mod decide;
mod money;
pub mod oddities;
pub mod report;
mod view;

pub use apply::{Application, apply};
pub use book::{Replay, book, close_day, replay, replay_all};
pub(crate) use decide::fix_schedule;
pub use decide::{Consent, accept, decline, expire_offers, key_facts, offer, reject, review, withdraw};
pub use money::{
    Hold, NewTerms, disburse, fund, hold, is_held, is_released_since, refund, restructure, waive, write_off,
};
pub use view::{LoanView, ScheduleLine, Upcoming, exposures, schedule, upcoming, view};

use braid_microloans_arithmetic::{Currency, Date, Minor, Terms};
use jiff::Timestamp;
use serde_json::Value;
use sqlx::{Row as _, any::AnyRow};

use crate::{
    LedgerError, LoanId, LoanState, PersonId,
    code::LoanCode,
    payments::outbox,
    product::LoanTerms,
    rules,
    states::Machine as _,
    store::{Columns as _, Source, Write, moment},
    time,
};

/// The events of which a borrower is told.
const SAID: [&str; 3] = ["KfsAccepted", "DisbursementConfirmed", "PaymentReceived"];

/// A loan's row.
#[derive(Clone, Debug)]
pub struct LoanRecord {
    /// Its name in programs.
    pub id: LoanId,
    /// Its name among people.
    pub code: LoanCode,
    /// Whose it is.
    pub person: PersonId,
    /// Where.
    pub country: String,
    /// In which currency.
    pub currency: Currency,
    /// The product's name.
    pub product: String,
    /// What is lent, in minor units.
    pub principal: Minor,
    /// How many instalments.
    pub instalments: u32,
    /// What the borrower says it is for.
    pub purpose: String,
    /// Where it stands.
    pub state: LoanState,
    /// The terms, once offered.
    pub terms: Option<LoanTerms>,
    /// The hash of the key facts, once offered.
    pub key_facts_hash: Option<String>,
    /// The day of the offer.
    pub offered_on: Option<Date>,
    /// Until when the offer stands.
    pub offer_until: Option<Timestamp>,
    /// When the borrower got the money.
    pub disbursed_on: Option<Date>,
    /// When the first instalment falls due, once the borrower has the money.
    pub first_due: Option<Date>,
}

impl LoanRecord {
    fn of(row: &AnyRow) -> Result<Self, LedgerError> {
        let date = |name| -> Result<Option<Date>, LedgerError> {
            let text = row.optional(name)?;
            Ok(text.map(|text| text.parse()).transpose()?)
        };
        Ok(Self {
            id: row.parsed("id")?,
            code: row.parsed("code")?,
            person: row.parsed("person")?,
            country: row.text("country")?,
            currency: row.parsed("currency")?,
            product: row.text("product")?,
            principal: row.number("principal")?.into(),
            instalments: u32::try_from(row.number("instalments")?)
                .map_err(|_| LedgerError::Corrupt("a number of instalments".to_owned()))?,
            purpose: row.text("purpose")?,
            state: row.state("state")?,
            terms: row.optional("terms")?.map(|text| serde_json::from_str(&text)).transpose()?,
            key_facts_hash: row.optional("key_facts_hash")?,
            offered_on: date("offered_on")?,
            offer_until: row.optional_number("offer_until")?.map(moment).transpose()?,
            disbursed_on: date("disbursed_on")?,
            first_due: date("first_due")?,
        })
    }

    /// The day at the borrower's place.
    ///
    /// # Errors
    /// If the country has no rules, which the application would have refused.
    pub fn local_date(&self, at: Timestamp) -> Result<Date, LedgerError> {
        time::local_date(at, rules::of_country(&self.country)?.utc_offset_minutes)
    }

    /// The terms as they were offered.
    pub(crate) fn offered_terms(&self) -> Result<&LoanTerms, LedgerError> {
        self.terms.as_ref().ok_or_else(|| LedgerError::conflict("nothing has been offered yet"))
    }

    /// What payments are a multiple of.
    pub(crate) fn payment_multiple(&self) -> Result<Minor, LedgerError> {
        Ok(self.offered_terms()?.multiple.into())
    }

    /// The terms as they are since the money arrived.
    pub(crate) fn terms_in_force(&self) -> Result<Terms, LedgerError> {
        let (Some(disbursed), Some(first_due)) = (self.disbursed_on, self.first_due) else {
            return Err(LedgerError::conflict("the loan has not been disbursed"));
        };
        LoanTerms { first_due: first_due.to_string(), ..self.offered_terms()?.clone() }.terms(disbursed)
    }
}

/// A loan by its id.
///
/// # Errors
/// If there is none, or the database fails.
pub async fn loan(source: &mut impl Source, id: &LoanId) -> Result<LoanRecord, LedgerError> {
    let query = sqlx::query("SELECT * FROM loan WHERE id = $1").bind(id.as_str());
    let row = query.fetch_optional(source.rows()).await?;
    row.as_ref().map_or_else(|| Err(LedgerError::NotFound("loan", id.to_string())), LoanRecord::of)
}

/// A loan by its code.
///
/// # Errors
/// If the database fails.
pub async fn by_code(source: &mut impl Source, code: &LoanCode) -> Result<Option<LoanRecord>, LedgerError> {
    let query = sqlx::query("SELECT * FROM loan WHERE code = $1").bind(code.as_str());
    query.fetch_optional(source.rows()).await?.as_ref().map(LoanRecord::of).transpose()
}

/// Loans in a state, from an id on.
///
/// # Errors
/// If the database fails.
pub async fn in_state(
    source: &mut impl Source,
    state: LoanState,
    after: &str,
    limit: i64,
) -> Result<Vec<LoanRecord>, LedgerError> {
    let query = sqlx::query("SELECT * FROM loan WHERE state = $1 AND id > $2 ORDER BY id LIMIT $3");
    let rows = query.bind(state.name()).bind(after).bind(limit).fetch_all(source.rows()).await?;
    rows.iter().map(LoanRecord::of).collect()
}

/// All loans of a person.
///
/// # Errors
/// If the database fails.
pub async fn of_person(source: &mut impl Source, person: &PersonId) -> Result<Vec<LoanRecord>, LedgerError> {
    let query = sqlx::query("SELECT * FROM loan WHERE person = $1 ORDER BY created_at, id").bind(person.as_str());
    query.fetch_all(source.rows()).await?.iter().map(LoanRecord::of).collect()
}

/// How many loans of a person are not over.
///
/// # Errors
/// If the database fails.
pub async fn open_loans(source: &mut impl Source, person: &PersonId) -> Result<usize, LedgerError> {
    Ok(of_person(source, person).await?.iter().filter(|loan| !loan.state.is_over()).count())
}

/// Takes a step and tells of it.
pub(crate) async fn step(
    write: &mut Write,
    loan: &mut LoanRecord,
    next: LoanState,
    kind: &str,
    data: Value,
) -> Result<(), LedgerError> {
    let step = loan.state.to(next)?;
    let changed = sqlx::query("UPDATE loan SET state = $2 WHERE id = $1 AND state = $3")
        .bind(loan.id.as_str())
        .bind(next.name())
        .bind(step.from().name())
        .execute(&mut *write.tx)
        .await?;
    if changed.rows_affected() != 1 {
        return Err(LedgerError::conflict(format!("loan {} has changed", loan.id)));
    }
    loan.state = step.into_state();
    tell(write, &loan.id, kind, Some((step.from(), next)), data).await
}

/// Adds an event that is no step.
pub(crate) async fn event(write: &mut Write, loan: &LoanId, kind: &str, data: Value) -> Result<(), LedgerError> {
    tell(write, loan, kind, None, data).await
}

async fn tell(
    write: &mut Write,
    loan: &LoanId,
    kind: &str,
    states: Option<(LoanState, LoanState)>,
    data: Value,
) -> Result<(), LedgerError> {
    sqlx::query(
        "INSERT INTO loan_event (loan, seq, kind, from_state, to_state, at, actor, data)
         VALUES ($1, (SELECT COALESCE(MAX(seq), 0) + 1 FROM loan_event WHERE loan = $1), $2, $3, $4, $5, $6, $7)",
    )
    .bind(loan.as_str())
    .bind(kind)
    .bind(states.map(|(from, _)| from.name()))
    .bind(states.map(|(_, to)| to.name()))
    .bind(write.millis())
    .bind(&write.by.name)
    .bind(data.to_string())
    .execute(&mut *write.tx)
    .await?;
    if write.tells_borrowers && SAID.contains(&kind) {
        let query = sqlx::query("SELECT MAX(seq) FROM loan_event WHERE loan = $1").bind(loan.as_str());
        let seq: i64 = query.fetch_one(&mut *write.tx).await?.try_get(0)?;
        outbox::put(write, outbox::Task::Say, &format!("{loan}/{seq}"), write.millis()).await?;
    }
    if write.tells_chain { crate::chain::put(write, loan).await } else { Ok(()) }
}

/// What happened to a loan.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct LoanEvent {
    /// Its number, from 1.
    pub seq: i64,
    /// What happened.
    pub kind: String,
    /// The state before, if it was a step.
    pub from_state: Option<String>,
    /// The state after, if it was a step.
    pub to_state: Option<String>,
    /// In milliseconds since 1970.
    pub at: i64,
    /// Who.
    pub actor: String,
    /// With which values.
    pub data: Value,
}

/// All events of a loan.
///
/// # Errors
/// If the database fails.
pub async fn events(source: &mut impl Source, loan: &LoanId) -> Result<Vec<LoanEvent>, LedgerError> {
    let query = sqlx::query(
        "SELECT seq, kind, from_state, to_state, at, actor, data FROM loan_event WHERE loan = $1 ORDER BY seq",
    );
    let rows = query.bind(loan.as_str()).fetch_all(source.rows()).await?;
    let event = |row: &AnyRow| {
        Ok(LoanEvent {
            seq: row.number("seq")?,
            kind: row.text("kind")?,
            from_state: row.optional("from_state")?,
            to_state: row.optional("to_state")?,
            at: row.number("at")?,
            actor: row.text("actor")?,
            data: serde_json::from_str(&row.text("data")?)?,
        })
    };
    rows.iter().map(event).collect()
}

/// How many loans are in each state.
///
/// # Errors
/// If the database fails.
pub async fn count_by_state(source: &mut impl Source) -> Result<Vec<(String, i64)>, LedgerError> {
    let rows =
        sqlx::query("SELECT state, COUNT(*) FROM loan GROUP BY state ORDER BY state").fetch_all(source.rows()).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}
