//! Bytes to text: which charset a document is in, and the text it spells.
//!
//! In: the body and the Content-Type header. Out: UTF-8 text and the name of the charset. Promises: no bytes
//! are refused; text is never mojibake where the bytes themselves prove the charset. What proves more comes
//! first: the zero bytes of UTF-16/32, a byte order mark that the bytes do not belie, valid UTF-8, UTF-8 with
//! stray bytes, then what header and declaration claim if the bytes bear it out, and last a guess.

use std::borrow::Cow;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// How far into a document its own declaration is looked for.
const DECLARATION_BYTES: usize = 1_024;

/// How much of a document the detector reads: enough to be sure, little enough to cost nothing.
const DETECTION_BYTES: usize = 64 * 1_024;

/// A document's text.
#[derive(Debug)]
pub(super) struct Decoded<'a> {
    /// The text, without a byte order mark.
    pub(super) text: Cow<'a, str>,
    /// The charset's WHATWG name, `UTF-32` or `EBCDIC`.
    pub(super) charset: &'static str,
    /// Whether some bytes meant nothing in that charset.
    pub(super) damaged: bool,
}

/// Decodes `bytes`; total.
pub(super) fn decode<'a>(bytes: &'a [u8], content_type: Option<&str>) -> Decoded<'a> {
    let (mark, bytes) = byte_order_mark(bytes);
    if let Some(decoded) = by_unit_width(bytes, mark) {
        return decoded;
    }
    let escapes = memchr::memchr(0x1b, bytes).is_some();
    if !escapes && let Ok(text) = std::str::from_utf8(bytes) {
        // Text of another charset that is valid UTF-8 by chance hardly exists; a wrong label is common.
        return Decoded { text: Cow::Borrowed(text), charset: "UTF-8", damaged: false };
    }
    if is_mostly_utf8(bytes) {
        return Decoded { text: Cow::Owned(repair_utf8(bytes)), charset: "UTF-8", damaged: true };
    }
    let claims = [header_charset(content_type), declared_charset(bytes)].into_iter().flatten();
    let claims: Vec<&'static Encoding> = claims.filter_map(Encoding::for_label).collect();
    by_claim(bytes, &claims).unwrap_or_else(|| by_guess(bytes))
}

/// What a byte order mark says of the units after it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    Byte,
    Utf16(&'static Encoding),
    Utf32 { big_endian: bool },
}

/// The byte order mark, and what follows it.
fn byte_order_mark(bytes: &[u8]) -> (Unit, &[u8]) {
    match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => (Unit::Byte, rest),
        [0, 0, 0xfe, 0xff, rest @ ..] => (Unit::Utf32 { big_endian: true }, rest),
        [0xff, 0xfe, 0, 0, rest @ ..] => (Unit::Utf32 { big_endian: false }, rest),
        [0xfe, 0xff, rest @ ..] => (Unit::Utf16(UTF_16BE), rest),
        [0xff, 0xfe, rest @ ..] => (Unit::Utf16(UTF_16LE), rest),
        _ => (Unit::Byte, bytes),
    }
}

/// The pattern of zero bytes that UTF-16 and UTF-32 leave around the first `<` or `{`, else the mark; a mark
/// before text in bytes came from elsewhere.
fn by_unit_width(bytes: &[u8], mark: Unit) -> Option<Decoded<'_>> {
    let unit = match bytes {
        [0, 0, 0, b'<' | b'{', ..] => Unit::Utf32 { big_endian: true },
        [b'<' | b'{', 0, 0, 0, ..] => Unit::Utf32 { big_endian: false },
        [0, b'<' | b'{', 0, ..] => Unit::Utf16(UTF_16BE),
        [b'<' | b'{', 0, _, 0, ..] => Unit::Utf16(UTF_16LE),
        [b'<' | b'{', 1..=0x7f, ..] => Unit::Byte,
        // `<?xm` in EBCDIC: the letters stand elsewhere, so that nothing else can claim these four bytes.
        [0x4c, 0x6f, 0xa7, 0x94, ..] => {
            let text = bytes.iter().map(|&byte| char::from(EBCDIC[usize::from(byte)])).collect();
            return Some(Decoded { text: Cow::Owned(text), charset: "EBCDIC", damaged: false });
        }
        _ => mark,
    };
    match unit {
        Unit::Byte => None,
        Unit::Utf16(encoding) => Some(whole(bytes, encoding)),
        Unit::Utf32 { big_endian } => Some(utf32(bytes, big_endian)),
    }
}

