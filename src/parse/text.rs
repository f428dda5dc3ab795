//! Character references: `&amp;`, `&#8217;`, `&eacute;`, and what a document's own DTD declares.
//!
//! In: raw text of a document. Out: the characters. A `&` that begins nothing known stays as it is. What a
//! DTD declares is replaced once, never again in what it expands to, and within a budget: no document can
//! make itself grow.

use std::{borrow::Cow, cell::Cell, collections::HashMap, sync::OnceLock};

use memchr::memchr;

use super::scan::starts_with_ignore_case;

/// The longest name a character reference can have.
const MAX_NAME: usize = 32;

/// What all expansions of declared entities of one document may add up to, in bytes.
const EXPANSION_BUDGET: usize = 1 << 20;

/// The entities that a document declares for itself.
#[derive(Debug, Default)]
pub(super) struct Entities {
    declared: HashMap<String, String>,
    spent: Cell<usize>,
}

impl Entities {
    /// Reads `<!ENTITY name "value">` from an internal subset. Values that refer to other entities are left
    /// out: nothing but attacks was ever seen to need them.
    pub(super) fn of_subset(subset: &str) -> Self {
        let mut entities = Self::default();
        for declaration in subset.split('<').take(1_000) {
            if !starts_with_ignore_case(declaration.as_bytes(), b"!ENTITY") {
                continue;
            }
            let body = declaration[7..].trim_start();
            let Some((name, value)) = body.split_once(char::is_whitespace) else { continue };
            let value = value.trim_start();
            let Some(quote) = value.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
                continue;
            };
            let Some(value) = value[1..].split(quote).next() else { continue };
            let value = decode(value, &Self::default()).into_owned();
            if !value.contains('&') || value == "&" {
                entities.declared.insert(name.to_owned(), value);
            }
        }
        entities
    }

    /// Whether the document used up what it may expand to.
    pub(super) fn is_exhausted(&self) -> bool {
        self.spent.get() > EXPANSION_BUDGET
    }

    fn expand(&self, name: &str) -> Option<&str> {
        if self.declared.is_empty() {
            return None;
        }
        let value = self.declared.get(name)?;
        self.spent.set(self.spent.get().saturating_add(value.len()));
        (!self.is_exhausted()).then_some(value)
    }
}

/// Resolves the character references in `raw`.
pub(super) fn decode<'a>(raw: &'a str, entities: &Entities) -> Cow<'a, str> {
    let Some(first) = memchr(b'&', raw.as_bytes()) else { return Cow::Borrowed(raw) };
    let mut text = String::with_capacity(raw.len());
    text.push_str(&raw[..first]);
    let mut rest = &raw[first..];
    loop {
        let length = reference(rest, entities, &mut text).unwrap_or_else(|| {
            text.push('&');
            1
        });
        rest = &rest[length..];
        match memchr(b'&', rest.as_bytes()) {
            Some(at) => {
                text.push_str(&rest[..at]);
                rest = &rest[at..];
            }
            None => {
                text.push_str(rest);
                return Cow::Owned(text);
            }
        }
    }
}

/// Resolves the reference that `rest` begins with; its length.
fn reference(rest: &str, entities: &Entities, text: &mut String) -> Option<usize> {
    let bytes = rest.as_bytes();
    if bytes.get(1) == Some(&b'#') {
        return numeric(bytes, text);
    }
    let window = &bytes[1..bytes.len().min(MAX_NAME + 1)];
    let is_name = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    let length = window.iter().position(|b| !is_name(b)).unwrap_or(window.len());
    let name = &rest[1..=length];
    let is_closed = bytes.get(1 + length) == Some(&b';');
    if !is_closed {
        // Without its semicolon `&copy=1` in a link is more likely a parameter; XML's own five are safe.
        let after = bytes.get(1 + length).copied().unwrap_or(b' ');
        let is_certain = matches!(name, "amp" | "lt" | "gt" | "quot") && after != b'=';
        if !is_certain {
            return None;
        }
    }
    let consumed = 1 + length + usize::from(is_closed);
    match name {
        "amp" => text.push('&'),
        "lt" => text.push('<'),
        "gt" => text.push('>'),
        "quot" => text.push('"'),
        "apos" => text.push('\''),
        _ => match entities.expand(name) {
            Some(value) => text.push_str(value),
            None => text.push(named(name)?),
        },
    }
    Some(consumed)
}

