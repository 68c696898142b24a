//! What a loan costs besides interest: fees agreed beforehand, and penalties for paying late.

use crate::{Error, limits::MAX_MINOR, money::Minor, rate::Rate};

/// How large a charge is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charge {
    /// So many minor units.
    Fixed(Minor),
    /// A share of what it is charged on, rounded half to even.
    Share(Rate),
}

impl Charge {
    /// The charge on an amount.
    #[must_use]
    pub const fn on(self, amount: Minor) -> Minor {
        match self {
            Self::Fixed(charge) => charge,
            Self::Share(rate) => rate.of(amount),
        }
    }

    fn check(self) -> Result<(), Error> {
        match self {
            Self::Fixed(charge) if charge < 0 => Err(Error::NotPositive("a charge")),
            Self::Fixed(charge) if charge > MAX_MINOR => Err(Error::AmountTooLarge(charge.to_string())),
            Self::Fixed(_) | Self::Share(_) => Ok(()),
        }
    }
}

/// When a fee is charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Kept back from what is disbursed.
    Disbursement,
    /// With the first instalment.
    FirstInstalment,
    /// With every instalment.
    EveryInstalment,
}

/// A fee, on the principal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fee {
    /// What it is for, in words that the borrower is shown.
    pub name: String,
    /// How much.
    pub charge: Charge,
    /// When.
    pub when: When,
}

impl Fee {
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.charge.check()
    }

    /// What is kept back of a principal.
    #[must_use]
    pub fn on_disbursement(&self, principal: Minor) -> Minor {
        if self.when == When::Disbursement { self.charge.on(principal) } else { 0 }
    }

    /// What falls due with an instalment, counted from 0.
    #[must_use]
    pub fn on_instalment(&self, principal: Minor, instalment: u32) -> Minor {
        match self.when {
            When::EveryInstalment => self.charge.on(principal),
            When::FirstInstalment if instalment == 0 => self.charge.on(principal),
            When::FirstInstalment | When::Disbursement => 0,
        }
    }
}

/// What a late instalment costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Late {
    /// Once for each instalment, on what is unpaid of it.
    Once(Charge),
    /// For every day, at an annual rate on the unpaid principal, by actual days of a year of 365.
    Daily(Rate),
}

/// The rule for paying late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Penalty {
    /// How much.
    pub late: Late,
    /// Days after the due date that cost nothing.
    pub grace_days: u16,
    /// All penalties of the loan together are at most this share of the principal.
    pub cap: Option<Rate>,
}

impl Penalty {
    pub(crate) fn check(&self) -> Result<(), Error> {
        match self.late {
            Late::Once(charge) => charge.check(),
            Late::Daily(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fee_is_charged_when_it_is_due() {
        let fee = |when| Fee { name: "service".to_owned(), charge: Charge::Share(Rate::percent(2).unwrap()), when };
        let charged = |when| {
            (fee(when).on_disbursement(10_000), fee(when).on_instalment(10_000, 0), fee(when).on_instalment(10_000, 1))
        };
        assert_eq!(charged(When::Disbursement), (200, 0, 0));
        assert_eq!(charged(When::FirstInstalment), (0, 200, 0));
        assert_eq!(charged(When::EveryInstalment), (0, 200, 200));
        let negative = Fee { name: String::new(), charge: Charge::Fixed(-1), when: When::Disbursement };
        assert!(negative.check().is_err());
    }
}
