//! Validators with their secrets who make headers final, as the engine signs and encodes it, and a light client that trusts them.

use std::num::NonZeroU64;

use alloy_primitives::{Address, B256};
use braid_consensus::{
    block::{Coded, Digest, Dissemination, GENESIS_CODING, Header, Whole},
    certificates::Certified,
    committee::{Change, Committee, Tally, Validator},
    deal::deal,
    keys,
    rules::Rules,
    scheme::Scheme,
};
use braid_light::{Checkpoint, LightClient, Member, Trust, bls::GroupKey};
use braid_types::{
    BlockRef, ConsensusConfig,
    ordered::{self, CertificateScheme, GenesisValidator},
};
use commonware_codec::{Copying, Decode as _, Encode as _};
use commonware_consensus::{
    simplex::types::{Context, Finalization, Finalize, Proposal},
    types::{Epoch, Round, View, coding::Commitment},
};
use commonware_cryptography::{
    certificate::Verifier as _,
    transcript::{Transcript, Version},
};
use commonware_parallel::Sequential;
use commonware_utils::non_empty;

const CHAIN_ID: u64 = 31_337;
const EPOCH_LENGTH: u64 = 50;
pub(crate) const EPOCH: u64 = 3;

/// A dissemination as both sides know it.
pub(crate) trait Both: Dissemination {
    const CONFIGURED: ordered::Dissemination;

    /// A name in votes for the block with this digest.
    fn name(digest: Digest) -> Self::Commitment;
}

impl Both for Whole {
    const CONFIGURED: ordered::Dissemination = ordered::Dissemination::Whole;

    fn name(digest: Digest) -> Digest {
        digest
    }
}

impl Both for Coded {
    const CONFIGURED: ordered::Dissemination = ordered::Dissemination::Coded;

    fn name(digest: Digest) -> Self::Commitment {
        Commitment::from((digest, Digest::from([3; 32]), Digest::from([4; 32]), GENESIS_CODING))
    }
}

/// Validators with their secrets, the rules of their chain, and a client that trusts them.
pub(crate) struct Network {
    pub(crate) rules: Rules,
    pub(crate) signers: Vec<Scheme>,
    pub(crate) client: LightClient,
}

pub(crate) fn rng(label: &'static [u8]) -> impl rand_core::CryptoRng {
    Transcript::new(b"light client tests", Version::V1).noise(label)
}

pub(crate) fn secret(validator: u8) -> [u8; 32] {
    [validator + 1; 32]
}

pub(crate) fn config<K: Both>(validators: u8, scheme: CertificateScheme) -> (ConsensusConfig, Vec<(B256, Vec<u8>)>) {
    let validators: Vec<_> = (0..validators)
        .map(|index| GenesisValidator {
            public_key: keys::public_key(&secret(index)).unwrap(),
            fee_recipient: Address::repeat_byte(index),
            address: format!("validator-{index}.example:30400"),
        })
        .collect();
    let identities: Vec<B256> = validators.iter().map(|validator| validator.public_key).collect();
    let dealt = deal(&identities, &[9; 32]).unwrap();
    let is_threshold = scheme == CertificateScheme::Bls12381Threshold;
    let config = ConsensusConfig {
        execution_lag: 3,
        epoch_length: EPOCH_LENGTH,
        scheme,
        dissemination: K::CONFIGURED,
        validators,
        group_polynomial: is_threshold.then_some(dealt.polynomial),
    };
    (config, if is_threshold { dealt.shares } else { Vec::new() })
}

/// What the genesis fixes, as the light client knows it.
pub(crate) fn genesis_of(config: &ConsensusConfig, chain_id: u64, hash: B256) -> braid_light::Network {
    let member = |validator: &GenesisValidator| {
        let GenesisValidator { public_key, fee_recipient, address } = validator.clone();
        Member { public_key, fee_recipient, address }
    };
    braid_light::Network {
        chain_id,
        genesis_hash: hash,
        execution_lag: config.execution_lag,
        epoch_length: NonZeroU64::new(config.epoch_length).unwrap(),
        dissemination: match config.dissemination {
            ordered::Dissemination::Whole => braid_light::Dissemination::Whole,
            ordered::Dissemination::Coded => braid_light::Dissemination::Coded,
        },
        group_polynomial: config.group_polynomial.clone(),
        validators: config.validators.iter().map(member).collect(),
    }
}

