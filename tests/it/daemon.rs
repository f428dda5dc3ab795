//! The daemon itself: stopped in mid-poll, killed at any moment, started twice, with `once` beside it. Nothing is lost
//! and nothing doubled.

use std::{
    fs,
    io::Read as _,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use super::support::{
    program::{Program, rss, start},
    server::{Reply, Server},
};

const SETTINGS: &str = "[fetch]\nallow_private_networks = true\nhost_delay = \"0s\"\nper_host = 32";

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

struct Daemon {
    child: Child,
    log: Arc<Mutex<String>>,
}

impl Daemon {
    fn start(program: &Program) -> Self {
        Self::spawn(program.command(&["run"]))
    }

    fn spawn(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let written = Arc::clone(&log);
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = stderr.read(&mut bytes) {
                written.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
        });
        Self { child, log }
    }

    /// Starts it and waits until it says that it is ready.
    fn ready(program: &Program) -> Self {
        let daemon = Self::start(program);
        until("the daemon is ready", || daemon.log().contains("ready"));
        daemon
    }

    fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Asks it to stop; its exit code and how long it took.
    fn stop(mut self) -> (Option<i32>, Duration, String) {
        let asked = Instant::now();
        self.signal("-TERM");
        let status = self.child.wait().unwrap();
        (status.code(), asked.elapsed(), self.log())
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for something to become true.
#[track_caller]
fn until(what: &str, is_true: impl FnMut() -> bool) {
    assert!(within(PATIENCE, is_true), "not true in {PATIENCE:?}: {what}");
}

fn within(patience: Duration, mut is_true: impl FnMut() -> bool) -> bool {
    let begun = Instant::now();
    while !is_true() {
        if begun.elapsed() > patience {
            return false;
        }
        thread::park_timeout(Duration::from_millis(20));
    }
    true
}

fn count(program: &Program, sql: &str) -> usize {
    program.sqlite(sql)[0].parse().unwrap()
}

#[track_caller]
fn expect_sound(program: &Program) {
    assert_eq!(program.sqlite("PRAGMA integrity_check"), ["ok"]);
    assert_eq!(program.sqlite("PRAGMA foreign_key_check"), Vec::<String>::new());
}

/// The demonstration's feeds, served. What a plain round makes of them is what every other way must come to.
fn serve_demo(server: &Server) -> (Program, Vec<String>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/demo");
    let mut names: Vec<String> = fs::read_dir(folder.clone())
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let mut program = Program::new().settings(SETTINGS);
    for (number, name) in names.iter().enumerate() {
        let path = format!("/{name}");
        // One after the other: a kill in between finds some written, some under way, some not begun.
        let delay = Duration::from_millis(20 * number as u64);
        server.always(&path, Reply::feed(fs::read(folder.join(name)).unwrap()).after(delay));
        program = program.feed_at(&server.url(&path), &format!("name = \"{name}\""));
    }
    (program, names)
}

/// Everything that was ever listed, wherever it went.
fn everything(program: &Program) -> Vec<String> {
    program.sqlite(
        "SELECT f.name, e.guid, e.url, e.article_id IS NULL AND e.duplicate_id IS NULL
         FROM entries AS e JOIN feeds AS f ON f.id = e.feed_id ORDER BY 1, 2, 3",
    )
}

/// Which of two texts is kept depends on the order in which feeds answer; that each entry is one row does not.
#[track_caller]
fn expect_nothing_doubled(program: &Program, reference: &Program) {
    let entries = everything(program);
    assert_eq!(entries, everything(reference));
    let rows = "SELECT (SELECT count(*) FROM articles) + (SELECT count(*) FROM duplicates)";
    assert_eq!(count(program, rows), entries.len());
    assert_eq!(count(program, "SELECT count(*) FROM revisions WHERE change <> 'fuller'"), 0);
    expect_sound(program);
}

#[test]
fn a_stop_in_mid_poll_ends_in_time_and_the_next_start_takes_it_up_again() {
    let server = Server::start();
    let (program, names) = serve_demo(&server);
    let reference = serve_demo(&server).0;
    reference.run(&["once"]).expect(75);
    let slow = "/harbour-gazette.rss";
    let document =
        fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("config/demo/harbour-gazette.rss"))
            .unwrap();
    server.always(slow, Reply::mute());

    let daemon = Daemon::ready(&program);
    let others = names.len() - 1;
    until("every other feed is polled", || {
        count(&program, "SELECT count(DISTINCT feed_id) FROM polls") == others
    });
    until("the slow one is asked", || !server.requests(slow).is_empty());
    let (code, took, log) = daemon.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(took < Duration::from_secs(5), "{took:?}: {log}");
    assert_eq!(count(&program, "SELECT count(*) FROM feeds WHERE claimed_by IS NOT NULL"), 0);
    expect_sound(&program);

    server.always(slow, Reply::feed(document));
    let daemon = Daemon::ready(&program);
    until("the slow one is polled", || {
        count(&program, "SELECT count(*) FROM feeds WHERE last_poll_at IS NULL") == 0
    });
    assert_eq!(daemon.stop().0, Some(0));
    expect_nothing_doubled(&program, &reference);
}

#[test]
fn a_kill_at_any_moment_loses_nothing_and_doubles_nothing() {
    let server = Server::start();
    let (reference, names) = serve_demo(&server);
    reference.run(&["once"]).expect(75);
    for moment in 0..=names.len() {
        let server = Server::start();
        let (program, names) = serve_demo(&server);
        let daemon = Daemon::start(&program);
        until("so many have answered", || {
            server.log().iter().filter(|request| request.ended.is_some()).count() >= moment
        });
        daemon.kill();

        let daemon = Daemon::ready(&program);
        until("all feeds are polled", || {
            count(&program, "SELECT count(*) FROM feeds WHERE last_poll_at IS NOT NULL")
                == names.len()
        });
        let (code, _, log) = daemon.stop();
        assert_eq!(code, Some(0), "{log}");
        expect_nothing_doubled(&program, &reference);
    }
}

#[test]
fn a_document_that_kills_is_found_among_those_that_do_not() {
    let server = Server::start();
    let body = "The harbour office closed the north pier on Monday because its planks have rotted.";
    for path in ["/deadly", "/slow"] {
        server.always(path, Reply::mute());
    }
    server.always("/sound", Reply::feed(rss("site", &[("Pier closed", body)])));
    let mut program = Program::new().settings(SETTINGS);
    for name in ["deadly", "slow", "sound"] {
        program = program.feed_at(&server.url(&format!("/{name}")), &format!("name = \"{name}\""));
    }
    let asked = |path: &str| server.requests(path).len();
    let states = "SELECT error_kind, failures, next_poll_reason,
                         next_poll_at > strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '10 minutes')
                  FROM feeds WHERE name <> 'sound' ORDER BY id";
    for times in 1..=2 {
        let daemon = Daemon::start(&program);
        until("both are asked", || asked("/deadly") == times && asked("/slow") == times);
        until("the other one is polled", || count(&program, "SELECT count(*) FROM polls") == 1);
        daemon.kill();
    }
    // One of them is the reason, but which?
    let daemon = Daemon::ready(&program);
    assert!(daemon.log().contains("they are polled one by one"), "{}", daemon.log());
    assert_eq!(
        program.sqlite(states),
        ["interrupted|0|interrupted|0", "interrupted|0|interrupted|0"]
    );
    let explained = program.run(&["feeds", "explain", "slow"]).expect(0).stdout;
    assert!(explained.contains("set by interrupted"), "{explained}");
    assert!(explained.contains("killed 2 times in a row with polls under way"), "{explained}");
    until("the first is asked by itself", || asked("/deadly") == 3);
    assert_eq!(asked("/slow"), 2);
    daemon.kill();

    server.always("/slow", Reply::feed(rss("slow", &[("Choir looks for tenors", body)])));
    let daemon = Daemon::ready(&program);
    assert!(daemon.log().contains("it is put off"), "{}", daemon.log());
    until("the innocent one is polled", || count(&program, "SELECT count(*) FROM polls") == 2);
    assert_eq!(program.sqlite(states), ["interrupted|1|backoff|1", "|0|auto|1"]);
    assert_eq!(count(&program, "SELECT count(*) FROM feeds WHERE claimed_by IS NOT NULL"), 0);
    assert_eq!(daemon.stop().0, Some(0));
    assert_eq!((asked("/deadly"), asked("/slow")), (3, 3));
}

