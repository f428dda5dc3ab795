//! The decisions of judging and writing, each through a real file: identity, revisions, takeover, unfold.

use newsfold::{
    dedup::{Prefer, Scope},
    digest::Arrival,
    model::{BodySource, FeedId, Timestamp},
    store::claims::{Claim, Mode},
    writer::{self, Initial, Outcome},
};

use crate::desk::{Desk, Entry, story};

#[test]
fn a_second_poll_adds_nothing() {
    let mut desk = Desk::new();
    let feed = desk.feed("a");
    let entries = [
        Entry::new("2", "Ferry cancelled", &story(2, 80)),
        Entry::new("1", "Bridge opened", &story(1, 80)),
    ];
    let report = desk.poll(feed, &entries);
    assert_eq!((report.entries, report.new, report.revised, report.duplicates), (2, 2, 0, 0));
    let report = desk.poll(feed, &entries);
    assert_eq!((report.entries, report.new, report.revised, report.duplicates), (2, 0, 0, 0));
    assert_eq!(
        desk.rows("SELECT id, title FROM articles"),
        ["1|Bridge opened", "2|Ferry cancelled"]
    );
    assert_eq!(
        desk.rows("SELECT outcome, entries, new FROM polls"),
        ["changed|2|2", "changed|2|0"]
    );
    desk.check();
}

#[test]
fn a_copy_in_another_feed_is_folded_with_its_evidence() {
    let mut desk = Desk::new();
    let (a, b) = (desk.feed("a"), desk.feed("b"));
    desk.poll(a, &[Entry::new("1", "Bridge opened in Holm", &story(1, 120))]);
    let copy = Entry::new("x", "Holm has its bridge", &format!("HOLM (Agency) {}", story(1, 115)))
        .url(Some("https://b.example/x"));
    let report = desk.poll(b, &[copy]);
    assert_eq!((report.new, report.duplicates), (0, 1));
    assert_eq!(report.duplicates_by_reason.get("near_duplicate"), Some(&1));
    assert_eq!(
        desk.value(
            "SELECT article_id, feed_id, reason, similarity > 0.9, distance IS NOT NULL,
                    json_extract(evidence, '$.matched.article') FROM duplicates"
        ),
        "1|2|near_duplicate|1|1|1"
    );
    assert_eq!(desk.value("SELECT carriers FROM latest"), "2");
    assert_eq!(
        desk.rows("SELECT feed, role FROM carriers WHERE article_id = 1"),
        ["a|kept", "b|copy"]
    );
    desk.check();
}

#[test]
fn an_unrelated_text_under_the_same_headline_stays_its_own() {
    let mut desk = Desk::new();
    let (a, b) = (desk.feed("a"), desk.feed("b"));
    desk.poll(a, &[Entry::new("1", "Morning briefing", &story(1, 120))]);
    desk.later(2 * 86_400);
    let report = desk.poll(b, &[Entry::new("2", "Morning briefing", &story(2, 120))]);
    assert_eq!(report.new, 1);
    assert_eq!(
        desk.value("SELECT json_array_length(evidence, '$.refused') FROM articles WHERE id = 2"),
        "1"
    );
}

#[test]
fn a_much_longer_text_is_compared_only_under_a_headline_that_the_shorter_tells() {
    for (title, verdict) in
        [("Harbour walls to be rebuilt", "1|0|1"), ("Bridge opened in Holm", "0|")]
    {
        // In both orders: the longer text is the stored one, or the new one.
        for is_longer_first in [true, false] {
            let mut desk = Desk::new();
            let (a, b) = (desk.feed("a"), desk.feed("b"));
            let report = Entry::new("1", "Bridge opened in Holm", &story(1, 400));
            let summary = Entry::new("2", title, &story(1, 60));
            let (first, second) =
                if is_longer_first { (report, summary) } else { (summary, report) };
            desk.poll(a, &[first]);
            desk.poll(b, &[second]);
            let seen = desk.rows(
                "SELECT count(*), json_extract(evidence, '$.compared'),
                        json_extract(evidence, '$.passed_over') FROM articles WHERE id = 2",
            );
            assert_eq!(seen[0].trim_end_matches('|'), verdict.trim_end_matches('|'), "{title}");
            desk.check();
        }
    }
}

#[test]
fn an_edit_is_a_revision_and_never_a_second_article() {
    let mut desk = Desk::new();
    let feed = desk.feed("a");
    let body = story(1, 60);
    let entry = Entry::new("1", "Bridge opened", &body);
    desk.poll(feed, std::slice::from_ref(&entry));
    let edits = [
        (entry.clone().titled("Bridge opened!"), "cosmetic", 1),
        (entry.clone().titled("Holm has a bridge"), "headline", 2),
        (
            entry
                .clone()
                .titled("Holm has a bridge")
                .saying(&format!("{body} It cost 12 million.")),
            "substantive",
            3,
        ),
    ];
    for (edited, change, change_id) in edits {
        let report = desk.poll(feed, &[edited]);
        assert_eq!((report.new, report.revised), (0, 1), "{change}");
        assert_eq!(
            desk.value("SELECT change FROM revisions ORDER BY revision DESC LIMIT 1"),
            change
        );
        assert_eq!(desk.value("SELECT change_id FROM articles"), change_id.to_string());
    }
    assert_eq!(desk.value("SELECT revision FROM articles"), "4");
    assert_eq!(
        desk.rows("SELECT revision, title FROM revisions"),
        ["1|Bridge opened", "2|Bridge opened!", "3|Holm has a bridge"]
    );
    assert_eq!(
        desk.value("SELECT count(*) FROM article_fts WHERE article_fts MATCH 'million'"),
        "1"
    );
    desk.check();
}

#[test]
fn an_article_that_is_edited_often_stays_to_be_found() {
    let mut desk = Desk::new();
    let (a, b) = (desk.feed("a"), desk.feed("b"));
    let said = |edit: u64| format!("{} {}", story(1, 200), story(100 + edit, 12));
    for edit in 0..20_u64 {
        desk.poll(a, &[Entry::new("1", "Bridge opened in Holm", &said(edit))]);
    }
    desk.poll(a, &[Entry::new("1", "Holm crosses the river dry of foot", &said(20))]);
    let copy = Entry::new("2", "Bridge opened in Holm", &said(19)).url(Some("https://b.example/2"));
    assert_eq!(desk.poll(b, &[copy]).duplicates, 1);
    // What nobody has any more is not indexed either.
    assert_eq!(desk.value("SELECT count(*) FROM fingerprints"), "2");
    desk.restart();
    let copy = Entry::new("3", "Bridge opened in Holm", &said(18)).url(Some("https://b.example/3"));
    assert_eq!(desk.poll(b, &[copy]).duplicates, 1);
    desk.check();
}

