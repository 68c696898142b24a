//! Batch updates: one walk for all changed keys, in parallel where they are many.

use alloy_primitives::B256;
use rayon::prelude::*;

use super::{
    node::{Branch, Child, KEY_NIBBLES, Node, Value, common_nibbles, nibble},
    read::prefetch,
};

/// Changed keys below one node from which its children are updated in parallel, and hashed apart. A key costs some 2 µs, a rayon task well
/// under 1 µs; fewer keys at once would leave lanes of the hash function idle.
const PARALLEL_OPS: usize = 128;

/// A key with its value afterwards; `None` removes it.
pub(crate) type Op<V> = (B256, Option<V>);

/// The trie after `ops`, which are sorted by key without repetition. The result is placed as a root.
pub(crate) fn update<V: Value>(root: Option<&Child<V>>, ops: &[Op<V>]) -> Option<Child<V>> {
    debug_assert!(ops.is_sorted_by(|a, b| a.0 < b.0));
    if ops.len() < PARALLEL_OPS {
        prefetch(root, ops.iter().map(|(key, _)| key));
    }
    update_at(root, ops).map(|root| root.place(0))
}

/// The trie over sixteen tries, one for each nibble `at` of the keys, in order. The result is placed where the nibbles before `at` begin it.
pub(crate) fn join<V: Value>(at: usize, parts: impl IntoIterator<Item = Option<Child<V>>>) -> Option<Child<V>> {
    let mut parts = parts.into_iter();
    branch_over(at, std::array::from_fn(|_| parts.next().flatten())).map(|root| root.place(at))
}

/// The branch over keys that are sorted without repetition, placed after `start` nibbles.
pub(crate) fn build<V: Value>(leaves: Vec<(B256, V)>, start: usize) -> Option<Child<V>> {
    let ops: Vec<Op<V>> = leaves.into_iter().map(|(key, value)| (key, Some(value))).collect();
    update_at(None, &ops).map(|node| node.place(start))
}

/// The node after `ops`, all of which share the path up to the node. Its reference is not valid yet.
fn update_at<V: Value>(old: Option<&Child<V>>, ops: &[Op<V>]) -> Option<Child<V>> {
    let (Some((first, _)), Some((last, _))) = (ops.first(), ops.last()) else {
        return old.cloned();
    };
    match old.map(Child::node) {
        None if ops.len() == 1 => set(ops),
        None => fork(common_nibbles(first, last), |_| None, ops),
        Some(Node::Leaf(leaf)) if ops.len() == 1 && *first == leaf.key => set(ops).map(|new| match new {
            Child::Leaf(new) if new.value == leaf.value => Child::Leaf(leaf.clone()),
            new => new,
        }),
        Some(Node::Leaf(leaf)) => beside(leaf.key, KEY_NIBBLES, old, first, last, ops),
        Some(Node::Branch(branch)) => {
            let common = common_nibbles(&branch.path, first).min(common_nibbles(&branch.path, last));
            if common < branch.depth {
                return beside(branch.path, branch.depth, old, first, last, ops);
            }
            let new = fork(branch.depth, |nibble| branch.child(nibble), ops);
            new.map(|new| keep_if_same(old, branch, new))
        }
    }
}

/// The leaf that a single operation leaves.
fn set<V: Value>(ops: &[Op<V>]) -> Option<Child<V>> {
    let (key, value) = ops.first()?;
    value.as_ref().map(|value| Child::leaf(*key, value.clone()))
}

/// `ops` that part from the node `old` before the nibble `depth` where it branches itself.
fn beside<V: Value>(
    path: B256,
    depth: usize,
    old: Option<&Child<V>>,
    first: &B256,
    last: &B256,
    ops: &[Op<V>],
) -> Option<Child<V>> {
    let at = common_nibbles(&path, first).min(common_nibbles(&path, last));
    debug_assert!(at < depth);
    let own = nibble(&path, at);
    fork(at, |nibble| old.filter(|_| nibble == own), ops)
}

/// Updates the sixteen slots at nibble `at` and joins what remains: nothing, a single node, or a branch.
fn fork<'a, V: Value + 'a>(
    at: usize,
    slot: impl Fn(u8) -> Option<&'a Child<V>> + Sync,
    ops: &[Op<V>],
) -> Option<Child<V>> {
    let step = |index: u8| update_at(slot(index), group(ops, at, index));
    let slots: [Option<Child<V>>; 16] = if ops.len() >= PARALLEL_OPS {
        let mut slots: [Option<Child<V>>; 16] = Default::default();
        slots.par_iter_mut().zip(0..16u8).for_each(|(new, index)| {
            let ops = group(ops, at, index);
            if ops.len() < PARALLEL_OPS {
                prefetch(slot(index), ops.iter().map(|(key, _)| key));
            }
            *new = update_at(slot(index), ops).map(|node| node.place(at + 1));
        });
        slots
    } else {
        let mut index = 0..16u8;
        std::array::from_fn(|_| index.next().and_then(step))
    };
    branch_over(at, slots)
}

/// What joins the sixteen slots at nibble `at`.
fn branch_over<V: Value>(at: usize, slots: [Option<Child<V>>; 16]) -> Option<Child<V>> {
    match slots.iter().flatten().count() {
        0 | 1 => slots.into_iter().flatten().next(),
        _ => Some(Child::branch(at, slots)),
    }
}

/// The operations whose nibble `at` is `index`.
fn group<V>(ops: &[Op<V>], at: usize, index: u8) -> &[Op<V>] {
    let from = ops.partition_point(|(key, _)| nibble(key, at) < index);
    let len = ops[from..].partition_point(|(key, _)| nibble(key, at) == index);
    &ops[from..from + len]
}

/// `old` itself where the update changed none of its children, so that versions share it.
fn keep_if_same<V: Value>(old: Option<&Child<V>>, branch: &Branch<V>, new: Child<V>) -> Child<V> {
    let (Child::Branch(after), Some(old)) = (&new, old) else { return new };
    let same = after.depth == branch.depth
        && after.children().len() == branch.children().len()
        && after.children().iter().zip(branch.children()).all(|(a, b)| a.is_same(b));
    if same { old.clone() } else { new }
}
