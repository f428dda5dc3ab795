//! What stands around an article in a feed and is not the article: phrases of the trade, and what a feed repeats.
//!
//! In: the lines of a body. Out: the lines without furniture, each cut recorded. A line goes when the whole of it is
//! furniture, never for words that it merely holds; a sentence only where it ends the last line. Decides on the text
//! alone, so that a clean text is left alone. What is learned from the feed itself has guards of its own: quotations,
//! lists, tables, verse and most of a body never go.

mod folded;
mod guards;
mod learned;
mod pattern;

use std::{collections::HashSet, sync::LazyLock};

pub use learned::{LEARNED_AFTER, learn, sentences, unit, units};

use self::{guards::Class, pattern::Table};
use super::{
    cuts::Cuts,
    fold,
    lines::{Line, Lines},
};

/// Characters that a line of furniture may have.
const MAX_LINE: usize = 240;
/// Lines from the top and from the end that are looked at: a body of more holds no furniture in its middle.
const MAX_LOOKED_AT: usize = 400;

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    Table::read(&[
        include_str!("data/phrases.txt"),
        include_str!("data/calls.txt"),
        include_str!("data/credits.txt"),
        include_str!("data/notices.txt"),
    ])
});

/// Cuts the phrases of the trade out of a body: whole lines, then what ends the last one.
pub(super) fn cut_phrases(body: &mut Lines, title: &str, cuts: &mut Cuts) {
    cut_lines(body, title, cuts);
    cut_end(body, cuts);
}

/// Takes out the lines that are phrases of the trade.
fn cut_lines(body: &mut Lines, title: &str, cuts: &mut Cuts) {
    let count = body.lines.len();
    let mut kinds: Vec<Option<&'static str>> = vec![None; count];
    for index in (0..count).filter(|i| *i < MAX_LOOKED_AT || i + MAX_LOOKED_AT >= count) {
        let line = body.lines[index];
        let is_below_label = index > 0 && kinds[index - 1] == Some("related");
        kinds[index] = if is_below_label && is_link(body, &line) {
            Some("related")
        } else if line.cleared == (line.start, line.end) {
            None
        } else {
            kind_of_line(body.get(&line), title)
        };
        if kinds[index].is_none() {
            body.lines[index].cleared = (line.start, line.end);
        }
    }
    keep_weak_inside(&mut kinds);
    remove_all(body, &kinds, cuts);
}

/// Words of navigation (`Video`, `Next`) are furniture only at an edge: inside, they may be the article's own.
fn keep_weak_inside(kinds: &mut [Option<&'static str>]) {
    let top = kinds.iter().take_while(|kind| kind.is_some()).count();
    let bottom = kinds.len() - kinds.iter().rev().take_while(|kind| kind.is_some()).count();
    if top < bottom {
        kinds[top..bottom]
            .iter_mut()
            .filter(|kind| **kind == Some("player"))
            .for_each(|k| *k = None);
    }
}

/// Removes the lines that have a kind and records them; the paragraph break before them stays.
pub(super) fn remove_all(body: &mut Lines, kinds: &[Option<&'static str>], cuts: &mut Cuts) {
    let Some(last_kept) = kinds.iter().rposition(Option::is_none) else {
        record_all(body, kinds, cuts);
        body.lines.clear();
        return;
    };
    let first_kept = kinds.iter().position(Option::is_none).unwrap_or_default();
    for (index, (line, kind)) in body.lines.iter().zip(kinds).enumerate() {
        let place = match index {
            _ if index < first_kept => "top",
            _ if index > last_kept => "end",
            _ => "middle",
        };
        if let Some(kind) = kind {
            cuts.add(kind, body.get(line), place);
        }
    }
    body.keep(|at| kinds[at].is_none());
}

fn record_all(body: &Lines, kinds: &[Option<&'static str>], cuts: &mut Cuts) {
    for (line, kind) in body.lines.iter().zip(kinds) {
        cuts.add(kind.unwrap_or("furniture"), body.get(line), "end");
    }
}

/// Whether all of a short line is a link.
fn is_link(body: &Lines, line: &Line) -> bool {
    let text = body.get(line);
    let length = text.strip_prefix("- ").unwrap_or(text).len();
    line.linked > 0 && line.linked * 10 >= length * 9 && text.len() <= MAX_LINE
}

/// The kind of furniture that a whole line is.
fn kind_of_line(text: &str, title: &str) -> Option<&'static str> {
    if text.len() > MAX_LINE * 4 || text.chars().nth(MAX_LINE).is_some() {
        return None;
    }
    let (text, is_item) = text.strip_prefix("- ").map_or((text, false), |item| (item, true));
    if text.contains(" | ") {
        return kind_of_row(text);
    }
    let kind =
        kind_of(text).or_else(|| kind_of_label(text)).or_else(|| kind_beside_title(text, title))?;
    // A list of the article's own may name a photograph or an advertisement.
    (!is_item || !matches!(kind, "ad" | "player" | "photo" | "reporters" | "agency"))
        .then_some(kind)
}

/// A row of a table, or links set off by bars: all of them are furniture, or the first is the label of the others.
fn kind_of_row(text: &str) -> Option<&'static str> {
    let mut cells = text.split(" | ").map(str::trim).filter(|cell| !cell.is_empty());
    let first = cells.next().and_then(kind_of)?;
    cells.all(|cell| kind_of(cell).is_some()).then_some(first).or_else(|| kind_of_label(text))
}

/// Bytes of a label and its sign.
const MAX_LABEL: usize = 80;

/// `Lire aussi | X`, `LEGGI ANCHE > X`, `আরো পড়ুনঃ X`, `【関連記事】X`: labels of other articles with another sign than a colon.
fn kind_of_label(text: &str) -> Option<&'static str> {
    let inside = text.strip_prefix('【').unwrap_or(text);
    let reach = inside.floor_char_boundary(MAX_LABEL);
    let end = inside[..reach].find(['|', '>', '›', '»', 'ঃ', '】'])?;
    let label = inside[..end].trim_end();
    // One word before a bar is the first cell of a table of things.
    if fold::words(label) < 2 {
        return None;
    }
    let name = inside[end..].trim_start_matches(|c: char| !c.is_alphanumeric() || c == 'ঃ');
    let is_label = |kind: &&str| matches!(*kind, "related" | "read_more");
    TABLE.kind_of(&[label, ": ", name].concat()).filter(is_label)
}