impl Network {
    pub(crate) fn new<K: Both>(validators: u8, scheme: CertificateScheme) -> Self {
        let (config, shares) = config::<K>(validators, scheme);
        Self::of::<K>(&config, &shares)
    }

    /// The network that begins with `config`.
    pub(crate) fn of<K: Both>(config: &ConsensusConfig, shares: &[(B256, Vec<u8>)]) -> Self {
        let validators = u8::try_from(config.validators.len()).unwrap();
        let genesis = BlockRef { height: 0, hash: B256::repeat_byte(0x6e) };
        let rules = Rules::new(config, CHAIN_ID, genesis).unwrap();
        let signers = (0..validators).map(|index| {
            let identity = keys::public_key(&secret(index)).unwrap();
            let share = shares.iter().find(|(key, _)| *key == identity).map(|(_, share)| keys::share(share).unwrap());
            let key = keys::identity(&secret(index)).unwrap();
            Scheme::new(&rules.signatures, &rules.namespace, rules.committee.keys(), &key, share.as_ref())
        });
        let signers = signers.collect();
        let trust = match &config.group_polynomial {
            Some(polynomial) => Trust::GroupKey(GroupKey::of_polynomial(polynomial).unwrap()),
            None => {
                let keys = config.validators.iter().map(|validator| validator.public_key);
                Trust::Checkpoint(Checkpoint { epoch: EPOCH, committee: braid_light::Committee::new(keys).unwrap() })
            }
        };
        let chain = genesis_of(config, CHAIN_ID, genesis.hash).chain();
        Self { rules, signers, client: LightClient { chain, trust } }
    }

    /// The certificate of the validators from `from` on.
    pub(crate) fn finalize<K: Both>(&self, header: &Header<K>, from: usize) -> Finalization<Scheme, K::Commitment> {
        let round = header.context.round;
        let proposal = Proposal::new(round, header.context.parent.0, K::name(header.digest()));
        let votes: Vec<_> =
            self.signers.iter().skip(from).map(|scheme| Finalize::sign(scheme, proposal.clone()).unwrap()).collect();
        Finalization::from_finalizes(&self.signers[0], non_empty![@votes.iter()], &Sequential).unwrap()
    }

    /// What the engine thinks of a proof.
    pub(crate) fn is_certified<K: Both>(&self, proof: &[u8]) -> bool {
        let scheme = Scheme::verifier(&self.rules.signatures, &self.rules.namespace, self.rules.committee.keys());
        let Ok(certified) = Certified::<K>::decode_cfg(Copying(proof), &scheme.certificate_codec_config()) else {
            return false;
        };
        certified.verify(&mut rng(b"verify"), &scheme)
    }
}

pub(crate) fn validator(index: u8) -> Validator {
    let public_key = keys::from_bytes(keys::public_key(&secret(index)).unwrap()).unwrap();
    Validator { public_key, fee_recipient: Address::repeat_byte(index), address: "[::1]:30400".to_owned() }
}

/// A header at `height` of the epoch, with everything in it that may be.
pub(crate) fn header<K: Both>(height: u64, parent: Digest) -> Header<K> {
    let changes = [Change::Add(validator(7)), Change::Remove(validator(1).public_key)];
    let tally = changes.iter().cycle().take(300).fold(Tally::default(), |tally, change| tally.with(Some(change)));
    let round = Round::new(Epoch::new(EPOCH), View::new(height % EPOCH_LENGTH + 200));
    Header {
        context: Context { round, leader: validator(2).public_key, parent: (View::new(150), K::name(parent)) },
        parent,
        height,
        timestamp_ms: 1_763_850_000_000 + height,
        beneficiary: Address::repeat_byte(0xbe),
        execution: BlockRef { height: height - 3, hash: B256::repeat_byte(0xee) },
        body: Digest::from([0xbb; 32]),
        vote: Some(changes[0].clone()),
        tally,
        next: None,
    }
}

/// The last two headers of an epoch, with the certificate of the last.
pub(crate) fn proof<K: Both>(network: &Network, next: &Committee) -> (Vec<Header<K>>, Vec<u8>) {
    let last = (EPOCH + 1) * EPOCH_LENGTH - 1;
    let first = header::<K>(last - 1, Digest::from([1; 32]));
    let second = Header { next: Some(next.clone()), ..header::<K>(last, first.digest()) };
    let finalization = network.finalize(&second, 1);
    let headers = vec![first, second];
    let encoded = Certified { headers: headers.clone(), finalization }.encode().to_vec();
    (headers, encoded)
}
