//! The one thread that judges and writes.
//!
//! In: polls as they ended, over a bounded queue. Out: a report each, once it is on disk. The polls that wait
//! are folded into one transaction, so that one `fsync` serves many; commit order is the order of truth. Where
//! that fails each gets its own, so that a poll that cannot be written is undone alone; one whose lock is held by
//! somebody else waits, and is not lost.

mod change;

mod identity;

mod judge;

mod lines;

mod outcome;

mod record;

mod revise;

mod state;

use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use tokio::sync::{mpsc, oneshot};

pub use self::{
    lines::strip,
    outcome::{Initial, Moved, Options, Outcome, Poll, PollReport, Response, Validators},
    state::State,
};
use crate::{
    dedup,
    model::{ArticleId, DuplicateId, FeedId, Known, Timestamp},
    store::{self, Database, claims::Claim, feeds::FeedState},
};

/// Why the writer could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The database failed; nothing of the poll was written.
    #[error("cannot write to the database")]
    Store(#[from] store::Error),
    /// The whole group's commit failed; none of its polls was written.
    #[error("cannot commit: {0}")]
    Commit(String),
    /// The writer has ended.
    #[error("the writer has ended")]
    Ended,
}

/// Polls folded into one transaction: bounds how long others wait for the lock, and what a rollback costs.
const MAX_GROUP: usize = 256;

/// A disk that was full is tried again this often ...
const DISK_PAUSE: Duration = Duration::from_secs(1);
/// ... unless the process is to stop, for which it is looked this often.
const STOP_PAUSE: Duration = Duration::from_millis(50);
/// A lock that nobody has met for so long is held no more. Whoever is kept out by one meets it every two seconds.
const LOCK_FORGOTTEN: Duration = Duration::from_secs(10);
/// A disk that stays full is logged this often.
const LOG_EVERY: Duration = Duration::from_secs(3_600);

/// The outcome of a poll whose rows the database refused.
const NOT_STORED: &str = "not_stored";

enum Job {
    Record(Box<Poll>, oneshot::Sender<Result<PollReport, Error>>),
    /// Reads only: does not end a group.
    Ask(Box<dyn FnOnce(&State) + Send>),
    Call(Box<dyn FnOnce(&mut State) + Send>),
}

/// A handle on the writer's thread. The thread ends, its queue drained, when the last one is dropped.
#[derive(Clone)]
pub struct Writer {
    jobs: mpsc::Sender<Job>,
    shared: Arc<Shared>,
}

/// What the thread and its handles tell each other.
#[derive(Debug, Default)]
struct Shared {
    progress: AtomicU64,
    gives_up: AtomicBool,
    outwaits_disk: AtomicBool,
    /// Why nothing can be written at present.
    hindrance: Mutex<Option<String>>,
    /// Since when somebody else's lock has been met, and when it was met last.
    lock: Mutex<Option<(Instant, Instant)>>,
}

impl Shared {
    fn note_progress(&self) {
        self.progress.fetch_add(1, Ordering::Relaxed);
    }

    fn gives_up(&self) -> bool {
        self.gives_up.load(Ordering::Relaxed)
    }

    fn note_lock(&self, at: Instant) {
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let since = lock.filter(|(_, last)| at.duration_since(*last) < LOCK_FORGOTTEN);
        *lock = Some((since.map_or(at, |(since, _)| since), at));
    }

