//! The line between headline and text that says when a page was published, and by whom.
//!
//! In: the lines of an article. Out: the lines without it. Told without knowing the language: a short line at the top,
//! no sentence, that has a year and a number that may be a day.

use super::super::{
    cuts::Cuts,
    furniture,
    lines::{Kind, Lines},
};

/// Characters of such a line: two dates, two names, a source.
const MAX_LENGTH: usize = 120;
/// Lines that may be one: published, updated, author, source.
const MAX_LINES: usize = 3;

/// Cuts such lines, and says whether there were any; at least one line stays.
pub(super) fn cut(body: &mut Lines, cuts: &mut Cuts) -> bool {
    let reach = MAX_LINES.min(body.lines.len().saturating_sub(1));
    let is_stamp = |at: usize| {
        let line = &body.lines[at];
        matches!(line.kind, Kind::Text | Kind::Caption) && is_stamp(body.get(line))
    };
    let count = (0..reach).take_while(|at| is_stamp(*at)).count();
    let kinds: Vec<_> =
        (0..body.lines.len()).map(|at| (at < count).then_some("published")).collect();
    furniture::remove_all(body, &kinds, cuts);
    count > 0
}

fn is_stamp(text: &str) -> bool {
    let text = text.trim();
    if text.chars().nth(MAX_LENGTH).is_some()
        || text.ends_with(['.', '!', '?', '。', '！', '？', '।', '؟', ':', '"', '”', '»'])
    {
        return false;
    }
    let numbers: Vec<&str> =
        text.split(|c: char| !c.is_numeric()).filter(|number| !number.is_empty()).collect();
    let is_year =
        |number: &&str| number.parse().is_ok_and(|year: u32| (1990..2100).contains(&year));
    let is_day = |number: &&str| number.parse().is_ok_and(|day: u32| (1..=31).contains(&day));
    numbers.iter().any(is_year) && numbers.iter().any(is_day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_told_from_text() {
        for stamp in [
            "12 March 2026, 14:05",
            "Par Solène Quérard, le 9 mars 2026",
            "2026-03-12 08:30 来源：临江日报 记者 周砚",
            "입력 2026.03.12 18:20",
            "Updated 9:15 p.m. ET, Nov 3, 2026",
        ] {
            assert!(is_stamp(stamp), "{stamp}");
        }
        for text in [
            "Election 2026: what to know",
            "The harbour board voted on 12 March 2026 to dredge the basin.",
            "Harbour Gazette",
            "3 killed, 4 hurt",
            "Ada Renshaw, painter, 1932–2026",
            "Ellery beat Millgate 3-1 (half-time 1-0), kick-off 15:30",
        ] {
            assert!(!is_stamp(text), "{text}");
        }
    }
}
