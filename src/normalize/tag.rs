//! One tag: where it ends, what its name means for text, what its attributes say about being seen.
//!
//! Tolerant: unclosed quotes end where the next tag would, unknown names are tags only if they are written like
//! one (`<my-widget>`, `</foo>`, `<x a="b">`), so that `a <b and c> d` stays text. Nothing here allocates.

use std::{collections::HashSet, sync::LazyLock};

use memchr::{memchr, memmem};

/// What an element's name means for its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    A,
    Bold,
    Block,
    Br,
    /// `<td>`, `<th>`.
    Cell,
    Dd,
    Figcaption,
    Heading,
    Img,
    /// Known, and nothing to a text: `<span>`, `<font>`.
    Inline,
    Li,
    Ol,
    P,
    Pre,
    Q,
    /// `<script>`, `<style>` and others whose content is no markup; never shown.
    Raw,
    /// `<svg>`, `<form>` and others that are markup and never shown.
    Skipped,
    Sup,
    Table,
    Tr,
    Ul,
    Unknown,
}

impl Name {
    pub(super) fn is_block(self) -> bool {
        use Name::{Block, Br, Cell, Dd, Figcaption, Heading, Li, Ol, P, Pre, Table, Tr, Ul};
        matches!(
            self,
            Block | Br | Cell | Dd | Figcaption | Heading | Li | Ol | P | Pre | Table | Tr | Ul
        )
    }

    pub(super) fn is_skipped(self) -> bool {
        matches!(self, Self::Raw | Self::Skipped)
    }

    pub(super) fn is_raw(self) -> bool {
        self == Self::Raw
    }
}

/// One tag as written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tag<'a> {
    pub(super) name: Name,
    /// The name as the publisher wrote it.
    pub(super) written: &'a str,
    pub(super) is_closing: bool,
    attributes: &'a str,
    /// Bytes from `<` to behind `>`.
    pub(super) length: usize,
}

/// Reads the tag at the start of `text`, which begins with `<`; `None` where that is an ordinary character.
pub(super) fn read(text: &str) -> Option<Tag<'_>> {
    let mut tag = peek(text)?;
    let start = 1 + usize::from(tag.is_closing) + tag.written.len();
    let end = tag_end(text, start)?;
    tag.attributes = text.get(start..end)?;
    tag.length = end + 1;
    let is_written_like_a_tag = tag.is_closing
        || tag.name != Name::Unknown
        || tag.written.contains(['-', ':'])
        || tag.attributes.contains('=')
        || tag.attributes.ends_with('/');
    is_written_like_a_tag.then_some(tag)
}

/// Reads only the name of the tag at the start of `text`.
pub(super) fn peek(text: &str) -> Option<Tag<'_>> {
    let bytes = text.as_bytes();
    let is_closing = bytes.get(1) == Some(&b'/');
    let start = 1 + usize::from(is_closing);
    if !bytes.get(start)?.is_ascii_alphabetic() {
        return None;
    }
    let length = bytes[start..]
        .iter()
        .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b':' | b'_'))
        .count();
    let end = start + length;
    // `<http://...>` and `<someone@example.org>` are how plain texts write addresses.
    let next = bytes.get(end);
    let delimits = next.is_none_or(|b| b.is_ascii_whitespace() || matches!(b, b'>' | b'/' | b'<'));
    let written = text.get(start..end)?;
    if !delimits || written.ends_with(':') {
        return None;
    }
    Some(Tag { name: meaning(written), written, is_closing, attributes: "", length: end })
}

/// Reads the name of a tag whose `<` was escaped and stands before `text`; it must be a known one and end.
pub(super) fn peek_escaped(text: &str) -> Option<Tag<'_>> {
    let is_closing = text.starts_with('/');
    let start = usize::from(is_closing);
    let length = text
        .as_bytes()
        .get(start..)?
        .iter()
        .take(12)
        .take_while(|b| b.is_ascii_alphanumeric())
        .count();
    let written = text.get(start..start + length)?;
    let name = if written.is_empty() { Name::Unknown } else { meaning(written) };
    let rest = text.get(start + length..)?;
    let ends =
        rest.starts_with(['&', '/', '>']) || (rest.starts_with(' ') && has_escaped_end(rest));
    (name != Name::Unknown && ends).then_some(Tag {
        name,
        written,
        is_closing,
        attributes: "",
        length: 0,
    })
}

