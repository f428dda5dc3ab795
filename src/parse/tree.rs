//! The tolerant tree of one piece of a document: an entry, or all that is not an entry.
//!
//! In: spans of the text. Out: elements and texts in document order, with offsets into the text, so that
//! building it copies nothing. Ends that are missing are implied, ends without a start are ignored, and an
//! element that never ended gives back the feed elements it swallowed ([`Tree::give_back`]).

use super::{
    names::{Bindings, Ns, split_name},
    scan::{self, Mark, Scanner, Span},
    text::{Entities, MAX_ATTRIBUTES, attribute, decode, with_line_feeds, without_sections},
};

/// Elements nested deeper than this are read as if they stood at this depth.
pub(super) const MAX_DEPTH: usize = 200;

/// Nodes of one piece that are kept: no entry has a tenth of it, and each costs 40 bytes.
const MAX_NODES: usize = 500_000;

/// An element, a text, or a CDATA section.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) ns: Ns,
    /// The name without its prefix, as written.
    pub(super) local: Span,
    pub(super) attributes: Span,
    /// An element's content; a text's text.
    pub(super) inner: Span,
    /// Where the tag begins.
    start: u32,
    /// The node after its last descendant.
    end: u32,
    /// Whether its own end tag was met.
    is_closed: bool,
    has_prefix: bool,
}

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Element,
    Text,
    CData,
}

/// Nodes in document order; node 0 stands for the whole piece.
pub(super) struct Tree<'a> {
    pub(super) text: &'a str,
    pub(super) entities: &'a Entities,
    nodes: Vec<Node>,
    /// Whether something was nested deeper than [`MAX_DEPTH`] or had more nodes than [`MAX_NODES`].
    pub(super) is_flattened: bool,
}

struct Open {
    node: usize,
    bindings: usize,
}

impl<'a> Tree<'a> {
    /// A tree without nodes, for [`Tree::build`].
    pub(super) fn new(text: &'a str, entities: &'a Entities) -> Self {
        Self { text, entities, nodes: Vec::with_capacity(64), is_flattened: false }
    }

    /// Reads the spans as one piece, in place of what the tree held. `bindings` is as before afterwards.
    pub(super) fn build(&mut self, spans: &[Span], bindings: &mut Bindings) {
        self.nodes.clear();
        let whole = match (spans.first(), spans.last()) {
            (Some(first), Some(last)) => Span { start: first.start, end: last.end },
            _ => Span::default(),
        };
        self.nodes.push(blank(Kind::Element, whole));
        let mut open: Vec<Open> = Vec::new();
        let outside = bindings.len();
        for span in spans {
            let mut scanner = Scanner::new(self.text, span.start(), span.end());
            let mut text_start = span.start();
            while let Some((mark, start, end)) = scanner.next_mark() {
                self.push_text(Kind::Text, Span::new(text_start, start));
                text_start = end;
                match mark {
                    Mark::Open { name, attributes, is_empty } => {
                        let is_open =
                            self.open(&mut open, bindings, name, attributes, (start, end));
                        if is_open && is_empty {
                            self.close_top(&mut open, bindings, end, true);
                        }
                    }
                    Mark::Close { name } => self.close(&mut open, bindings, name, start),
                    Mark::CData { inner } => self.push_text(Kind::CData, inner),
                    Mark::Skip | Mark::Doctype { .. } => {}
                }
            }
            self.push_text(Kind::Text, Span::new(text_start, span.end()));
        }
        while !open.is_empty() {
            self.close_top(&mut open, bindings, whole.end(), false);
        }
        bindings.truncate(outside);
        self.nodes[0].end = self.nodes.len() as u32;
    }

    fn push_text(&mut self, kind: Kind, span: Span) {
        if span.start < span.end && self.nodes.len() < MAX_NODES {
            let mut node = blank(kind, span);
            node.end = self.nodes.len() as u32 + 1;
            self.nodes.push(node);
        }
    }

