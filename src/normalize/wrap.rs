//! Lines that end where a column ended, not where the author ended them.
//!
//! In: [`Lines`]. Out: the same with hard-wrapped paragraphs as one line each and without the indentation of a
//! pretty-printed source. Verse, lists, tables and code keep their lines. Looks at the text only, never at the
//! markup it came from, so that a clean text is left alone.

use super::lines::{Line, Lines};

/// The narrowest and widest column that a text is wrapped at.
const COLUMNS: std::ops::RangeInclusive<usize> = 48..=100;
/// A wrapped paragraph shows itself by this many lines.
const MIN_LINES: usize = 3;

/// Joins the lines of every paragraph that was wrapped at a column.
pub(super) fn unwrap(text: &mut Lines) {
    let mut start = 0;
    let mut joined = false;
    while start < text.lines.len() {
        let length = 1 + text.lines[start + 1..].iter().take_while(|line| !line.gap).count();
        let end = start + length;
        if length >= MIN_LINES && is_wrapped(text, &text.lines[start..end]) {
            join(text, start, end);
            joined = true;
        }
        start = end;
    }
    if joined {
        text.lines.retain(|line| line.start < line.end);
    }
}

/// Whether each line is so full that the first word of the next would not have fitted the widest one.
fn is_wrapped(text: &Lines, lines: &[Line]) -> bool {
    let width = |line: &Line| text.get(line).chars().count();
    let Some(column) = lines.iter().map(width).max().filter(|column| COLUMNS.contains(column))
    else {
        return false;
    };
    let words = lines.iter().all(|line| {
        text.get(line).split(' ').nth(2).is_some() || line.end == lines[lines.len() - 1].end
    });
    words
        && lines.windows(2).all(|pair| {
            let first_word = text.get(&pair[1]).split(' ').next().unwrap_or_default();
            // The filled line must come close to the column; a list of like-long items does not.
            width(&pair[0]) + 1 + first_word.chars().count() > column
                && !first_word.is_empty()
                && first_word.chars().any(char::is_alphanumeric)
        })
        && lines.iter().any(|line| continues(text, line))
}

/// Whether a line goes on in the middle of a sentence: it begins with a lower-case letter.
fn continues(text: &Lines, line: &Line) -> bool {
    text.get(line).chars().next().is_some_and(char::is_lowercase)
}

/// Makes one line of `start..end`; the bytes between them are newlines.
fn join(text: &mut Lines, start: usize, end: usize) {
    for index in start + 1..end {
        let (from, to) = (text.lines[index - 1].end, text.lines[index].start);
        text.text.replace_range(from..to, &" ".repeat(to - from).as_str()[..to - from]);
        let Line { linked, marked, .. } = text.lines[index];
        text.lines[start].linked += linked;
        text.lines[start].marked += marked;
    }
    text.lines[start].end = text.lines[end - 1].end;
    for line in &mut text.lines[start + 1..end] {
        line.end = line.start;
    }
}

/// Takes off indentation: the one that all lines but the first share, and that of prose.
pub(super) fn dedent(text: &mut Lines) {
    let indent = |line: &Line| text.get(line).bytes().take_while(|b| *b == b' ').count();
    if text.lines.iter().skip(1).all(|line| indent(line) == 0) {
        return;
    }
    let shared = text.lines.iter().skip(1).map(indent).min().unwrap_or_default();
    let shared = if shared >= 4 { shared } else { 0 };
    let offsets: Vec<usize> = text
        .lines
        .iter()
        .enumerate()
        .map(|(index, line)| match indent(line) {
            own if index == 0 || is_prose(text.get(line)) => own,
            own => own.min(shared),
        })
        .collect();
    for (line, offset) in text.lines.iter_mut().zip(offsets) {
        line.start += offset;
        line.marked_until = line.marked_until.max(line.start);
    }
}

/// Five words or more and nothing of a programming language.
fn is_prose(line: &str) -> bool {
    line.split_ascii_whitespace().nth(4).is_some()
        && !line.contains(['{', '}', '[', ']', '=', '<', '>', '_', '|', ';', '\\', '#'])
}
