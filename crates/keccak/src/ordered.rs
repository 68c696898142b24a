//! The root of a list: that of a Merkle-Patricia trie with each item at the RLP of its index, as blocks have of their transactions and
//! receipts (Yellow Paper, section 4.3.2 and appendix D).
//!
//! The shape of the trie depends on nothing but the number of items. It is laid out first; then nodes are encoded and hashed level by
//! level, from those without children up, a level's nodes together.
//!
//! No key is the beginning of another, so that branches hold no values.

use alloy_primitives::{B256, b256, keccak256};
use alloy_rlp::{EMPTY_STRING_CODE, Encodable, Header};

use crate::many::hash_each;

/// The root of the trie without items: Keccak-256 of the RLP of nothing.
const EMPTY_ROOT: B256 = b256!("0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421");

/// Encoded nodes that are hashed together: enough for all lanes, few enough for the caches.
const HASHED_AT_ONCE: usize = 64;

/// Nibbles of the longest key: an index of eight bytes and its prefix.
const MAX_NIBBLES: usize = 18;

/// A key, nibble by nibble.
#[derive(Clone, Copy, Debug)]
struct Key {
    nibbles: [u8; MAX_NIBBLES],
    len: usize,
    item: usize,
}

impl Key {
    fn new(item: usize) -> Self {
        let mut bytes = Vec::with_capacity(MAX_NIBBLES / 2);
        item.encode(&mut bytes);
        let mut key = Self { nibbles: [0; MAX_NIBBLES], len: 2 * bytes.len(), item };
        for (pair, byte) in key.nibbles.chunks_exact_mut(2).zip(bytes) {
            pair[0] = byte >> 4;
            pair[1] = byte & 0x0f;
        }
        key
    }

    fn nibbles(&self) -> &[u8] {
        &self.nibbles[..self.len]
    }
}

/// A node of the trie that is laid out; children by their places among the nodes.
#[derive(Clone, Copy, Debug)]
enum Node {
    /// An item, under the nibbles from `start` on.
    Leaf { key: Key, start: usize },
    /// Nibbles `start..end` before a branch.
    Extension { key: Key, start: usize, end: usize, child: usize },
    /// What parts at a nibble.
    Branch([Option<usize>; 16]),
}

/// How a parent refers to a node: by its hash, or by its RLP if that is shorter.
#[derive(Clone, Copy, Debug)]
struct Reference {
    bytes: [u8; 32],
    len: usize,
}

impl Reference {
    const NONE: Self = Self { bytes: [0; 32], len: 0 };

    const fn is_hash(&self) -> bool {
        self.len == 32
    }

    const fn encoded_len(&self) -> usize {
        if self.is_hash() { 33 } else { self.len }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        if self.is_hash() {
            out.push(EMPTY_STRING_CODE + 32);
        }
        out.extend_from_slice(&self.bytes[..self.len]);
    }
}

/// The trie's nodes, each with the level it is encoded at: one above that of its children.
#[derive(Debug, Default)]
struct Layout {
    nodes: Vec<Node>,
    levels: Vec<Vec<usize>>,
}

impl Layout {
    fn add(&mut self, node: Node, level: usize) -> (usize, usize) {
        let place = self.nodes.len();
        self.nodes.push(node);
        if self.levels.len() <= level {
            self.levels.resize(level + 1, Vec::new());
        }
        self.levels[level].push(place);
        (place, level)
    }

    /// Lays out the node over `keys`, which are sorted and share the first `start` nibbles. Its place and level; nothing if there are no keys.
    fn lay_out(&mut self, keys: &[Key], start: usize) -> Option<(usize, usize)> {
        let (first, last) = (keys.first()?, keys.last()?);
        if keys.len() == 1 {
            return Some(self.add(Node::Leaf { key: *first, start }, 0));
        }
        let common = first.nibbles().iter().zip(last.nibbles()).take_while(|(a, b)| a == b).count();
        let (mut children, mut level, mut rest) = ([None; 16], 0, keys);
        for (nibble, child) in (0..).zip(&mut children) {
            let count = rest.iter().take_while(|key| key.nibbles[common] == nibble).count();
            let (group, others) = rest.split_at(count);
            rest = others;
            if let Some((place, below)) = self.lay_out(group, common + 1) {
                *child = Some(place);
                level = level.max(below + 1);
            }
        }
        let (child, level) = self.add(Node::Branch(children), level);
        if common == start {
            return Some((child, level));
        }
        Some(self.add(Node::Extension { key: *first, start, end: common, child }, level + 1))
    }
}

