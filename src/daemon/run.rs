//! The long-lived loop of `newsfold run`: due feeds, signals, reload, watchdog, housekeeping, shutdown.
//!
//! The loop is thin: what a poll is and what a round is stand elsewhere. It wakes when a poll ends, a host may be asked
//! again, a feed falls due, or somebody signals, and otherwise every [`LONGEST_SLEEP`].

use std::{
    env, io,
    os::{
        linux::net::SocketAddrExt as _,
        unix::{
            ffi::OsStrExt as _,
            net::{SocketAddr, UnixDatagram},
        },
    },
    path::Path,
    process,
    sync::Arc,
    time::{Duration, Instant},
};

use rustix::time::{ClockId, clock_gettime};
use sd_notify::NotifyState;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    task::JoinSet,
};

use super::{
    LEASE_SECONDS, Lock, Service, chain, lock, longest_wait_seconds, now,
    rounds::{Rounds, Wait},
    take_up,
    vitals::{Vitals, bind},
};
use crate::{
    config::{self, Config, Listen},
    health::Phase,
    http::Listener,
    metrics::{Gauges, Metrics},
    model::Timestamp,
    schedule::clock::Starts,
    store::{self, Database, claims::Mode},
    telemetry::Level,
    writer::{self, Writer},
};

/// The database is looked at this often even if nothing is expected: other processes write to it too.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);
/// After a poll has ended, due feeds are looked for this soon.
const CLAIM_SOON: Duration = Duration::from_secs(1);
/// Claims are renewed long before they run out: their feeds may wait for a slow host.
const RENEW_EVERY: Duration = Duration::from_secs(LEASE_SECONDS.unsigned_abs() / 3);
/// Running polls may take this long after a stop was asked for.
const GRACE: Duration = Duration::from_secs(3);
/// Between two rounds of housekeeping.
const HOUSEKEEPING: Duration = Duration::from_secs(3_600);
/// Between two checks of the database file.
const CHECK_EVERY: Duration = Duration::from_secs(86_400);
/// Between two looks at what the service manager and the metrics show.
const STATUS_EVERY: Duration = Duration::from_secs(15);
/// After a poll or a reload they show it this soon.
const STATUS_SOON: Duration = Duration::from_secs(1);
/// One wait for somebody's lock on the database. The waits are repeated for as long as it takes; between them the
/// writer proves that it lives and hears that it is to stop.
const LOCK_WAIT: Duration = Duration::from_secs(1);
/// While a migration runs or the index is loaded, the service manager is asked for this much more time ...
const MORE_TIME: Duration = Duration::from_secs(30);
/// ... this often, ...
const ASK_EVERY: Duration = Duration::from_secs(10);
/// ... but not for ever: by then a migration of any size is done.
const LONGEST_START: Duration = Duration::from_secs(3_600);
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
    /// What was asked for while nobody could attend to it.
    waiting: Option<Asked>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
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
            waiting: None,
        })
    }

    async fn next(&mut self) -> Asked {
        match self.waiting.take() {
            Some(asked) => asked,
            None => self.arrives().await,
        }
    }

    /// Waits for a request to stop; nobody takes up a configuration any more.
    async fn stop(&mut self) {
        while self.next().await != Asked::Stop {}
    }

    /// Does `work`, which waits for the writer. A request to stop is remembered, and the writer told not to wait for
    /// anybody's lock any longer; a second one ends the process.
    async fn during<T>(&mut self, writer: &Writer, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                asked = self.arrives() => {
                    if self.waiting == Some(Asked::Stop) && asked == Asked::Stop {
                        process::exit(1);
                    }
                    if asked == Asked::Stop {
                        writer.give_up_waiting();
                    }
                    if self.waiting != Some(Asked::Stop) {
                        self.waiting = Some(asked);
                    }
                }
            }
        }
    }

    async fn arrives(&mut self) -> Asked {
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
    let mut signals = Signals::new()?;
    let _lock = Lock::take(&config.store.path)?;
    let metrics = Arc::new(Metrics::new(now()));
    let mut vitals = Vitals::new(Arc::clone(&metrics), config.store_options(), Instant::now());
    vitals.listen(&config.http).await;
    let Some(service) = start(&config, metrics, &mut signals).await? else { return Ok(()) };
    vitals.begin(Instant::now());
    notify(&[NotifyState::Ready]);
    let outcome = Loop::new(&service, path, config, level).run(&mut signals, &mut vitals).await;
    notify(&[NotifyState::Stopping]);
    vitals.end().await;
    // Whoever asks twice does not want to wait: no grace, no draining.
    let stopped = tokio::select! {
        stopped = service.stop() => stopped,
        () = signals.stop() => process::exit(1),
    };
    tracing::info!("stopped");
    Ok(outcome.and(stopped)?)
}

