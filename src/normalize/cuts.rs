//! The record of what was cut.

use crate::model::Cut;

/// Characters of a cut text that are kept in the record.
const MAX_TEXT: usize = 300;
/// Cuts of one article that are recorded; a hostile text could hold a million.
const MAX_CUTS: usize = 200;

/// Gathers cuts in the order they were made.
#[derive(Debug, Default)]
pub(super) struct Cuts(Vec<Cut>);

impl Cuts {
    /// Records that `text` was taken out at `place` because it was a `kind`.
    pub(super) fn add(&mut self, kind: &'static str, text: &str, place: &'static str) {
        let text = text.trim();
        if self.0.len() < MAX_CUTS && !text.is_empty() {
            self.0.push(Cut { kind, text: text.chars().take(MAX_TEXT).collect(), place });
        }
    }

    pub(super) fn extend(&mut self, other: Self) {
        self.0.extend(other.0.into_iter().take(MAX_CUTS.saturating_sub(self.0.len())));
    }

    pub(super) fn into_vec(self) -> Vec<Cut> {
        self.0
    }
}
