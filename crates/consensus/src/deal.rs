//! A group key from one hand: for tests and networks on one machine.
//!
//! The dealer draws a polynomial of degree 2f over the field of BLS12-381's scalars, gives each validator its value at that
//! validator's index, and publishes the commitment to the coefficients. Whoever deals knows the group's key and can
//! sign in everybody's name. Where validators do not trust one party they make the key together instead (a distributed key
//! generation).

use alloy_primitives::{B256, Bytes};
use commonware_codec::Encode;
use commonware_cryptography::{
    bls12381::{
        dkg::feldman_desmedt::deal as deal_shares,
        primitives::{sharing::Mode, variant::MinSig},
    },
    transcript::{Transcript, Version},
};
use commonware_utils::{N3f1, ordered::Set};

use crate::keys::{self, KeyError};

/// A group key and its shares.
#[derive(Clone, Debug)]
pub struct Deal {
    /// The commitment to the polynomial, as the genesis holds it.
    pub polynomial: Bytes,
    /// Each validator's share, as [`keys::share`] reads it, by the validator's key; ordered by it.
    pub shares: Vec<(B256, Vec<u8>)>,
}

/// Failed to deal, or to use what was dealt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DealError {
    /// A validator's key is none.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A validator stands twice.
    #[error("a validator key stands twice")]
    Duplicate,
    /// There are no validators.
    #[error("there are no validators to deal to")]
    Nobody,
    /// A share is no point of the polynomial.
    #[error("the share does not belong to the group's polynomial")]
    OtherGroup,
}

/// Deals a group key to validators. All randomness comes from `seed`, which has to be secret.
///
/// # Errors
/// If `validators` are not distinct keys, at least one.
pub fn deal(validators: &[B256], seed: &[u8; 32]) -> Result<Deal, DealError> {
    let keys: Vec<_> = validators.iter().map(|&key| keys::from_bytes(key)).collect::<Result<_, _>>()?;
    let players = Set::from_iter_dedup(keys);
    if players.len() != validators.len() {
        return Err(DealError::Duplicate);
    }
    let rng = Transcript::new(b"braid trusted dealer", Version::V1).commit(seed.as_slice()).noise(b"polynomial");
    let (output, shares) =
        deal_shares::<MinSig, _, N3f1>(rng, Mode::NonZeroCounter, players).map_err(|_| DealError::Nobody)?;
    let shares = shares.iter_pairs().map(|(key, share)| (keys::to_bytes(key), keys::share_to_bytes(share)));
    Ok(Deal { polynomial: output.public().encode().into(), shares: shares.collect() })
}

/// Checks that a share belongs to a polynomial.
///
/// # Errors
/// If one of them is malformed, or the share is that of another group.
pub fn check(share: &[u8], polynomial: &[u8]) -> Result<(), DealError> {
    let share = keys::share(share)?;
    match keys::polynomial(polynomial)?.partial_public(share.index) {
        Ok(public) if public == share.public::<MinSig>() => Ok(()),
        _ => Err(DealError::OtherGroup),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn validators(count: u8) -> Vec<B256> {
        (1..=count).map(|byte| keys::public_key(&[byte; 32]).unwrap()).collect()
    }

    #[test]
    fn shares_belong_to_the_polynomial() {
        let deal = deal(&validators(4), &[7; 32]).unwrap();
        let other = super::deal(&validators(4), &[8; 32]).unwrap();
        for (index, (key, share)) in deal.shares.iter().enumerate() {
            assert!(validators(4).contains(key));
            assert_eq!(usize::from(keys::share(share).unwrap().index), index);
            assert_eq!(check(share, &deal.polynomial), Ok(()));
            assert_eq!(check(share, &other.polynomial), Err(DealError::OtherGroup));
        }
    }

    #[test]
    fn the_seed_decides() {
        let polynomial = |seed| deal(&validators(4), &[seed; 32]).unwrap().polynomial;
        assert_eq!(polynomial(1), polynomial(1));
        assert_ne!(polynomial(1), polynomial(2));
    }

    #[test]
    fn lists_that_are_no_committee_are_refused() {
        let one = validators(1)[0];
        assert_eq!(deal(&[one, one], &[0; 32]).unwrap_err(), DealError::Duplicate);
        assert_eq!(deal(&[], &[0; 32]).unwrap_err(), DealError::Nobody);
        // As in the tests of the keys: y = 2 lies on no point.
        let mut no_key = B256::ZERO;
        no_key[0] = 2;
        assert_eq!(deal(&[no_key], &[0; 32]).unwrap_err(), DealError::Key(KeyError::Public(no_key)));
    }
}