/// Opens the database, upgrades it where needed, takes up the feeds and loads the index, however long it takes. `None`:
/// told to stop meanwhile.
async fn start(
    config: &Config,
    metrics: Arc<Metrics>,
    signals: &mut Signals,
) -> anyhow::Result<Option<Service>> {
    let began = Instant::now();
    let starting = async {
        let service = loop {
            let (config, metrics) = (config.clone(), Arc::clone(&metrics));
            let options = store::Options { busy_timeout: LOCK_WAIT, ..config.store_options() };
            let opening = move || Service::start_with(&config, options, true, metrics);
            match tokio::task::spawn_blocking(opening).await? {
                Err(error) if is_busy(&error) => {
                    notify(&[NotifyState::Status("waiting for the lock of the database")]);
                }
                started => break started?,
            }
        };
        service.cx.writer.outwait_disk();
        let texts = service.cx.writer.load_index(now()).await?;
        anyhow::Ok((service, texts))
    };
    tokio::pin!(starting);
    let mut ask = tokio::time::interval(ASK_EVERY);
    loop {
        tokio::select! {
            started = &mut starting => {
                let (service, texts) = started?;
                let (feeds, database) = (config.feeds.len(), config.store.path.display());
                tracing::info!(feeds, texts, %database, "ready");
                return Ok(Some(service));
            }
            // A migration that is under way is rolled back by whoever opens the database next.
            asked = signals.arrives() => match asked {
                Asked::Stop => process::exit(0),
                // The configuration may have been read already: it is taken up anew as soon as there is somebody to.
                Asked::Reload => signals.waiting = Some(asked),
            },
            _ = ask.tick(), if began.elapsed() < LONGEST_START => {
                let micros = u32::try_from(MORE_TIME.as_micros()).unwrap_or(u32::MAX);
                notify(&[NotifyState::ExtendTimeoutUsec(micros)]);
            }
        }
    }
}

struct Loop<'a> {
    service: &'a Service,
    path: &'a Path,
    config: Config,
    level: &'a Level,
    rounds: Rounds<'a>,
    chores: JoinSet<()>,
    /// What each found wrong with the database. A stop does not wait for them: they only read.
    checks: JoinSet<Option<String>>,
    starts: Starts,
    next_claim: Instant,
    next_housekeeping: Instant,
    next_check: Instant,
    next_status: Instant,
    next_renewal: Instant,
    /// The wall and the steady clock at one moment: they drift apart when somebody sets the wall clock.
    clocks: (Timestamp, Duration),
}

impl<'a> Loop<'a> {
    fn new(service: &'a Service, path: &'a Path, config: Config, level: &'a Level) -> Self {
        let at = Instant::now();
        Self {
            starts: starts(&config, at),
            rounds: Rounds::new(service),
            chores: JoinSet::new(),
            checks: JoinSet::new(),
            next_claim: at,
            next_housekeeping: at + Duration::from_secs(60),
            next_check: at,
            next_status: at,
            next_renewal: at + RENEW_EVERY,
            clocks: (now(), since_boot()),
            service,
            path,
            config,
            level,
        }
    }

