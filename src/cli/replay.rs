//! `newsfold replay`: judges the stored articles and copies by other settings, in memory, and says what would change.
//!
//! Texts are judged in the order in which they came, by the same engine as `newsfold dedup`. A text counts as changed
//! where it would be kept and is a copy, or the other way round, or would be a copy of something else. Texts are those
//! that are stored now, so a copy that has lent its text counts from its article's day on; what was folded for its URL
//! or guid stays folded where its text alone would not be.

use std::{
    collections::{HashMap, HashSet},
    fmt::Write,
};

use serde::Serialize;

use super::{
    Exit, Global, ReplayArguments, dedup, load, now, open_for_reading, output,
    summary::counted,
    table::{Column, Table},
};
use crate::{
    config::{self, Dedup},
    dedup::{
        Engine, Options, Reason, Scope,
        engine::{Arrival, Terms},
    },
    model::{ArticleId, DuplicateId, TextId, Timestamp},
    store::read::JudgedText,
};

pub(super) fn replay(global: &Global, arguments: &ReplayArguments) -> anyhow::Result<Exit> {
    let mut config = load(global)?;
    for setting in &arguments.set {
        config.dedup = setting.apply(&config.dedup).map_err(anyhow::Error::msg)?;
    }
    let options = dedup::options(&config);
    let since = arguments.since.map_or(Timestamp::MIN, |since| since.instant(now()));
    let db = open_for_reading(&config)?;
    let mut replay = Replay::new(options, db.pairs_kept_apart()?);
    replay.has_one_scope = arguments.set.iter().any(|setting| setting.key == "scope");
    db.each_judged_text(since, |text| replay.judge(text))?;
    if global.json {
        output::rows(true, &replay.changes, |_| String::new())?;
    } else {
        output::value(false, &replay, |replay| told(replay, output::width()))?;
    }
    Ok(Exit::Fine)
}

/// Another value for one setting: `KEY=VALUE`.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    key: String,
    value: String,
}

impl Setting {
    /// Reads an argument; what the configuration would refuse is refused.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (key, value) =
            text.split_once('=').ok_or_else(|| format!("{text:?} is not KEY=VALUE"))?;
        let key = key.trim().trim_start_matches("dedup.").trim_start_matches("thresholds.");
        let value = value.trim().trim_matches('"');
        if key == "prefer" {
            return Err("prefer decides whose text an article shows, not what is a copy: there is nothing to replay"
                .to_owned());
        }
        let setting = Self { key: key.to_owned(), value: value.to_owned() };
        setting.apply(&Dedup::default()).map(|_| setting)
    }

    fn apply(&self, dedup: &Dedup) -> Result<Dedup, String> {
        config::set_dedup(dedup, &self.key, &self.value)
    }
}

/// A text that would be judged otherwise.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Change {
    /// The text: an article, or a copy.
    article_id: Option<ArticleId>,
    duplicate_id: Option<DuplicateId>,
    feed: String,
    title: String,
    /// The article that it is folded into now; none: it is one.
    folded_into: Option<ArticleId>,
    reason: Option<String>,
    /// The same by the other settings.
    would_fold_into: Option<ArticleId>,
    would_reason: Option<Reason>,
}

#[derive(Serialize)]
struct Replay {
    #[serde(skip)]
    engine: Engine,
    /// Pairs that somebody unfolded: no setting folds them again.
    #[serde(skip)]
    apart: HashSet<(ArticleId, ArticleId)>,
    /// Which article each text of the engine's belongs to by the other settings.
    #[serde(skip)]
    articles: HashMap<TextId, ArticleId>,
    /// `--set scope`: not each feed's own.
    #[serde(skip)]
    has_one_scope: bool,
    #[serde(skip)]
    scope: Scope,
    texts: u32,
    copies: u32,
    would_be_copies: u32,
    changes: Vec<Change>,
}

impl Replay {
    fn new(options: Options, apart: HashSet<(ArticleId, ArticleId)>) -> Self {
        Self {
            apart,
            has_one_scope: false,
            scope: options.scope,
            engine: Engine::new(options, dedup::LEARNER),
            articles: HashMap::new(),
            texts: 0,
            copies: 0,
            would_be_copies: 0,
            changes: Vec::new(),
        }
    }

