//! The hops of one fetch: our own redirect loop, because at every hop something has to be decided anew.
//!
//! At each hop: is the address allowed, is the origin open, may the host be asked now, do the validators belong to this
//! very URL, do the credentials belong to this host. A URL that was asked once in a chain is not asked again.

use std::time::Duration;

use reqwest::{
    Response,
    header::{HeaderMap, LOCATION},
};
use tokio::sync::SemaphorePermit;
use url::Url;

use super::{
    Error, Fetched, Freshness, Hop, Purpose, Received, Request, RetryAfter, Shared, Slot,
    StatusError, Validators,
    access::Access,
    answers::{Answer, Document, Question},
    client,
    exchange::{self, Deadline},
    guard, headers, origin, robots,
};

/// A 429 without a Retry-After closes its origin this long, in seconds.
const CLOSED_BY_DEFAULT_SECONDS: u32 = 900;

struct Admission<'s> {
    _slot: Slot,
    _permit: Option<SemaphorePermit<'s>>,
}

/// One hop as it would be asked.
struct Ask<'a> {
    url: &'a Url,
    client: client::Key,
    fields: HeaderMap,
    validators: Option<&'a Validators>,
}

/// Follows a request to its end.
pub(super) async fn follow(shared: &Shared, mut request: Request<'_>) -> Result<Fetched, Error> {
    let mut slot = request.slot.take();
    let mut deadline = Deadline::new(request.options.timeout);
    let mut url = parse(request.url)?;
    let access = Access::new(&request, &url).await?;
    strip_userinfo(&mut url);
    let mut chain: Vec<Hop> = Vec::new();
    loop {
        let ask = ask_for(&request, &access, &url);
        let answer = once(shared, &request, ask, slot.take(), &mut deadline).await;
        let (status, target) = match answer {
            Answer::Redirect { status, target } => (status, target),
            Answer::Document(document) => return Ok(fetched(url, chain, document)),
            Answer::Failed(error) => return Err(error),
        };
        chain.push(Hop { status, url: url.as_str().to_owned() });
        check_chain(&chain, &target, shared.options.max_redirects)?;
        if request.purpose == Purpose::Page && origin(&target) != origin(&url) {
            obey_robots(shared, &request, &target, &mut deadline).await?;
        }
        url = target;
    }
}

fn ask_for<'a>(request: &Request<'a>, access: &Access<'_>, url: &'a Url) -> Ask<'a> {
    let options = request.options;
    Ask {
        url,
        client: client::Key {
            tls: url.scheme() == "https" || access.proxy_is_tls(),
            allow_private: options.allow_private_networks,
            proxy: options.proxy.as_ref().map(|proxy| proxy.expose().clone()),
        },
        fields: access.fields_for(url),
        validators: request.validators.filter(|validators| validators.url == url.as_str()),
    }
}

/// The answer to one hop: the one that another feed has just got, or else one of our own.
async fn once(
    shared: &Shared,
    request: &Request<'_>,
    ask: Ask<'_>,
    mut slot: Option<Slot>,
    deadline: &mut Deadline,
) -> Answer {
    let question = Question::new(ask.client.clone(), ask.url, &ask.fields);
    let mut turn = shared.answers.turn(question);
    if !turn.has_come() {
        // Whoever is asking may wait for the very slot that was given to us.
        drop(slot.take());
        deadline.pause(turn.wait()).await;
    }
    let validators = ask.validators;
    let earlier = turn.earlier(request.asker, validators);
    if let Some(answer) = earlier.filter(|answer| answer.holds_for(request.options.max_body)) {
        return answer;
    }
    let sent = send(shared, request, ask, slot, deadline).await;
    let answer = sent.unwrap_or_else(Answer::Failed);
    turn.keep(request.asker, validators, &answer);
    answer
}

/// A page that has moved to another host is that host's to allow.
async fn obey_robots(
    shared: &Shared,
    request: &Request<'_>,
    target: &Url,
    deadline: &mut Deadline,
) -> Result<(), Error> {
    // Boxed, because asking for robots.txt may follow redirects itself.
    let asked = Box::pin(robots::allows(shared, target, request));
    if deadline.pause(asked).await? {
        return Ok(());
    }
    Err(Error::Robots { host: target.host_str().unwrap_or_default().to_owned() })
}

