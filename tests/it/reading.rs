//! What the commands say of a real database: polled by `newsfold once`, asked by the others and by `sqlite3`.

use std::{net::TcpListener, process::Command};

use serde_json::{Value, json};

use crate::support::{
    program::{Ended, Program, finish, rss, sqlite, start},
    server::{Reply, Server},
};

const STORY: &str = "The lighthouse on Varn Point went dark for the first time in ninety years on Friday after \
    lightning struck its lantern room. Keeper Ida Holm said that the lamp itself was sound and that the cable \
    had melted over a length of twelve metres. Ships were warned by radio until a replacement arrived by boat \
    on Saturday morning, and the light was lit again before dusk.";
const DUES: &str = "The council voted five to four to raise harbour dues by a tenth from January on, the first \
    rise in eleven years, after the pilots' guild had asked for twice as much.";

/// Two outlets carry one story, one of them another as well; the third feed is a web page.
fn polled() -> Program {
    let program = Program::new()
        .feed(
            "gazette",
            &rss("gazette", &[("Harbour dues rise", DUES), ("Varn Point goes dark", STORY)]),
        )
        .feed(
            "wire",
            &rss("wire", &[("Varn Point goes dark", &format!("PORT ELSIN (NCW) - {STORY}"))]),
        )
        .feed("broken", "<html><head><title>Gone</title></head><body><p>Gone</p></body></html>");
    // Polls run side by side: one after the other, the article is surely the first one's. Of a document the last
    // entry is taken for the oldest.
    program.run(&["once", "gazette"]).expect(0);
    program.run(&["once"]).expect(75);
    program
}

fn ids(ended: &Ended) -> Vec<Value> {
    ended.json_lines().iter().map(|row| row["id"].clone()).collect()
}

#[test]
fn once_ends_with_a_summary_and_says_what_failed() {
    let program = Program::new()
        .feed("gazette", &rss("gazette", &[("Varn Point goes dark", STORY)]))
        .feed("wire", &rss("wire", &[("Varn Point goes dark", STORY)]))
        .feed("broken", "no feed at all");
    let ended = program.run(&["once"]).expect(75);
    assert!(ended.stdout.starts_with("3 feeds polled in "), "{ended:?}");
    assert!(ended.stdout.contains("2 changed, 0 unchanged, 1 failed"), "{ended:?}");
    assert!(ended.stdout.contains("1 new article\n"), "{ended:?}");
    assert!(ended.stdout.contains("1 copy folded: 1 same_text\n"), "{ended:?}");
    assert!(ended.stdout.contains("broken  not_a_feed"), "{ended:?}");
    assert!(ended.stderr.is_empty(), "the summary says it all: {ended:?}");

    let again = program.run(&["once", "--json", "--all", "gazette", "wire"]).expect(0).json();
    assert_eq!((&again["polled"], &again["unchanged"]), (&json!(2), &json!(2)));
    assert_eq!(again["counts"]["new"], 0);
    let none = program.run(&["once", "--json"]).expect(0).json();
    assert_eq!((&none["polled"], &none["skipped"]["not_due"]), (&json!(0), &json!(3)));
    program.run(&["once", "nobody"]).expect(1);
}

#[test]
fn one_is_not_many() {
    let program = Program::new()
        .feed("gazette", &rss("gazette", &[("Varn Point goes dark", STORY)]))
        .feed("wire", &rss("wire", &[("Varn Point goes dark", STORY)]))
        .feed("broken", "no feed at all");
    let log = program.run(&["-v", "once"]).expect(75).stderr;
    assert!(log.contains("0 new, 0 revised, 1 duplicate") && log.contains("0 duplicates"), "{log}");
    let explained = program.run(&["feeds", "explain", "broken"]).expect(0).stdout;
    assert!(explained.contains("failed once"), "{explained}");
    let checked = program.run(&["doctor"]);
    assert!(checked.stdout.contains("no errors, 3 feeds"), "{checked:?}");
}

#[test]
fn once_says_why_a_named_feed_was_not_polled() {
    let server = Server::start();
    server.always("/feed", Reply::feed(rss("wire", &[("Varn Point goes dark", STORY)])));
    let mut program = Program::new()
        .settings("[fetch]\nallow_private_networks = true\nhost_delay = \"0s\"")
        .feed_at(&server.url("/feed"), "name = \"wire\"")
        .feed_at(&server.url("/other"), "name = \"other\"");
    program.run(&["once", "wire"]).expect(0);
    let change = |sql: &str| {
        let done = Command::new("sqlite3").arg(program.database()).arg(sql).status().unwrap();
        assert!(done.success());
    };
    let not_polled = |arguments: &[&str], code| {
        let out = program.run(arguments).expect(code).stdout;
        out.lines()
            .find_map(|line| line.strip_prefix("not polled: "))
            .unwrap_or_default()
            .to_owned()
    };
    assert_eq!(not_polled(&["once", "wire"], 0), "1 not due yet");
    change(
        "UPDATE feeds SET claimed_by = 'somebody', claimed_until = strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '9 minutes') WHERE id = 2",
    );
    let busy = "1 waiting for a host that another process polls";
    assert_eq!(not_polled(&["once", "--all", "wire"], 75), busy);
    assert_eq!(not_polled(&["once", "--all", "other"], 75), "1 polled by another process");
    assert_eq!(
        not_polled(&["once", "--all"], 0),
        "1 polled by another process, 1 waiting for a host that another process polls"
    );
    change(
        "UPDATE feeds SET claimed_by = NULL, claimed_until = NULL, retry_after_until = strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '1 hour')",
    );
    assert_eq!(not_polled(&["once", "--all", "wire"], 75), "1 held by their server");
    program = program.feed_at(&server.url("/off"), "name = \"off\"\nenabled = false");
    assert_eq!(
        program.run(&["once", "off"]).expect(75).stdout.lines().last(),
        Some("not polled: 1 disabled")
    );
    assert_eq!(server.log().len(), 1);
}

