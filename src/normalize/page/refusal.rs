//! Pages that hold no article: paywalls, consent walls, error pages.
//!
//! In: title and text of a page. Out: why it is refused, if it is. Conservative: only short texts are ever refused, so
//! that an article about a paywall is an article.

use std::sync::LazyLock;

use super::{super::body::word_count, Refused};

/// A text with more words is an article, whatever it says.
const MAX_WORDS: u32 = 150;
/// Of an article that is not free, so many words are a teaser.
const MAX_TEASER: u32 = 80;
/// With more words than this a text is more than a notice of one thing.
const MAX_NOTICE: u32 = 60;
/// Characters at the end of a text in which an invitation counts.
const REACH: usize = 400;

/// Phrases by kind: `error_title`, `error`, `consent`, `cookies`, `paywall`.
static PHRASES: LazyLock<Vec<(&'static str, &'static str)>> = LazyLock::new(|| {
    include_str!("../data/refusals.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(": "))
        .collect()
});

fn holds(text: &str, kind: &str) -> bool {
    PHRASES.iter().any(|(of, phrase)| *of == kind && text.contains(phrase))
}

/// Why a page is no article; `body` is its text before furniture was cut, `is_for_subscribers` what its data say.
pub(super) fn of(title: &str, body: &str, is_for_subscribers: bool) -> Option<Refused> {
    let words = word_count(body);
    if words > MAX_WORDS {
        return None;
    }
    let (title, text) = (title.to_lowercase(), body.to_lowercase());
    let end = &text[text.ceil_char_boundary(text.len().saturating_sub(REACH))..];
    // The phrase is the whole title, or a site's name stands behind a mark: "Not found guilty" is a headline.
    let is_error_title =
        PHRASES.iter().filter(|(kind, _)| *kind == "error_title").any(|(_, phrase)| {
            title
                .strip_prefix(phrase)
                .is_some_and(|rest| !rest.trim_start().starts_with(char::is_alphanumeric))
        });
    if is_error_title || (words < MAX_NOTICE && holds(&text, "error")) {
        Some(Refused::ErrorPage)
    } else if holds(&text, "consent") || (words < MAX_NOTICE && holds(&text, "cookies")) {
        Some(Refused::Consent)
    } else if holds(end, "paywall") || (is_for_subscribers && words < MAX_TEASER) {
        Some(Refused::Paywall)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_pages_say_what_they_are() {
        let cases = [
            ("404 Not Found", "The page you asked for is gone.", Some(Refused::ErrorPage)),
            ("Just a moment...", "Checking your browser.", Some(Refused::ErrorPage)),
            ("Harbour", "We use cookies. Accept all cookies to go on.", Some(Refused::Consent)),
            (
                "Harbour",
                "Nous utilisons des cookies pour mesurer l'audience.",
                Some(Refused::Consent),
            ),
            (
                "Harbour",
                "The harbour froze. Subscribe to continue reading.",
                Some(Refused::Paywall),
            ),
            ("Hafen", "Der Hafen friert. Jetzt weiterlesen mit Plus-Abo.", Some(Refused::Paywall)),
            ("Harbour", "The harbour froze for the first time in 40 years.", None),
            ("404 people found alive", "They were not found at sea.", None),
            ("Not found guilty", "The jury took an hour.", None),
            ("Not Found | Harbour", "Go to the front page.", Some(Refused::ErrorPage)),
        ];
        for (title, body, expected) in cases {
            assert_eq!(of(title, body, false), expected, "{title}: {body}");
        }
    }

    #[test]
    fn a_long_text_is_an_article_whatever_it_says() {
        let body = "Readers must subscribe to continue reading, says the court. ".repeat(40);
        assert_eq!(of("404 Not Found", &body, true), None);
    }
}
