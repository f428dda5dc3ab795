//! Articles and their copies: stored, read for judging, given another text.
//!
//! The full-text rows are written here, in the same transaction and in order of id; what is indexed is what
//! the view `article_text` shows, so that a later delete names the same words.

use rusqlite::{OptionalExtension, Row, named_params, params};
use serde_json::Value;

use super::{Database, Error};
use crate::model::{
    Article, ArticleId, BodySource, Cut, DuplicateId, FeedId, Fingerprint, TextId, Timestamp,
};

/// What judging adds to an article before it is stored.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each field is a column, described in the schema")]
pub struct Kept<'a> {
    pub feed_id: FeedId,
    pub fingerprint: Fingerprint,
    pub text_id: Option<TextId>,
    pub first_seen_at: Timestamp,
    pub evidence: &'a Value,
}

/// What judging adds to a copy before it is stored.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each field is a column, described in the schema")]
pub struct Folded<'a> {
    pub article_id: ArticleId,
    pub reason: &'a str,
    pub distance: Option<u32>,
    pub similarity: f64,
    pub kept: Kept<'a>,
}

/// The text of an article or a copy with what judging asks of it.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each field is a column, described in the schema")]
pub struct StoredText {
    pub article_id: ArticleId,
    pub duplicate_id: Option<DuplicateId>,
    /// Set where it is an earlier text of the article, which a fuller copy's has replaced.
    pub revision: Option<u32>,
    pub feed_id: FeedId,
    pub guid: Option<String>,
    pub url: Option<String>,
    pub title: String,
    pub body: String,
    pub summary: Option<String>,
    pub author: Option<String>,
    pub language: Option<String>,
    pub published_at: Option<Timestamp>,
    pub first_seen_at: Timestamp,
    pub word_count: u32,
    pub body_source: String,
    pub text_id: Option<TextId>,
    pub fingerprint: Fingerprint,
}

const TEXT_COLUMNS: &str = "feed_id, guid, url, title, body, summary, author, language, published_at, \
    first_seen_at, word_count, body_source, text_id, fingerprint";

impl StoredText {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            article_id: row.get(0)?,
            duplicate_id: row.get(1)?,
            revision: row.get(2)?,
            feed_id: row.get(3)?,
            guid: row.get(4)?,
            url: row.get(5)?,
            title: row.get(6)?,
            body: row.get(7)?,
            summary: row.get(8)?,
            author: row.get(9)?,
            language: row.get(10)?,
            published_at: row.get(11)?,
            first_seen_at: row.get(12)?,
            word_count: row.get(13)?,
            body_source: row.get(14)?,
            text_id: row.get(15)?,
            fingerprint: row.get(16)?,
        })
    }

    /// Whether this is what the article shows now.
    pub fn is_kept(&self) -> bool {
        self.duplicate_id.is_none() && self.revision.is_none()
    }
}

/// A text that takes an article's place: from its publisher's edit, from a fuller copy, or its own again.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each field is a column, described in the schema")]
pub struct NewText<'a> {
    pub title: &'a str,
    pub body: &'a str,
    pub summary: Option<&'a str>,
    pub author: Option<&'a str>,
    pub language: Option<&'a str>,
    pub word_count: u32,
    pub body_source: &'a str,
    pub text_from: Option<DuplicateId>,
    pub fingerprint: Fingerprint,
    pub text_id: Option<TextId>,
}

/// An article's earlier text.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each field is a column, described in the schema")]
pub struct EarlierText {
    pub title: String,
    pub body: String,
    pub summary: Option<String>,
    pub author: Option<String>,
    pub language: Option<String>,
    pub word_count: u32,
    pub body_source: String,
}

