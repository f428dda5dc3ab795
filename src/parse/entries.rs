//! Telling known entries from new ones before they are read.

use std::collections::HashSet;

use url::Url;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::model::Entry;

/// Takes entries in document order and keeps the new ones.
pub(super) struct Sorter<'a> {
    known: &'a HashSet<u64>,
    salt: u64,
    /// The base of relative links.
    pub(super) base: Option<&'a Url>,
    /// The new ones, as they are mapped.
    pub(super) entries: Vec<Entry>,
    /// Hashes of the known ones.
    pub(super) unchanged: Vec<u64>,
}

impl<'a> Sorter<'a> {
    /// `meaning` is what an entry's meaning depends on besides its text: charset, base, format.
    pub(super) fn new(known: &'a HashSet<u64>, meaning: &[&str], base: Option<&'a Url>) -> Self {
        let salt = meaning.iter().fold(0, |salt, part| xxh3_64_with_seed(part.as_bytes(), salt));
        Self { known, salt, base, entries: Vec::new(), unchanged: Vec::new() }
    }

    /// The hash of an entry's raw text if it is to be read; a known one is noted as unchanged.
    pub(super) fn unknown(&mut self, raw: &str) -> Option<u64> {
        let raw_hash = xxh3_64_with_seed(raw.trim().as_bytes(), self.salt);
        if self.known.contains(&raw_hash) {
            self.unchanged.push(raw_hash);
            return None;
        }
        Some(raw_hash)
    }
}
