//! What each step costs for one document of thirty new entries: decode, parse, normalize, sign, judge, write.
//!
//! `cargo bench --bench steps`. The document is made here: RSS, bodies of 440 words in paragraphs with links, bold and
//! entities, a headline copy on top of every third and a line of furniture below every second, packed with gzip.
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on stops")]

mod random;

use std::{io::Write, sync::Arc, sync::LazyLock};

use divan::Bencher;
use newsfold::{
    dedup::{
        Engine, Options,
        engine::{self, Furniture},
    },
    digest::{Arrival, Listing},
    fetch::decode::decode,
    model::{Article, Document, FeedId, Known, ParsedFeed, Timestamp},
    normalize::{FeedContext, normalize},
    parse::{Limits, parse},
    schedule,
    store::{self, Database, feeds::Configured},
    writer::{self, Outcome, Poll, Response},
};
use random::Random;

fn main() {
    divan::main();
}

const ENTRIES: u64 = 30;
const WORDS: usize = 440;
const LIMIT: u64 = 10 << 20;

/// Words drawn as in a language, few of them frequent, with the markup of a news page around them.
fn words(random: &mut Random, count: usize) -> String {
    const SYLLABLES: [&str; 16] = [
        "ka",
        "ro",
        "mi",
        "ten",
        "lu",
        "sor",
        "vi",
        "pel",
        "da",
        "gor",
        "ne",
        "bis",
        "tu",
        "fal",
        "&eacute;l",
        "om",
    ];
    let mut text = String::new();
    for at in 0..count {
        let rank = (random.next() % 300) * (random.next() % 300) / 9;
        let mut word = Random(rank.wrapping_mul(0xd6e8_feb8_6659_fd93) | 1);
        let letters: String = (0..2 + word.next() % 2)
            .map(|_| SYLLABLES[word.next() as usize % SYLLABLES.len()])
            .collect();
        let is_marked = rank % 40 == 7;
        text.push_str(&if is_marked { format!("<b>{letters}</b>") } else { letters });
        text.push_str(match at % 60 {
            59 => ".</p>\n<p>",
            14 | 29 | 44 => ". The ",
            _ => " ",
        });
    }
    text
}

/// The document, made once.
static FEED: LazyLock<String> = LazyLock::new(|| {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut feed =
        "<?xml version=\"1.0\"?><rss version=\"2.0\"><channel><title>The Holm Gazette</title>\
        <link>https://holm.example/</link><language>en</language>"
            .to_owned();
    for entry in 0..ENTRIES {
        let title = format!("Ferry {entry} to {}", random.next() % 9_000);
        let top = if entry % 3 == 0 { format!("<h1>{title}</h1>") } else { String::new() };
        let end = if entry % 2 == 0 { "<p>Read more on holm.example</p>" } else { "" };
        let body = words(&mut random, WORDS);
        feed.push_str(&format!(
            "<item><title>{title}</title><link>https://holm.example/{entry}</link>\
             <guid>https://holm.example/{entry}</guid><pubDate>Mon, 23 Nov 2026 08:00:00 GMT</pubDate>\
             <description><![CDATA[{top}<p>{body}</p>{end}]]></description></item>"
        ));
    }
    feed + "</channel></rss>"
});

fn document() -> Document {
    Document {
        bytes: FEED.clone().into_bytes(),
        content_type: Some("application/rss+xml".to_owned()),
        url: "https://holm.example/feed.xml".to_owned(),
    }
}

fn now() -> Timestamp {
    "2026-11-23T09:00:00Z".parse().unwrap()
}

fn parsed() -> ParsedFeed {
    parse(&document(), &Known::default(), &Limits::default()).unwrap()
}

fn articles(feed: &ParsedFeed) -> Vec<Article> {
    let known = Known::default();
    let context = FeedContext {
        title: feed.title.as_deref(),
        site_url: feed.site_url.as_deref(),
        language: feed.language.as_deref(),
        furniture: &known.furniture,
    };
    let clean = |entry| normalize(entry, &context, &Default::default(), now());
    feed.entries.iter().map(clean).collect()
}

