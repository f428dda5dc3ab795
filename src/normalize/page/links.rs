//! Links that stand where text should: menus, tags, related articles.
//!
//! In: the lines that an extractor took for the article. Out: the lines without those that are links and nothing else,
//! where a list of them, or their place above or below the text, shows that they lead elsewhere.

use std::collections::HashSet;

use super::super::{
    cuts::Cuts,
    lines::{Kind, Line, Lines},
};

/// So many in a row are a list of links.
const MIN_LIST: usize = 3;

/// Cuts lines of links; `links` are the texts of the page's links.
pub(super) fn cut(body: &mut Lines, links: &HashSet<String>, cuts: &mut Cuts) {
    let is_link: Vec<bool> = body.lines.iter().map(|line| is_link(body, line, links)).collect();
    let mut goes = vec![false; is_link.len()];
    let first = is_link.iter().position(|is_link| !is_link).unwrap_or(is_link.len());
    let last = is_link.iter().rposition(|is_link| !is_link).map_or(first, |at| at + 1);
    goes[..first].fill(true);
    goes[last..].fill(true);
    // Rows and items in a row.
    let mut at = first;
    while at < last {
        let length = is_link[at..last].iter().take_while(|is_link| **is_link).count();
        if length >= MIN_LIST {
            goes[at..at + length].fill(true);
        }
        at += length.max(1);
    }
    if goes.iter().all(|goes| *goes) {
        return;
    }
    let lines = std::mem::take(&mut body.lines);
    let mut gap = false;
    for (at, mut line) in lines.into_iter().enumerate() {
        if goes[at] {
            let place = if at < first { "top" } else if at >= last { "end" } else { "body" };
            cuts.add("links", body.get(&line), place);
            gap |= line.gap;
        } else {
            line.gap |= gap;
            gap = false;
            body.lines.push(line);
        }
    }
}

/// Whether a line is a link, or several with signs between them.
fn is_link(body: &Lines, line: &Line, links: &HashSet<String>) -> bool {
    let text = body.get(line).trim_matches(is_bullet);
    let is_one = |text: &str| links.contains(text.trim_matches(is_bullet));
    line.kind != Kind::Preformatted
        && !text.is_empty()
        && (is_one(text) || text.split(['|', ',', '/', '·', '•', ';']).all(is_one))
}

fn is_bullet(c: char) -> bool {
    c.is_whitespace() || matches!(c, '-' | '–' | '•' | '·' | '»' | '›' | '>' | '|' | '/')
}
