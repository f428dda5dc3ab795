//! Publishers of all kinds over many polls, against a twin that only remembers what was ever listed: each entry stands
//! in exactly one place, no text is lost, and a poll without news changes nothing.

use std::collections::HashMap;

use newsfold::model::FeedId;

use super::super::desk::{Desk, Entry, story};

const FEEDS: usize = 4;
const ROUNDS: usize = 40;
/// Entries that a feed lists at once.
const LISTED: usize = 6;
const TITLES: [&str; 8] = [
    "Bridge opened",
    "Ferry cancelled",
    "Choir sings",
    "Morning briefing",
    "Pier closed",
    "Vote",
    "Market",
    "Rescue at sea",
];

/// A small generator of its own: the same seed is the same run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % sides
    }
}

/// One publisher and everything that it ever listed; `listed` are places in `entries`, newest first.
struct Publisher {
    feed: FeedId,
    entries: Vec<Entry>,
    listed: Vec<usize>,
    /// Stories that it has carried: the same text under other keys would be the same entry, moved.
    carried: Vec<u64>,
    /// Entries that stand in the last document: one that nobody saw is no entry.
    seen: usize,
    /// Entries touched since the last document: with all keys and the text changed at once nobody knows it again.
    touched: Vec<usize>,
}

impl Publisher {
    fn new(feed: FeedId) -> Self {
        let none = Vec::new;
        Self {
            feed,
            entries: Vec::new(),
            listed: none(),
            carried: Vec::new(),
            seen: 0,
            touched: none(),
        }
    }

    /// Does one thing that publishers do.
    fn act(&mut self, dice: &mut Dice) {
        if self.listed.is_empty() || dice.roll(3) == 0 {
            return self.publish(dice);
        }
        let at = self.listed[dice.roll(self.listed.len())];
        if self.touched.contains(&at) || at >= self.seen {
            return;
        }
        self.touched.push(at);
        let entry = &mut self.entries[at];
        match dice.roll(8) {
            0 => entry.body.push_str(&format!(" {}.", story(dice.0, 5))),
            1 => entry.body = story(dice.0, 40),
            2 => entry.title.push('!'),
            3 => entry.title = format!("{} {}", TITLES[dice.roll(8)], dice.roll(100)),
            4 => entry.guid = Some(format!("renumbered-{}", dice.0)),
            5 => entry.url = Some(format!("https://moved.example/{}", dice.0)),
            6 => self.listed.retain(|listed| *listed != at),
            _ => {
                let returning = dice.roll(self.seen);
                if !self.listed.contains(&returning) && !self.touched.contains(&returning) {
                    self.listed.insert(dice.roll(self.listed.len() + 1), returning);
                }
            }
        }
    }

    /// A story, often one that others carry as well, sometimes cut or under another headline.
    fn publish(&mut self, dice: &mut Dice) {
        let number = dice.roll(60) as u64;
        if self.carried.contains(&number) {
            return;
        }
        self.carried.push(number);
        let whole = story(number + 1, 90);
        let body = match dice.roll(4) {
            0 => whole[..whole.len() * 3 / 4].to_owned(),
            1 => format!("{whole} {}", story(dice.0, 40)),
            _ => whole,
        };
        let title = match dice.roll(3) {
            0 => format!("{} {}", TITLES[dice.roll(8)], dice.roll(20)),
            _ => format!("{} {number}", TITLES[number as usize % 8]),
        };
        let key = format!("{}-{}", self.feed.0, self.entries.len());
        self.listed.insert(0, self.entries.len());
        self.entries.push(Entry::new(&key, &title, &body));
    }

    fn document(&mut self) -> Vec<Entry> {
        // What has just come stands at the top: it is listed at least once.
        let fresh = self.listed.iter().filter(|at| **at >= self.seen).count();
        self.listed.truncate(LISTED.max(fresh));
        self.seen = self.entries.len();
        self.touched.clear();
        self.listed.iter().map(|at| self.entries[*at].clone()).collect()
    }
}

#[test]
fn whatever_publishers_do_each_entry_stands_in_one_place() {
    for seed in 1..=2 {
        run(seed);
    }
}

fn run(seed: u64) {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut desk = Desk::new();
    let mut publishers: Vec<Publisher> =
        (0..FEEDS).map(|number| Publisher::new(desk.feed(&format!("feed-{number}")))).collect();
    for round in 0..ROUNDS {
        for publisher in &mut publishers {
            for _ in 0..1 + dice.roll(3) {
                publisher.act(&mut dice);
            }
            let document = publisher.document();
            let report = desk.poll(publisher.feed, &document);
            assert_eq!(report.entries as usize, document.len());
            let again = desk.poll(publisher.feed, &document);
            assert_eq!(
                (again.new, again.revised, again.duplicates),
                (0, 0, 0),
                "seed {seed}, round {round}"
            );
        }
        if dice.roll(10) == 0 {
            desk.restart();
        }
        if dice.roll(4) == 0
            && let Some(id) =
                desk.rows("SELECT max(id) FROM duplicates").pop().filter(|id| !id.is_empty())
        {
            desk.unfold(id.parse().unwrap());
        }
        compare(&desk, &publishers, &format!("seed {seed}, round {round}"));
    }
    desk.check();
}

fn compare(desk: &Desk, publishers: &[Publisher], when: &str) {
    let ledger: HashMap<String, String> = desk
        .rows("SELECT feed_id, count(*) FROM entries GROUP BY 1")
        .iter()
        .map(|row| {
            row.split_once('|').map(|(feed, count)| (feed.to_owned(), count.to_owned())).unwrap()
        })
        .collect();
    for publisher in publishers {
        let listed_ever = publisher.entries.len().to_string();
        assert_eq!(
            ledger.get(&publisher.feed.0.to_string()),
            Some(&listed_ever),
            "{when}: feed {}",
            publisher.feed
        );
        for at in &publisher.listed {
            let entry = &publisher.entries[*at];
            let places = desk.call({
                let body = entry.body.clone();
                let path = desk.path.clone();
                move |_| {
                    let body = body.replace('\'', "''");
                    super::super::desk::rows(
                        &path,
                        &format!("SELECT 1 FROM articles WHERE body = '{body}' UNION ALL SELECT 2 FROM duplicates WHERE body = '{body}' UNION ALL SELECT 3 FROM revisions WHERE body = '{body}'"),
                    )
                }
            });
            assert!(!places.is_empty(), "{when}: the text of {entry:?} is nowhere");
        }
    }
    let total: usize = publishers.iter().map(|publisher| publisher.entries.len()).sum();
    let rows = "SELECT (SELECT count(*) FROM articles) + (SELECT count(*) FROM duplicates)";
    assert_eq!(desk.value(rows), total.to_string(), "{when}");
    let shared = "SELECT count(*) FROM (SELECT 1 FROM entries GROUP BY coalesce(article_id, -duplicate_id) HAVING count(*) > 1)";
    assert_eq!(desk.value(shared), "0", "{when}");
    let adrift = "SELECT count(*) FROM entries WHERE article_id IS NULL AND duplicate_id IS NULL";
    assert_eq!(desk.value(adrift), "0", "{when}");
    let lenders = "SELECT count(*) FROM articles AS a WHERE (a.body_source = 'copy') <> (a.text_from IS NOT NULL)
                   OR EXISTS (SELECT 1 FROM duplicates AS d WHERE d.id = a.text_from AND d.article_id <> a.id)";
    assert_eq!(desk.value(lenders), "0", "{when}");
    let changes = "SELECT count(*) - count(DISTINCT change_id) FROM articles";
    assert_eq!(desk.value(changes), "0", "{when}");
}
