//! What is refused for its size, and how long things wait.

/// Characters of a text that a person writes: a reason, a purpose, a reference.
pub const MAX_TEXT_CHARS: usize = 200;

/// Characters of an idempotency key.
pub const MAX_KEY_CHARS: usize = 100;

/// Rows of one answer.
pub const MAX_ROWS: i64 = 500;

/// Connections to the database. One writes at a time; the others read.
pub const MAX_CONNECTIONS: u32 = 8;

/// How long a writer waits for the one before it, and a reader for a connection.
pub const LOCK_WAIT_SECONDS: u64 = 30;

/// Loans of one person that may be open at a time: one loan, as no top-up is granted while another is repaid.
pub const MAX_OPEN_LOANS: usize = 1;

/// Payments of one loan that are replayed; the arithmetic's own limit.
pub const MAX_PAYMENTS: usize = braid_microloans_arithmetic::limits::MAX_PAYMENTS;

/// Attempts to draw a loan code that nobody has: with a billion loans one in twenty-seven draws is taken.
pub const CODE_DRAWS: u32 = 16;

/// Inquiries about a payout or collection before a person is asked.
pub const MAX_INQUIRIES: i64 = 60;

/// Legs that are compared with one day's statement.
pub const MAX_COMPARED: i64 = 200_000;

/// For how long a leg that failed is compared with statements, in milliseconds: a week, in case it happened after all.
pub const FAILED_LEGS_KEPT_MS: i64 = 7 * 24 * 3_600 * 1_000;
