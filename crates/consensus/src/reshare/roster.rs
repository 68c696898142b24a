//! Who takes part in an epoch's ceremony, and where they are.

use bytes::BufMut;
use commonware_codec::{Buf, EncodeSize, Error, RangeCfg, Read, Write};
use commonware_cryptography::ed25519::PublicKey;
use commonware_glue::dkg::network::Directory;
use commonware_utils::ordered::Set;

use crate::committee::{Committee, Validator};

/// Entries of validators, ordered by key, each key once: the members of an epoch, those who get shares in it, and those in the next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roster(Vec<Validator>);

impl Roster {
    /// The entries of `keys`, each from the first of `sources` that has one. Keys without any are left out.
    pub fn gather(keys: &Set<PublicKey>, sources: &[&[Validator]]) -> Self {
        let entry = |key: &PublicKey| {
            let mut found = sources.iter().filter_map(|source| {
                let index = source.binary_search_by(|validator| validator.public_key.cmp(key)).ok()?;
                source.get(index)
            });
            found.next().cloned()
        };
        Self(keys.iter().filter_map(entry).collect())
    }

    /// The entries in the order of their keys.
    pub fn validators(&self) -> &[Validator] {
        &self.0
    }
}

impl From<&Committee> for Roster {
    fn from(committee: &Committee) -> Self {
        Self(committee.validators().to_vec())
    }
}

impl Write for Roster {
    fn write(&self, buf: &mut impl BufMut) {
        self.0.write(buf);
    }
}

impl EncodeSize for Roster {
    fn encode_size(&self) -> usize {
        self.0.encode_size()
    }
}

impl Read for Roster {
    /// Number of entries.
    type Cfg = RangeCfg<usize>;

    fn read_cfg(buf: &mut impl Buf, count: &Self::Cfg) -> Result<Self, Error> {
        let validators = Vec::<Validator>::read_cfg(buf, &(*count, ()))?;
        if validators.windows(2).any(|pair| pair[0].public_key >= pair[1].public_key) {
            return Err(Error::Invalid("Roster", "validators are not in the order of their keys"));
        }
        Ok(Self(validators))
    }
}

impl Directory<PublicKey> for Roster {
    fn codec_config(peers: &Set<PublicKey>) -> RangeCfg<usize> {
        RangeCfg::exact(peers.len())
    }

    fn max_encode_size(peers: usize) -> usize {
        // A length takes ten bytes at most.
        10 + peers * Validator::MAX_SIZE
    }

    fn matches(&self, peers: &Set<PublicKey>) -> bool {
        self.0.iter().map(|validator| &validator.public_key).eq(peers.iter())
    }
}
