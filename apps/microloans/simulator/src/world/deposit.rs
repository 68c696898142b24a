//! Deposits: a customer pays from the menu of their telephone, to the organisation's pay bill and an account that they type.

use super::{Callbacks, Key, Kind, Order, Outcome, Problem, Task, World, WorldError};
use crate::{calls, faults::Answering, phone::Rail};

impl World {
    /// Pays in. With M-PESA the organisation is asked first, if it has registered where.
    ///
    /// # Errors
    /// If there is no such telephone, the PIN is wrong, or the money is not there.
    pub(crate) fn pay_in(
        &mut self,
        msisdn: &str,
        pin: &str,
        account: &str,
        amount_minor: i64,
    ) -> Result<Key, WorldError> {
        let phone = self.phone_mut(msisdn)?;
        let rail = phone.rail;
        if phone.is_locked() {
            return Err(WorldError::Declined("the wallet is locked"));
        }
        if !phone.enters(pin) {
            return Err(WorldError::Declined("the PIN is wrong"));
        }
        if amount_minor <= 0 || (rail == Rail::Daraja && amount_minor % 100 != 0) {
            return Err(WorldError::Declined("the amount cannot be paid"));
        }
        if phone.balance_minor < amount_minor {
            return Err(WorldError::Declined("there is not enough money"));
        }
        let mut fate = self.fate(Kind::Deposit, msisdn);
        fate.answering = Answering::Well;
        let count = self.requests.get(&(Kind::Deposit, msisdn.to_owned())).copied().unwrap_or_default();
        let order = Order {
            rail,
            kind: Kind::Deposit,
            id: format!("deposit-{msisdn}-{count}"),
            server_id: String::new(),
            msisdn: msisdn.to_owned(),
            amount_minor,
            reference: account.chars().filter(|c| !c.is_control()).take(20).collect(),
            external_id: String::new(),
            note: String::new(),
            callbacks: Callbacks::default(),
            is_authorised: true,
            about: String::new(),
        };
        let urls = self.deposit_urls.clone().filter(|_| rail == Rail::Daraja);
        let order = match &urls {
            Some(urls) => {
                Order { callbacks: Callbacks { result: urls.confirmation.clone(), timeout: String::new() }, ..order }
            }
            None => order,
        };
        let key = Key { rail, id: order.id.clone() };
        match urls {
            Some(urls) => {
                let validation = calls::validation(&order, self.now_ms, &urls.validation, key.clone());
                self.hold(order, fate);
                self.plan(self.now_ms, Task::Deliver(validation));
            }
            None => {
                self.take(order, fate)?;
            }
        }
        Ok(key)
    }

    /// Keeps an order that waits for a validation.
    fn hold(&mut self, order: Order, fate: crate::faults::Fate) {
        let key = Key { rail: order.rail, id: order.id.clone() };
        let payment = super::Payment { order, fate, taken_at_ms: self.now_ms, outcome: None };
        self.payments.insert(key, payment);
    }

    /// The organisation has answered a validation, or has not (`None`): then the payment comes, as was registered.
    pub(crate) fn validated(&mut self, key: &Key, is_accepted: Option<bool>) {
        let Some(payment) = self.payments.get(key) else { return };
        let due_ms = self.now_ms + payment.fate.execution_ms;
        if is_accepted == Some(false) {
            let msisdn = payment.order.msisdn.clone();
            let at_ms = self.now_ms;
            if let Some(phone) = self.phones.get_mut(&msisdn) {
                phone.tell("MPESA", "Failed. The account number is not known. No money was taken.".to_owned(), at_ms);
            }
            if let Some(payment) = self.payments.get_mut(key) {
                payment.outcome = Some(Outcome::Failed(Problem::Refused));
            }
        } else {
            self.plan(due_ms, Task::Execute(key.clone()));
        }
    }

    pub(super) fn complete_deposit(&mut self, key: &Key, order: &Order) {
        let outcome = self.collect(order);
        self.conclude(key, outcome);
    }
}
