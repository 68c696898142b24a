//! Payments: what is due first, then what is not.

use super::{Loan, Status, plan::Plan};
use crate::{
    Error,
    date::Date,
    money::Minor,
    parts::Parts,
    terms::{Method, Prepayment, positive},
};

/// What a payment paid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// By component; of a loan that was written off, what was recovered. Interest is below zero if flat interest, paid ahead of its time,
    /// came to repay principal.
    pub paid: Parts,
    /// What was more than owed, to be given back.
    pub overpaid: Minor,
}

impl Loan {
    /// Takes a payment.
    ///
    /// # Errors
    /// If the amount is not positive, the day lies before one that has passed, or the loan goes on as another.
    pub fn pay(&mut self, date: Date, amount: Minor) -> Result<Receipt, Error> {
        positive("a payment", amount)?;
        self.advance_to(date)?;
        match self.status {
            Status::Active => Ok(self.take(amount)),
            Status::WrittenOff => Ok(self.recover(amount)),
            Status::Settled => Ok(self.give_back(Parts::default(), amount)),
            Status::Restructured => Err(Error::Over(self.status.name())),
        }
    }

    fn take(&mut self, amount: Minor) -> Receipt {
        let before = self.totals().paid;
        // The balance, or the room that is left, may change.
        if self.terms.method == Method::Daily || self.room.is_some() {
            self.accrue_to(self.today);
        }
        if amount >= self.owed() && amount > self.overdue().total() {
            self.accelerate();
        }
        let mut left = self.pay_due(amount);
        if left > 0 && self.next < self.instalments.len() {
            left = self.prepay(left);
        }
        if left > 0 && self.owed() > 0 {
            // All principal is repaid: what is left to pay is interest that has not fallen due.
            self.accelerate();
            left = self.pay_due(left);
        }
        if self.overdue().total() == 0 {
            self.room = None;
        }
        if self.owed() == 0 && self.entered == self.terms.disbursements.len() {
            self.accelerate();
            self.status = Status::Settled;
        }
        let paid = self.totals().paid.minus(&before);
        self.give_back(paid, left)
    }

    const fn give_back(&mut self, paid: Parts, overpaid: Minor) -> Receipt {
        self.overpaid += overpaid;
        Receipt { paid, overpaid }
    }

    /// Pays instalments that have fallen due, the oldest first; returns what is left.
    pub(super) fn pay_due(&mut self, amount: Minor) -> Minor {
        let mut left = amount;
        for instalment in &mut self.instalments[..self.next] {
            let paid = instalment.unpaid().paid_by(left, &self.terms.order);
            instalment.paid = instalment.paid.plus(&paid);
            self.arrears -= paid.principal;
            self.outstanding -= paid.principal;
            left -= paid.total();
        }
        left
    }

    fn recover(&mut self, amount: Minor) -> Receipt {
        let mut left = amount;
        let mut recovered = Parts::default();
        for instalment in &mut self.instalments {
            let paid = instalment.written_off.minus(&instalment.recovered).paid_by(left, &self.terms.order);
            instalment.recovered = instalment.recovered.plus(&paid);
            recovered = recovered.plus(&paid);
            left -= paid.total();
        }
        self.give_back(recovered, left)
    }

    /// Uses money that is not due; returns what finds no principal to repay.
    fn prepay(&mut self, amount: Minor) -> Minor {
        let left = self.prepay_interest(amount);
        match self.terms.prepayment {
            Prepayment::NextInstalment => self.prepay_next(left),
            Prepayment::LastInstalment => {
                if matches!(self.plan, Plan::Level(_)) {
                    self.plan = Plan::Principal(self.planned());
                }
                self.repay_ahead(left)
            }
            Prepayment::ReduceCount => self.repay_ahead(left),
            Prepayment::ReduceInstalment => {
                let rest = self.repay_ahead(left);
                self.plan_anew();
                rest
            }
        }
    }