impl Database {
    /// Stores an article.
    pub(crate) fn insert_article(
        &self,
        article: &Article,
        kept: &Kept<'_>,
    ) -> Result<ArticleId, Error> {
        let mut statement = self.connection.prepare_cached(
            "INSERT INTO articles (feed_id, guid, url, title, author, tags, language, published_at,
                published_source, updated_at, first_seen_at, word_count, body_source, fingerprint, text_id,
                change_id, summary, body, cuts, extras, evidence)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19,
                ?20, ?21)",
        )?;
        let id = ArticleId(statement.insert(params![
            kept.feed_id,
            article.guid,
            article.url,
            article.title,
            article.author,
            json_words(&article.tags),
            article.language,
            article.published_at,
            article.published_source.map(|source| source.as_str()),
            article.updated_at,
            kept.first_seen_at,
            article.word_count,
            article.body_source.as_str(),
            kept.fingerprint,
            kept.text_id,
            self.next_change()?,
            article.summary,
            article.body,
            json_cuts(&article.cuts),
            json_object(&article.extras),
            kept.evidence.to_string(),
        ])?);
        self.index_text(id);
        Ok(id)
    }

    /// Stores a copy.
    pub(crate) fn insert_duplicate(
        &self,
        article: &Article,
        folded: &Folded<'_>,
    ) -> Result<DuplicateId, Error> {
        let mut statement = self.connection.prepare_cached(
            "INSERT INTO duplicates (article_id, feed_id, guid, url, title, author, tags, language,
                published_at, published_source, updated_at, first_seen_at, word_count, body_source, reason,
                distance, similarity, fingerprint, text_id, summary, body, cuts, extras, evidence)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19,
                ?20, ?21, ?22, ?23, ?24)",
        )?;
        let id = statement.insert(params![
            folded.article_id,
            folded.kept.feed_id,
            article.guid,
            article.url,
            article.title,
            article.author,
            json_words(&article.tags),
            article.language,
            article.published_at,
            article.published_source.map(|source| source.as_str()),
            article.updated_at,
            folded.kept.first_seen_at,
            article.word_count,
            own_source(article.body_source),
            folded.reason,
            folded.distance,
            folded.similarity,
            folded.kept.fingerprint,
            folded.kept.text_id,
            article.summary,
            article.body,
            json_cuts(&article.cuts),
            json_object(&article.extras),
            folded.kept.evidence.to_string(),
        ])?;
        Ok(DuplicateId(id))
    }

    /// Gives a copy the text that its publisher has edited it to, with the new comparison.
    pub(crate) fn update_duplicate(
        &self,
        id: DuplicateId,
        article: &Article,
        folded: &Folded<'_>,
    ) -> Result<(), Error> {
        let mut statement = self.connection.prepare_cached(
            "UPDATE duplicates SET guid = :guid, url = :url, title = :title, author = :author, tags = :tags,
                language = :language, published_at = :published_at, published_source = :published_source,
                updated_at = :updated_at, word_count = :word_count, body_source = :body_source,
                reason = :reason, distance = :distance, similarity = :similarity,
                fingerprint = :fingerprint, text_id = :text_id, summary = :summary, body = :body,
                cuts = :cuts, extras = :extras, evidence = :evidence
             WHERE id = :id",
        )?;
        statement.execute(named_params! {
            ":id": id, ":guid": article.guid, ":url": article.url, ":title": article.title,
            ":author": article.author, ":tags": json_words(&article.tags), ":language": article.language,
            ":published_at": article.published_at,
            ":published_source": article.published_source.map(|source| source.as_str()),
            ":updated_at": article.updated_at, ":word_count": article.word_count,
            ":body_source": own_source(article.body_source), ":reason": folded.reason,
            ":distance": folded.distance, ":similarity": folded.similarity,
            ":fingerprint": folded.kept.fingerprint, ":text_id": folded.kept.text_id,
            ":summary": article.summary, ":body": article.body, ":cuts": json_cuts(&article.cuts),
            ":extras": json_object(&article.extras), ":evidence": folded.kept.evidence.to_string(),
        })?;
        Ok(())
    }

    /// Makes a copy an article of its own: every field moves, the ledger follows, the copy's row goes.
    pub(crate) fn promote_duplicate(
        &self,
        id: DuplicateId,
        evidence: &Value,
    ) -> Result<ArticleId, Error> {
        let mut statement = self.connection.prepare_cached(
            "INSERT INTO articles (feed_id, guid, url, title, author, tags, language, published_at,
                published_source, updated_at, first_seen_at, word_count, body_source, fingerprint, text_id,
                change_id, summary, body, cuts, extras, evidence)
             SELECT feed_id, guid, url, title, author, tags, language, published_at, published_source,
                updated_at, first_seen_at, word_count, body_source, fingerprint, text_id, ?2, summary, body,
                cuts, extras, ?3
             FROM duplicates WHERE id = ?1",
        )?;
        let article =
            ArticleId(statement.insert(params![id, self.next_change()?, evidence.to_string()])?);
        self.point_entries(id, article)?;
        self.connection.prepare_cached("DELETE FROM duplicates WHERE id = ?1")?.execute([id])?;
        self.index_text(article);
        Ok(article)
    }

    /// Gives a copy to another article, with the comparison by which it is one of that.
    pub(crate) fn move_duplicate(&self, id: DuplicateId, folded: &Folded<'_>) -> Result<(), Error> {
        let mut statement = self.connection.prepare_cached(
            "UPDATE duplicates SET article_id = ?2, reason = ?3, distance = ?4, similarity = ?5, evidence = ?6
             WHERE id = ?1",
        )?;
        statement.execute(params![
            id,
            folded.article_id,
            folded.reason,
            folded.distance,
            folded.similarity,
            folded.kept.evidence.to_string()
        ])?;
        Ok(())
    }

    /// What the publisher says about an article besides its text: follows every edit, makes no revision. Author
    /// and summary belong to the text where a copy has lent it.
    pub(crate) fn update_particulars(&self, id: ArticleId, article: &Article) -> Result<(), Error> {
        let mut statement = self.connection.prepare_cached(
            "UPDATE articles SET guid = coalesce(?2, guid), url = coalesce(?3, url), tags = ?4,
                updated_at = ?5, extras = ?6,
                author = CASE body_source WHEN 'copy' THEN author ELSE ?7 END,
                summary = CASE body_source WHEN 'copy' THEN summary ELSE ?8 END
             WHERE id = ?1 AND (guid IS NOT coalesce(?2, guid) OR url IS NOT coalesce(?3, url)
                OR tags IS NOT ?4 OR updated_at IS NOT ?5 OR extras IS NOT ?6
                OR body_source <> 'copy' AND (author IS NOT ?7 OR summary IS NOT ?8))",
        )?;
        statement.execute(params![
            id,
            article.guid,
            article.url,
            json_words(&article.tags),
            article.updated_at,
            json_object(&article.extras),
            article.author,
            article.summary
        ])?;
        Ok(())
    }

    /// Replaces an article's text; the old one goes to `revisions`. `is_change` gives a new `change_id`.
    pub(crate) fn replace_text(
        &self,
        id: ArticleId,
        new: &NewText<'_>,
        change: &str,
        is_change: bool,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.connection
            .prepare_cached(
                "INSERT INTO revisions (article_id, revision, replaced_at, change, body_source, title, author,
                    language, word_count, summary, body, text_id)
                 SELECT id, revision, ?2, ?3, body_source, title, author, language, word_count, summary, body,
                    CASE WHEN ?3 = 'fuller' AND body_source <> 'copy' THEN text_id END
                 FROM articles WHERE id = ?1",
            )?
            .execute(params![id, now, change])?;
        self.unindex_text(id)?;
        let change_id = if is_change { Some(self.next_change()?) } else { None };
        let mut statement = self.connection.prepare_cached(
            "UPDATE articles SET title = :title, body = :body, summary = :summary, author = :author,
                language = :language, word_count = :word_count, body_source = :body_source,
                text_from = :text_from, fingerprint = :fingerprint, text_id = :text_id,
                revision = revision + 1, change_id = coalesce(:change_id, change_id)
             WHERE id = :id",
        )?;
        statement.execute(named_params! {
            ":id": id, ":title": new.title, ":body": new.body, ":summary": new.summary,
            ":author": new.author, ":language": new.language, ":word_count": new.word_count,
            ":body_source": new.body_source, ":text_from": new.text_from,
            ":fingerprint": new.fingerprint, ":text_id": new.text_id, ":change_id": change_id,
        })?;
        self.index_text(id);
        Ok(())
    }

    /// Records an edit of an article's own text while a fuller copy's text stands in its place.
    pub(crate) fn record_hidden_edit(
        &self,
        id: ArticleId,
        article: &Article,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.connection
            .prepare_cached(
                "INSERT INTO revisions (article_id, revision, replaced_at, change, body_source, title, author,
                    language, word_count, summary, body)
                 SELECT id, revision, ?2, 'fuller', ?3, ?4, ?5, ?6, ?7, ?8, ?9 FROM articles WHERE id = ?1",
            )?
            .execute(params![
                id,
                now,
                article.body_source.as_str(),
                article.title,
                article.author,
                article.language,
                article.word_count,
                article.summary,
                article.body
            ])?;
        self.connection
            .prepare_cached("UPDATE articles SET revision = revision + 1 WHERE id = ?1")?
            .execute([id])?;
        Ok(())
    }

    /// The last text that the article's own publisher gave it, where a copy's stands in its place.
    pub(crate) fn own_text(&self, id: ArticleId) -> Result<Option<EarlierText>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT title, body, summary, author, language, word_count, body_source FROM revisions
             WHERE article_id = ?1 AND body_source <> 'copy' ORDER BY revision DESC LIMIT 1",
        )?;
        let found = statement.query_row([id], |row| {
            Ok(EarlierText {
                title: row.get(0)?,
                body: row.get(1)?,
                summary: row.get(2)?,
                author: row.get(3)?,
                language: row.get(4)?,
                word_count: row.get(5)?,
                body_source: row.get(6)?,
            })
        });
        Ok(found.optional()?)
    }

    /// Whose text this is: an article's, a copy's, or the one that an article had until a fuller copy's took its
    /// place. `None` where nobody has it any more.
    pub(crate) fn text(&self, text: TextId) -> Result<Option<StoredText>, Error> {
        for (ids, from) in [
            ("id, NULL, NULL", "articles WHERE text_id = ?1"),
            ("article_id, id, NULL", "duplicates WHERE text_id = ?1"),
        ] {
            if let Some(found) = self.text_where(ids, from, [text.0])? {
                return Ok(Some(found));
            }
        }
        self.earlier_text_where("r.text_id = ?1", [text.0])
    }

    /// The headline of a text, without reading its body. `None` as for [`Database::text`].
    pub(crate) fn headline(&self, text: TextId) -> Result<Option<String>, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT title FROM articles WHERE text_id = ?1
             UNION ALL SELECT title FROM duplicates WHERE text_id = ?1
             UNION ALL SELECT title FROM revisions WHERE text_id = ?1 LIMIT 1",
        )?;
        Ok(statement.query_row([text], |row| row.get(0)).optional()?)
    }

    /// One article's text.
    pub(crate) fn article_text(&self, id: ArticleId) -> Result<Option<StoredText>, Error> {
        self.text_where("id, NULL, NULL", "articles WHERE id = ?1", [id.0])
    }

    /// One copy's text.
    pub(crate) fn duplicate_text(&self, id: DuplicateId) -> Result<Option<StoredText>, Error> {
        self.text_where("article_id, id, NULL", "duplicates WHERE id = ?1", [id.0])
    }

    /// The texts of an article's copies, in the order in which they were folded.
    pub(crate) fn copies_of(&self, id: ArticleId) -> Result<Vec<StoredText>, Error> {
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT article_id, id, NULL, {TEXT_COLUMNS} FROM duplicates WHERE article_id = ?1 ORDER BY id"
        ))?;
        let copies = statement.query_map([id], StoredText::from_row)?;
        Ok(copies.collect::<Result<_, _>>()?)
    }

    /// Whether an article or one of its copies, `without` one of them, has so many tokens.
    pub(crate) fn has_report(
        &self,
        id: ArticleId,
        tokens: u32,
        without: Option<DuplicateId>,
    ) -> Result<bool, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT 1 FROM (SELECT text_id, word_count FROM articles WHERE id = ?1
                            UNION ALL SELECT text_id, word_count FROM duplicates
                            WHERE article_id = ?1 AND id IS NOT ?3) AS t
             LEFT JOIN fingerprints AS f ON f.id = t.text_id
             WHERE coalesce(f.tokens, t.word_count) >= ?2",
        )?;
        Ok(statement.exists(params![id, tokens, without])?)
    }

    /// An earlier text of an article, while it is in the duplicate index.
    pub(crate) fn earlier_text(
        &self,
        id: ArticleId,
        revision: u32,
    ) -> Result<Option<StoredText>, Error> {
        self.earlier_text_where("r.article_id = ?1 AND r.revision = ?2", (id.0, revision))
    }

    fn earlier_text_where(
        &self,
        condition: &str,
        key: impl rusqlite::Params,
    ) -> Result<Option<StoredText>, Error> {
        // `fingerprints` has it as a signed number, everybody else as 16 hex digits.
        let from = format!(
            "(SELECT r.article_id, r.revision, a.feed_id, a.guid, a.url, r.title, r.body, r.summary, r.author,
                r.language, a.published_at, a.first_seen_at, r.word_count, r.body_source, r.text_id,
                printf('%016x', f.fingerprint) AS fingerprint
              FROM revisions AS r JOIN articles AS a ON a.id = r.article_id
                JOIN fingerprints AS f ON f.id = r.text_id
              WHERE {condition})"
        );
        self.text_where("article_id, NULL, revision", &from, key)
    }

    fn text_where(
        &self,
        ids: &str,
        from: &str,
        key: impl rusqlite::Params,
    ) -> Result<Option<StoredText>, Error> {
        let mut statement =
            self.connection.prepare_cached(&format!("SELECT {ids}, {TEXT_COLUMNS} FROM {from}"))?;
        Ok(statement.query_row(key, StoredText::from_row).optional()?)
    }

    /// The copy whose text stands in the article, if one has taken over.
    pub(crate) fn text_from(&self, id: ArticleId) -> Result<Option<DuplicateId>, Error> {
        let mut statement =
            self.connection.prepare_cached("SELECT text_from FROM articles WHERE id = ?1")?;
        Ok(statement.query_row([id], |row| row.get(0)).optional()?.flatten())
    }

    /// What was written down when a copy was folded.
    pub(crate) fn duplicate_evidence(&self, id: DuplicateId) -> Result<Value, Error> {
        let mut statement =
            self.connection.prepare_cached("SELECT evidence FROM duplicates WHERE id = ?1")?;
        let text: Option<String> = statement.query_row([id], |row| row.get(0)).optional()?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
    }

    /// Remembers that somebody unfolded this pair.
    pub(crate) fn keep_apart(
        &self,
        article: ArticleId,
        copy: &StoredText,
        became: ArticleId,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut statement = self.connection.prepare_cached(
            "INSERT INTO kept_apart (article_id, other_id, feed_id, guid, url, since)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        statement.execute(params![article, became, copy.feed_id, copy.guid, copy.url, now])?;
        Ok(())
    }

    /// Whether an entry of a feed is one that somebody unfolded from this article.
    pub(crate) fn is_kept_apart(
        &self,
        article: ArticleId,
        feed: FeedId,
        guid: Option<&str>,
        url: Option<&str>,
    ) -> Result<bool, Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT 1 FROM kept_apart
             WHERE article_id = ?1 AND feed_id = ?2 AND (guid = ?3 OR url = ?4)",
        )?;
        Ok(statement.exists(params![article, feed, guid, url])?)
    }
}

fn own_source(source: BodySource) -> &'static str {
    if source == BodySource::Page { "page" } else { "feed" }
}

fn json_words(words: &[String]) -> String {
    if words.is_empty() { "[]".to_owned() } else { Value::from(words).to_string() }
}

fn json_cuts(cuts: &[Cut]) -> String {
    serde_json::to_string(cuts).unwrap_or_else(|_| "[]".to_owned())
}

fn json_object(object: &serde_json::Map<String, Value>) -> String {
    serde_json::to_string(object).unwrap_or_else(|_| "{}".to_owned())
}
