//! Links as they are stored.
use crate::model::Entry;
pub(super) fn of_entry(entry: &Entry) -> Option<String> {
    entry.original_url.clone().or_else(|| entry.url.clone())
}
