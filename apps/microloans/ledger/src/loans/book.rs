//! Bringing the books to what a loan's terms and payments say.
//!
//! The loan is replayed from its first day, with every payment in its place, and compared with what the journal has by now: what was charged,
//! paid, waived, given up and recovered, component by component. The differences become one entry. So a payment that is booked late, or taken back,
//! corrects everything that came after it by compensation, and booking twice changes nothing.

use braid_microloans_arithmetic::{
    Component, Date, Loan, Minor, Parts, Status,
    loan::{Capitalise, Restructuring, Totals},
};
use serde_json::json;

use super::{LoanRecord, event, money::adjust, step};
use crate::{
    LedgerError, LoanId, LoanState,
    journal::{self, Account, Entry, Kind, account},
    limits, product,
    product::LoanTerms,
    store::{Columns as _, Source, Write, stored},
};

/// What happens to a loan on a day, in the order of the day.
enum Event {
    Payment(Minor),
    Waiver(Component, Minor),
    WriteOff,
    Restructuring(Box<LoanTerms>),
}

/// A loan with what it was before it was restructured.
#[derive(Clone, Debug)]
pub struct Replay {
    /// As it is now.
    pub loan: Loan,
    /// Sums of the loans that went on in this one; what they charged and moved on is charged once.
    earlier: Totals,
    /// What was lent at first.
    lent: Option<Minor>,
    /// What was brought into this loan, and falls due with its first instalment.
    brought: Parts,
}

impl Replay {
    /// What was lent.
    #[must_use]
    pub fn lent(&self) -> Minor {
        self.lent.unwrap_or_else(|| self.loan.lent())
    }

    /// Sums over all instalments, of before and after.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let (now, before) = (self.loan.totals(), &self.earlier);
        // What was brought is charged again when it falls due.
        let again = self.brought.minus(&self.loan.brought());
        Totals {
            charged: before.charged.plus(&now.charged).minus(&again),
            paid: before.paid.plus(&now.paid),
            waived: before.waived.plus(&now.waived),
            written_off: before.written_off.plus(&now.written_off),
            recovered: before.recovered.plus(&now.recovered),
            moved: Parts::default(),
        }
    }

    /// Goes on with other terms: what is outstanding is lent anew, the rest falls due with the first new instalment.
    fn restructure(&mut self, date: Date, terms: &LoanTerms) -> Result<(), LedgerError> {
        let lent = self.lent();
        let terms = Restructuring { terms: terms.terms(date)?, capitalise: Capitalise::Principal };
        let new = self.loan.restructure(date, &terms)?;
        self.earlier = self.totals();
        self.brought = Parts { principal: 0, ..self.loan.totals().moved };
        self.lent = Some(lent);
        self.loan = new;
        Ok(())
    }
}

/// A loan on a day, replayed.
///
/// # Errors
/// If it has not been disbursed, or the database fails or holds what cannot be replayed.
pub async fn replay(source: &mut impl Source, record: &LoanRecord, day: Date) -> Result<Loan, LedgerError> {
    Ok(replay_all(source, record, day).await?.loan)
}

/// A loan on a day, replayed, with what it was before it was restructured.
///
/// # Errors
/// As [`replay`].
pub async fn replay_all(source: &mut impl Source, record: &LoanRecord, day: Date) -> Result<Replay, LedgerError> {
    let terms = record.terms_in_force()?;
    let start = terms.disbursements.first().map_or(day, |first| first.date);
    let loan = Loan::new(terms)?;
    let mut replay = Replay { loan, earlier: Totals::default(), lent: None, brought: Parts::default() };
    let mut last = start;
    for (date, event) in history(source, &record.id).await? {
        // A clock that is a day ahead elsewhere cannot make a payment precede the loan.
        let date = date.max(last);
        let is_active = replay.loan.status() == Status::Active;
        match event {
            Event::Payment(amount) => drop(replay.loan.pay(date, amount)?),
            Event::Waiver(component, amount) => {
                replay.loan.advance_to(date)?;
                replay.loan.waive(component, amount)?;
            }
            Event::WriteOff if is_active => drop(replay.loan.write_off(date)?),
            Event::Restructuring(terms) if is_active => replay.restructure(date, &terms)?,
            Event::WriteOff | Event::Restructuring(_) => {}
        }
        last = date;
    }
    replay.loan.advance_to(day.max(last))?;
    Ok(replay)
}

