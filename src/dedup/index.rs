//! The index: which of a million texts may be the one that this text copies.
//!
//! In: signatures of texts as they are judged. Out: for a new signature, the texts worth reading, best first, a
//! bounded number of them. Three roads lead to a candidate: a fingerprint at a small distance (at distance 3 and
//! below, one of its four 16-bit bands is equal), shared passages, the same headline. It only proposes;
//! [`super::verify()`] decides.
//!
//! It is a cache of the database: rows come in the order of their ids, can be cut back to an id when a transaction
//! rolls back, are forgotten when nobody has their text any more, and leave at the front when the window moves on. It stays exact while it is a cache: whatever it
//! does not know of, it does not propose.

use std::collections::VecDeque;

use super::{Scope, signature::Signature, sketch::Sketch};
use crate::model::{FeedId, Fingerprint, TextId, Timestamp};

mod postings;

use self::postings::Postings;

/// Furthest Hamming distance at which a fingerprint alone proposes a candidate.
const MAX_DISTANCE: u32 = 7;
/// Candidates read for one text.
pub const MAX_CANDIDATES: usize = 12;
/// Candidates handed out for one text: some may turn out to be nobody's any more, and count for nothing.
pub const MAX_PROPOSED: usize = 64;
/// Share of the smaller text's passages that makes a candidate, from two on: twelve hundredths let all copies of
/// the labelled set through that were found by passages at all.
const MIN_SHARED: f32 = 0.12;

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

/// How a candidate was found: the strongest of its roads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// Its fingerprint is near.
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
    /// Whose.
    pub feed: FeedId,
    /// Tokens of its body when it came.
    pub tokens: u32,
    /// Between the fingerprints; `None` if one text is too short for one.
    pub distance: Option<u32>,
    /// Passages that both have.
    pub shared_passages: u32,
    /// How it was found.
    pub via: Via,
    /// At most so much of the headline of the text with more tokens stands in the one with fewer; 1 where nothing is known
    /// of the words of one of them.
    pub headline_within: f64,
}

#[derive(Debug)]
struct Row {
    text: TextId,
    feed: FeedId,
    first_seen: Timestamp,
    fingerprint: Fingerprint,
    headline: u64,
    tokens: u32,
    /// At most [`MAX_PASSAGES`](super::signature::MAX_PASSAGES).
    passages: u16,
    is_live: bool,
    /// None of a text that was read back from the database or has been corrected since.
    sketch: Option<Box<Sketch>>,
}

