//! The headline on top of the body, once or many times, comes off.
//!
//! In: the lines of a body and its clean title. Out: the lines without the copies, each cut recorded. A line that
//! is the headline goes; one that merely begins with it stays, unless marks, punctuation or a dateline show that
//! the article begins behind it. Works on letters, not on words, so in every script. Only the top of a body is
//! looked at: a pull quote further down stays.

use std::{collections::HashSet, sync::LazyLock};

use super::{
    characters::is_unspaced,
    cuts::Cuts,
    fold,
    lines::{Kind, Line, Lines},
    title::SiteNames,
};

/// Lines that are looked at before the article must have begun.
const TOP: usize = 8;
/// Lines that are at hand while copies are looked for.
const WINDOW: usize = 64;
/// Letters that a headline needs to be recognised inside a longer line.
const MIN_LETTERS: usize = 8;
/// Words of a long headline.
const MIN_LONG: usize = 5;
/// Letters of the longest particle in a script without spaces.
const MAX_PARTICLE: usize = 4;
/// A line at most so much longer than the headline can be its copy in other clothes.
const MAX_EXTRA_BYTES: usize = 80;

/// A title prepared for comparison.
struct Headline<'a> {
    text: &'a str,
    key: Vec<char>,
    /// The key up to the dots of a shortened title.
    is_shortened: bool,
    names: Option<SiteNames>,
    feed: &'a super::FeedContext<'a>,
}

/// Cuts the copies of `title` off the top of `body`. Returns the full headline where the title was shortened.
pub(super) fn cut(
    body: &mut Lines,
    title: &str,
    feed: &super::FeedContext<'_>,
    cuts: &mut Cuts,
) -> Option<String> {
    let trimmed = title.trim_end_matches(['.', '…', ' ', '[', ']', '(', ')']);
    let is_shortened = ends_in_dots(title);
    let key = fold::key(if is_shortened { trimmed } else { title });
    if key.is_empty() {
        return None;
    }
    let mut headline = Headline { text: title, key, is_shortened, names: None, feed };
    let mut fuller = None;
    // Lines are removed one by one: from a short list, lest a hundred thousand copies take quadratic time.
    let mut below = body.lines.split_off(body.lines.len().min(WINDOW)).into_iter();
    while let Some(found) = find(body, &mut headline) {
        if let Found::Shortened(index) = found {
            fuller = Some(body.get(&body.lines[index]).to_owned());
        }
        apply(body, &found, cuts);
        if body.lines.len() < WINDOW / 2 {
            let gap = body.lines.is_empty();
            body.lines.extend(below.by_ref().take(WINDOW));
            if let Some(first) = body.lines.first_mut() {
                first.gap |= gap;
            }
        }
    }
    body.lines.extend(below);
    fuller
}

/// What is to be cut.
enum Found {
    /// A line that is the headline.
    Line(usize),
    /// A line that is the headline in full, where the title is shortened.
    Shortened(usize),
    /// A standfirst that the text repeats.
    Standfirst(usize),
    /// The first bytes of a line, up to where the article begins.
    Start(usize, usize),
}

fn apply(body: &mut Lines, found: &Found, cuts: &mut Cuts) {
    match *found {
        Found::Line(index) | Found::Shortened(index) => {
            cuts.add("headline", body.get(&body.lines[index]), "top");
            remove(body, index);
        }
        Found::Standfirst(index) => {
            cuts.add("standfirst", body.get(&body.lines[index]), "top");
            remove(body, index);
        }
        Found::Start(index, end) => {
            let line = &mut body.lines[index];
            cuts.add("headline", &body.text[line.start..end], "top");
            line.start = end;
            line.marked_until = line.marked_until.max(end);
        }
    }
}

/// Removes a line; the paragraph break before it stays.
pub(super) fn remove(body: &mut Lines, index: usize) {
    let line = body.lines.remove(index);
    if let Some(next) = body.lines.get_mut(index) {
        next.gap |= line.gap;
    }
}

