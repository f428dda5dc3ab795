//! A web page: its text whatever the charset, and, where it was given instead of a feed, the feeds it names.
//!
//! In: a page and its address. Out: its text; absolute URLs of `<link rel="alternate">` with a feed's type, in
//! document order, without repeats.

use std::borrow::Cow;

use url::Url;

use super::{
    charset,
    links::absolute,
    scan::{Mark, Scanner},
    text::{Entities, attribute},
};

/// How many are listed, and how many marks are looked at for them.
const MAX_FEEDS: usize = 20;
const MAX_MARKS: usize = 50_000;

/// In so many first bytes a page says its charset: browsers look at 1,024, publishers put scripts before it.
const MAX_HEAD_BYTES: usize = 4_096;

/// The text of a web page, in the charset that its header or its `<meta>` names if the bytes bear that out.
pub fn page_text<'a>(bytes: &'a [u8], content_type: Option<&str>) -> Cow<'a, str> {
    let says_charset = content_type.is_some_and(|it| it.to_ascii_lowercase().contains("charset"));
    match declared_charset(bytes).filter(|_| !says_charset) {
        Some(name) => charset::decode(bytes, Some(&format!("text/html; charset={name}"))).text,
        None => charset::decode(bytes, content_type).text,
    }
}

/// The name in `<meta charset=...>` or in the content of `<meta http-equiv=content-type>`.
fn declared_charset(bytes: &[u8]) -> Option<String> {
    let head = bytes[..bytes.len().min(MAX_HEAD_BYTES)].to_ascii_lowercase();
    let at = memchr::memmem::find(&head, b"charset=")? + "charset=".len();
    let name = head[at..].iter().skip_while(|byte| matches!(byte, b'"' | b'\'' | b' '));
    let is_name =
        |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
    Some(name.take_while(is_name).map(|byte| char::from(*byte)).collect())
}

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

    #[test]
    fn a_page_is_read_in_the_charset_it_names() {
        let page = |head: &str, body: &[u8]| [head.as_bytes(), body].concat();
        let koi8 = page("<html><meta charset='koi8-r'><p>", b"\xf0\xd2\xc9\xd7\xc5\xd4");
        assert!(page_text(&koi8, Some("text/html")).ends_with("Привет"));
        let equiv = "<meta http-equiv=Content-Type content=\"text/html; charset=windows-1250\"><p>";
        assert!(page_text(&page(equiv, b"\xb9\x9e"), None).ends_with("ąž"));
        assert!(page_text(&koi8, Some("text/html; charset=windows-1251")).ends_with("рТЙЧЕФ"));
        assert!(page_text("<meta charset=koi8-r>Grüße".as_bytes(), None).ends_with("Grüße"));
    }
}
