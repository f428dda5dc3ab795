//! What a write transaction puts off until just before it commits, because it is cheaper done at once.
//!
//! Full-text rows: FTS5 writes out what it has gathered whenever a statement or a savepoint opens inside the
//! transaction, so rows that are written in between cost a segment each. The number of the last change: one
//! write instead of one for each article.

use std::cell::{Cell, RefCell};

use rusqlite::{params, types::ToSqlOutput};

use super::{Database, Error};
use crate::model::ArticleId;

/// What is owed. Forgotten with a rollback.
#[derive(Debug, Default)]
pub(super) struct Owed {
    /// Articles whose words have to go into `article_fts`, in order.
    texts: RefCell<Vec<ArticleId>>,
    /// The last `change_id` given; `None` until one is asked for.
    change: Cell<Option<i64>>,
}

impl Owed {
    pub(super) fn forget(&self) {
        self.texts.borrow_mut().clear();
        self.change.set(None);
    }
}

impl Database {
    /// The next number of `articles.change_id`: never given twice.
    pub(super) fn next_change(&self) -> Result<i64, Error> {
        let last = match self.owed.change.get() {
            Some(last) => last,
            None => self
                .connection
                .prepare_cached("SELECT value FROM counters WHERE name = 'change_id'")?
                .query_row([], |row| row.get::<_, i64>(0))?,
        };
        self.owed.change.set(Some(last + 1));
        Ok(last + 1)
    }

    /// Puts an article's words into the full-text index, as `[store] search` says, before the commit.
    pub(super) fn index_text(&self, id: ArticleId) {
        self.owed.texts.borrow_mut().push(id);
    }

    /// Takes them out again: before the text changes, since an external-content index must be told the words.
    pub(super) fn unindex_text(&self, id: ArticleId) -> Result<(), Error> {
        let mut owed = self.owed.texts.borrow_mut();
        if owed.contains(&id) {
            owed.retain(|other| *other != id);
            return Ok(());
        }
        self.write_text(
            "INSERT INTO article_fts (article_fts, rowid, title, body) VALUES ('delete', ?1, ?2, ?3)",
            id,
        )
    }

    pub(super) fn pay_owed(&self) -> Result<(), Error> {
        if let Some(last) = self.owed.change.take() {
            let mut statement = self
                .connection
                .prepare_cached("UPDATE counters SET value = ?1 WHERE name = 'change_id'")?;
            statement.execute([last])?;
        }
        let mut texts = self.owed.texts.take();
        texts.sort_unstable();
        for id in texts {
            self.write_text(
                "INSERT INTO article_fts (rowid, title, body) VALUES (?1, ?2, ?3)",
                id,
            )?;
        }
        Ok(())
    }

    /// One row at a time, from the view: `INSERT ... SELECT` would open a statement journal, and FTS5 would write
    /// out what it has gathered.
    fn write_text(&self, sql: &str, id: ArticleId) -> Result<(), Error> {
        let mut shown =
            self.connection.prepare_cached("SELECT title, body FROM article_text WHERE id = ?1")?;
        let mut rows = shown.query([id])?;
        if let Some(row) = rows.next()? {
            let mut write = self.connection.prepare_cached(sql)?;
            let text = |at| row.get_ref(at).map(ToSqlOutput::Borrowed);
            write.execute(params![id, text(0)?, text(1)?])?;
        }
        Ok(())
    }
}
