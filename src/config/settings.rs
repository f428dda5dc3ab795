//! The sections of the configuration: their keys, defaults and bounds.
//!
//! Each `read` takes what the section sets and falls back to the defaults (for a feed: to what the whole
//! configuration says), so the defaults stand in exactly one place.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use super::{
    problems::{Place, Problem},
    reader::{Section, Value},
    values::{
        count, duration, header_text, initial, interval, keep, level, positive, proxy, size, word,
    },
};
use crate::{
    context::ContentSource,
    dedup::{Prefer, Scope, Thresholds},
    fetch,
    model::Timestamp,
};

/// How often a feed is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interval {
    /// After the feed's own rhythm.
    Auto,
    /// As given.
    Fixed(Duration),
}

/// How long rows are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Never removed.
    Forever,
    /// Removed when older than this.
    For(Duration),
}

/// What full-text search covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Search {
    /// Titles and bodies.
    Full,
    /// Titles.
    Title,
    /// No index.
    Off,
}

/// `[store]`: the database file and how long its rows stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// The database file.
    pub path: PathBuf,
    /// Articles.
    pub keep: Keep,
    /// Folded copies; they go with their article at the latest.
    pub keep_duplicates: Keep,
    /// Log of polls.
    pub keep_polls: Keep,
    /// Full-text search.
    pub search: Search,
}

/// `[fetch]`: one HTTP exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// User-Agent header.
    pub user_agent: String,
    /// The whole exchange, redirects included.
    pub timeout: Duration,
    /// Connection and TLS handshake.
    pub connect_timeout: Duration,
    /// From the request to the first byte of the answer.
    pub first_byte_timeout: Duration,
    /// Largest body, compressed or not, in bytes.
    pub max_body: u64,
    /// Bodies in flight together, in bytes.
    pub max_in_flight: u64,
    /// Longest chain of redirects.
    pub max_redirects: u32,
    /// Polls under way at once.
    pub concurrency: u32,
    /// Requests under way at once to one host.
    pub per_host: u32,
    /// Shortest time between the starts of two requests to one host.
    pub host_delay: Duration,
    /// Proxy for all requests; the environment is not read.
    pub proxy: Option<String>,
    /// Whether private, loopback and link-local addresses may be asked.
    pub allow_private_networks: bool,
}

/// How much of a new feed's history becomes articles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Initial {
    /// Everything it lists.
    All,
    /// The newest so many.
    Newest(u32),
    /// What was published at or after this instant.
    Since(Timestamp),
}

/// `[poll]`: when a feed is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poll {
    /// Rhythm.
    pub interval: Interval,
    /// Lower bound of `auto`.
    pub min_interval: Duration,
    /// Upper bound of everything but a server's order.
    pub max_interval: Duration,
    /// How long a permanent redirect must stand before it is adopted.
    pub adopt_redirects_after: Duration,
    /// History of a new feed.
    pub initial: Initial,
}

/// `[content]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// Feed, page or auto.
    pub source: ContentSource,
}

/// `[dedup]`
#[derive(Clone, Debug, PartialEq)]
pub struct Dedup {
    /// How far back copies are looked for.
    pub window: Duration,
    /// Among which articles.
    pub scope: Scope,
    /// Which text stays.
    pub prefer: Prefer,
    /// The constants of the rule.
    pub thresholds: Thresholds,
}

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// Address and port.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

/// `[http]`: metrics and health.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Http {
    /// Off unless set.
    pub listen: Option<Listen>,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Journal under systemd, text elsewhere.
    Auto,
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// `[log]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// Form of the lines.
    pub format: LogFormat,
    /// `error`, `warn`, `info`, `debug`, `trace`, or a filter such as `info,newsfold::fetch=debug`.
    pub level: String,
}

type Folder<'a> = &'a dyn Fn(usize) -> PathBuf;

impl Default for Store {
    fn default() -> Self {
        Self {
            path: PathBuf::from("/var/lib/newsfold/newsfold.db"),
            keep: Keep::Forever,
            keep_duplicates: Keep::Forever,
            keep_polls: Keep::For(Duration::from_secs(7 * 86_400)),
            search: Search::Full,
        }
    }
}

