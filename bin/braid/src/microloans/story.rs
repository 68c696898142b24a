//! Some weeks in the lives of the demonstration's people: they apply, are offered loans, are paid out, pay, pay late, or not at all.
//!
//! Day by day, by the same calls that the interface makes, with the simulator for the telephones. What becomes of whom follows from their place alone.

use std::time::Duration;

use braid_microloans_ledger::{
    Actor, LedgerError, LoanId, LoanState, Pii, Write,
    approvals::{self, Action, Decision},
    loans::{self, Application, Consent},
    payments::outbox,
    pin,
    vault::{self, Record},
};
use braid_microloans_service::{App, Clock, housekeeping, reconcile, worker};
use braid_microloans_simulator::{Habit, Phone, Simulator, people};
use eyre::WrapErr as _;
use jiff::Timestamp;

/// How many days the story has.
pub(crate) const DAYS: i64 = 70;
/// How many of them borrow.
const BORROWERS: usize = 28;
/// How often a day is looked at until nothing is left to do.
const LOOKS: usize = 40;
/// When people are about, in seconds of the day (UTC).
const MORNING: i64 = 8 * 3_600;

/// What becomes of a loan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Every instalment on its day.
    Pays,
    /// Each some days late.
    PaysLate,
    /// The first instalments, and then nothing.
    Stops,
    /// Nothing, and given up in the end.
    Defaults,
    /// Nothing at first, then on other terms.
    Restructures,
    /// All at once before its time, and a little too much.
    PaysAhead,
    /// Waits for people to decide.
    Waits,
    /// Has not read the offer.
    Hesitates,
}

const FATES: [Fate; 14] = [
    Fate::Pays,
    Fate::Pays,
    Fate::PaysLate,
    Fate::Pays,
    Fate::Stops,
    Fate::Pays,
    Fate::Pays,
    Fate::PaysAhead,
    Fate::Pays,
    Fate::Restructures,
    Fate::Pays,
    Fate::Waits,
    Fate::Defaults,
    Fate::Hesitates,
];

/// A borrower.
struct Borrower {
    number: String,
    fate: Fate,
    loan: LoanId,
}

fn actor(name: &str, role: &str) -> Actor {
    Actor { name: name.to_owned(), role: role.to_owned() }
}

/// Lives through all days up to now.
///
/// # Errors
/// If the database or the simulator fails.
pub(crate) async fn live_through(app: &App, simulator: &Simulator, clock: &Clock, now_ms: i64) -> eyre::Result<()> {
    for (rail, currency, amount) in [("daraja", "KES", "2000000"), ("mtn", "GHS", "100000")] {
        let (rail, currency, amount) = (rail.to_owned(), currency.to_owned(), amount.to_owned());
        let evidence = format!("bank transfer to {rail}");
        approved(app, Action::Deposit { rail, currency, amount, evidence }).await?;
    }
    let everybody = people(BORROWERS, Habit::Approve);
    let mut borrowers = Vec::new();
    let first_day = clock.now().as_millisecond() / 86_400_000;
    for day in 0..DAYS {
        let morning = ((first_day + day) * 86_400 + MORNING) * 1_000;
        pass_until(app, simulator, clock, morning.min(now_ms)).await?;
        housekeeping::round(app).await?;
        for (place, phone) in everybody.iter().enumerate() {
            if begins_on(place) == day {
                borrowers.push(borrow(app, place, phone).await?);
            }
        }
        for borrower in &borrowers {
            act(app, simulator, clock, borrower, day).await?;
        }
        settle(app, simulator, clock).await?;
        reconcile::due(app).await?;
    }
    pass_until(app, simulator, clock, now_ms).await?;
    settle(app, simulator, clock).await
}

/// On which day somebody applies: who waits or hesitates, on the last ones.
fn begins_on(place: usize) -> i64 {
    let place_days = i64::try_from(place).unwrap_or(0);
    match FATES[place % FATES.len()] {
        Fate::Waits => DAYS - 2,
        Fate::Hesitates => DAYS - 1,
        Fate::PaysAhead => DAYS - 20,
        Fate::Defaults | Fate::Restructures => place_days % 4,
        _ => place_days * 2 % 40,
    }
}

