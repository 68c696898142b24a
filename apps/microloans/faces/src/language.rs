//! Languages and their texts, which stand in `locales`, one file a language. The languages are those of the telephone's menus; here they have all their
//! letters.

use std::collections::BTreeMap;

use braid_microloans_ussd::Language;
pub(crate) use braid_microloans_ussd::fill;
use serde::Deserialize;

/// What a language calls itself.
pub(crate) const fn own_name(language: Language) -> &'static str {
    match language {
        Language::English => "English",
        Language::Swahili => "Kiswahili",
        Language::Hausa => "Hausa",
        Language::Yoruba => "Yorùbá",
        Language::Twi => "Twi",
        Language::Hindi => "हिन्दी",
    }
}

const fn file(language: Language) -> &'static str {
    match language {
        Language::English => include_str!("../locales/en.toml"),
        Language::Swahili => include_str!("../locales/sw.toml"),
        Language::Hausa => include_str!("../locales/ha.toml"),
        Language::Yoruba => include_str!("../locales/yo.toml"),
        Language::Twi => include_str!("../locales/tw.toml"),
        Language::Hindi => include_str!("../locales/hi.toml"),
    }
}

macro_rules! texts {
    ($($name:ident)*) => {
        /// The texts of a language. `{name}` stands for a value; a text has the same values in every language.
        #[derive(Debug)]
        pub(crate) struct Texts {
            /// Names of the months, in the form they have in a date.
            pub(crate) months: [String; 12],
            $(pub(crate) $name: String,)*
        }

        impl Texts {
            /// Takes every text out of a file's. By hand, as a derived reader of three hundred fields takes minutes to compile.
            fn take(months: [String; 12], texts: &mut Taken) -> Self {
                Self { months, $($name: texts.take(stringify!($name)),)* }
            }
        }
    };
}

/// A locale file.
#[derive(Deserialize)]
struct File {
    months: [String; 12],
    #[serde(flatten)]
    texts: BTreeMap<String, String>,
}

/// Texts that have not been taken, and names that were not found.
struct Taken {
    left: BTreeMap<String, String>,
    missing: Vec<&'static str>,
}

impl Taken {
    #[inline(never)]
    fn take(&mut self, name: &'static str) -> String {
        self.left.remove(name).unwrap_or_else(|| {
            self.missing.push(name);
            String::new()
        })
    }
}

texts! {
    date skip sections language pages before after footer to_start not_found not_found_text stale stale_text
    forbidden forbidden_text unreadable unreadable_text refused refused_text unavailable unavailable_text home_title
    home_lead home_borrow home_borrow_text home_learn_text home_lend_text home_figures_text home_staff_text sign_in
    sign_out sign_in_lead sign_in_help phone phone_hint phone_wrong pin pin_hint pin_wrong pin_locked staff account
    password password_wrong password_paused my_loan no_loan past_loans loan amount instalments outstanding pay_off
    late_days due_now due_on read_offer wait_review wait_money wait_refund rejected_text lost_text withdraw
    state_submitted state_review state_rejected state_withdrawn state_offered state_expired state_declined
    state_accepted state_sending state_active state_restructured state_refund state_closed state_cancelled state_lost
    state_forgiven apply apply_lead one_loan product choose_product amount_hint amount_wrong amount_multiple
    instalments_wrong calculate estimate estimate_text purpose purpose_stock purpose_tools purpose_farm
    purpose_school purpose_transport purpose_repair purpose_other send_request key_facts key_facts_lead kf_received
    kf_total kf_cost kf_largest kf_apr kf_principal kf_rate kf_interest kf_fees kf_thousand kf_effective kf_until
    kf_late kf_late_none kf_late_text kf_schedule due principal interest fees penalties interest_and_fees total left
    accept_title offer_read accept decline key_facts_hash pay nothing_owed pay_sent pay_wrong pay_how_much pay_next
    pay_all pay_other pay_other_amount pay_multiple pay_ask pay_without pay_without_text pay_safety statement
    statement_day name state paid_out_on print_hint payments no_payments date_head receipt receipts provider
    provider_receipt entry proof proof_later proof_holds proof_fails proof_path day entry_hash day_root learn
    learn_lead lesson_cost lesson_cost_text lesson_risk lesson_risk_text lesson_safety lesson_safety_text
    lesson_rights lesson_rights_text figures figures_lead figures_none figures_words figures_words_text pool
    pool_small pool_loans pool_lent pool_outstanding pool_available pool_lost par_title par1 par30 par90 par30_short
    cohort cohorts repaid lost lend lend_lead lend_paid_in lend_earned lend_recovered lend_committed lend_uses
    lend_buckets bucket_current bucket_30 bucket_60 bucket_90 bucket_180 bucket_beyond lend_waterfall
    lend_layer_income lend_layer_capital lend_waterfall_text lend_risk lend_risk_text queue queue_empty approvals
    approvals_lead approvals_none proposed_by approver_decides own_proposal approve refuse see_loan collections
    collections_lead nobody_late late_loans days_late overdue money country held actions take_up propose_offer
    propose_refund propose_write_off propose_release propose_waive propose_assign propose_deposit propose_other
    reason reject fund disburse hold open_reason open_record open_text record national_id when kind what who
    movements history suspense suspense_none loan_code contradictions contradictions_none evidence evidence_hint
    books holds holds_not entries days_sealed loans_replayed head rebuilt rebuilt_lead same differs balanced
    account_head accounts currency debits credits books_say by_journal by_loans journal days days_lead days_none
    subject entry_before transfers log detail
    chain_pools chain_pools_lead chain_pool chain_pool_lead chain_silent chain_promised chain_round chain_round_until
    tranches tranche tranche_worth tranche_share tranche_room tranche_leaving tranche_ready senior junior first_loss
    chain_waterfall chain_waterfall_text your_account account_has account_hint account_wrong amount_most lend_do
    lend_do_text do_look do_deposit do_leave do_fetch do_close prepare sign_title sign_text sign_open sign_to
    sign_data sign_allow donate home_donate_text donate_lead donations donations_none donation donation_given
    donation_vouchers donation_spent donation_left donation_until donation_text donation_back donate_do donate_days
    donate_days_hint donate_wrong donate_sign voucher vouchers vouchers_none voucher_paid voucher_over voucher_stands
    merchant anchored anchor_waits anchor_same anchor_differs entry_anchored entry_not_anchored
}

