//! The configuration's secrets, the folder of the database and the room on its disk.

use std::{
    fs::{self, Metadata},
    io,
    os::unix::fs::MetadataExt,
    path::Path,
};

use super::Finding;
use crate::config::{Config, Password};

/// Below this a database that grows by some megabytes a day is in danger.
const LITTLE_SPACE_BYTES: u64 = 1 << 30;
/// Below this SQLite may fail in the middle of today.
const NO_SPACE_BYTES: u64 = 64 << 20;

pub(super) fn look(config_path: &Path, config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(secrets_in_configuration(config_path, config));
    findings.extend(passwords(config));
    let folder = config.store.path.parent().unwrap_or(Path::new("/"));
    findings.extend(database_files(&config.store.path, folder));
    findings.push(space(folder));
    findings
}

/// Headers may carry keys: then the file is nobody else's business.
fn secrets_in_configuration(path: &Path, config: &Config) -> Option<Finding> {
    if config.feeds.iter().all(|feed| feed.headers.is_empty()) {
        return None;
    }
    let open_to_all =
        |path: &Path, bit: u32| fs::metadata(path).is_ok_and(|it| it.mode() & bit != 0);
    let folder = path.parent().unwrap_or(Path::new("/"));
    let shown = path.display();
    Some(if open_to_all(path, 0o004) && open_to_all(folder, 0o001) {
        Finding::warning(
            "secrets",
            format!("{shown} sets headers of feeds and every user may read it"),
            format!("chmod o-r {shown}"),
        )
    } else {
        Finding::ok("secrets", format!("{shown} sets headers of feeds and is not open to all"))
    })
}

fn passwords(config: &Config) -> Vec<Finding> {
    let named = config.feeds.iter().filter_map(|feed| Some((&feed.url, feed.password.as_ref()?)));
    named
        .filter_map(|(url, password)| match password {
            Password::File(path) => Some(password_file(path)),
            Password::Credential(name) => credential(name, url.as_str()),
        })
        .collect()
}

fn password_file(path: &Path) -> Finding {
    let shown = path.display();
    match fs::metadata(path) {
        Ok(metadata) if metadata.mode() & 0o004 != 0 => Finding::warning(
            "password",
            format!("every user may read {shown}"),
            format!("chown root:newsfold {shown} && chmod 640 {shown}"),
        ),
        Ok(_) => match fs::File::open(path) {
            Ok(_) => Finding::ok("password", format!("{shown} is there and not open to all")),
            Err(error) => unreadable(path, &error),
        },
        Err(error) => unreadable(path, &error),
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Finding {
    let shown = path.display();
    if error.kind() == io::ErrorKind::PermissionDenied {
        return Finding::skipped("password", format!("{shown} is not for this user to read"));
    }
    Finding::error(
        "password",
        format!("cannot read {shown}: {error}"),
        format!("write the password into {shown}, or correct password_file"),
    )
}

/// Only the service itself sees its credentials; what the unit hands over from its folder can be looked at by root.
fn credential(name: &str, url: &str) -> Option<Finding> {
    let file = Path::new("/etc/newsfold/credentials").join(name.strip_prefix("feed_")?);
    match fs::metadata(&file) {
        Ok(_) => Some(Finding::ok("password", format!("{} is there", file.display()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Some(Finding::error(
            "password",
            format!("{url} wants the credential {name}, and there is no {}", file.display()),
            "write the password into that file, owned by root with mode 600, then: systemctl restart newsfold",
        )),
        Err(_) => None,
    }
}

fn database_files(database: &Path, folder: &Path) -> Vec<Finding> {
    let shown = folder.display();
    let in_folder = match fs::metadata(folder) {
        Ok(metadata) => metadata,
        Err(error) => {
            return vec![Finding::error(
                "permissions",
                format!("cannot look at {shown}: {error}"),
                format!("install -d -o newsfold -g newsfold -m 2750 {shown}"),
            )];
        }
    };
    let mut findings = Vec::new();
    if in_folder.mode() & 0o002 != 0 {
        findings.push(Finding::error(
            "permissions",
            format!("every user may replace files in {shown}"),
            format!("chmod o-w {shown}"),
        ));
    }
    for suffix in ["", "-wal", "-shm"] {
        let mut file = database.as_os_str().to_owned();
        file.push(suffix);
        if let Ok(metadata) = fs::metadata(&file) {
            findings.extend(owned_alike(Path::new(&file), &metadata, &in_folder));
        }
    }
    if findings.is_empty() {
        findings
            .push(Finding::ok("permissions", format!("{shown} and the files in it are in order")));
    }
    findings
}

/// A file that root made, as by `sudo newsfold once`, stops the daemon from writing.
fn owned_alike(file: &Path, metadata: &Metadata, folder: &Metadata) -> Option<Finding> {
    let shown = file.display();
    if metadata.uid() != folder.uid() {
        return Some(Finding::error(
            "permissions",
            format!("{shown} belongs to user {}, its folder to {}", metadata.uid(), folder.uid()),
            format!("chown {}:{} {shown}", folder.uid(), folder.gid()),
        ));
    }
    (metadata.mode() & 0o002 != 0).then(|| {
        Finding::error(
            "permissions",
            format!("every user may write {shown}"),
            format!("chmod o-w {shown}"),
        )
    })
}

fn space(folder: &Path) -> Finding {
    let shown = folder.display();
    match rustix::fs::statvfs(folder) {
        Ok(disk) => judge_space(disk.f_bavail.saturating_mul(disk.f_frsize), &shown.to_string()),
        Err(error) => Finding::skipped("disk", format!("cannot look at {shown}: {error}")),
    }
}

fn judge_space(free: u64, folder: &str) -> Finding {
    let message = format!("{} MiB free in {folder}", free >> 20);
    let remedy = "make room, or shorten [store] keep";
    if free < NO_SPACE_BYTES {
        Finding::error("disk", message, remedy)
    } else if free < LITTLE_SPACE_BYTES {
        Finding::warning("disk", message, remedy)
    } else {
        Finding::ok("disk", message)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::{
        super::Level::{Error, Ok as Fine, Skipped, Warning},
        *,
    };

    #[test]
    fn room_on_the_disk() {
        for (free, level) in [(0, Error), (64 << 20, Warning), (1 << 30, Fine)] {
            assert_eq!(judge_space(free, "/x").level, level, "{free}");
        }
    }

    #[test]
    fn password_files() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        assert_eq!(password_file(&file).level, Error);
        fs::write(&file, "x").unwrap();
        for (mode, level) in [(0o644, Warning), (0o640, Fine)] {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(password_file(&file).level, level, "{mode:o}");
        }
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        assert_eq!(unreadable(&file, &denied).level, Skipped);
    }

    #[test]
    fn a_database_that_others_may_write_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("newsfold.db");
        fs::write(&database, "x").unwrap();
        for (mode, level) in [(0o640, Fine), (0o666, Error)] {
            fs::set_permissions(&database, fs::Permissions::from_mode(mode)).unwrap();
            let findings = database_files(&database, folder.path());
            assert_eq!(findings[0].level, level, "{findings:?}");
        }
        let nowhere = Path::new("/nonexistent/newsfold");
        assert_eq!(database_files(&nowhere.join("newsfold.db"), nowhere)[0].level, Error);
    }
}