#[test]
fn a_copy_under_a_headline_whose_spelling_was_corrected_is_found() {
    let mut desk = Desk::new();
    let (a, b) = (desk.feed("a"), desk.feed("b"));
    let whole = story(1, 400);
    let entry = Entry::new("1", "Goverment minster resings over leak", &whole);
    desk.poll(a, std::slice::from_ref(&entry));
    let corrected = "Government minister resigns over leak";
    assert_eq!(desk.poll(a, &[entry.clone().titled(corrected)]).revised, 1);
    let half: String = whole.split_inclusive(' ').take(150).collect();
    let copy = Entry::new("2", corrected, &half).url(Some("https://b.example/2"));
    assert_eq!(desk.poll(b, &[copy]).duplicates, 1);
    desk.check();
}

#[test]
fn an_entry_that_loses_its_text_takes_nothing_away() {
    let mut desk = Desk::new();
    let feed = desk.feed("a");
    let entry = Entry::new("1", "Bridge opened", &story(1, 60));
    desk.poll(feed, std::slice::from_ref(&entry));
    let report = desk.poll(feed, &[entry.clone().saying("")]);
    assert_eq!((report.new, report.revised), (0, 0));
    assert_eq!(desk.value("SELECT word_count FROM articles"), "60");
}

#[test]
fn a_new_guid_under_the_same_url_is_the_same_entry_if_the_old_is_gone() {
    let mut desk = Desk::new();
    let feed = desk.feed("a");
    let entry = Entry::new("1", "Bridge opened", &story(1, 60));
    desk.poll(feed, std::slice::from_ref(&entry));
    let renamed = entry.clone().guid(Some("tag:example,other")).saying(&story(9, 60));
    let report = desk.poll(feed, &[renamed]);
    assert_eq!((report.new, report.revised), (0, 1));
    assert_eq!(desk.value("SELECT guid FROM entries"), "tag:example,other");
}

#[test]
fn two_guids_under_one_url_listed_together_are_two_entries() {
    let mut desk = Desk::new();
    let feed = desk.feed("a");
    let one = Entry::new("1", "Bridge opened", &story(1, 60));
    desk.poll(feed, std::slice::from_ref(&one));
    let other = Entry::new("1", "Ferry cancelled", &story(2, 60)).guid(Some("tag:example,2"));
    let report = desk.poll(feed, &[other, one]);
    assert_eq!(report.new, 1);
    assert_eq!(desk.value("SELECT count(*) FROM articles"), "2");
}

#[test]
fn a_feed_that_moves_its_pages_and_guids_lists_nothing_new() {
    let mut desk = Desk::new();
    let feed = desk.feed("a");
    let old: Vec<Entry> =
        (0..10).map(|n| Entry::new(&n.to_string(), &format!("Title {n}"), &story(n, 60))).collect();
    desk.poll(feed, &old);
    desk.later(20 * 86_400);
    let moved: Vec<Entry> = (0..10)
        .map(|n| Entry::new(&format!("new-{n}"), &format!("Title {n}"), &story(n, 60)))
        .collect();
    let report = desk.poll(feed, &moved);
    assert_eq!((report.new, report.duplicates), (0, 0));
    assert_eq!(desk.value("SELECT count(*) FROM articles"), "10");
}

#[test]
fn a_recurring_text_of_another_day_is_not_taken_for_known() {
    let mut desk = Desk::new();
    let feed = desk.feed("a");
    let text = story(1, 60);
    desk.poll(feed, &[Entry::new("1", "What is on", &text).published("2026-11-01T08:00:00Z")]);
    desk.later(30 * 86_400);
    let report =
        desk.poll(feed, &[Entry::new("2", "What is on", &text).published("2026-12-01T08:00:00Z")]);
    assert_eq!(
        report.new, 1,
        "outside the window nothing folds it, and the ledger must not swallow it"
    );
}

#[test]
fn repeated_guids_lose_trust_and_no_entry() {
    let mut desk = Desk::new();
    let feed = desk.feed("a");
    let entries: Vec<Entry> = (0..5)
        .map(|n| Entry::new(&n.to_string(), &format!("Title {n}"), &story(n, 60)).guid(Some("0")))
        .collect();
    assert_eq!(desk.poll(feed, &entries).new, 5);
    assert_eq!(desk.value("SELECT guids FROM feed_health"), "worthless");
    assert_eq!(desk.poll(feed, &entries).new, 0);
    let edited: Vec<Entry> = entries
        .iter()
        .map(|entry| entry.clone().saying(&format!("{} And 7 more.", entry.body)))
        .collect();
    let report = desk.poll(feed, &edited);
    assert_eq!((report.new, report.revised), (0, 5));
    assert_eq!(desk.value("SELECT count(*) FROM articles"), "5");
}

#[test]
fn guids_that_are_new_at_every_poll_lose_trust_and_make_nothing_new() {
    let mut desk = Desk::new();
    let feed = desk.feed("a");
    let at_poll = |poll: u32| -> Vec<Entry> {
        (0..4)
            .map(|n| {
                Entry::new(&n.to_string(), &format!("Title {n}"), &story(n, 60))
                    .guid(Some(&format!("session-{poll}-{n}")))
            })
            .collect()
    };
    assert_eq!(desk.poll(feed, &at_poll(0)).new, 4);
    for poll in 1..5 {
        assert_eq!(desk.poll(feed, &at_poll(poll)).new, 0, "poll {poll}");
    }
    assert_eq!(desk.value("SELECT guids FROM feed_health"), "worthless");
    assert_eq!(desk.value("SELECT count(*) FROM articles"), "4");
}

#[test]
fn losing_trust_in_guids_keeps_what_was_known_by_them() {
    let mut desk = Desk::new();
    let feed = desk.feed("a");
    let entries: Vec<Entry> = (0..3)
        .map(|n| Entry::new(&n.to_string(), &format!("Title {n}"), &story(n, 60)).url(None))
        .collect();
    desk.poll(feed, &entries);
    let mut next: Vec<Entry> = entries
        .iter()
        .map(|entry| entry.clone().saying(&format!("{} And 7 more.", entry.body)))
        .collect();
    next.insert(0, Entry::new("x", "One", &story(11, 60)).guid(Some("same")).url(None));
    next.insert(0, Entry::new("y", "Two", &story(12, 60)).guid(Some("same")).url(None));
    let report = desk.poll(feed, &next);
    assert_eq!((report.new, report.revised), (2, 3));
    assert_eq!(desk.value("SELECT guids FROM feed_health"), "worthless");
}

