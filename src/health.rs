//! Whether the daemon does its work: proofs of progress, and what is known to be wrong.
//!
//! The scheduler and the writer each leave a mark when they have moved on. From the marks follow both whether systemd's
//! watchdog is pinged ([`Health::is_alive`]) and what `/health` answers ([`Health::report`]): a timer that ticks
//! beside a stuck writer would prove nothing. Waiting for somebody else's lock on the database is progress. The
//! clock is the caller's.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use serde::Serialize;

/// What must move on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The loop that starts polls.
    Scheduler,
    /// The thread that owns the database.
    Writer,
}

impl Part {
    const ALL: [Self; 2] = [Self::Scheduler, Self::Writer];

    fn name(self) -> &'static str {
        match self {
            Self::Scheduler => "scheduler",
            Self::Writer => "writer",
        }
    }
}

/// Where in its life the daemon is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Not ready yet.
    Starting,
    /// At work, also while it takes up a configuration.
    Running,
    /// On its way out.
    Stopping,
}

/// The daemon's health; clones share it.
#[derive(Clone, Debug)]
pub struct Health(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    stalled_after: Duration,
    began: Instant,
    /// Milliseconds from `began` to the last proof, in the order of [`Part::ALL`].
    marks: [AtomicU64; 2],
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    troubles: BTreeMap<&'static str, String>,
}

/// What `/health` answers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// `ok`, `starting`, `stopping` or `failing`.
    pub status: &'static str,
    /// What is wrong, each readable alone; empty if nothing is.
    pub problems: Vec<String>,
    /// Seconds since the scheduler last moved on.
    pub scheduler_progress_seconds: f64,
    /// Seconds since the writer last moved on.
    pub writer_progress_seconds: f64,
    /// Of the program.
    pub version: &'static str,
}

impl Report {
    /// Whether the answer is 200.
    pub fn is_healthy(&self) -> bool {
        self.status == "ok"
    }
}

impl Health {
    /// A daemon that is starting; a part that leaves no mark for longer than `stalled_after` counts as stuck.
    pub fn new(stalled_after: Duration, now: Instant) -> Self {
        let state = State { phase: Phase::Starting, troubles: BTreeMap::new() };
        Self(Arc::new(Shared {
            stalled_after,
            began: now,
            marks: [AtomicU64::new(0), AtomicU64::new(0)],
            state: Mutex::new(state),
        }))
    }

    /// Leaves the mark of `part`: it has moved on, or waits for somebody whom we must wait for.
    pub fn progressed(&self, part: Part, now: Instant) {
        let mark = now.saturating_duration_since(self.0.began).as_millis();
        // Two threads may mark at once: the later instant stays.
        self.0.marks[part as usize].fetch_max(u64::try_from(mark).unwrap_or(u64::MAX), Relaxed);
    }

    /// Enters another phase of the daemon's life.
    pub fn enter(&self, phase: Phase) {
        self.state().phase = phase;
    }

    /// States that `what` is wrong, in words that a person understands, or, with `None`, that it is well again.
    pub fn set_trouble(&self, what: &'static str, trouble: Option<String>) {
        let mut state = self.state();
        match trouble {
            Some(text) => state.troubles.insert(what, text),
            None => state.troubles.remove(what),
        };
    }

    /// Whether both parts have moved on lately.
    pub fn is_alive(&self, now: Instant) -> bool {
        self.stuck(now).next().is_none()
    }

    /// The whole answer.
    pub fn report(&self, now: Instant) -> Report {
        let state = self.state();
        let mut problems: Vec<String> = self
            .stuck(now)
            .map(|part| {
                let seconds = self.since_progress(part, now).as_secs();
                format!("the {} has not moved on for {seconds} s", part.name())
            })
            .collect();
        problems.extend(state.troubles.iter().map(|(what, text)| format!("{what}: {text}")));
        let status = match state.phase {
            Phase::Starting => "starting",
            Phase::Stopping => "stopping",
            Phase::Running if problems.is_empty() => "ok",
            Phase::Running => "failing",
        };
        Report {
            status,
            problems,
            scheduler_progress_seconds: self.since_progress(Part::Scheduler, now).as_secs_f64(),
            writer_progress_seconds: self.since_progress(Part::Writer, now).as_secs_f64(),
            version: env!("CARGO_PKG_VERSION"),
        }
    }

    fn stuck(&self, now: Instant) -> impl Iterator<Item = Part> {
        Part::ALL
            .into_iter()
            .filter(move |part| self.since_progress(*part, now) > self.0.stalled_after)
    }

    fn since_progress(&self, part: Part, now: Instant) -> Duration {
        let mark = Duration::from_millis(self.0.marks[part as usize].load(Relaxed));
        now.saturating_duration_since(self.0.began).saturating_sub(mark)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing under this lock can leave it half changed.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STALLED: Duration = Duration::from_secs(30);

    fn running() -> (Health, Instant) {
        let began = Instant::now();
        let health = Health::new(STALLED, began);
        health.enter(Phase::Running);
        (health, began)
    }

    #[test]
    fn each_part_must_prove_progress_itself() {
        for (busy, stuck) in [(Part::Scheduler, "writer"), (Part::Writer, "scheduler")] {
            let (health, began) = running();
            let now = began + STALLED + Duration::from_secs(1);
            health.progressed(busy, now);
            assert!(!health.is_alive(now));
            let report = health.report(now);
            assert_eq!(report.problems, [format!("the {stuck} has not moved on for 31 s")]);
            assert_eq!(report.status, "failing");
            for part in Part::ALL {
                health.progressed(part, now);
            }
            assert!(health.is_alive(now) && health.report(now).is_healthy());
        }
    }

    #[test]
    fn an_earlier_mark_does_not_undo_a_later_one() {
        let (health, began) = running();
        let late = began + Duration::from_secs(100);
        for part in Part::ALL {
            health.progressed(part, late);
            health.progressed(part, began);
        }
        assert!(health.is_alive(late + STALLED));
    }

    #[test]
    fn trouble_makes_it_unhealthy_but_is_no_reason_to_be_killed() {
        let (health, now) = running();
        health.set_trouble("database", Some("the file was replaced".to_owned()));
        assert!(health.is_alive(now));
        assert_eq!(health.report(now).problems, ["database: the file was replaced"]);
        health.set_trouble("database", None);
        assert!(health.report(now).is_healthy());
    }

    #[test]
    fn only_a_running_daemon_is_healthy() {
        let (health, now) = running();
        for (phase, status) in
            [(Phase::Starting, "starting"), (Phase::Running, "ok"), (Phase::Stopping, "stopping")]
        {
            health.enter(phase);
            assert_eq!(health.report(now).status, status);
            assert_eq!(health.report(now).is_healthy(), phase == Phase::Running);
        }
    }
}
