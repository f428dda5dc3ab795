//! Bytes to text: which charset a document is in, and the text it spells.
//!
//! In: the body and the Content-Type header. Out: UTF-8 text and the name of the charset. Promises: no bytes
//! are refused; text is never mojibake where the bytes themselves prove the charset. What proves more comes
//! first: byte order mark, the zero bytes of UTF-16/32, valid non-ASCII UTF-8, then what header and
//! declaration claim if the bytes bear it out, then UTF-8 with stray bytes, and last a guess.

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
    if let Some(decoded) = by_unit_width(bytes) {
        return decoded;
    }
    let escapes = memchr::memchr(0x1b, bytes).is_some();
    if !escapes && let Ok(text) = std::str::from_utf8(bytes) {
        // Text of another charset that is valid UTF-8 by chance hardly exists; a wrong label is common.
        return Decoded { text: Cow::Borrowed(text), charset: "UTF-8", damaged: false };
    }
    let claims = [header_charset(content_type), declared_charset(bytes)].into_iter().flatten();
    let claims: Vec<&'static Encoding> = claims.filter_map(Encoding::for_label).collect();
    if let Some(decoded) = by_claim(bytes, &claims) {
        return decoded;
    }
    if is_mostly_utf8(bytes) {
        return Decoded { text: Cow::Owned(repair_utf8(bytes)), charset: "UTF-8", damaged: true };
    }
    by_guess(bytes)
}

/// Byte order marks, and the pattern of zero bytes that UTF-16 and UTF-32 leave around the first `<` or `{`.
fn by_unit_width(bytes: &[u8]) -> Option<Decoded<'_>> {
    let utf32 = |bytes, big_endian| Some(utf32(bytes, big_endian));
    match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] if std::str::from_utf8(rest).is_ok() => {
            Some(whole(rest, UTF_8))
        }
        [0xef, 0xbb, 0xbf, rest @ ..] if is_mostly_utf8(rest) => {
            Some(Decoded { text: Cow::Owned(repair_utf8(rest)), charset: "UTF-8", damaged: true })
        }
        [0, 0, 0xfe, 0xff, rest @ ..] => utf32(rest, true),
        [0xff, 0xfe, 0, 0, rest @ ..] => utf32(rest, false),
        [0xfe, 0xff, rest @ ..] => Some(whole(rest, UTF_16BE)),
        [0xff, 0xfe, rest @ ..] => Some(whole(rest, UTF_16LE)),
        [0, 0, 0, b'<' | b'{', ..] => utf32(bytes, true),
        [b'<' | b'{', 0, 0, 0, ..] => utf32(bytes, false),
        [0, b'<' | b'{', 0, ..] => Some(whole(bytes, UTF_16BE)),
        [b'<' | b'{', 0, _, 0, ..] => Some(whole(bytes, UTF_16LE)),
        // `<?xm` in EBCDIC: the letters stand elsewhere, so that nothing else can claim these four bytes.
        [0x4c, 0x6f, 0xa7, 0x94, ..] => {
            let text = bytes.iter().map(|&byte| char::from(EBCDIC[usize::from(byte)])).collect();
            Some(Decoded { text: Cow::Owned(text), charset: "EBCDIC", damaged: false })
        }
        _ => None,
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
        // A byte charset reads anything: it must not swallow UTF-8 that one stray byte spoilt.
        if encoding.is_single_byte() && is_mostly_utf8(bytes) {
            continue;
        }
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

/// Whether nearly all of the non-ASCII bytes form UTF-8: eight sequences for each byte that does not.
fn is_mostly_utf8(bytes: &[u8]) -> bool {
    let (mut sequences, mut strays) = (0usize, 0usize);
    for chunk in bytes.utf8_chunks() {
        sequences += chunk.valid().bytes().filter(|byte| *byte >= 0xc0).count();
        strays += chunk.invalid().len();
    }
    sequences > 0 && sequences >= strays.saturating_mul(8)
}

/// Keeps what is UTF-8 and reads each stray byte as windows-1252, where stray bytes come from.
fn repair_utf8(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.push_str(&WINDOWS_1252.decode_without_bom_handling(chunk.invalid()).0);
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
