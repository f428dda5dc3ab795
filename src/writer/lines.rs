//! One feed's furniture while a poll is recorded: what is learned, and taken off the texts that are compared.
//!
//! Learned from kept articles only, one after the other, so that the third article of a feed's first document
//! already profits from the two before it.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

use crate::{
    model::{FeedId, Timestamp},
    normalize::furniture::{LEARNED_AFTER, learn, sentences, unit},
    store::{Database, Error, furniture::RECENT_ARTICLES},
};

/// What a feed repeats, with what this poll adds to it.
pub(super) struct Lines {
    /// Lines of the last kept articles, newest last; in each article a line once.
    recent: Vec<Vec<u64>>,
    counts: HashMap<u64, u32>,
    changed: HashSet<u64>,
    has_news: bool,
}

impl Lines {
    /// Reads what is known of a feed.
    pub(super) fn load(db: &Database, feed: FeedId) -> Result<Self, Error> {
        Ok(Self {
            recent: db.recent_lines(feed)?,
            counts: db.furniture_counts(feed)?,
            changed: HashSet::new(),
            has_news: false,
        })
    }

    /// Takes in a kept article. Returns whether a line has become furniture by it.
    pub(super) fn take_in(&mut self, lines: &[u64]) -> bool {
        let new: HashSet<u64> = lines.iter().copied().collect();
        let mut sorted: Vec<u64> = new.iter().copied().collect();
        sorted.sort_unstable();
        let standing = self.standing_in_recent(&sorted);
        let counted = |hash: u64| {
            let stored = self.counts.get(&hash).copied();
            stored.or_else(|| Some(standing[sorted.binary_search(&hash).ok()?]))
        };
        let learned = learn(std::slice::from_ref(&new), &[], &counted);
        let mut is_furniture_new = false;
        for (hash, count) in learned {
            is_furniture_new |= count == LEARNED_AFTER;
            self.counts.insert(hash, count);
            self.changed.insert(hash);
        }
        self.recent.push(sorted);
        if self.recent.len() > RECENT_ARTICLES {
            self.recent.remove(0);
        }
        self.has_news = true;
        is_furniture_new
    }

    /// In how many of the recent articles each of some sorted lines stands. All recent lines are looked for
    /// among the few new ones: sets of all of them took 30 us a poll to build.
    fn standing_in_recent(&self, sorted: &[u64]) -> Vec<u32> {
        let mut standing = vec![0; sorted.len()];
        for line in self.recent.iter().flatten() {
            if let Ok(at) = sorted.binary_search(line) {
                standing[at] += 1;
            }
        }
        standing
    }

    /// The lines that are furniture by now.
    pub(super) fn furniture(&self) -> HashSet<u64> {
        let learned = self.counts.iter().filter(|(_, count)| **count >= LEARNED_AFTER);
        learned.map(|(hash, _)| *hash).collect()
    }

    /// Writes what this poll has added.
    pub(super) fn store(&self, db: &Database, feed: FeedId, now: Timestamp) -> Result<(), Error> {
        if !self.has_news {
            return Ok(());
        }
        let changed: Vec<(u64, u32)> =
            self.changed.iter().filter_map(|hash| Some((*hash, *self.counts.get(hash)?))).collect();
        db.store_furniture(feed, &changed, now)?;
        db.store_recent_lines(feed, &self.recent)
    }
}

/// A body without its feed's furniture; untouched where the feed has none.
pub fn strip<'a>(body: &'a str, furniture: &HashSet<u64>) -> Cow<'a, str> {
    if furniture.is_empty() || !body.lines().any(|line| has_furniture(line, furniture)) {
        return Cow::Borrowed(body);
    }
    let mut kept = String::with_capacity(body.len());
    for line in body.lines() {
        let line = line.trim();
        if unit(line).is_some_and(|hash| furniture.contains(&hash)) {
            continue;
        }
        for sentence in sentences(line) {
            if !unit(sentence).is_some_and(|hash| furniture.contains(&hash)) {
                kept.push_str(sentence);
            }
        }
        kept.push('\n');
    }
    Cow::Owned(kept)
}

fn has_furniture(line: &str, furniture: &HashSet<u64>) -> bool {
    let is_known = |text| unit(text).is_some_and(|hash| furniture.contains(&hash));
    is_known(line.trim()) || sentences(line.trim()).any(is_known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn furniture_is_taken_off_by_line_and_by_sentence() {
        let footer = "All rights reserved by our company.";
        let furniture = HashSet::from([unit(footer).unwrap()]);
        let body = format!("The ferry sank on Monday. {footer}\n\n{footer}\n\nNobody was hurt.");
        assert_eq!(strip(&body, &furniture), "The ferry sank on Monday. \n\n\nNobody was hurt.\n");
        assert!(matches!(strip("Nobody was hurt.", &furniture), Cow::Borrowed(_)));
    }
}
