//! Daraja's result codes, which come as strings or as numbers. What is not in this table is a doubt, not a failure.

use crate::{
    Failure, Reason,
    json::shortened,
    port::{Doubt, State},
};

/// The code of success.
pub(crate) const SUCCESS: &str = "0";

/// The code of a question about a payment that Daraja has never seen.
pub(crate) const NO_SUCH: &str = "R000002";

/// In what a code came, since two codes mean another thing there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum From {
    /// A prompt to the customer.
    Prompt,
    /// A request in the initiator's name: payout, reversal.
    Initiator,
}

/// Why a payment failed, by its code.
pub(crate) fn reason(code: &str, from: From) -> Option<Reason> {
    Some(match code {
        "1" => Reason::InsufficientFunds,
        // Below the least, above the most, above the day's limit, above what the receiver may hold.
        "2" | "3" | "4" | "8" => Reason::LimitExceeded,
        "17" => Reason::TooSoon,
        "1019" => Reason::Expired,
        // The prompt is longer than 182 characters.
        "1025" => Reason::Invalid,
        "1032" => Reason::Cancelled,
        "1037" => Reason::Unreachable,
        "2001" if from == From::Prompt => Reason::WrongPin,
        "2001" => Reason::NotAuthorised,
        // The credit party, or the operator, is not known.
        "2040" | "SFC_IC0003" => Reason::NotRegistered,
        "8006" => Reason::AccountBlocked,
        // Reversed already; no such transaction.
        "R000001" | "R000002" => Reason::NotReversible,
        _ => return None,
    })
}

/// What a code other than success says.
pub(crate) fn failure(code: &str, text: Option<&str>, from: From) -> State {
    match reason(code, from) {
        Some(reason) => {
            State::Failed(Failure { reason, code: code.to_owned(), text: shortened(text.unwrap_or_default()) })
        }
        None => State::Unknown(Doubt::Code(code.to_owned())),
    }
}
