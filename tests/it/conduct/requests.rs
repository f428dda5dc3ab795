//! What a request says and does not say, how many a host gets, and over which connections.

use super::*;

#[test]
fn a_feed_costs_one_get_that_says_who_asks_and_nothing_else() {
    let server = Server::start();
    let reply = Reply::feed(rss(&["one", "two"])).gzip().header("Set-Cookie", "id=1; Path=/");
    server.always("/feed?key=value", reply);
    let program = one_feed(&server, "/feed?key=value", "");
    round(&program).expect(0);
    let log = server.log();
    assert_eq!(log.len(), 1, "no icons, robots or pages: {log:?}");
    rounds(&program, 2);
    assert_eq!(server.log().len(), 3);
    for request in server.log() {
        assert_eq!((request.method.as_str(), request.target.as_str()), ("GET", "/feed?key=value"));
        let mut names: Vec<_> =
            request.headers.iter().map(|(name, _)| name.to_lowercase()).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            ["accept", "accept-encoding", "host", "user-agent"],
            "no cookies, no Referer"
        );
        let agent = request.header("user-agent").unwrap();
        assert!(
            agent.starts_with(concat!("newsfold/", env!("CARGO_PKG_VERSION"), " (+https://")),
            "{agent}"
        );
        let encodings = request.header("accept-encoding").unwrap();
        assert!(["gzip", "br", "zstd"].iter().all(|name| encodings.contains(name)), "{encodings}");
        assert!(request.header("accept").unwrap().contains("application/rss+xml"));
    }
}

#[test]
fn a_redirect_brings_no_referer_no_cookie_and_no_second_request() {
    let server = Server::start();
    server.always("/a", Reply::redirect(302, "/b").header("Set-Cookie", "id=1"));
    server.always("/b", Reply::redirect(302, "/a"));
    let program = one_feed(&server, "/a", "");
    round(&program).expect(75);
    let log = server.log();
    assert_eq!(log.len(), 2, "one request for one URL");
    assert!(log.iter().all(|it| it.header("referer").is_none() && it.header("cookie").is_none()));
}

/// Feeds at these paths, each behind the one before it, and all at once.
fn feeds_at(server: &Server, paths: &[(&str, &str)]) -> Program {
    paths.iter().fold(Program::new().settings(OPEN), |program, (path, keys)| {
        program.feed_at(&server.url(path), keys)
    })
}

#[test]
fn feeds_that_redirect_to_one_url_ask_it_once_in_a_cycle() {
    let server = Server::start();
    for path in ["/a", "/b"] {
        server.always(path, Reply::redirect(302, "/feed"));
    }
    server.validated("/feed", Reply::feed(rss(&["one"])).header("ETag", "\"1\""));
    let program = feeds_at(&server, &[("/a", ""), ("/feed", ""), ("/b", "")]);
    for times in 1..=3 {
        round(&program).expect(0);
        assert_eq!(server.requests("/feed").len(), times);
        let polls =
            format!("SELECT count(*), min(http_status) FROM polls WHERE id > {}", (times - 1) * 3);
        assert_eq!(program.sqlite(&polls), [if times == 1 { "3|200" } else { "3|304" }]);
    }
    assert_eq!(conditional(&server.requests("/feed")), [false, true, true]);
    assert_eq!((server.requests("/a").len(), server.requests("/b").len()), (3, 3));
}

#[test]
fn a_refusal_is_shared_too() {
    let server = Server::start();
    for path in ["/a", "/b"] {
        server.always(path, Reply::redirect(302, "/feed"));
    }
    server.always("/feed", Reply::status(503).header("Retry-After", "36000"));
    let program = feeds_at(&server, &[("/a", ""), ("/b", "")]);
    round(&program).expect(75);
    assert_eq!(server.requests("/feed").len(), 1);
    assert_eq!(
        program.sqlite("SELECT next_poll_reason, error_kind, count(*) FROM feeds GROUP BY 1, 2"),
        ["retry_after|server_error|2"]
    );
}

