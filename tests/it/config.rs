//! Wrong configurations are told all at once, each with its place; right ones mean what the documents say.

use std::{fs, path::Path};

use newsfold::{
    config::{self, Config, Interval},
    fetch,
};

type Errors = &'static [(&'static str, &'static str)];

/// Configuration, then `line:column` and a part of the message of each error in it.
const WRONG: &[(&str, &str, Errors)] = &[
    ("a misspelt key", "[fetch]\ntimout = \"30s\"\n", &[("2:1", "unknown key timout in [fetch]")]),
    ("a misspelt section", "[fetsh]\ntimeout = \"30s\"\n", &[("1:2", "unknown key fetsh")]),
    (
        "a number where a duration is meant",
        "[poll]\nmin_interval = 15\n",
        &[("2:16", "min_interval: a text in quotes is meant here, this is a whole number")],
    ),
    (
        "a unit that does not exist",
        "[poll]\nmax_interval = \"2 days\"\n",
        &[("2:16", "\"2 days\" is not a duration")],
    ),
    ("a size without a unit", "[fetch]\nmax_body = \"16\"\n", &[("2:12", "\"16\" is not a size")]),
    (
        "a word that is none of the list",
        "[dedup]\nscope = \"feeds\"\n",
        &[("2:9", "did you mean \"feed\"?")],
    ),
    (
        "a number out of bounds",
        "[fetch]\nconcurrency = 0\n",
        &[("2:15", "a whole number from 1 to 1024 is meant here, this is 0")],
    ),
    (
        "bounds the wrong way round",
        "[poll]\nmin_interval = \"2d\"\n",
        &[("2:16", "min_interval is longer than max_interval")],
    ),
    (
        "articles that go before the window ends",
        "[store]\nkeep = \"3d\"\n",
        &[("2:8", "keep is shorter than the dedup window")],
    ),
    ("a feed without a url", "[[feed]]\nname = \"x\"\n", &[("1:1", "a feed needs a url")]),
    (
        "a url of another kind",
        "[[feed]]\nurl = \"gopher://a.example\"\n",
        &[("2:7", "begins with https://, http:// or file:")],
    ),
    (
        "credentials in a url",
        "[[feed]]\nurl = \"https://me:secret@a.example/f\"\n",
        &[("2:7", "credentials do not belong in a URL")],
    ),
    (
        "a broken url with credentials in it",
        "[[feed]]\nurl = \"https://me:secret@a.example:port/f\"\n",
        &[("2:7", "is not a URL")],
    ),
    (
        "a broken proxy with credentials in it",
        "[fetch]\nproxy = \"socks5://me:secret@a.example\"\n",
        &[("2:9", "is not the URL of an http or https proxy")],
    ),
    (
        "a url that its password breaks",
        "[[feed]]\nurl = \"https://me:secret/secret#secret secret@a.example/f\"\n",
        &[("2:7", "is not a URL")],
    ),
    (
        "a password with a space",
        "[[feed]]\nurl = \"https://me:secret secret@a.example/f\"\n",
        &[("2:7", "credentials do not belong in a URL")],
    ),
    (
        "a proxy without its scheme",
        "[fetch]\nproxy = \"me:secret@a.example:3128\"\n",
        &[("2:9", "is not the URL of an http or https proxy")],
    ),
    (
        "a password in the file itself",
        "[[feed]]\nurl = \"https://a.example/f\"\npassword = \"secret\"\n",
        &[("3:1", "unknown key password")],
    ),
    (
        "headers by another name",
        "[[feed]]\nurl = \"https://a.example/f\"\nheader = { X-Token = \"secret\" }\n[feed.auth]\na = 1\n",
        &[("3:1", "unknown key header"), ("4:7", "unknown key auth")],
    ),
    (
        "a header that only newsfold sets",
        "[[feed]]\nurl = \"https://a.example/f\"\nheaders = { If-None-Match = \"secret@\" }\n",
        &[("3:11", "If-None-Match is set by newsfold itself")],
    ),
    (
        "two headers that only newsfold sets",
        "[[feed]]\nurl = \"https://a.example/f\"\nheaders = { Host = \"secret\", X-A = \"secret\", Range = \"secret\" }\n",
        &[("3:11", "Host is set by newsfold itself; Range is set by newsfold itself")],
    ),
    (
        "a password for nobody",
        "[[feed]]\nurl = \"https://a.example/f\"\npassword_file = \"p\"\n",
        &[("3:17", "password_file does nothing without username")],
    ),
    (
        "somebody without a password",
        "[[feed]]\nurl = \"https://a.example/f\"\nusername = \"me\"\n",
        &[("3:12", "username does nothing without password_file or password_credential")],
    ),
    (
        "a header that is none",
        "[[feed]]\nurl = \"https://a.example/f\"\nheaders = { X-Token = \"secret@\\n\" }\n",
        &[("3:11", "a header value is printable ASCII")],
    ),
    (
        "a password with quotes in it",
        "[[feed]]\nurl = \"https://me:x'secret@a.example/f\"\n",
        &[("2:7", "credentials do not belong in a URL")],
    ),
    (
        "another mistake in the line of a header",
        "feed = [{ url = \"https://a.example/f\", headers = { Authorization = \"Bearer secret\" }, intervall = \"1h\" }]\n",
        &[("1:87", "unknown key intervall")],
    ),
    (
        "broken TOML behind a header",
        "[[feed]]\nurl = \"https://a.example/f\"\nheaders = { Authorization = \"Bearer secret\" } x\n",
        &[("3:47", "")],
    ),
    (
        "a header whose name is its value",
        "[[feed]]\nurl = \"https://a.example/f\"\nheaders = { \"Bearer secret\" = \"x\" }\n",
        &[("3:11", "not the name of a header field")],
    ),
    (
        "one feed twice",
        "[[feed]]\nurl = \"https://a.example/f\"\n[[feed]]\nurl = \"https://a.example/f\"\n",
        &[("4:7", "listed twice")],
    ),
    (
        "a setting of all feeds in one",
        "[[feed]]\nurl = \"https://a.example/f\"\nfetch.per_host = 1\n",
        &[("3:18", "set once for all feeds, in [fetch]")],
    ),
    (
        "feed as one section",
        "[feed]\nurl = \"https://a.example/f\"\n",
        &[("1:1", "feed is a list of sections")],
    ),
    (
        "an address without a port",
        "[http]\nlisten = \"localhost\"\n",
        &[("2:10", "is not an address")],
    ),
    (
        "broken TOML and what stands around it",
        "[fetch\ntimeout = \"30s\"\n[poll]\nintervall = \"1h\"\n",
        &[("1:7", ""), ("4:1", "unknown key intervall in [poll]")],
    ),
    (
        "three errors at once",
        "[store]\nsearch = \"yes\"\n[log]\nlevel = \"loud\"\n[[feed]]\nurl = \"nonsense\"\n",
        &[
            ("2:10", "\"yes\" is not one of"),
            ("4:9", "\"loud\" is not one of"),
            ("6:7", "\"nonsense\" is not a URL: one begins with https://, http:// or file:"),
        ],
    ),
];