/// One request, once everything allows it.
async fn send(
    shared: &Shared,
    request: &Request<'_>,
    ask: Ask<'_>,
    slot: Option<Slot>,
    deadline: &mut Deadline,
) -> Result<Answer, Error> {
    let Ask { url, client, mut fields, validators } = ask;
    let host = url.host_str().unwrap_or_default();
    if !client.allow_private && guard::is_private_literal(url) {
        return Err(Error::ForbiddenAddress { host: host.to_owned() });
    }
    check_open(shared, url, request)?;
    let _admission = deadline.pause(admit(shared, host, slot)).await;
    let client = shared.clients.get(&client)?;
    if let Some(validators) = validators {
        validators.apply(&mut fields);
    }
    let response = exchange::send(&shared.options, &client, url, fields, deadline).await?;
    match response.status().as_u16() {
        status @ (301 | 302 | 303 | 307 | 308) => {
            Ok(Answer::Redirect { status, target: redirect_target(url, response.headers())? })
        }
        _ => finish(shared, request, url, response, validators, deadline).await,
    }
}

/// Waits for the host's turn and for a place among all requests.
async fn admit<'s>(shared: &'s Shared, host: &str, slot: Option<Slot>) -> Admission<'s> {
    let (slot, permit) = match slot.filter(|slot| slot.host() == host) {
        // The semaphore is never closed; if it were, fetching on is right.
        Some(slot) => (slot, shared.concurrency.acquire().await.ok()),
        None => shared.hosts.enter_within(host, &shared.concurrency).await,
    };
    Admission { _slot: slot, _permit: permit }
}

fn check_open(shared: &Shared, url: &Url, request: &Request<'_>) -> Result<(), Error> {
    if !shared.hosts.any_closed() {
        return Ok(());
    }
    let origin = origin(url);
    match shared.hosts.closed_until(&origin, request.now) {
        Some(until) => Err(Error::Held { origin, until }),
        None => Ok(()),
    }
}

/// Reads an answer that is no redirect.
async fn finish(
    shared: &Shared,
    request: &Request<'_>,
    url: &Url,
    response: Response,
    sent: Option<&Validators>,
    deadline: &mut Deadline,
) -> Result<Answer, Error> {
    let status = response.status().as_u16();
    let fields = response.headers();
    let retry_after = RetryAfter::of(fields, request.now);
    let freshness = Freshness::of(fields, request.now);
    let validators = match (status, sent) {
        (304, Some(sent)) => sent.refreshed(fields),
        (200..=299, _) if status != 206 => Validators::of(url.as_str(), fields),
        _ => return Err(Error::Status(refused(shared, request, url, &response, retry_after))),
    };
    let mut body = None;
    if status != 304 {
        let encoding = headers::content_encoding(fields);
        let content_type = headers::content_type(fields);
        let ends_with_connection = headers::ends_with_connection(response.version(), fields);
        let (bytes, budget) =
            exchange::collect(response, request.options.max_body, &shared.budget, deadline).await?;
        body = Some(Received { bytes, encoding, content_type, ends_with_connection, budget });
    }
    let validators = Some(validators).filter(|validators| !validators.is_empty());
    Ok(Answer::Document(Document { status, body, validators, freshness, retry_after }))
}

fn fetched(url: Url, chain: Vec<Hop>, document: Document) -> Fetched {
    let Document { status, body, validators, freshness, retry_after } = document;
    Fetched {
        status: Some(status),
        final_url: url.into(),
        chain,
        body_bytes: body.as_ref().map_or(0, |body| body.bytes.len() as u64),
        body,
        validators,
        freshness,
        retry_after,
    }
}

/// The error of an unwelcome status; a 429 closes its origin for the other feeds at once.
fn refused(
    shared: &Shared,
    request: &Request<'_>,
    url: &Url,
    response: &Response,
    retry_after: Option<RetryAfter>,
) -> Box<StatusError> {
    let peer_is_private = match (&request.options.proxy, response.remote_addr()) {
        (None, Some(address)) => !guard::is_public(address.ip()),
        _ => false,
    };
    let error = Box::new(StatusError {
        status: response.status().as_u16(),
        url: url.as_str().to_owned(),
        retry_after,
        is_private: peer_is_private || guard::is_private_literal(url),
    });
    if let Some((origin, seconds)) = error.closes_origin(CLOSED_BY_DEFAULT_SECONDS) {
        shared.hosts.obey(&origin, Duration::from_secs(seconds.into()));
    }
    error
}

