//! The file itself: opened, refused, claimed from, kept whole when something breaks, copied, tidied.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    process::Command,
};

use newsfold::{
    dedup::Scope,
    model::{ArticleId, FeedId},
    store::{
        self, Database,
        claims::{Claim, Mode},
        feeds::Configured,
        retention::Retention,
    },
    writer::Outcome,
};

use crate::{
    desk::{Desk, Entry, rows, story},
    support::program::{Program, rss},
};

fn source_of(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(String::new, ToString::to_string)
}

#[test]
fn a_file_of_another_program_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("other.db");
    let connection = rusqlite::Connection::open_with_flags(
        &other,
        rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE | rusqlite::OpenFlags::SQLITE_OPEN_CREATE,
    )
    .unwrap();
    connection.execute_batch("CREATE TABLE theirs (id INTEGER)").unwrap();
    drop(connection);
    let text = folder.path().join("text.db");
    fs::write(&text, "This is no database at all. ".repeat(200)).unwrap();
    for path in [other, text] {
        let before = fs::read(&path).unwrap();
        let error = Database::open(&store::Options::new(&path)).unwrap_err();
        assert!(matches!(error, store::Error::Foreign { .. }), "{error}");
        assert_eq!(fs::read(&path).unwrap(), before, "{}", path.display());
    }
}

#[test]
fn a_newer_database_is_refused() {
    let mut desk = Desk::new();
    desk.close();
    desk.execute("PRAGMA user_version = 999");
    for opened in [
        Database::open(&store::Options::new(&desk.path)),
        Database::open_for_reading(&store::Options::new(&desk.path)),
    ] {
        let error = opened.unwrap_err();
        assert!(error.to_string().contains("has schema 999, this newsfold knows up to"), "{error}");
    }
}

#[test]
fn a_damaged_file_is_reported_and_moved_aside_only_on_order() {
    let mut desk = Desk::new();
    let feed = desk.feed("a");
    let entries: Vec<Entry> = (0..40)
        .map(|n| Entry::new(&n.to_string(), &format!("Title {n}"), &story(n, 200)))
        .collect();
    desk.poll(feed, &entries);
    desk.call(|state| state.db.checkpoint().unwrap());
    desk.close();
    let mut bytes = fs::read(&desk.path).unwrap();
    // The head of a page of articles.
    let text = story(20, 200).into_bytes();
    let at = memchr::memmem::rfind(&bytes, &text[..40]).unwrap();
    bytes[at / 8_192 * 8_192..][..64].fill(0xa5);
    fs::write(&desk.path, &bytes).unwrap();
    let checked = Database::open_for_reading(&store::Options::new(&desk.path))
        .and_then(|db| db.quick_check());
    let error = checked.unwrap_err();
    assert!(error.to_string().contains("is damaged"), "{error}");
    // Met by a statement rather than looked for, it says the same.
    let reading = Database::open_for_reading(&store::Options::new(&desk.path)).unwrap();
    let met = (1..=40).find_map(|id| reading.article(ArticleId(id)).err()).unwrap();
    assert!(met.to_string().contains("damaged: keep the file, put a backup"), "{met}");
    drop(reading);
    assert_eq!(fs::read(&desk.path).unwrap(), bytes, "nothing was mended or lost");
    let aside = store::move_aside(&desk.path).unwrap();
    assert_eq!(fs::read(&aside).unwrap(), bytes);
    assert!(!desk.path.exists());
    desk.database().quick_check().unwrap();
}

#[test]
fn a_missing_folder_is_made_or_named() {
    let folder = tempfile::tempdir().unwrap();
    assert!(Database::open(&store::Options::new(folder.path().join("new/news.db"))).is_ok());
    let path = folder.path().join("no/such/news.db");
    let error = Database::open(&store::Options::new(&path)).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot open database {}", path.display()));
    assert!(source_of(&error).contains("unable to open"), "{}", source_of(&error));
}

