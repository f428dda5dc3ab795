//! The daemon as its service manager and its operator meet it: the notify protocol, the watchdog, reload, metrics and
//! health, doctor. Without systemd; what needs a real one stands in `tests/systemd`.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _, chown},
        net::UnixDatagram,
        process::CommandExt as _,
    },
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use super::support::{
    program::{Program, rss},
    server::{Reply, Server},
};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// What the tests' service manager allows between two signs of life.
const WATCHDOG: Duration = Duration::from_secs(4);

/// A running daemon and the socket on which it reports.
struct Service {
    child: Child,
    socket: UnixDatagram,
}

impl Service {
    /// Starts it and waits for READY.
    fn start(program: &Program) -> Self {
        let service = Self::spawn(program);
        service.expect("READY=1");
        service
    }

    fn spawn(program: &Program) -> Self {
        let path = program.path("notify");
        let _ = fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut command = program.command(&["run"]);
        command.env("NOTIFY_SOCKET", &path);
        command.env("WATCHDOG_USEC", WATCHDOG.as_micros().to_string());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self { child: command.spawn().unwrap(), socket }
    }

    /// The next message.
    fn hear(&self) -> String {
        let mut bytes = [0; 4096];
        let count = self.socket.recv(&mut bytes).expect("the daemon has fallen silent");
        String::from_utf8_lossy(&bytes[..count]).into_owned()
    }

    /// Waits for a message with this in it.
    #[track_caller]
    fn expect(&self, wanted: &str) -> String {
        let begun = Instant::now();
        let mut heard = Vec::new();
        while begun.elapsed() < PATIENCE {
            heard.push(self.hear());
            if let Some(message) = heard.last().filter(|message| message.contains(wanted)) {
                return message.clone();
            }
        }
        panic!("never heard {wanted}, but {heard:?}");
    }

    fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Asks it to stop; its exit code and how long it took.
    fn stop(self) -> (Option<i32>, Duration) {
        let asked = Instant::now();
        self.signal("-TERM");
        (self.end(), asked.elapsed())
    }

