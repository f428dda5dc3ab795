//! The command line as its users meet it: the real program, its streams and its exit codes.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
};

use serde_json::json;

use crate::support::program::{Program, command, finish, newsfold, rss, start};

#[test]
fn wrong_usage_is_told_apart_from_failure() {
    for arguments in [
        &["frobnicate"][..],
        &[],
        &["inspect"],
        &["inspect", "--as", "novel", "-"],
        &["-v", "-q", "check"],
    ] {
        let ended = newsfold(arguments, "").expect(2);
        assert!(ended.stdout.is_empty() && ended.stderr.contains("--help"), "{ended:?}");
    }
    assert!(newsfold(&["--version"], "").expect(0).stdout.starts_with("newsfold "));
    assert!(newsfold(&["--help"], "").expect(0).stdout.contains("78 bad configuration"));
}

#[test]
fn a_bad_configuration_is_78_and_leaves_stdout_alone() {
    let program = Program::new().settings("[poll]\nintervall = \"1h\"");
    for arguments in [&["check"][..], &["dedup"]] {
        let ended = program.run(arguments).expect(78);
        assert!(ended.stdout.is_empty(), "{ended:?}");
        assert!(ended.stderr.contains("newsfold.toml:4:1"), "{ended:?}");
        assert!(ended.stderr.contains("did you mean interval?"), "{ended:?}");
        assert!(!ended.stderr.contains('\u{1b}'), "colour only on a terminal: {ended:?}");
    }
    newsfold(&["-c", "/nonexistent/newsfold.toml", "check"], "").expect(78);
    let checked = program.run(&["check", "--json"]).expect(78).json();
    let error = checked["errors"][0].as_str().unwrap();
    assert!(error.contains("newsfold.toml:4:1: unknown key intervall"), "{error}");
}

#[test]
fn check_says_that_all_is_well() {
    let ended = Program::new().feed("a.xml", &rss("a", &[])).run(&["check"]).expect(0);
    assert!(ended.stdout.contains("fine, 1 feed"), "{ended:?}");
}

#[test]
fn check_warns_of_files_that_are_not_there() {
    let program = Program::new()
        .feed("a.xml", &rss("a", &[]))
        .feed_at("file:b.xml", "")
        .feed_at("file:off.xml", "enabled = false")
        .feed_at("https://news.example/", "username = \"me\"\npassword_file = \"secret\"");
    let ended = program.run(&["check"]).expect(0);
    let warnings: Vec<&str> = ended.stderr.lines().collect();
    assert_eq!(warnings.len(), 2, "{ended:?}");
    assert!(warnings[0].contains("b.xml: No such file"), "{ended:?}");
    assert!(
        warnings[1].contains("https://news.example/ will fail, its password_file"),
        "{ended:?}"
    );
    program.write("b.xml", &rss("b", &[]));
    program.write("secret", "pa55word");
    assert!(program.run(&["check"]).expect(0).stderr.is_empty());
}

const ITEM: (&str, &str) =
    ("Harbour reopens", "The harbour reopened on Monday after three weeks of work.");

#[test]
fn inspect_prints_what_becomes_of_a_feed() {
    let ended = newsfold(&["inspect", "-"], &rss("gazette", &[ITEM])).expect(0);
    let feed = ended.json();
    assert_eq!(feed["format"], "rss 2.0");
    assert_eq!(
        (&feed["title"], &feed["site_url"]),
        (&json!("gazette"), &json!("https://gazette.example/"))
    );
    let entry = &feed["entries"][0];
    let keys: Vec<&str> = entry.as_object().unwrap().keys().map(String::as_str).collect();
    let contract = ["guid", "url", "title", "author", "published_at", "updated_at", "body", "cuts"];
    assert_eq!(&keys[..contract.len()], contract);
    assert_eq!(entry["title"], ITEM.0);
    assert_eq!(entry["body"], ITEM.1);
    assert_eq!(entry["published_at"], "2026-11-23T09:15:00Z");
}

#[test]
fn inspect_reads_files_and_resolves_links_against_the_url_given() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("feed.xml");
    let document =
        rss("gazette", &[ITEM]).replace("https://gazette.example/harbour-reopens", "/news/1");
    fs::write(&path, document).unwrap();
    let path = path.to_str().unwrap();
    let url = "https://gazette.example/feed.xml";
    let feed = newsfold(&["inspect", path, "--url", url], "").expect(0).json();
    assert_eq!(feed["entries"][0]["url"], "https://gazette.example/news/1");
    newsfold(&["inspect", &format!("{path}.gone")], "").expect(1);
}

#[test]
fn inspect_of_no_feed_is_an_error_on_stderr() {
    for text in ["", "just words", "<html><head><title>x</title></head><body><p>x</body></html>"] {
        let ended = newsfold(&["inspect", "-", "--as", "feed"], text).expect(1);
        assert!(ended.stdout.is_empty() && ended.stderr.starts_with("newsfold: "), "{ended:?}");
    }
}

