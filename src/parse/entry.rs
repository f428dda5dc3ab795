//! One entry's tree to an [`Entry`]: identity, texts, dates, links, people.
//!
//! One mapping serves every dialect, because publishers mix them: what an element means follows from its
//! vocabulary and name, and where two say the same thing the first that says anything wins. What feed-rs
//! maps (categories, media) is written into the canonical document instead; see `canonical`.

use std::cell::Cell;

use serde_json::{Map, Value, json};
use url::Url;

use super::{
    canonical::Canonical,
    dates::raw_date,
    links::{self, Link, absolute, is_http, relation},
    names::Ns,
    persons,
    text::with_endless_elements_as_words,
    tree::Tree,
};
use crate::model::{Entry, Markup, RawDate, RawText};

/// What an entry inherits from its document.
pub(super) struct Context<'a> {
    pub(super) base: Option<&'a Url>,
    /// What all extras of the document may still cost.
    pub(super) budget: &'a Budget,
    /// Whether a text without a type is plain (Atom) or anything (RSS).
    pub(super) is_atom: bool,
}

/// What is collected before the choices are made.
#[derive(Default)]
struct Found<'a> {
    links: Vec<Link>,
    guid: Option<String>,
    is_permalink: bool,
    identifier: Option<String>,
    titles: Ranked<RawText>,
    contents: Ranked<RawText>,
    summaries: Ranked<RawText>,
    published: Ranked<RawDate>,
    updated: Ranked<RawDate>,
    authors: Vec<String>,
    podcast_author: Option<String>,
    language: Option<String>,
    original_url: Option<String>,
    content_source: Option<String>,
    extras: Extras<'a>,
}

/// Keeps the value of the best rank; among equals the first.
struct Ranked<T> {
    best: Option<(u8, T)>,
}

impl<T> Default for Ranked<T> {
    fn default() -> Self {
        Self { best: None }
    }
}

impl<T> Ranked<T> {
    fn offer(&mut self, rank: u8, value: Option<T>) {
        let Some(value) = value else { return };
        if self.best.as_ref().is_none_or(|(best, _)| rank < *best) {
            self.best = Some((rank, value));
        }
    }

    fn take(self) -> Option<T> {
        self.best.map(|(_, value)| value)
    }
}

/// Maps the entry that `tree` holds; what feed-rs shall map goes to `canonical`.
pub(super) fn map(tree: &mut Tree<'_>, context: &Context<'_>, canonical: &mut Canonical) -> Entry {
    let root = entry_node(tree);
    tree.give_back(root);
    let base = links::rebased(context.base, tree.attribute(root, "xml:base").as_deref());
    let extras = Extras { map: Map::new(), budget: Some(context.budget) };
    let mut found = Found { is_permalink: true, extras, ..Found::default() };
    found.language = tree.attribute(root, "xml:lang");
    for child in tree.children(root) {
        map_child(tree, child, context, base.as_ref(), &mut found);
        canonical.take(tree, child, base.as_ref());
    }
    take_root_attributes(tree, root, &mut found);
    finish(found, base.as_ref())
}

/// The entry's element; the whole piece where its start tag is missing.
fn entry_node(tree: &Tree<'_>) -> usize {
    let first = tree.children(0).next();
    first.filter(|node| matches!(tree.name(*node).as_str(), "item" | "entry")).unwrap_or(0)
}

