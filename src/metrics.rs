//! What the daemon counts and measures, in Prometheus' terms.
//!
//! In: plain numbers, one call for each poll and each look at the whole ([`Gauges`]). Out: the text
//! format 0.0.4. Base units throughout, and no label whose values grow with the number of feeds: which feed fails is
//! a question for the view `feed_health`. Every series whose labels come from a closed list stands there from the
//! start with 0, so that a rate over the first event is not lost.

use std::{
    sync::atomic::{AtomicI64, AtomicU64},
    time::Duration,
};

use prometheus_client::{
    encoding::prometheus_text,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::Registry,
};

use crate::model::Timestamp;

/// Content-Type of what [`Metrics::render`] returns.
pub use prometheus_text::CONTENT_TYPE;

type Label = [(&'static str, &'static str); 1];
type Whole = Gauge<i64, AtomicI64>;
type Real = Gauge<f64, AtomicU64>;

const OUTCOMES: [&str; 4] = ["changed", "unchanged", "failed", "gone"];
const RESULTS: [&str; 3] = ["new", "revised", "duplicate"];
const REASONS: [&str; 5] =
    ["same_guid", "same_url", "same_headline", "same_text", "near_duplicate"];
const STATES: [&str; 6] = ["healthy", "failing", "stale", "gone", "same_feed", "disabled"];
const RELOADS: [&str; 2] = ["taken_up", "refused"];

/// From an unchanged feed nearby to `fetch.timeout`'s default and beyond.
const POLL_BUCKETS: [f64; 12] =
    [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
/// A verdict takes some ten microseconds; a second would mean that the index is broken.
const DECISION_BUCKETS: [f64; 10] =
    [1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 5e-3, 2.5e-2, 1.0];

/// One finished poll. The words are those of the columns of table `polls`.
#[derive(Clone, Copy, Debug, Default)]
pub struct PollNumbers<'a> {
    /// `changed`, `unchanged`, `failed` or `gone`.
    pub outcome: &'static str,
    /// Why it failed.
    pub error_kind: Option<&'a str>,
    /// From its start to its last row.
    pub duration: Duration,
    /// Decompressed bytes of the body.
    pub body_bytes: u64,
    /// Entries listed.
    pub entries: u64,
    /// Entries that became articles.
    pub new: u64,
    /// Articles and copies that their publisher edited.
    pub revised: u64,
    /// Copies that were folded, by reason.
    pub duplicates: &'a [(&'static str, u64)],
    /// How long each verdict over a new text took.
    pub decisions: &'a [Duration],
}

/// The state of the whole at one instant.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gauges {
    /// Enabled feeds that deliver, or that have not been polled yet.
    pub feeds_healthy: u64,
    /// Enabled feeds whose last poll failed.
    pub feeds_failing: u64,
    /// Enabled feeds that have gone silent.
    pub feeds_stale: u64,
    /// Feeds whose server said 410.
    pub feeds_gone: u64,
    /// Feeds that are not polled because an earlier one has their URL.
    pub feeds_same: u64,
    /// Feeds switched off or gone from the configuration.
    pub feeds_disabled: u64,
    /// Feeds that may be polled now.
    pub feeds_due: u64,
    /// By how much the longest waiting of them is late.
    pub poll_lag: Duration,
    /// Polls under way.
    pub polls_running: u64,
    /// Jobs that wait for the writer.
    pub writer_queue: u64,
    /// Bytes of the database file.
    pub database_bytes: u64,
    /// Bytes of its write-ahead log.
    pub wal_bytes: u64,
    /// Texts in the duplicate index.
    pub index_texts: u64,
    /// When the newest article was stored.
    pub last_article_at: Option<Timestamp>,
}

