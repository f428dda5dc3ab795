//! Threads that read documents: as many as there are cores, for as long as the process lives.
//!
//! Not the runtime's blocking threads, of which it starts another whenever none is idle at that very moment: each has
//! its own part of the heap, and six of them held 7 MB more than two at the height of a round over 2,000 feeds.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
};

use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

/// A handle on the threads. They end when the last one is dropped.
#[derive(Clone, Debug)]
pub struct Workers {
    jobs: mpsc::Sender<Job>,
}

/// The work has panicked, as only a bug of ours can; the threads live on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a worker thread has panicked")]
pub struct Panicked;

impl Workers {
    /// Starts the threads.
    pub fn start() -> io::Result<Self> {
        let (jobs, inbox) = mpsc::channel::<Job>();
        let inbox = Arc::new(Mutex::new(inbox));
        let cores = thread::available_parallelism().map_or(1, usize::from);
        for _ in 0..cores {
            let inbox = Arc::clone(&inbox);
            thread::Builder::new().name("worker".to_owned()).spawn(move || {
                // One waits for work, the others for their turn to wait.
                let next = || inbox.lock().unwrap_or_else(PoisonError::into_inner).recv();
                while let Ok(job) = next() {
                    job();
                }
            })?;
        }
        Ok(Self { jobs })
    }

    /// Does `work` on one of the threads, behind what was handed in before.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Panicked> {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(move || {
            // Nobody waits any more: a caller that was dropped.
            let _ = reply.send(catch_unwind(AssertUnwindSafe(work)));
        });
        self.jobs.send(job).map_err(|_| Panicked)?;
        answer.await.ok().and_then(Result::ok).ok_or(Panicked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_costs_one_job_and_no_thread() {
        let workers = Workers::start().unwrap();
        for _ in 0..20 {
            assert_eq!(workers.run(|| panic!("meant")).await, Err::<(), _>(Panicked));
        }
        assert_eq!(workers.run(|| 7).await, Ok(7));
    }
}
