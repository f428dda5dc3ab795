//! What is old enough to go, in small batches, so that nobody waits long for the lock.
//!
//! Rows go in order of id, which is the order of arrival. What was removed does not come back: its ledger
//! row stays for as long as the publisher lists it, and 30 days more.

use rusqlite::params;

use super::{Database, Error};
use crate::model::Timestamp;

/// A ledger row goes so long after its publisher last listed the entry.
pub const LEDGER_SECONDS: i64 = 30 * 86_400;

/// What is kept for how long; `None` is forever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// `keep`: articles, with their copies and revisions, from the newest copy on.
    pub keep_seconds: Option<i64>,
    /// `keep_duplicates`.
    pub keep_duplicates_seconds: Option<i64>,
    /// `keep_polls`.
    pub keep_polls_seconds: Option<i64>,
    /// `dedup.window`: older rows leave the duplicate index.
    pub window_seconds: i64,
}

/// Rows that were removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is a table")]
pub struct Removed {
    pub articles: usize,
    pub duplicates: usize,
    pub polls: usize,
    pub entries: usize,
    pub fingerprints: usize,
}

impl Removed {
    /// Whether any row was.
    pub fn any(self) -> bool {
        self != Self::default()
    }

    fn add(&mut self, other: Self) {
        self.articles += other.articles;
        self.duplicates += other.duplicates;
        self.polls += other.polls;
        self.entries += other.entries;
        self.fingerprints += other.fingerprints;
    }
}

/// Rows of one table removed in one transaction.
const BATCH: usize = 200;

impl Database {
    /// One small batch of what may go, in a transaction of its own. Call again while it removes anything.
    pub fn remove_some(&mut self, retention: &Retention, now: Timestamp) -> Result<Removed, Error> {
        let before = |seconds: i64| now.plus_seconds(-seconds);
        self.transaction(|db| {
            let mut removed = Removed::default();
            if let Some(seconds) = retention.keep_seconds {
                removed.articles = db.remove_articles(before(seconds))?;
            }
            if let Some(seconds) = retention.keep_duplicates_seconds {
                removed.duplicates =
                    db.remove_oldest("duplicates", "first_seen_at", before(seconds))?;
            }
            if let Some(seconds) = retention.keep_polls_seconds {
                removed.polls = db.remove_oldest("polls", "started_at", before(seconds))?;
            }
            removed.fingerprints = db.remove_fingerprints(before(retention.window_seconds))?;
            removed.entries = db.remove_entries(before(LEDGER_SECONDS))?;
            Ok(removed)
        })
    }

    /// All that may go, batch after batch; for callers who have nothing else to do.
    pub fn remove_all(&mut self, retention: &Retention, now: Timestamp) -> Result<Removed, Error> {
        let mut total = Removed::default();
        loop {
            let removed = self.remove_some(retention, now)?;
            if !removed.any() {
                return Ok(total);
            }
            total.add(removed);
        }
    }

    /// Copies and revisions go with their article, once the newest of them is old as well; the ledger keeps its entries,
    /// holding nothing.
    fn remove_articles(&self, before: Timestamp) -> Result<usize, Error> {
        let newest_copy =
            "(SELECT max(first_seen_at) FROM duplicates WHERE article_id = articles.id)";
        let ids = self.oldest("articles", "first_seen_at", newest_copy, before)?;
        let mut delete = self.connection.prepare_cached("DELETE FROM articles WHERE id = ?1")?;
        for id in &ids {
            self.unindex_text(crate::model::ArticleId(*id))?;
            delete.execute([id])?;
        }
        Ok(ids.len())
    }

    fn remove_oldest(&self, table: &str, column: &str, before: Timestamp) -> Result<usize, Error> {
        let ids = self.oldest(table, column, "NULL", before)?;
        let mut delete =
            self.connection.prepare_cached(&format!("DELETE FROM {table} WHERE id = ?1"))?;
        for id in &ids {
            delete.execute([id])?;
        }
        Ok(ids.len())
    }

    /// A batch of ids from the old end of a table, up to the first row that is younger, without those that something
    /// younger holds.
    fn oldest(
        &self,
        table: &str,
        column: &str,
        held_by: &str,
        before: Timestamp,
    ) -> Result<Vec<i64>, Error> {
        let mut statement = self
            .connection
            .prepare_cached(&format!("SELECT id, {column}, {held_by} FROM {table} ORDER BY id"))?;
        let mut rows = statement.query([])?;
        let mut ids = Vec::new();
        while let Some(row) = rows.next()?
            && ids.len() < BATCH
        {
            if row.get::<_, Timestamp>(1)? >= before {
                break;
            }
            if row.get::<_, Option<Timestamp>>(2)?.is_none_or(|newest| newest < before) {
                ids.push(row.get(0)?);
            }
        }
        Ok(ids)
    }

    fn remove_fingerprints(&self, before: Timestamp) -> Result<usize, Error> {
        let mut statement = self.connection.prepare_cached(
            "DELETE FROM fingerprints WHERE id IN
                (SELECT id FROM fingerprints WHERE first_seen_at < ?1 ORDER BY first_seen_at LIMIT ?2)",
        )?;
        Ok(statement.execute(params![before, BATCH as i64])?)
    }

    fn remove_entries(&self, before: Timestamp) -> Result<usize, Error> {
        let mut statement = self.connection.prepare_cached(
            "DELETE FROM entries WHERE id IN
                (SELECT id FROM entries WHERE listed = 0 AND last_listed_at < ?1 LIMIT ?2)",
        )?;
        Ok(statement.execute(params![before, BATCH as i64])?)
    }

    /// Takes up `[store] search`. A change rebuilds the full-text index, which takes a while on a large
    /// database; whether it did is returned.
    pub fn set_search(&mut self, search: &str) -> Result<bool, Error> {
        let current: String = self.connection.query_row(
            "SELECT value FROM settings WHERE name = 'search'",
            [],
            |row| row.get(0),
        )?;
        if current == search {
            return Ok(false);
        }
        self.transaction(|db| {
            db.connection
                .execute("UPDATE settings SET value = ?1 WHERE name = 'search'", [search])?;
            db.connection
                .execute("INSERT INTO article_fts (article_fts) VALUES ('rebuild')", [])?;
            Ok(true)
        })
    }
}
