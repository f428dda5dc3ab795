//! The threads that read documents and pages: as many as there are cores, and always the same ones.
//!
//! tokio's own pool for work that blocks grows with each burst of it, and every thread keeps a heap of its own: twenty
//! megabytes in a full ingest. Here a burst waits, and what the resolver does meanwhile is not in the way.

use std::{io, sync::Arc};

use tokio::{
    runtime::{Builder, Runtime},
    task::JoinError,
};

/// Runs what takes a core for a while. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Workers(Arc<Pool>);

/// A runtime that is used for its pool of threads alone; there until the last handle is dropped.
#[derive(Debug)]
struct Pool(Option<Runtime>);

impl Workers {
    /// So many threads, which start when they are needed.
    ///
    /// # Errors
    /// What the operating system says where it gives none.
    pub fn new(threads: usize) -> io::Result<Self> {
        let pool = Builder::new_current_thread()
            .max_blocking_threads(threads.max(1))
            .thread_name("reader")
            .build()?;
        Ok(Self(Arc::new(Pool(Some(pool)))))
    }

    /// Waits for a thread and runs `work` on it to its end, even if nobody waits for that any more.
    ///
    /// # Errors
    /// `work` panicked.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, JoinError> {
        match &self.0.0 {
            Some(pool) => pool.spawn_blocking(work).await,
            None => tokio::task::spawn_blocking(work).await,
        }
    }
}

impl Drop for Pool {
    /// A runtime must not be waited for inside of another.
    fn drop(&mut self) {
        if let Some(pool) = self.0.take() {
            pool.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn no_more_run_at_once_than_there_are_threads_and_a_panic_costs_none() {
        let workers = Workers::new(2).unwrap();
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let work = |n: usize| {
            let (running, most) = (Arc::clone(&running), Arc::clone(&most));
            move || {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::yield_now();
                running.fetch_sub(1, Ordering::SeqCst);
                assert!(!n.is_multiple_of(5), "one of five panics");
                n
            }
        };
        let runs = (0..50).map(|n| workers.run(work(n)));
        let done = futures_util::future::join_all(runs).await;
        assert_eq!(done.iter().filter(|run| run.is_ok()).count(), 40);
        assert!((1..=2).contains(&most.load(Ordering::SeqCst)), "{most:?}");
    }
}
