//! What this crate refuses to calculate. Within these bounds no product below leaves `i128`; each says why it is enough.

/// Minor units of one amount: ten trillion of a currency with two decimals, far above any loan, and fifty bits.
pub const MAX_MINOR: i128 = 1_000_000_000_000_000;

/// Instalments of one loan: ten years of weekly repayment and some.
pub const MAX_INSTALMENTS: u32 = 600;

/// Disbursements of one loan.
pub const MAX_DISBURSEMENTS: usize = 100;

/// Payments replayed into one loan.
pub const MAX_PAYMENTS: usize = 1_000;

/// Kinds of fee of one product.
pub const MAX_FEES: usize = 16;

/// Annual rate in percent; one per cent a day is 365.
pub const MAX_RATE_PERCENT: i128 = 10_000;

/// First year of a date.
pub const MIN_YEAR: i32 = 1900;

/// Last year of a date that is given; schedules reach at most this far too.
pub const MAX_YEAR: i32 = 2200;

/// Days between two instalments.
pub const MAX_INTERVAL_DAYS: u32 = 366;

/// Months between two instalments.
pub const MAX_INTERVAL_MONTHS: u32 = 12;

/// Single cash flows of one annual percentage rate, series counted in full.
pub const MAX_FLOWS: u64 = 10_000;

/// Unit periods from the start to the last cash flow; a century of days.
pub const MAX_UNIT_PERIODS: u32 = 36_600;

/// Highest annual percentage rate that is looked for: a tenfold return in a day is some 330,000 %.
pub const MAX_APR_PERCENT: u32 = 1_000_000;