fn whole<'a>(bytes: &'a [u8], encoding: &'static Encoding) -> Decoded<'a> {
    let (text, damaged) = encoding.decode_without_bom_handling(bytes);
    Decoded { text, charset: encoding.name(), damaged }
}

fn utf32(bytes: &[u8], big_endian: bool) -> Decoded<'static> {
    let unit = |chunk: &[u8]| {
        let quad = [chunk[0], chunk[1], chunk[2], chunk[3]];
        if big_endian { u32::from_be_bytes(quad) } else { u32::from_le_bytes(quad) }
    };
    let characters = bytes.chunks_exact(4).map(|chunk| char::from_u32(unit(chunk)));
    let text: String = characters.map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    let damaged = text.contains(char::REPLACEMENT_CHARACTER);
    Decoded { text: Cow::Owned(text), charset: "UTF-32", damaged }
}

/// The first claim that reads every byte. A claim of UTF-8 was tried before and failed; one of UTF-16 without
/// its zero bytes is wrong by sight.
fn by_claim<'a>(bytes: &'a [u8], claims: &[&'static Encoding]) -> Option<Decoded<'a>> {
    let usable = |encoding: &&'static Encoding| {
        *encoding != UTF_8 && encoding.is_ascii_compatible() || encoding.name() == "ISO-2022-JP"
    };
    for encoding in claims.iter().copied().filter(usable) {
        let decoded = whole(bytes, encoding);
        if !decoded.damaged && !has_c1_controls(&decoded.text) {
            return Some(decoded);
        }
    }
    None
}

/// C1 controls in a text are the sign of a wrong byte charset: no publisher writes them.
fn has_c1_controls(text: &str) -> bool {
    let bytes = text.as_bytes();
    memchr::memchr_iter(0xc2, bytes)
        .any(|at| bytes.get(at + 1).is_some_and(|next| *next < 0xa0 && *next != 0x85))
}

fn by_guess(bytes: &[u8]) -> Decoded<'_> {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    let mut start = memchr::memchr(0x1b, bytes).unwrap_or(bytes.len());
    if let Some(high) = bytes.iter().position(|byte| *byte >= 0x80) {
        start = start.min(high.saturating_sub(64));
    }
    let sample = &bytes[start..bytes.len().min(start + DETECTION_BYTES)];
    detector.feed(sample, true);
    let guess = detector.guess(None, Utf8Detection::Deny);
    let decoded = whole(bytes, guess);
    if decoded.damaged { whole(bytes, WINDOWS_1252) } else { decoded }
}

/// Whether what is not ASCII was meant as UTF-8, though some of it is none.
///
/// In a text of another charset, bytes form a sequence by accident where a capital stands before a quote
/// (`É»`) or a letter before two signs (`é…»`). A sequence next to another one is no such accident, nor is one
/// that would be `Â`, `Ã` or `â` before signs: it outweighs a stray byte, and it takes two of the others.
fn is_mostly_utf8(bytes: &[u8]) -> bool {
    let (mut proofs, mut others, mut strays) = (0usize, 0usize, 0usize);
    for piece in pieces(bytes) {
        match piece {
            Piece::Valid(text) => {
                let mut is_after_sequence = false;
                for byte in text.bytes().filter(|byte| !matches!(byte, 0x80..0xc0)) {
                    match byte {
                        0xc2 | 0xc3 | 0xe2 | 0xf0.. => proofs += 1,
                        0xc4.. if is_after_sequence => proofs += 1,
                        0xc4.. => others += 1,
                        _ => {}
                    }
                    is_after_sequence = byte >= 0xc2;
                }
            }
            Piece::Pair(_) => proofs += 1,
            Piece::CutOff | Piece::Stray(_) => strays += 1,
        }
    }
    proofs + others > 0 && 2 * proofs + others >= 2 * strays
}

/// A piece of a text that is UTF-8 but for some bytes.
enum Piece<'a> {
    Valid(&'a str),
    /// A character written as two surrogates of three bytes each (CESU-8).
    Pair(char),
    /// The beginning of a character.
    CutOff,
    /// A byte of some other charset.
    Stray(u8),
}

