//! The whole step in memory: what `newsfold dedup`, `replay` and the tests run.
//!
//! In: texts in order of arrival. Out: a verdict for each. It holds the texts of the window, the index, and a
//! learner of furniture for each feed; how a body is cut into units is handed in, so that this engine and the
//! line cut alike. The same order gives the same verdicts, and a stream may go on for ever.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet, VecDeque},
    convert::Infallible,
};

use serde::Serialize;

use super::{
    Evidence, Index, Options, Prefer, Query, Reason, Scope, Side, Signature, Text, Verification,
    index::MAX_CANDIDATES,
    join::{Basis, is_fuller, joins},
    verify,
};
use crate::model::{FeedId, TextId, Timestamp};

/// How furniture is found and cut: the functions of the line.
#[derive(Clone, Copy, Debug)]
pub struct Furniture {
    /// Hashes of the lines and sentences of a body.
    pub units: fn(&str) -> HashSet<u64>,
    /// A body without the units given.
    pub strip: fn(&str, &HashSet<u64>) -> String,
    /// In so many kept articles of its feed a unit must stand to be furniture.
    pub learned_after: u32,
}

impl Furniture {
    /// Cuts nothing: for texts that carry no furniture.
    pub const NONE: Self = Self {
        units: |_| HashSet::new(),
        strip: |body, _| body.to_owned(),
        learned_after: u32::MAX,
    };
}

/// An article as it arrives.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The feed it came from.
    pub feed: FeedId,
    /// Its headline.
    pub title: String,
    /// Its body.
    pub body: String,
    /// Published, or where that is unknown, when it arrived.
    pub at: Timestamp,
}

/// How an article is judged, where that is not as its text and the engine's options say.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Against which texts.
    pub scope: Scope,
    /// When it came: decides about the window.
    pub first_seen_at: Timestamp,
}

/// What the engine says of one article.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// The id that this text got: 1, 2, 3 ...
    pub text: TextId,
    /// The kept article that it is a copy of.
    pub duplicate_of: Option<TextId>,
    /// Why, if it is one.
    pub reason: Option<Reason>,
    /// The text that it was compared with, if it is one: the kept article or another copy of it.
    pub matched: Option<TextId>,
    /// Between the fingerprints of those two; `None` under eight tokens.
    pub distance: Option<u32>,
    /// As in [`Verification::similarity`]; 0 for a kept article.
    pub similarity: f64,
    /// What decided, if it is one.
    pub evidence: Option<Evidence>,
    /// The nearest candidates that were refused, best first.
    pub refused: Vec<(TextId, Evidence)>,
}

#[derive(Debug)]
struct Stored {
    arrival: Arrival,
    first_seen_at: Timestamp,
    /// The article that it belongs to; itself, if it was kept.
    kept: TextId,
}

/// What an article has become by its copies.
#[derive(Debug)]
struct Kept {
    /// The text that it shows.
    shown: TextId,
    /// Whether any of its texts is long enough to be compared.
    has_report: bool,
}

/// Judges a stream of texts.
#[derive(Debug)]
pub struct Engine {
    options: Options,
    furniture: Furniture,
    index: Index,
    /// The last ones, without a gap.
    texts: VecDeque<Stored>,
    /// Texts that have been judged.
    judged: i64,
    articles: HashMap<TextId, Kept>,
    learners: HashMap<FeedId, Learner>,
    /// When the last texts came, until time is kept by them.
    arrived: Vec<Timestamp>,
}

/// What a feed repeats.
#[derive(Debug, Default)]
struct Learner {
    /// Units of its last kept articles.
    recent: VecDeque<HashSet<u64>>,
    /// In how many kept articles a unit of those stands, or one that has stood in two.
    counts: HashMap<u64, u32>,
    furniture: HashSet<u64>,
    last_at: Option<Timestamp>,
}

