//! Nodes of the trie, and their RLP.

use std::sync::Arc;

use alloy_primitives::{B256, keccak256};
use alloy_rlp::{BufMut, EMPTY_STRING_CODE, Encodable, Header};
use braid_keccak::hash_all;

/// Nibbles of a key.
pub(crate) const KEY_NIBBLES: usize = 64;

/// The start of a node that has no reference yet.
const UNPLACED: u8 = u8::MAX;

/// What a leaf holds.
pub(crate) trait Value: Clone + PartialEq + Send + Sync {
    /// Appends the value as the trie commits to it.
    fn write(&self, out: &mut Vec<u8>);
}

/// How a parent refers to a node: its hash, or its RLP when that is shorter than 32 bytes; valid for one start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    start: u8,
    len: u8,
    bytes: B256,
}

impl Link {
    const NONE: Self = Self { start: UNPLACED, len: 0, bytes: B256::ZERO };

    fn new(start: u8, rlp: &[u8]) -> Self {
        if rlp.len() >= 32 {
            return Self::hashed(start, keccak256(rlp));
        }
        Self::embedded(start, rlp)
    }

    const fn hashed(start: u8, hash: B256) -> Self {
        Self { start, len: 32, bytes: hash }
    }

    fn embedded(start: u8, rlp: &[u8]) -> Self {
        let mut link = Self { start, ..Self::NONE };
        for (to, from) in link.bytes.iter_mut().zip(rlp) {
            *to = *from;
            link.len += 1;
        }
        link
    }

    /// Whether the node stands inside its parent instead of being referred to by hash.
    pub(crate) const fn is_embedded(&self) -> bool {
        self.len < 32
    }

    /// The node's hash, as a root needs it even when the node is short.
    pub(crate) fn hash(&self) -> B256 {
        if self.is_embedded() { keccak256(&self.bytes[..usize::from(self.len)]) } else { self.bytes }
    }

    fn encoded_len(&self) -> usize {
        if self.is_embedded() { usize::from(self.len) } else { 33 }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        if !self.is_embedded() {
            out.push(EMPTY_STRING_CODE + 32);
        }
        out.extend_from_slice(&self.bytes[..usize::from(self.len)]);
    }
}

/// A key with its value.
#[derive(Clone, Debug)]
pub(crate) struct Leaf<V> {
    /// The whole key.
    pub(crate) key: B256,
    /// What stands at the key.
    pub(crate) value: V,
    link: Link,
}

/// Two or more children that part at nibble `depth`.
#[derive(Clone, Debug)]
pub(crate) struct Branch<V> {
    /// A key under this branch; its first `depth` nibbles are common to all of them.
    pub(crate) path: B256,
    /// The nibble at which the children part.
    pub(crate) depth: usize,
    /// Bit n is set if there is a child for nibble n.
    mask: u16,
    link: Link,
    children: Box<[Child<V>]>,
}

/// A node, counted by reference.
#[derive(Debug)]
pub(crate) enum Child<V> {
    /// A single key.
    Leaf(Arc<Leaf<V>>),
    /// Several keys.
    Branch(Arc<Branch<V>>),
}

impl<V> Clone for Child<V> {
    fn clone(&self) -> Self {
        match self {
            Self::Leaf(leaf) => Self::Leaf(Arc::clone(leaf)),
            Self::Branch(branch) => Self::Branch(Arc::clone(branch)),
        }
    }
}

impl<V: Value> Child<V> {
    /// A leaf without reference.
    pub(crate) fn leaf(key: B256, value: V) -> Self {
        Self::Leaf(Arc::new(Leaf { key, value, link: Link::NONE }))
    }

    /// The branch at nibble `depth` over `slots`, at least two of which are filled.
    pub(crate) fn branch(depth: usize, slots: [Option<Self>; 16]) -> Self {
        let mut mask = 0;
        let mut children = Vec::with_capacity(slots.iter().flatten().count());
        for (nibble, slot) in slots.into_iter().enumerate() {
            if let Some(child) = slot {
                mask |= 1 << nibble;
                children.push(child);
            }
        }
        place_all(&mut children, depth + 1);
        let path = children.first().map_or(B256::ZERO, Self::path);
        Self::Branch(Arc::new(Branch { path, depth, mask, link: Link::NONE, children: children.into_boxed_slice() }))
    }

    /// The same node with its reference as seen by a parent whose path ends before nibble `start`.
    pub(crate) fn place(mut self, start: usize) -> Self {
        let start = start_byte(start);
        if self.link().start == start {
            return self;
        }
        let link = Link::new(start, &self.encode(usize::from(start)));
        self.set_link(link);
        self
    }

    fn set_link(&mut self, link: Link) {
        match self {
            Self::Leaf(leaf) => Arc::make_mut(leaf).link = link,
            Self::Branch(branch) => Arc::make_mut(branch).link = link,
        }
    }

