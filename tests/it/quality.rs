//! What the judging of copies reaches: `newsfold dedup` on labelled pairs may not fall below written floors.
//!
//! Two sets: our own in sixteen languages and scripts (`tests/fixtures/duplicates`), and, where `NEWSFOLD_DATA`
//! says where it is, a set of real articles. docs/duplicates.md has the figures that the floors are taken from.

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::support::program::newsfold;

fn own_set() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/duplicates")
}

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn shared_set() -> Option<PathBuf> {
    let folder = std::env::var_os("NEWSFOLD_DATA").map(|data| Path::new(&data).join("dedup"));
    if folder.is_none() {
        eprintln!("skipped: NEWSFOLD_DATA is not set");
    }
    folder
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Runs `newsfold dedup` and says for every article to which kept article it belongs.
fn clusters(articles: &[Value]) -> HashMap<String, String> {
    let input: String = articles.iter().map(|article| format!("{article}\n")).collect();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    newsfold(&["dedup", "-"], &input)
        .expect(0)
        .json_lines()
        .iter()
        .map(|verdict| {
            let id = text(&verdict["id"]).unwrap();
            (id.clone(), text(&verdict["duplicate_of"]).unwrap_or(id))
        })
        .collect()
}

struct Pair {
    a: String,
    b: String,
    kind: String,
    language: String,
    is_duplicate: bool,
}

fn pairs(folder: &Path) -> Vec<Pair> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    lines(&folder.join("pairs.jsonl"))
        .iter()
        .map(|line| Pair {
            a: text(&line["a"]),
            b: text(&line["b"]),
            kind: text(&line["kind"]),
            language: text(&line["lang"]),
            is_duplicate: line["dup"] == true || line["dup"] == 1,
        })
        .collect()
}

/// Pairs called duplicate and pairs, for duplicates and for others.
#[derive(Default)]
struct Score {
    duplicates: [u32; 2],
    others: [u32; 2],
}

impl Score {
    fn of<'a>(
        pairs: impl IntoIterator<Item = &'a Pair>,
        clusters: &HashMap<String, String>,
    ) -> Self {
        let mut score = Self::default();
        for pair in pairs {
            let is_called = clusters[&pair.a] == clusters[&pair.b];
            let counts = if pair.is_duplicate { &mut score.duplicates } else { &mut score.others };
            counts[0] += u32::from(is_called);
            counts[1] += 1;
        }
        score
    }

    fn recall(&self) -> f64 {
        f64::from(self.duplicates[0]) / f64::from(self.duplicates[1])
    }

    fn precision(&self) -> f64 {
        f64::from(self.duplicates[0]) / f64::from(self.duplicates[0] + self.others[0])
    }
}

fn by(pairs: &[Pair], key: impl Fn(&Pair) -> &str) -> BTreeMap<String, Vec<&Pair>> {
    let mut groups: BTreeMap<String, Vec<&Pair>> = BTreeMap::new();
    for pair in pairs {
        groups.entry(key(pair).to_owned()).or_default().push(pair);
    }
    groups
}

fn wrong(pairs: &[Pair], clusters: &HashMap<String, String>) -> String {
    pairs
        .iter()
        .filter(|pair| (clusters[&pair.a] == clusters[&pair.b]) != pair.is_duplicate)
        .map(|pair| format!("{} {} {}\n", pair.kind, pair.a, pair.b))
        .collect()
}

#[test]
fn our_own_set_in_sixteen_scripts_has_no_wrong_merge() {
    let pairs = pairs(&own_set());
    let clusters = clusters(&lines(&own_set().join("articles.jsonl")));
    let score = Score::of(&pairs, &clusters);
    let wrong = wrong(&pairs, &clusters);
    assert_eq!(score.others[0], 0, "not a copy, and called one:\n{wrong}");
    assert!(score.recall() >= 0.95, "recall {:.3}\n{wrong}", score.recall());
    for (language, pairs) in by(&pairs, |pair| &pair.language) {
        let score = Score::of(pairs, &clusters);
        let missed = score.duplicates[1] - score.duplicates[0];
        assert!(missed <= 3, "{language}: recall {:.3}\n{wrong}", score.recall());
    }
}