#[test]
fn what_a_killed_once_had_claimed_is_free_at_once() {
    let server = Server::start();
    server.always("/feed", Reply::mute());
    let program = Program::new().settings(SETTINGS).feed_at(&server.url("/feed"), "name = \"a\"");
    let mut first = start(program.command(&["once"]));
    until("it is asked", || server.requests("/feed").len() == 1);
    let beside = program.run(&["once", "a"]).expect(75);
    assert!(beside.stdout.contains("1 polled by another process"), "{beside:?}");
    first.kill().unwrap();
    first.wait().unwrap();
    let body = "The harbour office closed the north pier on Monday because its planks have rotted.";
    server.always("/feed", Reply::feed(rss("site", &[("Pier closed", body)])));
    let after = program.run(&["once", "a"]).expect(0);
    assert!(after.stdout.contains("1 feed polled"), "{after:?}");
    assert_eq!(server.requests("/feed").len(), 2);
}

#[test]
fn a_database_that_was_replaced_is_noticed_while_nothing_is_due() {
    let program = Program::new().feed("a.xml", &rss("site", &[("Pier closed", "On Monday.")]));
    let mut daemon = Daemon::ready(&program);
    until("the feed is polled", || count(&program, "SELECT count(*) FROM polls") == 1);
    let copy = program.path("copy.db");
    fs::copy(program.database(), &copy).unwrap();
    fs::rename(&copy, program.database()).unwrap();
    // A reload shows the status anew; else it is looked every quarter of a minute.
    daemon.signal("-HUP");
    until("it ends", || daemon.child.try_wait().unwrap().is_some_and(|it| it.code() == Some(1)));
    until("it says why", || daemon.log().contains("was removed or replaced"));
}

