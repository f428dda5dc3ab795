//! Drives polls: one round for `newsfold once`, rounds without end for `newsfold run`.
//!
//! A `Rounds` holds what both need: feeds are claimed in the database in batches, wait in a queue by host until their
//! host may be asked, and are polled side by side; what they bring goes through the one writer. The clock is read here
//! and in the command line only.

mod claimant;
mod lock;
mod run;
mod vitals;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, PoisonError, RwLock},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use tokio::{sync::Semaphore, task::JoinSet};
use tracing::Instrument;

pub use self::{
    lock::{AlreadyRunning, Lock},
    run::{Error as RunError, run},
};
use crate::{
    config::{self, Config},
    context::{Context, Settings},
    fetch::{self, Fetcher, pacer},
    metrics::{Metrics, PollNumbers},
    model::{FeedId, Timestamp},
    poll,
    report::{Counts, CycleReport, Failure, FeedPoll, Outcome, Progress, Skipped},
    schedule,
    store::{
        self, Database,
        claims::{Mode, Standing},
        feeds::FeedState,
        polls::NextPoll,
        retention::Retention,
    },
    writer::{self, OwnedClaim, PollReport},
};

/// A claim outlives any poll and any wait for a slow host; it is renewed while its feed waits.
const LEASE_SECONDS: i64 = 600;
/// Feeds claimed ahead of their turn, for each poll that may run ...
const CLAIMED_AHEAD: usize = 4;
/// ... and at least so many: each claim is a transaction, and writes the same pages of `feeds` again.
const LEAST_CLAIMED_AHEAD: usize = 256;
/// Polls under way at least: requests have their own limit, and those that wait for the writer are written in one
/// transaction, the more of them the cheaper.
const UNDER_WAY: usize = 64;
/// Begins the name under which a daemon claims feeds.
const DAEMON: &str = "run:";
/// Polls that may wait for the writer.
const WRITER_QUEUE: usize = 256;

/// The time.
#[expect(clippy::disallowed_methods, reason = "this is the edge at which the clock is read")]
pub fn now() -> Timestamp {
    let since_1970 =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(since_1970.as_secs()).unwrap_or(i64::MAX);
    Timestamp::MIN.plus_seconds(seconds)
}

/// What holds for the process: everything between configuration and polls.
pub struct Service {
    cx: Context,
    /// By the feed's URL; a reload changes it under the rounds.
    settings: RwLock<HashMap<String, Arc<Settings>>>,
    by: Arc<str>,
    concurrency: usize,
    per_host_limit: usize,
    metrics: Arc<Metrics>,
    thread: JoinHandle<Database>,
}

impl Service {
    /// Opens the database, takes up the configured feeds, starts the writer's thread. Nothing is asked yet.
    ///
    /// # Errors
    ///
    /// The database cannot be opened, upgraded or written.
    pub fn start(config: &Config, is_daemon: bool) -> anyhow::Result<Self> {
        Self::start_with(config, config.store_options(), is_daemon, Arc::new(Metrics::new(now())))
    }

    fn start_with(
        config: &Config,
        options: store::Options,
        is_daemon: bool,
        metrics: Arc<Metrics>,
    ) -> anyhow::Result<Self> {
        let mut db = Database::open(&options)?;
        // Only the holder of the lock comes here as a daemon.
        if is_daemon {
            follow_the_dead(&mut db, config, now())?;
        }
        let kind = if is_daemon { DAEMON } else { "once:" };
        take_up(&mut db, config, is_daemon, now())?;
        db.set_search(config.search())?;
        let (writer, thread) = writer::spawn(db, config.window_seconds(), WRITER_QUEUE)?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let cx = Context {
            fetcher: Fetcher::new(config.fetch_options()),
            writer,
            workers: Arc::new(Semaphore::new(cores)),
            clock: now,
        };
        let service = Self {
            cx,
            settings: RwLock::default(),
            by: claimant::name(kind).into(),
            concurrency: config.fetch.concurrency as usize,
            per_host_limit: per_host_limit(&config.fetch),
            metrics,
            thread,
        };
        service.configure(config);
        Ok(service)
    }