    /// Waits for its end.
    fn end(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Somebody who works in the database by hand and has an open transaction.
struct Person(Child);

impl Person {
    fn locks(program: &Program) -> Self {
        Self::locks_after(program, "")
    }

    /// Does something that stays done, then opens the transaction.
    fn locks_after(program: &Program, sql: &str) -> Self {
        let mut command = Command::new("sqlite3");
        command.arg(program.database()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdin = child.stdin.as_mut().unwrap();
        write!(stdin, ".timeout 30000\n{sql}\nBEGIN IMMEDIATE;\nSELECT 'mine';\n").unwrap();
        let mut answer = [0; 5];
        child.stdout.as_mut().unwrap().read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"mine\n");
        Self(child)
    }

    fn leaves(mut self) {
        drop(self.0.stdin.take());
        self.0.wait().unwrap();
    }
}

/// Waits for something to become true.
#[track_caller]
fn until(what: &str, mut is_true: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_true() {
        assert!(begun.elapsed() < PATIENCE, "not true in {PATIENCE:?}: {what}");
        thread::park_timeout(Duration::from_millis(20));
    }
}

fn polls(program: &Program) -> usize {
    program.sqlite("SELECT count(*) FROM polls")[0].parse().unwrap()
}

const STORY: &str =
    "A story with enough words in it to be judged by its text and not by its headline alone.";

#[test]
fn the_service_manager_is_told_what_happens() {
    let program = Program::new().feed("a.xml", &rss("a", &[("Only story", STORY)]));
    let service = Service::start(&program);
    let status = service.expect("STATUS=1 feeds, 0 failing, 0 due, lag 0 s, last article 2");
    assert!(!status.contains("none yet"), "{status}");
    for _ in 0..3 {
        service.expect("WATCHDOG=1");
    }
    service.signal("-HUP");
    let reloading = service.expect("RELOADING=1");
    assert!(reloading.contains("MONOTONIC_USEC="), "{reloading}");
    service.expect("READY=1");
    service.signal("-TERM");
    service.expect("STOPPING=1");
    assert_eq!(service.end(), Some(0));
}

#[test]
fn reload_has_an_answer() {
    let mut program = Program::new().feed("a.xml", &rss("a", &[("One", STORY)]));
    let none = program.run(&["reload"]).expect(1);
    assert!(none.stderr.contains("no newsfold works on"), "{}", none.stderr);

    let service = Service::start(&program);
    until("the first feed is polled", || polls(&program) == 1);
    program = program.feed("b.xml", &rss("b", &[("Two", STORY)]));
    program.run(&["reload"]).expect(0);
    until("the added feed is polled", || polls(&program) == 2);

    program = program.settings("[log]\nlevel = \"loud\"");
    let refused = program.run(&["reload"]).expect(78);
    assert!(refused.stderr.contains("newsfold.toml:4:9"), "{}", refused.stderr);
    // A signal alone: the daemon itself refuses, and goes on.
    service.signal("-HUP");
    service.expect("RELOADING=1");
    service.expect("READY=1");
    assert_eq!(program.sqlite("SELECT count(*) FROM feeds WHERE enabled"), ["2"]);
    let answers =
        "SELECT answered_at IS NOT NULL, instr(refusal, 'newsfold.toml:4:9') > 0 FROM reloads";
    assert_eq!(program.sqlite(answers), ["1|", "1|1"]);
    assert_eq!(service.stop().0, Some(0));
}

#[test]
fn a_reload_on_a_full_disk_is_a_signal_alone() {
    let mut program = Program::new().feed("a.xml", &rss("a", &[("One", STORY)]));
    let service = Service::start(&program);
    until("the first feed is polled", || polls(&program) == 1);
    program = program.feed("b.xml", &rss("b", &[("Two", STORY)]));
    // A limit of its own files is what a full disk is to SQLite.
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; exec prlimit --fsize=0: \"$@\"", "sh"]);
    let plain = program.command(&["reload"]);
    command.arg(plain.get_program()).args(plain.get_args());
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert!(stderr.contains("its answer cannot be seen"), "{stderr}");
    until("the added feed is polled", || polls(&program) == 2);
    assert_eq!(service.stop().0, Some(0));
}

#[test]
fn a_reload_onto_a_port_that_is_taken_is_refused_and_changes_nothing() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let mut program = Program::new().feed("a.xml", &rss("a", &[("One", STORY)]));
    fs::create_dir(program.path("conf.d")).unwrap();
    program.write("conf.d/http.toml", "[http]\nlisten = \"unix:../http\"\n");
    let service = Service::start(&program);
    until("it is healthy", || program.page("/health").is_some());
    program = program.feed("b.xml", &rss("b", &[("Two", STORY)]));
    program.write("conf.d/http.toml", &format!("[http]\nlisten = \"{address}\"\n"));
    let refused = program.run(&["reload"]).expect(78);
    let why = format!("[http] listen: cannot listen on {address}: ");
    assert!(refused.stderr.contains(&why), "{}", refused.stderr);
    assert_eq!(program.sqlite("SELECT count(*) FROM feeds"), ["1"]);
    assert_eq!(program.sqlite("SELECT instr(refusal, 'cannot listen') > 0 FROM reloads"), ["1"]);
    assert!(program.page("/health").unwrap().starts_with("HTTP/1.1 200"));

    drop(taken);
    program.run(&["reload"]).expect(0);
    until("it listens there", || TcpStream::connect(address).is_ok());
    until("the socket is gone", || !program.path("http").exists());
    assert_eq!(program.sqlite("SELECT count(*) FROM feeds"), ["2"]);
    assert_eq!(service.stop().0, Some(0));
}

#[test]
fn a_port_that_is_taken_at_the_start_is_tried_again() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let program = Program::new().feed("a.xml", &rss("a", &[("One", STORY)]));
    fs::create_dir(program.path("conf.d")).unwrap();
    program.write("conf.d/http.toml", &format!("[http]\nlisten = \"{address}\"\n"));
    let service = Service::start(&program);
    until("the feed is polled", || polls(&program) == 1);
    drop(taken);
    until("it listens there", || TcpStream::connect(address).is_ok());
    assert_eq!(service.stop().0, Some(0));
}

