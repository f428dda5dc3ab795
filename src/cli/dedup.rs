//! `newsfold dedup`: articles in, verdicts out, one a line; the daemon's engine without its database.
//!
//! A verdict is written before the next line is waited for, so that the command can stand in a pipe that never
//! ends. A line that cannot be read is reported with its number, costs exit code 1, and no other line.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    fs::File,
    io::{self, BufRead, BufReader, Read, Write},
    path::Path,
};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{DedupArguments, Exit, Global, load_or_defaults, output};
use crate::{
    config::Config,
    dedup::{
        Engine, Evidence, Options, Reason,
        engine::{Arrival, Furniture, Verdict},
    },
    model::{Article, Entry, FeedId, Markup, RawText, TextId, Timestamp},
    normalize::{self, FeedContext, furniture},
    writer,
};

pub(super) fn dedup(global: &Global, arguments: &DedupArguments) -> anyhow::Result<Exit> {
    let config = load_or_defaults(global)?;
    let mut judge = Judge::new(options(&config), arguments.evidence);
    let mut input = BufReader::with_capacity(64 << 10, open(arguments.file.as_deref())?);
    let mut out = output::stdout();
    let mut is_sound = true;
    let mut line = Vec::new();
    for number in 1_u64.. {
        if input.buffer().is_empty() {
            out.flush()?;
        }
        line.clear();
        if input.read_until(b'\n', &mut line).context("cannot read the articles")? == 0 {
            break;
        }
        let text = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&line).trim_ascii();
        if text.is_empty() {
            continue;
        }
        match read(text) {
            Ok(article) => output::json_line(&mut out, &judge.judge(article))?,
            Err(error) => {
                is_sound = false;
                output::complain(&format!("newsfold: line {number}: {error}"));
            }
        }
    }
    out.flush()?;
    Ok(if is_sound { Exit::Fine } else { Exit::Failed })
}

/// What `[dedup]` says, as the engine takes it; there is no feed here that could say otherwise.
pub(super) fn options(config: &Config) -> Options {
    Options {
        window_seconds: config.window_seconds(),
        scope: config.dedup.scope,
        prefer: config.dedup.prefer,
        thresholds: config.dedup.thresholds.clone(),
    }
}

fn open(file: Option<&Path>) -> anyhow::Result<Box<dyn Read>> {
    match file {
        Some(path) if path != Path::new("-") => {
            let opened = File::open(path);
            Ok(Box::new(opened.with_context(|| format!("cannot open {}", path.display()))?))
        }
        _ => Ok(Box::new(io::stdin().lock())),
    }
}

/// One article as it stands in the input.
#[derive(Debug, Deserialize)]
struct ArticleLine {
    id: Value,
    title: Option<String>,
    body: Option<String>,
    source: Option<String>,
    published: Option<String>,
}

#[derive(Debug)]
struct Given {
    id: Value,
    title: Option<String>,
    body: Option<String>,
    source: Option<String>,
    published_at: Option<Timestamp>,
}

fn read(text: &[u8]) -> Result<Given, String> {
    let line: ArticleLine = serde_json::from_slice(text).map_err(|error| explain(&error))?;
    if !matches!(line.id, Value::String(_) | Value::Number(_)) {
        return Err("id is neither a text nor a number".to_owned());
    }
    if line.title.is_none() && line.body.is_none() {
        return Err("neither title nor body is given".to_owned());
    }
    let published = line.published.as_deref().map(str::trim).filter(|text| !text.is_empty());
    let published_at = published.map(instant).transpose()?;
    Ok(Given { id: line.id, title: line.title, body: line.body, source: line.source, published_at })
}

/// The error with its column: serde's own text ends in a line number, which here is always 1.
fn explain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let message = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message);
    format!("column {}: {message}", error.column())
}

/// Reads ISO 8601 with an offset, without one (then UTC), a date alone, or the dates of mail and RSS.
fn instant(text: &str) -> Result<Timestamp, String> {
    let utc = |civil: jiff::civil::DateTime| jiff::tz::TimeZone::UTC.to_timestamp(civil);
    let read = text
        .parse::<jiff::Timestamp>()
        .ok()
        .or_else(|| utc(text.parse().ok()?).ok())
        .or_else(|| jiff::fmt::rfc2822::parse(text).ok().map(|zoned| zoned.timestamp()));
    read.and_then(|instant| Timestamp::from_unix_seconds(instant.as_second()))
        .ok_or_else(|| format!("published {text:?} is not an instant like 2026-11-23T09:15:00Z"))
}

