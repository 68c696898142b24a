//! What may go wrong, how often, and what is in store for one request.

use serde::{Deserialize, Serialize};

use crate::chance::Chance;

/// How often of a thousand times each thing goes wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// The request is turned away with a 503, and not acted upon.
    pub error_before: u16,
    /// The request is acted upon, and answered with a 500.
    pub error_after: u16,
    /// The request is acted upon, and never answered.
    pub no_answer: u16,
    /// The request is acted upon, and the connection breaks in the answer.
    pub broken_answer: u16,
    /// The request lies in a queue and is not answered: it arrives minutes later, and until then nobody has seen it.
    pub held: u16,
    /// The callback does not come.
    pub lost: u16,
    /// The callback comes hours or days later.
    pub late: u16,
    /// The callback comes two or three times.
    pub duplicated: u16,
    /// The callback comes after others that were sent later.
    pub reordered: u16,
    /// The callback comes with another amount, receipt, party or request.
    pub altered: u16,
    /// The provider's queue times out: the time-out is told, and the payment happens all the same, or not.
    pub queue_timeout: u16,
    /// Who approves mistypes the PIN.
    pub wrong_pin: u16,
}

impl Faults {
    /// Nothing goes wrong.
    #[must_use]
    pub fn calm() -> Self {
        Self::default()
    }

    /// Everything goes wrong, a third of the callbacks included.
    #[must_use]
    pub const fn rough() -> Self {
        Self {
            error_before: 40,
            error_after: 40,
            no_answer: 20,
            broken_answer: 40,
            held: 10,
            lost: 90,
            late: 60,
            duplicated: 70,
            reordered: 60,
            altered: 60,
            queue_timeout: 20,
            wrong_pin: 30,
        }
    }

    /// Whether every share is one, and those that exclude each other leave room for calm.
    #[must_use]
    pub fn is_possible(&self) -> bool {
        let answers = [self.error_before, self.error_after, self.no_answer, self.broken_answer, self.held];
        let callbacks = [self.lost, self.late, self.duplicated, self.reordered, self.altered, self.queue_timeout];
        let sum = |shares: &[u16]| shares.iter().map(|share| u32::from(*share)).sum::<u32>();
        sum(&answers) <= 1000 && sum(&callbacks) <= 1000 && self.wrong_pin <= 1000
    }
}

/// How a request is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answering {
    Well,
    ErrorBefore,
    ErrorAfter,
    Never,
    Broken,
    /// It arrives so many milliseconds later.
    Held(i64),
}

/// How its callback comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Calling {
    Well,
    Lost,
    /// Later by so many milliseconds.
    Delayed(i64),
    /// So many times.
    Repeated(i64),
    Altered(Alteration),
    QueueTimeout,
}

/// What is false in a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alteration {
    Amount,
    Receipt,
    Party,
    Request,
}

/// What is in store for one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fate {
    pub(crate) answering: Answering,
    pub(crate) calling: Calling,
    /// From the request to its execution, in milliseconds.
    pub(crate) execution_ms: i64,
    /// From there to its callback.
    pub(crate) callback_ms: i64,
    /// How long the customer thinks.
    pub(crate) approval_ms: i64,
    pub(crate) mistypes: bool,
    /// MTN calls back with PUT at times, and POST at others.
    pub(crate) by_put: bool,
}

const SECOND: i64 = 1000;
const HOUR: i64 = 3600 * SECOND;
/// Longer than any client waits for an answer.
const SHORTEST_HOLD: i64 = 60 * SECOND;
/// Shorter than providers keep a request: Daraja's queue ends after a quarter of an hour.
const LONGEST_HOLD: i64 = 600 * SECOND;

impl Fate {
    /// Draws a fate. The order of draws is part of what a seed means.
    pub(crate) fn draw(mut chance: Chance, faults: &Faults) -> Self {
        let answer = chance.between(0, 999);
        let late = chance.between(HOUR, 72 * HOUR);
        let moved = chance.between(5 * SECOND, 120 * SECOND);
        let times = chance.between(2, 3);
        let alteration = match chance.between(0, 3) {
            0 => Alteration::Amount,
            1 => Alteration::Receipt,
            2 => Alteration::Party,
            _ => Alteration::Request,
        };
        let shares = [
            (faults.lost, Calling::Lost),
            (faults.late, Calling::Delayed(late)),
            (faults.duplicated, Calling::Repeated(times)),
            (faults.reordered, Calling::Delayed(moved)),
            (faults.altered, Calling::Altered(alteration)),
            (faults.queue_timeout, Calling::QueueTimeout),
        ];
        let calling = choose(chance.between(0, 999), &shares).unwrap_or(Calling::Well);
        let execution_ms = chance.between(SECOND / 2, 4 * SECOND);
        let callback_ms = chance.between(SECOND / 5, 2 * SECOND);
        let approval_ms = chance.between(3 * SECOND, 25 * SECOND);
        let mistypes = chance.happens(faults.wrong_pin);
        let by_put = chance.happens(500);
        let held = chance.between(SHORTEST_HOLD, LONGEST_HOLD);
        let shares = [
            (faults.error_before, Answering::ErrorBefore),
            (faults.error_after, Answering::ErrorAfter),
            (faults.no_answer, Answering::Never),
            (faults.broken_answer, Answering::Broken),
            (faults.held, Answering::Held(held)),
        ];
        let answering = choose(answer, &shares).unwrap_or(Answering::Well);
        Self { answering, calling, execution_ms, callback_ms, approval_ms, mistypes, by_put }
    }
}

/// What a number from 0 to 999 falls to, if it falls to anything.
fn choose<T: Copy>(mut drawn: i64, shares: &[(u16, T)]) -> Option<T> {
    for (share, what) in shares {
        if drawn < i64::from(*share) {
            return Some(*what);
        }
        drawn -= i64::from(*share);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_come_about() {
        let faults = Faults::rough();
        assert!(faults.is_possible() && Faults::calm().is_possible());
        assert!(!Faults { lost: 900, late: 200, ..Faults::calm() }.is_possible());
        let fates: Vec<_> = (0..3000).map(|n: u32| Fate::draw(Chance::new(1, &[&n.to_string()]), &faults)).collect();
        let count = |test: fn(&Fate) -> bool| fates.iter().filter(|fate| test(fate)).count();
        let disturbed = count(|fate| fate.calling != Calling::Well);
        assert!((900..1300).contains(&disturbed), "{disturbed}");
        assert!(count(|fate| fate.calling == Calling::Lost) > 150);
        assert!(count(|fate| fate.answering == Answering::Never) > 20);
        let calm = Fate::draw(Chance::new(1, &["x"]), &Faults::calm());
        assert_eq!((calm.answering, calm.calling, calm.mistypes), (Answering::Well, Calling::Well, false));
    }
}
