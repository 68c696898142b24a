//! One loan, replayed from its terms and its payments: what falls due when, what has been paid, what would settle it.
//!
//! A loan is a deterministic machine without a clock. Events arrive in the order of their dates; on one day instalments fall due
//! first, then money is disbursed, then payments arrive. A payment that was booked late is put in its place by replaying.
//!
//! **Accrual.** Interest grows in segments in which the balance does not change, and each segment is rounded by itself
//! (R2). Which balance depends on the method: what was lent, while principal is to fall due (flat), every cent outstanding (daily), or what the schedule leaves,
//! less what was repaid ahead of it (the others), so that paying late is a matter of penalties, not of interest.
//!
//! **Falling due.** An instalment asks for the interest accrued since the last one and for principal by the plan: what the level
//! instalment leaves after interest, or a fixed part. The last one takes whatever is left (R3), so the principal asked for always
//! adds up to what was lent, and no instalment asks for less than nothing. If the last differs from the others by more minor units
//! than half the number of instalments, the level moves by the difference divided by that number, provided that this brings it closer.
//!
//! **Paying.** Money pays what is due, the oldest instalment first, in the product's order of components. What is left pays the interest
//! accrued so far and then goes where the product's [`Prepayment`](crate::Prepayment) says. Money that would settle the loan settles it.

mod change;
mod pay;
mod plan;
mod view;

#[cfg(test)]
mod tests;

pub use change::{Capitalise, Restructuring};
pub use pay::Receipt;
pub use view::{Line, Schedule, Totals};

use crate::{
    Error,
    date::Date,
    day_count::{interest, share},
    fee::Late,
    limits::MAX_YEAR,
    money::Minor,
    parts::Parts,
    rate::Rate,
    round::half_even,
    terms::{Disbursement, Method, Terms},
};

use plan::Plan;

/// An instalment with all that happened to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instalment {
    /// When it falls due.
    pub due: Date,
    /// What it asks for; nothing but what has been paid ahead of it until it falls due.
    pub charged: Parts,
    /// What has been paid of it.
    pub paid: Parts,
    /// What the lender has waived.
    pub waived: Parts,
    /// What the lender has given up as lost.
    pub written_off: Parts,
    /// What has come in of that afterwards.
    pub recovered: Parts,
    /// What has been moved into another loan by restructuring.
    pub moved: Parts,
    /// Of `paid`, what was repaid on top of what the plan asks for.
    ahead: Parts,
    /// What was brought from a loan before this one, and falls due with this instalment.
    brought: Parts,
    /// Until when lateness has been charged.
    late_until: Date,
}

impl Instalment {
    fn new(due: Date) -> Self {
        let none = Parts::default();
        Self {
            due,
            charged: none,
            paid: none,
            waived: none,
            written_off: none,
            recovered: none,
            moved: none,
            ahead: none,
            brought: none,
            late_until: due,
        }
    }

    /// What is still owed of it.
    #[must_use]
    pub const fn unpaid(&self) -> Parts {
        self.charged.minus(&self.paid).minus(&self.waived).minus(&self.written_off).minus(&self.moved)
    }

    /// Principal and interest paid of what the plan asks for.
    const fn own_paid(&self) -> Parts {
        self.paid.minus(&self.ahead)
    }
}

/// What has become of a loan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It is being repaid.
    Active,
    /// Nothing is owed.
    Settled,
    /// What was owed has been given up.
    WrittenOff,
    /// It goes on as another loan.
    Restructured,
}

impl Status {
    const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Settled => "settled",
            Self::WrittenOff => "written off",
            Self::Restructured => "restructured",
        }
    }
}

/// What happens by itself, in the order of one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    FallsDue,
    /// The loan has been late for so long that what it may cost is limited.
    StopsPerforming,
    Disbursement(usize),
}

/// Who pays while time passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Conduct {
    /// Nobody, but for payments that are given.
    Actual,
    /// The borrower, every instalment on its day.
    AsAgreed,
}

/// A loan up to a day.
#[derive(Clone, Debug)]
pub struct Loan {
    terms: Terms,
    instalments: Vec<Instalment>,
    /// The first instalment that has not fallen due.
    next: usize,
    /// Disbursements that have been made.
    entered: usize,
    plan: Plan,
    status: Status,
    today: Date,
    /// All that was lent.
    lent: Minor,
    /// Of it, what flat interest is asked for.
    flat_base: Minor,
    /// Principal that has not been repaid.
    outstanding: Minor,
    /// Of it, what has fallen due.
    arrears: Minor,
    /// Interest since the last instalment fell due, paid or not.
    accrued: Minor,
    accrued_to: Date,
    /// Interest of instalments with grace, not yet asked for.
    deferred: Minor,
    overpaid: Minor,
    /// What interest and penalties may still be charged, once the loan does not perform.
    room: Option<Minor>,
}

