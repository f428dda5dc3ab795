//! The rows that the duplicate index in memory is made of. Only ever added to: the index finds new ones by
//! their growing id.

use rusqlite::params;

use super::{
    Database, Error,
    columns::{from_hash, to_hash},
};
use crate::model::{FeedId, Fingerprint, TextId, Timestamp};

/// One row of `fingerprints`, field names as columns; `passages` as the index encodes them.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "each field is a column, described in the schema")]
pub struct FingerprintRow<'a> {
    pub feed_id: FeedId,
    pub first_seen_at: Timestamp,
    pub fingerprint: Fingerprint,
    pub headline: u64,
    pub tokens: u32,
    pub passages: &'a [u8],
}

impl Database {
    /// Adds a text to the index.
    pub(crate) fn insert_fingerprint(&self, row: &FingerprintRow<'_>) -> Result<TextId, Error> {
        let mut statement = self.connection.prepare_cached(
            "INSERT INTO fingerprints (feed_id, first_seen_at, fingerprint, headline, tokens, passages)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        let id = statement.insert(params![
            row.feed_id,
            row.first_seen_at,
            from_hash(row.fingerprint.0),
            from_hash(row.headline),
            row.tokens,
            row.passages
        ])?;
        Ok(TextId(id))
    }

    /// Hands over, in order of id, every row after `last` whose text was first seen at `since` or later.
    pub fn fingerprints_after(
        &self,
        last: Option<TextId>,
        since: Timestamp,
        mut take: impl FnMut(TextId, &FingerprintRow<'_>),
    ) -> Result<(), Error> {
        // The oldest row of the window bounds the scan: a million old rows are not read at a start.
        let oldest: Option<i64> = match last {
            Some(last) => Some(last.0 + 1),
            None => self
                .connection
                .prepare_cached("SELECT min(id) FROM fingerprints WHERE first_seen_at >= ?1")?
                .query_row([since], |row| row.get(0))?,
        };
        let Some(oldest) = oldest else { return Ok(()) };
        let mut statement = self.connection.prepare_cached(
            "SELECT id, feed_id, first_seen_at, fingerprint, headline, tokens, passages
             FROM fingerprints NOT INDEXED WHERE id >= ?1 AND first_seen_at >= ?2 ORDER BY id",
        )?;
        let mut rows = statement.query(params![oldest, since])?;
        while let Some(row) = rows.next()? {
            let fingerprint = FingerprintRow {
                feed_id: row.get(1)?,
                first_seen_at: row.get(2)?,
                fingerprint: Fingerprint(to_hash(row.get(3)?)),
                headline: to_hash(row.get(4)?),
                tokens: row.get(5)?,
                passages: row.get_ref(6)?.as_blob().map_err(rusqlite::Error::from)?,
            };
            take(row.get(0)?, &fingerprint);
        }
        Ok(())
    }
}
