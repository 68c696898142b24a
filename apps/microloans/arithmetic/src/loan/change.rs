//! What lenders do: waive, give up, and begin again on other terms.

use super::{Loan, Status};
use crate::{
    Error,
    date::Date,
    money::Minor,
    parts::{Component, Parts},
    terms::{Disbursement, Terms, positive},
};

/// What becomes principal when a loan is restructured. The rest falls due with the first new instalment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Capitalise {
    /// The principal alone.
    #[default]
    Principal,
    /// Interest too.
    Interest,
    /// Everything that is owed.
    Everything,
}

/// New terms for what is owed. Their disbursements are ignored.
#[derive(Clone, Debug)]
pub struct Restructuring {
    /// The terms.
    pub terms: Terms,
    /// What becomes principal.
    pub capitalise: Capitalise,
}

impl Loan {
    /// Waives what has fallen due of a component, the oldest first.
    ///
    /// # Errors
    /// If less is due than is to be waived, or the loan is over.
    pub fn waive(&mut self, component: Component, amount: Minor) -> Result<(), Error> {
        self.check_active()?;
        positive("what is waived", amount)?;
        let owed: Minor =
            self.instalments[..self.next].iter().map(|instalment| instalment.unpaid().get(component)).sum();
        if amount > owed {
            return Err(Error::MoreThanOwed { asked: amount, owed });
        }
        if component == Component::Principal {
            self.accrue_to(self.today);
            self.arrears -= amount;
            self.outstanding -= amount;
        }
        let mut left = amount;
        for instalment in &mut self.instalments[..self.next] {
            let part = instalment.unpaid().get(component).min(left);
            *instalment.waived.get_mut(component) += part;
            left -= part;
        }
        Ok(())
    }

    /// Gives up all that is owed, on a day. Payments after that are recoveries.
    ///
    /// # Errors
    /// If the day has passed or the loan is over.
    pub fn write_off(&mut self, date: Date) -> Result<Parts, Error> {
        let owed =
            self.close(date, |instalment| instalment.written_off = instalment.written_off.plus(&instalment.unpaid()))?;
        self.status = Status::WrittenOff;
        Ok(owed)
    }

    /// Lets the loan go on as another, from a day on. This one is over; the other one owes exactly what this one did.
    ///
    /// # Errors
    /// If the day has passed, the loan is over, nothing is owed, or the new terms cannot be calculated.
    pub fn restructure(&mut self, date: Date, restructuring: &Restructuring) -> Result<Self, Error> {
        let mut old = self.clone();
        let owed = old.close(date, |instalment| instalment.moved = instalment.moved.plus(&instalment.unpaid()))?;
        let brought = match restructuring.capitalise {
            Capitalise::Principal => Parts { principal: 0, ..owed },
            Capitalise::Interest => Parts { principal: 0, interest: 0, ..owed },
            Capitalise::Everything => Parts::default(),
        };
        let amount = owed.total() - brought.total();
        positive("what is owed of the loan to be restructured", amount)?;
        let terms = Terms {
            currency: self.terms.currency,
            disbursements: vec![Disbursement { date, amount }],
            ..restructuring.terms.clone()
        };
        let mut new = Self::new(terms)?;
        if let Some(first) = new.instalments.first_mut() {
            first.brought = brought;
        }
        old.status = Status::Restructured;
        *self = old;
        Ok(new)
    }

    fn close(&mut self, date: Date, disposed: impl Fn(&mut super::Instalment)) -> Result<Parts, Error> {
        self.check_active()?;
        self.advance_to(date)?;
        self.accelerate();
        let owed = self.instalments.iter().fold(Parts::default(), |sum, instalment| sum.plus(&instalment.unpaid()));
        self.instalments.iter_mut().for_each(disposed);
        (self.outstanding, self.arrears) = (0, 0);
        Ok(owed)
    }

    const fn check_active(&self) -> Result<(), Error> {
        if matches!(self.status, Status::Active) { Ok(()) } else { Err(Error::Over(self.status.name())) }
    }
}
