//! The books as a whole, on both databases: what is lent and repaid, what is refused, and what holds whatever happens.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::collections::BTreeMap;

use braid_microloans_arithmetic::Component;
use braid_microloans_ledger::{
    Actor, ApprovalId, Ledger, LedgerError, LegId, LegState, LoanId, LoanState, PersonId, Pii, Write,
    approvals::{self, Action, Decision},
    audit, complaints,
    idempotency::{self, Answer, Request},
    inspect,
    journal::{self, Account, account, merkle, seal},
    loans::{self, Application, Consent, LoanRecord},
    payments::{
        self, Incoming, LegKind, Receipt, Report,
        statement::{self, TakenBack},
        told,
    },
    product::{Catalogue, Product},
    vault::{self, Record, Vault},
};
use jiff::{SignedDuration, Timestamp};
use sqlx::{AnyConnection, Connection as _, Row as _};

/// Defines each scenario as a test on SQLite, and all of them as one test on PostgreSQL.
macro_rules! scenarios {
    ($($name:ident),+ $(,)?) => {
        mod on_sqlite {
            $(
                #[tokio::test]
                async fn $name() {
                    let database = crate::support::sqlite();
                    super::$name(Bench::open(&database.url).await).await;
                }
            )+
            use super::Bench;
        }

        #[tokio::test]
        async fn on_postgres() {
            sqlx::any::install_default_drivers();
            let Some(server) = support::Postgres::start().await else {
                println!("PostgreSQL is not installed: skipped");
                return;
            };
            $(
                println!("{}", stringify!($name));
                let url = server.database(stringify!($name)).await;
                $name(Bench::open(&url).await).await;
            )+
        }
    };
}

scenarios![
    a_loan_is_lent_repaid_and_closed,
    what_is_too_much_is_given_back,
    what_cannot_be_paid_is_waived_or_kept,
    a_payout_that_failed_is_repeated,
    reports_in_any_order_give_the_same_books,
    a_late_success_is_never_credited,
    a_late_collection_is_credited_once,
    another_amount_waits_for_a_person,
    a_receipt_counts_once,
    money_without_a_loan_waits_in_suspense,
    a_payment_booked_late_takes_its_place,
    a_loss_is_a_loss_and_a_recovery_a_recovery,
    other_terms_owe_what_the_old_ones_did,
    a_payment_that_was_reversed_is_owed_again,
    what_a_provider_charges_is_booked_once,
    complaints_wait_for_an_answer,
    the_database_refuses_what_the_tables_do_not_have,
    a_changed_journal_is_noticed,
    days_are_sealed_and_entries_proved,
    one_key_is_one_request,
    nobody_approves_their_own_proposal,
    an_offer_ends,
    erased_data_is_gone,
    a_frozen_loan_is_not_paid_out,
    borrowers_who_do_not_exist_are_noticed,
];

struct Bench {
    url: String,
    ledger: Ledger,
    catalogue: Catalogue,
    now: Timestamp,
    people: u32,
}

fn actor(name: &str) -> Actor {
    Actor { name: name.to_owned(), role: "officer".to_owned() }
}

fn product() -> Product {
    toml::from_str(
        r#"
        id = "stock"
        country = "KE"
        principal_min = "1000"
        principal_max = "100000"
        instalments_min = 1
        instalments_max = 12
        rail = "daraja"
        apr_percent_max = "60"
        [terms]
        method = "declining"
        annual_rate_percent = "24"
        day_count = "30/360"
        every = "1 month"
        advance = "next_instalment"
        fees = [{ name = "service", percent = "2", when = "disbursement" }]
        late = { percent = "5", grace_days = 3, cap_percent = "20" }
        "#,
    )
    .unwrap()
}

impl Bench {
    async fn open(url: &str) -> Self {
        let ledger = Ledger::open(url, Vault::new(&[7; 32])).await.unwrap();
        let catalogue = Catalogue::new(vec![product()], BTreeMap::new()).unwrap();
        let now = "2026-11-23T08:00:00Z".parse().unwrap();
        Self { url: url.to_owned(), ledger, catalogue, now, people: 0 }
    }

    async fn write(&self) -> Write {
        self.ledger.write(self.now, actor("olive")).await.unwrap()
    }

    fn pass_days(&mut self, days: i64) {
        self.now += SignedDuration::from_hours(24 * days);
    }

    async fn register(&mut self) -> PersonId {
        self.people += 1;
        let record = Record {
            name: Pii::new(format!("Amina {}", self.people)),
            phone: Pii::new(format!("+2547{:08}", self.people)),
            national_id: Pii::new(format!("ID{:06}", self.people)),
        };
        let mut write = self.write().await;
        let person = vault::register(&mut write, "KE", "sw", &record).await.unwrap();
        write.commit().await.unwrap();
        person
    }

    async fn propose(&self, action: Action) -> ApprovalId {
        let mut write = self.write().await;
        let id = approvals::propose(&mut write, &action).await.unwrap();
        write.commit().await.unwrap();
        id
    }

    async fn decide(&self, by: &str, id: &ApprovalId) -> Result<(), LedgerError> {
        let mut write = self.ledger.write(self.now, actor(by)).await?;
        approvals::decide(&mut write, &self.catalogue, id, Decision::Approved).await?;
        write.commit().await
    }

    async fn approved(&self, action: Action) {
        let id = self.propose(action).await;
        self.decide("peter", &id).await.unwrap();
    }