impl Verdict {
    fn kept(text: TextId) -> Self {
        Self {
            text,
            duplicate_of: None,
            reason: None,
            matched: None,
            distance: None,
            similarity: 0.0,
            evidence: None,
            refused: Vec::new(),
        }
    }
}

/// Refused candidates that are reported.
const MAX_REFUSED: usize = 3;
/// After so many texts those that have left the window are dropped.
const CLOCK_TEXTS: usize = 1_024;
/// Of so many kept articles of a feed the units are remembered, as the line does.
const RECENT_ARTICLES: usize = 20;
/// A feed that has been silent for so many windows has to teach its furniture anew.
const SILENT_WINDOWS: i64 = 10;

impl Engine {
    /// An engine that has seen nothing.
    pub fn new(options: Options, furniture: Furniture) -> Self {
        Self {
            options,
            furniture,
            index: Index::new(),
            texts: VecDeque::new(),
            judged: 0,
            articles: HashMap::new(),
            learners: HashMap::new(),
            arrived: Vec::new(),
        }
    }

    /// Judges the next text and takes it in.
    pub fn judge(&mut self, arrival: Arrival) -> Verdict {
        let terms = Terms { scope: self.options.scope, first_seen_at: arrival.at };
        self.judge_by(arrival, terms, |_| false)
    }

    /// As [`Engine::judge`], but by other terms, and never folds the text into one that `is_apart` names: somebody said so.
    pub fn judge_by(
        &mut self,
        arrival: Arrival,
        terms: Terms,
        is_apart: impl Fn(TextId) -> bool,
    ) -> Verdict {
        self.keep_time(terms.first_seen_at);
        let text = TextId(self.judged + 1);
        let (verdict, signature) = self.compare(text, &arrival, terms, &is_apart);
        self.take_in(&verdict, &arrival, signature.tokens);
        if verdict.duplicate_of.is_none() {
            self.learn(&arrival, terms.first_seen_at);
        }
        let first_seen_at = terms.first_seen_at;
        if terms.scope != Scope::Off {
            self.index.insert(text, arrival.feed, first_seen_at, &signature);
        }
        let kept = verdict.duplicate_of.unwrap_or(text);
        self.texts.push_back(Stored { arrival, first_seen_at, kept });
        self.judged = text.0;
        verdict
    }

    /// The oldest text that is still held, or the next one: verdicts name none before it.
    pub fn first_held(&self) -> TextId {
        TextId(self.judged - self.texts.len() as i64 + 1)
    }

    /// Looks, after so many texts, where their dates stand, and drops what has left the window by them. No single wrong
    /// date moves them, and a text that came before all others and is dated far after them has a wrong one.
    fn keep_time(&mut self, first_seen_at: Timestamp) {
        self.arrived.push(first_seen_at);
        if self.arrived.len() < CLOCK_TEXTS {
            return;
        }
        self.arrived.sort_unstable();
        let [middle, late] =
            [CLOCK_TEXTS / 2, CLOCK_TEXTS - CLOCK_TEXTS / 16].map(|at| self.arrived[at]);
        self.arrived.clear();
        let window = self.options.window_seconds;
        let held = middle.plus_seconds(-window)..=late.plus_seconds(window);
        while self.texts.front().is_some_and(|text| !held.contains(&text.first_seen_at)) {
            self.articles.remove(&self.first_held());
            self.texts.pop_front();
        }
        self.index.evict_until(self.first_held());
        let silent_since = middle.plus_seconds(-SILENT_WINDOWS * window);
        self.learners.retain(|_, learner| learner.last_at.is_some_and(|at| at >= silent_since));
    }

