//! HTML of any quality to lines of text, in one pass and without a tree.
//!
//! In: what a publisher put into a feed, which may be HTML, HTML escaped twice, or plain text. Out: [`Lines`].
//! Time and memory are linear in the input whatever it holds: nothing nests, nothing is read more than twice.
//! Scripts, styles, hidden elements, forms and widgets are left out; unclosed and crossed tags do no harm.

use memchr::{memchr, memchr_iter, memchr2, memchr3, memmem};

use super::{
    entities,
    lines::{Break, Builder, Kind, Lines},
    mojibake,
    tag::{self, Name, Tag},
};
use crate::model::Markup;

/// Reads a text as published.
pub(super) fn lines(raw: &str, markup: Markup) -> Lines {
    let unescaped = unescape_markup(raw);
    let raw = unescaped.as_deref().unwrap_or(raw);
    let repaired = mojibake::repair(raw);
    let raw = repaired.as_deref().unwrap_or(raw);
    let shape = shape(raw, markup);
    let mut reader = Reader::new(raw, &shape);
    reader.read();
    let mut lines = reader.out.finish();
    settle(&mut lines);
    // The end of a CDATA section that was written twice.
    let Lines { text, lines: all, .. } = &mut lines;
    all.retain(|line| &text[line.start..line.end] != "]]>");
    lines
}

/// What the whole text says about how to read it.
struct Shape {
    /// Tags are markup; else `<` is a character.
    has_tags: bool,
    /// Something in it breaks lines, so that newlines are spaces.
    has_blocks: bool,
    /// Blank lines are its paragraph breaks: blocks, but neither `<p>` nor `<br>`.
    has_blank_lines: bool,
}

fn shape(raw: &str, markup: Markup) -> Shape {
    let mut shape =
        Shape { has_tags: markup == Markup::Html, has_blocks: false, has_blank_lines: true };
    let mut at = 0;
    while let Some(found) = memchr(b'<', &raw.as_bytes()[at..]) {
        at += found + 1;
        let Some(tag) = tag::peek(&raw[at - 1..]) else { continue };
        // A text declared plain is believed until it closes a tag or breaks a line with one.
        shape.has_tags |= tag.is_closing || matches!(tag.name, Name::Br | Name::P | Name::Img);
        shape.has_blocks |= tag.name.is_block();
        shape.has_blank_lines &= !matches!(tag.name, Name::Br | Name::P);
        if shape.has_tags && shape.has_blocks && !shape.has_blank_lines {
            break;
        }
    }
    shape.has_blocks &= shape.has_tags;
    shape
}

/// Takes one or more levels of escaping off a text whose tags were escaped once too often.
fn unescape_markup(raw: &str) -> Option<String> {
    let mut text = None::<String>;
    for _ in 0..3 {
        let current = text.as_deref().unwrap_or(raw);
        if !has_escaped_markup(current) {
            break;
        }
        text = Some(unescape_once(current));
    }
    text
}

/// Whether `&lt;p&gt;` and its like stand for tags here, not for themselves.
fn has_escaped_markup(raw: &str) -> bool {
    let mut finder = memmem::find_iter(raw.as_bytes(), b"&").map(|at| &raw[at..]);
    let escaped = finder.find_map(|text| {
        let opening = ["&lt;", "&#60;", "&#x3c;", "&#x3C;", "&amp;lt;"]
            .iter()
            .find(|form| text.starts_with(**form))?;
        let tag = tag::peek_escaped(&text[opening.len()..])?;
        (tag.is_closing || tag.name.is_block() || matches!(tag.name, Name::Img | Name::A))
            .then_some(())
    });
    // Code that is about markup stays: it stands in <code> or <pre>, among real tags.
    escaped.is_some()
        && !["<code", "<pre", "<kbd", "<samp", "<tt"]
            .iter()
            .any(|name| memmem::find(raw.as_bytes(), name.as_bytes()).is_some())
}

fn unescape_once(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = memchr(b'&', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        const FORMS: [(&str, &str); 9] = [
            ("&lt;", "<"),
            ("&gt;", ">"),
            ("&quot;", "\""),
            ("&amp;", "&"),
            ("&#60;", "<"),
            ("&#62;", ">"),
            ("&#39;", "'"),
            ("&apos;", "'"),
            ("&#34;", "\""),
        ];
        let (form, meant) =
            FORMS.into_iter().find(|(form, _)| rest.starts_with(form)).unwrap_or(("&", "&"));
        out.push_str(meant);
        rest = &rest[form.len()..];
    }
    out.push_str(rest);
    out
}