    async fn deposit(&self, amount: &str, evidence: &str) {
        let (rail, currency) = ("daraja".to_owned(), "KES".to_owned());
        let (amount, evidence) = (amount.to_owned(), evidence.to_owned());
        self.approved(Action::Deposit { rail, currency, amount, evidence }).await;
    }

    async fn apply(&mut self) -> LoanId {
        let application = Application {
            person: self.register().await,
            product: "stock".to_owned(),
            principal: "10000".to_owned(),
            instalments: 6,
            purpose: "cloth".to_owned(),
        };
        let mut write = self.write().await;
        let loan = loans::apply(&mut write, &self.catalogue, &application).await.unwrap();
        write.commit().await.unwrap();
        loan.id
    }

    async fn offered(&mut self) -> LoanId {
        self.offered_by("peter").await
    }

    /// Offered by the word of a second person.
    async fn offered_by(&mut self, checker: &str) -> LoanId {
        let id = self.apply().await;
        let mut write = self.write().await;
        loans::review(&mut write, &id).await.unwrap();
        write.commit().await.unwrap();
        let approval = self.propose(Action::Offer { loan: id.clone() }).await;
        self.decide(checker, &approval).await.unwrap();
        id
    }

    async fn accept(&self, id: &LoanId) -> Result<(), LedgerError> {
        let mut write = self.write().await;
        let (_, hash) = loans::key_facts(&loans::loan(&mut write, id).await?)?;
        let consent = Consent { key_facts_hash: hash, language: "sw".to_owned(), channel: "ussd".to_owned() };
        loans::accept(&mut write, id, &consent).await?;
        write.commit().await
    }

    /// Lends as far as the payout's leg, which has been sent.
    async fn disbursing(&mut self) -> (LoanId, LegId) {
        self.disbursing_by("peter").await
    }

    async fn disbursing_by(&mut self, checker: &str) -> (LoanId, LegId) {
        let id = self.offered_by(checker).await;
        self.accept(&id).await.unwrap();
        let mut write = self.write().await;
        loans::fund(&mut write, &id).await.unwrap();
        let leg = loans::disburse(&mut write, &id, "daraja").await.unwrap();
        payments::sending(&mut write, &leg).await.unwrap();
        write.commit().await.unwrap();
        (id, leg)
    }

    async fn report(&self, leg: &LegId, report: Report) -> LegState {
        let mut write = self.write().await;
        let state = payments::report(&mut write, leg, &report).await.unwrap();
        write.commit().await.unwrap();
        state
    }

    async fn active(&mut self) -> LoanId {
        let (id, leg) = self.disbursing().await;
        assert_eq!(self.report(&leg, completed(980_000)).await, LegState::Succeeded);
        id
    }

    async fn pay(&self, loan: &LoanId, receipt: &str, amount: i128, at: Timestamp) -> Receipt {
        let mut write = self.write().await;
        let reference = Some(loans::loan(&mut write, loan).await.unwrap().code.to_string());
        let incoming = incoming(receipt, amount, at, reference);
        let receipt = payments::receive(&mut write, &incoming).await.unwrap();
        write.commit().await.unwrap();
        receipt
    }

    async fn loan(&self, id: &LoanId) -> LoanRecord {
        loans::loan(&mut self.ledger.read().await.unwrap(), id).await.unwrap()
    }

    async fn balance(&self, account: &Account) -> i128 {
        account::balance(&mut self.ledger.read().await.unwrap(), account, "KES").await.unwrap()
    }

    async fn holds(&self) {
        let found = inspect::inspect(&mut self.ledger.read().await.unwrap()).await.unwrap();
        assert!(found.holds(), "{found:#?}");
    }

    async fn connection(&self) -> AnyConnection {
        AnyConnection::connect(&self.url).await.unwrap()
    }

    /// A statement that the database is to refuse.
    async fn refused(&self, statement: &'static str) {
        let mut connection = self.connection().await;
        let result = sqlx::raw_sql(statement).execute(&mut connection).await;
        assert!(result.is_err(), "{statement} was done");
        connection.close().await.unwrap();
    }
}

fn completed(amount: i128) -> Report {
    Report::Completed { receipt: Some("PAYOUT1".to_owned()), amount: Some(amount), at: None }
}

fn incoming(receipt: &str, amount: i128, at: Timestamp, reference: Option<String>) -> Incoming {
    Incoming {
        rail: "daraja".to_owned(),
        receipt: receipt.to_owned(),
        currency: "KES".parse().unwrap(),
        amount,
        at,
        loan: None,
        reference,
    }
}

fn owed(id: &LoanId, component: Component) -> Account {
    Account::Owed(id.clone(), component)
}