/// `&#8217;`, `&#x2019;`; numbers 128 to 159 mean what windows-1252 has there, and two that are halves of a
/// UTF-16 pair their character.
fn numeric(bytes: &[u8], text: &mut String) -> Option<usize> {
    let (code, length) = number(bytes)?;
    let (character, length) = match code {
        0x80..=0x9f => {
            let byte = [code as u8];
            let decoded = encoding_rs::WINDOWS_1252.decode_without_bom_handling(&byte).0;
            (decoded.chars().next()?, length)
        }
        0..=8 | 11 | 12 | 14..=31 => (char::REPLACEMENT_CHARACTER, length),
        0xd800..0xdc00 => {
            let (low, low_length) = number(&bytes[length..])?;
            let units = [code as u16, u16::try_from(low).ok()?];
            (char::decode_utf16(units).next()?.ok()?, length + low_length)
        }
        _ => (char::from_u32(code)?, length),
    };
    text.push(character);
    Some(length)
}

/// The number of the reference that `bytes` begin with, and its length.
fn number(bytes: &[u8]) -> Option<(u32, usize)> {
    let is_hex = matches!(bytes.strip_prefix(b"&#")?.first(), Some(b'x' | b'X'));
    let start = if is_hex { 3 } else { 2 };
    let window = bytes.get(start..)?;
    let window = &window[..window.len().min(8)];
    let is_digit = |b: &u8| if is_hex { b.is_ascii_hexdigit() } else { b.is_ascii_digit() };
    let length = window.iter().position(|b| !is_digit(b)).unwrap_or(window.len());
    let digits = std::str::from_utf8(&window[..length]).ok()?;
    let code = u32::from_str_radix(digits, if is_hex { 16 } else { 10 }).ok()?;
    let is_closed = bytes.get(start + length) == Some(&b';');
    Some((code, start + length + usize::from(is_closed)))
}

/// `text` without the brackets of a CDATA section that was escaped, or put into another one.
pub(super) fn without_sections(text: String) -> String {
    const OPENER: &str = "<![CDATA[";
    if memchr::memmem::find(text.as_bytes(), OPENER.as_bytes()).is_none() {
        return text;
    }
    let mut plain = String::with_capacity(text.len());
    let mut depth = 0usize;
    let mut rest = text.as_str();
    while let Some(at) = memchr::memchr2(b'<', b']', rest.as_bytes()) {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(inside) = rest.strip_prefix(OPENER) {
            depth += 1;
            rest = inside;
        } else if let Some(after) = rest.strip_prefix("]]>").filter(|_| depth > 0) {
            depth -= 1;
            rest = after;
        } else {
            plain.push_str(&rest[..1]);
            rest = &rest[1..];
        }
    }
    plain.push_str(rest);
    plain
}

/// Elements whose content is no markup.
const RAW_ELEMENTS: [&[u8]; 4] = [b"script", b"style", b"textarea", b"title"];

/// `html` with `<script>` and its like as words where they never end: they are what it speaks of, and what
/// follows is no code.
pub(super) fn with_endless_elements_as_words(html: String) -> String {
    let bytes = html.as_bytes();
    let mut has_end = [false; RAW_ELEMENTS.len()];
    let mut words = Vec::new();
    for at in memchr::memrchr_iter(b'<', bytes) {
        let tag = &bytes[at + 1..];
        let (name, is_end) = tag.strip_prefix(b"/").map_or((tag, false), |name| (name, true));
        let raw = RAW_ELEMENTS.iter().position(|raw| starts_with_ignore_case(name, raw));
        let Some(raw) = raw else { continue };
        if name.get(RAW_ELEMENTS[raw].len()).is_some_and(u8::is_ascii_alphanumeric) {
            continue;
        }
        has_end[raw] |= is_end;
        if !has_end[raw] {
            words.push(at);
        }
    }
    if words.is_empty() {
        return html;
    }
    let mut text = String::with_capacity(html.len() + 3 * words.len());
    let mut copied = 0;
    for at in words.into_iter().rev() {
        text.push_str(&html[copied..at]);
        text.push_str("&lt;");
        copied = at + 1;
    }
    text.push_str(&html[copied..]);
    text
}