#[test]
fn articles_are_listed_and_found() {
    let program = polled();
    let all = program.run(&["articles", "--json"]).expect(0);
    let lines = all.json_lines();
    let keys: Vec<&String> = lines[0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["id", "published_at", "feed", "title", "url", "carriers"]);
    assert_eq!(ids(&all), [json!(2), json!(1)], "newest first");
    for (arguments, expected) in [
        (&["--search", "lighthouse"][..], vec![json!(1)]),
        (&["--search", "light* keeper"], vec![json!(1)]),
        (&["--search", "\"harbour-dues\" OR"], vec![]),
        (&["--search", "harbour"], vec![json!(2)]),
        (&["--feed", "wire"], vec![]),
        (&["--feed", "gazette", "--limit", "1"], vec![json!(2)]),
        (&["--since", "2026-11-23T09:15:00Z"], vec![json!(2), json!(1)]),
        (&["--since", "2026-11-23T09:15:01Z"], vec![]),
        (&["--since", "2500-01-01"], vec![]),
        (&["--since", "52000w"], vec![json!(2), json!(1)]),
    ] {
        let arguments = [&["articles", "--json"], arguments].concat();
        assert_eq!(ids(&program.run(&arguments).expect(0)), expected, "{arguments:?}");
    }
    let table = program.run(&["articles"]).expect(0).stdout;
    assert!(
        table.contains(" 1  2026-11-23T09:15:00Z         2  gazette  Varn Point goes dark\n"),
        "{table}"
    );
    program.run(&["articles", "--since", "yesterday"]).expect(2);
    for nothing in ["", " "] {
        let refused = program.run(&["articles", "--search", nothing]).expect(2);
        assert!(refused.stderr.contains("at least one word"), "{}", refused.stderr);
    }
    program.run(&["articles", "--feed", "nobody"]).expect(1);
}

#[test]
fn show_prints_one_article_with_its_carriers() {
    let program = polled();
    let shown = program.run(&["show", "1"]).expect(0).stdout;
    assert!(
        shown.starts_with("1  Varn Point goes dark\ngazette | 2026-11-23T09:15:00Z"),
        "{shown}"
    );
    assert!(
        shown.contains(STORY) && shown.contains("carried by") && shown.contains("d1"),
        "{shown}"
    );
    let article = program.run(&["show", "1", "--json"]).expect(0).json();
    assert_eq!(article["body"], STORY);
    assert_eq!(article["carriers"][1]["duplicate_id"], "d1");
    assert_eq!(article["carriers"][1]["feed"], "wire");
    assert!(program.run(&["show", "99"]).expect(1).stderr.contains("there is no article 99"));
    program.run(&["show", "d1"]).expect(2);
}

#[test]
fn decisions_are_explained_and_taken_back() {
    let program = polled();
    let folded = program.run(&["explain", "d1"]).expect(0).stdout;
    assert!(
        folded.starts_with("d1 was folded into article 1: near_duplicate, similarity "),
        "{folded}"
    );
    assert!(
        folded.contains("matched article 1") && folded.contains("newsfold unfold d1"),
        "{folded}"
    );
    let kept = program.run(&["explain", "1"]).expect(0).stdout;
    assert!(kept.starts_with("article 1 was kept: nothing like it was there\n"), "{kept}");
    assert!(kept.contains("d1 was folded into it"), "{kept}");
    let evidence = program.run(&["explain", "d1", "--json"]).expect(0).json();
    assert!(evidence["evidence"]["thresholds"].is_object(), "{evidence}");

    let unfolded = program.run(&["unfold", "d1", "--json"]).expect(0).json();
    assert_eq!(unfolded, json!({"id": 3, "duplicate_id": "d1", "left_article_id": 1}));
    assert_eq!(
        program.sqlite("SELECT count(*) FROM articles; SELECT count(*) FROM duplicates"),
        ["3", "0"]
    );
    let kept = program.run(&["explain", "3"]).expect(0).stdout;
    assert!(
        kept.starts_with("article 3 was kept: somebody unfolded it from article 1\n"),
        "{kept}"
    );
    program.run(&["unfold", "d1"]).expect(1);
    program.run(&["explain", "x"]).expect(2);
}

