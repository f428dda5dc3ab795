//! A new article against the texts that are there: kept, or folded into one of them.
//!
//! Candidates come from the ledger (another feed's entry of the same URL or guid) and from the index; their
//! texts from the database; `dedup::verify` decides. A copy found through another copy, or through the text that an
//! article had before a fuller copy's took its place, folds into that article, and both comparisons are written down.

use std::{borrow::Cow, collections::HashSet};

use serde_json::{Value, json};

use super::{
    identity::is_root,
    lines::strip,
    outcome::Options,
    state::{State, instant, with_side},
};
use crate::{
    dedup::{
        self, Candidate, Prefer, Query, Scope, Side, Text, Verification, can_be_largely_one,
        index::MAX_CANDIDATES,
        join::{Basis, is_fuller, joins, may_stand_for},
        may_tell, tells, verify,
    },
    digest::Arrival,
    model::{Article, DuplicateId, FeedId, Timestamp},
    store::{
        Error,
        articles::StoredText,
        entries::{Holds, Key},
        feeds::FeedState,
    },
};

/// What judging says of an article.
pub(super) enum Verdict {
    /// It is kept.
    Kept {
        /// The nearest others, and why they were refused.
        evidence: Value,
    },
    /// It is a copy.
    Folded(Box<Fold>),
}

/// A copy, and of what.
pub(super) struct Fold {
    /// The article that it folds into.
    pub(super) kept: StoredText,
    /// A word of `duplicates.reason`.
    pub(super) reason: &'static str,
    /// Between the fingerprints of the copy and of the text that it matched.
    pub(super) distance: Option<u32>,
    /// 0 to 1.
    pub(super) similarity: f64,
    /// All that was seen.
    pub(super) evidence: Value,
    /// The comparison with the kept text: whether the copy may lend its own.
    pub(super) against_kept: Verification,
    /// Whether URL or guid are the kept text's too.
    pub(super) has_key: bool,
}

/// Refused candidates that are written down with an article.
const MAX_REFUSED: usize = 3;
/// Characters that a guid must have to be looked for in other feeds, beside a colon or slash (`urn:`, `tag:`, a URL): numbers,
/// short names and slugs recur.
const MIN_GUID_LENGTH: usize = 12;

/// One article on its way to a verdict.
struct Judging<'a> {
    feed: &'a FeedState,
    arrival: &'a Arrival,
    side: Side<'a>,
    /// No furniture was taken off it: its signature is that of the side.
    is_whole: bool,
    options: &'a Options,
    since: Timestamp,
    seen: HashSet<(i64, Option<DuplicateId>, Option<u32>)>,
    compared: u32,
    /// Candidates that no test could have made a copy of this text.
    passed_over: u32,
    refused: Vec<Value>,
}

/// What the index proposed, read as far as it is worth.
enum Proposed {
    /// Nobody's any more: removed, or replaced by another process.
    Gone,
    /// Much longer or shorter, under a headline that the shorter of the two does not tell.
    PassedOver,
    /// To be compared.
    Text(Box<StoredText>),
}

/// What speaks for comparing two texts.
struct Lead {
    via: Value,
    distance: Option<u32>,
    /// `same_url` or `same_guid`: then an agreeing headline is enough.
    key: Option<&'static str>,
}

/// Judges one new article of `feed`.
pub(super) fn judge(
    state: &mut State,
    feed: &FeedState,
    arrival: &Arrival,
    options: &Options,
    now: Timestamp,
) -> Result<Verdict, Error> {
    if feed.dedup_scope == Scope::Off {
        return Ok(Verdict::Kept { evidence: json!({ "scope": "off" }) });
    }
    let furniture = state.furniture(feed.id)?;
    let article = &arrival.article;
    // Its units were hashed on a worker thread: most texts hold no furniture, and are not read again here.
    let has_furniture = arrival.lines.iter().any(|unit| furniture.contains(unit));
    let body = if has_furniture {
        strip(&article.body, &furniture)
    } else {
        Cow::Borrowed(article.body.as_str())
    };
    let at = instant(article.published_at, now);
    let mut judging = Judging {
        feed,
        arrival,
        side: Side::new(Text { title: &article.title, body: &body }, feed.id, at)
            .out_of(&article.body),
        is_whole: !has_furniture,
        options,
        since: now.plus_seconds(-options.dedup.window_seconds),
        seen: HashSet::new(),
        compared: 0,
        passed_over: 0,
        refused: Vec::new(),
    };
    if let Some(fold) = judging.by_keys(state)? {
        return Ok(Verdict::Folded(Box::new(fold)));
    }
    if let Some(fold) = judging.by_index(state, now)? {
        return Ok(Verdict::Folded(Box::new(fold)));
    }
    let mut evidence = judging.counts();
    if !judging.refused.is_empty() {
        evidence["refused"] = Value::Array(judging.refused);
        evidence["thresholds"] = json!(options.dedup.thresholds);
    }
    Ok(Verdict::Kept { evidence })
}

