//! Why a fetch failed: data for the feed's row, never a reason for the program to stop.

use std::{error::Error as StdError, time::Duration};

use super::{guard::Forbidden, headers::RetryAfter};
use crate::model::Timestamp;

/// A feed could not be fetched.
///
/// Messages carry no URL with credentials: hosts, statuses and causes only.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The URL is none that we can ask.
    #[error("cannot use the URL: {0}")]
    InvalidUrl(String),
    /// The host, as written or as resolved, is not on the public internet and private networks are not allowed.
    #[error("{host} is not a public address, and fetch.allow_private_networks is off")]
    ForbiddenAddress {
        /// The host as it stands in the URL.
        host: String,
    },
    /// The name could not be resolved.
    #[error("cannot resolve {host}: {cause}")]
    Dns {
        /// The host as it stands in the URL.
        host: String,
        /// What the resolver said.
        cause: String,
    },
    /// No connection.
    #[error("cannot connect to {host}: {cause}")]
    Connect {
        /// The host as it stands in the URL.
        host: String,
        /// What the system said.
        cause: String,
    },
    /// The TLS handshake failed, or there are no CA certificates on this machine.
    #[error("no TLS with {host}: {cause}")]
    Tls {
        /// The host as it stands in the URL.
        host: String,
        /// What the TLS library said.
        cause: String,
    },
    /// A deadline passed.
    #[error("{phase} took longer than {} s", after.as_secs_f32())]
    Timeout {
        /// `connecting`, `the answer`, `the whole fetch`.
        phase: &'static str,
        /// The deadline.
        after: Duration,
    },
    /// The server answered with a status that is no answer to our question.
    #[error("the server answered {}", .0.status)]
    Status(Box<StatusError>),
    /// A limit was exceeded.
    #[error("{what} is over {limit} bytes")]
    TooLarge {
        /// `header`, `body`, `decompressed body`, `file`.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
    /// The redirects do not end, or come back to where they were.
    #[error(
        "gave up after {hops} {}{}",
        if *hops == 1 { "redirect" } else { "redirects" },
        match (*is_loop, *hops) {
            (false, _) => "",
            (true, 1) => ", which leads to itself",
            (true, _) => ", which run in a circle",
        }
    )]
    TooManyRedirects {
        /// Redirects followed.
        hops: usize,
        /// Whether the chain came back to a URL that it had already asked.
        is_loop: bool,
    },
    /// A redirect that cannot be followed.
    #[error("cannot follow the redirect: {0}")]
    BadRedirect(String),
    /// The body's content encoding is unknown or broken.
    #[error("cannot decode the body: {0}")]
    Decode(String),
    /// The conversation broke off or was no HTTP.
    #[error("broken HTTP from {host}: {cause}")]
    Protocol {
        /// The host as it stands in the URL.
        host: String,
        /// What was wrong.
        cause: String,
    },
    /// The feed's password, header or proxy could not be used.
    #[error("cannot use the feed's access settings: {0}")]
    Credentials(String),
    /// A `file:` feed could not be read.
    #[error("cannot read {path}: {cause}")]
    File {
        /// The path.
        path: String,
        /// What the system said.
        cause: String,
    },
    /// Nothing was asked: a page redirects to a host whose robots.txt forbids it.
    #[error("robots.txt of {host} forbids this page")]
    Robots {
        /// The host as it stands in the URL.
        host: String,
    },
    /// Nothing was asked: the origin has told another feed (429) to leave it alone until then.
    #[error("{origin} is not to be asked before {until}")]
    Held {
        /// Scheme, host and port.
        origin: String,
        /// When it may be asked again.
        until: Timestamp,
    },
}

/// An answer with a status that brings no feed.
#[derive(Clone, Debug)]
pub struct StatusError {
    /// The status of the last hop.
    pub status: u16,
    /// What was asked last, without userinfo.
    pub url: String,
    /// The server's order, if it gave one.
    pub retry_after: Option<RetryAfter>,
    /// Whether the server stands on a private network, where a 429 stops this feed only and not its origin.
    pub is_private: bool,
}

impl StatusError {
    /// As [`Error::closes_origin`].
    pub(super) fn closes_origin(&self, otherwise: u32) -> Option<(String, u32)> {
        if self.status != 429 || self.is_private {
            return None;
        }
        let seconds = self.retry_after.as_ref().map_or(0, |order| order.seconds);
        let url = url::Url::parse(&self.url).ok()?;
        Some((super::origin(&url), if seconds == 0 { otherwise } else { seconds }))
    }
}