    /// Pays the interest of the current period so far. Flat interest is owed by the instalment, not by the day.
    fn prepay_interest(&mut self, amount: Minor) -> Minor {
        if self.terms.method == Method::Flat {
            return amount;
        }
        self.accrue_to(self.today);
        let paid = amount.min(self.accrued_unpaid()).max(0);
        let instalment = &mut self.instalments[self.next];
        instalment.paid.interest += paid;
        // Where the plan goes on with its instalments as they are, this belongs to the one that comes next.
        if matches!(self.terms.prepayment, Prepayment::ReduceInstalment | Prepayment::ReduceCount) {
            instalment.ahead.interest += paid;
        }
        amount - paid
    }

    /// Repays principal in the period of this day; returns what there is no principal for.
    fn repay_ahead(&mut self, amount: Minor) -> Minor {
        let repaid = amount.min(self.base());
        let at = self.current();
        let instalment = &mut self.instalments[at];
        instalment.paid.principal += repaid;
        if at < self.next {
            instalment.charged.principal += repaid;
        } else {
            instalment.ahead.principal += repaid;
        }
        self.outstanding -= repaid;
        amount - repaid
    }

    fn prepay_next(&mut self, amount: Minor) -> Minor {
        let mut left = amount;
        for at in self.next..self.instalments.len() {
            if self.terms.method == Method::Flat {
                let interest = left.min(self.flat_interest(at) - self.instalments[at].own_paid().interest).max(0);
                self.instalments[at].paid.interest += interest;
                left -= interest;
            }
            let repaid = left.min(self.room(at)).min(self.base()).max(0);
            self.instalments[at].paid.principal += repaid;
            self.outstanding -= repaid;
            left -= repaid;
            if left == 0 {
                break;
            }
        }
        left
    }

    /// Principal that an instalment to come can still take.
    fn room(&self, at: usize) -> Minor {
        if at + 1 == self.instalments.len() {
            return Minor::MAX;
        }
        if self.is_graced(at) {
            return 0;
        }
        let paid = self.instalments[at].own_paid();
        match &self.plan {
            Plan::Level(level) => level - paid.principal - paid.interest,
            Plan::Principal(principal) => principal.get(at).copied().unwrap_or(0) - paid.principal,
        }
    }

    /// The instalment in whose period this day lies; a due date belongs to the period that it ends.
    fn current(&self) -> usize {
        let is_due_today = |at: &usize| self.instalments[*at].due == self.today;
        self.next.checked_sub(1).filter(is_due_today).unwrap_or(self.next).min(self.instalments.len() - 1)
    }

    /// Makes everything that is owed fall due today. Nothing more is disbursed after that.
    pub(super) fn accelerate(&mut self) {
        self.terms.disbursements.truncate(self.entered);
        self.accrue_to(self.today);
        let at = self.current();
        let unpaid = self.accrued_unpaid() + self.deferred;
        let spare = self.use_otherwise(-unpaid);
        let interest = unpaid.max(0);
        let principal = self.base();
        for instalment in &mut self.instalments[self.next..] {
            instalment.charged = instalment.paid.plus(&instalment.brought);
            instalment.brought = Parts::default();
        }
        let current = &mut self.instalments[at].charged;
        current.principal += principal;
        current.interest += interest;
        self.arrears = self.outstanding;
        (self.accrued, self.deferred) = (0, 0);
        self.next = self.instalments.len();
        self.overpaid += self.pay_due(spare);
    }

    /// Lets interest that was paid ahead of its time, of the last instalments first, repay principal; returns what there is none for.
    pub(super) fn use_otherwise(&mut self, interest: Minor) -> Minor {
        let mut left = interest.max(0);
        let mut spare = 0;
        let mut base = self.base();
        for instalment in self.instalments[self.next..].iter_mut().rev() {
            let taken = instalment.paid.interest.min(left);
            let repaid = taken.min(base);
            instalment.paid.interest -= taken;
            instalment.paid.principal += repaid;
            left -= taken;
            base -= repaid;
            spare += taken - repaid;
        }
        self.outstanding -= self.base() - base;
        spare
    }
}