#[test]
fn a_reader_without_rights_reads_beside_the_writer_and_after_it() {
    let mut desk = Desk::new();
    let feed = desk.feed("a");
    desk.poll(feed, &[Entry::new("1", "Bridge opened", &story(1, 60))]);
    let folder = desk.path.parent().unwrap().to_owned();
    let read = || {
        let script = "SELECT title FROM latest";
        let output =
            Command::new("sqlite3").arg("-readonly").arg(&desk.path).arg(script).output().unwrap();
        (
            String::from_utf8_lossy(&output.stdout).into_owned(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    assert_eq!(read().0, "Bridge opened\n");
    let mut desk = desk;
    desk.close();
    // What makes the difference for a user who may not create files here: the log and its index are still there.
    for suffix in ["-wal", "-shm"] {
        assert!(folder.join(format!("news.db{suffix}")).exists(), "{suffix}");
    }
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o500)).unwrap();
    let output = Command::new("sqlite3")
        .arg("-readonly")
        .arg(&desk.path)
        .arg("SELECT title FROM latest")
        .output()
        .unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "Bridge opened\n");
}

#[test]
fn a_file_that_was_removed_under_the_writer_stops_it() {
    let mut desk = Desk::new();
    let feed = desk.feed("a");
    desk.poll(feed, &[Entry::new("1", "Bridge opened", &story(1, 60))]);
    fs::rename(&desk.path, desk.path.with_extension("gone")).unwrap();
    let poll = desk.poll_of(feed, Outcome::Unchanged);
    let error = desk.block_on(desk.writer().record(poll)).unwrap_err();
    assert!(source_of(&error).contains("was removed or replaced"), "{error}");
    fs::rename(desk.path.with_extension("gone"), &desk.path).unwrap();
}

#[test]
fn what_breaks_in_mid_poll_is_undone_in_the_rows_and_in_the_index() {
    let mut desk = Desk::new();
    let (a, b) = (desk.feed("a"), desk.feed("b"));
    desk.poll(a, &[Entry::new("1", "Bridge opened", &story(1, 100))]);
    // The third article of the poll breaks it, after two were judged, stored and indexed.
    desk.execute(
        "CREATE TRIGGER broken BEFORE INSERT ON articles WHEN new.title = 'Third'
         BEGIN SELECT * FROM no_such_table; END",
    );
    let entries = [
        Entry::new("13", "Third", &story(13, 100)),
        Entry::new("12", "Second", &story(12, 100)),
        Entry::new("11", "First", &story(11, 100)),
    ];
    let poll = desk.listing(b, &entries);
    let error = desk.block_on(desk.writer().record(poll)).unwrap_err();
    assert!(error.to_string().contains("database"), "{error}");
    let count = "SELECT (SELECT count(*) FROM articles), (SELECT count(*) FROM entries),
        (SELECT count(*) FROM polls), (SELECT max(id) FROM fingerprints), (SELECT value FROM counters)";
    assert_eq!(desk.value(count), "1|1|1|1|1");
    assert_eq!(desk.call(|state| state.index_len()), 1);
    desk.execute("DROP TRIGGER broken");
    // Ids are given again after a rollback: had the index kept the undone texts, copies would fold into nothing.
    let report = desk.poll(b, &entries);
    assert_eq!((report.new, report.duplicates), (3, 0));
    let copy = Entry::new("x", "Other", &story(12, 100)).url(Some("https://a.example/x"));
    assert_eq!(desk.poll(a, &[copy]).duplicates, 1);
    assert_eq!(
        desk.value("SELECT title FROM articles WHERE id = (SELECT article_id FROM duplicates)"),
        "Second"
    );
    desk.check();
}

#[test]
fn one_broken_poll_spares_the_others_of_its_group() {
    let mut desk = Desk::new();
    let feeds: Vec<FeedId> = (0..8).map(|n| desk.feed(&format!("f{n}"))).collect();
    desk.execute(
        "CREATE TRIGGER refused BEFORE INSERT ON articles WHEN new.feed_id = 4
         BEGIN SELECT raise(ABORT, 'refused'); END",
    );
    let polls: Vec<_> = feeds
        .iter()
        .map(|feed| {
            let n = feed.0.unsigned_abs();
            desk.listing(*feed, &[Entry::new(&n.to_string(), &format!("Title {n}"), &story(n, 80))])
        })
        .collect();
    let writer = desk.writer();
    let reports = desk.block_on(async {
        let mut set = tokio::task::JoinSet::new();
        for poll in polls {
            let writer = writer.clone();
            set.spawn(async move { writer.record(poll).await });
        }
        set.join_all().await
    });
    drop(writer);
    assert_eq!(reports.iter().filter(|report| report.is_ok()).count(), 8);
    // The refused rows cost their poll, which is recorded as a failure and tried again later.
    assert_eq!(
        desk.value("SELECT error_kind, error FROM polls WHERE feed_id = 4"),
        "not_stored|refused"
    );
    assert_eq!(desk.value("SELECT count(*) FROM articles"), "7");
    desk.check();
}

