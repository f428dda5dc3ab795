//! The tokenizer under everything XML: text in, marks out, in one pass that never goes back.
//!
//! It accepts what publishers write: unquoted values, a stray `<`, a quote that never closes, CDATA and
//! comments without an end. Promise: linear. Whatever could look far ahead for a terminator (`]]>`, `-->`,
//! `?>`) keeps the last answer, so that a document of unclosed openers is searched once and not once each.

use memchr::{memchr, memchr2, memmem};

/// A piece of markup; offsets are bytes of the scanned text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// `<name attributes>` or `<name attributes/>`.
    Open { name: Span, attributes: Span, is_empty: bool },
    /// `</name>`.
    Close { name: Span },
    /// What stands between `<![CDATA[` and `]]>`.
    CData { inner: Span },
    /// Comment, processing instruction, stray CDATA opener: nothing to see.
    Skip,
    /// `<!DOCTYPE ...>` with its internal subset.
    Doctype { inner: Span },
}

/// A range of bytes, small enough to keep by the thousand. Documents are at most 4 GiB by [`super::Limits`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) end: u32,
}

impl Span {
    pub(super) fn new(start: usize, end: usize) -> Self {
        Self { start: start as u32, end: end.max(start) as u32 }
    }

    pub(super) fn of(self, text: &str) -> &str {
        text.get(self.start as usize..self.end as usize).unwrap_or("")
    }

    pub(super) fn start(self) -> usize {
        self.start as usize
    }

    pub(super) fn end(self) -> usize {
        self.end as usize
    }
}

/// Steps from mark to mark.
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    cdata_end: NextFound,
    comment_end: NextFound,
    instruction_end: NextFound,
    feed_tag: NextFound,
    cdata_openers: Openers,
    comment_openers: Openers,
    /// A DTD stands before the root, else a `[` in an entry would swallow the next ones.
    may_have_doctype: bool,
    /// Bytes looked at ahead of the scanner, so that a test can count what it would else have to time.
    searched: usize,
}

/// Where a terminator next stands, remembered until the scanner has passed it.
#[derive(Clone, Copy)]
enum NextFound {
    NotLooked,
    At(usize),
    Nowhere,
}

impl NextFound {
    /// The answer for `from`, and how many bytes were searched for it.
    fn after(
        &mut self,
        text: &str,
        from: usize,
        find: impl Fn(&[u8]) -> Option<usize>,
    ) -> (Option<usize>, usize) {
        match *self {
            Self::At(at) if at >= from => (Some(at), 0),
            Self::Nowhere => (None, 0),
            Self::NotLooked | Self::At(_) => {
                let found = find(&text.as_bytes()[from..]).map(|at| from + at);
                *self = found.map_or(Self::Nowhere, Self::At);
                (found, found.unwrap_or(text.len()) - from)
            }
        }
    }
}

impl<'a> Scanner<'a> {
    /// Scans `text` up to `end`.
    pub(super) fn new(text: &'a str, start: usize, end: usize) -> Self {
        let found = NextFound::NotLooked;
        Self {
            text: text.get(..end).unwrap_or(text),
            at: start,
            cdata_end: found,
            comment_end: found,
            instruction_end: found,
            feed_tag: found,
            cdata_openers: Openers::default(),
            comment_openers: Openers::default(),
            may_have_doctype: start == 0,
            searched: 0,
        }
    }

    /// The next mark with where it starts and ends. Text is what lies between marks.
    pub(super) fn next_mark(&mut self) -> Option<(Mark, usize, usize)> {
        let bytes = self.text.as_bytes();
        loop {
            let start = self.at + memchr(b'<', bytes.get(self.at..)?)?;
            let (mark, end) = match bytes.get(start + 1) {
                Some(b'!') => self.declaration(start),
                Some(b'?') => (Mark::Skip, self.instruction(start)),
                Some(b'/') => self.close(start),
                Some(c) if is_name_start(*c) => {
                    self.may_have_doctype = false;
                    self.open(start)
                }
                _ => {
                    self.at = start + 1;
                    continue;
                }
            };
            self.at = end;
            return Some((mark, start, end));
        }
    }

