//! Handing the group's key on to the next committee, under the threshold scheme.
//!
//! In every epoch the committee (the *dealers*) splits its shares among the validators that were elected (the *players*), so that
//! the group's key stays and nobody ever knows it. The ceremony is commonware-glue's, after Feldman and Desmedt ("Redistributing
//! secret shares to new access structures and its applications", 1997); here it is given its place in the chain:
//!
//! - In the first half of an epoch, dealers send each player its part over a channel of its own, and players acknowledge with a
//!   signature what fits the dealer's public commitment.
//! - From the middle on, a dealer that proposes a block puts its signed log into it: the commitment, the acknowledgements, and the
//!   parts of those (at most f) who did not acknowledge, in the clear.
//! - The last block carries the outcome ([`EpochInfo`]): the polynomial and members of the next epoch, who gets shares in it and who
//!   in the one after, and where all of them are. Everyone computes it from the logs below that block and refuses another one.
//!   If the logs of fewer than a quorum of dealers stand there, members and shares stay as they are for another epoch.
//!
//! Whom the votes elect in one epoch is announced by the last block of the next, gets shares in the one after that, and then
//! votes: three epochs after the vote's (`docs/protocol.md` has the table).
//!
//! [`Payload`] is what blocks carry of it, [`roster`] who is where, `contract` what blocks must carry, `committee` what the ceremony
//! asks of the chain and tells it, and `secrets` where a node keeps what only it may know.

mod committee;
mod contract;
pub mod roster;
mod secrets;

use std::num::NonZeroU32;

use commonware_codec::{Copying, Decode as _, Encode as _, Write as _};
use commonware_consensus::{
    marshal::core::{Mailbox as MarshalMailbox, Variant},
    types::Epoch,
};
use commonware_cryptography::{
    Blake3, Hasher as _,
    bls12381::{
        dkg::feldman_desmedt::{Output, Reveal},
        primitives::{
            sharing::{Mode, ModeVersion},
            variant::MinSig,
        },
    },
    ed25519::{PrivateKey, PublicKey},
};
use commonware_glue::dkg::{
    ReshareBlock,
    fence::Fence,
    reshare::{self, Actor},
    state_sync::Plan,
    types,
};
use commonware_p2p::{Blocker, Receiver, Sender};
use commonware_parallel::Strategy;
use commonware_runtime::{Handle, buffer::paged::CacheRef};
use commonware_utils::NZU32;

use self::{committee::Members, roster::Roster, secrets::Secrets};
pub(crate) use self::{
    committee::{Tracked, committee_of},
    contract::{Contract, Verdict},
};
use crate::{
    block::{Block, Dissemination},
    committee::{Committee, MAX_VALIDATORS},
    committees::Committees,
    engine::Runtime,
    epochs::{JOURNAL_BUFFER, MAILBOX_SIZE},
    peers::Peers,
    rules::Rules,
    scheme::{GroupPolynomial, GroupShare, Scheme},
    stop::Stopper,
};

/// What an ordered block carries of a ceremony: a dealer's log, or the outcome.
pub type Payload = types::Payload<MinSig, PublicKey, Roster>;

/// An epoch of the group: its polynomial, members, and who gets shares in it.
pub type EpochInfo = types::EpochInfo<MinSig, PublicKey, Roster>;

/// Whether a ceremony handed the key on.
pub use commonware_glue::dkg::types::EpochOutcome;

/// Blocks of the shortest epoch in which there is a first and a second half.
pub const MIN_EPOCH_LENGTH: u64 = 4;

/// Members of a group, at most.
pub(crate) const MAX_MEMBERS: NonZeroU32 = {
    #[expect(clippy::cast_possible_truncation, reason = "128")]
    let most = MAX_VALIDATORS as u32;
    NZU32!(most)
};

/// Bounds for decoding payloads.
const BOUNDS: (NonZeroU32, ModeVersion) = (MAX_MEMBERS, ModeVersion::v0());

/// Talks to the ceremony.
pub(crate) type Mailbox<K> = reshare::Mailbox<Block<K>, MinSig, PrivateKey>;

/// Reads a payload.
pub(crate) fn read_payload(buf: &mut impl commonware_codec::Buf) -> Result<Payload, commonware_codec::Error> {
    commonware_codec::Read::read_cfg(buf, &BOUNDS)
}

