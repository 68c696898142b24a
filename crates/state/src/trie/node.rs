//! Nodes of the trie, and their RLP.

use std::sync::Arc;

use alloy_primitives::{B256, keccak256};
use alloy_rlp::{EMPTY_STRING_CODE, Encodable, Header};
use braid_keccak::hash_all;

use super::page::Page;

/// Nibbles of a key.
pub(crate) const KEY_NIBBLES: usize = 64;

/// The start of a node that has no reference yet.
const UNPLACED: u8 = u8::MAX;

/// What a leaf holds.
pub(crate) trait Value: Clone + PartialEq + Send + Sync + 'static {
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

    /// Whether both refer to the same hash, from the same start.
    pub(crate) fn is_equal(&self, other: &Self) -> bool {
        self.start != UNPLACED
            && self.start == other.start
            && self.len == 32
            && other.len == 32
            && self.bytes == other.bytes
    }

    /// Where the path of a node that has a reference begins.
    pub(crate) fn start(&self) -> Option<usize> {
        (self.start != UNPLACED).then_some(usize::from(self.start))
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

/// A key with its value. The link comes first in memory, beside the reference count: who copies a branch needs both of every child.
#[derive(Clone, Debug)]
#[repr(C)]
pub(crate) struct Leaf<V> {
    link: Link,
    /// The whole key.
    pub(crate) key: B256,
    /// What stands at the key.
    pub(crate) value: V,
}

/// Two or more children that part at nibble `depth`.
#[derive(Clone, Debug)]
#[repr(C)]
pub(crate) struct Branch<V> {
    link: Link,
    /// Bit n is set if there is a child for nibble n.
    mask: u16,
    /// The nibble at which the children part.
    pub(crate) depth: usize,
    children: Box<[Child<V>]>,
    /// A key under this branch; its first `depth` nibbles are common to all of them.
    pub(crate) path: B256,
}

/// A node, counted by reference.
#[derive(Debug)]
pub(crate) enum Child<V> {
    /// A single key.
    Leaf(Arc<Leaf<V>>),
    /// Several keys.
    Branch(Arc<Branch<V>>),
    /// Several keys that may be on disk.
    Page(Arc<Page<V>>),
}

/// A node in memory.
#[derive(Debug)]
pub(crate) enum Node<'a, V> {
    Leaf(&'a Arc<Leaf<V>>),
    Branch(&'a Arc<Branch<V>>),
}

impl<V> Clone for Child<V> {
    fn clone(&self) -> Self {
        match self {
            Self::Leaf(leaf) => Self::Leaf(Arc::clone(leaf)),
            Self::Branch(branch) => Self::Branch(Arc::clone(branch)),
            Self::Page(page) => Self::Page(Arc::clone(page)),
        }
    }
}

impl<V: Value> Child<V> {
    /// The node itself, which is read if it is on disk.
    pub(crate) fn node(&self) -> Node<'_, V> {
        match self {
            Self::Leaf(leaf) => Node::Leaf(leaf),
            Self::Branch(branch) => Node::Branch(branch),
            Self::Page(page) => Node::Branch(page.branch()),
        }
    }

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
        let path = children.first().map_or(B256::ZERO, Self::path);
        Self::Branch(Arc::new(Branch { path, depth, mask, link: Link::NONE, children: children.into_boxed_slice() }))
    }

    /// The same node with its reference as seen by a parent whose path ends before nibble `start`. What lacks a reference below it gets its
    /// own first: level by level, so that many nodes are hashed at once.
    pub(crate) fn place(mut self, start: usize) -> Self {
        for level in (0..self.unplaced_levels(start)).rev() {
            let mut nodes = Vec::new();
            self.gather(start, level, &mut nodes);
            place_all(&mut nodes);
        }
        self
    }

    /// Levels down to the lowest node without a reference. Below a node that has one all have theirs.
    fn unplaced_levels(&self, start: usize) -> usize {
        if self.is_placed(start) {
            return 0;
        }
        match self.node() {
            Node::Leaf(_) => 1,
            Node::Branch(branch) => {
                let below = branch.children.iter().map(|child| child.unplaced_levels(branch.depth + 1));
                1 + below.max().unwrap_or_default()
            }
        }
    }

    /// The nodes without a reference that are so many levels below this one, each with its start.
    fn gather<'a>(&'a mut self, start: usize, level: usize, nodes: &mut Vec<(usize, &'a mut Self)>) {
        if self.is_placed(start) {
            return;
        }
        if level == 0 {
            nodes.push((start, self));
        } else if let Self::Branch(branch) = self {
            let branch = Arc::make_mut(branch);
            branch.children.iter_mut().for_each(|child| child.gather(branch.depth + 1, level - 1, nodes));
        }
    }

    fn is_placed(&self, start: usize) -> bool {
        self.link().start == start_byte(start)
    }

    fn set_link(&mut self, link: Link) {
        match self {
            Self::Leaf(leaf) => Arc::make_mut(leaf).link = link,
            Self::Branch(branch) => Arc::make_mut(branch).link = link,
            Self::Page(page) => {
                let mut branch = Arc::clone(page.branch());
                Arc::make_mut(&mut branch).link = link;
                *self = Self::Branch(branch);
            }
        }
    }

    /// Whether two references are to one node in memory.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Leaf(a), Self::Leaf(b)) => Arc::ptr_eq(a, b),
            (Self::Branch(a), Self::Branch(b)) => Arc::ptr_eq(a, b),
            (Self::Page(a), Self::Page(b)) => Arc::ptr_eq(a, b),
            (Self::Page(page), Self::Branch(branch)) | (Self::Branch(branch), Self::Page(page)) => {
                page.in_memory().is_some_and(|own| Arc::ptr_eq(own, branch))
            }
            _ => false,
        }
    }

    /// Whether two nodes at the same place hold the same, as far as can be said without looking below them.
    pub(crate) fn is_equal(&self, other: &Self) -> bool {
        self.is_same(other) || (self.depth() == other.depth() && self.link().is_equal(other.link()))
    }

    /// The node's reference.
    pub(crate) fn link(&self) -> &Link {
        match self {
            Self::Leaf(leaf) => &leaf.link,
            Self::Branch(branch) => &branch.link,
            Self::Page(page) => page.link(),
        }
    }

    /// A key at or under this node.
    pub(crate) fn path(&self) -> B256 {
        match self {
            Self::Leaf(leaf) => leaf.key,
            Self::Branch(branch) => branch.path,
            Self::Page(page) => page.path,
        }
    }

    /// The nibble at which the node branches; the end of the key for a leaf.
    pub(crate) fn depth(&self) -> usize {
        match self {
            Self::Leaf(_) => KEY_NIBBLES,
            Self::Branch(branch) => branch.depth,
            Self::Page(page) => page.depth,
        }
    }

    /// RLP of the node whose path begins at nibble `start`: the leaf, the branch, or the extension before the branch.
    pub(crate) fn encode(&self, start: usize) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode_to(start, &mut Vec::new(), &mut out);
        out
    }

    /// Appends the node's RLP; `scratch` is overwritten.
    fn encode_to(&self, start: usize, scratch: &mut Vec<u8>, out: &mut Vec<u8>) {
        match self.node() {
            Node::Leaf(leaf) => leaf.encode_to(start, scratch, out),
            Node::Branch(branch) if branch.depth == start => branch.encode_to(out),
            Node::Branch(branch) => {
                scratch.clear();
                branch.encode_to(scratch);
                let inner = Link::new(UNPLACED, scratch);
                let path = HexPrefix::new(&branch.path, start, branch.depth, 0);
                begin_list(path.as_slice().length() + inner.encoded_len(), out);
                path.as_slice().encode(out);
                inner.encode(out);
            }
        }
    }
}