#[test]
fn a_second_daemon_is_refused_and_once_is_welcome() {
    let server = Server::start();
    let body = "The harbour office closed the north pier on Monday because its planks have rotted.";
    server.always("/a", Reply::feed(rss("site", &[("Pier closed", body)])));
    let program = Program::new().settings(SETTINGS).feed_at(&server.url("/a"), "name = \"a\"");
    let daemon = Daemon::ready(&program);
    until("the feed is polled", || count(&program, "SELECT count(*) FROM polls") == 1);

    let refused = program.run(&["run"]).expect(1);
    assert!(refused.stderr.contains(&daemon.child.id().to_string()), "{}", refused.stderr);

    let more =
        "The choir of Saint Brannoc looks for two tenors who can read music and come on Thursdays.";
    server.always(
        "/a",
        Reply::feed(rss("site", &[("Choir looks for tenors", more), ("Pier closed", body)])),
    );
    program.run(&["once"]).expect(0);
    assert_eq!(count(&program, "SELECT count(*) FROM polls"), 1, "it is not due");
    program.run(&["once", "--all"]).expect(0);
    assert_eq!(
        program.sqlite("SELECT title FROM articles ORDER BY id"),
        ["Pier closed", "Choir looks for tenors"]
    );

    // The stock shell reads while it runs.
    let search = "SELECT rowid FROM article_fts WHERE article_fts MATCH 'tenors'";
    assert_eq!(program.sqlite(search), ["2"]);
    assert_eq!(program.sqlite("SELECT count(*) FROM latest"), ["2"]);
    assert_eq!(program.sqlite("SELECT state FROM feed_health"), ["ok"]);
    assert_eq!(program.sqlite("SELECT count(*) FROM due"), ["0"]);
    assert_eq!(daemon.stop().0, Some(0));
    expect_sound(&program);
}

#[test]
fn two_processes_that_poll_at_once_come_to_one_verdict() {
    let server = Server::start();
    let reference = serve_demo(&server).0;
    reference.run(&["once"]).expect(75);
    let (program, names) = serve_demo(&server);
    let daemon = Daemon::ready(&program);
    for _ in 0..4 {
        program.run(&["once", "--all"]);
    }
    until("all feeds are polled", || {
        count(&program, "SELECT count(*) FROM feeds WHERE last_poll_at IS NOT NULL") == names.len()
    });
    assert_eq!(daemon.stop().0, Some(0));
    expect_nothing_doubled(&program, &reference);
}