/// A list that is open.
struct List {
    /// The next number; 0 in a list of bullets.
    number: u32,
}

/// Lists nested deeper than this share one counter; nobody reads them anyway.
const MAX_LISTS: usize = 32;

struct Reader<'a> {
    raw: &'a str,
    at: usize,
    out: Builder,
    lists: Vec<List>,
    has_tags: bool,
    keeps_lines: bool,
    pre_depth: u32,
    /// Inside a row of a table that holds data: blocks do not break lines.
    in_row: bool,
    /// The table at hand only arranges a page.
    in_layout: bool,
    cells: usize,
    /// Names whose closing tag was looked for in vain: it is not looked for again.
    unclosed: Vec<Name>,
    has_comment_end: bool,
}

impl<'a> Reader<'a> {
    fn new(raw: &'a str, shape: &Shape) -> Self {
        let mut out = Builder::with_capacity(raw.len() / 8 * 7 + 16);
        out.keeps_lines = !shape.has_blocks;
        out.keeps_blank_lines = shape.has_blank_lines;
        Self {
            raw,
            at: 0,
            keeps_lines: out.keeps_lines,
            out,
            lists: Vec::new(),
            has_tags: shape.has_tags,
            pre_depth: 0,
            in_row: false,
            in_layout: false,
            cells: 0,
            unclosed: Vec::new(),
            has_comment_end: true,
        }
    }

    fn read(&mut self) {
        let bytes = self.raw.as_bytes();
        while self.at < bytes.len() {
            let rest = &bytes[self.at..];
            let found = if self.has_tags {
                memchr3(b'<', b'&', b'[', rest)
            } else {
                memchr2(b'&', b'[', rest)
            };
            let run = found.unwrap_or(rest.len());
            if run > 0 {
                self.out.text(&self.raw[self.at..self.at + run]);
                self.at += run;
            }
            match bytes.get(self.at) {
                Some(b'&') => self.reference(),
                Some(b'<') => self.markup(),
                Some(b'[') => self.shortcode(),
                _ => {}
            }
        }
    }

    fn reference(&mut self) {
        match entities::read(&self.raw[self.at..]) {
            Some(found) => {
                self.at += found.length;
                for character in found.value.into_iter().filter(|c| *c != '\0') {
                    // A reference to a line feed is a space, as `&nbsp;` is.
                    self.out.character(if character == '\n' { ' ' } else { character });
                }
            }
            None => {
                self.at += 1;
                self.out.text("&");
            }
        }
    }

    /// What a publishing system should have made markup of, and did not; a bracket like any other stays.
    fn shortcode(&mut self) {
        match shortcode_end(&self.raw[self.at..]) {
            Some(length) => {
                self.at += length;
                self.out.text(" ");
            }
            None => {
                self.at += 1;
                self.out.text("[");
            }
        }
    }

    fn markup(&mut self) {
        let rest = &self.raw[self.at..];
        if let Some(length) = tag::declaration(rest, &mut self.has_comment_end) {
            self.at += length;
            return;
        }
        match tag::read(rest) {
            Some(tag) => {
                self.at += tag.length;
                if tag.is_closing { self.close(&tag) } else { self.open(&tag) }
            }
            None => {
                self.at += 1;
                self.out.text("<");
            }
        }
    }

    fn open(&mut self, tag: &Tag<'_>) {
        if tag.name.is_skipped() || tag.is_hidden() || tag.is_widget() {
            self.skip(tag);
            return;
        }
        match tag.name {
            Name::A => self.out.link_depth = (self.out.link_depth + 1).min(1),
            Name::Bold => self.out.mark_depth += 1,
            Name::Br => self.soft_break(),
            Name::Img => self.image(tag),
            Name::Q => self.out.text("“"),
            Name::Sup => self.superscript(),
            Name::Li => self.item(tag),
            Name::Ul | Name::Ol => self.list(tag),
            Name::Table => self.table(),
            Name::Tr => self.row(),
            Name::Cell => self.cell(),
            Name::Pre => {
                self.block();
                self.pre_depth += 1;
                self.set_keeps_lines();
            }
            Name::Heading | Name::Figcaption => {
                self.block();
                self.out.kind =
                    if tag.name == Name::Heading { Kind::Heading } else { Kind::Caption };
            }
            Name::Dd => self.out.set_break(Break::Line),
            name if name.is_block() => self.block(),
            _ => {}
        }
    }

