//! The pure middle of the line: a document in, clean articles ready to be judged out.
//!
//! Also the entry point for tests, benchmarks, fuzzing and `newsfold inspect`. Runs on a worker thread: everything
//! that costs time and needs no database is done here, the signatures of the texts included.

use crate::{
    dedup::{Signature, Text},
    model::{Article, Document, Known, PollHints, Timestamp},
    normalize::{self, FeedContext, furniture},
    parse,
};

/// What the pure steps need to know of the configuration.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Of the document.
    pub limits: parse::Limits,
    /// Of each text in it.
    pub normalize: normalize::Options,
}

/// A feed document, cleaned and ready to be judged.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// As in [`crate::model::ParsedFeed`].
    pub format: String,
    /// As in [`crate::model::ParsedFeed`].
    pub title: Option<String>,
    /// As in [`crate::model::ParsedFeed`].
    pub site_url: Option<String>,
    /// As in [`crate::model::ParsedFeed`].
    pub language: Option<String>,
    /// As in [`crate::model::ParsedFeed`].
    pub new_feed_url: Option<String>,
    /// As in [`crate::model::ParsedFeed`].
    pub hubs: Vec<String>,
    /// As in [`crate::model::ParsedFeed`].
    pub hints: PollHints,
    /// New and edited entries, in document order.
    pub arrivals: Vec<Arrival>,
    /// `raw_hash` of the listed entries that were known and skipped.
    pub unchanged: Vec<u64>,
    /// As in [`crate::model::ParsedFeed`].
    pub is_cut: bool,
}

/// A clean article with what judging needs of it.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The article.
    pub article: Article,
    /// Its signature.
    pub signature: Signature,
    /// Hashes of its lines and sentences (`normalize::furniture::units`).
    pub lines: Vec<u64>,
}

impl Arrival {
    /// Computes what judging needs of an article.
    pub fn of(article: Article) -> Self {
        let signature = Signature::of(&Text { title: &article.title, body: &article.body });
        let lines = furniture::units(&article.body).collect();
        Self { article, signature, lines }
    }
}

/// Reads a feed document: parses it, cleans what is new in it, prepares it to be judged.
///
/// # Errors
///
/// As [`parse::parse`]: where the document is no feed or exceeds a limit.
pub fn digest(
    document: &Document,
    known: &Known,
    options: &Options,
    now: Timestamp,
) -> Result<Listing, parse::Error> {
    let feed = parse::parse(document, known, &options.limits)?;
    let context = FeedContext {
        title: feed.title.as_deref(),
        site_url: feed.site_url.as_deref(),
        language: feed.language.as_deref(),
        furniture: &known.furniture,
    };
    let normalized = feed
        .entries
        .iter()
        .map(|entry| normalize::normalize(entry, &context, &options.normalize, now));
    let arrivals = normalized.map(Arrival::of).collect();
    Ok(Listing {
        format: feed.format,
        title: feed.title,
        site_url: feed.site_url,
        language: feed.language,
        new_feed_url: feed.new_feed_url,
        hubs: feed.hubs,
        hints: feed.hints,
        arrivals,
        unchanged: feed.unchanged,
        is_cut: feed.is_cut,
    })
}
