//! Small sub-tries that need not be in memory.
//!
//! A [`Page`] stands for a branch whose keys are on disk as well. It keeps the branch's reference, so that nothing above it is read or hashed again to
//! leave the branch away; whoever looks below it reads the keys, builds the branch, and finds that it has the same hash.
//!
//! # What the disk must hold
//! A page that is not in memory says: the disk holds what I stand for. [`trim`] makes a page only of a branch that is, node for node, that of the
//! version on disk. What changes a key below a page reads the page first, and thereby for all versions that share it; only afterwards
//! can the disk change. So along a line of versions no page ever misses its keys. Versions beside that line (blocks that were given up) may; what they
//! read has another hash then, and reading panics rather than to return it.

use std::{
    fmt::Debug,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use alloy_primitives::B256;

use super::{
    node::{Branch, Child, Leaf, Link, Node, Value, common_nibbles, nibble},
    update::build,
};

/// Keys of a page at most. A page takes as much memory as a key does, and reading it costs a search on disk and a hash for each key. Sub-tries are sixteen times
/// as large as those below them, so pages have a sixteenth of this at least, on average: with less many would have one key, which is none.
pub(crate) const PAGE_KEYS: usize = 64;

/// Where the keys of a page are.
pub(crate) trait Source<V>: Debug + Send + Sync {
    /// All keys that share `depth` nibbles with `path`, in order, with their values.
    fn read(&self, path: &B256, depth: usize) -> Vec<(B256, V)>;

    /// Says that a page with so many keys came into memory, or left it.
    fn count(&self, came: usize, left: usize);
}

/// A branch that may be on disk.
#[derive(Debug)]
pub(crate) struct Page<V> {
    link: Link,
    /// The nibble at which the keys part.
    pub(crate) depth: usize,
    /// One of the keys.
    pub(crate) path: B256,
    keys: usize,
    branch: OnceLock<Arc<Branch<V>>>,
    /// Whether it was looked at since it was last found idle.
    is_used: AtomicBool,
    /// Where the keys are, of a page that was made without its branch.
    source: Option<Arc<dyn Source<V>>>,
}

impl<V: Value> Page<V> {
    /// A page of a branch in memory. `None` if the branch has no hash.
    pub(crate) fn in_front_of(branch: &Arc<Branch<V>>, keys: usize) -> Option<Child<V>> {
        Self::of(branch, keys, OnceLock::from(Arc::clone(branch)), None)
    }

    /// The same, without the branch.
    pub(crate) fn without(branch: &Branch<V>, keys: usize, source: Arc<dyn Source<V>>) -> Option<Child<V>> {
        source.count(0, keys);
        Self::of(branch, keys, OnceLock::new(), Some(source))
    }

    fn of(
        branch: &Branch<V>,
        keys: usize,
        memory: OnceLock<Arc<Branch<V>>>,
        source: Option<Arc<dyn Source<V>>>,
    ) -> Option<Child<V>> {
        let link = *branch.link();
        let has_hash = link.start().is_some() && !link.is_embedded();
        let Branch { depth, path, .. } = *branch;
        let page = Self { link, depth, path, keys, branch: memory, is_used: AtomicBool::new(false), source };
        has_hash.then(|| Child::Page(Arc::new(page)))
    }

    pub(crate) const fn link(&self) -> &Link {
        &self.link
    }

    /// The branch, if it is in memory.
    pub(crate) fn in_memory(&self) -> Option<&Arc<Branch<V>>> {
        self.branch.get()
    }

    /// The branch, in memory from now on.
    ///
    /// # Panics
    /// If the disk cannot be read, or holds something else: see the module.
    pub(crate) fn branch(&self) -> &Arc<Branch<V>> {
        // Ordering: a hint, which guards nothing. Written only where it changes, as many threads read it.
        if !self.is_used.load(Ordering::Relaxed) {
            self.is_used.store(true, Ordering::Relaxed);
        }
        self.branch.get_or_init(|| {
            self.count_as_come();
            self.read()
        })
    }

    /// The branch, without keeping it.
    ///
    /// # Panics
    /// As [`Self::branch`].
    pub(crate) fn peek(&self) -> Arc<Branch<V>> {
        self.in_memory().map_or_else(|| self.read(), Arc::clone)
    }

    #[expect(clippy::panic, reason = "a state that cannot be read is not one that can be gone on with")]
    fn read(&self) -> Arc<Branch<V>> {
        let keys = self.source.as_ref().map(|source| source.read(&self.path, self.depth)).unwrap_or_default();
        match build(keys, self.link.start().unwrap_or_default()) {
            Some(Child::Branch(branch)) if branch.link().is_equal(&self.link) => branch,
            _ => panic!(
                "what the disk holds below {} to nibble {} is not what this state has there",
                self.path, self.depth
            ),
        }
    }
}

impl<V> Drop for Page<V> {
    fn drop(&mut self) {
        if self.branch.get().is_none() {
            self.count_as_come();
        }
    }
}

impl<V> Page<V> {
    fn count_as_come(&self) {
        if let Some(source) = &self.source {
            source.count(self.keys, 0);
        }
    }
}

/// Which keys to look at.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Range {
    /// All.
    All,
    /// Those that begin with a byte.
    Byte(u8),
    /// One.
    Key(B256),
}

