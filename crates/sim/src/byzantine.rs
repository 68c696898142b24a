//! Validators that do not follow the protocol.
//!
//! A Byzantine member runs the real engine, and an [`Exit`] with its signing key changes what the engine sends. So it knows all
//! that an honest member knows, sends at the right moments, and lies where its [`Role`] says. *Twins* need no exit that lies: two
//! engines with one key, each of which reaches only a part of the others (see [`Half`]).
//!
//! A role that alters blocks drops the engine's votes for them and votes for its own instead, to notarize and at once to
//! finalize, as if it had a quorum already.

use std::{fmt::Debug, sync::Arc};

use alloy_consensus::{SignableTransaction as _, TxEip1559};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bytes, Signature, U256};
use braid_consensus::{
    block::{Block, Coded, Digest, Dissemination, Whole, body_digest},
    rules::Rules,
    scheme::Scheme,
};
use commonware_codec::{Decode as _, DecodeExt as _, Encode as _, varint::UInt};
use commonware_consensus::{
    simplex::{
        elector::{Config as _, Elector as _, RoundRobin, RoundRobinElector},
        types::{Finalize, Notarize, Nullify, Proposal, Vote},
    },
    types::{Epoch, Round},
};
use commonware_cryptography::{Blake3, ed25519::PublicKey};
use commonware_p2p::utils::mux;
use commonware_runtime::IoBuf;
use parking_lot::Mutex;

use crate::{
    network::{Channel, Exit, Honest, Outgoing},
    plan::Role,
    random::Random,
    world::CHAIN_ID,
};

/// Messages of each channel that a [`Role::Stale`] member remembers.
const REMEMBERED: usize = 64;

/// The exit of a member with this role, in a committee with these rules and `keys`, in the order of members.
pub fn exit(
    role: Role,
    scheme: Scheme,
    member: usize,
    keys: &[PublicKey],
    rules: &Rules,
    random: Random,
) -> Arc<dyn Exit> {
    use braid_types::ordered::Dissemination as Chosen;
    if role == Role::Twins {
        return Arc::new(Honest);
    }
    match rules.dissemination {
        Chosen::Whole => Arc::new(Liar::<Whole>::new(role, scheme, member, keys, rules, random)),
        Chosen::Coded => Arc::new(Liar::<Coded>::new(role, scheme, member, keys, rules, random)),
    }
}

/// One of two twins: what it sends reaches only those who hear it.
pub struct Half<F> {
    /// Whether a peer hears this half.
    pub heard_by: F,
}

impl<F> Debug for Half<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Half").finish_non_exhaustive()
    }
}

impl<F: Fn(&PublicKey) -> bool + Send + Sync + 'static> Exit for Half<F> {
    fn pass(&self, mut outgoing: Outgoing) -> Vec<Outgoing> {
        outgoing.to.retain(|peer| (self.heard_by)(peer));
        vec![outgoing]
    }
}

/// What a liar makes of blocks, which it can only where they travel whole.
trait Alter: Dissemination {
    /// The block in a message, if it is one.
    fn block(message: &IoBuf) -> Option<Block<Whole>>;

    /// The name of a whole block in votes.
    fn commitment(digest: Digest) -> Option<Self::Commitment>;

    /// A name of a block that does not exist.
    fn invent(random: &mut Random, like: &Self::Commitment) -> Self::Commitment;
}

impl Alter for Whole {
    fn block(message: &IoBuf) -> Option<Block<Whole>> {
        Block::decode_cfg(message.clone(), &Rules::body_limits()).ok()
    }

    fn commitment(digest: Digest) -> Option<Digest> {
        Some(digest)
    }

    fn invent(random: &mut Random, _: &Digest) -> Digest {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&random.next().to_be_bytes());
        Digest::from(bytes)
    }
}

impl Alter for Coded {
    fn block(_: &IoBuf) -> Option<Block<Whole>> {
        None
    }

    fn commitment(_: Digest) -> Option<Self::Commitment> {
        None
    }

    /// The commitment with another block digest in it: its shards belong to no block.
    fn invent(random: &mut Random, like: &Self::Commitment) -> Self::Commitment {
        let block = Whole::invent(random, &Digest::from([0; 32]));
        Self::Commitment::from((block, like.root(), like.context(), like.config()))
    }
}

/// A member that lies.
struct Liar<K: Dissemination> {
    role: Role,
    scheme: Scheme,
    me: PublicKey,
    /// Everybody else.
    peers: Vec<PublicKey>,
    leaders: RoundRobinElector<Scheme>,
    own: Option<commonware_utils::Participant>,
    state: Mutex<State>,
    marker: std::marker::PhantomData<fn() -> K>,
}

struct State {
    random: Random,
    old: Vec<Outgoing>,
}