/// The numbers of this process. Cheap to feed from any thread.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    polls: Family<Label, Counter>,
    poll_errors: Family<[(&'static str, String); 1], Counter>,
    poll_duration: Histogram,
    body_bytes: Counter,
    entries: Counter,
    articles: Family<Label, Counter>,
    duplicates: Family<Label, Counter>,
    decision_duration: Histogram,
    reloads: Family<Label, Counter>,
    feeds: Family<Label, Whole>,
    feeds_due: Whole,
    poll_lag: Real,
    polls_running: Whole,
    writer_queue: Whole,
    database_bytes: Whole,
    wal_bytes: Whole,
    index_texts: Whole,
    last_article: Real,
}

impl Metrics {
    /// All series at their start; `started_at` is when this process began.
    pub fn new(started_at: Timestamp) -> Self {
        let metrics = Self {
            registry: Registry::with_prefix("newsfold"),
            polls: Family::default(),
            poll_errors: Family::default(),
            poll_duration: Histogram::new(POLL_BUCKETS),
            body_bytes: Counter::default(),
            entries: Counter::default(),
            articles: Family::default(),
            duplicates: Family::default(),
            decision_duration: Histogram::new(DECISION_BUCKETS),
            reloads: Family::default(),
            feeds: Family::default(),
            feeds_due: Whole::default(),
            poll_lag: Real::default(),
            polls_running: Whole::default(),
            writer_queue: Whole::default(),
            database_bytes: Whole::default(),
            wal_bytes: Whole::default(),
            index_texts: Whole::default(),
            last_article: Real::default(),
        };
        metrics.start_at_zero();
        metrics.registered(started_at)
    }

    fn start_at_zero(&self) {
        for (family, label, words) in [
            (&self.polls, "outcome", OUTCOMES.as_slice()),
            (&self.articles, "result", &RESULTS),
            (&self.duplicates, "reason", &REASONS),
            (&self.reloads, "result", &RELOADS),
        ] {
            for word in words {
                drop(family.get_or_create(&[(label, word)]));
            }
        }
        for state in STATES {
            drop(self.feeds.get_or_create(&[("state", state)]));
        }
    }

    #[rustfmt::skip]
    fn registered(mut self, started_at: Timestamp) -> Self {
        let started = Real::default();
        started.set(started_at.unix_seconds() as f64);
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        let r = &mut self.registry;
        // The client adds the full stop to each help text, `_total` to each counter and `_info` to the build.
        r.register("build", "Version of the running program", build);
        r.register("start_time_seconds", "When this process started, in seconds since 1970", started);
        r.register("polls", "Finished polls by outcome", self.polls.clone());
        r.register("poll_errors", "Failed polls by kind of error", self.poll_errors.clone());
        r.register("poll_duration_seconds", "Length of a poll, from its start to its last row", self.poll_duration.clone());
        r.register("body_bytes", "Bytes of feed documents as received", self.body_bytes.clone());
        r.register("entries", "Entries listed in feed documents, known ones included", self.entries.clone());
        r.register("articles", "Entries that changed something, by what became of them", self.articles.clone());
        r.register("duplicates", "Copies folded into an article, by reason", self.duplicates.clone());
        r.register("decision_duration_seconds", "Time to judge one new text", self.decision_duration.clone());
        r.register("reloads", "Requests to take up the configuration, by result", self.reloads.clone());
        r.register("feeds", "Feeds by state", self.feeds.clone());
        r.register("feeds_due", "Feeds that may be polled now", self.feeds_due.clone());
        r.register("poll_lag_seconds", "By how much the longest waiting feed is late", self.poll_lag.clone());
        r.register("polls_running", "Polls under way", self.polls_running.clone());
        r.register("writer_queue_jobs", "Jobs that wait for the writer", self.writer_queue.clone());
        r.register("database_bytes", "Size of the database file", self.database_bytes.clone());
        r.register("wal_bytes", "Size of the database's write-ahead log", self.wal_bytes.clone());
        r.register("index_texts", "Texts in the duplicate index", self.index_texts.clone());
        r.register("last_article_timestamp_seconds", "When the newest article was stored, in seconds since 1970; 0 if there is none", self.last_article.clone());
        self
    }

    /// Counts one finished poll.
    pub fn poll_finished(&self, poll: &PollNumbers<'_>) {
        self.polls.get_or_create(&[("outcome", poll.outcome)]).inc();
        if let Some(kind) = poll.error_kind {
            self.poll_errors.get_or_create(&[("error_kind", kind.to_owned())]).inc();
        }
        self.poll_duration.observe(poll.duration.as_secs_f64());
        self.body_bytes.inc_by(poll.body_bytes);
        self.entries.inc_by(poll.entries);
        let folded = poll.duplicates.iter().map(|(_, count)| count).sum();
        for (result, count) in [("new", poll.new), ("revised", poll.revised), ("duplicate", folded)]
        {
            self.articles.get_or_create(&[("result", result)]).inc_by(count);
        }
        for (reason, count) in poll.duplicates {
            self.duplicates.get_or_create(&[("reason", *reason)]).inc_by(*count);
        }
        for took in poll.decisions {
            self.decision_duration.observe(took.as_secs_f64());
        }
    }

    /// Counts one request to take up the configuration.
    pub fn reloaded(&self, taken_up: bool) {
        let result = if taken_up { "taken_up" } else { "refused" };
        self.reloads.get_or_create(&[("result", result)]).inc();
    }

    /// Replaces what was known of the whole.
    pub fn set(&self, now: &Gauges) {
        for (state, feeds) in [
            ("healthy", now.feeds_healthy),
            ("failing", now.feeds_failing),
            ("stale", now.feeds_stale),
            ("gone", now.feeds_gone),
            ("same_feed", now.feeds_same),
            ("disabled", now.feeds_disabled),
        ] {
            self.feeds.get_or_create(&[("state", state)]).set(whole(feeds));
        }
        self.set_due(now.feeds_due, now.poll_lag);
        for (gauge, value) in [
            (&self.polls_running, now.polls_running),
            (&self.writer_queue, now.writer_queue),
            (&self.database_bytes, now.database_bytes),
            (&self.wal_bytes, now.wal_bytes),
            (&self.index_texts, now.index_texts),
        ] {
            gauge.set(whole(value));
        }
        self.last_article.set(now.last_article_at.map_or(0.0, |at| at.unix_seconds() as f64));
    }

    /// Shows how many feeds may be polled now, and by how much the longest waiting of them is late.
    pub fn set_due(&self, feeds: u64, lag: Duration) {
        self.feeds_due.set(whole(feeds));
        self.poll_lag.set(lag.as_secs_f64());
    }

    /// Everything as a scraper reads it.
    pub fn render(&self) -> String {
        let mut text = String::with_capacity(8 * 1024);
        prometheus_text::encode(&mut text, &self.registry).expect("a String takes all text");
        text
    }
}

fn whole(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, series: &str) -> Option<f64> {
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
        line.parse().ok()
    }

    #[test]
    fn closed_lists_stand_at_zero_from_the_start() {
        let text = Metrics::new(Timestamp::MIN).render();
        for series in [
            "newsfold_polls_total{outcome=\"gone\"}",
            "newsfold_articles_total{result=\"duplicate\"}",
            "newsfold_duplicates_total{reason=\"near_duplicate\"}",
            "newsfold_reloads_total{result=\"refused\"}",
            "newsfold_feeds{state=\"failing\"}",
            "newsfold_poll_duration_seconds_count",
        ] {
            assert_eq!(value(&text, series), Some(0.0), "{series} in\n{text}");
        }
        let build = format!("newsfold_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"));
        assert_eq!(value(&text, &build), Some(1.0));
    }

    #[test]
    fn polls_add_up() {
        let metrics = Metrics::new(Timestamp::MIN);
        metrics.poll_finished(&PollNumbers {
            outcome: "changed",
            duration: Duration::from_millis(300),
            body_bytes: 5_000,
            entries: 20,
            new: 3,
            revised: 1,
            duplicates: &[("same_text", 2), ("near_duplicate", 1)],
            decisions: &[Duration::from_micros(40)],
            ..PollNumbers::default()
        });
        metrics.poll_finished(&PollNumbers {
            outcome: "failed",
            error_kind: Some("timeout"),
            duration: Duration::from_secs(30),
            ..PollNumbers::default()
        });
        let text = metrics.render();
        for (series, expected) in [
            ("newsfold_polls_total{outcome=\"changed\"}", 1.0),
            ("newsfold_polls_total{outcome=\"failed\"}", 1.0),
            ("newsfold_poll_errors_total{error_kind=\"timeout\"}", 1.0),
            ("newsfold_articles_total{result=\"new\"}", 3.0),
            ("newsfold_articles_total{result=\"duplicate\"}", 3.0),
            ("newsfold_duplicates_total{reason=\"same_text\"}", 2.0),
            ("newsfold_body_bytes_total", 5_000.0),
            ("newsfold_poll_duration_seconds_sum", 30.3),
            ("newsfold_poll_duration_seconds_bucket{le=\"0.25\"}", 0.0),
            ("newsfold_poll_duration_seconds_bucket{le=\"0.5\"}", 1.0),
            ("newsfold_decision_duration_seconds_count", 1.0),
        ] {
            assert_eq!(value(&text, series), Some(expected), "{series} in\n{text}");
        }
    }

    #[test]
    fn the_whole_is_replaced_not_added() {
        let metrics = Metrics::new(Timestamp::MIN);
        metrics.set(&Gauges { feeds_failing: 4, wal_bytes: 9, ..Gauges::default() });
        metrics.set(&Gauges {
            feeds_failing: 2,
            poll_lag: Duration::from_millis(1_500),
            last_article_at: Timestamp::from_unix_seconds(1_795_511_700),
            ..Gauges::default()
        });
        let text = metrics.render();
        assert_eq!(value(&text, "newsfold_feeds{state=\"failing\"}"), Some(2.0));
        assert_eq!(value(&text, "newsfold_wal_bytes"), Some(0.0));
        assert_eq!(value(&text, "newsfold_poll_lag_seconds"), Some(1.5));
        assert_eq!(value(&text, "newsfold_last_article_timestamp_seconds"), Some(1_795_511_700.0));
    }

    /// The rules that `promtool check metrics` applies and that a careless name would break.
    #[test]
    fn names_follow_prometheus_conventions() {
        for line in Metrics::new(Timestamp::MIN).render().lines() {
            let Some(rest) = line.strip_prefix("# TYPE ") else { continue };
            let (name, kind) = rest.split_once(' ').unwrap();
            assert_eq!(kind == "counter", name.ends_with("_total"), "{name}");
            assert!(!name.contains("milli") && !name.contains("_ms"), "{name}");
        }
    }
}
