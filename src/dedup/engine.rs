//! The whole step in memory: what `newsfold dedup`, `replay` and the tests run.
//!
//! In: texts in order of arrival. Out: a verdict for each. It holds the texts of the window, the index, and a
//! learner of furniture for each feed; how a body is cut into units is handed in, so that the line and this
//! engine cut alike.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::{
    Evidence, Index, Options, Query, Reason, Scope, Side, Signature, Text, Verification, verify,
};
use crate::model::{FeedId, TextId, Timestamp};

/// How furniture is found and cut; the line hands in what `normalize` does.
#[derive(Clone, Copy, Debug)]
pub struct Furniture {
    /// Hashes of the lines and sentences of a body.
    pub units: fn(&str) -> HashSet<u64>,
    /// A body without the units given.
    pub strip: fn(&str, &HashSet<u64>) -> String,
    /// In so many kept articles of its feed must a unit stand.
    pub learned_after: u32,
}

/// An article as it arrives.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The feed it came from.
    pub feed: FeedId,
    /// Its headline.
    pub title: String,
    /// Its body.
    pub body: String,
    /// Published, or where that is unknown, when it arrived.
    pub at: Timestamp,
}

/// What the engine says of one article.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// The id this text got: 1, 2, 3 ...
    pub text: TextId,
    /// The kept article that it is a copy of.
    pub duplicate_of: Option<TextId>,
    /// The text that it was compared with, if it is one: the kept article or another copy of it.
    pub matched: Option<TextId>,
    /// Why, if it is one.
    pub reason: Option<Reason>,
    /// Between the fingerprints; `None` under eight tokens.
    pub distance: Option<u32>,
    /// As in [`Verification::similarity`].
    pub similarity: f64,
    /// What decided; without a candidate there is none.
    pub evidence: Option<Evidence>,
    /// The nearest candidates that were refused, best first.
    pub refused: Vec<(TextId, Evidence)>,
}

#[derive(Debug)]
struct Stored {
    arrival: Arrival,
    signature: Signature,
    /// Itself, if it was kept.
    kept: TextId,
}

/// Judges a stream of texts.
#[derive(Debug)]
pub struct Engine {
    options: Options,
    furniture: Furniture,
    index: Index,
    texts: Vec<Stored>,
    units: HashMap<FeedId, HashMap<u64, u32>>,
    learned: HashMap<FeedId, HashSet<u64>>,
}

/// Refused candidates that are reported.
const MAX_REFUSED: usize = 3;

impl Engine {
    /// An engine that has seen nothing.
    pub fn new(options: Options, furniture: Furniture) -> Self {
        Self {
            options,
            furniture,
            index: Index::new(),
            texts: Vec::new(),
            units: HashMap::new(),
            learned: HashMap::new(),
        }
    }

    /// Judges the next text and takes it in.
    pub fn judge(&mut self, arrival: Arrival) -> Verdict {
        let text = TextId(self.texts.len() as i64 + 1);
        let body = self.strip(&arrival);
        let signature = Signature::of(&Text { title: &arrival.title, body: &body });
        let mut verdict = self.compare(text, &arrival, &body, &signature);
        if verdict.duplicate_of.is_none() {
            self.learn(&arrival);
        }
        if self.options.scope != Scope::Off {
            self.index.insert(text, arrival.feed, arrival.at, &signature);
        }
        verdict.refused.truncate(MAX_REFUSED);
        self.texts.push(Stored { arrival, signature, kept: verdict.duplicate_of.unwrap_or(text) });
        verdict
    }

    fn compare(
        &self,
        text: TextId,
        arrival: &Arrival,
        body: &str,
        signature: &Signature,
    ) -> Verdict {
        let since = arrival.at.plus_seconds(-self.options.window_seconds);
        let query = Query { feed: arrival.feed, scope: self.options.scope, since };
        let side = Side::new(Text { title: &arrival.title, body }, arrival.feed, arrival.at);
        let mut verdict = Verdict {
            text,
            duplicate_of: None,
            matched: None,
            reason: None,
            distance: None,
            similarity: 0.0,
            evidence: None,
            refused: Vec::new(),
        };
        for candidate in self.index.candidates(signature, &query) {
            let found = self.verify(&side, candidate.text);
            if found.is_duplicate {
                let stored = self.stored(candidate.text);
                verdict.duplicate_of = Some(stored.kept);
                verdict.matched = Some(candidate.text);
                verdict.reason = found.reason;
                verdict.distance = signature.distance(&stored.signature);
                verdict.similarity = found.similarity;
                verdict.evidence = Some(found.evidence);
                break;
            }
            verdict.refused.push((candidate.text, found.evidence));
        }
        verdict
    }

    /// lab only
    pub fn probe(&self, arrival: &Arrival, other: TextId) -> Verification {
        let body = self.strip(arrival);
        self.verify(
            &Side::new(Text { title: &arrival.title, body: &body }, arrival.feed, arrival.at),
            other,
        )
    }
    /// lab only
    pub fn is_candidate(&self, arrival: &Arrival, other: TextId) -> bool {
        let body = self.strip(arrival);
        let signature = Signature::of(&Text { title: &arrival.title, body: &body });
        let since = arrival.at.plus_seconds(-self.options.window_seconds);
        let query = Query { feed: arrival.feed, scope: self.options.scope, since };
        self.index.candidates(&signature, &query).iter().any(|candidate| candidate.text == other)
    }

    /// Compares an article with a text that was judged before.
    fn verify(&self, side: &Side<'_>, other: TextId) -> Verification {
        let other = &self.stored(other).arrival;
        let body = self.strip(other);
        verify(
            side,
            &Side::new(Text { title: &other.title, body: &body }, other.feed, other.at),
            &self.options,
        )
    }

    fn stored(&self, text: TextId) -> &Stored {
        &self.texts[text.0 as usize - 1]
    }

    fn strip(&self, arrival: &Arrival) -> String {
        match self.learned.get(&arrival.feed) {
            Some(learned) if !learned.is_empty() => (self.furniture.strip)(&arrival.body, learned),
            _ => arrival.body.clone(),
        }
    }

    /// Counts the units of a kept article: copies teach nothing, or real text would be cut to nothing.
    fn learn(&mut self, arrival: &Arrival) {
        let counts = self.units.entry(arrival.feed).or_default();
        let learned = self.learned.entry(arrival.feed).or_default();
        for unit in (self.furniture.units)(&arrival.body) {
            let count = counts.entry(unit).or_default();
            *count += 1;
            if *count >= self.furniture.learned_after {
                learned.insert(unit);
            }
        }
    }
}
