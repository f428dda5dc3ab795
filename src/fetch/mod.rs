//! Step 1: one conditional GET for one feed or page, redirects and all.
//!
//! In: a URL, the validators of an earlier answer, the feed's access settings. Out: a [`Fetched`], whose body is still
//! compressed ([`decode()`] undoes that where there is time for it), or an [`Error`] with a stable word.
//!
//! Promises: never an address on a private network unless allowed, at any hop; never more bytes than the limits;
//! never later than the deadlines; never a credential or a validator to a host or URL that it does not belong to; never
//! more requests to a host, or sooner after each other, than its manners allow; one request for one URL in a cycle.

mod access;
mod answers;
mod client;
pub mod decode;
mod error;
mod exchange;
mod file;
pub mod guard;
pub mod headers;
pub mod pacer;
mod redirects;
pub mod robots;

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use url::Url;

pub use self::{
    decode::decode,
    error::{Error, StatusError},
    headers::{Freshness, RetryAfter, Validators},
    pacer::{Hosts, Manners, Queue, Slot},
};
use crate::model::Timestamp;

/// What holds for every fetch, from `[fetch]`.
#[derive(Clone, Debug)]
pub struct Options {
    /// Requests in flight in all at most.
    pub concurrency: usize,
    /// Requests in flight to one host, and the delay between their starts.
    pub manners: Manners,
    /// For the connection, TLS included.
    pub connect_timeout: Duration,
    /// From the request to the answer's header, connecting included.
    pub first_byte_timeout: Duration,
    /// Names and values of an answer's header, in bytes.
    pub max_header_bytes: u32,
    /// Redirects followed in one fetch.
    pub max_redirects: usize,
    /// Bytes of large bodies held in memory by all fetches together; at least 16 MiB.
    pub body_budget_bytes: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            concurrency: 64,
            manners: Manners { per_host: 2, host_delay: Duration::from_secs(1) },
            connect_timeout: Duration::from_secs(10),
            first_byte_timeout: Duration::from_secs(20),
            max_header_bytes: 64 * 1024,
            max_redirects: 10,
            body_budget_bytes: 64 << 20,
        }
    }
}

/// How one feed is fetched: `[fetch]` and what the feed overrides.
#[derive(Clone, Debug)]
pub struct FetchOptions {
    /// The User-Agent.
    pub user_agent: String,
    /// For the whole fetch, redirects included.
    pub timeout: Duration,
    /// Of a body, both as received and decompressed.
    pub max_body: u64,
    /// `http://host:port`, with userinfo where the proxy wants it; asked for every hop.
    pub proxy: Option<Secret>,
    /// Whether addresses on private networks may be asked.
    pub allow_private_networks: bool,
    /// The URL whose origin credentials and header fields are for; without one, that of the request. A feed that has
    /// moved is asked elsewhere than its configuration says, and what was meant for one publisher is not for another.
    pub home: Option<String>,
    /// Sent to the feed's own host only.
    pub credentials: Option<Credentials>,
    /// Further header fields, checked by [`check_header`]; sent to the feed's own host only.
    pub headers: Vec<(String, Secret)>,
}

impl Default for FetchOptions {
    fn default() -> Self {
        Self {
            user_agent: default_user_agent(),
            timeout: Duration::from_secs(30),
            max_body: 16 << 20,
            proxy: None,
            allow_private_networks: false,
            home: None,
            credentials: None,
            headers: Vec::new(),
        }
    }
}

/// `newsfold/<version> (+URL)`: who we are and where a publisher can read about us.
pub fn default_user_agent() -> String {
    format!("newsfold/{} (+https://newsfold.example/bot)", env!("CARGO_PKG_VERSION"))
}

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Wraps `text`.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    pub(crate) fn expose(&self) -> &Arc<str> {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Username and password for HTTP basic authentication.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The user's name.
    pub username: String,
    /// Where the password is.
    pub password: Password,
}

/// Where a password is.
#[derive(Clone, Debug)]
pub enum Password {
    /// In a file (a systemd credential is one too), read at every fetch; one trailing line break is not part of it.
    File(PathBuf),
    /// Here, from the userinfo of a configured URL.
    Value(Secret),
    /// A systemd credential, and this process runs outside of the unit that hands it over.
    OutOfReach {
        /// Its name.
        credential: String,
    },
}

/// What is fetched decides what we say that we accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A feed.
    Feed,
    /// An article's web page.
    Page,
    /// A robots.txt.
    Robots,
}

/// One fetch.
#[derive(Debug)]
pub struct Request<'a> {
    /// `http:`, `https:` or `file:` (from local configuration only).
    pub url: &'a str,
    /// From an earlier answer; sent only to the URL that gave them.
    pub validators: Option<&'a Validators>,
    /// The feed's settings.
    pub options: &'a FetchOptions,
    /// Feed, page or robots.txt.
    pub purpose: Purpose,
    /// Whose poll it is: the URL at which the feed begins. Within a cycle feeds share what one URL answers.
    pub asker: &'a str,
    /// The time, for Retry-After and Expires.
    pub now: Timestamp,
    /// The permission to ask the URL's host, where the caller has it already ([`Queue`]); else the fetch waits for it.
    pub slot: Option<Slot>,
}

impl<'a> Request<'a> {
    /// An unconditional fetch of a feed.
    pub fn feed(url: &'a str, options: &'a FetchOptions, now: Timestamp) -> Self {
        Self { url, validators: None, options, purpose: Purpose::Feed, asker: url, now, slot: None }
    }
}

