//! Text messages to borrowers: each is told of what happens in their name, so that nobody borrows, is paid, or keeps what was repaid, unnoticed. What is to be told stands in the outbox, written with
//! what happened; a gateway that is away delays messages and nothing else. A message whose answer was lost comes twice.

use std::time::Duration;

use braid_microloans_arithmetic::Money;
use braid_microloans_ledger::{
    Actor, LedgerError, LoanId,
    loans::{self, LoanEvent, LoanRecord},
    payments::outbox::{self, Desk, Message},
    vault,
};
use braid_microloans_rails::{Msisdn, sms::TextMessages};
use braid_microloans_ussd::{
    Language,
    messages::{Facts, Messages, Told},
};
use jiff::SignedDuration;

use crate::{
    app::App,
    config::{ConfigError, MessagesConfig},
    limits, rails, worker,
};

/// Where messages are handed in, and what they say.
#[derive(Debug)]
pub struct Post {
    gateway: TextMessages,
    texts: Messages,
    phone: String,
}

impl Post {
    /// What a configuration names.
    ///
    /// # Errors
    /// If the file with the key cannot be read, or the address is none.
    pub fn new(config: &MessagesConfig) -> Result<Self, ConfigError> {
        let timeout = Duration::from_secs(config.timeout_seconds.into());
        let key = rails::secret(&config.api_key_file)?;
        let gateway = TextMessages::new(&config.base_url, &config.username, key, config.sender.clone(), timeout);
        Self::with(gateway.map_err(|error| ConfigError::Value(error.to_string()))?, &config.phone)
    }

    /// With a gateway, and the number that borrowers are told to call.
    ///
    /// # Errors
    /// If the texts cannot be read; they are part of the program.
    pub fn with(gateway: TextMessages, phone: &str) -> Result<Self, ConfigError> {
        let texts = Messages::load().map_err(|error| ConfigError::Value(error.to_string()))?;
        Ok(Self { gateway, texts, phone: phone.to_owned() })
    }
}

fn actor() -> Actor {
    Actor::system("messages")
}

/// Hands messages in until it is dropped.
pub async fn run(app: App) {
    worker::rounds(&app, "messages", || round(&app)).await;
}

/// Hands in what is due now; returns how much was.
///
/// # Errors
/// If the database fails. What the gateway does is no error.
pub async fn round(app: &App) -> Result<usize, LedgerError> {
    let Some(post) = &app.post else { return Ok(0) };
    let mut read = app.read().await?;
    let due = outbox::due_at(&mut read, Desk::Messages, app.clock.now(), limits::BATCH).await?;
    drop(read);
    for message in &due {
        say(app, post, message).await?;
    }
    Ok(due.len())
}

async fn say(app: &App, post: &Post, message: &Message) -> Result<(), LedgerError> {
    let mut write = app.write(actor()).await?;
    if !outbox::claim(&mut write, message, SignedDuration::from_secs(limits::MESSAGE_PAUSE_SECONDS)).await? {
        return Ok(());
    }
    let Some((number, text)) = compose(&mut write, post, message).await? else {
        outbox::done(&mut write, message.task, &message.subject).await?;
        return write.commit().await;
    };
    write.commit().await?;
    let sent = post.gateway.send(&number, &text).await;
    let is_over = match &sent {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(message = %message.subject, %error, "a message was not taken");
            message.attempts + 1 >= limits::MESSAGE_ATTEMPTS
        }
    };
    if is_over {
        let mut write = app.write(actor()).await?;
        outbox::done(&mut write, message.task, &message.subject).await?;
        write.commit().await?;
    }
    Ok(())
}

/// To whom, and what; nothing if their data is gone, or nothing is to be said.
async fn compose(
    write: &mut braid_microloans_ledger::Write,
    post: &Post,
    message: &Message,
) -> Result<Option<(Msisdn, String)>, LedgerError> {
    let corrupt = || LedgerError::Corrupt(format!("a message about {:?}", message.subject));
    let (loan, seq) = message.subject.split_once('/').ok_or_else(corrupt)?;
    let (loan, seq): (LoanId, i64) = (loan.parse()?, seq.parse().map_err(|_| corrupt())?);
    let events = loans::events(write, &loan).await?;
    let Some(event) = events.into_iter().find(|event| event.seq == seq) else { return Ok(None) };
    let loan = loans::loan(write, &loan).await?;
    let Some((told, amount)) = what(&loan, &event)? else { return Ok(None) };
    let language = Language::of_code(&vault::language(write, &loan.person).await?).unwrap_or(Language::English);
    let number = match vault::reveal(write, &loan.person, vault::Field::Phone, "message").await {
        Ok(number) => number.expose().parse().map_err(|_| corrupt())?,
        Err(LedgerError::NotFound(..) | LedgerError::Conflict(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    let facts = Facts { code: loan.code.as_str(), amount, first: loan.first_due, phone: &post.phone };
    Ok(Some((number, post.texts.text(language, told, &facts))))
}

fn what(loan: &LoanRecord, event: &LoanEvent) -> Result<Option<(Told, Money)>, LedgerError> {
    let money = |minor| Money { minor, currency: loan.currency };
    Ok(match event.kind.as_str() {
        "KfsAccepted" => Some((Told::Accepted, money(loan.principal))),
        "DisbursementConfirmed" => Some((Told::PaidOut, money(loan.principal))),
        "PaymentReceived" => {
            let amount = event.data["amount"].as_str().unwrap_or_default();
            Some((Told::Received, money(loan.currency.parse(amount)?)))
        }
        _ => None,
    })
}
