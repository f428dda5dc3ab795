//! robots.txt (RFC 9309): may an article's page be asked for?
//!
//! Asked once a day and host, before the first page of that host, never for feeds: a feed is published to be polled.
//! [`Rules`] is the pure half; [`super::Fetcher::may_fetch_page`] asks, remembers and answers.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use url::Url;

use super::{Error, FetchOptions, Fetcher, Purpose, Request, Shared, origin, redirects};
use crate::model::Timestamp;

/// The name by which a robots.txt addresses us.
const PRODUCT: &str = "newsfold";

/// RFC 9309 (2.5): at least 500 kibibytes are to be read; what follows is ignored.
const MAX_BYTES: usize = 500 * 1024;

/// RFC 9309 (2.4): not to be used for longer.
const KEPT_SECONDS: i64 = 86_400;

/// An unreachable robots.txt is asked for again after this long.
const RETRY_SECONDS: i64 = 3_600;

/// Rules beyond these are ignored: they come from strangers.
const MAX_RULES: usize = 2_000;

/// So many hosts are remembered before the expired ones are forgotten.
const FORGET_ABOVE: usize = 4_096;

/// What a robots.txt says to us.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    lines: Vec<Line>,
    disallow_all: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    allow: bool,
    pattern: String,
}

impl Rules {
    /// Nothing is forbidden: there is no robots.txt.
    pub fn allow_all() -> Self {
        Self::default()
    }

    /// Everything is forbidden: robots.txt exists and could not be had.
    pub fn disallow_all() -> Self {
        Self { disallow_all: true, ..Self::default() }
    }

    /// Reads the groups for `newsfold`; the groups for `*` where there is none.
    pub fn parse(bytes: &[u8]) -> Self {
        let bytes = &bytes[..bytes.len().min(MAX_BYTES)];
        let text = String::from_utf8_lossy(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes));
        let (mut ours, mut everybodys) = (Vec::new(), Vec::new());
        let (mut is_named, mut for_us, mut for_all, mut in_agents) = (false, false, false, false);
        for line in text.split(['\n', '\r']) {
            let line = line.split('#').next().unwrap_or_default();
            let Some((key, value)) = line.split_once(':') else { continue };
            let (key, value) = (key.trim().to_ascii_lowercase(), value.trim());
            if key == "user-agent" {
                if !in_agents {
                    (for_us, for_all) = (false, false);
                }
                in_agents = true;
                for_us |= names_us(value);
                for_all |= value == "*";
                is_named |= for_us;
                continue;
            }
            let allow = match key.as_str() {
                "allow" => true,
                "disallow" => false,
                // A sitemap or crawl-delay line does not end a list of agents.
                _ => continue,
            };
            in_agents = false;
            if value.is_empty() {
                continue;
            }
            let line = Line { allow, pattern: normal_form(value) };
            for (wanted, lines) in [(for_us, &mut ours), (for_all, &mut everybodys)] {
                if wanted && lines.len() < MAX_RULES {
                    lines.push(line.clone());
                }
            }
        }
        Self { lines: if is_named { ours } else { everybodys }, disallow_all: false }
    }

    /// Whether the URL may be asked: the longest matching pattern decides, `Allow` among equals.
    pub fn allow(&self, url: &Url) -> bool {
        if self.disallow_all {
            return false;
        }
        let mut path = url.path().to_owned();
        if let Some(query) = url.query() {
            path.push('?');
            path.push_str(query);
        }
        let path = normal_form(&path);
        let matching = self.lines.iter().filter(|line| matches(&line.pattern, &path));
        matching.max_by_key(|line| (line.pattern.len(), line.allow)).is_none_or(|line| line.allow)
    }
}

/// RFC 9309 (2.2.1): the product token, case folded; what follows it (a version) does not count.
fn names_us(value: &str) -> bool {
    let end = value
        .find(|c: char| !(c.is_ascii_alphabetic() || c == '-' || c == '_'))
        .unwrap_or(value.len());
    value[..end].eq_ignore_ascii_case(PRODUCT)
}