    fn compare(
        &self,
        text: TextId,
        arrival: &Arrival,
        terms: Terms,
        is_apart: &dyn Fn(TextId) -> bool,
    ) -> (Verdict, Signature) {
        let body = self.strip(arrival);
        let side = side(arrival, &body);
        let signature = side.signature();
        let since = terms.first_seen_at.plus_seconds(-self.options.window_seconds);
        let query = Query { feed: arrival.feed, scope: terms.scope, since };
        let mut verdict = Verdict::kept(text);
        for candidate in self.index.candidates(&signature, &query).into_iter().take(MAX_CANDIDATES)
        {
            let Some(stored) = self.stored(candidate.text) else { continue };
            if is_apart(stored.kept) {
                continue;
            }
            let other = self.strip(&stored.arrival);
            let found = verify(&side, &self::side(&stored.arrival, &other), &self.options);
            if self.joins(&side, candidate.text, stored.kept, since, &found) {
                verdict.duplicate_of = Some(stored.kept);
                verdict.reason = found.reason;
                verdict.matched = Some(candidate.text);
                verdict.distance = candidate.distance;
                verdict.similarity = found.similarity;
                verdict.evidence = Some(found.evidence);
                break;
            }
            if verdict.refused.len() < MAX_REFUSED {
                verdict.refused.push((candidate.text, found.evidence));
            }
        }
        (verdict, signature)
    }

    /// Whether a text may join the article that one which it was compared with belongs to.
    fn joins(
        &self,
        side: &Side<'_>,
        through: TextId,
        kept: TextId,
        since: Timestamp,
        found: &Verification,
    ) -> bool {
        let is_in_window = self.stored(kept).is_some_and(|stored| stored.first_seen_at >= since);
        let (Some(basis), Some(article)) = (Basis::of(found), self.articles.get(&kept)) else {
            return false;
        };
        let against_shown = self.against(side, article.shown).filter(|_| article.shown != through);
        let shown = against_shown.as_ref().unwrap_or(found);
        let has_report = || Ok::<_, Infallible>(article.has_report);
        let limits = &self.options.thresholds;
        is_in_window && joins(basis, found, shown, limits, has_report).unwrap_or(false)
    }

    fn against(&self, side: &Side<'_>, text: TextId) -> Option<Verification> {
        let stored = self.stored(text)?;
        let body = self.strip(&stored.arrival);
        Some(verify(side, &self::side(&stored.arrival, &body), &self.options))
    }

    fn stored(&self, text: TextId) -> Option<&Stored> {
        self.texts.get(usize::try_from(text.0 - self.first_held().0).ok()?)
    }

    fn strip<'a>(&self, arrival: &'a Arrival) -> Cow<'a, str> {
        let learner = self.learners.get(&arrival.feed);
        match learner.filter(|learner| !learner.furniture.is_empty()) {
            Some(learner) => Cow::Owned((self.furniture.strip)(&arrival.body, &learner.furniture)),
            None => Cow::Borrowed(&arrival.body),
        }
    }

    /// Follows a verdict: another article, or another copy, which may be the one that the article shows from now on.
    fn take_in(&mut self, verdict: &Verdict, arrival: &Arrival, tokens: u32) {
        let text = verdict.text;
        let is_report = tokens >= self.options.thresholds.min_tokens;
        let Some(kept) = verdict.duplicate_of else {
            self.articles.insert(text, Kept { shown: text, has_report: is_report });
            return;
        };
        let Some(shown) = self.articles.get(&kept).map(|article| article.shown) else { return };
        let body = self.strip(arrival);
        let against_shown = self.against(&side(arrival, &body), shown);
        let lends = self.options.prefer == Prefer::Fullest
            && against_shown.is_some_and(|seen| is_fuller(&seen, false, &self.options.thresholds));
        if let Some(article) = self.articles.get_mut(&kept) {
            article.has_report |= is_report;
            article.shown = if lends { text } else { shown };
        }
    }

    /// Counts the units of a kept article: copies teach nothing, or a story that many feeds carry would be cut
    /// to nothing.
    fn learn(&mut self, arrival: &Arrival, now: Timestamp) {
        let learner = self.learners.entry(arrival.feed).or_default();
        learner.last_at = learner.last_at.max(Some(now));
        let units = (self.furniture.units)(&arrival.body);
        for unit in &units {
            let count = learner.counts.entry(*unit).or_default();
            *count += 1;
            if *count >= self.furniture.learned_after {
                learner.furniture.insert(*unit);
            }
        }
        learner.recent.push_back(units);
        if learner.recent.len() > RECENT_ARTICLES {
            for unit in learner.recent.pop_front().unwrap_or_default() {
                if learner.counts.get(&unit) == Some(&1) {
                    learner.counts.remove(&unit);
                }
            }
        }
    }
}

