//! The fetcher against a real server: limits, deadlines, redirects, validators, credentials, manners.

use std::time::{Duration, Instant};

use newsfold::{
    fetch::{
        Credentials, Error, FetchOptions, Fetched, Fetcher, Manners, Options, Password, Purpose,
        Request, Secret, Validators,
    },
    model::Timestamp,
};

use crate::support::server::{Reply, Server, rss};

const MAX_BODY: u64 = 100_000;

fn now() -> Timestamp {
    "2026-11-24T09:15:00Z".parse().unwrap()
}

fn fetcher() -> Fetcher {
    Fetcher::new(Options {
        manners: Manners { per_host: 64, host_delay: Duration::ZERO },
        first_byte_timeout: Duration::from_millis(300),
        max_redirects: 3,
        ..Options::default()
    })
}

fn open() -> FetchOptions {
    FetchOptions {
        allow_private_networks: true,
        timeout: Duration::from_millis(800),
        max_body: MAX_BODY,
        ..FetchOptions::default()
    }
}

async fn get(url: &str) -> Result<Fetched, Error> {
    get_with(url, &open(), None).await
}

async fn get_with(
    url: &str,
    options: &FetchOptions,
    validators: Option<&Validators>,
) -> Result<Fetched, Error> {
    fetcher().fetch(Request { validators, ..Request::feed(url, options, now()) }).await
}

fn through_proxy(server: &Server) -> FetchOptions {
    let proxy = Some(Secret::new(&server.url("/")));
    FetchOptions { proxy, allow_private_networks: false, ..open() }
}

#[tokio::test]
async fn a_feed_comes_with_all_that_is_known_about_it() {
    let server = Server::start();
    let reply = Reply::feed(rss(&["one"]))
        .gzip()
        .header("ETag", "W/\"1\"")
        .header("Cache-Control", "max-age=600");
    server.always("/feed", reply);
    let fetched = get(&server.url("/feed#part")).await.unwrap();
    assert_eq!(fetched.status, Some(200));
    assert_eq!(fetched.final_url, server.url("/feed"));
    assert_eq!(fetched.freshness.max_age_seconds, Some(600));
    assert_eq!(fetched.validators.unwrap().etag.as_deref(), Some("W/\"1\""));
    let body = fetched.body.unwrap();
    assert_eq!(body.content_type.as_deref(), Some("application/rss+xml; charset=utf-8"));
    assert_eq!(body.decode(MAX_BODY).unwrap(), rss(&["one"]).into_bytes());
}

#[tokio::test]
async fn a_request_says_who_we_are_and_nothing_else() {
    let server = Server::start();
    server.always("/feed?a=b&c", Reply::feed("x"));
    get(&server.url("/feed?a=b&c")).await.unwrap();
    let [request] = &server.log()[..] else { panic!("more than one request") };
    assert_eq!((request.method.as_str(), request.target.as_str()), ("GET", "/feed?a=b&c"));
    let mut names: Vec<_> =
        request.headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
    names.sort_unstable();
    assert_eq!(names, ["accept", "accept-encoding", "host", "user-agent"]);
    let agent = request.header("user-agent").unwrap();
    assert!(
        agent.starts_with(concat!("newsfold/", env!("CARGO_PKG_VERSION"), " (+http")),
        "{agent}"
    );
    assert_eq!(request.header("accept-encoding").unwrap(), "gzip, br, zstd");
    assert!(request.header("accept").unwrap().contains("application/rss+xml"));
}

#[tokio::test]
async fn validators_go_back_byte_for_byte_to_their_own_url_only() {
    let server = Server::start();
    let (etag, date) = (&b"\"caf\xe9\" odd"[..], "Tuesday-ish 2026");
    server.validated("/feed", Reply::feed("x").header("ETag", etag).header("Last-Modified", date));
    server.always("/old", Reply::redirect(302, "/feed"));
    let first = get(&server.url("/feed")).await.unwrap();
    let kept = first.validators.unwrap();
    let again = get_with(&server.url("/feed"), &open(), Some(&kept)).await.unwrap();
    assert!(again.is_not_modified());
    assert_eq!(again.validators.as_ref(), Some(&kept));
    let sent = server.requests("/feed").pop().unwrap();
    assert!(sent.headers.iter().any(|(_, value)| value == etag));
    assert_eq!(sent.header("if-modified-since").as_deref(), Some(date));

    // Asked by way of another URL: that one gets nothing, this one its own.
    assert!(get_with(&server.url("/old"), &open(), Some(&kept)).await.unwrap().is_not_modified());
    assert!(!server.requests("/old")[0].is_conditional());
    let of_old = Validators { url: server.url("/old"), ..kept };
    let redirected = get_with(&server.url("/old"), &open(), Some(&of_old)).await.unwrap();
    assert!(server.requests("/old")[1].is_conditional());
    assert!(!server.requests("/feed").pop().unwrap().is_conditional());
    assert_eq!(redirected.validators.unwrap().url, server.url("/feed"));
}

