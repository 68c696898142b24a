//! Prompts: a question appears on a telephone, and is answered, refused, or left to expire.

use super::{Key, Order, Outcome, Problem, Task, World, WorldError, execute::written};
use crate::phone::{Habit, Prompt, Rail};

/// How long a question stays: a minute with M-PESA, five with MTN.
const fn patience_ms(rail: Rail) -> i64 {
    match rail {
        Rail::Daraja => 60_000,
        Rail::MtnMomo => 300_000,
    }
}

impl World {
    /// Whether a telephone is being asked something.
    pub(crate) fn is_asked(&self, msisdn: &str) -> bool {
        self.phones.get(msisdn).is_some_and(|phone| phone.prompt.is_some())
    }

    pub(super) fn show_prompt(&mut self, key: &Key, order: &Order) {
        let text = format!(
            "Do you want to pay {} to BRAID, account {}?",
            written(order.rail, order.amount_minor),
            order.reference
        );
        let asked_at_ms = self.now_ms;
        let approval_ms = self.payments.get(key).map_or(0, |payment| payment.fate.approval_ms);
        let problem = match self.phones.get_mut(&order.msisdn).filter(|phone| phone.rail == order.rail) {
            None => Some(Problem::NotRegistered),
            Some(phone) if phone.is_locked() => Some(Problem::Locked),
            Some(phone) if phone.habit == Habit::Off || phone.prompt.is_some() => Some(Problem::Unreachable),
            Some(phone) => {
                phone.prompt = Some(Prompt { payment: order.id.clone(), text, asked_at_ms });
                None
            }
        };
        match problem {
            Some(problem) => self.conclude(key, Outcome::Failed(problem)),
            None => {
                self.plan(asked_at_ms + patience_ms(order.rail), Task::Expire(key.clone()));
                self.plan_answer(key, approval_ms);
            }
        }
    }

    /// What the holder does without anybody on the page.
    pub(super) fn answer_by_habit(&mut self, key: &Key) {
        let Some(payment) = self.payments.get(key).filter(|payment| payment.outcome.is_none()).cloned() else { return };
        let Some(phone) = self.phones.get(&payment.order.msisdn) else { return };
        let (msisdn, pin) = (phone.msisdn.clone(), phone.pin.clone());
        let is_mistyped = phone.habit == Habit::WrongPin || payment.fate.mistypes;
        let answer = match phone.habit {
            Habit::Approve | Habit::WrongPin => Some(if is_mistyped { other_than(&pin) } else { pin }),
            Habit::Refuse => None,
            Habit::Ask | Habit::Ignore | Habit::Off => return,
        };
        // There is a prompt: the payment has no outcome yet.
        let _ = self.answer(&msisdn, answer.as_deref());
    }

    /// Answers the question on a telephone: with a PIN, or by refusing.
    ///
    /// # Errors
    /// If there is no such telephone, or it is asked nothing.
    pub(crate) fn answer(&mut self, msisdn: &str, pin: Option<&str>) -> Result<(), WorldError> {
        let phone = self.phone_mut(msisdn)?;
        let rail = phone.rail;
        let prompt = phone.prompt.take().ok_or(WorldError::NoPrompt)?;
        let problem = match pin {
            None => Some(Problem::Cancelled),
            Some(pin) if !phone.enters(pin) => Some(Problem::WrongPin),
            Some(_) => None,
        };
        let key = Key { rail, id: prompt.payment };
        let Some(order) = self.payments.get(&key).map(|payment| payment.order.clone()) else {
            return Err(WorldError::NoPrompt);
        };
        let outcome = match problem {
            Some(problem) => Outcome::Failed(problem),
            None => self.collect(&order),
        };
        self.conclude(&key, outcome);
        Ok(())
    }

    pub(super) fn expire(&mut self, key: &Key) {
        let Some(payment) = self.payments.get(key).filter(|payment| payment.outcome.is_none()) else { return };
        let msisdn = payment.order.msisdn.clone();
        if let Some(phone) = self.phones.get_mut(&msisdn) {
            phone.prompt = None;
        }
        self.conclude(key, Outcome::Failed(Problem::Expired));
    }
}

/// A PIN that is not this one.
fn other_than(pin: &str) -> String {
    if pin == "0000" { "1111".to_owned() } else { "0000".to_owned() }
}