/// Percent-encodes what is not ASCII, upper-cases escapes, and decodes those that need none: both sides are compared
/// so (RFC 9309, 2.2.2).
fn normal_form(path: &str) -> String {
    let bytes = path.as_bytes();
    let mut out = String::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = (bytes[at] == b'%').then(|| path.get(at + 1..at + 3)).flatten();
        let (byte, width) = match escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => (byte, 3),
            None => (bytes[at], 1),
        };
        let unreserved = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if unreserved || (width == 1 && byte.is_ascii_graphic()) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        at += width;
    }
    out
}

/// Whether `path` begins with `pattern`, where `*` stands for anything and a last `$` for the end. Greedy with one
/// step back, so that no pattern takes more than its length times the path's.
fn matches(pattern: &str, path: &str) -> bool {
    let (pattern, anchored) = match pattern.strip_suffix('$') {
        Some(rest) => (rest.as_bytes(), true),
        None => (pattern.as_bytes(), false),
    };
    let path = path.as_bytes();
    let (mut p, mut s) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    loop {
        if p == pattern.len() && (!anchored || s == path.len()) {
            return true;
        }
        if p < pattern.len() && pattern[p] == b'*' {
            back = Some((p + 1, s));
            p += 1;
        } else if p < pattern.len() && s < path.len() && pattern[p] == path[s] {
            (p, s) = (p + 1, s + 1);
        } else {
            match back {
                Some((after_star, from)) if from < path.len() => {
                    back = Some((after_star, from + 1));
                    (p, s) = (after_star, from + 1);
                }
                _ => return false,
            }
        }
    }
}

/// What the hosts' robots.txt said, and until when that counts.
#[derive(Debug, Default)]
pub(super) struct Cache(Mutex<HashMap<String, (Arc<Rules>, Timestamp)>>);

impl Cache {
    fn get(&self, origin: &str, now: Timestamp) -> Option<Arc<Rules>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(origin).filter(|(_, until)| *until > now).map(|(rules, _)| Arc::clone(rules))
    }

    fn put(&self, origin: String, rules: Arc<Rules>, until: Timestamp, now: Timestamp) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() > FORGET_ABOVE {
            known.retain(|_, (_, until)| *until > now);
        }
        known.insert(origin, (rules, until));
    }
}

impl Fetcher {
    /// Whether the robots.txt of the page's host lets us ask for it; fetches that file unless it is known.
    ///
    /// # Errors
    ///
    /// Only where the URL itself cannot be asked; a robots.txt that cannot be had forbids everything for an hour
    /// (5xx, no answer), or nothing (4xx), as RFC 9309 (2.3.1) says.
    pub async fn may_fetch_page(&self, page: &Request<'_>) -> Result<bool, Error> {
        let url = Url::parse(page.url).map_err(|error| Error::InvalidUrl(error.to_string()))?;
        allows(&self.0, &url, page).await
    }
}

/// As [`Fetcher::may_fetch_page`]; also asked where a page redirects to another host, `url`.
pub(super) async fn allows(shared: &Shared, url: &Url, page: &Request<'_>) -> Result<bool, Error> {
    let (origin, now) = (origin(url), page.now);
    if let Some(rules) = shared.robots.get(&origin, now) {
        return Ok(rules.allow(url));
    }
    let (rules, seconds) = ask(shared, &origin, page).await?;
    let rules = Arc::new(rules);
    shared.robots.put(origin, Arc::clone(&rules), now.plus_seconds(seconds), now);
    Ok(rules.allow(url))
}