async fn borrow(app: &App, place: usize, phone: &Phone) -> eyre::Result<Borrower> {
    let number = &phone.msisdn;
    let fate = FATES[place % FATES.len()];
    let is_kenyan = place.is_multiple_of(2);
    let (country, product) = if is_kenyan { ("KE", "stock") } else { ("GH", "market") };
    let hundreds = 5 + 3 * (place % 11);
    // Above what the rules alone decide on.
    let hundreds = if fate == Fate::Waits { 100 } else { hundreds };
    let principal = if is_kenyan { hundreds * 1_000 / 2 / 500 * 500 } else { hundreds * 25 };
    let record = Record {
        name: Pii::new(phone.name.clone()),
        phone: Pii::new(format!("+{number}")),
        national_id: Pii::new(format!("DEMO-{place:04}")),
    };
    let mut write = app.write(actor("front", "gateway")).await?;
    let person = vault::register(&mut write, country, "en", &record).await?;
    vault::consent(&mut write, &person, "en").await?;
    // The same digits as those of their wallet, so that one list of them is enough.
    let hash = pin::hash(app.ledger.vault(), &person, &Pii::new(phone.pin.clone()))?;
    pin::set(&mut write, &person, &hash).await?;
    let application = Application {
        person,
        product: product.to_owned(),
        principal: principal.to_string(),
        instalments: if is_kenyan { 3 } else { 8 },
        purpose: ["cloth", "spare parts", "seed", "stock for the stall"][place % 4].to_owned(),
    };
    let loan = loans::apply(&mut write, &app.catalogue, &application).await?.id;
    write.commit().await?;
    let borrower = Borrower { number: number.clone(), fate, loan };
    if fate == Fate::Waits {
        return Ok(borrower);
    }
    let mut write = app.write(actor("olive", "officer")).await?;
    loans::review(&mut write, &borrower.loan).await?;
    write.commit().await?;
    approved(app, Action::Offer { loan: borrower.loan.clone() }).await?;
    if fate != Fate::Hesitates {
        let mut write = app.write(actor("front", "gateway")).await?;
        let (_, hash) = loans::key_facts(&loans::loan(&mut write, &borrower.loan).await?)?;
        let consent = Consent { key_facts_hash: hash, language: "en".to_owned(), channel: "web".to_owned() };
        loans::accept(&mut write, &borrower.loan, &consent).await?;
        write.commit().await?;
    }
    Ok(borrower)
}

/// What somebody does on a day.
async fn act(app: &App, simulator: &Simulator, clock: &Clock, borrower: &Borrower, day: i64) -> eyre::Result<()> {
    let loan = loans::loan(&mut app.read().await?, &borrower.loan).await?;
    if !matches!(loan.state, LoanState::Active | LoanState::Restructured) {
        return Ok(());
    }
    let today = loan.local_date(clock.now())?;
    let upcoming = loans::upcoming(&mut app.read().await?, &loan, today).await?;
    let is_due = upcoming.next_due <= today;
    let days_late = upcoming.days_late;
    let paid = match borrower.fate {
        Fate::Pays if is_due => upcoming.next,
        Fate::PaysLate if days_late >= 6 => upcoming.next,
        Fate::Stops if is_due && day < DAYS - 30 => upcoming.next,
        Fate::PaysAhead if day == DAYS - 5 => upcoming.pay_off + 5_000,
        Fate::Restructures if loan.state == LoanState::Active && days_late >= 14 => {
            let instalments = loan.instalments + 3;
            let action = Action::Restructure { loan: loan.id.clone(), instalments, annual_rate_percent: None };
            approved(app, action).await?;
            0
        }
        Fate::Restructures if loan.state == LoanState::Restructured && is_due => upcoming.next,
        Fate::Defaults if days_late >= 35 => {
            approved(app, Action::WriteOff { loan: loan.id.clone() }).await?;
            0
        }
        _ => 0,
    };
    if paid > 0 {
        simulator.pay_in(&borrower.number, loan.code.as_str(), i64::try_from(paid)?)?;
    }
    Ok(())
}

/// One proposes, another approves.
async fn approved(app: &App, action: Action) -> eyre::Result<()> {
    let what = format!("{action:?}");
    let mut write: Write = app.write(actor("olive", "officer")).await?;
    let id = approvals::propose(&mut write, &action).await?;
    write.commit().await?;
    let mut write = app.write(actor("peter", "approver")).await?;
    approvals::decide(&mut write, &app.catalogue, &id, Decision::Approved).await.wrap_err(what)?;
    Ok(write.commit().await?)
}

async fn pass_until(app: &App, simulator: &Simulator, clock: &Clock, until_ms: i64) -> eyre::Result<()> {
    let left = u64::try_from(until_ms - simulator.now_ms()).unwrap_or(0);
    simulator.advance(Duration::from_millis(left)).await;
    clock.set(Timestamp::from_millisecond(simulator.now_ms())?);
    work(app).await?;
    Ok(())
}

/// Does what is due now.
async fn work(app: &App) -> Result<(), LedgerError> {
    while worker::round(app).await? > 0 {}
    Ok(())
}

/// Lets seconds pass until nobody waits for anybody.
async fn settle(app: &App, simulator: &Simulator, clock: &Clock) -> eyre::Result<()> {
    housekeeping::round(app).await?;
    work(app).await?;
    for _ in 0..LOOKS {
        let (waiting, _) = outbox::backlog(&mut app.read().await?, clock.now()).await?;
        let soon = simulator.now_ms() + 6_000;
        let is_busy = waiting > 0 || simulator.next_due_ms().is_some_and(|due| due <= soon);
        if !is_busy {
            return Ok(());
        }
        pass_until(app, simulator, clock, soon).await?;
    }
    Ok(())
}