    async fn run(mut self, signals: &mut Signals, vitals: &mut Vitals) -> anyhow::Result<()> {
        let writer = self.service.cx.writer.clone();
        loop {
            let turned = signals.during(&writer, vitals.during(&writer, self.turn())).await;
            let wake = self.outwait(turned, vitals)?;
            tokio::select! {
                ended = self.rounds.ended(), if !self.rounds.running.is_empty() => {
                    let is_poll = !matches!(ended, Ok(None));
                    // A poll that could not be written is made again when its claim has run out.
                    let ended = ended.map(|_| Instant::now()).map_err(Into::into);
                    self.outwait(ended, vitals)?;
                    if is_poll {
                        // Its feed may be due again before any that was looked for when it was claimed.
                        self.next_claim = self.next_claim.min(Instant::now() + CLAIM_SOON);
                        self.next_status = self.next_status.min(Instant::now() + STATUS_SOON);
                    }
                }
                Some(_) = self.chores.join_next(), if !self.chores.is_empty() => {}
                Some(ended) = self.checks.join_next(), if !self.checks.is_empty() => {
                    if let Ok(Some(trouble)) = ended {
                        vitals.health.set_trouble("database", Some(trouble));
                    }
                }
                () = tokio::time::sleep_until(wake.min(vitals.next()).into()) => {}
                asked = signals.next() => match asked {
                    Asked::Stop => {
                        vitals.health.enter(Phase::Stopping);
                        return self.finish(signals).await;
                    }
                    Asked::Reload => {
                        let listening = vitals.listening();
                        let work = vitals.during(&writer, self.reload(listening));
                        match signals.during(&writer, work).await {
                            Ok(Some(listener)) => vitals.serve(&self.config.http, listener).await,
                            Ok(None) => {}
                            Err(error) => drop(self.outwait(Err(error), vitals)?),
                        }
                    }
                },
            }
            vitals.beat(&writer, Instant::now());
            vitals.listen_again(&self.config.http, Instant::now()).await;
        }
    }

