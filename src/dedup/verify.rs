//! The rule: is one of two texts a copy of the other?
//!
//! In: two texts, furniture already cut, with feed and time. Out: yes or no, by which test, and the evidence.
//! The texts are laid beside each other and three questions asked. Did the facts stay the same? Do headline and
//! opening agree? Is so much copied as that demands? docs/duplicates.md states the rule in full.

use std::cell::OnceCell;

use serde::Serialize;

use super::{
    Options, Thresholds,
    signature::{Signature, Text},
    tokens::{Kind, Token, headline_tokens, tokens},
};
use crate::model::{FeedId, Timestamp};

pub mod align;
mod facts;

use self::align::Alignment;

/// A text as one side of a comparison. Tokenised once, however often it is compared, and not at all where it never is.
#[derive(Clone, Debug)]
pub struct Side<'a> {
    /// The text, furniture cut.
    pub text: Text<'a>,
    /// Whose it is.
    pub feed: FeedId,
    /// Published, or first seen where that is unknown.
    pub at: Timestamp,
    stripped: usize,
    title: OnceCell<Vec<Token>>,
    body: OnceCell<Vec<Token>>,
    /// Hashes of the body's tokens, sorted.
    vocabulary: OnceCell<Vec<u32>>,
}

/// Bodies of so many tokens are searched from end to end for each word; of longer ones a list is sorted once.
const MAX_SCANNED: usize = 4_000;

impl<'a> Side<'a> {
    /// Prepares a text for comparison.
    pub fn new(text: Text<'a>, feed: FeedId, at: Timestamp) -> Self {
        let (title, body, vocabulary) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        Self { text, feed, at, stripped: 0, title, body, vocabulary }
    }

    /// Notes how long the body was before its feed's furniture was taken off.
    #[must_use]
    pub fn out_of(self, whole: &str) -> Self {
        Self { stripped: whole.len().saturating_sub(self.text.body.len()), ..self }
    }

    /// The text's signature, without tokenising it again.
    pub fn signature(&self) -> Signature {
        Signature::of_tokens(self.title(), self.body())
    }

    /// Tokens of the body.
    pub fn tokens(&self) -> u32 {
        self.body().len() as u32
    }

    fn title(&self) -> &[Token] {
        self.title.get_or_init(|| headline_tokens(self.text.title))
    }

    fn body(&self) -> &[Token] {
        self.body.get_or_init(|| tokens(self.text.body))
    }

    fn has(&self, token: &Token) -> bool {
        self.title_has(token) || self.body_has(token)
    }

    fn body_has(&self, token: &Token) -> bool {
        if self.body().len() <= MAX_SCANNED {
            return self.body().iter().any(|other| other.hash == token.hash);
        }
        let sorted = || {
            let mut hashes: Vec<u32> = self.body().iter().map(|token| token.hash).collect();
            hashes.sort_unstable();
            hashes
        };
        self.vocabulary.get_or_init(sorted).binary_search(&token.hash).is_ok()
    }

    /// Whether half of its headline stands in its body.
    fn tells_its_headline(&self) -> bool {
        let told = self.title().iter().filter(|token| self.body_has(token)).count();
        told * 2 >= self.title().len()
    }

    /// Whether any word begins with a capital.
    fn has_capitals(&self) -> bool {
        self.body().iter().any(|token| token.kind == Kind::Name)
    }

    fn title_has(&self, token: &Token) -> bool {
        self.title().iter().any(|other| other.hash == token.hash)
    }

    fn word(&self, token: &Token) -> &'a str {
        self.text.body.get(token.start as usize..token.end as usize).unwrap_or_default()
    }
}

/// Why a copy was folded: a word of the column `reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The same guid, and the text agrees.
    SameGuid,
    /// The same URL, and the text agrees.
    SameUrl,
    /// Hardly any text: the headline decided.
    SameHeadline,
    /// Token for token the same body.
    SameText,
    /// Anything else that the rule takes for a copy.
    NearDuplicate,
}

impl Reason {
    /// The word in the column `reason`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SameGuid => "same_guid",
            Self::SameUrl => "same_url",
            Self::SameHeadline => "same_headline",
            Self::SameText => "same_text",
            Self::NearDuplicate => "near_duplicate",
        }
    }
}

