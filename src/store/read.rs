//! What people ask of the database: feeds and their health, articles, copies, evidence.
//!
//! Every verb reads only and serves any connection; rows come out with the names of their columns, so that
//! `--json` and the schema say the same words. JSON columns come out as values.

use std::collections::HashSet;

use rusqlite::{OptionalExtension, Row, params};
use serde::Serialize;
use serde_json::Value;

use super::{Database, Error, feeds::scope_from};
use crate::{
    dedup::Scope,
    model::{ArticleId, DuplicateId, FeedId, Fingerprint, Timestamp},
};

/// Which feeds are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedFilter {
    /// Every feed that is configured.
    Configured,
    /// Those that do not deliver: failing, stale or gone.
    Failing,
    /// Those whose next poll is due.
    Due,
}

/// A row of the view `feed_health`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "each field is a column, described in the schema")]
pub struct FeedHealth {
    pub id: FeedId,
    pub feed: String,
    pub url: String,
    pub state: String,
    pub failures: u32,
    pub error_kind: Option<String>,
    pub error: Option<String>,
    pub last_poll_at: Option<Timestamp>,
    pub last_success_at: Option<Timestamp>,
    pub last_new_at: Option<Timestamp>,
    pub next_poll_at: Timestamp,
    pub next_poll_reason: String,
    pub guids: String,
    pub moved_to: Option<String>,
}

/// A row of `polls` as `feeds explain` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "each field is a column, described in the schema")]
pub struct PastPoll {
    pub started_at: Timestamp,
    pub duration_ms: u64,
    pub http_status: Option<u16>,
    pub outcome: String,
    pub error_kind: Option<String>,
    pub error: Option<String>,
    pub body_bytes: u64,
    pub entries: u32,
    pub new: u32,
    pub revised: u32,
    pub duplicates: u32,
}

/// Everything that decides when a feed is polled next.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "each field is a column, described in the schema")]
pub struct FeedDetails {
    #[serde(flatten)]
    pub health: FeedHealth,
    pub site_url: Option<String>,
    pub format: Option<String>,
    pub usual_gap_s: Option<u32>,
    pub retry_after_until: Option<Timestamp>,
    /// The same for the whole host.
    pub host_retry_after_until: Option<Timestamp>,
    pub gone_at: Option<Timestamp>,
    pub moved_since: Option<Timestamp>,
    pub same_as: Option<FeedId>,
    pub etag: Option<String>,
    pub last_modified: Option<String>,
    pub claimed_by: Option<String>,
    /// What each rule asked for: name, asks, note.
    pub next_poll_rules: Value,
    /// The last polls, newest first.
    pub polls: Vec<PastPoll>,
}

/// Which articles are listed.
#[derive(Clone, Debug, Default)]
pub struct ArticleQuery<'a> {
    /// Published, or where that is not known first seen, at or after this instant.
    pub since: Option<Timestamp>,
    /// Carried first by this feed.
    pub feed: Option<FeedId>,
    /// Words that title or body hold.
    pub search: Option<&'a str>,
    /// At most so many.
    pub limit: u32,
}

/// A row of the view `latest`, without the body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "each field is a column, described in the schema")]
pub struct ArticleLine {
    pub id: ArticleId,
    pub published_at: Timestamp,
    pub feed: String,
    pub title: String,
    pub url: Option<String>,
    pub carriers: u32,
}

/// A row of `articles` or `duplicates` with all that stands around it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "each field is a column, described in the schema")]
pub struct FullArticle {
    pub id: ArticleId,
    pub feed_id: FeedId,
    pub feed: String,
    pub guid: Option<String>,
    pub url: Option<String>,
    pub title: String,
    pub author: Option<String>,
    pub tags: Value,
    pub language: Option<String>,
    pub published_at: Option<Timestamp>,
    pub published_source: Option<String>,
    pub updated_at: Option<Timestamp>,
    pub first_seen_at: Timestamp,
    pub word_count: u32,
    pub body_source: String,
    pub text_from: Option<DuplicateId>,
    pub fingerprint: Fingerprint,
    pub revision: u32,
    pub change_id: i64,
    pub summary: Option<String>,
    pub body: String,
    pub cuts: Value,
    pub extras: Value,
    pub evidence: Value,
    pub carriers: Vec<Carrier>,
    pub revisions: Vec<Revision>,
}

