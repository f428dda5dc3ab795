//! Log lines: where they go, what they look like, which are shown.
//!
//! One subscriber, set up once. Under systemd (`JOURNAL_STREAM` names our stderr) lines go to the journal by its own
//! protocol, so that every field can be asked for (`journalctl F_FEED_ID=7`) and priorities are right; a prefix on
//! stderr would carry the priority alone. Elsewhere stderr gets text for people or, on request, JSON.

use std::{
    io::{self, IsTerminal},
    os::{fd::AsFd, unix::fs::MetadataExt},
};

use tracing_journald::{Priority, PriorityMappings};
use tracing_subscriber::{
    EnvFilter, Layer, Registry, fmt, layer::SubscriberExt, reload, util::SubscriberInitExt,
};

use crate::config::{Log, LogFormat};

/// Changes the level while the program runs.
#[derive(Clone, Debug)]
pub struct Level(reload::Handle<EnvFilter, Registry>);

impl Level {
    /// Takes up another `log.level`.
    pub fn set(&self, level: &str) {
        // Fails only when the subscriber is gone, and then nobody listens.
        let _ = self.0.reload(filter(level));
    }
}

/// Sets up the one subscriber of this process. `level` is `log.level` or what the command line says instead.
pub fn init(log: &Log, level: &str) -> Level {
    let (filter, handle) = reload::Layer::new(filter(level));
    let output = match log.format {
        LogFormat::Json => fmt::layer().json().flatten_event(true).with_writer(io::stderr).boxed(),
        LogFormat::Auto if is_journal() => match tracing_journald::layer() {
            Ok(journal) => journal.with_priority_mappings(priorities()).boxed(),
            Err(_) => text().boxed(),
        },
        LogFormat::Auto | LogFormat::Text => text().boxed(),
    };
    // A second subscriber can only be asked for by a test that shares the process: the first one stays.
    let _ = Registry::default().with(filter).with(output).try_init();
    Level(handle)
}

/// Our words are syslog's: `info` is informational and not a notice, so that `journalctl -p 5` shows what is out of the
/// ordinary.
fn priorities() -> PriorityMappings {
    PriorityMappings {
        error: Priority::Error,
        warn: Priority::Warning,
        info: Priority::Informational,
        debug: Priority::Debug,
        trace: Priority::Debug,
    }
}

fn text<S>() -> impl Layer<S>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    let colors =
        io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|it| it.is_empty());
    let layer = fmt::layer().with_writer(io::stderr).with_target(false).with_ansi(colors);
    // The journal stamps what it gets through stderr itself.
    if is_journal() { layer.without_time().boxed() } else { layer.boxed() }
}

/// Libraries are quiet unless asked for by name.
fn filter(level: &str) -> EnvFilter {
    let plain = ["error", "warn", "info", "debug", "trace"].contains(&level);
    EnvFilter::new(if plain { format!("warn,newsfold={level}") } else { level.to_owned() })
}

/// Whether stderr is the journal: systemd names its device and inode.
fn is_journal() -> bool {
    let Ok(named) = std::env::var("JOURNAL_STREAM") else { return false };
    let Ok(stderr) = io::stderr().as_fd().try_clone_to_owned() else { return false };
    let metadata = std::fs::File::from(stderr).metadata();
    metadata.is_ok_and(|it| named == format!("{}:{}", it.dev(), it.ino()))
}