#[test]
fn a_shared_url_proves_nothing() {
    let mut desk = Desk::new();
    let feed = desk.feed("a");
    let page = Some("https://news.example/live");
    let entries: Vec<Entry> = (0..3)
        .map(|n| Entry::new("", &format!("Title {n}"), &story(n, 60)).guid(None).url(page))
        .collect();
    assert_eq!(desk.poll(feed, &entries).new, 3);
    let fresh = Entry::new("", "Title 9", &story(9, 60)).guid(None).url(page);
    assert_eq!(desk.poll(feed, &[fresh]).new, 1);
}

#[test]
fn a_fuller_copy_lends_its_text_and_the_article_keeps_its_name() {
    let mut desk = Desk::new();
    let (a, b) = (desk.feed("a"), desk.feed("b"));
    let short = story(1, 100);
    let full = format!("{short} {}", story(2, 60));
    desk.poll(a, &[Entry::new("1", "Bridge opened", &short).published("2026-11-23T08:00:00Z")]);
    let report = desk
        .poll(b, &[Entry::new("2", "Holm has a bridge", &full).url(Some("https://b.example/2"))]);
    assert_eq!((report.new, report.duplicates), (0, 1));
    assert_eq!(
        desk.value("SELECT id, feed_id, guid, title, word_count, body_source, text_from, revision, change_id, published_at FROM articles"),
        "1|1|tag:example,1|Holm has a bridge|160|copy|1|2|2|2026-11-23T08:00:00Z"
    );
    assert_eq!(
        desk.value("SELECT title, change, word_count FROM revisions"),
        "Bridge opened|fuller|100"
    );
    assert_eq!(desk.value("SELECT count(*) FROM duplicates"), "1");

    // A later edit of the first publisher is recorded; it is shown once it is the fullest.
    let edited = format!("{short} Opened by 3 children.");
    let report = desk
        .poll(a, &[Entry::new("1", "Bridge opened", &edited).published("2026-11-23T08:00:00Z")]);
    assert_eq!(report.revised, 1);
    assert_eq!(
        desk.value("SELECT word_count, body_source, revision, change_id FROM articles"),
        "160|copy|3|2"
    );
    assert_eq!(
        desk.value("SELECT body LIKE '%3 children.' FROM revisions WHERE revision = 2"),
        "1"
    );
    let edited = format!("{full} Opened by 3 children.");
    desk.poll(a, &[Entry::new("1", "Bridge opened", &edited).published("2026-11-23T08:00:00Z")]);
    assert_eq!(
        desk.value("SELECT title, word_count, body_source, text_from, change_id FROM articles"),
        "Bridge opened|164|feed||3"
    );
    desk.check();
}

#[test]
fn first_come_keeps_its_text_where_that_is_preferred() {
    let mut desk = Desk::new();
    desk.prefer(Prefer::First);
    let (a, b) = (desk.feed("a"), desk.feed("b"));
    let short = story(1, 100);
    desk.poll(a, &[Entry::new("1", "Bridge opened", &short)]);
    desk.poll(b, &[Entry::new("2", "Holm has a bridge", &format!("{short} {}", story(2, 60)))]);
    assert_eq!(
        desk.value("SELECT title, word_count, revision FROM articles"),
        "Bridge opened|100|1"
    );
}

#[test]
fn of_two_equally_full_texts_the_higher_priority_is_shown() {
    let mut desk = Desk::new();
    let (a, b) = (desk.feed("a"), desk.feed_with("b", Scope::All, 5));
    let c = desk.feed("c");
    let text = story(1, 100);
    desk.poll(a, &[Entry::new("1", "Bridge opened", &text)]);
    desk.poll(b, &[Entry::new("2", "Holm has a bridge", &text)]);
    assert_eq!(desk.value("SELECT title, body_source FROM articles"), "Holm has a bridge|copy");
    desk.poll(c, &[Entry::new("3", "A bridge for Holm", &text)]);
    assert_eq!(desk.value("SELECT title FROM articles"), "Holm has a bridge");
}

#[test]
fn an_edited_copy_is_judged_again_and_may_leave() {
    let mut desk = Desk::new();
    let (a, b) = (desk.feed("a"), desk.feed("b"));
    let text = story(1, 120);
    desk.poll(a, &[Entry::new("1", "Bridge opened", &text)]);
    let copy = Entry::new("2", "Holm has a bridge", &text).url(Some("https://b.example/2"));
    desk.poll(b, std::slice::from_ref(&copy));
    let report = desk.poll(b, &[copy.clone().saying(&format!("{text} By our 2 reporters."))]);
    assert_eq!((report.revised, report.new), (1, 0));
    assert_eq!(desk.value("SELECT body LIKE '%reporters.' FROM duplicates"), "1");
    let report = desk.poll(b, &[copy.clone().saying(&story(5, 120))]);
    assert_eq!(report.revised, 1);
    assert_eq!(desk.value("SELECT count(*) FROM duplicates"), "0");
    assert_eq!(desk.rows("SELECT id, feed_id FROM articles"), ["1|1", "2|2"]);
    assert_eq!(
        desk.rows("SELECT feed_id, article_id, duplicate_id FROM entries"),
        ["1|1|", "2|2|"]
    );
    desk.check();
}

#[test]
fn unfolding_gives_each_its_own_and_holds_for_good() {
    let mut desk = Desk::new();
    let (a, b) = (desk.feed("a"), desk.feed("b"));
    let short = story(1, 100);
    let full = format!("{short} {}", story(2, 60));
    desk.poll(a, &[Entry::new("1", "Bridge opened", &short)]);
    let copy = Entry::new("2", "Holm has a bridge", &full).url(Some("https://b.example/2"));
    desk.poll(b, std::slice::from_ref(&copy));
    assert_eq!(desk.unfold(1), 2);
    assert_eq!(
        desk.rows("SELECT id, feed_id, title, word_count, body_source, change_id FROM articles"),
        ["1|1|Bridge opened|100|feed|3", "2|2|Holm has a bridge|160|feed|4"]
    );
    assert_eq!(desk.rows("SELECT revision, change FROM revisions"), ["1|fuller", "2|unfolded"]);
    assert_eq!(desk.value("SELECT article_id FROM entries WHERE feed_id = 2"), "2");

    // Not even when the row itself has gone and the entry comes again, after a restart.
    desk.restart();
    desk.execute("UPDATE entries SET article_id = NULL WHERE feed_id = 2; DELETE FROM entries WHERE feed_id = 2");
    desk.execute("UPDATE articles SET text_id = NULL WHERE id = 2");
    let report = desk.poll(b, &[copy]);
    assert_eq!((report.new, report.duplicates), (1, 0));
    desk.check();
}

