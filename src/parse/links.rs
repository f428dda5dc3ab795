//! Links: relative to absolute, and which of several is the article's.
//!
//! In: a link as written and the base in force. Out: an absolute http(s) URL, or nothing. A link that is
//! absolute already stays as its publisher wrote it; cleaning it is `normalize`'s.

use url::Url;

/// The absolute http(s) form of `link`.
pub(super) fn absolute(link: &str, base: Option<&Url>) -> Option<String> {
    let link = link.trim();
    if link.is_empty() {
        return None;
    }
    let link: String = if link.contains(char::is_whitespace) {
        // A link broken over lines is one link; a space inside a line belongs to it.
        link.lines().map(str::trim).collect::<String>().replace(' ', "%20")
    } else {
        link.to_owned()
    };
    if is_http(&link) {
        return Url::parse(&link).ok().map(|_| without_empty_parts(&link).to_owned());
    }
    let lower = link.get(..8).unwrap_or(&link).to_ascii_lowercase();
    if lower.starts_with("feed://") {
        return absolute(&format!("http://{}", &link[7..]), None);
    }
    if lower.starts_with("www.") {
        return absolute(&format!("http://{link}"), None);
    }
    if Url::parse(&link).is_ok() {
        return None;
    }
    let joined = base?.join(&link).ok()?;
    matches!(joined.scheme(), "http" | "https").then(|| joined.into())
}

/// A link without a fragment or query that is empty: it names the same page.
fn without_empty_parts(link: &str) -> &str {
    ['#', '?'].into_iter().fold(link, |link, mark| match link.split_once(mark) {
        Some((rest, "")) => rest,
        _ => link,
    })
}

/// Whether `link` begins like an absolute http(s) URL with a host.
pub(super) fn is_http(link: &str) -> bool {
    let has = |prefix: &str| {
        link.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    has("http://") || has("https://")
}

/// The longest base: every relative link of a document grows by it.
const MAX_BASE: usize = 2_048;

/// `base` moved by an `xml:base` attribute.
pub(super) fn rebased(base: Option<&Url>, xml_base: Option<&str>) -> Option<Url> {
    let Some(xml_base) = xml_base.filter(|moved| moved.len() <= MAX_BASE) else {
        return base.cloned();
    };
    match base {
        Some(base) => base.join(xml_base).ok().or_else(|| Some(base.clone())),
        None => Url::parse(xml_base).ok(),
    }
}

/// One link of an entry or a feed.
#[derive(Clone, Debug, Default)]
pub(super) struct Link {
    pub(super) url: String,
    /// `alternate` where nothing is said.
    pub(super) rel: String,
    pub(super) media_type: String,
    pub(super) title: Option<String>,
    pub(super) length: Option<u64>,
}

impl Link {
    /// Whether it names the page that the entry is about.
    pub(super) fn is_alternate_page(&self) -> bool {
        self.rel == "alternate" && is_page_type(&self.media_type)
    }
}

/// Whether a declared type is a web page's; nothing said counts as one.
fn is_page_type(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or("").trim();
    essence.is_empty()
        || essence.eq_ignore_ascii_case("text/html")
        || essence.eq_ignore_ascii_case("application/xhtml+xml")
}

/// Relations that mean something to us, and how many links of one are kept.
const RELATIONS: [&str; 6] = ["alternate", "enclosure", "via", "related", "replies", "hub"];
const MAX_OF_RELATION: usize = 64;

/// Adds `link` unless there are enough of its kind: a hundred files must not hide the page.
pub(super) fn keep(links: &mut Vec<Link>, link: Link) {
    let is_alike = |other: &&Link| {
        other.rel == link.rel && other.is_alternate_page() == link.is_alternate_page()
    };
    if RELATIONS.contains(&link.rel.as_str())
        && links.iter().filter(is_alike).count() < MAX_OF_RELATION
    {
        links.push(link);
    }
}

/// The last part of a relation: `http://www.iana.org/assignments/relation/self` is `self`.
pub(super) fn relation(rel: Option<String>) -> String {
    let Some(rel) = rel else { return "alternate".to_owned() };
    let rel = rel.trim().to_ascii_lowercase();
    match rel.strip_prefix("http://www.iana.org/assignments/relation/") {
        Some(registered) => registered.to_owned(),
        None => rel,
    }
}

/// The article's own page among `links`: the first alternate that is a page, else any alternate.
pub(super) fn best(links: &[Link]) -> Option<&Link> {
    let pages = links.iter().find(|link| link.is_alternate_page());
    pages.or_else(|| links.iter().find(|link| link.rel == "alternate"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_become_absolute_or_nothing() {
        let base = Url::parse("https://example.com/a/feed.xml").ok();
        for (link, expected) in [
            ("https://example.com/x?a=ü", Some("https://example.com/x?a=ü")),
            (" http://example.com/\n  x ", Some("http://example.com/x")),
            ("HTTP://example.com/x y", Some("HTTP://example.com/x%20y")),
            ("http://example.com/?#", Some("http://example.com/")),
            ("http://example.com/?a=b?", Some("http://example.com/?a=b?")),
            ("b", Some("https://example.com/a/b")),
            ("/b", Some("https://example.com/b")),
            ("//example.org/b", Some("https://example.org/b")),
            ("www.example.org/b", Some("http://www.example.org/b")),
            ("feed://example.org/b", Some("http://example.org/b")),
            ("mailto:a@example.com", None),
            ("javascript:alert(1)", None),
            ("tag:example.com,2026:1", None),
            ("http://", None),
            ("", None),
        ] {
            assert_eq!(absolute(link, base.as_ref()).as_deref(), expected, "{link}");
        }
        assert_eq!(absolute("/b", None), None);
    }
}
