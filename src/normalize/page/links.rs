//! Links that stand where text should: menus, tags, related articles.
//!
//! In: the lines that an extractor took for the article. Out: the lines without those that are links and nothing else,
//! where a list of them, or their place above or below the text, shows that they lead elsewhere.

use super::super::{
    cuts::Cuts,
    furniture,
    lines::{Kind, Line, Lines},
};

/// Share of a line's bytes inside links from which on it is a link.
const MOSTLY: f64 = 0.8;
/// So many in a row are a list of links.
const MIN_LIST: usize = 3;

/// Cuts lines of links.
pub(super) fn cut(body: &mut Lines, cuts: &mut Cuts) {
    let is_link: Vec<bool> = body.lines.iter().map(|line| is_link(body, line)).collect();
    let mut kinds = vec![None; is_link.len()];
    // Were all of them links, there would be no text to tell them from.
    let Some(first) = is_link.iter().position(|is_link| !is_link) else { return };
    let last = is_link.iter().rposition(|is_link| !is_link).map_or(first, |at| at + 1);
    kinds[..first].fill(Some("links"));
    kinds[last..].fill(Some("links"));
    // Rows and items in a row.
    let mut at = first;
    while at < last {
        let length = is_link[at..last].iter().take_while(|is_link| **is_link).count();
        if length >= MIN_LIST {
            kinds[at..at + length].fill(Some("links"));
        }
        at += length.max(1);
    }
    furniture::remove_all(body, &kinds, cuts);
}

/// Whether a line is links and nothing else: a bullet or a date may stand beside them.
fn is_link(body: &Lines, line: &Line) -> bool {
    let length = body.get(line).trim_matches(is_bullet).len();
    length > 0 && line.kind != Kind::Preformatted && line.linked as f64 >= MOSTLY * length as f64
}

fn is_bullet(c: char) -> bool {
    c.is_whitespace() || matches!(c, '-' | '–' | '•' | '·' | '»' | '›' | '>' | '|' | '/')
}
