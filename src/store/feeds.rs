//! Feeds: their configuration taken up, their polls claimed, their state read and written.
//!
//! A poll is claimed before it is made, by `once` as by `run`, so that two processes never ask one feed, or
//! one host, at the same time. A claim runs out by itself when its process dies.

use std::collections::HashMap;

use rusqlite::{OptionalExtension, Row, named_params, params};

use super::{Database, Error, polls::NextPoll};
use crate::{
    dedup::Scope,
    model::{FeedId, Timestamp},
    schedule::{self, clock, moves},
};

/// No process claims a feed for longer.
const LONGEST_CLAIM_SECONDS: i64 = 3_600;

/// The word in `feeds.dedup_scope`.
fn scope_word(scope: Scope) -> &'static str {
    match scope {
        Scope::All => "all",
        Scope::Feed => "feed",
        Scope::Off => "off",
    }
}

pub(super) fn scope_from(word: &str) -> Scope {
    match word {
        "feed" => Scope::Feed,
        "off" => Scope::Off,
        _ => Scope::All,
    }
}

/// What is known of a feed between polls: one row of `feeds`, field names as columns.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each field is a column, described in the schema")]
pub struct FeedState {
    pub id: FeedId,
    pub url: String,
    pub effective_url: String,
    pub origin: String,
    pub name: Option<String>,
    pub title: Option<String>,
    pub site_url: Option<String>,
    pub language: Option<String>,
    pub priority: i64,
    pub dedup_scope: Scope,
    pub added_at: Timestamp,
    pub etag: Option<String>,
    pub last_modified: Option<String>,
    pub validators_url: Option<String>,
    pub next_poll_at: Timestamp,
    pub next_poll_reason: String,
    pub error_kind: Option<String>,
    pub warned_at: Option<Timestamp>,
    /// last_poll_at to poll_memory: what the next poll depends on.
    pub schedule: schedule::State,
    pub guids_trusted: bool,
    pub guid_changes: u32,
}

const STATE_COLUMNS: &str = "id, url, effective_url, origin, name, title, site_url, language, priority, \
    dedup_scope, added_at, etag, last_modified, validators_url, next_poll_at, next_poll_reason, last_poll_at, \
    last_success_at, last_new_at, last_full_get_at, usual_gap_s, failures, error_kind, warned_at, \
    retry_after_until, gone_at, moved_to, moved_since, moved_polls, guids_trusted, guid_changes, poll_memory";

impl FeedState {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            url: row.get(1)?,
            effective_url: row.get(2)?,
            origin: row.get(3)?,
            name: row.get(4)?,
            title: row.get(5)?,
            site_url: row.get(6)?,
            language: row.get(7)?,
            priority: row.get(8)?,
            dedup_scope: scope_from(row.get_ref(9)?.as_str()?),
            added_at: row.get(10)?,
            etag: row.get(11)?,
            last_modified: row.get(12)?,
            validators_url: row.get(13)?,
            next_poll_at: row.get(14)?,
            next_poll_reason: row.get(15)?,
            error_kind: row.get(22)?,
            warned_at: row.get(23)?,
            schedule: schedule_from(row)?,
            guids_trusted: row.get(29)?,
            guid_changes: row.get(30)?,
        })
    }
}

fn schedule_from(row: &Row<'_>) -> rusqlite::Result<schedule::State> {
    let (moved_to, moved_since): (Option<String>, Option<Timestamp>) = (row.get(26)?, row.get(27)?);
    // An adopted move is remembered in moved_to for people; it is watched no more.
    let polls = row.get(28)?;
    let watched = moved_to.zip(moved_since).filter(|_| polls > 0);
    let moved = watched.map(|(to, since)| moves::Watched { to, since, polls });
    Ok(schedule::State {
        last_poll_at: row.get(16)?,
        last_success_at: row.get(17)?,
        last_new_at: row.get(18)?,
        last_full_get_at: row.get(19)?,
        usual_gap_seconds: row.get(20)?,
        failures: row.get(21)?,
        retry_after_until: row.get(24)?,
        gone_at: row.get(25)?,
        moved,
        // Written by us; what cannot be read is learned again.
        memory: serde_json::from_str(row.get_ref(31)?.as_str()?).unwrap_or_default(),
    })
}