impl Judging<'_> {
    fn article(&self) -> &Article {
        &self.arrival.article
    }

    /// Other feeds' entries of the same URL or guid.
    fn by_keys(&mut self, state: &mut State) -> Result<Option<Fold>, Error> {
        if self.feed.dedup_scope == Scope::Feed {
            return Ok(None);
        }
        let article = &self.arrival.article;
        let url = article.url.as_deref().filter(|url| !is_root(url));
        let guid = article.guid.as_deref().filter(|guid| {
            self.feed.guids_trusted
                && guid.len() >= MIN_GUID_LENGTH
                && Some(*guid) != url
                && guid.contains([':', '/'])
                && !(guid.contains("://") && is_root(guid))
        });
        let keys = [
            url.map(|url| (Key::Url(url), "same_url")),
            guid.map(|guid| (Key::Guid(guid), "same_guid")),
        ];
        for (key, reason) in keys.into_iter().flatten() {
            for holds in state.db.holders_elsewhere(key, self.feed.id)? {
                let text = match holds {
                    Holds::Article(id) => state.db.article_text(id)?,
                    Holds::Duplicate(id) => state.db.duplicate_text(id)?,
                    Holds::Nothing => None,
                };
                let Some(text) = text.filter(|text| text.first_seen_at >= self.since) else {
                    continue;
                };
                let lead = Lead {
                    via: reason.into(),
                    distance: self.distance_to(&text),
                    key: Some(reason),
                };
                if let Some(fold) = self.compare(state, text, &lead)? {
                    return Ok(Some(fold));
                }
            }
        }
        Ok(None)
    }

    fn by_index(&mut self, state: &mut State, now: Timestamp) -> Result<Option<Fold>, Error> {
        let query = Query { feed: self.feed.id, scope: self.feed.dedup_scope, since: self.since };
        let candidates = state.index(now)?.candidates(&self.arrival.signature, &query);
        let mut read = 0;
        for candidate in candidates {
            match self.read(state, &candidate)? {
                Proposed::Gone => continue,
                Proposed::PassedOver => self.passed_over += 1,
                Proposed::Text(text) => {
                    let lead = Lead {
                        via: serde_json::to_value(candidate.via).unwrap_or_default(),
                        distance: candidate.distance,
                        key: None,
                    };
                    if let Some(fold) = self.compare(state, *text, &lead)? {
                        return Ok(Some(fold));
                    }
                }
            }
            read += 1;
            if read == MAX_CANDIDATES {
                break;
            }
        }
        Ok(None)
    }

    /// Reads a candidate, the longer one of two texts last.
    fn read(&self, state: &mut State, candidate: &Candidate) -> Result<Proposed, Error> {
        let limits = &self.options.dedup.thresholds;
        let tokens = self.tokens();
        // A longer text that furniture was taken off since may be much longer no more.
        let needs_headline = !can_be_largely_one([tokens, candidate.tokens], limits)
            && (tokens > candidate.tokens || state.furniture(candidate.feed)?.is_empty());
        if needs_headline && self.is_whole && !may_tell(candidate.headline_within, limits) {
            return Ok(Proposed::PassedOver);
        }
        if needs_headline && tokens < candidate.tokens {
            match state.db.headline(candidate.text)? {
                None => return Ok(Proposed::Gone),
                Some(headline) if !tells(&self.side, &headline, limits) => {
                    return Ok(Proposed::PassedOver);
                }
                Some(_) => {}
            }
        }
        let Some(text) = state.db.text(candidate.text)? else { return Ok(Proposed::Gone) };
        if needs_headline && tokens > candidate.tokens {
            let furniture = state.furniture(text.feed_id)?;
            let title = &self.article().title;
            if !with_side(&text, &furniture, |other| tells(other, title, limits)) {
                return Ok(Proposed::PassedOver);
            }
        }
        Ok(Proposed::Text(Box::new(text)))
    }

    /// Tokens of the body without its furniture.
    fn tokens(&self) -> u32 {
        if self.is_whole { self.arrival.signature.tokens } else { self.side.tokens() }
    }

    /// How many texts were looked at.
    fn counts(&self) -> Value {
        let mut counts = json!({ "compared": self.compared });
        if self.passed_over > 0 {
            counts["passed_over"] = self.passed_over.into();
        }
        counts
    }

    /// Zero stands for a text that is too short to have a fingerprint.
    fn distance_to(&self, text: &StoredText) -> Option<u32> {
        let (ours, theirs) = (self.arrival.signature.fingerprint, text.fingerprint);
        (ours.0 != 0 && theirs.0 != 0).then(|| ours.distance(theirs))
    }

    fn compare(
        &mut self,
        state: &mut State,
        text: StoredText,
        lead: &Lead,
    ) -> Result<Option<Fold>, Error> {
        if !self.seen.insert((text.article_id.0, text.duplicate_id, text.revision)) {
            return Ok(None);
        }
        if !self.is_in_scope(state, text.feed_id)? {
            return Ok(None);
        }
        self.compared += 1;
        let verification = self.verify(state, &text)?;
        let Some(basis) = self.basis(&text, lead, &verification) else {
            self.refuse(&text, lead, &verification, None);
            return Ok(None);
        };
        let (kept, against_kept) = if text.is_kept() {
            (text.clone(), verification.clone())
        } else {
            match state.db.article_text(text.article_id)? {
                Some(kept) if self.is_in_scope(state, kept.feed_id)? => {
                    let against_kept = self.verify(state, &kept)?;
                    (kept, against_kept)
                }
                _ => return Ok(None),
            }
        };
        if self.is_kept_apart(state, &kept)? {
            return Ok(None);
        }
        if !self.joins(state, &kept, lead, basis, &verification, &against_kept)? {
            self.refuse(&text, lead, &verification, Some((&kept, &against_kept)));
            return Ok(None);
        }
        Ok(Some(self.fold(&text, kept, lead, &verification, against_kept)))
    }

    /// Whether this article may be compared with texts of a feed.
    fn is_in_scope(&self, state: &mut State, other: FeedId) -> Result<bool, Error> {
        Ok(match self.feed.dedup_scope {
            Scope::Off => false,
            Scope::Feed => other == self.feed.id,
            Scope::All => state.standing(other)?.0 != Scope::Off,
        })
    }

    /// Whether somebody has unfolded this pair.
    fn is_kept_apart(&self, state: &State, kept: &StoredText) -> Result<bool, Error> {
        let article = self.article();
        let (guid, url) = (article.guid.as_deref(), article.url.as_deref());
        state.db.is_kept_apart(kept.article_id, self.feed.id, guid, url)
    }

    fn verify(&self, state: &mut State, text: &StoredText) -> Result<Verification, Error> {
        let furniture = state.furniture(text.feed_id)?;
        Ok(with_side(text, &furniture, |other| verify(&self.side, other, &self.options.dedup)))
    }

    /// Whether this article, a copy of one of an article's texts, may join it. One that was first seen before the window
    /// takes no more copies, however young those are that it has.
    fn joins(
        &self,
        state: &State,
        kept: &StoredText,
        lead: &Lead,
        basis: Basis,
        found: &Verification,
        against_kept: &Verification,
    ) -> Result<bool, Error> {
        if kept.first_seen_at < self.since {
            return Ok(false);
        }
        if basis == Basis::Key && self.basis(kept, lead, against_kept) == Some(Basis::Key) {
            return Ok(true);
        }
        let limits = &self.options.dedup.thresholds;
        let has_report = || state.db.has_report(kept.article_id, limits.min_tokens, None);
        joins(basis, found, against_kept, limits, has_report)
    }

    fn basis(&self, text: &StoredText, lead: &Lead, found: &Verification) -> Option<Basis> {
        let titles = lead.key.map(|_| [&*self.article().title, &text.title]);
        basis(found, titles, &self.options.dedup)
    }

    fn refuse(
        &mut self,
        text: &StoredText,
        lead: &Lead,
        verification: &Verification,
        against_kept: Option<(&StoredText, &Verification)>,
    ) {
        if self.refused.len() < MAX_REFUSED {
            let mut refused = comparison(text, lead, verification);
            if let Some((kept, against_kept)) = against_kept.filter(|_| !text.is_kept()) {
                refused["kept"] = of_kept(kept, against_kept);
            }
            self.refused.push(refused);
        }
    }

    fn fold(
        &self,
        text: &StoredText,
        kept: StoredText,
        lead: &Lead,
        verification: &Verification,
        against_kept: Verification,
    ) -> Fold {
        let by_text = verification.reason.map_or("near_duplicate", |reason| reason.as_str());
        let similarity = if verification.is_duplicate {
            verification.similarity
        } else {
            verification.evidence.headline
        };
        let mut evidence = self.counts();
        evidence["matched"] = comparison(text, lead, verification);
        evidence["thresholds"] = json!(self.options.dedup.thresholds);
        if !text.is_kept() {
            evidence["kept"] = of_kept(&kept, &against_kept);
        }
        if !self.refused.is_empty() {
            evidence["refused"] = Value::Array(self.refused.clone());
        }
        Fold {
            reason: lead.key.unwrap_or(by_text),
            distance: lead.distance,
            similarity: similarity.clamp(0.0, 1.0),
            evidence,
            has_key: shared_key(
                self.article().guid.as_deref(),
                self.article().url.as_deref(),
                &kept,
            )
            .is_some(),
            kept,
            against_kept,
        }
    }
}