/// The test that decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Test {
    /// Too many facts differ.
    ChangedFacts,
    /// A name of the headline stands in another one's place, and so does something else: the next item of a series.
    OtherSubject,
    /// One feed, hours apart, and the headlines' numbers differ: another issue.
    OtherIssue,
    /// Too few words to compare: the headline decides.
    FewWords,
    /// Headline and opening agree.
    HeadlineAndOpening,
    /// The headline agrees, the opening does not.
    Headline,
    /// The opening agrees, the headline does not.
    Opening,
    /// Neither agrees.
    Neither,
}

/// What was seen, and which test decided: enough to explain the verdict without the texts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evidence {
    /// The test that decided.
    pub test: Test,
    /// The copied share that it demanded; none where it demanded nothing that could be copied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needed: Option<f64>,
    /// Bytes of its feed's furniture that were taken off the shorter and the longer body before.
    pub stripped: [usize; 2],
    /// Tokens of the shorter and the longer body.
    pub tokens: [u32; 2],
    /// Share of the shorter body that stands in the longer one, and the other way round.
    pub copied: [f64; 2],
    /// Tokens of the longest run that both have.
    pub longest_run: u32,
    /// Share of the headlines' words that both have, of the shorter headline.
    pub headline: f64,
    /// Whether the headlines are equal, word for word.
    pub is_same_headline: bool,
    /// Share of the longer text's headline that stands anywhere in the shorter text.
    pub headline_within: f64,
    /// Share of each opening that stands in the other body: the shorter's and the longer's.
    pub opening: [f64; 2],
    /// Facts that both have, and facts that stand in each other's place.
    pub facts: [u32; 2],
    /// Share of the facts that changed.
    pub changed: f64,
    /// Whether a name of one headline stands in the place of a name of the other, and not alone.
    pub is_other_subject: bool,
    /// Whether each headline has a number that the other text has not.
    pub has_headline_number: bool,
    /// Whether the body of one of the texts tells what is in its headline.
    pub tells_headline: bool,
    /// Tokens of the shorter headline.
    pub headline_tokens: u32,
    /// Hours between the two.
    pub hours_apart: f64,
    /// Whether both are of one feed.
    pub is_same_feed: bool,
}

/// The answer to one comparison.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verification {
    /// Whether one is a copy of the other.
    pub is_duplicate: bool,
    /// Why, if it is.
    pub reason: Option<Reason>,
    /// 0 to 1: share of the shorter text that stands in the longer; of headlines where they decided.
    pub similarity: f64,
    /// Share of the other (kept) text that the article holds.
    pub holds: f64,
    /// Tokens of the article for each token of the other text.
    pub length_ratio: f64,
    /// What was seen.
    pub evidence: Evidence,
}

/// Compares an article with another text. The verdict is the same with the sides exchanged.
pub fn verify(article: &Side<'_>, other: &Side<'_>, options: &Options) -> Verification {
    let is_shorter = precedes(article, other);
    let (short, long) = if is_shorter { (article, other) } else { (other, article) };
    let alignment = Alignment::of(short.body(), long.body());
    let mut evidence = evidence(short, long, &alignment, &options.thresholds);
    let (test, needed, is_duplicate) = decide(&evidence, &options.thresholds);
    (evidence.test, evidence.needed) = (test, needed);
    let is_same_text = evidence.copied == [1.0, 1.0] && evidence.tokens[0] == evidence.tokens[1];
    let reason = match (is_duplicate, test) {
        (false, _) => None,
        (true, Test::FewWords) => Some(Reason::SameHeadline),
        (true, _) if is_same_text => Some(Reason::SameText),
        (true, _) => Some(Reason::NearDuplicate),
    };
    Verification {
        is_duplicate,
        reason,
        similarity: if test == Test::FewWords { evidence.headline } else { evidence.copied[0] },
        holds: evidence.copied[usize::from(is_shorter)],
        length_ratio: f64::from(article.tokens()) / f64::from(other.tokens().max(1)),
        evidence,
    }
}

/// Whether texts of so many tokens can be largely one: the longer has at most all of the shorter. Where they cannot,
/// neither is a copy unless the shorter [`tells`] the longer one's headline.
pub fn can_be_largely_one(tokens: [u32; 2], limits: &Thresholds) -> bool {
    let [one, other] = tokens.map(f64::from);
    both_ways([1.0, rounded(one.min(other) / one.max(other).max(1.0))]) >= limits.largely
}

