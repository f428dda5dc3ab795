//! `newsfold check`: reads the configuration and prints every error in it.
//!
//! What is not in the configuration itself is a warning: files that it names and that are not there, and what only the
//! database knows, two feeds that have turned out to be one by a redirect.

use serde::Serialize;

use super::{Exit, Global, load, open_for_reading, output, summary::counted};
use crate::{
    config::{self, Config, Password},
    store::read::FeedFilter,
};

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Checked {
    configuration: String,
    feeds: usize,
    disabled: usize,
    /// Each as `file:line:column: message`.
    errors: Vec<String>,
    warnings: Vec<String>,
}

pub(super) fn check(global: &Global) -> anyhow::Result<Exit> {
    if global.json {
        return check_for_programs(global);
    }
    let config = load(global)?;
    let checked = checked(global, &config);
    for warning in &checked.warnings {
        output::complain(&format!("warning: {}", output::printable(warning)));
    }
    let feeds = counted(u32::try_from(checked.feeds).unwrap_or(u32::MAX), "feed", "feeds");
    output::line(&match checked.disabled {
        0 => format!("{}: fine, {feeds}", checked.configuration),
        off => format!("{}: fine, {feeds}, {off} of them disabled", checked.configuration),
    })?;
    Ok(Exit::Fine)
}

fn check_for_programs(global: &Global) -> anyhow::Result<Exit> {
    let (checked, exit) = match config::load(global.path()) {
        Ok(config) => (checked(global, &config), Exit::Fine),
        Err(error) => {
            let configuration = global.path().display().to_string();
            let errors = error.lines();
            let (feeds, disabled, warnings) = (0, 0, Vec::new());
            (Checked { configuration, feeds, disabled, errors, warnings }, Exit::BadConfiguration)
        }
    };
    output::value(true, &checked, |_| String::new())?;
    Ok(exit)
}

fn checked(global: &Global, config: &Config) -> Checked {
    Checked {
        configuration: global.path().display().to_string(),
        feeds: config.feeds.len(),
        disabled: config.feeds.iter().filter(|feed| !feed.enabled).count(),
        errors: Vec::new(),
        warnings: missing_files(config).chain(same_feeds(config)).collect(),
    }
}

/// Files that feeds need and that cannot be found: passwords, and feeds on disk.
fn missing_files(config: &Config) -> impl Iterator<Item = String> {
    let enabled = config.feeds.iter().filter(|feed| feed.enabled);
    enabled.flat_map(|feed| {
        let password = match &feed.password {
            Some(Password::File(path)) => Some(path.clone()),
            _ => None,
        };
        let needed = [("its password_file", password), ("it", feed.url.file_path())];
        needed.into_iter().filter_map(|(what, path)| {
            let path = path?;
            let error = path.metadata().err()?;
            Some(format!(
                "feed {} will fail, {what} cannot be read: {}: {error}",
                feed.url,
                path.display()
            ))
        })
    })
}

/// Feeds that are not polled because an earlier one has the same address by now. Without a database there are none.
fn same_feeds(config: &Config) -> Vec<String> {
    let feeds = open_for_reading(config)
        .and_then(|db| Ok(db.feed_health(FeedFilter::Configured)?))
        .unwrap_or_default();
    let same = feeds.iter().filter(|feed| feed.state == "same_feed");
    same.map(|feed| {
        let earlier = feeds.iter().find(|it| it.url == feed.url && it.id != feed.id);
        let earlier = earlier.map_or("an earlier one", |it| it.feed.as_str());
        format!(
            "feed {} is not polled: {} leads to the same address, {}",
            feed.feed, earlier, feed.url
        )
    })
    .collect()
}