async fn ask(shared: &Shared, origin: &str, page: &Request<'_>) -> Result<(Rules, i64), Error> {
    // The feed's credentials and headers are for the feed.
    let options =
        FetchOptions { home: None, credentials: None, headers: Vec::new(), ..page.options.clone() };
    let url = format!("{origin}/robots.txt");
    let request = Request {
        purpose: Purpose::Robots,
        asker: page.asker,
        ..Request::feed(&url, &options, page.now)
    };
    match redirects::follow(shared, request).await {
        Ok(fetched) => {
            let body = fetched.body.map(|body| body.decode(options.max_body));
            let rules = match body {
                Some(Ok(bytes)) => Rules::parse(&bytes),
                _ => Rules::allow_all(),
            };
            Ok((rules, KEPT_SECONDS))
        }
        Err(error @ (Error::InvalidUrl(_) | Error::ForbiddenAddress { .. })) => Err(error),
        Err(error) if error.status().is_some_and(|status| status < 500 && status != 429) => {
            Ok((Rules::allow_all(), KEPT_SECONDS))
        }
        // RFC 9309 (2.3.1.2): too many redirects count as no file.
        Err(Error::TooManyRedirects { .. } | Error::BadRedirect(_)) => {
            Ok((Rules::allow_all(), KEPT_SECONDS))
        }
        Err(_) => Ok((Rules::disallow_all(), RETRY_SECONDS)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn allows(robots: &str, path: &str) -> bool {
        Rules::parse(robots.as_bytes()).allow(&Url::parse(&format!("https://h{path}")).unwrap())
    }

    #[test]
    fn the_longest_match_decides() {
        let robots = "User-agent: *\nDisallow: /\nAllow: /news/\nDisallow: /news/private\n";
        assert!(!allows(robots, "/"));
        assert!(allows(robots, "/news/one"));
        assert!(!allows(robots, "/news/private/one"));
        assert!(allows("User-agent: *\nDisallow: /a\nAllow: /a", "/a"), "allow among equals");
        assert!(allows("", "/a"));
        assert!(allows("User-agent: *\nDisallow:\n", "/a"));
        assert!(allows("<html>no robots here</html>", "/a"));
    }

    #[test]
    fn our_own_group_takes_the_place_of_everybodys() {
        let robots = "User-agent: *\nDisallow: /\n\nuser-agent: other\nUser-Agent: NewsFold/1.0\nDisallow: /x\n";
        assert!(allows(robots, "/a"));
        assert!(!allows(robots, "/x"));
        let twice = "User-agent: newsfold\nDisallow: /x\nUser-agent: a\nDisallow: /z\nUser-agent: newsfold\nDisallow: /y";
        assert!(!allows(twice, "/x") && !allows(twice, "/y") && allows(twice, "/z"));
        assert!(allows("User-agent: newsfolder\nDisallow: /", "/a"), "another's name");
        assert!(
            allows("User-agent: *\nDisallow: /\nUser-agent: newsfold\n", "/a"),
            "an empty group allows"
        );
    }

    #[test]
    fn stars_ends_and_escapes() {
        for (pattern, path, matching) in [
            ("/*.php", "/a/b.php?x", true),
            ("/*.php$", "/a/b.php?x", false),
            ("/*.php$", "/a.php/b.php", true),
            ("/a*c*e", "/abcde", true),
            ("/a*c*e$", "/abcdef", false),
            ("*", "/", true),
            ("/$", "/", true),
            ("/$", "/a", false),
            ("/fish", "/fishy", true),
            ("/fish/", "/fish", false),
            ("/ä", "/%C3%A4/x", true),
            ("/%7ejoe", "/~joe", true),
            ("/a%2fb", "/a/b", false),
            ("/a?b=c", "/a?b=cd", true),
        ] {
            let robots = format!("User-agent: *\nDisallow: {pattern}\n");
            assert_eq!(allows(&robots, path), !matching, "{pattern} {path}");
        }
    }

    #[test]
    fn a_bom_comments_and_line_ends_do_not_matter() {
        assert!(!allows("\u{feff}User-agent: * # all\r\nDisallow: /a # that\r\n", "/a"));
        assert!(!allows("User-agent: *\rDisallow: /a\r", "/a"));
        assert!(!allows(
            "User-agent: a\nSitemap: /x\nUser-agent: *\nCrawl-delay: 1\nDisallow: /a",
            "/a"
        ));
    }

    #[test]
    fn a_hostile_pattern_costs_little() {
        let robots = format!("User-agent: *\nDisallow: /{}b\n", "*a".repeat(2_000));
        assert!(allows(&robots, &format!("/{}", "a".repeat(4_000))));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), path in "\\PC{0,40}") {
            let url = Url::parse("https://h/").unwrap().join(&path).unwrap_or_else(|_| Url::parse("https://h/").unwrap());
            let _ = Rules::parse(&[b"User-agent: *\nDisallow: ", &bytes[..]].concat()).allow(&url);
        }
    }
}
