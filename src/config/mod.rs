//! TOML in, checked [`Config`] out.
//!
//! `newsfold.toml` and the files of `conf.d` beside it are read as layers of one configuration: `conf.d` appends
//! feeds, and any other key may stand once in all of them. Every error is reported at once, with its place. What a
//! feed overrides is merged here, so that nobody downstream asks twice: [`Feed`] carries its final settings.
//! Relative paths, and `file:` feeds, are relative to the file that names them.

mod feed;
mod options;
mod problems;
mod reader;
mod settings;
mod units;
mod values;

use std::{
    cell::RefCell,
    collections::HashMap,
    io,
    path::{Path, PathBuf},
};

use toml::de::DeTable;

pub use self::{
    feed::{Feed, FeedUrl, Password},
    problems::Error,
    settings::{
        Content, Dedup, Fetch, Http, Initial, Interval, Keep, Listen, Log, LogFormat, Poll, Search,
        Store,
    },
    units::{format_duration, parse_duration, parse_size},
};
use self::{
    problems::{Place, Problem, Source},
    reader::{Section, Value},
};

/// Everything the program was told, checked and complete.
#[derive(Clone, Debug)]
pub struct Config {
    /// `[store]`
    pub store: Store,
    /// `[fetch]`
    pub fetch: Fetch,
    /// `[dedup]`
    pub dedup: Dedup,
    /// `[http]`
    pub http: Http,
    /// `[log]`
    pub log: Log,
    /// `[[feed]]`, in the order of the files.
    pub feeds: Vec<Feed>,
}

/// Reads the configuration in `path` and in `conf.d/*.toml` beside it.
///
/// Fails with every error that can be found in one reading; an unreadable file is one of them.
pub fn load(path: &Path) -> Result<Config, Error> {
    let mut sources = Vec::new();
    let mut problems = Vec::new();
    for path in files(path, &mut problems) {
        match std::fs::read(&path)
            .and_then(|bytes| String::from_utf8(bytes).map_err(io::Error::other))
        {
            Ok(text) => sources.push(Source { path, text }),
            Err(error) => problems.push(unreadable(&path, &error)),
        }
    }
    parse(sources, problems)
}

/// Reads a configuration from `text` as if it stood in `path`; `conf.d` is not looked at.
pub fn load_str(path: &Path, text: &str) -> Result<Config, Error> {
    parse(vec![Source { path: path.to_owned(), text: text.to_owned() }], Vec::new())
}

/// Gives one setting of `[dedup]`, or one of its thresholds, another value, written as in the configuration; quotes may
/// be left out.
///
/// # Errors
///
/// In words: no such setting, or a value that it cannot have.
pub fn set_dedup(dedup: &Dedup, key: &str, value: &str) -> Result<Dedup, String> {
    let keys = ["window", "scope", "prefer"];
    let section = if keys.contains(&key) { "dedup" } else { "dedup.thresholds" };
    let is_number = value.parse::<f64>().is_ok();
    // A text is written in JSON as in TOML.
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let value = if is_number { value.to_owned() } else { quoted(value) };
    let text = format!("[{section}]\n{} = {value}\n", quoted(key));
    let (table, errors) = DeTable::parse_recoverable(&text);
    if let Some(error) = errors.first() {
        return Err(error.message().replace('\n', "; "));
    }
    let found = RefCell::default();
    let top = Section::new("", vec![(0, table.get_ref())], &found);
    let set = Dedup::read(top.section("dedup"), dedup);
    match found.take().first() {
        None => Ok(set),
        Some(problem) => Err(match &problem.help {
            Some(help) if section == "dedup" => format!("{} ({help})", problem.message),
            Some(help) => {
                format!("{key} is neither {} nor a threshold ({help})", keys.join(", "))
            }
            None => problem.message.clone(),
        }),
    }
}

