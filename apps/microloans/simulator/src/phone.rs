//! A telephone with a wallet: who holds it, what is in it, what it is asked, and what it was told.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// How many messages a telephone keeps.
const MAX_MESSAGES: usize = 50;
/// Wrong PINs in a row after which a wallet is locked.
pub(crate) const MAX_WRONG_PINS: u8 = 3;

/// Which provider keeps the wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rail {
    /// Safaricom M-PESA.
    Daraja,
    /// MTN Mobile Money.
    MtnMomo,
}

impl Rail {
    /// The name in the address of its statements.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Daraja => "daraja",
            Self::MtnMomo => "mtn-momo",
        }
    }
}

/// What the holder does when asked to approve a payment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Habit {
    /// Nothing by themselves: somebody answers on the page.
    #[default]
    Ask,
    /// Approves after some seconds.
    Approve,
    /// Refuses after some seconds.
    Refuse,
    /// Mistypes the PIN.
    WrongPin,
    /// Does not look.
    Ignore,
    /// Is switched off.
    Off,
}

/// A telephone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phone {
    /// The number in international form.
    pub msisdn: String,
    /// Whose it is.
    pub name: String,
    /// Who keeps the wallet.
    pub rail: Rail,
    /// What is in it, in minor units.
    pub balance_minor: i64,
    /// Four digits.
    pub pin: String,
    /// What the holder does when asked.
    #[serde(default)]
    pub habit: Habit,
    /// Wrong PINs in a row.
    #[serde(default)]
    pub wrong_pins: u8,
    /// When its number was given another SIM, in milliseconds since 1970, if ever.
    #[serde(default)]
    pub sim_changed_ms: Option<i64>,
    /// What it is asked; one question at a time.
    #[serde(default)]
    pub prompt: Option<Prompt>,
    /// What it was told, newest first.
    #[serde(default)]
    pub messages: VecDeque<Message>,
}

/// A question on a telephone: may this be paid?
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prompt {
    /// The provider's ID of the payment.
    pub payment: String,
    /// What is asked.
    pub text: String,
    /// When it was asked (virtual time, milliseconds).
    pub asked_at_ms: i64,
}

/// A text message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// From whom.
    pub from: String,
    /// What.
    pub text: String,
    /// When (virtual time, milliseconds).
    pub at_ms: i64,
}

impl Phone {
    /// Whether the wallet is locked.
    #[must_use]
    pub const fn is_locked(&self) -> bool {
        self.wrong_pins >= MAX_WRONG_PINS
    }

    /// Puts a message in front of the others.
    pub(crate) fn tell(&mut self, from: &str, text: String, at_ms: i64) {
        self.messages.push_front(Message { from: from.to_owned(), text, at_ms });
        self.messages.truncate(MAX_MESSAGES);
    }

    /// Checks a PIN, and counts the wrong ones.
    pub(crate) fn enters(&mut self, pin: &str) -> bool {
        if self.pin == pin {
            self.wrong_pins = 0;
            return true;
        }
        self.wrong_pins = self.wrong_pins.saturating_add(1);
        false
    }
}
