//! The time: the system's, or one that a test sets.

use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};

/// Where the time comes from.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The system.
    #[default]
    System,
    /// Somebody who moves it by hand.
    Manual(Arc<Mutex<Timestamp>>),
}

impl Clock {
    /// A clock that stands at a moment until it is moved.
    #[must_use]
    pub fn manual(at: Timestamp) -> Self {
        Self::Manual(Arc::new(Mutex::new(at)))
    }

    /// The time, in whole milliseconds, as it is stored.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let now = match self {
            Self::System => Timestamp::now(),
            Self::Manual(at) => *at.lock().unwrap_or_else(std::sync::PoisonError::into_inner),
        };
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }

    /// The same time, for the rails.
    #[must_use]
    pub fn of_rails(&self) -> braid_microloans_rails::Clock {
        let clock = self.clone();
        braid_microloans_rails::Clock(Arc::new(move || clock.now()))
    }

    /// Sets a clock that is moved by hand; never back.
    pub fn set(&self, to: Timestamp) {
        if let Self::Manual(at) = self {
            let mut at = at.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            *at = to.max(*at);
        }
    }

    /// Moves a clock that is moved by hand. The system's goes on by itself.
    pub fn advance(&self, by: SignedDuration) {
        if let Self::Manual(at) = self {
            let mut at = at.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            *at = at.saturating_add(by).unwrap_or(*at);
        }
    }
}