/// Signatures of the texts in the window.
#[derive(Debug)]
pub struct Index {
    rows: VecDeque<Row>,
    /// Slot of `rows[0]`: slots grow, and are given anew only where a rollback took their postings out.
    first_slot: u32,
    /// Under one passage, headline or band the newest 64 texts are kept: what more share is a template or furniture, and
    /// the true copy is found by what it shares with fewer.
    passages: Postings,
    headlines: Postings,
    bands: Postings,
    /// Headlines and whole fingerprints of one feed, for feeds that are judged against themselves alone: what many feeds
    /// carry must not hide their own repeats.
    own: Postings,
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
            bands: Postings::new(),
            own: Postings::new(),
        }
    }

    /// Texts held.
    pub fn len(&self) -> usize {
        self.rows.iter().filter(|row| row.is_live).count()
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.last_id().is_none()
    }

    /// Id of the newest text held.
    pub fn last_id(&self) -> Option<TextId> {
        self.rows.iter().rev().find(|row| row.is_live).map(|row| row.text)
    }

    /// Bytes on the heap, room to grow included.
    pub fn memory_bytes(&self) -> usize {
        let postings = [&self.passages, &self.headlines, &self.bands, &self.own];
        let sketches = self.rows.iter().filter(|row| row.sketch.is_some()).count();
        self.rows.capacity() * size_of::<Row>()
            + sketches * size_of::<Sketch>()
            + postings.map(Postings::memory_bytes).iter().sum::<usize>()
    }

    /// Adds a text. Ids must grow; one that does not is ignored.
    pub fn insert(
        &mut self,
        text: TextId,
        feed: FeedId,
        first_seen: Timestamp,
        signature: &Signature,
    ) {
        if self.rows.back().is_some_and(|last| last.text >= text) {
            return;
        }
        let slot = self.first_slot + self.rows.len() as u32;
        self.rows.push_back(Row {
            text,
            feed,
            first_seen,
            fingerprint: signature.fingerprint,
            headline: signature.headline,
            tokens: signature.tokens,
            passages: signature.passages.len() as u16,
            is_live: true,
            sketch: signature.words.as_ref().map(|words| Box::new(Sketch::of(words))),
        });
        let first_slot = self.first_slot;
        self.passages.warm(&signature.passages);
        self.each_posting(feed, signature, |postings, hash| {
            postings.insert(hash, slot, first_slot);
        });
    }

    /// Forgets one text: nobody has it any more. The signature is the one that it was added with.
    pub fn forget(&mut self, text: TextId, signature: &Signature) {
        let Ok(at) = self.rows.binary_search_by_key(&text, |row| row.text) else { return };
        let row = &mut self.rows[at];
        row.is_live = false;
        let (feed, slot) = (row.feed, self.first_slot + at as u32);
        self.each_posting(feed, signature, |postings, hash| postings.remove(hash, slot));
    }

    /// A text has other words than it came with, though it says the same: they are not known any more.
    pub fn forget_words(&mut self, text: TextId) {
        if let Ok(at) = self.rows.binary_search_by_key(&text, |row| row.text) {
            self.rows[at].sketch = None;
        }
    }

    fn each_posting(
        &mut self,
        feed: FeedId,
        signature: &Signature,
        mut act: impl FnMut(&mut Postings, u32),
    ) {
        for passage in &signature.passages {
            act(&mut self.passages, *passage);
        }
        if signature.headline != 0 {
            act(&mut self.headlines, headline_key(signature));
        }
        for band in bands(signature) {
            act(&mut self.bands, band);
        }
        for key in own_keys(feed, signature) {
            act(&mut self.own, key);
        }
    }

    /// Forgets every text with an id greater than `last`, or all: memory follows a transaction that rolled back.
    pub fn truncate(&mut self, last: Option<TextId>) {
        let held = self.rows.len();
        while self.rows.back().is_some_and(|row| last.is_none_or(|last| row.text > last)) {
            self.rows.pop_back();
        }
        if self.rows.len() < held {
            let end = self.first_slot + self.rows.len() as u32;
            let all = [&mut self.passages, &mut self.headlines, &mut self.bands, &mut self.own];
            all.into_iter().for_each(|postings| postings.truncate(end));
        }
    }

    /// Forgets the texts at the front that were first seen before `before`.
    pub fn evict(&mut self, before: Timestamp) {
        while self.rows.front().is_some_and(|row| row.first_seen < before || !row.is_live) {
            self.rows.pop_front();
            self.first_slot += 1;
        }
    }

    /// Forgets the texts before `first`.
    pub fn evict_until(&mut self, first: TextId) {
        while self.rows.front().is_some_and(|row| row.text < first || !row.is_live) {
            self.rows.pop_front();
            self.first_slot += 1;
        }
    }

    /// The texts worth reading, best first, at most [`MAX_PROPOSED`]: the first [`MAX_CANDIDATES`] that still are
    /// somebody's are meant to be read.
    pub fn candidates(&self, signature: &Signature, query: &Query) -> Vec<Candidate> {
        if query.scope == Scope::Off {
            return Vec::new();
        }
        let is_asked = |row: &Row| {
            (query.scope == Scope::All || row.feed == query.feed) && row.first_seen >= query.since
        };
        let mut found: Vec<(u32, Via, u32)> = self.by_passages(signature);
        found.extend(self.by_headline(signature));
        found.extend(self.by_fingerprint(signature));
        if query.scope == Scope::Feed {
            found.extend(self.by_own(query.feed, signature));
        }
        found.sort_unstable();
        found.dedup_by_key(|(slot, ..)| *slot);
        let mut ranked: Vec<(f32, Candidate)> = found
            .into_iter()
            .filter_map(|(slot, via, shared)| Some((self.row(slot)?, via, shared)))
            .filter(|(row, ..)| is_asked(row))
            .map(|(row, via, shared)| rank(row, via, shared, signature))
            .collect();
        ranked.sort_unstable_by(|(one, left), (other, right)| {
            other.total_cmp(one).then(right.text.cmp(&left.text))
        });
        ranked.truncate(MAX_PROPOSED);
        ranked.into_iter().map(|(_, candidate)| candidate).collect()
    }

    fn row(&self, slot: u32) -> Option<&Row> {
        self.rows.get(slot.checked_sub(self.first_slot)? as usize).filter(|row| row.is_live)
    }

    fn by_passages(&self, signature: &Signature) -> Vec<(u32, Via, u32)> {
        let mut hits = self.passages.under_each(&signature.passages);
        hits.sort_unstable();
        let runs = hits.chunk_by(|left, right| left == right);
        runs.map(|run| (run[0], run.len() as u32))
            .filter(|(slot, shared)| {
                self.row(*slot).is_some_and(|row| is_enough(*shared, row, signature))
            })
            .map(|(slot, shared)| (slot, Via::Passages, shared))
            .collect()
    }

    fn by_headline<'a>(
        &'a self,
        signature: &'a Signature,
    ) -> impl Iterator<Item = (u32, Via, u32)> + 'a {
        self.headlines
            .under(headline_key(signature))
            .filter(|slot| self.row(*slot).is_some_and(|row| row.headline == signature.headline))
            .map(|slot| (slot, Via::Headline, 0))
    }

    fn by_fingerprint<'a>(
        &'a self,
        signature: &'a Signature,
    ) -> impl Iterator<Item = (u32, Via, u32)> + 'a {
        let is_near = |slot: &u32| {
            self.row(*slot)
                .is_some_and(|row| row.fingerprint.distance(signature.fingerprint) <= MAX_DISTANCE)
        };
        bands(signature)
            .flat_map(|band| self.bands.under(band))
            .filter(is_near)
            .map(|slot| (slot, Via::Fingerprint, 0))
    }

    fn by_own<'a>(
        &'a self,
        feed: FeedId,
        signature: &'a Signature,
    ) -> impl Iterator<Item = (u32, Via, u32)> + 'a {
        let via = move |slot: u32| {
            let row = self.row(slot).filter(|row| row.feed == feed)?;
            if row.fingerprint.0 != 0 && row.fingerprint == signature.fingerprint {
                Some((slot, Via::Fingerprint, 0))
            } else {
                (row.headline == signature.headline).then_some((slot, Via::Headline, 0))
            }
        };
        own_keys(feed, signature).flat_map(|key| self.own.under(key)).filter_map(via)
    }
}

