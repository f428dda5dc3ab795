//! `parse` on real feed documents and their expected values, and on what damage makes of them.
//!
//! The documents are not part of this repository: `NEWSFOLD_DATA` names the folder that holds
//! `feeds/manifest.jsonl`. `NEWSFOLD_DIFFERENCES` names a file to write every difference to.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test may panic and says what it skips and measures"
)]

use std::{fmt::Write as _, fs, path::PathBuf};

use newsfold::{
    model::{Document, Known, ParsedFeed, Timestamp},
    parse::{Error, Limits, parse},
};
use serde_json::Value;

use crate::damage;

/// One line of the manifest that is not in doubt, with its document.
struct Case {
    file: String,
    document: Document,
    expected: Value,
}

fn cases() -> Option<Vec<Case>> {
    let Some(data) = std::env::var_os("NEWSFOLD_DATA") else {
        eprintln!("skipped: NEWSFOLD_DATA is not set");
        return None;
    };
    let folder = PathBuf::from(data).join("feeds");
    let manifest = fs::read_to_string(folder.join("manifest.jsonl")).unwrap();
    let lines = manifest.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let cases = lines.filter(|line| line["doubtful"] == false).map(|line| {
        let file = line["file"].as_str().unwrap().to_owned();
        let header = |name: &str| line["http_headers"][name].as_str().map(str::to_owned);
        let document = Document {
            bytes: fs::read(folder.join(&file)).unwrap(),
            content_type: header("content-type"),
            // Where the reference was told that documents came from.
            url: header("content-location")
                .unwrap_or_else(|| "http://feeds.example.test/dir/feed.xml".into()),
        };
        Case { file, document, expected: line["expected"].clone() }
    });
    Some(cases.collect())
}

fn read(document: &Document) -> Result<ParsedFeed, Error> {
    parse(document, &Known::default(), &Limits::default())
}

/// Agreement on one field.
#[derive(Default)]
struct Agreement {
    same: usize,
    of: usize,
}

impl Agreement {
    fn count(&mut self, is_same: bool) {
        self.of += 1;
        self.same += usize::from(is_same);
    }

    fn share(&self) -> f64 {
        self.same as f64 / self.of.max(1) as f64
    }
}

/// The reference's instant; of JSON feeds it has the text.
fn instant(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    let instant: jiff::Timestamp = match text.parse() {
        Ok(instant) => instant,
        Err(_) => match jiff::fmt::rfc2822::parse(text) {
            Ok(instant) => instant.timestamp(),
            // Without a zone: UTC.
            Err(_) => format!("{text}Z").parse().or_else(|_| format!("{text}:00Z").parse()).ok()?,
        },
    };
    Some(Timestamp::from_unix_seconds(instant.as_second())?.to_string())
}

/// A text without markup, references and white space, for comparing what two programs read.
fn bare(text: &str) -> String {
    let mut bare = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        bare.push_str(&rest[..at]);
        let is_tag =
            rest[at + 1..].starts_with(|c: char| c.is_ascii_alphabetic() || "/!".contains(c));
        rest = match rest[at..].find('>').filter(|_| is_tag) {
            Some(end) => &rest[at + end + 1..],
            None => {
                bare.push('<');
                &rest[at + 1..]
            }
        };
    }
    bare.push_str(rest);
    for (name, character) in [
        ("&nbsp;", "\u{a0}"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ] {
        bare = bare.replace(name, character);
    }
    bare.split_whitespace().collect()
}

