//! Links as they are stored: absolute http(s), out of redirectors, without what only counts readers.
//!
//! In: the links of an entry or page. Out: the one to keep. A redirector is seen through only where its target stands
//! in the link itself; nothing is asked. Parameters go by a maintained list (data/parameters.txt); every other one
//! may name the page, and stays.

use std::{collections::HashSet, sync::LazyLock};

use url::Url;

use crate::model::Entry;

/// Bytes of a link; a longer one is no address of an article.
const MAX_URL: usize = 4_096;
/// Redirectors that may stand in each other.
const MAX_HOPS: usize = 4;

/// The link of an entry: the one before a redirector took its place, else the published one.
pub(super) fn of_entry(entry: &Entry) -> Option<String> {
    [&entry.original_url, &entry.url].into_iter().flatten().find_map(|link| clean(link))
}

/// Cleans one link; `None` where it is not http(s).
pub(super) fn clean(link: &str) -> Option<String> {
    if link.len() > MAX_URL {
        return None;
    }
    // Most links need nothing: they are kept as they were published.
    let mut url = parse(link)?;
    let mut is_changed = !link.is_ascii() || link.trim().len() != link.len();
    for _ in 0..MAX_HOPS {
        let Some(target) = target(&url) else { break };
        url = target;
        is_changed = true;
    }
    is_changed |= strip(&mut url);
    Some(if is_changed { url.into() } else { link.to_owned() })
}

/// An absolute http(s) address with a host and without a password.
fn parse(link: &str) -> Option<Url> {
    let url = Url::parse(link.trim()).ok()?;
    let is_web = matches!(url.scheme(), "http" | "https") && url.host_str().is_some();
    (is_web && url.password().is_none()).then_some(url)
}

/// Hosts that redirect, and the parameter that holds the target; a leading dot means any host below.
const REDIRECTORS: [(&str, &str, &[&str]); 19] = [
    (".google.*", "/url", &["url", "q"]),
    (".bing.com", "/news/apiclick.aspx", &["url"]),
    (".bing.com", "/ck/a", &["u"]),
    ("l.facebook.com", "/l.php", &["u"]),
    ("lm.facebook.com", "/l.php", &["u"]),
    ("l.instagram.com", "/", &["u"]),
    (".youtube.com", "/redirect", &["q"]),
    (".reddit.com", "/", &["url"]),
    ("t.umblr.com", "/redirect", &["z"]),
    ("slack-redir.net", "/link", &["url"]),
    (".linkedin.com", "/redir/redirect", &["url"]),
    (".linkedin.com", "/safety/go", &["url"]),
    ("vk.com", "/away.php", &["to"]),
    ("duckduckgo.com", "/l/", &["uddg"]),
    ("feedproxy.google.com", "/", &["url"]),
    ("news.url.google.com", "/", &["url"]),
    ("go.redirectingat.com", "/", &["url"]),
    ("exit.sc", "/", &["url"]),
    ("anonym.to", "/", &["url"]),
];

/// The address that a redirector, a cache or a reader service leads to.
fn target(url: &Url) -> Option<Url> {
    let host = url.host_str()?;
    if let Some(target) = of_cache(url, host) {
        return Some(target);
    }
    let redirects = |(pattern, path, _): &&(&str, &str, &[&str])| {
        matches_host(pattern, host)
            && if *path == "/" { pattern.len() > 3 } else { url.path().eq_ignore_ascii_case(path) }
    };
    REDIRECTORS.iter().filter(redirects).find_map(|(_, _, names)| {
        let value = url.query_pairs().find(|(name, _)| names.contains(&name.as_ref()))?.1;
        parse(&value).or_else(|| parse(&bing_target(&value)?))
    })
}

fn matches_host(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix('.') {
        // google.com, www.google.co.uk: the name, then one or two short labels.
        Some(name) if name.ends_with(".*") => {
            let name = name.trim_end_matches(".*");
            let host = host.strip_prefix("www.").or(host.strip_prefix("news.")).unwrap_or(host);
            host.strip_prefix(name).is_some_and(|rest| {
                rest.starts_with('.') && rest[1..].split('.').all(|label| label.len() <= 3)
            })
        }
        Some(name) => host == name || host.strip_suffix(name).is_some_and(|rest| rest.ends_with('.')),
        None => host == pattern,
    }
}

/// Bing writes its target as `a1` and URL-safe base64.
fn bing_target(value: &str) -> Option<String> {
    let encoded = value.strip_prefix("a1")?;
    let mut bytes = Vec::with_capacity(encoded.len());
    let (mut buffer, mut bits) = (0_u32, 0);
    for byte in encoded.bytes().filter(|byte| *byte != b'=') {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'-' | b'+' => 62,
            b'_' | b'/' => 63,
            _ => return None,
        };
        buffer = (buffer << 6 | u32::from(digit)) & 0xff_ffff;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((buffer >> bits) as u8);
        }
    }
    String::from_utf8(bytes).ok()
}