async fn other_terms_owe_what_the_old_ones_did(mut bench: Bench) {
    bench.deposit("50000", "bank-1").await;
    let id = bench.active().await;
    // Two instalments fall due, of which a part is paid; then the loan goes on in ten at another rate.
    bench.pass_days(65);
    bench.pay(&id, "R1", 100_000, bench.now).await;
    bench.holds().await;
    let owed_in_all = async |bench: &Bench| {
        let mut sum = 0;
        for component in Component::ALL {
            sum += bench.balance(&owed(&id, component)).await;
        }
        sum
    };
    let before = owed_in_all(&bench).await;
    let principal = bench.balance(&owed(&id, Component::Principal)).await;
    let rate = Some("12".to_owned());
    bench.approved(Action::Restructure { loan: id.clone(), instalments: 10, annual_rate_percent: rate }).await;
    assert_eq!(bench.loan(&id).await.state, LoanState::Restructured);
    bench.holds().await;
    assert_eq!(bench.balance(&owed(&id, Component::Principal)).await, principal);
    // Interest of the days since the last instalment is charged with the change, and nothing else.
    let accrued = owed_in_all(&bench).await - before;
    assert!((0..20_000).contains(&accrued), "{accrued}");
    let schedule = async |bench: &Bench| {
        let mut read = bench.ledger.read().await.unwrap();
        let loan = loans::loan(&mut read, &id).await.unwrap();
        loans::schedule(&mut read, &loan, loan.local_date(bench.now).unwrap()).await.unwrap()
    };
    let lines = schedule(&bench).await;
    assert_eq!(lines.len(), 10);
    let currency: braid_microloans_arithmetic::Currency = "KES".parse().unwrap();
    for (at, line) in lines.iter().enumerate() {
        bench.now = format!("{}T09:00:00Z", line.due).parse().unwrap();
        let amount = currency.parse(&line.total).unwrap();
        bench.pay(&id, &format!("N{at}"), amount, bench.now).await;
        bench.holds().await;
    }
    // Cents that no telephone pays are waived when the last instalment is due.
    bench.pass_days(1);
    let mut write = bench.write().await;
    loans::close_day(&mut write, "KE", 100).await.unwrap();
    write.commit().await.unwrap();
    assert_eq!(bench.loan(&id).await.state, LoanState::Closed);
    assert_eq!(owed_in_all(&bench).await, 0);
    assert_eq!(bench.balance(&Account::CapitalAvailable).await, 5_000_000, "the lenders have their money again");
    bench.holds().await;
    let again =
        bench.propose(Action::Restructure { loan: id.clone(), instalments: 2, annual_rate_percent: None }).await;
    assert!(bench.decide("peter", &again).await.is_err(), "nothing is owed");
}

async fn a_payment_that_was_reversed_is_owed_again(mut bench: Bench) {
    bench.deposit("50000", "bank-1").await;
    let id = bench.active().await;
    bench.pay(&id, "R1", 100_000, bench.now).await;
    let float = bench.balance(&Account::Float("daraja".to_owned())).await;
    let take_back = async |bench: &Bench, receipt: &str, amount: i128| {
        let mut write = bench.write().await;
        let became = statement::take_back(&mut write, "daraja", receipt, amount, "2026-11-23".parse().unwrap()).await;
        write.commit().await.unwrap();
        became.unwrap()
    };
    assert_eq!(take_back(&bench, "R1", 90_000).await, TakenBack::ForAPerson, "not a part");
    assert_eq!(take_back(&bench, "R2", 90_000).await, TakenBack::ForAPerson, "not what is not known");
    assert_eq!(take_back(&bench, "R1", 100_000).await, TakenBack::Booked);
    assert_eq!(take_back(&bench, "R1", 100_000).await, TakenBack::Known);
    assert_eq!(bench.balance(&owed(&id, Component::Principal)).await, 1_000_000);
    assert_eq!(bench.balance(&Account::Float("daraja".to_owned())).await, float - 100_000);
    bench.holds().await;
}

async fn what_a_provider_charges_is_booked_once(bench: Bench) {
    bench.deposit("50000", "bank-1").await;
    for _ in 0..3 {
        let mut write = bench.write().await;
        let amount = ("KES".parse().unwrap(), 500);
        statement::charge(&mut write, "daraja", "R1", amount, "2026-11-23".parse().unwrap()).await.unwrap();
        write.commit().await.unwrap();
    }
    assert_eq!(bench.balance(&Account::Charges).await, 500);
    assert_eq!(bench.balance(&Account::Float("daraja".to_owned())).await, 5_000_000 - 500);
    bench.holds().await;
}

async fn complaints_wait_for_an_answer(mut bench: Bench) {
    let person = bench.register().await;
    let mut write = bench.write().await;
    let ticket = complaints::take(&mut write, &person, None, "treatment").await.unwrap();
    write.commit().await.unwrap();
    assert_eq!(ticket.hours, 72, "Kenya's rules name no time");
    let open = complaints::open(&mut bench.ledger.read().await.unwrap()).await.unwrap();
    assert_eq!((open.len(), open[0].matter.as_str()), (1, "treatment"));
    let mut write = bench.write().await;
    complaints::answer(&mut write, &ticket.code, "We are sorry.").await.unwrap();
    assert!(complaints::answer(&mut write, &ticket.code, "Again.").await.is_err(), "answered once");
    write.commit().await.unwrap();
    assert!(complaints::open(&mut bench.ledger.read().await.unwrap()).await.unwrap().is_empty());
}

