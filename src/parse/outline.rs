//! The outline of a document: what kind of feed it is and where its entries lie.
//!
//! In: the text. Out: the root, its namespace declarations, the span of every entry and the spans of all
//! else. No tree is built for it, so that entries that are known can be told by the hash of their text and
//! skipped. An entry without its end reaches to the next one; one without its start is taken up from the
//! end of the last; the last one of a cut-off document reaches to the end.

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
#[derive(Debug)]
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
    /// The end of the last entry, or of what was looked at for one.
    seen_to: usize,
}

/// Finds the parts of `text`.
///
/// # Errors
///
/// Fails where the document has more entries or marks than `limits` allow.
pub(super) fn outline(text: &str, limits: &Limits) -> Result<Outline, Error> {
    let mut outline = Outline {
        root: None,
        root_attributes: Span::default(),
        bindings: Bindings::default(),
        entities: Entities::default(),
        entries: Vec::new(),
        head: Vec::new(),
        is_page: false,
        repaired_entries: 0,
        seen_to: 0,
    };
    let mut scanner = Scanner::new(text, 0, text.len());
    let mut open: Option<OpenEntry<'_>> = None;
    let mut marks = 0usize;
    while let Some((mark, start, end)) = scanner.next_mark() {
        marks += 1;
        if marks > limits.max_nodes {
            return Err(Error::TooManyNodes { limit: limits.max_nodes });
        }
        match mark {
            Mark::Open { name, attributes, is_empty } => {
                let name = name.of(text);
                let (prefix, local) = split_name(name);
                if !outline.is_entry(text, prefix, local, attributes) {
                    if open.is_none() {
                        outline.see_head(text, local, prefix, attributes);
                    }
                    continue;
                }
                if let Some(entry) = &mut open {
                    let is_other = !local.eq_ignore_ascii_case(split_name(entry.name).1);
                    if is_other {
                        continue;
                    }
                    if is_empty {
                        // It ends nothing; whoever counts entries counts it.
                        entry.inside.push(Span::new(start, end));
                        continue;
                    }
                    if outline.is_in_foreign_element(text, entry, start) {
                        entry.open_inside.push(start);
                        continue;
                    }
                    outline.push_endless(text, Span::new(entry.start, start), limits)?;
                    open = None;
                }
                if outline.root.is_none() && !outline.is_page {
                    declare(&mut outline.bindings, attributes.of(text), &outline.entities);
                    outline.root = Some(Root::Bare);
                }
                if is_empty {
                    outline.push(Span::new(start, end), limits)?;
                } else {
                    open = Some(OpenEntry::new(start, name));
                }
            }
            Mark::Close { name } => {
                let name = name.of(text);
                let (prefix, local) = split_name(name);
                match &mut open {
                    Some(entry) if name.eq_ignore_ascii_case(entry.name) => {
                        if let Some(start) = entry.open_inside.pop() {
                            entry.inside.push(Span::new(start, end));
                            continue;
                        }
                        let (start, inside) = (entry.start, std::mem::take(&mut entry.inside));
                        outline.push(Span::new(start, end), limits)?;
                        for inside in inside {
                            outline.push(inside, limits)?;
                        }
                        open = None;
                    }
                    Some(entry) if is_container(local) => {
                        outline.push_endless(text, Span::new(entry.start, start), limits)?;
                        open = None;
                    }
                    None if outline.is_entry(text, prefix, local, Span::default()) => {
                        outline.take_up_startless(text, end, limits)?;
                    }
                    _ => {}
                }
            }
            Mark::Doctype { inner } => {
                let inner = inner.of(text);
                outline.is_page |= outline.root.is_none()
                    && inner.trim_start().get(..4).is_some_and(|s| s.eq_ignore_ascii_case("html"));
                outline.entities = Entities::of_subset(inner);
            }
            Mark::CData { .. } | Mark::Skip => {}
        }
    }
    if let Some(entry) = open {
        outline.push_endless(text, Span::new(entry.start, text.len()), limits)?;
    }
    outline.head = complement(&outline.entries, text.len());
    Ok(outline)
}

struct OpenEntry<'a> {
    start: usize,
    /// With its prefix.
    name: &'a str,
    /// Where entries inside elements of foreign vocabularies begin (FeedSync keeps conflicting versions so).
    open_inside: Vec<usize>,
    /// Those that ended.
    inside: Vec<Span>,
    /// How far it was looked at for elements that are open, and which are.
    checked_to: usize,
    open_elements: Vec<&'a str>,
}

impl<'a> OpenEntry<'a> {
    fn new(start: usize, name: &'a str) -> Self {
        Self {
            start,
            name,
            open_inside: Vec::new(),
            inside: Vec::new(),
            checked_to: start,
            open_elements: Vec::new(),
        }
    }
}

