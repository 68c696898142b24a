//! Ommers: valid blocks that lost against an ancestor and are rewarded nevertheless (Yellow Paper, section 11.1).
//!
//! At most two; each the child of an ancestor at most seven generations back, but not of the parent (it would be no
//! ommer but a sibling from the future) and no ancestor itself; valid as a header; and named by no block before.

use std::collections::{BTreeMap, BTreeSet};

use alloy_consensus::Header;
use alloy_primitives::{B256, U256};
use braid_types::{Block, ChainSpec};

use super::{BlockError, header};
use crate::{process::Parent, view::Ancestors};

/// Ommers in one block.
const MAX_OMMERS: usize = 2;
/// Generations of ancestors among which an ommer's parent must be.
const GENERATIONS: u64 = 7;

/// The last generations: headers by hash, and the hash of every block and ommer that was used.
#[derive(Default)]
struct Family {
    ancestors: BTreeMap<B256, Header>,
    used: BTreeSet<B256>,
}

/// Checks a block's ommers.
pub fn check(parent: &Parent, block: &Block, spec: &ChainSpec, ancestors: &dyn Ancestors) -> Result<(), BlockError> {
    if block.ommers.is_empty() {
        return Ok(());
    }
    if block.ommers.len() > MAX_OMMERS {
        return Err(BlockError::TooManyOmmers(block.ommers.len()));
    }
    let mut family = family(parent, ancestors)?;
    for ommer in &block.ommers {
        check_ommer(ommer, &block.header, &mut family, spec)?;
    }
    Ok(())
}

fn check_ommer(ommer: &Header, block: &Header, family: &mut Family, spec: &ChainSpec) -> Result<(), BlockError> {
    let hash = ommer.hash_slow();
    if family.ancestors.contains_key(&hash) {
        return Err(BlockError::OmmerIsAncestor(hash));
    }
    if !family.used.insert(hash) {
        return Err(BlockError::DuplicateOmmer(hash));
    }
    let is_sibling = ommer.parent_hash == block.parent_hash;
    let Some(parent) = family.ancestors.get(&ommer.parent_hash).filter(|_| !is_sibling) else {
        return Err(BlockError::DanglingOmmer(hash));
    };
    // Ommers exist before Paris alone, so no total difficulty is needed to tell their fork.
    let fork_of = |header: &Header| spec.fork_at(header.number, header.timestamp, U256::ZERO);
    header::check(ommer, fork_of(ommer), parent, fork_of(parent), spec)
        .map_err(|reason| BlockError::InvalidOmmer { hash, reason: Box::new(reason) })
}

fn family(parent: &Parent, ancestors: &dyn Ancestors) -> Result<Family, BlockError> {
    let mut family = Family::default();
    let newest = parent.header.number;
    let oldest = newest.saturating_sub(GENERATIONS - 1);
    for height in (oldest..=newest).rev() {
        let Some((header, ommers)) = ancestors.block(height) else {
            // Older blocks may lie before the genesis; the parent itself must be known.
            if height == newest {
                return Err(BlockError::UnknownAncestor(height));
            }
            break;
        };
        family.used.extend(ommers.iter().map(Header::hash_slow));
        family.ancestors.insert(header.hash_slow(), header);
    }
    Ok(family)
}
