-- newsfold's database, first version. Other people's programs read it: tables, columns and words only ever
-- get more. Comments stand inside the statements, so that `.schema` in the sqlite3 shell shows them.
-- One transaction; nothing in it is newer than SQLite 3.40. Never edited after a release.

PRAGMA application_id = 1853322086;
PRAGMA user_version = 1;

CREATE TABLE feeds (
  -- A subscribed URL and its polling state. A feed that left the configuration keeps its row and its
  -- articles (enabled 0, removed_at set) and gets the same row when it comes back.
  -- Instants here and everywhere: UTC, `2026-11-23T09:15:00Z`. Compare them with
  -- strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-1 day'), never with datetime(...).
  id                INTEGER PRIMARY KEY AUTOINCREMENT,
  url               TEXT NOT NULL UNIQUE,      -- as configured, without credentials
  effective_url     TEXT NOT NULL,             -- what is asked: url, or where it has moved to for good
  origin            TEXT NOT NULL,             -- scheme://host[:port] of effective_url, as in hosts
  name              TEXT,                      -- from the configuration
  title             TEXT,                      -- from the feed, like the next two
  site_url          TEXT,
  language          TEXT,
  format            TEXT,                      -- `rss 2.0`, `atom 1.0` ... of the last document
  tags              TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(tags)),
  enabled           INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
  priority          INTEGER NOT NULL DEFAULT 0,        -- the higher one's text is preferred
  dedup_scope       TEXT NOT NULL DEFAULT 'all' CHECK (dedup_scope IN ('all', 'feed', 'off')),
  config_hash       TEXT,                      -- of its configuration entry: a changed entry lifts a 410
  added_at          TEXT NOT NULL CHECK (added_at GLOB '[1-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z' AND added_at >= '1970'),
  removed_at        TEXT CHECK (removed_at GLOB '[1-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z' AND removed_at >= '1970'),
  same_as           INTEGER REFERENCES feeds (id),     -- an earlier feed with this effective_url: not polled
  etag              TEXT,                      -- validators, header bytes mapped one to one to U+0000-U+00FF
  last_modified     TEXT,
  validators_url    TEXT,                      -- the URL that gave them: they are sent nowhere else
  next_poll_at      TEXT NOT NULL CHECK (next_poll_at GLOB '[1-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z' AND next_poll_at >= '1970'),
  next_poll_reason  TEXT NOT NULL DEFAULT 'new',       -- the rule that set it
  next_poll_rules   TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(next_poll_rules)),  -- what each rule asked for
  last_poll_at      TEXT CHECK (last_poll_at GLOB '[1-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z' AND last_poll_at >= '1970'),
  last_success_at   TEXT CHECK (last_success_at GLOB '[1-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z' AND last_success_at >= '1970'),
  last_new_at       TEXT CHECK (last_new_at GLOB '[1-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z' AND last_new_at >= '1970'),  -- last poll that brought a new entry
  last_full_get_at  TEXT CHECK (last_full_get_at GLOB '[1-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z' AND last_full_get_at >= '1970'),  -- last request without validators
  usual_gap_s       INTEGER CHECK (usual_gap_s >= 0),  -- between new entries, learned
  failures          INTEGER NOT NULL DEFAULT 0 CHECK (failures >= 0),   -- in a row
  error_kind        TEXT,                      -- of the last poll, NULL if it succeeded: `timeout`, `http_status` ...
  error             TEXT,
  warned_at         TEXT CHECK (warned_at GLOB '[1-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z' AND warned_at >= '1970'),  -- last warning in the log
  retry_after_until TEXT CHECK (retry_after_until GLOB '[1-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z' AND retry_after_until >= '1970'),  -- an order: not asked before
  gone_at           TEXT CHECK (gone_at GLOB '[1-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z' AND gone_at >= '1970'),  -- 410: not asked again
  moved_to          TEXT,                      -- target of a permanent redirect that is being watched or was adopted
  moved_since       TEXT CHECK (moved_since GLOB '[1-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z' AND moved_since >= '1970'),
  moved_polls       INTEGER NOT NULL DEFAULT 0 CHECK (moved_polls >= 0),
  extras            TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(extras)),  -- hubs, and new_feed_url where the document says that it has moved
  poll_memory       TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(poll_memory)),  -- what else the next poll depends on
  guids_trusted     INTEGER NOT NULL DEFAULT 1 CHECK (guids_trusted IN (0, 1)),  -- 0: they proved worthless
  guid_changes      INTEGER NOT NULL DEFAULT 0 CHECK (guid_changes >= 0),  -- polls in a row in which every guid was new
  claimed_by        TEXT,                      -- the process that polls it now
  claimed_until     TEXT CHECK (claimed_until GLOB '[1-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z' AND claimed_until >= '1970'),
  CHECK ((claimed_by IS NULL) = (claimed_until IS NULL)),
  CHECK (enabled = 0 OR removed_at IS NULL)
) STRICT;

