//! The whole line: served documents, the real program, a real database file, the stock `sqlite3` shell.

mod content;
mod documents;
mod edits;
mod hostile;
mod publishers;
mod story;

use super::support::{program::Program, server::Server};

/// A program whose feeds are served from loopback, one for each path, named after it.
fn program(server: &Server, paths: &[&str]) -> Program {
    let mut program = Program::new().settings(MANNERS_OFF);
    for path in paths {
        program = program.feed_at(&server.url(path), &format!("name = \"{path}\""));
    }
    program
}

/// The test server is one host, is private, and is asked as fast as it answers.
const MANNERS_OFF: &str =
    "[fetch]\nallow_private_networks = true\nhost_delay = \"0s\"\nper_host = 32";

/// The one row of a query.
#[track_caller]
fn row(program: &Program, sql: &str) -> String {
    program.sqlite(sql).join("\n")
}

/// Fails unless the database file is sound and every reference in it leads somewhere.
#[track_caller]
fn expect_sound(program: &Program) {
    assert_eq!(row(program, "PRAGMA integrity_check"), "ok");
    assert_eq!(row(program, "PRAGMA foreign_key_check"), "");
    // What the schema cannot say: each entry holds something, and nothing is held twice.
    let twice = "SELECT count(*) FROM entries WHERE article_id IS NOT NULL GROUP BY article_id HAVING count(*) > 1
                 UNION ALL
                 SELECT count(*) FROM entries WHERE duplicate_id IS NOT NULL GROUP BY duplicate_id HAVING count(*) > 1";
    assert_eq!(row(program, twice), "");
    let orphans = "SELECT (SELECT count(*) FROM articles WHERE id NOT IN (SELECT article_id FROM entries WHERE article_id IS NOT NULL)),
                          (SELECT count(*) FROM duplicates WHERE id NOT IN (SELECT duplicate_id FROM entries WHERE duplicate_id IS NOT NULL))";
    assert_eq!(row(program, orphans), "0|0");
}