#[test]
fn a_failure_is_met_once_in_a_cycle() {
    let server = Server::start();
    let paths = ["/a", "/b", "/c", "/d"];
    let (large, hanging) = ("x".repeat(70_000), Reply::feed(rss(&["one"])));
    server.always("/large", Reply::feed(large));
    server.always("/hanging", hanging.after(Duration::from_secs(20)));
    for target in ["/large", "/hanging"] {
        for path in paths {
            server.always(path, Reply::redirect(302, target));
        }
        let program = paths.iter().fold(
            Program::new()
                .settings(OPEN)
                .settings("max_body = \"64KiB\"\nfirst_byte_timeout = \"1s\""),
            |program, path| program.feed_at(&server.url(path), ""),
        );
        round(&program).expect(75);
        assert_eq!(server.requests(target).len(), 1, "{target}");
        let kinds = program.sqlite("SELECT error_kind, count(*) FROM feeds GROUP BY 1");
        let kind = if target == "/large" { "too_large|4" } else { "timeout|4" };
        assert_eq!(kinds, [kind]);
    }
}

/// A feed that lists two pages of news.example, and those pages.
fn feed_with_pages(server: &Server, feeds: &[&str]) {
    let links = ["http://news.example/1", "http://news.example/2"];
    let items: String = links
        .iter()
        .map(|link| format!("<item><title>About {link}</title><link>{link}</link><description>Short.</description></item>"))
        .collect();
    let document =
        format!("<rss version=\"2.0\"><channel><title>Pages</title>{items}</channel></rss>");
    for feed in feeds {
        server.always(feed, Reply::feed(document.clone()));
    }
    let paragraph = "A paragraph of the article that says a good deal more than the feed's own short text did. ";
    for link in links {
        let html =
            format!("<html><body><article><p>{}</p></article></body></html>", paragraph.repeat(12));
        server.always(link, Reply::status(200).header("Content-Type", "text/html").body(html));
    }
}

#[test]
fn feeds_that_list_the_same_pages_ask_each_once_in_a_cycle() {
    let server = Server::start();
    let feeds = ["http://news.example/feed", "http://other.example/feed"];
    feed_with_pages(&server, &feeds);
    let robots = Reply::status(404).after(Duration::from_millis(500));
    server.always("http://news.example/robots.txt", robots);
    let program = feeds
        .iter()
        .fold(proxied(&server), |program, feed| program.feed_at(feed, "content.source = \"page\""));
    round(&program).expect(0);
    for target in
        ["http://news.example/robots.txt", "http://news.example/1", "http://news.example/2"]
    {
        assert_eq!(server.requests(target).len(), 1, "{target}");
    }
    assert_eq!(
        program.sqlite("SELECT count(*) FROM articles WHERE body LIKE 'A paragraph%'"),
        ["2"]
    );
}

#[test]
fn a_429_on_a_page_closes_its_origin_for_every_process() {
    let server = Server::start();
    feed_with_pages(&server, &["http://other.example/feed"]);
    server.always("http://news.example/robots.txt", Reply::status(404));
    let order = Reply::status(429).header("Retry-After", "7200");
    server.always("http://news.example/2", order.clone());
    server.always("http://news.example/1", order);
    server.always("http://news.example/feed", Reply::feed(rss(&["one"])));
    let program =
        proxied(&server).feed_at("http://other.example/feed", "content.source = \"page\"");
    round(&program).expect(0);
    let program = program.feed_at("http://news.example/feed", "");
    round(&program);
    let asked: Vec<String> = server.log().into_iter().map(|it| it.target).collect();
    let to_news: Vec<&String> = asked.iter().filter(|it| it.contains("news.example")).collect();
    assert_eq!(to_news.len(), 2, "robots.txt and one page: {to_news:?}");
    assert_eq!(
        program.sqlite(
            "SELECT origin, unixepoch(retry_after_until) - unixepoch('now') > 7000 FROM hosts"
        ),
        ["http://news.example|1"]
    );
}

#[test]
fn what_one_feed_may_see_is_not_shown_to_another() {
    let server = Server::start();
    for path in ["/a", "/b", "/c"] {
        server.always(path, Reply::redirect(302, "/feed"));
    }
    server.always("/feed", Reply::feed(rss(&["one"])));
    let keys = "headers = { X-Token = \"t0ken\" }";
    let program = feeds_at(&server, &[("/a", keys), ("/b", ""), ("/c", keys)]);
    round(&program).expect(0);
    let mut asked: Vec<bool> =
        server.requests("/feed").iter().map(|it| it.header("x-token").is_some()).collect();
    asked.sort_unstable();
    assert_eq!(asked, [false, true], "once with it, once without");
}

