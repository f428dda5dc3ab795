//! `newsfold check`: reads the configuration and prints every error in it.

use super::{Exit, Global, load, output, summary::counted};

pub(super) fn check(global: &Global) -> anyhow::Result<Exit> {
    let config = match load(global) {
        Ok(config) => config,
        Err(exit) => return Ok(exit),
    };
    let off = config.feeds.iter().filter(|feed| !feed.enabled).count();
    let summary = format!(
        "{}: fine, {}, {off} of them disabled",
        global.path().display(),
        counted(config.feeds.len() as u32, "feed", "feeds")
    );
    output::line(&summary)?;
    Ok(Exit::Fine)
}
