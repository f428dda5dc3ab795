//! A desk to write at: a real database file, the writer's thread, and entries made of plain words.

use std::{path::PathBuf, sync::Arc, thread::JoinHandle};

use newsfold::{
    dedup::{self, Prefer, Scope, Signature, Text},
    digest::{Arrival, Listing},
    model::{Article, BodySource, DuplicateId, FeedId, PublishedSource, Timestamp},
    normalize::furniture::units,
    schedule,
    store::{self, Database, feeds::Configured},
    writer::{self, Initial, Outcome, Poll, PollReport, Response, Writer},
};
use tokio::runtime::Runtime;
use xxhash_rust::xxh3::xxh3_64;

/// Where every test begins in time.
pub(crate) const START: &str = "2026-11-23T09:00:00Z";

pub(crate) struct Desk {
    _folder: tempfile::TempDir,
    pub(crate) path: PathBuf,
    runtime: Runtime,
    line: Option<(Writer, JoinHandle<Database>)>,
    pub(crate) now: Timestamp,
    pub(crate) options: writer::Options,
    feeds: Vec<Configured>,
}

/// An entry as a test writes it down.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) guid: Option<String>,
    pub(crate) url: Option<String>,
    pub(crate) title: String,
    pub(crate) body: String,
    pub(crate) published_at: Option<Timestamp>,
    pub(crate) author: String,
}

impl Entry {
    pub(crate) fn new(key: &str, title: &str, body: &str) -> Self {
        Self {
            guid: Some(format!("tag:example,{key}")),
            url: Some(format!("https://news.example/{key}")),
            title: title.to_owned(),
            body: body.to_owned(),
            published_at: None,
            author: "A. Writer".to_owned(),
        }
    }

    pub(crate) fn by(mut self, author: &str) -> Self {
        self.author = author.to_owned();
        self
    }

    pub(crate) fn guid(mut self, guid: Option<&str>) -> Self {
        self.guid = guid.map(str::to_owned);
        self
    }

    pub(crate) fn url(mut self, url: Option<&str>) -> Self {
        self.url = url.map(str::to_owned);
        self
    }

    pub(crate) fn published(mut self, at: &str) -> Self {
        self.published_at = Some(at.parse().unwrap());
        self
    }

    pub(crate) fn titled(mut self, title: &str) -> Self {
        self.title = title.to_owned();
        self
    }

    pub(crate) fn saying(mut self, body: &str) -> Self {
        self.body = body.to_owned();
        self
    }

    fn raw_hash(&self) -> u64 {
        xxh3_64(format!("{self:?}").as_bytes())
    }

    pub(crate) fn arrival(&self) -> Arrival {
        Arrival {
            article: Article {
                guid: self.guid.clone(),
                url: self.url.clone(),
                title: self.title.clone(),
                body: self.body.clone(),
                summary: None,
                author: Some(self.author.clone()),
                tags: vec!["news".to_owned()],
                language: Some("en".to_owned()),
                published_at: self.published_at,
                published_source: self.published_at.map(|_| PublishedSource::Published),
                updated_at: None,
                word_count: self.body.split_whitespace().count() as u32,
                body_source: BodySource::Feed,
                cuts: Vec::new(),
                extras: serde_json::Map::new(),
                raw_hash: self.raw_hash(),
                content_hash: xxh3_64(format!("{}\n{}", self.title, self.body).as_bytes()),
            },
            signature: Signature::of(&Text { title: &self.title, body: &self.body }),
            lines: units(&self.body).collect(),
        }
    }
}

/// A text of its own for each seed: no two share a run of three words but by chance.
pub(crate) fn story(seed: u64, words: usize) -> String {
    const SYLLABLES: [&str; 16] = [
        "ka", "ro", "mi", "ten", "lu", "sor", "vi", "pel", "da", "gor", "ne", "bis", "tu", "fal",
        "we", "zin",
    ];
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut text = String::new();
    for at in 0..words {
        let roll = next();
        let word: String =
            (0..2 + roll % 2).map(|n| SYLLABLES[(roll >> (8 + 4 * n)) as usize % 16]).collect();
        text.push_str(&word);
        text.push_str(if at % 12 == 11 { ". " } else { " " });
    }
    text.trim_end().to_owned()
}