#[test]
fn every_offered_encoding_is_understood() {
    let server = Server::start();
    let text = rss(&["packed"]);
    let zstd = zstd::encode_all(text.as_bytes(), 3).unwrap();
    // One stored block of Brotli (RFC 7932, 9.2).
    let head = (u32::try_from(text.len()).unwrap() - 1) << 4 | 1 << 20;
    let brotli = [&head.to_le_bytes()[..3], text.as_bytes(), &[3]].concat();
    server.always("/gzip", Reply::feed(text).gzip());
    server.always("/zstd", Reply::feed(zstd).header("Content-Encoding", "zstd"));
    server.always("/br", Reply::feed(brotli).header("Content-Encoding", "br"));
    let program =
        ["/gzip", "/zstd", "/br"].iter().fold(Program::new().settings(OPEN), |program, path| {
            program.feed_at(&server.url(path), "")
        });
    round(&program).expect(0);
    assert_eq!(
        program.sqlite("SELECT count(*), min(entries) FROM polls WHERE outcome = 'changed'"),
        ["3|1"]
    );
}

#[test]
fn credentials_stay_with_their_host_and_out_of_log_and_database() {
    let server = Server::start();
    server.always("http://news.example/feed", Reply::redirect(302, "http://other.example/feed"));
    server.always("http://other.example/feed", Reply::feed(rss(&["one"])));
    server.always("http://news.example/fails", Reply::status(401));
    let keys = "username = \"reader\"\npassword_file = \"password\"\nheaders = { X-Token = \"t0ken-5ecret\" }";
    let program = proxied(&server)
        .feed_at("http://news.example/feed", keys)
        .feed_at("http://news.example/fails", keys);
    program.write("password", "pa55word\n");
    let ended = program.run(&["-v", "once", "--all"]);
    for request in server.log() {
        let (authorization, token) = (request.header("authorization"), request.header("x-token"));
        if request.target.contains("news.example") {
            assert_eq!(authorization.as_deref(), Some("Basic cmVhZGVyOnBhNTV3b3Jk"));
            assert_eq!(token.as_deref(), Some("t0ken-5ecret"));
        } else {
            assert_eq!((authorization, token), (None, None));
        }
    }
    assert_eq!(server.log().len(), 3);
    let database = std::fs::read(program.database()).unwrap();
    let logged = format!("{}{}", ended.stdout, ended.stderr);
    for secret in ["pa55word", "t0ken-5ecret", "cmVhZGVyOnBhNTV3b3Jk"] {
        assert!(!logged.contains(secret), "{logged}");
        assert!(!database.windows(secret.len()).any(|window| window == secret.as_bytes()));
    }
}

#[test]
fn credentials_do_not_move_with_a_feed() {
    let server = Server::start();
    server.always("http://news.example/feed", Reply::redirect(301, "http://other.example/feed"));
    server.always("http://other.example/feed", Reply::feed(rss(&["one"])));
    let keys = "username = \"reader\"\npassword_file = \"password\"\nheaders = { X-Token = \"t0ken-5ecret\" }\n\
                poll.adopt_redirects_after = \"0s\"";
    let program = proxied(&server).feed_at("http://news.example/feed", keys);
    program.write("password", "pa55word\n");
    for _ in 0..2 {
        program.run(&["once", "--all"]).expect(0);
    }
    let asked: Vec<_> = server
        .log()
        .iter()
        .map(|request| {
            let secrets = ["authorization", "x-token"].map(|name| request.header(name).is_some());
            (request.target.contains("news.example"), secrets)
        })
        .collect();
    let (at_home, moved) = ((true, [true, true]), (false, [false, false]));
    assert_eq!(asked, [at_home, moved, moved]);
}

#[test]
fn a_feed_has_its_own_user_agent_and_proxy() {
    let (server, proxy) = (Server::start(), Server::start());
    server.always("/feed", Reply::feed(rss(&["one"])));
    proxy.always("http://news.example/feed", Reply::feed(rss(&["two"])));
    let program = Program::new()
        .settings(OPEN)
        .feed_at(&server.url("/feed"), "fetch.user_agent = \"Reader of the Gazette\"")
        .feed_at("http://news.example/feed", &format!("fetch.proxy = \"{}\"", proxy.url("")));
    round(&program).expect(0);
    assert_eq!(server.log()[0].header("user-agent").as_deref(), Some("Reader of the Gazette"));
    assert_eq!(proxy.log().len(), 1);
}

