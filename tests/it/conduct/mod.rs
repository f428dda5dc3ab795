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

mod failures;
mod moves;
mod requests;
mod validators;
mod when;

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
    let remembered = |key: &str| {
        format!(
            "UPDATE feeds SET poll_memory =
                json_set(poll_memory, '{key}', json_extract(poll_memory, '{key}') - {seconds})
             WHERE json_extract(poll_memory, '{key}') IS NOT NULL;"
        )
    };
    let columns: Vec<String> = columns.iter().map(|column| moved(column)).collect();
    change(
        program,
        &format!(
            "UPDATE feeds SET {}; UPDATE hosts SET {};
             {}{}",
            columns.join(", "),
            moved("retry_after_until"),
            remembered("$.silent_since"),
            remembered("$.first_newest"),
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
