//! Which arriving entries are already in the feed's ledger.
//!
//! By guid, else by URL, else by title and body. A key proves nothing where it is not trusted: guids that a
//! feed repeats or renews, URLs that several entries share, the root page. What is taken for new here is
//! judged by its text; what is taken for known is never lost, since its text goes on as a revision.

use std::collections::{HashMap, HashSet};

use crate::digest::{Arrival, Listing};
use crate::{
    model::{Article, FeedId, PublishedSource, Timestamp},
    store::{
        Database, Error,
        entries::{EntryId, LedgerEntry},
        feeds::FeedState,
    },
};

/// What an arriving entry is to its feed.
#[derive(Clone, Debug)]
pub(super) enum Identity {
    /// Not in the ledger.
    New,
    /// This ledger row.
    Known(LedgerEntry),
    /// Another listing of an entry that stands in the document too.
    Repeat,
}

/// The arrivals of one document, identified.
pub(super) struct Identified {
    /// In order of the arrivals.
    pub(super) identities: Vec<Identity>,
    /// Ledger rows that the document lists.
    pub(super) listed: HashSet<EntryId>,
    /// Whether one guid stands on different entries of the document.
    has_repeated_guids: bool,
    /// Known entries whose guid is another one now.
    changed_guids: usize,
    /// Known entries whose guid stayed.
    stable_guids: usize,
}

/// After so many polls in a row in which every known entry had a new guid, the feed's guids are worthless.
const MAX_GUID_CHANGES: u32 = 2;

/// Shorter texts recur ("Weather", "Morning briefing") and do not tell an entry that has other keys.
const MIN_TELLING_WORDS: u32 = 8;

impl Identified {
    /// Draws the conclusion about the feed's guids.
    pub(super) fn judge_guids(&self, feed: &mut FeedState) {
        if self.changed_guids > 0 && self.stable_guids == 0 {
            feed.guid_changes += 1;
        } else if self.stable_guids > 0 {
            feed.guid_changes = 0;
        }
        if self.has_repeated_guids || feed.guid_changes >= MAX_GUID_CHANGES {
            feed.guids_trusted = false;
        }
    }
}

struct Search<'a> {
    db: &'a Database,
    feed: FeedId,
    arrivals: &'a [Arrival],
    identities: Vec<Option<Identity>>,
    listed: HashSet<EntryId>,
    has_repeated_guids: bool,
    changed_guids: usize,
    stable_guids: usize,
}

/// Identifies the arrivals. `before` is what the feed's last document listed.
pub(super) fn identify(
    db: &Database,
    feed: &FeedState,
    listing: &Listing,
    before: &[(u64, EntryId)],
) -> Result<Identified, Error> {
    let unchanged: HashSet<u64> = listing.unchanged.iter().copied().collect();
    let listed: HashSet<EntryId> =
        before.iter().filter(|(raw, _)| unchanged.contains(raw)).map(|(_, id)| *id).collect();
    let mut search = Search {
        db,
        feed: feed.id,
        arrivals: &listing.arrivals,
        identities: vec![None; listing.arrivals.len()],
        stable_guids: listed.len(),
        listed,
        has_repeated_guids: false,
        changed_guids: 0,
    };
    search.skip_what_became_known(before);
    search.find_repeats();
    let is_trusted = feed.guids_trusted && !search.has_repeated_guids;
    if is_trusted {
        search.by_guid()?;
    }
    search.by_url()?;
    search.by_content(is_trusted)?;
    if !is_trusted {
        search.by_lone_guid()?;
    }
    Ok(Identified {
        identities: search
            .identities
            .into_iter()
            .map(|identity| identity.unwrap_or(Identity::New))
            .collect(),
        listed: search.listed,
        has_repeated_guids: search.has_repeated_guids,
        changed_guids: search.changed_guids,
        stable_guids: search.stable_guids,
    })
}

impl<'a> Search<'a> {
    fn undecided(&self) -> Vec<(usize, &'a Arrival)> {
        let open = |at: &usize| self.identities[*at].is_none();
        (0..self.arrivals.len()).filter(open).map(|at| (at, &self.arrivals[at])).collect()
    }

    /// Another process may have recorded the same document since this poll was claimed.
    fn skip_what_became_known(&mut self, before: &[(u64, EntryId)]) {
        let rows: HashMap<u64, EntryId> = before.iter().copied().collect();
        for (at, arrival) in self.undecided() {
            if let Some(id) = rows.get(&arrival.article.raw_hash) {
                self.listed.insert(*id);
                self.identities[at] = Some(Identity::Repeat);
            }
        }
    }

    /// One entry listed twice, and one guid on different entries. Only the same text makes it one entry: feeds
    /// exist that put the guid and the URL of one page on every entry.
    fn find_repeats(&mut self) {
        let mut by_guid: HashMap<&str, usize> = HashMap::new();
        let mut keyless: HashSet<(u64, Option<&str>, Option<Timestamp>)> = HashSet::new();
        for (at, arrival) in self.undecided() {
            let article = &arrival.article;
            match article.guid.as_deref() {
                Some(guid) => {
                    let first = *by_guid.entry(guid).or_insert(at);
                    if first == at {
                    } else if article.content_hash == self.arrivals[first].article.content_hash {
                        self.identities[at] = Some(Identity::Repeat);
                    } else {
                        self.has_repeated_guids = true;
                    }
                }
                None => {
                    let what = (article.content_hash, article.url.as_deref(), date_of(article));
                    if !keyless.insert(what) {
                        self.identities[at] = Some(Identity::Repeat);
                    }
                }
            }
        }
    }