/// Whether an escaped tag that has attributes ends within reach.
fn has_escaped_end(rest: &str) -> bool {
    let reach = &rest.as_bytes()[..rest.len().min(600)];
    ["&gt;", "&#62;", ">"].iter().any(|end| memmem::find(reach, end.as_bytes()).is_some())
}

/// What an element's name means, however it is written.
pub(super) fn peek_name(written: &str) -> Name {
    meaning(written)
}

fn meaning(written: &str) -> Name {
    let mut lower = [0_u8; 12];
    let Some(lower) = lower.get_mut(..written.len()) else { return Name::Unknown };
    lower.copy_from_slice(written.as_bytes());
    lower.make_ascii_lowercase();
    match &*lower {
        b"p" => Name::P,
        b"a" => Name::A,
        b"br" => Name::Br,
        b"img" | b"image" => Name::Img,
        b"b" | b"strong" | b"em" | b"i" | b"u" | b"mark" | b"cite" => Name::Bold,
        b"span" | b"font" | b"small" | b"big" | b"abbr" | b"acronym" | b"bdi" | b"bdo"
        | b"code" | b"data" | b"del" | b"dfn" | b"ins" | b"kbd" | b"label" | b"nobr"
        | b"output" | b"ruby" | b"rb" | b"s" | b"samp" | b"strike" | b"sub" | b"time" | b"tt"
        | b"var" | b"wbr" | b"picture" | b"source" | b"track" | b"param" | b"link" | b"meta"
        | b"base" | b"input" | b"col" | b"area" | b"embed" | b"blink" | b"marquee" | b"math"
        | b"html" | b"body" | b"tbody" | b"thead" | b"tfoot" | b"colgroup" | b"slot"
        | b"basefont" | b"bgsound" | b"keygen" | b"spacer" | b"mi" | b"mn" | b"mo" | b"ms"
        | b"mrow" | b"mtext" | b"msup" | b"msub" | b"msubsup" | b"mfrac" | b"msqrt" | b"mroot"
        | b"mstyle" | b"mspace" | b"mover" | b"munder" | b"munderover" | b"mpadded" | b"mtable"
        | b"mtr" | b"mtd" | b"semantics" => Name::Inline,
        b"div" | b"section" | b"article" | b"header" | b"footer" | b"main" | b"aside"
        | b"blockquote" | b"figure" | b"address" | b"center" | b"dl" | b"dt" | b"fieldset"
        | b"legend" | b"details" | b"summary" | b"hgroup" | b"hr" | b"form" | b"dir" | b"menu"
        | b"optgroup" | b"frameset" | b"dialog" | b"search" | b"xmp" | b"listing" => Name::Block,
        b"caption" | b"figcaption" => Name::Figcaption,
        b"dd" => Name::Dd,
        b"h1" | b"h2" | b"h3" | b"h4" | b"h5" | b"h6" => Name::Heading,
        b"li" => Name::Li,
        b"ul" => Name::Ul,
        b"ol" => Name::Ol,
        b"pre" => Name::Pre,
        b"q" => Name::Q,
        b"sup" => Name::Sup,
        b"table" => Name::Table,
        b"td" | b"th" => Name::Cell,
        b"tr" => Name::Tr,
        b"script" | b"style" | b"textarea" | b"title" => Name::Raw,
        b"iframe" | b"noscript" | b"template" | b"noframes" | b"noembed" | b"svg" | b"object"
        | b"applet" | b"canvas" | b"audio" | b"video" | b"button" | b"select" | b"option"
        | b"datalist" | b"map" | b"head" | b"nav" | b"rt" | b"rp" | b"progress" | b"meter"
        | b"annotation" => Name::Skipped,
        _ => Name::Unknown,
    }
}

/// Index of the `>` that ends the tag, quotes observed from `start` on.
fn tag_end(text: &str, start: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = start;
    // The first `>` inside a quoted value: where the tag ends if that value turns out to be text.
    let mut quoted = None;
    loop {
        let found =
            at + bytes.get(at..)?.iter().position(|b| matches!(b, b'>' | b'"' | b'\'' | b'<'))?;
        match bytes[found] {
            // A new tag begins: this one was cut off.
            b'<' => return quoted,
            b'>' => return Some(found),
            quote if is_value_start(&bytes[start..found]) => {
                let value = &bytes[found + 1..];
                let Some(close) = memchr(quote, value) else {
                    return quoted.or(memchr(b'>', value).map(|end| found + 1 + end));
                };
                quoted =
                    quoted.or_else(|| memchr(b'>', &value[..close]).map(|end| found + 1 + end));
                at = found + close + 2;
                let goes_on = bytes.get(at).is_none_or(|b| {
                    b.is_ascii_whitespace() || matches!(b, b'>' | b'/' | b'"' | b'\'')
                });
                // Behind a quote that was never closed stands text.
                if !goes_on && quoted.is_some() {
                    return quoted;
                }
            }
            _ => at = found + 1,
        }
    }
}

