//! Loans that look as if nobody had borrowed them. Who invents borrowers takes the money once: nothing is ever paid on such loans, and the same hands have decided on them or taken their
//! consent. So loans are put together by these hands, and a group is told of in which far more are silent than in all others together. It is a reason to visit borrowers, and no proof.

use std::collections::BTreeMap;

use braid_microloans_arithmetic::Date;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    LedgerError, limits,
    store::{Columns as _, Source},
};

/// How long after its first instalment fell due a loan on which nothing was paid is silent, in days.
pub const SILENT_DAYS: i32 = 30;
/// Groups with fewer silent loans are not told of.
const LEAST_SILENT: u64 = 5;
/// Nor are those with a smaller part of them, in percent,
const LEAST_PERCENT: u64 = 20;
/// or less than so many times the part that is silent elsewhere.
const TIMES_OTHERS: u64 = 2;

/// A group of loans of which many are silent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Oddity {
    /// What they have in common: `decided_by` two people or the product's rules, or the consent was `taken_by` a caller of the service.
    pub pattern: String,
    /// By whom.
    pub who: String,
    /// How many were paid out whose first instalment fell due long enough ago.
    pub loans: u64,
    /// On how many of them nothing was ever paid.
    pub silent: u64,
    /// The same of all other loans.
    pub others: u64,
    /// Silent ones among these.
    pub others_silent: u64,
}

#[derive(Clone, Copy, Default)]
struct Count {
    loans: u64,
    silent: u64,
}

impl Count {
    fn is_odd(self, others: Self) -> bool {
        others.loans > 0
            && self.silent >= LEAST_SILENT
            && self.silent * 100 >= self.loans * LEAST_PERCENT
            && self.silent * others.loans >= TIMES_OTHERS * others.silent * self.loans
    }
}

/// What looks odd on a day, the largest groups of silent loans first.
///
/// # Errors
/// If the database fails.
pub async fn oddities(source: &mut impl Source, day: Date) -> Result<Vec<Oddity>, LedgerError> {
    let before = day.plus_days(-SILENT_DAYS).to_string();
    let mut all = Count::default();
    let mut groups = BTreeMap::<(&str, String), Count>::new();
    let mut after = String::new();
    loop {
        let query = sqlx::query(
            "SELECT loan.id,
                (SELECT COUNT(*) FROM payment WHERE payment.loan = loan.id AND payment.state = 'allocated') AS payments,
                (SELECT MAX(maker || ' + ' || checker) FROM approval
                    WHERE approval.kind = 'offer' AND approval.subject = loan.id AND decision = 'approved') AS deciders,
                (SELECT MAX(actor) FROM loan_event WHERE loan_event.loan = loan.id AND kind = 'KfsAccepted') AS taker
            FROM loan WHERE disbursed_on IS NOT NULL AND first_due <= $1 AND id > $2 ORDER BY id LIMIT $3",
        );
        let rows = query.bind(&before).bind(&after).bind(limits::MAX_ROWS).fetch_all(source.rows()).await?;
        let Some(last) = rows.last() else { break };
        after = last.text("id")?;
        for row in &rows {
            let silent = u64::from(row.number("payments")? == 0);
            let deciders = row.optional("deciders")?.unwrap_or_else(|| "the product's rules".to_owned());
            let taker = row.optional("taker")?.unwrap_or_default();
            let add = |count: &mut Count| {
                count.loans += 1;
                count.silent += silent;
            };
            add(&mut all);
            for key in [("decided_by", deciders), ("taken_by", taker)] {
                add(groups.entry(key).or_default());
            }
        }
    }
    let odd = |((pattern, who), count): ((&str, String), Count)| {
        let others = Count { loans: all.loans - count.loans, silent: all.silent - count.silent };
        count.is_odd(others).then(|| Oddity {
            pattern: pattern.to_owned(),
            who,
            loans: count.loans,
            silent: count.silent,
            others: others.loans,
            others_silent: others.silent,
        })
    };
    let mut found: Vec<_> = groups.into_iter().filter_map(odd).collect();
    found.sort_by_key(|oddity| std::cmp::Reverse(oddity.silent));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_silent_loans_are_odd_where_others_speak() {
        let count = |loans, silent| Count { loans, silent };
        assert!(count(10, 5).is_odd(count(100, 20)));
        assert!(!count(10, 4).is_odd(count(100, 0)), "too few");
        assert!(!count(100, 19).is_odd(count(100, 0)), "too small a part");
        assert!(!count(10, 5).is_odd(count(100, 26)), "others are hardly better");
        assert!(!count(10, 5).is_odd(count(0, 0)), "nothing to compare it with");
    }
}
