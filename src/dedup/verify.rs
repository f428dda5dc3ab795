//! The rule: is one of two texts a copy of the other?
//!
//! In: two texts, furniture already cut, with feed and time. Out: yes or no, by which test, and the evidence.
//! Both texts are laid beside each other: runs of three tokens and more that both have are found in order, and
//! what stands between two such runs on both sides was *substituted*. docs/duplicates.md states the rule, gives
//! the reason for each constant and shows how the results move when it is moved.

use serde::Serialize;

use super::{
    Options,
    signature::{MIN_TOKENS, Text},
    tokens::{Kind, Token, tokenize},
};
use crate::model::{FeedId, Timestamp};

pub mod align;

use self::align::Alignment;

/// The constants of the rule that were set by looking at data.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Thresholds {
    /// Share of the shorter text that must stand in the longer one.
    pub copied: f64,
    /// Share of the longer text that must stand in the shorter one, where neither headline nor opening agrees.
    pub whole: f64,
    /// Share of a headline's words that must stand in the other headline for them to agree.
    pub headline: f64,
    /// Share of an opening that must stand in the other text for it to agree.
    pub opening: f64,
    /// Substituted numbers and names in a hundred tokens from which texts are two fillings of one template.
    pub substituted: f64,
    /// Texts with fewer tokens are judged by their headline.
    pub min_tokens: u32,
    /// Hours apart within which a headline alone can decide.
    pub headline_hours: f64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            copied: 0.6,
            whole: 0.6,
            headline: 0.6,
            opening: 0.6,
            substituted: 3.0,
            min_tokens: 12,
            headline_hours: 72.0,
        }
    }
}

/// A text as one side of a comparison. Tokenised once, however often it is compared.
#[derive(Clone, Debug)]
pub struct Side<'a> {
    /// The text, furniture cut.
    pub text: Text<'a>,
    /// Whose it is.
    pub feed: FeedId,
    /// Published, or first seen where that is unknown.
    pub at: Timestamp,
    title: Vec<Token>,
    body: Vec<Token>,
}

impl<'a> Side<'a> {
    /// Prepares a text for comparison.
    pub fn new(text: Text<'a>, feed: FeedId, at: Timestamp) -> Self {
        let (mut title, mut body) = (Vec::new(), Vec::with_capacity(text.body.len() / 5));
        tokenize(text.title, &mut title);
        tokenize(text.body, &mut body);
        Self { text, feed, at, title, body }
    }

    /// Tokens of the body.
    pub fn tokens(&self) -> u32 {
        self.body.len() as u32
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

/// What was seen, and which test decided: enough to explain the verdict without the texts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evidence {
    /// Name of the test that decided, as in docs/duplicates.md.
    pub test: &'static str,
    /// Tokens of the shorter and the longer body.
    pub tokens: [u32; 2],
    /// Share of the shorter body that stands in the longer one, and the other way round.
    pub copied: [f64; 2],
    /// Share of the shorter headline's words that stand in the other headline.
    pub headline: f64,
    /// Share of each opening that stands in the other body: the shorter's and the longer's.
    pub opening: [f64; 2],
    /// Places where one text has another number than the other.
    pub substituted_numbers: u32,
    /// Places where one text has another name than the other.
    pub substituted_names: u32,
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
    /// Words of the article for each word of the other text.
    pub length_ratio: f64,
    /// What was seen.
    pub evidence: Evidence,
}

/// Compares an article with another text.
pub fn verify(article: &Side<'_>, other: &Side<'_>, options: &Options) -> Verification {
    let is_shorter = article.body.len() <= other.body.len();
    let (short, long) = if is_shorter { (article, other) } else { (other, article) };
    let alignment = Alignment::of(&short.body, &long.body);
    let mut evidence = evidence(short, long, &alignment);
    let (test, is_duplicate) = decide(&evidence, &options.thresholds);
    evidence.test = test;
    let by_headline = matches!(test, "headline" | "few_words");
    let is_same_text =
        alignment.short_covered == short.body.len() as u32 && short.body.len() == long.body.len();
    let reason = match is_duplicate {
        false => None,
        true if by_headline => Some(Reason::SameHeadline),
        true if is_same_text => Some(Reason::SameText),
        true => Some(Reason::NearDuplicate),
    };
    Verification {
        is_duplicate,
        reason,
        similarity: if by_headline { evidence.headline } else { evidence.copied[0] },
        holds: evidence.copied[usize::from(is_shorter)],
        length_ratio: f64::from(article.tokens()) / f64::from(other.tokens().max(1)),
        evidence,
    }
}

fn evidence(short: &Side<'_>, long: &Side<'_>, alignment: &Alignment) -> Evidence {
    let share = |part: u32, of: usize| f64::from(part) / (of.max(1)) as f64;
    let (numbers, names) = alignment.substitutions(&short.body, &long.body);
    Evidence {
        test: "",
        tokens: [short.tokens(), long.tokens()],
        copied: [
            share(alignment.short_covered, short.body.len()),
            share(alignment.long_covered, long.body.len()),
        ],
        headline: headline_agreement(&short.title, &long.title),
        opening: [alignment.short_opening(), alignment.long_opening()],
        substituted_numbers: numbers,
        substituted_names: names,
        hours_apart: (short.at.seconds_since(long.at).abs()) as f64 / 3600.0,
        is_same_feed: short.feed == long.feed,
    }
}

fn decide(seen: &Evidence, limits: &Thresholds) -> (&'static str, bool) {
    let has_headline = seen.headline >= limits.headline;
    if seen.tokens[0] < limits.min_tokens.max(MIN_TOKENS) {
        let decides =
            seen.headline >= 1.0 && !seen.is_same_feed && seen.hours_apart <= limits.headline_hours;
        return ("headline", decides);
    }
    let substituted = f64::from(seen.substituted_numbers + seen.substituted_names);
    if substituted >= 3.0 && substituted * 100.0 >= limits.substituted * f64::from(seen.tokens[0]) {
        return ("template", false);
    }
    if seen.copied[0] < limits.copied {
        return ("little_copied", false);
    }
    let has_opening = seen.opening[0] >= limits.opening && seen.opening[1] >= limits.opening;
    if seen.copied[1] >= limits.whole || has_headline || has_opening {
        return ("copied", true);
    }
    ("part_of_another", false)
}

/// Share of the shorter headline's distinct words that stand in the other.
fn headline_agreement(one: &[Token], other: &[Token]) -> f64 {
    let (fewer, more) = if one.len() <= other.len() { (one, other) } else { (other, one) };
    let same =
        fewer.iter().filter(|token| more.iter().any(|other| other.hash == token.hash)).count();
    if fewer.is_empty() { 0.0 } else { same as f64 / fewer.len() as f64 }
}

/// Whether a token carries a fact: a number or a name.
fn is_fact(kind: Kind) -> bool {
    matches!(kind, Kind::Number | Kind::Name)
}
