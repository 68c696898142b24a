//! One member's side of the generation: what it has heard, and what it has to say.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{B256, Bytes};
use commonware_codec::Encode as _;
use commonware_cryptography::{
    Signer as _, Verifier as _,
    bls12381::{
        dkg::feldman_desmedt::{
            Dealer, DealerLog, DealerLogSummary, DealerPrivMsg, DealerPubMsg, Info, Logs, Output, Player, PlayerAck,
            Reveal, SignedDealerLog,
        },
        primitives::{sharing::Mode, variant::MinSig},
    },
    ed25519::{PrivateKey, PublicKey, Signature},
};
use commonware_parallel::Sequential;
use commonware_utils::{N3f1, ordered::Set};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::Message;
use crate::keys;

/// Namespace of the signatures under the outcome.
const CONFIRMATION: &[u8] = b"braid group confirmation";

/// What all members have to hold alike.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Who makes the key.
    pub members: Set<PublicKey>,
    /// Names the chain.
    pub namespace: Vec<u8>,
    /// Counts attempts: another one for every start.
    pub attempt: u64,
}

/// A group key, as one member has it.
#[derive(Clone, Debug)]
pub struct Generated {
    /// The commitment to the polynomial, as the genesis holds it.
    pub polynomial: Bytes,
    /// This member's share; see [`keys::share`].
    pub share: Zeroizing<Vec<u8>>,
}

/// Failed to make a group key. Nothing that was made may be used then.
#[derive(Clone, Debug, thiserror::Error)]
pub enum GenerateError {
    /// The own key is not one of the members', or there are too few.
    #[error("this identity cannot take part: {0}")]
    Terms(String),
    /// Somebody sent what is no message.
    #[error("{0} sent a malformed message: does it run another version?")]
    Malformed(Box<PublicKey>),
    /// Somebody's value does not fit its commitment, or its commitment is of another degree.
    #[error("{dealer} deals wrongly: {reason}")]
    Dealing {
        /// Who.
        dealer: Box<PublicKey>,
        /// What is wrong.
        reason: String,
    },
    /// Somebody dealt again, otherwise than before: it started anew, or deceives.
    #[error("{0} dealt twice: if it was started again, all have to start again with the next --attempt")]
    Twice(Box<PublicKey>),
    /// Somebody's acknowledgement is none of what it was sent.
    #[error("{0} acknowledged something else than it was sent: did it start with other terms?")]
    Ack(Box<PublicKey>),
    /// Somebody's log is not signed by it, or leaves members out.
    #[error("{0} sent a log that is not one of these members and this attempt")]
    Log(Box<PublicKey>),
    /// The logs of all make no key.
    #[error("the members' logs make no key: {0}")]
    Outcome(String),
    /// Somebody has another outcome.
    #[error("{0} has another polynomial: somebody sent different logs to different members")]
    Disagreement(Box<PublicKey>),
    /// The share could not be stored.
    #[error("failed to store the share: {0}")]
    Keep(String),
    /// The network ended.
    #[error("the network ended")]
    Network,
    /// Patience ended.
    #[error("no {what} from {}", list(.members))]
    Missing {
        /// What is missing.
        what: &'static str,
        /// From whom.
        members: Vec<PublicKey>,
    },
}

fn list(members: &[PublicKey]) -> String {
    members.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

type Commitment = DealerPubMsg<MinSig>;

/// One member's side.
pub struct Generation {
    key: PrivateKey,
    members: Set<PublicKey>,
    info: Info<MinSig, PublicKey>,
    /// Until all have acknowledged.
    dealer: Option<Dealer<MinSig, PrivateKey>>,
    commitment: Commitment,
    parts: BTreeMap<PublicKey, DealerPrivMsg>,
    acknowledged: BTreeSet<PublicKey>,
    /// Until the outcome is computed.
    player: Option<Player<MinSig, PrivateKey>>,
    dealt: BTreeMap<PublicKey, (Commitment, PlayerAck<PublicKey>)>,
    log: Option<SignedDealerLog<MinSig, PublicKey>>,
    logs: BTreeMap<PublicKey, DealerLog<MinSig, PublicKey>>,
    made: Option<(B256, Generated)>,
    confirmations: BTreeMap<PublicKey, Signature>,
}

impl std::fmt::Debug for Generation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Generation")
            .field("members", &self.members)
            .field("logs", &self.logs.len())
            .finish_non_exhaustive()
    }
}