async fn a_loan_is_lent_repaid_and_closed(mut bench: Bench) {
    bench.deposit("50000", "bank-1").await;
    let id = bench.active().await;
    assert_eq!(bench.loan(&id).await.state, LoanState::Active);
    assert_eq!(bench.balance(&owed(&id, Component::Principal)).await, 1_000_000);
    assert_eq!(bench.balance(&Account::Float("daraja".to_owned())).await, 5_000_000 - 980_000);
    assert_eq!(bench.balance(&Account::InTransit("daraja".to_owned())).await, 0);
    bench.holds().await;
    let schedule = {
        let mut read = bench.ledger.read().await.unwrap();
        let loan = loans::loan(&mut read, &id).await.unwrap();
        loans::schedule(&mut read, &loan, loan.local_date(bench.now).unwrap()).await.unwrap()
    };
    assert_eq!(schedule.len(), 6);
    // 24 % a year on 10,000 in six parts of whole shillings: 1785 five times, and what is left.
    assert_eq!(schedule[0].total, "1785.00");
    for (at, line) in schedule.iter().enumerate() {
        let due = format!("{}T09:00:00Z", line.due).parse().unwrap();
        bench.now = due;
        let currency: braid_microloans_arithmetic::Currency = "KES".parse().unwrap();
        let amount = currency.parse(&line.total).unwrap();
        let receipt = bench.pay(&id, &format!("R{at}"), amount, due).await;
        assert!(matches!(receipt, Receipt::Allocated(_)));
        bench.holds().await;
    }
    assert_eq!(bench.loan(&id).await.state, LoanState::Closed);
    for component in Component::ALL {
        assert_eq!(bench.balance(&owed(&id, component)).await, 0, "{component:?}");
    }
    assert_eq!(bench.balance(&Account::CapitalAvailable).await, 5_000_000, "the lenders have their money again");
    let interest: i128 = bench.balance(&Account::Income(Component::Interest)).await;
    assert_eq!(bench.balance(&Account::Float("daraja".to_owned())).await, 5_000_000 + interest + 20_000);
}

async fn what_is_too_much_is_given_back(mut bench: Bench) {
    bench.deposit("50000", "bank-1").await;
    let id = bench.active().await;
    bench.pay(&id, "R1", 1_100_000, bench.now).await;
    assert_eq!(bench.loan(&id).await.state, LoanState::Overpaid);
    let extra = bench.balance(&Account::Received(id.clone())).await;
    assert_eq!(extra, 100_000, "repaid on the first day, without interest");
    bench.approved(Action::Refund { loan: id.clone() }).await;
    let legs = payments::legs_of(&mut bench.ledger.read().await.unwrap(), &id).await.unwrap();
    let refund = legs.iter().find(|leg| leg.kind == LegKind::Refund).unwrap();
    assert_eq!(refund.amount, extra);
    let mut write = bench.write().await;
    payments::sending(&mut write, &refund.id).await.unwrap();
    write.commit().await.unwrap();
    assert_eq!(bench.report(&refund.id, Report::Failed { code: "1".to_owned() }).await, LegState::Failed);
    assert_eq!(bench.loan(&id).await.state, LoanState::Overpaid, "it is still owed");
    bench.approved(Action::Refund { loan: id.clone() }).await;
    let legs = payments::legs_of(&mut bench.ledger.read().await.unwrap(), &id).await.unwrap();
    let refund = legs.iter().find(|leg| leg.state == LegState::Created).unwrap();
    let mut write = bench.write().await;
    payments::sending(&mut write, &refund.id).await.unwrap();
    write.commit().await.unwrap();
    bench.report(&refund.id, Report::Completed { receipt: None, amount: None, at: None }).await;
    assert_eq!(bench.loan(&id).await.state, LoanState::Closed);
    bench.holds().await;
}

async fn what_cannot_be_paid_is_waived_or_kept(mut bench: Bench) {
    bench.deposit("90000", "bank-1").await;
    let (under, over) = (bench.active().await, bench.active().await);
    bench.pass_days(10);
    let pay_off = {
        let mut read = bench.ledger.read().await.unwrap();
        let loan = loans::loan(&mut read, &under).await.unwrap();
        loans::replay(&mut read, &loan, loan.local_date(bench.now).unwrap()).await.unwrap().owed()
    };
    assert_ne!(pay_off % 100, 0, "ten days of interest have cents");
    bench.pay(&over, "R1", pay_off - pay_off % 100 + 100, bench.now).await;
    assert_eq!(bench.loan(&over).await.state, LoanState::Closed);
    let kept = bench.balance(&Account::Received(over.clone())).await;
    assert!(kept > 0 && kept < 100, "{kept} stays the borrower's");
    bench.pay(&under, "R2", pay_off - pay_off % 100, bench.now).await;
    // It falls due with the instalments, and is too little to be paid then.
    bench.pass_days(200);
    let mut write = bench.write().await;
    loans::close_day(&mut write, "KE", 100).await.unwrap();
    write.commit().await.unwrap();
    assert_eq!(bench.loan(&under).await.state, LoanState::Closed);
    assert!(bench.balance(&Account::Waived).await < 100);
    bench.holds().await;
}

async fn a_payout_that_failed_is_repeated(mut bench: Bench) {
    bench.deposit("50000", "bank-1").await;
    let (id, leg) = bench.disbursing().await;
    let mut write = bench.write().await;
    let again = loans::disburse(&mut write, &id, "daraja").await;
    assert!(matches!(again, Err(LedgerError::IllegalStep(_))), "{again:?}");
    drop(write);
    bench.report(&leg, Report::Failed { code: "1".to_owned() }).await;
    assert_eq!(bench.loan(&id).await.state, LoanState::Funded);
    assert_eq!(bench.balance(&Account::Float("daraja".to_owned())).await, 5_000_000);
    bench.holds().await;
    let mut write = bench.write().await;
    let second = loans::disburse(&mut write, &id, "daraja").await.unwrap();
    payments::sending(&mut write, &second).await.unwrap();
    write.commit().await.unwrap();
    bench.report(&second, completed(980_000)).await;
    assert_eq!(bench.loan(&id).await.state, LoanState::Active);
    bench.holds().await;
}

