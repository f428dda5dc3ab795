//! A line as patterns see it: folded words, one space between them, with the places they came from.
//!
//! Case, accents, punctuation and apostrophes are gone; a colon (or what does its work: `=` in Korean, `／` in Chinese
//! credits) and the copyright sign count. Scripts written without spaces have none here either.

use crate::normalize::{characters::is_unspaced, fold};

/// A folded line.
#[derive(Debug, Default)]
pub(super) struct Folded {
    pub(super) text: String,
    /// For every byte of `text`: the byte of the source where its character begins.
    origin: Vec<u32>,
}

impl Folded {
    pub(super) fn of(source: &str) -> Self {
        let mut folded = Self {
            text: String::with_capacity(source.len() + 8),
            origin: Vec::with_capacity(source.len() + 8),
        };
        walk(source, |letter, at| {
            folded.text.push(letter);
            folded.origin.resize(folded.text.len(), u32::try_from(at).unwrap_or(u32::MAX));
        });
        folded
    }

    /// Where in the source the character at byte `at` of the folded text begins.
    pub(super) fn source_of(&self, at: usize, source: &str) -> usize {
        self.origin.get(at).map_or(source.len(), |origin| *origin as usize)
    }

    /// Where in the folded text clauses begin: behind a comma, semicolon, colon, or the end of a sentence.
    pub(super) fn breaks(&self, source: &str) -> Vec<usize> {
        let mut breaks = Vec::new();
        let mut before = None;
        let mut characters = source.char_indices().peekable();
        while let Some((at, character)) = characters.next() {
            let next = characters.peek().map(|(_, next)| *next);
            if divides(before, character, next) {
                // A colon is a letter too: the clause begins with it.
                let first = if character == ':' { at } else { at + 1 };
                let place = self.origin.partition_point(|origin| (*origin as usize) < first);
                if place < self.text.len() && breaks.last() != Some(&place) {
                    breaks.push(place);
                }
            }
            before = Some(character);
        }
        breaks
    }
}

/// Whether a clause ends with a character: not with a comma or colon inside a number, nor with a full stop behind one
/// or inside a word.
fn divides(before: Option<char>, character: char, next: Option<char>) -> bool {
    let is_digit = |c: Option<char>| c.is_some_and(char::is_numeric);
    match character {
        ',' | ':' => !(is_digit(before) && is_digit(next)) && next != Some('/'),
        ';' | '،' | '؛' | '，' | '、' | '；' | '：' | '。' | '।' | '۔' | '！' | '？' => {
            true
        }
        '.' if is_digit(before) => false,
        '.' | '!' | '?' | '…' | '؟' => next.is_some_and(char::is_whitespace),
        _ => false,
    }
}

/// A folded text whose letters need no places.
pub(super) fn fold(source: &str) -> String {
    let mut folded = String::with_capacity(source.len());
    walk(source, |letter, _| folded.push(letter));
    folded
}

/// Gives every letter of a text as it is folded, and the byte of the source where it comes from.
fn walk(source: &str, mut push_letter: impl FnMut(char, usize)) {
    let mut letters = Vec::new();
    let mut gap = false;
    let mut last = None;
    for (at, character) in source.char_indices() {
        if character.is_ascii_alphanumeric() {
            if std::mem::take(&mut gap) && last.is_some_and(is_spaced) {
                push_letter(' ', at);
            }
            let letter = character.to_ascii_lowercase();
            push_letter(letter, at);
            last = Some(letter);
            continue;
        }
        letters.clear();
        push(&mut letters, character);
        if letters.is_empty() {
            gap |= separates(character);
            continue;
        }
        if std::mem::take(&mut gap) && last.is_some_and(is_spaced) && is_spaced(letters[0]) {
            push_letter(' ', at);
        }
        for letter in &letters {
            push_letter(*letter, at);
        }
        last = letters.last().copied();
    }
}

/// Letters at one end of a text, at most `N`, read inwards from that end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge<const N: usize> {
    letters: [char; N],
    count: usize,
}

impl<const N: usize> Edge<N> {
    /// The first folded letters of a text, spaces included, without folding the rest.
    pub(super) fn first(source: &str) -> Self {
        let reach = source.char_indices().nth(N * 3).map_or(source.len(), |(at, _)| at);
        let mut edge = Self { letters: ['\0'; N], count: 0 };
        walk(&source[..reach], |letter, _| {
            if edge.count < N {
                edge.letters[edge.count] = letter;
                edge.count += 1;
            }
        });
        edge
    }

    /// The last ones, the very last before the others.
    pub(super) fn last(source: &str) -> Self {
        let from = source.char_indices().rev().nth(N * 3).map_or(0, |(at, _)| at);
        let mut edge = Self { letters: ['\0'; N], count: 0 };
        walk(&source[from..], |letter, _| {
            edge.letters.rotate_right(1);
            edge.letters[0] = letter;
            edge.count = N.min(edge.count + 1);
        });
        edge
    }

    pub(super) fn letters(&self) -> &[char] {
        &self.letters[..self.count]
    }
}

/// What a character is in a folded line: nothing, one letter, rarely two.
fn push(letters: &mut Vec<char>, character: char) {
    match character {
        ':' | '：' | '=' | '＝' | '／' | '՝' => letters.push(':'),
        '©' | 'ⓒ' | 'Ⓒ' => letters.push('©'),
        // Nukta: written or not, the word is the same.
        '\u{93c}' | '\u{9bc}' => {}
        _ => fold::push(letters, character),
    }
}

/// Whether a character that leaves no letter stands between words: an apostrophe or a vowel sign does not.
fn separates(character: char) -> bool {
    !matches!(character, '\'' | '’' | '‘' | 'ʼ' | '´' | '`' | '′' | '\u{200b}'..='\u{200f}' | '\u{93c}' | '\u{9bc}'
        | '\u{64b}'..='\u{65f}' | '\u{640}' | '\u{670}' | '\u{591}'..='\u{5c7}')
}

/// Whether spaces stand on both sides of the word that a letter belongs to.
pub(super) fn is_spaced(letter: char) -> bool {
    letter != ':' && letter != '©' && !is_unspaced(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fold_to_words() {
        for (source, folded) in [
            ("  → Lees méér, don’t!", "lees meer dont"),
            ("Photo: Jo Marsh/AP", "photo:jo marsh ap"),
            ("関連記事：堤防の 費用", "関連記事:堤防の費用"),
            ("사진=연합뉴스", "사진:연합뉴스"),
            ("© 2026 Gazette", "©2026 gazette"),
            ("फ़ोटो: ख़बर", "फोटो:खबर"),
            ("به اشتراک‌گذاری", "به اشتراکگذاری"),
        ] {
            assert_eq!(Folded::of(source).text, folded);
        }
        assert_eq!(Edge::<3>::first("“Read more”").letters(), ['r', 'e', 'a']);
        assert_eq!(Edge::<3>::last("“Read more”").letters(), ['e', 'r', 'o']);
        assert_eq!(Edge::<3>::last("“Oh!”").letters(), ['h', 'o']);
    }
}
