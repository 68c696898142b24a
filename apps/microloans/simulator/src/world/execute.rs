//! Execution: money moves, or there is a reason why not.

use super::{Entry, EntryKind, Key, Kind, Order, Outcome, Payment, Problem, Task, World};
use crate::phone::Rail;

/// The most of one M-PESA payment, and the most that a wallet may hold: KES 250,000 and 500,000, in cents.
const MPESA_LARGEST: i64 = 25_000_000;
const MPESA_FULL: i64 = 50_000_000;
/// Within which M-PESA takes the same amount to or from the same telephone for a repetition.
const REPETITION_MS: i64 = 120_000;
/// What M-PESA charges the organisation for a payout: five shillings, in cents. Real tariffs have bands.
const MPESA_CHARGE: i64 = 500;

impl World {
    /// Executes what an order asks for; a prompt is only shown.
    pub(super) fn execute(&mut self, key: &Key) {
        let Some(payment) = self.payments.get(key).filter(|payment| payment.outcome.is_none()).cloned() else { return };
        match payment.order.kind {
            Kind::Payout => {
                let outcome = self.pay_out(&payment);
                self.conclude(key, outcome);
            }
            Kind::Prompt => self.show_prompt(key, &payment.order),
            Kind::Deposit => self.complete_deposit(key, &payment.order),
            Kind::Reversal => {
                let outcome = self.reverse(&payment.order);
                self.conclude(key, outcome);
            }
            Kind::Query => self.look_up(key, &payment.order),
        }
    }

    fn pay_out(&mut self, payment: &Payment) -> Outcome {
        let order = &payment.order;
        if let Err(problem) = self.may_pay_out(payment) {
            return Outcome::Failed(problem);
        }
        let receipt = self.next_receipt(order.rail);
        self.books.post(self.entry(order, &receipt, -order.amount_minor, EntryKind::Payout));
        if order.rail == Rail::Daraja {
            self.books.post(self.entry(order, &receipt, -MPESA_CHARGE, EntryKind::Charge));
        }
        let at_ms = self.now_ms;
        let Some(phone) = self.phones.get_mut(&order.msisdn) else { return Outcome::Failed(Problem::NotRegistered) };
        phone.balance_minor += order.amount_minor;
        let name = phone.name.clone();
        let text = format!(
            "{receipt} Confirmed. You have received {} from BRAID. New balance: {}. {}",
            written(order.rail, order.amount_minor),
            written(order.rail, phone.balance_minor),
            order.note
        );
        phone.tell(sender(order.rail), text, at_ms);
        Outcome::Done { receipt, at_ms, name }
    }

    fn may_pay_out(&self, payment: &Payment) -> Result<(), Problem> {
        let order = &payment.order;
        if !order.is_authorised {
            return Err(Problem::WrongCredential);
        }
        let phone = self.phones.get(&order.msisdn).filter(|phone| phone.rail == order.rail);
        let phone = phone.ok_or(Problem::NotRegistered)?;
        if phone.is_locked() {
            return Err(Problem::Locked);
        }
        if order.rail == Rail::Daraja {
            self.within_mpesa_limits(order)?;
            if phone.balance_minor + order.amount_minor > MPESA_FULL {
                return Err(Problem::WalletFull);
            }
        }
        let charge = if order.rail == Rail::Daraja { MPESA_CHARGE } else { 0 };
        if self.books.float_and_charges(order.rail).0 < order.amount_minor + charge {
            return Err(Problem::InsufficientFunds);
        }
        Ok(())
    }

    /// M-PESA's limits of one payment, and its guard against repetitions.
    pub(super) fn within_mpesa_limits(&self, order: &Order) -> Result<(), Problem> {
        if order.amount_minor > MPESA_LARGEST {
            return Err(Problem::TooMuch);
        }
        let last = self.last_done.get(&(order.kind, order.msisdn.clone(), order.amount_minor));
        let is_repetition = last.is_some_and(|at_ms| self.now_ms - at_ms < REPETITION_MS);
        if is_repetition { Err(Problem::TooSoon) } else { Ok(()) }
    }

