//! Sound documents damaged in the ways that publishers damage theirs; what is kept of their entries.

use newsfold::model::{Document, Entry};

/// A damage: its name and what it makes of a document.
pub(crate) type Damage = (&'static str, fn(&[u8], &mut Random) -> Vec<u8>);

/// The kinds of damage.
pub(crate) const KINDS: [Damage; 20] = [
    ("cut off", |bytes, random| bytes[..bytes.len() * (30 + random.below(65)) / 100].to_vec()),
    ("end tag of a field dropped", |bytes, random| without_one(bytes, &field_ends(bytes), random)),
    ("end tag of an entry dropped", |bytes, random| {
        without_one(bytes, &entry_tags(bytes, "</"), random)
    }),
    ("start tag of an entry dropped", |bytes, random| {
        without_one(bytes, &entry_tags(bytes, "<"), random)
    }),
    ("end tag misspelt", |bytes, random| match pick(&field_ends(bytes), random) {
        Some((start, _)) => insert(bytes, start + 3, b"x"),
        None => bytes.to_vec(),
    }),
    ("bare ampersands", |bytes, random| {
        let bytes = replace_all(bytes, b"&amp;", b"&");
        (0..5).fold(bytes, |bytes, _| insert(&bytes, text_position(&bytes, random), b" & "))
    }),
    ("stray <", |bytes, random| insert(bytes, text_position(bytes, random), b" < ")),
    ("stray < before a letter", |bytes, random| insert(bytes, text_position(bytes, random), b"<x")),
    ("wrong encoding byte", |bytes, random| insert(bytes, text_position(bytes, random), b"\x92")),
    ("lost namespaces", |bytes, _| without_declarations(bytes)),
    ("NULs", |bytes, random| {
        (0..5).fold(bytes.to_vec(), |bytes, _| {
            let at = random.below(bytes.len());
            insert(&bytes, at, b"\0")
        })
    }),
    ("doubled declaration", |bytes, _| {
        [b"<?xml version=\"1.0\"?>\n<?xml version=\"1.0\"?>\n", bytes].concat()
    }),
    ("junk before", |bytes, _| {
        [b"<br />\n<b>Warning</b>: x() in <b>y.php</b> on line <b>3</b><br />\n", bytes].concat()
    }),
    ("junk after", |bytes, _| {
        [bytes, b"\n<script>if (a < b && c) {}</script></body></html>"].concat()
    }),
    ("unclosed CDATA", |bytes, random| match pick(&all(bytes, b"]]>"), random) {
        Some((start, _)) => [&bytes[..start], &bytes[start + 3..]].concat(),
        None => insert(bytes, text_position(bytes, random), b"<![CDATA["),
    }),
    ("unclosed comment", |bytes, random| insert(bytes, text_position(bytes, random), b"<!-- ")),
    ("unquoted attributes", |bytes, _| replace_all(bytes, b"\"", b"")),
    ("unclosed quote", |bytes, random| without_one(bytes, &all(bytes, b"\""), random)),
    ("unknown entities", |bytes, random| {
        (0..5).fold(bytes.to_vec(), |bytes, _| {
            insert(&bytes, text_position(&bytes, random), b"&nbsp;&what;")
        })
    }),
    ("no root", |bytes, _| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let ends = ["</rss>", "</channel>", "</feed>", "</rdf:RDF>"];
        ends.iter().fold(text, |text, end| text.replace(end, "")).into_bytes()
    }),
];

/// A small generator, so that every run damages alike.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }
}

fn pick(spans: &[(usize, usize)], random: &mut Random) -> Option<(usize, usize)> {
    (!spans.is_empty()).then(|| spans[random.below(spans.len())])
}

fn without_one(bytes: &[u8], spans: &[(usize, usize)], random: &mut Random) -> Vec<u8> {
    match pick(spans, random) {
        Some((start, end)) => [&bytes[..start], &bytes[end..]].concat(),
        None => bytes.to_vec(),
    }
}

