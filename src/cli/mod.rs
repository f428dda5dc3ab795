//! The command line: what each command takes, which exit code it ends with, and where its output goes.
//!
//! Data goes to stdout, all else to stderr. Exit codes: 0; 1 failed; 2 wrong usage; 75 some feeds failed;
//! 78 bad configuration. One file a command.

mod check;
mod output;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

use crate::config::{self, Config};

/// Polls news feeds, folds copies of one story into one clean article, and keeps them in SQLite.
#[derive(Debug, Parser)]
#[command(name = "newsfold", version, max_term_width = 100)]
struct Arguments {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Debug, Args)]
struct Global {
    /// Configuration file; `conf.d/*.toml` beside it is read too
    #[arg(
        short,
        long,
        global = true,
        value_name = "FILE",
        default_value = "/etc/newsfold/newsfold.toml"
    )]
    config: PathBuf,
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
    /// Read the configuration and print every error in it
    Check,
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
    let exit = match &arguments.command {
        Command::Check => check::check(&arguments.global),
    };
    match exit {
        Ok(exit) => exit.into(),
        Err(error) if output::is_closed_pipe(&error) => Exit::Fine.into(),
        Err(error) => {
            output::complain(&format!("newsfold: {error:#}"));
            Exit::Failed.into()
        }
    }
}

/// The configuration, or its errors on stderr.
fn load(global: &Global) -> Result<Config, Exit> {
    config::load(&global.config).map_err(|error| {
        for problem in error.render(output::stderr_has_color()) {
            output::complain(&problem);
        }
        Exit::BadConfiguration
    })
}
