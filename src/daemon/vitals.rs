//! Whether the daemon lives: systemd's watchdog, `/health` and `/metrics`.
//!
//! [`Vitals::beat`] is called by the loop itself. It marks the loop's own progress, looks whether the writer has done a
//! job since the last look (or waits for somebody's lock, which counts), gives it a small one to prove itself by,
//! and pings the watchdog if both are well. While nothing can be written it says so, and reads for itself how many feeds
//! are due. No timer of its own: a loop that hangs falls silent.

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use sd_notify::NotifyState;
use tokio::task::JoinSet;

use super::{chain, now, run::notify};
use crate::{
    config::{self, Listen},
    health::{Health, Part, Phase},
    http::{self, Listener, Pages},
    metrics::Metrics,
    store::{self, Database, claims::Summary},
    writer::Writer,
};

/// A part that does not move on for so long is stuck, where no watchdog says otherwise.
const STALLED_AFTER: Duration = Duration::from_secs(60);
/// Looks in this time: the second look after the last sign of life still comes well before the watchdog bites.
const BEATS_PER_LIMIT: u32 = 8;
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// An address that somebody else held is tried again after this time.
const LISTEN_AGAIN: Duration = Duration::from_secs(5);

/// What keeps everything from being written is logged again after this time.
const COMPLAIN_EVERY: Duration = Duration::from_secs(3_600);

pub(super) struct Vitals {
    pub(super) health: Health,
    pub(super) metrics: Arc<Metrics>,
    has_watchdog: bool,
    every: Duration,
    next: Instant,
    /// The writer's progress at the last look.
    seen: u64,
    probes: JoinSet<()>,
    server: JoinSet<()>,
    listening: Option<Listen>,
    /// When what could not be listened on is tried again.
    listen_again_at: Option<Instant>,
    /// What keeps the loop itself from writing, and until when it does not try.
    pub(super) hindrance: Option<(String, Instant)>,
    stalled_after: Duration,
    store: store::Options,
    complained_at: Option<Instant>,
    /// What is due, as long as the loop cannot claim it.
    looks: JoinSet<Option<Summary>>,
}

impl Vitals {
    pub(super) fn new(metrics: Arc<Metrics>, store: store::Options, at: Instant) -> Self {
        let limit = sd_notify::watchdog_enabled();
        let stalled_after = limit.map_or(STALLED_AFTER, |limit| limit / 2);
        Self {
            health: Health::new(stalled_after, at),
            metrics,
            has_watchdog: limit.is_some(),
            every: (2 * stalled_after / BEATS_PER_LIMIT).min(LONGEST_PAUSE),
            next: at,
            seen: u64::MAX,
            probes: JoinSet::new(),
            server: JoinSet::new(),
            listening: None,
            listen_again_at: None,
            hindrance: None,
            stalled_after,
            store,
            complained_at: None,
            looks: JoinSet::new(),
        }
    }

    /// Serves on the address of the configuration, or on none. What goes wrong here keeps no feed from being polled.
    pub(super) async fn listen(&mut self, http: &config::Http) {
        match bind(http, self.listening.as_ref()).await {
            Ok(listener) => self.serve(http, listener).await,
            Err(error) => {
                let error = chain(&error);
                tracing::error!(error, "metrics and health are not served for now: {error}");
                self.listen_again_at = Some(Instant::now() + LISTEN_AGAIN);
            }
        }
    }

    /// Tries again, from time to time and without another word, what somebody else held when it was to be listened on.
    pub(super) async fn listen_again(&mut self, http: &config::Http, at: Instant) {
        if self.listen_again_at.is_none_or(|again_at| at < again_at) {
            return;
        }
        self.listen_again_at = None;
        match bind(http, self.listening.as_ref()).await {
            Ok(listener) => self.serve(http, listener).await,
            Err(_) => self.listen_again_at = Some(at + LISTEN_AGAIN),
        }
    }

    /// Where it listens now.
    pub(super) fn listening(&self) -> Option<Listen> {
        self.listening.clone()
    }

    /// Goes over to what [`bind`] has opened for this configuration.
    pub(super) async fn serve(&mut self, http: &config::Http, listener: Option<Listener>) {
        if self.listening == http.listen {
            return;
        }
        self.server.shutdown().await;
        self.listen_again_at = None;
        self.listening = http.listen.clone();
        let Some(listener) = listener else { return };
        tracing::info!(listen = listener.address(), "metrics and health are served");
        let (metrics, health) = (Arc::clone(&self.metrics), self.health.clone());
        self.server.spawn(listener.serve(Pages { metrics, health }));
    }

