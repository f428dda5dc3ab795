//! The end of a poll: its log row and the feed's new state, whatever came of it.

use std::fmt::Write as _;

use rusqlite::{named_params, params};

use super::{Database, Error, feeds::FeedState, feeds::origin};
use crate::{
    model::{FeedId, Timestamp},
    schedule,
};

/// One row of `polls`, field names as columns.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each field is a column, described in the schema")]
pub struct PollRow<'a> {
    pub feed_id: FeedId,
    pub started_at: Timestamp,
    pub duration_ms: u64,
    pub http_status: Option<u16>,
    pub outcome: &'a str,
    pub error_kind: Option<&'a str>,
    pub error: Option<&'a str>,
    pub body_bytes: u64,
    pub entries: u32,
    pub new: u32,
    pub revised: u32,
    pub duplicates: u32,
}

/// When a feed is polled next, and why then.
#[derive(Clone, Debug)]
pub struct NextPoll {
    /// The instant.
    pub at: Timestamp,
    /// The rule that set it.
    pub reason: String,
    /// What every rule asked for: a JSON array.
    pub rules: String,
}

impl From<schedule::NextPoll> for NextPoll {
    fn from(next: schedule::NextPoll) -> Self {
        Self {
            // Gone: never again, until its configuration changes.
            at: next.at.unwrap_or(Timestamp::MAX),
            reason: next.reason.to_owned(),
            rules: serde_json::to_string(&next.rules).unwrap_or_else(|_| "[]".to_owned()),
        }
    }
}

/// Longest error text kept: some servers answer with a page.
const MAX_ERROR: usize = 500;

impl Database {
    /// Writes the poll's log row.
    pub(crate) fn insert_poll(&self, poll: &PollRow<'_>) -> Result<(), Error> {
        let mut statement = self.connection.prepare_cached(
            "INSERT INTO polls (feed_id, started_at, duration_ms, http_status, outcome, error_kind, error,
                                body_bytes, entries, new, revised, duplicates)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )?;
        statement.execute(params![
            poll.feed_id,
            poll.started_at,
            poll.duration_ms.min(i64::MAX.unsigned_abs()) as i64,
            poll.http_status,
            poll.outcome,
            poll.error_kind,
            poll.error.map(one_line),
            poll.body_bytes.min(i64::MAX.unsigned_abs()) as i64,
            poll.entries,
            poll.new,
            poll.revised,
            poll.duplicates
        ])?;
        Ok(())
    }

    /// Writes what a document said beside its entries.
    pub(crate) fn store_document(
        &self,
        feed: FeedId,
        format: &str,
        extras: &str,
    ) -> Result<(), Error> {
        let mut statement = self
            .connection
            .prepare_cached("UPDATE feeds SET format = ?2, extras = ?3 WHERE id = ?1")?;
        statement.execute(params![feed, format, extras])?;
        Ok(())
    }

    /// Writes the feed's state as the poll left it and gives its claim back. `error` is the last poll's.
    pub(crate) fn store_state(
        &self,
        feed: &FeedState,
        next: &NextPoll,
        error: Option<&str>,
    ) -> Result<(), Error> {
        let state = &feed.schedule;
        let moved_to = state.moved.as_ref().map(|moved| moved.to.as_str()).or_else(|| {
            // After an adoption effective_url is where it has moved to.
            (feed.effective_url != feed.url).then_some(feed.effective_url.as_str())
        });
        let mut statement = self.connection.prepare_cached(
            "UPDATE feeds SET title = :title, site_url = :site_url, language = :language,
                etag = :etag, last_modified = :last_modified,
                validators_url = :validators_url, next_poll_at = :next_poll_at,
                next_poll_reason = :next_poll_reason, next_poll_rules = :next_poll_rules,
                last_poll_at = :last_poll_at, last_success_at = :last_success_at, last_new_at = :last_new_at,
                last_full_get_at = :last_full_get_at, usual_gap_s = :usual_gap_s, failures = :failures,
                error_kind = :error_kind, error = :error, warned_at = :warned_at,
                retry_after_until = :retry_after_until, gone_at = :gone_at, moved_to = :moved_to,
                moved_since = :moved_since, moved_polls = :moved_polls, poll_memory = :poll_memory, guids_trusted = :guids_trusted,
                guid_changes = :guid_changes, claimed_by = NULL, claimed_until = NULL
             WHERE id = :id",
        )?;
        statement.execute(named_params! {
            ":id": feed.id, ":title": feed.title, ":site_url": feed.site_url, ":language": feed.language,
            ":etag": feed.etag, ":last_modified": feed.last_modified,
            ":validators_url": feed.validators_url, ":next_poll_at": next.at,
            ":next_poll_reason": next.reason, ":next_poll_rules": next.rules,
            ":last_poll_at": state.last_poll_at, ":last_success_at": state.last_success_at,
            ":last_new_at": state.last_new_at, ":last_full_get_at": state.last_full_get_at,
            ":usual_gap_s": state.usual_gap_seconds, ":failures": state.failures, ":error_kind": feed.error_kind,
            ":error": error.map(one_line), ":warned_at": feed.warned_at,
            ":retry_after_until": state.retry_after_until, ":gone_at": state.gone_at,
            ":moved_to": moved_to, ":moved_since": state.moved.as_ref().map(|moved| moved.since),
            ":moved_polls": state.moved.as_ref().map_or(0, |moved| moved.polls),
            ":poll_memory": serde_json::to_string(&state.memory).unwrap_or_else(|_| "{}".to_owned()), ":guids_trusted": feed.guids_trusted,
            ":guid_changes": feed.guid_changes,
        })?;
        Ok(())
    }

    /// Adopts a feed's new address: from now on the old one is not asked.
    pub(crate) fn adopt_move(&self, feed: FeedId, url: &str) -> Result<(), Error> {
        let mut statement = self
            .connection
            .prepare_cached("UPDATE feeds SET effective_url = ?2, origin = ?3 WHERE id = ?1")?;
        statement.execute(params![feed, url, origin(url)])?;
        self.mark_same_feeds()
    }
}

/// An error as one bounded line: it may quote what a server sent.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len().min(MAX_ERROR));
    for character in text.chars() {
        if line.len() >= MAX_ERROR {
            line.push('…');
            break;
        }
        if character.is_control() {
            let _ = write!(line, "{}", character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_bounded_line() {
        assert_eq!(one_line("bad\nthing\u{1b}[31m"), "bad\\nthing\\u{1b}[31m");
        assert!(one_line(&"x".repeat(10_000)).len() < 600);
    }
}
