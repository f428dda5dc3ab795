//! The outline of a document: what kind of feed it is and where its entries lie.
//!
//! In: the text. Out: the root, its namespace declarations, the span of every entry and the spans of all
//! else. No tree is built for it, so that entries that are known can be told by the hash of their text and
//! skipped. An entry without its end reaches to the next one; one without its start is taken up from the
//! end of the last; the last one of a cut-off document reaches to the end.

use memchr::memmem;

use super::{
    Error, Limits,
    names::{Bindings, Ns, split_name},
    scan::{Mark, Scanner, Span},
    text::Entities,
    tree::{MAX_DEPTH, declare},
};

/// What the root element says the document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Root {
    Rss,
    Rdf,
    Atom,
    /// A channel without anything around it, or CDF.
    Channel,
    /// Entries without anything around them.
    Bare,
}

/// Where a document's parts lie.
#[derive(Debug, Default)]
pub(super) struct Outline {
    pub(super) root: Option<Root>,
    /// The root's raw attributes.
    pub(super) root_attributes: Span,
    pub(super) bindings: Bindings,
    pub(super) entities: Entities,
    pub(super) entries: Vec<Span>,
    /// All that is not an entry.
    pub(super) head: Vec<Span>,
    /// Whether a web page's root was met.
    pub(super) is_page: bool,
    /// Entries whose end or start had to be supplied.
    pub(super) repaired_entries: usize,
    /// Whether the text ends before the root, or an entry without a root, does.
    pub(super) is_cut: bool,
}

/// Finds the parts of `text`.
///
/// # Errors
///
/// Fails where the document has more entries or marks than `limits` allow.
pub(super) fn outline(text: &str, limits: &Limits) -> Result<Outline, Error> {
    let mut finder = Finder {
        text,
        limits,
        outline: Outline::default(),
        open: None,
        seen_to: 0,
        root_name: "",
        is_root_closed: false,
    };
    let mut scanner = Scanner::new(text, 0, text.len());
    let mut marks = 0;
    while let Some((mark, start, end)) = scanner.next_mark() {
        marks += 1;
        if marks > limits.max_nodes {
            return Err(Error::TooManyNodes { limit: limits.max_nodes });
        }
        match mark {
            Mark::Open { name, attributes, is_empty } => {
                finder.see_start(name.of(text), attributes, is_empty, (start, end))?;
            }
            Mark::Close { name } => {
                finder.is_root_closed |= name.of(text).eq_ignore_ascii_case(finder.root_name);
                finder.see_end(name.of(text), (start, end))?;
            }
            Mark::Doctype { inner } => finder.see_doctype(inner.of(text)),
            Mark::CData { .. } | Mark::Skip => {}
        }
    }
    finder.finish()
}

/// What is known of a document while its marks go by.
struct Finder<'a> {
    text: &'a str,
    limits: &'a Limits,
    outline: Outline,
    /// The entry that has begun and not ended.
    open: Option<OpenEntry<'a>>,
    /// The end of the last entry, or of what was looked at for one.
    seen_to: usize,
    /// The name of the root that holds the entries, with its prefix.
    root_name: &'a str,
    is_root_closed: bool,
}

/// Entries in entries in entries: each is read again for every one around it.
const MAX_INSIDE: usize = 8;

/// An entry that has begun, and what it holds so far. Its elements are only looked at once it matters which
/// of them are open: when another entry begins or a container ends in it.
struct OpenEntry<'a> {
    start: usize,
    /// With its prefix.
    name: &'a str,
    checked_to: usize,
    elements: Vec<OpenElement<'a>>,
    /// Entries that begin inside it, in order.
    inside: Vec<InnerEntry>,
}

/// An element that is open inside an entry.
struct OpenElement<'a> {
    name: &'a str,
    /// Whether it is FeedSync's, which keeps conflicting versions of an entry in it.
    keeps_versions: bool,
    is_entry: bool,
    /// How many entries had begun inside the entry when it began.
    inside_before: usize,
}

/// An entry that begins inside another one: part of it, or the sign that the other lacks its end.
struct InnerEntry {
    start: usize,
    end: Option<usize>,
    /// Whether an element around it has ended, or it is empty: then it is part of the outer one.
    is_settled: bool,
    /// Whether it counts as an entry even so: another version, or an empty one.
    is_listed: bool,
}

impl<'a> OpenEntry<'a> {
    fn new(name: &'a str, (start, end): (usize, usize)) -> Self {
        Self { start, name, checked_to: end, elements: Vec::new(), inside: Vec::new() }
    }