impl Desk {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("news.db");
        let mut desk = Self {
            _folder: folder,
            path,
            runtime: tokio::runtime::Builder::new_current_thread().build().unwrap(),
            line: None,
            now: START.parse().unwrap(),
            options: writer::Options::default(),
            feeds: Vec::new(),
        };
        desk.open();
        desk
    }

    pub(crate) fn database(&self) -> Database {
        Database::open(&store::Options::new(&self.path)).unwrap()
    }

    fn open(&mut self) {
        let window = dedup::Options::default().window_seconds;
        self.line = Some(writer::spawn(self.database(), window, 64).unwrap());
    }

    /// Ends the writer and starts another on the same file.
    pub(crate) fn restart(&mut self) {
        self.close();
        self.open();
    }

    pub(crate) fn close(&mut self) {
        if let Some((writer, thread)) = self.line.take() {
            drop(writer);
            drop(thread.join().unwrap());
        }
    }

    pub(crate) fn writer(&self) -> Writer {
        self.line.as_ref().unwrap().0.clone()
    }

    pub(crate) fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    pub(crate) fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut writer::State) -> T + Send + 'static,
    ) -> T {
        self.block_on(self.writer().call(work)).unwrap()
    }

    pub(crate) fn feed(&mut self, name: &str) -> FeedId {
        self.feed_with(name, Scope::All, 0)
    }

    pub(crate) fn feed_with(&mut self, name: &str, dedup_scope: Scope, priority: i64) -> FeedId {
        self.feeds.push(Configured {
            url: format!("https://{name}.example/feed"),
            name: Some(name.to_owned()),
            tags: Vec::new(),
            enabled: true,
            priority,
            dedup_scope,
            config_hash: format!("{name} {priority} {dedup_scope:?}"),
        });
        let (feeds, now, wanted) = (self.feeds.clone(), self.now, name.to_owned());
        self.call(move |state| {
            state.db.sync_feeds(&feeds, 0, now).unwrap();
            state.forget_caches();
            state.db.find_feed(&wanted).unwrap()
        })
    }

    pub(crate) fn later(&mut self, seconds: i64) {
        self.now = self.now.plus_seconds(seconds);
    }

    /// The feed's document lists these entries now, the newest first.
    pub(crate) fn poll(&mut self, feed: FeedId, entries: &[Entry]) -> PollReport {
        let poll = self.listing(feed, entries);
        let report = self.block_on(self.writer().record(poll)).unwrap();
        self.later(900);
        report
    }

    pub(crate) fn listing(&self, feed: FeedId, entries: &[Entry]) -> Poll {
        let known = self.block_on(self.writer().known(feed)).unwrap();
        let (old, new): (Vec<_>, Vec<_>) =
            entries.iter().partition(|entry| known.raw_hashes.contains(&entry.raw_hash()));
        self.poll_of(
            feed,
            Outcome::Changed(Box::new(Listing {
                format: "rss 2.0".to_owned(),
                title: Some("A feed".to_owned()),
                arrivals: new.into_iter().map(Entry::arrival).collect(),
                unchanged: old.into_iter().map(Entry::raw_hash).collect(),
                ..Listing::default()
            })),
        )
    }

    pub(crate) fn poll_of(&self, feed: FeedId, outcome: Outcome) -> Poll {
        Poll {
            feed_id: feed,
            started_at: self.now,
            ended_at: self.now,
            duration_ms: 12,
            http_status: Some(200),
            body_bytes: 1_000,
            outcome,
            response: Response::default(),
            schedule: schedule::Options::default(),
            options: Arc::new(self.options.clone()),
        }
    }

    pub(crate) fn unfold(&self, id: i64) -> i64 {
        let options = self.options.dedup.clone();
        self.block_on(self.writer().unfold(DuplicateId(id), options, self.now)).unwrap().0
    }

    pub(crate) fn prefer(&mut self, prefer: Prefer) {
        self.options.dedup.prefer = prefer;
    }

    pub(crate) fn initial(&mut self, initial: Initial) {
        self.options.initial = initial;
    }

    /// Rows of a query as the shell shows them: columns joined by `|`.
    pub(crate) fn rows(&self, sql: &str) -> Vec<String> {
        rows(&self.path, sql)
    }

    /// The one value of a query.
    pub(crate) fn value(&self, sql: &str) -> String {
        let mut rows = self.rows(sql);
        assert_eq!(rows.len(), 1, "{sql} gives {rows:?}");
        rows.pop().unwrap()
    }

    pub(crate) fn execute(&self, sql: &str) {
        connect(&self.path).execute_batch(sql).unwrap();
    }

    /// What must always hold.
    pub(crate) fn check(&self) {
        assert_eq!(self.rows("PRAGMA integrity_check"), ["ok"]);
        assert_eq!(self.rows("PRAGMA foreign_key_check"), Vec::<String>::new());
        self.execute("INSERT INTO article_fts (article_fts, rank) VALUES ('integrity-check', 1)");
        let adrift =
            "SELECT count(*) FROM entries WHERE article_id IS NULL AND duplicate_id IS NULL";
        let _ = self.value(adrift);
    }
}

fn connect(path: &std::path::Path) -> rusqlite::Connection {
    rusqlite::Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE)
        .unwrap()
}

pub(crate) fn rows(path: &std::path::Path, sql: &str) -> Vec<String> {
    let connection = connect(path);
    let mut statement = connection.prepare(sql).unwrap();
    let columns = statement.column_count();
    let rows = statement
        .query_map([], |row| {
            let cells: Vec<String> = (0..columns)
                .map(|at| match row.get_ref(at).unwrap() {
                    rusqlite::types::ValueRef::Null => String::new(),
                    rusqlite::types::ValueRef::Integer(number) => number.to_string(),
                    rusqlite::types::ValueRef::Real(number) => number.to_string(),
                    rusqlite::types::ValueRef::Text(text) => {
                        String::from_utf8_lossy(text).into_owned()
                    }
                    rusqlite::types::ValueRef::Blob(blob) => format!("{} bytes", blob.len()),
                })
                .collect();
            Ok(cells.join("|"))
        })
        .unwrap();
    rows.map(Result::unwrap).collect()
}