    /// Takes up the settings of the feeds; the fetcher's limits stay until a restart.
    fn configure(&self, config: &Config) {
        let by_url = config
            .feeds
            .iter()
            .map(|feed| (feed.url.as_str().to_owned(), Arc::new(settings(feed, config))));
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = by_url.collect();
    }

    fn settings_of(&self, feed: &FeedState) -> Option<Arc<Settings>> {
        self.settings.read().unwrap_or_else(PoisonError::into_inner).get(&feed.url).map(Arc::clone)
    }

    /// The feeds that ids, URLs or names mean.
    ///
    /// # Errors
    ///
    /// One of them means none.
    pub async fn find(&self, wanted: &[String]) -> anyhow::Result<Vec<FeedId>> {
        let wanted = wanted.to_vec();
        let find = move |state: &mut writer::State| {
            wanted.iter().map(|feed| state.db.find_feed(feed)).collect::<Result<Vec<_>, _>>()
        };
        Ok(self.cx.writer.call(find).await??)
    }

    /// Feeds that cannot be asked by this process, for want of a credential.
    async fn out_of_reach(&self) -> Result<Vec<FeedId>, writer::Error> {
        let is_out_of_reach = |settings: &Settings| {
            let password = settings.fetch.credentials.as_ref().map(|it| &it.password);
            matches!(password, Some(fetch::Password::OutOfReach { .. }))
        };
        let urls: Vec<String> = {
            let settings = self.settings.read().unwrap_or_else(PoisonError::into_inner);
            let without = settings.iter().filter(|(_, settings)| is_out_of_reach(settings));
            without.map(|(url, _)| url.clone()).collect()
        };
        let find = move |state: &mut writer::State| {
            urls.iter().map(|url| state.db.find_feed(url)).collect::<Result<Vec<_>, _>>()
        };
        Ok(self.cx.writer.call(find).await??)
    }

    /// Removes what has had its time, a bounded part of it: where `once` is all that ever runs, nobody else does.
    ///
    /// # Errors
    ///
    /// The database failed, or somebody else holds its lock.
    pub async fn tidy(&self, retention: Retention) -> anyhow::Result<()> {
        for _ in 0..MAX_TIDY_BATCHES {
            let removed =
                self.cx.writer.call(move |state| state.db.remove_some(&retention, now())).await??;
            if !removed.any() {
                break;
            }
        }
        Ok(())
    }

    /// Ends: gives back claims, lets the writer drain, closes the database.
    pub async fn stop(self) -> anyhow::Result<()> {
        let by = Arc::clone(&self.by);
        let released = self.cx.writer.call(move |state| state.db.release_claims(&by, None)).await?;
        if let Err(error) = released {
            let error = chain(&error);
            tracing::warn!(error, "feeds stay claimed until their claims run out: {error}");
        }
        drop(self.cx);
        let thread = self.thread;
        let joined = tokio::task::spawn_blocking(move || thread.join()).await?;
        let db = joined.map_err(|_| anyhow::anyhow!("the writer's thread has panicked"))?;
        db.checkpoint()?;
        Ok(())
    }
}

/// Batches of old rows that `once` removes at its end: about a second's work.
const MAX_TIDY_BATCHES: usize = 50;

fn take_up(db: &mut Database, config: &Config, spread: bool, now: Timestamp) -> anyhow::Result<()> {
    let rows: Vec<_> = config.feeds.iter().map(config::Feed::row).collect();
    // The first polls of many new feeds: 60 s for each thousand.
    let spread_seconds = if spread { i64::try_from(rows.len() * 60 / 1_000)? } else { 0 };
    db.sync_feeds(&rows, spread_seconds, now)?;
    // The clock may have been set back while nobody ran.
    db.reanchor(now)?;
    Ok(())
}

