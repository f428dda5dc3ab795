//! What `parse` makes of the fixture documents, beside what we expect of it.
//!
//! `NAME.expected.json` stands beside each document of `tests/fixtures/feeds`. After an intended change run
//! with `NEWSFOLD_BLESS=1` and review the difference.

use std::{fs, path::Path};

use newsfold::{
    model::{Document, Entry, Known, ParsedFeed, RawDate, RawText},
    parse::{Limits, parse},
};
use serde_json::{Value, json};

#[test]
fn fixtures_are_read_as_expected() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/feeds");
    let mut seen = 0;
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name.ends_with(".expected.json") {
            continue;
        }
        let document = Document {
            bytes: fs::read(&path).unwrap(),
            content_type: None,
            url: "https://feeds.example/dir/feed".to_owned(),
        };
        let feed = parse(&document, &Known::default(), &Limits::default()).unwrap();
        let read = serde_json::to_string_pretty(&value(&feed)).unwrap() + "\n";
        let expected = path.with_file_name(format!("{name}.expected.json"));
        if std::env::var_os("NEWSFOLD_BLESS").is_some() {
            fs::write(&expected, &read).unwrap();
        }
        assert_eq!(read, fs::read_to_string(&expected).unwrap(), "{name}");
        seen += 1;
    }
    assert!(seen >= 10, "{seen} fixtures");
}

fn value(feed: &ParsedFeed) -> Value {
    json!({
        "format": feed.format,
        "title": feed.title,
        "site_url": feed.site_url,
        "language": feed.language,
        "min_interval_seconds": feed.hints.min_interval_seconds,
        "skip_hours": feed.hints.skip_hours,
        "skip_days": feed.hints.skip_days,
        "new_feed_url": feed.new_feed_url,
        "hubs": feed.hubs,
        "repairs": feed.repairs,
        "entries": feed.entries.iter().map(entry).collect::<Vec<_>>(),
    })
}

fn entry(entry: &Entry) -> Value {
    json!({
        "guid": entry.guid,
        "url": entry.url,
        "original_url": entry.original_url,
        "title": entry.title.as_ref().map(text),
        "content": entry.content.as_ref().map(text),
        "summary": entry.summary.as_ref().map(text),
        "authors": entry.authors,
        "tags": entry.tags,
        "language": entry.language,
        "published": entry.published.as_ref().map(date),
        "updated": entry.updated.as_ref().map(date),
        "extras": entry.extras,
    })
}

fn text(text: &RawText) -> Value {
    json!({ "value": text.value, "markup": format!("{:?}", text.markup) })
}

fn date(date: &RawDate) -> Value {
    json!({ "raw": date.raw, "at": date.at })
}