impl Generation {
    /// Draws this member's polynomial.
    ///
    /// # Errors
    /// If `key` is not one of the members'.
    pub fn new(random: impl CryptoRng, terms: Terms, key: PrivateKey) -> Result<Self, GenerateError> {
        let Terms { members, namespace, attempt } = terms;
        let refuse = |error: commonware_cryptography::bls12381::dkg::feldman_desmedt::Error| {
            GenerateError::Terms(error.to_string())
        };
        let (mode, reveal) = (Mode::NonZeroCounter, Reveal::V1);
        let info = Info::new::<N3f1>(&namespace, attempt, None, mode, reveal, members.clone(), members.clone());
        let info = info.map_err(refuse)?;
        let (dealer, commitment, parts) =
            Dealer::start::<N3f1>(random, info.clone(), key.clone(), None).map_err(refuse)?;
        let player = Player::new(info.clone(), key.clone()).map_err(refuse)?;
        let own = key.public_key();
        let parts: BTreeMap<_, _> = parts.into_iter().collect();
        let part = parts.get(&own).cloned();
        let mut generation = Self {
            key,
            members,
            info,
            dealer: Some(dealer),
            commitment: commitment.clone(),
            parts,
            acknowledged: BTreeSet::new(),
            player: Some(player),
            dealt: BTreeMap::new(),
            log: None,
            logs: BTreeMap::new(),
            made: None,
            confirmations: BTreeMap::new(),
        };
        if let Some(part) = part {
            generation.on(&own, Message::Dealing(commitment, part))?;
        }
        if let Some((_, ack)) = generation.dealt.get(&own).cloned() {
            generation.on(&own, Message::Ack(ack))?;
        }
        Ok(generation)
    }

    /// What to tell whom, until it has answered.
    pub fn messages(&self) -> Vec<(PublicKey, Message)> {
        let own = self.key.public_key();
        let mut messages = Vec::new();
        for member in self.members.iter().filter(|member| **member != own) {
            let mut tell = |message| messages.push((member.clone(), message));
            if let Some(part) = self.parts.get(member).filter(|_| !self.acknowledged.contains(member)) {
                tell(Message::Dealing(self.commitment.clone(), part.clone()));
            }
            if let Some((_, ack)) = self.dealt.get(member).filter(|_| !self.logs.contains_key(member)) {
                tell(Message::Ack(ack.clone()));
            }
            if let Some(log) = self.log.as_ref().filter(|_| !self.confirmations.contains_key(member)) {
                tell(Message::Log(log.clone()));
            }
            if let Some(signature) = self.confirmations.get(&own) {
                tell(Message::Confirmation(signature.clone()));
            }
        }
        messages
    }

    /// Hears a member.
    ///
    /// # Errors
    /// If it is at fault: the attempt has failed then.
    pub fn on(&mut self, from: &PublicKey, message: Message) -> Result<(), GenerateError> {
        if self.members.position(from).is_none() {
            return Ok(());
        }
        match message {
            Message::Dealing(commitment, part) => self.on_dealing(from, commitment, part),
            Message::Ack(ack) => self.on_ack(from, ack),
            Message::Log(log) => self.on_log(from, log),
            Message::Confirmation(signature) => self.on_confirmation(from, signature),
        }
    }

    fn on_dealing(
        &mut self,
        from: &PublicKey,
        commitment: Commitment,
        part: DealerPrivMsg,
    ) -> Result<(), GenerateError> {
        if let Some((before, _)) = self.dealt.get(from) {
            return if *before == commitment { Ok(()) } else { Err(GenerateError::Twice(from.clone().into())) };
        }
        let Some(player) = &mut self.player else { return Ok(()) };
        let ack = player.dealer_message::<N3f1>(from.clone(), commitment.clone(), part);
        let ack =
            ack.map_err(|error| GenerateError::Dealing { dealer: from.clone().into(), reason: error.to_string() })?;
        if let Some(ack) = ack {
            self.dealt.insert(from.clone(), (commitment, ack));
        }
        Ok(())
    }

    fn on_ack(&mut self, from: &PublicKey, ack: PlayerAck<PublicKey>) -> Result<(), GenerateError> {
        let Some(dealer) = &mut self.dealer else { return Ok(()) };
        dealer.receive_player_ack(from.clone(), ack).map_err(|_| GenerateError::Ack(from.clone().into()))?;
        self.acknowledged.insert(from.clone());
        if self.acknowledged.len() == self.members.len()
            && let Some(dealer) = self.dealer.take()
        {
            let log = dealer.finalize::<N3f1>();
            self.log = Some(log.clone());
            let own = self.key.public_key();
            self.on_log(&own, log)?;
        }
        Ok(())
    }