/// Whether a text tells so much of the headline of a much longer one as each of its copies does.
pub fn tells(shorter: &Side<'_>, headline_of_longer: &str, limits: &Thresholds) -> bool {
    headline_within(&headline_tokens(headline_of_longer), shorter) >= limits.most
}

/// As [`tells`], of a text of which only the most that it can tell is known, a share of 1.
pub fn may_tell(headline_within: f64, limits: &Thresholds) -> bool {
    rounded(headline_within) >= limits.most
}

/// Share of a headline that stands anywhere in a text.
fn headline_within(headline: &[Token], text: &Side<'_>) -> f64 {
    let within = headline.iter().filter(|token| text.has(token)).count();
    rounded(within as f64 / headline.len().max(1) as f64)
}

/// Which side is laid beside the other: the shorter one; of equals, one and the same whoever came first.
fn precedes(one: &Side<'_>, other: &Side<'_>) -> bool {
    let key = |side: &Side<'_>| (side.body().len(), side.title().len());
    key(one).cmp(&key(other)).then_with(|| one.text.body.cmp(other.text.body)).is_le()
}

fn evidence(
    short: &Side<'_>,
    long: &Side<'_>,
    alignment: &Alignment,
    limits: &Thresholds,
) -> Evidence {
    let is_short_item = short.tokens() < limits.short;
    let share = |part: u32, of: usize| rounded(f64::from(part) / of.max(1) as f64);
    let [short_opening, long_opening] = alignment.openings(short.body(), long.body());
    let has_number = |side: &Side<'_>, other: &Side<'_>| {
        side.title().iter().any(|token| token.kind == Kind::Number && !other.has(token))
    };
    let facts = facts::facts(short, long, alignment, is_short_item, limits.most);
    Evidence {
        test: Test::Neither,
        needed: None,
        stripped: [short.stripped, long.stripped],
        tokens: [short.tokens(), long.tokens()],
        copied: [
            share(alignment.short_covered, short.body().len()),
            share(alignment.long_covered, long.body().len()),
        ],
        longest_run: alignment.blocks.iter().map(|block| block.length).max().unwrap_or(0),
        headline: rounded(headline_agreement(short.title(), long.title())),
        is_same_headline: same_words(short.title(), long.title()),
        headline_within: headline_within(long.title(), short),
        opening: [rounded(short_opening), rounded(long_opening)],
        facts: [facts.agreed, facts.changed],
        changed: changed_share(facts),
        is_other_subject: facts.is_other_subject,
        has_headline_number: has_number(short, long) && has_number(long, short),
        tells_headline: short.tells_its_headline() || long.tells_its_headline(),
        headline_tokens: short.title().len().min(long.title().len()) as u32,
        hours_apart: rounded(short.at.seconds_since(long.at).abs() as f64 / 3600.0),
        is_same_feed: short.feed == long.feed,
    }
}

/// Share of the facts that changed.
fn changed_share(facts: facts::Facts) -> f64 {
    let [agreed, changed] = [facts.agreed, facts.changed].map(f64::from);
    if changed > 0.0 { rounded(changed / (agreed + changed)) } else { 0.0 }
}

/// Three decimals: what is decided is what is stored.
fn rounded(share: f64) -> f64 {
    (share * 1000.0).round() / 1000.0
}

fn same_words(one: &[Token], other: &[Token]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| one.hash == other.hash)
}

/// Share of the shorter headline's words that stand in the other.
fn headline_agreement(one: &[Token], other: &[Token]) -> f64 {
    let (fewer, more) = if one.len() <= other.len() { (one, other) } else { (other, one) };
    let same =
        fewer.iter().filter(|token| more.iter().any(|other| other.hash == token.hash)).count();
    same as f64 / fewer.len().max(1) as f64
}

