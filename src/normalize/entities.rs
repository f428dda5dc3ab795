//! Character references: `&eacute;`, `&#233;`, `&#xE9;`, and those that publishers escaped twice or more.
//!
//! In: a text at an `&`. Out: what it stands for and how many bytes it took. `&amp;#8217;` is read to its end, as
//! no reader was ever meant to see `&#8217;`. Numbers 128 to 159 mean Windows-1252, as in every browser.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;

/// The longest name is `CounterClockwiseContourIntegral`.
const MAX_NAME: usize = 32;

/// A reference that ends without `;` is still one for these names.
struct Named {
    name: &'static str,
    bare: bool,
    value: [char; 2],
}

static NAMED: LazyLock<FxHashMap<&str, Named>> = LazyLock::new(|| {
    let lines = include_str!("data/entities.txt").lines().filter(|line| !line.starts_with('#'));
    lines.map(named).map(|named| (named.name, named)).collect()
});

fn named(line: &'static str) -> Named {
    let mut words = line.split(' ');
    let name = words.next().unwrap_or_default();
    let mut value = ['\0'; 2];
    for (slot, word) in value.iter_mut().zip(words) {
        *slot = u32::from_str_radix(word, 16).ok().and_then(char::from_u32).unwrap_or('\0');
    }
    Named { name: name.trim_end_matches('!'), bare: name.ends_with('!'), value }
}

/// What a reference stands for: one or two characters (`\0` where there is no second) and its length in bytes.
pub(super) struct Reference {
    pub(super) value: [char; 2],
    pub(super) length: usize,
}

/// Reads the reference at the start of `text`, which begins with `&`; `None` where it is an ordinary ampersand.
///
/// References to an ampersand are followed: `&amp;amp;lt;` is `<`.
pub(super) fn read(text: &str) -> Option<Reference> {
    let mut found = read_once(text.as_bytes().get(1..)?)?;
    found.length += 1;
    while found.value[0] == '&' {
        let rest = text.as_bytes().get(found.length..)?;
        let Some(next) = read_once(rest) else { break };
        found = Reference { value: next.value, length: found.length + next.length };
    }
    Some(found)
}

/// Reads one reference behind its `&`.
fn read_once(bytes: &[u8]) -> Option<Reference> {
    match bytes.first()? {
        b'#' => read_number(bytes),
        first if first.is_ascii_alphabetic() => read_name(bytes),
        _ => None,
    }
}

fn read_number(bytes: &[u8]) -> Option<Reference> {
    let (number, length) = number(bytes)?;
    let pair =
        (0xd800..0xdc00).contains(&number).then(|| low_surrogate(&bytes[length..])).flatten();
    if let Some((low, low_length)) = pair
        && let Some(Ok(character)) = char::decode_utf16([number as u16, low]).next()
    {
        return Some(Reference { value: [character, '\0'], length: length + low_length });
    }
    Some(Reference { value: [from_number(number), '\0'], length })
}

/// The other half of a character that was written as two references, `&#55357;&#56832;`.
fn low_surrogate(bytes: &[u8]) -> Option<(u16, usize)> {
    let mut rest = bytes.strip_prefix(b"&")?;
    while let Some(escaped) = rest.strip_prefix(b"amp;") {
        rest = escaped;
    }
    let (low, length) = number(rest.starts_with(b"#").then_some(rest)?)?;
    Some((u16::try_from(low).ok()?, bytes.len() - rest.len() + length))
}

/// The number behind `#` and its length.
fn number(bytes: &[u8]) -> Option<(u32, usize)> {
    let hexadecimal = matches!(bytes.get(1), Some(b'x' | b'X'));
    let (radix, start) = if hexadecimal { (16, 2) } else { (10, 1) };
    let digits = bytes[start..].iter().take_while(|b| char::from(**b).is_digit(radix)).count();
    if digits == 0 {
        return None;
    }
    let end = start + digits;
    let text = std::str::from_utf8(&bytes[start..end]).ok()?;
    let number = u32::from_str_radix(text, radix).unwrap_or(u32::MAX);
    Some((number, end + usize::from(bytes.get(end) == Some(&b';'))))
}

fn from_number(number: u32) -> char {
    match number {
        0x80..=0x9f => windows_1252(number as u8),
        0 => '\u{fffd}',
        _ => char::from_u32(number).unwrap_or('\u{fffd}'),
    }
}

/// What byte 128 to 159 means in Windows-1252.
pub(super) fn windows_1252(byte: u8) -> char {
    const HIGH: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž',
        '\u{8f}', '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}',
        'ž', 'Ÿ',
    ];
    if (0x80..0xa0).contains(&byte) { HIGH[usize::from(byte) - 0x80] } else { char::from(byte) }
}

fn read_name(bytes: &[u8]) -> Option<Reference> {
    let end = bytes.iter().take(MAX_NAME).take_while(|b| b.is_ascii_alphanumeric()).count();
    let name = std::str::from_utf8(&bytes[..end]).ok()?;
    if bytes.get(end) == Some(&b';')
        && let Some(found) = look_up(name)
    {
        return Some(Reference { value: found.value, length: end + 1 });
    }
    // `&nbsp2026` and `&copy 2026` are references, `&copying` and `?a=1&copy=2` are not.
    let found = (2..=name.len().min(6))
        .rev()
        .find_map(|length| look_up(&name[..length]).filter(|f| f.bare))?;
    let next = bytes.get(found.name.len());
    let continues = next.is_some_and(|b| b.is_ascii_alphabetic() || *b == b'=');
    (!continues).then_some(Reference { value: found.value, length: found.name.len() })
}

fn look_up(name: &str) -> Option<&'static Named> {
    NAMED.get(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_as_browsers_read_them() {
        for (text, value, length) in [
            ("&eacute;t", 'é', 8),
            ("&#233; ", 'é', 6),
            ("&#xE9;", 'é', 6),
            ("&#8217s", '’', 6),
            ("&#146;", '’', 6),
            ("&#x80;", '€', 6),
            ("&nbsp2026", '\u{a0}', 5),
            ("&copy 2026", '©', 5),
            ("&amp;#8217;", '’', 11),
            ("&amp;amp;lt;", '<', 12),
            ("&amp;", '&', 5),
            ("&amp;T", '&', 5),
            ("&#0;", '\u{fffd}', 4),
            ("&#55357;&#56832; ", '😀', 16),
            ("&amp;#xD83D;&amp;#xDE00;", '😀', 24),
            ("&#55357;&#55357;", '\u{fffd}', 8),
            ("&#99999999999999999999;", '\u{fffd}', 23),
        ] {
            let found = read(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((found.value[0], found.length), (value, length), "{text}");
        }
        for text in ["&", "& ", "&T", "&copying", "&copy=2", "&#;", "&#x;", "&nosuch;", "&ltd"] {
            assert!(read(text).is_none(), "{text}");
        }
    }

    #[test]
    fn every_name_of_the_table_is_read() {
        let lines = include_str!("data/entities.txt").lines().filter(|line| !line.starts_with('#'));
        assert_eq!(NAMED.len(), lines.count());
        assert!(NAMED.len() > 2000);
    }
}
