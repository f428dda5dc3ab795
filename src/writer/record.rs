//! One poll, written down: the entries of its document, the feed's new state, its log row. All of it or none.

use std::{
    collections::BTreeMap,
    rc::Rc,
    time::{Duration, Instant},
};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::{
    identity::{Identity, date_of, identify},
    judge::{Fold, Verdict, judge, takes_over},
    lines::Lines,
    outcome::{Initial, Moved, Outcome, Poll, PollReport},
    revise::{revise_article, revise_duplicate, take_over},
    state::State,
};
use crate::{
    dedup::Scope,
    digest::{Arrival, Listing},
    model::{Article, Timestamp},
    schedule::{self, DocumentSignals, Signals},
    store::{
        Error,
        articles::{Folded, Kept},
        entries::{Holds, Keys, LedgerEntry},
        feeds::FeedState,
        polls::{NextPoll, PollRow},
    },
};

/// The log is not filled with one feed's trouble.
const WARNING_EVERY_SECONDS: i64 = 3_600;

#[derive(Default)]
struct Counts {
    entries: u32,
    new: u32,
    revised: u32,
    by_reason: BTreeMap<&'static str, u32>,
    taken_over: u32,
    decisions: Vec<Duration>,
}

impl Counts {
    fn duplicates(&self) -> u32 {
        self.by_reason.values().sum()
    }
}

/// Records a poll inside the transaction that is open.
pub(super) fn record(state: &mut State, poll: &Poll) -> Result<PollReport, Error> {
    let not_found = || Error::NotFound { what: "feed", id: poll.feed_id.to_string() };
    let mut feed = state.db.feed_state(poll.feed_id)?.ok_or_else(not_found)?;
    let listing = match &poll.outcome {
        Outcome::Changed(listing) => Some(listing.as_ref()),
        _ => None,
    };
    let counts = match listing {
        Some(listing) => record_listing(state, &mut feed, listing, poll)?,
        None => Counts::default(),
    };
    if let Some(listing) = listing {
        state.db.store_document(feed.id, &listing.format, &extras(listing).to_string())?;
    }
    let (outcome, error) = in_words(&poll.outcome);
    let is_warning = follow_error(&mut feed, error.map(|(kind, _)| kind), poll.ended_at);
    follow_response(state, &mut feed, poll)?;
    let next = plan(&mut feed, poll, listing, counts.new + counts.duplicates());
    state.db.store_state(&feed, &next, error.map(|(_, message)| message))?;
    state.db.insert_poll(&PollRow {
        feed_id: feed.id,
        started_at: poll.started_at,
        duration_ms: poll.duration_ms,
        http_status: poll.http_status,
        outcome,
        error_kind: error.map(|(kind, _)| kind),
        error: error.map(|(_, message)| message),
        body_bytes: poll.body_bytes,
        entries: counts.entries,
        new: counts.new,
        revised: counts.revised,
        duplicates: counts.duplicates(),
    })?;
    Ok(PollReport {
        feed_id: feed.id,
        outcome,
        error_kind: error.map(|(kind, _)| kind.to_owned()),
        error: error.map(|(_, message)| message.to_owned()),
        entries: counts.entries,
        new: counts.new,
        revised: counts.revised,
        duplicates: counts.duplicates(),
        duplicates_by_reason: counts.by_reason,
        taken_over: counts.taken_over,
        next_poll_at: next.at,
        next_poll_reason: next.reason,
        failures: feed.schedule.failures,
        is_warning,
        http_status: poll.http_status,
        body_bytes: poll.body_bytes,
        duration_ms: poll.duration_ms,
        decisions: counts.decisions,
    })
}

/// What the document says of itself that has no column.
fn extras(listing: &Listing) -> serde_json::Value {
    let mut extras = serde_json::Map::new();
    if let Some(url) = &listing.new_feed_url {
        extras.insert("new_feed_url".to_owned(), url.as_str().into());
    }
    if !listing.hubs.is_empty() {
        extras.insert("hubs".to_owned(), listing.hubs.clone().into());
    }
    extras.into()
}

/// The words for `polls`: outcome, and kind and message of a failure.
fn in_words(outcome: &Outcome) -> (&'static str, Option<(&str, &str)>) {
    match outcome {
        Outcome::Changed(_) => ("changed", None),
        Outcome::Unchanged => ("unchanged", None),
        Outcome::Failed { kind, message, .. } => ("failed", Some((kind, message))),
        Outcome::Held { message, .. } => ("failed", Some(("held", message))),
        Outcome::Gone => {
            ("gone", Some(("gone", "the server says that the feed is gone for good (410)")))
        }
    }
}

/// A feed that fails is warned of once an hour at most, however often it recovers or fails in another way.
fn follow_error(feed: &mut FeedState, kind: Option<&str>, now: Timestamp) -> bool {
    feed.error_kind = kind.map(str::to_owned);
    let was_warned = feed
        .warned_at
        .is_some_and(|at| (0..WARNING_EVERY_SECONDS).contains(&now.seconds_since(at)));
    let is_warning = kind.is_some() && !was_warned;
    if is_warning {
        feed.warned_at = Some(now);
    }
    is_warning
}

