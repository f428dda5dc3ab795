//! One story from another: which texts are copies of one that is already kept.
//!
//! Two pure calls. [`Index::candidates`] answers which texts may be meant, by fingerprint, passages and
//! headline; [`verify()`] reads two texts and decides, with its evidence. The caller brings the texts: the writer
//! from the database, [`Engine`] from memory. docs/duplicates.md states the rule and measures it.

pub mod engine;
mod han;
pub mod index;
pub mod join;
pub mod signature;
pub mod sketch;
pub mod thresholds;
pub mod tokens;
pub mod verify;

use serde::{Deserialize, Serialize};

pub use self::{
    engine::Engine,
    index::{Candidate, Index, Query, Via},
    signature::{Signature, Text},
    thresholds::Thresholds,
    verify::{
        Evidence, Reason, Side, Test, Verification, can_be_largely_one, may_tell, tells, verify,
    },
};

/// Against which texts an article is judged; its own feed decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Texts of every feed that takes part.
    #[default]
    All,
    /// Texts of the same feed.
    Feed,
    /// Not judged, and nothing is judged against it.
    Off,
}

/// Which copy's text an article ends up with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Prefer {
    /// The one that came first.
    First,
    /// A copy that holds the first and clearly more.
    #[default]
    Fullest,
}

/// The settings of the step.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// How long a text stays comparable, in seconds.
    pub window_seconds: i64,
    /// Against which texts articles are judged.
    pub scope: Scope,
    /// Which copy's text stays.
    pub prefer: Prefer,
    /// The constants of the rule.
    pub thresholds: Thresholds,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            window_seconds: 7 * 86_400,
            scope: Scope::All,
            prefer: Prefer::Fullest,
            thresholds: Thresholds::default(),
        }
    }
}
