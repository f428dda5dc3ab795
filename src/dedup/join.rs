//! From a copy to its article: may a text that was found to be a copy of one of an article's texts join it?
//!
//! In: comparisons that [`super::verify()`] made. An article shows one text; a copy may have been found through another
//! one, an earlier text or a copy. What is shown must have something to do with what joins, or a chain of copies ends
//! under a text that none of them resembles.

use super::{
    Test, Thresholds, Verification,
    tokens::{Token, headline_tokens},
};

/// What a text that joins an article rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// The texts agree.
    Text,
    /// Hardly any text: the headline decided.
    Headline,
    /// The same URL or guid in another feed, and the headlines agree.
    Key,
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

    /// Of a comparison of two entries with one URL or guid. Pages are used again ("Weather forecast", "Live"): a headline
    /// that says too little, or another day, leaves it to the text.
    pub fn with_key(found: &Verification, titles: [&str; 2], limits: &Thresholds) -> Option<Self> {
        let is_other = matches!(
            found.evidence.test,
            Test::ChangedFacts | Test::OtherSubject | Test::OtherIssue
        );
        let is_soon = found.evidence.hours_apart <= limits.series_hours;
        match Self::of(found) {
            Some(Self::Text) => Some(Self::Text),
            _ if is_soon && !is_other && headlines_agree(titles, limits) => Some(Self::Key),
            other => other,
        }
    }
}

fn headlines_agree(titles: [&str; 2], limits: &Thresholds) -> bool {
    let [one, other] = titles.map(headline_tokens);
    let share = |of: &[Token], among: &[Token]| {
        let same = of.iter().filter(|token| among.iter().any(|other| other.hash == token.hash));
        same.count() as f64 / of.len().max(1) as f64
    };
    one.len().min(other.len()) >= limits.min_headline as usize
        && share(&one, &other).min(share(&other, &one)) >= limits.largely
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
    if basis != Basis::Headline {
        return Ok(shown.is_duplicate || is_related(shown, limits));
    }
    let [own, other] = lengths(found);
    // Two reports under one headline are not joined by an item that is hardly more than that headline.
    Ok(if is_report(own) {
        shown.is_duplicate && is_report(lengths(shown)[1]) || !has_report()?
    } else {
        shown.is_duplicate || is_report(other) || !has_report()?
    })
}

/// Share of the shorter of two texts that the other must have, where both are copies of a third: two truncated items in
/// different furniture have .29 of one another, two reports under one headline a sentence at most.
pub const RELATED: f64 = 0.25;

/// Whether two texts have something in common, or cannot be compared.
pub fn is_related(seen: &Verification, limits: &Thresholds) -> bool {
    seen.evidence.tokens[0] < limits.min_tokens || seen.evidence.copied[0] >= RELATED
}

/// Tokens of the article and of the other text.
pub fn lengths(seen: &Verification) -> [u32; 2] {
    let [shorter, longer] = seen.evidence.tokens;
    if seen.length_ratio < 1.0 { [shorter, longer] } else { [longer, shorter] }
}

/// A text lends itself to an article from this share of the shown text on that it holds ...
const HOLDS: f64 = 0.9;
/// ... and with so many words for each of the shown text's ...
const LONGER: f64 = 1.2;
/// ... or, over a teaser of the same page, which says it in other words, with so many.
const LONGER_THAN_TEASER: f64 = 3.0;

/// Whether nothing is lost where a text takes the place of what an article shows: it holds that; or that is hardly any
/// text; or both are of one URL or guid (`has_key`), and that is a teaser.
pub fn may_stand_for(shown: &Verification, has_key: bool, limits: &Thresholds) -> bool {
    let of_shown = lengths(shown)[1];
    let is_teaser = of_shown < limits.short && shown.length_ratio >= LONGER_THAN_TEASER;
    shown.holds >= HOLDS || of_shown < limits.min_tokens || has_key && is_teaser
}

/// Whether it says clearly more as well.
pub fn is_fuller(shown: &Verification, has_key: bool, limits: &Thresholds) -> bool {
    may_stand_for(shown, has_key, limits) && shown.length_ratio >= LONGER
}
