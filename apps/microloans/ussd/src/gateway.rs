//! Sessions, as Africa's Talking tells them: every request has the session's ID and all answers so far, joined by asterisks.
//!
//! - A request that comes again is answered as before, and does nothing.
//! - Answers in a session that this process does not know were given to one before it, and may mean another thing now: they are passed
//!   over, and the session goes on from the first screen.
//! - A session belongs to the number that began it.
//! - Where a session ends early in something worth going on with, the next one of that number offers to, after the PIN.
//!
//! PINs are among the answers. They are not kept: of the text only its length and a hash with a secret of this process.

use std::{
    collections::BTreeMap,
    hash::{BuildHasher as _, RandomState},
    sync::Arc,
};

use braid_microloans_rails::Msisdn;
use parking_lot::Mutex;

use crate::{
    Language, Loans,
    language::{Catalogue, LocaleError},
    loans::Unavailable,
    machine::{self, Visit},
    place::{Ending, Place, Screen, screen},
};

/// How many sessions are kept. The oldest go first; a session lasts three minutes at most.
const MAX_SESSIONS: usize = 50_000;
/// How many places to go on from are kept.
const MAX_STOPPED: usize = 50_000;
/// How long a place to go on from is kept, in milliseconds: offers change.
const STOPPED_MS: i64 = 30 * 60 * 1000;
/// The longest ID of a session, and the longest text, in bytes.
const MAX_SESSION_ID: usize = 128;
const MAX_TEXT: usize = 512;
/// How many answers one request may bring: a session's worth.
const MAX_ANSWERS: usize = 32;

/// What the gateway is asked.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Names the session.
    pub session: &'a str,
    /// Who is on the line.
    pub who: &'a Msisdn,
    /// All answers so far, joined by asterisks.
    pub text: &'a str,
    /// The time, in milliseconds since 1970.
    pub now_ms: i64,
}

/// A request that no telephone can have made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Empty or too long.
    #[error("session id has to be of 1 to {MAX_SESSION_ID} bytes")]
    Session,
    /// Too long, or too many answers.
    #[error("text has to be of at most {MAX_TEXT} bytes and {MAX_ANSWERS} answers")]
    Text,
    /// The session is another number's.
    #[error("the session belongs to another number")]
    OtherNumber,
    /// The answers are not those of before and more.
    #[error("the text does not go on from what this session said before")]
    OtherText,
}

#[derive(Debug)]
struct Session {
    who: Msisdn,
    language: Language,
    place: Place,
    /// Length and hash of the text that led here.
    seen: (usize, u64),
    answers: usize,
    last: Screen,
    stopped_at: Option<Place>,
}

/// A session, or none before its first screen. Its lock is held while it is worked on.
type Slot = Arc<tokio::sync::Mutex<Option<Session>>>;

#[derive(Debug, Default)]
struct Sessions {
    /// With the place in the order in which they came.
    by_id: BTreeMap<String, (u64, Slot)>,
    /// The IDs in the order in which they came.
    by_age: BTreeMap<u64, String>,
    stopped: BTreeMap<Msisdn, (i64, Place)>,
    count: u64,
}

/// The gateway.
#[derive(Debug)]
pub struct Gateway {
    loans: Arc<dyn Loans>,
    catalogue: Catalogue,
    /// Whom people can call.
    phone: String,
    hasher: RandomState,
    sessions: Mutex<Sessions>,
}

impl Gateway {
    /// A gateway to a lending service; `phone` is the number that people are told to call.
    ///
    /// # Errors
    /// If a locale file cannot be read.
    pub fn new(loans: Arc<dyn Loans>, phone: impl Into<String>) -> Result<Self, LocaleError> {
        Ok(Self {
            loans,
            catalogue: Catalogue::load()?,
            phone: phone.into(),
            hasher: RandomState::new(),
            sessions: Mutex::default(),
        })
    }

    /// Answers a request.
    ///
    /// # Errors
    /// If no telephone can have made it.
    pub async fn answer(&self, request: Request<'_>) -> Result<Screen, RequestError> {
        if request.session.is_empty() || request.session.len() > MAX_SESSION_ID {
            return Err(RequestError::Session);
        }
        if request.text.len() > MAX_TEXT || request.text.split('*').count() > MAX_ANSWERS {
            return Err(RequestError::Text);
        }
        let slot = self.slot(request.session);
        // Held while the service is asked, so that a repetition waits for the answer to the first.
        let mut held = slot.lock().await;
        let mut session = match held.take() {
            Some(session) => session,
            None => match self.begin(request).await {
                Ok(session) => session,
                Err(Unavailable) => return Ok(self.unavailable(Language::English)),
            },
        };
        if session.who != *request.who {
            *held = Some(session);
            return Err(RequestError::OtherNumber);
        }
        let answers = match self.new_answers(&session, request.text) {
            Ok(answers) => answers,
            Err(error) => {
                *held = Some(session);
                return Err(error);
            }
        };
        for answer in answers {
            self.take(&mut session, request.session, answer).await;
        }
        session.seen = self.seen(request.text);
        self.remember(&session, request.now_ms);
        let last = session.last.clone();
        *held = Some(session);
        Ok(last)
    }

