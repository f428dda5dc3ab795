//! The plain data that travels down the line, and the invariants it carries.
//!
//! A [`Document`] is what a server (or a file) handed over; `parse` turns it into a [`ParsedFeed`] of
//! [`Entry`]s as the publisher wrote them; `normalize` turns an entry into an [`Article`], the clean text
//! that is judged and stored. Nothing here reads a clock, a file or a socket.

use std::{collections::HashSet, fmt, str::FromStr};

use serde::{Serialize, Serializer};

/// A point in time: UTC, whole seconds, years 1970 to 9999.
///
/// Prints as ISO 8601 with exactly 20 characters (`2026-11-23T09:15:00Z`), the form of every instant in the
/// database and in JSON, so that text order is time order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const MIN: Self = Self(0);
    /// 9999-12-31T23:59:59Z.
    pub const MAX: Self = Self(253_402_300_799);

    /// Takes seconds since 1970; `None` outside the years 1970 to 9999.
    pub fn from_unix_seconds(seconds: i64) -> Option<Self> {
        (Self::MIN.0..=Self::MAX.0).contains(&seconds).then_some(Self(seconds))
    }

    /// Seconds since 1970.
    pub fn unix_seconds(self) -> i64 {
        self.0
    }

    /// This instant moved by `seconds` (negative: earlier), held inside the representable years.
    #[must_use]
    pub fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds).clamp(Self::MIN.0, Self::MAX.0))
    }

    /// Seconds from `earlier` to this instant; negative if `earlier` is the later one.
    pub fn seconds_since(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = self.0.div_euclid(86_400);
        let second = self.0.rem_euclid(86_400);
        let (year, month, day) = civil_from_days(days);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        let mut text = *b"0000-00-00T00:00:00Z";
        for (end, mut number) in
            [(4, year), (7, month), (10, day), (13, hour), (16, minute), (19, second)]
        {
            for digit in text[..end].iter_mut().rev().take_while(|digit| **digit == b'0') {
                *digit += (number % 10) as u8;
                number /= 10;
            }
        }
        f.write_str(str::from_utf8(&text).unwrap_or_default())
    }
}

/// Proleptic Gregorian date of a day counted from 1970-01-01 (Howard Hinnant, "chrono-compatible low-level
/// date algorithms"); a tenth of the cost of a calendar library, on a path taken for every column written.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// The text is not an instant of the form `2026-11-23T09:15:00Z`.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0:?} is not an instant like 2026-11-23T09:15:00Z")]
pub struct InvalidTimestamp(String);

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidTimestamp(text.to_owned());
        if text.len() != 20 || !text.is_ascii() || !text.ends_with('Z') {
            return Err(invalid());
        }
        // As a civil time: jiff's own instants end a day before year 9999 does.
        let civil: jiff::civil::DateTime = text[..19].parse().map_err(|_| invalid())?;
        let since_1970 =
            civil.duration_since(jiff::civil::DateTime::constant(1970, 1, 1, 0, 0, 0, 0));
        Self::from_unix_seconds(since_1970.as_secs()).ok_or_else(invalid)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Row id of a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct FeedId(pub i64);

/// Row id of an article. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ArticleId(pub i64);

/// Row id of a folded copy, written `d12`. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DuplicateId(pub i64);

/// Row id of a text in the duplicate index: one per text ever judged. Grows, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct TextId(pub i64);

impl fmt::Display for FeedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for ArticleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for DuplicateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "d{}", self.0)
    }
}

impl Serialize for DuplicateId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for DuplicateId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.strip_prefix('d').unwrap_or(text).parse().map(Self)
    }
}

/// A 64-bit simhash. Prints as 16 hex digits: as a number, jq and JavaScript would round it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub u64);

impl Fingerprint {
    /// Hamming distance, 0 to 64.
    pub fn distance(self, other: Self) -> u32 {
        simhash::hamming_distance(self.0, other.0)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Bytes as a server or a file handed them over, decompressed but not yet decoded.
#[derive(Clone, Debug)]
pub struct Document {
    /// The body, at most `fetch.max_body` long.
    pub bytes: Vec<u8>,
    /// The Content-Type header, whole, if there was one.
    pub content_type: Option<String>,
    /// Where it came from after redirects: the base of relative links.
    pub url: String,
}

/// What an earlier poll left behind that lets this one skip and clean: handed in, never looked up.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// [`Entry::raw_hash`] of every entry in the feed's ledger whose text has not changed since.
    pub raw_hashes: HashSet<u64>,
    /// Hashes of the lines and sentences that this feed repeats in different articles.
    pub furniture: HashSet<u64>,
}

/// A feed document as its publisher wrote it, entries in document order.
#[derive(Clone, Debug, Default)]
pub struct ParsedFeed {
    /// Format and version, lower case: `rss 2.0`, `atom 1.0`, `json feed 1.1`, `cdf` ...
    pub format: String,
    /// The feed's title as plain text.
    pub title: Option<String>,
    /// The web page the feed belongs to, absolute http(s).
    pub site_url: Option<String>,
    /// Declared language, BCP 47 as written by the publisher.
    pub language: Option<String>,
    /// What the document itself says about when to come back.
    pub hints: PollHints,
    /// Where the publisher says the feed has moved to (`itunes:new-feed-url`).
    pub new_feed_url: Option<String>,
    /// WebSub hubs named by the document.
    pub hubs: Vec<String>,
    /// Entries whose `raw_hash` was not in [`Known::raw_hashes`].
    pub entries: Vec<Entry>,
    /// `raw_hash` of the listed entries that were known and therefore skipped.
    pub unchanged: Vec<u64>,
    /// What had to be repaired or left out, one line each, for `inspect` and the debug log.
    pub repairs: Vec<String>,
    /// Whether the text ends before the document does: its root was never closed.
    pub is_cut: bool,
}

/// What a feed document asks of its pollers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PollHints {
    /// RSS `ttl` or `sy:updatePeriod` / `sy:updateFrequency`, whichever is longer, in seconds.
    pub min_interval_seconds: Option<u32>,
    /// RSS `skipHours`: bit n set means not between n:00 and n:59 GMT.
    pub skip_hours: u32,
    /// RSS `skipDays`: bit 0 is Monday, GMT.
    pub skip_days: u8,
}

