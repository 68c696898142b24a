//! Looking up, proving and walking.

use std::ops::ControlFlow;

use alloy_primitives::{B256, Bytes};
use alloy_trie::EMPTY_ROOT_HASH;

use super::node::{Branch, Child, Node, Value, common_nibbles, nibble};

/// The root hash of a trie.
pub(crate) fn root_hash<V: Value>(root: Option<&Child<V>>) -> B256 {
    root.map_or(EMPTY_ROOT_HASH, |root| root.link().hash())
}

/// The value at a key.
pub(crate) fn get<'a, V: Value>(root: Option<&'a Child<V>>, key: &B256) -> Option<&'a V> {
    let mut node = root?;
    loop {
        match node.node() {
            Node::Leaf(leaf) => return (leaf.key == *key).then_some(&leaf.value),
            Node::Branch(branch) => node = branch.child(nibble(key, branch.depth))?,
        }
    }
}

/// Asks the processor for all nodes on the ways to some keys, and those beside them, a level of all ways at once. One way after the other would
/// wait for memory at every node: in a state that is larger than the processor's caches that is most of the time.
pub(crate) fn prefetch<'a, V>(root: Option<&'a Child<V>>, keys: impl Iterator<Item = &'a B256>) {
    let Some(Child::Branch(root)) = root else { return };
    let mut ways: Vec<(&B256, &Branch<V>)> = keys.map(|key| (key, &**root)).collect();
    while !ways.is_empty() {
        ways.iter().for_each(|(_, branch)| branch.prefetch_list());
        ways.iter().for_each(|(_, branch)| branch.prefetch_children());
        ways.retain_mut(|(key, branch)| match branch.child(nibble(key, branch.depth)) {
            Some(Child::Branch(next)) => {
                *branch = next;
                true
            }
            Some(Child::Leaf(leaf)) => {
                leaf.prefetch();
                false
            }
            // What is on disk is not asked for, and a page in memory is small.
            Some(Child::Page(_)) | None => false,
        });
    }
}

/// The nodes from the root towards `key` that are referred to by hash, the root always: they prove the value at
/// `key`, or that there is none.
pub(crate) fn prove<V: Value>(root: Option<&Child<V>>, key: &B256) -> Vec<Bytes> {
    let mut nodes = Vec::new();
    let mut next = root;
    let mut start = 0;
    while let Some(node) = next {
        if start == 0 || !node.link().is_embedded() {
            nodes.push(node.encode(start).into());
        }
        next = None;
        if let Node::Branch(branch) = node.node()
            && common_nibbles(&branch.path, key) >= branch.depth
        {
            let inner = branch.encode();
            if branch.depth > start && inner.len() >= 32 {
                nodes.push(inner.into());
            }
            next = branch.child(nibble(key, branch.depth));
            start = branch.depth + 1;
        }
    }
    nodes
}

/// Calls `visit` with every key and value, in the order of keys. What is on disk is read, and not kept.
pub(crate) fn for_each<V: Value>(root: Option<&Child<V>>, visit: &mut impl FnMut(&B256, &V)) {
    let below =
        |branch: &Branch<V>, visit: &mut _| branch.children().iter().for_each(|child| for_each(Some(child), visit));
    match root {
        None => {}
        Some(Child::Leaf(leaf)) => visit(&leaf.key, &leaf.value),
        Some(Child::Branch(branch)) => below(branch, visit),
        Some(Child::Page(page)) => below(&page.peek(), visit),
    }
}

/// Calls `visit` with every key not below `from` and its value, in the order of keys, until it breaks.
pub(crate) fn walk_from<V: Value, B>(
    root: Option<&Child<V>>,
    from: &B256,
    visit: &mut impl FnMut(&B256, &V) -> ControlFlow<B>,
) -> ControlFlow<B> {
    match root {
        None => ControlFlow::Continue(()),
        Some(Child::Leaf(leaf)) if leaf.key < *from => ControlFlow::Continue(()),
        Some(Child::Leaf(leaf)) => visit(&leaf.key, &leaf.value),
        Some(node) => {
            let (path, depth) = (node.path(), node.depth());
            let common = common_nibbles(&path, from);
            let is_parted = common < depth;
            if is_parted && nibble(&path, common) < nibble(from, common) {
                return ControlFlow::Continue(());
            }
            // Where the path has parted from `from` upwards, every key is above; else children below its nibble are not.
            let first = if is_parted { 0 } else { nibble(from, depth) };
            let mut below = |branch: &Branch<V>| {
                (first..16)
                    .filter_map(|index| branch.child(index))
                    .try_for_each(|child| walk_from(Some(child), from, visit))
            };
            match node {
                Child::Leaf(_) => ControlFlow::Continue(()),
                Child::Branch(branch) => below(branch),
                Child::Page(page) => below(&page.peek()),
            }
        }
    }
}
