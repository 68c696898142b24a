//! The states of a loan and of a payment leg, and the steps between them.
//!
//! A [`Step`] exists only if the table has it, and only a step can be stored; the database has the same tables and refuses other
//! changes. Arrears are no state: they follow from the schedule and the day.

use std::fmt;

/// A step that is not in the table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a {machine} that is {from} cannot become {to}")]
pub struct IllegalStep {
    machine: &'static str,
    from: &'static str,
    to: &'static str,
}

/// Something with states, and a table of the steps between them.
pub trait Machine: Copy + Eq + fmt::Debug + Sized + 'static {
    /// What has these states.
    const NAME: &'static str;
    /// Every step there is.
    const STEPS: &'static [(Self, Self)];

    /// Its name in the database and in answers.
    fn name(self) -> &'static str;

    /// The state of this name.
    fn named(name: &str) -> Option<Self>;

    /// The step to another state.
    ///
    /// # Errors
    /// If the table does not have it.
    fn to(self, next: Self) -> Result<Step<Self>, IllegalStep> {
        if Self::STEPS.contains(&(self, next)) {
            Ok(Step { from: self, to: next })
        } else {
            Err(IllegalStep { machine: Self::NAME, from: self.name(), to: next.name() })
        }
    }
}

/// A step of the table; there is no other way to make one than [`Machine::to`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step<M> {
    from: M,
    to: M,
}

impl<M: Machine> Step<M> {
    /// Before it.
    #[must_use]
    pub const fn from(&self) -> M {
        self.from
    }

    /// After it.
    #[must_use]
    pub const fn into_state(self) -> M {
        self.to
    }
}

macro_rules! states {
    ($(#[$doc:meta])* $name:ident $what:literal { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
        }

        impl Machine for $name {
            const NAME: &'static str = $what;
            const STEPS: &'static [(Self, Self)] = Self::TABLE;

            fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            fn named(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$variant),)+ _ => None }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

states! {
    /// What has become of a loan.
    LoanState "loan" {
        /// Being written.
        Draft = "draft",
        /// Asked for.
        Submitted = "submitted",
        /// Somebody looks at it.
        UnderReview = "under_review",
        /// Refused, with a reason.
        Rejected = "rejected",
        /// Taken back by the borrower.
        Withdrawn = "withdrawn",
        /// The key facts have been shown.
        Offered = "offered",
        /// Not accepted in time.
        OfferExpired = "offer_expired",
        /// Refused by the borrower.
        Declined = "declined",
        /// The borrower has agreed to the key facts.
        Accepted = "accepted",
        /// Lenders' money is being set aside.
        Funding = "funding",
        /// It could not be.
        FundingFailed = "funding_failed",
        /// It is.
        Funded = "funded",
        /// The payout is under way.
        Disbursing = "disbursing",
        /// Nobody knows whether the payout has been made.
        DisbursementUnknown = "disbursement_unknown",
        /// The payout has not been made.
        DisbursementFailed = "disbursement_failed",
        /// The borrower has the money and repays it.
        Active = "active",
        /// Given back within the cooling-off days.
        CoolingOffCancelled = "cooling_off_cancelled",
        /// Active on other terms; the old ones are kept.
        Restructured = "restructured",
        /// Repaid, and more.
        Overpaid = "overpaid",
        /// What was too much is being given back.
        RefundPending = "refund_pending",
        /// Nothing is owed.
        Closed = "closed",
        /// Given up as lost.
        ChargedOff = "charged_off",
        /// Given up, and something came in afterwards.
        Recovered = "recovered",
        /// Given up for good.
        WrittenOffClosed = "written_off_closed",
        /// Paid by a donor or waived.
        Forgiven = "forgiven",
    }
}

impl LoanState {
    const TABLE: &'static [(Self, Self)] = {
        use LoanState::{
            Accepted, Active, ChargedOff, Closed, CoolingOffCancelled, Declined, DisbursementFailed,
            DisbursementUnknown, Disbursing, Draft, Forgiven, Funded, Funding, FundingFailed, OfferExpired, Offered,
            Overpaid, Recovered, RefundPending, Rejected, Restructured, Submitted, UnderReview, Withdrawn,
            WrittenOffClosed,
        };
        &[
            (Draft, Submitted),
            (Draft, Withdrawn),
            (Submitted, UnderReview),
            (Submitted, Withdrawn),
            (UnderReview, Rejected),
            (UnderReview, Withdrawn),
            (UnderReview, Offered),
            (Offered, OfferExpired),
            (Offered, Declined),
            (Offered, Accepted),
            (Accepted, Funding),
            (Funding, FundingFailed),
            (Funding, Funded),
            (Funded, Disbursing),
            (Disbursing, DisbursementUnknown),
            (DisbursementUnknown, Disbursing),
            (Disbursing, DisbursementFailed),
            (DisbursementFailed, Funded),
            (Disbursing, Active),
            (Active, CoolingOffCancelled),
            (Active, Closed),
            (Active, Overpaid),
            (Active, Restructured),
            (Active, ChargedOff),
            (Active, Forgiven),
            (Restructured, Closed),
            (Restructured, Overpaid),
            (Restructured, ChargedOff),
            (Restructured, Forgiven),
            (Overpaid, RefundPending),
            // A refund that failed is owed again.
            (RefundPending, Overpaid),
            (RefundPending, Closed),
            // Money that comes after everything was paid is owed to the borrower.
            (Closed, Overpaid),
            (ChargedOff, Recovered),
            (ChargedOff, WrittenOffClosed),
            (Recovered, WrittenOffClosed),
        ]
    };

    /// Whether money has been lent and not all of it is accounted for.
    #[must_use]
    pub const fn is_outstanding(self) -> bool {
        matches!(self, Self::Active | Self::Restructured | Self::ChargedOff | Self::Recovered)
    }

    /// Whether payments can be allocated to it.
    #[must_use]
    pub const fn takes_payments(self) -> bool {
        self.is_outstanding() || matches!(self, Self::Overpaid | Self::RefundPending | Self::Closed)
    }

    /// Whether nothing more is expected of anybody.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(
            self,
            Self::Rejected
                | Self::Withdrawn
                | Self::OfferExpired
                | Self::Declined
                | Self::FundingFailed
                | Self::CoolingOffCancelled
                | Self::Closed
                | Self::WrittenOffClosed
                | Self::Forgiven
        )
    }
}

