//! What a request says about us: User-Agent, Accept, and, to the feed's own host only, its credentials.

use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, USER_AGENT,
};
use url::Url;

use super::{Credentials, Error, FetchOptions, Password, Purpose, Request, file};

const ACCEPT_FEED: HeaderValue = HeaderValue::from_static(
    "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml;q=0.9, \
     application/xml;q=0.9, text/xml;q=0.8, application/json;q=0.7, */*;q=0.1",
);
const ACCEPT_PAGE: HeaderValue =
    HeaderValue::from_static("text/html, application/xhtml+xml;q=0.9, */*;q=0.1");
const ACCEPT_ROBOTS: HeaderValue = HeaderValue::from_static("text/plain, */*;q=0.1");
const ENCODINGS: HeaderValue = HeaderValue::from_static("gzip, br, zstd");

/// The header fields of a fetch: those for everybody and those for the feed's own host.
pub(super) struct Access<'a> {
    options: &'a FetchOptions,
    home: Url,
    everywhere: HeaderMap,
    at_home: HeaderMap,
}

impl<'a> Access<'a> {
    /// Prepares the fields; reads the feed's password if it has one.
    pub(super) async fn new(request: &Request<'a>, url: &Url) -> Result<Self, Error> {
        let options = request.options;
        let mut everywhere = HeaderMap::with_capacity(8);
        everywhere.insert(USER_AGENT, value(&options.user_agent)?);
        everywhere.insert(ACCEPT, accept(request.purpose));
        everywhere.insert(ACCEPT_ENCODING, ENCODINGS);
        let mut at_home = HeaderMap::new();
        let home = options.home.as_deref().and_then(|home| Url::parse(home).ok());
        let home = home.unwrap_or_else(|| url.clone());
        if let Some((username, password)) = userinfo(&home) {
            at_home.insert(AUTHORIZATION, basic(&username, &password)?);
        }
        if let Some(credentials) = &options.credentials {
            at_home.insert(
                AUTHORIZATION,
                basic(&credentials.username, &password(credentials).await?)?,
            );
        }
        for (name, secret) in &options.headers {
            let name: HeaderName = name.parse().map_err(|_| {
                Error::Credentials(format!("{name:?} is not the name of a header field"))
            })?;
            at_home.insert(name, value(secret.expose())?);
        }
        Ok(Self { options, home, everywhere, at_home })
    }

    /// The fields that `url` may see.
    pub(super) fn fields_for(&self, url: &Url) -> HeaderMap {
        let mut fields = self.everywhere.clone();
        if !self.at_home.is_empty() && is_same_place(&self.home, url) {
            // A feed's own Accept or User-Agent replaces ours.
            fields.extend(self.at_home.clone());
        }
        fields
    }

    /// Whether the way to the proxy itself is TLS.
    pub(super) fn proxy_is_tls(&self) -> bool {
        self.options.proxy.as_ref().is_some_and(|proxy| proxy.expose().starts_with("https:"))
    }
}

/// Whether credentials for `home` may go to `url`: the same origin, or the same host after a step from plain HTTP to
/// HTTPS on their usual ports. Never back.
fn is_same_place(home: &Url, url: &Url) -> bool {
    let upgraded =
        (home.scheme(), home.port(), url.scheme(), url.port()) == ("http", None, "https", None);
    home.host() == url.host()
        && (upgraded
            || (home.scheme() == url.scheme()
                && home.port_or_known_default() == url.port_or_known_default()))
}

fn accept(purpose: Purpose) -> HeaderValue {
    match purpose {
        Purpose::Feed => ACCEPT_FEED,
        Purpose::Page => ACCEPT_PAGE,
        Purpose::Robots => ACCEPT_ROBOTS,
    }
}

fn value(text: &str) -> Result<HeaderValue, Error> {
    HeaderValue::from_str(text).map_err(|_| {
        Error::Credentials("a header field has characters that none may have".to_owned())
    })
}

/// Username and password of a URL, percent-decoded.
fn userinfo(url: &Url) -> Option<(String, String)> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    Some((percent_decode(url.username()), percent_decode(url.password().unwrap_or(""))))
}

async fn password(credentials: &Credentials) -> Result<String, Error> {
    match &credentials.password {
        Password::Value(secret) => Ok(secret.expose().to_string()),
        Password::File(path) => file::read_password(path.clone()).await,
        Password::OutOfReach { credential } => Err(Error::Credentials(format!(
            "credentials exist only inside the unit, {credential} too"
        ))),
    }
}

fn basic(username: &str, password: &str) -> Result<HeaderValue, Error> {
    let mut field =
        value(&format!("Basic {}", base64(format!("{username}:{password}").as_bytes())))?;
    field.set_sensitive(true);
    Ok(field)
}

/// RFC 4648 base64: ten lines are cheaper than a dependency for one header field.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0_u32, |group, &byte| group << 8 | u32::from(byte))
            << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let sextet = group >> (18 - 6 * place) & 0x3f;
            out.push(if place <= chunk.len() {
                char::from(ALPHABET[sextet as usize])
            } else {
                '='
            });
        }
    }
    out
}

fn percent_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_rfc_4648() {
        for (plain, encoded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(plain.as_bytes()), encoded);
        }
        assert_eq!(base64(&[0xff, 0xfe, 0xfd]), "//79");
    }

    #[test]
    fn userinfo_is_percent_decoded() {
        let url = Url::parse("https://m%C3%A9:p%40ss%zz@h/").unwrap();
        assert_eq!(userinfo(&url), Some(("mé".into(), "p@ss%zz".into())));
        assert_eq!(userinfo(&Url::parse("https://h/").unwrap()), None);
    }

    #[test]
    fn credentials_stay_at_home() {
        let same = |home, url| is_same_place(&Url::parse(home).unwrap(), &Url::parse(url).unwrap());
        assert!(same("https://a/feed", "https://a/other"));
        assert!(same("http://a/feed", "https://a/feed"));
        assert!(same("http://a/", "http://a:80/"));
        assert!(!same("https://a/feed", "http://a/feed"));
        assert!(!same("https://a/feed", "https://b/feed"));
        assert!(!same("https://a/feed", "https://www.a/feed"));
        assert!(!same("https://a/feed", "https://a:8443/feed"));
        assert!(!same("http://a:8080/feed", "https://a/feed"));
    }
}