#[test]
fn two_processes_reach_the_same_verdict() {
    let mut desk = Desk::new();
    let (a, b) = (desk.feed("a"), desk.feed("b"));
    let window = desk.options.dedup.window_seconds;
    let (other, thread) = newsfold::writer::spawn(desk.database(), window, 8).unwrap();
    // The first process has loaded its index; the second writes; the first must see that.
    desk.poll(a, &[Entry::new("1", "Bridge opened", &story(1, 100))]);
    let poll = desk.listing(
        a,
        &[
            Entry::new("2", "Ferry cancelled", &story(2, 100)),
            Entry::new("1", "Bridge opened", &story(1, 100)),
        ],
    );
    desk.block_on(other.record(poll)).unwrap();
    let copy = Entry::new("x", "No ferry today", &story(2, 96)).url(Some("https://b.example/x"));
    assert_eq!(desk.poll(b, &[copy]).duplicates, 1);
    let poll = desk.listing(
        b,
        &[Entry::new("y", "A bridge at last", &story(1, 97)).url(Some("https://b.example/y"))],
    );
    assert_eq!(desk.block_on(other.record(poll)).unwrap().duplicates, 1);
    drop(other);
    drop(thread.join().unwrap());
    assert_eq!(desk.rows("SELECT article_id FROM duplicates ORDER BY id"), ["2", "1"]);
    desk.check();
}

#[test]
fn a_document_that_two_processes_record_is_recorded_once() {
    let mut desk = Desk::new();
    let feed = desk.feed("a");
    let entries = [
        Entry::new("2", "Ferry cancelled", &story(2, 60)),
        Entry::new("1", "Bridge opened", &story(1, 60)),
    ];
    let (one, two) = (desk.listing(feed, &entries), desk.listing(feed, &entries));
    assert_eq!(desk.block_on(desk.writer().record(one)).unwrap().new, 2);
    let report = desk.block_on(desk.writer().record(two)).unwrap();
    assert_eq!((report.new, report.duplicates, report.revised), (0, 0, 0));
}

fn claim<'a>(by: &'a str, mode: Mode) -> Claim<'a> {
    Claim { by, lease_seconds: 300, limit: 100, per_host_limit: 2, mode, feeds: None }
}

#[test]
fn a_claim_keeps_others_off_the_feed_and_its_host() {
    let desk = Desk::new();
    let now = desk.now;
    let mut db = desk.database();
    let configured: Vec<Configured> = [
        "https://a.example/1",
        "https://a.example/2",
        "https://a.example/3",
        "https://b.example/1",
    ]
    .iter()
    .map(|url| Configured {
        url: (*url).to_owned(),
        enabled: true,
        config_hash: "1".to_owned(),
        ..Configured::default()
    })
    .collect();
    db.sync_feeds(&configured, 0, now).unwrap();
    let ids =
        |feeds: &[store::feeds::FeedState]| feeds.iter().map(|feed| feed.id.0).collect::<Vec<_>>();

    let first = db.claim_due(&claim("one", Mode::Due), now).unwrap();
    assert_eq!(ids(&first), [1, 2, 4], "two of one host at most");
    assert!(
        db.claim_due(&claim("two", Mode::All), now).unwrap().is_empty(),
        "a.example is held by another process"
    );
    assert!(db.claim_due(&claim("one", Mode::Due), now).unwrap().is_empty(), "the host is full");
    db.release_claims("one", Some(&[FeedId(1)])).unwrap();
    assert_eq!(ids(&db.claim_due(&claim("one", Mode::Due), now).unwrap()), [1]);
    let later = now.plus_seconds(301);
    assert_eq!(
        ids(&db.claim_due(&claim("two", Mode::Due), later).unwrap()),
        [1, 2, 4],
        "the first process has died"
    );
}

