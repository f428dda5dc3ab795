//! The part that feed-rs maps: categories, Media RSS and podcast transcripts.
//!
//! In: elements of an entry's tree. They are written as canonical XML (well-formed, known prefixes, values
//! that feed-rs is known to choke on left out), all new entries of a document as one RSS 2.0 document. Out:
//! each entry's tags and media. If feed-rs fails or panics on a document, each entry is tried alone, and one
//! that fails again keeps what the tree read: nothing that identifies or makes up an article depends on it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use feed_rs::model as fed;
use serde_json::{Map, Value, json};
use url::Url;

use super::{entry::Budget, links::absolute, names::Ns, tree::Tree};
use crate::model::Entry;

const OPENING: &str = concat!(
    "<rss version=\"2.0\" xmlns:media=\"http://search.yahoo.com/mrss/\"",
    " xmlns:podcast=\"https://podcastindex.org/namespace/1.0\"><channel>",
);
const CLOSING: &str = "</channel></rss>";

/// What feed-rs's structures take in memory for a category and for a media element, about.
const TEXT_COST: usize = 128;
const MEDIA_COST: usize = 512;

/// Tags kept of one entry.
const MAX_TAGS: usize = 64;

/// The canonical document under construction.
pub(super) struct Canonical<'a> {
    xml: String,
    /// Where each entry's `<item>` begins, and where it ends.
    items: Vec<(usize, usize)>,
    item_start: usize,
    budget: &'a Budget,
}

impl<'a> Canonical<'a> {
    /// An empty document.
    pub(super) fn new(budget: &'a Budget) -> Self {
        Self { xml: OPENING.to_owned(), items: Vec::new(), item_start: 0, budget }
    }

    /// Begins the next entry.
    pub(super) fn begin(&mut self) {
        self.item_start = self.xml.len();
        self.xml.push_str("<item>");
    }

    /// Ends it.
    pub(super) fn end(&mut self) {
        self.xml.push_str("</item>");
        self.items.push((self.item_start, self.xml.len()));
    }

    /// Writes `node` if it is feed-rs's to map.
    pub(super) fn take(&mut self, tree: &Tree<'_>, node: usize, base: Option<&Url>) {
        if self.budget.is_spent() {
            return;
        }
        let name = tree.name(node);
        match (tree.node(node).ns, name.as_str()) {
            (Ns::Feed, "category") => {
                let label = tree.attribute(node, "label").or_else(|| tree.attribute(node, "term"));
                self.text_element("category", &label.unwrap_or_else(|| tree.plain_text(node)));
            }
            (Ns::Dc, "subject") => self.text_element("category", &tree.plain_text(node)),
            (Ns::Media, _) => self.media(tree, node, &name, base, 0),
            (Ns::Podcast, "transcript") => self.transcript(tree, node, base),
            _ => {}
        }
    }

    /// Media RSS: groups, contents and what describes them.
    fn media(
        &mut self,
        tree: &Tree<'_>,
        node: usize,
        name: &str,
        base: Option<&Url>,
        depth: usize,
    ) {
        match name {
            "title" | "description" => {
                let is_html =
                    tree.attribute(node, "type").is_some_and(|kind| kind.contains("html"));
                let text = tree.plain_text(node);
                // Without text feed-rs gives up the document.
                if !text.is_empty() {
                    let kind = if is_html { "html" } else { "plain" };
                    self.xml.push_str(&format!("<media:{name} type=\"{kind}\">"));
                    self.escaped(&text);
                    self.xml.push_str(&format!("</media:{name}>"));
                }
            }
            "credit" | "rating" => {
                self.text_element(&format!("media:{name}"), &tree.plain_text(node))
            }
            "group" | "content" | "thumbnail" | "player" | "community" | "starrating"
            | "statistics"
                if depth < 8 && self.budget.spend(MEDIA_COST) =>
            {
                let name = if name == "starrating" { "starRating" } else { name };
                self.xml.push_str(&format!("<media:{name}"));
                self.media_attributes(tree, node, base);
                self.xml.push('>');
                for child in tree.children(node).filter(|child| tree.node(*child).ns == Ns::Media) {
                    self.media(tree, child, &tree.name(child), base, depth + 1);
                }
                self.xml.push_str(&format!("</media:{name}>"));
            }
            _ => {}
        }
    }

    fn media_attributes(&mut self, tree: &Tree<'_>, node: usize, base: Option<&Url>) {
        if let Some(url) = tree.attribute(node, "url").and_then(|url| absolute(&url, base)) {
            self.attribute("url", &url);
        }
        for name in [
            "type",
            "width",
            "height",
            "fileSize",
            "duration",
            "average",
            "count",
            "views",
            "favorites",
        ] {
            if let Some(value) = tree.attribute(node, name).filter(|value| value.len() < 64) {
                self.attribute(name, &value);
            }
        }
    }

    fn transcript(&mut self, tree: &Tree<'_>, node: usize, base: Option<&Url>) {
        let url = tree.attribute(node, "url").and_then(|url| absolute(&url, base));
        if let (Some(url), Some(kind)) = (url, tree.attribute(node, "type")) {
            self.xml.push_str("<podcast:transcript");
            self.attribute("url", &url);
            self.attribute("type", &kind);
            self.xml.push_str("/>");
        }
    }

