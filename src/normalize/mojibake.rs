//! Text that was decoded with the wrong table, where that is certain.
//!
//! In: a text as published. Out: the same with UTF-8 that was read as Windows-1252 put right. Certain is what can
//! hardly be meant: two or more whole UTF-8 sequences written in Windows-1252's characters (`Ã©`, `â€™`), and not one
//! such lead character that is no sequence. `Ã` alone is Portuguese.

use memchr::memchr_iter;

use super::entities::windows_1252;

/// Repairs a text, if it is certain that it needs it.
pub(super) fn repair(text: &str) -> Option<String> {
    // Nearly every text is told apart here: the lead characters are Â, Ã, â, ð and their kin.
    let bytes = text.as_bytes();
    let is_doubtful =
        |at: usize| bytes.get(at + 1).is_some_and(|next| (0x82..=0xb4).contains(next));
    if !memchr_iter(0xc3, bytes).any(is_doubtful) {
        return None;
    }
    let mut out = String::with_capacity(text.len());
    let mut repaired = 0;
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        if is_lead(character) {
            match sequence(rest) {
                Some((meant, length)) => {
                    out.push(meant);
                    repaired += 1;
                    rest = &rest[length..];
                    continue;
                }
                // The no-break space of `à` was read as a space; one or two sure sequences must stand elsewhere.
                None if character == 'Ã' && rest[2..].starts_with(' ') => {
                    out.push('à');
                    rest = &rest[2..];
                    continue;
                }
                // An accented letter of the text's own: it was not misread as a whole.
                None if !character.is_ascii() => return None,
                None => {}
            }
        }
        out.push(character);
        rest = &rest[character.len_utf8()..];
    }
    (repaired >= 2 || (repaired == 1 && text.contains("â€"))).then_some(out)
}

/// Whether a character is how Windows-1252 shows the first byte of a longer UTF-8 sequence.
fn is_lead(character: char) -> bool {
    matches!(character, '\u{c2}'..='\u{f4}')
}

/// The character whose UTF-8 bytes, read as Windows-1252, begin `text`; and how many bytes of `text` they take.
fn sequence(text: &str) -> Option<(char, usize)> {
    let mut bytes = [0_u8; 4];
    let mut characters = text.char_indices();
    let (_, lead) = characters.next()?;
    bytes[0] = lead as u8;
    let count = match bytes[0] {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        _ => 4,
    };
    for byte in bytes.iter_mut().take(count).skip(1) {
        *byte = byte_of(characters.next()?.1).filter(|byte| (0x80..0xc0).contains(byte))?;
    }
    let length = characters.next().map_or(text.len(), |(at, _)| at);
    let meant = std::str::from_utf8(&bytes[..count]).ok()?.chars().next()?;
    Some((meant, length))
}

/// The byte that Windows-1252 (or Latin-1) shows as a character.
fn byte_of(character: char) -> Option<u8> {
    let code = u32::from(character);
    if (0x80..0x100).contains(&code) {
        return Some(code as u8);
    }
    (0x80..0xa0).find(|byte| windows_1252(*byte) == character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certain_mojibake_is_repaired() {
        for (broken, meant) in [
            ("DÃ©cidÃ© hier", Some("Décidé hier")),
            ("Itâ€™s â€œdoneâ€\u{9d}", Some("It’s “done”")),
            ("Itâ€™s", Some("It’s")),
            ("GrÃ¼ÃŸe aus KÃ¶ln", Some("Grüße aus Köln")),
            ("São Paulo", None),
            ("CORAÇÃO E PÃO", None),
            ("Décidé, Ã la carte", None),
            (
                "La grÃ¨ve continue Ã Paris, qui espÃ¨re",
                Some("La grève continue à Paris, qui espère"),
            ),
            ("A IRMÃ DA MANHÃ E DE AMANHÃ E", None),
            ("plain", None),
            ("Ã©", None),
        ] {
            assert_eq!(repair(broken).as_deref(), meant, "{broken}");
        }
    }
}