/// A locale file that cannot be read, or lacks texts; the files are part of the program, and a test reads them.
#[derive(Debug, thiserror::Error)]
pub enum LocaleError {
    /// It is no such file.
    #[error("failed to read the texts of {language}")]
    File {
        /// Of which language.
        language: &'static str,
        /// Why.
        #[source]
        source: toml::de::Error,
    },
    /// Names differ from those that are asked for.
    #[error("the texts of {language} lack {missing:?} and have {unknown:?} too much")]
    Names {
        /// Of which language.
        language: &'static str,
        /// What is not there.
        missing: Vec<&'static str>,
        /// What nobody asks for.
        unknown: Vec<String>,
    },
}

/// The texts of all languages.
#[derive(Debug)]
pub(crate) struct Catalogue([Texts; 6]);

impl Catalogue {
    /// Reads all locale files.
    pub(crate) fn load() -> Result<Self, LocaleError> {
        let [en, sw, ha, yo, tw, hi] = Language::ALL.map(read);
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

fn read(language: Language) -> Result<Texts, LocaleError> {
    let name = own_name(language);
    let parsed: File = toml::from_str(file(language)).map_err(|source| LocaleError::File { language: name, source })?;
    let mut taken = Taken { left: parsed.texts, missing: Vec::new() };
    let texts = Texts::take(parsed.months, &mut taken);
    if taken.missing.is_empty() && taken.left.is_empty() {
        return Ok(texts);
    }
    let unknown = taken.left.into_keys().collect();
    Err(LocaleError::Names { language: name, missing: taken.missing, unknown })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn names(text: &str) -> BTreeSet<&str> {
        text.split('{').skip(1).filter_map(|part| part.split_once('}')).map(|(name, _)| name).collect()
    }

    fn parsed(language: Language) -> BTreeMap<String, toml::Value> {
        toml::from_str(file(language)).unwrap()
    }

    #[test]
    fn a_text_has_the_same_values_in_every_language() {
        Catalogue::load().unwrap();
        let english = parsed(Language::English);
        for language in Language::ALL {
            for (key, text) in parsed(language) {
                let (Some(text), Some(original)) = (text.as_str(), english[&key].as_str()) else { continue };
                assert_eq!(names(text), names(original), "{key} in {}", language.code());
                assert_eq!(text.trim(), text, "{key} in {}", language.code());
                assert!(!text.is_empty(), "{key} in {}", language.code());
            }
        }
    }

    #[test]
    fn long_texts_are_translated() {
        let english = parsed(Language::English);
        for language in Language::ALL.into_iter().skip(1) {
            let same = parsed(language).into_iter().filter(|(key, text)| {
                // What is between values; a date may consist of them.
                let words = |text: &str| fill(text, &[]).trim().chars().count();
                let is_long = text.as_str().is_some_and(|text| words(text) > 16);
                is_long && english[key] == *text
            });
            assert_eq!(same.map(|(key, _)| key).collect::<Vec<_>>(), Vec::<String>::new(), "{}", language.code());
        }
    }

    #[test]
    fn values_are_put_in_once() {
        assert_eq!(fill("a {x} b {y}", &[("x", "{y}"), ("y", "2")]), "a {y} b 2");
        assert_eq!(fill("a { b", &[]), "a { b");
    }
}