/// The kind of furniture that a line or a sentence is.
fn kind_of(text: &str) -> Option<&'static str> {
    if is_ellipsis(text) {
        return Some("ellipsis");
    }
    if text.trim_start().starts_with(is_opening_quote) || fold::is_blank(text) {
        return None;
    }
    TABLE
        .kind_of(text)
        .or_else(|| is_copyright(text).then_some("copyright"))
        .or_else(|| is_agency(text).then_some("agency"))
        .or_else(|| is_channels(text).then_some("share"))
        .or_else(|| is_signature(text).then_some("reporters"))
        .or_else(|| kind_of_sentences(text))
}

/// Words of a question that a call answers.
const MAX_QUESTION: usize = 20;

/// A line of several sentences is furniture if every one of them is, or but for a question to the reader that one of them
/// answers: `Did you like this? Subscribe to our newsletter.`
fn kind_of_sentences(text: &str) -> Option<&'static str> {
    let kind_of_one = |sentence: &str| {
        TABLE.kind_within(sentence, text).or_else(|| is_copyright(sentence).then_some("copyright"))
    };
    let (mut first_kind, mut count) = (None, 0);
    let (mut has_asked, mut is_answered) = (false, true);
    for sentence in sentences(text).map(str::trim) {
        let kind = kind_of_one(sentence);
        let asks = || guards::is_question(sentence) && fold::words(sentence) <= MAX_QUESTION;
        if kind.is_none() && (has_asked || !asks()) {
            return None;
        }
        is_answered = kind.is_some();
        has_asked |= !is_answered;
        first_kind = first_kind.or(kind);
        count += 1;
    }
    first_kind.filter(|_| is_answered && count > 1)
}

/// `Continue reading THE HEADLINE`: a phrase with the headline before or behind it.
fn kind_beside_title(text: &str, title: &str) -> Option<&'static str> {
    if title.is_empty() || text.len() <= title.len() || text.len() > title.len() + 160 {
        return None;
    }
    let key = fold::key(title);
    let rest = match fold::suffix_start(text, &key) {
        Some(start) => &text[..start],
        None => &text[fold::prefix_end(text, &key)?..],
    };
    (!fold::is_blank(rest)).then(|| TABLE.kind_of(rest)).flatten()
}

fn is_opening_quote(character: char) -> bool {
    matches!(
        character,
        '"' | '“' | '„' | '«' | '‹' | '‘' | '\'' | '「' | '『' | '》' | '”' | '–' | '—'
    )
}

/// `[...]`, `(…)`: text was left out here.
fn is_ellipsis(text: &str) -> bool {
    let inside =
        text.trim().trim_matches(|c: char| matches!(c, '[' | ']' | '(' | ')' | '［' | '］'));
    inside.len() < text.trim().len()
        && !inside.is_empty()
        && inside.chars().all(|c| matches!(c, '.' | '…' | ' ' | '·' | '。'))
}

