//! The pool against a model that keeps a plain list and works everything out anew each time.

use proptest::prelude::*;

use super::*;

const SENDERS: u8 = 4;
const LIMITS: PoolConfig =
    PoolConfig { max_transactions: 12, max_size_bytes: 1_300, max_per_sender: 6, price_bump_percent: 10, min_tip: 0 };

/// What happens to the pool.
#[derive(Clone, Debug)]
enum Step {
    Insert { from: u8, nonce: u64, max_fee: u128, tip: u128, bytes: usize },
    Head { base_fee: u64, from: u8, nonce: u64, fees: u64 },
    Remove { at: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let insert = (0..SENDERS, 0..8_u64, 1..40_u128, 0..40_u128, prop_oneof![9 => Just(0_usize), 1 => 0..600_usize]);
    let insert = insert.prop_map(|(from, nonce, max_fee, tip, bytes)| {
        let tip = tip.min(max_fee);
        Step::Insert { from, nonce, max_fee, tip, bytes }
    });
    let head = (0..40_u64, 0..SENDERS, 0..5_u64, 0..200_u64);
    let head = head.prop_map(|(base_fee, from, nonce, fees)| Step::Head { base_fee, from, nonce, fees });
    prop_oneof![8 => insert, 2 => head, 1 => (0..12_usize).prop_map(|at| Step::Remove { at })]
}

/// A transaction of the model, with its place in order of arrival.
#[derive(Clone, Debug)]
struct Item {
    arrival: u64,
    transaction: RecoveredTx,
}

impl Item {
    fn nonce(&self) -> u64 {
        self.transaction.nonce()
    }

    fn tip(&self) -> u128 {
        self.transaction.max_priority_fee_per_gas().unwrap()
    }

    fn cost(&self) -> U256 {
        U256::from(u128::from(self.transaction.gas_limit()) * self.transaction.max_fee_per_gas())
    }
}

#[derive(Clone, Debug)]
struct Model {
    items: Vec<Item>,
    accounts: [AccountState; SENDERS as usize],
    base_fee: u64,
    arrivals: u64,
}

impl Model {
    /// The transactions of a sender in order of nonces, and how many of them are pending.
    fn lane(&self, from: u8) -> (Vec<Item>, usize) {
        let mut lane: Vec<_> =
            self.items.iter().filter(|item| item.transaction.signer() == sender(from)).cloned().collect();
        lane.sort_by_key(Item::nonce);
        let account = self.accounts[usize::from(from)];
        let mut spent = U256::ZERO;
        let is_pending = |(at, item): &(usize, &Item)| {
            spent += item.cost();
            item.nonce() == account.nonce + *at as u64 && spent <= account.balance
        };
        let pending = lane.iter().enumerate().take_while(is_pending).count();
        (lane, pending)
    }

    fn size_bytes(&self) -> usize {
        use alloy_eips::eip2718::Encodable2718 as _;
        self.items.iter().map(|item| item.transaction.encode_2718_len()).sum()
    }

    fn insert(&mut self, from: u8, transaction: RecoveredTx) -> Result<(), Rejection> {
        let account = self.accounts[usize::from(from)];
        let item = Item { arrival: self.arrivals, transaction };
        if self.items.iter().any(|other| other.transaction.tx_hash() == item.transaction.tx_hash()) {
            return Err(Rejection::AlreadyKnown);
        }
        let (state, transaction, limit) = (account.nonce, item.nonce(), LIMITS.max_per_sender as u64);
        if transaction < state {
            return Err(Rejection::NonceTooLow { state, transaction });
        }
        if transaction > state + limit {
            return Err(Rejection::NonceTooHigh { state, transaction, limit });
        }
        if item.cost() > account.balance {
            return Err(Rejection::InsufficientFunds { balance: account.balance, cost: item.cost() });
        }
        let before = self.items.clone();
        let (lane, _) = self.lane(from);
        if let Some(old) = lane.iter().find(|old| old.nonce() == item.nonce()) {
            let beats = |new: u128, old: u128| new > old && new >= old * 110 / 100;
            let new = &item.transaction;
            if !beats(new.max_fee_per_gas(), old.transaction.max_fee_per_gas()) || !beats(item.tip(), old.tip()) {
                return Err(Rejection::ReplacementUnderpriced);
            }
            self.items.retain(|other| other.arrival != old.arrival);
        } else if lane.len() >= LIMITS.max_per_sender {
            return Err(Rejection::AccountLimitExceeded { pooled: lane.len() });
        }
        self.items.push(item);
        while self.items.len() > LIMITS.max_transactions || self.size_bytes() > LIMITS.max_size_bytes {
            let worst = self.worst();
            if worst == self.arrivals {
                self.items = before;
                return Err(Rejection::Full);
            }
            self.items.retain(|item| item.arrival != worst);
        }
        self.arrivals += 1;
        Ok(())
    }