#[test]
fn every_error_names_its_place_and_what_was_meant() {
    for (what, text, expected) in WRONG {
        let error = config::load_str(Path::new("it.toml"), text).expect_err(what);
        let lines = error.lines();
        for (place, message) in *expected {
            let start = format!("it.toml:{place}: ");
            let found = lines.iter().any(|line| line.starts_with(&start) && line.contains(message));
            assert!(found, "{what}: no {start}{message} in {lines:#?}");
        }
        assert_eq!(lines.len(), expected.len(), "{what}: {lines:#?}");
        assert!(
            !lines.iter().chain(&error.render(false)).any(|line| line.contains("secret")),
            "{what}: a password was printed"
        );
    }
}

#[test]
fn the_fetcher_has_no_defaults_of_its_own() {
    let (config, fetcher) = (config::Fetch::default(), fetch::Options::default());
    assert_eq!(config.max_redirects as usize, fetcher.max_redirects);
    assert_eq!(config.user_agent, fetch::FetchOptions::default().user_agent);
}

#[test]
fn the_line_is_shown_with_a_caret() {
    let error = config::load_str(Path::new("it.toml"), "[fetch]\ntimout = \"30s\"\n").unwrap_err();
    let shown = error.render(false).join("\n");
    assert!(
        shown.contains("it.toml:2:1")
            && shown.contains("timout = \"30s\"")
            && shown.contains("^^^^^^"),
        "{shown}"
    );
    assert!(shown.contains("did you mean timeout?"), "{shown}");
}

#[test]
fn layers_append_feeds_and_may_not_contradict() {
    let folder = tempfile::tempdir().unwrap();
    let main = folder.path().join("newsfold.toml");
    fs::create_dir(folder.path().join("conf.d")).unwrap();
    fs::write(&main, "[poll]\ninterval = \"1h\"\n[[feed]]\nurl = \"https://a.example/\"\n")
        .unwrap();
    fs::write(folder.path().join("conf.d/b.toml"), "[[feed]]\nurl = \"file:local.xml\"\n").unwrap();
    fs::write(folder.path().join("conf.d/ignored.txt"), "nonsense").unwrap();
    let config = config::load(&main).unwrap();
    assert_eq!(config.feeds.len(), 2);
    let path = config.feeds[1].url.file_path().unwrap();
    assert_eq!(path, folder.path().join("conf.d/local.xml"), "relative to the file that names it");

    fs::write(
        folder.path().join("conf.d/c.toml"),
        "[poll]\ninterval = \"2h\"\n[[feed]]\nurl = \"https://a.example/\"\n",
    )
    .unwrap();
    let error = config::load(&main).unwrap_err();
    let shown = error.render(false).join("\n");
    assert_eq!(error.count(), 2, "{shown}");
    assert!(shown.contains("interval is set twice") && shown.contains("c.toml:2:1"), "{shown}");
    assert!(shown.contains("newsfold.toml:2:12"), "names the first place too: {shown}");
    assert!(shown.contains("is listed twice") && shown.contains("newsfold.toml:4:7"), "{shown}");
}

