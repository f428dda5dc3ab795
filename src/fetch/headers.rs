//! What a response's header fields mean to a poller: validators, freshness, Retry-After.
//!
//! In: header maps. Out: plain values. Everything is read leniently (odd case, quotes, repeated fields), because
//! publishers write these by hand; what cannot be read is absent, never an error.
//! Validators are the exception: they are not read at all, but kept and echoed byte for byte.

use std::{sync::Arc, time::SystemTime};

use reqwest::{
    Version,
    header::{self, HeaderMap, HeaderValue},
};

use crate::model::Timestamp;

/// A Retry-After over seven days is a mistake or a joke: the order is bounded there.
pub const MAX_RETRY_AFTER_SECONDS: u32 = 7 * 86_400;

/// ETag and Last-Modified as a server sent them, and the URL they belong to.
///
/// Header bytes above 0x7f are kept as the characters U+0080 to U+00FF, one each, so that the values fit a text
/// column and still go back byte for byte.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Validators {
    /// The URL whose response carried them; they are sent to no other.
    pub url: String,
    /// The ETag field, untouched: weak, unquoted or worse.
    pub etag: Option<String>,
    /// The Last-Modified field, untouched: never parsed.
    pub last_modified: Option<String>,
}

impl Validators {
    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.etag.is_none() && self.last_modified.is_none()
    }

    /// The validators of a response from `url` with a body (200): what it does not send is forgotten.
    pub(super) fn of(url: &str, headers: &HeaderMap) -> Self {
        Self {
            url: url.to_owned(),
            etag: verbatim(headers, &header::ETAG),
            last_modified: verbatim(headers, &header::LAST_MODIFIED),
        }
    }

    /// The validators after a 304: what it sends replaces what was sent; a field that it leaves out stays, since
    /// RFC 9110 (15.4.5) tells servers to leave Last-Modified out.
    pub(super) fn refreshed(&self, headers: &HeaderMap) -> Self {
        Self {
            url: self.url.clone(),
            etag: verbatim(headers, &header::ETAG).or_else(|| self.etag.clone()),
            last_modified: verbatim(headers, &header::LAST_MODIFIED)
                .or_else(|| self.last_modified.clone()),
        }
    }

    /// Adds If-None-Match and If-Modified-Since to a request.
    pub(super) fn apply(&self, headers: &mut HeaderMap) {
        let fields =
            [(header::IF_NONE_MATCH, &self.etag), (header::IF_MODIFIED_SINCE, &self.last_modified)];
        for (name, value) in fields {
            if let Some(value) = value.as_deref().and_then(bytes_of) {
                headers.insert(name, value);
            }
        }
    }
}

/// A field's bytes as text, one character a byte; `None` where absent or empty.
fn verbatim(headers: &HeaderMap, name: &header::HeaderName) -> Option<String> {
    let bytes = headers.get(name)?.as_bytes();
    let text = match std::str::from_utf8(bytes) {
        Ok(text) if text.is_ascii() => text.to_owned(),
        _ => bytes.iter().map(|&byte| char::from(byte)).collect(),
    };
    (!text.is_empty()).then_some(text)
}

/// The reverse of [`verbatim`].
fn bytes_of(text: &str) -> Option<HeaderValue> {
    if text.is_ascii() {
        return HeaderValue::from_str(text).ok();
    }
    let bytes: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(c).ok()).collect();
    HeaderValue::from_bytes(&bytes?).ok()
}

/// How long a response says that it stays fresh.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Freshness {
    /// `Cache-Control: max-age` less `Age`, in seconds.
    pub max_age_seconds: Option<u32>,
    /// `Expires` less `Date` (less `now` where there is no `Date`), in seconds; `None` beside a max-age,
    /// which RFC 9111 (5.3) puts above it.
    pub expires_seconds: Option<u32>,
}

impl Freshness {
    /// Reads Cache-Control, Age, Expires and Date.
    pub fn of(headers: &HeaderMap, now: Timestamp) -> Self {
        let max_age_seconds = max_age(headers).map(|seconds| seconds.saturating_sub(age(headers)));
        let expires_seconds = match max_age_seconds {
            Some(_) => None,
            None => expires(headers, now),
        };
        Self { max_age_seconds, expires_seconds }
    }