#[test]
fn what_a_server_ordered_holds_for_all_as_well() {
    let mut desk = Desk::new();
    let now = desk.now;
    let mut db = desk.database();
    let configured: Vec<Configured> = (0..5)
        .map(|n| Configured {
            url: format!("https://h{n}.example/feed"),
            enabled: n != 4,
            config_hash: "1".to_owned(),
            ..Configured::default()
        })
        .collect();
    db.sync_feeds(&configured, 0, now).unwrap();
    desk.execute(
        "UPDATE feeds SET next_poll_at = '2026-11-24T09:00:00Z';
         UPDATE feeds SET retry_after_until = '2026-11-23T10:00:00Z' WHERE id = 1;
         INSERT INTO hosts (origin, retry_after_until) VALUES ('https://h1.example', '2026-11-23T10:00:00Z');
         UPDATE feeds SET gone_at = '2026-11-22T10:00:00Z' WHERE id = 3;",
    );
    let ids = |feeds: Vec<store::feeds::FeedState>| {
        feeds.iter().map(|feed| feed.id.0).collect::<Vec<_>>()
    };
    assert!(db.claim_due(&claim("one", Mode::Due), now).unwrap().is_empty());
    assert_eq!(ids(db.claim_due(&claim("one", Mode::All), now).unwrap()), [4]);
    assert_eq!(
        ids(db.claim_due(&claim("one", Mode::All), now.plus_seconds(3_600)).unwrap()),
        [1, 2, 4]
    );
    desk.close();
}

#[test]
fn configured_feeds_are_taken_up_as_a_difference() {
    let desk = Desk::new();
    let now = desk.now;
    let mut db = desk.database();
    let feed = |url: &str, hash: &str| Configured {
        url: url.to_owned(),
        enabled: true,
        config_hash: hash.to_owned(),
        ..Configured::default()
    };
    let synced = db
        .sync_feeds(&[feed("http://a.example/f", "1"), feed("https://b.example/f", "1")], 120, now)
        .unwrap();
    assert_eq!(synced.added, [FeedId(1), FeedId(2)]);
    assert_eq!(
        desk.rows("SELECT next_poll_at FROM feeds"),
        ["2026-11-23T09:00:00Z", "2026-11-23T09:01:00Z"]
    );
    desk.execute("UPDATE feeds SET etag = 'x', validators_url = url, gone_at = '2026-11-22T10:00:00Z', failures = 3 WHERE id = 2");
    assert_eq!(
        db.sync_feeds(&[feed("http://a.example/f", "1"), feed("https://b.example/f", "1")], 0, now)
            .unwrap(),
        Default::default()
    );

    // http became https: the same row. A changed entry lifts the 410 and keeps the validators.
    let synced = db
        .sync_feeds(&[feed("https://a.example/f", "1"), feed("https://b.example/f", "2")], 0, now)
        .unwrap();
    assert_eq!(
        (synced.added, synced.removed, synced.changed),
        (vec![FeedId(1)], vec![], vec![FeedId(2)])
    );
    assert_eq!(
        desk.rows("SELECT id, url, effective_url, etag, gone_at, failures FROM feeds"),
        [
            "1|https://a.example/f|https://a.example/f|||0",
            "2|https://b.example/f|https://b.example/f|x||0"
        ]
    );

    // Gone from the configuration, and back: the same row.
    let synced = db.sync_feeds(&[feed("https://a.example/f", "1")], 0, now).unwrap();
    assert_eq!(synced.removed, [FeedId(2)]);
    assert_eq!(desk.value("SELECT state FROM feed_health WHERE id = 2"), "removed");
    let synced = db
        .sync_feeds(&[feed("https://a.example/f", "1"), feed("https://b.example/f", "2")], 0, now)
        .unwrap();
    assert_eq!(synced.added, [FeedId(2)]);
    assert_eq!(desk.value("SELECT count(*) FROM feeds"), "2");

    // Two feeds that end at one address: the later is not polled.
    desk.execute("UPDATE feeds SET effective_url = 'https://a.example/f' WHERE id = 2");
    db.sync_feeds(&[feed("https://a.example/f", "1"), feed("https://b.example/f", "3")], 0, now)
        .unwrap();
    assert_eq!(desk.value("SELECT state FROM feed_health WHERE id = 2"), "same_feed");
    let claimed = db.claim_due(&claim("one", Mode::All), now).unwrap();
    assert_eq!(claimed.len(), 1);
}