    fn declaration(&mut self, start: usize) -> (Mark, usize) {
        let rest = &self.text.as_bytes()[start..];
        if starts_with_ignore_case(rest, CDATA) {
            let inner = start + CDATA.len();
            return match self.section_end(inner, CDATA, b"]]>") {
                Some(end) => (Mark::CData { inner: Span::new(inner, end) }, end + 3),
                // Without its end, what follows is read as markup: the entry keeps its text and the next
                // entries are seen.
                None => (Mark::Skip, inner),
            };
        }
        if rest.starts_with(COMMENT) {
            let inner = start + COMMENT.len();
            let end = self.section_end(inner, COMMENT, b"-->");
            return (Mark::Skip, end.map_or(inner, |end| end + 3));
        }
        if self.may_have_doctype && starts_with_ignore_case(rest, b"<!DOCTYPE") {
            self.may_have_doctype = false;
            return self.doctype(start);
        }
        (Mark::Skip, self.to_tag_end(start + 2))
    }

    /// Where a section that begins at `inner` ends; nowhere if its terminator belongs to a later opener.
    fn section_end(&mut self, inner: usize, opener: &[u8], terminator: &[u8]) -> Option<usize> {
        let (ends, openers) = match opener {
            CDATA => (&mut self.cdata_end, &mut self.cdata_openers),
            _ => (&mut self.comment_end, &mut self.comment_openers),
        };
        let (end, searched) = ends.after(self.text, inner, |bytes| memmem::find(bytes, terminator));
        let end = end?;
        let (tag, searched_tags) = self.feed_tag.after(self.text, inner, find_feed_tag);
        self.searched += searched + searched_tags;
        let is_divided = is_division(self.text, inner - opener.len())
            || is_division(self.text, end + terminator.len());
        if is_divided || tag.is_none_or(|tag| tag >= end) {
            return Some(end);
        }
        if openers.terminator != end {
            *openers = Openers::before(&self.text.as_bytes()[..end], inner, opener);
            self.searched += end - inner;
        }
        openers.endless.binary_search(&inner).is_err().then_some(end)
    }

    fn instruction(&mut self, start: usize) -> usize {
        let tag_end = self.to_tag_end(start + 2);
        let (end, searched) =
            self.instruction_end.after(self.text, start + 2, |bytes| memmem::find(bytes, b"?>"));
        self.searched += searched;
        match end {
            // `<?xml version="1.0">` without its second question mark must not swallow the document.
            Some(end) if end < tag_end || !self.text[start + 1..end].contains('<') => end + 2,
            _ => tag_end,
        }
    }

    fn doctype(&mut self, start: usize) -> (Mark, usize) {
        let bytes = self.text.as_bytes();
        let inner = start + 9;
        let Some(first) = memchr::memchr3(b'[', b'>', b'<', &bytes[inner..]).map(|at| inner + at)
        else {
            return (Mark::Skip, bytes.len());
        };
        if bytes[first] != b'[' {
            let end = if bytes[first] == b'>' { first + 1 } else { first };
            return (Mark::Doctype { inner: Span::new(inner, first) }, end);
        }
        match memchr(b']', &bytes[first..]).map(|at| first + at) {
            Some(close) => {
                let end = memchr(b'>', &bytes[close..]).map_or(bytes.len(), |at| close + at + 1);
                (Mark::Doctype { inner: Span::new(first + 1, close) }, end)
            }
            None => (Mark::Skip, first + 1),
        }
    }

    /// After the next `>`, or at the next `<` if that comes first.
    fn to_tag_end(&self, from: usize) -> usize {
        let bytes = self.text.as_bytes();
        match memchr2(b'>', b'<', bytes.get(from..).unwrap_or_default()) {
            Some(at) if bytes[from + at] == b'>' => from + at + 1,
            Some(at) => from + at,
            None => bytes.len(),
        }
    }

