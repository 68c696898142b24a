//! Text messages: what a borrower is told of what happens in their name, so that nobody can borrow or pay for them unnoticed.

use braid_microloans_arithmetic::{Date, Money};
use serde::Deserialize;

use crate::{Language, fill, language::LocaleError, place};

/// How many septets one message holds.
pub const MESSAGE_SEPTETS: usize = 160;

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// An offer was accepted.
    Accepted,
    /// The loan was paid out.
    PaidOut,
    /// A payment came in.
    Received,
}

/// What a message names.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The loan's code.
    pub code: &'a str,
    /// What was lent or paid.
    pub amount: Money,
    /// When the first payment falls due, if that is known.
    pub first: Option<Date>,
    /// Whom to call.
    pub phone: &'a str,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Texts {
    accepted: String,
    paid_out: String,
    received: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    en: Texts,
    sw: Texts,
    ha: Texts,
    yo: Texts,
    tw: Texts,
    hi: Texts,
}

/// The texts of all languages.
#[derive(Clone, Debug)]
pub struct Messages(File);

impl Messages {
    /// Reads them.
    ///
    /// # Errors
    /// If the file cannot be read; it is part of the program, and a test reads it.
    pub fn load() -> Result<Self, LocaleError> {
        let file = toml::from_str(include_str!("../locales/messages.toml"));
        file.map(Self).map_err(|source| LocaleError { language: "the messages", source })
    }

    /// A message.
    #[must_use]
    pub fn text(&self, language: Language, told: Told, facts: &Facts<'_>) -> String {
        let file = &self.0;
        let texts = match language {
            Language::English => &file.en,
            Language::Swahili => &file.sw,
            Language::Hausa => &file.ha,
            Language::Yoruba => &file.yo,
            Language::Twi => &file.tw,
            Language::Hindi => &file.hi,
        };
        let text = match told {
            Told::Accepted => &texts.accepted,
            Told::PaidOut => &texts.paid_out,
            Told::Received => &texts.received,
        };
        let first = facts.first.map(place::date).unwrap_or_default();
        let values =
            [("code", facts.code), ("amount", &place::money(facts.amount)), ("first", &first), ("phone", facts.phone)];
        fill(text, &values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gsm7::septets;

    #[test]
    fn every_message_is_one_with_the_longest_values() {
        let messages = Messages::load().unwrap();
        let amount = Money { minor: 10_000_075, currency: "KES".parse().unwrap() };
        let first = Some("2026-12-23".parse().unwrap());
        let facts = Facts { code: "ABCDEFGH2345", amount, first, phone: "+254 800 123 123" };
        for language in Language::ALL {
            for told in [Told::Accepted, Told::PaidOut, Told::Received] {
                let text = messages.text(language, told, &facts);
                let needed = septets(&text);
                assert!(needed.is_some_and(|needed| needed <= MESSAGE_SEPTETS), "{needed:?}: {text}");
                assert!(
                    text.contains("ABCDEFGH2345") && text.contains("KES 100,000.75") && text.contains("123 123"),
                    "{text}"
                );
                assert_eq!(told == Told::PaidOut, text.contains("23/12/2026"), "{text}");
            }
        }
    }
}