/// Gives nodes, none of which is below another, the references for their starts.
fn place_all<V: Value>(nodes: &mut [(usize, &mut Child<V>)]) {
    let (mut scratch, mut bytes, mut ends) = (Vec::new(), Vec::new(), Vec::with_capacity(nodes.len()));
    for (start, node) in nodes.iter() {
        node.encode_to(*start, &mut scratch, &mut bytes);
        ends.push(bytes.len());
    }
    let mut from = 0;
    let encoded = ends.into_iter().map(|end| &bytes[std::mem::replace(&mut from, end)..end]);
    let encoded: Vec<&[u8]> = encoded.collect();
    for (((start, node), rlp), hash) in nodes.iter_mut().zip(&encoded).zip(hash_all(&encoded)) {
        let byte = start_byte(*start);
        node.set_link(if rlp.len() < 32 { Link::embedded(byte, rlp) } else { Link::hashed(byte, hash) });
    }
}

impl<V: Value> Leaf<V> {
    /// The same leaf with another value that is encoded the same.
    pub(crate) fn with_value(&self, value: V) -> Self {
        Self { link: self.link, key: self.key, value }
    }

    fn encode_to(&self, start: usize, value: &mut Vec<u8>, out: &mut Vec<u8>) {
        let path = HexPrefix::new(&self.key, start, KEY_NIBBLES, 2);
        value.clear();
        self.value.write(value);
        begin_list(path.as_slice().length() + value.as_slice().length(), out);
        path.as_slice().encode(out);
        value.as_slice().encode(out);
    }
}

