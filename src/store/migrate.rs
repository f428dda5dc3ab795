//! The schema's versions: numbered SQL files, one transaction a step, never edited after a release.
//!
//! `application_id` says that a file is ours, `user_version` which step it has reached. A file of another
//! program or of a newer newsfold is refused before anything is written to it.

use std::path::Path;

use rusqlite::Connection;

use super::{Error, opening_failed};

/// What `PRAGMA application_id` holds: `nwsf`.
pub const APPLICATION_ID: i64 = 0x6e77_7366;

/// Each step leads from the version before it to its own number, the first from an empty file.
const STEPS: &[&str] = &[include_str!("migrations/0001-initial.sql")];

/// The newest schema: what `PRAGMA user_version` holds in a database that is up to date.
pub const SCHEMA_VERSION: i64 = STEPS.len() as i64;

/// The schema version of the file; 0 for an empty one.
pub(super) fn recognise(connection: &Connection, path: &Path) -> Result<i64, Error> {
    let read = || -> rusqlite::Result<(i64, i64, i64)> {
        // At one moment: another process may be making the database.
        let moment = connection.unchecked_transaction()?;
        let pragma = |name: &str| moment.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let tables =
            moment.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        Ok((pragma("application_id")?, pragma("user_version")?, tables))
    };
    let (application_id, version, tables) =
        read().map_err(|source| opening_failed(path, source))?;
    if application_id == 0 && version == 0 && tables == 0 {
        return Ok(0);
    }
    if application_id != APPLICATION_ID {
        return Err(Error::Foreign { path: path.to_owned() });
    }
    if version > SCHEMA_VERSION {
        return Err(Error::Newer { path: path.to_owned(), found: version, known: SCHEMA_VERSION });
    }
    Ok(version)
}

/// Takes every step that is missing. Two processes may start together: each step looks again under the lock.
pub(super) fn upgrade(connection: &mut Connection, path: &Path) -> Result<(), Error> {
    for (version, sql) in (1..).zip(STEPS) {
        step(connection, version, sql).map_err(|source| Error::Upgrade {
            path: path.to_owned(),
            version,
            source,
        })?;
    }
    Ok(())
}

fn step(connection: &mut Connection, version: i64, sql: &str) -> rusqlite::Result<()> {
    let transaction =
        connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let reached: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if reached < version {
        transaction.execute_batch(sql)?;
    }
    transaction.commit()
}
