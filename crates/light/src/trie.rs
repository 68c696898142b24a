//! Looks a key up in a Merkle Patricia trie by a proof: the nodes from the root towards the key.
//!
//! The trie is the Yellow Paper's (appendix D). A node is an RLP list: a branch of sixteen children and a value, or a path
//! and what it leads to. A path is packed two digits a byte with a digit before it that tells whether a value (leaf) or another
//! node (extension) follows and whether the number of digits is odd. A child is its node's Keccak hash, or the node itself
//! if it takes fewer than 32 bytes.
//!
//! Every node of the proof must hash to what the one before names, so a root that is trusted makes the nodes trusted. A key is
//! absent if the nodes lead to where it would have to be, and it is not there.

use alloy_primitives::{B256, Bytes, b256, keccak256};
use alloy_rlp::{EMPTY_STRING_CODE, Header, PayloadView};

/// Root of the trie without keys.
pub const EMPTY_ROOT: B256 = b256!("56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421");

/// Nodes of a proof: one for each digit of a hash, and the last.
pub const MAX_PROOF_NODES: usize = 65;

/// Why nodes prove nothing of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrieError {
    /// More than [`MAX_PROOF_NODES`].
    #[error("{0} nodes, allowed are {MAX_PROOF_NODES}")]
    TooManyNodes(usize),
    /// A node is not the one that the root, or the node before, names.
    #[error("node {node} has hash {hash}, due is {due}")]
    Hash {
        /// Which node, from 0.
        node: usize,
        /// Its hash.
        hash: B256,
        /// What is named.
        due: B256,
    },
    /// A node is no node.
    #[error("node {0} is malformed")]
    Malformed(usize),
    /// The nodes do not lead to where the key would have to be.
    #[error("the proof ends before the key: a node with hash {0} is missing")]
    Incomplete(B256),
    /// Nodes follow on where the key is, or would have to be.
    #[error("the proof goes on beyond the key, from node {0} on")]
    Excess(usize),
}

/// Where a node leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step<'a> {
    Value(&'a [u8]),
    Absent,
    Node(B256),
}

/// The value of `key` in the trie with this root, or that it has none.
///
/// # Errors
/// If `proof` tells neither.
pub fn lookup<'a>(root: B256, key: &[u8], proof: &'a [Bytes]) -> Result<Option<&'a [u8]>, TrieError> {
    if proof.len() > MAX_PROOF_NODES {
        return Err(TrieError::TooManyNodes(proof.len()));
    }
    // The empty trie has no nodes; some write the empty string for its root.
    let is_empty = root == EMPTY_ROOT && proof.iter().all(|node| node[..] == [EMPTY_STRING_CODE]) && proof.len() < 2;
    if is_empty {
        return Ok(None);
    }
    let mut walk = Walk { key, depth: 0 };
    let mut due = root;
    for (index, node) in proof.iter().enumerate() {
        let hash = keccak256(node);
        if hash != due {
            return Err(TrieError::Hash { node: index, hash, due });
        }
        let found = match walk.step(node).ok_or(TrieError::Malformed(index))? {
            Step::Node(child) => {
                due = child;
                continue;
            }
            Step::Value(value) => Some(value),
            Step::Absent => None,
        };
        let has_more = index + 1 < proof.len();
        return if has_more { Err(TrieError::Excess(index + 1)) } else { Ok(found) };
    }
    Err(TrieError::Incomplete(due))
}

/// The digit of four bits at `place`, if there are as many.
fn digit(bytes: &[u8], place: usize) -> Option<u8> {
    let byte = *bytes.get(place / 2)?;
    Some(if place.is_multiple_of(2) { byte >> 4 } else { byte & 0x0f })
}

/// How far into a key the nodes have led.
struct Walk<'k> {
    key: &'k [u8],
    /// Digits passed.
    depth: usize,
}

impl Walk<'_> {
    /// Follows a node and those inside it. None if one is malformed.
    fn step<'a>(&mut self, node: &'a [u8]) -> Option<Step<'a>> {
        let mut node = node;
        loop {
            let items = list(node)?;
            let child = match *items {
                [path, target] => {
                    let path = Path::decode(string(path)?)?;
                    if !self.pass(&path) {
                        return Some(Step::Absent);
                    }
                    if path.is_leaf {
                        let value = string(target)?;
                        return Some(if self.is_at_end() { Step::Value(value) } else { Step::Absent });
                    }
                    target
                }
                [.., value] if items.len() == 17 => match digit(self.key, self.depth) {
                    None => return string(value).map(present),
                    Some(digit) => {
                        self.depth += 1;
                        items[usize::from(digit)]
                    }
                },
                _ => return None,
            };
            match reference(child)? {
                Reference::None => return Some(Step::Absent),
                Reference::Hash(hash) => return Some(Step::Node(hash)),
                Reference::Inside(inside) => node = inside,
            }
        }
    }

    fn is_at_end(&self) -> bool {
        digit(self.key, self.depth).is_none()
    }

    /// Goes along `path`, if the key does.
    fn pass(&mut self, path: &Path<'_>) -> bool {
        let follows = (0..path.length()).all(|place| digit(self.key, self.depth + place) == path.digit(place));
        if follows {
            self.depth += path.length();
        }
        follows
    }
}

/// A branch's value is absent if it is empty.
const fn present(value: &[u8]) -> Step<'_> {
    if value.is_empty() { Step::Absent } else { Step::Value(value) }
}

/// What a child is.
enum Reference<'a> {
    None,
    Hash(B256),
    Inside(&'a [u8]),
}

fn reference(item: &[u8]) -> Option<Reference<'_>> {
    if *item.first()? >= 0xc0 {
        return Some(Reference::Inside(item));
    }
    let bytes = string(item)?;
    if bytes.is_empty() {
        return Some(Reference::None);
    }
    B256::try_from(bytes).ok().map(Reference::Hash)
}

/// A packed path.
struct Path<'a> {
    packed: &'a [u8],
    /// Digits before the path's own: the flags, and one more if the number of digits is even.
    skipped: usize,
    is_leaf: bool,
}

impl<'a> Path<'a> {
    fn decode(packed: &'a [u8]) -> Option<Self> {
        let flags = digit(packed, 0)?;
        let is_odd = flags & 1 == 1;
        if flags > 3 || (!is_odd && digit(packed, 1) != Some(0)) {
            return None;
        }
        Some(Self { packed, skipped: if is_odd { 1 } else { 2 }, is_leaf: flags >= 2 })
    }

    const fn length(&self) -> usize {
        2 * self.packed.len() - self.skipped
    }

    fn digit(&self, place: usize) -> Option<u8> {
        digit(self.packed, self.skipped + place)
    }
}

/// The items of an RLP list, each with its header, if `bytes` are one whole list.
fn list(bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut rest = bytes;
    match Header::decode_raw(&mut rest).ok()? {
        PayloadView::List(items) if rest.is_empty() => Some(items),
        _ => None,
    }
}

/// The payload of an RLP string, if `bytes` are one whole string.
fn string(bytes: &[u8]) -> Option<&[u8]> {
    let mut rest = bytes;
    let payload = Header::decode_bytes(&mut rest, false).ok()?;
    rest.is_empty().then_some(payload)
}

#[cfg(test)]
mod tests;
