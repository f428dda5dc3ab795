//! Every real document that we have, served as a feed of its own and polled twice: nothing breaks, and nothing is new
//! the second time.

use std::{env, fs, path::PathBuf};

use serde_json::Value;

use super::{
    super::support::{
        program::Program,
        server::{Reply, Server},
    },
    MANNERS_OFF, expect_sound, row,
};

#[test]
fn all_documents_are_polled_and_a_second_poll_brings_nothing() {
    let Some(feeds) = env::var_os("NEWSFOLD_DATA").map(|data| PathBuf::from(data).join("feeds"))
    else {
        eprintln!("skipped: NEWSFOLD_DATA is not set");
        return;
    };
    let manifest = fs::read_to_string(feeds.join("manifest.jsonl")).unwrap();
    let documents: Vec<Value> =
        manifest.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let server = Server::start();
    let mut program = Program::new().settings(MANNERS_OFF);
    for (number, document) in documents.iter().enumerate() {
        let file = document["file"].as_str().unwrap();
        let path = format!("/{number}");
        server.always(&path, reply(document, fs::read(feeds.join(file)).unwrap()));
        program = program.feed_at(&server.url(&path), &format!("name = \"{file}\""));
    }
    let count = documents.len();

    program.run(&["once", "--all"]).expect(75);
    expect_polls(&program, 0, count);
    let is_feed = "SELECT count(*) FROM polls WHERE outcome = 'changed'";
    let read: usize = row(&program, is_feed).parse().unwrap();
    assert!(
        read >= count - 5,
        "{read} of {count}: {:#?}",
        program.sqlite("SELECT name, error FROM feeds WHERE error IS NOT NULL")
    );
    let kinds = "SELECT count(*) FROM polls WHERE error_kind NOT IN ('not_a_feed', 'too_deep', 'too_many_nodes')";
    assert_eq!(row(&program, kinds), "0");

    let stored = "SELECT (SELECT count(*) FROM articles), (SELECT count(*) FROM duplicates), (SELECT count(*) FROM entries),
                         (SELECT count(*) FROM revisions), (SELECT max(change_id) FROM articles)";
    let before = row(&program, stored);
    program.run(&["once", "--all"]).expect(75);
    expect_polls(&program, count, count);
    let busy = format!(
        "SELECT f.name, p.new, p.revised, p.duplicates FROM polls AS p JOIN feeds AS f ON f.id = p.feed_id
         WHERE p.id > {count} AND p.new + p.revised + p.duplicates > 0"
    );
    assert_eq!(program.sqlite(&busy), Vec::<String>::new());
    assert_eq!(row(&program, stored), before);
    expect_sound(&program);
}

/// One row for each feed with what came of it, after the first `after` rows.
#[track_caller]
fn expect_polls(program: &Program, after: usize, count: usize) {
    let sql = format!(
        "SELECT count(*), count(DISTINCT feed_id), count(outcome) FROM polls WHERE id > {after}"
    );
    assert_eq!(row(program, &sql), format!("{count}|{count}|{count}"));
}

fn reply(document: &Value, body: Vec<u8>) -> Reply {
    let mut reply = Reply::status(200).body(body);
    let mut has_type = false;
    for (name, value) in document["http_headers"].as_object().into_iter().flatten() {
        // The server's own business, or what would make the second answer another one.
        if ["content-length", "transfer-encoding", "content-encoding"].contains(&name.as_str()) {
            continue;
        }
        has_type |= name.eq_ignore_ascii_case("content-type");
        reply = reply.header(name, value.as_str().unwrap());
    }
    let is_json = document["file"].as_str().unwrap().ends_with(".json");
    if has_type {
        reply
    } else {
        reply.header("Content-Type", if is_json { "application/json" } else { "application/xml" })
    }
}