/// All orders of some things.
fn permutations<T: Clone>(things: &[T]) -> Vec<Vec<T>> {
    let Some((first, rest)) = things.split_first() else { return vec![vec![]] };
    let mut all = Vec::new();
    for shorter in permutations(rest) {
        for at in 0..=shorter.len() {
            let mut longer = shorter.clone();
            longer.insert(at, first.clone());
            all.push(longer);
        }
    }
    all
}

async fn reports_in_any_order_give_the_same_books(mut bench: Bench) {
    bench.deposit("900000", "bank-1").await;
    let acknowledged = Report::Acknowledged { reference: Some("AG_1".to_owned()) };
    let reports = [acknowledged, Report::Unknown { why: "no answer".to_owned() }, Report::NotFound, completed(980_000)];
    let mut payouts = 0;
    for mut order in permutations(&reports) {
        // The first one once more at the end.
        order.push(order[0].clone());
        let (id, leg) = bench.disbursing().await;
        for report in &order {
            bench.report(&leg, report.clone()).await;
        }
        payouts += 1;
        assert_eq!(bench.loan(&id).await.state, LoanState::Active, "{order:?}");
        assert_eq!(bench.balance(&owed(&id, Component::Principal)).await, 1_000_000, "{order:?}");
    }
    assert_eq!(bench.balance(&Account::Float("daraja".to_owned())).await, 90_000_000 - payouts * 980_000);
    assert!(payments::contradictions(&mut bench.ledger.read().await.unwrap()).await.unwrap().is_empty());
    bench.holds().await;
}

async fn a_late_success_is_never_credited(mut bench: Bench) {
    bench.deposit("50000", "bank-1").await;
    let (id, leg) = bench.disbursing().await;
    bench.report(&leg, Report::Failed { code: "1".to_owned() }).await;
    bench.pass_days(3);
    for _ in 0..3 {
        bench.report(&leg, completed(980_000)).await;
    }
    let contradictions = payments::contradictions(&mut bench.ledger.read().await.unwrap()).await.unwrap();
    assert_eq!(contradictions.len(), 1);
    assert_eq!(contradictions[0].kind, "succeeded_after_failure");
    assert_eq!(bench.loan(&id).await.state, LoanState::Funded);
    // The provider's account has less by one payout, once.
    assert_eq!(bench.balance(&Account::Float("daraja".to_owned())).await, 5_000_000 - 980_000);
    assert_eq!(bench.balance(&Account::Contradicted("daraja".to_owned())).await, 980_000);
    let mut write = bench.write().await;
    assert!(loans::disburse(&mut write, &id, "daraja").await.is_err(), "the loan is frozen");
    drop(write);
    bench.approved(Action::ResolveContradiction { id: contradictions[0].id.clone() }).await;
    assert!(payments::contradictions(&mut bench.ledger.read().await.unwrap()).await.unwrap().is_empty());
    bench.holds().await;
}

async fn a_late_collection_is_credited_once(mut bench: Bench) {
    bench.deposit("50000", "bank-1").await;
    let id = bench.active().await;
    let (mut write, amount) = (bench.write().await, 178_500);
    let loan = loans::loan(&mut write, &id).await.unwrap();
    let leg = payments::collect(&mut write, &loan, "daraja", amount).await.unwrap();
    payments::sending(&mut write, &leg).await.unwrap();
    write.commit().await.unwrap();
    assert_eq!(bench.report(&leg, Report::Failed { code: "1037".to_owned() }).await, LegState::Failed);
    let before = bench.balance(&Account::Float("daraja".to_owned())).await;
    // A callback says that it was paid after all; it is looked up, and the night's statement has it too. The payer wrote nothing to go by.
    let told_of = Incoming { loan: Some(id.clone()), ..incoming("LATE1", 1, bench.now, None) };
    for _ in 0..2 {
        let mut write = bench.write().await;
        told::tell(&mut write, &told_of).await.unwrap();
        let told = told::told(&mut write, "daraja/LATE1").await.unwrap();
        told::confirm(&mut write, &told, (amount, bench.now, Some("Amina".to_owned()))).await.unwrap();
        write.commit().await.unwrap();
        let completed =
            Report::Completed { receipt: Some("LATE1".to_owned()), amount: Some(amount), at: Some(bench.now) };
        assert_eq!(bench.report(&leg, completed).await, LegState::Failed);
    }
    assert_eq!(bench.balance(&Account::Float("daraja".to_owned())).await, before + amount);
    assert_eq!(bench.balance(&Account::Suspense("daraja".to_owned())).await, 0);
    assert_eq!(payments::contradictions(&mut bench.ledger.read().await.unwrap()).await.unwrap().len(), 1);
    bench.holds().await;
}

async fn another_amount_waits_for_a_person(mut bench: Bench) {
    bench.deposit("50000", "bank-1").await;
    let (id, leg) = bench.disbursing().await;
    assert_eq!(bench.report(&leg, completed(1)).await, LegState::Manual);
    assert_eq!(bench.loan(&id).await.state, LoanState::DisbursementUnknown);
    bench.approved(Action::SettleLeg { leg, receipt: Some("PAYOUT1".to_owned()) }).await;
    assert_eq!(bench.loan(&id).await.state, LoanState::Active);
    bench.holds().await;
}