/// Largest encoding of a payload in bytes.
pub(crate) fn max_payload_size() -> usize {
    Payload::max_encode_size(MAX_MEMBERS)
}

/// Largest message between dealers and players.
pub(crate) fn max_message_size() -> usize {
    commonware_glue::dkg::max_payload_size::<MinSig, PublicKey>(MAX_MEMBERS)
}

impl<K: Dissemination> ReshareBlock for Block<K> {
    type Variant = MinSig;
    type PublicKey = PublicKey;
    type Directory = Roster;

    fn payload(&self) -> Option<Payload> {
        self.reshare.clone()
    }
}

/// The first epoch's information, which follows from the genesis: its committee holds shares of `polynomial` and gets new ones.
///
/// # Errors
/// If the polynomial is for another number of members.
pub fn first(committee: &Committee, polynomial: &GroupPolynomial) -> Result<EpochInfo, commonware_codec::Error> {
    let members = committee.keys();
    // An output has no constructor: its fields in the order of its encoding. The summary stands for the transcript of the ceremony
    // that made it, which nobody has here; the polynomial says as much.
    let mut encoded = Blake3::hash(&[b"braid first group", &polynomial.encode()]).encode().to_vec();
    polynomial.write(&mut encoded);
    members.write(&mut encoded);
    members.write(&mut encoded);
    commonware_utils::ordered::Set::<PublicKey>::default().write(&mut encoded);
    let output = Output::decode_cfg(Copying(encoded.as_slice()), &BOUNDS)?;
    Ok(EpochInfo {
        outcome: EpochOutcome::Success,
        epoch: Epoch::zero(),
        output,
        players: members.clone(),
        next_players: members,
        directory: Roster::from(committee),
    })
}

/// What a node's part in the ceremonies needs.
pub(crate) struct Parts<'a, B, P, T> {
    pub(crate) rules: &'a Rules,
    pub(crate) committees: Committees,
    pub(crate) key: PrivateKey,
    /// Of the first epoch.
    pub(crate) share: Option<GroupShare>,
    pub(crate) peers: P,
    pub(crate) blocker: B,
    pub(crate) strategy: T,
    pub(crate) stopper: Stopper,
    pub(crate) partition: &'a str,
    pub(crate) page_cache: CacheRef,
}

/// Starts a node's part in the ceremonies of a chain: dealer, player or looking on, as the epoch has it.
pub(crate) async fn start<E, K, V, P, B, T, S, R>(
    context: &E,
    parts: Parts<'_, B, P, T>,
    marshal: MarshalMailbox<Scheme, V>,
    shares: (S, R),
) -> Result<(Mailbox<K>, Handle<()>), commonware_storage::metadata::Error>
where
    E: Runtime,
    K: Dissemination,
    V: Variant<ApplicationBlock = Block<K>, Commitment = K::Commitment>,
    P: Peers,
    B: Blocker<PublicKey = PublicKey>,
    T: Strategy,
    S: Sender<PublicKey = PublicKey>,
    R: Receiver<PublicKey = PublicKey>,
{
    let Parts { rules, committees, key, share, peers, blocker, strategy, stopper, partition, page_cache } = parts;
    let prefix = format!("{partition}-reshare");
    let secrets = Secrets::open(context.child("secrets"), &prefix, &key, share, stopper).await?;
    let members = Members::new(committees);
    let (fence, _) = Fence::new();
    let config = reshare::Config {
        signer: key,
        manager: Tracked(peers),
        blocker,
        participants_provider: members.clone(),
        secret_store: secrets,
        strategy,
        registrar: members,
        marshal,
        state_sync: Plan::disabled(),
        fence,
        // The library keeps it for as long as the program runs: 38 bytes a node.
        namespace: Box::leak(rules.namespace.clone().into_boxed_slice()),
        sharing_mode: Mode::NonZeroCounter,
        reveal: Reveal::V1,
        mailbox_size: MAILBOX_SIZE,
        partition_prefix: prefix,
        page_cache,
        write_buffer: JOURNAL_BUFFER,
        replay_buffer: JOURNAL_BUFFER,
        max_participants: MAX_MEMBERS,
        blocks_per_epoch: rules.epoch_length,
    };
    let (actor, mailbox) = Actor::new(context.child("reshare"), config);
    Ok((mailbox, actor.start(shares)))
}