/// `text` with a line feed for each carriage return that stands alone, as XML asks of its readers.
pub(super) fn with_line_feeds(text: String) -> String {
    let bytes = text.as_bytes();
    let is_alone =
        |at: usize| bytes.get(at + 1) != Some(&b'\n') && (at == 0 || bytes[at - 1] != b'\n');
    if !memchr::memchr_iter(b'\r', bytes).any(is_alone) {
        return text;
    }
    let fed = text.char_indices().map(|(at, c)| if c == '\r' && is_alone(at) { '\n' } else { c });
    fed.collect()
}

fn named(name: &str) -> Option<char> {
    static NAMED: OnceLock<HashMap<&'static str, char>> = OnceLock::new();
    let named = NAMED.get_or_init(|| {
        let lines = include_str!("data/entities.txt").lines().filter(|line| !line.starts_with('#'));
        let pairs = lines.filter_map(|line| line.split_once(' '));
        let read = |code: &str| u32::from_str_radix(code, 16).ok().and_then(char::from_u32);
        pairs.filter_map(|(name, code)| Some((name, read(code)?))).collect()
    });
    named.get(name).copied()
}

/// The value of attribute `name` (compared without case, prefix included) in the raw attributes `raw`.
pub(super) fn attribute<'a>(raw: &'a str, name: &str, entities: &Entities) -> Option<Cow<'a, str>> {
    if raw.len() < name.len() {
        return None;
    }
    let mut attributes = super::scan::attributes(raw).take(MAX_ATTRIBUTES);
    let (_, value) = attributes.find(|(known, _)| known.eq_ignore_ascii_case(name))?;
    (value.len() <= MAX_ATTRIBUTE_BYTES).then(|| decode(value, entities))
}

/// Attributes of one element that are looked at.
pub(super) const MAX_ATTRIBUTES: usize = 64;

/// The longest attribute value that is read; longer ones are taken for absent.
pub(super) const MAX_ATTRIBUTE_BYTES: usize = 64 * 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_resolved_once() {
        let none = Entities::default();
        for (raw, expected) in [
            ("a &amp; b", "a & b"),
            ("&amp;amp;", "&amp;"),
            ("AT&T &unknown; & &", "AT&T &unknown; & &"),
            ("&eacute;&Eacute;&nbsp;", "éÉ\u{a0}"),
            ("&#8217;&#x2019;&#146;", "’’’"),
            ("&#0;&#xD800;", "\u{fffd}&#xD800;"),
            (
                "&#55357;&#56832; &#xD83D;&#xDE00 &#55357;x &#55357;&#55357;&#56832;",
                "😀 😀 &#55357;x &#55357;😀",
            ),
            ("&lt p&gt", "< p>"),
            ("?a=1&copy=2&lt=3", "?a=1&copy=2&lt=3"),
        ] {
            assert_eq!(decode(raw, &none), expected, "{raw}");
        }
    }

    #[test]
    fn sections_in_texts_lose_their_brackets() {
        for (text, expected) in [
            ("<![CDATA[a <b>]]>", "a <b>"),
            ("<![CDATA[<![CDATA[a]]>]]> b", "a b"),
            ("a ]]> b <![CDATA[c", "a ]]> b c"),
            ("a[b[0]]>1 < 2", "a[b[0]]>1 < 2"),
        ] {
            assert_eq!(without_sections(text.to_owned()), expected, "{text}");
        }
    }

    #[test]
    fn a_dtd_declares_plain_words_and_cannot_make_a_document_grow() {
        let subset =
            r#"<!ENTITY corp "Example &#169; Ltd"> <!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;">"#;
        let entities = Entities::of_subset(subset);
        assert_eq!(decode("&corp; &lol2;", &entities), "Example © Ltd &lol2;");
        let long = format!("<!ENTITY a \"{}\">", "x".repeat(1_000));
        let entities = Entities::of_subset(&long);
        let grown = decode(&"&a;".repeat(100_000), &entities).len();
        assert!(grown <= EXPANSION_BUDGET + 3 * 100_000, "{grown}");
        assert!(entities.is_exhausted());
    }
}
