//! The database itself: whether it can be read, is sound, is written back, and agrees with the clock.

use super::Finding;
use crate::{
    config::Config,
    daemon::Lock,
    model::Timestamp,
    store::{Database, Error},
};

/// The log is cut at 64 MiB when it is written back; far beyond that something keeps it from being.
const LONG_WAL_BYTES: u64 = 256 << 20;
/// Rows of a machine whose clock is right may be this far ahead of ours.
const CLOCK_TOLERANCE_SECONDS: i64 = 300;
/// Nobody ran this program before it was written.
const FIRST_RELEASE: i64 = 1_767_225_600;

pub(super) fn look(config: &Config, now: Timestamp) -> Vec<Finding> {
    let path = &config.store.path;
    if !path.exists() {
        return vec![
            Finding::ok("database", format!("{} is not there yet", path.display())),
            clock(now, None),
        ];
    }
    let db = match Database::open_for_reading(&config.store_options()) {
        Ok(db) => db,
        Err(error) => return vec![unusable(&error), clock(now, None)],
    };
    vec![
        integrity(&db),
        references(&db),
        log_size(&db),
        clock(now, db.last_poll_at().ok().flatten()),
        daemon(config),
    ]
}

fn unusable(error: &Error) -> Finding {
    let remedy = match error {
        Error::Older { .. } => "start the daemon once: it upgrades the database",
        Error::Newer { .. } => "install the newer newsfold again",
        Error::Foreign { .. } => "correct [store] path",
        Error::Damaged { .. } | Error::Malformed(_) => RESTORE,
        _ => "run this as root, as newsfold, or as a member of the group newsfold",
    };
    Finding::error("database", crate::daemon::chain(error), remedy)
}

const RESTORE: &str = "stop the daemon, keep the file, put a backup in its place (docs/operating.md, Backup and restore)";

fn integrity(db: &Database) -> Finding {
    match db.quick_check() {
        Ok(()) => Finding::ok("integrity", "every page of the database is sound"),
        Err(error) => Finding::error("integrity", crate::daemon::chain(&error), RESTORE),
    }
}

fn references(db: &Database) -> Finding {
    match db.broken_references() {
        Ok(0) => Finding::ok("references", "no row refers to one that is not there"),
        Ok(rows) => Finding::error(
            "references",
            format!("{rows} rows refer to rows that are not there"),
            RESTORE,
        ),
        Err(error) => Finding::error("references", crate::daemon::chain(&error), RESTORE),
    }
}

fn log_size(db: &Database) -> Finding {
    let (bytes, wal_bytes) = db.sizes();
    let message = format!("database {} MiB, write-ahead log {} MiB", bytes >> 20, wal_bytes >> 20);
    if wal_bytes < LONG_WAL_BYTES {
        return Finding::ok("size", message);
    }
    Finding::warning(
        "size",
        message,
        "a program that reads keeps the log from being written back: end its transaction (lsof names it)",
    )
}

fn clock(now: Timestamp, last_poll_at: Option<Timestamp>) -> Finding {
    let remedy = "set the clock, and keep it right: timedatectl set-ntp true";
    if now.unix_seconds() < FIRST_RELEASE {
        return Finding::error("clock", format!("it is not {now}"), remedy);
    }
    match last_poll_at {
        Some(last) if last.seconds_since(now) > CLOCK_TOLERANCE_SECONDS => Finding::error(
            "clock",
            format!("it is {now} here, but the last poll was at {last}"),
            remedy,
        ),
        _ => Finding::ok("clock", format!("{now}, after everything in the database")),
    }
}

fn daemon(config: &Config) -> Finding {
    match Lock::holder(&config.store.path) {
        Ok(Some(pid)) => Finding::ok("daemon", format!("process {pid} works on the database")),
        Ok(None) => Finding::warning(
            "daemon",
            "no daemon works on the database",
            "systemctl start newsfold",
        ),
        Err(error) => Finding::skipped("daemon", crate::daemon::chain(&error)),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::Level::{Error, Ok as Fine},
        *,
    };

    #[test]
    fn clocks() {
        let now: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
        for (clock_says, last_poll_at, level) in [
            (now, None, Fine),
            (now, Some(now.plus_seconds(-60)), Fine),
            (now, Some(now.plus_seconds(60)), Fine),
            (now, Some(now.plus_seconds(3_600)), Error),
            (Timestamp::MIN, None, Error),
        ] {
            assert_eq!(
                clock(clock_says, last_poll_at).level,
                level,
                "{clock_says} {last_poll_at:?}"
            );
        }
    }
}
