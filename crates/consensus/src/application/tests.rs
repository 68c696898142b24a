//! Verdicts on blocks whose place was taken.

use std::num::NonZeroUsize;

use alloy_genesis::Genesis;
use alloy_primitives::Address;
use braid_chain::{Chain, ChainOptions, Ledger, genesis::system_contracts, state::StoreOptions};
use braid_pool::PoolConfig;
use braid_types::{
    ChainSpec, ConsensusConfig, Fork,
    ordered::{CONSENSUS_KEY, CertificateScheme, Dissemination as Chosen, GenesisValidator},
};
use commonware_consensus::{
    marshal::ancestry,
    types::{Epoch, Round, View},
};
use commonware_cryptography::{Signer as _, ed25519::PrivateKey};
use commonware_runtime::{Runner as _, Supervisor as _, deterministic};

use super::*;
use crate::{block::Whole, keys, stop::Stopper, worker::Worker};

const CHAIN_ID: u64 = 1_337;
const LEADER: u8 = 1;

fn key() -> PrivateKey {
    keys::identity(&[LEADER; 32]).unwrap()
}

fn config() -> ConsensusConfig {
    let validator = GenesisValidator {
        public_key: keys::public_key(&[LEADER; 32]).unwrap(),
        fee_recipient: Address::ZERO,
        address: "127.0.0.1:30400".to_owned(),
    };
    ConsensusConfig {
        execution_lag: 1,
        epoch_length: 100,
        scheme: CertificateScheme::Ed25519,
        dissemination: Chosen::Whole,
        validators: vec![validator],
        group_polynomial: None,
    }
}

fn open(folder: &std::path::Path) -> Arc<Ledger> {
    let mut spec = ChainSpec::at_fork(CHAIN_ID, Fork::LATEST);
    spec.config.extra_fields.insert_value(CONSENSUS_KEY.to_owned(), config()).unwrap();
    let alloc = system_contracts(Fork::LATEST).into_iter().collect();
    let options = ChainOptions {
        genesis: Genesis { config: spec.config, gas_limit: 30_000_000, alloc, ..Genesis::default() },
        directory: folder.to_owned(),
        store: StoreOptions::default(),
        pool: PoolConfig::default(),
        threads: NonZeroUsize::MIN,
        is_dev: false,
    };
    Arc::new(Ledger::new(Arc::new(Chain::open(options).unwrap())).unwrap())
}

fn shared(context: &deterministic::Context, ledger: Arc<Ledger>) -> Shared {
    let config = config();
    let genesis = ledger.chain().head().block.block_ref();
    let rules = Arc::new(Rules::new(&config, CHAIN_ID, genesis).unwrap());
    let (checker, executor) = (Worker::start(context.child("checker")), Worker::start(context.child("executor")));
    let pipeline = Pipeline::new(ledger, rules.execution_lag, checker, executor, Stopper::new().0);
    Shared {
        committees: Committees::new(Arc::clone(&rules), key(), None),
        rules,
        pipeline: Arc::new(pipeline),
        faults: Faults::new().0,
        board: Board::new(crate::status::Status::default()).0,
        allowance: Allowance::new(Duration::ZERO),
        pace: Pace { block_interval: Duration::ZERO, enough_transactions: 1, limits: ProposalLimits::default() },
        vote: None,
    }
}

/// An empty block on `parent`, proposed in `view`.
fn child(shared: &Shared, parent: &Block<Whole>, view: u64, execution: braid_types::BlockRef) -> Block<Whole> {
    let (above, digest) = (&parent.header, parent.header.digest());
    let round = Round::new(Epoch::zero(), View::new(view));
    let context = Context { round, leader: key().public_key(), parent: (above.context.round.view(), digest) };
    let members = shared.committees.members(Epoch::zero()).unwrap();
    let header = build_header(
        context,
        (above, digest),
        above.timestamp_ms + view,
        execution,
        body_digest(&[], &[], None),
        None,
        &shared.rules,
        &members,
    );
    Block { header: header.unwrap(), transactions: Vec::new(), senders: Vec::new(), reshare: None }
}

fn digested(block: &Block<Whole>) -> Digested<Block<Whole>> {
    Digested::precomputed(block.clone(), block.header.digest())
}

#[test]
fn a_leader_whose_block_came_too_late_is_not_at_fault() {
    let folder = tempfile::tempdir().unwrap();
    deterministic::Runner::default().start(|context| async move {
        let ledger = open(folder.path());
        let shared = shared(&context, Arc::clone(&ledger));
        let contract = Contract::new(None);
        let genesis =
            Block::<Whole>::genesis(shared.rules.committee.clone(), shared.rules.genesis, &shared.rules.signatures)
                .unwrap();
        // Views 1 and 2 both propose on genesis; the block of the second becomes final.
        let given_up = child(&shared, &genesis, 1, shared.rules.genesis);
        let final_block = child(&shared, &genesis, 2, shared.rules.genesis);
        let execution = shared.pipeline.execute(&shared.pipeline.check(&given_up).await.unwrap()).await.unwrap();
        let late = child(&shared, &given_up, 3, execution);
        let blocks = [&late, &given_up, &genesis].map(digested);
        let verdict = shared.verify(&context, &contract, ancestry::from_iter(blocks.clone())).await;
        assert!(matches!(verdict, Ok(Verdict::Right)), "{verdict:?}");

        let ordered = shared.pipeline.check(&final_block).await.unwrap();
        shared.pipeline.commit(&ordered).await.unwrap();
        let verdict = shared.verify(&context, &contract, ancestry::from_iter(blocks)).await;
        assert!(matches!(verdict, Ok(Verdict::Late(_))), "{verdict:?}");

        // To commit to something else is a fault all the same.
        let wrong = child(&shared, &final_block, 3, execution);
        let blocks = [&wrong, &final_block, &genesis].map(digested);
        let verdict = shared.verify(&context, &contract, ancestry::from_iter(blocks)).await;
        let Ok(Verdict::Wrong(fault)) = verdict else { panic!("{verdict:?}") };
        assert!(matches!(*fault, Fault::WrongExecution { .. }), "{fault:?}");
    });
}
