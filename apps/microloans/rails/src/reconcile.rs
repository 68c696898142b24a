//! Reconciliation: a provider's statement beside our payment legs. What both know is matched; the rest is named, and nothing is forgotten.
//!
//! A line and a leg belong together if they go the same way and, in this order of strength, carry the same correlation ID; or the same
//! receipt; or neither of them can be told by those (a prompt whose callback was lost has no receipt here, and none of our IDs there) and
//! reference and amount are the same, if there is only one such line and only one such leg. A weaker sign never takes what a stronger one has taken.
//!
//! The result does not depend on the order in which lines and legs are given.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::{
    CorrelationId,
    port::{Direction, Purpose, Span, StatementLine},
};
use braid_microloans_arithmetic::Money;

/// What our books say of a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// The money moved.
    Succeeded,
    /// No money moved.
    Failed,
    /// Not known yet.
    Open,
}

/// A payment leg of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    /// Our ID, unique among the legs.
    pub correlation: CorrelationId,
    /// Into our account or out of it.
    pub direction: Direction,
    /// What was to move, or what moved.
    pub amount: Money,
    /// The loan's code.
    pub reference: String,
    /// The provider's receipt, if known.
    pub receipt: Option<String>,
    /// What our books say.
    pub standing: Standing,
    /// When the provider says that it happened, or when we learnt of it.
    pub at: Timestamp,
}

/// A line and a leg that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Ours.
    pub leg: CorrelationId,
    /// What our books say of it.
    pub standing: Standing,
    /// Theirs.
    pub line: StatementLine,
}

/// What came of comparing. Every payment of the statement stands in exactly one of `matched`, `resolved`, `contradicted`, `amount_differs`,
/// `receipt_differs`, `missing_here` and `repeated`, and every leg in exactly one of the first five, `missing_there`, `still_open` and `rest`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Both say that it happened, with the same amount.
    pub matched: Vec<Pair>,
    /// It happened, and we did not know whether: the leg has succeeded.
    pub resolved: Vec<Pair>,
    /// It happened, and our books say that it failed. For people to decide; nothing is credited by itself.
    pub contradicted: Vec<Pair>,
    /// Both say that it happened, with different amounts.
    pub amount_differs: Vec<Pair>,
    /// Both say that it happened, with different receipts: a callback was believed that should not have been.
    pub receipt_differs: Vec<Pair>,
    /// The statement has it, and we do not: to suspense, or to find out who pays out besides us.
    pub missing_here: Vec<StatementLine>,
    /// We say that it happened, and the statement of that time does not have it.
    pub missing_there: Vec<CorrelationId>,
    /// Not known, and not on the statement: to be asked for once more, or sent again.
    pub still_open: Vec<CorrelationId>,
    /// Legs of which the statement need not know: failed, or of another time.
    pub rest: Vec<CorrelationId>,
    /// Lines that stand in the statement more than once: all but the first.
    pub repeated: Vec<StatementLine>,
    /// What the provider charged. Not compared with legs.
    pub charges: Vec<StatementLine>,
}

impl Report {
    /// Whether there is nothing for anybody to do.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.resolved.is_empty()
            && self.contradicted.is_empty()
            && self.amount_differs.is_empty()
            && self.receipt_differs.is_empty()
            && self.missing_here.is_empty()
            && self.missing_there.is_empty()
            && self.still_open.is_empty()
            && self.repeated.is_empty()
    }
}

/// Compares the statement of a stretch of time with our legs. Legs of before and after it should be among them, as far back as a payment
/// may be late; only succeeded legs within `span` are looked for in it.
#[must_use]
pub fn reconcile(statement: &[StatementLine], legs: &[Leg], span: Span) -> Report {
    let mut report = Report::default();
    let lines = payments(statement, &mut report);
    let legs: BTreeMap<CorrelationId, &Leg> = legs.iter().map(|leg| (leg.correlation, leg)).collect();
    let pairs = pair(&lines, &legs);
    let paired: BTreeSet<usize> = pairs.values().copied().collect();
    for (index, line) in lines.iter().enumerate() {
        if !paired.contains(&index) {
            report.missing_here.push((*line).clone());
        }
    }
    for (correlation, leg) in legs {
        match pairs.get(&correlation) {
            Some(&index) => report.judge(leg, lines[index]),
            None => report.without_line(leg, span),
        }
    }
    report
}

impl Report {
    fn judge(&mut self, leg: &Leg, line: &StatementLine) {
        let pair = Pair { leg: leg.correlation, standing: leg.standing, line: line.clone() };
        let list = match leg.standing {
            Standing::Failed => &mut self.contradicted,
            _ if leg.amount != line.amount => &mut self.amount_differs,
            _ if leg.receipt.as_ref().is_some_and(|receipt| *receipt != line.receipt) => &mut self.receipt_differs,
            Standing::Open => &mut self.resolved,
            Standing::Succeeded => &mut self.matched,
        };
        list.push(pair);
    }

