//! Random histories of a lender: whatever is asked for, in whatever order and however often, the books hold.
//!
//! A history is made from a seed, so a failure is repeated by its number.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::collections::BTreeMap;

use braid_microloans_arithmetic::Component;
use braid_microloans_ledger::{
    Actor, Ledger, LedgerError, LegId, LegState, LoanId, Pii, Write,
    approvals::{self, Action, Decision},
    inspect, loans,
    loans::{Application, Consent, Hold},
    payments::{self, Incoming, Report},
    product::{Catalogue, Product},
    vault::{self, Record, Vault},
};
use jiff::{SignedDuration, Timestamp};

/// Histories, and what is done in each.
const SEEDS: u64 = 4;
const STEPS: u64 = 150;

/// Numbers from a seed: SplitMix64 (Steele, Lea, Flood 2014).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> Option<T> {
        if from.is_empty() { None } else { Some(from[self.below(from.len())].clone()) }
    }
}

struct History {
    ledger: Ledger,
    catalogue: Catalogue,
    now: Timestamp,
    dice: Dice,
    loans: Vec<LoanId>,
    legs: Vec<LegId>,
    receipts: Vec<String>,
    /// Steps that were taken, and steps that were refused.
    outcomes: (u32, u32),
}

const PRODUCT: &str = r#"
    id = "stock"
    country = "KE"
    principal_min = "1000"
    principal_max = "100000"
    instalments_min = 1
    instalments_max = 12
    rail = "daraja"
    apr_percent_max = "200"
    [terms]
    method = "declining"
    annual_rate_percent = "36"
    day_count = "ACT/365"
    every = "1 week"
    advance = "reduce_instalment"
    fees = [{ name = "service", percent = "2", when = "disbursement" }, { name = "sms", percent = "0.1", when = "every_instalment" }]
    late = { percent = "5", grace_days = 1, cap_percent = "20" }
"#;

impl History {
    async fn open(url: &str, seed: u64) -> Self {
        let ledger = Ledger::open(url, Vault::new(&[7; 32])).await.unwrap();
        let products: Vec<Product> = ["daily", "flat", "equal_principal", "declining"]
            .iter()
            .map(|method| {
                let product: Product = toml::from_str(PRODUCT).unwrap();
                let mut terms = product.terms.clone();
                terms.method = (*method).to_owned();
                Product { id: (*method).to_owned(), terms, ..product }
            })
            .collect();
        let catalogue = Catalogue::new(products, BTreeMap::new()).unwrap();
        let now = "2026-11-23T08:00:00Z".parse().unwrap();
        let (loans, legs, receipts) = (Vec::new(), Vec::new(), Vec::new());
        Self { ledger, catalogue, now, dice: Dice(seed), loans, legs, receipts, outcomes: (0, 0) }
    }

    async fn write(&self, name: &str) -> Write {
        let actor = Actor { name: name.to_owned(), role: "officer".to_owned() };
        self.ledger.write(self.now, actor).await.unwrap()
    }

    async fn approved(&self, action: Action) -> Result<(), LedgerError> {
        let mut write = self.write("olive").await;
        let id = approvals::propose(&mut write, &action).await?;
        write.by.name = "peter".to_owned();
        approvals::decide(&mut write, &self.catalogue, &id, Decision::Approved).await?;
        write.commit().await
    }

    /// One thing that somebody might do. What is refused is done with nothing changed.
    async fn step(&mut self) -> Result<(), LedgerError> {
        match self.dice.below(16) {
            0 | 1 => self.lend().await,
            2..=5 => self.tell().await,
            6..=9 => self.pay().await,
            10 | 11 => {
                let days = i64::try_from(self.dice.below(9)).unwrap();
                self.now += SignedDuration::from_hours(24 * days);
                let mut write = self.write("olive").await;
                loans::close_day(&mut write, "KE", 1_000).await?;
                loans::expire_offers(&mut write).await?;
                write.commit().await
            }
            12 => self.with_loan(|loan, _| Action::WriteOff { loan }).await,
            13 => self.with_loan(|loan, _| Action::Refund { loan }).await,
            14 => {
                let waive = |loan, dice: &mut Dice| {
                    let component =
                        dice.pick(&Component::ALL).map(braid_microloans_ledger::journal::account::component_name);
                    let component = component.unwrap_or_default().to_owned();
                    Action::Waive { loan, component, amount: format!("{}.00", 1 + dice.below(50)) }
                };
                self.with_loan(waive).await
            }
            _ => self.hold().await,
        }
    }

    async fn with_loan(&mut self, action: impl Fn(LoanId, &mut Dice) -> Action) -> Result<(), LedgerError> {
        let Some(loan) = self.dice.pick(&self.loans) else { return Ok(()) };
        let action = action(loan, &mut self.dice);
        self.approved(action).await
    }