    fn close(&self, start: usize) -> (Mark, usize) {
        let bytes = self.text.as_bytes();
        let name_start = start + 2;
        let name_end = name_start + name_length(&bytes[name_start..]);
        if name_end == name_start {
            return (Mark::Skip, self.to_tag_end(name_start));
        }
        (Mark::Close { name: Span::new(name_start, name_end) }, self.to_tag_end(name_end))
    }

    fn open(&self, start: usize) -> (Mark, usize) {
        let bytes = self.text.as_bytes();
        let name_start = start + 1;
        let name_end = name_start + name_length(&bytes[name_start..]);
        let mut at = name_end;
        loop {
            let Some(found) =
                bytes[at..].iter().position(|b| matches!(b, b'>' | b'<' | b'"' | b'\''))
            else {
                return open_mark(bytes, name_start, name_end, bytes.len(), bytes.len());
            };
            at += found;
            match bytes[at] {
                b'>' => return open_mark(bytes, name_start, name_end, at, at + 1),
                b'<' => return open_mark(bytes, name_start, name_end, at, at),
                quote => match self.quoted_end(at, quote) {
                    Some(end) => at = end,
                    None => {
                        let end = self.to_tag_end(at + 1);
                        let inner_end = if bytes[end - 1] == b'>' { end - 1 } else { end };
                        return open_mark(bytes, name_start, name_end, inner_end, end);
                    }
                },
            }
        }
    }

    /// After the closing quote of the value that opens at `at`, unless a `<` comes before it: then the quote
    /// was never closed.
    fn quoted_end(&self, at: usize, quote: u8) -> Option<usize> {
        let bytes = self.text.as_bytes();
        let found = at + 1 + memchr2(quote, b'<', &bytes[at + 1..])?;
        (bytes[found] == quote).then_some(found + 1)
    }
}

/// Whether a section was divided at `at` on purpose, so that `]]>` can stand in it: `]]]]><![CDATA[>`.
fn is_division(text: &str, at: usize) -> bool {
    let (before, after) = (&text[..at], text[at..].strip_prefix("<![CDATA["));
    after.is_some_and(|after| {
        before.ends_with("]]]]>") && after.starts_with('>')
            || before.ends_with("]]]>") && after.starts_with("]>")
    })
}

/// The openers before one terminator that it does not end.
#[derive(Default)]
struct Openers {
    terminator: usize,
    /// Where the sections begin that have no end of their own, in order.
    endless: Vec<usize>,
}

impl Openers {
    /// Looks at all openers from the one at `inner` on, in one pass from the end.
    ///
    /// A section lies inside one element. So one that holds the end of a feed's element but not its start, or
    /// an entry's start but not its end, and after it another opener, lacks its own end. A comment may hide
    /// entries, but only whole ones, whatever comes after.
    fn before(bytes: &[u8], inner: usize, opener: &[u8]) -> Self {
        // Ends whose start was not met yet: those that tell, and others.
        let mut telling = [0usize; FEED_ELEMENTS.len()];
        let mut others = [0usize; FEED_ELEMENTS.len()];
        let mut endless = Vec::new();
        let (mut has_opener, mut is_torn, mut right) = (false, false, bytes.len());
        for at in memchr::memrchr_iter(b'<', &bytes[inner..]) {
            let tag = &bytes[inner + at..right];
            right = inner + at;
            if starts_with_ignore_case(tag, opener) {
                if is_torn || telling.iter().any(|count| *count > 0) {
                    endless.push(inner + at + opener.len());
                }
                has_opener = true;
                continue;
            }
            let is_end = tag.get(1) == Some(&b'/');
            let Some(element) = feed_element(&tag[if is_end { 2 } else { 1 }..]) else { continue };
            let is_empty = memchr(b'>', tag).is_some_and(|end| tag[end - 1] == b'/');
            if is_empty {
                continue;
            }
            let is_entry = element < ENTRY_ELEMENTS;
            let tells = has_opener || is_entry && opener == COMMENT;
            match (is_end, telling[element], others[element]) {
                (true, ..) if tells => telling[element] += 1,
                (true, ..) => others[element] += 1,
                (false, 1.., _) => telling[element] -= 1,
                (false, _, 1..) => others[element] -= 1,
                (false, 0, 0) => is_torn |= is_entry && tells,
            }
        }
        if is_torn || telling.iter().any(|count| *count > 0) {
            endless.push(inner);
        }
        endless.reverse();
        Self { terminator: bytes.len(), endless }
    }
}