/// The feeds that an earlier daemon had claimed when it was killed are free again. But a document may have killed it,
/// and would again at each restart: what was under way two times in a row is polled one by one, and what was when it
/// happened once more counts as failed.
fn follow_the_dead(db: &mut Database, config: &Config, now: Timestamp) -> Result<(), store::Error> {
    let by_url: HashMap<&str, &config::Feed> =
        config.feeds.iter().map(|feed| (feed.url.as_str(), feed)).collect();
    let mut place = 0;
    let freed = db.release_claims_of_dead(DAEMON, |feed| {
        let options = by_url.get(feed.url.as_str())?.schedule_options();
        let seed = schedule::jitter_seed(feed.id.0, now);
        let failures = feed.schedule.failures;
        let next =
            schedule::after_interruption(&mut feed.schedule, &options, &mut place, now, seed)?;
        let next = NextPoll::from(next);
        if feed.schedule.failures > failures {
            tracing::warn!(
                feed.id = feed.id.0,
                feed.url = %feed.url,
                next_poll_at = %next.at,
                "killed again when this feed was polled by itself: it is put off"
            );
        }
        Some(next)
    })?;
    if freed > 0 {
        tracing::info!(
            feeds = freed,
            "an earlier daemon was killed: the feeds that it had claimed are free again"
        );
    }
    if place > 0 {
        tracing::warn!(
            feeds = place,
            "killed twice in a row with these feeds under way: they are polled one by one"
        );
    }
    Ok(())
}

/// No more feeds of one host are claimed than can be started while the claim lasts.
fn per_host_limit(fetch: &config::Fetch) -> usize {
    let delay = fetch.host_delay.as_millis().max(1);
    let starts = Duration::from_secs(LEASE_SECONDS.unsigned_abs() / 2).as_millis() / delay;
    usize::try_from(starts).unwrap_or(usize::MAX).max(fetch.per_host as usize)
}

fn settings(feed: &config::Feed, config: &Config) -> Settings {
    Settings {
        fetch: feed.fetch_options(),
        schedule: feed.schedule_options(),
        digest: Arc::new(feed.digest_options()),
        source: feed.content.source,
        judging: Arc::new(feed.writer_options(config)),
    }
}

/// Polls under way and polls that wait for their host.
struct Rounds<'a> {
    service: &'a Service,
    queue: pacer::Queue<FeedState>,
    running: JoinSet<(FeedState, Result<PollReport, writer::Error>)>,
    /// The feeds claimed by these rounds, and the poll of each that runs.
    held: HashMap<FeedId, Option<tokio::task::Id>>,
}

/// Whose manners count for a feed: its host's. A file has none, and is its own.
fn pace_key(url: &str) -> String {
    let host = fetch::host_of(url);
    if host.is_empty() { url.to_owned() } else { host }
}

/// What there is to wait for.
enum Wait {
    /// A poll that ends.
    Poll,
    /// The same, or an instant at which a host may be asked again.
    Until(Instant),
    /// Nothing runs and nothing waits.
    Nothing,
}

impl<'a> Rounds<'a> {
    fn new(service: &'a Service) -> Self {
        Self {
            service,
            queue: pacer::Queue::default(),
            running: JoinSet::new(),
            held: HashMap::new(),
        }
    }

    /// The feeds that are claimed and will be polled, or are being polled.
    fn held(&self) -> Vec<FeedId> {
        self.held.keys().copied().collect()
    }

    /// How many feeds may be claimed now.
    fn room(&self) -> usize {
        self.most_ahead().saturating_sub(self.queue.len())
    }

    fn most_ahead(&self) -> usize {
        (self.service.concurrency * CLAIMED_AHEAD).max(LEAST_CLAIMED_AHEAD)
    }