fn files(path: &Path, problems: &mut Vec<Problem>) -> Vec<PathBuf> {
    let mut files = vec![path.to_owned()];
    let folder = path.parent().unwrap_or(Path::new("")).join("conf.d");
    match std::fs::read_dir(&folder) {
        Ok(entries) => {
            let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
            let mut layers: Vec<_> =
                paths.filter(|path| path.extension().is_some_and(|it| it == "toml")).collect();
            layers.sort();
            files.extend(layers);
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => problems.push(unreadable(&folder, &error)),
    }
    files
}

fn unreadable(path: &Path, error: &io::Error) -> Problem {
    Problem {
        message: format!("cannot read {}: {error}", path.display()),
        place: None,
        other: None,
        help: None,
        secret: None,
    }
}

fn parse(sources: Vec<Source>, mut problems: Vec<Problem>) -> Result<Config, Error> {
    let (mut tables, mut unsure) = (Vec::new(), Vec::new());
    for (index, source) in sources.iter().enumerate() {
        let (table, errors) = DeTable::parse_recoverable(&source.text);
        let starts = errors.iter().map(|error| error.span().unwrap_or(0..0).start);
        unsure
            .push(starts.map(|start| start..section_end(&source.text, start)).collect::<Vec<_>>());
        for error in errors {
            let place = Place { source: index, span: error.span().unwrap_or(0..0) };
            problems.push(Problem::at(place, error.message().replace('\n', "; ")));
        }
        tables.push(table.into_inner());
    }
    // What a broken file would have set is not known: judging the rest against it would report phantoms.
    let broken = !problems.is_empty();
    let found = RefCell::new(problems);
    let layers = tables.iter().enumerate().collect();
    let config = read(Section::new("", layers, &found), &sources);
    let problems = found.take();
    match config {
        Some(config) if problems.is_empty() => Ok(config),
        config => {
            let database = config.map(|config| config.store.path);
            drop(tables);
            let kept = if broken {
                let is_unsure = |it: &Problem| {
                    it.message.starts_with("unknown key")
                        && it.place.as_ref().is_some_and(|place| {
                            unsure[place.source].iter().any(|it| it.contains(&place.span.start))
                        })
                };
                let is_phantom = |it: &Problem| it.message.starts_with("no feed") || is_unsure(it);
                problems.into_iter().filter(|it| !is_phantom(it)).collect()
            } else {
                problems
            };
            Err(Error::new(sources, kept, database))
        }
    }
}

/// Where the next section begins: what stands before it, behind an error, may have been read under another section than
/// it was written under.
fn section_end(text: &str, from: usize) -> usize {
    let length = text.get(from..).and_then(|rest| rest.find("\n["));
    length.map_or(text.len(), |length| from + length)
}

fn read(top: Section<'_>, sources: &[Source]) -> Option<Config> {
    let folder = |source: usize| folder_of(&sources[source].path);
    let store_section = top.section("store");
    let keep_places =
        ["keep", "keep_duplicates"].map(|key| store_section.every(key).first().map(Value::place));
    let store = Store::read(store_section, &folder);
    let fetch = Fetch::read(top.section("fetch"), None);
    let poll = Poll::read(top.section("poll"), None);
    let content = Content::read(top.section("content"), None);
    let dedup_section = top.section("dedup");
    let window_place = dedup_section.every("window").first().map(Value::place);
    let dedup = Dedup::read(dedup_section, &Dedup::default());
    let http = Http::read(top.section("http"), &folder);
    let log = Log::read(top.section("log"));
    let feeds = read_feeds(
        &top,
        &feed::Defaults { fetch: &fetch, poll: &poll, content: &content, dedup: &dedup },
        &folder,
    );
    settings::check_retention(&store, &dedup, keep_places, window_place, &top);
    top.finish();
    Some(Config { store, fetch, dedup, http, log, feeds })
}

fn read_feeds(
    top: &Section<'_>,
    defaults: &feed::Defaults<'_>,
    folder: &dyn Fn(usize) -> PathBuf,
) -> Vec<Feed> {
    let mut feeds = Vec::new();
    let mut first_places: HashMap<String, Place> = HashMap::new();
    for list in top.every("feed") {
        let Some(items) = list.spanned.get_ref().as_array() else {
            top.report(Problem::at(
                list.place(),
                "feed is a list of sections: write [[feed]] with two brackets",
            ));
            continue;
        };
        for item in items {
            let value = Value::new(list.source, item);
            let Some(table) = item.get_ref().as_table() else {
                top.report(Problem::at(
                    value.place(),
                    "a feed is a section: write [[feed]] and its keys below",
                ));
                continue;
            };
            let section = top.inner("[[feed]]", vec![(list.source, table)]);
            let Some((feed, place)) = Feed::read(section, &value, defaults, &folder(list.source))
            else {
                continue;
            };
            if let Some(first) = first_places.get(feed.url.as_str()) {
                let mut problem = Problem::at(place, format!("feed {} is listed twice", feed.url));
                problem.other = Some((first.clone(), "first listed here"));
                top.report(problem);
                continue;
            }
            first_places.insert(feed.url.as_str().to_owned(), place);
            feeds.push(feed);
        }
    }
    feeds
}

fn folder_of(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    absolute.parent().map_or_else(PathBuf::new, Path::to_owned)
}