/// The next thing to cut, if there is one.
fn find(body: &Lines, headline: &mut Headline<'_>) -> Option<Found> {
    let top = body.lines.len().min(TOP);
    for index in 0..top {
        let line = &body.lines[index];
        if is_copy(body, index, headline) {
            return Some(Found::Line(index));
        }
        if index == 0 && is_full_form(body, line, headline) {
            return Some(Found::Shortened(index));
        }
        if index == 0
            && let Some(end) = article_start(body, line, headline)
        {
            return Some(Found::Start(index, end));
        }
        if is_repeated(body, index) {
            return Some(Found::Standfirst(index));
        }
        if !may_precede(body, line) {
            return find_later_heading(body, index, headline);
        }
    }
    None
}

/// Whether a line may stand above a headline: a section, a date, a byline, a caption.
fn may_precede(body: &Lines, line: &Line) -> bool {
    let text = body.get(line);
    text.len() < 160
        && text.chars().take(81).count() <= 80
        && !ends_sentence(text)
        && !is_item(text)
}

/// A heading that is the headline, right below a standfirst.
fn find_later_heading(body: &Lines, index: usize, headline: &mut Headline<'_>) -> Option<Found> {
    let later = index + 1..body.lines.len().min(index + 3);
    later
        .into_iter()
        .find(|later| body.lines[*later].kind == Kind::Heading && is_copy(body, *later, headline))
        .map(Found::Line)
}

/// Whether a whole line is the headline, plain or in other clothes.
fn is_copy(body: &Lines, index: usize, headline: &mut Headline<'_>) -> bool {
    let line = &body.lines[index];
    let text = body.get(line);
    if text.len() > headline.text.len() * 2 + MAX_EXTRA_BYTES || is_item(text) {
        return false;
    }
    let is_equal =
        fold::prefix_end(text, &headline.key).is_some_and(|end| fold::is_blank(&text[end..]));
    if is_equal {
        return !is_verse(body, index);
    }
    // Only the headline itself may be all there is.
    body.lines.len() > 1 && is_dressed_copy(text, headline) && !is_verse(body, index)
        || is_site_copy(text, headline)
}

/// The headline with the name of the site before or after it.
fn is_site_copy(text: &str, headline: &mut Headline<'_>) -> bool {
    let rest =
        match (fold::prefix_end(text, &headline.key), fold::suffix_start(text, &headline.key)) {
            (Some(end), _) => &text[end..],
            (_, Some(start)) => &text[..start],
            _ => return false,
        };
    let feed = headline.feed;
    headline.names.get_or_insert_with(|| SiteNames::of(feed)).contains(rest)
}

/// The headline with a kicker, a word more, or cut short.
fn is_dressed_copy(text: &str, headline: &Headline<'_>) -> bool {
    if headline.key.len() < MIN_LETTERS && fold::words(headline.text) < 3 {
        return false;
    }
    if let Some(end) = fold::prefix_end(text, &headline.key) {
        return is_suffix(&text[end..], text);
    }
    if let Some(start) = fold::suffix_start(text, &headline.key) {
        return is_kicker(&text[..start]);
    }
    is_part_of_title(text, headline)
}

/// What may follow a headline in its line: `(video)`, `| World`, a word more; not the rest of a sentence.
fn is_suffix(rest: &str, line: &str) -> bool {
    let words = fold::words(rest);
    let trimmed = rest.trim();
    let is_bracketed = trimmed.starts_with(['(', '[', '（', '【', '［'])
        && trimmed.ends_with([')', ']', '）', '】', '］']);
    let is_separated =
        starts_with_separator(trimmed, &['|', '-', '–', '—', '»', '•', '·', '｜', '/', ':', '：']);
    if ends_sentence(line) {
        return false;
    }
    (is_bracketed && words <= 4)
        || (is_separated && words <= 3)
        || (words <= 1 && rest.starts_with(' ') && !is_denial(rest))
}

/// What may precede a headline in its line: `UPDATE 1-`, `Exclusive:`, `【速報】`, a word more.
fn is_kicker(before: &str) -> bool {
    let words = fold::words(before);
    let trimmed = before.trim_end_matches(|c: char| c == ' ' || is_quote(c));
    let is_separated = trimmed.ends_with([
        '|', '-', '–', '—', '»', '•', '·', '｜', '/', ':', '：', ')', ']', '】', '）', '］', '>',
        '!', '！',
    ]);
    (is_separated && words <= 4) || (words <= 1 && !is_denial(before))
}

