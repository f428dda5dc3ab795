//! Any text through `normalize`, as an entry's content and as a web page: no panic, clean text, twice is once.

#![no_main]

use std::collections::HashSet;

use libfuzzer_sys::fuzz_target;
use newsfold::{
    model::{Article, Entry, Markup, RawText, Timestamp},
    normalize::{FeedContext, Options, normalize, normalize_page},
};

fn article(title: &str, content: &str) -> Article {
    let furniture = HashSet::new();
    let feed = FeedContext { title: None, site_url: None, language: None, furniture: &furniture };
    let raw = |value: &str| Some(RawText { value: value.to_owned(), markup: Markup::Html });
    let entry = Entry { title: raw(title), content: raw(content), ..Entry::default() };
    normalize(&entry, &feed, &Options::default(), Timestamp::MIN)
}

fn assert_clean(text: &str) {
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
    assert_eq!(text.trim(), text);
}

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let (title, content) = text.split_once('\n').unwrap_or(("", &text));
    let once = article(title, content);
    assert_clean(&once.body);
    assert_clean(&once.title);
    let again = article(&once.title, &once.body);
    assert_eq!(again.body, once.body);
    let furniture = HashSet::new();
    let feed = FeedContext { title: None, site_url: None, language: None, furniture: &furniture };
    if let Ok(page) =
        normalize_page(content, "https://example.com/a/b", None, &feed, &Options::default())
    {
        assert_clean(&page.body);
        assert!(!page.body.is_empty());
    }
});
