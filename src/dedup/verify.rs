//! The rule: is one of two texts a copy of the other?
//!
//! In: two texts, furniture already cut, with feed and time. Out: yes or no, by which test, and the evidence.
//! Both texts are laid beside each other: runs of three tokens and more that both have are found in order, and
//! what stands between two such runs on both sides was *substituted*. docs/duplicates.md states the rule, gives
//! the reason for each constant and shows how the results move when it is moved.

use serde::{Deserialize, Serialize};

use super::{
    Options,
    signature::{MIN_TOKENS, Text},
    tokens::{Kind, Token, tokenize},
};
use crate::model::{FeedId, Timestamp};

pub mod align;

use self::align::Alignment;

/// The constants of the rule that were set by looking at data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Thresholds {
    /// Share of the shorter text that must be copied where headline and opening agree; where one of them
    /// does; of the longer text where neither does. Within one feed: never, the second, nearly all.
    pub copied: [f64; 3],
    /// Share of the shorter text that is nearly all of it.
    pub nearly_all: f64,
    /// Share of words from which two headlines agree.
    pub headline: f64,
    /// Share of an opening that must stand in the other text.
    pub opening: f64,
    /// Share of the facts that may be changed, between feeds and within one.
    pub changed: [f64; 3],
    /// Texts with fewer tokens may not change any fact.
    pub short: u32,
    /// Hours apart from which two items of one feed may be issues of a series.
    pub series_hours: f64,
    /// Texts with fewer tokens are judged by their headline.
    pub min_tokens: u32,
    /// Headlines with fewer tokens decide nothing by themselves.
    pub min_headline: u32,
    /// Hours apart within which a headline alone can decide.
    pub headline_hours: f64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            copied: [0.2, 0.6, 0.75],
            nearly_all: 0.9,
            headline: 0.6,
            opening: 0.65,
            changed: [0.25, 0.1, 0.02],
            short: 60,
            series_hours: 18.0,
            min_tokens: 12,
            min_headline: 4,
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

    fn word(&self, token: &Token) -> &'a str {
        self.text.body.get(token.start as usize..token.end as usize).unwrap_or_default()
    }

    fn title_has(&self, token: &Token) -> bool {
        self.title.iter().any(|other| other.hash == token.hash)
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
    /// Facts (numbers, names, words of the headline) of the shorter text that both have, and that stand
    /// between two copied runs in the place of another fact.
    pub facts_kept: [u32; 2],
    /// Tokens of the shorter headline.
    pub headline_tokens: u32,
    /// lab: [kind number,name,other][agreed, changed in gap, changed elsewhere] distinct, of shorter
    pub facts: [[u32; 3]; 3],
    /// lab: same for longer
    pub facts_long: [[u32; 3]; 3],
    /// lab: share of shorter's headline standing in the uncovered part of longer: all, facts, n facts
    pub goes_on: [f64; 3],
    /// lab: headline words of shorter / longer found in other title+body; numbers of titles missing in the other
    pub head_in: [f64; 2],
    /// lab
    pub head_numbers: [u32; 2],
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
    Evidence {
        test: "",
        tokens: [short.tokens(), long.tokens()],
        copied: [
            share(alignment.short_covered, short.body.len()),
            share(alignment.long_covered, long.body.len()),
        ],
        headline: headline_agreement(&short.title, &long.title),
        opening: [alignment.short_opening(), alignment.long_opening()],
        facts_kept: facts(short, long, alignment),
        headline_tokens: short.title.len().min(long.title.len()) as u32,
        facts: alignment.facts(&short.title, &short.body, &long.title, &long.body, false),
        facts_long: alignment.facts(&long.title, &long.body, &short.title, &short.body, true),
        goes_on: goes_on(short, long, alignment),
        head_in: [head_in(&short.title, long), head_in(&long.title, short)],
        head_numbers: [head_numbers(&short.title, long), head_numbers(&long.title, short)],
        hours_apart: (short.at.seconds_since(long.at).abs()) as f64 / 3600.0,
        is_same_feed: short.feed == long.feed,
    }
}

fn decide(seen: &Evidence, limits: &Thresholds) -> (&'static str, bool) {
    let [agreed, changed] = seen.facts_kept;
    let share = f64::from(changed) / f64::from((agreed + changed).max(1));
    let is_series = seen.is_same_feed && seen.hours_apart > limits.series_hours;
    let nearly_all = seen.copied[0] >= limits.nearly_all;
    let max_changed = match (seen.is_same_feed, nearly_all) {
        _ if seen.tokens[0] < limits.short || is_series => limits.changed[2],
        (false, true) => limits.changed[0],
        (false, false) | (true, true) => limits.changed[1],
        (true, false) => limits.changed[2],
    };
    if share > max_changed {
        return ("changed_facts", false);
    }
    if is_series && seen.head_numbers[0] > 0 && seen.head_numbers[1] > 0 {
        return ("headline_numbers", false);
    }
    if seen.tokens[0] < limits.min_tokens.max(MIN_TOKENS) {
        let decides = seen.headline >= 1.0
            && seen.headline_tokens >= limits.min_headline
            && !seen.is_same_feed
            && seen.hours_apart <= limits.headline_hours;
        return ("headline", decides);
    }
    let has_headline = seen.headline >= limits.headline;
    let opening = if has_headline && !seen.is_same_feed { seen.opening[0].max(seen.opening[1]) } else { seen.opening[0].min(seen.opening[1]) };
    let has_opening = opening >= limits.opening && (has_headline || seen.head_in[1].max(seen.copied[1]) >= 0.5);
    let is_about = seen.head_in[0].min(seen.head_in[1]) >= limits.headline;
    match (has_headline, has_opening) {
        (true, true) if is_series => ("series", nearly_all),
        (true, true) => ("headline_and_opening", seen.copied[0] >= limits.copied[usize::from(seen.is_same_feed)]),
        (true, false) | (false, true) if seen.is_same_feed => ("one_mark", nearly_all),
        (true, false) | (false, true) => ("one_mark", seen.copied[0] >= limits.copied[1]),
        (false, false) if seen.is_same_feed => ("no_mark", false),
        (false, false) => ("no_mark", seen.copied[1] >= limits.copied[2] || is_about && nearly_all),
    }
}

