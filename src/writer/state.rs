//! What the writer's thread owns: the database, and the duplicate index as a cache of it.
//!
//! A transaction first takes in the fingerprint rows that it has not seen yet, then judges, then writes; what
//! is rolled back is cut off the index again. So memory and disk agree, and a second process that writes to
//! the same file reaches the same verdicts.

use std::{
    collections::{HashMap, HashSet},
    rc::Rc,
};

use super::lines::strip;
use crate::{
    dedup::{Index, Scope, Side, Signature, Text},
    model::{FeedId, TextId, Timestamp},
    store::{Database, Error, articles::StoredText, fingerprints::FingerprintRow},
};

/// Database and index.
pub struct State {
    /// The one connection that writes.
    pub db: Database,
    index: Index,
    is_loaded: bool,
    last_seen: Option<TextId>,
    window_seconds: i64,
    foreign_commits: Option<i64>,
    standings: HashMap<FeedId, (Scope, i64)>,
    furniture: HashMap<FeedId, Rc<HashSet<u64>>>,
    /// Texts that the open transaction has released; the index forgets them once that is on disk.
    released: Vec<(TextId, Signature)>,
}

/// Where the index stood, to be cut back to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    is_loaded: bool,
    last_seen: Option<TextId>,
}

/// More feeds' furniture is not held in memory at once.
const MAX_CACHED_FEEDS: usize = 4_096;

impl State {
    /// Takes the database; the index stays empty until the first article has to be judged.
    /// `window_seconds` is the longest `dedup.window` of all feeds.
    pub fn new(db: Database, window_seconds: i64) -> Self {
        Self {
            db,
            index: Index::new(),
            is_loaded: false,
            last_seen: None,
            window_seconds,
            foreign_commits: None,
            standings: HashMap::new(),
            furniture: HashMap::new(),
            released: Vec::new(),
        }
    }

    /// Begins a transaction and takes in what other processes have committed since the last one.
    pub(super) fn begin(&mut self, now: Timestamp) -> Result<Mark, Error> {
        self.db.check_file()?;
        self.db.begin()?;
        let commits = self.db.foreign_commits()?;
        if self.foreign_commits != Some(commits) {
            self.foreign_commits = Some(commits);
            self.forget_caches();
            if self.is_loaded {
                self.take_in_rows(now)?;
            }
        }
        Ok(self.mark())
    }

    /// Ends the transaction; the index follows what it released.
    pub(super) fn commit(&mut self) -> Result<(), Error> {
        self.db.commit()?;
        for (text, signature) in self.released.drain(..) {
            self.index.forget(text, &signature);
        }
        Ok(())
    }

    /// Where the index stands now.
    pub(super) fn mark(&self) -> Mark {
        Mark { is_loaded: self.is_loaded, last_seen: self.last_seen }
    }

    /// Follows a rollback: cuts the index back and forgets what was read in the undone part.
    pub(super) fn cut_back(&mut self, mark: Mark) {
        if mark.is_loaded {
            self.index.truncate(mark.last_seen);
            self.last_seen = mark.last_seen;
        } else {
            self.index = Index::new();
            self.is_loaded = false;
            self.last_seen = None;
        }
        self.released.clear();
        self.forget_caches();
    }

    /// Drops what was read of feeds: their configuration may have changed.
    pub fn forget_caches(&mut self) {
        self.standings.clear();
        self.furniture.clear();
    }

    /// Loads the index in bulk: the daemon before it says that it is ready, `once` at the first judging.
    pub fn load_index(&mut self, now: Timestamp) -> Result<usize, Error> {
        if !self.is_loaded {
            self.is_loaded = true;
            self.take_in_rows(now)?;
        }
        Ok(self.index.len())
    }

    /// Texts in the index.
    pub fn index_len(&self) -> usize {
        self.index.len()
    }

    /// Drops the texts that have left the window.
    pub fn evict(&mut self, now: Timestamp) {
        self.index.evict(now.plus_seconds(-self.window_seconds));
    }

    /// Changes the longest window (after a reload). A longer one loads the index anew.
    pub fn set_window(&mut self, window_seconds: i64) {
        if window_seconds > self.window_seconds {
            self.cut_back(Mark { is_loaded: false, last_seen: None });
        }
        self.window_seconds = window_seconds;
    }