/// One answer that led on to another URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// 301, 302, 303, 307 or 308.
    pub status: u16,
    /// The URL that answered, without userinfo.
    pub url: String,
}

/// A body as it was received, still compressed.
#[derive(Debug)]
pub struct Received {
    /// At most `max_body` bytes.
    pub bytes: Vec<u8>,
    /// Content-Encoding, for [`decode()`].
    pub encoding: Option<String>,
    /// Content-Type, whole.
    pub content_type: Option<String>,
    /// Whether nothing but the end of the connection said where it ends, be it in the middle.
    pub ends_with_connection: bool,
    /// A large body's share of the budget, given back when the body is dropped.
    budget: Option<OwnedSemaphorePermit>,
}

impl Received {
    /// Takes the bytes and undoes their encoding ([`decode()`]). CPU work: not for an async thread.
    ///
    /// # Errors
    ///
    /// As [`decode()`].
    pub fn decode(self, limit: u64) -> Result<Vec<u8>, Error> {
        let Self { bytes, encoding, budget, .. } = self;
        let decoded = decode(bytes, encoding.as_deref(), limit);
        drop(budget);
        decoded
    }
}

/// An answer.
#[derive(Debug)]
pub struct Fetched {
    /// 200 or another success, 304; `None` for `file:`.
    pub status: Option<u16>,
    /// The URL that answered in the end, without userinfo: the base of relative links.
    pub final_url: String,
    /// The redirects that led there, in order.
    pub chain: Vec<Hop>,
    /// `None`: not modified.
    pub body: Option<Received>,
    /// To be kept for the next fetch, once the body has been understood; `None` where the server sends none.
    pub validators: Option<Validators>,
    /// How long the answer stays fresh.
    pub freshness: Freshness,
    /// A Retry-After beside a success counts only if the body turns out to be no feed.
    pub retry_after: Option<RetryAfter>,
    /// Bytes of the body as received.
    pub body_bytes: u64,
}

impl Fetched {
    /// Whether the server said that nothing has changed.
    pub fn is_not_modified(&self) -> bool {
        self.body.is_none()
    }
}

/// The long-lived half of fetching: clients, manners and budgets. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Fetcher(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    options: Options,
    clients: client::Clients,
    hosts: Hosts,
    concurrency: Semaphore,
    budget: Arc<Semaphore>,
    robots: robots::Cache,
    answers: answers::Answers,
}

impl Fetcher {
    /// Sets up; no client is built and nothing is asked yet.
    pub fn new(options: Options) -> Self {
        let hosts = Hosts::new(options.manners);
        Self(Arc::new(Shared {
            clients: client::Clients::new(options.connect_timeout, options.max_header_bytes),
            concurrency: Semaphore::new(options.concurrency.max(1)),
            budget: Arc::new(Semaphore::new(
                options.body_budget_bytes.max(exchange::MAX_SHARE_BYTES) as usize,
            )),
            robots: robots::Cache::default(),
            answers: answers::Answers::default(),
            hosts,
            options,
        }))
    }

    /// The manners towards hosts, shared with whoever starts polls.
    pub fn hosts(&self) -> &Hosts {
        &self.0.hosts
    }

    /// Fetches: follows redirects, collects the body, keeps every limit and deadline.
    ///
    /// # Errors
    ///
    /// Whatever kept a feed or page from coming; see [`Error::kind`].
    pub async fn fetch(&self, request: Request<'_>) -> Result<Fetched, Error> {
        if let Some(path) = file::path_of(request.url)? {
            return file::read(path, request).await;
        }
        redirects::follow(&self.0, request).await
    }
}

/// Scheme, host and port, as in `https://news.example` or `http://news.example:8080`.
pub fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// The host whose manners count for `url`: its name or address without the port, `""` for `file:`.
pub fn host_of(url: &str) -> String {
    Url::parse(url).ok().and_then(|url| url.host_str().map(ToOwned::to_owned)).unwrap_or_default()
}

/// Checks a header field from the configuration.
///
/// # Errors
///
/// In words: not a header field, or one that newsfold sets itself.
pub fn check_header(name: &str, value: &str) -> Result<(), String> {
    const OURS: [&str; 14] = [
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "if-modified-since",
        "if-none-match",
        "keep-alive",
        "range",
        "referer",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    let parsed: reqwest::header::HeaderName =
        name.parse().map_err(|_| "this is not the name of a header field".to_owned())?;
    if OURS.contains(&parsed.as_str()) {
        return Err(format!("{name} is set by newsfold itself"));
    }
    if reqwest::header::HeaderValue::from_str(value).is_err() {
        return Err(format!("the value of {name} has characters that no header field may have"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_print() {
        let options = FetchOptions {
            proxy: Some(Secret::new("http://me:hunter2@proxy")),
            credentials: Some(Credentials {
                username: "me".into(),
                password: Password::Value(Secret::new("hunter2")),
            }),
            headers: vec![("X-Token".into(), Secret::new("hunter2"))],
            ..FetchOptions::default()
        };
        assert!(!format!("{options:?}").contains("hunter2"));
    }

    #[test]
    fn header_fields_that_are_ours_are_refused() {
        assert!(check_header("X-Token", "abc").is_ok());
        assert!(check_header("Authorization", "Bearer abc").is_ok());
        for (name, value) in
            [("If-None-Match", "x"), ("HOST", "x"), ("a b", "x"), ("x", "a\nb"), ("", "x")]
        {
            assert!(check_header(name, value).is_err(), "{name}");
        }
    }
}
