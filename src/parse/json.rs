//! JSON Feed 1 and 1.1, read leniently: any type where another was meant, unknown versions, broken JSON.
//!
//! In: the text. Out: the feed. Items are told apart by their raw text first, so that known ones are skipped
//! unread, and only the members that mean something are read. A document that is not JSON (cut off, trailing
//! commas) is first made JSON by `loose_json`, as far as it goes.

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value, value::RawValue};

use super::{
    Error, Limits,
    dates::raw_date,
    entries::Sorter,
    head::one_line,
    links,
    loose_json::{self, ITEM_KEYS},
    persons,
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
    #[serde(borrow, default, deserialize_with = "present")]
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

/// A member that is there, be it `null`: an empty list, as some serializers write it.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Raw<'de>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

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
    let mut is_cut = false;
    let top: Top<'_> = match serde_json::from_str(text) {
        Ok(top) => top,
        Err(error) => {
            is_cut = error.is_eof() || !text.trim_end().ends_with('}');
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
    feed.is_cut = is_cut;
    Ok(feed)
}

fn not_a_feed() -> Error {
    Error::NotAFeed { what: "JSON without a list of items", feeds: Vec::new() }
}

/// The elements of a JSON list, unread; of an object in its place the members, or the one item that it is.
fn list(raw: &RawValue, limit: usize) -> Result<Vec<&RawValue>, Error> {
    let mut json = serde_json::Deserializer::from_str(raw.get());
    let list = json.deserialize_any(Upto { limit }).map_err(|_| not_a_feed())?;
    let list = match list {
        Listed::Elements(list) => list,
        Listed::Item => vec![raw],
    };
    match list.as_slice() {
        // `{"item": [...]}`
        [only] if raw.get().starts_with('{') && only.get().starts_with('[') => {
            self::list(only, limit)
        }
        list if list.len() > limit => Err(Error::TooManyEntries { limit }),
        _ => Ok(list),
    }
}

/// What stands where a list of items should.
enum Listed<'a> {
    Elements(Vec<&'a RawValue>),
    /// One item without the list around it.
    Item,
}

/// Keeps one element more than the limit: a list of millions is counted, not built.
struct Upto {
    limit: usize,
}

impl<'de> Visitor<'de> for Upto {
    type Value = Listed<'de>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list of items")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Listed::Elements(Vec::new()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while list.len() <= self.limit
            && let Some(item) = items.next_element()?
        {
            list.push(item);
        }
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Listed::Elements(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        let mut is_item = false;
        while let Some(key) = members.next_key::<String>()? {
            is_item |= ITEM_KEYS.contains(&key.as_str());
            let value = members.next_value()?;
            if list.len() <= self.limit {
                list.push(value);
            }
        }
        Ok(if is_item { Listed::Item } else { Listed::Elements(list) })
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
    let urls = hubs.iter().filter_map(|hub| text_of(hub.get("url").unwrap_or(hub)));
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
    if raw.starts_with(['{', '[']) && raw.len() > MAX_LIST_BYTES {
        return None;
    }
    if raw.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
        // As written: an id may have more digits than any number type.
        return Some(raw.to_owned());
    }
    // Half a surrogate pair, say.
    text_of(&serde_json::from_str(raw).unwrap_or_else(|_| loose_json::read(raw)))
}

/// The member that is an object's text, where an object was given for a text.
const TEXT_KEYS: [&str; 6] = ["name", "value", "rendered", "url", "href", "label"];

/// The text of a value: of a list its first element's, of an object its most telling member's.
fn text_of(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => with_line_feeds(text.trim().to_owned()),
        Value::Number(number) => number.to_string(),
        Value::Array(list) => {
            return list.first().filter(|first| !first.is_array()).and_then(text_of);
        }
        Value::Object(members) => {
            let texts = TEXT_KEYS.iter().filter_map(|key| members.get(*key));
            return texts.filter(|text| text.is_string() || text.is_number()).find_map(text_of);
        }
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
        tags: tags(item.tags),
        language: string(item.language),
        published: date(item.date_published),
        updated: date(item.date_modified),
        extras,
        raw_hash,
        ..Entry::default()
    }
}

/// A list of tags, or one text with commas between them.
fn tags(raw: Raw<'_>) -> Vec<String> {
    let texts: Vec<String> = values(raw).iter().filter_map(text_of).collect();
    match texts.as_slice() {
        [only] => {
            let tags = only.split(',').map(str::trim).filter(|tag| !tag.is_empty());
            tags.map(str::to_owned).collect()
        }
        _ => texts,
    }
}

/// `authors`, or version 1's `author`; each an object with a name, or just a name.
fn authors(authors: Raw<'_>, author: Raw<'_>) -> Vec<String> {
    let mut listed = values(authors);
    if listed.is_empty() {
        listed = values(author);
    }
    listed.iter().filter_map(text_of).filter_map(|name| persons::name(&name)).collect()
}