#[test]
fn real_articles_stay_above_the_floors() {
    let Some(folder) = shared_set() else { return };
    let pairs = pairs(&folder);
    let clusters = clusters(&lines(&folder.join("articles.jsonl")));
    let score = Score::of(&pairs, &clusters);
    let wrong = wrong(&pairs, &clusters);
    assert!(score.precision() >= 0.998, "precision {:.4}\n{wrong}", score.precision());
    assert!(score.recall() >= 0.98, "recall {:.4}\n{wrong}", score.recall());
    for (kind, pairs) in by(&pairs, |pair| &pair.kind) {
        let [called, all] = Score::of(pairs, &clusters).others;
        assert!(called <= 1.max(all / 100), "{kind}: {called} of {all} called copies\n{wrong}");
    }
    let is_natural = |pair: &&Pair| pair.kind.starts_with("nat_") || pair.kind == "tg_syndicated";
    let natural = Score::of(pairs.iter().filter(is_natural), &clusters);
    assert!(natural.recall() >= 0.94, "natural kinds: recall {:.3}\n{wrong}", natural.recall());
    let truth = lines(&folder.join("clusters.jsonl"));
    let rand = adjusted_rand_index(&truth, &clusters);
    assert!(rand >= 0.985, "adjusted Rand index {rand:.4}");
}

fn adjusted_rand_index(truth: &[Value], clusters: &HashMap<String, String>) -> f64 {
    let mut counts: [HashMap<(String, String), f64>; 3] = Default::default();
    for row in truth {
        let text = |key: &str| row[key].as_str().unwrap().to_owned();
        let (right, ours) = (text("cluster"), clusters[&text("id")].clone());
        for (counts, key) in counts.iter_mut().zip([
            (right.clone(), String::new()),
            (String::new(), ours.clone()),
            (right, ours),
        ]) {
            *counts.entry(key).or_default() += 1.0;
        }
    }
    let pairs = |n: f64| n * (n - 1.0) / 2.0;
    let [right, ours, both] = counts.map(|counts| counts.into_values().map(pairs).sum::<f64>());
    let expected = right * ours / pairs(truth.len() as f64);
    (both - expected) / ((right + ours) / 2.0 - expected)
}

/// Any shuffle of arrivals within an hour: the same pairs are together or apart, but for one in a hundred.
#[test]
fn the_order_of_arrival_within_an_hour_hardly_matters() {
    for folder in [Some(own_set()), shared_set()].into_iter().flatten() {
        let (articles, pairs) = (lines(&folder.join("articles.jsonl")), pairs(&folder));
        let first = clusters(&articles);
        for seed in 1..=2_u64 {
            let shuffled = clusters(&shuffled(&articles, seed));
            let is_together = |pair: &Pair, clusters: &HashMap<String, String>| {
                clusters[&pair.a] == clusters[&pair.b]
            };
            let same = pairs
                .iter()
                .filter(|pair| is_together(pair, &first) == is_together(pair, &shuffled))
                .count();
            assert!(
                same as f64 >= 0.99 * pairs.len() as f64,
                "seed {seed}: {same} of {}",
                pairs.len()
            );
        }
    }
}

fn shuffled(articles: &[Value], seed: u64) -> Vec<Value> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut delay = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % 3600) as i64
    };
    let mut timed: Vec<(i64, &Value)> = articles
        .iter()
        .map(|article| {
            let at: jiff::Timestamp = article["published"].as_str().unwrap().parse().unwrap();
            (at.as_second() + delay(), article)
        })
        .collect();
    timed.sort_by_key(|(at, _)| *at);
    timed.into_iter().map(|(_, article)| article.clone()).collect()
}
