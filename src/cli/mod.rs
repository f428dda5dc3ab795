//! The command line: what each command takes, which exit code it ends with, and where its output goes.
//!
//! Data goes to stdout, all else to stderr. Exit codes: 0; 1 failed; 2 wrong usage; 75 feeds failed or were kept away;
//! 78 bad configuration. One file a command.

mod articles;
mod backup;
mod check;
mod dedup;
mod doctor;
mod explain;
mod feeds;
mod inspect;
mod once;
mod output;
mod packaging;
mod reload;
mod replay;
mod run;
mod summary;
mod table;
mod words;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

use self::words::Since;
use crate::{
    config::{self, Config},
    model::{ArticleId, DuplicateId, Timestamp},
    store::Database,
};

/// Where the configuration is unless `-c` says otherwise.
const DEFAULT_CONFIG: &str = "/etc/newsfold/newsfold.toml";

/// Polls news feeds, folds copies of one story into one clean article, and keeps them in SQLite.
#[derive(Debug, Parser)]
#[command(name = "newsfold", version, max_term_width = 100, after_help = EXIT_CODES)]
struct Arguments {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str =
    "Exit codes: 0 fine; 1 failed; 2 wrong usage; 75 feeds failed or were kept away;
78 bad configuration.
Data goes to stdout, all else to stderr.";

/// What every command takes.
#[derive(Debug, Args)]
struct Global {
    /// Configuration file; `conf.d/*.toml` beside it is read too [default: /etc/newsfold/newsfold.toml]
    #[arg(short, long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Log more: once for debug, twice for trace
    #[arg(short, long, global = true, action = clap::ArgAction::Count, conflicts_with = "quiet")]
    verbose: u8,
    /// Log warnings and errors only, show no progress
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Print JSON, one value a line
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The daemon, in the foreground
    Run,
    /// Poll each feed that is due once, and say what came of it
    Once(OnceArguments),
    /// Read the configuration and print every error in it
    Check,
    /// List each feed with its health
    Feeds(FeedsArguments),
    /// List articles, newest first
    Articles(ArticlesArguments),
    /// Print one article with its text, its other carriers and its revisions
    Show {
        /// The article's number
        #[arg(value_parser = article_id)]
        id: ArticleId,
    },
    /// Say why an article was kept, or a copy was folded
    Explain {
        /// The article's number, or a copy's (d12)
        #[arg(value_parser = Id::parse)]
        id: Id,
    },
    /// Make a folded copy an article of its own; that pair is never folded again
    Unfold {
        /// The copy's number (d12)
        #[arg(value_name = "DUPLICATE_ID")]
        id: DuplicateId,
    },
    /// Run one document through parse and normalize and print JSON; stores nothing
    Inspect(InspectArguments),
    /// Judge articles in JSON Lines, in order of arrival: one verdict a line
    ///
    /// In: {"id", "title", "body", "source", "published"}, of which id and one of title and body are needed. Out:
    /// {"id", "duplicate_of", "reason", "distance", "similarity"}; duplicate_of is null or the id of a kept article.
    /// Articles without a source count as of a feed of their own. The same engine as the daemon's, no database.
    Dedup(DedupArguments),
    /// Judge what is stored by other settings, and print what would change; changes nothing
    Replay(ReplayArguments),
    /// Tell the running daemon to take up the configuration, and wait for its answer
    Reload,
    /// Copy the database into a new file, while others read and write
    Backup {
        /// The copy; never an existing file
        file: PathBuf,
    },
    /// Look at everything that newsfold rests on, and say how to mend what is wrong
    Doctor,
    /// Print a shell's completions
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write one for each command into a folder
    Man {
        /// Where to write newsfold.1 and one page for each command
        #[arg(value_name = "FOLDER")]
        folder: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
struct OnceArguments {
    /// Also those not due yet; what a server ordered (Retry-After, 410) still holds
    #[arg(long)]
    all: bool,
    /// Only these feeds: ids, URLs or names
    #[arg(value_name = "FEED")]
    feeds: Vec<String>,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
struct FeedsArguments {
    /// Only those that do not deliver: failing, stale or gone
    #[arg(long)]
    failing: bool,
    /// Only those whose next poll is due
    #[arg(long, conflicts_with = "failing")]
    due: bool,
    #[command(subcommand)]
    command: Option<FeedsCommand>,
}

#[derive(Debug, Subcommand)]
enum FeedsCommand {
    /// Say why a feed's next poll is when it is
    Explain {
        /// Its number, URL or name
        feed: String,
    },
    /// Forget a feed's validators, backoff and 410
    Reset {
        /// Its number, URL or name
        feed: String,
    },
}

#[derive(Debug, Args)]
struct ArticlesArguments {
    /// By the publisher's date, or first seen where there is none: since an instant (2026-11-23T09:15:00Z), a day
    /// (2026-11-23), or so long ago (2h, 7d)
    #[arg(long, value_name = "T", value_parser = Since::parse)]
    since: Option<Since>,
    /// Had first by this feed: its number, URL or name
    #[arg(long, value_name = "FEED")]
    feed: Option<String>,
    /// Words that stand in title or body; the last letters may be left open (harb*)
    #[arg(long, value_name = "WORDS", value_parser = search_words)]
    search: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: u32,
}

fn search_words(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Err("name at least one word to look for".to_owned());
    }
    Ok(text.to_owned())
}

/// An article or a folded copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Id {
    Article(ArticleId),
    Duplicate(DuplicateId),
}

impl Id {
    /// Reads `12` or `d12`.
    fn parse(text: &str) -> Result<Self, String> {
        if text.starts_with('d') {
            return text.parse().map(Self::Duplicate).map_err(|_| NO_ID.to_owned());
        }
        article_id(text).map(Self::Article)
    }
}

const NO_ID: &str = "articles have numbers like 12, copies like d12";

fn article_id(text: &str) -> Result<ArticleId, String> {
    text.parse().map(ArticleId).map_err(|_| NO_ID.to_owned())
}

#[derive(Debug, Args)]
struct ReplayArguments {
    /// Another value for a setting of [dedup] or a threshold; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = replay::Setting::parse)]
    set: Vec<replay::Setting>,
    /// First seen since an instant (2026-11-23T09:15:00Z), a day (2026-11-23), or so long ago (2h, 7d)
    #[arg(long, value_name = "T", value_parser = Since::parse)]
    since: Option<Since>,
}

#[derive(Debug, Args)]
struct InspectArguments {
    /// A file, a URL, or - for stdin
    #[arg(value_name = "FILE|URL")]
    document: String,
    /// What it is
    #[arg(long = "as", value_name = "KIND", default_value = "feed")]
    kind: DocumentKind,
    /// Where it came from: the base of relative links
    #[arg(long)]
    url: Option<String>,
    /// The Content-Type that it came with
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,
}

/// What a document is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum DocumentKind {
    /// RSS, Atom, JSON Feed or CDF
    Feed,
    /// A web page that holds one article
    Page,
}

#[derive(Debug, Args)]
struct DedupArguments {
    /// JSON Lines; stdin if there is none, or -
    file: Option<PathBuf>,
    /// Add to each verdict what it rests on: the comparison that decided, and the nearest ones that were refused
    #[arg(long)]
    evidence: bool,
}

/// How a command ends; each is an exit code. Also an error, so that what a command calls can end it by `?`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{self:?}")]
enum Exit {
    Fine,
    Failed,
    SomeFeedsFailed,
    BadConfiguration,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Fine => Self::SUCCESS,
            Exit::Failed => Self::from(1),
            Exit::SomeFeedsFailed => Self::from(75),
            Exit::BadConfiguration => Self::from(78),
        }
    }
}