/// AMP viewers and caches: `www.google.com/amp/s/HOST/PATH`, `HOST-dashed.cdn.ampproject.org/c/s/HOST/PATH`; the archive's
/// copies.
fn of_cache(url: &Url, host: &str) -> Option<Url> {
    let path = url.path();
    let rest = if host == "cdn.ampproject.org" || host.ends_with(".cdn.ampproject.org") {
        ["/c/", "/v/", "/i/", "/wp/", "/a/"].iter().find_map(|start| path.strip_prefix(start))?
    } else if matches_host(".google.*", host) {
        path.strip_prefix("/amp/")?
    } else {
        return None;
    };
    let (scheme, rest) = match rest.strip_prefix("s/") {
        Some(rest) => ("https", rest),
        None => ("http", rest),
    };
    let query = url.query().filter(|query| !query.starts_with("amp_")).map(|q| format!("?{q}"));
    let is_host = rest.split('/').next().is_some_and(|host| host.contains('.'));
    is_host.then(|| parse(&format!("{scheme}://{rest}{}", query.unwrap_or_default()))).flatten()
}

/// What a parameter list says of one name.
#[derive(Default)]
struct Parameters {
    exact: HashSet<&'static str>,
    beginnings: Vec<&'static str>,
    of_host: Vec<(&'static str, &'static str)>,
}

static PARAMETERS: LazyLock<Parameters> = LazyLock::new(|| {
    let mut parameters = Parameters::default();
    let lines = include_str!("data/parameters.txt").lines();
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match (line.split_once(' '), line.strip_suffix('*')) {
            (Some(pair), _) => parameters.of_host.push(pair),
            (None, Some(beginning)) => parameters.beginnings.push(beginning),
            (None, None) => drop(parameters.exact.insert(line)),
        }
    }
    parameters
});

fn is_tracking(name: &str, host: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let parameters = &*PARAMETERS;
    parameters.exact.contains(lower.as_str())
        || parameters.beginnings.iter().any(|beginning| lower.starts_with(beginning))
        || parameters.of_host.iter().any(|(site, listed)| {
            lower.eq_ignore_ascii_case(listed)
                && (host == *site || host.strip_suffix(site).is_some_and(|rest| rest.ends_with('.')))
        })
}

/// Takes tracking parameters and fragments that track off; the others stay as written. Whether there were any.
fn strip(url: &mut Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let name_of = |pair: &str| pair.split('=').next().unwrap_or_default().to_owned();
    let fragment_tracks = url
        .fragment()
        .is_some_and(|f| f.contains('=') && f.split('&').all(|pair| is_tracking(&name_of(pair), host)));
    let query = url.query().map(|query| {
        let kept: Vec<&str> = query.split('&').filter(|pair| !is_tracking(&name_of(pair), host)).collect();
        (kept.len() < query.split('&').count(), kept.join("&"))
    });
    if fragment_tracks {
        url.set_fragment(None);
    }
    match query {
        Some((true, kept)) => {
            url.set_query((!kept.is_empty()).then_some(kept.as_str()));
            true
        }
        _ => fragment_tracks,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_come_out_clean() {
        for (link, cleaned) in [
            ("https://gazette.example/a?id=4", Some("https://gazette.example/a?id=4")),
            ("https://gazette.example/a?utm_source=rss&id=4&fbclid=x", Some("https://gazette.example/a?id=4")),
            ("https://gazette.example/a?utm_source=rss#top", Some("https://gazette.example/a#top")),
            ("https://gazette.example/a#xtor=RSS-1", Some("https://gazette.example/a")),
            (
                "https://www.google.com/url?rct=j&url=https://gazette.example/a%3Fid%3D4&ct=ga",
                Some("https://gazette.example/a?id=4"),
            ),
            (
                "http://www.bing.com/news/apiclick.aspx?ref=FexRss&url=https%3a%2f%2fgazette.example%2fa&c=1",
                Some("https://gazette.example/a"),
            ),
            (
                "https://www.bing.com/ck/a?!&&u=a1aHR0cHM6Ly9nYXpldHRlLmV4YW1wbGUvYQ",
                Some("https://gazette.example/a"),
            ),
            ("https://www.google.co.uk/amp/s/gazette.example/a.amp", Some("https://gazette.example/a.amp")),
            (
                "https://gazette-example.cdn.ampproject.org/c/s/gazette.example/a?amp_js_v=0.1",
                Some("https://gazette.example/a"),
            ),
            ("https://l.facebook.com/l.php?u=https%3A%2F%2Fgazette.example%2Fa%3Ffbclid%3D1", Some("https://gazette.example/a")),
            ("http://feedproxy.google.com/~r/Gazette/~3/abc/", Some("http://feedproxy.google.com/~r/Gazette/~3/abc/")),
            ("https://www.nytimes.com/a.html?partner=rss&emc=rss", Some("https://www.nytimes.com/a.html")),
            ("https://shop.example/a?partner=4", Some("https://shop.example/a?partner=4")),
            ("javascript:alert(1)", None),
            ("ftp://gazette.example/a", None),
            ("/a", None),
        ] {
            assert_eq!(clean(link).as_deref(), cleaned, "{link}");
        }
    }

    #[test]
    fn a_clean_link_stays() {
        for link in ["https://a.example/?q=1&q=2", "https://a.example/%C3%A9?x=%20", "https://www.google.com/url?q=x"] {
            assert_eq!(clean(link).as_deref(), Some(link));
        }
    }
}