#[test]
fn robots_txt_is_asked_for_pages_only_before_the_first_and_obeyed() {
    let server = Server::start();
    let links = [
        "http://news.example/open/1",
        "http://news.example/private/2",
        "http://news.example/open/3",
    ];
    let items: String = links
        .iter()
        .map(|link| format!("<item><title>About {link}</title><link>{link}</link><description>Short.</description></item>"))
        .collect();
    let feed = format!("<rss version=\"2.0\"><channel><title>Pages</title>{items}</channel></rss>");
    server.always("http://news.example/feed", Reply::feed(feed));
    let robots = Reply::status(200).body("User-agent: *\nDisallow: /private/\n");
    server.always("http://news.example/robots.txt", robots);
    let paragraph = "A paragraph of the article that says a good deal more than the feed's own short text did. ";
    for link in links {
        let html = format!(
            "<html><body><article><h1>About {link}</h1><p>{}</p></article></body></html>",
            paragraph.repeat(12)
        );
        server.always(link, Reply::status(200).header("Content-Type", "text/html").body(html));
    }
    let program = proxied(&server).feed_at("http://news.example/feed", "content.source = \"page\"");
    rounds(&program, 2);
    let asked: Vec<String> =
        server.log().into_iter().map(|it| it.target.replace("http://news.example", "")).collect();
    assert_eq!(asked, ["/feed", "/robots.txt", "/open/1", "/open/3", "/feed"]);
}

#[test]
fn feeds_explain_says_which_rule_set_the_next_poll() {
    let server = Server::start();
    let document = rss_with("<ttl>30</ttl><skipHours><hour>99</hour></skipHours>");
    server.always("/feed", Reply::feed(document).header("Cache-Control", "max-age=7200"));
    let program = one_feed(&server, "/feed", "poll.interval = \"15m\"");
    round(&program).expect(0);
    let explained = program.run(&["feeds", "explain", "1"]).expect(0).stdout;
    for words in [
        "last poll",
        "set by max_age",
        "poll.interval = 15 min",
        "max-age less Age: 2 h",
        "ttl",
        "jitter",
        "200",
    ] {
        assert!(explained.contains(words), "{words}: {explained}");
    }
}

#[test]
fn a_host_has_its_limit_and_its_delay() {
    let server = Server::start();
    let mut program = Program::new()
        .settings("[fetch]\nallow_private_networks = true\nhost_delay = \"150ms\"\nper_host = 2");
    for n in 0..8 {
        server
            .always(&format!("/{n}"), Reply::feed(rss(&["one"])).after(Duration::from_millis(400)));
        program = program.feed_at(&server.url(&format!("/{n}")), "");
    }
    round(&program).expect(0);
    let log = server.log();
    assert_eq!((log.len(), server.most_in_flight()), (8, 2));
    // Starts are 150 ms apart; the server sees arrivals, a little less exactly.
    assert!(log.windows(2).all(|pair| pair[1].at - pair[0].at >= Duration::from_millis(120)));
}

#[test]
fn a_429_stops_every_feed_of_its_origin() {
    let server = Server::start();
    for n in 0..4 {
        let reply = Reply::status(429).header("Retry-After", "3600");
        server.always(&format!("http://news.example/{n}"), reply);
    }
    server.always("http://other.example/feed", Reply::feed(rss(&["one"])));
    let mut program = Program::new()
        .settings("[fetch]\nhost_delay = \"0s\"\nper_host = 1")
        .settings(&format!("proxy = \"{}\"", server.url("")));
    for n in 0..4 {
        program = program.feed_at(&format!("http://news.example/{n}"), "");
    }
    let program = program.feed_at("http://other.example/feed", "");
    round(&program).expect(75);
    let to_news = || server.log().iter().filter(|it| it.target.contains("news.example")).count();
    assert_eq!(to_news(), 1, "the others of that origin were not asked");
    rounds(&program, 2);
    assert_eq!(to_news(), 1, "nor later, by another process");
    // Whatever their rows say, they are not due while the order holds.
    change(&program, "UPDATE feeds SET next_poll_at = '2020-01-01T00:00:00Z' WHERE id = 2");
    let shown = program.run(&["feeds"]).expect(0).stdout;
    assert!(!shown.contains("due"), "{shown}");
    assert_eq!(server.requests("http://other.example/feed").len(), 3);
}