    fn close(&mut self, tag: &Tag<'_>) {
        match tag.name {
            Name::A => self.out.link_depth = 0,
            Name::Bold => self.out.mark_depth = self.out.mark_depth.saturating_sub(1),
            Name::Br => self.soft_break(),
            Name::Q => self.out.text("”"),
            Name::Ul | Name::Ol => {
                self.lists.pop();
                self.out.prefix.clear();
                self.block();
            }
            Name::Li | Name::Dd => {
                self.out.prefix.clear();
                self.out.set_break(Break::Line);
                self.out.kind = Kind::Text;
            }
            Name::Table => {
                self.in_row = false;
                self.in_layout = false;
                self.block();
            }
            Name::Tr if !self.in_layout => {
                self.in_row = false;
                self.out.set_break(Break::Line);
                self.out.kind = Kind::Text;
            }
            Name::Pre => {
                self.pre_depth = self.pre_depth.saturating_sub(1);
                self.set_keeps_lines();
                self.block();
            }
            Name::Cell => {}
            name if name.is_block() => self.block(),
            _ => {}
        }
    }

    fn set_keeps_lines(&mut self) {
        self.out.keeps_lines = self.keeps_lines || self.pre_depth > 0;
        self.out.kind = if self.pre_depth > 0 { Kind::Preformatted } else { Kind::Text };
    }

    /// A block begins or ends: a paragraph break, less inside lists and table rows.
    fn block(&mut self) {
        if self.in_row {
            self.out.text(" ");
            return;
        }
        let in_item = !self.lists.is_empty();
        if in_item && !self.out.prefix.is_empty() {
            return;
        }
        self.out.set_break(if in_item { Break::Line } else { Break::Paragraph });
        self.out.link_depth = 0;
        self.out.mark_depth = 0;
        self.out.kind = if self.pre_depth > 0 { Kind::Preformatted } else { Kind::Text };
    }

    fn soft_break(&mut self) {
        if self.in_row {
            self.out.text(" ");
        } else if !self.lists.is_empty() {
            self.out.set_break(Break::Line);
        } else {
            self.out.line_break();
        }
    }

    fn list(&mut self, tag: &Tag<'_>) {
        self.block();
        let start = tag.attribute("start").and_then(|value| value.trim().parse().ok()).unwrap_or(1);
        if self.lists.len() < MAX_LISTS {
            self.lists.push(List { number: if tag.name == Name::Ol { start } else { 0 } });
        }
    }

    fn item(&mut self, tag: &Tag<'_>) {
        self.out.set_break(if self.lists.is_empty() { Break::Paragraph } else { Break::Line });
        if self.in_row {
            return;
        }
        self.out.kind = Kind::Item;
        self.out.prefix.clear();
        match self.lists.last_mut() {
            Some(list) if list.number > 0 => {
                let value = tag.attribute("value").and_then(|value| value.trim().parse().ok());
                list.number = value.unwrap_or(list.number);
                self.out.prefix.push_str(&list.number.to_string());
                self.out.prefix.push_str(". ");
                list.number = list.number.saturating_add(1);
            }
            _ => self.out.prefix.push_str("- "),
        }
    }

    fn table(&mut self) {
        self.in_row = false;
        self.block();
        self.in_layout = tag::is_layout_table(&self.raw[self.at..]);
    }

    fn row(&mut self) {
        if self.in_layout {
            self.block();
            return;
        }
        self.in_row = false;
        self.out.set_break(Break::Line);
        self.in_row = true;
        self.cells = 0;
        self.out.kind = Kind::Row;
    }

    fn cell(&mut self) {
        if self.in_layout || !self.in_row {
            self.block();
            return;
        }
        if self.cells > 0 {
            self.out.separators += 1;
        }
        self.cells += 1;
    }