fn pieces(bytes: &[u8]) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if let Some(character) = surrogate_pair(rest) {
            rest = &rest[6..];
            return Some(Piece::Pair(character));
        }
        let chunk = rest.utf8_chunks().next()?;
        let (valid, invalid) = (chunk.valid(), chunk.invalid());
        if valid.is_empty() {
            rest = &rest[invalid.len()..];
            return Some(match (invalid, rest.first()) {
                // `Ã` and `Â` stand before other letters: `NÃO`.
                ([lead @ (0xc2 | 0xc3)], Some(next)) if next.is_ascii_alphabetic() => {
                    Piece::Stray(*lead)
                }
                ([0xc2 | 0xc3], _) | ([_, _, ..], _) => Piece::CutOff,
                _ => Piece::Stray(invalid[0]),
            });
        }
        rest = &rest[valid.len()..];
        Some(Piece::Valid(valid))
    })
}

fn surrogate_pair(bytes: &[u8]) -> Option<char> {
    let [0xed, high @ 0xa0..0xb0, a @ 0x80..0xc0, 0xed, low @ 0xb0..0xc0, b @ 0x80..0xc0, ..] =
        bytes
    else {
        return None;
    };
    let unit =
        |middle: u8, last: u8| 0xd000 | u16::from(middle & 0x3f) << 6 | u16::from(last & 0x3f);
    char::decode_utf16([unit(*high, *a), unit(*low, *b)]).next()?.ok()
}

/// Keeps what is UTF-8 and reads each stray byte as windows-1252, where stray bytes come from. The beginning
/// of a character is none of them.
fn repair_utf8(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() + 16);
    for piece in pieces(bytes) {
        match piece {
            Piece::Valid(valid) => text.push_str(valid),
            Piece::Pair(character) => text.push(character),
            Piece::CutOff => text.push(char::REPLACEMENT_CHARACTER),
            Piece::Stray(byte) => {
                text.push_str(&WINDOWS_1252.decode_without_bom_handling(&[byte]).0);
            }
        }
    }
    text
}

/// The charset parameter of a Content-Type header, however it is quoted.
fn header_charset(content_type: Option<&str>) -> Option<&[u8]> {
    let header = content_type?;
    let at = header.to_ascii_lowercase().find("charset")? + "charset".len();
    let value = header.get(at..)?.trim_start().strip_prefix('=')?;
    let value = value.split(';').next()?.trim().trim_matches(['"', '\'']).trim();
    Some(value.as_bytes())
}

/// `encoding="..."` of the XML declaration.
fn declared_charset(bytes: &[u8]) -> Option<&[u8]> {
    let head = &bytes[..bytes.len().min(DECLARATION_BYTES)];
    let start = memchr::memmem::find(head, b"<?xml")?;
    let declaration = &head[start..];
    let end = memchr::memchr(b'>', declaration)?;
    let declaration = &declaration[..end];
    let at = memchr::memmem::find(declaration, b"encoding")? + "encoding".len();
    let value = declaration[at..].trim_ascii_start().strip_prefix(b"=")?.trim_ascii_start();
    let (quote, value) = value.split_first()?;
    let end = memchr::memchr(*quote, value).filter(|_| matches!(quote, b'"' | b'\''))?;
    Some(value[..end].trim_ascii())
}