#[test]
fn a_document_that_harms_costs_the_daemon_one_poll() {
    let server = Server::start();
    let body = "The harbour office closed the north pier on Monday because its planks have rotted.";
    server.always("/sound", Reply::feed(rss("site", &[("Pier closed", body)])));
    server.always("/endless", Reply::feed(vec![b'x'; 65_536]).endless());
    server.always("/loop", Reply::redirect(302, "/loop"));
    server.always("/stalled", Reply::feed("<rss>").stalled());
    // One after the other, the sound one last.
    let mut program = Program::new().settings(SETTINGS).settings(
        "concurrency = 1\ntimeout = \"1s\"\nfirst_byte_timeout = \"1s\"\nconnect_timeout = \"1s\"\nmax_body = \"1MiB\"",
    );
    for path in ["/endless", "/loop", "/stalled", "/sound"] {
        program = program.feed_at(&server.url(path), &format!("name = \"{path}\""));
    }
    let daemon = Daemon::ready(&program);
    until("each is polled", || count(&program, "SELECT count(DISTINCT feed_id) FROM polls") == 4);
    let kinds = "SELECT f.name || ' ' || coalesce(p.error_kind, p.outcome) FROM polls AS p JOIN feeds AS f ON f.id = p.feed_id ORDER BY p.id";
    assert_eq!(
        program.sqlite(kinds),
        ["/endless too_large", "/loop too_many_redirects", "/stalled timeout", "/sound changed"]
    );
    let (code, _, log) = daemon.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("panic"), "{log}");
    assert_eq!(program.sqlite("SELECT count(*) FROM articles"), ["1"]);
}

#[test]
fn a_credential_of_the_unit_is_missed_by_once_and_is_no_failure_of_the_feed() {
    let keys = "username = \"reader\"\npassword_credential = \"feed_members\"";
    let program = Program::new().feed_at("http://127.0.0.1:9/members.xml", keys);
    let missed = program.run(&["once", "1"]).expect(75);
    assert!(missed.stderr.contains("credentials exist only inside the unit"), "{}", missed.stderr);
    assert!(missed.stdout.contains("1 without their credentials"), "{}", missed.stdout);
    program.run(&["once"]).expect(0);
    assert_eq!(program.sqlite("SELECT failures, last_poll_at IS NULL FROM feeds"), ["0|1"]);
}

#[test]
fn a_warning_names_its_feed_where_the_log_is_quiet_too() {
    let server = Server::start();
    server.always("/feed", Reply::status(404));
    let program = Program::new()
        .settings(&format!("{SETTINGS}\n[log]\nlevel = \"warn\""))
        .feed_at(&server.url("/feed"), "");
    let daemon = Daemon::start(&program);
    until("the failure is logged", || daemon.log().contains("failed"));
    let named = format!("feed.id=1 feed.url={}", server.url("/feed"));
    assert!(daemon.log().contains(&named), "{}", daemon.log());
    assert_eq!(daemon.stop().0, Some(0));
}

/// The largest file that a process may write, in bytes: what a full disk is to SQLite.
fn set_file_limit(process: u32, bytes: &str) {
    let limit = format!("--fsize={bytes}:");
    let done = Command::new("prlimit").args(["--pid", &process.to_string(), &limit]).status();
    assert!(done.unwrap().success());
}

#[test]
fn a_full_disk_is_waited_out_and_nobody_is_asked_twice() {
    let server = Server::start();
    let items: Vec<(String, String)> = (0..200)
        .map(|n| (format!("Story {n}"), format!("Ship {n} came in. ").repeat(400)))
        .collect();
    let items: Vec<(&str, &str)> = items.iter().map(|(title, body)| (&**title, &**body)).collect();
    server.always("/feed", Reply::feed(rss("Harbour", &items)).after(Duration::from_secs(1)));
    let program = Program::new()
        .settings(&format!("{SETTINGS}\n[http]\nlisten = \"unix:http\""))
        .feed_at(&server.url("/feed"), "");
    // A process that may write no more gets a signal which ends it, unless that is ignored, as it is by a shell's trap.
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"]);
    let plain = program.command(&["run"]);
    command.arg(plain.get_program()).args(plain.get_args());
    let daemon = Daemon::spawn(command);
    until("the daemon is ready", || daemon.log().contains("ready"));
    set_file_limit(daemon.child.id(), "600000");
    let health = || program.page("/health").unwrap_or_default();
    until("it says that it cannot write", || health().contains("disk: "));
    assert!(health().starts_with("HTTP/1.1 503"), "{}", health());
    assert_eq!(count(&program, "SELECT count(*) FROM articles"), 0);
    let metrics = || program.page("/metrics").unwrap_or_default();
    until("what waits is counted", || metrics().contains("\nnewsfold_feeds_due 1\n"));
    set_file_limit(daemon.child.id(), "unlimited");
    until("it has written", || count(&program, "SELECT count(*) FROM articles") == 200);
    until("it is well", || health().starts_with("HTTP/1.1 200"));
    assert_eq!(server.requests("/feed").len(), 1);
    let (code, ..) = daemon.stop();
    assert_eq!(code, Some(0));
    expect_sound(&program);
}
