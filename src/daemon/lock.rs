//! One daemon at a time: a lock on `<database>.lock`, never on the database itself.
//!
//! The file holds the process id of its holder, for people and for `newsfold reload`. The system lets go of the lock
//! when the process ends, however it ends; the file stays.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read, Seek, Write},
    path::{Path, PathBuf},
};

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
        source: std::io::Error,
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
        match file.try_lock() {
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
        drop(first);
        Lock::take(&database).unwrap();
    }
}