/// Elements whose ends tell that a section was left; the first [`ENTRY_ELEMENTS`] are entries.
const FEED_ELEMENTS: [&[u8]; 9] = [
    b"item",
    b"entry",
    b"title",
    b"link",
    b"description",
    b"content:encoded",
    b"content",
    b"guid",
    b"pubdate",
];
const ENTRY_ELEMENTS: usize = 2;

/// Which of [`FEED_ELEMENTS`] the name at the start of `tag` is.
fn feed_element(tag: &[u8]) -> Option<usize> {
    // The longest of the names, and one byte more.
    let name = &tag[..name_length(&tag[..tag.len().min(16)])];
    FEED_ELEMENTS.iter().position(|known| name.eq_ignore_ascii_case(known))
}

const CDATA: &[u8] = b"<![CDATA[";
const COMMENT: &[u8] = b"<!--";

/// Beginnings of tags that no web page has: such a tag begins or ends a feed's own element.
const FEED_ONLY_TAGS: [&[u8]; 10] = [
    b"item>",
    b"item ",
    b"entry>",
    b"/item",
    b"/entry",
    b"/description",
    b"/content:encoded",
    b"/content>",
    b"/guid",
    b"/pubdate",
];

fn find_feed_tag(bytes: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'<', bytes).find(|at| {
        let tag = &bytes[at + 1..];
        FEED_ONLY_TAGS.iter().any(|start| starts_with_ignore_case(tag, start))
    })
}

fn open_mark(
    bytes: &[u8],
    name: usize,
    name_end: usize,
    inner_end: usize,
    end: usize,
) -> (Mark, usize) {
    let is_empty = inner_end > name_end && bytes[inner_end - 1] == b'/';
    let attributes = Span::new(name_end, if is_empty { inner_end - 1 } else { inner_end });
    (Mark::Open { name: Span::new(name, name_end), attributes, is_empty }, end)
}

fn is_name_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn name_length(bytes: &[u8]) -> usize {
    let is_name =
        |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b':' | b'-' | b'_' | b'.') || *b >= 0x80;
    bytes.iter().position(|b| !is_name(b)).unwrap_or(bytes.len())
}

pub(super) fn starts_with_ignore_case(bytes: &[u8], prefix: &[u8]) -> bool {
    bytes.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// The attributes written in `raw`: name and raw value, in order.
pub(super) fn attributes(raw: &str) -> Attributes<'_> {
    Attributes { raw, at: 0 }
}

/// Iterator of [`attributes`].
pub(super) struct Attributes<'a> {
    raw: &'a str,
    at: usize,
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.raw.as_bytes();
        let skipped = bytes.get(self.at..)?.iter().position(|b| is_name_start(*b))?;
        let start = self.at + skipped;
        let name_end = start + name_length(&bytes[start..]);
        let name = &self.raw[start..name_end];
        let after = skip_space(bytes, name_end);
        if bytes.get(after) != Some(&b'=') {
            self.at = name_end;
            return Some((name, ""));
        }
        let value_start = skip_space(bytes, after + 1);
        let (from, to, next) = match bytes.get(value_start) {
            Some(quote @ (b'"' | b'\'')) => {
                let from = value_start + 1;
                let to = memchr(*quote, &bytes[from..]).map_or(bytes.len(), |at| from + at);
                (from, to, to + 1)
            }
            _ => {
                let rest = &bytes[value_start.min(bytes.len())..];
                let length = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
                (value_start, value_start + length, value_start + length)
            }
        };
        self.at = next;
        Some((name, self.raw.get(from..to).unwrap_or("")))
    }
}

