//! Furniture: lines and sentences that a feed repeats in different articles, learned from kept ones only.
//!
//! What stands in two articles or more is in table `furniture`; by the hashes of a feed's last articles, in
//! `furniture_recent`, a first repeat is noticed without reading their texts again.

use std::collections::{HashMap, HashSet};

use rusqlite::{OptionalExtension, params};

use super::{
    Database, Error,
    columns::{from_hash, to_hash},
};
use crate::{
    model::{FeedId, Timestamp},
    normalize::furniture::LEARNED_AFTER,
};

/// Of so many kept articles the lines are remembered.
pub const RECENT_ARTICLES: usize = 20;

/// More lines of one article are not remembered: bounds the row of a feed that carries books.
const MAX_LINES: usize = 200;

impl Database {
    /// Hashes of the lines that are furniture in this feed.
    pub(crate) fn furniture(&self, feed: FeedId) -> Result<HashSet<u64>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT line_hash FROM furniture WHERE feed_id = ?1 AND articles >= ?2",
        )?;
        let rows =
            statement.query_map(params![feed, LEARNED_AFTER], |row| row.get(0).map(to_hash))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// In how many kept articles of the feed each of its repeated lines stands: two or more.
    pub(crate) fn furniture_counts(&self, feed: FeedId) -> Result<HashMap<u64, u32>, Error> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT line_hash, articles FROM furniture WHERE feed_id = ?1")?;
        let rows = statement.query_map([feed], |row| Ok((to_hash(row.get(0)?), row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Stores what was learned: how often each line stands in the feed's kept articles now.
    pub(crate) fn store_furniture(
        &self,
        feed: FeedId,
        learned: &[(u64, u32)],
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut statement = self.connection.prepare_cached(
            "INSERT INTO furniture (feed_id, line_hash, articles, last_at) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (feed_id, line_hash) DO UPDATE SET articles = excluded.articles, last_at = excluded.last_at",
        )?;
        for (line_hash, articles) in learned {
            statement.execute(params![feed, from_hash(*line_hash), articles, now])?;
        }
        Ok(())
    }

    /// Line hashes of the feed's last kept articles, newest last.
    pub(crate) fn recent_lines(&self, feed: FeedId) -> Result<Vec<Vec<u64>>, Error> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT lines FROM furniture_recent WHERE feed_id = ?1")?;
        let blob: Option<Vec<u8>> = statement.query_row([feed], |row| row.get(0)).optional()?;
        Ok(blob.map_or_else(Vec::new, |blob| decode(&blob)))
    }

    /// Replaces them; older ones than the last [`RECENT_ARTICLES`] are left out.
    pub(crate) fn store_recent_lines(&self, feed: FeedId, sets: &[Vec<u64>]) -> Result<(), Error> {
        let mut statement = self.connection.prepare_cached(
            "INSERT INTO furniture_recent (feed_id, lines) VALUES (?1, ?2)
             ON CONFLICT (feed_id) DO UPDATE SET lines = excluded.lines",
        )?;
        let newest = &sets[sets.len().saturating_sub(RECENT_ARTICLES)..];
        statement.execute(params![feed, encode(newest)])?;
        Ok(())
    }
}

fn encode(sets: &[Vec<u64>]) -> Vec<u8> {
    let mut blob = Vec::with_capacity(sets.iter().map(|set| 4 + 8 * set.len()).sum());
    for set in sets {
        let count = set.len().min(MAX_LINES);
        blob.extend_from_slice(&(count as u32).to_le_bytes());
        blob.extend(set.iter().take(count).flat_map(|hash| hash.to_le_bytes()));
    }
    blob
}

/// A blob that somebody cut gives what is whole in it.
fn decode(mut blob: &[u8]) -> Vec<Vec<u64>> {
    let mut sets = Vec::new();
    while let Some((count, rest)) = blob.split_first_chunk::<4>() {
        let bytes = rest.len().min(8 * u32::from_le_bytes(*count) as usize);
        let (hashes, rest) = rest.split_at(bytes);
        sets.push(hashes.as_chunks::<8>().0.iter().map(|hash| u64::from_le_bytes(*hash)).collect());
        blob = rest;
    }
    sets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_hashes_survive_the_database() {
        let sets = vec![vec![1, u64::MAX], Vec::new(), vec![7]];
        let blob = encode(&sets);
        assert_eq!(decode(&blob), sets);
        assert_eq!(decode(&blob[..blob.len() - 3]).len(), 3);
        assert!(decode(&[]).is_empty());
    }
}