impl Range {
    /// Whether keys that share `depth` nibbles with `path` may be in the range.
    fn meets(&self, path: &B256, depth: usize) -> bool {
        match self {
            Self::All => true,
            Self::Byte(byte) => common_nibbles(path, &B256::repeat_byte(*byte)) >= depth.min(2),
            Self::Key(key) => common_nibbles(path, key) >= depth,
        }
    }
}

/// How the leaves of one kind of trie are left away.
pub(crate) trait Rules<V> {
    /// Whether what was looked at since the last time stays in memory.
    fn spares_used(&self) -> bool;

    /// How many keys a leaf counts for; `None` if it cannot be part of a page.
    fn weight(&self, leaf: &Leaf<V>) -> Option<usize>;

    /// The value of a leaf that stays, with less in memory; `None` if it stays as it is. `durable` is the leaf on disk.
    fn trim(&self, leaf: &Leaf<V>, durable: Option<&Leaf<V>>) -> Option<V>;

    /// Where the keys of a branch can be read again.
    fn source(&self, branch: &Branch<V>) -> Arc<dyn Source<V>>;
}

/// The trie with less of it in memory, as far as it is that on disk, `durable`. `None` if it stays as it is.
pub(crate) fn trim<V: Value>(
    child: &Child<V>,
    durable: Option<&Child<V>>,
    range: Range,
    rules: &impl Rules<V>,
) -> Option<Child<V>> {
    let durable = durable?;
    if !range.meets(&child.path(), child.depth()) {
        return None;
    }
    match child {
        Child::Leaf(leaf) => {
            let durable = leaf_of(durable, &leaf.key);
            let value = rules.trim(leaf, durable)?;
            Some(Child::Leaf(Arc::new(leaf.with_value(value))))
        }
        Child::Page(page) => {
            let branch = page.in_memory()?;
            // Ordering: as in `Page::branch`.
            let is_spared = page.is_used.swap(false, Ordering::Relaxed) && rules.spares_used();
            let is_durable = child.is_same(durable);
            if is_spared || !is_durable { None } else { Page::without(branch, page.keys, rules.source(branch)) }
        }
        Child::Branch(branch) => {
            if child.is_same(durable)
                && let Some(Keys { leaves: keys, .. }) = keys(branch, rules, PAGE_KEYS)
            {
                return if rules.spares_used() {
                    Page::in_front_of(branch, keys)
                } else {
                    Page::without(branch, keys, rules.source(branch))
                };
            }
            let durable = counterpart(durable, branch);
            let mut children: Option<Vec<Child<V>>> = None;
            for (index, child) in branch.children().iter().enumerate() {
                let durable = durable.and_then(|durable| durable.child(nibble(&child.path(), branch.depth)));
                if let Some(trimmed) = trim(child, durable, range, rules) {
                    children.get_or_insert_with(|| branch.children().to_vec())[index] = trimmed;
                }
            }
            children.map(|children| Child::Branch(Arc::new(branch.with_children(children))))
        }
    }
}

/// The branch on disk that stands where another does.
fn counterpart<'a, V: Value>(durable: &'a Child<V>, branch: &Branch<V>) -> Option<&'a Branch<V>> {
    // A page on disk is too small for what is above pages to be below it.
    let Child::Branch(durable) = durable else { return None };
    let is_here = durable.depth == branch.depth && common_nibbles(&durable.path, &branch.path) >= branch.depth;
    is_here.then_some(durable)
}

fn leaf_of<'a, V: Value>(durable: &'a Child<V>, key: &B256) -> Option<&'a Leaf<V>> {
    match durable {
        Child::Leaf(leaf) if leaf.key == *key => Some(leaf),
        _ => None,
    }
}

/// What is below a branch.
#[derive(Clone, Copy, Default)]
struct Keys {
    leaves: usize,
    weight: usize,
}

/// The leaves below a branch, if they weigh at most `most` and all of them can be part of a page.
fn keys<V: Value>(branch: &Branch<V>, rules: &impl Rules<V>, most: usize) -> Option<Keys> {
    let mut sum = Keys::default();
    for child in branch.children() {
        let Keys { leaves, weight } = match child {
            Child::Leaf(leaf) => Keys { leaves: 1, weight: rules.weight(leaf)? },
            Child::Branch(branch) => keys(branch, rules, most - sum.weight)?,
            // It was a page by itself, and is better left one.
            Child::Page(_) => return None,
        };
        sum = Keys { leaves: sum.leaves + leaves, weight: sum.weight + weight };
        if sum.weight > most {
            return None;
        }
    }
    Some(sum)
}

/// The number of keys of a trie, if it is at most `most`.
pub(crate) fn count<V: Value>(root: Option<&Child<V>>, most: usize) -> Option<usize> {
    let sum = match root {
        None => 0,
        Some(Child::Leaf(_)) => 1,
        Some(Child::Page(page)) => page.keys,
        Some(Child::Branch(branch)) => {
            let mut sum = 0;
            for child in branch.children() {
                sum += count(Some(child), most.checked_sub(sum)?)?;
            }
            sum
        }
    };
    (sum <= most).then_some(sum)
}

/// Reads everything that is on disk, for all versions that share it.
pub(crate) fn load<V: Value>(root: Option<&Child<V>>) {
    if let Some(root) = root
        && let Node::Branch(branch) = root.node()
    {
        branch.children().iter().for_each(|child| load(Some(child)));
    }
}
