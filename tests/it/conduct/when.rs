//! When the next poll is: intervals, lower bounds, orders, clocks.

use super::*;

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

/// This hour or day and what follows it, as the document and the database name them. Enough of them are skipped that a
/// clock which strikes in the middle of the test does not matter.
#[test]
fn skipped_hours_and_days_are_left_alone() {
    let of_now = |format: &str| {
        let output = Command::new("date").args(["-u", format]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().parse::<usize>().unwrap()
    };
    let run = |channel: &str, column: &str| {
        let server = Server::start();
        server.always("/feed", Reply::feed(rss_with(channel)));
        let program =
            one_feed(&server, "/feed", "poll.interval = \"15m\"\npoll.max_interval = \"96h\"");
        round(&program);
        let next = feed(&program, &format!("strftime('{column}', next_poll_at) + 0"));
        (feed(&program, "next_poll_reason"), next.parse::<usize>().unwrap(), planned_wait(&program))
    };
    let hours = |hours: &mut dyn Iterator<Item = usize>| {
        let hours: String = hours.map(|hour| format!("<hour>{}</hour>", hour % 24)).collect();
        format!("<skipHours>{hours}</skipHours>")
    };
    let hour = of_now("+%-H");
    let (reason, next, _) = run(&hours(&mut (hour..hour + 3)), "%H");
    assert_eq!((reason.as_str(), next), ("skip_hours", (hour + 3) % 24));

    let names = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
    let day = of_now("+%w");
    let days: String = (day..day + 3).map(|day| format!("<day>{}</day>", names[day % 7])).collect();
    let (reason, next, _) = run(&format!("<skipDays>{days}</skipDays>"), "%w");
    assert_eq!((reason.as_str(), next), ("skip_days", (day + 3) % 7));

    // A poll that comes late, after a long sleep say, comes into hours that are skipped as well.
    let server = Server::start();
    server.always("/feed", Reply::feed(rss_with(&hours(&mut (hour..hour + 3)))));
    let program =
        one_feed(&server, "/feed", "poll.interval = \"15m\"\npoll.max_interval = \"96h\"");
    round(&program);
    age(&program, 20 * HOUR);
    program.run(&["once"]);
    assert_eq!(server.log().len(), 1);
    assert_eq!(feed(&program, "next_poll_reason || (next_poll_at > datetime())"), "skip_hours1");
    round(&program);
    assert_eq!(server.log().len(), 2, "who says --all means it");

    let (_, _, wait) = run(&hours(&mut (0..24)), "%H");
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
fn a_reset_under_an_order_says_that_it_holds_and_nothing_calls_the_feed_due() {
    let server = Server::start();
    server.always("/feed", Reply::status(503).header("Retry-After", "7200"));
    let program = one_feed(&server, "/feed", "");
    round(&program).expect(75);
    let until = feed(&program, "retry_after_until");
    let reset = program.run(&["feeds", "reset", "1"]).expect(0);
    assert!(reset.stderr.contains(&format!("not before {until}")), "{}", reset.stderr);
    assert_eq!(feed(&program, "next_poll_at"), until);
    assert!(!program.run(&["feeds", "--due"]).expect(0).stdout.contains("/feed"));
    // Its host's order alone, which another feed was given.
    change(
        &program,
        "UPDATE feeds SET next_poll_at = last_poll_at, retry_after_until = NULL;
         INSERT INTO hosts SELECT origin, strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '1 hour') FROM feeds;",
    );
    let explained = program.run(&["feeds", "explain", "1"]).expect(0).stdout;
    let next = explained.lines().find(|line| line.starts_with("next poll ")).unwrap();
    assert!(next.contains(" in ") && next.ends_with("set by retry_after"), "{next}");
    let reset = program.run(&["feeds", "reset", "1"]).expect(0);
    assert!(reset.stderr.contains("not before"), "{}", reset.stderr);
    age(&program, 7_300);
    let reset = program.run(&["feeds", "reset", "1"]).expect(0);
    assert!(!reset.stderr.contains("not before"), "{}", reset.stderr);
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
        let said = format!("{value:?}");
        let named = ended.stderr.contains("Retry-After") && ended.stderr.contains(&said);
        assert_eq!(named, is_absurd, "{value}: {}", ended.stderr);
        assert_eq!(
            ended.stderr.contains("counts as none"),
            is_absurd && shortest == 900,
            "{value}: {}",
            ended.stderr
        );
    }
    // An error page may come with 200.
    let server = Server::start();
    server.always("/feed", Reply::feed("Come back later.").header("Retry-After", "99999999"));
    let ended = one_feed(&server, "/feed", "").run(&["-v", "once", "--all"]);
    assert!(ended.stderr.contains("counts as seven days"), "{}", ended.stderr);
    // Once an hour, as the failure itself.
    let server = Server::start();
    server.always("/feed", Reply::status(503).header("Retry-After", "soon"));
    let program = one_feed(&server, "/feed", "");
    let warns = || program.run(&["-v", "once", "--all"]).stderr.contains("counts as none");
    assert_eq!([warns(), warns(), warns()], [true, false, false]);
    assert_eq!(server.log().len(), 3);
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

#[test]
fn what_was_put_years_ahead_by_a_wrong_clock_is_asked_again() {
    let server = Server::start();
    server.always("/feed", Reply::feed(rss(&["one"])));
    let program = one_feed(&server, "/feed", "poll.interval = \"15m\"");
    round(&program);
    let year =
        |column: &str| format!("{column} = strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '365 days')");
    // As a reset under that clock leaves it: the last poll lies where it was.
    change(
        &program,
        &format!("UPDATE feeds SET {}, next_poll_reason = 'reset'", year("next_poll_at")),
    );
    program.run(&["once"]).expect(0);
    assert_eq!(server.log().len(), 2);
    // An order may last seven days and no longer.
    change(
        &program,
        &format!("UPDATE feeds SET {}, {}", year("next_poll_at"), year("retry_after_until")),
    );
    program.run(&["once"]).expect(0);
    assert_eq!(server.log().len(), 2);
    for column in ["next_poll_at", "retry_after_until"] {
        let ahead = format!("unixepoch({column}) - unixepoch('now')");
        let ahead: i64 = feed(&program, &ahead).parse().unwrap();
        assert!((7 * DAY - 60..=7 * DAY).contains(&ahead), "{column} is {ahead} s ahead");
    }
}

#[test]
fn a_shorter_interval_holds_from_the_next_start_on() {
    let server = Server::start();
    server.always("/feed", Reply::feed(rss(&["one"])));
    let program = one_feed(&server, "/feed", "").settings("[poll]\ninterval = \"1d\"");
    round(&program).expect(0);
    age(&program, 2 * HOUR);
    program.run(&["once"]).expect(0);
    assert_eq!(server.log().len(), 1);
    let toml = std::fs::read_to_string(program.path("newsfold.toml")).unwrap();
    program.write("changed.toml", &toml.replace("\"1d\"", "\"1h\""));
    let mut command = command(&["-c"]);
    command.arg(program.path("changed.toml")).arg("once");
    finish(start(command), "");
    assert_eq!(server.log().len(), 2);
}

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
