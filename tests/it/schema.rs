//! The schema as other people's programs see it: words and instants held to, older databases upgraded, the
//! stock shell reading it while the writer has it open, every column in the documentation.

use std::{fs, path::Path, process::Command, thread};

use newsfold::store::{self, APPLICATION_ID, Database, SCHEMA_VERSION};

use crate::desk::{Desk, Entry, rows, story};

fn folder(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The migrations in order.
fn steps() -> Vec<String> {
    let mut files: Vec<_> = fs::read_dir(folder("src/store/migrations"))
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    files.iter().map(|file| fs::read_to_string(file).unwrap()).collect()
}

fn schema(path: &Path) -> Vec<String> {
    rows(path, "SELECT type, name, sql FROM sqlite_schema ORDER BY name")
}

#[test]
fn every_older_database_becomes_what_a_new_one_is() {
    let temporary = tempfile::tempdir().unwrap();
    let fresh = temporary.path().join("fresh.db");
    drop(Database::open(&store::Options::new(&fresh)).unwrap());
    let steps = steps();
    assert_eq!(steps.len() as i64, SCHEMA_VERSION, "every file is a step and no step is missing");
    for version in 1..=steps.len() {
        let old = temporary.path().join(format!("v{version}.db"));
        let connection =
            rusqlite::Connection::open_with_flags(&old, rusqlite::OpenFlags::default()).unwrap();
        for step in &steps[..version] {
            connection.execute_batch(step).unwrap();
        }
        let data = folder("tests/fixtures/databases").join(format!("{version:04}.sql"));
        connection.execute_batch(&fs::read_to_string(&data).unwrap()).unwrap();
        drop(connection);
        drop(Database::open(&store::Options::new(&old)).unwrap());
        assert_eq!(schema(&old), schema(&fresh), "version {version}");
        assert_eq!(rows(&old, "PRAGMA user_version"), [SCHEMA_VERSION.to_string()]);
        assert_eq!(rows(&old, "PRAGMA integrity_check"), ["ok"]);
        assert_eq!(rows(&old, "PRAGMA foreign_key_check"), Vec::<String>::new());
        assert_eq!(
            rows(&old, "SELECT feed, carriers FROM latest"),
            ["Évening Post|2"],
            "version {version}"
        );
        assert_eq!(rows(&old, "SELECT rowid FROM article_fts('cafe')"), ["1"], "version {version}");
    }
}

#[test]
fn processes_that_start_together_make_one_database() {
    // They meet in a narrow place: one file alone would seldom show it.
    for _ in 0..20 {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("news.db");
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let options = store::Options::new(&path);
                thread::spawn(move || Database::open(&options).map(drop))
            })
            .collect();
        for thread in threads {
            thread.join().unwrap().unwrap();
        }
        assert_eq!(rows(&path, "PRAGMA application_id"), [APPLICATION_ID.to_string()]);
        assert_eq!(rows(&path, "PRAGMA journal_mode"), ["wal"]);
        assert_eq!(rows(&path, "SELECT value FROM counters"), ["0"]);
    }
}

#[test]
fn only_words_and_instants_of_the_contract_are_stored() {
    let mut desk = Desk::new();
    let feed = desk.feed("a");
    desk.poll(feed, &[Entry::new("1", "Bridge opened", &story(1, 60))]);
    let other = desk.feed("b");
    desk.poll(
        other,
        &[Entry::new("2", "Bridge opened", &story(1, 60)).url(Some("https://b.example/2"))],
    );
    desk.close();
    let article = |column: &str, value: &str| format!("UPDATE articles SET {column} = {value}");
    let copy = |column: &str, value: &str| format!("UPDATE duplicates SET {column} = {value}");
    let mut refused = Vec::new();
    for instant in [
        "'2026-11-23 09:15:00'",
        "'2026-11-23T09:15:00'",
        "'2026-11-23T09:15:00+00:00'",
        "'2026-11-23T09:15:00.000Z'",
        "'2026-13-45'",
        "'1969-12-31T23:59:59Z'",
        "'yesterday'",
        "1795511700",
    ] {
        refused.push(article("first_seen_at", instant));
        refused.push(article("published_source = 'published', published_at", instant));
        refused.push(format!("UPDATE feeds SET next_poll_at = {instant}"));
        refused.push(format!("UPDATE polls SET started_at = {instant}"));
        refused.push(format!("UPDATE entries SET last_listed_at = {instant}"));
    }
    refused.extend([
        article("body_source", "'web'"),
        article("published_source", "'published'"),
        article("published_source", "'guessed'"),
        article("fingerprint", "'123'"),
        article("fingerprint", "'0123456789ABCDEF'"),
        article("tags", "'not json'"),
        article("evidence", "'{'"),
        article("word_count", "-1"),
        article("word_count", "'many'"),
        article("title", "NULL"),
        article("feed_id", "99"),
        copy("reason", "'looks_alike'"),
        copy("similarity", "NULL"),
        copy("similarity", "1.5"),
        copy("distance", "65"),
        copy("article_id", "99"),
        "UPDATE polls SET outcome = 'done'".to_owned(),
        "UPDATE polls SET outcome = 'failed'".to_owned(),
        "UPDATE feeds SET enabled = 2".to_owned(),
        "UPDATE feeds SET removed_at = '2026-11-23T09:15:00Z'".to_owned(),
        "UPDATE feeds SET claimed_by = 'me'".to_owned(),
        "UPDATE entries SET article_id = 1, duplicate_id = 1".to_owned(),
        "UPDATE settings SET value = 'some' WHERE name = 'search'".to_owned(),
        "INSERT INTO revisions (article_id, revision, replaced_at, change, body_source, title, word_count, body)
         VALUES (1, 1, '2026-11-23T09:15:00Z', 'rewritten', 'feed', '', 0, '')"
            .to_owned(),
    ]);
    let connection = rusqlite::Connection::open_with_flags(
        &desk.path,
        rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE,
    )
    .unwrap();
    connection.pragma_update(None, "foreign_keys", true).unwrap();
    let accepted: Vec<&String> =
        refused.iter().filter(|sql| connection.execute(sql, []).is_ok()).collect();
    assert!(accepted.is_empty(), "{accepted:#?}");
}