/// A line with a copyright sign, and the sign is not what it talks about.
fn is_copyright(text: &str) -> bool {
    let sign = if text.is_ascii() { None } else { text.find(['©', 'ⓒ', 'Ⓒ']) };
    let Some(at) = sign.or_else(|| written_sign(text)) else { return false };
    let before = fold::words(&text[..at]);
    let behind = text[at..].trim_start_matches(['©', 'ⓒ', 'Ⓒ', ' ', '(', ')', 'c', 'C']);
    before == 0
        || (before <= 4 && !behind.starts_with(char::is_lowercase))
        || (before <= 8 && behind.starts_with(char::is_numeric))
}

/// `(c) 2026`: the sign as a typewriter writes it.
fn written_sign(text: &str) -> Option<usize> {
    let lower = text.get(..3)?;
    let year = text.get(3..)?.trim_start().starts_with(|c: char| c.is_ascii_digit());
    (lower.eq_ignore_ascii_case("(c)") && year).then_some(0)
}

/// `(Reuters)`, `dpa/lno`, `AFP, Reuters`: agencies and nothing else, in brackets or not.
fn is_agency(text: &str) -> bool {
    if text.len() > 80 {
        return false;
    }
    let inside = text.trim_matches(|c: char| !c.is_alphanumeric());
    let whole = folded::fold(inside);
    if guards::is(&whole, Class::Agency) {
        return is_set_apart(text, &whole);
    }
    let mut parts = inside.split(['/', ',', '-', '–', '&', '،', '、', ';']).map(folded::fold);
    let Some(first) = parts.next() else { return false };
    let is_author = |part: &str| part.chars().count() <= 3 && part.chars().all(char::is_alphabetic);
    guards::is(&first, Class::Agency)
        && is_set_apart(text, &whole)
        && parts.all(|part| guards::is(&part, Class::Agency) || is_author(&part))
}

/// An agency's name alone in a line is a credit in brackets, with another, or in capitals; else only a long one.
fn is_set_apart(text: &str, folded: &str) -> bool {
    let text = text.trim();
    text.starts_with(['(', '（', '[', '【', '/', '-', '–'])
        || text.contains('/')
        || (text.len() >= 3 && text.bytes().all(|b| b.is_ascii_uppercase()))
        || (folded.chars().count() >= 5
            && !text.starts_with(char::is_lowercase)
            && !text.ends_with(['!', '?', ',', ':']))
}

/// `Facebook Twitter WhatsApp`: channels and nothing else, two or more.
fn is_channels(text: &str) -> bool {
    if text.len() > 160 {
        return false;
    }
    let folded = folded::fold(text);
    let mut words = folded.split([' ', ':']).filter(|word| !word.is_empty()).peekable();
    let is_many = folded.contains(' ');
    is_many && words.peek().is_some() && words.all(|word| guards::is(word, Class::Channel))
}

/// A reporter's name with an address: `임주원 기자 juwon@example.com`.
fn is_signature(text: &str) -> bool {
    if text.len() > 160 || !text.contains('@') {
        return false;
    }
    let mut addresses = 0;
    let words = text.split_whitespace().filter(|word| word.contains(char::is_alphanumeric));
    let names = words
        .filter(|word| {
            let is_address = word.contains('@') && word.contains('.');
            addresses += u32::from(is_address);
            !is_address
        })
        .collect::<Vec<_>>();
    addresses > 0
        && names.len() <= 5
        && !text.ends_with(['.', '!', '?'])
        && (names.is_empty() || guards::is_names(&names.join(" ")))
}

/// Cuts furniture that ends the last line behind a text of its own: `… the season opens. Read more`.
fn cut_end(body: &mut Lines, cuts: &mut Cuts) {
    let mut is_cut = false;
    while let Some(line) = body.lines.last().copied() {
        let text = body.get(&line);
        let leader = || leader_start(text).filter(|_| is_cut).map(|start| (start, "ellipsis"));
        let Some((start, kind)) = end_of(text).or_else(leader) else { break };
        is_cut = true;
        let kept = text[..start].trim_end().len();
        if kept == 0 {
            break;
        }
        cuts.add(kind, &text[start..], "end");
        if let Some(line) = body.lines.last_mut() {
            line.end = line.start + kept;
            line.marked_until = line.marked_until.min(line.end);
        }
    }
}

/// Where the dots begin that led to a call which is cut: `… the season opens. … Read more`.
fn leader_start(text: &str) -> Option<usize> {
    let before = text.trim_end_matches(['.', '…']);
    let is_apart =
        before.ends_with(' ') && before.trim_end().ends_with(|c| !char::is_alphanumeric(c));
    (is_apart && before.len() < text.len()).then_some(before.len())
}

