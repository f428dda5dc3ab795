//! Drives polls: one round for `newsfold once`, rounds without end for `newsfold run`.
//!
//! A `Rounds` holds what both need: feeds are claimed in the database in batches, wait in a queue by host until their
//! host may be asked, and are polled side by side; what they bring goes through the one writer. The clock is read here
//! and in the command line only.

mod account;
mod claimant;
mod cycle;
mod lock;
mod rounds;
mod run;
mod vitals;

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    thread::JoinHandle,
    time::Duration,
};

pub use self::{
    cycle::{Selection, cycle},
    lock::{AlreadyRunning, Lock},
    run::{Error as RunError, run},
};
use crate::{
    config::{self, Config},
    context::{Context, Settings},
    fetch::{self, Fetcher},
    metrics::Metrics,
    model::{FeedId, Timestamp},
    schedule,
    store::{self, Database, feeds::FeedState, polls::NextPoll, retention::Retention},
    workers::Workers,
    writer,
};

/// A claim outlives any poll and any wait for a slow host; it is renewed while its feed waits.
const LEASE_SECONDS: i64 = 600;
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
        let cx = Context {
            fetcher: Fetcher::new(config.fetch_options()),
            writer,
            workers: Workers::start()?,
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
    db.reanchor(longest_wait_seconds(config), now)?;
    let by_url: HashMap<&str, &config::Feed> =
        config.feeds.iter().map(|feed| (feed.url.as_str(), feed)).collect();
    db.hasten(|feed| {
        let is_put_off = feed.next_poll_reason == "interrupted";
        let configured = by_url.get(feed.url.as_str()).filter(|_| !is_put_off)?;
        let seed = schedule::jitter_seed(feed.id.0, now);
        let options = configured.schedule_options();
        schedule::hastened(&feed.schedule, &options, feed.next_poll_at, seed).map(NextPoll::from)
    })?;
    Ok(())
}

/// No rule and no order puts a poll later, jitter included.
fn longest_wait_seconds(config: &Config) -> i64 {
    let waits =
        config.feeds.iter().map(|feed| i64::from(schedule::longest_wait(&feed.schedule_options())));
    waits.fold(schedule::clock::LONGEST_ORDER_SECONDS, i64::max) * 11 / 10
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