    /// Takes up the elements that begin and end before `to`. Goes on where the last call stopped.
    fn look_at(&mut self, text: &'a str, bindings: &Bindings, to: usize) {
        let mut scanner = Scanner::new(text, self.checked_to, to);
        while let Some((mark, _, _)) = scanner.next_mark() {
            match mark {
                Mark::Open { name, is_empty: false, .. } if self.elements.len() < MAX_DEPTH => {
                    self.open_element(name.of(text), bindings, false);
                }
                Mark::Close { name } => {
                    if let Some(depth) = self.innermost(name.of(text)) {
                        self.close_element(depth);
                    }
                }
                _ => {}
            }
        }
        self.checked_to = to;
    }

    fn open_element(&mut self, name: &'a str, bindings: &Bindings, is_entry: bool) {
        let (prefix, _) = split_name(name);
        let keeps_versions = bindings.resolve(prefix) == Ns::FeedSync;
        let inside_before = self.inside.len();
        self.elements.push(OpenElement { name, keeps_versions, is_entry, inside_before });
    }

    /// The innermost open element of that name, not beyond an entry that is open: its own end comes first.
    fn innermost(&self, name: &str) -> Option<usize> {
        let floor = self.elements.iter().rposition(|element| element.is_entry).unwrap_or(0);
        let matching =
            self.elements[floor..].iter().rposition(|open| open.name.eq_ignore_ascii_case(name));
        matching.map(|at| floor + at)
    }

    /// Closes an element that is no entry: what began in it is part of it.
    fn close_element(&mut self, depth: usize) {
        let level = self.elements.iter().filter(|element| element.is_entry).count();
        let begun = self.elements[depth].inside_before;
        self.elements.truncate(depth);
        for inner in &mut self.inside[begun..] {
            inner.is_settled = true;
        }
        if level >= MAX_INSIDE {
            self.inside.truncate(begun);
        }
    }

    /// Whether all that began inside it since `begun` is known to be part of it.
    fn is_settled_since(&self, begun: usize) -> bool {
        self.inside[begun..].iter().all(|inner| inner.is_settled)
    }
}

impl<'a> Finder<'a> {
    fn see_start(
        &mut self,
        name: &'a str,
        attributes: Span,
        is_empty: bool,
        (start, end): (usize, usize),
    ) -> Result<(), Error> {
        if !self.is_entry(name, attributes) {
            if self.open.is_none() {
                self.see_head(name, attributes);
            }
            return Ok(());
        }
        if let Some(mut entry) = self.open.take() {
            let is_part = self.is_part_of(&mut entry, name, is_empty, (start, end));
            if is_part {
                self.open = Some(entry);
                return Ok(());
            }
            self.push_endless(entry, start)?;
        }
        if self.outline.root.is_none() && !self.outline.is_page {
            self.declare(name, attributes);
            self.outline.root = Some(Root::Bare);
        }
        if is_empty {
            return self.push(Span::new(start, end));
        }
        self.open = Some(OpenEntry::new(name, (start, end)));
        Ok(())
    }

    /// Whether an entry that begins inside another may be part of it; else the outer one lacks its end.
    fn is_part_of(
        &self,
        entry: &mut OpenEntry<'a>,
        name: &'a str,
        is_empty: bool,
        (start, end): (usize, usize),
    ) -> bool {
        let ((_, local), (_, outer)) = (split_name(name), split_name(entry.name));
        if !local.eq_ignore_ascii_case(outer) {
            // `<entry>` in an RSS item is content; `<item>` in a stray `<entry>` of an RSS feed is not.
            return !self.is_own_word(local) || self.is_own_word(outer);
        }
        entry.look_at(self.text, &self.outline.bindings, start);
        let is_direct = entry.elements.last().is_none_or(|element| element.is_entry);
        // An empty one ends nothing; whoever counts entries counts it.
        let is_full = entry.inside.len() > self.limits.max_entries;
        if !is_empty && (is_direct || is_full || entry.elements.len() >= MAX_DEPTH) {
            return false;
        }
        if is_full {
            return true;
        }
        let is_version = entry.elements.iter().any(|element| element.keeps_versions);
        entry.checked_to = end;
        if !is_empty {
            entry.open_element(name, &self.outline.bindings, true);
        }
        entry.inside.push(InnerEntry {
            start,
            end: is_empty.then_some(end),
            is_settled: is_empty,
            is_listed: is_version || is_direct,
        });
        true
    }

    /// Whether this kind of document calls its entries so.
    fn is_own_word(&self, local: &str) -> bool {
        let own = if self.outline.root == Some(Root::Atom) { "entry" } else { "item" };
        local.eq_ignore_ascii_case(own)
    }