impl Error {
    /// The stable word in `feeds.error_kind` and `polls.error_kind`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::InvalidUrl(_) => "invalid_url",
            Self::ForbiddenAddress { .. } => "forbidden_address",
            Self::Dns { .. } => "dns",
            Self::Connect { .. } => "connect",
            Self::Tls { .. } => "tls",
            Self::Timeout { .. } => "timeout",
            Self::Status(error) => status_kind(error.status),
            Self::TooLarge { .. } => "too_large",
            Self::TooManyRedirects { .. } => "too_many_redirects",
            Self::BadRedirect(_) => "bad_redirect",
            Self::Decode(_) => "decode",
            Self::Protocol { .. } => "protocol",
            Self::Credentials(_) => "credentials",
            Self::File { .. } => "file",
            Self::Robots { .. } => "robots_txt",
            Self::Held { .. } => "held",
        }
    }

    /// The status of the last answer, where the server answered at all.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Status(error) => Some(error.status),
            _ => None,
        }
    }

    /// The server's order not to come back before some time.
    pub fn retry_after(&self) -> Option<&RetryAfter> {
        match self {
            Self::Status(error) => error.retry_after.as_ref(),
            _ => None,
        }
    }

    /// The origin that a 429 closes for every feed on it, and for how many seconds (`otherwise` where the server
    /// did not say); `None` for any other failure, and on private networks.
    pub fn closes_origin(&self, otherwise: u32) -> Option<(String, u32)> {
        match self {
            Self::Status(error) => error.closes_origin(otherwise),
            _ => None,
        }
    }

    /// Whether the trouble may be ours, or pass by itself: it weighs less in the backoff than a wrong address.
    pub fn is_soft(&self) -> bool {
        matches!(
            self.kind(),
            "timeout" | "server_error" | "rate_limited" | "dns" | "connect" | "protocol" | "held"
        )
    }
}

fn status_kind(status: u16) -> &'static str {
    match status {
        401 => "unauthorized",
        403 | 451 => "forbidden",
        404 => "not_found",
        410 => "gone",
        429 => "rate_limited",
        500..=599 => "server_error",
        _ => "http_status",
    }
}

/// What hyper holds of an HTTP/1.1 header at most.
const MAX_HEAD_BYTES: u64 = 8_192 + 4_096 * 100;

/// Sorts what the HTTP client reports into our kinds.
pub(super) fn from_client(error: reqwest::Error, host: &str, connect_timeout: Duration) -> Error {
    // The client's own text repeats the URL, userinfo and all.
    let error = error.without_url();
    let host = host.to_owned();
    if let Some(forbidden) = find_cause::<Forbidden>(&error) {
        return Error::ForbiddenAddress { host: forbidden.host.clone() };
    }
    let cause = innermost(&error);
    // hyper's words for a header that outgrew its buffer; it has no type of its own for it.
    if cause.contains("message head is too large") {
        return Error::TooLarge { what: "header", limit: MAX_HEAD_BYTES };
    }
    if error.is_dns() {
        Error::Dns { host, cause }
    } else if find_cause::<rustls::Error>(&error).is_some() {
        Error::Tls { host, cause }
    } else if error.is_timeout() {
        Error::Timeout { phase: "connecting", after: connect_timeout }
    } else if error.is_connect() {
        Error::Connect { host, cause }
    } else {
        Error::Protocol { host, cause }
    }
}

/// Looks for a cause of type `T`, also inside `io::Error`s, which hide theirs from `source()`.
fn find_cause<'e, T: StdError + 'static>(error: &'e (dyn StdError + 'static)) -> Option<&'e T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        next = match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

/// The text of the deepest cause: the layers above only repeat "error sending request".
fn innermost(error: &(dyn StdError + 'static)) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_have_their_own_words() {
        for (status, kind) in [
            (400, "http_status"),
            (401, "unauthorized"),
            (403, "forbidden"),
            (404, "not_found"),
            (410, "gone"),
            (418, "http_status"),
            (429, "rate_limited"),
            (451, "forbidden"),
            (500, "server_error"),
            (503, "server_error"),
            (206, "http_status"),
            (304, "http_status"),
        ] {
            assert_eq!(status_kind(status), kind, "{status}");
        }
    }

    #[test]
    fn only_a_429_from_the_public_internet_closes_its_origin() {
        let of = |status, is_private| {
            let url = "https://news.example:8443/a?b".to_owned();
            Error::Status(Box::new(StatusError { status, url, retry_after: None, is_private }))
                .closes_origin(60)
        };
        assert_eq!(of(429, false), Some(("https://news.example:8443".to_owned(), 60)));
        assert_eq!(of(429, true), None);
        assert_eq!(of(503, false), None);
    }
}