async fn a_receipt_counts_once(mut bench: Bench) {
    bench.deposit("50000", "bank-1").await;
    let id = bench.active().await;
    let first = bench.pay(&id, "R1", 178_500, bench.now).await;
    let Receipt::Allocated(payment) = first else { panic!("{first:?}") };
    for _ in 0..3 {
        assert_eq!(bench.pay(&id, "R1", 178_500, bench.now).await, Receipt::Known(payment.clone()));
    }
    assert_eq!(bench.balance(&Account::Float("daraja".to_owned())).await, 5_000_000 - 980_000 + 178_500);
    bench.pay(&id, "R1", 1, bench.now).await;
    bench.pay(&id, "R1", 1, bench.now).await;
    let contradictions = payments::contradictions(&mut bench.ledger.read().await.unwrap()).await.unwrap();
    assert_eq!(contradictions.len(), 1, "{contradictions:?}");
    bench.holds().await;
}

async fn money_without_a_loan_waits_in_suspense(mut bench: Bench) {
    bench.deposit("50000", "bank-1").await;
    let id = bench.active().await;
    let mut write = bench.write().await;
    let code = loans::loan(&mut write, &id).await.unwrap().code.to_string();
    let wrong = if code.starts_with('2') { code.replacen('2', "3", 1) } else { format!("2{}", &code[1..]) };
    for (at, reference) in [None, Some(wrong), Some("Amina".to_owned())].into_iter().enumerate() {
        let receipt = payments::receive(&mut write, &incoming(&format!("S{at}"), 1_000, bench.now, reference)).await;
        assert!(matches!(receipt, Ok(Receipt::Suspended(_))), "{receipt:?}");
    }
    write.commit().await.unwrap();
    assert_eq!(bench.balance(&Account::Suspense("daraja".to_owned())).await, 3_000);
    bench.holds().await;
    let suspended = payments::suspended(&mut bench.ledger.read().await.unwrap()).await.unwrap();
    let payment = suspended[0].id.parse().unwrap();
    bench.approved(Action::AssignPayment { payment, loan: id.clone() }).await;
    assert_eq!(bench.balance(&Account::Suspense("daraja".to_owned())).await, 2_000);
    assert_eq!(bench.balance(&owed(&id, Component::Principal)).await, 999_000);
    bench.holds().await;
}

async fn a_payment_booked_late_takes_its_place(mut bench: Bench) {
    bench.deposit("90000", "bank-1").await;
    let (late, punctual) = (bench.active().await, bench.active().await);
    let start = bench.now;
    bench.pass_days(30);
    let on_time = bench.now;
    bench.pay(&punctual, "R1", 178_500, on_time).await;
    // Ten days after the due date a penalty is charged; then it turns out that the money had come in time.
    bench.now = start + SignedDuration::from_hours(24 * 45);
    let mut write = bench.write().await;
    loans::close_day(&mut write, "KE", 100).await.unwrap();
    write.commit().await.unwrap();
    assert!(bench.balance(&owed(&late, Component::Penalties)).await > 0);
    bench.pay(&late, "R2", 178_500, on_time).await;
    for component in Component::ALL {
        let (late, punctual) = (owed(&late, component), owed(&punctual, component));
        assert_eq!(bench.balance(&late).await, bench.balance(&punctual).await, "{component:?}");
    }
    bench.holds().await;
}

async fn a_loss_is_a_loss_and_a_recovery_a_recovery(mut bench: Bench) {
    bench.deposit("50000", "bank-1").await;
    let id = bench.active().await;
    bench.pass_days(60);
    let mut write = bench.write().await;
    loans::close_day(&mut write, "KE", 100).await.unwrap();
    write.commit().await.unwrap();
    bench.approved(Action::WriteOff { loan: id.clone() }).await;
    assert_eq!(bench.loan(&id).await.state, LoanState::ChargedOff);
    assert_eq!(bench.balance(&Account::CapitalLost).await, 1_000_000);
    for component in Component::ALL {
        assert_eq!(bench.balance(&owed(&id, component)).await, 0, "{component:?}");
    }
    // What comes on the same day still lessens the loss; what comes later is a recovery.
    bench.pass_days(1);
    bench.pay(&id, "R1", 50_000, bench.now).await;
    assert_eq!(bench.loan(&id).await.state, LoanState::Recovered);
    assert_eq!(bench.balance(&Account::Recovered).await, 50_000);
    bench.holds().await;
}

async fn the_database_refuses_what_the_tables_do_not_have(mut bench: Bench) {
    bench.deposit("50000", "bank-1").await;
    let id = bench.offered().await;
    let mut write = bench.write().await;
    let (request, body) = (Request { key: "k", path: "", body: b"" }, "{}".to_owned());
    idempotency::keep(&mut write, &request, &Answer { status: 200, body }).await.unwrap();
    write.commit().await.unwrap();
    bench.refused("UPDATE loan SET state = 'active'").await;
    bench.refused("UPDATE loan SET state = 'paid'").await;
    bench.refused("DELETE FROM loan").await;
    bench.refused("UPDATE entry SET subject = 'other'").await;
    bench.refused("DELETE FROM entry").await;
    bench.refused("UPDATE transfer SET amount = amount + 1").await;
    bench.refused("DELETE FROM loan_event").await;
    bench.refused("UPDATE audit SET actor = 'nobody'").await;
    bench.refused("DELETE FROM idempotency WHERE 1 = 1").await;
    bench.refused("INSERT INTO state_step VALUES ('loan', 'offered', 'active')").await;
    bench.refused("INSERT INTO entry SELECT seq + 1, 'deposit', 'x', dated, at, day, 'other', 'hash' FROM entry").await;
    bench
        .refused("INSERT INTO transfer SELECT entry, place + 1, debit, debit, currency, amount, loan FROM transfer")
        .await;
    bench
        .refused("INSERT INTO transfer SELECT entry, place + 1, debit, credit, 'NGN', amount, loan FROM transfer")
        .await;
    bench.refused("UPDATE approval SET checker = maker, decision = 'approved', decided_at = 1").await;
    assert_eq!(bench.loan(&id).await.state, LoanState::Offered);
    let mut write = bench.write().await;
    let direct = loans::fund(&mut write, &id).await;
    assert!(matches!(direct, Err(LedgerError::IllegalStep(_))), "{direct:?}");
    drop(write);
    bench.holds().await;
}

