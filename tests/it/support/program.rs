//! Runs the real program: `Program::new().feed("a.xml", TEXT).run(&["once"]).expect(0)`.
//!
//! A [`Program`] is a folder of its own with a configuration, feeds and a database; it goes with its folder.

use std::{
    fmt::Write as _,
    fs,
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};

use serde_json::Value;

/// Runs the program with no configuration but what the arguments name; `input` is its stdin.
pub fn newsfold(arguments: &[&str], input: &str) -> Ended {
    finish(start(command(arguments)), input)
}

/// The program with its arguments, ready to be spawned: all three streams are pipes.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_newsfold"));
    command.args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // What the shell of whoever runs the tests has set must not change what they see.
    command.env_remove("NO_COLOR").env_remove("JOURNAL_STREAM").env_remove("NOTIFY_SOCKET");
    command
}

/// A command that is running.
pub fn start(mut command: Command) -> Child {
    command.spawn().unwrap()
}

/// Hands the input over, takes all output, waits for the end.
pub fn finish(mut child: Child, input: &str) -> Ended {
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    // On a thread of its own: the program may print more than a pipe holds before it has read all.
    let writer = thread::spawn(move || {
        // A program that needs no input may have ended already.
        let _ = stdin.write_all(input.as_bytes());
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    /// `None`: by a signal.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// Fails with everything that was printed unless the exit code is this one.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.stdout, self.stderr);
        self
    }

    /// The one value that was printed.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The values that were printed, one a line.
    #[track_caller]
    pub fn json_lines(&self) -> Vec<Value> {
        let value =
            |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        self.stdout.lines().map(value).collect()
    }
}

/// A folder with a configuration, its feeds and its database.
pub struct Program {
    folder: tempfile::TempDir,
    settings: String,
    feeds: String,
}

impl Program {
    /// A configuration that names a database and no feed.
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            settings: "[store]\npath = \"newsfold.db\"\n".to_owned(),
            feeds: String::new(),
        }
    }

    /// Adds settings, as TOML, before the feeds.
    pub fn settings(mut self, toml: &str) -> Self {
        let _ = writeln!(self.settings, "{toml}");
        self
    }

    /// Adds a `file:` feed with its document.
    pub fn feed(self, name: &str, document: &str) -> Self {
        self.write(name, document);
        self.feed_at(&format!("file:{name}"), &format!("name = \"{name}\""))
    }

    /// Adds a feed by its URL; `settings` are further keys of it.
    pub fn feed_at(mut self, url: &str, settings: &str) -> Self {
        let _ = writeln!(self.feeds, "[[feed]]\nurl = \"{url}\"\n{settings}");
        self
    }

    /// Writes a file into the folder: another version of a feed's document, say.
    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// A file in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The database.
    pub fn database(&self) -> PathBuf {
        self.path("newsfold.db")
    }

    /// Writes the configuration and makes the command that uses it.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.write("newsfold.toml", &format!("{}{}", self.settings, self.feeds));
        let mut command = command(&["-c"]);
        command.arg(self.path("newsfold.toml")).args(arguments);
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Ended {
        finish(start(self.command(arguments)), "")
    }

    /// What the daemon serves on the socket `http` in the program's folder; `None` while nobody listens.
    pub fn page(&self, path: &str) -> Option<String> {
        let mut stream = UnixStream::connect(self.path("http")).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    /// Asks the database with the stock `sqlite3` shell, as users do: rows of columns joined by `|`.
    pub fn sqlite(&self, sql: &str) -> Vec<String> {
        sqlite(&self.database(), sql)
    }
}

/// Asks a database with the stock `sqlite3` shell.
pub fn sqlite(database: &Path, sql: &str) -> Vec<String> {
    let output = Command::new("sqlite3").arg("-readonly").arg(database).arg(sql).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// A feed document in RSS 2.0: title and body of each item; guid and link follow the title.
pub fn rss(site: &str, items: &[(&str, &str)]) -> String {
    let mut text = format!(
        "<?xml version=\"1.0\"?><rss version=\"2.0\"><channel><title>{site}</title>\
         <link>https://{site}.example/</link>"
    );
    for (title, body) in items {
        let slug: String = title.to_lowercase().split_whitespace().collect::<Vec<_>>().join("-");
        let _ = write!(
            text,
            "<item><title>{title}</title><guid>{slug}</guid><link>https://{site}.example/{slug}</link>\
             <description>{body}</description><pubDate>Mon, 23 Nov 2026 09:15:00 GMT</pubDate></item>"
        );
    }
    text + "</channel></rss>"
}