/// Runs the program on the process's arguments.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match dispatch(&arguments.global, &arguments.command) {
        Ok(exit) => exit.into(),
        Err(error) if output::is_closed_pipe(&error) => Exit::Fine.into(),
        Err(error) => match error.downcast_ref::<Exit>() {
            // Who ended it so has said why.
            Some(exit) => (*exit).into(),
            None => {
                output::complain(&format!("newsfold: {error:#}"));
                Exit::Failed.into()
            }
        },
    }
}

fn dispatch(global: &Global, command: &Command) -> anyhow::Result<Exit> {
    match command {
        Command::Run => run::run(global),
        Command::Once(arguments) => once::once(global, arguments),
        Command::Check => check::check(global),
        Command::Feeds(arguments) => feeds::feeds(global, arguments),
        Command::Articles(arguments) => articles::articles(global, arguments),
        Command::Show { id } => articles::show(global, *id),
        Command::Explain { id } => explain::explain(global, *id),
        Command::Unfold { id } => explain::unfold(global, *id),
        Command::Inspect(arguments) => inspect::inspect(global, arguments),
        Command::Dedup(arguments) => dedup::dedup(global, arguments),
        Command::Replay(arguments) => replay::replay(global, arguments),
        Command::Reload => reload::reload(global),
        Command::Backup { file } => backup::backup(global, file),
        Command::Doctor => doctor::doctor(global),
        Command::Completions { shell } => packaging::completions(*shell, Arguments::command()),
        Command::Man { folder } => packaging::man(folder.as_deref(), Arguments::command()),
    }
}

impl Global {
    /// The log level that the command line asks for, else `otherwise`.
    fn level<'a>(&self, otherwise: &'a str) -> &'a str {
        match (self.quiet, self.verbose) {
            (true, _) => "warn",
            (_, 0) => otherwise,
            (_, 1) => "debug",
            _ => "trace",
        }
    }

    fn path(&self) -> &Path {
        self.config.as_deref().unwrap_or(Path::new(DEFAULT_CONFIG))
    }
}

/// The configuration, or its errors on stderr.
fn load(global: &Global) -> Result<Config, Exit> {
    config::load(global.path()).map_err(|error| {
        complain(&error);
        Exit::BadConfiguration
    })
}

fn complain(error: &config::Error) {
    for problem in error.render(output::stderr_has_color()) {
        output::complain(&problem);
    }
}

/// The configuration for a command that can do without: the defaults where none is named and none installed.
fn load_or_defaults(global: &Global) -> Result<Config, Exit> {
    if global.config.is_none() && !global.path().exists() {
        return config::load_str(global.path(), "").map_err(|_| Exit::BadConfiguration);
    }
    load(global)
}

/// The database for the commands that only look.
fn open_for_reading(config: &Config) -> anyhow::Result<Database> {
    check_exists(config)?;
    Ok(Database::open_for_reading(&config.store_options())?)
}

/// The database for the commands that change a row; beside a running daemon they wait for each other.
fn open_for_writing(config: &Config) -> anyhow::Result<Database> {
    check_exists(config)?;
    Ok(Database::open(&config.store_options())?)
}

fn check_exists(config: &Config) -> anyhow::Result<()> {
    let path = &config.store.path;
    anyhow::ensure!(
        path.try_exists().unwrap_or(true),
        "there is no database {} yet: newsfold once or newsfold run creates it",
        path.display()
    );
    Ok(())
}

/// The clock, read once for a command.
fn now() -> Timestamp {
    crate::daemon::now()
}