    /// The daemon is ready: from here on it must prove that it works.
    pub(super) fn begin(&mut self, at: Instant) {
        self.health.enter(Phase::Running);
        self.health.progressed(Part::Scheduler, at);
        self.health.progressed(Part::Writer, at);
    }

    /// When the next look is due.
    pub(super) fn next(&self) -> Instant {
        self.next
    }

    /// The loop lives, and maybe the writer.
    pub(super) fn beat(&mut self, writer: &Writer, at: Instant) {
        self.health.progressed(Part::Scheduler, at);
        if at < self.next {
            return;
        }
        self.next = at + self.every;
        self.look_for_hindrances(writer, at);
        let progress = writer.progress();
        if progress != self.seen {
            self.seen = progress;
            self.health.progressed(Part::Writer, at);
            while self.probes.try_join_next().is_some() {}
            // Whether it is answered shows in the writer's progress.
            if self.probes.is_empty() {
                let writer = writer.clone();
                self.probes.spawn(async move { drop(writer.call(|_| ()).await) });
            }
        }
        if self.has_watchdog && self.health.is_alive(at) {
            notify(&[NotifyState::Watchdog]);
        }
    }

    /// A full disk is told at once, somebody's lock when it has lasted: people work in the database by hand.
    fn look_for_hindrances(&mut self, writer: &Writer, at: Instant) {
        let own = self.hindrance.as_ref().map(|(why, _)| why.clone());
        let full = writer.hindrance().or_else(|| own.clone());
        let locked_for = writer.locked_for();
        let locked = locked_for.filter(|time| *time >= self.stalled_after).map(|time| {
            format!("the database has been locked by another program for {} s", time.as_secs())
        });
        let is_hindered = full.is_some() || locked_for.is_some();
        let complain_again =
            self.complained_at.is_none_or(|last| at.duration_since(last) >= COMPLAIN_EVERY);
        if complain_again && (own.is_some() || locked.is_some()) {
            self.complained_at = Some(at);
            match (&own, &locked) {
                (Some(error), _) => tracing::error!(
                    error,
                    "nothing is polled until the disk has room again: {error}"
                ),
                (_, locked) => {
                    let error = locked.as_deref().unwrap_or_default();
                    tracing::error!(error, "nothing is polled until the lock is gone: {error}");
                }
            }
        } else if !is_hindered && self.complained_at.take().is_some() {
            tracing::info!("polls are made and written again");
        }
        let due = self.what_is_due(is_hindered);
        if let Some(reason) = full.as_ref().or(locked.as_ref()) {
            let due = due.map(|due| format!(" ({due})")).unwrap_or_default();
            notify(&[NotifyState::Status(&format!("cannot write, trying again: {reason}{due}"))]);
        }
        self.health.set_trouble("disk", full);
        self.health.set_trouble("lock", locked);
    }

    /// The last look at what is due, and begins another if the loop cannot look itself.
    fn what_is_due(&mut self, is_hindered: bool) -> Option<Summary> {
        let seen = self.looks.try_join_next().and_then(Result::ok).flatten();
        if let Some(due) = seen.as_ref().filter(|_| is_hindered) {
            let lag = Duration::from_secs(due.lag_seconds.unsigned_abs());
            self.metrics.set_due(due.due.into(), lag);
        }
        if is_hindered && self.looks.is_empty() {
            let options = self.store.clone();
            self.looks.spawn_blocking(move || {
                Database::open_for_reading(&options).and_then(|db| db.summary(now())).ok()
            });
        }
        seen
    }

    /// Does `work`, which waits for the writer, without falling silent meanwhile.
    pub(super) async fn during<T>(&mut self, writer: &Writer, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = tokio::time::sleep_until(self.next.into()) => self.beat(writer, Instant::now()),
            }
        }
    }

    /// Lets go of the writer, which ends when its last user has.
    pub(super) async fn end(&mut self) {
        self.probes.shutdown().await;
    }
}

/// Opens the address of the configuration; `None` where it names none, or the one that is listened on already.
pub(super) async fn bind(
    http: &config::Http,
    listening: Option<&Listen>,
) -> Result<Option<Listener>, http::Error> {
    match &http.listen {
        Some(listen) if listening != Some(listen) => Listener::bind(listen).await.map(Some),
        _ => Ok(None),
    }
}
