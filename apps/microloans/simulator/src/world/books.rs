//! The organisation's account with each provider, and every movement of it.

use std::collections::BTreeMap;

use crate::phone::Rail;

/// A movement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) rail: Rail,
    pub(crate) receipt: String,
    pub(crate) at_ms: i64,
    /// Positive into the account, negative out of it.
    pub(crate) amount_minor: i64,
    pub(crate) balance_minor: i64,
    pub(crate) kind: EntryKind,
    /// The client's ID, where it gave one.
    pub(crate) client_id: String,
    pub(crate) reference: String,
    pub(crate) msisdn: String,
    /// The receipt that is taken back.
    pub(crate) linked: String,
}

/// What a movement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EntryKind {
    Payout,
    Collection,
    Charge,
    Reversal,
}

#[derive(Debug, Default)]
struct Account {
    balance_minor: i64,
    charges_minor: i64,
}

/// All accounts.
#[derive(Debug)]
pub(crate) struct Books {
    accounts: BTreeMap<Rail, Account>,
    entries: Vec<Entry>,
}

impl Books {
    pub(crate) fn new(float_minor: BTreeMap<Rail, i64>) -> Self {
        let account = |(rail, balance_minor)| (rail, Account { balance_minor, charges_minor: 0 });
        Self { accounts: float_minor.into_iter().map(account).collect(), entries: Vec::new() }
    }

    pub(crate) fn float_and_charges(&self, rail: Rail) -> (i64, i64) {
        self.accounts.get(&rail).map_or((0, 0), |account| (account.balance_minor, account.charges_minor))
    }

    pub(crate) fn entries(&self, rail: Rail) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.rail == rail)
    }

    /// Writes a movement down; its balance is filled in.
    pub(crate) fn post(&mut self, mut entry: Entry) {
        let account = self.accounts.entry(entry.rail).or_default();
        account.balance_minor += entry.amount_minor;
        if entry.kind == EntryKind::Charge {
            account.charges_minor -= entry.amount_minor;
        }
        entry.balance_minor = account.balance_minor;
        self.entries.push(entry);
    }

    /// The payment to the organisation that has a receipt, and whether it was taken back.
    pub(crate) fn collection(&self, rail: Rail, receipt: &str) -> Option<(&Entry, bool)> {
        let mut of_rail = self.entries.iter().filter(|entry| entry.rail == rail);
        let found = of_rail.find(|entry| entry.kind == EntryKind::Collection && entry.receipt == receipt)?;
        let is_reversed = self.entries.iter().any(|entry| entry.rail == rail && entry.linked == receipt);
        Some((found, is_reversed))
    }
}