#[test]
fn after_an_unfold_the_fullest_copy_that_is_left_lends_its_text() {
    let mut desk = Desk::new();
    let feeds = ["a", "b", "c", "d"].map(|name| desk.feed(name));
    let stub = story(1, 60);
    let fuller = |words| format!("{stub} {}", story(2, words));
    for (feed, text) in feeds.iter().zip([stub.clone(), fuller(40), fuller(120), fuller(240)]) {
        desk.poll(*feed, &[Entry::new(&feed.0.to_string(), "Bridge opened", &text)]);
    }
    let shown = "SELECT word_count, body_source, text_from FROM articles WHERE id = 1";
    assert_eq!(desk.rows(shown), ["300|copy|3"]);
    desk.unfold(3);
    assert_eq!(desk.rows(shown), ["180|copy|2"]);
    assert_eq!(
        desk.rows(
            "SELECT change FROM revisions WHERE article_id = 1 ORDER BY revision DESC LIMIT 1"
        ),
        ["fuller"]
    );
    // Who prefers the first text gets it.
    desk.prefer(Prefer::First);
    desk.unfold(2);
    assert_eq!(desk.rows(shown), ["60|feed|"]);
    desk.check();
}

#[test]
fn after_an_unfold_priority_counts_among_the_copies_that_are_left() {
    let mut desk = Desk::new();
    let text = story(1, 100);
    let feeds = [("a", 0), ("b", 9), ("c", 0), ("d", 5)];
    let feeds = feeds.map(|(name, priority)| desk.feed_with(name, Scope::All, priority));
    for feed in feeds {
        desk.poll(feed, &[Entry::new(&feed.0.to_string(), "Bridge opened", &text)]);
    }
    let shown = "SELECT body_source, text_from FROM articles WHERE id = 1";
    assert_eq!(desk.rows(shown), ["copy|1"]);
    desk.unfold(1);
    assert_eq!(desk.rows(shown), ["copy|3"]);
    desk.check();
}

#[test]
fn copies_of_a_lent_text_leave_with_it() {
    let entry = |key: &str, body: &str| {
        Entry::new(key, "Storm breaks masts at Holm", body)
            .url(Some(&format!("https://{key}.example/storm")))
    };
    let parts: Vec<String> = (1..=6).map(|seed| story(seed, 48)).collect();
    let lent = || {
        let mut desk = Desk::new();
        let feeds = ["a", "b", "c", "d"].map(|name| desk.feed(name));
        desk.poll(feeds[0], &[entry("a", &parts[0])]);
        desk.poll(feeds[1], &[entry("b", &parts.join("\n\n"))]);
        desk.poll(feeds[2], &[entry("c", &parts[3..].join("\n\n"))]);
        desk.poll(feeds[3], &[entry("d", &parts[2..].join("\n\n"))]);
        assert_eq!(desk.rows("SELECT article_id FROM duplicates"), ["1", "1", "1"]);
        (desk, feeds)
    };
    let articles = "SELECT id, feed_id, word_count, body_source FROM articles";
    let copies = "SELECT id, article_id, reason FROM duplicates";

    let (desk, _) = lent();
    desk.unfold(1);
    assert_eq!(desk.rows(articles), ["1|1|48|feed", "2|2|288|feed"]);
    assert_eq!(desk.rows(copies), ["2|2|near_duplicate", "3|2|near_duplicate"]);
    assert_eq!(
        desk.rows("SELECT evidence ->> '$.left' FROM duplicates WHERE article_id = 2"),
        ["1", "1"]
    );
    desk.check();

    // The lender tells another story: the two that matched it are one article, shown by the fuller.
    let (mut desk, feeds) = lent();
    desk.poll(feeds[1], &[entry("b", &story(9, 200))]);
    assert_eq!(desk.rows(articles), ["1|1|48|feed", "2|2|200|feed", "3|4|192|feed"]);
    assert_eq!(desk.rows(copies), ["2|3|near_duplicate"]);
    desk.check();
}

#[test]
fn an_article_that_tells_another_story_loses_the_copies_of_the_first() {
    for (title, body) in [
        ("Bears seen near the school", &*story(2, 150)),
        ("Correction of Monday", "This report was withdrawn."),
    ] {
        let mut desk = Desk::new();
        let [a, b, c] = ["a", "b", "c"].map(|name| desk.feed(name));
        let top = |body: &str| Entry::new("top", "Storm breaks masts at Holm", body);
        desk.poll(a, &[top(&story(1, 120))]);
        desk.poll(b, &[Entry::new("b", "Storm breaks masts at Holm", &story(1, 110))]);
        desk.poll(c, &[Entry::new("c", "Storm breaks masts at Holm", &story(1, 100))]);
        // An edit that leaves something of it is one.
        let grown = format!("{} {}", story(1, 60), story(3, 200));
        desk.poll(a, &[top(&grown)]);
        assert_eq!(desk.value("SELECT count(*) FROM articles"), "1");
        desk.poll(a, &[top(body).titled(title)]);
        assert_eq!(desk.rows("SELECT id, feed_id FROM articles"), ["1|1", "2|2"], "{title}");
        assert_eq!(desk.rows("SELECT id, article_id FROM duplicates"), ["2|2"]);
        assert_eq!(desk.rows("SELECT feed_id, article_id FROM entries"), ["1|1", "2|2", "3|"]);
        desk.check();
    }
}

#[test]
fn a_chain_of_copies_names_an_article_that_stands() {
    let mut desk = Desk::new();
    let (a, b, c) = (desk.feed("a"), desk.feed("b"), desk.feed("c"));
    let text = story(1, 150);
    desk.poll(a, &[Entry::new("1", "Bridge opened", &text)]);
    desk.poll(
        b,
        &[Entry::new("2", "Holm has a bridge", &format!("{} {}", story(1, 120), story(7, 30)))],
    );
    desk.poll(
        c,
        &[Entry::new("3", "A bridge for Holm", &format!("{} {}", story(1, 100), story(7, 30)))],
    );
    assert_eq!(desk.value("SELECT count(*) FROM articles"), "1");
    assert_eq!(desk.value("SELECT count(*) FROM duplicates WHERE article_id = 1"), "2");
}

#[test]
fn an_item_without_text_joins_no_two_reports() {
    let title = "Fire in the old harbour hall";
    let entry = |key: &str, body: &str| {
        Entry::new(key, title, body).url(Some(&format!("https://{key}.example/fire")))
    };
    let mut desk = Desk::new();
    let feeds = ["a", "b", "c", "d"].map(|name| desk.feed(name));
    desk.poll(feeds[0], &[entry("a", "")]);
    assert_eq!(desk.poll(feeds[1], &[entry("b", &story(1, 120))]).duplicates, 1);
    assert_eq!(desk.poll(feeds[2], &[entry("c", &story(2, 120))]).duplicates, 0);
    assert_eq!(desk.poll(feeds[3], &[entry("d", &story(1, 110))]).duplicates, 1);
    assert_eq!(desk.rows("SELECT article_id FROM duplicates"), ["1", "1"]);
    assert_eq!(
        desk.value(
            "SELECT value ->> '$.evidence.test' FROM articles, json_each(evidence, '$.refused')
             WHERE articles.id = 2 AND value ->> '$.kept.article' = 1"
        ),
        "few_words"
    );
    desk.check();
}

