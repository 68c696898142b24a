//! What can be read from a loan.

use super::{Conduct, Instalment, Loan, Status};
use crate::{
    Error,
    date::Date,
    money::Minor,
    parts::Parts,
    terms::{Method, Terms},
};

/// A line of a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// When it falls due.
    pub due: Date,
    /// What it asks for, or asked for.
    pub parts: Parts,
    /// Principal outstanding after it, and after what is disbursed that day.
    pub balance: Minor,
}

/// All lines of a loan, as they were and as they will be if the borrower pays as agreed from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// By due date. A loan that is settled early ends with the instalment of that period.
    pub lines: Vec<Line>,
}

impl Schedule {
    /// The sums of all lines.
    #[must_use]
    pub fn totals(&self) -> Parts {
        self.lines.iter().fold(Parts::default(), |sum, line| sum.plus(&line.parts))
    }
}

/// Sums over all instalments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// What was asked for.
    pub charged: Parts,
    /// What was paid.
    pub paid: Parts,
    /// What was waived.
    pub waived: Parts,
    /// What was given up.
    pub written_off: Parts,
    /// What came in of that afterwards.
    pub recovered: Parts,
    /// What went on in another loan.
    pub moved: Parts,
}

impl Loan {
    /// Its terms.
    #[must_use]
    pub const fn terms(&self) -> &Terms {
        &self.terms
    }

    /// What has become of it.
    #[must_use]
    pub const fn status(&self) -> Status {
        self.status
    }

    /// The day up to which it has been calculated.
    #[must_use]
    pub const fn today(&self) -> Date {
        self.today
    }

    /// Its instalments.
    #[must_use]
    pub fn instalments(&self) -> &[Instalment] {
        &self.instalments
    }

    /// All that was lent so far.
    #[must_use]
    pub const fn lent(&self) -> Minor {
        self.lent
    }

    /// Principal that has not been repaid.
    #[must_use]
    pub const fn outstanding(&self) -> Minor {
        self.outstanding
    }

    /// What was paid and not owed, in all.
    #[must_use]
    pub const fn overpaid(&self) -> Minor {
        self.overpaid
    }

    /// Sums over all instalments.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.instalments.iter().fold(Totals::default(), |sum, instalment| Totals {
            charged: sum.charged.plus(&instalment.charged),
            paid: sum.paid.plus(&instalment.paid),
            waived: sum.waived.plus(&instalment.waived),
            written_off: sum.written_off.plus(&instalment.written_off),
            recovered: sum.recovered.plus(&instalment.recovered),
            moved: sum.moved.plus(&instalment.moved),
        })
    }

    /// What was brought from a loan before this one and has not fallen due yet.
    #[must_use]
    pub fn brought(&self) -> Parts {
        self.instalments.iter().fold(Parts::default(), |sum, instalment| sum.plus(&instalment.brought))
    }

    /// What has fallen due and has not been paid.
    #[must_use]
    pub fn overdue(&self) -> Parts {
        self.instalments[..self.next].iter().fold(Parts::default(), |sum, instalment| sum.plus(&instalment.unpaid()))
    }

    /// Days since the oldest instalment that is not paid in full fell due; 0 if there is none.
    #[must_use]
    pub fn days_late(&self) -> u32 {
        let oldest = self.instalments[..self.next].iter().find(|instalment| instalment.unpaid().total() > 0);
        oldest.map_or(0, |instalment| self.today.days_since(instalment.due).max(0).cast_unsigned())
    }

    /// What settles the loan today: principal, interest accrued to this day, and all that has fallen due.
    #[must_use]
    pub fn owed(&self) -> Minor {
        if self.status != Status::Active {
            return 0;
        }
        let due = self.overdue();
        let brought: Minor = self.instalments.iter().map(|instalment| instalment.brought.total()).sum();
        self.outstanding + due.total() - due.principal + self.accrued_unpaid() + self.deferred + brought
    }

    /// What settles the loan on a day, if nothing is paid until then.
    ///
    /// # Errors
    /// If the day has passed.
    pub fn pay_off(&self, date: Date) -> Result<Minor, Error> {
        let mut then = self.clone();
        then.advance_to(date)?;
        Ok(then.owed())
    }

    /// The schedule, if what is overdue is paid today and everything else on its day.
    #[must_use]
    pub fn schedule(&self) -> Schedule {
        let mut loan = self.clone();
        if let (Some(last), Status::Active) = (loan.instalments.last(), loan.status) {
            let end = last.due;
            if loan.terms.method == Method::Daily {
                loan.accrue_to(loan.today);
            }
            loan.catch_up();
            loan.pass(end, Conduct::AsAgreed);
        }
        let mut lines = loan.lines();
        while lines.len() > 1 && lines.last().is_some_and(|line| line.parts == Parts::default()) {
            lines.pop();
        }
        Schedule { lines }
    }

    fn lines(&self) -> Vec<Line> {
        let disbursed = |until: Date| -> Minor {
            let made = self.terms.disbursements[..self.entered].iter();
            made.filter(|disbursement| disbursement.date <= until).map(|disbursement| disbursement.amount).sum()
        };
        let mut repaid = 0;
        let line = |instalment: &Instalment| {
            repaid += instalment.charged.principal;
            Line { due: instalment.due, parts: instalment.charged, balance: disbursed(instalment.due) - repaid }
        };
        self.instalments.iter().map(line).collect()
    }
}
