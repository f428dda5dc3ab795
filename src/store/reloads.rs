//! Requests to take up the configuration, and the daemon's answers: how `newsfold reload` learns what came of it.
//!
//! A signal carries no answer, and two requests may become one signal. So each request is a row; the daemon answers
//! every row that stood there before it read the configuration, and no later one.

use rusqlite::{OptionalExtension, params};

use super::{Database, Error};
use crate::model::Timestamp;

/// Answered requests that are kept, for people who wonder.
const KEPT: i64 = 100;

/// What the daemon said to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing yet.
    Pending,
    /// The configuration holds now.
    TakenUp,
    /// The old one stays, and why.
    Refused(String),
}

impl Database {
    /// Asks; returns the number under which the answer will stand.
    pub fn request_reload(&mut self, now: Timestamp) -> Result<i64, Error> {
        self.transaction(|db| {
            db.connection.execute(
                "DELETE FROM reloads WHERE id <= (SELECT max(id) FROM reloads) - ?1",
                [KEPT],
            )?;
            db.connection.execute("INSERT INTO reloads (requested_at) VALUES (?1)", [now])?;
            Ok(db.connection.last_insert_rowid())
        })
    }

    /// The last request so far: to be asked before the configuration is read. 0 if there was none.
    pub fn last_reload_request(&self) -> Result<i64, Error> {
        let sql = "SELECT coalesce(max(id), 0) FROM reloads";
        Ok(self.connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
    }

    /// Answers the requests up to `last`.
    pub fn answer_reloads(
        &mut self,
        last: i64,
        refusal: Option<&str>,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.transaction(|db| {
            db.connection.execute(
                "UPDATE reloads SET answered_at = ?2, refusal = ?3 WHERE id <= ?1 AND answered_at IS NULL",
                params![last, now, refusal],
            )?;
            Ok(())
        })
    }

    /// Answers one request, whoever may still have asked before.
    pub fn answer_reload(
        &mut self,
        id: i64,
        refusal: Option<&str>,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.transaction(|db| {
            db.connection.execute(
                "UPDATE reloads SET answered_at = ?2, refusal = ?3 WHERE id = ?1",
                params![id, now, refusal],
            )?;
            Ok(())
        })
    }

    /// What came of a request.
    pub fn reload_answer(&self, id: i64) -> Result<Answer, Error> {
        let sql = "SELECT answered_at IS NOT NULL, refusal FROM reloads WHERE id = ?1";
        let row: Option<(bool, Option<String>)> = self
            .connection
            .prepare_cached(sql)?
            .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        match row {
            None => Err(Error::NotFound { what: "reload request", id: id.to_string() }),
            Some((false, _)) => Ok(Answer::Pending),
            Some((true, None)) => Ok(Answer::TakenUp),
            Some((true, Some(refusal))) => Ok(Answer::Refused(refusal)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Options;

    #[test]
    fn an_answer_reaches_those_who_asked_before_the_configuration_was_read() {
        let folder = tempfile::tempdir().unwrap();
        let mut db = Database::open(&Options::new(folder.path().join("newsfold.db"))).unwrap();
        assert_eq!(db.last_reload_request().unwrap(), 0);
        let first = db.request_reload(Timestamp::MIN).unwrap();
        let read_at = db.last_reload_request().unwrap();
        let second = db.request_reload(Timestamp::MIN).unwrap();
        db.answer_reloads(read_at, None, Timestamp::MIN).unwrap();
        assert_eq!(db.reload_answer(first).unwrap(), Answer::TakenUp);
        assert_eq!(db.reload_answer(second).unwrap(), Answer::Pending);
        let last = db.last_reload_request().unwrap();
        db.answer_reloads(last, Some("line 3"), Timestamp::MIN).unwrap();
        assert_eq!(db.reload_answer(second).unwrap(), Answer::Refused("line 3".to_owned()));
        assert_eq!(db.reload_answer(first).unwrap(), Answer::TakenUp, "an answer stands");
    }

    #[test]
    fn old_requests_go() {
        let folder = tempfile::tempdir().unwrap();
        let mut db = Database::open(&Options::new(folder.path().join("newsfold.db"))).unwrap();
        let first = db.request_reload(Timestamp::MIN).unwrap();
        for _ in 0..KEPT {
            db.request_reload(Timestamp::MIN).unwrap();
        }
        assert!(db.reload_answer(first).is_ok());
        db.request_reload(Timestamp::MIN).unwrap();
        assert!(db.reload_answer(first).is_err());
    }
}