/// Payments and adjustments by day; on one day payments first.
async fn history(source: &mut impl Source, id: &LoanId) -> Result<Vec<(Date, Event)>, LedgerError> {
    let payments = sqlx::query(
        "SELECT paid_on, amount FROM payment WHERE loan = $1 AND state = 'allocated' ORDER BY paid_on, seq LIMIT $2",
    );
    let limit = i64::try_from(limits::MAX_PAYMENTS + 1).unwrap_or(i64::MAX);
    let payments = payments.bind(id.as_str()).bind(limit).fetch_all(source.rows()).await?;
    if payments.len() > limits::MAX_PAYMENTS {
        return Err(LedgerError::Limit { what: "the payments of a loan", limit: limits::MAX_PAYMENTS as u64 });
    }
    let mut events = Vec::with_capacity(payments.len());
    for row in payments {
        events.push((row.parsed("paid_on")?, Event::Payment(row.number("amount")?.into())));
    }
    let query =
        sqlx::query("SELECT kind, component, amount, terms, dated FROM adjustment WHERE loan = $1 ORDER BY seq");
    for row in query.bind(id.as_str()).fetch_all(source.rows()).await? {
        let event = match (row.text("kind")?.as_str(), row.optional("component")?, row.optional_number("amount")?) {
            ("waive", Some(component), Some(amount)) => Event::Waiver(product::component(&component)?, amount.into()),
            ("write_off", ..) => Event::WriteOff,
            ("restructure", ..) => {
                let terms = row.optional("terms")?.unwrap_or_default();
                Event::Restructuring(Box::new(serde_json::from_str(&terms)?))
            }
            (kind, ..) => return Err(LedgerError::Corrupt(format!("an adjustment {kind:?}"))),
        };
        events.push((row.parsed("dated")?, event));
    }
    events.sort_by_key(|(date, _)| *date);
    Ok(events)
}

/// Books a loan up to a day, and closes it if nothing is owed.
///
/// # Errors
/// If the loan cannot be replayed, or the database fails.
pub async fn book(write: &mut Write, id: &LoanId, day: Date) -> Result<(), LedgerError> {
    let mut record = super::loan(write, id).await?;
    let mut replayed = replay_all(write, &record, day).await?;
    if waive_residue(write, &record, &replayed.loan).await? {
        replayed = replay_all(write, &record, day).await?;
    }
    let loan = replayed.loan.clone();
    post_differences(write, &record, &replayed, day).await?;
    let query = sqlx::query("UPDATE loan SET booked_on = $2 WHERE id = $1").bind(id.as_str()).bind(day.to_string());
    query.execute(&mut *write.tx).await?;
    check_principal(write, &record, &loan).await?;
    return_fee(write, &record, &loan).await?;
    settle(write, &mut record, &loan).await
}

/// Gives the fee back that was kept back from the payout, if everything else was paid within the cooling-off days: who gives the money back then owes
/// nothing but the interest so far.
async fn return_fee(write: &mut Write, record: &LoanRecord, loan: &Loan) -> Result<(), LedgerError> {
    let (Some(terms), Some(disbursed)) = (&record.terms, record.disbursed_on) else { return Ok(()) };
    let days = i32::from(terms.product.cooling_off_days);
    let fee = loan.terms().fees_on_disbursement();
    let is_in_time = days > 0 && loan.today() <= disbursed.plus_days(days);
    if record.state != LoanState::Active || loan.status() != Status::Settled || !is_in_time || fee == 0 {
        return Ok(());
    }
    let received = Account::Received(record.id.clone());
    let entry = Entry::new(Kind::FeeReturned, record.id.as_str(), loan.today());
    let entry = entry.transfer(Account::Income(Component::Fees), received, record.currency, fee);
    journal::post(write, &entry).await?;
    event(write, &record.id, "CoolingOffCancelled", json!({"fee": record.currency.format(fee)})).await
}

/// Whether what is still owed was too little to be paid, and has been waived: mobile money pays whole shillings, and interest has cents.
async fn waive_residue(write: &mut Write, record: &LoanRecord, loan: &Loan) -> Result<bool, LedgerError> {
    let (owed, overdue) = (loan.owed(), loan.overdue());
    let is_residue = owed > 0 && owed < record.payment_multiple()? && overdue.total() == owed;
    if !is_residue || loan.status() != Status::Active {
        return Ok(false);
    }
    for component in Component::ALL.into_iter().filter(|component| overdue.get(*component) > 0) {
        let part = (account::component_name(component), stored(overdue.get(component))?);
        adjust(write, &record.id, "waive", Some(part), &loan.today().to_string()).await?;
    }
    event(write, &record.id, "ResidueWaived", parts_json(record, &overdue)).await?;
    Ok(true)
}