impl<V> Leaf<V> {
    /// Asks the processor for the leaf.
    #[inline]
    pub(crate) fn prefetch(&self) {
        prefetch(std::ptr::from_ref(self), std::mem::size_of::<Self>());
    }
}

/// Asks the processor for some bytes of memory, without waiting for them.
#[inline]
fn prefetch<T>(from: *const T, bytes: usize) {
    const LINE_BYTES: usize = 64;
    #[cfg(target_arch = "x86_64")]
    for at in (0..bytes).step_by(LINE_BYTES) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads nothing, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(from.cast::<i8>().wrapping_add(at)) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (from, bytes, LINE_BYTES);
}

impl<V> Branch<V> {
    /// The child for a nibble.
    pub(crate) fn child(&self, nibble: u8) -> Option<&Child<V>> {
        let bit = 1u16 << nibble;
        let index = (self.mask & (bit - 1)).count_ones();
        if self.mask & bit == 0 { None } else { self.children.get(index as usize) }
    }

    /// Asks the processor for the list of children.
    #[inline]
    pub(crate) fn prefetch_list(&self) {
        prefetch(self.children.as_ptr(), std::mem::size_of_val(&*self.children));
    }

    /// Asks the processor for what copying the branch needs of the children, reference counts and links, and for where branches among them
    /// have their own children.
    #[inline]
    pub(crate) fn prefetch_children(&self) {
        for child in &self.children {
            match child {
                Child::Leaf(leaf) => prefetch(Arc::as_ptr(leaf), 1),
                Child::Branch(branch) => prefetch(Arc::as_ptr(branch), std::mem::size_of::<Self>()),
                Child::Page(page) => prefetch(Arc::as_ptr(page), std::mem::size_of::<Page<V>>()),
            }
        }
    }

    /// The branch's own reference.
    pub(crate) const fn link(&self) -> &Link {
        &self.link
    }

    /// The children in order.
    pub(crate) fn children(&self) -> &[Child<V>] {
        &self.children
    }
}

impl<V: Value> Branch<V> {
    /// The same branch with other children, of the same references.
    pub(crate) fn with_children(&self, children: Vec<Child<V>>) -> Self {
        debug_assert!(children.iter().zip(&self.children).all(|(a, b)| a.is_equal(b) || a.link().is_embedded()));
        let Self { link, mask, depth, path, .. } = *self;
        Self { link, mask, depth, path, children: children.into_boxed_slice() }
    }

    /// RLP of the branch alone, without its prefix.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode_to(&mut out);
        out
    }

    fn encode_to(&self, out: &mut Vec<u8>) {
        let full: usize = self.children.iter().map(|child| child.link().encoded_len()).sum();
        begin_list(full + (16 - self.children.len()) + 1, out);
        for nibble in 0..16 {
            match self.child(nibble) {
                Some(child) => child.link().encode(out),
                None => out.push(EMPTY_STRING_CODE),
            }
        }
        out.push(EMPTY_STRING_CODE);
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

/// Begins a list.
fn begin_list(payload_length: usize, out: &mut Vec<u8>) {
    let header = Header { list: true, payload_length };
    out.reserve(header.length() + payload_length);
    header.encode(out);
}

/// Nibbles in hex-prefix encoding.
struct HexPrefix {
    bytes: [u8; KEY_NIBBLES / 2 + 1],
    len: usize,
}

impl HexPrefix {
    /// Nibbles `start..end` of `key`; `flag` is 2 for leaves, 0 for extensions.
    fn new(key: &B256, start: usize, end: usize, flag: u8) -> Self {
        let mut bytes = [0; KEY_NIBBLES / 2 + 1];
        let odd = (end - start) % 2 == 1;
        bytes[0] = if odd { (flag | 1) << 4 | nibble(key, start) } else { flag << 4 };
        let len = (end - start) / 2 + 1;
        let mut at = start + usize::from(odd);
        for byte in &mut bytes[1..len] {
            *byte = nibble(key, at) << 4 | nibble(key, at + 1);
            at += 2;
        }
        Self { bytes, len }
    }

    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}
