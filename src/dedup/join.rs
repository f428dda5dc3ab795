//! From a copy to its article: may a text that was found to be a copy of one of an article's texts join it?
//!
//! In: comparisons that [`super::verify()`] made. An article shows one text; a copy may have been found through another
//! one, an earlier text or a copy. What is shown must have something to do with what joins, or a chain of copies ends
//! under a text that none of them resembles.

use super::{Test, Thresholds, Verification};

/// What a text that joins an article rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// The texts agree.
    Text,
    /// Hardly any text: the headline decided.
    Headline,
}

impl Basis {
    /// Of a comparison; `None` if it found no copy.
    pub fn of(found: &Verification) -> Option<Self> {
        match (found.is_duplicate, found.evidence.test) {
            (false, _) => None,
            (true, Test::FewWords) => Some(Self::Headline),
            (true, _) => Some(Self::Text),
        }
    }
}

/// Whether a text may join an article. `found` compares it with the text of the article through which it was found,
/// `shown` with the one that the article shows; `has_report` says whether any text of the article is long enough to be
/// compared, and is asked only where the headline decided.
pub fn joins<E>(
    basis: Basis,
    found: &Verification,
    shown: &Verification,
    limits: &Thresholds,
    has_report: impl FnOnce() -> Result<bool, E>,
) -> Result<bool, E> {
    let is_report = |tokens: u32| tokens >= limits.min_tokens;
    if basis == Basis::Text {
        return Ok(shown.is_duplicate || is_related(shown, limits));
    }
    let [own, other] = tokens(found);
    // Two reports under one headline are not joined by an item that is hardly more than that headline.
    Ok(if is_report(own) {
        shown.is_duplicate && is_report(tokens(shown)[1]) || !has_report()?
    } else {
        shown.is_duplicate || is_report(other) || !has_report()?
    })
}

/// Share of the shorter of two texts that the other must have, where both are copies of a third: two truncated items in
/// different furniture have .29 of one another, two reports under one headline a sentence at most.
const RELATED: f64 = 0.25;

/// Whether two texts have something in common, or cannot be compared.
pub fn is_related(seen: &Verification, limits: &Thresholds) -> bool {
    seen.evidence.tokens[0] < limits.min_tokens || seen.evidence.copied[0] >= RELATED
}

/// Tokens of the article and of the other text.
pub fn tokens(seen: &Verification) -> [u32; 2] {
    let [shorter, longer] = seen.evidence.tokens;
    if seen.length_ratio < 1.0 { [shorter, longer] } else { [longer, shorter] }
}

/// A text lends itself to an article from this share of the shown text on that it holds ...
const HOLDS: f64 = 0.9;
/// ... and with so many words for each of the shown text's.
const LONGER: f64 = 1.2;

/// Whether a text holds what an article shows.
pub fn holds_shown(shown: &Verification) -> bool {
    shown.holds >= HOLDS || tokens(shown)[1] == 0
}

/// Whether a text holds what an article shows and clearly more.
pub fn is_fuller(shown: &Verification, limits: &Thresholds) -> bool {
    let _ = limits;
    holds_shown(shown) && shown.length_ratio >= LONGER
}
