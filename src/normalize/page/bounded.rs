//! A page made harmless for a tree builder, and what its head says about it, in one linear pass.
//!
//! In: the text of a page. Out: the same page without scripts, styles, comments and tags that nest too deep or come
//! too often, and the facts that its `<meta>`, `<link>` and JSON-LD name. Tree builders and extractors take time that
//! grows with depth times size, so that the bounds here are what makes a hostile page harmless.

use std::ops::Range;

use memchr::memchr;

use super::{
    super::{
        Options, entities,
        html::lines,
        tag::{self, Tag},
    },
    boxes::{self, Role},
};
use crate::model::Markup;

/// Tags that are kept; the longest articles with their comments have a fifth. Further ones are dropped, their text
/// stays.
const MAX_TAGS: usize = 20_000;
/// Bytes kept of a page without its scripts; an extractor holds several copies of it as trees.
const MAX_BYTES: usize = 3 << 19;
/// Bytes of one JSON-LD script that are read.
const MAX_JSON_BYTES: usize = 1 << 18;
/// Forms of the headline that are kept.
const MAX_HEADLINES: usize = 6;
/// Bytes of an element that may be a headline.
const MAX_HEADLINE_BYTES: usize = 1_024;
/// Text outside links that a box beside an article may hold; what holds more may be the article.
const MAX_BOX_TEXT: usize = 2_500;
/// The same inside an `<article>` or `<main>`.
const MAX_INNER_BOX_TEXT: usize = 600;
/// Text between the headline and the standfirst: author and date.
const MAX_BEFORE_STANDFIRST: usize = 80;
/// How far up the open elements a closing tag looks for its own.
const MAX_LOOK_UP: usize = 128;

/// A page within bounds.
#[derive(Debug, Default)]
pub(super) struct Bounded {
    pub(super) html: String,
    pub(super) facts: Facts,
}

/// What a page says about itself.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) canonical: Option<String>,
    pub(super) og_url: Option<String>,
    pub(super) published: Option<String>,
    pub(super) language: Option<String>,
    /// JSON-LD says that the article is for subscribers.
    pub(super) is_for_subscribers: bool,
    /// The headline as `<title>`, `<h1>`, `og:title` and its like give it, each form once.
    pub(super) headlines: Vec<String>,
}

impl Facts {
    fn add_headline(&mut self, html: &str) {
        let headline = lines(html, Markup::Html).render_line();
        let is_new = !headline.is_empty() && !self.headlines.contains(&headline);
        if is_new && self.headlines.len() < MAX_HEADLINES {
            self.headlines.push(headline);
        }
    }
}

/// Reads a page; `boxes` says whether what stands beside an article by its name, and the head above it, stay.
pub(super) fn read(page: &str, boxes: Boxes, options: &Options) -> Bounded {
    let page = &page[..page.floor_char_boundary(options.max_text_bytes)];
    let mut pass = Pass {
        out: Bounded::default(),
        open: Vec::new(),
        kept: 0,
        tags: 0,
        max_depth: options.max_page_depth,
        has_comment_end: true,
        boxes,
        seen: Seen::default(),
        has_standfirst: false,
        h1: None,
        text_at_h1: None,
    };
    pass.out.html.reserve(page.len().min(MAX_BYTES));
    let mut at = 0;
    while at < page.len() && pass.out.html.len() < MAX_BYTES {
        let run = memchr(b'<', &page.as_bytes()[at..]).unwrap_or(page.len() - at);
        pass.text(&page[at..at + run]);
        at += run;
        if at < page.len() {
            at += pass.markup(&page[at..]);
        }
    }
    pass.out
}

/// What becomes of boxes: menus, newsletters, related links, and the head of the article.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Boxes {
    Keep,
    Drop,
}

/// What has been read so far.
#[derive(Clone, Copy, Default)]
struct Seen {
    /// Bytes of text outside links.
    text: usize,
    /// Elements that hold an article or are its headline.
    articles: usize,
    h1: usize,
}

/// An element that is open.
struct Open<'a> {
    name: &'a str,
    is_kept: bool,
    role: Option<Role>,
    /// Where its tag begins in the page that comes out.
    start: usize,
    /// What had been read before it.
    before: Seen,
}

struct Pass<'a> {
    out: Bounded,
    open: Vec<Open<'a>>,
    /// How many of `open` are kept.
    kept: usize,
    tags: usize,
    max_depth: usize,
    /// Whether a `-->` may still come.
    has_comment_end: bool,
    boxes: Boxes,
    seen: Seen,
    /// Whether the text below the headline has been met.
    has_standfirst: bool,
    /// Where the last `<h1>` stands in the page that comes out.
    h1: Option<Range<usize>>,
    /// How much text had been read at its end.
    text_at_h1: Option<usize>,
}

