//! The ledger: every entry a feed ever listed, so that nothing known is taken for new.
//!
//! A row is `listed` while its entry stands in the feed's last document. A poll touches only the rows of
//! entries that came, changed or went; a feed that answers 304 for months forgets nothing.

use std::collections::HashSet;

use rusqlite::{Row, params};

use super::{
    Database, Error,
    columns::{from_hash, to_hash},
};
use crate::model::{ArticleId, DuplicateId, FeedId, Known, Timestamp};

/// Row id of a ledger entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(pub(crate) i64);

/// What became of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// An article of its own.
    Article(ArticleId),
    /// A copy, folded into an article.
    Duplicate(DuplicateId),
    /// Nothing: removed by retention, or never wanted.
    Nothing,
}

impl Holds {
    fn columns(self) -> (Option<ArticleId>, Option<DuplicateId>) {
        match self {
            Self::Article(id) => (Some(id), None),
            Self::Duplicate(id) => (None, Some(id)),
            Self::Nothing => (None, None),
        }
    }
}

/// What entries of different feeds may have in common.
#[derive(Clone, Copy, Debug)]
pub enum Key<'a> {
    /// The publisher's identifier.
    Guid(&'a str),
    /// The article's page.
    Url(&'a str),
}

/// One ledger row.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each field is a column, described in the schema")]
pub struct LedgerEntry {
    pub id: EntryId,
    pub raw_hash: u64,
    pub content_hash: u64,
    pub holds: Holds,
    pub guid: Option<String>,
    pub url: Option<String>,
    pub published_at: Option<Timestamp>,
}

/// What the ledger is told of an entry.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "each field is a column, described in the schema")]
pub struct Keys<'a> {
    pub guid: Option<&'a str>,
    pub url: Option<&'a str>,
    pub raw_hash: u64,
    pub content_hash: u64,
    pub published_at: Option<Timestamp>,
}

const COLUMNS: &str =
    "id, raw_hash, content_hash, article_id, duplicate_id, guid, url, published_at";

fn entry_from_row(row: &Row<'_>) -> rusqlite::Result<LedgerEntry> {
    let holds = match (row.get(3)?, row.get(4)?) {
        (Some(id), _) => Holds::Article(id),
        (None, Some(id)) => Holds::Duplicate(id),
        (None, None) => Holds::Nothing,
    };
    Ok(LedgerEntry {
        id: EntryId(row.get(0)?),
        raw_hash: to_hash(row.get(1)?),
        content_hash: to_hash(row.get(2)?),
        holds,
        guid: row.get(5)?,
        url: row.get(6)?,
        published_at: row.get(7)?,
    })
}

/// Rows of one key beyond this number prove nothing that the first ones do not.
const MAX_MATCHES: usize = 16;
/// More feeds are not asked for their entry of one URL or guid.
const MAX_CARRIERS: usize = 256;