    /// `10<sup>6</sup>` would read as 106.
    fn superscript(&mut self) {
        // A note's mark is mostly a link.
        let inner = tag::read(&self.raw[self.at..])
            .filter(|tag| !tag.is_closing && matches!(tag.name, Name::A | Name::Inline))
            .map_or(0, |tag| tag.length);
        let rest = &self.raw[self.at + inner..];
        let length =
            rest.bytes().take(4).take_while(|b| matches!(b, b'0'..=b'9' | b'-' | b'+')).count();
        if length == 0
            || !rest[length..].starts_with("</")
            || self.out.last_character().is_none_or(|c| c == ' ')
        {
            return;
        }
        for byte in rest[..length].bytes() {
            let raised = match byte {
                b'1' => '¹',
                b'2' => '²',
                b'3' => '³',
                b'+' => '⁺',
                b'-' => '⁻',
                digit => char::from_u32(0x2070 + u32::from(digit - b'0')).unwrap_or('⁰'),
            };
            self.out.character(raised);
        }
        self.at += inner + length;
    }

    /// Of a picture only an emoji that it stands for is text.
    fn image(&mut self, tag: &Tag<'_>) {
        let Some(alternative) = tag.attribute("alt").filter(|alt| alt.chars().count() <= 8) else {
            return;
        };
        let is_emoji = !alternative.is_empty()
            && alternative.chars().all(|c| matches!(c, '\u{200d}' | '\u{fe0f}' | '\u{2190}'..='\u{2bff}' | '\u{1f000}'..='\u{1faff}'));
        if is_emoji {
            self.out.text(alternative);
        }
    }

    /// Leaves out an element with all that is in it; of one that is never closed only the tag.
    fn skip(&mut self, tag: &Tag<'_>) {
        if tag.is_empty() || self.unclosed.contains(&tag.name) {
            return;
        }
        let rest = &self.raw[self.at..];
        let end = if tag.name.is_raw() {
            tag::raw_end(rest, tag.written)
        } else {
            tag::element_end(rest, tag.written)
        };
        match end {
            Some(length) => self.at += length,
            // What follows an unclosed script or style sheet is code, not text.
            None if tag.name == Name::Raw => self.at = self.raw.len(),
            None => self.unclosed.push(tag.name),
        }
        if tag.name.is_block() {
            self.block();
        }
    }
}

/// Shortcodes of publishing systems by their names; page builders begin all of theirs alike.
const SHORTCODES: [&str; 8] =
    ["caption", "wp_caption", "gallery", "embed", "audio", "video", "playlist", "contact-form-7"];
const BUILDERS: [&str; 4] = ["vc_", "et_pb_", "fusion_", "su_"];
/// No shortcode is longer.
const MAX_SHORTCODE: usize = 1_000;

/// Length of the shortcode at the start of `text`, which begins with `[`; of an embedded address to its end.
fn shortcode_end(text: &str) -> Option<usize> {
    let inside = &text.as_bytes()[1..text.len().min(MAX_SHORTCODE)];
    let is_closing = inside.first() == Some(&b'/');
    let start = usize::from(is_closing);
    let is_of_name = |b: &&u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    let length = inside[start..].iter().take_while(is_of_name).count();
    // Of ASCII alone.
    let name = text.get(1 + start..1 + start + length)?;
    if !SHORTCODES.contains(&name) && !BUILDERS.iter().any(|builder| name.starts_with(builder)) {
        return None;
    }
    let end = memchr(b']', inside)? + 2;
    let attributes = text.get(1 + start + length..end - 1)?;
    let is_written_like_one = attributes.is_empty() || attributes.contains('=');
    // `[video]` is what some write where they leave one out.
    let is_word =
        !is_closing && attributes.is_empty() && matches!(name, "audio" | "video" | "caption");
    if !is_written_like_one || is_word || attributes.contains('[') {
        return None;
    }
    let embedded = (name == "embed" && !is_closing)
        .then(|| {
            memmem::find(&inside[end - 1..], b"[/embed]").map(|at| end + at + "[/embed]".len())
        })
        .flatten();
    Some(embedded.unwrap_or(end))
}