/// Two passages and [`MIN_SHARED`] of the smaller set; of a set of few, one.
fn is_enough(shared: u32, row: &Row, signature: &Signature) -> bool {
    let smaller = u32::from(row.passages).min(signature.passages.len() as u32);
    (shared >= 2 || smaller < 8) && shared as f32 >= MIN_SHARED * smaller as f32
}

/// The candidate with its rank: the likely share of copied text, and a quarter more under the same headline.
fn rank(row: &Row, via: Via, shared: u32, signature: &Signature) -> (f32, Candidate) {
    let has_distance = row.fingerprint.0 != 0 && signature.fingerprint.0 != 0;
    let distance = has_distance.then(|| row.fingerprint.distance(signature.fingerprint));
    let smaller = u32::from(row.passages).min(signature.passages.len() as u32).max(1);
    let by_passages = shared as f32 / smaller as f32;
    let by_distance = 1.0 - distance.unwrap_or(64) as f32 / 16.0;
    let headline = if row.headline == signature.headline { 0.25 } else { 0.0 };
    let candidate = Candidate {
        text: row.text,
        feed: row.feed,
        tokens: row.tokens,
        distance,
        shared_passages: shared,
        via,
        headline_within: headline_within(row, signature),
    };
    (by_passages.max(by_distance).max(0.0) + headline, candidate)
}