#[test]
fn a_service_manager_that_does_not_read_holds_up_nothing() {
    let program = Program::new().feed("a.xml", &rss("a", &[("One", STORY)]));
    let mut service = Service::start(&program);
    let full = UnixDatagram::unbound().unwrap();
    full.connect(program.path("notify")).unwrap();
    full.set_nonblocking(true).unwrap();
    while full.send(b"STATUS=unread\n").is_ok() {}
    service.signal("-TERM");
    until("it has ended", || service.child.try_wait().unwrap().is_some());
}

/// In the journal the fields are seen by who asks for them; a message must say by itself what is the matter.
#[test]
fn a_message_carries_its_reason() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let program = Program::new()
        .settings(&format!("[http]\nlisten = \"{address}\"\n[log]\nformat = \"json\""))
        .feed("a.xml", &rss("a", &[("One", STORY)]));
    let mut command = program.command(&["run"]);
    command
        .stdin(Stdio::null())
        .stderr(Stdio::from(fs::File::create(program.path("log")).unwrap()));
    let mut child = command.spawn().unwrap();
    let messages = || -> Vec<String> {
        let log = fs::read_to_string(program.path("log")).unwrap();
        let lines = log.lines().filter_map(|line| serde_json::from_str(line).ok());
        lines.filter_map(|it: serde_json::Value| Some(it["message"].as_str()?.to_owned())).collect()
    };
    let says = |start: &str, reason: &str| {
        messages().iter().any(|it| it.starts_with(start) && it.contains(reason))
    };
    until("it is ready", || says("ready", ""));
    assert!(
        says("metrics and health are not served for now: ", &address.to_string()),
        "{:?}",
        messages()
    );
    program.write("newsfold.toml", "[log]\nlevel = \"loud\"\n");
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-HUP", &id]).status().unwrap().success());
    until("the refusal is logged", || says("the old configuration stays: ", "newsfold.toml:2:9"));
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert!(child.wait().unwrap().success());
}

#[test]
fn metrics_count_feeds_by_the_states_that_feed_health_shows() {
    let mut program = Program::new().settings("[http]\nlisten = \"unix:http\"");
    for name in ["fine", "silent", "failing", "gone"] {
        program = program.feed(name, &rss(name, &[("One", STORY)]));
    }
    program.run(&["once"]).expect(0);
    // An hour ahead: what is due later than any rule can have put it is due at once.
    let later = "UPDATE feeds SET next_poll_at = strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '+1 hour');
         UPDATE feeds SET usual_gap_s = 60, poll_memory = json_set(poll_memory, '$.silent_since', 1) WHERE id = 2;
         UPDATE feeds SET failures = 1 WHERE id >= 3;
         UPDATE feeds SET gone_at = last_poll_at WHERE id = 4;";
    let shell = Command::new("sqlite3").arg(program.database()).arg(later).status().unwrap();
    assert!(shell.success());
    assert_eq!(
        program.sqlite("SELECT state FROM feed_health ORDER BY id"),
        ["ok", "stale", "failing", "gone"]
    );
    let service = Service::start(&program);
    let feeds = ["healthy", "failing", "stale", "gone"];
    until("each state has its feed", || {
        let metrics = program.page("/metrics").unwrap_or_default();
        let has = |state| metrics.contains(&format!("\nnewsfold_feeds{{state=\"{state}\"}} 1\n"));
        feeds.into_iter().all(has)
    });
    assert_eq!(service.stop().0, Some(0));
}

#[test]
fn a_start_that_takes_long_asks_for_more_time() {
    let program = Program::new().feed("a.xml", &rss("a", &[("One", STORY)]));
    program.run(&["once"]).expect(0);
    let person = Person::locks(&program);
    let service = Service::spawn(&program);
    service.expect("EXTEND_TIMEOUT_USEC=30000000");
    service.expect("STATUS=waiting for the lock");
    person.leaves();
    service.expect("READY=1");
    assert_eq!(service.stop().0, Some(0));
}

