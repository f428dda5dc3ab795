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
}

/// Finds the parts of `text`.
///
/// # Errors
///
/// Fails where the document has more entries or marks than `limits` allow.
pub(super) fn outline(text: &str, limits: &Limits) -> Result<Outline, Error> {
    let mut finder = Finder { text, limits, outline: Outline::default(), open: None, seen_to: 0 };
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
            Mark::Close { name } => finder.see_end(name.of(text), (start, end))?,
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
}

/// Entries in entries in entries: each is read again for every one around it.
const MAX_INSIDE: usize = 8;

struct OpenEntry<'a> {
    start: usize,
    /// With its prefix.
    name: &'a str,
    /// Where entries inside elements of foreign vocabularies begin (FeedSync keeps conflicting versions so).
    open_inside: Vec<usize>,
    /// How many more are open, too deep to be entries of their own.
    too_deep: usize,
    /// Those that ended.
    inside: Vec<Span>,
    /// How far it was looked at for elements that are open, and which are.
    checked_to: usize,
    open_elements: Vec<&'a str>,
}

impl<'a> OpenEntry<'a> {
    fn new(start: usize, name: &'a str) -> Self {
        let (open_inside, inside, open_elements) = (Vec::new(), Vec::new(), Vec::new());
        Self { start, name, open_inside, too_deep: 0, inside, checked_to: start, open_elements }
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
        let (prefix, local) = split_name(name);
        if !self.is_entry(prefix, local, attributes) {
            if self.open.is_none() {
                self.see_head(prefix, local, attributes);
            }
            return Ok(());
        }
        if let Some(mut entry) = self.open.take() {
            let is_part = self.is_part_of(&mut entry, local, is_empty, (start, end));
            if is_part {
                self.open = Some(entry);
                return Ok(());
            }
            self.push_endless(entry, start)?;
        }
        if self.outline.root.is_none() && !self.outline.is_page {
            self.declare(attributes);
            self.outline.root = Some(Root::Bare);
        }
        if is_empty {
            return self.push(Span::new(start, end));
        }
        self.open = Some(OpenEntry::new(start, name));
        Ok(())
    }

    /// Whether an entry that begins inside another is part of it; else the outer one lacks its end.
    fn is_part_of(
        &self,
        entry: &mut OpenEntry<'a>,
        local: &str,
        is_empty: bool,
        (start, end): (usize, usize),
    ) -> bool {
        let (_, outer) = split_name(entry.name);
        if !local.eq_ignore_ascii_case(outer) {
            // `<entry>` in an RSS item is content; `<item>` in a stray `<entry>` of an RSS feed is not.
            return !self.is_own_word(local) || self.is_own_word(outer);
        }
        if is_empty {
            // It ends nothing; whoever counts entries counts it.
            entry.inside.push(Span::new(start, end));
            return true;
        }
        let is_foreign = self.is_in_foreign_element(entry, start);
        if is_foreign && entry.open_inside.len() < MAX_INSIDE {
            entry.open_inside.push(start);
        } else if is_foreign {
            entry.too_deep += 1;
        }
        is_foreign
    }

    /// Whether this kind of document calls its entries so.
    fn is_own_word(&self, local: &str) -> bool {
        let own = if self.outline.root == Some(Root::Atom) { "entry" } else { "item" };
        local.eq_ignore_ascii_case(own)
    }

    fn see_end(&mut self, name: &str, (start, end): (usize, usize)) -> Result<(), Error> {
        let (prefix, local) = split_name(name);
        let Some(mut entry) = self.open.take() else {
            if self.is_entry(prefix, local, Span::default()) {
                self.take_up_startless(end)?;
            }
            return Ok(());
        };
        if is_any(local, &CONTAINERS) {
            return self.push_endless(entry, start);
        }
        if !name.eq_ignore_ascii_case(entry.name) {
            self.open = Some(entry);
            return Ok(());
        }
        if entry.too_deep > 0 {
            entry.too_deep -= 1;
            self.open = Some(entry);
            return Ok(());
        }
        if let Some(start) = entry.open_inside.pop() {
            entry.inside.push(Span::new(start, end));
            self.open = Some(entry);
            return Ok(());
        }
        self.push(Span::new(entry.start, end))?;
        entry.inside.into_iter().try_for_each(|inside| self.push(inside))
    }