#[tokio::test]
async fn a_304_may_bring_new_validators_and_must_have_been_asked_for() {
    let server = Server::start();
    server.always("/feed", Reply::status(304).header("ETag", "2"));
    let old = Validators {
        url: server.url("/feed"),
        etag: Some("1".into()),
        last_modified: Some("x".into()),
    };
    let fetched = get_with(&server.url("/feed"), &open(), Some(&old)).await.unwrap();
    assert_eq!(fetched.validators, Some(Validators { etag: Some("2".into()), ..old }));
    assert_eq!(get(&server.url("/feed")).await.unwrap_err().kind(), "http_status");
}

#[tokio::test]
async fn redirects_are_followed_and_told() {
    let server = Server::start();
    server.always("/a", Reply::redirect(301, "/b"));
    server.always("/b", Reply::redirect(307, &server.url("/c")));
    server.always("/c", Reply::feed("x"));
    let fetched = get(&server.url("/a")).await.unwrap();
    let chain: Vec<_> = fetched.chain.iter().map(|hop| (hop.status, hop.url.clone())).collect();
    assert_eq!(chain, [(301, server.url("/a")), (307, server.url("/b"))]);
    assert_eq!(fetched.final_url, server.url("/c"));
    assert_eq!(server.connections(), 1, "keep-alive");
}

#[tokio::test]
async fn circles_and_long_chains_end() {
    let server = Server::start();
    server.always("/a", Reply::redirect(302, "/b"));
    server.always("/b", Reply::redirect(302, "/a"));
    let error = get(&server.url("/a")).await.unwrap_err();
    assert_eq!(error.to_string(), "gave up after 2 redirects, which run in a circle");
    assert_eq!(server.log().len(), 2, "no URL is asked twice");
    for n in 0..9 {
        server.always(&format!("/n{n}"), Reply::redirect(302, &format!("/n{}", n + 1)));
    }
    assert_eq!(get(&server.url("/n0")).await.unwrap_err().kind(), "too_many_redirects");
    assert_eq!(server.log().len(), 2 + 4);
    server.always("/self", Reply::redirect(301, "/self"));
    let error = get(&server.url("/self")).await.unwrap_err();
    assert_eq!(error.to_string(), "gave up after 1 redirect, which leads to itself");
    server.always("/f", Reply::redirect(302, "file:///etc/hostname"));
    assert_eq!(get(&server.url("/f")).await.unwrap_err().kind(), "bad_redirect");
    server.always("/nowhere", Reply::status(301));
    assert_eq!(get(&server.url("/nowhere")).await.unwrap_err().kind(), "bad_redirect");
}

#[tokio::test]
async fn statuses_are_errors_with_their_orders() {
    let server = Server::start();
    for (status, kind) in
        [(404, "not_found"), (410, "gone"), (503, "server_error"), (418, "http_status")]
    {
        server.always("/feed", Reply::status(status).header("Retry-After", "77").body("sorry"));
        let error = get(&server.url("/feed")).await.unwrap_err();
        assert_eq!((error.kind(), error.status()), (kind, Some(status)));
        assert_eq!(error.retry_after().unwrap().seconds, 77);
    }
}

#[tokio::test]
async fn limits_hold() {
    let server = Server::start();
    let kind = async |path: &str| get(&server.url(path)).await.unwrap_err().kind();
    server.always("/announced", Reply::feed(vec![b'x'; 100_001]));
    assert_eq!(kind("/announced").await, "too_large");
    server.always("/endless", Reply::feed(vec![b'x'; 10_000]).endless());
    assert_eq!(kind("/endless").await, "too_large");
    let fields = (0..200)
        .fold(Reply::feed("x"), |reply, n| reply.header(&format!("X-{n}"), vec![b'y'; 1_000]));
    server.always("/header", fields);
    assert_eq!(kind("/header").await, "too_large");
    server.always("/huge-header", Reply::feed("x").header("X-Huge", vec![b'y'; 1_000_000]));
    assert_eq!(kind("/huge-header").await, "too_large");
    server.always("/just", Reply::feed(vec![b'x'; 100_000]));
    assert_eq!(get(&server.url("/just")).await.unwrap().body_bytes, 100_000);
    server.always("/bomb", Reply::feed(vec![0; 100_001]).gzip());
    let bomb = get(&server.url("/bomb")).await.unwrap().body.unwrap();
    assert_eq!(bomb.decode(MAX_BODY).unwrap_err().kind(), "too_large");
}

