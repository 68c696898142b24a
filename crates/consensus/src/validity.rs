//! What a header must say, given its parent's: everything about a block that can be decided without executing anything.
//!
//! Simplex and marshal have checked before that the parent is the one voted on, that heights follow each other, and that the
//! leader is the one whose turn it is.

use std::sync::Arc;

use braid_types::BlockRef;
use commonware_consensus::Epochable as _;

use crate::{
    block::{Digest, Dissemination, Header},
    committee::{Change, Committee, Tally},
    rules::Rules,
};

/// Why a header is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// The time stamp is not later than the parent's.
    #[error("time stamp {found} ms is not later than the parent's, {parent} ms")]
    Timestamp {
        /// In the header.
        found: u64,
        /// In the parent.
        parent: u64,
    },
    /// The leader is not of the committee.
    #[error("leader is not a member of the committee")]
    Leader,
    /// The fees go elsewhere than the leader's entry in the committee says.
    #[error("beneficiary is not the leader's fee recipient")]
    Beneficiary,
    /// It commits to the execution of another height.
    #[error("commits to the execution of height {found} instead of {expected}")]
    ExecutionHeight {
        /// In the header.
        found: u64,
        /// By the rules.
        expected: u64,
    },
    /// The vote is for what is so already.
    #[error("votes for a change that cannot be made")]
    Vote,
    /// The count does not follow from the parent's and the vote.
    #[error("count of votes does not follow from the parent's")]
    Tally,
    /// The next committee is missing, not the elected one, or not due.
    #[error("next committee is not the elected one")]
    Next,
    /// It carries something of a ceremony that it must not, or not what it must.
    #[error("carries another part of a resharing than it must")]
    Reshare,
}

/// The fields that follow from the parent, the leader's vote and the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Election {
    pub(crate) tally: Tally,
    pub(crate) next: Option<Committee>,
}

impl Election {
    /// Counts `vote` in the child of `parent`; changes are to the committee that was `elected` last.
    pub(crate) fn after<K: Dissemination>(
        parent: &Header<K>,
        vote: Option<&Change>,
        rules: &Rules,
        elected: &Committee,
    ) -> Self {
        let begins = rules.is_last(parent.height);
        let before = if begins { Tally::default() } else { parent.tally.clone() };
        let tally = before.with(vote);
        let ends = rules.is_last(parent.height + 1);
        let next = ends.then(|| tally.elect(elected, rules.epoch_length.get()));
        Self { tally, next }
    }
}

/// Whether the leader may ask for `change` now.
pub(crate) fn may_vote(change: &Change, elected: &Committee) -> bool {
    !change.is_made(elected)
}

/// Who counts in an epoch.
#[derive(Clone, Debug)]
pub struct Members {
    /// Who votes.
    pub committee: Arc<Committee>,
    /// Whom the votes of the epoch before elected, which those of this epoch change.
    pub elected: Arc<Committee>,
}

/// Checks `header` against its parent's, with the members of its epoch.
///
/// # Errors
/// [`HeaderError`].
pub fn check_header<K: Dissemination>(
    header: &Header<K>,
    parent: &Header<K>,
    rules: &Rules,
    Members { committee, elected }: &Members,
) -> Result<(), HeaderError> {
    if header.timestamp_ms <= parent.timestamp_ms {
        return Err(HeaderError::Timestamp { found: header.timestamp_ms, parent: parent.timestamp_ms });
    }
    let leader = committee.get(&header.context.leader).ok_or(HeaderError::Leader)?;
    if header.beneficiary != leader.fee_recipient {
        return Err(HeaderError::Beneficiary);
    }
    let expected = header.height.saturating_sub(rules.execution_lag);
    if header.execution.height != expected {
        return Err(HeaderError::ExecutionHeight { found: header.execution.height, expected });
    }
    if header.vote.as_ref().is_some_and(|vote| !may_vote(vote, elected)) {
        return Err(HeaderError::Vote);
    }
    let election = Election::after(parent, header.vote.as_ref(), rules, elected);
    if header.tally != election.tally {
        return Err(HeaderError::Tally);
    }
    if header.next != election.next {
        return Err(HeaderError::Next);
    }
    Ok(())
}

/// A header on `parent` that passes [`check_header`].
#[expect(clippy::too_many_arguments, reason = "they are the header's independent fields")]
pub(crate) fn build_header<K: Dissemination>(
    context: commonware_consensus::simplex::types::Context<K::Commitment, commonware_cryptography::ed25519::PublicKey>,
    (parent, parent_digest): (&Header<K>, Digest),
    timestamp_ms: u64,
    execution: BlockRef,
    body: Digest,
    vote: Option<Change>,
    rules: &Rules,
    Members { committee, elected }: &Members,
) -> Option<Header<K>> {
    debug_assert_eq!(context.epoch(), rules.epoch_of(parent.height + 1), "contexts are of the block's epoch");
    let beneficiary = committee.get(&context.leader)?.fee_recipient;
    let vote = vote.filter(|change| may_vote(change, elected));
    let Election { tally, next } = Election::after(parent, vote.as_ref(), rules, elected);
    Some(Header {
        context,
        parent: parent_digest,
        height: parent.height + 1,
        timestamp_ms: timestamp_ms.max(parent.timestamp_ms + 1),
        beneficiary,
        execution,
        body,
        vote,
        tally,
        next,
    })
}

#[cfg(test)]
mod tests;