/// A word that turns a headline into its opposite.
fn is_denial(word: &str) -> bool {
    static DENIALS: LazyLock<HashSet<Vec<char>>> =
        LazyLock::new(|| words_of(include_str!("data/denials.txt")));
    DENIALS.contains(&fold::key(word))
}

/// The keys of a word list, one word a line.
fn words_of(list: &str) -> HashSet<Vec<char>> {
    list.lines()
        .filter(|line| !line.starts_with('#'))
        .flat_map(str::split_whitespace)
        .map(fold::key)
        .collect()
}

/// Whether a text was cut short, and says so: `…`, `...`, `[…]`, `(...)`.
fn ends_in_dots(text: &str) -> bool {
    let text = text.trim_end_matches([']', ')', ' ']);
    text.ends_with('…') || text.ends_with("...")
}

/// A line that is the title without its kicker or its ending, or cut short by dots.
fn is_part_of_title(text: &str, headline: &Headline<'_>) -> bool {
    let key = fold::key(text);
    if key.len() * 5 < headline.key.len() * 2 || fold::words(text) < 3 {
        return false;
    }
    if ends_in_dots(text) && headline.key.starts_with(&key) {
        return true;
    }
    if let Some(start) = fold::suffix_start(headline.text, &key) {
        let before = headline.text[..start].trim_end();
        return is_kicker(before) && before.ends_with(|c: char| !c.is_alphanumeric());
    }
    fold::prefix_end(headline.text, &key).is_some_and(|end| {
        let rest = headline.text[end..].trim_start();
        fold::words(rest) <= 5
            && starts_with_separator(
                rest,
                &['|', '-', '–', '—', '(', '[', '（', '【', '»', '•', '·', '｜', '/'],
            )
    })
}

/// Whether the first line is the whole of a headline that the title gives shortened.
fn is_full_form(body: &Lines, line: &Line, headline: &Headline<'_>) -> bool {
    let text = body.get(line);
    headline.is_shortened
        && body.lines.len() > 1
        && (headline.key.len() >= MIN_LETTERS * 2 || fold::words(headline.text) >= 3)
        && text.len() < headline.text.len() * 3
        && text.len() < 300
        && !ends_sentence(text)
        && !is_item(text)
        && text.chars().count() > headline.key.len()
        && starts_with_shortened(text, &headline.key)
}

/// Like [`fold::prefix_end`], but the last word of a shortened title may be cut.
fn starts_with_shortened(text: &str, key: &[char]) -> bool {
    fold::key(text).starts_with(key)
}

/// Where the article begins in a line that begins with the headline, if it can be told.
fn article_start(body: &Lines, line: &Line, headline: &Headline<'_>) -> Option<usize> {
    let text = body.get(line);
    if headline.key.len() < MIN_LETTERS && fold::words(headline.text) < 3 {
        return None;
    }
    let end = fold::prefix_end(text, &headline.key)?;
    let rest = &text[end..];
    let start = rest.find(is_text_start)?;
    let (between, article) = rest.split_at(start);
    if article.len() < 20 || !may_begin(article) {
        return None;
    }
    let is_marked = is_marked_copy(line, end, between);
    let is_cut = is_doubled(article, &headline.key)
        || is_separator(between, article, headline)
        || (is_marked
            && (between.contains(['.', '!', '?', '。', '！', '？', '।', '؟', '…'])
                || !is_uncased(article)
                || is_long(headline.text) && !goes_on(article)))
        || (is_silent(between)
            && (super::dateline::starts(article) || begins_sentence(article, headline)));
    is_cut.then(|| line.start + end + start)
}

/// Whether exactly the headline, up to `end`, is bold or a link.
fn is_marked_copy(line: &Line, end: usize, between: &str) -> bool {
    let marked = line.marked_until - line.start;
    line.marked_until < line.end && marked >= end && marked <= end + between.len()
}

