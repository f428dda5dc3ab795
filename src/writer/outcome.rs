//! What a poll hands to the writer, and what it gets back.

use std::{collections::BTreeMap, fmt, sync::Arc};

use serde::Serialize;

use crate::{
    dedup,
    digest::Listing,
    model::{FeedId, Timestamp},
    schedule::{self, moves},
};

/// One poll of one feed, as it ended. Every poll ends in exactly one of these.
pub struct Poll {
    /// Whose.
    pub feed_id: FeedId,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended: `first_seen_at` of what it brought.
    pub ended_at: Timestamp,
    /// How long it took.
    pub duration_ms: u64,
    /// Status of the last answer; `None` if there was none.
    pub http_status: Option<u16>,
    /// Bytes of the body as received.
    pub body_bytes: u64,
    /// What came of it.
    pub outcome: Outcome,
    /// What the answer says about the next request.
    pub response: Response,
    /// When the feed is polled.
    pub schedule: schedule::Options,
    /// The settings that hold for this feed.
    pub options: Arc<Options>,
}

impl Poll {
    /// The same poll with another outcome, the stored validators left as they are.
    pub(super) fn with_outcome(&self, outcome: Outcome) -> Self {
        Self {
            outcome,
            response: Response { validators: None, ..self.response.clone() },
            schedule: self.schedule,
            options: Arc::clone(&self.options),
            ..*self
        }
    }
}

impl fmt::Debug for Poll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Poll")
            .field("feed_id", &self.feed_id)
            .field("outcome", &self.outcome)
            .finish()
    }
}

/// The settings of judging and keeping, those of the feed before the general ones.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `[dedup]`. The scope that counts is the one in the database, where other feeds' polls find it.
    pub dedup: dedup::Options,
    /// `poll.initial`.
    pub initial: Initial,
}

/// How much of a new feed's history becomes articles; the rest is only noted in the ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Initial {
    /// All of it.
    #[default]
    All,
    /// The first so many entries of the document.
    Count(u32),
    /// What was published at or after an instant, and what has no date.
    Since(Timestamp),
}

/// How a poll ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// A document was read.
    Changed(Box<Listing>),
    /// The server said that nothing has changed.
    Unchanged,
    /// No document, or none that could be read.
    Failed {
        /// A stable word: `timeout`, `http_status`, `not_a_feed` ...
        kind: String,
        /// For people.
        message: String,
        /// It may be ours, or pass by itself: weighs less in the backoff.
        is_soft: bool,
    },
    /// Nothing was asked: the origin has closed its doors.
    Held {
        /// Until then.
        until: Timestamp,
        /// For people.
        message: String,
    },
    /// 410: the feed is not asked again.
    Gone,
}

/// What an answer says about the next request.
#[derive(Clone, Debug, Default)]
pub struct Response {
    /// The validators of the answer; `None` leaves the stored ones in place.
    pub validators: Option<Validators>,
    /// Whether the request carried no validators.
    pub is_full_get: bool,
    /// Cache-Control: max-age less Age.
    pub max_age_seconds: Option<u32>,
    /// Expires less Date.
    pub expires_seconds: Option<u32>,
    /// A Retry-After, already bounded.
    pub retry_after_seconds: Option<u32>,
    /// Origins (scheme, host and port) that a 429 has closed, and until when.
    pub closed_origins: Vec<(String, Timestamp)>,
    /// What became of a permanent redirect.
    pub moved: Moved,
}

/// ETag and Last-Modified with the URL that gave them; both `None` forgets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Validators {
    /// Header bytes mapped one to one to U+0000-U+00FF.
    pub etag: Option<String>,
    /// The same way.
    pub last_modified: Option<String>,
    /// Sent to this URL only.
    pub url: String,
}

/// What became of a permanent redirect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Moved {
    /// Nothing new is known: the poll failed or brought no answer.
    #[default]
    AsBefore,
    /// There was none: a watched one is forgotten.
    No,
    /// It is watched.
    Watched(moves::Watched),
    /// The feed has moved for good.
    Adopted {
        /// Where to.
        to: String,
    },
}

/// What one poll changed.
#[derive(Clone, Debug, Serialize)]
pub struct PollReport {
    /// Whose.
    pub feed_id: FeedId,
    /// `changed`, `unchanged`, `failed` or `gone`.
    pub outcome: &'static str,
    /// Of a failure.
    pub error_kind: Option<String>,
    /// Of a failure, for people.
    pub error: Option<String>,
    /// Listed in the document.
    pub entries: u32,
    /// Became articles.
    pub new: u32,
    /// Were edited by their publisher.
    pub revised: u32,
    /// Were folded into articles.
    pub duplicates: u32,
    /// The same, by reason.
    pub duplicates_by_reason: BTreeMap<&'static str, u32>,
    /// When the feed is polled next.
    pub next_poll_at: Timestamp,
    /// Which rule set it.
    pub next_poll_reason: String,
    /// Failures in a row, this one counted.
    pub failures: u32,
    /// Whether this failure is to be warned of: none of the feed's was in the last hour.
    pub is_warning: bool,
    /// Status of the last answer.
    pub http_status: Option<u16>,
    /// Bytes of the body as received.
    pub body_bytes: u64,
    /// How long it took.
    pub duration_ms: u64,
    /// Copies that lent their fuller text.
    pub taken_over: u32,
    /// How long each verdict over a new text took.
    #[serde(skip)]
    pub decisions: Vec<std::time::Duration>,
}