    fn see_doctype(&mut self, inner: &str) {
        let kind = inner.trim_start().get(..4);
        let is_page = kind.is_some_and(|kind| kind.eq_ignore_ascii_case("html"));
        self.outline.is_page |= self.outline.root.is_none() && is_page;
        self.outline.entities = Entities::of_subset(inner);
    }

    fn finish(mut self) -> Result<Outline, Error> {
        if let Some(entry) = self.open.take() {
            self.push_endless(entry, self.text.len())?;
        }
        self.outline.head = complement(&self.outline.entries, self.text.len());
        Ok(self.outline)
    }

    fn declare(&mut self, attributes: Span) {
        declare(&mut self.outline.bindings, attributes.of(self.text), &self.outline.entities);
    }

    fn is_entry(&self, prefix: &str, local: &str, attributes: Span) -> bool {
        if !is_any(local, &["item", "entry"]) {
            return false;
        }
        let attributes = attributes.of(self.text);
        if prefix.is_empty() || memmem::find(attributes.as_bytes(), b"xmlns").is_none() {
            return self.outline.bindings.resolve(prefix) == Ns::Feed;
        }
        let mut bindings = self.outline.bindings.clone();
        declare(&mut bindings, attributes, &self.outline.entities);
        bindings.resolve(prefix) == Ns::Feed
    }

    /// Whether an element of a foreign vocabulary is open at `at` inside the entry: then what begins there is
    /// part of it. Goes on where the last call stopped.
    fn is_in_foreign_element(&self, entry: &mut OpenEntry<'a>, at: usize) -> bool {
        let mut scanner = Scanner::new(self.text, entry.checked_to, at);
        let open = &mut entry.open_elements;
        while let Some((mark, _, _)) = scanner.next_mark() {
            match mark {
                Mark::Open { name, is_empty: false, .. } if open.len() < MAX_DEPTH => {
                    open.push(name.of(self.text));
                }
                Mark::Close { name } => {
                    let name = name.of(self.text);
                    let matching = open.iter().rposition(|open| open.eq_ignore_ascii_case(name));
                    open.truncate(matching.unwrap_or(open.len()));
                }
                _ => {}
            }
        }
        entry.checked_to = at;
        // The first is the entry's own, whatever its publisher calls it.
        entry.open_elements.iter().skip(1).any(|name| {
            let (prefix, _) = split_name(name);
            !prefix.is_empty() && self.outline.bindings.resolve(prefix) == Ns::Other
        })
    }

    /// Takes root and declarations from an element outside all entries.
    fn see_head(&mut self, prefix: &str, local: &str, attributes: Span) {
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
        self.declare(attributes);
        let outline = &mut self.outline;
        if outline.root.is_none() {
            outline.root = Some(root);
            outline.root_attributes = attributes;
            outline.bindings.assume_feed(prefix);
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

    /// Takes an entry whose end is missing, if there is anything in it, and those inside it.
    fn push_endless(&mut self, mut entry: OpenEntry<'a>, end: usize) -> Result<(), Error> {
        entry.inside.extend(entry.open_inside.iter().map(|start| Span::new(*start, end)));
        for span in [Span::new(entry.start, end)].into_iter().chain(entry.inside) {
            let bytes = span.of(self.text).as_bytes();
            let own_tag = memchr::memchr(b'>', bytes).map_or(0, |at| at + 1);
            self.push_repaired(span, own_tag)?;
        }
        Ok(())
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
                "<rss><item><a/><x:y><item>b</item></x:y></item>",
                vec!["<item><a/><x:y><item>b</item></x:y></item>", "<item>b</item>"],
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
                "<a:feed xmlns:a='http://www.w3.org/2005/Atom'><a:entry>1</a:entry>",
                vec!["<a:entry>1</a:entry>"],
            ),
        ] {
            assert_eq!(entries(text), expected, "{text}");
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