fn map_child(
    tree: &Tree<'_>,
    node: usize,
    context: &Context<'_>,
    base: Option<&Url>,
    found: &mut Found<'_>,
) {
    let ns = tree.node(node).ns;
    let name = tree.name(node);
    let text = || Some(tree.plain_text(node)).filter(|text| !text.is_empty());
    let date = || raw_date(&tree.plain_text(node));
    let construct = || text_construct(tree, node, context.is_atom);
    match (ns, name.as_str()) {
        (Ns::Feed, "title") => found.titles.offer(0, title(tree, node, context.is_atom)),
        (Ns::Dc, "title") => found.titles.offer(1, title(tree, node, context.is_atom)),
        (Ns::Media | Ns::Itunes, "title") => {
            found.titles.offer(2, title(tree, node, context.is_atom))
        }
        (Ns::Feed, "link" | "a") => {
            if let Some(link) = read_link(tree, node, base) {
                links::keep(&mut found.links, link);
            }
        }
        (Ns::Feed, "guid" | "id") => take_guid(tree, node, found),
        (Ns::Dc | Ns::DcTerms, "identifier") if found.identifier.is_none() => {
            found.identifier = text()
        }

        (Ns::Content, "encoded") => found.contents.offer(0, html(tree, node)),
        (Ns::Content, "items") => {}
        (Ns::Feed, "content") => {
            found.content_source = tree.attribute(node, "src").and_then(|src| absolute(&src, base));
            if let Some(language) = tree.attribute(node, "xml:lang") {
                found.language.get_or_insert(language);
            }
            found.contents.offer(1, construct());
        }
        (Ns::Xhtml, "body" | "div") | (Ns::Feed, "body" | "fullitem" | "div") => {
            found.contents.offer(2, html(tree, node));
        }
        (Ns::Feed, "encoded") => found.contents.offer(3, html(tree, node)),
        (Ns::Feed, "description" | "summary" | "abstract" | "tagline" | "subtitle") => {
            let text = construct();
            match &found.summaries.best {
                // A second text of the same rank is the longer form of the first.
                Some((0, _)) => found.contents.offer(4, text),
                _ => found.summaries.offer(0, text),
            }
        }
        (Ns::Dc | Ns::DcTerms, "description" | "abstract") => {
            found.summaries.offer(1, html(tree, node))
        }
        (Ns::Itunes, "summary") => found.summaries.offer(2, html(tree, node)),
        (Ns::Media, "description") => found.summaries.offer(3, html(tree, node)),
        (Ns::Itunes, "subtitle") => found.summaries.offer(4, html(tree, node)),

        (Ns::Feed, "pubdate" | "published") => offer_date(&mut found.published, 0, date()),
        (Ns::Feed, "issued") | (Ns::DcTerms | Ns::Dc, "issued") => {
            offer_date(&mut found.published, 1, date())
        }
        (Ns::Dc, "date") | (Ns::Feed, "date") => offer_date(&mut found.published, 2, date()),
        (Ns::Feed | Ns::Dc | Ns::DcTerms, "created") => offer_date(&mut found.published, 3, date()),
        (Ns::Other, "publicationdate") => offer_date(&mut found.published, 4, date()),
        (Ns::Feed, "updated" | "modified") => offer_date(&mut found.updated, 0, date()),
        (Ns::Dc | Ns::DcTerms, "modified" | "updated") => offer_date(&mut found.updated, 1, date()),
        (Ns::Feed, "lastbuilddate") => offer_date(&mut found.updated, 2, date()),

        (Ns::Feed, "author") | (Ns::Dc, "creator" | "author")
            if found.authors.len() < MAX_LISTED =>
        {
            found.authors.extend(person(tree, node));
        }

        (Ns::Itunes, "author") => {
            found.podcast_author = found.podcast_author.take().or_else(|| person(tree, node))
        }
        (Ns::Feed, "contributor") | (Ns::Dc, "contributor") => {
            found.extras.push("contributors", person(tree, node).map(Value::from));
        }
        // feed-rs keeps these only beside a title or a file, and panics on some durations.
        (Ns::Itunes, "duration") => {
            found.extras.set("duration_s", seconds(&tree.plain_text(node)).map(Value::from));
        }
        (Ns::Itunes | Ns::Podcast, "episode" | "season") => {
            found
                .extras
                .set(&name, text().and_then(|number| number.parse::<u32>().ok()).map(Value::from));
        }
        (Ns::Itunes, "image") | (Ns::Media, "thumbnail") => {
            let written = tree.attribute(node, "href").or_else(|| tree.attribute(node, "url"));
            let url = written.and_then(|url| absolute(&url, base));
            found.extras.set("thumbnail", url.map(Value::from));
        }
        (Ns::Feed | Ns::Dc, "language") => found.language = found.language.take().or_else(text),
        (Ns::FeedBurner, "origlink") | (Ns::Pheedo, "origlink") => {
            found.original_url = text().and_then(|link| absolute(&link, base));
        }
        (Ns::Feed, "enclosure") => found.extras.push("enclosures", enclosure(tree, node, base)),
        (Ns::Feed, "source") => {
            found.extras.set("source", source(tree, node, base));
        }
        (Ns::Dc, "source") => found.extras.set("source_reference", text().map(Value::from)),
        (Ns::Feed, "comments") => {
            let link = text().and_then(|link| absolute(&link, base));
            found.extras.set("comments_url", link.map(Value::from));
        }
        (Ns::Wfw, "commentrss") => {
            let link = text().and_then(|link| absolute(&link, base));
            found.extras.set("comments_feed", link.map(Value::from));
        }
        (Ns::Slash, "comments") | (Ns::Thr, "total") => {
            let count = text().and_then(|count| count.parse::<u64>().ok());
            found.extras.set("comments_count", count.map(Value::from));
        }
        (Ns::Thr, "in-reply-to") => {
            let link = tree.attribute(node, "href").or_else(|| tree.attribute(node, "ref"));
            found.extras.push("in_reply_to", link.map(Value::from));
        }
        (Ns::Feed, "rights" | "copyright") | (Ns::Dc, "rights") => {
            found.extras.set("rights", text().map(Value::from));
        }
        (Ns::Dc, "publisher") => found.extras.set("publisher", text().map(Value::from)),
        _ => {}
    }
}

