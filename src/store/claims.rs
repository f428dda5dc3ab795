//! Claims: which feeds this process may poll now.
//!
//! One transaction claims many feeds. Pacing within a host lives in one process's memory; therefore no feed
//! is claimed while another process holds a claim on a feed of the same origin.

use std::{
    collections::{HashMap, HashSet},
    fmt,
};

use rusqlite::params;

use super::{Database, Error, feeds::FeedState, polls::NextPoll};
use crate::model::{FeedId, Timestamp};

/// The `error_kind` of a feed whose poll ended with the whole process, and the reason where its next poll follows from
/// that ...
const INTERRUPTED: &str = "interrupted";
/// ... and its `error`.
const KILLED: &str = "newsfold was killed while it meant to poll this feed, or polled it";

/// Which feeds a claim may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Those whose time has come.
    Due,
    /// All; what a server ordered still holds.
    All,
}

/// What is to be claimed, by whom, for how long.
#[derive(Clone, Debug)]
pub struct Claim<'a> {
    /// Names this process among all that use the database: host, pid and start.
    pub by: &'a str,
    /// After this the claim is void: longer than any poll can take.
    pub lease_seconds: i64,
    /// At most so many feeds.
    pub limit: usize,
    /// At most so many feeds of one origin, those that this process already holds counted.
    pub per_host_limit: usize,
    /// Due feeds or all.
    pub mode: Mode,
    /// Only these feeds.
    pub feeds: Option<&'a [FeedId]>,
}

/// The state of all feeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Enabled feeds.
    pub feeds: u32,
    /// Of them, those whose last poll failed, the gone ones counted.
    pub failing: u32,
    /// Of them, those whose server said 410.
    pub gone: u32,
    /// Of them, those that have gone silent.
    pub stale: u32,
    /// Of them, those whose URL an earlier feed has.
    pub same: u32,
    /// Feeds that are switched off or have left the configuration.
    pub disabled: u32,
    /// Of them, those whose time has come.
    pub due: u32,
    /// How long the longest overdue one has waited.
    pub lag_seconds: i64,
    /// When the newest article was stored.
    pub last_article_at: Option<Timestamp>,
}

impl Summary {
    /// Feeds that deliver, or have not been polled yet.
    pub fn healthy(&self) -> u32 {
        self.feeds.saturating_sub(self.failing + self.stale + self.same)
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { feeds, failing, due, lag_seconds, last_article_at, .. } = self;
        write!(
            f,
            "{feeds} feeds, {failing} failing, {due} due, lag {lag_seconds} s, last article "
        )?;
        match last_article_at {
            Some(at) => write!(f, "{at}"),
            None => f.write_str("none yet"),
        }
    }
}

/// How a feed stands before a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Its time has come.
    Due,
    /// Its time has not come.
    NotDue,
    /// Its server has ordered not to be asked: Retry-After, or 410.
    Held,
    /// An earlier feed has its URL.
    Same,
    /// Another process has claimed it.
    Claimed {
        /// Whether its time has come.
        is_due: bool,
    },
    /// Switched off, or no longer configured.
    Disabled,
}