/// Whether a quote opens a value: it stands behind `=`, spaces between.
fn is_value_start(before: &[u8]) -> bool {
    before.iter().rev().find(|b| !b.is_ascii_whitespace()) == Some(&b'=')
}

/// Bytes within which an unclosed comment may end with a `>`.
const MAX_UNCLOSED: usize = 2_000;

/// Length of a comment, declaration, CDATA mark or processing instruction at the start of `text`.
///
/// `has_comment_end` says whether a `-->` may still come: it is looked for in vain only once.
pub(super) fn declaration(text: &str, has_comment_end: &mut bool) -> Option<usize> {
    let bytes = text.as_bytes();
    match bytes.get(1)? {
        b'!' if text.starts_with("<!--") => {
            // `<!-->` and `<!--->` are whole comments.
            if text.starts_with("<!-->") || text.starts_with("<!--->") {
                return Some(memchr(b'>', bytes)? + 1);
            }
            let rest = if *has_comment_end { &bytes[4..] } else { &[] };
            let end = memmem::find(rest, b"-->").map(|at| at + 7);
            *has_comment_end = end.is_some();
            // An unclosed comment ends with its first tag, so that it cannot swallow an article.
            let reach = &bytes[..bytes.len().min(MAX_UNCLOSED)];
            end.or_else(|| memchr(b'>', reach).map(|at| at + 1)).or(Some(4))
        }
        b'!' if text.starts_with("<![CDATA[") => Some("<![CDATA[".len()),
        b'!' | b'?' if bytes.get(2).is_some_and(|b| b.is_ascii_alphabetic() || *b == b'[') => {
            let end = bytes[2..].iter().position(|b| matches!(b, b'>' | b'<'))? + 2;
            (bytes[end] == b'>').then_some(end + 1)
        }
        _ => None,
    }
}

/// Elements that add-ons put around an article, by class or id; one token a line, `*` at the end for any ending.
struct Widgets {
    exact: HashSet<&'static str>,
    beginnings: Vec<&'static str>,
}

static WIDGETS: LazyLock<Widgets> = LazyLock::new(|| {
    let tokens = include_str!("data/widgets.txt")
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let (beginnings, exact): (Vec<_>, Vec<_>) = tokens.partition(|token| token.ends_with('*'));
    let beginnings = beginnings.into_iter().map(|token| token.trim_end_matches('*')).collect();
    Widgets { exact: exact.into_iter().collect(), beginnings }
});

impl<'a> Tag<'a> {
    /// The value of an attribute, references in it unresolved.
    pub(super) fn attribute(&self, name: &str) -> Option<&'a str> {
        attributes(self.attributes)
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// Whether the element has no content and no closing tag.
    pub(super) fn is_empty(&self) -> bool {
        matches!(self.name, Name::Br | Name::Img) || self.attributes.ends_with('/')
    }

    /// Whether readers do not see the element.
    pub(super) fn is_hidden(&self) -> bool {
        if self.attributes.len() < 6 || !is_container(self.name) {
            return false;
        }
        attributes(self.attributes).any(|(name, value)| match name.len() {
            6 => name.eq_ignore_ascii_case("hidden") && !value.eq_ignore_ascii_case("until-found"),
            5 => name.eq_ignore_ascii_case("style") && hides(value),
            11 => name.eq_ignore_ascii_case("aria-hidden") && value.eq_ignore_ascii_case("true"),
            _ => false,
        })
    }

    /// Whether the element is a share bar, a newsletter box or the like.
    pub(super) fn is_widget(&self) -> bool {
        if self.attributes.len() < 6 || !is_container(self.name) {
            return false;
        }
        let named = |(name, _): &(&str, &str)| {
            name.eq_ignore_ascii_case("class") || name.eq_ignore_ascii_case("id")
        };
        attributes(self.attributes).filter(named).any(|(_, value)| {
            value.split_ascii_whitespace().any(|token| {
                WIDGETS.exact.contains(token)
                    || WIDGETS.beginnings.iter().any(|beginning| token.starts_with(beginning))
            })
        })
    }
}