    fn without_line(&mut self, leg: &Leg, span: Span) {
        let list = match leg.standing {
            Standing::Open => &mut self.still_open,
            Standing::Succeeded if (span.from..span.to).contains(&leg.at) => &mut self.missing_there,
            Standing::Succeeded | Standing::Failed => &mut self.rest,
        };
        list.push(leg.correlation);
    }
}

/// The lines to compare, in an order of their own, each once.
fn payments<'a>(statement: &'a [StatementLine], report: &mut Report) -> Vec<&'a StatementLine> {
    let mut sorted: Vec<&StatementLine> = statement.iter().collect();
    sorted.sort_by(|a, b| order(a).cmp(&order(b)));
    let mut seen = BTreeSet::new();
    let mut lines = Vec::new();
    for line in sorted {
        if line.purpose == Purpose::Charge {
            report.charges.push(line.clone());
        } else if seen.insert((&line.receipt, line.direction, &line.purpose)) {
            lines.push(line);
        } else {
            report.repeated.push(line.clone());
        }
    }
    lines
}

type Order<'a> = (Timestamp, &'a str, Direction, i128, &'a Purpose, Option<CorrelationId>, Option<&'a str>);

fn order(line: &StatementLine) -> Order<'_> {
    let reference = line.reference.as_deref();
    (line.completed_at, &line.receipt, line.direction, line.amount.minor, &line.purpose, line.correlation, reference)
}

/// The line of each leg that has one.
fn pair(lines: &[&StatementLine], legs: &BTreeMap<CorrelationId, &Leg>) -> BTreeMap<CorrelationId, usize> {
    let mut pairs = BTreeMap::new();
    let mut free: BTreeSet<usize> = (0..lines.len()).collect();
    by_correlation(lines, legs, &mut pairs, &mut free);
    by_receipt(lines, legs, &mut pairs, &mut free);
    by_reference(lines, legs, &mut pairs, &mut free);
    pairs
}

type Pairs = BTreeMap<CorrelationId, usize>;
type Legs<'a> = BTreeMap<CorrelationId, &'a Leg>;

fn by_correlation(lines: &[&StatementLine], legs: &Legs<'_>, pairs: &mut Pairs, free: &mut BTreeSet<usize>) {
    for (index, line) in lines.iter().enumerate() {
        let Some(correlation) = line.correlation else { continue };
        let fits = legs.get(&correlation).is_some_and(|leg| leg.direction == line.direction);
        if fits && !pairs.contains_key(&correlation) {
            pairs.insert(correlation, index);
            free.remove(&index);
        }
    }
}

fn by_receipt(lines: &[&StatementLine], legs: &Legs<'_>, pairs: &mut Pairs, free: &mut BTreeSet<usize>) {
    let mut receipts = BTreeMap::new();
    for &index in free.iter() {
        // A reversal has the receipt of what it reverses in some statements, but goes the other way.
        receipts.entry((lines[index].receipt.as_str(), lines[index].direction)).or_insert(index);
    }
    for (correlation, leg) in legs {
        let Some(receipt) = leg.receipt.as_deref() else { continue };
        if pairs.contains_key(correlation) {
            continue;
        }
        if let Some(index) = receipts.remove(&(receipt, leg.direction)) {
            pairs.insert(*correlation, index);
            free.remove(&index);
        }
    }
}

fn by_reference(lines: &[&StatementLine], legs: &Legs<'_>, pairs: &mut Pairs, free: &mut BTreeSet<usize>) {
    type Key<'a> = (&'a str, Direction, i128, &'a str);
    let mut candidates: BTreeMap<Key<'_>, (Vec<usize>, Vec<CorrelationId>)> = BTreeMap::new();
    for &index in free.iter() {
        let line = lines[index];
        if let (None, Some(reference), Purpose::Payment) = (line.correlation, line.reference.as_deref(), &line.purpose)
        {
            let key = (reference, line.direction, line.amount.minor, line.amount.currency.code());
            candidates.entry(key).or_default().0.push(index);
        }
    }
    for (correlation, leg) in legs {
        let is_nameless = leg.receipt.is_none() && leg.standing != Standing::Failed && !pairs.contains_key(correlation);
        let key = (leg.reference.as_str(), leg.direction, leg.amount.minor, leg.amount.currency.code());
        if is_nameless && let Some(candidates) = candidates.get_mut(&key) {
            candidates.1.push(*correlation);
        }
    }
    for (indices, correlations) in candidates.into_values() {
        if let ([index], [correlation]) = (indices.as_slice(), correlations.as_slice()) {
            pairs.insert(*correlation, *index);
            free.remove(index);
        }
    }
}

#[cfg(test)]
mod tests;
