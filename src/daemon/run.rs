//! The long-lived loop of `newsfold run`: due feeds, signals, reload, watchdog, housekeeping, shutdown.
//!
//! The loop is thin: what a poll is and what a round is stand elsewhere. It wakes when a poll ends, a host may be asked
//! again, a feed falls due, or somebody signals, and otherwise every [`LONGEST_SLEEP`].

use std::{
    path::Path,
    time::{Duration, Instant},
};

use sd_notify::NotifyState;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    task::JoinSet,
};

use super::{Lock, Rounds, Service, Wait, lock, now, take_up};
use crate::{
    config::{self, Config},
    model::Timestamp,
    schedule::clock::Starts,
    store::{Database, claims::Mode},
    telemetry::Level,
};

/// The database is looked at this often even if nothing is expected: other processes write to it too.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);
/// Running polls may take this long after a stop was asked for.
const GRACE: Duration = Duration::from_secs(3);
/// Between two rounds of housekeeping.
const HOUSEKEEPING: Duration = Duration::from_secs(3_600);
/// Between two checks of the database file.
const CHECK_EVERY: Duration = Duration::from_secs(86_400);
/// Between two looks at what the service manager shows.
const STATUS_EVERY: Duration = Duration::from_secs(15);
/// The wall clock was set if it leaves the steady one by more than this.
const CLOCK_JUMP_SECONDS: i64 = 60;

/// The daemon cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another one works on this database.
    #[error(transparent)]
    AlreadyRunning(#[from] lock::AlreadyRunning),
    /// The database, or the system.
    #[error(transparent)]
    Failed(#[from] anyhow::Error),
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

enum Asked {
    Stop,
    Reload,
}

impl Signals {
    fn new() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::Stop,
            _ = self.interrupt.recv() => Asked::Stop,
            _ = self.hangup.recv() => Asked::Reload,
        }
    }
}

/// Runs the daemon until it is told to stop.
///
/// # Errors
///
/// Another daemon works on the database, or the database fails.
pub async fn run(path: &Path, config: Config, level: &Level) -> Result<(), Error> {
    let _lock = Lock::take(&config.store.path)?;
    let mut signals = Signals::new()?;
    let service = Service::start(&config, true)?;
    let texts = service.cx.writer.load_index(now()).await.map_err(anyhow::Error::from)?;
    tracing::info!(feeds = config.feeds.len(), texts, database = %config.store.path.display(), "ready");
    notify(&[NotifyState::Ready]);
    let outcome = Loop::new(&service, path, config, level).run(&mut signals).await;
    notify(&[NotifyState::Stopping]);
    // Whoever asks twice does not want to wait: no grace, no draining.
    let stopped = tokio::select! {
        stopped = service.stop() => stopped,
        _ = signals.next() => std::process::exit(1),
    };
    tracing::info!("stopped");
    Ok(outcome.and(stopped)?)
}

struct Loop<'a> {
    service: &'a Service,
    path: &'a Path,
    config: Config,
    level: &'a Level,
    rounds: Rounds<'a>,
    chores: JoinSet<()>,
    starts: Starts,
    next_claim: Instant,
    next_housekeeping: Instant,
    next_check: Instant,
    next_status: Instant,
    watchdog: Option<Watchdog>,
    /// The wall and the steady clock at one moment: they drift apart when somebody sets the wall clock.
    clocks: (Timestamp, Instant),
}

impl<'a> Loop<'a> {
    fn new(service: &'a Service, path: &'a Path, config: Config, level: &'a Level) -> Self {
        let at = Instant::now();
        Self {
            starts: starts(&config, at),
            rounds: Rounds::new(service),
            chores: JoinSet::new(),
            next_claim: at,
            next_housekeeping: at + Duration::from_secs(60),
            next_check: at,
            next_status: at,
            watchdog: Watchdog::new(at),
            clocks: (now(), at),
            service,
            path,
            config,
            level,
        }
    }