#[test]
fn a_person_s_lock_is_waited_for_and_keeps_nobody_from_stopping() {
    let mut program = Program::new().feed("a.xml", &rss("a", &[("One", STORY)]));
    let service = Service::start(&program);
    until("the first feed is polled", || polls(&program) == 1);
    let person = Person::locks(&program);
    program = program.feed("b.xml", &rss("b", &[("Two", STORY)]));
    let reload = program.command(&["reload"]).spawn().unwrap();
    let locked = Instant::now();
    while locked.elapsed() < WATCHDOG {
        service.expect("WATCHDOG=1");
    }
    person.leaves();
    assert!(reload.wait_with_output().unwrap().status.success());
    until("what waited is done", || polls(&program) == 2);

    let person = Person::locks(&program);
    service.signal("-HUP");
    service.expect("RELOADING=1");
    let asked = Instant::now();
    service.signal("-TERM");
    service.expect("STOPPING=1");
    service.expect("STOPPING=1");
    // Polls have ended, claims wait for the lock: a reload that comes late is no second request to stop.
    service.signal("-HUP");
    assert_eq!(service.end(), Some(0));
    let took = asked.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
    person.leaves();
    assert_eq!(program.sqlite("PRAGMA integrity_check"), ["ok"]);
}

#[test]
fn a_host_is_asked_on_while_the_answer_before_waits_to_be_written() {
    const PATHS: [&str; 3] = ["/a", "/b", "/c"];
    let server = Server::start();
    let mut program = Program::new()
        .settings("[fetch]\nallow_private_networks = true\nhost_delay = \"0s\"\nper_host = 1");
    for path in PATHS {
        program = program.feed_at(&server.url(path), "");
        server.always(path, Reply::feed(rss(path, &[("One", STORY)])));
    }
    program.run(&["once"]).expect(0);
    let program = Arc::new(program);
    // Whichever is asked first finds that somebody holds the lock from now on.
    let person = Arc::new(Mutex::new(None));
    for path in PATHS {
        let (person, program) = (Arc::clone(&person), Arc::clone(&program));
        server.on(path, move |_, _| {
            person.lock().unwrap().get_or_insert_with(|| Person::locks(&program));
            Reply::feed(rss(path, &[("One", STORY)]))
        });
    }
    let mut once = program.command(&["once", "--all"]).spawn().unwrap();
    until("all have been asked", || PATHS.iter().all(|path| server.requests(path).len() == 2));
    assert_eq!(polls(&program), 3);
    person.lock().unwrap().take().unwrap().leaves();
    assert!(once.wait().unwrap().success());
    assert_eq!(polls(&program), 6);
}

#[test]
fn while_a_person_holds_the_lock_what_is_due_is_counted_and_the_lock_is_named() {
    let program = Program::new()
        .settings("[http]\nlisten = \"unix:http\"")
        .feed("a.xml", &rss("a", &[("One", STORY)]));
    program.run(&["once"]).expect(0);
    let service = Service::start(&program);
    let person =
        Person::locks_after(&program, "UPDATE feeds SET next_poll_at = '2026-01-01T00:00:00Z';");
    // The loop looks again when it is told to, or after half a minute.
    service.signal("-HUP");
    let locked = "lock: the database has been locked by another program for ";
    until("the lock is named", || program.page("/health").unwrap_or_default().contains(locked));
    assert!(program.page("/health").unwrap().starts_with("HTTP/1.1 503"));
    service.expect("STATUS=cannot write, trying again: the database has been locked");
    until("what is due is counted", || {
        let metrics = program.page("/metrics").unwrap_or_default();
        metrics.contains("\nnewsfold_feeds_due 1\n")
            && !metrics.contains("\nnewsfold_poll_lag_seconds 0")
    });
    person.leaves();
    until("it is well", || program.page("/health").unwrap_or_default().starts_with("HTTP/1.1 200"));
    until("it was polled", || polls(&program) == 2);
    assert_eq!(service.stop().0, Some(0));
}