/// A copy and what was written down when it was folded.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "each field is a column, described in the schema")]
pub struct FullDuplicate {
    pub id: DuplicateId,
    pub article_id: ArticleId,
    pub feed_id: FeedId,
    pub feed: String,
    pub guid: Option<String>,
    pub url: Option<String>,
    pub title: String,
    pub author: Option<String>,
    pub language: Option<String>,
    pub published_at: Option<Timestamp>,
    pub first_seen_at: Timestamp,
    pub word_count: u32,
    pub reason: String,
    pub distance: Option<u32>,
    pub similarity: f64,
    pub fingerprint: Fingerprint,
    pub summary: Option<String>,
    pub body: String,
    pub cuts: Value,
    pub evidence: Value,
}

/// One that carried an article: a row of the view `carriers`, with the copy's id.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "each field is a column, described in the schema")]
pub struct Carrier {
    pub role: String,
    pub duplicate_id: Option<DuplicateId>,
    pub feed_id: FeedId,
    pub feed: String,
    pub title: String,
    pub url: Option<String>,
    pub published_at: Timestamp,
    pub reason: Option<String>,
    pub similarity: Option<f64>,
}

/// An earlier text of an article.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "each field is a column, described in the schema")]
pub struct Revision {
    pub revision: u32,
    pub replaced_at: Timestamp,
    pub change: String,
    pub body_source: String,
    pub title: String,
    pub word_count: u32,
    pub body: String,
}

/// A stored text in the order in which the texts were judged, for `replay`.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "each field is a column, described in the schema")]
pub struct JudgedText {
    pub article_id: ArticleId,
    /// `None`: it is the article.
    pub duplicate_id: Option<DuplicateId>,
    pub feed_id: FeedId,
    pub feed: String,
    pub title: String,
    pub body: String,
    pub published_at: Option<Timestamp>,
    pub first_seen_at: Timestamp,
    pub reason: Option<String>,
    /// Of its feed.
    pub dedup_scope: Scope,
}

/// Polls that `feeds explain` shows.
const SHOWN_POLLS: u32 = 10;

impl Database {
    /// Pairs of articles that somebody unfolded.
    pub fn pairs_kept_apart(&self) -> Result<HashSet<(ArticleId, ArticleId)>, Error> {
        let mut statement = self
            .connection
            .prepare("SELECT article_id, other_id FROM kept_apart WHERE other_id IS NOT NULL")?;
        let pairs = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(pairs.collect::<Result<_, _>>()?)
    }

    /// Feeds in order of their ids.
    pub fn feed_health(&self, filter: FeedFilter) -> Result<Vec<FeedHealth>, Error> {
        let condition = match filter {
            FeedFilter::Configured => "state <> 'removed'",
            FeedFilter::Failing => "state IN ('failing', 'stale', 'gone')",
            FeedFilter::Due => "id IN (SELECT id FROM due)",
        };
        // No feed is due before the orders of its server have ended.
        let sql = format!(
            "SELECT s.*,
                    max(s.next_poll_at, coalesce(f.retry_after_until, ''), coalesce(h.retry_after_until, ''))
                    AS due_at
             FROM feed_health AS s JOIN feeds AS f ON f.id = s.id LEFT JOIN hosts AS h ON h.origin = f.origin
             WHERE s.{condition} ORDER BY s.id"
        );
        self.all(&sql, [], |row| {
            Ok(FeedHealth { next_poll_at: row.get("due_at")?, ..health_from(row)? })
        })
    }

