//! Links as they are stored: http(s) only, the target where a redirector names it, no parameters that only track.
//!
//! The rest of a link stays byte for byte: servers may tell `%7E` from `~` and `?a&b` from `?b&a`.

use std::{collections::HashSet, sync::LazyLock};

use url::Url;

use crate::model::Entry;

/// Redirectors behind redirectors are followed so far.
const MAX_REDIRECTORS: usize = 4;

/// The article's page: the publisher's own link where a redirector has taken its place.
pub(super) fn of_entry(entry: &Entry) -> Option<String> {
    let clean = |url: &Option<String>| url.as_deref().and_then(clean);
    clean(&entry.original_url).or_else(|| clean(&entry.url))
}

/// A link without what only tracks; `None` if it is not http(s).
pub(super) fn clean(url: &str) -> Option<String> {
    let mut url = url.trim().to_owned();
    for _ in 0..MAX_REDIRECTORS {
        match target(&url) {
            Some(target) => url = target,
            None => break,
        }
    }
    is_web(&url).then(|| without_tracking(&url))
}

fn is_web(url: &str) -> bool {
    let has_scheme = |scheme: &str| {
        url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    (has_scheme("http://") || has_scheme("https://")) && Url::parse(url).is_ok()
}

/// Where a redirector leads, if the link says so.
fn target(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    let host = url.host_str()?;
    let (host, path) = (host.strip_prefix("www.").unwrap_or(host), url.path());
    let parameter = match (host, path) {
        (_, "/url") if is_google(host) => &["url", "q"][..],
        (_, _) if is_google(host) => return amp(path.strip_prefix("/amp/")?, &url),
        ("bing.com", "/news/apiclick.aspx") => &["url"],
        ("bing.com", "/ck/a") => &["u"],
        ("l.facebook.com" | "lm.facebook.com" | "facebook.com", "/l.php") => &["u"],
        ("t.umblr.com", "/redirect") => &["z"],
        ("l.instagram.com", _) => &["u"],
        ("out.reddit.com", _) => &["url"],
        ("youtube.com", "/redirect") => &["q"],
        ("linkedin.com", "/redir/redirect" | "/safety/go") => &["url"],
        ("vk.com", "/away.php") => &["to"],
        ("duckduckgo.com", "/l/") => &["uddg"],
        ("slack-redir.net", "/link") => &["url"],
        ("go.redirectingat.com", _) => &["url"],
        _ if host == "cdn.ampproject.org" || host.ends_with(".cdn.ampproject.org") => {
            return amp(["/c/", "/v/"].iter().find_map(|start| path.strip_prefix(start))?, &url);
        }
        _ => return None,
    };
    let named = |name: &&str| {
        let (_, value) = url.query_pairs().find(|(key, _)| key == *name)?;
        if is_web(&value) { Some(value.into_owned()) } else { bing_target(&value) }
    };
    parameter.iter().find_map(named)
}

/// `google.com`, `google.co.uk`, `news.google.com`: the name, then one or two short labels.
fn is_google(host: &str) -> bool {
    let host = host.strip_prefix("news.").unwrap_or(host);
    host.strip_prefix("google.").is_some_and(|rest| rest.split('.').all(|label| label.len() <= 3))
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
    String::from_utf8(bytes).ok().filter(|target| is_web(target))
}

/// `s/news.example/one`: a page in an AMP cache. The page itself may be an AMP page: that is for its publisher to say.
fn amp(rest: &str, url: &Url) -> Option<String> {
    let (scheme, page) = match rest.strip_prefix("s/") {
        Some(page) => ("https", page),
        None => ("http", rest),
    };
    let (host, _) = page.split_once('/').unwrap_or((page, ""));
    if !host.contains('.') {
        return None;
    }
    // The viewer's own parameters.
    let query = url
        .query()
        .filter(|query| !query.starts_with("amp_"))
        .map_or_else(String::new, |query| format!("?{query}"));
    Some(format!("{scheme}://{page}{query}"))
}

fn without_tracking(url: &str) -> String {
    let (page, fragment) = match url.split_once('#') {
        Some((page, fragment)) => (page, Some(fragment)),
        None => (url, None),
    };
    let mut clean = match page.split_once('?') {
        None => page.to_owned(),
        Some((path, query)) => {
            let kept: Vec<&str> =
                query.split('&').filter(|part| !part.is_empty() && !is_tracking(part)).collect();
            if kept.is_empty() { path.to_owned() } else { format!("{path}?{}", kept.join("&")) }
        }
    };
    // Campaigns stand behind the `#` as well (`#xtor=RSS-1`), and so do browsers' text highlights.
    if let Some(fragment) = fragment
        && !fragment.is_empty()
        && !fragment.starts_with(":~:")
        && !fragment.trim_start_matches('?').split('&').all(is_tracking)
    {
        clean.push('#');
        clean.push_str(fragment);
    }
    clean
}

/// Whether `name=value` only tracks.
fn is_tracking(parameter: &str) -> bool {
    static NAMES: LazyLock<(HashSet<&str>, Vec<&str>)> = LazyLock::new(|| {
        let lines = include_str!("data/tracking.txt").lines().map(str::trim);
        let names = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        let (starts, whole): (Vec<&str>, Vec<&str>) = names.partition(|name| name.ends_with('*'));
        let starts = starts.into_iter().map(|name| name.trim_end_matches('*')).collect();
        (whole.into_iter().collect(), starts)
    });
    // A feed that escaped its ampersands twice has `amp;utm_source`.
    let parameter = parameter.to_ascii_lowercase();
    let parameter = parameter.trim_start_matches("amp;");
    let name = parameter.split('=').next().unwrap_or_default();
    NAMES.0.contains(name)
        || NAMES.0.contains(parameter)
        || NAMES.1.iter().any(|start| name.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tracks_goes_and_what_picks_the_page_stays() {
        for (url, expected) in [
            ("https://a.example/one?utm_source=rss&utm_medium=feed", "https://a.example/one"),
            ("https://a.example/one?utm_source=rss&id=7", "https://a.example/one?id=7"),
            ("https://a.example/?p=12&UTM_Campaign=x&page=2", "https://a.example/?p=12&page=2"),
            ("https://a.example/one?a=1&amp;utm_source=rss", "https://a.example/one?a=1"),
            ("https://a.example/one?CMP=share_btn_tw&id=7", "https://a.example/one?id=7"),
            (
                "https://a.example/one?ito=1490&sref=rss&srnd=x&itid=lk_1&intcmp=y",
                "https://a.example/one",
            ),
            ("https://a.example/one?partner=rss&emc=rss&p=2", "https://a.example/one?p=2"),
            ("https://a.example/watch?v=a&feature=rss", "https://a.example/watch?v=a"),
            ("https://a.example/watch?feature=films", "https://a.example/watch?feature=films"),
            ("https://a.example/one#xtor=RSS-1", "https://a.example/one"),
            ("https://a.example/one#utm_source=rss&utm_medium=x", "https://a.example/one"),
            ("https://a.example/one#:~:text=word", "https://a.example/one"),
            ("https://a.example/one#part", "https://a.example/one#part"),
            ("https://a.example/one#!/two", "https://a.example/one#!/two"),
            ("https://a.example/one#", "https://a.example/one"),
            ("https://a.example/one?", "https://a.example/one"),
            ("https://a.example/~x/%7Ey?b&a=%20", "https://a.example/~x/%7Ey?b&a=%20"),
            ("https://a.example/0,2817,1.asp?ref=rss", "https://a.example/0,2817,1.asp?ref=rss"),
        ] {
            assert_eq!(clean(url).as_deref(), Some(expected), "{url}");
            assert_eq!(clean(expected).as_deref(), Some(expected), "twice is once: {url}");
        }
    }

    #[test]
    fn a_redirector_gives_way_to_its_target() {
        for (url, expected) in [
            (
                "https://www.google.com/url?rct=j&sa=t&url=https://a.example/one%3Fid%3D1%26utm_source%3Dx&ct=ga",
                "https://a.example/one?id=1",
            ),
            (
                "http://www.bing.com/news/apiclick.aspx?ref=FexRss&aid=&url=https%3a%2f%2fa.example%2fone&c=1",
                "https://a.example/one",
            ),
            (
                "https://l.facebook.com/l.php?u=https%3A%2F%2Fa.example%2Fone&h=x",
                "https://a.example/one",
            ),
            (
                "https://www.bing.com/ck/a?!&&u=a1aHR0cHM6Ly9nYXpldHRlLmV4YW1wbGUvYQ",
                "https://gazette.example/a",
            ),
            ("https://www.google.co.uk/amp/s/a.example/one", "https://a.example/one"),
            (
                "https://a-example.cdn.ampproject.org/c/s/a.example/one?id=1",
                "https://a.example/one?id=1",
            ),
            ("https://www.google.com/amp/s/a.example/one", "https://a.example/one"),
            (
                "https://www.google.com/search?q=https://a.example/",
                "https://www.google.com/search?q=https://a.example/",
            ),
            (
                "https://www.google.com/url?url=javascript:alert(1)",
                "https://www.google.com/url?url=javascript:alert(1)",
            ),
            (
                "https://a.example/url?url=https://b.example/",
                "https://a.example/url?url=https://b.example/",
            ),
        ] {
            assert_eq!(clean(url).as_deref(), Some(expected), "{url}");
        }
    }

    #[test]
    fn nothing_but_web_pages_is_a_link() {
        for url in
            ["javascript:alert(1)", "mailto:a@a.example", "ftp://a.example/", "/one", "", "http://"]
        {
            assert_eq!(clean(url), None, "{url}");
        }
    }
}
