//! The headline as a reader would quote it: plain text, one line, without the name of the site.
//!
//! In: the raw title and the feed. Out: the title and what was cut from it. The site's name goes only where the
//! feed itself gives it: in its own title or its address.

use super::{FeedContext, characters::is_unspaced, cuts::Cuts, fold, html, mojibake};
use crate::model::RawText;

/// What stands between a headline and a site's name.
const SEPARATORS: [char; 16] =
    ['|', '-', '–', '—', '―', '−', ':', '•', '·', '»', '«', '/', '｜', '：', '>', '_'];

/// Bytes of a feed's title that may be the name of its site.
const MAX_SITE_NAME: usize = 300;
/// Bytes of a headline from which a name is cut: a longer one is a text.
const MAX_TITLE: usize = 2_000;

/// The names by which a site calls itself, as [`fold::key`]s.
#[derive(Debug, Default)]
pub(super) struct SiteNames {
    whole: Vec<char>,
    pieces: Vec<Vec<char>>,
}

impl SiteNames {
    pub(super) fn of(feed: &FeedContext<'_>) -> Self {
        let title = feed.title.unwrap_or_default();
        let title = &title[..title.floor_char_boundary(MAX_SITE_NAME)];
        let mut pieces: Vec<_> =
            split(title).map(fold::key).filter(|piece| is_telling(piece)).collect();
        let host = feed.site_url.and_then(host);
        if let Some(host) = host {
            pieces.push(fold::key(host));
            let label = host.strip_prefix("www.").unwrap_or(host);
            pieces.push(fold::key(label));
            let labels: Vec<_> = label.split('.').collect();
            // The name of `news.example.co.uk` is its longest label.
            pieces.extend(
                labels.iter().max_by_key(|label| label.len()).map(|label| fold::key(label)),
            );
        }
        pieces.retain(|piece| is_telling(piece));
        Self { whole: fold::key(title), pieces }
    }

    /// Whether a text is one of the names, or the feed's title with a word more (`Gazette RSS`).
    pub(super) fn contains(&self, text: &str) -> bool {
        let text = text.trim_matches(|c: char| !c.is_alphanumeric());
        let key = fold::key(text);
        if !is_telling(&key) {
            return false;
        }
        let without_article = key.strip_prefix(&['t', 'h', 'e']).unwrap_or(&key);
        let is = |name: &[char]| {
            name == key
                || (name == without_article && !name.is_empty())
                || name.strip_prefix(&['t', 'h', 'e']) == Some(&key)
        };
        is(&self.whole)
            || self.pieces.iter().any(|piece| is(piece))
            || (key.len() * 2 >= self.whole.len()
                && key.len() >= 6
                && (self.whole.starts_with(&key) || self.whole.ends_with(&key)))
    }
}

/// Long enough to be a name and not a chance.
fn is_telling(key: &[char]) -> bool {
    key.len() >= 3 || (key.len() == 2 && key.iter().all(|c| !c.is_ascii()))
}

/// The pieces of a feed's title between separators that stand alone.
fn split(title: &str) -> impl Iterator<Item = &str> {
    title
        .split(['|', '–', '—', '»', '«', '•', '·', '｜', ':', '：', '>', '/'])
        .flat_map(|piece| piece.split(" - "))
        .map(str::trim)
}

fn host(url: &str) -> Option<&str> {
    let rest = url.split_once("://")?.1;
    rest.split(['/', '?', '#', ':']).next().filter(|host| !host.is_empty())
}

/// Cleans a title; what is cut goes to `cuts`.
pub(super) fn clean(raw: Option<&RawText>, feed: &FeedContext<'_>, cuts: &mut Cuts) -> String {
    let Some(raw) = raw else { return String::new() };
    let mut title = html::lines(&raw.value, raw.markup).render_line();
    while let Some(repaired) = mojibake::repair(&title) {
        title = html::lines(&repaired, raw.markup).render_line();
    }
    if title.len() > MAX_TITLE || !title.contains(SEPARATORS) && !is_doubled(&title) {
        return title;
    }
    let names = SiteNames::of(feed);
    while let Some((kept, cut)) = without_site(&title, &names).or_else(|| without_copy(&title)) {
        let (kept, cut) = (kept.to_owned(), cut.to_owned());
        cuts.add("site_name", &cut, "title");
        title = kept;
    }
    title
}

/// Takes one name of the site off the end or the start of a title.
fn without_site<'a>(title: &'a str, names: &SiteNames) -> Option<(&'a str, &'a str)> {
    let separators = || title.char_indices().filter(|(_, c)| SEPARATORS.contains(c));
    let after = separators().rev().find_map(|(at, separator)| {
        let (kept, name) = (&title[..at], &title[at + separator.len_utf8()..]);
        (is_set_off(kept, name, separator) && names.contains(name) && fold::words(kept) >= 2)
            .then(|| (trim(kept), &title[trim(kept).len()..]))
    });
    after.or_else(|| {
        separators().find_map(|(at, separator)| {
            let (name, kept) = (&title[..at], &title[at + separator.len_utf8()..]);
            let is_name =
                is_set_off(name, kept, separator) && names.contains(name) && fold::words(kept) >= 2;
            let kept = kept.trim_start_matches(|c: char| c == ' ' || SEPARATORS.contains(&c));
            is_name.then(|| (kept, &title[..title.len() - kept.len()]))
        })
    })
}

/// Whether a separator separates: a hyphen, slash or colon inside a word does not.
fn is_set_off(before: &str, after: &str, separator: char) -> bool {
    match separator {
        ':' => after.starts_with(' ') || before.ends_with(' '),
        '_' if before.ends_with(is_unspaced) || after.starts_with(is_unspaced) => true,
        '-' | '/' | '_' | '·' | '–' | '.' => before.ends_with(' ') && after.starts_with(' '),
        _ => true,
    }
}

fn trim(kept: &str) -> &str {
    kept.trim_end_matches(|c: char| c == ' ' || SEPARATORS.contains(&c))
}

/// `Headline Headline` is one headline.
fn without_copy(title: &str) -> Option<(&str, &str)> {
    let middle = halves(title)?;
    Some((trim(&title[..middle]), &title[trim(&title[..middle]).len()..]))
}

fn is_doubled(title: &str) -> bool {
    halves(title).is_some()
}

/// Where the second half of a title begins if it repeats the first, three words or more.
fn halves(title: &str) -> Option<usize> {
    let near = title.len() / 2;
    let middle = title
        .char_indices()
        .map(|(at, _)| at)
        .find(|at| *at >= near && !title[*at..].starts_with(' '))?;
    let first_char = title.chars().next()?;
    // The halves may differ by a separator: try the few places where the first character stands again.
    let from = title.floor_char_boundary(middle.saturating_sub(8));
    title[from..]
        .char_indices()
        .take(16)
        .map(|(at, c)| (at + from, c))
        .filter(|(at, c)| *at > 0 && *c == first_char)
        .find_map(|(at, _)| {
            let (first, second) = title.split_at(at);
            let is_separate = first.ends_with(|c: char| !c.is_alphanumeric());
            (is_separate && fold::words(first) >= 3 && fold::key(first) == fold::key(second))
                .then_some(at)
        })
}