impl Database {
    /// Whether an entry of the feed had this URL before.
    pub fn has_url(&self, feed: FeedId, url: &str) -> Result<bool, Error> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT 1 FROM entries WHERE feed_id = ?1 AND url = ?2")?;
        Ok(statement.exists(params![feed, url])?)
    }

    /// What a poll of the feed must know to skip what is unchanged and to clean the rest: asked for once a
    /// document has arrived.
    pub fn known(&self, feed: FeedId) -> Result<Known, Error> {
        Ok(Known {
            raw_hashes: self.listed(feed)?.into_iter().map(|(raw_hash, _)| raw_hash).collect(),
            furniture: self.furniture(feed)?,
        })
    }

    /// Raw hash and row of every entry in the feed's last document.
    pub(crate) fn listed(&self, feed: FeedId) -> Result<Vec<(u64, EntryId)>, Error> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT raw_hash, id FROM entries WHERE feed_id = ?1 AND listed = 1")?;
        let rows =
            statement.query_map([feed], |row| Ok((to_hash(row.get(0)?), EntryId(row.get(1)?))))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Ledger rows of the feed with this guid, newest first.
    pub(crate) fn entries_by_guid(
        &self,
        feed: FeedId,
        guid: &str,
    ) -> Result<Vec<LedgerEntry>, Error> {
        self.entries_where("feed_id = ?1 AND guid = ?2", params![feed, guid])
    }

    /// Ledger rows of the feed with this URL, newest first.
    pub(crate) fn entries_by_url(
        &self,
        feed: FeedId,
        url: &str,
    ) -> Result<Vec<LedgerEntry>, Error> {
        self.entries_where("feed_id = ?1 AND url = ?2", params![feed, url])
    }

    /// Ledger rows of the feed with this clean title and body, newest first.
    pub(crate) fn entries_by_content(
        &self,
        feed: FeedId,
        content_hash: u64,
    ) -> Result<Vec<LedgerEntry>, Error> {
        self.entries_where(
            "feed_id = ?1 AND content_hash = ?2",
            params![feed, from_hash(content_hash)],
        )
    }

    /// What other feeds' entries of this URL or guid hold, newest first. A feed that has several such entries
    /// gives none: a key that it shares out proves nothing.
    pub(crate) fn holders_elsewhere(
        &self,
        key: Key<'_>,
        feed: FeedId,
    ) -> Result<Vec<Holds>, Error> {
        let (column, value) = match key {
            Key::Guid(guid) => ("guid", guid),
            Key::Url(url) => ("url", url),
        };
        // Mostly nobody else has it, which two steps down an index show.
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT EXISTS (SELECT 1 FROM entries WHERE {column} = ?1 AND feed_id < ?2)
                 OR EXISTS (SELECT 1 FROM entries WHERE {column} = ?1 AND feed_id > ?2)"
        ))?;
        if !statement.query_row(params![value, feed], |row| row.get::<_, bool>(0))? {
            return Ok(Vec::new());
        }
        let mut statement = self.connection.prepare_cached(&holders_elsewhere_sql(column))?;
        let rows = statement.query_map(params![value, feed], |row| {
            Ok(match (row.get(0)?, row.get(1)?) {
                (Some(id), _) => Holds::Article(id),
                (None, Some(id)) => Holds::Duplicate(id),
                (None, None) => Holds::Nothing,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn entries_where(
        &self,
        condition: &str,
        keys: &[&dyn rusqlite::ToSql],
    ) -> Result<Vec<LedgerEntry>, Error> {
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM entries WHERE {condition} ORDER BY id DESC LIMIT {MAX_MATCHES}"
        ))?;
        let rows = statement.query_map(keys, entry_from_row)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Writes a new entry into the ledger.
    pub(crate) fn insert_entry(
        &self,
        feed: FeedId,
        keys: &Keys<'_>,
        holds: Holds,
        now: Timestamp,
    ) -> Result<EntryId, Error> {
        let (article_id, duplicate_id) = holds.columns();
        let mut statement = self.connection.prepare_cached(
            "INSERT INTO entries (feed_id, guid, url, raw_hash, content_hash, article_id, duplicate_id,
                                  last_listed_at, published_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?;
        let id = statement.insert(params![
            feed,
            keys.guid,
            keys.url,
            from_hash(keys.raw_hash),
            from_hash(keys.content_hash),
            article_id,
            duplicate_id,
            now,
            keys.published_at
        ])?;
        Ok(EntryId(id))
    }

    /// Notes that a known entry is listed again, with the keys and hashes that it has now.
    pub(crate) fn update_entry(
        &self,
        id: EntryId,
        keys: &Keys<'_>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut statement = self.connection.prepare_cached(
            "UPDATE entries SET guid = coalesce(?2, guid), url = coalesce(?3, url), raw_hash = ?4,
                content_hash = ?5, listed = 1, last_listed_at = ?6, published_at = coalesce(?7, published_at)
             WHERE id = ?1",
        )?;
        statement.execute(params![
            id.0,
            keys.guid,
            keys.url,
            from_hash(keys.raw_hash),
            from_hash(keys.content_hash),
            now,
            keys.published_at
        ])?;
        Ok(())
    }

    /// Notes what has become of an entry that held nothing.
    pub(crate) fn fill_entry(&self, id: EntryId, holds: Holds) -> Result<(), Error> {
        let (article_id, duplicate_id) = holds.columns();
        self.connection
            .prepare_cached("UPDATE entries SET article_id = ?2, duplicate_id = ?3 WHERE id = ?1")?
            .execute(params![id.0, article_id, duplicate_id])?;
        Ok(())
    }

    /// Points the ledger to what an entry has become.
    pub(crate) fn point_entries(&self, from: DuplicateId, to: ArticleId) -> Result<(), Error> {
        let mut statement = self.connection.prepare_cached(
            "UPDATE entries SET duplicate_id = NULL, article_id = ?2 WHERE duplicate_id = ?1",
        )?;
        statement.execute(params![from, to])?;
        Ok(())
    }

    /// Marks the entries that the feed's new document lists no more. `still` are those that it does list.
    pub(crate) fn mark_departed(
        &self,
        before: &[(u64, EntryId)],
        still: &HashSet<EntryId>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut statement = self
            .connection
            .prepare_cached("UPDATE entries SET listed = 0, last_listed_at = ?2 WHERE id = ?1")?;
        for (_, id) in before.iter().filter(|(_, id)| !still.contains(id)) {
            statement.execute(params![id.0, now])?;
        }
        Ok(())
    }
}

/// From feed to feed by the index, and in each no further than to a second entry: some feeds put one URL on every entry
/// that they ever list.
fn holders_elsewhere_sql(column: &str) -> String {
    format!(
        "WITH RECURSIVE carriers (feed) AS (
            SELECT min(feed_id) FROM entries WHERE {column} = ?1
            UNION ALL
            SELECT (SELECT min(feed_id) FROM entries WHERE {column} = ?1 AND feed_id > feed) FROM carriers
            WHERE feed IS NOT NULL LIMIT {MAX_CARRIERS})
         SELECT article_id, duplicate_id FROM entries WHERE id IN (
            SELECT (SELECT CASE count(*) WHEN 1 THEN max(id) END FROM
                (SELECT id FROM entries WHERE {column} = ?1 AND feed_id = feed LIMIT 2))
            FROM carriers WHERE feed <> ?2)
         ORDER BY id DESC LIMIT {MAX_MATCHES}"
    )
}

#[cfg(test)]
mod tests {
    use rusqlite::{Connection, StatementStatus};

    use super::*;

    #[test]
    fn a_url_on_every_entry_of_a_feed_costs_no_more_than_one() {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(
            "CREATE TABLE entries (id INTEGER PRIMARY KEY, feed_id, url, article_id, duplicate_id);
             CREATE INDEX entries_by_url ON entries (url, feed_id) WHERE url IS NOT NULL;
             INSERT INTO entries (feed_id, url, article_id) VALUES (2, 'page', 7), (3, 'page', 8), (5, 'other', 9);
             WITH RECURSIVE n (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM n WHERE n < 9000)
             INSERT INTO entries (feed_id, url, article_id) SELECT 1, 'page', n FROM n;",
        )
        .unwrap();
        let mut statement = db.prepare(&holders_elsewhere_sql("url")).unwrap();
        for (feed, expected) in [(2, vec![8]), (4, vec![8, 7])] {
            let found: Vec<i64> = statement
                .query_map(params!["page", feed], |row| row.get(0))
                .unwrap()
                .map(Result::unwrap)
                .collect();
            assert_eq!(found, expected);
        }
        let steps = statement.get_status(StatementStatus::VmStep);
        assert!(steps < 1_000, "{steps} steps");
    }
}