    fn see_end(&mut self, name: &str, (start, end): (usize, usize)) -> Result<(), Error> {
        let (prefix, local) = split_name(name);
        let Some(mut entry) = self.open.take() else {
            if self.is_entry(name, Span::default()) {
                self.take_up_startless(end)?;
            }
            return Ok(());
        };
        let is_container = is_any(local, &CONTAINERS)
            && matches!(self.outline.bindings.resolve(prefix), Ns::Feed | Ns::Rdf);
        let is_like_entry = local.eq_ignore_ascii_case(split_name(entry.name).1);
        if !is_container && !is_like_entry {
            self.open = Some(entry);
            return Ok(());
        }
        let is_own_end = name.eq_ignore_ascii_case(entry.name);
        if is_own_end && entry.inside.is_empty() {
            return self.push(Span::new(entry.start, end));
        }
        entry.look_at(self.text, &self.outline.bindings, start);
        match entry.innermost(name) {
            Some(depth) if !entry.elements[depth].is_entry => entry.close_element(depth),
            Some(depth) => {
                let own = entry.elements[depth].inside_before;
                if !entry.is_settled_since(own + 1) {
                    return self.split(entry, (start, end));
                }
                entry.elements.truncate(depth);
                entry.inside[own].end = Some(end);
            }
            None if is_container => return self.push_endless(entry, start),
            None if is_own_end && !entry.is_settled_since(0) => {
                return self.split(entry, (start, end));
            }
            None if is_own_end => {
                self.push(Span::new(entry.start, end))?;
                let listed = entry.inside.into_iter().filter(|inner| inner.is_listed);
                return listed
                    .filter_map(|inner| Some(Span::new(inner.start, inner.end?)))
                    .try_for_each(|inner| self.push(inner));
            }
            None => {}
        }
        entry.checked_to = end;
        self.open = Some(entry);
        Ok(())
    }

    fn see_doctype(&mut self, inner: &str) {
        let kind = inner.trim_start().get(..4);
        let is_page = kind.is_some_and(|kind| kind.eq_ignore_ascii_case("html"));
        self.outline.is_page |= self.outline.root.is_none() && is_page;
        self.outline.entities = Entities::of_subset(inner);
    }

    fn finish(mut self) -> Result<Outline, Error> {
        let has_root = self.outline.root != Some(Root::Bare);
        self.outline.is_cut = if has_root { !self.is_root_closed } else { self.open.is_some() };
        if let Some(entry) = self.open.take() {
            self.push_endless(entry, self.text.len())?;
        }
        self.outline.head = complement(&self.outline.entries, self.text.len());
        Ok(self.outline)
    }

    fn declare(&mut self, name: &str, attributes: Span) {
        let outline = &mut self.outline;
        declare(&mut outline.bindings, name, attributes.of(self.text), &outline.entities);
    }

    fn is_entry(&self, name: &str, attributes: Span) -> bool {
        let (prefix, local) = split_name(name);
        if !is_any(local, &["item", "entry"]) {
            return false;
        }
        let attributes = attributes.of(self.text);
        if memmem::find(attributes.as_bytes(), b"xmlns").is_none() {
            return self.outline.bindings.resolve(prefix) == Ns::Feed;
        }
        let mut bindings = self.outline.bindings.clone();
        declare(&mut bindings, name, attributes, &self.outline.entities);
        bindings.resolve(prefix) == Ns::Feed
    }

    /// Takes root and declarations from an element outside all entries.
    fn see_head(&mut self, name: &'a str, attributes: Span) {
        let (prefix, local) = split_name(name);
        let outline = &mut self.outline;
        let is_late =
            outline.root.is_some() && !(outline.entries.is_empty() && is_any(local, &CONTAINERS));
        if is_late {
            return;
        }
        let root = match local.to_ascii_lowercase().as_str() {
            "rss" => Root::Rss,
            "rdf" => Root::Rdf,
            "feed" => Root::Atom,
            "channel" => Root::Channel,
            "html" => {
                outline.is_page = true;
                return;
            }
            _ => return,
        };
        // `<feed>` inside a web page is a custom element unless it says whose it is.
        let is_certain =
            matches!(root, Root::Rss | Root::Rdf) || attributes.of(self.text).contains("xmlns");
        if outline.is_page && !is_certain {
            return;
        }
        self.declare(name, attributes);
        let outline = &mut self.outline;
        if outline.root.is_none() {
            outline.root = Some(root);
            outline.root_attributes = attributes;
            outline.bindings.assume_feed(prefix);
            self.root_name = name;
        }
    }