/// A date that cannot be read gives way to any that can.
fn offer_date(dates: &mut Ranked<RawDate>, rank: u8, date: Option<RawDate>) {
    let is_read = date.as_ref().is_some_and(|date| date.at.is_some());
    dates.offer(if is_read { rank } else { rank + 100 }, date);
}

fn set(map: &mut Map<String, Value>, key: &str, value: Option<Value>) {
    if let Some(value) = value {
        map.entry(key).or_insert(value);
    }
}

/// What has no column of its own, while it is collected.
#[derive(Default)]
struct Extras<'a> {
    map: Map<String, Value>,
    budget: Option<&'a Budget>,
}

impl Extras<'_> {
    fn is_affordable(&self, value: &Value) -> bool {
        let text = value.as_str().map_or(0, str::len);
        self.budget.is_none_or(|budget| budget.spend(EXTRA_COST + text))
    }

    /// Keeps the first value of a key.
    fn set(&mut self, key: &str, value: Option<Value>) {
        if let Some(value) = value.filter(|value| self.is_affordable(value)) {
            self.map.entry(key).or_insert(value);
        }
    }

    /// Adds to the list of a key.
    fn push(&mut self, key: &str, value: Option<Value>) {
        let Some(value) = value.filter(|value| self.is_affordable(value)) else { return };
        if let Value::Array(list) = self.map.entry(key).or_insert_with(|| json!([]))
            && list.len() < MAX_LISTED
        {
            list.push(value);
        }
    }
}

/// How many people, links and things of one kind an entry lists.
const MAX_LISTED: usize = 64;

/// What a small JSON object takes in memory, about.
const EXTRA_COST: usize = 300;

/// A number of bytes that a document's lists may grow by: small elements become large structures.
#[derive(Debug)]
pub(super) struct Budget(Cell<usize>);

impl Budget {
    /// What a document of `length` bytes is granted.
    pub(super) fn of(length: usize) -> Self {
        Self(Cell::new(64 * 1_024 + length * 2))
    }

    /// Takes `cost`; false where there is not enough left.
    pub(super) fn spend(&self, cost: usize) -> bool {
        let left = self.0.get().checked_sub(cost);
        self.0.set(left.unwrap_or(0));
        left.is_some()
    }

    /// Whether nothing is left.
    pub(super) fn is_spent(&self) -> bool {
        self.0.get() == 0
    }
}

fn html(tree: &Tree<'_>, node: usize) -> Option<RawText> {
    let value = tree.html(node);
    (!value.is_empty()).then_some(RawText { value, markup: Markup::Html })
}

