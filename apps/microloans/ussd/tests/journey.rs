//! Journeys through the menus, with a lending service that keeps what it is told, and answers that nobody expects.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use braid_microloans_arithmetic::{Date, Money};
use braid_microloans_rails::{Clock, Msisdn};
use braid_microloans_ussd::{
    Gateway, Language, Loans, Screen,
    gateway::{Request, RequestError},
    gsm7::{SCREEN_SEPTETS, septets},
    http,
    loans::{Applied, Matter, Offer, Owed, Paid, Person, PinCheck, Range, Refusal, Rhythm, Term, Ticket, Unavailable},
};
use proptest::prelude::*;
use secrecy::{ExposeSecret as _, SecretString};

#[derive(Debug, Default)]
struct Known {
    language: Option<Language>,
    consent: Option<Language>,
    id_number: Option<String>,
    pin: Option<String>,
    wrong: BTreeSet<String>,
    loan: Option<Offer>,
}

/// A lending service in memory: what was done to it, by key.
#[derive(Debug, Default)]
struct Ledger {
    people: Mutex<BTreeMap<Msisdn, Known>>,
    done: Mutex<BTreeMap<String, String>>,
    is_down: AtomicBool,
}

impl Ledger {
    /// Does something once for a key; another content for the same key is a defect.
    fn once(&self, key: &str, what: String) -> Result<(), Unavailable> {
        if self.is_down.load(Ordering::SeqCst) {
            return Err(Unavailable);
        }
        let mut done = self.done.lock().unwrap();
        let before = done.entry(key.to_owned()).or_insert_with(|| what.clone());
        assert_eq!(*before, what, "the key {key} was used for two things");
        Ok(())
    }

    fn change(&self, who: &Msisdn, change: impl FnOnce(&mut Known)) {
        change(self.people.lock().unwrap().entry(who.clone()).or_default());
    }

    fn deeds(&self) -> Vec<String> {
        self.done.lock().unwrap().values().cloned().collect()
    }
}

fn kes(shillings: i128) -> Money {
    Money { minor: shillings * 100, currency: "KES".parse().unwrap() }
}

fn offer(amount: Money, term: Term) -> Offer {
    Offer {
        code: "LN-7K3Q9A".into(),
        key_facts_hash: [7; 32],
        receive: amount,
        total: Money { minor: amount.minor * 11 / 10, ..amount },
        cost: Money { minor: amount.minor / 10, ..amount },
        instalments: term.instalments,
        largest: amount,
        first_due: Date::new(2026, 4, 1).unwrap(),
        last_due: Date::new(2026, 7, 1).unwrap(),
        apr_percent: "42.17".into(),
        late: kes(50),
        cooling_off_until: Date::new(2026, 3, 4).unwrap(),
    }
}

#[async_trait]
impl Loans for Ledger {
    async fn person(&self, who: &Msisdn) -> Result<Person, Unavailable> {
        if self.is_down.load(Ordering::SeqCst) {
            return Err(Unavailable);
        }
        let people = self.people.lock().unwrap();
        let known = people.get(who);
        Ok(Person {
            language: known.and_then(|known| known.language),
            has_consented: known.is_some_and(|known| known.consent.is_some()),
            has_identity: known.is_some_and(|known| known.id_number.is_some()),
            has_pin: known.is_some_and(|known| known.pin.is_some()),
        })
    }

    async fn set_language(&self, who: &Msisdn, language: Language) -> Result<(), Unavailable> {
        self.change(who, |known| known.language = Some(language));
        Ok(())
    }

    async fn consent(&self, who: &Msisdn, language: Language, key: &str) -> Result<(), Unavailable> {
        self.once(key, format!("consent {}", language.code()))?;
        self.change(who, |known| known.consent = Some(language));
        Ok(())
    }

    async fn identify(&self, who: &Msisdn, id_number: &SecretString, key: &str) -> Result<(), Unavailable> {
        self.once(key, "identify".into())?;
        self.change(who, |known| known.id_number = Some(id_number.expose_secret().to_owned()));
        Ok(())
    }

