//! From a place and an answer to the next place. All that happens elsewhere happens in [`Loans`], by a key that belongs to the session
//! and the position in it, so that going over the same answers again does nothing twice.

use braid_microloans_arithmetic::Money;
use braid_microloans_rails::Msisdn;
use secrecy::{ExposeSecret as _, SecretString};

use crate::{
    Language, Loans,
    loans::{Applied, MAX_TERMS, Matter, Offer, Owed, PinCheck, Unavailable},
    place::{Ending, Place, Remark},
};

/// The answer that goes back.
const BACK: &str = "0";
/// Digits of a PIN.
const PIN_DIGITS: usize = 4;
/// Characters of an ID number, over the four countries.
const ID_LENGTHS: std::ops::RangeInclusive<usize> = 5..=20;

/// Who is on the line, and what for.
#[derive(Debug)]
pub(crate) struct Visit<'a> {
    pub(crate) who: &'a Msisdn,
    pub(crate) loans: &'a dyn Loans,
    pub(crate) language: &'a mut Language,
    /// Where they stopped last time, if anywhere.
    pub(crate) stopped_at: &'a mut Option<Place>,
    /// Names this answer for ever.
    pub(crate) key: String,
}

/// The next place, and what to say above it.
pub(crate) type Next = (Place, Option<Remark>);

const fn at(place: Place) -> Next {
    (place, None)
}

const fn end(ending: Ending) -> Next {
    (Place::End(ending), None)
}

/// The first place of somebody, or the next one of their registration.
pub(crate) async fn begin(visit: &mut Visit<'_>) -> Result<Place, Unavailable> {
    let person = visit.loans.person(visit.who).await?;
    if let Some(language) = person.language {
        *visit.language = language;
    }
    Ok(if person.language.is_none() {
        Place::Language
    } else if !person.has_consented {
        Place::Consent
    } else if !person.has_identity {
        Place::IdNumber
    } else if !person.has_pin {
        Place::NewPin
    } else {
        Place::Pin
    })
}

/// Where an answer leads.
pub(crate) async fn next(visit: &mut Visit<'_>, place: Place, answer: &str) -> Result<Next, Unavailable> {
    let again = |place: Place| (place, Some(Remark::Invalid));
    match place {
        Place::Language | Place::OtherLanguage if answer != BACK => choose_language(visit, place, answer).await,
        Place::Language => Ok(again(place)),
        Place::Consent => consent(visit, answer).await,
        Place::IdNumber => identify(visit, answer).await,
        Place::NewPin => Ok(new_pin(answer)),
        Place::RepeatPin(pin) => repeat_pin(visit, &pin, answer).await,
        Place::Pin => enter(visit, answer).await,
        Place::Resume(place) => Ok(match answer {
            "1" => at(*place),
            "2" => at(Place::Menu),
            _ => again(Place::Resume(place)),
        }),
        Place::Menu => menu(visit, answer).await,
        _ if answer == BACK && !matches!(place, Place::AcceptPin(_)) => Ok(at(back(place))),
        Place::Amount(range) => Ok(match amount(answer, range.low) {
            Some(asked) if (range.low.minor..=range.high.minor).contains(&asked.minor) => at(Place::Term(range, asked)),
            _ => again(Place::Amount(range)),
        }),
        Place::Term(range, asked) => {
            let chosen = choice(answer).filter(|n| *n <= MAX_TERMS).and_then(|n| range.terms.get(n - 1));
            match chosen {
                Some(term) => {
                    let applied = visit.loans.apply(visit.who, asked, *term, &visit.key).await?;
                    Ok(after_application(applied))
                }
                None => Ok(again(Place::Term(range, asked))),
            }
        }
        Place::Facts1(offer) => Ok(if answer == "1" { at(Place::Facts2(offer)) } else { again(Place::Facts1(offer)) }),
        Place::Facts2(offer) => Ok(if answer == "1" { at(Place::Facts3(offer)) } else { again(Place::Facts2(offer)) }),
        Place::Facts3(offer) => decide(visit, offer, answer).await,
        Place::AcceptPin(offer) => accept(visit, offer, answer).await,
        Place::Repay(owed) => repay(visit, owed, answer).await,
        Place::RepayAmount(owed) => match amount(answer, owed.pay_off) {
            Some(asked) if asked.minor > 0 && asked.minor <= owed.pay_off.minor => {
                send_prompt(visit, &owed, asked).await
            }
            _ => Ok(again(Place::RepayAmount(owed))),
        },
        Place::Complaint => complain(visit, answer).await,
        Place::OtherLanguage | Place::NoLoan | Place::Balance(_) | Place::Statement(..) => Ok(again(place)),
        Place::End(_) => Ok(at(place)),
    }
}