fn insert(bytes: &[u8], at: usize, what: &[u8]) -> Vec<u8> {
    [&bytes[..at], what, &bytes[at..]].concat()
}

fn replace_all(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut copied = 0;
    for (start, end) in all(bytes, from) {
        out.extend_from_slice(&bytes[copied..start]);
        out.extend_from_slice(to);
        copied = end;
    }
    out.extend_from_slice(&bytes[copied..]);
    out
}

fn all(bytes: &[u8], needle: &[u8]) -> Vec<(usize, usize)> {
    memchr::memmem::find_iter(bytes, needle).map(|at| (at, at + needle.len())).collect()
}

fn entry_tags(bytes: &[u8], opening: &str) -> Vec<(usize, usize)> {
    let mut tags = Vec::new();
    for name in ["item", "entry"] {
        for (start, end) in all(bytes, format!("{opening}{name}").as_bytes()) {
            if matches!(bytes.get(end), Some(b'>' | b' ' | b'\n'))
                && let Some(length) = bytes[end..].iter().position(|b| *b == b'>')
            {
                tags.push((start, end + length + 1));
            }
        }
    }
    tags
}

/// End tags of fields of entries: where damage hurts.
fn field_ends(bytes: &[u8]) -> Vec<(usize, usize)> {
    let names =
        ["title", "link", "description", "guid", "pubDate", "summary", "content", "id", "updated"];
    names.iter().flat_map(|name| all(bytes, format!("</{name}>").as_bytes())).collect()
}

/// A place in a text, not in a tag, in the part of the document that holds entries.
fn text_position(bytes: &[u8], random: &mut Random) -> usize {
    let first = entry_tags(bytes, "<").iter().map(|tag| tag.1).min().unwrap_or(0);
    for _ in 0..200 {
        let at = first + random.below(bytes.len() - first);
        let before = bytes[..at].iter().rev().find(|b| matches!(b, b'<' | b'>'));
        if before == Some(&b'>') && (bytes[at] & 0xc0) != 0x80 {
            return at;
        }
    }
    first
}

fn without_declarations(bytes: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find(" xmlns:") {
        out.push_str(&rest[..at]);
        let tail = &rest[at + 1..];
        let end = tail.find(['"', '\'']).and_then(|open| {
            let quote = tail[open..].chars().next()?;
            tail[open + 1..].find(quote).map(|close| open + close + 2)
        });
        rest = &tail[end.unwrap_or(0)..];
    }
    out.push_str(rest);
    out.into_bytes()
}

/// How many of `sound` are among `damaged`: by guid, link or title, each only once.
pub(crate) fn kept(sound: &[Entry], damaged: &[Entry]) -> usize {
    let mut left: Vec<&Entry> = damaged.iter().collect();
    let title = |entry: &Entry| entry.title.as_ref().map(|title| title.value.clone());
    let same = |a: &Entry, b: &Entry| {
        a.guid.is_some() && a.guid == b.guid
            || a.url.is_some() && a.url == b.url
            || title(a).is_some() && title(a) == title(b)
            || a.summary.is_some() && a.summary == b.summary
    };
    let is_blank =
        |entry: &Entry| entry.guid.is_none() && entry.url.is_none() && title(entry).is_none();
    let find = |entry: &Entry, left: &mut Vec<&Entry>| {
        let at = left.iter().position(|other| same(entry, other) || is_blank(entry));
        at.map(|at| left.remove(at)).is_some()
    };
    sound.iter().filter(|entry| find(entry, &mut left)).count()
}

/// How many entries a damaged document can still have: cut off, those that end before the cut.
pub(crate) fn possible(kind: &str, damaged: &[u8], sound: usize) -> usize {
    match kind {
        "cut off" => entry_tags(damaged, "</").len().min(sound),
        _ => sound,
    }
}

/// The document with other bytes.
pub(crate) fn with_bytes(document: &Document, bytes: Vec<u8>) -> Document {
    Document { bytes, ..document.clone() }
}