impl Database {
    /// Every feed and how it stands for the process `by`, in order of id.
    pub fn standings(&self, by: &str, now: Timestamp) -> Result<Vec<(FeedId, Standing)>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT f.id,
                    CASE WHEN f.enabled = 0 THEN 'disabled'
                         WHEN f.same_as IS NOT NULL THEN 'same'
                         WHEN f.gone_at IS NOT NULL OR coalesce(f.retry_after_until, '') > ?1
                           OR coalesce(h.retry_after_until, '') > ?1 THEN 'held'
                         WHEN f.claimed_until > ?1 AND f.claimed_by <> ?2 THEN 'claimed' END,
                    f.next_poll_at <= ?1
             FROM feeds AS f LEFT JOIN hosts AS h ON h.origin = f.origin ORDER BY f.id",
        )?;
        let rows = statement.query_map(params![now, by], |row| {
            let is_due = row.get(2)?;
            let standing = match row.get_ref(1)?.as_str_or_null()? {
                Some("disabled") => Standing::Disabled,
                Some("same") => Standing::Same,
                Some("held") => Standing::Held,
                Some(_) => Standing::Claimed { is_due },
                None if is_due => Standing::Due,
                None => Standing::NotDue,
            };
            Ok((row.get(0)?, standing))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// What a person wants to know at a glance. The states are those of the view `feed_health`.
    pub fn summary(&self, now: Timestamp) -> Result<Summary, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT count(*) FILTER (WHERE state NOT IN ('disabled', 'removed')),
                    count(*) FILTER (WHERE state IN ('failing', 'gone')),
                    count(*) FILTER (WHERE state NOT IN ('disabled', 'removed', 'gone', 'same_feed')
                                       AND free_at <= ?1),
                    min(free_at) FILTER (WHERE state NOT IN ('disabled', 'removed', 'gone', 'same_feed')),
                    (SELECT first_seen_at FROM articles ORDER BY id DESC LIMIT 1),
                    count(*) FILTER (WHERE state = 'gone'),
                    count(*) FILTER (WHERE state IN ('disabled', 'removed')),
                    count(*) FILTER (WHERE state = 'stale'),
                    count(*) FILTER (WHERE state = 'same_feed')
             FROM (SELECT s.state, max(f.next_poll_at, coalesce(f.retry_after_until, ''),
                                      coalesce(h.retry_after_until, '')) AS free_at
                   FROM feed_health AS s JOIN feeds AS f ON f.id = s.id LEFT JOIN hosts AS h ON h.origin = f.origin)",
        )?;
        let summary = statement.query_row([now], |row| {
            let next: Option<Timestamp> = row.get(3)?;
            Ok(Summary {
                feeds: row.get(0)?,
                failing: row.get(1)?,
                due: row.get(2)?,
                lag_seconds: next.map_or(0, |next| now.seconds_since(next).max(0)),
                last_article_at: row.get(4)?,
                gone: row.get(5)?,
                disabled: row.get(6)?,
                stale: row.get(7)?,
                same: row.get(8)?,
            })
        })?;
        Ok(summary)
    }

    /// Claims feeds, the longest overdue first.
    ///
    /// A feed is free if it is enabled, not gone, not the same as an earlier one, under no Retry-After of its
    /// own or of its host, not claimed, and no other process holds a claim on its host.
    pub fn claim_due(
        &mut self,
        claim: &Claim<'_>,
        now: Timestamp,
    ) -> Result<Vec<FeedState>, Error> {
        let (commits, free) = (self.foreign_commits()?, self.free_feeds(claim, now)?);
        if free.is_empty() {
            return Ok(Vec::new());
        }
        self.transaction(|db| {
            let is_current = db.foreign_commits()? == commits;
            let free = if is_current { free } else { db.free_feeds(claim, now)? };
            let until = now.plus_seconds(claim.lease_seconds);
            let mut statement = db.connection.prepare_cached(
                "UPDATE feeds SET claimed_by = ?2, claimed_until = ?3 WHERE id = ?1",
            )?;
            let mut claimed = Vec::with_capacity(free.len());
            for id in free {
                statement.execute(params![id, claim.by, until])?;
                claimed.extend(db.feed_state(id)?);
            }
            Ok(claimed)
        })
    }

    fn free_feeds(&self, claim: &Claim<'_>, now: Timestamp) -> Result<Vec<FeedId>, Error> {
        let mut hosts = self.claimed_hosts(claim.by, now)?;
        let wanted: Option<HashSet<FeedId>> = claim.feeds.map(|ids| ids.iter().copied().collect());
        let mut statement = self.connection.prepare_cached(
            "SELECT f.id, f.origin FROM feeds AS f LEFT JOIN hosts AS h ON h.origin = f.origin
             WHERE f.enabled = 1 AND f.next_poll_at <= ?2 AND f.gone_at IS NULL AND f.same_as IS NULL
               AND coalesce(f.claimed_until, '') <= ?1
               AND coalesce(f.retry_after_until, '') <= ?1 AND coalesce(h.retry_after_until, '') <= ?1
             ORDER BY f.next_poll_at, f.id",
        )?;
        let horizon = if claim.mode == Mode::All { Timestamp::MAX } else { now };
        let mut rows = statement.query(params![now, horizon])?;
        let mut free = Vec::new();
        while free.len() < claim.limit
            && let Some(row) = rows.next()?
        {
            let id = row.get(0)?;
            if wanted.as_ref().is_some_and(|wanted| !wanted.contains(&id)) {
                continue;
            }
            let origin = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
            let host = host_of(origin);
            match hosts.get_mut(host) {
                Some(Holder::Other) => continue,
                Some(Holder::Us(held)) if *held >= claim.per_host_limit => continue,
                Some(Holder::Us(held)) => *held += 1,
                None => drop(hosts.insert(host.to_owned(), Holder::Us(1))),
            }
            free.push(id);
        }
        Ok(free)
    }

    fn claimed_hosts(&self, by: &str, now: Timestamp) -> Result<HashMap<String, Holder>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT origin, claimed_by = ?1, count(*) FROM feeds WHERE claimed_until > ?2 GROUP BY 1, 2",
        )?;
        let mut rows = statement.query(params![by, now])?;
        let mut hosts = HashMap::new();
        while let Some(row) = rows.next()? {
            let host = host_of(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?);
            let (is_ours, count): (bool, u32) = (row.get(1)?, row.get(2)?);
            let holder = hosts.entry(host.to_owned()).or_insert(Holder::Us(0));
            match holder {
                Holder::Us(held) if is_ours => *held += count as usize,
                _ => *holder = Holder::Other,
            }
        }
        Ok(hosts)
    }

    /// Gives back claims of this process that led to no poll (shutdown, reload).
    pub fn release_claims(&mut self, by: &str, feeds: Option<&[FeedId]>) -> Result<(), Error> {
        self.transaction(|db| {
            let mut statement = db.connection.prepare_cached(
                "UPDATE feeds SET claimed_by = NULL, claimed_until = NULL
                 WHERE claimed_until IS NOT NULL AND claimed_by = ?1 AND (?2 IS NULL OR id = ?2)",
            )?;
            match feeds {
                None => drop(statement.execute(params![by, None::<FeedId>])?),
                Some(ids) => {
                    for id in ids {
                        statement.execute(params![by, id])?;
                    }
                }
            }
            Ok(())
        })
    }

    /// Frees what daemons before this one had claimed when they were killed, and counts that on each feed
    /// (`interruptions`); `next` says when it is polled then, `None`: as before. Feeds that an earlier call has put off for
    /// it are asked about again. `kind` begins the name of every daemon; sound only for the one that holds the lock, since
    /// no other one lives then.
    ///
    /// Returns how many were freed.
    pub fn release_claims_of_dead(
        &mut self,
        kind: &str,
        mut next: impl FnMut(&mut FeedState) -> Option<NextPoll>,
    ) -> Result<usize, Error> {
        self.transaction(|db| {
            let mut statement = db.connection.prepare_cached(
                "SELECT id, claimed_until IS NOT NULL FROM feeds
                 WHERE claimed_until IS NOT NULL AND substr(claimed_by, 1, length(?1)) = ?1
                    OR claimed_until IS NULL AND next_poll_reason = ?2 AND enabled = 1
                 ORDER BY id",
            )?;
            let found: Vec<(FeedId, bool)> = statement
                .query_map([kind, INTERRUPTED], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<Result<_, _>>()?;
            let mut release = db.connection.prepare_cached(
                "UPDATE feeds SET claimed_by = NULL, claimed_until = NULL, error_kind = ?2, error = ?3,
                    poll_memory = json_set(poll_memory, '$.interruptions', ?4)
                 WHERE id = ?1",
            )?;
            for (id, was_claimed) in &found {
                let Some(mut feed) = db.feed_state(*id)? else { continue };
                feed.schedule.memory.interruptions += u32::from(*was_claimed);
                match next(&mut feed) {
                    Some(next) => {
                        feed.error_kind = Some(INTERRUPTED.to_owned());
                        db.store_state(&feed, &next, Some(KILLED))?;
                    }
                    None => {
                        let times = feed.schedule.memory.interruptions;
                        release.execute(params![id, INTERRUPTED, KILLED, times])?;
                    }
                }
            }
            Ok(found.iter().filter(|(_, was_claimed)| *was_claimed).count())
        })
    }

    /// Frees what processes had claimed that are gone, whoever they were: `is_gone` knows them by their names.
    pub fn release_claims_of_gone(
        &mut self,
        by: &str,
        is_gone: impl Fn(&str) -> bool,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT DISTINCT claimed_by FROM feeds WHERE claimed_until > ?1 AND claimed_by <> ?2",
        )?;
        let others = statement.query_map(params![now, by], |row| row.get(0))?;
        let others: Vec<String> = others.collect::<Result<_, _>>()?;
        drop(statement);
        for other in others.iter().filter(|other| is_gone(other)) {
            self.release_claims(other, None)?;
        }
        Ok(())
    }

    /// Lengthens the claims of this process on `feeds`: those that it still means to poll. Any other one runs out.
    pub fn renew_claims(
        &mut self,
        by: &str,
        feeds: &[FeedId],
        until: Timestamp,
    ) -> Result<(), Error> {
        self.transaction(|db| {
            let mut statement = db.connection.prepare_cached(
                "UPDATE feeds SET claimed_until = ?3 WHERE id = ?2 AND claimed_until IS NOT NULL AND claimed_by = ?1",
            )?;
            for id in feeds {
                statement.execute(params![by, id, until])?;
            }
            Ok(())
        })
    }

    /// When the next feed is due that no server holds back, or the next order to a host ends; `None` if no feed waits for
    /// its time.
    pub fn next_due_at(&self, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT min(at) FROM (
                SELECT * FROM (
                    SELECT max(f.next_poll_at, coalesce(f.retry_after_until, '')) AS at
                    FROM feeds AS f LEFT JOIN hosts AS h ON h.origin = f.origin
                    WHERE f.enabled = 1 AND f.gone_at IS NULL AND f.same_as IS NULL AND f.claimed_until IS NULL
                      AND coalesce(h.retry_after_until, '') <= ?1
                    ORDER BY f.next_poll_at LIMIT 1)
                UNION ALL
                SELECT retry_after_until FROM hosts WHERE retry_after_until > ?1)",
        )?;
        Ok(statement.query_row([now], |row| row.get(0))?)
    }

    /// The origins that have ordered not to be asked, and until when: orders that another process met, or this one
    /// before it was started anew.
    pub fn held_origins(&self, now: Timestamp) -> Result<Vec<(String, Timestamp)>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT origin, retry_after_until FROM hosts WHERE retry_after_until > ?1",
        )?;
        let rows = statement.query_map([now], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Puts the polls of claimed feeds off, each for a reason, and gives their claims back.
    pub fn put_off(&mut self, polls: &[(FeedId, Timestamp, &str)]) -> Result<(), Error> {
        self.transaction(|db| {
            let mut statement = db.connection.prepare_cached(
                "UPDATE feeds SET next_poll_at = ?2, next_poll_reason = ?3, claimed_by = NULL, claimed_until = NULL
                 WHERE id = ?1",
            )?;
            for (id, until, reason) in polls {
                statement.execute(params![id, until, reason])?;
            }
            Ok(())
        })
    }

    /// A server's order for all feeds of its host.
    pub(crate) fn hold_host(&self, origin: &str, until: Timestamp) -> Result<(), Error> {
        let mut statement = self.connection.prepare_cached(
            "INSERT INTO hosts (origin, retry_after_until) VALUES (?1, ?2)
             ON CONFLICT (origin) DO UPDATE
             SET retry_after_until = max(coalesce(retry_after_until, ''), excluded.retry_after_until)",
        )?;
        statement.execute(params![origin, until])?;
        Ok(())
    }
}

/// The host of an origin, whose manners are its own whatever the scheme and port; of a file, `file:`.
fn host_of(origin: &str) -> &str {
    let Some((_, authority)) = origin.split_once("://") else { return origin };
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

enum Holder {
    Us(usize),
    Other,
}