impl Loan {
    /// A loan on the day of its first disbursement.
    ///
    /// # Errors
    /// If the terms cannot be calculated.
    pub fn new(terms: Terms) -> Result<Self, Error> {
        terms.check()?;
        let start = terms.disbursements.first().ok_or(Error::NoDisbursement)?.date;
        let instalments = (0..terms.instalments).map(|at| Instalment::new(terms.due(at))).collect();
        let mut loan = Self {
            instalments,
            next: 0,
            entered: 0,
            plan: Plan::Level(0),
            status: Status::Active,
            today: start,
            lent: 0,
            flat_base: 0,
            outstanding: 0,
            arrears: 0,
            accrued: 0,
            accrued_to: start,
            deferred: 0,
            overpaid: 0,
            room: None,
            terms,
        };
        loan.pass(start, Conduct::Actual);
        Ok(loan)
    }

    /// Lets time pass, to the end of the day.
    ///
    /// A penalty that grows by the day is rounded whenever time stops: at this call, and at payments.
    ///
    /// # Errors
    /// If the day lies before the one reached, or too far ahead.
    pub fn advance_to(&mut self, date: Date) -> Result<(), Error> {
        self.check_date(date)?;
        self.pass(date, Conduct::Actual);
        self.charge_lateness();
        Ok(())
    }

    /// Lets time pass in which every instalment before that day is paid when it falls due.
    ///
    /// # Errors
    /// If the day lies before the one reached, or too far ahead.
    pub fn keep_to(&mut self, date: Date) -> Result<(), Error> {
        self.check_date(date)?;
        self.pass(date.plus_days(-1), Conduct::AsAgreed);
        self.pass(date, Conduct::Actual);
        Ok(())
    }

    fn check_date(&self, date: Date) -> Result<(), Error> {
        if date < self.today {
            return Err(Error::InThePast(date, self.today));
        }
        if date.year() > MAX_YEAR { Err(Error::NoSuchDate(date.to_string())) } else { Ok(()) }
    }

    /// What happens up to the end of a day: instalments fall due and money is disbursed.
    fn pass(&mut self, until: Date, conduct: Conduct) {
        while let Some((date, event)) =
            self.next_event().filter(|(date, _)| *date <= until && self.status == Status::Active)
        {
            match event {
                Event::FallsDue => self.fall_due(date, conduct),
                Event::StopsPerforming => {
                    self.accrue_to(date);
                    self.room = Some(self.outstanding);
                }
                Event::Disbursement(at) => self.disburse(self.terms.disbursements[at]),
            }
        }
        self.today = self.today.max(until);
    }

    fn next_event(&self) -> Option<(Date, Event)> {
        let due = self.instalments.get(self.next).map(|instalment| (instalment.due, Event::FallsDue));
        let disbursed = self.terms.disbursements.get(self.entered);
        let disbursed = disbursed.map(|disbursement| (disbursement.date, Event::Disbursement(self.entered)));
        let stops = self.stops_performing().map(|date| (date, Event::StopsPerforming));
        [due, stops, disbursed].into_iter().flatten().min()
    }

    fn stops_performing(&self) -> Option<Date> {
        let days = self.terms.in_duplum.filter(|_| self.room.is_none())?;
        let oldest = self.instalments[..self.next].iter().find(|instalment| instalment.unpaid().total() > 0)?;
        Some(oldest.due.plus_days(days.into()))
    }

    fn disburse(&mut self, disbursement: Disbursement) {
        self.accrue_to(disbursement.date);
        self.lent += disbursement.amount;
        self.flat_base += disbursement.amount;
        self.outstanding += disbursement.amount;
        self.entered += 1;
        self.plan_anew();
    }

    fn fall_due(&mut self, due: Date, conduct: Conduct) {
        self.accrue_to(due);
        let at = self.next;
        self.charge(at);
        self.next += 1;
        if self.base() == 0 {
            self.end_flat_interest();
        }
        if conduct == Conduct::AsAgreed {
            let instalment = &mut self.instalments[at];
            instalment.paid = instalment.charged;
            self.repay_arrears();
        }
    }

    /// Makes an instalment ask for what is due.
    fn charge(&mut self, at: usize) {
        let (base, is_last) = (self.base(), at + 1 == self.instalments.len());
        let instalment = self.instalments[at];
        let own_paid = instalment.own_paid();
        let own_interest = self.accrued - instalment.ahead.interest;
        let planned = if is_last { own_paid.principal + base } else { self.planned_principal(at, own_interest) };
        let principal = planned.clamp(own_paid.principal, own_paid.principal + base);
        let carried = if is_last { 0 } else { self.carried(own_interest, principal, &own_paid) };
        // What was paid ahead stays paid, should less have accrued.
        let mut interest = (own_interest - carried).max(own_paid.interest);
        if at < self.terms.grace.interest as usize && !is_last {
            self.deferred += interest - own_paid.interest;
            interest = own_paid.interest;
        } else {
            interest += std::mem::take(&mut self.deferred);
        }
        let is_idle = base == 0 && principal == 0 && interest == 0;
        let own = Parts { principal, interest, fees: if is_idle { 0 } else { self.fees(at) }, penalties: 0 };
        self.instalments[at].charged = own.plus(&instalment.ahead).plus(&instalment.brought);
        self.instalments[at].brought = Parts::default();
        self.arrears += principal - own_paid.principal;
        self.accrued = carried;
    }

