//! One poll, written down: the entries of its document, the feed's new state, its log row. All of it or none.

use std::{collections::BTreeMap, rc::Rc};

use super::{
    identity::{Identity, identify},
    judge::{Fold, Verdict, judge, takes_over},
    lines::Lines,
    outcome::{Arrival, Initial, Listing, Moved, Outcome, Poll, PollReport, Recent},
    revise::{revise_article, revise_duplicate, take_over},
    state::State,
};
use crate::{
    dedup::Scope,
    model::{Article, Timestamp},
    store::{
        Error,
        articles::{Folded, Kept},
        entries::{Holds, Keys, LedgerEntry},
        feeds::FeedState,
        polls::PollRow,
    },
};

/// Entries whose instants tell a feed's rhythm.
const RHYTHM_ENTRIES: u32 = 20;

#[derive(Default)]
struct Counts {
    entries: u32,
    new: u32,
    revised: u32,
    by_reason: BTreeMap<&'static str, u32>,
    newest: Option<Timestamp>,
}

impl Counts {
    fn duplicates(&self) -> u32 {
        self.by_reason.values().sum()
    }

    fn count_new(&mut self, article: &Article) {
        self.newest = self.newest.max(article.published_at);
    }
}

/// Records a poll inside the transaction that is open.
pub(super) fn record(state: &mut State, poll: &Poll) -> Result<PollReport, Error> {
    let not_found = || Error::NotFound { what: "feed", id: poll.feed_id.to_string() };
    let mut feed = state.db.feed_state(poll.feed_id)?.ok_or_else(not_found)?;
    let is_first = feed.last_success_at.is_none();
    let (outcome, error, format, counts) = match &poll.outcome {
        Outcome::Changed(listing) => {
            let counts = record_listing(state, &mut feed, listing, poll)?;
            ("changed", None, Some(listing.format.as_str()), counts)
        }
        Outcome::Unchanged => ("unchanged", None, None, Counts::default()),
        Outcome::Failed { kind, message } => {
            ("failed", Some((kind.as_str(), message.as_str())), None, Counts::default())
        }
        Outcome::Gone => {
            let error = ("gone", "the server says that the feed is gone for good (410)");
            ("gone", Some(error), None, Counts::default())
        }
    };
    follow_outcome(&mut feed, poll, error.map(|(kind, _)| kind));
    note_newest(&mut feed, &counts, is_first, poll.ended_at);
    follow_response(state, &mut feed, poll)?;
    let new = counts.new + counts.duplicates();
    let instants =
        if new > 0 { state.db.recent_instants(feed.id, RHYTHM_ENTRIES)? } else { Vec::new() };
    let next = (poll.next_poll)(&feed, &Recent { instants, new });
    state.db.store_state(&feed, &next, format, error.map(|(_, message)| message))?;
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
        next_poll_at: next.at,
        next_poll_reason: next.reason,
        failures: feed.failures,
    })
}

fn follow_outcome(feed: &mut FeedState, poll: &Poll, error_kind: Option<&str>) {
    feed.last_poll_at = Some(poll.started_at);
    feed.error_kind = error_kind.map(str::to_owned);
    match poll.outcome {
        Outcome::Changed(_) | Outcome::Unchanged => {
            feed.last_success_at = Some(poll.started_at);
            feed.failures = 0;
            feed.gone_at = None;
        }
        Outcome::Failed { .. } => feed.failures += 1,
        Outcome::Gone => {
            feed.failures += 1;
            feed.gone_at = Some(poll.ended_at);
        }
    }
}

/// A feed's first document may be years old: then its newest date tells when it last brought something.
fn note_newest(feed: &mut FeedState, counts: &Counts, is_first: bool, now: Timestamp) {
    if counts.new + counts.duplicates() > 0 {
        let newest = if is_first { counts.newest.map(|at| at.min(now)) } else { None };
        feed.last_new_at = Some(newest.unwrap_or(now));
    }
}

fn follow_response(state: &mut State, feed: &mut FeedState, poll: &Poll) -> Result<(), Error> {
    let response = &poll.response;
    if let Some(validators) = &response.validators {
        feed.etag.clone_from(&validators.etag);
        feed.last_modified.clone_from(&validators.last_modified);
        feed.validators_url = Some(validators.url.clone());
    }
    if response.is_full_get && poll.http_status.is_some() {
        feed.last_full_get_at = Some(poll.started_at);
    }
    feed.retry_after_until = response.retry_after.map(|order| order.until);
    if let Some(order) = response.retry_after.filter(|order| order.whole_host) {
        state.db.hold_host(&feed.origin, order.until)?;
    }
    match &response.moved {
        Moved::AsBefore => {}
        Moved::No => (feed.moved_to, feed.moved_since, feed.moved_polls) = (None, None, 0),
        Moved::Watched { to, since, polls } => {
            (feed.moved_to, feed.moved_since, feed.moved_polls) =
                (Some(to.clone()), Some(*since), *polls);
        }
        Moved::Adopted { to } => {
            feed.moved_to = Some(to.clone());
            feed.moved_since.get_or_insert(poll.ended_at);
            state.db.adopt_move(feed.id, to)?;
        }
    }
    Ok(())
}

fn record_listing(
    state: &mut State,
    feed: &mut FeedState,
    listing: &Listing,
    poll: &Poll,
) -> Result<Counts, Error> {
    let now = poll.ended_at;
    let before = state.db.listed(feed.id)?;
    let is_first = before.is_empty() && !state.db.has_entries(feed.id)?;
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
            Identity::New => recording.place(at, arrival)?,
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
            Holds::Article(id) if is_edited => revise_article(self.state, id, arrival, self.now)?,
            Holds::Article(id) => {
                self.state.db.update_particulars(id, &arrival.article)?;
                false
            }
            Holds::Duplicate(id) if is_edited => {
                revise_duplicate(self.state, id, arrival, &self.poll.options, self.now)?
            }
            Holds::Duplicate(_) | Holds::Nothing => false,
        };
        self.counts.revised += u32::from(is_revised);
        Ok(())
    }

    /// Finds a new entry its place: an article, a copy, or the ledger alone.
    fn place(&mut self, at: usize, arrival: &Arrival) -> Result<(), Error> {
        let holds = if self.is_wanted(at, &arrival.article) {
            self.counts.count_new(&arrival.article);
            match judge(self.state, self.feed, arrival, &self.poll.options, self.now)? {
                Verdict::Kept { evidence } => self.keep(arrival, &evidence)?,
                Verdict::Folded(fold) => self.fold(arrival, &fold)?,
            }
        } else {
            Holds::Nothing
        };
        self.state.db.insert_entry(self.feed.id, &keys(&arrival.article), holds, self.now)?;
        Ok(())
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
        let prefer = self.poll.options.dedup.prefer;
        if takes_over(self.state, self.feed.id, &fold.kept, &fold.against_kept, prefer)? {
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
    }
}
