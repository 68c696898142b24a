//! A group key from all hands: the validators of a chain to come make it together, before its genesis is written.
//!
//! Nobody deals, and nobody ever knows the key. Everyone is a dealer and a player of commonware's generation after Feldman and
//! Desmedt (the "joint Feldman" of Gennaro, Jarecki, Krawczyk and Rabin, "Secure Distributed Key Generation for Discrete-Log Based
//! Cryptosystems", 1999), over connections that are authenticated and encrypted:
//!
//! 1. Everyone draws a polynomial, and sends each other member its value at that member's index and a commitment to the whole.
//! 2. Who gets a value that fits the commitment signs that; the dealer gathers the signatures of all, and signs its log of them.
//! 3. With the logs of all, everyone computes the group's polynomial and its own share, and puts the share on disk.
//! 4. Only then it signs the polynomial. Who has the signatures of all is done: all have the same polynomial, and their shares.
//!
//! *All* take part, unlike in [resharing](crate::reshare), where a third may fail: there is no chain yet to agree on who failed. So
//! no value is ever told in public, and whoever deals twice, denies, or is missing ends the attempt with its name instead of
//! weakening the key. The members then start another attempt, with or without it. What joint Feldman leaves open: who speaks
//! last can choose among a few keys; the key stays as hard to find.
//!
//! [`Generation`] is the state machine, without clock and network; [`run`] connects it, and [`generate`] is that on tokio and TCP.

mod message;
mod process;
mod state;

use std::time::Duration;

use commonware_codec::{Decode as _, Encode as _};
use commonware_cryptography::ed25519::PublicKey;
use commonware_macros::select;
use commonware_p2p::{Receiver, Recipients, Sender};
use commonware_runtime::Clock;
use rand_core::CryptoRng;

pub use self::{
    message::Message,
    process::{GenerateOptions, generate},
    state::{GenerateError, Generated, Generation, Terms},
};
use crate::reshare::MAX_MEMBERS;

/// Between two repetitions of what a member has not answered.
const REPEAT_INTERVAL: Duration = Duration::from_millis(500);

/// How long a member that is done goes on telling the others, who may not have heard all yet.
const LINGER: Duration = Duration::from_secs(10);

/// Takes part until all are done. `keep` puts the share on disk before anyone is told that it is there.
///
/// # Errors
/// [`GenerateError`]: who is at fault, or is missing after `patience`.
pub async fn run<E, S, R>(
    mut context: E,
    mut generation: Generation,
    (mut sender, mut receiver): (S, R),
    patience: Duration,
    keep: impl FnOnce(&Generated) -> Result<(), String>,
) -> Result<Generated, GenerateError>
where
    E: Clock + CryptoRng,
    S: Sender<PublicKey = PublicKey>,
    R: Receiver<PublicKey = PublicKey>,
{
    let deadline = context.current() + patience;
    let (mut keep, mut done) = (Some(keep), None);
    let mut repeat = context.current();
    loop {
        if generation.has_all_logs()
            && let Some(keep) = keep.take()
        {
            keep(generation.finish(&mut context)?).map_err(GenerateError::Keep)?;
            generation.confirm();
        }
        let now = context.current();
        if generation.is_done() {
            let until = *done.get_or_insert(now + LINGER);
            if until <= now {
                return generation.into_made().ok_or(GenerateError::Network);
            }
        } else if deadline <= now {
            return Err(generation.missing());
        }
        if repeat <= now {
            for (to, message) in generation.messages() {
                sender.send(Recipients::One(to), message.encode(), false);
            }
            repeat = now + REPEAT_INTERVAL;
        }
        let heard = select! {
            heard = receiver.recv() => Some(heard),
            _ = context.sleep_until(repeat) => None,
        };
        let Some(heard) = heard else { continue };
        let (from, bytes) = heard.map_err(|_| GenerateError::Network)?;
        let message =
            Message::decode_cfg(bytes, &MAX_MEMBERS).map_err(|_| GenerateError::Malformed(from.clone().into()))?;
        generation.on(&from, message)?;
    }
}

#[cfg(test)]
mod tests;