    fn forget_lock(&self) {
        *self.lock.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn set_hindrance(&self, hindrance: Option<String>) {
        *self.hindrance.lock().unwrap_or_else(PoisonError::into_inner) = hindrance;
    }
}

/// Starts the thread. `queue` bounds the polls that may wait, `window_seconds` is the longest window of all
/// feeds. Joining gives the database back.
pub fn spawn(
    db: Database,
    window_seconds: i64,
    queue: usize,
) -> io::Result<(Writer, JoinHandle<Database>)> {
    let (jobs, inbox) = mpsc::channel(queue.max(1));
    let writer = Writer { jobs, shared: Arc::default() };
    let shared = Arc::clone(&writer.shared);
    let thread = thread::Builder::new().name("writer".to_owned()).spawn(move || {
        // Born here: the state holds what may not travel between threads.
        let mut line =
            Line { state: State::new(db, window_seconds), inbox, shared, complained_at: None };
        line.run();
        line.state.db
    })?;
    Ok((writer, thread))
}

impl Writer {
    /// Writes a poll; returns once it is on disk.
    pub async fn record(&self, poll: Poll) -> Result<PollReport, Error> {
        let (reply, answer) = oneshot::channel();
        self.jobs.send(Job::Record(Box::new(poll), reply)).await.map_err(|_| Error::Ended)?;
        answer.await.map_err(|_| Error::Ended)?
    }

    /// Runs `work` on the writer's thread, after the polls that were handed in before it.
    pub async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut State) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        let job = Job::Call(Box::new(move |state| {
            // Nobody waits any more: a caller that was dropped.
            let _ = reply.send(work(state));
        }));
        self.jobs.send(job).await.map_err(|_| Error::Ended)?;
        answer.await.map_err(|_| Error::Ended)
    }

    /// Claims feeds; see [`Database::claim_due`].
    pub async fn claim_due(
        &self,
        claim: OwnedClaim,
        now: Timestamp,
    ) -> Result<Vec<FeedState>, Error> {
        Ok(self.call(move |state| state.db.claim_due(&claim.borrow(), now)).await??)
    }

    /// What a poll must know once its document has arrived; see [`Database::known`].
    pub async fn known(&self, feed: FeedId) -> Result<Known, Error> {
        let (reply, answer) = oneshot::channel();
        let job = Job::Ask(Box::new(move |state| {
            // Nobody waits any more: a caller that was dropped.
            let _ = reply.send(state.db.known(feed));
        }));
        self.jobs.send(job).await.map_err(|_| Error::Ended)?;
        Ok(answer.await.map_err(|_| Error::Ended)??)
    }

    /// Loads the duplicate index; returns how many texts it holds.
    pub async fn load_index(&self, now: Timestamp) -> Result<usize, Error> {
        Ok(self.call(move |state| state.load_index(now)).await??)
    }

    /// Makes a copy an article of its own; that pair is never folded again.
    pub async fn unfold(
        &self,
        id: DuplicateId,
        options: dedup::Options,
        now: Timestamp,
    ) -> Result<ArticleId, Error> {
        Ok(self.call(move |state| unfold(state, id, &|_| options.clone(), now)).await??)
    }

    /// A number that grows while the writer works, or waits for somebody's lock: proof of progress.
    pub fn progress(&self) -> u64 {
        self.shared.progress.load(Ordering::Relaxed)
    }

    /// Whether it was told so.
    pub fn gives_up(&self) -> bool {
        self.shared.gives_up()
    }

    /// Why nothing can be written at present, in words for a person: the disk is full.
    pub fn hindrance(&self) -> Option<String> {
        self.shared.hindrance.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Somebody else's lock was met by who does not wait in the writer's own transactions.
    pub fn note_lock(&self) {
        self.shared.note_lock(Instant::now());
    }

    /// How long somebody else's lock has kept everything from being written; `None` if none does.
    pub fn locked_for(&self) -> Option<Duration> {
        let lock = *self.shared.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, last) = lock?;
        (last.elapsed() < LOCK_FORGOTTEN).then(|| since.elapsed())
    }

    /// From now on a full or failing disk is waited out as a lock is: what polls brought is kept until then.
    pub fn outwait_disk(&self) {
        self.shared.outwaits_disk.store(true, Ordering::Relaxed);
    }

    /// Jobs that wait in the queue.
    pub fn waiting(&self) -> usize {
        self.jobs.max_capacity() - self.jobs.capacity()
    }

    /// From now on a poll whose lock is held by somebody else is given up after one try: the process ends.
    pub fn give_up_waiting(&self) {
        self.shared.gives_up.store(true, Ordering::Relaxed);
    }
}