impl FeedState {
    /// The validators to be sent with the next request; `None` where there are none.
    pub fn validators(&self) -> Option<(Option<String>, Option<String>, String)> {
        let url = self.validators_url.clone()?;
        let has_any = self.etag.is_some() || self.last_modified.is_some();
        has_any.then(|| (self.etag.clone(), self.last_modified.clone(), url))
    }
}

/// A feed as the configuration has it.
#[derive(Clone, Debug, Default)]
pub struct Configured {
    /// Without credentials.
    pub url: String,
    /// The operator's own name for it.
    pub name: Option<String>,
    /// The operator's tags.
    pub tags: Vec<String>,
    /// Whether it is polled.
    pub enabled: bool,
    /// The higher one's text is preferred.
    pub priority: i64,
    /// `dedup.scope`, its own or the general one.
    pub dedup_scope: Scope,
    /// Changes whenever anything in its entry does, and only then.
    pub config_hash: String,
}

/// What taking up a configuration changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Synced {
    /// Feeds that were not there before, or are back.
    pub added: Vec<FeedId>,
    /// Feeds that the configuration names no longer.
    pub removed: Vec<FeedId>,
    /// Feeds whose entry changed.
    pub changed: Vec<FeedId>,
}

struct Row0 {
    id: FeedId,
    url: String,
    effective_url: String,
    config_hash: Option<String>,
    is_removed: bool,
    dedup_scope: String,
}

impl Database {
    /// Takes up the configured feeds as a difference, in one transaction. The first polls of new feeds are
    /// spread over `spread_seconds`.
    ///
    /// A feed that is gone from the configuration keeps its row and its articles. A new URL takes over the
    /// row of a removed feed if it is that row's url or effective_url, or differs from one of them only in
    /// http or https.
    pub fn sync_feeds(
        &mut self,
        configured: &[Configured],
        spread_seconds: i64,
        now: Timestamp,
    ) -> Result<Synced, Error> {
        self.transaction(|db| {
            let rows = db.feed_rows()?;
            let mut synced = Synced::default();
            db.remove_missing(&rows, configured, now, &mut synced)?;
            let mut new = Vec::new();
            let by_url: HashMap<&str, &Row0> =
                rows.iter().map(|row| (row.url.as_str(), row)).collect();
            for feed in configured {
                match by_url.get(feed.url.as_str()) {
                    Some(row) => db.update_configured(row, feed, now, &mut synced)?,
                    None => new.push(feed),
                }
            }
            let mut heirless: Vec<&Row0> = rows
                .iter()
                .filter(|row| row.is_removed || synced.removed.contains(&row.id))
                .collect();
            heirless.retain(|row| !configured.iter().any(|feed| feed.url == row.url));
            let spread =
                |n: usize| spread_seconds.saturating_mul(n as i64) / (new.len() as i64).max(1);
            for (n, feed) in new.iter().enumerate() {
                let first_poll_at = now.plus_seconds(spread(n));
                let heir_of = heirless.iter().position(|row| is_same_feed(row, &feed.url));
                let id = match heir_of {
                    Some(found) => db.take_over_row(heirless.swap_remove(found), feed, now)?,
                    None => db.insert_feed(feed, first_poll_at, now)?,
                };
                synced.removed.retain(|removed| *removed != id);
                synced.added.push(id);
            }
            db.mark_same_feeds()?;
            Ok(synced)
        })
    }