    /// One feed and why its next poll is when it is.
    pub fn feed_details(&self, id: FeedId) -> Result<FeedDetails, Error> {
        let sql = "SELECT * FROM feed_health WHERE id = ?1";
        let health = found(self.one(sql, id.0, health_from)?, "feed", id)?;
        let polls = self.all(
            "SELECT * FROM polls WHERE feed_id = ?1 ORDER BY id DESC LIMIT ?2",
            params![id, SHOWN_POLLS],
            poll_from,
        )?;
        let sql = "SELECT f.*, h.retry_after_until AS host_retry_after_until
                   FROM feeds AS f LEFT JOIN hosts AS h ON h.origin = f.origin WHERE f.id = ?1";
        let details = self.one(sql, id.0, |row| {
            Ok(FeedDetails {
                health,
                site_url: row.get("site_url")?,
                format: row.get("format")?,
                usual_gap_s: row.get("usual_gap_s")?,
                retry_after_until: row.get("retry_after_until")?,
                host_retry_after_until: row.get("host_retry_after_until")?,
                gone_at: row.get("gone_at")?,
                moved_since: row.get("moved_since")?,
                same_as: row.get("same_as")?,
                etag: row.get("etag")?,
                last_modified: row.get("last_modified")?,
                claimed_by: row.get("claimed_by")?,
                next_poll_rules: json(row, "next_poll_rules")?,
                polls,
            })
        })?;
        found(details, "feed", id)
    }

    /// Articles, newest first.
    pub fn articles(&self, query: &ArticleQuery<'_>) -> Result<Vec<ArticleLine>, Error> {
        let words = query.search.map(|search| self.search_terms(search)).transpose()?;
        let (found, term) = match &words {
            None => ("?4 IS NULL", None),
            Some(Terms::Index(term)) => {
                ("a.id IN (SELECT rowid FROM article_fts WHERE article_fts MATCH ?4)", Some(term))
            }
            Some(Terms::Text(term)) => ("(instr(a.title, ?4) OR instr(a.body, ?4))", Some(term)),
        };
        let sql = format!(
            "SELECT a.id, coalesce(a.published_at, a.first_seen_at) AS published_at,
                    coalesce(f.name, f.title, f.url) AS feed, a.title, a.url,
                    1 + (SELECT count(*) FROM duplicates AS d WHERE d.article_id = a.id) AS carriers
             FROM articles AS a JOIN feeds AS f ON f.id = a.feed_id
             WHERE (?1 IS NULL OR coalesce(a.published_at, a.first_seen_at) >= ?1)
               AND (?2 IS NULL OR a.feed_id = ?2) AND {found}
             ORDER BY coalesce(a.published_at, a.first_seen_at) DESC, a.id DESC LIMIT ?3"
        );
        self.all(&sql, params![query.since, query.feed, query.limit, term], |row| {
            Ok(ArticleLine {
                id: row.get("id")?,
                published_at: row.get("published_at")?,
                feed: row.get("feed")?,
                title: row.get("title")?,
                url: row.get("url")?,
                carriers: row.get("carriers")?,
            })
        })
    }

    /// How a search is answered. The index knows words between spaces; what is written without spaces, and
    /// everything where there is no index, is looked for in the texts.
    fn search_terms(&self, search: &str) -> Result<Terms, Error> {
        let sql = "SELECT 1 FROM settings WHERE name = 'search' AND value <> 'off'";
        let has_index = self.connection.query_row(sql, [], |_| Ok(())).optional()?.is_some();
        if !has_index || search.chars().any(is_unspaced) {
            return Ok(Terms::Text(search.trim().to_owned()));
        }
        // Quotation marks, hyphens and the like mean something to the index; here they are just text.
        let quoted = search.split_whitespace().map(|word| match word.strip_suffix('*') {
            Some(start) if !start.is_empty() => format!("\"{}\"*", start.replace('"', "")),
            _ => format!("\"{}\"", word.replace('"', "")),
        });
        Ok(Terms::Index(quoted.collect::<Vec<_>>().join(" ")))
    }

    /// One article with its carriers and earlier texts.
    pub fn article(&self, id: ArticleId) -> Result<FullArticle, Error> {
        let (carriers, revisions) = (self.carriers(id)?, self.revisions(id)?);
        let sql = "SELECT a.*, coalesce(f.name, f.title, f.url) AS feed
                   FROM articles AS a JOIN feeds AS f ON f.id = a.feed_id WHERE a.id = ?1";
        let article = self.one(sql, id.0, |row| {
            Ok(FullArticle {
                id,
                feed_id: row.get("feed_id")?,
                feed: row.get("feed")?,
                guid: row.get("guid")?,
                url: row.get("url")?,
                title: row.get("title")?,
                author: row.get("author")?,
                tags: json(row, "tags")?,
                language: row.get("language")?,
                published_at: row.get("published_at")?,
                published_source: row.get("published_source")?,
                updated_at: row.get("updated_at")?,
                first_seen_at: row.get("first_seen_at")?,
                word_count: row.get("word_count")?,
                body_source: row.get("body_source")?,
                text_from: row.get("text_from")?,
                fingerprint: row.get("fingerprint")?,
                revision: row.get("revision")?,
                change_id: row.get("change_id")?,
                summary: row.get("summary")?,
                body: row.get("body")?,
                cuts: json(row, "cuts")?,
                extras: json(row, "extras")?,
                evidence: json(row, "evidence")?,
                carriers,
                revisions,
            })
        })?;
        found(article, "article", id)
    }

