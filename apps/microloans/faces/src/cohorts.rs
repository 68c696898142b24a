//! Loans by the month of their payout, so that nobody can be picked out.
//!
//! Months follow one another; as long as those gathered have fewer than [`K`] persons, the next one is added, and what is left at the end goes to the row before
//! it. So every loan is in exactly one row, every row has at least [`K`] persons, and no difference of two rows or of a total and rows is about fewer. If there are
//! fewer persons in all, there are no rows.

use std::collections::BTreeSet;

use braid_microloans_arithmetic::{Date, Minor};
use braid_microloans_ledger::{LoanState, PersonId, loans::report::Standing};

/// The fewest persons behind a figure that everybody may see.
pub(crate) const K: usize = 10;

/// Loans of some months.
#[derive(Clone, Debug)]
pub(crate) struct Cohort {
    /// A day of the first month, and one of the last.
    pub(crate) months: (Date, Date),
    pub(crate) persons: BTreeSet<PersonId>,
    pub(crate) loans: usize,
    pub(crate) lent: Minor,
    pub(crate) outstanding: Minor,
    /// Outstanding of loans that are more than 30 days late, or were restructured.
    pub(crate) at_risk: Minor,
    pub(crate) repaid: usize,
    pub(crate) lost: usize,
}

impl Cohort {
    fn of(loan: &Standing) -> Self {
        let is_at_risk = loan.days_late > 30 || loan.state == LoanState::Restructured;
        let is_lost = matches!(loan.state, LoanState::ChargedOff | LoanState::Recovered | LoanState::WrittenOffClosed);
        let is_repaid = matches!(loan.state, LoanState::Closed | LoanState::Overpaid | LoanState::RefundPending);
        Self {
            months: (loan.disbursed_on, loan.disbursed_on),
            persons: BTreeSet::from([loan.person.clone()]),
            loans: 1,
            lent: loan.principal,
            outstanding: loan.outstanding,
            at_risk: if is_at_risk { loan.outstanding } else { 0 },
            repaid: is_repaid.into(),
            lost: is_lost.into(),
        }
    }

    fn take(&mut self, other: Self) {
        self.months = (self.months.0.min(other.months.0), self.months.1.max(other.months.1));
        self.persons.extend(other.persons);
        self.loans += other.loans;
        self.lent += other.lent;
        self.outstanding += other.outstanding;
        self.at_risk += other.at_risk;
        self.repaid += other.repaid;
        self.lost += other.lost;
    }

    fn is_of_month(&self, day: Date) -> bool {
        let (one, other) = (self.months.1.civil(), day.civil());
        (one.0, one.1) == (other.0, other.1)
    }
}

/// The rows that may be shown, by month.
pub(crate) fn cohorts<'a>(loans: impl Iterator<Item = &'a Standing>) -> Vec<Cohort> {
    let mut loans: Vec<&Standing> = loans.collect();
    loans.sort_by_key(|loan| loan.disbursed_on);
    let mut rows: Vec<Cohort> = Vec::new();
    let mut gathered: Option<Cohort> = None;
    for loan in loans {
        let is_full =
            gathered.as_ref().is_some_and(|cohort| cohort.persons.len() >= K && !cohort.is_of_month(loan.disbursed_on));
        if is_full {
            rows.extend(gathered.take());
        }
        match &mut gathered {
            Some(cohort) => cohort.take(Cohort::of(loan)),
            None => gathered = Some(Cohort::of(loan)),
        }
    }
    match (gathered, rows.last_mut()) {
        (Some(cohort), _) if cohort.persons.len() >= K => rows.push(cohort),
        (Some(cohort), Some(last)) => last.take(cohort),
        _ => {}
    }
    rows
}

#[cfg(test)]
mod tests {
    use braid_microloans_ledger::LoanId;
    use proptest::prelude::*;

    use super::*;

    fn person(number: u32) -> PersonId {
        format!("00000000-0000-4000-8000-{number:012}").parse().unwrap()
    }

    fn loan(of: u32, months: i32) -> Standing {
        Standing {
            id: LoanId::random().unwrap(),
            code: String::new(),
            person: person(of),
            country: "KE".to_owned(),
            currency: "KES".parse().unwrap(),
            principal: 1_000,
            state: LoanState::Active,
            disbursed_on: "2026-01-15".parse::<Date>().unwrap().plus_months(months),
            outstanding: 600,
            overdue: 0,
            days_late: 0,
        }
    }

    #[test]
    fn few_persons_are_not_shown() {
        let loans: Vec<Standing> = (0..9).map(|at| loan(at, 0)).collect();
        assert!(cohorts(loans.iter()).is_empty());
        let many: Vec<Standing> = (0..40).map(|at| loan(at % 9, 0)).collect();
        assert!(cohorts(many.iter()).is_empty(), "many loans of nine persons");
    }

    #[test]
    fn what_is_left_goes_to_the_row_before() {
        let loans: Vec<Standing> = (0..10).map(|at| loan(at, 0)).chain([loan(50, 1)]).collect();
        let rows = cohorts(loans.iter());
        assert_eq!((rows.len(), rows[0].loans, rows[0].lent), (1, 11, 11_000));
    }

    proptest! {
        #[test]
        fn every_loan_is_in_one_row_of_ten_persons(lent in prop::collection::vec((0_u32..60, 0_i32..12), 0..200)) {
            let loans: Vec<Standing> = lent.iter().map(|(of, months)| loan(*of, *months)).collect();
            let rows = cohorts(loans.iter());
            let persons: BTreeSet<u32> = lent.iter().map(|(of, _)| *of).collect();
            prop_assert!(rows.iter().all(|row| row.persons.len() >= K));
            let shown: usize = rows.iter().map(|row| row.loans).sum();
            prop_assert!(shown == loans.len() || (rows.is_empty() && persons.len() < K));
            prop_assert!(rows.windows(2).all(|pair| pair[0].months.1 < pair[1].months.0));
        }
    }
}
