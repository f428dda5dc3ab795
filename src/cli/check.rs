//! `newsfold check`: reads the configuration and prints every error in it.
//!
//! What only the database knows is a warning: two feeds that have turned out to be one, by a redirect.

use super::{Exit, Global, load, open_for_reading, output, summary::counted};
use crate::{config::Config, store::read::FeedFilter};

pub(super) fn check(global: &Global) -> anyhow::Result<Exit> {
    let config = load(global)?;
    let count = u32::try_from(config.feeds.len()).unwrap_or(u32::MAX);
    let off = config.feeds.iter().filter(|feed| !feed.enabled).count();
    let path = global.path().display();
    for warning in same_feeds(&config) {
        output::complain(&format!("warning: {warning}"));
    }
    output::line(&match off {
        0 => format!("{path}: fine, {}", counted(count, "feed", "feeds")),
        _ => format!("{path}: fine, {}, {off} of them disabled", counted(count, "feed", "feeds")),
    })?;
    Ok(Exit::Fine)
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
            output::printable(&feed.feed),
            output::printable(earlier),
            feed.url
        )
    })
    .collect()
}
