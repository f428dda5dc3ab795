//! Servers and documents that mean harm, or only do it: each costs one poll with its reason, never the program.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    thread,
    time::{Duration, Instant},
};

use super::{
    super::support::{
        program::rss,
        server::{Reply, Server},
    },
    expect_sound, program, row,
};

const BODY: &str = "The harbour office closed the north pier on Monday because its planks have rotted. Boats land at the fish quay.";

#[test]
fn each_hostile_server_costs_one_poll_and_says_why() {
    let server = Server::start();
    let sound = rss("site", &[("Pier closed", BODY)]);
    let huge = vec![b' '; 8 << 20];
    let cases: Vec<(&str, Reply, &str)> = vec![
        ("/endless", Reply::feed(vec![b'x'; 65_536]).endless(), "too_large"),
        ("/bomb", Reply::feed(huge).gzip(), "too_large"),
        ("/stalled", Reply::feed(sound.as_bytes()).stalled(), "timeout"),
        ("/mute", Reply::mute(), "timeout"),
        ("/loop", Reply::redirect(302, "/loop"), "too_many_redirects"),
        ("/cut", Reply::feed(sound.as_bytes()).cut(), "protocol"),
        ("/noise", Reply::raw(b"\x00\x01\x02 no HTTP here\r\n\r\n".to_vec()), "protocol"),
        ("/lost", Reply::status(404), "not_found"),
        ("/broken", Reply::status(500), "server_error"),
        ("/gone", Reply::status(410), "gone"),
        (
            "/page",
            Reply::status(200)
                .header("Content-Type", "text/html")
                .body("<!doctype html><title>Hello</title><p>No feed."),
            "not_a_feed",
        ),
        ("/empty", Reply::feed(""), "empty"),
        ("/not-gzip", Reply::feed(sound.as_bytes()).header("Content-Encoding", "gzip"), ""),
        (
            "/deep",
            Reply::feed(format!("<rss version=\"2.0\"><channel>{}", "<x>".repeat(300_000))),
            "",
        ),
        (
            "/many",
            Reply::feed(format!(
                "<rss version=\"2.0\"><channel>{}</channel></rss>",
                "<item/>".repeat(140_000)
            )),
            "too_many_entries",
        ),
        ("/sound", Reply::feed(sound.as_bytes()), ""),
    ];
    for (path, reply, _) in &cases {
        server.always(path, reply.clone());
    }
    let mut paths: Vec<&str> = cases.iter().map(|(path, ..)| *path).collect();
    paths.push("/drip");
    let program = program(&server, &paths[..paths.len() - 1])
        .settings("timeout = \"2s\"\nconnect_timeout = \"1s\"\nfirst_byte_timeout = \"1s\"\nmax_body = \"1MiB\"")
        .feed_at(&drip(), "name = \"/drip\"");

    let begun = Instant::now();
    let ended = program.run(&["once", "--all", "--json"]).expect(75);
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    assert_eq!(ended.stderr, "");
    let polls = program.sqlite(
        "SELECT f.name || ' ' || coalesce(p.error_kind, p.outcome) FROM polls AS p JOIN feeds AS f ON f.id = p.feed_id ORDER BY f.id",
    );
    let expected: Vec<String> = cases
        .iter()
        .map(|(path, _, kind)| format!("{path} {}", if kind.is_empty() { "changed" } else { kind }))
        .chain(["/drip timeout".to_owned()])
        .collect();
    assert_eq!(polls, expected, "{:#?}", program.sqlite("SELECT name, error FROM feeds"));
    assert_eq!(row(&program, "SELECT title FROM articles WHERE title <> ''"), "Pier closed");
    expect_sound(&program);

    // What can be trusted again is taken up again: a failed feed forgets nothing of itself.
    for path in ["/endless", "/cut", "/page"] {
        server.always(path, Reply::feed(sound.as_bytes()));
    }
    program.run(&["once", "--all", "/endless", "/cut", "/page"]).expect(0);
    assert_eq!(
        row(
            &program,
            "SELECT count(*), sum(failures) FROM feeds WHERE name IN ('/endless', '/cut', '/page') AND error IS NULL"
        ),
        "3|0"
    );
}

/// A server that sends a byte now and then, as long as somebody listens.
fn drip() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            thread::spawn(move || {
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/rss+xml\r\nContent-Length: 100000\r\n\r\n");
                while stream.write_all(b" ").is_ok() {
                    thread::park_timeout(Duration::from_millis(50));
                }
            });
        }
    });
    format!("http://{address}/drip")
}

#[test]
fn documents_that_break_readers_are_read() {
    let server = Server::start();
    let item = |extra: &str, title: &str| {
        format!(
            "<item><title>{title}</title><guid>{title}</guid><description>{BODY}</description>{extra}</item>"
        )
    };
    let feed = |items: &str| {
        format!(
            "<rss version=\"2.0\" xmlns:itunes=\"http://www.itunes.com/dtds/podcast-1.0.dtd\"><channel><title>T</title>{items}</channel></rss>"
        )
    };
    server.always(
        "/duration",
        Reply::feed(feed(&item(
            "<itunes:duration>1234567890123456789012345</itunes:duration>",
            "Duration",
        ))),
    );
    server.always(
        "/date",
        Reply::feed(feed(&item(
            "<pubDate>Mon, 99 Foo 999999999999999999999 99:99:99 +9999</pubDate>",
            "Date",
        ))),
    );
    // Declared late, and wrong: the bytes are windows-1252, the header says UTF-8, the document says UTF-16.
    let mut wrong = b"<?xml version=\"1.0\" encoding=\"utf-16\"?>".to_vec();
    wrong.extend(
        feed(&item("", "Caf@"))
            .replace('@', "\u{1}")
            .bytes()
            .map(|byte| if byte == 1 { 0xe9 } else { byte }),
    );
    server.always("/charset", Reply::feed(wrong));
    let latin: Vec<u8> = feed(&item("", "Fußball")).chars().map(|c| c as u8).collect();
    server.always(
        "/latin",
        Reply::status(200).header("Content-Type", "text/xml; charset=iso-8859-1").body(latin),
    );
    server.always("/nul", Reply::feed(feed(&item("<x>\0\0</x>", "Nul\0"))));
    server.always("/entity", Reply::feed(format!(
        "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;\">]>{}",
        feed(&item("<x>&c;&c;&c;</x>", "Entity"))
    )));
    server.always("/outside", Reply::feed(format!(
        "<!DOCTYPE x [<!ENTITY f SYSTEM \"file:///etc/passwd\">]>{}",
        feed(&format!("<item><title>Outside</title><guid>Outside</guid><description>{BODY} &f;</description></item>"))
    )));
    let paths = ["/duration", "/date", "/charset", "/latin", "/nul", "/entity", "/outside"];
    let program = program(&server, &paths);
    program.run(&["once", "--all"]).expect(0);
    let polls = "SELECT count(*), sum(outcome = 'changed'), sum(new + duplicates) FROM polls";
    assert_eq!(row(&program, polls), "7|7|7");
    let titles = "SELECT group_concat(title, '|') FROM (SELECT title FROM articles UNION ALL SELECT title FROM duplicates ORDER BY 1)";
    assert_eq!(row(&program, titles), "Café|Date|Duration|Entity|Fußball|Nul|Outside");
    assert_eq!(row(&program, "SELECT count(*) FROM articles WHERE body LIKE '%root:%'"), "0");
    assert_eq!(
        row(
            &program,
            "SELECT count(*) FROM articles WHERE title = 'Date' AND published_at IS NOT NULL"
        ),
        "0"
    );
    expect_sound(&program);
}
