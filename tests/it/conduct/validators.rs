//! What a server said about its document goes back to it, byte for byte, and to nobody else.

use super::*;

#[test]
fn validators_are_echoed_byte_for_byte_and_one_get_in_a_life_is_unconditional() {
    let pairs: [(&[u8], &str); 6] = [
        (b"\"strong\"", "Mon, 23 Nov 2026 09:15:00 GMT"),
        (b"W/\"weak\"", "2026-11-23 09:15"),
        (b"unquoted", "Mon, 23 Nov 2026 09:15:00 +0100"),
        (b"\"a \"quote\" inside\"", "yesterday"),
        (b"\"caf\xc3\xa9\"", "0"),
        (b"\"\xe9\xff\"", "Thu, 01 Jan 1970 00:00:00 GMT"),
    ];
    for (etag, date) in pairs {
        let server = Server::start();
        let reply = Reply::feed(rss(&["one"])).header("ETag", etag).header("Last-Modified", date);
        server.validated("/feed", reply);
        rounds(&one_feed(&server, "/feed", ""), 4);
        let requests = server.requests("/feed");
        assert_eq!(conditional(&requests), [false, true, true, true]);
        for request in &requests[1..] {
            let sent =
                request.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("if-none-match"));
            assert_eq!(sent.unwrap().1, etag);
            assert_eq!(request.header("if-modified-since").as_deref(), Some(date));
        }
    }
}

#[test]
fn either_validator_alone_is_enough() {
    for (name, back) in [("ETag", "if-none-match"), ("Last-Modified", "if-modified-since")] {
        let server = Server::start();
        server.validated("/feed", Reply::feed(rss(&["one"])).header(name, "only"));
        rounds(&one_feed(&server, "/feed", ""), 2);
        let requests = server.requests("/feed");
        assert_eq!(requests[1].header(back).as_deref(), Some("only"));
        assert_eq!(
            requests[1]
                .headers
                .iter()
                .filter(|(name, _)| name.to_lowercase().starts_with("if-"))
                .count(),
            1
        );
    }
}

#[test]
fn validators_are_taken_from_every_200_and_every_304() {
    let server = Server::start();
    let body = || Reply::feed(rss(&["one"]));
    server.in_turn(
        "/feed",
        vec![
            body().header("ETag", "1").header("Last-Modified", "a"),
            // A touch: the same body under another date.
            body().header("ETag", "1").header("Last-Modified", "b"),
            // An ETag-only shift.
            body().header("ETag", "2").header("Last-Modified", "b"),
            // A new ETag on a 304, which leaves the date out.
            Reply::status(304).header("ETag", "3"),
            Reply::status(304),
        ],
    );
    rounds(&one_feed(&server, "/feed", ""), 6);
    let sent =
        |request: &Recorded| (request.header("if-none-match"), request.header("if-modified-since"));
    let some = |etag: &str, date: &str| (Some(etag.to_owned()), Some(date.to_owned()));
    let sent: Vec<_> = server.requests("/feed").iter().map(sent).collect();
    assert_eq!(
        sent[1..],
        [some("1", "a"), some("1", "b"), some("2", "b"), some("3", "b"), some("3", "b")]
    );
}

#[test]
fn validators_are_forgotten_when_the_server_stops_sending_them() {
    let server = Server::start();
    server.in_turn(
        "/feed",
        vec![
            Reply::feed(rss(&["one"])).header("ETag", "1").header("Last-Modified", "a"),
            Reply::feed(rss(&["two"])).header("Last-Modified", "b"),
            Reply::feed(rss(&["three"])),
        ],
    );
    rounds(&one_feed(&server, "/feed", ""), 4);
    let requests = server.requests("/feed");
    assert_eq!(
        (requests[2].header("if-none-match"), requests[2].header("if-modified-since").unwrap()),
        (None, "b".into())
    );
    assert!(!requests[3].is_conditional());
}

#[test]
fn validators_never_go_to_a_redirect_target_that_did_not_give_them() {
    let server = Server::start();
    server.in_turn(
        "/feed",
        vec![
            Reply::feed(rss(&["one"])).header("ETag", "of the feed"),
            Reply::redirect(302, "/elsewhere"),
        ],
    );
    server.validated("/elsewhere", Reply::feed(rss(&["one"])).header("ETag", "of elsewhere"));
    rounds(&one_feed(&server, "/feed", ""), 3);
    let elsewhere = server.requests("/elsewhere");
    assert_eq!(conditional(&elsewhere), [false, true]);
    assert_eq!(elsewhere[1].header("if-none-match").as_deref(), Some("of elsewhere"));
    assert!(
        !server.requests("/feed")[2].is_conditional(),
        "the target's validators are not the feed's"
    );
}