#[test]
fn feeds_are_listed_explained_and_reset() {
    let program = polled();
    let all = program.run(&["feeds", "--json"]).expect(0).json_lines();
    let states: Vec<&Value> = all.iter().map(|feed| &feed["state"]).collect();
    assert_eq!(states, ["ok", "ok", "failing"]);
    let failing = program.run(&["feeds", "--failing"]).expect(0).stdout;
    assert!(failing.contains("broken  failing") && !failing.contains("gazette"), "{failing}");
    assert!(ids(&program.run(&["feeds", "--due", "--json"]).expect(0)).is_empty());

    let explained = program.run(&["feeds", "explain", "broken"]).expect(0).stdout;
    assert!(
        explained.contains("set by backoff") && explained.contains("not_a_feed"),
        "{explained}"
    );
    let details = program.run(&["feeds", "explain", "1", "--json"]).expect(0).json();
    assert_eq!(details["polls"][0]["new"], 2);
    assert!(
        details["next_poll_rules"].as_array().is_some_and(|rules| !rules.is_empty()),
        "{details}"
    );

    program.run(&["feeds", "reset", "broken"]).expect(0);
    assert_eq!(ids(&program.run(&["feeds", "--due", "--json"]).expect(0)), [json!(3)]);
    program.run(&["feeds", "--failing", "explain", "1"]).expect(2);
    program.run(&["feeds", "explain", "nobody"]).expect(1);
}

#[test]
fn replay_names_what_other_settings_would_change() {
    let program = polled();
    assert!(
        program.run(&["replay", "--json"]).expect(0).stdout.is_empty(),
        "same settings, same verdicts"
    );
    let changes = program.run(&["replay", "--set", "scope=off", "--json"]).expect(0).json_lines();
    assert_eq!(changes.len(), 1);
    assert_eq!(
        (&changes[0]["duplicate_id"], &changes[0]["would_fold_into"]),
        (&json!("d1"), &json!(null))
    );
    let told = program.run(&["replay", "--set", "scope=off"]).expect(0).stdout;
    assert!(told.starts_with("3 texts: 1 copy now, 0 by these settings; 1 change\n"), "{told}");
    for wrong in ["scope=some", "most=7", "colour=red"] {
        let refused = program.run(&["replay", "--set", wrong]).expect(2).stderr;
        assert!(refused.contains(wrong) && !refused.contains('['), "{refused}");
    }
    assert_eq!(program.sqlite("SELECT count(*) FROM duplicates"), ["1"], "nothing is changed");
    program.run(&["unfold", "d1"]).expect(0);
    assert!(
        program.run(&["replay", "--json"]).expect(0).stdout.is_empty(),
        "what somebody unfolded no setting folds"
    );
}

#[test]
fn a_backup_is_a_database_and_never_overwrites() {
    let program = polled();
    let copy = program.path("copy.db");
    let arguments = ["backup", copy.to_str().unwrap()];
    program.run(&arguments).expect(0);
    assert_eq!(sqlite(&copy, "PRAGMA integrity_check; SELECT count(*) FROM latest"), ["ok", "2"]);
    let refused = program.run(&arguments).expect(1).stderr;
    assert!(refused.contains("copy.db: there is a file of that name"), "{refused}");
}

#[test]
fn a_database_that_is_not_there_yet_is_said_to_be() {
    let program = Program::new();
    for arguments in [&["feeds"][..], &["articles"], &["show", "1"], &["unfold", "d1"], &["replay"]]
    {
        let ended = program.run(arguments).expect(1);
        assert!(ended.stderr.contains("newsfold once"), "{ended:?}");
    }
    assert!(!program.database().exists(), "looking does not create it");
}

#[test]
fn nothing_of_a_feed_reaches_the_terminal_as_a_command() {
    let program = Program::new().feed_at("file:none.xml", "name = \"red\\u001b[31m\\u202etxt\"");
    program.run(&["once"]).expect(75);
    for arguments in [&["feeds"][..], &["feeds", "explain", "1"]] {
        let text = program.run(arguments).expect(0).stdout;
        assert!(text.contains("red\\u{1b}[31m\\u{202e}txt"), "{text}");
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text}");
        let json = program.run(&[arguments, &["--json"]].concat()).expect(0).stdout;
        assert!(json.contains("red\\u001b[31m\\u202etxt"), "{json}");
    }
}

#[test]
fn once_is_stopped_by_a_signal_with_its_feeds_given_back() {
    // A server that takes the connection and never answers: the poll is under way when the signal comes.
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let program = Program::new()
        .settings("[fetch]\nallow_private_networks = true")
        .feed_at(&format!("http://{}/feed.xml", server.local_addr().unwrap()), "");
    let child = start(program.command(&["once"]));
    let _connection = server.accept().unwrap();
    let killed = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let ended = finish(child, "").expect(1);
    assert!(ended.stdout.contains("stopped before the end"), "{ended:?}");
    assert!(!ended.stdout.contains("polled in 0 ms"), "{ended:?}");
    assert_eq!(program.sqlite("SELECT count(*) FROM feeds WHERE claimed_by IS NULL"), ["1"]);
}