#[test]
fn an_item_that_grows_into_another_report_leaves() {
    let title = "Fire in the old harbour hall";
    let entry = |key: &str, body: &str| {
        Entry::new(key, title, body).url(Some(&format!("https://{key}.example/fire")))
    };
    for prefer in [Prefer::Fullest, Prefer::First] {
        for (seed, articles) in [(1, "1"), (2, "2")] {
            let mut desk = Desk::new();
            desk.prefer(prefer);
            let feeds = ["a", "b", "c"].map(|name| desk.feed(name));
            desk.poll(feeds[0], &[entry("a", "")]);
            desk.poll(feeds[1], &[entry("b", &story(1, 120))]);
            desk.poll(feeds[2], &[entry("c", "")]);
            assert_eq!(desk.value("SELECT count(*) FROM duplicates"), "2");
            desk.poll(feeds[2], &[entry("c", &story(seed, 110))]);
            assert_eq!(desk.value("SELECT count(*) FROM articles"), articles, "{prefer:?} {seed}");
            desk.check();
        }
    }
}

#[test]
fn a_chain_of_copies_stays_near_what_its_article_shows() {
    let mut desk = Desk::new();
    desk.prefer(Prefer::First);
    let feeds = ["a", "b", "c", "d", "e", "f"].map(|name| desk.feed(name));
    let parts: Vec<String> = (1..12).map(|seed| story(seed, 48)).collect();
    for (at, feed) in feeds.iter().enumerate() {
        let body = parts[at..at + 5].join("\n\n");
        let entry = Entry::new(&at.to_string(), "Bridge closed after the storm", &body);
        desk.poll(*feed, &[entry]);
    }
    // Each holds four fifths of the one before it.
    assert_eq!(desk.rows("SELECT id, feed_id FROM articles"), ["1|1", "2|5"]);
}

#[test]
fn an_article_outside_the_window_takes_no_more_copies() {
    let mut desk = Desk::new();
    let [a, b, c, d] = ["a", "b", "c", "d"].map(|name| desk.feed(name));
    let entry = |key: &str| Entry::new(key, "Bridge opened in Holm", &story(1, 120));
    desk.poll(a, &[entry("1")]);
    desk.later(6 * 86_400);
    assert_eq!(desk.poll(b, &[entry("2")]).duplicates, 1);
    desk.later(2 * 86_400);
    assert_eq!(desk.poll(c, &[entry("3")]).new, 1);
    assert_eq!(desk.poll(d, &[entry("4")]).duplicates, 1);
    assert_eq!(desk.rows("SELECT article_id FROM duplicates"), ["1", "2"]);
}

#[test]
fn a_feed_that_is_off_neither_folds_nor_is_folded_into() {
    let mut desk = Desk::new();
    let (a, off, own) =
        (desk.feed("a"), desk.feed_with("b", Scope::Off, 0), desk.feed_with("c", Scope::Feed, 0));
    let text = story(1, 100);
    assert_eq!(desk.poll(off, &[Entry::new("1", "Bridge opened", &text)]).new, 1);
    assert_eq!(desk.poll(a, &[Entry::new("2", "Bridge opened", &text)]).new, 1);
    assert_eq!(
        desk.poll(
            off,
            &[Entry::new("3", "Bridge opened", &text), Entry::new("1", "Bridge opened", &text)]
        )
        .new,
        1
    );
    assert_eq!(desk.poll(own, &[Entry::new("4", "Bridge opened", &text)]).new, 1);
    let report = desk.poll(
        own,
        &[Entry::new("5", "Bridge opened", &text), Entry::new("4", "Bridge opened", &text)],
    );
    assert_eq!(report.duplicates, 1);
}

#[test]
fn the_same_url_folds_only_where_headline_or_text_agrees() {
    let mut desk = Desk::new();
    let (a, b, c) = (desk.feed("a"), desk.feed("b"), desk.feed("c"));
    desk.poll(a, &[Entry::new("1", "Bridge opened in Holm", &story(1, 120))]);
    let stub = Entry::new("1", "Bridge opened in Holm", &story(2, 14)).guid(None);
    assert_eq!(desk.poll(b, &[stub]).duplicates_by_reason.get("same_url"), Some(&1));
    let other = Entry::new("1", "Ferry strands hundreds", &story(3, 120)).guid(None);
    assert_eq!(desk.poll(c, &[other]).new, 1);
}

#[test]
fn a_guid_that_is_one_everywhere_leads_to_the_other_feeds_entry() {
    for (guid, expected) in
        [("urn:uuid:1225c695-cfb8-4ebb-aaaa-80da344efa6a", 1), ("bridge-opened-in-holm", 0)]
    {
        let mut desk = Desk::new();
        let (a, b) = (desk.feed("a"), desk.feed("b"));
        let title = "Bridge opened in Holm";
        desk.poll(a, &[Entry::new("1", title, &story(1, 120)).guid(Some(guid))]);
        let stub = Entry::new("2", title, &story(2, 14)).guid(Some(guid));
        let found = desk.poll(b, &[stub]).duplicates_by_reason;
        assert_eq!(found.get("same_guid").copied().unwrap_or_default(), expected, "{guid}");
    }
}

#[test]
fn a_page_that_is_used_again_tells_another_story() {
    for (first, second, hours, expected) in [
        ("Weather forecast", "Weather forecast", 1, 0),
        ("Live", "Live from Bergby: the count on election night", 1, 0),
        ("Bridge opened in Holm", "Bridge opened in Holm: four arrested at the ceremony", 1, 0),
        ("Weather forecast for Holm and Varde", "Weather forecast for Holm and Varde", 30, 0),
        ("Weather forecast for Holm and Varde", "Weather forecast for Holm and Varde", 12, 1),
    ] {
        let mut desk = Desk::new();
        let (a, b) = (desk.feed("a"), desk.feed("b"));
        desk.poll(a, &[Entry::new("1", first, &story(1, 120))]);
        desk.later(hours * 3_600);
        let other = Entry::new("1", second, &story(2, 100)).guid(None);
        assert_eq!(desk.poll(b, &[other]).duplicates, expected, "{second} {hours}");
    }
}