async fn a_changed_journal_is_noticed(mut bench: Bench) {
    bench.deposit("50000", "bank-1").await;
    bench.active().await;
    bench.holds().await;
    let mut connection = bench.connection().await;
    // Somebody who owns the database can remove what refuses changes; the chain still tells.
    let is_sqlite = bench.url.starts_with("sqlite");
    let open = if is_sqlite { "DROP TRIGGER transfer_no_update" } else { "ALTER TABLE transfer DISABLE TRIGGER ALL" };
    sqlx::raw_sql(open).execute(&mut connection).await.unwrap();
    let change = "UPDATE transfer SET amount = amount + 1 WHERE entry = 1";
    sqlx::raw_sql(change).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let found = journal::verify(&mut bench.ledger.read().await.unwrap()).await.unwrap();
    assert!(found.failures.iter().any(|failure| failure == "entry 1 does not have its hash"), "{found:?}");
    assert!(found.failures.iter().any(|failure| failure.starts_with("account ")), "{found:?}");
}

async fn days_are_sealed_and_entries_proved(mut bench: Bench) {
    bench.deposit("50000", "bank-1").await;
    bench.active().await;
    let mut write = bench.write().await;
    assert!(seal::seal_ended_days(&mut write).await.unwrap().is_empty(), "the day has not ended");
    drop(write);
    bench.pass_days(1);
    bench.deposit("1", "bank-2").await;
    bench.pass_days(1);
    let mut write = bench.write().await;
    let seals = seal::seal_ended_days(&mut write).await.unwrap();
    write.commit().await.unwrap();
    let days: Vec<&str> = seals.iter().map(|seal| seal.day.as_str()).collect();
    assert_eq!(days, ["2026-11-23", "2026-11-24"]);
    let mut read = bench.ledger.read().await.unwrap();
    for seq in 1..=seals[1].last_seq {
        let proof = seal::prove(&mut read, seq).await.unwrap();
        let leaf = merkle::parse(&proof.leaf).unwrap();
        assert_eq!(const_hex::encode(merkle::root_by(&leaf, &proof.proof).unwrap()), proof.root);
    }
    drop(read);
    let mut write = bench.write().await;
    assert!(seal::seal_ended_days(&mut write).await.unwrap().is_empty(), "once");
    drop(write);
    // The clock is set back by two days: what is booked now belongs to the last day, not to one that is sealed.
    bench.deposit("1", "bank-3").await;
    bench.pass_days(-2);
    bench.deposit("1", "bank-4").await;
    bench.pass_days(3);
    let mut write = bench.write().await;
    let seals = seal::seal_ended_days(&mut write).await.unwrap();
    write.commit().await.unwrap();
    assert_eq!((seals.len(), seals[0].day.as_str()), (1, "2026-11-25"));
    bench.holds().await;
}

async fn one_key_is_one_request(bench: Bench) {
    let request = |body| Request { key: "k-1", path: "POST /v1/loans", body };
    let answer = Answer { status: 201, body: "{}".to_owned() };
    let mut write = bench.write().await;
    assert_eq!(idempotency::find(&mut write, &request(b"a")).await.unwrap(), None);
    idempotency::keep(&mut write, &request(b"a"), &answer).await.unwrap();
    write.commit().await.unwrap();
    let mut write = bench.write().await;
    assert_eq!(idempotency::find(&mut write, &request(b"a")).await.unwrap(), Some(answer));
    let other = idempotency::find(&mut write, &request(b"b")).await;
    assert!(matches!(other, Err(LedgerError::KeyReused)), "{other:?}");
    let elsewhere = Request { key: "k-1", path: "POST /v1/people", body: b"a" };
    assert!(matches!(idempotency::find(&mut write, &elsewhere).await, Err(LedgerError::KeyReused)));
    write.by = actor("somebody else");
    assert_eq!(idempotency::find(&mut write, &request(b"b")).await.unwrap(), None, "keys are a caller's own");
    for key in ["", " ", "k\n", &"k".repeat(101)] {
        assert!(idempotency::find(&mut write, &Request { key, path: "", body: b"" }).await.is_err(), "{key:?}");
    }
}

async fn nobody_approves_their_own_proposal(mut bench: Bench) {
    let id = bench.apply().await;
    let mut write = bench.write().await;
    loans::review(&mut write, &id).await.unwrap();
    write.commit().await.unwrap();
    let proposal = bench.propose(Action::Offer { loan: id.clone() }).await;
    let own = bench.decide("olive", &proposal).await;
    assert!(matches!(own, Err(LedgerError::Forbidden(_))), "{own:?}");
    assert_eq!(bench.loan(&id).await.state, LoanState::UnderReview);
    bench.decide("peter", &proposal).await.unwrap();
    assert_eq!(bench.loan(&id).await.state, LoanState::Offered);
    assert!(matches!(bench.decide("paula", &proposal).await, Err(LedgerError::Conflict(_))), "once");
    let log = audit::records(&mut bench.ledger.read().await.unwrap(), 1, 500).await.unwrap();
    let decided = log.iter().find(|record| record.action == "approval.decide").unwrap();
    assert_eq!(decided.actor, "peter");
}