    async fn set_pin(&self, who: &Msisdn, pin: &SecretString, key: &str) -> Result<(), Unavailable> {
        self.once(key, "pin".into())?;
        self.change(who, |known| known.pin = Some(pin.expose_secret().to_owned()));
        Ok(())
    }

    async fn check_pin(&self, who: &Msisdn, pin: &SecretString, key: &str) -> Result<PinCheck, Unavailable> {
        let mut people = self.people.lock().unwrap();
        let known = people.get_mut(who).ok_or(Unavailable)?;
        if known.wrong.len() >= 3 {
            return Ok(PinCheck::Locked);
        }
        if known.pin.as_deref() == Some(pin.expose_secret()) {
            known.wrong.clear();
            return Ok(PinCheck::Right);
        }
        known.wrong.insert(key.to_owned());
        let left = 3 - u8::try_from(known.wrong.len()).unwrap();
        Ok(if left == 0 { PinCheck::Locked } else { PinCheck::Wrong { left } })
    }

    async fn range(&self, who: &Msisdn) -> Result<Result<Range, Refusal>, Unavailable> {
        if self.people.lock().unwrap()[who].loan.is_some() {
            return Ok(Err(Refusal::Limit));
        }
        let terms =
            vec![Term { instalments: 4, rhythm: Rhythm::Monthly }, Term { instalments: 12, rhythm: Rhythm::Weekly }];
        Ok(Ok(Range { low: kes(1000), high: kes(50_000), terms }))
    }

    async fn apply(&self, _: &Msisdn, amount: Money, term: Term, key: &str) -> Result<Applied, Unavailable> {
        self.once(key, format!("apply {amount} {}", term.instalments))?;
        Ok(Applied::Offered(Box::new(offer(amount, term))))
    }

    async fn accept(&self, who: &Msisdn, offer: &Offer, language: Language, key: &str) -> Result<bool, Unavailable> {
        self.once(key, format!("accept {} {}", offer.receive, language.code()))?;
        self.change(who, |known| known.loan = Some(offer.clone()));
        Ok(true)
    }

    async fn decline(&self, _: &Msisdn, offer: &Offer, key: &str) -> Result<(), Unavailable> {
        self.once(key, format!("decline {}", offer.receive))
    }

    async fn owed(&self, who: &Msisdn) -> Result<Option<Owed>, Unavailable> {
        Ok(self.people.lock().unwrap()[who].loan.as_ref().map(|loan| Owed {
            code: loan.code.clone(),
            owed: loan.total,
            next: kes(1375),
            next_due: loan.first_due,
            pay_off: loan.receive,
        }))
    }

    async fn repay(&self, _: &Msisdn, code: &str, amount: Money, key: &str) -> Result<(), Unavailable> {
        self.once(key, format!("repay {code} {amount}"))
    }

    async fn payments(&self, _: &Msisdn) -> Result<Vec<Paid>, Unavailable> {
        Ok(vec![Paid { on: Date::new(2026, 3, 20).unwrap(), amount: kes(500) }])
    }

    async fn complain(&self, _: &Msisdn, matter: Matter, key: &str) -> Result<Ticket, Unavailable> {
        self.once(key, format!("complain {matter:?}"))?;
        Ok(Ticket { code: "C-1".into(), days: 2 })
    }
}

/// A telephone: what it dialled and pressed so far.
struct Handset<'a> {
    gateway: &'a Gateway,
    who: Msisdn,
    session: String,
    text: String,
    now_ms: i64,
}

impl<'a> Handset<'a> {
    fn new(gateway: &'a Gateway, session: &str) -> Self {
        let who = "254700000001".parse().unwrap();
        Self { gateway, who, session: session.to_owned(), text: String::new(), now_ms: 0 }
    }

