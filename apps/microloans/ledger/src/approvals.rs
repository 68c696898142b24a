//! Two people: what one proposes, another approves. The database refuses an approval by its maker; the action happens in the transaction of the approval.

use braid_microloans_arithmetic::Currency;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    ApprovalId, LedgerError, LegId, LoanId, PaymentId, PersonId, audit,
    journal::{self, Account, Entry, Kind},
    limits,
    loans::{self, NewTerms},
    payments, pin,
    product::{self, Catalogue},
    store::{Columns as _, Source, Write},
    time, vault,
};

/// Something that takes two people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// Offer a loan that is under review.
    Offer {
        /// Which.
        loan: LoanId,
    },
    /// Lenders' money has come into a rail's account.
    Deposit {
        /// Into which.
        rail: String,
        /// In which currency.
        currency: String,
        /// How much.
        amount: String,
        /// By which document; one deposit for each.
        evidence: String,
    },
    /// A suspended payment belongs to a loan.
    AssignPayment {
        /// Which payment.
        payment: PaymentId,
        /// To which loan.
        loan: LoanId,
    },
    /// Give back what was paid too much.
    Refund {
        /// Of which loan.
        loan: LoanId,
    },
    /// Waive what has fallen due.
    Waive {
        /// Of which loan.
        loan: LoanId,
        /// `principal`, `interest`, `fees`, `penalties`.
        component: String,
        /// How much.
        amount: String,
    },
    /// Let a loan go on with other terms.
    Restructure {
        /// Which.
        loan: LoanId,
        /// In how many instalments from now on.
        instalments: u32,
        /// At which rate; none for the one before.
        annual_rate_percent: Option<String>,
    },
    /// Give a loan up as lost.
    WriteOff {
        /// Which.
        loan: LoanId,
    },
    /// A person has found out what became of a payment.
    SettleLeg {
        /// Of which.
        leg: LegId,
        /// The provider's receipt, if it was made; otherwise it was not.
        receipt: Option<String>,
    },
    /// A contradiction has been settled.
    ResolveContradiction {
        /// Which.
        id: String,
    },
    /// End a hold.
    Release {
        /// Of which loan.
        loan: LoanId,
        /// `frozen` or `disputed`.
        hold: String,
    },
    /// Take a person's PIN away, so that they can choose another: after it was forgotten, or the telephone was lost.
    ForgetPin {
        /// Whose.
        person: PersonId,
    },
    /// Destroy the key of a person's data.
    Erase {
        /// Whose.
        person: PersonId,
    },
}

impl Action {
    const fn kind(&self) -> &'static str {
        match self {
            Self::Offer { .. } => "offer",
            Self::Deposit { .. } => "deposit",
            Self::AssignPayment { .. } => "assign_payment",
            Self::Refund { .. } => "refund",
            Self::Waive { .. } => "waive",
            Self::Restructure { .. } => "restructure",
            Self::WriteOff { .. } => "write_off",
            Self::SettleLeg { .. } => "settle_leg",
            Self::ResolveContradiction { .. } => "resolve_contradiction",
            Self::Release { .. } => "release",
            Self::ForgetPin { .. } => "forget_pin",
            Self::Erase { .. } => "erase",
        }
    }

    fn subject(&self) -> &str {
        match self {
            Self::Offer { loan }
            | Self::Refund { loan }
            | Self::Waive { loan, .. }
            | Self::Restructure { loan, .. }
            | Self::WriteOff { loan }
            | Self::Release { loan, .. } => loan.as_str(),
            Self::Deposit { evidence, .. } => evidence,
            Self::AssignPayment { payment, .. } => payment.as_str(),
            Self::SettleLeg { leg, .. } => leg.as_str(),
            Self::ResolveContradiction { id } => id,
            Self::ForgetPin { person } | Self::Erase { person } => person.as_str(),
        }
    }
}

/// Whether it is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It is.
    Approved,
    /// It is not.
    Refused,
}

/// A proposal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Approval {
    /// Its name.
    pub id: String,
    /// What is proposed.
    pub action: Action,
    /// By whom.
    pub maker: String,
    /// When, in milliseconds since 1970.
    pub made_at: i64,
    /// Who decided.
    pub checker: Option<String>,
    /// What was decided.
    pub decision: Option<String>,
}

/// Proposes something.
///
/// # Errors
/// If the same is waiting already, its texts are too long, or the database fails.
pub async fn propose(write: &mut Write, action: &Action) -> Result<ApprovalId, LedgerError> {
    LedgerError::check_text("what it is about", action.subject())?;
    let id = ApprovalId::random()?;
    let written = sqlx::query(
        "INSERT INTO approval (id, kind, subject, action, maker, made_at) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (kind, subject) WHERE decision IS NULL DO NOTHING",
    )
    .bind(id.as_str())
    .bind(action.kind())
    .bind(action.subject())
    .bind(serde_json::to_string(action)?)
    .bind(&write.by.name)
    .bind(write.at.as_millisecond())
    .execute(&mut *write.tx)
    .await?;
    if written.rows_affected() == 0 {
        return Err(LedgerError::conflict("this has been proposed already"));
    }
    audit::record(write, "approval.propose", id.as_str(), action.kind()).await?;
    Ok(id)
}

