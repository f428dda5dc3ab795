//! An entry as its publisher wrote it becomes the article that a reader would print.
//!
//! In: an [`Entry`], what is known of its feed, and the time of the poll. Out: an [`Article`]. Total: it never
//! fails, whatever the bytes; normalizing an article again gives the same text. Every cut is recorded.

use std::collections::HashSet;

use xxhash_rust::xxh3::Xxh3;

use crate::model::{Article, BodySource, Entry, Markup, PublishedSource, RawDate, Timestamp};
use cuts::Cuts;

mod body;
mod characters;
mod cuts;
mod dateline;
mod entities;
mod fold;
pub mod furniture;
mod headline;
mod html;
mod language;
mod lines;
mod mojibake;
pub mod page;
mod tag;
mod title;
mod urls;
mod wrap;

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

/// Bytes that are kept of a date that cannot be read.
const MAX_RAW_DATE: usize = 100;
/// Seconds that a publication date may lie ahead of the poll.
const MAX_SECONDS_AHEAD: i64 = 86_400;

/// Makes the clean article of an entry.
pub fn normalize(
    entry: &Entry,
    feed: &FeedContext<'_>,
    options: &Options,
    now: Timestamp,
) -> Article {
    let mut cuts = Cuts::default();
    let title = title::clean(entry.title.as_ref(), feed, &mut cuts);
    let texts = body::clean(entry, title, feed, options, &mut cuts);
    let (published_at, published_source) = published(entry, now);
    Article {
        guid: entry.guid.clone(),
        url: urls::of_entry(entry),
        content_hash: content_hash(&texts.title, &texts.body),
        language: language::of(&texts.body, &texts.title, entry.language.as_deref(), feed.language),
        word_count: body::word_count(&texts.body),
        title: texts.title,
        body: texts.body,
        summary: texts.summary,
        author: author(&entry.authors),
        tags: tags(&entry.tags),
        published_at,
        published_source,
        updated_at: entry.updated.as_ref().and_then(|date| date.at),
        body_source: BodySource::Feed,
        cuts: cuts.into_vec(),
        extras: extras(entry, published_source),
        raw_hash: entry.raw_hash,
    }
}

/// Gives an article the text of its page, where that is the fuller one, and what the feed left out.
///
/// The page is handed in as [`normalize_page`] found it: its body is never a notice of a paywall or an error.
pub fn with_page(mut article: Article, page: Page) -> Article {
    article.author = article.author.or(page.author);
    article.language = article.language.or(page.language);
    // A canonical link to the front page is a mistake of the page's template.
    article.url = page.canonical_url.filter(|url| names_a_page(url)).or(article.url);
    if article.published_at.is_none() && page.published_at.is_some() {
        article.published_at = page.published_at;
        article.published_source = Some(PublishedSource::Published);
    }
    if article.title.is_empty() {
        article.title = page.title;
    }
    let words = body::word_count(&page.body);
    if words > article.word_count {
        if article.summary.is_none()
            && !page.body.starts_with(article.body.trim_end_matches(['.', '…', ' ']))
        {
            article.summary = Some(article.body).filter(|body| !body.is_empty());
        }
        article.body = page.body;
        article.word_count = words;
        article.body_source = BodySource::Page;
        article.cuts.retain(|cut| cut.place == "title");
        article.cuts.extend(page.cuts);
    }
    article.content_hash = content_hash(&article.title, &article.body);
    article
}

/// Whether a link has a path or a query.
fn names_a_page(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest).trim_end_matches('/');
    rest.contains(['/', '?'])
}

/// Equal for two articles between which a reader sees no difference.
fn content_hash(title: &str, body: &str) -> u64 {
    let mut hasher = Xxh3::new();
    hasher.update(title.as_bytes());
    hasher.update(b"\n");
    hasher.update(body.as_bytes());
    hasher.digest()
}

/// The publication date, else the update date, neither more than a day ahead of the poll.
fn published(entry: &Entry, now: Timestamp) -> (Option<Timestamp>, Option<PublishedSource>) {
    let at = |date: &Option<RawDate>| date.as_ref().and_then(|date| date.at);
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

/// What has no column, and the dates as published that became no instant or another one.
fn extras(
    entry: &Entry,
    source: Option<PublishedSource>,
) -> serde_json::Map<String, serde_json::Value> {
    let mut extras = entry.extras.clone();
    let is_clamped = source == Some(PublishedSource::Clamped);
    for (key, date) in [("published_raw", &entry.published), ("updated_raw", &entry.updated)] {
        if let Some(date) = date.as_ref().filter(|date| date.at.is_none() || is_clamped) {
            let end = date.raw.floor_char_boundary(MAX_RAW_DATE);
            extras.insert(key.to_owned(), date.raw[..end].into());
        }
    }
    extras
}

/// The authors' names, each once, joined by `, `.
fn author(authors: &[String]) -> Option<String> {
    let names = tags(authors).join(", ");
    (!names.is_empty()).then_some(names)
}

/// Short texts cleaned, without empty ones and repeats.
fn tags(raw: &[String]) -> Vec<String> {
    let mut tags: Vec<String> = Vec::with_capacity(raw.len());
    for tag in raw {
        let tag = html::lines(tag, Markup::Html).render_line();
        if !tag.is_empty() && !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    tags
}

#[cfg(test)]
mod tests;