#[tokio::test]
async fn deadlines_hold() {
    let server = Server::start();
    server.always("/mute", Reply::mute());
    let begin = Instant::now();
    let error = get(&server.url("/mute")).await.unwrap_err();
    assert_eq!(error.to_string(), "the answer took longer than 0.3 s");
    server.always("/stalled", Reply::feed(rss(&["one"])).stalled());
    let error = get(&server.url("/stalled")).await.unwrap_err();
    assert_eq!(error.to_string(), "the whole fetch took longer than 0.8 s");
    assert!(begin.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn broken_conversations_are_protocol_errors() {
    let server = Server::start();
    server.always("/cut", Reply::feed(rss(&["one"])).cut());
    assert_eq!(get(&server.url("/cut")).await.unwrap_err().kind(), "protocol");
    server.always("/junk", Reply::raw("SSH-2.0-OpenSSH\r\n\r\n"));
    assert_eq!(get(&server.url("/junk")).await.unwrap_err().kind(), "protocol");
    server.always("/nothing", Reply::raw(""));
    assert_eq!(get(&server.url("/nothing")).await.unwrap_err().kind(), "protocol");
}

#[tokio::test]
async fn nobody_at_home_is_connect_and_no_name_is_dns() {
    let address = {
        let server = Server::start();
        server.address()
    };
    assert_eq!(get(&format!("http://{address}/")).await.unwrap_err().kind(), "connect");
    let error = get("http://no-such-host.invalid/").await.unwrap_err();
    assert!(matches!(error.kind(), "dns" | "timeout"), "{error}");
    let server = Server::start();
    let error = get(&server.url("/").replace("http:", "https:")).await.unwrap_err();
    assert_eq!(error.kind(), "tls", "{error}");
}

#[tokio::test]
async fn private_addresses_are_refused_in_every_form_and_at_every_hop() {
    let server = Server::start();
    let port = server.address().port();
    let closed = FetchOptions { allow_private_networks: false, ..open() };
    for host in [
        "127.0.0.1",
        "127.1",
        "0x7f.1",
        "2130706433",
        "[::ffff:127.0.0.1]",
        "[::1]",
        "localhost",
        "0",
    ] {
        let error =
            get_with(&format!("http://{host}:{port}/feed"), &closed, None).await.unwrap_err();
        assert_eq!(error.kind(), "forbidden_address", "{host}");
    }
    assert!(server.log().is_empty());
    // A public host, played by a proxy, leads to a private one.
    server.always("http://news.example/feed", Reply::redirect(302, "http://127.0.0.1/secret"));
    let error =
        get_with("http://news.example/feed", &through_proxy(&server), None).await.unwrap_err();
    assert_eq!(error.kind(), "forbidden_address");
    assert_eq!(server.log().len(), 1);
}

#[tokio::test]
async fn credentials_and_own_headers_stay_with_their_host() {
    let server = Server::start();
    server.always("http://news.example/feed", Reply::redirect(302, "http://news.example/there"));
    server.always("http://news.example/there", Reply::redirect(302, "http://other.example/feed"));
    server.always("http://other.example/feed", Reply::feed("x"));
    let options = FetchOptions {
        credentials: Some(Credentials {
            username: "me".into(),
            password: Password::Value(Secret::new("pass")),
        }),
        headers: vec![("X-Token".into(), Secret::new("t0ken"))],
        ..through_proxy(&server)
    };
    get_with("http://news.example/feed", &options, None).await.unwrap();
    let log = server.log();
    for request in &log[..2] {
        assert_eq!(request.header("authorization").as_deref(), Some("Basic bWU6cGFzcw=="));
        assert_eq!(request.header("x-token").as_deref(), Some("t0ken"));
    }
    assert_eq!(log[2].header("authorization"), None);
    assert_eq!(log[2].header("x-token"), None);
}

#[tokio::test]
async fn userinfo_of_a_url_is_a_header_and_is_never_told() {
    let server = Server::start();
    server.always("/feed", Reply::feed("x"));
    let url = server.url("/feed").replace("http://", "http://me:pass@");
    let fetched = get(&url).await.unwrap();
    assert_eq!(fetched.final_url, server.url("/feed"));
    assert_eq!(server.log()[0].header("authorization").as_deref(), Some("Basic bWU6cGFzcw=="));
    drop(server);
    let error = get(&url).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("pass"), "{error:?}");
}

#[tokio::test]
async fn a_429_closes_its_origin_for_every_feed_but_not_on_private_networks() {
    let server = Server::start();
    server.always("http://news.example/a", Reply::status(429).header("Retry-After", "600"));
    server.always("http://news.example/b", Reply::feed("x"));
    server.always("http://other.example/b", Reply::feed("x"));
    let (fetcher, options) = (fetcher(), through_proxy(&server));
    let get =
        async |url: &str| fetcher.fetch(Request::feed(url, &options, now())).await.map(|_| ());
    assert_eq!(get("http://news.example/a").await.unwrap_err().kind(), "rate_limited");
    let held = get("http://news.example/b").await.unwrap_err();
    assert_eq!(
        held.to_string(),
        "http://news.example is not to be asked before 2026-11-24T09:25:00Z"
    );
    get("http://other.example/b").await.unwrap();
    assert_eq!(server.log().len(), 2);

    server.always("/a", Reply::status(429));
    server.always("/b", Reply::feed("x"));
    let options = open();
    let get = async |path: &str| {
        fetcher.fetch(Request::feed(&server.url(path), &options, now())).await.map(|_| ())
    };
    get("/a").await.unwrap_err();
    get("/b").await.unwrap();
}

#[tokio::test]
async fn a_host_is_asked_by_its_manners() {
    let server = Server::start();
    for n in 0..6 {
        server.always(&format!("/{n}"), Reply::feed("x").after(Duration::from_millis(300)));
    }
    let manners = Manners { per_host: 2, host_delay: Duration::from_millis(100) };
    let fetcher = Fetcher::new(Options { manners, ..Options::default() });
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..6 {
        let (fetcher, url) = (fetcher.clone(), server.url(&format!("/{n}")));
        tasks.spawn(
            async move { fetcher.fetch(Request::feed(&url, &open(), now())).await.map(|_| ()) },
        );
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap().unwrap();
    }
    assert_eq!(server.most_in_flight(), 2);
    let log = server.log();
    // The server stamps arrivals, which may be closer than the starts where the machine is busy.
    assert!(log.windows(2).all(|pair| pair[1].at - pair[0].at >= Duration::from_millis(50)));
}

#[tokio::test]
async fn large_bodies_share_a_budget_and_none_waits_for_ever() {
    let server = Server::start();
    let body = vec![b'x'; 3_000_000];
    for n in 0..20 {
        server.always(&format!("/{n}"), Reply::feed(body.clone()));
    }
    let fetcher = Fetcher::new(Options {
        manners: Manners { per_host: 64, host_delay: Duration::ZERO },
        body_budget_bytes: 1,
        ..Options::default()
    });
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..20 {
        let (fetcher, url) = (fetcher.clone(), server.url(&format!("/{n}")));
        let options =
            FetchOptions { max_body: 4 << 20, timeout: Duration::from_secs(20), ..open() };
        tasks.spawn(async move {
            let fetched = fetcher.fetch(Request::feed(&url, &options, now())).await?;
            fetched.body.map_or(Ok(0), |body| body.decode(4 << 20).map(|bytes| bytes.len()))
        });
    }
    while let Some(done) = tasks.join_next().await {
        assert_eq!(done.unwrap().unwrap(), 3_000_000);
    }
}

#[tokio::test]
async fn robots_txt_is_asked_once_and_obeyed() {
    let server = Server::start();
    let (fetcher, options) = (fetcher(), open());
    let may = async |path: &str, now| {
        let url = server.url(path);
        let page = Request { asker: "feed", ..Request::feed(&url, &options, now) };
        fetcher.may_fetch_page(&page).await.unwrap()
    };
    server.always("/robots.txt", Reply::status(200).body("User-agent: *\nDisallow: /private/\n"));
    assert!(may("/news/1", now()).await);
    assert!(!may("/private/1", now()).await);
    assert_eq!(server.log().len(), 1);
    // A day later it is asked again; as long as it cannot be had, nothing else is asked.
    server.always("/robots.txt", Reply::status(503));
    let tomorrow = now().plus_seconds(86_400);
    assert!(!may("/news/1", tomorrow).await);
    assert!(!may("/news/1", tomorrow.plus_seconds(3_599)).await);
    assert_eq!(server.log().len(), 2);
    server.always("/robots.txt", Reply::status(404));
    assert!(may("/private/1", tomorrow.plus_seconds(3_601)).await);
}

#[tokio::test]
async fn a_page_that_moved_to_another_host_needs_that_hosts_leave() {
    let server = Server::start();
    server.always("http://news.example/1", Reply::redirect(301, "http://other.example/1"));
    server.always("http://other.example/1", Reply::status(200).body("<p>text</p>"));
    server.always(
        "http://other.example/robots.txt",
        Reply::status(200).body("User-agent: newsfold\nDisallow: /"),
    );
    let options = through_proxy(&server);
    let page = |url| Request { purpose: Purpose::Page, ..Request::feed(url, &options, now()) };
    let error = fetcher().fetch(page("http://news.example/1")).await.unwrap_err();
    assert_eq!(error.kind(), "robots_txt");
    assert!(server.requests("http://other.example/1").is_empty());
    server.always("http://other.example/robots.txt", Reply::status(404));
    fetcher().fetch(page("http://news.example/1")).await.unwrap();
}
