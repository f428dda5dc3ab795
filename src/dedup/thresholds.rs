//! The constants of the rule that were set by looking at data. docs/duplicates.md gives the reason for each and
//! shows how the results move when it is moved.

use serde::{Deserialize, Serialize};

/// The constants of the rule. Shares are of 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Thresholds {
    /// Most of it: the share of a headline or of an opening that makes it agree, and of a text that must be
    /// copied where one of the two agrees.
    pub most: f64,
    /// Share of the shorter text that must be copied where headline and opening both agree.
    pub marked: f64,
    /// The larger part: of the shorter text where both agree within one feed, since what a column always begins with
    /// agrees as well; and of the two texts together (Dice's coefficient) where nothing else speaks for a copy.
    pub largely: f64,
    /// Nearly all of it: within one feed, what must be copied where only one of them agrees.
    pub nearly_all: f64,
    /// Share of the facts that may change between two feeds where nearly all is copied.
    pub changed: f64,
    /// The same where less is copied, or within one feed.
    pub changed_some: f64,
    /// The same in a short text, or in one that may be the next issue of a series.
    pub changed_few: f64,
    /// Texts with fewer tokens are short.
    pub short: u32,
    /// Hours from which on a text of the same feed may be the next issue of a series, and up to which a headline
    /// alone decides.
    pub series_hours: f64,
    /// Texts with fewer tokens are judged by their headline alone.
    pub min_tokens: u32,
    /// A headline with fewer tokens decides nothing alone.
    pub min_headline: u32,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            most: 0.6,
            marked: 0.35,
            largely: 0.75,
            nearly_all: 0.9,
            changed: 0.2,
            changed_some: 0.15,
            changed_few: 0.05,
            short: 60,
            series_hours: 18.0,
            min_tokens: 12,
            min_headline: 4,
        }
    }
}