    /// One copy with its evidence.
    pub fn duplicate(&self, id: DuplicateId) -> Result<FullDuplicate, Error> {
        let sql = "SELECT d.*, coalesce(f.name, f.title, f.url) AS feed
                   FROM duplicates AS d JOIN feeds AS f ON f.id = d.feed_id WHERE d.id = ?1";
        let copy = self.one(sql, id.0, |row| {
            Ok(FullDuplicate {
                id,
                article_id: row.get("article_id")?,
                feed_id: row.get("feed_id")?,
                feed: row.get("feed")?,
                guid: row.get("guid")?,
                url: row.get("url")?,
                title: row.get("title")?,
                author: row.get("author")?,
                language: row.get("language")?,
                published_at: row.get("published_at")?,
                first_seen_at: row.get("first_seen_at")?,
                word_count: row.get("word_count")?,
                reason: row.get("reason")?,
                distance: row.get("distance")?,
                similarity: row.get("similarity")?,
                fingerprint: row.get("fingerprint")?,
                summary: row.get("summary")?,
                body: row.get("body")?,
                cuts: json(row, "cuts")?,
                evidence: json(row, "evidence")?,
            })
        })?;
        found(copy, "copy", id)
    }

    fn carriers(&self, id: ArticleId) -> Result<Vec<Carrier>, Error> {
        let sql = "SELECT 'kept' AS role, NULL AS duplicate_id, a.feed_id,
                          coalesce(f.name, f.title, f.url) AS feed, a.title, a.url,
                          coalesce(a.published_at, a.first_seen_at) AS published_at, NULL AS reason,
                          NULL AS similarity
                   FROM articles AS a JOIN feeds AS f ON f.id = a.feed_id WHERE a.id = ?1
                   UNION ALL
                   SELECT 'copy', d.id, d.feed_id, coalesce(f.name, f.title, f.url), d.title, d.url,
                          coalesce(d.published_at, d.first_seen_at), d.reason, d.similarity
                   FROM duplicates AS d JOIN feeds AS f ON f.id = d.feed_id WHERE d.article_id = ?1
                   ORDER BY 2";
        self.all(sql, [id], |row| {
            Ok(Carrier {
                role: row.get("role")?,
                duplicate_id: row.get("duplicate_id")?,
                feed_id: row.get("feed_id")?,
                feed: row.get("feed")?,
                title: row.get("title")?,
                url: row.get("url")?,
                published_at: row.get("published_at")?,
                reason: row.get("reason")?,
                similarity: row.get("similarity")?,
            })
        })
    }

    fn revisions(&self, id: ArticleId) -> Result<Vec<Revision>, Error> {
        let sql = "SELECT * FROM revisions WHERE article_id = ?1 ORDER BY revision";
        self.all(sql, [id], |row| {
            Ok(Revision {
                revision: row.get("revision")?,
                replaced_at: row.get("replaced_at")?,
                change: row.get("change")?,
                body_source: row.get("body_source")?,
                title: row.get("title")?,
                word_count: row.get("word_count")?,
                body: row.get("body")?,
            })
        })
    }