    fn open(
        &mut self,
        open: &mut Vec<Open>,
        bindings: &mut Bindings,
        name: Span,
        attributes: Span,
        (start, end): (usize, usize),
    ) -> bool {
        if self.nodes.len() >= MAX_NODES {
            self.is_flattened = true;
            return false;
        }
        if open.len() >= MAX_DEPTH {
            self.is_flattened = true;
            self.close_top(open, bindings, start, false);
        }
        let before = bindings.len();
        let qualified = name.of(self.text);
        declare(bindings, qualified, attributes.of(self.text), self.entities);
        let (prefix, local) = split_name(qualified);
        let mut node = blank(Kind::Element, Span::new(end, end));
        node.ns = bindings.resolve(prefix);
        node.local = Span::new(name.end() - local.len(), name.end());
        node.has_prefix = !prefix.is_empty();
        node.attributes = attributes;
        node.start = start as u32;
        open.push(Open { node: self.nodes.len(), bindings: before });
        self.nodes.push(node);
        true
    }

    /// Closes the innermost open element of that name and all inside it; an end without a start is ignored.
    fn close(&mut self, open: &mut Vec<Open>, bindings: &mut Bindings, name: Span, start: usize) {
        let (_, local) = split_name(name.of(self.text));
        let matching = open.iter().rposition(|open| {
            let node = &self.nodes[open.node];
            node.local.end - node.local.start == local.len() as u32
                && node.local.of(self.text).eq_ignore_ascii_case(local)
        });
        let Some(depth) = matching else { return };
        while open.len() > depth + 1 {
            self.close_top(open, bindings, start, false);
        }
        self.close_top(open, bindings, start, true);
    }

    fn close_top(
        &mut self,
        open: &mut Vec<Open>,
        bindings: &mut Bindings,
        at: usize,
        is_closed: bool,
    ) {
        let Some(Open { node, bindings: before }) = open.pop() else { return };
        bindings.truncate(before);
        let end = self.nodes.len() as u32;
        let node = &mut self.nodes[node];
        node.end = end;
        node.inner.end = (at as u32).max(node.inner.start);
        node.is_closed = is_closed;
    }

    /// Gives `parent` the feed elements that its unclosed children swallowed: a missing `</title>` must not
    /// take the link and the date with it.
    pub(super) fn give_back(&mut self, parent: usize) {
        let end = self.nodes[parent].end as usize;
        let mut child = parent + 1;
        while child < end {
            let node = self.nodes[child];
            if node.kind == Kind::Element
                && !node.is_closed
                && let Some(swallowed) = self.first_swallowed(child)
            {
                self.cut(child, swallowed);
            }
            child = self.nodes[child].end as usize;
        }
    }

    /// The first feed element inside `element` that only unclosed elements enclose.
    fn first_swallowed(&self, element: usize) -> Option<usize> {
        let end = self.nodes[element].end as usize;
        let mut at = element + 1;
        while at < end {
            let node = &self.nodes[at];
            if node.kind == Kind::Element && is_feed_element(node.ns, node.local.of(self.text)) {
                return Some(at);
            }
            let is_open = node.kind == Kind::Element && !node.is_closed;
            at = if is_open { at + 1 } else { node.end as usize };
        }
        None
    }

    fn cut(&mut self, element: usize, at: usize) {
        let start = self.nodes[at].start;
        for node in &mut self.nodes[element..at] {
            node.end = node.end.min(at as u32);
            if node.kind == Kind::Element && node.inner.end > start {
                node.inner.end = start.max(node.inner.start);
            }
        }
    }

    /// The node itself.
    pub(super) fn node(&self, node: usize) -> &Node {
        &self.nodes[node]
    }

    /// The child elements of `parent`, in order.
    pub(super) fn children(&self, parent: usize) -> impl Iterator<Item = usize> {
        self.child_nodes(parent).filter(|child| self.nodes[*child].kind == Kind::Element)
    }

    fn child_nodes(&self, parent: usize) -> impl Iterator<Item = usize> {
        let end = self.nodes[parent].end as usize;
        let mut next = parent + 1;
        std::iter::from_fn(move || {
            let child = next;
            (child < end).then(|| {
                next = self.nodes[child].end as usize;
                child
            })
        })
    }

    /// An element's name without prefix, lower case.
    pub(super) fn name(&self, node: usize) -> String {
        self.nodes[node].local.of(self.text).to_ascii_lowercase()
    }

    /// The first element of a name among `names` (lower case), anywhere in the piece.
    pub(super) fn first_named(&self, names: &[&str]) -> Option<usize> {
        self.nodes.iter().position(|node| {
            let local = node.local.of(self.text);
            node.kind == Kind::Element && names.iter().any(|name| local.eq_ignore_ascii_case(name))
        })
    }