impl Store {
    pub(super) fn read(section: Section<'_>, folder: Folder<'_>) -> Self {
        let default = Self::default();
        let store = Self {
            path: section
                .get("path", |v| Ok(folder(v.source).join(v.as_str()?)))
                .unwrap_or(default.path),
            keep: section.get("keep", keep).unwrap_or(default.keep),
            keep_duplicates: section
                .get("keep_duplicates", keep)
                .unwrap_or(default.keep_duplicates),
            keep_polls: section.get("keep_polls", keep).unwrap_or(default.keep_polls),
            search: section
                .get("search", |v| {
                    word(
                        v,
                        &[("full", Search::Full), ("title", Search::Title), ("off", Search::Off)],
                    )
                })
                .unwrap_or(default.search),
        };
        section.finish();
        store
    }
}

impl Default for Fetch {
    fn default() -> Self {
        Self {
            user_agent: fetch::default_user_agent(),
            timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            first_byte_timeout: Duration::from_secs(20),
            max_body: 16 << 20,
            max_in_flight: 256 << 20,
            max_redirects: 10,
            concurrency: 64,
            per_host: 2,
            host_delay: Duration::from_secs(1),
            proxy: None,
            allow_private_networks: false,
        }
    }
}

impl Fetch {
    /// `feed`: what the whole configuration says, when the section is a feed's.
    pub(super) fn read(section: Section<'_>, feed: Option<&Self>) -> Self {
        let base = feed.cloned().unwrap_or_default();
        let mut fetch = Self {
            user_agent: section.get("user_agent", header_text).unwrap_or(base.user_agent),
            timeout: section.get("timeout", positive).unwrap_or(base.timeout),
            connect_timeout: section
                .get("connect_timeout", positive)
                .unwrap_or(base.connect_timeout),
            first_byte_timeout: section
                .get("first_byte_timeout", positive)
                .unwrap_or(base.first_byte_timeout),
            max_body: section.get("max_body", size).unwrap_or(base.max_body),
            max_redirects: section
                .get("max_redirects", |v| count(v, 0..21))
                .unwrap_or(base.max_redirects),
            proxy: section.get("proxy", proxy).or(base.proxy),
            allow_private_networks: section
                .get("allow_private_networks", Value::as_bool)
                .unwrap_or(base.allow_private_networks),
            ..base
        };
        if feed.is_some() {
            for key in ["max_in_flight", "concurrency", "per_host", "host_delay"] {
                section.elsewhere(key, "[fetch]");
            }
        } else {
            fetch.max_in_flight = section.get("max_in_flight", size).unwrap_or(fetch.max_in_flight);
            fetch.concurrency =
                section.get("concurrency", |v| count(v, 1..1_025)).unwrap_or(fetch.concurrency);
            fetch.per_host = section.get("per_host", |v| count(v, 1..65)).unwrap_or(fetch.per_host);
            fetch.host_delay = section.get("host_delay", duration).unwrap_or(fetch.host_delay);
        }
        section.finish();
        fetch
    }
}

impl Default for Poll {
    fn default() -> Self {
        Self {
            interval: Interval::Auto,
            min_interval: Duration::from_secs(15 * 60),
            max_interval: Duration::from_secs(86_400),
            adopt_redirects_after: Duration::from_secs(48 * 3_600),
            initial: Initial::All,
        }
    }
}

impl Poll {
    pub(super) fn read(section: Section<'_>, feed: Option<&Self>) -> Self {
        let base = feed.cloned().unwrap_or_default();
        let max_place = section.every("max_interval").first().map(Value::place);
        let min_place = section.every("min_interval").first().map(Value::place);
        let poll = Self {
            interval: section.get("interval", interval).unwrap_or(base.interval),
            min_interval: section.get("min_interval", positive).unwrap_or(base.min_interval),
            max_interval: section.get("max_interval", positive).unwrap_or(base.max_interval),
            adopt_redirects_after: section
                .get("adopt_redirects_after", duration)
                .unwrap_or(base.adopt_redirects_after),
            initial: section.get("initial", initial).unwrap_or(base.initial),
        };
        if poll.min_interval > poll.max_interval
            && let Some(place) = min_place.or(max_place)
        {
            section.report(Problem::at(place, "min_interval is longer than max_interval"));
        }
        section.finish();
        poll
    }
}

