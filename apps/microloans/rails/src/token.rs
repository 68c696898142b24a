//! Access tokens: fetched when needed, kept until shortly before they end, dropped when the provider does not know them any more.

use std::{fmt, future::Future, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use tokio::sync::Mutex;

use crate::port::Doubt;

/// How long before its end a token is used no more, so that it does not end on the way.
const MARGIN: SignedDuration = SignedDuration::from_secs(60);

/// The longest that a token is kept, whatever the provider says of it.
const LONGEST: SignedDuration = SignedDuration::from_hours(24);

/// Where the time comes from.
#[derive(Clone)]
pub struct Clock(pub Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// A token as a provider gives it.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) secret: SecretString,
    /// For how long it is good, by the provider.
    pub(crate) lasts: SignedDuration,
}

#[derive(Debug, Default)]
struct Held {
    token: Option<(SecretString, Timestamp)>,
    /// Counts the tokens there were, so that a token is only dropped by who used it.
    generation: u64,
}

/// The one token that an adapter holds of a product.
#[derive(Debug, Default)]
pub(crate) struct TokenCache {
    held: Mutex<Held>,
}

impl TokenCache {
    /// A token that is good at `now`, and its generation.
    pub(crate) async fn get<F>(&self, now: Timestamp, fetch: impl FnOnce() -> F) -> Result<(SecretString, u64), Doubt>
    where
        F: Future<Output = Result<Token, Doubt>>,
    {
        let mut held = self.held.lock().await;
        if let Some((token, until)) = &held.token
            && now < *until
        {
            return Ok((token.clone(), held.generation));
        }
        let token = fetch().await?;
        let lasts = token.lasts.clamp(SignedDuration::ZERO, LONGEST) - MARGIN;
        held.token = Some((token.secret.clone(), now.checked_add(lasts).unwrap_or(now)));
        held.generation += 1;
        Ok((token.secret, held.generation))
    }

    /// Drops the token of that generation, which the provider has refused.
    pub(crate) async fn drop_generation(&self, generation: u64) {
        let mut held = self.held.lock().await;
        if held.generation == generation {
            held.token = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn token(secret: &str) -> Result<Token, Doubt> {
        Ok(Token { secret: secret.to_owned().into(), lasts: SignedDuration::from_secs(3599) })
    }

    #[tokio::test]
    async fn a_token_is_kept_until_a_minute_before_its_end() {
        let cache = TokenCache::default();
        let start = Timestamp::UNIX_EPOCH;
        let after = |seconds| start + SignedDuration::from_secs(seconds);
        assert_eq!(cache.get(start, async || token("a")).await.unwrap().0.expose_secret(), "a");
        assert_eq!(cache.get(after(3538), async || token("b")).await.unwrap().0.expose_secret(), "a");
        assert_eq!(cache.get(after(3539), async || token("b")).await.unwrap().0.expose_secret(), "b");
    }

    #[tokio::test]
    async fn a_refused_token_is_dropped_once() {
        let cache = TokenCache::default();
        let start = Timestamp::UNIX_EPOCH;
        let (_, first) = cache.get(start, async || token("a")).await.unwrap();
        cache.drop_generation(first).await;
        let (second_token, second) = cache.get(start, async || token("b")).await.unwrap();
        cache.drop_generation(first).await;
        assert_eq!(cache.get(start, async || token("c")).await.unwrap().1, second);
        assert_eq!(second_token.expose_secret(), "b");
        assert!(cache.get(after_long(start), async || Err(Doubt::NoToken)).await.is_err());
    }

    fn after_long(start: Timestamp) -> Timestamp {
        start + SignedDuration::from_hours(2)
    }
}
