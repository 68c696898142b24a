//! The protocol as the checker sees it: states, what can happen in each, and properties.

use stateright::{Model, Property};

use crate::{
    properties,
    rules::{self, Certificate},
    settings::{Adversary, Leader, Settings},
    settle,
    state::State,
    tree::{BlockId, Claim, View},
};

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// A leader proposes, and votes for it. What it executes for this has that result.
    Propose(usize, Claim),
    /// A vote to notarise.
    Notarize(usize, BlockId),
    /// The commitment of a notarised block is compared. What is executed for this has that result.
    Certify(usize, BlockId, Claim),
    /// A nullification is seen.
    Leave(usize, View),
    /// A finalisation is seen. What is executed then has that result.
    Learn(usize, BlockId, Claim),
    /// Patience with the view ends: a vote to nullify.
    TimeOut(usize),
    /// A crash and a restart.
    Restart(usize),
    /// A Byzantine leader proposes a block on that parent, with that commitment.
    Forge(BlockId, Option<BlockId>, Claim),
    /// A Byzantine vote completes a certificate.
    Complete(Certificate),
    /// From now on messages arrive before time-outs fire.
    CalmDown,
}

/// The protocol with its parameters.
#[derive(Debug, Clone)]
pub struct Protocol {
    /// The parameters.
    pub settings: Settings,
}

impl Protocol {
    /// Steps that honest validators take sooner or later, if nothing makes them pointless.
    pub fn fair_actions(&self, state: &State, actions: &mut Vec<Action>) {
        let settings = &self.settings;
        for by in 0..settings.correct {
            let outcomes = rules::outcomes(settings, by);
            if rules::proposal(settings, state, by).is_some() {
                actions.extend(outcomes.iter().map(|outcome| Action::Propose(by, *outcome)));
            }
            for (id, _) in state.tree.iter() {
                self.actions_on(state, by, id, actions);
            }
            let views = (1..=settings.last_view().0).map(View);
            actions.extend(
                views.filter(|view| rules::may_leave(settings, state, by, *view)).map(|view| Action::Leave(by, view)),
            );
        }
    }

    fn actions_on(&self, state: &State, by: usize, id: BlockId, actions: &mut Vec<Action>) {
        let settings = &self.settings;
        if rules::may_notarize(settings, state, by, id) {
            actions.push(Action::Notarize(by, id));
        }
        let outcomes = rules::outcomes(settings, by).iter();
        if rules::may_certify(settings, state, by, id) {
            actions.extend(outcomes.clone().map(|outcome| Action::Certify(by, id, *outcome)));
        }
        if rules::may_learn(settings, state, by, id) {
            actions.extend(outcomes.map(|outcome| Action::Learn(by, id, *outcome)));
        }
    }

    /// Time-outs that can fire. Once it is calm they do only where `is_idle`: nothing else can happen.
    fn time_outs(&self, state: &State, is_idle: bool, actions: &mut Vec<Action>) {
        if state.calm && !is_idle {
            return;
        }
        let may = (0..self.settings.correct).filter(|by| rules::may_time_out(&self.settings, state, *by));
        actions.extend(may.map(Action::TimeOut));
    }

    /// What faults and Byzantine validators can do, and need not.
    fn faults(&self, state: &State, actions: &mut Vec<Action>) {
        if state.restarts < self.settings.restarts {
            actions.extend((0..self.settings.correct).map(Action::Restart));
        }
        let views = (1..=self.settings.last_view().0).map(View);
        for view in views.filter(|view| self.settings.leader(*view) == Some(Leader::Byzantine)) {
            self.forgeries(state, view, actions);
        }
        if self.settings.adversary == Adversary::AtWill {
            self.completions(state, actions);
        }
    }

    fn forgeries(&self, state: &State, view: View, actions: &mut Vec<Action>) {
        let Some(place) = view.proposals().into_iter().find(|id| state.tree.get(*id).is_none()) else { return };
        let older = state.tree.iter().map(|(id, _)| id).filter(|id| id.view() < view);
        for parent in older.map(Some).chain([None]) {
            let mut forged = *state;
            forged.tree.insert(place, parent, Claim::Wrong);
            if rules::finds_a_voter(&self.settings, &forged, place) {
                actions.push(Action::Forge(place, parent, Claim::Right));
                if self.settings.lies {
                    actions.push(Action::Forge(place, parent, Claim::Wrong));
                }
            }
        }
    }

    fn completions(&self, state: &State, actions: &mut Vec<Action>) {
        let views = (1..=self.settings.last_view().0).map(|view| Certificate::Nullification(View(view)));
        let blocks =
            state.tree.iter().flat_map(|(id, _)| [Certificate::Notarization(id), Certificate::Finalization(id)]);
        let missing = views.chain(blocks).filter(|certificate| {
            !certificate.exists(&self.settings, state) && certificate.is_possible(&self.settings, state)
        });
        actions.extend(missing.map(Action::Complete));
    }

    /// Whether nothing will happen any more unless a Byzantine validator wills it.
    pub fn is_stuck(&self, state: &State) -> bool {
        let mut actions = Vec::new();
        self.fair_actions(state, &mut actions);
        self.time_outs(state, actions.is_empty(), &mut actions);
        actions.is_empty() && (state.calm || self.settings.calm_after.is_none())
    }
}

impl Model for Protocol {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::genesis(&self.settings)]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        self.fair_actions(state, actions);
        self.time_outs(state, actions.is_empty(), actions);
        self.faults(state, actions);
        if self.settings.calm_after.is_some() && !state.calm {
            actions.push(Action::CalmDown);
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let settings = &self.settings;
        let mut next = *state;
        match action {
            Action::Propose(by, outcome) => {
                let proposal = rules::proposal(settings, state, by)?;
                rules::propose(settings, &mut next, by, proposal, outcome);
            }
            Action::Notarize(by, id) => next.validators[by].votes.notarize.insert(id),
            Action::Certify(by, id, outcome) => rules::certify(settings, &mut next, by, id, outcome),
            Action::Leave(by, view) => next.validators[by].enter(view.next()),
            Action::Learn(by, id, outcome) => rules::learn(settings, &mut next, by, id, outcome),
            Action::TimeOut(by) => {
                let view = state.validators[by].view;
                next.validators[by].votes.nullify.insert(view);
            }
            Action::Restart(by) => {
                next.validators[by] = rules::restarted(settings, state, by);
                if next == *state {
                    return None;
                }
                next.restarts += 1;
            }
            Action::Forge(place, parent, claim) => next.tree.insert(place, parent, claim),
            Action::Complete(certificate) => certificate.complete(&mut next),
            Action::CalmDown => next.calm = true,
        }
        if settings.settles {
            settle::settle(settings, &mut next);
        }
        next.sort(settings);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all()
    }
}
