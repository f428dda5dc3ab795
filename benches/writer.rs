//! What judging and writing cost: CPU time of the whole process per article, per idle poll, per new article.
//!
//! `cargo bench --bench writer -- [FEEDS [ENTRIES]]`. Input is made here, cleaned and signed before the clock
//! starts; what is measured is the writer's thread with a real file, `fsync` included in wall time only.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark that cannot go on stops, and prints"
)]

mod random;

use std::{fs, sync::Arc, time::Instant};

use newsfold::{
    dedup::Scope,
    digest::{Arrival, Listing},
    model::{Article, BodySource, FeedId, PublishedSource, Timestamp},
    schedule,
    store::{self, Database, claims::Mode, feeds::Configured},
    writer::{self, Outcome, OwnedClaim, Poll, Response},
};
use random::Random;
use xxhash_rust::xxh3::xxh3_64;

/// Words of a body: 2.9 kB, as in the articles that were measured when the budget was set.
const WORDS: usize = 440;
/// Polls handed over before the first answer is waited for.
const IN_FLIGHT: usize = 64;

/// A body of words drawn as in a language: few are frequent, most are rare.
fn body(seed: u64, words: usize) -> String {
    const SYLLABLES: [&str; 24] = [
        "ka", "ro", "mi", "ten", "lu", "sor", "vi", "pel", "da", "gor", "ne", "bis", "tu", "fal",
        "we", "zin", "an", "el", "ur", "is", "om", "qua", "str", "ed",
    ];
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut text = String::with_capacity(words * 7);
    for at in 0..words {
        // A product of two even draws leans towards small ranks, as word frequencies do.
        let rank = (random.next() % 300) * (random.next() % 300) / 9;
        let mut word = Random(rank.wrapping_mul(0xd6e8_feb8_6659_fd93) | 1);
        for _ in 0..2 + word.next() % 2 {
            text.push_str(SYLLABLES[word.next() as usize % SYLLABLES.len()]);
        }
        text.push_str(match at % 60 {
            59 => ".\n\n",
            14 | 29 | 44 => ". ",
            _ => " ",
        });
    }
    text.truncate(text.trim_end().len());
    text
}

fn arrival(feed: u64, entry: u64, copy_of: Option<u64>, at: Timestamp) -> Arrival {
    let own = feed * 1_000_000 + entry;
    let seed = copy_of.unwrap_or(own);
    let mut text = body(seed, WORDS);
    if copy_of.is_some() {
        text = format!("HOLM (Agency {feed}) {text} Reporting by desk {feed}.");
    }
    let title = body(seed ^ 0xabcd, 9).replace('\n', " ");
    let url = format!(
        "https://feed{feed}.example/2026/11/23/article-{entry}-with-a-slug-of-usual-length"
    );
    Arrival::of(Article {
        guid: Some(url.clone()),
        url: Some(url),
        content_hash: xxh3_64(format!("{title}\n{text}").as_bytes()),
        raw_hash: own,
        title,
        body: text,
        summary: None,
        author: Some("A. Writer".to_owned()),
        tags: vec!["news".to_owned(), "north".to_owned()],
        language: Some("en".to_owned()),
        published_at: Some(at.plus_seconds(-(entry as i64) * 600)),
        published_source: Some(PublishedSource::Published),
        updated_at: None,
        word_count: WORDS as u32,
        body_source: BodySource::Feed,
        cuts: Vec::new(),
        extras: serde_json::Map::new(),
    })
}

fn poll(feed: FeedId, now: Timestamp, outcome: Outcome, options: &Arc<writer::Options>) -> Poll {
    Poll {
        feed_id: feed,
        started_at: now,
        ended_at: now,
        duration_ms: 20,
        http_status: Some(200),
        body_bytes: 90_000,
        outcome,
        response: Response::default(),
        schedule: schedule::Options::default(),
        options: Arc::clone(options),
    }
}

/// CPU seconds of all threads of this process.
fn cpu_seconds() -> f64 {
    let threads = fs::read_dir("/proc/self/task").unwrap();
    let nanoseconds: f64 = threads
        .filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("schedstat")).ok())
        .filter_map(|text| text.split(' ').next()?.parse::<f64>().ok())
        .sum();
    nanoseconds / 1e9
}

fn measure<T>(name: &str, per: usize, work: impl FnOnce() -> T) -> T {
    let (cpu, clock) = (cpu_seconds(), Instant::now());
    let done = work();
    let (cpu, wall) = (cpu_seconds() - cpu, clock.elapsed().as_secs_f64());
    println!(
        "{name:<44} {:>8.1} us CPU each  {cpu:>7.3} s CPU {wall:>7.3} s wall",
        cpu * 1e6 / per as f64
    );
    done
}

