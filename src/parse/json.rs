//! JSON Feed 1 and 1.1, read leniently: any type where another was meant, unknown versions, broken JSON.
//!
//! In: the text. Out: the feed. Items are told apart by their raw text first, so that known ones are skipped
//! unread, and only the members that mean something are read. A document that is not JSON (cut off, trailing
//! commas) is first made JSON by `loose_json`, as far as it goes.

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, SeqAccess, Visitor},
};
use serde_json::{Map, Value, value::RawValue};

use super::{
    Error, Limits, dates::raw_date, entries::Sorter, head::one_line, links, loose_json, persons,
    text::with_line_feeds,
};
use crate::model::{Entry, Markup, ParsedFeed, RawText};

/// The longest list of people, tags or attachments that is read, in bytes of JSON.
const MAX_LIST_BYTES: usize = 64 * 1_024;

/// The members of a feed that are read. Unread ones are skipped at the speed of the tokenizer.
#[derive(Deserialize)]
struct Top<'a> {
    #[serde(borrow)]
    version: Raw<'a>,
    #[serde(borrow)]
    title: Raw<'a>,
    #[serde(borrow)]
    home_page_url: Raw<'a>,
    #[serde(borrow)]
    language: Raw<'a>,
    #[serde(borrow)]
    hubs: Raw<'a>,
    #[serde(borrow)]
    authors: Raw<'a>,
    #[serde(borrow)]
    author: Raw<'a>,
    #[serde(borrow)]
    items: Raw<'a>,
}

/// The members of an item that are read.
#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow)]
    id: Raw<'a>,
    #[serde(borrow)]
    url: Raw<'a>,
    #[serde(borrow)]
    external_url: Raw<'a>,
    #[serde(borrow)]
    title: Raw<'a>,
    #[serde(borrow)]
    content_html: Raw<'a>,
    #[serde(borrow)]
    content_text: Raw<'a>,
    #[serde(borrow)]
    summary: Raw<'a>,
    #[serde(borrow)]
    image: Raw<'a>,
    #[serde(borrow)]
    banner_image: Raw<'a>,
    #[serde(borrow)]
    date_published: Raw<'a>,
    #[serde(borrow)]
    date_modified: Raw<'a>,
    #[serde(borrow)]
    authors: Raw<'a>,
    #[serde(borrow)]
    author: Raw<'a>,
    #[serde(borrow)]
    tags: Raw<'a>,
    #[serde(borrow)]
    language: Raw<'a>,
    #[serde(borrow)]
    attachments: Raw<'a>,
}

type Raw<'a> = Option<&'a RawValue>;

/// Parses JSON Feed text.
///
/// # Errors
///
/// Fails where the text is some other JSON, or lists more items than `limits` allow.
pub(super) fn parse(
    text: &str,
    mut sorter: Sorter<'_>,
    limits: &Limits,
) -> Result<ParsedFeed, Error> {
    let repaired;
    let mut repairs = Vec::new();
    let top: Top<'_> = match serde_json::from_str(text) {
        Ok(top) => top,
        Err(_) => {
            repairs.push("the JSON is broken; read as far as it goes".to_owned());
            repaired = loose_json::read_feed(text).to_string();
            serde_json::from_str(&repaired).map_err(|_| not_a_feed())?
        }
    };
    let items = top.items.ok_or_else(not_a_feed)?;
    for item in list(items, limits.max_entries)? {
        if let Some(raw_hash) = sorter.unknown(item.get()) {
            let entry = match serde_json::from_str(item.get()) {
                Ok(item) => Some(map_item(&item, raw_hash, &sorter)),
                // A key that stands twice, say: the first one counts.
                Err(_) => {
                    let repaired = loose_json::read(item.get()).to_string();
                    let item = serde_json::from_str(&repaired).ok();
                    item.map(|item| map_item(&item, raw_hash, &sorter))
                }
            };
            sorter.entries.extend(entry);
        }
    }
    let authors = authors(top.authors, top.author);
    for entry in sorter.entries.iter_mut().filter(|entry| entry.authors.is_empty()) {
        entry.authors.clone_from(&authors);
    }
    let mut feed = map_top(&top, &sorter);
    feed.entries = sorter.entries;
    feed.unchanged = sorter.unchanged;
    feed.repairs = repairs;
    Ok(feed)
}

fn not_a_feed() -> Error {
    Error::NotAFeed { what: "JSON without a list of items", feeds: Vec::new() }
}

