//! `newsfold feeds`: each feed with its health, why its next poll is when it is, and starting afresh with one.

use std::fmt::Write;

use super::{
    Exit, FeedsArguments, FeedsCommand, Global, load, now, open_for_reading, open_for_writing,
    output,
    table::{Column, Table},
    words::relative,
};
use crate::{
    model::Timestamp,
    schedule::in_words,
    store::read::{FeedDetails, FeedFilter, FeedHealth, PastPoll},
};

pub(super) fn feeds(global: &Global, arguments: &FeedsArguments) -> anyhow::Result<Exit> {
    let config = load(global)?;
    match &arguments.command {
        None => {
            let filter = match (arguments.failing, arguments.due) {
                (true, _) => FeedFilter::Failing,
                (_, true) => FeedFilter::Due,
                _ => FeedFilter::Configured,
            };
            let feeds = open_for_reading(&config)?.feed_health(filter)?;
            output::rows(global.json, &feeds, |feeds| listed(feeds, now(), output::width()))?;
        }
        Some(FeedsCommand::Explain { feed }) => {
            let db = open_for_reading(&config)?;
            let details = db.feed_details(db.find_feed(feed)?)?;
            output::value(global.json, &details, |it| explained(it, now(), output::width()))?;
        }
        Some(FeedsCommand::Reset { feed }) => {
            let mut db = open_for_writing(&config)?;
            let id = db.find_feed(feed)?;
            let held = db.reset_feed(id, now())?.map(|until| {
                format!(", not before {until}: its server's order (Retry-After) still holds")
            });
            let held = held.unwrap_or_default();
            output::complain(&format!("feed {id} is asked afresh at its next poll{held}"));
        }
    }
    Ok(Exit::Fine)
}

fn listed(feeds: &[FeedHealth], now: Timestamp, width: Option<usize>) -> String {
    let mut table = Table::new(&[
        ("id", Column::Right),
        ("feed", Column::Text),
        ("state", Column::Left),
        ("last success", Column::Left),
        ("next poll", Column::Left),
        ("error", Column::Text),
    ]);
    for feed in feeds {
        let error = match (&feed.error_kind, &feed.error) {
            (Some(kind), Some(error)) => format!("{kind}: {error}"),
            (Some(kind), None) => kind.clone(),
            _ => String::new(),
        };
        let state = match feed.failures {
            0 | 1 => feed.state.clone(),
            failures => format!("{} ({failures})", feed.state),
        };
        table.row([
            feed.id.to_string(),
            feed.feed.clone(),
            state,
            relative(feed.last_success_at, now),
            next_poll(feed, feed.next_poll_at, now),
            error,
        ]);
    }
    table.render(width)
}

fn next_poll(feed: &FeedHealth, at: Timestamp, now: Timestamp) -> String {
    match feed.state.as_str() {
        "removed" | "disabled" | "gone" | "same_feed" => "never".to_owned(),
        _ if at <= now => "due".to_owned(),
        _ => relative(Some(at), now),
    }
}

fn explained(feed: &FeedDetails, now: Timestamp, width: Option<usize>) -> String {
    let health = &feed.health;
    let mut text =
        format!("{}  {}\n{}\n\n", health.id, output::printable(&health.feed), health.url);
    for (what, says) in facts(feed, now) {
        let _ = writeln!(text, "{what:16}{}", output::printable(&says));
    }
    // An order that another feed of the host was given holds this one too, whenever its own time comes.
    let orders = feed.retry_after_until.max(feed.host_retry_after_until);
    let (at, reason) = match orders {
        Some(until) if until > health.next_poll_at.max(now) => (until, "retry_after"),
        _ => (health.next_poll_at, health.next_poll_reason.as_str()),
    };
    let next = next_poll(health, at, now);
    let _ = writeln!(text, "\nnext poll       {next} ({at}), set by {reason}");
    text.push_str(&rules(feed, now, width));
    if !feed.polls.is_empty() {
        text.push('\n');
        text.push_str(&past_polls(&feed.polls, width));
    }
    text
}

fn facts(feed: &FeedDetails, now: Timestamp) -> Vec<(&'static str, String)> {
    let health = &feed.health;
    let instant =
        |at: Option<Timestamp>| at.map(|at| format!("{} ({at})", relative(Some(at), now)));
    let failing = (health.failures > 0).then(|| {
        let kind = health.error_kind.as_deref().unwrap_or("unknown");
        match health.failures {
            1 => format!("once: {kind}"),
            times => format!("{times} times in a row: {kind}"),
        }
    });
    let facts = [
        ("state", Some(health.state.clone())),
        ("last poll", instant(health.last_poll_at)),
        ("last success", instant(health.last_success_at)),
        ("last new entry", instant(health.last_new_at)),
        ("usual gap", feed.usual_gap_s.map(|gap| in_words(i64::from(gap)))),
        ("failing", failing),
        ("error", health.error.clone()),
        ("Retry-After", instant(feed.retry_after_until)),
        ("host holds", instant(feed.host_retry_after_until)),
        ("gone", instant(feed.gone_at)),
        ("moved to", health.moved_to.clone()),
        ("same as feed", feed.same_as.map(|id| id.to_string())),
        ("format", feed.format.clone()),
        ("ETag", feed.etag.clone()),
        ("Last-Modified", feed.last_modified.clone()),
        ("guids", (health.guids != "trusted").then(|| health.guids.clone())),
        ("polled now by", feed.claimed_by.clone()),
    ];
    facts.into_iter().filter_map(|(what, says)| Some((what, says?))).collect()
}