fn headline_within(row: &Row, signature: &Signature) -> f64 {
    let Some((words, sketch)) = signature.words.as_ref().zip(row.sketch.as_deref()) else {
        return 1.0;
    };
    if row.tokens > signature.tokens { words.tell(sketch) } else { words.told_by(sketch) }
}

fn headline_key(signature: &Signature) -> u32 {
    (signature.headline >> 32) as u32
}

/// Keys of what a feed's texts may have in common: the headline, the whole fingerprint.
fn own_keys(feed: FeedId, signature: &Signature) -> impl Iterator<Item = u32> + use<> {
    let of_feed = (feed.0 as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let hashes = [signature.headline, signature.fingerprint.0.rotate_left(1)];
    hashes
        .into_iter()
        .filter(|hash| *hash != 0)
        .map(move |hash| ((hash ^ of_feed).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32)
}

/// Keys of the four 16-bit bands of a fingerprint; of no fingerprint none.
fn bands(signature: &Signature) -> impl Iterator<Item = u32> + use<> {
    let fingerprint = signature.fingerprint.0;
    let key = move |band: u32| band << 16 | (fingerprint >> (16 * band)) as u32 & 0xffff;
    (0..4).filter(move |_| fingerprint != 0).map(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FEED: FeedId = FeedId(1);

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_unix_seconds(1_790_000_000 + 3600 * hour).unwrap()
    }

    fn query() -> Query {
        Query { feed: FEED, scope: Scope::All, since: Timestamp::MIN }
    }

    fn signature(fingerprint: u64, headline: u64, passages: &[u32]) -> Signature {
        Signature {
            fingerprint: Fingerprint(fingerprint),
            headline,
            passages: passages.into(),
            tokens: 100,
            words: None,
        }
    }

    fn found(index: &Index, signature: &Signature) -> Vec<i64> {
        index.candidates(signature, &query()).iter().map(|candidate| candidate.text.0).collect()
    }

    #[test]
    fn each_road_leads_to_a_candidate() {
        let mut index = Index::new();
        let passages: Vec<u32> = (1..=20).map(|n| n * 0x0bad_cafe).collect();
        index.insert(TextId(1), FEED, at(0), &signature(0xff00_ff00_ff00_ff00, 7 << 32, &passages));
        index.insert(
            TextId(2),
            FEED,
            at(0),
            &signature(0x0123_4567_89ab_cdef, 9 << 32, &[1, 2, 3]),
        );
        for (probe, expected) in [
            (signature(0xff00_ff00_ff00_ff03, 0, &[]), vec![1]),
            (signature(0x5555_5555_5555_5555, 0, &passages[..3]), vec![1]),
            (signature(0x5555_5555_5555_5555, 9 << 32, &[]), vec![2]),
            (signature(0x5555_5555_5555_5555, 0, &[5, 6, 7]), vec![]),
        ] {
            assert_eq!(found(&index, &probe), expected, "{probe:?}");
        }
    }

    #[test]
    fn empty_texts_meet_nobody() {
        let mut index = Index::new();
        let empty = Signature::default();
        index.insert(TextId(1), FEED, at(0), &empty);
        assert!(found(&index, &empty).is_empty());
    }

    #[test]
    fn scope_and_window_are_kept() {
        let mut index = Index::new();
        let text = signature(77, 7 << 32, &[1, 2, 3]);
        index.insert(TextId(1), FeedId(1), at(0), &text);
        index.insert(TextId(2), FeedId(2), at(5), &text);
        for (feed, scope, since, expected) in [
            (1, Scope::All, 0, 2),
            (1, Scope::All, 1, 1),
            (1, Scope::Feed, 0, 1),
            (1, Scope::Feed, 1, 0),
            (1, Scope::Off, 0, 0),
        ] {
            let query = Query { feed: FeedId(feed), scope, since: at(since) };
            assert_eq!(index.candidates(&text, &query).len(), expected, "{feed} {scope:?} {since}");
        }
    }

    #[test]
    fn a_feed_judged_against_itself_finds_its_own_behind_a_crowd() {
        let mut index = Index::new();
        let text = signature(77, 7 << 32, &[1, 2, 3, 1 << 20]);
        for id in 1..=200 {
            index.insert(TextId(id), FeedId(id), at(0), &text);
        }
        for probe in [&text, &signature(77, 0, &[]), &signature(5, 7 << 32, &[])] {
            let query = Query { feed: FeedId(3), scope: Scope::Feed, since: at(0) };
            let found = index.candidates(probe, &query);
            assert_eq!(found.iter().map(|one| one.text).collect::<Vec<_>>(), [TextId(3)]);
        }
        index.forget(TextId(3), &text);
        let query = Query { feed: FeedId(3), scope: Scope::Feed, since: at(0) };
        assert_eq!(index.candidates(&text, &query), []);
    }

    #[test]
    fn a_crowd_of_equals_stays_bounded() {
        let mut index = Index::new();
        let text = signature(77, 7 << 32, &[1, 2, 3, 1 << 20]);
        for id in 1..=3000 {
            index.insert(TextId(id), FEED, at(0), &text);
        }
        let candidates = index.candidates(&text, &query());
        assert_eq!(candidates.len(), MAX_PROPOSED);
        assert_eq!(candidates[0].text, TextId(3000));
    }

    #[test]
    fn what_was_rolled_back_hides_nothing_and_takes_no_room() {
        let mut index = Index::new();
        let text = signature(77, 7 << 32, &[1, 2, 3, 1 << 20]);
        index.insert(TextId(1), FEED, at(0), &text);
        let mut bytes = 0;
        for round in 0..200 {
            (2..=60).for_each(|id| index.insert(TextId(id), FEED, at(0), &text));
            index.truncate(Some(TextId(1)));
            assert_eq!(found(&index, &text), [1], "{round}");
            bytes = if round == 0 { index.memory_bytes() } else { bytes };
        }
        assert_eq!(index.memory_bytes(), bytes);
    }

    #[test]
    fn what_was_forgotten_makes_room_for_older_texts() {
        let mut index = Index::new();
        let text = signature(77, 7 << 32, &[1, 2, 3, 1 << 20]);
        index.insert(TextId(1), FEED, at(0), &text);
        for id in 2..1000 {
            index.insert(TextId(id), FEED, at(0), &text);
            index.forget(TextId(id), &text);
        }
        assert_eq!((index.len(), found(&index, &text)), (1, vec![1]));
        assert_eq!(index.last_id(), Some(TextId(1)));
    }

    proptest! {
        /// Whatever was inserted, rolled back and evicted, a text is found exactly while it is held.
        #[test]
        fn the_index_holds_what_the_list_holds(steps in prop::collection::vec((0u8..11, 0u32..40), 1..200)) {
            let mut index = Index::new();
            let mut held: VecDeque<(i64, i64, u32)> = VecDeque::new();
            let mut id = 0;
            for (hour, (kind, value)) in steps.into_iter().enumerate() {
                let hour = hour as i64;
                match kind {
                    8 => {
                        let last = held.get(value as usize).map(|(id, ..)| *id);
                        index.truncate(last.map(TextId));
                        held.retain(|(id, ..)| last.is_some_and(|last| *id <= last));
                    }
                    9 => {
                        let before = hour - i64::from(value);
                        index.evict(at(before));
                        held.retain(|(_, seen, _)| *seen >= before);
                    }
                    10 => {
                        if let Some((id, _, key)) = held.remove(value as usize) {
                            index.forget(TextId(id), &signature(0, u64::from(key + 1) << 32, &[]));
                        }
                    }
                    _ => {
                        id += 1;
                        index.insert(TextId(id), FEED, at(hour), &signature(0, u64::from(value + 1) << 32, &[]));
                        held.push_back((id, hour, value));
                    }
                }
                prop_assert_eq!(index.len(), held.len());
                prop_assert_eq!(index.last_id(), held.back().map(|(id, ..)| TextId(*id)));
                let expected: Vec<i64> =
                    held.iter().rev().filter(|(.., key)| *key == value).map(|(id, ..)| *id).take(MAX_PROPOSED).collect();
                prop_assert_eq!(found(&index, &signature(0, u64::from(value + 1) << 32, &[])), expected);
            }
        }
    }
}