CREATE INDEX feeds_by_next_poll ON feeds (next_poll_at) WHERE enabled = 1;
CREATE INDEX feeds_by_effective_url ON feeds (effective_url);
CREATE INDEX feeds_by_claim ON feeds (claimed_until) WHERE claimed_until IS NOT NULL;

CREATE TABLE hosts (
  -- What a server ordered for all its feeds, kept here so that every process obeys.
  origin            TEXT PRIMARY KEY,          -- scheme://host[:port]
  retry_after_until TEXT CHECK (retry_after_until GLOB '[1-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z' AND retry_after_until >= '1970')   -- not asked before
) STRICT, WITHOUT ROWID;

CREATE TABLE polls (
  -- One poll of one feed, whatever came of it. Kept for [store] keep_polls.
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  feed_id     INTEGER NOT NULL REFERENCES feeds (id),
  started_at  TEXT NOT NULL CHECK (started_at GLOB '[1-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z' AND started_at >= '1970'),
  duration_ms INTEGER NOT NULL CHECK (duration_ms >= 0),
  http_status INTEGER,                         -- of the last answer; NULL: there was none
  outcome     TEXT NOT NULL CHECK (outcome IN ('changed', 'unchanged', 'failed', 'gone')),
  error_kind  TEXT CHECK ((error_kind IS NOT NULL) = (outcome IN ('failed', 'gone'))),
  error       TEXT,
  body_bytes  INTEGER NOT NULL DEFAULT 0 CHECK (body_bytes >= 0),   -- as received
  entries     INTEGER NOT NULL DEFAULT 0 CHECK (entries >= 0),      -- listed in the document
  new         INTEGER NOT NULL DEFAULT 0 CHECK (new >= 0),          -- became articles
  revised     INTEGER NOT NULL DEFAULT 0 CHECK (revised >= 0),      -- edited by their publisher
  duplicates  INTEGER NOT NULL DEFAULT 0 CHECK (duplicates >= 0)    -- folded into articles
) STRICT;

CREATE INDEX polls_by_feed ON polls (feed_id);