    /// Claims feeds and puts them in line behind their hosts. Returns how many.
    async fn claim(
        &mut self,
        mode: Mode,
        limit: usize,
        feeds: Option<Vec<FeedId>>,
    ) -> Result<Vec<FeedId>, writer::Error> {
        let claim = OwnedClaim {
            by: Arc::clone(&self.service.by),
            lease_seconds: LEASE_SECONDS,
            limit,
            per_host_limit: self.service.per_host_limit,
            mode,
            feeds,
        };
        self.release_gone().await?;
        let claimed = loop {
            let claimed = self.service.cx.writer.claim_due(claim.clone(), now()).await?;
            if claimed.is_empty() {
                return Ok(Vec::new());
            }
            let kept = match mode {
                Mode::Due => self.without_skipped(claimed).await?,
                Mode::All => claimed,
            };
            // Where all of them are put off, others may be due behind them.
            if !kept.is_empty() {
                break kept;
            }
        };
        self.heed_origins().await?;
        let mut ids = Vec::with_capacity(claimed.len());
        for feed in claimed {
            ids.push(feed.id);
            self.held.insert(feed.id, None);
            self.queue.push(&pace_key(&feed.effective_url), feed);
        }
        Ok(ids)
    }

    /// A process that was killed gives nothing back, and its feeds and hosts would wait until its claims run out.
    async fn release_gone(&self) -> Result<(), writer::Error> {
        let by = Arc::clone(&self.service.by);
        let release = move |state: &mut writer::State| {
            state.db.release_claims_of_gone(&by, claimant::is_gone, now())
        };
        Ok(self.service.cx.writer.call(release).await??)
    }

    /// Orders of origins hold whoever met them: redirects may lead to one that no feed here is asked at.
    async fn heed_origins(&self) -> Result<(), writer::Error> {
        let held = self.service.cx.writer.call(|state| state.db.held_origins(now())).await??;
        for (origin, until) in held {
            self.service.cx.fetcher.hosts().close(&origin, until);
        }
        Ok(())
    }

    /// Puts off the polls of feeds that skip the hour that has come meanwhile, and gives back the others.
    async fn without_skipped(
        &self,
        claimed: Vec<FeedState>,
    ) -> Result<Vec<FeedState>, writer::Error> {
        let at = now();
        let (mut kept, mut skipped) = (Vec::with_capacity(claimed.len()), Vec::new());
        for feed in claimed {
            let seed = schedule::jitter_seed(feed.id.0, at);
            let settings = self.service.settings_of(&feed);
            let later =
                settings.and_then(|it| schedule::put_off(&feed.schedule, &it.schedule, at, seed));
            match later {
                Some((until, reason)) => skipped.push((feed.id, until, reason)),
                None => kept.push(feed),
            }
        }
        if !skipped.is_empty() {
            self.service.cx.writer.call(move |state| state.db.put_off(&skipped)).await??;
        }
        Ok(kept)
    }

    /// How many polls may be under way. One request at a time means one feed after the other, in their order.
    fn under_way(&self) -> usize {
        match self.service.concurrency {
            1 => 1,
            concurrency => concurrency.max(UNDER_WAY),
        }
    }

    /// Starts every poll that may start now.
    fn start(&mut self) -> Wait {
        while self.running.len() < self.under_way() {
            match self.queue.next(self.service.cx.fetcher.hosts(), Instant::now()) {
                pacer::Next::Start(feed, slot) => self.spawn(feed, slot),
                pacer::Next::Wait(instant) => return Wait::Until(instant),
                pacer::Next::Empty if self.running.is_empty() => return Wait::Nothing,
                pacer::Next::Busy | pacer::Next::Empty => return Wait::Poll,
            }
        }
        Wait::Poll
    }

    fn spawn(&mut self, feed: FeedState, slot: fetch::Slot) {
        // A feed whose entry has just left the configuration is polled no more; its claim is not renewed and runs out.
        let Some(settings) = self.service.settings_of(&feed) else {
            self.held.remove(&feed.id);
            return;
        };
        let id = feed.id;
        let cx = self.service.cx.clone();
        let metrics = Arc::clone(&self.service.metrics);
        // Of the highest level: what is logged inside at any level names the feed.
        let span = tracing::error_span!("poll", feed.id = feed.id.0, feed.url = %feed.url);
        let work = async move {
            let report = poll::poll(&cx, &feed, &settings, Some(slot)).await;
            if let Ok(report) = &report {
                log(&feed, report);
                count(&metrics, report);
            }
            (feed, report)
        };
        let task = self.running.spawn(work.instrument(span));
        self.held.insert(id, Some(task.id()));
    }

