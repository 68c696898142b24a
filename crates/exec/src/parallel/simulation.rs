//! The schedule by itself, with workers that only pretend to execute: time passes as it is told, so that what is lost
//! to waiting shows whatever else the machine does. All speculations are right here.

use std::{ops::Range, sync::Arc};

use super::{
    estimate::{GAS_PER_US, INTRINSIC_GAS},
    schedule::{Frontier, Run, Schedule},
};

/// What a sleeping thread takes to wake up, in microseconds.
const WAKE_US: u64 = 70;

#[derive(Clone, Copy, Debug)]
struct Job {
    limit: u64,
    used: u64,
    micros: u64,
}

/// A transaction that takes so long and uses so much of its limit, in percent.
fn job(micros: u64, percent: u64) -> Job {
    let gas = micros * GAS_PER_US;
    Job { limit: INTRINSIC_GAS + gas * 100 / percent, used: INTRINSIC_GAS + gas, micros }
}

#[derive(Clone, Debug)]
enum Doing {
    Nothing,
    Sleeping,
    Speculating(Arc<Run>),
    /// Executing at the frontier, up to here.
    Committing(u32),
}

struct Simulation<'a> {
    jobs: &'a [Job],
    schedule: Schedule,
    frontier: u32,
    is_committer_busy: bool,
    /// Until when each worker does what.
    workers: Vec<(u64, Doing)>,
}

impl Simulation<'_> {
    /// Microseconds until all is committed.
    fn run(mut self) -> u64 {
        loop {
            let awake = (0..self.workers.len()).filter(|&worker| !matches!(self.workers[worker].1, Doing::Sleeping));
            let worker = awake.min_by_key(|&worker| self.workers[worker].0).expect("somebody is awake");
            let now = self.workers[worker].0;
            match std::mem::replace(&mut self.workers[worker].1, Doing::Nothing) {
                Doing::Speculating(run) => {
                    self.schedule.finish(&run);
                    self.learn(run.range.clone());
                }
                Doing::Committing(end) => {
                    self.learn(self.frontier..end);
                    self.frontier = end;
                    self.is_committer_busy = false;
                }
                Doing::Nothing | Doing::Sleeping => {}
            }
            if self.frontier as usize == self.jobs.len() {
                return now;
            }
            self.workers[worker] = self.next(now);
        }
    }

    fn learn(&mut self, range: Range<u32>) {
        let jobs = &self.jobs[range.start as usize..range.end as usize];
        self.schedule.note_gas(jobs.iter().map(|job| (job.used, job.limit)));
    }

    /// What a worker does that is free now, and until when.
    fn next(&mut self, now: u64) -> (u64, Doing) {
        let time = |jobs: &[Job]| now + jobs.iter().map(|job| job.micros).sum::<u64>();
        while !self.is_committer_busy {
            let step = self.schedule.at_frontier(self.frontier);
            self.wake(now);
            match step {
                Frontier::Check(run) => {
                    self.frontier = run.range.end;
                    self.schedule.note_speculation(run.range.start, self.frontier, false);
                }
                Frontier::Execute(range) => {
                    self.is_committer_busy = true;
                    return (time(&self.jobs[range.start as usize..range.end as usize]), Doing::Committing(range.end));
                }
                Frontier::Finished => return (now, Doing::Nothing),
                Frontier::Elsewhere | Frontier::TakeOver(_) => break,
            }
        }
        match self.schedule.speculate() {
            Some(run) => {
                let jobs = &self.jobs[run.range.start as usize..run.range.end as usize];
                (time(jobs), Doing::Speculating(run))
            }
            None => (now, Doing::Sleeping),
        }
    }

    fn wake(&mut self, now: u64) {
        if self.schedule.may_speculate()
            && let Some(sleeper) = self.workers.iter_mut().find(|(_, doing)| matches!(doing, Doing::Sleeping))
        {
            *sleeper = (now + WAKE_US, Doing::Nothing);
        }
    }
}

/// How much longer than the best that so many workers can do, in percent.
fn excess(jobs: &[Job], threads: u64) -> u64 {
    let workers = (0..threads).map(|worker| (if worker == 0 { 0 } else { WAKE_US }, Doing::Nothing)).collect();
    let limits: Vec<_> = jobs.iter().map(|job| job.limit).collect();
    let schedule = Schedule::new(limits.into_iter(), usize::try_from(threads).unwrap());
    let taken = Simulation { jobs, schedule, frontier: 0, is_committer_busy: false, workers }.run();
    let longest = jobs.iter().map(|job| job.micros).max().unwrap_or_default();
    let best = (jobs.iter().map(|job| job.micros).sum::<u64>() / threads).max(longest);
    (taken * 100 / best).saturating_sub(100)
}

#[test]
fn equal_transactions_keep_all_workers_busy() {
    for threads in [1, 2, 4, 8] {
        let excess = excess(&[job(6, 50); 10_000], threads);
        assert!(excess <= 3, "{threads} threads: {excess} %");
    }
}

#[test]
fn a_long_transaction_does_not_leave_the_others_waiting_wherever_it_is() {
    for place in [0, 3, 100, 150, 199] {
        for threads in [2, 4] {
            let mut jobs = vec![job(20, 50); 200];
            jobs[place] = job(3_000, 90);
            let excess = excess(&jobs, threads);
            assert!(excess <= 12, "at {place}, {threads} threads: {excess} %");
        }
    }
}

#[test]
fn several_long_transactions_are_shared() {
    let mut jobs: Vec<_> = (0..300).map(|index| job(10 + index * 7 % 40, 30 + index % 60)).collect();
    for (place, micros) in [(40, 1_500), (180, 900), (260, 1_200), (299, 2_000)] {
        jobs[place] = job(micros, 80);
    }
    for threads in [2, 4] {
        let excess = excess(&jobs, threads);
        assert!(excess <= 12, "{threads} threads: {excess} %");
    }
}