    /// Hands out the stored articles and copies first seen at or after `since`, in the order in which they came.
    pub fn each_judged_text(
        &self,
        since: Timestamp,
        mut take: impl FnMut(JudgedText),
    ) -> Result<(), Error> {
        let sql = "SELECT t.*, f.dedup_scope, coalesce(f.name, f.title, f.url) AS feed FROM (
                     SELECT id AS article_id, NULL AS duplicate_id, feed_id, title, body, published_at,
                            first_seen_at, NULL AS reason, text_id FROM articles
                     UNION ALL
                     SELECT article_id, id, feed_id, title, body, published_at, first_seen_at, reason, text_id
                     FROM duplicates) AS t JOIN feeds AS f ON f.id = t.feed_id
                   WHERE t.first_seen_at >= ?1 AND f.dedup_scope <> 'off'
                   ORDER BY t.first_seen_at, t.duplicate_id IS NOT NULL, t.text_id";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query([since])?;
        while let Some(row) = rows.next()? {
            take(judged_from(row)?);
        }
        Ok(())
    }

    /// Runs SQLite's `integrity_check` and `foreign_key_check`; what they find, at most ten lines.
    pub fn integrity(&self) -> Result<Vec<String>, Error> {
        let mut findings =
            self.all("PRAGMA integrity_check(10)", [], |row| row.get::<_, String>(0))?;
        findings.retain(|finding| finding != "ok");
        let orphans = self.all("PRAGMA foreign_key_check", [], |row| row.get::<_, String>(0))?;
        findings
            .extend(orphans.into_iter().take(10).map(|table| format!("orphaned row in {table}")));
        Ok(findings)
    }

    fn all<T>(
        &self,
        sql: &str,
        parameters: impl rusqlite::Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, Error> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(parameters, read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn one<T>(
        &self,
        sql: &str,
        id: i64,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, Error> {
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.query_row([id], read).optional()?)
    }
}

/// What a search has become.
enum Terms {
    /// A query of the full-text index.
    Index(String),
    /// A piece of text.
    Text(String),
}

/// Han, kana, Thai, Lao, Khmer, Burmese: the index takes a whole sentence of them for one word.
fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}'
        | '\u{2e80}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}')
}

fn found<T>(row: Option<T>, what: &'static str, id: impl ToString) -> Result<T, Error> {
    row.ok_or_else(|| Error::NotFound { what, id: id.to_string() })
}

/// A JSON column; its CHECK has seen to it that it can be read.
fn json(row: &Row<'_>, column: &str) -> rusqlite::Result<Value> {
    let text: String = row.get(column)?;
    Ok(serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

fn health_from(row: &Row<'_>) -> rusqlite::Result<FeedHealth> {
    Ok(FeedHealth {
        id: row.get("id")?,
        feed: row.get("feed")?,
        url: row.get("url")?,
        state: row.get("state")?,
        failures: row.get("failures")?,
        error_kind: row.get("error_kind")?,
        error: row.get("error")?,
        last_poll_at: row.get("last_poll_at")?,
        last_success_at: row.get("last_success_at")?,
        last_new_at: row.get("last_new_at")?,
        next_poll_at: row.get("next_poll_at")?,
        next_poll_reason: row.get("next_poll_reason")?,
        guids: row.get("guids")?,
        moved_to: row.get("moved_to")?,
    })
}

fn poll_from(row: &Row<'_>) -> rusqlite::Result<PastPoll> {
    Ok(PastPoll {
        started_at: row.get("started_at")?,
        duration_ms: row.get::<_, i64>("duration_ms")?.unsigned_abs(),
        http_status: row.get("http_status")?,
        outcome: row.get("outcome")?,
        error_kind: row.get("error_kind")?,
        error: row.get("error")?,
        body_bytes: row.get::<_, i64>("body_bytes")?.unsigned_abs(),
        entries: row.get("entries")?,
        new: row.get("new")?,
        revised: row.get("revised")?,
        duplicates: row.get("duplicates")?,
    })
}

fn judged_from(row: &Row<'_>) -> rusqlite::Result<JudgedText> {
    Ok(JudgedText {
        article_id: row.get("article_id")?,
        duplicate_id: row.get("duplicate_id")?,
        feed_id: row.get("feed_id")?,
        feed: row.get("feed")?,
        title: row.get("title")?,
        body: row.get("body")?,
        published_at: row.get("published_at")?,
        first_seen_at: row.get("first_seen_at")?,
        reason: row.get("reason")?,
        dedup_scope: scope_from(row.get_ref("dedup_scope")?.as_str()?),
    })
}