    fn feed_rows(&self) -> Result<Vec<Row0>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT id, url, effective_url, config_hash, removed_at IS NOT NULL, dedup_scope
             FROM feeds ORDER BY id",
        )?;
        let rows = statement.query_map([], |row| {
            Ok(Row0 {
                id: row.get(0)?,
                url: row.get(1)?,
                effective_url: row.get(2)?,
                config_hash: row.get(3)?,
                is_removed: row.get(4)?,
                dedup_scope: row.get(5)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn remove_missing(
        &self,
        rows: &[Row0],
        configured: &[Configured],
        now: Timestamp,
        synced: &mut Synced,
    ) -> Result<(), Error> {
        let urls: std::collections::HashSet<&str> =
            configured.iter().map(|feed| feed.url.as_str()).collect();
        let mut statement = self
            .connection
            .prepare_cached("UPDATE feeds SET enabled = 0, removed_at = ?2 WHERE id = ?1")?;
        for row in rows.iter().filter(|row| !row.is_removed && !urls.contains(row.url.as_str())) {
            statement.execute(params![row.id, now])?;
            synced.removed.push(row.id);
        }
        Ok(())
    }

    fn update_configured(
        &self,
        row: &Row0,
        feed: &Configured,
        now: Timestamp,
        synced: &mut Synced,
    ) -> Result<(), Error> {
        let is_changed = row.config_hash.as_deref() != Some(feed.config_hash.as_str())
            // The one column that another section of the configuration can change.
            || row.dedup_scope != scope_word(feed.dedup_scope);
        if !is_changed && !row.is_removed {
            return Ok(());
        }
        self.write_configured(row.id, feed, &row.effective_url, now)?;
        if row.is_removed {
            synced.added.push(row.id);
        } else {
            synced.changed.push(row.id);
        }
        Ok(())
    }

    /// Writes the configured columns; a changed entry lifts a 410, which then is asked again at once.
    fn write_configured(
        &self,
        id: FeedId,
        feed: &Configured,
        effective_url: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut statement = self.connection.prepare_cached(
            "UPDATE feeds SET url = :url, effective_url = :effective_url, origin = :origin, name = :name,
                tags = :tags, priority = :priority, dedup_scope = :dedup_scope, enabled = :enabled,
                removed_at = NULL, config_hash = :config_hash,
                next_poll_at = CASE WHEN gone_at IS NULL AND removed_at IS NULL THEN next_poll_at ELSE :now END,
                next_poll_reason = CASE WHEN gone_at IS NULL AND removed_at IS NULL THEN next_poll_reason
                                   ELSE 'configured' END,
                failures = CASE WHEN gone_at IS NULL THEN failures ELSE 0 END,
                gone_at = CASE WHEN config_hash IS :config_hash THEN gone_at END
             WHERE id = :id",
        )?;
        statement.execute(named_params! {
            ":id": id, ":url": feed.url, ":effective_url": effective_url, ":origin": origin(effective_url),
            ":name": feed.name, ":tags": json_list(&feed.tags), ":priority": feed.priority,
            ":dedup_scope": scope_word(feed.dedup_scope), ":enabled": feed.enabled,
            ":config_hash": feed.config_hash, ":now": now,
        })?;
        Ok(())
    }

    fn take_over_row(
        &self,
        row: &Row0,
        feed: &Configured,
        now: Timestamp,
    ) -> Result<FeedId, Error> {
        // An http row that had moved elsewhere keeps its target only if that is what is configured now.
        let effective_url =
            if row.effective_url == feed.url { &row.effective_url } else { &feed.url };
        self.write_configured(row.id, feed, effective_url, now)?;
        Ok(row.id)
    }

    fn insert_feed(
        &self,
        feed: &Configured,
        first_poll_at: Timestamp,
        now: Timestamp,
    ) -> Result<FeedId, Error> {
        let mut statement = self.connection.prepare_cached(
            "INSERT INTO feeds (url, effective_url, origin, name, tags, enabled, priority, dedup_scope,
                                config_hash, added_at, next_poll_at)
             VALUES (?1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?;
        let id = statement.insert(params![
            feed.url,
            origin(&feed.url),
            feed.name,
            json_list(&feed.tags),
            feed.enabled,
            feed.priority,
            scope_word(feed.dedup_scope),
            feed.config_hash,
            now,
            first_poll_at
        ])?;
        Ok(FeedId(id))
    }

    /// Of several feeds with one effective URL only the first is polled.
    pub(crate) fn mark_same_feeds(&self) -> Result<(), Error> {
        let mut statement = self.connection.prepare_cached(
            "WITH first (id, same_as) AS (
                SELECT f.id, (SELECT min(o.id) FROM feeds AS o
                              WHERE o.effective_url = f.effective_url AND o.enabled = 1 AND o.id < f.id)
                FROM feeds AS f)
             UPDATE feeds SET same_as = first.same_as FROM first
             WHERE feeds.id = first.id AND feeds.same_as IS NOT first.same_as",
        )?;
        statement.execute([])?;
        Ok(())
    }

    /// One feed's state.
    pub fn feed_state(&self, id: FeedId) -> Result<Option<FeedState>, Error> {
        let mut statement = self
            .connection
            .prepare_cached(&format!("SELECT {STATE_COLUMNS} FROM feeds WHERE id = ?1"))?;
        Ok(statement.query_row([id], FeedState::from_row).optional()?)
    }

    /// Scope and priority of a feed: what judging asks of another text's feed.
    pub(crate) fn feed_standing(&self, id: FeedId) -> Result<(Scope, i64), Error> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT dedup_scope, priority FROM feeds WHERE id = ?1")?;
        Ok(statement
            .query_row([id], |row| Ok((scope_from(row.get_ref(0)?.as_str()?), row.get(1)?)))?)
    }

    /// The feed that a person means: by id, url, effective url or name.
    pub fn find_feed(&self, wanted: &str) -> Result<FeedId, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT id FROM feeds WHERE url = ?1 OR effective_url = ?1 OR name = ?1 OR CAST(id AS TEXT) = ?1
             ORDER BY removed_at IS NOT NULL, id LIMIT 1",
        )?;
        // As people write it, and as it is stored.
        let wanted_url = match wanted.strip_prefix("file:/") {
            Some(path) if !path.starts_with('/') => format!("file:///{path}"),
            _ => wanted.to_owned(),
        };
        let found = statement.query_row([&wanted_url], |row| row.get(0)).optional()?;
        found.ok_or_else(|| Error::NotFound { what: "feed", id: wanted.to_owned() })
    }

    /// After the wall clock was set back: feeds keep their waits and their servers' orders, counted from `now`, and none
    /// waits longer than `longest_wait_seconds`. Returns how many moved.
    pub fn reanchor(&mut self, longest_wait_seconds: i64, now: Timestamp) -> Result<usize, Error> {
        self.transaction(|db| {
            let mut statement = db.connection.prepare_cached(
                "SELECT id, next_poll_at, last_poll_at, retry_after_until FROM feeds
                 WHERE enabled = 1 AND gone_at IS NULL
                   AND max(coalesce(last_poll_at, ''), coalesce(retry_after_until, ''), next_poll_at) > ?1",
            )?;
            type Instants = (FeedId, Timestamp, Option<Timestamp>, Option<Timestamp>);
            let rows = statement
                .query_map([now], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
            let rows: Vec<Instants> = rows.collect::<Result<_, _>>()?;
            let mut update = db.connection.prepare_cached(
                "UPDATE feeds SET next_poll_at = ?2, retry_after_until = ?3, last_poll_at = min(last_poll_at, ?4)
                 WHERE id = ?1",
            )?;
            let mut count = 0;
            for (id, next, last, order) in rows {
                let moved = clock::reanchored(next, last, longest_wait_seconds, now);
                let kept = order.map(|until| clock::reanchored_order(until, last, now));
                if moved.is_some() || kept != order {
                    let at = kept.unwrap_or(now).max(moved.unwrap_or(next));
                    count += update.execute(params![id, at, kept, now])?;
                }
            }
            // An order that ends later than any was given by another clock.
            let longest = now.plus_seconds(clock::LONGEST_ORDER_SECONDS);
            db.connection.execute(
                "UPDATE hosts SET retry_after_until = ?1 WHERE retry_after_until > ?1",
                [longest],
            )?;
            // A claim lasts ten minutes; one that ends later was given by another clock, and its holder may be dead.
            db.connection.execute(
                "UPDATE feeds SET claimed_by = NULL, claimed_until = NULL WHERE claimed_until > ?1",
                [now.plus_seconds(LONGEST_CLAIM_SECONDS)],
            )?;
            Ok(count)
        })
    }

    /// After the wall clock was set by `jump` seconds, to `now`: servers' orders last as long as they were given for, in
    /// either direction. Set back, feeds keep their waits too; set forward, they are due. Returns how many moved.
    pub fn follow_clock(
        &mut self,
        jump: i64,
        longest_wait_seconds: i64,
        now: Timestamp,
    ) -> Result<usize, Error> {
        // What the clock said; an order that ends later than any was given by the new one already.
        let before = now.plus_seconds(-jump);
        let longest = before.plus_seconds(clock::LONGEST_ORDER_SECONDS);
        let moved =
            |column: &str| format!("strftime('%Y-%m-%dT%H:%M:%SZ', {column}, '{jump} seconds')");
        let order = moved("retry_after_until");
        let in_force = "retry_after_until > ?1 AND retry_after_until <= ?2";
        let mut count = self.transaction(|db| {
            let mut count = 0;
            if jump < 0 {
                let next = moved("next_poll_at");
                count = db.connection.execute(
                    &format!(
                        "UPDATE feeds SET last_poll_at = min(last_poll_at, ?2),
                            next_poll_at = CASE WHEN next_poll_at > ?1 THEN {next} ELSE min(next_poll_at, ?2) END
                         WHERE enabled = 1 AND gone_at IS NULL
                           AND max(coalesce(last_poll_at, ''), next_poll_at) > ?2"
                    ),
                    [before, now],
                )?;
            }
            let held = db.connection.execute(
                &format!(
                    "UPDATE feeds SET retry_after_until = {order}, next_poll_at = max(next_poll_at, {order})
                     WHERE {in_force}"
                ),
                [before, longest],
            )?;
            db.connection.execute(
                &format!("UPDATE hosts SET retry_after_until = {order} WHERE {in_force}"),
                [before, longest],
            )?;
            Ok::<_, Error>(count.max(held))
        })?;
        if jump < 0 {
            count = count.max(self.reanchor(longest_wait_seconds, now)?);
        }
        Ok(count)
    }

    /// Plans anew what a changed configuration lets be asked earlier; `plan` says when. A later instant is not taken up:
    /// the poll that is planned comes first.
    pub fn hasten(
        &mut self,
        mut plan: impl FnMut(&FeedState) -> Option<NextPoll>,
    ) -> Result<usize, Error> {
        self.transaction(|db| {
            let mut statement = db.connection.prepare_cached(&format!(
                "SELECT {STATE_COLUMNS} FROM feeds
                 WHERE enabled = 1 AND gone_at IS NULL AND last_poll_at IS NOT NULL AND claimed_until IS NULL"
            ))?;
            let mut update = db.connection.prepare_cached(
                "UPDATE feeds SET next_poll_at = ?2, next_poll_reason = ?3, next_poll_rules = ?4 WHERE id = ?1",
            )?;
            let mut rows = statement.query([])?;
            let mut hastened = Vec::new();
            while let Some(row) = rows.next()? {
                let feed = FeedState::from_row(row)?;
                hastened.extend(plan(&feed).map(|next| (feed.id, next)));
            }
            for (id, next) in &hastened {
                update.execute(params![id, next.at, next.reason, next.rules])?;
            }
            Ok(hastened.len())
        })
    }

    /// Forgets what a feed's server has said: validators, backoff, 410, watched redirect, learned rhythm. Its next
    /// poll is due now, or when the server's order to wait (Retry-After, its host's too) has passed: returns until when
    /// such an order holds.
    pub fn reset_feed(&mut self, id: FeedId, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        self.transaction(|db| {
            let mut statement = db.connection.prepare_cached(
                "UPDATE feeds SET etag = NULL, last_modified = NULL, validators_url = NULL, failures = 0,
                    error_kind = NULL, error = NULL, gone_at = NULL, poll_memory = '{}',
                    moved_to = NULL, moved_since = NULL, moved_polls = 0, effective_url = url, origin = ?3,
                    guids_trusted = 1, guid_changes = 0, next_poll_reason = 'reset',
                    next_poll_at = max(?2, coalesce(retry_after_until, ''),
                        coalesce((SELECT h.retry_after_until FROM hosts AS h WHERE h.origin = ?3), ''))
                 WHERE id = ?1 RETURNING next_poll_at",
            )?;
            let state = db.feed_state(id)?;
            let state = state.ok_or_else(|| Error::NotFound { what: "feed", id: id.to_string() })?;
            let next: Timestamp =
                statement.query_row(params![id, now, origin(&state.url)], |row| row.get(0))?;
            db.mark_same_feeds()?;
            Ok(Some(next).filter(|next| *next > now))
        })
    }
}

/// `scheme://host[:port]`, under which a server's orders for all its feeds are kept; `file:` for files.
pub(crate) fn origin(url: &str) -> String {
    match url::Url::parse(url) {
        Ok(parsed) if parsed.has_host() => parsed.origin().ascii_serialization(),
        Ok(parsed) => format!("{}:", parsed.scheme()),
        Err(_) => String::new(),
    }
}

fn is_same_feed(row: &Row0, url: &str) -> bool {
    let after_scheme = |url: &str| {
        url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).map(str::to_owned)
    };
    [&row.url, &row.effective_url].into_iter().any(|known| {
        known == url || (after_scheme(url).is_some() && after_scheme(known) == after_scheme(url))
    })
}

fn json_list(words: &[String]) -> String {
    serde_json::Value::from(words).to_string()
}