/// A text with its declared type: Atom's `text`, `html`, `xhtml` or a media type, Atom 0.3's `mode`.
pub(super) fn text_construct(tree: &Tree<'_>, node: usize, is_atom: bool) -> Option<RawText> {
    let declared = tree.attribute(node, "type").map(|kind| kind.to_ascii_lowercase());
    let kind = declared.as_deref().and_then(|kind| kind.split(';').next()).unwrap_or("").trim();
    if tree.attribute(node, "mode").is_some_and(|mode| mode.eq_ignore_ascii_case("base64")) {
        let value = text_of(base64(&tree.plain_text(node))?)?;
        let markup = if kind.contains("html") { Markup::Html } else { Markup::Plain };
        return Some(RawText { value: value.trim().to_owned(), markup });
    }
    let is_plain = match kind {
        "" => is_atom && !tree.has_elements(node),
        "text" | "plain" => !tree.has_elements(node),
        kind if kind.ends_with("html") || kind.contains("xhtml") => false,
        kind if kind.ends_with("xml") => false,
        kind if kind.starts_with("text/") => !tree.has_elements(node),
        // An image or another file inside the feed; text was seen to be sent so in base64, and JSON as it is.
        kind if kind.contains('/') => {
            let value = tree.plain_text(node);
            return match base64(&value) {
                Some(bytes) => Some(RawText { value: text_of(bytes)?, markup: Markup::Html }),
                None => Some(RawText { value, markup: Markup::Plain }),
            };
        }
        _ => false,
    };
    let (value, markup) = if is_plain {
        (tree.plain_text(node), Markup::Plain)
    } else {
        (tree.html(node), Markup::Html)
    };
    (!value.is_empty()).then_some(RawText { value, markup })
}

/// A title: whatever type it claims, its text is kept.
fn title(tree: &Tree<'_>, node: usize, is_atom: bool) -> Option<RawText> {
    let title = text_construct(tree, node, is_atom).or_else(|| {
        let value = tree.plain_text(node);
        (!value.is_empty()).then_some(RawText { value, markup: Markup::Plain })
    })?;
    Some(match title.markup {
        Markup::Html => RawText { value: with_endless_elements_as_words(title.value), ..title },
        Markup::Plain => title,
    })
}

/// Standard base64, white space ignored; Atom 0.3's `mode="base64"`.
fn base64(encoded: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(encoded.len() / 4 * 3);
    let (mut buffer, mut bits) = (0u32, 0u32);
    for byte in encoded.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=') {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        buffer = buffer << 6 | u32::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((buffer >> bits) as u8);
        }
    }
    Some(bytes)
}

/// The text that `bytes` are, if they are one.
fn text_of(bytes: Vec<u8>) -> Option<String> {
    let text = String::from_utf8(bytes).ok()?;
    let is_text = !text.is_empty() && !text.chars().any(|c| c.is_control() && !c.is_whitespace());
    is_text.then_some(text)
}

/// RSS `<link>url</link>` or Atom `<link href rel type>`.
pub(super) fn read_link(tree: &Tree<'_>, node: usize, base: Option<&Url>) -> Option<Link> {
    let base = links::rebased(base, tree.attribute(node, "xml:base").as_deref());
    let written = tree.attribute(node, "href").unwrap_or_else(|| tree.plain_text(node));
    let url = absolute(&written, base.as_ref())?;
    Some(Link {
        url,
        rel: relation(tree.attribute(node, "rel")),
        media_type: tree.attribute(node, "type").unwrap_or_default(),
        title: tree.attribute(node, "title"),
        length: tree.attribute(node, "length").and_then(|length| length.parse().ok()),
    })
}

fn take_guid(tree: &Tree<'_>, node: usize, found: &mut Found<'_>) {
    let text = tree.plain_text(node);
    if found.guid.is_some() || text.is_empty() {
        return;
    }
    found.guid = Some(text);
    if let Some(permalink) = tree.attribute(node, "isPermaLink") {
        found.is_permalink = !permalink.eq_ignore_ascii_case("false");
    }
}

/// `rdf:about` of RSS 1.0; `HREF` and `LASTMOD` of CDF.
fn take_root_attributes(tree: &Tree<'_>, root: usize, found: &mut Found<'_>) {
    if let Some(about) = tree.attribute(root, "rdf:about").or_else(|| tree.attribute(root, "about"))
    {
        found.guid.get_or_insert(about);
    }
    if let Some(href) = tree.attribute(root, "href") {
        found.links.push(Link { url: href, rel: "alternate".to_owned(), ..Link::default() });
    }
    if let Some(date) = tree.attribute(root, "lastmod").and_then(|date| raw_date(&date)) {
        found.updated.offer(50, Some(date));
    }
}

