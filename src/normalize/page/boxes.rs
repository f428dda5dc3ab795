//! What an element of a page is for, by its name and by what its class and id say.
//!
//! In: a tag. Out: its [`Role`]. The words stand in data/boxes.txt; systems of publishing name their boxes in English,
//! whatever language they publish in.

use std::{collections::HashMap, sync::LazyLock};

use super::super::tag::Tag;

/// Bytes of a class or id that are read.
const MAX_NAME_BYTES: usize = 1_024;

/// What an element is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Holds the article.
    Article,
    /// `<h1>`.
    Headline,
    /// `<header>`: with an `<h1>` in it, the head of the article, which has headline, standfirst, author and date.
    Head,
    /// The sentence between headline and text.
    Standfirst,
    /// Stands beside an article: a newsletter's box, related articles, a question about cookies.
    Beside,
    Link,
}

/// A word of a class or id.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Beside,
    Standfirst,
    /// Holds text, whatever else it is called.
    Holder,
    /// Says that something else stands inside: `has-sidebar`.
    With,
}

static WORDS: LazyLock<HashMap<&'static str, Word>> = LazyLock::new(|| {
    let mut words = HashMap::new();
    for line in include_str!("../data/boxes.txt").lines().filter(|line| !line.starts_with('#')) {
        let Some((kind, listed)) = line.split_once(':') else { continue };
        let kind = match kind {
            "beside" => Word::Beside,
            "standfirst" => Word::Standfirst,
            "holder" => Word::Holder,
            _ => Word::With,
        };
        words.extend(listed.split_ascii_whitespace().map(|word| (word, kind)));
    }
    words
});

/// What the element that a tag opens is for.
pub(super) fn role(tag: &Tag<'_>) -> Option<Role> {
    let is = |name: &str| tag.written.eq_ignore_ascii_case(name);
    if is("a") {
        return Some(Role::Link);
    }
    if is("h1") {
        return Some(Role::Headline);
    }
    let is_body = tag.attribute("itemprop").is_some_and(|name| name.contains("articleBody"));
    if is("article") || is("main") || is("body") || is("html") || is_body {
        return Some(Role::Article);
    }
    // A phrase inside a sentence is no box, whatever it is called; nor is a quotation.
    if !tag.name.is_block() || is("blockquote") {
        return None;
    }
    let by_name = named(tag);
    if by_name.is_none() && is("header") { Some(Role::Head) } else { by_name }
}

/// What class and id say.
fn named(tag: &Tag<'_>) -> Option<Role> {
    let mut role = None;
    let mut holds_text = false;
    for names in ["class", "id"].into_iter().filter_map(|name| tag.attribute(name)) {
        let names = &names[..names.floor_char_boundary(MAX_NAME_BYTES)];
        for name in names.split_ascii_whitespace() {
            let words = words(name);
            if words.contains(&Word::With) {
                continue;
            }
            if words.contains(&Word::Standfirst) {
                role = role.or(Some(Role::Standfirst));
            } else if words.contains(&Word::Beside) {
                role = Some(Role::Beside);
            } else {
                holds_text |= words.contains(&Word::Holder);
            }
        }
    }
    role.filter(|role| *role == Role::Standfirst || !holds_text)
}

/// The known words of a name: `m-privacyConsent__inner` has privacy, Consent and inner; of two neighbours, the word
/// that they make together is looked for as well.
fn words(name: &str) -> Vec<Word> {
    let mut found = Vec::new();
    let mut last = String::new();
    let mut word = String::new();
    let mut was_lower = false;
    for c in name.chars().chain(std::iter::once('-')) {
        let ends = !c.is_alphabetic() || (c.is_uppercase() && was_lower);
        if ends && !word.is_empty() {
            last.push_str(&word);
            found.extend(WORDS.get(word.as_str()).into_iter().chain(WORDS.get(last.as_str())));
            last = std::mem::take(&mut word);
        }
        was_lower = c.is_lowercase();
        if c.is_alphabetic() {
            word.extend(c.to_lowercase());
        }
    }
    found
}
