//! Good conduct towards publishers: one test a rule, the real program in rounds against a server that records it all.
//!
//! Time passes by [`age`]: it moves every instant in the database back, as if the last rounds had been long ago.

use std::{
    process::Command,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::support::{
    program::{Ended, Program, command, finish, start},
    server::{Recorded, Reply, Server, rss},
    tls::{self, TlsServer},
};

const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;

/// Loopback allowed, no pacing: what most rules want.
const OPEN: &str =
    "[fetch]\nallow_private_networks = true\nhost_delay = \"0s\"\nper_host = 16\ntimeout = \"5s\"";

/// A program with one feed at `path` of the server, and further keys of that feed.
fn one_feed(server: &Server, path: &str, keys: &str) -> Program {
    Program::new().settings(OPEN).feed_at(&server.url(path), keys)
}

/// A program that reaches every host through the server as its proxy.
fn proxied(server: &Server) -> Program {
    let proxy = format!("proxy = \"{}\"", server.url(""));
    Program::new()
        .settings("[fetch]")
        .settings(&proxy)
        .settings("host_delay = \"0s\"\nper_host = 16")
}

/// One round over all feeds that may be asked.
fn round(program: &Program) -> Ended {
    program.run(&["once", "--all"])
}

fn rounds(program: &Program, count: usize) {
    for _ in 0..count {
        round(program);
    }
}

/// As if everything in the database had happened `seconds` earlier.
fn age(program: &Program, seconds: i64) {
    let columns = [
        "last_poll_at",
        "next_poll_at",
        "last_success_at",
        "last_new_at",
        "last_full_get_at",
        "retry_after_until",
        "moved_since",
    ];
    let moved = |column: &str| {
        format!("{column} = strftime('%Y-%m-%dT%H:%M:%SZ', {column}, '{} seconds')", -seconds)
    };
    let columns: Vec<String> = columns.iter().map(|column| moved(column)).collect();
    change(
        program,
        &format!(
            "UPDATE feeds SET {}; UPDATE hosts SET {};
             UPDATE feeds SET poll_memory = json_set(poll_memory, '$.silent_since',
                json_extract(poll_memory, '$.silent_since') - {seconds})
             WHERE json_extract(poll_memory, '$.silent_since') IS NOT NULL;",
            columns.join(", "),
            moved("retry_after_until"),
        ),
    );
}

fn change(program: &Program, sql: &str) {
    let output = Command::new("sqlite3").arg(program.database()).arg(sql).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// One value of the only feed's row.
fn feed(program: &Program, column: &str) -> String {
    program.sqlite(&format!("SELECT {column} FROM feeds")).join("\n")
}

/// From the last poll to the next, in seconds.
fn planned_wait(program: &Program) -> i64 {
    feed(program, "unixepoch(next_poll_at) - unixepoch(last_poll_at)").parse().unwrap()
}

fn conditional(requests: &[Recorded]) -> Vec<bool> {
    requests.iter().map(Recorded::is_conditional).collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "what servers send is dated by the clock that the program reads"
)]
fn now() -> SystemTime {
    SystemTime::now()
}

/// RSS whose newest item is `age` seconds old, the others `gap` apart.
fn dated_rss(name: &str, age: i64, gap: i64) -> String {
    let now = now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
    let items: String = (0..8)
        .map(|n| {
            let at = UNIX_EPOCH + Duration::from_secs((now - age - n * gap) as u64);
            format!(
                "<item><title>{name} {n}</title><guid>{name}-{n}</guid><pubDate>{}</pubDate>\
                 <description>What happened at {name}, told for the time {n}.</description></item>",
                httpdate::fmt_http_date(at)
            )
        })
        .collect();
    format!("<rss version=\"2.0\"><channel><title>{name}</title>{items}</channel></rss>")
}

/// A feed with further elements in its channel.
fn rss_with(channel: &str) -> String {
    rss(&["one"]).replace("<title>Scripted</title>", &format!("<title>Scripted</title>{channel}"))
}

// Validators.

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

// When.

#[test]
fn a_fixed_interval_is_kept_and_jitter_only_delays() {
    let server = Server::start();
    server.always("/feed", Reply::feed(dated_rss("busy", 0, 60)));
    let program = one_feed(&server, "/feed", "poll.interval = \"50m\"");
    for _ in 0..3 {
        round(&program);
        assert!((3_000..=3_300).contains(&planned_wait(&program)), "{}", planned_wait(&program));
        assert_eq!(feed(&program, "next_poll_reason"), "interval");
    }
}

#[test]
fn an_automatic_interval_follows_the_feed_between_its_bounds() {
    for (gap, shortest, longest) in [
        (60, 900, 990),
        (4 * HOUR, 2 * HOUR - 60, 2 * HOUR * 11 / 10 + 60),
        (30 * DAY, DAY, DAY * 11 / 10),
    ] {
        let server = Server::start();
        server.always("/feed", Reply::feed(dated_rss("feed", 0, gap)));
        let program = one_feed(&server, "/feed", "");
        round(&program);
        assert!(
            (shortest..=longest).contains(&planned_wait(&program)),
            "{gap}: {}",
            planned_wait(&program)
        );
        assert_eq!(feed(&program, "next_poll_reason"), "auto");
    }
}

#[test]
fn servers_and_documents_set_lower_bounds() {
    let plain = || Reply::feed(rss(&["one"]));
    let date_in = |seconds: u64| httpdate::fmt_http_date(now() + Duration::from_secs(seconds));
    let sy = "<sy:updatePeriod xmlns:sy=\"http://purl.org/rss/1.0/modules/syndication/\">daily</sy:updatePeriod>\
              <sy:updateFrequency xmlns:sy=\"http://purl.org/rss/1.0/modules/syndication/\">8</sy:updateFrequency>";
    let max_age = "max_age";
    for (reply, wait, reason) in [
        (plain().header("Cache-Control", "public, max-age=7200"), 7_200, max_age),
        (plain().header("Cache-Control", "max-age=7200").header("Age", "1800"), 5_400, max_age),
        (plain().header("Cache-Control", "max-age=60"), 900, "interval"),
        (plain().header("Cache-Control", "max-age=99999999999"), DAY, max_age),
        (plain().header("Expires", date_in(7_200)), 7_198, "expires"),
        (plain().header("Expires", "0"), 900, "interval"),
        (Reply::feed(rss_with("<ttl>90</ttl>")), 5_400, "ttl"),
        (Reply::feed(rss_with("<ttl>10080</ttl>")), DAY, "ttl"),
        (Reply::feed(rss_with(sy)), 3 * HOUR, "ttl"),
    ] {
        let server = Server::start();
        server.always("/feed", reply);
        let program = one_feed(&server, "/feed", "poll.interval = \"15m\"");
        round(&program);
        let planned = planned_wait(&program);
        assert!((wait..=wait * 11 / 10 + 2).contains(&planned), "{reason}: {planned}, not {wait}");
        assert_eq!(feed(&program, "next_poll_reason"), reason);
    }
}

#[test]
fn what_a_document_asks_for_outlasts_a_304() {
    let server = Server::start();
    server.validated("/feed", Reply::feed(rss_with("<ttl>90</ttl>")).header("ETag", "1"));
    let program = one_feed(&server, "/feed", "poll.interval = \"15m\"");
    rounds(&program, 2);
    assert_eq!(conditional(&server.requests("/feed")), [false, true]);
    assert!(planned_wait(&program) >= 5_400);
}

#[test]
fn skipped_hours_and_days_are_left_alone() {
    let hours: String = (0..24).map(|hour| format!("<hour>{hour}</hour>")).collect();
    let of_now = |format: &str| {
        let output = Command::new("date").args(["-u", format]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let this_hour: u32 = of_now("+%-H").parse().unwrap();
    let next_hour = (this_hour + 1) % 24;
    let skip = |hours: &[u32]| {
        let hours: String = hours.iter().map(|hour| format!("<hour>{hour}</hour>")).collect();
        format!("<skipHours>{hours}</skipHours>")
    };
    let (hour, day) = ("strftime('%H', next_poll_at) + 0", "strftime('%w', next_poll_at) + 0");
    let run = |channel: &str, column: &str| {
        let server = Server::start();
        server.always("/feed", Reply::feed(rss_with(channel)));
        let program =
            one_feed(&server, "/feed", "poll.interval = \"15m\"\npoll.max_interval = \"48h\"");
        round(&program);
        (
            feed(&program, "next_poll_reason"),
            feed(&program, column).parse::<u32>().unwrap(),
            planned_wait(&program),
        )
    };
    let (reason, at, _) = run(&skip(&[this_hour, next_hour]), hour);
    assert_eq!((reason.as_str(), at), ("skip_hours", (this_hour + 2) % 24));
    let today: u32 = of_now("+%w").parse().unwrap();
    let (reason, at, _) = run(&format!("<skipDays><day>{}</day></skipDays>", of_now("+%A")), day);
    assert_eq!((reason.as_str(), at), ("skip_days", (today + 1) % 7));
    let (_, _, wait) = run(&format!("<skipHours>{hours}</skipHours>"), hour);
    assert!(wait <= 990, "to skip every hour is no order: {wait}");
}

#[test]
fn retry_after_is_an_order_for_every_failure_and_for_once_all_too() {
    for status in [429, 503, 500, 404, 403] {
        let server = Server::start();
        server.always("/feed", Reply::status(status).header("Retry-After", "7200"));
        let program = one_feed(&server, "/feed", "poll.interval = \"15m\"");
        round(&program).expect(75);
        assert_eq!(feed(&program, "next_poll_reason"), "retry_after", "{status}");
        assert!(
            (7_200..7_940).contains(&planned_wait(&program)),
            "{status}: {}",
            planned_wait(&program)
        );
        rounds(&program, 2);
        age(&program, 7_100);
        round(&program);
        assert_eq!(server.log().len(), 1, "{status}: asked before its time");
        age(&program, 110);
        round(&program);
        assert_eq!(server.log().len(), 2, "{status}: asked when its time has come");
    }
}

#[test]
fn a_retry_after_may_be_a_date_and_absurd_ones_are_bounded_and_logged() {
    let in_two_hours = httpdate::fmt_http_date(now() + Duration::from_secs(7_200));
    let week = 7 * DAY;
    for (value, shortest, longest, is_absurd) in [
        (in_two_hours.as_str(), 7_195, 7_930, false),
        ("604800", week, week * 11 / 10, false),
        ("99999999", week, week + DAY, true),
        ("Fri, 31 Dec 2099 00:00:00 GMT", week, week + DAY, true),
        ("-10", 900, DAY, true),
        ("soon", 900, DAY, true),
    ] {
        let server = Server::start();
        server.always("/feed", Reply::status(503).header("Retry-After", value));
        let program = one_feed(&server, "/feed", "poll.interval = \"15m\"");
        let ended = program.run(&["-v", "once", "--all"]);
        let wait = planned_wait(&program);
        assert!((shortest..=longest).contains(&wait), "{value}: {wait}");
        assert_eq!(ended.stderr.contains("Retry-After"), is_absurd, "{value}: {}", ended.stderr);
    }
}

#[test]
fn a_first_start_does_not_ask_everybody_at_once_but_once_does() {
    let server = Server::start();
    let mut program = Program::new().settings(OPEN);
    for n in 0..40 {
        server.always(&format!("/{n}"), Reply::feed(rss(&[&format!("title {n}")])));
        program = program.feed_at(&server.url(&format!("/{n}")), "");
    }
    program.run(&["once"]).expect(0);
    assert_eq!(server.log().len(), 40);
    // Nothing is due any more.
    program.run(&["once"]).expect(0);
    assert_eq!(server.log().len(), 40);
    let distinct = program.sqlite("SELECT count(DISTINCT next_poll_at) > 20 FROM feeds");
    assert_eq!(distinct, ["1"], "they do not march in step");
}

#[test]
fn a_clock_that_was_set_back_does_not_stop_polling() {
    let server = Server::start();
    server.always("/feed", Reply::feed(rss(&["one"])));
    let program = one_feed(&server, "/feed", "poll.interval = \"15m\"");
    round(&program);
    // As if it had been polled a year from now.
    age(&program, -365 * DAY);
    program.run(&["once"]).expect(0);
    let ahead: i64 = feed(&program, "unixepoch(next_poll_at) - unixepoch('now')").parse().unwrap();
    assert!(ahead <= 1_000, "{ahead} s ahead");
}

// Failures.

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
    program.write("changed.toml", &format!("{toml}tags = [\"again\"]\n"));
    let mut command = command(&["-c"]);
    command.arg(program.path("changed.toml")).args(["once", "--all"]);
    finish(start(command), "");
    assert_eq!(server.log().len(), 2);
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
fn a_silent_feed_is_marked_stale() {
    let server = Server::start();
    server.always("/fresh", Reply::feed(dated_rss("fresh", HOUR, DAY)));
    server.always("/stale", Reply::feed(dated_rss("stale", 5 * DAY, DAY)));
    let program = Program::new().settings(OPEN);
    let program = program.feed_at(&server.url("/fresh"), "").feed_at(&server.url("/stale"), "");
    round(&program).expect(0);
    assert_eq!(program.sqlite("SELECT state FROM feed_health ORDER BY url"), ["ok", "stale"]);
}

// Moves.

#[test]
fn a_permanent_move_is_adopted_after_three_polls_over_two_days() {
    let server = Server::start();
    server.always("/old", Reply::redirect(301, "/between"));
    server.always("/between", Reply::redirect(308, "/new"));
    server.validated("/new", Reply::feed(rss(&["one"])).header("ETag", "1"));
    let program = one_feed(&server, "/old", "");
    rounds(&program, 4);
    assert_eq!(feed(&program, "effective_url"), server.url("/old"), "not before two days");
    assert_eq!(feed(&program, "moved_to"), server.url("/new"));
    let toml = std::fs::read(program.path("newsfold.toml")).unwrap();
    age(&program, 2 * DAY);
    round(&program);
    assert_eq!(feed(&program, "effective_url"), server.url("/new"));
    assert_eq!(server.requests("/old").len(), 5);
    rounds(&program, 2);
    assert_eq!(server.requests("/old").len(), 5, "the old one is not asked any more");
    let requests = server.requests("/new");
    assert_eq!(requests.len(), 7);
    assert_eq!(conditional(&requests).iter().filter(|it| !**it).count(), 1);
    assert_eq!(
        std::fs::read(program.path("newsfold.toml")).unwrap(),
        toml,
        "the configuration is not ours to write"
    );
}

#[test]
fn two_polls_are_no_move_however_far_apart() {
    let server = Server::start();
    server.always("/old", Reply::redirect(301, "/new"));
    server.always("/new", Reply::feed(rss(&["one"])));
    let program = one_feed(&server, "/old", "");
    round(&program);
    age(&program, 30 * DAY);
    round(&program);
    assert_eq!(feed(&program, "effective_url"), server.url("/old"));
}

#[test]
fn temporary_redirects_keep_asking_the_old_address() {
    for status in [302, 303, 307] {
        let server = Server::start();
        server.always("/old", Reply::redirect(status, "/new"));
        server.always("/new", Reply::feed(rss(&["one"])));
        let program = one_feed(&server, "/old", "");
        for _ in 0..4 {
            round(&program);
            age(&program, DAY);
        }
        assert_eq!(server.requests("/old").len(), 4);
        assert_eq!(
            feed(&program, "effective_url, moved_to IS NULL"),
            format!("{}|1", server.url("/old"))
        );
    }
}

#[test]
fn only_the_permanent_beginning_of_a_chain_is_adopted() {
    let server = Server::start();
    server.always("/old", Reply::redirect(301, "/between"));
    server.always("/between", Reply::redirect(302, "/new"));
    server.always("/new", Reply::feed(rss(&["one"])));
    let program = one_feed(&server, "/old", "poll.adopt_redirects_after = \"0s\"");
    round(&program);
    assert_eq!(feed(&program, "effective_url"), server.url("/between"));

    let server = Server::start();
    server.always("/old", Reply::redirect(302, "/between"));
    server.always("/between", Reply::redirect(301, "/new"));
    server.always("/new", Reply::feed(rss(&["one"])));
    let program = one_feed(&server, "/old", "poll.adopt_redirects_after = \"0s\"");
    round(&program);
    assert_eq!(feed(&program, "effective_url"), server.url("/old"));
}

#[test]
fn a_move_to_something_that_is_no_feed_is_not_believed() {
    let server = Server::start();
    server.always("/old", Reply::redirect(301, "/parking"));
    server.always("/parking", Reply::feed("<html><body>This domain is for sale</body></html>"));
    let program = one_feed(&server, "/old", "poll.adopt_redirects_after = \"0s\"");
    rounds(&program, 2);
    assert_eq!(feed(&program, "effective_url"), server.url("/old"));
}

// Hosts.

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

// Requests.

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

// Once.

#[test]
fn once_asks_what_is_due_and_all_asks_the_rest() {
    let server = Server::start();
    server.always("/feed", Reply::feed(rss(&["one"])));
    let program = one_feed(&server, "/feed", "");
    program.run(&["once"]).expect(0);
    program.run(&["once"]).expect(0);
    assert_eq!(server.log().len(), 1);
    round(&program).expect(0);
    assert_eq!(server.log().len(), 2);
    age(&program, DAY + HOUR * 3);
    program.run(&["once"]).expect(0);
    assert_eq!(server.log().len(), 3);
}

// TLS.

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

#[test]
fn https_on_the_same_host_is_adopted_at_once() {
    let (plain, secure) = (Server::start(), TlsServer::start(&rss(&["one"])));
    plain.always("/feed", Reply::redirect(301, &secure.url("/feed")));
    let program = one_feed(&plain, "/feed", "");
    trusting_round(&program).expect(0);
    assert_eq!(feed(&program, "effective_url"), secure.url("/feed"));
    trusting_round(&program).expect(0);
    assert_eq!((plain.log().len(), secure.requests()), (1, 2));
}