impl<'a> Pass<'a> {
    fn text(&mut self, text: &str) {
        let is_link = self.open.last().is_some_and(|open| open.role == Some(Role::Link));
        self.seen.text += if is_link { 0 } else { text.trim_ascii().len() };
        let room = MAX_BYTES.saturating_sub(self.out.html.len());
        self.out.html.push_str(&text[..text.floor_char_boundary(room)]);
    }

    /// Reads what begins with `<` and returns how many bytes it took.
    fn markup(&mut self, text: &'a str) -> usize {
        if let Some(length) = tag::declaration(text, &mut self.has_comment_end) {
            if text[..length].get(..9).is_some_and(|start| start.eq_ignore_ascii_case("<!doctype"))
            {
                self.out.html.push_str(&text[..length]);
            }
            return length;
        }
        let Some(tag) = tag::read(text) else {
            self.out.html.push_str("&lt;");
            return 1;
        };
        if tag.name.is_raw() && !tag.is_closing && !is_kept_raw(&tag) {
            return self.raw(&tag, text);
        }
        if tag.is_closing {
            self.close(&tag);
        } else {
            self.facts(&tag, &text[tag.length..]);
            self.open(&tag, &text[..tag.length]);
        }
        tag.length
    }

    /// Leaves a script or style out; of JSON-LD, its facts are read first and the script is kept.
    fn raw(&mut self, tag: &Tag<'_>, text: &str) -> usize {
        let rest = &text[tag.length..];
        let end = tag::raw_end(rest, tag.written).unwrap_or(0);
        let is_json = tag.attribute("type").is_some_and(|kind| kind.contains("ld+json"));
        if is_json && end <= MAX_JSON_BYTES {
            let json = &rest[..end];
            let facts = &mut self.out.facts;
            facts.is_for_subscribers |= is_false(json, "isAccessibleForFree");
            facts.published = facts.published.take().or_else(|| json_string(json, "datePublished"));
            self.out.html.push_str(&text[..tag.length + end]);
        }
        tag.length + end
    }

    fn open(&mut self, tag: &Tag<'a>, written: &str) {
        let name = tag.written;
        self.close_implied(name);
        if is_void(name) {
            if self.tags < MAX_TAGS {
                self.tags += 1;
                self.out.html.push_str(written);
            } else {
                self.out.html.push(' ');
            }
            return;
        }
        let is_kept = self.kept < self.max_depth && self.tags < MAX_TAGS;
        let (start, before) = (self.out.html.len(), self.seen);
        let role = boxes::role(tag);
        self.seen.h1 += usize::from(role == Some(Role::Headline));
        self.seen.articles += usize::from(role == Some(Role::Article));
        if is_kept {
            self.tags += 1;
            self.kept += 1;
            // An extractor may lose what stands in and behind an element that it does not know.
            self.out.html.push_str(if is_own(name) { "<span>" } else { written });
        } else {
            self.out.html.push(' ');
        }
        self.open.push(Open { name, is_kept, role, start, before });
    }

    fn close(&mut self, tag: &Tag<'_>) {
        let from = self.open.len().saturating_sub(MAX_LOOK_UP);
        let found =
            self.open[from..].iter().rposition(|open| open.name.eq_ignore_ascii_case(tag.written));
        let Some(found) = found else { return };
        let Open { is_kept, role, start, before, .. } = self.open[from + found];
        self.close_down_to(from + found);
        if is_kept {
            let name = if is_own(tag.written) { "span" } else { tag.written };
            self.out.html.push_str("</");
            self.out.html.push_str(name);
            self.out.html.push('>');
        }
        if let Some(role) = role {
            self.end(role, start, before);
        }
    }

    /// Does what the end of an element with a role asks for.
    fn end(&mut self, role: Role, start: usize, before: Seen) {
        let is_inside = self.open.iter().rev().take(MAX_LOOK_UP).any(|open| {
            open.role == Some(Role::Article)
                && !["body", "html"].iter().any(|name| open.name.eq_ignore_ascii_case(name))
        });
        let limit =
            if is_inside && role == Role::Beside { MAX_INNER_BOX_TEXT } else { MAX_BOX_TEXT };
        let is_small = self.seen.text - before.text <= limit;
        let holds_article = self.seen.articles > before.articles;
        let holds_headline = self.seen.h1 > before.h1;
        let goes = match role {
            Role::Article | Role::Link => false,
            Role::Headline => {
                self.h1 = Some(start..self.out.html.len());
                self.text_at_h1 = Some(self.seen.text);
                false
            }
            Role::Head => holds_headline && !holds_article && is_small,
            Role::Standfirst => {
                let is_first = !self.has_standfirst
                    && !holds_headline
                    && self.text_at_h1.is_some_and(|text| {
                        before.text.saturating_sub(text) <= MAX_BEFORE_STANDFIRST
                    });
                self.has_standfirst |= is_first;
                is_first && !holds_article && is_small
            }
            Role::Beside => !holds_headline && !holds_article && is_small,
        };
        if goes && self.boxes == Boxes::Drop {
            let h1 = self.h1.take_if(|h1| h1.start >= start);
            let h1 = h1.map(|h1| self.out.html[h1].to_owned());
            self.out.html.truncate(start);
            // The headline of a head stays, and a word's distance from what goes.
            self.out.html.push_str(h1.as_deref().unwrap_or(" "));
        }
    }

