//! What the service refuses for its size, and how much it does at a time.

use std::time::Duration;

/// Bytes of a request: an application has a few hundred.
pub const MAX_REQUEST_BYTES: usize = 64 * 1024;

/// Before a chain that does not answer is asked again.
pub const CHAIN_PAUSE: Duration = Duration::from_secs(2);

/// Seconds before a chain is told again what it has refused, or what waits for a delay there: somebody has to do something first.
pub const CHAIN_REFUSED_SECONDS: i64 = 30;

/// Seconds for which an offer stands on the chain beyond its end in the books, so that an acceptance in the last minute can be told there even if the chain
/// could not be reached for days.
pub const CHAIN_OFFER_SECONDS: i64 = 7 * 24 * 3_600;

/// How long until a message that was not taken is handed in again, in seconds.
pub const MESSAGE_PAUSE_SECONDS: i64 = 300;
/// How often a message is handed in; after that it is given up.
pub const MESSAGE_ATTEMPTS: i64 = 24;
/// Rows of the outbox that the worker takes up in one round.
pub const BATCH: i64 = 50;

/// Loans that are booked in one transaction at the end of a day, so that payments wait for a fraction of a second at most.
pub const LOANS_AT_A_TIME: i64 = 50;

/// Payouts of a loan that may fail before an officer has to order the next one.
pub const PAYOUT_ATTEMPTS: usize = 3;

/// Seconds before a payout that failed is repeated: more than the two minutes in which Daraja takes an equal one for a repetition.
pub const PAYOUT_PAUSE_SECONDS: i64 = 150;

/// Seconds around the time of a payment for which the statement is asked: an hour, as clocks differ.
pub const STATEMENT_WINDOW_SECONDS: i64 = 3_600;

/// Callers that a configuration may name.
pub const MAX_CALLERS: usize = 1_000;

/// Characters of a caller's token, at least: 32 characters of base 64 or 16 have more than a hundred bits.
pub const MIN_TOKEN_CHARS: usize = 32;

/// Days of statements that are compared in one round.
pub const DAYS_AT_A_TIME: usize = 31;

/// Seconds after the end of a day from which its statement is taken to be whole: exports are made within minutes.
pub const STATEMENT_AFTER_SECONDS: i64 = 3_600;

/// Seconds between two attempts to have statements that are due.
pub const STATEMENT_PAUSE_SECONDS: i64 = 600;

/// Seconds after which nothing can come of a prompt any more: it stays on a telephone for five minutes at most, and the provider's queue keeps it for some.
pub const COLLECTION_OVER_SECONDS: i64 = 3_600;

/// Seconds after which a payment that we believe to have happened stands on a statement: three days, as payouts may wait in a provider's queue.
pub const MISSING_AFTER_SECONDS: i64 = 3 * 24 * 3_600;

/// PINs and passwords that wait for being hashed: at some ten milliseconds each, the last one waits for a second at most, which a telephone bears.
pub const HASHES_WAITING: usize = 64;

/// Languages that were chosen by numbers that have not agreed to being registered, and are kept in memory.
pub const MAX_STRANGERS: usize = 10_000;

/// Between two attempts to tell a provider where deposits are told.
pub const REGISTRATION_PAUSE: Duration = Duration::from_secs(30);

/// How long requests that are being worked on may keep the service from stopping.
pub const GRACE: Duration = Duration::from_secs(5);
