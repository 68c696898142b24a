//! What makes a snapshot believable, to whoever knows the committee of the genesis.
//!
//! [`Trust`] goes from epoch to epoch: the certified last header of one carries the committee of the next. With the committees
//! of the last epochs it checks [`Evidence`]: that the ordered block at the snapshot's height is final, and which Ethereum block it became.
//! It remembers the last two committees only: the certificate that vouches for the execution may be of the next epoch.

use std::{collections::BTreeMap, sync::Arc};

use braid_types::BlockRef;
use bytes::BufMut;
use commonware_codec::{Buf, EncodeSize, Error, Read, Write};
use commonware_consensus::{Epochable as _, types::Epoch};
use rand_core::CryptoRng;

use crate::{
    block::{Dissemination, Header},
    certificates::Certified,
    committee::Committee,
    rules::Rules,
    scheme::{CertificateBounds, Scheme, Signatures},
};

/// Committees that are remembered.
const REMEMBERED: usize = 2;

/// What a server shows for a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence<K: Dissemination> {
    /// The ordered header at the snapshot's height, with a certificate of its own: where marshal begins.
    pub floor: Certified<K>,
    /// The one `execution_lag` above it, which carries the hash of the snapshot's Ethereum block.
    pub execution: Certified<K>,
}

impl<K: Dissemination> Write for Evidence<K> {
    fn write(&self, buf: &mut impl BufMut) {
        self.floor.write(buf);
        self.execution.write(buf);
    }
}

impl<K: Dissemination> EncodeSize for Evidence<K> {
    fn encode_size(&self) -> usize {
        self.floor.encode_size() + self.execution.encode_size()
    }
}

impl<K: Dissemination> Read for Evidence<K> {
    type Cfg = CertificateBounds;

    fn read_cfg(buf: &mut impl Buf, bounds: &CertificateBounds) -> Result<Self, Error> {
        Ok(Self { floor: Certified::read_cfg(buf, bounds)?, execution: Certified::read_cfg(buf, bounds)? })
    }
}

impl<K: Dissemination> Evidence<K> {
    /// The epochs whose ends must be known to check it: all before this one.
    pub fn epoch(&self) -> Epoch {
        self.floor.finalization.epoch().max(self.execution.finalization.epoch())
    }
}

/// Why a server is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum Doubt {
    #[error("the end of epoch {0} is not its last header alone")]
    End(u64),
    #[error("the certificate of epoch {0} is of another epoch, or not valid")]
    Certificate(u64),
    #[error("the last header of epoch {0} names no next committee")]
    NoCommittee(u64),
    #[error("the committee of epoch {0} is not known")]
    Unknown(u64),
    #[error("evidence is for height {found}, not for {expected}")]
    Height { found: u64, expected: u64 },
    #[error("the header at height {0} has no certificate of its own")]
    NoFloor(u64),
}

/// The committees that were proved.
#[derive(Debug)]
pub struct Trust {
    rules: Arc<Rules>,
    committees: BTreeMap<Epoch, Committee>,
}

impl Trust {
    /// Trusts the genesis.
    pub fn new(rules: Arc<Rules>) -> Self {
        let committees = BTreeMap::from([(Epoch::zero(), rules.committee.clone())]);
        Self { rules, committees }
    }

    /// The newest epoch whose committee is known.
    pub fn epoch(&self) -> Epoch {
        self.committees.last_key_value().map_or(Epoch::zero(), |(epoch, _)| *epoch)
    }

    /// Learns the next epoch's committee from the end of the newest known one.
    ///
    /// # Errors
    /// If it is not its end, or not certified.
    pub fn learn<K: Dissemination>(&mut self, end: &Certified<K>, rng: &mut impl CryptoRng) -> Result<(), Doubt> {
        let epoch = self.epoch();
        let [header] = end.headers.as_slice() else { return Err(Doubt::End(epoch.get())) };
        if header.height != self.rules.last_of(epoch) {
            return Err(Doubt::End(epoch.get()));
        }
        self.check_certificate(end, header, rng)?;
        self.remember(header)
    }

    /// As [`Trust::learn`], for an end that was checked before.
    ///
    /// # Errors
    /// If it is no end.
    pub fn remember<K: Dissemination>(&mut self, header: &Header<K>) -> Result<(), Doubt> {
        let epoch = self.rules.epoch_of(header.height);
        let next = header.next.clone().ok_or(Doubt::NoCommittee(epoch.get()))?;
        self.committees.insert(epoch.next(), next);
        while self.committees.len() > REMEMBERED {
            self.committees.pop_first();
        }
        Ok(())
    }

    /// Checks the evidence for a snapshot at `height`, and returns what block it must be of.
    ///
    /// # Errors
    /// If it does not prove that.
    pub fn check<K: Dissemination>(
        &self,
        height: u64,
        evidence: &Evidence<K>,
        rng: &mut impl CryptoRng,
    ) -> Result<BlockRef, Doubt> {
        let Evidence { floor, execution } = evidence;
        let [header] = floor.headers.as_slice() else { return Err(Doubt::NoFloor(height)) };
        is_height(header.height, height)?;
        self.check_certificate(floor, header, rng)?;
        let (Some(first), Some(last)) = (execution.headers.first(), execution.headers.last()) else {
            return Err(Doubt::Height { found: 0, expected: height });
        };
        is_height(first.execution.height, height)?;
        is_height(first.height.saturating_sub(self.rules.execution_lag), height)?;
        self.check_certificate(execution, last, rng)?;
        Ok(first.execution)
    }

    fn check_certificate<K: Dissemination>(
        &self,
        certified: &Certified<K>,
        last: &Header<K>,
        rng: &mut impl CryptoRng,
    ) -> Result<(), Doubt> {
        let epoch = self.rules.epoch_of(last.height);
        let committee = self.committees.get(&epoch).ok_or(Doubt::Unknown(epoch.get()))?;
        let keys = match &self.rules.signatures {
            Signatures::Ed25519 => committee.keys(),
            // One key for all epochs; those in headers are elected and have no shares yet.
            Signatures::Threshold(_) => self.rules.committee.keys(),
        };
        let scheme = Scheme::verifier(&self.rules.signatures, &self.rules.namespace, keys);
        let is_valid = certified.finalization.epoch() == epoch && certified.verify(rng, &scheme);
        if is_valid { Ok(()) } else { Err(Doubt::Certificate(epoch.get())) }
    }
}

fn is_height(found: u64, expected: u64) -> Result<(), Doubt> {
    if found == expected { Ok(()) } else { Err(Doubt::Height { found, expected }) }
}