/// Reads a configured URL; a fragment is not part of a request.
fn parse(url: &str) -> Result<Url, Error> {
    let mut parsed = Url::parse(url).map_err(|error| Error::InvalidUrl(error.to_string()))?;
    if !matches!(parsed.scheme(), "http" | "https") {
        return Err(Error::InvalidUrl(format!("{}: is neither http nor https", parsed.scheme())));
    }
    parsed.set_fragment(None);
    Ok(parsed)
}

/// Userinfo goes into a header field, and only to the feed's own host.
fn strip_userinfo(url: &mut Url) {
    // Both fail only for URLs without a host, which http(s) URLs are not.
    let _ = url.set_username("");
    let _ = url.set_password(None);
}

/// Where a redirect leads. Location may be relative, and may hold bytes that it should not.
fn redirect_target(from: &Url, fields: &HeaderMap) -> Result<Url, Error> {
    let location =
        fields.get(LOCATION).ok_or_else(|| Error::BadRedirect("it has no Location".to_owned()))?;
    let location = String::from_utf8_lossy(location.as_bytes());
    let mut target =
        from.join(location.trim()).map_err(|error| Error::BadRedirect(error.to_string()))?;
    if !matches!(target.scheme(), "http" | "https") {
        return Err(Error::BadRedirect(format!("{}: is neither http nor https", target.scheme())));
    }
    target.set_fragment(None);
    strip_userinfo(&mut target);
    Ok(target)
}

fn check_chain(chain: &[Hop], target: &Url, max_redirects: usize) -> Result<(), Error> {
    let is_loop = chain.iter().any(|hop| hop.url == target.as_str());
    if is_loop || chain.len() > max_redirects {
        return Err(Error::TooManyRedirects { hops: chain.len(), is_loop });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use reqwest::header::HeaderValue;

    use super::*;

    fn target(location: &[u8]) -> Result<String, &'static str> {
        let mut fields = HeaderMap::new();
        fields.insert(LOCATION, HeaderValue::from_bytes(location).unwrap());
        let from = Url::parse("https://a.example/feeds/one.xml?q").unwrap();
        redirect_target(&from, &fields).map(String::from).map_err(|error| error.kind())
    }

    #[test]
    fn redirects_lead_where_publishers_mean() {
        assert_eq!(target(b"two.xml").as_deref(), Ok("https://a.example/feeds/two.xml"));
        assert_eq!(target(b" /two.xml#part ").as_deref(), Ok("https://a.example/two.xml"));
        assert_eq!(target(b"//b.example/x").as_deref(), Ok("https://b.example/x"));
        assert_eq!(target(b"http://me:pw@b.example/").as_deref(), Ok("http://b.example/"));
        assert_eq!(target("/é".as_bytes()).as_deref(), Ok("https://a.example/%C3%A9"));
        for location in
            [&b"file:///etc/passwd"[..], b"data:text/plain,x", b"ftp://a/", b"http://", b"feed:x"]
        {
            assert_eq!(target(location), Err("bad_redirect"), "{location:?}");
        }
    }

    #[test]
    fn a_chain_ends_where_it_meets_itself() {
        let chain = [
            Hop { status: 302, url: "http://a/".into() },
            Hop { status: 302, url: "http://b/".into() },
        ];
        let url = |text| Url::parse(text).unwrap();
        assert!(check_chain(&chain, &url("http://c/"), 2).is_ok());
        assert!(check_chain(&chain, &url("http://a/"), 9).is_err());
        assert!(check_chain(&chain, &url("http://c/"), 1).is_err());
    }

    proptest! {
        #[test]
        fn no_location_leads_out_of_http(location in proptest::collection::vec(any::<u8>(), 0..60)) {
            let mut fields = HeaderMap::new();
            if let Ok(location) = HeaderValue::from_bytes(&location) {
                fields.insert(LOCATION, location);
            }
            if let Ok(target) = redirect_target(&Url::parse("https://a.example/x").unwrap(), &fields) {
                prop_assert!(matches!(target.scheme(), "http" | "https"));
                prop_assert!(target.username().is_empty() && target.password().is_none());
                prop_assert!(target.fragment().is_none() && target.host().is_some());
            }
        }
    }
}
