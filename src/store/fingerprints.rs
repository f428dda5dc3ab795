//! The rows that the duplicate index in memory is made of. None is ever changed: the index finds new ones by
//! their growing id, and one whose text nobody has any more goes.

use rusqlite::{Row, params};

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

    /// Removes the row of a text that no article, copy or revision has any more, and hands it over.
    pub(crate) fn remove_fingerprint(
        &self,
        id: TextId,
        take: impl FnOnce(&FingerprintRow<'_>),
    ) -> Result<(), Error> {
        let mut statement = self.connection.prepare_cached(
            "DELETE FROM fingerprints WHERE id = ?1
                AND NOT EXISTS (SELECT 1 FROM articles WHERE text_id = ?1)
                AND NOT EXISTS (SELECT 1 FROM duplicates WHERE text_id = ?1)
                AND NOT EXISTS (SELECT 1 FROM revisions WHERE text_id = ?1)
             RETURNING id, feed_id, first_seen_at, fingerprint, headline, tokens, passages",
        )?;
        let mut rows = statement.query([id])?;
        if let Some(row) = rows.next()? {
            take(&fingerprint_from(row)?);
            rows.next()?;
        }
        Ok(())
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
            take(row.get(0)?, &fingerprint_from(row)?);
        }
        Ok(())
    }
}

fn fingerprint_from<'a>(row: &'a Row<'_>) -> Result<FingerprintRow<'a>, Error> {
    Ok(FingerprintRow {
        feed_id: row.get(1)?,
        first_seen_at: row.get(2)?,
        fingerprint: Fingerprint(to_hash(row.get(3)?)),
        headline: to_hash(row.get(4)?),
        tokens: row.get(5)?,
        passages: row.get_ref(6)?.as_blob().map_err(rusqlite::Error::from)?,
    })
}