    /// Arrival of the lane end to evict.
    fn worst(&self) -> u64 {
        let ends = (0..SENDERS).filter_map(|from| {
            let (lane, pending) = self.lane(from);
            let floor = lane.iter().map(Item::tip).min()?;
            let last = lane.last()?;
            Some((pending == lane.len(), floor, Reverse(last.arrival)))
        });
        ends.min().unwrap().2.0
    }

    /// Arrivals in the order offered: again and again the best of the lanes' first.
    fn best(&self, gas_limit: u64) -> Vec<u64> {
        let mut lanes: Vec<_> = (0..SENDERS).map(|from| self.lane(from)).map(|(lane, n)| lane[..n].to_vec()).collect();
        let mut best = Vec::new();
        let mut gas_left = gas_limit;
        loop {
            let base_fee = self.base_fee;
            let head = |(at, lane): (usize, &Vec<Item>)| {
                let first = lane.first()?;
                Some((first.transaction.effective_tip_per_gas(base_fee)?, Reverse(first.arrival), at))
            };
            let Some((_, arrival, at)) = lanes.iter().enumerate().filter_map(head).max() else { return best };
            let gas = lanes[at][0].transaction.gas_limit();
            if gas > gas_left {
                lanes[at].clear();
                continue;
            }
            gas_left -= gas;
            best.push(arrival.0);
            lanes[at].remove(0);
        }
    }
}

fn apply(pool: &mut Pool, model: &mut Model, step: Step) {
    match step {
        Step::Insert { from, nonce, max_fee, tip, bytes } => {
            let mut transaction = transfer(nonce, max_fee, tip);
            transaction.input = vec![0; bytes].into();
            transaction.gas_limit += 10 * bytes as u64;
            let transaction = sent(sender(from), transaction);
            let account = model.accounts[usize::from(from)];
            let outcome = pool.insert(transaction.clone(), None, account);
            assert_eq!(outcome.map(|_| ()), model.insert(from, transaction));
        }
        Step::Head { base_fee, from, nonce, fees } => {
            let account = account(nonce, fees * 21_000);
            (model.base_fee, model.accounts[usize::from(from)]) = (base_fee, account);
            model.items.retain(|item| item.transaction.signer() != sender(from) || item.nonce() >= nonce);
            pool.on_head(rules(Fork::Osaka, base_fee), [(sender(from), account)]);
        }
        Step::Remove { at } => {
            if at < model.items.len() {
                let item = model.items.remove(at);
                assert!(pool.remove(*item.transaction.tx_hash()));
            }
        }
    }
}

fn assert_same(pool: &Pool, model: &Model) {
    let pending: usize = (0..SENDERS).map(|from| model.lane(from).1).sum();
    let status = PoolStatus { pending, queued: model.items.len() - pending, size_bytes: model.size_bytes() };
    assert_eq!(pool.status(), status);
    for gas_limit in [pool.rules().gas_limit, 70_000] {
        let arrival = |transaction: &RecoveredTx| {
            let found = model.items.iter().find(|item| item.transaction.tx_hash() == transaction.tx_hash());
            found.unwrap().arrival
        };
        let best: Vec<_> = pool.best(gas_limit).iter().map(arrival).collect();
        assert_eq!(best, model.best(gas_limit));
    }
    assert_eq!(pool.has_executable(), !model.best(u64::MAX).is_empty());
    for from in 0..SENDERS {
        let (lane, pending) = model.lane(from);
        let next = model.accounts[usize::from(from)].nonce + pending as u64;
        assert_eq!(pool.next_nonce(sender(from)), (pending > 0).then_some(next));
        let content = pool.content(Some(sender(from)));
        let ours = content.pending.values().chain(content.queued.values()).flat_map(BTreeMap::values);
        assert!(ours.eq(lane.iter().map(|item| &item.transaction)));
        assert_eq!(content.pending.values().map(BTreeMap::len).sum::<usize>(), pending);
    }
    assert!(model.items.iter().all(|item| pool.get(*item.transaction.tx_hash()).is_some()));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn random_sequences_match_the_model(steps in proptest::collection::vec(step(), 1..120)) {
        let accounts = [account(0, 21_000 * 100); SENDERS as usize];
        let mut model = Model { items: Vec::new(), accounts, base_fee: 1, arrivals: 0 };
        let mut pool = Pool::new(LIMITS, rules(Fork::Osaka, 1));
        for step in steps {
            apply(&mut pool, &mut model, step);
            assert_same(&pool, &model);
        }
    }
}