/// The name of `<author>`: its text, or the `<name>` or `<email>` inside it.
pub(super) fn person(tree: &Tree<'_>, node: usize) -> Option<String> {
    if !tree.has_elements(node) {
        return persons::name(&tree.plain_text(node));
    }
    let inner = |name| {
        let child = tree.children(node).find(|child| tree.name(*child) == name)?;
        persons::name(&tree.plain_text(child))
    };
    inner("name").or_else(|| inner("email")).or_else(|| persons::name(&tree.plain_text(node)))
}

fn enclosure(tree: &Tree<'_>, node: usize, base: Option<&Url>) -> Option<Value> {
    let written = tree.attribute(node, "url").or_else(|| tree.attribute(node, "href"))?;
    let url = absolute(&written, base)?;
    let length = tree.attribute(node, "length").and_then(|length| length.parse::<u64>().ok());
    Some(described_link(&url, tree.attribute(node, "type"), length, None))
}

/// `1:02:03`, `62:03`, `3723` in seconds.
fn seconds(duration: &str) -> Option<u64> {
    let parts: Option<Vec<u64>> =
        duration.split(':').map(|part| part.trim().parse().ok()).collect();
    let parts = parts.filter(|parts| parts.len() <= 3)?;
    parts.iter().try_fold(0u64, |sum, part| sum.checked_mul(60)?.checked_add(*part))
}

fn described_link(
    url: &str,
    media_type: Option<String>,
    length: Option<u64>,
    title: Option<&str>,
) -> Value {
    let mut link = Map::new();
    link.insert("url".into(), url.into());
    set(&mut link, "type", media_type.filter(|t| !t.is_empty()).map(Value::from));
    set(&mut link, "length", length.filter(|l| *l > 0).map(Value::from));
    set(&mut link, "title", title.map(Value::from));
    Value::Object(link)
}

/// The feed an entry was taken from: RSS `<source url>title</source>`, or Atom's whole element.
fn source(tree: &Tree<'_>, node: usize, base: Option<&Url>) -> Option<Value> {
    let mut source = Map::new();
    if tree.has_elements(node) {
        let title = tree.child(node, Ns::Feed, "title").map(|title| tree.plain_text(title));
        set(&mut source, "title", title.filter(|title| !title.is_empty()).map(Value::from));
        let links: Vec<Link> = tree
            .children(node)
            .filter(|child| tree.name(*child) == "link")
            .filter_map(|child| read_link(tree, child, base))
            .collect();
        set(&mut source, "url", links::best(&links).map(|link| link.url.clone().into()));
        let feed = links.iter().find(|link| link.rel == "self").map(|link| link.url.clone().into());
        set(&mut source, "feed_url", feed);
    } else {
        let title = Some(tree.plain_text(node)).filter(|title| !title.is_empty());
        set(&mut source, "title", title.map(Value::from));
        let url = tree.attribute(node, "url").and_then(|url| absolute(&url, base));
        set(&mut source, "feed_url", url.map(Value::from));
    }
    (!source.is_empty()).then_some(Value::Object(source))
}

/// Makes the choices.
fn finish(mut found: Found<'_>, base: Option<&Url>) -> Entry {
    let mut extras = found.extras;
    for link in &found.links {
        let key = match link.rel.as_str() {
            "enclosure" => "enclosures",
            "via" => "via",
            "related" => "related",
            "replies" => "replies",
            _ => continue,
        };
        let media_type = Some(link.media_type.clone());
        extras.push(
            key,
            Some(described_link(&link.url, media_type, link.length, link.title.as_deref())),
        );
    }
    let best = links::best(&found.links).and_then(|link| absolute(&link.url, base));
    let guid = found.guid.take().or(found.identifier);
    let permalink = guid.as_deref().filter(|guid| found.is_permalink && is_http(guid));
    let url =
        best.or_else(|| permalink.and_then(|guid| absolute(guid, None))).or(found.content_source);
    if found.authors.is_empty() {
        found.authors.extend(found.podcast_author);
    }
    let mut seen = Vec::new();
    found.authors.retain(|author| {
        let is_new = !seen.contains(author);
        seen.push(author.clone());
        is_new
    });
    Entry {
        guid,
        url,
        original_url: found.original_url,
        title: found.titles.take(),
        content: found.contents.take(),
        summary: found.summaries.take(),
        authors: found.authors,
        tags: Vec::new(),
        language: found.language,
        published: found.published.take(),
        updated: found.updated.take(),
        extras: extras.map,
        raw_hash: 0,
    }
}