/// As [`Claim`], to be sent to the writer's thread.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each field as in Claim")]
pub struct OwnedClaim {
    pub by: Arc<str>,
    pub lease_seconds: i64,
    pub limit: usize,
    pub per_host_limit: usize,
    pub mode: store::claims::Mode,
    pub feeds: Option<Vec<FeedId>>,
}

impl OwnedClaim {
    fn borrow(&self) -> Claim<'_> {
        Claim {
            by: &self.by,
            lease_seconds: self.lease_seconds,
            limit: self.limit,
            per_host_limit: self.per_host_limit,
            mode: self.mode,
            feeds: self.feeds.as_deref(),
        }
    }
}

/// Makes a copy an article of its own, in a transaction; also for `newsfold unfold`, without a thread. Where its text
/// stood in the article, the best of those that are left takes its place, by the options of the feed (by its URL) that
/// each copy is from.
pub fn unfold(
    state: &mut State,
    id: DuplicateId,
    options_of: &dyn Fn(&str) -> dedup::Options,
    now: Timestamp,
) -> Result<ArticleId, store::Error> {
    let mark = state.begin(now)?;
    let unfolded = revise::unfold(state, id, options_of, now)
        .and_then(|article| state.commit().map(|()| article));
    if unfolded.is_err() {
        state.db.rollback()?;
        state.cut_back(mark);
    }
    unfolded
}

struct Line {
    state: State,
    inbox: mpsc::Receiver<Job>,
    shared: Arc<Shared>,
    /// When a full disk was last logged.
    complained_at: Option<Instant>,
}

type Waiting = Vec<(Box<Poll>, oneshot::Sender<Result<PollReport, Error>>)>;

impl Line {
    fn run(&mut self) {
        let mut next = self.inbox.blocking_recv();
        while let Some(job) = next.take() {
            self.shared.note_progress();
            match job {
                Job::Call(work) => work(&mut self.state),
                Job::Ask(look) => look(&self.state),
                Job::Record(poll, reply) => {
                    let mut group = vec![(poll, reply)];
                    next = self.fill(&mut group);
                    self.write(group);
                }
            }
            if next.is_none() {
                next = self.inbox.blocking_recv();
            }
        }
    }

    /// Takes the polls that wait already; gives back the first job that is none.
    fn fill(&mut self, group: &mut Waiting) -> Option<Job> {
        while group.len() < MAX_GROUP {
            match self.inbox.try_recv().ok()? {
                Job::Record(poll, reply) => group.push((poll, reply)),
                // Before the group's transaction begins: what is read is committed.
                Job::Ask(look) => look(&self.state),
                other @ Job::Call(_) => return Some(other),
            }
        }
        None
    }

    /// One transaction for the whole group. If anything in it fails, all is undone and each poll gets a
    /// transaction of its own: that is rare, and a savepoint for each made full-text rows twice as dear.
    fn write(&mut self, group: Waiting) {
        if let [_, _, ..] = &group[..] {
            let polls: Vec<&Poll> = group.iter().map(|(poll, _)| &**poll).collect();
            match self.record(&polls) {
                Ok(reports) => return answer_all(group, reports),
                Err(error) if error.is_busy() || matches!(error, store::Error::Replaced { .. }) => {
                    return refuse_all(group, Error::Store(error));
                }
                Err(_) => {}
            }
        }
        for (poll, reply) in group {
            // A caller that was dropped does not wait for it.
            let _ = reply.send(self.record_patiently(&poll).map_err(Error::Store));
        }
    }

    /// Waits for a lock that somebody else holds, for as long as it takes.
    fn begin(&mut self, now: Timestamp) -> Result<state::Mark, store::Error> {
        let mut is_news = true;
        loop {
            match self.state.begin(now) {
                Err(error) if error.is_busy() && !self.shared.gives_up() => {
                    self.shared.note_progress();
                    self.shared.note_lock(Instant::now());
                    if std::mem::take(&mut is_news) {
                        tracing::warn!(
                            "waiting for the lock of the database: another program holds it"
                        );
                    }
                }
                begun => {
                    if begun.is_ok() {
                        self.shared.forget_lock();
                    }
                    return begun;
                }
            }
        }
    }

