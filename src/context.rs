//! What polls share, and the final settings of one feed: plain handles, made by the daemon, used by every poll.

use std::sync::Arc;

use crate::{
    digest,
    fetch::{FetchOptions, Fetcher},
    model::Timestamp,
    schedule,
    workers::Workers,
    writer::{self, Writer},
};

/// What all polls share. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    /// Asks servers.
    pub fetcher: Fetcher,
    /// Judges and writes.
    pub writer: Writer,
    /// Read documents.
    pub workers: Workers,
    /// Tells the time.
    pub clock: fn() -> Timestamp,
}

/// Where a feed's article bodies come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ContentSource {
    /// The feed.
    #[default]
    Feed,
    /// The page of every new entry.
    Page,
    /// The page where the feed carries only a stub.
    Auto,
}

/// The final settings of one feed.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How it is fetched.
    pub fetch: FetchOptions,
    /// When it is polled.
    pub schedule: schedule::Options,
    /// How its documents are read and cleaned.
    pub digest: Arc<digest::Options>,
    /// Where its bodies come from.
    pub source: ContentSource,
    /// How its articles are judged and kept.
    pub judging: Arc<writer::Options>,
}