    fn by_guid(&mut self) -> Result<(), Error> {
        for (at, arrival) in self.undecided() {
            let Some(guid) = arrival.article.guid.as_deref() else { continue };
            let rows = self.db.entries_by_guid(self.feed, guid)?;
            if let Some(row) = rows.iter().find(|row| self.listed.contains(&row.id)) {
                if row.content_hash == arrival.article.content_hash {
                    self.identities[at] = Some(Identity::Repeat);
                } else {
                    self.has_repeated_guids = true;
                }
            } else if let Some(row) = rows.into_iter().next() {
                self.stable_guids += 1;
                self.decide(at, row);
            }
        }
        Ok(())
    }

    /// New guid, same URL, old guid no longer listed: the same entry. Both listed: two entries.
    fn by_url(&mut self) -> Result<(), Error> {
        let urls = count(self.arrivals.iter().map(|arrival| arrival.article.url.as_deref()));
        let guids = count(self.arrivals.iter().map(|arrival| arrival.article.guid.as_deref()));
        for (at, arrival) in self.undecided() {
            let Some(url) = arrival.article.url.as_deref() else { continue };
            let rows = self.db.entries_by_url(self.feed, url)?;
            let is_telling = urls.get(url) == Some(&1) && rows.len() == 1 && !is_root(url);
            let guid = arrival.article.guid.as_deref();
            let is_lone = |guid: &str| {
                let has_guid = |row: &&LedgerEntry| row.guid.as_deref() == Some(guid);
                guids.get(guid) == Some(&1) && rows.iter().filter(has_guid).count() == 1
            };
            // A guid that other entries of this page have too tells none of them.
            let lone_guid = guid.filter(|guid| is_lone(guid));
            let found = rows.iter().find(|row| {
                !self.listed.contains(&row.id)
                    && (is_telling
                        || row.content_hash == arrival.article.content_hash
                        || (lone_guid.is_some() && row.guid.as_deref() == lone_guid))
            });
            if let Some(row) = found {
                self.count_guid(guid, row);
                self.decide(at, row.clone());
            }
        }
        Ok(())
    }

    /// The same title and body, the old entry no longer listed. A recurring text of another date is new. Where the old
    /// entry is listed beside it under the same keys, this is a repeat, as `find_repeats` took it for at the first poll.
    fn by_content(&mut self, is_trusted: bool) -> Result<(), Error> {
        for (at, arrival) in self.undecided() {
            let article = &arrival.article;
            let has_keys = article.url.is_some() || (is_trusted && article.guid.is_some());
            for row in self.db.entries_by_content(self.feed, article.content_hash)? {
                let dates = (row.published_at, date_of(article));
                if self.listed.contains(&row.id) {
                    let is_same_day = article.guid.is_some() || dates.0 == dates.1;
                    if row.guid == article.guid && row.url == article.url && is_same_day {
                        self.identities[at] = Some(Identity::Repeat);
                        break;
                    }
                    continue;
                }
                let has_dates = dates.0.is_some() && dates.1.is_some();
                let is_same_date = !has_dates || dates.0 == dates.1;
                let is_telling = !has_keys
                    || article.word_count >= MIN_TELLING_WORDS
                    || has_dates && is_same_date;
                if is_same_date && is_telling {
                    self.count_guid(article.guid.as_deref(), &row);
                    self.decide(at, row);
                    break;
                }
            }
        }
        Ok(())
    }

    /// Losing trust in a feed's guids must not make known entries new: one that stands on a single entry, here
    /// as in the ledger, still tells where there is no URL to go by.
    fn by_lone_guid(&mut self) -> Result<(), Error> {
        let shared = count(self.arrivals.iter().map(|arrival| arrival.article.guid.as_deref()));
        for (at, arrival) in self.undecided() {
            let Some(guid) = arrival.article.guid.as_deref() else { continue };
            let mut rows = self.db.entries_by_guid(self.feed, guid)?;
            if shared.get(guid) != Some(&1) || rows.len() != 1 {
                continue;
            }
            if let Some(row) = rows.pop()
                && !self.listed.contains(&row.id)
                && (row.url.is_none() || arrival.article.url.is_none())
            {
                self.decide(at, row);
            }
        }
        Ok(())
    }

    fn count_guid(&mut self, guid: Option<&str>, row: &LedgerEntry) {
        match (guid, row.guid.as_deref()) {
            (Some(new), Some(old)) if new != old => self.changed_guids += 1,
            (Some(_), Some(_)) => self.stable_guids += 1,
            _ => {}
        }
    }

    fn decide(&mut self, at: usize, row: LedgerEntry) {
        self.listed.insert(row.id);
        self.identities[at] = Some(Identity::Known(row));
    }
}

/// How often each key stands.
fn count<'a>(keys: impl Iterator<Item = Option<&'a str>>) -> HashMap<&'a str, usize> {
    let mut counts = HashMap::new();
    for key in keys.flatten() {
        *counts.entry(key).or_default() += 1;
    }
    counts
}

/// The date that tells an entry: a clamped one is that of the poll.
pub(super) fn date_of(article: &Article) -> Option<Timestamp> {
    article.published_at.filter(|_| article.published_source != Some(PublishedSource::Clamped))
}

/// A site's root page: many entries may link to it.
pub(super) fn is_root(url: &str) -> bool {
    let after_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
    after_scheme.split_once('/').is_none_or(|(_, path)| path.is_empty() || path.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_page_tells_no_entry() {
        for (url, expected) in [
            ("https://a.example", true),
            ("https://a.example/", true),
            ("https://a.example/#top", true),
            ("https://a.example/one", false),
            ("https://a.example/?p=1", false),
        ] {
            assert_eq!(is_root(url), expected, "{url}");
        }
    }
}