    async fn run(mut self, signals: &mut Signals) -> anyhow::Result<()> {
        loop {
            let wake = self.turn().await?;
            tokio::select! {
                ended = self.rounds.ended(), if !self.rounds.running.is_empty() => { ended?; }
                Some(_) = self.chores.join_next(), if !self.chores.is_empty() => {}
                () = tokio::time::sleep_until(wake.into()) => {}
                asked = signals.next() => match asked {
                    Asked::Stop => return self.finish(signals).await,
                    Asked::Reload => self.reload().await?,
                },
            }
        }
    }

    /// Does what is due now; returns when to look again at the latest.
    async fn turn(&mut self) -> anyhow::Result<Instant> {
        let at = Instant::now();
        self.mind_the_clock(at).await?;
        if at >= self.next_claim {
            self.claim(at).await?;
        }
        let mut wake = self.next_claim;
        if let Wait::Until(instant) = self.rounds.start() {
            wake = wake.min(instant);
        }
        self.keep_house(at);
        if at >= self.next_status {
            self.show_status().await?;
            self.next_status = at + STATUS_EVERY;
        }
        if let Some(watchdog) = &mut self.watchdog {
            watchdog.turn(self.service, &mut self.chores, at);
            wake = wake.min(watchdog.next);
        }
        Ok(wake.max(at + Duration::from_millis(1)))
    }

    /// Takes due feeds in, no faster than a crowd may start.
    async fn claim(&mut self, at: Instant) -> anyhow::Result<()> {
        let allowed = self.starts.take(self.rounds.room(), at);
        let claimed =
            if allowed > 0 { self.rounds.claim(Mode::Due, allowed, None).await?.len() } else { 0 };
        let more_waits = allowed == 0 || claimed == allowed;
        self.next_claim = if more_waits {
            // As many again when some of these have been started, and the crowd has its pace.
            self.starts.next_at().max(at + Duration::from_millis(50))
        } else {
            let due_at = self.service.cx.writer.call(|state| state.db.next_due_at()).await??;
            let seconds = due_at.map_or(i64::MAX, |due_at| due_at.seconds_since(now())).max(1);
            at + Duration::from_secs(seconds.unsigned_abs()).min(LONGEST_SLEEP)
        };
        Ok(())
    }

    /// After the wall clock was set back, feeds keep their waits instead of sleeping until it has caught up. Set
    /// forward, everything is due, and the pace of starts keeps it from being a burst.
    async fn mind_the_clock(&mut self, at: Instant) -> anyhow::Result<()> {
        let (wall, steady) = self.clocks;
        let elapsed =
            i64::try_from(at.saturating_duration_since(steady).as_secs()).unwrap_or(i64::MAX);
        let jump = now().seconds_since(wall.plus_seconds(elapsed));
        if jump.abs() <= CLOCK_JUMP_SECONDS {
            return Ok(());
        }
        tracing::warn!(jump_s = jump, "the clock was set");
        self.clocks = (now(), at);
        self.next_claim = at;
        let moved = self.service.cx.writer.call(|state| state.db.reanchor(now())).await??;
        if moved > 0 {
            tracing::info!(feeds = moved, "next polls were moved with the clock");
        }
        Ok(())
    }

    /// Removes what has had its time, and has the file checked: beside the loop, never in its way.
    fn keep_house(&mut self, at: Instant) {
        if at >= self.next_housekeeping {
            self.next_housekeeping = at + HOUSEKEEPING;
            let (writer, retention) = (self.service.cx.writer.clone(), self.config.retention());
            self.chores.spawn(async move {
                // In small steps, between which polls are written.
                loop {
                    let removed = writer.call(move |state| {
                        state.evict(now());
                        state.db.remove_some(&retention, now())
                    });
                    match removed.await {
                        Ok(Ok(removed)) if removed.any() => {}
                        _ => break,
                    }
                }
            });
        }
        if at >= self.next_check {
            self.next_check = at + CHECK_EVERY;
            let options = self.config.store_options();
            self.chores.spawn_blocking(move || {
                let checked = Database::open_for_reading(&options).and_then(|db| db.quick_check());
                if let Err(error) = checked {
                    tracing::error!(error = %crate::daemon::chain(&error), "the database is damaged: restore a backup");
                }
            });
        }
    }