/// Brings what was read to the form that reading it again would give: normal form C, no references, no tags.
fn settle(text: &mut Lines) {
    if !text.text.is_ascii() {
        compose(text);
    }
    let has_shortcode =
        memchr_iter(b'[', text.text.as_bytes()).any(|at| shortcode_end(&text.text[at..]).is_some());
    if has_shortcode || memchr2(b'<', b'&', text.text.as_bytes()).is_some() {
        rewrite(text, disarm);
    }
}

/// Normal form C, where a line is not in it already.
fn compose(text: &mut Lines) {
    use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};
    if may_decompose(text.text.as_bytes()) && is_nfc_quick(text.text.chars()) != IsNormalized::Yes {
        rewrite(text, |line, out| out.extend(line.nfc()));
    }
}

/// Whether a text holds letters that may not be in normal form C: others than those below U+0300, of Cyrillic below
/// U+0480, and General Punctuation below U+2040.
fn may_decompose(bytes: &[u8]) -> bool {
    let is_doubtful = |byte: u8| byte >= 0xcc && !matches!(byte, 0xd0 | 0xd1);
    bytes.chunks(64).enumerate().any(|(index, block)| {
        // First without a branch, all bytes at once.
        block.iter().fold(false, |any, byte| any | is_doubtful(*byte))
            && block.iter().enumerate().any(|(at, byte)| {
                let next = bytes.get(index * 64 + at + 1);
                is_doubtful(*byte) && !(*byte == 0xe2 && next == Some(&0x80))
            })
    })
}

/// Writes every line anew; marks inside a changed line are lost.
fn rewrite(text: &mut Lines, mut write: impl FnMut(&str, &mut String)) {
    let old = std::mem::take(&mut text.text);
    text.text.reserve(old.len());
    for line in &mut text.lines {
        let before = &old[line.start..line.end];
        let start = text.text.len();
        let is_marked_whole = line.marked_until == line.end;
        write(before, &mut text.text);
        let end = text.text.len();
        line.marked_until = if is_marked_whole {
            end
        } else {
            start + (line.marked_until.max(line.start) - line.start).min(end - start)
        };
        if !text.text.is_char_boundary(line.marked_until) {
            line.marked_until = start;
        }
        (line.start, line.end) = (start, end);
        text.text.push('\n');
    }
}

/// A text about markup keeps its `<b>` as `‹b›`, and a reference or a shortcode that came together by accident comes apart.
fn disarm(line: &str, out: &mut String) {
    let mut rest = line;
    while let Some(at) = memchr3(b'<', b'&', b'[', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if rest.starts_with('&') {
            out.push_str(if entities::read(rest).is_some() { "& " } else { "&" });
            rest = &rest[1..];
            continue;
        }
        if rest.starts_with('[') {
            out.push_str(if shortcode_end(rest).is_some() { "[ " } else { "[" });
            rest = &rest[1..];
            continue;
        }
        let looks_like_tag = rest
            .as_bytes()
            .get(1)
            .is_some_and(|b| b.is_ascii_alphabetic() || matches!(b, b'/' | b'!' | b'?'));
        if !looks_like_tag {
            out.push('<');
            rest = &rest[1..];
            continue;
        }
        out.push('‹');
        rest = &rest[1..];
        let end = rest
            .bytes()
            .position(|b| matches!(b, b'<' | b'>'))
            .filter(|end| rest.as_bytes()[*end] == b'>');
        if let Some(end) = end {
            out.push_str(&rest[..end]);
            out.push('›');
            rest = &rest[end + 1..];
        }
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests {
    use unicode_normalization::{IsNormalized, char::canonical_combining_class, is_nfc_quick};

    use super::*;
    use crate::normalize::characters::{Fate, fate};

    #[test]
    fn whatever_may_not_be_in_normal_form_is_looked_at() {
        // U+2000 and U+2001 have become spaces.
        for character in ('\0'..=char::MAX).filter(|c| fate(*c, None) == Fate::Keep(*c)) {
            let is_sure = is_nfc_quick(std::iter::once(character)) == IsNormalized::Yes
                && canonical_combining_class(character) == 0;
            let text = [" ".repeat(62), character.to_string()].concat();
            assert!(is_sure || may_decompose(text.as_bytes()), "{character:?}");
        }
        assert!(!may_decompose("“Žluťoučký кот” – 5 €".replace('€', "").as_bytes()));
    }
}