/// The root over `items`, each as `encode` appends it.
pub fn ordered_root<T>(items: &[T], mut encode: impl FnMut(&T, &mut Vec<u8>)) -> B256 {
    let mut keys: Vec<Key> = (0..items.len()).map(Key::new).collect();
    keys.sort_unstable_by(|a, b| a.nibbles().cmp(b.nibbles()));
    let mut layout = Layout::default();
    if layout.lay_out(&keys, 0).is_none() {
        return EMPTY_ROOT;
    }
    let Layout { nodes, levels } = layout;
    let mut references = vec![Reference::NONE; nodes.len()];
    let (mut encoded, mut ends, mut value) = (Vec::new(), Vec::new(), Vec::new());
    for places in levels.iter().flat_map(|level| level.chunks(HASHED_AT_ONCE)) {
        encoded.clear();
        ends.clear();
        for place in places {
            if let Node::Leaf { key, .. } = &nodes[*place] {
                value.clear();
                encode(&items[key.item], &mut value);
            }
            write(&nodes[*place], &value, &references, &mut encoded);
            ends.push(encoded.len());
        }
        refer(places, &encoded, &ends, &mut references);
    }
    // The root is the last node, and the last to be encoded.
    let root = references[nodes.len() - 1];
    if root.is_hash() { B256::new(root.bytes) } else { keccak256(&root.bytes[..root.len]) }
}

/// Makes the references to nodes from their encodings, one after the other.
fn refer(places: &[usize], encoded: &[u8], ends: &[usize], references: &mut [Reference]) {
    let node = |index: usize| {
        let start = index.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or_default();
        encoded.get(start..*ends.get(index)?)
    };
    let mut hashes = vec![B256::ZERO; places.len()];
    hash_each(node, &mut hashes);
    for (index, (place, hash)) in places.iter().zip(hashes).enumerate() {
        let node = node(index).unwrap_or_default();
        let reference = &mut references[*place];
        if node.len() < 32 {
            reference.len = node.len();
            reference.bytes[..node.len()].copy_from_slice(node);
        } else {
            *reference = Reference { bytes: hash.0, len: 32 };
        }
    }
}

/// Appends a node's RLP; `value` is a leaf's.
fn write(node: &Node, value: &[u8], references: &[Reference], out: &mut Vec<u8>) {
    let list = |payload_length| Header { list: true, payload_length };
    match node {
        Node::Leaf { key, start } => {
            let path = hex_prefix(&key.nibbles()[*start..], 2);
            list(path.as_slice().length() + value.length()).encode(out);
            path.as_slice().encode(out);
            value.encode(out);
        }
        Node::Extension { key, start, end, child } => {
            let path = hex_prefix(&key.nibbles[*start..*end], 0);
            list(path.as_slice().length() + references[*child].encoded_len()).encode(out);
            path.as_slice().encode(out);
            references[*child].encode(out);
        }
        Node::Branch(children) => {
            let child_len = |child: &Option<usize>| child.map_or(1, |child| references[child].encoded_len());
            list(children.iter().map(child_len).sum::<usize>() + 1).encode(out);
            for child in children {
                match child {
                    Some(child) => references[*child].encode(out),
                    None => out.push(EMPTY_STRING_CODE),
                }
            }
            out.push(EMPTY_STRING_CODE);
        }
    }
}

/// Nibbles in hex-prefix encoding; `flag` is 2 for leaves, 0 for extensions.
fn hex_prefix(nibbles: &[u8], flag: u8) -> Vec<u8> {
    let mut out = Vec::with_capacity(nibbles.len() / 2 + 1);
    let (odd, even) = if nibbles.len().is_multiple_of(2) { nibbles.split_at(0) } else { nibbles.split_at(1) };
    out.push(odd.first().map_or(flag << 4, |nibble| (flag | 1) << 4 | nibble));
    out.extend(even.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]));
    out
}

#[cfg(test)]
mod tests {
    use alloy_trie::root::ordered_trie_root_with_encoder;
    use proptest::prelude::*;

    use super::*;

    fn both(items: &[Vec<u8>]) -> (B256, B256) {
        let expected = ordered_trie_root_with_encoder(items, |item, out| out.extend_from_slice(item));
        (ordered_root(items, |item, out| out.extend_from_slice(item)), expected)
    }

    #[test]
    fn every_number_of_items_gives_the_root_that_one_after_the_other_gives() {
        for count in (0..300).chain([1_000, 65_535, 65_536, 65_537]) {
            let items: Vec<Vec<u8>> = (0..count).map(|item: u32| item.to_be_bytes().repeat(9)).collect();
            let (found, expected) = both(&items);
            assert_eq!(found, expected, "{count} items");
        }
    }

    #[test]
    fn short_items_stand_inside_their_parents() {
        for count in 0..300 {
            let items: Vec<Vec<u8>> = (0..=200)
                .cycle()
                .take(count)
                .zip([0, 1, 2, 3].into_iter().cycle())
                .map(|(byte, len)| vec![byte; len])
                .collect();
            let (found, expected) = both(&items);
            assert_eq!(found, expected, "{count} items");
        }
    }

    proptest! {
        #[test]
        fn items_of_any_lengths_give_the_root_that_one_after_the_other_gives(
            items in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..80), 0..200),
        ) {
            let (found, expected) = both(&items);
            prop_assert_eq!(found, expected);
        }
    }
}