    /// The next poll that ends; `None` if none runs.
    async fn ended(&mut self) -> Result<Option<FeedPoll>, writer::Error> {
        match self.running.join_next().await {
            None => Ok(None),
            Some(Ok((feed, report))) => {
                self.held.remove(&feed.id);
                report.map(|report| Some(feed_poll(&feed, report)))
            }
            // A poll's panic is a bug of ours; the feed's claim runs out and it is tried again.
            Some(Err(error)) => {
                self.held.retain(|_, task| *task != Some(error.id()));
                tracing::error!(%error, "a poll has panicked: {error}");
                Ok(None)
            }
        }
    }
}

/// The one line that a poll leaves in the log. A feed that keeps failing is warned of once an hour at most.
fn log(feed: &FeedState, report: &PollReport) {
    let PollReport {
        outcome,
        http_status,
        body_bytes,
        entries,
        new,
        revised,
        duplicates,
        duration_ms,
        next_poll_at,
        failures,
        ..
    } = report;
    let (outcome, next_poll_at, url) = (*outcome, tracing::field::display(next_poll_at), &feed.url);
    if let Some(error_kind) = &report.error_kind {
        // It may quote what a server sent.
        let error = printable(report.error.as_deref().unwrap_or_default());
        macro_rules! failed {
            ($level:ident) => {
                tracing::$level!(
                    http_status,
                    outcome,
                    error_kind,
                    error,
                    failures,
                    duration_ms,
                    next_poll_at,
                    "poll of {url} failed: {error}",
                )
            };
        }
        if report.is_warning { failed!(warn) } else { failed!(info) }
    } else {
        tracing::info!(
            http_status,
            outcome,
            body_bytes,
            entries,
            new,
            revised,
            duplicates,
            duration_ms,
            next_poll_at,
            "polled {url}: {new} new, {revised} revised, {duplicates} {}",
            if *duplicates == 1 { "duplicate" } else { "duplicates" },
        );
    }
    if feed.schedule.failures > 0 && *failures == 0 {
        tracing::info!(failures = feed.schedule.failures, "{url} answers again");
    }
}

/// One line without control characters, so that no feed can write to a terminal or break a line of the log.
fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

fn count(metrics: &Metrics, report: &PollReport) {
    let duplicates = &report.duplicates_by_reason;
    metrics.poll_finished(&PollNumbers {
        outcome: report.outcome,
        error_kind: report.error_kind.as_deref(),
        duration: Duration::from_millis(report.duration_ms),
        body_bytes: report.body_bytes,
        entries: report.entries.into(),
        new: report.new.into(),
        revised: report.revised.into(),
        duplicates: &duplicates
            .iter()
            .map(|(reason, n)| (*reason, (*n).into()))
            .collect::<Vec<_>>(),
        decisions: &report.decisions,
    });
}

fn feed_poll(feed: &FeedState, report: PollReport) -> FeedPoll {
    let name = feed.name.as_ref().or(feed.title.as_ref()).unwrap_or(&feed.url);
    FeedPoll {
        feed_id: feed.id,
        feed: name.clone(),
        url: feed.url.clone(),
        outcome: match report.outcome {
            "changed" => Outcome::Changed,
            "unchanged" => Outcome::Unchanged,
            "gone" => Outcome::Gone,
            _ => Outcome::Failed,
        },
        failure: report
            .error_kind
            .map(|kind| Failure { kind, message: report.error.unwrap_or_default() }),
        counts: Counts {
            new: report.new,
            revised: report.revised,
            duplicates: report.duplicates_by_reason,
            taken_over: report.taken_over,
        },
    }
}

/// Which feeds a round polls.
#[derive(Clone, Debug)]
pub struct Selection {
    /// Those that are due, or all.
    pub mode: Mode,
    /// Only these, as ids, URLs or names; empty: every feed.
    pub feeds: Vec<FeedId>,
}