fn skip_space(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().position(|b| !b.is_ascii_whitespace()).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(text: &str) -> Vec<String> {
        let mut scanner = Scanner::new(text, 0, text.len());
        let mut marks = Vec::new();
        while let Some((mark, _, _)) = scanner.next_mark() {
            marks.push(match mark {
                Mark::Open { name, attributes, is_empty } => {
                    let close = if is_empty { "/" } else { "" };
                    format!("{}{}{close}", name.of(text), attributes.of(text))
                }
                Mark::Close { name } => format!("/{}", name.of(text)),
                Mark::CData { inner } => format!("[{}]", inner.of(text)),
                Mark::Skip => "-".to_owned(),
                Mark::Doctype { .. } => "!".to_owned(),
            });
        }
        marks
    }

    #[test]
    fn broken_markup_is_read_as_meant() {
        for (text, expected) in [
            ("<a b='>'>x</a>", vec!["a b='>'", "/a"]),
            ("<a/><b />", vec!["a/", "b /"]),
            ("1 < 2 <a>3 <4</a>", vec!["a", "/a"]),
            ("<a href=\"x>y</a>", vec!["a href=\"x", "/a"]),
            ("<a <b>", vec!["a ", "b"]),
            ("<![CDATA[<x>]]><a>", vec!["[<x>]", "a"]),
            ("<![CDATA[<x><a>", vec!["-", "x", "a"]),
            ("<!-- <a> --><b>", vec!["-", "b"]),
            ("<!-- <a><b>", vec!["-", "a", "b"]),
            ("<?xml version='1.0'><a>", vec!["-", "a"]),
            ("<!DOCTYPE x [<!ENTITY a 'b'>]><a>", vec!["!", "a"]),
            (
                "<![CDATA[one</description><x/><![CDATA[two]]>",
                vec!["-", "/description", "x/", "[two]"],
            ),
            ("</a b></>", vec!["/a", "-"]),
            (
                "<title><![CDATA[one</title><item><title><![CDATA[two]]></title>",
                vec!["title", "-", "/title", "item", "title", "[two]", "/title"],
            ),
            (
                "<![CDATA[a <item><guid>1</guid><![CDATA[b]] </item> ]]>c<x>",
                vec!["[a <item><guid>1</guid><![CDATA[b]] </item> ]", "x"],
            ),
            (
                "<![CDATA[<item><![CDATA[a]]]]><![CDATA[></item> <![CDATA[b]]></item>",
                vec!["[<item><![CDATA[a]]]", "[></item> <![CDATA[b]", "/item"],
            ),
            ("<!-- <item>a</item><item/> --><x>", vec!["-", "x"]),
            ("<!-- a</item><item>b --></item>", vec!["-", "/item", "item", "/item"]),
            ("<!-- <link>a</link><item>b --><x>", vec!["-", "link", "/link", "item", "x"]),
        ] {
            assert_eq!(marks(text), expected, "{text}");
        }
    }

    #[test]
    fn openers_without_an_end_are_searched_once() {
        for unit in [
            "<![CDATA[ ",
            "<!-- ",
            "<? ",
            "<![CDATA[ </item>",
            "<!-- </item> ",
            "<!-- <item> ",
            "<![CDATA[ <item> </guid>",
            "<a b=\"",
            "<a b='<",
            "<!DOCTYPE [",
            "<!DOCTYPE <",
            "</",
            "<!",
        ] {
            for tail in ["", "]]>", "-->", "?>", "\">", "]>"] {
                let text = unit.repeat(20_000) + tail;
                let mut scanner = Scanner::new(&text, 0, text.len());
                let mut at = 0;
                while let Some((_, start, end)) = scanner.next_mark() {
                    assert!(start >= at && end > start, "{unit}{tail}: marks overlap");
                    at = end;
                }
                let searched = scanner.searched;
                assert!(searched <= 4 * text.len(), "{unit}{tail}: {searched} of {}", text.len());
            }
        }
    }

    #[test]
    fn attributes_are_read_however_quoted() {
        let read: Vec<_> = attributes(" a='1' b = \"2 3\" c=4 d e='5").collect();
        assert_eq!(read, [("a", "1"), ("b", "2 3"), ("c", "4"), ("d", ""), ("e", "5")]);
    }
}
