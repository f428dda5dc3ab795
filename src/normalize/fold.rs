//! Texts as they compare: without case, accents of European letters, punctuation, spaces.
//!
//! In: a text. Out: its letters and digits, folded, with the places they came from. Serves headlines, site names
//! and phrases, in any script, without knowing where words end.

use unicode_normalization::char::{decompose_canonical, is_combining_mark};

use super::characters::is_unspaced;

/// The folded letters and digits of a text.
pub(super) fn key(text: &str) -> Vec<char> {
    let mut key = Vec::with_capacity(text.len());
    for character in text.chars() {
        push(&mut key, character);
    }
    key
}

/// Adds what a character compares as: nothing, one letter, rarely two.
pub(super) fn push(key: &mut Vec<char>, character: char) {
    if character.is_ascii() {
        if character.is_ascii_alphanumeric() {
            key.push(character.to_ascii_lowercase());
        }
        return;
    }
    match character {
        'ß' | 'ẞ' => key.extend(['s', 's']),
        'ı' | 'İ' => key.push('i'),
        'ς' => key.push('σ'),
        'ё' | 'Ё' => key.push('е'),
        'ø' | 'Ø' => key.push('o'),
        'ł' | 'Ł' => key.push('l'),
        'æ' | 'Æ' => key.extend(['a', 'e']),
        'œ' | 'Œ' => key.extend(['o', 'e']),
        'đ' | 'Đ' => key.push('d'),
        'ي' | 'ى' | 'ی' => key.push('ی'),
        'ك' | 'ک' => key.push('ک'),
        'أ' | 'إ' | 'آ' => key.push('ا'),
        // Arabic and Hebrew vowel points, tatweel: written or not, the word is the same.
        '\u{64b}'..='\u{65f}' | '\u{640}' | '\u{670}' | '\u{591}'..='\u{5c7}' => {}
        // Full-width forms of ASCII.
        '\u{ff10}'..='\u{ff5a}' => {
            let narrow =
                char::from_u32(character as u32 - 0xfee0).filter(char::is_ascii_alphanumeric);
            key.extend(narrow.map(|c| c.to_ascii_lowercase()));
        }
        '\u{c0}'..='\u{58f}' | '\u{1e00}'..='\u{1fff}' => push_european(key, character),
        _ if character.is_alphanumeric() || is_combining_mark(character) => key.push(character),
        _ => {}
    }
}

/// Latin, Greek, Cyrillic, Armenian: lower case, without accents.
fn push_european(key: &mut Vec<char>, character: char) {
    // The breve of й and the hook of ї make other letters.
    if matches!(character, 'й' | 'Й') {
        key.push('й');
        return;
    }
    for lower in character.to_lowercase() {
        decompose_canonical(lower, |part| {
            if part.is_alphanumeric() {
                key.push(part);
            }
        });
    }
}

/// If `text` begins with `key`: where in `text` it ends. A word that goes on is no match.
pub(super) fn prefix_end(text: &str, key: &[char]) -> Option<usize> {
    let mut buffer = Vec::with_capacity(4);
    let mut matched = 0;
    let mut characters = text.char_indices();
    for (at, character) in characters.by_ref() {
        buffer.clear();
        push(&mut buffer, character);
        if key.get(matched..matched + buffer.len())? != buffer {
            return None;
        }
        matched += buffer.len();
        if matched == key.len() {
            let end = at + character.len_utf8();
            return (!goes_on(text, end)).then_some(end);
        }
    }
    None
}

/// If `text` ends with `key`: where in `text` it begins.
pub(super) fn suffix_start(text: &str, key: &[char]) -> Option<usize> {
    let mut buffer = Vec::with_capacity(4);
    let mut left = key.len();
    for (at, character) in text.char_indices().rev() {
        buffer.clear();
        push(&mut buffer, character);
        left = left.checked_sub(buffer.len())?;
        if key.get(left..left + buffer.len())? != buffer {
            return None;
        }
        if left == 0 {
            let goes_on = text[..at]
                .chars()
                .next_back()
                .is_some_and(|c| is_word(c) && !is_unspaced(character));
            return (!goes_on).then_some(at);
        }
    }
    None
}

/// Whether a word goes on at `end`.
fn goes_on(text: &str, end: usize) -> bool {
    let before = text[..end].chars().next_back();
    let next = text[end..].chars().next();
    let is_mark = next.is_some_and(is_combining_mark);
    is_mark || (next.is_some_and(is_word) && !before.is_some_and(is_unspaced))
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() && !is_unspaced(character)
}

/// Whether a text says nothing: no letter, no digit.
pub(super) fn is_blank(text: &str) -> bool {
    !text.chars().any(char::is_alphanumeric)
}

/// About how many words a text has; in scripts without spaces, two characters are one.
pub(super) fn words(text: &str) -> usize {
    let dense = text.chars().filter(|c| is_unspaced(*c)).count();
    let spaced = text
        .split_whitespace()
        .filter(|word| word.chars().any(|c| c.is_alphanumeric() && !is_unspaced(c)))
        .count();
    spaced + dense.div_ceil(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_texts_have_one_key() {
        for (one, other) in [
            ("CAFÉ „Zur Post“", "Café «zur Post»"),
            ("STRASSE", "Straße"),
            ("ΑΘΗΝΑ: ΟΙ ΔΡΟΜΟΣ", "Αθήνα οι δρόμος"),
            ("İSTANBUL", "istanbul"),
            ("ЁЛКА", "елка"),
            ("ＡＢＣ１２", "abc12"),
            ("مُحَمَّد", "محمد"),
        ] {
            assert_eq!(key(one), key(other), "{one} / {other}");
        }
        assert_ne!(key("кит"), key("кий"));
        assert_ne!(key("कि"), key("का"));
    }

    #[test]
    fn a_prefix_ends_with_a_word() {
        assert_eq!(prefix_end("“Ada Renshaw” was", &key("Ada Renshaw")), Some(14));
        assert_eq!(prefix_end("Ada Renshawe was", &key("Ada Renshaw")), None);
        assert_eq!(prefix_end("市议会通过电车线路方案", &key("市议会通过")), Some(15));
        assert_eq!(suffix_start("Gazette: Ada Renshaw.", &key("Ada Renshaw")), Some(9));
        assert_eq!(suffix_start("Grenada Renshaw", &key("Ada Renshaw")), None);
    }
}