    async fn lend(&mut self) -> Result<(), LedgerError> {
        let number = self.loans.len();
        let product = self.dice.pick(&["daily", "flat", "equal_principal", "declining"]).unwrap_or("flat");
        let record = Record {
            name: Pii::new("Amina".to_owned()),
            phone: Pii::new(format!("+2547{number:08}")),
            national_id: Pii::new("1".to_owned()),
        };
        let mut write = self.write("olive").await;
        let person = vault::register(&mut write, "KE", "sw", &record).await?;
        let application = Application {
            person,
            product: product.to_owned(),
            principal: (1_000 + 50 * self.dice.below(200)).to_string(),
            instalments: u32::try_from(1 + self.dice.below(12)).unwrap(),
            purpose: "cloth".to_owned(),
        };
        let loan = loans::apply(&mut write, &self.catalogue, &application).await?;
        loans::review(&mut write, &loan.id).await?;
        loans::offer(&mut write, &self.catalogue, &loan.id).await?;
        let (_, key_facts_hash) = loans::key_facts(&loans::loan(&mut write, &loan.id).await?)?;
        let consent = Consent { key_facts_hash, language: "sw".to_owned(), channel: "ussd".to_owned() };
        loans::accept(&mut write, &loan.id, &consent).await?;
        loans::fund(&mut write, &loan.id).await?;
        let leg = loans::disburse(&mut write, &loan.id, "daraja").await?;
        write.commit().await?;
        self.loans.push(loan.id);
        self.legs.push(leg);
        Ok(())
    }

    /// A provider says something about a leg.
    async fn tell(&mut self) -> Result<(), LedgerError> {
        let Some(loan) = self.dice.pick(&self.loans) else { return Ok(()) };
        for leg in payments::legs_of(&mut self.ledger.read().await?, &loan).await? {
            if !self.legs.contains(&leg.id) {
                self.legs.push(leg.id);
            }
        }
        let Some(leg) = self.dice.pick(&self.legs) else { return Ok(()) };
        let mut write = self.write("provider").await;
        let record = payments::leg(&mut write, &leg).await?;
        if record.state == LegState::Created {
            payments::sending(&mut write, &leg).await?;
        }
        let amount = if self.dice.below(10) == 0 { 1 } else { record.amount };
        let completed =
            Report::Completed { receipt: Some(format!("P{leg}")), amount: Some(amount), at: Some(self.now) };
        let report = match self.dice.below(8) {
            0 => Report::Acknowledged { reference: None },
            1 => Report::Pending,
            2 => Report::Failed { code: "1".to_owned() },
            3 => Report::Unknown { why: "no answer".to_owned() },
            4 => Report::NotFound,
            _ => completed,
        };
        payments::report(&mut write, &leg, &report).await?;
        write.commit().await
    }

    /// Money comes in: for a loan or for none, new or told of again, today or some days ago.
    async fn pay(&mut self) -> Result<(), LedgerError> {
        let Some(loan) = self.dice.pick(&self.loans) else { return Ok(()) };
        let mut write = self.write("provider").await;
        let code = loans::loan(&mut write, &loan).await?.code.to_string();
        let old = if self.dice.below(4) == 0 { self.dice.pick(&self.receipts) } else { None };
        let receipt = old.unwrap_or_else(|| format!("R{}", self.receipts.len()));
        let days = i64::try_from(self.dice.below(6)).unwrap();
        let reference = if self.dice.below(8) == 0 { "somebody".to_owned() } else { code };
        let incoming = Incoming {
            rail: "daraja".to_owned(),
            receipt: receipt.clone(),
            currency: "KES".parse()?,
            amount: i128::try_from(100 * (1 + self.dice.below(5_000))).unwrap(),
            at: self.now - SignedDuration::from_hours(24 * days),
            loan: None,
            reference: Some(reference),
        };
        payments::receive(&mut write, &incoming).await?;
        self.receipts.push(receipt);
        write.commit().await
    }

    async fn hold(&mut self) -> Result<(), LedgerError> {
        let Some(loan) = self.dice.pick(&self.loans) else { return Ok(()) };
        let mut write = self.write("olive").await;
        let holds = if self.dice.below(2) == 0 { Hold::Begins } else { Hold::Ends };
        loans::hold(&mut write, &loan, "disputed", holds).await?;
        write.commit().await
    }

    async fn inspect(&self, at: &str) {
        let found = inspect::inspect(&mut self.ledger.read().await.unwrap()).await.unwrap();
        assert!(found.holds(), "{at}: {found:#?}");
    }
}

#[tokio::test]
async fn the_books_hold_whatever_is_done() {
    for seed in 0..SEEDS {
        let database = support::sqlite();
        let mut history = History::open(&database.url, seed).await;
        let (rail, currency) = ("daraja".to_owned(), "KES".to_owned());
        let (amount, evidence) = ("300000".to_owned(), "bank-1".to_owned());
        history.approved(Action::Deposit { rail, currency, amount, evidence }).await.unwrap();
        for at in 0..STEPS {
            match history.step().await {
                Ok(()) => history.outcomes.0 += 1,
                Err(
                    LedgerError::Conflict(_)
                    | LedgerError::IllegalStep(_)
                    | LedgerError::Invalid(_)
                    | LedgerError::Arithmetic(_),
                ) => history.outcomes.1 += 1,
                Err(error) => unreachable!("seed {seed}, step {at}: {error:?}"),
            }
            if at % 25 == 0 {
                history.inspect(&format!("seed {seed}, step {at}")).await;
            }
        }
        history.inspect(&format!("seed {seed}")).await;
        let (done, refused) = history.outcomes;
        assert!(done > refused && !history.loans.is_empty(), "seed {seed}: {done} done, {refused} refused");
    }
}
