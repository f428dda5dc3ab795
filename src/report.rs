//! What one round over the feeds came to: plain data that the daemon fills and the command line shows.
//!
//! A [`FeedPoll`] is how one poll ended, a [`CycleReport`] the sum over a round. Counting is all that happens here;
//! the words for people stand in `cli`.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::{FeedId, Timestamp};

/// How a poll ended: a word of the column `polls.outcome`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// A document came.
    Changed,
    /// The server said that nothing has changed, or every byte was the same.
    Unchanged,
    /// No document came, or it was no feed.
    Failed,
    /// 410: not asked again.
    Gone,
}

impl Outcome {
    /// The word in the database and in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
            Self::Failed => "failed",
            Self::Gone => "gone",
        }
    }
}

/// Why a poll failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The word in `error_kind`.
    pub kind: String,
    /// For people, one line.
    pub message: String,
}

/// What came of the entries of one poll.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Became articles.
    pub new: u32,
    /// Were edited by their publisher.
    pub revised: u32,
    /// Were folded into articles, by reason.
    pub duplicates: BTreeMap<&'static str, u32>,
    /// Of those, lent their fuller text to the article.
    pub taken_over: u32,
}

impl Counts {
    /// Copies of every reason.
    pub fn duplicates_total(&self) -> u32 {
        self.duplicates.values().sum()
    }

    fn add(&mut self, other: &Self) {
        self.new += other.new;
        self.revised += other.revised;
        self.taken_over += other.taken_over;
        for (reason, count) in &other.duplicates {
            *self.duplicates.entry(reason).or_default() += count;
        }
    }
}

/// How the poll of one feed ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FeedPoll {
    /// The feed.
    pub feed_id: FeedId,
    /// What people call it: its name, title or URL.
    pub feed: String,
    /// Its URL.
    pub url: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, if it failed or is gone.
    pub failure: Option<Failure>,
    /// What came of its entries.
    pub counts: Counts,
}

/// Feeds that a round left alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// Not due yet.
    pub not_due: u32,
    /// Held by their server: Retry-After, or 410 before.
    pub held_by_server: u32,
    /// Being polled by another process.
    pub held_by_process: u32,
    /// Another process polls a feed of the same host.
    pub host_held_by_process: u32,
    /// Another feed has the same URL.
    pub same_feed: u32,
    /// Their passwords are the unit's, and this is not its process.
    pub out_of_reach: u32,
    /// Asked for by name, but switched off or no longer configured.
    pub disabled: u32,
}

impl Skipped {
    /// Feeds that something other than their own rhythm kept from being polled.
    pub fn kept_away(&self) -> u32 {
        let Self {
            not_due: _,
            held_by_server,
            held_by_process,
            host_held_by_process,
            same_feed,
            out_of_reach,
            disabled,
        } = self;
        held_by_server
            + held_by_process
            + host_held_by_process
            + same_feed
            + out_of_reach
            + disabled
    }
}

/// What one round over the feeds came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CycleReport {
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took.
    pub duration_ms: u64,
    /// Feeds polled, whatever came of it.
    pub polled: u32,
    /// Of them, those that handed over a document.
    pub changed: u32,
    /// Those that had not changed.
    pub unchanged: u32,
    /// Polls that failed, 410 included, in the order in which they ended.
    pub failed: Vec<FeedPoll>,
    /// What came of all entries.
    pub counts: Counts,
    /// Feeds that were not polled.
    pub skipped: Skipped,
    /// It was stopped before every feed had its turn.
    pub is_interrupted: bool,
}

impl CycleReport {
    /// A round that has just begun.
    pub fn new(started_at: Timestamp) -> Self {
        Self {
            started_at,
            duration_ms: 0,
            polled: 0,
            changed: 0,
            unchanged: 0,
            failed: Vec::new(),
            counts: Counts::default(),
            skipped: Skipped::default(),
            is_interrupted: false,
        }
    }

    /// Counts one poll.
    pub fn add(&mut self, poll: &FeedPoll) {
        self.polled += 1;
        match poll.outcome {
            Outcome::Changed => self.changed += 1,
            Outcome::Unchanged => self.unchanged += 1,
            Outcome::Failed | Outcome::Gone => self.failed.push(poll.clone()),
        }
        self.counts.add(&poll.counts);
    }
}

/// What a round says of itself while it runs.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// So many feeds will be polled.
    Started {
        /// Feeds.
        feeds: u32,
    },
    /// One poll has ended.
    Polled(&'a FeedPoll),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll(outcome: Outcome, duplicates: &[(&'static str, u32)]) -> FeedPoll {
        FeedPoll {
            feed_id: FeedId(1),
            feed: "Gazette".to_owned(),
            url: "https://a.example/".to_owned(),
            outcome,
            failure: None,
            counts: Counts {
                new: 2,
                duplicates: duplicates.iter().copied().collect(),
                ..Counts::default()
            },
        }
    }

    #[test]
    fn a_round_is_the_sum_of_its_polls() {
        let mut report = CycleReport::new(Timestamp::MIN);
        report.add(&poll(Outcome::Changed, &[("same_text", 2)]));
        report.add(&poll(Outcome::Changed, &[("same_text", 1), ("near_duplicate", 4)]));
        report.add(&poll(Outcome::Unchanged, &[]));
        report.add(&poll(Outcome::Failed, &[]));
        report.add(&poll(Outcome::Gone, &[]));
        assert_eq!((report.polled, report.changed, report.unchanged), (5, 2, 1));
        assert_eq!(report.failed.len(), 2);
        assert_eq!(report.counts.duplicates["same_text"], 3);
        assert_eq!((report.counts.new, report.counts.duplicates_total()), (10, 7));
    }
}
