//! The database file: the only SQL of the program.
//!
//! The rest of the program talks to it in verbs: claim the feeds that are due, look up what is known of an
//! entry, store an article, list what changed. [`Database`] is synchronous and owns one connection; the
//! verbs that write are meant for the writer's transactions, those in [`read`] serve any connection.
//!
//! Promises: everything committed survives a power cut (`synchronous = FULL`), a file of another program or
//! of a newer version is never touched, and a damaged file is reported, never replaced.

mod columns;

mod migrate;

pub mod feeds;

pub mod claims;

pub mod polls;

pub mod entries;

pub mod articles;

pub mod fingerprints;

pub mod furniture;

pub mod retention;

pub mod reloads;

pub mod read;

mod owed;

mod upkeep;

use std::{
    fs, io,
    os::unix::fs::{MetadataExt, OpenOptionsExt, fchown},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rusqlite::{Connection, ErrorCode, OpenFlags, config::DbConfig, ffi};
use rustix::{
    fs::{Access, access},
    io::Errno,
    process::geteuid,
};

use owed::Owed;

pub use migrate::{APPLICATION_ID, SCHEMA_VERSION};
pub use upkeep::move_aside;

/// Why the database could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be opened or created.
    #[error("cannot open database {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// The file, or one of those beside it, is somebody else's.
    #[error(
        "cannot write {}: it belongs to user {owner}, and this process runs as user {user}; \
         run as that user, or give it back: chown --reference={} {}*",
        path.display(),
        folder(database).display(),
        database.display()
    )]
    NotOurs {
        /// What may not be written.
        path: PathBuf,
        /// The database.
        database: PathBuf,
        /// Its owner.
        owner: u32,
        /// Who wants to write it.
        user: u32,
    },
    /// The file is no newsfold database.
    #[error("{} is not a newsfold database", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The file was written by a newer newsfold.
    #[error("database {} has schema {found}, this newsfold knows up to {known}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest schema that this program knows.
        known: i64,
    },
    /// The file has an older schema and was opened for reading only.
    #[error(
        "database {} has schema {found} and must be upgraded to {known} first: start newsfold run or once",
        path.display()
    )]
    Older {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The schema that this program reads.
        known: i64,
    },
    /// A step of the upgrade failed; nothing of it was done.
    #[error("cannot upgrade database {} to schema {version}", path.display())]
    Upgrade {
        /// The file.
        path: PathBuf,
        /// The schema that was being made.
        version: i64,
        /// Why.
        source: rusqlite::Error,
    },
    /// The file is damaged.
    #[error(
        "database {} is damaged: keep the file, put a backup in its place, or move it aside to start anew",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        source: rusqlite::Error,
    },
    /// `quick_check` found damage.
    #[error("database {} is damaged: {finding}", path.display())]
    CheckFailed {
        /// The file.
        path: PathBuf,
        /// SQLite's first finding.
        finding: String,
    },
    /// Another file stands where the open one was, or none: what is written now would be lost.
    #[error("database {} was removed or replaced while it was open", path.display())]
    Replaced {
        /// The file.
        path: PathBuf,
    },
    /// A file operation beside the database failed.
    #[error("cannot {operation} {}", path.display())]
    File {
        /// What was tried.
        operation: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no row of that id.
    #[error("there is no {what} {id}")]
    NotFound {
        /// `feed`, `article`, `copy`.
        what: &'static str,
        /// As it was asked for.
        id: String,
    },
    /// A statement came upon a damaged page.
    #[error(
        "the database is damaged: keep the file, put a backup in its place, or move it aside to start anew"
    )]
    Malformed(#[source] rusqlite::Error),
    /// A statement failed.
    #[error("database operation failed")]
    Sqlite(#[source] rusqlite::Error),
}

impl From<rusqlite::Error> for Error {
    fn from(source: rusqlite::Error) -> Self {
        match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Malformed(source),
            _ => Self::Sqlite(source),
        }
    }
}

impl Error {
    /// Whether another connection held the lock for longer than the busy timeout: worth another try.
    pub fn is_busy(&self) -> bool {
        self.code().is_some_and(is_lock)
    }

    /// Whether the disk is full or failing: nothing was done, and another try succeeds once somebody has mended it.
    pub fn is_disk(&self) -> bool {
        match self.code() {
            Some(ErrorCode::DiskFull) => true,
            // What cannot be read will not be readable when there is room.
            Some(ErrorCode::SystemIoFailure) => !matches!(
                self.extended_code(),
                Some(ffi::SQLITE_IOERR_READ | ffi::SQLITE_IOERR_SHORT_READ)
            ),
            _ => false,
        }
    }