/// How the publisher marked a text up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Markup {
    /// HTML, or not said: RSS descriptions may be either.
    Html,
    /// Declared to be plain text.
    Plain,
}

/// A text as published, entities of the feed's own syntax resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawText {
    /// The text.
    pub value: String,
    /// What it is marked up in.
    pub markup: Markup,
}

/// A date as published and, where it can be read, the instant it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawDate {
    /// As published, trimmed.
    pub raw: String,
    /// `None` where it cannot be read: it is kept raw and not invented.
    pub at: Option<Timestamp>,
}

/// One item of a feed as its publisher wrote it.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    /// The publisher's identifier (RSS guid, Atom id, JSON Feed id, `rdf:about`), trimmed; never invented.
    pub guid: Option<String>,
    /// Absolute http(s) link to the article.
    pub url: Option<String>,
    /// `feedburner:origLink` and its like: the link before a redirector took its place.
    pub original_url: Option<String>,
    /// The headline as published.
    pub title: Option<RawText>,
    /// The full text, where the feed carries one.
    pub content: Option<RawText>,
    /// The description or summary.
    pub summary: Option<RawText>,
    /// Names of the authors.
    pub authors: Vec<String>,
    /// Categories.
    pub tags: Vec<String>,
    /// Declared language of this entry.
    pub language: Option<String>,
    /// When the publisher says it was published.
    pub published: Option<RawDate>,
    /// When the publisher says it was last changed.
    pub updated: Option<RawDate>,
    /// What has no column of its own: enclosures, media, comments link, source, credits. JSON object.
    pub extras: serde_json::Map<String, serde_json::Value>,
    /// 64-bit hash of the entry's raw text, with what its meaning depends on (charset, base URL, format).
    pub raw_hash: u64,
}

/// Which date stands in [`Article::published_at`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublishedSource {
    /// The publisher's publication date.
    Published,
    /// The publisher's update date: no other was given.
    Updated,
    /// More than a day ahead of the poll: the time of the poll instead.
    Clamped,
}

impl PublishedSource {
    /// The word in `articles.published_source`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Updated => "updated",
            Self::Clamped => "clamped",
        }
    }
}

/// Where an article's text came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodySource {
    /// The feed's own content or summary.
    Feed,
    /// The article's web page.
    Page,
    /// A fuller copy that was folded into this article.
    Copy,
}

impl BodySource {
    /// The word in `articles.body_source`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Feed => "feed",
            Self::Page => "page",
            Self::Copy => "copy",
        }
    }
}

/// Something that `normalize` took out of a text, so that no cut is a mystery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cut {
    /// Why: `headline`, `standfirst`, `site_name`, `read_more`, `credit`, `learned` ... (docs/bodies.md lists them).
    pub kind: &'static str,
    /// What was taken out, at most 300 characters of it.
    pub text: String,
    /// Where: `title`, `top`, `middle`, `end`.
    pub place: &'static str,
}

/// A clean article: only `normalize` makes one.
#[derive(Clone, Debug)]
pub struct Article {
    /// The publisher's identifier, if it gave one.
    pub guid: Option<String>,
    /// Cleaned absolute http(s) link.
    pub url: Option<String>,
    /// The headline, once, plain text, one line.
    pub title: String,
    /// Plain text, paragraphs separated by one blank line; may be empty.
    pub body: String,
    /// The publisher's summary as plain text where it differs from the body.
    pub summary: Option<String>,
    /// Names, joined by `, `.
    pub author: Option<String>,
    /// Categories, without repeats.
    pub tags: Vec<String>,
    /// BCP 47, by declaration or detection.
    pub language: Option<String>,
    /// Never more than a day ahead of the poll.
    pub published_at: Option<Timestamp>,
    /// Which date that is; `None` with `published_at`.
    pub published_source: Option<PublishedSource>,
    /// The publisher's update date.
    pub updated_at: Option<Timestamp>,
    /// Words; in scripts without spaces, characters.
    pub word_count: u32,
    /// Feed or page.
    pub body_source: BodySource,
    /// What was taken out.
    pub cuts: Vec<Cut>,
    /// JSON object, as in [`Entry::extras`].
    pub extras: serde_json::Map<String, serde_json::Value>,
    /// As in [`Entry::raw_hash`].
    pub raw_hash: u64,
    /// 64-bit hash of the clean title and body: equal means that a reader sees no difference.
    pub content_hash: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_print_in_twenty_characters_and_read_back() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_827_696, "2000-02-29T12:34:56Z"),
            (1_795_511_700, "2026-11-24T09:15:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
        ] {
            let instant = Timestamp::from_unix_seconds(seconds).unwrap();
            assert_eq!(instant.to_string(), text);
            assert_eq!(text.parse::<Timestamp>().unwrap(), instant);
        }
        assert!(Timestamp::from_unix_seconds(-1).is_none());
        assert!("2026-11-24 09:15:00".parse::<Timestamp>().is_err());
    }

    #[test]
    fn a_copy_is_written_with_a_d() {
        assert_eq!(DuplicateId(12).to_string(), "d12");
        assert_eq!("d12".parse::<DuplicateId>().unwrap(), DuplicateId(12));
        assert_eq!("12".parse::<DuplicateId>().unwrap(), DuplicateId(12));
    }
}
