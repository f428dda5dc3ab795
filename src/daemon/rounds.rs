//! Rounds: feeds are claimed, wait behind their hosts, are polled, and are given back.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{sync::futures::Notified, task::JoinSet};
use tracing::Instrument;

use super::{LEASE_SECONDS, Service, account, claimant, now};
use crate::{
    fetch::{self, pacer},
    model::FeedId,
    poll,
    report::FeedPoll,
    schedule,
    store::{claims::Mode, feeds::FeedState},
    writer::{self, OwnedClaim, PollReport},
};

/// Feeds claimed ahead of their turn, for each poll that may run ...
const CLAIMED_AHEAD: usize = 4;
/// ... and at least so many: each claim is a transaction, and writes the same pages of `feeds` again.
const LEAST_CLAIMED_AHEAD: usize = 256;
/// Polls under way at least: requests have their own limit, and those that wait for the writer are written in one
/// transaction, the more of them the cheaper.
const UNDER_WAY: usize = 64;

/// Polls under way and polls that wait for their host.
pub(super) struct Rounds<'a> {
    service: &'a Service,
    pub(super) queue: pacer::Queue<FeedState>,
    pub(super) running: JoinSet<(FeedState, Result<PollReport, writer::Error>)>,
    /// The feeds claimed by these rounds, and the poll of each that runs.
    held: HashMap<FeedId, Option<tokio::task::Id>>,
    /// A host that polls wait for may be asked anew: its request has ended, though the poll has not.
    freed: Option<Notified<'a>>,
}

/// Whose manners count for a feed: its host's. A file has none, and is its own.
fn pace_key(url: &str) -> String {
    let host = fetch::host_of(url);
    if host.is_empty() { url.to_owned() } else { host }
}

/// What there is to wait for.
pub(super) enum Wait {
    /// A poll that ends.
    Poll,
    /// The same, or an instant at which a host may be asked again.
    Until(Instant),
    /// Nothing runs and nothing waits.
    Nothing,
}

impl<'a> Rounds<'a> {
    pub(super) fn new(service: &'a Service) -> Self {
        Self {
            service,
            queue: pacer::Queue::default(),
            running: JoinSet::new(),
            held: HashMap::new(),
            freed: None,
        }
    }

    /// The feeds that are claimed and will be polled, or are being polled.
    pub(super) fn held(&self) -> Vec<FeedId> {
        self.held.keys().copied().collect()
    }

    /// How many feeds may be claimed now.
    pub(super) fn room(&self) -> usize {
        self.most_ahead().saturating_sub(self.queue.len())
    }

    pub(super) fn most_ahead(&self) -> usize {
        (self.service.concurrency * CLAIMED_AHEAD).max(LEAST_CLAIMED_AHEAD)
    }

    /// Claims feeds and puts them in line behind their hosts. Returns how many.
    pub(super) async fn claim(
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
            let left = until.seconds_since(now()).max(0).unsigned_abs();
            self.service.cx.fetcher.hosts().close(&origin, Duration::from_secs(left));
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
    pub(super) fn start(&mut self) -> Wait {
        let hosts = self.service.cx.fetcher.hosts();
        self.freed = None;
        // From before they are asked, or what ends meanwhile would be missed.
        let freed = hosts.request_ended();
        while self.running.len() < self.under_way() {
            let wait = match self.queue.next(hosts, Instant::now()) {
                pacer::Next::Start(feed, slot) => {
                    self.spawn(feed, slot);
                    continue;
                }
                pacer::Next::Wait(instant) => Wait::Until(instant),
                pacer::Next::Busy => Wait::Poll,
                pacer::Next::Empty if self.running.is_empty() => return Wait::Nothing,
                pacer::Next::Empty => return Wait::Poll,
            };
            self.freed = Some(freed);
            return wait;
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
                account::log(&feed, report);
                account::count(&metrics, report);
            }
            (feed, report)
        };
        let task = self.running.spawn(work.instrument(span));
        self.held.insert(id, Some(task.id()));
    }

    /// The next poll that ends; `None` if none runs, or if another may start before one has ended.
    pub(super) async fn ended(&mut self) -> Result<Option<FeedPoll>, writer::Error> {
        let ended = match self.freed.take() {
            None => self.running.join_next().await,
            Some(freed) => tokio::select! {
                biased;
                ended = self.running.join_next() => ended,
                () = freed => return Ok(None),
            },
        };
        match ended {
            None => Ok(None),
            Some(Ok((feed, report))) => {
                self.held.remove(&feed.id);
                report.map(|report| Some(account::feed_poll(&feed, report)))
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