type VoteOf<K> = Vote<Scheme, <K as Dissemination>::Commitment>;

impl<K: Alter> Liar<K> {
    fn new(role: Role, scheme: Scheme, member: usize, keys: &[PublicKey], rules: &Rules, random: Random) -> Self {
        use commonware_utils::ordered::Quorum as _;
        let me = keys[member].clone();
        let members = rules.committee.keys();
        let own = members.index(&me);
        let leaders = RoundRobin::<Blake3>::default().build(&members);
        let peers = keys.iter().filter(|key| **key != me).cloned().collect();
        let state = Mutex::new(State { random, old: Vec::new() });
        Self { role, scheme, me, peers, leaders, own, state, marker: std::marker::PhantomData }
    }

    fn leads(&self, round: Round) -> bool {
        Some(self.leaders.elect(round, ())) == self.own
    }

    fn to_all(&self, epoch: Epoch, vote: VoteOf<K>) -> Outgoing {
        self.to(self.peers.clone(), epoch, vote)
    }

    fn to(&self, to: Vec<PublicKey>, epoch: Epoch, vote: VoteOf<K>) -> Outgoing {
        let message = [UInt(epoch.get()).encode(), vote.encode()].concat();
        Outgoing { channel: Channel::Votes, to, message: message.into() }
    }

    /// Votes to notarize and to finalize a block.
    fn votes(&self, to: &[PublicKey], proposal: &Proposal<K::Commitment>) -> Vec<Outgoing> {
        let epoch = proposal.round.epoch();
        let notarize = Notarize::sign(&self.scheme, proposal.clone()).map(Vote::Notarize);
        let finalize = Finalize::sign(&self.scheme, proposal.clone()).map(Vote::Finalize);
        notarize.into_iter().chain(finalize).map(|vote| self.to(to.to_vec(), epoch, vote)).collect()
    }

    /// A block, and the votes for it.
    fn propose(&self, to: &[PublicKey], block: &Block<Whole>) -> Vec<Outgoing> {
        let blocks = Outgoing { channel: Channel::Blocks, to: to.to_vec(), message: block.encode().into() };
        let context = &block.header.context;
        let payload = K::commitment(block.header.digest());
        let proposal = payload.map(|payload| Proposal::new(context.round, context.parent.0, payload));
        let votes = proposal.iter().flat_map(|proposal| self.votes(to, proposal));
        [blocks].into_iter().chain(votes).collect()
    }

    fn pass_block(&self, outgoing: Outgoing, block: Block<Whole>) -> Vec<Outgoing> {
        let mut state = self.state.lock();
        let random = &mut state.random;
        match self.role {
            Role::Withholder => {
                let few = random.some(&self.peers, 1);
                if random.chance(50) { Vec::new() } else { vec![Outgoing { to: few, ..outgoing }] }
            }
            Role::Equivocator => {
                let mut other = block.clone();
                other.header.timestamp_ms += 1;
                let (first, second): (Vec<_>, Vec<_>) = self.peers.iter().cloned().partition(|_| random.chance(50));
                [self.propose(&first, &block), self.propose(&second, &other)].concat()
            }
            Role::WrongCommitment => self.propose(&self.peers, &with_wrong_commitment(block, random)),
            Role::WrongBody => self.propose(&self.peers, &with_wrong_body(block, random)),
            Role::WrongHeader => self.propose(&self.peers, &with_wrong_header(block, random)),
            _ => vec![outgoing],
        }
    }

    fn pass_vote(&self, outgoing: Outgoing, epoch: Epoch, vote: VoteOf<K>) -> Vec<Outgoing> {
        let proposal = match &vote {
            Vote::Notarize(vote) => Some(&vote.proposal),
            Vote::Finalize(vote) => Some(&vote.proposal),
            Vote::Nullify(_) => None,
        };
        match (self.role, proposal) {
            (Role::Nullifier, Some(proposal)) => {
                let nullify = Nullify::sign::<K::Commitment>(&self.scheme, proposal.round);
                nullify.map(|vote| self.to_all(epoch, Vote::Nullify(vote))).into_iter().collect()
            }
            (Role::Conflicter, Some(proposal)) => {
                let payload = K::invent(&mut self.state.lock().random, &proposal.payload);
                let other = Proposal::new(proposal.round, proposal.parent, payload);
                [vec![outgoing], self.votes(&self.peers, &other)].concat()
            }
            // As its own leader it votes along with the blocks that it sends.
            (Role::Equivocator | Role::WrongCommitment | Role::WrongBody | Role::WrongHeader, Some(proposal))
                if self.leads(proposal.round) =>
            {
                Vec::new()
            }
            (Role::Equivocator, Some(proposal)) => {
                let finalize = Finalize::sign(&self.scheme, proposal.clone()).map(Vote::Finalize);
                let nullify = Nullify::sign::<K::Commitment>(&self.scheme, proposal.round).map(Vote::Nullify);
                let more = finalize.into_iter().chain(nullify).map(|vote| self.to_all(epoch, vote));
                [outgoing].into_iter().chain(more).collect()
            }
            _ => vec![outgoing],
        }
    }

