//! JSON Feed 1 and 1.1, read leniently: any type where another was meant, unknown versions, broken JSON.
//!
//! In: the text. Out: the feed. Items are told apart by their raw text first, so that known ones are skipped
//! unread; a document that is not JSON (cut off, trailing commas) is read by `loose_json` as far as it goes.

use std::collections::HashMap;

use serde_json::{Map, Value, value::RawValue};

use super::{
    Error, Limits, dates::raw_date, entries::Sorter, head::one_line, links, loose_json, persons,
};
use crate::model::{Entry, Markup, ParsedFeed, RawText};

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
    let mut feed = ParsedFeed::default();
    let top: Map<String, Value>;
    if let Some((strict, items)) = strict(text) {
        top = strict;
        check_count(items.len(), limits)?;
        for item in items {
            if let Some(raw_hash) = sorter.unknown(item.get()) {
                let value = serde_json::from_str(item.get()).unwrap_or(Value::Null);
                sorter.entries.extend(map_item(value, raw_hash, &sorter));
            }
        }
    } else {
        let Value::Object(mut loose) = loose_json::read(text) else { return Err(not_a_feed()) };
        feed.repairs.push("the JSON is broken; read as far as it goes".to_owned());
        let Some(Value::Array(items)) = loose.remove("items") else { return Err(not_a_feed()) };
        check_count(items.len(), limits)?;
        for item in items {
            if let Some(raw_hash) = sorter.unknown(&item.to_string()) {
                sorter.entries.extend(map_item(item, raw_hash, &sorter));
            }
        }
        top = loose;
    }
    map_top(&top, &mut feed, &sorter);
    let authors = authors(&top);
    for entry in sorter.entries.iter_mut().filter(|entry| entry.authors.is_empty()) {
        entry.authors.clone_from(&authors);
    }
    feed.entries = sorter.entries;
    feed.unchanged = sorter.unchanged;
    Ok(feed)
}

fn not_a_feed() -> Error {
    Error::NotAFeed { what: "JSON without a list of items", feeds: Vec::new() }
}

fn check_count(items: usize, limits: &Limits) -> Result<(), Error> {
    match items > limits.max_entries {
        true => Err(Error::TooManyEntries { limit: limits.max_entries }),
        false => Ok(()),
    }
}

/// The members besides `items`, and the items unread; `None` if it is not JSON or not of that shape.
fn strict(text: &str) -> Option<(Map<String, Value>, Vec<&RawValue>)> {
    let mut members: HashMap<String, &RawValue> = serde_json::from_str(text).ok()?;
    let items = members.remove("items")?;
    let items: Vec<&RawValue> = serde_json::from_str(items.get()).ok()?;
    let read = |(key, raw): (String, &RawValue)| Some((key, serde_json::from_str(raw.get()).ok()?));
    Some((members.into_iter().filter_map(read).collect(), items))
}

fn map_top(top: &Map<String, Value>, feed: &mut ParsedFeed, sorter: &Sorter<'_>) {
    let version = string(top.get("version")).unwrap_or_default();
    feed.format = match version.rsplit("/version/").next() {
        Some(number) if number.len() < 8 && !number.is_empty() => format!("json feed {number}"),
        _ => "json feed".to_owned(),
    };
    let title = string(top.get("title")).map(|value| RawText { value, markup: Markup::Plain });
    feed.title = title.map(one_line);
    feed.site_url =
        string(top.get("home_page_url")).and_then(|url| links::absolute(&url, sorter.base));
    feed.language = string(top.get("language"));
    if let Some(Value::Array(hubs)) = top.get("hubs") {
        let urls = hubs.iter().filter_map(|hub| string(hub.get("url")));
        feed.hubs = urls.filter_map(|url| links::absolute(&url, sorter.base)).take(8).collect();
    }
}

/// A text, whatever JSON type it was given as.
fn string(value: Option<&Value>) -> Option<String> {
    let text = match value? {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

fn map_item(item: Value, raw_hash: u64, sorter: &Sorter<'_>) -> Option<Entry> {
    let Value::Object(item) = item else { return None };
    let get = |key: &str| string(item.get(key));
    let link = |key: &str| get(key).and_then(|url| links::absolute(&url, sorter.base));
    let text = |key: &str, markup| get(key).map(|value| RawText { value, markup });
    let external = link("external_url");
    let plain = text("content_text", Markup::Plain);
    let content = text("content_html", Markup::Html).or(plain);
    let mut extras = Map::new();
    for key in ["image", "banner_image"] {
        extras.extend(link(key).map(|url| (key.to_owned(), Value::from(url))));
    }
    let url = link("url");
    if let (Some(external), true) = (&external, url.is_some()) {
        extras.insert("external_url".to_owned(), external.clone().into());
    }
    if let Some(attachments) = item.get("attachments").filter(|value| value.is_array()) {
        extras.insert("attachments".to_owned(), attachments.clone());
    }
    Some(Entry {
        guid: get("id"),
        url: url.or(external),
        title: text("title", Markup::Plain),
        content,
        summary: text("summary", Markup::Plain),
        authors: authors(&item),
        tags: tags(item.get("tags")),
        language: get("language"),
        published: get("date_published").and_then(|date| raw_date(&date)),
        updated: get("date_modified").and_then(|date| raw_date(&date)),
        extras,
        raw_hash,
        ..Entry::default()
    })
}

/// `authors`, or version 1's `author`; each an object with a name, or just a name.
fn authors(of: &Map<String, Value>) -> Vec<String> {
    let listed = match of.get("authors") {
        Some(Value::Array(authors)) if !authors.is_empty() => authors.as_slice(),
        _ => match of.get("author") {
            Some(Value::Array(authors)) => authors.as_slice(),
            Some(author) => std::slice::from_ref(author),
            None => &[],
        },
    };
    let name = |author: &Value| string(author.get("name")).or_else(|| string(Some(author)));
    listed.iter().filter_map(name).filter_map(|name| persons::name(&name)).collect()
}

fn tags(tags: Option<&Value>) -> Vec<String> {
    match tags {
        Some(Value::Array(tags)) => tags.iter().filter_map(|tag| string(Some(tag))).collect(),
        other => string(other).into_iter().collect(),
    }
}
