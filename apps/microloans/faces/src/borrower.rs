//! Pages of one borrower: apply, key facts, accept, what is owed, pay, statement, receipts.
//!
//! A borrower sees loans of their own and nothing else; another's address is answered as if there were nothing.

pub(crate) mod apply;
pub(crate) mod offer;
pub(crate) mod overview;
pub(crate) mod pay;
pub(crate) mod receipts;
pub(crate) mod sign_in;
pub(crate) mod statement;

use braid_microloans_arithmetic::{Date, Loan, Minor, Status};
use braid_microloans_ledger::{
    LedgerError, LoanState, PersonId,
    loans::{self, LoanRecord},
    store::Source,
};

/// The loan that a person's pages are about: the last one they asked for.
async fn last_loan(source: &mut impl Source, person: &PersonId) -> Result<Option<LoanRecord>, LedgerError> {
    Ok(loans::of_person(source, person).await?.pop())
}

/// What is to be paid next, and when.
#[derive(Clone, Copy, Debug)]
struct Next {
    amount: Minor,
    due: Date,
    is_late: bool,
}

/// What a borrower owes on a day.
#[derive(Clone, Debug)]
struct Owed {
    pay_off: Minor,
    outstanding: Minor,
    days_late: u32,
    next: Option<Next>,
}

impl Owed {
    fn of(loan: &Loan) -> Self {
        Self {
            pay_off: loan.owed(),
            outstanding: loan.outstanding(),
            days_late: loan.days_late(),
            next: next_payment(loan),
        }
    }
}

/// What has fallen due, or else the next instalment.
fn next_payment(loan: &Loan) -> Option<Next> {
    if loan.status() != Status::Active {
        return None;
    }
    let overdue = loan.overdue().total();
    if overdue > 0 {
        return Some(Next { amount: overdue, due: loan.today(), is_late: loan.days_late() > 0 });
    }
    let lines = loan.schedule().lines;
    let line = lines.iter().find(|line| line.due > loan.today() && line.parts.total() > 0)?;
    Some(Next { amount: line.parts.total().min(loan.owed().max(line.parts.total())), due: line.due, is_late: false })
}

/// What is owed of a loan that is being repaid.
async fn owed(source: &mut impl Source, record: &LoanRecord, day: Date) -> Result<Option<Owed>, LedgerError> {
    if !matches!(record.state, LoanState::Active | LoanState::Restructured) {
        return Ok(None);
    }
    Ok(Some(Owed::of(&loans::replay(source, record, day).await?)))
}

/// The least that mobile money moves which is not less than an amount.
const fn payable(amount: Minor, multiple: Minor) -> Minor {
    if multiple <= 1 { amount } else { (amount + multiple - 1) / multiple * multiple }
}
