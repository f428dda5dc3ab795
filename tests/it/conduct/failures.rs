//! What fails is told apart, backed off from, and never given up.

use super::*;

#[test]
fn failures_back_off_to_max_interval_and_no_further_and_soft_ones_less() {
    let waits = |status: u16| {
        let server = Server::start();
        server.always("/feed", Reply::status(status));
        let program =
            one_feed(&server, "/feed", "poll.interval = \"15m\"\npoll.max_interval = \"6h\"");
        (0..8)
            .map(|_| {
                round(&program);
                planned_wait(&program)
            })
            .collect::<Vec<_>>()
    };
    let (hard, soft) = (waits(404), waits(502));
    assert!(hard[0] >= 1_800 && hard[1] >= 3_600 && hard[2] >= 7_200, "{hard:?}");
    assert!(hard.iter().all(|wait| *wait <= 6 * HOUR * 11 / 10), "{hard:?}");
    assert!(soft[..3].iter().zip(&hard).all(|(soft, hard)| soft < hard), "{soft:?} {hard:?}");
    assert!(soft.windows(2).take(4).all(|pair| pair[0] < pair[1]), "{soft:?}");
}

#[test]
fn a_feed_that_has_been_dead_for_months_is_still_asked_and_shown() {
    let server = Server::start();
    server.always("/feed", Reply::status(404));
    let program = one_feed(&server, "/feed", "name = \"Dead\"");
    rounds(&program, 3);
    change(
        &program,
        "UPDATE feeds SET failures = 120, poll_memory = json_set(poll_memory, '$.backoff_halves', 40)",
    );
    age(&program, 90 * DAY);
    let ended = program.run(&["once"]).expect(75);
    assert_eq!(server.log().len(), 4);
    assert!(planned_wait(&program) <= DAY * 11 / 10);
    assert_eq!(
        program.sqlite("SELECT state, failures, error_kind FROM feed_health"),
        ["failing|121|not_found"]
    );
    assert!(ended.stderr.contains("not_found") || ended.stdout.contains("not_found"), "{ended:?}");
}

#[test]
fn gone_is_gone_until_the_configuration_entry_changes() {
    let server = Server::start();
    server.always("/feed", Reply::status(410));
    let program = one_feed(&server, "/feed", "");
    rounds(&program, 2);
    age(&program, 400 * DAY);
    rounds(&program, 2);
    assert_eq!(server.log().len(), 1);
    assert_eq!(program.sqlite("SELECT state FROM feed_health"), ["gone"]);
    assert_eq!(program.sqlite("SELECT outcome FROM polls"), ["gone"]);
    let toml = std::fs::read_to_string(program.path("newsfold.toml")).unwrap();
    let round_with = |toml: String| {
        program.write("changed.toml", &toml);
        let mut command = command(&["-c"]);
        command.arg(program.path("changed.toml")).args(["once", "--all"]);
        finish(start(command), "");
        server.log().len()
    };
    // Another section, a comment: the entry is what it was.
    let elsewhere = toml.replace("[fetch]", "[dedup]\nscope = \"feed\"\n# It was all.\n[fetch]");
    assert_ne!(elsewhere, toml);
    assert_eq!(round_with(elsewhere), 1);
    assert_eq!(program.sqlite("SELECT dedup_scope FROM feeds"), ["feed"]);
    assert_eq!(round_with(format!("{toml}tags = [\"again\"]\n")), 2);
}

#[test]
fn an_order_holds_for_every_process_and_behind_redirects() {
    let server = Server::start();
    let to = "http://press.example/wire";
    let refusal = Reply::status(429).header("Retry-After", "3600");
    server.in_turn(to, vec![refusal, Reply::feed(rss(&["one"]))]);
    let mut program = proxied(&server);
    for host in ["first", "second"] {
        let url = format!("http://{host}.example/feed");
        server.always(&url, Reply::redirect(302, to));
        program = program.feed_at(&url, &format!("name = \"{host}\""));
    }
    for host in ["first", "second"] {
        program.run(&["once", "--all", host]);
    }
    assert_eq!(server.requests(to).len(), 1);
    assert_eq!(server.requests("http://second.example/feed").len(), 1);
    assert_eq!(
        program.sqlite("SELECT name FROM feeds WHERE retry_after_until > datetime() ORDER BY 1"),
        ["first", "second"]
    );
}