fn main() {
    let numbers: Vec<usize> =
        std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let feeds = numbers.first().copied().unwrap_or(500);
    let entries = numbers.get(1).copied().unwrap_or(30);
    for (scope, search) in [(Scope::Off, "off"), (Scope::All, "off"), (Scope::All, "full")] {
        run(feeds, entries, scope, search);
    }
}

fn run(feeds: usize, entries: usize, scope: Scope, search: &str) {
    println!("\n{feeds} feeds of {entries} entries, dedup.scope {scope:?}, search {search}");
    let folder = tempfile::tempdir().unwrap();
    let now: Timestamp = "2026-11-23T09:00:00Z".parse().unwrap();
    let mut db = Database::open(&store::Options::new(folder.path().join("news.db"))).unwrap();
    db.set_search(search).unwrap();
    let configured: Vec<Configured> = (1..=feeds)
        .map(|feed| Configured {
            url: format!("https://feed{feed}.example/feed.xml"),
            enabled: true,
            dedup_scope: scope,
            config_hash: "0".to_owned(),
            ..Configured::default()
        })
        .collect();
    measure("take up the configuration", feeds, || db.sync_feeds(&configured, 0, now).unwrap());

    // Every tenth entry is a copy of another feed's.
    let listing = |feed: usize, round: usize| -> Vec<Arrival> {
        let first = if round == 0 { 0 } else { entries + round - 1 };
        let count = if round == 0 { entries } else { 1 };
        (first..first + count)
            .map(|entry| {
                let copied = (entry % 10 == 9 && feed > 1)
                    .then(|| (feed as u64 - 1) * 1_000_000 + entry as u64 - 1);
                arrival(feed as u64, entry as u64, copied, now)
            })
            .collect()
    };
    let options = Arc::new(writer::Options::default());
    let window = options.dedup.window_seconds;
    let (writer, thread) = writer::spawn(db, window, IN_FLIGHT).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let claim = || OwnedClaim {
        by: "bench".into(),
        lease_seconds: 300,
        limit: usize::MAX,
        per_host_limit: 2,
        mode: Mode::All,
        feeds: None,
    };
    let record = |polls: Vec<Poll>| {
        runtime.block_on(async {
            let mut running = tokio::task::JoinSet::new();
            for poll in polls {
                if running.len() >= IN_FLIGHT {
                    running.join_next().await;
                }
                let writer = writer.clone();
                running.spawn(async move { writer.record(poll).await.unwrap() });
            }
            running.join_all().await
        });
    };
    let changed = |feed: usize, arrivals: Vec<Arrival>, unchanged: Vec<u64>, at: Timestamp| {
        let listing =
            Listing { format: "rss 2.0".to_owned(), arrivals, unchanged, ..Listing::default() };
        poll(FeedId(feed as i64), at, Outcome::Changed(Box::new(listing)), &options)
    };
    let at = |round: i64| now.plus_seconds(round * 86_400);

    let polls: Vec<Poll> =
        (1..=feeds).map(|feed| changed(feed, listing(feed, 0), Vec::new(), now)).collect();
    measure("claim", feeds, || runtime.block_on(writer.claim_due(claim(), now)).unwrap());
    measure("first poll, an article", feeds * entries, || record(polls));

    let polls = (1..=feeds)
        .map(|feed| poll(FeedId(feed as i64), at(1), Outcome::Unchanged, &options))
        .collect();
    measure("claim again", feeds, || runtime.block_on(writer.claim_due(claim(), at(1))).unwrap());
    measure("unchanged, a poll", feeds, || record(polls));

    measure("known, a feed", feeds, || {
        for feed in 1..=feeds {
            runtime.block_on(writer.known(FeedId(feed as i64))).unwrap();
        }
    });
    let polls = (1..=feeds)
        .map(|feed| {
            let unchanged =
                (0..entries as u64).map(|entry| feed as u64 * 1_000_000 + entry).collect();
            changed(feed, listing(feed, 1), unchanged, at(2))
        })
        .collect();
    measure("one new article, a poll", feeds, || record(polls));
    drop(writer);
    let db = thread.join().unwrap();
    let (file, log) = db.sizes();
    let path = db.path().to_owned();
    drop(db);
    let (writer, thread) = writer::spawn(
        Database::open(&store::Options { path, ..store::Options::new("") }).unwrap(),
        window,
        8,
    )
    .unwrap();
    let texts = measure("load the index, a text", feeds * entries, || {
        runtime.block_on(writer.load_index(at(2))).unwrap()
    });
    drop(writer);
    drop(thread.join().unwrap());
    println!("{texts} texts in the index, file {} kB, log {} kB", file / 1024, log / 1024);
}