#[test]
fn a_429_on_a_private_network_stops_that_feed_only() {
    let server = Server::start();
    server.always("/a", Reply::status(429).header("Retry-After", "3600"));
    server.always("/b", Reply::feed(rss(&["one"])));
    let program =
        Program::new().settings(OPEN).feed_at(&server.url("/a"), "").feed_at(&server.url("/b"), "");
    rounds(&program, 3);
    assert_eq!((server.requests("/a").len(), server.requests("/b").len()), (1, 3));
}

#[test]
fn connections_are_kept_where_a_host_has_several_feeds() {
    let server = Server::start();
    let mut program = Program::new()
        .settings("[fetch]\nallow_private_networks = true\nhost_delay = \"0s\"\nper_host = 1");
    for n in 0..10 {
        server.always(&format!("/{n}"), Reply::feed(rss(&["one"])));
        program = program.feed_at(&server.url(&format!("/{n}")), "");
    }
    round(&program).expect(0);
    assert_eq!((server.log().len(), server.connections()), (10, 1));
    assert!(server.log().iter().all(|request| request.connection == 0));
}

/// A round that trusts the tests' own certificate authority.
fn trusting_round(program: &Program) -> Ended {
    let mut command = program.command(&["once", "--all"]);
    command.env("SSL_CERT_FILE", tls::authority()).env_remove("SSL_CERT_DIR");
    finish(start(command), "")
}

#[test]
fn http_2_carries_the_feeds_of_one_host_over_one_connection() {
    let server = TlsServer::start(&rss(&["one"]));
    let mut program = Program::new()
        .settings("[fetch]\nallow_private_networks = true\nhost_delay = \"0s\"\nper_host = 1");
    for n in 0..6 {
        program = program.feed_at(&server.url(&format!("/{n}")), "");
    }
    trusting_round(&program).expect(0);
    assert_eq!((server.requests(), server.connections()), (6, 1));
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_refused() {
    let server = TlsServer::start(&rss(&["one"]));
    let program = Program::new().settings(OPEN).feed_at(&server.url("/feed"), "");
    round(&program).expect(75);
    assert_eq!((feed(&program, "error_kind").as_str(), server.requests()), ("tls", 0));
}

/// On usual ports the step to https is adopted at once (`schedule::moves`); a test can only have other ones.
#[test]
fn https_on_other_ports_is_a_move_like_any_other() {
    let (plain, secure) = (Server::start(), TlsServer::start(&rss(&["one"])));
    plain.always("/feed", Reply::redirect(301, &secure.url("/feed")));
    let program = one_feed(&plain, "/feed", "");
    trusting_round(&program).expect(0);
    assert_eq!(feed(&program, "effective_url"), plain.url("/feed"));
    assert_eq!(feed(&program, "moved_to"), secure.url("/feed"));
    for _ in 0..2 {
        age(&program, 2 * DAY);
        trusting_round(&program).expect(0);
    }
    assert_eq!(feed(&program, "effective_url"), secure.url("/feed"));
    trusting_round(&program).expect(0);
    assert_eq!((plain.log().len(), secure.requests()), (3, 4));
}

#[test]
fn without_ca_certificates_https_fails_by_name_and_http_works() {
    let (plain, secure) = (Server::start(), TlsServer::start(&rss(&["one"])));
    plain.always("/feed", Reply::feed(rss(&["one"])));
    let program = Program::new()
        .settings(OPEN)
        .feed_at(&plain.url("/feed"), "name = \"plain\"")
        .feed_at(&secure.url("/feed"), "name = \"secure\"");
    let mut command = program.command(&["once", "--all"]);
    command.env("SSL_CERT_FILE", "/dev/null").env_remove("SSL_CERT_DIR");
    finish(start(command), "").expect(75);
    let rows = program.sqlite("SELECT name, coalesce(error_kind, 'fine') FROM feeds ORDER BY name");
    assert_eq!(rows, ["plain|fine", "secure|tls"]);
    let [error] = &program.sqlite("SELECT error FROM feeds WHERE name = 'secure'")[..] else {
        panic!("no error")
    };
    assert!(error.contains("No CA certificates"), "{error}");
}