/// Where a text may begin: a letter, a digit, an opening quote or bracket.
fn is_text_start(character: char) -> bool {
    character.is_alphanumeric()
        || matches!(
            character,
            '(' | '[' | '（' | '【' | '「' | '『' | '“' | '„' | '«' | '‘' | '¿' | '¡' | '《'
        )
}

/// Whether a text may be the beginning of an article: not in the middle of a sentence.
fn may_begin(article: &str) -> bool {
    article
        .chars()
        .find(|c| c.is_alphanumeric())
        .is_some_and(|c| !c.is_lowercase() || ('\u{10d0}'..='\u{10ff}').contains(&c))
}

/// Whether the letters at the start of a text know no case.
fn is_uncased(text: &str) -> bool {
    text.chars().find(|c| c.is_alphabetic()).is_some_and(|c| !c.is_uppercase() && !c.is_lowercase())
}

/// Whether a headline says so much that nobody begins a sentence with it by chance.
fn is_long(headline: &str) -> bool {
    let is_dense = headline.contains(is_unspaced);
    fold::words(headline) >= if is_dense { MIN_LONG + 1 } else { MIN_LONG }
}

/// Whether a text in a script without case goes on with the sentence before it: its first word begins none.
fn goes_on(article: &str) -> bool {
    static PARTICLES: LazyLock<HashSet<Vec<char>>> =
        LazyLock::new(|| words_of(include_str!("data/particles.txt")));
    let mut letters = fold::key(article.split_whitespace().next().unwrap_or_default());
    if letters.first().is_some_and(|c| is_unspaced(*c)) {
        letters.truncate(MAX_PARTICLE);
        return (1..=letters.len()).any(|length| PARTICLES.contains(&letters[..length]));
    }
    PARTICLES.contains(&letters)
}

fn is_doubled(article: &str, key: &[char]) -> bool {
    fold::prefix_end(article, key)
        .is_some_and(|end| !article[end..].trim_start().starts_with([',', ';']))
}

/// Whether what stands between headline and text separates them: a bar, or a dash or colon that is not the first of
/// a pair and not the sentence's own.
fn is_separator(between: &str, article: &str, headline: &Headline<'_>) -> bool {
    let mark = between.trim().trim_matches(is_quote).trim();
    let Some(first) = mark.chars().next() else { return false };
    if mark.chars().any(|c| matches!(c, ',' | ';' | '.' | '?' | '!' | '。' | '？' | '！')) {
        return false;
    }
    match first {
        '|' | '»' | '•' | '·' | '｜' | '~' | '>' | '*' => true,
        '-' | '–' | '—' | '―' | '−' => {
            let is_paired =
                first_sentence(article).contains([' ', '—']) && has_dash(first_sentence(article));
            between.starts_with(' ') != between.starts_with(['—', '―'])
                && !is_paired
                && fold::words(headline.text) >= 4
        }
        ':' | '：' => fold::words(headline.text) >= 4 && fold::words(first_sentence(article)) >= 5,
        _ => false,
    }
}

fn has_dash(sentence: &str) -> bool {
    sentence.contains(" – ") || sentence.contains(" - ") || sentence.contains('—')
}

fn first_sentence(text: &str) -> &str {
    super::furniture::sentences(text).next().unwrap_or_default()
}

/// Nothing or only space between headline and text.
fn is_silent(between: &str) -> bool {
    between.chars().all(|c| c == ' ' || is_quote(c))
}

/// Whether a text behind the headline is a sentence of its own: it begins with a word that begins sentences, or it
/// says the headline's words again.
fn begins_sentence(article: &str, headline: &Headline<'_>) -> bool {
    static STARTERS: LazyLock<HashSet<Vec<char>>> =
        LazyLock::new(|| words_of(include_str!("data/starters.txt")));
    if fold::words(headline.text) < 4 {
        return false;
    }
    let mut words = article.split_whitespace();
    let first = words.next().unwrap_or_default();
    let second = words.next().unwrap_or_default();
    let is_cased = first.starts_with(char::is_uppercase);
    let starts = is_cased
        && second.starts_with(char::is_lowercase)
        && first.ends_with(char::is_alphabetic)
        && STARTERS.contains(&fold::key(first));
    starts || repeats_headline(article, headline, is_cased)
}