/// The rule. Which test decides, what it demands, and whether that is met.
fn decide(seen: &Evidence, limits: &Thresholds) -> (Test, Option<f64>, bool) {
    let copied = seen.copied[0];
    let is_nearly_all = copied >= limits.nearly_all;
    // At one and the same instant: a feed without dates that was read in one go.
    let is_series =
        seen.is_same_feed && (seen.hours_apart >= limits.series_hours || seen.hours_apart == 0.0);
    if seen.changed > may_change(seen, limits, is_nearly_all, is_series) {
        return (Test::ChangedFacts, None, false);
    }
    if seen.is_other_subject {
        return (Test::OtherSubject, None, false);
    }
    // A new figure in the headline is a correction only where the text follows it.
    let is_numbered = seen.is_same_feed && seen.has_headline_number;
    if is_numbered && (is_series || seen.facts[1] == 0) {
        return (Test::OtherIssue, None, false);
    }
    if seen.tokens[0] < limits.min_tokens {
        // Two texts that both say something, however little, and nothing of it alike, are two items under one rubric.
        let says_else = seen.tokens[1] < limits.min_tokens
            && seen.tokens[0] as usize >= align::RUN
            && copied < limits.most;
        let decides = seen.is_same_headline
            && !says_else
            && seen.headline_tokens >= limits.min_headline
            && seen.hours_apart <= limits.series_hours
            && !seen.is_same_feed;
        return (Test::FewWords, None, decides);
    }
    // Reports of one event share names and half a sentence; only a copy opens word for word like its model.
    let is_opening_whole =
        !seen.is_same_feed && seen.opening[0].max(seen.opening[1]) >= limits.nearly_all;
    let (test, needed) = match (has_headline(seen, limits), has_opening(seen, limits)) {
        (true, true) if is_series => (Test::HeadlineAndOpening, limits.nearly_all),
        (true, true) if is_opening_whole => (Test::HeadlineAndOpening, limits.marked),
        (true, true) if seen.is_same_feed => (Test::HeadlineAndOpening, limits.largely),
        (true, true) => (Test::HeadlineAndOpening, limits.most),
        (false, false) if seen.is_same_feed => return (Test::Neither, None, false),
        // What little texts share under other headlines and openings is the notes below them.
        (false, false) if is_little(seen, limits) && seen.opening[0].max(seen.opening[1]) < 0.5 => {
            return (Test::Neither, None, false);
        }
        (false, false) => {
            let is_met = both_ways(seen.copied) >= limits.largely;
            return (Test::Neither, Some(limits.largely), is_met);
        }
        (has_headline, _) => {
            let needed = if seen.is_same_feed { limits.nearly_all } else { limits.most };
            (if has_headline { Test::Headline } else { Test::Opening }, needed)
        }
    };
    (test, Some(needed), copied >= needed)
}

/// Dice's coefficient of the two texts: twice what is common for all that there is.
fn both_ways([of_shorter, of_longer]: [f64; 2]) -> f64 {
    if of_shorter > 0.0 { 2.0 * of_shorter * of_longer / (of_shorter + of_longer) } else { 0.0 }
}

/// The share of facts that a copy may change: the less of it is copied, and the more a series could read like
/// this, the smaller.
fn may_change(seen: &Evidence, limits: &Thresholds, is_nearly_all: bool, is_series: bool) -> f64 {
    let is_short = seen.tokens[0] < limits.short;
    match (is_nearly_all, seen.is_same_feed) {
        (true, _) if is_short || is_series => limits.changed_few,
        (true, false) => limits.changed,
        (true, true) => limits.changed_some,
        (false, false) if !is_short => limits.changed_some,
        (false, _) => 0.0,
    }
}

/// Most of the shorter headline stands in the other, and the longer text is about that and not about more: the headline
/// of a round-up names its items too.
fn has_headline(seen: &Evidence, limits: &Thresholds) -> bool {
    seen.headline >= limits.most && is_about(seen, limits)
}

/// Whether notes, credits and addresses may be most of the shorter text.
fn is_little(seen: &Evidence, limits: &Thresholds) -> bool {
    seen.tokens[0] < 2 * limits.short
}

/// Whether the longer text is about what the shorter is about.
fn is_about(seen: &Evidence, limits: &Thresholds) -> bool {
    seen.headline_within >= limits.most || both_ways(seen.copied) >= limits.largely
}

/// Under one headline it is enough between feeds that one text begins with what the other has, wherever: the rest is a
/// standfirst or furniture. Otherwise both openings must stand in the other text. The longer text must be about what the
/// shorter is about, or a round-up that begins with the shorter text would pass; and within one feed a text under another
/// headline must tell one of the two, or the notes below every podcast would.
fn has_opening(seen: &Evidence, limits: &Thresholds) -> bool {
    let [short, long] = seen.opening;
    let opens = match (has_headline(seen, limits), seen.is_same_feed) {
        (true, false) => short.max(long),
        (false, true) if !seen.tells_headline && is_little(seen, limits) => 0.0,
        _ => short.min(long),
    };
    opens >= limits.most && is_about(seen, limits)
}

#[cfg(test)]
mod tests;
