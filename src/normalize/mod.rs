//! An entry as its publisher wrote it becomes the article that a reader would print.
//!
//! In: an [`Entry`], what is known of its feed, and the time of the poll. Out: an [`Article`]. Total: it never
//! fails, whatever the bytes; normalizing an article again gives the same text. Every cut is recorded.

use std::collections::HashSet;

use crate::model::{Article, BodySource, Cut, Entry, PublishedSource, RawText, Timestamp};

pub mod furniture;
pub mod page;

pub use page::{Page, normalize_page};

/// What is known of the feed that an entry stands in.
#[derive(Clone, Copy, Debug)]
pub struct FeedContext<'a> {
    /// The feed's title, plain text.
    pub title: Option<&'a str>,
    /// The web page that the feed belongs to.
    pub site_url: Option<&'a str>,
    /// Declared language of the feed.
    pub language: Option<&'a str>,
    /// Units ([`furniture::units`]) that this feed repeats in different articles.
    pub furniture: &'a HashSet<u64>,
}

/// Limits on what is read of one entry or page.
#[derive(Clone, Debug)]
pub struct Options {
    /// Bytes of one content, summary or page that are read; what follows is left out.
    pub max_text_bytes: usize,
    /// Elements of a page that may stand inside each other; deeper ones are flattened.
    pub max_page_depth: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { max_text_bytes: 10 << 20, max_page_depth: 100 }
    }
}

/// Seconds that a publication date may lie ahead of the poll.
const MAX_SECONDS_AHEAD: i64 = 86_400;

/// Makes the clean article of an entry.
pub fn normalize(
    entry: &Entry,
    feed: &FeedContext<'_>,
    options: &Options,
    now: Timestamp,
) -> Article {
    let _ = options;
    let text =
        |raw: &Option<RawText>| raw.as_ref().map(|raw| raw.value.clone()).unwrap_or_default();
    let (published_at, published_source) = published(entry, now);
    let cuts: Vec<Cut> = Vec::new();
    let body = if entry.content.is_some() { text(&entry.content) } else { text(&entry.summary) };
    Article {
        guid: entry.guid.clone(),
        url: entry.original_url.clone().or_else(|| entry.url.clone()),
        title: text(&entry.title),
        word_count: body.split_whitespace().count() as u32,
        content_hash: 0,
        body,
        summary: entry.summary.as_ref().map(|raw| raw.value.clone()),
        author: (!entry.authors.is_empty()).then(|| entry.authors.join(", ")),
        tags: entry.tags.clone(),
        language: entry.language.clone().or_else(|| feed.language.map(str::to_owned)),
        published_at,
        published_source,
        updated_at: entry.updated.as_ref().and_then(|date| date.at),
        body_source: BodySource::Feed,
        cuts,
        extras: entry.extras.clone(),
        raw_hash: entry.raw_hash,
    }
}

/// The publication date, else the update date, neither more than a day ahead of the poll.
fn published(entry: &Entry, now: Timestamp) -> (Option<Timestamp>, Option<PublishedSource>) {
    let at = |date: &Option<crate::model::RawDate>| date.as_ref().and_then(|date| date.at);
    let (at, source) = match (at(&entry.published), at(&entry.updated)) {
        (Some(at), _) => (at, PublishedSource::Published),
        (None, Some(at)) => (at, PublishedSource::Updated),
        (None, None) => return (None, None),
    };
    if at.seconds_since(now) > MAX_SECONDS_AHEAD {
        return (Some(now), Some(PublishedSource::Clamped));
    }
    (Some(at), Some(source))
}