    fn on_log(&mut self, from: &PublicKey, log: SignedDealerLog<MinSig, PublicKey>) -> Result<(), GenerateError> {
        let wrong = || GenerateError::Log(from.clone().into());
        let (dealer, log) = log.check(&self.info).ok_or_else(wrong)?;
        let is_whole = match log.summary() {
            DealerLogSummary::Ok { acks, reveals } => acks == self.members && reveals.is_empty(),
            DealerLogSummary::TooManyReveals => false,
        };
        if dealer != *from || !is_whole {
            return Err(wrong());
        }
        match self.logs.get(from) {
            Some(before) if *before != log => Err(GenerateError::Twice(from.clone().into())),
            Some(_) => Ok(()),
            None => {
                self.logs.insert(dealer, log);
                Ok(())
            }
        }
    }

    fn on_confirmation(&mut self, from: &PublicKey, signature: Signature) -> Result<(), GenerateError> {
        if let Some((outcome, _)) = &self.made {
            check(from, outcome, &signature)?;
        }
        self.confirmations.insert(from.clone(), signature);
        Ok(())
    }

    /// Whether all dealers have shown that all have their parts.
    pub fn has_all_logs(&self) -> bool {
        self.logs.len() == self.members.len()
    }

    /// Computes the polynomial and the share from the logs of all.
    ///
    /// # Errors
    /// If they make none, or somebody had another outcome.
    pub fn finish(&mut self, random: &mut impl CryptoRng) -> Result<&Generated, GenerateError> {
        if let Some(player) = self.player.take() {
            let mut logs = Logs::<_, _, N3f1>::new(self.info.clone());
            for (dealer, log) in &self.logs {
                logs.record(dealer.clone(), log.clone());
            }
            let outcome = player.finalize::<N3f1>(random, logs, &Sequential);
            let (output, share) = outcome.map_err(|error| GenerateError::Outcome(error.to_string()))?;
            let polynomial = output.public().encode().into();
            let share = Zeroizing::new(keys::share_to_bytes(&share));
            let digest = digest(&output);
            for (member, signature) in &self.confirmations {
                check(member, &digest, signature)?;
            }
            self.made = Some((digest, Generated { polynomial, share }));
        }
        let made = self.made.as_ref().map(|(_, made)| made);
        made.ok_or_else(|| GenerateError::Outcome("it was computed before".to_owned()))
    }

    /// Tells the others that the share is on disk.
    pub fn confirm(&mut self) {
        if let Some((outcome, _)) = &self.made {
            let signature = self.key.sign(CONFIRMATION, outcome.as_slice());
            self.confirmations.insert(self.key.public_key(), signature);
        }
    }

    /// Whether all have the same polynomial and their shares.
    pub fn is_done(&self) -> bool {
        self.made.is_some() && self.confirmations.len() == self.members.len()
    }

    /// What was made.
    pub fn into_made(self) -> Option<Generated> {
        self.made.map(|(_, made)| made)
    }

    /// Whom this member waits for, and with what.
    pub fn missing(&self) -> GenerateError {
        let without = |what, has: &dyn Fn(&PublicKey) -> bool| {
            let members: Vec<_> = self.members.iter().filter(|member| !has(member)).cloned().collect();
            (!members.is_empty()).then_some(GenerateError::Missing { what, members })
        };
        without("part", &|member| self.dealt.contains_key(member))
            .or_else(|| without("acknowledgement", &|member| self.acknowledged.contains(member)))
            .or_else(|| without("log", &|member| self.logs.contains_key(member)))
            .or_else(|| without("confirmation", &|member| self.confirmations.contains_key(member)))
            .unwrap_or(GenerateError::Network)
    }
}

fn digest(output: &Output<MinSig, PublicKey>) -> B256 {
    use commonware_cryptography::{Blake3, Hasher as _};
    B256::from_slice(&Blake3::hash(&[&output.encode()]))
}

fn check(member: &PublicKey, outcome: &B256, signature: &Signature) -> Result<(), GenerateError> {
    let agrees = member.verify(CONFIRMATION, outcome.as_slice(), signature);
    if agrees { Ok(()) } else { Err(GenerateError::Disagreement(member.clone().into())) }
}