/// The elements of a JSON list, unread.
fn list(raw: &RawValue, limit: usize) -> Result<Vec<&RawValue>, Error> {
    let mut json = serde_json::Deserializer::from_str(raw.get());
    let list = json.deserialize_seq(Upto { limit }).map_err(|_| not_a_feed())?;
    if list.len() > limit {
        return Err(Error::TooManyEntries { limit });
    }
    Ok(list)
}

/// Keeps one element more than the limit: a list of millions is counted, not built.
struct Upto {
    limit: usize,
}

impl<'de> Visitor<'de> for Upto {
    type Value = Vec<&'de RawValue>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list of items")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while list.len() <= self.limit
            && let Some(item) = items.next_element()?
        {
            list.push(item);
        }
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(list)
    }
}

fn map_top(top: &Top<'_>, sorter: &Sorter<'_>) -> ParsedFeed {
    let version = string(top.version).unwrap_or_default();
    let format = match version.rsplit("/version/").next() {
        Some(number) if number.len() < 8 && !number.is_empty() => format!("json feed {number}"),
        _ => "json feed".to_owned(),
    };
    let title = string(top.title).map(|value| RawText { value, markup: Markup::Plain });
    let hubs = values(top.hubs);
    let urls = hubs.iter().filter_map(|hub| text_of(hub.get("url")?));
    ParsedFeed {
        format,
        title: title.map(one_line),
        site_url: string(top.home_page_url).and_then(|url| links::absolute(&url, sorter.base)),
        language: string(top.language),
        hubs: urls.filter_map(|url| links::absolute(&url, sorter.base)).take(8).collect(),
        ..ParsedFeed::default()
    }
}

/// A text, whatever JSON type it was given as.
fn string(raw: Raw<'_>) -> Option<String> {
    let raw = raw?.get();
    if raw.starts_with(['{', '[']) {
        return None;
    }
    if raw.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
        // As written: an id may have more digits than any number type.
        return Some(raw.to_owned());
    }
    // Half a surrogate pair, say.
    text_of(&serde_json::from_str(raw).unwrap_or_else(|_| loose_json::read(raw)))
}

fn text_of(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => with_line_feeds(text.trim().to_owned()),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

/// The elements of a short list; a single value is a list of one.
fn values(raw: Raw<'_>) -> Vec<Value> {
    let read = raw.filter(|raw| raw.get().len() <= MAX_LIST_BYTES);
    match read.and_then(|raw| serde_json::from_str(raw.get()).ok()) {
        Some(Value::Array(list)) => list,
        Some(Value::Null) | None => Vec::new(),
        Some(single) => vec![single],
    }
}

fn map_item(item: &Item<'_>, raw_hash: u64, sorter: &Sorter<'_>) -> Entry {
    let link = |raw| string(raw).and_then(|url| links::absolute(&url, sorter.base));
    let text = |raw, markup| string(raw).map(|value| RawText { value, markup });
    let date = |raw| string(raw).and_then(|date| raw_date(&date));
    let (url, external) = (link(item.url), link(item.external_url));
    let mut extras = Map::new();
    let mut set = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            extras.insert(key.to_owned(), value);
        }
    };
    set("image", link(item.image).map(Value::from));
    set("banner_image", link(item.banner_image).map(Value::from));
    set("external_url", external.clone().filter(|_| url.is_some()).map(Value::from));
    let attachments = values(item.attachments);
    set("attachments", (!attachments.is_empty()).then_some(Value::Array(attachments)));
    Entry {
        guid: string(item.id),
        url: url.or(external),
        title: text(item.title, Markup::Plain),
        content: text(item.content_html, Markup::Html)
            .or_else(|| text(item.content_text, Markup::Plain)),
        summary: text(item.summary, Markup::Plain),
        authors: authors(item.authors, item.author),
        tags: values(item.tags).iter().filter_map(text_of).collect(),
        language: string(item.language),
        published: date(item.date_published),
        updated: date(item.date_modified),
        extras,
        raw_hash,
        ..Entry::default()
    }
}

/// `authors`, or version 1's `author`; each an object with a name, or just a name.
fn authors(authors: Raw<'_>, author: Raw<'_>) -> Vec<String> {
    let mut listed = values(authors);
    if listed.is_empty() {
        listed = values(author);
    }
    let name = |author: &Value| author.get("name").and_then(text_of).or_else(|| text_of(author));
    listed.iter().filter_map(name).filter_map(|name| persons::name(&name)).collect()
}