    /// One poll, however long the disk stays full: its publisher is not asked again for what is here already.
    fn record_patiently(&mut self, poll: &Poll) -> Result<PollReport, store::Error> {
        loop {
            match self.record_alone(poll) {
                Err(error)
                    if error.is_disk() && self.shared.outwaits_disk.load(Ordering::Relaxed) =>
                {
                    self.complain(&error);
                    if !self.pause() {
                        return Err(error);
                    }
                }
                done => {
                    if self.complained_at.take().is_some() {
                        self.shared.set_hindrance(None);
                        tracing::info!("the database can be written again");
                    }
                    return done;
                }
            }
        }
    }

    fn complain(&mut self, error: &store::Error) {
        let reason =
            std::error::Error::source(error).map_or(error.to_string(), ToString::to_string);
        if self.complained_at.is_none_or(|at| at.elapsed() >= LOG_EVERY) {
            tracing::error!(
                error = reason,
                "nothing can be written until the disk has room again: {reason}"
            );
            self.complained_at = Some(Instant::now());
        }
        self.shared.set_hindrance(Some(reason));
    }

    /// Lets a while pass; `false` where the process is to stop.
    fn pause(&self) -> bool {
        let until = Instant::now() + DISK_PAUSE;
        while Instant::now() < until && !self.shared.gives_up() {
            self.shared.note_progress();
            thread::sleep(STOP_PAUSE);
        }
        !self.shared.gives_up()
    }

    /// One poll in a transaction of its own. Where the rows themselves are refused, the poll is recorded as
    /// failed: the feed must not be tried in vain for ever.
    fn record_alone(&mut self, poll: &Poll) -> Result<PollReport, store::Error> {
        let reports = match self.record(&[poll]) {
            Err(error) if error.is_refusal() => {
                let message = std::error::Error::source(&error)
                    .map_or(error.to_string(), ToString::to_string);
                tracing::error!(
                    feed.id = poll.feed_id.0,
                    error = message,
                    "a poll could not be stored: {message}"
                );
                let outcome =
                    Outcome::Failed { kind: NOT_STORED.to_owned(), message, is_soft: true };
                self.record(&[&poll.with_outcome(outcome)])
            }
            done => done,
        };
        reports.map(|mut reports| reports.remove(0))
    }

    /// Judges and writes polls in one transaction: a report for each, or nothing done.
    fn record(&mut self, polls: &[&Poll]) -> Result<Vec<PollReport>, store::Error> {
        let now = polls.iter().map(|poll| poll.ended_at).max().unwrap_or(Timestamp::MIN);
        let mark = self.begin(now)?;
        let reports: Result<Vec<PollReport>, store::Error> = polls
            .iter()
            .map(|poll| {
                self.shared.note_progress();
                record::record(&mut self.state, poll)
            })
            .collect();
        let done = reports.and_then(|reports| self.state.commit().map(|()| reports));
        if done.is_err() {
            let undone = self.state.db.rollback();
            self.state.cut_back(mark);
            undone?;
        }
        done
    }
}

fn answer_all(group: Waiting, reports: Vec<PollReport>) {
    for ((_, reply), report) in group.into_iter().zip(reports) {
        // A caller that was dropped does not wait for it.
        let _ = reply.send(Ok(report));
    }
}

fn refuse_all(group: Waiting, error: Error) {
    let mut first = Some(error);
    let text = first.as_ref().map(|error| {
        let source = std::error::Error::source(error).map(ToString::to_string);
        source.unwrap_or_else(|| error.to_string())
    });
    for (_, reply) in group {
        let error = first.take().unwrap_or_else(|| Error::Commit(text.clone().unwrap_or_default()));
        let _ = reply.send(Err(error));
    }
}