    /// An old message of the same channel, often.
    fn stale(&self, outgoing: Outgoing) -> Vec<Outgoing> {
        let State { random, old } = &mut *self.state.lock();
        let same: Vec<IoBuf> =
            old.iter().filter(|old| old.channel == outgoing.channel).map(|old| old.message.clone()).collect();
        if old.len() == REMEMBERED {
            old.remove(0);
        }
        old.push(outgoing.clone());
        if same.is_empty() || random.chance(40) {
            return vec![outgoing];
        }
        vec![Outgoing { message: random.pick(&same).clone(), ..outgoing }]
    }

    /// The message with some bytes changed, or without its end.
    fn garble(&self, outgoing: Outgoing) -> Vec<Outgoing> {
        let random = &mut self.state.lock().random;
        let mut bytes = outgoing.message.as_ref().to_vec();
        if bytes.is_empty() || random.chance(50) {
            return vec![outgoing];
        }
        if random.chance(20) {
            bytes.truncate(random.index(bytes.len()));
        } else {
            let at = random.index(bytes.len());
            bytes[at] ^= 1 << random.index(8);
        }
        vec![Outgoing { message: bytes.into(), ..outgoing }]
    }
}

impl<K: Alter> Exit for Liar<K> {
    fn pass(&self, outgoing: Outgoing) -> Vec<Outgoing> {
        match (self.role, outgoing.channel) {
            (Role::Silent, _) => Vec::new(),
            (Role::Stale, _) => self.stale(outgoing),
            (Role::Garbler, _) => self.garble(outgoing),
            (Role::Withholder, Channel::Backfill) => Vec::new(),
            (_, Channel::Votes) => match parse_vote::<K>(&outgoing.message) {
                Some((epoch, vote)) => self.pass_vote(outgoing, epoch, vote),
                None => vec![outgoing],
            },
            (_, Channel::Blocks) => match K::block(&outgoing.message) {
                Some(block) if block.header.context.leader == self.me => self.pass_block(outgoing, block),
                None if self.role == Role::Withholder => Vec::new(),
                _ => vec![outgoing],
            },
            _ => vec![outgoing],
        }
    }
}

fn parse_vote<K: Dissemination>(message: &IoBuf) -> Option<(Epoch, VoteOf<K>)> {
    let (epoch, vote) = mux::parse(message.clone()).ok()?;
    Some((Epoch::new(epoch), Vote::decode(vote).ok()?))
}

fn with_wrong_commitment(mut block: Block<Whole>, random: &mut Random) -> Block<Whole> {
    if random.chance(70) {
        block.header.execution.hash = B256::from(U256::from(random.next()));
    } else {
        block.header.execution.height += 1;
    }
    block
}

fn with_wrong_header(mut block: Block<Whole>, random: &mut Random) -> Block<Whole> {
    let header = &mut block.header;
    match random.within(0..=4) {
        0 => header.timestamp_ms = 0,
        1 => header.timestamp_ms += 3_600_000,
        2 => header.beneficiary = Address::repeat_byte(0xbe),
        3 => header.height += 1,
        _ => header.body = Digest::from([7; 32]),
    }
    block
}

fn with_wrong_body(mut block: Block<Whole>, random: &mut Random) -> Block<Whole> {
    let transactions = &mut block.transactions;
    match random.within(0..=4) {
        0 => transactions.push(Bytes::from_static(&[0x02, 0xc0])),
        1 => transactions.push(Bytes::from_static(b"no transaction")),
        2 => transactions.push(forged(random, CHAIN_ID)),
        3 => transactions.push(forged(random, CHAIN_ID + 1)),
        _ => match transactions.first().cloned() {
            Some(first) => transactions.push(first),
            None => transactions.push(forged(random, CHAIN_ID)),
        },
    }
    block.senders = (0..random.within(0..=transactions.len() as u64)).map(|_| Address::repeat_byte(0x5e)).collect();
    block.header.body = body_digest(&block.transactions, &block.senders, block.reshare.as_ref());
    block
}

/// A transaction whose signature nobody can have made: `r` is no point of the curve's range.
fn forged(random: &mut Random, chain_id: u64) -> Bytes {
    let transaction = TxEip1559 { chain_id, nonce: random.within(0..=3), gas_limit: 21_000, ..TxEip1559::default() };
    let signed = transaction.into_signed(Signature::new(U256::MAX, U256::from(1), false));
    braid_types::Transaction::Eip1559(signed).encoded_2718().into()
}