fn arrivals() -> Vec<Arrival> {
    let made = articles(&parsed());
    assert_eq!(made.len() as u64, ENTRIES);
    made.into_iter().map(Arrival::of).collect()
}

#[divan::bench]
fn decode_gzip(bencher: Bencher<'_, '_>) {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(FEED.as_bytes()).unwrap();
    let packed = packer.finish().unwrap();
    bencher
        .with_inputs(|| packed.clone())
        .bench_values(|bytes| decode(bytes, Some("gzip"), LIMIT).unwrap());
}

#[divan::bench(name = "parse")]
fn parse_document(bencher: Bencher<'_, '_>) {
    let (document, known) = (document(), Known::default());
    bencher.bench(|| parse(&document, &known, &Limits::default()).unwrap());
}

#[divan::bench(name = "normalize")]
fn normalize_entries(bencher: Bencher<'_, '_>) {
    let feed = parsed();
    bencher.bench(|| articles(&feed));
}

/// Fingerprint, passages, hashes of lines.
#[divan::bench]
fn sign(bencher: Bencher<'_, '_>) {
    let made = articles(&parsed());
    bencher
        .with_inputs(|| made.clone())
        .bench_values(|made| made.into_iter().map(Arrival::of).collect::<Vec<_>>());
}

/// All thirty, in memory, every one anew under another feed: thirty of them are copies.
#[divan::bench]
fn judge(bencher: Bencher<'_, '_>) {
    let made = articles(&parsed());
    let arrive = |feed: i64| {
        let text = move |article: &Article| engine::Arrival {
            feed: FeedId(feed),
            title: article.title.clone(),
            body: article.body.clone(),
            at: now(),
        };
        made.iter().map(text).collect::<Vec<_>>()
    };
    bencher
        .with_inputs(|| {
            let mut engine = Engine::new(Options::default(), Furniture::NONE);
            for arrival in arrive(1) {
                engine.judge(arrival);
            }
            (engine, arrive(2))
        })
        .bench_values(|(mut engine, arrivals)| {
            arrivals
                .into_iter()
                .filter(|one| engine.judge(one.clone()).duplicate_of.is_some())
                .count()
        });
}

/// One poll through the writer's thread, on disk.
#[divan::bench(sample_count = 40, sample_size = 1)]
fn write(bencher: Bencher<'_, '_>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let made = arrivals();
    bencher
        .with_inputs(|| {
            let folder = tempfile::tempdir().unwrap();
            let options = store::Options::new(folder.path().join("news.db"));
            let mut db = Database::open(&options).unwrap();
            let feed = Configured {
                url: "https://holm.example/feed.xml".to_owned(),
                enabled: true,
                config_hash: "0".to_owned(),
                ..Configured::default()
            };
            db.sync_feeds(&[feed], 0, now()).unwrap();
            (folder, writer::spawn(db, 7 * 86_400, 8).unwrap(), poll(made.clone()))
        })
        .bench_local_values(|(folder, (writer, thread), poll)| {
            let report = runtime.block_on(writer.record(poll)).unwrap();
            assert_eq!(u64::from(report.new), ENTRIES);
            (folder, thread)
        });
}

fn poll(arrivals: Vec<Arrival>) -> Poll {
    Poll {
        feed_id: FeedId(1),
        started_at: now(),
        ended_at: now(),
        duration_ms: 20,
        http_status: Some(200),
        body_bytes: 90_000,
        outcome: Outcome::Changed(Box::new(Listing {
            format: "rss 2.0".to_owned(),
            arrivals,
            ..Listing::default()
        })),
        response: Response::default(),
        schedule: schedule::Options::default(),
        options: Arc::new(writer::Options::default()),
    }
}