/// One step back in the key facts, so that they can be read again; from anywhere else to the menu.
fn back(place: Place) -> Place {
    match place {
        Place::Facts2(offer) => Place::Facts1(offer),
        Place::Facts3(offer) => Place::Facts2(offer),
        Place::Term(range, _) => Place::Amount(range),
        _ => Place::Menu,
    }
}

async fn choose_language(visit: &mut Visit<'_>, place: Place, answer: &str) -> Result<Next, Unavailable> {
    let Some(language) = choice(answer).and_then(|n| Language::ALL.get(n - 1)).copied() else {
        return Ok((place, Some(Remark::Invalid)));
    };
    visit.loans.set_language(visit.who, language).await?;
    *visit.language = language;
    // Who comes from the menu has entered the PIN.
    if matches!(place, Place::OtherLanguage) { Ok(at(Place::Menu)) } else { begin(visit).await.map(at) }
}

async fn consent(visit: &mut Visit<'_>, answer: &str) -> Result<Next, Unavailable> {
    match answer {
        "1" => {
            visit.loans.consent(visit.who, *visit.language, &visit.key).await?;
            begin(visit).await.map(at)
        }
        "2" => Ok(end(Ending::ConsentRefused)),
        _ => Ok((Place::Consent, Some(Remark::Invalid))),
    }
}

async fn identify(visit: &mut Visit<'_>, answer: &str) -> Result<Next, Unavailable> {
    let is_number = ID_LENGTHS.contains(&answer.len())
        && answer.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'/'))
        && answer.bytes().any(|byte| byte.is_ascii_digit());
    if !is_number {
        return Ok((Place::IdNumber, Some(Remark::IdWrong)));
    }
    visit.loans.identify(visit.who, &answer.to_owned().into(), &visit.key).await?;
    begin(visit).await.map(at)
}

fn new_pin(answer: &str) -> Next {
    if !is_pin(answer) {
        return (Place::NewPin, Some(Remark::Invalid));
    }
    if is_weak(answer) {
        return (Place::NewPin, Some(Remark::PinWeak));
    }
    at(Place::RepeatPin(answer.to_owned().into()))
}

fn is_pin(answer: &str) -> bool {
    answer.len() == PIN_DIGITS && answer.bytes().all(|byte| byte.is_ascii_digit())
}

/// Four times the same digit, or a run such as 1234 or 4321.
fn is_weak(pin: &str) -> bool {
    let digits = pin.as_bytes();
    let steps = |by: i16| digits.windows(2).all(|pair| i16::from(pair[1]) - i16::from(pair[0]) == by);
    steps(0) || steps(1) || steps(-1)
}

async fn repeat_pin(visit: &mut Visit<'_>, pin: &SecretString, answer: &str) -> Result<Next, Unavailable> {
    if pin.expose_secret() != answer {
        return Ok((Place::NewPin, Some(Remark::PinDiffers)));
    }
    visit.loans.set_pin(visit.who, pin, &visit.key).await?;
    Ok(at(Place::Menu))
}

async fn check(visit: &Visit<'_>, answer: &str) -> Result<PinCheck, Unavailable> {
    visit.loans.check_pin(visit.who, &answer.to_owned().into(), &visit.key).await
}

async fn enter(visit: &mut Visit<'_>, answer: &str) -> Result<Next, Unavailable> {
    if !is_pin(answer) {
        return Ok((Place::Pin, Some(Remark::Invalid)));
    }
    Ok(match check(visit, answer).await? {
        PinCheck::Locked => end(Ending::PinLocked),
        PinCheck::Wrong { left } => (Place::Pin, Some(Remark::PinWrong { left })),
        PinCheck::Right => match visit.stopped_at.take() {
            Some(place) => at(Place::Resume(Box::new(place))),
            None => at(Place::Menu),
        },
    })
}

