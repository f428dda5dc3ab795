//! A document to entries: bytes of any charset and any feed format, sound or broken.
//!
//! In: a [`Document`], what is known of its feed, limits. Out: a [`ParsedFeed`] with the new entries as their
//! publisher wrote them; entries whose raw text is known are listed, not read. Promises: pure; no panic; time
//! linear in the input; memory bounded by the limits; one bad entry never costs another; no id, date or link
//! is invented. docs/parsing.md says what is read and how it was measured.

use std::borrow::Cow;

use url::Url;

use crate::model::{Document, Known, ParsedFeed};

mod canonical;
mod charset;
mod dates;
mod entries;
mod entry;
mod head;
mod json;
mod links;
mod loose_json;
mod names;
mod outline;
mod page;
mod persons;
mod scan;
mod text;
mod tree;

pub use page::page_text;

/// What one document may ask of us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the decoded text.
    pub max_bytes: usize,
    /// Entries listed.
    pub max_entries: usize,
    /// Tags, comments and sections of XML.
    pub max_nodes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_bytes: 64 << 20, max_entries: 50_000, max_nodes: 2_000_000 }
    }
}

/// Why a document could not be read as a feed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is nothing in it.
    #[error("the document is empty")]
    Empty,
    /// It is something else.
    #[error("not a feed but {what}{}", named(feeds))]
    NotAFeed {
        /// What it seems to be.
        what: &'static str,
        /// The feeds that a web page names.
        feeds: Vec<String>,
    },
    /// More bytes of text than [`Limits::max_bytes`].
    #[error("the document has more than {limit} bytes of text")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// More entries than [`Limits::max_entries`].
    #[error("the document lists more than {limit} entries")]
    TooManyEntries {
        /// The limit.
        limit: usize,
    },
    /// More marks than [`Limits::max_nodes`].
    #[error("the document has more than {limit} tags")]
    TooManyNodes {
        /// The limit.
        limit: usize,
    },
}

impl Error {
    /// The word for `error_kind` columns; stable.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::NotAFeed { .. } => "not_a_feed",
            Self::TooLarge { .. } => "too_large",
            Self::TooManyEntries { .. } => "too_many_entries",
            Self::TooManyNodes { .. } => "too_many_nodes",
        }
    }
}

fn named(feeds: &[String]) -> String {
    match feeds {
        [] => String::new(),
        feeds => format!("; it names these feeds: {}", feeds.join(", ")),
    }
}

/// Reads a feed document.
///
/// # Errors
///
/// Fails where the document is empty, is no feed, or exceeds a limit; never because something in it is broken.
pub fn parse(document: &Document, known: &Known, limits: &Limits) -> Result<ParsedFeed, Error> {
    let decoded = charset::decode(&document.bytes, document.content_type.as_deref());
    let text = without_nuls(&decoded.text);
    let text = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    if text.is_empty() {
        return Err(Error::Empty);
    }
    if text.len() > limits.max_bytes {
        return Err(Error::TooLarge { limit: limits.max_bytes });
    }
    let url = Url::parse(&document.url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let mut feed = if text.starts_with('{') {
        let meaning = [decoded.charset, &document.url, "json"];
        let sorter = entries::Sorter::new(&known.raw_hashes, &meaning, url.as_ref());
        json::parse(text, sorter, limits)?
    } else {
        parse_xml(text, decoded.charset, known, url.as_ref(), limits)?
    };
    if decoded.damaged {
        feed.repairs.push(format!("bytes that are not {} were replaced", decoded.charset));
    }
    Ok(feed)
}

/// NULs mean nothing in text and part words in two.
fn without_nuls(text: &str) -> Cow<'_, str> {
    match memchr::memchr(0, text.as_bytes()) {
        Some(_) => Cow::Owned(text.replace('\0', "")),
        None => Cow::Borrowed(text),
    }
}

fn parse_xml(
    text: &str,
    charset: &str,
    known: &Known,
    url: Option<&Url>,
    limits: &Limits,
) -> Result<ParsedFeed, Error> {
    let mut outline = outline::outline(text, limits)?;
    if outline.root.is_none() {
        return Err(not_a_feed(text, outline.is_page, url));
    }
    let mut bindings = std::mem::take(&mut outline.bindings);
    let mut tree = tree::Tree::new(text, &outline.entities);
    tree.build(&outline.head, &mut bindings);
    let head::Head { mut feed, base, authors } = head::map(&mut tree, &outline, url);

    let meaning = [charset, base.as_ref().map_or("", Url::as_str), &feed.format];
    let mut sorter = entries::Sorter::new(&known.raw_hashes, &meaning, base.as_ref());
    let budget = entry::Budget::of(text.len());
    let is_atom = outline.root == Some(outline::Root::Atom);
    let context = entry::Context { base: base.as_ref(), budget: &budget, is_atom };
    let mut canonical = canonical::Canonical::new(&budget);
    for span in &outline.entries {
        let Some(raw_hash) = sorter.unknown(span.of(text)) else { continue };
        tree.build(&[*span], &mut bindings);
        canonical.begin();
        let mut entry = entry::map(&mut tree, &context, &mut canonical);
        canonical.end();
        entry.raw_hash = raw_hash;
        if entry.authors.is_empty() {
            entry.authors.clone_from(&authors);
        }
        sorter.entries.push(entry);
    }
    let unmapped = canonical.apply(&mut sorter.entries);
    feed.entries = sorter.entries;
    feed.unchanged = sorter.unchanged;
    feed.is_cut = outline.is_cut;
    if budget.is_spent() {
        feed.repairs.push("more tags, media and links than are kept".to_owned());
    }
    note_repairs(&mut feed, &outline, tree.is_flattened, unmapped);
    Ok(feed)
}

fn not_a_feed(text: &str, is_page: bool, url: Option<&Url>) -> Error {
    let feeds = page::feeds(text, url);
    let what = match text.starts_with('<') {
        _ if is_page || !feeds.is_empty() => "a web page",
        true => "some other XML",
        false => "some other text",
    };
    Error::NotAFeed { what, feeds }
}

fn note_repairs(
    feed: &mut ParsedFeed,
    outline: &outline::Outline,
    is_flattened: bool,
    unmapped: usize,
) {
    let repairs = &mut feed.repairs;
    if outline.repaired_entries > 0 {
        repairs.push(format!("{} entries without their start or end", outline.repaired_entries));
    }
    if is_flattened {
        repairs.push(format!("elements nested deeper than {} were flattened", tree::MAX_DEPTH));
    }
    if outline.entities.is_exhausted() {
        repairs.push("the document's own entities expand too far; left as written".to_owned());
    }
    if unmapped > 0 {
        repairs.push(format!(
            "feed-rs failed on {unmapped} entries: their tags and media are missing"
        ));
    }
}

#[cfg(test)]
mod tests;
