//! Threads and what they share, in the hands of the checker: what `braid-exec` has in its module of this name, as far as
//! the executor uses it.

use std::{
    cell::Cell,
    fmt::Debug,
    ops::{Deref, DerefMut},
    sync::PoisonError,
};

use shuttle::sync as checked;
pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// A step that is weakened, to see whether the checker notices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// All is as it should be.
    #[default]
    None,
    /// Nobody wakes when all are called: what remains if `Shared::end` forgets to.
    DeafSleepers,
    /// A counter shows what it held two stores ago: the committer, asking for what was announced since a run began, takes
    /// the answer for nothing where it was one event, and the run's own.
    LateAnnouncements,
}

std::thread_local! {
    static FAULT: Cell<Fault> = const { Cell::new(Fault::None) };
}

/// Weakens a step for whatever this thread checks next.
pub fn set_fault(fault: Fault) {
    FAULT.set(fault);
}

/// Runs `work` on `threads` threads, the caller's included; returns what each returned.
pub(crate) fn run<T: Send>(threads: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let mut results = Vec::with_capacity(threads);
    shuttle::thread::scope(|scope| {
        let work = &work;
        let others: Vec<_> = (1..threads).map(|number| scope.spawn(move || work(number))).collect();
        results.push(work(0));
        for other in others {
            results.push(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
    });
    results
}

/// As `parking_lot`'s: a lock without poison.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(checked::Mutex<T>);

/// The [`Mutex`] while it is held; `None` only inside of [`Condvar::wait`].
#[derive(Debug)]
pub(crate) struct MutexGuard<'m, T>(Option<checked::MutexGuard<'m, T>>);

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(checked::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard(Some(self.0.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Who does not get the lock lets others go first: PCT would otherwise let it try for ever.
    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        let guard = self.0.try_lock().ok();
        if guard.is_none() {
            shuttle::thread::yield_now();
        }
        guard.map(|guard| MutexGuard(Some(guard)))
    }

    pub(crate) fn into_inner(self) -> T {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        let Some(guard) = &self.0 else { unreachable!("who waits does not look") };
        guard
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        let Some(guard) = &mut self.0 else { unreachable!("who waits does not look") };
        guard
    }
}

/// As `parking_lot`'s.
#[derive(Debug, Default)]
pub(crate) struct Condvar(checked::Condvar);

impl Condvar {
    pub(crate) const fn new() -> Self {
        Self(checked::Condvar::new())
    }

    pub(crate) fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        let held = guard.0.take();
        guard.0 = held.map(|held| self.0.wait(held).unwrap_or_else(PoisonError::into_inner));
    }

    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }

    pub(crate) fn notify_all(&self) {
        if FAULT.get() != Fault::DeafSleepers {
            self.0.notify_all();
        }
    }
}

/// As `parking_lot`'s: a lock without poison.
#[derive(Debug, Default)]
pub(crate) struct RwLock<T>(checked::RwLock<T>);

impl<T> RwLock<T> {
    pub(crate) fn read(&self) -> checked::RwLockReadGuard<'_, T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write(&self) -> checked::RwLockWriteGuard<'_, T> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A counter that also knows what it held before.
#[derive(Debug, Default)]
pub(crate) struct AtomicUsize {
    now: checked::atomic::AtomicUsize,
    /// What it held one store ago, and two. Nobody else runs while these are looked at.
    before: [std::sync::atomic::AtomicUsize; 2],
}

impl AtomicUsize {
    pub(crate) fn new(value: usize) -> Self {
        Self { now: checked::atomic::AtomicUsize::new(value), before: Default::default() }
    }

    pub(crate) fn load(&self, ordering: Ordering) -> usize {
        let now = self.now.load(ordering);
        if FAULT.get() == Fault::LateAnnouncements { self.before[1].load(Ordering::SeqCst) } else { now }
    }

    pub(crate) fn store(&self, value: usize, ordering: Ordering) {
        let before = self.now.swap(value, ordering);
        let earlier = self.before[0].swap(before, Ordering::SeqCst);
        self.before[1].store(earlier, Ordering::SeqCst);
    }

    pub(crate) fn fetch_add(&self, more: usize, ordering: Ordering) -> usize {
        self.now.fetch_add(more, ordering)
    }

    pub(crate) fn fetch_update(
        &self,
        store: Ordering,
        load: Ordering,
        update: impl FnMut(usize) -> Option<usize>,
    ) -> Result<usize, usize> {
        self.now.fetch_update(store, load, update)
    }
}
