//! The body of an article out of content and summary: read, cleared of headline and furniture, the fuller kept.

use super::{
    FeedContext, Options, characters::is_unspaced, cuts::Cuts, furniture, headline, html,
    lines::Lines, mojibake, wrap,
};
use crate::model::{Entry, Markup, RawText};

/// The texts of an article.
pub(super) struct Texts {
    pub(super) title: String,
    pub(super) body: String,
    pub(super) summary: Option<String>,
}

/// One text of an entry, clean.
#[derive(Default)]
struct Cleaned {
    text: String,
    cuts: Cuts,
    /// The headline in full, where the title was shortened.
    title: Option<String>,
}

/// Cleans content and summary and keeps the fuller as body.
pub(super) fn clean(
    entry: &Entry,
    title: String,
    feed: &FeedContext<'_>,
    options: &Options,
    cuts: &mut Cuts,
) -> Texts {
    let differing = entry
        .summary
        .as_ref()
        .filter(|summary| entry.content.as_ref().is_none_or(|c| c.value != summary.value));
    let clean = |raw: Option<&RawText>| {
        raw.map(|raw| clean_one(raw, &title, feed, options)).unwrap_or_default()
    };
    let (content, summary) = (clean(entry.content.as_ref()), clean(differing));
    let (body, other) = if summary.text.len() > content.text.len() {
        (summary, content)
    } else {
        (content, summary)
    };
    cuts.extend(body.cuts);
    Texts {
        summary: summary_beside(&body.text, other.text),
        title: body.title.or(other.title).unwrap_or(title),
        body: body.text,
    }
}

fn clean_one(raw: &RawText, title: &str, feed: &FeedContext<'_>, options: &Options) -> Cleaned {
    let value = &raw.value[..raw.value.floor_char_boundary(options.max_text_bytes)];
    let mut cleaned = clean_text(value, raw.markup, title, feed);
    // A cut can make sure of a misreading that what was cut put in doubt.
    while let Some(repaired) = mojibake::repair(&cleaned.text) {
        let again = clean_text(&repaired, Markup::Html, title, feed);
        cleaned.cuts.extend(again.cuts);
        cleaned = Cleaned { text: again.text, title: again.title.or(cleaned.title), ..cleaned };
    }
    cleaned
}

fn clean_text(value: &str, markup: Markup, title: &str, feed: &FeedContext<'_>) -> Cleaned {
    let mut lines = html::lines(value, markup);
    let mut cuts = Cuts::default();
    let fuller = cut(&mut lines, title, feed, &mut cuts);
    Cleaned { text: lines.render(), cuts, title: fuller }
}

/// Takes headline copies and furniture out of a text. Returns the headline in full, where the title was shortened.
pub(super) fn cut(
    lines: &mut Lines,
    title: &str,
    feed: &FeedContext<'_>,
    cuts: &mut Cuts,
) -> Option<String> {
    let mut fuller = None::<String>;
    let state = |lines: &Lines| {
        let ends =
            (lines.lines.first().map(|line| line.start), lines.lines.last().map(|line| line.end));
        (lines.lines.len(), ends)
    };
    loop {
        let before = state(lines);
        let title = fuller.as_deref().unwrap_or(title);
        let found = headline::cut(lines, title, feed, cuts)
            .filter(|found| fuller.is_none() && found != title);
        furniture::cut_phrases(lines, title, cuts);
        if state(lines) == before {
            furniture::cut_learned(lines, feed.furniture, cuts);
        }
        let is_settled = state(lines) == before && found.is_none();
        // The headline in full may have copies that its beginning had not.
        if found.is_some() {
            lines.lines.iter_mut().for_each(|line| line.cleared = (0, 0));
        }
        fuller = found.or(fuller);
        if is_settled {
            break;
        }
        wrap::dedent(lines);
        wrap::unwrap(lines);
    }
    fuller
}

/// The summary where it says something that the body does not begin with.
fn summary_beside(body: &str, summary: String) -> Option<String> {
    let opening = summary.trim_end_matches(['.', '…', ' ']);
    (!opening.is_empty() && !body.starts_with(opening)).then_some(summary)
}

/// Whether a character of ASCII makes words, and whether it stands inside of them.
const ASCII_IN_WORDS: [[bool; 2]; 128] = {
    let mut table = [[false; 2]; 128];
    let mut byte = 0_u8;
    while byte < 128 {
        table[byte as usize] = [byte.is_ascii_alphanumeric(), matches!(byte, b'\'' | b'-')];
        byte += 1;
    }
    table
};

/// Words; in scripts without spaces, characters.
pub(super) fn word_count(body: &str) -> u32 {
    let mut count = 0;
    let mut in_word = false;
    let bytes = body.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if let Some(block) = bytes[at..].first_chunk()
            && let Some(begun) = words_begun(block)
        {
            // What begins in the middle of a word begins none.
            count += begun - u32::from(in_word & block[0].is_ascii_alphanumeric());
            in_word = block[BLOCK - 1].is_ascii_alphanumeric();
            at += BLOCK;
            continue;
        }
        if bytes[at].is_ascii() {
            // Without a branch: where words end cannot be foretold.
            let [is_letter, is_joint] = ASCII_IN_WORDS[bytes[at] as usize];
            let is_word = is_letter | (in_word & is_joint);
            count += u32::from(is_word & !in_word);
            in_word = is_word;
            at += 1;
            continue;
        }
        let Some(character) = body[at..].chars().next() else { break };
        at += character.len_utf8();
        if matches!(character, '\u{2000}'..='\u{206f}') {
            // Quotation marks and dashes: no letters, and asked first since the tables of letters are slow.
            in_word &= is_inside_word(character);
        } else if is_unspaced(character) {
            count += u32::from(character.is_alphanumeric());
            in_word = false;
        } else if character.is_alphanumeric() {
            count += u32::from(!in_word);
            in_word = true;
        } else if !is_inside_word(character) {
            in_word = false;
        }
    }
    count
}

/// Bytes that are looked at together.
const BLOCK: usize = 32;

/// How many words begin in a block of ASCII without apostrophes and hyphens, its first byte seen as the first of a text.
/// Without a branch, so that the compiler takes all bytes at once.
fn words_begun(block: &[u8; BLOCK]) -> Option<u32> {
    let is_letter = |byte: u8| u8::from(byte.is_ascii_alphanumeric());
    let is_odd = block
        .iter()
        .fold(0, |odd, byte| odd | u8::from(!byte.is_ascii() | matches!(byte, b'\'' | b'-')));
    let begun = block.windows(2).fold(is_letter(block[0]), |begun, pair| {
        begun + (is_letter(pair[1]) & !is_letter(pair[0]))
    });
    (is_odd == 0).then_some(u32::from(begun))
}

/// Marks and apostrophes that do not end a word.
fn is_inside_word(character: char) -> bool {
    matches!(character, '’' | '\u{200c}' | '\u{200d}')
        || unicode_normalization::char::is_combining_mark(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_counted_alike_wherever_a_block_ends() {
        let words =
            ["the", "harbour's", "sea-wall", "stood", "90,000", "été", "“done”", "港", "-", "a"];
        for start in 0..70 {
            let mut text = " ".repeat(start);
            for at in 0..60 {
                text.push_str(words[(start + at * 7) % words.len()]);
                text.push(' ');
            }
            let one_by_one: u32 = text.split(' ').map(word_count).sum();
            assert_eq!(word_count(&text), one_by_one, "{text}");
            let plain = "x".repeat(start) + &" letters and".repeat(20);
            assert_eq!(word_count(&plain), u32::from(start > 0) + 40);
        }
    }
}
