//! Every screen in every language with the longest values there can be.

use super::*;
use crate::{
    gsm7::{SCREEN_SEPTETS, septets},
    loans::Refusal,
};

/// The longest amount: ten million naira and kobo. Loans are of ten to a thousand dollars, which is less in every currency.
fn longest() -> Money {
    Money { minor: 999_999_999, currency: "NGN".parse().unwrap() }
}

const PHONE: &str = "+2348012345678";
const CODE: &str = "LN-7K3Q9AWXY";

fn day() -> Date {
    Date::new(2026, 12, 31).unwrap()
}

fn offer() -> Box<Offer> {
    Box::new(Offer {
        code: CODE.into(),
        key_facts_hash: [0; 32],
        receive: longest(),
        total: longest(),
        cost: longest(),
        instalments: 600,
        largest: longest(),
        first_due: day(),
        last_due: day(),
        apr_percent: "9999.99".into(),
        late: longest(),
        cooling_off_until: day(),
    })
}

fn owed() -> Owed {
    Owed { code: CODE.into(), owed: longest(), next: longest(), next_due: day(), pay_off: longest() }
}

fn range() -> Range {
    let term = |rhythm| Term { instalments: 600, rhythm };
    Range {
        low: longest(),
        high: longest(),
        terms: vec![term(Rhythm::TwoWeekly), term(Rhythm::Monthly), term(Rhythm::Weekly)],
    }
}

fn places() -> Vec<Place> {
    let paid = Paid { on: day(), amount: longest() };
    vec![
        Place::Language,
        Place::OtherLanguage,
        Place::Consent,
        Place::IdNumber,
        Place::NewPin,
        Place::RepeatPin("0".to_owned().into()),
        Place::Pin,
        Place::Resume(Box::new(Place::Complaint)),
        Place::Menu,
        Place::Amount(range()),
        Place::Term(range(), longest()),
        Place::Facts1(offer()),
        Place::Facts2(offer()),
        Place::Facts3(offer()),
        Place::AcceptPin(offer()),
        Place::NoLoan,
        Place::Balance(owed()),
        Place::Repay(owed()),
        Place::RepayAmount(owed()),
        Place::Statement(owed(), vec![paid; 9]),
        Place::Statement(owed(), Vec::new()),
        Place::Complaint,
        Place::End(Ending::Goodbye),
        Place::End(Ending::Unavailable),
        Place::End(Ending::ConsentRefused),
        Place::End(Ending::PinLocked),
        Place::End(Ending::Refused(Refusal::Late)),
        Place::End(Ending::Refused(Refusal::Limit)),
        Place::End(Ending::Refused(Refusal::Identity)),
        Place::End(Ending::Refused(Refusal::Other)),
        Place::End(Ending::Review),
        Place::End(Ending::Accepted(offer())),
        Place::End(Ending::Declined),
        Place::End(Ending::OfferGone),
        Place::End(Ending::RepaySent(longest())),
        Place::End(Ending::ComplaintTaken(Ticket { code: "C-7K3Q9AWXY".into(), days: 30 })),
    ]
}

/// The remarks that can stand above a place.
fn remarks(place: &Place) -> Vec<Option<Remark>> {
    let mut remarks = vec![None];
    if !matches!(place, Place::End(_)) {
        remarks.push(Some(Remark::Invalid));
    }
    match place {
        Place::IdNumber => remarks.push(Some(Remark::IdWrong)),
        Place::NewPin => remarks.extend([Some(Remark::PinDiffers), Some(Remark::PinWeak)]),
        Place::Pin | Place::AcceptPin(_) => remarks.push(Some(Remark::PinWrong { left: 2 })),
        _ => {}
    }
    remarks
}

#[test]
fn every_screen_fits_in_every_language() {
    let catalogue = Catalogue::load().unwrap();
    let mut too_long = Vec::new();
    let mut measured = 0;
    for language in Language::ALL {
        for place in places() {
            for remark in remarks(&place) {
                let screen = screen(&catalogue, language, PHONE, &place, remark);
                let count = septets(&screen.text);
                measured += 1;
                if count.is_none_or(|count| count > SCREEN_SEPTETS) {
                    too_long.push(format!("{} {count:?}: {}", language.code(), screen.text));
                }
                assert!(!screen.text.contains(['{', '}']), "a value is missing: {}", screen.text);
            }
        }
    }
    assert!(measured > 300, "{measured}");
    assert!(too_long.is_empty(), "{}", too_long.join("\n---\n"));
}

#[test]
fn amounts_and_dates_are_written_as_people_do() {
    let kes = |minor| money(Money { minor, currency: "KES".parse().unwrap() });
    assert_eq!(kes(1_250_000), "KES 12,500");
    assert_eq!(kes(1_250_050), "KES 12,500.50");
    assert_eq!(kes(0), "KES 0");
    assert_eq!(kes(-10_000), "KES -100");
    assert_eq!(date(Date::new(2026, 3, 1).unwrap()), "01/03/2026");
}