impl Outline {
    fn is_entry(&self, text: &str, prefix: &str, local: &str, attributes: Span) -> bool {
        if !local.eq_ignore_ascii_case("item") && !local.eq_ignore_ascii_case("entry") {
            return false;
        }
        if prefix.is_empty()
            || memchr::memmem::find(attributes.of(text).as_bytes(), b"xmlns").is_none()
        {
            return self.bindings.resolve(prefix) == Ns::Feed;
        }
        let mut bindings = self.bindings.clone();
        declare(&mut bindings, attributes.of(text), &self.entities);
        bindings.resolve(prefix) == Ns::Feed
    }

    /// Whether an element of a foreign vocabulary is open at `at` inside the entry: then an entry that begins
    /// there is part of the outer one, else the outer one lacks its end. Goes on where the last call stopped.
    fn is_in_foreign_element<'a>(
        &self,
        text: &'a str,
        entry: &mut OpenEntry<'a>,
        at: usize,
    ) -> bool {
        let mut scanner = Scanner::new(text, entry.checked_to, at);
        let open = &mut entry.open_elements;
        while let Some((mark, _, _)) = scanner.next_mark() {
            match mark {
                Mark::Open { name, is_empty: false, .. } if open.len() < MAX_DEPTH => {
                    open.push(name.of(text));
                }
                Mark::Close { name } => {
                    let name = name.of(text);
                    if let Some(depth) =
                        open.iter().rposition(|open| open.eq_ignore_ascii_case(name))
                    {
                        open.truncate(depth);
                    }
                }
                _ => {}
            }
        }
        entry.checked_to = at;
        entry.open_elements.iter().any(|name| {
            let (prefix, _) = split_name(name);
            !prefix.is_empty() && self.bindings.resolve(prefix) == Ns::Other
        })
    }

    /// Takes root and declarations from an element outside all entries.
    fn see_head(&mut self, text: &str, local: &str, prefix: &str, attributes: Span) {
        if self.root.is_some() && !(self.entries.is_empty() && is_container(local)) {
            return;
        }
        let root = match local.to_ascii_lowercase().as_str() {
            "rss" => Root::Rss,
            "rdf" => Root::Rdf,
            "feed" => Root::Atom,
            "channel" => Root::Channel,
            "html" => {
                self.is_page = true;
                return;
            }
            _ => return,
        };
        // `<feed>` inside a web page is a custom element unless it says whose it is.
        if self.is_page
            && !matches!(root, Root::Rss | Root::Rdf)
            && !attributes.of(text).contains("xmlns")
        {
            return;
        }
        declare(&mut self.bindings, attributes.of(text), &self.entities);
        if self.root.is_none() {
            self.root = Some(root);
            self.root_attributes = attributes;
            self.bindings.assume_feed(prefix);
        }
    }

    fn push(&mut self, entry: Span, limits: &Limits) -> Result<(), Error> {
        if self.entries.len() >= limits.max_entries {
            return Err(Error::TooManyEntries { limit: limits.max_entries });
        }
        self.entries.push(entry);
        self.seen_to = self.seen_to.max(entry.end());
        Ok(())
    }

    /// Takes an entry whose end is missing, if there is anything in it.
    fn push_endless(&mut self, text: &str, entry: Span, limits: &Limits) -> Result<(), Error> {
        let own_tag = memchr::memchr(b'>', entry.of(text).as_bytes()).map_or(0, |at| at + 1);
        self.push_repaired(text, entry, own_tag, limits)
    }

    /// Takes an entry if an element begins in it after its first `skip` bytes.
    fn push_repaired(
        &mut self,
        text: &str,
        entry: Span,
        skip: usize,
        limits: &Limits,
    ) -> Result<(), Error> {
        self.seen_to = self.seen_to.max(entry.end());
        let inside = entry.of(text).as_bytes().get(skip..).unwrap_or_default();
        let has_elements = memchr::memchr_iter(b'<', inside)
            .any(|at| !matches!(inside.get(at + 1), None | Some(b'/')));
        if has_elements {
            self.repaired_entries += 1;
            self.push(entry, limits)?;
        }
        Ok(())
    }

    /// `</item>` without `<item>`: what lies since the last entry is one; before any entry, what lies since the
    /// head began to repeat itself.
    fn take_up_startless(&mut self, text: &str, end: usize, limits: &Limits) -> Result<(), Error> {
        let start = match self.seen_to {
            0 => start_of_repetition(text, end),
            seen_to => seen_to,
        };
        self.push_repaired(text, Span::new(start, end), 0, limits)
    }
}

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

fn is_container(local: &str) -> bool {
    is_any(local, &["channel", "rss", "rdf", "feed"])
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