/// Where furniture begins that ends a line, and its kind.
fn end_of(text: &str) -> Option<(usize, &'static str)> {
    if text.ends_with([']', ')', '］']) {
        // Dots in brackets are short: a bracket that was opened long ago is none of theirs.
        let reach = text.ceil_char_boundary(text.len().saturating_sub(MAX_LINE));
        let start = text[reach..].rfind(['[', '(', '［'])? + reach;
        if is_ellipsis(&text[start..]) {
            return Some((start, "ellipsis"));
        }
    }
    let reach = text.ceil_char_boundary(text.len().saturating_sub(MAX_LINE));
    let start = last_sentence(&text[reach..])? + reach;
    let sentence = &text[start..];
    if start == 0 || sentence.starts_with(is_opening_quote) {
        return None;
    }
    let kind = TABLE
        .kind_of(sentence)
        .or_else(|| kind_of_row(sentence).filter(|_| sentence.contains(" | ")))
        .filter(|kind| !matches!(*kind, "player" | "ad" | "comments" | "cookie" | "photo"))
        .or_else(|| is_copyright(sentence).then_some("copyright"))
        .or_else(|| {
            (sentence.starts_with(['(', '（']) && is_agency(sentence)).then_some("agency")
        })?;
    Some((start, kind))
}

/// Where the last sentence of a text begins.
fn last_sentence(text: &str) -> Option<usize> {
    let length = sentences(text).last()?.len();
    Some(text.len() - length)
}

/// Letters that must be left of a body when what its feed repeats is gone.
const MIN_LEFT: usize = 80;

/// Takes out what the feed repeats: whole lines, and sentences at the edges of the body.
pub(super) fn cut_learned(body: &mut Lines, learned: &HashSet<u64>, cuts: &mut Cuts) {
    if learned.is_empty() {
        return;
    }
    let is_learned = |text: &str| unit(text).is_some_and(|hash| learned.contains(&hash));
    let mut kinds: Vec<Option<&'static str>> = body
        .lines
        .iter()
        .map(|line| body.get(line))
        .map(|text| (is_learned(text) && may_be_learned(text)).then_some("learned"))
        .collect();
    keep_verse(body, &mut kinds);
    if leaves_enough(body, &kinds) {
        remove_all(body, &kinds, cuts);
    }
    cut_learned_ends(body, &is_learned, cuts);
}

/// Quotations, list items and rows of a table come back in a series without being furniture.
fn may_be_learned(text: &str) -> bool {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let is_item = text.starts_with("- ") || (digits > 0 && text[digits..].starts_with(". "));
    !is_item && !text.contains(" | ") && !text.starts_with(is_opening_quote)
}

/// A refrain stands among other lines of its stanza: it stays.
fn keep_verse(body: &Lines, kinds: &mut [Option<&'static str>]) {
    let mut start = 0;
    while start < body.lines.len() {
        let length = 1 + body.lines[start + 1..].iter().take_while(|line| !line.gap).count();
        let stanza = &mut kinds[start..start + length];
        if length >= 3 && stanza.iter().any(Option::is_none) {
            stanza.fill(None);
        }
        start += length;
    }
}

/// Whether what is left is still a text, and not just the scraps of a form.
fn leaves_enough(body: &Lines, kinds: &[Option<&'static str>]) -> bool {
    let length = |line: &Line| line.end - line.start;
    let total: usize = body.lines.iter().map(length).sum();
    let left: usize = body
        .lines
        .iter()
        .zip(kinds)
        .filter(|(_, kind)| kind.is_none())
        .map(|(line, _)| length(line))
        .sum();
    left >= MIN_LEFT || left * 2 >= total
}

/// Sentences that a feed repeats, at the start of the first line and the end of the last.
fn cut_learned_ends(body: &mut Lines, is_learned: &dyn Fn(&str) -> bool, cuts: &mut Cuts) {
    if let Some(line) = body.lines.last().copied() {
        let text = body.get(&line);
        let mut kept = text.len();
        while let Some(start) = last_sentence(&text[..kept]).filter(|start| *start >= MIN_LEFT) {
            if !is_learned(text[start..kept].trim()) || text[start..].starts_with(is_opening_quote)
            {
                break;
            }
            kept = start;
        }
        if kept < text.len() {
            cuts.add("learned", &text[kept..], "end");
            let end = line.start + text[..kept].trim_end().len();
            if let Some(line) = body.lines.last_mut() {
                line.end = end;
                line.marked_until = line.marked_until.min(end);
            }
        }
    }
    let Some(line) = body.lines.first().copied() else { return };
    let text = body.get(&line);
    let mut start = 0;
    for sentence in sentences(text) {
        let rest = text.len() - start - sentence.len();
        if !is_learned(sentence.trim()) || rest < MIN_LEFT || sentence.starts_with(is_opening_quote)
        {
            break;
        }
        start += sentence.len();
    }
    if start > 0 {
        cuts.add("learned", &text[..start], "top");
        if let Some(line) = body.lines.first_mut() {
            line.start += start;
            line.marked_until = line.marked_until.max(line.start);
        }
    }
}

#[cfg(test)]
mod tests;
