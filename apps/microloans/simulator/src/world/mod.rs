//! The simulated world: telephones, the organisation's account with each provider, payments under way, and an agenda of what
//! happens next. Pure: time comes in, callbacks to send come out, in one order.
//!
//! No money appears or disappears: what telephones, the organisation and the providers (their charges) have adds up to the same
//! at all times, but for telephones that are added.

mod books;
mod deposit;
mod execute;
pub(crate) mod payment;
mod prompt;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub(crate) use self::{
    books::{Entry, EntryKind},
    execute::written,
    payment::{Callbacks, Key, Kind, Order, Outcome, Payment, Problem},
};
use crate::{
    calls,
    chance::Chance,
    faults::{Answering, Calling, Fate, Faults},
    phone::{Phone, Rail},
};

/// How many telephones there may be.
pub const MAX_PHONES: usize = 100_000;
/// How many payments are kept. Providers keep them for years; this is a day of disaster several times over.
const MAX_PAYMENTS: usize = 1_000_000;

/// A callback to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Delivery {
    pub(crate) is_put: bool,
    pub(crate) url: String,
    pub(crate) body: String,
    /// The deposit that waits for the answer.
    pub(crate) validates: Option<Key>,
}

/// Something on the agenda.
#[derive(Clone, Debug)]
enum Task {
    /// A request that lay in a queue.
    Arrive(Box<(Order, Fate)>),
    Execute(Key),
    Answer(Key),
    Expire(Key),
    Deliver(Delivery),
}

/// The addresses that were registered for deposits.
#[derive(Clone, Debug, Default)]
pub(crate) struct DepositUrls {
    pub(crate) validation: String,
    pub(crate) confirmation: String,
}

/// What cannot be done to the world.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorldError {
    /// A number that is in use, or malformed; a balance below nothing; a PIN that is not four digits.
    #[error("telephone cannot be added: {0}")]
    Phone(&'static str),
    /// No such telephone.
    #[error("there is no telephone {0}")]
    NoPhone(String),
    /// The telephone is asked nothing.
    #[error("the telephone is asked nothing")]
    NoPrompt,
    /// What the holder wanted cannot be done.
    #[error("{0}")]
    Declined(&'static str),
    /// More than the world can hold.
    #[error("the world is full: no more than {0} of these")]
    Full(usize),
    /// Shares that add up to more than everything.
    #[error(
        "faults have to be shares of a thousand, and those of answers and of callbacks add up to a thousand at most"
    )]
    Faults,
}

/// The world.
#[derive(Debug)]
pub(crate) struct World {
    seed: u64,
    now_ms: i64,
    faults: Faults,
    phones: BTreeMap<String, Phone>,
    payments: BTreeMap<Key, Payment>,
    /// How many requests there were about a telephone, by kind: what their fates are drawn from.
    requests: BTreeMap<(Kind, String), u64>,
    /// When an amount last went to or from a telephone, by kind.
    last_done: BTreeMap<(Kind, String, i64), i64>,
    agenda: BTreeMap<(i64, u64), Task>,
    /// Counts what was put on the agenda, so that what is due at once happens in the order in which it was put there.
    sequence: u64,
    receipts: u64,
    server_ids: u64,
    books: books::Books,
    deposit_urls: Option<DepositUrls>,
}

impl World {
    /// A world without telephones.
    pub(crate) fn new(seed: u64, now_ms: i64, faults: Faults, float_minor: BTreeMap<Rail, i64>) -> Self {
        Self {
            seed,
            now_ms,
            faults,
            phones: BTreeMap::new(),
            payments: BTreeMap::new(),
            requests: BTreeMap::new(),
            last_done: BTreeMap::new(),
            agenda: BTreeMap::new(),
            sequence: 0,
            receipts: 0,
            server_ids: 0,
            books: books::Books::new(float_minor),
            deposit_urls: None,
        }
    }

    /// The time, in milliseconds since 1970.
    pub(crate) const fn now_ms(&self) -> i64 {
        self.now_ms
    }

