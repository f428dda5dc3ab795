//! The index: which of a million texts may be the one that this text copies.
//!
//! In: signatures of texts as they are judged. Out: for a new signature, the texts worth reading, best first, a
//! bounded number of them. Three roads lead to a candidate: fingerprints at a small distance (multi-index
//! hashing: at distance 3 one of four 16-bit bands is equal), shared passages, the same headline. It only
//! proposes; [`super::verify`] decides.
//!
//! It is a cache of the database: rows are inserted in the order of their ids, and can be cut back to an id when
//! a transaction rolls back, or cut off at the front when they leave the window. All postings lie in sorted
//! arrays, each covering one 65,536th of the hash space.

use std::collections::VecDeque;

use super::{Scope, signature::Signature};
use crate::model::{FeedId, Fingerprint, TextId, Timestamp};

/// Furthest Hamming distance at which a fingerprint alone proposes a candidate.
const MAX_DISTANCE: u32 = 7;
/// Passages that more texts than this share are furniture or a template, not evidence.
const MAX_POSTINGS: usize = 64;
/// Candidates handed out for one text.
pub const MAX_CANDIDATES: usize = 12;
/// A text is worth reading from this share of the smaller passage set on.
const MIN_SHARED: f64 = 0.12;

/// What a look-up asks for.
#[derive(Clone, Copy, Debug)]
pub struct Query {
    /// The arriving article's feed.
    pub feed: FeedId,
    /// Its scope.
    pub scope: Scope,
    /// Texts first seen before this are out of the window.
    pub since: Timestamp,
}

/// How a candidate was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// Its fingerprint, or its lead's, is near.
    Fingerprint,
    /// It shares passages.
    Passages,
    /// It has the same headline.
    Headline,
}

/// A text worth comparing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// Which.
    pub text: TextId,
    /// Between the fingerprints; `None` if one text is too short for one.
    pub distance: Option<u32>,
    /// Passages that both have.
    pub shared_passages: u32,
    /// How it was found.
    pub via: Via,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    text: TextId,
    feed: FeedId,
    first_seen: Timestamp,
    fingerprint: Fingerprint,
    lead: Fingerprint,
    passages: u32,
    tokens: u32,
    headline: u64,
    is_dead: bool,
}

/// Signatures of the texts in the window.
#[derive(Debug)]
pub struct Index {
    rows: VecDeque<Row>,
    /// Slot of `rows[0]`: slots only grow.
    first_slot: u32,
    passages: Postings,
    headlines: Postings,
    bands: [Postings; 8],
}

impl Default for Index {
    fn default() -> Self {
        Self::new()
    }
}

impl Index {
    /// An empty index.
    pub fn new() -> Self {
        Self {
            rows: VecDeque::new(),
            first_slot: 0,
            passages: Postings::new(),
            headlines: Postings::new(),
            bands: std::array::from_fn(|_| Postings::new()),
        }
    }

    /// Texts held.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Id of the newest text held.
    pub fn last_id(&self) -> Option<TextId> {
        self.rows.back().map(|row| row.text)
    }

    /// Adds a text. Ids must grow; one that does not is ignored.
    pub fn insert(
        &mut self,
        text: TextId,
        feed: FeedId,
        first_seen: Timestamp,
        signature: &Signature,
    ) {
        if self.last_id().is_some_and(|last| last >= text) {
            return;
        }
        let slot = self.first_slot + self.rows.len() as u32;
        self.rows.push_back(Row {
            text,
            feed,
            first_seen,
            fingerprint: signature.fingerprint,
            lead: signature.lead,
            passages: signature.passages.len() as u32,
            tokens: signature.tokens,
            headline: signature.headline,
            is_dead: false,
        });
        for passage in &signature.passages {
            self.passages.insert(*passage, slot);
        }
        if signature.headline != 0 {
            self.headlines.insert(signature.headline as u32, slot);
        }
        for (band, key) in
            bands(signature).into_iter().enumerate().filter_map(|(at, key)| Some((at, key?)))
        {
            self.bands[band].insert(key, slot);
        }
    }

    /// Forgets every text with an id greater than `last`: memory follows a transaction that rolled back.
    pub fn truncate(&mut self, last: Option<TextId>) {
        while self.rows.back().is_some_and(|row| last.is_none_or(|last| row.text > last)) {
            self.rows.pop_back();
        }
        self.sweep();
    }

    /// Forgets the texts at the front that were first seen before `before`.
    pub fn evict(&mut self, before: Timestamp) {
        while self.rows.front().is_some_and(|row| row.first_seen < before) {
            self.rows.pop_front();
            self.first_slot += 1;
        }
    }

