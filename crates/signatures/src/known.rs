//! Keys of accounts that have signed before, and what they are good for: recovering a sender whom somebody names.
//!
//! A transaction does not name its sender, but whoever passes it on can. If the key of the account named is known here, checking that it
//! has signed is cheaper than recovering the key; if it turns out that it has not, the key is recovered. So a false name
//! costs time and changes no answer.
//!
//! Two generations are kept: the newer one is filled until it holds half of what may be kept, then it becomes the older one, and
//! what that held is forgotten. A key that is asked for moves to the newer one.

use std::{collections::HashMap, fmt};

use alloy_consensus::crypto::SECP256K1N_HALF;
use alloy_primitives::Address;
use braid_types::{Transaction, limits::MAX_KNOWN_KEYS};
use parking_lot::Mutex;
use rand::{SeedableRng as _, rngs::StdRng};

use crate::{
    recover::{PublicKey, RecoveryError, Signed, recover_hinted},
    senders::{AllowedS, signed},
};

/// Public keys by account. Shared by reference; locks for moments.
#[derive(Default)]
pub struct KnownKeys(Mutex<Generations>);

#[derive(Default)]
struct Generations {
    newer: HashMap<Address, PublicKey>,
    older: HashMap<Address, PublicKey>,
}

impl Generations {
    fn get(&mut self, account: &Address) -> Option<PublicKey> {
        if let Some(key) = self.newer.get(account) {
            return Some(*key);
        }
        let key = *self.older.get(account)?;
        self.insert(*account, key);
        Some(key)
    }

    fn insert(&mut self, account: Address, key: PublicKey) {
        if self.newer.len() >= MAX_KNOWN_KEYS / 2 {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.insert(account, key);
    }
}

impl fmt::Debug for KnownKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KnownKeys").field("accounts", &self.len()).finish()
    }
}

impl KnownKeys {
    /// Keys kept, some perhaps twice.
    pub fn len(&self) -> usize {
        let generations = self.0.lock();
        generations.newer.len() + generations.older.len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn find(&self, accounts: impl Iterator<Item = Option<Address>>) -> Vec<Option<PublicKey>> {
        let mut generations = self.0.lock();
        accounts.map(|account| generations.get(&account?)).collect()
    }

    fn learn(&self, keys: Vec<(Address, PublicKey)>) {
        let mut generations = self.0.lock();
        for (account, key) in keys {
            generations.insert(account, key);
        }
    }
}

/// Recovers the senders of transactions, in their order, on the calling thread, and remembers their keys. Beside each stands the
/// account that somebody says has signed it.
///
/// The answers are those of [`recover_senders`](crate::recover_senders), whatever was said. Who has threads gives each of them a share of
/// [`claimed_batch_size`](crate::claimed_batch_size).
pub fn recover_claimed(
    transactions: &[(&Transaction, Option<Address>)],
    allowed: AllowedS,
    known: &KnownKeys,
) -> Vec<Result<Address, RecoveryError>> {
    let hints = known.find(transactions.iter().map(|(_, claimed)| *claimed));
    let references: Vec<&Transaction> = transactions.iter().map(|(transaction, _)| *transaction).collect();
    let hinted: Vec<(Signed, Option<PublicKey>)> = signed(&references).into_iter().zip(hints).collect();
    let keys = recover_hinted(&hinted, &mut StdRng::from_os_rng());
    let mut learned = Vec::new();
    let mut sender = |(((_, claimed), (signed, hint)), key): ((&(_, Option<Address>), &(Signed, _)), _)| {
        let key: PublicKey = key?;
        let account = match claimed {
            // Keys are kept by their accounts.
            Some(account) if *hint == Some(key) => *account,
            _ => {
                let account = key.address();
                learned.push((account, key));
                account
            }
        };
        if allowed == AllowedS::Low && signed.s > SECP256K1N_HALF { Err(RecoveryError::HighS) } else { Ok(account) }
    };
    let senders = transactions.iter().zip(&hinted).zip(keys).map(&mut sender).collect();
    if !learned.is_empty() {
        known.learn(learned);
    }
    senders
}

#[cfg(test)]
mod tests {
    use alloy_primitives::keccak256;

    use super::*;
    use crate::{recover_senders, senders::tests::payment};

    /// Enough for the common check to take place.
    const MANY: u64 = 200;

    #[test]
    fn claims_change_no_answer() {
        let transactions: Vec<Transaction> = (0..MANY).map(|nonce| payment(nonce, |signature| signature)).collect();
        let references: Vec<&Transaction> = transactions.iter().collect();
        let expected = recover_senders(&references, AllowedS::Low);
        let account = |at: usize| *expected[at].as_ref().unwrap();
        let stranger = Address::repeat_byte(7);
        type Claims<'a> = &'a dyn Fn(usize) -> Option<Address>;
        let claims: [Claims<'_>; 5] = [
            &|_| None,
            &|at| Some(account(at)),
            &|at| Some(account((at + 1) % expected.len())),
            &|at| Some(if at % 50 == 3 { account(at + 1) } else { account(at) }),
            &|at| (at % 3 > 0).then_some(if at % 3 == 1 { account(at) } else { stranger }),
        ];
        let known = KnownKeys::default();
        for (round, claim) in claims.into_iter().enumerate() {
            let claimed: Vec<_> = references.iter().enumerate().map(|(at, one)| (*one, claim(at))).collect();
            assert_eq!(recover_claimed(&claimed, AllowedS::Low, &known), expected, "round {round}");
        }
        let accounts: std::collections::BTreeSet<_> = expected.iter().flatten().collect();
        assert_eq!(known.len(), accounts.len());
    }

    #[test]
    fn a_true_claim_makes_no_signature_valid() {
        let known = KnownKeys::default();
        let honest: Vec<Transaction> = (0..MANY).map(|nonce| payment(nonce, |signature| signature)).collect();
        let account = recover_claimed(&[(&honest[0], None)], AllowedS::Low, &known)[0].unwrap();
        // The same account's signatures, of other transactions.
        let moved: Vec<Transaction> =
            (0..MANY).map(|nonce| payment(nonce + 7, |_| *payment(nonce, |signature| signature).signature())).collect();
        let claimed: Vec<_> = moved.iter().map(|transaction| (transaction, Some(account))).collect();
        let expected = recover_senders(&moved.iter().collect::<Vec<_>>(), AllowedS::Low);
        let found = recover_claimed(&claimed, AllowedS::Low, &known);
        assert_eq!(found, expected);
        assert!(found.iter().all(|sender| *sender != Ok(account)));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let known = KnownKeys::default();
        let account = |number: usize| Address::from_slice(&keccak256(number.to_be_bytes())[..20]);
        let key = |number: usize| PublicKey([u8::try_from(number % 256).unwrap(); 64]);
        known.learn(vec![(account(0), key(0))]);
        for number in 1..2 * MAX_KNOWN_KEYS {
            known.learn(vec![(account(number), key(number))]);
            if number % 1_000 == 0 {
                assert_eq!(known.find([Some(account(0))].into_iter()), [Some(key(0))], "used again and again");
            }
        }
        assert!((MAX_KNOWN_KEYS / 2..=MAX_KNOWN_KEYS).contains(&known.len()));
        let asked = [None, Some(account(1)), Some(account(2 * MAX_KNOWN_KEYS - 1))];
        assert_eq!(known.find(asked.into_iter()), [None, None, Some(key(2 * MAX_KNOWN_KEYS - 1))]);
    }
}
