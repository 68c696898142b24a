//! What borrower and lender agree on. [`Terms::check`] refuses what cannot be calculated, so that nothing after it has to.

use crate::{
    Error,
    date::Date,
    day_count::DayCount,
    fee::{Fee, Penalty},
    limits::{MAX_DISBURSEMENTS, MAX_FEES, MAX_INSTALMENTS, MAX_MINOR, MAX_YEAR},
    money::{Currency, Minor},
    parts::{Component, DEFAULT_ORDER},
    period::{Every, Periods},
    rate::Rate,
    round::Rounding,
};

/// How principal and interest are spread over the instalments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Equal instalments; interest on what was disbursed, whatever has been repaid.
    Flat,
    /// Equal instalments; interest on the balance that the schedule leaves, less what was repaid ahead of it.
    Declining,
    /// Equal instalments; interest on the balance of every day, so that paying late costs interest and paying early saves it.
    Daily,
    /// Equal parts of the principal; interest as for declining.
    EqualPrincipal,
    /// The principal with the last instalment; interest as for declining.
    Bullet,
}

/// What becomes of money that is paid before it is due, after the interest accrued so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Prepayment {
    /// It pays the instalments that come next, in their order.
    #[default]
    NextInstalment,
    /// It repays principal of the last instalments; those before keep their principal.
    LastInstalment,
    /// It repays principal, and the instalments that are left become smaller.
    ReduceInstalment,
    /// It repays principal, the instalments stay as they are, and there are fewer of them.
    ReduceCount,
}

/// Instalments at the start that ask for less.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grace {
    /// How many contain no principal.
    pub principal: u32,
    /// How many contain no interest; it accrues, without interest upon it, and falls due with the instalment after them.
    pub interest: u32,
}

/// Money for the borrower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disbursement {
    /// When.
    pub date: Date,
    /// How much, in minor units.
    pub amount: Minor,
}

/// The terms of one loan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The one currency it is lent and repaid in.
    pub currency: Currency,
    /// What is lent, by date.
    pub disbursements: Vec<Disbursement>,
    /// Nominal annual rate.
    pub rate: Rate,
    /// How it is repaid.
    pub method: Method,
    /// How days become interest.
    pub day_count: DayCount,
    /// When instalments fall due.
    pub periods: Periods,
    /// How many instalments there are.
    pub instalments: u32,
    /// Level instalments are a multiple of so many minor units (rounding point R1). What is level in equal principal is the
    /// principal, which stays exact to the minor unit.
    pub multiple: Minor,
    /// How they become one.
    pub rounding: Rounding,
    /// Whether the first ones ask for less.
    pub grace: Grace,
    /// What is charged besides interest.
    pub fees: Vec<Fee>,
    /// What is charged for paying late.
    pub penalty: Option<Penalty>,
    /// After so many days late the loan does not perform, and from then on interest and penalties are at most the principal outstanding that
    /// day (in duplum, the double), until nothing is overdue.
    pub in_duplum: Option<u16>,
    /// What a payment pays first, of each instalment from the oldest on.
    pub order: [Component; 4],
    /// What is done with money paid ahead.
    pub prepayment: Prepayment,
}

impl Terms {
    /// Terms without grace, fees and penalties, with instalments to the minor unit.
    #[must_use]
    pub fn new(
        currency: Currency,
        first: Disbursement,
        rate: Rate,
        first_due: Date,
        every: Every,
        instalments: u32,
    ) -> Self {
        Self {
            currency,
            disbursements: vec![first],
            rate,
            method: Method::Declining,
            day_count: DayCount::Thirty360,
            periods: Periods::new(first_due, every),
            instalments,
            multiple: 1,
            rounding: Rounding::HalfEven,
            grace: Grace::default(),
            fees: Vec::new(),
            penalty: None,
            in_duplum: None,
            order: DEFAULT_ORDER,
            prepayment: Prepayment::default(),
        }
    }

    /// All that is lent.
    #[must_use]
    pub fn principal(&self) -> Minor {
        self.disbursements.iter().map(|disbursement| disbursement.amount).sum()
    }

    /// Due date of an instalment, counted from 0.
    #[must_use]
    pub fn due(&self, instalment: u32) -> Date {
        self.periods.end(instalment.cast_signed())
    }

    /// Whether the terms can be calculated.
    ///
    /// # Errors
    /// The first thing about them that cannot.
    pub fn check(&self) -> Result<(), Error> {
        bounded("the number of instalments", self.instalments.into(), 1, MAX_INSTALMENTS.into())?;
        bounded("the number of disbursements", self.disbursements.len() as u64, 1, MAX_DISBURSEMENTS as u64)?;
        bounded("the number of fees", self.fees.len() as u64, 0, MAX_FEES as u64)?;
        let below = u64::from(self.instalments) - 1;
        bounded("the instalments of grace on principal", self.grace.principal.into(), 0, below)?;
        bounded("the instalments of grace on interest", self.grace.interest.into(), 0, below)?;
        positive("the multiple of instalments", self.multiple)?;
        self.disbursements.iter().try_for_each(|disbursement| positive("a disbursement", disbursement.amount))?;
        self.fees.iter().try_for_each(Fee::check)?;
        self.penalty.as_ref().map_or(Ok(()), Penalty::check)?;
        if self.principal() > MAX_MINOR {
            return Err(Error::AmountTooLarge(self.currency.format(self.principal())));
        }
        if self.fees_on_disbursement() >= self.principal() {
            return Err(Error::NotPositive("what is left of the principal after fees"));
        }
        self.check_dates()
    }

    fn check_dates(&self) -> Result<(), Error> {
        let (first_due, last_due) = (self.due(0), self.due(self.instalments - 1));
        let is_sorted = self.disbursements.is_sorted_by_key(|disbursement| disbursement.date);
        let (Some(first), Some(last), true) = (self.disbursements.first(), self.disbursements.last(), is_sorted) else {
            return Err(Error::NoDisbursement);
        };
        if first.date >= first_due {
            return Err(Error::DueTooEarly(first_due, first.date));
        }
        if last_due.year() > MAX_YEAR {
            return Err(Error::NoSuchDate(last_due.to_string()));
        }
        if last.date >= last_due {
            return Err(Error::DisbursedTooLate(last.date, last_due));
        }
        Ok(())
    }

    /// Fees that are kept back from what is disbursed.
    #[must_use]
    pub fn fees_on_disbursement(&self) -> Minor {
        self.fees.iter().map(|fee| fee.on_disbursement(self.principal())).sum()
    }

    /// Fees that fall due with an instalment, counted from 0.
    #[must_use]
    pub fn fees_on_instalment(&self, instalment: u32) -> Minor {
        self.fees.iter().map(|fee| fee.on_instalment(self.principal(), instalment)).sum()
    }
}

pub(crate) fn bounded(what: &'static str, count: u64, min: u64, max: u64) -> Result<(), Error> {
    if (min..=max).contains(&count) { Ok(()) } else { Err(Error::OutOfBounds { what, min, max }) }
}

pub(crate) fn positive(what: &'static str, amount: Minor) -> Result<(), Error> {
    if amount <= 0 {
        return Err(Error::NotPositive(what));
    }
    if amount > MAX_MINOR { Err(Error::AmountTooLarge(amount.to_string())) } else { Ok(()) }
}