    /// Whether two references are to one node in memory.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Leaf(a), Self::Leaf(b)) => Arc::ptr_eq(a, b),
            (Self::Branch(a), Self::Branch(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }

    /// The node's reference.
    pub(crate) fn link(&self) -> &Link {
        match self {
            Self::Leaf(leaf) => &leaf.link,
            Self::Branch(branch) => &branch.link,
        }
    }

    /// A key at or under this node.
    pub(crate) fn path(&self) -> B256 {
        match self {
            Self::Leaf(leaf) => leaf.key,
            Self::Branch(branch) => branch.path,
        }
    }

    /// The nibble at which the node branches; the end of the key for a leaf.
    pub(crate) fn depth(&self) -> usize {
        match self {
            Self::Leaf(_) => KEY_NIBBLES,
            Self::Branch(branch) => branch.depth,
        }
    }

    /// RLP of the node whose path begins at nibble `start`: the leaf, the branch, or the extension before the branch.
    pub(crate) fn encode(&self, start: usize) -> Vec<u8> {
        match self {
            Self::Leaf(leaf) => leaf.encode(start),
            Self::Branch(branch) if branch.depth == start => branch.encode(),
            Self::Branch(branch) => {
                let inner = Link::new(UNPLACED, &branch.encode());
                let path = hex_prefix(&branch.path, start, branch.depth, 0);
                let mut out = list(path.as_slice().length() + inner.encoded_len());
                path.as_slice().encode(&mut out);
                inner.encode(&mut out);
                out
            }
        }
    }
}

/// Gives siblings their references, as [`Child::place`] does one by one.
fn place_all<V: Value>(children: &mut [Child<V>], start: usize) {
    let byte = start_byte(start);
    let mut changed: Vec<&mut Child<V>> = children.iter_mut().filter(|child| child.link().start != byte).collect();
    let encoded: Vec<Vec<u8>> = changed.iter().map(|child| child.encode(start)).collect();
    let hashes = hash_all(&encoded);
    for ((child, rlp), hash) in changed.iter_mut().zip(&encoded).zip(hashes) {
        child.set_link(if rlp.len() < 32 { Link::embedded(byte, rlp) } else { Link::hashed(byte, hash) });
    }
}

impl<V: Value> Leaf<V> {
    fn encode(&self, start: usize) -> Vec<u8> {
        let path = hex_prefix(&self.key, start, KEY_NIBBLES, 2);
        let mut value = Vec::with_capacity(112);
        self.value.write(&mut value);
        let mut out = list(path.as_slice().length() + value.as_slice().length());
        path.as_slice().encode(&mut out);
        value.as_slice().encode(&mut out);
        out
    }
}

impl<V> Branch<V> {
    /// The child for a nibble.
    pub(crate) fn child(&self, nibble: u8) -> Option<&Child<V>> {
        let bit = 1u16 << nibble;
        let index = (self.mask & (bit - 1)).count_ones();
        if self.mask & bit == 0 { None } else { self.children.get(index as usize) }
    }

    /// The children in order.
    pub(crate) fn children(&self) -> &[Child<V>] {
        &self.children
    }
}

impl<V: Value> Branch<V> {
    /// RLP of the branch alone, without its prefix.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let full: usize = self.children.iter().map(|child| child.link().encoded_len()).sum();
        let mut out = list(full + (16 - self.children.len()) + 1);
        for nibble in 0..16 {
            match self.child(nibble) {
                Some(child) => child.link().encode(&mut out),
                None => out.push(EMPTY_STRING_CODE),
            }
        }
        out.push(EMPTY_STRING_CODE);
        out
    }
}

/// Nibble `index` of a key, from the most significant.
pub(crate) fn nibble(key: &B256, index: usize) -> u8 {
    let byte = key[index / 2];
    if index.is_multiple_of(2) { byte >> 4 } else { byte & 0x0f }
}

/// Number of leading nibbles two keys share.
pub(crate) fn common_nibbles(a: &B256, b: &B256) -> usize {
    match a.iter().zip(b.iter()).position(|(a, b)| a != b) {
        Some(at) if a[at] >> 4 == b[at] >> 4 => 2 * at + 1,
        Some(at) => 2 * at,
        None => KEY_NIBBLES,
    }
}

fn start_byte(start: usize) -> u8 {
    debug_assert!(start <= KEY_NIBBLES);
    u8::try_from(start).unwrap_or(UNPLACED)
}

/// A list header with room for its payload.
fn list(payload_length: usize) -> Vec<u8> {
    let header = Header { list: true, payload_length };
    let mut out = Vec::with_capacity(header.length() + payload_length);
    header.encode(&mut out);
    out
}

/// Nibbles `start..end` of `key` in hex-prefix encoding; `flag` is 2 for leaves, 0 for extensions.
fn hex_prefix(key: &B256, start: usize, end: usize, flag: u8) -> Vec<u8> {
    let mut out = Vec::with_capacity((end - start) / 2 + 1);
    let odd = (end - start) % 2 == 1;
    out.put_u8(if odd { (flag | 1) << 4 | nibble(key, start) } else { flag << 4 });
    let mut at = start + usize::from(odd);
    while at < end {
        out.put_u8(nibble(key, at) << 4 | nibble(key, at + 1));
        at += 2;
    }
    out
}
