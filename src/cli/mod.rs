//! The command line: what each command takes, which exit code it ends with, and where its output goes.
//!
//! Data goes to stdout, all else to stderr. Exit codes: 0; 1 failed; 2 wrong usage; 75 some feeds failed;
//! 78 bad configuration. One file a command.

mod check;
mod dedup;
mod inspect;
mod once;
mod output;
mod packaging;
mod run;
mod summary;
mod table;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

use crate::{
    config::{self, Config},
    model::Timestamp,
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
    "Exit codes: 0 fine; 1 failed; 2 wrong usage; 75 some feeds failed; 78 bad configuration.
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
    /// Run one document through parse and normalize and print JSON; stores nothing
    Inspect(InspectArguments),
    /// Judge articles in JSON Lines, in order of arrival: one verdict a line
    ///
    /// In: {"id", "title", "body", "source", "published"}, of which id and one of title and body are needed. Out:
    /// {"id", "duplicate_of", "reason", "distance", "similarity"}; duplicate_of is null or the id of a kept article.
    /// Articles without a source count as of a feed of their own. The same engine as the daemon's, no database.
    Dedup(DedupArguments),
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

/// How a command ends; each is an exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
        Err(error) => {
            output::complain(&format!("newsfold: {error:#}"));
            Exit::Failed.into()
        }
    }
}

fn dispatch(global: &Global, command: &Command) -> anyhow::Result<Exit> {
    match command {
        Command::Run => run::run(global),
        Command::Once(arguments) => once::once(global, arguments),
        Command::Check => check::check(global),
        Command::Inspect(arguments) => inspect::inspect(global, arguments),
        Command::Dedup(arguments) => dedup::dedup(global, arguments),
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
        for problem in error.render(output::stderr_has_color()) {
            output::complain(&problem);
        }
        Exit::BadConfiguration
    })
}

/// The configuration for a command that can do without: the defaults where none is named and none installed.
fn load_or_defaults(global: &Global) -> Result<Config, Exit> {
    if global.config.is_none() && !global.path().exists() {
        return config::load_str(global.path(), "").map_err(|_| Exit::BadConfiguration);
    }
    load(global)
}

/// The clock, read once for a command.
fn now() -> Timestamp {
    crate::daemon::now()
}