#[test]
fn a_stub_and_a_teaser_of_the_same_page_give_way_to_the_report() {
    let title = "Fire in the old harbour hall";
    for (first, is_same_page, expected) in [
        ("", false, "copy|1"),
        ("More on this story shortly.", false, "copy|1"),
        (&*story(2, 20), true, "copy|1"),
        (&*story(2, 50), true, "feed|"),
        (&*story(2, 100), true, "feed|"),
    ] {
        let mut desk = Desk::new();
        let (a, b) = (desk.feed("a"), desk.feed("b"));
        desk.poll(a, &[Entry::new("1", title, first)]);
        let key = if is_same_page { "1" } else { "2" };
        let report = desk.poll(b, &[Entry::new(key, title, &story(1, 120)).guid(None)]);
        assert_eq!(report.duplicates, 1, "{first}");
        assert_eq!(desk.value("SELECT body_source, text_from FROM articles"), expected, "{first}");
        desk.check();
    }
}

#[test]
fn an_edited_copy_of_the_same_page_stays_one() {
    let mut desk = Desk::new();
    let (a, b) = (desk.feed("a"), desk.feed("b"));
    desk.poll(a, &[Entry::new("1", "Bridge opened in Holm", &story(1, 120))]);
    let stub = Entry::new("1", "Bridge opened in Holm", &story(2, 14)).guid(None);
    desk.poll(b, std::slice::from_ref(&stub));
    let report = desk.poll(b, &[stub.saying(&story(3, 14))]);
    assert_eq!((report.revised, report.new), (1, 0));
    assert_eq!(desk.value("SELECT reason, similarity FROM duplicates"), "same_url|1");
    assert_eq!(desk.value("SELECT count(*) FROM articles"), "1");
}

#[test]
fn what_is_said_beside_the_text_follows_without_a_revision() {
    let mut desk = Desk::new();
    let feed = desk.feed("a");
    let entry = Entry::new("1", "Bridge opened", &story(1, 60));
    desk.poll(feed, std::slice::from_ref(&entry));
    let report = desk.poll(feed, &[entry.url(Some("https://news.example/moved"))]);
    assert_eq!((report.new, report.revised), (0, 0));
    assert_eq!(
        desk.value("SELECT url, revision, change_id FROM articles"),
        "https://news.example/moved|1|1"
    );
}

#[test]
fn nothing_is_compared_beyond_the_window() {
    let mut desk = Desk::new();
    let (a, b) = (desk.feed("a"), desk.feed("b"));
    let text = story(1, 100);
    desk.poll(a, &[Entry::new("1", "Bridge opened", &text)]);
    desk.later(8 * 86_400);
    assert_eq!(desk.poll(b, &[Entry::new("2", "Bridge opened", &text)]).new, 1);
}

#[test]
fn a_feed_that_was_empty_at_first_is_no_new_feed_when_it_speaks() {
    let mut desk = Desk::new();
    desk.initial(Initial::Count(0));
    let feed = desk.feed("alarms");
    assert_eq!(desk.poll(feed, &[]).new, 0);
    let alarm = Entry::new("1", "Dam at Holm gives way", &story(1, 60));
    assert_eq!(desk.poll(feed, &[alarm]).new, 1);
}

#[test]
fn a_teaser_listed_again_does_not_replace_the_text_of_the_page() {
    let mut desk = Desk::new();
    let feed = desk.feed("a");
    let (page, teaser) = (story(1, 300), Entry::new("1", "Bridge opened", &story(2, 40)));
    let mut poll = desk.listing(feed, std::slice::from_ref(&teaser));
    let Outcome::Changed(listing) = &mut poll.outcome else { panic!("a listing") };
    let mut article = listing.arrivals[0].article.clone();
    article.body = page.clone();
    article.word_count = 300;
    article.body_source = BodySource::Page;
    listing.arrivals[0] = Arrival::of(article);
    desk.block_on(desk.writer().record(poll)).unwrap();

    let edited = teaser.clone().saying(&story(3, 41));
    assert_eq!(desk.poll(feed, &[edited]).revised, 0);
    assert_eq!(desk.value("SELECT body FROM articles"), page);
    let retitled = teaser.titled("Holm has a bridge").saying(&story(4, 42));
    assert_eq!(desk.poll(feed, &[retitled]).revised, 1);
    assert_eq!(desk.value("SELECT title || body_source FROM articles"), "Holm has a bridgepage");
    assert_eq!(desk.value("SELECT body FROM articles"), page);
    assert_eq!(desk.value("SELECT change FROM revisions"), "headline");
}

#[test]
fn claims_of_another_clock_and_claims_that_nobody_means_to_keep_run_out() {
    let mut desk = Desk::new();
    let feed = desk.feed("a");
    let claim = move |state: &mut writer::State, now: Timestamp| {
        let claim = Claim {
            by: "once:1:1",
            lease_seconds: 600,
            limit: 9,
            per_host_limit: 9,
            mode: Mode::All,
            feeds: None,
        };
        state.db.claim_due(&claim, now).unwrap().len()
    };
    let now = desk.now;
    assert_eq!(desk.call(move |state| claim(state, now.plus_seconds(31_536_000))), 1);
    assert_eq!(desk.call(move |state| claim(state, now)), 0, "held until next year");
    desk.call(move |state| state.db.reanchor(691_200, now).unwrap());
    assert_eq!(desk.call(move |state| claim(state, now)), 1);

    // Only what is named is renewed.
    let later = now.plus_seconds(500);
    desk.call(move |state| {
        state.db.renew_claims("once:1:1", &[], later.plus_seconds(600)).unwrap()
    });
    assert_eq!(desk.call(move |state| claim(state, now.plus_seconds(601))), 1);
    desk.call(move |state| {
        state.db.renew_claims("once:1:1", &[feed], now.plus_seconds(2_000)).unwrap();
    });
    assert_eq!(desk.call(move |state| claim(state, now.plus_seconds(1_900))), 0);
}

#[test]
fn orders_last_as_long_as_they_were_given_for_when_the_clock_is_set_forward() {
    let mut desk = Desk::new();
    for name in ["held", "past", "free"] {
        desk.feed(name);
    }
    let now: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
    desk.execute(
        "UPDATE feeds SET next_poll_at = '2026-11-24T13:00:00Z';
         UPDATE feeds SET retry_after_until = '2026-11-24T13:00:00Z' WHERE id = 1;
         UPDATE feeds SET retry_after_until = '2026-11-24T11:00:00Z' WHERE id = 2;
         INSERT INTO hosts (origin, retry_after_until) VALUES ('https://a.example', '2026-11-25T12:00:00Z');",
    );
    let day = 86_400;
    desk.call(move |state| state.db.follow_clock(day, 691_200, now.plus_seconds(day)).unwrap());
    assert_eq!(
        desk.rows("SELECT next_poll_at, retry_after_until FROM feeds"),
        [
            "2026-11-25T13:00:00Z|2026-11-25T13:00:00Z",
            "2026-11-24T13:00:00Z|2026-11-24T11:00:00Z",
            "2026-11-24T13:00:00Z|"
        ]
    );
    assert_eq!(desk.rows("SELECT retry_after_until FROM hosts"), ["2026-11-26T12:00:00Z"]);
    // An order that was given by the new clock before anybody noticed is no longer for that.
    let year = 365 * day;
    desk.call(move |state| state.db.follow_clock(year, 691_200, now.plus_seconds(day)).unwrap());
    assert_eq!(desk.rows("SELECT retry_after_until FROM hosts"), ["2026-11-26T12:00:00Z"]);
}

