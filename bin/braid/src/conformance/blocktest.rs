//! `braid blocktest`: Ethereum's BlockchainTests. Blocks in RLP, valid and invalid, on several branches; after all of
//! them the head and its state must be the expected ones.
//!
//! Every valid block is kept with its state, so a branch is a matter of choosing another parent. The head is the block
//! of the highest total difficulty, or since Paris the last valid one.

use std::{
    collections::{BTreeMap, HashMap},
    process::ExitCode,
    sync::Arc,
};

use alloy_consensus::Header;
use alloy_primitives::{B256, Bytes, U256};
use braid_chain::{Ancestors, Parent, process};
use braid_exec::Config;
use braid_state::{State, StoreError};
use braid_types::{Block, ChainSpec, Height};
use clap::Args;
use serde::Deserialize;

use super::{
    fixture::{self, Accounts},
    network,
    report::{Case, Verdict},
    suite::{self, SuiteArgs, ThreadArgs, check_no_fallback, guarded},
};
use crate::transfer::codec;

/// Ancestors that BLOCKHASH reaches.
const REACHABLE_ANCESTORS: usize = 256;

/// Arguments of `braid blocktest`.
#[derive(Args, Clone, Debug)]
pub(crate) struct BlocktestArgs {
    #[command(flatten)]
    suite: SuiteArgs,
    /// Run the cases of this network alone, by the suite's name (for example Cancun)
    #[arg(long)]
    fork: Option<String>,
    #[command(flatten)]
    threads: ThreadArgs,
}

/// Runs the command.
///
/// # Errors
/// If threads cannot be started or the report cannot be printed.
pub(crate) fn run(args: &BlocktestArgs) -> eyre::Result<ExitCode> {
    let config = args.threads.config();
    suite::run(&args.suite, ".json", args.threads.files(), |_, content| {
        fixture::judge_cases(content, |name, fixture| judge(name, fixture, args.fork.as_deref(), &config))
    })
}