/// Whether the next sentence says again most of what the headline said.
fn repeats_headline(article: &str, headline: &Headline<'_>, is_cased: bool) -> bool {
    let sentence = first_sentence(article);
    if headline.key.iter().any(|c| is_unspaced(*c)) {
        return repeats_pairs(sentence, &headline.key);
    }
    let stem = |word: &str| -> Vec<char> { fold::key(word).into_iter().take(5).collect() };
    let said: HashSet<_> = sentence.split_whitespace().map(stem).collect();
    let telling: Vec<_> =
        headline.text.split_whitespace().map(stem).filter(|stem| stem.len() >= 4).collect();
    let again = telling.iter().filter(|stem| said.contains(*stem)).count();
    again >= if is_cased { 2 } else { 3 } && again * 5 >= telling.len() * 2
}

/// The same for scripts without spaces: pairs of characters.
fn repeats_pairs(sentence: &str, key: &[char]) -> bool {
    let sentence = fold::key(sentence);
    let said: HashSet<_> = sentence.windows(2).collect();
    let again = key.windows(2).filter(|pair| said.contains(pair)).count();
    key.len() >= 20 && again >= 4 && again * 2 >= key.len().saturating_sub(1)
}

/// Whether a paragraph near the top stands again right below, or the next begins with it.
fn is_repeated(body: &Lines, index: usize) -> bool {
    let text = body.get(&body.lines[index]);
    if index > 3
        || text.len() < 40
        || is_item(text)
        || (text.len() < 100 && text.chars().count() < 25 && fold::words(text) < 6)
    {
        return false;
    }
    let is_short = ends_in_dots(text);
    let below = &body.lines[index + 1..body.lines.len().min(index + 4)];
    let first = |text: &str| {
        text.chars().find(|c| c.is_alphanumeric()).map(|c| fold::key(c.encode_utf8(&mut [0; 4])))
    };
    // Hardly ever do two paragraphs begin with the same letter: the rest is not looked at.
    let beginning = first(text);
    if !below.iter().any(|line| first(body.get(line)) == beginning) {
        return false;
    }
    let key = fold::key(text);
    below.iter().any(|line| {
        let other = body.get(line);
        let repeats = if is_short {
            fold::key(other).starts_with(&key)
        } else {
            fold::prefix_end(other, &key).is_some()
        };
        line.gap && other.len() + 8 >= text.len() && repeats
    })
}

/// Whether a line belongs to verse: its paragraph goes on in the middle of a sentence, or in three short lines.
fn is_verse(body: &Lines, index: usize) -> bool {
    let line = &body.lines[index];
    let following = body.lines[index + 1..].iter().take_while(|next| !next.gap);
    let Some(next) = following.clone().next() else { return false };
    if body.get(next).starts_with(char::is_lowercase) {
        return true;
    }
    if line.marked_until == line.end
        || (index > 0 && !line.gap)
        || fold::key(body.get(next)) == fold::key(body.get(line))
    {
        return false;
    }
    following.clone().count() >= 2
        && following.take(8).all(|next| body.get(next).chars().take(61).count() <= 60)
}

fn is_item(text: &str) -> bool {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    text.starts_with("- ") || (digits > 0 && digits < 4 && text[digits..].starts_with(". "))
}

fn is_quote(character: char) -> bool {
    matches!(
        character,
        '"' | '\''
            | '“'
            | '”'
            | '„'
            | '‘'
            | '’'
            | '‚'
            | '«'
            | '»'
            | '‹'
            | '›'
            | '「'
            | '」'
            | '『'
            | '』'
            | '《'
            | '》'
    )
}

/// Whether a text ends as a sentence does.
pub(super) fn ends_sentence(text: &str) -> bool {
    let end = text.trim_end_matches(|c: char| is_quote(c) || matches!(c, ')' | ']' | ' '));
    end.ends_with(['.', '!', '?', '。', '！', '？', '।', '؟', '۔', '։', '።'])
        && !end.ends_with("...")
}

fn starts_with_separator(text: &str, separators: &[char]) -> bool {
    text.trim_start_matches(is_quote).trim_start().starts_with(separators)
}