async fn menu(visit: &Visit<'_>, answer: &str) -> Result<Next, Unavailable> {
    Ok(match answer {
        "1" => match visit.loans.range(visit.who).await? {
            Ok(range) => at(Place::Amount(range)),
            Err(refusal) => end(Ending::Refused(refusal)),
        },
        "2" => at(owed(visit).await?.map_or(Place::NoLoan, Place::Balance)),
        "3" => at(owed(visit).await?.map_or(Place::NoLoan, Place::Repay)),
        "4" => match owed(visit).await? {
            Some(owed) => at(Place::Statement(owed, visit.loans.payments(visit.who).await?)),
            None => at(Place::NoLoan),
        },
        "5" => at(Place::Complaint),
        "6" => at(Place::OtherLanguage),
        BACK => end(Ending::Goodbye),
        _ => (Place::Menu, Some(Remark::Invalid)),
    })
}

async fn owed(visit: &Visit<'_>) -> Result<Option<Owed>, Unavailable> {
    visit.loans.owed(visit.who).await
}

fn after_application(applied: Applied) -> Next {
    match applied {
        Applied::Offered(offer) => at(Place::Facts1(offer)),
        Applied::Review => end(Ending::Review),
        Applied::Refused(refusal) => end(Ending::Refused(refusal)),
    }
}

async fn decide(visit: &Visit<'_>, offer: Box<Offer>, answer: &str) -> Result<Next, Unavailable> {
    match answer {
        "1" => Ok(at(Place::AcceptPin(offer))),
        "2" => {
            visit.loans.decline(visit.who, &offer, &visit.key).await?;
            Ok(end(Ending::Declined))
        }
        _ => Ok((Place::Facts3(offer), Some(Remark::Invalid))),
    }
}

async fn accept(visit: &Visit<'_>, offer: Box<Offer>, answer: &str) -> Result<Next, Unavailable> {
    if !is_pin(answer) {
        return Ok((Place::AcceptPin(offer), Some(Remark::Invalid)));
    }
    match check(visit, answer).await? {
        PinCheck::Locked => Ok(end(Ending::PinLocked)),
        PinCheck::Wrong { left } => Ok((Place::AcceptPin(offer), Some(Remark::PinWrong { left }))),
        PinCheck::Right => {
            let is_accepted = visit.loans.accept(visit.who, &offer, *visit.language, &visit.key).await?;
            Ok(end(if is_accepted { Ending::Accepted(offer) } else { Ending::OfferGone }))
        }
    }
}

async fn repay(visit: &Visit<'_>, owed: Owed, answer: &str) -> Result<Next, Unavailable> {
    match answer {
        "1" => {
            let asked = owed.next;
            send_prompt(visit, &owed, asked).await
        }
        "2" => {
            let asked = owed.pay_off;
            send_prompt(visit, &owed, asked).await
        }
        "3" => Ok(at(Place::RepayAmount(owed))),
        _ => Ok((Place::Repay(owed), Some(Remark::Invalid))),
    }
}

async fn send_prompt(visit: &Visit<'_>, owed: &Owed, asked: Money) -> Result<Next, Unavailable> {
    visit.loans.repay(visit.who, &owed.code, asked, &visit.key).await?;
    Ok(end(Ending::RepaySent(asked)))
}

async fn complain(visit: &Visit<'_>, answer: &str) -> Result<Next, Unavailable> {
    let matter = match answer {
        "1" => Matter::NotReceived,
        "2" => Matter::NotCounted,
        "3" => Matter::WrongAmount,
        "4" => Matter::Treatment,
        "5" => Matter::Other,
        _ => return Ok((Place::Complaint, Some(Remark::Invalid))),
    };
    let ticket = visit.loans.complain(visit.who, matter, &visit.key).await?;
    Ok(end(Ending::ComplaintTaken(ticket)))
}

/// A choice from one on.
fn choice(answer: &str) -> Option<usize> {
    let is_digit = answer.len() == 1 && answer.as_bytes()[0].is_ascii_digit();
    answer.parse::<usize>().ok().filter(|n| is_digit && *n > 0)
}

/// A whole amount in the currency of another. Telephones type no decimal point, and some people type separators.
fn amount(answer: &str, like: Money) -> Option<Money> {
    let digits: String = answer.chars().filter(|c| !matches!(c, ' ' | ',')).collect();
    let is_whole = !digits.is_empty() && digits.len() <= 12 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let minor = like.currency.parse(&digits).ok().filter(|_| is_whole)?;
    Some(Money { minor, currency: like.currency })
}