/// IBM code page 37 to ISO-8859-1, the one EBCDIC page that feeds were ever seen in.
const EBCDIC: [u8; 256] = *include_bytes!("data/cp037.bin");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_bytes_prove_beats_what_is_claimed() {
        let xml = |encoding: &str, body: &[u8]| {
            let mut bytes = format!("<?xml version='1.0' encoding='{encoding}'?><a>").into_bytes();
            bytes.extend_from_slice(body);
            bytes
        };
        let cases = [
            ("plain", xml("utf-8", b"abc"), None, "UTF-8", "abc"),
            ("utf-8 labelled latin", xml("iso-8859-1", "né".as_bytes()), None, "UTF-8", "né"),
            (
                "latin labelled utf-8",
                xml("utf-8", b"n\xe9 caf\xe9"),
                None,
                "windows-1252",
                "né café",
            ),
            ("latin as declared", xml("iso-8859-1", b"n\xe9"), None, "windows-1252", "né"),
            ("greek as declared", xml("iso-8859-7", b"\xe1\xe2"), None, "ISO-8859-7", "αβ"),
            (
                "header first",
                xml("iso-8859-1", b"\xe1\xe2"),
                Some("text/xml; charset='ISO-8859-7'"),
                "ISO-8859-7",
                "αβ",
            ),
            (
                "a header that cannot be",
                xml("iso-8859-7", b"\xe1\xe2"),
                Some("text/xml; charset=utf-8"),
                "ISO-8859-7",
                "αβ",
            ),
            ("shift_jis", xml("shift_jis", b"\x93\xfa\x96\x7b"), None, "Shift_JIS", "日本"),
            ("iso-2022-jp", xml("iso-2022-jp", b"\x1b$BF|K\\\x1b(B"), None, "ISO-2022-JP", "日本"),
            (
                "cp1252 quotes labelled latin",
                xml("iso-8859-1", b"\x93a\x94"),
                None,
                "windows-1252",
                "“a”",
            ),
        ];
        for (name, bytes, content_type, charset, text) in cases {
            let decoded = decode(&bytes, content_type);
            assert_eq!(decoded.charset, charset, "{name}");
            assert!(decoded.text.ends_with(text), "{name}: {}", decoded.text);
        }
    }

    #[test]
    fn one_stray_byte_does_not_spoil_a_utf8_document() {
        let mut bytes =
            "<?xml version='1.0' encoding='iso-8859-1'?><a>ééééééééé".as_bytes().to_vec();
        bytes.push(0x92);
        let decoded = decode(&bytes, None);
        assert!(decoded.damaged);
        assert!(decoded.text.ends_with("éé’"), "{}", decoded.text);
    }

    #[test]
    fn a_few_sequences_prove_utf8_and_accidents_do_not() {
        for (bytes, expected) in [
            (b"<a>it\xe2\x80\x99s na\xefve".as_slice(), "<a>it’s naïve"),
            (b"<a>caf\xc3\xa9 cut \xe2\x80</a>", "<a>café cut \u{fffd}</a>"),
            (b"<a>\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa</a>", "<a>日本\u{fffd}</a>"),
            (b"<a>\xe2\x80\x99 N\xc3O", "<a>’ NÃO"),
            (b"<a>\xc3\xa9t\xc3\xa9 caf\xc3 t\xc3", "<a>été caf\u{fffd} t\u{fffd}"),
            (b"<a>\xed\xa0\xbd\xed\xb8\x80 \x93x\x94 \xe2\x80\xa6", "<a>😀 “x” …"),
            (b"<a>za\xc5\xbc\xc3\xb3\xc5\x82\xc4\x87 g\xc4\x99\xc5\x9bl\x92", "<a>zażółć gęśl’"),
            (b"<a>\xabCAF\xc9\xbb d\xe9j\xe0", "<a>«CAFÉ» déjà"),
            (b"<a>\xabr\xeav\xe9\x85\xbb", "<a>«rêvé…»"),
        ] {
            assert_eq!(decode(bytes, Some("text/xml; charset=iso-8859-1")).text, expected);
        }
    }

    #[test]
    fn a_wrong_mark_is_not_believed() {
        let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
        for (mark, text) in [
            (b"\xfe\xff".as_slice(), "<rss>é".as_bytes().to_vec()),
            (b"\xff\xfe", "{\"é\"".as_bytes().to_vec()),
            (b"\xff\xfe\0\0", "<rss>é".as_bytes().to_vec()),
            (b"\xfe\xff", utf16("<rss>é")),
            (b"\xef\xbb\xbf", utf16("<rss>é")),
            (b"\xef\xbb\xbf", b"<rss>\xe9".to_vec()),
        ] {
            let decoded = decode(&[mark, &text].concat(), None).text.into_owned();
            assert!(["<rss>é", "{\"é\""].contains(&decoded.as_str()), "{mark:x?}: {decoded}");
        }
    }

    #[test]
    fn wide_units_are_seen_with_and_without_a_mark() {
        let wide = |text: &str, mark: bool, little: bool| -> Vec<u8> {
            let marked = if mark { format!("\u{feff}{text}") } else { text.to_owned() };
            let units = marked.encode_utf16();
            units
                .flat_map(|unit| if little { unit.to_le_bytes() } else { unit.to_be_bytes() })
                .collect()
        };
        for mark in [true, false] {
            for little in [true, false] {
                assert_eq!(decode(&wide("<rss>é", mark, little), None).text, "<rss>é");
            }
        }
        let utf32: Vec<u8> = "<rss>é".chars().flat_map(|c| (c as u32).to_be_bytes()).collect();
        assert_eq!(decode(&utf32, None).text, "<rss>é");
    }

    #[test]
    fn ebcdic_is_read() {
        let decoded = decode(b"\x4c\x6f\xa7\x94\x93\x6f\x6e", None);
        assert_eq!(decoded.text, "<?xml?>");
    }
}