    /// Whether the rows themselves were refused (a CHECK, a size limit), so that another try cannot help.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self.code(),
            Some(ErrorCode::ConstraintViolation | ErrorCode::TooBig | ErrorCode::TypeMismatch)
        )
    }

    fn code(&self) -> Option<ErrorCode> {
        self.cause()?.sqlite_error_code()
    }

    fn extended_code(&self) -> Option<i32> {
        Some(self.cause()?.sqlite_error()?.extended_code)
    }

    fn cause(&self) -> Option<&rusqlite::Error> {
        match self {
            Self::Open { source, .. }
            | Self::Upgrade { source, .. }
            | Self::Damaged { source, .. } => Some(source),
            Self::Sqlite(source) | Self::Malformed(source) => Some(source),
            _ => None,
        }
    }
}

fn is_lock(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
}

/// How the database is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// The file; created with its tables where there is none.
    pub path: PathBuf,
    /// How long to wait for another connection's lock.
    pub busy_timeout: Duration,
    /// Page cache in KiB. The default holds the upper levels of every index of a million articles.
    pub cache_kib: u32,
}

impl Options {
    /// The defaults, for one file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), busy_timeout: Duration::from_secs(5), cache_kib: 8_192 }
    }
}

/// One open connection to the database file.
#[derive(Debug)]
pub struct Database {
    pub(super) connection: Connection,
    path: PathBuf,
    identity: (u64, u64),
    /// What the open transaction owes before it commits.
    owed: Owed,
}

impl Database {
    /// Opens the file for writing, creates or upgrades its tables where needed.
    pub fn open(options: &Options) -> Result<Self, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        make_folder(&options.path);
        make_file(&options.path)?;
        check_writable(&options.path)?;
        let mut connection = connect(&options.path, flags, options)?;
        let found = migrate::recognise(&connection, &options.path)?;
        set_up_for_writing(&connection, options)
            .map_err(|source| opening_failed(&options.path, source))?;
        if found < SCHEMA_VERSION {
            migrate::upgrade(&mut connection, &options.path)?;
        }
        let identity = file_identity(&options.path)?;
        Ok(Self { connection, path: options.path.clone(), identity, owed: Owed::default() })
    }

    /// Opens an existing file for reading: beside a running daemon, without its rights, without its lock.
    pub fn open_for_reading(options: &Options) -> Result<Self, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = connect(&options.path, flags, options)?;
        let found = migrate::recognise(&connection, &options.path)?;
        if found < SCHEMA_VERSION {
            let path = options.path.clone();
            return Err(Error::Older { path, found, known: SCHEMA_VERSION });
        }
        let identity = file_identity(&options.path)?;
        Ok(Self { connection, path: options.path.clone(), identity, owed: Owed::default() })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Fails if the path no longer names the open file: a daemon whose file was deleted under it would go on
    /// acknowledging what nobody can ever read.
    pub fn check_file(&self) -> Result<(), Error> {
        match file_identity(&self.path) {
            Ok(identity) if identity == self.identity => Ok(()),
            _ => Err(Error::Replaced { path: self.path.clone() }),
        }
    }

    /// A number that changes when *another* connection has committed: what was read before may be old then.
    pub(crate) fn foreign_commits(&self) -> Result<i64, Error> {
        let mut statement = self.connection.prepare_cached("PRAGMA data_version")?;
        Ok(statement.query_row([], |row| row.get(0))?)
    }

    /// Begins a write transaction, waiting for the lock at once rather than at its first write.
    pub(crate) fn begin(&self) -> Result<(), Error> {
        self.execute("BEGIN IMMEDIATE")
    }

    /// Pays what is owed and commits it.
    pub(crate) fn commit(&self) -> Result<(), Error> {
        self.pay_owed()?;
        self.execute("COMMIT")
    }

    /// Undoes it; harmless where SQLite has already done so.
    pub(crate) fn rollback(&self) -> Result<(), Error> {
        self.owed.forget();
        if self.connection.is_autocommit() { Ok(()) } else { self.execute("ROLLBACK") }
    }

    /// Runs `work` in a write transaction of its own: all of it or none.
    pub(crate) fn transaction<T, E: From<Error>>(
        &mut self,
        work: impl FnOnce(&Self) -> Result<T, E>,
    ) -> Result<T, E> {
        self.begin()?;
        let done = work(self).and_then(|value| self.commit().map(|()| value).map_err(E::from));
        if done.is_err() {
            self.rollback()?;
        }
        done
    }

    fn execute(&self, sql: &str) -> Result<(), Error> {
        self.connection.prepare_cached(sql)?.execute([])?;
        Ok(())
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that opens connections")]
fn connect(path: &Path, flags: OpenFlags, options: &Options) -> Result<Connection, Error> {
    let set_up = || {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(options.busy_timeout)?;
        connection.set_prepared_statement_cache_capacity(128);
        connection.pragma_update(None, "cache_size", -i64::from(options.cache_kib))?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
        // The bundled SQLite knows STAT4, and with it a statement is prepared anew whenever a bound value changes:
        // that took half of the time of every write. We never ANALYZE, so the plans are the same.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        Ok(connection)
    };
    set_up().map_err(|source| opening_failed(path, source))
}

fn set_up_for_writing(connection: &Connection, options: &Options) -> rusqlite::Result<()> {
    // An article of usual length fills most of a page of 4 kB; with 8 kB and a checkpoint each 16 MB a poll with
    // one new article took a fifth less. Only a new file takes up the size of its pages.
    connection.pragma_update(None, "page_size", 8_192)?;
    switch_to_wal(connection, options.busy_timeout)?;
    connection.pragma_update(None, "wal_autocheckpoint", 2_000)?;
    // NORMAL lost acknowledged commits in a power cut, FULL none (docs/decisions/0002-one-writer.md).
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "temp_store", "memory")?;
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    keep_wal(connection)?;
    connection.busy_timeout(options.busy_timeout)
}