#[test]
fn ids_and_change_ids_are_never_used_twice() {
    let mut desk = Desk::new();
    let feed = desk.feed("a");
    desk.poll(feed, &[Entry::new("1", "Bridge opened", &story(1, 60))]);
    desk.execute("PRAGMA foreign_keys = 1; DELETE FROM articles; DELETE FROM fingerprints");
    desk.restart();
    desk.poll(feed, &[Entry::new("2", "Ferry cancelled", &story(2, 60))]);
    assert_eq!(desk.value("SELECT id, change_id, text_id FROM articles"), "2|2|2");
}

fn shell(path: &Path, script: &str) -> String {
    let output = Command::new("sqlite3").arg("-readonly").arg(path).arg(script).output().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_stock_shell_reads_everything_while_the_writer_has_it_open() {
    let mut desk = Desk::new();
    let (a, b) = (desk.feed("a"), desk.feed("b"));
    let text = format!("The café on the pier reopens. {}", story(1, 80));
    desk.poll(
        a,
        &[Entry::new("1", "Zelenskyy visits Holm", &text).published("2026-11-23T08:00:00Z")],
    );
    desk.poll(b, &[Entry::new("2", "Visit to Holm", &text).url(Some("https://b.example/2"))]);

    let described = shell(&desk.path, ".schema");
    for table in [
        "feeds",
        "polls",
        "articles",
        "duplicates",
        "revisions",
        "entries",
        "fingerprints",
        "furniture",
    ] {
        assert!(
            described.contains(&format!("CREATE TABLE {table} (\n  -- ")),
            "{table} says what a row is"
        );
    }
    assert_eq!(
        shell(&desk.path, "SELECT id, published_at, feed, title, url, carriers FROM latest"),
        "1|2026-11-23T08:00:00Z|a|Zelenskyy visits Holm|https://news.example/1|2\n"
    );
    assert_eq!(
        shell(
            &desk.path,
            "SELECT feed, role, reason, similarity FROM carriers WHERE article_id = 1"
        ),
        "a|kept||\nb|copy|same_text|1.0\n"
    );
    assert_eq!(
        shell(&desk.path, "SELECT feed, state, guids FROM feed_health"),
        "a|ok|trusted\nb|ok|trusted\n"
    );
    assert_eq!(shell(&desk.path, "SELECT count(*) >= 0 FROM due"), "1\n");
    for (query, expected) in
        [("zelenskyy", "1\n"), ("cafe", "1\n"), ("\"pier reopens\"", "1\n"), ("absent", "")]
    {
        let sql = format!(
            "SELECT rowid FROM article_fts WHERE article_fts MATCH '{query}' ORDER BY rank"
        );
        assert_eq!(shell(&desk.path, &sql), expected, "{query}");
    }
    assert_eq!(
        shell(
            &desk.path,
            "SELECT snippet(article_fts, 1, '[', ']', '...', 4) FROM article_fts('cafe')"
        ),
        "The [café] on the...\n"
    );
    assert_eq!(shell(&desk.path, "PRAGMA integrity_check"), "ok\n");
    // The newest first without a sort, however many there are.
    let plan = shell(&desk.path, "EXPLAIN QUERY PLAN SELECT * FROM latest LIMIT 20");
    assert!(plan.contains("articles_by_time") && !plan.contains("TEMP B-TREE"), "{plan}");
}

#[test]
fn the_documentation_names_every_table_and_column() {
    let text = fs::read_to_string(folder("docs/schema.md")).unwrap();
    let desk = Desk::new();
    let tables = desk.rows(
        "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'
            AND name NOT LIKE 'article_fts_%'",
    );
    let mut missing = Vec::new();
    for table in tables {
        let Some((_, section)) = text.split_once(&format!("\n## {table}\n")) else {
            missing.push(table);
            continue;
        };
        let section = section.split("\n## ").next().unwrap();
        let columns = desk.rows(&format!("SELECT name FROM pragma_table_info('{table}')"));
        missing.extend(
            columns
                .iter()
                .filter(|column| !section.contains(&format!("`{column}`")))
                .map(|column| format!("{table}.{column}")),
        );
    }
    assert!(missing.is_empty(), "docs/schema.md lacks {missing:#?}");
}

#[test]
fn the_queries_of_the_documentation_work() {
    let text = fs::read_to_string(folder("docs/schema.md")).unwrap();
    let desk = Desk::new();
    let queries: Vec<&str> =
        text.split("```sql\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(queries.len() >= 6, "{}", queries.len());
    for query in queries {
        let _ = shell(&desk.path, query);
    }
}