    /// The first child element with that lower-case name.
    pub(super) fn child(&self, parent: usize, ns: Ns, name: &str) -> Option<usize> {
        self.children(parent).find(|child| {
            let node = &self.nodes[*child];
            node.ns == ns && node.local.of(self.text).eq_ignore_ascii_case(name)
        })
    }

    /// The value of an attribute, decoded and trimmed; `None` where it is absent or empty.
    pub(super) fn attribute(&self, node: usize, name: &str) -> Option<String> {
        let raw = self.nodes[node].attributes;
        if raw.start == raw.end {
            return None;
        }
        let value = attribute(raw.of(self.text), name, self.entities)?;
        let value = value.trim();
        (!value.is_empty()).then(|| value.to_owned())
    }

    /// Whether it has child elements.
    pub(super) fn has_elements(&self, node: usize) -> bool {
        self.children(node).next().is_some()
    }

    /// All text inside, references resolved, trimmed.
    pub(super) fn plain_text(&self, node: usize) -> String {
        let text = self.joined_text(node);
        // Elsewhere a text may speak of sections.
        let text = if text.starts_with("<![CDATA[") { without_sections(text) } else { text };
        trimmed(with_line_feeds(text))
    }

    fn joined_text(&self, node: usize) -> String {
        let (first, end) = (node + 1, self.nodes[node].end as usize);
        if first + 1 == end && self.nodes[first].kind != Kind::Element {
            let only = &self.nodes[first];
            let raw = only.inner.of(self.text).trim();
            return match only.kind {
                Kind::Text => decode(raw, self.entities).trim().to_owned(),
                _ => raw.to_owned(),
            };
        }
        let mut text = String::new();
        for node in &self.nodes[first..end] {
            match node.kind {
                Kind::Text => text.push_str(&decode(node.inner.of(self.text), self.entities)),
                Kind::CData => text.push_str(node.inner.of(self.text)),
                Kind::Element => {}
            }
        }
        trimmed(text)
    }

    /// The content as HTML: escaped markup unescaped; markup that stands there as elements as written.
    pub(super) fn html(&self, node: usize) -> String {
        if !self.has_elements(node) {
            return without_sections(self.plain_text(node));
        }
        let mut html = String::with_capacity(
            (self.nodes[node].inner.end - self.nodes[node].inner.start) as usize,
        );
        let has_prefixes = self.push_html(node, &mut html);
        if has_prefixes {
            html = without_end_tag_prefixes(&html);
        }
        trimmed(with_line_feeds(without_sections(html)))
    }

    /// Copies the source between the marks that have to change: CDATA brackets go, prefixes of tags go.
    fn push_html(&self, node: usize, html: &mut String) -> bool {
        let mut has_prefixes = false;
        let inner = self.nodes[node].inner;
        let mut copied = inner.start();
        let end = self.nodes[node].end as usize;
        for node in &self.nodes[node + 1..end] {
            match node.kind {
                Kind::CData => {
                    let opener = node.inner.start().saturating_sub(9).max(copied);
                    html.push_str(self.text.get(copied..opener).unwrap_or(""));
                    html.push_str(node.inner.of(self.text));
                    copied = node.inner.end() + 3;
                }
                Kind::Element if node.has_prefix => {
                    let tag = node.start as usize + 1;
                    html.push_str(self.text.get(copied..tag).unwrap_or(""));
                    copied = node.local.start().max(copied);
                    has_prefixes = true;
                }
                _ => {}
            }
        }
        html.push_str(self.text.get(copied..inner.end()).unwrap_or(""));
        has_prefixes
    }
}

fn trimmed(text: String) -> String {
    let trimmed = text.trim();
    if trimmed.len() == text.len() { text } else { trimmed.to_owned() }
}

/// `</h:p>` becomes `</p>`.
fn without_end_tag_prefixes(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut pieces = html.split("</");
    text.push_str(pieces.next().unwrap_or(""));
    for piece in pieces {
        let name_end = piece.find('>').unwrap_or(0);
        let prefix = piece[..name_end].find(':').map_or(0, |at| at + 1);
        text.push_str("</");
        text.push_str(&piece[prefix..]);
    }
    text
}

