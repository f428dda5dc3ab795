//! What one feed repeats: the units of a text, and the learner that counts them.
//!
//! In: bodies, and the unit sets of kept articles. Out: hashes and counts; the caller stores them. Fed by kept
//! articles only: counting copies would learn a widely carried story as furniture. A unit is a line or a
//! sentence, folded by case and spaces but not by digits: reports of a series (prices, scores, weather) differ
//! in nothing but digits and must not teach their own sentences away.

use std::collections::{HashMap, HashSet};

use xxhash_rust::xxh3::xxh3_64;

/// In how many different kept articles of one feed a unit must stand before it counts as furniture there.
pub const LEARNED_AFTER: u32 = 3;

/// Letters and digits that a unit needs: below it, lines like `Sport` or `***` would be learned.
const MIN_WEIGHT: u32 = 10;

/// Weight of one character of a script written without spaces, where two characters make a word.
const DENSE_WEIGHT: u32 = 3;

/// Hashes of every line and of every sentence of a body, in order. A line that is one sentence gives one hash.
pub fn units(body: &str) -> impl Iterator<Item = u64> {
    body.lines().flat_map(units_of_line)
}

/// The units of one line: the line itself, then its sentences where there are two or more.
fn units_of_line(line: &str) -> impl Iterator<Item = u64> {
    let line = line.trim();
    let several = sentence_end(line) < line.len();
    let parts = several.then(|| sentences(line).filter_map(unit)).into_iter().flatten();
    unit(line).into_iter().chain(parts)
}

/// Splits a line behind its sentence ends; the parts together are the line.
pub fn sentences(line: &str) -> impl Iterator<Item = &str> {
    let mut rest = line;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (sentence, tail) = rest.split_at(sentence_end(rest));
        rest = tail;
        Some(sentence)
    })
}

/// Byte length of the first sentence of `text`, with closing marks and the spaces behind it.
fn sentence_end(text: &str) -> usize {
    let mut at = 0;
    while let Some(mark) = next_mark(text, at) {
        let is_dense = matches!(mark.character, '。' | '！' | '？' | '｡');
        let behind = text[mark.end..].trim_start_matches(is_closing);
        let rest = behind.trim_start_matches(' ');
        if is_dense || rest.len() < behind.len() {
            return text.len() - rest.len();
        }
        at = text.len() - rest.len();
    }
    text.len()
}

/// A character that may end a sentence, and where the text goes on behind it.
struct Mark {
    character: char,
    end: usize,
}

/// First bytes of the characters that may end a sentence.
const MAY_BEGIN_MARK: [bool; 256] = {
    let mut table = [false; 256];
    let first = *b".!?\xd6\xd8\xdb\xe0\xe1\xe2\xe3\xef";
    let mut at = 0;
    while at < first.len() {
        table[first[at] as usize] = true;
        at += 1;
    }
    table
};

fn next_mark(text: &str, from: usize) -> Option<Mark> {
    let mut at = from;
    loop {
        at += text.as_bytes()[at..].iter().position(|byte| MAY_BEGIN_MARK[*byte as usize])?;
        let character = text[at..].chars().next()?;
        at += character.len_utf8();
        if matches!(
            character,
            '.' | '!' | '?' | '…' | '।' | '؟' | '۔' | '։' | '።' | '。' | '！' | '？' | '｡'
        ) {
            return Some(Mark { character, end: at });
        }
    }
}

fn is_closing(character: char) -> bool {
    matches!(
        character,
        '.' | '!'
            | '?'
            | '…'
            | '"'
            | '\''
            | '”'
            | '’'
            | '»'
            | '“'
            | ')'
            | ']'
            | '」'
            | '』'
            | '。'
            | '！'
            | '？'
    )
}

/// Hash of one line or sentence; `None` where it is too slight to mean anything.
pub fn unit(text: &str) -> Option<u64> {
    let text = text.trim_ascii();
    if let Some(hash) = plain_unit(text) {
        return hash;
    }
    let mut buffer = Vec::with_capacity(text.len() + 8);
    let mut weight = 0;
    for word in text.split_whitespace() {
        separate(&mut buffer);
        for character in word.chars() {
            weight += if weight < MIN_WEIGHT { weight_of(character) } else { 0 };
            push_lower(&mut buffer, character);
        }
    }
    (weight >= MIN_WEIGHT).then(|| xxh3_64(&buffer))
}