    fn take_in_rows(&mut self, now: Timestamp) -> Result<(), Error> {
        let since = now.plus_seconds(-self.window_seconds);
        let (index, last_seen) = (&mut self.index, &mut self.last_seen);
        let before = *last_seen;
        self.db.fingerprints_after(before, since, |id, row| {
            index.insert(id, row.feed_id, row.first_seen_at, &signature_of(row));
            *last_seen = Some(id);
        })
    }

    /// Adds a text to database and index.
    pub(super) fn insert_text(
        &mut self,
        feed: FeedId,
        first_seen_at: Timestamp,
        signature: &Signature,
        now: Timestamp,
    ) -> Result<TextId, Error> {
        self.load_index(now)?;
        let id = self.db.insert_fingerprint(&FingerprintRow {
            feed_id: feed,
            first_seen_at,
            fingerprint: signature.fingerprint,
            headline: signature.headline,
            tokens: signature.tokens,
            passages: &signature.encode_passages(),
        })?;
        self.index.insert(id, feed, first_seen_at, signature);
        self.last_seen = Some(id);
        Ok(id)
    }

    /// A text was replaced: unless somebody else has it, or a revision keeps it, nobody is to be compared with it again.
    pub(super) fn release_text(&mut self, text: Option<TextId>) -> Result<(), Error> {
        let Some(text) = text else { return Ok(()) };
        let released = &mut self.released;
        self.db.remove_fingerprint(text, |row| released.push((text, signature_of(row))))
    }

    /// The spelling of a text was corrected: it stays the text that it is, in other words.
    pub(super) fn note_correction(&mut self, text: Option<TextId>) {
        if let Some(text) = text {
            self.index.forget_words(text);
        }
    }

    /// The index, loaded.
    pub(super) fn index(&mut self, now: Timestamp) -> Result<&Index, Error> {
        self.load_index(now)?;
        Ok(&self.index)
    }

    /// Scope and priority of a feed.
    pub(super) fn standing(&mut self, feed: FeedId) -> Result<(Scope, i64), Error> {
        if let Some(standing) = self.standings.get(&feed) {
            return Ok(*standing);
        }
        let standing = self.db.feed_standing(feed)?;
        self.standings.insert(feed, standing);
        Ok(standing)
    }

    /// A feed's furniture.
    pub(super) fn furniture(&mut self, feed: FeedId) -> Result<Rc<HashSet<u64>>, Error> {
        if let Some(furniture) = self.furniture.get(&feed) {
            return Ok(Rc::clone(furniture));
        }
        let furniture = Rc::new(self.db.furniture(feed)?);
        self.set_furniture(feed, Rc::clone(&furniture));
        Ok(furniture)
    }

    /// Puts newly learned furniture in force for the rest of the transaction.
    pub(super) fn set_furniture(&mut self, feed: FeedId, furniture: Rc<HashSet<u64>>) {
        if self.furniture.len() >= MAX_CACHED_FEEDS {
            self.furniture.clear();
        }
        self.furniture.insert(feed, furniture);
    }
}

fn signature_of(row: &FingerprintRow<'_>) -> Signature {
    Signature {
        fingerprint: row.fingerprint,
        headline: row.headline,
        passages: Signature::decode_passages(row.passages),
        tokens: row.tokens,
        words: None,
    }
}

/// When a text appeared, as comparisons count it: published where that is not later than first seen.
pub(super) fn instant(published_at: Option<Timestamp>, first_seen_at: Timestamp) -> Timestamp {
    published_at.filter(|published| *published <= first_seen_at).unwrap_or(first_seen_at)
}

/// A stored text without its feed's furniture, ready to be compared by `compare`.
pub(super) fn with_side<T>(
    stored: &StoredText,
    furniture: &HashSet<u64>,
    compare: impl FnOnce(&Side<'_>) -> T,
) -> T {
    let body = strip(&stored.body, furniture);
    let at = instant(stored.published_at, stored.first_seen_at);
    let text = Text { title: &stored.title, body: &body };
    compare(&Side::new(text, stored.feed_id, at).out_of(&stored.body))
}