/// What each rule of the schedule asked for; the latest one decides.
fn rules(feed: &FeedDetails, now: Timestamp, width: Option<usize>) -> String {
    let mut table = Table::new(&[
        ("  rule", Column::Left),
        ("not before", Column::Left),
        ("why", Column::Text),
    ]);
    let rules = feed.next_poll_rules.as_array().map(Vec::as_slice).unwrap_or_default();
    for rule in rules {
        let text = |key: &str| rule[key].as_str().unwrap_or_default().to_owned();
        let asks = text("asks").parse().ok();
        table.row([format!("  {}", text("name")), relative(asks, now), text("note")]);
    }
    if rules.is_empty() { String::new() } else { table.render(width) }
}

fn past_polls(polls: &[PastPoll], width: Option<usize>) -> String {
    let mut table = Table::new(&[
        ("polled at", Column::Left),
        ("ms", Column::Right),
        ("status", Column::Right),
        ("outcome", Column::Left),
        ("entries", Column::Right),
        ("new", Column::Right),
        ("revised", Column::Right),
        ("copies", Column::Right),
        ("error", Column::Text),
    ]);
    for poll in polls {
        table.row([
            poll.started_at.to_string(),
            poll.duration_ms.to_string(),
            poll.http_status.map_or_else(String::new, |status| status.to_string()),
            poll.outcome.clone(),
            poll.entries.to_string(),
            poll.new.to_string(),
            poll.revised.to_string(),
            poll.duplicates.to_string(),
            poll.error_kind.clone().unwrap_or_default(),
        ]);
    }
    table.render(width)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::FeedId;

    fn instant(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn health(id: i64, feed: &str) -> FeedHealth {
        FeedHealth {
            id: FeedId(id),
            feed: feed.to_owned(),
            url: "https://a.example/feed".to_owned(),
            state: "ok".to_owned(),
            failures: 0,
            error_kind: None,
            error: None,
            last_poll_at: None,
            last_success_at: Some(instant("2026-11-24T10:00:00Z")),
            last_new_at: None,
            next_poll_at: instant("2026-11-24T12:20:00Z"),
            next_poll_reason: "rhythm".to_owned(),
            guids: "trusted".to_owned(),
            moved_to: None,
        }
    }

    #[test]
    fn feeds_are_listed_with_what_ails_them() {
        let now = instant("2026-11-24T12:00:00Z");
        let failing = FeedHealth {
            state: "failing".to_owned(),
            failures: 3,
            error_kind: Some("timeout".to_owned()),
            error: Some("no answer in 30s".to_owned()),
            next_poll_at: now,
            ..health(12, "港新聞")
        };
        assert_eq!(
            listed(&[health(7, "Gazette"), failing], now, None),
            "\
id  feed     state        last success  next poll  error
 7  Gazette  ok           2 h ago       in 20 min
12  港新聞   failing (3)  2 h ago       due        timeout: no answer in 30s
"
        );
    }

    #[test]
    fn the_next_poll_is_explained_by_its_rules() {
        let now = instant("2026-11-24T12:00:00Z");
        let details = FeedDetails {
            health: health(7, "Gazette"),
            site_url: None,
            format: Some("rss 2.0".to_owned()),
            usual_gap_s: Some(3_600),
            retry_after_until: None,
            host_retry_after_until: None,
            gone_at: None,
            moved_since: None,
            same_as: None,
            etag: Some("\"x\u{1b}\"".to_owned()),
            last_modified: None,
            claimed_by: None,
            next_poll_rules: json!([
                {"name": "rhythm", "asks": "2026-11-24T12:15:00Z", "note": "something new every 1 h"},
                {"name": "jitter", "asks": "2026-11-24T12:20:00Z", "note": "a tenth"},
            ]),
            polls: Vec::new(),
        };
        let text = explained(&details, now, None);
        for line in [
            "7  Gazette\nhttps://a.example/feed\n",
            "usual gap       1 h\n",
            "ETag            \"x\\u{1b}\"\n",
            "next poll       in 20 min (2026-11-24T12:20:00Z), set by rhythm\n",
            "  rhythm  in 15 min   something new every 1 h\n",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }
}