/// Share of the shorter headline's distinct words that stand in the other.
fn headline_agreement(one: &[Token], other: &[Token]) -> f64 {
    let (fewer, more) = if one.len() <= other.len() { (one, other) } else { (other, one) };
    let same =
        fewer.iter().filter(|token| more.iter().any(|other| other.hash == token.hash)).count();
    if fewer.is_empty() { 0.0 } else { same as f64 / fewer.len() as f64 }
}

fn stands_in(token: &Token, side: &Side<'_>) -> bool {
    side.title.iter().chain(&side.body).any(|other| other.hash == token.hash)
}

fn head_in(title: &[Token], side: &Side<'_>) -> f64 {
    let n = title.iter().filter(|token| stands_in(token, side)).count();
    n as f64 / title.len().max(1) as f64
}

fn goes_on(short: &Side<'_>, long: &Side<'_>, alignment: &Alignment) -> [f64; 3] {
    let mut free = vec![true; long.body.len()];
    for block in &alignment.blocks {
        free[block.long as usize..(block.long + block.length) as usize].fill(false);
    }
    let rest: Vec<u32> = long.body.iter().zip(&free).filter(|(_, free)| **free).map(|(token, _)| token.hash).collect();
    let mut all = [0, 0, 0, 0];
    for token in &short.title {
        let is_there = rest.contains(&token.hash);
        all[0] += usize::from(is_there);
        all[1] += 1;
        if is_fact(token) { all[2] += usize::from(is_there); all[3] += 1; }
    }
    [all[0] as f64 / all[1].max(1) as f64, all[2] as f64 / all[3].max(1) as f64, all[3] as f64]
}

fn head_numbers(title: &[Token], side: &Side<'_>) -> u32 {
    title.iter().filter(|token| token.kind == Kind::Number && !stands_in(token, side)).count() as u32
}

/// Distinct facts of the shorter body: how many both texts have, how many were changed in their place.
fn facts(short: &Side<'_>, long: &Side<'_>, alignment: &Alignment) -> [u32; 2] {
    let mut changed: [Vec<u32>; 2] = Default::default();
    for gap in alignment.gaps(short.body.len(), long.body.len()) {
        let (one, other) = (&short.body[gap.short], &long.body[gap.long]);
        for kind in [Kind::Number, Kind::Name] {
            let ones = || only_in(one, short, other, long, kind);
            let others = || only_in(other, long, one, short, kind);
            if ones().next().is_none() || others().next().is_none() {
                continue;
            }
            changed[0].extend(ones().filter(|token| !stands_in(token, long)).map(|token| token.hash));
            changed[1].extend(others().filter(|token| !stands_in(token, short)).map(|token| token.hash));
        }
    }
    let mut agreed: Vec<u32> = Vec::new();
    for block in &alignment.blocks {
        let run = &short.body[block.short as usize..(block.short + block.length) as usize];
        agreed.extend(run.iter().filter(|token| is_fact(token) || short.title_has(token)).map(|token| token.hash));
    }
    let [changed_short, changed_long] = changed;
    let [agreed, one, other] = [agreed, changed_short, changed_long].map(|mut hashes| {
        hashes.sort_unstable();
        hashes.dedup();
        hashes.len() as u32
    });
    [agreed, one.max(other)]
}

/// The facts of one kind in a stretch of one text for which the stretch of the other has nothing alike.
fn only_in<'t>(
    stretch: &'t [Token],
    side: &'t Side<'_>,
    other: &'t [Token],
    other_side: &'t Side<'_>,
    kind: Kind,
) -> impl Iterator<Item = &'t Token> {
    stretch.iter().filter(move |token| {
        let is_fact = if kind == Kind::Number { token.kind == kind } else { token.kind == kind || token.kind != Kind::Number && side.title_has(token) };
        is_fact
            && !other.iter().any(|other| {
                other.hash == token.hash || kind == Kind::Name && is_alike(side.word(token), other_side.word(other))
            })
    })
}

/// One name in two spellings: the same first letter and most of the others.
fn is_alike(one: &str, other: &str) -> bool {
    let (one, other) = (one.to_lowercase(), other.to_lowercase());
    one.chars().next() == other.chars().next()
        && !one.contains(|c: char| c.is_numeric())
        && strsim::normalized_levenshtein(&one, &other) >= 0.6
}

/// Whether a token carries a fact: a number or a name.
fn is_fact(token: &Token) -> bool {
    matches!(token.kind, Kind::Number | Kind::Name)
}
