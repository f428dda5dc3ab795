//! Feeds that have moved: when is a permanent redirect believed?
//!
//! Redirects are followed at once, every time. The address is changed for good only when every hop on the way there was
//! permanent, the target is a feed, and it has been so on three polls over 48 hours: a site under maintenance
//! or a captive portal says 301 too. From http to https on the same host it is believed at once.

use url::Url;

use crate::model::Timestamp;

/// Polls on which the move must have been seen.
const NEEDED_POLLS: u32 = 3;

/// A move that is being watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// Where to.
    pub to: String,
    /// When it was first seen.
    pub since: Timestamp,
    /// On how many polls in a row.
    pub polls: u32,
}

/// What to do about a move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// There is none, or it is over.
    Stay,
    /// Keep asking the old address, and remember this.
    Watch(Watched),
    /// From now on this is the feed's address.
    Adopt(String),
}

/// Looks at the redirects of a poll that ended in a feed (or in "not modified").
///
/// `hops` are status and URL of each answer that led on, `final_url` is where the chain ended.
pub fn decide<'a>(
    watched: Option<&Watched>,
    hops: impl IntoIterator<Item = (u16, &'a str)>,
    final_url: &'a str,
    adopt_after_seconds: u32,
    now: Timestamp,
) -> Decision {
    let hops: Vec<(u16, &str)> = hops.into_iter().collect();
    let Some(target) = permanent_target(&hops, final_url) else { return Decision::Stay };
    if adopt_after_seconds == 0 || is_upgrade(hops[0].1, target) {
        return Decision::Adopt(target.to_owned());
    }
    let seen = match watched.filter(|watched| watched.to == target) {
        Some(watched) => Watched { polls: watched.polls.saturating_add(1), ..watched.clone() },
        None => Watched { to: target.to_owned(), since: now, polls: 1 },
    };
    if seen.polls >= NEEDED_POLLS && now.seconds_since(seen.since) >= i64::from(adopt_after_seconds)
    {
        return Decision::Adopt(seen.to);
    }
    Decision::Watch(seen)
}

/// Where the permanent redirects at the beginning of the chain lead: a temporary one behind them is asked anew each
/// time, as it wishes.
fn permanent_target<'a>(hops: &[(u16, &'a str)], final_url: &'a str) -> Option<&'a str> {
    let permanent = hops.iter().take_while(|(status, _)| matches!(status, 301 | 308)).count();
    if permanent == 0 {
        return None;
    }
    Some(hops.get(permanent).map_or(final_url, |(_, url)| url))
}

/// From http to https on the same host, both on their usual ports: other ports may be somebody else's.
fn is_upgrade(from: &str, to: &str) -> bool {
    match (Url::parse(from), Url::parse(to)) {
        (Ok(from), Ok(to)) => {
            let schemes = (from.scheme(), from.port(), to.scheme(), to.port());
            schemes == ("http", None, "https", None) && from.host() == to.host()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO_DAYS: u32 = 48 * 3_600;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_unix_seconds(1_800_000_000 + hours * 3_600).unwrap()
    }

    fn target(hops: &[(u16, &'static str)]) -> Option<String> {
        permanent_target(hops, "http://end/").map(ToOwned::to_owned)
    }

    #[test]
    fn only_the_permanent_beginning_of_a_chain_counts() {
        assert_eq!(target(&[(301, "http://a/")]).as_deref(), Some("http://end/"));
        assert_eq!(
            target(&[(301, "http://a/"), (308, "http://b/")]).as_deref(),
            Some("http://end/")
        );
        assert_eq!(target(&[(301, "http://a/"), (302, "http://b/")]).as_deref(), Some("http://b/"));
        assert_eq!(target(&[(302, "http://a/"), (301, "http://b/")]), None);
        assert_eq!(target(&[(307, "http://a/")]), None);
        assert_eq!(target(&[]), None);
    }

    #[test]
    fn an_upgrade_keeps_host_and_usual_ports() {
        assert!(is_upgrade("http://a/feed", "https://a/rss"));
        assert!(!is_upgrade("http://a:8080/feed", "https://a:9443/feed"));
        assert!(!is_upgrade("http://a/feed", "https://www.a/feed"));
        assert!(!is_upgrade("https://a/feed", "https://a/rss"));
    }

    #[test]
    fn a_move_is_believed_after_three_polls_over_two_days() {
        let poll = |watched: Option<&Watched>, hours| {
            decide(watched, [(301, "http://a/")], "http://b/", TWO_DAYS, at(hours))
        };
        let Decision::Watch(first) = poll(None, 0) else { panic!("adopted at once") };
        let Decision::Watch(second) = poll(Some(&first), 60) else {
            panic!("adopted on the second poll")
        };
        assert_eq!(second.polls, 2);
        assert_eq!(poll(Some(&second), 61), Decision::Adopt("http://b/".into()));
        let Decision::Watch(early) = poll(Some(&second), 47) else {
            panic!("adopted before two days")
        };
        assert_eq!(poll(Some(&early), 48), Decision::Adopt("http://b/".into()));
    }

    #[test]
    fn another_target_starts_anew_and_none_ends_it() {
        let watched = Watched { to: "http://b/".into(), since: at(0), polls: 9 };
        let other = decide(Some(&watched), [(301, "http://a/")], "http://c/", TWO_DAYS, at(99));
        assert_eq!(
            other,
            Decision::Watch(Watched { to: "http://c/".into(), since: at(99), polls: 1 })
        );
        assert_eq!(decide(Some(&watched), [], "http://a/", TWO_DAYS, at(99)), Decision::Stay);
        assert_eq!(
            decide(Some(&watched), [(302, "http://a/")], "http://b/", TWO_DAYS, at(99)),
            Decision::Stay
        );
    }

    #[test]
    fn https_on_the_same_host_is_believed_at_once() {
        let of = |from, to| decide(None, [(301, from)], to, TWO_DAYS, at(0));
        assert!(matches!(of("http://a/feed", "https://a/feed"), Decision::Adopt(_)));
        assert!(matches!(of("http://a/feed", "https://www.a/feed"), Decision::Watch(_)));
        assert!(matches!(of("https://a/feed", "http://a/feed"), Decision::Watch(_)));
        assert!(matches!(
            decide(None, [(301, "http://a/")], "http://b/", 0, at(0)),
            Decision::Adopt(_)
        ));
    }
}
