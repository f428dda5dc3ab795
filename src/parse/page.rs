//! A web page given instead of a feed: the feeds it names.
//!
//! In: the page's text and its address. Out: absolute URLs of `<link rel="alternate">` with a feed's type,
//! in document order, without repeats.

use url::Url;

use super::{
    links::absolute,
    scan::{Mark, Scanner},
    text::{Entities, attribute},
};

/// How many are listed, and how many marks are looked at for them.
const MAX_FEEDS: usize = 20;
const MAX_MARKS: usize = 50_000;

/// The feeds that the page `html` names.
pub(super) fn feeds(html: &str, base: Option<&Url>) -> Vec<String> {
    let none = Entities::default();
    let mut base = base.cloned();
    let mut feeds = Vec::new();
    let mut scanner = Scanner::new(html, 0, html.len());
    for _ in 0..MAX_MARKS {
        let Some((mark, _, _)) = scanner.next_mark() else { break };
        let Mark::Open { name, attributes, .. } = mark else { continue };
        let (name, attributes) = (name.of(html), attributes.of(html));
        if name.eq_ignore_ascii_case("base") {
            let href = attribute(attributes, "href", &none);
            base = super::links::rebased(base.as_ref(), href.as_deref());
        }
        if !name.eq_ignore_ascii_case("link") || !is_feed_link(attributes, &none) {
            continue;
        }
        let href = attribute(attributes, "href", &none);
        let Some(url) = href.and_then(|href| absolute(&href, base.as_ref())) else { continue };
        if !feeds.contains(&url) {
            feeds.push(url);
        }
        if feeds.len() == MAX_FEEDS {
            break;
        }
    }
    feeds
}

fn is_feed_link(attributes: &str, none: &Entities) -> bool {
    let rel = attribute(attributes, "rel", none).unwrap_or_default().to_ascii_lowercase();
    let kind = attribute(attributes, "type", none).unwrap_or_default().to_ascii_lowercase();
    let essence = kind.split(';').next().unwrap_or("").trim();
    let is_feed_type = matches!(
        essence,
        "application/rss+xml"
            | "application/atom+xml"
            | "application/feed+json"
            | "application/rdf+xml"
    );
    rel.split_whitespace().any(|rel| rel == "alternate") && is_feed_type
        || rel.split_whitespace().any(|rel| rel == "feed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_names_its_feeds() {
        let base = Url::parse("https://example.com/news/").ok();
        let html = r#"<html><head><link rel=alternate type="application/rss+xml" href=rss.xml>
            <link rel="alternate" type="application/atom+xml" href="/atom.xml">
            <link rel="alternate" type="application/rss+xml" href="rss.xml">
            <link rel="alternate" hreflang="de" href="/de/"><link rel="stylesheet" href="x.css">"#;
        let expected = ["https://example.com/news/rss.xml", "https://example.com/atom.xml"];
        assert_eq!(feeds(html, base.as_ref()), expected);
    }
}