#[test]
fn metrics_and_health_are_served_and_follow_the_configuration() {
    let program = Program::new().feed("a.xml", &rss("a", &[("One", STORY), ("Two", "Another.")]));
    let without = fs::read_to_string({
        program.command(&["check"]);
        program.path("newsfold.toml")
    })
    .unwrap();
    let program = program.settings("[http]\nlisten = \"unix:http\"");
    let service = Service::start(&program);
    until("it is healthy", || {
        program.page("/health").is_some_and(|it| it.starts_with("HTTP/1.1 200"))
    });
    until("what was done is counted", || {
        let metrics = program.page("/metrics").unwrap_or_default();
        metrics.contains("\nnewsfold_articles_total{result=\"new\"} 2\n")
            && metrics.contains("\nnewsfold_feeds{state=\"healthy\"} 1\n")
            && metrics.contains("\nnewsfold_decision_duration_seconds_count 2\n")
    });
    program.write("newsfold.toml", &without);
    service.signal("-HUP");
    until("nobody listens any more", || !program.path("http").exists());
    assert_eq!(service.stop().0, Some(0));
}

#[test]
fn doctor_finds_what_is_wrong_and_says_what_to_do() {
    let program = Program::new().feed("a.xml", &rss("a", &[("One", STORY)]));
    program.run(&["once"]).expect(0);
    let fine = program.run(&["--json", "doctor"]).expect(0);
    let levels = fine.json_lines();
    assert!(levels.len() > 6 && levels.iter().all(|it| it["level"] != "error"), "{levels:?}");

    // The head of a page that is in use.
    let mut bytes = fs::read(program.database()).unwrap();
    let page_size: usize = program.sqlite("PRAGMA page_size")[0].parse().unwrap();
    let at = bytes.windows(STORY.len()).rposition(|window| window == STORY.as_bytes()).unwrap();
    bytes[at / page_size * page_size..][..64].fill(0xa5);
    fs::write(program.database(), bytes).unwrap();
    let damaged = program.run(&["--json", "doctor"]).expect(1);
    let findings = damaged.json_lines();
    let integrity = findings.iter().find(|it| it["check"] == "integrity").unwrap();
    assert_eq!(integrity["level"], "error", "{integrity}");
    assert!(integrity["remedy"].as_str().unwrap().contains("backup"), "{integrity}");
    assert!(program.run(&["doctor"]).expect(1).stdout.contains("ERROR    integrity"));
}

/// Nobody's user id, and a folder that is his: only root can give files away.
fn nobody_s(program: &Program) -> Option<u32> {
    const NOBODY: u32 = 65_534;
    let folder = program.path("");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    chown(&folder, Some(NOBODY), Some(NOBODY)).ok().map(|()| NOBODY)
}

#[test]
fn a_database_that_root_creates_belongs_to_whom_its_folder_does() {
    let program = Program::new().feed("a.xml", &rss("a", &[("One", STORY)]));
    let Some(nobody) = nobody_s(&program) else { return };
    program.run(&["once"]).expect(0);
    let database = fs::metadata(program.database()).unwrap();
    assert_eq!((database.uid(), database.gid()), (nobody, nobody));
    assert_eq!(database.mode() & 0o777, 0o640);
}

#[test]
fn a_database_of_somebody_else_names_its_owner_and_the_remedy() {
    let program = Program::new().feed("a.xml", &rss("a", &[("One", STORY)]));
    program.run(&["once"]).expect(0);
    fs::set_permissions(program.database(), fs::Permissions::from_mode(0o444)).unwrap();
    let owner = fs::metadata(program.database()).unwrap().uid();
    let mut command = program.command(&["run"]);
    if let Some(nobody) = nobody_s(&program) {
        command.uid(nobody).gid(nobody);
    }
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{stderr}");
    assert!(stderr.contains(&format!("it belongs to user {owner}, ")), "{stderr}");
    assert!(stderr.contains("chown --reference="), "{stderr}");
}