    /// The texts worth reading, best first, at most [`MAX_CANDIDATES`].
    pub fn candidates(&self, signature: &Signature, query: &Query) -> Vec<Candidate> {
        if query.scope == Scope::Off {
            return Vec::new();
        }
        let mut found: Vec<(u32, Via)> = Vec::new();
        self.by_passages(signature, &mut found);
        for slot in self.headlines.newest(signature.headline as u32) {
            found.push((slot, Via::Headline));
        }
        self.by_fingerprint(signature, &mut found);
        let mut candidates: Vec<Candidate> = found
            .iter()
            .filter_map(|(slot, via)| self.candidate(*slot, *via, signature, query))
            .collect();
        candidates.sort_by_key(|candidate| (candidate.text, candidate.via != Via::Passages));
        candidates.dedup_by_key(|candidate| candidate.text);
        candidates.sort_by_key(|candidate| {
            (
                candidate.via == Via::Headline,
                candidate.distance.unwrap_or(64),
                std::cmp::Reverse(candidate.text),
            )
        });
        candidates.truncate(MAX_CANDIDATES);
        candidates
    }

    fn row(&self, slot: u32) -> Option<&Row> {
        self.rows.get(slot.checked_sub(self.first_slot)? as usize).filter(|row| !row.is_dead)
    }

    fn candidate(
        &self,
        slot: u32,
        via: Via,
        signature: &Signature,
        query: &Query,
    ) -> Option<Candidate> {
        let row = self.row(slot)?;
        let is_in_scope = query.scope == Scope::All || row.feed == query.feed;
        let is_near = via != Via::Fingerprint
            || row.fingerprint.distance(signature.fingerprint) <= MAX_DISTANCE
            || row.lead.distance(signature.lead) <= MAX_DISTANCE;
        let is_same = via != Via::Headline || row.headline == signature.headline;
        let has_distance = row.tokens.min(signature.tokens) >= super::signature::MIN_TOKENS;
        (is_in_scope && is_near && is_same && row.first_seen >= query.since).then(|| Candidate {
            text: row.text,
            distance: has_distance.then(|| row.fingerprint.distance(signature.fingerprint)),
            shared_passages: 0,
            via,
        })
    }

    fn by_passages(&self, signature: &Signature, found: &mut Vec<(u32, Via)>) {
        let mut hits: Vec<u32> =
            signature.passages.iter().flat_map(|passage| self.passages.newest(*passage)).collect();
        hits.sort_unstable();
        for hits in hits.chunk_by(|left, right| left == right) {
            let Some(row) = self.row(hits[0]) else { continue };
            let smaller = f64::from(row.passages.min(signature.passages.len() as u32));
            let is_enough = hits.len() >= 2 || smaller < 8.0;
            if is_enough && hits.len() as f64 >= MIN_SHARED * smaller {
                found.push((hits[0], Via::Passages));
            }
        }
    }

    fn by_fingerprint(&self, signature: &Signature, found: &mut Vec<(u32, Via)>) {
        for (band, key) in bands(signature).into_iter().enumerate() {
            let Some(key) = key else { continue };
            found.extend(self.bands[band].newest(key).map(|slot| (slot, Via::Fingerprint)));
        }
    }

    fn sweep(&mut self) {
        let (first, end) = (self.first_slot, self.first_slot + self.rows.len() as u32);
        for postings in self.bands.iter_mut().chain([&mut self.passages, &mut self.headlines]) {
            postings.keep(first, end);
        }
    }
}

/// Four 16-bit bands of the fingerprint and four of the lead, spread over 32 bits as keys.
fn bands(signature: &Signature) -> [Option<u32>; 8] {
    std::array::from_fn(|band| {
        let of = if band < 4 { signature.fingerprint } else { signature.lead };
        let key = (of.0 >> (16 * (band % 4))) as u32 & 0xffff;
        (of.0 != 0).then_some(key << 16)
    })
}

/// Sorted arrays of (hash, slot), one for each value of a hash's upper half.
#[derive(Debug)]
struct Postings {
    shards: Vec<Vec<u64>>,
}

impl Postings {
    fn new() -> Self {
        Self { shards: vec![Vec::new(); 1 << 16] }
    }

    fn insert(&mut self, hash: u32, slot: u32) {
        let posting = u64::from(hash) << 32 | u64::from(slot);
        let shard = &mut self.shards[(hash >> 16) as usize];
        let at = shard.partition_point(|other| *other < posting);
        if shard.len() == shard.capacity() {
            shard.reserve_exact(shard.len() / 4 + 4);
        }
        shard.insert(at, posting);
    }

    /// Slots under a hash, the newest [`MAX_POSTINGS`] of them.
    fn newest(&self, hash: u32) -> impl Iterator<Item = u32> + '_ {
        let shard = &self.shards[(hash >> 16) as usize];
        let start = shard.partition_point(|posting| (*posting >> 32) as u32 <= hash);
        shard[..start]
            .iter()
            .rev()
            .take_while(move |posting| (**posting >> 32) as u32 == hash)
            .take(MAX_POSTINGS)
            .map(|posting| *posting as u32)
    }

    fn keep(&mut self, first: u32, end: u32) {
        for shard in &mut self.shards {
            shard.retain(|posting| (first..end).contains(&(*posting as u32)));
        }
    }
}