    /// Whether the response said nothing about its freshness.
    pub fn is_silent(self) -> bool {
        self.max_age_seconds.is_none() && self.expires_seconds.is_none()
    }
}

/// The longest max-age that any Cache-Control field names.
fn max_age(headers: &HeaderMap) -> Option<u32> {
    let fields =
        headers.get_all(header::CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    fields.flat_map(|field| field.split(',')).filter_map(max_age_directive).max()
}

fn max_age_directive(directive: &str) -> Option<u32> {
    let (name, value) = directive.split_once('=')?;
    if !name.trim().eq_ignore_ascii_case("max-age") {
        return None;
    }
    saturating_seconds(value.trim().trim_matches('"'))
}

fn age(headers: &HeaderMap) -> u32 {
    text(headers, &header::AGE).and_then(saturating_seconds).unwrap_or(0)
}

fn expires(headers: &HeaderMap, now: Timestamp) -> Option<u32> {
    let expires = http_date(text(headers, &header::EXPIRES)?)?;
    let from = text(headers, &header::DATE).and_then(http_date).unwrap_or(now);
    Some(u32::try_from(expires.seconds_since(from)).unwrap_or(0))
}

/// A server's order not to come back before some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryAfter {
    /// From the moment of the response, at most [`MAX_RETRY_AFTER_SECONDS`].
    pub seconds: u32,
    /// The field as it was sent, where it was absurd (over seven days, negative, unreadable) and had to be
    /// bounded: to be logged.
    pub bounded: Option<Arc<str>>,
}

impl RetryAfter {
    /// Reads Retry-After, as seconds or as an HTTP date.
    ///
    /// A date is measured against the server's own Date and against `now`, and the longer wait counts: clocks
    /// disagree, and an order is never shortened.
    pub fn of(headers: &HeaderMap, now: Timestamp) -> Option<Self> {
        let raw = headers.get(header::RETRY_AFTER)?;
        let seconds = raw.to_str().ok().and_then(|text| retry_seconds(text.trim(), headers, now));
        let bounded = match seconds {
            Some(seconds) if (0..=i64::from(MAX_RETRY_AFTER_SECONDS)).contains(&seconds) => None,
            _ => Some(
                String::from_utf8_lossy(raw.as_bytes()).chars().take(80).collect::<String>().into(),
            ),
        };
        let seconds = seconds.unwrap_or(0).clamp(0, i64::from(MAX_RETRY_AFTER_SECONDS));
        Some(Self { seconds: u32::try_from(seconds).unwrap_or(0), bounded })
    }
}

fn retry_seconds(text: &str, headers: &HeaderMap, now: Timestamp) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = whole.strip_prefix('-').unwrap_or(whole);
    let is_number = !digits.is_empty()
        && digits.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
    if is_number {
        // Digits that overflow are merely very many; a fraction rounds up.
        let seconds: i64 = digits.parse().unwrap_or(i64::MAX / 2);
        let seconds = seconds + i64::from(fraction.bytes().any(|byte| byte != b'0'));
        return Some(if whole.starts_with('-') { -seconds } else { seconds });
    }
    let until = http_date(text)?;
    let by_our_clock = until.seconds_since(now);
    let by_theirs = self::text(headers, &header::DATE)
        .and_then(http_date)
        .map(|date| until.seconds_since(date));
    Some(by_our_clock.max(by_theirs.unwrap_or(by_our_clock)))
}

/// The last Content-Type field, whole.
pub(super) fn content_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get_all(header::CONTENT_TYPE).iter().next_back()?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// Whether the end of the connection alone ends the body (RFC 9112, section 6.3): that it has all come is a guess.
pub(super) fn ends_with_connection(version: Version, headers: &HeaderMap) -> bool {
    version < Version::HTTP_2
        && !headers.contains_key(header::CONTENT_LENGTH)
        && !headers.contains_key(header::TRANSFER_ENCODING)
}

