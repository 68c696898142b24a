//! Proposals and how they stand on each other.
//!
//! A view has room for two proposals, since its leader may be Byzantine. A parent of `None` is genesis, at height 0, which everyone
//! has executed.

/// Most views a model has.
pub const MAX_VIEWS: usize = 6;

/// Proposals a view has room for.
const TWINS: usize = 2;

/// Most proposals a model has.
pub const MAX_BLOCKS: usize = MAX_VIEWS * TWINS;

/// A view, from 1. View 0 is genesis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct View(pub u8);

impl View {
    /// The one after it.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The proposals that can be made in it.
    pub fn proposals(self) -> [BlockId; TWINS] {
        let first = (self.0 - 1) * 2;
        [BlockId(first), BlockId(first + 1)]
    }
}

/// One of the two places for a proposal that each view has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockId(u8);

impl BlockId {
    /// The view it was proposed in.
    pub const fn view(self) -> View {
        View(self.0 / 2 + 1)
    }
}

/// View of a block, or 0 for genesis.
pub fn view_of(id: Option<BlockId>) -> View {
    id.map_or(View(0), BlockId::view)
}

/// A set of proposals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct BlockSet(u16);

impl BlockSet {
    /// Whether `id` is in it.
    pub const fn contains(self, id: BlockId) -> bool {
        self.0 & (1 << id.0) != 0
    }

    /// `id` alone.
    pub const fn of(id: BlockId) -> Self {
        Self(1 << id.0)
    }

    /// Adds `id`.
    pub const fn insert(&mut self, id: BlockId) {
        self.0 |= 1 << id.0;
    }

    /// Takes out what is in `other`.
    pub const fn remove(&mut self, other: Self) {
        self.0 &= !other.0;
    }

    /// What is in either.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in both.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether there is nothing in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether everything in it is in `other`.
    pub const fn is_subset(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// Those proposed in `view`.
    #[must_use]
    pub const fn of_view(self, view: View) -> Self {
        Self(self.0 & (0b11 << ((view.0 - 1) * 2)))
    }

    /// Its members, by view.
    pub fn iter(self) -> impl Iterator<Item = BlockId> {
        BlockId::all().filter(move |id| self.contains(*id))
    }
}

impl BlockId {
    /// All there can be, by view.
    pub fn all() -> impl DoubleEndedIterator<Item = Self> {
        (0..12).map(Self)
    }
}

/// A set of views.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ViewSet(u8);

impl ViewSet {
    /// Whether `view` is in it.
    pub const fn contains(self, view: View) -> bool {
        self.0 & (1 << view.0) != 0
    }

    /// Adds `view`.
    pub const fn insert(&mut self, view: View) {
        self.0 |= 1 << view.0;
    }

    /// Takes `view` out.
    pub const fn remove(&mut self, view: View) {
        self.0 &= !(1 << view.0);
    }

    /// What is in either.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// What an ordered block says about the execution of the block `lag` below it, or about genesis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Claim {
    /// What correct execution gives.
    Right,
    /// Something else.
    Wrong,
}

/// An ordered block, as far as the model cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Block {
    /// What it stands on.
    pub parent: Option<BlockId>,
    /// One more than its parent's.
    pub height: u8,
    /// Its execution commitment.
    pub claim: Claim,
}

/// All proposals made so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Tree {
    blocks: [Option<Block>; MAX_BLOCKS],
}

impl Tree {
    /// The proposal in that place, if one was made.
    pub fn get(&self, id: BlockId) -> Option<&Block> {
        self.blocks.get(usize::from(id.0)).and_then(Option::as_ref)
    }

    /// Height of a block; 0 for genesis.
    pub fn height(&self, id: Option<BlockId>) -> u8 {
        id.and_then(|id| self.get(id)).map_or(0, |block| block.height)
    }

    /// Puts a proposal there.
    pub fn insert(&mut self, id: BlockId, parent: Option<BlockId>, claim: Claim) {
        let height = self.height(parent) + 1;
        if let Some(place) = self.blocks.get_mut(usize::from(id.0)) {
            *place = Some(Block { parent, height, claim });
        }
    }

    /// Takes a proposal out.
    pub fn remove(&mut self, id: BlockId) {
        if let Some(place) = self.blocks.get_mut(usize::from(id.0)) {
            *place = None;
        }
    }

    /// The block and its ancestors, newest first, without genesis.
    pub fn chain(&self, tip: Option<BlockId>) -> impl Iterator<Item = (BlockId, &Block)> {
        let entry = |id: BlockId| self.get(id).map(|block| (id, block));
        std::iter::successors(tip.and_then(entry), move |(_, block)| block.parent.and_then(entry))
    }

    /// The same as a set.
    pub fn ancestry(&self, tip: Option<BlockId>) -> BlockSet {
        let mut set = BlockSet::default();
        self.chain(tip).for_each(|(id, _)| set.insert(id));
        set
    }

    /// What a block on `parent` makes its claim about: the ancestor `lag` below it, or genesis.
    pub fn subject(&self, parent: Option<BlockId>, lag: u8) -> Option<BlockId> {
        let height = (self.height(parent) + 1).saturating_sub(lag);
        self.chain(parent).find(|(_, ancestor)| ancestor.height == height).map(|(id, _)| id)
    }

    /// Every proposal there is.
    pub fn iter(&self) -> impl Iterator<Item = (BlockId, &Block)> {
        BlockId::all().filter_map(|id| self.get(id).map(|block| (id, block)))
    }
}