fn follow_response(state: &mut State, feed: &mut FeedState, poll: &Poll) -> Result<(), Error> {
    let response = &poll.response;
    if let Some(validators) = &response.validators {
        feed.etag.clone_from(&validators.etag);
        feed.last_modified.clone_from(&validators.last_modified);
        feed.validators_url = Some(validators.url.clone());
    }
    for (origin, until) in &response.closed_origins {
        state.db.hold_host(origin, *until)?;
    }
    match &response.moved {
        Moved::AsBefore => {}
        Moved::No => feed.schedule.moved = None,
        Moved::Watched(watched) => feed.schedule.moved = Some(watched.clone()),
        Moved::Adopted { to } => {
            feed.schedule.moved = None;
            feed.effective_url.clone_from(to);
            state.db.adopt_move(feed.id, to)?;
        }
    }
    Ok(())
}

/// Takes in what the poll brought and plans the next one.
fn plan(
    feed: &mut FeedState,
    poll: &Poll,
    listing: Option<&Listing>,
    new_entries: u32,
) -> NextPoll {
    let entry_times: Vec<Timestamp> = listing.map_or_else(Vec::new, |listing| {
        listing.arrivals.iter().filter_map(|arrival| arrival.article.published_at).collect()
    });
    let signals = Signals {
        outcome: match &poll.outcome {
            Outcome::Changed(_) | Outcome::Unchanged => schedule::Outcome::Success,
            Outcome::Failed { is_soft, .. } => schedule::Outcome::Failed { is_soft: *is_soft },
            Outcome::Held { until, .. } => schedule::Outcome::Held(*until),
            Outcome::Gone => schedule::Outcome::Gone,
        },
        max_age_seconds: poll.response.max_age_seconds,
        expires_seconds: poll.response.expires_seconds,
        retry_after_seconds: poll.response.retry_after_seconds,
        was_unconditional: poll.response.is_full_get,
        document: listing.map(|listing| DocumentSignals {
            hints: &listing.hints,
            entry_times: &entry_times,
            new_entries,
            listed_entries: u32::try_from(listing.arrivals.len() + listing.unchanged.len())
                .unwrap_or(u32::MAX),
        }),
    };
    // The same feed has another jitter at each poll, and the same one in every process.
    let seed =
        xxh3_64_with_seed(feed.url.as_bytes(), poll.started_at.unix_seconds().unsigned_abs());
    schedule::next(&mut feed.schedule, &signals, &poll.schedule, poll.ended_at, seed).into()
}

fn record_listing(
    state: &mut State,
    feed: &mut FeedState,
    listing: &Listing,
    poll: &Poll,
) -> Result<Counts, Error> {
    let now = poll.ended_at;
    let before = state.db.listed(feed.id)?;
    // Not "the ledger is empty": a feed that lists nothing between two alarms has been read all the same.
    let is_first = feed.schedule.last_success_at.is_none();
    let identified = identify(&state.db, feed, listing, &before)?;
    identified.judge_guids(feed);
    feed.title = listing.title.clone().or(feed.title.take());
    feed.site_url = listing.site_url.clone().or(feed.site_url.take());
    feed.language = listing.language.clone().or(feed.language.take());
    let entries = listing.arrivals.len() + listing.unchanged.len();
    let mut recording =
        Recording { state, feed, poll, counts: Counts::default(), lines: None, is_first, now };
    recording.counts.entries = u32::try_from(entries).unwrap_or(u32::MAX);
    // Documents list the newest first: read from the end, ids grow with the time of publication.
    for (at, identity) in identified.identities.iter().enumerate().rev() {
        let arrival = &listing.arrivals[at];
        match identity {
            Identity::Repeat => {}
            Identity::Known(row) => recording.revise(row, arrival)?,
            Identity::New => recording.enter(at, arrival)?,
        }
    }
    if let Some(lines) = &recording.lines {
        lines.store(&recording.state.db, recording.feed.id, now)?;
    }
    let counts = recording.counts;
    state.db.mark_departed(&before, &identified.listed, now)?;
    Ok(counts)
}

struct Recording<'a> {
    state: &'a mut State,
    feed: &'a FeedState,
    poll: &'a Poll,
    counts: Counts,
    lines: Option<Lines>,
    is_first: bool,
    now: Timestamp,
}

