//! Languages and their texts, which stand in `locales`, one file a language.

use serde::Deserialize;

/// A language that the menus are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Language {
    /// English.
    English,
    /// Kiswahili.
    Swahili,
    /// Hausa.
    Hausa,
    /// Yoruba.
    Yoruba,
    /// Twi.
    Twi,
    /// Hindi.
    Hindi,
}

impl Language {
    /// Every language, in the order of the menu.
    pub const ALL: [Self; 6] = [Self::English, Self::Swahili, Self::Hausa, Self::Yoruba, Self::Twi, Self::Hindi];

    /// The code by ISO 639-1.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Swahili => "sw",
            Self::Hausa => "ha",
            Self::Yoruba => "yo",
            Self::Twi => "tw",
            Self::Hindi => "hi",
        }
    }

    /// The language of that code.
    #[must_use]
    pub fn of_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.code() == code)
    }

    /// What it calls itself.
    #[must_use]
    pub const fn own_name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::Swahili => "Kiswahili",
            Self::Hausa => "Hausa",
            Self::Yoruba => "Yoruba",
            Self::Twi => "Twi",
            Self::Hindi => "Hindi",
        }
    }

    const fn file(self) -> &'static str {
        match self {
            Self::English => include_str!("../locales/en.toml"),
            Self::Swahili => include_str!("../locales/sw.toml"),
            Self::Hausa => include_str!("../locales/ha.toml"),
            Self::Yoruba => include_str!("../locales/yo.toml"),
            Self::Twi => include_str!("../locales/tw.toml"),
            Self::Hindi => include_str!("../locales/hi.toml"),
        }
    }
}

/// The texts of a language. `{name}` stands for a value; a text has the same values in every language.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Texts {
    pub(crate) invalid: String,
    pub(crate) unavailable: String,
    pub(crate) goodbye: String,
    pub(crate) consent: String,
    pub(crate) consent_refused: String,
    pub(crate) id_number: String,
    pub(crate) id_wrong: String,
    pub(crate) new_pin: String,
    pub(crate) repeat_pin: String,
    pub(crate) pin_differs: String,
    pub(crate) pin_weak: String,
    pub(crate) enter_pin: String,
    pub(crate) pin_wrong: String,
    pub(crate) pin_locked: String,
    pub(crate) resume: String,
    pub(crate) menu: String,
    pub(crate) amount: String,
    pub(crate) term: String,
    pub(crate) term_line: String,
    pub(crate) weekly: String,
    pub(crate) two_weekly: String,
    pub(crate) monthly: String,
    pub(crate) refused_late: String,
    pub(crate) refused_limit: String,
    pub(crate) refused_identity: String,
    pub(crate) refused_other: String,
    pub(crate) review: String,
    pub(crate) facts_1: String,
    pub(crate) facts_2: String,
    pub(crate) facts_3: String,
    pub(crate) accept_pin: String,
    pub(crate) accepted: String,
    pub(crate) declined: String,
    pub(crate) offer_gone: String,
    pub(crate) no_loan: String,
    pub(crate) balance: String,
    pub(crate) repay: String,
    pub(crate) repay_amount: String,
    pub(crate) repay_sent: String,
    pub(crate) statement: String,
    pub(crate) statement_none: String,
    pub(crate) complaint: String,
    pub(crate) complaint_taken: String,
}

/// A locale file that cannot be read; the files are part of the program, and a test reads them.
#[derive(Debug, thiserror::Error)]
#[error("failed to read the texts of {language}")]
pub struct LocaleError {
    pub(crate) language: &'static str,
    #[source]
    pub(crate) source: toml::de::Error,
}

/// The texts of all languages.
#[derive(Debug)]
pub(crate) struct Catalogue([Texts; 6]);

impl Catalogue {
    /// Reads all locale files.
    pub(crate) fn load() -> Result<Self, LocaleError> {
        let [en, sw, ha, yo, tw, hi] = Language::ALL.map(|language| {
            toml::from_str(language.file()).map_err(|source| LocaleError { language: language.own_name(), source })
        });
        Ok(Self([en?, sw?, ha?, yo?, tw?, hi?]))
    }

    pub(crate) const fn texts(&self, language: Language) -> &Texts {
        let [en, sw, ha, yo, tw, hi] = &self.0;
        match language {
            Language::English => en,
            Language::Swahili => sw,
            Language::Hausa => ha,
            Language::Yoruba => yo,
            Language::Twi => tw,
            Language::Hindi => hi,
        }
    }
}

/// A text with its values for the names in braces; a name without a value goes. Values are put in once: what looks like a name in a value stays as it is.
pub fn fill(text: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let Some((name, after)) = after.split_once('}') else {
            filled.push('{');
            rest = after;
            continue;
        };
        filled.push_str(values.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| *value));
        rest = after;
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    fn names(text: &str) -> BTreeSet<&str> {
        text.split('{').skip(1).filter_map(|part| part.split_once('}')).map(|(name, _)| name).collect()
    }

    #[test]
    fn a_text_has_the_same_values_and_choices_in_every_language() {
        Catalogue::load().unwrap();
        let read = |language: Language| toml::from_str::<BTreeMap<String, String>>(language.file()).unwrap();
        let english = read(Language::English);
        let choices = |text: &str| {
            let starts = text.lines().filter_map(|line| line.split_once(' ').map(|(first, _)| first.to_owned()));
            starts.filter(|first| first.len() == 1 && first.as_bytes()[0].is_ascii_digit()).collect::<Vec<_>>()
        };
        for language in Language::ALL {
            for (key, text) in read(language) {
                assert_eq!(names(&text), names(&english[&key]), "{key} in {}", language.code());
                assert_eq!(choices(&text), choices(&english[&key]), "{key} in {}", language.code());
                assert_eq!(text.trim(), text, "{key} in {}", language.code());
            }
        }
    }

    #[test]
    fn values_are_put_in_once() {
        assert_eq!(fill("a {x} b {y}", &[("x", "{y}"), ("y", "2")]), "a {y} b 2");
        assert_eq!(fill("a { b", &[]), "a { b");
    }
}