    /// Somebody else's lock on the database, or a full disk, is no reason to end: what needs it is tried again.
    fn outwait(
        &mut self,
        done: anyhow::Result<Instant>,
        vitals: &mut Vitals,
    ) -> anyhow::Result<Instant> {
        let Err(error) = done else {
            // A turn in which nothing was due has proved nothing.
            vitals.hindrance.take_if(|(_, until)| Instant::now() > *until);
            return done;
        };
        if !may_pass(&error) {
            return Err(error);
        }
        if is_busy(&error) {
            self.service.cx.writer.note_lock();
        } else {
            let reason = error.root_cause().to_string();
            vitals.hindrance = Some((reason, Instant::now() + LOCK_WAIT));
        }
        let again_at = Instant::now() + LOCK_WAIT;
        (self.next_claim, self.next_status) = (again_at, again_at);
        Ok(again_at)
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
        if at >= self.next_renewal {
            let (by, until) = (Arc::clone(&self.service.by), now().plus_seconds(LEASE_SECONDS));
            let held = self.rounds.held();
            let renew = move |state: &mut writer::State| state.db.renew_claims(&by, &held, until);
            self.service.cx.writer.call(renew).await??;
            self.next_renewal = at + RENEW_EVERY;
        }
        wake = wake.min(self.next_status).min(self.next_renewal);
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
            let due_at = self.service.cx.writer.call(|state| state.db.next_due_at(now())).await??;
            let seconds = due_at.map_or(i64::MAX, |due_at| due_at.seconds_since(now())).max(1);
            at + Duration::from_secs(seconds.unsigned_abs()).min(LONGEST_SLEEP)
        };
        Ok(())
    }

    /// After the wall clock was set back, feeds keep their waits instead of sleeping until it has caught up. Set
    /// forward, everything is due but what a server has ordered to wait, and the pace of starts keeps it from being a
    /// burst.
    async fn mind_the_clock(&mut self, at: Instant) -> anyhow::Result<()> {
        let (wall, steady) = self.clocks;
        let elapsed = since_boot().saturating_sub(steady).as_secs();
        let elapsed = i64::try_from(elapsed).unwrap_or(i64::MAX);
        let jump = now().seconds_since(wall.plus_seconds(elapsed));
        if jump.abs() <= CLOCK_JUMP_SECONDS {
            return Ok(());
        }
        tracing::warn!(jump_s = jump, "the clock was set");
        self.clocks = (now(), since_boot());
        self.next_claim = at;
        let longest = longest_wait_seconds(&self.config);
        let follow = move |state: &mut writer::State| state.db.follow_clock(jump, longest, now());
        let moved = self.service.cx.writer.call(follow).await??;
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
            self.checks.spawn_blocking(move || {
                let checked = Database::open_for_reading(&options).and_then(|db| db.quick_check());
                let error = chain(&checked.err()?);
                tracing::error!(error, "the database is damaged, restore a backup: {error}");
                Some(error)
            });
        }
    }

    async fn show_status(&self) -> anyhow::Result<()> {
        let looked = self.service.cx.writer.call(|state| {
            // Else a file that was deleted would be missed only when the next feed falls due.
            state.db.check_file()?;
            let summary = state.db.summary(now())?;
            Ok::<_, store::Error>((summary, state.db.sizes(), state.index_len()))
        });
        let (summary, (database_bytes, wal_bytes), texts) = looked.await??;
        notify(&[NotifyState::Status(&summary.to_string())]);
        self.service.metrics.set(&Gauges {
            feeds_healthy: summary.healthy().into(),
            feeds_failing: summary.failing.saturating_sub(summary.gone).into(),
            feeds_stale: summary.stale.into(),
            feeds_gone: summary.gone.into(),
            feeds_same: summary.same.into(),
            feeds_disabled: summary.disabled.into(),
            feeds_due: summary.due.into(),
            poll_lag: Duration::from_secs(summary.lag_seconds.unsigned_abs()),
            polls_running: self.rounds.running.len() as u64,
            writer_queue: self.service.cx.writer.waiting() as u64,
            database_bytes,
            wal_bytes,
            index_texts: texts as u64,
            last_article_at: summary.last_article_at,
        });
        Ok(())
    }

    /// Takes up the configuration anew and answers whoever asked for it; a bad one changes nothing. What metrics and
    /// health are served on from now on is opened first: `Some` if it was taken up.
    async fn reload(
        &mut self,
        listening: Option<Listen>,
    ) -> anyhow::Result<Option<Option<Listener>>> {
        if let Ok(moment) = NotifyState::monotonic_usec_now() {
            notify(&[NotifyState::Reloading, moment]);
        }
        let last = self.insist(|state| state.db.last_reload_request()).await?;
        let taken_up = match self.prepare(listening).await {
            Ok((config, listener)) => {
                self.take_up(config).await?;
                Ok(listener)
            }
            Err(refusal) => {
                let shown = refusal.replace('\n', "; ");
                tracing::error!(errors = refusal, "the old configuration stays: {shown}");
                Err(refusal)
            }
        };
        let refusal = taken_up.as_ref().err().cloned();
        self.service.metrics.reloaded(refusal.is_none());
        let answer = move |state: &mut writer::State| {
            state.db.answer_reloads(last, refusal.as_deref(), now())
        };
        self.insist(answer).await?;
        self.next_status = Instant::now();
        notify(&[NotifyState::Ready]);
        Ok(taken_up.ok())
    }

    /// Reads the configuration and opens what it needs, or says why it cannot be taken up.
    async fn prepare(
        &self,
        listening: Option<Listen>,
    ) -> Result<(Config, Option<Listener>), String> {
        let config = config::load(self.path).map_err(|error| error.lines().join("\n"))?;
        if config.store.path != self.config.store.path {
            return Err("[store] path: another database needs a restart".to_owned());
        }
        let bound = bind(&config.http, listening.as_ref()).await;
        let listener = bound.map_err(|error| {
            let port = |listen: &Listen| match listen {
                Listen::Tcp(address) => Some(address.port()),
                Listen::Unix(_) => None,
            };
            let (old, new) = (listening.as_ref().and_then(port), config.http.listen.as_ref());
            // It may be our own other address that stands in the way.
            let hint = match old.is_some() && old == new.and_then(port) {
                true => "; from one address to another on the same port needs a restart",
                false => "",
            };
            format!("[http] listen: {}{hint}", chain(&error))
        })?;
        Ok((config, listener))
    }

    async fn take_up(&mut self, config: Config) -> anyhow::Result<()> {
        let (new, window) = (config.clone(), config.window_seconds());
        self.insist(move |state| {
            state.set_window(window);
            state.forget_caches();
            take_up(&mut state.db, &new, true, now())
        })
        .await?;
        if config.fetch != self.config.fetch || config.store.search != self.config.store.search {
            tracing::warn!(
                "limits that all feeds of [fetch] share, and [store] search, wait for a restart"
            );
        }
        self.service.configure(&config);
        self.level.set(&config.log.level);
        self.starts = starts(&config, Instant::now());
        self.next_claim = Instant::now();
        tracing::info!(feeds = config.feeds.len(), "configuration taken up");
        self.config = config;
        Ok(())
    }

    /// Has the writer do something, again and again while somebody else holds the lock. Busy is the answer only once
    /// the process is to stop.
    async fn insist<T, E>(
        &self,
        work: impl Fn(&mut writer::State) -> Result<T, E> + Clone + Send + 'static,
    ) -> anyhow::Result<T>
    where
        T: Send + 'static,
        E: Into<anyhow::Error> + Send + 'static,
    {
        let writer = &self.service.cx.writer;
        loop {
            match writer.call(work.clone()).await?.map_err(Into::into) {
                Err(error) if is_busy(&error) && !writer.gives_up() => writer.note_lock(),
                Err(error) if may_pass(&error) && !writer.gives_up() => {
                    tokio::time::sleep(LOCK_WAIT).await;
                }
                done => return done,
            }
        }
    }

    /// No new polls; those that run get a while.
    async fn finish(mut self, signals: &mut Signals) -> anyhow::Result<()> {
        notify(&[NotifyState::Stopping]);
        notify(&[NotifyState::Status("stopping")]);
        tracing::info!(running = self.rounds.running.len(), "stopping");
        // From here on somebody's lock costs the results of polls that would be made again, not the stop.
        self.service.cx.writer.give_up_waiting();
        let grace = tokio::time::sleep(GRACE);
        tokio::pin!(grace);
        while !self.rounds.running.is_empty() {
            tokio::select! {
                ended = self.rounds.ended() => if let Err(error) = ended {
                    let error = chain(&error);
                    tracing::warn!(error, "a poll could not be written and will be made again: {error}");
                },
                () = &mut grace => break,
                () = signals.stop() => process::exit(1),
            }
        }
        self.rounds.running.shutdown().await;
        self.chores.shutdown().await;
        Ok(())
    }
}