    fn close_down_to(&mut self, length: usize) {
        self.kept -= self.open[length..].iter().filter(|open| open.is_kept).count();
        self.open.truncate(length);
    }

    /// Closes what an opening tag closes by itself: `<p>` ends a paragraph, `<li>` an item.
    fn close_implied(&mut self, name: &str) {
        let Some(last) = self.open.last().map(|open| open.name) else { return };
        let is = |names: &[&str], name: &str| names.iter().any(|n| n.eq_ignore_ascii_case(name));
        let ends_paragraph = is(&["p"], last) && tag::peek_name(name).is_block();
        let ends_itself = is(&["li", "dt", "dd", "option", "tr", "td", "th"], last)
            && last.eq_ignore_ascii_case(name);
        if ends_paragraph || ends_itself {
            self.close_down_to(self.open.len() - 1);
        }
    }

    /// Reads `<meta>`, `<link>`, `<html lang>`, and what may be the headline; `rest` is what follows the tag.
    fn facts(&mut self, tag: &Tag<'_>, rest: &str) {
        let facts = &mut self.out.facts;
        let value = |name: &str| tag.attribute(name).map(unescaped).filter(|v| !v.is_empty());
        if ["h1", "title"].iter().any(|name| tag.written.eq_ignore_ascii_case(name)) {
            let rest = &rest[..rest.floor_char_boundary(MAX_HEADLINE_BYTES)];
            let end = rest.match_indices("</").map(|(at, _)| at).find(|at| {
                let name = &rest.as_bytes()[at + 2..];
                name.get(..tag.written.len())
                    .is_some_and(|name| name.eq_ignore_ascii_case(tag.written.as_bytes()))
            });
            if let Some(end) = end {
                facts.add_headline(&rest[..end]);
            }
        } else if tag.written.eq_ignore_ascii_case("html") {
            facts.language = facts.language.take().or_else(|| value("lang"));
        } else if tag.written.eq_ignore_ascii_case("link") {
            let is_canonical =
                tag.attribute("rel").is_some_and(|rel| rel.eq_ignore_ascii_case("canonical"));
            if is_canonical && facts.canonical.is_none() {
                facts.canonical = value("href");
            }
        } else if tag.written.eq_ignore_ascii_case("meta") {
            let name = tag.attribute("property").or_else(|| tag.attribute("name"));
            let name = name.or_else(|| tag.attribute("itemprop")).unwrap_or_default();
            match &*name.to_ascii_lowercase() {
                "og:url" => facts.og_url = facts.og_url.take().or_else(|| value("content")),
                "og:title" | "twitter:title" => {
                    if let Some(title) = value("content") {
                        facts.add_headline(&title);
                    }
                }
                "article:published_time" => facts.published = value("content"),
                "datepublished" | "article:published" => {
                    facts.published = facts.published.take().or_else(|| value("content"));
                }
                _ => {}
            }
        }
    }
}

/// Raw elements whose text an extractor wants.
fn is_kept_raw(tag: &Tag<'_>) -> bool {
    tag.written.eq_ignore_ascii_case("title") || tag.written.eq_ignore_ascii_case("noscript")
}

/// Whether a site made up the element (HTML, custom elements).
fn is_own(name: &str) -> bool {
    name.contains('-')
}

fn is_void(name: &str) -> bool {
    const VOID: [&str; 15] = [
        "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param",
        "source", "track", "wbr", "image",
    ];
    VOID.iter().any(|void| void.eq_ignore_ascii_case(name))
}

/// An attribute's value with its references resolved.
fn unescaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut rest = value.trim();
    while let Some(at) = memchr(b'&', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        match entities::read(rest) {
            Some(found) => {
                out.extend(found.value.into_iter().filter(|c| *c != '\0'));
                rest = &rest[found.length..];
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

/// What stands behind the first `"name":` of a JSON text.
fn json_value<'a>(json: &'a str, name: &str) -> Option<&'a str> {
    let at = json.match_indices(name).map(|(at, _)| at).find(|at| json[..*at].ends_with('"'))?;
    let rest = json[at + name.len()..].strip_prefix('"')?.trim_start();
    Some(rest.strip_prefix(':')?.trim_start())
}

fn json_string(json: &str, name: &str) -> Option<String> {
    let (value, _) = json_value(json, name)?.strip_prefix('"')?.split_once('"')?;
    Some(value.trim().to_owned())
}

fn is_false(json: &str, name: &str) -> bool {
    let value = json_value(json, name).unwrap_or_default().trim_start_matches('"');
    value.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("false"))
}