/// What makes two texts one by what was seen; `titles` where they have one URL or guid.
pub(super) fn basis(
    found: &Verification,
    titles: Option<[&str; 2]>,
    options: &dedup::Options,
) -> Option<Basis> {
    match titles {
        Some(titles) => Basis::with_key(found, titles, &options.thresholds),
        None => Basis::of(found),
    }
}

/// The comparison with what the article shows, where the copy was found through another text of its.
fn of_kept(kept: &StoredText, against_kept: &Verification) -> Value {
    json!({
        "article": kept.article_id,
        "is_duplicate": against_kept.is_duplicate,
        "similarity": against_kept.similarity,
        "evidence": against_kept.evidence,
    })
}

fn comparison(text: &StoredText, lead: &Lead, verification: &Verification) -> Value {
    json!({
        "article": text.article_id,
        "copy": text.duplicate_id,
        "revision": text.revision,
        "via": lead.via,
        "distance": lead.distance,
        "similarity": verification.similarity,
        "evidence": verification.evidence,
    })
}

/// Whether a copy's text takes the kept one's place: it may stand for that and says clearly more, or comes from a feed
/// of higher priority and is no shorter.
pub(super) fn takes_over(
    state: &mut State,
    copy_feed: FeedId,
    kept: &StoredText,
    against_kept: &Verification,
    has_key: bool,
    options: &dedup::Options,
) -> Result<bool, Error> {
    let text_feed = match state.db.text_from(kept.article_id)? {
        Some(copy) => state.db.duplicate_text(copy)?.map_or(kept.feed_id, |copy| copy.feed_id),
        None => kept.feed_id,
    };
    outdoes(state, [copy_feed, text_feed], against_kept, has_key, options)
}

/// As [`takes_over`], against any text that could stand in the article, given the feeds of both.
pub(super) fn outdoes(
    state: &mut State,
    [copy_feed, text_feed]: [FeedId; 2],
    against_text: &Verification,
    has_key: bool,
    options: &dedup::Options,
) -> Result<bool, Error> {
    if options.prefer == Prefer::First {
        return Ok(false);
    }
    if is_fuller(against_text, has_key, &options.thresholds) {
        return Ok(true);
    }
    Ok(against_text.length_ratio >= 1.0
        && may_stand_for(against_text, has_key, &options.thresholds)
        && state.standing(copy_feed)?.1 > state.standing(text_feed)?.1)
}

/// What an entry and a stored text have in common besides their text.
pub(super) fn shared_key(
    guid: Option<&str>,
    url: Option<&str>,
    kept: &StoredText,
) -> Option<&'static str> {
    let has_url = url.is_some_and(|url| !is_root(url)) && url == kept.url.as_deref();
    let has_guid = guid.is_some() && guid == kept.guid.as_deref();
    if has_url { Some("same_url") } else { has_guid.then_some("same_guid") }
}