    /// When the next thing happens.
    pub(crate) fn next_due_ms(&self) -> Option<i64> {
        self.agenda.first_key_value().map(|((due, _), _)| *due)
    }

    /// Changes what goes wrong from now on.
    ///
    /// # Errors
    /// If the shares are impossible.
    pub(crate) fn set_faults(&mut self, faults: Faults) -> Result<(), WorldError> {
        if !faults.is_possible() {
            return Err(WorldError::Faults);
        }
        self.faults = faults;
        Ok(())
    }

    /// Adds a telephone.
    ///
    /// # Errors
    /// If it cannot be one.
    pub(crate) fn add_phone(&mut self, phone: Phone) -> Result<(), WorldError> {
        let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if self.phones.len() >= MAX_PHONES {
            return Err(WorldError::Full(MAX_PHONES));
        }
        if !is_digits(&phone.msisdn) || !(7..=15).contains(&phone.msisdn.len()) || phone.msisdn.starts_with('0') {
            return Err(WorldError::Phone("its number is not in international form"));
        }
        if self.phones.contains_key(&phone.msisdn) {
            return Err(WorldError::Phone("its number is in use"));
        }
        if !is_digits(&phone.pin) || phone.pin.len() != 4 {
            return Err(WorldError::Phone("its PIN is not four digits"));
        }
        if phone.balance_minor < 0 || phone.balance_minor > i64::MAX / 1_000_000 {
            return Err(WorldError::Phone("its balance is out of bounds"));
        }
        self.phones.insert(phone.msisdn.clone(), phone);
        Ok(())
    }

    /// Every telephone, by number.
    pub(crate) fn phones(&self) -> impl Iterator<Item = &Phone> {
        self.phones.values()
    }

    /// One telephone.
    ///
    /// # Errors
    /// If there is none of this number.
    pub(crate) fn phone(&self, msisdn: &str) -> Result<&Phone, WorldError> {
        self.phones.get(msisdn).ok_or_else(|| WorldError::NoPhone(msisdn.to_owned()))
    }

    /// One telephone, to change its habit or to tell it something.
    ///
    /// # Errors
    /// If there is none of this number.
    pub(crate) fn phone_mut(&mut self, msisdn: &str) -> Result<&mut Phone, WorldError> {
        self.phones.get_mut(msisdn).ok_or_else(|| WorldError::NoPhone(msisdn.to_owned()))
    }

    /// What is in the organisation's account, and what the provider has charged.
    pub(crate) fn float_and_charges(&self, rail: Rail) -> (i64, i64) {
        self.books.float_and_charges(rail)
    }

    /// The movements of the organisation's account, in the order in which they happened.
    pub(crate) fn entries(&self, rail: Rail) -> impl Iterator<Item = &Entry> {
        self.books.entries(rail)
    }

    /// Where deposits are told from now on.
    pub(crate) fn register_deposits(&mut self, urls: DepositUrls) {
        self.deposit_urls = Some(urls);
    }

    /// The fate of a request about a telephone; the next one about it has another.
    pub(crate) fn fate(&mut self, kind: Kind, msisdn: &str) -> Fate {
        let count = self.requests.entry((kind, msisdn.to_owned())).or_default();
        *count += 1;
        Fate::draw(Chance::new(self.seed, &[kind.name(), msisdn, &count.to_string()]), &self.faults)
    }

    /// Whether a payment of this ID is known.
    pub(crate) fn payment(&self, key: &Key) -> Option<&Payment> {
        self.payments.get(key)
    }

    /// Takes an order, which is executed later; or, if it lies in a queue, is not seen until then.
    ///
    /// # Errors
    /// If there are too many.
    pub(crate) fn take(&mut self, order: Order, fate: Fate) -> Result<Key, WorldError> {
        if self.payments.len() >= MAX_PAYMENTS {
            return Err(WorldError::Full(MAX_PAYMENTS));
        }
        let key = Key { rail: order.rail, id: order.id.clone() };
        match fate.answering {
            Answering::Held(by_ms) => self.plan(self.now_ms + by_ms, Task::Arrive(Box::new((order, fate)))),
            _ => self.keep(&key, order, fate),
        }
        Ok(key)
    }

