//! What the service refuses for its size, and how much it does at a time.

/// Bytes of a request: an application has a few hundred.
pub const MAX_REQUEST_BYTES: usize = 64 * 1024;

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
