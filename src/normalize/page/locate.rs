//! An article found by an extractor, read again from the page itself.
//!
//! An extractor says which text is the article. What it returns is less than the page: it loses line breaks, glues
//! words together, drops what stands behind an element that it does not know. So its text only says where to look.
//!
//! In: all lines of the page, the extractor's text. Out: those lines of the page that the text holds, in its order.
//! Texts are compared by their letters and digits alone. Long lines are found by runs of bytes and put in order; short
//! ones, which may stand anywhere on a page, are looked for only between the long ones. Linear in page and text.

use std::{collections::HashMap, ops::Range};

use memchr::memmem;

use super::super::lines::Lines;

/// Bytes of letters in a run that two texts are compared by; every so many bytes of the text, one is known.
const RUN: usize = 16;
const STEP: usize = 8;
/// Bytes of letters from which on a line is found by its runs.
const MIN_LONG: usize = 48;
/// How far from the line before a short line is looked for: so many times its own length, and no further than this.
const REACH: usize = 16;
const MAX_REACH: usize = 2_000;

/// Says of each line whether it stands in `extracted`; `None` where less than half of that is found again.
pub(super) fn locate(page: &Lines, extracted: &str) -> Option<Vec<bool>> {
    let extracted = letters(extracted);
    let lines: Vec<String> = page.lines.iter().map(|line| letters(page.get(line))).collect();
    let places = places(&lines, &extracted);
    let found: usize = places.iter().flatten().map(Range::len).sum();
    (found > 0 && found * 2 >= extracted.len())
        .then(|| places.iter().map(Option::is_some).collect())
}

/// The letters and digits of a text, as bytes.
fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).collect()
}

/// Where each line stands in the text: in order, without overlaps.
fn places(lines: &[String], text: &str) -> Vec<Option<Range<usize>>> {
    let text = text.as_bytes();
    let mut places = vec![None; lines.len()];
    for (at, start) in in_order(long_lines(lines, text)) {
        places[at] = Some(start..(start + lines[at].len()).min(text.len()));
    }
    let fixed: Vec<usize> = (0..lines.len()).filter(|at| places[*at].is_some()).collect();
    // Above the first long line, from it upwards; below each, from it downwards.
    let mut end = fixed.first().and_then(|at| places[*at].clone()).map_or(0, |place| place.start);
    for at in (0..fixed.first().copied().unwrap_or(0)).rev() {
        let Some(reach) = reach(&lines[at]) else { continue };
        let start = end.saturating_sub(reach);
        if let Some(found) = memmem::rfind(&text[start..end], lines[at].as_bytes()) {
            end = start + found;
            places[at] = Some(end..end + lines[at].len());
        }
    }
    let mut start = 0;
    let mut next = fixed.iter();
    for at in fixed.first().copied().unwrap_or(0)..lines.len() {
        if let Some(place) = &places[at] {
            start = place.end;
            next.next();
            continue;
        }
        let Some(reach) = reach(&lines[at]) else { continue };
        let limit = next.clone().next().and_then(|at| places[*at].as_ref());
        let end = (start + reach).min(limit.map_or(text.len(), |place| place.start)).max(start);
        if let Some(found) = memmem::find(&text[start..end], lines[at].as_bytes()) {
            let found = start + found;
            start = found + lines[at].len();
            places[at] = Some(found..start);
        }
    }
    places
}

/// How many bytes a line is looked for in; `None` for one without letters.
fn reach(line: &str) -> Option<usize> {
    (!line.is_empty()).then(|| (line.len() * REACH).min(MAX_REACH.max(2 * line.len())))
}

/// Long lines of which at least half stands in the text: index and where. Told by runs that stand there only once:
/// the lines of a list of warnings or results share most of theirs, and each must be found where it is.
fn long_lines(lines: &[String], text: &[u8]) -> Vec<(usize, usize)> {
    let mut runs: HashMap<&[u8], Option<usize>> = HashMap::with_capacity(text.len() / STEP + 1);
    for (at, run) in text.windows(RUN).enumerate().step_by(STEP) {
        runs.entry(run).and_modify(|place| *place = None).or_insert(Some(at));
    }
    for (at, run) in text.windows(RUN).enumerate() {
        if let Some(place) = runs.get_mut(run).filter(|place| place.is_some_and(|it| it != at)) {
            *place = None;
        }
    }
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate().filter(|(_, line)| line.len() >= MIN_LONG) {
        let (mut known, mut starts) = (0, Vec::new());
        for (offset, run) in line.as_bytes().windows(RUN).enumerate() {
            if let Some(place) = runs.get(run) {
                known += 1;
                starts.extend(place.map(|place| place.saturating_sub(offset)));
            }
        }
        // One run in STEP is known.
        if !starts.is_empty() && known * STEP * 2 >= line.len() - RUN {
            let middle = starts.len() / 2;
            found.push((at, *starts.select_nth_unstable(middle).1));
        }
    }
    found
}

/// The longest series of lines whose places rise: patience sorting, the later of two lines at one place.
fn in_order(found: Vec<(usize, usize)>) -> Vec<(usize, usize)> {
    // The last line of the best series of each length, and of each line the one before it.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(found.len());
    for (at, (_, place)) in found.iter().enumerate() {
        let length = ends.partition_point(|end| found[*end].1 < *place);
        before.push(length.checked_sub(1).map(|length| ends[length]));
        if length == ends.len() {
            ends.push(at);
        } else {
            ends[length] = at;
        }
    }
    let mut series = Vec::with_capacity(ends.len());
    let mut at = ends.last().copied();
    while let Some(last) = at {
        series.push(found[last]);
        at = before[last];
    }
    series.reverse();
    series
}