/// The feeds that a round is about, and why others are not.
async fn wanted(
    service: &Service,
    selection: &Selection,
    now: Timestamp,
) -> Result<(HashSet<FeedId>, Skipped), writer::Error> {
    let (mut wanted, mut skipped) = (HashSet::new(), Skipped::default());
    let out_of_reach = service.out_of_reach().await?;
    for (id, standing) in standings(service, now).await? {
        if !selection.feeds.is_empty() && !selection.feeds.contains(&id) {
            continue;
        }
        let is_due = match standing {
            // A claim may be given back before this round ends.
            Standing::Due | Standing::Claimed { is_due: true } => true,
            Standing::NotDue | Standing::Claimed { is_due: false } => false,
            Standing::Held => {
                skipped.held_by_server += 1;
                continue;
            }
            Standing::Same => {
                skipped.same_feed += 1;
                continue;
            }
            Standing::Disabled => {
                skipped.disabled += u32::from(!selection.feeds.is_empty());
                continue;
            }
        };
        if !is_due && selection.mode != Mode::All {
            skipped.not_due += 1;
        } else if out_of_reach.contains(&id) {
            skipped.out_of_reach += 1;
        } else {
            wanted.insert(id);
        }
    }
    Ok((wanted, skipped))
}

async fn standings(
    service: &Service,
    now: Timestamp,
) -> Result<Vec<(FeedId, Standing)>, writer::Error> {
    let by = Arc::clone(&service.by);
    Ok(service.cx.writer.call(move |state| state.db.standings(&by, now)).await??)
}

/// Why feeds that a round was about could not be claimed to its end.
async fn missed(
    service: &Service,
    waiting: &HashSet<FeedId>,
    mode: Mode,
    skipped: &mut Skipped,
) -> Result<(), writer::Error> {
    if waiting.is_empty() {
        return Ok(());
    }
    for (id, standing) in standings(service, now()).await? {
        if !waiting.contains(&id) {
            continue;
        }
        match standing {
            Standing::Held => skipped.held_by_server += 1,
            Standing::Same => skipped.same_feed += 1,
            Standing::Disabled => skipped.disabled += 1,
            Standing::Claimed { .. } => skipped.held_by_process += 1,
            // It was due: somebody has just polled it.
            Standing::NotDue if mode == Mode::Due => skipped.held_by_process += 1,
            Standing::Due | Standing::NotDue => skipped.host_held_by_process += 1,
        }
    }
    Ok(())
}

/// One round: polls each selected feed once and returns when the last one has ended.
///
/// # Errors
///
/// Only where a poll could not be recorded.
pub async fn cycle(
    service: &Service,
    selection: &Selection,
    mut progress: impl FnMut(Progress<'_>),
) -> Result<CycleReport, writer::Error> {
    let (started_at, clock) = (now(), Instant::now());
    let mut report = CycleReport::new(started_at);
    let (mut waiting, skipped) = wanted(service, selection, started_at).await?;
    report.skipped = skipped;
    progress(Progress::Started { feeds: u32::try_from(waiting.len()).unwrap_or(u32::MAX) });
    let mut rounds = Rounds::new(service);
    loop {
        // Half a batch at a time: each claim is a transaction.
        if !waiting.is_empty() && rounds.room() * 2 >= rounds.most_ahead() {
            let claimed = rounds
                .claim(selection.mode, rounds.room(), Some(waiting.iter().copied().collect()))
                .await?;
            if claimed.is_empty() && rounds.running.is_empty() && rounds.queue.is_empty() {
                break;
            }
            for id in claimed {
                waiting.remove(&id);
            }
        }
        let ended = match rounds.start() {
            Wait::Nothing if waiting.is_empty() => break,
            Wait::Nothing => continue,
            Wait::Poll => rounds.ended().await?,
            Wait::Until(instant) => tokio::select! {
                () = tokio::time::sleep_until(instant.into()) => None,
                ended = rounds.ended(), if !rounds.running.is_empty() => ended?,
            },
        };
        if let Some(poll) = ended {
            report.add(&poll);
            progress(Progress::Polled(&poll));
        }
    }
    missed(service, &waiting, selection.mode, &mut report.skipped).await?;
    report.duration_ms = u64::try_from(clock.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(report)
}

/// An error with its causes in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