    /// No principal is left to fall due: flat interest ends, and what was paid ahead of it pays what is overdue.
    fn end_flat_interest(&mut self) {
        self.flat_base = 0;
        if self.terms.method == Method::Flat {
            let spare = self.use_otherwise(Minor::MAX);
            self.overpaid += self.pay_due(spare);
        }
    }

    /// What a period goes on accruing after its level instalment has been paid ahead: it falls due with the next one.
    fn carried(&self, own_interest: Minor, principal: Minor, own_paid: &Parts) -> Minor {
        match self.plan {
            Plan::Level(level) if own_paid.principal > 0 => {
                (own_interest - own_paid.interest.max(level - principal)).max(0)
            }
            Plan::Level(_) | Plan::Principal(_) => 0,
        }
    }

    fn fees(&self, at: usize) -> Minor {
        u32::try_from(at).map_or(0, |at| self.terms.fees_on_instalment(at))
    }

    /// Principal that has not fallen due.
    const fn base(&self) -> Minor {
        self.outstanding - self.arrears
    }

    /// Looks ahead as if everything overdue had been paid: nothing is late any more.
    const fn catch_up(&mut self) {
        self.repay_arrears();
        (self.terms.in_duplum, self.room) = (None, None);
    }

    const fn repay_arrears(&mut self) {
        self.outstanding -= self.arrears;
        self.arrears = 0;
    }

    /// The balance on which interest accrues.
    fn bearing(&self) -> Minor {
        match self.terms.method {
            Method::Flat if self.next == self.instalments.len() => 0,
            Method::Flat => self.flat_base,
            Method::Daily => self.outstanding,
            Method::Declining | Method::EqualPrincipal | Method::Bullet => self.base(),
        }
    }

    fn interest_between(&self, balance: Minor, from: Date, to: Date) -> Minor {
        if to <= from {
            return 0;
        }
        interest(balance, self.terms.rate, share(self.terms.day_count, self.terms.periods, from, to))
    }

    /// Interest since the last segment ended, as far as there is room for it.
    fn segment(&self, date: Date) -> Minor {
        let interest = self.interest_between(self.bearing(), self.accrued_to, date);
        interest.min(self.room.unwrap_or(Minor::MAX))
    }

    /// Ends a segment of accrual. After the last due date, interest falls due as it accrues.
    fn accrue_to(&mut self, date: Date) {
        let segment = self.segment(date);
        self.room = self.room.map(|room| room - segment);
        let is_after_all = self.next == self.instalments.len();
        match self.instalments.last_mut().filter(|_| is_after_all) {
            Some(last) => last.charged.interest += segment,
            None => self.accrued += segment,
        }
        self.accrued_to = self.accrued_to.max(date);
    }

    /// Interest accrued to this day that nobody has paid and no instalment asks for; below zero if flat interest was paid ahead.
    fn accrued_unpaid(&self) -> Minor {
        let segment = self.segment(self.today);
        let paid: Minor = self.instalments[self.next..].iter().map(|instalment| instalment.paid.interest).sum();
        self.accrued + segment - paid
    }

    /// Charges what the terms ask for instalments that are late.
    fn charge_lateness(&mut self) {
        let Some(penalty) = self.terms.penalty.filter(|_| self.status == Status::Active) else { return };
        let mut room = penalty.cap.map_or(Minor::MAX, |cap| cap.of(self.lent) - self.totals().charged.penalties);
        for instalment in &mut self.instalments[..self.next] {
            let unpaid = instalment.unpaid();
            let free_until = instalment.due.plus_days(penalty.grace_days.into());
            if self.today <= free_until || self.today <= instalment.late_until || unpaid.total() == unpaid.penalties {
                continue;
            }
            let asked = match penalty.late {
                Late::Once(_) if instalment.late_until > instalment.due => 0,
                Late::Once(charge) => charge.on(unpaid.total() - unpaid.penalties),
                Late::Daily(rate) => late_interest(unpaid.principal, rate, instalment.late_until, self.today),
            };
            let charged = asked.min(room).min(self.room.unwrap_or(Minor::MAX)).max(0);
            room -= charged;
            self.room = self.room.map(|room| room - charged);
            instalment.charged.penalties += charged;
            instalment.late_until = self.today;
        }
    }
}

fn late_interest(principal: Minor, rate: Rate, from: Date, to: Date) -> Minor {
    half_even(principal * rate.millionths() * i128::from(to.days_since(from)), crate::rate::WHOLE * 365)
}