#[test]
fn what_is_old_goes_in_small_batches_and_does_not_come_back() {
    let mut desk = Desk::new();
    let (a, b) = (desk.feed("a"), desk.feed("b"));
    let entries: Vec<Entry> = (0..450)
        .map(|n| Entry::new(&n.to_string(), &format!("Title {n}"), &story(n, 40)))
        .collect();
    desk.poll(a, &entries);
    let copy = Entry::new("x", "Another title", &story(7, 40)).url(Some("https://b.example/x"));
    desk.poll(b, &[copy]);
    desk.later(40 * 86_400);
    desk.poll(a, &[&[Entry::new("new", "New", &story(900, 40))], &entries[..10]].concat());
    let retention = Retention {
        keep_seconds: Some(30 * 86_400),
        keep_polls_seconds: Some(7 * 86_400),
        window_seconds: 7 * 86_400,
        ..Retention::default()
    };
    let now = desk.now;
    let first = desk.call(move |state| state.db.remove_some(&retention, now).unwrap());
    assert_eq!((first.articles, first.polls, first.fingerprints), (200, 2, 200));
    let rest = desk.call(move |state| state.db.remove_all(&retention, now).unwrap());
    assert_eq!((rest.articles, rest.polls, rest.fingerprints), (250, 0, 251));
    assert_eq!(
        desk.value("SELECT (SELECT count(*) FROM articles), (SELECT count(*) FROM duplicates), (SELECT count(*) FROM polls)"),
        "1|0|1"
    );
    // 440 entries left the document today: their rows stay 30 days more. Those still listed stay with it.
    assert_eq!(desk.value("SELECT count(*) FROM entries"), "452");
    let report = desk.poll(a, &entries);
    assert_eq!((report.new, report.duplicates), (0, 0), "what was removed does not come back");
    desk.check();

    desk.poll(a, &entries[..5]);
    desk.later(31 * 86_400);
    let now = desk.now;
    let removed = desk.call(move |state| state.db.remove_all(&retention, now).unwrap());
    assert_eq!(removed.entries, 446);
    assert_eq!(desk.value("SELECT count(*) FROM entries"), "6");
}

#[test]
fn an_article_stays_as_long_as_its_newest_copy() {
    let mut desk = Desk::new();
    let (a, b) = (desk.feed("a"), desk.feed("b"));
    let first = Entry::new("1", "Bridge opened in Holm", &story(1, 60));
    desk.poll(a, &[Entry::new("2", "Ferry cancelled", &story(2, 60)), first]);
    desk.later(6 * 86_400);
    desk.poll(b, &[Entry::new("3", "Bridge opened in Holm", &story(1, 60))]);
    let retention = Retention {
        keep_seconds: Some(8 * 86_400),
        window_seconds: 7 * 86_400,
        ..Retention::default()
    };
    for (days, articles) in [(3, vec!["1"]), (6, vec![])] {
        desk.later(days * 86_400);
        let now = desk.now;
        desk.call(move |state| state.db.remove_all(&retention, now).unwrap());
        assert_eq!(desk.rows("SELECT id FROM articles"), articles);
        assert_eq!(desk.rows("SELECT id FROM duplicates"), articles);
    }
    desk.check();
}

#[test]
fn a_feed_that_never_changes_forgets_nothing() {
    let mut desk = Desk::new();
    let feed = desk.feed("a");
    let entries = [Entry::new("1", "Bridge opened", &story(1, 60))];
    desk.poll(feed, &entries);
    desk.later(100 * 86_400);
    let poll = desk.poll_of(feed, Outcome::Unchanged);
    desk.block_on(desk.writer().record(poll)).unwrap();
    let now = desk.now;
    let retention = Retention {
        keep_seconds: Some(30 * 86_400),
        window_seconds: 7 * 86_400,
        ..Retention::default()
    };
    desk.call(move |state| state.db.remove_all(&retention, now).unwrap());
    let report =
        desk.poll(feed, &[Entry::new("2", "Ferry cancelled", &story(2, 60)), entries[0].clone()]);
    assert_eq!(report.new, 1);
}

