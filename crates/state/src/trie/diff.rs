//! What differs between two versions of a trie; sub-tries that both share are skipped without a look inside.

use alloy_primitives::B256;

use super::{
    node::{Branch, Child, Node, Value, common_nibbles, nibble},
    read::for_each,
};

/// Calls `visit` with every key whose values differ, and both values. Keys come in no particular order.
pub(crate) fn diff<V: Value>(
    old: Option<&Child<V>>,
    new: Option<&Child<V>>,
    visit: &mut impl FnMut(&B256, Option<&V>, Option<&V>),
) {
    let (Some(a), Some(b)) = (old, new) else {
        for_each(old, &mut |key, value| visit(key, Some(value), None));
        for_each(new, &mut |key, value| visit(key, None, Some(value)));
        return;
    };
    if a.is_equal(b) {
        return;
    }
    match (a.node(), b.node()) {
        (Node::Leaf(a), Node::Leaf(b)) if a.key == b.key => {
            if a.value != b.value {
                visit(&a.key, Some(&a.value), Some(&b.value));
            }
        }
        (Node::Branch(x), Node::Branch(y)) if x.depth == y.depth && contains(x, b) => {
            (0..16).for_each(|index| diff(x.child(index), y.child(index), visit));
        }
        (Node::Branch(x), _) if x.depth < b.depth() && contains(x, b) => {
            let own = nibble(&b.path(), x.depth);
            (0..16).for_each(|index| diff(x.child(index), new.filter(|_| index == own), visit));
        }
        (_, Node::Branch(y)) if y.depth < a.depth() && contains(y, a) => {
            let own = nibble(&a.path(), y.depth);
            (0..16).for_each(|index| diff(old.filter(|_| index == own), y.child(index), visit));
        }
        _ => {
            diff(old, None, visit);
            diff(None, new, visit);
        }
    }
}

/// Whether the node's keys all have the branch's prefix.
fn contains<V: Value>(branch: &Branch<V>, node: &Child<V>) -> bool {
    common_nibbles(&branch.path, &node.path()) >= branch.depth
}