async fn post_differences(write: &mut Write, record: &LoanRecord, loan: &Replay, day: Date) -> Result<(), LedgerError> {
    let id = &record.id;
    let totals = loan.totals();
    let received = Account::Received(id.clone());
    let mut entry = Entry::new(Kind::LoanBooked, id.as_str(), day);
    let mut paid = Parts::default();
    let mut lost = 0;
    for component in Component::ALL {
        let owed = Account::Owed(id.clone(), component);
        let is_principal = component == Component::Principal;
        let charged = if is_principal { 0 } else { totals.charged.get(component) };
        let flows = [
            (owed.clone(), Account::Income(component), charged),
            (received.clone(), owed.clone(), totals.paid.get(component)),
            (Account::Waived, owed.clone(), totals.waived.get(component)),
            (Account::Losses, owed, totals.written_off.get(component)),
        ];
        for (at, (debit, credit, target)) in flows.into_iter().enumerate() {
            // What was charged of the principal is what was lent, and booked with the payout.
            if is_principal && at == 0 {
                continue;
            }
            let difference = target - journal::flow(write, id, &debit, &credit).await?;
            entry = entry.transfer(debit, credit, record.currency, difference);
            match at {
                1 => *paid.get_mut(component) = difference,
                2 | 3 if is_principal => lost += difference,
                _ => {}
            }
        }
    }
    let recovered = totals.recovered.total() - journal::flow(write, id, &received, &Account::Recovered).await?;
    entry = entry
        .transfer(received, Account::Recovered, record.currency, recovered)
        .transfer(Account::CapitalLent, Account::CapitalAvailable, record.currency, paid.principal)
        .transfer(Account::CapitalLent, Account::CapitalLost, record.currency, lost);
    journal::post(write, &entry).await?;
    if paid != Parts::default() {
        event(write, id, "PaymentAllocated", parts_json(record, &paid)).await?;
    }
    Ok(())
}

fn parts_json(record: &LoanRecord, parts: &Parts) -> serde_json::Value {
    let amount = |component| record.currency.format(parts.get(component));
    json!({
        "principal": amount(Component::Principal),
        "interest": amount(Component::Interest),
        "fees": amount(Component::Fees),
        "penalties": amount(Component::Penalties),
    })
}

/// What the journal says is owed of the principal is what the loan says.
async fn check_principal(write: &mut Write, record: &LoanRecord, loan: &Loan) -> Result<(), LedgerError> {
    let account = Account::Owed(record.id.clone(), Component::Principal);
    let booked = account::balance(write, &account, record.currency.code()).await?;
    if booked == loan.outstanding() {
        return Ok(());
    }
    Err(LedgerError::Corrupt(format!("loan {} with {booked} outstanding, not {}", record.id, loan.outstanding())))
}

/// Takes the step that follows from what is owed.
async fn settle(write: &mut Write, record: &mut LoanRecord, loan: &Loan) -> Result<(), LedgerError> {
    let received = Account::Received(record.id.clone());
    // Less than can be paid stays on the account as the borrower's.
    let extra = account::balance(write, &received, record.currency.code()).await?;
    let too_much = extra >= record.payment_multiple()?;
    let is_repaid = matches!(loan.status(), Status::Settled | Status::Active) && loan.owed() == 0;
    let next = match (record.state, is_repaid) {
        (LoanState::Active | LoanState::Restructured, true) if too_much => Some(LoanState::Overpaid),
        (LoanState::Active | LoanState::Restructured, true) => Some(LoanState::Closed),
        (LoanState::Closed, _) if too_much => Some(LoanState::Overpaid),
        (LoanState::ChargedOff, _) if loan.totals().recovered.total() > 0 => Some(LoanState::Recovered),
        _ => None,
    };
    let Some(next) = next else { return Ok(()) };
    let kind = match next {
        LoanState::Closed => "Closed",
        LoanState::Overpaid => "Overpaid",
        _ => "Recovered",
    };
    step(write, record, next, kind, json!({})).await
}

/// Books every loan that is being repaid up to today at its place; returns how many were. A part at a time, so that payments do not wait.
///
/// # Errors
/// If the database fails.
pub async fn close_day(write: &mut Write, country: &str, limit: i64) -> Result<usize, LedgerError> {
    let today = crate::time::local_date(write.at, crate::rules::of_country(country)?.utc_offset_minutes)?;
    let rows = sqlx::query(
        "SELECT id FROM loan WHERE state IN ('active', 'restructured') AND country = $1
         AND (booked_on IS NULL OR booked_on < $2) ORDER BY id LIMIT $3",
    );
    let rows = rows.bind(country).bind(today.to_string()).bind(limit).fetch_all(&mut *write.tx).await?;
    for row in &rows {
        book(write, &row.parsed("id")?, today).await?;
    }
    Ok(rows.len())
}