#[test]
fn a_backup_is_whole_and_never_written_over_a_file() {
    let mut desk = Desk::new();
    let feed = desk.feed("a");
    desk.poll(feed, &[Entry::new("1", "Bridge opened", &story(1, 60))]);
    let target = desk.path.with_file_name("copy.db");
    let db = Database::open_for_reading(&store::Options::new(&desk.path)).unwrap();
    // Another backup writes, then it is killed.
    let partial = target.with_file_name("copy.db.partial");
    let other = fs::File::create(&partial).unwrap();
    other.lock().unwrap();
    db.back_up(&target).unwrap_err();
    assert!(partial.exists() && !target.exists());
    drop(other);
    fs::set_permissions(&desk.path, fs::Permissions::from_mode(0o600)).unwrap();
    db.back_up(&target).unwrap();
    assert_eq!(fs::metadata(&target).unwrap().mode() & 0o777, 0o600);
    assert_eq!(rows(&target, "SELECT title FROM latest"), ["Bridge opened"]);
    assert_eq!(rows(&target, "PRAGMA integrity_check"), ["ok"]);
    let error = db.back_up(&target).unwrap_err();
    assert!(source_of(&error).contains("there is a file of that name"), "{error}");
    let names: Vec<_> = fs::read_dir(target.parent().unwrap())
        .unwrap()
        .map(|file| file.unwrap().file_name())
        .collect();
    assert!(!names.iter().any(|name| name.to_string_lossy().contains("partial")), "{names:?}");
}

#[test]
fn search_covers_what_is_configured() {
    let mut desk = Desk::new();
    let feed = desk.feed("a");
    desk.poll(feed, &[Entry::new("1", "Café opened", "The zebra crossing is closed.")]);
    let found = |desk: &Desk, word: &str| {
        desk.value(&format!("SELECT count(*) FROM article_fts('{word}')"))
    };
    assert_eq!((found(&desk, "cafe"), found(&desk, "zebra")), ("1".into(), "1".into()));
    for (search, title, body) in [("title", "1", "0"), ("off", "0", "0"), ("full", "1", "1")] {
        assert!(desk.call(move |state| state.db.set_search(search).unwrap()));
        assert_eq!(
            (found(&desk, "cafe"), found(&desk, "zebra")),
            (title.into(), body.into()),
            "{search}"
        );
        let edited = format!("The zebra crossing is closed. As of {search}.");
        desk.poll(feed, &[Entry::new("1", "Café opened", &edited)]);
        desk.check();
    }
}

#[test]
fn scopes_are_words_of_the_schema() {
    let mut desk = Desk::new();
    for (name, scope) in [("a", Scope::All), ("b", Scope::Feed), ("c", Scope::Off)] {
        let feed = desk.feed_with(name, scope, 0);
        let state = desk.call(move |state| state.db.feed_state(feed).unwrap().unwrap());
        assert_eq!(state.dedup_scope, scope);
    }
    assert_eq!(desk.rows("SELECT dedup_scope FROM feeds"), ["all", "feed", "off"]);
}

#[test]
fn once_removes_what_has_had_its_time() {
    let program = Program::new()
        .settings("keep_polls = \"1d\"")
        .feed("a.xml", &rss("a", &[("Harbour reopens", "The harbour reopened on Monday.")]));
    program.run(&["once"]).expect(0);
    assert_eq!(program.sqlite("SELECT count(*) FROM polls"), ["1"]);
    let connection = rusqlite::Connection::open_with_flags(
        program.database(),
        rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE,
    );
    connection
        .unwrap()
        .execute("UPDATE polls SET started_at = '2020-01-01T00:00:00Z'", [])
        .unwrap();
    program.run(&["once"]).expect(0);
    assert_eq!(program.sqlite("SELECT count(*) FROM polls"), ["0"]);
    assert_eq!(program.sqlite("SELECT count(*) FROM articles"), ["1"]);
}