    /// The end of a session was told: what it was is not needed any more. Where to go on from is kept.
    pub fn ended(&self, session: &str) {
        let mut sessions = self.sessions.lock();
        if let Some((age, _)) = sessions.by_id.remove(session) {
            sessions.by_age.remove(&age);
        }
    }

    fn slot(&self, id: &str) -> Slot {
        let mut sessions = self.sessions.lock();
        if let Some((_, slot)) = sessions.by_id.get(id) {
            return Arc::clone(slot);
        }
        while sessions.by_id.len() >= MAX_SESSIONS {
            let Some((_, oldest)) = sessions.by_age.pop_first() else { break };
            sessions.by_id.remove(&oldest);
        }
        sessions.count += 1;
        let age = sessions.count;
        let slot = Slot::default();
        sessions.by_age.insert(age, id.to_owned());
        sessions.by_id.insert(id.to_owned(), (age, Arc::clone(&slot)));
        slot
    }

    async fn begin(&self, request: Request<'_>) -> Result<Session, Unavailable> {
        let stopped = self.sessions.lock().stopped.get(request.who).cloned();
        let mut stopped_at = stopped.filter(|(at_ms, _)| request.now_ms - at_ms <= STOPPED_MS).map(|(_, place)| place);
        let mut language = Language::English;
        let mut visit = Visit {
            who: request.who,
            loans: &*self.loans,
            language: &mut language,
            stopped_at: &mut stopped_at,
            key: format!("{}:0", request.session),
        };
        let place = machine::begin(&mut visit).await?;
        let last = screen(&self.catalogue, language, &self.phone, &place, None);
        let who = request.who.clone();
        // Positions go on, so that no key of before is used again.
        let answers = request.text.split('*').filter(|_| !request.text.is_empty()).count();
        Ok(Session { who, language, place, seen: self.seen(request.text), answers, last, stopped_at })
    }

    /// What is new in a text.
    fn new_answers<'a>(&self, session: &Session, text: &'a str) -> Result<Vec<&'a str>, RequestError> {
        let (length, _) = session.seen;
        let before = text.get(..length).ok_or(RequestError::OtherText)?;
        if self.seen(before) != session.seen {
            return Err(RequestError::OtherText);
        }
        let rest = &text[length..];
        if rest.is_empty() {
            return Ok(Vec::new());
        }
        let rest = if length == 0 { rest } else { rest.strip_prefix('*').ok_or(RequestError::OtherText)? };
        Ok(rest.split('*').collect())
    }

    fn seen(&self, text: &str) -> (usize, u64) {
        (text.len(), self.hasher.hash_one(text))
    }

    async fn take(&self, session: &mut Session, id: &str, answer: &str) {
        if matches!(session.place, Place::End(_)) {
            return;
        }
        session.answers += 1;
        let mut visit = Visit {
            who: &session.who,
            loans: &*self.loans,
            language: &mut session.language,
            stopped_at: &mut session.stopped_at,
            key: format!("{id}:{}", session.answers),
        };
        let place = session.place.clone();
        let next = machine::next(&mut visit, place, answer.trim()).await;
        let (place, remark) = match next {
            Ok(next) => next,
            Err(Unavailable) => {
                // They may go on from here.
                session.stopped_at = Some(session.place.clone()).filter(Place::is_worth_resuming);
                (Place::End(Ending::Unavailable), None)
            }
        };
        session.last = screen(&self.catalogue, session.language, &self.phone, &place, remark);
        session.place = place;
    }

    /// Keeps where somebody is, in case the line breaks.
    fn remember(&self, session: &Session, now_ms: i64) {
        let place = match &session.place {
            place if place.is_worth_resuming() => Some(place.clone()),
            Place::Pin | Place::Resume(_) | Place::End(Ending::Unavailable) => match &session.place {
                Place::Resume(place) => Some((**place).clone()),
                _ => session.stopped_at.clone(),
            },
            _ => None,
        };
        let mut sessions = self.sessions.lock();
        match place {
            Some(place) => {
                if sessions.stopped.len() >= MAX_STOPPED {
                    sessions.stopped.retain(|_, (at_ms, _)| now_ms - *at_ms <= STOPPED_MS);
                }
                if sessions.stopped.len() < MAX_STOPPED {
                    sessions.stopped.insert(session.who.clone(), (now_ms, place));
                }
            }
            None => {
                sessions.stopped.remove(&session.who);
            }
        }
    }

    fn unavailable(&self, language: Language) -> Screen {
        screen(&self.catalogue, language, &self.phone, &Place::End(Ending::Unavailable), None)
    }
}
