//! What a model's run can vary.

use crate::tree::View;

/// Who leads a view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leader {
    /// A Byzantine validator: proposes what it likes, twice if it likes.
    Byzantine,
    /// Any of the others. Covers all schedules at once.
    Any,
    /// That one of the others.
    Validator(usize),
}

/// What the Byzantine validators' votes do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adversary {
    /// Nothing: they never vote.
    Silent,
    /// They vote for everything. The most that can threaten safety.
    Eager,
    /// They vote for what they like when they like. Needed for liveness, where withholding is a weapon.
    AtWill,
}

/// Which blocks a validator executes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Execution {
    /// Whatever is notarised and stands on something executed. The protocol.
    Speculative,
    /// Final blocks only.
    FinalOnly,
}

/// What a validator loses in a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// What was in memory: its results of blocks that are not final.
    Memory,
    /// The whole disk, vote log included. Its key is locked then, as the protocol has it: what is beside the key says that it has voted.
    Disk,
}

/// A rule that is taken away, to see what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutation {
    /// None: the protocol.
    None,
    /// A restart forgets the votes that were cast, and nothing is beside the key that says so.
    ForgetVotes,
    /// Commitments are not compared when certifying.
    TrustClaims,
    /// A vote to nullify a view does not prevent one to finalise in it.
    FinalizeAfterNullify,
    /// A proposal is voted for although views between it and its parent were not nullified.
    SkipViews,
}

/// A model's parameters.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Validators that follow the rules, at most [`MAX_CORRECT`](crate::state::MAX_CORRECT); the last of them is the broken one, if any.
    pub correct: usize,
    /// Validators that do not.
    pub byzantine: usize,
    /// Whether the last of the correct validators computes wrong results now and then, without knowing.
    pub broken: bool,
    /// Who leads views 1, 2, ...
    pub leaders: Vec<Leader>,
    /// D: how far below a block the one is whose execution it commits to.
    pub lag: u8,
    /// Which blocks are executed.
    pub execution: Execution,
    /// What Byzantine validators do.
    pub adversary: Adversary,
    /// Whether Byzantine leaders may commit to a wrong result. To everyone whose execution is right such a proposal is one that is
    /// never certified, which any can be; so this need not be explored where execution is always right and not asked about.
    pub lies: bool,
    /// Whether it is kept what each validator has executed. Results being right and execution being possible anywhere, only properties need it.
    pub watches_execution: bool,
    /// Whether validators learn of everything that is final, and not only of what helps them on. Not to learn leaves them more to do, so
    /// safety can do without; progress and halting cannot.
    pub learns_all: bool,
    /// Whether what makes no difference any more is forgotten, as it should but in a test of that.
    pub settles: bool,
    /// Restarts there may be, of all validators together.
    pub restarts: u8,
    /// What a restart loses.
    pub loss: Loss,
    /// The last view in which a time-out may come too early. After it, or before, the network becomes calm, and time-outs fire only
    /// when nothing else can happen. `None`: it is never calm.
    pub calm_after: Option<View>,
    /// What was taken away.
    pub mutation: Mutation,
}

impl Settings {
    /// Four validators, one of them Byzantine and voting for everything, with a commitment one block later.
    pub fn one_of_four(leaders: &[Leader]) -> Self {
        Self {
            correct: 3,
            byzantine: 1,
            broken: false,
            leaders: leaders.to_vec(),
            lag: 1,
            execution: Execution::Speculative,
            adversary: Adversary::Eager,
            lies: false,
            watches_execution: false,
            learns_all: false,
            settles: true,
            restarts: 0,
            loss: Loss::Memory,
            calm_after: None,
            mutation: Mutation::None,
        }
    }

    /// Votes that make a certificate: all but the faults that n = 3f + 1 validators bear.
    pub const fn quorum(&self) -> usize {
        let validators = self.correct + self.byzantine;
        validators - (validators - 1) / 3
    }

    /// The last view.
    pub fn last_view(&self) -> View {
        View(u8::try_from(self.leaders.len()).unwrap_or(u8::MAX))
    }

    /// Who leads `view`; nobody after the last.
    pub fn leader(&self, view: View) -> Option<Leader> {
        usize::from(view.0).checked_sub(1).and_then(|index| self.leaders.get(index)).copied()
    }

    /// Whether the validators that follow the rules can be exchanged for each other, the broken one excepted.
    pub fn is_symmetric(&self) -> bool {
        !self.leaders.iter().any(|leader| matches!(leader, Leader::Validator(_)))
    }
}
