//! Pages of staff: what waits, a loan, what two people decide, who is late, money without a loan.
//!
//! Loans stand here by code, without a person. A person's record is opened by an officer, for one loan and a reason, which the log keeps.

pub(crate) mod approvals;
pub(crate) mod collections;
pub(crate) mod loan;
pub(crate) mod money;
pub(crate) mod queue;
pub(crate) mod sign_in;

use braid_microloans_service::auth::Role;

/// All who work on loans; the auditor looks on elsewhere.
const STAFF: [Role; 4] = [Role::Officer, Role::Approver, Role::Treasurer, Role::Operator];
