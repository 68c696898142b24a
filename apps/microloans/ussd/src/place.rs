//! Where in the menus somebody is, and what they see there. Pure: a place and a language give one screen.

use braid_microloans_arithmetic::{Date, Money};
use secrecy::SecretString;

use crate::{
    Language,
    language::{Catalogue, Texts, fill},
    loans::{MAX_TERMS, Offer, Owed, Paid, Range, Refusal, Rhythm, Term, Ticket},
};

/// How many payments a statement shows.
pub(crate) const STATEMENT_LINES: usize = 3;

/// A place in the menus, with what is needed to show it.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    Language,
    /// From the menu.
    OtherLanguage,
    Consent,
    IdNumber,
    NewPin,
    RepeatPin(SecretString),
    Pin,
    /// Somebody stopped somewhere.
    Resume(Box<Place>),
    Menu,
    Amount(Range),
    Term(Range, Money),
    Facts1(Box<Offer>),
    Facts2(Box<Offer>),
    Facts3(Box<Offer>),
    AcceptPin(Box<Offer>),
    NoLoan,
    Balance(Owed),
    Repay(Owed),
    RepayAmount(Owed),
    Statement(Owed, Vec<Paid>),
    Complaint,
    End(Ending),
}

/// How a session ends.
#[derive(Clone, Debug)]
pub(crate) enum Ending {
    Goodbye,
    Unavailable,
    ConsentRefused,
    PinLocked,
    Refused(Refusal),
    Review,
    Accepted(Box<Offer>),
    Declined,
    OfferGone,
    RepaySent(Money),
    ComplaintTaken(Ticket),
}

/// What is said above a screen that is shown once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remark {
    Invalid,
    IdWrong,
    PinDiffers,
    PinWeak,
    PinWrong { left: u8 },
}

/// A screen: what the gateway is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Screen {
    /// At most 182 septets.
    pub text: String,
    /// Whether an answer is expected.
    pub goes_on: bool,
}

impl Place {
    /// Whether somebody who stopped here is brought back: where they were about to borrow or pay.
    pub(crate) const fn is_worth_resuming(&self) -> bool {
        matches!(
            self,
            Self::Amount(_)
                | Self::Term(..)
                | Self::Facts1(_)
                | Self::Facts2(_)
                | Self::Facts3(_)
                | Self::AcceptPin(_)
                | Self::Repay(_)
                | Self::RepayAmount(_)
                | Self::Complaint
        )
    }
}

/// The screen of a place.
pub(crate) fn screen(
    catalogue: &Catalogue,
    language: Language,
    phone: &str,
    place: &Place,
    remark: Option<Remark>,
) -> Screen {
    let texts = catalogue.texts(language);
    let text = match place {
        Place::End(ending) => return Screen { text: end(texts, phone, ending), goes_on: false },
        other => body(texts, other),
    };
    let text = match remark {
        Some(remark) => format!("{}\n{text}", said(texts, remark)),
        None => text,
    };
    Screen { text, goes_on: true }
}

fn said(texts: &Texts, remark: Remark) -> String {
    match remark {
        Remark::Invalid => texts.invalid.clone(),
        Remark::IdWrong => texts.id_wrong.clone(),
        Remark::PinDiffers => texts.pin_differs.clone(),
        Remark::PinWeak => texts.pin_weak.clone(),
        Remark::PinWrong { left } => fill(&texts.pin_wrong, &[("left", &left.to_string())]),
    }
}

fn body(texts: &Texts, place: &Place) -> String {
    match place {
        Place::Language | Place::OtherLanguage => languages(),
        Place::Consent => texts.consent.clone(),
        Place::IdNumber => texts.id_number.clone(),
        Place::NewPin => texts.new_pin.clone(),
        Place::RepeatPin(_) => texts.repeat_pin.clone(),
        Place::Pin => texts.enter_pin.clone(),
        Place::Resume(_) => texts.resume.clone(),
        Place::Menu => texts.menu.clone(),
        Place::Amount(range) => fill(&texts.amount, &[("low", &money(range.low)), ("high", &money(range.high))]),
        Place::Term(range, _) => fill(&texts.term, &[("choices", &terms(texts, range))]),
        Place::Facts1(offer) | Place::Facts2(offer) | Place::Facts3(offer) | Place::AcceptPin(offer) => {
            facts(texts, place, offer)
        }
        Place::NoLoan => texts.no_loan.clone(),
        Place::Balance(owed) | Place::Repay(owed) => {
            let text = if matches!(place, Place::Repay(_)) { &texts.repay } else { &texts.balance };
            fill(
                text,
                &[
                    ("code", &owed.code),
                    ("owed", &money(owed.owed)),
                    ("next", &money(owed.next)),
                    ("date", &date(owed.next_due)),
                    ("payoff", &money(owed.pay_off)),
                ],
            )
        }
        Place::RepayAmount(owed) => fill(&texts.repay_amount, &[("payoff", &money(owed.pay_off))]),
        Place::Statement(owed, paid) => {
            let lines = statement(texts, paid);
            fill(&texts.statement, &[("code", &owed.code), ("lines", &lines), ("owed", &money(owed.owed))])
        }
        Place::Complaint => texts.complaint.clone(),
        Place::End(_) => String::new(),
    }
}