#[test]
fn a_body_that_cannot_be_read_leaves_the_validators_in_place() {
    let server = Server::start();
    let second = |reply: Reply| reply.header("ETag", "2");
    server.in_turn(
        "/feed",
        vec![
            Reply::feed(rss(&["one"])).header("ETag", "1"),
            second(Reply::feed("<html><body>Please come back later</body></html>")),
            second(Reply::feed(vec![b'x'; 300_000])),
            second(Reply::feed(vec![b' '; 3_000_000]).gzip()),
            second(Reply::feed(rss(&["two"])).cut()),
            second(Reply::feed("no gzip at all").gzip().header("Content-Encoding", "br")),
            second(Reply::feed(rss(&["two"]))),
        ],
    );
    let program = one_feed(&server, "/feed", "fetch.max_body = \"256KiB\"");
    let mut kinds = Vec::new();
    for _ in 0..8 {
        round(&program);
        kinds.push(feed(&program, "coalesce(error_kind, '-')"));
    }
    let sent: Vec<_> =
        server.requests("/feed").iter().map(|it| it.header("if-none-match")).collect();
    let (one, two) = (Some("1".to_owned()), Some("2".to_owned()));
    assert_eq!(
        sent[1..],
        [one.clone(), one.clone(), one.clone(), one.clone(), one.clone(), one, two]
    );
    assert_eq!(
        kinds,
        ["-", "not_a_feed", "too_large", "too_large", "protocol", "decode", "-", "-"]
    );
}

#[test]
fn a_body_cut_where_the_connection_ends_brings_its_entries_and_leaves_the_validators_in_place() {
    let json = r#"{"version":"https://jsonfeed.org/version/1.1","items":[{"id":"1","title":"one","content_text":"The text of one"},{"id":"2","title":"two","content_text":"The text of two"}]}"#;
    for (whole, cut_at) in [(rss(&["one", "two"]), "number 1"), (json.to_owned(), "of two")] {
        let cut = &whole[..whole.find(cut_at).unwrap()];
        let second = |body: &str| Reply::feed(body).header("ETag", "2").unannounced();
        let server = Server::start();
        server.in_turn(
            "/feed",
            vec![
                Reply::feed(cut).header("ETag", "1"),
                second(cut),
                second(&whole),
                Reply::status(304),
            ],
        );
        let program = one_feed(&server, "/feed", "");
        rounds(&program, 4);
        let sent: Vec<_> =
            server.requests("/feed").iter().map(|it| it.header("if-none-match")).collect();
        let (one, two) = (Some("1".to_owned()), Some("2".to_owned()));
        assert_eq!(sent[1..], [one.clone(), one, two]);
        assert_eq!(program.sqlite("SELECT title FROM articles ORDER BY title"), ["one", "two"]);
    }
}

#[test]
fn validators_outlive_a_kill() {
    let server = Server::start();
    server.validated("/feed", Reply::feed(rss(&["one"])).header("ETag", "1"));
    let program = one_feed(&server, "/feed", "");
    round(&program).expect(0);
    age(&program, 2 * DAY);
    let mut daemon = program.command(&["run"]).spawn().unwrap();
    let begin = std::time::Instant::now();
    while server.requests("/feed").len() < 2 {
        assert!(begin.elapsed() < Duration::from_secs(20), "the daemon did not poll");
        std::thread::yield_now();
    }
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    // What the dead process had claimed is free again when the claim has run out.
    change(&program, "UPDATE feeds SET claimed_by = NULL, claimed_until = NULL");
    round(&program).expect(0);
    assert_eq!(conditional(&server.requests("/feed")), [false, true, true]);
}

#[test]
fn a_silent_feed_is_asked_in_full_once_in_seven_days() {
    let server = Server::start();
    server.validated("/feed", Reply::feed(dated_rss("hourly", 0, HOUR)).header("ETag", "1"));
    let program = one_feed(&server, "/feed", "");
    round(&program);
    age(&program, 6 * DAY);
    round(&program);
    age(&program, 2 * DAY);
    rounds(&program, 2);
    age(&program, 6 * DAY);
    round(&program);
    age(&program, 2 * DAY);
    round(&program);
    assert_eq!(conditional(&server.requests("/feed")), [false, true, false, true, true, false]);
}