#[test]
fn a_reset_forgets_the_backoff_but_no_order_to_wait() {
    let server = Server::start();
    server.always("http://news.example/feed", Reply::status(429).header("Retry-After", "3600"));
    let program = proxied(&server).feed_at("http://news.example/feed", "name = \"news\"");
    for _ in 0..3 {
        round(&program);
        age(&program, DAY);
    }
    round(&program);
    assert_eq!(server.log().len(), 4);
    program.run(&["feeds", "reset", "news"]).expect(0);
    assert_eq!(feed(&program, "failures || poll_memory"), "0{}");
    round(&program);
    assert_eq!(server.log().len(), 4, "the order stands");
    age(&program, HOUR + 1);
    program.run(&["once"]);
    assert_eq!(server.log().len(), 5, "and nothing else does");
}

#[test]
fn every_kind_of_failure_has_its_own_word() {
    let server = Server::start();
    let nobody = Server::start().url("/");
    let url = |path: &str, reply: Reply| {
        server.always(path, reply);
        server.url(path)
    };
    let cases = [
        (url("/404", Reply::status(404)), "not_found"),
        (url("/403", Reply::status(403)), "forbidden"),
        (url("/401", Reply::status(401)), "unauthorized"),
        (url("/500", Reply::status(500)), "server_error"),
        (url("/418", Reply::status(418)), "http_status"),
        (url("/mute", Reply::mute()), "timeout"),
        (url("/large", Reply::feed(vec![b'x'; 10_000_000])), "too_large"),
        (url("/page", Reply::feed("<html><body>Hello</body></html>")), "not_a_feed"),
        (url("/circle", Reply::redirect(302, "/circle")), "too_many_redirects"),
        (url("/file", Reply::redirect(302, "file:///etc/hostname")), "bad_redirect"),
        (url("/junk", Reply::raw("220 mail.example ESMTP\r\n\r\n")), "protocol"),
        (nobody, "connect"),
        (server.url("/tls").replace("http:", "https:"), "tls"),
        ("http://no-such-host.invalid/".to_owned(), "dns"),
    ];
    let mut program = Program::new()
        .settings("[fetch]\nallow_private_networks = true\nhost_delay = \"0s\"\nper_host = 20\nmax_body = \"1MiB\"")
        .settings("timeout = \"2s\"");
    for (url, _) in &cases {
        program = program.feed_at(url, "");
    }
    round(&program).expect(75);
    for (url, kind) in &cases {
        let row = program
            .sqlite(&format!("SELECT error_kind, error <> '' FROM feeds WHERE url = '{url}'"));
        assert_eq!(row, [format!("{kind}|1")], "{url}");
    }
    assert_eq!(
        program.sqlite("SELECT count(*) FROM polls WHERE outcome = 'failed'"),
        [cases.len().to_string()]
    );
}

#[test]
fn private_addresses_are_refused_unless_allowed() {
    let server = Server::start();
    let port = server.address().port();
    let mut program = Program::new();
    for host in [
        "127.0.0.1",
        "127.1",
        "0x7f.1",
        "2130706433",
        "[::ffff:127.0.0.1]",
        "[::1]",
        "localhost",
        "127.2.3.4",
    ] {
        program = program.feed_at(&format!("http://{host}:{port}/{host}"), "");
    }
    round(&program).expect(75);
    assert!(server.log().is_empty());
    assert_eq!(program.sqlite("SELECT DISTINCT error_kind FROM feeds"), ["forbidden_address"]);
}

#[test]
fn a_feed_is_stale_when_it_has_been_silent_since_we_ask() {
    let server = Server::start();
    server.always("/busy", Reply::feed(dated_rss("busy", HOUR, DAY)));
    server.always("/slow", Reply::feed(dated_rss("slow", 300 * DAY, 30 * DAY)));
    let program = Program::new().settings(OPEN);
    let program = program.feed_at(&server.url("/busy"), "").feed_at(&server.url("/slow"), "");
    let states = || program.sqlite("SELECT state FROM feed_health ORDER BY url");
    round(&program).expect(0);
    assert_eq!(states(), ["ok", "ok"], "it may bring something tomorrow");
    age(&program, 5 * DAY);
    assert_eq!(states(), ["stale", "ok"]);
    age(&program, 120 * DAY);
    assert_eq!(states(), ["stale", "stale"]);
}