#[test]
fn of_a_new_feed_only_so_much_history_becomes_articles() {
    let entries: Vec<Entry> = (0..6)
        .map(|n| {
            Entry::new(&n.to_string(), &format!("Title {n}"), &story(n, 60))
                .published(&format!("2026-11-2{}T08:00:00Z", 3 - n / 2))
        })
        .collect();
    for (initial, expected) in [
        (Initial::All, 6),
        (Initial::Count(2), 2),
        (Initial::Since("2026-11-22T00:00:00Z".parse().unwrap()), 4),
    ] {
        let mut desk = Desk::new();
        desk.initial(initial);
        let feed = desk.feed("a");
        assert_eq!(desk.poll(feed, &entries).new, expected, "{initial:?}");
        assert_eq!(desk.value("SELECT count(*) FROM entries"), "6");
        assert_eq!(desk.poll(feed, &entries).new, 0);
        let mut next = entries.clone();
        next.insert(0, Entry::new("9", "Title 9", &story(9, 60)));
        assert_eq!(desk.poll(feed, &next).new, 1);
    }
}

#[test]
fn what_a_feed_repeats_is_learned_from_kept_articles() {
    let mut desk = Desk::new();
    let (a, b) = (desk.feed("a"), desk.feed("b"));
    let footer = "This report was made by our partner agency in the north.";
    let with_footer = |seed| format!("{}\n\n{footer}", story(seed, 60));
    for n in 0..3 {
        desk.poll(a, &[Entry::new(&n.to_string(), &format!("Title {n}"), &with_footer(n))]);
    }
    assert_eq!(desk.value("SELECT articles FROM furniture WHERE feed_id = 1"), "3");
    assert_eq!(desk.block_on(desk.writer().known(a)).unwrap().furniture.len(), 1);
    desk.poll(b, &[Entry::new("c0", "Other", &with_footer(0))]);
    assert_eq!(desk.value("SELECT count(*) FROM furniture WHERE feed_id = 2"), "0");
    // What was taken off before the two were compared is told: off the article, the shorter one then.
    let stripped = desk.rows(
        "SELECT evidence ->> '$.matched.evidence.stripped[0]' > 40,
                evidence ->> '$.matched.evidence.stripped[1]' FROM duplicates",
    );
    assert_eq!(stripped, ["1|0"]);
}

#[test]
fn a_feed_is_warned_of_once_an_hour_however_it_fails() {
    let mut desk = Desk::new();
    let feed = desk.feed("a");
    let failed = |kind: &str| Outcome::Failed {
        kind: kind.to_owned(),
        message: kind.to_owned(),
        is_soft: true,
    };
    let mut warnings = Vec::new();
    for outcome in
        [failed("not_found"), failed("server_error"), Outcome::Unchanged, failed("not_found")]
    {
        let poll = desk.poll_of(feed, outcome);
        warnings.push(desk.block_on(desk.writer().record(poll)).unwrap().is_warning);
        desk.later(60);
    }
    assert_eq!(warnings, [true, false, false, false]);
    desk.later(3_600);
    let poll = desk.poll_of(feed, failed("not_found"));
    assert!(desk.block_on(desk.writer().record(poll)).unwrap().is_warning);
}

#[test]
fn every_outcome_is_one_row_and_one_state() {
    let mut desk = Desk::new();
    let feed = desk.feed("a");
    let failed = Outcome::Failed {
        kind: "timeout".to_owned(),
        message: "no answer\nin 30 s".to_owned(),
        is_soft: true,
    };
    for outcome in [failed, Outcome::Unchanged, Outcome::Gone] {
        let poll = desk.poll_of(feed, outcome);
        desk.block_on(desk.writer().record(poll)).unwrap();
        desk.later(60);
    }
    assert_eq!(
        desk.rows("SELECT outcome, error_kind, error FROM polls"),
        [
            "failed|timeout|no answer\\nin 30 s",
            "unchanged||",
            "gone|gone|the server says that the feed is gone for good (410)"
        ]
    );
    assert_eq!(desk.value("SELECT state, failures, error_kind FROM feed_health"), "gone|1|gone");
}

#[test]
fn a_page_whose_guid_and_url_stand_on_every_entry_loses_none_of_them() {
    let mut desk = Desk::new();
    let feed = desk.feed("a");
    let entry = |n: u64| Entry::new("spotlight", &format!("Title {n}"), &story(n, 60));
    let entries: Vec<Entry> = (0..4).map(entry).collect();
    assert_eq!(desk.poll(feed, &entries).new, 4);
    assert_eq!(desk.poll(feed, &entries).new, 0);
    let next: Vec<Entry> = (1..5).map(entry).collect();
    let report = desk.poll(feed, &next);
    assert_eq!((report.new, report.revised), (1, 0), "the new one is no edit of the one that went");
}

#[test]
fn an_entry_listed_twice_in_other_words_of_the_feed_stays_one() {
    let mut desk = Desk::new();
    let feed = desk.feed("a");
    let keyless = |n: u64| Entry::new("1", "Bridge", &story(n, 60)).url(None).guid(None);
    // Author and tags differ: nothing a reader of title and text would see.
    let entries = [keyless(1), keyless(1).by("B. Writer"), keyless(1).by("C. Writer"), keyless(2)];
    assert_eq!(desk.poll(feed, &entries).new, 2);
    for poll in 0..4 {
        let report = desk.poll(feed, &entries);
        assert_eq!((report.new, report.revised, report.duplicates), (0, 0, 0), "poll {poll}");
    }
}

#[test]
fn keyless_entries_of_one_text_and_other_dates_are_all_kept_and_stay() {
    let mut desk = Desk::new();
    let feed = desk.feed("a");
    let entries: Vec<Entry> = (1..4)
        .map(|day| {
            let entry = Entry::new("1", "Open late", "Until eight.").url(None).guid(None);
            entry.published(&format!("2026-11-0{day}T08:00:00Z"))
        })
        .collect();
    let first = desk.poll(feed, &entries);
    assert_eq!(first.new + first.duplicates, 3);
    for _ in 0..3 {
        let report = desk.poll(feed, &entries);
        assert_eq!((report.new, report.revised, report.duplicates), (0, 0, 0));
    }
}