#[test]
fn an_unreadable_file_is_an_error_with_its_name() {
    let error = config::load(Path::new("/nonexistent/newsfold.toml")).unwrap_err();
    assert!(error.to_string().contains("/nonexistent/newsfold.toml"), "{error}");
}

#[test]
fn a_feed_overrides_by_the_same_key() {
    let text = "[poll]\ninterval = \"2h\"\nmin_interval = \"1h\"\n[[feed]]\nurl = \"https://a.example/\"\npoll.interval = \"30m\"\n\
                fetch.timeout = \"5s\"\ndedup.scope = \"feed\"\n[[feed]]\nurl = \"https://b.example/\"\n";
    let config = config::load_str(Path::new("it.toml"), text).unwrap();
    let [a, b] = &config.feeds[..] else { panic!("{:?}", config.feeds) };
    assert_eq!(a.poll.interval, Interval::Fixed(std::time::Duration::from_secs(1_800)));
    assert_eq!(b.poll.interval, Interval::Fixed(std::time::Duration::from_secs(7_200)));
    assert_eq!(a.poll.min_interval, b.poll.min_interval);
    assert_eq!((a.fetch.timeout.as_secs(), b.fetch.timeout.as_secs()), (5, 30));
    assert_ne!(a.scope, b.scope);
}

#[test]
fn the_commented_configuration_says_the_defaults() {
    let text =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config/newsfold.toml"))
            .unwrap();
    // Settings have no space behind the `#`, prose has one. Two have no default that could be written.
    let set =
        |line: &str| line.starts_with('#') && !line.starts_with("# ") && !line.ends_with("= \"\"");
    let lines: Vec<&str> =
        text.lines().map(|line| if set(line) { &line[1..] } else { line }).collect();
    let written = config::load_str(Path::new("newsfold.toml"), &lines.join("\n")).unwrap();
    let empty = config::load_str(Path::new("newsfold.toml"), "").unwrap();
    assert_eq!(settings(&written), settings(&empty));
    let feed = text
        .lines()
        .skip_while(|line| *line != "# [[feed]]")
        .map(|line| line.trim_start_matches("# "));
    let feed =
        feed.filter(|line| !line.starts_with("password_credential")).collect::<Vec<_>>().join("\n");
    assert_eq!(config::load_str(Path::new("newsfold.toml"), &feed).unwrap().feeds.len(), 1);
}

#[test]
fn an_error_is_told_once_and_in_few_words() {
    let shown = |text: &str| {
        config::load_str(Path::new("it.toml"), text).unwrap_err().render(false).join("\n")
    };
    let known = shown("[[feed]]\nurl = \"https://a.example/\"\nqqqqqqqqq = 1\n");
    assert_eq!(known.matches("password_file").count(), 1, "{known}");
    // What stands below a broken section is not that of the section above.
    let broken = shown("[log]\nlevel = \"info\"\n[store\npath = \"x\"\n");
    assert!(broken.contains("unclosed table") && !broken.contains("unknown key"), "{broken}");
}

#[test]
fn the_commented_configuration_names_every_setting() {
    let text =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config/newsfold.toml"))
            .unwrap();
    // The keys of a section are those that an unknown key is told of.
    for section in ["store", "fetch", "poll", "content", "dedup", "http", "log"] {
        let error =
            config::load_str(Path::new("it.toml"), &format!("[{section}]\nqqqqqqqqq = 1\n"))
                .unwrap_err();
        let shown = error.render(false).join("\n");
        let known = shown.split("known here: ").nth(1).unwrap_or_else(|| panic!("{shown}"));
        for key in known.trim().split(", ").filter(|key| *key != "thresholds") {
            let lines = text.lines().filter(|line| line.starts_with(&format!("#{key} = "))).count();
            assert_eq!(
                lines, 1,
                "{key} of [{section}] stands {lines} times in config/newsfold.toml"
            );
        }
    }
}

fn settings(config: &Config) -> String {
    format!(
        "{:?} {:?} {:?} {:?} {:?}",
        config.store, config.fetch, config.dedup, config.http, config.log
    )
}