    fn judge(&mut self, text: JudgedText) {
        let at =
            text.published_at.filter(|at| *at <= text.first_seen_at).unwrap_or(text.first_seen_at);
        let arrival =
            Arrival { feed: text.feed_id, title: text.title.clone(), body: text.body, at };
        let (apart, articles) = (&self.apart, &self.articles);
        let scope = if self.has_one_scope { self.scope } else { text.dedup_scope };
        let terms = Terms { scope, first_seen_at: text.first_seen_at };
        let verdict = self.engine.judge_by(arrival, terms, |kept| {
            articles.get(&kept).is_some_and(|kept| {
                apart.contains(&(*kept, text.article_id))
                    || apart.contains(&(text.article_id, *kept))
            })
        });
        let is_copy = text.duplicate_id.is_some();
        let by_key = matches!(text.reason.as_deref(), Some("same_url" | "same_guid"));
        let would_fold_into = verdict
            .duplicate_of
            .and_then(|kept| self.articles.get(&kept).copied())
            .or(by_key.then_some(text.article_id));
        // A copy that would stand alone has no article's number; the one that it is folded into would do for those
        // that follow it and are found to be its copies.
        self.articles.insert(verdict.text, text.article_id);
        self.texts += 1;
        self.copies += u32::from(is_copy);
        self.would_be_copies += u32::from(would_fold_into.is_some());
        let folded_into = is_copy.then_some(text.article_id);
        if folded_into != would_fold_into {
            self.changes.push(Change {
                article_id: (!is_copy).then_some(text.article_id),
                duplicate_id: text.duplicate_id,
                feed: text.feed,
                title: text.title,
                folded_into,
                reason: text.reason,
                would_fold_into,
                would_reason: verdict.reason,
            });
        }
    }
}

fn told(replay: &Replay, width: Option<usize>) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{}: {} now, {} by these settings; {}",
        counted(replay.texts, "text", "texts"),
        counted(replay.copies, "copy", "copies"),
        replay.would_be_copies,
        counted(u32::try_from(replay.changes.len()).unwrap_or(u32::MAX), "change", "changes"),
    );
    if !replay.changes.is_empty() {
        text.push('\n');
        text.push_str(&changes(&replay.changes, width));
    }
    text
}