/// Elements that hold others and may be hidden or be a widget.
fn is_container(name: Name) -> bool {
    !matches!(name, Name::Br | Name::Img | Name::Raw | Name::Skipped)
}

/// `display:none`, `visibility:hidden`, `font-size:0`, with any spaces.
fn hides(style: &str) -> bool {
    style.split(';').any(|declaration| {
        let Some((property, value)) = declaration.split_once(':') else { return false };
        let (property, value) =
            (property.trim(), value.trim().trim_end_matches("!important").trim_end());
        let is = |wanted: &str, hidden: &str| {
            property.eq_ignore_ascii_case(wanted) && value.eq_ignore_ascii_case(hidden)
        };
        is("display", "none") || is("visibility", "hidden") || is("mso-hide", "all")
    })
}

/// Names and values in the text of a tag behind its name.
fn attributes(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(|c: char| {
            c.is_ascii_whitespace() || matches!(c, '/' | '"' | '\'' | '=')
        });
        if rest.is_empty() {
            return None;
        }
        let end = rest
            .find(|c: char| c.is_ascii_whitespace() || matches!(c, '=' | '/'))
            .unwrap_or(rest.len());
        let (name, tail) = rest.split_at(end);
        let Some(value) = tail.trim_ascii_start().strip_prefix('=').map(str::trim_ascii_start)
        else {
            rest = tail;
            return Some((name, ""));
        };
        let (value, tail) = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => value[1..].split_once(quote).unwrap_or((&value[1..], "")),
            _ => {
                value.split_at(value.find(|c: char| c.is_ascii_whitespace()).unwrap_or(value.len()))
            }
        };
        rest = tail;
        Some((name, value))
    })
}

/// Bytes to behind the closing tag of a script or its like.
pub(super) fn raw_end(text: &str, written: &str) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memmem::find(text.as_bytes().get(at..)?, b"</")? + 2;
        let name = text.as_bytes().get(at..at + written.len());
        if name.is_some_and(|name| name.eq_ignore_ascii_case(written.as_bytes())) {
            return Some(
                memchr(b'>', &text.as_bytes()[at..]).map_or(text.len(), |end| at + end + 1),
            );
        }
    }
}

/// Bytes to behind the closing tag that belongs to an element just opened; elements of its name may nest.
pub(super) fn element_end(text: &str, written: &str) -> Option<usize> {
    let mut depth = 1_usize;
    let mut at = 0;
    while let Some(found) = memchr(b'<', text.as_bytes().get(at..)?) {
        at += found;
        let Some(tag) = peek(&text[at..]).filter(|tag| tag.written.eq_ignore_ascii_case(written))
        else {
            at += 1;
            continue;
        };
        let Some(whole) = read(&text[at..]) else {
            at += 1;
            continue;
        };
        at += whole.length;
        if !tag.is_closing {
            depth += usize::from(!whole.is_empty());
        } else if depth == 1 {
            return Some(at);
        } else {
            depth -= 1;
        }
    }
    None
}

/// Text that a cell of a data table may hold; longer ones are columns of a page.
const MAX_CELL_BYTES: usize = 400;

/// Whether a table, read from behind its tag, only arranges a page: it holds a table, one column, or in a cell a long
/// text, several paragraphs or a heading with one.
pub(super) fn is_layout_table(text: &str) -> bool {
    let (mut at, mut cells, mut max_cells, mut cell_bytes) = (0, 0_usize, 0, 0_usize);
    let mut paragraphs = 0;
    while let Some(found) = memchr(b'<', &text.as_bytes()[at..]) {
        cell_bytes += found;
        at += found + 1;
        if cell_bytes > MAX_CELL_BYTES && cells > 0 {
            return true;
        }
        let Some(tag) = peek(&text[at - 1..]) else { continue };
        match tag.name {
            Name::Table if tag.is_closing => break,
            Name::Table | Name::Ul | Name::Ol | Name::Pre => return true,
            Name::Tr if !tag.is_closing => cells = 0,
            Name::Cell if !tag.is_closing => {
                cells += 1;
                max_cells = max_cells.max(cells);
                (cell_bytes, paragraphs) = (0, 0);
            }
            Name::P | Name::Heading if !tag.is_closing && cells > 0 => {
                paragraphs += 1;
                if paragraphs > 1 {
                    return true;
                }
            }
            _ => {}
        }
        at += memchr(b'>', &text.as_bytes()[at..]).map_or(0, |end| end + 1);
    }
    max_cells < 2
}