    async fn ask(&self) -> Screen {
        let request = Request { session: &self.session, who: &self.who, text: &self.text, now_ms: self.now_ms };
        self.gateway.answer(request).await.unwrap()
    }

    async fn dial(&mut self) -> String {
        self.ask().await.text
    }

    async fn press(&mut self, answers: &[&str]) -> String {
        if self.text.is_empty() {
            self.ask().await;
        }
        let mut last = String::new();
        for answer in answers {
            if !self.text.is_empty() {
                self.text.push('*');
            }
            self.text.push_str(answer);
            last = self.ask().await.text;
        }
        last
    }
}

fn stage() -> (Arc<Ledger>, Gateway) {
    let ledger = Arc::new(Ledger::default());
    let gateway = Gateway::new(Arc::clone(&ledger) as Arc<dyn Loans>, "+254700000000").unwrap();
    (ledger, gateway)
}

const REGISTER: [&str; 5] = ["1", "1", "23456789", "2580", "2580"];

#[tokio::test]
async fn from_the_first_call_to_a_complaint() {
    let (ledger, gateway) = stage();
    let mut handset = Handset::new(&gateway, "a");
    assert!(handset.dial().await.contains("2 Kiswahili"));
    assert!(handset.press(&["1"]).await.contains("I agree"));
    assert!(handset.press(&["1"]).await.contains("national ID"));
    assert!(handset.press(&["23456789"]).await.contains("Choose a PIN"));
    assert!(handset.press(&["1234"]).await.contains("easy to guess"));
    assert!(handset.press(&["2580", "2581"]).await.contains("not the same"));
    assert!(handset.press(&["2580", "2580"]).await.contains("1 Borrow"));
    assert_eq!(handset.press(&["1"]).await, "How much do you want? From KES 1,000 to KES 50,000.\n0 Back");
    assert!(handset.press(&["999"]).await.starts_with("That is not a choice."));
    assert!(handset.press(&["5 000"]).await.contains("1 4 payments, monthly\n2 12 payments, weekly"));
    assert!(handset.press(&["1"]).await.contains("You get KES 5,000\nYou pay back KES 5,500\nThe loan costs KES 500"));
    assert!(handset.press(&["1"]).await.contains("APR): 42.17%"));
    assert!(handset.press(&["0"]).await.contains("1/3"));
    assert!(handset.press(&["1", "1"]).await.contains("Until 04/03/2026"));
    assert!(handset.press(&["1"]).await.contains("enter your PIN"));
    assert!(handset.press(&["9999"]).await.contains("Tries left: 2"));
    let end = handset.press(&["2580"]).await;
    assert_eq!(end, "Loan LN-7K3Q9A is accepted. KES 5,000 will come to this phone. You pay back KES 5,500.");
    assert_eq!(ledger.deeds(), ["apply 5000.00 KES 4", "accept 5000.00 KES en", "consent en", "identify", "pin"]);

    let mut handset = Handset::new(&gateway, "b");
    assert!(handset.dial().await.contains("Enter your PIN"));
    handset.press(&["2580"]).await;
    assert!(handset.press(&["2"]).await.contains("You owe KES 5,500"));
    assert!(handset.press(&["0", "4"]).await.contains("20/03/2026 KES 500"));
    assert!(handset.press(&["0", "6", "2"]).await.contains("1 Kopa"));
    assert!(handset.press(&["6", "1"]).await.contains("1 Borrow"));
    assert!(handset.press(&["1"]).await.contains("payments would be too high"));
    for (session, answers, said) in [
        ("c", vec!["2580", "3", "1"], "KES 1,375"),
        ("d", vec!["2580", "3", "2"], "KES 5,000"),
        ("e", vec!["2580", "3", "3", "5001", "700"], "KES 700"),
        ("f", vec!["2580", "5", "2"], "C-1"),
    ] {
        assert!(Handset::new(&gateway, session).press(&answers).await.contains(said));
    }
    let deeds = ledger.deeds();
    for deed in [
        "repay LN-7K3Q9A 1375.00 KES",
        "repay LN-7K3Q9A 5000.00 KES",
        "repay LN-7K3Q9A 700.00 KES",
        "complain NotCounted",
    ] {
        assert!(deeds.iter().any(|done| done == deed), "{deed}");
    }
}