/// Decides on a proposal; if approved, it is done.
///
/// # Errors
/// If there is none that waits, it is the decider's own, it cannot be done any more, or the database fails.
pub async fn decide(
    write: &mut Write,
    catalogue: &Catalogue,
    id: &ApprovalId,
    decision: Decision,
) -> Result<Approval, LedgerError> {
    let approval = approval(write, id).await?;
    if approval.decision.is_some() {
        return Err(LedgerError::conflict("this has been decided already"));
    }
    if approval.maker == write.by.name {
        return Err(LedgerError::Forbidden("nobody approves what they proposed".to_owned()));
    }
    let name = if decision == Decision::Approved { "approved" } else { "refused" };
    sqlx::query("UPDATE approval SET checker = $2, decision = $3, decided_at = $4 WHERE id = $1 AND decision IS NULL")
        .bind(id.as_str())
        .bind(&write.by.name)
        .bind(name)
        .bind(write.at.as_millisecond())
        .execute(&mut *write.tx)
        .await?;
    audit::record(write, "approval.decide", id.as_str(), name).await?;
    if decision == Decision::Approved {
        execute(write, catalogue, &approval.action).await?;
    }
    self::approval(write, id).await
}

async fn execute(write: &mut Write, catalogue: &Catalogue, action: &Action) -> Result<(), LedgerError> {
    match action {
        Action::Offer { loan } => loans::offer(write, catalogue, loan).await.map(drop),
        Action::Deposit { rail, currency, amount, evidence } => deposit(write, rail, currency, amount, evidence).await,
        Action::AssignPayment { payment, loan } => payments::assign(write, payment, loan).await,
        Action::Refund { loan } => {
            let record = loans::loan(write, loan).await?;
            let rail = catalogue.product(&record.product)?.rail.clone();
            loans::refund(write, loan, &rail).await.map(drop)
        }
        Action::Waive { loan, component, amount } => {
            let record = loans::loan(write, loan).await?;
            let amount = record.currency.parse(amount)?;
            loans::waive(write, loan, product::component(component)?, amount).await
        }
        Action::Restructure { loan, instalments, annual_rate_percent } => {
            let new = NewTerms { instalments: *instalments, annual_rate_percent: annual_rate_percent.clone() };
            loans::restructure(write, loan, &new).await
        }
        Action::WriteOff { loan } => loans::write_off(write, loan).await,
        Action::SettleLeg { leg, receipt } => payments::settle_by_hand(write, leg, receipt.as_deref()).await.map(drop),
        Action::ResolveContradiction { id } => payments::resolve(write, id).await,
        Action::Release { loan, hold } => loans::hold(write, loan, hold, loans::Hold::Ends).await,
        Action::ForgetPin { person } => pin::forget(write, person).await,
        Action::Erase { person } => vault::erase(write, person).await,
    }
}

/// Books lenders' money.
async fn deposit(
    write: &mut Write,
    rail: &str,
    currency: &str,
    amount: &str,
    evidence: &str,
) -> Result<(), LedgerError> {
    let currency: Currency = currency.parse()?;
    let amount = currency.parse(amount)?;
    if amount <= 0 {
        return Err(LedgerError::invalid("a deposit is more than zero"));
    }
    if journal::is_posted(write, Kind::Deposit, evidence).await? {
        return Err(LedgerError::conflict("this document has been booked already"));
    }
    let entry = Entry::new(Kind::Deposit, evidence, time::utc_date(write.at)?);
    let entry = entry.transfer(Account::Float(rail.to_owned()), Account::CapitalAvailable, currency, amount);
    journal::post(write, &entry).await
}

/// A proposal by its id.
///
/// # Errors
/// If there is none, or the database fails.
pub async fn approval(source: &mut impl Source, id: &ApprovalId) -> Result<Approval, LedgerError> {
    let query = sqlx::query("SELECT id, action, maker, made_at, checker, decision FROM approval WHERE id = $1");
    let row = query.bind(id.as_str()).fetch_optional(source.rows()).await?;
    row.as_ref().map_or_else(|| Err(LedgerError::NotFound("approval", id.to_string())), of_row)
}

/// Proposals that wait, the oldest first.
///
/// # Errors
/// If the database fails.
pub async fn pending(source: &mut impl Source) -> Result<Vec<Approval>, LedgerError> {
    let rows = sqlx::query(
        "SELECT id, action, maker, made_at, checker, decision FROM approval WHERE decision IS NULL
         ORDER BY made_at, id LIMIT $1",
    );
    rows.bind(limits::MAX_ROWS).fetch_all(source.rows()).await?.iter().map(of_row).collect()
}

fn of_row(row: &sqlx::any::AnyRow) -> Result<Approval, LedgerError> {
    Ok(Approval {
        id: row.text("id")?,
        action: serde_json::from_str(&row.text("action")?)?,
        maker: row.text("maker")?,
        made_at: row.number("made_at")?,
        checker: row.optional("checker")?,
        decision: row.optional("decision")?,
    })
}