#[test]
fn every_feed_is_read_and_its_entries_agree() {
    let Some(cases) = cases() else { return };
    let (mut title, mut link, mut published) =
        (Agreement::default(), Agreement::default(), Agreement::default());
    let (mut lost, mut fewer, mut more) = (0, 0, 0);
    let mut differences = String::new();
    for case in &cases {
        let expected = case.expected["entries"].as_array().unwrap();
        let feed = match read(&case.document) {
            Ok(feed) => feed,
            Err(error) => {
                if case.expected["parsed"] == true {
                    lost += 1;
                    writeln!(differences, "LOST {} {} {error}", case.file, case.expected["format"])
                        .unwrap();
                }
                continue;
            }
        };
        let listed = case.expected["n_entries"].as_u64().unwrap() as usize;
        if feed.entries.len() < listed {
            fewer += 1;
            writeln!(differences, "FEWER {} {} of {listed}", case.file, feed.entries.len())
                .unwrap();
        }
        if feed.entries.len() > listed {
            more += 1;
            writeln!(differences, "MORE {} {} of {listed}", case.file, feed.entries.len()).unwrap();
        }
        for (entry, expected) in feed.entries.iter().zip(expected) {
            let text = |key: &str| expected[key].as_str().unwrap_or("").to_owned();
            let ours = entry.title.as_ref().map_or("", |title| &title.value);
            title.count(bare(ours) == bare(&text("title")));
            if bare(ours) != bare(&text("title")) {
                writeln!(
                    differences,
                    "TITLE {}\n  ours {ours:?}\n  ref  {:?}",
                    case.file,
                    text("title")
                )
                .unwrap();
            }
            let ours = entry.url.as_deref().unwrap_or("");
            link.count(ours == text("link"));
            if ours != text("link") {
                writeln!(
                    differences,
                    "LINK {}\n  ours {ours:?}\n  ref  {:?} id {:?}",
                    case.file,
                    text("link"),
                    text("id")
                )
                .unwrap();
            }
            // The date of an article is its publication's, else its update's: `dc:date` is the one to us and
            // the other to the reference.
            let dates = entry.published.iter().chain(&entry.updated);
            let ours = dates
                .filter_map(|date| date.at)
                .next()
                .map(|at| at.to_string())
                .unwrap_or_default();
            let theirs = instant(&expected["published"]).or_else(|| instant(&expected["updated"]));
            let theirs = theirs.unwrap_or_default();
            published.count(ours == theirs);
            if ours != theirs {
                let raw = entry.published.as_ref().map(|date| date.raw.clone());
                writeln!(
                    differences,
                    "PUBLISHED {}\n  ours {ours:?} {raw:?}\n  ref  {:?} {} updated {} {}",
                    case.file,
                    text("published"),
                    expected["published_raw"],
                    expected["updated"],
                    expected["updated_raw"]
                )
                .unwrap();
            }
        }
    }
    eprintln!(
        "{} documents: {lost} lost, {fewer} with fewer entries, {more} with more",
        cases.len()
    );
    for (name, agreement) in [("title", &title), ("link", &link), ("published", &published)] {
        eprintln!("{name}: {}/{} = {:.4}", agreement.same, agreement.of, agreement.share());
    }
    if let Some(file) = std::env::var_os("NEWSFOLD_DIFFERENCES") {
        fs::write(file, differences).unwrap();
    }
    // Floors a little under what was reached; docs/parsing.md sorts the differences.
    assert_eq!((lost, fewer), (0, 0));
    assert!(title.share() >= 0.995 && link.share() >= 0.978 && published.share() >= 0.995);
}

#[test]
fn damaged_documents_keep_their_entries() {
    let Some(cases) = cases() else { return };
    let mut differences = String::new();
    let mut by_kind = vec![(0usize, 0usize); damage::KINDS.len()];
    let mut documents = 0;
    for (number, case) in cases.iter().enumerate() {
        let Ok(sound) = read(&case.document) else { continue };
        if sound.entries.len() < 2 || sound.format.starts_with("json") || !sound.repairs.is_empty()
        {
            continue;
        }
        documents += 1;
        for (kind, (name, apply)) in damage::KINDS.iter().enumerate() {
            let mut random =
                damage::Random(0x9e37_79b9_7f4a_7c15 ^ (number as u64 * 131 + kind as u64));
            let bytes = apply(&case.document.bytes, &mut random);
            let possible = damage::possible(name, &bytes, sound.entries.len());
            let damaged = read(&damage::with_bytes(&case.document, bytes));
            let entries = damaged.map(|feed| feed.entries).unwrap_or_default();
            let kept = damage::kept(&sound.entries, &entries).min(possible);
            by_kind[kind].0 += kept;
            by_kind[kind].1 += possible;
            if kept < possible {
                writeln!(differences, "{name}: {kept} of {possible} {}", case.file).unwrap();
            }
        }
    }
    let (kept, of) = by_kind.iter().fold((0, 0), |sum, kind| (sum.0 + kind.0, sum.1 + kind.1));
    for ((kept, of), (name, _)) in by_kind.iter().zip(damage::KINDS) {
        eprintln!("{name}: {kept}/{of} = {:.4}", *kept as f64 / *of as f64);
    }
    eprintln!("{documents} documents, {kept}/{of} = {:.4} entries kept", kept as f64 / of as f64);
    if let Some(file) = std::env::var_os("NEWSFOLD_DAMAGE") {
        fs::write(file, differences).unwrap();
    }
    assert!(kept as f64 >= 0.997 * of as f64);
}