#[tokio::test]
async fn a_request_that_comes_again_does_nothing_again() {
    let (ledger, gateway) = stage();
    let mut handset = Handset::new(&gateway, "a");
    handset.press(&REGISTER).await;
    let once = handset.press(&["1", "5000", "1"]).await;
    let before = ledger.deeds();
    for _ in 0..3 {
        assert_eq!(handset.ask().await.text, once);
    }
    assert_eq!(ledger.deeds(), before);
    // The gateway was started again, and knows nothing of the session: nothing that was said before is done.
    let restarted = Gateway::new(Arc::clone(&ledger) as Arc<dyn Loans>, "+254700000000").unwrap();
    let mut again = Handset { gateway: &restarted, text: handset.text.clone(), ..Handset::new(&restarted, "a") };
    assert!(again.ask().await.text.contains("Enter your PIN"));
    assert_eq!(ledger.deeds(), before);
    let end = again.press(&["2580", "1", "7000", "1", "1", "1", "1", "2580"]).await;
    assert!(end.contains("is accepted"), "{end}");
    assert_eq!(ledger.deeds().iter().filter(|deed| deed.starts_with("accept")).count(), 1);
}

#[tokio::test]
async fn who_was_cut_off_goes_on_after_the_pin() {
    let (_, gateway) = stage();
    let mut handset = Handset::new(&gateway, "a");
    handset.press(&REGISTER).await;
    let facts = handset.press(&["1", "5000", "1", "1"]).await;
    gateway.ended("a");
    let mut next = Handset { now_ms: 60_000, ..Handset::new(&gateway, "b") };
    assert!(next.dial().await.contains("Enter your PIN"), "nothing is shown before the PIN");
    assert!(next.press(&["2580"]).await.contains("Go on where you stopped"));
    assert_eq!(next.press(&["1"]).await, facts);
    // Later than half an hour after that, there is nothing to go on with.
    let mut late = Handset { now_ms: 60_000 + 31 * 60_000, ..Handset::new(&gateway, "c") };
    assert!(late.press(&["2580"]).await.contains("1 Borrow"));
}

#[tokio::test]
async fn registration_goes_on_where_it_stopped() {
    let (_, gateway) = stage();
    Handset::new(&gateway, "a").press(&["2", "1"]).await;
    assert!(Handset::new(&gateway, "b").dial().await.contains("kitambulisho"));
}

#[tokio::test]
async fn a_session_is_its_numbers_and_goes_forward_only() {
    let (_, gateway) = stage();
    Handset::new(&gateway, "a").press(&["1", "1"]).await;
    let who: Msisdn = "254700000001".parse().unwrap();
    let other: Msisdn = "254700000002".parse().unwrap();
    let ask =
        async |who: &Msisdn, session: &str, text: &str| gateway.answer(Request { session, who, text, now_ms: 0 }).await;
    assert_eq!(ask(&other, "a", "1*1").await, Err(RequestError::OtherNumber));
    assert_eq!(ask(&who, "a", "1*2").await, Err(RequestError::OtherText));
    assert_eq!(ask(&who, "a", "1").await, Err(RequestError::OtherText));
    assert_eq!(ask(&who, "a", "1*12").await, Err(RequestError::OtherText));
    assert_eq!(ask(&who, "", "").await, Err(RequestError::Session));
    assert_eq!(ask(&who, "b", &"1".repeat(513)).await, Err(RequestError::Text));
    assert_eq!(ask(&who, "b", &"1*".repeat(40)).await, Err(RequestError::Text));
}