impl Content {
    pub(super) fn read(section: Section<'_>, feed: Option<&Self>) -> Self {
        let words = [
            ("feed", ContentSource::Feed),
            ("page", ContentSource::Page),
            ("auto", ContentSource::Auto),
        ];
        let base = feed.map_or(ContentSource::Feed, |content| content.source);
        let content = Self { source: section.get("source", |v| word(v, &words)).unwrap_or(base) };
        section.finish();
        content
    }
}

pub(super) const SCOPES: [(&str, Scope); 3] =
    [("all", Scope::All), ("feed", Scope::Feed), ("off", Scope::Off)];
pub(super) const PREFERENCES: [(&str, Prefer); 2] =
    [("first", Prefer::First), ("fullest", Prefer::Fullest)];

impl Default for Dedup {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(7 * 86_400),
            scope: Scope::All,
            prefer: Prefer::Fullest,
            thresholds: Thresholds::default(),
        }
    }
}

impl Dedup {
    /// What the section does not say stays as `default` has it.
    pub(super) fn read(section: Section<'_>, default: &Self) -> Self {
        let dedup = Self {
            window: section.get("window", positive).unwrap_or(default.window),
            scope: section.get("scope", |v| word(v, &SCOPES)).unwrap_or(default.scope),
            prefer: section.get("prefer", |v| word(v, &PREFERENCES)).unwrap_or(default.prefer),
            thresholds: thresholds(section.section("thresholds"), &default.thresholds),
        };
        section.finish();
        dedup
    }
}

fn thresholds(section: Section<'_>, default: &Thresholds) -> Thresholds {
    let mut thresholds = default.clone();
    let share = |key, value: &mut f64| {
        *value = section.get(key, |v| v.as_number(0.0..=1.0)).unwrap_or(*value);
    };
    share("most", &mut thresholds.most);
    share("marked", &mut thresholds.marked);
    share("nearly_all", &mut thresholds.nearly_all);
    share("largely", &mut thresholds.largely);
    share("changed", &mut thresholds.changed);
    share("changed_some", &mut thresholds.changed_some);
    share("changed_few", &mut thresholds.changed_few);
    let tokens = |key, value: &mut u32| {
        *value = section.get(key, |v| count(v, 0..1_001)).unwrap_or(*value);
    };
    tokens("short", &mut thresholds.short);
    tokens("min_tokens", &mut thresholds.min_tokens);
    tokens("min_headline", &mut thresholds.min_headline);
    let hours = section.get("series_hours", |v| v.as_number(0.0..=8_760.0));
    thresholds.series_hours = hours.unwrap_or(thresholds.series_hours);
    section.finish();
    thresholds
}

impl Http {
    pub(super) fn read(section: Section<'_>, folder: Folder<'_>) -> Self {
        let listen = section.get("listen", |v| {
            let text = v.as_str()?;
            if let Some(path) = text.strip_prefix("unix:") {
                return Ok(Listen::Unix(folder(v.source).join(path)));
            }
            let meant = || format!("{text:?} is not an address: write \"127.0.0.1:9797\" or \"unix:/run/newsfold/http\"");
            text.parse().map(Listen::Tcp).map_err(|_| meant())
        });
        section.finish();
        Self { listen }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Auto, level: "info".to_owned() }
    }
}

impl Log {
    pub(super) fn read(section: Section<'_>) -> Self {
        let default = Self::default();
        let words =
            [("auto", LogFormat::Auto), ("text", LogFormat::Text), ("json", LogFormat::Json)];
        let log = Self {
            format: section.get("format", |v| word(v, &words)).unwrap_or(default.format),
            level: section.get("level", level).unwrap_or(default.level),
        };
        section.finish();
        log
    }
}

/// Text that leaves the window while it is still compared against would change verdicts.
pub(super) fn check_retention(
    store: &Store,
    dedup: &Dedup,
    keep_places: [Option<Place>; 2],
    window: Option<Place>,
    top: &Section<'_>,
) {
    let kept = [("keep", store.keep), ("keep_duplicates", store.keep_duplicates)];
    for ((key, kept), place) in kept.into_iter().zip(keep_places) {
        if matches!(kept, Keep::For(kept) if kept < dedup.window)
            && let Some(place) = place
        {
            let mut problem = Problem::at(place, format!("{key} is shorter than the dedup window"));
            problem.other = window.clone().map(|place| (place, "the window"));
            problem.help = Some(
                "copies are looked for in all of [dedup] window, so texts stay that long"
                    .to_owned(),
            );
            top.report(problem);
        }
    }
}
