//! One daemon at a time: a lock on `<database>.lock`, never on the database itself.
//!
//! The file holds the process id of its holder, for people and for `newsfold reload`. The system lets go of the lock
//! when the process ends, however it ends; the file stays.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

/// Whoever asks for the holder has the lock himself for a moment: a daemon that starts right then tries again.
const TRIES: u32 = 5;
const BETWEEN_TRIES: Duration = Duration::from_millis(20);

/// Another daemon works on this database.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AlreadyRunning {
    /// It holds the lock.
    #[error("another newsfold (process {pid}) works on this database: it holds {}", path.display())]
    Held {
        /// Its process id, as it wrote it down.
        pid: String,
        /// The lock.
        path: PathBuf,
    },
    /// The lock could not be opened.
    #[error("cannot lock {}", path.display())]
    Io {
        /// The lock.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The lock, held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Where the lock of a database lies.
    pub fn path(database: &Path) -> PathBuf {
        let mut path = database.as_os_str().to_owned();
        path.push(".lock");
        path.into()
    }

    /// Takes the lock of a database.
    ///
    /// # Errors
    ///
    /// Somebody else holds it, or the file cannot be opened.
    pub fn take(database: &Path) -> Result<Self, AlreadyRunning> {
        let path = Self::path(database);
        let io = |source| AlreadyRunning::Io { path: path.clone(), source };
        let options =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = options.map_err(io)?;
        let mut tries = TRIES;
        let locked = loop {
            match file.try_lock() {
                Err(TryLockError::WouldBlock) if tries > 1 => tries -= 1,
                locked => break locked,
            }
            thread::sleep(BETWEEN_TRIES);
        };
        match locked {
            Ok(()) => {}
            Err(TryLockError::Error(source)) => return Err(io(source)),
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                file.read_to_string(&mut pid).map_err(io)?;
                return Err(AlreadyRunning::Held { pid: pid.trim().to_owned(), path });
            }
        }
        let write = |file: &mut File| {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", std::process::id())
        };
        write(&mut file).map_err(io)?;
        Ok(Self { _file: file })
    }

    /// The process that holds the lock of a database; `None` if nobody does.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or holds no process id.
    pub fn holder(database: &Path) -> Result<Option<i32>, AlreadyRunning> {
        let path = Self::path(database);
        let io = |source| AlreadyRunning::Io { path: path.clone(), source };
        let mut file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(io)?,
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(TryLockError::Error(source)) => Err(io(source)),
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                file.read_to_string(&mut pid).map_err(io)?;
                pid.trim().parse().map(Some).map_err(|error| io(io::Error::other(error)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_is_told_who_the_first_one_is() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("newsfold.db");
        let first = Lock::take(&database).unwrap();
        let refused = Lock::take(&database).unwrap_err().to_string();
        assert!(refused.contains(&std::process::id().to_string()), "{refused}");
        assert_eq!(Lock::holder(&database).unwrap(), i32::try_from(std::process::id()).ok());
        drop(first);
        assert_eq!(Lock::holder(&database).unwrap(), None);
        Lock::take(&database).unwrap();
    }
}