    fn text_element(&mut self, name: &str, text: &str) {
        if text.is_empty() || !self.budget.spend(TEXT_COST + text.len()) {
            return;
        }
        self.xml.push('<');
        self.xml.push_str(name);
        self.xml.push('>');
        self.escaped(text);
        self.xml.push_str("</");
        self.xml.push_str(name);
        self.xml.push('>');
    }

    fn attribute(&mut self, name: &str, value: &str) {
        self.xml.push(' ');
        self.xml.push_str(name);
        self.xml.push_str("=\"");
        self.escaped(value);
        self.xml.push('"');
    }

    fn escaped(&mut self, text: &str) {
        for piece in text.split_inclusive(['&', '<', '>', '"']) {
            let (plain, last) = match piece.char_indices().next_back() {
                Some((at, c @ ('&' | '<' | '>' | '"'))) => (&piece[..at], c),
                _ => (piece, ' '),
            };
            self.xml.push_str(plain);
            self.xml.push_str(match last {
                '&' => "&amp;",
                '<' => "&lt;",
                '>' => "&gt;",
                '"' => "&quot;",
                _ => "",
            });
        }
    }

    /// Runs feed-rs and gives `entries` (as many as were begun) their tags and media. Says how many entries
    /// it failed on.
    pub(super) fn apply(mut self, entries: &mut [Entry]) -> usize {
        let is_empty = |(start, end): &(usize, usize)| end - start == "<item></item>".len();
        if self.items.iter().all(is_empty) {
            return 0;
        }
        self.xml.push_str(CLOSING);
        if let Some(feed) = run(&self.xml).filter(|feed| feed.entries.len() == entries.len()) {
            for (entry, mapped) in entries.iter_mut().zip(feed.entries) {
                take_mapped(entry, mapped);
            }
            return 0;
        }
        let mut failed = 0;
        for (entry, (start, end)) in entries.iter_mut().zip(&self.items) {
            let alone = format!("{OPENING}{}{CLOSING}", &self.xml[*start..*end]);
            match run(&alone).and_then(|feed| feed.entries.into_iter().next()) {
                Some(mapped) => take_mapped(entry, mapped),
                None => failed += 1,
            }
        }
        failed
    }
}

/// feed-rs on canonical XML; `None` if it fails or panics. Dates are read by `dates`, ids are the publisher's
/// or none, so both of its generators are off.
fn run(xml: &str) -> Option<fed::Feed> {
    let parser = feed_rs::parser::Builder::new()
        .timestamp_parser(|_| None)
        .id_generator(|_, _, _| String::new())
        .sanitize_content(false)
        .build();
    catch_unwind(AssertUnwindSafe(|| parser.parse(xml.as_bytes()).ok())).ok().flatten()
}

fn take_mapped(entry: &mut Entry, mapped: fed::Entry) {
    for category in mapped.categories.into_iter().take(MAX_TAGS) {
        let tag = category.term.split_whitespace().collect::<Vec<_>>().join(" ");
        if !tag.is_empty() && !entry.tags.contains(&tag) {
            entry.tags.push(tag);
        }
    }
    let media: Vec<Value> = mapped.media.into_iter().filter_map(media_value).collect();
    if !media.is_empty() {
        entry.extras.insert("media".to_owned(), Value::Array(media));
    }
}

fn media_value(object: fed::MediaObject) -> Option<Value> {
    let mut value = Map::new();
    let mut set = |key: &str, field: Option<Value>| {
        if let Some(field) = field {
            value.insert(key.to_owned(), field);
        }
    };
    set("title", object.title.map(|text| text.content.into()));
    set("description", object.description.map(|text| text.content.into()));
    set("duration_s", object.duration.map(|duration| duration.as_secs().into()));
    let contents: Vec<Value> = object.content.into_iter().map(content_value).collect();
    set("contents", (!contents.is_empty()).then_some(Value::Array(contents)));
    let thumbnails: Vec<Value> =
        object.thumbnails.into_iter().map(|thumbnail| thumbnail.image.uri.into()).collect();
    set("thumbnails", (!thumbnails.is_empty()).then_some(Value::Array(thumbnails)));
    let credits: Vec<Value> =
        object.credits.into_iter().map(|credit| credit.entity.into()).collect();
    set("credits", (!credits.is_empty()).then_some(Value::Array(credits)));
    let transcripts: Vec<Value> = object
        .transcripts
        .into_iter()
        .map(|transcript| json!({"url": transcript.url.as_str(), "type": transcript.content_type.to_string()}))
        .collect();
    set("transcripts", (!transcripts.is_empty()).then_some(Value::Array(transcripts)));
    (!value.is_empty()).then_some(Value::Object(value))
}

fn content_value(content: fed::MediaContent) -> Value {
    let mut value = Map::new();
    let mut set = |key: &str, field: Option<Value>| {
        if let Some(field) = field {
            value.insert(key.to_owned(), field);
        }
    };
    set("url", content.url.map(|url| String::from(url).into()));
    set("type", content.content_type.map(|kind| kind.to_string().into()));
    set("width", content.width.map(Value::from));
    set("height", content.height.map(Value::from));
    set("size", content.size.map(Value::from));
    set("duration_s", content.duration.map(|duration| duration.as_secs().into()));
    set("rating", content.rating.map(|rating| rating.value.into()));
    Value::Object(value)
}