/// The clock that nobody sets; it goes on while the machine sleeps.
fn since_boot() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

fn starts(config: &Config, at: Instant) -> Starts {
    let shortest = config.feeds.iter().map(|feed| feed.poll.min_interval).min();
    Starts::new(config.feeds.len(), shortest.unwrap_or(Duration::from_secs(900)), at)
}

/// Whether somebody else's lock on the database is at the bottom of it.
fn is_busy(error: &anyhow::Error) -> bool {
    error.chain().any(|it| it.downcast_ref::<store::Error>().is_some_and(store::Error::is_busy))
}

/// Whether another try may succeed: somebody else's lock, or a disk that is full or failing.
fn may_pass(error: &anyhow::Error) -> bool {
    let is_disk = |it: &store::Error| it.is_disk();
    is_busy(error) || error.chain().any(|it| it.downcast_ref::<store::Error>().is_some_and(is_disk))
}

/// Outside of a service manager there is nobody to tell.
pub(super) fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = send(states) {
        tracing::debug!(%error, "cannot notify the service manager");
    }
}

/// Tells without waiting, as `sd_notify::notify` would: a manager that does not read must not hold up the feeds.
fn send(states: &[NotifyState<'_>]) -> io::Result<()> {
    let Some(path) = env::var_os("NOTIFY_SOCKET") else { return Ok(()) };
    let lines: String = states.iter().map(|state| format!("{state}\n")).collect();
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    match path.as_bytes().strip_prefix(b"@") {
        Some(name) => socket.connect_addr(&SocketAddr::from_abstract_name(name)?)?,
        None => socket.connect(&path)?,
    }
    socket.send(lines.as_bytes()).map(drop)
}