fn blank(kind: Kind, inner: Span) -> Node {
    Node {
        kind,
        ns: Ns::Other,
        local: Span::default(),
        attributes: Span::default(),
        inner,
        start: inner.start,
        end: 0,
        is_closed: false,
        has_prefix: false,
    }
}

/// Takes up the namespace declarations among `attributes` of the element `name`.
pub(super) fn declare(bindings: &mut Bindings, name: &str, attributes: &str, entities: &Entities) {
    if memchr::memmem::find(attributes.as_bytes(), b"xmlns").is_none() {
        return;
    }
    let is_feeds = bindings.is_feed_structure(name);
    for (attribute, value) in scan::attributes(attributes).take(MAX_ATTRIBUTES) {
        let (prefix, local) = split_name(attribute);
        if prefix.eq_ignore_ascii_case("xmlns") {
            bindings.declare(local, &decode(value, entities));
        } else if attribute.eq_ignore_ascii_case("xmlns") {
            bindings.declare("", &decode(value, entities));
        }
    }
    if is_feeds {
        bindings.assume_feed(split_name(name).0);
    }
}

/// Whether an element of that name ends whatever text element was left open before it.
fn is_feed_element(ns: Ns, local: &str) -> bool {
    match ns {
        Ns::Feed => FEED_ELEMENTS.iter().any(|name| local.eq_ignore_ascii_case(name)),
        Ns::Other | Ns::Xhtml | Ns::Xml => false,
        _ => true,
    }
}

const FEED_ELEMENTS: [&str; 24] = [
    "title",
    "link",
    "guid",
    "id",
    "pubDate",
    "description",
    "author",
    "category",
    "comments",
    "enclosure",
    "source",
    "updated",
    "published",
    "issued",
    "modified",
    "created",
    "summary",
    "content",
    "lastBuildDate",
    "language",
    "ttl",
    "generator",
    "image",
    "contributor",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn with_tree<T>(text: &str, read: impl FnOnce(&mut Tree<'_>) -> T) -> T {
        let entities = Entities::default();
        let mut tree = Tree::new(text, &entities);
        tree.build(&[Span::new(0, text.len())], &mut Bindings::default());
        read(&mut tree)
    }

    #[test]
    fn an_element_without_end_gives_back_what_it_swallowed() {
        let text =
            "<item><title>A<link>http://a/</link><description>x <p>y<pubDate>d</pubDate></item>";
        with_tree(text, |tree| {
            tree.give_back(1);
            let read: Vec<_> = tree.children(1).map(|c| (tree.name(c), tree.html(c))).collect();
            let read: Vec<_> = read.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
            assert_eq!(
                read,
                [
                    ("title", "A"),
                    ("link", "http://a/"),
                    ("description", "x <p>y"),
                    ("pubdate", "d")
                ]
            );
        });
    }

    #[test]
    fn content_comes_out_as_html() {
        for (text, expected) in [
            ("<d>a &lt;b>b&lt;/b></d>", "a <b>b</b>"),
            ("<d><![CDATA[<p>x &amp; y</p>]]></d>", "<p>x &amp; y</p>"),
            ("<d>a<![CDATA[<i>]]>b</d>", "a<i>b"),
            ("<d>a &amp; <b>b</b> <![CDATA[<i>c</i>]]> d</d>", "a &amp; <b>b</b> <i>c</i> d"),
            ("<d><h:p>x<h:br/></h:p></d>", "<p>x<br/></p>"),
            ("<d>&lt;![CDATA[&lt;p>a]]&gt;</d>", "<p>a"),
            ("<d>a &lt;![CDATA[b]]> c</d>", "a b c"),
            ("<d><![CDATA[<![CDATA[a]]>]]></d>", "a"),
            ("<d>a\rb &amp; c&#13;d\r\ne</d>", "a\nb & c\nd\r\ne"),
            ("<d>a\r<br/></d>", "a\n<br/>"),
        ] {
            assert_eq!(with_tree(text, |tree| tree.html(1)), expected, "{text}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let text = format!("{}x{}", "<a>".repeat(65_000), "</a>".repeat(65_000));
        with_tree(&text, |tree| {
            assert!(tree.is_flattened);
            assert_eq!(tree.plain_text(0), "x");
        });
    }
}