/// One verdict as it is printed.
#[derive(Debug, Serialize)]
struct VerdictLine<'a> {
    id: &'a Value,
    duplicate_of: Option<&'a Value>,
    reason: Option<Reason>,
    distance: Option<u32>,
    similarity: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    matched: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<Evidence>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<Vec<Refused<'a>>>,
}

#[derive(Debug, Serialize)]
struct Refused<'a> {
    id: &'a Value,
    evidence: Evidence,
}

/// The engine, and what it does not know: the ids and sources of the input.
struct Judge {
    engine: Engine,
    shows_evidence: bool,
    /// Of the texts that the engine holds, the first of them `first_id`.
    ids: VecDeque<Value>,
    first_id: TextId,
    sources: HashMap<String, FeedId>,
    feeds: i64,
    last_at: Timestamp,
}

impl Judge {
    fn new(options: Options, shows_evidence: bool) -> Self {
        Self {
            engine: Engine::new(options, LEARNER),
            shows_evidence,
            ids: VecDeque::new(),
            first_id: TextId(1),
            sources: HashMap::new(),
            feeds: 0,
            last_at: Timestamp::MIN,
        }
    }

    fn judge(&mut self, given: Given) -> VerdictLine<'_> {
        // Without a date an article counts as of the time of the one before it.
        let at = given.published_at.unwrap_or(self.last_at);
        self.last_at = at;
        let feed = self.feed(given.source);
        let article = cleaned(given.title, given.body, at);
        while self.first_id < self.engine.first_held() {
            self.ids.pop_front();
            self.first_id = TextId(self.first_id.0 + 1);
        }
        self.ids.push_back(given.id);
        let verdict =
            self.engine.judge(Arrival { feed, title: article.title, body: article.body, at });
        self.line(verdict)
    }

    fn feed(&mut self, source: Option<String>) -> FeedId {
        let next = FeedId(self.feeds + 1);
        let feed = match source {
            Some(source) => *self.sources.entry(source).or_insert(next),
            None => next,
        };
        self.feeds = self.feeds.max(feed.0);
        feed
    }

    fn line(&self, verdict: Verdict) -> VerdictLine<'_> {
        let refused = verdict.refused.into_iter();
        VerdictLine {
            id: self.id(verdict.text),
            duplicate_of: verdict.duplicate_of.map(|text| self.id(text)),
            reason: verdict.reason,
            distance: verdict.distance,
            similarity: verdict.similarity,
            matched: verdict.matched.filter(|_| self.shows_evidence).map(|text| self.id(text)),
            evidence: verdict.evidence.filter(|_| self.shows_evidence),
            refused: self.shows_evidence.then(|| {
                refused.map(|(text, evidence)| Refused { id: self.id(text), evidence }).collect()
            }),
        }
    }

    /// The engine counts texts from 1 in order of arrival.
    fn id(&self, text: TextId) -> &Value {
        let at = usize::try_from(text.0 - self.first_id.0).ok();
        at.and_then(|at| self.ids.get(at)).unwrap_or(&Value::Null)
    }
}

/// The article that the line would make of these texts, taken as plain.
fn cleaned(title: Option<String>, body: Option<String>, now: Timestamp) -> Article {
    let plain = |value| RawText { value, markup: Markup::Plain };
    let entry = Entry { title: title.map(plain), content: body.map(plain), ..Entry::default() };
    let furniture = HashSet::new();
    let feed = FeedContext { title: None, site_url: None, language: None, furniture: &furniture };
    normalize::normalize(&entry, &feed, &normalize::Options::default(), now)
}

/// How the engine learns what a source repeats: as the line does.
pub(super) const LEARNER: Furniture = Furniture {
    units: |body| furniture::units(body).collect(),
    strip: |body, learned| writer::strip(body, learned).into_owned(),
    learned_after: furniture::LEARNED_AFTER,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_as_people_write_them() {
        for text in [
            "2026-11-23T09:15:00Z",
            "2026-11-23T10:15:00+01:00",
            "2026-11-23T09:15:00",
            "2026-11-23 09:15",
            "Mon, 23 Nov 2026 09:15:00 GMT",
        ] {
            assert_eq!(instant(text).unwrap().to_string(), "2026-11-23T09:15:00Z", "{text}");
        }
        assert_eq!(instant("2026-11-23").unwrap().to_string(), "2026-11-23T00:00:00Z");
        assert!(instant("yesterday").is_err());
    }

    #[test]
    fn sources_are_feeds_and_no_source_is_a_feed_of_its_own() {
        let mut judge = Judge::new(Options::default(), false);
        let feeds: Vec<i64> = [Some("a"), None, Some("b"), Some("a"), None]
            .map(|source| judge.feed(source.map(str::to_owned)).0)
            .into();
        assert_eq!(feeds, [1, 2, 3, 1, 4]);
    }
}