fn changes(changes: &[Change], width: Option<usize>) -> String {
    let mut table = Table::new(&[
        ("id", Column::Right),
        ("now", Column::Left),
        ("by these settings", Column::Left),
        ("feed", Column::Text),
        ("title", Column::Text),
    ]);
    let fate = |into: Option<ArticleId>, reason: Option<&str>| match into {
        None => "an article".to_owned(),
        Some(id) => format!("copy of {id} ({})", reason.unwrap_or("?")),
    };
    for change in changes {
        let id = match (change.duplicate_id, change.article_id) {
            (Some(copy), _) => copy.to_string(),
            (None, article) => article.map_or_else(String::new, |id| id.to_string()),
        };
        table.row([
            id,
            fate(change.folded_into, change.reason.as_deref()),
            fate(change.would_fold_into, change.would_reason.map(|reason| reason.as_str())),
            change.feed.clone(),
            change.title.clone(),
        ]);
    }
    table.render(width)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::FeedId;

    #[test]
    fn settings_are_given_as_key_and_value() {
        let mut dedup = Dedup::default();
        for (text, key) in [
            ("window=12h", "window"),
            ("dedup.scope = \"feed\"", "scope"),
            ("dedup.thresholds.min_tokens=20", "min_tokens"),
            ("most=1", "most"),
        ] {
            let setting = Setting::parse(text).unwrap();
            assert_eq!(setting.key, key);
            dedup = setting.apply(&dedup).unwrap();
        }
        assert_eq!(dedup.window.as_secs(), 43_200);
        assert_eq!(dedup.scope, Scope::Feed);
        assert_eq!((dedup.thresholds.min_tokens, dedup.thresholds.most), (20, 1.0));
        for (wrong, why) in [
            ("window", "is not KEY=VALUE"),
            ("prefer=first", "there is nothing to replay"),
            ("window=soon", "\"soon\" is not a duration"),
            ("scope=some", "is not one of \"all\", \"feed\", \"off\""),
            (
                "color=red",
                "color is neither window, scope, prefer nor a threshold (known here: most, ",
            ),
            ("mots=0.5", "did you mean most?"),
            ("min_tokens=x", "a whole number from 0 to 1000 is meant here"),
            ("min_tokens=0.5", "a whole number from 0 to 1000 is meant here"),
            ("min_tokens=5000", "a whole number from 0 to 1000 is meant here, this is 5000"),
            ("most=1.5", "a number from 0 to 1 is meant here"),
            ("most=nan", "a number from 0 to 1 is meant here"),
        ] {
            let refused = Setting::parse(wrong).unwrap_err();
            assert!(refused.contains(why), "{wrong}: {refused}");
        }
    }

    const STORY: &str = "The lighthouse on Varn Point went dark for the first time in ninety years on Friday after \
        lightning struck its lantern room. Keeper Ida Holm said that the lamp itself was sound and that the cable had \
        melted over a length of twelve metres. Ships were warned by radio until a replacement arrived by boat.";

    fn text(article: i64, copy: Option<i64>, feed: i64, day: u32) -> JudgedText {
        let at: Timestamp = format!("2026-11-{day:02}T08:00:00Z").parse().unwrap();
        JudgedText {
            article_id: ArticleId(article),
            duplicate_id: copy.map(DuplicateId),
            feed_id: FeedId(feed),
            feed: format!("feed {feed}"),
            title: "Varn Point goes dark".to_owned(),
            body: STORY.to_owned(),
            published_at: Some(at),
            first_seen_at: at,
            reason: copy.map(|_| "same_text".to_owned()),
            dedup_scope: Scope::All,
        }
    }

    #[test]
    fn stored_texts_are_judged_as_they_were() {
        let unchanged = Vec::<bool>::new();
        let changes = |texts: Vec<JudgedText>, has_one_scope| {
            let mut replay = Replay::new(Options::default(), HashSet::new());
            replay.has_one_scope = has_one_scope;
            texts.into_iter().for_each(|text| replay.judge(text));
            replay.changes.iter().map(|change| change.duplicate_id.is_some()).collect::<Vec<_>>()
        };
        // The window counts from when a text was first seen, however its publisher dates it.
        let mut late = text(1, Some(1), 2, 24);
        late.first_seen_at = text(1, None, 1, 12).first_seen_at;
        let mut old = text(1, None, 1, 1);
        old.first_seen_at = late.first_seen_at;
        assert_eq!(changes(vec![old, late], false), unchanged);
        // What one URL has joined needs no text.
        let mut page = text(1, Some(1), 2, 11);
        page.body = "Another day at sea.".to_owned();
        page.title = "Lamp out".to_owned();
        page.reason = Some("same_url".to_owned());
        assert_eq!(changes(vec![text(1, None, 1, 10), page], false), unchanged);
        // A feed's own scope counts unless another one is tried.
        let mut own = text(2, None, 2, 11);
        own.dedup_scope = Scope::Feed;
        assert_eq!(changes(vec![text(1, None, 1, 10), own.clone()], false), unchanged);
        assert_eq!(changes(vec![text(1, None, 1, 10), own], true), [false]);
    }

    #[test]
    fn what_would_change_is_named_and_the_rest_is_not() {
        let stored = || [text(1, None, 1, 10), text(1, Some(1), 2, 10), text(1, Some(2), 3, 14)];
        let mut same = Replay::new(Options::default(), HashSet::new());
        stored().into_iter().for_each(|text| same.judge(text));
        assert_eq!(same.changes, []);
        assert_eq!((same.texts, same.copies, same.would_be_copies), (3, 2, 2));

        let window_seconds = 86_400;
        let mut shorter =
            Replay::new(Options { window_seconds, ..Options::default() }, HashSet::new());
        stored().into_iter().for_each(|text| shorter.judge(text));
        let [change] = &shorter.changes[..] else { panic!("{:?}", shorter.changes) };
        assert_eq!(change.duplicate_id, Some(DuplicateId(2)));
        assert_eq!((change.folded_into, change.would_fold_into), (Some(ArticleId(1)), None));
        let text = told(&shorter, None);
        assert!(
            text.starts_with("3 texts: 2 copies now, 1 by these settings; 1 change\n"),
            "{text}"
        );
        assert!(text.contains("d2  copy of 1 (same_text)  an article"), "{text}");
    }
}