fn side<'a>(arrival: &'a Arrival, body: &'a str) -> Side<'a> {
    Side::new(Text { title: &arrival.title, body }, arrival.feed, arrival.at).out_of(&arrival.body)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FERRY: &str = "The ferry between Holm and Sund will not run on Monday, the harbour office said. \
        A cracked shaft was found on Saturday evening during an inspection of the vessel. Passengers who \
        have booked a cabin get their money back within two weeks, and lorries are sent round by the bridge \
        at Varde. The company hopes to sail again before the weekend, when the regatta brings four thousand \
        visitors to the island. A second ship cannot be chartered at such short notice, the office added.";

    fn arrival(feed: i64, hour: i64, title: &str, body: &str) -> Arrival {
        let at = Timestamp::from_unix_seconds(1_790_000_000 + 3600 * hour).unwrap();
        Arrival { feed: FeedId(feed), title: title.into(), body: body.into(), at }
    }

    fn judge(engine: &mut Engine, arrivals: &[Arrival]) -> Vec<Option<i64>> {
        arrivals
            .iter()
            .map(|one| engine.judge(one.clone()).duplicate_of.map(|text| text.0))
            .collect()
    }

    #[test]
    fn copies_of_copies_fold_into_the_kept_article() {
        let mut engine = Engine::new(Options::default(), Furniture::NONE);
        let cut = &FERRY[..FERRY.find("The company").unwrap()];
        let arrivals = [
            arrival(1, 0, "Ferry to Sund cancelled on Monday", FERRY),
            arrival(2, 1, "Ferry to Sund cancelled on Monday", cut),
            arrival(3, 2, "No ferry to Sund on Monday", &format!("HOLM (dpx) - {cut}")),
        ];
        assert_eq!(judge(&mut engine, &arrivals), [None, Some(1), Some(1)]);
    }

    #[test]
    fn one_headline_over_two_reports_joins_neither_to_the_other() {
        let title = "Fire in the old harbour hall";
        let other = "Flames were seen over Varde at midnight and the brigade came with nine engines, said \
            the mayor, who spoke of a loss for the whole town. Nobody was inside, and the cause is not known yet.";
        let (item, ferry, fire) =
            (arrival(1, 0, title, ""), arrival(2, 1, title, FERRY), arrival(3, 2, title, other));
        for (order, expected) in [
            ([&item, &ferry, &fire], [None, Some(1), None]),
            ([&ferry, &item, &fire], [None, Some(1), None]),
            ([&ferry, &fire, &item], [None, None, Some(2)]),
        ] {
            let mut engine = Engine::new(Options::default(), Furniture::NONE);
            assert_eq!(judge(&mut engine, &order.map(Clone::clone)), expected);
            // A copy of the report is found by its text all the same.
            let copy = Arrival { feed: FeedId(4), ..ferry.clone() };
            assert!(engine.judge(copy).duplicate_of.is_some());
        }
    }

    #[test]
    fn a_stub_gives_way_to_the_report_and_so_finds_its_copies() {
        let title = "Ferry to Sund cancelled on Monday";
        let mut engine = Engine::new(Options::default(), Furniture::NONE);
        let arrivals = [
            arrival(1, 0, title, "More on this story shortly."),
            arrival(2, 1, title, FERRY),
            arrival(3, 30, "No ferry this week", FERRY),
        ];
        assert_eq!(judge(&mut engine, &arrivals), [None, Some(1), Some(1)]);
        assert_eq!(engine.articles[&TextId(1)].shown, TextId(2));
    }

    #[test]
    fn a_chain_ends_where_nothing_of_what_is_shown_is_left() {
        let sentences: Vec<&str> = FERRY.split_inclusive(". ").collect();
        let title = "Ferry to Sund cancelled on Monday";
        let mut engine = Engine::new(Options::default(), Furniture::NONE);
        let second: String = [sentences[2], sentences[3], sentences[4], sentences[1]].concat();
        let third: String = [sentences[3], sentences[4]].concat();
        let arrivals = [
            arrival(1, 0, title, &sentences[..3].concat()),
            arrival(2, 1, title, &second),
            arrival(3, 2, title, &third),
        ];
        assert_eq!(judge(&mut engine, &arrivals), [None, Some(1), None]);
    }

    #[test]
    fn scope_and_window_bound_what_is_compared() {
        let article = arrival(1, 0, "Ferry to Sund cancelled on Monday", FERRY);
        for (scope, feed, hour, expected) in [
            (Scope::All, 2, 100, Some(1)),
            (Scope::All, 2, 169, None),
            (Scope::Feed, 2, 1, None),
            (Scope::Feed, 1, 1, Some(1)),
            (Scope::Off, 1, 1, None),
        ] {
            let mut engine = Engine::new(Options { scope, ..Options::default() }, Furniture::NONE);
            let copy = Arrival {
                feed: FeedId(feed),
                ..arrival(1, hour, "Ferry to Sund cancelled on Monday", FERRY)
            };
            assert_eq!(
                judge(&mut engine, &[article.clone(), copy]),
                [None, expected],
                "{scope:?} {feed} {hour}"
            );
        }
    }

    #[test]
    fn a_stream_may_go_on_for_ever() {
        let furniture = Furniture {
            units: |body| body.split(' ').map(|word| word.len() as u64).collect(),
            ..Furniture::NONE
        };
        let mut engine = Engine::new(Options::default(), furniture);
        for at in 0..6_000 {
            // Wrong dates now and then, the first one among them.
            let hour = match at % 500 {
                0 => 600_000,
                1 => -100_000,
                _ => at,
            };
            engine.judge(arrival(at, hour, &format!("Report {at}"), &"a ".repeat(at as usize % 9)));
        }
        let most = 2 * CLOCK_TEXTS;
        assert!(engine.texts.len() < most, "{}", engine.texts.len());
        assert!(engine.index.len() < most, "{}", engine.index.len());
        assert!(engine.articles.len() < most, "{}", engine.articles.len());
        assert!(engine.learners.len() < 2 * most, "{}", engine.learners.len());
        let report =
            Arrival { feed: FeedId(7_000), ..arrival(0, 6_001, "Ferry to Sund cancelled", FERRY) };
        engine.judge(report.clone());
        let verdict = engine.judge(Arrival { feed: FeedId(7_001), ..report });
        assert_eq!(verdict.duplicate_of, Some(TextId(6_001)));
    }

    #[test]
    fn a_refused_candidate_is_reported_with_its_evidence() {
        let mut engine = Engine::new(Options::default(), Furniture::NONE);
        let other =
            FERRY.replace("Monday", "Friday").replace("Holm", "Skagen").replace("Sund", "Bro");
        engine.judge(arrival(1, 0, "Ferry to Sund cancelled", &FERRY[..160]));
        let verdict = engine.judge(arrival(1, 30, "Ferry to Bro cancelled", &other[..162]));
        assert_eq!(verdict.duplicate_of, None);
        let json = serde_json::to_value(&verdict).unwrap();
        assert_eq!(json["refused"][0][1]["test"], "changed_facts", "{json}");
    }
}
