//! What blocks must carry of a ceremony, by their place in the epoch: nothing at first, a dealer's log or nothing from the middle
//! on, the outcome at the end. A log that is worth nothing is no fault: whoever counts leaves it out, as everybody does.

use commonware_consensus::{
    marshal::ancestry::Ancestry,
    types::{EpochPhase, Epocher as _, Height},
};
use commonware_cryptography::{bls12381::primitives::variant::MinSig, ed25519::PrivateKey};
use commonware_glue::dkg::reshare::{EpochInfoResponse, LogReservation};

use super::{Mailbox, Payload};
use crate::{
    block::{Block, Dissemination},
    rules::Rules,
};

/// What a block to be proposed should carry. Dropped, a log is offered again to the next.
pub(crate) struct Offer<K: Dissemination> {
    pub(crate) payload: Option<Payload>,
    reservation: Option<LogReservation<Block<K>, MinSig, PrivateKey>>,
}

impl<K: Dissemination> Offer<K> {
    const NOTHING: Self = Self { payload: None, reservation: None };

    /// The block was made with it.
    pub(crate) fn take(self) {
        if let Some(reservation) = self.reservation {
            reservation.included();
        }
    }
}

/// Whether a block carries what it must.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Right,
    Wrong,
    /// Not known here: this node has not seen the whole epoch.
    Unknown,
}

/// The ceremony's side of proposing and verifying. Without a threshold scheme there is no ceremony, and blocks carry nothing.
pub(crate) struct Contract<K: Dissemination>(Option<Mailbox<K>>);

impl<K: Dissemination> Clone for Contract<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K: Dissemination> Contract<K> {
    pub(crate) const fn new(mailbox: Option<Mailbox<K>>) -> Self {
        Self(mailbox)
    }

    /// What the block at `height` on `ancestry` should carry; `None` if that is not known here.
    pub(crate) async fn offer(
        &self,
        rules: &Rules,
        height: u64,
        ancestry: impl Ancestry<Block<K>>,
    ) -> Option<Offer<K>> {
        let Some(mut mailbox) = self.0.clone() else { return Some(Offer::NOTHING) };
        if rules.is_last(height) {
            return match mailbox.epoch_info(ancestry).await {
                EpochInfoResponse::Available(payload) => Some(Offer { payload, reservation: None }),
                EpochInfoResponse::Unavailable => None,
            };
        }
        if !may_carry_log(rules, height) {
            return Some(Offer::NOTHING);
        }
        let mut reservation = mailbox.next_log(Height::new(height)).await;
        let payload = reservation.as_mut().and_then(LogReservation::take_payload);
        Some(Offer { payload, reservation })
    }

    /// Checks what the first block of `ancestry` carries.
    pub(crate) async fn check(&self, rules: &Rules, ancestry: impl Ancestry<Block<K>>) -> Verdict {
        let Some(block) = ancestry.peek() else { return Verdict::Unknown };
        let height = block.inner().header.height;
        let carried = block.inner().reshare.clone();
        let right = |is_right| if is_right { Verdict::Right } else { Verdict::Wrong };
        let Some(mut mailbox) = self.0.clone() else { return right(carried.is_none()) };
        if rules.is_last(height) {
            return match mailbox.epoch_info(ancestry).await {
                EpochInfoResponse::Available(expected) => right(carried == expected),
                EpochInfoResponse::Unavailable => Verdict::Unknown,
            };
        }
        right(match carried {
            None => true,
            Some(Payload::DealerLog(_)) => may_carry_log(rules, height),
            Some(Payload::EpochInfo(_)) => false,
        })
    }
}

/// Whether `height`, which is not the last of its epoch, stands in the second half.
fn may_carry_log(rules: &Rules, height: u64) -> bool {
    let place = rules.epocher().containing(Height::new(height));
    place.is_some_and(|place| place.phase() != EpochPhase::Early)
}