    async fn show_status(&self) -> anyhow::Result<()> {
        let summary = self.service.cx.writer.call(|state| state.db.summary(now())).await??;
        notify(&[NotifyState::Status(&summary.to_string())]);
        Ok(())
    }

    /// Takes up the configuration anew; a bad one changes nothing.
    async fn reload(&mut self) -> anyhow::Result<()> {
        if let Ok(moment) = NotifyState::monotonic_usec_now() {
            notify(&[NotifyState::Reloading, moment]);
        }
        match config::load(self.path) {
            Err(error) => {
                let first = error.lines().into_iter().next().unwrap_or_default();
                tracing::error!(
                    errors = error.count(),
                    first,
                    "the configuration has errors: the old one stays"
                );
            }
            Ok(config) if config.store.path != self.config.store.path => {
                tracing::error!("another database needs a restart: the old configuration stays");
            }
            Ok(config) => self.take_up(config).await?,
        }
        notify(&[NotifyState::Ready]);
        Ok(())
    }

    async fn take_up(&mut self, config: Config) -> anyhow::Result<()> {
        let (new, window) = (config.clone(), config.window_seconds());
        self.service
            .cx
            .writer
            .call(move |state| {
                state.set_window(window);
                state.forget_caches();
                take_up(&mut state.db, &new, true, now())
            })
            .await??;
        self.service.configure(&config);
        self.level.set(&config.log.level);
        self.starts = starts(&config, Instant::now());
        self.next_claim = Instant::now();
        tracing::info!(feeds = config.feeds.len(), "configuration taken up");
        self.config = config;
        Ok(())
    }

    /// No new polls; those that run get a while.
    async fn finish(mut self, signals: &mut Signals) -> anyhow::Result<()> {
        notify(&[NotifyState::Stopping]);
        tracing::info!(running = self.rounds.running.len(), "stopping");
        let grace = tokio::time::sleep(GRACE);
        tokio::pin!(grace);
        while !self.rounds.running.is_empty() {
            tokio::select! {
                ended = self.rounds.ended() => { ended?; }
                () = &mut grace => break,
                asked = signals.next() => if matches!(asked, Asked::Stop) { std::process::exit(1) },
            }
        }
        self.rounds.running.shutdown().await;
        self.chores.shutdown().await;
        self.service.cx.writer.give_up_waiting();
        Ok(())
    }
}

fn starts(config: &Config, at: Instant) -> Starts {
    let shortest = config.feeds.iter().map(|feed| feed.poll.min_interval).min();
    Starts::new(config.feeds.len(), shortest.unwrap_or(Duration::from_secs(900)), at)
}

/// Pings the service manager's watchdog, from proof of progress: this loop turns, and the writer has done a job since
/// the last ping (or waits for somebody's lock, which counts as progress).
struct Watchdog {
    every: Duration,
    next: Instant,
    seen: u64,
}

impl Watchdog {
    fn new(at: Instant) -> Option<Self> {
        let limit = sd_notify::watchdog_enabled()?;
        Some(Self { every: limit / 4, next: at, seen: u64::MAX })
    }

    fn turn(&mut self, service: &Service, chores: &mut JoinSet<()>, at: Instant) {
        if at < self.next {
            return;
        }
        self.next = at + self.every;
        let progress = service.cx.writer.progress();
        if progress != self.seen {
            notify(&[NotifyState::Watchdog]);
            self.seen = progress;
            let writer = service.cx.writer.clone();
            // Whether it is answered shows in the writer's progress.
            chores.spawn(async move { drop(writer.call(|_| ()).await) });
        }
    }
}

/// Outside of a service manager there is nobody to tell.
fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "cannot notify the service manager");
    }
}
