//! A thread that runs jobs one after another, so that checking and executing blocks never holds up votes.

use commonware_runtime::Spawner;
use commonware_utils::channel::{mpsc, oneshot};

type Job = Box<dyn FnOnce() + Send>;

/// Sends jobs to a thread of its own (in the deterministic runtime: a task, which runs them inline).
///
/// The queue has no bound of its own: every job comes from a proposal, a verification or a final block, whose numbers simplex
/// and marshal bound.
#[derive(Clone, Debug)]
pub(crate) struct Worker {
    jobs: mpsc::UnboundedSender<Job>,
}

impl Worker {
    /// Starts the thread. It ends when the last handle is dropped and the jobs are done.
    pub(crate) fn start(context: impl Spawner) -> Self {
        let (jobs, mut queue) = mpsc::unbounded_channel::<Job>();
        context.dedicated().spawn(move |_| async move {
            while let Some(job) = queue.recv().await {
                job();
            }
        });
        Self { jobs }
    }

    /// Queues `job`. The receiver gets what it returns, or is closed if the worker has stopped.
    pub(crate) fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> oneshot::Receiver<T> {
        let (sender, receiver) = oneshot::channel();
        let job = Box::new(move || {
            // Nobody waits for the result any more when a view was given up; the job's effect stays.
            let _ = sender.send(job());
        });
        // A stopped worker drops the job, which closes the receiver.
        let _ = self.jobs.send(job);
        receiver
    }
}