fn facts(texts: &Texts, place: &Place, offer: &Offer) -> String {
    let text = match place {
        Place::Facts1(_) => &texts.facts_1,
        Place::Facts2(_) => &texts.facts_2,
        Place::Facts3(_) => &texts.facts_3,
        _ => &texts.accept_pin,
    };
    fill(
        text,
        &[
            ("receive", &money(offer.receive)),
            ("total", &money(offer.total)),
            ("cost", &money(offer.cost)),
            ("count", &offer.instalments.to_string()),
            ("each", &money(offer.largest)),
            ("first", &date(offer.first_due)),
            ("last", &date(offer.last_due)),
            ("apr", &offer.apr_percent),
            ("late", &money(offer.late)),
            ("until", &date(offer.cooling_off_until)),
        ],
    )
}

fn languages() -> String {
    let line = |(n, language): (usize, Language)| format!("{} {}", n + 1, language.own_name());
    let lines: Vec<String> = Language::ALL.into_iter().enumerate().map(line).collect();
    format!("Braid\n{}", lines.join("\n"))
}

fn terms(texts: &Texts, range: &Range) -> String {
    let line = |(n, term): (usize, &Term)| {
        let every = match term.rhythm {
            Rhythm::Weekly => &texts.weekly,
            Rhythm::TwoWeekly => &texts.two_weekly,
            Rhythm::Monthly => &texts.monthly,
        };
        let values =
            [("choice", (n + 1).to_string()), ("count", term.instalments.to_string()), ("every", every.clone())];
        fill(&texts.term_line, &values.each_ref().map(|(name, value)| (*name, value.as_str())))
    };
    range.terms.iter().take(MAX_TERMS).enumerate().map(line).collect::<Vec<_>>().join("\n")
}

fn statement(texts: &Texts, paid: &[Paid]) -> String {
    if paid.is_empty() {
        return texts.statement_none.clone();
    }
    let line = |paid: &Paid| format!("{} {}", date(paid.on), money(paid.amount));
    paid.iter().take(STATEMENT_LINES).map(line).collect::<Vec<_>>().join("\n")
}

fn end(texts: &Texts, phone: &str, ending: &Ending) -> String {
    match ending {
        Ending::Goodbye => texts.goodbye.clone(),
        Ending::Unavailable => texts.unavailable.clone(),
        Ending::ConsentRefused => texts.consent_refused.clone(),
        Ending::PinLocked => fill(&texts.pin_locked, &[("phone", phone)]),
        Ending::Refused(Refusal::Late) => texts.refused_late.clone(),
        Ending::Refused(Refusal::Limit) => texts.refused_limit.clone(),
        Ending::Refused(Refusal::Identity) => texts.refused_identity.clone(),
        Ending::Refused(Refusal::Other) => fill(&texts.refused_other, &[("phone", phone)]),
        Ending::Review => texts.review.clone(),
        Ending::Accepted(offer) => fill(
            &texts.accepted,
            &[("code", &offer.code), ("receive", &money(offer.receive)), ("total", &money(offer.total))],
        ),
        Ending::Declined => texts.declined.clone(),
        Ending::OfferGone => texts.offer_gone.clone(),
        Ending::RepaySent(amount) => fill(&texts.repay_sent, &[("amount", &money(*amount))]),
        Ending::ComplaintTaken(ticket) => fill(
            &texts.complaint_taken,
            &[("ticket", &ticket.code), ("days", &ticket.days.to_string()), ("phone", phone)],
        ),
    }
}

/// An amount as people write it: `KES 12,500`, with decimals only where there are some.
pub(crate) fn money(amount: Money) -> String {
    let text = amount.currency.format(amount.minor);
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let (sign, digits) = whole.strip_prefix('-').map_or(("", whole), |digits| ("-", digits));
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let fraction = if fraction.bytes().all(|digit| digit == b'0') { String::new() } else { format!(".{fraction}") };
    format!("{} {sign}{grouped}{fraction}", amount.currency.code())
}

/// A date as people write it: `23/11/2026`.
pub(crate) fn date(date: Date) -> String {
    let text = date.to_string();
    let mut parts = text.split('-');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(year), Some(month), Some(day)) => format!("{day}/{month}/{year}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests;
