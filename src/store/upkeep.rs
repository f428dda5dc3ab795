//! Care for the file itself: checking it, copying it while it is in use, moving a damaged one aside.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use rusqlite::{Connection, ErrorCode, OptionalExtension, backup::Backup};

use super::{Database, Error};
use crate::model::Timestamp;

impl Database {
    /// SQLite's `quick_check`: reads every page. Meant for a reading connection, so that nobody waits.
    pub fn quick_check(&self) -> Result<(), Error> {
        let finding: Result<String, _> =
            self.connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0));
        let path = self.path.clone();
        match finding {
            Ok(finding) if finding == "ok" => Ok(()),
            Ok(finding) => Err(Error::CheckFailed { path, finding }),
            Err(source) if source.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => {
                Err(Error::Damaged { path, source })
            }
            Err(source) => Err(source.into()),
        }
    }

    /// How many rows refer to rows that are not there.
    pub fn broken_references(&self) -> Result<i64, Error> {
        let sql = "SELECT count(*) FROM pragma_foreign_key_check";
        Ok(self.connection.query_row(sql, [], |row| row.get(0))?)
    }

    /// When the latest poll began that is on record.
    pub fn last_poll_at(&self) -> Result<Option<Timestamp>, Error> {
        let sql = "SELECT started_at FROM polls ORDER BY id DESC LIMIT 1";
        Ok(self.connection.query_row(sql, [], |row| row.get(0)).optional()?)
    }

    /// Copies the database as it stands to `target`, while others read and write. An existing file is never
    /// overwritten; `target` appears only once it is complete, and nobody may read it who may not read the database.
    pub fn back_up(&self, target: &Path) -> Result<(), Error> {
        let failed =
            |operation| move |source| Error::File { operation, path: target.to_owned(), source };
        if target.try_exists().map_err(failed("look at"))? {
            let taken = "there is a file of that name, and it is not overwritten";
            return Err(failed("write")(io::Error::new(io::ErrorKind::AlreadyExists, taken)));
        }
        let mode = fs::metadata(&self.path).map_err(failed("look at"))?.mode() & 0o666;
        let partial = with_suffix(target, ".partial");
        // Holds the lock by which a later one knows whether this one lives.
        let file = create_partial(&partial, mode).map_err(failed("write beside"))?;
        let copied = self.copy_pages(&partial).and_then(|()| {
            file.sync_all().map_err(failed("write"))?;
            fs::hard_link(&partial, target).map_err(failed("write"))
        });
        fs::remove_file(&partial).map_err(failed("tidy up beside"))?;
        copied
    }

    #[expect(clippy::disallowed_methods, reason = "the copy is a database file of its own")]
    fn copy_pages(&self, target: &Path) -> Result<(), Error> {
        let mut copy = Connection::open(target)?;
        // One step: in WAL mode it holds a read snapshot and keeps no writer waiting, while several steps
        // would start over after each commit of the daemon.
        Backup::new(&self.connection, &mut copy)?.step(-1)?;
        Ok(copy.pragma_update(None, "journal_mode", "delete")?)
    }

    /// Writes the log back into the file and cuts it, as a clean stop does. Readers may prevent it; the next
    /// start then does it.
    pub fn checkpoint(&self) -> Result<(), Error> {
        Ok(self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
    }

    /// Bytes of the file and of its log.
    pub fn sizes(&self) -> (u64, u64) {
        let bytes = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len());
        (bytes(&self.path), bytes(&with_suffix(&self.path, "-wal")))
    }
}

/// A new file at `path`, locked. One that a killed backup left there goes; one that is being written stays, and is an
/// error.
fn create_partial(path: &Path, mode: u32) -> io::Result<File> {
    let create = || OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    let file = match create() {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if !fs::symlink_metadata(path)?.is_file() {
                return Err(error);
            }
            let left_behind = File::open(path)?;
            lock_at(&left_behind, path)?;
            // A journal would be taken for the new file's.
            let _ = fs::remove_file(with_suffix(path, "-journal"));
            fs::remove_file(path)?;
            create()?
        }
        created => created?,
    };
    lock_at(&file, path)?;
    Ok(file)
}

/// Locks `file`, which must be the one that `path` still names.
fn lock_at(file: &File, path: &Path) -> io::Result<()> {
    file.try_lock()?;
    let (ours, there) = (file.metadata()?, fs::symlink_metadata(path)?);
    if (ours.dev(), ours.ino()) == (there.dev(), there.ino()) {
        Ok(())
    } else {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

/// Renames a damaged database and its log to `PATH.damaged-N`, so that a new one can be started. Only ever on
/// somebody's order: nothing is deleted.
pub fn move_aside(path: &Path) -> Result<PathBuf, Error> {
    let free =
        (1..).map(|n| with_suffix(path, &format!(".damaged-{n}"))).find(|name| !name.exists());
    let aside = free.unwrap_or_else(|| with_suffix(path, ".damaged"));
    for suffix in ["", "-wal", "-shm"] {
        let (from, to) = (with_suffix(path, suffix), with_suffix(&aside, suffix));
        match fs::rename(&from, to) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !suffix.is_empty() => {}
            Err(source) => return Err(Error::File { operation: "move aside", path: from, source }),
            Ok(()) => {}
        }
    }
    Ok(aside)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}