/// The same for ASCII with single spaces, which most lines are; `None` where it is not that.
fn plain_unit(text: &str) -> Option<Option<u64>> {
    let is_plain = text.is_ascii()
        && !text.bytes().any(|byte| byte < b' ')
        && memchr::memmem::find(text.as_bytes(), b"  ").is_none();
    is_plain.then(|| {
        let letters = text.bytes().filter(u8::is_ascii_alphanumeric).take(MIN_WEIGHT as usize);
        (letters.count() == MIN_WEIGHT as usize)
            .then(|| xxh3_64(text.to_ascii_lowercase().as_bytes()))
    })
}

/// One space between two words.
fn separate(buffer: &mut Vec<u8>) {
    if !buffer.is_empty() {
        buffer.push(b' ');
    }
}

fn weight_of(character: char) -> u32 {
    match character {
        '\u{0e00}'..='\u{0eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' => 1,
        '\u{2e80}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{20000}'..='\u{3ffff}' => {
            DENSE_WEIGHT
        }
        _ => u32::from(character.is_alphanumeric()),
    }
}

fn push_lower(buffer: &mut Vec<u8>, character: char) {
    if character.is_ascii() {
        buffer.push(character.to_ascii_lowercase() as u8);
        return;
    }
    for lower in character.to_lowercase() {
        buffer.extend_from_slice(lower.encode_utf8(&mut [0; 4]).as_bytes());
    }
}

/// Counts in how many different kept articles of one feed each unit stands.
///
/// `new` holds the units of the articles just kept, `recent` those of the feed's articles kept before them (the
/// last 20), `counted` what is already stored for a unit. Returned are the units whose stored count changes, with
/// the new count, in order of their hash. A unit enters the count with its second article, so that the sentences
/// that stand only once, nearly all of them, are never stored.
pub fn learn(
    new: &[HashSet<u64>],
    recent: &[HashSet<u64>],
    counted: &dyn Fn(u64) -> Option<u32>,
) -> Vec<(u64, u32)> {
    let mut occurrences: HashMap<u64, u32> = HashMap::new();
    for hash in new.iter().flatten() {
        *occurrences.entry(*hash).or_default() += 1;
    }
    let mut learned: Vec<_> = occurrences
        .into_iter()
        .map(|(hash, added)| {
            let before = counted(hash).unwrap_or_else(|| standing_in(recent, hash));
            (hash, before.saturating_add(added))
        })
        .filter(|&(_, count)| count >= 2)
        .collect();
    learned.sort_unstable();
    learned
}

/// In how many of `articles` a unit stands.
fn standing_in(articles: &[HashSet<u64>], hash: u64) -> u32 {
    articles.iter().filter(|article| article.contains(&hash)).count() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(body: &str) -> HashSet<u64> {
        units(body).collect()
    }

    #[test]
    fn a_line_of_two_sentences_is_three_units() {
        assert_eq!(units("The first sentence here. The second one here.").count(), 3);
        assert_eq!(units("Only one sentence stands here.").count(), 1);
        assert_eq!(units("会议今天在首都举行。各方代表出席了会议。").count(), 3);
        assert_eq!(units("***\n\nSport\n").count(), 0, "too slight to be learned");
    }

    #[test]
    fn units_are_folded_by_case_and_spaces_but_not_by_digits() {
        assert_eq!(unit("Our  Daily Newsletter"), unit("our daily newsletter"));
        assert_ne!(unit("Gold stood at 1,812 dollars"), unit("Gold stood at 1,813 dollars"));
    }

    #[test]
    fn plain_lines_are_read_as_all_others() {
        // What is not ASCII takes the long way, a no-break space is a space there.
        for line in [
            "Our Daily newsletter, No. 7!",
            "a",
            "0123456789",
            "12345 6789",
            "Read   it: today\tat noon",
        ] {
            let long_way = unit(&line.replace(' ', "\u{a0}"));
            assert_eq!(unit(line), long_way, "{line}");
        }
    }

    #[test]
    fn sentences_together_are_the_line() {
        for line in ["A b. C d! “E f?” G", "", "No end", "1.5 per cent. Then", "好。吗？是"]
        {
            assert_eq!(sentences(line).collect::<String>(), line);
        }
    }

    #[test]
    fn the_second_article_enters_a_unit_and_the_third_makes_it_furniture() {
        let footer = "This report was made by our partner agency.";
        let [first, second, third] = ["One story.", "Another story.", "Yet another story."]
            .map(|story| set(&format!("{story}\n\n{footer}")));
        let hash = unit(footer).unwrap();
        assert!(learn(std::slice::from_ref(&first), &[], &|_| None).is_empty());
        let learned = learn(&[second], &[first], &|_| None);
        assert_eq!(learned, [(hash, 2)]);
        let learned = learn(&[third], &[], &|asked| (asked == hash).then_some(2));
        assert_eq!(learned, [(hash, LEARNED_AFTER)]);
    }
}