impl Recording<'_> {
    fn revise(&mut self, row: &LedgerEntry, arrival: &Arrival) -> Result<(), Error> {
        self.state.db.update_entry(row.id, &keys(&arrival.article), self.now)?;
        let is_edited = row.content_hash != arrival.article.content_hash;
        let is_revised = match row.holds {
            Holds::Article(id) if is_edited => {
                revise_article(self.state, id, arrival, &self.poll.options, self.now)?
            }
            Holds::Article(id) => {
                self.state.db.update_particulars(id, &arrival.article)?;
                false
            }
            Holds::Duplicate(id) if is_edited => {
                revise_duplicate(self.state, id, arrival, &self.poll.options, self.now)?
            }
            Holds::Nothing if is_edited && is_another_issue(row, &arrival.article) => {
                let holds = self.place(arrival)?;
                self.state.db.fill_entry(row.id, holds)?;
                false
            }
            Holds::Duplicate(_) | Holds::Nothing => false,
        };
        self.counts.revised += u32::from(is_revised);
        Ok(())
    }

    /// Writes a new entry into the ledger, with what it has become.
    fn enter(&mut self, at: usize, arrival: &Arrival) -> Result<(), Error> {
        let is_wanted = self.is_wanted(at, &arrival.article);
        let holds = if is_wanted { self.place(arrival)? } else { Holds::Nothing };
        self.state.db.insert_entry(self.feed.id, &keys(&arrival.article), holds, self.now)?;
        Ok(())
    }

    /// Finds a text its place: an article of its own, or a copy.
    fn place(&mut self, arrival: &Arrival) -> Result<Holds, Error> {
        let began = Instant::now();
        let verdict = judge(self.state, self.feed, arrival, &self.poll.options, self.now)?;
        self.counts.decisions.push(began.elapsed());
        match verdict {
            Verdict::Kept { evidence } => self.keep(arrival, &evidence),
            Verdict::Folded(fold) => self.fold(arrival, &fold),
        }
    }

    /// `poll.initial`: how much of a new feed's history becomes articles.
    fn is_wanted(&self, at: usize, article: &Article) -> bool {
        !self.is_first
            || match self.poll.options.initial {
                Initial::All => true,
                Initial::Count(count) => at < count as usize,
                Initial::Since(since) => {
                    article.published_at.is_none_or(|published| published >= since)
                }
            }
    }

    fn keep(&mut self, arrival: &Arrival, evidence: &serde_json::Value) -> Result<Holds, Error> {
        let kept = self.standing(arrival, evidence)?;
        let id = self.state.db.insert_article(&arrival.article, &kept)?;
        self.counts.new += 1;
        tracing::debug!(feed.id = self.feed.id.0, article.id = id.0, %evidence, "kept as article {id}");
        self.learn(arrival)?;
        Ok(Holds::Article(id))
    }

    fn fold(&mut self, arrival: &Arrival, fold: &Fold) -> Result<Holds, Error> {
        let kept = self.standing(arrival, &fold.evidence)?;
        let text_id = kept.text_id;
        let id = self.state.db.insert_duplicate(
            &arrival.article,
            &Folded {
                article_id: fold.kept.article_id,
                reason: fold.reason,
                distance: fold.distance,
                similarity: fold.similarity,
                kept,
            },
        )?;
        *self.counts.by_reason.entry(fold.reason).or_default() += 1;
        let (into, reason) = (fold.kept.article_id, fold.reason);
        tracing::debug!(
            feed.id = self.feed.id.0, article.id = into.0, reason, evidence = %fold.evidence,
            "folded {id} into article {into}: {reason}",
        );
        if takes_over(
            self.state,
            self.feed.id,
            &fold.kept,
            &fold.against_kept,
            fold.has_key,
            &self.poll.options.dedup,
        )? {
            self.counts.taken_over += 1;
            let fingerprint = arrival.signature.fingerprint;
            take_over(
                self.state,
                &fold.kept,
                id,
                &arrival.article,
                fingerprint,
                text_id,
                self.now,
            )?;
        }
        Ok(Holds::Duplicate(id))
    }

    fn standing<'e>(
        &mut self,
        arrival: &Arrival,
        evidence: &'e serde_json::Value,
    ) -> Result<Kept<'e>, Error> {
        let text_id = if self.feed.dedup_scope == Scope::Off {
            None
        } else {
            Some(self.state.insert_text(self.feed.id, self.now, &arrival.signature, self.now)?)
        };
        Ok(Kept {
            feed_id: self.feed.id,
            fingerprint: arrival.signature.fingerprint,
            text_id,
            first_seen_at: self.now,
            evidence,
        })
    }

    /// Kept articles teach what their feed repeats; copies teach nothing.
    fn learn(&mut self, arrival: &Arrival) -> Result<(), Error> {
        let lines = match &mut self.lines {
            Some(lines) => lines,
            None => self.lines.insert(Lines::load(&self.state.db, self.feed.id)?),
        };
        if lines.take_in(&arrival.lines) {
            self.state.set_furniture(self.feed.id, Rc::new(lines.furniture()));
        }
        Ok(())
    }
}

fn keys(article: &Article) -> Keys<'_> {
    Keys {
        guid: article.guid.as_deref(),
        url: article.url.as_deref(),
        raw_hash: article.raw_hash,
        content_hash: article.content_hash,
        published_at: date_of(article),
    }
}

/// Whether an edited entry that holds nothing, since retention removed it or `poll.initial` left it out, may tell
/// something else now: publishers reuse guids and pages. Under the date that it had it stays away.
fn is_another_issue(row: &LedgerEntry, article: &Article) -> bool {
    let date = date_of(article);
    date.is_none() || date != row.published_at
}