    /// Moves money from a telephone to the organisation.
    pub(super) fn collect(&mut self, order: &Order) -> Outcome {
        if order.rail == Rail::Daraja
            && let Err(problem) = self.within_mpesa_limits(order)
        {
            return Outcome::Failed(problem);
        }
        let at_ms = self.now_ms;
        let receipt = self.next_receipt(order.rail);
        let Some(phone) = self.phones.get_mut(&order.msisdn) else { return Outcome::Failed(Problem::NotRegistered) };
        if phone.balance_minor < order.amount_minor {
            return Outcome::Failed(Problem::InsufficientFunds);
        }
        phone.balance_minor -= order.amount_minor;
        let name = phone.name.clone();
        let text = format!(
            "{receipt} Confirmed. {} paid to BRAID for account {}. New balance: {}.",
            written(order.rail, order.amount_minor),
            order.reference,
            written(order.rail, phone.balance_minor)
        );
        phone.tell(sender(order.rail), text, at_ms);
        self.books.post(self.entry(order, &receipt, order.amount_minor, EntryKind::Collection));
        Outcome::Done { receipt, at_ms, name }
    }

    fn reverse(&mut self, order: &Order) -> Outcome {
        if !order.is_authorised {
            return Outcome::Failed(Problem::WrongCredential);
        }
        let Some((collection, is_reversed)) = self.books.collection(order.rail, &order.about) else {
            return Outcome::Failed(Problem::NoSuchPayment);
        };
        if is_reversed {
            return Outcome::Failed(Problem::ReversedAlready);
        }
        let (msisdn, amount_minor) = (collection.msisdn.clone(), collection.amount_minor);
        // Only the whole of it, and only if it is still there.
        if amount_minor != order.amount_minor {
            return Outcome::Failed(Problem::NoSuchPayment);
        }
        if self.books.float_and_charges(order.rail).0 < amount_minor {
            return Outcome::Failed(Problem::InsufficientFunds);
        }
        let receipt = self.next_receipt(order.rail);
        let reversal = Order { msisdn: msisdn.clone(), ..order.clone() };
        let mut entry = self.entry(&reversal, &receipt, -amount_minor, EntryKind::Reversal);
        entry.linked.clone_from(&order.about);
        self.books.post(entry);
        let at_ms = self.now_ms;
        let Some(phone) = self.phones.get_mut(&msisdn) else { return Outcome::Failed(Problem::NotRegistered) };
        phone.balance_minor += amount_minor;
        let name = phone.name.clone();
        phone.tell(
            sender(order.rail),
            format!("{receipt} Confirmed. Your payment {} was reversed.", order.about),
            at_ms,
        );
        Outcome::Done { receipt, at_ms, name }
    }

    /// A query by receipt becomes one by ID. It always has an outcome; what it says of its subject is read when it is told.
    fn look_up(&mut self, key: &Key, order: &Order) {
        if !order.is_authorised {
            return self.conclude(key, Outcome::Failed(Problem::WrongCredential));
        }
        let by_id = Key { rail: order.rail, id: order.about.clone() };
        let found = if self.payments.contains_key(&by_id) {
            Some(by_id)
        } else {
            let with_receipt =
                |payment: &Payment| payment.order.rail == order.rail && payment.receipt() == Some(&order.about);
            self.payments.iter().find(|(_, payment)| with_receipt(payment)).map(|(key, _)| key.clone())
        };
        let Some(subject) = found else { return self.conclude(key, Outcome::Failed(Problem::NoSuchPayment)) };
        if let Some(query) = self.payments.get_mut(key) {
            query.order.about = subject.id;
        }
        let done = Outcome::Done { receipt: String::new(), at_ms: self.now_ms, name: String::new() };
        self.conclude(key, done);
    }

    fn entry(&self, order: &Order, receipt: &str, amount_minor: i64, kind: EntryKind) -> Entry {
        Entry {
            rail: order.rail,
            receipt: receipt.to_owned(),
            at_ms: self.now_ms,
            amount_minor,
            balance_minor: 0,
            kind,
            client_id: if matches!(order.kind, Kind::Payout) || order.rail == Rail::MtnMomo {
                order.id.clone()
            } else {
                String::new()
            },
            reference: order.reference.clone(),
            msisdn: order.msisdn.clone(),
            linked: String::new(),
        }
    }

    /// Plans an attempt at what is left of a payment.
    pub(super) fn plan_answer(&mut self, key: &Key, after_ms: i64) {
        self.plan(self.now_ms + after_ms, Task::Answer(key.clone()));
    }
}

/// An amount with its currency.
pub(crate) fn written(rail: Rail, minor: i64) -> String {
    let currency = match rail {
        Rail::Daraja => "KES",
        Rail::MtnMomo => "GHS",
    };
    let sign = if minor < 0 { "-" } else { "" };
    format!("{currency} {sign}{}.{:02}", minor.abs() / 100, minor.abs() % 100)
}

/// Who signs a provider's messages.
pub(crate) const fn sender(rail: Rail) -> &'static str {
    match rail {
        Rail::Daraja => "MPESA",
        Rail::MtnMomo => "MobileMoney",
    }
}