async fn an_offer_ends(mut bench: Bench) {
    let id = bench.offered().await;
    let mut write = bench.write().await;
    let consent = Consent { key_facts_hash: "00".repeat(32), language: "sw".to_owned(), channel: "ussd".to_owned() };
    assert!(loans::accept(&mut write, &id, &consent).await.is_err(), "other key facts");
    drop(write);
    // Offered on a Monday, for three working days.
    bench.now = "2026-11-26T20:59:59Z".parse().unwrap();
    let mut write = bench.write().await;
    assert_eq!(loans::expire_offers(&mut write).await.unwrap(), 0);
    drop(write);
    bench.now = "2026-11-26T21:00:00Z".parse().unwrap();
    assert!(bench.accept(&id).await.is_err());
    let mut write = bench.write().await;
    assert_eq!(loans::expire_offers(&mut write).await.unwrap(), 1);
    write.commit().await.unwrap();
    assert_eq!(bench.loan(&id).await.state, LoanState::OfferExpired);
}

async fn erased_data_is_gone(mut bench: Bench) {
    let id = bench.offered().await;
    let person = bench.loan(&id).await.person;
    let erase = Action::Erase { person: person.clone() };
    let early = bench.propose(erase.clone()).await;
    assert!(bench.decide("peter", &early).await.is_err(), "a loan is not over");
    let mut write = bench.write().await;
    let phone = vault::reveal(&mut write, &person, vault::Field::Phone, "test").await.unwrap();
    assert_eq!(phone.expose(), "+254700000001");
    loans::decline(&mut write, &id).await.unwrap();
    write.commit().await.unwrap();
    bench.decide("peter", &early).await.unwrap();
    let mut write = bench.write().await;
    let gone = vault::reveal(&mut write, &person, vault::Field::Phone, "test").await;
    assert!(matches!(gone, Err(LedgerError::Erased)), "{gone:?}");
    assert_eq!(vault::find(&mut write, "+254700000001").await.unwrap(), None);
    drop(write);
    let mut connection = bench.connection().await;
    for table in ["SELECT COUNT(*) FROM person_field", "SELECT COUNT(*) FROM person_index"] {
        let left: i64 = sqlx::query(table).fetch_one(&mut connection).await.unwrap().get(0);
        assert_eq!(left, 0, "{table}");
    }
    let again = bench.register().await;
    assert_ne!(again, person, "the number may be registered again");
}

async fn a_frozen_loan_is_not_paid_out(mut bench: Bench) {
    bench.deposit("50000", "bank-1").await;
    let id = bench.offered().await;
    bench.accept(&id).await.unwrap();
    let mut write = bench.write().await;
    loans::fund(&mut write, &id).await.unwrap();
    loans::hold(&mut write, &id, "frozen", loans::Hold::Begins).await.unwrap();
    assert!(loans::disburse(&mut write, &id, "daraja").await.is_err());
    write.commit().await.unwrap();
    bench.approved(Action::Release { loan: id.clone(), hold: "frozen".to_owned() }).await;
    let mut write = bench.write().await;
    let leg = loans::disburse(&mut write, &id, "daraja").await.unwrap();
    loans::hold(&mut write, &id, "disputed", loans::Hold::Begins).await.unwrap();
    payments::call_off(&mut write, &leg, "held").await.unwrap();
    write.commit().await.unwrap();
    assert_eq!(bench.loan(&id).await.state, LoanState::Funded);
    bench.holds().await;
}

/// Two people who decide on loans of their own making, among others who do not: nothing is ever paid on theirs, while of the others' one in ten is silent.
async fn borrowers_who_do_not_exist_are_noticed(mut bench: Bench) {
    bench.deposit("1000000", "bank-1").await;
    let mut lent = Vec::new();
    for n in 0..26 {
        let checker = if n < 6 { "gus" } else { "peter" };
        let (id, leg) = bench.disbursing_by(checker).await;
        let receipt = format!("OUT{n:04}");
        let paid_out = Report::Completed { receipt: Some(receipt), amount: Some(980_000), at: None };
        assert_eq!(bench.report(&leg, paid_out).await, LegState::Succeeded);
        lent.push(id);
    }
    let found = async |bench: &Bench| {
        let day = bench.now.to_string().get(..10).unwrap().parse().unwrap();
        loans::oddities::oddities(&mut bench.ledger.read().await.unwrap(), day).await.unwrap()
    };
    bench.pass_days(40);
    for (n, id) in lent.iter().enumerate().skip(8) {
        bench.pay(id, &format!("IN{n:04}"), 185_000, bench.now).await;
    }
    assert_eq!(found(&bench).await, [], "nobody is late for long");
    bench.pass_days(25);
    let odd = found(&bench).await;
    assert_eq!(odd.len(), 1, "{odd:?}");
    assert_eq!((odd[0].pattern.as_str(), odd[0].who.as_str()), ("decided_by", "olive + gus"));
    assert_eq!((odd[0].loans, odd[0].silent, odd[0].others, odd[0].others_silent), (6, 6, 20, 2));
    bench.holds().await;
}