#[test]
fn inspect_keeps_out_of_private_networks_unless_allowed() {
    let ended = newsfold(&["inspect", "http://127.0.0.1:9/feed.xml"], "").expect(1);
    assert!(ended.stderr.contains("private"), "{ended:?}");
}

const STORY: &str = "The lighthouse on Varn Point went dark for the first time in ninety years on Friday after \
    lightning struck its lantern room. Keeper Ida Holm said that the lamp itself was sound and that the cable \
    had melted over a length of twelve metres. Ships were warned by radio until a replacement arrived by boat \
    on Saturday morning, and the light was lit again before dusk.";

fn article(id: &str, title: &str, body: &str, source: &str) -> String {
    json!({"id": id, "title": title, "body": body, "source": source, "published": "2026-11-20T08:00:00Z"}).to_string() + "\n"
}

#[test]
fn dedup_judges_in_order_of_arrival() {
    let input = article("a", "Varn Point goes dark", STORY, "gazette")
        + &article(
            "b",
            "Council votes on harbour dues",
            "The council voted five to four to raise harbour dues by a tenth from January on, the first rise in eleven years.",
            "gazette",
        )
        + &article("c", "Varn Point goes dark", &format!("PORT ELSIN (NCW) - {STORY}"), "wire")
        + &article("d", "Varn Point goes dark", STORY, "lantern");
    let verdicts = newsfold(&["dedup"], &input).expect(0).json_lines();
    let found: Vec<_> = verdicts.iter().map(|it| (&it["id"], &it["duplicate_of"])).collect();
    let (a, none) = (json!("a"), json!(null));
    assert_eq!(
        found,
        [(&json!("a"), &none), (&json!("b"), &none), (&json!("c"), &a), (&json!("d"), &a)]
    );
    let keys: Vec<&String> = verdicts[2].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["id", "duplicate_of", "reason", "distance", "similarity"]);
    assert_eq!(verdicts[3]["similarity"], 1.0);

    let verdicts = newsfold(&["dedup", "--evidence", "-"], &input).expect(0).json_lines();
    assert!(
        verdicts[2]["evidence"].is_object() && verdicts[1]["refused"].is_array(),
        "{verdicts:?}"
    );
}

#[test]
fn a_line_that_cannot_be_read_costs_no_other() {
    let input = format!(
        "{}\n{{broken\n{{\"id\": \"x\"}}\n{{\"title\": \"no id\"}}\n{{\"id\": 8, \"title\": \"x\", \"published\": \"soon\"}}\n{}",
        article("a", "One", STORY, "s").trim_end(),
        "{\"id\": 7, \"title\": \"Numbers are ids too\"}"
    );
    let ended = newsfold(&["dedup"], &input).expect(1);
    let ids: Vec<_> = ended.json_lines().iter().map(|it| it["id"].clone()).collect();
    assert_eq!(ids, [json!("a"), json!(7)]);
    for line in 2..=5 {
        assert!(ended.stderr.contains(&format!("newsfold: line {line}: ")), "{line}: {ended:?}");
    }
}

#[test]
fn dedup_answers_before_it_waits_for_more() {
    let mut child = start(command(&["dedup"]));
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    for id in ["a", "b", "c"] {
        stdin.write_all(article(id, "Varn Point goes dark", STORY, id).as_bytes()).unwrap();
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        assert!(line.contains(&format!("\"id\":\"{id}\"")), "{line}");
    }
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let mut lines = String::new();
    for number in 0..20_000 {
        lines += &format!("{{\"id\": {number}, \"title\": \"Number {number} of many\"}}\n");
    }
    for (arguments, input) in [(&["dedup"][..], lines.as_str()), (&["completions", "bash"], "")] {
        let mut child = start(command(arguments));
        drop(child.stdout.take());
        let ended = finish(child, input).expect(0);
        assert!(ended.stderr.is_empty(), "{ended:?}");
    }
}

#[test]
fn completions_and_manual_name_every_command() {
    let help = newsfold(&["--help"], "").expect(0).stdout;
    let commands = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty());
    let commands: Vec<&str> = commands.filter_map(|line| line.split_whitespace().next()).collect();
    assert!(commands.len() > 4, "{help}");
    let manual = newsfold(&["man"], "").expect(0).stdout;
    for shell in ["bash", "zsh", "fish"] {
        let script = newsfold(&["completions", shell], "").expect(0).stdout;
        for command in &commands {
            assert!(script.contains(command), "{shell}: {command}");
            assert!(manual.contains(command), "{command}");
        }
    }
    let folder = tempfile::tempdir().unwrap();
    newsfold(&["man", folder.path().to_str().unwrap()], "").expect(0);
    assert!(folder.path().join("newsfold-dedup.1").exists());
}