states! {
    /// What has become of a movement of money that a provider was asked for.
    LegState "payment leg" {
        /// Written, not sent.
        Created = "created",
        /// About to be sent, or sent: from here on it may have happened.
        Sent = "sent",
        /// The provider has answered that it will do it.
        Acked = "acked",
        /// Done.
        Succeeded = "succeeded",
        /// Not done, and never will be.
        Failed = "failed",
        /// Nobody knows. It is not failed.
        Unknown = "unknown",
        /// Inquiries did not help: a person has to find out.
        Manual = "manual",
        /// Done, and asked back.
        ReversalPending = "reversal_pending",
        /// Done, and given back.
        Reversed = "reversed",
    }
}

impl LegState {
    const TABLE: &'static [(Self, Self)] = {
        use LegState::{Acked, Created, Failed, Manual, ReversalPending, Reversed, Sent, Succeeded, Unknown};
        &[
            (Created, Sent),
            // Called off before it was sent.
            (Created, Failed),
            (Sent, Acked),
            // A request without an answer.
            (Sent, Unknown),
            (Acked, Succeeded),
            (Acked, Failed),
            (Acked, Unknown),
            (Unknown, Succeeded),
            (Unknown, Failed),
            (Unknown, Manual),
            // The provider has never heard of it: once more, with the same key.
            (Unknown, Sent),
            (Manual, Succeeded),
            (Manual, Failed),
            (Succeeded, ReversalPending),
            (ReversalPending, Reversed),
            (ReversalPending, Succeeded),
        ]
    };

    /// Whether money may be on its way.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Created | Self::Sent | Self::Acked | Self::Unknown | Self::Manual | Self::ReversalPending)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn check<M: Machine + Ord>(all: &[M], first: M) {
        let mut reached = BTreeSet::from([first]);
        for _ in all {
            let next = M::STEPS.iter().filter(|(from, _)| reached.contains(from)).map(|(_, to)| *to);
            reached.extend(next.collect::<Vec<_>>());
        }
        for state in all {
            assert!(reached.contains(state), "{state:?} cannot be reached");
            assert_eq!(M::named(state.name()), Some(*state));
            assert!(state.to(*state).is_err(), "a step leads somewhere else");
        }
        assert_eq!(M::STEPS.len(), M::STEPS.iter().collect::<BTreeSet<_>>().len(), "every step stands there once");
    }

    #[test]
    fn every_state_is_reached_and_named_once() {
        check(LoanState::ALL, LoanState::Draft);
        check(LegState::ALL, LegState::Created);
    }

    #[test]
    fn money_is_not_lent_before_consent() {
        assert!(LoanState::Offered.to(LoanState::Funding).is_err());
        assert!(LoanState::Accepted.to(LoanState::Disbursing).is_err());
        let illegal = LoanState::Closed.to(LoanState::Active).unwrap_err();
        assert_eq!(illegal.to_string(), "a loan that is closed cannot become active");
    }

    #[test]
    fn unknown_is_not_failed() {
        assert!(LegState::Unknown.to(LegState::Created).is_err());
        assert!(LegState::Failed.to(LegState::Succeeded).is_err(), "a late success is a contradiction");
        assert!(LegState::Failed.to(LegState::Sent).is_err(), "another attempt is another leg");
    }

    #[test]
    fn states_that_are_over_lead_nowhere_but_to_a_refund() {
        for (from, to) in LoanState::STEPS.iter().filter(|(from, _)| from.is_over()) {
            assert_eq!((*from, *to), (LoanState::Closed, LoanState::Overpaid));
        }
    }
}