#[tokio::test]
async fn a_pin_is_locked_and_a_service_that_is_down_ends_politely() {
    let (ledger, gateway) = stage();
    Handset::new(&gateway, "a").press(&REGISTER).await;
    let mut handset = Handset::new(&gateway, "b");
    assert!(handset.press(&["1111", "2222", "3333"]).await.contains("locked. Call +254700000000"));
    // The same session again counts nothing.
    ledger.people.lock().unwrap().values_mut().for_each(|known| known.wrong.clear());
    let mut handset = Handset::new(&gateway, "c");
    handset.press(&["2580", "1", "5000"]).await;
    ledger.is_down.store(true, Ordering::SeqCst);
    assert!(handset.press(&["1"]).await.contains("dial again later"));
    assert!(Handset::new(&gateway, "d").dial().await.contains("dial again later"));
    ledger.is_down.store(false, Ordering::SeqCst);
    let mut back = Handset::new(&gateway, "e");
    assert!(back.press(&["2580", "1"]).await.contains("For how long?"));
}

#[tokio::test]
async fn the_networks_gateway_and_the_handset_over_http() {
    let (_, gateway) = stage();
    let gateway = Arc::new(gateway);
    let clock = Clock(Arc::new(|| jiff::Timestamp::UNIX_EPOCH));
    let router = http::gateway_routes(Arc::clone(&gateway), clock.clone()).merge(http::handset_routes(gateway, clock));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let post = async |path: &str, form: &'static str| {
        let request = client.post(format!("{url}{path}")).header("content-type", "application/x-www-form-urlencoded");
        let response = request.body(form).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    let call = "sessionId=s1&serviceCode=*384*27%23&phoneNumber=%2B254700000001&networkCode=63902&text=";
    let (status, body) = post("/ussd", call).await;
    assert_eq!(status, 200);
    assert!(body.starts_with("CON Braid\n1 English"), "{body}");
    let refuse = "sessionId=s1&serviceCode=*384*27%23&phoneNumber=%2B254700000001&networkCode=63902&text=1*2";
    assert!(post("/ussd", refuse).await.1.starts_with("END Without your agreement"));
    assert!(post("/ussd", "sessionId=s2&phoneNumber=0700&text=").await.1.starts_with("END "));
    assert_eq!(post("/ussd/end", "sessionId=s1&status=Success").await.0, 200);
    assert_eq!(post("/ussd", "text=").await.0, 422);
    let page = client.get(format!("{url}/handset")).send().await.unwrap().text().await.unwrap();
    assert!(page.len() < 100_000 && page.contains("width=device-width"));
    let (_, dialled) = post("/handset", "number=%2B254700000002").await;
    assert!(dialled.contains("2 Kiswahili") && dialled.contains("of 182"), "{dialled}");
    let (_, next) = post("/handset", "number=%2B254700000002&session=handset-x&text=&answer=1").await;
    assert!(next.contains("2 Kiswahili"), "a session that nobody knows begins anew: {next}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever is pressed, there is a screen that fits, and repeating it changes nothing.
    #[test]
    fn any_answers_lead_to_a_screen(
        answers in prop::collection::vec(prop_oneof!["[0-9]", "[0-9]{4}", "2580", "5000", ".{0,6}"], 0..12),
        language in 1..7u8,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (ledger, gateway) = stage();
            let mut handset = Handset::new(&gateway, "a");
            handset.press(&[&language.to_string(), "1", "23456789", "2580", "2580"]).await;
            let answers: Vec<String> = answers.into_iter().map(|answer| answer.replace('*', "")).collect();
            for answer in &answers {
                handset.press(&[answer]).await;
                let screen = handset.ask().await;
                let count = septets(&screen.text).expect("of the alphabet");
                assert!(count <= SCREEN_SEPTETS, "{count}: {}", screen.text);
                let before = ledger.deeds();
                assert_eq!(handset.ask().await, screen);
                assert_eq!(ledger.deeds(), before);
            }
        });
    }
}