CREATE TABLE articles (
  -- One clean article: the one copy that is kept, what programs read. An id is never used twice.
  id               INTEGER PRIMARY KEY AUTOINCREMENT,
  feed_id          INTEGER NOT NULL REFERENCES feeds (id),   -- the feed that had it first
  guid             TEXT,                       -- the publisher's identifier
  url              TEXT,                       -- the article's page
  title            TEXT NOT NULL,              -- plain text, one line
  author           TEXT,
  tags             TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(tags)),
  language         TEXT,                       -- BCP 47
  published_at     TEXT CHECK (published_at GLOB '[1-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z' AND published_at >= '1970'),  -- NULL: not said
  published_source TEXT CHECK (published_source IN ('published', 'updated', 'clamped')),  -- which date published_at is
  updated_at       TEXT CHECK (updated_at GLOB '[1-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z' AND updated_at >= '1970'),  -- as the publisher says
  first_seen_at    TEXT NOT NULL CHECK (first_seen_at GLOB '[1-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z' AND first_seen_at >= '1970'),
  word_count       INTEGER NOT NULL CHECK (word_count >= 0),
  body_source      TEXT NOT NULL CHECK (body_source IN ('feed', 'page', 'copy')),  -- copy: a fuller one lent its text
  text_from        INTEGER REFERENCES duplicates (id) ON DELETE SET NULL,    -- that copy
  fingerprint      TEXT NOT NULL CHECK (length(fingerprint) = 16 AND fingerprint NOT GLOB '*[^0-9a-f]*'),  -- 64-bit simhash
  text_id          INTEGER REFERENCES fingerprints (id) ON DELETE SET NULL,  -- its text in the duplicate index
  revision         INTEGER NOT NULL DEFAULT 1 CHECK (revision >= 1),
  change_id        INTEGER NOT NULL,           -- grows with each change that matters: read on from the last one seen
  summary          TEXT,                       -- the publisher's, where it differs from the body
  body             TEXT NOT NULL,              -- plain text, paragraphs apart by one blank line
  cuts             TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(cuts)),      -- what was taken out, and why
  extras           TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(extras)),    -- enclosures, comments link ...
  evidence         TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(evidence)),  -- why it was kept: nearest others, and why they were refused
  CHECK ((published_at IS NULL) = (published_source IS NULL))
) STRICT;

CREATE UNIQUE INDEX articles_by_change ON articles (change_id);
CREATE INDEX articles_by_feed ON articles (feed_id);
CREATE INDEX articles_by_time ON articles (coalesce(published_at, first_seen_at));
CREATE INDEX articles_by_text ON articles (text_id) WHERE text_id IS NOT NULL;
CREATE INDEX articles_by_text_from ON articles (text_from) WHERE text_from IS NOT NULL;

CREATE TABLE duplicates (
  -- A copy that was folded into an article: nothing is deleted, `newsfold unfold dID` undoes it.
  id               INTEGER PRIMARY KEY AUTOINCREMENT,
  article_id       INTEGER NOT NULL REFERENCES articles (id) ON DELETE CASCADE,  -- always one that stands
  feed_id          INTEGER NOT NULL REFERENCES feeds (id),   -- the feed that carried the copy
  guid             TEXT,
  url              TEXT,
  title            TEXT NOT NULL,
  author           TEXT,
  tags             TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(tags)),
  language         TEXT,
  published_at     TEXT CHECK (published_at GLOB '[1-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z' AND published_at >= '1970'),
  published_source TEXT CHECK (published_source IN ('published', 'updated', 'clamped')),
  updated_at       TEXT CHECK (updated_at GLOB '[1-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z' AND updated_at >= '1970'),
  first_seen_at    TEXT NOT NULL CHECK (first_seen_at GLOB '[1-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z' AND first_seen_at >= '1970'),
  word_count       INTEGER NOT NULL CHECK (word_count >= 0),
  body_source      TEXT NOT NULL CHECK (body_source IN ('feed', 'page')),
  reason           TEXT NOT NULL CHECK (reason IN ('same_guid', 'same_url', 'same_headline', 'same_text', 'near_duplicate')),
  distance         INTEGER CHECK (distance BETWEEN 0 AND 64),            -- of the fingerprints; NULL for texts under 8 words
  similarity       REAL NOT NULL CHECK (similarity BETWEEN 0 AND 1),
  fingerprint      TEXT NOT NULL CHECK (length(fingerprint) = 16 AND fingerprint NOT GLOB '*[^0-9a-f]*'),
  text_id          INTEGER REFERENCES fingerprints (id) ON DELETE SET NULL,
  summary          TEXT,
  body             TEXT NOT NULL,
  cuts             TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(cuts)),
  extras           TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(extras)),
  evidence         TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(evidence)),  -- what was compared, overlaps, thresholds
  CHECK ((published_at IS NULL) = (published_source IS NULL))
) STRICT;