/// A fixture as the suite writes it.
#[derive(Clone, Debug, Deserialize)]
struct Fixture {
    network: String,
    #[serde(rename = "genesisRLP")]
    genesis_rlp: Bytes,
    pre: Accounts,
    blocks: Vec<BlockFixture>,
    lastblockhash: B256,
    #[serde(rename = "postState")]
    post_state: Option<Accounts>,
    #[serde(rename = "postStateHash")]
    post_state_hash: Option<B256>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct BlockFixture {
    rlp: Bytes,
    expect_exception: Option<String>,
    /// Absent for a block that must be refused.
    block_header: Option<HeaderFixture>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct HeaderFixture {
    hash: B256,
}

impl BlockFixture {
    /// Why the block must be refused, if it must.
    fn exception(&self) -> Option<&str> {
        let unnamed = self.block_header.is_none().then_some("an exception that the fixture does not name");
        self.expect_exception.as_deref().or(unnamed)
    }
}

fn judge(name: &str, fixture: &Fixture, only: Option<&str>, config: &Config) -> Vec<Case> {
    if only.is_some_and(|only| !only.eq_ignore_ascii_case(&fixture.network)) {
        return Vec::new();
    }
    let verdict = match network::spec_named(&fixture.network) {
        Some(spec) => guarded(|| check(fixture, &spec, config)).into(),
        None => Verdict::Skipped(format!("network {} is not supported", fixture.network)),
    };
    vec![Case::new(name, verdict)]
}

fn check(fixture: &Fixture, spec: &ChainSpec, config: &Config) -> Result<(), String> {
    let mut tree = Tree::new(fixture)?;
    for (index, block) in fixture.blocks.iter().enumerate() {
        let number = index + 1;
        match (tree.insert(&block.rlp, spec, config), block.exception()) {
            (Ok(_), Some(exception)) => return Err(format!("block {number} was accepted; expected {exception}")),
            (Err(reason), None) => return Err(format!("block {number} was refused: {reason}")),
            (Ok(hash), None) => check_hash(number, hash, block)?,
            (Err(_), Some(_)) => {}
        }
    }
    let head = tree.head()?;
    if head.hash != fixture.lastblockhash {
        return Err(format!("head is {} at {}, expected {}", head.hash, head.header.number, fixture.lastblockhash));
    }
    if let Some(expected) = fixture.post_state_hash
        && head.state.root() != expected
    {
        return Err(format!("state root is {}, expected {expected}", head.state.root()));
    }
    fixture.post_state.as_ref().map_or(Ok(()), |accounts| check_accounts(&head.state, accounts))
}

fn check_hash(number: usize, hash: B256, block: &BlockFixture) -> Result<(), String> {
    match block.block_header {
        Some(header) if header.hash != hash => Err(format!("block {number} has hash {hash}, expected {}", header.hash)),
        _ => Ok(()),
    }
}

/// Compares the accounts that the fixture lists. That there are no others follows from the state root in the header.
fn check_accounts(state: &State, accounts: &Accounts) -> Result<(), String> {
    for (&address, expected) in accounts {
        let found = state.account(address).ok_or_else(|| format!("account {address} does not exist"))?;
        let wanted = expected.state()?;
        if found != wanted {
            return Err(format!("account {address} is {found:?}, expected {wanted:?}"));
        }
        for (slot, value) in &expected.storage {
            let found = state.storage(address, slot.0);
            if found != value.0 {
                return Err(format!("slot {:#x} of {address} is {found:#x}, expected {:#x}", slot.0, value.0));
            }
        }
    }
    Ok(())
}

/// Every valid block so far.
struct Tree {
    nodes: HashMap<B256, Node>,
    head: B256,
}

struct Node {
    block: Parent,
    /// The block and its nearest ancestors.
    line: Arc<Line>,
}

/// Blocks that stand on one another.
#[derive(Clone, Default)]
struct Line(BTreeMap<Height, Arc<Link>>);

/// What rules about ancestors ask for.
struct Link {
    hash: B256,
    header: Header,
    ommers: Vec<Header>,
}

impl Line {
    fn extended(&self, link: Link) -> Self {
        let mut line = self.clone();
        line.0.insert(link.header.number, Arc::new(link));
        if line.0.len() > REACHABLE_ANCESTORS {
            line.0.pop_first();
        }
        line
    }
}

impl Ancestors for Line {
    fn hash(&self, height: Height) -> Result<Option<B256>, StoreError> {
        Ok(self.0.get(&height).map(|link| link.hash))
    }

    fn block(&self, height: Height) -> Option<(Header, Vec<Header>)> {
        self.0.get(&height).map(|link| (link.header.clone(), link.ommers.clone()))
    }
}

impl Tree {
    fn new(fixture: &Fixture) -> Result<Self, String> {
        let Block { header, .. } = codec::decode(&fixture.genesis_rlp).map_err(|error| format!("genesis: {error}"))?;
        let state = fixture::state_of(&fixture.pre)?;
        if state.root() != header.state_root {
            return Err(format!("genesis has state root {}, expected {}", state.root(), header.state_root));
        }
        let hash = header.hash_slow();
        let link = Link { hash, header: header.clone(), ommers: Vec::new() };
        let line = Arc::new(Line::default().extended(link));
        let block = Parent { total_difficulty: header.difficulty, hash, state, header };
        Ok(Self { nodes: HashMap::from([(hash, Node { block, line })]), head: hash })
    }

    fn head(&self) -> Result<&Parent, String> {
        self.nodes.get(&self.head).map(|node| &node.block).ok_or_else(|| "the head is not in the tree".to_owned())
    }

    /// Adds a block wherever its parent is; returns its hash.
    fn insert(&mut self, rlp: &[u8], spec: &ChainSpec, config: &Config) -> Result<B256, String> {
        let block = codec::decode(rlp).map_err(|error| error.to_string())?;
        let parent_hash = block.header.parent_hash;
        let parent = self.nodes.get(&parent_hash).ok_or_else(|| format!("unknown parent {parent_hash}"))?;
        let ancestors: Arc<dyn Ancestors> = Arc::clone(&parent.line) as Arc<dyn Ancestors>;
        let processed = process(&parent.block, block, spec, &ancestors, config).map_err(chain_of_causes)?;
        check_no_fallback(&processed.statistics)?;
        let executed = processed.executed;
        let (hash, header) = (executed.hash, executed.block.header.clone());
        let link = Link { hash, header: header.clone(), ommers: executed.block.ommers.clone() };
        let line = Arc::new(parent.line.extended(link));
        let total_difficulty = executed.total_difficulty;
        let block = Parent { header, hash, total_difficulty, state: processed.state };
        if self.head()?.loses_to(&block) {
            self.head = hash;
        }
        self.nodes.insert(hash, Node { block, line });
        Ok(hash)
    }
}

/// How branches are chosen between.
trait ForkChoice {
    /// Whether `other`, which came later, becomes the head.
    fn loses_to(&self, other: &Self) -> bool;
}

impl ForkChoice for Parent {
    fn loses_to(&self, other: &Self) -> bool {
        let is_settled = |block: &Self| block.header.difficulty == U256::ZERO;
        is_settled(other) || (!is_settled(self) && other.total_difficulty > self.total_difficulty)
    }
}

/// An error with what caused it, on one line.
fn chain_of_causes(error: impl std::error::Error + Send + Sync + 'static) -> String {
    format!("{:#}", eyre::Report::new(error))
}
