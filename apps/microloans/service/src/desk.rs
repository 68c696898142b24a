//! The desk at which borrowers are served by telephone: what the menus ([`Loans`]) ask, answered by the books.
//!
//! Everything that changes something is one transaction with its idempotency key, like a request over HTTP. Keys of the menus name a session and a position in it;
//! they are kept as keyed hashes. Who has not agreed to being registered is in memory only.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use braid_microloans_arithmetic::{Every, Late, Money, key_facts::KeyFacts};
use braid_microloans_ledger::{
    Actor, LedgerError, LoanState, PersonId, Pii, Write, complaints,
    idempotency::{self, Answer},
    loans::{self, Application, Consent, LoanRecord},
    payments, pin,
    pin::Try,
    product::Product,
    rules, vault,
    vault::Standing,
};
use braid_microloans_rails::Msisdn;
use braid_microloans_ussd::{
    Language, Loans,
    loans::{Applied, Matter, Offer, Owed, Paid, Person, PinCheck, Range, Refusal, Rhythm, Term, Ticket, Unavailable},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::Mutex;

use crate::{app::App, hashing::Place, limits};

/// Payments that a statement on a telephone shows.
const STATEMENT_LINES: i64 = 3;

/// The desk.
#[derive(Clone, Debug)]
pub struct Desk {
    app: App,
    /// Languages of numbers that are not registered.
    strangers: Arc<Mutex<BTreeMap<String, Language>>>,
}

/// Whether something was done before.
enum Begun<T> {
    /// It was, with this answer.
    Answered(T),
    /// It was not: a write is under way.
    New(Box<Deed>),
}

/// A write that is done once for a key.
struct Deed {
    write: Write,
    key: String,
    what: &'static str,
    body: String,
}

impl Deed {
    async fn find<T: DeserializeOwned>(mut self) -> Result<Begun<T>, LedgerError> {
        let (key, body) = (self.key.clone(), self.body.clone());
        let request = idempotency::Request { key: &key, path: self.what, body: body.as_bytes() };
        Ok(match idempotency::find(&mut self.write, &request).await? {
            Some(answer) => Begun::Answered(serde_json::from_str(&answer.body)?),
            None => Begun::New(Box::new(self)),
        })
    }

    /// Keeps the answer with what was done, and gives it.
    async fn answer<T: Serialize>(mut self, answer: T) -> Result<T, LedgerError> {
        let (key, body) = (std::mem::take(&mut self.key), std::mem::take(&mut self.body));
        let request = idempotency::Request { key: &key, path: self.what, body: body.as_bytes() };
        let kept = Answer { status: 200, body: serde_json::to_string(&answer)? };
        idempotency::keep(&mut self.write, &request, &kept).await?;
        self.write.commit().await?;
        Ok(answer)
    }
}

/// Begins something, or gives the answer that was given before.
macro_rules! begin {
    ($begun:expr) => {
        match $begun.await? {
            Begun::Answered(answer) => return Ok(answer),
            Begun::New(deed) => deed,
        }
    };
}

fn actor() -> Actor {
    Actor { name: "ussd".to_owned(), role: "gateway".to_owned() }
}

/// What went wrong, for the log; the borrower hears that it does not work now.
fn unavailable(error: impl Into<LedgerError>) -> Unavailable {
    let error = error.into();
    if matches!(error, LedgerError::Busy) {
        tracing::warn!("too many PINs are being checked");
        return Unavailable;
    }
    tracing::error!(error = &error as &dyn std::error::Error, "a borrower could not be served");
    Unavailable
}

/// As numbers are written in the books.
fn plus(who: &Msisdn) -> String {
    format!("+{}", who.expose())
}

impl Desk {
    /// A desk over a service.
    #[must_use]
    pub fn new(app: App) -> Self {
        Self { app, strangers: Arc::default() }
    }

    async fn standing(&self, who: &Msisdn) -> Result<Option<Standing>, LedgerError> {
        let vault = self.app.ledger.vault().clone();
        vault::standing(&mut self.app.read().await?, &vault, &plus(who)).await
    }

    /// Somebody who has agreed to being registered.
    async fn known(&self, who: &Msisdn) -> Result<Standing, LedgerError> {
        let missing = || LedgerError::NotFound("person", "of this number".to_owned());
        self.standing(who).await?.ok_or_else(missing)
    }

    /// The name of a request for ever.
    fn key(&self, who: &Msisdn, what: &str, key: &str) -> String {
        self.app.ledger.vault().blind("ussd key", format!("{what} {} {key}", who.expose()).as_bytes())
    }

    /// Begins something that is done once for a key.
    async fn begin<T: DeserializeOwned>(
        &self,
        who: &Msisdn,
        what: &'static str,
        key: &str,
        body: &str,
    ) -> Result<Begun<T>, LedgerError> {
        let deed =
            Deed { write: self.app.write(actor()).await?, key: self.key(who, what, key), what, body: body.to_owned() };
        deed.find().await
    }

    /// The hash of a PIN, calculated where nobody waits for it.
    async fn hash(&self, place: Place, person: &PersonId, pin: &SecretString) -> Result<String, LedgerError> {
        let (vault, person) = (self.app.ledger.vault().clone(), person.clone());
        let pin = Pii::new(pin.expose_secret().to_owned());
        place.run(move || pin::hash(&vault, &person, &pin)).await?
    }

    /// Products that are paid in the country of a number.
    fn products(&self, country: &str) -> Vec<&Product> {
        self.app
            .catalogue
            .products()
            .filter(|product| product.country == country && rhythm(product).is_some())
            .collect()
    }

    /// The loan of a person that is not over.
    async fn open_loan(&self, person: &PersonId) -> Result<Option<LoanRecord>, LedgerError> {
        let loans = loans::of_person(&mut self.app.read().await?, person).await?;
        Ok(loans.into_iter().rev().find(|loan| !loan.state.is_over()))
    }

    /// Checks a PIN. A try is counted before it is checked, and the key's answer is kept after it.
    ///
    /// # Errors
    /// If the person has no PIN, or the database fails.
    pub async fn check(&self, person: &PersonId, pin: &SecretString, key: &str) -> Result<PinCheck, LedgerError> {
        let path = format!("pin {person}");
        let key = self.app.ledger.vault().blind("pin key", format!("{person} {key}").as_bytes());
        let request = idempotency::Request { key: &key, path: &path, body: pin.expose_secret().as_bytes() };
        // A try that could not be checked would be lost.
        let place = self.app.hashing.place()?;
        let mut write = self.app.write(actor()).await?;
        if let Some(answer) = idempotency::find(&mut write, &request).await? {
            return Ok(read_check(&answer.body));
        }
        let (hash, left) = match pin::begin(&mut write, person).await? {
            Try::Locked => return Ok(PinCheck::Locked),
            Try::Counted { hash, left } => (hash, left),
        };
        write.commit().await?;
        let is_right =
            bool::from(subtle::ConstantTimeEq::ct_eq(self.hash(place, person, pin).await?.as_bytes(), hash.as_bytes()));
        let mut write = self.app.write(actor()).await?;
        if is_right {
            pin::right(&mut write, person).await?;
        }
        let check = match (is_right, left) {
            (true, _) => PinCheck::Right,
            (false, 0) => PinCheck::Locked,
            (false, left) => PinCheck::Wrong { left },
        };
        // Two requests with one key at the same moment are two tries, and have one answer.
        if idempotency::find(&mut write, &request).await?.is_none() {
            idempotency::keep(&mut write, &request, &Answer { status: 200, body: write_check(check) }).await?;
        }
        write.commit().await?;
        Ok(check)
    }

    async fn range_of(&self, who: &Msisdn) -> Result<Result<Range, Refusal>, LedgerError> {
        let known = self.known(who).await?;
        if let Some(loan) = self.open_loan(&known.id).await?
            && !matches!(loan.state, LoanState::Offered)
        {
            return Ok(Err(self.refusal(&loan).await?));
        }
        let products = self.products(&known.country);
        let mut terms: Vec<Term> = products.iter().flat_map(|product| terms_of(product)).collect();
        terms.dedup();
        let mut bounds = Vec::new();
        for product in &products {
            bounds.push(product.bounds()?);
        }
        let low = bounds.iter().min_by_key(|(_, low, _)| *low).map(|(currency, low, _)| (*currency, *low));
        let high = bounds.iter().max_by_key(|(_, _, high)| *high).map(|(_, _, high)| *high);
        let (Some((currency, low)), Some(high)) = (low, high) else { return Ok(Err(Refusal::Other)) };
        let money = |minor| Money { minor, currency };
        Ok(Ok(Range { low: money(low), high: money(high), terms }))
    }

    async fn refusal(&self, loan: &LoanRecord) -> Result<Refusal, LedgerError> {
        if !matches!(loan.state, LoanState::Active | LoanState::Restructured) {
            return Ok(Refusal::Other);
        }
        let day = loan.local_date(self.app.clock.now())?;
        let upcoming = loans::upcoming(&mut self.app.read().await?, loan, day).await?;
        Ok(if upcoming.days_late > 0 { Refusal::Late } else { Refusal::Limit })
    }

    async fn apply_for(&self, who: &Msisdn, amount: Money, term: Term, key: &str) -> Result<Applied, LedgerError> {
        let known = self.known(who).await?;
        let fits = |product: &&&Product| {
            let bounds = product.bounds().is_ok_and(|(_, low, high)| (low..=high).contains(&amount.minor));
            bounds && terms_of(product).contains(&term)
        };
        let products = self.products(&known.country);
        let Some(product) = products.iter().find(fits) else { return Ok(Applied::Refused(Refusal::Limit)) };
        let body = format!("{} {} {}", amount.minor, term.instalments, product.id);
        // Only the loan's name is kept as the answer: what is offered follows from the loan.
        let id: Option<String> = match self.begin(who, "apply", key, &body).await? {
            Begun::Answered(id) => id,
            Begun::New(mut deed) => {
                let id = self.apply_once(&mut deed.write, &known.id, product, amount, term).await?;
                deed.answer(id).await?
            }
        };
        let Some(id) = id else { return Ok(Applied::Refused(Refusal::Limit)) };
        let loan = loans::loan(&mut self.app.read().await?, &id.parse()?).await?;
        if loan.state != LoanState::Offered {
            return Ok(Applied::Review);
        }
        Ok(Applied::Offered(Box::new(offer(&loan)?)))
    }

    /// Applies, and offers at once where the product's rules alone decide. Another offer that still stands is declined.
    async fn apply_once(
        &self,
        write: &mut Write,
        person: &PersonId,
        product: &Product,
        amount: Money,
        term: Term,
    ) -> Result<Option<String>, LedgerError> {
        for loan in loans::of_person(write, person).await? {
            if loan.state == LoanState::Offered {
                loans::decline(write, &loan.id).await?;
            }
        }
        let application = Application {
            person: person.clone(),
            product: product.id.clone(),
            principal: amount.currency.format(amount.minor),
            instalments: term.instalments.into(),
            purpose: "asked for by telephone".to_owned(),
        };
        let loan = match loans::apply(write, &self.app.catalogue, &application).await {
            Ok(loan) => loan,
            Err(error @ (LedgerError::Invalid(_) | LedgerError::Conflict(_))) => {
                tracing::info!(%error, "an application was refused");
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        if product.is_instant(amount.currency, amount.minor)? {
            loans::review(write, &loan.id).await?;
            loans::offer(write, &self.app.catalogue, &loan.id).await?;
        }
        Ok(Some(loan.id.to_string()))
    }

    /// The offer of a person with this code.
    async fn offered(
        &self,
        write: &mut Write,
        person: &PersonId,
        code: &str,
    ) -> Result<Option<LoanRecord>, LedgerError> {
        let loan = loans::by_code(write, &code.parse()?).await?;
        Ok(loan.filter(|loan| loan.person == *person && loan.state == LoanState::Offered))
    }

    async fn accept_offer(
        &self,
        who: &Msisdn,
        offer: &Offer,
        language: Language,
        key: &str,
    ) -> Result<bool, LedgerError> {
        let known = self.known(who).await?;
        let hash = const_hex::encode(offer.key_facts_hash);
        let body = format!("{} {hash} {}", offer.code, language.code());
        let mut deed = begin!(self.begin(who, "accept", key, &body));
        let Some(loan) = self.offered(&mut deed.write, &known.id, &offer.code).await? else {
            return deed.answer(false).await;
        };
        let consent =
            Consent { key_facts_hash: hash, language: language.code().to_owned(), channel: "ussd".to_owned() };
        let is_accepted = match loans::accept(&mut deed.write, &loan.id, &consent).await {
            Ok(_) => true,
            Err(LedgerError::Conflict(_)) => false,
            Err(error) => return Err(error),
        };
        deed.answer(is_accepted).await
    }

    async fn decline_offer(&self, who: &Msisdn, code: &str, key: &str) -> Result<(), LedgerError> {
        let known = self.known(who).await?;
        let mut deed = begin!(self.begin(who, "decline", key, code));
        if let Some(loan) = self.offered(&mut deed.write, &known.id, code).await? {
            loans::decline(&mut deed.write, &loan.id).await?;
        }
        deed.answer(()).await
    }

    async fn agree(&self, who: &Msisdn, language: Language, key: &str) -> Result<(), LedgerError> {
        let mut deed = begin!(self.begin(who, "consent", key, language.code()));
        let phone = Pii::new(plus(who));
        let person = match vault::find(&mut deed.write, phone.expose()).await? {
            Some(person) => person,
            None => {
                let country = rules::of_number(who.expose())?.country;
                vault::begin(&mut deed.write, &country, language.code(), &phone).await?
            }
        };
        vault::consent(&mut deed.write, &person, language.code()).await?;
        deed.answer(()).await
    }

    async fn take_identity(&self, who: &Msisdn, number: &SecretString, key: &str) -> Result<(), LedgerError> {
        let known = self.known(who).await?;
        let mut deed = begin!(self.begin(who, "identify", key, number.expose_secret()));
        let number = Pii::new(number.expose_secret().to_owned());
        vault::set_field(&mut deed.write, &known.id, vault::Field::NationalId, &number).await?;
        deed.answer(()).await
    }

    async fn choose_pin(&self, who: &Msisdn, pin: &SecretString, key: &str) -> Result<(), LedgerError> {
        let known = self.known(who).await?;
        let hash = self.hash(self.app.hashing.place()?, &known.id, pin).await?;
        let mut deed = begin!(self.begin(who, "set pin", key, pin.expose_secret()));
        pin::set(&mut deed.write, &known.id, &hash).await?;
        deed.answer(()).await
    }

    async fn choose_language(&self, who: &Msisdn, language: Language) -> Result<(), LedgerError> {
        let Some(known) = self.standing(who).await? else {
            let mut strangers = self.strangers.lock().await;
            if strangers.len() >= limits::MAX_STRANGERS {
                strangers.pop_first();
            }
            strangers.insert(who.expose().to_owned(), language);
            return Ok(());
        };
        let mut write = self.app.write(actor()).await?;
        vault::set_language(&mut write, &known.id, language.code()).await?;
        write.commit().await
    }

    async fn last_payments(&self, who: &Msisdn) -> Result<Vec<Paid>, LedgerError> {
        let known = self.known(who).await?;
        let Some(loan) = self.open_loan(&known.id).await? else { return Ok(Vec::new()) };
        let lines = payments::of_loan(&mut self.app.read().await?, &loan.id, STATEMENT_LINES).await?;
        let paid = |line: payments::PaymentLine| {
            let amount = Money { minor: line.amount.into(), currency: loan.currency };
            Ok(Paid { on: line.paid_on.parse()?, amount })
        };
        lines.into_iter().map(paid).collect()
    }

    async fn take_complaint(&self, who: &Msisdn, matter: Matter, key: &str) -> Result<Ticket, LedgerError> {
        let known = self.known(who).await?;
        let loan = self.open_loan(&known.id).await?;
        let name = matter_name(matter);
        let (code, hours): (String, u32) = match self.begin(who, "complain", key, name).await? {
            Begun::Answered(ticket) => ticket,
            Begun::New(mut deed) => {
                let loan = loan.as_ref().map(|loan| &loan.id);
                let ticket = complaints::take(&mut deed.write, &known.id, loan, name).await?;
                deed.answer((ticket.code, ticket.hours)).await?
            }
        };
        Ok(Ticket { code, days: u8::try_from(hours.div_ceil(24)).unwrap_or(u8::MAX) })
    }

    async fn owed_by(&self, who: &Msisdn) -> Result<Option<Owed>, LedgerError> {
        let known = self.known(who).await?;
        let loan = self.open_loan(&known.id).await?;
        let is_repaid = |loan: &LoanRecord| matches!(loan.state, LoanState::Active | LoanState::Restructured);
        let Some(loan) = loan.filter(is_repaid) else { return Ok(None) };
        let day = loan.local_date(self.app.clock.now())?;
        let upcoming = loans::upcoming(&mut self.app.read().await?, &loan, day).await?;
        let money = |minor| Money { minor, currency: loan.currency };
        Ok(Some(Owed {
            code: loan.code.to_string(),
            owed: money(upcoming.owed),
            next: money(upcoming.next),
            next_due: upcoming.next_due,
            pay_off: money(upcoming.pay_off),
        }))
    }

    async fn ask_to_pay(&self, who: &Msisdn, code: &str, amount: Money, key: &str) -> Result<(), LedgerError> {
        let known = self.known(who).await?;
        let body = format!("{code} {}", amount.minor);
        let mut deed = begin!(self.begin(who, "repay", key, &body));
        let loan = loans::by_code(&mut deed.write, &code.parse()?).await?.filter(|loan| loan.person == known.id);
        let loan = loan.ok_or_else(|| LedgerError::NotFound("loan", code.to_owned()))?;
        let rail = &self.app.catalogue.product(&loan.product)?.rail;
        match payments::collect(&mut deed.write, &loan, rail, amount.minor).await {
            // They are being asked already: what they see on the telephone is true.
            Ok(_) | Err(LedgerError::Conflict(_)) => deed.answer(()).await,
            Err(error) => Err(error),
        }
    }
}

/// How often a product is paid, if the menus have a word for it.
fn rhythm(product: &Product) -> Option<Rhythm> {
    match product.terms.every.parse::<Every>().ok()? {
        Every::Days(7) => Some(Rhythm::Weekly),
        Every::Days(14) => Some(Rhythm::TwoWeekly),
        Every::Months(1) => Some(Rhythm::Monthly),
        _ => None,
    }
}

/// The terms of a product that the menus show: the shortest, the longest, and one in between.
fn terms_of(product: &Product) -> Vec<Term> {
    let Some(rhythm) = rhythm(product) else { return Vec::new() };
    let (low, high) = (product.instalments_min, product.instalments_max);
    let mut counts = vec![low, low.midpoint(high), high];
    counts.dedup();
    counts.into_iter().filter_map(|count| Some(Term { instalments: u16::try_from(count).ok()?, rhythm })).collect()
}

/// An offer as the menus tell it: the figures of its key facts.
///
/// # Errors
/// If nothing has been offered, or what is calculated now is not what was offered.
pub fn offer(loan: &LoanRecord) -> Result<Offer, LedgerError> {
    let (facts, hash) = loans::key_facts(loan)?;
    let terms = loan.terms.as_ref().ok_or_else(|| LedgerError::Conflict("nothing has been offered yet".to_owned()))?;
    let missing = || LedgerError::Corrupt("an offer without instalments".to_owned());
    let largest = facts.lines.iter().map(|line| line.parts.total()).max().ok_or_else(missing)?;
    let (first, last) = (facts.lines.first().ok_or_else(missing)?, facts.lines.last().ok_or_else(missing)?);
    let late = match terms.terms(facts.term.0)?.penalty.map(|penalty| penalty.late) {
        Some(Late::Once(charge)) => charge.on(largest),
        _ => 0,
    };
    let money = |minor| Money { minor, currency: facts.currency };
    Ok(Offer {
        code: loan.code.to_string(),
        key_facts_hash: hash_bytes(&hash)?,
        receive: money(facts.received),
        total: money(facts.total_paid),
        cost: money(facts.cost),
        instalments: instalments(&facts),
        largest: money(largest),
        first_due: first.due,
        last_due: last.due,
        apr_percent: facts.apr.format(2),
        late: money(late),
        cooling_off_until: facts.term.0.plus_days(terms.product.cooling_off_days.into()),
    })
}

fn instalments(facts: &KeyFacts) -> u16 {
    u16::try_from(facts.lines.len()).unwrap_or(u16::MAX)
}

fn hash_bytes(hash: &str) -> Result<[u8; 32], LedgerError> {
    let mut bytes = [0; 32];
    const_hex::decode_to_slice(hash, &mut bytes).map_err(|_| LedgerError::Corrupt("a hash".to_owned()))?;
    Ok(bytes)
}

fn write_check(check: PinCheck) -> String {
    match check {
        PinCheck::Right => "right".to_owned(),
        PinCheck::Wrong { left } => left.to_string(),
        PinCheck::Locked => "locked".to_owned(),
    }
}

fn read_check(text: &str) -> PinCheck {
    match (text, text.parse()) {
        ("right", _) => PinCheck::Right,
        (_, Ok(left)) => PinCheck::Wrong { left },
        _ => PinCheck::Locked,
    }
}

const fn matter_name(matter: Matter) -> &'static str {
    match matter {
        Matter::NotReceived => "not_received",
        Matter::NotCounted => "not_counted",
        Matter::WrongAmount => "wrong_amount",
        Matter::Treatment => "treatment",
        Matter::Other => "other",
    }
}

#[async_trait]
impl Loans for Desk {
    async fn person(&self, who: &Msisdn) -> Result<Person, Unavailable> {
        let Some(known) = self.standing(who).await.map_err(unavailable)? else {
            let language = self.strangers.lock().await.get(who.expose()).copied();
            return Ok(Person { language, has_consented: false, has_identity: false, has_pin: false });
        };
        Ok(Person {
            language: Some(Language::of_code(&known.language).unwrap_or(Language::English)),
            has_consented: known.has_consented,
            has_identity: known.has_identity,
            has_pin: known.has_pin,
        })
    }

    async fn set_language(&self, who: &Msisdn, language: Language) -> Result<(), Unavailable> {
        self.choose_language(who, language).await.map_err(unavailable)
    }

    async fn consent(&self, who: &Msisdn, language: Language, key: &str) -> Result<(), Unavailable> {
        self.agree(who, language, key).await.map_err(unavailable)?;
        self.strangers.lock().await.remove(who.expose());
        Ok(())
    }

    async fn identify(&self, who: &Msisdn, id_number: &SecretString, key: &str) -> Result<(), Unavailable> {
        self.take_identity(who, id_number, key).await.map_err(unavailable)
    }

    async fn set_pin(&self, who: &Msisdn, pin: &SecretString, key: &str) -> Result<(), Unavailable> {
        self.choose_pin(who, pin, key).await.map_err(unavailable)
    }

    async fn check_pin(&self, who: &Msisdn, pin: &SecretString, key: &str) -> Result<PinCheck, Unavailable> {
        // Whether a number is known is not to be found out here.
        let known = self.standing(who).await.map_err(unavailable)?.filter(|known| known.has_pin);
        let Some(known) = known else { return Ok(PinCheck::Wrong { left: pin::TRIES - 1 }) };
        self.check(&known.id, pin, key).await.map_err(unavailable)
    }

    async fn range(&self, who: &Msisdn) -> Result<Result<Range, Refusal>, Unavailable> {
        self.range_of(who).await.map_err(unavailable)
    }

    async fn apply(&self, who: &Msisdn, amount: Money, term: Term, key: &str) -> Result<Applied, Unavailable> {
        self.apply_for(who, amount, term, key).await.map_err(unavailable)
    }

    async fn accept(&self, who: &Msisdn, offer: &Offer, language: Language, key: &str) -> Result<bool, Unavailable> {
        self.accept_offer(who, offer, language, key).await.map_err(unavailable)
    }

    async fn decline(&self, who: &Msisdn, offer: &Offer, key: &str) -> Result<(), Unavailable> {
        self.decline_offer(who, &offer.code, key).await.map_err(unavailable)
    }

    async fn owed(&self, who: &Msisdn) -> Result<Option<Owed>, Unavailable> {
        self.owed_by(who).await.map_err(unavailable)
    }

    async fn repay(&self, who: &Msisdn, code: &str, amount: Money, key: &str) -> Result<(), Unavailable> {
        self.ask_to_pay(who, code, amount, key).await.map_err(unavailable)
    }

    async fn payments(&self, who: &Msisdn) -> Result<Vec<Paid>, Unavailable> {
        self.last_payments(who).await.map_err(unavailable)
    }

    async fn complain(&self, who: &Msisdn, matter: Matter, key: &str) -> Result<Ticket, Unavailable> {
        self.take_complaint(who, matter, key).await.map_err(unavailable)
    }
}