CREATE INDEX duplicates_by_article ON duplicates (article_id);
CREATE INDEX duplicates_by_feed ON duplicates (feed_id);
CREATE INDEX duplicates_by_text ON duplicates (text_id) WHERE text_id IS NOT NULL;

CREATE TABLE revisions (
  -- An earlier text of an article. `change` says what took its place: an edit of the publisher (cosmetic,
  -- headline, substantive), a fuller copy (fuller), or the article's own text again after an unfold (unfolded).
  article_id  INTEGER NOT NULL REFERENCES articles (id) ON DELETE CASCADE,
  revision    INTEGER NOT NULL CHECK (revision >= 1),
  replaced_at TEXT NOT NULL CHECK (replaced_at GLOB '[1-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z' AND replaced_at >= '1970'),
  change      TEXT NOT NULL CHECK (change IN ('cosmetic', 'headline', 'substantive', 'fuller', 'unfolded')),
  body_source TEXT NOT NULL CHECK (body_source IN ('feed', 'page', 'copy')),  -- whose text this row is
  title       TEXT NOT NULL,
  author      TEXT,
  language    TEXT,
  word_count  INTEGER NOT NULL CHECK (word_count >= 0),
  summary     TEXT,
  body        TEXT NOT NULL,
  text_id     INTEGER REFERENCES fingerprints (id) ON DELETE SET NULL,  -- its text in the duplicate index, where a fuller copy took its place
  PRIMARY KEY (article_id, revision)
) STRICT;

CREATE INDEX revisions_by_text ON revisions (text_id) WHERE text_id IS NOT NULL;

CREATE TABLE entries (
  -- The ledger: every entry ever listed, so that nothing known is taken for new. A row goes 30 days after
  -- its publisher last listed the entry. Neither article nor duplicate: it was removed, or never wanted;
  -- edited under another date, or without one, it is judged like a new entry.
  id             INTEGER PRIMARY KEY,
  feed_id        INTEGER NOT NULL REFERENCES feeds (id),
  raw_hash       INTEGER NOT NULL,             -- of the entry as published: equal means unchanged
  content_hash   INTEGER NOT NULL,             -- of its clean title and body
  article_id     INTEGER REFERENCES articles (id) ON DELETE SET NULL,
  duplicate_id   INTEGER REFERENCES duplicates (id) ON DELETE SET NULL,
  listed         INTEGER NOT NULL DEFAULT 1 CHECK (listed IN (0, 1)),  -- stands in the feed's last document
  last_listed_at TEXT NOT NULL CHECK (last_listed_at GLOB '[1-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z' AND last_listed_at >= '1970'),  -- noted when it is first seen, edited, or listed no more
  guid           TEXT,
  url            TEXT,
  published_at   TEXT CHECK (published_at GLOB '[1-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z' AND published_at >= '1970'),  -- as the publisher last dated it
  CHECK (article_id IS NULL OR duplicate_id IS NULL)
) STRICT;

CREATE INDEX entries_by_guid ON entries (guid, feed_id) WHERE guid IS NOT NULL;
CREATE INDEX entries_by_url ON entries (url, feed_id) WHERE url IS NOT NULL;
CREATE INDEX entries_by_content ON entries (feed_id, content_hash);
CREATE INDEX entries_listed ON entries (feed_id, raw_hash) WHERE listed = 1;
CREATE INDEX entries_departed ON entries (last_listed_at) WHERE listed = 0;
CREATE INDEX entries_by_article ON entries (article_id) WHERE article_id IS NOT NULL;
CREATE INDEX entries_by_duplicate ON entries (duplicate_id) WHERE duplicate_id IS NOT NULL;