    fn push(&mut self, entry: Span) -> Result<(), Error> {
        if self.outline.entries.len() >= self.limits.max_entries {
            return Err(Error::TooManyEntries { limit: self.limits.max_entries });
        }
        self.outline.entries.push(entry);
        self.seen_to = self.seen_to.max(entry.end());
        Ok(())
    }

    /// Takes an entry whose end is missing, if there is anything in it, and those that begin inside it.
    fn push_endless(&mut self, entry: OpenEntry<'a>, end: usize) -> Result<(), Error> {
        let mut next = end;
        let mut spans = Vec::with_capacity(entry.inside.len() + 1);
        for inner in entry.inside.iter().rev() {
            let span = Span::new(inner.start, inner.end.unwrap_or(next));
            spans.push((span, inner.end.is_some()));
            if !inner.is_settled {
                next = inner.start;
            }
        }
        spans.push((Span::new(entry.start, next), false));
        for (span, is_whole) in spans.into_iter().rev() {
            if is_whole {
                self.push(span)?;
                continue;
            }
            let bytes = span.of(self.text).as_bytes();
            let own_tag = memchr::memchr(b'>', bytes).map_or(0, |at| at + 1);
            self.push_repaired(span, own_tag)?;
        }
        Ok(())
    }

    /// An end tag that fits none of the entries that are open one in the other: each of them lacks its end,
    /// and an entry before the tag its start.
    fn split(&mut self, entry: OpenEntry<'a>, (start, end): (usize, usize)) -> Result<(), Error> {
        self.push_endless(entry, start)?;
        self.take_up_startless(end)
    }

    /// Takes an entry if an element begins in it after its first `skip` bytes.
    fn push_repaired(&mut self, entry: Span, skip: usize) -> Result<(), Error> {
        self.seen_to = self.seen_to.max(entry.end());
        let inside = entry.of(self.text).as_bytes().get(skip..).unwrap_or_default();
        let has_elements = memchr::memchr_iter(b'<', inside)
            .any(|at| !matches!(inside.get(at + 1), None | Some(b'/')));
        if has_elements {
            self.outline.repaired_entries += 1;
            self.push(entry)?;
        }
        Ok(())
    }

    /// `</item>` without `<item>`: what lies since the last entry is one; before any entry, what lies since the
    /// head began to repeat itself.
    fn take_up_startless(&mut self, end: usize) -> Result<(), Error> {
        let start = match self.seen_to {
            0 => start_of_repetition(self.text, end),
            seen_to => seen_to,
        };
        self.push_repaired(Span::new(start, end), 0)
    }
}

/// Elements that hold entries and never stand in one.
const CONTAINERS: [&str; 4] = ["channel", "rss", "rdf", "feed"];

/// Where a second title, link or description begins that is not an image's.
fn start_of_repetition(text: &str, end: usize) -> usize {
    let mut seen: Vec<&str> = Vec::new();
    let mut is_in_image = false;
    let mut scanner = Scanner::new(text, 0, end);
    while let Some((mark, start, _)) = scanner.next_mark() {
        match mark {
            Mark::Open { name, is_empty: false, .. } => {
                let name = name.of(text);
                is_in_image |= is_any(name, &["image", "textinput"]);
                if !is_in_image && is_any(name, &["title", "link", "description", "guid", "id"]) {
                    if seen.iter().any(|seen| seen.eq_ignore_ascii_case(name)) {
                        return start;
                    }
                    seen.push(name);
                }
            }
            Mark::Close { name } if is_any(name.of(text), &["image", "textinput"]) => {
                is_in_image = false
            }
            _ => {}
        }
    }
    end
}

fn is_any(name: &str, names: &[&str]) -> bool {
    names.iter().any(|known| name.eq_ignore_ascii_case(known))
}