/// Where two processes make one new file a WAL database at once, SQLite tells one of them that the file is locked without
/// waiting: both hold a read lock that they want to turn into more.
fn switch_to_wal(connection: &Connection, patience: Duration) -> rusqlite::Result<()> {
    let until = Instant::now() + patience;
    loop {
        match connection.pragma_update(None, "journal_mode", "wal") {
            Err(error)
                if error.sqlite_error_code().is_some_and(is_lock) && Instant::now() < until =>
            {
                std::thread::sleep(Duration::from_millis(5));
            }
            done => return done,
        }
    }
}

/// Leaves the write-ahead log in place after a clean stop: a reader without write permission cannot create
/// it, and without it cannot open the file.
fn keep_wal(connection: &Connection) -> rusqlite::Result<()> {
    let mut persist = 1;
    connection
        .file_control(rusqlite::MAIN_DB.into(), rusqlite::FileControl::PersistWal(&mut persist))
}

fn opening_failed(path: &Path, source: rusqlite::Error) -> Error {
    let path = path.to_owned();
    match source.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => Error::Foreign { path },
        Some(ErrorCode::DatabaseCorrupt) => Error::Damaged { path, source },
        _ => Error::Open { path, source },
    }
}

/// Makes the folder of a new database, but none above it: a path with a slip in it shall fail, not grow a tree. What goes
/// wrong here goes wrong again when the file is opened, and is told then.
fn make_folder(path: &Path) {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        let _ = fs::create_dir(folder);
    }
}

fn folder(database: &Path) -> &Path {
    match database.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Root, who runs `once` by hand, makes the file for whom the folder belongs to: the service could not write it else.
/// SQLite gives what it puts beside the file to the file's owner.
fn make_file(database: &Path) -> Result<(), Error> {
    let Ok(folder) = fs::metadata(folder(database)) else { return Ok(()) };
    if !geteuid().is_root() || folder.uid() == 0 {
        return Ok(());
    }
    let made = fs::OpenOptions::new().write(true).create_new(true).mode(0o640).open(database);
    let done = made.and_then(|file| fchown(&file, Some(folder.uid()), Some(folder.gid())));
    match done {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(Error::File { operation: "create", path: database.to_owned(), source: error })
        }
        _ => Ok(()),
    }
}

/// What may not be written would be opened for reading, and fail at the first poll with nobody's name.
fn check_writable(database: &Path) -> Result<(), Error> {
    let beside = ["", "-wal", "-shm"].map(|suffix| {
        let mut name = database.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    });
    for path in beside {
        let Ok(metadata) = fs::metadata(&path) else { continue };
        if access(&path, Access::WRITE_OK) == Err(Errno::ACCESS) {
            let (owner, user) = (metadata.uid(), geteuid().as_raw());
            return Err(Error::NotOurs { path, database: database.to_owned(), owner, user });
        }
    }
    Ok(())
}

fn file_identity(path: &Path) -> Result<(u64, u64), Error> {
    let metadata = fs::metadata(path).map_err(|source| Error::File {
        operation: "look at",
        path: path.to_owned(),
        source,
    })?;
    Ok((metadata.dev(), metadata.ino()))
}