CREATE TABLE fingerprints (
  -- What the duplicate index in memory is made of: one row for each text that was judged, never updated,
  -- ids only grow. text_id in articles, duplicates and revisions says whose text it is; named by nobody, it is dead.
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  feed_id       INTEGER NOT NULL REFERENCES feeds (id),
  first_seen_at TEXT NOT NULL CHECK (first_seen_at GLOB '[1-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z' AND first_seen_at >= '1970'),
  fingerprint   INTEGER NOT NULL,              -- simhash of the text, as a signed number
  headline      INTEGER NOT NULL,              -- hash of its title
  tokens        INTEGER NOT NULL CHECK (tokens >= 0),
  passages      BLOB NOT NULL                  -- hashes of chosen five-word runs, sorted, packed
) STRICT;

CREATE INDEX fingerprints_by_first_seen ON fingerprints (first_seen_at);

CREATE TABLE furniture (
  -- Lines and sentences that a feed repeats in different kept articles: taken off texts from the third on.
  feed_id   INTEGER NOT NULL REFERENCES feeds (id),
  line_hash INTEGER NOT NULL,
  articles  INTEGER NOT NULL CHECK (articles >= 2),
  last_at   TEXT NOT NULL CHECK (last_at GLOB '[1-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z' AND last_at >= '1970'),
  PRIMARY KEY (feed_id, line_hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE furniture_recent (
  -- Hashes of the lines and sentences of a feed's last 20 kept articles: by them a repeat is noticed without
  -- reading those articles again, and what stands in one article only never reaches `furniture`.
  feed_id INTEGER PRIMARY KEY REFERENCES feeds (id),
  lines   BLOB NOT NULL                        -- for each article, newest last: a 32-bit count, then 64-bit hashes
) STRICT;

CREATE TABLE kept_apart (
  -- Pairs that somebody unfolded: never folded again, whichever process judges them. The guid and the URL
  -- are the copy's own, so that it is known again when nothing else is left of it.
  article_id INTEGER NOT NULL REFERENCES articles (id) ON DELETE CASCADE,
  other_id   INTEGER REFERENCES articles (id) ON DELETE SET NULL,   -- what the copy became
  feed_id    INTEGER NOT NULL REFERENCES feeds (id),
  guid       TEXT,
  url        TEXT,
  since      TEXT NOT NULL CHECK (since GLOB '[1-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z' AND since >= '1970')
) STRICT;

CREATE INDEX kept_apart_by_article ON kept_apart (article_id);
CREATE INDEX kept_apart_by_other ON kept_apart (other_id);

CREATE TABLE counters (
  -- Numbers that only grow: `change_id` is the last one given to an article.
  name  TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO counters (name, value) VALUES ('change_id', 0);

CREATE TABLE settings (
  -- What the database itself must know of the configuration. `search`: full (titles and bodies are in
  -- article_fts), title, or off.
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL,
  CHECK (name <> 'search' OR value IN ('full', 'title', 'off'))
) STRICT, WITHOUT ROWID;

INSERT INTO settings (name, value) VALUES ('search', 'full');

CREATE TABLE reloads (
  -- `newsfold reload` asks here and signals the daemon, which answers here. The last hundred are kept.
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  requested_at TEXT NOT NULL CHECK (requested_at GLOB '[1-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z' AND requested_at >= '1970'),
  answered_at  TEXT CHECK (answered_at GLOB '[1-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z' AND answered_at >= '1970'),
  refusal      TEXT                            -- why the old configuration stayed; NULL with answered_at: taken up
) STRICT;

CREATE VIEW article_text AS
  -- What article_fts indexes, as [store] search says.
  SELECT a.id, a.title, CASE s.value WHEN 'full' THEN a.body ELSE '' END AS body
  FROM settings AS s JOIN articles AS a
  WHERE s.name = 'search' AND s.value <> 'off';

CREATE VIRTUAL TABLE article_fts USING fts5 (
  -- SELECT a.* FROM article_fts JOIN articles AS a ON a.id = article_fts.rowid WHERE article_fts MATCH 'zelensky' ORDER BY rank;
  title, body,
  content = 'article_text', content_rowid = 'id',
  tokenize = 'unicode61 remove_diacritics 2'
);

CREATE VIEW carriers (article_id, feed_id, feed, url, title, published_at, role, reason, similarity) AS
  -- Who carried an article: the kept one first, then its copies.
  SELECT a.id, a.feed_id, coalesce(f.name, f.title, f.url), a.url, a.title,
         coalesce(a.published_at, a.first_seen_at), 'kept', NULL, NULL
  FROM articles AS a JOIN feeds AS f ON f.id = a.feed_id
  UNION ALL
  SELECT d.article_id, d.feed_id, coalesce(f.name, f.title, f.url), d.url, d.title,
         coalesce(d.published_at, d.first_seen_at), 'copy', d.reason, d.similarity
  FROM duplicates AS d JOIN feeds AS f ON f.id = d.feed_id;

CREATE VIEW latest (id, published_at, feed, title, url, carriers, body) AS
  -- Articles, newest first; where no date was given, by when they were first seen. carriers: how many
  -- carried it, itself counted.
  SELECT a.id, coalesce(a.published_at, a.first_seen_at), coalesce(f.name, f.title, f.url), a.title, a.url,
         1 + (SELECT count(*) FROM duplicates AS d WHERE d.article_id = a.id), a.body
  FROM articles AS a JOIN feeds AS f ON f.id = a.feed_id
  ORDER BY coalesce(a.published_at, a.first_seen_at) DESC, a.id DESC;

CREATE VIEW feed_health (id, feed, url, state, failures, error_kind, error, last_poll_at, last_success_at,
                         last_new_at, next_poll_at, next_poll_reason, guids, moved_to) AS
  -- One line a feed. state: ok, new (never answered yet), failing, stale (silent for four times its usual
  -- gap), gone (410), same_feed (an earlier feed has the same URL), disabled, removed.
  -- guids: trusted, or worthless (repeated in one document or new at every poll: not used to tell entries apart).
  SELECT f.id, coalesce(f.name, f.title, f.url), f.effective_url,
         CASE WHEN f.removed_at IS NOT NULL THEN 'removed'
              WHEN f.enabled = 0 THEN 'disabled'
              WHEN f.same_as IS NOT NULL THEN 'same_feed'
              WHEN f.gone_at IS NOT NULL THEN 'gone'
              WHEN f.failures > 0 THEN 'failing'
              WHEN f.last_success_at IS NULL THEN 'new'
              WHEN unixepoch('now') - coalesce(json_extract(f.poll_memory, '$.silent_since'), unixepoch(f.last_new_at))
                   > 4 * max(f.usual_gap_s, 3600) THEN 'stale'
              ELSE 'ok' END,
         f.failures, f.error_kind, f.error, f.last_poll_at, f.last_success_at, f.last_new_at,
         f.next_poll_at, f.next_poll_reason,
         CASE f.guids_trusted WHEN 1 THEN 'trusted' ELSE 'worthless' END, f.moved_to
  FROM feeds AS f;

CREATE VIEW due (id, feed, url, next_poll_at, next_poll_reason, overdue_s, claimed_by) AS
  -- Feeds whose time has come, the longest overdue first.
  SELECT f.id, coalesce(f.name, f.title, f.url), f.effective_url, f.next_poll_at, f.next_poll_reason,
         unixepoch('now') - unixepoch(f.next_poll_at),
         CASE WHEN f.claimed_until > strftime('%Y-%m-%dT%H:%M:%SZ', 'now') THEN f.claimed_by END
  FROM feeds AS f LEFT JOIN hosts AS h ON h.origin = f.origin
  WHERE f.enabled = 1 AND f.gone_at IS NULL AND f.same_as IS NULL
    AND f.next_poll_at <= strftime('%Y-%m-%dT%H:%M:%SZ', 'now')
    AND coalesce(f.retry_after_until, '') <= strftime('%Y-%m-%dT%H:%M:%SZ', 'now')
    AND coalesce(h.retry_after_until, '') <= strftime('%Y-%m-%dT%H:%M:%SZ', 'now')
  ORDER BY f.next_poll_at, f.id;