fn complement(entries: &[Span], length: usize) -> Vec<Span> {
    let mut head = Vec::new();
    let mut at = 0;
    for entry in entries {
        if entry.start() > at {
            head.push(Span::new(at, entry.start()));
        }
        at = at.max(entry.end());
    }
    if at < length {
        head.push(Span::new(at, length));
    }
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(text: &str) -> Vec<&str> {
        let outline = outline(text, &Limits::default()).unwrap();
        outline.entries.iter().map(|span| span.of(text)).collect()
    }

    #[test]
    fn one_bad_entry_costs_no_other() {
        for (text, expected) in [
            (
                "<rss><channel><item>a</item><item>b</item></channel>",
                vec!["<item>a</item>", "<item>b</item>"],
            ),
            ("<rss><item><a/><item>b</item>", vec!["<item><a/>", "<item>b</item>"]),
            ("<rss><item> <item>b</item><a/></item>", vec!["<item>b</item>", "<a/></item>"]),
            (
                "<rss><item>a</item><b/></item><item><c>",
                vec!["<item>a</item>", "<b/></item>", "<item><c>"],
            ),
            ("<rss><channel><item><a></channel></rss>", vec!["<item><a>"]),
            ("<rss><title>x</title><title>a</title></item></rss>", vec!["<title>a</title></item>"]),
            (
                "<rss><item><a/><sx:y><item>b</item></sx:y></item>",
                vec!["<item><a/><sx:y><item>b</item></sx:y></item>", "<item>b</item>"],
            ),
            (
                "<rss><item><a/><x:y><item>b</item></x:y></item>",
                vec!["<item><a/><x:y><item>b</item></x:y></item>"],
            ),
            ("<rss><item><![CDATA[<item>]]></item>", vec!["<item><![CDATA[<item>]]></item>"]),
            (
                "<rss><item><description><![CDATA[a</description></item><item><description><![CDATA[b]]></description></item>",
                vec![
                    "<item><description><![CDATA[a</description></item>",
                    "<item><description><![CDATA[b]]></description></item>",
                ],
            ),
            ("<rss><item/><ITEM /><x:item>no</x:item>", vec!["<item/>", "<ITEM />"]),
            (
                "<rss><channel><item><p:channel>a</p:channel></p:channel><b/></item></channel>",
                vec!["<item><p:channel>a</p:channel></p:channel><b/></item>"],
            ),
            (
                "<rss><item><channel>a</channel><b/></item><item>c</item>",
                vec!["<item><channel>a</channel><b/></item>", "<item>c</item>"],
            ),
            (
                "<feed><entry><x><feed><entry>a</entry></feed></x><b/></entry></feed>",
                vec!["<entry><x><feed><entry>a</entry></feed></x><b/></entry>"],
            ),
            (
                "<rss><item><ul><item>a</item><item>b<br></item></ul><c/></item><item>d</item>",
                vec![
                    "<item><ul><item>a</item><item>b<br></item></ul><c/></item>",
                    "<item>d</item>",
                ],
            ),
            (
                "<rss><channel><item><a>1<item><a>2</a></item><item><b/></item></channel></rss>",
                vec!["<item><a>1", "<item><a>2</a></item>", "<item><b/></item>"],
            ),
            (
                "<rss><item><a>1<item><a>2<item><b/></item><c/></item>",
                vec!["<item><a>1", "<item><a>2", "<item><b/></item>", "<c/></item>"],
            ),
            (
                "<rss><item><a><item>1</item></a><b/><item>2</item></item>",
                vec!["<item><a><item>1</item></a><b/>", "<item>1</item>", "<item>2</item>"],
            ),
            (
                "<a:feed xmlns:a='http://www.w3.org/2005/Atom'><a:entry>1</a:entry>",
                vec!["<a:entry>1</a:entry>"],
            ),
        ] {
            assert_eq!(entries(text), expected, "{text}");
        }
    }

    #[test]
    fn a_text_that_ends_too_early_is_told() {
        for (text, is_cut) in [
            ("<rss><channel><item>a</item></channel></rss>\n", false),
            ("<rss><channel><item>a</item></channel>", true),
            ("<rss><channel><item>a</rss></item></ch", false),
            ("<a:feed xmlns:a='http://www.w3.org/2005/Atom'><a:entry>a</a:entry></a:feed>", false),
            ("<a:feed xmlns:a='http://www.w3.org/2005/Atom'><a:entry>a</a:ent", true),
            ("<channel><item>a</item></channel>", false),
            ("<item>a</item><item>b</item>", false),
            ("<item>a</item><item>b", true),
        ] {
            assert_eq!(outline(text, &Limits::default()).unwrap().is_cut, is_cut, "{text}");
        }
    }

    #[test]
    fn counts_are_limited() {
        let limits = Limits { max_entries: 3, ..Limits::default() };
        let error = outline(&format!("<rss>{}", "<item/>".repeat(4)), &limits).unwrap_err();
        assert_eq!(error.kind(), "too_many_entries");
        let limits = Limits { max_nodes: 3, ..Limits::default() };
        let error = outline("<rss><a><b><c>", &limits).unwrap_err();
        assert_eq!(error.kind(), "too_many_nodes");
    }
}