/// Feeds that copy, edit, drop, list again, rename and unfold at random: whatever happens, each text that was ever
/// listed stands in an article, in a copy, or in the revisions of one, and the file is whole.
#[test]
fn whatever_publishers_do_nothing_is_lost() {
    for seed in 1..=12_u64 {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut roll = move |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 20) % below
        };
        let mut desk = Desk::new();
        let feeds: Vec<FeedId> = (0..4).map(|n| desk.feed(&format!("f{n}"))).collect();
        let mut listings: Vec<Vec<Entry>> = vec![Vec::new(); feeds.len()];
        let mut listed = std::collections::HashSet::new();
        let mut copies = std::collections::HashSet::new();
        for step in 0..60_u64 {
            let at = roll(feeds.len() as u64) as usize;
            let entries = &mut listings[at];
            for _ in 0..1 + roll(3) {
                let key = format!("{at}-{step}-{}", roll(1_000_000));
                let text = story(roll(25), 40 + roll(3) as usize * 20);
                let known = roll(entries.len().max(1) as u64) as usize;
                match (roll(8), entries.get(known).cloned()) {
                    (0, Some(entry)) => {
                        entries[known] = entry.saying(&format!("{text} Edited {step}."))
                    }
                    (1, Some(entry)) => {
                        entries[known] = entry.titled(&format!("Headline {}", roll(30)))
                    }
                    (2, Some(entry)) => {
                        entries[known] = entry.guid(Some(&format!("tag:renamed,{key}")))
                    }
                    (3, Some(entry)) => {
                        entries[known] = entry.url(Some(&format!("https://moved.example/{key}")))
                    }
                    (4, Some(_)) => drop(entries.remove(known)),
                    _ => entries
                        .insert(0, Entry::new(&key, &format!("Headline {}", roll(30)), &text)),
                }
            }
            let entries = entries.clone();
            listed.extend(entries.iter().map(|entry| entry.body.clone()));
            // Copies keep no revisions: what their publisher replaces there may go.
            copies.extend(desk.rows("SELECT body FROM duplicates"));
            desk.poll(feeds[at], &entries);
            if roll(6) == 0
                && let Some(copy) =
                    desk.rows("SELECT id FROM duplicates ORDER BY random() LIMIT 1").pop()
            {
                desk.unfold(copy.parse().unwrap());
            }
            if roll(10) == 0 {
                desk.restart();
            }
        }
        let mut kept = std::collections::HashSet::new();
        for table in ["articles", "duplicates", "revisions"] {
            kept.extend(desk.rows(&format!("SELECT body FROM {table}")));
        }
        let lost: Vec<_> =
            listed.difference(&kept).filter(|body| !copies.contains(*body)).collect();
        assert!(lost.is_empty(), "seed {seed}: {lost:#?}");
        let broken = desk.value(
            "SELECT (SELECT count(*) FROM entries WHERE article_id IS NULL AND duplicate_id IS NULL),
                (SELECT count(*) FROM duplicates WHERE article_id NOT IN (SELECT id FROM articles)),
                (SELECT count(*) FROM articles WHERE (body_source = 'copy') <> (text_from IS NOT NULL)),
                (SELECT count(*) FROM articles AS a JOIN duplicates AS d ON d.id = a.text_from
                 WHERE d.article_id <> a.id OR d.body <> a.body),
                (SELECT count(*) FROM articles WHERE change_id > (SELECT value FROM counters)),
                (SELECT count(*) FROM articles AS a WHERE revision <>
                    1 + (SELECT count(*) FROM revisions AS r WHERE r.article_id = a.id)),
                (SELECT count(*) FROM entries AS e GROUP BY article_id, duplicate_id HAVING count(*) > 1)",
        );
        assert_eq!(broken, "0|0|0|0|0|0|", "seed {seed}");
        let now = desk.now;
        let texts = desk.call(move |state| state.load_index(now).unwrap());
        assert_eq!(texts.to_string(), desk.value("SELECT count(*) FROM fingerprints"));
        desk.check();
    }
}

#[test]
fn an_entry_that_holds_nothing_stays_away_only_under_the_date_that_it_had() {
    let (old, other) = ("2026-11-20T08:00:00Z", "2026-11-23T08:00:00Z");
    let edited = format!("{} And a word more.", story(1, 60));
    for (before, after, body, new) in [
        (Some(old), Some(old), edited.as_str(), 0),
        (Some(old), Some(other), &story(2, 60), 1),
        (Some(old), None, &story(2, 60), 1),
        (None, None, &story(2, 60), 1),
        (None, None, &story(1, 60), 0),
    ] {
        let dated = |entry: Entry, date: Option<&str>| match date {
            Some(date) => entry.published(date),
            None => entry,
        };
        let mut desk = Desk::new();
        desk.initial(Initial::Count(0));
        let feed = desk.feed("a");
        desk.poll(feed, &[dated(Entry::new("live", "Live page", &story(1, 60)), before)]);
        let next = dated(Entry::new("live", "Live page", body), after);
        assert_eq!(desk.poll(feed, std::slice::from_ref(&next)).new, new, "{before:?} {after:?}");
        // And then it is known.
        assert_eq!(desk.poll(feed, &[next]).new, 0);
        assert_eq!(desk.value("SELECT count(*) FROM entries"), "1");
    }
}

#[test]
fn a_copy_of_what_a_fuller_text_replaced_is_found_and_may_be_edited() {
    let mut desk = Desk::new();
    let feeds = ["a", "b", "c"].map(|name| desk.feed(name));
    let short = story(1, 60);
    let full = format!("{short}\n\n{}", story(2, 240));
    desk.poll(feeds[0], &[Entry::new("a", "Bridge closed after storm", &short)]);
    desk.poll(feeds[1], &[Entry::new("b", "Bridge closed after storm", &full)]);
    assert_eq!(desk.value("SELECT body_source FROM articles"), "copy");
    let third = Entry::new("c", "Commuters face a long detour", &short);
    assert_eq!(desk.poll(feeds[2], std::slice::from_ref(&third)).duplicates, 1);
    assert_eq!(
        desk.value("SELECT evidence ->> '$.matched.revision' FROM duplicates WHERE id = 2"),
        "1"
    );
    assert_eq!(
        desk.value("SELECT evidence ->> '$.kept.article' FROM duplicates WHERE id = 2"),
        "1"
    );
    // However often: what it was found through is not forgotten.
    for edit in ["So it was said.", "So it was said, and said again."] {
        desk.poll(feeds[2], &[third.clone().saying(&format!("{short} {edit}"))]);
        assert_eq!(desk.value("SELECT count(*) FROM articles"), "1", "{edit}");
        assert_eq!(
            desk.value("SELECT evidence ->> '$.matched.revision' FROM duplicates WHERE id = 2"),
            "1"
        );
    }
}