/// The Content-Encoding fields, joined.
pub(super) fn content_encoding(headers: &HeaderMap) -> Option<String> {
    let fields =
        headers.get_all(header::CONTENT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let joined = fields.collect::<Vec<_>>().join(",");
    (!joined.is_empty()).then_some(joined)
}

/// Bytes of all names and values, as they count against the header limit.
pub(super) fn size(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
}

fn text<'h>(headers: &'h HeaderMap, name: &header::HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// Plain digits; more than a `u32` holds counts as its maximum.
fn saturating_seconds(digits: &str) -> Option<u32> {
    let all_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    all_digits.then(|| digits.parse().unwrap_or(u32::MAX))
}

/// The three forms of HTTP dates (RFC 9110, 5.6.7), else what mail would take (RFC 5322: other zones, a weekday that
/// is wrong or missing); within the years that we can hold.
fn http_date(text: &str) -> Option<Timestamp> {
    let seconds = match httpdate::parse_http_date(text) {
        Ok(date) => {
            i64::try_from(date.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs()).ok()?
        }
        Err(_) => {
            let parser = jiff::fmt::rfc2822::DateTimeParser::new().relaxed_weekday(true);
            parser.parse_timestamp(text).ok()?.as_second()
        }
    };
    Timestamp::from_unix_seconds(seconds)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: &str = "2026-11-24T09:15:00Z";

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in fields {
            map.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        map
    }

    #[test]
    fn validators_go_back_byte_for_byte() {
        for etag in [
            &b"\"abc\""[..],
            b"W/\"x y\"",
            b"unquoted",
            b"\"\"",
            b"\"caf\xc3\xa9\"",
            b"\"\xe9\xff\"",
            b"a\tb",
        ] {
            let mut response = HeaderMap::new();
            response.insert(header::ETAG, HeaderValue::from_bytes(etag).unwrap());
            response.insert(header::LAST_MODIFIED, HeaderValue::from_static("Tuesday-ish, 99 Foo"));
            let mut request = HeaderMap::new();
            Validators::of("http://a/", &response).apply(&mut request);
            assert_eq!(request[header::IF_NONE_MATCH].as_bytes(), etag);
            assert_eq!(request[header::IF_MODIFIED_SINCE], "Tuesday-ish, 99 Foo");
        }
    }

    #[test]
    fn a_200_replaces_validators_and_a_304_adds_to_them() {
        let first = Validators::of("u", &headers(&[("etag", "1"), ("last-modified", "x")]));
        assert_eq!(Validators::of("u", &headers(&[("etag", "2")])).last_modified, None);
        let after_304 = first.refreshed(&headers(&[("etag", "2")]));
        assert_eq!(
            (after_304.etag.as_deref(), after_304.last_modified.as_deref()),
            (Some("2"), Some("x"))
        );
        assert!(Validators::of("u", &headers(&[("etag", "")])).is_empty());
    }

    #[test]
    fn freshness_is_max_age_less_age_else_expires() {
        let now = NOW.parse().unwrap();
        let of = |fields: &[(&'static str, &'static str)]| {
            let fresh = Freshness::of(&headers(fields), now);
            (fresh.max_age_seconds, fresh.expires_seconds)
        };
        assert_eq!(
            of(&[("cache-control", "public, max-age=3600"), ("age", "600")]),
            (Some(3000), None)
        );
        assert_eq!(of(&[("cache-control", "Max-Age=\"60\"")]), (Some(60), None));
        assert_eq!(
            of(&[("cache-control", "no-cache"), ("cache-control", "max-age=9")]),
            (Some(9), None)
        );
        assert_eq!(of(&[("cache-control", "max-age=5"), ("age", "60")]), (Some(0), None));
        assert_eq!(of(&[("cache-control", "max-age=99999999999999")]), (Some(u32::MAX), None));
        assert_eq!(of(&[("cache-control", "max-age=-1")]), (None, None));
        assert_eq!(of(&[("cache-control", "s-maxage=60, max-age=x")]), (None, None));
        let expires = ("expires", "Tue, 24 Nov 2026 10:15:00 GMT");
        assert_eq!(of(&[expires]), (None, Some(3600)));
        assert_eq!(of(&[expires, ("date", "Tue, 24 Nov 2026 10:00:00 GMT")]), (None, Some(900)));
        assert_eq!(of(&[("expires", "0")]), (None, None));
        assert_eq!(of(&[("expires", "Thu, 01 Jan 1970 00:00:00 GMT")]), (None, Some(0)));
        assert_eq!(of(&[("cache-control", "max-age=1"), expires]), (Some(1), None));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_absurd_ones_are_bounded() {
        let now = NOW.parse().unwrap();
        let of = |value: &'static str| {
            let retry = RetryAfter::of(&headers(&[("retry-after", value)]), now).unwrap();
            (retry.seconds, retry.bounded.is_some())
        };
        assert_eq!(of("120"), (120, false));
        assert_eq!(of(" 120 "), (120, false));
        assert_eq!(of("1.5"), (2, false));
        assert_eq!(of("0"), (0, false));
        assert_eq!(of("604800"), (604_800, false));
        assert_eq!(of("604801"), (604_800, true));
        assert_eq!(of("99999999999999999999999"), (604_800, true));
        assert_eq!(of("-5"), (0, true));
        assert_eq!(of("soon"), (0, true));
        assert_eq!(of(""), (0, true));
        assert_eq!(of("Tue, 24 Nov 2026 09:25:00 GMT"), (600, false));
        assert_eq!(of("Tuesday, 24-Nov-26 09:25:00 GMT"), (600, false));
        assert_eq!(of("Tue, 24 Nov 2026 09:00:00 GMT"), (0, true));
        assert_eq!(of("Monday, 24 Nov 2026 10:25:00 +0100"), (0, true), "no date of any kind");
        assert_eq!(
            of("Mon, 24 Nov 2026 10:25:00 +0100"),
            (600, false),
            "wrong weekday, another zone"
        );
        assert_eq!(of("Fri, 31 Dec 2099 00:00:00 GMT"), (604_800, true));
        assert!(RetryAfter::of(&headers(&[]), now).is_none());
    }

    #[test]
    fn a_retry_date_is_not_shortened_by_a_clock_that_is_off() {
        let now = NOW.parse().unwrap();
        let behind = [
            ("date", "Tue, 24 Nov 2026 08:15:00 GMT"),
            ("retry-after", "Tue, 24 Nov 2026 08:25:00 GMT"),
        ];
        assert_eq!(RetryAfter::of(&headers(&behind), now).unwrap().seconds, 600);
        let ahead = [
            ("date", "Tue, 24 Nov 2026 10:15:00 GMT"),
            ("retry-after", "Tue, 24 Nov 2026 10:25:00 GMT"),
        ];
        assert_eq!(RetryAfter::of(&headers(&ahead), now).unwrap().seconds, 4_200);
    }

    proptest! {
        #[test]
        fn no_field_panics_or_breaks_a_bound(
            fields in proptest::collection::vec((0_usize..7, proptest::collection::vec(any::<u8>(), 0..40)), 0..8),
            number in any::<i64>(),
        ) {
            let now: Timestamp = NOW.parse().unwrap();
            let names = ["etag", "last-modified", "cache-control", "age", "expires", "date", "retry-after"];
            let mut response = HeaderMap::new();
            for (name, value) in fields {
                if let Ok(value) = HeaderValue::from_bytes(&value) {
                    response.append(names[name], value);
                }
            }
            response.append("retry-after", HeaderValue::from(number));
            response.append("cache-control", format!("max-age={number}").parse().unwrap());
            let _ = Freshness::of(&response, now);
            prop_assert!(RetryAfter::of(&response, now).unwrap().seconds <= MAX_RETRY_AFTER_SECONDS);
            let validators = Validators::of("u", &response);
            let mut request = HeaderMap::new();
            validators.apply(&mut request);
            prop_assert_eq!(request.len(), usize::from(validators.etag.is_some()) + usize::from(validators.last_modified.is_some()));
            if let Some(sent) = request.get(header::IF_NONE_MATCH) {
                prop_assert_eq!(sent.as_bytes(), response[header::ETAG].as_bytes());
            }
        }
    }
}