    fn keep(&mut self, key: &Key, order: Order, fate: Fate) {
        self.payments.insert(key.clone(), Payment { order, fate, taken_at_ms: self.now_ms, outcome: None });
        self.plan(self.now_ms + fate.execution_ms, Task::Execute(key.clone()));
    }

    /// A request that lay in a queue arrives. One of the same ID that came in between counts, and this one does not.
    fn arrive(&mut self, order: Order, fate: Fate) {
        let key = Key { rail: order.rail, id: order.id.clone() };
        if self.payments.len() < MAX_PAYMENTS && !self.payments.contains_key(&key) {
            self.keep(&key, order, fate);
        }
    }

    /// Lets time pass up to an instant, and stops at the first callback to send.
    pub(crate) fn step(&mut self, until_ms: i64) -> Option<Delivery> {
        while let Some(entry) = self.agenda.first_entry() {
            let due_ms = entry.key().0;
            if due_ms > until_ms {
                break;
            }
            let task = entry.remove();
            self.now_ms = self.now_ms.max(due_ms);
            match task {
                Task::Arrive(held) => self.arrive(held.0, held.1),
                Task::Execute(key) => self.execute(&key),
                Task::Answer(key) => self.answer_by_habit(&key),
                Task::Expire(key) => self.expire(&key),
                Task::Deliver(delivery) => return Some(delivery),
            }
        }
        self.now_ms = self.now_ms.max(until_ms);
        None
    }

    fn plan(&mut self, due_ms: i64, task: Task) {
        self.sequence += 1;
        self.agenda.insert((due_ms, self.sequence), task);
    }

    /// A receipt: ten letters and digits with M-PESA, digits with MTN.
    fn next_receipt(&mut self, rail: Rail) -> String {
        self.receipts += 1;
        match rail {
            Rail::MtnMomo => (20_000_000_000 + self.receipts).to_string(),
            Rail::Daraja => {
                const DIGITS: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
                let mut rest = self.receipts;
                let mut tail = [b'0'; 8];
                for place in tail.iter_mut().rev() {
                    *place = usize::try_from(rest % 36).map_or(b'0', |digit| DIGITS[digit]);
                    rest /= 36;
                }
                format!("SK{}", String::from_utf8_lossy(&tail))
            }
        }
    }

    /// An ID of a prompt.
    pub(crate) fn next_checkout_id(&mut self) -> String {
        self.next_server_id("ws_CO")
    }

    /// An ID that the provider gives.
    pub(crate) fn next_server_id(&mut self, prefix: &str) -> String {
        self.server_ids += 1;
        format!("{prefix}_{:012}", self.server_ids)
    }

    /// Writes down what became of a payment, and plans its callback as fate has it.
    fn conclude(&mut self, key: &Key, outcome: Outcome) {
        let Some(payment) = self.payments.get_mut(key) else { return };
        payment.outcome = Some(outcome);
        let payment = payment.clone();
        if let Some(Outcome::Done { at_ms, .. }) = payment.outcome {
            let order = &payment.order;
            self.last_done.insert((order.kind, order.msisdn.clone(), order.amount_minor), at_ms);
        }
        let subject = payment.subject().and_then(|subject| self.payments.get(&subject)).cloned();
        let told =
            |calling| calls::result(&payment, subject.as_ref(), self.books.float_and_charges(key.rail).0, calling);
        let due_ms = self.now_ms + payment.fate.callback_ms;
        let deliveries = match payment.fate.calling {
            Calling::Lost => Vec::new(),
            Calling::Delayed(by_ms) => vec![(due_ms + by_ms, told(Calling::Well))],
            Calling::Repeated(times) => (0..times).map(|n| (due_ms + n * 700, told(Calling::Well))).collect(),
            Calling::Well | Calling::Altered(_) | Calling::QueueTimeout => vec![(due_ms, told(payment.fate.calling))],
        };
        for (due_ms, delivery) in deliveries {
            if let Some(delivery) = delivery {
                self.plan(due_ms, Task::Deliver(delivery));
            }
        }
    }
}
