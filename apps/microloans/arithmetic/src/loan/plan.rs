//! How much principal the instalments to come ask for.

use super::{Conduct, Loan};
use crate::{
    day_count::share,
    level::{Period, level},
    money::Minor,
    rate::Rate,
    round::{Rounding, half_even},
    terms::Method,
};

/// A plan of repayment.
#[derive(Clone, Debug)]
pub(super) enum Plan {
    /// Principal and interest together are this much.
    Level(Minor),
    /// The principal of each instalment.
    Principal(Vec<Minor>),
}

impl Loan {
    /// Principal that the plan asks for with an instalment, before it is bounded by what there is.
    pub(super) fn planned_principal(&self, at: usize, own_interest: Minor) -> Minor {
        if self.is_graced(at) {
            return 0;
        }
        match &self.plan {
            Plan::Level(level) => level - own_interest,
            Plan::Principal(principal) => principal.get(at).copied().unwrap_or(0),
        }
    }

    pub(super) const fn is_graced(&self, at: usize) -> bool {
        at < self.terms.grace.principal as usize
    }

    /// Spreads what is owed over the instalments that are left.
    pub(super) fn plan_anew(&mut self) {
        self.plan = match self.terms.method {
            Method::Bullet => Plan::Principal(Vec::new()),
            Method::EqualPrincipal => Plan::Principal(self.equal_principal()),
            Method::Flat => {
                Plan::Level(level(&self.flat_periods(), Rate::ZERO, self.terms.multiple, self.terms.rounding))
            }
            Method::Declining | Method::Daily => {
                let level = level(&self.periods(), self.terms.rate, self.terms.multiple, self.terms.rounding);
                Plan::Level(self.evened(level))
            }
        };
    }

    /// Instalments to come that repay principal.
    fn repaying(&self) -> impl Iterator<Item = usize> {
        (self.next..self.instalments.len()).filter(|at| !self.is_graced(*at))
    }

    fn equal_principal(&self) -> Vec<Minor> {
        let ahead: Minor = self.repaying().map(|at| self.instalments[at].own_paid().principal).sum();
        let count = i128::try_from(self.repaying().count().max(1)).unwrap_or(1);
        vec![half_even(self.base() + ahead, count); self.instalments.len()]
    }

    /// Periods of instalments on a balance that shrinks. In grace on principal, interest is paid apart and nothing grows.
    fn periods(&self) -> Vec<Period> {
        let mut periods: Vec<Period> = (self.next..self.instalments.len())
            .map(|at| {
                let is_paying = !self.is_graced(at);
                let due = self.instalments[at].due;
                let start = self.start(at);
                let growth = is_paying.then(|| share(self.terms.day_count, self.terms.periods, start, due));
                let paid = if is_paying { self.instalments[at].own_paid().principal } else { 0 };
                Period { share: growth, entering: vec![(paid, None)], pays: is_paying }
            })
            .collect();
        if let (Some(first), Some(instalment)) = (periods.first_mut(), self.instalments.get(self.next)) {
            let growth = first.pays.then(|| {
                share(self.terms.day_count, self.terms.periods, self.accrued_to.min(instalment.due), instalment.due)
            });
            first.entering.push((self.base(), growth));
            if first.pays {
                first.entering.push((self.accrued - instalment.ahead.interest, None));
            }
        }
        periods.iter_mut().for_each(|period| period.entering.retain(|(amount, _)| *amount != 0));
        periods
    }

    /// The same for flat interest, which is known beforehand: what has to be paid is shared out.
    fn flat_periods(&self) -> Vec<Period> {
        let first = (self.base(), None);
        let mut periods: Vec<Period> = self
            .repaying()
            .map(|at| {
                let own = self.flat_interest(at) + self.instalments[at].own_paid().principal;
                Period { share: None, entering: vec![(own, None)], pays: true }
            })
            .collect();
        periods.iter_mut().take(1).for_each(|period| period.entering.push(first));
        periods
    }

    /// Flat interest of an instalment to come, but for what was paid on top of the plan.
    pub(super) fn flat_interest(&self, at: usize) -> Minor {
        let due = self.instalments[at].due;
        if at == self.next {
            let rest = self.interest_between(self.flat_base, self.accrued_to, due);
            return self.accrued + rest - self.instalments[at].ahead.interest;
        }
        self.interest_between(self.flat_base, self.start(at), due)
    }

    /// The day on which the period of an instalment begins.
    fn start(&self, at: usize) -> crate::Date {
        at.checked_sub(1).map_or(self.accrued_to, |before| self.instalments[before].due)
    }

    /// Moves a level towards the last instalment if that is far from it; see the module above.
    fn evened(&self, level: Minor) -> Minor {
        let count = i128::try_from(self.repaying().count()).unwrap_or(i128::MAX);
        let off = self.last_at(level) - level;
        if self.terms.rounding == Rounding::Up || count < 2 || off.abs() <= count / 2 {
            return level;
        }
        let multiple = self.terms.multiple;
        let moved = half_even(level + half_even(off, count), multiple) * multiple;
        if moved > 0 && moved != level && (self.last_at(moved) - moved).abs() < off.abs() { moved } else { level }
    }

    /// What the last instalment is at a level.
    fn last_at(&self, level: Minor) -> Minor {
        let mut trial = self.clone();
        trial.plan = Plan::Level(level);
        trial.terms.grace.interest = 0;
        let instalments = trial.kept();
        instalments.last().map_or(0, |last| last.charged.principal + last.charged.interest - last.ahead.total())
    }

    /// The principal that instalments to come ask for as planned.
    pub(super) fn planned(&self) -> Vec<Minor> {
        let mut trial = self.clone();
        trial.terms.grace.interest = 0;
        trial.kept().iter().map(|instalment| instalment.charged.principal - instalment.ahead.principal).collect()
    }

    /// What the instalments are if nothing more is disbursed and all are paid on their days.
    fn kept(mut self) -> Vec<super::Instalment> {
        self.terms.disbursements.truncate(self.entered);
        self.catch_up();
        if let Some(last) = self.instalments.last() {
            let end = last.due;
            self.pass(end, Conduct::AsAgreed);
        }
        self.instalments
    }
}
